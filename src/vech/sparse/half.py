"""SparseHalf: the store of a sparse matrix, one triangle of it as CSR arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from numpy.typing import ArrayLike

from vech.arrays import as_array, resolve_threads
from vech.frames import labels_of
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import resolve_kind
from vech.layouts.layout import as_side, one_of
from vech.moves.nonzeros import half_csr, sparse_dtype
from vech.moves.sizes import check_threshold
from vech.sparse.arithmetic import Algebra
from vech.sparse.arrays import TRIANGLES, integers
from vech.sparse.conversions import Conversions
from vech.sparse.exports import Exports
from vech.sparse.index import Selection
from vech.sparse.pattern import turned
from vech.sparse.products import Products
from vech.sparse.whole import Whole, triangle_of, whole, whole_of_pairs


class SparseHalf(Algebra, Selection, Conversions, Products, Exports):
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
    skew-Hermitian one, and zero for a skew one; so does arithmetic.

    ``+ - * / -S abs(S)``, comparisons (which give bool) and, of bool and integers, ``& | ^ ~`` work entry by
    entry with numbers and stores, in NumPy's dtype and in the triangle of the left store; with a `Packed` the
    result is a `Packed`. Sums store every place that either store holds, products and quotients look at what
    is stored alone, comparisons store what is true. A comparison that is true of all that is not stored
    (``S == T``, ``S >= 0``) gives a `Packed` with its n(n+1)/2 truth values, while ``S != T`` stays sparse:
    ``(S != T).nnz == 0`` says that two are equal. Arithmetic that would change what is not stored, such as
    ``S + 1``, is a TypeError. ``S += T`` gives a new store and leaves the arrays as they are. A store has no
    truth value and no hash.

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

    @classmethod
    def from_sparse(
        cls,
        matrix: Any,
        *,
        kind: str | None = None,
        use: str = "both",
        tolerance: float | None = None,
        triangle: str = "lower",
        labels: Iterable[Any] | None = None,
        threads: int | None = None,
    ) -> Self:
        """One triangle of a SciPy sparse matrix.

        Parameters
        ----------
        matrix : SciPy sparse array or matrix, shape (n, n); or data frame of sparse columns
            In any of its formats; duplicates are summed, and it is left as it is. Labels of a frame are kept.
        kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
            What the other triangle is. Symmetric for real data; for complex data it must be said.
        use : {"both", "lower", "upper", "mean"}
            The triangle that is believed, as in `vech.pack`. "both": values and positions must agree, a
            number that is not stored being zero; so half a matrix is not taken for a whole one unless it is
            said to be half, by "lower" or "upper", which do not look at the other triangle. "mean": the mean
            of both.
        tolerance : float, optional
            For use="both": the largest ``|a_ij - mirror(a_ji)|`` that passes. By default n eps max|A| over
            the finite numbers, and 0 for integers and bool.
        triangle : {"lower", "upper"}
            The one to store.
        labels : sequence, optional
            One label for each row.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        SparseHalf
            With arrays of its own, zeros that are stored among them: for "both" and "mean" in whichever
            triangle. Of a matrix given as pairs (COO, DOK) empty rows take no memory where they are most.

        Raises
        ------
        ValueError
            If the triangles differ (the worst place is named, with both numbers), if the matrix is not square
            or its arrays are no matrix, or an argument is none of its choices.
        TypeError
            For what is not SciPy sparse, dtypes refused, the "mean" of integers, skew numbers without a sign,
            and a tolerance where nothing is compared.
        OverflowError
            For the smallest integer in a skew matrix, which has no negative, and duplicates that add up
            beyond the dtype of integers.

        Notes
        -----
        Takes O(nnz + n) time: one pass to compare, one to copy, and a transposition where the triangle to
        store is not the one at hand. Memory beyond the result: 8 bytes for each row, and a copy of the matrix
        if it is not CSR or CSC in canonical form.

        Examples
        --------
        >>> from scipy.sparse import csr_array
        >>> S = SparseHalf.from_sparse(csr_array([[1, 0, 4], [0, 0, 5], [4, 5, 6]]))
        >>> S.nnz, S.data
        (4, array([1, 4, 5, 6]))
        >>> SparseHalf.from_sparse(csr_array([[1, 0, 0], [0, 0, 0], [4, 5, 6]]))
        Traceback (most recent call last):
        vech.moves.judging.AsymmetryError: matrix is not symmetric: a[2, 1] is 5, but a[1, 2] is 0; \
