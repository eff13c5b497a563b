"""The group of each row of a matrix, from a table beside it: a file, or FILE/COLUMN."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vech.io.cells import rules
from vech.io.errors import FileFormatError
from vech.labels import label_text

NONE = rules().words  # cells without a group


def read_groups(said: str, labels: Sequence[Any] | None, n: int) -> list[str | None]:
    """One group for each row, None where a cell is empty or NA.

    Parameters
    ----------
    said : str
        A file of one cell a line, or of a label and a group a line; or such a file, a slash and the name that
        its first line gives to a column. Cells are parted by commas, in .tsv and .txt by tabs.
    labels : sequence, optional
        Of the matrix: lines are put in their order where the first column has labels.
    n : int
        Rows of the matrix.

    Raises
    ------
    FileFormatError
        For a column that is not there, other than n lines, and a label that no line or more than one has.
    """
    path, column = Path(said), None
    if not path.is_file() and path.parent.is_file():
        path, column = path.parent, path.name
    lines = _lines(path)
    if column is None:
        at = len(lines[0][1]) - 1
        if at > 1:
            raise FileFormatError(
                f"has {at + 1} columns: say which one, as in {path}/{lines[0][1][-1]}", path
            )
    else:
        names = [cell.strip() for cell in lines.pop(0)[1]]
        if names.count(column) != 1:
            few = ", ".join(map(repr, names[:6])) + ", ..." * (len(names) > 6)
            raise FileFormatError(f"has {names.count(column)} columns {column!r}: it has {few}", path, 1)
        at = names.index(column)
    width = len(lines[0][1]) if lines else 0
    for number, cells in lines:
        if len(cells) != width:
            raise FileFormatError(f"has {len(cells)} cells, and the first line has {width}", path, number)
    groups = [_group(cells[at]) for _, cells in lines]
    keys = [cells[0].strip() for _, cells in lines] if at else None
    if keys is not None and labels is not None:
        return _by_label(keys, groups, [label_text(label).strip() for label in labels], path)
    if len(groups) != n:
        raise FileFormatError(f"has {len(groups)} groups, and the matrix {n} rows", path)
    return groups


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each line that is not blank, and its number."""
    parting = "\t" if path.suffix.lower() in (".tsv", ".txt") else ","
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=parting, strict=True)
            lines = [
                (reader.line_num, cells) for cells in reader if any(map(str.strip, cells)) or len(cells) == 1
            ]
    except UnicodeDecodeError:
        raise FileFormatError("is no UTF-8", path) from None
    except csv.Error as error:
        raise FileFormatError(f"is no table: {error}", path) from None
    if not lines:
        raise FileFormatError("is empty", path)
    return lines


def _group(cell: str) -> str | None:
    return None if cell.strip().lower() in NONE else cell.strip()


def _by_label(keys: list[str], groups: list[str | None], labels: list[str], path: Path) -> list[str | None]:
    known = dict(zip(keys, groups, strict=True))
    for label in labels:
        if keys.count(label) != 1:
            raise FileFormatError(
                f"has {keys.count(label)} lines for the label {label!r} of the matrix in its first column",
                path,
            )
    return [known[label] for label in labels]
