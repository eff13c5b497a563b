"""A half by an executor: a task is the runs of one band.

Threads write into the half where it is. Other processes give back the numbers of a band, or write them to the
draft of the file that is made and give back their digests.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Protocol

import numpy as np

from vech.arrays import Array, Dtype
from vech.executors import completed
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import Half, Runs, runs_of
from vech.results.file import TASK, Place
from vech.results.journal import Band

NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""Memory that is not touched is then not counted, so that a whole half need not fit for a band of it."""

Tick = Callable[[], None]


class TileJob(Protocol):
    """What computes lower tiles of a matrix, the same whoever asks and in which order."""

    @property
    def unit(self) -> int:
        """Rows of what is computed at a time: tiles begin at multiples of it."""

    def tile(
        self, kind: Kind, dtype: Dtype, rows: slice, columns: slice, threads: int | None, tick: Tick
    ) -> Array:
        """A lower tile; `tick` is called now and then, and may end it by an error."""


class Job(TileJob, Protocol):
    """What computes the numbers of a half, some runs at a time, the same whoever asks and in which order."""

    @property
    def height(self) -> int:
        """Runs of a band."""

    def tiles(self, runs: Runs, band: Band) -> int:
        """How many steps a band has."""

    def __call__(self, runs: Runs, band: Band, threads: int | None, tick: Tick) -> None:
        """Write a band, and call `tick` after each step."""


class Task(NamedTuple):
    """What is the same for all bands: the half, where it goes if that is a file, and who computes it."""

    job: Job
    n: int
    dtype: Dtype
    layout: Layout
    kind: Kind
    place: Place | None
    threads: int | None


def results(executor: Executor, task: Task, runs: Runs, bands: list[Band]) -> Generator[tuple[Band, Any]]:
    """Each band, once it is done: with None by threads, else its numbers or, of a file, their digests.

    After an error, or Ctrl-C, none is begun any more, and those that run are waited for.
    """
    stop = Event()

    def interruptible() -> None:
        if stop.is_set():
            raise StoppedError

    def here(band: Band) -> None:
        task.job(runs, band, task.threads, interruptible)

    work: Callable[[Band], Any] = here if isinstance(executor, ThreadPoolExecutor) else partial(compute, task)
    beside = None if task.place is None else Path(task.place.path).with_suffix(TASK)
    return completed(executor, work, bands, stop=stop, beside=beside)


class StoppedError(Exception):
    """A thread ends, since another one has failed."""


def compute(task: Task, band: Band) -> Any:
    """The numbers of a band, in another process; of a file their digests, once they are written."""
    length = task.layout.length(task.n)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NO_RESERVE
    memory = mmap.mmap(-1, max(1, length * task.dtype.itemsize), flags=flags)
    runs = runs_of(Half(np.frombuffer(memory, task.dtype, length), task.layout, task.kind))
    task.job(runs, band, task.threads, lambda: None)
    begin, end = runs.begin(band[0]), runs.begin(band[1])
    numbers = runs.half[begin:end]
    if task.place is None:
        return numbers.copy()
    _write(numbers, task.place.path, task.place.begin + begin * task.dtype.itemsize)
    return task.place.digests(numbers, begin)


def _write(numbers: Array, path: str, at: int) -> None:
    """Bring numbers to the disk, into a file that is there."""
    letters = memoryview(numbers.view(np.uint8).data)
    descriptor = os.open(path, os.O_WRONLY)
    try:
        while letters:
            written = os.pwrite(descriptor, letters, at)
            letters, at = letters[written:], at + written
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
