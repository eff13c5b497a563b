"""A triangle of tiles in a place: each is read, written and checked by itself, and is there or is not."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import Any, Self
from weakref import ref

import numpy as np

from vech.arrays import Array, Dtype
from vech.io.errors import FileFormatError, steady
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.tiled.description import ARRAY, GROUP, Described, begun_of, parse
from vech.tiled.encoding import DamagedError, decoded, encoded, opened, sealed
from vech.tiled.grid import Grid
from vech.tiled.objects import MEMORY, NEXT, Place, Stamp, place_of

KEYS = "data/c"
NEVER = Stamp(-1, ())
"""Of a description that is no longer that of the store that was opened."""

CHANGED = "was made anew, or grew, since it was opened: open it again"

HELD = 256
"""Tiles of all stores that stay mapped, for mapping anew takes a quarter of the time of `S @ x`.

Each is an open file: where a process may have less than 1024, a quarter of them.
"""

Tile = tuple[int, int]

_mapped: deque[tuple[ref[Tiles], Tile]] = deque()


class Tiles:
    """The lower tiles of a matrix of which nothing is known but these, as a Zarr group.

    That a tile is there says that it is done, for it appears whole. Its checksum is looked at when it is read
    for the first time since the store was opened, or since it changed. It pickles as its path, its identity
    and its side.
    """

    def __init__(self, path: str | os.PathLike[str], mode: str = "r", said: Described | None = None) -> None:
        one_of("mode", mode, ("r", "r+"))
        self.place: Place = place_of(path)
        self.mode = mode
        self._seen: dict[Tile, Stamp] = {}
        self._held: dict[Tile, Array] = {}
        self._group: Stamp | None = None  # of its description; None of a draft
        self._grew = False  # since it was opened
        if said is None:
            said, self._group = self._read_description()
        self.said: Described = said
        self._there = self.said  # as it is said there, which a store that grows is ahead of
        if mode == "r+" and self.said.next is not None:
            self.settle()

    def _read_description(self) -> tuple[Described, Stamp]:
        """What is said, and the stamp of it: of one store, whoever lets another take its place meanwhile."""
        if self.place.maps:
            return steady(self.path, self._stamp, lambda: (self._description(), self._stamp()))
        stamp = self._stamp()
        return self._description(), stamp

    def _stamp(self) -> Stamp:
        """Of the description, NEVER where there is none."""
        try:
            return self.place.stamp(GROUP)
        except (FileNotFoundError, NotADirectoryError):
            return NEVER

    def _description(self) -> Described:
        try:
            group = bytes(self.place.get(GROUP))
        except (FileNotFoundError, NotADirectoryError):
            reason = "no such store of tiles"
            if self.path.startswith(MEMORY):
                reason += (
                    " in the memory of this process, and none sees that of another: for workers that are "
                    "processes take a folder or an object store, else threads"
                )
            raise FileNotFoundError(errno.ENOENT, reason, self.path) from None
        if (complete := begun_of(group)) is not None:
            way = f"{self.path}/{complete} is complete" if complete else "write it again"
            reason = f"no such store of tiles, for one is being written, or who did so was killed: {way}"
            raise FileNotFoundError(errno.ENOENT, reason, self.path)
        try:
            array = bytes(self.place.get(ARRAY))
        except FileNotFoundError:
            raise FileFormatError(f"has no {ARRAY}, so its numbers cannot be read", self.path) from None
        return parse(group, array, self.path)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        n: int,
        dtype: Any,
        kind: Kind,
        *,
        overwrite: bool = False,
        instead: bytes | None = None,
        **said: Any,
    ) -> Self:
        """A store without tiles; `said` as `Described.of` has it, `instead` as `Place.draft`."""
        with cls.draft(path, Described.of(n, dtype, kind, **said), overwrite, instead):
            pass
        return cls(path, "r+")

    @classmethod
    @contextmanager
    def draft(
        cls,
        path: str | os.PathLike[str],
        said: Described,
        overwrite: bool,
        instead: bytes | None = None,
    ) -> Iterator[Self]:
        """A new store to be filled, which appears under its name when the block ends well."""
        objects = said.objects()
        with place_of(path).draft(overwrite, instead) as place:
            place.make_folders(_folders(range(said.grid.side)))
            place.put(ARRAY, [objects[ARRAY]])
            yield cls(place.path, "r+", said)
            place.put(GROUP, [objects[GROUP]])

    def __reduce__(self) -> Any:
        return reopened, (self.path, self.mode, self.said.identity, self.grid.n)

    def check_same(self, *, write: bool = False) -> None:
        """Refuse a store that was made anew since it was opened; and to write into one that has grown."""
        if self._group is None:
            return
        if self._stamp() != self._group:
            found, stamp = self._read_description()
            self._grew = self._grew or found.grid != self._there.grid
            self.said = replace(self.said, next=found.next)
            # last, for other threads take it as judged
            self._group = stamp if found.identity == self.said.identity else NEVER
        if self._group == NEVER or (write and self._grew):
            raise ValueError(f"{self.path} {CHANGED}")

    def see(self, identity: str, n: int) -> None:
        """See it as it was opened elsewhere, with so many rows; ValueError where it is another one."""
        if self.said.identity != identity or self.grid.n < n:
            raise ValueError(f"{self.path} {CHANGED}")
        self._grew = self.grid.n > n
        self.said = self.said.cut(n)

    def check_free(self, way: str) -> None:
        """Refuse a store that another run is at work on."""
        with self.place.hold(alone=True) as free:
            if not free:
                text = f"another run is at work on it: {way}"
                raise BlockingIOError(errno.EWOULDBLOCK, text, self.path)

    @property
    def about(self) -> bytes:
        """The description of the group, as it is now."""
        return bytes(self.place.get(GROUP))

    @property
    def path(self) -> str:
        """The folder or the URL."""
        return self.place.path

    @property
    def grid(self) -> Grid:
        """How the matrix is cut."""
        return self.said.grid

    @property
    def dtype(self) -> Dtype:
        """Of the numbers."""
        return self.said.dtype

    def sizes(self) -> dict[Tile, int]:
        """The tiles that are there, and the bytes of each."""
        found, side = {}, self.grid.side
        for name, size in self.place.names(KEYS):
            i, _, j = name.removeprefix(f"{KEYS}/").partition("/")
            if i.isdecimal() and j.isdecimal() and int(j) <= int(i) < side:
                found[int(i), int(j)] = size
        return found

    def stamp(self, i: int, j: int) -> Any:
        """What changes when a tile is written again."""
        return self.place.stamp(self._name(i, j))

    def _name(self, i: int, j: int) -> str:
        """Where a tile is."""
        if i == self.said.next:
            with suppress(FileNotFoundError):
                self.place.stamp(name := f"{NEXT}/{i}/{j}")
                return name
        return f"{KEYS}/{i}/{j}"

    def missing(self) -> list[Tile]:
        """Those that are not there, row after row."""
        there = self.sizes()
        return [tile for tile in self.grid.lower() if tile not in there]

    def read(self, i: int, j: int, *, check: bool = False) -> Array:
        """A tile, read-only; its checksum is looked at where it was not since it changed, or on `check`."""
        self.grid.check(i, j)
        if not self.place.maps:  # where it would be two more requests for each tile
            return self._tile(i, j, check)
        self.check_same()
        try:
            return self._tile(i, j, check)
        finally:
            self.check_same()  # what was read, or what is wrong with it, is of the store that was opened

    def _tile(self, i: int, j: int, check: bool) -> Array:
        side, said = self.grid.tile, self.said
        name = f"{KEYS}/{i}/{j}" if i != said.next else self._name(i, j)
        try:
            stamp = self.place.stamp(name)
            seen, held = self._seen.get((i, j)) == stamp, self._held.get((i, j))
            if held is not None and seen and not check:
                return held
            letters = self.place.get(name)
        except FileNotFoundError:
            reason = f"tile ({i}, {j}) is not done: missing() lists all, fill() computes them"
            raise FileNotFoundError(errno.ENOENT, reason, self.path) from None
        except IsADirectoryError:
            reason = f"has a folder at {name}, where tile ({i}, {j}) is to be: remove it, and fill() it"
            raise FileFormatError(reason, self.path) from None
        try:
            looks = check or not seen
            if said.codes is None:
                tile = decoded(letters, side, said.dtype, said.compression, check=looks)
            else:
                body = opened(letters, said.codes.size, said.compression, check=looks)
                tile = said.codes.decoded(body, i == j)
        except DamagedError as error:
            raise self._damage(i, j, error) from None
        tile = tile[: self.grid.height(i), : self.grid.height(j)]
        tile.flags.writeable = False
        self._seen[i, j] = stamp
        if np.shares_memory(tile, letters) and self.place.maps:
            self._hold((i, j), tile)
        return tile

    def _hold(self, at: Tile, tile: Array) -> None:
        """Keep a tile mapped, and let the ones go that any store has kept for longest."""
        self._held[at] = tile
        _mapped.append((ref(self), at))
        files, _ = getrlimit(RLIMIT_NOFILE)
        most = HELD if files == RLIM_INFINITY else min(HELD, files // 4)
        while len(_mapped) > most:
            with suppress(IndexError):  # another thread has
                owner, gone = _mapped.popleft()
                if (store := owner()) is not None:
                    store._held.pop(gone, None)

    def lost(self, i: int, j: int) -> Any:
        """The error that a tile of codes has; its checksum is looked at as by `read`."""
        codes, name = self.said.codes, self._name(i, j)
        assert codes is not None, "tiles of numbers have lost nothing"
        stamp = self.place.stamp(name)
        check = self._seen.get((i, j)) != stamp
        try:
            body = opened(self.place.get(name), codes.size, self.said.compression, check=check)
        except DamagedError as error:
            raise self._damage(i, j, error) from None
        self._seen[i, j] = stamp
        return codes.lost(body)

    def _damage(self, i: int, j: int, error: DamagedError) -> FileFormatError:
        text = f"tile ({i}, {j}) {error}; verify() lists all, repair() computes them again"
        return FileFormatError(text, self.path)

    def write(
        self, i: int, j: int, block: Array, given: Any = None, held: Any = None, *, waits: bool = False
    ) -> None:
        """A tile, whole: it is on the disk afterwards, or all is as before.

        Of codes, with scales `given`, or with numbers `held` that were rounded before. One that waits takes
        its place when the store says that it has grown.
        """
        self.grid.check(i, j)
        if self.mode == "r":
            raise ValueError(f'{self.path} is open for reading: vech.tiled.open(path, "r+") for writing')
        shape = self.grid.height(i), self.grid.height(j)
        if block.shape != shape:
            raise ValueError(f"tile ({i}, {j}) has shape {shape}, not {block.shape}")
        if block.dtype != self.dtype:
            raise TypeError(
                f"tile ({i}, {j}) is of {block.dtype}, and the store of {self.dtype}: "
                f"astype({self.dtype.name!r}) first"
            )
        self.check_same(write=True)
        codes, compression = self.said.codes, self.said.compression
        if codes is None:
            letters = encoded(block, self.grid.tile, self.dtype, compression)
        else:
            letters = sealed(codes.encoded(block, i, j, given, held), compression)
        self._held.pop((i, j), None)
        self.place.put(f"{NEXT if waits else KEYS}/{i}/{j}", letters)

    def damaged(self, i: int, j: int) -> bool:
        """Whether a tile that is there is not what was written; of the diagonal, or not of its kind."""
        try:
            tile = self.read(i, j, check=True)
        except FileFormatError:
            return True
        kind = self.said.kind
        if i != j or kind is Kind.TRIANGULAR:
            return False
        above = np.triu_indices(len(tile), 1)
        return not np.array_equal(tile[above], kind.mirror(tile.T[above]), equal_nan=tile.dtype.kind in "fc")

    def describe(self, said: Described) -> None:
        """Say other things of the store, the array first: what is there fits both."""
        side = self.grid.side
        self._held = {}
        self.place.make_folders(_folders(range(side, said.grid.side)))
        for name, text in said.objects().items():
            self.place.put(name, [text])
        self._group = self.place.stamp(GROUP)
        self.said = self._there = said

    def settle(self) -> None:
        """Let tiles that wait take their places."""
        folder = f"{NEXT}/{self.said.next}"
        names = [name for name, _ in self.place.names(folder)]
        self.place.move(names, NEXT, KEYS)
        self.describe(replace(self.said, next=None))


def put_in_place(tiles: Tiles, path: str) -> None:
    """Let a store that is complete take the place of another, unless another run has done so."""
    place = place_of(path)
    if tiles.path == place.path:
        return
    try:
        place.take(tiles.path)
    except FileNotFoundError:
        if not is_in_place(tiles, path):
            raise


def is_in_place(tiles: Tiles, path: str) -> bool:
    """Whether a store is now the one under a path."""
    with suppress(FileNotFoundError):
        return Tiles(path).said.identity == tiles.said.identity
    return False


OPENED: dict[tuple[Any, ...], Tiles] = {}
"""Of a process that does tasks: stores that the last ones opened, with their labels and what was checked."""


def reopened(path: str, mode: str, identity: str | None = None, n: int = 0) -> Tiles:
    """The store under a path, as it was opened before where it is still the same; ValueError where not."""
    key = path, mode, identity, n
    found = OPENED.get(key)
    with suppress(FileNotFoundError):
        if found is not None and found.place.stamp(GROUP) != found._group:
            found = None
    if found is None:
        while len(OPENED) >= 4:
            OPENED.pop(next(iter(OPENED)), None)
        found = Tiles(path, mode)
        if identity is not None:
            found.see(identity, n)
        OPENED[key] = found
    return found


def _folders(rows: Iterable[int]) -> Iterator[str]:
    return (f"{KEYS}/{i}" for i in rows)
