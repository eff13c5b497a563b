"""What a sparse half becomes: diagonal, full matrix, SciPy arrays, packed half, the other triangle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np

from vech.arrays import INT32_MAX, Array, check_memory, check_out, resolve_threads
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout, one_of
from vech.moves.converting import convert
from vech.moves.nonzeros import scipy_array
from vech.moves.sizes import check_threshold
from vech.packed.indexing import consecutive
from vech.packed.packed import Packed
from vech.sparse.arrays import TRIANGLES, Arrays
from vech.sparse.pack import scattered
from vech.sparse.pattern import mirrored, turned


class Conversions(Arrays):
    """The same matrix in other forms."""

    @property
    def density(self) -> float:
        """The numbers of the full matrix that are stored, zeros among them, of n * n; 0 for n = 0."""
        rows, columns, _ = self._entries()
        return (2 * self.nnz - np.count_nonzero(rows == columns)) / max(1, self._n) ** 2

    @property
    def packed_is_smaller(self) -> bool:
        """Whether the half that `to_packed` makes takes fewer bytes than these arrays.

        With 8 bytes for a number and 4 for its column that begins when 2 of 3 pairs are stored, with 4 and 4
        or 8 and 8 at every second one, with 4 and 8 at every third.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1.0, 2.0, 3.0], 2, triangle="lower").packed_is_smaller
        True
        """
        return self._n * (self._n + 1) // 2 * self.dtype.itemsize < self.nbytes

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array.

        Returns
        -------
        array, shape (n,)
            Zero where nothing is stored.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").diagonal()
        array([1, 3])
        """
        check_memory(self._n * self.dtype.itemsize, "to_coo() takes no memory for empty rows")
        diagonal = np.zeros(self._n, self.dtype)
        rows, columns, data = self._entries()
        on = rows == columns
        diagonal[rows[on]] = data[on]
        return diagonal

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some consecutive rows of it; all else as for `vech.Packed.expand`.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 2], [0, 0], [1, 2], 2, triangle="lower").expand(slice(1, 2))
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
            check_out(out, shape, self.dtype, self._indptr, self._indices, self._values)
            out[...] = np.zeros(1, self.dtype)
        runs, columns, data = self._entries()
        inside = (runs >= start) & (runs < stop)
        out[runs[inside] - start, columns[inside]] = data[inside]
        inside = (columns >= start) & (columns < stop) & (columns != runs)
        runs, columns, data = runs[inside], columns[inside], data[inside]
        out[columns - start, runs] = mirrored(runs, columns, data, self._kind)
        return out

    def to_coo(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The numbers stored as a ``scipy.sparse.coo_array``, sorted by rows; all else as for `vech.to_csr`.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").to_coo(part="lower").nnz
        3
        """
        return self._sparse("coo", part, threshold, threads)

    def to_csr(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The numbers stored as a ``scipy.sparse.csr_array``, zeros too; all else as for `vech.to_csr`.

        A threshold, 0 too, leaves out zeros that are stored.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").to_csr(part="lower").nnz
        3
        """
        return self._sparse("csr", part, threshold, threads)

    def to_csc(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The numbers stored as a ``scipy.sparse.csc_array``, zeros too; all else as for `vech.to_csr`.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").to_csc(part="lower").nnz
        3
        """
        return self._sparse("csc", part, threshold, threads)

    def to_frame(self) -> Any:
        """Expands the matrix into a ``pandas.DataFrame``, its labels on both axes; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, n)

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").to_frame()
           0  1
        0  1  2
        1  2  3
        """
        from vech.adapters.pandas import to_frame

        return to_frame(self)

    def to_packed(self, layout: str | AnyLayout = "vech", *, threads: int | None = None) -> Packed:
        """The same matrix with all its zeros, as a `Packed`.

        Parameters
        ----------
        layout : str or Layout
            The layout of its half.
        threads : int, optional
            At most so many threads, where the layout asks for another pass.

        Returns
        -------
        Packed
            Of the same kind and labels.

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
        >>> vech.SparseHalf([0, 0, 1], [0], [7], 2, triangle="lower").to_packed().half
        array([0, 7, 0])
        """
        layout = as_layout(layout)
        resolve_threads(threads, 0)
        plain = layout.plain
        length = plain.length(self._n)
        check_memory(length * self.dtype.itemsize, "keep it sparse")
        runs, columns, data = self._entries()
        if self._triangle != plain.triangle:
            data = self._stored(judge=False).other().data
        half = scattered(runs, columns, data, plain, self._n)
        if layout != plain:
            in_place = half if isinstance(layout, Layout) and layout.implied is None else None
            half = convert(half, plain, layout, kind=self._kind, out=in_place, threads=threads)
        return Packed(half, layout, kind=self._kind, labels=self._labels)

    def with_triangle(self, triangle: str, *, threads: int | None = None) -> Self:
        """The same matrix with the arrays of this triangle.

        Parameters
        ----------
        triangle : {"lower", "upper"}
            The one to store; if it is stored, the result is this store itself.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        SparseHalf

        Raises
        ------
        ValueError
            If `triangle` is none of its choices.
        OverflowError
            For the smallest integer in a skew matrix, which has no negative.

        Notes
        -----
        One transposition of what is stored, in O(nnz + n) time. None is needed where columns will do for
        rows: the arrays of the lower triangle by rows are those of the upper one by columns, conjugated or
        negated where the kind asks for it.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [1.0, 2.0, 3.0], 2, triangle="lower")
        >>> S.with_triangle("upper").indices
        array([0, 1, 1], dtype=int32)
        """
        one_of("triangle", triangle, TRIANGLES)
        count = resolve_threads(threads, self.nbytes)
        return self if triangle == self._triangle else self._again(turned(self._stored(), count))

    def _sparse(self, format: str, part: str, threshold: float | None, threads: int | None) -> Any:
        if threshold is not None:
            check_threshold(threshold)
            held = self._stored()
            return self._again(held.chosen(held.above(threshold)))._sparse(format, part, None, threads)
        stored = self._stored(judge=part != "full")  # the kernel that makes a full matrix judges for itself
        if part != "full":  # which may be these very arrays
            stored = replace(stored, indices=stored.indices.copy(), data=stored.data.copy())
        compressed = format if self._places is None or format != "coo" else "csr"
        try:
            matrix = stored.to_scipy(compressed, part, threads)
        except ValueError:
            self._stored()  # says what is wrong
            raise
        return matrix if self._places is None else self._spread(matrix, format)

    def _spread(self, matrix: Any, format: str) -> Any:
        """A SciPy array of the occupied rows as one of all rows."""
        from scipy.sparse import coo_array

        assert self._places is not None
        if format == "coo":
            coo = matrix.tocoo()
            places = self._places.astype(np.int32 if self._n <= INT32_MAX else np.int64)
            return coo_array((coo.data, tuple(places[axis] for axis in coo.coords)), shape=self.shape)
        check_memory(16 * (self._n + 1), "to_coo() takes no memory for empty rows")
        indptr = np.zeros(self._n + 1, np.int64)
        indptr[self._places + 1] = np.diff(matrix.indptr)
        return scipy_array(format, np.cumsum(indptr, out=indptr), self._places[matrix.indices], matrix.data)
