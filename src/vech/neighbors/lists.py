"""The k best of each row, kept while the pairs go by: a triangle of them in blocks, or a whole half."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, check_memory, family
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

    def take(self, runs: Runs, threads: int) -> None:
        """All numbers of a half off its diagonal; what was there is forgotten."""
        if self.k:
            at = (runs.n, runs.grow, runs.stored)
            values, indices, limits = self._values, self._indices, self._limits
            _core.nearest_half(runs.half, *at, values, indices, limits, self.k, self.largest, threads)

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
