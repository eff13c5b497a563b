"""Solutions, inverses, determinants and conditions of halves of every kind."""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, Dtype, as_array, family, resolve_threads
from vech.layouts.layout import one_of
from vech.linalg import batches
from vech.linalg.checks import as_packed, check_finite, check_finite_array, half_of, is_sparse, work_dtype
from vech.linalg.factor.answers import (
    SignLogdet,
    check_regular,
    check_rows,
    determinant,
    one_norm,
    solution,
    solved,
    within,
)
from vech.linalg.factor.choice import factored, invertible
from vech.linalg.factor.promise import Factor
from vech.linalg.factor.sparse import DETERMINANT, DIRECT, SparseFactor
from vech.linalg.iterative import OPTIONS, iterated
from vech.linalg.units import times_power, unit_of
from vech.packed import norms
from vech.packed.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store


def solve(
    S: Store | ArrayLike,
    b: ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Array | None = None,
    solver: str = "auto",
    threads: int | None = None,
    **options: Any,
) -> Array:
    """The solution x of ``S x = b``; expands S, once, where it is Packed and not positive definite.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates.
    b : array, shape (n,) or (n, m); or series or frame
        The right side, or several as columns. Labels are those of S, in their order. With `batch`, vectors
        (..., n) where b has as many axes as S, or one, else columns (..., n, m); batches broadcast.
    batch : str or layout, or True, optional
        S is then an array of halves (..., length) of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        Of such halves: what the other triangle is. Symmetric for real data; for complex data it must be said.
    out : array, optional
        With `batch`, memory for the result.
    solver : {"auto", "cholmod", "pardiso", "qdldl", "superlu", "cg", "minres"}
        "cg" (positive definite) and "minres" are SciPy's and multiply any store, which is read once a step
        for each column: memory for some columns. They take real symmetric and Hermitian matrices. The others
        are for a SparseHalf: "auto" takes the first that is installed and fits of CHOLMOD (scikit-sparse),
        PARDISO (pypardiso), QDLDL, and SciPy's SuperLU, which takes every kind. CHOLMOD needs a positive
        definite matrix, QDLDL one that needs no pivoting; PARDISO takes real symmetric ones.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.
    **options
        Of ``scipy.sparse.linalg.cg`` and ``minres``: ``rtol`` (1e-10 unless told otherwise, 1e-6 in float32),
        ``maxiter``, a preconditioner ``M``, ...

    Returns
    -------
    array, of the shape of b
        In the dtype of ``numpy.linalg.solve``. A series or frame where b is one, of pandas or xarray, with
        its labels. With `batch`, an array of the batch and of n, or n x m.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular (see the Notes), or an iteration ends too soon.
    ValueError, TypeError
        As `cholesky`, and for a b that does not fit; "auto" takes every kind.
    OverflowError
        If x has numbers beyond the dtype.
    ModuleNotFoundError
        If the solver is not installed.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        As ``scipy.linalg.solve``, where a Packed is singular to working precision: the reciprocal of `cond`
        is below the eps of the dtype. One matrix, not a batch.

    Notes
    -----
    Any other store, as a Packed: tries `cholesky`, in memory for one more half. If S is not positive
    definite, the full matrix is made and factored in place: by the ``L D L^T`` of J. Bunch & L. Kaufman
    (Math. Comp. 31(137), 1977; LAPACK's ?sytrf, ?hetrf), or by LU (?getrf), with twice the operations, where
    S is skew, where b has more than n / 8 columns, and with SciPy before 1.15, which does not solve by the
    former. Numbers near the least ones of the dtype are multiplied by a power of two first, and lose no
    digits.

    A SparseHalf: the factor, in float64, takes as much time and memory as its fill asks for. Solutions are
    refined until their residual is rounding of ``|S| |x|``.

    What is singular is one rule for `solve` and `slogdet`. A Packed is where a pivot is exactly zero, as in
    NumPy; rounding may hide that, of which `solve` and `inverse` warn. A SparseHalf is singular to working
    precision, or else the answer would hang on which solver is installed: where, its rows scaled to size one,
    a right side of random signs is solved to no digit or by numbers beyond 1 / eps.

    Batches of real symmetric matrices up to n = 16 are solved side by side by a kernel: by Cholesky
    factors, and where these do not exist by eigenvalues. Others go through ``numpy.linalg``, expanded a few
    megabytes at a time.

    Examples
    --------
    >>> import numpy as np
    >>> solve(Packed(np.array([0.0, 2.0, 0.0])), np.array([2.0, 4.0]))
    array([2., 1.])
    >>> S = SparseHalf([0, 1, 3], [0, 0, 1], [2.0, -1.0, 2.0], 2, triangle="lower")
    >>> solve(S, np.array([0.0, 3.0])).round(12), solve(S, np.array([0.0, 3.0]), solver="cg").round(8)
    (array([1., 2.]), array([1., 2.]))
    >>> solve(np.array([[2.0, 0.0, 4.0], [0.0, 2.0, 0.0]]), np.array([2.0, 4.0]), batch="vech")
    array([[1., 1.],
           [2., 1.]])
    """
    if batches.is_given(batch):
        if solver != "auto" or options:
            raise TypeError("solver and its options are of one matrix: leave them out beside batch=")
        return batches.solve(S, b, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("solve", kind=kind, out=out)
    store = S if isinstance(S, Store) else as_packed(S, "solve")
    _check_solver(solver, options, is_sparse(store))
    resolve_threads(threads, 0)
    frames.check_along(b, 0, store.labels, "b")
    x: Array = frames.like(b, _solved(store, as_array(b, "b"), solver, options, threads))
    return x


def _solved(S: Any, b: Array, solver: str, options: dict[str, Any], threads: int | None) -> Array:
    check_rows(b, S.n)
    wide = np.result_type(work_dtype(S.dtype, "S"), work_dtype(b.dtype, "b"))
    if b.size == 0:
        return np.zeros(b.shape, wide)
    if not is_sparse(S) and solver == "auto":
        dtype = wide if family(S.dtype) == "c" else np.zeros(0, wide).real.dtype
        many = b.shape[1] if b.ndim == 2 else 1
        packed = as_packed(S, "solve")
        factor = factored(packed, dtype, threads, columns=many)
        _warn_if_ill_conditioned(packed, factor, stacklevel=3)
        x = solved(factor, b)
    else:
        check_finite(S)
        check_finite_array(b, "b", "solve")
        if solver in OPTIONS:
            x = iterated(S, b, solver, options, wide, threads)
        else:
            x = solved(SparseFactor(S, solver, threads), b)
    with np.errstate(over="ignore"):
        return within(x.astype(wide, copy=False), "x", "divide b")


def _warn_if_ill_conditioned(S: Packed, factor: Factor, *, stacklevel: int) -> None:
    """LinAlgWarning, as SciPy's, where nothing of S^-1 is known but its size.

    Pivots are looked at first: ten solves cost as much as the factor of 500 rows.
    """
    if factor.singular:
        return
    eps = float(np.finfo(factor.dtype).eps)
    pivots = np.abs(factor.pivots())
    if pivots.min() > math.sqrt(eps) * pivots.max():
        return
    norm = norms.norm(S._held, 1)
    of_norm = min(math.frexp(norm)[1], np.finfo(factor.dtype).maxexp // 2)  # nothing overflows on the way
    inverse = one_norm(
        lambda x: factor.solve(np.asfortranarray(times_power(x, of_norm + factor.exponent))),
        S.n,
        factor.dtype,
        symmetric=not S.kind.conjugates,
    )
    rcond = 1 / (math.ldexp(norm, -of_norm) * inverse)
    if rcond < eps:
        from scipy.linalg import LinAlgWarning

        warnings.warn(
            f"S is singular to working precision: its reciprocal condition number is {rcond:.3g}, below the "
            f"{eps:.3g} of {factor.dtype}, so that no digit of the result need be right; shrink S, add to "
            f"its diagonal, or take numpy.linalg.pinv of S.expand()",
            LinAlgWarning,
            stacklevel=stacklevel + 1,
        )


def _check_solver(solver: str, options: dict[str, Any], sparse: bool) -> None:
    """Refuse a solver, or options of one, that does not go with S."""
    if not sparse and solver in DIRECT:
        raise TypeError(
            "a Packed is solved by LAPACK: leave solver out, or take a SparseHalf; solver='cg' and 'minres' "
            "take every store"
        )
    one_of("solver", solver, ("auto", *DIRECT, *OPTIONS))
    if options and solver not in OPTIONS:
        raise TypeError(
            f"solver={solver!r} takes no {', '.join(options)}: they are options of SciPy's cg and minres, "
            f"so say solver='cg' or solver='minres'"
        )


def inverse(
    S: Packed | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
) -> Any:
    """The inverse of S, of its kind and layout with the diagonal stored; expands S where it is not definite.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates; labels follow.
    batch : str or layout, or True, optional
        S is then an array of halves (..., length) of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        Of such halves: what the other triangle is. Symmetric for real data; for complex data it must be said.
    out : array, optional
        With `batch`, memory for the result.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    Packed, shape (n, n)
        Float64 for integers. With `batch` an array (..., length) of the halves of all inverses.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular.
    ValueError, TypeError
        As `solve`.
    OverflowError
        If the inverse has numbers beyond the dtype.

    Warns
    -----
    scipy.linalg.LinAlgWarning
        As `solve`.

    Notes
    -----
    By `cholesky`, with memory for two halves beside the result; if S is not positive definite, by LU in the
    full matrix. Where the inverse only multiplies, `solve` is faster and more accurate.

    Batches of real symmetric matrices up to n = 16 are inverted side by side by a kernel: by Cholesky
    factors, and where these do not exist by eigenvalues. Others go through ``numpy.linalg``, expanded a few
    megabytes at a time.

    Examples
    --------
    >>> import numpy as np
    >>> inverse(Packed(np.array([0.0, 2.0, 1.0]))).half
    array([-0.25,  0.5 ,  0.  ])
    >>> inverse(np.array([[4.0, 0.0, 2.0], [2.0, 0.0, 8.0]]), batch="vech")
    array([[0.25 , 0.   , 0.5  ],
           [0.5  , 0.   , 0.125]])
    """
    if batches.is_given(batch):
        return batches.inverse(S, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("inverse", kind=kind, out=out)
    S = as_packed(S, "inverse")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return Packed(S.half.astype(dtype), S.layout, kind=S.kind, labels=S.labels)
    layout = S.layout if S.layout.implied is None else S.layout.plain
    factor = invertible(S, dtype, threads)
    check_regular(factor)
    _warn_if_ill_conditioned(S, factor, stacklevel=2)
    half = within(times_power(factor.inverse(layout, threads), factor.exponent), "the inverse", "multiply S")
    return Packed(half, layout, kind=S.kind, labels=S.labels)


def slogdet(
    S: Packed | SparseHalf | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    threads: int | None = None,
) -> SignLogdet:
    """Sign and logarithm of the determinant; expands S where it is Packed and not positive definite.

    Parameters
    ----------
    S : Packed or SparseHalf, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates.
    batch : str or layout, or True, optional
        S is then an array of halves (..., length) of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        Of such halves: what the other triangle is. Symmetric for real data; for complex data it must be said.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    SignLogdet
        ``sign, logabsdet`` as of ``numpy.linalg.slogdet``: the sign is exactly 1.0, -1.0, or 0.0 with -inf
        where `solve` calls S singular; of complex symmetric and skew matrices a complex number of modulus 1.
        With `batch`, arrays of the batch's shape.

    Raises
    ------
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    By the factors, and in the memory, of `solve`; of a SparseHalf by those of CHOLMOD or QDLDL, the first
    that is installed and finds it positive definite, else by SuperLU.

    Batches of real symmetric matrices up to n = 16 are factored side by side by a kernel: by Cholesky
    factors, and where these do not exist by eigenvalues. Others go through ``numpy.linalg``, expanded a few
    megabytes at a time.

    Examples
    --------
    >>> import numpy as np
    >>> sign, logabsdet = slogdet(Packed(np.array([0.0, 2.0, 0.0])))
    >>> float(sign * np.exp(logabsdet))
    -4.0
    >>> slogdet(np.array([[4.0, 0.0, 0.25], [0.0, 2.0, 0.0]]), batch="vech").sign
    array([ 1., -1.])
    """
    if batches.is_given(batch):
        found: Any = batches.slogdet(S, batch, kind=kind, threads=threads)
        return SignLogdet(*found)
    batches.refuse_alone("slogdet", kind=kind)
    half = half_of(S, "slogdet")
    dtype = work_dtype(half.dtype, "S")
    if half.n == 0:
        return SignLogdet(1.0, 0.0)
    if not is_sparse(half):
        return determinant(factored(half, dtype, threads), half)
    check_finite(half)
    try:
        return determinant(SparseFactor(half, threads=threads, among=DETERMINANT), half)
    except np.linalg.LinAlgError:
        return SignLogdet(0.0, -np.inf)


def cond(S: Packed | ArrayLike, *, threads: int | None = None) -> float:
    """An estimate of the condition number in the 1-norm; expands S where it is not positive definite.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    float
        At most ``numpy.linalg.cond(full, 1)`` and seldom under a third of it; infinity of a singular S, 0 of
        n = 0.

    Raises
    ------
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    The norm of S, exactly, times that of its inverse, estimated by about ten solves (Higham, "FORTRAN codes
    for estimating the one-norm", ACM TOMS 14(4), 1988, as in LAPACK's ?lacn2). By the factors, and in the
    memory, of `solve`; who has a `Cholesky` asks its `cond`.

    Examples
    --------
    >>> import numpy as np
    >>> round(cond(Packed(np.array([0.0, 2.0, 0.0, 0.0, 0.0, 8.0]))), 12)
    4.0
    """
    S = as_packed(S, "cond")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return 0.0
    S = _in_its_unit(S, dtype)
    factor = factored(S, dtype, threads)
    if factor.singular:
        return float("inf")
    inverse = one_norm(partial(solution, factor), S.n, dtype, symmetric=not S.kind.conjugates)
    return norms.norm(S._held, 1) * inverse


def _in_its_unit(S: Packed, dtype: Dtype) -> Packed:
    """S over a power of two, where it or its inverse would come near the ends of the dtype."""
    exponent, far = round(np.log2(unit_of(S))), np.finfo(dtype).maxexp // 2
    if -far < exponent < far:
        return S
    half = exponent // 2
    return cast(Packed, S.astype(dtype) * 2.0**-half * 2.0 ** (half - exponent))
