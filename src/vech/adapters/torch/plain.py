"""The moves as plain operations of torch over tables of indices: any device, any mode of differentiation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import get_unwrapped, is_functorch_wrapped_tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.utils._python_dispatch import _disable_current_modes

from vech.adapters import tables
from vech.adapters.torch.checks import ORDERS, implied, layout_of, linear, real, scales, triangle
from vech.adapters.torch.functions import LIBRARY
from vech.adapters.torch.kept import KEPT
from vech.adapters.torch.precision import NARROW
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves import converting, packing

SMALL_INDEX = 2**31  # cells of a matrix whose tables are of int32


def expand(h: Tensor, layout: str, kind: str, n: int) -> Tensor:
    """The full matrix; its diagonal as it is in the half, or as implied."""
    rule = Kind(kind)
    if h.shape[-1] == 0:
        full = h.new_zeros((*h.shape[:-1], n, n))
    else:
        full = h.index_select(-1, table("cells", layout, n, h)).unflatten(-1, (n, n))
    off, on = scales(layout)
    diagonal = table("eye", layout, n, h)
    if off != 1 or on != 1:
        full = full / off if off == on else torch.where(diagonal, full / on, full / off)
    if rule is not Kind.SYMMETRIC:
        other = table("other_triangle", layout, n, h)
        full = torch.where(other, mirror(full, rule), full)
    constant = implied(layout)
    if constant is not None:
        full = full.masked_fill(diagonal, constant)
    return full


def fold(full: Tensor, layout: str, kind: str, n: int) -> Tensor:
    """The adjoint of `expand`: (a_ij + mirror(a_ji)) / scale, and a_ii / scale."""
    rule = Kind(kind)
    half = _selected(full, "own", layout, n)
    diagonal = table("on_diagonal", layout, n, full)
    if rule is not Kind.TRIANGULAR:
        other = mirror(_selected(full, "opposite", layout, n), rule)
        half = torch.where(diagonal, half, half + other) if implied(layout) is None else half + other
    return unscaled(half, layout, n)


def unscaled(h: Tensor, layout: str, n: int) -> Tensor:
    """The true values of a half."""
    off, on = scales(layout)
    if off == on:
        return h if off == 1 else h / off
    return torch.where(table("on_diagonal", layout, n, h), h / on, h / off)


def direction(h: Tensor, layout: str, kind: str) -> Tensor:
    """The full matrix along which a half goes, as computing takes it."""
    n = layout_of(layout).side(h.shape[-1])
    return settled_full(expand(h, linear(layout), kind, n), kind)


def adjoint_fold(full: Tensor, layout: str, kind: str) -> Tensor:
    """The gradient by a half, of that by the matrix that computing takes: the adjoint of `direction`."""
    n = full.shape[-1]
    return settled(fold(full, linear(layout), kind, n), layout, kind, n)


def mirrored(h: Tensor, layout: str, kind: str, n: int) -> Tensor:
    """The numbers of a half as they stand in the other triangle; its diagonal as it is."""
    if kind in (Kind.SYMMETRIC, Kind.TRIANGULAR):
        return h
    return torch.where(table("on_diagonal", layout, n, h), h, mirror(h, Kind(kind)))


def settled(h: Tensor, layout: str, kind: str, n: int) -> Tensor:
    """The half with what its kind leaves of the diagonal."""
    rule = Kind(kind)
    if rule.diagonal == "stored" or implied(layout) is not None:
        return h
    return torch.where(table("on_diagonal", layout, n, h), part(h, rule), h)


def settled_full(full: Tensor, kind: str) -> Tensor:
    """The same of a full matrix."""
    rule = Kind(kind)
    if rule.diagonal == "stored":
        return full
    return torch.where(
        torch.eye(full.shape[-1], dtype=torch.bool, device=full.device), part(full, rule), full
    )


def part(x: Tensor, kind: Kind) -> Tensor:
    """What a diagonal of this kind counts with, of a dtype where it is not all."""
    if kind.diagonal == "zero":
        return torch.zeros_like(x)
    return torch.complex(x.real, torch.zeros_like(x.real)) if kind.diagonal == "real" else (x - x.conj()) / 2


def mirror(x: Tensor, kind: Kind) -> Tensor:
    """Numbers of one triangle as those of the other."""
    if kind is Kind.TRIANGULAR:
        return torch.zeros_like(x)
    x = x.conj() if kind.conjugates else x
    return -x if kind.negates else x


def to_rows(h: Tensor, order: str, n: int) -> Tensor:
    """The half of an explicit order as `tables.as_rows` has it."""
    h = h.index_select(-1, table("order", order, n, h))
    return _turned(h, order, n)


def from_rows(h: Tensor, order: str, n: int) -> Tensor:
    """And back."""
    return _turned(h, order, n).index_select(-1, table("back", order, n, h))


def metric_factors(h: Tensor, layout: str, order: str, n: int) -> Tensor:
    """What takes a gradient by such a half from the metric "packed" to "full"."""
    weights = table("metric_factors", layout, n, h).to(real(h.dtype))
    return from_rows(weights, order, n) if order else weights


def _turned(h: Tensor, order: str, n: int) -> Tensor:
    if not h.dtype.is_complex:
        return h
    return torch.where(table("crossed", order, n, h), h.conj(), h)


def _selected(full: Tensor, cells: str, layout: str, n: int) -> Tensor:
    return full.flatten(-2).index_select(-1, table(cells, layout, n, full))


def table(name: str, layout: str, n: int, like: Tensor) -> Tensor:
    """A table of `vech.adapters.tables` on the device of a tensor, kept where it is small."""
    if torch.compiler.is_compiling() or _is_traced(like):
        return torch.ops.vech.table(like, name, layout, n)
    return _table(name, layout, n, like.device)


def _is_traced(x: Tensor) -> bool:
    """Whether it stands for numbers to come, also within transforms."""
    while is_functorch_wrapped_tensor(x):
        x = get_unwrapped(x)
    return isinstance(x, FakeTensor | FunctionalTensor)


def _table(name: str, layout: str, n: int, device: torch.device) -> Tensor:
    found: Tensor = KEPT(_made, name, layout, n, device)
    return found


def _made(name: str, layout: str, n: int, device: torch.device) -> Tensor:
    # what is made within a transform, or in inference mode, nothing outside of it takes
    with torch.inference_mode(False), torch._C._DisableFuncTorch(), _disable_current_modes():
        return torch.from_numpy(_numbers(name, layout, n)).to(device)


def _batched(info: Any, in_dims: tuple[Any, ...], like: Tensor, *rest: Any) -> tuple[Tensor, None]:
    return torch.ops.vech.table(like, *rest), None


LIBRARY.define("table(Tensor like, str name, str layout, int n) -> Tensor")
LIBRARY.impl(
    "table",  # a copy, since compiled programs may write over what an operator gave them
    lambda like, name, layout, n: _table(name, layout, n, like.device).clone(),
    "CompositeExplicitAutograd",
)
LIBRARY.impl("table", torch.library.fallthrough_kernel, "Autograd")
torch.library.register_fake(
    "vech::table",
    lambda like, name, layout, n: torch.empty_like(
        torch.from_numpy(_numbers(name, layout, n)), device=like.device
    ),
    lib=LIBRARY,
)
torch.library.register_vmap("vech::table", _batched, lib=LIBRARY)


def _numbers(name: str, layout: str, n: int) -> Any:
    numbers = _table_of(name, layout, n)
    return numbers.astype(np.int32) if numbers.dtype == np.int64 and n * n < SMALL_INDEX else numbers


def _table_of(name: str, layout: str, n: int) -> Any:
    if name == "eye":
        return np.eye(n, dtype=np.bool)
    if name in ("order", "crossed", "back"):
        places, crossed = tables.order(ORDERS[layout], n)
        return {"order": places, "crossed": crossed, "back": np.argsort(places)}[name]
    return np.ascontiguousarray(getattr(tables, name)(layout_of(layout), n))


def take(full: Tensor, layout: str, n: int) -> Tensor:
    """The half of the layout's own triangle, which alone is looked at."""
    half = _selected(full, "own", layout, n)
    off, on = scales(layout)
    if off != 1 or on != 1:
        diagonal = table("on_diagonal", layout, n, full)
        half = half * off if off == on else torch.where(diagonal, half * on, half * off)
    return half


