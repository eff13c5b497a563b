"""The nearest matrix that is one: correlations and covariances that estimation left indefinite."""

from numbers import Real
from typing import NamedTuple

import numpy as np

from vech.arrays import Array, epsilon, family
from vech.dialects import AnyLayout
from vech.layout import as_integer
from vech.linalg.factor import as_packed, check_finite
from vech.linalg.rectangle import ORDER, Rectangle
from vech.moves import convert, pack
from vech.packed import Packed

HALVINGS = 40  # of a Newton step before the search along it gives up
ARMIJO = 1e-4  # the share of the slope that a step must gain
CG_STEPS = 200
DENSE = 64  # a smaller matrix is expanded to find its smallest eigenvalue


class Nearest(NamedTuple):
    """A repaired matrix, how far it is from what was given, what it took, and how definite it is.

    Attributes
    ----------
    matrix : Packed
        Has a Cholesky factor. In the layout and dtype (native) of what was given, its diagonal stored; labels
        follow.
    distance : float
        Frobenius norm of the difference, over the full matrix.
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
    S: Packed, *, tol: float = 1e-6, max_iterations: int = 100, floor: float | None = None
) -> Nearest:
    """Expands S, and finds the correlation matrix nearest to it in the Frobenius norm.

    Parameters
    ----------
    S : Packed of real floats, symmetric, with a positive diagonal
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
        If `max_iterations` steps, or the rounding of float64, do not reach `tol`.

    Notes
    -----
    Minimises the dual of Qi and Sun: ``theta(y) = ||(S + Diag y)_+||^2 / 2 - sum(y)``, whose gradient is
    ``diag((S + Diag y)_+) - 1``, by Newton's method; each direction by conjugate gradients, preconditioned by
    the diagonal of the Hessian. Converges quadratically. Computes in float64.

    Cost: one eigendecomposition a step, mostly 4 to 8 of them, and 7 n x n arrays at its peak.

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
    _check_store(S, "S", "nearest_correlation")
    if S.kind != "symmetric":
        raise TypeError(f"S is {S.dtype} and {S.kind}: correlations are real, and nearest_psd takes it")
    _check_diagonal(S, "a correlation has ones there")
    if not isinstance(tol, Real) or not float(tol) > 0:
        raise ValueError(f"tol must be a positive number, not {tol!r}")
    most = as_integer("max_iterations", max_iterations)
    least = 4 * S.n * epsilon(S.dtype) if floor is None else _as_floor(floor)
    if least >= 1:
        raise ValueError(f"floor must be below 1, not {least}: the eigenvalues of a correlation have mean 1")
    full = _expanded(S)
    if np.all(S.diagonal() == 1) and _is_definite(_shifted(full, -least)):
        return _unchanged(S, full)
    nearest, steps = _newton(_shifted(full, -least), 1 - least, float(tol), most)
    np.fill_diagonal(nearest, 1)
    return _repaired(S, full, nearest, steps, least, ones=True)


def nearest_psd(S: Packed, *, floor: float | None = None) -> Nearest:
    """Expands S, and finds the positive semidefinite matrix nearest to it in the Frobenius norm.

    Parameters
    ----------
    S : Packed of floats or complex numbers, symmetric or Hermitian
        Its diagonal may be of any sign.
    floor : float, optional
        The smallest eigenvalue of the result. By default 4 eps of the dtype times the largest eigenvalue by
        size, raised where LAPACK needs more to factorise the result.

    Returns
    -------
    Nearest
        ``matrix``, ``distance``, ``iterations`` (one, of an eigendecomposition), ``smallest_eigenvalue``.

    Raises
    ------
    ValueError
        For NaN or infinity, a matrix of zeros without a `floor`, or a `floor` that is not positive.
    TypeError
        For anything but a `Packed` that is real symmetric or complex Hermitian, of a dtype LAPACK has.

    Notes
    -----
    ``X = Q max(lambda, floor) Q^H`` where ``S = Q lambda Q^H``. Computes in float64 or complex128.

    Cost: one eigendecomposition, and 8 n x n arrays at its peak. It takes all pairs: at n = 1000 LAPACK's fastest
    driver needs 0.16 s for them, and a subset 0.09 s for 5 % of them, but more than 0.16 s from 25 % on.

    Source: N. Higham, "Computing a nearest symmetric positive semidefinite matrix", Linear Algebra Appl. 103,
    1988.

    Examples
    --------
    >>> import numpy as np
    >>> found = nearest_psd(Packed(np.array([1.0, 2, 1])))  # eigenvalues 3 and -1
    >>> found.matrix.half.round(4), round(found.distance, 4)
    (array([1.5, 1.5, 1.5]), 1.0)
    """
    _check_store(S, "S", "nearest_psd")
    least = 0.0 if floor is None else _as_floor(floor)
    full = _expanded(S)
    if _is_definite(_shifted(full, -least)):
        return _unchanged(S, full)
    values, vectors = _eigh(full.copy(order="F"))
    if floor is None:
        least = 4 * epsilon(S.dtype) * _largest(values)
    if not least:
        raise ValueError(
            "S is all zeros, which gives its floor no scale: pass floor=, the smallest eigenvalue"
        )
    low = int(np.count_nonzero(values < least))
    if 2 * low < S.n:
        part = vectors[:, :low] * np.sqrt(least - values[:low])
        nearest = full + part @ part.conj().T
    else:
        part = vectors[:, low:] * np.sqrt(values[low:] - least)
        nearest = _shifted(part @ part.conj().T, least)
    return _repaired(S, full, nearest, 1, least, ones=False)


