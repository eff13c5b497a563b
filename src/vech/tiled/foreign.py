"""Tiles out of files that other programs wrote: read where they are needed, and never written."""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np

from vech.arrays import Array, Dtype
from vech.io.errors import FileFormatError
from vech.layouts.kind import Kind
from vech.tiled.description import Described
from vech.tiled.grid import Grid
from vech.tiled.store import Tiled
from vech.tiled.tiles import Tile, Tiles


class Source(Protocol):
    """A symmetric matrix that is read by blocks of its lower triangle."""

    n: int
    tile: int
    dtype: Dtype
    name: str

    def parts(self) -> list[str]:
        """The files that it is read from."""

    def lower(self, rows: slice, columns: slice) -> Array:
        """The numbers of a tile, the diagonal ones as whole squares; FileFormatError for a damaged one."""


class ForeignTiles(Tiles):
    """What a `Tiled` reads of a source; it pickles as that."""

    def __init__(self, source: Source, labels: tuple[Any, ...] | None = None) -> None:
        self.source, self.mode = source, "r"
        self.said = Described(Grid(source.n, source.tile), source.dtype, Kind.SYMMETRIC, labels=labels)

    def __reduce__(self) -> Any:
        return type(self), (self.source, self.said.labels)

    @property
    def path(self) -> str:
        """The file, or the folder."""
        return self.source.name

    def sizes(self) -> dict[Tile, int]:
        """All tiles, and the bytes of each."""
        grid = self.grid
        return {(i, j): grid.height(i) * grid.height(j) * self.dtype.itemsize for i, j in grid.lower()}

    def stamp(self, i: int, j: int) -> Any:
        """That of all its files."""
        found = map(os.stat, self.source.parts())
        return tuple((file.st_size, file.st_mtime_ns) for file in found)

    def read(self, i: int, j: int, *, check: bool = False) -> Array:
        """A tile, read-only."""
        self.grid.check(i, j)
        tile = self.source.lower(self.grid.span(i), self.grid.span(j))
        tile.flags.writeable = False
        return tile

    def check_same(self, *, write: bool = False) -> None:
        """They are looked at when they are read."""
        if write:
            self.write(0, 0, np.empty(0))

    def write(
        self, i: int, j: int, block: Array, given: Any = None, held: Any = None, *, waits: bool = False
    ) -> None:
        """Nothing is written into files of other programs."""
        raise ValueError(
            f'{self.path} is of another program: vech.write("name.zarr", S) makes a store of tiles'
        )

    def describe(self, said: Described) -> None:
        """Nothing else is said of them either."""
        raise FileFormatError("is of another program, and stays as it is", self.path)


def foreign(source: Source, labels: tuple[Any, ...] | None = None) -> Tiled:
    """A store of tiles that are read out of a source."""
    return Tiled(ForeignTiles(source, labels))
