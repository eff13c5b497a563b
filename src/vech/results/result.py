"""Where a result goes: a plain half to compute in, and the store that is made of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from vech.arrays import (
    Array,
    Dtype,
    check_elsewhere,
    check_memory,
    check_out,
    check_progress,
    resolve_threads,
)
from vech.executors import executor_of
from vech.io.description import describe_half
from vech.layouts.dialects import as_layout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.converting import convert
from vech.moves.recipe import check_side
from vech.moves.runs import Half, Runs, runs_of
from vech.packed.packed import Packed
from vech.results.codes import CodesOfTiles
from vech.results.executing import Job, Task, results
from vech.results.file import File
from vech.results.identity import digest_of, identity
from vech.results.journal import Band
from vech.results.tiles import StoreOfTiles, TileByTile, made_of
from vech.results.wanted import Wanted


class Result:
    """A half of side p in the layout asked for: in memory, in `out`, or on its way to a file; or tiles.

    `half` and `plain` are what to compute in: `out` itself where it has a plain layout, else memory of its
    own that `store` converts; it may not overlap `data`, what is read. A layout that stores no diagonal
    serves where the diagonal is `implied`; what computes may be `strict`, and then leaves it out too. A file
    says `what` its half is made of, and of which `data`; a result that `is_complete` need not be computed,
    unless more than a file holds is wanted, and so no `rereads`.
    The block of a `with` is the time for which no other run makes the file.
    """

    def __init__(
        self,
        p: int,
        dtype: Any,
        wanted: Wanted,
        *,
        labels: tuple[Any, ...] | None = None,
        implied: int | None = None,
        strict: bool = False,
        kind: Kind | None = None,
        what: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        rereads: bool = True,
    ) -> None:
        self.p, self.labels, self.wanted = p, labels, wanted
        self.dtype: Dtype = np.dtype(dtype)
        self.layout = as_layout(wanted.layout)
        self.kind = Kind.HERMITIAN.of(self.dtype) if kind is None else kind
        if self.layout.implied is not None and self.layout.implied != implied:
            ones = " (a layout whose diagonal is 'one' would do)" if implied == 1 else ""
            raise ValueError(
                f"layout {self.layout.name} stores no diagonal, and here it is needed{ones}: choose another, "
                f"such as 'vech'"
            )
        if wanted.encoding is None and not wanted.in_tiles:
            check_side(p, self.layout)
        numbers = np.broadcast_to(np.zeros((), self.dtype), self.layout.length(p))
        described = Packed(numbers, self.layout, kind=self.kind, labels=labels)  # refuses what does not fit
        check_progress(wanted.progress)
        resolve_threads(wanted.threads, 0)
        self.executor = executor_of(wanted.executor)
        self.plain: Layout = self.layout.plain
        if strict and isinstance(self.layout, Layout):
            self.plain = replace(self.plain, diagonal=self.layout.diagonal)
        self._half: Array | None = None
        self.file: File | None = None
        self.tiles: TileByTile | None = None
        if wanted.encoding is not None and not wanted.in_tiles:
            self.tiles = CodesOfTiles(p, self.dtype, self.kind, labels, wanted)
            return
        path = wanted.path()
        if path is not None:
            apart = {name: _elsewhere(name, given, path) for name, given in (data or {}).items()}
            made = {} if what is None else _made(described, what, apart)
            if wanted.in_tiles:
                made = made_of(made)
                self.tiles = StoreOfTiles(
                    path, p, self.dtype, self.kind, labels, made, wanted, rereads=rereads
                )
                return
            length = self.plain.length(p)
            resume = bool(wanted.resume)
            self.file = File(Path(path), self.dtype, length, made, resume=resume, rereads=rereads)
            if not self.is_complete:
                self.half = self.file.half
            return
        out, length = wanted.out, self.layout.length(p)
        if out is not None:
            inputs = [array for array in (data or {}).values() if isinstance(array, np.ndarray)]
            check_out(out, (length,), self.dtype, *inputs, hint=lambda: f": the half of {p} columns")
        if self.layout == self.plain and out is not None and out.flags.c_contiguous:
            self.half = np.asarray(out)
        else:
            self.hold()

    @property
    def half(self) -> Array:
        """What to compute in: of a store of tiles only once it is held."""
        assert self._half is not None, "the result is not held in memory"
        return self._half

    @half.setter
    def half(self, half: Array) -> None:
        self._half = half

    def hold(self) -> None:
        """Have all of it in memory, where a tile at a time is not enough to compute with."""
        if self._half is None:
            length = self.plain.length(self.p)
            check_memory(length * self.dtype.itemsize, "give out= a path, or a memory map")
            self._half = np.empty(length, self.dtype)

    @property
    def is_held(self) -> bool:
        """Whether there is a half to compute in, and not tiles that go where they belong one by one."""
        return self._half is not None or self.tiles is None

    @property
    def is_complete(self) -> bool:
        """Whether a file, or a store of tiles, was there already, made of the same."""
        if self.file is not None:
            return self.file.complete is not None
        return isinstance(self.tiles, StoreOfTiles) and self.tiles.complete is not None

    @property
    def goes_by_tiles(self) -> bool:
        """Whether what is done is kept for a later run, or computed by others: then tile by tile."""
        return self.file is not None or self.tiles is not None or self.executor is not None

    @property
    def goes_by_parts(self) -> bool:
        """The same, or somebody is told how far it is."""
        return self.goes_by_tiles or self.wanted.progress is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.half = np.empty(0, self.dtype)
            self.file.close()

    def runs(self) -> Runs:
        """The half to compute in, as blocks are read from it and written to it."""
        self.hold()
        return runs_of(Half(self.half, self.plain, self.kind))

    def fill(self, job: Job, *, final: bool = False) -> None:
        """Let the job compute all of the result, or what of it is not said to be done.

        What is `final` is not changed afterwards, so that its digests hold.
        """
        if self.tiles is not None and not self.is_held:
            self.tiles.fill(job)
            return
        runs, file = self.runs(), self.file
        bands = [(first, min(first + job.height, self.p)) for first in range(0, self.p, job.height)]
        steps = {band: job.tiles(runs, band) for band in bands}
        done, total = 0, sum(steps.values())

        def tick(count: int = 1) -> None:
            nonlocal done
            done += count
            if self.wanted.progress is not None:
                self.wanted.progress(done, total)

        if file is not None:
            file.begun = True
            missing = [band for band in bands if not file.is_done(band, *self._numbers(runs, band))]
            if count := total - sum(steps[band] for band in missing):
                tick(count)
            bands = missing
        self._compute(job, runs, bands, steps, tick)
        if file is not None and not final:
            file.change()

    def _compute(
        self, job: Job, runs: Runs, bands: list[Band], steps: Mapping[Band, int], tick: Callable[..., None]
    ) -> None:
        file = self.file
        if self.executor is None:
            with _Notes(file) as notes:
                for band in bands:
                    job(runs, band, self.wanted.threads, tick)
                    notes.add(band, *self._numbers(runs, band))
            return
        place = None if file is None else file.place
        task = Task(job, self.p, self.dtype, self.plain, self.kind, place, self.wanted.threads or 1)
        with closing(results(self.executor, task, runs, bands)) as computed:
            for band, found in computed:
                numbers = self._numbers(runs, band)
                if isinstance(found, np.ndarray):
                    runs.half[slice(*numbers)] = found
                elif file is not None:
                    file.note(band, *numbers, found)
                tick(steps[band])

    def _numbers(self, runs: Runs, band: Band) -> tuple[int, int]:
        """Where the numbers of a band begin in the half, and where they end."""
        return runs.begin(band[0]), runs.begin(band[1])

    def store(self) -> Any:
        """The half as it was asked for, or the store of tiles."""
        if self.tiles is not None:
            if self._half is not None:
                self.tiles.take(Packed(self.half, self.plain, kind=self.kind, labels=self.labels))
            return self.tiles.store()
        if self.file is not None and self.file.complete is not None:
            return self.file.complete
        half, kind = self.half, self.kind
        if self.file is not None:
            return self.file.publish(Packed(half, self.plain, kind=kind, labels=self.labels), self.layout)
        out = self.wanted.out
        if self.layout != self.plain:
            half = convert(half, self.plain, self.layout, kind=kind, out=out)
        elif out is not None and not np.shares_memory(half, out):
            out[...] = half
        return Packed(half if out is None else out, self.layout, kind=kind, labels=self.labels)


def _made(store: Packed, what: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """What a half is made of, for its file; an error for labels and layouts that no file keeps."""
    described = json.loads(describe_half(store))
    if "labels" in described:
        described["labels"] = digest_of(json.dumps(described["labels"]).encode())
    return identity(described | dict(what), data)


def _elsewhere(name: str, given: Any, path: str) -> Any:
    """An array, or blocks as they come, of which none lies in the file that is to be replaced."""
    if given is None:
        return None
    if not isinstance(given, np.ndarray):
        return (_elsewhere(name, block, path) for block in given)
    check_elsewhere(given, name, path)
    return given


class _Notes:
    """Notes what is done in a journal, while the next is computed: a disk is waited for elsewhere."""

    def __init__(self, file: File | None) -> None:
        self._file = file
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1)
        return self

    def add(self, band: Band, begin: int, end: int) -> None:
        """Note a band, once the one before is; its error comes out here."""
        if self._file is not None:
            self._wait()
            self._last = self._thread.submit(self._file.note, band, begin, end)

    def __exit__(self, kind: object, *_: object) -> None:
        self._thread.shutdown()
        if kind is None:
            self._wait()

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
