"""Writes the full matrix of a store in panels of rows, in bounded memory."""

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypedDict

import numpy as np

from vech.arrays import Array, memory_limit
from vech.io.drafts import reserve
from vech.store import Store

PANEL = 1 << 30
"""Bytes of one panel at most, and an eighth of the memory there is: what writing takes, whatever the size.

Every panel reads its columns from all over the half. Where the half is larger than the page cache, read-ahead
then brings in much of it for each panel: a quarter of the panels took a third of the bytes.
"""

STEP = 64 << 20
"""Bytes of a panel that are written, sent to the disk and told as progress at a time."""

Progress = Callable[[int, int], object]
"""Called with the bytes done and the bytes in all."""


class How(TypedDict, total=False):
    """How a full matrix is written, beside where: by how many threads, and telling whom."""

    threads: int | None
    progress: Progress | None


def write_panels(
    file: BinaryIO, store: Store, *, threads: int | None = None, progress: Progress | None = None
) -> None:
    """Append the full matrix of `store` by rows to an open file: ordinary writes into reserved space."""
    n, row_bytes = store.n, store.n * store.dtype.itemsize
    total, begin = n * row_bytes, file.tell()
    reserve(file, begin + total)
    height = min(n, max(1, min(PANEL, memory_limit() // 8) // max(1, row_bytes)))
    panel = np.empty((height, n), store.dtype)
    for start in range(0, n, max(1, height)):
        stop = min(n, start + height)
        rows = store.expand(rows=slice(start, stop), out=panel[: stop - start], threads=threads)
        numbers = rows.reshape(-1).view(np.uint8).data
        for at in range(0, len(numbers), STEP):
            file.write(numbers[at : at + STEP])
            done = start * row_bytes + min(at + STEP, len(numbers))
            if height < n:
                _let_go(file, begin + done)
            if progress is not None:
                progress(done, total)


def blocks(
    store: Store, height: int, *, threads: int | None = None, progress: Progress | None = None
) -> Iterator[tuple[int, Array]]:
    """The full matrix of `store` by rows, so many at a time, each with the number of its first row."""
    row_bytes = store.n * store.dtype.itemsize
    for start in range(0, store.n, height):
        stop = min(store.n, start + height)
        yield start, store.expand(rows=slice(start, stop), threads=threads)
        if progress is not None:
            progress(stop * row_bytes, store.n * row_bytes)


def _let_go(file: BinaryIO, end: int) -> None:
    """Send what is written to the disk and out of the page cache, where the half shall stay."""
    file.flush()
    if hasattr(os, "posix_fadvise"):
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, end, os.POSIX_FADV_DONTNEED)
