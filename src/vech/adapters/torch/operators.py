"""The moves as operators of torch: by vech's kernels on the processor, by plain operations elsewhere.

Each is linear and the adjoint of another one, so that gradients of any order are made of them again and
nothing is saved for a gradient. Layouts are as `checks.text` writes them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vech.adapters.torch import plain
from vech.adapters.torch.checks import DTYPES, dual, inverse, layout_of, linear
from vech.adapters.torch.functions import batch_in_front, operator
from vech.arrays import Array
from vech.layouts.kind import Kind
from vech.moves import converting, expanding, folding, packing

LARGE = 4 * 2**20  # bytes from which NumPy asks for huge pages


def array_of(x: Tensor) -> Array:
    """The numbers of a tensor of the processor, without a copy; bfloat16 as float16, of as many bits."""
    x = x.detach().resolve_conj().resolve_neg()
    numbers: Array = (x.view(torch.float16) if x.dtype is torch.bfloat16 else x).numpy()
    return numbers


def fresh(like: Tensor, *shape: int) -> Tensor:
    """Memory for a result, of the dtype of another tensor of the processor; large memory is NumPy's.

    That asks for huge pages where the system lends them: new pages are most of the time of a large move.
    """
    size = math.prod(shape) * like.element_size()
    if size < LARGE:
        return like.new_empty(shape)
    return torch.from_numpy(np.empty(size, np.uint8)).view(like.dtype).view(shape)


def limit(tolerance: float) -> float | None:
    """Of `pack`: operators of torch take no None in place of a number."""
    return None if tolerance < 0 else tolerance


def by_kernel(x: Tensor, layout: str) -> bool:
    """Whether vech's own moves take these numbers; bfloat16 is but bits to them."""
    where = layout_of(layout)
    return x.device.type == "cpu" and not (x.dtype is torch.bfloat16 and (where.scaled or where.implied))


# ---- a half to its full matrix, and the adjoint of that ----------------------------------------------------


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.layout, ctx.kind = inputs[1:3]


def _expand_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    return fold(g, linear(ctx.layout), ctx.kind), None, None, None


def _empty_expand(h: Tensor, layout: str, kind: str, loud: bool) -> Tensor:
    n = layout_of(layout).side(int(h.shape[-1]))
    return h.new_empty((*h.shape[:-1], n, n))


@operator(
    "expand(Tensor h, str layout, str kind, bool loud) -> Tensor",
    fake=_empty_expand,
    batched=batch_in_front("expand"),
    keep=_keep,
    backward=_expand_backward,
)
def expand(h: Tensor, layout: str, kind: str, loud: bool) -> Tensor:
    """The full matrix; `loud` raises an OverflowError where a scale makes a finite number infinite."""
    n = layout_of(layout).side(h.shape[-1])
    if by_kernel(h, layout):
        full = fresh(h, *h.shape[:-1], n, n)
        try:
            expanding.expand(array_of(h), layout_of(layout), kind=kind, out=array_of(full))
            return full
        except OverflowError:
            if loud:
                raise
    return plain.narrowed(plain.expand, h, layout, kind, n)


def _fold_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    return expand(g, linear(ctx.layout), ctx.kind, False), None, None


def _empty_fold(full: Tensor, layout: str, kind: str) -> Tensor:
    return full.new_empty((*full.shape[:-2], layout_of(layout).length(int(full.shape[-1]))))


@operator(
    "fold(Tensor full, str layout, str kind) -> Tensor",
    fake=_empty_fold,
    batched=batch_in_front("fold"),
    keep=_keep,
    backward=_fold_backward,
)
def fold(full: Tensor, layout: str, kind: str) -> Tensor:
    """The adjoint of `expand`: the sum of both places of a number, over its scale."""
    n = full.shape[-1]
    if by_kernel(full, layout) and DTYPES[full.dtype] in folding.FOLDS:
        half = fresh(full, *full.shape[:-2], layout_of(layout).length(n))
        folding.fold(array_of(full), layout_of(layout), kind, array_of(half))
        return half
    return plain.narrowed(plain.fold, full, layout, kind, n)


# ---- a full matrix to its half -----------------------------------------------------------------------------


def _pack_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, ctx.layout, ctx.kind, ctx.use, _ = inputs


