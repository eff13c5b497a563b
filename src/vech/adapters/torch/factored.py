"""Cholesky factors and what follows from them, as operators of torch. What is saved are halves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import plain, small
from vech.adapters.torch.bilinear import adjoint_fold, full_of, outer, together
from vech.adapters.torch.checks import dual, layout_of, plain_of, triangle
from vech.adapters.torch.checks import inverse as inverse_scales
from vech.adapters.torch.functions import operator
from vech.adapters.torch.operators import expand, pack
from vech.layouts.kind import Kind

TRIANGULAR = str(Kind.TRIANGULAR)


def lower(factor: Tensor, layout: str) -> Tensor:
    """The lower factor L of a half that holds L, or L^H in upper layouts."""
    full = expand(factor, layout, TRIANGULAR, False)
    return full if layout.startswith("lower") else full.mH


# ---- the factor itself -------------------------------------------------------------------------------------


def _cholesky_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output)
    _, ctx.layout, ctx.kind, ctx.target = inputs


def _cholesky_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    (factor,) = ctx.saved_tensors
    gradient = expand(g, inverse_scales(ctx.target), TRIANGULAR, False)
    gradient = gradient if ctx.target.startswith("lower") else gradient.mH
    whole = by_matrix(lower(factor, ctx.target), gradient)
    return adjoint_fold(whole, ctx.layout, ctx.kind), None, None, None


def by_matrix(L: Tensor, gradient: Tensor) -> Tensor:
    """The gradient by the full matrix, of that by its factor.

    I. Murray, "Differentiation of the Cholesky decomposition", arXiv 1602.07527, 2016, eq. 10.
    """
    inner = (L.mH @ gradient).tril()
    inner = (inner + inner.tril(-1).mH) / 2
    left = torch.linalg.solve_triangular(L.mH, inner, upper=True)
    return torch.linalg.solve_triangular(L, left, upper=False, left=False)


def along(L: Tensor, direction: Tensor) -> Tensor:
    """The derivative of the factor along a direction of the full matrix; eq. 8 there."""
    left = torch.linalg.solve_triangular(L, direction, upper=False)
    inner = torch.linalg.solve_triangular(L.mH, left, upper=True, left=False).tril()
    return L @ (inner - torch.diag_embed(inner.diagonal(dim1=-2, dim2=-1)) / 2)


@operator(
    "cholesky(Tensor h, str layout, str kind, str target) -> Tensor",
    fake=lambda h, layout, kind, target: h.new_empty(
        (*h.shape[:-1], layout_of(target).length(layout_of(layout).side(int(h.shape[-1]))))
    ),
    batched=together("cholesky"),
    keep=_cholesky_keep,
    backward=_cholesky_backward,
)
def cholesky(h: Tensor, layout: str, kind: str, target: str) -> Tensor:
    """The half of the factor, in a layout of the same triangle that stores the diagonal."""
    if (found := small.answer("cholesky", h, layout, kind, target=target)) is not None:
        return found
    factor, failed = torch.linalg.cholesky_ex(full_of(h, layout, kind))
    wrong = (failed != 0) | ~factor.diagonal(dim1=-2, dim2=-1).isfinite().all(-1)
    if wrong.any():
        _refuse(h, failed, wrong)
    factor = factor if target.startswith("lower") else factor.mH
    return pack(factor, target, TRIANGULAR, triangle(target), -1.0)


def _refuse(h: Tensor, failed: Tensor, wrong: Tensor) -> None:
    at = tuple(wrong.nonzero()[0].tolist())
    which = f"matrix {list(at)} of the batch" if at else "the matrix"
    if not failed[at] or not h[at].isfinite().all():
        raise ValueError(f"half holds NaN or infinity, so that {which} has no factor")
    raise torch.linalg.LinAlgError(
        f"{which} is not positive definite: its leading {int(failed[at])} rows and columns are not"
    )


# ---- S^-1 b, with the factor at hand -----------------------------------------------------------------------


def _solve_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    h, _, factor, ctx.layout, ctx.kind = inputs
    ctx.save_for_backward(h, factor, output)


def _solve_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    h, factor, x = ctx.saved_tensors
    by_b = solve(h, g, factor, ctx.layout, ctx.kind)
    by_h = outer(-by_b, x, dual(ctx.layout), ctx.kind, False) if ctx.needs_input_grad[1] else None
    return by_h, by_b, None, None, None


@operator(
    "solve(Tensor h, Tensor b, Tensor factor, str layout, str kind) -> Tensor",
    fake=lambda h, b, factor, layout, kind: b.new_empty(b.shape),
    batched=together("solve"),
    keep=_solve_keep,
    backward=_solve_backward,
)
def solve(h: Tensor, b: Tensor, factor: Tensor, layout: str, kind: str) -> Tensor:
    """S^-1 b for columns b; the factor, in the plain layout, is a help and no variable."""
    return torch.cholesky_solve(b, lower(factor, plain_of(layout))).contiguous()


# ---- S^-1 and log |S| --------------------------------------------------------------------------------------


def _inverse_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output)
    ctx.layout, ctx.kind = inputs[2:]


def _inverse_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    (found,) = ctx.saved_tensors
    target = plain_of(ctx.layout)
    W, gradient = full_of(found, target, ctx.kind), full_of(g, dual(target), ctx.kind)
    return adjoint_fold(-W @ gradient @ W, ctx.layout, ctx.kind), None, None, None


@operator(
    "inverse(Tensor h, Tensor factor, str layout, str kind) -> Tensor",
    fake=lambda h, factor, layout, kind: h.new_empty(factor.shape),
    batched=together("inverse"),
    keep=_inverse_keep,
    backward=_inverse_backward,
)
def inverse(h: Tensor, factor: Tensor, layout: str, kind: str) -> Tensor:
    """The half of S^-1 in the plain layout."""
    target = plain_of(layout)
    if (found := small.answer("inverse", h, layout, kind, target=target)) is not None:
        return found
    full = plain.settled_full(torch.cholesky_inverse(lower(factor, target)), kind)
    return pack(full, target, kind, triangle(target), -1.0)


def _logdet_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    h, factor, ctx.layout, ctx.kind = inputs
    ctx.save_for_backward(h, factor)


def _logdet_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    """The inverse, as often as the matrix has each number of it."""
    h, factor = ctx.saved_tensors
    n = layout_of(ctx.layout).side(h.shape[-1])
    found = inverse(h, factor, ctx.layout, ctx.kind)
    if layout_of(ctx.layout).implied is not None:
        found = found.index_select(-1, plain.table("off_diagonal", plain_of(ctx.layout), n, h))
    return g[..., None] * plain.table("fold_weights", ctx.layout, n, h).to(g.dtype) * found, None, None, None


@operator(
    "logdet(Tensor h, Tensor factor, str layout, str kind) -> Tensor",
    fake=lambda h, factor, layout, kind: h.real.new_empty(h.shape[:-1]),
    batched=together("logdet"),
    keep=_logdet_keep,
    backward=_logdet_backward,
)
def logdet(h: Tensor, factor: Tensor, layout: str, kind: str) -> Tensor:
    """log |S|."""
    where = layout_of(plain_of(layout))
    slots = torch.from_numpy(where.diagonal_slots(where.side(factor.shape[-1])))
    return 2 * factor.index_select(-1, slots.to(factor.device)).real.log().sum(-1)
