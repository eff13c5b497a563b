"""Square and triangular tables in text, with names of rows and columns or without: `.csv`, `.tsv`, `.txt`."""

import csv
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Unpack

import numpy as np

from vech import _core
from vech.arrays import Array, check_memory
from vech.io.cells import (
    BLANK,
    MISSING,
    SAMPLE,
    SEPARATORS,
    Record,
    Rules,
    is_word,
    quote_fault,
    quoted,
    rules,
    separator,
    shown,
    split,
)
from vech.io.content import Abilities, Content
from vech.io.errors import FileFormatError
from vech.io.gz import bare_name
from vech.io.lines import Lines, read_text, refuse_zeros
from vech.io.number_lines import NUMBER, PlainLines, numbers_of
from vech.io.panels import How
from vech.io.text_rows import check_real, text_file, text_rows
from vech.io.triangles import HOW, Rows, check_labels
from vech.layouts.dialects import AnyLayout
from vech.store import Store

CAN = Abilities(
    expand=("dense",),
    labels=True,
    full_labels=True,
    options=("sep", "decimal", "header", "labels", "encoding", "layout"),
    write_options=("sep", "decimal"),
)

SAMPLED = 1 << 20
"""Letters of the first lines, from which separators and names are seen."""

COMMENT = "#"
NO_COMMENT = re.compile(
    f"(?:{'|'.join(re.escape(word) for word in MISSING if word.startswith(COMMENT))})(?=[\\s,;|]|$)",
    re.IGNORECASE,
)
"""A missing number that begins as a comment does."""

QUOTED = re.compile(r'"[^"]*"')
DECIMALS = re.compile(r"\d,\d+[ \t]+[-+]?\d")


