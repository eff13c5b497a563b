"""Files packed by gzip, which their names say: read and written as if they were not."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from vech.io.errors import FileFormatError

SUFFIX = ".gz"
LEVEL = 1  # digits are 2 % smaller at 6, and take three times as long

DEFLATES_TO = 1032
"""Bytes that one packed byte can hold at most, beside the first few: zlib.net/zlib_tech.html."""


LONGEST = 1 << 26
"""Bytes of a line at most: three million numbers."""


def is_packed(path: Path) -> bool:
    """Whether the name says so."""
    return path.name.lower().endswith(SUFFIX)


class _Text(gzip.GzipFile):
    """A packed file whose lines come to an end: a few bytes can hold one that fills the memory."""

    def readline(self, size: int | None = -1) -> bytes:
        line: bytes = super().readline(LONGEST + 1 if size is None or size < 0 else size)
        if len(line) > LONGEST:
            raise ValueError(f"has a line of more than {LONGEST:,} bytes, when it is unpacked")
        return line


def bare_name(path: Path) -> str:
    """The name of a file without what says that it is packed."""
    return path.name[: -len(SUFFIX)] if is_packed(path) else path.name


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read what is in it, unpacked."""
    with path.open("rb") as file:
        if not is_packed(path):
            yield file
            return
        try:
            with _Text(fileobj=file) as text:
                yield cast(BinaryIO, text)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileFormatError(f"is no whole gzip file: {error}", path) from error


def largest(path: Path) -> int:
    """Bytes that a file can hold at most, unpacked."""
    size = path.stat().st_size
    return DEFLATES_TO * (size + 1) if is_packed(path) else size


@contextmanager
def packed(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Give a file whose bytes go packed into the one that is open, where the target's name says so."""
    if not is_packed(path):
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=LEVEL, mtime=0) as text:
        yield cast(BinaryIO, text)
