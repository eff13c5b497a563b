"""The nearest matrix that is one: correlations and covariances that estimation left indefinite."""

from __future__ import annotations

from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, epsilon, is_finite, is_real
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import as_integer
from vech.linalg import lanczos
from vech.linalg.checks import as_packed, check_finite, check_selfadjoint
from vech.linalg.factor.rectangle import rectangle_of
from vech.linalg.newton import eigenpairs, largest_of, newton, with_diagonal
from vech.linalg.units import power_of_two, unit_of
from vech.moves.converting import convert
from vech.moves.packing import pack
from vech.moves.runs import Half
from vech.packed import norms
from vech.packed.packed import Packed
from vech.store import common_labels

FOUND = lanczos.Accuracy(1e-6, 0.0, 300)  # of the smallest eigenvalue's vector, which its quotient squares
DENSE = 64  # a smaller matrix is expanded to find its smallest eigenvalue


class Nearest(NamedTuple):
    """A repaired matrix, how far it is from what was given, what it took, and how definite it is.

    Attributes
    ----------
    matrix : Packed
        Has a Cholesky factor, but for zeros. In the layout and dtype (native) of what was given, its diagonal
        stored; labels follow.
    distance : float
        Frobenius norm of the difference, over the full matrix; infinity where float64 ends.
    iterations : int
        Newton steps, eigendecompositions or bisections; 0 where the matrix was definite as it was.
    smallest_eigenvalue : float
        Of `matrix`, to the rounding of its dtype; infinity for n = 0.
    """

    matrix: Packed
    distance: float
    iterations: int
    smallest_eigenvalue: float


def nearest_correlation(
    S: Packed | ArrayLike, *, tol: float = 1e-6, max_iterations: int = 100, floor: float | None = None
) -> Nearest:
    """Expands S, and finds the correlation matrix nearest to it in the Frobenius norm.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame), of real floats, symmetric, with a positive diagonal
        Its diagonal need not be 1 and has no say in the result; it counts in the distance.
    tol : float
        The root mean square by which the diagonal of the projection may miss 1 when Newton's method stops;
        what is left is scaled away, so the result has ones to the bit.
    max_iterations : int
        Newton steps at most.
    floor : float, optional
        The smallest eigenvalue the result may have, below 1: of all correlations X with ``X - floor I``
        semidefinite it is the nearest. By default 4 n eps of the dtype, raised where LAPACK needs more to
        factorise the result.

    Returns
    -------
    Nearest
        ``matrix``, ``distance``, ``iterations``, ``smallest_eigenvalue``.

    Raises
    ------
    ValueError
        For NaN or infinity, a row of zeros, a diagonal that is not positive, or a `floor` or `tol` that fits
        nothing.
    TypeError
        For anything but a real symmetric `Packed` of float32 or float64.
    numpy.linalg.LinAlgError
        If `max_iterations` steps do not reach `tol`, or the rounding of float64, which is eps times the
        largest eigenvalue, forbids it.

    Notes
    -----
    Minimises the dual of Qi and Sun: ``theta(y) = ||(S + Diag y)_+||^2 / 2 - sum(y)``, whose gradient is
    ``diag((S + Diag y)_+) - 1``, by Newton's method; each direction by conjugate gradients, preconditioned by
    the diagonal of the Hessian. Converges quadratically. Computes in float64.

    Cost: one eigendecomposition a step, mostly 4 to 8 of them, but about 50 for numbers of 10^5 and up to 300
    for 10^7; and 7 n x n arrays at its peak.

    Sources: H. Qi, D. Sun, "A quadratically convergent Newton method for computing the nearest correlation
    matrix", SIAM J. Matrix Anal. Appl. 28(2), 2006; R. Borsdorf, N. Higham, "A preconditioned Newton
    algorithm for the nearest correlation matrix", IMA J. Numer. Anal. 30(1), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.array([1.0, 1, 0, 1, 1, 1]))  # no correlation: 1 and 1, and 0
    >>> found = nearest_correlation(S)
    >>> found.matrix.half.round(4)
    array([1.    , 0.7607, 0.1573, 1.    , 0.7607, 1.    ])
    >>> round(found.distance, 4), found.smallest_eigenvalue > 0
    (0.5278, True)
    """
    S = _checked_store(S, "S", "nearest_correlation")
    if S.kind is not Kind.SYMMETRIC:
        raise TypeError(f"S is {S.dtype} and {S.kind}: correlations are real, and nearest_psd takes it")
    _check_diagonal(S, "a correlation has ones there")
    if not is_real(tol) or not is_finite(tol) or tol <= 0:
        raise ValueError(f"tol must be a positive number, not {short(tol)}")
    most = as_integer("max_iterations", max_iterations)
    if most < 0:
        raise ValueError(f"max_iterations must be at least 0, not {most}")
    least = 4 * S.n * epsilon(S.dtype) if floor is None else _as_floor(floor)
    if least >= 1:
        raise ValueError(f"floor must be below 1, not {least}: the eigenvalues of a correlation have mean 1")
    if np.all(S.diagonal() == 1) and _has_factor(S, least):
        return _unchanged(S)
    full = _expanded(S)
    np.fill_diagonal(full, 1 - least)
    with np.errstate(all="ignore"):  # it stops where numbers are no longer finite
        nearest, steps = newton(full, 1 - least, float(tol), most)
    np.fill_diagonal(nearest, 1)
    return _repaired(S, nearest, 1.0, steps, least, ones=True)


