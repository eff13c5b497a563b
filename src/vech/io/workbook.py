"""Sheets of Excel: in as text, whose rules hold, by openpyxl and older ones by pandas; out by openpyxl."""

import csv
import io
import math
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, time
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vech.arrays import Array, check_memory
from vech.frames import EXACT_INTEGERS
from vech.io.cells import rules, shown
from vech.io.errors import FileFormatError, reading
from vech.io.gz import DEFLATES_TO

NEEDS = "needs pandas and openpyxl (.xls: xlrd), which the extra 'excel' of vech installs"
UNPACKED = 20
"""Bytes of memory that openpyxl takes for a byte of an unpacked sheet, about."""

CELL = 50
"""Bytes of memory that pandas takes for a cell that is there, or is repeated."""

CONTENT = "content.xml"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
VALUE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}value"
PLAIN = rules()

SHEET = (1 << 20, 1 << 14)
"""Rows and columns of a sheet at most."""

NUMBERS = {"n": "number", "b": "bool", "s": "place of a text"}
"""What cells of a type hold that Python makes a number of."""

EMPTY = {"value": None, "data_type": "n"}


def read_text(path: Path, sheet: str | int | None) -> bytes:
    """The cells of a sheet as lines of text: separated by commas, one a row, blank ones among them."""
    try:
        rows = _by_openpyxl(path, sheet) if _is_open(path) else _by_pandas(path, sheet)
    except ImportError as error:
        raise ImportError(f"{path}: {path.suffix} {NEEDS}: {error}") from None
    width = max(map(len, rows), default=0)
    check_memory(2 * width * sum(map(any, rows)), f"its rows have {width:,} cells: save it as .csv")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for cells in rows:
        if any(cells):
            writer.writerow(cells + [""] * (width - len(cells)))
        else:
            text.write("\n")
    return text.getvalue().encode()


def repeated_cells(path: Path) -> int:
    """How many cells the largest table of an .ods file has, which says of one how often it is repeated.

    FileFormatError for one whose number pandas would make another of.
    """
    from xml.etree.ElementTree import iterparse

    with zipfile.ZipFile(path) as book:
        if CONTENT not in book.namelist():
            return 0
        most = at = rows = width = 0
        with book.open(CONTENT) as file:
            for _, element in iterparse(file):
                text = element.get(VALUE, "0")
                if PLAIN.number(text) is None:
                    raise FileFormatError(f"has a cell that holds {PLAIN.fault(text)}", path)
                if element.tag == f"{TABLE}table-row":
                    at += _times(element, "rows")
                    if cells := _width(element):
                        rows, width = at, max(width, cells)
                    element.clear()
                elif element.tag == f"{TABLE}table":
                    most, at, rows, width = max(most, rows * width), 0, 0, 0
        return most


def _width(row: Any) -> int:
    """The cells of a row, up to the last that holds something."""
    width = at = 0
    for cell in row:
        at += _times(cell, "columns")
        width = at if len(cell) else width
    return width


def _times(element: Any, what: str) -> int:
    said = element.get(f"{TABLE}number-{what}-repeated", "1")
    return int(said[:10]) if said.isdecimal() else 1


def trimmed(sheet: Any, path: Path) -> Iterator[list[Any]]:
    """The cells of rows, without empty ones behind the last that holds something; as many rows as can be.

    What is between is not made: of one cell at XFD1048576 pandas makes 17 billion. openpyxl takes what Python
    calls a number, 1_0 and digits of other scripts too: by its parser, text is judged before that has it.
    """
    from openpyxl.worksheet._reader import VALUE_TAG, WorkSheetParser

    book, passed = sheet.parent, 0
    with sheet._get_source() as source:
        parser = WorkSheetParser(
            source, sheet._shared_strings, data_only=book.data_only, epoch=book.epoch,
            date_formats=book._date_formats, timedelta_formats=book._timedelta_formats,
        )  # fmt: skip
        parse = parser.parse_cell

        def judged(element: Any) -> Any:
            what = NUMBERS.get(element.get("t", "n"))
            text = element.findtext(VALUE_TAG) if what is not None else None
            with suppress(ValueError):
                if text is None or (text.isascii() and "_" not in text):
                    return parse(element)
            cell = f"the cell {element.get('r', '')} of sheet {sheet.title!r}"
            raise FileFormatError(f"has {shown(text or '')} in {cell}, which is no {what or 'value'}", path)

        parser.parse_cell = judged
        for number, cells in parser.parse():
            if number > SHEET[0]:
                return
            yield from repeat([], number - 1 - passed)
            if number > passed:  # others are there already
                passed = number
                yield _in_order(cells)


def _in_order(cells: list[Any]) -> list[Any]:
    if [cell["column"] for cell in cells] != list(range(1, len(cells) + 1)):
        placed = {cell["column"]: cell for cell in cells}
        cells = [placed.get(column, EMPTY) for column in range(1, max(placed) + 1)]
    while cells and cells[-1]["value"] is None:
        cells.pop()
    return cells


def judge(file: BinaryIO, path: Path, taken: int = 1) -> None:
    """Refuse an archive whose members say more bytes than can be in it, and take memory for what they say."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    for member in members:
        if member.file_size > DEFLATES_TO * (member.compress_size + 1):
            raise FileFormatError(
                f"says that {member.filename!r} has {member.file_size:,} bytes in {member.compress_size:,}",
                path,
            )
    check_memory(taken * sum(member.file_size for member in members), "save it as .csv")
    file.seek(0)


def _is_open(path: Path) -> bool:
    """Whether it is a workbook of Excel since 2007, which is a .zip file."""
    with suppress(zipfile.BadZipFile, NotImplementedError), zipfile.ZipFile(path) as book:
        return any(name.replace("\\", "/").lower() == "xl/workbook.xml" for name in book.namelist())
    return False


def _by_openpyxl(path: Path, sheet: str | int | None) -> list[list[str]]:
    from openpyxl import load_workbook

    with path.open("rb") as file, reading(path, "is no workbook that openpyxl reads"):
        judge(file, path, UNPACKED)
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        name = _sheet([found.title for found in book.worksheets], sheet, path)
        chosen = next(found for found in book.worksheets if found.title == name)
        return [[_cell(plain(cell)) for cell in row] for row in trimmed(chosen, path)]


def plain(cell: Any) -> Any:
    """What a cell holds, as pandas has it: an error is NaN, and 1.0 an integer as the sheet shows it."""
    value = cell["value"]
    if cell["data_type"] == "e":
        return math.nan
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _by_pandas(path: Path, sheet: str | int | None) -> list[list[str]]:
    import pandas

    with reading(path, "is no workbook that pandas reads"):
        if zipfile.is_zipfile(path):
            with path.open("rb") as file:
                judge(file, path, UNPACKED)
            check_memory(CELL * repeated_cells(path), "save it as .csv")
        with pandas.ExcelFile(path) as book:
            name = _sheet(book.sheet_names, sheet, path)
            frame = pandas.read_excel(book, sheet_name=name, header=None, dtype=object, na_filter=False)
    return [[*map(_cell, row)] for row in frame.itertuples(index=False, name=None)]


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
        if math.isinf(value):
            raise ValueError("a cell holds a number beyond float64")
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
