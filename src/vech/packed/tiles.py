"""The lower triangle of a half in square tiles: cut out of its runs, where these hold true values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vech.arrays import Array
from vech.derived.tiles import lower
from vech.layouts.layout import Layout
from vech.moves.runs import Half, runs_of
from vech.packed.entries import take
from vech.store import Tile


def has_runs_of_tiles(half: Half) -> bool:
    """Whether tiles can be cut out of a half as it lies."""
    plain = isinstance(half.layout, Layout) and not half.layout.scaled
    return plain and half.dtype.isnative and half.numbers.flags.c_contiguous


def tiles(half: Half, side: int | None) -> Iterator[Tile]:
    """The tiles of a half that has runs of them, row after row; every bit is that of the full matrix."""
    runs, every = runs_of(half), np.arange(half.n)
    diagonal = np.asarray(take(half, every, every))

    def read(rows: slice, columns: slice) -> Array:
        memory = np.empty((rows.stop - rows.start) * (columns.stop - columns.start), half.dtype)
        block = runs.read(rows, columns, memory, 1) if runs.grow else runs.read(columns, rows, memory, 1).T
        block = block if half.layout.triangle == "lower" else half.kind.mirror(block)
        if rows == columns:
            np.copyto(block, half.kind.mirror(block).T, where=~np.tri(len(block), dtype=bool))
            np.fill_diagonal(block, diagonal[rows])
        return block

    return (Tile(rows, columns, read(rows, columns)) for rows, columns in lower(half.n, side))
