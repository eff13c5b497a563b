"""Raw binary `.bin`: nothing but numbers; dtype and layout, or dtype and n, come from the caller."""

import os
from pathlib import Path
from typing import Any, BinaryIO, Unpack

import numpy as np

from vech.arrays import Array
from vech.io.content import Abilities, Content
from vech.io.drafts import atomic
from vech.io.dtypes import check_dtype
from vech.io.errors import MAP_FROM, FileFormatError
from vech.io.panels import How, write_panels
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), options=("dtype", "n"))


def load(path: Path, *, dtype: np.dtype[Any] | None = None, n: int | None = None) -> Content:
    """Load a half as a 1-D array; where there are n x n numbers, the full matrix by rows."""
    if dtype is None:
        raise FileFormatError("is raw binary: say dtype=, for example dtype='<f8' (--dtype '<f8')", path)
    check_dtype(dtype, path)
    with path.open("rb") as file:
        return Content.of_array(_read(file, path, dtype, n))


def _read(file: BinaryIO, path: Path, dtype: np.dtype[Any], n: int | None) -> Array:
    size = os.fstat(file.fileno()).st_size
    count, rest = divmod(size, dtype.itemsize)
    if rest:
        raise FileFormatError(
            f"has {size:,} bytes, no whole number of {dtype}: the nearest are {count * dtype.itemsize:,} and "
            f"{(count + 1) * dtype.itemsize:,}",
            path,
            byte=count * dtype.itemsize,
        )
    array: Array = np.memmap(file, dtype, "r") if size >= MAP_FROM else np.fromfile(file, dtype)
    return array.reshape(n, n) if n is not None and n > 1 and count == n * n else array


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write the numbers of a half as they are; layout, kind, n and dtype are not in the file."""
    with atomic(path, overwrite) as file:
        file.write(np.ascontiguousarray(store.half).view(np.uint8).data)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the full matrix by rows in panels; n and dtype are not in the file."""
    with atomic(path, overwrite) as file:
        write_panels(file, store, **how)
