"""Eigenvalues, norms and inner products of a half."""

from __future__ import annotations

import warnings
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, Dtype, as_array, is_finite, is_real
from vech.layouts.layout import as_integer, one_of
from vech.linalg import batches, lanczos, norms
from vech.linalg.checks import (
    as_packed,
    check_finite,
    check_finite_array,
    check_numbers,
    check_selfadjoint,
    is_selfadjoint,
    work_dtype,
)
from vech.linalg.factor.full import expanded
from vech.linalg.generalised import generalised
from vech.linalg.units import check_eigenvalues, in_unit, over, scaled, unit_of
from vech.moves.foreign import judged_options
from vech.packed.packed import Packed
from vech.store import Store, common_labels

SMALL = 32  # up to this side the 2-norm is of the full matrix
DENSE = 128  # up to this side all eigenvalues, by LAPACK, take no longer than some by steps
ORDS = ("fro", "max", "inf", 1, 2, np.inf)
OWN = {"lower", "overwrite_a", "check_finite"}  # options of SciPy's eigh that follow from the half
EVERY = "scipy.linalg.eig(S.expand()) takes every matrix"


def eigsh(
    S: Store | ArrayLike,
    k: int = 6,
    which: str = "LM",
    *,
    sigma: float | None = None,
    M: Any = None,
    v0: ArrayLike | None = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0.0,
    return_eigenvectors: bool = True,
    OPinv: Any = None,  # noqa: N803
    Minv: Any = None,  # noqa: N803 (SciPy's names)
    mode: str = "normal",
) -> Any:
    """Some eigenvalues and eigenvectors, by Lanczos on the half; expands a small S, and may with sigma.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Symmetric and real, or Hermitian; any store will do. Integers are computed with in float64.
    k : int
        How many: 1 to n.
    which : {"LM", "SM", "LA", "SA", "BE"}
        Largest or smallest by magnitude; largest or smallest; from both ends by turns, the largest first.
        With sigma, of ``1 / (value - sigma)``: "LM" are the nearest to it.
    sigma : float, optional
        Those nearest to it are found by way of a factor of ``S - sigma M``, made by `cholesky` or, where that
        is indefinite, in the expanded matrix; of sparse halves by the solvers of `solve`. It is the way to
        the smallest ones (``sigma=0``), for which "SM" alone needs many steps.
    M : Store, array or SciPy sparse array, shape (n, n), optional
        Makes it ``S x = value M x``. Of the kind of S and positive definite; with sigma, semidefinite, k
        being at most its rank: the other values are infinite. A LinearOperator needs OPinv or Minv beside it.
    v0 : array, shape (n,), optional
        Where to start; by default a vector of random numbers, the same in each call.
    ncv : int, optional
        Vectors kept at a time, k + 1 to n; by default 2 k + 1, at least 20.
    maxiter : int, optional
        Restarts, each of ``ncv - k`` products or fewer; by default 10 n.
    tol : float
        The residual ``|S x - value x|`` over ``|value|`` that will do; by default rounding.
    return_eigenvectors : bool
        False for the values alone.
    OPinv, Minv : LinearOperator or array, shape (n, n), optional
        ``(S - sigma M)^-1``, or without sigma ``M^-1``, in place of a factor.
    mode : {"normal", "cayley", "buckling"}
        With sigma, as in SciPy's ``eigsh``.

    Returns
    -------
    values : array, shape (k,)
        Ascending; alone with ``return_eigenvectors=False``.
    vectors : array, shape (n, k)
        Columns, of norm 1 (``x^H M x``; in "buckling" ``x^H S x``).

    Raises
    ------
    ValueError
        If k or another argument is out of range, for a sigma that is not finite, for an M that is not
        definite or not symmetric, and for NaN and infinity in S, M or v0; the first place is named.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, dates, masked arrays, and a sigma that is
        no real number.
    OverflowError
        If an eigenvalue is beyond the dtype.
    numpy.linalg.LinAlgError
        If sigma is an eigenvalue, so that there is no factor, or M has none; if maxiter is reached, or no
        residual has halved in 100 restarts.

    Notes
    -----
    Thick-restart Lanczos with full orthogonalisation, in the dtype of S; each step multiplies by S. Memory
    for 2 (2 k + 20) vectors, of n x n numbers up to n = 128, where LAPACK takes the expanded matrix.

    Multiple eigenvalues are found as often as they occur: a Krylov space holds one copy of each, so further
    runs start at random among the vectors orthogonal to those that are found, until the best value left there
    is known to be no better. That made 0.8 to 1.3 times the products of SciPy's ``eigsh``, which does not
    look for copies, for six values of covariances, grids and random matrices, and up to 1.6 for one; where a
    product takes less than 0.1 ms, the steps of Python made it 1.2 to 2.7 times as slow. What can still be
    missed is a copy to which the one random start is orthogonal, as good as never, or one nearer to its
    neighbour than rounding, which is then given for it; "SM" without sigma looks amid other eigenvalues and
    may take a value that is not the next. Who must be sure takes `eigh`, which finds all, of
    ``S.to_packed()`` where S is sparse.

    A singular M (in "buckling", S) is looked at on its range alone, by a Cholesky factor ``M = B B^H`` with
    pivots: the values of ``B^H (S - sigma M)^-1 B`` are those wanted, without the infinite ones. That expands
    M, but for a sparse one that is definite where its rows are not empty. Of a LinearOperator the range is
    not known: starts and results are images of ``(S - sigma M)^-1 M``, and LinAlgError tells where that does
    not suffice.

    Of a sigma far from all eigenvalues, where (S - sigma M)^-1 hardly tells them apart, the values are
    ``x^H S x / x^H M x`` of the vectors x, in error by the square of what these are.

    Source: K. Wu, H. Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J.
    Matrix Anal. Appl. 22(2), 2000; with sigma, T. Ericsson, A. Ruhe, "The spectral transformation Lanczos
    method", Math. Comp. 35, 1980.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = eigsh(Packed(np.array([2.0, 1.0, 0.0, 2.0, 1.0, 2.0])), k=1)
    >>> np.round(values, 4)
    array([3.4142])
    """
    S = _checked(S, "eigsh")
    dtype = work_dtype(S.dtype, "S")
    if not 1 <= as_integer("k", k) <= S.n:
        raise ValueError(f"eigsh finds 1 to {S.n} eigenvalues of a matrix of side {S.n}, not k = {k}")
    one_of("which", which, lanczos.WHICH)
    start = None if v0 is None else _start(v0, S.n, dtype, S.labels)
    room = 0 if ncv is None else as_integer("ncv", ncv)
    if ncv is not None and not min(k + 1, S.n) <= room <= S.n:
        raise ValueError(
            f"ncv is {room}, but for k = {k} and side {S.n} it must be {min(k + 1, S.n)} to {S.n}"
        )
    most = 10 * S.n if maxiter is None else as_integer("maxiter", maxiter)
    if most < 1:
        raise ValueError(f"maxiter must be at least 1, not {most}")
    if not is_real(tol) or not 0 <= tol < 1:
        raise ValueError(f"tol must be a number from 0 to 1, not {short(tol)}: it is relative")
    if sigma is None and M is None and S.n <= DENSE and OPinv is None and Minv is None and mode == "normal":
        values, vectors = _dense(S, dtype, k, which)
    else:
        problem = generalised(S, M, sigma, OPinv, Minv, mode)
        if problem.operator.n < k:
            raise ValueError(
                f"eigsh finds at most {problem.operator.n} eigenvalues beside a matrix of rank "
                f"{problem.operator.n}, not k = {k}: the others are infinite, or with mode='buckling' zero"
            )
        start = None if start is None else problem.start(start)
        start = start if start is None or start.any() else None
        rounding = lanczos.rounding(S.n, dtype)
        near = "those next to zero" if which == "SM" else "values in the midst of others"
        shift = "sigma=0" if which == "SM" else "sigma="
        advice = "" if problem.inverted else f"; {near} are found fast by {shift}"
        accuracy = lanczos.Accuracy(
            max(float(tol), rounding), 0.0 if problem.inverted else rounding, most, advice
        )
        found = lanczos.eigenpairs(problem.operator, k, which, accuracy, start, room)
        values = problem.values(found.values, found.vectors)
        vectors = problem.vectors(found.values, found.vectors)
    order = np.argsort(values)
    wide = values[order]
    with np.errstate(over="ignore"):
        values = wide.astype(np.zeros(0, dtype).real.dtype)
    check_eigenvalues(values[np.isfinite(wide)])
    return (values, vectors[:, order]) if return_eigenvectors else values


