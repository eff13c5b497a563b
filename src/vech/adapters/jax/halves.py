"""A half as functions take it, and back: in its metric, not scaled, its diagonal settled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from vech.adapters.jax import plain
from vech.adapters.jax.checks import Facts, as_half, check_inexact, check_metric, facts
from vech.adapters.jax.primitives import expand_p, fold_p
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.linalg.metric import factors


def entered(h: Any, layout: str | AnyLayout, kind: str | None, metric: str) -> tuple[jax.Array, Facts]:
    """The true values of a half to compute with, its diagonal what its kind leaves of it."""
    half = as_half(h)
    check_inexact(half, "half")
    found = facts(half, layout, kind)
    return settled(unscaled(in_metric(half, metric, found.layout), found.layout), found), found


def order(layout: AnyLayout) -> AnyLayout:
    """The same order, neither scaled nor with ones on its diagonal: what primitives take."""
    if isinstance(layout, Layout):
        return replace(layout.plain, diagonal="stored" if layout.diagonal == "stored" else "zero")
    if layout.scaled:
        return replace(layout, diagonal_scale=1.0, offdiagonal_scale=1.0)  # type: ignore[type-var]
    return layout


# ---------------------------------------------------------------- numbers of a half


def unscaled(half: jax.Array, layout: AnyLayout) -> jax.Array:
    """True values of stored numbers."""
    return weighted(half, layout, layout.offdiagonal_scale, layout.diagonal_scale, divide=True)


def scaled(half: jax.Array, layout: AnyLayout) -> jax.Array:
    """Stored numbers of true values."""
    return weighted(half, layout, layout.offdiagonal_scale, layout.diagonal_scale)


def weighted(half: jax.Array, layout: AnyLayout, off: float, on: float, *, divide: bool = False) -> jax.Array:
    """The half with numbers off and on the diagonal multiplied, or divided, by these; rounded once."""

    def times(x: jax.Array, by: float) -> jax.Array:
        if by == 1:
            return x
        narrow = jnp.finfo(x.dtype).bits < 32
        wide = x.astype(jnp.float32) if narrow else x
        return (wide / by if divide else wide * by).astype(x.dtype)

    everywhere = times(half, off)
    if off == on or layout.diagonal != "stored":
        return everywhere
    slots = diagonal_slots(half, layout)
    return everywhere.at[..., slots].set(times(half[..., slots], on), unique_indices=True)


def settled(half: jax.Array, found: Facts) -> jax.Array:
    """The half without what computing does not take of its diagonal."""
    if found.layout.diagonal != "stored" or found.kind.of(np.dtype(half.dtype)).diagonal == "stored":
        return half
    slots = diagonal_slots(half, found.layout)
    return half.at[..., slots].set(plain.settled(half[..., slots], found.kind), unique_indices=True)


def diagonal_slots(half: jax.Array, layout: AnyLayout) -> Any:
    """Where the diagonal is, row by row."""
    slots = layout.diagonal_slots(layout.side(half.shape[-1]))
    return slots.astype(np.int32) if slots.size == 0 or slots.max() < plain.MOST else slots


# ---------------------------------------------------------------- full matrices


def full(half: jax.Array, found: Facts) -> jax.Array:
    """The full matrix of true values."""
    matrix = expand_p.bind(half, layout=order(found.layout), kind=str(found.kind))
    return with_ones(matrix) if found.layout.diagonal == "one" else matrix


def with_ones(matrix: jax.Array) -> jax.Array:
    i = np.arange(matrix.shape[-1])
    return matrix.at[..., i, i].set(1, unique_indices=True)


def own_triangle(matrix: jax.Array, layout: AnyLayout) -> jax.Array:
    """True values of a half, read where its layout has them."""
    return fold_p.bind(matrix, layout=order(layout), kind=str(Kind.TRIANGULAR))


def mean(matrix: jax.Array, layout: AnyLayout, kind: Kind) -> jax.Array:
    """True values of the half of (A + mirror(A)) / 2."""
    folded = fold_p.bind(matrix, layout=order(layout), kind=str(kind))
    if kind is Kind.TRIANGULAR:
        return folded
    return settled(weighted(folded, layout, 0.5, 1), Facts(layout, kind, matrix.shape[-1]))


def made(matrix: jax.Array, found: Facts) -> jax.Array:
    """The stored numbers of the half of a matrix that was computed, and may be off its kind by rounding."""
    return scaled(mean(matrix, found.layout, found.kind), found.layout)


# ---------------------------------------------------------------- metrics


def in_metric(half: jax.Array, metric: str, layout: AnyLayout) -> jax.Array:
    """The half itself, whose gradient will be in this metric."""
    check_metric(metric)
    if metric == "packed":
        return half
    check_inexact(half, "half")
    return metric_p.bind(half, layout=layout)


metric_p = Primitive("vech_metric")
metric_p.def_impl(lambda half, layout: half)
metric_p.def_abstract_eval(lambda half, layout: half)
mlir.register_lowering(metric_p, mlir.lower_fun(lambda half, layout: half, multiple_results=False))


def _batched(operands: Any, axes: Any, layout: AnyLayout) -> tuple[jax.Array, int]:
    [half], [axis] = operands, axes
    return metric_p.bind(jnp.moveaxis(half, axis, 0), layout=layout), 0


def _transposed(cotangent: Any, half: Any, layout: AnyLayout) -> list[Any]:
    if type(cotangent) is ad.Zero:
        return [cotangent]
    return [weighted(cotangent, layout, *factors(layout))]


batching.primitive_batchers[metric_p] = _batched
ad.deflinear2(metric_p, _transposed)