def nearest_psd(S: Packed | ArrayLike, *, floor: float | None = None) -> Nearest:
    """Expands S, and finds the positive semidefinite matrix nearest to it in the Frobenius norm.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame), of floats or complex numbers, symmetric or Hermitian
        Its diagonal may be of any sign.
    floor : float, optional
        The smallest eigenvalue of the result. By default 4 n eps of the dtype times the largest number by
        size, raised where LAPACK needs more to factorise the result; without one zeros are their own answer.

    Returns
    -------
    Nearest
        ``matrix``, ``distance``, ``iterations`` (one, of an eigendecomposition), ``smallest_eigenvalue``.

    Raises
    ------
    ValueError
        For NaN or infinity, or a `floor` that is not positive.
    OverflowError
        If the result exceeds the dtype.
    TypeError
        For anything but a `Packed` that is real symmetric or complex Hermitian, of a dtype LAPACK has.

    Notes
    -----
    ``X = Q max(lambda, floor) Q^H`` where ``S = Q lambda Q^H``. Computes in float64 or complex128.

    Cost: one eigendecomposition, and 8 n x n arrays at its peak. It takes all pairs: at n = 1000 LAPACK's
    fastest driver needs 0.16 s for them, and a subset 0.09 s for 5 % of them, but more than 0.16 s from 25 %
    on.

    Source: N. Higham, "Computing a nearest symmetric positive semidefinite matrix", Linear Algebra Appl. 103,
    1988.

    Examples
    --------
    >>> import numpy as np
    >>> found = nearest_psd(Packed(np.array([1.0, 2, 1])))  # eigenvalues 3 and -1
    >>> found.matrix.half.round(4), round(found.distance, 4)
    (array([1.5, 1.5, 1.5]), 1.0)
    """
    S = _checked_store(S, "S", "nearest_psd")
    least = 0.0 if floor is None else _as_floor(floor)
    largest = norms.norm(S._held, "max")
    unit = power_of_two(max(largest, least))
    if not unit:
        return _unchanged(S)
    if floor is None:
        least = 4 * S.n * epsilon(S.dtype) * largest
    if _has_factor(S, least):
        return _unchanged(S)
    full = _expanded(S)
    full /= unit
    least = least / unit or 4 * S.n * epsilon(S.dtype)  # of numbers so small that their floor is none
    values, vectors = eigenpairs(full.copy(order="F"))
    low = int(np.count_nonzero(values < least))
    if 2 * low < S.n:
        part = vectors[:, :low] * np.sqrt(least - values[:low])
        nearest = full + part @ part.conj().T
    else:
        part = vectors[:, low:] * np.sqrt(values[low:] - least)
        nearest = _shifted(part @ part.conj().T, least)
    return _repaired(S, nearest, unit, 1, least, ones=False)


