"""Whole sparse matrices: whether they are symmetric, and one triangle of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import INT32_MAX, Array, Dtype, epsilon, resolve_threads
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import Layout, one_of
from vech.moves.judging import check_use, contradiction
from vech.moves.nonzeros import Compressed, as_square, canonical
from vech.moves.recipe import Recipe, packing
from vech.moves.rounding import largest, mean, worst
from vech.sparse.arrays import TRIANGLES
from vech.sparse.pattern import Indices, compressed, mirrored, turned, union


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

    def cut(self, name: str, kind: Kind, threads: int) -> Compressed:
        """The lower or upper triangle with its diagonal, compressed as the whole is."""
        grow = (name == "lower") == self.by_rows
        indptr, indices, data = _core.cut(self.indptr, self.indices, self.data, self.side, grow, threads)
        return Compressed(indptr, indices, data.view(self.data.dtype), grow, self.by_rows, kind)

    def asymmetry(self, kind: Kind, tolerance: float, threads: int) -> tuple[int, int] | None:
        """The first place of the lower triangle whose number is beyond `tolerance` of its mirror image."""
        arrays = (self.indptr, self.indices, self.data, self.side)
        return _core.asymmetry(*arrays, kind.conjugates, kind.negates, tolerance, threads)

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
    vech.SparseHalf.from_sparse : names the worst place where a matrix is not what it should be.

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
) -> Compressed:
    """One triangle of a whole matrix by rows, after `use` has been obeyed."""
    one_of("triangle", triangle, TRIANGLES)
    kind = resolve_kind(kind, full.data.dtype, moves=False)
    recipe = packing(Layout(triangle, "rows"), kind, full.data.dtype)
    count = resolve_threads(threads, full.data.nbytes)
    exact = judge(full, recipe, use, tolerance, count)
    if use == "mean":
        return mean_of(full, recipe, count)[0]
    own = _by_rows(full.cut(believed(recipe, use), kind, count), triangle, count)
    with np.errstate(invalid="ignore"):  # signalling NaN
        if use != "both" or (exact and bool(full.data.all())):  # then both triangles hold the same places
            return own
    return _with_places(own, _by_rows(full.cut(_other(triangle), kind, count), triangle, count))


def believed(recipe: Recipe, use: str) -> str:
    """The triangle whose numbers are kept."""
    return use if use in TRIANGLES else recipe.layout.triangle


def mean_of(full: Whole, recipe: Recipe, threads: int) -> tuple[Compressed, bool]:
    """The mean of both triangles by rows, scaled for the layout; whether a finite number became infinite."""
    held, a, b = _both(full, recipe, threads)
    diagonal = np.flatnonzero(held.indices == held.runs())
    infinite = mean(a, b, a, diagonal, recipe.scaling.off, recipe.scaling.on)
    return replace(held, data=a[0]), infinite


def judge(full: Whole, recipe: Recipe, use: str, tolerance: float | None, threads: int) -> bool:
    """ValueError for numbers that are not each other's mirror image, naming the worst, if `use` compares.

    Returns whether they are exactly.
    """
    check_use(use, tolerance, recipe)
    if use != "both":
        return False
    if recipe.negates:
        _refuse_smallest(full, recipe.kind)
    triangular = recipe.kind is Kind.TRIANGULAR
    if not triangular and full.asymmetry(recipe.kind, tolerance or 0.0, threads) is None:
        return not tolerance
    bound = default_tolerance(full.data, full.n) if tolerance is None else float(tolerance)
    if triangular or bound == 0 or full.asymmetry(recipe.kind, bound, threads) is not None:
        _refuse_worst(full, recipe, bound, threads)
    return False


def default_tolerance(numbers: Array, n: int) -> float:
    """n eps max|A| over the finite numbers, 0 for exact ones."""
    return n * epsilon(numbers.dtype) * float(largest(numbers[None])[0])


def _other(triangle: str) -> str:
    return TRIANGLES[1 - TRIANGLES.index(triangle)]


def _by_rows(half: Compressed, triangle: str, threads: int) -> Compressed:
    """The numbers of one triangle by rows, mirrored where they are wanted in the other."""
    if not half.by_rows:
        half = half.other()
    return half if half.name == triangle else turned(half, threads)


def _with_places(own: Compressed, other: Compressed) -> Compressed:
    """The numbers of one, and zeros at the places that only the other holds."""
    both = union(own, other)
    if both.left.all():
        return own
    data = np.zeros(both.indices.size, own.data.dtype)
    data[both.left] = own.data
    return replace(own, indptr=both.indptr, indices=both.indices, data=data)


def _both(full: Whole, recipe: Recipe, threads: int) -> tuple[Compressed, Array, Array]:
    """The places of both triangles, in the layout's own and by rows, and the two numbers that each has.

    Of a triangular matrix only the diagonal has two that agree, what is in the other triangle should be zero.
    """
    kind, triangle = recipe.kind, recipe.layout.triangle
    mirror = Kind.SYMMETRIC if kind is Kind.TRIANGULAR else kind
    own, other = (
        _by_rows(full.cut(source, mirror, threads), triangle, threads)
        for source in (triangle, _other(triangle))
    )
    on = other.indices == other.runs()
    other.data[on] = mirror.mirror(other.data[on])
    both = union(own, other)
    a, b = np.zeros((2, 1, both.indices.size), full.data.dtype)
    b[0, both.right] = other.data
    if kind is not Kind.TRIANGULAR:
        a[0, both.left] = own.data
    else:
        on = both.indices == np.repeat(np.arange(full.side), np.diff(both.indptr))
        a[0, on] = b[0, on]
    return replace(own, indptr=both.indptr, indices=both.indices), a, b


def _refuse_smallest(full: Whole, kind: Kind) -> None:
    """OverflowError for the integer without a negative, off the diagonal."""
    smallest = full.data == np.iinfo(full.data.dtype).min
    if smallest.any():
        rows, columns = (axis[smallest] for axis in full.pairs())
        off = rows != columns
        mirrored(rows[off], columns[off], full.data[smallest][off], kind)


def _refuse_worst(full: Whole, recipe: Recipe, bound: float, threads: int) -> None:
    held, a, b = _both(full, recipe, threads)
    found = worst(a, b, np.array([bound]))
    if found is None:
        return
    i, j = int(held.runs()[found[1]]), int(held.indices[found[1]])
    here, there = full.number(i, j), full.number(j, i)
    rows, columns = full.pairs()
    below, above = bool((rows > columns).any()), bool((rows < columns).any())
    if full.places is not None:
        i, j = int(full.places[i]), int(full.places[j])
    own = TRIANGLES[0 if below else 1] if below != above and i != j else None
    raise contradiction(recipe, i, j, here, there, own=own)


# ---------------------------------------------------------------- whole matrices from what users have


def whole(matrix: Any) -> Whole:
    """A square SciPy sparse matrix in canonical form; what is in it already is not copied."""
    matrix, dtype = as_square(matrix)
    n = matrix.shape[0]
    if matrix.format == "coo" or n > INT32_MAX:
        coo = matrix.tocoo()
        rows, columns = coo.coords
        return whole_of_pairs(rows, columns, coo.data.astype(dtype, copy=False), n)
    full = _canonical(matrix, dtype) if matrix.format in ("csr", "csc") else None
    if full is None:
        full = _canonical(canonical(matrix, dtype), dtype)
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
    if n > INT32_MAX:
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
