"""What other programs take of a sparse half: the triangle, the compression, the numbers each wants."""

from __future__ import annotations

from os import PathLike
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from vech.arrays import INT32_MAX, Array, family
from vech.layouts.kind import Kind
from vech.sparse.arrays import Arrays


class Consumer(NamedTuple):
    """A solver, and what it takes; given the other triangle, most answer wrongly and say nothing."""

    name: str
    kinds: tuple[str, ...]
    triangle: str
    compressed: str  # the name of the SciPy class
    narrow: bool  # whether it counts in 32 bits


REAL, HERMITIAN, COMPLEX = "real symmetric", "hermitian", "complex symmetric"
OSQP = Consumer("OSQP", (REAL,), "upper", "csc_matrix", True)
QDLDL = Consumer("QDLDL", (REAL,), "upper", "csc_array", False)
CLARABEL = Consumer("Clarabel", (REAL,), "upper", "csc_array", False)
CHOLMOD = Consumer("CHOLMOD", (REAL, HERMITIAN), "lower", "csc_array", False)
PARDISO = Consumer("PARDISO", (REAL, HERMITIAN, COMPLEX), "upper", "csr_array", True)


class Exports(Arrays):
    """The arrays that solvers and file formats want."""

    def to_osqp(self) -> Any:
        """The matrix P of a quadratic program for OSQP: its upper triangle by columns.

        Returns
        -------
        scipy.sparse.csc_matrix, shape (n, n)
            float64 with int32 indices. It shares the arrays of a lower triangle of that dtype.

        Raises
        ------
        TypeError
            For matrices that are not real and symmetric.
        OverflowError
            Beyond 2^31 - 1 rows or numbers.

        Notes
        -----
        OSQP takes the lower triangle too, and answers another question without a word. O(nnz) for an upper
        triangle, which is transposed. The new class of SciPy, csc_array, would be converted with a warning.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [4.0, 1.0, 3.0], 2, triangle="lower")
        >>> S.to_osqp().toarray()
        array([[4., 1.],
               [0., 3.]])
        """
        return self._export(OSQP)

    def to_qdldl(self) -> Any:
        """The matrix for ``qdldl.Solver(S.to_qdldl(), upper=True)``: its upper triangle by columns.

        Returns
        -------
        scipy.sparse.csc_array, shape (n, n)
            float64. Where the diagonal is not stored, zeros are as QDLDL asks. It
            shares the arrays of a lower triangle of that dtype with a whole diagonal.

        Raises
        ------
        TypeError
            For matrices that are not real and symmetric.
        OverflowError
            Beyond 2^31 - 1 rows.

        Notes
        -----
        QDLDL looks at arrays alone: of a lower triangle, and of the same triangle as CSR, it makes another
        matrix without a word. O(nnz) for an upper triangle, which is transposed.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [4.0, 1.0, 3.0], 2, triangle="lower")
        >>> S.to_qdldl().indices
        array([0, 0, 1], dtype=int32)
        """
        return _with_whole_diagonal(self._export(QDLDL))

    def to_clarabel(self) -> Any:
        """The matrix P of a program for Clarabel: its upper triangle by columns.

        Returns
        -------
        scipy.sparse.csc_array, shape (n, n)
            float64. It shares the arrays of a lower triangle of that dtype.

        Raises
        ------
        TypeError, OverflowError
            As `to_qdldl`.

        Notes
        -----
        Clarabel takes the lower triangle too, and answers another question without a word.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [4.0, 1.0, 3.0], 2, triangle="lower")
        >>> S.to_clarabel().toarray()
        array([[4., 1.],
               [0., 3.]])
        """
        return self._export(CLARABEL)

    def to_cholmod(self) -> Any:
        """The matrix for ``sksparse.cholmod``: its lower triangle by columns.

        Returns
        -------
        scipy.sparse.csc_array, shape (n, n)
            float64 or complex128. It shares the arrays of an upper triangle of that dtype, if it is real.

        Raises
        ------
        TypeError
            For matrices that are neither real and symmetric nor Hermitian.
        OverflowError
            Beyond 2^31 - 1 rows.

        Notes
        -----
        CHOLMOD reads the lower triangle alone, and of an upper one makes a diagonal matrix without a word.
        O(nnz) for a lower triangle, which is transposed.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [4.0, 1.0, 3.0], 2, triangle="lower")
        >>> S.to_cholmod().toarray()
        array([[4., 0.],
               [1., 3.]])
        """
        return self._export(CHOLMOD)

    def to_pardiso(self) -> Any:
        """The matrix for PARDISO's symmetric types: its upper triangle by rows, with its whole diagonal.

        Returns
        -------
        scipy.sparse.csr_array, shape (n, n)
            float64 (types 2 and -2) or complex128 (4 and -4 of a Hermitian matrix, 6 of a symmetric one),
            with int32 indices. Where the diagonal is not stored, zeros are. It shares the arrays of an upper
            triangle of that dtype with a whole diagonal.

        Raises
        ------
        TypeError
            For skew kinds.
        OverflowError
            Beyond 2^31 - 1 rows or numbers.

        Notes
        -----
        Of a lower triangle or a full matrix PARDISO reads memory that is not its own.
        ``PyPardisoSolver(mtype=-2)`` takes what this gives; its default, 11, wants ``to_csr()``. O(nnz) for a
        lower triangle, which is transposed.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 0, 1], [0], [4.0], 2, triangle="lower")
        >>> matrix = S.to_pardiso()
        >>> matrix.indices, matrix.data
        (array([0, 1, 1], dtype=int32), array([0., 4., 0.]))
        """
        return _with_whole_diagonal(self._export(PARDISO))

    def to_matrix_market(self, target: str | PathLike[str] | BinaryIO) -> None:
        """Write a Matrix Market file: the lower triangle as coordinates, with its symmetry named.

        Parameters
        ----------
        target : path or binary file
            A path is overwritten in one step, whatever its suffix; a file is written from where it stands.

        Raises
        ------
        ValueError
            For skew-Hermitian matrices, which have no name there, and skew ones with numbers on the diagonal.
        OSError
            It cannot be written. Nothing is left behind then.

        Notes
        -----
        ``scipy.io.mmwrite`` given one triangle writes a general matrix that has only this triangle, or, told
        that it is symmetric, drops what is above the diagonal without a word.

        Examples
        --------
        >>> import io
        >>> file = io.BytesIO()
        >>> vech.SparseHalf([0, 1, 2], [1, 1], [4, 3], 2, triangle="upper").to_matrix_market(file)
        >>> print(file.getvalue().decode(), end="")
        %%MatrixMarket matrix coordinate integer symmetric
        %
        2 2 2
        2 1 4
        2 2 3
        """
        from vech.io.matrix_market import write_to

        write_to(target, self)

    def _export(self, to: Consumer) -> Any:
        """The triangle as SciPy's class for this consumer, in double precision."""
        from scipy import sparse

        if (kind := kind_of(self)) not in to.kinds:
            raise TypeError(
                f"{to.name} takes {' or '.join(to.kinds)} matrices, not a {kind} one: "
                f"to_csr() gives the full matrix for solvers of general ones"
            )
        if self.n > INT32_MAX or (to.narrow and self.nnz + self.n > INT32_MAX):
            raise OverflowError(
                f"{to.name if to.narrow else 'vech'} counts in 32 bits, up to {INT32_MAX}: "
                f"n = {self.n} with {self.nnz} numbers is beyond; submatrix() leaves empty rows out"
            )
        compressed = to.compressed[:3]
        if self._places is None:
            matrix = self._stored().to_scipy(compressed, to.triangle, None)
        else:
            matrix = (self.to_csr if compressed == "csr" else self.to_csc)(part=to.triangle)
        data = matrix.data.astype(np.result_type(self.dtype, np.float64), copy=False)
        if self.kind is Kind.HERMITIAN:
            data = _settled(matrix, data)
        arrays = (data, matrix.indices, matrix.indptr)
        exported = getattr(sparse, to.compressed)(arrays, shape=self.shape)
        exported.has_canonical_format = True
        return exported


