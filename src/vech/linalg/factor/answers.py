"""What factors answer: solutions, determinants, norms of the inverse."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype, as_array, family
from vech.layouts.kind import Kind
from vech.linalg.checks import check_finite_array, work_dtype
from vech.linalg.factor.promise import Factor
from vech.linalg.units import lift, times_power
from vech.store import Store

LOG_2 = float(np.log(2))


class SignLogdet(NamedTuple):
    """A determinant as NumPy's slogdet gives it: ``sign * exp(logabsdet)``."""

    sign: float | complex
    logabsdet: float


def solved(factor: Factor, b: ArrayLike) -> Array:
    """S^-1 b, of b of shape (n,) or (n, m); complex where either is."""
    return within(columns(b, factor.n, factor.dtype, partial(solution, factor)), "x", "divide b")


def solution(factor: Factor, b: Array) -> Array:
    """S^-1 b, of columns as `Factor.solve` takes them; tiny ones are lifted halfway to one on the way."""
    check_regular(factor)
    up = [lift(column) // 2 for column in b.T]
    if not any(up):
        return times_power(factor.solve(b), factor.exponent)
    return times_power(factor.solve(times_power(b, up)), factor.exponent - np.array(up))


def within(x: Array, name: str, way_out: str) -> Array:
    """x; OverflowError if it has numbers beyond its dtype."""
    if not np.isfinite(x).all():
        raise OverflowError(f"{name} has numbers beyond {x.dtype}: {way_out} by a number first")
    return x


def check_regular(factor: Factor) -> None:
    """LinAlgError of a factor that solves nothing."""
    if factor.singular:
        raise np.linalg.LinAlgError("S is singular: it has no inverse, and S x = b no single solution")


def not_definite(minor: int, way_out: str) -> np.linalg.LinAlgError:
    """The error about a matrix that has no Cholesky factor, since this leading minor is not positive."""
    return np.linalg.LinAlgError(
        f"S is not positive definite: its leading minor of order {minor} is not positive; {way_out}"
    )


def determinant(factor: Factor, S: Store) -> SignLogdet:
    """The determinant of S, whose sign is exactly 1 or -1 where it must be real."""
    if factor.singular:
        return SignLogdet(0.0, -np.inf)
    sign, logarithm = product(factor.pivots())
    logarithm -= factor.n * factor.exponent * LOG_2
    if family(S.dtype) != "c" or S.kind == Kind.HERMITIAN:
        return SignLogdet(float(np.sign(sign.real)), logarithm)
    return SignLogdet(sign if sign.imag else sign.real, logarithm)


def product(numbers: Array) -> tuple[complex, float]:
    """The direction of a product and the logarithm of its modulus."""
    moduli = np.abs(numbers.astype(np.complex128))
    if not moduli.all():
        return 0j, -np.inf
    return complex(np.prod(numbers / moduli)), float(np.log(moduli).sum())


def check_rows(b: Array, n: int, name: str = "b") -> None:
    """ValueError if b is not n numbers, or columns of n."""
    if b.ndim not in (1, 2) or b.shape[0] != n:
        raise ValueError(f"{name} has shape {b.shape}, but S is of side {n}: ({n},) or ({n}, m)")


def columns(b: ArrayLike, n: int, dtype: Dtype, function: Callable[[Array], Array], name: str = "b") -> Array:
    """A function of Fortran-ordered columns, applied to b in the precision of dtype."""
    b = as_array(b, name)
    check_rows(b, n, name)
    dtype_of_b = work_dtype(b.dtype, name)
    if name == "b":
        check_finite_array(b, name, "solve")
    x = b if b.ndim == 2 else b[:, None]
    if dtype_of_b.kind == "c" and dtype.kind != "c":
        wide = np.result_type(dtype, np.complex64)
        parts = np.ascontiguousarray(x, wide).view(dtype)
        x = np.ascontiguousarray(function(np.array(parts, order="F"))).view(wide)
    else:
        x = function(np.array(x, dtype, order="F"))
    return x if b.ndim == 2 else x[:, 0]


def one_norm(apply: Callable[[Array], Array], n: int, dtype: Dtype, *, symmetric: bool = False) -> float:
    """An estimate of the 1-norm of an operator on columns, self-adjoint or symmetric, as in LAPACK's ?lacn2.

    Moduli are all it takes of a product with the adjoint: of a symmetric operator conj(A conj(x)), of a skew
    one -A x.
    """
    if n == 0:
        return 0.0

    def image(x: Array) -> Array:
        return apply(x.astype(dtype)[:, None])[:, 0]

    y = image(np.full(n, 1 / n))
    best = float(np.abs(y).sum())
    for _ in range(5):
        signs = np.where(y == 0, 1, y / np.where(y == 0, 1, np.abs(y)))
        unit = np.zeros(n)
        unit[np.argmax(np.abs(image(signs.conj() if symmetric else signs)))] = 1
        y = image(unit)
        norm = float(np.abs(y).sum())
        if norm <= best:
            break
        best = norm
    k = np.arange(n)
    alternating = np.where(k % 2, -1, 1) * (1 + k / max(1, n - 1))
    return max(best, 2 * float(np.abs(image(alternating)).sum()) / (3 * n))
