"""A result on its way to a store of tiles, which says itself what it is made of, and which tiles are done."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event
from typing import Any

from vech import tiled
from vech.arrays import Array, Dtype, family
from vech.executors import executor_of, in_order
from vech.layouts.kind import Kind
from vech.packed.packed import Packed
from vech.quantized.encodings import as_encoding
from vech.quantized.sources import number_dtype
from vech.results.executing import StoppedError, Tick, TileJob
from vech.results.identity import differences
from vech.results.wanted import Wanted
from vech.tiled.codes import SIDE
from vech.tiled.description import STORE
from vech.tiled.grid import Grid, usual_tile
from vech.tiled.objects import TakenError, draft_of, place_of
from vech.tiled.tiles import Tile, Tiles, is_in_place, put_in_place
from vech.tiled.writing import written


class TileByTile(ABC):
    """A matrix of which a job computes lower tiles, and each is put where it belongs."""

    def __init__(
        self, n: int, dtype: Dtype, kind: Kind, labels: tuple[Any, ...] | None, wanted: Wanted
    ) -> None:
        self.n, self.dtype, self.kind, self.labels, self.wanted = n, dtype, kind, labels, wanted
        self.held = dtype if wanted.encoding is None else coded(dtype)

    @abstractmethod
    def side(self, unit: int) -> int:
        """Rows of a tile, which holds blocks of `unit` rows."""

    @abstractmethod
    def fill(self, job: TileJob) -> None:
        """Let the job compute the tiles that are missing."""

    @abstractmethod
    def take(self, made: Packed) -> None:
        """Put down a matrix that is in memory."""

    @abstractmethod
    def store(self) -> Any:
        """What has become of it."""

    def lower(self, job: TileJob, tick: Tick) -> Lower:
        """The lower tiles by a job."""
        alone = self.wanted.executor is None
        threads = self.wanted.threads if alone else self.wanted.threads or 1
        grid = Grid(self.n, self.side(job.unit))
        return Lower(job, grid, self.kind, self.dtype, self.held, threads, tick)

    def sum(self, job: TileJob, part: Callable[[Array, slice, slice], float]) -> float:
        """The sum of what a function gives of each tile, which is not kept; the same for any workers."""
        lower = self.lower(job, on)
        executor = executor_of(self.wanted.executor)
        with closing(in_order(executor, _Part(lower, part), lower.grid.lower())) as parts:
            return math.fsum(found for _, found in parts)


class StoreOfTiles(TileByTile):
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
        super().__init__(n, dtype, kind, labels, wanted)
        self.path, self.made = path, made
        if wanted.encoding is not None:
            self.made = made | as_encoding(wanted.encoding).said
        self._about = self.made | {"rows": n, "dtype of the store": self.held.name}
        self._place, self._draft = path, draft_of(path)
        self._instead = b""  # the description of a store that may be made anew
        self.complete: tiled.Tiled | None = None
        self._store = self._found()
        if self._store is not None and rereads and not self._store.missing():
            self.complete = self.store()

    def _found(self) -> tiled.Tiled | None:
        """The store to go on with; None where one is to be made.

        ValueError where it is made of other things, and the run is to go on, or where it is not complete.
        """
        there = {place: _store(place) for place in (self.path, self._draft)}
        if self.wanted.resume:
            for place, found in there.items():
                if found is not None and _about(found) == self._about:
                    self._place = place
                    self._check_place()
                    return found
        for found in there.values():
            if found is None:
                continue
            different = differences(_about(found), self._about)
            if self.wanted.resume:
                raise ValueError(
                    f"resume=True goes on with the same run, and {found.path} is of another: {different}. "
                    f"Pass the same again, or start anew without resume=True, under another name"
                )
            missing = len(found.missing())
            if missing and _about(found) != self._about:
                raise ValueError(
                    f"{found.path} is an unfinished store of another run ({missing} tiles are missing): "
                    f"{different}. Let that go on, delete the folder, or choose another name"
                )
            if not missing and found is there[self.path]:
                self._place = self._draft  # what is there stays until all is done
        self._check_place()
        if (found := there[self._place]) is not None:
            found._tiles.check_free("resume=True works on it too, or wait for it")
            self._instead = found._tiles.about
        return None

    def _check_place(self) -> None:
        """What is to be replaced when all is done is refused now where it would be refused then."""
        if self._place != self.path:
            place_of(self.path).check(overwrite=True)

    def _opened(self, unit: int) -> tiled.Tiled:
        """The store; where there is none to go on with it is made.

        Blocks of `unit` rows fit its tiles.
        """
        if self._store is None:
            square = 1 if self.wanted.encoding is None else SIDE
            unit = math.lcm(unit, square)
            whole = max(unit, usual_tile(self.n) // unit * unit)
            try:
                tiles = Tiles.create(
                    self._place,
                    self.n,
                    self.held,
                    self.kind.of(self.held),
                    overwrite=True,
                    instead=self._instead,
                    tile=self.wanted.tile or min(whole, max(1, -(-self.n // square)) * square),
                    encoding=self.wanted.encoding,
                    labels=self.labels,
                    made=self.made,
                )
                self._store = tiled.Tiled(tiles)
            except TakenError:
                self._store = self._found() if self.wanted.resume else None
                if self._store is None:
                    raise
        return self._store

    def fill(self, job: TileJob) -> None:
        """Let the job compute the tiles that are missing, one a task.

        After an error, or Ctrl-C, threads end at their next block.
        """
        store = self._opened(job.unit)
        try:
            with store._tiles.place.hold():
                self._fill(store, job)
        except FileNotFoundError:
            if not is_in_place(store._tiles, self.path):  # where another run of the same has put it
                raise

    def _fill(self, store: tiled.Tiled, job: TileJob) -> None:
        executor, stop = executor_of(self.wanted.executor), Event()

        def interruptible() -> None:
            if stop.is_set():
                raise StoppedError

        lower = self.lower(job, interruptible if isinstance(executor, ThreadPoolExecutor) else on)
        missing, total = store.missing(), lower.grid.total
        write = partial(store._write, diagonal=False)
        with closing(written(write, lower, missing, executor, stop=stop)) as tiles:
            for done, _ in enumerate(tiles, total - len(missing) + 1):
                if self.wanted.progress is not None:
                    self.wanted.progress(done, total)

    def sum(self, job: TileJob, part: Callable[[Array, slice, slice], float]) -> float:
        """The same, while no other run makes the store anew."""
        with self._opened(job.unit)._tiles.place.hold():
            return super().sum(job, part)

    def side(self, unit: int) -> int:
        """Those of the store."""
        return self._opened(unit).tile

    def take(self, made: Packed) -> None:
        """Put down a matrix that is in memory."""
        self._opened(1).fill(made.block)

    def store(self) -> tiled.Tiled:
        """The store, for reading."""
        if self._store is not None:
            put_in_place(self._store._tiles, self.path)
        found: tiled.Tiled = tiled.open(self.path)
        return found


def _about(store: tiled.Tiled) -> dict[str, Any]:
    """What a store is made of, and what it is: it may have grown since."""
    return (store.made or {}) | {"rows": store.n, "dtype of the store": store.dtype.name}


def _store(path: str) -> tiled.Tiled | None:
    """The store under a path, if there is one; ValueError for a factor."""
    with suppress(FileNotFoundError):
        tiles = Tiles(path, "r+")
        if tiles.said.store != STORE:
            raise ValueError(f"{path} holds a factor: choose another name")
        return tiled.Tiled(tiles)
    return None


@dataclass(frozen=True)
class Lower:
    """Lower tiles by a job."""

    job: TileJob
    grid: Grid
    kind: Kind
    dtype: Dtype
    held: Dtype
    threads: int | None
    tick: Tick

    def __call__(self, tile: Tile) -> Array:
        rows, columns = map(self.grid.span, tile)
        made = self.job.tile(self.kind, self.dtype, rows, columns, self.threads, self.tick)
        return made.astype(self.held, copy=False)


@dataclass(frozen=True)
class _Part:
    """What a function gives of a tile."""

    lower: Lower
    part: Callable[[Array, slice, slice], float]

    def __call__(self, tile: Tile) -> float:
        return self.part(self.lower(tile), *map(self.lower.grid.span, tile))


def coded(dtype: Dtype) -> Dtype:
    """The dtype of the numbers that codes of these give; TypeError for complex ones."""
    if family(dtype) == "c":
        raise TypeError(f"encoding= is for real numbers, and these are {dtype}")
    return number_dtype(dtype)


def on() -> None:
    """Go on."""


def made_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a matrix is made of, without what is said of a half alone."""
    return {name: value for name, value in about.items() if name != "layout"}
