"""Excel workbooks: a sheet with a full matrix, and perhaps labels in its first row and first column."""

import math
import re
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from vech.arrays import Array
from vech.frames import EXACT_INTEGERS
from vech.io.content import Abilities, Content, parted
from vech.io.drafts import atomic
from vech.io.errors import TAKES_DATA, FileFormatError, reading
from vech.io.panels import How, blocks
from vech.io.workbook import cell, judge, trimmed
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, full_labels=True)

MOST = 16_383
"""Rows and columns beside labels: sheets have 16 384 columns."""

LONGEST = 32_767
"""Letters of a cell."""

EXACT = "write .npz or .mtx, which hold such integers"

FIRST = 1901
"""The first year whose days Excel counts right."""

ESCAPED = re.compile(r"_x[0-9A-Fa-f]{4}_|[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
MISSING = "#N/A"


def load(path: Path) -> Content:
    """Load the sheet that is named behind "::", or the only one."""
    file_path, sheet = parted(path)
    openpyxl = _openpyxl()
    with file_path.open("rb") as file, reading(file_path, "is no workbook that openpyxl reads"):
        judge(file, file_path)
        book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        array, labels = _matrix(_sheet(book, sheet, file_path), path)
    return Content.of_array(array, labels=labels)


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write the full matrix into the sheet of a new workbook."""
    expand(path, store, "dense", overwrite=overwrite)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the same: a workbook holds full matrices alone."""
    openpyxl = _openpyxl()
    file_path, title = parted(path)
    if store.dtype.kind not in "biuf":
        raise TypeError(f"{path}: cells hold bool, integers and real numbers, not {store.dtype}: write .npz")
    if store.kind != "symmetric":
        raise TypeError(f"{path}: holds a symmetric matrix, and this one is {store.kind}: write .npz")
    if store.n > MOST:
        raise ValueError(f"{path}: sheets have room for n={MOST:,}, and this has n={store.n:,}: write .npz")
    labels = None if store.labels is None else [_checked(label, path) for label in store.labels]
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title or "Sheet1")
    try:
        if labels is not None:
            sheet.append([None, *(cell(sheet, *label) for label in labels)])
        for i, block in blocks(store, 1, **how):
            [row] = block.tolist()
            head = [] if labels is None else [cell(sheet, *labels[i])]
            sheet.append([*head, *(cell(sheet, *_number(x, path)) for x in row)])
        with atomic(file_path, overwrite) as file:
            book.save(file)
    except BaseException:
        with suppress(Exception):  # else its end is written, or not, and printed, whenever it is forgotten
            sheet.close()
        raise


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError:
        raise ImportError('Excel workbooks need openpyxl: pip install "vech[excel]"') from None
    return openpyxl


def _sheet(book: Any, name: str, path: Path) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not name and len(sheets) == 1:
        [name] = sheets
    if name not in sheets:
        said = f"has no sheet {name!r}" if name else "holds more than one sheet"
        raise FileFormatError(f"{said}: say {', '.join(f'{path.name}::{title}' for title in sheets)}", path)
    return sheets[name]


def _matrix(sheet: Any, path: Path) -> tuple[Array, tuple[Any, ...] | None]:
    rows = enumerate(([cell["value"] for cell in row] for row in trimmed(sheet, path)), 1)
    line, head = next(((line, row) for line, row in rows if row), (1, []))
    labelled = bool(head) and (head[0] is None or not all(map(_is_number, head)))
    names: list[Any] | None = head[1:] if labelled else None
    n = len(head) - labelled
    array = np.empty((n, n))
    if not labelled and n:
        array[0] = _row(head, n, line, path)
    filled = 0 if labelled or not n else 1
    for line, row in rows:
        if not row and filled == n:
            continue
        if filled == n:
            raise FileFormatError(
                f"has more rows than its {n:,} columns: a square matrix was wanted; {TAKES_DATA}", path, line
            )
        if names is not None and (
            not row or row[0] != names[filled] or type(row[0]) is not type(names[filled])
        ):
            said = row[0] if row else None
            raise FileFormatError(
                f"names a row {said!r:.60} and its column {names[filled]!r:.60}: they must agree", path, line
            )
        array[filled] = _row(row[labelled:], n, line, path)
        filled += 1
    if filled < n:
        raise FileFormatError(
            f"has {filled:,} rows and {n:,} columns: a square matrix was wanted; {TAKES_DATA}", path, line
        )
    return array, None if names is None else tuple(names)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or value in (None, MISSING)


def _row(cells: list[Any], n: int, line: int, path: Path) -> Array:
    """The numbers of a row; empty cells and #N/A are NaN."""
    if len(cells) > n:
        raise FileFormatError(f"has {len(cells):,} cells in a row of {n:,}", path, line)
    wrong = next((value for value in cells if not _is_number(value)), None)
    if wrong is not None:
        raise FileFormatError(f"has {wrong!r:.60} where a number was wanted", path, line)
    rounded = next((value for value in cells if isinstance(value, int) and _is_rounded(value)), None)
    if rounded is not None:
        raise FileFormatError(f"has the integer {rounded}, which float64 rounds: {EXACT}", path, line)
    found = [math.nan if value in (None, MISSING) else float(value) for value in cells]
    if any(map(math.isinf, found)):
        raise FileFormatError("has a number beyond float64", path, line)
    return np.array(found + [math.nan] * (n - len(found)))


def _is_rounded(value: int) -> bool:
    """Whether float64 makes another integer of it; what is beyond float64 is told as that."""
    return abs(value) > EXACT_INTEGERS and abs(value) <= sys.float_info.max and float(value) != value


def _checked(label: Any, path: Path) -> tuple[Any, str]:
    """A label and the type of its cell; TypeError for one that would come back as another."""
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, bool):
        return label, "b"
    if isinstance(label, float) and math.isfinite(label):
        return label, "n"
    if isinstance(label, int) and abs(label) <= EXACT_INTEGERS:
        return label, "n"
    if isinstance(label, datetime) and _is_second(label):
        return label, "d"
    if isinstance(label, str) and 0 < len(label) <= LONGEST and not ESCAPED.search(label):
        return label, "s"
    raise TypeError(
        f"{path}: the label {label!r:.60} does not go into a cell: text, numbers, bool and times in "
        "seconds do; write .npz"
    )


def _is_second(time: datetime) -> bool:
    """Whether a time comes back as the same: neither NaT does, which equals nothing, nor what has a zone."""
    return (
        time == time.replace(microsecond=0, tzinfo=None)
        and time.year >= FIRST
        and not getattr(time, "nanosecond", 0)
    )


def _number(number: Any, path: Path) -> tuple[Any, str]:
    if isinstance(number, bool):
        return number, "b"
    if isinstance(number, float):
        if math.isnan(number):
            return MISSING, "e"
        if math.isinf(number):
            raise ValueError(f"{path}: Excel has no infinity: write .npz")
    elif abs(number) > EXACT_INTEGERS:
        raise ValueError(f"{path}: Excel has no integers beyond 2^53, and this has {number}: write .npz")
    return number, "n"
