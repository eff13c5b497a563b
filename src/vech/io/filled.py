"""Arrays of files that are larger than the files: what was never written is filled when it is read."""

import math
from pathlib import Path

from vech.io.errors import FileFormatError

MOST = 1 << 14
"""Bytes of numbers that a byte of the file may stand for: what was never written takes no room there."""

LEAST = 1 << 13
"""Bytes that are taken for as many: 128 MiB of zeros are no danger."""


def check_filled(name: str, shape: tuple[int, ...], itemsize: int, size: int, path: Path) -> None:
    """Refuse an array that is far larger than the bytes that its file, or its folder, has for it."""
    if math.prod(shape) * itemsize > MOST * max(size, LEAST):
        raise FileFormatError(f"has {size:,} bytes, and its {name} of shape {shape} would be filled", path)


def folder_size(folder: Path, enough: int) -> int:
    """The bytes of the files in a folder, counted until they are enough."""
    found = 0
    for file in folder.rglob("*"):
        if found >= enough:
            break
        if file.is_file():
            found += file.stat().st_size
    return found
