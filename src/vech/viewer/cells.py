"""Cells of k x k numbers: what is known of the numbers of each."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from vech.arrays import Array


class Cells(NamedTuple):
    """Sums, extremes and counts, each of shape (rows, columns) of cells."""

    total: Array  # of the finite numbers, each over k^2, so that no sum overflows
    least: Array  # of these and 0
    most: Array
    seen: Array  # numbers that were read
    odd: Array  # NaN and infinities among them

    @classmethod
    def none(cls, rows: int, columns: int) -> Self:
        """Cells of which nothing is read; pages of memory that are not written do not exist."""
        shape = (rows, columns)
        return cls(*(np.zeros(shape) for _ in range(3)), *(np.zeros(shape, np.float32) for _ in range(2)))

    @classmethod
    def of(cls, numbers: Array, k: int, absent: Array | None = None) -> Self:
        """Cells of k x k of these numbers, float64; the last ones may have fewer. Absent numbers are 0."""
        with np.errstate(all="ignore"):
            is_plain = np.isfinite(numbers.sum())
        odd = None if is_plain else ~np.isfinite(numbers)
        if odd is not None:
            numbers = np.where(odd, 0.0, numbers)
        rows, columns = numbers.shape
        if absent is None:
            seen = np.outer(sizes(rows, k), sizes(columns, k)).astype(np.float32)
        else:
            seen = grouped(np.add, (~absent).astype(np.float32), k)
        with np.errstate(over="ignore"):
            return cls(
                grouped(np.add, numbers / k**2, k),
                np.minimum(grouped(np.minimum, numbers, k), 0),
                np.maximum(grouped(np.maximum, numbers, k), 0),
                seen,
                np.zeros_like(seen) if odd is None else grouped(np.add, odd.astype(np.float32), k),
            )

    @property
    def finite(self) -> Array:
        """How many numbers are."""
        return self.seen - self.odd

    def mean(self, k: int) -> Array:
        """Means of the finite numbers of cells of k x k; NaN where there are none."""
        with np.errstate(all="ignore"):
            return np.asarray(self.total * (k**2 / self.finite.astype(np.float64)))

    @property
    def largest(self) -> Array:
        """The finite number of largest modulus; NaN where there is none."""
        return np.where(self.finite > 0, np.where(self.most >= -self.least, self.most, self.least), np.nan)

    def part(self, rows: slice, columns: slice) -> Self:
        """Some of the cells."""
        return type(self)(*(plane[rows, columns] for plane in self))

    def put(self, rows: slice, columns: slice, cells: Self) -> None:
        """Change some of the cells."""
        for plane, new in zip(self, cells, strict=True):
            plane[rows, columns] = new

    def coarser(self, k: int) -> Self:
        """Cells of k x k of these cells."""
        joins, planes = (np.add, np.minimum, np.maximum, np.add, np.add), self._over(k)
        return type(self)(*(grouped(join, plane, k) for join, plane in zip(joins, planes, strict=True)))

    def _over(self, k: int) -> Self:
        """With totals as cells of k x k of these have them."""
        return self._replace(total=self.total / k**2)

    def lower(self) -> Self:
        """Square cells without those above the diagonal."""
        return type(self)(*map(np.tril, self))

    def folded(self, k: int, sign: int) -> Self:
        """Square cells of k x k of these, which are lower ones; what is above mirrors what is below."""
        cells = self.coarser(k).lower()
        at = np.diag_indices(len(cells.total))
        for plane, own, s in (
            (cells.total, self._over(k).total, sign),
            (cells.seen, self.seen, 1),
            (cells.odd, self.odd, 1),
        ):
            within = np.add.reduceat(own.diagonal(), np.arange(0, len(own), k))
            plane[at] += s * (plane[at] - within)
        if sign < 0:
            cells.least[at] = np.minimum(cells.least[at], -cells.most[at])
            cells.most[at] = -cells.least[at]
        ends = (cells.least, cells.most) if sign > 0 else (-cells.most, -cells.least)
        mirrored = (sign * cells.total, *ends, cells.seen, cells.odd)
        return type(self)(*(a + np.triu(b.T, 1) for a, b in zip(cells, mirrored, strict=True)))


def sizes(length: int, k: int) -> Array:
    """How many of so many things are in each group of k."""
    return np.diff(np.arange(0, length + k, k).clip(max=length)) if length else np.zeros(0, np.int64)


def grouped(join: Any, x: Array, k: int) -> Array:
    """A ufunc over k x k numbers each, with zeros beyond the end; k is a power of two.

    Rows first, then pairs of columns, for NumPy takes its time to reduce a few columns at once.
    """
    if k == 1:
        return x
    rows, columns = (-(-size // k) for size in x.shape)
    if x.shape != (rows * k, columns * k):
        whole = np.zeros((rows * k, columns * k), x.dtype)
        whole[: x.shape[0], : x.shape[1]] = x
        x = whole
    found = join.reduce(x.reshape(rows, k, columns * k), axis=1)
    while found.shape[1] > columns:
        found = join(found[:, 0::2], found[:, 1::2])
    return np.asarray(found)
