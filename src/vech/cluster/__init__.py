"""Clusters of a store of distances, which is left as it is."""

from vech.cluster.density import Dbscan, Hdbscan, dbscan, hdbscan
from vech.cluster.linkage import linkage
from vech.cluster.medoids import Medoids, medoids
from vech.cluster.silhouette import Silhouette, silhouette
from vech.cluster.trees import cophenetic, cophenetic_correlation, cut, to_newick

__all__ = [
    "Dbscan",
    "Hdbscan",
    "Medoids",
    "Silhouette",
    "cophenetic",
    "cophenetic_correlation",
    "cut",
    "dbscan",
    "hdbscan",
    "linkage",
    "medoids",
    "silhouette",
    "to_newick",
]


def __dir__() -> list[str]:
    return __all__
