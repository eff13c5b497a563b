"""The plain store: one half and its layout, and what is computed straight on it."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
