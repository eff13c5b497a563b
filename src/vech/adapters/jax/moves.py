"""pack, expand and convert of arrays of JAX, differentiable."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from vech.adapters.jax import halves, plain
from vech.adapters.jax.checks import Facts, as_half, as_square, facts, facts_of_side
from vech.adapters.jax.primitives import agrees_p, convert_p
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves import packing, recipe
from vech.moves.judging import check_diagonal, check_use


def pack(
    A: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
) -> jax.Array:
    """The half of a full matrix, as `vech.pack`, differentiable.

    Parameters
    ----------
    A : array, shape (..., n, n)
        One matrix or a batch, of JAX or NumPy.
    layout : str or layout
        Which numbers go where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    use : {"both", "lower", "upper", "mean"}
        The triangle that is believed; "both" must agree.
    tolerance : float, optional
        For use="both": the largest difference that passes.

    Returns
    -------
    jax.Array, shape (..., layout.length(n))
        In the dtype of `A`.

    Raises
    ------
    ValueError, TypeError
        As `vech.pack`. Where A is traced no numbers are there to raise about: a matrix whose triangles
        disagree, or whose diagonal is not what the layout leaves out, becomes a half of NaN, as in
        `jnp.linalg`; for integers, which have no NaN, that is a TypeError when it is traced. "lower" and
        "upper" compare nothing.

    Notes
    -----
    "both" is differentiated as "mean": half of a gradient goes to either place. That of "lower" and "upper"
    goes where the number was read. Nothing is saved for it.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> pack(jnp.array([[1.0, 2.0], [2.0, 3.0]])).tolist()
    [1.0, 2.0, 3.0]
    """
    full = as_square(A)
    found = facts_of_side(full.dtype, layout, kind, full.shape[-1])
    check_use(use, tolerance, recipe.packing(found.layout, str(found.kind), np.dtype(full.dtype)))
    if use == "mean":
        half = halves.mean(full, found.layout, found.kind)
    elif use == "both":
        half = _own_of_both(found, full)
    else:
        half = _read(full, found, use)
    half = halves.scaled(half, found.layout) if found.layout.scaled else half
    if found.layout.diagonal == "stored" and (use != "both" or found.n < 1):
        return half
    if isinstance(full, jax.core.Tracer):
        return _poisoned(half, _agrees(full, found, use, tolerance), "pack", "use='lower' or 'upper'")
    if not bool(_agrees(full, found, use, tolerance).all()):
        packing.pack(np.asarray(full), found.layout, kind=found.kind, use=use, tolerance=tolerance)
    return half


def expand(
    h: Any, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> jax.Array:
    """The full matrix of a half, as `vech.expand`, differentiable.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch, of JAX or NumPy.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    jax.Array, shape (..., n, n)
        In the dtype of `h`.

    Raises
    ------
    ValueError, TypeError
        As `vech.expand`; TypeError also for what is no array.

    Notes
    -----
    Nothing is saved for the gradient, ``(G_ij + mirror(G_ji)) / scale`` off the diagonal.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> jax.grad(lambda h: expand(h).sum())(jnp.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 1.0]
    """
    half = as_half(h)
    found = facts(half, layout, kind, moves=True)
    return halves.full(halves.unscaled(halves.in_metric(half, metric, found.layout), found.layout), found)


def convert(
    h: Any,
    source: str | AnyLayout,
    target: str | AnyLayout,
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> jax.Array:
    """The same matrix in another layout, as `vech.convert`, differentiable.

    Parameters
    ----------
    h : array, shape (..., length)
        One half or a batch in layout `source`, of JAX or NumPy.
    source, target : str or layout
        The layout that `h` has, and the one wanted.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    jax.Array, shape (..., target.length(n))
        In the dtype of `h`.

    Raises
    ------
    ValueError, TypeError
        As `vech.convert`; of a diagonal that `target` leaves out, where `h` is traced, as in `pack`.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> convert(jnp.arange(6.0), "vech", "numpy-tril").tolist()
    [0.0, 1.0, 3.0, 2.0, 4.0, 5.0]
    """
    half = as_half(h)
    found = facts(half, source, kind, moves=True)
    aim = facts_of_side(half.dtype, target, kind, found.n)
    if found.kind is Kind.TRIANGULAR and found.layout.triangle != aim.layout.triangle:
        raise ValueError(
            f"a {found.layout.triangle} triangular half cannot become one of the {aim.layout.triangle} "
            f"triangle: that is all zero"
        )
    half = halves.in_metric(half, metric, found.layout)
    scales = [(layout.offdiagonal_scale, layout.diagonal_scale) for layout in (found.layout, aim.layout)]
    result = half if scales[0] == scales[1] else halves.unscaled(half, found.layout)
    orders = halves.order(found.layout), halves.order(aim.layout)
    if orders[0] != orders[1]:
        result = convert_p.bind(result, source=orders[0], target=orders[1], kind=str(found.kind))
    if aim.layout.diagonal == "stored" and found.layout.diagonal == "one":
        result = result.at[..., halves.diagonal_slots(result, aim.layout)].set(1, unique_indices=True)
    if scales[0] != scales[1]:
        result = halves.scaled(result, aim.layout)
    return _with_diagonal(result, half, found, aim.layout)


def _with_diagonal(result: jax.Array, half: jax.Array, found: Facts, target: AnyLayout) -> jax.Array:
    """The result, if the diagonal that it leaves out is what its layout says."""
    source = found.layout
    if target.implied is None:
        return result
    if source.implied is not None:
        check_diagonal(np.empty(0), source, target, found.n)
        return result
    if isinstance(half, jax.core.Tracer):
        diagonal = half[..., halves.diagonal_slots(half, source)]
        agrees = (diagonal == target.implied * source.diagonal_scale).all(-1)
        return _poisoned(result, agrees, "convert", f"a target with its diagonal, or {source.name!r}")
    check_diagonal(np.asarray(half), source, target, found.n)
    return result


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _own_of_both(found: Facts, full: jax.Array) -> jax.Array:
    return halves.own_triangle(full, found.layout)


@_own_of_both.defjvp
def _mean_of_both(found: Facts, primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    return _own_of_both(found, *primals), halves.mean(tangents[0], found.layout, found.kind)


def _read(full: jax.Array, found: Facts, triangle: str) -> jax.Array:
    layout = found.layout
    if triangle == layout.triangle:
        return halves.own_triangle(full, layout)
    if isinstance(layout, Layout):
        return plain.mirror(halves.own_triangle(full, layout.transposed), found.kind)
    return halves.own_triangle(plain.mirror(jnp.swapaxes(full, -1, -2), found.kind), layout)


def _agrees(full: jax.Array, found: Facts, use: str, tolerance: float | None) -> jax.Array:
    """Of each matrix, whether its triangles and its diagonal are what `use`, kind and layout say."""
    layout = halves.order(found.layout)
    if isinstance(layout, Layout):
        layout = replace(layout, diagonal=found.layout.diagonal)
    settings = {"layout": layout, "kind": str(found.kind), "use": use, "tolerance": tolerance}
    return agrees_p.bind(jax.lax.stop_gradient(full), **settings)


def _poisoned(half: jax.Array, agrees: jax.Array, task: str, way_out: str) -> jax.Array:
    """NaN where a matrix is not what was said: a program of XLA raises nothing."""
    if not jnp.issubdtype(half.dtype, jnp.inexact):
        raise TypeError(
            f"{task} compares numbers here, and of traced {half.dtype} it cannot tell of a difference, there "
            f"being no NaN: say {way_out}"
        )
    return half * jnp.where(agrees, 1, jnp.nan).astype(half.dtype)[..., None]
