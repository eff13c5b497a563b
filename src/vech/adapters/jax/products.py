"""Products, forms and Gram matrices of halves, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vech.adapters.jax import halves
from vech.adapters.jax.checks import (
    Facts,
    as_half,
    as_numbers,
    check_inexact,
    check_keeps_diagonal,
    facts_of_side,
    is_vector,
    joint_batch,
)
from vech.adapters.jax.primitives import gram_p, matmul_p, outer_p
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind


def matmul(
    h: Any,
    x: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The product of the full matrix with a vector or with columns.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy: floating or complex.
    x : array, shape (..., n) or (..., n, m)
        A vector, or one for each half, where it has as many axes as `h`; else columns. Batches broadcast.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    jax.Array, of the shape of `x` with the batch of both
        In the common dtype; narrow floats are added up in float32.

    Raises
    ------
    ValueError, TypeError
        If lengths and shapes do not fit, an argument is none of its choices; for what is no array, and
        integers.

    Notes
    -----
    On the processor the half is read as it lies, once for a whole batch of x, and no n x n array is made, nor
    is one for a gradient (n > 64; below, and on other devices, the half is expanded on the way).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> matmul(jnp.array([1.0, 2.0, 3.0]), jnp.ones(2)).tolist()
    [3.0, 5.0]
    """
    (half, x), found, dtype = _entered(h, x, layout, kind, metric)
    vector = is_vector(half, x, found.n)
    columns = x[..., None] if vector else x
    product = multiplied(found, half, columns).astype(dtype)
    return product[..., 0] if vector else product


def quadratic(
    h: Any,
    x: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The quadratic form x^H S x, of a vector or of each column.

    Parameters
    ----------
    h, x, layout, kind, metric
        As in `matmul`.

    Returns
    -------
    jax.Array, shape (...) or (..., m)
        Real if the matrix is Hermitian.

    Raises
    ------
    ValueError, TypeError
        As `matmul`.

    Notes
    -----
    For the gradient x and S x are kept, and of real symmetric and Hermitian matrices not even the half; that
    by h is (x_i conj(x_j) + mirror) without an n x n array, as in `matmul`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(quadratic)(jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, 2.0])).tolist()
    [1.0, 4.0, 4.0]
    """
    (half, x), found, dtype = _entered(h, x, layout, kind, metric)
    vector = is_vector(half, x, found.n)
    columns = x[..., None] if vector else x
    if found.kind is Kind.HERMITIAN.of(np.dtype(half.dtype)):
        form = _form(found, half, columns)
        form = form.astype(jnp.finfo(dtype).dtype)
    else:
        form = (columns.conj() * multiplied(found, half, columns)).sum(-2).astype(dtype)
    return form[..., 0] if vector else form


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _form(found: Facts, half: jax.Array, x: jax.Array) -> jax.Array:
    return (x.conj() * multiplied(found, half, x)).sum(-2).real


def _form_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """x^H dS x + 2 Re dx^H S x: one product with S for the form and for both of its derivatives."""
    half, x = primals
    by_half, by_x = tangents
    product = multiplied(found, half, x)
    tangent = jnp.zeros_like(product.real[..., 0, :])
    if not is_zero(by_half):
        linear = found._replace(layout=halves.order(found.layout))
        tangent += (x.conj() * multiplied(linear, by_half, x)).sum(-2).real
    if not is_zero(by_x):
        tangent += 2 * (by_x.conj() * product).sum(-2).real
    return (x.conj() * product).sum(-2).real, tangent


_form.defjvp(_form_jvp, symbolic_zeros=True)


def is_zero(tangent: Any) -> bool:
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


def congruence(
    h: Any,
    X: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The half of X S X^H (X^T where the kind does not conjugate), as `Packed.congruence` has it.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy: floating or complex.
    X : array, shape (..., m, n), or (..., n) for a diagonal matrix
        A diagonal has as many axes as `h`. Batches broadcast.
    layout, kind, metric
        As in `matmul`; the layout has a diagonal.

    Returns
    -------
    jax.Array, shape (..., layout.length(m))
        In the common dtype.

    Raises
    ------
    ValueError, TypeError
        As `matmul`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> congruence(jnp.array([1.0, 2.0, 3.0]), jnp.ones((1, 2))).tolist()
    [8.0]
    """
    (half, X), found, dtype = _entered(h, X, layout, kind, metric, "X")
    diagonal, n = bool(X.ndim == half.ndim), found.n
    if not X.ndim or X.shape[-1] != n:
        raise ValueError(
            f"X has shape {X.shape}, but beside a half of shape {half.shape}, n = {n}, fits (..., m, {n}), "
            f"or (..., {n}) with as many axes as the half for a diagonal"
        )
    joint_batch(half.shape[:-1], X.shape[: -1 if diagonal else -2], "X")
    if not diagonal or found.layout.implied == 1:
        check_keeps_diagonal(found.layout, "congruence")
    if diagonal:
        right = X.conj() if found.kind.conjugates else X
        product = X[..., :, None] * halves.full(half, found) * right[..., None, :]
        return halves.made(product, found).astype(dtype)
    transposed = jnp.swapaxes(X, -1, -2)
    product = multiplied(found, half, transposed.conj() if found.kind.conjugates else transposed)
    X, right = _together(X, jnp.swapaxes(product, -1, -2))
    folded = outer_p.bind(X, right, layout=halves.order(found.layout), kind=str(found.kind))
    return halves.scaled(halves.weighted(folded, found.layout, 0.5, 1), found.layout).astype(dtype)


