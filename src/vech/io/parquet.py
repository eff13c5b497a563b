"""Parquet and Feather: a full matrix, column by column, as data frames with labels are saved."""

import json
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from vech.arrays import Array, check_memory, native
from vech.frames import EXACT_INTEGERS
from vech.io.columnar import arrow, is_parquet, rounded, save
from vech.io.content import Abilities, Content
from vech.io.description import describe, parse
from vech.io.drafts import atomic
from vech.io.errors import TAKES_DATA, FileFormatError, reading
from vech.io.panels import How
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, full_labels=True)

META = b"vech_meta"
"""The key of the description in the metadata of the schema."""


def load(path: Path) -> Content:
    """Load the full matrix, and its labels: of the description, the saved index, or the names of columns."""
    with reading(path, "cannot be read by pyarrow"):
        return _content(_read(path), path)


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write the full matrix as pandas saves it, and the description, from which labels and kind are read."""
    expand(path, store, "dense", overwrite=overwrite)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the same: these files hold full matrices alone."""
    pyarrow = arrow()
    if store.dtype.kind not in "?biuf" or store.dtype.itemsize == 0:
        raise TypeError(f"{path}: holds bool, integers and real numbers, not {store.dtype}: write .npz")
    check_memory(2 * store.n**2 * store.dtype.itemsize, "write .npz, which holds the half")
    meta = describe(store).encode()
    try:
        table = pyarrow.Table.from_pandas(_frame(store))
    except (pyarrow.ArrowException, ValueError, TypeError) as error:
        raise TypeError(f"{path}: holds labels of one type, each once: write .npz ({error})") from error
    table = table.replace_schema_metadata((table.schema.metadata or {}) | {META: meta})
    with atomic(path, overwrite) as file:
        save(table, file, path)


def _frame(store: Store) -> Any:
    try:
        import pandas
    except ImportError:
        raise ImportError('matrices go into tables by pandas: pip install "vech[parquet]"') from None
    labels = None if store.labels is None else pandas.Index(store.labels)  # of tuples, a MultiIndex
    full = store.expand()
    return pandas.DataFrame(
        full.astype(native(full.dtype), copy=False), index=labels, columns=labels, copy=False
    )


def _read(path: Path) -> Any:
    """The table, after its size has been judged where the file says it before its numbers."""
    pyarrow = arrow()
    with path.open("rb") as file:
        if not is_parquet(path):
            return pyarrow.feather.read_table(file, memory_map=False)
        with pyarrow.parquet.ParquetFile(file) as held:
            rows, columns = held.metadata.num_rows, len(held.schema_arrow.names)
            if not 0 <= rows <= columns:
                raise FileFormatError(
                    f"has {rows:,} rows in {columns:,} columns: a square matrix was wanted; {TAKES_DATA}",
                    path,
                )
            return held.read()


def _content(table: Any, path: Path) -> Content:
    metadata = table.schema.metadata or {}
    names = table.schema.names
    index = _index(table, metadata, path)
    n = len(names) - len(index)
    if table.num_rows != n:
        raise FileFormatError(
            f"has {table.num_rows:,} rows in {n:,} columns: a square matrix was wanted; {TAKES_DATA}", path
        )
    array = _numbers(table, [k for k in range(len(names)) if k not in index], path)
    if META in metadata:
        said = parse(metadata[META].decode(), path, ("kind", "n", "dtype"))
        if said["n"] != n:
            raise FileFormatError(f"describes n={said['n']}, and has {n:,} columns", path)
        return Content.of_array(array, labels=said.get("labels"), kind=said["kind"])
    columns = [names[k] for k in range(len(names)) if k not in index]
    return Content.of_array(array, labels=_labels(table, columns, sorted(index), metadata, path))


def _index(table: Any, metadata: dict[bytes, bytes], path: Path) -> set[int]:
    """Which columns are an index that pandas saved, or text before the numbers: names of rows."""
    types = arrow().types
    names = table.schema.names
    if b"pandas" in metadata:
        saved = json.loads(metadata[b"pandas"]).get("index_columns", [])
        return {names.index(name) for name in saved if isinstance(name, str)}
    first = table.schema.types[0] if names else None
    return {0} if first is not None and (types.is_string(first) or types.is_large_string(first)) else set()


def _numbers(table: Any, chosen: list[int], path: Path) -> Array:
    """The numbers of the columns: of one dtype, or of integers and floats that are floats together."""
    types = arrow().types
    names, kinds = table.schema.names, table.schema.types  # made anew at each asking
    columns = []
    for k in chosen:
        kind = kinds[k]
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise FileFormatError(f"has the column {names[k]!r} of {kind}, which are no numbers", path)
        held = table.column(k)
        if held.null_count and (integer := rounded(held)) is not None:
            raise FileFormatError(
                f"has the integer {integer} in the column {names[k]!r}, which has nulls and so is of "
                "float64, which rounds it: write .npz without nulls",
                path,
            )
        column = held.to_numpy()
        if column.dtype.kind not in "?biuf":  # bool with nulls
            raise FileFormatError(f"has nulls in the column {names[k]!r} of {kind}", path)
        columns.append(column)
    dtypes = {column.dtype for column in columns}
    dtype = dtypes.pop() if len(dtypes) == 1 else np.dtype("f8")
    for k, column in zip(chosen, columns, strict=True):
        integers = column.dtype.kind in "iu" and dtype.kind == "f"
        inexact = integers and np.any((column > EXACT_INTEGERS) | (column < -EXACT_INTEGERS))
        if inexact or (column.dtype.kind == "b") != (dtype.kind == "b"):
            raise FileFormatError(
                f"has the column {names[k]!r} of {column.dtype} beside others that do not fit with it", path
            )
    array = np.empty((len(chosen),) * 2, dtype, order="F")
    for k, column in enumerate(columns):
        array[:, k] = column
    return array


def _labels(
    table: Any, columns: list[str], index: list[int], metadata: dict[bytes, bytes], path: Path
) -> tuple[Any, ...] | None:
    """The names of rows, which must be those of the columns; else the names of the columns."""
    if not index:
        of_columns = json.loads(metadata.get(b"pandas", b"{}")).get("column_indexes") or [{}]
        numbered = of_columns[0].get("pandas_type") == "int64"
        found: tuple[Any, ...] = tuple(map(int, columns) if numbered else columns)
        return None if numbered and found == tuple(range(len(columns))) else found
    rows = [_values(table.column(k)) for k in index]
    found = tuple(rows[0] if len(rows) == 1 else zip(*rows, strict=True))
    for row, column in zip(found, columns, strict=True):
        if column not in (str(row), str(tuple(map(str, row))) if isinstance(row, tuple) else ""):
            raise FileFormatError(
                f"names a row {str(row)!r:.60} and its column {column!r:.60}: they must agree", path
            )
    return found


def _values(column: Any) -> list[Any]:
    """The values of a column as Python has them; times as pandas has them."""
    types = arrow().types
    return list(column.to_pandas()) if types.is_timestamp(column.type) else column.to_pylist()