its upper triangle is empty: if the lower one is meant for both, say use='lower'
        """
        labels = labels_of(matrix, -1) if labels is None else labels
        return cls._of_whole(whole(matrix), kind, use, tolerance, triangle, labels, threads)

    @classmethod
    def from_coo(
        cls,
        row: ArrayLike,
        col: ArrayLike,
        data: ArrayLike,
        n: int,
        *,
        kind: str | None = None,
        use: str = "both",
        tolerance: float | None = None,
        triangle: str = "lower",
        labels: Iterable[Any] | None = None,
        threads: int | None = None,
    ) -> Self:
        """One triangle of a matrix given by its numbers and their places, in any order.

        Parameters
        ----------
        row, col : array of integers, shape (count,)
            Where the numbers are.
        data : array, shape (count,)
            The numbers; those at one place are summed.
        n : int
            The side of the matrix, which may exceed 2^31: empty rows take no memory where they are most.
        kind, use, tolerance, triangle, labels, threads
            As in `from_sparse`. With pairs of which each is given once, in either order, put the larger index
            first and say use="lower".

        Returns
        -------
        SparseHalf

        Raises
        ------
        ValueError
            If a place is outside of the matrix, or the vectors differ in length; and as `from_sparse`.
        TypeError
            As `from_sparse`.
        OverflowError
            As `from_sparse`, and if integers at one place add up beyond their dtype.

        Notes
        -----
        Sorts, so takes O(count log count) time at worst; two copies of the numbers and their places.

        Examples
        --------
        >>> S = SparseHalf.from_coo([1, 2, 2], [0, 0, 0], [1, 2, 3], 3, use="lower")
        >>> S.expand()
        array([[0, 1, 5],
               [1, 0, 0],
               [5, 0, 0]])
        >>> SparseHalf.from_coo([2_999_999_999], [0], [1.0], 3_000_000_000, use="lower")
        SparseHalf(n=3000000000, dtype=float64, kind='symmetric', triangle='lower', nnz=1)
        """
        rows, columns, values = integers(row, "row"), integers(col, "col"), as_array(data, "data")
        if not rows.shape == columns.shape == values.shape:
            raise ValueError(
                f"row, col and data have shapes {rows.shape}, {columns.shape} and {values.shape}: "
                f"each number needs its place"
            )
        values = values.astype(sparse_dtype(values.dtype), copy=False)
        full = whole_of_pairs(rows, columns, values, as_side(n))
        return cls._of_whole(full, kind, use, tolerance, triangle, labels, threads)

    @classmethod
    def from_half(
        cls,
        half: ArrayLike,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        threshold: float = 0.0,
        triangle: str | None = None,
        labels: Iterable[Any] | None = None,
        threads: int | None = None,
    ) -> Self:
        """The numbers of a half that are not small.

        Parameters
        ----------
        half : array, shape (length,)
            The half of one matrix.
        layout : str or layout
            Which number is where.
        kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
            What the other triangle is. Symmetric for real data; for complex data it must be said.
        threshold : float
            Keep the true values with ``|a| > threshold``, and NaN.
        triangle : {"lower", "upper"}, optional
            The one to store; None is the one that needs no transposition: the lower for halves by rows of the
            lower triangle or by columns of the upper one, else the upper.
        labels : sequence, optional
            One label for each row.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        SparseHalf

        Raises
        ------
        ValueError, TypeError, OverflowError
            As `vech.to_csr`; and for a negative threshold.

        Notes
        -----
        One pass over the half, at the speed of reading it, then work with what is found. With a threshold and
        numbers other than float32 and float64, or a layout that scales them, all nonzeros are found first.

        Examples
        --------
        >>> SparseHalf.from_half(np.array([1, 0, 4, 0, -2, 6]), threshold=1)
        SparseHalf(n=3, dtype=int64, kind='symmetric', triangle='upper', nnz=3)
        """
        half = as_array(half, "half")
        resolve_kind(kind, half.dtype, moves=False)
        if triangle is not None:
            one_of("triangle", triangle, TRIANGLES)
        check_threshold(threshold)
        found = half_csr(half, layout, kind, threads, threshold)
        found = found if found.by_rows else found.other()
        if triangle not in (None, found.name):
            found = turned(found, resolve_threads(threads, found.data.nbytes))
        return cls._of(found, labels=labels)

    @classmethod
    def _of_whole(
        cls,
        full: Whole,
        kind: str | None,
        use: str,
        tolerance: float | None,
        triangle: str,
        labels: Iterable[Any] | None,
        threads: int | None,
    ) -> Self:
        held = triangle_of(full, kind, use, tolerance, triangle, threads)
        return cls._of(held, labels=labels, places=full.places, n=full.n)
