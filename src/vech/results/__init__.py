"""Where a half goes that is made of data, and how it is made: what covariance and pairwise have in common."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
