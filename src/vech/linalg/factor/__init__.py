"""Factors of a store, one a file, and what they answer."""
