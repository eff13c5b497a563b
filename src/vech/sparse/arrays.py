"""The three arrays of a sparse half, checked: what every part of `SparseHalf` stands on."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from inspect import isfunction
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core, arrays
from vech.arrays import Array, as_array, check_memory, family
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import as_side, one_of
from vech.maps import check_mapped
from vech.moves.nonzeros import Compressed, sparse_dtype
from vech.store import Description, Store, as_labels

TRIANGLES = ("lower", "upper")


class Arrays(Store):
    """One triangle as CSR arrays, held as they are given.

    Of a matrix with far more rows than numbers the arrays are those of the rows and columns that hold any:
    `_places` says which these are, in ascending order, so that the triangle stays the same.
    """

    # Not `_data`, which numpy.ma takes for the matrix itself.
    __slots__ = ("_indices", "_indptr", "_kind", "_known", "_labels", "_n", "_places", "_triangle", "_values")

    def __init_subclass__(cls) -> None:
        """Name the store in errors about arguments, not the part of it that a method is written in."""
        for name, function in [*vars(Arrays).items(), *vars(cls).items()]:
            if isfunction(function):
                function.__qualname__ = f"SparseHalf.{name}"

    def __init__(
        self,
        indptr: ArrayLike,
        indices: ArrayLike,
        data: ArrayLike,
        n: int,
        *,
        triangle: str,
        kind: str | None = None,
        labels: Iterable[Any] | None = None,
    ) -> None:
        self._indptr, self._indices = integers(indptr, "indptr"), integers(indices, "indices")
        data = as_array(data, "data")
        self._values = data.astype(sparse_dtype(data.dtype), copy=False)
        self._n = as_side(n)
        if self._n > arrays.INT32_MAX:
            raise ValueError(
                f"n = {self._n} is out of range: the side of a sparse half is 0 to {arrays.INT32_MAX}, "
                f"and SparseHalf.from_coo takes more rows, of which most are empty"
            )
        one_of("triangle", triangle, TRIANGLES)
        self._triangle = triangle
        self._kind = resolve_kind(kind, self._values.dtype, moves=False)
        self._places: NDArray[np.int64] | None = None
        _check_triangle(self._indptr, self._indices, self._values, self._n, triangle)
        self._labels = as_labels(labels, self._n)

    @property
    def indptr(self) -> Array:
        """Where each row begins in `indices` and `data`, shape (n + 1,): what was given, not a copy.

        Of a matrix with far more rows than numbers this is made anew, with 8 bytes for each row.
        """
        if self._places is None:
            return self._indptr
        check_memory(8 * (self._n + 1), "coo arrays (to_coo) take no memory for empty rows")
        indptr = np.zeros(self._n + 1, np.int64)
        indptr[self._places + 1] = np.diff(self._indptr)
        return np.cumsum(indptr, out=indptr)

    @property
    def indices(self) -> Array:
        """The column of each number, shape (nnz,): what was given, not a copy.

        Of a matrix with far more rows than numbers this is made anew.
        """
        return self._indices if self._places is None else self._places[self._indices]

    @property
    def data(self) -> Array:
        """The numbers, shape (nnz,): what was given, not a copy."""
        return self._values

    @property
    def triangle(self) -> str:
        """Which triangle the arrays hold: "lower" or "upper"."""
        return self._triangle

    @property
    def nnz(self) -> int:
        """The numbers stored."""
        return self._values.size

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""
        return self._values.dtype

    @property
    def kind(self) -> Kind:
        """What the other triangle is: "symmetric", "hermitian", "skew" or "skew-hermitian"."""
        return self._kind

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        store = copy(self)
        store._labels = labels
        return store

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that hold the matrix."""
        held = (self._indptr, self._indices, self._values)
        return sum(array.nbytes for array in held) + (0 if self._places is None else self._places.nbytes)

    @property
    def T(self) -> Self:
        """The transposed matrix: this store itself if symmetric, else its numbers conjugated or negated."""
        return self if self._kind is Kind.SYMMETRIC else self._like(self._stored().other().data)

    @property
    def H(self) -> Self:
        """The conjugate transpose: this store itself if Hermitian, else its numbers conjugated or negated."""
        if self._kind is Kind.HERMITIAN:
            return self
        return self.T if family(self.dtype) != "c" else self._like(self.T._values.conj())

    def describe(self) -> Description:
        """What the arrays hold, and which triangle they are: see `vech.Store.describe`.

        Returns
        -------
        Description

        Examples
        --------
        >>> str(vech.SparseHalf([0, 1, 2], [0, 0], [1, 2], 2, triangle="lower").describe())
        "n=2, dtype=int64, kind='symmetric', triangle='lower', nnz=2"
        """
        return super().describe()._replace(triangle=self._triangle, nnz=self.nnz)

    def copy(self) -> Self:
        """The same matrix in arrays of its own.

        Returns
        -------
        SparseHalf

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower")
        >>> twin = S.copy()
        >>> twin.data[0] = 9
        >>> S.data
        array([1, 2, 3])
        """
        copied = self._like(self._values.copy())
        copied._indptr, copied._indices = self._indptr.copy(), self._indices.copy()
        return copied

    @classmethod
    def _of(
        cls,
        held: Compressed,
        *,
        labels: Iterable[Any] | None = None,
        places: NDArray[np.int64] | None = None,
        n: int | None = None,
    ) -> Self:
        """The store of what is known to be a triangle, of `n` rows where it has only those at `places`."""
        if not held.by_rows:
            held = held.other()
        store = object.__new__(cls)
        store._indptr, store._indices, store._values = held.indptr, held.indices, held.data
        store._n = held.n if n is None else n
        store._triangle, store._kind, store._places = held.name, held.kind, places
        store._labels = as_labels(labels, store._n)
        return store

    def _like(self, data: Array) -> Self:
        """The same store of other numbers of its dtype, without judging the arrays again."""
        store = copy(self)
        store._values = data
        return store

    def _again(self, held: Compressed) -> Self:
        """Another matrix of the same rows."""
        return self._of(held, labels=self._labels, places=self._places, n=self._n)

    def _stored(self, *, judge: bool = True) -> Compressed:
        """The arrays as kernels take them; judged again, since their owner may have changed them.

        Of a matrix with `_places`: the rows and columns at these alone.
        """
        for held in (self._indptr, self._indices, self._values):
            if held.base is not None:
                check_mapped(held)
        if judge or self._indices.dtype != np.int32:
            _check_triangle(self._indptr, self._indices, self._values, self._side, self._triangle)
        pointers = np.int32 if self._indptr.dtype == np.int32 and not judge else np.int64
        return Compressed(
            np.ascontiguousarray(self._indptr, pointers),
            np.ascontiguousarray(self._indices, np.int32),
            np.ascontiguousarray(self._values),
            self._triangle == "lower",
            True,
            self._kind,
        )

    @property
    def _plans(self) -> dict[int, NDArray[np.int64]]:
        """By the bytes of a number, how products cut the rows into shares, as the first one found it.

        Where the arrays have changed since, the product sees it, and plans anew.
        """
        if not hasattr(self, "_known"):
            self._known: dict[int, NDArray[np.int64]] = {}
        return self._known

    @property
    def _side(self) -> int:
        """The rows that the arrays are of."""
        return self._n if self._places is None else self._places.size

    def _entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Row, column and number of each that is stored."""
        held = self._stored()
        rows, columns = held.runs(), held.indices.astype(np.int64)
        if self._places is not None:
            rows, columns = self._places[rows], self._places[columns]
        return rows, columns, held.data


def integers(values: ArrayLike, what: str) -> Array:
    """A vector of integers."""
    array = as_array(values, what)
    if array.ndim != 1:
        raise ValueError(f"{what} has shape {array.shape}: it must be a vector")
    if array.size == 0 and not isinstance(values, np.ndarray):
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} must hold integers, not {array.dtype}")
    return array


def _check_triangle(indptr: Array, indices: Array, data: Array, n: int, triangle: str) -> None:
    """ValueError, naming a row, for what is not one triangle in canonical CSR form."""
    if indptr.size != n + 1:
        raise ValueError(f"indptr has {indptr.size} numbers, but {n + 1} are needed for n = {n}")
    if data.shape != indices.shape:
        raise ValueError(f"data has shape {data.shape}, but indices has {indices.shape}")
    if indptr[0] != 0 or indptr[-1] != indices.size:
        raise ValueError(
            f"indptr runs from {indptr[0]} to {indptr[-1]}, but must run from 0 to the {indices.size} stored"
        )
    falls = indptr[1:] < indptr[:-1]
    if falls.any():
        raise ValueError(f"indptr falls at row {falls.argmax()}: a row begins where the one before it ends")
    row = _faulty_row(indptr, indices, n, triangle)
    if row < 0:
        return
    columns = indices[indptr[row] : indptr[row + 1]]
    first, last = (0, row) if triangle == "lower" else (row, n - 1)
    outside = (columns < first) | (columns > last)
    if outside.any():
        raise ValueError(
            f"row {row} holds column {columns[outside][0]}, "
            f"which is not in the {triangle} triangle for n = {n}: "
            f"scipy.sparse.{'tril' if triangle == 'lower' else 'triu'} takes that of a full matrix"
        )
    k = (columns[1:] <= columns[:-1]).argmax()
    raise ValueError(
        f"columns of row {row} do not ascend: {columns[k + 1]} follows {columns[k]} "
        f"(sum_duplicates() of a SciPy matrix sorts its columns and sums those that occur twice)"
    )


def _faulty_row(indptr: Array, indices: Array, n: int, triangle: str) -> int:
    """The first row whose columns do not ascend or are not in the triangle; -1 if there is none."""
    if indices.dtype != np.int32:
        outside = (indices < 0) | (indices >= n)
        if outside.any():
            return int(np.searchsorted(indptr, outside.argmax(), side="right")) - 1
    pointers = np.int32 if indptr.dtype == np.int32 else np.int64
    arrays_ = np.ascontiguousarray(indptr, pointers), np.ascontiguousarray(indices, np.int32)
    return _core.fault(*arrays_, n, "grow" if triangle == "lower" else "shrink")
