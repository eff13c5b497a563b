"""The lower triangle of a store in square tiles, each number read once."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, SupportsIndex

from vech.store import Store, Tile

SIDE = 512  # 2 MB of float64: in the cache for a second look
TOGETHER = 16  # tiles of a strip, beside each other: a task, where workers compute


def tiles(S: Store, side: int | None) -> Iterator[Tile]:
    """The tiles, row after row, as `Store.block` gives them."""
    return (Tile(rows, columns, S.block(rows, columns)) for rows, columns in lower(S.n, side))


def checked_side(side: Any) -> int | None:
    """The side of tiles that is asked for; TypeError and ValueError for what is none."""
    if side is None:
        return None
    if isinstance(side, bool) or not isinstance(side, SupportsIndex):
        raise TypeError(f"side must be a positive integer or None, not {side!r}")
    if operator.index(side) < 1:
        raise ValueError(f"side is {side}, and a tile has at least one row")
    return operator.index(side)


def lower(n: int, side: int | None) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each tile: those of the diagonal have the same."""
    side = SIDE if side is None else side
    spans = [slice(start, min(start + side, n)) for start in range(0, n, side)]
    return ((rows, columns) for k, rows in enumerate(spans) for columns in spans[: k + 1])


def strips(tiles: Iterable[Tile]) -> Iterator[Iterator[Tile]]:
    """The tiles as they come, some beside each other at a time."""
    row, count = -1, 0

    def place(tile: Tile) -> tuple[int, int]:
        nonlocal row, count
        count = count + 1 if tile.rows.start == row else 0
        row = tile.rows.start
        return row, count // TOGETHER

    return (strip for _, strip in groupby(tiles, place))
