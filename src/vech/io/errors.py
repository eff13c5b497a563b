"""What every file format needs to read: one error, and from which size on content is mapped."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

MAP_FROM = 64 << 20
"""Dense content of at least so many bytes is memory-mapped, read-only, instead of read."""

TRIES = 100
"""How often files are read again of which some were replaced while others were read."""

REPLACED = "is replaced again and again while it is read: read it when its writer is done"

SAID = 1000
"""Letters of a message, with what a file holds in it; of longer ones the middle is left out."""

NO_DIGEST = "has no digest of its numbers to verify: leave verify out, or vech.write them to a .npy"


T = TypeVar("T")

TAKES_DATA = "`vech covariance` takes data, rows by columns"


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
        if len(message) > SAID:  # what a file says where a name was wanted
            message = f"{message[: SAID // 2]} ... {message[-SAID // 2 :]}"
        super().__init__(message, path, line, byte)
        self.message, self.path, self.line, self.byte = message, str(path), line, byte

    def __str__(self) -> str:
        places = [self.path]
        if self.line is not None:
            places.append(f"line {self.line}")
        if self.byte is not None:
            places.append(f"byte {self.byte}")
        return visible(f"{', '.join(places)}: {self.message}")


class NoMatrixError(FileFormatError):
    """A file with nothing in it that could be the matrix that is meant, or with more than one."""


def untaken(error: TypeError, dtype: np.dtype[Any]) -> str:
    """What is said of a file with a dtype that vech refuses: the way out of `family` is for arrays."""
    reason = str(error).partition(": ")[0]
    way = f"write the file anew with {'complex128' if dtype.char == 'G' else 'float64'}"
    return f"holds what vech does not take, {reason}: {way}"


def visible(text: str) -> str:
    """The text with its control characters written out, so that a file cannot command a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def steady(path: Path | str, state: Callable[[], object], read: Callable[[], T]) -> T:
    """What is read of what belongs together, again where its state says that it was replaced meanwhile."""
    for _ in range(TRIES):
        before = state()
        try:
            found = read()
        except (OSError, ValueError):  # untrue where the numbers of one matrix met the names of another
            if state() == before:
                raise
        else:
            if state() == before:
                return found
    raise FileFormatError(REPLACED, path)


def which(*files: Path) -> list[tuple[int, int] | None]:
    """Which files and folders these are; None for one that is not there."""

    def state(file: Path) -> tuple[int, int] | None:
        try:
            found = file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_ino, found.st_mtime_ns

    return [state(file) for file in files]


def ordinary(path: Path) -> Path:
    """The path of a file or a folder; FileFormatError for a pipe, which waits for ever, or a device."""
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise FileFormatError(
                "is no ordinary file, but a pipe or a device: copy what it gives into a file", path
            )
    return path


@contextmanager
def reading(path: Path, what: str, *kept: type[Exception]) -> Iterator[None]:
    """Make one error of all that another library raises, which is much; `kept` are for who called."""
    own: tuple[type[Exception], ...] = (FileFormatError, ImportError, MemoryError, *kept)
    try:
        yield
    except own:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the system could not read; though what a file holds may send a seek to nowhere, EINVAL
        reason = " ".join(str(error).split()[:40]) or type(error).__name__
        raise FileFormatError(f"{what}: {reason}", path) from error


@contextmanager
def naming_faults(path: Path) -> Iterator[None]:
    """Give errors of the system that name no file the name of the one that was asked for."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


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