def load(
    path: Path,
    *,
    sep: str | None = None,
    decimal: str = ".",
    header: bool | None = None,
    labels: bool | None = None,
    encoding: str | None = None,
    layout: AnyLayout | None = None,
) -> Content:
    """Load a square matrix, a triangle by rows, or a half with one number a line."""
    plain = rules(decimal)
    lines = _filled(Lines(path, read_text(path, encoding)))
    sample = list(_sample(lines))
    if not sample:
        raise FileFormatError("is empty", path)
    refuse_zeros(sample[0][1], path, sample[0][0])
    try:
        mark = _separator([text for _, text in sample], decimal, sep)
    except ValueError as error:
        if sep is not None:
            raise
        raise FileFormatError(str(error), path, sample[0][0]) from None
    first = list(_records(iter(sample), mark, path, whole=False)) or list(_records(iter(sample), mark, path))
    named = _names_columns([record.cells for record in first], header, plain, path, first[0].line)
    labelled = _names_rows(first[named:], labels, plain, path, alone=not named)
    if not named and not labelled and [len(record.cells) for record in first[:2]] == [1, 1]:
        return Content.of_array(_column(Lines(path, read_text(path, encoding)), mark, plain))
    rest = chain(sample, lines)
    names = [cell.strip() for cell in next(_records(rest, mark, path)).cells] if named else None
    labelled = labelled or (labels is None and names is not None and not names[0])
    closed = _close_with_marks([record.cells for record in first[named:]])
    found, rows, by_kernel = [], Rows(path), PlainLines(mark, plain, labelled)
    for numbered in rest:
        if (read := by_kernel.read(numbered[1])) is not None:
            found.append(read[0])
            rows.add(read[1], numbered[0])
            continue
        line, cells = next(_records(chain([numbered], rest), mark, path))
        if closed and not cells[-1].strip():
            cells = cells[:-1]
        found.append(cells[0].strip())
        _add(rows, cells[1:] if labelled else cells, line, plain, path)
    if len(rows.numbers) == 1 and not rows.width:
        raise FileFormatError("holds no numbers", path)
    if names is None and not labelled:
        rows = _without_last(rows)
    if not labelled and rows.rectangular and rows.width == len(rows.numbers) + 1 and labels is None:
        if names is None or found != names[-len(found) :]:
            raise FileFormatError(
                f"has {len(rows.numbers):,} rows of {rows.width:,} numbers, and a square has as many rows: "
                "say labels=True (--labels) if the first of each names its row",
                path,
                rows.lines[0],
            )
        labelled, rows = True, rows.without_first()
    if not named and header is None:
        _refuse_numbers_as_names(rows, labelled=labelled)
    return rows.content(
        _agreed(names, found if labelled else None, rows, first[0].line),
        diagonal=None if layout is None else layout.diagonal,
    )


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the full matrix as `write` does."""
    write(path, store, overwrite=overwrite, **how)


def write(
    path: Path,
    store: Store,
    *,
    overwrite: bool = True,
    sep: str | None = None,
    decimal: str = ".",
    **how: Unpack[How],
) -> None:
    """Write the full matrix by rows, its labels in the first line and in front of each."""
    rules(decimal)
    check_real(store, path)
    labels = _written_labels(store, path)
    mark = "," if bare_name(path).lower().endswith(".csv") else "\t"
    if sep is not None or mark == decimal:
        mark = separator((), decimal, sep or ";")
        if mark in (decimal, COMMENT):
            what = "the decimal mark too" if mark == decimal else "what comments begin with"
            raise ValueError(f"{path}: sep={mark!r} is {what}: choose another one, such as ';'")
    with text_file(path, overwrite) as text:
        if labels is not None:
            labels = [quoted(label, mark) for label in labels]
            text.write(mark.join(["", *labels]) + "\n")
        for i, row in enumerate(text_rows(store, mark, **how)):
            label = "" if labels is None else labels[i] + mark
            text.write(f"{label}{row if decimal == '.' else row.replace('.', decimal)}\n")


def _written_labels(store: Store, path: Path) -> list[str] | None:
    """The labels, if they come back from text as they are."""
    if store.labels is None:
        return None
    for label in store.labels:
        if not isinstance(label, str):
            raise TypeError(
                f"{path}: a label is {type(label).__name__} {label!r:.60}, and a table keeps text: "
                "S.with_labels(str), or write .npz"
            )
        if not label.isprintable() or label != label.strip() or not label:
            raise ValueError(
                f"{path}: the label {label!r:.60} would come back as another: "
                "a table keeps letters, without blanks around them; write .npz"
            )
    check_labels(store.labels, path, 1)
    return list(store.labels)


# ---- lines and cells ---------------------------------------------------------------------------------------


def _filled(lines: Lines) -> Iterator[tuple[int, str]]:
    """The lines that are neither blank nor comments, without their ends, and their numbers."""
    while (text := lines.next()) is not None:
        text = text.rstrip("\r\n")
        bare = text.strip(" ")
        if bare.strip("\t") and not (bare.startswith(COMMENT) and not NO_COMMENT.match(bare)):
            yield lines.line, text


def _sample(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    letters = 0
    for number, text in islice(lines, SAMPLE):
        yield number, text
        letters += len(text)
        if letters > SAMPLED:
            return


def _separator(lines: Sequence[str], decimal: str, sep: str | None) -> str:
    """What separates cells: the first of SEPARATORS in all lines but one, as in triangles; else blanks."""
    if sep is not None:
        return separator((), decimal, sep)
    bare = [QUOTED.sub("", text) for text in lines]
    for mark in SEPARATORS:
        having = sum(mark in text for text in bare)
        if mark == decimal or not having or having < len(bare) - 1:
            continue
        if mark == "," and any(map(DECIMALS.search, bare)):
            raise ValueError(
                "has commas and blanks between digits: say sep=',' (--sep ,), or sep=' ' and decimal=','"
            )
        return mark
    if any(len(text.split()) > 1 for text in bare):
        return BLANK
    return "," if decimal != "," else ";"


def _records(
    lines: Iterable[tuple[int, str]], mark: str, path: Path, *, whole: bool = True
) -> Iterator[Record]:
    """The cells of the lines; `whole` unless the last of them may be cut off, in a quote."""
    lines = iter(lines)
    for number, text in lines:
        if '"' not in text:
            yield Record(number, text.split() if mark == BLANK else text.split(mark))
            continue
        try:
            yield Record(number, next(split(chain([text + "\n"], (more + "\n" for _, more in lines)), mark)))
        except csv.Error as error:
            if not whole and "unexpected end" in str(error):
                return
            raise FileFormatError(quote_fault(error), path, number) from None


def _column(lines: Lines, mark: str, plain: Rules) -> Array:
    """The numbers of a text with one in each line, by `core/table.cpp`: 24 MB in 0.2 s, not 15 as rows."""
    found, filled = array("d"), _filled(lines)
    kinds, words, longest = np.array([NUMBER], np.uint8), plain.plain_words, csv.field_size_limit()
    while lines.left or lines.fill():
        room, count = np.empty((lines.count(), 1)), 0
        check_memory(16 * (len(found) + len(room)), "its numbers")
        while lines.left and count < len(room):
            if lines.whole:
                text = np.frombuffer(lines.piece, np.uint8)
                read, passed, lines.at = _core.read_table(
                    text, lines.at, kinds, mark, plain.decimal, "", words, longest, room[count:], None, 1
                )
                lines.line += passed
                count += read
            if lines.left and count < len(room) and (odd := next(filled, None)) is not None:
                line, cells = next(_records(chain([odd], filled), mark, lines.path))
                numbers = numbers_of(cells, plain, lines.path, line)
                if len(numbers) != 1:
                    fault = f"has {len(numbers):,} numbers, and the lines before it one: {HOW}"
                    raise FileFormatError(fault, lines.path, line)
                room[count] = numbers
                count += 1
        found.frombytes(room[:count].tobytes())
    return np.frombuffer(found)


def _add(rows: Rows, cells: list[str], line: int, plain: Rules, path: Path) -> None:
    """Add the numbers of cells, NaN for those in which nothing is."""
    lead = next((k for k, cell in enumerate(cells) if cell.strip()), len(cells))
    trail = 0
    while trail < len(cells) - lead and not cells[-1 - trail].strip():
        trail += 1
    if not lead and not trail:
        rows.add(numbers_of(cells, plain, path, line), line)
        return
    numbers = np.full(len(cells), np.nan)
    numbers[lead : len(cells) - trail] = numbers_of(cells[lead : len(cells) - trail], plain, path, line)
    rows.add(numbers, line, (lead, len(cells) if lead == len(cells) else trail))


def _close_with_marks(records: list[list[str]]) -> bool:
    """Whether the lines of a triangle end in a separator, as lavaan's do."""
    ends = [cells[-1].strip() for cells in records[:2]]
    return ends == ["", ""] and abs(len(records[0]) - len(records[1])) == 1


