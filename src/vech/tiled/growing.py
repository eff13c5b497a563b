"""A matrix that grows: new tiles beside those that are full, and its new side once all are there."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vech.arrays import Array, as_array, native
from vech.layouts.layout import as_side
from vech.store import as_labels
from vech.tiled.codes import Held
from vech.tiled.squares import check_square, settled_square
from vech.tiled.tiles import Tiles

Function = Callable[[slice, slice], Any]


def append(store: Any, rows: Any, n: int | None, labels: Iterable[Any] | None) -> Tiles:
    """Write the tiles of new rows, those at the end with their old numbers, then say the new side.

    Codes of old numbers would be others in a tile that is written again: such tiles wait until all are there.
    """
    store._tiles.check_same(write=True)
    if missing := store.missing():
        raise ValueError(
            f"tile {missing[0]} is not done, nor are {len(missing) - 1} others: fill the store before it "
            "grows"
        )
    old = store.n
    function: Function = rows if callable(rows) else _Rows(as_array(rows, "rows"), old)
    if isinstance(function, _Rows):
        if n is not None and as_side(n) != function.n:
            raise ValueError(f"n is {n}, and with these rows the matrix has {function.n}: leave n out")
        n = function.n
        check_square(function.rows[:, old:], old, store._tiles.said.kind, "rows")
    elif n is None:
        raise ValueError("rows is a function: say n=, the side of the new matrix")
    if (n := as_side(n)) < old:
        raise ValueError(f"the matrix has {old} rows, and n is {n}: append makes it larger")
    with store._tiles.place.hold(alone=True) as free:
        if not free:
            text = "another run is at work on it: wait for it, for a store grows by one at a time"
            raise BlockingIOError(errno.EWOULDBLOCK, text, store.path)
        store._tiles.check_same(write=True)
        tiles = Tiles(store.path, store.mode)
        said = tiles.said
        said = tiles.said = said.grown(n, _labels(said.labels, labels, n - old))
        if n == old:
            return tiles
        last, full = divmod(old, store.tile)
        waits = said.codes is not None and full > 0
        for i in range(last, tiles.grid.side):
            for j in range(i + 1):
                block, held = _grown(store, tiles, function, i, j)
                tiles.write(i, j, block, held=held, waits=waits and i == last)
        tiles.check_same(write=True)
        tiles.describe(replace(said, next=last if waits else None))
        if waits:
            tiles.settle()
    return tiles


def _labels(held: tuple[Any, ...] | None, new: Iterable[Any] | None, k: int) -> tuple[Any, ...] | None:
    if (held is None) != (new is None) and k:
        there, way = ("has", "give labels= too") if new is None else ("has no", "leave labels= out")
        raise ValueError(f"the store {there} labels: {way}")
    added = as_labels(new, k)
    return held if held is None or added is None else held + added


def _grown(store: Any, tiles: Tiles, function: Function, i: int, j: int) -> tuple[Array, Any]:
    """A tile of the new matrix: old numbers where there were some, and those of the function below.

    And what codes have to know of the old ones.
    """
    rows, columns, old = tiles.grid.span(i), tiles.grid.span(j), store.n
    block = np.zeros((rows.stop - rows.start, columns.stop - columns.start), store.dtype)
    first = max(rows.start, old)
    call = f"rows[{first}:{rows.stop}, {columns.start}:{columns.stop}]"
    made = as_array(function(slice(first, rows.stop), columns), call)
    fits = block[first - rows.start :]
    if made.shape != fits.shape:
        raise ValueError(f"{call} has shape {made.shape}, and {fits.shape} would fit")
    if native(made.dtype) != store.dtype:
        name = store.dtype.name
        raise TypeError(f"{call} is of {made.dtype}, and the store of {name}: astype({name!r}) first")
    fits[...] = made
    held = None
    if first > rows.start:
        there = store.read_tile(i, j)
        block[: there.shape[0], : there.shape[1]] = there
        if tiles.said.codes is not None:
            held = Held(there.shape[0], there.shape[1], store._tiles.lost(i, j))
    if i == j:
        kind = tiles.said.kind
        check_square(fits[:, first - rows.start :], first, kind, call)
        block = settled_square(block, kind)
    return block, held


@dataclass(frozen=True)
class _Rows:
    """New rows that are there."""

    rows: Array
    old: int

    @property
    def n(self) -> int:
        shape = self.rows.shape
        if len(shape) != 2 or shape[1] != self.old + shape[0]:
            raise ValueError(
                f"rows has shape {shape}, and k new rows have {self.old} + k columns: (k, {self.old} + k)"
            )
        return int(shape[1])

    def __call__(self, rows: slice, columns: slice) -> Array:
        return self.rows[rows.start - self.old : rows.stop - self.old, columns]
