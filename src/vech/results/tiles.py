"""A result on its way to a store of tiles, which says itself what it is made of, and which tiles are done."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from vech import tiled
from vech.arrays import Array, Dtype
from vech.executors import executor_of, in_order
from vech.layouts.kind import Kind
from vech.packed.packed import Packed
from vech.results.executing import TileJob
from vech.results.identity import differences
from vech.results.wanted import Wanted
from vech.tiled.grid import Grid, usual_tile


class StoreOfTiles:
    """The store of tiles under a path, of which those that are missing are to be computed.

    `complete` is the store that is there already, made of the same, where a run is gone on with and `rereads`
    it.
    """

    def __init__(
        self,
        path: str,
        n: int,
        dtype: Dtype,
        kind: Kind,
        labels: tuple[Any, ...] | None,
        made: dict[str, Any],
        wanted: Wanted,
        *,
        rereads: bool,
    ) -> None:
        self.path, self.n, self.dtype, self.kind, self.labels = path, n, dtype, kind, labels
        self.made, self.wanted = made, wanted
        self.complete: tiled.Tiled | None = None
        self._store = self._found()
        if self._store is not None and rereads and not self._store.missing():
            self.complete = tiled.open(path)

    def _found(self) -> tiled.Tiled | None:
        """The store to go on with; None where one is to be made.

        ValueError where it is made of other things, and the run is to go on, or where it is not complete.
        """
        found = None
        with suppress(FileNotFoundError):
            found = tiled.open(self.path, "r+")
        if found is None:
            return None
        same = found.made == self.made
        if self.wanted.resume and not same:
            raise ValueError(
                f"resume=True goes on with the same run, and {self.path} is of another: "
                f"{differences(found.made or {}, self.made)}. Pass the same again, or start anew without "
                f"resume=True, under another name"
            )
        if not same and (missing := len(found.missing())):
            raise ValueError(
                f"{self.path} is an unfinished store of another run ({missing} tiles are missing): "
                f"{differences(found.made or {}, self.made)}. Let that go on, delete the folder, or choose "
                f"another name"
            )
        return found if self.wanted.resume else None

    def _opened(self, unit: int) -> tiled.Tiled:
        """The store; where there is none to go on with it is made, and takes the place of one that is there.

        Blocks of `unit` rows fit its tiles.
        """
        if self._store is None:
            usual = usual_tile(self.n)
            tile = usual if self.n <= unit else max(unit, usual // unit * unit)
            self._store = tiled.create(
                self.path,
                self.n,
                dtype=self.dtype,
                kind=str(self.kind),
                tile=tile,
                labels=self.labels,
                overwrite=True,
                made=self.made,
            )
        return self._store

    def fill(self, job: TileJob) -> None:
        """Let the job compute the tiles that are missing, one a task."""
        store = self._opened(job.unit)
        store.fill(self._lower(job), executor=self.wanted.executor, progress=self.wanted.progress)

    def _lower(self, job: TileJob) -> _Lower:
        alone = executor_of(self.wanted.executor) is None
        threads = self.wanted.threads if alone else self.wanted.threads or 1
        return _Lower(job, self.kind, self.dtype, threads)

    def sum(self, job: TileJob, part: Callable[[Array, slice, slice], float]) -> float:
        """The sum of what a function gives of each tile, which is not kept; the same for any workers."""
        store, executor = self._opened(job.unit), executor_of(self.wanted.executor)
        grid = Grid(store.n, store.tile)
        work = _Part(self._lower(job), grid, part)
        return math.fsum(found for _, found in in_order(executor, work, grid.lower()))

    def take(self, made: Packed) -> None:
        """Put down a matrix that is in memory."""
        self._opened(1).fill(made.block)

    def store(self) -> tiled.Tiled:
        """The store, for reading."""
        return tiled.open(self.path)


@dataclass(frozen=True)
class _Lower:
    """Numbers of the lower triangle by a job, rows and columns those of a tile."""

    job: TileJob
    kind: Kind
    dtype: Dtype
    threads: int | None

    def __call__(self, rows: slice, columns: slice) -> Array:
        return np.asarray(self.job.tile(self.kind, self.dtype, rows, columns, self.threads))


@dataclass(frozen=True)
class _Part:
    """What a function gives of a tile."""

    lower: _Lower
    grid: Grid
    part: Callable[[Array, slice, slice], float]

    def __call__(self, tile: tuple[int, int]) -> float:
        rows, columns = map(self.grid.span, tile)
        return self.part(self.lower(rows, columns), rows, columns)


def made_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a matrix is made of, without what is said of a half alone."""
    return {name: value for name, value in about.items() if name != "layout"}
