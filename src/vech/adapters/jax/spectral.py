"""Eigenvalues, logarithms, exponentials and powers of halves, differentiable where eigenvalues are equal."""

from __future__ import annotations

from functools import partial
from numbers import Real
from reprlib import repr as short
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from vech.adapters.jax import divided, halves
from vech.adapters.jax.checks import Facts, check_keeps_diagonal
from vech.adapters.jax.definite import definite
from vech.adapters.jax.primitives import batch_both
from vech.adapters.jax.small import by_kernel
from vech.arrays import is_finite
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
    gradient then, and any other a finite one. Second derivatives need eigenvalues apart.

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
    derivatives, by second divided differences in O(n^4), are right to eps^(2/3) where eigenvalues are equal
    too; third ones are those of `eigh`, and need eigenvalues apart.

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
    if isinstance(p, bool) or not isinstance(p, Real) or not is_finite(p):
        raise TypeError(f"p must be a finite real number, and is {short(p)}: the exponent is never traced")
    return _applied("power", float(p), h, layout, kind, metric)


def _applied(
    name: str, p: float | None, h: Any, layout: str | AnyLayout, kind: str | None, metric: str
) -> jax.Array:
    half, found = definite(h, layout, kind, metric, name)
    check_keeps_diagonal(found.layout, name)
    return halves.scaled(_function(found, name, p, half), found.layout)


# ---------------------------------------------------------------- eigenvectors, of true values


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@by_kernel("eigh")
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
@by_kernel()
def _function(found: Facts, name: str, p: float | None, half: jax.Array) -> jax.Array:
    values, vectors = _eigh(found, half)
    return _half_of(found, vectors * divided.value(name, p, values)[..., None, :], vectors)


@_function.defjvp
def _function_jvp(found: Facts, name: str, p: float | None, primals: Any, tangents: Any) -> Any:
    settings = {"found": found, "name": name, "p": p}
    return _function(found, name, p, *primals), derivative_p.bind(*primals, *tangents, **settings)


# ---------------------------------------------------------------- their derivative, its own adjoint


def _derivative(half: jax.Array, along: jax.Array, *, found: Facts, name: str, p: float | None) -> jax.Array:
    values, vectors = _eigh(found, half)
    differences = divided.first(name, p, values[..., :, None], values[..., None, :])
    return _half_of(found, vectors @ (differences * _turned(found, vectors, along)), vectors)


derivative_p = Primitive("vech_derivative")
"""A primitive, for the derivatives of what a rule of JAX computes are not those of a rule again."""
derivative_p.def_impl(jax.jit(_derivative, static_argnames=("found", "name", "p")))
derivative_p.def_abstract_eval(lambda half, along, **settings: along)
mlir.register_lowering(derivative_p, mlir.lower_fun(_derivative, multiple_results=False))
batching.primitive_batchers[derivative_p] = partial(batch_both, derivative_p)


def _by_half(change: jax.Array, half: jax.Array, along: jax.Array, **settings: Any) -> jax.Array:
    return _second_derivative(settings["found"], settings["name"], settings["p"], half, along, change)


def _by_along(turn: jax.Array, half: jax.Array, along: jax.Array, **settings: Any) -> jax.Array:
    return derivative_p.bind(half, turn, **settings)


def _transposed(cotangent: Any, half: jax.Array, along: Any, **settings: Any) -> list[Any]:
    """It is its own adjoint for full matrices, whose numbers off the diagonal count twice."""
    if type(cotangent) is ad.Zero:
        return [None, ad.Zero(along.aval)]
    order = settings["found"].layout
    full = halves.weighted(cotangent.conj(), order, 0.5, 1)
    return [None, halves.weighted(derivative_p.bind(half, full, **settings).conj(), order, 2, 1)]


ad.defjvp(derivative_p, _by_half, _by_along)
ad.primitive_transposes[derivative_p] = _transposed


@partial(jax.checkpoint, static_argnums=(0, 1, 2))
def _second_derivative(
    found: Facts, name: str, p: float | None, half: jax.Array, one: jax.Array, other: jax.Array
) -> jax.Array:
    """Sum over k of f[w_i, w_k, w_j] (A_ik B_kj + B_ik A_kj), one k at a time: no n x n x n array is made."""
    values, vectors = _eigh(found, half)
    a, b = _turned(found, vectors, one), _turned(found, vectors, other)

    @jax.checkpoint
    def add(total: jax.Array, at: Any) -> tuple[jax.Array, None]:
        w, *parts = at
        a_column, b_column = (part[..., :, None] for part in parts[:2])
        a_row, b_row = (part[..., None, :] for part in parts[2:])
        weight = divided.second(name, p, values[..., :, None], w[..., None, None], values[..., None, :])
        return total + weight * (a_column * b_row + b_column * a_row), None

    columns, rows = ([jnp.moveaxis(x, axis, 0) for x in (a, b)] for axis in (-1, -2))
    inner, _ = lax.scan(add, jnp.zeros_like(a), (jnp.moveaxis(values, -1, 0), *columns, *rows))
    return _half_of(found, vectors @ inner, vectors)


def _half_of(found: Facts, left: jax.Array, vectors: jax.Array) -> jax.Array:
    return halves.mean(left @ _adjoint(vectors), found.layout, found.kind)
