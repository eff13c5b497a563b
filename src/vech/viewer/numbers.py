"""Real numbers of a store to draw: a part of complex ones; of tiles that are not done it is said so."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, family
from vech.io.errors import FileFormatError
from vech.layouts.kind import Kind
from vech.store import Store
from vech.tiled.grid import within

NOT_DONE, DAMAGED = "not done", "damaged"


class Part(NamedTuple):
    """What of each number is drawn."""

    name: str
    sign: int  # what it is times in the other triangle
    take: Any  # from an array of the store's dtype

    def __call__(self, numbers: Array) -> Array:
        """The part, in float64."""
        return np.asarray(self.take(numbers), np.float64)


def parts_of(S: Store) -> list[Part]:
    """What can be drawn of a store: its numbers, or of complex ones modulus and parts."""
    kind = Kind(S.kind)
    sign = -1 if kind.negates else 1
    if family(S.dtype) != "c":
        return [Part("value", sign, np.asarray)]
    return [
        Part("modulus", 1, np.abs),
        Part("real", sign, np.real),
        Part("imaginary", -sign if kind.conjugates else sign, np.imag),
    ]


class Numbers:
    """Blocks of a store, of which tiles may be missing."""

    def __init__(self, S: Store) -> None:
        self.store, self.n = S, S.n
        self.tile: int | None = getattr(S, "tile", None) if hasattr(S, "missing") else None  # of a Tiled

    def missing(self) -> frozenset[tuple[int, int]]:
        """Tiles that are not done."""
        return frozenset(self.store.missing()) if self.tile else frozenset()  # type: ignore[attr-defined]

    def tiles(self, rows: slice, columns: slice) -> set[tuple[int, int]]:
        """The lower tiles that a range is in."""
        tile = self.tile or self.n
        down, across = (range(at.start // tile, -(-at.stop // tile)) for at in (rows, columns))
        return {(max(i, j), min(i, j)) for i in down for j in across}

    def squares(self, side: int, part: Part) -> Iterator[tuple[slice, slice, Array]]:
        """The lower triangle, each number once, row after row of squares."""
        for rows, columns, block in self.store.tiles(side):
            yield rows, columns, part(block)

    def read(self, rows: slice, columns: slice, part: Part) -> tuple[Array, Array | None]:
        """Numbers, zero where there are none, and where that is, or None."""
        numbers = np.zeros((rows.stop - rows.start, columns.stop - columns.start))
        absent: Array | None = None
        for down, across, block in self._blocks(rows, columns):
            here = within(down, rows), within(across, columns)
            if isinstance(block, str):
                absent = np.zeros(numbers.shape, np.bool) if absent is None else absent
                absent[here] = True
            else:
                numbers[here] = part(block)
        return numbers, absent

    def texts(self, rows: slice, columns: slice) -> list[list[str]]:
        """Numbers as Python writes them, all of their digits; why where there is none."""
        texts = [[""] * (columns.stop - columns.start) for _ in range(rows.start, rows.stop)]
        for down, across, block in self._blocks(rows, columns):
            here = within(across, columns)
            for k, i in enumerate(range(down.start, down.stop)):
                width = across.stop - across.start
                said = [block] * width if isinstance(block, str) else [str(x) for x in block[k]]
                texts[i - rows.start][here] = said
        return texts

    def _blocks(self, rows: slice, columns: slice) -> Iterator[tuple[slice, slice, Array | str]]:
        """The blocks that a range is in, tile by tile where there are tiles, or why one is not there."""
        for down in self._cut(rows):
            for across in self._cut(columns):
                try:
                    block: Array | str = self.store.block(down, across)
                except FileNotFoundError:
                    if not self.tile:
                        raise
                    block = NOT_DONE
                except FileFormatError:
                    if not self.tile:
                        raise
                    block = DAMAGED
                yield down, across, block

    def _cut(self, span: slice) -> list[slice]:
        if not self.tile or span.start == span.stop:
            return [span]
        tiles = range(span.start // self.tile, -(-span.stop // self.tile))
        edges = [max(span.start, k * self.tile) for k in tiles] + [span.stop]
        return [slice(a, b) for a, b in pairwise(edges)]
