"""Operations that JAX traces as one equation each, differentiates and batches.

    expand_p   half -> full
    fold_p     full -> half: a_ij + mirror(a_ji), the transpose of expand_p
    convert_p  half -> half in another layout
    matmul_p   half, x -> S x
    outer_p    a, b -> fold_p of a b^T, its diagonal settled; no n x n array is made of it

These five are linear or bilinear, and each is the transpose of others, so that derivatives of every order,
forwards and backwards, are made of the five again. (`gram_p`, X -> half of X X^H, leaves derivatives to its
caller; `agrees_p` asks whether a matrix is of its kind.) On the processor they are kernels, elsewhere
operations of JAX. Layouts are not scaled, nor affine: `halves` sees to both. Transposes of complex
numbers are as JAX takes them: those of the bilinear form Re(x y), in which conjugating is its own transpose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from vech.adapters.jax import foreign, kernels, plain
from vech.layouts.kind import Kind
from vech.moves.folding import FOLDS
from vech.moves.runs import KERNEL

SMALL = 64
"""Sides up to which products take the full matrices of a batch, which one call expands."""

Shape = tuple[int, ...]


def _primitive(
    name: str,
    shape: Callable[..., Shape],
    anywhere: Callable[..., jax.Array],
    kernel: Callable[..., None],
    *,
    by_kernel: Callable[..., bool] = lambda *given, **settings: True,
    dtype: Any = None,
) -> Primitive:
    """A primitive of that result, by JAX's operations everywhere, and by a kernel on the processor."""
    primitive = Primitive(f"vech_{name}")

    def abstract(*given: Any, **settings: Any) -> Any:
        return ShapedArray(shape(*given, **settings), np.dtype(dtype or given[0].dtype))

    def on_processor(*given: jax.Array, **settings: Any) -> jax.Array:
        if not (by_kernel(*given, **settings) and foreign.takes(given[0].dtype) and foreign.is_there()):
            return anywhere(*given, **settings)
        result = jax.ShapeDtypeStruct(shape(*given, **settings), dtype or given[0].dtype)
        return foreign.call(kernel, result, *given, **settings)

    primitive.def_abstract_eval(abstract)
    primitive.def_impl(lambda *given, **settings: _jitted(primitive, tuple(sorted(settings.items())))(*given))
    mlir.register_lowering(primitive, mlir.lower_fun(anywhere, multiple_results=False))
    mlir.register_lowering(primitive, mlir.lower_fun(on_processor, multiple_results=False), platform="cpu")
    return primitive


@lru_cache(maxsize=512)
def _jitted(primitive: Primitive, settings: tuple[tuple[str, Any], ...]) -> Any:
    """The primitive as a program of its own, for arrays that are not traced."""
    return jax.jit(partial(primitive.bind, **dict(settings)))


def _is_large(*given: jax.Array, **settings: Any) -> bool:
    return given[-1].shape[-2] > SMALL and given[-1].dtype in KERNEL


expand_p = _primitive(
    "expand",
    lambda half, layout, kind: (*half.shape[:-1], *2 * (layout.side(half.shape[-1]),)),
    plain.expand,
    kernels.expand,
)
fold_p = _primitive(
    "fold",
    lambda full, layout, kind: (*full.shape[:-2], layout.length(full.shape[-1])),
    plain.fold,
    kernels.fold,
    by_kernel=lambda full, layout, kind: kind == Kind.TRIANGULAR or np.dtype(full.dtype) in FOLDS,
)
convert_p = _primitive(
    "convert",
    lambda half, source, target, kind: (*half.shape[:-1], target.length(source.side(half.shape[-1]))),
    plain.convert,
    kernels.convert,
)
matmul_p = _primitive(
    "matmul",
    lambda half, x, layout, kind: x.shape,
    plain.matmul,
    kernels.matmul,
    by_kernel=_is_large,
)
outer_p = _primitive(
    "outer",
    lambda left, right, layout, kind: (*left.shape[:-2], layout.length(left.shape[-2])),
    plain.outer,
    kernels.outer,
    by_kernel=_is_large,
)
gram_p = _primitive(
    "gram",
    lambda X, layout, kind: (*X.shape[:-2], layout.length(X.shape[-2])),
    plain.gram,
    kernels.gram,
    by_kernel=_is_large,
)
agrees_p = _primitive(
    "agrees",
    lambda full, layout, kind, use, tolerance: full.shape[:-2],
    plain.agrees,
    kernels.agrees,
    dtype=bool,
)


