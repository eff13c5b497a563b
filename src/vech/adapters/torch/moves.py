"""pack, expand and convert of tensors, differentiable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from vech.adapters.torch import halves, operators, plain
from vech.adapters.torch.checks import check_half, check_square, facts, facts_of_side, triangle
from vech.adapters.torch.functions import is_forward
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.moves.judging import USES, check_tolerance


def pack(
    A: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
) -> Tensor:
    """The half of a full matrix, as `vech.pack`, differentiable.

    Parameters
    ----------
    A : Tensor, shape (..., n, n)
        One matrix or a batch; any strides.
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
    Tensor, shape (..., layout.length(n))
        In the dtype of `A`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `vech.pack`; TypeError also for what is no dense tensor of a dtype that vech knows.

    Notes
    -----
    "both" is differentiated as "mean": half of a gradient goes to either place. That of "lower" and "upper"
    goes where the number was read. Nothing is saved for it.

    Examples
    --------
    >>> import torch
    >>> pack(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    check_square(A)
    found = facts_of_side(A.dtype, layout, kind, A.shape[-1])
    one_of("use", use, USES)
    check_tolerance(use, tolerance)
    own = triangle(found.layout)
    if found.kind == Kind.TRIANGULAR and use not in ("both", own):
        raise ValueError(
            f"use={use!r} takes numbers from the triangle that kind='triangular' and {own!r} make zero"
        )
    words, limit = (found.layout, found.kind), -1.0 if tolerance is None else float(tolerance)
    half = _moved(
        A,
        lambda A: operators.pack(A, *words, use, limit),
        lambda A: plain.pack(A, *words, found.n, use, tolerance),
        lambda tangent: plain.pack_along(tangent, *words, found.n, use),
    )
    return halves.ordered(half, found)


def expand(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The full matrix of a half, as `vech.expand`, differentiable.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch; any strides.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., n, n)
        In the dtype of `h`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `vech.expand`; TypeError also for what is no dense tensor of a dtype that vech knows.

    Notes
    -----
    Nothing is saved for the gradient, ``(G_ij + mirror(G_ji)) / scale`` off the diagonal.

    Examples
    --------
    >>> import torch
    >>> h = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> expand(h).sum().backward()
    >>> h.grad
    tensor([1., 2., 1.])
    """
    check_half(h)
    found = facts(h, layout, kind, moves=True)
    return halves.full(halves.by_rows(halves.in_metric(h, metric, found), found), found, loud=True)


def convert(
    h: Tensor,
    source: str | AnyLayout,
    target: str | AnyLayout,
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The same matrix in another layout, as `vech.convert`, differentiable.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch in layout `source`; any strides.
    source, target : str or layout
        The layout that `h` has, and the one wanted.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., target.length(n))
        In the dtype of `h`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `vech.convert`; TypeError also for what is no dense tensor of a dtype that vech knows.

    Examples
    --------
    >>> import torch
    >>> convert(torch.arange(6.0), "vech", "numpy-tril")
    tensor([0., 1., 3., 2., 4., 5.])
    """
    check_half(h)
    found = facts(h, source, kind, moves=True)
    aim = facts_of_side(h.dtype, target, kind, found.n)
    h = halves.by_rows(halves.in_metric(h, metric, found), found)
    rest = (found.layout, aim.layout, found.kind)
    half = _moved(
        h,
        lambda h: operators.convert(h, *rest, True),
        lambda h: plain.convert(h, *rest, found.n),
        lambda tangent: plain.convert_along(tangent, *rest, found.n),
    )
    return halves.ordered(half, aim)


# ---- where derivatives run forward -------------------------------------------------------------------------


Move = Callable[[Tensor], Tensor]


def _moved(x: Tensor, by_operator: Move, by_tables: Move, along: Move) -> Tensor:
    """What an operator gives; `along`, linear and of plain operations, is its derivative forward."""
    if not is_forward():
        return by_operator(x)
    if torch.compiler.is_compiling():  # which knows no functions of autograd there
        return by_tables(x)
    half: Tensor = _ForwardMove.apply(x, by_operator, along)
    return half


class _ForwardMove(torch.autograd.Function):
    """A move by its operator, which reads numbers to judge them."""

    @staticmethod
    def forward(x: Tensor, move: Move, along: Move) -> Tensor:
        return move(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.shape, ctx.along = inputs[0].shape, inputs[2]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *rest: Any) -> tuple[Any, int]:
        return _ForwardMove.apply(x.movedim(in_dims[0], 0), *rest), 0

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        _, adjoint = torch.func.vjp(ctx.along, g.new_zeros(ctx.shape))
        return adjoint(g)[0], None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Any:
        with forward_ad._set_fwd_grad_enabled(True):  # for directions farther out
            return ctx.along(tangent)
