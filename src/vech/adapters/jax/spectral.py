"""Eigenvalues, logarithms, exponentials and powers of halves, differentiable where eigenvalues are equal."""

from __future__ import annotations

from functools import partial
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from vech.adapters.jax import halves
from vech.adapters.jax.checks import Facts, check_keeps_diagonal
from vech.adapters.jax.definite import definite
from vech.layouts.dialects import AnyLayout


class Eigen(NamedTuple):
    """Eigenvalues, ascending, and eigenvectors as columns."""

    values: jax.Array
    vectors: jax.Array


def eigh(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Eigen:
    """Eigenvalues, ascending, and eigenvectors of a real symmetric or Hermitian matrix.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy: float32, float64 or complex.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; complex matrices are "hermitian".
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Eigen
        A named tuple: values, (..., n), and vectors, (..., n, n), as columns. NaN where S has NaN.

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, and for kinds and dtypes that have no such eigenvalues.

    Notes
    -----
    Expands on the way. For the gradient the results are kept:
    dw = diag(V^H dS V), dV = V (F * V^H dS V), F_ij = 1 / (w_j - w_i), and 0 where both are equal within eps
    times the largest modulus: a function that does not depend on how their vectors are chosen has the right
    gradient then, and any other a finite one.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> eigh(jnp.array([2.0, 1.0, 2.0])).values.tolist()
    [1.0, 3.0]
    """
    half, found = definite(h, layout, kind, metric, "eigh")
    return Eigen(*_eigh(found, half))


def log(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The half of the logarithm of a positive definite matrix.

    Parameters
    ----------
    h, layout, kind, metric
        As in `eigh`; the layout has a diagonal.

    Returns
    -------
    jax.Array, shape (..., length)
        NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `eigh`, and for a layout without a diagonal.

    Notes
    -----
    With S = V diag(w) V^H, f(S) = V diag(f(w)) V^H and df = V (K * V^H dS V) V^H, K_ij = f[w_i, w_j] the
    divided differences (Ju. L. Daleckii and S. G. Krein, 1951), by formulas that lose no digits where
    eigenvalues are close. For the gradient the half is kept, and its eigenvectors found again. Second
    derivatives go through those of `eigh`, and are right where no eigenvalues are equal.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> log(jnp.array([1.0, 0.0, 1.0])).tolist()
    [0.0, 0.0, 0.0]
    """
    return _applied("log", None, h, layout, kind, metric)


def exp(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The half of the exponential of a real symmetric or Hermitian matrix.

    Parameters
    ----------
    h, layout, kind, metric
        As in `eigh`; the layout has a diagonal.

    Returns
    -------
    jax.Array, shape (..., length)

    Raises
    ------
    ValueError, TypeError
        As `log`.

    Notes
    -----
    As for `log`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> exp(jnp.zeros(3)).tolist()
    [1.0, 0.0, 1.0]
    """
    return _applied("exp", None, h, layout, kind, metric)


def power(
    h: Any,
    p: float,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The half of S^p of a positive definite matrix.

    Parameters
    ----------
    h, layout, kind, metric
        As in `eigh`; the layout has a diagonal.
    p : float
        A number, not traced: -1/2 is the inverse square root.

    Returns
    -------
    jax.Array, shape (..., length)
        NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `log`; for a p that is no real number.

    Notes
    -----
    As for `log`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> power(jnp.array([4.0, 0.0, 16.0]), -0.5).tolist()
    [0.5, 0.0, 0.25]
    """
    if isinstance(p, bool) or not isinstance(p, Real) or not isfinite(p):
        raise TypeError(f"p must be a finite real number, and is {p!r}: the exponent is never traced")
    return _applied("power", float(p), h, layout, kind, metric)


def _applied(
    name: str, p: float | None, h: Any, layout: str | AnyLayout, kind: str | None, metric: str
) -> jax.Array:
    half, found = definite(h, layout, kind, metric, name)
    check_keeps_diagonal(found.layout, name)
    return halves.scaled(_function(found, name, p, half), found.layout)


# ---------------------------------------------------------------- eigenvectors, of true values


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _eigh(found: Facts, half: jax.Array) -> tuple[jax.Array, jax.Array]:
    vectors, values = lax.linalg.eigh(halves.full(half, found), symmetrize_input=False)
    return values, vectors


@_eigh.defjvp
def _eigh_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[Any, Any]:
    values, vectors = _eigh(found, *primals)
    return (values, vectors), _eigh_tangent(found, values, vectors, tangents[0])


@partial(jax.checkpoint, static_argnums=(0,))
def _eigh_tangent(found: Facts, values: Any, vectors: Any, tangent: jax.Array) -> tuple[Any, Any]:
    turned = _turned(found, vectors, tangent)
    gaps = values[..., None, :] - values[..., :, None]
    size = jnp.abs(values).max(-1, initial=0)[..., None, None]
    apart = jnp.abs(gaps) > jnp.finfo(values.dtype).eps * size
    inverses = jnp.where(apart, 1 / jnp.where(apart, gaps, 1), 0)
    return jnp.diagonal(turned, axis1=-2, axis2=-1).real, vectors @ (inverses * turned)


def _turned(found: Facts, vectors: jax.Array, tangent: jax.Array) -> jax.Array:
    """V^H dS V."""
    change = halves.full(tangent, found._replace(layout=halves.order(found.layout)))
    return _adjoint(vectors) @ change @ vectors


def _adjoint(x: jax.Array) -> jax.Array:
    return jnp.swapaxes(x, -1, -2).conj()


# ---------------------------------------------------------------- functions of a matrix


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _function(found: Facts, name: str, p: float | None, half: jax.Array) -> jax.Array:
    values, vectors = _eigh(found, half)
    return _half_of(found, vectors * _of_values(name, p, values)[..., None, :], vectors)


@_function.defjvp
def _function_jvp(found: Facts, name: str, p: float | None, primals: Any, tangents: Any) -> Any:
    return _function(found, name, p, *primals), _function_tangent(found, name, p, *primals, *tangents)


@partial(jax.checkpoint, static_argnums=(0, 1, 2))
def _function_tangent(
    found: Facts, name: str, p: float | None, half: jax.Array, tangent: jax.Array
) -> jax.Array:
    values, vectors = _eigh(found, half)
    differences = _divided(name, p, values[..., :, None], values[..., None, :])
    return _half_of(found, vectors @ (differences * _turned(found, vectors, tangent)), vectors)


def _half_of(found: Facts, left: jax.Array, vectors: jax.Array) -> jax.Array:
    return halves.mean(left @ _adjoint(vectors), found.layout, found.kind)


def _of_values(name: str, p: float | None, values: jax.Array) -> jax.Array:
    if name == "power":
        return jnp.where(values > 0, values, jnp.nan) ** p
    return jnp.log(values) if name == "log" else jnp.exp(values)


def _divided(name: str, p: float | None, a: jax.Array, b: jax.Array) -> jax.Array:
    """(f(a) - f(b)) / (a - b), at a = b f'(a)."""
    if name == "exp":
        return jnp.exp((a + b) / 2) * _sinhc((a - b) / 2)
    if name == "log":
        return 2 / (a + b) * _atanhc((a - b) / (a + b))
    assert p is not None
    apart = 2 * jnp.arctanh((a - b) / (a + b))  # log(a / b), right where they are close
    return p * jnp.exp((p - 1) / 2 * jnp.log(a * b)) * _sinhc(p * apart / 2) / _sinhc(apart / 2)


def _sinhc(x: jax.Array) -> jax.Array:
    """sinh(x) / x."""
    small = jnp.abs(x) < 0.1
    away = jnp.where(small, 1, x)
    square = jnp.where(small, x * x, 0)
    series = 1 + square / 6 * (1 + square / 20 * (1 + square / 42 * (1 + square / 72)))
    return jnp.where(small, series, jnp.sinh(away) / away)


def _atanhc(x: jax.Array) -> jax.Array:
    """artanh(x) / x."""
    small = jnp.abs(x) < 0.03
    away = jnp.where(small, 0.5, x)
    s = jnp.where(small, x * x, 0)
    series = 1 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + s * (1 / 11)))))
    return jnp.where(small, series, jnp.arctanh(away) / away)
