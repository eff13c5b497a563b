"""How well rows lie in their clusters: silhouettes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import frames
from vech.arrays import Array
from vech.cluster.arguments import check_sums
from vech.dissimilarities import as_distances, panels, working
from vech.maps import as_read
from vech.store import Store, check_readable

FEW = 64  # clusters of which one product has all sums; more of them are quicker summed row by row


class Silhouette(NamedTuple):
    """What `silhouette` finds.

    Attributes
    ----------
    score : float
        The mean of all samples.
    samples : array, shape (n,)
        Each row: 1 far from all other clusters, 0 between two, -1 in the wrong one.
    """

    score: float
    samples: Array


def silhouette(S: Store | ArrayLike, labels: ArrayLike, *, threads: int | None = None) -> Silhouette:
    """How much closer each row is to its own cluster than to the nearest other one, and the mean of that.

    Parameters
    ----------
    S : store or full matrix (array or frame) of distances
        As in `dbscan`.
    labels : array or sequence, shape (n,)
        The cluster of each row: integers, text, ...; noise, -1, is a cluster like others.
    threads : int, optional
        At most so many threads read the store.

    Returns
    -------
    Silhouette
        Named tuple ``score, samples``: scikit-learn's ``silhouette_score`` and ``silhouette_samples``. A row
        that is a cluster by itself has 0.

    Raises
    ------
    OverflowError
        If sums of the distances are beyond their dtype.
    ValueError
        If S is no matrix of distances, the labels are not one for each row, name fewer than 2 or more than
        n - 1 clusters, or one is missing (None, NaN).
    TypeError
        As `dbscan`, and for labels that cannot be ordered, or have a mask.

    Notes
    -----
    ``(b - a) / max(a, b)`` where a is the mean distance to the other rows of the same cluster, and b the
    least mean distance to those of another one; P. J. Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20,
    1987. Of at most 64 clusters one product with S has all sums: each number is read once, and memory is n
    numbers a cluster. Of more, and where the diagonal holds rounding, the full matrix is read once, by panels
    of 4 MiB. A float32 store is summed in float32 by the product.

    Examples
    --------
    >>> from scipy.spatial.distance import pdist
    >>> D = vech.Packed(pdist(np.array([[0.0], [1], [1], [2], [3], [3]])), "condensed")
    >>> silhouette(D, ["a", "b", "b", "b", "c", "c"]).samples
    array([0. , 0.5, 0.5, 0. , 1. , 1. ])
    """
    store = as_distances(S, "silhouette")
    cluster, sizes = _clusters(labels, store)
    if not 2 <= sizes.size < store.n:
        raise ValueError(
            f"labels name {sizes.size} clusters of {store.n} rows: silhouettes need at least 2, and at most "
            f"n - 1"
        )
    samples = np.zeros(store.n)
    for start, sums in _sums(store, cluster, sizes.size, threads):
        check_sums(sums, "silhouette")
        rows = slice(start, start + len(sums))
        own = np.arange(len(sums)), cluster[rows]
        others = sizes[cluster[rows]] - 1
        within = sums[own] / np.maximum(others, 1)
        between = sums / sizes
        between[own] = np.inf
        nearest = between.min(axis=1)
        widest = np.maximum(within, nearest)
        apart = (others > 0) & (widest > 0)
        np.divide(nearest - within, widest, out=samples[rows], where=apart)
    return Silhouette(float(samples.mean()), samples)


def _clusters(labels: ArrayLike, S: Store) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The number of each row's cluster, and the sizes of all."""
    check_readable(labels, "labels")
    frames.check_along(labels, 0, S.labels, "labels")
    given: Array = as_read(labels)
    if given.shape != (S.n,):
        raise ValueError(f"labels has shape {given.shape}, and S has {S.n} rows: one label for each")
    for i in np.flatnonzero([frames.is_missing(label) for label in given])[:1]:
        raise ValueError(f"labels[{i}] is {given[i]}: name a cluster for each row, such as -1 for noise")
    try:
        _, cluster, sizes = np.unique(given, return_inverse=True, return_counts=True)
    except TypeError as reason:
        raise TypeError(f"labels are of several types, of which none is before the other: {reason}") from None
    return cluster, sizes


def _sums(
    S: Store, cluster: NDArray[np.int64], count: int, threads: int | None
) -> Iterator[tuple[int, Array]]:
    """The sums of the distances to each cluster, of some rows at a time: the first one's number, sums."""
    if count > FEW:
        for start, rows in panels(S, threads):
            yield start, np.array([np.bincount(cluster, row, count) for row in rows])
        return
    members = np.zeros((S.n, count), working(S.dtype))
    members[np.arange(S.n), cluster] = 1
    if S.diagonal().any():  # rounding, which the product would add up
        for start, rows in panels(S, threads):
            yield start, (rows @ members).astype(np.float64)
        return
    yield 0, S.matmul(members, threads=threads).astype(np.float64)
