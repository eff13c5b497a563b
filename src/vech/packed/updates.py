"""Halves of products of two matrices, each pair of rows once: gradients of products, and Gram matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vech import _core
from vech.arrays import Array, resolve_threads
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import SIDE, Half, Runs, blocks, runs_of

SERIAL_BYTES = 2**23  # of a half that is written faster than threads start: 0.05 ms for 0.19 at 2 MB
FEW = 4  # columns up to which sums of outer products, or BLAS's rank-2 updates, beat blocks


def write_outer(half: Half, a: Array, b: Array, threads: int | None = None, *, known: bool = False) -> None:
    """half = that of (A B^H + its mirror image) / 2 for a, b of shape (n, m), in the half's own dtype.

    Where A B^H is `known` to be of the half's kind, it is its own mirror image. Of the diagonal is kept what
    the kind leaves of it. Numbers may become infinite. The bits do not depend on the number of threads.
    """
    _, layout, kind = half
    assert isinstance(layout, Layout)
    off, on = layout.offdiagonal_scale, layout.diagonal_scale
    runs = runs_of(half._replace(layout=replace(layout, offdiagonal_scale=1.0, diagonal_scale=1.0)))
    with np.errstate(over="ignore", invalid="ignore"):
        if a.size and a.shape[1] <= FEW and runs.stored and kind is Kind.HERMITIAN.of(a.dtype):
            return _by_updates(runs, a, b, off, on, resolve_threads(threads, runs.half.nbytes))
        if not known:
            a, b = _both(a, b, kind)
            off, on = off / 2, on / 2
        _by_blocks(runs, a, b, off, on)
    return None


def _by_updates(runs: Runs, a: Array, b: Array, off: float, on: float, threads: int) -> None:
    scale = runs.half.dtype.type
    if a.dtype.kind == "f":
        threads = 1 if runs.half.nbytes < SERIAL_BYTES else threads
        left, right = np.hstack((a, b)).T * scale(off / 2), np.hstack((b, a)).T
        _core.write_outer(
            runs.half, np.ascontiguousarray(left), np.ascontiguousarray(right), runs.n, runs.grow, threads
        )
    else:
        from scipy.linalg.blas import get_blas_funcs

        update = get_blas_funcs("hpr2", dtype=a.dtype)
        if not runs.turned:  # BLAS walks along columns, and would see the conjugates
            a, b = a.conj(), b.conj()
        runs.half[...] = 0
        for x, y in zip(a.T, b.T, strict=True):
            update(runs.n, off / 2, x, y, runs.half, lower=not runs.grow, overwrite_ap=1)
    if on != off:
        order = Layout("lower", "rows" if runs.grow else "columns")
        runs.half[order.diagonal_slots(runs.n)] *= scale(on / off)


def _both(a: Array, b: Array, kind: Kind) -> tuple[Array, Array]:
    """Two matrices whose product is A B^H and its mirror image together."""
    left, right = (b, a) if kind.conjugates else (b.conj(), a.conj())
    return np.hstack((a, -left if kind.negates else left)), np.hstack((b, right))


def _by_blocks(runs: Runs, a: Array, b: Array, off: float, on: float) -> None:
    left, right = (b.conj(), a) if runs.turned else (a, b.conj())
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    scale = left.dtype.type
    for rows, columns in blocks(runs.n, runs.grow, SIDE):
        block = left[rows] @ right[columns].T
        ends = block.diagonal() * scale(on) if rows == columns else None
        if off != 1:
            block *= scale(off)
        if ends is not None:
            np.fill_diagonal(block, runs.kind.settled(ends))
        runs.write(rows, columns, block, "write", 1)
