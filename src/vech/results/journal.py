"""The journal beside a half that is being made: what it is made of, and which of its runs are done.

Lines of JSON: first what the half is made of, and the file of its numbers; then one for each band of runs
that is on the disk, with the digest of its bytes. The journal is locked for as long as its writer lives.
"""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from vech.io.drafts import locks
from vech.io.errors import FileFormatError

VERSION = 1
ENDING = ".journal"
PATIENCE = 0.3
"""Seconds to wait for a lock, which processes that have just been killed or forked hold for a moment."""

Band = tuple[int, int]


class Head(NamedTuple):
    """The first line: the name of the file with the numbers, and what these are made of."""

    numbers: str
    made: dict[str, Any]


def journal_of(target: Path) -> Path:
    """Where the journal of a file is, which may be a link."""
    target = Path(os.path.realpath(target))
    return target.with_name(target.name + ENDING)


class Journal:
    """The journal of a file, open and locked."""

    def __init__(self, target: Path) -> None:
        self.path = journal_of(target)
        self.head: Head | None = None
        self.done: dict[Band, str] = {}
        self._ours = False
        self._descriptor = self._locked(target)
        try:
            self._read()
        except BaseException:
            self.close()
            raise
        self._ours = True

    def _locked(self, target: Path) -> int:
        end = time.monotonic() + PATIENCE
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            _held.add(descriptor)
            free = locks(descriptor)
            if free and os.fstat(descriptor).st_nlink:
                return descriptor
            _close(descriptor)  # or its run ended, and removed it, before it was locked
            if not free and time.monotonic() > end:
                raise BlockingIOError(
                    errno.EWOULDBLOCK,
                    f"is being made by another run, which holds {self.path.name}: wait for it, or choose "
                    f"another name",
                    str(target),
                )
            time.sleep(0.002)

    def _read(self) -> None:
        """Take what is said in whole lines; a last line that is cut short was never said."""
        text = b""
        while piece := os.pread(self._descriptor, 1 << 20, len(text)):
            text += piece
        whole = text.rfind(b"\n") + 1
        first, *lines = text[:whole].split(b"\n")
        if not whole and not text.startswith(b'{"vech"'[: len(text)]):
            first = text
        if first:
            self.head = self._head_of(first)
        for line in lines:
            if (record := _record(line)) is not None:
                self.done[record[0]] = record[1]
        self._end = whole

    def _head_of(self, line: bytes) -> Head:
        found = _parsed(line)
        if (
            isinstance(found, dict)
            and found.keys() == {"vech", "numbers", "made"}
            and found["vech"] == VERSION
        ):
            name, made = found["numbers"], found["made"]
            if isinstance(name, str) and name == os.path.basename(name) and isinstance(made, dict):
                return Head(name, made)
        raise FileFormatError(
            f"is no journal of a half that is being made, version {VERSION}: choose another name for the "
            f"result, or delete it",
            self.path,
            line=1,
        )

    def clear(self) -> None:
        """Forget what it says, of a run that is not gone on with."""
        self._end, self.done, self.head = 0, {}, None
        os.ftruncate(self._descriptor, 0)

    def begin(self, head: Head) -> None:
        """Say what a run makes, and in which file."""
        self._append({"vech": VERSION, "numbers": head.numbers, "made": head.made})
        self.head = head

    def note(self, band: Band, digest: str) -> None:
        """Say that a band is done, which must be on the disk."""
        self._append({"runs": list(band), "xxh64": digest})
        self.done[band] = digest

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record).encode() + b"\n"
        os.ftruncate(self._descriptor, self._end)  # what an error, or a kill, has cut short
        written = 0
        while written < len(line):
            written += os.pwrite(self._descriptor, line[written:], self._end + written)
        os.fsync(self._descriptor)
        self._end += len(line)

    def remove(self) -> None:
        """Take it away."""
        os.unlink(self.path)
        self._ours = False

    def close(self) -> None:
        """Let others have it; one that says nothing is taken away."""
        if self._descriptor not in _held:
            return
        try:
            if self._ours and self.head is None:
                self.path.unlink()
        finally:
            _close(self._descriptor)


_held: set[int] = set()
"""The descriptors of open journals: a process that is forked would keep their locks."""


def _close(descriptor: int) -> None:
    _held.discard(descriptor)
    os.close(descriptor)


def _let_go() -> None:
    for descriptor in list(_held):
        _close(descriptor)


os.register_at_fork(after_in_child=_let_go)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _record(line: bytes) -> tuple[Band, str] | None:
    """The band and the digest of a line; None for all else, of which nothing is believed."""
    found = _parsed(line)
    if not isinstance(found, dict) or found.keys() != {"runs", "xxh64"}:
        return None
    band, digest = found["runs"], found["xxh64"]
    if isinstance(digest, str) and isinstance(band, list) and len(band) == 2:
        first, stop = band
        if type(first) is int and type(stop) is int:
            return (first, stop), digest
    return None
