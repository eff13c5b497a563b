"""What the functions take: tensors, judged, and what layout and kind say of them."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Collection, Mapping
from functools import lru_cache
from numbers import Real
from reprlib import repr as short
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from vech.adapters import tables
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import resolve_kind
from vech.layouts.layout import Layout, one_of
from vech.layouts.orders import Explicit
from vech.linalg.metric import METRICS
from vech.moves import explicit, folding
from vech.moves.recipe import kind_name

DTYPES = {
    dtype: np.dtype(str(dtype).removeprefix("torch."))
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    )
} | {torch.bfloat16: np.dtype(np.float16)}  # of the same size, with its sign in the same bit
NAMES = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in DTYPES))


class Facts(NamedTuple):
    """What layout and kind say: both as text, which operators take, and the side."""

    layout: str  # of a `Layout`, as `text` writes it
    kind: str
    n: int
    order: str  # of an explicit order, whose numbers go into that layout first; else empty


def facts(h: Tensor, layout: str | AnyLayout, kind: str | None, *, moves: bool = False) -> Facts:
    """Of a half, shape (..., length)."""
    found: Facts = _facts(layout, kind, h.dtype, operator.index(h.shape[-1]), moves, False)
    return found


def facts_of_side(dtype: torch.dtype, layout: str | AnyLayout, kind: str | None, n: int) -> Facts:
    """Of a half that is to be made."""
    found: Facts = _facts(layout, kind, dtype, operator.index(n), True, True)
    return found


@torch.compiler.assume_constant_result
def _facts(
    layout: str | AnyLayout, kind: str | None, dtype: torch.dtype, size: int, moves: bool, is_side: bool
) -> Facts:
    return _looked_up(
        layout if type(layout) is str else as_layout(layout), kind_name(kind), dtype, size, moves, is_side
    )


@lru_cache(maxsize=512)
def _looked_up(
    name: str | AnyLayout, kind: str | None, dtype: torch.dtype, size: int, moves: bool, is_side: bool
) -> Facts:
    layout = as_layout(name)
    numbers = DTYPES[dtype]
    found = resolve_kind(kind, numbers, moves=moves)
    explicit.check_kind(layout, found, numbers)
    if layout.scaled and numbers.kind not in "fc":
        raise TypeError(
            f"layout {layout.name} scales what it stores, and {dtype} is exact: call .double() first"
        )
    if is_side:
        layout.length(size)
        if size == 0 and layout.implied is not None:
            raise ValueError(
                f"a 0 x 0 matrix has no half in layout {layout.name}: a half of length 0 is n = 1 there"
            )
    n = size if is_side else layout.side(size)
    layout = layout if moves else tables.computed(layout, found)
    order = ""
    if isinstance(layout, Explicit):
        order = layout.name
        ORDERS[order] = layout
    return Facts(text(tables.as_rows(layout)), str(found), n, order)


ORDERS: dict[str, Explicit] = {}


def text(layout: Layout) -> str:
    """A layout as text that `layout_of` reads: operators of torch take no other objects."""
    scales = f"{layout.diagonal_scale!r} {layout.offdiagonal_scale!r}"
    return f"{layout.triangle} {layout.traversal} {layout.diagonal} {scales}"


# The compiler asks for single facts: it does not look into a `Layout` that it is given.


@torch.compiler.assume_constant_result
def implied(words: str) -> int | None:
    """The number on a diagonal that is not stored."""
    return layout_of(words).implied


@torch.compiler.assume_constant_result
def triangle(words: str) -> str:
    """The triangle whose numbers are stored."""
    return layout_of(words).triangle


@torch.compiler.assume_constant_result
def scales(words: str) -> tuple[float, float]:
    """Off the diagonal, on it."""
    return layout_of(words).offdiagonal_scale, layout_of(words).diagonal_scale


@torch.compiler.assume_constant_result
def inverse(words: str) -> str:
    """The layout with inverse scales, linear."""
    return _related("inverse", words)


@torch.compiler.assume_constant_result
def dual(words: str) -> str:
    """The layout `tables.dual`."""
    return _related("dual", words)


@torch.compiler.assume_constant_result
def linear(words: str) -> str:
    """The layout `tables.linear`."""
    return _related("linear", words)


@torch.compiler.assume_constant_result
def plain_of(words: str) -> str:
    """The layout with its diagonal stored and nothing scaled."""
    return _related("plain_of", words)


@lru_cache(maxsize=512)
def _related(name: str, words: str) -> str:
    layout = layout_of(words)
    if name == "plain_of":
        return text(layout.plain)
    if name == "dual":
        return text(tables.dual(layout))
    return text(tables.linear(folding.inverse(layout) if name == "inverse" else layout))


@lru_cache(maxsize=512)
def layout_of(words: str) -> Layout:
    """The layout that `text` wrote."""
    triangle, traversal, diagonal, on, off = words.split()
    return Layout(
        triangle, traversal, diagonal=diagonal, diagonal_scale=float(on), offdiagonal_scale=float(off)
    )


REAL = {torch.complex64: torch.float32, torch.complex128: torch.float64}


def real(dtype: torch.dtype) -> torch.dtype:
    """That of the parts of a number."""
    return REAL.get(dtype, dtype)


def check_tensor(x: object, what: str) -> None:
    """Refuse what is no dense tensor of a dtype that vech knows."""
    if not isinstance(x, Tensor):
        name = f"{type(x).__module__}.{type(x).__name__}".removeprefix("builtins.")
        raise TypeError(f"{what} must be a torch.Tensor, not {name}: pass torch.as_tensor({what})")
    if x.layout is not torch.strided:
        raise TypeError(f"{what} is a tensor of layout {x.layout}: pass {what}.to_dense()")
    if x.dtype not in DTYPES:
        raise TypeError(f"{what} is {x.dtype}, and vech takes {NAMES}: convert it with .to() first")


def check_half(h: Tensor, what: str = "half") -> None:
    check_tensor(h, what)
    if not h.ndim:
        raise ValueError(f"{what} is a single number: a half is a vector, of shape (..., length)")


def check_numbers(h: Tensor, what: str = "half") -> None:
    """Refuse a half that cannot be computed with."""
    check_half(h, what)
    check_inexact(h, what)


def check_real(x: Tensor, what: str) -> None:
    """Refuse what is no tensor of real floating-point numbers."""
    check_tensor(x, what)
    if not x.is_floating_point():
        way_out = f"{what}.real" if x.is_complex() else f"{what}.float()"
        raise TypeError(f"{what} must hold real floating-point numbers, not {x.dtype}: {way_out}")


def check_constant(x: object, what: str) -> None:
    """Refuse a tensor whose gradient would be lost without a word."""
    if isinstance(x, Tensor) and x.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{what} requires a gradient, and gets none here: pass {what}.detach()")


def check_rows(x: Tensor, what: str) -> None:
    """Refuse what has no rows of real floating-point numbers."""
    check_real(x, what)
    if not x.ndim:
        raise ValueError(f"{what} is a single number, and must have rows, shape (..., n)")


def check_inexact(x: Tensor, what: str) -> None:
    if not (x.dtype.is_floating_point or x.dtype.is_complex):
        raise TypeError(
            f"{what} is {x.dtype}, and only floating and complex numbers compute: {what}.double()"
        )


def check_square(matrix: Tensor, what: str = "matrix") -> None:
    check_tensor(matrix, what)
    shape = tuple(matrix.shape)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(f"{what} has shape {shape}: its last two axes must be a square, (..., n, n)")


def check_together(a: Tensor, b: Tensor, first: str, second: str) -> None:
    """Refuse tensors of two devices or dtypes."""
    if a.device != b.device:
        raise ValueError(
            f"{first} is on {a.device} and {second} on {b.device}: move one, {second}.to({str(a.device)!r})"
        )
    if a.dtype != b.dtype:
        raise TypeError(
            f"{first} is {a.dtype} and {second} {b.dtype}: give both one dtype, {second}.to({a.dtype})"
        )


def check_metric(metric: object) -> None:
    one_of("metric", metric, METRICS)


def check_beside(h: Tensor, x: Tensor, n: int, name: str = "x") -> bool:
    """Whether x is a vector, or one for each half, rather than columns; refuses what does not fit."""
    check_tensor(x, name)
    check_together(h, x, "half", name)
    vector = bool(x.ndim == h.ndim)
    core = x.shape[-1] if vector else x.shape[-2] if x.ndim > 1 else -1
    if not x.ndim or core != n:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}, but beside a half of shape {tuple(h.shape)}, n = {n}, fits "
            f"(..., {n}) with as many axes as the half, or (..., {n}, m)"
        )
    return vector


def check_batches(h: Tensor, x: Tensor, name: str) -> tuple[int, ...]:
    """The batch of a half and columns together."""
    a, b = tuple(h.shape[:-1]), tuple(x.shape[:-2])
    ends = zip(reversed(a), reversed(b), strict=False)
    if any(p != q and p != 1 and q != 1 for p, q in ends):
        raise ValueError(
            f"half has the batch {a} and {name} {b}: they must be equal, or 1 or missing where they differ"
        )
    return tuple(torch.broadcast_shapes(a, b))


def check_factor(h: Tensor, X: Tensor, found: Facts) -> bool:
    """Whether X of a congruence is a diagonal; refuses what does not fit."""
    check_tensor(X, "X")
    check_together(h, X, "half", "X")
    diagonal, n = bool(X.ndim == h.ndim), found.n
    if not X.ndim or X.shape[-1] != n:
        raise ValueError(
            f"X has shape {tuple(X.shape)}, but beside a half of shape {tuple(h.shape)}, n = {n}, fits "
            f"(..., m, {n}), or (..., {n}) with as many axes as the half for a diagonal"
        )
    if not diagonal or implied(found.layout) == 1:
        check_diagonal(found, "X S X^H")
    return diagonal


def check_diagonal(found: Facts, what: str) -> None:
    if implied(found.layout) is not None:
        instead = layout_of(plain_of(found.layout)).name
        raise ValueError(f"{what} has a diagonal, which this layout does not store: take {instead!r}")


def check_selfadjoint(found: Facts, dtype: torch.dtype, task: str) -> None:
    """Refuse kinds whose eigenvalues are not real."""
    fits = "hermitian" if dtype.is_complex else "symmetric"
    if found.kind != fits:
        raise TypeError(f"{task} needs a matrix of kind {fits!r}, not a {found.kind} one of {dtype}")


FINITE = sys.float_info.max


def as_number(what: str, value: Any, low: float, high: float, *, open_below: bool = False) -> float:
    """A number within these limits; of a tensor or an array without axes, what it holds."""
    check_constant(value, what)
    number = value.item() if getattr(value, "shape", None) == () else value
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{what} must be a real number, not {short(value)}")
    try:
        found = float(cast(float, number))
    except OverflowError:
        raise ValueError(f"{what} is beyond {FINITE:.3g}, the largest float") from None
    if not (low < found if open_below else low <= found) or not found <= high:
        limits = f"between {low:g} and {high:g}"
        if high >= FINITE:
            finite = "" if math.isinf(high) else "finite and "
            limits = finite + ("positive" if open_below else f"{low:g} or more")
        raise ValueError(f"{what} is {number}, and must be {limits}")
    return found


def check_flag(what: str, value: object) -> None:
    if not isinstance(value, int | np.bool):
        raise TypeError(f"{what} must be True or False, not {short(value)}")


def check_entries(state: object, names: Collection[str], of: str) -> None:
    """Refuse what no `state_dict` has given."""
    if not isinstance(state, Mapping):
        raise TypeError(f"the state of {of} must be a dict, as state_dict() gives it, not {short(state)}")
    missing = [name for name in names if name not in state]
    if missing:
        raise ValueError(
            f"the state of {of} has no {', '.join(map(repr, missing))} among {short(list(state))}: pass what "
            f"state_dict() gave"
        )


def check_shape(x: Tensor, shape: tuple[int, ...], what: str) -> None:
    """Refuse tensors of another shape than the only one that fits."""
    if tuple(x.shape) != shape:
        raise ValueError(f"{what} has shape {tuple(x.shape)}, and must have {shape}")
