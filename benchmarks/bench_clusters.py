"""Clusters of distances, beside those that others find in the full matrix."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.rows import Candidates, Case, Limit, Row
from vech import Packed, cluster

K = 10


def distances(n: int) -> Packed:
    """Of points in four groups, some of which lie far from all."""
    from scipy.spatial.distance import pdist

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 3)) * 6
    X = centres[rng.integers(0, 4, n)] + rng.normal(size=(n, 3)) * rng.choice([0.5, 1, 4], (n, 1))
    return Packed(pdist(X), "condensed")


def against(n: int, ours: Any, theirs: Any, peer: str = "scikit-learn") -> Candidates:
    """One function of the half, and another of the full matrix."""
    S = distances(n)
    return {"vech": partial(ours, S), peer: theirs and partial(theirs, S.expand())}


def dbscan(n: int) -> Iterator[Case]:
    for eps in (0.3, 3.0):
        ours = partial(cluster.dbscan, eps=eps, threads=1)
        candidates = against(n, ours, peers.fitted("DBSCAN", eps=eps))
        yield Case("dbscan", "condensed", "float64", n, candidates, f"eps={eps}")


def hdbscan(n: int) -> Iterator[Case]:
    ours = partial(cluster.hdbscan, threads=1)
    yield Case("hdbscan", "condensed", "float64", n, against(n, ours, peers.fitted("HDBSCAN", copy=True)))


def silhouette(n: int, count: int) -> Iterator[Case]:
    labels = np.arange(n) % count
    ours = partial(cluster.silhouette, labels=labels, threads=1)
    yield Case("silhouette", "condensed", "float64", n, against(n, ours, peers.silhouettes(labels)))


def medoids(n: int) -> Iterator[Case]:
    begin = np.random.default_rng(0).choice(n, K, replace=False)
    ours = partial(cluster.medoids, k=K, init=begin, threads=1)
    candidates = against(n, ours, peers.fasterpam(begin), "kmedoids")
    yield Case("medoids", "condensed", "float64", n, candidates, f"k={K}")


def times(peer: str, must: float | None, aim: float) -> tuple[Limit, ...]:
    return (Limit(peer, must=must, aim=aim, faster=True),)


LEARN = "scikit-learn"
ROWS = (
    Row("DBSCAN", LEARN, times(LEARN, None, 1), (6000, 6001), dbscan),
    Row("HDBSCAN", LEARN, times(LEARN, 1, 2), (6000, 6001), hdbscan),
    Row("silhouettes of 10 clusters", LEARN, times(LEARN, 1, 2), (6000, 6001), partial(silhouette, count=10)),
    Row(
        "silhouettes of 300 clusters",
        LEARN,
        times(LEARN, None, 1),
        (6000, 6001),
        partial(silhouette, count=300),
        (640, 641),
    ),
    Row("medoids", "kmedoids", times("kmedoids", None, 1), (5000, 5001), medoids),
)
