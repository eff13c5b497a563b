"""Cholesky factors, solutions, inverses and determinants of positive definite halves, differentiable.

What is kept for a gradient is the half of the factor or of the inverse; squares are made again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from vech.adapters.jax import halves
from vech.adapters.jax.checks import (
    Facts,
    as_half,
    as_numbers,
    check_inexact,
    check_keeps_diagonal,
    check_precise,
    check_selfadjoint,
    is_vector,
    joint_batch,
)
from vech.adapters.jax.primitives import convert_p
from vech.adapters.jax.products import by_columns, is_zero, multiplied
from vech.adapters.jax.small import by_kernel
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind


def cholesky(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The half of the Cholesky factor: L of S = L L^H in lower layouts, U = L^H of S = U^H U in upper ones.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy: float32, float64 or complex.
    layout : str or layout
        Which number is where; one that has a diagonal.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; complex matrices are "hermitian".
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    jax.Array, shape (..., length)
        Of which ``expand(..., kind="triangular")`` is the factor. NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, for a layout without a diagonal, and kinds and dtypes that have no factor.

    Notes
    -----
    Expands on the way. For the gradient the half of the factor is kept:
    dL = L phi(L^-1 dS L^-H), phi the lower triangle with half the diagonal.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> cholesky(jnp.array([4.0, 2.0, 5.0])).tolist()
    [2.0, 1.0, 2.0]
    """
    half, found = definite(h, layout, kind, metric, "cholesky")
    check_keeps_diagonal(found.layout, "cholesky")
    return halves.scaled(_factor(found, half), found.layout)


