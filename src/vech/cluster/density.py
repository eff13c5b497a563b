"""Clusters where rows lie close together: DBSCAN, and HDBSCAN for clusters of different density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import frames
from vech.arrays import Array, as_array, check_progress, family
from vech.cluster.arguments import at_least, number
from vech.cluster.extraction import clusters, single_linkage
from vech.dissimilarities import as_distances, memory_of_row, panels, row, tiles, working
from vech.layouts.layout import as_flag
from vech.results.wanted import Progress, silent
from vech.store import Store

METHODS = ("eom", "leaf")
NOISE = -1


class Dbscan(NamedTuple):
    """What `dbscan` finds.

    Attributes
    ----------
    labels : array of int64, shape (n,)
        The cluster of each row, 0, 1, ..., and -1 for noise.
    core : array of int64
        The rows that have enough others near them, ascending.
    """

    labels: NDArray[np.int64]
    core: NDArray[np.int64]


class Hdbscan(NamedTuple):
    """What `hdbscan` finds.

    Attributes
    ----------
    labels : array of int64, shape (n,)
        The cluster of each row, 0, 1, ..., and -1 for noise.
    probabilities : array, shape (n,)
        How strongly each row belongs to its cluster: 1 at its densest, 0 for noise.
    tree : array, shape (n - 1, 4)
        Single linkage of the mutual reachability distances, as ``scipy.cluster.hierarchy`` has it:
        ``fcluster(tree, t, "distance")`` cuts it.
    """

    labels: NDArray[np.int64]
    probabilities: Array
    tree: Array


def dbscan(
    S: Store | ArrayLike,
    eps: float,
    min_samples: int = 5,
    *,
    sample_weight: ArrayLike | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Dbscan:
    """Clusters of rows that chains of close neighbours connect, and noise: DBSCAN on a store of distances.

    Parameters
    ----------
    S : store or full matrix (array or frame) of distances
        Real and symmetric, zero on its diagonal, finite, not negative.
    eps : float
        Rows are neighbours at this distance or less; a row is its own neighbour.
    min_samples : int
        A row with so many neighbours, or neighbours of so much weight, is a core of its cluster.
    sample_weight : array, shape (n,), optional
        The weight of each row, 1 by default; less than zero keeps neighbours from being cores.
    threads : int, optional
        At most so many threads expand rows, as `sample_weight` asks for.
    progress : callable, optional
        Called with (done, total), in rows that are read; each is read twice.

    Returns
    -------
    Dbscan
        Named tuple ``labels, core``, those of scikit-learn's ``DBSCAN(metric="precomputed")`` on the full
        matrix: clusters are numbered by their first core, and a row at the rim of two is in the first.

    Raises
    ------
    ValueError
        If S is no matrix of distances (the first number that is none is named), eps is negative or NaN,
        min_samples is less than 1, or sample_weight is not one finite number a row.
    TypeError
        For a sparse store or matrix, in which most distances are missing, and complex and skew ones.

    Notes
    -----
    M. Ester, H.-P. Kriegel, J. Sander and X. Xu, "A density-based algorithm for discovering clusters", KDD,
    1996. No neighbourhoods are kept: distances are read twice, by tiles, to count neighbours and to connect
    cores; rows are expanded to add up weights. O(n^2) time, O(n) memory beside a tile. A float32 store is
    compared with eps in float32.

    Examples
    --------
    >>> from scipy.spatial.distance import pdist
    >>> X = np.array([[1.0, 2], [2, 2], [2, 3], [8, 7], [8, 8], [25, 80]])
    >>> dbscan(vech.Packed(pdist(X), "condensed"), eps=3, min_samples=2)
    Dbscan(labels=array([ 0,  0,  0,  1,  1, -1]), core=array([0, 1, 2, 3, 4]))
    """
    check_progress(progress)
    eps = number(eps, "eps", "dbscan")
    at_least(1, min_samples, "min_samples")
    store = as_distances(S, "dbscan")
    eps = min(eps, float(np.finfo(working(store.dtype)).max))  # what is larger has every row in reach
    weights = None if sample_weight is None else _weights(sample_weight, store)
    report = progress or silent
    if weights is None:
        core = _neighbours(store, eps, report) >= min_samples
    else:
        core = _weighed(store, eps, weights, threads, report) >= min_samples
    return Dbscan(_connected(store, eps, core, report), np.flatnonzero(core))


def hdbscan(
    S: Store | ArrayLike,
    min_cluster_size: int = 5,
    min_samples: int | None = None,
    *,
    cluster_selection_epsilon: float = 0.0,
    max_cluster_size: int | None = None,
    cluster_selection_method: str = "eom",
    allow_single_cluster: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Hdbscan:
    """Clusters that last over many densities, and noise: HDBSCAN on a store of distances.

    Parameters
    ----------
    S : store or full matrix (array or frame) of distances
        As in `dbscan`.
    min_cluster_size : int
        What is smaller, at least 2, is no cluster.
    min_samples : int, optional
        The core distance of a row is that of its neighbour of this rank, where it is its own first one;
        `min_cluster_size` by default.
    cluster_selection_epsilon : float
        Clusters that split at this distance or less stay together.
    max_cluster_size : int, optional
        Clusters that "eom" finds are not larger.
    cluster_selection_method : {"eom", "leaf"}
        The clusters with the largest excess of mass, or the leaves of the tree: more and smaller ones.
    allow_single_cluster : bool
        Whether all rows may be one cluster.
    threads : int, optional
        At most so many threads expand rows.
    progress : callable, optional
        Called with (done, total), in rows that are read; each is read twice.

    Returns
    -------
    Hdbscan
        Named tuple ``labels, probabilities, tree``, as scikit-learn's ``HDBSCAN(metric="precomputed")`` with
        the same parameters finds them on the full matrix.

    Raises
    ------
    ValueError
        As `dbscan` for S; for min_samples beyond n, and parameters out of their ranges.
    TypeError
        As `dbscan`.

    Notes
    -----
    R. J. G. B. Campello, D. Moulavi, A. Zimek and J. Sander, "Hierarchical density estimates for data
    clustering, visualization, and outlier detection", ACM TKDD 10, 2015; epsilon: C. Malzer and
    M. Baum, 2020.
    Mutual reachability is ``max(core_i, core_j, d_ij)``; a minimum spanning tree of it comes by Prim's
    algorithm, which reads one row after the other. O(n^2) time, O(n) memory beside a panel of 4 MiB.

    Equal mutual reachabilities can be joined in any order, and where small groups meet at one distance that
    order can decide which is a cluster. It is that of NumPy's sort, as in scikit-learn, so that both find the
    same on one machine.

    Examples
    --------
    >>> from scipy.spatial.distance import pdist
    >>> X = np.array([0.0, 1, 2.1, 3.3, 50, 51.4, 52.6, 200])[:, None]
    >>> found = hdbscan(vech.Packed(pdist(X), "condensed"), min_cluster_size=3, min_samples=2)
    >>> found.labels, found.probabilities.round(2)
    (array([ 0,  0,  0,  0,  1,  1,  1, -1]), array([1.  , 1.  , 1.  , 0.92, 1.  , 1.  , 1.  , 0.  ]))
    """
    check_progress(progress)
    at_least(2, min_cluster_size, "min_cluster_size")
    rank = min_cluster_size if min_samples is None else min_samples
    at_least(1, rank, "min_samples")
    if max_cluster_size is not None:
        at_least(1, max_cluster_size, "max_cluster_size")
    epsilon = number(cluster_selection_epsilon, "cluster_selection_epsilon", "hdbscan")
    if cluster_selection_method not in METHODS:
        raise ValueError(f"cluster_selection_method is {cluster_selection_method!r}: choose 'eom' or 'leaf'")
    single = as_flag("allow_single_cluster", allow_single_cluster)
    store = as_distances(S, "hdbscan")
    n = store.n
    if rank > max(n, 1):
        name = "min_samples" if min_samples is not None else "min_cluster_size, and so min_samples,"
        raise ValueError(f"{name} is {rank}, and must be at most the number of rows, {n}")
    core, report = np.empty(n, working(store.dtype)), progress or silent
    for start, rows in panels(store, threads):
        core[start : start + len(rows)] = np.partition(rows, rank - 1, axis=1)[:, rank - 1]
        report(start + len(rows), 2 * n)
    order, apart = _spanning_path(store, core, report)
    tree = single_linkage(order, apart)
    labels, probabilities = clusters(
        tree,
        int(min_cluster_size),
        leaves=cluster_selection_method == "leaf",
        epsilon=epsilon,
        single=single,
        largest=max_cluster_size,
    )
    return Hdbscan(labels, probabilities, tree.links())


def _weights(sample_weight: ArrayLike, S: Store) -> Array:
    frames.check_along(sample_weight, 0, S.labels, "sample_weight")
    weights = as_array(sample_weight, "sample_weight", floats=True)
    if weights.shape != (S.n,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}, and S has {S.n} rows: one number for each"
        )
    if family(weights.dtype) not in "biuf":
        raise TypeError(f"sample_weight must hold real numbers, not {weights.dtype}")
    for i in np.flatnonzero(~np.isfinite(weights))[:1]:
        raise ValueError(f"sample_weight[{i}] is {weights[i]}: give each row a finite weight")
    return weights.astype(np.float64)


def _neighbours(S: Store, eps: float, report: Progress) -> NDArray[np.int64]:
    """How many neighbours each row has."""
    counts = np.zeros(S.n, np.int64)
    for tile in tiles(S):
        near = tile.numbers <= eps
        counts[tile.rows] += np.count_nonzero(near, axis=1)
        if tile.on_diagonal:
            report(tile.rows.stop, 2 * S.n)
        else:
            counts[tile.columns] += np.count_nonzero(near, axis=0)
    return counts


def _weighed(S: Store, eps: float, weights: Array, threads: int | None, report: Progress) -> Array:
    """How much the neighbours of each row weigh, summed as NumPy sums: row by row, not by tiles."""
    sums = np.empty(S.n)
    for start, rows in panels(S, threads):
        stop = start + len(rows)
        sums[start:stop] = [weights[near].sum() for near in rows <= eps]
        report(stop, 2 * S.n)
    return sums


def _connected(S: Store, eps: float, core: NDArray[np.bool_], report: Progress) -> NDArray[np.int64]:
    """The cluster of each row: cores that are neighbours are in one, and what is near a core is in its."""
    first = np.where(core, np.arange(S.n), S.n)  # of the cores that are known to be connected with each
    rim: list[tuple[int, NDArray[np.int64]]] = []

    def look(rows: slice, near: NDArray[np.bool_], cores: slice) -> None:
        for i, others in enumerate(near & core[cores], rows.start):
            met = first[cores][others]
            if not met.size or (core[i] and met.min() == met.max() == first[i]):
                continue
            met = np.unique(met)
            if core[i]:
                met = np.union1d(met, first[i])
                first[np.isin(first, met)] = met[0]
            else:
                rim.append((i, met))

    for tile in tiles(S):
        near = tile.numbers <= eps
        look(tile.rows, near, tile.columns)
        if tile.on_diagonal:
            report(S.n + tile.rows.stop, 2 * S.n)
        elif not core[tile.columns].all():  # of cores, rows have seen to it
            edge = ~core[tile.columns]
            look(tile.columns, near.T & edge[:, None], tile.rows)
    labels = np.full(S.n, NOISE, np.int64)
    beginnings, labels[core] = np.unique(first[core], return_inverse=True)
    reached = np.full(S.n, S.n)
    for i, met in rim:
        reached[i] = min(reached[i], first[met].min())
    at = np.flatnonzero(reached < S.n)
    labels[at] = np.searchsorted(beginnings, reached[at])
    return labels


def _spanning_path(S: Store, core: Array, report: Progress) -> tuple[NDArray[np.int64], Array]:
    """Prim's algorithm: the rows as they join the tree, and how far from it each one after the first is.

    Cut where these distances are larger than t, this path falls into the clusters of single linkage at t.
    """
    n = S.n
    order, apart = np.zeros(n, np.int64), np.zeros(max(n - 1, 0))
    nearest, outside = np.full(n, np.inf, core.dtype), core.copy()
    memory, last = memory_of_row(S), 0
    for k in range(1, n):
        outside[last] = np.inf  # what has joined is no longer near
        reach = np.maximum(row(S, last, memory), outside)
        np.maximum(reach, core[last], out=reach)
        nearest[last] = np.inf
        np.minimum(nearest, reach, out=nearest)
        last = int(nearest.argmin())
        order[k], apart[k - 1] = last, nearest[last]
        report(n + k, 2 * n)
    report(2 * n, 2 * n)
    return order, apart
