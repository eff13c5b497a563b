"""Covariances by tiles of columns, each of products over all rows of X: what a run can go on with.

Rows are taken about their means, which are known before: G = sum of w (x - c)(x - c)^H for a tile at a time,
less s s^H / n, where s = sum of w (x - c) is but what rounding has left of it.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vech.arrays import Array, Dtype
from vech.covariance.data import Data, check_underflow
from vech.covariance.moments import raise_overflow
from vech.executors import in_order

SIDE = 480  # columns of a tile
HEIGHT = 2048  # rows multiplied at a time
ROWS, TASK = 2048, 2**23  # rows whose sums are one task, and numbers in them: not fewer of both
NUMBERS = 2**21  # of these taken together


class Sums(NamedTuple):
    """Of some rows, for each column: the weight of its numbers, their mean, and their squares about it.

    `whole` where they are as they should be, for `Data.check_block` to say.
    """

    weight: Array
    mean: Array
    squares: Array
    whole: bool

    def merged(self, other: Sums) -> Sums:
        """Of both."""
        weight = self.weight + other.weight
        share = np.divide(other.weight, weight, out=np.zeros(len(weight)), where=weight > 0)
        step = other.mean - self.mean
        between = np.abs(step) ** 2 * self.weight * share
        squares = self.squares + other.squares + between
        return Sums(weight, self.mean + step * share, squares, self.whole and other.whole)


@dataclass(frozen=True)
class Summing:
    """Sums over rows of X, taken about a pilot that is one for all tasks: some columns at a time."""

    X: Array
    weights: Array | None
    pilot: Array
    empty: bool  # whether NaN are welcome

    def __call__(self, rows: slice) -> Sums:
        width = max(1, NUMBERS // (rows.stop - rows.start))
        w = np.ones(rows.stop - rows.start) if self.weights is None else self.weights[rows]
        parts = [self._of(w, rows, slice(first, first + width)) for first in range(0, self.X.shape[1], width)]
        weight, mean, squares = (np.concatenate(each) for each in tuple(zip(*parts, strict=True))[:3])
        return Sums(weight, mean, squares, all(part.whole for part in parts))

    def _of(self, w: Array, rows: slice, columns: slice) -> Sums:
        pilot = self.pilot[columns]
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            y = self.X[rows, columns].astype(pilot.dtype) - pilot
            empty = np.isnan(y)
            whole = self.empty or not empty.any()
            y[empty] = 0
            weight = w @ ~empty if empty.any() else np.full(len(pilot), w.sum())
            mean = np.divide(w @ y, weight, out=np.zeros_like(pilot), where=weight > 0)
            y -= mean
            y[empty] = 0
            squares = w @ np.square(np.abs(y))
        return Sums(weight, mean, squares, whole and bool(np.isfinite(mean).all()))


def pilot_of(X: Array, dtype: Dtype) -> Array:
    """The first number of each column that is one, in this dtype; 0 where there is none."""
    found = np.zeros(X.shape[1], dtype)
    rest = np.arange(X.shape[1])
    start, height = 0, 1
    while rest.size and start < len(X):
        block = X[start : start + height, rest].astype(dtype)
        there = ~np.isnan(block)
        new = there.any(axis=0)
        found[rest[new]] = block[there.argmax(axis=0), np.arange(rest.size)][new]
        rest = rest[~new]
        start, height = start + height, max(1, NUMBERS // max(1, rest.size))
    found[~np.isfinite(found)] = 0
    return found


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
    def of(
        cls, data: Data, weights: Array | None, assume_centered: bool, executor: Executor | None = None
    ) -> Centre:
        """Of X, read once, some rows a task; an error for what has no covariance.

        Sums are merged in the order of the rows (Chan, Golub & LeVeque, 1983), the same for any workers.
        """
        X = data.whole("executor=")
        pilot = pilot_of(X, np.dtype(np.complex128 if data.dtype.kind == "c" else np.float64))
        height = max(ROWS, TASK // data.p)
        tasks = [slice(start, min(start + height, len(X))) for start in range(0, len(X), height)]
        total: Sums | None = None
        summing = Summing(X, weights, pilot, data.missing != "raise")
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            for rows, some in in_order(executor, summing, tasks):
                if not some.whole:
                    _refuse(data, X, rows)
                total = some if total is None else total.merged(some)
            assert total is not None, "X has rows"
            data.check_counted(total.weight > 0)
            shift = np.zeros_like(pilot) if assume_centered else pilot + total.mean
            shift = shift.astype(data.dtype)
            apart = total.mean - (shift - pilot)
            squares = total.squares + total.weight * np.abs(apart) ** 2
            sums = np.zeros_like(pilot) if assume_centered else total.weight * apart
            weight = float(len(X) if weights is None else weights.sum())
            scatter = np.maximum(squares - np.abs(sums) ** 2 / weight, 0)
        if not (squares <= np.finfo(data.dtype).max).all():
            raise_overflow(data)
        check_underflow(data, scatter, data.dtype, weights, about_zero=assume_centered)
        count = float(len(X) if weights is None else weights @ weights)
        return cls(len(X), weight, count, shift, sums, scatter)

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


def _refuse(data: Data, X: Array, rows: slice) -> None:
    """ValueError for the first of these rows that is not as it should be, where it is not but too large."""
    height = max(1, NUMBERS // data.p)
    for start in range(rows.start, rows.stop, height):
        data.check_block(X[start : min(start + height, rows.stop)], start)


def away(block: Array, shift: Array, dtype: Dtype) -> Array:
    """Rows less what they are taken about, which NaN counts as."""
    y: Array = block.astype(dtype) - shift.astype(dtype)
    y[np.isnan(y)] = 0
    return y
