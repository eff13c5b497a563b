"""Products on halves: S @ x, congruences and rank-k updates, without the full matrix.

Blocks of a half with rows of constant length serve BLAS for both triangles, so that a half is read once.
"""

import math
from collections.abc import Callable
from numbers import Integral
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech import _core
from vech.arrays import (
    SERIAL_BYTES,
    Array,
    Dtype,
    as_array,
    check_out,
    check_writeable,
    extension,
    family,
    is_finite,
    is_real,
    native,
    resolve_threads,
    shares_memory,
)
from vech.layouts.kind import Kind
from vech.moves.converting import convert
from vech.moves.runs import (
    KERNEL,
    SIDE,
    Half,
    Runs,
    blocks,
    direct,
    expanded,
    is_narrow,
    runs_of,
    wide,
)
from vech.store import check_readable

WIDE, WIDE_SIDE = 128, 512  # from so many columns of X on, larger blocks
FEW = 4  # columns up to which as many passes of the kernel beat all else


def _strips() -> int:
    """Real columns up to which their own kernel beats blocks: 0.9 of the time at 256, 1.0 to 1.2 at 512.

    Without fused instructions it takes 1.1 to 3.8 times as long.
    """
    return 0 if _core.targets()[2] == "baseline" else 256


def product_dtype(a: Dtype, b: Dtype) -> Dtype:
    """The dtype of a product: NumPy's, which would be float32 for two of one of ml_dtypes' floats."""
    for dtype in (a, b):
        if family(dtype) in "mM":
            raise TypeError(f"{dtype} numbers have no products: astype(np.int64) or astype(float) first")
    if a == b and extension(a) and family(a) == "f":
        return a
    return np.matmul(np.zeros((1, 1), a), np.zeros((1, 1), b)).dtype  # type: ignore[no-any-return]


def by_columns(
    n: int,
    dtype: Dtype,
    x: ArrayLike,
    out: Array | None,
    product: Callable[[Array, Dtype], Array],
    *held: Array,
) -> Array:
    """S x for any x, by a product with columns, (n, m) without gaps, in a dtype to compute in.

    `out` must not share memory with what the store is held by.
    """
    x = as_array(x, "x")
    if x.ndim == 0 or x.shape[-1 if x.ndim == 1 else -2] != n:
        raise ValueError(f"x has shape {x.shape}, but S @ x needs {n} rows: ({n},) or (..., {n}, m)")
    dtype = product_dtype(dtype, x.dtype)
    if out is not None:
        check_out(out, x.shape, dtype, x, *held)
    inner = np.dtype(np.float32) if is_narrow(dtype) else native(dtype)
    rows_first = np.moveaxis(x, -2, 0) if x.ndim > 1 else x[:, None]
    columns = np.ascontiguousarray(rows_first, inner).reshape(n, math.prod(rows_first.shape[1:]))
    with np.errstate(over="ignore", invalid="ignore"):
        found = product(columns, inner).astype(dtype, copy=False)
    found = found.reshape(rows_first.shape)
    result = found[:, 0] if x.ndim == 1 else np.moveaxis(found, 0, -2)
    if out is None:
        return np.ascontiguousarray(result)
    out[...] = result
    return out


def matmul(half: Half, x: Array, out: Array, threads: int | None) -> None:
    """out = S x, for x and out of shape (n,) or (..., n, m)."""
    dtype = native(out.dtype)
    if native(half.dtype) != dtype or dtype not in KERNEL:
        return _matmul_expanded(half, x, out, threads)
    runs = runs_of(half)
    x = np.ascontiguousarray(x, dtype)
    workers = resolve_threads(threads, half.numbers.nbytes)
    if x.ndim == 1:
        out[...] = matvec(runs, x, workers)
    elif x.ndim == 2 and x.shape[1] <= FEW:
        for column in range(x.shape[1]):
            out[:, column] = matvec(runs, np.ascontiguousarray(x[:, column]), workers)
    elif x.ndim == 2 and x.dtype.kind == "f" and x.shape[1] <= _strips():
        out[...] = matvec(runs, x, workers)
    elif x.ndim == 2:
        out[...] = _matmat(runs, x, workers)
    else:
        rows_first = np.moveaxis(x, -2, 0)
        columns = math.prod(rows_first.shape[1:])
        product = _matmat(runs, np.ascontiguousarray(rows_first).reshape(runs.n, columns), workers)
        out[...] = np.moveaxis(product.reshape(rows_first.shape), 0, -2)
    return None


class Told(NamedTuple):
    """What the kernel of `multiply` is told of a half besides its numbers."""

    direct: bool  # it takes them as they are, on one thread, and what it gives is the product
    arguments: tuple[Any, ...]


