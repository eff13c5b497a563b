"""Who computes: this process, or the workers of an executor, which get coarse tasks and may do one twice.

A task is the runs of one band. Threads write into the half where it is. What other processes need is written
once to a file, whose arrays each maps into memory; they give back the numbers of a band, or write them to
the draft of the file that is made and give back their digests.
"""

from __future__ import annotations

import mmap
import os
import pickle
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, NamedTuple, Protocol

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import Half, Runs, runs_of
from vech.results.file import TASK, Place
from vech.results.journal import Band

ALIGNED = 64
NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)
"""Memory that is not touched is then not counted, so that a whole half need not fit for a band of it."""

Tick = Callable[[], None]


class Job(Protocol):
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


def executor_of(given: Any) -> Executor | None:
    """The executor that is meant: one, or a client of Dask that has one."""
    if given is None or isinstance(given, Executor):
        return given
    if callable(own := getattr(given, "get_executor", None)):
        found: Executor = own()
        return found
    if callable(getattr(given, "submit", None)):
        return given  # type: ignore[no-any-return]
    raise TypeError(
        f"executor must be None, a concurrent.futures.Executor or a distributed.Client, not "
        f"{type(given).__name__} {given!r:.80}"
    )


def results(executor: Executor, task: Task, runs: Runs, bands: list[Band]) -> Generator[tuple[Band, Any]]:
    """Each band, once it is done: with None by threads, else its numbers or, of a file, their digests.

    As many tasks are given out as keep the workers busy. After an error, or Ctrl-C, none is begun any more,
    and those that run are waited for.
    """
    stop = Event()

    def interruptible() -> None:
        if stop.is_set():
            raise StoppedError

    with ExitStack() as stack:
        if isinstance(executor, ThreadPoolExecutor):

            def submit(band: Band) -> Future[Any]:
                return executor.submit(task.job, runs, band, task.threads, interruptible)
        else:
            shipped = stack.enter_context(_shipped(task))

            def submit(band: Band) -> Future[Any]:
                return executor.submit(compute, shipped, band)

        waiting = iter(bands)
        pending: dict[Future[Any], Band] = {}
        try:
            while True:
                for band in islice(waiting, _busy(executor) - len(pending)):
                    pending[submit(band)] = band
                if not pending:
                    return
                for done in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(done), done.result()
        except BrokenExecutor as error:
            raise type(error)(
                "a worker of the executor has ended, killed or out of memory; where out= is a path, what was "
                "done until then is in its journal: resume=True goes on with a new executor"
            ) from error
        finally:
            stop.set()
            wait([future for future in pending if not future.cancel()])


class StoppedError(Exception):
    """A thread ends, since another one has failed."""


def compute(shipped: str, band: Band) -> Any:
    """The numbers of a band, in another process; of a file their digests, once they are written."""
    task = _received(shipped)
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


def _busy(executor: Executor) -> int:
    """Tasks to give out at a time: two for each worker, or as many as may be where these are not known."""
    workers = getattr(executor, "_max_workers", None) or 2 * (os.cpu_count() or 1)
    return 2 * int(workers)


@contextmanager
def _shipped(task: Task) -> Iterator[str]:
    """A file with what a task needs, beside the file that is made or else in the temporary folder."""
    with ExitStack() as stack:
        if task.place is None:
            path = Path(stack.enter_context(TemporaryDirectory(prefix="vech-")), "task")
        else:
            path = Path(task.place.path).with_suffix(TASK)
            stack.callback(path.unlink, missing_ok=True)
        _ship(task, path)
        yield str(path)


def _ship(task: Task, path: Path) -> None:
    """Pickle it, arrays apart and aligned: eight bytes of a length, an index of so many bytes, the arrays."""
    buffers: list[pickle.PickleBuffer] = []
    stream = pickled(task, buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    places, at = [], 0
    for part in raw:
        places.append((at, part.nbytes))
        at += -(-part.nbytes // ALIGNED) * ALIGNED
    index = pickle.dumps((stream, places))
    begin = -(-(8 + len(index)) // ALIGNED) * ALIGNED
    with open(path, "xb") as file:  # workers of a run that was killed may still have another one in use
        file.write(len(index).to_bytes(8, "little") + index)
        for part, (place, _) in zip(raw, places, strict=True):
            file.seek(begin + place)
            file.write(part)
        file.truncate(begin + at)


def _received(shipped: str) -> Task:
    with open(shipped, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    size = int.from_bytes(content[:8], "little")
    stream, places = pickle.loads(content[8 : 8 + size])
    begin = -(-(8 + size) // ALIGNED) * ALIGNED
    task: Task = pickle.loads(
        stream, buffers=[content[begin + at : begin + at + nbytes] for at, nbytes in places]
    )
    return task


def pickled(thing: Any, keep: Callable[[pickle.PickleBuffer], Any] | None = None) -> bytes:
    """It as bytes, its arrays apart; TypeError where that cannot be."""
    try:
        return pickle.dumps(thing, protocol=5, buffer_callback=keep)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"what is to be computed cannot be sent to other processes ({error}): define the function in a "
            f"module, with what it needs by functools.partial, or use a ThreadPoolExecutor"
        ) from error
