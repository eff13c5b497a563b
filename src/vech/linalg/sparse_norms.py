"""Norms and inner products of a sparse half, from the numbers stored."""

import math
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, epsilon, family
from vech.linalg.checks import is_sparse
from vech.packed.packed import Packed
from vech.sparse import SparseHalf


class Entries(NamedTuple):
    """The numbers of one triangle, as the kind computes with them, sorted by rows."""

    rows: Array
    columns: Array
    values: Array

    @property
    def on(self) -> Array:
        """Which of them are on the diagonal."""
        return np.equal(self.rows, self.columns)


def entries(S: SparseHalf) -> Entries:
    """What S stores."""
    stored = S.to_coo(part=S.triangle)
    rows, columns = (index.astype(np.int64) for index in stored.coords)
    found = Entries(rows, columns, stored.data)
    found.values[found.on] = S.kind.settled(found.values[found.on])
    return found


def norm(S: SparseHalf, ord: Any) -> float:
    """The norms of `vech.linalg.norm`, but for the 2-norm."""
    stored = entries(S)
    moduli = np.abs(stored.values.astype(np.result_type(S.dtype, np.float64), copy=False))
    largest = float(moduli.max(initial=0))
    if ord == "max":
        return largest
    if ord == "fro":
        if not 0 < largest < np.inf:
            return largest
        squares = (moduli / largest) ** 2
        return largest * math.sqrt(2 * squares.sum() - squares[stored.on].sum())
    off = ~stored.on
    places = np.concatenate((stored.rows, stored.columns[off]))
    if S.n > 4 * places.size:  # as with billions of rows, nearly all of them empty
        places = np.unique(places, return_inverse=True)[1]
    return float(np.bincount(places, np.concatenate((moduli, moduli[off]))).max(initial=0))


def inner(S: Packed | SparseHalf, T: Packed | SparseHalf) -> Any:
    """`vech.linalg.inner` with a sparse half: over the places where both have numbers."""
    if not is_sparse(S):
        return inner(T, S).conjugate()
    first = entries(S)
    on = first.on
    if is_sparse(T):
        here, second = _common(S, T)
        first, on = Entries(*(array[here] for array in first)), on[here]
    else:
        second = T[first.rows, first.columns]
        second[on] = T.kind.settled(second[on])
    dtype = np.result_type(
        first.values, second, np.float32 if epsilon(S.dtype) and epsilon(T.dtype) else float
    )
    s, t = first.values.astype(dtype, copy=False), second.astype(dtype, copy=False)
    off = ~on
    total = np.vdot(s, t) + np.vdot(S.kind.mirror(s[off]), T.kind.mirror(t[off]))
    real = S.kind is T.kind and S.kind.conjugates
    return total.real if real and family(dtype) == "c" else total


def _common(S: SparseHalf, T: SparseHalf) -> tuple[Array, Array]:
    """Which entries of S have a partner in T, and the partners, as they stand in the triangle of S."""
    first, second = entries(S), entries(T)
    rows, columns, values = second
    if S.triangle != T.triangle:
        order = np.lexsort((rows, columns))
        values = np.where(second.on, values, T.kind.mirror(values))[order]
        rows, columns = columns[order], rows[order]
    keys, others = (
        i.astype(np.uint64) * np.uint64(S.n) + j.astype(np.uint64)
        for i, j in ((first.rows, first.columns), (rows, columns))
    )
    at = np.minimum(np.searchsorted(others, keys), max(0, others.size - 1))
    here = np.flatnonzero(others[at] == keys) if others.size else np.zeros(0, np.intp)
    return here, values[at[here]]
