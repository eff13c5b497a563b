"""Hierarchical clustering of a store: how far apart its rows are, and what joins what."""

import numpy as np

from vech.arrays import Array, family
from vech.packed.packed import packed
from vech.store import Store


def distances(S: Store, *, are_distances: bool = False) -> Array:
    """Condensed: S itself, or how far apart rows of a covariance are, sqrt(2 (1 - correlation))."""
    if S.describe().triangle is not None:
        raise TypeError(
            f"clusters of a {type(S).__name__} need its numbers: draw S.to_packed(), or give distance="
        )
    if are_distances:
        return condensed(S, S.n)
    diagonal = S.diagonal().astype(np.float64)
    wrong = ~(diagonal > 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"the diagonal has {diagonal[at]} at {at}, so S is no covariance to cluster by: give distance="
        )
    correlation = packed(S).astype(np.float64).congruence(1 / np.sqrt(diagonal))
    apart = correlation.map(lambda r: np.sqrt(2 * np.clip(1 - r, 0, 2)))
    return condensed(apart, S.n)


def condensed(distance: Store, n: int) -> Array:
    """The distances in SciPy's order, judged."""
    is_dense = isinstance(distance, Store) and distance.describe().triangle is None
    if not is_dense or family(distance.dtype) not in "biuf" or distance.n != n:
        raise TypeError(f"distance must be a real Packed of side {n}, not {distance!r}")
    half = distance.to_condensed(drop_diagonal=True).astype(np.float64, copy=False)
    if not (np.isfinite(half).all() and (half >= 0).all()):
        raise ValueError("distances must be finite and not negative")
    return half


def linkage(condensed: Array, method: str) -> Array:
    """SciPy's table of links: which two are joined, how far apart they are, and of how many leaves."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(condensed, method)) if condensed.size else np.empty((0, 4))


def leaves(links: Array) -> Array:
    """The leaves of a tree from left to right."""
    from scipy.cluster.hierarchy import leaves_list

    return np.asarray(leaves_list(links), np.int64) if len(links) else np.arange(1)
