"""Tables of numbers, rows by columns, as data for `vech.covariance`: text, Parquet, Feather, Excel, .npy."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vech.arrays import (
    BLOCK_BYTES,
    SERIAL_BYTES,
    Array,
    Dtype,
    as_block,
    check_memory,
    default_threads,
    extension,
    family,
    resolve_threads,
)
from vech.frames import few
from vech.io import columnar, mixed_tables, workbook
from vech.io.arrays import read_array
from vech.io.cells import BLANK, Rules, checked_separator, quoted, rules
from vech.io.columns import Drop, Wanted, choose, wanted
from vech.io.delimited import Form, Reader
from vech.io.drafts import atomic
from vech.io.dtypes import check_dtype
from vech.io.errors import FileFormatError, naming, ordinary
from vech.io.gz import SUFFIX as PACKED
from vech.io.gz import packed
from vech.io.lines import Lines, check_encoding, read_text

TEXT = (".csv", ".tsv", ".txt")
COLUMNAR = (".parquet", ".feather")
EXCEL = (".xlsx", ".xlsm", ".xls", ".ods")
SUFFIXES = (*TEXT, *(suffix + PACKED for suffix in TEXT), *COLUMNAR, *EXCEL, ".npy")
WRITTEN = (*TEXT, *(suffix + PACKED for suffix in TEXT), *COLUMNAR, ".xlsx")

IN_BLOCKS = "read it in blocks by vech.io.iter_table, or leave columns out by drop= (--drop)"


class Table:
    """Numbers by rows and columns, with the names of columns and labels of rows that there are.

    Every function that takes data takes it, as it takes a data frame; `numbers` is the array in it, and
    ``pandas.DataFrame(table.numbers, table.index, table.labels)`` such a frame.

    Parameters
    ----------
    numbers : array, shape (n_rows, n_columns)
        Taken as it is, without a copy.
    labels : sequence of str, optional
        The names of the columns, different ones.
    index : sequence of str, optional
        The labels of the rows.

    Attributes
    ----------
    columns : tuple of str
        The labels; there is no such attribute where columns have no names.

    Raises
    ------
    ValueError
        If there are not as many labels as columns, or rows; if a name of a column is there twice.

    Examples
    --------
    >>> table = Table(np.array([[1.0, 2.0], [3.0, 5.0], [4.0, 4.0]]), ["a", "b"])
    >>> vech.covariance.sample(table).labels
    ('a', 'b')
    >>> len(table), table.shape, table.columns
    (3, (3, 2), ('a', 'b'))
    """

    def __init__(
        self, numbers: Array, labels: Sequence[str] | None = None, index: Sequence[str] | None = None
    ) -> None:
        if numbers.ndim != 2:
            raise ValueError(f"numbers have shape {numbers.shape}, and a table has rows and columns")
        self.numbers = numbers
        self.labels = None if labels is None else tuple(labels)
        self.index = None if index is None else tuple(index)
        for found, size, what in (
            (self.labels, numbers.shape[1], "columns"),
            (self.index, numbers.shape[0], "rows"),
        ):
            if found is not None and len(found) != size:
                raise ValueError(f"there are {len(found)} labels for {size} {what}")
        if self.labels is not None and len(set(self.labels)) < len(self.labels):
            raise ValueError(f"there is more than one column {max(self.labels, key=self.labels.count)!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; AttributeError where they have none."""
        if self.labels is None:
            raise AttributeError("the columns of this table have no names: its array is .numbers")
        return self.labels

    @property
    def dtypes(self) -> tuple[Dtype, ...]:
        """The dtype of each column."""
        dtypes: tuple[Dtype, ...] = (self.numbers.dtype,) * self.numbers.shape[1]
        return dtypes

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.numbers.shape[0], self.numbers.shape[1]

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        rows, columns = self.shape
        return f"Table({rows:,} x {columns:,}, {self.numbers.dtype}{', labelled' if self.labels else ''})"

    def to_numpy(self, dtype: Any = None) -> Array:
        """The numbers, as frames give theirs.

        Parameters
        ----------
        dtype : dtype, optional
            Into which they are cast; as they are unless said.

        Returns
        -------
        array, shape (n_rows, n_columns)
            The array of the table itself where its dtype is wanted.

        Raises
        ------
        TypeError
            There is no such dtype.

        Examples
        --------
        >>> Table(np.array([[1.5, 2.0]])).to_numpy("f4")
        array([[1.5, 2. ]], dtype=float32)
        """
        return self.numbers if dtype is None else self.numbers.astype(dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numbers, dtype, copy=copy)


