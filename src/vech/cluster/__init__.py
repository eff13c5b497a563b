"""Groups in a store of distances, which is left as it is."""

from vech.cluster.linkage import linkage

__all__ = ["linkage"]


def __dir__() -> list[str]:
    return __all__
