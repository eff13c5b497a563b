"""A matrix in the browser, to walk through from the whole of it to single numbers."""

from vech.viewer.viewing import View, view

__all__ = ["View", "view"]


def __dir__() -> list[str]:
    return __all__
