"""Products on halves: S @ x, forms, norms, sums, updates, without the full matrix.

Kernels see the runs of a half as rows, each number at (r, c) once. Blocks of them, with rows of constant length, serve
BLAS for both triangles, so that a half is read once.
"""

import math
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from vech import _core
from vech.arrays import (
    Array,
    Dtype,
    check_writeable,
    extension,
    family,
    resolve_threads,
    settle,
    shares_memory,
    words,
)
from vech.dialects import AnyLayout
from vech.layout import Layout
from vech.moves import convert, expand_rows
from vech.orders import Explicit

PANEL_BYTES = 2**22  # rows of the full matrix that are expanded at a time
SIDE = 256  # rows and columns of a block of the half, which stays in cache with what it is multiplied by
WIDE, WIDE_SIDE = 128, 512  # from so many columns of X on, larger blocks
FEW = 4  # columns up to which as many passes of the kernel beat blocks
BLOCK = 2**15  # numbers reduced at a time: in the cache for a second look
KERNEL = tuple(np.dtype(name) for name in ("f4", "f8", "c8", "c16"))
MILD = 16  # a scale up to this, or down to its inverse, brings no number near the ends of a dtype


class Runs(NamedTuple):
    """A half as kernels see it; true value = stored number * off, on the diagonal * on."""

    half: Array
    n: int
    grow: bool
    stored: bool  # the diagonal
    implied: int | None
    kind: str
    turned: bool  # the number at (r, c) stands in row c of the matrix
    off: float
    on: float

    @property
    def conjugates(self) -> bool:
        return self.kind.endswith("hermitian")

    @property
    def negates(self) -> bool:
        return self.kind.startswith("skew")

    def read(self, rows: slice, columns: slice, buffer: Array, threads: int) -> Array:
        """A block, 0 where nothing is stored, in the buffer."""
        return self._panel(rows, columns, buffer, "read", threads)

    def square(self, rows: slice, diagonal: Array, buffer: Array, threads: int) -> Array:
        """A block on the diagonal with both its triangles and this diagonal, true values."""
        block = self._panel(rows, rows, buffer, "square", threads)
        if self.off != 1:
            np.fill_diagonal(block, 0)
            block *= block.dtype.type(self.off)
        np.fill_diagonal(block, diagonal[rows])
        return block

    def write(self, rows: slice, columns: slice, block: Array, way: str, threads: int) -> None:
        """Put down, or add, what of a block is stored."""
        self._panel(rows, columns, np.ascontiguousarray(block).reshape(-1), way, threads)

    def _panel(self, rows: slice, columns: slice, buffer: Array, way: str, threads: int) -> Array:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        block = buffer[: height * width].reshape(height, width)
        at = (self.n, self.grow, self.stored, rows.start, columns.start)
        _core.panel(words(self.half), words(block), *at, way, self.conjugates, self.negates, threads)
        return block

    def ends(self) -> Array:
        """The stored diagonal as it stands in the half."""
        order = Layout("lower", "rows" if self.grow else "columns")
        i = np.arange(self.n)
        return np.asarray(self.half[order.slot(i, i, self.n)])

    def is_settled(self) -> bool:
        """Whether the stored diagonal holds nothing but what its kind says."""
        return not self.stored or np.array_equal(
            ends := self.ends(), settled(ends, self.kind), equal_nan=True
        )

    def diagonal(self) -> Array:
        """The diagonal as computing takes it, true values."""
        if not self.stored or self.kind == "skew":
            return np.full(self.n, 0 if self.kind == "skew" else self.implied).astype(self.half.dtype)
        ends = self.ends()
        if self.on != 1:
            ends = (ends * self.on).astype(ends.dtype)
        return settled(ends, self.kind)


