"""Planes of bits, and exact counts of what two columns have in common: below `covariance` and `pairwise`."""
