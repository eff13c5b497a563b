"""A sparse matrix of SciPy as a half."""

from typing import Any

import numpy as np

from vech.arrays import Array, check_memory, resolve_threads
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit
from vech.moves.converting import convert
from vech.moves.judging import check_use
from vech.moves.nonzeros import as_square
from vech.moves.recipe import Recipe, check_side, packing
from vech.moves.rounding import rescale, worst
from vech.sparse.pattern import Indices
from vech.sparse.whole import Whole, believed, default_tolerance, judge, mean_of, whole


def from_sparse(
    matrix: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
    threads: int | None = None,
) -> Array:
    """The half of a SciPy sparse matrix.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix, shape (n, n)
        In any format; duplicates are summed, and it is left as it is.
    layout : str or layout
        Which numbers go where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    use : {"both", "lower", "upper", "mean"}
        The triangle that is believed, as in `vech.pack`. What one triangle holds and the other does not is
        compared with zero: half a matrix is not taken for a whole one unless it is said to be half.
    tolerance : float, optional
        For use="both": the largest ``|a_ij - mirror(a_ji)|`` that passes. By default n eps max|A| over the
        finite entries, and 0 for integers and bool.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Returns
    -------
    array, shape (layout.length(n),)
        In the dtype of `matrix`, native byte order.

    Raises
    ------
    ValueError
        If the triangles differ in a value or a position (the worst (i, j) and both numbers are named), if a
        diagonal that is left out is not what the layout says, if the matrix is not square, or an argument is
        none of its choices.
    TypeError
        For what is not SciPy sparse, dtypes refused, a scaled layout or "mean" of integers, skew numbers
        without a sign, and a tolerance where nothing is compared.
    OverflowError
        If a scale makes a finite number infinite, or the smallest integer would have to be negated.
    MemoryError
        If the half is larger than memory and swap together, before anything is allocated.

    Notes
    -----
    O(nnz + n) time beside that of clearing the half. Memory: the half, and a few arrays as long as the matrix
    has numbers.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from_sparse(csr_array([[1, 0, 4], [0, 0, 5], [4, 5, 6]]))
    array([1, 0, 4, 0, 5, 6])
    >>> from_sparse(csr_array([[1, 0, 0], [0, 0, 0], [4, 5, 6]]), use="lower")
    array([1, 0, 4, 0, 5, 6])
    """
    matrix, dtype = as_square(matrix)
    layout = as_layout(layout)
    recipe = packing(layout, kind, dtype)
    check_use(use, tolerance, recipe)
    n = matrix.shape[0]
    check_side(n, layout)
    length = layout.length(n)
    check_memory(length * dtype.itemsize, "keep it sparse, as a vech.SparseHalf of one triangle")
    count = resolve_threads(threads, length * dtype.itemsize)
    plain = layout.plain if isinstance(layout, Explicit) else layout
    half = _pack(whole(matrix), packing(plain, kind, dtype), use, tolerance, count)
    return half if plain == layout else convert(half, plain, layout, kind=kind)


def scattered(rows: Indices, columns: Indices, data: Array, layout: Layout, n: int) -> Array:
    """The half of numbers at places of either triangle, zero elsewhere."""
    half = np.zeros(layout.length(n), data.dtype)
    half[layout.slot(np.minimum(rows, columns), np.maximum(rows, columns), n)] = data
    return half


def _pack(full: Whole, recipe: Recipe, use: str, tolerance: float | None, threads: int) -> Array:
    layout = recipe.layout
    assert isinstance(layout, Layout)
    judge(full, recipe, use, tolerance, threads)
    infinite = False
    if use == "mean":
        held, infinite = mean_of(full, recipe, threads)
    else:
        held = full.cut(believed(recipe, use), recipe.kind, threads)
        if held.name != layout.triangle:
            held = held.other()
    runs, places, data = held.runs(), held.indices.astype(np.int64), held.data
    on = runs == places
    if layout.implied is not None:
        if tolerance is None:
            tolerance = default_tolerance(full.data if use in ("both", "mean") else data, full.n)
        _check_diagonal(runs[on], data[on], layout, full.n, tolerance)
        runs, places, data, on = (array[~on] for array in (runs, places, data, on))
    if use != "mean":
        infinite = rescale(data[None], data[None], np.flatnonzero(on), recipe.scaling.off, recipe.scaling.on)
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {data.dtype} when layout {layout.name} scales it"
        )
    if full.places is not None:
        runs, places = full.places[runs], full.places[places]
    return scattered(runs, places, data, layout, full.n)


def _check_diagonal(i: Indices, found: Array, layout: Layout, n: int, bound: float) -> None:
    """ValueError for a diagonal that the layout leaves out, and that is not what it says."""
    diagonal = np.zeros(n, found.dtype)
    diagonal[i] = found
    if (
        wrong := worst(diagonal[None], np.full((1, n), layout.implied, found.dtype), np.array([bound]))
    ) is not None:
        k = wrong[1]
        raise ValueError(
            f"the diagonal of layout {layout.name} is {layout.diagonal}, but a[{k}, {k}] is {diagonal[k]}"
        )
