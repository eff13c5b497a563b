"""Where a half goes that is made of data, and how it is made: what covariance and pairwise have in common."""
