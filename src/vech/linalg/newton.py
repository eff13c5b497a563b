"""Newton's method on the dual of the nearest correlation problem."""

from typing import NamedTuple

import numpy as np

from vech.arrays import Array

HALVINGS = 40  # of a Newton step before the search along it gives up
ARMIJO = 1e-4  # the share of the slope that a step must gain
CG_STEPS = 200


class _Dual(NamedTuple):
    """The dual function at y: its value and gradient, and the eigenpairs of ``S + Diag y`` behind them."""

    y: Array
    value: float
    gradient: Array
    values: Array
    vectors: Array
    squares: Array  # of the vectors


def newton(matrix: Array, diagonal: float, tol: float, max_iterations: int) -> tuple[Array, int]:
    """The semidefinite matrix nearest to this one among those with this number all along their diagonal."""
    n = len(matrix)

    def dual(y: Array) -> _Dual:
        values, vectors = eigenpairs(with_diagonal(matrix, matrix.diagonal() + y))
        kept, squares = np.maximum(values, 0), vectors * vectors
        value = kept @ kept / 2 - diagonal * y.sum()
        return _Dual(y, value, squares @ kept - diagonal, values, vectors, squares)

    point = dual(np.zeros(n))
    scale = diagonal * np.sqrt(n)
    for steps in range(max_iterations + 1):
        missed = float(np.linalg.norm(point.gradient)) / scale
        if missed <= tol:
            return _projected(matrix, point, diagonal), steps
        if steps == max_iterations:
            break
        direction = _direction(point, min(0.1, missed))
        if (
            np.finfo(float).eps * largest_of(point.values) > tol * diagonal
            or not np.isfinite(direction).all()
        ):
            raise np.linalg.LinAlgError(_lost(missed, tol, point))
        slope = point.gradient @ direction
        rounding = 8 * n * np.finfo(float).eps * abs(point.value)
        for halvings in range(HALVINGS):
            step = 0.5**halvings
            tried = dual(point.y + step * direction)
            if tried.value <= point.value + ARMIJO * step * slope + rounding:
                break
        if tried.value >= point.value and np.linalg.norm(tried.gradient) >= np.linalg.norm(point.gradient):
            raise np.linalg.LinAlgError(_lost(missed, tol, point))
        point = tried
    raise np.linalg.LinAlgError(
        f"nearest_correlation missed the ones of the diagonal by {missed:.2g} after {steps} steps, "
        f"and tol is {tol:.2g}: allow more max_iterations, or a larger tol"
    )


def _lost(missed: float, tol: float, point: _Dual) -> str:
    return (
        f"nearest_correlation is lost in the rounding of float64: it missed the ones of the diagonal by "
        f"{missed:.2g}, and tol is {tol:.2g}, beside eigenvalues of {largest_of(point.values):.2g}: "
        f"divide a covariance by its standard deviations, or allow a larger tol"
    )


def _direction(point: _Dual, rtol: float) -> Array:
    """Newton's direction, to this relative residual.

    The Hessian takes h to ``diag(P (W o (P^T Diag(h) P)) P^T)``, where W holds 1 for two positive
    eigenvalues, a / (a - b) for a positive a and another b, and 0 for two others. Of its blocks the larger
    square one is never multiplied: where most eigenvalues are positive, h minus the same with 1 - W is
    cheaper.
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
        positive = with_diagonal(matrix, matrix.diagonal() + point.y) + part @ part.T
    scales = np.sqrt(diagonal / positive.diagonal())
    return np.asarray(positive * scales * scales[:, None])


# ---------------------------------------------------------------- full matrices


def eigenpairs(matrix: Array) -> tuple[Array, Array]:
    """All eigenpairs, ascending; overwrites the matrix."""
    from scipy.linalg import eigh

    values, vectors = eigh(matrix, driver="evd", overwrite_a=True, check_finite=False)
    return values, vectors


def with_diagonal(matrix: Array, diagonal: Array) -> Array:
    changed = matrix.copy(order="F")
    np.fill_diagonal(changed, diagonal)
    return changed


def largest_of(values: Array) -> float:
    return float(np.abs(values).max(initial=0))
