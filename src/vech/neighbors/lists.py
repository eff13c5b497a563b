"""The k best of each row, kept while the pairs go by: a triangle of them in blocks, or a whole half."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, check_memory, family, native
from vech.moves.runs import Runs


class Nearest(NamedTuple):
    """The nearest rows of every row, the nearest one first.

    Attributes
    ----------
    indices : array of int64, shape (n, k)
        Which rows; -1 where a row has fewer than k numbers.
    values : array, shape (n, k)
        The numbers that say so; NaN where there is no row.
    """

    indices: NDArray[np.int64]
    values: Array


def comparable(dtype: Dtype) -> Dtype | None:
    """The float that holds all numbers of a dtype, in which they are compared; None for 64-bit integers."""
    if family(dtype) == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    if dtype.itemsize > 4:
        return None
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


class Lists:
    """For each of n rows its k smallest or largest numbers so far, NaN never, ties by index.

    Blocks must come row of blocks by row of blocks, from the first column to the diagonal.
    """

    def __init__(self, n: int, k: int, dtype: Dtype, largest: bool) -> None:
        self.n, self.k, self.dtype, self.largest = n, k, dtype, largest
        stride = _core.nearest_stride(k, dtype.itemsize) if k else 0
        check_memory(2 * n * stride * dtype.itemsize, f"k = {k} neighbours of each of {n} rows, take fewer")
        self._values = np.full((n, stride), np.nan, dtype)
        self._values[:, :1] = -np.inf
        self._indices = np.full((n, stride), -1, f"i{dtype.itemsize}")
        self._limits = np.full(n, np.inf, dtype)

    def take(self, runs: Runs, threads: int, part: int = 0, parts: int = 1) -> None:
        """What a half has off its diagonal, or a part of it; the first part forgets what was there."""
        if self.k:
            at = (runs.n, runs.grow, runs.stored)
            values, indices, limits = self._values, self._indices, self._limits
            lists, how = (values, indices, limits), (part, parts, threads)
            _core.nearest_half(runs.half, *at, *lists, self.k, self.largest, *how)

    def offer(self, block: Array, row: int, column: int, threads: int) -> None:
        """What of a block that begins at (row, column) lies below the diagonal."""
        if self.k:
            block = np.ascontiguousarray(block, self.dtype)
            values, indices, limits = self._values, self._indices, self._limits
            _core.nearest_block(block, row, column, values, indices, limits, self.k, self.largest, threads)

    def found(self, dtype: Dtype) -> Nearest:
        """The lists, their numbers as of this dtype."""
        kept = slice(1, self.k + 1)
        indices, values = self._indices[:, kept].astype(np.int64), self._values[:, kept]
        values = np.negative(values) if self.largest else values
        return Nearest(indices, values.astype(dtype))


class Sorted:
    """The same lists of any numbers, integers that no float holds among them, by sorting.

    What is given must come as to `Lists`.
    """

    def __init__(self, n: int, k: int, dtype: Dtype, largest: bool) -> None:
        check_memory(2 * n * k * (8 + dtype.itemsize), f"k = {k} neighbours of each of {n} rows, take fewer")
        self.n, self.k, self.largest = n, k, largest
        self._indices = np.full((n, k), -1)
        none = -np.nan if largest else np.nan  # to the bit what `Lists` have where there is no row
        self._values = np.full((n, k), none if dtype.kind == "f" else 0, dtype)

    def offer(self, block: Array, row: int, column: int, threads: int) -> None:
        """What of a block that begins at (row, column) lies below the diagonal."""
        rows, columns = slice(row, row + block.shape[0]), slice(column, column + block.shape[1])
        if rows != columns:
            self.merge(rows, np.broadcast_to(np.arange(columns.start, columns.stop), block.shape), block)
            block, rows, columns = block.T, columns, rows
        places = np.broadcast_to(np.arange(columns.start, columns.stop), block.shape)
        if rows == columns:
            off = ~np.eye(len(block), dtype=bool)
            places, block = (x[off].reshape(len(x), -1) for x in (places, block))
        self.merge(rows, places, block)

    def merge(self, rows: slice, indices: NDArray[np.int64], values: Array) -> None:
        """Some more of each of these rows, whose indices are all larger than those known; -1 is none."""
        indices = np.hstack((self._indices[rows], indices))
        values = np.hstack((self._values[rows], values))
        best = np.argsort(self._cost(values), axis=1, kind="stable")
        if (none := np.take_along_axis(indices, best, axis=1) < 0).any():
            best = np.take_along_axis(best, np.argsort(none, axis=1, kind="stable"), axis=1)
        self._indices[rows] = np.take_along_axis(indices, best[:, : self.k], axis=1)
        self._values[rows] = np.take_along_axis(values, best[:, : self.k], axis=1)

    def _cost(self, values: Array) -> Array:
        if not self.largest:
            return values
        return ~values if values.dtype.kind in "iu" else np.negative(values)

    def found(self, dtype: Dtype) -> Nearest:
        """The lists, their numbers as of this dtype."""
        return Nearest(self._indices, self._values.astype(dtype, copy=False))


def lists_of(n: int, k: int, dtype: Dtype, largest: bool) -> Lists | Sorted:
    """Those for numbers of a dtype."""
    real = comparable(dtype)
    return Sorted(n, k, native(dtype), largest) if real is None else Lists(n, k, real, largest)
