"""pack, expand and convert: full matrix to half, half to full matrix, one layout to another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core
from vech.arrays import (
    NATIVE,
    Array,
    Dtype,
    as_array,
    check_memory,
    check_out,
    epsilon,
    extension,
    family,
    resolve_threads,
    words,
)
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import KINDS, Kind, resolve_kind
from vech.layouts.layout import Layout, as_integer, one_of, other_diagonal
from vech.layouts.orders import Explicit
from vech.moves import explicit
from vech.moves.explicit import SMALL_SIDE, Changes
from vech.moves.rounding import Factors, halfway, largest, mean, narrow, rescale, widen, worst

USES = ("both", "lower", "upper", "mean")
SCATTER_BYTES = 2**26  # from this size on zeros come from the system; 2**25 may be used memory, cleared
SCATTER_DENSITY = 0.01  # the share of nonzeros below which scan-and-scatter beats the tiles
SMALL, SMALL_FULL = SMALL_SIDE * (SMALL_SIDE + 1) // 2, SMALL_SIDE**2  # numbers
UNCHECKED_NUMBERS = 2**20  # a smaller half expands into what any machine has

WAYS_OUT = (
    "keep it sparse (vech.to_csr), take some rows at a time (vech.Packed(half).expand(rows=...)) "
    "or pass out= a memory map"
)


def pack(
    matrix: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
    out: Array | None = None,
    threads: int | None = None,
    axis: int = -1,
) -> Array:
    """The half of a full matrix: each number of a pair once.

    Parameters
    ----------
    matrix : array, shape (..., n, n)
        One matrix or a batch; any strides, any dtype vech takes.
    layout : str or layout
        Which numbers go where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    use : {"both", "lower", "upper", "mean"}
        The triangle that is believed. "both": they must agree, and the layout's own is kept. "lower",
        "upper": the other one is not looked at. "mean": (A + mirror(A)) / 2, for floats and complex numbers.
    tolerance : float, optional
        For use="both": the largest ``|a_ij - mirror(a_ji)|`` that passes. By default n eps max|A| over the
        finite entries of each matrix, and 0 for integers, bool and dates. NaN agrees with NaN.
    out : array, shape (..., length), optional
        Memory for the result, of exactly its dtype. An interrupted call leaves it half written.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.
    axis : int
        Where the numbers of a half are in the result; rows and columns of `matrix` are at this axis and the
        next: ``axis=0`` takes shape (n, n, ...) and gives (length, ...).

    Returns
    -------
    array, shape (..., layout.length(n))
        In the dtype of `matrix`. Every bit is kept, except by a scale, a mean, and the mirroring of the other
        triangle.

    Raises
    ------
    ValueError
        If the triangles differ (the worst (i, j) and both numbers are named), if a diagonal that is left out
        is not what the layout says, if the matrix is not square, or an argument is none of its choices.
    TypeError
        For arrays and dtypes vech refuses, a scaled layout or "mean" on integers, skew numbers without a
        sign, and a tolerance where nothing is compared.
    OverflowError
        If a scale makes a finite number infinite, or the smallest integer would have to be negated.

    Notes
    -----
    Cost: one pass over the triangle that is read; "both" reads the other too, and where the two are not equal
    in every bit needs memory for both halves to compare them.

    Examples
    --------
    >>> import numpy as np
    >>> pack(np.array([[1.0, 2.0, 4.0], [2.0, 3.0, 5.0], [4.0, 5.0, 6.0]]))
    array([1., 2., 4., 3., 5., 6.])
    >>> pack(np.array([[0, 7], [8, 0]]), "condensed", use="upper")
    array([7])
    """
    plain = kind is None and tolerance is None and out is None and threads is None and axis == -1
    if plain and use in ("both", "lower") and type(matrix) is np.ndarray and matrix.size <= SMALL_FULL:
        name = layout if type(layout) is str else as_layout(layout)
        found = _positions(name, matrix.dtype, matrix.shape)
        if found is not None and (use == "lower" or not np.count_nonzero(matrix != matrix.T)):
            positions, strict = found
            if not (strict and np.count_nonzero(matrix.diagonal())):
                return matrix.take(positions)
    full = as_array(matrix, "matrix")
    if axis != -1:
        full, at = _axis_last(full, axis, 2, "matrix")
        layout = as_layout(layout)
        half, result = _axis_result(full, 2, (layout.length(full.shape[-1]),), at, out)
        pack(full, layout, kind=kind, use=use, tolerance=tolerance, out=half, threads=threads)
        return result
    if full.ndim < 2 or full.shape[-1] != full.shape[-2]:
        raise ValueError(f"matrix has shape {full.shape}: its last two axes must be a square, (..., n, n)")
    if type(layout) is not str:
        layout = as_layout(layout)
    recipe = packing(layout, _name(kind), full.dtype)
    layout = recipe.layout
    check_use(use, tolerance, recipe)
    n = full.shape[-1]
    check_side(n, layout)
    shape = (*full.shape[:-2], layout.length(n))
    if out is None:
        out = np.empty(shape, full.dtype)
    else:
        check_out(out, shape, full.dtype, full, hint=other_diagonal(layout, _last(out), n))
    if recipe.swaps:
        half = pack(_swapped(full), layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
        out[...] = _swapped(half)
        return out
    threads = resolve_threads(threads, full.nbytes)
    if full.size == 0:
        return out

    if not _even(full):
        full = full.copy()
    equal = _judge(full, recipe, use, tolerance, threads)
    if use == "mean" and isinstance(layout, Explicit):
        order = layout.plain
        scaled = Layout(  # rounds once: the scales of both cancel on the way from one to the other
            order.triangle,
            order.traversal,
            diagonal_scale=layout.diagonal_scale,
            offdiagonal_scale=layout.offdiagonal_scale,
        )
        halves = pack(full, scaled, kind=kind, use=use, threads=threads)
        return convert(halves, scaled, layout, kind=kind, out=out, threads=threads)
    by_hand = use == "mean" or recipe.scaling.by_hand
    half = out if out.flags.c_contiguous or (_adjoining(out) and not by_hand) else np.empty(shape, full.dtype)
    if use == "mean":
        infinite = _pack_mean(full, half, recipe, threads)
    else:
        own = use in ("both", layout.triangle)
        if equal and recipe.kind is not Kind.TRIANGULAR and _across(full, layout):
            own = False  # the same bits, and faster to read
        if isinstance(layout, Explicit):
            infinite = explicit.pack(full, half, layout, own, recipe.changes, threads)
        else:
            plain_changes = recipe.changes[0]
            change = plain_changes.own if own else plain_changes.mirrored
            infinite = _pack_triangle(full, half, layout, own, change, plain_changes.diagonal, threads)
        if recipe.negates and not (own and use == layout.triangle):
            _refuse_smallest(half, layout, n)
        if recipe.scaling.by_hand:
            flat = _rows(half)
            infinite = rescale(flat, flat, _diagonal(layout, n), recipe.scaling.off, recipe.scaling.on)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {full.dtype} when layout {layout.name} scales it"
        )
    if half is not out:
        out[...] = half
    return out


def expand(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
    axis: int = -1,
) -> Array:
    """The full matrix of a half.

    Parameters
    ----------
    half : array, shape (..., length)
        One half or a batch; any strides, any dtype vech takes.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    out : array, shape (..., n, n), optional
        Memory for the result, of exactly its dtype. An interrupted call leaves it half written.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.
    axis : int
        Where the numbers of a half are; rows and columns of the result are at this axis and the next:
        ``axis=0`` takes shape (length, ...) and gives (n, n, ...).

    Returns
    -------
    array, shape (..., n, n)
        In the dtype of `half`. Every bit is kept, except by a scale, and by conjugating or negating.

    Raises
    ------
    ValueError
        If the length fits no n, an argument is none of its choices, or `out` does not fit.
    TypeError
        For arrays and dtypes vech refuses, a scaled layout of integers, and skew numbers without a sign.
    OverflowError
        If undoing a scale makes a finite number infinite, or the smallest integer would have to be negated.
    MemoryError
        If the matrix is larger than memory and swap together, before anything is allocated.

    Notes
    -----
    Cost: the half is read once and the full matrix written once. Of a large half that is nearly all zero only
    the nonzeros are written, into memory that the system hands out as zeros; the result is the same in every
    bit.

    Examples
    --------
    >>> import numpy as np
    >>> expand(np.array([1, 2, 4, 3, 5, 6]))
    array([[1, 2, 4],
           [2, 3, 5],
           [4, 5, 6]])
    >>> expand(np.array([7, 8, 9]), "condensed", kind="skew")
    array([[ 0, -7, -8],
           [ 7,  0, -9],
           [ 8,  9,  0]])
    """
    plain = kind is None and out is None and threads is None and axis == -1
    if plain and type(half) is np.ndarray and half.size <= SMALL:
        found = _lookup(layout if type(layout) is str else as_layout(layout), half.dtype, half.shape)
        if found is not None:
            index, fill = found
            full = half[index]
            if fill is not None:
                full.ravel()[:: len(full) + 1] = fill
            return full
    if axis != -1:
        half, at = _axis_last(as_array(half, "half"), axis, 1, "half")
        n = as_layout(layout).side(half.shape[-1])
        full, result = _axis_result(half, 1, (n, n), at, out)
        _expand(half, layout, kind, full, threads)
        return result
    return _expand(half, layout, kind, out, threads)


@lru_cache(maxsize=256)
def _lookup(
    name: str | AnyLayout, dtype: Dtype, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], Array | None] | None:
    """Of one small symmetric matrix: where each number is in its half, and what its diagonal is if left out.

    NumPy's own indexing, at 0.15 us for n = 3 and 0.2 us for n = 8, beats any call of a kernel.
    """
    layout = as_layout(name)
    if len(shape) != 1 or dtype not in NATIVE or dtype.kind == "c" or layout.scaled:
        return None
    i = np.arange(layout.side(shape[0]))
    if layout.implied is None:
        return layout.position(i[:, None], i, i.size), None
    if i.size < 2:
        return None
    index = layout.slot(np.minimum(i[:, None], i), np.maximum(i[:, None], i), i.size)
    np.fill_diagonal(index, 0)
    return index, np.array([layout.implied]).astype(dtype)


@lru_cache(maxsize=256)
def _positions(
    name: str | AnyLayout, dtype: Dtype, shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], bool] | None:
    """Of one small symmetric matrix: where in it, row by row, the half is, and whether it leaves out zeros."""
    layout = as_layout(name)
    if len(shape) != 2 or shape[0] != shape[1] or dtype not in NATIVE or dtype.kind == "c" or layout.scaled:
        return None
    if layout.triangle != "lower" or layout.implied == 1 or (layout.implied == 0 and shape[0] == 0):
        return None
    i, j = layout.pair(np.arange(layout.length(shape[0])), shape[0])
    return i * shape[0] + j, layout.implied == 0


def expand_rows(
    half: Array, layout: AnyLayout, kind: str, start: int, stop: int, out: Array | None, threads: int | None
) -> Array:
    """Rows start to stop of the full matrix of one half, shape (stop - start, n)."""
    return _expand(half, layout, kind, out, threads, rows=(start, stop))


def _expand(
    half: ArrayLike,
    layout: str | AnyLayout,
    kind: str | None,
    out: Array | None,
    threads: int | None,
    route: str = "auto",
    rows: tuple[int, int] | None = None,
) -> Array:
    half = as_array(half, "half")
    if half.ndim == 0:
        raise ValueError("half is a single number: a half is a vector, of shape (..., length)")
    if type(layout) is not str:
        layout = as_layout(layout)
    recipe = expansion(layout, _name(kind), half.dtype, half.shape[-1])
    n = recipe.n
    start, stop = rows or (0, n)
    shape = (*half.shape[:-1], stop - start, n)
    scatter = route == "scatter"
    if scatter and not _scatters(half, recipe):
        raise ValueError("scan-and-scatter serves one symmetric or triangular half without scales")
    if out is None:
        if half.size >= UNCHECKED_NUMBERS or n < 2:
            check_memory(math.prod(shape) * half.itemsize, WAYS_OUT)
            scatter |= route == "auto" and rows is None and _is_empty(half, recipe)
        out = np.zeros(shape, half.dtype) if scatter else np.empty(shape, half.dtype)
    else:
        hint = "" if rows else other_diagonal(recipe.layout, half.shape[-1], _last(out))
        check_out(out, shape, half.dtype, half, hint=hint)
        if scatter:
            out[...] = np.zeros(1, half.dtype)
    threads = resolve_threads(threads, out.nbytes)
    if recipe.negates and rows is None:
        _refuse_smallest(half, recipe.layout, n)
    if recipe.swaps:
        inner = out.view(half.dtype.newbyteorder("="))
        _expand(_swapped(half), layout, kind, inner, threads, "tiles", rows)
        out.byteswap(inplace=True)
        return out
    if not _even(out):
        out[...] = _expand(half, layout, kind, None, threads, route, rows)
        return out
    if out.size == 0:
        return out
    infinite = False
    if recipe.scaling.by_hand:
        half, given = np.empty(half.shape, half.dtype), half
        infinite = rescale(
            _rows(given), _rows(half), _diagonal(recipe.layout, n), recipe.scaling.off, recipe.scaling.on
        )
    elif not _adjoining(half):
        half = np.ascontiguousarray(half)
    if scatter:
        _scatter(half, out, recipe, threads)
    elif recipe.arguments is None:
        order = recipe.layout
        assert isinstance(order, Explicit)
        infinite |= explicit.expand(half, out, order, start, recipe.changes, threads)
    else:
        infinite |= _core.expand(words(half), words(out), *recipe.arguments, start, threads)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {half.dtype} when layout {recipe.layout.name} is unscaled"
        )
    if recipe.negates and rows is not None:
        _refuse_smallest_rows(out, start)
    return out


def convert(
    half: ArrayLike,
    source: str | AnyLayout,
    target: str | AnyLayout,
    *,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
    axis: int = -1,
) -> Array:
    """The same matrix in another layout.

    Parameters
    ----------
    half : array, shape (..., length)
        One half or a batch in layout `source`; any strides, any dtype vech takes.
    source, target : str or layout
        The layout that `half` has, and the one wanted.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    out : array, shape (..., target length), optional
        Memory for the result, of exactly its dtype. It may be `half` itself where both layouts have one order
        (see `Layout.order`) and length. An interrupted call leaves it half written.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.
    axis : int
        Where the numbers of a half are, in `half` and in the result: the last axis, or ``axis=0`` for
        components first.

    Returns
    -------
    array, shape (..., target.length(n))
        In the dtype of `half`. Every bit is kept, except where scales differ, and by conjugating or negating.

    Raises
    ------
    ValueError
        If the length fits no n, a stored diagonal that `target` leaves out is not exactly what it says, or a
        triangular half would have to move to the other triangle.
    TypeError
        For arrays and dtypes vech refuses, a scaled layout of integers, and skew numbers without a sign.
    OverflowError
        If scaling makes a finite number infinite, or the smallest integer would have to be negated.

    Notes
    -----
    Cost: the half is read once and the new one written once; there is no n x n memory.

    Examples
    --------
    >>> import numpy as np
    >>> convert(np.array([1, 2, 4, 3, 5, 6]), "vech", "numpy-tril")
    array([1, 2, 3, 4, 5, 6])
    """
    half = as_array(half, "half")
    if half.ndim == 0:
        raise ValueError("half is a single number: a half is a vector, of shape (..., length)")
    source, target = as_layout(source), as_layout(target)
    if axis != -1:
        half, at = _axis_last(half, axis, 1, "half")
        length = target.length(source.side(half.shape[-1]))
        converted, result = _axis_result(half, 1, (length,), at, out)
        convert(half, source, target, kind=kind, out=converted, threads=threads)
        return result
    recipe = _conversion(source, target, _name(kind), half.dtype, half.shape[-1])
    n, same = recipe.n, False
    shape = (*half.shape[:-1], target.length(n))
    if out is None:
        out = np.empty(shape, half.dtype)
    else:
        same = recipe.in_place and _is_same(out, half)
        check_out(out, shape, half.dtype, *(() if same else (half,)))
    _check_diagonal(half, source, target, n)
    if same and not recipe.alters:
        return out
    if recipe.negates:
        _refuse_smallest(half, source, n)
    if recipe.swaps:
        out[...] = _swapped(convert(_swapped(half), source, target, kind=kind, threads=threads))
        return out
    threads = resolve_threads(threads, half.nbytes)
    if out.size == 0:
        return out
    if recipe.arguments is None and not explicit.is_direct(source, target, n):
        plain = source.plain if isinstance(source, Explicit) else target.plain
        between = convert(half, source, plain, kind=kind, threads=threads)
        return convert(between, plain, target, kind=kind, out=out, threads=threads)
    infinite = False
    if recipe.scaling.by_hand:
        half, given = np.empty(half.shape, half.dtype), half
        infinite = rescale(
            _rows(given), _rows(half), _diagonal(source, n), recipe.scaling.off, recipe.scaling.on
        )
    elif not _adjoining(half):
        half = np.ascontiguousarray(half)
    result = out if _adjoining(out) else np.empty(shape, half.dtype)
    if recipe.arguments is None:
        infinite |= explicit.convert(half, result, source, target, n, recipe.changes, threads)
    else:
        infinite |= _core.convert(words(half), words(result), *recipe.arguments, threads)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {half.dtype} when layout {target.name} scales it"
        )
    if result is not out:
        out[...] = result
    return out


def _axis_last(array: Array, axis: int, count: int, what: str) -> tuple[Array, int]:
    """The array with its components (one axis of a half, two of a matrix) last, and where they were."""
    axis = as_integer("axis", axis)
    halves = array.ndim - count + 1
    if halves < 1:
        raise ValueError(
            f"{what} has shape {array.shape}: it needs {count} {'axes' if count > 1 else 'axis'} at least"
        )
    at = axis + halves if axis < 0 else axis
    if not 0 <= at < halves:
        raise ValueError(
            f"axis {axis} is out of range: {what} has shape {array.shape}, so {-halves} to {halves - 1}"
        )
    if count == 2 and array.shape[at] != array.shape[at + 1]:
        raise ValueError(
            f"{what} has shape {array.shape}: its axes {at} and {at + 1} must be a square, n x n"
        )
    return np.moveaxis(array, range(at, at + count), range(-count, 0)), at


def _axis_result(
    moved: Array, count: int, components: tuple[int, ...], at: int, out: Array | None
) -> tuple[Array, Array]:
    """Memory for the result with its components last, and as the caller sees it, with them at axis `at`."""
    batch = moved.shape[: moved.ndim - count]
    shape = (*batch[:at], *components, *batch[at:])
    if out is None:
        check_memory(math.prod(shape) * moved.itemsize, WAYS_OUT)
        out = np.empty(shape, moved.dtype)
    else:
        check_out(out, shape, moved.dtype)
    last = len(components)
    return np.moveaxis(out, range(at, at + last), range(-last, 0)), out


# ---------------------------------------------------------------- recipes: what is known before the data


class Scaling(NamedTuple):
    """What multiplies numbers off and on the diagonal, and whether kernels can do it."""

    off: Factors
    on: Factors
    by_kernel: bool

    @property
    def alters(self) -> bool:
        """Whether any number becomes another."""
        return self.off[0] != self.off[1] or self.on[0] != self.on[1]

    @property
    def by_hand(self) -> bool:
        """Whether `values.rescale` has to do it."""
        return self.alters and not self.by_kernel

    def change(self, factors: Factors, dtype: Dtype, kind: Kind) -> _core.Change:
        """What happens to a number that is scaled by `factors` and mirrored by `kind`."""
        options = kind.options(dtype)
        if self.by_kernel and factors[0] != factors[1]:
            name = "f4" if dtype.char in "fF" else "f8"
            options |= {"scale": name, "divisor": factors[0], "multiplier": factors[1]}
        return _core.Change(dtype.itemsize, **options)

    def all_changes(self, own: Kind, mirrored: Kind, dtype: Dtype) -> tuple[Changes, Changes]:
        """What happens to numbers that are mirrored by these kinds, and to those that are crossed besides."""
        factors, kinds = (self.off, self.off, self.on), (own, mirrored, Kind.SYMMETRIC)
        straight = (self.change(by, dtype, kind) for by, kind in zip(factors, kinds, strict=True))
        crossed = (self.change(by, dtype, kind.conjugated) for by, kind in zip(factors, kinds, strict=True))
        return Changes(*straight), Changes(*crossed)


class Packing(NamedTuple):
    layout: AnyLayout
    kind: Kind
    dtype: Dtype
    scaling: Scaling
    negates: bool
    swaps: bool
    changes: tuple[Changes, Changes]


class Expansion(NamedTuple):
    n: int
    layout: AnyLayout
    kind: Kind
    scaling: Scaling
    negates: bool
    swaps: bool
    arguments: tuple[int, bool, bool, _core.Change, _core.Change, _core.Change, Array | None] | None
    changes: tuple[Changes, Changes]


class Conversion(NamedTuple):
    n: int
    scaling: Scaling
    negates: bool
    swaps: bool
    in_place: bool
    alters: bool
    arguments: tuple[int, bool, bool, bool, bool, _core.Change, _core.Change, Array | None] | None
    changes: tuple[Changes, Changes]


@lru_cache(maxsize=256)
def packing(name: str | AnyLayout, kind: str | None, dtype: Dtype) -> Packing:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    explicit.check_kind(layout, kind, dtype)
    scaling = _scaling(layout.plain, layout, dtype)
    changes = scaling.all_changes(Kind.SYMMETRIC, kind, dtype)
    return Packing(layout, kind, dtype, scaling, *_negation(kind, dtype), changes)


@lru_cache(maxsize=256)
def expansion(name: str | AnyLayout, kind: str | None, dtype: Dtype, length: int) -> Expansion:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    n = layout.side(length)
    explicit.check_kind(layout, kind, dtype)
    scaling = _scaling(layout, layout.plain, dtype)
    changes = scaling.all_changes(Kind.SYMMETRIC, kind, dtype)
    if isinstance(layout, Explicit):
        return Expansion(n, layout, kind, scaling, *_negation(kind, dtype), None, changes)
    stored, mirrored, on = changes[0]
    fill = None if layout.implied is None else words(_number(layout.implied, 1.0, dtype))
    cells = (stored, mirrored) if layout.traversal == "rows" else (mirrored, stored)
    arguments = (n, layout.grow, fill is None, *cells, on, fill)
    return Expansion(n, layout, kind, scaling, *_negation(kind, dtype), arguments, changes)


@lru_cache(maxsize=256)
def _conversion(
    source: AnyLayout, target: AnyLayout, kind: str | None, dtype: Dtype, length: int
) -> Conversion:
    kind = resolve_kind(kind, dtype, moves=True)
    n = source.side(length)
    target.length(n)
    check_side(n, target)
    for layout in (source, target):
        explicit.check_kind(layout, kind, dtype)
    mirrors = source.triangle != target.triangle
    if mirrors and kind is Kind.TRIANGULAR:
        raise ValueError(
            f"a {source.triangle} triangular half cannot become one of the {target.triangle} triangle: "
            f"that is all zero"
        )
    scaling = _scaling(source, target, dtype)
    fill = None
    if target.implied is None and source.implied is not None:
        fill = words(_number(source.implied, target.diagonal_scale, dtype))
    negates, swaps = _negation(kind, dtype) if mirrors else (False, False)
    strict = (source.implied is None, target.implied is None)
    own = kind if mirrors else Kind.SYMMETRIC
    alters = scaling.alters or own is not Kind.SYMMETRIC
    changes = scaling.all_changes(own, kind, dtype)
    if isinstance(source, Explicit) or isinstance(target, Explicit):
        if fill is not None:
            number = fill.view(dtype)
            changes = tuple(  # type: ignore[assignment]
                change._replace(diagonal=_core.Change(dtype.itemsize, zero=True, flip=constant.tobytes()))
                for change, constant in zip(changes, (number, Kind.HERMITIAN.mirror(number)), strict=True)
            )
        return Conversion(n, scaling, negates, swaps, source == target, alters, None, changes)
    change, _, on = changes[0]
    arguments = (n, source.grow, target.grow, *strict, change, on, fill)
    in_place = source.grow == target.grow and strict[0] == strict[1]
    return Conversion(n, scaling, negates, swaps, in_place, alters, arguments, changes)


def _scaling(source: AnyLayout, target: AnyLayout, dtype: Dtype) -> Scaling:
    """From the numbers that `source` stores to those of `target`."""
    for layout in (source, target):
        if layout.scaled and family(dtype) not in "fc":
            raise TypeError(
                f"layout {layout.name} scales what it stores, and {dtype} is exact: astype(float) first"
            )
    on = (1.0, 1.0)
    if source.implied is None and target.implied is None:
        on = (source.diagonal_scale, target.diagonal_scale)
    by_kernel = dtype.isnative and not extension(dtype) and dtype.char in "fdFD"
    return Scaling((source.offdiagonal_scale, target.offdiagonal_scale), on, by_kernel)


def _negation(kind: Kind, dtype: Dtype) -> tuple[bool, bool]:
    """Whether integers are negated, and whether their bytes must be swapped for that."""
    negates = kind.negates and family(dtype) in "im"
    return negates, negates and not dtype.isnative


def _number(value: int, scale: float, dtype: Dtype) -> Array:
    """value x scale in an array of one."""
    if family(dtype) != "f":
        return np.array([value * scale if family(dtype) == "c" else value]).astype(dtype)
    number = narrow(np.array([value * scale]), dtype)
    if not np.isfinite(widen(number)).all():
        raise OverflowError(f"the diagonal {value} times its scale {scale} is infinite in {dtype}")
    return number


# ---------------------------------------------------------------- checks


def _name(kind: str | None) -> str | None:
    if kind is not None and not isinstance(kind, str):
        one_of("kind", kind, KINDS)
    return kind


def check_side(n: int, layout: AnyLayout) -> None:
    if n == 0 and layout.implied is not None:
        raise ValueError(
            f"a 0 x 0 matrix has no half in layout {layout.name}: a half of length 0 is n = 1 there"
        )


def check_use(use: str, tolerance: float | None, recipe: Packing) -> None:
    one_of("use", use, USES)
    triangle = recipe.layout.triangle
    if recipe.kind is Kind.TRIANGULAR and use not in ("both", triangle):
        raise ValueError(
            f"use={use!r} takes numbers from the triangle that kind='triangular' and {triangle!r} make zero"
        )
    if use == "mean" and family(recipe.dtype) not in "fc":
        raise TypeError(
            f"use='mean' computes with floats or complex numbers, not {recipe.dtype}: astype(float) first"
        )
    if tolerance is not None:
        if use != "both":
            raise TypeError(f"use={use!r} compares nothing: a tolerance goes with use='both'")
        if not isinstance(tolerance, Real) or isinstance(tolerance, bool):
            raise TypeError(f"tolerance must be a real number, not {tolerance!r}")
        if not tolerance >= 0:
            raise ValueError(f"tolerance must not be negative or NaN, but is {tolerance!r}")


def _check_diagonal(half: Array, source: AnyLayout, target: AnyLayout, n: int) -> None:
    """A diagonal that the target leaves out must be exactly what it says."""
    if target.implied is None or n == 0:
        return
    if source.implied is not None:
        if source.implied != target.implied:
            raise ValueError(
                f"the diagonal of layout {source.name} is {source.diagonal}, not {target.diagonal}"
            )
        return
    expected = _number(target.implied, source.diagonal_scale, half.dtype)
    diagonal = half[..., _diagonal(source, n)]
    if (diagonal != expected).any():
        *matrix, i = (int(k) for k in np.argwhere(diagonal != expected)[0])
        raise ValueError(
            f"the diagonal of layout {target.name} is {target.diagonal}, but a[{i}, {i}] is stored as "
            f"{diagonal[(*matrix, i)]}{_where(matrix)}"
        )


def _refuse_smallest(half: Array, layout: AnyLayout, n: int) -> None:
    """OverflowError for the integer without a negative anywhere but on the diagonal."""
    if half.dtype.kind != "i" or half.size == 0:
        return
    smallest = np.iinfo(half.dtype).min
    if half.min() == smallest:
        positions = np.flatnonzero((half.reshape(-1, half.shape[-1]) == smallest).any(axis=0))
        i, j = layout.pair(positions, n)
        refuse_negation(i[i != j], j[i != j], smallest, half.dtype)


def _refuse_smallest_diagonal(diagonal: Array) -> None:
    if diagonal.dtype.kind == "i" and (smallest := np.iinfo(diagonal.dtype).min) in diagonal:
        i = np.nonzero(diagonal == smallest)[1]
        refuse_negation(i, i, smallest, diagonal.dtype)


def _refuse_smallest_rows(rows: Array, start: int) -> None:
    if rows.dtype.kind == "i" and rows.size and rows.min() == np.iinfo(rows.dtype).min:
        i, j = np.nonzero(rows == np.iinfo(rows.dtype).min)
        i += start
        refuse_negation(i[i != j], j[i != j], np.iinfo(rows.dtype).min, rows.dtype)


def refuse_negation(i: Array, j: Array, smallest: int, dtype: Dtype) -> None:
    if i.size:
        raise OverflowError(
            f"{smallest} at ({i[0]}, {j[0]}) has no negative in {dtype}: astype a wider dtype first"
        )


def _judge(full: Array, recipe: Packing, use: str, tolerance: float | None, threads: int) -> bool:
    """Refuse a matrix whose triangles disagree, or whose diagonal is not what the layout leaves out.

    True where the triangles were compared, and every bit of one is its mirror image in the other.
    """
    layout, kind, n = recipe.layout, recipe.kind, full.shape[-1]
    equal = False
    if use == "both":
        flipped = kind is Kind.TRIANGULAR and layout.triangle == "upper"
        view = full.swapaxes(-1, -2) if flipped else full
        equal = n < 2 or _core.mirrored(words(view), n, kind.change(full.dtype), threads)
    looks = use == "both" and not (equal and kind.diagonal == "stored")
    if looks or (layout.implied is not None and not _is_implied(full, layout)):
        _compare(full, recipe, use, tolerance, threads, equal)
    return equal


def _is_implied(full: Array, layout: AnyLayout) -> bool:
    """Whether the diagonal is exactly what the layout leaves out, which needs no tolerance."""
    implied = _number(layout.implied or 0, 1.0, full.dtype)
    return bool((full.diagonal(axis1=-2, axis2=-1) == implied).all())


def _compare(
    full: Array, recipe: Packing, use: str, tolerance: float | None, threads: int, equal: bool
) -> None:
    """Compare the triangles (unless they are known to be equal) and the diagonal within the tolerance."""
    layout, kind, dtype = recipe.layout, recipe.kind, full.dtype
    n, count = full.shape[-1], math.prod(full.shape[:-2])
    strict = Layout(layout.triangle, layout.plain.traversal, diagonal="zero")
    nothing, mirror = Kind.SYMMETRIC.change(dtype), kind.change(dtype)
    diagonal = full.diagonal(axis1=-2, axis2=-1).reshape(count, n)

    def triangle(own: bool, change: _core.Change = nothing) -> Array:
        half = np.empty((*full.shape[:-2], strict.length(n)), dtype)
        _pack_triangle(full, half, strict, own, change, nothing, threads)
        return half.reshape(count, half.shape[-1])

    def bound() -> NDArray[np.float64]:
        if tolerance is not None:
            return np.full(count, float(tolerance))
        eps = epsilon(dtype)
        if eps == 0:
            return np.zeros(count)
        believed = (True, False) if use in ("both", "mean") else (use == layout.triangle,)
        most = np.max([largest(x) for x in (diagonal, *map(triangle, believed))], axis=0)
        return np.asarray(n * eps * most)

    def apart(a: Array, b: Array) -> tuple[int, int] | None:
        exact = worst(a, b, np.zeros(count)) is None  # spares the pass that `bound` costs
        return None if exact else worst(a, b, bound())

    if use == "both" and not equal:
        zero = kind is Kind.TRIANGULAR
        theirs = triangle(False, nothing if zero else mirror)
        ours = np.broadcast_to(np.zeros(1, dtype), theirs.shape) if zero else triangle(True)
        if (found := worst(ours, theirs, bound())) is not None:
            raise disagreement(full, recipe, found[0], *strict.pair(found[1], n))
    if use == "both" and kind.diagonal != "stored":
        if recipe.negates:
            _refuse_smallest_diagonal(diagonal)
        if (found := apart(diagonal, kind.mirror(diagonal))) is not None:
            raise disagreement(full, recipe, *found, found[1])
    if layout.implied is not None:
        if use == "mean" and kind is not Kind.SYMMETRIC:
            diagonal = narrow(halfway(widen(diagonal), widen(kind.mirror(diagonal))), dtype)
        implied = np.broadcast_to(_number(layout.implied, 1.0, dtype), diagonal.shape)
        if (found := apart(diagonal, implied)) is not None:
            raise ValueError(
                f"the diagonal of layout {layout.name} is {layout.diagonal}, "
                f"but a[{found[1]}, {found[1]}] is {diagonal[found]}{_where(_matrix(full, found[0]))}"
            )


class AsymmetryError(ValueError):
    """A matrix whose triangles differ: `found` says where, `own` which triangle alone has numbers, if one has."""

    def __init__(self, found: str, own: str | None = None) -> None:
        self.found, self.own = found, own
        if own is None:
            way = "say what to believe with use='lower', 'upper' or 'mean', or allow more with tolerance="
        else:
            self.found = f"{found}; its {'upper' if own == 'lower' else 'lower'} triangle is empty"
            way = f"if the {own} one is meant for both, say use={own!r}"
        super().__init__(f"{self.found}{'; ' if own is None else ': '}{way}")


def disagreement(full: Array, recipe: Packing, row: int, i: int, j: int) -> ValueError:
    matrix = _matrix(full, row)
    return contradiction(recipe, i, j, full[(*matrix, i, j)], full[(*matrix, j, i)], _where(matrix))


def contradiction(
    recipe: Packing, i: int, j: int, here: object, there: object, where: str = "", own: str | None = None
) -> ValueError:
    """What is wrong with the numbers at (i, j), in the layout's own triangle, and at (j, i).

    `own` is the triangle that alone has numbers, if one has.
    """
    if recipe.kind is Kind.TRIANGULAR:
        return ValueError(
            f"matrix is not {recipe.layout.triangle} triangular: a[{j}, {i}] is {there}{where}; "
            f"use={recipe.layout.triangle!r} does not look at the other triangle"
        )
    numbers = f"a[{i}, {j}] is {here}" + ("" if i == j else f", but a[{j}, {i}] is {there}")
    return AsymmetryError(f"matrix is not {recipe.kind}: {numbers}{where}", own)


def _matrix(full: Array, row: int) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(row, full.shape[:-2])) if full.ndim > 2 else ()


def _where(matrix: Sequence[int]) -> str:
    return f" in matrix {', '.join(map(str, matrix))} of the batch" if matrix else ""


# ---------------------------------------------------------------- the work


def _pack_triangle(
    full: Array,
    half: Array,
    layout: Layout,
    own: bool,
    change: _core.Change,
    diagonal: _core.Change,
    threads: int,
) -> bool:
    """half = change(its own triangle of full, or the other); whether a finite number became infinite."""
    view = full if own == (layout.traversal == "rows") else full.swapaxes(-1, -2)
    stored = layout.implied is None
    return _core.pack(
        words(view), words(half), full.shape[-1], layout.grow, stored, change, diagonal, threads
    )


def _pack_mean(full: Array, half: Array, recipe: Packing, threads: int) -> bool:
    nothing, mirror = Kind.SYMMETRIC.change(full.dtype), recipe.kind.change(full.dtype)
    assert isinstance(recipe.layout, Layout)
    own, other = np.empty(half.shape, half.dtype), np.empty(half.shape, half.dtype)
    _pack_triangle(full, own, recipe.layout, True, nothing, nothing, threads)
    _pack_triangle(full, other, recipe.layout, False, mirror, mirror, threads)
    diagonal = _diagonal(recipe.layout, full.shape[-1])
    return mean(_rows(own), _rows(other), _rows(half), diagonal, recipe.scaling.off, recipe.scaling.on)


def _scatter(half: Array, out: Array, recipe: Expansion, threads: int) -> None:
    assert recipe.arguments is not None and isinstance(recipe.layout, Layout)
    n, grow, stored, _, _, diagonal, fill = recipe.arguments
    transposes = recipe.kind is Kind.TRIANGULAR and recipe.layout.traversal == "columns"
    view = out.swapaxes(-1, -2) if transposes else out
    change = recipe.kind.change(half.dtype)
    _core.scatter(words(half), words(view), n, grow, stored, change, diagonal, fill, threads)


def _scatters(half: Array, recipe: Expansion) -> bool:
    """Whether a half can be expanded by writing its nonzeros alone."""
    simple = recipe.arguments is not None and not recipe.layout.scaled
    return half.ndim == 1 and recipe.kind.diagonal == "stored" and simple


def _is_empty(half: Array, recipe: Expansion) -> bool:
    """Whether, by a sample, so few numbers are not zero that writing them alone is faster."""
    if recipe.n**2 * half.itemsize < SCATTER_BYTES or not _scatters(half, recipe) or not _adjoining(half):
        return False
    return _core.density(words(half), b"\xff" * half.itemsize) < SCATTER_DENSITY


def _diagonal(layout: AnyLayout, n: int) -> NDArray[np.int64]:
    """Where the diagonal is in a half, ascending."""
    return np.sort(layout.diagonal_slots(n))


def _rows(halves: Array) -> Array:
    return halves.reshape(math.prod(halves.shape[:-1]), halves.shape[-1])


def _last(out: object) -> int:
    """The length of the last axis of what may be no array."""
    return out.shape[-1] if isinstance(out, np.ndarray) and out.ndim else -1


def _adjoining(half: Array) -> bool:
    """Whether kernels take halves with these strides: numbers side by side, or anyhow where there are few."""
    return (half.shape[-1] <= SMALL or half.strides[-1] == half.itemsize) and _even(half)


def _even(array: Array) -> bool:
    """Whether strides are whole numbers of elements; those of the fields of structures may not be."""
    return array.flags.c_contiguous or not any(stride % array.itemsize for stride in array.strides)


def _across(full: Array, layout: AnyLayout) -> bool:
    """Whether the layout walks its own triangle across the rows of memory, and the other along them."""
    along, across = (-1, -2) if layout.plain.traversal == "rows" else (-2, -1)
    return abs(full.strides[along]) > abs(full.strides[across])


def _swapped(array: Array) -> Array:
    """A copy with the bytes of each number in the other order."""
    return array.byteswap().view(array.dtype.newbyteorder("S"))


def _is_same(out: object, half: Array) -> bool:
    if not isinstance(out, np.ndarray):
        return False
    return out.ctypes.data == half.ctypes.data and (out.shape, out.strides) == (half.shape, half.strides)
