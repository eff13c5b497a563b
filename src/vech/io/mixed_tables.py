"""Tables whose columns are of several sorts, as Gower's distances compare them: in text numbers and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.io import columnar
from vech.io.cells import shown
from vech.io.columns import Wanted, no_number
from vech.io.delimited import Reader
from vech.io.errors import FileFormatError


class Text(list[Any]):
    """A column of text, None where it is missing."""

    dtype = np.dtype(object)

    def to_list(self) -> list[Any]:
        """The cells."""
        return list(self)


class Mixed:
    """Columns of several sorts, with the names of columns and labels of rows that there are: a frame."""

    def __init__(self, held: Sequence[Any], names: Sequence[str] | None, index: Sequence[str] | None) -> None:
        self.held, self.index = tuple(held), None if index is None else tuple(index)
        self.columns = tuple(range(len(self.held))) if names is None else tuple(names)
        self.dtypes = tuple(column.type if hasattr(column, "type") else column.dtype for column in held)

    def __len__(self) -> int:
        return len(self.held[0])

    def to_series(self, k: int) -> Any:
        """A column, by its place."""
        return self.held[k]

    def to_numpy(self) -> Array:
        """All cells, as Python objects."""
        return np.array([np.asarray(column, object) for column in self.held], object).T


def of_text(reader: Reader) -> Mixed:
    """All rows of a table in text. A column whose cells are numbers, or missing, is one of numbers."""
    rows, lines, index = list[list[str]](), list[int](), list[str]()
    while reader.lines.left or reader.lines.fill():
        if (record := reader.record()) is not None:
            reader.check(record)
            lines.append(record.line)
            rows.append([record.cells[k].strip() for k in reader.columns.numbers])
            if reader.columns.label is not None:
                index.append(record.cells[reader.columns.label].strip())
    if not rows:
        raise FileFormatError("names its columns and has no rows", reader.path)
    held = [
        _column(reader, k, [row[at] for row in rows], lines) for at, k in enumerate(reader.columns.numbers)
    ]
    reader.finish(np.stack([column for column in held if not isinstance(column, Text)] or [np.zeros(0)]))
    return Mixed(held, reader.labels, None if reader.columns.label is None else index)


def _column(reader: Reader, k: int, cells: list[str], lines: list[int]) -> Any:
    numbers = [reader.rules.number(cell) for cell in cells]
    if all(number is not None for number in numbers):
        return np.array(numbers, np.float64)
    for row, cell in enumerate(cells):
        if numbers[row] is None and reader.is_date(cell):
            fault = no_number(reader.names[k], f"{shown(cell)}, which is a date", date=True, first=k == 0)
            raise FileFormatError(fault, reader.path, lines[row])
    if any(map(reader.rules.is_number, cells)):
        row = numbers.index(None)
        raise FileFormatError(
            f"column {reader.names[k]!r} holds {reader.rules.fault(cells[row])}, and numbers in other rows, "
            f"which text has not: leave it out by drop={reader.names[k]!r} "
            f"(--drop {reader.names[k]})",
            reader.path,
            lines[row],
        )
    return Text(None if reader.is_missing(cell) else cell for cell in cells)


def of_columns(path: Path, want: Wanted) -> Mixed:
    """All of a Parquet or Feather file; each column is of what it is there."""
    names, held, index = columnar.whole(path, want)
    return Mixed(held, names, index)
