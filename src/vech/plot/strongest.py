"""The pairs that a matrix says most about: those of the largest modulus, or the smallest of distances."""

from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.derived.pairs import stored
from vech.plot.cells import panels
from vech.store import Store


class Pairs(NamedTuple):
    """Rows i > j and the number of each pair, the strongest first."""

    i: Array
    j: Array
    values: Array


def strongest(S: Store, k: int, *, smallest: bool = False) -> Pairs:
    """The k pairs off the diagonal of largest modulus, or smallest; of a sparse store, those stored.

    NaN and infinities are left out, and so is what is exactly zero unless the smallest are wanted. Of equals
    the first. Reads S once, a few rows at a time.
    """
    best = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    if S.describe().triangle is not None:
        j, i, values = stored(S, diagonal=False)
        return _best(Pairs(i, j, values.astype(np.float64)), k, smallest)
    for first, panel in panels(S):
        panel = panel[:, : first + len(panel)]
        size = np.where(np.isfinite(panel), np.abs(panel), 0 if not smallest else np.inf)
        size[np.arange(panel.shape[1]) >= first + np.arange(len(panel))[:, None]] = np.inf if smallest else 0
        if best.i.size == k:  # what cannot be among them is left out at once
            worst = abs(best.values[-1])
            row, column = np.nonzero(size < worst if smallest else size > worst)
        else:
            row, column = np.nonzero(np.isfinite(size) if smallest else size > 0)
        if row.size > 4 * k:
            kth = np.partition(size[row, column], k - 1 if smallest else row.size - k)
            limit = kth[k - 1 if smallest else row.size - k]
            keep = size[row, column] <= limit if smallest else size[row, column] >= limit
            row, column = row[keep], column[keep]
        found = Pairs(first + row, column, panel[row, column].astype(np.float64))
        best = _best(Pairs(*(np.concatenate(pair) for pair in zip(best, found, strict=True))), k, smallest)
    return best


def _best(pairs: Pairs, k: int, smallest: bool) -> Pairs:
    size = np.abs(pairs.values)
    if not (smallest or size.all()) or not np.isfinite(size).all():
        keep = np.isfinite(size) & ((size > 0) | smallest)
        pairs, size = Pairs(*(x[keep] for x in pairs)), size[keep]
    order = np.lexsort((pairs.j, pairs.i, size if smallest else -size))[:k]
    return Pairs(*(x[order] for x in pairs))