def shrink_to_psd(
    S: Packed | ArrayLike,
    target: Packed | ArrayLike | None = None,
    *,
    tol: float = 1e-6,
    floor: float | None = None,
) -> Nearest:
    """Moves S towards a definite target until it is definite; may expand S to find its smallest eigenvalue.

    Parameters
    ----------
    S : Packed, or full matrix (array or frame), of float32, float64, complex64 or complex128
        Symmetric or Hermitian; of a correlation, or a covariance, that is indefinite.
    target : Packed, or full matrix, optional
        Positive definite, of the same n and kind, in any layout. By default the diagonal of S, so that a
        correlation keeps its ones and a covariance its variances.
    tol : float
        How far beyond the smallest step to the target, which is 1, the step may be.
    floor : float, optional
        The result minus floor I has a Cholesky factor. By default 4 n eps of the dtype times the largest
        diagonal number.

    Returns
    -------
    Nearest
        ``matrix``, ``distance``, ``iterations`` (bisections), ``smallest_eigenvalue``. Every number in which
        S and the target agree is kept to the bit, so a block that is to stay is put into the target.

    Raises
    ------
    ValueError
        For NaN or infinity, a target that does not fit or has no Cholesky factor; without a target, for a row
        of zeros or a diagonal that is not above the floor; a `tol` or `floor` that fits nothing.
    OverflowError
        If S and the target are further apart than the dtype reaches.
    TypeError
        For anything but `Packed` stores, real symmetric or complex Hermitian, of a dtype LAPACK has.

    Notes
    -----
    ``S + a (T - S)`` for the smallest a in [0, 1] that makes it definite, by bisection: each step is one
    Cholesky factorisation, in rectangular full packed, and a step that fails ends early.

    Cost: log2(1 / tol) factorisations of n^3 / 3 operations; memory of three more halves. No n x n array,
    unless the smallest eigenvalue is so near to rounding that Lanczos' method cannot find it.

    Source: N. Higham, N. Strabic, V. Sego, "Restoring definiteness via shrinking, with an application to
    correlation matrices with a fixed block", SIAM Review 58(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> found = shrink_to_psd(Packed(np.array([1.0, 1, 0, 1, 1, 1])))
    >>> found.matrix.half.round(4), round(found.distance, 4)
    (array([1.    , 0.7071, 0.    , 1.    , 0.7071, 1.    ]), 0.5858)
    """
    S = _checked_store(S, "S", "shrink_to_psd")
    n, layout, dtype, labels = S.n, _result_layout(S), S.dtype.newbyteorder("="), S.labels
    if not (is_real(tol) and 0 < tol < 1):
        raise ValueError(f"tol must be a number between 0 and 1, not {short(tol)}")
    given = _native(S, layout)
    on = layout.diagonal_slots(n)
    if target is None:
        why = "shrinking keeps the diagonal, so it must be positive, or pass a target"
        _check_diagonal(S, why)
        way, largest = -given, largest_of(given[on])
        way[on] = 0
    else:
        target = _checked_store(target, "target", "shrink_to_psd")
        if (target.n, target.kind, target.dtype.newbyteorder("=")) != (n, S.kind, dtype):
            raise ValueError(f"target is {target!r} and S is {S!r}: n, dtype and kind must be the same")
        labels = common_labels(S.labels, target.labels)
        goal = _native(target, layout)
        with np.errstate(over="ignore"):
            way, largest = goal - given, largest_of(goal[on])
        if not np.isfinite(way).all():
            raise OverflowError(
                f"S and target are further apart than {dtype} reaches: divide both by a number"
            )
    least = 4 * n * epsilon(dtype) * largest if floor is None else _as_floor(floor)
    if target is None:
        _check_diagonal(S, f"{why}, and above the floor of {least:.3g}", least)

    def towards(step: float) -> Array:
        moved = way * dtype.type(step)
        moved += given
        return np.asarray(moved)

    def is_definite(step: float) -> bool:
        return _has_factor(Packed(towards(step), layout, kind=S.kind), least)

    low, high, iterations = 0.0, 1.0, 0
    if is_definite(low):
        high = low
    elif not is_definite(high):
        raise ValueError(f"target minus {least:.3g} I has no Cholesky factor: it must be positive definite")
    while high - low > tol:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        iterations += 1
        if is_definite(middle):
            high = middle
        else:
            low = middle
    matrix = Packed(towards(high), layout, kind=S.kind, labels=labels)
    distance = norms.norm(Half(way * dtype.type(high), layout, S.kind))
    return Nearest(matrix, distance, iterations, _smallest_of_half(matrix))


# ---------------------------------------------------------------- full matrices


def _shifted(matrix: Array, amount: float) -> Array:
    return with_diagonal(matrix, matrix.diagonal() + amount)


def _has_factor(S: Packed, least: float = 0.0) -> bool:
    """Whether ``S - least I`` has a Cholesky factor, in the dtype of S and in the way of `cholesky`."""
    numbers = S.half.astype(S.dtype.newbyteorder("="), copy=False)
    rectangle = rectangle_of(S._held._replace(numbers=numbers))
    rectangle.lower_diagonal(least)
    return rectangle.factor() == 0