def runs_of(half: Array, layout: AnyLayout, kind: str) -> Runs:
    """The half as it lies, native and contiguous; converted once if it is not `direct`."""
    if not direct(layout):
        half, layout = _plain(half, layout, kind)
    half = np.ascontiguousarray(half, _native(half.dtype))
    stored = layout.diagonal == "stored"
    off, on = 1 / layout.offdiagonal_scale, 1 / layout.diagonal_scale if stored else 1.0
    turned = layout.traversal == "columns"
    return Runs(half, layout.side(half.size), layout.grow, stored, layout.implied, kind, turned, off, on)


def direct(layout: AnyLayout) -> TypeGuard[Layout]:
    """Whether products take a half as it lies: its order has runs, and scales can wait until the sums are done."""
    if isinstance(layout, Explicit):
        return False
    return all(1 / MILD <= scale <= MILD for scale in (layout.diagonal_scale, layout.offdiagonal_scale))


# ---------------------------------------------------------------- S @ x


def product_dtype(a: Dtype, b: Dtype) -> Dtype:
    """The dtype of a product: NumPy's, which would be float32 for two of one of ml_dtypes' floats."""
    for dtype in (a, b):
        if family(dtype) in "mM":
            raise TypeError(f"{dtype} numbers have no products: astype(np.int64) or astype(float) first")
    if a == b and extension(a) and family(a) == "f":
        return a
    return np.matmul(np.zeros((1, 1), a), np.zeros((1, 1), b)).dtype  # type: ignore[no-any-return]


def matmul(half: Array, layout: AnyLayout, kind: str, x: Array, out: Array, threads: int | None) -> None:
    """out = S x, for x and out of shape (n,) or (..., n, m)."""
    dtype = _native(out.dtype)
    if _native(half.dtype) != dtype or dtype not in KERNEL:
        return _matmul_expanded(half, layout, kind, x, out, threads)
    runs = runs_of(half, layout, kind)
    x = np.ascontiguousarray(x, dtype)
    workers = resolve_threads(threads, half.nbytes)
    if x.ndim == 1:
        out[...] = _matvec(runs, x, workers)
    elif x.ndim == 2 and x.shape[1] <= FEW:
        for column in range(x.shape[1]):
            out[:, column] = _matvec(runs, np.ascontiguousarray(x[:, column]), workers)
    elif x.ndim == 2:
        out[...] = _matmat(runs, x, workers)
    else:
        rows_first = np.moveaxis(x, -2, 0)
        columns = math.prod(rows_first.shape[1:])
        product = _matmat(runs, np.ascontiguousarray(rows_first).reshape(runs.n, columns), workers)
        out[...] = np.moveaxis(product.reshape(rows_first.shape), 0, -2)
    return None


