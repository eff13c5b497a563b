"""How far apart the rows of a store are, which pictures cluster by."""

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