def convert(h: Tensor, source: str, target: str, kind: str, n: int) -> Tensor:
    """The same matrix in another layout, by way of the full one."""
    if implied(target) is not None:  # the diagonal must be what is left out
        numbers = wide(h.detach()).cpu().resolve_conj().resolve_neg().numpy()
        converting.convert(numbers, layout_of(source), layout_of(target), kind=kind)
    return _converted(h, source, target, kind, n)


def convert_along(tangent: Tensor, source: str, target: str, kind: str, n: int) -> Tensor:
    """The derivative of `convert` along a direction, itself differentiable."""
    return _converted(tangent, linear(source), target, kind, n)


def _converted(h: Tensor, source: str, target: str, kind: str, n: int) -> Tensor:
    return narrowed(take, narrowed(expand, h, source, kind, n), target, n)


def pack(full: Tensor, layout: str, kind: str, n: int, use: str, tolerance: float | None) -> Tensor:
    """The half of a matrix, judged as `vech.pack` judges it."""
    if use == "both" or implied(layout) is not None:
        judge(full, layout_of(layout), Kind(kind), use, tolerance)
    return _packed(full, layout, kind, n, use)


def pack_along(tangent: Tensor, layout: str, kind: str, n: int, use: str) -> Tensor:
    """The derivative of `pack` along a direction, itself differentiable; of "both" that of "mean"."""
    return _packed(tangent, layout, kind, n, "mean" if use == "both" else use)


