"""fold: the adjoint of expand, which sums what a full matrix holds of each number of a half."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vech import _core
from vech.arrays import Array, threads_to_move
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.memory import pack_triangle
from vech.moves.recipe import packing

FOLDS = frozenset(np.dtype(code) for code in "fdFD")


def inverse(layout: Layout) -> Layout:
    """The same layout with the inverse of its scales."""
    return replace(
        layout, diagonal_scale=1 / layout.diagonal_scale, offdiagonal_scale=1 / layout.offdiagonal_scale
    )


def fold(full: Array, layout: Layout, kind: str, out: Array) -> Array:
    """out = (a_ij + mirror(a_ji)) / scale off the diagonal, a_ii / scale on it; of the dtypes FOLDS.

    A gradient with respect to a full matrix becomes that of the half. Nothing is judged, a number may become
    infinite, and of a diagonal that is implied nothing is left.
    """
    if not full.size or not out.size:
        return out
    back = inverse(layout)
    changes = packing(back, kind, full.dtype).changes[0]
    threads = threads_to_move(None, full.nbytes)
    pack_triangle(full, out, back, True, changes.own, changes.diagonal, threads)
    if kind != Kind.TRIANGULAR:
        other, nothing = np.empty(out.shape, out.dtype), _core.Change(full.itemsize, zero=True)
        pack_triangle(full, other, back, False, changes.mirrored, nothing, threads)
        with np.errstate(over="ignore", invalid="ignore"):
            np.add(out, other, out=out)
    return out
