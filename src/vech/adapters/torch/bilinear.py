"""Products as operators of torch: S x, x^H S x, halves of A B^H; their gradients are made of each other.

x, a and b are columns, (..., n, m), with the batch of the half. Uses what a kind leaves of a diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import plain
from vech.adapters.torch.checks import DTYPES, dual, layout_of, linear, real
from vech.adapters.torch.functions import mapped, narrowed, operator
from vech.adapters.torch.operators import array_of, expand, fold, fresh, pack
from vech.adapters.torch.precision import NARROW
from vech.layouts.kind import Kind
from vech.moves.runs import KERNEL, Half
from vech.packed import products, updates

SMALL_SIDE = 48  # of a batch up to this side, full matrices multiplied together beat halves one by one


def adjoint(h: Tensor, x: Tensor, layout: str, kind: str) -> Tensor:
    """S^H x."""
    rule = Kind(kind)
    if rule.conjugates or not x.is_complex():
        product = matmul(h, x, layout, kind)
    else:
        product = matmul(h, x.conj(), layout, kind).conj()
    return -product if rule.negates else product


def _one_by_one(h: Tensor) -> bool:
    """Whether halves are multiplied as they are, rather than expanded together."""
    n_large = h.shape[-1] > SMALL_SIDE * (SMALL_SIDE + 1) // 2
    return h.device.type == "cpu" and DTYPES[h.dtype] in KERNEL and (n_large or h.ndim == 1)


def full_of(h: Tensor, layout: str, kind: str) -> Tensor:
    """The full matrix as computing takes it."""
    return plain.settled_full(expand(h, layout, kind, False), kind)


def adjoint_fold(matrix: Tensor, layout: str, kind: str) -> Tensor:
    """The gradient by a half, of that by the matrix `full_of`."""
    half = fold(matrix, linear(layout), kind)
    return plain.settled(half, layout, kind, matrix.shape[-1])


def together(name: str) -> Callable[..., Any]:
    """The rule for vmap of an operator whose tensors have one batch in front."""

    def rule(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return mapped(getattr(torch.ops.vech, name).default, info, in_dims, *inputs)

    return rule


def _shared(name: str) -> Callable[..., Any]:
    """The rule for vmap of a product; of one half with many columns it is one product."""
    general = together(name)

    def rule(info: Any, in_dims: tuple[Any, ...], h: Tensor, x: Tensor, *rest: Any) -> tuple[Any, Any]:
        if in_dims[0] is not None or h.ndim > 1:
            general_found: tuple[Any, Any] = general(info, in_dims, h, x, *rest)
            return general_found
        columns = x.movedim(in_dims[1], -2)  # (n, batch, m)
        found = getattr(torch.ops.vech, name).default(h, columns.flatten(-2), *rest)
        if isinstance(found, tuple):
            return tuple(y.unflatten(-1, columns.shape[-2:]) for y in found), (0, 1)
        return found.unflatten(-1, columns.shape[-2:]), 1

    return rule


# ---- S x ---------------------------------------------------------------------------------------------------


def _keep_two(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.layout, ctx.kind = inputs[2:4]


def _matmul_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    h, x = ctx.saved_tensors
    by_half = outer(g, x, dual(ctx.layout), ctx.kind, False) if ctx.needs_input_grad[1] else None
    by_x = adjoint(h, g, ctx.layout, ctx.kind) if ctx.needs_input_grad[2] else None
    return by_half, by_x, None, None


@operator(
    "matmul(Tensor h, Tensor x, str layout, str kind) -> Tensor",
    fake=lambda h, x, layout, kind: x.new_empty(x.shape),
    batched=_shared("matmul"),
    keep=_keep_two,
    backward=_matmul_backward,
)
def matmul(h: Tensor, x: Tensor, layout: str, kind: str) -> Tensor:
    """S x."""
    if h.dtype in NARROW:
        return narrowed(matmul, h, x, layout, kind)
    if not _one_by_one(h):
        return (full_of(h, layout, kind) @ x).contiguous()
    where, rule = layout_of(layout), Kind(kind)
    y = x.new_empty(x.shape)
    for half, columns, out in _each(h, x, y):
        products.matmul(Half(half, where, rule), columns, out, torch.get_num_threads())
    return y


def _each(h: Tensor, *tensors: Tensor) -> Any:
    """The arrays of each matrix of a batch."""
    count = math.prod(h.shape[:-1])
    halves = array_of(h).reshape(count, h.shape[-1])
    others = (array_of(x).reshape(count, *x.shape[-2:]) for x in tensors)
    return zip(halves, *others, strict=True)


# ---- the half of A B^H -------------------------------------------------------------------------------------


def _outer_empty(a: Tensor, b: Tensor, layout: str, kind: str, known: bool) -> Tensor:
    return a.new_empty((*a.shape[:-2], layout_of(layout).length(int(a.shape[-2]))))


def _outer_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    a, b = ctx.saved_tensors
    back = dual(ctx.layout)
    by_a = matmul(g, b, back, ctx.kind) if ctx.needs_input_grad[1] else None
    by_b = adjoint(g, a, back, ctx.kind) if ctx.needs_input_grad[2] else None
    return by_a, by_b, None, None, None


@operator(
    "outer(Tensor a, Tensor b, str layout, str kind, bool known) -> Tensor",
    fake=_outer_empty,
    batched=together("outer"),
    keep=_keep_two,
    backward=_outer_backward,
)
def outer(a: Tensor, b: Tensor, layout: str, kind: str, known: bool) -> Tensor:
    """The half of (A B^H + its mirror image) / 2, which are the same where that is `known`."""
    if a.dtype in NARROW:
        return narrowed(outer, a, b, layout, kind, known)
    where, rule, n = layout_of(layout), Kind(kind), a.shape[-2]
    single = a.ndim == 2 or n > SMALL_SIDE
    if not (a.device.type == "cpu" and DTYPES[a.dtype] in KERNEL and single):
        product = plain.settled_full(a @ b.mH, kind)
        if known:
            return pack(product, layout, kind, where.triangle, -1.0)
        return fold(product, dual(layout), kind)
    half = fresh(a, *a.shape[:-2], where.length(n))
    if half.numel():
        for numbers, left, right in _each(half, a, b):
            threads = torch.get_num_threads()
            updates.write_outer(Half(numbers, where, rule), left, right, threads, known=known)
    return half


# ---- x^H S x -----------------------------------------------------------------------------------------------


def _form_dtype(x: Tensor, kind: str) -> torch.dtype:
    return real(x.dtype) if kind == Kind.HERMITIAN else x.dtype


def _quadratic_empty(h: Tensor, x: Tensor, layout: str, kind: str) -> tuple[Tensor, Tensor]:
    form = x.new_empty((*x.shape[:-2], x.shape[-1]), dtype=_form_dtype(x, kind))
    return form, x.new_empty(x.shape)


def _quadratic_keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    h, x, ctx.layout, ctx.kind = inputs
    ctx.save_for_backward(h, x, output[1])
    ctx.set_materialize_grads(False)


def _quadratic_backward(ctx: Any, g: Tensor | None, g_product: Tensor | None) -> tuple[Any, ...]:
    """Of x^H y and y = S x; where S^H is S or -S, S^H x is at hand."""
    h, x, y = ctx.saved_tensors
    layout, rule = ctx.layout, Kind(ctx.kind)
    by_half = by_x = total = None
    if g is not None:
        g = g[..., None, :]
        total = g * x
        if ctx.needs_input_grad[2]:
            if rule.conjugates or not x.is_complex():
                by_x = (g.conj() - g if rule.negates else g.conj() + g) * y
            else:
                by_x = g.conj() * y + g * adjoint(h, x, layout, ctx.kind)
    if g_product is not None:
        total = g_product if total is None else total + g_product
        if ctx.needs_input_grad[2]:
            more = adjoint(h, g_product, layout, ctx.kind)
            by_x = more if by_x is None else by_x + more
    if total is not None and ctx.needs_input_grad[1]:
        by_half = outer(total, x, dual(layout), ctx.kind, False)
    return by_half, by_x, None, None


@operator(
    "quadratic(Tensor h, Tensor x, str layout, str kind) -> (Tensor, Tensor)",
    fake=_quadratic_empty,
    batched=_shared("quadratic"),
    keep=_quadratic_keep,
    backward=_quadratic_backward,
)
def quadratic(h: Tensor, x: Tensor, layout: str, kind: str) -> tuple[Tensor, Tensor]:
    """x^H S x of each column, and S x."""
    if h.dtype in NARROW:
        rounded: tuple[Tensor, Tensor] = narrowed(quadratic, h, x, layout, kind)
        return rounded
    y = matmul(h, x, layout, kind)
    form = torch.linalg.vecdot(x, y, dim=-2)
    return (form.real.contiguous() if kind == Kind.HERMITIAN else form), y
