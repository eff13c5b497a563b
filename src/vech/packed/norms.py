"""Numbers of a half: forms, sums, inner products and norms, at the speed of reading it."""

import math
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, family, native, resolve_threads, threads_to_move
from vech.derived.pairs import PANEL_BYTES
from vech.layouts.kind import Kind
from vech.moves.runs import (
    BLOCK,
    KERNEL,
    SIDE,
    Half,
    Runs,
    blocks,
    direct,
    double,
    expanded,
    is_narrow,
    runs_of,
    wide,
)
from vech.operators import check_same_side
from vech.packed.products import matmul, matvec, product_dtype


def quadratic(half: Half, x: Array) -> Any:
    """x^H S x, of a vector or of each column; narrow floats are rounded once, from float32."""
    dtype = product_dtype(half.dtype, x.dtype)
    work = np.dtype(np.float32) if is_narrow(dtype) else dtype
    x = x.astype(work)
    product = np.empty(x.shape, work)
    matmul(half, x, product, None)
    return form(x, product, half.kind).astype(real_dtype(dtype) if half.kind is Kind.HERMITIAN else dtype)


def form(x: Array, product: Array, kind: Kind) -> Any:
    """x^H (S x), of a vector or of each column."""
    found = np.vecdot(x.T, product.T)
    return found.real if kind is Kind.HERMITIAN else found


def trace(diagonal: Array, kind: Kind) -> Any:
    """The sum of a diagonal."""
    _check_sums(diagonal.dtype)
    return _sum(kind.settled(diagonal))


def row_sums(half: Half, threads: int | None = None) -> Array:
    """The sum of each row."""
    return narrowed(_wide_row_sums(half, threads), half.dtype)


def total(half: Half, threads: int | None = None) -> Any:
    """The sum of all numbers of the matrix; what its kind leaves of it, as on a diagonal."""
    sums = _wide_row_sums(half, threads)
    return narrowed(half.kind.settled(sums.sum(keepdims=True)), half.dtype)[0]


def _wide_row_sums(half: Half, threads: int | None) -> Array:
    """In NumPy's dtype of a sum; of narrow floats in float32."""
    _check_sums(half.dtype)
    if native(half.dtype) in KERNEL:
        runs = runs_of(half)
        sums = matvec(runs, np.ones(runs.n, runs.half.dtype), resolve_threads(threads, runs.half.nbytes))
        if np.isfinite(sums).all():  # else an infinite part times 0 may have made a NaN
            return sums
    parts = [wide(rows).sum(axis=1) for _, rows in expanded(half, threads)]
    return np.concatenate(parts) if parts else wide(half.numbers[:0]).sum(keepdims=True)[:0]


def _sum(x: Array) -> Any:
    return narrowed(wide(x).sum(keepdims=True), x.dtype)[0]


def narrowed(sums: Array, dtype: Dtype) -> Array:
    """Sums in float32 of narrow floats in their own dtype again, others as they are."""
    with np.errstate(over="ignore"):
        return sums.astype(dtype) if is_narrow(dtype) else sums


def _check_sums(dtype: Dtype) -> None:
    if family(dtype) == "M":
        raise TypeError(f"{dtype} numbers have no sums: astype(np.int64) first")


