"""Assignment to entries of a matrix that is held once: both sides follow, and contradictions are refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, as_array, check_writeable, epsilon, family, shares_memory
from vech.entrywise import is_own_mirror, unscaled, with_diagonal
from vech.explicit import cross
from vech.kind import Kind
from vech.layout import Layout
from vech.moves import convert
from vech.runs import Half
from vech.values import factored, largest, worst

BLOCK = 2**18  # cells written at a time

Indices = NDArray[np.int64]


def assign(matrix: Half, i: Indices, j: Indices, values: Any) -> None:
    """matrix[i, j] = values, of rows and columns of one shape, in blocks along its first axis.

    What contradicts itself is noticed after it was written, and undone.
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
    doubtful = i.size > 1 and not (kind is Kind.SYMMETRIC and not any(given.strides))
    if not doubtful:
        for rows, columns, numbers in _blocks(i, j, given):
            slots, stored = _stored(matrix, rows, columns, numbers)
            half[slots] = stored
        return
    before = None if i.size * 2 < half.size else half.copy()
    written: list[tuple[Indices, Array]] = []
    for rows, columns, numbers in _blocks(i, j, given):
        slots, stored = _stored(matrix, rows, columns, numbers)
        if before is None:
            written.append((slots, half[slots]))
        half[slots] = stored
    scale = max(1.0, layout.offdiagonal_scale, layout.diagonal_scale)
    tolerance = np.array([matrix.n * epsilon(half.dtype) * largest_number * scale])
    for rows, columns, numbers in _blocks(i, j, given):
        slots, stored = _stored(matrix, rows, columns, numbers)
        apart = worst(stored[None], half[slots][None], tolerance)
        if apart is None:
            continue
        kept = ~((rows == columns) & (layout.implied is not None))
        row, column = int(rows[kept][apart[1]]), int(columns[kept][apart[1]])
        one, other = stored[apart[1]], half[slots[apart[1]]]
        if before is not None:
            half[...] = before
        for slots, old in reversed(written):
            half[slots] = old
        raise ValueError(
            f"the values contradict themselves at ({row}, {column}): {one} and {other} are meant for one "
            f"number (as the half holds it), since ({column}, {row}) is its {kind} mirror"
        )


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
    half[chosen] = _scaled(number, layout.offdiagonal_scale)
    half[at[on]] = _scaled(number, layout.diagonal_scale)


def as_values(values: Any, half: Array) -> Array:
    """What is assigned, in the dtype of the half and in memory of its own where it shares any with it."""
    array = np.asarray(values) if np.isscalar(values) else as_array(values, "what is assigned")
    if family(array.dtype) == "c" and family(half.dtype) != "c":
        raise TypeError(
            f"{array.dtype} numbers do not fit a half of {half.dtype}: take their .real, or astype(complex) "
            f"of the matrix"
        )
    if array.dtype == half.dtype and isinstance(values, np.ndarray):
        return array.copy() if shares_memory(array, half) else array
    fitting = np.empty(array.shape, half.dtype)
    fitting[...] = values
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
    if layout.implied is not None and (i == j).any():
        off = i != j
        i, j, values = i[off], j[off], values[off]
    if kind is not Kind.SYMMETRIC:
        other = i < j if layout.triangle == "lower" else i > j
        values = values.copy()
        values[other] = kind.mirror(values[other])
        cross(values, layout, i, j, n)
    if layout.scaled:
        values = _scaled(values, np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale))
    return layout.slot(np.minimum(i, j), np.maximum(i, j), n), values


def _scaled(values: Array, scales: Any) -> Array:
    """Stored numbers of true values."""
    return values if np.all(scales == 1) else factored(values, np.multiply, scales, "it is scaled")


def _blocks(i: Indices, j: Indices, values: Array) -> Iterator[tuple[Indices, Indices, Array]]:
    """Some cells after the other, as vectors."""
    step = max(1, BLOCK // max(1, i[:1].size))
    for start in range(0, len(i), step):
        yield tuple(x[start : start + step].reshape(-1) for x in (i, j, values))  # type: ignore[misc]
