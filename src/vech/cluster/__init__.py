"""Clusters of a store of distances."""

from vech.cluster.density import Dbscan, Hdbscan, dbscan, hdbscan

__all__ = ["Dbscan", "Hdbscan", "dbscan", "hdbscan"]


def __dir__() -> list[str]:
    return __all__
