"""NumPy's `.npy`: a full matrix, or a half with its description in a JSON file beside it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from vech.arrays import Array
from vech.io.arrays import read_array
from vech.io.description import describe_half, described_half
from vech.io.dtypes import check_dtype, forgettable, remembered
from vech.io.files import FileFormatError, atomic
from vech.io.panels import Progress, write_panels
from vech.packed import Packed
from vech.store import Store

HOLDS: tuple[str, ...] = ("dense",)


def load(path: Path, dtype: np.dtype[Any] | None, n: int | None) -> Packed | Array:
    """Load a half with its description, or the bare array of a file that has none beside it."""
    array = read_array(path)
    beside = description_path(path)
    try:
        text = beside.read_text(encoding="utf-8")
    except FileNotFoundError:
        array = remembered(array, dtype, path)
        check_dtype(array.dtype, path)
        return array
    except UnicodeDecodeError as error:
        raise FileFormatError("is not JSON in UTF-8", beside, byte=error.start) from error
    return described_half(array, text, beside)


def write(path: Path, store: Store) -> None:
    """Write a half and its description; the description is renamed into place first."""
    if not isinstance(store, Packed):
        raise TypeError(
            f"{path}: .npy holds a dense half, and this is a {type(store).__name__}: write .npz or .mtx, "
            "or its to_packed()"
        )
    with atomic(path) as file, atomic(description_path(path)) as beside:
        beside.write(describe_half(store).encode() + b"\n")
        npy_format.write_array(file, forgettable(store.half), allow_pickle=False)


def expand(
    path: Path, store: Store, to: str, *, threads: int | None = None, progress: Progress | None = None
) -> None:
    """Write the full matrix in panels of rows, and remove the description of a half that was there before."""
    with atomic(path) as file:
        header = {
            "descr": npy_format.dtype_to_descr(forgettable(np.empty(0, store.dtype)).dtype),
            "fortran_order": False,
            "shape": store.shape,
        }
        npy_format.write_array_header_1_0(file, header)
        write_panels(file, store, threads=threads, progress=progress)
    description_path(path).unlink(missing_ok=True)


def description_path(path: Path) -> Path:
    """Say where the description of a half lies: beside the file itself, where `path` is a link to it."""
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    return path.with_name(path.name + ".json")
