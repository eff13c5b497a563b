"""What the functions take: arrays, judged, and what layout and kind say of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from vech.adapters import tables
from vech.arrays import Dtype, extension, family, native
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import one_of
from vech.linalg.metric import METRICS
from vech.moves import explicit
from vech.moves.recipe import check_side, kind_name
from vech.store import Store


class Facts(NamedTuple):
    """What layout and kind say of numbers of a dtype, and the side."""

    layout: AnyLayout
    kind: Kind
    n: int


def facts(half: jax.Array, layout: str | AnyLayout, kind: str | None, *, moves: bool = False) -> Facts:
    """Of a half, shape (..., length)."""
    found = _looked_up(as_layout(layout), kind_name(kind), np.dtype(half.dtype), moves)
    return Facts(*found, found[0].side(half.shape[-1]))


def facts_of_side(dtype: Any, layout: str | AnyLayout, kind: str | None, n: int) -> Facts:
    """Of a half that is to be made."""
    found = _looked_up(as_layout(layout), kind_name(kind), np.dtype(dtype), True)
    found[0].length(n)
    check_side(n, found[0])
    return Facts(*found, n)


@lru_cache(maxsize=512)
def _looked_up(layout: AnyLayout, kind: str | None, dtype: Dtype, moves: bool) -> tuple[AnyLayout, Kind]:
    found = resolve_kind(kind, dtype, moves=moves)
    explicit.check_kind(layout, found, dtype)
    if layout.scaled and family(dtype) not in "fc":
        raise TypeError(
            f"layout {layout.name} scales what it stores, and {dtype} is exact: astype(float) first"
        )
    return layout if moves else tables.computed(layout, found), found


def as_numbers(x: Any, what: str) -> jax.Array:
    """An array of JAX, traced or not, or one of NumPy; TypeError with the way out for all else."""
    if isinstance(x, Store):
        way_out = f"pass its half, layout and kind: {what}.half, {what}.layout, kind={what}.kind"
        raise TypeError(f"{what} must be an array of JAX or NumPy, not vech.{type(x).__name__}: {way_out}")
    if not isinstance(x, jax.Array | np.ndarray | np.generic) or isinstance(x, np.ma.MaskedArray | np.matrix):
        name = f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")
        raise TypeError(f"{what} must be an array of JAX or NumPy, not {name}: pass jnp.asarray({what})")
    if isinstance(x, np.ndarray | np.generic):
        if not extension(x.dtype):
            family(x.dtype)
        x = _held(x, what)
    if jax.dtypes.issubdtype(x.dtype, jax.dtypes.extended):
        raise TypeError(f"{what} has dtype {x.dtype}, and keys are no numbers: jax.random.normal draws some")
    return jnp.asarray(x)


def _held(x: Any, what: str) -> Any:
    """Numbers of NumPy that JAX holds without losing any."""
    if x.dtype.kind in "mM":
        raise TypeError(f"{what} is {x.dtype}, and JAX has no dates: {what}.astype(float) first")
    narrow = jax.dtypes.canonicalize_dtype(x.dtype) if x.dtype.kind in "iu" else x.dtype
    if narrow != x.dtype and not np.array_equal(x, x.astype(narrow)):
        raise ValueError(f"{what} holds {x.dtype} that {narrow} does not: set jax_enable_x64 first")
    return x.astype(native(x.dtype), copy=False)


def joint_batch(a: tuple[int, ...], b: tuple[int, ...], name: str = "x") -> tuple[int, ...]:
    """The batch of a half and of what is beside it."""
    ends = zip(reversed(a), reversed(b), strict=False)
    if any(p != q and p != 1 and q != 1 for p, q in ends):
        raise ValueError(
            f"half has the batch {a} and {name} {b}: they must be equal, or 1 or missing where they differ"
        )
    return np.broadcast_shapes(a, b)


def as_half(h: Any, what: str = "half") -> jax.Array:
    half = as_numbers(h, what)
    if not half.ndim:
        raise ValueError(f"{what} is a single number: a half is a vector, of shape (..., length)")
    return half


def as_square(matrix: Any, what: str = "matrix") -> jax.Array:
    full = as_numbers(matrix, what)
    if full.ndim < 2 or full.shape[-1] != full.shape[-2]:
        raise ValueError(f"{what} has shape {full.shape}: its last two axes must be a square, (..., n, n)")
    return full


def check_inexact(x: jax.Array, what: str) -> None:
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise TypeError(
            f"{what} is {x.dtype}, and only floating and complex numbers compute: {what}.astype(float)"
        )


def check_metric(metric: object) -> None:
    one_of("metric", metric, METRICS)


def is_vector(half: jax.Array, x: jax.Array, n: int, name: str = "x") -> bool:
    """Whether x is a vector, or one for each half, rather than columns; refuses what does not fit."""
    vector = bool(x.ndim == half.ndim)
    core = x.shape[-1] if vector else x.shape[-2] if x.ndim > 1 else -1
    if not x.ndim or core != n:
        raise ValueError(
            f"{name} has shape {x.shape}, but beside a half of shape {half.shape}, n = {n}, fits "
            f"(..., {n}) with as many axes as the half, or (..., {n}, m)"
        )
    return vector


def check_selfadjoint(kind: Kind, dtype: Any, task: str) -> None:
    """Refuse kinds whose eigenvalues are not real."""
    fits = Kind.HERMITIAN.of(np.dtype(dtype))
    if kind is not fits:
        raise TypeError(f"{task} needs a matrix of kind {fits!r}, not a {kind} one of {dtype}")


def check_precise(dtype: Any, task: str) -> None:
    """TypeError for numbers with which no LAPACK computes."""
    if jnp.finfo(dtype).bits < 32:
        raise TypeError(
            f"half has dtype {dtype}, with which {task} does not compute: astype(jnp.float32) first"
        )


def check_keeps_diagonal(layout: AnyLayout, task: str) -> None:
    """ValueError for strict layouts, where the result has a diagonal."""
    if layout.implied is not None:
        raise ValueError(
            f"the result of {task} has a diagonal, which layout {layout.name} does not store: take "
            f"{layout.plain.name!r}"
        )
