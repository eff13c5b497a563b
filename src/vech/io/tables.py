"""Tables of numbers, rows by columns, as data for `vech.covariance`: .csv, .parquet and 2-D .npy."""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, check_memory
from vech.covariance.data import EXACT_INTEGERS, rounded_integer
from vech.io.arrays import read_array
from vech.io.dtypes import check_dtype
from vech.io.errors import FileFormatError, is_fault, naming

SUFFIXES = (".csv", ".parquet", ".npy")

CELL = re.compile(
    r"[ \t]*+(?:[+-]?(?:(?:\d++\.?\d*+|\.\d++)(?:e[+-]?\d++)?+|nan|inf)[ \t]*+)?+", re.ASCII | re.IGNORECASE
)
"""A number of a .csv, or an empty cell. Python's float takes more: 1_000, digits of other scripts, infinity."""

PLAIN = re.compile(r"[0-9eE.,+\- \t]*+")
"""Cells in which float takes what CELL does: looked at a line at a time, an eighth of the time."""

SHOWN = 40
"""Letters of a wrong cell that its error shows."""


def read_table(
    path: Path, *, drop: Collection[str] = (), header: bool | None = None
) -> tuple[Array, tuple[str, ...] | None]:
    """The numbers of a table, and the names of its columns if it has any.

    Parameters
    ----------
    path : path
        .csv (UTF-8, separated by commas; a first line that holds no numbers names the columns; an empty cell is
        NaN, and so is nan; blank lines do not count),
        .parquet (with the extra "parquet"; an index that pandas saved is left out) or .npy of two dimensions, memory-mapped where large.
    drop : names of columns
        Which to leave out, such as dates; numbers from 0 where columns have no names.
    header : bool, optional
        Whether the first line of a .csv names the columns, where that is not seen: names may be numbers.

    Raises
    ------
    FileFormatError
        For a cell that is no number, with its line and column, an integer beyond 2^53, lines of different
        length, a column without a name, other text than UTF-8, a quote that is not closed or has more behind it;
        and, unless `header` says what it is, a first line of different integers above numbers that are none, or
        of names beside numbers such as 1.5.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv(path, drop, header)
    if header is not None:
        raise FileFormatError(
            "has no first line that names columns: --header and --no-header are for .csv", path
        )
    if suffix == ".parquet":
        return _parquet(path, drop)
    if suffix != ".npy":
        raise FileFormatError(f"has no suffix of a table: {', '.join(SUFFIXES)}", path)
    with naming(path), path.open("rb") as file:
        array = read_array(file)
    check_dtype(array.dtype, path)
    if array.ndim != 2:
        raise FileFormatError(f"holds an array of shape {array.shape}, and data are rows by columns", path)
    if not len(array):
        raise FileFormatError(f"holds an array of shape {array.shape}, which has no rows", path)
    keep = _kept([str(k) for k in range(array.shape[1])], drop, path)
    return (array if len(keep) == array.shape[1] else array[:, keep]), None


class Record(NamedTuple):
    """The cells of a line, or of several lines where one cell is quoted and has more, and where it begins."""

    line: int
    cells: list[str]


def _csv(path: Path, drop: Collection[str], header: bool | None) -> tuple[Array, tuple[str, ...] | None]:
    records = _records(path)
    first = next(records, None)
    if first is None:
        raise FileFormatError("is empty", path)
    head = first.cells
    if any("\0" in cell for cell in head):
        raise FileFormatError(
            "has zeros between its letters, as UTF-16 has: iconv -f utf-16 -t utf-8 makes it UTF-8",
            path,
            first.line,
        )
    named = not all(CELL.fullmatch(cell) for cell in head) if header is None else header
    if header is None and named and _mixes(head):
        raise FileFormatError(
            f"holds numbers beside {_shown(next(cell for cell in head if not CELL.fullmatch(cell)))}: say --header if "
            "these are names, or --no-header if it is data",
            path,
            first.line,
        )
    names = [cell.strip() for cell in head] if named else [str(k) for k in range(len(head))]
    keep = _kept(names, drop, path)
    nameless = [k for k in keep if not names[k]]
    if nameless:
        raise FileFormatError(
            f"column {nameless[0]} has no name, as a saved index has none: leave it out by --drop ''",
            path,
            first.line,
        )
    rows = [] if named else [_numbers(first, names, keep, path)]
    rows += [_numbers(record, names, keep, path) for record in records]
    if not rows:
        raise FileFormatError("names its columns and has no rows", path)
    array = np.array(rows)
    if header is None and not named and _may_be_names(head) and _has_fractions(array[1:]):
        raise FileFormatError(
            "may name the columns, by different integers above numbers that are none: say --header, or --no-header "
            "if it is data",
            path,
            first.line,
        )
    return array, tuple(names[k] for k in keep) if named else None


def _records(path: Path) -> Iterator[Record]:
    """What is in the lines of a .csv that are not blank."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        line = 1
        try:
            for cells in reader:
                if cells:
                    yield Record(line, cells)
                line = reader.line_num + 1
        except csv.Error as error:
            raise FileFormatError(
                f"{_fault(error)}: see whether a quote is missing here", path, line
            ) from None
        except UnicodeDecodeError:
            raise _no_text(path) from None


def _fault(error: csv.Error) -> str:
    """Say in our words what the reader of the standard library says."""
    reason = str(error)
    if "unexpected end" in reason:
        return "begins a quoted cell that does not end"
    if "field larger" in reason:
        return f"has a cell of more than {csv.field_size_limit():,} letters"
    return "has letters behind the quote that ends a cell" if "expected after" in reason else reason