def told(half: Half, mapped: bool) -> Told:
    numbers, layout, kind = half
    simple = numbers.dtype in (np.float32, np.float64) and numbers.flags.c_contiguous and not mapped
    if not (simple and kind is Kind.SYMMETRIC and numbers.nbytes < SERIAL_BYTES and direct(layout)):
        return Told(False, ())
    runs = runs_of(half)
    return Told(True, (runs.n, runs.grow, runs.stored, *_signs(runs, False), runs.off, runs.on, 1))


def vector(numbers: Array, x: Array, told: Told) -> Array:
    """S x, where all has been looked at before: 2 us, with all checks 16 (Intel, n = 32)."""
    y = np.empty(x.size, x.dtype)
    _core.multiply(numbers, x, y, *told.arguments)
    return y


def _signs(runs: Runs, absolute: bool) -> tuple[str, bool, bool, bool]:
    implied = "one" if runs.implied and not runs.negates else "zero"
    diagonal = runs.kind.diagonal if runs.stored else implied
    return diagonal, runs.conjugates, runs.negates and not absolute, absolute


def matvec(runs: Runs, x: Array, threads: int, *, absolute: bool = False) -> Array:
    conjugated = runs.turned and runs.conjugates and np.iscomplexobj(x)
    y = np.empty_like(x)
    _core.multiply(
        runs.half,
        x.conj() if conjugated else x,
        y,
        runs.n,
        runs.grow,
        runs.stored,
        *_signs(runs, absolute),
        runs.off,
        runs.on,
        threads,
    )
    if conjugated:
        np.conjugate(y, out=y)
    if runs.turned and runs.negates and not absolute:
        np.negative(y, out=y)
    return y


def _matmat(runs: Runs, x: Array, threads: int) -> Array:
    """By blocks: each is multiplied as it stands, and transposed; BLAS adds to what is there."""
    from scipy.linalg.blas import get_blas_funcs

    if runs.turned and runs.conjugates:
        x = x.conj()
    y = np.zeros_like(x)
    if not x.size:
        return y
    gemm = get_blas_funcs("gemm", dtype=x.dtype)
    mirrored = 2 if runs.conjugates else 1  # BLAS sees rows as columns: each block transposed
    sign = -runs.off if runs.negates else runs.off
    diagonal = runs.diagonal()
    side = SIDE if x.shape[1] < WIDE else WIDE_SIDE
    buffer = np.empty(side * side, x.dtype)

    def add(alpha: float, part: slice, block: Array, to: slice, form: int) -> None:
        gemm(alpha, x[part].T, block.T, 1, y[to].T, trans_b=form, overwrite_c=1)

    for rows, columns in blocks(runs.n, runs.grow, side):
        if rows == columns:
            add(1, rows, runs.square(rows, diagonal, buffer, threads), rows, 0)
            continue
        block = runs.read(rows, columns, buffer, threads)
        add(runs.off, columns, block, rows, 0)
        add(sign, rows, block, columns, mirrored)
    if runs.turned and runs.conjugates:
        np.conjugate(y, out=y)
    if runs.turned and runs.negates:
        np.negative(y, out=y)
    return y


def _matmul_expanded(half: Half, x: Array, out: Array, threads: int | None) -> None:
    """Of dtypes without a kernel: panels of the full matrix, by NumPy; narrow floats in float32."""
    narrow = is_narrow(out.dtype)
    x = wide(x) if narrow else x
    for start, rows in expanded(half, threads):
        target = out[start : start + len(rows)] if x.ndim == 1 else out[..., start : start + len(rows), :]
        if narrow:
            with np.errstate(over="ignore", invalid="ignore"):
                target[...] = np.matmul(wide(rows), x).astype(out.dtype)
        else:
            np.matmul(rows, x, out=target)


def scale_both(half: Half, d: Array) -> Half:
    """D S D^H (D^T where the kind does not conjugate), D = diag(d), in the plain layout."""
    dtype, plain = product_dtype(half.dtype, d.dtype), half.layout.plain
    runs = runs_of(half._replace(numbers=half.numbers.astype(dtype, copy=False)).moved(plain))
    result = runs._replace(half=np.empty_like(runs.half))
    d = d.astype(dtype)
    left, right = d, d.conj() if runs.conjugates else d
    if runs.turned:
        left, right = right, left
    buffer = np.empty(SIDE * SIDE, dtype)
    diagonal = runs.diagonal()
    for rows, columns in blocks(runs.n, runs.grow):
        block = runs.read(rows, columns, buffer, 1)
        if rows == columns:
            np.fill_diagonal(block, diagonal[rows])
        block *= left[rows, None]
        block *= right[columns]
        if rows == columns:
            settle_block(block, half.kind)
        result.write(rows, columns, block, "write", 1)
    return Half(result.half, plain, half.kind)