def gram(X: Any, layout: str | AnyLayout = "vech") -> jax.Array:
    """The half of X X^H, each product of two rows once.

    Parameters
    ----------
    X : array, shape (..., n, k)
        One matrix or a batch, of JAX or NumPy: floating or complex.
    layout : str or layout
        Which number goes where; one that has a diagonal.

    Returns
    -------
    jax.Array, shape (..., layout.length(n))
        In the dtype of X; narrow floats are added up in float32. Complex: the half of a Hermitian matrix.

    Raises
    ------
    ValueError, TypeError
        For what is no matrix, and no floating or complex numbers.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> gram(jnp.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [5.0, 11.0, 25.0]
    """
    X = as_numbers(X, "X")
    check_inexact(X, "X")
    if X.ndim < 2:
        raise ValueError(
            f"X has shape {X.shape}, but a Gram matrix needs (..., n, k): a vector is X[:, None]"
        )
    kind = "hermitian" if jnp.iscomplexobj(X) else None
    found = facts_of_side(X.dtype, layout, kind, X.shape[-2])
    check_keeps_diagonal(found.layout, "gram")
    half = _gram(found, _wide(X))
    return halves.scaled(half, found.layout).astype(X.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _gram(found: Facts, X: jax.Array) -> jax.Array:
    return gram_p.bind(X, layout=halves.order(found.layout), kind=str(found.kind))


@_gram.defjvp
def _gram_jvp(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    [X], [tangent] = primals, tangents
    folded = outer_p.bind(tangent, X.conj(), layout=halves.order(found.layout), kind=str(found.kind))
    return _gram(found, X), halves.weighted(folded, found.layout, 1, 2)


def _entered(
    h: Any, x: Any, layout: str | AnyLayout, kind: str | None, metric: str, name: str = "x"
) -> tuple[tuple[jax.Array, jax.Array], Facts, Any]:
    """Both in the dtype to compute in, what the half is, and the dtype of the result."""
    half, x = as_half(h), as_numbers(x, name)
    half, found = halves.entered(half, layout, kind, metric)
    dtype = jnp.promote_types(half.dtype, x.dtype)
    wide = jnp.promote_types(dtype, jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype
    return (half.astype(wide), x.astype(wide)), found, dtype


def _wide(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x


def multiplied(found: Facts, half: jax.Array, x: jax.Array) -> jax.Array:
    """S x of true values, for x of shape (..., n, m)."""
    settings = {"layout": halves.order(found.layout), "kind": str(found.kind)}
    product = by_columns(partial(matmul_p.bind, **settings), half, 1, x)
    return product + x if found.layout.diagonal == "one" else product


def by_columns(
    function: Callable[[jax.Array, jax.Array], jax.Array], left: jax.Array, axes: int, x: jax.Array
) -> jax.Array:
    """A function of columns x, (..., n, m), and of what has so many axes for each of a batch."""
    if left.ndim == axes and x.ndim > 2:  # more columns of one matrix, which is read once
        first = jnp.moveaxis(x, -2, 0)
        found = function(left, first.reshape(first.shape[0], prod(first.shape[1:])))
        return jnp.moveaxis(found.reshape(first.shape), 0, -2)
    batch = joint_batch(left.shape[: left.ndim - axes], x.shape[:-2])
    left = jnp.broadcast_to(left, (*batch, *left.shape[left.ndim - axes :]))
    return function(left, jnp.broadcast_to(x, (*batch, *x.shape[-2:])))


def _together(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Two batches of matrices, broadcast."""
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jnp.broadcast_to(a, (*batch, *a.shape[-2:])), jnp.broadcast_to(b, (*batch, *b.shape[-2:]))