def _no_text(path: Path) -> FileFormatError:
    """The error for a file in another encoding than UTF-8, with its line."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            return FileFormatError(
                "is UTF-16, and UTF-8 fits: iconv -f utf-16 -t utf-8 makes it that", path, 1
            )
        file.seek(0)
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return FileFormatError(
                    f"has the byte {line[error.start]:#04x}, which is no UTF-8: save it as that, for example by "
                    "iconv -f latin1 -t utf-8",
                    path,
                    number,
                )
    return FileFormatError("is no UTF-8", path)


def _may_be_names(head: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in head if cell.strip()]
    return len(set(cells)) == len(cells) > 0 and all(cell.isdecimal() for cell in cells)


def _mixes(head: Sequence[str]) -> bool:
    """Whether numbers, or what looks like some, stand beside other cells, and these are hardly all names."""
    numbers = [cell.strip() for cell in head if CELL.fullmatch(cell) and any(map(str.isdigit, cell))]
    others = [cell for cell in head if not CELL.fullmatch(cell)]
    return bool(numbers) and not (
        all(map(str.isdecimal, numbers)) and all(any(map(str.isalpha, cell)) for cell in others)
    )


def _has_fractions(array: Array) -> bool:
    return bool((np.isfinite(array) & (array != np.rint(array))).any())


def _numbers(record: Record, names: Sequence[str], keep: Sequence[int], path: Path) -> Array:
    line, cells = record
    if len(cells) != len(names):
        raise FileFormatError(f"has {len(cells)} cells, and there are {len(names)} columns", path, line)
    chosen = [cells[k] for k in keep]
    row = _row(chosen)
    if row is None or (np.abs(row) >= EXACT_INTEGERS).any():
        for k, cell in zip(keep, chosen, strict=True):
            if wrong := _wrong(cell, names[k]):
                raise FileFormatError(f"column {names[k]!r} holds {wrong}", path, line)
        row = np.array([float(cell.strip() or "nan") for cell in chosen])
    return row


def _row(cells: Sequence[str]) -> Array | None:
    """The numbers of cells, or None where a closer look is needed."""
    if PLAIN.fullmatch(",".join(cells)) is None:
        return None
    try:
        return np.array([float(cell or "nan") for cell in cells])
    except ValueError:
        return None


def _wrong(cell: str, name: str) -> str:
    """What a cell holds that is no number, or one that float64 rounds to something else."""
    if CELL.fullmatch(cell) is None:
        return f"{_shown(cell)}, which is no number: leave it out by --drop {name!r}"
    whole, _, rest = cell.strip().partition(".")
    digits = whole.lstrip("+-").lstrip("0")
    if digits.isdigit() and not rest.strip("0") and (len(digits) > 16 or int(digits) > EXACT_INTEGERS):
        return rounded_integer(whole if len(whole) <= SHOWN else whole[:SHOWN] + "...")
    if np.isinf(float(cell.strip() or "nan")) and any(letter.isdigit() for letter in cell):
        return f"{_shown(cell)}, which is beyond float64: write the column in another unit"
    return ""


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= SHOWN else cell[:SHOWN] + "...")


def _parquet(path: Path, drop: Collection[str]) -> tuple[Array, tuple[str, ...] | None]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            f"{path}: .parquet needs pyarrow, which the extra 'parquet' of vech installs"
        ) from None
    try:
        with parquet.ParquetFile(path) as file:
            return _columns(file, drop, path)
    except (FileFormatError, MemoryError):
        raise
    except Exception as error:  # of pyarrow there are many
        if is_fault(error):
            raise
        raise FileFormatError(f"is no Parquet file that pyarrow reads: {error}", path) from error


def _columns(file: Any, drop: Collection[str], path: Path) -> tuple[Array, tuple[str, ...] | None]:
    from pyarrow import compute, float64, types

    schema = file.schema_arrow
    names = [str(name) for name in schema.names]
    if len(set(names)) < len(names):
        raise FileFormatError(f"has the column {max(names, key=names.count)!r} twice", path)
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    keep = _kept(names, {*drop, *(name for name in index if isinstance(name, str) and name in names)}, path)
    check_memory(8 * file.metadata.num_rows * len(keep), "leave columns out by --drop")
    columns = []
    for k in keep:
        kind = schema.field(k).type
        if not (types.is_integer(kind) or types.is_floating(kind)):
            raise FileFormatError(
                f"column {names[k]!r} holds {kind}, which is no number: leave it out by --drop {names[k]!r}",
                path,
            )
        numbers = file.read([names[k]]).column(0)
        if kind.bit_width == 64 and types.is_integer(kind):
            for end in compute.min_max(numbers).as_py().values():
                if end is not None and abs(end) > EXACT_INTEGERS:
                    raise FileFormatError(f"column {names[k]!r} holds {rounded_integer(end)}", path)
        columns.append(np.asarray(numbers.cast(float64()).to_numpy()))
    return np.stack(columns, axis=1), tuple(names[k] for k in keep)


def _kept(names: Sequence[str], drop: Collection[str], path: Path) -> list[int]:
    unknown = [name for name in drop if name not in names]
    if unknown:
        few = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
        raise FileFormatError(f"has no column {unknown[0]!r} to drop: it has {few}", path)
    keep = [k for k, name in enumerate(names) if name not in drop]
    if not keep:
        raise FileFormatError("has no column left", path)
    return keep
