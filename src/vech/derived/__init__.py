"""What every store can do because of its promise: written once, on what `vech.store` names."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
