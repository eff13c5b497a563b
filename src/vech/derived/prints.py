"""A matrix as text: all of a small one, the corners of a large one, under its labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array
from vech.labels import printable
from vech.store import Store

WHOLE = 10  # the side of a matrix that is shown whole; of larger ones so many rows are shown
WIDTH = 19  # letters of a label, which a time in seconds has
CUT = "..."


def table(S: Store) -> str:
    """Numbers as NumPy prints them, with labels or positions before rows and above columns."""
    if not S.n:
        return repr(S)
    half = WHOLE // 2
    shown = np.arange(S.n) if S.n <= WHOLE else np.r_[:half, S.n - half : S.n]
    names = [_name(k if S.labels is None else S.labels[k]) for k in shown]
    columns = [names, *map(_trimmed, _cells(S.block(shown, shown)).T)]
    heads = ["", *names]
    if S.n > WHOLE:
        for column in columns:
            column.insert(half, CUT)
        heads.insert(1 + half, CUT)
        columns.insert(1 + half, [CUT] * len(columns[0]))
    widths = [max(map(len, [head, *column])) for head, column in zip(heads, columns, strict=True)]
    rows = [heads, *zip(*columns, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    ]
    return "\n".join(lines if S.n <= WHOLE else [*lines, repr(S)])


def _trimmed(column: NDArray[Any]) -> list[str]:
    """Numbers that stand point under point, without the room that none of the column needs."""
    left = min(len(cell) - len(cell.lstrip()) for cell in column)
    right = min(len(cell) - len(cell.rstrip()) for cell in column)
    return [cell[left : len(cell) - right] for cell in column]


def _cells(block: Array) -> NDArray[Any]:
    """The numbers as text, all in one format and of one width."""
    mark = "\x1f"  # no text of a number holds it
    text = np.array2string(
        block.ravel(), separator=mark, threshold=block.size + 1, max_line_width=block.size * 200
    )
    cells = [cell.strip("'") for cell in text[1:-1].split(mark)]
    return np.array(cells, object).reshape(block.shape)


def _name(label: object) -> str:
    """A label in few letters, all of which can be printed."""
    text = printable(label)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - len(CUT)]}{CUT}"
