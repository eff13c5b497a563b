"""Numbers from where they are to where they are wanted: full matrix, half, nonzeros. Nothing is computed."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
