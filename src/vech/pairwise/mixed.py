"""The door for frames whose columns are of different sorts: numbers, dates, truth values, names, grades."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import Any, NamedTuple

import numpy as np

from vech import frames
from vech.arrays import Array, Dtype, as_array, family
from vech.pairwise.rows import check_matrix

NAMES = ("str", "bytes", "bool")  # of which object columns may be
WAYS = {
    ("date", "datetime", "Timestamp"): "astype('datetime64[us]') makes dates",
    ("timedelta", "Timedelta"): "astype('timedelta64[us]') makes durations",
    ("Period", "Interval", "tuple", "frozenset"): "astype(str) makes text",
}
"""What makes something of objects of some types of which astype(float) makes nothing."""

NOTHING = ("NoneType", "NAType", "NaTType")


class Column(NamedTuple):
    """One column: in [0, 1] where differences count, else a code for each name; and what is known of it."""

    values: Array  # float64 or int32
    known: Array

    @property
    def is_coded(self) -> bool:
        """Whether values are only equal or not."""
        return bool(self.values.dtype.kind == "i")


def columns_of(X: Any) -> Iterator[Column]:
    """The columns of a frame, or of an array of numbers or truth values."""
    if frames.is_frame(X):
        labels = frames.labels_of(X, 1) or ()
        for label, (column, dtype) in zip(labels, frames.columns(X), strict=True):
            yield _column(column, dtype, f"column {label!r} of X")
        return
    try:
        array = as_array(X, "X", floats=True)
    except TypeError as reason:
        raise TypeError(f"{reason}; a data frame has a dtype for each column") from None
    check_matrix(array)
    for at, values in enumerate(array.T):
        yield _plain(values, f"column {at} of X")


def _column(column: Any, dtype: Any, name: str) -> Column:
    if isinstance(column, np.ndarray):
        return _plain(column, name)
    if hasattr(dtype, "categories") and frames.is_pandas(column):
        codes = column.cat.codes.to_numpy()
        return _graded(codes, codes >= 0) if dtype.ordered else Column(codes.astype(np.int32), codes >= 0)
    if getattr(dtype, "ordered", False):
        raise TypeError(f"{name} is {dtype}, ordered: pass X.to_pandas(), whose categories have places")
    number = frames.numpy_dtype(dtype)
    if number is not None and number.kind == "c":
        raise _of_complex(name, number)
    if number is not None and number.kind in "biuf":
        values = frames.numbers_of(column, name, floats=True)
        if number.kind == "b":
            known = ~np.isnan(values.astype(np.float64))
            return Column(np.where(known, values, 0).astype(np.int32), known)
        return _plain(values, name)
    if str(dtype).startswith("period"):
        return _graded(column.astype("int64").to_numpy(), column.notna().to_numpy())
    if str(dtype).lower().startswith(frames.TIMES):
        return _plain(_dates(column, dtype, name), name)
    is_named = str(dtype).lower().startswith(("cat", "enum", "dictionary"))
    return _named(
        column.to_pylist() if frames.is_arrow(column) else column.to_list(), name, any_type=is_named
    )


def _dates(column: Any, dtype: Any, name: str) -> Array:
    """Dates, or what lies between them, as NumPy has them; those of a time zone in universal time."""
    values = np.asarray(column)
    if values.dtype.kind not in "mM":
        try:
            values = np.asarray(column, "M8[us]")
        except (TypeError, ValueError):
            way = frames.to_numbers(column, dtype)
            raise TypeError(
                f"{name} has dtype {dtype}, without differences: {way} makes numbers of it"
            ) from None
    return values


def _named(values: list[Any], name: str, *, any_type: bool) -> Column:
    """A code for each of some names, and of none of what is missing."""
    codes: dict[Any, int] = {}
    found = np.zeros(len(values), np.int32)
    known = np.ones(len(values), np.bool)
    kinds = set()
    for row, value in enumerate(values):
        if type(value).__name__ in NOTHING or (isinstance(value, float) and isnan(value)):
            known[row] = False
            continue
        kinds.add(type(value).__name__)
        try:
            found[row] = codes.setdefault(value, len(codes))
        except TypeError:  # a list, a dict: equal ones cannot be looked up
            raise TypeError(
                f"{name} holds a {type(value).__name__} in row {row}, which is no single value: make columns "
                f"of its parts, or leave it out"
            ) from None
    if not any_type and kinds and (len(kinds) > 1 or not kinds <= set(NAMES)):
        if "complex" in kinds:
            raise _of_complex(name, np.dtype(complex))
        way = next((way for those, way in WAYS.items() if kinds <= set(those)), "astype(float) makes numbers")
        raise TypeError(
            f"{name} holds Python objects of type {', '.join(sorted(kinds))}: {way} of them, "
            f"astype('category') names"
        )
    return Column(found, known)


def _plain(values: Array, name: str) -> Column:
    """Of an array of numbers, dates or truth values."""
    kind = family(values.dtype)
    if kind == "b":
        return Column(values.astype(np.int32), np.ones(values.shape, np.bool))
    if kind == "c":
        raise _of_complex(name, values.dtype)
    if kind in "mM":
        return _graded(values.view(np.int64), ~np.isnat(values))
    known = np.ones(values.shape, np.bool)
    if kind == "f":
        values = values.astype(np.float64)
        known = ~np.isnan(values)
        for row in np.flatnonzero(np.isinf(values))[:1]:
            raise ValueError(f"row {row}, {name}, is {values[row]}: fill it, or leave the row out")
    return _graded(values, known)


def _of_complex(name: str, dtype: Dtype) -> TypeError:
    return TypeError(
        f"{name} holds {dtype}, and distances are of real numbers: np.real and np.imag of it are two columns"
    )


def _graded(values: Array, known: Array) -> Column:
    """Numbers as shares of their range, from the least to the largest; zeros where these are one."""
    shares, some = np.zeros(values.shape), values[known]
    if some.size:
        if some.dtype.kind in "iu":
            whole = some.astype(np.int64 if some.dtype.kind == "i" else np.uint64).view(np.uint64)
            above = (whole - whole[some.argmin()]).astype(np.float64)  # exact: it wraps around
        else:
            mild = np.ldexp(some, -np.frexp(np.abs(some).max())[1])
            above = mild - mild.min()
        shares[known] = above / (above.max() or 1.0)
    return Column(shares, known)
