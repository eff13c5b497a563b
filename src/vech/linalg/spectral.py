"""Eigenvalues, norms and inner products of a half."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import reductions
from vech.arrays import Array, Dtype, as_array, family
from vech.foreign import judged_options
from vech.layout import as_integer, one_of
from vech.linalg import sparse_norms, sparse_solve
from vech.linalg.checks import (
    as_packed,
    check_finite,
    check_numbers,
    check_selfadjoint,
    is_selfadjoint,
    magnitude,
    power_of_two,
    work_dtype,
)
from vech.linalg.solving import expanded, factored
from vech.moves import convert, pack
from vech.packed import Packed
from vech.scan import from_sparse
from vech.sparse import SparseHalf
from vech.store import Store

DENSE = 32  # up to this side the 2-norm is of the full matrix: Lanczos needs room
WHICH = ("LM", "SM", "LA", "SA", "BE")
ORDS = ("fro", "max", "inf", 1, 2, np.inf)
OWN = {"lower", "overwrite_a", "check_finite"}  # options of SciPy's eigh that follow from the half
EVERY = "scipy.linalg.eig(S.expand()) takes every matrix"


def eigsh(S: Store, k: int = 6, which: str = "LM", **options: Any) -> Any:
    """Some eigenvalues and eigenvectors, by Lanczos' method on the half; with sigma, may expand S.

    Parameters
    ----------
    S : Store
        Symmetric and real, or Hermitian; any store will do. Integers are computed with in float64.
    k : int
        How many: 1 to n - 1; of a complex matrix, 1 to n - 2.
    which : {"LM", "SM", "LA", "SA", "BE"}
        Largest or smallest by magnitude; largest or smallest; some from both ends (of real matrices).
    **options
        Of ``scipy.sparse.linalg.eigsh``. With ``sigma``, those nearest to it are found by way of a factor of
        ``S - sigma I``, made by `cholesky` or, where that is indefinite, in the expanded matrix; of a SparseHalf
        by the solvers of `solve`. It is the way to the smallest ones (``sigma=0``), for which "SM" alone needs many
        steps. ``M``, which makes it ``S - sigma M`` and takes a Packed S, is a store, an array or a SciPy sparse array;
        or pass ``OPinv``.

    Returns
    -------
    values : array, shape (k,)
        Ascending; alone with ``return_eigenvectors=False``.
    vectors : array, shape (n, k)
        Columns, of norm 1.

    Raises
    ------
    ValueError
        If k is out of range, for another `which`, for a sigma that is not finite, and for NaN and infinity in S;
        the first (i, j) is named.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, dates, and a sigma that is no real number.
    numpy.linalg.LinAlgError
        If sigma is an eigenvalue, so that there is no factor.
    scipy.sparse.linalg.ArpackNoConvergence
        If the iterations end too soon; it carries what was found.

    Notes
    -----
    By SciPy's ``eigsh``, which is ARPACK. Each step multiplies by S; memory for about 2 k + 20 vectors.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = eigsh(Packed(np.array([2.0, 1.0, 0.0, 2.0, 1.0, 2.0])), k=1)
    >>> np.round(values, 4)
    array([3.4142])
    """
    from scipy.sparse.linalg import eigsh

    _check(S, "eigsh")
    most = S.n - (2 if family(S.dtype) == "c" else 1)
    if not 1 <= as_integer("k", k) <= most:
        raise ValueError(
            f"eigsh finds 1 to {most} eigenvalues of a {S.dtype} matrix of side {S.n}, not k = {k}: "
            f"eigh finds them all"
        )
    one_of("which", which, WHICH)
    if which == "BE" and family(S.dtype) == "c":
        raise ValueError("which='BE' is for real matrices: ask for 'LA' and for 'SA'")
    options = judged_options(options)
    sigma = options.get("sigma")
    if sigma is not None:
        if not isinstance(sigma, Real):
            raise TypeError(f"sigma must be a real number, not {sigma!r}")
        if not np.isfinite(float(sigma)):
            raise ValueError(f"sigma must be finite, not {sigma!r}")
        if options.get("OPinv") is None:
            options["OPinv"] = _shifted_inverse(S, float(sigma), options.get("M"))
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
        Where to start: k independent columns. From k > n / 5 on, SciPy makes the full matrix and says so.
    **options
        Of ``scipy.sparse.linalg.lobpcg``: ``largest=False`` for the smallest, a preconditioner ``M``, ...

    Returns
    -------
    values : array, shape (k,)
    vectors : array, shape (n, k)

    Raises
    ------
    ValueError
        If X is not k columns of n finite numbers, 1 <= k <= n; for NaN and infinity in S; the first (i, j) is
        named.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, and dates, in S or X.

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

    _check(S, "lobpcg")
    X = as_array(X, "X")
    if X.ndim != 2 or X.shape[0] != S.n or not 1 <= X.shape[1] <= S.n:
        raise ValueError(f"X has shape {X.shape}, but S is of side {S.n}: ({S.n}, k) with k from 1 to {S.n}")
    X = X.astype(work_dtype(X.dtype, "X"))
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"X[{row}, {column}] is {X[row, column]}: lobpcg needs finite numbers")
    return lobpcg(_operator(S), X, **judged_options(options))


def eigh(S: Packed, *, threads: int | None = None, **options: Any) -> Any:
    """Expands S, and finds all eigenvalues and eigenvectors by SciPy's ``eigh``.

    Parameters
    ----------
    S : Packed
        Symmetric and real, or Hermitian. Integers are computed with in float64.
    threads : int, optional
        At most so many threads for the expansion; BLAS has its own.
    **options
        Of ``scipy.linalg.eigh``: ``eigvals_only=True``, ``subset_by_index=[first, last]``, ``driver``, ...; but
        for ``lower``, ``overwrite_a`` and ``check_finite``, which follow from the half.

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
        For stores that are not Packed, complex symmetric and skew kinds, float16 and smaller, dates, and the
        three options named.

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
    if clash := sorted(OWN & options.keys()):
        raise TypeError(
            f"eigh takes no {', '.join(clash)}: vech expands S, checks it and hands it over to LAPACK"
        )
    check_selfadjoint(S, "eigh", EVERY)
    check_finite(S)
    full = expanded(S, work_dtype(S.dtype, "S"), threads)
    return eigh(full, lower=True, overwrite_a=True, check_finite=False, **options)