def kind_of(S: Arrays) -> str:
    """The kind of S, with the family of its numbers where it is symmetric."""
    if S.kind is not Kind.SYMMETRIC:
        return S.kind
    return COMPLEX if family(S.dtype) == "c" else REAL


def _settled(matrix: Any, data: Array) -> Array:
    """The numbers with a real diagonal, which is all that a Hermitian matrix computes with."""
    runs = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    wrong = np.flatnonzero((runs == matrix.indices) & (data.imag != 0))
    if wrong.size:
        data = data.copy()
        data[wrong] = data[wrong].real
    return data


def _with_whole_diagonal(upper: Any) -> Any:
    """An upper triangle whose rows begin (columns end) with the diagonal, zeros where there was none."""
    first = upper.format == "csr"
    indices, indptr = upper.indices, upper.indptr
    ends = indptr[:-1] if first else indptr[1:]
    filled = np.flatnonzero(np.diff(indptr))
    there = np.zeros(upper.shape[0], bool)
    there[filled] = indices[ends[filled] - (not first)] == filled
    missing = np.flatnonzero(~there)
    if missing.size == 0:
        return upper
    before = np.concatenate(([0], np.cumsum(~there))).astype(indptr.dtype)
    data, indices = np.insert(upper.data, ends[missing], 0), np.insert(indices, ends[missing], missing)
    whole = type(upper)((data, indices, indptr + before), shape=upper.shape)
    whole.has_canonical_format = True
    return whole
