"""How far apart the rows of a store are, which pictures cluster by."""

import numpy as np

from vech.arrays import Array, family
from vech.layouts.dialects import as_layout
from vech.packed.packed import packed
from vech.store import Store


def distances(S: Store, *, are_distances: bool = False) -> Array:
    """Condensed: S itself, or how far apart rows of a covariance are, sqrt(2 (1 - correlation))."""
    if S.describe().triangle is not None:
        raise TypeError(
            f"clusters of a {type(S).__name__} need all numbers: heatmap(S.to_packed()), or give distance="
        )
    if are_distances:
        return condensed(S, S.n, "S")
    diagonal = S.diagonal().astype(np.float64)
    wrong = ~((diagonal > 0) & (diagonal < np.inf))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"the diagonal has {diagonal[at]} at {at}, so S is no covariance to cluster by: give distance="
        )
    correlation = packed(S).astype(np.float64).congruence(1 / np.sqrt(diagonal))
    apart = correlation.map(lambda r: np.where(np.isfinite(r), np.sqrt(2 * np.clip(1 - r, 0, 2)), np.nan))
    return condensed(apart, S.n, "the correlation of S")


def condensed(distance: Store, n: int, name: str = "distance") -> Array:
    """The distances in SciPy's order, judged."""
    if not isinstance(distance, Store) or distance.describe().triangle is not None:
        raise TypeError(
            f"{name} must be a store of all its numbers, such as a Packed, not a {type(distance).__name__}"
        )
    if distance.kind != "symmetric" or family(distance.dtype) not in "biuf":
        what = f"of {distance.dtype}" if distance.kind == "symmetric" else distance.kind
        raise TypeError(f"{name} must be real and symmetric to cluster by, and it is {what}")
    if distance.n != n:
        raise ValueError(f"{name} has {distance.n} rows, and S has {n}")
    half = distance.to_condensed(drop_diagonal=True).astype(np.float64, copy=False)
    for k in np.flatnonzero(~(np.isfinite(half) & (half >= 0)))[:1]:
        i, j = map(int, as_layout("condensed").pair(k, n))
        raise ValueError(f"{name}[{i}, {j}] is {half[k]}, and distances are finite and not negative")
    return half
