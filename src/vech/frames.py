"""Frames and series of other libraries: their numbers as NumPy has them, and the labels of each axis.

pandas, polars, pyarrow and xarray are known by the attributes of their classes, so none of them is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.maps import check_series
from vech.store import first_difference

Array = NDArray[Any]
Dtype = np.dtype[Any]
Labels = tuple[Any, ...]

EXACT_INTEGERS = 2**53
NUMBERS = "biufcVMm"  # NumPy's letters for what may be numbers of a column; V is of ml_dtypes
TIMES = ("date", "time", "duration", "period")  # how dtypes of these begin in any library
NESTED = ("interval", "list", "struct", "array", "map")  # in the names of dtypes of more than one value
FEW = 3  # labels that an error names


def rounded_integer(integer: object) -> str:
    """What an integer beyond 2^53 is, and what to do."""
    return (
        f"the integer {integer}, and float64 tells integers apart up to 2**53: subtract an offset first, "
        "such as X - X[0]"
    )


def is_frame(x: Any) -> bool:
    """Whether this is a table whose columns have dtypes of their own."""
    if is_arrow(x):
        return hasattr(type(x), "column_names")
    kind = type(x)
    if not hasattr(kind, "to_numpy") or hasattr(kind, "dtype"):
        return False
    return hasattr(x, "columns") and hasattr(x, "dtypes")


def is_series(x: Any) -> bool:
    """Whether this is one column: of a frame, or an index, or an array of pandas or pyarrow."""
    kind = type(x)
    return hasattr(kind, "to_numpy") and (hasattr(kind, "dtype") or is_arrow(x)) and not is_named_array(x)


def is_named_array(x: Any) -> bool:
    """Whether this is an array whose axes have names, as those of xarray."""
    return all(hasattr(type(x), name) for name in ("dims", "indexes", "to_numpy"))


def is_arrow(x: Any) -> bool:
    """Whether pyarrow made it."""
    return type(x).__module__.partition(".")[0] == "pyarrow"


def way_in(x: Any) -> str | None:
    """The method by which an object gives a frame: narwhals', scikit-bio's, polars' and dask's lazy ones."""
    lazy = hasattr(type(x), "columns") and not is_frame(x) and not is_arrow(x)
    names = ("to_native", "to_data_frame", *(("collect", "compute") if lazy else ()))
    return next((name for name in names if hasattr(type(x), name)), None)


def is_pandas(x: Any) -> bool:
    """Whether it has an index, as frames and series of pandas have."""
    return hasattr(type(x), "iloc")


def is_sparse(x: Any) -> bool:
    """Whether this is a sparse array or matrix of SciPy."""
    sparse = sys.modules.get("scipy.sparse")
    return sparse is not None and bool(sparse.issparse(x))


def as_sparse(x: Any, what: str, *, square: bool = True) -> Any:
    """Nonzeros that pandas or pydata's sparse holds as a sparse array of SciPy; all else as it is.

    What is sparse about another number, as pandas is about NaN unless told, is as it is too; of a `square` of
    pandas what is not zero is taken.
    """
    if hasattr(type(x), "to_scipy_sparse"):
        return x.to_scipy_sparse() if square or _is_zero(getattr(x, "fill_value", 0)) else x
    if not _is_sparse_frame(x):
        return x
    if all(_is_zero(dtype.fill_value) for dtype in x.dtypes):
        if square:
            square_labels(x, what)
        return x.sparse.to_coo()
    if not square:
        return x
    square_labels(x, what)
    return _by_columns(x)


def _by_columns(x: Any) -> Any:
    """What is not zero: older pandas change the numbers of a column with the one that it is sparse about."""
    from scipy.sparse import csc_array

    columns = [np.asarray(x.iloc[:, k]) for k in range(x.shape[1])]
    rows = [np.flatnonzero(column) for column in columns]
    indptr = np.cumsum([0, *map(len, rows)])
    data = [column[row] for column, row in zip(columns, rows, strict=True)]
    return csc_array((np.concatenate(data), np.concatenate(rows), indptr), x.shape)


def _is_sparse_frame(x: Any) -> bool:
    if not (is_pandas(x) and is_frame(x) and len(x.dtypes)):
        return False
    return all(hasattr(dtype, "fill_value") for dtype in x.dtypes)


def _is_zero(fill: Any) -> bool:
    return not is_missing(fill) and bool(fill == 0)


def to_dense(x: Any, what: str) -> str:
    """How something sparse becomes dense, in the words of its library."""
    if _is_sparse_frame(x):
        return f"{what}.sparse.to_dense()"
    return f"{what}.todense()" if hasattr(type(x), "to_scipy_sparse") else f"{what}.toarray()"


def to_numbers(x: Any, dtype: Any) -> str:
    """How a column of this dtype becomes one of numbers, in the words of its library; "" where it cannot."""
    name = str(dtype).lower()
    if any(nested in name for nested in NESTED):
        return ""
    is_time = name.startswith(TIMES)
    if is_arrow(x):
        return f"cast('{'int32' if name.startswith('date32') else 'int64' if is_time else 'float64'}')"
    if type(x).__module__.partition(".")[0] == "polars":
        return f"cast({'int' if is_time else 'float'})"
    return "astype('int64')" if is_time else "astype(float)"


# ---------------------------------------------------------------- numbers


def numbers_of(x: Any, what: str, *, floats: bool) -> Array:
    """A frame or series as an array; TypeError naming a column of no numbers, ValueError one with holes.

    With `floats` integers and truth values that are missing become NaN, for what computes with floats anyway.
    """
    if not is_frame(x):
        dtype = x.type if is_arrow(x) else x.dtype
        return _cast(x, _filled_dtype(x, None, dtype, f"{what} is a {type(x).__name__} that", floats))
    labels = labels_of(x, 1) or ()
    dtypes = list(x.schema.types if is_arrow(x) else x.dtypes)
    names = [f"column {label!r} of {what}" for label in labels]
    found = [
        _filled_dtype(x, k, dtype, name, floats)
        for k, (dtype, name) in enumerate(zip(dtypes, names, strict=True))
    ]
    if not labels:
        return np.empty((len(x), 0))
    try:
        common = np.result_type(*set(found))
    except TypeError:
        odd = next(k for k, dtype in enumerate(found) if (dtype.kind in "Mm") != (found[0].kind in "Mm"))
        raise TypeError(
            f"{names[0]} has dtype {dtypes[0]}, and {names[odd]} {dtypes[odd]}: drop one"
        ) from None
    if len(set(dtypes)) > 1:  # numbers of one dtype come as they lie, and the array is looked at
        for k, dtype in enumerate(found):
            _check_exact(x, k, dtype, common, names[k])
    if not is_arrow(x):
        return _cast(x, common)
    table = np.empty((len(x), len(labels)), common, order="F")
    for k in range(len(labels)):
        table[:, k] = _cast(x.column(k), common)
    return table


def _column(x: Any, k: int | None) -> Any:
    """One column of a frame, by its place, since labels may repeat; a series itself."""
    if k is None:
        return x
    if is_pandas(x):
        check_series(column := x.iloc[:, k])
        return column
    if is_arrow(x):
        return x.column(k)
    return x.to_series(k) if hasattr(x, "to_series") else x.to_numpy()[:, k]  # of a table that vech read


def columns(x: Any) -> Iterator[tuple[Any, Any]]:
    """Each column of a frame, and its dtype."""
    for k, dtype in enumerate(x.schema.types if is_arrow(x) else x.dtypes):
        yield _column(x, k), dtype


def numpy_dtype(dtype: Any) -> Dtype | None:
    """NumPy's dtype for the numbers of a column, None if they are none."""
    if isinstance(dtype, np.dtype):
        return dtype
    if getattr(dtype, "kind", "f") not in "biufc":  # intervals, categories and dates of pandas
        return None
    found = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", None))  # pandas: nullable, sparse
    if found is None and hasattr(dtype, "to_pandas_dtype"):  # pyarrow
        try:
            found = dtype.to_pandas_dtype()
        except NotImplementedError:
            return None
    if found is None:  # polars
        name = str(dtype).lower()
        if not name.isalnum():
            return None
        found = {"boolean": "bool"}.get(name, name)
    try:
        return np.dtype(found)
    except TypeError:
        return None


