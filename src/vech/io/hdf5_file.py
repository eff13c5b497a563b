"""An HDF5 file as h5py opens it, of which nothing is believed; and what h5py says of a full disk."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vech.io.errors import FileFormatError, reading
from vech.io.filled import check_filled

ERRNO = re.compile(r"errno = (\d+)")
"""Where h5py has the number of an error of the system that is none of Python's."""


def h5py() -> Any:
    """The library; ImportError that says how to have it."""
    try:
        import h5py
    except ImportError:
        raise ImportError('HDF5 files need h5py: pip install "vech[hdf5]"') from None
    return h5py


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file for reading."""
    library = h5py()
    path.open("rb").close()  # whose errors are clearer
    with reading(path, "cannot be opened by h5py"):
        root = library.File(path, "r", locking=False)
    with root:
        yield root


def dataset_in(root: Any, inside: str, path: Path) -> Any:
    """A dataset by its name; FileFormatError where there is none, or where its numbers are elsewhere."""
    library = h5py()
    if inside not in root:
        raise FileFormatError(f"has no dataset /{inside}", path)
    dataset = root[inside]
    if not isinstance(dataset, library.Dataset) or dataset.shape is None:
        raise FileFormatError(f"has no array of numbers at /{inside}", path)
    if dataset.file.filename != root.file.filename or dataset.is_virtual or dataset.external:
        raise FileFormatError(
            f"has the numbers of /{inside} in another file, which vech does not follow", path
        )
    return dataset


def check_written(dataset: Any, path: Path) -> None:
    """Refuse a dataset that is far larger than its file."""
    name, size = f"dataset {dataset.name}", path.stat().st_size
    check_filled(name, dataset.shape, dataset.dtype.itemsize, size, path)


@contextmanager
def telling_faults(path: Path) -> Iterator[None]:
    """Make errors of h5py while it writes those of the system, where they are."""
    try:
        yield
    except (OSError, TypeError, RuntimeError) as error:  # RuntimeError: h5py's close, on a full disk
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if fault := ERRNO.search(str(error)):
            raise OSError(number := int(fault[1]), os.strerror(number), str(path)) from error
        raise ValueError(f"{path}: cannot be written by h5py: {error}") from error
