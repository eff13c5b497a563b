"""The same by JAX's own operations, for every device: where a number is, is computed from where it goes.

No table of indices becomes a part of a program, but for explicit orders.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from vech.adapters import tables
from vech.arrays import epsilon
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, triangular
from vech.layouts.orders import Explicit

MOST = 2**31  # numbers whose places 32 bits hold


def mirror(x: jax.Array, kind: str) -> jax.Array:
    """What stands on the other side of the diagonal."""
    rule = Kind(kind)
    x = x.conj() if rule.conjugates else x
    return -x if rule.negates else x


def settled(x: jax.Array, kind: str) -> jax.Array:
    """What computing takes of numbers of a diagonal."""
    what = Kind(kind).diagonal
    if what == "zero" or (what == "imaginary" and not jnp.iscomplexobj(x)):
        return jnp.zeros_like(x)
    if what == "stored" or not jnp.iscomplexobj(x):
        return x
    return (x.real if what == "real" else 1j * x.imag).astype(x.dtype)


def expand(half: jax.Array, *, layout: AnyLayout, kind: str) -> jax.Array:
    n = layout.side(half.shape[-1])
    _check_places(half.shape[-1])
    if isinstance(layout, Explicit):
        half = _by_rows(half, layout, n)
        layout = layout.plain
    row, column = (lax.broadcasted_iota(jnp.int32, (n, n), axis) for axis in (0, 1))
    small, large = jnp.minimum(row, column), jnp.maximum(row, column)
    numbers = _take(half, _slot(layout, small, large, n)) if half.shape[-1] else _zeros(half, n)
    inside = row >= column if layout.triangle == "lower" else row <= column
    other = jnp.zeros_like(numbers) if kind == Kind.TRIANGULAR else mirror(numbers, kind)
    full = jnp.where(inside, numbers, other)
    return full if layout.diagonal == "stored" else jnp.where(row == column, jnp.zeros_like(full), full)


def fold(full: jax.Array, *, layout: AnyLayout, kind: str) -> jax.Array:
    n = full.shape[-1]
    plain = layout.plain if isinstance(layout, Explicit) else layout
    _check_places(plain.length(n))
    i, j = _pairs(plain, n)
    half = full.at[..., i, j].get(mode="promise_in_bounds")
    if kind != Kind.TRIANGULAR:
        other = mirror(full.at[..., j, i].get(mode="promise_in_bounds"), kind)
        half = jnp.where(i == j, half, half + other)
    if isinstance(layout, Explicit):
        return convert(half, source=plain, target=layout, kind=kind)
    return half


def convert(half: jax.Array, *, source: AnyLayout, target: AnyLayout, kind: str) -> jax.Array:
    n = source.side(half.shape[-1])
    _check_places(max(half.shape[-1], target.length(n)))
    if isinstance(source, Explicit):
        half, source = _by_rows(half, source, n), source.plain
    if isinstance(target, Explicit):
        rows = convert(half, source=source, target=target.plain, kind=kind)
        slots, crossed = _order(target, n)
        rows = jnp.where(crossed, rows.conj(), rows) if jnp.iscomplexobj(rows) else rows
        return jnp.zeros_like(rows).at[..., slots].set(rows, unique_indices=True)
    i, j = _pairs(target, n)
    if half.shape[-1]:
        found = _take(half, _slot(source, jnp.minimum(i, j), jnp.maximum(i, j), n))
    else:
        found = jnp.zeros((*half.shape[:-1], target.length(n)), half.dtype)
    if source.triangle != target.triangle:
        found = jnp.where(i == j, found, mirror(found, kind))
    if source.diagonal != "stored" and target.diagonal == "stored":
        found = jnp.where(i == j, jnp.zeros_like(found), found)
    return found


def matmul(half: jax.Array, x: jax.Array, *, layout: AnyLayout, kind: str) -> jax.Array:
    return expand(_settle(half, layout, kind), layout=layout, kind=kind) @ x


def outer(left: jax.Array, right: jax.Array, *, layout: AnyLayout, kind: str) -> jax.Array:
    return _settle(fold(left @ jnp.swapaxes(right, -1, -2), layout=layout, kind=kind), layout, kind)


def gram(X: jax.Array, *, layout: AnyLayout, kind: str) -> jax.Array:
    product = X @ jnp.swapaxes(X, -1, -2).conj()
    return fold(product, layout=layout, kind=Kind.TRIANGULAR)


def agrees(full: jax.Array, *, layout: AnyLayout, kind: str, use: str, tolerance: float | None) -> jax.Array:
    """Of each matrix, whether its triangles and its diagonal are what `use`, kind and layout say."""
    n, exact = full.shape[-1], not jnp.issubdtype(full.dtype, jnp.inexact)
    bound = jnp.asarray(0.0 if tolerance is None else float(tolerance))
    if tolerance is None and not exact:
        size = jnp.abs(full)
        largest = jnp.where(jnp.isfinite(size), size, 0).max((-2, -1), initial=0)
        bound = (n * epsilon(np.dtype(full.dtype)) * largest)[..., None, None]

    def near(a: jax.Array, b: Any) -> jax.Array:
        if exact:
            return (a == b) | (jnp.abs(a.astype(float) - b.astype(float)) <= bound)
        return (a == b) | (jnp.abs(a - b) <= bound) | (jnp.isnan(a) & jnp.isnan(b))

    found = jnp.ones(full.shape[:-2], bool)
    if use == "both" and kind == Kind.TRIANGULAR:
        beyond = jnp.tril(full, -1) if layout.triangle == "upper" else jnp.triu(full, 1)
        found &= near(beyond, jnp.zeros_like(full)).all((-2, -1))
    elif use == "both":
        found &= near(full, mirror(jnp.swapaxes(full, -1, -2), kind)).all((-2, -1))
    if layout.implied is not None:
        i = np.arange(n)
        found &= near(full[..., i, i, None], jnp.asarray(layout.implied, full.dtype)).all((-2, -1))
    return found


def _settle(half: jax.Array, layout: AnyLayout, kind: str) -> jax.Array:
    slots = layout.diagonal_slots(layout.side(half.shape[-1]))
    if Kind(kind).diagonal == "stored" or not slots.size:
        return half
    return half.at[..., slots].set(settled(half[..., slots], kind))


def _check_places(length: int) -> None:
    if length >= MOST:
        raise OverflowError(
            f"a half of length {length} has places that 32 bits do not hold: outside the processor halves "
            f"have less than 2**31 numbers"
        )


def _take(half: jax.Array, places: Any) -> jax.Array:
    return half.at[..., places].get(mode="promise_in_bounds")


def _zeros(half: jax.Array, n: int) -> jax.Array:
    return jnp.zeros((*half.shape[:-1], n, n), half.dtype)


def _slot(layout: Layout, small: Any, large: Any, n: int) -> Any:
    """Where pairs are; on a diagonal that is not stored, somewhere."""
    return jnp.clip(layout.slot(small, large, n), 0, layout.length(n) - 1)


def _pairs(layout: Layout, n: int) -> tuple[Any, Any]:
    return pair(lax.iota(jnp.int32, layout.length(n)), layout, n)


def pair(place: Any, layout: Layout, n: int) -> tuple[Any, Any]:
    """`Layout.pair` of places known to be there, by integers of 32 bits."""
    length, strict = layout.length(n), int(layout.diagonal != "stored")
    step = place if layout.grow else length - 1 - place
    run = jnp.floor(jnp.sqrt(2.0 * step.astype(jnp.float32) + 0.25) - 0.5).astype(jnp.int32)
    run = run - (triangular(run) > step)  # float32 is off by less than one up to run 65 535
    run = run + (triangular(run + 1) <= step)
    small, large = step - triangular(run), run + strict
    if not layout.grow:
        small, large = n - 1 - large, n - 1 - small
    return (large, small) if layout.triangle == "lower" else (small, large)


def _order(layout: Explicit, n: int) -> tuple[Any, Any]:
    """Where the numbers of ``layout.plain`` are in an explicit order, and which are conjugated there."""
    slots, crossed = tables.order(layout, n)
    return slots.astype(np.int32), crossed


def _by_rows(half: jax.Array, layout: Explicit, n: int) -> jax.Array:
    slots, crossed = _order(layout, n)
    rows = _take(half, slots)
    return jnp.where(crossed, rows.conj(), rows) if jnp.iscomplexobj(rows) else rows
