"""An array as NumPy writes it, in a `.npy` or a member of a `.npz`: its header and its numbers.

The header is read by a pattern, not evaluated as NumPy does: damaged, that can hang or raise anything.
"""

import math
import os
import re
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from vech.arrays import Array, check_memory
from vech.io.dtypes import as_dtype
from vech.io.errors import MAP_FROM, FileFormatError

MAGIC = b"\x93NUMPY"
LONGEST = 10_000
"""Bytes of a header at most, as in NumPy; that of an array of numbers has 118."""

FARTHEST = 2**58
"""More numbers than that, of 16 bytes each, nothing addresses."""

DIGITS = len(str(FARTHEST))

EXAMPLE = "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }"
_TEXT = r"'[^'\\]*'|\"[^\"\\]*\""
_ITEM = re.compile(
    rf"(?P<key>{_TEXT})\s*:\s*(?:(?P<text>{_TEXT})|(?P<flag>True|False)|\((?P<sides>[\dL,\s]*)\))"
    r"\s*(?:,|(?=\}))\s*",
    re.ASCII,
)
_STRUCTURED = re.compile(r"['\"]descr['\"]\s*:\s*[\[(]")
_SIDES = re.compile(r"\s*(?:\d+L?\s*,\s*)*(?:\d+L?\s*)?", re.ASCII)


class Header(NamedTuple):
    """What an array is, and the bytes before its numbers."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    begin: int

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """The bytes of all."""
        return self.begin + self.size * self.dtype.itemsize


def read_header(file: IO[bytes]) -> Header:
    """Read the header of an array; ValueError for what is none, or has objects or fields."""
    start = file.read(len(MAGIC) + 2)
    if start[: len(MAGIC)] != MAGIC or len(start) < len(MAGIC) + 2:
        raise ValueError(f"begins with {start[: len(MAGIC)]!r}, and an array with {MAGIC!r}")
    version = start[len(MAGIC) :]
    width = {b"\1\0": 2, b"\2\0": 4}.get(version)
    if width is None:
        known = "which is for structured arrays" if version == b"\3\0" else "which NumPy has not"
        raise ValueError(f"is of version {version[0]}.{version[1]}, {known}: 1.0 and 2.0 fit")
    length = int.from_bytes(file.read(width), "little")
    if length > LONGEST:
        raise ValueError(f"its header has {length:,} bytes, and {LONGEST:,} at most fit")
    text = file.read(length)
    if len(text) < length:
        raise ValueError(f"ends in its header, after {len(text)} of {length} bytes")
    return Header(*_fields(text.decode("latin-1")), len(start) + width + length)


def _fields(text: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype, which a header says in any order."""
    inside = re.fullmatch(r"\s*\{\s*(.*\})\s*", text, re.DOTALL)
    found: dict[str, re.Match[str]] = {}
    at = 0
    while inside is not None and (item := _ITEM.match(inside[1], at)) is not None:
        if (key := item["key"][1:-1]) in found:
            break
        found[key] = item
        at = item.end()
    if _STRUCTURED.search(text):
        raise ValueError("it holds a structured array, and its fields are no matrix: save one of them")
    fields = [found.get(key) for key in ("descr", "fortran_order", "shape")]
    descr, flag, sides = (
        item and item[group] for item, group in zip(fields, ("text", "flag", "sides"), strict=True)
    )
    if (
        inside is None
        or at != len(inside[1]) - 1
        or len(found) != len(fields)
        or descr is None
        or flag is None
        or sides is None
        or _SIDES.fullmatch(sides) is None
    ):
        short = text if len(text) <= 120 else text[:120] + "..."
        raise ValueError(f"its header is {short!r}, and not like {EXAMPLE!r}")
    digits = [side.strip().rstrip("L").lstrip("0") for side in sides.split(",") if side.strip()]
    long = len(digits) > 64 or any(len(side) > DIGITS for side in digits)
    shape = () if long else tuple(int(side or 0) for side in digits)
    if long or math.prod(shape) > FARTHEST or any(side > FARTHEST for side in shape):
        raise ValueError(f"its shape has {len(digits)} sides and more numbers than an array can hold")
    try:
        return shape, flag == "True", as_dtype(descr[1:-1])
    except TypeError as error:
        raise ValueError(str(error)) from None


def read_array(file: BinaryIO) -> Array:
    """Read the array in a `.npy`, or map it into memory when it is large."""
    path = Path(file.name)
    try:
        header = read_header(file)
    except ValueError as error:
        raise FileFormatError(f"is no .npy file: {error}", path, byte=file.tell()) from error
    refuse_objects(header, path)
    size = os.fstat(file.fileno()).st_size
    if size != header.end:
        raise FileFormatError(
            f"ends at byte {size:,}, and its header (dtype {header.dtype}, shape {header.shape}) "
            f"says {header.end:,}",
            path,
            byte=min(size, header.end),
        )
    order = "F" if header.fortran else "C"
    if size - header.begin >= MAP_FROM:
        return np.memmap(file, header.dtype, "r", header.begin, header.shape, order)  # type: ignore[call-overload,no-any-return]
    numbers: Array = np.fromfile(file, header.dtype, header.size)
    if numbers.size < header.size:
        raise FileFormatError("was cut short while it was read", path)
    return numbers.reshape(header.shape, order=order)  # type: ignore[call-overload,no-any-return]


def refuse_objects(header: Header, path: Path) -> None:
    """Refuse what only running code could load, and numbers without size."""
    if header.dtype.hasobject:
        raise FileFormatError(
            "holds pickled Python objects, which vech does not load: they could run anything", path
        )
    if header.dtype.itemsize == 0:
        raise FileFormatError(f"holds numbers of no bytes, dtype {header.dtype}", path)


def read_numbers(file: IO[bytes], header: Header) -> Array:
    """Read the numbers that follow a header, from a stream that holds just these."""
    check_memory(header.size * header.dtype.itemsize, "it is packed in the file, and unpacks to that")
    array = np.empty(header.size, header.dtype)
    letters = (array if array.size else np.empty(0, np.uint8)).view(np.uint8).data
    filled = 0
    while filled < len(letters) and (count := file.readinto(letters[filled:])):  # type: ignore[attr-defined]
        filled += count
    if filled < len(letters) or file.read(1):
        raise ValueError(f"its numbers are not the {len(letters):,} bytes that its header says")
    return array.reshape(header.shape, order="F" if header.fortran else "C")
