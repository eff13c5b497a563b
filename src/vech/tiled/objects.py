"""Where the objects of a store are: a folder of this machine, or whatever fsspec knows by its URL."""

from __future__ import annotations

import errno
import mmap
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from vech.arrays import Array
from vech.io.content import INSIDE
from vech.io.drafts import EXISTS, atomic, locked, locks, sync_folder
from vech.tiled.description import GROUP, is_tiled, says_tiled

CHANGES = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")
"""What file systems of fsspec say of an object, of which something changes with it."""

LOCAL, MEMORY = "file://", "memory://"

NOT_OURS = "exists and is no store of tiles, so it is not overwritten"

Letters = Array
"""Bytes, as an array of uint8."""


class Stamp(NamedTuple):
    """What changes when an object is written again."""

    size: int
    said: tuple[Any, ...]


class Place(Protocol):
    """Named objects that appear whole."""

    path: str
    maps: bool  # whether objects are mapped into memory, not read

    def stamp(self, name: str) -> Stamp:
        """Of an object; FileNotFoundError where there is none."""

    def get(self, name: str) -> Letters:
        """An object."""

    def put(self, name: str, parts: Iterable[Any]) -> None:
        """Write an object of these parts, at once: it is there and on the disk afterwards, or as before."""

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Names below a folder, and how many bytes each object has."""

    def draft(self, overwrite: bool) -> AbstractContextManager[Place]:
        """A place for a new store, which is at this one when the block ends well."""

    def make_folders(self, folders: Iterable[str]) -> None:
        """Make folders for objects to come."""

    def remove(self) -> None:
        """Remove all objects."""


def place_of(path: str | os.PathLike[str]) -> Place:
    """The place that a path or a URL names."""
    text = as_path("path", path).removeprefix(LOCAL)
    if "://" in text:
        return Remote(text)
    if INSIDE in text:
        raise ValueError(
            f"{text}: {INSIDE!r} is between a file and what is inside it, and a store of tiles is a folder "
            f"of its own: choose a name without it"
        )
    return Folder(text)


def as_path(what: str, path: Any) -> str:
    """A path or a URL as text; TypeError for what is neither, and for bytes."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a path, or a URL as text, not {type(path).__name__} {path!r:.80}")
    return text


def draft_of(path: str) -> str:
    """Where a store is made that will take the place of one that is there; by URL it is overwritten."""
    place = place_of(path)
    if not isinstance(place, Folder):
        return path
    return str(Path(place.path).with_name(f".{os.path.basename(place.path)}.part"))


def put_in_place(draft: str, path: str) -> None:
    """Let a store that is complete take the place of another."""
    place = Folder(place_of(path).path)
    with locked(Path(place.path).parent):
        place.replace(Path(draft))


