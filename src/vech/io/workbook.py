"""Sheets of Excel: in through pandas, as text, so that its rules hold; out through openpyxl."""

import csv
import io
import math
import sys
import zipfile
from collections.abc import Sequence
from datetime import date, time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vech.arrays import Array, check_memory
from vech.frames import EXACT_INTEGERS
from vech.io.errors import FileFormatError, reading

NEEDS = "needs pandas and openpyxl (.xls: xlrd), which the extra 'excel' of vech installs"
UNPACKED = 20
"""Bytes of memory that openpyxl takes for a byte of an unpacked sheet, about."""

SHEET = (1 << 20, 1 << 14)
"""Rows and columns of a sheet at most."""


def read_text(path: Path, sheet: str | int | None) -> bytes:
    """The cells of a sheet as lines of text: separated by commas, one a row, blank ones among them."""
    try:
        import pandas
    except ImportError:
        raise ImportError(f"{path}: {path.suffix} {NEEDS}") from None
    try:
        with reading(path, "is no workbook that pandas reads"):
            _check_size(path)
            with pandas.ExcelFile(path) as book:
                name = _sheet(book.sheet_names, sheet, path)
                frame = pandas.read_excel(book, sheet_name=name, header=None, dtype=object, na_filter=False)
    except ImportError as error:
        raise ImportError(f"{path}: {path.suffix} {NEEDS}: {error}") from None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in frame.itertuples(index=False, name=None):
        cells = [_cell(value) for value in row]
        if any(cells):
            writer.writerow(cells)
        else:
            text.write("\n")
    return text.getvalue().encode()


def _check_size(path: Path) -> None:
    """MemoryError for what unpacks to more than there is; but in the oldest format a workbook is a .zip."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as book:
            check_memory(UNPACKED * sum(member.file_size for member in book.infolist()), "save it as .csv")


def _sheet(names: Sequence[Any], sheet: str | int | None, path: Path) -> Any:
    shown = ", ".join(repr(name) for name in names)
    if sheet is None and len(names) > 1:
        raise FileFormatError(f"has the sheets {shown}: say which by sheet= (--sheet)", path)
    if isinstance(sheet, str) and sheet not in names:
        raise FileFormatError(f"has no sheet {sheet!r}: it has {shown}", path)
    if isinstance(sheet, int) and not 0 <= sheet < len(names):
        raise FileFormatError(f"has no sheet {sheet}: it has 0 to {len(names) - 1}", path)
    return names[0] if sheet is None else names[sheet] if isinstance(sheet, int) else sheet


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else repr(float(value))
    if isinstance(value, int) and EXACT_INTEGERS < abs(value) <= sys.float_info.max:
        double = float(value)  # what the sheet holds, unless it was made by another program than Excel
        return repr(double) if double == value else str(value)
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat(*((" ",) if hasattr(value, "hour") and hasattr(value, "year") else ()))
    return " ".join(str(value).splitlines()) if value is not None else ""


def cell(sheet: Any, value: Any, kind: str) -> Any:
    """A cell of a type that openpyxl shall not tell by the value: of numbers, it writes 16 digits only."""
    from openpyxl.cell import WriteOnlyCell

    made = WriteOnlyCell(sheet, repr(value) if kind == "n" else value)
    made.data_type = kind
    return made


def write(file: BinaryIO, numbers: Array, names: Sequence[str] | None, index: Sequence[str] | None) -> None:
    """Write one sheet; numbers with the fewest digits that give them back."""
    try:
        from openpyxl import Workbook
    except ImportError:
        raise ImportError(f".xlsx {NEEDS}") from None
    rows, columns = len(numbers) + (names is not None), numbers.shape[1] + (index is not None)
    if rows > SHEET[0] or columns > SHEET[1]:
        raise ValueError(
            f"a sheet of Excel has {SHEET[0]:,} rows and {SHEET[1]:,} columns at most, not {rows:,} x "
            f"{columns:,}: write .csv or .parquet"
        )
    if np.isinf(numbers).any():
        raise ValueError("Excel has no infinite numbers: write .csv or .parquet")
    book = Workbook(write_only=True)
    sheet = book.create_sheet()

    def written(number: Any) -> Any:
        return None if math.isnan(number) else cell(sheet, number, "n")

    if names is not None:
        sheet.append([*([""] if index is not None else []), *names])
    for k, row in enumerate(numbers.tolist()):
        if index is not None:
            sheet.append([index[k], *map(written, row)])
        else:  # a row without anything would not be one
            sheet.append([*map(written, row)] if not all(map(math.isnan, row)) else ["NaN"] * len(row))
    book.save(file)