def shrink_to_psd(
    S: Packed, target: Packed | None = None, *, tol: float = 1e-6, floor: float | None = None
) -> Nearest:
    """Moves S towards a positive definite target, no further than makes it positive definite.

    Parameters
    ----------
    S : Packed of float32, float64, complex64 or complex128, symmetric or Hermitian
        The matrix; of a correlation, or a covariance, that is indefinite.
    target : Packed, optional
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
        ``matrix``, ``distance``, ``iterations`` (bisections), ``smallest_eigenvalue``. Every number in which S
        and the target agree is kept to the bit, so a block that is to stay is put into the target.

    Raises
    ------
    ValueError
        For NaN or infinity, a target that does not fit or has no Cholesky factor; without a target, for a row
        of zeros or a diagonal that is not positive; a `tol` or `floor` that fits nothing.
    TypeError
        For anything but `Packed` stores, real symmetric or complex Hermitian, of a dtype LAPACK has.

    Notes
    -----
    ``S + a (T - S)`` for the smallest a in [0, 1] that makes it definite, by bisection: each step is one
    Cholesky factorisation, in rectangular full packed, and a step that fails ends early.

    Cost: log2(1 / tol) factorisations of n^3 / 3 operations; memory of three more halves. No n x n array, unless
    the smallest eigenvalue is so near to rounding that Lanczos' method cannot find it.

    Source: N. Higham, N. Strabic, V. Sego, "Restoring definiteness via shrinking, with an application to
    correlation matrices with a fixed block", SIAM Review 58(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> found = shrink_to_psd(Packed(np.array([1.0, 1, 0, 1, 1, 1])))
    >>> found.matrix.half.round(4), round(found.distance, 4)
    (array([1.    , 0.7071, 0.    , 1.    , 0.7071, 1.    ]), 0.5858)
    """
    _check_store(S, "S", "shrink_to_psd")
    n, layout, dtype = S.n, _result_layout(S), S.dtype.newbyteorder("=")
    if not (isinstance(tol, Real) and 0 < tol < 1):
        raise ValueError(f"tol must be a number between 0 and 1, not {tol!r}")
    given = _native(S, layout)
    i = np.arange(n)
    on = layout.slot(i, i, n)
    if target is None:
        _check_diagonal(S, "shrinking keeps the diagonal, so it must be positive, or pass a target")
        way, largest = -given, _largest(given[on])
        way[on] = 0
    else:
        _check_store(target, "target", "shrink_to_psd")
        if (target.n, target.kind, target.dtype.newbyteorder("=")) != (n, S.kind, dtype):
            raise ValueError(f"target is {target!r} and S is {S!r}: n, dtype and kind must be the same")
        goal = _native(target, layout)
        way, largest = goal - given, _largest(goal[on])
    least = 4 * n * epsilon(dtype) * largest if floor is None else _as_floor(floor)

    def towards(step: float) -> Array:
        moved = way * dtype.type(step)
        moved += given
        return np.asarray(moved)

    def is_definite(step: float) -> bool:
        numbers = convert(towards(step), layout, ORDER, kind=S.kind)
        numbers[ORDER.slot(i, i, n)] -= least
        return Rectangle(numbers, n).factor() == 0

    low, high, iterations = 0.0, 1.0, 0
    if is_definite(low):
        high = low
    elif not is_definite(high):
        raise ValueError(f"target minus {least:.3g} I has no Cholesky factor: it must be positive definite")
    while high - low > tol:
        iterations += 1
        middle = (low + high) / 2
        if is_definite(middle):
            high = middle
        else:
            low = middle
    matrix = Packed(towards(high), layout, kind=S.kind, labels=S.labels)
    distance = high * _norm(Rectangle(convert(way, layout, ORDER, kind=S.kind), n))
    return Nearest(matrix, distance, iterations, _smallest_of_half(matrix))


