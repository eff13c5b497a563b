"""A matrix as text: all of a small one, the corners of a large one, under its labels."""

from __future__ import annotations

import numpy as np

from vech.arrays import Array
from vech.store import Store

WHOLE = 10  # the side of a matrix that is shown whole; of larger ones so many rows are shown
WIDTH = 16  # letters of a label


def table(S: Store) -> str:
    """Numbers as NumPy prints them, with labels or positions before rows and above columns."""
    if not S.n:
        return repr(S)
    shown = (
        np.arange(S.n) if S.n <= WHOLE else np.concatenate([np.arange(WHOLE // 2), np.arange(-WHOLE // 2, 0)])
    )
    names = [_name(k if S.labels is None else S.labels[k]) for k in (shown + S.n) % S.n]
    cells = _cells(S.block(shown, shown))
    if cut := S.n > WHOLE:
        for row in (names, *cells):
            row.insert(WHOLE // 2, "...")
        cells.insert(WHOLE // 2, ["..."] * len(names))
    rows = [["", *names], *([name, *row] for name, row in zip(names, cells, strict=True))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
    return "\n".join([*(line.rstrip() for line in lines), *([repr(S)] if cut else [])])


def _cells(block: Array) -> list[list[str]]:
    """The numbers as text, all in one format."""
    mark = "\x1f"  # no text of a number holds it
    text = np.array2string(
        block.ravel(), separator=mark, threshold=block.size + 1, max_line_width=block.size * 200
    )
    cells = [cell.strip().strip("'") for cell in text[1:-1].split(mark)]
    return [cells[k : k + len(block)] for k in range(0, len(cells), len(block))]


def _name(label: object) -> str:
    """A label in few letters, all of which can be printed."""
    text = str(label)
    text = text if text.isprintable() else repr(text)[1:-1]
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
