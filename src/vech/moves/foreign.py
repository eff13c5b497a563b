"""SciPy's sparse arrays as they come in: judged here, before SciPy or a kernel trusts what they say.

SciPy judges them when they are made, not after their arrays were changed; where the last pointer is not
positive its full check sees nothing, and its compiled code then writes outside of its memory.
"""

import sys
from collections.abc import Iterable
from itertools import chain
from types import SimpleNamespace
from typing import Any

import numpy as np

from vech.arrays import Array, as_array
from vech.maps import check_mapped

EMPTY_ROWS = 16
"""For each number: where there are more, only pairs take no memory for them."""


def judged(matrix: Any) -> Any:
    """A sparse matrix whose arrays are what its shape says; ValueError, TypeError naming what is not.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix, shape (rows, columns)
        Of any format. What has its fields will do, so a file is judged before SciPy makes a matrix of it.

    Returns
    -------
    matrix
        Itself, of CSR, CSC, BSR and COO; DIA, LIL and DOK as COO, and BSR of blocks that are larger than what
        is in them.

    Notes
    -----
    Compares pointers once, and finds the largest and smallest index.
    """
    _check_format(matrix)
    if len(matrix.shape) != 2:
        raise ValueError(
            f"a sparse array has shape {matrix.shape}, and a matrix has rows and columns: reshape(1, -1) "
            f"makes one row of it"
        )
    pairs = matrix
    if (pairs_of := PAIRS.get(matrix.format)) is not None:
        pairs = pairs_of(matrix)
    elif matrix.format != "coo":
        _judge_compressed(matrix)
        if matrix.format != "bsr" or max(matrix.shape) <= EMPTY_ROWS * matrix.data.size:
            return matrix
        pairs = _spread(matrix)
    _judge_pairs(pairs)
    if pairs is matrix:
        return matrix
    from scipy.sparse import coo_array

    return coo_array((pairs.data, pairs.coords), shape=pairs.shape)


def judged_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a function of SciPy, each sparse matrix among them judged."""
    sparse = sys.modules.get("scipy.sparse")
    if sparse is None:
        return options
    return {name: judged(value) if sparse.issparse(value) else value for name, value in options.items()}


def _check_format(matrix: Any) -> None:
    """That of its class: SciPy's methods go by the class."""
    made = getattr(type(matrix), "_format", matrix.format)
    if matrix.format != made or made not in FORMATS:
        raise ValueError(
            f"format is {matrix.format!r}, and must be that of its class, one of {', '.join(FORMATS)}"
        )


def _judge_compressed(matrix: Any) -> None:
    """CSR, CSC, or BSR, whose rows are rows of blocks. There may be room behind the numbers."""
    data, indptr, indices = matrix.data, matrix.indptr, matrix.indices
    rows, columns = matrix.shape
    if matrix.format == "bsr":
        _check_vector("data", data, 3)
        height, width = data.shape[1:]
        if not (height and width) or rows % height or columns % width:
            raise ValueError(
                f"blocks of shape {(height, width)} do not fill a matrix of shape {matrix.shape}"
            )
        rows, columns = rows // height, columns // width
    else:
        _check_vector("data", data, 1)
        rows, columns = (columns, rows) if matrix.format == "csc" else (rows, columns)
    _check_integers("indptr", indptr)
    _check_integers("indices", indices)
    if indptr.size != rows + 1:
        raise ValueError(f"indptr has {indptr.size} numbers, and {rows + 1} are needed")
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        row = int(falls.argmax())
        raise ValueError(
            f"indptr falls from {indptr[row]} to {indptr[row + 1]}: a row begins where the last one ends"
        )
    first, count, held = int(indptr[0]), int(indptr[-1]), min(indices.size, len(data))
    if first != 0 or count > held:
        raise ValueError(
            f"indptr runs from {first} to {count}, and must run from 0 to at most the {held} stored"
        )
    if (at := _outside(indices[:count], columns)) is not None:
        raise ValueError(f"indices[{at}] is {indices[at]}, and must be 0 to {columns - 1}")


def _judge_pairs(matrix: Any) -> None:
    _check_vector("data", matrix.data, 1)
    if not isinstance(matrix.coords, tuple) or len(matrix.coords) != 2:
        raise ValueError(f"coords is {type(matrix.coords).__name__}, and must be a tuple of two arrays")
    for name, places in zip(("row", "col"), matrix.coords, strict=True):
        _check_integers(name, places)
        if places.size != matrix.data.size:
            raise ValueError(f"{name} has {places.size} numbers, and data has {matrix.data.size}")
    for places, side in zip(matrix.coords, matrix.shape, strict=True):
        if (k := _outside(places, side)) is not None:
            i, j = (axis[k] for axis in matrix.coords)
            rows, columns = matrix.shape
            raise ValueError(
                f"entry {k} is at ({i}, {j}), which is not in a matrix of {rows} rows and {columns} columns"
            )


