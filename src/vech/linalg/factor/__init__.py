"""Factors of a matrix, one a file, that keep `promise.Factor`; which one is made, and what it answers."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