def _pack_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    """Of "both" as of "mean": each place has half of the gradient. Else all of it is where it was read."""
    where, n = layout_of(ctx.layout), None
    own = ctx.use == where.triangle
    if ctx.kind == Kind.TRIANGULAR or own:
        back = expand(g, inverse(ctx.layout), Kind.TRIANGULAR, False)
    elif ctx.use in ("both", "mean"):
        n = where.side(g.shape[-1])
        g = plain.settled(g, ctx.layout, ctx.kind, n)
        back = expand(g, dual(ctx.layout), ctx.kind, False)
    else:
        n = where.side(g.shape[-1])
        g = plain.mirrored(g, ctx.layout, ctx.kind, n)
        back = expand(g, inverse(ctx.layout), Kind.TRIANGULAR, False).mT
    return back, None, None, None, None


def _empty_pack(full: Tensor, layout: str, kind: str, use: str, tolerance: float) -> Tensor:
    return full.new_empty((*full.shape[:-2], layout_of(layout).length(int(full.shape[-1]))))


@operator(
    "pack(Tensor full, str layout, str kind, str use, float tolerance) -> Tensor",
    fake=_empty_pack,
    batched=batch_in_front("pack"),
    keep=_pack_keep,
    backward=_pack_backward,
)
def pack(full: Tensor, layout: str, kind: str, use: str, tolerance: float) -> Tensor:
    """The half of a matrix whose triangles and diagonal are judged as `vech.pack` judges them."""
    where = layout_of(layout)
    if by_kernel(full, layout) and full.dtype is not torch.bfloat16:
        half = fresh(full, *full.shape[:-2], where.length(full.shape[-1]))
        options: Any = {"kind": kind, "use": use, "tolerance": limit(tolerance)}
        packing.pack(array_of(full), where, out=array_of(half), **options)
        return half
    return plain.pack(full, layout, kind, full.shape[-1], use, limit(tolerance))


# ---- one layout to another ---------------------------------------------------------------------------------


def _convert_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, ctx.source, ctx.target, ctx.kind, _ = inputs


def _convert_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    """The way back with inverse scales; a diagonal that was filled in has nowhere to go."""
    target = layout_of(ctx.target)
    if layout_of(ctx.source).implied is not None and target.implied is None:
        g = g.masked_fill(plain.table("on_diagonal", ctx.target, target.side(g.shape[-1]), g), 0)
    return convert(g, inverse(ctx.target), inverse(ctx.source), ctx.kind, False), None, None, None, None


def _empty_convert(h: Tensor, source: str, target: str, kind: str, loud: bool) -> Tensor:
    n = layout_of(source).side(int(h.shape[-1]))
    return h.new_empty((*h.shape[:-1], layout_of(target).length(n)))


@operator(
    "convert(Tensor h, str source, str target, str kind, bool loud) -> Tensor",
    fake=_empty_convert,
    batched=batch_in_front("convert"),
    keep=_convert_keep,
    backward=_convert_backward,
)
def convert(h: Tensor, source: str, target: str, kind: str, loud: bool) -> Tensor:
    """The same matrix in another layout, judged as `vech.convert` judges it."""
    start, end = layout_of(source), layout_of(target)
    n = start.side(h.shape[-1])
    if by_kernel(h, source) and by_kernel(h, target):
        half = fresh(h, *h.shape[:-1], end.length(n))
        try:
            converting.convert(array_of(h), start, end, kind=kind, out=array_of(half))
            return half
        except OverflowError:
            if loud:
                raise
    return plain.convert(h, source, target, kind, n)


# ---- the metric of a gradient ------------------------------------------------------------------------------


def _weigh_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, ctx.layout, ctx.order = inputs


def _weigh_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    n = layout_of(ctx.layout).side(g.shape[-1])
    return g * plain.metric_factors(g, ctx.layout, ctx.order, n), None, None


@operator(
    "weigh(Tensor h, str layout, str order) -> Tensor",
    fake=lambda h, layout, order: h.clone(),
    batched=batch_in_front("weigh"),
    keep=_weigh_keep,
    backward=_weigh_backward,
)
def weigh(h: Tensor, layout: str, order: str) -> Tensor:
    """A copy, whose gradients are in the metric of the full matrix."""
    return h.clone()
