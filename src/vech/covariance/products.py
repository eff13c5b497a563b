"""Covariances by tiles of columns, each of products over all rows of X: what a run can go on with.

Rows are taken about their means, which are known before: G = sum of w (x - c)(x - c)^H for a tile at a time,
less s s^H / n, where s = sum of w (x - c) is but what rounding has left of it.
"""

from dataclasses import dataclass

import numpy as np

from vech.arrays import Array, Dtype
from vech.covariance.data import Data, check_underflow
from vech.covariance.incomplete import present_means
from vech.covariance.moments import raise_overflow

SIDE = 480  # columns of a tile
HEIGHT = 2048  # rows multiplied at a time


@dataclass(frozen=True)
class Centre:
    """What is known of all rows: how many, their weight and its squares, and of each column some sums.

    `shift` is near the mean, `sums` of what is left of rows about it, and `scatter` the sum of its squares
    about the mean.
    """

    rows: int
    weight: float
    squares: float
    shift: Array
    sums: Array
    scatter: Array

    @classmethod
    def of(cls, data: Data, weights: Array | None, assume_centered: bool) -> "Centre":
        """Of X, read three times; an error for what has no covariance."""
        rows = data.check()
        shift = present_means(data, weights)
        if assume_centered:
            shift = np.zeros_like(shift)
        shift = shift.astype(data.dtype)
        sums = np.zeros(data.p, np.complex128 if data.dtype.kind == "c" else np.float64)
        squares = np.zeros(data.p)
        for start, block in data.blocks():
            y = away(block, shift, data.dtype)
            w = np.ones(len(y)) if weights is None else weights[start : start + len(y)]
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                sums += w @ y
                squares += w @ np.square(np.abs(y), dtype=np.float64)
        weight = float(rows if weights is None else weights.sum())
        if assume_centered:
            sums[...] = 0
        with np.errstate(over="ignore", invalid="ignore"):
            scatter = np.maximum(squares - np.abs(sums) ** 2 / weight, 0)
        if not (squares <= np.finfo(data.dtype).max).all():
            raise_overflow(data)
        check_underflow(data, scatter, data.dtype, weights, about_zero=assume_centered)
        return cls(rows, weight, float(rows if weights is None else weights @ weights), shift, sums, scatter)

    @property
    def mean(self) -> Array:
        """The mean of the rows."""
        return np.asarray(self.shift + self.sums / self.weight)

    def variances(self, divisor: float) -> Array:
        """`scatter` over a divisor."""
        return self.scatter / divisor


@dataclass(frozen=True)
class Products:
    """Covariances, or with `inverse`, one over the roots of what is scattered, correlations: a block."""

    X: Array
    weights: Array | None
    centre: Centre
    wide: Dtype  # to multiply in
    dtype: Dtype
    divisor: float
    inverse: Array | None

    def __call__(self, rows: slice, columns: slice) -> Array:
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        sums, weight = self.centre.sums, self.centre.weight
        block = np.zeros(shape, sums.dtype)
        for start in range(0, len(self.X), HEIGHT):
            y = self._away(start, rows)
            z = y if rows == columns else self._away(start, columns)
            block += y.T @ z.conj()
        block -= np.multiply.outer(sums[rows], sums[columns].conj()) / weight
        if self.inverse is None:
            block /= self.divisor
        else:
            block *= self.inverse[rows, None]
            block *= self.inverse[columns]
            block /= np.maximum(np.abs(block), 1)
            if rows == columns:
                np.fill_diagonal(block, 1)
        if block.dtype.kind == "c" and rows == columns:
            block.imag.flat[:: len(block) + 1] = 0
        return block.astype(self.dtype)

    def _away(self, start: int, columns: slice) -> Array:
        y = away(self.X[start : start + HEIGHT, columns], self.centre.shift[columns], self.wide)
        if self.weights is not None:
            y *= np.sqrt(self.weights[start : start + HEIGHT, None]).astype(y.real.dtype)
        return y


def away(block: Array, shift: Array, dtype: Dtype) -> Array:
    """Rows less what they are taken about, which NaN counts as."""
    y: Array = block.astype(dtype) - shift.astype(dtype)
    y[np.isnan(y)] = 0
    return y
