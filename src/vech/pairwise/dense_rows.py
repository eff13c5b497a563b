"""Dense rows: their products by BLAS."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.nonzeros import Compressed
from vech.moves.runs import Half
from vech.packed.products import add_outer
from vech.pairwise.rows import (
    PRODUCTS_EXACT_IN_DOUBLE,
    Wanted,
    check_sums,
    exponents,
    numbers_of,
    parts_of,
)

BLOCK = 2**22  # numbers of a block of products
SAMPLES = 128  # rows that are looked at before the others


@dataclass(frozen=True, slots=True)
class Dense:
    """Rows as a full matrix, of numbers that BLAS multiplies or, where double would round, of int64."""

    x: Array
    dtype: Dtype  # of products
    unit: bool = False  # rows have length one
    places: None = None  # all rows are here

    @classmethod
    def of(cls, X: Array, dtype: Dtype) -> "Dense":
        """A matrix; integers go as doubles where these hold all products."""
        x = X.astype(dtype, copy=False)
        if dtype == np.int64:
            wide = X.astype(np.float64)
            if check_sums(np.einsum("ij,ij->i", wide, wide)) <= PRODUCTS_EXACT_IN_DOUBLE:
                x = wide
        return cls(x, dtype)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.x)

    @property
    def side(self) -> int:
        """The same, as no row is left out."""
        return self.n

    @property
    def kind(self) -> Kind:
        """The kind of the matrix of products."""
        return Kind.HERMITIAN.of(self.dtype)

    def pattern(self) -> "Dense":
        """Ones where numbers are not zero."""
        return Dense((self.x != 0).astype(np.float64), np.dtype(np.int64))

    def directions(self) -> "Dense":
        """The rows scaled to length one, but for those of zeros."""
        parts = parts_of(self.x)
        largest = np.abs(parts).max(axis=(1, 2), initial=0)
        np.ldexp(parts, exponents(largest, np.arange(self.n))[:, None, None], out=parts)
        length = np.sqrt(np.einsum("ijk,ijk->i", parts, parts))
        length[length == 0] = 1
        parts /= length[:, None, None]
        return replace(self, x=numbers_of(parts, self.dtype), unit=True)

    def triangle(self, wanted: Wanted, grow: bool, most: int) -> Compressed | None:
        """Products by rows; None if more than `most` are kept, or, where "auto" is wanted, seem to be."""
        if wanted.store == "auto" and self._expected(wanted, grow) > most:
            return None
        counts = np.zeros(self.n + 1, np.int64)
        columns, numbers = [np.zeros(0, np.int32)], [np.zeros(0, self.dtype)]
        kept = 0
        height = max(1, BLOCK // max(1, self.n))
        for first in range(0, self.n, height):
            last = min(first + height, self.n)
            begin, end = (0, last) if grow else (first, self.n)
            block = self._products(slice(first, last), slice(begin, end))
            beyond = np.tri(last - first, k=-1, dtype=np.bool)
            square = block[:, first - begin : last - begin]
            square[beyond.T if grow else beyond] = 0
            kept += self._settle(block, wanted, np.arange(first, last), begin)
            if kept > most:
                return None
            i, j = np.nonzero(block)
            counts[first + 1 : last + 1] = np.bincount(i, minlength=last - first)
            columns.append((j + begin).astype(np.int32))
            numbers.append(block[i, j].astype(self.dtype))
        held = np.cumsum(counts), np.concatenate(columns), np.concatenate(numbers)
        return Compressed(*held, grow, True, self.kind)

    def half(self, wanted: Wanted, plain: Layout) -> tuple[Array, int]:
        """Products as a half of a plain layout, and how many are kept."""
        half = np.zeros(plain.length(self.n), self.x.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            add_outer(Half(half, plain, self.kind), self.x, 1)
        ends = plain.diagonal_slots(self.n)
        half[ends] = self._diagonal(half[ends], np.arange(self.n))
        result = half.view(self.dtype)
        kept = 0
        for start in range(0, half.size, BLOCK):
            block = half[start : start + BLOCK]
            kept += self._settle(block, wanted)
            if self.dtype != half.dtype:
                result[start : start + BLOCK] = block.astype(self.dtype)
        return result, kept

    def _expected(self, wanted: Wanted, grow: bool) -> float:
        """How many products will be kept, from some rows, one of each stretch."""
        stretches = min(SAMPLES, self.n // 16, max(1, BLOCK // max(1, self.n)))
        edges = np.arange(stretches + 1) * self.n // max(1, stretches)
        row = np.random.default_rng(0).integers(edges[:-1], edges[1:])
        block = self._products(row, slice(None))
        column = np.arange(self.n)
        block[column > row[:, None] if grow else column < row[:, None]] = 0
        self._settle(block, wanted, row)
        return float((np.count_nonzero(block, axis=1) * np.diff(edges)).sum())

    def _products(self, rows: Any, columns: slice) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.x[rows] @ self.x[columns].conj().T)

    def _settle(
        self, block: Array, wanted: Wanted, row: NDArray[np.intp] | None = None, begin: int = 0
    ) -> int:
        """Small products vanish, and those of rows of length one are at most one; returns how many stay.

        `row` are the rows of a block whose columns start at `begin`; without them it has its diagonal.
        """
        if self.unit and block.dtype.kind == "f":
            np.clip(block, -1, 1, out=block)
        if row is not None:
            at = np.arange(row.size), row - begin
            block[at] = self._diagonal(block[at], row)
        if wanted.threshold > 0:
            block[np.abs(block) <= wanted.threshold] = 0
        return int(np.count_nonzero(block))

    def _diagonal(self, computed: Array, row: NDArray[np.intp]) -> Array:
        """The diagonal in these rows: a real number, and one or zero in rows of length one or zero."""
        return np.asarray(self.x[row].any(axis=1) if self.unit else computed.real)


@dataclass(frozen=True)
class DenseBlocks:
    """Products of some rows and some others, of those that are kept: a block."""

    rows: Dense
    wanted: Wanted

    def __call__(self, rows: slice, columns: slice) -> Array:
        block = self.rows._products(rows, columns)
        self.rows._settle(
            block, self.wanted, np.arange(rows.start, rows.stop) if rows == columns else None, columns.start
        )
        return block.astype(self.rows.dtype, copy=False)