def read_table(
    path: str | os.PathLike[str],
    *,
    sep: str | None = None,
    decimal: str = ".",
    header: bool | None = None,
    index: str | int | bool | None = None,
    drop: Drop = (),
    dates: str = "raise",
    na: str | Collection[str] = (),
    comment: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    threads: int | None = None,
) -> Table:
    """Read a table of numbers: rows are observations, columns are variables.

    Parameters
    ----------
    path : path
        .csv, .tsv or .txt, also packed as .csv.gz; .parquet or .feather (the extra "parquet"); .xlsx, .xls
        and .ods (the extra "excel", and the engine that pandas asks for); .npy of two dimensions, mapped
        where large.
    sep : str, optional
        What separates cells of text: one letter, or " " for any number of spaces and tabs. Seen from the
        first lines unless said.
    decimal : str
        The mark before decimals, "." or ",".
    header : bool, optional
        Whether the first line names the columns; seen unless names may be numbers.
    index : str, int or False, optional
        The column that labels the rows, by name or number from 0. Seen where it is the first one, has no name
        while all others do, and holds text or different integers, as pandas writes it, or where R does; False
        where that is a column of numbers.
    drop : name, number, or several
        Columns to leave out: names, or numbers from 0, which may be text where no column has that name.
    dates : str
        "drop" leaves out columns of dates; "raise", and they are an error.
    na : str, or several
        What stands for a missing number beside the words that always do ("NA", ".", "null"), such as "-999".
    comment : str, optional
        How lines begin that are passed over, such as "#".
    encoding : str, optional
        Of text; UTF-8 unless said, or what its byte order mark says.
    sheet : str or int, optional
        The sheet of a workbook, where it has more than one.
    threads : int, optional
        As of `vech.expand`; half as many unless said.

    Returns
    -------
    Table
        float64, from .npy as it is there; missing numbers are NaN. Numbers of text are the nearest double.

    Raises
    ------
    FileFormatError
        With file and line: a cell that is no number, with its column; an integer beyond 2^53, which float64
        may not hold; lines of different length; columns without a name, or with the same; other text than the
        encoding says; a quote that is not closed; a first line that may be names or numbers, where nobody
        says which.
    ValueError
        An unknown suffix, or an argument that does not fit it.
    ImportError
        An extra is missing.
    MemoryError
        The table is larger than memory: `iter_table` reads it in blocks.

    Notes
    -----
    Time O(size), memory 8 bytes a number, and some megabytes of text.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "returns.csv")
    >>> _ = path.write_text("date;a;b\\n2020-01-31;1,5;-2\\n2020-02-29;;0,25\\n")
    >>> table = vech.io.read_table(path, decimal=",", index="date")
    >>> table.numbers
    array([[ 1.5 , -2.  ],
           [  nan,  0.25]])
    >>> table.columns, table.index
    (('a', 'b'), ('2020-01-31', '2020-02-29'))
    """
    source = _source(path, sep, decimal, header, index, drop, dates, na, comment, encoding, sheet, threads)
    with naming(source.path):
        if source.suffix == ".npy":
            return source.array()
        if source.suffix in COLUMNAR:
            return _gathered(source.columnar(), source.path)
        return _whole(source.reader(), source.size)


def iter_table(
    path: str | os.PathLike[str],
    *,
    sep: str | None = None,
    decimal: str = ".",
    header: bool | None = None,
    index: str | int | bool | None = None,
    drop: Drop = (),
    dates: str = "raise",
    na: str | Collection[str] = (),
    comment: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    threads: int | None = None,
) -> Iterator[Table]:
    """Read a table in blocks of rows, in bounded memory, as `vech.covariance` takes them.

    Parameters
    ----------
    path : path
        As of `read_table`.
    sep, decimal, header, index, drop, dates, na, comment, encoding, sheet, threads
        As of `read_table`.

    Returns
    -------
    iterator of Table
        Some megabytes of rows, one block after the other.

    Raises
    ------
    FileFormatError, ValueError, ImportError
        As by `read_table`; what is wrong with a block when it is asked for.

    Notes
    -----
    A workbook is read as a whole. An estimator that reads its data twice takes a function:
    ``ledoit_wolf(lambda: iter_table(path))``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "returns.csv")
    >>> _ = path.write_text("a,b\\n1,2\\n3,5\\n4,4\\n")
    >>> vech.covariance.sample(vech.io.iter_table(path)).labels
    ('a', 'b')
    """
    source = _source(path, sep, decimal, header, index, drop, dates, na, comment, encoding, sheet, threads)
    with naming(source.path):
        return _named(source.blocks(), source.path)


