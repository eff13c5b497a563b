"""Norms and inner products of any store: of a half, of what a sparse one stores, or by tiles read once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype, epsilon, family
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


def _moduli(kind: Kind, tiles: Iterable[Tile]) -> Iterator[_Moduli]:
    for tile in _settled(kind, tiles):
        for start, part in rows_at_a_time(tile.numbers):
            rows = slice(tile.rows.start + start, tile.rows.start + start + len(part))
            numbers = np.abs(part.astype(np.result_type(part, np.float64), copy=False))
            yield _Moduli(rows, tile.columns, numbers, 1 if tile.on_diagonal else 2)


def _settled(kind: Kind, tiles: Iterable[Tile]) -> Iterator[Tile]:
    """The tiles, of a diagonal what its kind takes."""
    for tile in tiles:
        yield tile._replace(numbers=_with_settled(tile.numbers, kind)) if tile.on_diagonal else tile


def _with_settled(square: Array, kind: Kind) -> Array:
    if kind.diagonal == "stored":
        return square
    square = np.array(square)
    np.fill_diagonal(square, kind.settled(square.diagonal()))
    return square


def _largest(S: Store) -> float:
    most = np.float64(0)
    for found in S._by_strips(partial(_most, Kind(S.kind))):
        most = np.maximum(most, found)
    return float(most)


def _most(kind: Kind, tiles: Iterable[Tile]) -> Any:
    most = np.float64(0)
    for part in _moduli(kind, tiles):
        most = np.maximum(most, part.numbers.max(initial=0))
    return most


class _Squares(NamedTuple):
    """A sum of squares in units of a power of two that grows, so that none overflows."""

    total: float = 0.0
    unit: float = 0.0
    most: Any = np.float64(0)

    def plus(self, other: _Squares) -> _Squares:
        unit = max(self.unit, other.unit)
        total = sum(x.total * (x.unit / unit) ** 2 for x in (self, other)) if unit else 0.0
        return _Squares(total, unit, np.maximum(self.most, other.most))


def _frobenius(S: Store) -> float:
    found = _Squares()
    for squares in S._by_strips(partial(_squares, Kind(S.kind))):
        found = found.plus(squares)
    return float(found.unit) * math.sqrt(found.total) if 0 < found.most < np.inf else float(found.most)


def _squares(kind: Kind, tiles: Iterable[Tile]) -> _Squares:
    found = _Squares()
    for part in _moduli(kind, tiles):
        most = part.numbers.max(initial=0)
        if not 0 < most < np.inf:
            found = found._replace(most=np.maximum(found.most, most))
            continue
        unit = math.ldexp(1.0, math.frexp(most)[1] - 1)
        share = part.numbers / unit
        found = found.plus(_Squares(part.counts * float(np.vdot(share, share)), unit, most))
    return found


@np.errstate(over="ignore")
def _row_norm(S: Store) -> float:
    """The largest sum of |numbers| in a row, which is that in a column."""
    sums = np.zeros(S.n)
    for found in S._by_strips(partial(_sums, Kind(S.kind))):
        for (start, stop), part in found.items():
            sums[start:stop] += part
    return float(sums.max(initial=0.0))


@np.errstate(over="ignore")
def _sums(kind: Kind, tiles: Iterable[Tile]) -> dict[tuple[int, int], Array]:
    """Of |numbers| in the rows of the matrix from one to another, as far as these tiles have them."""
    found: dict[tuple[int, int], Array] = {}

    def add(rows: slice, sums: Array) -> None:
        place = rows.start, rows.stop
        found[place] = found[place] + sums if place in found else sums

    for part in _moduli(kind, tiles):
        add(part.rows, part.numbers.sum(axis=1))
        if part.counts == 2:
            add(part.columns, part.numbers.sum(axis=0))
    return found


def _inner_by_tiles(S: Store, T: Store) -> Any:
    kind, other = Kind(S.kind), Kind(T.kind)
    dtype = np.result_type(S.dtype, T.dtype, np.float32 if epsilon(S.dtype) and epsilon(T.dtype) else float)
    work = np.result_type(dtype, np.float64)
    parts = S._by_strips(partial(_products, T, kind, work))
    found = sum(parts, np.zeros(1, work)[0]).astype(dtype)
    return found.real if kind is other and kind.conjugates else found


def _products(T: Store, kind: Kind, work: Dtype, tiles: Iterable[Tile]) -> Any:
    """The sum of products of numbers at the same places."""
    other, total = Kind(T.kind), np.zeros(1, work)[0]
    for tile in _settled(kind, tiles):
        block = T.block(tile.rows, tile.columns)
        s, t = (x.astype(work, copy=False) for x in (tile.numbers, block))
        if tile.on_diagonal:
            total += np.vdot(s, _with_settled(t, other))
        else:
            total += np.vdot(s, t) + np.vdot(kind.mirror(s), other.mirror(t))
    return total
