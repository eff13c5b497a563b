"""NumPy's `.npy`: a full matrix, or a half with its description in a JSON file beside it."""

from pathlib import Path
from typing import Any, BinaryIO, Unpack

import numpy as np
from numpy.lib import format as npy_format

from vech.io.arrays import read_array
from vech.io.content import Abilities, Content
from vech.io.description import describe_half
from vech.io.digests import digest
from vech.io.drafts import draft
from vech.io.dtypes import check_dtype, forgettable, remembered
from vech.io.errors import NO_DIGEST, FileFormatError
from vech.io.pair import described, description_path, read_pair, replace_pair
from vech.io.panels import How, write_panels
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, options=("dtype", "verify"))


def load(path: Path, *, dtype: np.dtype[Any] | None = None, verify: bool = False) -> Content:
    """Load a half with its description, or the bare array of a file that has none beside it."""
    array, text = read_pair(path, read_array)
    if text is not None:
        half = described(array, text, description_path(path), verify=verify)
        if half is not None:
            return Content.of_store(half)
    if verify:
        raise FileFormatError(NO_DIGEST, path)
    array = remembered(array, dtype, path)
    check_dtype(array.dtype, path)
    return Content.of_array(array)


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write a half and its description, which change as one."""
    half = forgettable(np.ascontiguousarray(store.half))
    description = describe_half(store, digest(half)).encode() + b"\n"
    with draft(path, overwrite) as numbers:
        write_header(numbers.file, half.dtype, half.shape)
        numbers.file.write(half.view(np.uint8).data)
        numbers.seal()
        replace_pair(numbers, description, read_array)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the full matrix in panels of rows, and remove the description of a half that was there before."""
    with draft(path, overwrite) as numbers:
        write_header(numbers.file, forgettable(np.empty(0, store.dtype)).dtype, store.shape)
        write_panels(numbers.file, store, **how)
        numbers.seal()
        replace_pair(numbers, None, read_array)


def write_header(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write what comes before the numbers of an array."""
    descr = npy_format.dtype_to_descr(dtype)
    npy_format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
