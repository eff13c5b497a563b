"""A matrix as a grid of cells, read a few rows at a time; what its numbers are like is noted on the way."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.derived import pairs
from vech.store import Store

SUMMARIES = ("mean", "extreme")

Panel = tuple[int, Array]


class Facts(NamedTuple):
    """What is known of the numbers once all have been seen; those of the diagonal apart."""

    diagonal: Array
    least: float
    most: float
    negatives: float  # pairs
    positives: float

    @property
    def largest(self) -> float:
        """The largest modulus off the diagonal."""
        return max(self.most, -self.least)


class Cells(NamedTuple):
    """A number for each per x per numbers of a matrix, and where there is none."""

    numbers: Array  # (side, side)
    empty: Array  # nothing to show: the diagonal alone, or nothing stored
    missing: Array  # NaN or an infinity is among them
    per: int
    facts: Facts

    @property
    def shown(self) -> Array:
        """The numbers that have a colour."""
        return np.asarray(self.numbers[~(self.empty | self.missing)])


def read(S: Store, rows: Array | None, pixels: int, summary: str, *, diagonal: bool) -> Cells:
    """The cells of a store, of a sparse one of the numbers that it stores; arguments as for `cells`."""
    if S.describe().triangle is not None:
        return _stored(S, rows, pixels, summary, diagonal=diagonal)
    return cells(lambda: panels(S), rows, S.n, pixels, summary, diagonal=diagonal)


def panels(S: Store) -> Iterator[Panel]:
    """The rows of a store, a few at a time, in a dtype to compute with, and where they begin."""
    for first, rows in pairs.panels(S):
        yield first, rows if rows.dtype.char in "fd" else rows.astype(np.float64)


def cells(
    source: Callable[[], Iterator[Panel]],
    rows: Array | None,
    n: int,
    pixels: int,
    summary: str,
    *,
    diagonal: bool,
) -> Cells:
    """The cells of the matrix in `source`, its rows and columns in this order.

    Parameters
    ----------
    source : function
        Gives panels of rows; they may be written to.
    rows : array, shape (n,), optional
        The order; None is that of the matrix.
    n, pixels : int
        The side, and the most cells in a direction.
    summary : {"mean", "extreme"}
        What stands for the numbers of a cell: their mean, or that of the largest modulus.
    diagonal : bool
        Whether the numbers of the diagonal count.
    """
    per = -(-n // pixels)
    side = -(-n // per)
    group = np.empty(n, np.int64)  # of each row of the matrix
    group[slice(None) if rows is None else rows] = np.arange(n) // per
    starts = np.arange(0, n, per)
    first_of, second_of = np.zeros((side, side)), np.zeros((side, side))
    missing = np.zeros((side, side), np.bool)
    facts = Facts(np.empty(n), np.inf, -np.inf, 0, 0)
    for first, panel in source():
        places = np.arange(len(panel))
        own = panel[places, first + places]
        facts.diagonal[first : first + len(panel)] = own
        panel[places, first + places] = 0
        bad = None
        if not np.isfinite(panel.sum(dtype=np.float64)):
            bad = ~np.isfinite(panel)
            panel[bad] = 0
        facts = _noted(facts, panel)
        if diagonal:
            panel[places, first + places] = own
            if not np.isfinite(own).all():
                bad = ~np.isfinite(panel) if bad is None else bad | ~np.isfinite(panel)
                panel[~np.isfinite(panel)] = 0
        to = group[first : first + len(panel)]
        if rows is not None:
            panel = panel.take(rows, axis=1)
            bad = None if bad is None else bad.take(rows, axis=1)
        if bad is not None:
            np.logical_or.at(missing, to, np.logical_or.reduceat(bad, starts, axis=1))
        if summary == "mean":
            np.add.at(first_of, to, np.add.reduceat(panel, starts, axis=1, dtype=np.float64))
        else:
            np.minimum.at(first_of, to, np.minimum.reduceat(panel, starts, axis=1).astype(np.float64))
            np.maximum.at(second_of, to, np.maximum.reduceat(panel, starts, axis=1).astype(np.float64))
    height = np.diff(starts, append=n)
    count = np.outer(height, height)
    if not diagonal:
        count[np.diag_indices(side)] -= height
    empty = (count == 0) & ~missing
    if summary == "mean":
        return Cells(first_of / np.maximum(count, 1), empty, missing, per, facts)
    return Cells(np.where(-first_of > second_of, first_of, second_of), empty, missing, per, facts)


def _noted(facts: Facts, panel: Array) -> Facts:
    """The facts, with those of a panel."""
    negative, nonzero = int(np.count_nonzero(panel < 0)), int(np.count_nonzero(panel))
    least, most = float(panel.min()), float(panel.max())
    return facts._replace(
        least=min(facts.least, least),
        most=max(facts.most, most),
        negatives=facts.negatives + negative / 2,  # each pair is seen twice
        positives=facts.positives + (nonzero - negative) / 2,
    )


def _stored(S: Store, rows: Array | None, pixels: int, summary: str, *, diagonal: bool) -> Cells:
    """The cells of a sparse store, of the numbers that it stores: no others are looked at."""
    stored = S.to_coo()
    n, i, j = S.n, stored.row.astype(np.int64), stored.col.astype(np.int64)
    x = stored.data.astype(np.float64)
    own = np.zeros(n)
    own[i[i == j]] = x[i == j]
    if not diagonal:
        i, j, x = i[keep := i != j], j[keep], x[keep]
    finite = np.isfinite(x)
    off = x[finite & (i != j)]
    facts = Facts(
        own,
        float(off.min(initial=np.inf)),
        float(off.max(initial=-np.inf)),
        np.count_nonzero(off < 0) / 2,
        np.count_nonzero(off > 0) / 2,
    )
    per = -(-n // pixels)
    side = -(-n // per)
    place = np.arange(n)
    if rows is not None:
        place[rows] = np.arange(n)
    at = place[i] // per * side + place[j] // per
    missing = np.bincount(at[~finite], minlength=side * side) > 0
    at, x = at[finite], x[finite]
    count = np.bincount(at, minlength=side * side)
    if summary == "mean":
        numbers = np.bincount(at, x, side * side) / np.maximum(count, 1)
    else:
        numbers = np.zeros(side * side)
        by_size = np.argsort(np.abs(x), kind="stable")
        numbers[at[by_size]] = x[by_size]
    grid = (side, side)
    empty = (count == 0) & ~missing
    return Cells(numbers.reshape(grid), empty.reshape(grid), missing.reshape(grid), per, facts)
