"""The numbers of tiles that are not zero, as coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np

from vech.arrays import INT32_MAX
from vech.layouts.layout import one_of
from vech.moves.nonzeros import sparse_dtype


def to_coo(store: Any, part: str) -> Any:
    """Those of a part of the matrix, from each tile once."""
    from scipy.sparse import coo_array

    one_of("part", part, ("full", "lower", "upper"))
    sparse_dtype(store.dtype)
    index = np.int32 if store.n <= INT32_MAX else np.int64
    kind, found = store._kind, [(np.empty(0, index), np.empty(0, index), np.empty(0, store.dtype))]
    for i in range(store.grid):
        for j in range(i + 1):
            tile = store.read_tile(i, j)
            down, across = np.nonzero(np.tril(tile) if i == j else tile)
            values = tile[down, across]
            rows, columns = ((at + k * store.tile).astype(index) for at, k in ((down, i), (across, j)))
            if part != "upper":
                found.append((rows, columns, values))
            if part != "lower":
                off = slice(None) if part == "upper" else rows != columns
                mirrored = np.where(rows == columns, values, kind.mirror(values))
                found.append((columns[off], rows[off], mirrored[off]))
    *coordinates, numbers = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return coo_array((numbers, tuple(coordinates)), shape=store.shape)
