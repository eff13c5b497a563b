"""A half on its way to a file: computed in a draft beside it, which takes its place when it is complete."""

from __future__ import annotations

import mmap
import os
import re
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype
from vech.io import npy
from vech.io.arrays import read_array
from vech.io.description import describe_half
from vech.io.digests import digest, digests_of, tile_of, whole_tiles
from vech.io.drafts import Draft, begin_of, draft, reserve, sync_folder
from vech.io.dtypes import forgettable
from vech.io.pair import description_path, replace_pair, settle, true_descriptions
from vech.layouts.dialects import AnyLayout
from vech.moves.converting import convert
from vech.packed.packed import Packed
from vech.results.identity import differences
from vech.results.journal import Band, Head, Journal, journal_of

ENDING = ".part"
TASK = ".task"
"""How what a run ships to its workers ends, beside the draft and under its name."""

ZEROS = bytes(1 << 20)


class Place(NamedTuple):
    """Where the numbers of a half begin, in which file, for those who write some of them."""

    path: str
    begin: int
    tile: int  # bytes of which a digest is taken

    def digests(self, numbers: Array, begin: int) -> str:
        """The digests of some of them, from this one on."""
        return digests_of(numbers, begin * numbers.itemsize, self.tile)


def is_of_a_run(path: Path) -> bool:
    """Whether a run is making this file, or has made it: it is nobody else's."""
    return journal_of(path).exists() or _made_of(Path(os.path.realpath(path))) is not None


class File:
    """The draft of a `.npy`, and the journal of what of it is done; `half` is its numbers, in memory.

    `complete` is the half that is there already, made of the same, where `resume` finds one and `rereads` it.
    `close` leaves what a later run can go on from: where a job has `begun`, or a band is done.
    """

    begun = False

    def __init__(
        self, path: Path, dtype: Dtype, length: int, made: dict[str, Any], *, resume: bool, rereads: bool
    ) -> None:
        self.path, self.made = path, made
        self.complete: Packed | None = None
        self._mapped: _Mapped | None = None
        self._tiles: dict[int, str] = {}  # digests of what is done
        self._draft = _Kept(path, overwrite=True)
        self._draft.check_place()
        with self._draft.naming():
            self._journal = Journal(self._draft.target)
        try:
            with self._draft.naming():
                if resume and rereads:
                    self.complete = self._complete()
                if self.complete is None:
                    self._open(dtype, length, resume)
        except BaseException:
            self.close()
            raise

    @property
    def half(self) -> Array:
        """The numbers, in a plain layout."""
        return self._open_map.numbers

    @property
    def place(self) -> Place:
        """Where these are."""
        return Place(str(self._draft.temporary), self._open_map.begin, tile_of(self.half.nbytes))

    def is_done(self, band: Band, begin: int, end: int) -> bool:
        """Whether the numbers of these runs were computed, and are there as they were."""
        said = self._journal.done.get(band)
        done = said is not None and said == self.place.digests(self.half[begin:end], begin)
        if said is not None and done:
            self._know(said, begin, end)
        return done

    def note(self, band: Band, begin: int, end: int, digests: str | None = None) -> None:
        """Bring the numbers of these runs to the disk, then say so in the journal.

        With their digests, another process has brought them there.
        """
        with self._draft.naming():
            if digests is None:
                self._open_map.flush(begin, end)
                digests = self.place.digests(self.half[begin:end], begin)
            self._journal.note(band, digests)
            self._know(digests, begin, end)

    def _know(self, digests: str, begin: int, end: int) -> None:
        first, stop = (at * self.half.itemsize for at in (begin, end))
        self._tiles |= whole_tiles(digests, first, stop, self.place.tile)

    def change(self) -> None:
        """Forget digests: numbers may be changed that were noted."""
        self._tiles = {}

    def publish(self, store: Packed, layout: AnyLayout) -> Packed:
        """The file, complete, in a layout; `store` has the numbers of the draft in a plain one."""
        with self._draft.naming():
            if layout == store.layout:
                self._replace(store, self._draft, self._tiles)
            else:
                with draft(self.path) as other, open(other.temporary, "r+b") as file:
                    mapped = _Mapped(file, store.dtype, layout.length(store.n))
                    convert(store.half, store.layout, layout, kind=store.kind, out=mapped.numbers)
                    mapped.flush(0, mapped.numbers.size)
                    self._replace(Packed(mapped.numbers, layout, kind=store.kind, labels=store.labels), other)
            self._remove()
            self.close()
            return _read(self.path)

    def close(self) -> None:
        """Let others have it; what no job has begun is taken away."""
        if self._mapped is not None and not (self.begun or self._journal.done):
            _remove_parts(self._draft.target, ENDING, TASK)
            self._journal.clear()
        self._mapped = None
        self._draft.close()
        self._journal.close()

    @property
    def _open_map(self) -> _Mapped:
        assert self._mapped is not None, "the file is closed, or was complete"
        return self._mapped

    def _replace(self, store: Packed, numbers: Draft, known: dict[int, str] | None = None) -> None:
        digests = digest(forgettable(store.half), known)
        description = describe_half(store, digests, self.made or None).encode() + b"\n"
        numbers.seal()
        replace_pair(numbers, description, read_array)

    def _remove(self) -> None:
        """Take away what only an unfinished run needs."""
        self._mapped = None
        _remove_parts(self._draft.target, ENDING, TASK)
        self._journal.remove()

    def _complete(self) -> Packed | None:
        """The half under the name of the file, where it is made of the same.

        ValueError where it is made of other things, and no journal says that it is to be made anew.
        """
        made, head = _made_of(self._draft.target), self._journal.head
        if made == self.made:
            if head is None or head.made == made:
                settle(self.path, read_array)
                self._remove()
            return _read(self.path)
        if head is None and made is not None:
            self._refuse(made, self.path.name)
        return None

    def _open(self, dtype: Dtype, length: int, resume: bool) -> None:
        head, target = self._journal.head, self._draft.target
        if resume and head is not None:
            if head.made != self.made:
                self._refuse(head.made, self._journal.path.name)
            numbers = target.parent / head.numbers
            if numbers in _parts(target, ENDING):
                _remove_parts(target, TASK)
                self._draft.reopen(numbers)
                self._mapped = _Mapped(self._draft.file, dtype, length)
                return
        self._journal.clear()
        _remove_parts(target, ENDING, TASK)
        self._draft.open()
        try:
            self._mapped = _Mapped(self._draft.file, dtype, length)
            self._journal.begin(Head(self._draft.temporary.name, self.made))
            sync_folder(target.parent)
        except BaseException:
            self._draft.discard()
            self._journal.clear()
            raise

    def _refuse(self, made: dict[str, Any], name: str) -> None:
        raise ValueError(
            f"resume=True goes on with the same run, and {name} is of another: "
            f"{differences(made, self.made)}. Pass the same again, or start anew without resume=True"
        )


