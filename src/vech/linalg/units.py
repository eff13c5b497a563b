"""The unit that linear algebra computes in: a power of two, by which numbers are divided without rounding."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype
from vech.linalg.norms import norm
from vech.store import Store

LOOK = 2**14  # numbers looked at together


def power_of_two(x: float) -> float:
    """The power of two at or below x; 0 for 0."""
    return 2.0 ** (math.frexp(x)[1] - 1) if x else 0.0


def unit_of(S: Store) -> float:
    """The power of two at or below the largest |s_ij|, by which S is divided without rounding; 1 of zeros."""
    return power_of_two(norm(S, "max")) or 1.0


def times_power(x: Array, exponent: Any) -> Array:
    """x times two to the exponent, of all or of each column, in two steps that none overflows."""
    if isinstance(exponent, int) and not exponent:
        return x
    real = np.zeros(0, x.dtype).real.dtype
    before = np.asarray(exponent) // 2
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(x * np.ldexp(real.type(1), before) * np.ldexp(real.type(1), exponent - before))


def over(x: Array, unit: float) -> Array:
    """x / unit, a power of two."""
    return x if unit == 1 else times_power(x, -round(math.log2(unit)))


def in_unit(values: Array, unit: float, mass_unit: float = 1.0) -> Array:
    """Eigenvalues of S beside M out of those of both over their units; OverflowError beyond their dtype."""
    with np.errstate(over="ignore"):
        found = np.ldexp(values, round(math.log2(unit)) - round(math.log2(mass_unit)))
    check_eigenvalues(found[np.isfinite(values)])
    return np.asarray(found)


def check_eigenvalues(values: Array) -> None:
    """OverflowError for infinity, which no eigenvalue of finite numbers is."""
    if np.isinf(values).any():
        raise OverflowError(f"an eigenvalue is beyond {values.dtype}: scale the matrix by a number first")


def lift(x: Array) -> int:
    """The even exponent of two that takes numbers near the least ones to about one; 0 of others."""
    largest, tiny = 0.0, 2**60 * float(np.finfo(x.dtype).tiny)  # beside it, small numbers lose digits
    for start in range(0, x.size, LOOK):  # most are ordinary, as the first ones tell
        largest = max(largest, float(np.abs(x[start : start + LOOK]).max()))
        if largest >= tiny:
            return 0
    return -math.frexp(largest)[1] // 2 * 2 if largest else 0


def scaled(S: Store, dtype: Dtype, unit: float) -> Callable[[Array], Array]:
    """Products with S / unit: half of the unit divides before the product, half after: neither overflows."""
    if unit == 1:
        return lambda x: S.matmul(x).astype(dtype, copy=False)
    exponent = -round(math.log2(unit))
    before, after = (dtype.type(2.0**part) for part in (exponent // 2, exponent - exponent // 2))
    return lambda x: np.asarray(S.matmul(x * before) * after).astype(dtype, copy=False)
