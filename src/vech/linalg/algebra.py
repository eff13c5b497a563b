"""The matrices of vech algebra, as sparse arrays and as operators, and covariances of a half.

``vec`` stacks the columns of a matrix, as in Magnus and Neudecker: row i, column j is number ``i + n j``.
"""

from __future__ import annotations

from collections.abc import Callable
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, as_array, check_memory, family, is_finite, is_real
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import as_side
from vech.linalg.checks import as_packed, check_finite_array
from vech.linalg.columns import halves_of, inexact, operator, sparse_rows, stored_halves
from vech.packed.packed import Packed

AS_OPERATOR = "as_operator=True forms no matrix"
CHUNK = 2**20  # numbers of full matrices that a Kronecker square has in hand at a time


def duplication(n: int, layout: str | AnyLayout = "vech", *, as_operator: bool = False) -> Any:
    """The duplication matrix D, which makes vec of a half: ``D @ half == vec(expand(half))``.

    Parameters
    ----------
    n : int
        The side of the matrices.
    layout : str or layout
        Which number of the half is where. Numbers that are scaled are unscaled, and a diagonal of zeros that
        is left out stays zero.
    as_operator : bool
        Give a LinearOperator, which expands halves instead of holding a matrix.

    Returns
    -------
    csr_array, shape (n^2, layout.length(n)), or LinearOperator of that shape
        float64; the array is canonical, with one number in each row at most.

    Raises
    ------
    ValueError
        If n is negative, or the layout leaves out a diagonal of ones.
    MemoryError
        If the array is larger than memory and swap together.

    Notes
    -----
    Cost: 12 to 16 bytes for each of n^2 numbers; an operator needs none, and each product that of its result.
    The transpose sums the two numbers of a pair; the Moore-Penrose inverse ``(D^T D)^-1 D^T``, which averages
    them, is ``elimination(n) @ symmetrizer(n)``.

    Source: J. Magnus, H. Neudecker, "The elimination matrix: some lemmas and applications", SIAM J. Alg.
    Disc. Meth. 1(4), 1980; "Matrix Differential Calculus", section 3.8.

    Examples
    --------
    >>> import numpy as np
    >>> duplication(2).toarray()
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    >>> duplication(2, as_operator=True) @ np.array([1.0, 2, 3])
    array([1., 2., 2., 3.])
    """
    halves = halves_of(n, layout)
    shape = (halves.n**2, halves.length)
    if as_operator:
        return operator(shape, halves.duplicate, halves.fold)
    check_memory(16 * shape[0], AS_OPERATOR)
    j, i = np.divmod(np.arange(shape[0]), max(halves.n, 1))
    present = np.full(i.shape, True) if halves.bare.implied is None else i != j
    i, j = i[present], j[present]
    slots = halves.bare.slot(np.minimum(i, j), np.maximum(i, j), halves.n)
    return sparse_rows(shape, slots, 1 / halves.scales(i, j), present)


def elimination(n: int, layout: str | AnyLayout = "vech", *, as_operator: bool = False) -> Any:
    """The elimination matrix L, which takes the half out of vec: ``L @ vec(A)`` for any square A.

    Parameters
    ----------
    n : int
        The side of the matrices.
    layout : str or layout
        Which number of the half is where; its own triangle of A is read and scaled.
    as_operator : bool
        Give a LinearOperator, which packs instead of holding a matrix.

    Returns
    -------
    csr_array, shape (layout.length(n), n^2), or LinearOperator of that shape
        float64; the array is canonical, with one number in each row.

    Raises
    ------
    ValueError
        If n is negative, or the layout leaves out a diagonal of ones.

    Notes
    -----
    Cost: 16 to 20 bytes for each number of the half; an operator needs none.

    Source: J. Magnus, H. Neudecker, "The elimination matrix: some lemmas and applications", SIAM J. Alg.
    Disc. Meth. 1(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 9], [2, 3]])
    >>> elimination(2) @ A.ravel("F")
    array([1., 2., 3.])
    """
    halves = halves_of(n, layout)
    shape = (halves.length, halves.n**2)
    if as_operator:
        return operator(shape, halves.eliminate, halves.scatter)
    check_memory(20 * shape[0], AS_OPERATOR)
    i, j = halves.pairs()
    return sparse_rows(shape, i + halves.n * j, halves.scales(i, j))


