"""PHYLIP distances: how many, then a name and numbers for each; square, lower or upper, wrapped or not.

https://phylipweb.github.io/phylip/doc/distance.html
"""

from array import array
from collections.abc import Iterator
from itertools import islice, starmap
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Unpack

import numpy as np

from vech.arrays import Array
from vech.io.cells import rules
from vech.io.content import Abilities, Content
from vech.io.errors import FileFormatError
from vech.io.lines import filled
from vech.io.number_lines import numbers_of
from vech.io.panels import How
from vech.io.text_rows import check_real, text_file, text_rows
from vech.io.triangles import check_labels
from vech.layouts.dialects import as_layout
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, full_labels=True, options=("names", "encoding"), pipes=True)

STRICT = 10
"""Letters of a name, where it may have blanks in it and numbers may follow it at once."""

NAMES = ("relaxed", "strict")
PLAIN = rules()


class Line(NamedTuple):
    """A line that is not blank."""

    number: int
    text: str


class Body(NamedTuple):
    """Such lines: of few letters each they take no objects of their own."""

    numbers: "array[int]"
    texts: list[str]


class Row(NamedTuple):
    """A row: the line in which it begins, its name, its numbers."""

    line: int
    name: str
    numbers: Array


class Shape(NamedTuple):
    """How many numbers row i of n has."""

    name: str
    triangle: str | None
    strict: bool

    def numbers(self, i: int, n: int) -> int:
        if self.triangle is None:
            return n
        return i + (not self.strict) if self.triangle == "lower" else n - i - self.strict


SHAPES = (
    Shape("a square", None, False),
    Shape("a lower triangle", "lower", True),
    Shape("an upper triangle", "upper", True),
    Shape("a lower triangle with its diagonal", "lower", False),
    Shape("an upper triangle with its diagonal", "upper", False),
)


class MisfitError(Exception):
    """What does not fit a shape, and in which line."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.text, self.line = text, line


def recognises(path: Path, encoding: str | None = None) -> bool:
    """Whether a file begins with a count, and a name with letters follows, such as no number has."""
    first = [line.text.split() for line in islice(_lines(path, encoding), 2)]
    if len(first) < 2 or len(first[0]) > 1 or not first[0][0].isdecimal():
        return False
    name = first[1][0]
    return PLAIN.number(name) is None and any(map(str.isalpha, name))


def load(path: Path, *, names: str | None = None, encoding: str | None = None) -> Content:
    """Load the distances; names are "relaxed", words, and where that does not fit "strict", ten letters."""
    if names not in (None, *NAMES):
        raise ValueError(f"names={names!r} is none of {', '.join(NAMES)}")
    lines = _lines(path, encoding)
    n = _count(next(lines, None), path)
    body = _body(lines, n, path)
    misfits = []
    for naming in NAMES if names is None else (names,):
        found = []
        for shape in SHAPES:
            try:
                found.append((shape, _rows(body, n, shape, naming == "strict", path)))
            except MisfitError as misfit:
                misfits.append((misfit.line, shape.name, misfit.text))
        if found:
            shape, rows = found[0]
            if any([row.name for row in others] != [row.name for row in rows] for _, others in found[1:]):
                raise FileFormatError(
                    f"could be {shape.name} or {found[1][0].name}: give its rows names with letters",
                    path,
                    1,
                )
            return _content(shape, rows)
    line, name, text = max(misfits, key=itemgetter(0))
    raise FileFormatError(f"{text} as {name} of {n:,} rows, which of all shapes fits longest", path, line)


def write(path: Path, store: Store, *, overwrite: bool = True) -> None:
    """Write the square, each row in one line behind its name."""
    expand(path, store, "dense", overwrite=overwrite)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the square, each row in one line behind its name."""
    check_real(store, path)
    if store.kind != "symmetric" or store.diagonal().any() or not store.n:
        raise ValueError(f"{path}: PHYLIP holds distances, symmetric and zero on the diagonal: write .csv")
    labels = _written_labels(store, path)
    with text_file(path, overwrite) as text:
        text.write(f"{store.n}\n")
        for label, row in zip(labels, text_rows(store, " ", **how), strict=True):
            text.write(f"{label:<{STRICT}} {row}\n")


