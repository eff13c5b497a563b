"""Halves as parameters: symmetric weights, positive definite matrices, and where both begin.

A model owns the half, in any library of modules: these are functions of it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from reprlib import repr as short
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vech.adapters.jax import halves
from vech.adapters.jax.checks import (
    Facts,
    as_half,
    as_numbers,
    as_square,
    check_inexact,
    check_keeps_diagonal,
    check_selfadjoint,
    facts,
    facts_of_side,
)
from vech.adapters.jax.definite import cholesky
from vech.adapters.jax.products import gram, matmul
from vech.adapters.jax.spectral import exp, log
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of

WAYS = ("cholesky", "exp", "softplus")


def symmetric_linear(
    h: Any,
    x: Any,
    bias: Any = None,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """S x + bias for each row of x: a linear layer whose weight is symmetric.

    Parameters
    ----------
    h : array, shape (length,)
        The half of the weight, of JAX or NumPy: floating or complex.
    x : array, shape (..., n)
        Inputs, as rows.
    bias : array, shape (n,), optional
        Added to each row.
    layout, kind, metric
        As in `matmul`.

    Returns
    -------
    jax.Array, shape (..., n)

    Raises
    ------
    ValueError, TypeError
        As `matmul`; for a half that is a batch.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> symmetric_linear(jnp.array([1.0, 2.0, 3.0]), jnp.ones((2, 2)), jnp.array([0.0, 10.0])).tolist()
    [[3.0, 15.0], [3.0, 15.0]]
    """
    half, x = as_half(h), as_numbers(x, "x")
    if half.ndim != 1:
        raise ValueError(f"half has shape {half.shape}, and a layer has one: jax.vmap over layers")
    n = facts(half, layout, kind).n
    if not x.ndim or x.shape[-1] != n:
        raise ValueError(f"x has shape {x.shape}, but a layer with n = {n} takes rows, (..., {n})")
    rows = x.reshape(x.size // max(1, n), n)
    columns = matmul(half, rows.T, layout, kind=kind, metric=metric)
    result = columns.T.reshape(*x.shape[:-1], n)
    if bias is None:
        return result
    bias = as_numbers(bias, "bias")
    if bias.shape != (n,):
        raise ValueError(f"bias has shape {bias.shape}, but a layer with n = {n} takes ({n},)")
    return result + bias


def spd(
    h: Any, layout: str | AnyLayout = "vech", *, by: str = "cholesky", kind: str | None = None
) -> jax.Array:
    """The half of the positive definite matrix for which any half of numbers stands.

    Parameters
    ----------
    h : array, shape (..., length)
        The parameter: one half or a batch, of JAX or NumPy, float32, float64 or complex.
    layout : str or layout
        Which number is where, in the parameter and in the result; one that has a diagonal.
    by : {"cholesky", "softplus", "exp"}
        "cholesky": S = L L^H, and h is L with the logarithm of its diagonal. "softplus": L with x of its
        diagonal log(1 + e^x). "exp": S = exp(H), and h is the half of H. In upper layouts h is L^H.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; complex matrices are "hermitian".

    Returns
    -------
    jax.Array, shape (..., length)

    Raises
    ------
    ValueError, TypeError
        As `cholesky`; for an unknown way.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> spd(jnp.zeros(3)).tolist(), spd(jnp.zeros(3), by="exp").tolist()
    ([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    """
    one_of("by", by, WAYS)
    if by == "exp":
        return exp(h, layout, kind=kind)
    half, found = _parameter(h, layout, kind, "spd")
    slots = halves.diagonal_slots(half, found.layout)
    ends = half[..., slots].real
    ends = jnp.exp(ends) if by == "cholesky" else jax.nn.softplus(ends)
    half = half.at[..., slots].set(ends.astype(half.dtype), unique_indices=True)
    factor = halves.full(half, found._replace(kind=Kind.TRIANGULAR))
    lower = factor if found.layout.triangle == "lower" else jnp.swapaxes(factor, -1, -2).conj()
    return gram(lower, found.layout)


def from_spd(
    h: Any, layout: str | AnyLayout = "vech", *, by: str = "cholesky", kind: str | None = None
) -> jax.Array:
    """The parameter for which `spd` gives this positive definite matrix: where to begin.

    Parameters
    ----------
    h : array, shape (..., length)
        The half of the matrix, of JAX or NumPy.
    layout, by, kind
        As in `spd`.

    Returns
    -------
    jax.Array, shape (..., length)
        NaN where the matrix is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `spd`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from_spd(jnp.array([1.0, 0.0, 1.0])).tolist()
    [0.0, 0.0, 0.0]
    """
    one_of("by", by, WAYS)
    if by == "exp":
        return log(h, layout, kind=kind)
    factor = cholesky(h, layout, kind=kind)
    factor, found = _parameter(factor, layout, kind, "from_spd")
    slots = halves.diagonal_slots(factor, found.layout)
    ends = factor[..., slots].real
    ends = jnp.log(ends) if by == "cholesky" else ends + jnp.log(-jnp.expm1(-ends))
    parameter = factor.at[..., slots].set(ends.astype(factor.dtype), unique_indices=True)
    return halves.scaled(parameter, found.layout)


def initializer(draw: Callable[..., Any], layout: str | AnyLayout = "vech") -> Callable[..., jax.Array]:
    """An initializer of halves: those of (A + A^T) / sqrt(2), the diagonal as it is, for what `draw` draws.

    Parameters
    ----------
    draw : function (key, shape, dtype) -> array
        An initializer of squares, such as those of ``jax.nn.initializers``.
    layout : str or layout
        Which number goes where; one that has a diagonal.

    Returns
    -------
    function (key, shape, dtype) -> array
        For a shape (..., n, n) halves of shape (..., length); each number has the variance it has in A.

    Raises
    ------
    TypeError, ValueError
        For what cannot be called, an unknown layout, and one without a diagonal.

    Examples
    --------
    >>> import jax
    >>> start = initializer(jax.nn.initializers.lecun_normal())
    >>> start(jax.random.key(0), (3, 3)).shape
    (6,)
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function of (key, shape, dtype), not {draw!r}")
    facts_of_side(np.float32, layout, None, 1)

    def start(key: Any, shape: Any, dtype: Any = None) -> jax.Array:
        if not isinstance(shape, tuple | list):
            raise TypeError(f"shape must be a tuple of integers, (..., n, n), not {short(shape)}")
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(f"shape is {tuple(shape)}, and halves are drawn as squares: (..., n, n)")
        square = draw(key, shape, jnp.result_type(float) if dtype is None else dtype)
        square = as_square(square, "what draw gives")
        check_inexact(square, "what draw gives")
        found = facts_of_side(square.dtype, layout, "symmetric", square.shape[-1])
        check_keeps_diagonal(found.layout, "initializer")
        half = halves.weighted(halves.mean(square, found.layout, found.kind), found.layout, sqrt(2), 1)
        return halves.scaled(half, found.layout)

    return start


def _parameter(h: Any, layout: str | AnyLayout, kind: str | None, task: str) -> tuple[jax.Array, Facts]:
    """True values of a half that holds a factor, and what the half of its product is."""
    half = as_half(h)
    check_inexact(half, "half")
    found = facts(half, layout, kind)
    check_selfadjoint(found.kind, half.dtype, task)
    check_keeps_diagonal(found.layout, task)
    return halves.unscaled(half, found.layout), found
