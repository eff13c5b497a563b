"""Ranks of columns, as whole numbers about their mean."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.covariance.data import Data

PANEL_BYTES = 2**24  # of columns that are sorted together


class Ranking(NamedTuple):
    """Columns as rows, each with its order: shape (n_features, n_samples).

    ``order[k]`` is the rows of column k sorted by their numbers, NaN last; of the number in row t,
    ``low[k, t]`` others are smaller, and ``high[k, t]`` not larger; `valid` is where there are numbers.
    """

    order: Array
    low: Array
    high: Array
    valid: Array


def centred_ranks(data: Data) -> Array:
    """Twice the mean rank of each number in its column, less (number of ranks + 1); 0 for NaN.

    Whole numbers, so ties and their means are exact; int32 up to 2^30 rows.
    """
    n, p = data.whole("ranking").shape
    ranks = np.empty((p, n), np.int32 if n < 2**30 else np.int64)
    for k, column in enumerate(_columns(data)):
        ranks[k] = _centred_rank(column)
    return ranks.T


def rankings(data: Data) -> Ranking:
    """The order of each column: int32, so up to 2^31 rows."""
    n, p = data.whole("ranking").shape
    order, low, high = (np.zeros((p, n), np.int32) for _ in range(3))
    valid = np.zeros((p, n), bool)
    for k, column in enumerate(_columns(data)):
        order[k], starts, stops = _groups(column)
        counts = stops - starts
        present = order[k, : counts.sum()]
        low[k, present], high[k, present] = np.repeat(starts, counts), np.repeat(stops, counts)
        valid[k, present] = True
    return Ranking(order, low, high, valid)


def _columns(data: Data) -> Iterator[Array]:
    """The columns of X, in a dtype that sorts; some are copied at a time."""
    X = data.whole("ranking")
    n, p = X.shape
    width = max(1, PANEL_BYTES // (8 * n))
    for start in range(0, p, width):
        columns = np.ascontiguousarray(X[:, start : start + width].T)
        if columns.dtype.kind not in "biuf" or columns.dtype.itemsize < 4:
            columns = columns.astype(data.dtype if columns.dtype.kind not in "biu" else np.int32)
        yield from columns


def _groups(column: Array) -> tuple[Array, Array, Array]:
    """The order of a column, and where equal numbers start and stop in it; NaN is last, and in no group."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    present = len(ordered) - (int(np.count_nonzero(np.isnan(ordered))) if ordered.dtype.kind == "f" else 0)
    ordered = ordered[:present]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[:present])
    return order, starts, np.append(starts[1:], present)[: starts.size]


def _centred_rank(column: Array) -> Array:
    order, starts, stops = _groups(column)
    counts = stops - starts
    present = int(counts.sum())
    rank = np.zeros(len(column), np.int64)
    rank[order[:present]] = np.repeat(starts + stops + 1 - (present + 1), counts)
    return rank
