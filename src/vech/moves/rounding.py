"""Computing on halves in blocks of float64, where kernels do not: scales of narrow floats, means, tolerance.

Halves are 2-D here, one matrix a row. Complex numbers are computed by component, so that infinities stay what
they are.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype, extension, family

BLOCK = 2**17  # numbers computed at a time

Factors = tuple[float, float]  # divisor, multiplier


def factor(x: Any, factors: Factors) -> Any:
    """x / divisor * multiplier, as the kernels do it: shrinking first."""
    divisor, multiplier = factors
    with np.errstate(over="ignore", invalid="ignore"):  # a signalling NaN becomes a quiet one
        return x * multiplier / divisor if divisor < 1 else x / divisor * multiplier


def rescale(source: Array, target: Array, diagonal: NDArray[np.int64], off: Factors, on: Factors) -> bool:
    """target = source x factors, `on` at the positions `diagonal`; whether a finite number became infinite.

    Equal factors cancel: those numbers keep their bits. Source and target may be the same.
    """
    infinite = False
    for rows, columns in _blocks(source):
        block = np.array(source[rows, columns])
        at = _within(diagonal, columns)
        middle = block[:, at]
        if off[0] != off[1]:
            block[:, at] = 0
            infinite |= _assign(block, widen(block), off)
        if on[0] != on[1]:
            infinite |= _assign(middle, widen(middle), on)
        block[:, at] = middle
        target[rows, columns] = block
    return infinite


def factored(values: Array, ufunc: np.ufunc, scales: Any, when: str) -> Array:
    """values * scales or values / scales, one for each or for all, rounded once."""
    wide, scales = widen(values), np.asarray(scales)
    if wide.ndim > values.ndim:
        scales = scales[..., None]
    with np.errstate(over="ignore", invalid="ignore"):
        result = narrow(ufunc(wide, scales), values.dtype)
    if (np.isfinite(wide) & ~np.isfinite(widen(result))).any():
        raise OverflowError(f"a finite number becomes infinite in {values.dtype} when {when}")
    return result


def mean(
    own: Array, other: Array, target: Array, diagonal: NDArray[np.int64], off: Factors, on: Factors
) -> bool:
    """target = (own + other) / 2 x factors, rounded once; whether a finite number became infinite."""
    infinite = False
    for rows, columns in _blocks(own):
        middle = halfway(widen(own[rows, columns]), widen(other[rows, columns]))
        at = _within(diagonal, columns)
        block = np.empty(middle.shape[:2], target.dtype)
        ends = np.empty((middle.shape[0], at.size), target.dtype)
        infinite |= _assign(ends, middle[:, at], on)
        middle[:, at] = 0
        infinite |= _assign(block, middle, off)
        block[:, at] = ends
        target[rows, columns] = block
    return infinite


def halfway(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(a + b) / 2, finite wherever a and b are."""
    with np.errstate(over="ignore", invalid="ignore"):
        middle = (a + b) * 0.5
        return np.where(np.isinf(middle), a * 0.5 + b * 0.5, middle)


def largest(half: Array) -> NDArray[np.float64]:
    """max |x| of each row over its finite entries."""
    most = np.zeros(half.shape[0])
    for rows, columns in _blocks(half):
        x = widen(half[rows, columns])
        finite = np.isfinite(x) if x.ndim == 2 else np.isfinite(x).all(axis=-1)
        with np.errstate(over="ignore", invalid="ignore"):
            sizes = np.where(finite, _size(x), 0.0)
        most[rows] = np.maximum(most[rows], np.minimum(sizes, np.finfo(np.float64).max).max(axis=1))
    return most


def worst(a: Array, b: Array, tolerance: NDArray[np.float64]) -> tuple[int, int] | None:
    """Row and column of the largest |a - b| in the first row where one is above tolerance, or None.

    Infinities of one sign agree, and NaN agrees with NaN. Integers and dates are compared without rounding.
    """
    found: tuple[int, int] | None = None
    group, most = -1, -1.0
    for rows, columns in _blocks(a):
        if found is not None and rows.start != group:
            break
        gap = _gap(a[rows, columns], b[rows, columns])
        bound = tolerance[rows, None]
        if gap.dtype != np.float64:
            bound = np.minimum(np.floor(bound), 2.0**64 - 2048).astype(np.uint64)
        apart = ~(gap <= bound)
        if apart.any():
            row = int(apart.any(axis=1).argmax())
            sizes = np.where(apart[row], np.where(np.isnan(gap[row]), np.inf, gap[row]), -1.0)
            column = int(sizes.argmax())
            if sizes[column] > most:
                group, most = rows.start, float(sizes[column])
                found = (rows.start + row, columns.start + column)
    return found


def widen(x: Array) -> NDArray[np.float64]:
    """Floats as float64; complex numbers as float64 with one axis more: real, imaginary."""
    with np.errstate(invalid="ignore"):  # a signaling NaN is as welcome as any
        return (np.stack((x.real, x.imag), axis=-1) if x.dtype.kind == "c" else x).astype(np.float64)


def narrow(x: NDArray[np.float64], dtype: Dtype) -> Array:
    """The inverse of `widen`, each number rounded once."""
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype.kind == "c":
            result = np.empty(x.shape[:-1], dtype)
            result.real, result.imag = x[..., 0], x[..., 1]
            return result
        return (_round_to_odd(x) if extension(dtype) else x).astype(dtype)


def _round_to_odd(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32 whose last bit says whether anything was cut off: rounding it again is rounding once."""
    near = x.astype(np.float32)
    bits = near.view(np.uint32)
    back = near.astype(np.float64)
    bits -= np.abs(back) > np.abs(x)
    bits |= (back != x) & ~np.isnan(x)
    return near


def _assign(block: Array, values: NDArray[np.float64], factors: Factors) -> bool:
    """block = values x factors, rounded once; whether a finite number became infinite."""
    block[...] = narrow(factor(values, factors), block.dtype)
    return bool((np.isfinite(values) & ~np.isfinite(widen(block))).any())


def _gap(a: Array, b: Array) -> NDArray[Any]:
    """|a - b|: float64 (NaN where one of the two is NaN), or uint64 for integers and dates."""
    letter = family(a.dtype)
    if letter in "fc":
        with np.errstate(over="ignore", invalid="ignore"):
            x, y = widen(a), widen(b)
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, x - y)
            return _size(gap) if letter == "c" else np.abs(gap)
    common = np.dtype(np.uint64 if letter in "ub" else np.int64)
    x, y = a.astype(common), b.astype(common)
    return np.maximum(x, y).view(np.uint64) - np.minimum(x, y).view(np.uint64)


def _size(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(x[..., 0], x[..., 1]) if x.ndim == 3 else np.abs(x)


def _blocks(half: Array) -> Iterator[tuple[slice, slice]]:
    count, length = half.shape
    step = max(1, min(length, BLOCK))
    group = max(1, BLOCK // step)
    for row in range(0, count, group):
        for column in range(0, length, step):
            yield slice(row, min(row + group, count)), slice(column, min(column + step, length))


def _within(diagonal: NDArray[np.int64], columns: slice) -> NDArray[np.int64]:
    """The positions that fall into these columns, counted from the first of them."""
    first, last = np.searchsorted(diagonal, (columns.start, columns.stop))
    return np.asarray(diagonal[first:last] - columns.start)
