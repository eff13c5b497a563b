"""Where the objects of a store are: a folder of this machine, or whatever fsspec knows by its URL."""

from __future__ import annotations

import errno
import mmap
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from vech.arrays import Array
from vech.io.content import INSIDE
from vech.io.drafts import (
    EXISTS,
    atomic,
    begin_of,
    beside,
    locked,
    locks,
    remove_leftover_folders,
    replace_folder,
    shares,
    sync_folder,
    unlock,
)
from vech.tiled.description import GROUP, begun, begun_of, open_file, says_tiled

CHANGES = ("ETag", "etag", "mtime", "LastModified", "last_modified", "created")
"""What file systems of fsspec say of an object, of which something changes with it."""

LOCAL, MEMORY = ("file://", "local://"), "memory://"

NOT_OURS = "exists and is no store of tiles, so it is not overwritten"

NEXT = "data/next"
"""Where tiles wait that hold a store's last rows, until it says that it has grown."""

_TEMPORARY = r"[0-9a-f]{8}\.tmp"
_ABOUT = rf"(data/)?(zarr\.json|\.zarr\.json\.{_TEMPORARY})"
_TILE = rf"data/(c|next)/\d+/(\d+|\.\d+\.{_TEMPORARY})"
_DRAFT = rf"\.(part|new\.{_TEMPORARY})/"
_is_ours = re.compile(rf"({_DRAFT})?({_ABOUT}|{_TILE})").fullmatch
_is_our_folder = re.compile(r"data(/(c|next)(/\d+)?)?").fullmatch
_is_in_draft, _is_draft = re.compile(_DRAFT).match, re.compile(_DRAFT[:-1]).fullmatch
_is_pattern = re.compile(r"[*?[]").search  # as fsspec sees it

MANY = 16  # objects that are copied at a time
EFFECTIVE = os.access in os.supports_effective_ids

Letters = Array
"""Bytes, as an array of uint8."""


class TakenError(FileExistsError):
    """Another store is where one was to be made."""


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

    def hold(self, *, alone: bool = False) -> AbstractContextManager[bool]:
        """Be at work on it, beside others or alone: whether that could be had; by URL nobody knows."""

    def move(self, names: list[str], folder: str, to: str) -> None:
        """Let objects below a folder take the place of those below another one."""

    def draft(self, overwrite: bool, instead: bytes | None = None) -> AbstractContextManager[Place]:
        """A place for a new store, which is at this one when the block ends well.

        Where `instead` is told, a store of that description alone is replaced, and of an empty one none;
        TakenError where there is another one.
        """

    def check(self, overwrite: bool, instead: bytes | None = None) -> None:
        """Refuse what a draft would refuse."""

    def take(self, draft: str) -> None:
        """Let a store that is complete, and no longer at its own path then, take this place."""

    def make_folders(self, folders: Iterable[str]) -> None:
        """Make folders for objects to come."""

    def remove(self) -> None:
        """Remove a store, unless others have put something into it."""


def place_of(path: str | os.PathLike[str]) -> Place:
    """The place that a path or a URL names."""
    text = as_path("path", path)
    for begin in LOCAL:
        text = text.removeprefix(begin)
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
    """Where a store is made that will take the place of one that is there."""
    place = place_of(path)
    if isinstance(place, Remote):
        return place.inside(".part")
    target = Path(place.path)
    return str(target.with_name(f"{begin_of(target)}part"))