def _without_last(rows: Rows) -> Rows:
    """The rows without an empty last cell, where all lines of a square end in a separator."""
    return rows.without_last() if rows.ends_empty and rows.width == len(rows.numbers) + 1 else rows


# ---- names -------------------------------------------------------------------------------------------------


def _names_columns(
    records: list[list[str]], header: bool | None, plain: Rules, path: Path, line: int
) -> bool:
    """Whether the first line names the columns; FileFormatError where that must be said."""
    if header is not None:
        return header
    head, below = records[0], records[1:]
    rest = [cell for cell in head[1:] if cell.strip()]
    numbers = [cell for cell in rest if plain.is_number(cell)]
    words = [cell for cell in rest if not _is_number(cell, plain)]
    if words and (numbers or plain.is_number(head[0])):
        raise FileFormatError(
            f"holds numbers beside {shown(words[0])}: say header=True (--header) if these are names, "
            "or header=False (--no-header) if they are data",
            path,
            line,
        )
    if words and any(map(_has_letters, words)):
        return True
    shorter = len(below) > 1 and len(below[0]) == len(below[1]) == len(head) + 1 > 2
    counts = len(numbers) > 1 and all(map(str.isdecimal, numbers)) and len(set(numbers)) == len(numbers)
    behind = 0 < len(rest) == len(head) - 1 and not head[0].strip()  # an empty corner
    above = behind and (
        not any(math.isfinite(plain.number(cell) or 0.0) for cell in rest)
        or (bool(below) and all(map(str.strip, below[0])))  # the corner alone is empty
    )
    if words or (shorter and all(_is_number(cell, plain) for cell in head)) or (counts and behind) or above:
        raise _doubt(path, line)
    return False


def _names_rows(records: list[Record], labels: bool | None, plain: Rules, path: Path, *, alone: bool) -> bool:
    """Whether the first cell of each line names the row: where one of them is no number and has letters.

    FileFormatError where that must be said: without names of columns it may be a damaged number.
    """
    if labels is not None:
        return labels
    numbers = alone and any(plain.is_number(cells[0]) for _, cells in records)
    named = False
    for line, cells in records:
        if _has_letters(cells[0]) and not _is_number(cells[0], plain):
            if numbers and not is_word(cells[0]):
                raise FileFormatError(
                    f"begins with {shown(cells[0])}, and others with numbers: say labels=True (--labels) if "
                    "these name the rows, or labels=False (--no-labels) if they are data",
                    path,
                    line,
                )
            named = True
    return named


def _is_number(cell: str, plain: Rules) -> bool:
    """Whether a cell holds a number, a missing one, or one that float64 does not have."""
    return plain.number(cell) is not None or plain.is_number(cell)


def _has_letters(cell: str) -> bool:
    """Whether a cell is a name; without letters it may be a damaged number, such as 0,5 or 2020_01."""
    return any(map(str.isalpha, cell))


def _refuse_numbers_as_names(rows: Rows, *, labelled: bool) -> None:
    """Refuse a first line of different integers above a square: they may be its names."""
    if not rows.rectangular or len(rows.numbers) != rows.width + 1 or rows.width < 2:
        return
    head: Array = rows.numbers[0]
    if (head == np.rint(head)).all() and len(np.unique(head)) == len(head):
        raise _doubt(rows.path, rows.lines[0])


def _doubt(path: Path, line: int) -> FileFormatError:
    return FileFormatError(
        "may name the columns, by numbers: say header=True (--header), or header=False (--no-header) "
        "if it is data",
        path,
        line,
    )


def _agreed(names: list[str] | None, found: list[str] | None, rows: Rows, line: int) -> list[str] | None:
    """The labels: names of columns and of rows, which must be the same."""
    count = len(rows.numbers) if found is not None else rows.width
    if names is not None and found is not None and len(names) == len(found) + 1:
        names = names[1:]  # the corner names the column of labels
    if found is not None:
        check_labels(found, rows.path, rows.lines)
    if names is None:
        return found
    check_labels(names, rows.path, line)
    if found is None:
        return names
    if len(names) != count:
        raise FileFormatError(
            f"names {len(names) - (not names[0]):,} columns, and {count:,} rows follow", rows.path, line
        )
    for k, (name, label) in enumerate(zip(names, found, strict=True)):
        if name != label:
            raise FileFormatError(
                f"is the row {shown(label)}, and column {k + 1} is {shown(name)}: "
                "rows and columns have the same labels, in the same order",
                rows.path,
                rows.lines[k],
            )
    return found