def congruence(half: Half, b: Array) -> Half:
    """B S B^H (B^T where the kind does not conjugate) in the plain layout."""
    dtype = product_dtype(half.dtype, b.dtype)
    n, plain, kind = len(b), half.layout.plain, half.kind
    b = wide(b) if is_narrow(dtype) else b
    product = np.empty(b.T.shape, product_dtype(wide(half.numbers[:0]).dtype, b.dtype))
    matmul(half, b.conj().T if kind.conjugates else b.T, product, None)
    runs = runs_of(Half(np.empty(plain.length(n), dtype), plain, kind))
    for rows, columns in blocks(n, runs.grow):
        block = (b[columns] @ product[:, rows]).T if runs.turned else b[rows] @ product[:, columns]
        if rows == columns:
            settle_block(block, kind)
        runs.write(rows, columns, block.astype(dtype, copy=False), "write", 1)
    return Half(runs.half, plain, kind)


def settle_block(block: Array, kind: Kind) -> None:
    """Rounding leaves on a diagonal what its kind has not."""
    if kind is not Kind.SYMMETRIC:
        np.fill_diagonal(block, kind.settled(block.diagonal()))


def check_outer(half: Half, x: Array, alpha: Any) -> int | float:
    """alpha of an update that keeps the kind and the dtype of the half, and can be written."""
    product_dtype(half.dtype, x.dtype)
    if half.kind.negates:
        raise TypeError(
            f"alpha X X^H is Hermitian, and the store is {half.kind}: it cannot be added in place"
        )
    if half.kind is Kind.SYMMETRIC and np.iscomplexobj(x):
        raise TypeError("X is complex, so X X^H is Hermitian, and the store is symmetric: add it to expand()")
    check_readable(alpha, "alpha")
    factor = alpha.item() if isinstance(alpha, np.generic | np.ndarray) and alpha.ndim == 0 else alpha
    if not is_real(factor):
        raise TypeError(f"alpha must be a real number, not {alpha!r}")
    if isinstance(factor, Integral) and not is_finite(factor):
        raise OverflowError(f"alpha is {short(alpha)}, which float64 does not hold")
    factor = int(factor) if isinstance(factor, Integral) else float(factor)
    exact = family(half.dtype) not in "fc"
    if exact and family(x.dtype) not in "fc" and not float(factor).is_integer():
        raise TypeError(
            f"alpha is {alpha!r}, which does not fit a store of {half.dtype}: astype(float) first"
        )
    if (exact and family(x.dtype) in "fc") or not np.can_cast(x.dtype, half.dtype, "same_kind"):
        raise TypeError(f"X has dtype {x.dtype}, which does not fit a store of {half.dtype}: astype first")
    if exact and not _holds(half.dtype, int(factor)):
        raise OverflowError(f"alpha is {alpha!r}, which {half.dtype} does not hold: astype first")
    check_writeable(half.numbers)
    return int(factor) if exact else float(factor)


def _holds(dtype: Dtype, number: int) -> bool:
    try:
        return int(np.array([number], object).astype(dtype)[0]) == number
    except OverflowError:
        return False


def add_outer(half: Half, x: Array, alpha: float) -> None:
    """half += the half of alpha X X^H, in place; in float32 for narrow floats."""
    numbers, layout, kind = half
    if shares_memory(x, numbers):
        x = x.copy()
    if not direct(layout):
        plain = half.moved(layout.plain)
        add_outer(plain, x, alpha)
        convert(plain.numbers, plain.layout, layout, kind=kind, out=numbers)
        return
    runs = runs_of(half)
    x = wide(x.astype(runs.half.dtype))
    left = np.ascontiguousarray(x.conj() if runs.turned else x)
    right = left.conj() if alpha == 1 else (left * alpha).astype(x.dtype, copy=False).conj()
    adds = native(half.dtype) in KERNEL
    buffer = np.empty(0 if adds else SIDE * SIDE, runs.half.dtype)
    for rows, columns in blocks(runs.n, runs.grow):
        block = left[rows] @ right[columns].T
        if runs.off != 1 or runs.on != 1:
            ends = block.diagonal() / runs.on
            block = block / runs.off
            if rows == columns:
                np.fill_diagonal(block, ends)
        if rows == columns:
            settle_block(block, kind)
        if adds:
            runs.write(rows, columns, block.astype(runs.half.dtype, copy=False), "add", 1)
        else:
            block = wide(runs.read(rows, columns, buffer, 1)) + block
            runs.write(rows, columns, block.astype(runs.half.dtype, copy=False), "write", 1)
    if runs.half is not numbers:
        numbers[...] = runs.half
