"""The nearest rows of every row by the workers of a store: of some tiles each, of which the best are kept."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from vech.arrays import native
from vech.derived.tiles import TOGETHER
from vech.neighbors.lists import Nearest, Sorted, comparable, lists_of
from vech.results.wanted import Progress
from vech.store import Store, Tile


class Some(NamedTuple):
    """The nearest of some rows, as far as tiles beside each other say."""

    rows: slice
    nearest: Nearest


def gathered(S: Store, k: int, largest: bool, progress: Progress | None) -> Nearest:
    """The lists of all rows, which have the same bits whoever looks at which tiles."""
    lists = Sorted(S.n, k, comparable(S.dtype) or native(S.dtype), largest)
    for ends, found in S._by_strips(partial(_nearest, k, largest)):
        for rows, nearest in found:
            lists.merge(rows, *nearest)
        if progress is not None and ends:
            progress(found[0].rows.stop, S.n)
    return lists.found(S.dtype)


def _nearest(k: int, largest: bool, tiles: Iterable[Tile]) -> tuple[bool, list[Some]]:
    """Whether they end on the diagonal; the lists of their rows, and of their columns before that.

    In lists of their own the columns come first, then, after as many as there could be, the rows.
    """
    lists, first, stop, after = None, 0, 0, 0
    for tile in tiles:
        rows, columns, numbers = tile
        if lists is None:
            first, stop, after = columns.start, columns.start, TOGETHER * numbers.shape[1]
            lists = lists_of(after + len(numbers), k, numbers.dtype, largest)
        at = after if tile.on_diagonal else columns.start - first
        lists.offer(numbers, after, at, 1)
        stop = stop if tile.on_diagonal else columns.stop
    assert lists is not None, "a strip has a tile"
    near = lists.found(comparable(numbers.dtype) or native(numbers.dtype))
    places = np.where(near.indices < after, first, rows.start - after)
    indices = np.where(near.indices < 0, -1, near.indices + places)
    parts = (rows, slice(after, None)), (slice(first, stop), slice(stop - first))
    return tile.on_diagonal, [Some(part, Nearest(indices[at], near.values[at])) for part, at in parts]
