"""Tables of numbers, rows by columns, as data for `vech.covariance`: .csv, .parquet and 2-D .npy."""

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.io.files import MAP_FROM, FileFormatError

SUFFIXES = (".csv", ".parquet", ".npy")


def read_table(path: Path, *, drop: Collection[str] = ()) -> tuple[Array, tuple[str, ...] | None]:
    """The numbers of a table, and the names of its columns if it has any.

    Parameters
    ----------
    path : path
        .csv (separated by commas; a first line that holds no numbers names the columns; an empty cell is NaN),
        .parquet (with the extra "parquet") or .npy of two dimensions, memory-mapped where large.
    drop : names of columns
        Which to leave out, such as dates; numbers from 0 where columns have no names.

    Raises
    ------
    FileFormatError
        For a cell that is no number, with its line and column, and lines of different length.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _csv(path, drop)
    if suffix == ".parquet":
        return _parquet(path, drop)
    if suffix != ".npy":
        raise FileFormatError(f"has no suffix of a table: {', '.join(SUFFIXES)}", path)
    array = np.load(path, mmap_mode="r" if path.stat().st_size >= MAP_FROM else None, allow_pickle=False)
    if array.ndim != 2:
        raise FileFormatError(f"holds an array of shape {array.shape}, and data are rows by columns", path)
    keep = _kept([str(k) for k in range(array.shape[1])], drop, path)
    return (array if len(keep) == array.shape[1] else array[:, keep]), None


def _csv(path: Path, drop: Collection[str]) -> tuple[Array, tuple[str, ...] | None]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        head = next(lines, None)
        if not head:
            raise FileFormatError("is empty", path)
        named = not all(_is_number(cell) for cell in head)
        names = [cell.strip() for cell in head] if named else [str(k) for k in range(len(head))]
        keep = _kept(names, drop, path)
        rows = list(_numbers(lines if named else _with(head, lines), names, keep, path, 1 + named))
    if not rows:
        raise FileFormatError("names its columns and has no rows", path)
    return np.array(rows), tuple(names[k] for k in keep) if named else None


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
    keep = _kept(names, drop, path)
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
