"""Factors of a matrix, one a file, that keep `promise.Factor`; which one is made, and what it answers."""