def inner(half: Half, other: Half) -> Any:
    """Sum over i, j of conj(S_ij) T_ij, ``numpy.vdot`` of the full matrices; real if both are Hermitian."""
    check_same_side(other.n, half.n)
    same = half.kind is other.kind
    if same and half.dtype == other.dtype and native(half.dtype) in KERNEL:
        if half.layout != other.layout or not direct(half.layout):
            plain = half.layout.plain
            half, other = half.moved(plain), other.moved(plain)
        with np.errstate(over="ignore", invalid="ignore"):
            own, others = runs_of(half), runs_of(other)
            found = _inner_runs(own, others, _vdot(own.half, others.half, real=own.conjugates))
        if np.isfinite(found):  # else inf - inf may have made a NaN
            return found
    height = max(1, PANEL_BYTES // max(1, half.n * half.dtype.itemsize))
    nothing = np.vdot(wide(half.numbers[:0]), wide(other.numbers[:0]))
    total = np.atleast_1d(nothing)  # integers wrap in an array without a word
    a_panels, b_panels = expanded(half, height=height), expanded(other, height=height)
    for (_, a), (_, b) in zip(a_panels, b_panels, strict=True):
        total = total + np.vdot(wide(a), wide(b))
    return total[0].real if same and half.kind.conjugates else total[0]


def _inner_runs(a: Runs, b: Runs, total: Any) -> Any:
    """The inner product from that of the halves, in which the diagonal does not count as it should."""
    weight = 2 * a.off * b.off
    own = a.ends() if a.stored else None  # each number is a miss of the cache: read once
    others = own if b is a else b.ends() if b.stored else None
    ends = np.vdot(a.diagonal(own), b.diagonal(others))
    inside = 0.0 if own is None or others is None else np.vdot(own, others)
    if a.conjugates:
        total, ends, inside = total.real, ends.real, inside.real
    dtype = a.half.real.dtype if a.conjugates else a.half.dtype
    if a.stored and a.kind is Kind.SYMMETRIC and abs(weight / (a.on * b.on) - 1) < 1e-15:
        return dtype.type(weight * total)
    strict = total - inside
    if not (a.is_settled() and b.is_settled()):  # what does not count could drown what does
        strict = _strict_inner(a, b)
    return dtype.type(weight * strict + ends)


def _strict_inner(a: Runs, b: Runs) -> Any:
    """That of the halves without their diagonals, by blocks, in double."""
    exact = np.result_type(a.half.dtype, np.float64)
    buffers = [np.empty(SIDE * SIDE, a.half.dtype) for _ in range(2)]
    strict: Any = 0.0
    for rows, columns in blocks(a.n, a.grow):
        block, other = (x.read(rows, columns, y, 1) for x, y in zip((a, b), buffers, strict=True))
        if rows == columns:
            np.fill_diagonal(block, 0)
            np.fill_diagonal(other, 0)
        strict += np.vdot(block.astype(exact), other.astype(exact))
    return strict.real if a.conjugates else strict


def _vdot(a: Array, b: Array, *, real: bool) -> Any:
    """In double; its real part is the product of the parts."""
    if real or not np.iscomplexobj(a):
        return np.float64(_core.dot(a, b, threads_to_move(None, a.nbytes)))
    total: Any = 0.0
    for start in range(0, a.size, BLOCK):
        total += complex(np.vdot(a[start : start + BLOCK], b[start : start + BLOCK]))
    return np.complex128(total)


def norm(half: Half, order: Any = "fro") -> float:
    """The Frobenius ("fro"), row and column sum (1, inf, "inf") or largest ("max") norm."""
    if order == "fro":
        return _frobenius(half)
    if order == "max":
        return _largest(half)
    return _row_norm(half)


def _frobenius(half: Half) -> float:
    if native(half.dtype) in KERNEL:
        runs = runs_of(half)
        with np.errstate(over="ignore", invalid="ignore"):
            square = float(_inner_runs(runs, runs, _vdot(runs.half, runs.half, real=True)).real)
        if np.isfinite(square) and square > 2**20 * np.finfo(runs.half.real.dtype).tiny:
            return float(np.sqrt(square))
    total = 0.0
    scale = _largest(half)
    if not 0 < scale < np.inf:
        return scale
    for _, rows in expanded(half):
        part = np.abs(rows.astype(np.result_type(rows, np.float64))) / scale
        total += float(np.vdot(part, part))
    return float(scale) * math.sqrt(total)


def _largest(half: Half) -> float:
    runs = runs_of(half)
    most = np.abs(double(runs.diagonal())).max(initial=0.0)
    if half.kind is Kind.SYMMETRIC and runs.off == runs.on and runs.half.dtype in KERNEL[:2]:
        largest = _core.largest(runs.half, threads_to_move(None, runs.half.nbytes))
        return float(np.maximum(most, largest * runs.off))
    buffer = np.empty(SIDE * SIDE, runs.half.dtype)
    for rows, columns in blocks(runs.n, runs.grow):
        block = runs.read(rows, columns, buffer, 1)
        if rows == columns:
            np.fill_diagonal(block, np.zeros(1, block.dtype))
        most = np.maximum(most, _most(block) * runs.off)
    return float(most)


def _most(block: Array) -> Any:
    if block.dtype.kind == "f" and block.dtype.itemsize >= 4:
        return np.maximum(block.max(), -block.min())
    return np.abs(double(block)).max()


@np.errstate(over="ignore")
def _row_norm(half: Half) -> float:
    """The largest sum of |numbers| in a row, which is that in a column."""
    if native(half.dtype) in KERNEL[:2]:
        runs = runs_of(half)
        sums = matvec(
            runs, np.ones(runs.n, runs.half.dtype), resolve_threads(None, runs.half.nbytes), absolute=True
        )
        found = float(sums.max(initial=0.0))
        if np.isfinite(found):  # else float32 may hold the numbers, and not their sum
            return found
    runs = runs_of(half)
    sums = np.abs(double(runs.diagonal())).astype(np.float64)
    buffer = np.empty(SIDE * SIDE, runs.half.dtype)
    for rows, columns in blocks(runs.n, runs.grow):
        block = np.abs(double(runs.read(rows, columns, buffer, 1)))
        if rows == columns:
            np.fill_diagonal(block, 0)
        sums[rows] += block.sum(axis=1, dtype=np.float64) * runs.off
        sums[columns] += block.sum(axis=0, dtype=np.float64) * runs.off
    return float(sums.max(initial=0.0))


def real_dtype(dtype: Dtype) -> Dtype:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
