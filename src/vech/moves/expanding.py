"""expand: a half to its full matrix, or to some rows of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core
from vech.arrays import (
    MOVED_BYTES,
    Array,
    Dtype,
    as_array,
    check_memory,
    check_out,
    is_count,
    threads_to_move,
    words,
)
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, other_diagonal
from vech.layouts.orders import Explicit
from vech.maps import check_mapped
from vech.moves import explicit
from vech.moves.judging import refuse_smallest, refuse_smallest_rows
from vech.moves.memory import (
    SMALL,
    WAYS_OUT,
    adjoining,
    axis_last,
    axis_result,
    diagonal_of,
    even,
    last_side,
    rows_of,
    swapped,
)
from vech.moves.recipe import Recipe, expansion, is_ordinary, kind_name
from vech.moves.rounding import rescale

SCATTER_BYTES = 2**26  # from this size on zeros come from the system; 2**25 may be used memory, cleared
SCATTER_DENSITY = 0.01  # the share of nonzeros below which scan-and-scatter beats the tiles
UNCHECKED_NUMBERS = 2**20  # a smaller half expands into what any machine has


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
    if type(half) is np.ndarray and axis == -1 and (threads is None or is_count(threads)):
        if half.base is not None:
            check_mapped(half)
        if out is not None:
            check_mapped(out)
        try:
            places, fill, expands, nbytes = _ready(half.dtype, half.shape, layout, kind)
        except TypeError:  # what has no hash is not ordinary
            places = expands = None
        if places is not None and out is None:
            full: Array = half[places]
            if fill is not None:
                full.ravel()[:: len(full) + 1] = fill
            return full
        if expands is not None:
            found = expands(half, out, 1 if nbytes < MOVED_BYTES else threads_to_move(threads, nbytes))
            if found is not None:
                return found
    if axis != -1:
        half, at = axis_last(as_array(half, "half"), axis, 1, "half")
        n = as_layout(layout).side(half.shape[-1])
        full, result = axis_result(half, 1, (n, n), at, out)
        _expand(half, layout, kind, full, threads)
        return result
    return _expand(half, layout, kind, out, threads)


class Ready(NamedTuple):
    """What an ordinary call needs to know of one half.

    Of a small one, where each number is in its half, and what its diagonal is if left out: NumPy's own
    indexing, at 0.15 us for n = 3 and 0.2 us for n = 8, beats any call of a kernel. Else a kernel that looks
    at the arrays itself: 0.9 us and the time of its work, where `_expand`, which knows all cases, takes 3.1.
    """

    places: NDArray[np.int64] | None = None
    fill: Array | None = None
    expands: Callable[[Array, Array | None, int], Array | None] | None = None
    nbytes: int = 0  # of the matrix


@lru_cache(maxsize=256)
def _ready(dtype: Dtype, shape: tuple[int, ...], layout: str | AnyLayout, kind: str | None) -> Ready:
    if len(shape) != 1 or shape[0] >= UNCHECKED_NUMBERS or not is_ordinary(dtype, layout, kind):
        return Ready()
    recipe = expansion(layout, kind, dtype, shape[0])
    n, implied = recipe.n, recipe.layout.implied
    ready = Ready(nbytes=n * n * dtype.itemsize)
    if recipe.arguments is not None and n > 1 and not recipe.scaling.by_hand and not recipe.negates:
        arguments: tuple[Any, ...] = (dtype.itemsize, *recipe.arguments, dtype)
        ready = ready._replace(expands=_core.Expansion(*arguments).run)
    if recipe.kind is not Kind.SYMMETRIC or recipe.layout.scaled or shape[0] > SMALL:
        return ready
    i = np.arange(n)
    if implied is None:
        return ready._replace(places=recipe.layout.position(i[:, None], i, n))
    if n < 2:
        return ready
    places = recipe.layout.slot(np.minimum(i[:, None], i), np.maximum(i[:, None], i), n)
    np.fill_diagonal(places, 0)
    return ready._replace(places=places, fill=np.array([implied]).astype(dtype))


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
    recipe = expansion(layout, kind_name(kind), half.dtype, half.shape[-1])
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
        length = half.shape[-1]
        hint = str if rows else lambda: other_diagonal(recipe.layout, length, last_side(out))
        check_out(out, shape, half.dtype, half, hint=hint)
        if scatter:
            out[...] = np.zeros(1, half.dtype)
    threads = threads_to_move(threads, out.nbytes)
    if recipe.negates and rows is None:
        refuse_smallest(half, recipe.layout, n)
    if recipe.swaps:
        inner = out.view(half.dtype.newbyteorder("="))
        _expand(swapped(half), layout, kind, inner, threads, "tiles", rows)
        out.byteswap(inplace=True)
        return out
    if not even(out):
        out[...] = _expand(half, layout, kind, None, threads, route, rows)
        return out
    if out.size == 0:
        return out
    infinite = False
    if recipe.scaling.by_hand:
        half, given = np.empty(half.shape, half.dtype), half
        infinite = rescale(
            rows_of(given),
            rows_of(half),
            diagonal_of(recipe.layout, n),
            recipe.scaling.off,
            recipe.scaling.on,
        )
    elif not adjoining(half):
        half = np.ascontiguousarray(half)
    if scatter:
        _scatter(half, out, recipe, threads)
    elif recipe.arguments is None:
        order = recipe.layout
        assert isinstance(order, Explicit)
        infinite |= explicit.expand(half, out, order, start, recipe.changes, threads)
    else:
        arguments: tuple[Any, ...] = (words(half), words(out), *recipe.arguments, start, threads)
        infinite |= _core.expand(*arguments)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {half.dtype} when layout {recipe.layout.name} is unscaled"
        )
    if recipe.negates and rows is not None:
        refuse_smallest_rows(out, start)
    return out


def _scatter(half: Array, out: Array, recipe: Recipe, threads: int) -> None:
    assert recipe.arguments is not None and isinstance(recipe.layout, Layout)
    n, grow, stored, _, _, diagonal, fill = recipe.arguments
    transposes = recipe.kind is Kind.TRIANGULAR and recipe.layout.traversal == "columns"
    view = out.swapaxes(-1, -2) if transposes else out
    change = recipe.kind.change(half.dtype)
    _core.scatter(words(half), words(view), n, grow, stored, change, diagonal, fill, threads)


def _scatters(half: Array, recipe: Recipe) -> bool:
    """Whether a half can be expanded by writing its nonzeros alone."""
    simple = recipe.arguments is not None and not recipe.layout.scaled
    return half.ndim == 1 and recipe.kind.diagonal == "stored" and simple


def _is_empty(half: Array, recipe: Recipe) -> bool:
    """Whether, by a sample, so few numbers are not zero that writing them alone is faster."""
    if recipe.n**2 * half.itemsize < SCATTER_BYTES or not _scatters(half, recipe) or not adjoining(half):
        return False
    return _core.density(words(half), b"\xff" * half.itemsize) < SCATTER_DENSITY
