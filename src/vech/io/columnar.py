"""Tables by columns, .parquet and .feather, through pyarrow: in blocks of rows, and out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vech.arrays import Array
from vech.frames import EXACT_INTEGERS, rounded_integer
from vech.io.columns import Columns, Wanted, choose, no_number
from vech.io.errors import FileFormatError, reading

INDEX = "__index_level_0__"
"""What pandas calls a column with labels of rows that has no name."""

ROWS = 1 << 16
"""Rows of a block."""


class Columnar(NamedTuple):
    """A table that is open: names of columns, how many rows if the file says it, and blocks of them."""

    labels: tuple[str, ...]
    labelled: bool
    rows: int | None
    blocks: Iterator[tuple[Array, list[str] | None]]


def scan(path: Path, want: Wanted) -> Columnar:
    """Open a table; what is wrong with its columns is said here, what is wrong with numbers by the blocks."""
    with _reading(path):
        file = _opened(path)
        schema = file.schema_arrow if hasattr(file, "schema_arrow") else file.schema
        names = [str(name) for name in schema.names]
        columns = _columns(schema, names, want, path)
        labels = tuple(names[k] for k in columns.numbers)
        rows = file.metadata.num_rows if is_parquet(path) else None
    return Columnar(labels, columns.label is not None, rows, _blocks(file, columns, names, path))


def whole(path: Path, want: Wanted) -> tuple[tuple[str, ...], list[Any], list[str] | None]:
    """Names of columns, the columns as pyarrow has them, of any sort, and labels of rows."""
    with _reading(path), _opened(path) as file:
        schema = file.schema_arrow if hasattr(file, "schema_arrow") else file.schema
        names = [str(name) for name in schema.names]
        columns = _chosen(schema, names, want, path)
        table = file.read() if is_parquet(path) else file.read_all()
        labels = None if columns.label is None else _labels(table.column(columns.label))
    if not len(table):
        raise FileFormatError("names its columns and has no rows", path)
    return tuple(names[k] for k in columns.numbers), [table.column(k) for k in columns.numbers], labels


def arrow() -> Any:
    """The library that reads and writes these files."""
    try:
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError:
        raise ImportError('.parquet and .feather need pyarrow: pip install "vech[parquet]"') from None
    return pyarrow


def is_parquet(path: Path) -> bool:
    """Whether the name says so; else it is Feather."""
    return path.suffix.lower() == ".parquet"


def save(table: Any, file: BinaryIO, path: Path) -> None:
    """Write a table of pyarrow as what the name of the file says."""
    if is_parquet(path):
        arrow().parquet.write_table(table, file)
    else:
        arrow().feather.write_feather(table, file)


def _opened(path: Path) -> Any:
    pyarrow = arrow()
    path.stat()  # its error names the file, which that of pyarrow does not
    if is_parquet(path):
        return pyarrow.parquet.ParquetFile(path)
    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path)))


def _reading(path: Path) -> AbstractContextManager[None]:
    name = "Parquet" if is_parquet(path) else "Feather"
    return reading(path, f"is no {name} file that pyarrow reads")


def _chosen(schema: Any, names: Sequence[str], want: Wanted, path: Path) -> Columns:
    """The columns that are wanted, of any sort; without dates where these are left out."""
    from pyarrow import types

    indices = (schema.pandas_metadata or {}).get("index_columns", [])
    named = [names.index(name) for name in indices if isinstance(name, str) and name in names]
    named = [k for k in named if names[k] not in want.drop and k not in want.drop]
    if len(named) > 1 and want.label is None:
        several = ", ".join(repr(names[k]) for k in named)
        raise FileFormatError(
            f"labels its rows by {several}: say index= for one, and drop= for the others", path
        )
    columns = choose(names, want, path, label=named[0] if named else None)
    dates = tuple(k for k in columns.numbers if types.is_temporal(schema.field(k).type))
    if want.dates == "drop":
        columns = Columns(tuple(k for k in columns.numbers if k not in dates), columns.label, dates)
    if not columns.numbers:
        raise FileFormatError("has no column left beside dates", path)
    return columns


def _columns(schema: Any, names: Sequence[str], want: Wanted, path: Path) -> Columns:
    """The same, of numbers alone."""
    from pyarrow import types

    columns = _chosen(schema, names, want, path)
    for k in columns.numbers:
        kind = schema.field(k).type
        if not (types.is_integer(kind) or types.is_floating(kind)):
            date = types.is_temporal(kind)
            holds = f"{kind}, which is {'a date' if date else 'no number'}"
            raise FileFormatError(no_number(names[k], holds, date=date, first=k == 0), path)
    return columns


def _blocks(
    file: Any, columns: Columns, names: Sequence[str], path: Path
) -> Iterator[tuple[Array, list[str] | None]]:
    with _reading(path), file:
        for batch in _batches(file, [names[k] for k in (*columns.numbers, *_one(columns.label))]):
            numbers = [_numbers(batch.column(names[k]), names[k], path) for k in columns.numbers]
            labels = None
            if columns.label is not None:
                labels = _labels(batch.column(names[columns.label]))
            yield np.stack(numbers, axis=1), labels


def _labels(column: Any) -> list[str]:
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def _one(label: int | None) -> tuple[int, ...]:
    return () if label is None else (label,)


def _batches(file: Any, names: list[str]) -> Iterator[Any]:
    if hasattr(file, "iter_batches"):
        yield from file.iter_batches(ROWS, columns=names)
    else:
        yield from map(file.get_batch, range(file.num_record_batches))


def _numbers(column: Any, name: str, path: Path) -> Array:
    from pyarrow import float64

    if (integer := rounded(column)) is not None:
        raise FileFormatError(f"column {name!r} holds {rounded_integer(integer)}", path)
    return np.asarray(column.cast(float64()).to_numpy(zero_copy_only=False))


def rounded(column: Any) -> int | None:
    """An integer of a column beyond what float64 tells apart; None where there is none."""
    from pyarrow import compute, types

    if not types.is_integer(column.type) or column.type.bit_width < 64:
        return None
    ends = compute.min_max(column).as_py().values()
    return next((end for end in ends if end is not None and abs(end) > EXACT_INTEGERS), None)


def write(
    file: BinaryIO, path: Path, numbers: Array, names: Sequence[str], index: Sequence[str] | None
) -> None:
    """Write a table as pandas does, so that it finds the labels of rows."""
    pyarrow = arrow()
    columns = {name: pyarrow.array(np.ascontiguousarray(numbers[:, k])) for k, name in enumerate(names)}
    fields = [_field(name, name, numbers.dtype.name, numbers.dtype.name) for name in names]
    metadata: dict[str, Any] = {"index_columns": [], "column_indexes": [], "columns": fields}
    if index is not None:
        columns[INDEX] = pyarrow.array(index, pyarrow.string())
        metadata["index_columns"] = [INDEX]
        fields.append(_field(None, INDEX, "unicode", "object"))
    table = pyarrow.table(columns).replace_schema_metadata({"pandas": json.dumps(metadata)})
    save(table, file, path)


def _field(name: str | None, field: str, pandas: str, numpy: str) -> dict[str, str | None]:
    return {"name": name, "field_name": field, "pandas_type": pandas, "numpy_type": numpy, "metadata": None}