def _judge(
    path: str, about: bytes, names: Iterable[str], overwrite: bool, instead: bytes | None = None
) -> None:
    """Nothing is overwritten unasked, nothing but a store of tiles ever, and nobody's file in one."""
    if begun_of(about) == "":  # as a writer leaves it that was killed
        instead = None
    elif not overwrite:
        raise FileExistsError(errno.EEXIST, EXISTS, path)
    if not says_tiled(about):
        raise FileExistsError(errno.EEXIST, NOT_OURS, path)
    if others := sorted(name for name in names if not _is_ours(name)):
        text = f"holds {others[0]!r} beside its tiles, which would be lost: move it, or choose another name"
        raise FileExistsError(errno.EEXIST, text, path)
    if instead is not None and about != instead:
        text = (
            "has just been made by another run: resume=True goes on with it where it is of the same, else "
            "choose another name"
        )
        raise TakenError(errno.EEXIST, text, path)


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
        with open_file(self._file(name)) as file:
            if os.fstat(file.fileno()).st_size == 0:
                return np.empty(0, np.uint8)
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)

    def put(self, name: str, parts: Iterable[Any]) -> None:
        path = Path(self._file(name))
        if not path.parent.is_dir():
            os.stat(self.path)  # which may have been moved
            self.make_folders([os.path.dirname(name)])
        with open(path, "wb") if self._draft else atomic(path, follow=False) as file:
            for part in parts:
                file.write(part)

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        with suppress(FileNotFoundError), os.scandir(self._file(folder)) as entries:
            for entry in entries:
                if entry.is_dir():
                    yield from self.names(f"{folder}/{entry.name}")
                elif entry.is_file() and not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        yield f"{folder}/{entry.name}", entry.stat().st_size

    @contextmanager
    def hold(self, *, alone: bool = False) -> Iterator[bool]:
        descriptor = os.open(self.path, os.O_RDONLY)
        _held.add(descriptor)
        try:
            yield shares(descriptor) if not alone else locks(descriptor)
        finally:
            _held.discard(descriptor)
            unlock(descriptor)
            os.close(descriptor)

    def move(self, names: list[str], folder: str, to: str) -> None:
        for name in names:
            there = to + name.removeprefix(folder)
            with suppress(FileNotFoundError):  # another one has moved it
                os.replace(self._file(name), self._file(there))
        for name in (*{os.path.dirname(name) for name in names}, folder):
            sync_folder(Path(self._file(to + name.removeprefix(folder))))
            with suppress(OSError):  # another one has
                os.rmdir(self._file(name))

    @contextmanager
    def draft(self, overwrite: bool, instead: bytes | None = None) -> Iterator[Place]:
        target = Path(self.path)
        if not target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such directory", str(target.parent))
        made = beside(target, "new")
        with locked(target.parent):
            self.check(overwrite, instead)
            remove_leftover_folders(target)
            try:
                made.mkdir()
            except PermissionError as error:  # of a name that nobody gave
                raise PermissionError(error.errno, error.strerror, self.path) from None
            holder = os.open(made, os.O_RDONLY)
            locks(holder)  # it has a maker
        try:
            yield Folder(str(made), draft=True)
            _sync(made)
            with locked(target.parent):
                self.check(overwrite, instead)
                replace_folder(target, made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            os.close(holder)

    def take(self, draft: str) -> None:
        with locked(Path(self.path).parent):
            os.stat(draft)  # it is not another one that has moved it
            self.check(overwrite=True)
            replace_folder(Path(self.path), Path(draft))

    def check(self, overwrite: bool, instead: bytes | None = None) -> None:
        target = Path(self.path)
        if not target.exists():
            return
        if target.is_dir() and not any(target.iterdir()):
            target.rmdir()
            return
        about = b""
        with suppress(FileNotFoundError, NotADirectoryError):
            about = bytes(self.get(GROUP))
        _judge(self.path, about, self._all(), overwrite, instead)
        for folder, _, _ in os.walk(self.path):
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=EFFECTIVE):
                text = "may not be removed by you: choose another name, or ask who owns it"
                raise PermissionError(errno.EACCES, text, folder)

    def _all(self) -> Iterator[str]:
        """Names of all that is there, but for folders that a store has."""
        for where, folders, names in os.walk(self.path):
            here = os.path.relpath(where, self.path)
            for name in names:
                yield os.path.normpath(f"{here}/{name}")
            for name in folders:
                if not _is_our_folder(name := os.path.normpath(f"{here}/{name}")):
                    yield name

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
        if not all(map(_is_ours, self._all())):
            return
        gone = beside(target, "new")  # at once; where that ends early, the next maker removes what is left
        with suppress(FileNotFoundError):
            os.rename(target, gone)
            shutil.rmtree(gone, ignore_errors=True)
            sync_folder(target.parent)


