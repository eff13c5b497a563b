"""Eigenvalues and functions of a matrix as operators of torch, which save a half, and what is the result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import divided, plain, small
from vech.adapters.torch.bilinear import adjoint_fold, full_of, together
from vech.adapters.torch.checks import layout_of, linear, real, triangle
from vech.adapters.torch.functions import operator
from vech.adapters.torch.operators import pack

CHUNK = 2**22  # second differences made at a time


def refuse_infinite(h: Tensor) -> None:
    """ValueError for what LAPACK would end on, or never end."""
    if not h.isfinite().all():
        wrong = (~h.isfinite()).any(-1)
        at = wrong.nonzero()[0].tolist() if wrong.ndim else []
        which = f"matrix {at} of the batch" if at else "the matrix"
        raise ValueError(f"half holds NaN or infinity, so that {which} has no eigenvalues")


# ---- eigenvalues -------------------------------------------------------------------------------------------


def _eigh_empty(h: Tensor, layout: str, kind: str) -> tuple[Tensor, Tensor]:
    n = layout_of(layout).side(int(h.shape[-1]))
    values = h.new_empty((*h.shape[:-1], n), dtype=real(h.dtype))
    return values, h.new_empty((*h.shape[:-1], n, n))


def _eigh_keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, ctx.layout, ctx.kind = inputs
    ctx.save_for_backward(*output)
    ctx.set_materialize_grads(False)


def _eigh_backward(ctx: Any, g: Tensor | None, g_vectors: Tensor | None) -> tuple[Any, ...]:
    if g is None and g_vectors is None:
        return None, None, None
    values, vectors = ctx.saved_tensors
    return adjoint_fold(by_matrix(values, vectors, g, g_vectors), ctx.layout, ctx.kind), None, None


def by_matrix(values: Tensor, vectors: Tensor, g: Tensor | None, g_vectors: Tensor | None) -> Tensor:
    """The gradient by the full matrix, of those by its eigenvalues and its eigenvectors."""
    inner = torch.zeros_like(vectors) if g_vectors is None else (vectors.mH @ g_vectors) * gaps(values)
    if g is not None:
        inner = inner + torch.diag_embed(g).to(inner.dtype)
    return vectors @ inner @ vectors.mH


def gaps(values: Tensor) -> Tensor:
    """1 / (w_j - w_i), and 0 where the two are equal within rounding."""
    gap = values[..., None, :] - values[..., :, None]
    n = values.shape[-1]
    size = values.detach().abs().amax(-1)[..., None, None] if n else gap
    equal = gap.detach().abs() <= n * torch.finfo(values.dtype).eps * size
    return torch.where(equal, 0, 1 / torch.where(equal, 1, gap))


@operator(
    "eigh(Tensor h, str layout, str kind) -> (Tensor, Tensor)",
    fake=_eigh_empty,
    batched=together("eigh"),
    keep=_eigh_keep,
    backward=_eigh_backward,
)
def eigh(h: Tensor, layout: str, kind: str) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors."""
    refuse_infinite(h)
    return _decomposed(h, layout, kind)


def _decomposed(h: Tensor, layout: str, kind: str) -> tuple[Tensor, Tensor]:
    found: tuple[Tensor, Tensor] | None = small.answer("eigh", h, layout, kind)
    if found is not None:
        return found
    values, vectors = torch.linalg.eigh(full_of(h, layout, kind))
    return values, vectors.contiguous()


# ---- the largest singular value ----------------------------------------------------------------------------


def _largest_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    h, ctx.layout, ctx.kind = inputs
    ctx.save_for_backward(h)


def _largest_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    """u v^H, of vectors that are found again."""
    (h,) = ctx.saved_tensors
    left, _, right = torch.linalg.svd(full_of(h, ctx.layout, ctx.kind))
    whole = g[..., None, None] * left[..., :, :1] @ right[..., :1, :]
    return adjoint_fold(whole, ctx.layout, ctx.kind), None, None


@operator(
    "largest_singular_value(Tensor h, str layout, str kind) -> Tensor",
    fake=lambda h, layout, kind: h.real.new_empty(h.shape[:-1]),
    batched=together("largest_singular_value"),
    keep=_largest_keep,
    backward=_largest_backward,
)
def largest_singular_value(h: Tensor, layout: str, kind: str) -> Tensor:
    """Of matrices that are not empty."""
    return torch.linalg.matrix_norm(full_of(h, layout, kind), 2)


# ---- functions of a matrix ---------------------------------------------------------------------------------


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    h, ctx.layout, ctx.kind, ctx.name, ctx.p = inputs
    ctx.save_for_backward(h)


def _backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    (h,) = ctx.saved_tensors
    before, after = weights(h, ctx.layout)
    found = derivative(h, before * g, ctx.layout, ctx.kind, ctx.name, ctx.p)
    return after * found, None, None, None, None


