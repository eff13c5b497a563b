"""Whole sparse matrices: whether they are symmetric, and one triangle of them."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import INT32_MAX, Array, Dtype, epsilon, mirror_values, resolve_kind, resolve_threads
from vech.layout import Layout, one_of
from vech.moves import AsymmetryError, check_use, packing
from vech.scan import Triangle, as_square, refuse_wrapped
from vech.sparse.arrays import TRIANGLES
from vech.sparse.pattern import Indices, compressed, mirrored, turned, union
from vech.values import largest, mean

AS_THEY_ARE = (1.0, 1.0)
NOWHERE = np.zeros(0, np.int64)


class Whole(NamedTuple):
    """A whole matrix in canonical form, by rows or by columns; the arrays may be those of the user.

    Of n rows and columns, or of those at `places` where these are not None.
    """

    indptr: Array
    indices: Array
    data: Array
    by_rows: bool
    n: int
    places: Indices | None = None

    @property
    def side(self) -> int:
        """The rows that the arrays are of."""
        return self.indptr.size - 1

    def cut(self, name: str, kind: str, threads: int) -> Triangle:
        """The lower or upper triangle with its diagonal, compressed as the whole is."""
        grow = (name == "lower") == self.by_rows
        indptr, indices, data = _core.cut(self.indptr, self.indices, self.data, self.side, grow, threads)
        return Triangle(indptr, indices, data.view(self.data.dtype), grow, self.by_rows, kind)

    def asymmetry(self, kind: str, tolerance: float, threads: int) -> tuple[int, int] | None:
        """The first place of the lower triangle whose number is not within `tolerance` of its mirror image."""
        rules = kind.endswith("hermitian"), kind.startswith("skew")
        arrays = (self.indptr, self.indices, self.data, self.side)
        return _core.asymmetry(*arrays, *rules, tolerance, threads)

    def pairs(self) -> tuple[Indices, Indices]:
        """Row and column of each number, of `side` rows."""
        runs = np.repeat(np.arange(self.side), np.diff(self.indptr))
        return (runs, self.indices) if self.by_rows else (self.indices, runs)

    def number(self, i: int, j: int) -> Any:
        """The number at one place."""
        run, place = (i, j) if self.by_rows else (j, i)
        start, stop = self.indptr[run : run + 2]
        k = start + np.searchsorted(self.indices[start:stop], place)
        return self.data[k] if k < stop and self.indices[k] == place else self.data.dtype.type(0)


def is_symmetric(matrix: Any, kind: str = "symmetric", *, threads: int | None = None) -> bool:
    """Whether a sparse matrix equals its transpose, exactly.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix, shape (n, n)
        In any of its formats; it is left as it is.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}
        What mirrors what: a_ji is a_ij, its conjugate, its negative, or the negative of its conjugate. Real
        numbers are not changed by conjugation.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Returns
    -------
    bool
        True if each number equals the mirror image of that at the mirrored place, zero where none is stored:
        values and positions count. NaN equals NaN; a zero that is stored equals one that is not.

    Raises
    ------
    ValueError
        If the matrix is not square, its arrays are no matrix, or the kind is unknown.
    TypeError
        For what is not SciPy sparse, dtypes that its arrays do not compute with, and skew numbers without a
        sign.

    See Also
    --------
    vech.SparseHalf.from_sparse : names the first place where a matrix is not what it should be.

    Notes
    -----
    Takes O(nnz + n) time, and stops at the first difference; 8 bytes for each row, and a copy of the matrix
    if it is not CSR or CSC in canonical form.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> is_symmetric(csr_array([[1, 2], [2, 0]])), is_symmetric(csr_array([[1, 2], [0, 2]]))
    (True, False)
    >>> is_symmetric(csr_array([[0, 2], [-2, 0]]), "skew")
    True
    """
    full = whole(matrix)
    kind = resolve_kind(kind, full.data.dtype, moves=False)
    return full.asymmetry(kind, 0.0, resolve_threads(threads, full.data.nbytes)) is None


def triangle_of(
    full: Whole, kind: str | None, use: str, tolerance: float | None, triangle: str, threads: int | None
) -> Triangle:
    """One triangle of a whole matrix by rows, after `use` has been obeyed."""
    one_of("triangle", triangle, TRIANGLES)
    kind = resolve_kind(kind, full.data.dtype, moves=False)
    check_use(use, tolerance, packing(Layout(triangle, "rows"), kind, full.data.dtype))
    count = resolve_threads(threads, full.data.nbytes)
    if use == "both":
        exact = _judge(full, kind, tolerance, count)
        own = _believed(full, triangle, kind, triangle, count)
        with np.errstate(invalid="ignore"):  # signalling NaN
            filled = bool(full.data.all())
        if exact and filled:  # then both triangles hold the same places
            return own
        return _with_places(own, _believed(full, _other(triangle), kind, triangle, count))
    if use == "mean":
        return _mean(full, kind, triangle, count)
    return _believed(full, use if use in TRIANGLES else triangle, kind, triangle, count)


def _believed(full: Whole, source: str, kind: str, triangle: str, threads: int) -> Triangle:
    """The numbers of one triangle, mirrored where they are wanted in the other."""
    half = full.cut(source, kind, threads)
    if not half.by_rows:
        half = half.other()
    return half if half.name == triangle else turned(half, threads)


def _other(triangle: str) -> str:
    return TRIANGLES[1 - TRIANGLES.index(triangle)]


def _with_places(own: Triangle, other: Triangle) -> Triangle:
    """The numbers of one, and zeros at the places that only the other holds."""
    both = union(own, other)
    if both.left.all():
        return own
    data = np.zeros(both.indices.size, own.data.dtype)
    data[both.left] = own.data
    return replace(own, indptr=both.indptr, indices=both.indices, data=data)


def _mean(full: Whole, kind: str, triangle: str, threads: int) -> Triangle:
    own, other = (_believed(full, source, kind, triangle, threads) for source in TRIANGLES)
    on = other.indices == other.runs()
    other.data[on] = mirror_values(other.data[on], kind)
    both = union(own, other)
    a, b = np.zeros((2, 1, both.indices.size), full.data.dtype)
    a[0, both.left], b[0, both.right] = own.data, other.data
    mean(a, b, a, NOWHERE, AS_THEY_ARE, AS_THEY_ARE)
    return replace(own, indptr=both.indptr, indices=both.indices, data=a[0])


def _judge(full: Whole, kind: str, tolerance: float | None, threads: int) -> bool:
    """ValueError for the first number that is not the mirror image of what is at the mirrored place.

    Returns whether each is exactly.
    """
    dtype = full.data.dtype
    if kind == "skew" and dtype.kind == "i":
        smallest = full.data == np.iinfo(dtype).min
        if smallest.any():
            rows, columns = (axis[smallest] for axis in full.pairs())
            off = rows != columns
            mirrored(rows[off], columns[off], full.data[smallest][off], kind)
    place = full.asymmetry(kind, tolerance or 0.0, threads)
    exact = place is None and not tolerance
    if place is not None and tolerance is None and epsilon(dtype):
        bound = full.n * epsilon(dtype) * largest(full.data[None])[0]
        place = full.asymmetry(kind, float(bound), threads)
    if place is not None:
        raise _disagreement(full, kind, *place)
    return exact


def _disagreement(full: Whole, kind: str, i: int, j: int) -> ValueError:
    here, there = full.number(i, j), full.number(j, i)
    rows, columns = full.pairs()
    below, above = bool((rows > columns).any()), bool((rows < columns).any())
    if full.places is not None:
        i, j = int(full.places[i]), int(full.places[j])
    numbers = f"a[{i}, {j}] is {here}" + ("" if i == j else f", but a[{j}, {i}] is {there}")
    own = TRIANGLES[0 if below else 1] if below != above and i != j else None
    return AsymmetryError(f"matrix is not {kind}: {numbers}", own)


# ---------------------------------------------------------------- whole matrices from what users have


def whole(matrix: Any) -> Whole:
    """A square SciPy sparse matrix in canonical form; what is in it already is not copied."""
    matrix, dtype = as_square(matrix)
    n = matrix.shape[0]
    if matrix.format == "coo" or n > INT32_MAX:
        coo = matrix.tocoo()
        rows, columns = coo.coords
        return whole_of_pairs(rows, columns, coo.data.astype(dtype, copy=False), n)
    if matrix.format not in ("csr", "csc", "bsr"):
        matrix = matrix.tocsr()
    elif (full := _canonical(matrix, dtype)) is not None:
        return full
    else:
        matrix = matrix.astype(dtype)  # without its flags, which could be stale
        matrix = matrix.tocsr() if matrix.format == "bsr" else matrix
    rounded = matrix.astype(float) if dtype.kind in "iu" else None
    matrix.sum_duplicates()
    if rounded is not None:
        rounded.sum_duplicates()
        refuse_wrapped(matrix.data, rounded.data)
    full = _canonical(matrix, dtype)
    assert full is not None
    return full


def whole_of_pairs(rows: Array, columns: Array, data: Array, n: int) -> Whole:
    """The matrix of numbers at places in any order, those at one place summed."""
    for axis in (rows, columns):
        if axis.size and not 0 <= axis.min() <= axis.max() < n:
            k = ((axis < 0) | (axis >= n)).argmax()
            raise ValueError(
                f"entry {k} is at ({rows[k]}, {columns[k]}), which is not in a matrix of {n} rows and columns"
            )
    csr, places = compressed(rows, columns, data, n)
    return Whole(*_index_types(csr.indptr, csr.indices), csr.data, True, n, places)


def _canonical(matrix: Any, dtype: Dtype) -> Whole | None:
    """The arrays of a CSR or CSC matrix, or None if they are not canonical."""
    n = matrix.shape[0]
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    if matrix.format == "bsr" or n > INT32_MAX:
        return None
    count = int(indptr[-1])
    indices, data = indices[:count], data[:count]  # there may be room behind
    indptr, indices = _index_types(indptr, indices)
    if _core.fault(indptr, indices, n, "full") >= 0:
        return None
    return Whole(indptr, indices, np.ascontiguousarray(data, dtype), matrix.format == "csr", n)


def _index_types(indptr: Array, indices: Array) -> tuple[Array, Array]:
    pointers = np.int32 if indptr.dtype == np.int32 else np.int64
    return np.ascontiguousarray(indptr, pointers), np.ascontiguousarray(indices, np.int32)
