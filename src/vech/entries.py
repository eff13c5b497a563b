"""Reading entries of a half: true values at rows and columns, a block of bounded size at a time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, mirror_values
from vech.entrywise import Operand
from vech.explicit import cross
from vech.values import factored

GATHER = 2**18  # numbers looked up at a time

Indices = NDArray[np.int64]


def take(matrix: Operand, i: Indices, j: Indices) -> Any:
    """True values at pairs of rows and columns, in their shape."""
    layout = matrix.layout
    on = i == j
    if layout.implied is not None and on.any():
        values = np.full(i.shape, layout.implied).astype(matrix.half.dtype)
        values[~on] = take(matrix, i[~on], j[~on])
        return values[()]
    values = stored(matrix, i, j)
    if layout.scaled:
        scales = np.where(on, layout.diagonal_scale, layout.offdiagonal_scale)
        values = factored(values, np.divide, scales, "its scale is undone")
    return values[()]


def stored(matrix: Operand, i: Indices, j: Indices) -> Array:
    """Stored numbers at pairs that are stored, as they stand in their own triangle or in the other."""
    half, layout, kind = matrix
    n = matrix.n
    values = np.asarray(half[layout.slot(np.minimum(i, j), np.maximum(i, j), n)])
    if kind != "symmetric":
        other = i < j if layout.triangle == "lower" else i > j
        cross(values, layout, i, j, n)
        values[other] = mirror_values(values[other], kind)
    return values


def block(matrix: Operand, i: Indices, j: Indices) -> Array:
    """True values of all i against all j, of shape i.shape + j.shape."""
    values = np.empty((i.size, j.size), matrix.half.dtype)
    rows, columns = i.reshape(-1, 1), j.reshape(1, -1)
    step = max(1, GATHER // max(1, j.size))
    for start in range(0, i.size, step):
        part = slice(start, start + step)
        values[part] = take(matrix, *np.broadcast_arrays(rows[part], columns))
    return values.reshape(i.shape + j.shape)
