"""Clusters of a store of distances."""

from vech.cluster.density import Dbscan, Hdbscan, dbscan, hdbscan
from vech.cluster.medoids import Medoids, medoids
from vech.cluster.silhouette import Silhouette, silhouette

__all__ = ["Dbscan", "Hdbscan", "Medoids", "Silhouette", "dbscan", "hdbscan", "medoids", "silhouette"]


def __dir__() -> list[str]:
    return __all__
