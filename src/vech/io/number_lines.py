"""Lines of numbers, fast where they are plain, and by the rules of `cells` where they are not."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from vech.arrays import Array
from vech.frames import EXACT_INTEGERS
from vech.io.cells import Rules, shown
from vech.io.columns import DATE
from vech.io.errors import TAKES_DATA, FileFormatError


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
