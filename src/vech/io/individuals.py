"""The `.id` files of GCTA and PLINK, which name the rows of a matrix that lies beside them."""

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vech.io.drafts import Draft, draft, locked
from vech.io.errors import FileFormatError
from vech.io.gz import bare_name

COLUMNS = ("FID", "IID", "SID")
NONE = "0"
"""A family or sample ID that is none; a column of nothing else says nothing."""

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
        lines = path.read_text(encoding="utf-8-sig").split("\n")
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


def publish_with_ids(numbers: Draft, ids: Path, text: str) -> None:
    """Let numbers that are sealed, and the names of their rows, take the place of those that are there.

    Where the names change, the old numbers go first: whatever ends the writer, none get names of others.
    Other files that share the old names are in the way.
    """
    with locked(ids.parent):
        if ids.exists() and ids.read_bytes() == text.encode():
            numbers.publish()
            return
        for other in _sharing(ids) - {numbers.target, ids}:
            raise FileExistsError(
                errno.EEXIST,
                f"has its rows named by {ids.name}, which would change: remove it first",
                str(other),
            )
        with draft(ids, numbers.overwrite) as names:
            names.file.write(text.encode())
            names.seal()
            if numbers.overwrite:
                numbers.target.unlink(missing_ok=True)
            names.publish()
            numbers.publish()


def _sharing(ids: Path) -> set[Path]:
    stem = ids.name.removesuffix(".id")
    return {path for path in ids.parent.iterdir() if path.name == stem or path.name.startswith(stem + ".")}
