"""SparseHalf: the store of a sparse matrix, one triangle of it as CSR arrays."""

import operator
from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import (
    Array,
    as_array,
    check_memory,
    check_out,
    extension,
    family,
    resolve_kind,
    resolve_threads,
)
from vech.dialects import AnyLayout, as_layout
from vech.indexing import consecutive
from vech.layout import Layout, one_of
from vech.moves import convert
from vech.packed import Packed
from vech.scan import Triangle, scipy_array, sparse_dtype
from vech.store import Store, as_labels

TRIANGLES = ("lower", "upper")


class SparseHalf(Store):
    """A sparse symmetric, Hermitian or skew matrix, held as one triangle in CSR form.

    Parameters
    ----------
    indptr : array of integers, shape (n + 1,)
        Where each row begins in the other two; held as it is, without a copy, as are they.
    indices : array of integers, shape (nnz,)
        The column of each number: ascending within a row, none twice, all within the triangle.
    data : array, shape (nnz,)
        The numbers, of a dtype that SciPy's sparse arrays have (no float16, bfloat16 or dates). Only foreign
        byte orders are copied.
    n : int
        The side of the matrix.
    triangle : {"lower", "upper"}
        Which triangle the arrays hold, with its diagonal.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    labels : sequence, optional
        One label for each row.

    Raises
    ------
    ValueError
        If the arrays are not one triangle in CSR form (the row is named), if there is not one label per row,
        or an argument is none of its choices.
    TypeError
        For arrays and dtypes refused, indices that are not integers, and skew numbers without a sign.

    Notes
    -----
    The lower triangle by rows is the upper one by columns: the arrays of a CSC matrix fit as they are, with
    the other triangle's name (conjugated or negated where the kind asks for it). Numbers that are zero may be
    stored, and stay. Products use the real part of a Hermitian diagonal, the imaginary part of a
    skew-Hermitian one, and zero for a skew one.

    Examples
    --------
    >>> import numpy as np
    >>> S = SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1.0, 2.0, 4.0, 6.0], 3, triangle="lower")
    >>> S
    SparseHalf(n=3, dtype=float64, kind='symmetric', triangle='lower', nnz=4)
    >>> S.expand()
    array([[1., 2., 4.],
           [2., 0., 0.],
           [4., 0., 6.]])
    >>> S @ np.ones(3)
    array([ 7.,  2., 10.])
    """

    __slots__ = ("_data", "_indices", "_indptr", "_kind", "_labels", "_n", "_triangle")

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
        self._indptr, self._indices = _integers(indptr, "indptr"), _integers(indices, "indices")
        data = as_array(data, "data")
        self._data = data.astype(sparse_dtype(data.dtype), copy=False)
        self._n = _side(n)
        one_of("triangle", triangle, TRIANGLES)
        self._triangle = triangle
        self._kind = resolve_kind(kind, self._data.dtype, moves=False)
        _check_triangle(self._indptr, self._indices, self._data, self._n, triangle)
        self._labels = as_labels(labels, self._n)

    @property
    def indptr(self) -> Array:
        """Where each row begins in `indices` and `data`, shape (n + 1,): what was given, not a copy."""
        return self._indptr

    @property
    def indices(self) -> Array:
        """The column of each number, shape (nnz,): what was given, not a copy."""
        return self._indices

    @property
    def data(self) -> Array:
        """The numbers, shape (nnz,): what was given, not a copy."""
        return self._data

    @property
    def triangle(self) -> str:
        """Which triangle the arrays hold: "lower" or "upper"."""
        return self._triangle

    @property
    def nnz(self) -> int:
        """The numbers stored."""
        return self._data.size

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""
        return self._data.dtype

    @property
    def kind(self) -> str:
        """What the other triangle is: "symmetric", "hermitian", "skew" or "skew-hermitian"."""
        return self._kind

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    @property
    def nbytes(self) -> int:
        """Bytes of the three arrays."""
        return self._indptr.nbytes + self._indices.nbytes + self._data.nbytes

    @property
    def T(self) -> Self:
        """The transposed matrix: this store itself if symmetric, else its numbers conjugated or negated."""
        return self if self._kind == "symmetric" else self._like(self._stored().other().data)

    @property
    def H(self) -> Self:
        """The conjugate transpose: this store itself if Hermitian, else its numbers conjugated or negated."""
        if self._kind == "hermitian":
            return self
        return self.T if family(self.dtype) != "c" else self._like(self.T._data.conj())

    def __repr__(self) -> str:
        return (
            f"SparseHalf(n={self.n}, dtype={self.dtype}, kind={self.kind!r}, triangle={self.triangle!r}, "
            f"nnz={self.nnz})"
        )

    def copy(self) -> Self:
        """The same matrix in arrays of its own."""
        arrays = (self._indptr.copy(), self._indices.copy(), self._data.copy())
        return type(self)(*arrays, self._n, triangle=self._triangle, kind=self._kind, labels=self._labels)

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array."""
        diagonal = np.zeros(self._n, self.dtype)
        stored = self._stored()
        on = stored.indices == stored.runs()
        diagonal[stored.indices[on]] = stored.data[on]
        return diagonal

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some consecutive rows of it; see `vech.Packed.expand`.

        Examples
        --------
        >>> SparseHalf([0, 1, 2], [0, 0], [1, 2], 2, triangle="lower").expand(slice(1, 2))
        array([[2, 0]])
        """
        start, stop = (0, self._n) if rows is None else consecutive(rows, self._n)
        shape = (stop - start, self._n)
        resolve_threads(threads, self.nbytes)
        if out is None:
            needed = shape[0] * shape[1] * self.dtype.itemsize
            check_memory(
                needed, "keep it sparse (to_csr), take some rows at a time, or pass out= a memory map"
            )
            out = np.zeros(shape, self.dtype)
        else:
            check_out(out, shape, self.dtype, self._indptr, self._indices, self._data)
            out[...] = np.zeros(1, self.dtype)
        stored = self._stored()
        runs, columns = stored.runs(), stored.indices
        inside = (runs >= start) & (runs < stop)
        out[runs[inside] - start, columns[inside]] = stored.data[inside]
        inside = (columns >= start) & (columns < stop) & (columns != runs)
        out[columns[inside] - start, runs[inside]] = stored.chosen(inside).mirrored_data()
        return out

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with a vector, a matrix or a batch of matrices; see `vech.Packed.matmul`.

        Takes time and memory in proportion to the numbers stored. What is not stored is not multiplied: an
        infinity in x meets only the numbers stored in its row.

        Examples
        --------
        >>> import numpy as np
        >>> SparseHalf([0, 1, 2], [0, 0], [1, 2], 2, triangle="lower").matmul(np.array([1, 10]))
        array([21,  2])
        """
        x = as_array(x, "x")
        n = self._n
        if x.ndim == 0 or (x.shape[-2] if x.ndim > 1 else x.size) != n:
            raise ValueError(
                f"x has shape {x.shape}, but the product needs {n} rows: ({n},) or (..., {n}, m)"
            )
        dtype = np.matmul(np.zeros((1, 1), self.dtype), np.zeros((1, 1), x.dtype)).dtype
        resolve_threads(threads, self.nbytes)
        if out is not None:
            check_out(out, x.shape, dtype, x, self._data)
        flat = x if x.ndim < 3 else np.moveaxis(x, -2, 0).reshape(n, x.size // max(1, n))
        if extension(x.dtype):
            flat = flat.astype(np.float32)
        product = self._multiply(flat).astype(dtype, copy=False)
        if x.ndim > 2:
            product = np.moveaxis(product.reshape(n, *x.shape[:-2], x.shape[-1]), 0, -2)
        if out is None:
            return product
        out[...] = product
        return out

    def _multiply(self, x: Array) -> Array:
        """The stored triangle times x, and the other triangle, which has no diagonal, times x."""
        stored = self._stored()
        off = stored.indices != stored.runs()
        strict = stored.chosen(off)
        other = replace(strict, data=strict.mirrored_data())
        if self._kind == "skew":
            stored = strict
        elif self._kind != "symmetric":
            settled = stored.data.copy()
            part = settled.imag if self._kind == "hermitian" else settled.real
            part[~off] = 0
            stored = replace(stored, data=settled)
        own, mirrored = (scipy_array("csr", t.indptr, t.indices, t.data) for t in (stored, other))
        return np.asarray(own @ x + mirrored.T @ x)

    def to_coo(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The numbers stored as a ``scipy.sparse.coo_array``, sorted by rows: see `vech.to_coo`."""
        return self._to_scipy("coo", part, threads)

    def to_csr(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The numbers stored as a ``scipy.sparse.csr_array``, zeros among them too: see `vech.to_csr`."""
        return self._to_scipy("csr", part, threads)

    def to_csc(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The numbers stored as a ``scipy.sparse.csc_array``, zeros among them too: see `vech.to_csc`."""
        return self._to_scipy("csc", part, threads)

    def to_frame(self) -> Any:
        """Expands the matrix into a ``pandas.DataFrame``, its labels on both axes; it needs pandas."""
        from vech.adapters.pandas import to_frame

        return to_frame(self)

    def to_packed(self, layout: str | AnyLayout = "vech") -> Packed:
        """The same matrix with all its zeros, as a `Packed`.

        Parameters
        ----------
        layout : str or Layout
            The layout of its half.

        Raises
        ------
        ValueError
            If a diagonal that the layout leaves out is not exactly what it says.
        TypeError, OverflowError
            If the layout scales integers, or a finite number beyond its dtype.
        MemoryError
            If the half is larger than memory and swap together, before anything is allocated.

        Examples
        --------
        >>> SparseHalf([0, 0, 1], [0], [7], 2, triangle="lower").to_packed().half
        array([0, 7, 0])
        """
        layout = as_layout(layout)
        plain = layout.plain
        length = plain.length(self._n)
        check_memory(length * self.dtype.itemsize, "keep it sparse")
        stored = self._stored()
        runs, columns = stored.runs(), stored.indices.astype(np.int64)
        data = stored.data if self._triangle == plain.triangle else stored.other().data
        half = np.zeros(length, self.dtype)
        half[plain.slot(np.minimum(runs, columns), np.maximum(runs, columns), self._n)] = data
        if layout != plain:
            in_place = half if isinstance(layout, Layout) and layout.implied is None else None
            half = convert(half, plain, layout, kind=self._kind, out=in_place)
        return Packed(half, layout, kind=self._kind, labels=self._labels)

    def _like(self, data: Array) -> Self:
        """The same store of other numbers of its dtype, without judging the arrays again."""
        store = copy(self)
        store._data = data
        return store

    def _stored(self) -> Triangle:
        """The arrays as kernels take them; judged again, since their owner may have changed them."""
        _check_triangle(self._indptr, self._indices, self._data, self._n, self._triangle)
        return Triangle(
            np.ascontiguousarray(self._indptr, np.int64),
            np.ascontiguousarray(self._indices, np.int32),
            np.ascontiguousarray(self._data),
            self._triangle == "lower",
            True,
            self._kind,
        )

    def _to_scipy(self, format: str, part: str, threads: int | None) -> Any:
        stored = self._stored()
        if part != "full":  # which may be these very arrays
            stored = replace(stored, indices=stored.indices.copy(), data=stored.data.copy())
        return stored.to_scipy(format, part, threads)


def _integers(values: ArrayLike, what: str) -> Array:
    array = as_array(values, what)
    if array.ndim != 1:
        raise ValueError(f"{what} has shape {array.shape}: it must be a vector")
    if array.size == 0 and not isinstance(values, np.ndarray):
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what} must hold integers, not {array.dtype}")
    return array


def _side(n: object) -> int:
    try:
        side = operator.index(n)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"n must be an integer, not {n!r}") from None
    if not 0 <= side < 2**31:
        raise ValueError(f"n = {side} is out of range: the side of a sparse half is 0 to {2**31 - 1}")
    return side


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
    rows = np.repeat(np.arange(n), np.diff(indptr))
    outside = (indices < 0) | (indices > rows) if triangle == "lower" else (indices < rows) | (indices >= n)
    if outside.any():
        k = outside.argmax()
        raise ValueError(
            f"row {rows[k]} holds column {indices[k]}, which is not in the {triangle} triangle for n = {n}: "
            f"scipy.sparse.{'tril' if triangle == 'lower' else 'triu'} takes that of a full matrix"
        )
    unsorted = (indices[1:] <= indices[:-1]) & (rows[1:] == rows[:-1])
    if unsorted.any():
        k = unsorted.argmax()
        raise ValueError(
            f"columns of row {rows[k]} do not ascend: {indices[k + 1]} follows {indices[k]} "
            f"(sum_duplicates() of a SciPy matrix sorts its columns and sums those that occur twice)"
        )
