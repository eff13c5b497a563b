"""What XLA's programs call on the processor: vech's kernels, from arrays of XLA into arrays of XLA.

Layouts are not scaled here, and no diagonal is all one; halves are (..., length), matrices (..., n, n).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from vech.adapters.jax.foreign import foreign
from vech.arrays import Array, resolve_threads
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.orders import Explicit
from vech.moves import converting, expanding, folding
from vech.moves.judging import judge
from vech.moves.memory import pack_triangle
from vech.moves.recipe import packing
from vech.moves.runs import Half, blocks, runs_of
from vech.packed import products
from vech.packed.products import settle_block


@foreign
def expand(half: Array, full: Array, *, layout: AnyLayout, kind: str) -> None:
    """The full matrix."""
    expanding.expand(half, layout, kind=kind, out=full)


@foreign
def fold(full: Array, half: Array, *, layout: AnyLayout, kind: str) -> None:
    """a_ij + mirror(a_ji) off the diagonal, a_ii on it; triangular: a_ij alone."""
    plain = layout.plain if isinstance(layout, Explicit) else layout
    made = half if plain is layout else np.empty_like(half)
    if kind == Kind.TRIANGULAR:
        nothing = Kind.SYMMETRIC.change(full.dtype)
        pack_triangle(full, made, plain, True, nothing, nothing, resolve_threads(None, full.nbytes))
    else:
        folding.fold(full, plain, kind, made)
    if made is not half:
        converting.convert(made, plain, layout, kind=kind, out=half)


@foreign
def convert(half: Array, out: Array, *, source: AnyLayout, target: AnyLayout, kind: str) -> None:
    """The same matrix in another layout; a diagonal that is not wanted is left behind, whatever it holds."""
    if source.diagonal == "stored" and target.diagonal == "zero":
        half = half.copy()
        half[..., source.diagonal_slots(source.side(half.shape[-1]))] = 0
    converting.convert(half, source, target, kind=kind, out=out)


@foreign
def matmul(half: Array, x: Array, out: Array, *, layout: AnyLayout, kind: str) -> None:
    """S x, for x of shape (..., n, m)."""
    for numbers, columns, result in _each(1, half, x, out):
        products.matmul(Half(numbers, layout, Kind(kind)), columns, result, None)


@foreign
def outer(left: Array, right: Array, half: Array, *, layout: AnyLayout, kind: str) -> None:
    """`fold` of left right^T, for both of shape (..., n, m), block by block."""
    rule = Kind(kind)
    plain = layout.plain if isinstance(layout, Explicit) else layout
    made = half if plain is layout else np.empty_like(half)
    for numbers, a, b in _each(1, made, left, right):
        _outer(Half(numbers, plain, rule), a, b)
    if made is not half:
        converting.convert(made, plain, layout, kind=kind, out=half)


def _outer(half: Half, a: Array, b: Array) -> None:
    runs = runs_of(half)
    if runs.turned:
        a, b = b, a
    mirrored = [x.conj() if half.kind.conjugates else x for x in (b, a)]
    first = np.hstack([a, -mirrored[0] if half.kind.negates else mirrored[0]])
    second = np.hstack([b, mirrored[1]])
    for rows, columns in blocks(runs.n, runs.grow):
        block = first[rows] @ second[columns].T
        if rows == columns:
            np.fill_diagonal(block, block.diagonal() / 2)
        runs.write(rows, columns, block, "write", 1)


@foreign
def gram(X: Array, half: Array, *, layout: AnyLayout, kind: str) -> None:
    """The half of X X^H, for X of shape (..., n, k)."""
    plain = layout.plain if isinstance(layout, Explicit) else layout
    made = half if plain is layout else np.empty_like(half)
    for numbers, x in _each(1, made, X):
        _gram(Half(numbers, plain, Kind(kind)), x)
    if made is not half:
        converting.convert(made, plain, layout, kind=kind, out=half)


def _gram(half: Half, x: Array) -> None:
    runs = runs_of(half)
    x = x.conj() if runs.turned else x
    for rows, columns in blocks(runs.n, runs.grow):
        block = x[rows] @ x[columns].conj().T
        if rows == columns:
            settle_block(block, half.kind)
        runs.write(rows, columns, block, "write", 1)


@foreign
def agrees(
    full: Array, found: Array, *, layout: AnyLayout, kind: str, use: str, tolerance: float | None
) -> None:
    """Of each matrix, whether its triangles and its diagonal are what `use`, kind and layout say."""
    recipe, threads = packing(layout, kind, full.dtype), resolve_threads(None, full.nbytes)

    def judged(matrices: Array) -> bool:
        try:
            judge(matrices, recipe, use, tolerance, threads)
        except ValueError:
            return False
        return True

    found[...] = True
    if not judged(full):
        for at in np.ndindex(found.shape):
            found[at] = judged(full[at])


def _each(halves: int, *arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The members of a batch: vectors of the first arrays, matrices of the others."""
    batch = prod(arrays[0].shape[:-1])
    flat = (array.reshape(batch, *array.shape[-1 if k < halves else -2 :]) for k, array in enumerate(arrays))
    return zip(*flat, strict=True)