def _written_labels(store: Store, path: Path) -> list[str]:
    if store.labels is None:
        raise ValueError(
            f"{path}: PHYLIP names each row, and this store has no labels: S.with_labels(names), or write "
            f".csv"
        )
    for label in store.labels:
        if (
            not isinstance(label, str)
            or not label.isprintable()
            or len(label.split()) != 1
            or label != label.strip()
        ):
            raise ValueError(
                f"{path}: the label {label!r:.60} is no name of PHYLIP, which is one word: "
                "S.with_labels(names), or write .npz"
            )
    check_labels(store.labels, path, 1)
    return list(store.labels)


def _lines(path: Path, encoding: str | None) -> Iterator[Line]:
    return starmap(Line, filled(path, encoding))


def _count(line: Line | None, path: Path) -> int:
    word = "" if line is None else line.text.strip()
    if not word.isdecimal() or not word.isascii() or len(word) > 9 or int(word) == 0:
        raise FileFormatError(
            f"begins with {word[:STRICT]!r}, and PHYLIP begins with the number of rows",
            path,
            line and line.number,
        )
    return int(word)


def _body(lines: Iterator[Line], n: int, path: Path) -> Body:
    """The other lines, no more than there can be."""
    most, body = n * (n + 1), Body(array("q"), [])
    for number, text in islice(lines, most + 1):
        body.numbers.append(number)
        body.texts.append(text)
    if not 0 < len(body.texts) <= most:
        raise FileFormatError(f"says {n:,} rows, and {len(body.texts):,} lines follow", path, 1)
    return body


def _rows(body: Body, n: int, shape: Shape, strict: bool, path: Path) -> list[Row]:
    rows, names, at = list[Row](), set[str](), 0
    end = len(body.texts)
    for i in range(n):
        if at == end:
            raise MisfitError(f"ends after {i:,} rows", body.numbers[-1])
        line = Line(body.numbers[at], body.texts[at])
        at += 1
        name, cells = _cells(line.text, strict=strict)
        wanted = shape.numbers(i, n)
        while len(cells) < wanted and at < end:
            cells += body.texts[at].split()
            at += 1
        if len(cells) != wanted:
            raise MisfitError(f"has {len(cells):,} numbers where {wanted:,} fit", line.number)
        try:
            numbers = numbers_of(cells, PLAIN, path, line.number)
        except FileFormatError as error:
            raise MisfitError(error.message, line.number) from None
        if not name:
            raise MisfitError("has no name", line.number)
        if (
            shape.triangle is not None
            and not shape.strict
            and numbers[-1 if shape.triangle == "lower" else 0]
        ):
            raise MisfitError("has another number than 0 on the diagonal", line.number)
        if name in names:
            raise MisfitError(f"has the label {name!r} twice (rename one)", line.number)
        names.add(name)
        rows.append(Row(line.number, name, numbers))
    if at < end:
        raise MisfitError(f"has more lines than {n:,} rows", body.numbers[at])
    return rows


def _cells(text: str, *, strict: bool) -> tuple[str, list[str]]:
    """The name and the words behind it."""
    if strict:
        return text[:STRICT].strip(), text[STRICT:].split()
    name, *cells = text.split()
    return name, cells


def _content(shape: Shape, rows: list[Row]) -> Content:
    lines, labels, numbers = zip(*rows, strict=True)
    if shape.triangle is None:
        return Content("full", np.stack(numbers), labels, layout=as_layout("condensed"), lines=lines)
    lower = shape.triangle == "lower"
    if not shape.strict:
        numbers = tuple(row[:-1] if lower else row[1:] for row in numbers)
    layout = "strict-tril" if lower else "strict-triu"
    return Content.of_store(Packed(np.concatenate(numbers), layout, labels=labels))
