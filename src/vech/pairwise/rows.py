"""What all rows that are compared have in common: the arguments, their dtypes, their lengths."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype, family, native
from vech.layouts.dialects import AnyLayout

PRODUCTS_EXACT_IN_DOUBLE = 2.0**53
PRODUCTS_EXACT = 2.0**63
NUMBERS = 2**20  # of X that are looked at at a time


class Wanted(NamedTuple):
    """The arguments, checked as far as they can be without X."""

    threshold: float
    store: str
    layout: AnyLayout
    threads: int


def check_matrix(X: Any) -> None:
    """ValueError for an X, array or sparse, that has not rows and columns."""
    if X.ndim != 2:
        raise ValueError(
            f"X has shape {X.shape}: it must be a matrix, (rows, columns), whose rows are compared"
        )


def groups(X: Array) -> Iterator[slice]:
    """The rows of X, about NUMBERS numbers of them at a time."""
    height = max(1, NUMBERS // max(1, X.shape[1]))
    for start in range(0, len(X), height):
        yield slice(start, min(start + height, len(X)))


def as_given(dtype: Dtype) -> Dtype:
    """The dtype itself; TypeError where numbers of it have no products."""
    if family(dtype) in "mM":
        raise TypeError(f"X holds {dtype}, and dates and times have no products: astype(np.int64) first")
    return native(dtype)


def exact(dtype: Dtype) -> Dtype:
    """In which inner products of such numbers are computed."""
    dtype = as_given(dtype)
    if family(dtype) in "biu":
        return np.dtype(np.int64)
    return dtype if dtype.itemsize >= 4 else np.dtype(np.float32)


def inexact(dtype: Dtype) -> Dtype:
    """In which cosines of such numbers are computed."""
    product = exact(dtype)
    return np.dtype(np.float64) if product.kind == "i" else product


def check_sums(squares: Array) -> float:
    """The largest square of a length, which bounds all products; OverflowError if these may not fit int64."""
    most = float(squares.max(initial=0.0))
    if most >= PRODUCTS_EXACT:
        raise OverflowError(
            f"products of rows of X may reach {most:.3g}, and int64 ends at {PRODUCTS_EXACT:.3g}: "
            f"astype(float) first"
        )
    return most


def exponents(largest: Array, row: NDArray[np.intp]) -> NDArray[np.int32]:
    """The powers of two by which to scale rows to size one; ValueError for a row without a direction."""
    finite = np.isfinite(largest)
    if not finite.all():
        at = int(finite.argmin())
        raise ValueError(
            f"row {row[at]} of X holds nan or an infinity, so it has no direction: "
            f"leave it out or fill it first"
        )
    return -np.frexp(largest)[1]


def parts_of(numbers: Array) -> Array:
    """A copy in double, with an axis of one for the real or two for both parts of each number."""
    parts, dtype = (2, np.complex128) if numbers.dtype.kind == "c" else (1, np.float64)
    return np.array(numbers, dtype, order="C").view(np.float64).reshape(*numbers.shape, parts)


def numbers_of(parts: Array, dtype: Dtype) -> Array:
    """The numbers of these parts, in their own dtype."""
    return (parts.view(np.complex128) if dtype.kind == "c" else parts)[..., 0].astype(dtype)