def solve(
    h: Any,
    b: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The solution x of S x = b for a vector or columns, S positive definite.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy: float32, float64 or complex.
    b : array, shape (..., n) or (..., n, m)
        A vector, or one for each half, where it has as many axes as `h`; else columns. Batches broadcast.
    layout, kind, metric
        As in `cholesky`; the layout may leave out the diagonal.

    Returns
    -------
    jax.Array, of the shape of `b` with the batch of both
        NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `cholesky`, and where shapes do not fit.

    Notes
    -----
    dx = S^-1 (db - dS x): the factor that is kept, as a half, serves the gradient.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> solve(jnp.array([4.0, 2.0, 5.0]), jnp.array([8.0, 12.0])).tolist()
    [1.0, 2.0]
    """
    half, b = as_half(h), as_numbers(b, "b")
    check_inexact(half, "half")
    dtype = jnp.promote_types(half.dtype, b.dtype)
    half, found = definite(half.astype(dtype), layout, kind, metric, "solve")
    b = b.astype(dtype)
    vector = is_vector(half, b, found.n, "b")
    joint_batch(half.shape[:-1], b.shape[: -1 if vector else -2], "b")
    solution = _solution(found, half, b[..., None] if vector else b)
    return solution[..., 0] if vector else solution


def inverse(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The half of the inverse of a positive definite matrix.

    Parameters
    ----------
    h, layout, kind, metric
        As in `cholesky`.

    Returns
    -------
    jax.Array, shape (..., length)
        NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `cholesky`.

    Notes
    -----
    d(S^-1) = -S^-1 dS S^-1: for the gradient the half that is returned is kept.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> inverse(jnp.array([4.0, 0.0, 16.0])).tolist()
    [0.25, 0.0, 0.0625]
    """
    half, found = definite(h, layout, kind, metric, "inverse")
    check_keeps_diagonal(found.layout, "inverse")
    return halves.scaled(_inverse(found, half), found.layout)


def logdet(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The logarithm of the determinant of a positive definite matrix, shape (...).

    Parameters
    ----------
    h, layout, kind, metric
        As in `cholesky`; the layout may leave out the diagonal.

    Returns
    -------
    jax.Array, shape (...)
        Real; NaN where S is not positive definite.

    Raises
    ------
    ValueError, TypeError
        As `cholesky`.

    Notes
    -----
    The gradient is the inverse, of which the half is kept.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(logdet)(jnp.array([4.0, 0.0, 16.0])).tolist()
    [0.25, 0.0, 0.0625]
    """
    half, found = definite(h, layout, kind, metric, "logdet")
    return _logdet(found, half)


def definite(
    h: Any, layout: str | AnyLayout, kind: str | None, metric: str, task: str
) -> tuple[jax.Array, Facts]:
    """True values of a half, of a matrix that is its own adjoint, in a dtype that LAPACK knows."""
    half, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found.kind, half.dtype, task)
    check_precise(half.dtype, task)
    return half, found


# Below, halves hold true values; those of factors and inverses have a diagonal in any case.


def _with_diagonal(found: Facts) -> Facts:
    layout = found.layout if found.layout.implied is None else found.layout.plain
    return found._replace(layout=halves.order(layout))


def _linear(found: Facts) -> Facts:
    """What tangents are: without ones on a diagonal that is not stored."""
    return found._replace(layout=halves.order(found.layout))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@by_kernel("cholesky")
def _factor(found: Facts, half: jax.Array) -> jax.Array:
    finite = jnp.where(jnp.isfinite(half).all(-1, keepdims=True), half, jnp.nan)  # LAPACK takes infinity
    return _half_of(found, lax.linalg.cholesky(halves.full(finite, found), symmetrize_input=False))


@_factor.defjvp
def _factor_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    factor = _factor(found, *primals)
    return factor, _factor_tangent(found, factor, tangents[0])


@partial(jax.checkpoint, static_argnums=(0,))
def _factor_tangent(found: Facts, factor: jax.Array, tangent: jax.Array) -> jax.Array:
    lower = _lower(found, factor)
    turned = _divided(lower, halves.full(tangent, _linear(found)), left=True)
    turned = _divided(lower, turned, left=False)
    i = jnp.arange(found.n)
    phi = jnp.tril(turned).at[..., i, i].multiply(0.5)
    return _half_of(found, lower @ phi)


def _half_of(found: Facts, lower: jax.Array) -> jax.Array:
    layout = _with_diagonal(found).layout
    factor = lower if layout.triangle == "lower" else jnp.swapaxes(lower, -1, -2).conj()
    return halves.own_triangle(factor, layout)


def _lower(found: Facts, factor: jax.Array) -> jax.Array:
    layout = _with_diagonal(found).layout
    full = halves.full(factor, Facts(layout, Kind.TRIANGULAR, found.n))
    return full if layout.triangle == "lower" else jnp.swapaxes(full, -1, -2).conj()


def _divided(lower: jax.Array, x: jax.Array, *, left: bool) -> jax.Array:
    """L^-1 x, or x L^-H."""
    return lax.linalg.triangular_solve(
        lower, x, left_side=left, lower=True, transpose_a=not left, conjugate_a=not left
    )


@partial(jax.checkpoint, static_argnums=(0,))
def _back(found: Facts, factor: jax.Array, b: jax.Array) -> jax.Array:
    """S^-1 b, by the half of the factor of S."""

    def divided(lower: jax.Array, columns: jax.Array) -> jax.Array:
        return lax.linalg.triangular_solve(
            lower,
            _divided(lower, columns, left=True),
            left_side=True,
            lower=True,
            transpose_a=True,
            conjugate_a=True,
        )

    return by_columns(divided, _lower(found, factor), 2, b)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _solution(found: Facts, half: jax.Array, b: jax.Array) -> jax.Array:
    return _back(found, _factor(found, half), b)


def _solution_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    half, b = primals
    by_half, by_b = tangents
    factor = _factor(found, half)
    x = _back(found, factor, b)
    change = jnp.zeros_like(x) if is_zero(by_b) else jnp.broadcast_to(by_b, x.shape)
    if not is_zero(by_half):
        change = change - multiplied(_linear(found), by_half, x)
    return x, _back(found, factor, change)


_solution.defjvp(_solution_jvp, symbolic_zeros=True)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
@by_kernel("inverse")
def _inverse(found: Facts, half: jax.Array) -> jax.Array:
    lower = _lower(found, _factor(found, half))
    eye = jnp.broadcast_to(jnp.eye(found.n, dtype=half.dtype), lower.shape)
    root = _divided(lower, eye, left=True)
    whole = _with_diagonal(found)
    return halves.mean(jnp.swapaxes(root, -1, -2).conj() @ root, whole.layout, whole.kind)


@_inverse.defjvp
def _inverse_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    inverted = _inverse(found, *primals)
    return inverted, _inverse_tangent(found, inverted, tangents[0])


@partial(jax.checkpoint, static_argnums=(0,))
def _inverse_tangent(found: Facts, inverted: jax.Array, tangent: jax.Array) -> jax.Array:
    whole = _with_diagonal(found)
    matrix = halves.full(inverted, whole)
    change = matrix @ halves.full(tangent, _linear(found)) @ matrix
    return -halves.mean(change, whole.layout, whole.kind)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _logdet(found: Facts, half: jax.Array) -> jax.Array:
    factor = _factor(found, half)
    diagonal = factor[..., halves.diagonal_slots(factor, _with_diagonal(found).layout)]
    return 2 * jnp.log(diagonal.real).sum(-1)


@_logdet.defjvp
def _logdet_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    inverted, whole = _inverse(found, *primals), _with_diagonal(found)
    if found.layout.implied is not None:  # what stands on the diagonal does not change
        from_whole = {"source": whole.layout, "target": halves.order(found.layout), "kind": str(found.kind)}
        inverted = convert_p.bind(inverted, **from_whole)
    weights = halves.weighted(inverted, found.layout, 2, 1)
    return _logdet(found, *primals), (weights.conj() * tangents[0]).real.sum(-1)
