"""Memory maps among arrays: the file of one may be shorter now than when it was mapped."""

import errno
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_read(x: Any) -> NDArray[Any]:
    """As `numpy.asarray`, which reads what is listed, after `check_mapped` of it or of its items."""
    for part in x if isinstance(x, list | tuple) else (x,):
        check_mapped(part)
    return np.asarray(x)


def check_mapped(array: Any) -> None:
    """OSError for a memory map whose file is shorter now: going beyond its end would end the process."""
    if type(array) is np.ndarray and ((base := array.base) is None or is_plain(base)):
        return  # what most arrays are
    for part in maps_of(array):
        needed, size = part.offset + part.nbytes, part.base.size()  # type: ignore[operator, union-attr]
        if size < needed:
            reason = f"is mapped into memory, and has {size:,} bytes now where {needed:,} were: read it again"
            raise OSError(errno.EIO, reason, str(part.filename))


def check_series(x: Any) -> None:
    """The same of the numbers of a series or an index, or of an array."""
    numbers = getattr(x, "to_numpy", None) if isinstance(getattr(x, "dtype", None), np.dtype) else None
    check_mapped(x if numbers is None else numbers())


def is_plain(base: Any) -> bool:
    """Whether what an array is a view of holds its own numbers."""
    return type(base) is np.ndarray and base.base is None


def maps_of(array: Any) -> Iterator[np.memmap[Any, Any]]:
    """The memory maps of files that an array is part of."""
    while isinstance(array, np.ndarray) and (base := array.base) is not None:
        if isinstance(base, mmap.mmap) and isinstance(array, np.memmap):
            yield array
        array = base
