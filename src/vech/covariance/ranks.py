"""Ranks of columns, as whole numbers about their mean."""

import numpy as np

from vech.arrays import Array
from vech.covariance.data import Data

PANEL_BYTES = 2**24  # of columns that are sorted together


def centred_ranks(data: Data) -> Array:
    """Twice the mean rank of each number in its column, less (number of ranks + 1); 0 for NaN.

    Whole numbers, so ties and their means are exact; int32 up to 2^30 rows.
    """
    X = data.whole("ranking")
    n, p = X.shape
    dtype = np.int32 if n < 2**30 else np.int64
    ranks = np.empty((p, n), dtype)
    width = max(1, PANEL_BYTES // (8 * n))
    for start in range(0, p, width):
        columns = np.ascontiguousarray(X[:, start : start + width].T)
        if columns.dtype.kind not in "biuf" or columns.dtype.itemsize < 4:
            columns = columns.astype(data.dtype if columns.dtype.kind not in "biu" else np.int32)
        for k, column in enumerate(columns, start):
            ranks[k] = _centred_rank(column)
    return ranks.T


def _centred_rank(column: Array) -> Array:
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    present = len(ordered) - (int(np.count_nonzero(np.isnan(ordered))) if ordered.dtype.kind == "f" else 0)
    ordered = ordered[:present]  # NaN comes last
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])[:present])
    stops = np.append(starts[1:], present)
    rank = np.zeros(len(column), np.int64)
    rank[order[:present]] = np.repeat(starts + stops + 1 - (present + 1), stops - starts)
    return rank