_held: set[int] = set()
"""Descriptors of folders that are worked on: a process that is forked would keep their locks."""


def _let_go() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def _sync(folder: Path) -> None:
    """Bring all files below a folder to the disk, and their names."""
    for where, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(where))


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
    def hold(self, *, alone: bool = False) -> Iterator[bool]:
        yield True

    def move(self, names: list[str], folder: str, to: str) -> None:
        pairs = [(self._key(name), self._key(to + name.removeprefix(folder))) for name in names]
        self._copy(pairs)
        self._remove([key for key, _ in pairs])

    @contextmanager
    def draft(self, overwrite: bool, instead: bytes | None = None) -> Iterator[Place]:
        """Where a store is, below it, for objects have no names that could be given in one step."""
        self.check(overwrite, instead)
        there = self._about()
        waiting = begun_of(there)
        if waiting and _is_draft(waiting):  # nothing elsewhere, whatever it says
            self.take(self.inside(waiting))
        made = self
        if there and waiting != "":
            made = Remote(self.inside(f".new.{os.urandom(4).hex()}.tmp"))
        try:
            made.put(GROUP, [begun()])  # so that what is left of it is known
            yield made
        except BaseException:
            made.remove()
            raise
        if made is not self:
            self.check(overwrite, instead)
            self.take(made.path)

    def check(self, overwrite: bool, instead: bytes | None = None) -> None:
        if found := self._names():
            _judge(self.path, self._about(), found, overwrite, instead)

    def take(self, draft: str) -> None:
        """Object by object: meanwhile there is no store but the draft, and where that ends early it stays.

        Two may do so at once, of which neither removes what the other one has copied.
        """
        other = Remote(draft)
        names, about = set(other._names()) - {GROUP}, bytes(other.get(GROUP))
        self.check(overwrite=True)
        self.put(GROUP, [begun(other._root.removeprefix(f"{self._root}/"))])
        left = set(self._names()) - names - {GROUP}
        self._remove([self._key(name) for name in left if not _is_in_draft(name)])
        self._copy([(other._key(name), self._key(name)) for name in names])
        self.put(GROUP, [about])
        other.remove()

    def inside(self, name: str) -> str:
        """The URL of what is below."""
        urls = self.path.split("::")
        at = next(k for k, url in enumerate(urls) if "://" in url)
        urls[at] += f"/{name}"
        return "::".join(urls)

    def _about(self) -> bytes:
        """What it says of itself; nothing where there is no store."""
        try:
            return bytes(self.get(GROUP))
        except (FileNotFoundError, NotADirectoryError):
            return b""

    def _names(self) -> list[str]:
        """Those of all objects."""
        self._system.invalidate_cache()
        begin = len(self._root) + 1
        return [key[begin:] for key in self._system.find(self._root) if not key.endswith("/")]

    def _copy(self, pairs: list[tuple[str, str]]) -> None:
        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(self._copy_one, pairs))
        self._system.invalidate_cache()

    def _copy_one(self, pair: tuple[str, str]) -> None:
        key, to = pair
        try:
            self._system.cp_file(key, to)
        except NotImplementedError:
            self._system.pipe_file(to, self._system.cat_file(key))
        except FileNotFoundError:  # another one has moved it
            if not self._system.exists(to):
                raise

    def _remove(self, keys: list[str]) -> None:
        """Objects of these names: one call for many takes those that look like patterns for patterns."""
        if plain := [key for key in keys if not _is_pattern(key)]:
            self._system.rm(plain)
        for key in filter(_is_pattern, keys):
            self._system.rm_file(key)
        self._system.invalidate_cache()

    def make_folders(self, folders: Iterable[str]) -> None:
        del folders

    def remove(self) -> None:
        names = self._names()
        if all(map(_is_ours, names)):
            with suppress(FileNotFoundError):
                self._remove(list(map(self._key, names)))
