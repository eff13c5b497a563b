"""A half as functions take it, and back: in the order of rows, in its metric, its diagonal settled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from vech.adapters.torch import operators, plain
from vech.adapters.torch.checks import (
    Facts,
    check_inexact,
    check_metric,
    check_numbers,
    facts,
    layout_of,
    triangle,
)
from vech.adapters.torch.functions import is_forward
from vech.layouts.dialects import AnyLayout


def entered(
    h: Tensor, layout: str | AnyLayout, kind: str | None, metric: str, *, settle: bool = True
) -> tuple[Tensor, Facts]:
    """A half to compute with: by rows if its order is explicit, its diagonal what its kind leaves of it."""
    check_numbers(h)
    found = facts(h, layout, kind)
    h = by_rows(in_metric(h, metric, found), found)
    return plain.settled(h, found.layout, found.kind, found.n) if settle else h, found


def by_rows(h: Tensor, found: Facts) -> Tensor:
    return plain.to_rows(h, found.order, found.n) if found.order else h


def ordered(h: Tensor, found: Facts) -> Tensor:
    """The half of a result in the order that was asked for."""
    return plain.from_rows(h, found.order, found.n) if found.order else h


def full(h: Tensor, found: Facts, *, loud: bool = False) -> Tensor:
    """The full matrix of a half by rows."""
    if is_forward():
        return plain.expand(h, found.layout, found.kind, found.n)
    return operators.expand(h, found.layout, found.kind, loud)


def own_triangle(matrix: Tensor, found: Facts) -> Tensor:
    """The half of a matrix that is of its kind, by rows."""
    if is_forward():
        return plain.take(matrix, found.layout, found.n)
    return operators.pack(matrix, found.layout, found.kind, triangle(found.layout), -1.0)


def in_metric(h: Tensor, metric: str, found: Facts) -> Tensor:
    """The half itself, whose gradient will be in this metric."""
    check_metric(metric)
    if metric == "packed":
        return h
    check_inexact(h, "half")
    weigh = _ForwardWeigh.apply if is_forward() else operators.weigh
    weighed: Tensor = weigh(h, found.layout, found.order)
    return weighed


class _ForwardWeigh(torch.autograd.Function):
    """`operators.weigh`, whose derivatives along directions have no metric."""

    @staticmethod
    def forward(h: Tensor, layout: str, order: str) -> Tensor:
        return h.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, str, str], output: Tensor) -> None:
        _, ctx.layout, ctx.order = inputs

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], h: Tensor, *rest: str) -> tuple[Any, int]:
        return _ForwardWeigh.apply(h.movedim(in_dims[0], 0), *rest), 0

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        n = layout_of(ctx.layout).side(g.shape[-1])
        return g * plain.metric_factors(g, ctx.layout, ctx.order, n), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        with forward_ad._set_fwd_grad_enabled(True):  # for directions farther out
            return tangent.clone()


def settled_triangle(matrix: Tensor, found: Facts) -> Tensor:
    """The half of a computed matrix: what rounding leaves on a diagonal that its kind has not is dropped."""
    return own_triangle(plain.settled_full(matrix, found.kind), found)
