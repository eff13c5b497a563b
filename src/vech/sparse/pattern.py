"""What is done to the patterns of triangles: turned, united, gathered from pairs, looked up."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech import _core, arrays
from vech.arrays import Array
from vech.layouts.kind import Kind
from vech.moves.judging import refuse_negation
from vech.moves.nonzeros import Compressed, refuse_wrapped, scipy_array

Indices = NDArray[np.int64]
Mask = NDArray[np.bool]

MANY_ROWS = 2**24  # 128 MiB of row pointers
EMPTY_ROWS = 16  # for each number


def turned(held: Compressed, threads: int = 1) -> Compressed:
    """The other triangle by rows, sorted."""
    held.refuse_smallest()
    change = held.kind.change(held.data.dtype)
    indptr, indices, data = _core.turn(
        held.indptr, held.indices, held.data, change, held.n, held.grow, threads
    )
    return Compressed(indptr, indices, data.view(held.data.dtype), not held.grow, True, held.kind)


def by_rows(csr: Any, grow: bool, kind: Kind) -> Compressed:
    """The triangle that a canonical CSR array of SciPy holds."""
    indptr, indices = csr.indptr.astype(np.int64, copy=False), csr.indices.astype(np.int32, copy=False)
    return Compressed(indptr, indices, csr.data, grow, True, kind)


# ---------------------------------------------------------------- two patterns


class Union(NamedTuple):
    """The pattern of all that two triangles hold, and which of it is held by either, in its own order."""

    indptr: Array
    indices: Array
    left: Mask
    right: Mask


def union(a: Compressed, b: Compressed) -> Union:
    """The union of two patterns of one side and triangle, by rows."""
    if np.array_equal(a.indptr, b.indptr) and np.array_equal(a.indices, b.indices):
        return Union(a.indptr, a.indices, *[np.ones(a.indices.size, np.bool)] * 2)
    marked = [
        scipy_array("csr", held.indptr, held.indices, np.full(held.indices.size, mark, np.int8))
        for held, mark in ((a, 1), (b, 2))
    ]
    both = by_rows(marked[0] + marked[1], a.grow, a.kind)
    return Union(both.indptr, both.indices, both.data & 1 != 0, both.data & 2 != 0)


# ---------------------------------------------------------------- pairs


def compressed(rows: Indices, columns: Indices, data: Array, n: int) -> tuple[Any, Indices | None]:
    """A canonical CSR array of numbers in any order, those at one place summed.

    Where most rows are empty it is that of the occupied rows and columns alone, which are told besides.
    """
    from scipy.sparse import coo_array

    places = None
    if n > arrays.INT32_MAX or (n > MANY_ROWS and n > EMPTY_ROWS * data.size):
        places = np.union1d(rows, columns)
        rows, columns, n = np.searchsorted(places, rows), np.searchsorted(places, columns), places.size
    csr = coo_array((data, (rows, columns)), shape=(n, n)).tocsr()
    if data.dtype.kind in "iu" and csr.nnz < data.size:
        refuse_wrapped(csr.data, coo_array((data.astype(float), (rows, columns)), shape=(n, n)).tocsr().data)
    return csr, places


def sided(
    rows: Indices, columns: Indices, data: Array, grow: bool, kind: Kind
) -> tuple[Indices, Indices, Array]:
    """Numbers at places in both triangles, taken to their places in one; `data` is written to."""
    across = rows < columns if grow else rows > columns
    if across.any():
        data[across] = mirrored(rows[across], columns[across], data[across], kind)
        rows, columns = np.where(across, columns, rows), np.where(across, rows, columns)
    return rows, columns, data


def mirrored(rows: Indices, columns: Indices, data: Array, kind: Kind) -> Array:
    """Numbers off the diagonal as they stand in the other triangle."""
    if kind.negates and data.dtype.kind == "i":
        smallest = np.iinfo(data.dtype).min
        at = data == smallest
        refuse_negation(rows[at], columns[at], smallest, data.dtype)
    return kind.mirror(data)


# ---------------------------------------------------------------- looking up


def found_at(wanted: Indices, places: Indices | None, side: int) -> Indices:
    """Where each row that a store holds is among distinct rows wanted: -1 if not."""
    where = np.full(side, -1, np.int64)
    order = np.arange(wanted.size)
    if places is not None:
        at = np.minimum(np.searchsorted(places, wanted), max(0, side - 1))
        held = places[at] == wanted if side else np.zeros(wanted.size, np.bool)
        wanted, order = at[held], order[held]
    where[wanted] = order
    return where


def looked_up(held: Compressed, rows: Indices, columns: Indices) -> Array:
    """The numbers at pairs of rows and columns of either triangle, zero where none is stored."""
    lower, upper = np.maximum(rows, columns), np.minimum(rows, columns)
    run, column = (lower, upper) if held.grow else (upper, lower)
    low, end = held.indptr[run].astype(np.int64), held.indptr[run + 1].astype(np.int64)
    high = end
    while (open_ := low < high).any():
        middle = (low + high) // 2
        before = open_ & (held.indices[np.where(open_, middle, 0)] < column)
        low, high = np.where(before, middle + 1, low), np.where(open_ & ~before, middle, high)
    stored = low < end
    stored[stored] = held.indices[low[stored]] == column[stored]
    values = np.zeros(rows.shape, held.data.dtype)
    values[stored] = held.data[low[stored]]
    across = stored & (rows < columns if held.grow else rows > columns)
    if across.any() and held.kind is not Kind.SYMMETRIC:
        values[across] = mirrored(columns[across], rows[across], values[across], held.kind)
    return values
