"""What linear algebra takes, asked once at its doors, and the unit it computes in."""

import math
from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from vech import reductions
from vech.arrays import Array, Dtype, family
from vech.kind import Kind
from vech.packed import Packed, packed
from vech.sparse import SparseHalf
from vech.store import Store

CHUNK = 2**20  # numbers looked at together
SPARSE = ("solve", "slogdet", "eigsh", "lobpcg", "norm", "inner")  # what takes a sparse half too


def is_sparse(S: Any) -> TypeGuard[SparseHalf]:
    """Whether S is a store of nonzeros alone, whose answers come from these."""
    return isinstance(S, Store) and S.describe().triangle is not None


def as_packed(S: Any, task: str) -> Packed:
    """Any store of all its numbers as a Packed; TypeError with the way out for all else."""
    if is_sparse(S):
        takers = ", ".join(SPARSE)
        way_out = f"{task}(S.to_packed()), with all its zeros; {takers} take a {type(S).__name__} as it is"
    elif isinstance(S, Store):
        return packed(S)
    else:
        way_out = f"{task}(vech.Packed(half, layout)), where vech.pack makes the half of a full matrix"
    raise TypeError(f"{task} takes a Packed store, not {type(S).__name__}: {way_out}")


def half_of(S: Any, task: str) -> Any:
    """S as tasks of either sort take it: itself where it is sparse, else as a Packed."""
    return S if is_sparse(S) else as_packed(S, task)


def work_dtype(dtype: Dtype, what: str) -> Dtype:
    """The dtype in which LAPACK computes with such numbers."""
    letter = family(dtype)
    if letter in "biu":
        return np.dtype(np.float64)
    if letter in "fc" and dtype.char in "fdFD":
        return dtype.newbyteorder("=")
    way_out = "astype(np.float32)" if letter == "f" else "astype(float)"
    raise TypeError(f"{what} has dtype {dtype}, with which LAPACK does not compute: {way_out} first")


def is_selfadjoint(S: Store) -> bool:
    """Whether S is real symmetric or Hermitian."""
    return S.kind == Kind.HERMITIAN.of(S.dtype)


def check_selfadjoint(S: Store, task: str, way_out: str, name: str = "S") -> None:
    """TypeError for complex symmetric and skew matrices."""
    if not is_selfadjoint(S):
        kind = "complex symmetric" if S.kind == Kind.SYMMETRIC else S.kind
        raise TypeError(
            f"{task} needs a real symmetric or a Hermitian matrix, and {name} is {kind}: {way_out}"
        )


def check_numbers(S: Store, task: str, name: str = "S") -> None:
    """TypeError for dates."""
    if family(S.dtype) in "Mm":
        raise TypeError(f"{task} is of numbers, and {name} holds {S.dtype}: astype(float) first")


def check_finite(S: Store, name: str = "S", who: str = "factors need") -> None:
    """Refuse NaN and infinity; the first is named."""
    layout = S.describe().layout
    if layout is not None:
        half = S.to_packed(layout).half
        for start in range(0, half.size, CHUNK):
            bad = np.flatnonzero(~np.isfinite(half[start : start + CHUNK]))
            if bad.size:
                i, j = map(int, layout.pair(start + bad[0], S.n))
                raise ValueError(f"{name}[{i}, {j}] is {S.block(i, j)[0, 0]}: {who} finite numbers")
        return
    stored = S.to_coo(part="lower")
    for k in np.flatnonzero(~np.isfinite(stored.data))[:1]:
        raise ValueError(
            f"{name}[{stored.row[k]}, {stored.col[k]}] is {stored.data[k]}: {who} finite numbers"
        )


def check_finite_array(x: Array, name: str, task: str) -> None:
    """The same of an argument beside S."""
    for at in np.argwhere(~np.isfinite(x))[:1]:
        place = ", ".join(map(str, at))
        raise ValueError(f"{name}[{place}] is {x[tuple(at)]}: {task} needs finite numbers")


def magnitude(S: Any) -> float:
    """The power of two at or below the largest |s_ij|, by which S is divided without rounding; 0 of zeros."""
    return power_of_two(reductions.norm(S._held, "max"))


def power_of_two(x: float) -> float:
    """The power of two at or below x; 0 for 0."""
    return 2.0 ** (math.frexp(x)[1] - 1) if x else 0.0


def unit_of(S: Store) -> float:
    """The power of two at or below the largest |s_ij| of a store that tells it; 1 of others, and of zeros."""
    if is_sparse(S):
        from vech.linalg import sparse_norms

        return power_of_two(sparse_norms.norm(S, "max")) or 1.0
    return (magnitude(S) or 1.0) if isinstance(S, Packed) else 1.0


def times_power(x: Array, exponent: Any) -> Array:
    """x times two to the exponent, one for all or one for each column, in two steps that no exponent overflows."""
    real = np.zeros(0, x.dtype).real.dtype
    before = np.asarray(exponent) // 2
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(x * np.ldexp(real.type(1), before) * np.ldexp(real.type(1), exponent - before))


def over(x: Array, unit: float) -> Array:
    """x / unit, a power of two."""
    return x if unit == 1 else times_power(x, -round(math.log2(unit)))


def lift(x: Array) -> int:
    """The exponent of a power of two that takes numbers near the least ones to one; 0 of others. x is contiguous."""
    parts = x.view(x.real.dtype)
    largest = float(max(parts.max(initial=0), -parts.min(initial=0)))
    return -math.frexp(largest)[1] if 0 < largest < 2**60 * float(np.finfo(x.dtype).tiny) else 0


def scaled(S: Store, dtype: Dtype, unit: float) -> Callable[[Array], Array]:
    """Products with S / unit: half of the unit divides before the product, half after, where neither overflows."""
    if unit == 1:
        return lambda x: S.matmul(x).astype(dtype, copy=False)
    exponent = -round(math.log2(unit))
    before, after = (dtype.type(2.0**part) for part in (exponent // 2, exponent - exponent // 2))
    return lambda x: np.asarray(S.matmul(x * before) * after).astype(dtype, copy=False)
