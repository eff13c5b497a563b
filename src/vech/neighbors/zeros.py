"""Neighbours in a store of nonzeros alone, where each pair that is missing is at zero."""

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, check_memory
from vech.neighbors.lists import Nearest
from vech.store import Store

Indices = NDArray[np.int64]


def nearest_of_sparse(S: Store, k: int, largest: bool) -> Nearest:
    """The k nearest rows of every row: below zero what is stored, then zeros by index, then what is above."""
    n = S.n
    check_memory(n * k * (8 + S.dtype.itemsize), f"k = {k} neighbours of each of {n} rows, take fewer")
    indices = np.full((n, k), -1, np.int64)
    values = np.zeros((n, k), S.dtype)
    if values.dtype.kind == "f":
        values[...] = np.nan
    rows, columns, numbers = _nonzeros(S)
    is_number = ~np.isnan(numbers)
    before = is_number & ((numbers > 0) if largest else (numbers < 0))

    stored = np.bincount(rows, minlength=n)
    first = np.cumsum(stored) - stored
    ahead = np.bincount(rows[before], minlength=n)
    zeros = n - 1 - stored

    order = np.lexsort((columns, _cost(numbers, largest), ~is_number, rows))
    slots = np.arange(rows.size) - first[rows]
    slots += np.where(before[order], 0, zeros[rows])
    kept = order[taken := is_number[order] & (slots < k)]
    indices[rows[kept], slots[taken]] = columns[kept]
    values[rows[kept], slots[taken]] = numbers[kept]

    wanted = np.clip(k - ahead, 0, zeros)
    at = np.repeat(np.arange(n), wanted)
    rank = np.arange(at.size) - np.repeat(np.cumsum(wanted) - wanted, wanted)
    indices[at, ahead[at] + rank] = _absent(rows, columns, at, rank, n)
    values[at, ahead[at] + rank] = 0
    return Nearest(indices, values)


def _nonzeros(S: Store) -> tuple[Indices, Indices, Array]:
    """Rows, columns and numbers off the diagonal that are not zero, row by row, columns ascending."""
    coo = S.to_csr().tocoo()
    rows, columns = (axis.astype(np.int64) for axis in coo.coords)
    kept = (rows != columns) & (coo.data != 0)
    return rows[kept], columns[kept], coo.data[kept]


def _cost(numbers: Array, largest: bool) -> Array:
    """What is small where a number is near, of every dtype exactly."""
    if not largest:
        return numbers
    return ~numbers if numbers.dtype.kind in "biu" else -numbers


def _absent(rows: Indices, columns: Indices, at: Indices, rank: Indices, n: int) -> Indices:
    """The rank-th column of each of these rows that is neither among its columns nor its own."""
    own = np.arange(n)
    rows, columns = np.concatenate((rows, own)), np.concatenate((columns, own))
    order = np.lexsort((columns, rows))
    rows, columns = rows[order], columns[order]
    counts = np.bincount(rows, minlength=n)
    first = np.cumsum(counts) - counts
    gaps = columns - (np.arange(rows.size) - first[rows])  # columns absent before each that is there
    passed = np.searchsorted(rows * (n + 1) + gaps, at * (n + 1) + rank, side="right") - first[at]
    return np.asarray(rank + passed)
