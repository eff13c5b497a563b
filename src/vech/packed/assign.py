"""Assignment to entries of a matrix that is held once: both sides follow, and contradictions are refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech import frames
from vech.arrays import Array, as_array, check_writeable, epsilon, family, shares_memory
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.converting import convert
from vech.moves.explicit import cross
from vech.moves.rounding import factored, largest, worst
from vech.moves.runs import Half
from vech.packed.arithmetic import is_own_mirror, unscaled, with_diagonal

BLOCK = 2**18  # cells looked at together
FEW = 32  # sorting the cells to find two for one number takes longer than a copy of so many times their count

Indices = NDArray[np.int64]


def assign(matrix: Half, i: Indices, j: Indices, values: Any) -> None:
    """matrix[i, j] = values, of rows and columns of one shape: all of it, or on any error nothing.

    What may contradict itself is put together beside the half, which then changes in one step that Ctrl-C
    cannot halve.
    """
    half, layout, kind = matrix
    check_writeable(half)
    given = _fitting(as_values(values, half), i.shape)
    i, j, given = (x.reshape(1) if x.ndim == 0 else x for x in (i, j, given))
    largest_number = 0.0
    for rows, columns, numbers in _blocks(i, j, given):
        _check_diagonal(matrix, rows, columns, numbers)
        if family(half.dtype) in "fc" and i.size > 1:
            largest_number = max(largest_number, float(largest(numbers[None])[0]))
    if i.size <= 1 or (kind is Kind.SYMMETRIC and not any(given.strides)):
        _write_number(matrix, i, j, given)
        return
    scale = max(1.0, layout.offdiagonal_scale, layout.diagonal_scale)
    tolerance = np.array([matrix.n * epsilon(half.dtype) * largest_number * scale])
    if i.size * FEW > half.size:
        after = half.copy()
        for slots, stored, _, _ in _stored_blocks(matrix, i, j, given):
            after[slots] = stored
        for slots, stored, rows, columns in _stored_blocks(matrix, i, j, given):
            _check_agreement(matrix, rows, columns, stored, after[slots], tolerance)
        half[...] = after
        return
    parts = list(_stored_blocks(matrix, i, j, given))
    slots, stored, rows, columns = map(np.concatenate, zip(*parts, strict=True))
    _, place = np.unique(slots, return_inverse=True)
    after = np.empty_like(stored)
    after[place] = stored
    _check_agreement(matrix, rows, columns, stored, after[place], tolerance)
    half[slots] = stored


def check_labels(values: Any, labels: tuple[Any, ...] | None, i: Indices, j: Indices) -> None:
    """Refuse a frame or series whose labels are not those of the rows and columns that it goes to."""
    if labels is None or isinstance(values, np.ndarray) or not frames.labels_of(values, -1):
        return
    for axis in range(-i.ndim, 0):
        line: tuple[Any, ...] = (*[0] * (i.ndim + axis), slice(None), *[0] * (-axis - 1))
        rows, columns = i[line], j[line]
        if len(rows) < 2:  # of one number its place says enough
            continue
        same_row, same_column = (rows == rows[0]).all(), (columns == columns[0]).all()
        if same_row or same_column or (rows == columns).all():
            goes_to = tuple(labels[k] for k in (columns if same_row else rows))
            frames.check_along(values, axis, goes_to, "value")


def _write_number(matrix: Half, i: Indices, j: Indices, given: Array) -> None:
    """Write one number to all cells; Ctrl-C in the midst of many is raised when they are written."""
    if matrix.layout.scaled:
        for _ in _stored_blocks(
            matrix, i, j, given
        ):  # raises what there is to raise before anything is written
            pass

    def write() -> None:
        for slots, stored, _, _ in _stored_blocks(matrix, i, j, given):
            matrix.numbers[slots] = stored

    try:
        write()
    except KeyboardInterrupt:
        write()
        raise


def fill(matrix: Half, mask: Half, value: Any) -> None:
    """matrix[mask] = value, for a mask that is a symmetric matrix of bool."""
    half, layout, kind = matrix
    check_writeable(half)
    number = as_values(value, half)
    if number.ndim:
        raise ValueError(
            f"a mask that is a matrix takes one number, not an array of shape {number.shape}: "
            f"its numbers come once for both sides"
        )
    order = with_diagonal(unscaled(layout))
    chosen = convert(mask.numbers, mask.layout, order)
    i, at = np.arange(matrix.n), order.diagonal_slots(matrix.n)
    on = chosen[at]
    _check_diagonal(matrix, i[on], i[on], np.broadcast_to(number, i[on].shape))
    chosen[at] = False
    if chosen.any() and not is_own_mirror(number[()], kind):
        raise ValueError(
            f"{number} would stand on both sides of the diagonal, where a {kind} matrix has it once "
            f"and its mirror once"
        )
    if layout.implied is not None:
        assert isinstance(order, Layout)
        half[convert(chosen, order, replace(order, diagonal="zero"))] = _scaled(
            number, layout.offdiagonal_scale
        )
        return
    slots = np.concatenate([np.flatnonzero(chosen), at[on]])
    scales = np.full(slots.size, layout.offdiagonal_scale)
    scales[slots.size - at[on].size :] = layout.diagonal_scale
    half[slots] = _scaled(np.broadcast_to(number, slots.shape), scales)


def as_values(values: Any, half: Array) -> Array:
    """What is assigned, in the dtype of the half and in memory of its own where it shares any with it."""
    number = np.isscalar(values)
    array = np.asarray(values) if number else as_array(values, "what is assigned")
    if family(array.dtype) == "c" and family(half.dtype) != "c":
        raise TypeError(
            f"{array.dtype} numbers do not fit a half of {half.dtype}: take their .real, or astype(complex) "
            f"of the matrix"
        )
    if array.dtype == half.dtype and isinstance(values, np.ndarray):
        return array.copy() if shares_memory(array, half) else array
    fitting = np.empty(array.shape, half.dtype)
    fitting[...] = values if number else array
    return fitting


def _fitting(values: Array, shape: tuple[int, ...]) -> Array:
    while values.ndim > len(shape) and values.shape[0] == 1:
        values = values[0]
    try:
        return np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(f"values of shape {values.shape} do not fit what is indexed, {shape}") from None


def _check_diagonal(matrix: Half, i: Indices, j: Indices, values: Array) -> None:
    """Refuse on the diagonal what the layout leaves out, and what the kind has not."""
    layout, kind, dtype = matrix.layout, matrix.kind, matrix.dtype
    on = i == j
    if (layout.implied is None and kind is Kind.SYMMETRIC) or not on.any():
        return
    diagonal = values[on]
    if layout.implied is not None:
        wrong = diagonal != np.full(1, layout.implied).astype(dtype)
        reason = (
            f"layout {layout.name} leaves out its diagonal, which is all {layout.implied}: "
            f"convert the half to {with_diagonal(layout).name} first"
        )
    else:
        wrong = kind.negated.settled(diagonal) != np.zeros(1, dtype)
        reason = f"the diagonal of a {kind} matrix is {kind.diagonal}"
    if wrong.any():
        at = int(i[on][wrong][0])
        raise ValueError(f"{diagonal[wrong][0]} cannot be at ({at}, {at}): {reason}")


def _stored(matrix: Half, i: Indices, j: Indices, values: Array) -> tuple[Indices, Array]:
    """Where cells are in the half, and what stands there; without those of a diagonal that is left out."""
    _, layout, kind = matrix
    n = matrix.n
    if kind is not Kind.SYMMETRIC:
        other = i < j if layout.triangle == "lower" else i > j
        values = values.copy()
        values[other] = kind.mirror(values[other])
        cross(values, layout, i, j, n)
    if layout.scaled:
        values = _scaled(values, np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale))
    return layout.slot(np.minimum(i, j), np.maximum(i, j), n), values


def _stored_blocks(
    matrix: Half, i: Indices, j: Indices, values: Array
) -> Iterator[tuple[Indices, Array, Indices, Indices]]:
    """Where cells are in the half, what stands there, and their rows and columns, some after the other."""
    for rows, columns, numbers in _blocks(i, j, values):
        if matrix.layout.implied is not None and (rows == columns).any():
            off = rows != columns
            rows, columns, numbers = rows[off], columns[off], numbers[off]
        yield *_stored(matrix, rows, columns, numbers), rows, columns


def _check_agreement(
    matrix: Half, i: Indices, j: Indices, meant: Array, kept: Array, tolerance: Array
) -> None:
    """Refuse values of which one is meant for a number that another one was kept for."""
    apart = worst(meant[None], kept[None], tolerance)
    if apart is None:
        return
    row, column, one, other = (x[apart[1]] for x in (i, j, meant, kept))
    raise ValueError(
        f"the values contradict themselves at ({row}, {column}): {one} and {other} are meant for one "
        f"number (as the half holds it), since ({column}, {row}) is its {matrix.kind} mirror"
    )


def _scaled(values: Array, scales: Any) -> Array:
    """Stored numbers of true values."""
    return values if np.all(scales == 1) else factored(values, np.multiply, scales, "it is scaled")


def _blocks(i: Indices, j: Indices, values: Array) -> Iterator[tuple[Indices, Indices, Array]]:
    """Some cells after the other, as vectors."""
    step = max(1, BLOCK // max(1, i[:1].size))
    for start in range(0, len(i), step):
        yield tuple(x[start : start + step].reshape(-1) for x in (i, j, values))  # type: ignore[misc]
