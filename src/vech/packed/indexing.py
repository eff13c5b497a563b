"""What a key takes of a square matrix: rows and columns, as NumPy understands them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import as_array
from vech.labels import by_position
from vech.maps import as_read, check_mapped


def axes(key: Any, n: int) -> tuple[Any, Any]:
    """What a key takes of rows and of columns."""
    if isinstance(key, np.ndarray) and key.dtype == np.bool and key.ndim == 2:
        if key.shape != (n, n):
            raise IndexError(f"a mask has shape {key.shape}, but the matrix ({n}, {n})")
        check_mapped(key)
        i, j = np.nonzero(key)
        return i, j
    parts = key if isinstance(key, tuple) else (key,)
    named = [part for part in parts if part is not Ellipsis]
    if any(part is None for part in named):
        raise IndexError("None adds an axis, and a store has just two: index expand() instead")
    if len(parts) > len(named) + 1:
        raise IndexError("an index has one ... at most")
    if len(named) > 2:
        raise IndexError(f"a matrix has 2 axes, but {len(named)} were indexed")
    rest = [slice(None)] * (2 - len(named))
    rows, columns = [*rest, *named] if parts and parts[0] is Ellipsis else [*named, *rest]
    return rows, columns


def numbers(index: Any, n: int, axis: int) -> NDArray[np.int64]:
    """What an index takes of one axis of length n, in the index's own shape."""
    if isinstance(index, slice):
        return np.arange(*index.indices(n))
    array = as_array(index, "index") if isinstance(index, np.ma.MaskedArray) else as_read(index)
    if array.size == 0 and not isinstance(index, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype == np.bool and array.ndim > 0:
        if array.shape != (n,):
            raise IndexError(f"a mask has shape {array.shape}, but axis {axis} has {n} numbers")
        return np.flatnonzero(array)
    if array.dtype.kind not in "iu":
        raise IndexError(f"an index is made of integers, slices and masks, not {array.dtype}")
    outside = (array < -n) | (array >= n)
    if np.any(outside):
        raise IndexError(f"index {array[outside].flat[0]} is out of bounds for axis {axis} with size {n}")
    array = array.astype(np.int64)
    return np.asarray(np.where(array < 0, array + n, array))


def taken(
    key: Any, labels: tuple[Any, ...] | None, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Rows and columns that a key takes, and whether each of these meets each of those."""
    rows, columns = axes(by_position(key, labels), n)
    i, j = numbers(rows, n, 0), numbers(columns, n, 1)
    if isinstance(rows, slice) or isinstance(columns, slice):
        return i, j, True
    return *pairs(i, j), False


def vector(index: Any, n: int, axis: int, labels: tuple[Any, ...] | None = None) -> NDArray[np.int64]:
    """What an index takes of one axis of length n, as a vector; names are looked up in the labels."""
    index = index if labels is None else by_position(index, labels)
    taken = np.atleast_1d(numbers(index, n, axis))
    if taken.ndim > 1:
        raise IndexError(f"an index of shape {taken.shape} is not a vector")
    return taken


def is_range(taken: NDArray[np.int64]) -> bool:
    """Whether these are some numbers that follow each other."""
    return taken.size > 0 and bool((np.diff(taken) == 1).all())


def pairs(i: NDArray[np.int64], j: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns that pair up, in one shape."""
    try:
        rows, columns = np.broadcast_arrays(i, j)
    except ValueError:
        raise IndexError(
            f"rows of shape {i.shape} and columns of shape {j.shape} do not pair up: "
            f"block(rows, columns) takes every row with every column"
        ) from None
    return rows, columns


def outer(i: NDArray[np.int64], j: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All rows with all columns, of shape i.shape + j.shape, without memory of their own."""
    shape = i.shape + j.shape
    return np.broadcast_to(i.reshape(i.shape + (1,) * j.ndim), shape), np.broadcast_to(j, shape)


def consecutive(rows: slice | range, n: int) -> tuple[int, int]:
    """The first and the end of rows that follow each other."""
    if not isinstance(rows, slice | range):
        raise TypeError(f"rows must be a slice or a range, not {type(rows).__name__}: block takes any rows")
    if rows.step not in (None, 1):
        raise ValueError(f"rows must be consecutive, and {rows} has step {rows.step}: block takes any rows")
    if isinstance(rows, slice):
        try:
            start, stop, _ = rows.indices(n)
        except TypeError:
            raise TypeError(
                f"rows is {rows}, and takes integers: S.loc[first:last] slices by label, block takes labels"
            ) from None
        return start, max(start, stop)
    if len(rows) and not 0 <= rows.start < rows.stop <= n:
        raise IndexError(f"rows {rows} are out of range: there are {n}")
    return (rows.start, rows.stop) if len(rows) else (0, 0)
