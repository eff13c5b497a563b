"""convert: a half in one layout to a half in another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import _core
from vech.arrays import Array, as_array, check_out, threads_to_move, words
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.orders import Explicit
from vech.moves import explicit
from vech.moves.judging import check_diagonal, refuse_smallest
from vech.moves.memory import adjoining, axis_last, axis_result, diagonal_of, rows_of, swapped
from vech.moves.recipe import conversion, kind_name
from vech.moves.rounding import rescale


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
        half, at = axis_last(half, axis, 1, "half")
        length = target.length(source.side(half.shape[-1]))
        converted, result = axis_result(half, 1, (length,), at, out)
        convert(half, source, target, kind=kind, out=converted, threads=threads)
        return result
    recipe = conversion(source, target, kind_name(kind), half.dtype, half.shape[-1])
    n, same = recipe.n, False
    shape = (*half.shape[:-1], target.length(n))
    if out is None:
        out = np.empty(shape, half.dtype)
    else:
        same = _is_same(out, half) and _is_one_order(source, target)
        check_out(out, shape, half.dtype, *(() if same else (half,)))
    check_diagonal(half, source, target, n)
    if same and not recipe.alters:
        return out
    if recipe.negates:
        refuse_smallest(half, source, n)
    if recipe.swaps:
        out[...] = swapped(convert(swapped(half), source, target, kind=kind, threads=threads))
        return out
    threads = threads_to_move(threads, half.nbytes)
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
            rows_of(given), rows_of(half), diagonal_of(source, n), recipe.scaling.off, recipe.scaling.on
        )
    elif not adjoining(half):
        half = np.ascontiguousarray(half)
    result = out if adjoining(out) else np.empty(shape, half.dtype)
    if recipe.arguments is None:
        infinite |= explicit.convert(half, result, source, target, n, recipe.changes, threads)
    else:
        arguments: tuple[Any, ...] = (words(half), words(result), *recipe.arguments, threads)
        infinite |= _core.convert(*arguments)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {half.dtype} when layout {target.name} scales it"
        )
    if result is not out:
        out[...] = result
    return out


def _is_same(out: object, half: Array) -> bool:
    if not isinstance(out, np.ndarray):
        return False
    return out.ctypes.data == half.ctypes.data and (out.shape, out.strides) == (half.shape, half.strides)


def _is_one_order(source: AnyLayout, target: AnyLayout) -> bool:
    """Whether each number stays in its place."""
    if isinstance(source, Explicit) or isinstance(target, Explicit):
        return source == target
    return source.grow == target.grow and (source.implied is None) == (target.implied is None)