def _packed(full: Tensor, layout: str, kind: str, n: int, use: str) -> Tensor:
    if full.dtype in NARROW:
        return _packed(full.float(), layout, kind, n, use).to(full.dtype)
    rule = Kind(kind)
    if use == "mean" and rule is not Kind.TRIANGULAR:
        middle = (full + mirror(full.mT, rule)) / 2
        return take(middle, layout, n)
    if use in ("both", triangle(layout)) or rule is Kind.TRIANGULAR:
        return take(full, layout, n)
    return mirrored(take(full.mT, layout, n), layout, rule, n)


def judge(full: Tensor, where: Layout, rule: Kind, use: str, tolerance: float | None) -> None:
    """Refuse by `vech.pack` the first matrix that is not what it is said to be; numbers are read."""
    eps = torch.finfo(full.dtype).eps if full.dtype.is_floating_point or full.dtype.is_complex else 0.0
    diagonal = full.diagonal(dim1=-2, dim2=-1)
    sizes = torch.where(full.isfinite(), full, 0).abs().double().flatten(-2)
    largest = sizes.amax(-1) if sizes.shape[-1] else sizes.sum(-1)
    limit = full.shape[-1] * eps * largest if tolerance is None else torch.full_like(largest, tolerance)
    wrong = torch.zeros_like(limit, dtype=torch.bool)
    if use == "both":
        other = mirror(full.mT, rule)
        if rule is Kind.TRIANGULAR:
            own = full.tril() if where.triangle == "lower" else full.triu()
            other = own
        near = (full == other) | (full.isnan() & other.isnan())
        near |= wide(full - other).abs() <= limit[..., None, None]
        wrong |= ~near.flatten(-2).all(-1)
    if where.implied is not None:
        wrong |= ~(wide(diagonal - where.implied).abs() <= limit[..., None]).all(-1)
    if wrong.any():
        at = tuple(wrong.nonzero()[0].tolist())
        numbers = wide(full[at]).cpu().resolve_conj().resolve_neg().numpy()
        unscaled = replace(where, diagonal_scale=1.0, offdiagonal_scale=1.0)
        packing.pack(numbers, unscaled, kind=rule, use=use, tolerance=float(limit[at]))


def wide(x: Tensor) -> Tensor:
    """Floats in float64, complex numbers in complex128; exact numbers as they are."""
    if x.dtype.is_complex:
        return x.to(torch.complex128)
    return x.double() if x.dtype.is_floating_point else x


def narrowed(move: Any, x: Tensor, layout: str, *rest: Any) -> Tensor:
    """A move that computes, in float32 of narrow floats, and rounded to them."""
    if x.dtype in NARROW and (scales(layout) != (1, 1) or move is fold):
        return move(x.float(), layout, *rest).to(x.dtype)
    return move(x, layout, *rest)