def _diagonals(matrix: Any) -> Any:
    """The pairs of a DIA matrix. SciPy counts its rows one by one, and wraps far offsets around 32 bits."""
    data, offsets, (rows, columns) = matrix.data, matrix.offsets, matrix.shape
    _check_vector("data", data, 2)
    _check_integers("offsets", offsets)
    if len(data) != offsets.size or np.unique(offsets).size != offsets.size:
        raise ValueError(
            f"{len(data)} diagonals have the offsets {offsets.tolist()[:6]}: each needs one of its own"
        )
    beside = (offsets <= -rows) | (offsets >= columns)
    data, offsets = data[~beside, :columns], offsets[~beside].astype(np.int64)
    k, column = np.nonzero(data)
    row = column - offsets[k]
    inside = (row >= 0) & (row < rows)
    coords = (row[inside], column[inside])
    return SimpleNamespace(format="coo", shape=matrix.shape, coords=coords, data=data[k, column][inside])


def _spread(matrix: Any) -> Any:
    """The pairs of a BSR matrix, judged."""
    data, count = matrix.data, int(matrix.indptr[-1])
    height, width = data.shape[1:] if data.size else (0, 0)
    blocks = np.repeat(np.arange(matrix.indptr.size - 1), np.diff(matrix.indptr)), matrix.indices[:count]
    row, column = (block.astype(np.int64)[:, None, None] for block in blocks)
    rows, columns = row * height + np.arange(height)[:, None], column * width + np.arange(width)
    coords = tuple(np.broadcast_to(axis, (count, height, width)).ravel() for axis in (rows, columns))
    return SimpleNamespace(format="coo", shape=matrix.shape, coords=coords, data=data[:count].ravel())


def _listed(matrix: Any) -> Any:
    """The pairs of a LIL matrix, whose lists anybody may have changed."""
    _check_plain("rows", matrix.rows, 1)
    _check_plain("data", matrix.data, 1)
    counts = [len(row) for row in matrix.rows]
    if len(counts) != matrix.shape[0] or counts != [len(numbers) for numbers in matrix.data]:
        raise ValueError("rows and data are lists of different lengths: each number needs its place")
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = _indices(chain.from_iterable(matrix.rows), rows.size)
    data = np.fromiter(chain.from_iterable(matrix.data), matrix.dtype, rows.size)
    return SimpleNamespace(format="coo", shape=matrix.shape, coords=(rows, columns), data=data)


def _keyed(matrix: Any) -> Any:
    """The pairs of a DOK matrix."""
    places = _indices(chain.from_iterable(matrix.keys()), 2 * len(matrix.keys())).reshape(-1, 2)
    data = np.fromiter(matrix.values(), matrix.dtype, len(places))
    return SimpleNamespace(format="coo", shape=matrix.shape, coords=(places[:, 0], places[:, 1]), data=data)


PAIRS = {"dia": _diagonals, "lil": _listed, "dok": _keyed}
FORMATS = ("csr", "csc", "bsr", "coo", *PAIRS)


def _indices(integers: Iterable[Any], count: int) -> Array:
    try:
        return np.fromiter(integers, np.int64, count)
    except OverflowError as error:
        raise ValueError(f"an index is beyond 64 bits: {error}") from None


def _check_vector(name: str, array: Any, ndim: int) -> None:
    _check_plain(name, array, ndim)
    if array.dtype.kind == "O":
        as_array(array, name)


def _check_plain(name: str, array: Any, ndim: int) -> None:
    if not isinstance(array, list | tuple) and type(array) is not np.ndarray:
        as_array(array, name)
    check_mapped(array)
    if not isinstance(array, np.ndarray) or array.ndim != ndim:
        came = f"shape {array.shape}" if isinstance(array, np.ndarray) else f"type {type(array).__name__}"
        raise ValueError(f"{name} has {came}, and must be an array of {ndim} dimensions")


def _check_integers(name: str, array: Any) -> None:
    _check_vector(name, array, 1)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, not {array.dtype}")


def _outside(places: Array, side: int) -> int | None:
    """The first of these that is no place along a side."""
    if not places.size or 0 <= places.min() <= places.max() < side:
        return None
    return int(((places < 0) | (places >= side)).argmax())
