"""pack: a full matrix to its half."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from vech import _core
from vech.arrays import (
    MOVED_BYTES,
    Array,
    Dtype,
    as_array,
    as_square,
    check_out,
    is_count,
    keep_mask,
    threads_to_move,
)
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, other_diagonal
from vech.layouts.orders import Explicit
from vech.maps import check_mapped
from vech.moves import explicit
from vech.moves.converting import convert
from vech.moves.explicit import SMALL_SIDE
from vech.moves.judging import check_use, judge, refuse_smallest
from vech.moves.memory import (
    adjoining,
    axis_last,
    axis_result,
    diagonal_of,
    even,
    last_side,
    pack_triangle,
    rows_of,
    swapped,
)
from vech.moves.recipe import Recipe, check_side, is_ordinary, kind_name, number_of, packing
from vech.moves.rounding import mean, rescale


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
    matrix : array, shape (..., n, n); or data frame
        One matrix or a batch; any strides, any dtype vech takes. A frame has the same labels on both axes,
        and leaves them behind: `vech.Packed.from_frame` keeps them.
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
        is not what the layout says, if the matrix is not square, its labels differ or repeat, or an argument
        is none of its choices.
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
    if (
        type(matrix) is np.ndarray
        and axis == -1
        and tolerance is None
        and (threads is None or is_count(threads))
    ):
        if matrix.base is not None:
            check_mapped(matrix)
        if out is not None:
            check_mapped(out)
        try:
            packs, nbytes = _ready(matrix.dtype, matrix.shape, layout, kind, use)
        except TypeError:  # what has no hash is not ordinary
            packs = None
        if packs is not None:
            half = packs(matrix, out, 1 if nbytes < MOVED_BYTES else threads_to_move(threads, nbytes))
            if half is not None:
                return half
    return _pack(matrix, layout, kind, use, tolerance, out, threads, axis)


def _pack(
    matrix: ArrayLike,
    layout: str | AnyLayout,
    kind: str | None,
    use: str,
    tolerance: float | None,
    out: Array | None,
    threads: int | None,
    axis: int,
) -> Array:
    """All that `pack` can do: apart, since the cells of its lambdas cost a quick call a tenth of its time."""
    full = as_square(matrix, "matrix") if axis == -1 else as_array(matrix, "matrix")
    if axis != -1:
        full, at = axis_last(full, axis, 2, "matrix")
        layout = as_layout(layout)
        half, result = axis_result(full, 2, (layout.length(full.shape[-1]),), at, out)
        pack(full, layout, kind=kind, use=use, tolerance=tolerance, out=half, threads=threads)
        return result
    if full.ndim < 2 or full.shape[-1] != full.shape[-2]:
        raise ValueError(f"matrix has shape {full.shape}: its last two axes must be a square, (..., n, n)")
    if type(layout) is not str:
        layout = as_layout(layout)
    recipe = packing(layout, kind_name(kind), full.dtype)
    layout = recipe.layout
    check_use(use, tolerance, recipe)
    n = full.shape[-1]
    check_side(n, layout)
    shape = (*full.shape[:-2], layout.length(n))
    if out is None:
        out = np.empty(shape, full.dtype)
    else:
        check_out(out, shape, full.dtype, full, hint=lambda: other_diagonal(recipe.layout, last_side(out), n))
    if recipe.swaps:
        half = pack(swapped(full), layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
        out[...] = swapped(half)
        return out
    threads = threads_to_move(threads, full.nbytes)
    if full.size == 0:
        return out

    if not even(full):
        full = full.copy()
    equal = judge(full, recipe, use, tolerance, threads)
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
    half = out if out.flags.c_contiguous or (adjoining(out) and not by_hand) else np.empty(shape, full.dtype)
    if use == "mean":
        infinite = _pack_mean(full, half, recipe, threads)
    else:
        own = use in ("both", layout.triangle)
        if equal and recipe.kind is not Kind.TRIANGULAR and _across(full, layout):
            own = False  # the same bits, and faster to read
        if isinstance(layout, Layout):
            plain_changes = recipe.changes[0]
            change = plain_changes.own if own else plain_changes.mirrored
            infinite = pack_triangle(full, half, layout, own, change, plain_changes.diagonal, threads)
        else:
            infinite = explicit.pack(full, half, layout, own, recipe.changes, threads)
        if recipe.negates and not (own and use == layout.triangle):
            refuse_smallest(half, layout, n)
        if recipe.scaling.by_hand:
            flat = rows_of(half)
            infinite = rescale(flat, flat, diagonal_of(layout, n), recipe.scaling.off, recipe.scaling.on)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {full.dtype} when layout {layout.name} scales it"
        )
    if half is not out:
        out[...] = half
    return out


@lru_cache(maxsize=256)
def _ready(
    dtype: Dtype, shape: tuple[int, ...], layout: str | AnyLayout, kind: str | None, use: str
) -> tuple[Callable[[Array, Array | None, int], Array | None] | None, int]:
    """What packs such a matrix if nothing is unusual about the call, and looks at the arrays itself.

    And the bytes of the matrix.

    It takes 0.5 us and the time of its work, where all that is in `pack` takes 5.
    """
    if len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2 or not is_ordinary(dtype, layout, kind, use):
        return None, 0
    n, recipe = shape[0], packing(layout, kind, dtype)
    order, changes = recipe.layout, recipe.changes[0]
    check_use(use, None, recipe)
    if recipe.kind is not Kind.SYMMETRIC or recipe.scaling.by_hand or use == "mean":
        return None, 0
    own, places = use in ("both", order.triangle), None
    if n <= SMALL_SIDE and not order.scaled:
        i, j = order.pair(np.arange(order.length(n)), n)
        places = i * n + j if own else j * n + i
    elif isinstance(order, Explicit):
        return None, 0
    along = use == "both" or own == (order.plain.traversal == "rows")  # both: the same bits, read faster
    omitted, keep = None, b""
    if order.implied is not None:
        omitted = number_of(order.implied, 1.0, dtype)
        keep = keep_mask(dtype) if order.implied == 0 else b"\xff" * dtype.itemsize
    move = _core.Packing(
        dtype.itemsize,
        n,
        order.plain.grow,
        omitted is None,
        changes.own if own else changes.mirrored,
        changes.diagonal,
        along,
        use == "both",
        omitted,
        keep,
        places,
        dtype,
    )
    return move.run, n * n * dtype.itemsize


def _pack_mean(full: Array, half: Array, recipe: Recipe, threads: int) -> bool:
    nothing, mirror = Kind.SYMMETRIC.change(full.dtype), recipe.kind.change(full.dtype)
    assert isinstance(recipe.layout, Layout)
    own, other = np.empty(half.shape, half.dtype), np.empty(half.shape, half.dtype)
    pack_triangle(full, own, recipe.layout, True, nothing, nothing, threads)
    pack_triangle(full, other, recipe.layout, False, mirror, mirror, threads)
    diagonal = diagonal_of(recipe.layout, full.shape[-1])
    return mean(rows_of(own), rows_of(other), rows_of(half), diagonal, recipe.scaling.off, recipe.scaling.on)


def _across(full: Array, layout: AnyLayout) -> bool:
    """Whether the layout walks its own triangle across the rows of memory, and the other along them."""
    along, across = (-1, -2) if layout.plain.traversal == "rows" else (-2, -1)
    return abs(full.strides[along]) > abs(full.strides[across])
