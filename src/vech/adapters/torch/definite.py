"""Cholesky factors, solutions, inverses and determinants of positive definite halves, differentiable."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import factored, halves, operators, plain
from vech.adapters.torch.checks import (
    Facts,
    check_batches,
    check_beside,
    check_diagonal,
    check_selfadjoint,
    plain_of,
)
from vech.adapters.torch.functions import is_forward, mapped, narrowed, saved_for_directions
from vech.layouts.dialects import AnyLayout


def cholesky(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the Cholesky factor: L of S = L L^H in lower layouts, L^H in upper ones.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    layout : str or layout
        Which number is where, in `h` and in the factor.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., length)
        ``expand(factor, layout, kind="triangular")`` is the factor in full.

    Raises
    ------
    torch.linalg.LinAlgError
        If a matrix is not positive definite; which one of a batch is said.
    ValueError, TypeError
        For NaN and infinity, lengths that do not fit, skew and complex symmetric kinds, what is no
        tensor, and integers.

    Notes
    -----
    The full matrix is made and factored by LAPACK, as is the gradient by I. Murray's formula (arXiv
    1602.07527); saved is the half of the factor.

    Examples
    --------
    >>> import torch
    >>> cholesky(torch.tensor([4.0, 2.0, 5.0]))
    tensor([2., 1., 2.])
    """
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, "cholesky")
    check_diagonal(found, "a factor")
    return halves.ordered(narrowed(_cholesky, h, found), found)


def _cholesky(h: Tensor, found: Facts) -> Tensor:
    if not is_forward():
        half: Tensor = factored.cholesky(h, found.layout, found.kind, found.layout)
        return half
    L = _factor(h, found)
    return plain.take(L if found.layout.startswith("lower") else L.mH, found.layout, found.n)


def solve(
    h: Tensor,
    b: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The solution x of S x = b for a vector or columns.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    b : Tensor, shape (..., n) or (..., n, m)
        Right sides: vectors where b has as many axes as `h`, else columns; batches broadcast.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, of the broadcast shape of b

    Raises
    ------
    torch.linalg.LinAlgError
        If a matrix is not positive definite; which one of a batch is said.
    ValueError, TypeError
        For NaN and infinity, lengths and shapes that do not fit, skew and complex symmetric kinds, what is no
        tensor, and integers.

    Notes
    -----
    Factored once, by `cholesky`. Saved are `h`, the half of the factor, and x; the gradient by b is one more
    solution, that by `h` half of ``-(g x^H + x g^H)``.

    Examples
    --------
    >>> import torch
    >>> solve(torch.tensor([4.0, 2.0, 5.0]), torch.tensor([8.0, 12.0]))
    tensor([1., 2.])
    """
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, "solve")
    vector = check_beside(h, b, found.n, "b")
    x: Tensor = narrowed(_broadcast, h, b[..., None] if vector else b, found)
    return x[..., 0] if vector else x


def _broadcast(h: Tensor, b: Tensor, found: Facts) -> Tensor:
    if h.ndim == 1 and b.ndim > 2:
        first = b.movedim(-2, 0)
        return _solved(h, first.flatten(1), found).unflatten(-1, first.shape[1:]).movedim(0, -2)
    batch = check_batches(h, b, "b")
    return _solved(h.expand(*batch, -1), b.expand(*batch, *b.shape[-2:]), found)


def _solved(h: Tensor, b: Tensor, found: Facts) -> Tensor:
    if is_forward():
        return torch.cholesky_solve(b, _factor(h, found))
    x: Tensor = factored.solve(h, b, _half_factor(h, found), found.layout, found.kind)
    return x


def inverse(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the inverse.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    layout : str or layout
        Which number is where, in `h` and in the result.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., length)

    Raises
    ------
    torch.linalg.LinAlgError
        If a matrix is not positive definite; which one of a batch is said.
    ValueError, TypeError
        For NaN and infinity, lengths that do not fit, skew and complex symmetric kinds, what is no
        tensor, and integers.

    Notes
    -----
    By `cholesky`; saved is the half of the inverse.

    Examples
    --------
    >>> import torch
    >>> inverse(torch.tensor([4.0, 2.0, 2.0]))
    tensor([ 0.5000, -0.5000,  1.0000])
    """
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, "inverse")
    check_diagonal(found, "an inverse")
    return halves.ordered(narrowed(_inverse, h, found), found)


def _inverse(h: Tensor, found: Facts) -> Tensor:
    if is_forward():
        factor = _factor(h, found)  # torch's own derivative of cholesky_inverse is wrong
        eye = torch.eye(found.n, dtype=h.dtype, device=h.device)
        return halves.settled_triangle(torch.cholesky_solve(eye, factor), found)
    half: Tensor = factored.inverse(h, _half_factor(h, found), found.layout, found.kind)
    if found.layout != (own := plain_of(found.layout)):
        half = operators.convert(half, own, found.layout, found.kind, True)
    return half


def logdet(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The logarithm of the determinant.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (...)
        Real.

    Raises
    ------
    torch.linalg.LinAlgError
        If a matrix is not positive definite; which one of a batch is said.
    ValueError, TypeError
        For NaN and infinity, lengths that do not fit, skew and complex symmetric kinds, what is no
        tensor, and integers.

    Notes
    -----
    By `cholesky`; saved are `h` and the half of the factor. The gradient is the inverse.

    Examples
    --------
    >>> import torch
    >>> logdet(torch.tensor([2.0, 0.0, 4.0]))
    tensor(2.0794)
    """
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, "logdet")
    determinant: Tensor = narrowed(_logdet, h, found)
    return determinant


def _logdet(h: Tensor, found: Facts) -> Tensor:
    if is_forward():
        return 2 * _factor(h, found).diagonal(dim1=-2, dim2=-1).real.log().sum(-1)
    determinant: Tensor = factored.logdet(h, _half_factor(h, found), found.layout, found.kind)
    return determinant


def _half_factor(h: Tensor, found: Facts) -> Tensor:
    """A help for what is differentiated by formulas of its own."""
    return factored.cholesky(h.detach(), found.layout, found.kind, plain_of(found.layout))


def _factor(h: Tensor, found: Facts) -> Tensor:
    """L, differentiated forward."""
    if torch.compiler.is_compiling():  # which knows no functions of autograd there
        return torch.linalg.cholesky(halves.full(h, found))
    L: Tensor = _ForwardCholesky.apply(h, found.layout, found.kind)
    return L


class _ForwardCholesky(torch.autograd.Function):
    """The lower factor in full, with a derivative forward; torch's own takes infinity."""

    @staticmethod
    def forward(h: Tensor, layout: str, kind: str) -> Tensor:
        return factored.lower(factored.cholesky(h, layout, kind, plain_of(layout)), plain_of(layout))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.layout, ctx.kind = inputs
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return mapped(_ForwardCholesky.apply, info, in_dims, *inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (L,) = ctx.saved_tensors
        return plain.adjoint_fold(factored.by_matrix(L, g), ctx.layout, ctx.kind), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, layout: None, kind: None) -> Tensor:
        with saved_for_directions(ctx) as (L,):
            return factored.along(L, plain.direction(tangent, ctx.layout, ctx.kind))