def _matvec(runs: Runs, x: Array, threads: int, *, absolute: bool = False) -> Array:
    conjugated = runs.turned and runs.conjugates and np.iscomplexobj(x)
    y = np.empty_like(x)
    diagonal = {None: "stored", 0: "zero", 1: "one"}[runs.implied]
    if runs.stored:
        diagonal = {"hermitian": "real", "skew": "zero", "skew-hermitian": "imaginary"}.get(
            runs.kind, "stored"
        )
    _core.multiply(
        runs.half,
        x.conj() if conjugated else x,
        y,
        runs.n,
        runs.grow,
        runs.stored,
        diagonal,
        runs.conjugates,
        runs.negates and not absolute,
        absolute,
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


def _matmul_expanded(
    half: Array, layout: AnyLayout, kind: str, x: Array, out: Array, threads: int | None
) -> None:
    """Of dtypes without a kernel: panels of the full matrix, by NumPy; narrow floats in float32."""
    narrow = _is_narrow(out.dtype)
    x = _wide(x) if narrow else x
    for start, rows in expanded(half, layout, kind, threads):
        target = out[start : start + len(rows)] if x.ndim == 1 else out[..., start : start + len(rows), :]
        if narrow:
            with np.errstate(over="ignore", invalid="ignore"):
                target[...] = np.matmul(_wide(rows), x).astype(out.dtype)
        else:
            np.matmul(rows, x, out=target)


def expanded(
    half: Array, layout: AnyLayout, kind: str, threads: int | None = None, height: int | None = None
) -> Iterator[tuple[int, Array]]:
    """Rows of the full matrix, many at a time, as computing takes them: the first one's number, and the rows."""
    if isinstance(layout, Explicit) or layout.scaled:
        half, layout = _plain(half, layout, kind)
    half = np.ascontiguousarray(half, _native(half.dtype))
    n = layout.side(half.size)
    height = min(n, height or max(1, PANEL_BYTES // max(1, n * half.itemsize)))
    panel = np.empty((height, n), half.dtype)
    for start in range(0, n, max(1, height)):
        stop = min(start + height, n)
        rows = panel[: stop - start]
        expand_rows(half, layout, kind, start, stop, rows, threads)
        diagonal = rows.reshape(-1)[start :: n + 1][: len(rows)]
        settle(diagonal, kind)
        yield start, rows


# ---------------------------------------------------------------- numbers


def quadratic(half: Array, layout: AnyLayout, kind: str, x: Array) -> Any:
    """x^H S x, of a vector or of each column; narrow floats are rounded once, from float32."""
    dtype = product_dtype(half.dtype, x.dtype)
    work = np.dtype(np.float32) if _is_narrow(dtype) else dtype
    x = x.astype(work)
    product = np.empty(x.shape, work)
    matmul(half, layout, kind, x, product, None)
    return form(x, product, kind).astype(_real(dtype) if kind == "hermitian" else dtype)


def form(x: Array, product: Array, kind: str) -> Any:
    """x^H (S x), of a vector or of each column."""
    found = np.vecdot(x.T, product.T)
    return found.real if kind == "hermitian" else found


def trace(diagonal: Array, kind: str) -> Any:
    """The sum of a diagonal."""
    _check_sums(diagonal.dtype)
    return _sum(settled(diagonal, kind))


def row_sums(half: Array, layout: AnyLayout, kind: str, threads: int | None = None) -> Array:
    """The sum of each row."""
    return _narrowed(_wide_row_sums(half, layout, kind, threads), half.dtype)


def total(half: Array, layout: AnyLayout, kind: str, threads: int | None = None) -> Any:
    """The sum of all numbers of the matrix; what its kind leaves of it, as on a diagonal."""
    sums = _wide_row_sums(half, layout, kind, threads)
    return _narrowed(settled(sums.sum(keepdims=True), kind), half.dtype)[0]


def _wide_row_sums(half: Array, layout: AnyLayout, kind: str, threads: int | None) -> Array:
    """In NumPy's dtype of a sum; of narrow floats in float32."""
    _check_sums(half.dtype)
    if _native(half.dtype) in KERNEL:
        runs = runs_of(half, layout, kind)
        sums = _matvec(runs, np.ones(runs.n, runs.half.dtype), resolve_threads(threads, half.nbytes))
        if np.isfinite(sums).all():  # else an infinite part times 0 may have made a NaN
            return sums
    parts = [_wide(rows).sum(axis=1) for _, rows in expanded(half, layout, kind, threads)]
    return np.concatenate(parts) if parts else _wide(half[:0]).sum(keepdims=True)[:0]


def _sum(x: Array) -> Any:
    return _narrowed(_wide(x).sum(keepdims=True), x.dtype)[0]


def _narrowed(sums: Array, dtype: Dtype) -> Array:
    """Sums in float32 of narrow floats in their own dtype again, others as they are."""
    with np.errstate(over="ignore"):
        return sums.astype(dtype) if _is_narrow(dtype) else sums


def _check_sums(dtype: Dtype) -> None:
    if family(dtype) == "M":
        raise TypeError(f"{dtype} numbers have no sums: astype(np.int64) first")


def check_sides(n: int, m: int) -> None:
    """Refuse an inner product of matrices that differ in size."""
    if n != m:
        raise ValueError(f"the matrices have sides {n} and {m}: an inner product needs equal sides")


def inner(
    half: Array, layout: AnyLayout, kind: str, other: Array, other_layout: AnyLayout, other_kind: str
) -> Any:
    """sum over i, j of conj(S_ij) T_ij, as ``numpy.vdot`` of the full matrices; real if both are Hermitian."""
    n, m = layout.side(half.size), other_layout.side(other.size)
    check_sides(n, m)
    same = half.dtype == other.dtype and kind == other_kind and _native(half.dtype) in KERNEL
    if same:
        if layout != other_layout or not direct(layout):
            half, layout = _plain(half, layout, kind)
            other = convert(other, other_layout, layout, kind=kind)
        with np.errstate(over="ignore", invalid="ignore"):
            own, others = runs_of(half, layout, kind), runs_of(other, layout, kind)
            found = _inner_runs(own, others, _vdot(own.half, others.half, real=own.conjugates))
        if np.isfinite(found):  # else inf - inf may have made a NaN
            return found
    height = max(1, PANEL_BYTES // max(1, n * half.itemsize))
    total = np.atleast_1d(
        np.vdot(_wide(half[:0]), _wide(other[:0]))
    )  # integers wrap in an array without a word
    a_panels = expanded(half, layout, kind, height=height)
    b_panels = expanded(other, other_layout, other_kind, height=height)
    for (_, a), (_, b) in zip(a_panels, b_panels, strict=True):
        total = total + np.vdot(_wide(a), _wide(b))
    both = kind == other_kind and kind.endswith("hermitian")
    return total[0].real if both else total[0]


def _inner_runs(a: Runs, b: Runs, total: Any) -> Any:
    """The inner product from that of the halves, in which numbers of the diagonal do not count as they should."""
    weight = 2 * a.off * b.off
    ends = np.vdot(a.diagonal(), b.diagonal())
    inside = np.vdot(a.ends(), b.ends()) if a.stored else 0.0
    if a.conjugates:
        total, ends, inside = total.real, ends.real, inside.real
    dtype = a.half.real.dtype if a.conjugates else a.half.dtype
    if a.stored and a.kind == "symmetric" and np.isclose(weight, a.on * b.on, rtol=1e-15):
        return dtype.type(weight * total)
    strict = total - inside
    if not (a.is_settled() and b.is_settled()):  # what does not count could drown what does
        strict = _strict_inner(a, b)
    return dtype.type(weight * strict + ends)


def _strict_inner(a: Runs, b: Runs) -> Any:
    """That of the halves without their diagonals, by blocks, in double."""
    double = np.result_type(a.half.dtype, np.float64)
    buffers = [np.empty(SIDE * SIDE, a.half.dtype) for _ in range(2)]
    strict: Any = 0.0
    for rows, columns in blocks(a.n, a.grow):
        block, other = (x.read(rows, columns, y, 1) for x, y in zip((a, b), buffers, strict=True))
        if rows == columns:
            np.fill_diagonal(block, 0)
            np.fill_diagonal(other, 0)
        strict += np.vdot(block.astype(double), other.astype(double))
    return strict.real if a.conjugates else strict


def _vdot(a: Array, b: Array, *, real: bool) -> Any:
    """In double; its real part is the product of the parts."""
    if real or not np.iscomplexobj(a):
        return np.float64(_core.dot(a, b, resolve_threads(None, a.nbytes)))
    total: Any = 0.0
    for start in range(0, a.size, BLOCK):
        total += complex(np.vdot(a[start : start + BLOCK], b[start : start + BLOCK]))
    return np.complex128(total)


def norm(half: Array, layout: AnyLayout, kind: str, order: Any = "fro") -> float:
    """The Frobenius ("fro"), row and column sum (1, inf, "inf") or largest ("max") norm."""
    if order == "fro":
        return _frobenius(half, layout, kind)
    if order == "max":
        return _largest(half, layout, kind)
    return _row_norm(half, layout, kind)


def _frobenius(half: Array, layout: AnyLayout, kind: str) -> float:
    if _native(half.dtype) in KERNEL:
        runs = runs_of(half, layout, kind)
        with np.errstate(over="ignore", invalid="ignore"):
            square = float(_inner_runs(runs, runs, _vdot(runs.half, runs.half, real=True)).real)
        if np.isfinite(square) and square > 2**20 * np.finfo(runs.half.real.dtype).tiny:
            return float(np.sqrt(square))
    total = 0.0
    scale = _largest(half, layout, kind)
    if not 0 < scale < np.inf:
        return scale
    for _, rows in expanded(half, layout, kind):
        part = np.abs(_double(rows)) / scale
        total += float(np.vdot(part, part))
    return float(scale * np.sqrt(total))


def _largest(half: Array, layout: AnyLayout, kind: str) -> float:
    runs = runs_of(half, layout, kind)
    most = np.abs(_double(runs.diagonal())).max(initial=0.0)
    if kind == "symmetric" and runs.off == runs.on and runs.half.dtype in KERNEL[:2]:
        largest = _core.largest(runs.half, resolve_threads(None, runs.half.nbytes))
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
    return np.abs(_double(block)).max()


def _row_norm(half: Array, layout: AnyLayout, kind: str) -> float:
    """The largest sum of |numbers| in a row, which is that in a column."""
    if _native(half.dtype) in KERNEL[:2]:
        runs = runs_of(half, layout, kind)
        sums = _matvec(
            runs, np.ones(runs.n, runs.half.dtype), resolve_threads(None, half.nbytes), absolute=True
        )
        return float(sums.max(initial=0.0))
    runs = runs_of(half, layout, kind)
    sums = np.abs(_double(runs.diagonal()))
    buffer = np.empty(SIDE * SIDE, runs.half.dtype)
    for rows, columns in blocks(runs.n, runs.grow):
        block = np.abs(_double(runs.read(rows, columns, buffer, 1)))
        if rows == columns:
            np.fill_diagonal(block, 0)
        sums[rows] += block.sum(axis=1) * runs.off
        sums[columns] += block.sum(axis=0) * runs.off
    return float(sums.max(initial=0.0))


# ---------------------------------------------------------------- matrices


def scale_both(half: Array, layout: AnyLayout, kind: str, d: Array) -> tuple[Array, Layout]:
    """The half of D S D^H (D^T where the kind does not conjugate), D = diag(d), and its layout."""
    dtype = product_dtype(half.dtype, d.dtype)
    half, plain = _plain(half.astype(dtype), layout, kind)
    runs = runs_of(half, plain, kind)
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
            _settle_block(block, kind)
        result.write(rows, columns, block, "write", 1)
    return result.half, plain


def congruence(half: Array, layout: AnyLayout, kind: str, b: Array) -> Array:
    """The half of B S B^H (B^T where the kind does not conjugate) in the plain layout."""
    dtype = product_dtype(half.dtype, b.dtype)
    n, plain = len(b), layout.plain
    b = _wide(b) if _is_narrow(dtype) else b
    product = np.empty(b.T.shape, product_dtype(_wide(half[:0]).dtype, b.dtype))
    matmul(half, layout, kind, b.conj().T if kind.endswith("hermitian") else b.T, product, None)
    runs = runs_of(np.empty(plain.length(n), dtype), plain, kind)
    for rows, columns in blocks(n, runs.grow):
        block = (b[columns] @ product[:, rows]).T if runs.turned else b[rows] @ product[:, columns]
        if rows == columns:
            _settle_block(block, kind)
        runs.write(rows, columns, block.astype(dtype, copy=False), "write", 1)
    return runs.half


def _settle_block(block: Array, kind: str) -> None:
    """Rounding leaves on a diagonal what its kind has not."""
    if kind != "symmetric":
        np.fill_diagonal(block, settled(block.diagonal(), kind))


def check_outer(half: Array, kind: str, x: Array, alpha: Any) -> int | float:
    """alpha of an update that keeps the kind and the dtype of the half, and can be written."""
    product_dtype(half.dtype, x.dtype)
    if kind.startswith("skew"):
        raise TypeError(f"alpha X X^H is Hermitian, and the store is {kind}: it cannot be added in place")
    if kind == "symmetric" and np.iscomplexobj(x):
        raise TypeError("X is complex, so X X^H is Hermitian, and the store is symmetric: add it to expand()")
    factor = alpha.item() if isinstance(alpha, np.generic | np.ndarray) and alpha.ndim == 0 else alpha
    if not isinstance(factor, Real):
        raise TypeError(f"alpha must be a real number, not {alpha!r}")
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
    check_writeable(half)
    return int(factor) if exact else float(factor)


def _holds(dtype: Dtype, number: int) -> bool:
    try:
        return int(np.array([number], object).astype(dtype)[0]) == number
    except OverflowError:
        return False


def add_outer(half: Array, layout: AnyLayout, kind: str, x: Array, alpha: float) -> None:
    """half += the half of alpha X X^H, in place; in float32 for narrow floats."""
    if shares_memory(x, half):
        x = x.copy()
    if not direct(layout):
        plain, _ = _plain(half, layout, kind)
        add_outer(plain, layout.plain, kind, x, alpha)
        convert(plain, layout.plain, layout, kind=kind, out=half)
        return
    runs = runs_of(half, layout, kind)
    x = _wide(x.astype(runs.half.dtype))
    left = np.ascontiguousarray(x.conj() if runs.turned else x)
    right = left.conj() if alpha == 1 else (left * alpha).astype(x.dtype, copy=False).conj()
    adds = _native(half.dtype) in KERNEL
    buffer = np.empty(0 if adds else SIDE * SIDE, runs.half.dtype)
    for rows, columns in blocks(runs.n, runs.grow):
        block = left[rows] @ right[columns].T
        if runs.off != 1 or runs.on != 1:
            ends = block.diagonal() / runs.on
            block = block / runs.off
            if rows == columns:
                np.fill_diagonal(block, ends)
        if rows == columns:
            _settle_block(block, kind)
        if adds:
            runs.write(rows, columns, block.astype(runs.half.dtype, copy=False), "add", 1)
        else:
            block = _wide(runs.read(rows, columns, buffer, 1)) + block
            runs.write(rows, columns, block.astype(runs.half.dtype, copy=False), "write", 1)
    if runs.half is not half:
        half[...] = runs.half


# ---------------------------------------------------------------- helpers


def blocks(n: int, grow: bool, side: int | None = None) -> Iterator[tuple[slice, slice]]:
    """Blocks that cover the runs; those on the diagonal have the same rows and columns."""
    side = side or SIDE
    for first in range(0, n, side):
        rows = slice(first, min(first + side, n))
        for begin in range(0 if grow else first, rows.stop if grow else n, side):
            yield rows, slice(begin, min(begin + side, n))


def settled(diagonal: Array, kind: str) -> Array:
    """A diagonal as its kind says it is."""
    if kind == "symmetric":
        return diagonal
    copy = diagonal.copy()
    settle(copy, kind)
    return copy


def _native(dtype: Dtype) -> Dtype:
    return dtype if extension(dtype) else dtype.newbyteorder("=")


def _plain(half: Array, layout: AnyLayout, kind: str) -> tuple[Array, Layout]:
    plain = layout.plain
    return (half if layout == plain else convert(half, layout, plain, kind=kind)), plain


def _is_narrow(dtype: Dtype) -> bool:
    return family(dtype) == "f" and dtype.itemsize < 4


def _real(dtype: Dtype) -> Dtype:
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def _wide(x: Array) -> Array:
    """Narrow floats as float32."""
    return x.astype(np.float32) if _is_narrow(x.dtype) else x


def _double(x: Array) -> Array:
    """Exact and narrow numbers as float64, others as they are."""
    return x if x.dtype.kind in "fc" and x.dtype.itemsize >= 4 else x.astype(np.float64)
