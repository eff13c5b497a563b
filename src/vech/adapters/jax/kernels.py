"""What XLA's programs call on the processor: vech's kernels, from arrays of XLA into arrays of XLA.

Layouts are not scaled here, and no diagonal is all one; halves are (..., length), matrices (..., n, n).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod

import numpy as np

from vech.adapters.jax.foreign import foreign
from vech.arrays import Array, resolve_threads
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit
from vech.moves import converting, expanding, folding
from vech.moves.judging import judge
from vech.moves.memory import pack_triangle
from vech.moves.recipe import packing
from vech.moves.runs import Half
from vech.packed import products
from vech.packed.updates import write_outer


@foreign
def expand(half: Array, full: Array, *, layout: AnyLayout, kind: str) -> None:
    """The full matrix."""
    expanding.expand(half, layout, kind=kind, out=full)


@foreign
def fold(full: Array, half: Array, *, layout: AnyLayout, kind: str) -> None:
    """a_ij + mirror(a_ji) off the diagonal, a_ii on it; triangular: a_ij alone."""
    with _by_rows(half, layout, kind) as (made, plain):
        if kind == Kind.TRIANGULAR:
            nothing = Kind.SYMMETRIC.change(full.dtype)
            pack_triangle(full, made, plain, True, nothing, nothing, resolve_threads(None, full.nbytes))
        else:
            folding.fold(full, plain, kind, made)


@contextmanager
def _by_rows(half: Array, layout: AnyLayout, kind: str) -> Iterator[tuple[Array, Layout]]:
    """Halves to write, by rows; those of an explicit order are written to `half` afterwards."""
    if not isinstance(layout, Explicit):
        yield half, layout
        return
    made, plain = np.empty_like(half), layout.plain
    yield made, plain
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
    with _by_rows(half, layout, kind) as (made, plain):
        twice = replace(plain, offdiagonal_scale=2.0)  # `write_outer` has the mean of both places
        for numbers, a, b in _each(1, made, left, right):
            write_outer(Half(numbers, twice, Kind(kind)), a, b.conj())


@foreign
def gram(X: Array, half: Array, *, layout: AnyLayout, kind: str) -> None:
    """The half of X X^H, for X of shape (..., n, k)."""
    with _by_rows(half, layout, kind) as (made, plain):
        for numbers, x in _each(1, made, X):
            write_outer(Half(numbers, plain, Kind(kind)), x, x, known=True)


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
