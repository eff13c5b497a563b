"""What a half is: where each pair of a matrix is, by which name, and what the other triangle says."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
