"""Planes of bits, and exact counts of what two columns have in common: below `covariance` and `pairwise`."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
