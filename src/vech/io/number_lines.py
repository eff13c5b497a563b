"""Lines of numbers, fast where they are plain, and by the rules of `cells` where they are not."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from vech import _core
from vech.arrays import Array
from vech.frames import EXACT_INTEGERS
from vech.io.cells import BLANK, Rules, shown
from vech.io.columns import DATE
from vech.io.errors import TAKES_DATA, FileFormatError

NUMBER, PASSED, LABEL, WORD = range(4)
"""What becomes of the cells of a column, as `core/table.hpp` has it."""


def numbers_of(cells: Sequence[str], rules: Rules, path: Path, line: int) -> Array:
    """The numbers of cells, float64; NaN where one is missing, FileFormatError for what is no number.

    Python's float takes more than a number: 1_000, digits of other scripts, form feeds beside it. Cells
    with those are looked at one by one.
    """
    text = "".join(cells)
    if text.isascii() and text.isprintable() and "_" not in text and "," not in text:
        with suppress(ValueError):
            row = np.fromiter(map(float, cells), float, len(cells))
            if np.fmax.reduce(np.abs(row), initial=0) < EXACT_INTEGERS:
                return row
    found = []
    for cell in cells:
        number = rules.number(cell)
        if number is None:
            date = f"{shown(cell)}, which is a date; {TAKES_DATA}" if DATE.fullmatch(cell.strip()) else None
            raise FileFormatError(f"holds {date or rules.fault(cell)}", path, line)
        found.append(number)
    return np.array(found)


class PlainLines:
    """Lines of numbers by `core/table.cpp`, about eight times as fast as one cell after the other.

    `labelled` says whether the first cell of each is its label.
    """

    def __init__(self, mark: str, rules: Rules, labelled: bool) -> None:
        self.mark, self.labelled, self.decimal = mark, labelled, rules.decimal
        self.words = rules.plain_words

    def read(self, text: str) -> tuple[str, Array] | None:
        """The first cell, and the numbers; None for a line with anything odd, or no number at an end."""
        blank = self.mark == BLANK
        count = len(text.split()) if blank else text.count(self.mark) + 1
        if '"' in text or count < 1 + self.labelled:
            return None
        columns = np.full(count, NUMBER, np.uint8)
        if self.labelled:
            columns[0] = LABEL
        numbers = np.empty((1, count - self.labelled))
        line = np.frombuffer(text.encode() + b"\n", np.uint8)
        longest = csv.field_size_limit()
        found, _, _ = _core.read_table(
            line, 0, columns, self.mark, self.decimal, "", self.words, longest, numbers, None, 1
        )
        row = numbers[0]
        if not found or np.isnan(row[[0, -1]]).any():
            return None
        return text.split(None if blank else self.mark, 1)[0].strip(), row
