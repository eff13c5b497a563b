"""Eigenvalues, and logarithms, exponentials and powers of halves, differentiable."""

from __future__ import annotations

from numbers import Real
from reprlib import repr as short
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vech.adapters.torch import halves, plain, spectra
from vech.adapters.torch.checks import check_diagonal, check_selfadjoint
from vech.adapters.torch.functions import is_forward, mapped, narrowed, saved_for_directions
from vech.arrays import is_finite
from vech.layouts.dialects import AnyLayout


class Eigen(NamedTuple):
    """Eigenvalues, ascending, shape (..., n), and eigenvectors as columns, (..., n, n)."""

    values: Tensor
    vectors: Tensor


def eigh(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Eigen:
    """Eigenvalues, ascending, and eigenvectors.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    values : Tensor, shape (..., n)
        Real.
    vectors : Tensor, shape (..., n, n)
        Columns, of norm 1.

    Raises
    ------
    ValueError, TypeError
        For NaN and infinity, a length that fits no n, skew and complex symmetric kinds, what is no tensor,
        and integers.

    Notes
    -----
    The full matrix is made, and LAPACK finds them. Gradients divide by differences of eigenvalues as those of
    ``torch.linalg.eigh`` do; where two are equal within n eps of the largest, the quotient is zero, so that
    nothing is infinite. The gradient of a function that hangs on the choice of vectors there has no meaning.

    Examples
    --------
    >>> import torch
    >>> values, vectors = eigh(torch.tensor([2.0, 1.0, 2.0]))
    >>> values
    tensor([1., 3.])
    """
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, "eigh")
    decomposed = _ForwardEigh.apply if is_forward() else spectra.eigh
    return Eigen(*narrowed(decomposed, h, found.layout, found.kind))