class _Mapped:
    """The numbers of a `.npy` that is being made, mapped into memory."""

    def __init__(self, file: BinaryIO, dtype: Dtype, length: int) -> None:
        """Reserve all bytes, so that a full disk shows now, and not as the end of the process later."""
        file.seek(0)
        npy.write_header(file, forgettable(np.empty(0, dtype)).dtype, (length,))
        self.begin = file.tell()
        size = self.begin + length * dtype.itemsize
        file.flush()
        reserve(file, size)
        there = os.fstat(file.fileno()).st_size
        if there > size:
            os.ftruncate(file.fileno(), size)
        while there < size:  # where the system cannot reserve
            there += os.pwrite(file.fileno(), ZEROS[: size - there], there)
        self._file, self._map = file, mmap.mmap(file.fileno(), size)
        self.numbers: Array = np.frombuffer(self._map, dtype, length, self.begin)

    def flush(self, begin: int, end: int) -> None:
        """Bring some numbers to the disk."""
        if sys.platform == "linux":  # which knows what was changed by way of a map, and lets Python go on
            os.fdatasync(self._file.fileno())
            return
        first, stop = (self.begin + at * self.numbers.itemsize for at in (begin, end))
        first = first // mmap.PAGESIZE * mmap.PAGESIZE
        self._map.flush(first, stop - first)


class _Kept(Draft):
    """A draft that a killed run leaves to the next one: locked by its journal alone."""

    def open(self) -> None:
        """Create it, with the permissions that a draft has."""
        mode = 0o600 if self.target.exists() else 0o666
        name = self.target.with_name(f"{begin_of(self.target)}{os.urandom(4).hex()}{ENDING}")
        with open(name, "xb", opener=partial(os.open, mode=mode)):
            self.temporary = name
        self.reopen(name)

    def reopen(self, temporary: Path) -> None:
        """Go on with one that is there."""
        self.temporary = temporary
        self.holders.append(open(temporary, "rb"))  # noqa: SIM115
        self.file = open(temporary, "r+b")  # noqa: SIM115
        self.holders.append(self.file)

    def close(self) -> None:
        """Leave it where it is."""
        for file in self.holders:
            with suppress(OSError):
                file.close()


def _made_of(target: Path) -> dict[str, Any] | None:
    """What the half in a file is made of, where its description says so."""
    beside = description_path(target)
    if not target.is_file() or not beside.is_file():
        return None
    for found in true_descriptions(target, beside.read_bytes(), read_array):
        made = found.get("made") if isinstance(found, dict) else None
        return made if isinstance(made, dict) else None
    return None


def _parts(target: Path, *endings: str) -> list[Path]:
    """What lies beside a file that runs of it have made."""
    ending = "|".join(map(re.escape, endings))
    ours = re.compile(rf"{re.escape(begin_of(target))}[0-9a-f]{{8}}({ending})").fullmatch
    with os.scandir(target.parent) as entries:
        return [Path(entry) for entry in entries if ours(entry.name) and entry.is_file(follow_symlinks=False)]


def _remove_parts(target: Path, *endings: str) -> None:
    for part in _parts(target, *endings):
        part.unlink()


def _read(path: Path) -> Packed:
    store: Packed = npy.load(path).numbers
    return store
