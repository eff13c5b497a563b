"""The `.id` files of GCTA and PLINK, which name the rows of a matrix that lies beside them."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vech.io.drafts import Draft, begin_of, draft, locked, remove_leftovers
from vech.io.errors import FileFormatError, ordinary
from vech.io.gz import bare_name

COLUMNS = ("FID", "IID", "SID")
NONE = "0"
"""A family or sample ID that is none; a column of nothing else says nothing."""

NO_NAMES = b"\n"
"""What is set aside for a file of names that was not there; no such file is this."""

WORD = re.compile(r"[^\s]+")
FIT = "text without blanks, or pairs (FID, IID) of it"


def read_ids(path: Path) -> tuple[Any, ...]:
    """Read one label a line: (FID, IID), or the IID alone where no family has an ID.

    PLINK 2 names the columns in a first line "#FID IID"; other columns than FID, IID and SID are left out.
    """
    return ids_of([path])[0]


def ids_of(paths: Sequence[Path]) -> tuple[tuple[Any, ...], list[int]]:
    """Read the labels in several files, one after the other, and how many each has."""
    tables = [_table(path) for path in paths]
    names = tables[0][0]
    for path, (other, _) in zip(paths, tables, strict=True):
        if other != names:
            raise FileFormatError(
                f"has the columns {' '.join(other)}, and {paths[0].name} has {' '.join(names)}", path
            )
    rows = [row for _, part in tables for row in part]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    said = [
        columns[name]
        for name in COLUMNS
        if name in columns and (name == "IID" or set(columns[name]) != {NONE})
    ]
    labels = said[0] if len(said) == 1 else tuple(zip(*said, strict=True))
    return labels, [len(part) for _, part in tables]


def _table(path: Path) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of the columns, and the words of each line."""
    try:
        lines = ordinary(path).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise FileFormatError("is not text in UTF-8", path, byte=error.start) from error
    names: tuple[str, ...] = COLUMNS[:2]
    rows = []
    for k, line in enumerate(lines, 1):
        words = WORD.findall(line)
        if k == 1 and line.startswith("#"):
            names = ("IID", *words[1:]) if words[0] == "#IID" else (words[0][1:], *words[1:])
            if "IID" not in names:
                raise FileFormatError(
                    f"names the columns {' '.join(words)}: there must be an IID", path, line=k
                )
        elif len(words) >= len(names):
            rows.append(words[: len(names)])
        elif words:
            raise FileFormatError(
                f"has {len(words)} words, and {' '.join(names)} are {len(names)}", path, line=k
            )
        elif any(WORD.search(later) for later in lines[k:]):
            raise FileFormatError("is blank", path, line=k)
    return names, rows


def labels_beside(path: Path) -> tuple[Any, ...] | None:
    """The labels in the `.id` file of a matrix in text; None where there is no such file."""
    ids = path.with_name(f"{bare_name(path)}.id")
    return read_ids(ids) if ids.exists() else None


def ids_text(labels: Sequence[Any]) -> str:
    """Give the lines of an `.id` file; TypeError for labels that do not fit."""
    alone = all(isinstance(label, str) for label in labels)
    pairs = [(NONE, label) for label in labels] if alone else labels
    for label, pair in zip(labels, pairs, strict=True):
        fits = isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(word, str) for word in pair)
        if not fits or not all(map(WORD.fullmatch, pair)) or pair[0].startswith("#"):
            raise TypeError(f"the label {label!r:.60} does not go into an .id file, whose labels are {FIT}")
    return "".join(f"{family}\t{individual}\n" for family, individual in pairs)


@contextmanager
def draft_with_ids(path: Path, ids: Callable[[Path], Path], text: str, overwrite: bool) -> Iterator[Draft]:
    """Make a draft of numbers that, with the names of their rows, takes the place of those that are there.

    Where the names change, the old numbers are set aside first, then the old names: whatever ends the writer,
    none get names of others. What an error leaves aside is put back, what SIGKILL leaves by the next writer.
    Other files that share the old names are in the way.
    """
    target = Path(os.path.realpath(path))
    if target.parent.is_dir():
        with locked(target.parent):
            _settle(target, ids(target))
    with draft(path, overwrite) as numbers:
        yield numbers
        numbers.seal()
        _publish(numbers, ids(target), text)


def _publish(numbers: Draft, ids: Path, text: str) -> None:
    with locked(ids.parent):
        _settle(numbers.target, ids)
        if ids.exists() and ordinary(ids).read_bytes() == text.encode():
            numbers.publish()
            return
        for other in _sharing(ids) - {numbers.target, ids}:
            raise FileExistsError(
                errno.EEXIST,
                f"has its rows named by {ids.name}, which would change: remove it first",
                str(other),
            )
        with draft(ids, numbers.overwrite) as names, numbers.naming():
            names.file.write(text.encode())
            names.seal()
            try:
                if numbers.overwrite:
                    if not names.target.exists():
                        aside(names.target).write_bytes(NO_NAMES)
                    for path in (numbers.target, names.target):
                        _move(path, aside(path))
                names.publish()
                numbers.publish()
            finally:
                if names.is_published() and not numbers.is_published():
                    names.target.unlink()
                _settle(numbers.target, ids)


def aside(path: Path) -> Path:
    """Where a file lies while others take its place, and that of its names."""
    return path.with_name(f"{begin_of(path)}old.tmp")


def check_whole(path: Path) -> None:
    """FileNotFoundError for numbers that are set aside: their writer is at work, or was killed."""
    if not path.exists() and (old := aside(Path(os.path.realpath(path)))).exists():
        raise FileNotFoundError(
            errno.ENOENT,
            f"is being replaced, or its writer was killed: the next one that writes it puts {old.name}, "
            "which was there, back, or replaces it",
            str(path),
        )


def _settle(numbers: Path, ids: Path) -> None:
    """Put back what was set aside, names first; where new numbers are there, remove it, names last."""
    ids = Path(os.path.realpath(ids))
    remove_leftovers(ids)
    if not numbers.exists():
        with suppress(FileNotFoundError):
            if aside(ids).read_bytes() == NO_NAMES:
                ids.unlink(missing_ok=True)
            else:
                os.replace(aside(ids), ids)
        _move(aside(numbers), numbers)
    for path in (numbers, ids):
        with suppress(OSError):
            aside(path).unlink()


def _move(old: Path, new: Path) -> None:
    with suppress(FileNotFoundError):
        os.replace(old, new)


def _sharing(ids: Path) -> set[Path]:
    stem = ids.name.removesuffix(".id")
    return {path for path in ids.parent.iterdir() if path.name == stem or path.name.startswith(stem + ".")}
