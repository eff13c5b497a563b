"""Solutions, inverses, determinants and conditions of halves of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, Dtype, as_array, family
from vech.layouts.kind import Kind
from vech.linalg import sparse_solve
from vech.linalg.checks import as_packed, check_finite, is_selfadjoint, is_sparse, work_dtype
from vech.linalg.factor import (
    Cholesky,
    SignLogdet,
    check_rows,
    columns,
    one_norm,
    product,
    sign_logdet,
    try_cholesky,
)
from vech.linalg.rectangle import Rectangle
from vech.linalg.units import lift, magnitude, times_power
from vech.moves.packing import pack
from vech.packed import norms
from vech.packed.packed import Packed
from vech.sparse import SparseHalf

LOG_2 = float(np.log(2))
MANY = 8  # from n / MANY right sides on LU is faster than LDL^H, whose solver takes them one by one


def solve(
    S: Packed | SparseHalf | ArrayLike,
    b: ArrayLike,
    *,
    solver: str = "auto",
    threads: int | None = None,
    **options: Any,
) -> Array:
    """The solution x of ``S x = b``; expands S, once, where it is Packed and not positive definite.

    Parameters
    ----------
    S : Packed or SparseHalf, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates.
    b : array, shape (n,) or (n, m); or series or frame
        The right side, or several as columns. Labels are those of S, in their order.
    solver : {"auto", "cholmod", "pardiso", "qdldl", "superlu", "cg", "minres"}
        For a SparseHalf. "auto" takes the first that is installed and fits: CHOLMOD (scikit-sparse), PARDISO
        (pypardiso), QDLDL, and SciPy's SuperLU, which takes every kind. CHOLMOD needs a positive definite matrix,
        QDLDL one that needs no pivoting; PARDISO takes real symmetric ones. "cg" (positive definite) and
        "minres" are SciPy's and multiply the half: memory for some columns. They take real symmetric and
        Hermitian matrices.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.
    **options
        Of ``scipy.sparse.linalg.cg`` and ``minres``: ``rtol`` (1e-10 unless told otherwise, 1e-6 in float32),
        ``maxiter``, a preconditioner ``M``, ...

    Returns
    -------
    array, of the shape of b
        In the dtype of ``numpy.linalg.solve``. A series or frame where b is one, of pandas or xarray, with its
        labels.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular (see the Notes), or an iteration ends too soon.
    ValueError, TypeError
        As `cholesky`, and for a b that does not fit; "auto" takes every kind.
    ModuleNotFoundError
        If the solver is not installed.

    Notes
    -----
    A Packed: tries `cholesky`, in memory for one more half. If S is not positive definite, the full matrix is made
    and factored in place: by the ``L D L^T`` of J. Bunch & L. Kaufman (Math. Comp. 31(137), 1977;
    LAPACK's ?sytrf, ?hetrf), or by LU where S is skew or b
    has more than n / 8 columns.

    A SparseHalf: the factor, in float64, takes as much time and memory as its fill asks for. Solutions are refined
    until their residual is rounding of ``|S| |x|``.

    What is singular is one rule for `solve` and `slogdet`. A Packed is where a pivot is exactly zero, as in NumPy;
    rounding may hide that, and `cond` shows it. A SparseHalf is singular to working precision, or else the answer
    would hang on which solver is installed: where, its rows scaled to size one, a right side of random signs is
    solved to no digit or by numbers beyond 1 / eps.

    Examples
    --------
    >>> import numpy as np
    >>> solve(Packed(np.array([0.0, 2.0, 0.0])), np.array([2.0, 4.0]))
    array([2., 1.])
    >>> S = SparseHalf([0, 1, 3], [0, 0, 1], [2.0, -1.0, 2.0], 2, triangle="lower")
    >>> solve(S, np.array([0.0, 3.0])).round(12), solve(S, np.array([0.0, 3.0]), solver="cg").round(8)
    (array([1., 2.]), array([1., 2.]))
    """
    S = S if is_sparse(S) else as_packed(S, "solve")
    frames.check_along(b, 0, S.labels, "b")
    solution: Array = frames.like(b, _solved(S, b, solver, options, threads))
    return solution


def _solved(
    S: Packed | SparseHalf, b: ArrayLike, solver: str, options: dict[str, Any], threads: int | None
) -> Array:
    if is_sparse(S):
        return sparse_solve.solve(S, b, solver, options, threads)
    assert isinstance(S, Packed)
    if solver != "auto" or options:
        raise TypeError(
            f"a Packed is solved by LAPACK: leave {', '.join(['solver', *options])} out, or take a SparseHalf"
        )
    b = as_array(b, "b")
    check_rows(b, S.n)
    wide = np.result_type(work_dtype(S.dtype, "S"), work_dtype(b.dtype, "b"))
    if b.size == 0:
        return np.zeros(b.shape, wide)
    dtype = wide if family(S.dtype) == "c" else np.zeros(0, wide).real.dtype
    many = b.ndim == 2 and b.shape[1] > S.n // MANY
    return columns(b, S.n, dtype, factored(S, dtype, threads, many=many).solve)


def inverse(S: Packed | ArrayLike, *, threads: int | None = None) -> Packed:
    """The inverse of S, of its kind and layout with the diagonal stored; expands S where it is not definite.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates; labels follow.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    Packed, shape (n, n)
        Float64 for integers.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular.
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    By `cholesky`, with memory for two halves beside the result; if S is not positive definite, by LU in the
    full matrix. Where the inverse only multiplies, `solve` is faster and more accurate.

    Examples
    --------
    >>> import numpy as np
    >>> inverse(Packed(np.array([0.0, 2.0, 1.0]))).half
    array([-0.25,  0.5 ,  0.  ])
    """
    S = as_packed(S, "inverse")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return Packed(S.half.astype(dtype), S.layout, kind=S.kind, labels=S.labels)
    factor = factored(S, dtype, threads, many=True)
    if isinstance(factor, Rectangle):
        return Cholesky(factor, S).inverse()
    assert isinstance(factor, _LU)
    layout = S.layout if S.layout.implied is None else S.layout.plain
    full = _with_settled_diagonal(factor.inverse(), S.kind)
    half = pack(full, layout, kind=S.kind, use=layout.triangle, threads=threads)
    return Packed(half, layout, kind=S.kind, labels=S.labels)


def slogdet(S: Packed | SparseHalf | ArrayLike, *, threads: int | None = None) -> SignLogdet:
    """Sign and logarithm of the determinant; expands S where it is Packed and not positive definite.

    Parameters
    ----------
    S : Packed or SparseHalf, or full matrix (array or frame)
        Of any kind, layout and dtype but float16 and smaller, and dates.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    SignLogdet
        ``sign, logabsdet`` as of ``numpy.linalg.slogdet``: the sign is exactly 1.0, -1.0, or 0.0 with -inf
        where `solve` calls S singular; of complex symmetric and skew matrices a complex number of modulus 1.

    Raises
    ------
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    By the factors, and in the memory, of `solve`; of a SparseHalf by those of CHOLMOD or QDLDL, the first that is
    installed and finds it positive definite, else by SuperLU.

    Examples
    --------
    >>> import numpy as np
    >>> sign, logabsdet = slogdet(Packed(np.array([0.0, 2.0, 0.0])))
    >>> float(sign * np.exp(logabsdet))
    -4.0
    """
    if is_sparse(S):
        return sparse_solve.slogdet(S, threads)
    S = as_packed(S, "slogdet")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return SignLogdet(1.0, 0.0)
    factor = factored(S, dtype, threads)
    sign, logarithm = product(factor.pivots())
    return sign_logdet(sign, logarithm - S.n * factor.exponent * LOG_2, S)


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
    if not factor.pivots().all():
        return float("inf")
    inverse = one_norm(factor.solve, S.n, dtype, symmetric=not S.kind.conjugates)
    return norms.norm(S._held, 1) * inverse


def factored(
    S: Packed, dtype: Dtype, threads: int | None = None, *, many: bool = False
) -> Rectangle | _LU | _BunchKaufman:
    """The factor that suits S: of Cholesky, or of the expanded matrix by the way for one or for many columns."""
    if is_selfadjoint(S) and (S.diagonal().real > 0).all():
        rectangle, minor = try_cholesky(S, dtype, threads)
        if not minor:
            return rectangle
        del rectangle  # S expands in the memory it had
    check_finite(S)
    from scipy.linalg import lapack

    pivoted = (
        many or S.kind.negates or not hasattr(lapack, "dsytrs")
    )  # SciPy has it, and ?hetrs, from 1.15 on
    return (_LU if pivoted else _BunchKaufman)(S, dtype, threads)


def _in_its_unit(S: Packed, dtype: Dtype) -> Packed:
    """S over a power of two, where it or its inverse would come near the ends of the dtype."""
    exponent, far = round(np.log2(magnitude(S) or 1.0)), np.finfo(dtype).maxexp // 2
    if -far < exponent < far:
        return S
    return Packed(
        times_power(S.half.astype(dtype), -exponent),
        S.layout.plain if S.layout.implied else S.layout,
        kind=S.kind,
    )


class _LU:
    """P L U of the expanded matrix."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype = S.n, dtype
        self._getrf, self._getrs, self._getri, self._lwork = get_lapack_funcs(
            ("getrf", "getrs", "getri", "getri_lwork"), dtype=dtype
        )
        full = expanded(S, dtype, threads)
        self.exponent = _lifted(full)
        self._factors, self._swaps, info = self._getrf(full, overwrite_a=True)
        self._singular = info > 0 or (S.kind is Kind.SKEW and S.n % 2 == 1)

    def solve(self, b: Array) -> Array:
        _check_regular(self._singular)
        x = self._getrs(self._factors, self._swaps, b, overwrite_b=True)[0]
        return times_power(x, self.exponent) if self.exponent else x

    def inverse(self) -> Array:
        _check_regular(self._singular)
        lwork = int(self._lwork(self.n)[0].real)
        full = self._getri(self._factors, self._swaps, lwork=lwork, overwrite_lu=True)[0]
        return times_power(full, self.exponent) if self.exponent else full

    def pivots(self) -> Array:
        """Numbers whose product is the determinant of the matrix times two to the `exponent`."""
        if self._singular:
            return np.zeros(1)
        swapped = np.count_nonzero(self._swaps != np.arange(self.n))
        return np.append(np.diagonal(self._factors), (-1.0) ** swapped)


class _BunchKaufman:
    """L D L^T (L D L^H of a Hermitian one) of the expanded matrix."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype = S.n, dtype
        self._hermitian = S.kind is Kind.HERMITIAN
        name = "he" if self._hermitian else "sy"
        trf, self._trs, lwork = get_lapack_funcs(
            (f"{name}trf", f"{name}trs", f"{name}trf_lwork"), dtype=dtype
        )
        work = int(lwork(self.n, lower=True)[0].real)
        full = expanded(S, dtype, threads)
        self.exponent = _lifted(full)
        self._factors, self._swaps, info = trf(full, lower=True, lwork=work, overwrite_a=True)
        self._singular = info > 0

    def solve(self, b: Array) -> Array:
        _check_regular(self._singular)
        x = self._trs(self._factors, self._swaps, b, lower=True, overwrite_b=True)[0]
        return times_power(x, self.exponent) if self.exponent else x

    def pivots(self) -> Array:
        """The same of D: of a block of it, its determinant in two factors."""
        if self._singular:
            return np.zeros(1)
        pivots = np.diagonal(self._factors).copy()
        firsts = np.flatnonzero(self._swaps < 0)[::2]
        a, below, c = pivots[firsts], self._factors[firsts + 1, firsts], pivots[firsts + 1]
        mirrored = below.conj() if self._hermitian else below
        pivots[firsts] = below
        pivots[firsts + 1] = a / below * c - mirrored
        return pivots


def expanded(S: Packed, dtype: Dtype, threads: int | None) -> Array:
    """The full matrix in Fortran order, with the diagonal of its kind."""
    half = S.half.astype(dtype, copy=False)
    full = Packed(half, S.layout, kind=S.kind).T.expand(threads=threads).T
    return _with_settled_diagonal(full, S.kind)


def _lifted(full: Array) -> int:
    """The exponent of the power of two that a matrix of tiny numbers is multiplied by, lest pivots have no inverse."""
    if exponent := lift(full.T):
        full[...] = times_power(full, exponent)
    return exponent


def _with_settled_diagonal(full: Array, kind: Kind) -> Array:
    np.fill_diagonal(full, kind.settled(full.diagonal()))
    return full


def _check_regular(singular: bool) -> None:
    if singular:
        raise np.linalg.LinAlgError("S is singular: it has no inverse, and S x = b no single solution")