# ---------------------------------------------------------------- Newton's method on the dual


class _Dual(NamedTuple):
    """The dual function at y: its value and gradient, and the eigenpairs of ``S + Diag y`` behind them."""

    y: Array
    value: float
    gradient: Array
    values: Array
    vectors: Array
    squares: Array  # of the vectors


def _newton(matrix: Array, diagonal: float, tol: float, max_iterations: int) -> tuple[Array, int]:
    """The semidefinite matrix nearest to this one among those with this number all along their diagonal."""
    n = len(matrix)

    def dual(y: Array) -> _Dual:
        values, vectors = _eigh(_with_diagonal(matrix, matrix.diagonal() + y))
        kept, squares = np.maximum(values, 0), vectors * vectors
        return _Dual(
            y, kept @ kept / 2 - diagonal * y.sum(), squares @ kept - diagonal, values, vectors, squares
        )

    point = dual(diagonal - matrix.diagonal())
    scale = diagonal * np.sqrt(n)
    for steps in range(max_iterations + 1):
        missed = float(np.linalg.norm(point.gradient)) / scale
        if missed <= tol:
            return _projected(matrix, point, diagonal), steps
        if steps == max_iterations:
            break
        direction = _direction(point, min(0.1, missed))
        slope = point.gradient @ direction
        rounding = 8 * n * np.finfo(float).eps * abs(point.value)
        for halvings in range(HALVINGS):
            step = 0.5**halvings
            tried = dual(point.y + step * direction)
            if tried.value <= point.value + ARMIJO * step * slope + rounding:
                break
        point = tried
    raise np.linalg.LinAlgError(
        f"nearest_correlation missed the ones of the diagonal by {missed:.2g} after {steps} steps, and tol is "
        f"{tol:.2g}: allow more max_iterations, or a larger tol"
    )


