"""Columns with missing numbers: means of what is there, and covariances pair by pair."""

import numpy as np

from vech.arrays import Array, Dtype, check_progress
from vech.covariance.data import Data, check_rows, check_underflow
from vech.covariance.moments import Progress, raise_overflow, refuse, tiles
from vech.covariance.result import Result

SIDE = 256  # columns taken against each other: six squares of this side


def present_means(data: Data, weights: Array | None = None) -> Array:
    """The mean of each column over its numbers that are not NaN, in float64 or complex128."""
    data.need_passes(f"missing={data.missing!r}")
    wide = np.complex128 if data.dtype.kind == "c" else np.float64
    first, sums, counts = np.zeros(data.p, wide), np.zeros(data.p, wide), np.zeros(data.p)
    known = np.zeros(data.p, bool)
    rows = 0
    for start, block in data.blocks():
        rows = start + len(block)
        numbers = block.astype(wide)
        there = ~np.isnan(numbers)
        if not np.isfinite(numbers[there]).all():
            refuse(data, block, start)
        new = there.any(axis=0) & ~known
        first[new] = numbers[np.argmax(there, axis=0), np.arange(data.p)][new]
        known |= new
        part = np.ones(len(block)) if weights is None else weights[start:rows]
        if len(part) < len(block):
            break  # gathering says so
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            sums += part @ np.where(there, numbers - first, 0)
        counts += part @ there
    check_rows(rows)
    data.check_counted(counts > 0)
    if not np.isfinite(sums).all():
        raise_overflow(data)
    return np.asarray(first + sums / counts)


def pairwise(
    data: Data, result: Result, ddof: float, standardise: bool, progress: Progress | None = None
) -> None:
    """Covariances or correlations, each over the rows that both columns have.

    With y = x - m where there is a number, else 0, and e = 1 there, else 0: over the common rows the number is
    N = e e', the sum of products A = y y', the sums B = y e', so that S = (A - B B' / N) / (N - ddof), and the
    variances over them are V = y^2 e' - B^2 / N.
    """
    check_progress(progress)
    X = data.whole("missing='pairwise'")
    shift = present_means(data)
    _check_squares(data, shift, np.dtype(np.float64) if standardise else data.dtype)
    runs = result.runs()
    wide = np.complex128 if data.dtype.kind == "c" else np.float64
    side = min(SIDE, data.p)
    height = max(1, 2**23 // (side * 16))
    done = 0
    for rows, columns in tiles(data.p, runs.grow, side):
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        common, products = np.zeros(shape), np.zeros(shape, wide)
        left_sums, right_sums = np.zeros(shape, wide), np.zeros(shape, wide)
        left_squares, right_squares = np.zeros(shape), np.zeros(shape)
        for start in range(0, len(X), height):
            block = X[start : start + height]
            y, e = _present(block[:, rows], shift[rows], wide)
            z, f = (y, e) if rows == columns else _present(block[:, columns], shift[columns], wide)
            common += e.T @ f
            products += y.T @ z.conj()
            left_sums += y.T @ f
            right_sums += e.T @ z.conj()
            if standardise:
                left_squares += (np.abs(y) ** 2).T @ f
                right_squares += e.T @ np.abs(z) ** 2
        _check_common(data, common, ddof, rows, columns)
        block = products - left_sums * right_sums / common
        if standardise:
            left_squares -= np.abs(left_sums) ** 2 / common
            right_squares -= np.abs(right_sums) ** 2 / common
            _check_varied(data, left_squares, right_squares, common, rows, columns)
            block /= np.sqrt(left_squares)
            block /= np.sqrt(right_squares)
            block /= np.maximum(np.abs(block), 1)
            if rows == columns:
                np.fill_diagonal(block, 1)
        else:
            block /= common - ddof
        if runs.conjugates:
            block = block.conj() if runs.turned else block
            if rows == columns:
                block.imag.flat[:: len(block) + 1] = 0
        runs.write(rows, columns, block.astype(result.dtype), "write", 1)
        if progress is not None:
            done += shape[0] * shape[1] * (1 if rows == columns else 2)
            progress(len(X) * done // data.p**2, len(X))


def _check_squares(data: Data, shift: Array, least: Dtype) -> None:
    """Refuse numbers whose squares have no place in the dtype, or lose digits in the `least` one."""
    squares = np.zeros(data.p)
    rows = 0
    with np.errstate(over="ignore"):  # what is not finite is refused
        for _, block in data.blocks():
            away = _present(block, shift, shift.dtype.type)[0]
            squares += np.square(np.abs(away), dtype=np.float64).sum(axis=0)
            rows += len(block)
        if not (squares * rows <= np.finfo(data.dtype).max).all():
            raise_overflow(data)
    check_underflow(data, squares, least)


def _present(block: Array, shift: Array, wide: type) -> tuple[Array, Array]:
    numbers: Array = block.astype(wide) - shift
    there = ~np.isnan(numbers)
    return np.where(there, numbers, 0), there.astype(np.float64)


def _check_common(data: Data, common: Array, ddof: float, rows: slice, columns: slice) -> None:
    few = np.argwhere(common <= max(ddof, 0))
    if len(few):
        i, j = few[0]
        raise ValueError(
            f"{data.column(rows.start + i)} and {data.column(columns.start + j)} of X have {common[i, j]:.0f} "
            f"rows in common, too few for ddof={ddof}: drop one of them, or use missing='neutral'"
        )


def _check_varied(data: Data, left: Array, right: Array, common: Array, rows: slice, columns: slice) -> None:
    flat = np.argwhere((left <= 0) | (right <= 0))
    if len(flat):
        i, j = flat[0]
        constant, other = (
            (rows.start + i, columns.start + j) if left[i, j] <= 0 else (columns.start + j, rows.start + i)
        )
        raise ValueError(
            f"{data.column(constant)} of X is constant in the {common[i, j]:.0f} rows that it has in common with "
            f"{data.column(other)}, and their correlation is 0/0: drop it, or use missing='neutral'"
        )
