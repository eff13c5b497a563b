"""The door for rows that are points: what X may be, which numbers it holds, and weights of its columns."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype, as_array, as_square, family
from vech.frames import is_frame, labels_of
from vech.pairwise.rows import check_matrix, groups

SINGLE = np.dtype(np.float32)
DOUBLE = np.dtype(np.float64)
BOTH_PARTS = "np.hstack([np.real(X), np.imag(X)]) has both parts"


class Rows(NamedTuple):
    """X behind the door: finite numbers, or NaN where it is to be left out, and the dtype of distances."""

    X: Array  # float32, float64 or bool; without gaps
    dtype: Dtype
    missing: bool

    def numbers(self) -> Array:
        """X as floats."""
        return self.X if self.X.dtype != bool else self.X.astype(DOUBLE)


def opened(X: Any, *, mixed: bool = True) -> Array:
    """X as a matrix of real numbers; `mixed` says that text has a metric of its own."""
    try:
        array = as_array(X, "X", floats=True)
    except TypeError as reason:
        if mixed and is_frame(X):
            raise TypeError(f"{reason}; metric='gower' compares columns of text too") from None
        raise
    check_matrix(array)
    kind = family(array.dtype)
    if kind == "c":
        raise TypeError(f"X holds {array.dtype}, and distances are of real numbers: {BOTH_PARTS}")
    if kind in "mM":
        raise TypeError(
            f"X holds {array.dtype}, and dates and times have no distances: astype(np.int64) first"
        )
    return array


def wanted_dtype(dtype: Any, why: str) -> Dtype | None:
    """float32 or float64; TypeError, which says why, for others."""
    if dtype is None:
        return None
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # of what is none, by the way in which it is not
        found = dtype
    for fits in (SINGLE, DOUBLE):
        if isinstance(found, np.dtype) and found == fits:
            return fits
    shown = found if isinstance(found, np.dtype) else repr(found)
    raise TypeError(f"dtype must be float32 or float64, not {shown}: {why}")


def check_finite(array: Array, X: Any, *, allowed: bool, offered: bool = True) -> bool:
    """Whether NaN is in it, where that is allowed; ValueError for NaN elsewhere, and for infinity.

    `offered` says whether it may be allowed by missing=.
    """
    if family(array.dtype) != "f":
        return False
    some = False
    for start, piece in pieces(array):
        numbers = np.asarray(piece, SINGLE) if piece.dtype.itemsize < 4 else piece
        odd = ~np.isfinite(numbers)
        if not odd.any():
            continue
        some = True
        if allowed:
            odd &= ~np.isnan(numbers)
            if not odd.any():
                continue
        i, j = map(int, np.argwhere(odd)[0])
        number = float(numbers[i, j])
        way = "fill it, or leave the row out"
        if np.isnan(number) and offered:
            way = "fill it, or pass missing='pairwise'"
        raise ValueError(f"X holds {number} in {place(X, start + i, j)}: {way}")
    return some


def place(X: Any, row: int, column: int) -> str:
    """A row and a column in words, with their labels."""
    words = []
    for axis, (name, at) in enumerate((("row", row), ("column", column))):
        labels = labels_of(X, axis)
        label = "" if labels is None or labels[at] == at else f" ({labels[at]!r})"
        words.append(f"{name} {at}{label}")
    return ", ".join(words)


def pieces(X: Array) -> Iterator[tuple[int, Array]]:
    """(first row, rows), some at a time."""
    for rows in groups(X):
        yield rows.start, X[rows]


def within(X: Array, least: float, most: float) -> bool:
    """Whether every number is zero or of a size between these."""
    for _, piece in pieces(X):
        size = np.abs(piece)
        inside = (size <= most) & ((size >= least) | (size == 0))
        if not (inside | np.isnan(size)).all():
            return False
    return True


def is_mild(rows: Rows, w: Array | None, least: float, most: float) -> bool:
    """Whether kernels need not look out for what leaves the range of double; float32 cannot."""
    if w is not None and is_wild(w):
        return False
    return rows.X.dtype in (SINGLE, bool) or within(rows.X, least, most)


def weights_of(rows: Rows, w: Any) -> tuple[Rows, Array | None]:
    """The weights, and the columns that have one."""
    if w is None:
        return rows, None
    w = numbers_for("w", w, (rows.X.shape[1],))
    if (w < 0).any():
        at = int(np.argmax(w < 0))
        raise ValueError(f"w[{at}] is {w[at]:g}: weights are zero or positive")
    if not w.all():
        rows = rows._replace(X=np.ascontiguousarray(rows.X[:, w > 0]))
        w = w[w > 0]
    return rows, w


def is_wild(w: Array) -> bool:
    """Whether weights are so large, or so small, that kernels take others in their place."""
    return not within(w[None], 2.0**-100, 2.0**100)


def leveled(w: Array | None) -> Array | None:
    """Weights times a power of two, for what no common factor changes: as far above one as below it."""
    if w is None or not is_wild(w):
        return w
    sizes = np.frexp(w)[1]
    return np.asarray(np.ldexp(w, -((int(sizes.max()) + int(sizes.min())) // 2)))


def folded(X: Array, w: Array, p: float) -> tuple[Array, Array, int]:
    """X whose columns bear most of the p-th roots of weights, what is left of the weights, and an exponent.

    A column is multiplied by a power of two, so nothing is rounded, and all of them are divided by two to
    that exponent, so that X has room: only what is 2^2000 times smaller than the largest number is lost.
    """
    numbers, sizes = np.frexp(w)
    power = np.rint((sizes - 1) / p).astype(np.int64)
    left = [float(Fraction(int(size)) - Fraction(p) * int(k)) for size, k in zip(sizes, power, strict=True)]
    beyond = min(max(int((exponents(X) + power).max(initial=0)) - 1000, -1000), 1023)
    return np.ldexp(X.astype(DOUBLE), power - beyond), numbers * np.exp2(left), beyond


def numbers_for(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """An argument of finite real numbers, in double."""
    array = as_square(value, name) if len(shape) == 2 else as_array(value, name)
    if family(array.dtype) not in "biuf":
        raise TypeError(f"{name} holds {array.dtype}: real numbers are needed")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, and X has {shape[0]} columns: {shape} fits")
    array = np.ascontiguousarray(array, DOUBLE)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds nan or an infinity: finite numbers are needed")
    return array


def exponents(X: Array) -> Array:
    """Of the power of two above each column."""
    largest = np.zeros(X.shape[1])
    for _, piece in pieces(X):
        largest = np.fmax(largest, np.nanmax(np.abs(piece), axis=0, initial=0))
    return np.frexp(largest)[1]


def variances(X: Array) -> Array:
    """Of columns, with n - 1 below and without what is NaN; 1 where there is no pair to tell apart."""
    if len(X) < 2:
        return np.ones(X.shape[1])
    count, total, squares, drift = np.zeros((4, X.shape[1]))
    for _, piece in pieces(X):
        count += (~np.isnan(piece)).sum(axis=0)
        total += np.nansum(piece, axis=0, dtype=DOUBLE)
    mean = total / np.maximum(count, 1)
    for _, piece in pieces(X):
        squares += np.nansum((piece - mean) ** 2, axis=0)
        drift += np.nansum(piece - mean, axis=0)  # what rounding has left of the mean
    return (squares - drift**2 / np.maximum(count, 1)) / np.maximum(count - 1, 1)
