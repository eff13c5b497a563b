"""Stores of distances as scikit-bio's distance matrices, and back: ids are labels."""

from __future__ import annotations

import inspect
from typing import Any

from vech.dissimilarities import as_distances
from vech.packed.packed import Packed
from vech.store import Store

try:
    from skbio import DistanceMatrix
except ModuleNotFoundError as missing:
    reason = "vech.adapters.skbio needs scikit-bio: pip install 'vech[skbio]'"
    raise ModuleNotFoundError(reason, name="skbio") from missing

__all__ = ["from_skbio", "to_skbio"]


def __dir__() -> list[str]:
    return __all__


def to_skbio(S: Store) -> Any:
    """A store of distances as a ``skbio.DistanceMatrix``, whose ids are its labels.

    Parameters
    ----------
    S : store
        Real, symmetric and finite, none negative, zeros on its diagonal.

    Returns
    -------
    skbio.DistanceMatrix
        Condensed, of the half itself where S holds SciPy's condensed order; older releases of scikit-bio,
        which have no condensed form, make a square. Labels that are not text become it; without labels, ids
        are "0", "1", ...

    Raises
    ------
    ValueError
        For what are no distances, a matrix without rows, and labels that are the same as text.
    TypeError
        For sparse stores, complex numbers, and kinds other than symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> import vech
    >>> D = to_skbio(vech.Packed(np.array([4.0, 1, 3]), "condensed", labels=["a", "b", "c"]))
    >>> D.ids, float(D["a", "c"])
    (('a', 'b', 'c'), 1.0)
    """
    store = as_distances(S, "to_skbio")
    if not store.n:
        raise ValueError("S has no rows, and scikit-bio's matrices have at least one")
    labels = range(store.n) if store.labels is None else store.labels
    ids = tuple(map(str, labels))
    seen: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in seen:
            raise ValueError(
                f"rows {seen[name]} and {row} both have the id {name!r}, and scikit-bio's ids differ: "
                f"S.with_labels(names) renames"
            )
        seen[name] = row
    if store.n < 2 or "condensed" not in inspect.signature(DistanceMatrix.__init__).parameters:
        return DistanceMatrix(store.expand(), ids)
    return DistanceMatrix(store.to_condensed(drop_diagonal=True), ids, condensed=True)


def from_skbio(matrix: Any) -> Packed:
    """The store of a ``skbio.DistanceMatrix``, whose labels are its ids.

    Parameters
    ----------
    matrix : skbio.DistanceMatrix
        Condensed or square.

    Returns
    -------
    vech.Packed
        In the layout "condensed"; of a condensed matrix its vector itself, not a copy.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import skbio
    >>> from_skbio(skbio.DistanceMatrix([[0, 4.0], [4.0, 0]], ["a", "b"]))
    Packed(n=2, dtype=float64, kind='symmetric', layout='condensed')
    """
    if not isinstance(matrix, DistanceMatrix):
        raise TypeError(f"from_skbio takes a skbio.DistanceMatrix, not {type(matrix).__name__}")
    data = matrix.data
    half = data if data.ndim == 1 else matrix.condensed_form()
    return Packed(half, "condensed", labels=matrix.ids)
