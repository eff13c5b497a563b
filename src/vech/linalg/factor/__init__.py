"""Factors of a matrix, one a file, each of which keeps `promise.Factor`; which one is made, and what it answers."""
