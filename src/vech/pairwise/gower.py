"""Gower's distances between rows whose columns are numbers, dates, truth values, names or grades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype
from vech.pairwise.mixed import columns_of
from vech.pairwise.points import DOUBLE, leveled, numbers_for, place
from vech.pairwise.tiles import settled, span


@dataclass(frozen=True)
class Gower:
    """Blocks of distances: the mean over columns, by weight, of how much two rows differ, each 0 to 1.

    `numbers` has a row for each column of numbers, times its weight; `codes` one for each of names. Where
    something is missing, `known` says of each column, in that order, what is there.
    """

    numbers: Array
    codes: Array
    weights: Array
    known: Array
    whole: Array  # columns of which nothing is missing
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many rows there are."""
        return int(self.known.shape[1])

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Distances of some rows to some others; NaN where they have no column in common."""
        here, there = span(rows, self.n), span(columns, self.n)
        shape = len(here), len(there)
        apart = np.zeros(shape)
        weight = np.zeros((1, 1) if self.whole.all() else shape)
        for column, its in enumerate(self.weights):  # both sums in one order: what differs in all is at 1
            differs = self._differences(column, rows, columns)
            if self.whole[column]:
                weight += its
            else:
                both = self.known[column, rows, None] & self.known[column, columns]
                differs *= both
                weight += its * both
            apart += differs
        with np.errstate(invalid="ignore"):
            apart /= weight
        np.minimum(apart, 1.0, out=apart)  # rounding of sums may go beyond
        return settled(apart.astype(self.dtype, copy=False), here, there)

    def _differences(self, column: int, rows: slice, columns: slice) -> Array:
        """By weight."""
        if column < len(self.numbers):
            values = self.numbers[column]
            differs = values[rows, None] - values[columns]
            return np.asarray(np.abs(differs, out=differs))
        values = self.codes[column - len(self.numbers)]
        return np.asarray((values[rows, None] != values[columns]) * self.weights[column], np.float64)


def gower(X: Any, *, w: Any = None, missing: str = "raise", dtype: Dtype = DOUBLE) -> Gower:
    """Blocks of Gower's distances between the rows of X: sum of w d over sum of w, of columns both rows have.

    A column of numbers or dates gives ``d = |x - y| / (max - min)``, 0 where all are equal; one of truth
    values, text or categories 0 or 1; ordered categories are numbers, by their places in the order. So does
    R's `cluster::daisy`. What is missing is an error, or with "pairwise" left out, pair by pair; rows without
    a common column are NaN apart.

    Source: J. Gower, "A general coefficient of similarity and some of its properties", Biometrics 27, 1971.
    """
    columns = list(columns_of(X))
    for at, column in enumerate(columns):
        if missing == "raise" and not column.known.all():
            where = place(X, int(column.known.argmin()), at)
            raise ValueError(f"X holds nothing in {where}: fill it, or pass missing='pairwise'")
    weights = np.ones(len(columns)) if w is None else numbers_for("w", w, (len(columns),))
    for at in np.flatnonzero(weights < 0)[:1]:
        raise ValueError(f"w[{at}] is {weights[at]:g}: weights are zero or positive")
    counted = sorted(np.flatnonzero(weights), key=lambda at: columns[at].is_coded)
    if not counted:
        raise ValueError(f"none of the {len(columns)} columns of X has a weight above zero")
    weights = weights.copy()
    weights[counted] = leveled(weights[counted])
    numbers = [columns[at].values * weights[at] for at in counted if not columns[at].is_coded]
    codes = [columns[at].values for at in counted if columns[at].is_coded]
    known = np.array([columns[at].known for at in counted])
    n = known.shape[1]
    return Gower(
        np.array(numbers, np.float64).reshape(len(numbers), n),
        np.array(codes, np.int32).reshape(len(codes), n),
        weights[counted],
        known,
        np.asarray(known.all(axis=1)),
        dtype,
    )
