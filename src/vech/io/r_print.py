"""Matrices as R prints them: `dist` with and without diagonal and upper triangle, or others; wrapped or not.

Columns end where their numbers end, and a cell may be blank. So places count, not words: names may have
blanks in them.
"""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.io.cells import rules, shown
from vech.io.content import Abilities, Content
from vech.io.errors import FileFormatError
from vech.io.lines import filled
from vech.io.triangles import check_labels
from vech.layouts.dialects import as_layout
from vech.packed.packed import Packed

CAN = Abilities(write=(), options=("encoding",))

PLAIN = rules()
WORD = re.compile(r"\S+")
UNNAMED = re.compile(r"\[(?:(\d+),|,(\d+))\]")
PROMPT = re.compile(r"[>+](?: |$)")
LOOKED_AT = 1000
"""Lines from which a print-out is told from another table."""


class Block(NamedTuple):
    """Some columns of all rows, as wide as the screen was: its head, and the rows, each with its line."""

    line: int
    head: str
    rows: list[tuple[int, str]]


class Cells(NamedTuple):
    """The cells of a block: names, numbers, and how many decimals each has, NaN where the cell is blank."""

    columns: list[str]
    rows: list[str]
    numbers: Array
    decimals: Array


def recognises(path: Path, encoding: str | None = None) -> bool:
    """Whether a file is a print-out that words do not tell: with blank cells, blanks in names, or wrapped."""
    lines = [text for _, text in islice(_lines(path, encoding), LOOKED_AT)]
    if not lines or not lines[0].startswith(" "):
        return False
    if any(set('\t,;|"') & set(UNNAMED.sub("", text)) for text in lines[:2]):
        return False
    heads = [text for text in lines if text.startswith(" ")]
    width = len(heads[0].split()) + 1
    return len(heads) < len(lines) and (
        len(heads) > 1
        or UNNAMED.search(heads[0]) is not None
        or any(len(text.split()) != width for text in lines[1:])
    )


def load(path: Path, *, encoding: str | None = None) -> Content:
    """Load the matrix, or the lower triangle of distances."""
    blocks = _blocks(path, encoding)
    found = [_cells(block, path) for block in blocks]
    rows = found[0].rows
    for block, cells in zip(blocks, found, strict=True):
        if cells.rows != rows:
            raise FileFormatError("has other rows than the columns before", path, block.line)
    columns = [name for cells in found for name in cells.columns]
    numbers = np.hstack([cells.numbers for cells in found])
    decimals = np.hstack([cells.decimals for cells in found])
    if columns != rows:  # of distances without their diagonal
        if columns[1:] != rows[:-1] or len(columns) != len(rows):
            raise FileFormatError(
                f"has columns {_few(columns)} and rows {_few(rows)}: those of a matrix are "
                "the same, and those of distances without the first row and the last column",
                path,
                blocks[0].line,
            )
        rows = [columns[0], *rows]
        numbers = np.pad(numbers, ((1, 0), (0, 1)))
        decimals = np.pad(decimals, ((1, 0), (0, 1)), constant_values=np.nan)
    labels = None if rows == [str(k + 1) for k in range(len(rows))] else tuple(rows)
    return _content(numbers, decimals, labels, path, [line for line, _ in blocks[0].rows])


def _lines(path: Path, encoding: str | None) -> Iterator[tuple[int, str]]:
    return ((line, text) for line, text in filled(path, encoding) if not PROMPT.match(text))


def _blocks(path: Path, encoding: str | None) -> list[Block]:
    blocks: list[Block] = []
    for line, text in _lines(path, encoding):
        if text.startswith(" ") or not blocks:
            blocks.append(Block(line, text, []))
        else:
            blocks[-1].rows.append((line, text))
    if blank := next((block for block in blocks if not block.rows), None):
        raise FileFormatError("names columns, and no rows follow", path, blank.line)
    return blocks


def _cells(block: Block, path: Path) -> Cells:
    """Find the cells: a word that ends behind where the names of columns begin is no part of a row's name."""
    margin = len(block.head) - len(block.head.lstrip())
    words = [[word for word in WORD.finditer(text) if word.end() > margin] for _, text in block.rows]
    ends = sorted({word.end() for row in words for word in row})
    places = {end: k for k, end in enumerate(ends)}
    columns = [_name(block.head[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
    if not all(columns) or len(block.head) != max(ends, default=-1):
        raise FileFormatError(
            "names columns that do not end where numbers do, as R prints them", path, block.line
        )
    cells = Cells(
        columns, [], np.full((len(words), len(ends)), np.nan), np.full((len(words), len(ends)), np.nan)
    )
    for i, ((line, text), row) in enumerate(zip(block.rows, words, strict=True)):
        cells.rows.append(_name(text[: row[0].start() if row else len(text)]))
        for word in row:
            number = PLAIN.number(word[0])
            if number is None:
                raise FileFormatError(f"holds {PLAIN.fault(word[0])}", path, line)
            cells.numbers[i, places[word.end()]] = number
            cells.decimals[i, places[word.end()]] = _decimals(word[0])
    check_labels(cells.rows, path, [line for line, _ in block.rows])
    return cells


def _content(
    numbers: Array, decimals: Array, labels: tuple[str, ...] | None, path: Path, lines: list[int]
) -> Content:
    """Say what it is: by which cells are blank."""
    n = len(numbers)
    lower, upper = np.tril_indices(n, -1), np.triu_indices(n, 1)
    filled = ~np.isnan(decimals)
    below, above, diagonal = filled[lower], filled[upper], filled.diagonal()
    strict = not diagonal.any() or (diagonal.all() and not numbers.diagonal().any())
    if not below.all() or not (strict or diagonal.all()) or (above.any() and not above.all()):
        raise FileFormatError(
            "has blank cells where numbers should be: it is no triangle and no square", path, lines[0]
        )
    if above.any():
        if not diagonal.any():
            np.fill_diagonal(numbers, 0)
        _take_longer(numbers, decimals)
        return Content(
            "full", numbers, labels, layout=as_layout("condensed") if strict else None, lines=lines
        )
    layout, half = ("condensed", numbers.T[upper]) if strict else ("numpy-tril", numbers[np.tril_indices(n)])
    return Content.of_store(Packed(half, layout, labels=labels))


def _take_longer(numbers: Array, decimals: Array) -> None:
    """Take of (i, j) and (j, i) the number with more decimals for both: R rounds each column by itself."""
    shorter = (decimals < decimals.T) & (np.abs(numbers - numbers.T) <= 0.501 * 10.0**-decimals)
    numbers[shorter] = numbers.T[shorter]


def _decimals(word: str) -> int:
    mantissa, _, exponent = word.partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def _name(text: str) -> str:
    """The name of a row or a column; R calls those without one [1,] and [,1]."""
    text = text.strip()
    unnamed = UNNAMED.fullmatch(text)
    return text if unnamed is None else unnamed[1] or unnamed[2]


def _few(names: list[str]) -> str:
    return ", ".join(map(shown, names[:3])) + (", ..." if len(names) > 3 else "")