def read_mixed(path: str | os.PathLike[str], **how: Any) -> mixed_tables.Mixed:
    """The same table of columns that are numbers or text, read as `read_table` does otherwise."""
    source = _source(path, **how)
    with naming(source.path):
        if source.suffix == ".npy":
            whole = source.array()
            return mixed_tables.Mixed(list(whole.numbers.T), whole.labels, whole.index)
        if source.suffix in COLUMNAR:
            return mixed_tables.of_columns(source.path, source.want)
        return mixed_tables.of_text(source.reader())


def _source(
    path: str | os.PathLike[str],
    sep: str | None = None,
    decimal: str = ".",
    header: bool | None = None,
    index: str | int | bool | None = None,
    drop: Drop = (),
    dates: str = "raise",
    na: str | Collection[str] = (),
    comment: str | None = None,
    encoding: str | None = None,
    sheet: str | int | None = None,
    threads: int | None = None,
) -> _Source:
    form = Form(sep, decimal, header, comment, _words(na))
    return _Source(Path(path), form, wanted(drop, index, dates), encoding, sheet, _threads(threads))


def _named(blocks: Iterator[Table], path: Path) -> Iterator[Table]:
    with naming(path):
        yield from blocks


def _threads(threads: int | None) -> int:
    """Half of the usual number: of two that share a core the second saves nothing."""
    return max(1, default_threads() // 2) if threads is None else resolve_threads(threads, SERIAL_BYTES)


def _words(na: str | Collection[str]) -> tuple[str, ...]:
    return (na,) if isinstance(na, str) else tuple(na)


def suffix_of(path: Path) -> str:
    """The suffix of a table, with that of gzip; "" for any other."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


class _Source:
    """A file and what is said about it, checked as far as it can be before it is opened."""

    def __init__(
        self,
        path: Path,
        form: Form,
        want: Wanted,
        encoding: str | None,
        sheet: str | int | None,
        threads: int,
    ) -> None:
        self.path, self.suffix, self.form, self.want = path, suffix_of(path), form, want
        self.encoding, self.sheet, self.threads = encoding, sheet, threads
        if not self.suffix:
            raise FileFormatError(f"has no suffix of a table: {', '.join(SUFFIXES)}", path)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        text = self.suffix.startswith(TEXT)
        if not text:
            ordinary(path)
        said = {
            "sep (--sep)": form.sep is not None and not text,
            "encoding (--encoding)": encoding is not None and not text,
            "header (--header, --no-header)": form.header is not None
            and not text
            and self.suffix not in EXCEL,
            "comment (--comment)": form.comment is not None and not text,
            "decimal (--decimal)": form.decimal != "." and not text and self.suffix not in EXCEL,
            "na (--na)": bool(form.na) and not text and self.suffix not in EXCEL,
            "sheet (--sheet)": sheet is not None and self.suffix not in EXCEL,
        }
        for name, wrong in said.items():
            if wrong:
                raise ValueError(f"{path}: {name} says nothing about a file {self.suffix}: leave it out")
        rules(form.decimal, form.na)
        check_encoding(encoding)
        if form.sep is not None:
            checked_separator(form.sep)

    @property
    def size(self) -> int | None:
        """The bytes of text, where it is not packed."""
        known = self.suffix in TEXT and self.path.is_file()
        return self.path.stat().st_size if known else None

    def reader(self) -> Reader:
        """Rows of text, or of a sheet as text."""
        if self.suffix in EXCEL:
            pieces: Iterator[bytes] = iter((workbook.read_text(self.path, self.sheet),))
            return Reader(Lines(self.path, pieces), self.form._replace(sep=","), self.want, self.threads)
        return Reader(
            Lines(self.path, read_text(self.path, self.encoding)), self.form, self.want, self.threads
        )

    def columnar(self) -> columnar.Columnar:
        """Blocks of a file by columns."""
        return columnar.scan(self.path, self.want)

    def array(self) -> Table:
        """The array of a `.npy`."""
        with self.path.open("rb") as file:
            array = read_array(file)
        check_dtype(array.dtype, self.path)
        if array.ndim != 2:
            raise FileFormatError(
                f"holds an array of shape {array.shape}, and data are rows by columns", self.path
            )
        if not len(array):
            raise FileFormatError(f"holds an array of shape {array.shape}, which has no rows", self.path)
        if not self.want.drop and self.want.label is None:
            return Table(array)
        columns = choose(list(map(str, range(array.shape[1]))), self.want, self.path)
        index = None if columns.label is None else list(map(str, array[:, columns.label].tolist()))
        return Table(array[:, columns.numbers], None, index)

    def blocks(self) -> Iterator[Table]:
        """All of it, block after block; what can be said of the first lines or of columns is said at once."""
        if self.suffix == ".npy":
            whole = self.array()
            height = max(1, BLOCK_BYTES // max(1, whole.numbers[:1].nbytes))
            return (
                Table(whole.numbers[k : k + height], None, whole.index and whole.index[k : k + height])
                for k in range(0, len(whole), height)
            )
        if self.suffix in COLUMNAR:
            opened = self.columnar()
            return (Table(numbers, opened.labels, index) for numbers, index in opened.blocks)
        return _blocks(self.reader())


def _blocks(reader: Reader) -> Iterator[Table]:
    found = 0
    while reader.lines.left or reader.lines.fill():
        numbers, index = _room(reader.lines.count() + 1, reader.width), list[str]()
        rows = reader.rows(numbers, index)
        found += rows
        if rows:
            yield Table(numbers[:rows], reader.labels, None if reader.columns.label is None else index)
    if not found:
        raise _no_rows(reader.path)


def _whole(reader: Reader, size: int | None) -> Table:
    """All rows in one array: as large as the first piece lets expect, larger where that is not enough."""
    lines, width, index, count = reader.lines, reader.width, list[str](), 0
    numbers, expected = _room(lines.count(), width), 0
    while lines.left or lines.fill():
        if size is not None and lines.passed and not expected:
            behind = max(size - lines.passed, 0)  # in which a cell takes two bytes at least
            expected = min(int(1.02 * count / lines.passed * behind), behind // (2 * len(reader.names))) + 1
            numbers = _larger(numbers, count, expected)
        elif count == len(numbers):
            numbers = _larger(numbers, count, lines.count() + count // 2)
        count += reader.rows(numbers[count:], index)
    if not count:
        raise _no_rows(reader.path)
    return Table(numbers[:count], reader.labels, None if reader.columns.label is None else index)


def _larger(numbers: Array, count: int, more: int) -> Array:
    """Room for more rows behind the first `count`; memory that is not written to is not taken."""
    larger = _room(count + more, numbers.shape[1])
    larger[:count] = numbers[:count]
    return larger


def _room(rows: int, width: int) -> Array:
    check_memory(8 * rows * width, IN_BLOCKS)
    return np.empty((rows, width))


def _no_rows(path: Path) -> FileFormatError:
    return FileFormatError("names its columns and has no rows", path)


def _gathered(source: columnar.Columnar, path: Path) -> Table:
    """All blocks in one array."""
    numbers, index = list[Array](), list[str]()
    check_memory(16 * len(source.labels) * (source.rows or 0), IN_BLOCKS)
    for block, labels in source.blocks:
        numbers.append(block)
        index += labels or ()
    if not sum(map(len, numbers)):
        raise _no_rows(path)
    return Table(np.concatenate(numbers), source.labels, index if source.labelled else None)


def write_table(
    path: str | os.PathLike[str],
    table: Any,
    *,
    sep: str | None = None,
    decimal: str = ".",
    overwrite: bool = True,
) -> None:
    """Write a table of numbers, with the names of its columns and the labels of its rows.

    Parameters
    ----------
    path : path
        .csv, .tsv or .txt, also packed as .csv.gz; .parquet or .feather (the extra "parquet"); .xlsx (the
        extra "excel"). It appears complete or not at all.
    table : Table, data frame or array, shape (n_rows, n_columns)
        Real numbers. Labels of rows that only count from 0 are left out.
    sep : str, optional
        What separates cells of text: unless said a comma in .csv, a tab elsewhere and beside a decimal comma.
    decimal : str
        The mark before decimals, "." or ",".
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    ValueError
        An unknown suffix; names or labels that the file would not give back: empty or repeated names, blanks
        at an end of one; more rows or columns than a sheet has.
    TypeError
        The table holds something else than real numbers.
    FileExistsError
        There is such a file, and `overwrite` is False.
    ImportError
        An extra is missing.

    Notes
    -----
    Numbers have the fewest digits that give the same double back, missing ones are NaN (in a sheet an empty
    cell). Labels are written as text, those of rows in a first column without a name, which `read_table` and
    pandas take for what it is.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.csv")
    >>> vech.io.write_table(path, Table(np.array([[0.1, 1 / 3], [2.0, np.nan]]), ["a", "b"], ["x", "y"]))
    >>> print(path.read_text(), end="")
    ,a,b
    x,0.1,0.3333333333333333
    y,2.0,NaN
    """
    path = Path(path)
    suffix = suffix_of(path)
    if suffix not in WRITTEN:
        raise ValueError(f"{path}: has no suffix of a table that is written: {', '.join(WRITTEN)}")
    numbers, names, index = _parts(table)
    text = suffix.startswith(TEXT)
    if not text and (sep is not None or decimal != "."):
        raise ValueError(f"{path}: sep= and decimal= say nothing about a file {suffix}: leave them out")
    plain = rules(decimal)
    mark = checked_separator(sep or ("," if suffix.startswith(".csv") and decimal != "," else "\t"))
    if mark == decimal:
        raise ValueError(f"{path}: sep={sep!r} is the decimal mark too: choose one of them")
    _check_labels(names, index, path)
    if text:
        _check_words(names, index, plain, path)
    with atomic(path, overwrite) as draft, packed(draft, path) as file:
        if suffix in COLUMNAR:
            columnar.write(file, path, numbers, names or list(map(str, range(numbers.shape[1]))), index)
        elif not text:
            workbook.write(file, numbers, names, index)
        else:
            _write_text(file, numbers, names, index, mark, decimal)


def _parts(table: Any) -> tuple[Array, list[str] | None, list[str] | None]:
    """Real numbers in native byte order, names of columns and labels of rows."""
    labels: tuple[Any, ...] | None
    if isinstance(table, Table):
        numbers, labels, index = table.numbers, table.labels, table.index
    else:
        numbers, labels = as_block(table, "table")
        index = getattr(table, "index", None) if hasattr(table, "iloc") else None
        if index is not None and type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1):
            index = None
        if labels == tuple(range(numbers.shape[1])) and set(map(type, labels)) <= {int}:  # pandas' own count
            labels = None
    letter = family(numbers.dtype)
    if letter not in "biuf":
        raise TypeError(f"table has dtype {numbers.dtype}, and files of tables hold real numbers")
    if letter == "b":
        numbers = numbers.astype(np.int8)
    elif letter == "f" and (numbers.dtype.itemsize < 4 or extension(numbers.dtype)):
        numbers = numbers.astype(np.float32)
    numbers = numbers.astype(numbers.dtype.newbyteorder("="), copy=False)
    return (
        numbers,
        None if labels is None else list(map(str, labels)),
        None if index is None else list(map(str, index)),
    )


def _check_labels(names: list[str] | None, index: list[str] | None, path: Path) -> None:
    """ValueError for what reading would not give back."""
    if names is not None and len(set(names)) < len(names):
        raise ValueError(
            f"{path}: there is more than one column {max(names, key=names.count)!r}: rename one of them"
        )
    for name in (*(names or ()), *(index or ())):
        if not name.strip() or name != name.strip() or "\0" in name:
            raise ValueError(
                f"{path}: the label {name!r} is empty, or has blanks at an end: reading takes them off"
            )


def _check_words(names: list[str] | None, index: list[str] | None, plain: Rules, path: Path) -> None:
    """ValueError for labels that reading would take for numbers."""

    def are_numbers(labels: list[str]) -> bool:
        return all(plain.is_number(label) or plain.number(label) is not None for label in labels)

    if names is not None and index is None and are_numbers(names):
        raise ValueError(
            f"{path}: the columns are named {few(names)}, which in text are a row of numbers: write .parquet"
        )
    if names is None and index is not None and are_numbers(index):
        raise ValueError(
            f"{path}: the rows are named {few(index)}, and the columns are not: in text that is a column of "
            "numbers: name the columns, or write .parquet"
        )


def _write_text(
    file: BinaryIO,
    numbers: Array,
    names: list[str] | None,
    index: list[str] | None,
    sep: str,
    decimal: str,
) -> None:
    if names is not None:
        head = [
            *(['""' if sep == BLANK else ""] if index is not None else []),
            *(quoted(name, sep) for name in names),
        ]
        file.write((sep.join(head) + "\n").encode())
    height = max(1, BLOCK_BYTES // (8 * numbers.shape[1]))
    for start in range(0, len(numbers), height):
        block = numbers[start : start + height]
        rows = [sep.join(map(repr, row)) for row in block.tolist()]
        if decimal != ".":
            rows = [row.replace(".", decimal) for row in rows]
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            rows = [row.replace("nan", "NaN").replace("inf", "Inf") for row in rows]
        if index is not None:
            rows = [
                quoted(label, sep) + sep + row
                for label, row in zip(index[start : start + height], rows, strict=True)
            ]
        file.write(("\n".join(rows) + "\n").encode())
