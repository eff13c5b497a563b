"""Divided differences of the logarithm, the exponential and powers, also where eigenvalues meet.

f[a, b] is (f(a) - f(b)) / (a - b), and f'(a) where b is a; f[a, b, c] goes on from there. The derivative of a
function of a matrix is made of them (N. Higham, "Functions of Matrices", SIAM 2008, theorem 3.11).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def value(name: str, p: float | None, x: jax.Array) -> jax.Array:
    """f(x)."""
    if name == "power":
        return jnp.where(x > 0, x**p, jnp.nan)
    return jnp.log(x) if name == "log" else jnp.exp(x)


def first(name: str, p: float | None, a: jax.Array, b: jax.Array) -> jax.Array:
    """f[a, b] to rounding, by what neither cancels nor overflows before the result does."""
    low, high = jnp.minimum(a, b), jnp.maximum(a, b)
    if name == "exp":
        gap = low - high
        return jnp.exp(high) * _ratio(jnp.expm1(gap), gap, 1)
    near = low > high / 2
    total = jnp.where(near, low + high, 1)
    apart = jnp.log(jnp.where(near, 1, low)) - jnp.log(jnp.where(near, 1, high))
    gap = jnp.where(near, 2 * jnp.arctanh(jnp.where(near, low - high, 0) / total), apart)  # log(low / high)
    if name == "log":
        return _ratio(gap, jnp.expm1(gap), 1) / high
    assert p is not None
    if p == 0:
        return jnp.zeros_like(gap)
    size = high ** (p - 1) if p > 0 else -(low**p) / high
    return size * _ratio(jnp.expm1(abs(p) * gap), jnp.expm1(gap), abs(p))


def second(name: str, p: float | None, a: jax.Array, b: jax.Array, c: jax.Array) -> jax.Array:
    """f[a, b, c]: by the two that are farthest apart, or f'' / 2 at their mean; good to eps^(2/3)."""
    low, middle, high = jnp.sort(jnp.stack(jnp.broadcast_arrays(a, b, c)), 0)
    gap, mean = high - low, (a + b + c) / 3
    size = 1 if name == "exp" else jnp.maximum(jnp.abs(high), jnp.abs(low))
    meeting = gap <= float(jnp.finfo(gap.dtype).eps) ** (1 / 3) * size
    if name == "exp":
        limit = jnp.exp(mean) / 2
    else:
        power, factor = (0.0, -1.0) if p is None else (p, p * (p - 1))
        limit = factor / 2 * mean ** (power - 2)
    difference = first(name, p, high, middle) - first(name, p, middle, low)
    return jnp.where(meeting, limit, difference / jnp.where(meeting, 1, gap))


def _ratio(x: jax.Array, y: jax.Array, limit: float) -> jax.Array:
    return jnp.where(y == 0, limit, x / jnp.where(y == 0, 1, y))
