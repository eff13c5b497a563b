"""How halves and full matrices lie in memory: axes, strides, the order of bytes, one triangle of a matrix."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, check_memory, check_out, words
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import Layout, as_integer
from vech.moves.explicit import SMALL_SIDE

SMALL = SMALL_SIDE * (SMALL_SIDE + 1) // 2  # numbers

WAYS_OUT = (
    "keep it sparse (vech.to_csr), take some rows at a time (vech.Packed(half).expand(rows=...)) "
    "or pass out= a memory map"
)


def axis_last(array: Array, axis: int, count: int, what: str) -> tuple[Array, int]:
    """The array with its components (one axis of a half, two of a matrix) last, and where they were."""
    axis = as_integer("axis", axis)
    halves = array.ndim - count + 1
    if halves < 1:
        raise ValueError(
            f"{what} has shape {array.shape}: it needs {count} {'axes' if count > 1 else 'axis'} at least"
        )
    at = axis + halves if axis < 0 else axis
    if not 0 <= at < halves:
        raise ValueError(
            f"axis {axis} is out of range: {what} has shape {array.shape}, so {-halves} to {halves - 1}"
        )
    if count == 2 and array.shape[at] != array.shape[at + 1]:
        raise ValueError(
            f"{what} has shape {array.shape}: its axes {at} and {at + 1} must be a square, n x n"
        )
    return np.moveaxis(array, range(at, at + count), range(-count, 0)), at


def axis_result(
    moved: Array, count: int, components: tuple[int, ...], at: int, out: Array | None
) -> tuple[Array, Array]:
    """Memory for the result with its components last, and as the caller sees it, with them at axis `at`."""
    batch = moved.shape[: moved.ndim - count]
    shape = (*batch[:at], *components, *batch[at:])
    if out is None:
        check_memory(math.prod(shape) * moved.itemsize, WAYS_OUT)
        out = np.empty(shape, moved.dtype)
    else:
        check_out(out, shape, moved.dtype)
    last = len(components)
    return np.moveaxis(out, range(at, at + last), range(-last, 0)), out


def pack_triangle(
    full: Array,
    half: Array,
    layout: Layout,
    own: bool,
    change: _core.Change,
    diagonal: _core.Change,
    threads: int,
) -> bool:
    """half = change(its own triangle of full, or the other); whether a finite number became infinite."""
    view = full if own == (layout.traversal == "rows") else full.swapaxes(-1, -2)
    stored = layout.implied is None
    return _core.pack(
        words(view), words(half), full.shape[-1], layout.grow, stored, change, diagonal, threads
    )


def diagonal_of(layout: AnyLayout, n: int) -> NDArray[np.int64]:
    """Where the diagonal is in a half, ascending."""
    return np.sort(layout.diagonal_slots(n))


def rows_of(halves: Array) -> Array:
    return halves.reshape(math.prod(halves.shape[:-1]), halves.shape[-1])


def last_side(out: object) -> int:
    """The length of the last axis of what may be no array."""
    return out.shape[-1] if isinstance(out, np.ndarray) and out.ndim else -1


def adjoining(half: Array) -> bool:
    """Whether kernels take halves with these strides: numbers side by side, or anyhow where there are few."""
    return (half.shape[-1] <= SMALL or half.strides[-1] == half.itemsize) and even(half)


def even(array: Array) -> bool:
    """Whether strides are whole numbers of elements; those of the fields of structures may not be."""
    return array.flags.c_contiguous or not any(stride % array.itemsize for stride in array.strides)


def swapped(array: Array) -> Array:
    """A copy with the bytes of each number in the other order."""
    return array.byteswap().view(array.dtype.newbyteorder("S"))
