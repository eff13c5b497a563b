"""Means and standard deviations of columns, in one pass and float64, with weights and missing numbers."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vech import _core
from vech.arrays import Array, is_even, resolve_threads
from vech.covariance.data import Data, check_rows, check_underflow

HEIGHT = 1024  # rows that are summed up by one thread; more where there are many
GROUPS = 1024
CACHED_BYTES = 2**18  # of rows with missing numbers that are taken together


class Spread(NamedTuple):
    """Of each column, in float64: its mean and standard deviation (ddof = 0); and the rows of X."""

    mean: Array
    deviation: Array
    rows: int


class _Sums(NamedTuple):
    """Of some rows: weight, mean and squares about the mean, for each column."""

    weight: Array
    mean: Array
    squares: Array

    def merged(self, other: "_Sums") -> "_Sums":
        weight = self.weight + other.weight
        share = _ratio(other.weight, weight)
        with np.errstate(over="ignore", invalid="ignore"):
            step = other.mean - self.mean
            between = step * step * self.weight * share
            return _Sums(weight, self.mean + step * share, self.squares + other.squares + between)


def spread(data: Data, weights: Array | None = None, threads: int | None = None) -> Spread:
    """Mean and standard deviation of each column over its numbers that are not NaN.

    Rows are taken about one of them, the heaviest, and blocks of rows merged (Chan, Golub & LeVeque, 1983). A
    constant column has the standard deviation 0, exactly. ValueError for an infinity, for NaN where `data`
    says so, and for weights that are not one for each row; OverflowError.
    """
    total: _Sums | None = None
    rows = 0
    for start, block in _blocks(data):
        rows = start + len(block)
        part = None if weights is None else weights[start:rows]
        if part is not None and len(part) < len(block):
            continue
        for sums in _sums(data, block, start, part, threads):
            total = sums if total is None else total.merged(sums)
    check_rows(rows)
    if weights is not None and weights.size != rows:
        raise ValueError(f"there are {weights.size} weights for {rows} rows")
    assert total is not None
    if data.missing != "raise":
        data.check_counted(total.weight > 0)
    deviation = np.sqrt(np.maximum(_ratio(total.squares, total.weight), 0))
    if not np.isfinite(deviation).all():
        raise OverflowError("sums of squares of X exceed float64, which ends at 1.8e+308: scale X first")
    check_underflow(data, np.maximum(total.squares, 0), np.dtype(np.float64), weights)
    return Spread(total.mean, deviation, rows)


def _blocks(data: Data) -> Iterator[tuple[int, Array]]:
    if data.array is not None and data.array.dtype == data.dtype and is_even(data.array):
        yield 0, data.array
        return
    for start, block in data.blocks():
        yield start, np.ascontiguousarray(block, data.dtype)


def _sums(
    data: Data, block: Array, start: int, weights: Array | None, threads: int | None
) -> Iterator[_Sums]:
    """Of a block that is complete, by the kernel; else of a few rows at a time."""
    rows, p = block.shape
    heaviest = 0 if weights is None else int(np.argmax(weights))
    shift = block[heaviest].astype(np.float64)
    height = max(HEIGHT, -(-rows // GROUPS))
    sums, squares = (np.zeros((-(-rows // height), p)) for _ in range(2))
    _core.sum_columns(block, shift, weights, height, sums, squares, resolve_threads(threads, block.nbytes))
    with np.errstate(over="ignore", invalid="ignore"):
        whole = sums.sum(axis=0)
        if np.isfinite(whole).all():
            weight = np.full(p, float(rows) if weights is None else weights.sum())
            step = _ratio(whole, weight)
            yield _Sums(weight, shift + step, squares.sum(axis=0) - whole * step)
            return
    data.refuse(block, start)
    few = max(1, CACHED_BYTES // (8 * p))
    for first in range(0, rows, few):
        numbers = block[first : first + few].astype(np.float64)
        there = ~np.isnan(numbers)
        part = np.ones(len(numbers)) if weights is None else weights[first : first + few]
        counted = there & (part[:, None] > 0)
        shift = np.where(counted.any(axis=0), numbers[counted.argmax(axis=0), np.arange(p)], 0)
        weight = part @ there
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = np.where(there, numbers - shift, 0)
            whole = part @ numbers
            step = _ratio(whole, weight)
            yield _Sums(weight, shift + step, part @ np.square(numbers) - whole * step)


def _ratio(over: Array, under: Array) -> Array:
    """over / under, 0 where under is."""
    return np.asarray(np.divide(over, under, out=np.zeros(over.shape), where=under > 0))
