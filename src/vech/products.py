"""Products on halves: S @ x, forms, norms, sums, updates, without the full matrix.

Kernels see the runs of a half as rows, each number at (r, c) once. Blocks of them, with rows of constant length, serve
BLAS for both triangles, so that a half is read once.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, extension, family, resolve_threads, settle, shares_memory, words
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

    def diagonal(self) -> Array:
        """The diagonal as computing takes it, true values."""
        if not self.stored or self.kind == "skew":
            return np.full(self.n, 0 if self.kind == "skew" else self.implied).astype(self.half.dtype)
        ends = self.ends()
        if self.on != 1:
            ends = (ends * self.on).astype(ends.dtype)
        return settled(ends, self.kind)


def runs_of(half: Array, layout: AnyLayout, kind: str) -> Runs:
    """The half as it lies, native and contiguous; converted once if it has an explicit order."""
    if isinstance(layout, Explicit):
        half, layout = convert(half, layout, layout.plain, kind=kind), layout.plain
    half = np.ascontiguousarray(half, _native(half.dtype))
    stored = layout.diagonal == "stored"
    off, on = 1 / layout.offdiagonal_scale, 1 / layout.diagonal_scale if stored else 1.0
    turned = layout.traversal == "columns"
    return Runs(half, layout.side(half.size), layout.grow, stored, layout.implied, kind, turned, off, on)


# ---------------------------------------------------------------- S @ x


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

    for rows, columns in _blocks(runs.n, runs.grow, side):
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
    narrow = family(out.dtype) == "f" and out.dtype.itemsize < 4
    if narrow:
        x = x.astype(np.float32)
    for start, rows in expanded(half, layout, kind, threads):
        target = out[start : start + len(rows)] if x.ndim == 1 else out[..., start : start + len(rows), :]
        if narrow:
            with np.errstate(over="ignore", invalid="ignore"):
                target[...] = np.matmul(rows.astype(np.float32), x).astype(out.dtype)
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


def quadratic(x: Array, product: Array, kind: str) -> Any:
    """x^H (S x), of a vector or of each column."""
    conjugate = x.conj()
    form = conjugate @ product if x.ndim == 1 else (conjugate * product).sum(axis=0)
    return form.real if kind == "hermitian" else form


def row_sums(half: Array, layout: AnyLayout, kind: str, threads: int | None = None) -> Array:
    """The sum of each row."""
    if _native(half.dtype) in KERNEL:
        runs = runs_of(half, layout, kind)
        sums = _matvec(runs, np.ones(runs.n, runs.half.dtype), resolve_threads(threads, half.nbytes))
        if np.isfinite(sums).all():  # else an infinite part times 0 may have made a NaN
            return sums
    parts = [rows.sum(axis=1) for _, rows in expanded(half, layout, kind, threads)]
    return np.concatenate(parts) if parts else np.zeros(0, half.dtype).sum(axis=0, keepdims=True)[:0]


def inner(
    half: Array, layout: AnyLayout, kind: str, other: Array, other_layout: AnyLayout, other_kind: str
) -> Any:
    """sum over i, j of conj(S_ij) T_ij, as ``numpy.vdot`` of the full matrices; real if both are Hermitian."""
    n, m = layout.side(half.size), other_layout.side(other.size)
    if n != m:
        raise ValueError(f"the matrices have sides {n} and {m}: an inner product needs equal sides")
    same = half.dtype == other.dtype and kind == other_kind and _native(half.dtype) in KERNEL
    if same:
        if layout != other_layout or isinstance(layout, Explicit):
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
    return dtype.type(weight * (total - inside) + ends)


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
    for rows, columns in _blocks(runs.n, runs.grow):
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
    for rows, columns in _blocks(runs.n, runs.grow):
        block = np.abs(_double(runs.read(rows, columns, buffer, 1)))
        if rows == columns:
            np.fill_diagonal(block, 0)
        sums[rows] += block.sum(axis=1) * runs.off
        sums[columns] += block.sum(axis=0) * runs.off
    return float(sums.max(initial=0.0))


# ---------------------------------------------------------------- matrices


def scale_both(half: Array, layout: AnyLayout, kind: str, d: Array) -> tuple[Array, Layout]:
    """The half of D S D^H (D^T where the kind does not conjugate), D = diag(d), and its layout."""
    dtype = np.result_type(half.dtype, d.dtype)
    half, plain = _plain(half.astype(dtype), layout, kind)
    runs = runs_of(half, plain, kind)
    result = runs._replace(half=np.empty_like(runs.half))
    d = d.astype(dtype)
    left, right = d, d.conj() if runs.conjugates else d
    if runs.turned:
        left, right = right, left
    buffer = np.empty(SIDE * SIDE, dtype)
    for rows, columns in _blocks(runs.n, runs.grow):
        block = runs.read(rows, columns, buffer, 1)
        block *= left[rows, None]
        block *= right[columns]
        result.write(rows, columns, block, "write", 1)
    return result.half, plain


def congruence(product: Array, b: Array, plain: Layout, kind: str) -> Array:
    """The half, in a plain layout, of B T, where T = S B^H (B^T where the kind does not conjugate)."""
    n = len(b)
    half = np.empty(plain.length(n), np.result_type(product.dtype, b.dtype))
    runs = runs_of(half, plain, kind)
    for rows, columns in _blocks(n, runs.grow):
        block = (b[columns] @ product[:, rows]).T if runs.turned else b[rows] @ product[:, columns]
        if rows == columns and kind != "symmetric":
            np.fill_diagonal(block, settled(block.diagonal(), kind))
        runs.write(rows, columns, block, "write", 1)
    return half


def check_outer(half: Array, kind: str, x: Array, alpha: Any) -> None:
    """Refuse an update that would leave the kind or the dtype of the half, or that cannot be written."""
    if kind.startswith("skew"):
        raise TypeError(f"alpha X X^H is Hermitian, and the store is {kind}: it cannot be added in place")
    if kind == "symmetric" and np.iscomplexobj(x):
        raise TypeError("X is complex, so X X^H is Hermitian, and the store is symmetric: add it to expand()")
    if np.ndim(alpha) or np.iscomplexobj(alpha):
        raise TypeError(f"alpha must be a real number, not {alpha!r}")
    exact = isinstance(alpha, int) or float(alpha).is_integer()
    result = np.result_type(half.dtype, x.dtype, *(() if exact else (np.float16,)))
    if not np.can_cast(result, half.dtype, "same_kind"):
        raise TypeError(
            f"alpha X X^H has dtype {result}, which does not fit a store of {half.dtype}: astype first"
        )
    if not half.flags.writeable:
        raise ValueError("the half is read-only: copy() the store first")


def add_outer(half: Array, layout: AnyLayout, kind: str, x: Array, alpha: Any) -> None:
    """half += the half of alpha X X^H, in place."""
    if shares_memory(x, half):
        x = x.copy()
    if isinstance(layout, Explicit):
        plain = convert(half, layout, layout.plain, kind=kind)
        add_outer(plain, layout.plain, kind, x, alpha)
        convert(plain, layout.plain, layout, kind=kind, out=half)
        return
    runs = runs_of(half, layout, kind)
    x = x.astype(runs.half.dtype)
    left = np.ascontiguousarray(x.conj() if runs.turned else x)
    right = left.conj() if alpha == 1 else (left * alpha).astype(x.dtype).conj()
    adds = _native(half.dtype) in KERNEL
    buffer = np.empty(0 if adds else SIDE * SIDE, runs.half.dtype)
    for rows, columns in _blocks(runs.n, runs.grow):
        block = left[rows] @ right[columns].T
        if runs.off != 1 or runs.on != 1:
            ends = block.diagonal() / runs.on
            block = block / runs.off
            if rows == columns:
                np.fill_diagonal(block, ends)
        block = block.astype(runs.half.dtype, copy=False)
        if adds:
            runs.write(rows, columns, block, "add", 1)
        else:
            runs.write(rows, columns, runs.read(rows, columns, buffer, 1) + block, "write", 1)
    if runs.half is not half:
        half[...] = runs.half


# ---------------------------------------------------------------- helpers


def _blocks(n: int, grow: bool, side: int | None = None) -> Iterator[tuple[slice, slice]]:
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


def _wide(x: Array) -> Array:
    """Narrow floats as float32."""
    return x.astype(np.float32) if family(x.dtype) == "f" and x.dtype.itemsize < 4 else x


def _double(x: Array) -> Array:
    """Exact and narrow numbers as float64, others as they are."""
    return x if x.dtype.kind in "fc" and x.dtype.itemsize >= 4 else x.astype(np.float64)