def norm(S: Packed | SparseHalf, ord: str | float | None = "fro") -> float:
    """A norm of the full matrix, from the half.

    Parameters
    ----------
    S : Packed or SparseHalf
        Of any kind, layout and dtype but dates.
    ord : {"fro", "max", 1, 2, inf}
        Frobenius, as is None; the largest |a_ij|; the largest sum of a column's or a row's |a_ij| (they are the same);
        the largest singular value.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        For another `ord`; for NaN and infinity with ord=2.
    TypeError
        For other stores, and dates; with ord=2 float16 and smaller too.

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
    S = S if isinstance(S, SparseHalf) else as_packed(S, "norm")
    check_numbers(S, "a norm")
    order: Any = "fro" if ord is None else ord
    if isinstance(order, bool | np.bool) or not isinstance(order, str | Real) or order not in ORDS:
        raise ValueError(f"unknown ord {ord!r}: choose from 'fro', 'max', 1, 2, inf")
    if order == 2:
        return _spectral_norm(S)
    if isinstance(S, SparseHalf):
        return sparse_norms.norm(S, order)
    return float(reductions.norm(S.half, S.layout, S.kind, order))


def inner(S: Packed | SparseHalf, T: Packed | SparseHalf) -> Any:
    """The Frobenius inner product ``sum of conj(s_ij) t_ij``, from the halves.

    Parameters
    ----------
    S, T : Packed or SparseHalf
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
        For other stores, and dates.

    Notes
    -----
    One pass over both halves; where one is sparse, over what it stores. Integers are copied into float64, where nothing wraps around.

    Examples
    --------
    >>> import numpy as np
    >>> S, T = Packed(np.array([1.0, 2.0, 3.0])), Packed(np.array([5.0]), "condensed")
    >>> float(inner(S, T))
    20.0
    """
    S, T = (x if isinstance(x, SparseHalf) else as_packed(x, "inner") for x in (S, T))
    check_numbers(S, "an inner product")
    check_numbers(T, "an inner product", "T")
    if isinstance(S, SparseHalf) or isinstance(T, SparseHalf):
        reductions.check_sides(S.n, T.n)
        return sparse_norms.inner(S, T)
    half, other = (x.half.astype(float) if family(x.dtype) in "biu" else x.half for x in (S, T))
    return reductions.inner(half, S.layout, S.kind, other, T.layout, T.kind)


def _check(S: Any, task: str) -> None:
    """Whether a task of any store can be done."""
    if not isinstance(S, Store):
        as_packed(S, task)
    check_selfadjoint(S, task, EVERY)
    work_dtype(S.dtype, "S")
    check_finite(S, who=f"{task} needs")


def _operator(S: Store) -> Any:
    from scipy.sparse.linalg import LinearOperator

    return LinearOperator(S.shape, S.matvec, S.rmatvec, S.matmat, work_dtype(S.dtype, "S"), S.rmatmat)


def _shifted_inverse(S: Store, sigma: float, M: Any) -> Any:
    """(S - sigma M)^-1 as an operator, whatever the mode; M is I if it is None."""
    from scipy.sparse.linalg import LinearOperator

    dtype = work_dtype(S.dtype, "S")
    if isinstance(S, SparseHalf) and M is None:
        try:
            sparse = sparse_solve.SparseFactor(sparse_solve.shifted(S, sigma))
        except np.linalg.LinAlgError as error:
            raise np.linalg.LinAlgError(
                f"sigma = {sigma} is an eigenvalue, and has no factor: take a number beside it"
            ) from error
        return LinearOperator(S.shape, lambda b: sparse.solve(b).astype(dtype, copy=False), dtype=dtype)
    S = as_packed(S, "eigsh with sigma")
    shifted = Packed(convert(S.half.astype(dtype), S.layout, "vech", kind=S.kind), kind=S.kind)
    if M is None:
        shifted.add_diagonal(-sigma)
    else:
        shifted.half[...] -= sigma * _half_of(M, S, dtype)
    factor = factored(shifted, dtype)
    if not factor.pivots().all():
        raise np.linalg.LinAlgError(
            f"sigma = {sigma} is an eigenvalue, and has no factor: take a number beside it"
        )

    def solve(b: Array) -> Array:
        return factor.solve(np.array(b.reshape(S.n, 1), dtype)).reshape(b.shape)

    return LinearOperator(S.shape, solve, dtype=dtype)


def _half_of(M: Any, S: Packed, dtype: Dtype) -> Array:
    """The half, in "vech", of the M of a generalised problem, which is of the kind of S."""
    from scipy.sparse import issparse
    from scipy.sparse.linalg import LinearOperator

    if isinstance(M, Store):
        M = M if isinstance(M, Packed) else as_packed(getattr(M, "to_packed", lambda: M)(), "M")
    elif issparse(M):
        M = Packed(from_sparse(M, kind="hermitian"), kind="hermitian")
    elif isinstance(M, LinearOperator):
        raise TypeError(
            f"M is a {type(M).__name__}, which has no numbers to shift S by: pass OPinv, (S - sigma M)^-1"
        )
    else:
        M = Packed(pack(as_array(M, "M"), kind="hermitian"), kind="hermitian")
    check_selfadjoint(M, "eigsh", "the eigenvalues of others are not real", "M")
    if M.n != S.n or not np.can_cast(work_dtype(M.dtype, "M"), np.result_type(dtype, np.float64)):
        raise ValueError(f"M is {M!r} and S is {S!r}: M must be of the side of S, and real where S is")
    check_finite(M, "M", "eigsh needs")
    return np.asarray(convert(M.half.astype(dtype), M.layout, "vech", kind=M.kind))


def _spectral_norm(S: Packed | SparseHalf) -> float:
    check_finite(S)
    dtype = work_dtype(S.dtype, "S")
    if S.n <= DENSE:
        full = S @ np.eye(S.n, dtype=dtype)
        return float(np.linalg.norm(full, 2)) if S.n else 0.0
    unit = power_of_two(sparse_norms.norm(S, "max")) if isinstance(S, SparseHalf) else magnitude(S)
    if unit == 0:
        return 0.0
    from scipy.sparse.linalg import LinearOperator, eigsh

    # ARPACK stops where eigenvalues are small beside 1, so S is divided by unit: half of it before the product
    # and half after, where neither exceeds the dtype
    exponent = -int(np.log2(unit))
    before, after = (dtype.type(2.0**part) for part in (exponent // 2, exponent - exponent // 2))

    def apply(A: Store, x: Array) -> Array:
        return np.asarray((A @ (x.ravel() * before)) * after)

    start = np.random.default_rng(0).normal(size=S.n).astype(dtype)
    if is_selfadjoint(S):
        scaled = LinearOperator(S.shape, lambda x: apply(S, x), dtype=dtype)
        [value] = eigsh(scaled, 1, v0=start, return_eigenvectors=False)
        return float(abs(value)) * unit
    square = LinearOperator(S.shape, lambda x: apply(S.H, apply(S, x)), dtype=dtype)
    [value] = eigsh(square, 1, v0=start, return_eigenvectors=False)
    return float(np.sqrt(value)) * unit