def _dense(S: Store, dtype: Dtype, k: int, which: str) -> Any:
    """All eigenpairs of the expanded matrix, and of these those that are wanted."""
    from scipy.linalg import eigh

    unit = unit_of(S)
    full = over(S.expand().astype(dtype, order="F"), unit)
    values, vectors = eigh(full, lower=True, overwrite_a=True, check_finite=False)
    chosen = lanczos.best(values, k, which)
    return in_unit(values[chosen], unit), vectors[:, chosen]


def _start(v0: ArrayLike, n: int, dtype: Dtype, labels: tuple[Any, ...] | None) -> Array:
    """Where to start, of norm one."""
    frames.check_along(v0, 0, labels, "v0")
    v0 = as_array(v0, "v0")
    if v0.shape != (n,):
        raise ValueError(f"v0 has shape {v0.shape}, but S is of side {n}: ({n},)")
    if work_dtype(v0.dtype, "v0").kind == "c" and dtype.kind != "c":
        raise TypeError("v0 is complex and S real: take its real part")
    check_finite_array(v0, "v0", "eigsh")
    start = v0.astype(np.result_type(dtype, np.float64))
    largest = np.abs(start).max()
    if largest == 0:
        raise ValueError("v0 is all zeros, which is no direction: leave it out")
    return np.asarray((start / largest).astype(dtype))


