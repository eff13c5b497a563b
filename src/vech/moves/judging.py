"""Whether a matrix is what it is said to be: its triangles, its diagonal, integers that have a negative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from reprlib import repr as short

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, epsilon, family, is_finite, is_real, words
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, one_of
from vech.moves.memory import diagonal_of, pack_triangle
from vech.moves.recipe import Recipe, number_of
from vech.moves.rounding import halfway, largest, narrow, widen, worst

USES = ("both", "lower", "upper", "mean")


def check_use(use: str, tolerance: float | None, recipe: Recipe) -> None:
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
    check_tolerance(use, tolerance)


def check_tolerance(use: str, tolerance: float | None) -> None:
    if tolerance is not None:
        if use != "both":
            raise TypeError(f"use={use!r} compares nothing: a tolerance goes with use='both'")
        if not is_real(tolerance):
            raise TypeError(f"tolerance must be a real number, not {tolerance!r}")
        if not tolerance >= 0:
            raise ValueError(f"tolerance must not be negative or NaN, but is {short(tolerance)}")
        if not is_finite(tolerance) and tolerance != math.inf:
            raise ValueError(
                f"tolerance is {short(tolerance)}, beyond float64: inf lets all differences pass"
            )


def check_diagonal(half: Array, source: AnyLayout, target: AnyLayout, n: int) -> None:
    """A diagonal that the target leaves out must be exactly what it says."""
    if target.implied is None or n == 0:
        return
    if source.implied is not None:
        if source.implied != target.implied:
            raise ValueError(
                f"the diagonal of layout {source.name} is {source.diagonal}, not {target.diagonal}"
            )
        return
    expected = number_of(target.implied, source.diagonal_scale, half.dtype)
    diagonal = half[..., diagonal_of(source, n)]
    if (diagonal != expected).any():
        *matrix, i = (int(k) for k in np.argwhere(diagonal != expected)[0])
        raise ValueError(
            f"the diagonal of layout {target.name} is {target.diagonal}, but a[{i}, {i}] is stored as "
            f"{diagonal[(*matrix, i)]}{_where(matrix)}"
        )


def refuse_smallest(half: Array, layout: AnyLayout, n: int) -> None:
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


def refuse_smallest_rows(rows: Array, start: int) -> None:
    if rows.dtype.kind == "i" and rows.size and rows.min() == np.iinfo(rows.dtype).min:
        i, j = np.nonzero(rows == np.iinfo(rows.dtype).min)
        i += start
        refuse_negation(i[i != j], j[i != j], np.iinfo(rows.dtype).min, rows.dtype)


def refuse_negation(i: Array, j: Array, smallest: int, dtype: Dtype) -> None:
    if i.size:
        raise OverflowError(
            f"{smallest} at ({i[0]}, {j[0]}) has no negative in {dtype}: astype a wider dtype first"
        )


def judge(full: Array, recipe: Recipe, use: str, tolerance: float | None, threads: int) -> bool:
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
    implied = number_of(layout.implied or 0, 1.0, full.dtype)
    return bool((full.diagonal(axis1=-2, axis2=-1) == implied).all())


def _compare(
    full: Array, recipe: Recipe, use: str, tolerance: float | None, threads: int, equal: bool
) -> None:
    """Compare the triangles (unless they are known to be equal) and the diagonal within the tolerance."""
    layout, kind, dtype = recipe.layout, recipe.kind, full.dtype
    n, count = full.shape[-1], math.prod(full.shape[:-2])
    strict = Layout(layout.triangle, layout.plain.traversal, diagonal="zero")
    nothing, mirror = Kind.SYMMETRIC.change(dtype), kind.change(dtype)
    diagonal = full.diagonal(axis1=-2, axis2=-1).reshape(count, n)

    def triangle(own: bool, change: _core.Change = nothing) -> Array:
        half = np.empty((*full.shape[:-2], strict.length(n)), dtype)
        pack_triangle(full, half, strict, own, change, nothing, threads)
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
        implied = np.broadcast_to(number_of(layout.implied, 1.0, dtype), diagonal.shape)
        if (found := apart(diagonal, implied)) is not None:
            raise ValueError(
                f"the diagonal of layout {layout.name} is {layout.diagonal}, "
                f"but a[{found[1]}, {found[1]}] is {diagonal[found]}{_where(_matrix(full, found[0]))}"
            )


class AsymmetryError(ValueError):
    """Triangles that differ: `found` says where, `row` in which row, `own` which alone has numbers."""

    def __init__(self, found: str, own: str | None = None, row: int | None = None) -> None:
        self.found, self.own, self.row = found, own, row
        if own is None:
            way = "say what to believe with use='lower', 'upper' or 'mean', or allow more with tolerance="
        else:
            self.found = f"{found}; its {'upper' if own == 'lower' else 'lower'} triangle is empty"
            way = f"if the {own} one is meant for both, say use={own!r}"
        super().__init__(f"{self.found}{'; ' if own is None else ': '}{way}")


def disagreement(full: Array, recipe: Recipe, row: int, i: int, j: int) -> ValueError:
    matrix = _matrix(full, row)
    return contradiction(recipe, i, j, full[(*matrix, i, j)], full[(*matrix, j, i)], _where(matrix))


def contradiction(
    recipe: Recipe, i: int, j: int, here: object, there: object, where: str = "", own: str | None = None
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
    return AsymmetryError(f"matrix is not {recipe.kind}: {numbers}{where}", own, i)


def _matrix(full: Array, row: int) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(row, full.shape[:-2])) if full.ndim > 2 else ()


def _where(matrix: Sequence[int]) -> str:
    return f" in matrix {', '.join(map(str, matrix))} of the batch" if matrix else ""