# ---------------------------------------------------------------- derivatives


def _linear(primitive: Primitive, transposed: Callable[..., jax.Array]) -> None:
    def transpose(cotangent: Any, operand: Any, **settings: Any) -> list[Any]:
        if type(cotangent) is ad.Zero:
            return [ad.Zero(operand.aval)]
        return [transposed(cotangent, **settings)]

    ad.deflinear2(primitive, transpose)


_linear(expand_p, lambda full, layout, kind: fold_p.bind(full, layout=layout, kind=kind))
_linear(fold_p, lambda half, layout, kind: expand_p.bind(half, layout=layout, kind=kind))
_linear(
    convert_p,
    lambda half, source, target, kind: convert_p.bind(half, source=target, target=source, kind=kind),
)


def transposed(half: jax.Array, kind: str) -> jax.Array:
    """The half, in the same layout, of the transposed matrix."""
    return plain.mirror(half, kind)


def _left_of_matmul(cotangent: jax.Array, half: Any, x: jax.Array, **settings: Any) -> jax.Array:
    return outer_p.bind(cotangent, x, **settings)


def _right_of_matmul(cotangent: jax.Array, half: jax.Array, x: Any, **settings: Any) -> jax.Array:
    return matmul_p.bind(transposed(half, settings["kind"]), cotangent, **settings)


def _left_of_outer(cotangent: jax.Array, left: Any, right: jax.Array, **settings: Any) -> jax.Array:
    return matmul_p.bind(cotangent, right, **settings)


def _right_of_outer(cotangent: jax.Array, left: jax.Array, right: Any, **settings: Any) -> jax.Array:
    return matmul_p.bind(transposed(cotangent, settings["kind"]), left, **settings)


ad.defbilinear(matmul_p, _left_of_matmul, _right_of_matmul)
ad.defbilinear(outer_p, _left_of_outer, _right_of_outer)


# ---------------------------------------------------------------- batches


def _batch_one(primitive: Primitive, operands: Any, axes: Any, **settings: Any) -> tuple[jax.Array, int]:
    [operand], [axis] = operands, axes
    return primitive.bind(jnp.moveaxis(operand, axis, 0), **settings), 0


for _each in (expand_p, fold_p, convert_p, gram_p, agrees_p):
    batching.primitive_batchers[_each] = partial(_batch_one, _each)


def batch_both(primitive: Primitive, operands: Any, axes: Any, **settings: Any) -> tuple[jax.Array, int]:
    left, right = (
        jnp.moveaxis(operand, axis, 0) if axis is not None else operand
        for operand, axis in zip(operands, axes, strict=True)
    )
    size = operands[0].shape[axes[0]] if axes[0] is not None else operands[1].shape[axes[1]]
    if axes[0] is None:
        left = jnp.broadcast_to(left, (size, *left.shape))
    if axes[1] is None:
        right = jnp.broadcast_to(right, (size, *right.shape))
    return primitive.bind(left, right, **settings), 0


def _batch_matmul(operands: Any, axes: Any, **settings: Any) -> tuple[jax.Array, int]:
    if axes[0] is not None:
        return batch_both(matmul_p, operands, axes, **settings)
    half, x = operands[0], jnp.moveaxis(operands[1], axes[1], -1)  # more columns, and the half is read once
    columns = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    return matmul_p.bind(half, columns, **settings).reshape(x.shape), x.ndim - 1


batching.primitive_batchers[matmul_p] = _batch_matmul
batching.primitive_batchers[outer_p] = partial(batch_both, outer_p)
