"""Eigenvalues, norms and inner products of a half."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import products
from vech.arrays import Array, family
from vech.linalg.factor import as_packed, check_finite, expanded, factored, work_dtype
from vech.moves import convert
from vech.packed import Packed
from vech.store import Store

DENSE = 32  # up to this side the 2-norm is of the full matrix: Lanczos needs room


def eigsh(S: Store, k: int = 6, which: str = "LM", **options: Any) -> Any:
    """Some eigenvalues and eigenvectors, by SciPy's ``eigsh`` (ARPACK's Lanczos) on the half.

    Parameters
    ----------
    S : Store
        Symmetric and real, or Hermitian; any store will do. Integers are computed with in float64.
    k : int
        How many: 1 to n - 1.
    which : {"LM", "SM", "LA", "SA", "BE"}
        Largest or smallest by magnitude; largest or smallest; some from both ends.
    **options
        Of ``scipy.sparse.linalg.eigsh``. With ``sigma``, those nearest to it are found by way of a factor of
        ``S - sigma I``, made by `cholesky` or, where that is indefinite, in the expanded matrix: the way to
        the smallest ones (``sigma=0``), for which "SM" alone needs many steps. S must be Packed for that.

    Returns
    -------
    values : array, shape (k,)
        Ascending; alone with ``return_eigenvectors=False``.
    vectors : array, shape (n, k)
        Columns, of norm 1.

    Raises
    ------
    ValueError
        If k is not 1 to n - 1.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, and dates.
    scipy.sparse.linalg.ArpackNoConvergence
        If the iterations end too soon; it carries what was found.

    Notes
    -----
    Each step multiplies by S; memory for about 2 k + 20 vectors.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = eigsh(Packed(np.array([2.0, 1.0, 0.0, 2.0, 1.0, 2.0])), k=1)
    >>> np.round(values, 4)
    array([3.4142])
    """
    from scipy.sparse.linalg import eigsh

    _check_selfadjoint(S, "eigsh")
    if not 1 <= k < S.n:
        raise ValueError(
            f"eigsh finds 1 to n - 1 of n eigenvalues, not k = {k} of {S.n}: eigh finds them all"
        )
    sigma = options.get("sigma")
    if sigma is not None and "OPinv" not in options:
        options["OPinv"] = _shifted_inverse(as_packed(S, "eigsh with sigma"), sigma)
    found = eigsh(_operator(S), k, which=which, **options)
    if not options.get("return_eigenvectors", True):
        return np.sort(found)
    values, vectors = found
    order = np.argsort(values)
    return values[order], vectors[:, order]


def lobpcg(S: Store, X: ArrayLike, **options: Any) -> Any:
    """Some eigenvalues and eigenvectors, by SciPy's ``lobpcg`` on the half.

    Parameters
    ----------
    S : Store
        Symmetric and real, or Hermitian; any store will do. Integers are computed with in float64.
    X : array, shape (n, k)
        Where to start: k independent columns, k well below n / 5.
    **options
        Of ``scipy.sparse.linalg.lobpcg``: ``largest=False`` for the smallest, a preconditioner ``M``, ...

    Returns
    -------
    values : array, shape (k,)
    vectors : array, shape (n, k)

    Raises
    ------
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, and dates.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.zeros(465))
    >>> S.set_diagonal(np.arange(1.0, 31))
    >>> values, vectors = lobpcg(S, np.ones((30, 1)), tol=1e-6, maxiter=100)
    >>> np.round(values, 6)
    array([30.])
    """
    from scipy.sparse.linalg import lobpcg

    _check_selfadjoint(S, "lobpcg")
    return lobpcg(_operator(S), X, **options)


def eigh(S: Packed, *, threads: int | None = None, **options: Any) -> Any:
    """Expands S, and finds all eigenvalues and eigenvectors by SciPy's ``eigh``.

    Parameters
    ----------
    S : Packed
        Symmetric and real, or Hermitian. Integers are computed with in float64.
    threads : int, optional
        At most so many threads for the expansion; BLAS has its own.
    **options
        Of ``scipy.linalg.eigh``: ``eigvals_only=True``, ``subset_by_index=[first, last]``, ``driver``, ...

    Returns
    -------
    values : array, shape (n,)
        Ascending; alone with ``eigvals_only=True``.
    vectors : array, shape (n, n)
        Columns, of norm 1.

    Raises
    ------
    ValueError
        If S holds NaN or infinity; the first (i, j) is named.
    TypeError
        For stores that are not Packed, complex symmetric and skew kinds, float16 and smaller, and dates.

    Notes
    -----
    O(n^3) operations, and n x n numbers beside the eigenvectors: the half is expanded into the array that LAPACK
    overwrites.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = eigh(Packed(np.array([2.0, 1.0, 2.0])))
    >>> np.round(values, 12)
    array([1., 3.])
    """
    from scipy.linalg import eigh

    S = as_packed(S, "eigh")
    _check_selfadjoint(S, "eigh")
    check_finite(S)
    full = expanded(S, work_dtype(S.dtype, "S"), threads)
    return eigh(full, lower=True, overwrite_a=True, check_finite=False, **options)


def norm(S: Packed, ord: str | float = "fro") -> float:
    """A norm of the full matrix, from the half.

    Parameters
    ----------
    S : Packed
        Of any kind, layout and dtype but dates.
    ord : {"fro", "max", 1, 2, inf}
        Frobenius; the largest |a_ij|; the largest sum of a column's or a row's |a_ij| (they are the same);
        the largest singular value.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another `ord`; for NaN and infinity with ord=2.
    TypeError
        For stores that are not Packed, and dates; with ord=2 float16 and smaller too.

    Notes
    -----
    One pass over the half; the 2-norm by Lanczos, some products with S.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.array([3.0, -4.0, 0.0]))
    >>> norm(S, "max"), norm(S, 1), round(norm(S), 4), round(norm(S, 2), 4)
    (4.0, 7.0, 6.4031, 5.772)
    """
    S = as_packed(S, "norm")
    if ord not in ("fro", "max", "inf", 1, 2, np.inf):
        raise ValueError(f"unknown ord {ord!r}: choose from 'fro', 'max', 1, 2, inf")
    if ord == 2:
        return _spectral_norm(S)
    return float(products.norm(S.half, S.layout, S.kind, ord))


def inner(S: Packed, T: Packed) -> Any:
    """The Frobenius inner product ``sum of conj(s_ij) t_ij``, from the halves.

    Parameters
    ----------
    S, T : Packed
        Of one side; their layouts, kinds and dtypes may differ.

    Returns
    -------
    number
        ``numpy.vdot`` of the full matrices; real if both are Hermitian.

    Raises
    ------
    ValueError
        If the sides differ.
    TypeError
        For stores that are not Packed, and dates.

    Notes
    -----
    One pass over both halves. Integers are copied into float64, where nothing wraps around.

    Examples
    --------
    >>> import numpy as np
    >>> S, T = Packed(np.array([1.0, 2.0, 3.0])), Packed(np.array([5.0]), "condensed")
    >>> float(inner(S, T))
    20.0
    """
    S, T = as_packed(S, "inner"), as_packed(T, "inner")
    if S.n != T.n:
        raise ValueError(f"S is of side {S.n} and T of side {T.n}: an inner product needs one side")
    half, other = (x.half.astype(float) if family(x.dtype) in "biu" else x.half for x in (S, T))
    return products.inner(half, S.layout, S.kind, other, T.layout, T.kind)


def _check_selfadjoint(S: Any, task: str) -> None:
    if not isinstance(S, Store):
        as_packed(S, task)
    if S.kind == "hermitian" or (S.kind == "symmetric" and family(S.dtype) != "c"):
        return
    name = "complex symmetric" if S.kind == "symmetric" else S.kind
    raise TypeError(
        f"{task} needs a real symmetric or a Hermitian matrix, not a {name} one: "
        f"scipy.linalg.eig(S.expand()) takes every matrix"
    )


def _operator(S: Store) -> Any:
    from scipy.sparse.linalg import LinearOperator

    return LinearOperator(S.shape, S.matvec, S.rmatvec, S.matmat, work_dtype(S.dtype, "S"), S.rmatmat)


def _shifted_inverse(S: Packed, sigma: float) -> Any:
    """(S - sigma I)^-1 as an operator."""
    from scipy.sparse.linalg import LinearOperator

    dtype = work_dtype(S.dtype, "S")
    shifted = Packed(convert(S.half.astype(dtype), S.layout, "vech", kind=S.kind), kind=S.kind)
    shifted.add_diagonal(-sigma)
    factor = factored(shifted, dtype)

    def solve(b: Array) -> Array:
        return factor.solve(np.array(b.reshape(S.n, 1), dtype)).reshape(b.shape)

    return LinearOperator(S.shape, solve, dtype=dtype)


def _spectral_norm(S: Packed) -> float:
    check_finite(S)
    dtype = work_dtype(S.dtype, "S")
    if S.n <= DENSE:
        full = S @ np.eye(S.n, dtype=dtype)
        return float(np.linalg.norm(full, 2)) if S.n else 0.0
    if norm(S) == 0:
        return 0.0
    from scipy.sparse.linalg import LinearOperator, eigsh

    start = np.random.default_rng(0).normal(size=S.n).astype(dtype)
    if S.kind == "hermitian" or (S.kind == "symmetric" and dtype.kind != "c"):
        [value] = eigsh(_operator(S), 1, v0=start, return_eigenvectors=False)
        return float(abs(value))
    conjugate = S.H
    square = LinearOperator(S.shape, lambda x: conjugate @ (S @ x), dtype=dtype)
    [value] = eigsh(square, 1, v0=start, return_eigenvectors=False)
    return float(np.sqrt(value))