def weights(h: Tensor, layout: str) -> tuple[Tensor, Tensor]:
    """What makes a gradient by a half a half in its layout, and back."""
    n = layout_of(layout).side(h.shape[-1])
    names = ("metric_factors", "norm_weights")
    return tuple(plain.table(name, layout, n, h).to(real(h.dtype)) for name in names)


@operator(
    "function(Tensor h, str layout, str kind, str name, float p) -> Tensor",
    fake=lambda h, layout, kind, name, p: h.new_empty(h.shape),
    batched=together("function"),
    keep=_keep,
    backward=_backward,
)
def function(h: Tensor, layout: str, kind: str, name: str, p: float) -> Tensor:
    """The half of f(S), f being "log", "exp" or "power"."""
    refuse_infinite(h)
    if (found := small.answer(name, h, layout, kind, p, target=layout)) is not None:
        if name == "power" and p.is_integer() == (p < 0):  # of which the kernel takes more
            check_domain(_decomposed(h, layout, kind)[0], name, p)
        return found
    values, vectors = _decomposed(h, layout, kind)
    check_domain(values, name, p)
    changed = divided.value(name, p, values)
    if not changed.isfinite().all():
        task = "power" if name == "power" else "exponential"
        raise OverflowError(f"the {task} has numbers beyond {h.dtype}: multiply the half by a number first")
    weighted = vectors * changed[..., None, :]
    return _half(weighted @ vectors.mH, layout, kind)


def check_domain(values: Tensor, name: str, p: float) -> None:
    """LinAlgError where f is not defined at an eigenvalue."""
    if name == "exp" or (name == "power" and p >= 0 and p.is_integer()) or not values.numel():
        return
    least = values[..., 0]
    if (least <= 0).any():
        at = (least <= 0).nonzero()[0].tolist()
        which = f"matrix {at} of the batch" if at else "the matrix"
        task = "a logarithm" if name == "log" else f"the power {p}"
        raise torch.linalg.LinAlgError(
            f"{which} has the eigenvalue {float(least[tuple(at)]):.6g}, and {task} needs a positive "
            f"definite one"
        )


def _half(full: Tensor, layout: str, kind: str) -> Tensor:
    return pack(plain.settled_full(full, kind), layout, kind, triangle(layout), -1.0)


# ---- the derivative along a direction, its own adjoint -----------------------------------------------------


def _derivative_keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    h, direction, ctx.layout, ctx.kind, ctx.name, ctx.p = inputs
    ctx.save_for_backward(h, direction)


def _derivative_backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
    h, direction = ctx.saved_tensors
    before, after = weights(h, ctx.layout)
    rest = (ctx.layout, ctx.kind, ctx.name, ctx.p)
    by_h = after * second_derivative(h, direction, before * g, *rest) if ctx.needs_input_grad[1] else None
    by_direction = after * derivative(h, before * g, *rest) if ctx.needs_input_grad[2] else None
    return by_h, by_direction, None, None, None, None


@operator(
    "derivative(Tensor h, Tensor direction, str layout, str kind, str name, float p) -> Tensor",
    fake=lambda h, direction, layout, kind, name, p: h.new_empty(h.shape),
    batched=together("derivative"),
    keep=_derivative_keep,
    backward=_derivative_backward,
)
def derivative(h: Tensor, direction: Tensor, layout: str, kind: str, name: str, p: float) -> Tensor:
    """The half of the derivative of f(S) along a direction: V (K o (V^H E V)) V^H, Daleckii and Krein."""
    values, vectors = _decomposed(h, layout, kind)
    inner = vectors.mH @ full_of(direction, linear(layout), kind) @ vectors
    inner = inner * divided.first(name, p, values[..., :, None], values[..., None, :])
    return _half(vectors @ inner @ vectors.mH, layout, kind)


def second_derivative(
    h: Tensor, one: Tensor, other: Tensor, layout: str, kind: str, name: str, p: float
) -> Tensor:
    """The half of the second derivative along two directions; of operators that differentiate on."""
    values, vectors = eigh(h, layout, kind)
    a, b = (vectors.mH @ full_of(x, linear(layout), kind) @ vectors for x in (one, other))
    return _half(vectors @ second_differences(values, a, b, name, p) @ vectors.mH, layout, kind)


def second_differences(values: Tensor, a: Tensor, b: Tensor, name: str, p: float) -> Tensor:
    """The second derivative along two directions, these and it in the basis of eigenvectors."""
    n = values.shape[-1]
    inner, step = torch.zeros_like(a), max(1, CHUNK // max(1, a.numel()))
    for k in range(0, n, step):
        part = slice(k, min(k + step, n))
        weight = divided.second(
            name,
            p,
            values[..., :, None, None],
            values[..., None, part, None],
            values[..., None, None, :],
        )
        products = (
            a[..., :, part, None] * b[..., None, part, :] + b[..., :, part, None] * a[..., None, part, :]
        )
        inner = inner + (weight * products).sum(-2)
    return inner
