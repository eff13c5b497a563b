"""What every file format needs: one error, and files that appear complete or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MAP_FROM = 64 << 20
"""Dense content of at least so many bytes is memory-mapped, read-only, instead of read."""


class FileFormatError(ValueError):
    """A file that is not what its name, its description or the arguments say.

    Attributes
    ----------
    path : str
        The file.
    line, byte : int or None
        Where in it: the line of a text file, counted from 1, or the offset in a binary one.

    Examples
    --------
    >>> print(FileFormatError("holds 3 numbers", "a.npy", byte=128))
    a.npy, byte 128: holds 3 numbers
    """

    def __init__(
        self, message: str, path: str | Path, line: int | None = None, byte: int | None = None
    ) -> None:
        super().__init__(message, path, line, byte)
        self.message, self.path, self.line, self.byte = message, str(path), line, byte

    def __str__(self) -> str:
        places = [self.path]
        if self.line is not None:
            places.append(f"line {self.line}")
        if self.byte is not None:
            places.append(f"byte {self.byte}")
        return visible(f"{', '.join(places)}: {self.message}")


def visible(text: str) -> str:
    """The text with its control characters written out, so that a file cannot command a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give errors about what a file holds its name."""
    try:
        yield
    except FileFormatError:
        raise
    except (ValueError, OverflowError) as error:
        raise FileFormatError(str(error), path) from error
    except MemoryError as error:
        raise MemoryError(f"{path}: {error}") from error


@contextmanager
def atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, which becomes `path` when the block ends well.

    It is flushed and synchronised before it is renamed; after any exception, Ctrl-C included, it is gone and
    what was at `path` is as before. A symbolic link is followed.
    """
    real = Path(os.path.realpath(path))
    if not real.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(path.parent))
    if real.exists() and not real.is_file():
        raise OSError(errno.EEXIST, "exists and is not an ordinary file", str(path))
    temporary = real.with_name(f".{real.name}.{os.urandom(4).hex()}.tmp")
    try:
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, real)
        except OSError as error:
            if error.filename in (None, str(temporary)):
                error.filename = str(path)
            raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def reserve(file: BinaryIO, size: int) -> None:
    """Reserve `size` bytes of disk for an open file, where the system can: a full disk shows at once."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return
        disk = os.fstatvfs(file.fileno())
        free = disk.f_bavail * disk.f_frsize
        raise OSError(
            error.errno, f"{error.strerror}: needs {size:,} bytes, and the disk has {free:,} free"
        ) from error