def commutation(rows: int, columns: int | None = None, *, as_operator: bool = False) -> Any:
    """The commutation matrix K, which transposes: ``K @ vec(A) == vec(A.T)``.

    Parameters
    ----------
    rows, columns : int
        The shape of A; square by default.
    as_operator : bool
        Give a LinearOperator, which transposes instead of holding a matrix.

    Returns
    -------
    csr_array, shape (rows columns, rows columns), or LinearOperator of that shape
        float64, a permutation; the array is canonical.

    Raises
    ------
    ValueError
        If a side is negative.

    Notes
    -----
    Cost: 16 to 20 bytes a row; an operator needs none. Source: J. Magnus, H. Neudecker, "The commutation
    matrix: some properties and applications", Annals of Statistics 7(2), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 2, 3], [4, 5, 6]])
    >>> commutation(2, 3) @ A.ravel("F")
    array([1., 2., 3., 4., 5., 6.])
    """
    m = as_side(rows)
    n = m if columns is None else as_side(columns)
    if as_operator:
        return operator(
            (m * n, m * n),
            lambda x: x.reshape(n, m, x.shape[1]).swapaxes(0, 1).reshape(m * n, x.shape[1]),
            lambda x: x.reshape(m, n, x.shape[1]).swapaxes(0, 1).reshape(m * n, x.shape[1]),
        )
    check_memory(20 * m * n, AS_OPERATOR)
    return sparse_rows((m * n, m * n), np.arange(m * n).reshape(n, m).T.ravel(), np.ones(m * n))


def symmetrizer(n: int, *, as_operator: bool = False) -> Any:
    """The symmetrizer N, which takes the symmetric part: ``N @ vec(A) == vec((A + A.T) / 2)``.

    Parameters
    ----------
    n : int
        The side of the matrices.
    as_operator : bool
        Give a LinearOperator, which adds the transpose instead of holding a matrix.

    Returns
    -------
    csr_array, shape (n^2, n^2), or LinearOperator of that shape
        float64, the projection ``(I + K) / 2`` with the commutation matrix K; the array is canonical.

    Raises
    ------
    ValueError
        If n is negative.

    Notes
    -----
    Cost: 24 to 32 bytes for each of n^2 rows; an operator needs none. Source: J. Magnus, H. Neudecker,
    "Matrix Differential Calculus", section 3.7, and Magnus, "Linear Structures", 1988.

    Examples
    --------
    >>> import numpy as np
    >>> symmetrizer(2) @ np.array([1.0, 2, 4, 3])
    array([1., 3., 3., 3.])
    """
    from scipy.sparse import csr_array

    n = as_side(n)
    if as_operator:

        def average(x: Array) -> Array:
            full = x.reshape(n, n, x.shape[1])
            return ((full + full.swapaxes(0, 1)) / 2).reshape(n * n, x.shape[1])

        return operator((n * n, n * n), average, average)
    check_memory(64 * n * n, AS_OPERATOR)
    k = np.arange(n * n)
    mirror = k.reshape(n, n).T.ravel()
    places = np.stack([np.minimum(k, mirror), np.maximum(k, mirror)], axis=1)
    off = k != mirror
    kept = np.stack([np.full(k.shape, True), off], axis=1)
    values = np.repeat(np.where(off, 0.5, 1.0), 1 + off)
    matrix = csr_array(
        (values, places[kept], np.concatenate([[0], np.cumsum(1 + off)])), shape=(n * n, n * n)
    )
    matrix.has_canonical_format = True
    return matrix


# ---------------------------------------------------------------- Kronecker squares


