"""A half made block by block: each tile of one triangle is computed once, and put where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, resolve_threads
from vech.layouts.kind import Kind
from vech.moves.runs import Runs, beside
from vech.results.executing import Tick
from vech.results.journal import Band
from vech.results.result import Result
from vech.results.wanted import Progress, Wanted
from vech.tiled.grid import within

__all__ = ["TILE", "Block", "Progress", "Tiles", "Wanted", "make"]

# Rows and columns computed at a time; a power of two would make rows of a tile fall into one cache set.
TILE = 480

Block = Callable[[slice, slice], Array]
"""Rows and columns, each with each: the numbers of the full matrix there, shape (k, m), of the dtype made."""


def make(
    block: Block,
    n: int,
    dtype: Dtype,
    wanted: Wanted,
    *,
    labels: tuple[Any, ...] | None = None,
    implied: int | None = None,
    kind: Kind | None = None,
    side: int = TILE,
    what: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Any:
    """The store of n rows whose blocks a function computes: one triangle of tiles of `side` rows.

    Where rows and columns are the same, the whole square is asked for. A layout without its diagonal serves
    where that is `implied`, 0 or 1. A file is gone on with where `what`, as JSON has it, and `data`, arrays
    by their names, are the same: each, unless told, what the block function holds.
    """
    parameters, arrays = _held(block)
    about = {"tile": side, **(parameters if what is None else what)}
    data = arrays if data is None else data
    with Result(
        n, dtype, wanted, labels=labels, implied=implied, strict=True, kind=kind, what=about, data=data
    ) as result:
        if not result.is_complete:
            result.fill(Tiles(block, side), final=True)
        return result.store()


@dataclass(frozen=True)
class Tiles:
    """Blocks as a job: a band is a row of tiles."""

    block: Block
    height: int

    @property
    def unit(self) -> int:
        """Rows of a block."""
        return self.height

    def tiles(self, runs: Runs, band: Band) -> int:
        """How many tiles a band has."""
        return len(self._tiles(runs, band))

    def __call__(self, runs: Runs, band: Band, threads: int | None, tick: Tick) -> None:
        """Write the tiles of a band."""
        threads = resolve_threads(threads, runs.half.nbytes)
        other = runs.turned and (runs.conjugates or runs.negates)
        direct = getattr(self.block, "write", None)  # of blocks that go straight to where they belong
        for rows, columns in self._tiles(runs, band):
            if direct is not None:
                direct(runs, rows, columns, threads)
            else:
                made = self.block(columns, rows).T if other else self.block(rows, columns)
                runs.write(rows, columns, made, "write", threads)
            tick()

    def tile(
        self, kind: Kind, dtype: Dtype, rows: slice, columns: slice, threads: int | None, tick: Tick
    ) -> Array:
        """A lower tile, of the blocks that a half in vech's own order is made of."""
        made = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype)
        for first in range(columns.start, columns.stop, self.height):
            across = slice(first, min(first + self.height, columns.stop))
            for start in range(max(rows.start, first), rows.stop, self.height):
                down = slice(start, min(start + self.height, rows.stop))
                other = kind.conjugates or kind.negates
                block = self.block(down, across) if other else self.block(across, down).T
                i, j = within(down, rows), within(across, columns)
                made[i, j] = block
                if rows == columns and down != across:
                    made[j, i] = kind.mirror(block).T
                tick()
        return made

    def _tiles(self, runs: Runs, band: Band) -> list[tuple[slice, slice]]:
        rows = slice(*band)
        return [(rows, columns) for columns in beside(runs.n, runs.grow, rows, self.height)]


def _held(block: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the arrays that a block function holds, by the names of its fields."""
    what: dict[str, Any] = {"block": f"{type(block).__module__}.{type(block).__qualname__}"}
    data: dict[str, Any] = {}
    for field in fields(block) if is_dataclass(block) else ():
        held = getattr(block, field.name)
        if isinstance(held, np.ndarray):
            data[field.name] = held
        elif is_dataclass(held):
            inner, arrays = _held(held)
            what |= {f"{field.name}.{name}": value for name, value in inner.items()}
            data |= {f"{field.name}.{name}": value for name, value in arrays.items()}
        else:
            what[field.name] = held
    return what, data