class Folder:
    """Files in a folder."""

    maps = True

    def __init__(self, path: str, *, draft: bool = False) -> None:
        self.path = os.path.realpath(path)
        self._draft = draft  # which nobody reads, and which is brought to the disk as a whole

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)

    def stamp(self, name: str) -> Stamp:
        found = os.stat(self._file(name))
        return Stamp(found.st_size, (found.st_ino, found.st_mtime_ns))

    def get(self, name: str) -> Letters:
        with open(self._file(name), "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return np.empty(0, np.uint8)
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

    def put(self, name: str, parts: Iterable[Any]) -> None:
        path = Path(self._file(name))
        if not path.parent.is_dir():
            self.make_folders([os.path.dirname(name)])
        with open(path, "wb") if self._draft else atomic(path) as file:
            for part in parts:
                file.write(part)

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError), os.scandir(self._file(folder)) as entries:
            for entry in entries:
                if entry.is_dir():
                    yield from self.names(f"{folder}/{entry.name}")
                elif not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        yield f"{folder}/{entry.name}", entry.stat().st_size

    @contextmanager
    def draft(self, overwrite: bool) -> Iterator[Place]:
        target = Path(self.path)
        if not target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such directory", str(target.parent))
        made = _beside(target, "new")
        with locked(target.parent):
            self._refuse(target, overwrite)
            _remove_leftovers(target)
            made.mkdir()
            holder = os.open(made, os.O_RDONLY)
            locks(holder)  # it has a maker
        try:
            yield Folder(str(made), draft=True)
            _sync(made)
            with locked(target.parent):
                self._refuse(target, overwrite)
                self.replace(made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.close(holder)

    def replace(self, by: Path) -> None:
        """Let another folder take this place."""
        target = Path(self.path)
        old = _beside(target, "old")
        try:
            if target.exists():
                os.rename(target, old)
            os.rename(by, target)
            sync_folder(target.parent)
        finally:
            if old.exists() and not target.exists():
                os.rename(old, target)
            shutil.rmtree(old, ignore_errors=True)

    def _refuse(self, target: Path, overwrite: bool) -> None:
        """Nothing is overwritten unasked, and nothing but a store of tiles ever."""
        if not target.exists():
            return
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
        elif not overwrite:
            raise FileExistsError(errno.EEXIST, EXISTS, str(target))
        elif not is_tiled(target):
            raise FileExistsError(errno.EEXIST, NOT_OURS, str(target))
        elif others := sorted({entry.name for entry in target.iterdir()} - {GROUP, "data"}):
            text = (
                f"holds {others[0]!r} beside its tiles, which would be lost: move it, or choose another name"
            )
            raise FileExistsError(errno.EEXIST, text, str(target))

    def make_folders(self, folders: Iterable[str]) -> None:
        made = set()
        for name in folders:
            folder = Path(self._file(name))
            missing = [part for part in (folder, *folder.parents) if not part.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            made |= {part.parent for part in missing}
        for folder in made:
            sync_folder(folder)

    def remove(self) -> None:
        target = Path(self.path)
        gone = _beside(target, "new")  # at once; where that ends early, the next maker removes what is left
        with suppress(FileNotFoundError):
            os.rename(target, gone)
            shutil.rmtree(gone, ignore_errors=True)
            sync_folder(target.parent)


def _remove_leftovers(target: Path) -> None:
    """Remove what makers that were killed have left; one of them may have moved the only store away."""
    ours = re.compile(rf"\.{re.escape(target.name)}\.(new|old)\.[0-9a-f]{{8}}\.tmp").fullmatch
    for entry in target.parent.iterdir():
        found = ours(entry.name)
        if found and found[1] == "old" and not target.exists():
            os.rename(entry, target)
        elif found and _is_left(entry):
            shutil.rmtree(entry, ignore_errors=True)


def _beside(target: Path, part: str) -> Path:
    """A name for a while."""
    return target.with_name(f".{target.name}.{part}.{os.urandom(4).hex()}.tmp")


def _sync(folder: Path) -> None:
    """Bring all files below a folder to the disk, and their names."""
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(where))


def _is_left(folder: Path) -> bool:
    """Whether nobody is at work in it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        return locks(descriptor)
    finally:
        os.close(descriptor)


class Remote:
    """Objects by a URL: an object store, or what else fsspec knows; these promise that each appears whole."""

    maps = False

    def __init__(self, url: str) -> None:
        self.path = url.rstrip("/")
        try:
            from fsspec.core import url_to_fs
        except ImportError:
            raise ImportError('stores by URL need fsspec: pip install "vech[tiled]" fsspec') from None
        self._system, root = url_to_fs(self.path)
        self._root = root.rstrip("/")

    def _key(self, name: str) -> str:
        return f"{self._root}/{name}"

    def stamp(self, name: str) -> Stamp:
        self._system.invalidate_cache()  # others write too
        found = self._system.info(self._key(name))
        return Stamp(int(found["size"]), tuple(str(found.get(key)) for key in CHANGES))

    def get(self, name: str) -> Letters:
        return np.frombuffer(self._system.cat_file(self._key(name)), np.uint8)

    def put(self, name: str, parts: Iterable[Any]) -> None:
        self._system.pipe_file(self._key(name), b"".join(parts))
        self._system.invalidate_cache()

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        self._system.invalidate_cache()
        begin = len(self._root) + 1
        for key, found in self._system.find(self._key(folder), detail=True).items():
            yield key[begin:], int(found["size"])

    @contextmanager
    def draft(self, overwrite: bool) -> Iterator[Place]:
        self._system.invalidate_cache()
        if self._system.exists(self._root) and self._system.find(self._root):
            if not overwrite:
                raise FileExistsError(errno.EEXIST, EXISTS, self.path)
            self._check_ours()
            self._system.rm(self._root, recursive=True)
        yield self

    def _check_ours(self) -> None:
        with suppress(FileNotFoundError):
            if says_tiled(bytes(self.get(GROUP))):
                return
        raise FileExistsError(errno.EEXIST, NOT_OURS, self.path)

    def make_folders(self, folders: Iterable[str]) -> None:
        del folders

    def remove(self) -> None:
        with suppress(FileNotFoundError):
            self._system.rm(self._root, recursive=True)