def kronecker_square(A: ArrayLike, layout: str | AnyLayout = "vech", *, as_operator: bool = False) -> Any:
    """The matrix ``D^+ (A kron A) D``, which takes the half of X to the half of ``A X A^T``.

    Parameters
    ----------
    A : array, shape (m, n)
        Real or complex; its transpose is not conjugated.
    layout : str or layout
        Which number of both halves is where; its diagonal must be stored. In "svec-lower" and "svec-upper"
        this is the symmetric Kronecker product of semidefinite programming.
    as_operator : bool
        Give a LinearOperator, which expands, multiplies and packs instead of holding a matrix.

    Returns
    -------
    array or LinearOperator, shape (layout.length(m), layout.length(n))
        In the dtype of A, at least float64. Of a batch of halves, one a column, ``M @ halves``; one a row,
        ``halves @ M.T``.

    Raises
    ------
    ValueError
        If A is no matrix, or the layout leaves out the diagonal.
    TypeError
        For dates.
    MemoryError
        If the matrix is larger than memory and swap together.

    Notes
    -----
    The Kronecker square, n^4 numbers, is never formed. Cost of the matrix: its m^2 n^2 / 4 numbers, and as
    much again while it is made. Of the operator: 2 m n (m + n) operations a half, on 2^20 numbers at a time.

    Source: J. Magnus, H. Neudecker, "The elimination matrix", 1980, lemma 4.4; F. Alizadeh, J.-P. Haeberly,
    M. Overton, "Primal-dual interior-point methods for semidefinite programming", SIAM J. Optim. 8(3), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> A = np.array([[1.0, 1], [0, 2]])
    >>> kronecker_square(A)
    array([[1., 2., 1.],
           [0., 2., 2.],
           [0., 0., 4.]])
    >>> kronecker_square(A, as_operator=True) @ np.array([1.0, 0, 1])  # vech(A A.T)
    array([2., 2., 4.])
    """
    A = as_array(A, "A")
    if A.ndim != 2:
        raise ValueError(f"A has shape {A.shape}: a Kronecker square is of one matrix, (m, n)")
    A = inexact(A, "A")
    target, source = (stored_halves(side, layout) for side in A.shape)
    shape = (target.length, source.length)
    if as_operator:
        width = max(1, CHUNK // max(1, *A.shape) ** 2)

        def in_chunks(function: Callable[[Array], Array], x: Array, rows: int) -> Array:
            result = np.empty((rows, x.shape[1]), np.result_type(x, A))
            for start in range(0, x.shape[1], width):
                result[:, start : start + width] = function(x[:, start : start + width])
            return result

        def apply(x: Array) -> Array:
            return target.of_matrices(A @ source.matrices(x) @ A.T)

        def adjoint(x: Array) -> Array:
            inner = A.conj().T @ target.matrices(x, weighted=True) @ A.conj()
            return source.of_matrices(inner, weighted=True)

        return operator(
            shape, lambda x: in_chunks(apply, x, shape[0]), lambda x: in_chunks(adjoint, x, shape[1]), A.dtype
        )
    check_memory(2 * shape[0] * shape[1] * A.itemsize, AS_OPERATOR)
    (i, j), (k, l) = target.pairs(), source.pairs()
    matrix = A[np.ix_(i, k)] * A[np.ix_(j, l)]
    crossed = np.flatnonzero(k != l)
    matrix[:, crossed] += A[np.ix_(i, l[crossed])] * A[np.ix_(j, k[crossed])]
    matrix *= target.scales(i, j)[:, None]
    matrix /= source.scales(k, l)
    return matrix


# ---------------------------------------------------------------- covariances of a half


def covariance_of_vech(
    S: Packed | ArrayLike, n_samples: float = 1, layout: str | AnyLayout = "vech"
) -> Packed:
    """The covariance matrix of the half of a sample covariance, of normal data; expands S, which is smaller.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame), real symmetric, of side n
        The covariance of the data.
    n_samples : float
        Samples (degrees of freedom: one less where their mean is estimated and divided by n_samples - 1).
    layout : str or layout
        Which number of the half is where; its diagonal must be stored.

    Returns
    -------
    Packed, of side layout.length(n), in layout "vech"
        ``2 D^+ (S kron S) D^+T / n_samples``: the covariance of two numbers ij and kl is
        ``(S_ik S_jl + S_il S_jk) / n_samples``.

    Raises
    ------
    ValueError
        If n_samples is not positive, or the layout leaves out the diagonal.
    TypeError
        If S is no real symmetric Packed.

    Notes
    -----
    The result is n^4 / 8 numbers, its only large array. n_samples times its inverse is the weight of
    generalised least squares.

    Source: J. Magnus, H. Neudecker, "The elimination matrix", 1980; M. Browne, "Generalized least squares
    estimators in the analysis of covariance structures", South African Statistical J. 8, 1974.

    Examples
    --------
    >>> import numpy as np
    >>> covariance_of_vech(Packed(np.array([1.0, 0.5, 1.0])), 100).expand()
    array([[0.02  , 0.01  , 0.005 ],
           [0.01  , 0.0125, 0.01  ],
           [0.005 , 0.01  , 0.02  ]])
    """
    S = as_packed(S, "covariance_of_vech")
    if S.kind is not Kind.SYMMETRIC or family(S.dtype) == "c":
        raise TypeError(f"S is {S.dtype} and {S.kind}: a covariance of real data is real and symmetric")
    full = inexact(S.expand(), "S")
    check_finite_array(full, "S", "covariance_of_vech")
    if not is_real(n_samples) or not is_finite(n_samples) or n_samples <= 0:
        raise ValueError(f"n_samples must be a positive number, not {short(n_samples)}")
    halves = stored_halves(S.n, layout)
    i, j = halves.pairs()
    scales = halves.scales(i, j)

    def column(c: int) -> Array:
        rows, others = i[c:], j[c:]
        products = full[rows, i[c]] * full[others, j[c]] + full[rows, j[c]] * full[others, i[c]]
        return np.asarray(products * (scales[c:] * scales[c] / float(n_samples)))

    return _by_columns(i.size, full.dtype, column)


def empirical_covariance_of_vech(X: ArrayLike, layout: str | AnyLayout = "vech") -> Packed:
    """The covariance matrix of the half of a sample covariance, from the fourth moments of the data.

    Parameters
    ----------
    X : array, shape (n_samples, n)
        The data, of any distribution with fourth moments.
    layout : str or layout
        Which number of the half is where; its diagonal must be stored.

    Returns
    -------
    Packed, of side layout.length(n), in layout "vech"
        For s_ij and s_kl ``(m_ijkl - s_ij s_kl) / n_samples``, where m is the mean of the products of four
        centred columns, s of two.

    Raises
    ------
    ValueError
        If X is no matrix, has no rows, or the layout leaves out the diagonal.
    TypeError
        If X is complex, or holds dates.

    Notes
    -----
    n_samples times the inverse of the result is Browne's asymptotically distribution-free weight; there is
    one where n_samples exceeds the side. Expands nothing: n_samples n^2 / 2 products, and the result, n^4 / 8
    numbers, made by BLAS in panels.

    Source: M. Browne, "Asymptotically distribution-free methods for the analysis of covariance structures",
    British J. Math. Stat. Psychology 37, 1984.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0], [-1.0], [3.0], [-3.0]])
    >>> empirical_covariance_of_vech(X).half  # (41 - 5^2) / 4
    array([4.])
    """
    X = as_array(X, "X", floats=True)
    if X.ndim != 2 or not len(X):
        raise ValueError(f"X has shape {X.shape}: data are a matrix of samples in rows, (n_samples, n)")
    if family(X.dtype) == "c":
        raise TypeError(f"X is {X.dtype}: fourth moments are taken of real data")
    X = inexact(X, "X")
    check_finite_array(X, "X", "empirical_covariance_of_vech")
    n_samples, n = X.shape
    halves = stored_halves(n, layout)
    i, j = halves.pairs()
    centred = X - X.mean(axis=0)
    products = np.asfortranarray(centred[:, i] * centred[:, j] * halves.scales(i, j))
    products -= products.mean(axis=0)
    width = max(1, CHUNK // max(1, i.size))
    panel: dict[int, Array] = {}

    def column(c: int) -> Array:
        start = c // width * width
        if start not in panel:
            panel.clear()
            panel[start] = products[:, start : start + width].T @ products[:, start:] / n_samples**2
        return panel[start][c - start, c - start :]

    return _by_columns(i.size, products.dtype, column)


def _by_columns(n: int, dtype: np.dtype[Any], column: Callable[[int], Array]) -> Packed:
    """A symmetric matrix of side n from its columns, each from the diagonal on."""
    check_memory(n * (n + 1) // 2 * dtype.itemsize, "take fewer variables")
    half = np.empty(n * (n + 1) // 2, dtype)
    start = 0
    for c in range(n):
        half[start : start + n - c] = column(c)
        start += n - c
    return Packed(half)
