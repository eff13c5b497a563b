"""Eigenvalue problems, ``S x = l M x`` and with a shift, as operators with the wanted ones the largest."""

import math
from collections.abc import Callable
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype, as_array, is_finite, is_real
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.linalg.checks import (
    check_finite,
    check_finite_array,
    check_selfadjoint,
    is_sparse,
    selfadjoint,
    work_dtype,
)
from vech.linalg.factor.answers import check_regular, solution
from vech.linalg.factor.choice import factored
from vech.linalg.factor.promise import Factor
from vech.linalg.factor.rectangle import Rectangle, rectangle_of
from vech.linalg.factor.sparse import SparseFactor, is_definite, shifted
from vech.linalg.lanczos import Operator
from vech.linalg.semidefinite import Range, range_of
from vech.linalg.units import in_unit, over, power_of_two, scaled, unit_of
from vech.moves.converting import convert
from vech.moves.foreign import judged
from vech.moves.runs import Half
from vech.packed.packed import Packed, packed
from vech.sparse import SparseHalf
from vech.store import Store, check_readable, common_labels

MODES = ("normal", "cayley", "buckling")
FAR = 1e-2  # residual, beside S x and M x, of what is no eigenvector whatever tol and the accuracy of OPinv

Apply = Callable[[Array], Array]  # of columns


class Problem(NamedTuple):
    """An operator, and what its eigenvalues say of the eigenvalues of the problem."""

    operator: Operator
    values: Callable[[Array, Array], Array]  # of the eigenvalues and vectors found
    inverted: bool
    vectors: Callable[[Array, Array], Array] = lambda _, x: x  # of the eigenvalues and vectors found
    start: Apply = lambda x: x


def generalised(S: Store, M: Any, sigma: Any, shift_inverse: Any, mass_inverse: Any, mode: str) -> Problem:
    """The problem of `vech.linalg.eigsh`, S and M divided by a unit each, so that neither overflows."""
    one_of("mode", mode, MODES)
    sigma = None if sigma is None else _checked_shift(sigma, mode)
    _check_inverses(M, sigma, shift_inverse, mass_inverse, mode)
    dtype = work_dtype(S.dtype, "S")
    mass = None if M is None else _checked_mass(M, S)
    mass_unit = unit_of(mass) if isinstance(mass, Store) else 1.0
    shifted = abs(sigma or 0.0) * mass_unit
    if not math.isfinite(shifted):
        raise OverflowError(f"sigma = {sigma} times M has numbers beyond float64: scale M by a number first")
    unit = max(unit_of(S), power_of_two(shifted))
    multiply = scaled(S, dtype, unit)
    weight = None if mass is None else _columnwise(mass, dtype, mass_unit)
    if sigma is None:
        if mass is None:
            return Problem(Operator(S.n, dtype, multiply), lambda found, _: in_unit(found, unit), False)
        if mass_inverse is None:
            inverse = _inverse_of(mass, dtype, mass_unit)
        else:
            inverse = _given(mass_inverse, "Minv", S.n, mass_unit)
        operator = Operator(S.n, dtype, lambda x: inverse(multiply(x)), weight)
        return Problem(
            operator,
            lambda found, _: in_unit(found, unit, mass_unit),
            False,
            lambda _, x: _shortened(x, mass_unit),
        )
    shift = sigma / unit * mass_unit
    norm_unit = unit if mode == "buckling" else mass_unit
    bounded, name = (S, "S") if mode == "buckling" else (mass, "M")
    part = None
    if isinstance(bounded, Store) and not _has_factor(bounded, slack=-1):
        if not _has_factor(bounded, slack=1):
            raise ValueError(
                f"{name} is not positive semidefinite, as eigsh with sigma and mode={mode!r} needs"
            )
        part = range_of(bounded, dtype, norm_unit, float(np.finfo(work_dtype(bounded.dtype, name)).eps))
    if shift_inverse is not None:
        inverse = _given(shift_inverse, "OPinv", S.n, unit)
    else:
        inverse = _shifted_inverse(S, mass, sigma, shift, unit, mass_unit, dtype)
    weigh = (lambda x: x) if weight is None else weight
    before = {
        "normal": weigh,
        "cayley": lambda x: multiply(x) + dtype.type(shift) * weigh(x),
        "buckling": multiply,
    }[mode]

    def implied(found: Array) -> Array:
        with np.errstate(divide="ignore"):
            by_mode = {
                "normal": lambda: shift + 1 / found,
                "cayley": lambda: shift * (found + 1) / (found - 1),
                "buckling": lambda: shift * found / (found - 1),
            }
            return np.asarray(by_mode[mode]())

    if part is not None:
        problem = _on_range(
            part,
            inverse,
            dtype,
            2 * shift if mode == "cayley" else None,
            lambda found, _: in_unit(implied(found), unit, mass_unit),
        )
        return problem._replace(vectors=lambda found, y: _shortened(problem.vectors(found, y), norm_unit))
    unknown = mass is not None and not isinstance(mass, Store) and mode != "buckling"

    def image(x: Array) -> Array:
        return inverse(weigh(x))

    operator = Operator(
        S.n,
        dtype,
        lambda x: inverse(before(x)),
        multiply if mode == "buckling" else weight,
        image if unknown else None,
    )

    def vectors(found: Array, x: Array) -> Array:
        if unknown:
            x = image(x) / (found if mode == "normal" else (found - 1) / (2 * shift))
            _check_residual(multiply(x), weigh(x), implied(found), shift)
        return _shortened(x, norm_unit)

    def values(found: Array, x: Array) -> Array:
        said = implied(found)
        if not unknown:
            said = _nearer(said, _lost(said, shift, mode), x, multiply(x), weigh(x), unit_of(S) / unit)
        return in_unit(said, unit, mass_unit)

    def start(x: Array) -> Array:
        return image(x[:, None])[:, 0] if unknown else x

    return Problem(operator, values, True, vectors, start)


