"""Who computes: this thread, or the workers of an executor, with a few tasks at a time of any number.

A task is a function and an item, and may be done twice. The function goes out once: threads have it as it is,
a cluster of Dask keeps it on its workers, and other processes map its arrays from a file. An array that is
mapped from a file itself goes out as the path of that file, never as its numbers.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Done = TypeVar("Done")

EACH = 2
"""Tasks for each thread of a worker: one that is done, and the next one while its end is on its way."""

SMALL = 2**16
"""Bytes that go out with every task; what is larger goes out once."""

ALIGNED = 64
ENDS = 64
"""Bytes at both ends of an array by which its file is known again."""
ASKED = 5.0
"""Seconds after which a cluster is asked again how many threads it has: it grows and shrinks."""

KEPT = (
    "what is done in a store, or is in the journal of a file, stays there, and the same call (with out=, and "
    "resume=True) goes on from it with a new executor"
)
ENDED = f"a worker of the executor has ended, killed or out of memory; {KEPT}"
UNGUARDED = (
    "a worker of the executor has ended, killed or out of memory, or because each process that is started "
    "reads {} again, and begins its work anew: put what starts processes and computes below a line "
    'if __name__ == "__main__":'
)
GUARD = re.compile(r"^if\b.*\b__name__\b", re.MULTILINE)
LOST = (
    f"the cluster has lost its scheduler, or all workers that held what was sent to them, or its client was "
    f"closed; {KEPT}"
)


def executor_of(given: Any) -> Executor | None:
    """The executor that is meant: one, or a client of Dask that has one."""
    if given is None or isinstance(given, Executor):
        return given
    if isinstance(given, type):
        raise TypeError(
            f"executor is the class {given.__name__}, and what computes is one of it: {given.__name__}()"
        )
    if callable(own := getattr(given, "get_executor", None)):
        if getattr(given, "asynchronous", False):
            raise TypeError(
                "executor is an asynchronous client, and vech waits for its tasks: give Client(address) "
                "without asynchronous=True"
            )
        found: Executor = own(pure=False)  # a task writes, so that one of the same name is not known already
        return found
    if callable(getattr(given, "submit", None)):
        return given  # type: ignore[no-any-return]
    raise TypeError(
        f"executor must be None, a concurrent.futures.Executor or a distributed.Client, not "
        f"{type(given).__name__} {given!r:.80}"
    )


def completed(
    executor: Executor | None,
    function: Callable[[Item], Done],
    items: Iterable[Item],
    *,
    stop: Event | None = None,
    beside: Path | None = None,
) -> Generator[tuple[Item, Done]]:
    """Each item and what the function gives of it, as they are done; by None here, one after the other.

    Items may follow from results: an iterator that has no next one for now is asked again after each of them.
    After an error, Ctrl-C, or when nobody wants more, no task is begun any more: `stop` is set, and those
    that run are waited for where that is possible. What is shipped by a file goes `beside`, else into the
    temporary folder.
    """
    return _results(executor, function, items, stop, beside, ordered=False)


def in_order(
    executor: Executor | None,
    function: Callable[[Item], Done],
    items: Iterable[Item],
    *,
    stop: Event | None = None,
    beside: Path | None = None,
) -> Generator[tuple[Item, Done]]:
    """As `completed`, in the order of the items, few of them ahead of the one that is waited for."""
    return _results(executor, function, items, stop, beside, ordered=True)


def _results(
    executor: Executor | None,
    function: Callable[[Item], Done],
    items: Iterable[Item],
    stop: Event | None,
    beside: Path | None,
    *,
    ordered: bool,
) -> Generator[tuple[Item, Done]]:
    if executor is None:
        for item in items:
            yield item, function(item)
        return
    waiting = iter(items)
    pending: dict[Future[Done], Item] = {}
    finished: SimpleQueue[Future[Done]] = SimpleQueue()
    with ExitStack() as stack:
        try:
            window = _Window(executor)
            submit = _submitting(executor, function, beside, stack)
            while True:
                for item in islice(waiting, max(0, window.size() - len(pending))):
                    future = submit(item)
                    pending[future] = item
                    if not ordered:
                        future.add_done_callback(finished.put)
                    del future
                if not pending:
                    return
                yield _taken(executor, pending, next(iter(pending)) if ordered else finished.get())
        finally:
            if stop is not None:
                stop.set()
            wait([future for future in pending if not future.cancel()])


def _taken(executor: Executor, pending: dict[Future[Done], Item], future: Future[Done]) -> tuple[Item, Done]:
    """An item and its result, which nobody keeps here any longer."""
    try:
        done = future.result()
    except CancelledError:
        raise BrokenExecutor(LOST) from None
    except BrokenExecutor as error:
        raise type(error)(_why(executor)) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # of Dask, once the same task has ended several workers
            raise BrokenExecutor(ENDED) from error
        raise
    return pending.pop(future), done


def _why(executor: Executor) -> str:
    """Why a worker may have ended: a script is read again by processes that are not forked."""
    context = getattr(executor, "_mp_context", None)
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if context is not None and context.get_start_method() != "fork" and script is not None:
        with suppress(OSError):
            if not GUARD.search(Path(script).read_text(encoding="utf-8", errors="replace")):
                return UNGUARDED.format(script)
    return ENDED


class _Window:
    """How many tasks are given out at a time."""

    def __init__(self, executor: Executor) -> None:
        self._client = getattr(executor, "_client", None)
        threads = getattr(executor, "_max_workers", None) or 2 * (os.cpu_count() or 1)  # or as many as may be
        self._size, self._asked = EACH * int(threads), -ASKED

    def size(self) -> int:
        """As many as keep the workers busy that there are now."""
        if self._client is not None and time.monotonic() - self._asked > ASKED:
            if getattr(self._client, "status", "") == "closed":
                raise BrokenExecutor(LOST)
            try:
                threads = sum(self._client.nthreads().values())
            except OSError as error:  # what Dask says of a connection that is gone
                raise BrokenExecutor(LOST) from error
            self._size, self._asked = EACH * max(1, threads), time.monotonic()
        return self._size


# ---------------------------------------------------------------- what goes out


def _submitting(
    executor: Executor, function: Callable[[Item], Done], beside: Path | None, stack: ExitStack
) -> Callable[[Item], Future[Done]]:
    """How an item is given out, once the function is where it can be called."""
    if isinstance(executor, ThreadPoolExecutor):
        return lambda item: executor.submit(function, item)
    client = getattr(executor, "_client", None)
    shipped: Any = Shipment.of(function, cloud=client is not None)
    if shipped.nbytes > SMALL:
        if client is not None:
            shipped = client.scatter(shipped, broadcast=True, hash=False)
        else:
            path = beside or Path(stack.enter_context(TemporaryDirectory(prefix="vech-")), "task")
            shipped.write(path)
            stack.callback(path.unlink, missing_ok=True)
            shipped = path

    def submit(item: Item) -> Future[Done]:
        try:
            return executor.submit(_call, shipped, item)
        except BrokenExecutor as error:  # one that is used again
            raise type(error)(_why(executor)) from error
        except Exception as error:
            if getattr(client, "status", None) == "closed":
                raise BrokenExecutor(LOST) from error
            raise

    return submit


def _call(shipped: Shipment | Path, item: Any) -> Any:
    """A task, where it is done."""
    if isinstance(shipped, Path):
        shipped = Shipment.read(shipped)
    return shipped.function()(item)


@dataclass(frozen=True)
class Shipment:
    """A function as bytes, its arrays apart."""

    stream: bytes
    arrays: list[NDArray[np.uint8]]

    @classmethod
    def of(cls, function: Any, *, cloud: bool = False) -> Shipment:
        """TypeError for what cannot be pickled; with `cloud` that is less, as Dask pickles."""
        parts: list[pickle.PickleBuffer] = []
        stream = pickled(function, parts.append, _pickler(cloud))
        return cls(stream, [np.frombuffer(part.raw(), np.uint8) for part in parts])

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return len(self.stream) + sum(array.nbytes for array in self.arrays)

    def function(self) -> Any:
        """The function, whose arrays stay where they are."""
        return pickle.loads(self.stream, buffers=self.arrays)

    def write(self, path: Path) -> None:
        """Into a new file: eight bytes of a length, an index of so many bytes, the arrays, aligned."""
        places, at = [], 0
        for array in self.arrays:
            places.append((at, array.nbytes))
            at += _aligned(array.nbytes)
        index = pickle.dumps((self.stream, places))
        begin = _aligned(8 + len(index))
        with open(path, "xb") as file:  # workers of a run that was killed may still have another one in use
            file.write(len(index).to_bytes(8, "little") + index)
            for array, (place, _) in zip(self.arrays, places, strict=True):
                file.seek(begin + place)
                file.write(array.data)
            file.truncate(begin + at)

    @classmethod
    def read(cls, path: Path) -> Shipment:
        """What was written, mapped into memory."""
        with open(path, "rb") as file:
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        size = int.from_bytes(content[:8], "little")
        stream, places = pickle.loads(content[8 : 8 + size])
        begin = _aligned(8 + size)
        return cls(
            stream,
            [np.frombuffer(content[begin + at : begin + at + nbytes], np.uint8) for at, nbytes in places],
        )


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNED) * ALIGNED


def pickled(
    thing: Any, keep: Callable[[pickle.PickleBuffer], Any] | None = None, pickler: Any = pickle.Pickler
) -> bytes:
    """It as bytes, its arrays apart; TypeError where that cannot be."""
    file = io.BytesIO()
    try:
        pickler(file, protocol=5, buffer_callback=keep).dump(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(
            f"what is to be computed cannot be sent to other processes ({error}): define the function in a "
            f"module, with what it needs by functools.partial, or use a ThreadPoolExecutor"
        ) from error
    return file.getvalue()


def _pickler(cloud: bool) -> Any:
    base: Any = pickle.Pickler
    if cloud:  # which takes functions of a notebook too, and comes with Dask
        import cloudpickle

        base = cloudpickle.Pickler

    class Pickler(base):  # type: ignore[misc]
        """Arrays that are mapped from a file as its path."""

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, np.ndarray) and (found := mapped_from(thing)) is not None:
                return map_again, found
            return super().reducer_override(thing) if cloud else NotImplemented

    return Pickler


# ---------------------------------------------------------------- arrays mapped from files

Place = tuple[str, int, int, np.dtype[Any], tuple[int, ...], int, tuple[int, ...], bytes]
"""Of an array in a file: path, first byte, bytes; dtype, shape, byte of the first number there, strides; its
ends."""


def mapped_from(array: NDArray[Any]) -> Place | None:
    """The place of an array that is mapped from a file, as long as that file has these numbers.

    None for all else, and for a map whose changes are its own.
    """
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    if not isinstance(root, np.memmap) or root.filename is None or root.mode == "c" or not array.size:
        return None
    if root.mode != "r":
        root.flush()
    low, high = np.lib.array_utils.byte_bounds(array)
    path, nbytes = os.path.abspath(root.filename), high - low
    begin = root.offset + low - np.lib.array_utils.byte_bounds(root)[0]
    whole: Any = root.base
    mapped = memoryview(whole)[begin - _begin_of(root) :][:nbytes]
    ends = _ends(mapped)
    with suppress(OSError, ValueError):  # or a file that was since put under its name is another one
        if _ends(np.memmap(path, np.uint8, "r", begin, (nbytes,)).data) == ends:
            first = array.__array_interface__["data"][0] - low
            return path, begin, nbytes, array.dtype, array.shape, first, array.strides, ends
    return None


def _ends(letters: memoryview) -> bytes:
    """What an array is known by."""
    return bytes(letters[:ENDS]) + bytes(letters[-ENDS:])


def _begin_of(root: np.memmap[Any, Any]) -> int:
    """The byte of its file at which a map begins: that of its numbers, down to what systems map."""
    return root.offset - root.offset % mmap.ALLOCATIONGRANULARITY


def map_again(
    path: str,
    begin: int,
    nbytes: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    first: int,
    strides: tuple[int, ...],
    ends: bytes,
) -> NDArray[Any]:
    """The same array, in another process."""
    try:
        found = np.memmap(path, np.uint8, "r", begin, (nbytes,))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{path} cannot be mapped by a worker ({error}): an array that is a memory map goes out as the "
            f"path of its file, so put that where all workers have it under this name"
        ) from error
    if _ends(found.data) != ends:
        raise ValueError(
            f"{path} holds other numbers where this worker is than where the call was made: put the same "
            f"file under this name, or pass an array in memory"
        )
    return np.ndarray(shape, dtype, found, first, strides)
