"""Reading entries of a half: true values at rows and columns, a block of bounded size at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.explicit import cross
from vech.moves.rounding import factored
from vech.moves.runs import BLOCK, Half, Runs, blocks

GATHER = 2**18  # numbers looked up at a time
SQUARE = (
    128  # the side of a block that is looked up, whose indices stay in the cache: 256 takes 1.4 times as long
)

Indices = NDArray[np.int64]


def take(matrix: Half, i: Indices, j: Indices) -> Any:
    """True values at pairs of rows and columns, in their shape."""
    layout = matrix.layout
    on = i == j
    if layout.implied is not None and on.any():
        values = np.full(i.shape, layout.implied).astype(matrix.dtype)
        values[~on] = take(matrix, i[~on], j[~on])
        return values[()]
    values = stored(matrix, i, j)
    if layout.scaled:
        scales = np.where(on, layout.diagonal_scale, layout.offdiagonal_scale)
        values = factored(values, np.divide, scales, "its scale is undone")
    return values[()]


def stored(matrix: Half, i: Indices, j: Indices) -> Array:
    """Stored numbers at pairs that are stored, as they stand in their own triangle or in the other."""
    half, layout, kind = matrix
    n = matrix.n
    values = np.asarray(half[layout.slot(np.minimum(i, j), np.maximum(i, j), n)])
    if kind is not Kind.SYMMETRIC:
        other = i < j if layout.triangle == "lower" else i > j
        cross(values, layout, i, j, n)
        values[other] = kind.mirror(values[other])
    return values


def submatrix(matrix: Half, chosen: Indices) -> Array:
    """The half, in the same layout, of some rows and the same columns."""
    half, layout, kind = matrix
    m = chosen.size
    result = np.empty(layout.length(m), half.dtype)
    if isinstance(layout, Layout):
        runs = Runs(result, m, layout.grow, layout.implied is None, layout.implied, kind, False, 1, 1)
        if result.size:
            _gather(matrix, chosen, runs)
        return result
    for start in range(0, result.size, GATHER):
        k = np.arange(start, min(start + GATHER, result.size))
        i, j = layout.pair(k, m)
        result[k] = cross(stored(matrix, chosen[i], chosen[j]), layout, i, j, m)
    return result


def _gather(matrix: Half, chosen: Indices, runs: Runs) -> None:
    """By blocks: a pair is looked up from where its run begins, which is known for each row."""
    half, layout, kind = matrix
    half = np.require(half, requirements=["C", "A"])  # else each `take` would copy all of it
    n, every = matrix.n, np.arange(matrix.n)
    origin = layout.slot(0, every, n) if runs.grow else layout.slot(every, n - 1, n) - (n - 1)
    begins = origin[chosen]
    for rows, columns in blocks(runs.n, runs.grow, SQUARE):
        i, j = chosen[rows, None], chosen[columns]
        straight = i >= j if runs.grow else i <= j
        slots = np.where(straight, begins[rows, None] + j, begins[columns] + i)
        found = half.take(slots, mode="clip")  # a diagonal that is left out has slots of nothing
        if kind is not Kind.SYMMETRIC:
            found[~straight] = kind.mirror(found[~straight])
        runs.write(rows, columns, found, "write", 1)


def block(matrix: Half, i: Indices, j: Indices, out: Array | None = None) -> Array:
    """True values of all i against all j, of shape i.shape + j.shape; `out` has two axes."""
    values = np.empty((i.size, j.size), matrix.dtype) if out is None else out
    rows, columns = i.reshape(-1, 1), j.reshape(1, -1)
    step = max(1, GATHER // max(1, j.size))
    for start in range(0, i.size, step):
        part = slice(start, start + step)
        values[part] = take(matrix, *np.broadcast_arrays(rows[part], columns))
    return values.reshape(i.shape + j.shape) if out is None else out


def pairs_of(matrix: Half, diagonal: bool, filler: Any) -> Iterator[Array]:
    """True values of all pairs in the order of the half, some at a time: see `Store._pairs`."""
    half, layout, n = matrix.numbers, matrix.layout, matrix.n
    apart = layout.scaled or not diagonal
    on = np.sort(layout.diagonal_slots(n))
    for start in range(0, half.size, BLOCK):
        part = half[start : start + BLOCK]
        within = on[slice(*np.searchsorted(on, [start, start + BLOCK]))] - start if apart else on[:0]
        if layout.scaled:
            part = factored(part, np.divide, layout.offdiagonal_scale, "its scale is undone")
        part = part.astype(filler.dtype, copy=within.size > 0)
        part[within] = filler
        yield part
    if diagonal and (apart or layout.implied is not None):
        i = np.arange(n)
        yield take(matrix, i, i).astype(filler.dtype, copy=False)
