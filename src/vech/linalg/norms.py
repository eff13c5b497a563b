"""Norms and inner products of any store: of a half, of what a sparse one stores, or by tiles read once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, epsilon, family
from vech.layouts.kind import Kind
from vech.linalg import sparse_norms
from vech.linalg.checks import is_sparse, rows_at_a_time
from vech.operators import check_same_side
from vech.packed import norms
from vech.packed.packed import packed
from vech.store import Store, Tile


def norm(S: Store, order: Any) -> float:
    """The norms of `vech.linalg.norm`, but for the 2-norm."""
    if is_sparse(S):
        return sparse_norms.norm(S, order)
    if S.describe().layout is not None:
        return float(norms.norm(packed(S)._held, order))
    return {"max": _largest, "fro": _frobenius}.get(order, _row_norm)(S)


def inner(S: Store, T: Store) -> Any:
    """`vech.linalg.inner`, of stores of one side."""
    check_same_side(T.n, S.n)
    if is_sparse(S) or is_sparse(T):
        return sparse_norms.inner(*(store if is_sparse(store) else packed(store) for store in (S, T)))
    if S.describe().layout is None:
        return _inner_by_tiles(S, T)
    if T.describe().layout is None:
        return _inner_by_tiles(T, S).conjugate()
    a, b = (x.astype(float) if family(x.dtype) in "biu" else x for x in map(packed, (S, T)))
    return norms.inner(a._held, b._held)


class _Moduli(NamedTuple):
    """Of some rows of a tile, in double; `counts` is how often each is in the matrix."""

    rows: slice
    columns: slice
    numbers: Array
    counts: int


def _moduli(S: Store) -> Iterator[_Moduli]:
    for tile in _settled(S):
        for start, part in rows_at_a_time(tile.numbers):
            rows = slice(tile.rows.start + start, tile.rows.start + start + len(part))
            numbers = np.abs(part.astype(np.result_type(part, np.float64), copy=False))
            yield _Moduli(rows, tile.columns, numbers, 1 if tile.on_diagonal else 2)


def _settled(S: Store) -> Iterator[Tile]:
    """The tiles, of a diagonal what its kind takes."""
    kind = Kind(S.kind)
    for tile in S.tiles():
        yield tile._replace(numbers=_with_settled(tile.numbers, kind)) if tile.on_diagonal else tile


def _with_settled(square: Array, kind: Kind) -> Array:
    if kind.diagonal == "stored":
        return square
    square = np.array(square)
    np.fill_diagonal(square, kind.settled(square.diagonal()))
    return square


def _largest(S: Store) -> float:
    most = np.float64(0)
    for part in _moduli(S):
        most = np.maximum(most, part.numbers.max(initial=0))
    return float(most)


def _frobenius(S: Store) -> float:
    """The root of the sum of squares, in units of a power of two that grows, so that none overflows."""
    total, unit, most = 0.0, 0.0, np.float64(0)
    for part in _moduli(S):
        largest = part.numbers.max(initial=0)
        most = np.maximum(most, largest)
        if not 0 < most < np.inf:
            continue
        if (found := math.ldexp(1.0, math.frexp(most)[1] - 1)) > unit:
            total, unit = total * (unit / found) ** 2, found
        share = part.numbers / unit
        total += part.counts * float(np.vdot(share, share))
    return float(unit * np.sqrt(total)) if 0 < most < np.inf else float(most)


def _row_norm(S: Store) -> float:
    """The largest sum of |numbers| in a row, which is that in a column."""
    sums = np.zeros(S.n)
    for part in _moduli(S):
        sums[part.rows] += part.numbers.sum(axis=1)
        if part.counts == 2:
            sums[part.columns] += part.numbers.sum(axis=0)
    return float(sums.max(initial=0.0))


def _inner_by_tiles(S: Store, T: Store) -> Any:
    kind, other = Kind(S.kind), Kind(T.kind)
    dtype = np.result_type(S.dtype, T.dtype, np.float32 if epsilon(S.dtype) and epsilon(T.dtype) else float)
    work = np.result_type(dtype, np.float64)
    total = np.zeros(1, work)[0]
    for tile in _settled(S):
        block = T.block(tile.rows, tile.columns)
        s, t = (x.astype(work, copy=False) for x in (tile.numbers, block))
        if tile.on_diagonal:
            total += np.vdot(s, _with_settled(t, other))
        else:
            total += np.vdot(s, t) + np.vdot(kind.mirror(s), other.mirror(t))
    found = total.astype(dtype)
    return found.real if kind is other and kind.conjugates else found