def _direction(point: _Dual, rtol: float) -> Array:
    """Newton's direction, to this relative residual.

    The Hessian takes h to ``diag(P (W o (P^T Diag(h) P)) P^T)``, where W holds 1 for two positive eigenvalues,
    a / (a - b) for a positive a and another b, and 0 for two others. Of its blocks the larger square one is
    never multiplied: where most eigenvalues are positive, h minus the same with 1 - W is cheaper.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    n = len(point.y)
    low = int(np.count_nonzero(point.values <= 0))
    above, below = point.values[low:], point.values[:low]
    weights = above / (above - below[:, None])
    few, many = slice(low, None), slice(low)
    complement = 2 * low < n
    if complement:
        few, many, weights = many, few, 1 - weights.T
    fewer, others = point.vectors[:, few], point.vectors[:, many]
    gram = np.square(fewer @ fewer.T)

    def block(h: Array) -> Array:
        cross = (others.T * h) @ fewer
        cross *= weights
        return np.asarray(gram @ h + 2 * np.einsum("ij,ij->i", others @ cross, fewer))

    diagonal = gram.diagonal() + 2 * np.einsum(
        "ij,ij->i", point.squares[:, many] @ weights, point.squares[:, few]
    )
    hessian = (lambda h: h - block(h)) if complement else block
    diagonal = np.maximum(1 - diagonal if complement else diagonal, 1e-8)
    operator = LinearOperator((n, n), matvec=lambda h: hessian(h.ravel()), dtype=np.float64)
    jacobi = LinearOperator((n, n), matvec=lambda h: h.ravel() / diagonal, dtype=np.float64)
    direction, _ = cg(operator, -point.gradient, rtol=rtol, maxiter=CG_STEPS, M=jacobi)
    return np.asarray(direction)


def _projected(matrix: Array, point: _Dual, diagonal: float) -> Array:
    """The positive part of ``matrix + Diag y``, scaled so that its diagonal is exact."""
    low = int(np.count_nonzero(point.values <= 0))
    if 2 * low > len(matrix):
        part = point.vectors[:, low:] * np.sqrt(point.values[low:])
        positive = part @ part.T
    else:
        part = point.vectors[:, :low] * np.sqrt(-point.values[:low])
        positive = _with_diagonal(matrix, matrix.diagonal() + point.y) + part @ part.T
    scales = np.sqrt(diagonal / positive.diagonal())
    return np.asarray(positive * scales * scales[:, None])


# ---------------------------------------------------------------- full matrices


def _eigh(matrix: Array) -> tuple[Array, Array]:
    """All eigenpairs, ascending; overwrites the matrix."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def _is_definite(matrix: Array) -> bool:
    """Whether LAPACK's potrf, by way of NumPy, gives a factor."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def _with_diagonal(matrix: Array, diagonal: Array) -> Array:
    changed = matrix.copy(order="F")
    np.fill_diagonal(changed, diagonal)
    return changed


def _shifted(matrix: Array, amount: float) -> Array:
    return _with_diagonal(matrix, matrix.diagonal() + amount)


def _repaired(
    store: Packed, full: Array, repaired: Array, iterations: int, floor: float, ones: bool
) -> Nearest:
    """The result, lifted towards the identity until it has a Cholesky factor in its own dtype."""
    layout = _result_layout(store)
    while True:
        rounded = repaired.astype(store.dtype.newbyteorder("="))
        np.fill_diagonal(rounded, rounded.diagonal().real)
        half = pack(rounded, layout, kind=store.kind, use=layout.triangle)
        matrix = Packed(half, layout, kind=store.kind, labels=store.labels)
        final = matrix.expand()
        if _is_definite(final):
            return Nearest(matrix, float(np.linalg.norm(final - full)), iterations, _smallest(final))
        repaired = _shifted(repaired, floor)
        if ones:
            repaired /= 1 + floor
            np.fill_diagonal(repaired, 1)
        floor *= 2


def _unchanged(store: Packed, full: Array) -> Nearest:
    layout = _result_layout(store)
    matrix = Packed(_native(store, layout).copy(), layout, kind=store.kind, labels=store.labels)
    return Nearest(matrix, 0.0, 0, _smallest(full))


def _smallest(full: Array) -> float:
    from scipy.linalg import eigvalsh

    if not len(full):
        return float("inf")
    wide = full.astype(np.result_type(full, np.float64))
    return float(eigvalsh(wide, subset_by_index=(0, 0), check_finite=False)[0])


# ---------------------------------------------------------------- rectangles


def _norm(rectangle: Rectangle) -> float:
    numbers, diagonal = rectangle.numbers, rectangle.diagonal()
    return float(np.sqrt(2 * np.vdot(numbers, numbers).real - np.vdot(diagonal, diagonal).real))


def _smallest_of_half(matrix: Packed) -> float:
    """The smallest eigenvalue of a definite matrix: a vector by Lanczos on the inverse, and its quotient."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    n = matrix.n
    if n <= DENSE:
        return _smallest(matrix.expand())
    wide = matrix.half.astype(np.result_type(matrix.dtype, np.float64))
    factor = Rectangle(convert(wide, matrix.layout, ORDER, kind=matrix.kind), n)
    factor.factor()

    def solve(b: Array) -> Array:
        return factor.solve(np.array(b.reshape(n, 1), order="F")).ravel()

    inverse = LinearOperator((n, n), matvec=solve, dtype=factor.dtype)
    start = np.random.default_rng(0).normal(size=n).astype(factor.dtype)
    try:
        x = eigsh(inverse, k=1, which="LM", v0=start, tol=1e-6)[1][:, 0]
    except ArpackNoConvergence:  # rounding is as large as the eigenvalue
        return _smallest(matrix.expand())
    product = Packed(wide, matrix.layout, kind=matrix.kind) @ x
    return float(np.vdot(x, product).real / np.vdot(x, x).real)


# ---------------------------------------------------------------- what is taken


def _check_store(store: object, name: str, task: str) -> None:
    """Refuse what has no real eigenvalues, or not in LAPACK."""
    taken = as_packed(store, task)
    if taken.dtype.newbyteorder("=").char not in "fdFD":
        raise TypeError(
            f"{task} computes with what LAPACK has, and {name} holds {taken.dtype}: astype(float) first"
        )
    if taken.kind != ("hermitian" if family(taken.dtype) == "c" else "symmetric"):
        raise TypeError(
            f"{name} is {taken.dtype} and {taken.kind}, but {task} takes real symmetric and complex Hermitian "
            f"matrices"
        )
    check_finite(taken, name, f"{task} needs")


def _check_diagonal(store: Packed, why: str) -> None:
    diagonal = store.diagonal().real
    wrong = np.flatnonzero(~(diagonal > 0))
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


def _largest(values: Array) -> float:
    return float(np.abs(values).max(initial=0))


def _as_floor(floor: object) -> float:
    if not isinstance(floor, Real) or not 0 < float(floor) < float("inf"):
        raise ValueError(f"floor must be a positive number, not {floor!r}")
    return float(floor)
