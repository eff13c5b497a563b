"""Other libraries beside vech: each is imported here, by the function that needs it, and nowhere else."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