def _repaired(
    S: Packed, repaired: Array, unit: float, iterations: int, floor: float, *, ones: bool
) -> Nearest:
    """The result, in units, lifted towards the identity until it has a Cholesky factor in its own dtype."""
    layout, dtype = _result_layout(S), S.dtype.newbyteorder("=")
    while True:
        with np.errstate(over="ignore"):
            rounded = (repaired * unit).astype(dtype)
        np.fill_diagonal(rounded, rounded.diagonal().real)
        half = pack(rounded, layout, kind=S.kind, use=layout.triangle)
        if not np.isfinite(half).all():
            raise OverflowError(f"the nearest matrix has numbers beyond {dtype}: divide S by a number first")
        matrix = Packed(half, layout, kind=S.kind, labels=S.labels)
        if _has_factor(matrix):
            return Nearest(matrix, _distance(matrix, S), iterations, _smallest(matrix.expand()))
        repaired = _shifted(repaired, floor)
        if ones:
            repaired /= 1 + floor
            np.fill_diagonal(repaired, 1)
        floor *= 2


def _unchanged(S: Packed) -> Nearest:
    layout = _result_layout(S)
    matrix = Packed(_native(S, layout).copy(), layout, kind=S.kind, labels=S.labels)
    return Nearest(matrix, 0.0, 0, _smallest(matrix.expand()))


def _distance(matrix: Packed, S: Packed) -> float:
    wide = np.result_type(matrix.dtype, np.float64)
    difference = matrix.half.astype(wide)
    difference -= _native(S, matrix.layout)
    return norms.norm(matrix._held._replace(numbers=difference))


def _smallest(full: Array) -> float:
    from scipy.linalg import eigvalsh

    if not len(full):
        return float("inf")
    wide = full.astype(np.result_type(full, np.float64))
    return float(eigvalsh(wide, subset_by_index=(0, 0), check_finite=False)[0])


def _smallest_of_half(matrix: Packed) -> float:
    """The smallest eigenvalue of a definite matrix: a vector by Lanczos on the inverse, and its quotient."""
    n = matrix.n
    if n <= DENSE:
        return _smallest(matrix.expand())
    unit = unit_of(matrix)
    wide = matrix.half.astype(np.result_type(matrix.dtype, np.float64))
    wide /= unit
    factor = rectangle_of(matrix._held._replace(numbers=wide))
    factor.factor()

    operator = lanczos.Operator(n, factor.dtype, lambda b: factor.solve(np.array(b, order="F")))
    try:
        found = lanczos.search(operator, 1, "LM", FOUND, np.random.default_rng(lanczos.SEED))
    except (np.linalg.LinAlgError, ValueError):  # rounding is as large as the eigenvalue
        return _smallest(matrix.expand())
    x = found.vectors[:, 0]
    product = Packed(wide, matrix.layout, kind=matrix.kind) @ x
    return float(np.vdot(x, product).real / np.vdot(x, x).real) * unit


# ---------------------------------------------------------------- what is taken


def _checked_store(store: object, name: str, task: str) -> Packed:
    """What is taken as a store; refused if it has no real eigenvalues, or not in LAPACK."""
    taken = as_packed(store, task, name)
    if taken.dtype.newbyteorder("=").char not in "fdFD":
        raise TypeError(
            f"{task} computes with what LAPACK has, and {name} holds {taken.dtype}: astype(float) first"
        )
    check_selfadjoint(taken, task, "others have no real eigenvalues", name)
    check_finite(taken, name, f"{task} needs")
    return taken


def _check_diagonal(store: Packed, why: str, floor: float = 0.0) -> None:
    diagonal = store.diagonal().real
    wrong = np.flatnonzero(~(diagonal > floor))
    if wrong.size:
        i = int(wrong[0])
        if not np.any(store[i]):
            raise ValueError(f"row {i} of S is all zeros: leave it out, with S.submatrix")
        raise ValueError(f"diagonal number {i} of S is {diagonal[i]}: {why}")


def _expanded(store: Packed) -> Array:
    """The full matrix in float64 or complex128, its diagonal real."""
    full = store.expand()
    full = full.astype(np.result_type(full.dtype, np.float64).newbyteorder("="), copy=False)
    np.fill_diagonal(full, full.diagonal().real)
    return full


def _native(store: Packed, layout: AnyLayout) -> Array:
    """The half of S in a layout, in the byte order of this machine."""
    half = store.half
    if store.layout != layout:
        half = convert(half, store.layout, layout, kind=store.kind)
    return half.astype(half.dtype.newbyteorder("="), copy=False)


def _result_layout(store: Packed) -> AnyLayout:
    keeps = store.layout.implied is None and store.layout.diagonal_scale == 1
    return store.layout if keeps else store.layout.plain


def _as_floor(floor: Any) -> float:
    if not is_real(floor) or not is_finite(floor) or floor <= 0:
        raise ValueError(f"floor must be a positive number, not {short(floor)}")
    return float(floor)