def _lost(values: Array, shift: float, mode: str) -> Array:
    """How many units of rounding of what is found these values bear: many of a shift far from all of them."""
    apart, size = np.abs(values - shift), np.abs(shift)
    by_mode = {
        "normal": lambda: size + apart,
        "cayley": lambda: np.abs(values + shift) * apart / (2 * size),
        "buckling": lambda: np.abs(values) * apart / size,
    }
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(by_mode[mode]())


def _nearer(values: Array, lost: Array, x: Array, left: Array, right: Array, largest: float) -> Array:
    """The values, or ``x^H S x / x^H M x`` where rounding of S, numbers up to `largest`, moves it less."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weight = (x.conj() * right).sum(axis=0).real
        moved = largest * np.abs(x).sum(axis=0) ** 2 / np.abs(weight)
        return np.where(lost > moved, (x.conj() * left).sum(axis=0).real / weight, values)


def _shortened(x: Array, unit: float) -> Array:
    """Vectors of length one by a matrix, of those by the matrix over unit."""
    return x if unit == 1 else np.asarray(x / np.sqrt(unit)).astype(x.dtype, copy=False)


def _check_residual(left: Array, right: Array, values: Array, shift: float) -> None:
    """LinAlgError where ``S x - value M x`` is far from zero."""
    residual = np.linalg.norm(left - values * right, axis=0)
    size = np.linalg.norm(left, axis=0) + (np.abs(values) + abs(shift)) * np.linalg.norm(right, axis=0)
    if not (residual <= FAR * size).all():
        raise np.linalg.LinAlgError(
            "what was found are no eigenvectors of S x = value M x: OPinv is not (S - sigma M)^-1, or M, a "
            "LinearOperator, is singular; pass M as a store, an array or a sparse array"
        )


def _on_range(
    part: Range, inverse: Apply, dtype: Dtype, cayley: float | None, values: Callable[[Array, Array], Array]
) -> Problem:
    """That of ``A^-1 B W B^H`` as one of ``B^H A^-1 B W``, with its values but zeros of the null space."""
    B, W = part
    weigh: Apply = (lambda y: y) if W is None else (lambda y: np.asarray(W @ y))

    def back(y: Array) -> Array:
        return inverse(np.asarray(B @ weigh(y)))

    def apply(y: Array) -> Array:
        image = np.asarray(B.conj().T @ back(y))
        return image if cayley is None else y + dtype.type(cayley) * image

    def vectors(found: Array, y: Array) -> Array:
        x = back(y) / (found if cayley is None else (found - 1) / cayley)
        return np.asarray(x).astype(dtype, copy=False)

    operator = Operator(B.shape[1], dtype, apply, None if W is None else weigh)
    return Problem(operator, values, True, vectors, lambda x: np.asarray(B.conj().T @ x))


def _columnwise(M: Any, dtype: Dtype, unit: float) -> Apply:
    if isinstance(M, Store):
        return scaled(M, dtype, unit)
    return lambda x: np.asarray(M.matmat(x)).astype(dtype, copy=False)


def _inverse_of(M: Any, dtype: Dtype, unit: float) -> Apply:
    """(M / unit)^-1."""
    if not isinstance(M, Store):
        raise TypeError("M is a LinearOperator, which has no numbers to invert: pass Minv, M^-1")
    if not _has_factor(M):
        raise ValueError("M is not positive definite, as S x = value M x needs")
    if is_sparse(M):
        return _solver(SparseFactor(_over(M, dtype, unit)), dtype)
    rectangle = _rectangle(packed(M), dtype, unit)
    rectangle.factor()
    return _solver(rectangle, dtype)


def _solver(factor: Factor, dtype: Dtype) -> Apply:
    return lambda b: solution(factor, np.array(b, factor.dtype, order="F")).astype(dtype, copy=False)


def _has_factor(M: Store, *, slack: int = 0) -> bool:
    """Whether M is positive definite; with slack 1 semidefinite, with -1 definite beyond rounding."""
    dtype, unit = np.result_type(work_dtype(M.dtype, "M"), np.float64), unit_of(M)
    amount = slack * 4 * M.n * float(np.finfo(work_dtype(M.dtype, "M")).eps)
    if is_sparse(M):
        return is_definite(shifted(M, -amount * unit) if slack else M)
    rectangle = _rectangle(packed(M), dtype, unit)
    rectangle.lower_diagonal(-amount)
    return rectangle.factor() == 0


def _rectangle(M: Packed, dtype: Dtype, unit: float) -> Rectangle:
    return rectangle_of(Half(over(M.half.astype(dtype), unit), M.layout, Kind.HERMITIAN.of(dtype)))


def _shifted_inverse(
    S: Store, M: Any, sigma: float, shift: float, unit: float, mass_unit: float, dtype: Dtype
) -> Apply:
    """(S / unit - shift M / mass_unit)^-1; M is I if it is None."""
    try:
        factor: Factor
        if is_sparse(S) and (M is None or is_sparse(M)):
            S = _over(S, dtype, unit)
            factor = SparseFactor(shifted(S, shift) if M is None else S - _over(M, dtype, mass_unit) * shift)
        elif M is None or isinstance(M, Store):
            difference = _plain(S, dtype, unit)
            if M is None:
                difference.add_diagonal(-shift)
            else:
                difference.half[...] -= dtype.type(shift) * _plain(M, dtype, mass_unit).half
            factor = factored(difference, dtype)
        else:
            raise TypeError(
                f"M is a {type(M).__name__}, which has no numbers to shift S by: pass OPinv, (S - sigma M)^-1"
            )
        check_regular(factor)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(
            f"sigma = {sigma} is an eigenvalue, and has no factor: take a number beside it"
        ) from error
    return _solver(factor, dtype)


def _over(S: SparseHalf, dtype: Dtype, unit: float) -> SparseHalf:
    """S / unit."""
    data = over(S.data.astype(dtype), unit)
    return SparseHalf(S.indptr, S.indices, data, S.n, triangle=S.triangle, kind=Kind.HERMITIAN.of(dtype))


def _plain(S: Store, dtype: Dtype, unit: float) -> Packed:
    """S / unit in "vech"."""
    S = packed(S)
    half = convert(S.half.astype(dtype), S.layout, "vech", kind=Kind.HERMITIAN.of(dtype))
    return Packed(over(half, unit), kind=Kind.HERMITIAN.of(dtype))


# ---------------------------------------------------------------- what is taken


def _checked_shift(sigma: Any, mode: str) -> float:
    check_readable(sigma, "sigma")
    if not is_real(sigma):
        raise TypeError(f"sigma must be a real number, not {sigma!r}")
    if not is_finite(sigma):
        raise ValueError(f"sigma must be finite, not {short(sigma)}")
    if float(sigma) == 0 and mode != "normal":
        raise ValueError(f"sigma must not be 0 with mode={mode!r}, whose values are multiples of it")
    return float(sigma)


def _check_inverses(M: Any, sigma: float | None, shift_inverse: Any, mass_inverse: Any, mode: str) -> None:
    """TypeError for an argument that nothing asks for."""
    if sigma is None and (shift_inverse is not None or mode != "normal"):
        raise TypeError("OPinv and mode are for a shift: pass sigma too, or leave them out")
    if mass_inverse is not None and (sigma is not None or M is None):
        raise TypeError("Minv is for M without sigma: leave it out, or pass M, or OPinv for a sigma")


def _checked_mass(M: Any, S: Store) -> Any:
    """The M of a generalised problem as a store of the kind of S, or the operator it is."""
    from scipy.sparse.linalg import LinearOperator

    if isinstance(M, LinearOperator):
        if M.shape != S.shape:
            raise ValueError(f"M has shape {M.shape}, but S is of side {S.n}: {S.shape}")
        return M
    if not isinstance(M, Store):
        M = selfadjoint(M, "M")
    check_selfadjoint(M, "eigsh", "the eigenvalues of others are not real", "M")
    wide = np.result_type(work_dtype(S.dtype, "S"), np.float64)
    if M.n != S.n or not np.can_cast(work_dtype(M.dtype, "M"), wide):
        raise ValueError(f"M is {M!r} and S is {S!r}: M must be of the side of S, and real where S is")
    check_finite(M, "M", "eigsh needs")
    common_labels(S.labels, M.labels)
    return M


def _given(inverse: Any, name: str, n: int, unit: float) -> Apply:
    """Products with an inverse that is passed, times unit."""
    from scipy.sparse import issparse
    from scipy.sparse.linalg import aslinearoperator

    if issparse(inverse):
        inverse = judged(inverse)
    elif not hasattr(inverse, "matvec"):
        inverse = as_array(inverse, name)
        check_finite_array(inverse, name, "eigsh")
    operator = aslinearoperator(inverse)
    if operator.shape != (n, n):
        raise ValueError(f"{name} has shape {operator.shape}, but S is of side {n}: ({n}, {n})")
    return lambda b: np.asarray(operator.matmat(b)) * unit