def log(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the logarithm of a positive definite matrix.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    layout : str or layout
        Which number is where, in `h` and in the result; it must store the diagonal.
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
        If an eigenvalue is not positive; which matrix of a batch is said.
    ValueError, TypeError
        For NaN and infinity, a length that fits no n, skew and complex symmetric kinds, what is no tensor,
        and integers.

    Notes
    -----
    The full matrix is made, and LAPACK finds its eigenvalues. Saved is `h`; its gradient, exact and finite
    also where eigenvalues are equal, finds them again: divided differences, after J. L. Daleckii & S. G.
    Krein (see N. Higham, "Functions of Matrices", SIAM 2008, theorem 3.11).

    Examples
    --------
    >>> import torch
    >>> log(torch.tensor([1.0, 0.0, 4.0]))
    tensor([0.0000, 0.0000, 1.3863])
    """
    return _through(h, layout, kind, metric, "log", 0.0)


def exp(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the exponential.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    layout : str or layout
        Which number is where, in `h` and in the result; it must store the diagonal.
    kind : {"symmetric", "hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., length)

    Raises
    ------
    ValueError, TypeError
        For NaN and infinity, a length that fits no n, skew and complex symmetric kinds, what is no tensor,
        and integers.

    Notes
    -----
    The full matrix is made, and LAPACK finds its eigenvalues. Saved is `h`; its gradient, exact and finite
    also where eigenvalues are equal, finds them again: divided differences, after J. L. Daleckii & S. G.
    Krein (see N. Higham, "Functions of Matrices", SIAM 2008, theorem 3.11).

    Examples
    --------
    >>> import torch
    >>> exp(torch.tensor([0.0, 0.0, 1.0]))
    tensor([1.0000, 0.0000, 2.7183])
    """
    return _through(h, layout, kind, metric, "exp", 0.0)


def power(
    h: Tensor,
    p: float,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The half of S^p of a positive definite matrix.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch, of positive definite matrices.
    p : real number
        The exponent; no gradient goes to it.
    layout : str or layout
        Which number is where, in `h` and in the result; it must store the diagonal.
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
        If an eigenvalue is not positive, unless p is 0, 1, 2, ...; which matrix of a batch is said.
    ValueError, TypeError
        For NaN and infinity, a length that fits no n, skew and complex symmetric kinds, what is no tensor,
        and integers.

    Notes
    -----
    The full matrix is made, and LAPACK finds its eigenvalues. Saved is `h`; its gradient, exact and finite
    also where eigenvalues are equal, finds them again: divided differences, after J. L. Daleckii & S. G.
    Krein (see N. Higham, "Functions of Matrices", SIAM 2008, theorem 3.11).

    Examples
    --------
    >>> import torch
    >>> power(torch.tensor([4.0, 0.0, 9.0]), -0.5)
    tensor([0.5000, 0.0000, 0.3333])
    """
    if isinstance(p, bool | Tensor) or not isinstance(p, Real) or not is_finite(p):
        raise TypeError(f"p must be a finite real number, and is {short(p)}: the exponent is no tensor")
    return _through(h, layout, kind, metric, "power", float(p))


def _through(
    h: Tensor, layout: str | AnyLayout, kind: str | None, metric: str, name: str, p: float
) -> Tensor:
    h, found = halves.entered(h, layout, kind, metric)
    check_selfadjoint(found, h.dtype, name)
    check_diagonal(found, "the result")
    function = _ForwardFunction.apply if is_forward() else spectra.function
    half: Tensor = narrowed(function, h, found.layout, found.kind, name, p)
    return halves.ordered(half, found)


# ---- where derivatives run forward -------------------------------------------------------------------------


class _ForwardEigh(torch.autograd.Function):
    """Eigenvalues with a derivative forward; torch's own is infinite where two are equal."""

    @staticmethod
    def forward(h: Tensor, layout: str, kind: str) -> Any:
        return spectra.eigh(h, layout, kind)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _, ctx.layout, ctx.kind = inputs
        ctx.save_for_backward(*output)
        ctx.save_for_forward(*output)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return mapped(_ForwardEigh.apply, info, in_dims, *inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor, g_vectors: Tensor) -> tuple[Tensor, None, None]:
        values, vectors = ctx.saved_tensors
        whole = spectra.by_matrix(values, vectors, g, g_vectors)
        return plain.adjoint_fold(whole, ctx.layout, ctx.kind), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, layout: None, kind: None) -> tuple[Tensor, Tensor]:
        with saved_for_directions(ctx) as (values, vectors):
            inner = vectors.mH @ plain.direction(tangent, ctx.layout, ctx.kind) @ vectors
            return inner.diagonal(dim1=-2, dim2=-1).real, vectors @ (inner * spectra.gaps(values))


class _ForwardFunction(torch.autograd.Function):
    """f(S) with a derivative forward, by divided differences."""

    @staticmethod
    def forward(h: Tensor, layout: str, kind: str, name: str, p: float) -> Any:
        return spectra.function(h, layout, kind, name, p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])
        ctx.rest = inputs[1:]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return mapped(_ForwardFunction.apply, info, in_dims, *inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        (h,) = ctx.saved_tensors
        before, after = spectra.weights(h, ctx.rest[0])
        return after * _ForwardDerivative.apply(h, before * g, *ctx.rest), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Any:
        with saved_for_directions(ctx) as (h,):
            return _ForwardDerivative.apply(h, tangent, *ctx.rest)


class _ForwardDerivative(torch.autograd.Function):
    """The derivative of f(S) along a direction, with a derivative forward."""

    @staticmethod
    def forward(h: Tensor, direction: Tensor, layout: str, kind: str, name: str, p: float) -> Any:
        return spectra.derivative(h, direction, layout, kind, name, p)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.rest = inputs[2:]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *inputs: Any) -> tuple[Any, Any]:
        return mapped(_ForwardDerivative.apply, info, in_dims, *inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        h, direction = ctx.saved_tensors
        before, after = spectra.weights(h, ctx.rest[0])
        by_h = after * _second_derivative(h, direction, before * g, *ctx.rest)
        by_direction = after * _ForwardDerivative.apply(h, before * g, *ctx.rest)
        return by_h, by_direction, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, along_h: Tensor, along_direction: Tensor, *_: None) -> Tensor:
        with saved_for_directions(ctx) as (h, direction):
            by_h = _second_derivative(h, direction, along_h, *ctx.rest)
            by_direction: Tensor = _ForwardDerivative.apply(h, along_direction, *ctx.rest)
            return by_h + by_direction


def _second_derivative(
    h: Tensor, one: Tensor, other: Tensor, layout: str, kind: str, name: str, p: float
) -> Tensor:
    """That of `spectra`, of what is differentiated forward."""
    values, vectors = _ForwardEigh.apply(h, layout, kind)
    a, b = (vectors.mH @ plain.direction(x, layout, kind) @ vectors for x in (one, other))
    inner = spectra.second_differences(values, a, b, name, p)
    found = plain.settled_full(vectors @ inner @ vectors.mH, kind)
    return plain.take(found, layout, values.shape[-1])