def lobpcg(S: Store | ArrayLike, X: ArrayLike, **options: Any) -> Any:
    """Some eigenvalues and eigenvectors, by SciPy's ``lobpcg`` on the half.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
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
    OverflowError
        If an eigenvalue is beyond the dtype.

    Notes
    -----
    By SciPy's ``lobpcg``: A. Knyazev, "Toward the optimal preconditioned eigensolver", SIAM J. Scientific
    Computing 23(2), 2001. Each step multiplies k columns by S; memory for about 10 k vectors.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.zeros(465)).set_diagonal(np.arange(1.0, 31))
    >>> values, vectors = lobpcg(S, np.ones((30, 1)), tol=1e-6, maxiter=100)
    >>> np.round(values, 6)
    array([30.])
    """
    from scipy.sparse.linalg import LinearOperator, lobpcg

    S = _checked(S, "lobpcg")
    dtype = work_dtype(S.dtype, "S")
    frames.check_along(X, 0, S.labels, "X")
    X = as_array(X, "X")
    if X.ndim != 2 or X.shape[0] != S.n or not 1 <= X.shape[1] <= S.n:
        raise ValueError(f"X has shape {X.shape}, but S is of side {S.n}: ({S.n}, k) with k from 1 to {S.n}")
    X = X.astype(work_dtype(X.dtype, "X"))
    check_finite_array(X, "X", "lobpcg")
    for name in ("B", "M", "Y"):
        given = options.get(name)
        if name == "Y" and given is not None:
            frames.check_along(given, 0, S.labels, name)
        elif given is None or callable(given) or hasattr(given, "matvec") or frames.is_sparse(given):
            continue
        options[name] = found = as_array(given, name)
        if name != "Y":
            if found.shape != S.shape:
                raise ValueError(f"{name} has shape {found.shape}, but S is of side {S.n}: {S.shape}")
            common_labels(S.labels, frames.square_labels(given, name))
        check_finite_array(found, name, "lobpcg")
    unit = unit_of(S)
    if options.get("tol") is not None:
        options["tol"] = _residual(options["tol"]) / unit
    multiply = scaled(S, dtype, unit)
    operator = LinearOperator(
        S.shape, lambda x: multiply(x.reshape(S.n, -1)).reshape(x.shape), matmat=multiply, dtype=dtype
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = lobpcg(operator, X, **judged_options(options))
        except (ValueError, np.linalg.LinAlgError) as error:
            if "linearly dependent" not in str(error) and "Cholesky" not in str(error):
                raise
            raise ValueError("the columns of X are no independent ones: take others") from error
    if any("Exited" in str(warning.message) for warning in said):
        warnings.warn(
            "lobpcg stopped before its residuals were within tol: allow more steps (maxiter=), "
            "a larger tol or a preconditioner (M=); eigsh needs no start",
            stacklevel=2,
        )
    if 5 * X.shape[1] > S.n:
        warnings.warn(
            f"lobpcg expands S where X has more than n / 5 columns, as {X.shape[1]} of {S.n}", stacklevel=2
        )
    return in_unit(found[0], unit), *found[1:]


def _residual(tol: Any) -> float:
    if not is_real(tol) or not is_finite(tol) or tol <= 0:
        raise ValueError(f"tol must be a positive number, not {short(tol)}: the largest residual")
    return float(tol)


def eigh(
    S: Packed | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Any = None,
    threads: int | None = None,
    **options: Any,
) -> Any:
    """Expands S, and finds all eigenvalues and eigenvectors by SciPy's ``eigh``; of batches by a kernel.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame)
        Symmetric and real, or Hermitian. Integers are computed with in float64.
    batch : str or layout, or True, optional
        S is then an array of halves (..., length) of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian"}, optional
        Of such halves: what the other triangle is. For complex data it must be said.
    out : two arrays, optional
        With `batch`, memory for values and vectors; with ``eigvals_only=True`` one, for the values.
    threads : int, optional
        At most so many threads for the expansion; BLAS has its own.
    **options
        Of ``scipy.linalg.eigh``: ``eigvals_only=True``, ``subset_by_index=[first, last]``, ``driver``, ...;
        but for ``lower``, ``overwrite_a`` and ``check_finite``, which follow from the half. A batch takes
        ``eigvals_only`` alone.

    Returns
    -------
    values : array, shape (n,)
        Ascending; alone with ``eigvals_only=True``.
    vectors : array, shape (n, n)
        Columns, of norm 1. With `batch`, values (..., n) and vectors (..., n, n), as ``numpy.linalg.eigh``.

    Raises
    ------
    ValueError
        If S holds NaN or infinity; the first (i, j) is named.
    TypeError
        For stores that are not Packed, complex symmetric and skew kinds, float16 and smaller, dates, and the
        three options named.
    OverflowError
        If an eigenvalue is beyond the dtype.

    Notes
    -----
    O(n^3) operations, and n x n numbers beside the eigenvectors: the half is expanded into the array that
    LAPACK overwrites.

    Batches of real matrices up to n = 16 are rotated side by side by a kernel until they are diagonal (H.
    Rutishauser, "The Jacobi method for real symmetric matrices", Numerische Mathematik 9, 1966): values are
    within 4 eps of the largest modulus among them, also where they are equal or their matrix is at the ends
    of the dtype. Others, and Hermitian ones, go through ``numpy.linalg.eigh``, expanded a few megabytes at a
    time.

    Examples
    --------
    >>> import numpy as np
    >>> values, vectors = eigh(Packed(np.array([2.0, 1.0, 2.0])))
    >>> np.round(values, 12)
    array([1., 3.])
    >>> values, vectors = eigh(np.array([[2.0, 1.0, 2.0], [5.0, 0.0, 5.0]]), batch="vech")
    >>> np.round(values, 12)
    array([[1., 3.],
           [5., 5.]])
    """
    from scipy.linalg import eigh

    if batches.is_given(batch):
        only = options.pop("eigvals_only", False)
        if options:
            raise TypeError(f"eigh of a batch takes no {', '.join(options)}: eigvals_only is its one option")
        return batches.eigh(S, batch, kind=kind, out=out, threads=threads, eigvals_only=bool(only))
    batches.refuse_alone("eigh", kind=kind, out=out)
    S = as_packed(S, "eigh")
    if clash := sorted(OWN & options.keys()):
        raise TypeError(
            f"eigh takes no {', '.join(clash)}: vech expands S, checks it and hands it over to LAPACK"
        )
    check_selfadjoint(S, "eigh", EVERY)
    check_finite(S)
    numbers = S.half.astype(work_dtype(S.dtype, "S"), copy=False)
    full = expanded(S._held._replace(numbers=numbers), threads)
    found = eigh(full, lower=True, overwrite_a=True, check_finite=False, **options)
    check_eigenvalues(found[0] if isinstance(found, tuple) else found)
    return found


def norm(S: Store | ArrayLike, ord: str | float | None = "fro") -> float:
    """A norm of the full matrix, from the half.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Of any kind, layout and dtype but dates.
    ord : {"fro", "max", 1, 2, inf}
        Frobenius, as is None; the largest ``|a_ij|``; the largest sum of a column's or a row's ``|a_ij|``
        (they are the same); the largest singular value.

    Returns
    -------
    float
        Infinity for what is beyond float64.

    Raises
    ------
    ValueError
        For another `ord`; for NaN and infinity with ord=2.
    TypeError
        For what is no store, and dates; with ord=2 float16 and smaller too.

    Notes
    -----
    One pass over the half, or over the tiles of a store that is none, of a `vech.Tiled` by the workers of
    ``S.using(executor)``; the 2-norm by Lanczos, some products with S.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.array([3.0, -4.0, 0.0]))
    >>> norm(S, "max"), norm(S, 1), round(norm(S), 4), round(norm(S, 2), 4)
    (4.0, 7.0, 6.4031, 5.772)
    """
    store = S if isinstance(S, Store) else as_packed(S, "norm")
    check_numbers(store, "a norm")
    order: Any = "fro" if ord is None else ord
    if not (isinstance(order, str) or is_real(order)) or order not in ORDS:
        raise ValueError(f"unknown ord {ord!r}: choose from 'fro', 'max', 1, 2, inf")
    return _spectral_norm(store) if order == 2 else norms.norm(store, order)


def inner(S: Store | ArrayLike, T: Store | ArrayLike) -> Any:
    """The Frobenius inner product ``sum of conj(s_ij) t_ij``, from the halves.

    Parameters
    ----------
    S, T : Store, or full matrix (array or frame)
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
        For what is no store, and dates.

    Notes
    -----
    One pass over both halves; where one is sparse, over what it stores. Integers are copied into float64,
    where nothing wraps around.

    Examples
    --------
    >>> import numpy as np
    >>> S, T = Packed(np.array([1.0, 2.0, 3.0])), Packed(np.array([5.0]), "condensed")
    >>> float(inner(S, T))
    20.0
    """
    a, b = (x if isinstance(x, Store) else as_packed(x, "inner") for x in (S, T))
    check_numbers(a, "an inner product")
    check_numbers(b, "an inner product", "T")
    if a.n == b.n:
        common_labels(a.labels, b.labels)
    return norms.inner(a, b)


def _checked(S: Any, task: str) -> Store:
    """What a task of any store is done with."""
    store: Store = S if isinstance(S, Store) else as_packed(S, task)
    check_selfadjoint(store, task, EVERY)
    work_dtype(store.dtype, "S")
    check_finite(store, who=f"{task} needs")
    return store


def _spectral_norm(S: Store) -> float:
    check_finite(S)
    dtype = work_dtype(S.dtype, "S")
    if S.n <= SMALL:
        unit = unit_of(S)
        full = over(S @ np.eye(S.n, dtype=dtype), unit)
        return float(np.linalg.norm(full, 2)) * unit if S.n else 0.0
    unit, rounding = unit_of(S), lanczos.rounding(S.n, dtype)
    multiply, adjoint = scaled(S, dtype, unit), scaled(S.H, dtype, unit)
    apply = multiply if is_selfadjoint(S) else lambda x: adjoint(multiply(x))
    accuracy = lanczos.Accuracy(rounding, rounding, 10 * S.n)
    operator = lanczos.Operator(S.n, dtype, apply)
    [value] = lanczos.search(operator, 1, "LM", accuracy, np.random.default_rng(lanczos.SEED)).values
    return float(abs(value) if is_selfadjoint(S) else np.sqrt(value)) * unit
