"""Tables of numbers, rows by columns, as data for `vech.covariance`: .csv, .parquet and 2-D .npy."""

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.io.files import MAP_FROM, FileFormatError

SUFFIXES = (".csv", ".parquet", ".npy")


def read_table(
    path: Path, *, drop: Collection[str] = (), header: bool | None = None
) -> tuple[Array, tuple[str, ...] | None]:
    """The numbers of a table, and the names of its columns if it has any.

    Parameters
    ----------
    path : path
        .csv (separated by commas; a first line that holds no numbers names the columns; an empty cell is NaN),
        .parquet (with the extra "parquet"; an index that pandas saved is left out) or .npy of two dimensions, memory-mapped where large.
    drop : names of columns
        Which to leave out, such as dates; numbers from 0 where columns have no names.
    header : bool, optional
        Whether the first line of a .csv names the columns, where that is not seen: names may be numbers.

    Raises
    ------
    FileFormatError
        For a cell that is no number, with its line and column, lines of different length, a column without a
        name, and a first line of different integers above numbers that are none, unless `header` says what it is.
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
    array = np.load(path, mmap_mode="r" if path.stat().st_size >= MAP_FROM else None, allow_pickle=False)
    if array.ndim != 2:
        raise FileFormatError(f"holds an array of shape {array.shape}, and data are rows by columns", path)
    keep = _kept([str(k) for k in range(array.shape[1])], drop, path)
    return (array if len(keep) == array.shape[1] else array[:, keep]), None


def _csv(path: Path, drop: Collection[str], header: bool | None) -> tuple[Array, tuple[str, ...] | None]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        head = next(lines, None)
        if not head:
            raise FileFormatError("is empty", path)
        named = not all(_is_number(cell) for cell in head) if header is None else header
        names = [cell.strip() for cell in head] if named else [str(k) for k in range(len(head))]
        keep = _kept(names, drop, path)
        nameless = [k for k in keep if not names[k]]
        if nameless:
            raise FileFormatError(
                f"column {nameless[0]} has no name, as a saved index has none: leave it out by --drop ''",
                path,
                1,
            )
        rows = list(_numbers(lines if named else _with(head, lines), names, keep, path, 1 + named))
    if not rows:
        raise FileFormatError("names its columns and has no rows", path)
    array = np.array(rows)
    if header is None and not named and _may_be_names(head) and _has_fractions(array[1:]):
        raise FileFormatError(
            "may name the columns, by different integers above numbers that are none: say --header, or --no-header "
            "if it is data",
            path,
            1,
        )
    return array, tuple(names[k] for k in keep) if named else None


def _may_be_names(head: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in head if cell.strip()]
    return len(set(cells)) == len(cells) > 0 and all(cell.isdecimal() for cell in cells)


def _has_fractions(array: Array) -> bool:
    return bool((np.isfinite(array) & (array != np.rint(array))).any())


def _with(head: list[str], lines: Iterator[list[str]]) -> Iterator[list[str]]:
    yield head
    yield from lines


def _numbers(
    lines: Iterator[list[str]], names: Sequence[str], keep: Sequence[int], path: Path, first: int
) -> Iterator[Array]:
    for line, cells in enumerate(lines, first):
        if not cells:
            continue
        if len(cells) != len(names):
            raise FileFormatError(f"has {len(cells)} cells, and there are {len(names)} columns", path, line)
        chosen = [cells[k] or "nan" for k in keep]
        try:
            yield np.array(chosen, np.float64)
        except ValueError:
            at = next(k for k, cell in enumerate(chosen) if not _is_number(cell))
            raise FileFormatError(
                f"column {names[keep[at]]!r} holds {chosen[at]!r}, which is no number: leave it out by "
                f"--drop {names[keep[at]]!r}",
                path,
                line,
            ) from None


def _parquet(path: Path, drop: Collection[str]) -> tuple[Array, tuple[str, ...] | None]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            f"{path}: .parquet needs pyarrow, which the extra 'parquet' of vech installs"
        ) from None
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise FileFormatError(f"is no Parquet file: {error}", path) from None
    names = [str(name) for name in table.column_names]
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])
    keep = _kept(names, {*drop, *(name for name in index if isinstance(name, str) and name in names)}, path)
    columns = []
    for k in keep:
        numbers = table.column(k)
        if not (pyarrow.types.is_integer(numbers.type) or pyarrow.types.is_floating(numbers.type)):
            raise FileFormatError(
                f"column {names[k]!r} holds {numbers.type}, which is no number: leave it out by "
                f"--drop {names[k]!r}",
                path,
            )
        columns.append(np.asarray(numbers.cast(pyarrow.float64()).to_numpy()))
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


def _is_number(cell: Any) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True