def _filled_dtype(x: Any, k: int | None, dtype: Any, name: str, floats: bool) -> Dtype:
    """The dtype that holds a column with what is missing in it."""
    found = numpy_dtype(dtype)
    kinds = NUMBERS.replace("M", "").replace("m", "") if floats else NUMBERS
    if found is None or found.kind not in kinds:
        way = to_numbers(x, dtype)
        also = f", or {way}" if way else ""
        raise TypeError(f"{name} has dtype {dtype}, which is no number: drop it{also}")
    if isinstance(dtype, np.dtype) or found.kind not in "biu" or not _has_holes(_column(x, k)):
        return found
    if not floats:
        raise ValueError(
            f"{name} is {dtype} with missing numbers, and integers have no NaN: astype(float) first, or "
            f"fill them in"
        )
    wide = np.dtype(np.float64)
    _check_exact(x, k, found, wide, name)
    return wide


def _has_holes(column: Any) -> bool:
    count = getattr(type(column), "null_count", None)  # of polars a method, of pyarrow a number
    if count is None:
        return bool(column.isna().any())
    return bool(column.null_count() if callable(column.null_count) else column.null_count)


def _check_exact(x: Any, k: int | None, dtype: Dtype, wanted: Dtype, name: str) -> None:
    """Refuse integers that floats of other columns, or of NaN, would round."""
    column = _column(x, k)
    if dtype.kind not in "iu" or dtype.itemsize < 8 or wanted.kind not in "fc":
        return
    if is_arrow(column):
        values = column.drop_null().to_numpy()
        ends = (values.min(), values.max()) if values.size else ()
    else:
        ends = (column.min(), column.max())
    for end in ends:
        if isinstance(end, Integral) and abs(int(end)) > EXACT_INTEGERS:  # of holes alone it is none
            raise ValueError(
                f"{name} holds the integer {end}, which {wanted} beside it would round: it tells integers "
                f"apart up to 2**53"
            )


