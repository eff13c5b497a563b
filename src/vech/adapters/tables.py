"""Where the numbers of a half are, as index arrays: what adapters that compute by indexing have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit
from vech.linalg.metric import factors
from vech.moves.folding import inverse

Index = NDArray[np.int64]
Mask = NDArray[np.bool]


def as_rows(layout: AnyLayout) -> Layout:
    """The layout itself; of an explicit order the layout by rows with its triangle and its scales."""
    if not isinstance(layout, Explicit):
        return layout
    return replace(
        layout.plain,
        diagonal_scale=layout.diagonal_scale,
        offdiagonal_scale=layout.offdiagonal_scale,
    )


def order(layout: Explicit, n: int) -> tuple[Index, Mask]:
    """Where the numbers of ``as_rows(layout)`` are in an explicit order, and which are conjugated there."""
    i, j = as_rows(layout).pair(np.arange(layout.length(n)), n)
    small, large = np.minimum(i, j), np.maximum(i, j)
    return np.asarray(layout.slot(small, large, n)), np.asarray(layout.crossed(small, large, n))


def dual(layout: Layout) -> Layout:
    """The layout for which `fold`, the adjoint of expanding from `layout`, is packing the mean; and back.

    An implied diagonal, a constant, is zero in it.
    """
    diagonal = "stored" if layout.diagonal == "stored" else "zero"
    back = inverse(layout)
    return replace(back, diagonal=diagonal, offdiagonal_scale=2 * back.offdiagonal_scale)


def linear(layout: Layout) -> Layout:
    """The same layout, a diagonal of ones, which is no function of the half, taken for zero."""
    return replace(layout, diagonal="zero") if layout.diagonal == "one" else layout


def computed(layout: AnyLayout, kind: Kind) -> AnyLayout:
    """The layout as computing takes it, for which the diagonal of a skew matrix is zero or imaginary."""
    return linear(layout) if kind.negates and isinstance(layout, Layout) else layout


def cells(layout: Layout, n: int) -> Index:
    """Where each cell of the full matrix, row by row, is in the half; 0 on a diagonal that is implied."""
    i = np.arange(n)
    index = layout.slot(np.minimum(i[:, None], i), np.maximum(i[:, None], i), n)
    if layout.implied is not None:
        np.fill_diagonal(index, 0)
    return np.asarray(index).reshape(-1)


def other_triangle(layout: Layout, n: int) -> Mask:
    """Of the full matrix, shape (n, n), the cells beyond the diagonal that the half does not hold."""
    lower = np.tri(n, k=-1, dtype=np.bool)
    return lower.T if layout.triangle == "lower" else lower


def own(layout: Layout, n: int) -> Index:
    """Which cell of the full matrix, row by row, each number of the half is."""
    i, j = layout.pair(np.arange(layout.length(n)), n)
    return np.asarray(i * n + j)


def opposite(layout: Layout, n: int) -> Index:
    """The cells on the other side of the diagonal."""
    i, j = layout.pair(np.arange(layout.length(n)), n)
    return np.asarray(j * n + i)


def rows(layout: Layout, n: int) -> Index:
    """The row of each number of the half, in its own triangle."""
    return np.asarray(layout.pair(np.arange(layout.length(n)), n)[0])


def columns(layout: Layout, n: int) -> Index:
    """And its column."""
    return np.asarray(layout.pair(np.arange(layout.length(n)), n)[1])


def on_diagonal(layout: AnyLayout, n: int) -> Mask:
    """Which numbers of the half are of the diagonal."""
    mask = np.zeros(layout.length(n), np.bool)
    mask[layout.diagonal_slots(n)] = True
    return mask


def off_diagonal(layout: AnyLayout, n: int) -> Index:
    """Where in the half the numbers off the diagonal are: a half without it holds them in this order."""
    return np.flatnonzero(~on_diagonal(layout, n))


def fold_weights(layout: AnyLayout, n: int) -> NDArray[np.float64]:
    """What makes true values of a full gradient that of the half: 2 / scale off the diagonal."""
    off, on = 2 / layout.offdiagonal_scale, 1 / layout.diagonal_scale
    return np.where(on_diagonal(layout, n), on, off)


def metric_factors(layout: AnyLayout, n: int) -> NDArray[np.float64]:
    """For each number of the half: the gradient in the metric "full" over that in "packed"."""
    off, on = factors(layout)
    return np.where(on_diagonal(layout, n), on, off)


def norm_weights(layout: AnyLayout, n: int) -> NDArray[np.float64]:
    """Weights w of which sum w |h|^2 is the squared Frobenius norm, of what a kind leaves of the diagonal."""
    off, on = 2 / layout.offdiagonal_scale**2, 1 / layout.diagonal_scale**2
    return np.where(on_diagonal(layout, n), on, off)
