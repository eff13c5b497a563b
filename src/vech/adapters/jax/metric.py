"""Norms, inner products, and gradients in the metric of the half or of the full matrix."""

from __future__ import annotations

from reprlib import repr as short
from typing import Any

import jax
import jax.numpy as jnp

from vech.adapters.jax import halves
from vech.adapters.jax.checks import Facts, as_half, check_inexact, check_metric, facts, joint_batch
from vech.layouts.dialects import AnyLayout
from vech.linalg.metric import factors

ORDS = ("fro", "max", "inf", 1, 2, float("inf"))


def to_metric(gradient: Any, layout: str | AnyLayout = "vech", metric: str = "full") -> jax.Array:
    """The gradient with respect to a half in the other metric, as `vech.linalg.to_metric` gives it.

    Parameters
    ----------
    gradient : array, shape (..., length)
        Derivatives of a number by those of a half: floating or complex.
    layout : str or layout
        Which number is where.
    metric : {"full", "packed"}
        "full": from "packed" to "full"; "packed": back.

    Returns
    -------
    jax.Array, shape (..., length)

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, metric or layout are no names; for what is no array, and integers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> to_metric(jnp.array([1.0, 4.0, 1.0])).tolist()
    [1.0, 2.0, 1.0]
    """
    numbers = as_half(gradient, "gradient")
    check_inexact(numbers, "gradient")
    check_metric(metric)
    order = facts(numbers, layout, "triangular", moves=True).layout
    return halves.weighted(numbers, order, *factors(order), divide=metric == "packed")


def norm(
    h: Any,
    layout: str | AnyLayout = "vech",
    *,
    ord: str | float = "fro",
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """A norm of the full matrix, from the half.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy.
    layout : str or layout
        Which number is where.
    ord : {"fro", "max", 1, inf, 2}
        As in `vech.linalg.norm`; 1, inf and 2 expand, and 2 takes singular values.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    jax.Array, shape (...)
        Real. The gradient of "fro" at zero is zero.

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, an argument is none of its choices; for what is no array, and integers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> norm(jnp.array([0.0, 3.0, 0.0]), "numpy-triu", ord=1).tolist()
    3.0
    """
    if not isinstance(ord, str | int | float) or isinstance(ord, bool) or ord not in ORDS:
        raise ValueError(f"unknown ord {short(ord)}: choose from 'fro', 'max', 1, 2, inf")
    half, found = halves.entered(h, layout, kind, metric)
    if ord == "fro":
        wide = _wide(half)
        largest = jax.lax.stop_gradient(jnp.abs(wide).max(-1, initial=0))
        unit = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
        parts = wide / unit[..., None]
        total = _weighted_sum(_square(parts), found)
        if found.layout.diagonal == "one":
            total = total + found.n / (unit * unit)
        root = jnp.sqrt(jnp.where(total > 0, total, 1))
        return (unit * jnp.where(total == 0, 0, jnp.where(total > 0, root, total))).astype(half.real.dtype)
    if ord == "max":
        implied = float(found.layout.implied or 0)
        return jnp.abs(half).max(-1, initial=implied if found.n else 0.0)
    matrix = halves.full(_wide(half), found)
    if found.n == 0:
        total = jnp.abs(matrix).sum((-2, -1))
    elif ord == 2:
        total = jnp.linalg.norm(matrix, 2, axis=(-2, -1))
    else:
        total = jnp.abs(matrix).sum(-1).max(-1)
    return total.astype(half.real.dtype)


def inner(
    a: Any,
    b: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The inner product of two full matrices, sum over i, j of conj(a_ij) b_ij, from their halves.

    Parameters
    ----------
    a, b : array, shape (..., length)
        Halves of one side, layout and kind; batches broadcast.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradients: of the numbers in the halves, or of the full matrices.

    Returns
    -------
    jax.Array, shape (...)
        Real if the matrices are Hermitian.

    Raises
    ------
    ValueError, TypeError
        If lengths differ or fit no n; for what is no array, and integers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> inner(jnp.array([1.0, 2.0, 3.0]), jnp.ones(3)).tolist()
    8.0
    """
    first, second = as_half(a, "a"), as_half(b, "b")
    check_inexact(first, "a")
    check_inexact(second, "b")
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(
            f"a and b have halves of length {first.shape[-1]} and {second.shape[-1]}: both need one side"
        )
    joint_batch(first.shape[:-1], second.shape[:-1], "b")
    dtype = jnp.promote_types(first.dtype, second.dtype)
    first, found = halves.entered(first.astype(dtype), layout, kind, metric)
    second, _ = halves.entered(second.astype(dtype), layout, kind, metric)
    products = _wide(first).conj() * _wide(second)
    if found.kind.conjugates:
        products = products.real
    total = _weighted_sum(products, found)
    total = total + found.n if found.layout.diagonal == "one" else total
    return total.astype(dtype if jnp.iscomplexobj(total) else first.real.dtype)


def _weighted_sum(numbers: jax.Array, found: Facts) -> jax.Array:
    """The sum over a full matrix of numbers that are the same on both sides of its diagonal."""
    total = 2 * numbers.sum(-1)
    if found.layout.diagonal != "stored":
        return total
    return total - numbers[..., halves.diagonal_slots(numbers, found.layout)].sum(-1)


def _square(x: jax.Array) -> jax.Array:
    return x.real**2 + x.imag**2 if jnp.iscomplexobj(x) else x * x


def _wide(x: jax.Array) -> jax.Array:
    """Narrow floats as float32, in which sums of them are made."""
    return x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x