def _cast(x: Any, dtype: Dtype) -> Array:
    if is_arrow(x):
        table = x.to_numpy(zero_copy_only=False)
    elif not (is_pandas(x) or hasattr(type(x), "isna")):  # polars
        table = x.to_numpy(dtype) if not hasattr(type(x), "null_count") else x.to_numpy()
    elif dtype.kind in "fc" and _is_nullable(x):
        table = x.to_numpy(dtype=dtype, na_value=np.nan)
    else:
        table = x.to_numpy(dtype=dtype)
    return np.asarray(table, dtype)


def _is_nullable(x: Any) -> bool:
    dtypes = x.dtypes if is_frame(x) else [x.dtype]
    return not all(isinstance(dtype, np.dtype) for dtype in dtypes)


# ---------------------------------------------------------------- labels


def index_of(x: Any, axis: int) -> Any:
    """What holds the labels along an axis, an index of pandas or a list; None where there are none."""
    if type(x) is np.ndarray:
        return None
    if is_named_array(x):
        return x.indexes.get(x.dims[axis]) if -x.ndim <= axis < x.ndim else None
    if is_frame(x) and axis in (1, -1):
        return x.column_names if is_arrow(x) else x.columns
    if is_pandas(x) and (axis in (0, -2) if is_frame(x) else axis in (0, -1)):
        return x.index
    if is_frame(x) and axis in (0, -2) and isinstance(found := getattr(x, "index", None), tuple):
        return found  # of a table that vech read
    return None


def labels_of(x: Any, axis: int) -> Labels | None:
    """The labels along an axis, None where it has none."""
    index = index_of(x, axis)
    return None if index is None else tuple(index)


def square_labels(x: Any, what: str) -> Labels | None:
    """The labels of a square matrix, the same on both axes; ValueError naming some that differ or repeat."""
    rows, columns = labels_of(x, -2), labels_of(x, -1)
    if rows is None or columns is None:
        labels = columns if rows is None else rows
    else:
        at = first_difference(rows, columns)
        if len(rows) == len(columns) and at is not None:
            raise ValueError(
                f"{what} has rows {few(rows)} and columns {few(columns)}, and row {at} is {rows[at]!r} where "
                f"column {at} is {columns[at]!r}: {_reordering(x, rows, columns)}x.to_numpy() "
                f"goes by position"
            )
        labels = rows
    check_unique(labels, what)
    return labels


def _reordering(x: Any, rows: Labels, columns: Labels) -> str:
    try:
        same = set(rows) == set(columns)
    except TypeError:  # labels without a hash
        same = False
    if not same:
        return "give both the same labels; "
    if is_pandas(x):
        return "x.loc[x.columns] has its rows in the order of its columns; "
    return "give both one order; "


def check_unique(labels: Labels | None, what: str) -> None:
    """ValueError naming a label that is there twice."""
    seen: dict[Any, int] = {}
    for at, label in enumerate(labels or ()):
        try:
            first = seen.setdefault(label, at)
        except TypeError:  # without a hash: it is not looked up
            continue
        if first != at:
            raise ValueError(
                f"{what} has the label {label!r} at {first} and at {at}: rename one; x.to_numpy() goes by "
                f"position"
            )


def few(labels: Iterable[Any]) -> str:
    """The first of them, in words."""
    found = list(labels)
    return ", ".join(map(repr, found[:FEW])) + (", ..." if len(found) > FEW else "")


def check_along(
    x: Any, axis: int, labels: Labels | None, what: str, owner: str = "S", line: str = "row"
) -> None:
    """Refuse an argument whose labels along an axis are not those of the matrix it meets; none fit all."""
    if labels is None or type(x) is np.ndarray:
        return
    others = labels_of(x, axis)
    if others is None or len(others) != len(labels):  # another length is the shape's to tell
        return
    at = first_difference(labels, others)
    if at is not None:
        raise ValueError(
            f"{line} {at} of {owner} is {labels[at]!r}, and of {what} {others[at]!r}: "
            f"give both the same labels in one order, or pass {what}.to_numpy() to go by position"
        )


def is_missing(x: Any) -> bool:
    """Whether this is None, NaN, NaT or the NA of pandas."""
    return x is None or type(x).__name__ == "NAType" or bool(x != x)  # noqa: PLR0124


# ---------------------------------------------------------------- results like what came


def like_columns(x: Any, found: Any) -> Any:
    """Numbers that answer the columns of a frame of pandas: a series with their labels; else as they are."""
    if type(x) is np.ndarray or not (is_pandas(x) and is_frame(x)):
        return found
    return sys.modules["pandas"].Series(found, index=x.columns)


def like(x: Any, found: Array) -> Any:
    """Rows that answer those of a frame or series: one like it, with its labels; of all else the array."""
    if type(x) is np.ndarray or found.ndim == 0:
        return found
    if is_named_array(x):
        return x.copy(data=found) if found.shape == x.shape else found
    if not is_pandas(x) or found.shape != x.shape:
        return found
    pandas = sys.modules["pandas"]
    if is_frame(x):
        return pandas.DataFrame(found, index=x.index, columns=x.columns)
    return pandas.Series(found, index=x.index, name=x.name)
