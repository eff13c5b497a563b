"""Norms, inner products, and gradients in the metric of the half or of the full matrix."""

from __future__ import annotations

from reprlib import repr as short

import torch
from torch import Tensor

from vech.adapters.torch import plain, spectra
from vech.adapters.torch.checks import (
    Facts,
    check_batches,
    check_metric,
    check_numbers,
    check_together,
    facts,
    implied,
    real,
)
from vech.adapters.torch.functions import is_forward, narrowed
from vech.adapters.torch.halves import entered, full
from vech.layouts.dialects import AnyLayout

ORDS = ("fro", "max", "inf", 1, 2, float("inf"))


def to_metric(gradient: Tensor, layout: str | AnyLayout = "vech", metric: str = "full") -> Tensor:
    """The gradient with respect to a half in the other metric, as `vech.linalg.to_metric` gives it.

    Parameters
    ----------
    gradient : Tensor, shape (..., length)
        Derivatives of a number by those of a half: floating or complex.
    layout : str or layout
        Which number is where.
    metric : {"full", "packed"}
        "full": from "packed" to "full"; "packed": back.

    Returns
    -------
    Tensor, shape (..., length)

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, metric or layout are no names; for what is no tensor, and integers.

    Examples
    --------
    >>> import torch
    >>> to_metric(torch.tensor([1.0, 4.0, 1.0]))
    tensor([1., 2., 1.])
    """
    check_numbers(gradient, "gradient")
    check_metric(metric)
    found = facts(gradient, layout, "triangular", moves=True)
    weights = plain.metric_factors(gradient, found.layout, found.order, found.n)
    return gradient * weights if metric == "full" else gradient / weights


def norm(
    h: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    ord: str | float = "fro",
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """A norm of the full matrix, from the half.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    layout : str or layout
        Which number is where.
    ord : {"fro", "max", 1, inf, 2}
        As in `vech.linalg.norm`; 1, inf and 2 expand, and 2 takes singular values.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (...)
        Real. The gradient of "fro" at zero is zero.

    Raises
    ------
    ValueError, TypeError
        If the length fits no n, an argument is none of its choices; for what is no tensor, and integers.

    Examples
    --------
    >>> import torch
    >>> norm(torch.tensor([3.0, -4.0, 0.0]))
    tensor(6.4031)
    """
    if not isinstance(ord, str | int | float) or isinstance(ord, bool) or ord not in ORDS:
        raise ValueError(f"unknown ord {short(ord)}: choose from 'fro', 'max', 1, 2, inf")
    found_norm: Tensor = narrowed(_norm, *entered(h, layout, kind, metric), ord)
    return found_norm


def _norm(h: Tensor, found: Facts, ord: str | float) -> Tensor:
    if ord == "fro":
        scale = _largest(h)  # so that no square is 0 or infinite
        weights = _root_weights(h, found.layout, found.n)
        total = torch.linalg.vector_norm(h / scale[..., None] * weights, dim=-1) * scale
        if implied(found.layout) != 1:
            return total
        return torch.hypot(total, total.new_tensor(found.n).sqrt())
    if ord == "max":
        moduli = plain.unscaled(h, found.layout, found.n).abs()
        largest = moduli.amax(-1) if h.shape[-1] else moduli.sum(-1)
        return largest.clamp(min=float(implied(found.layout) or 0)) if found.n else largest
    if ord == 2 and found.n and not is_forward():
        largest_value: Tensor = spectra.largest_singular_value(h, found.layout, found.kind)
        return largest_value
    matrix = full(h, found)
    if found.n == 0:
        return matrix.abs().sum((-2, -1))
    return torch.linalg.matrix_norm(matrix, 2) if ord == 2 else matrix.abs().sum(-1).amax(-1)


def _largest(h: Tensor) -> Tensor:
    """Of each half, as a constant; 1 where that is nothing to divide by."""
    if not h.shape[-1]:
        return h.new_ones(h.shape[:-1], dtype=real(h.dtype))
    largest = h.detach().abs().amax(-1)
    return torch.where((largest > 0) & largest.isfinite(), largest, 1)


def _root_weights(h: Tensor, layout: str, n: int) -> Tensor:
    return plain.table("norm_weights", layout, n, h).sqrt().to(real(h.dtype))


def inner(
    a: Tensor,
    b: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The inner product of two full matrices, sum over i, j of conj(a_ij) b_ij, from their halves.

    Parameters
    ----------
    a, b : Tensor, shape (..., length)
        Halves of one side, layout and kind; batches broadcast.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradients: of the numbers in the halves, or of the full matrices.

    Returns
    -------
    Tensor, shape (...)
        Real if the matrices are Hermitian.

    Raises
    ------
    ValueError, TypeError
        If lengths differ or fit no n, for tensors of two devices or dtypes, and integers.

    Examples
    --------
    >>> import torch
    >>> inner(torch.tensor([1.0, 2.0, 3.0]), torch.ones(3))
    tensor(8.)
    """
    check_numbers(a, "a")
    check_numbers(b, "b")
    check_together(a, b, "a", "b")
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"a and b have halves of length {a.shape[-1]} and {b.shape[-1]}: both need one side")
    check_batches(a, b[..., None], "b")
    (a, found), (b, _) = entered(a, layout, kind, metric), entered(b, layout, kind, metric)
    product: Tensor = narrowed(_inner, a, b, found)
    return product


def _inner(a: Tensor, b: Tensor, found: Facts) -> Tensor:
    weights = plain.table("norm_weights", found.layout, found.n, a).to(real(a.dtype))
    if "herm" in found.kind:
        total = ((a.conj() * b).real * weights).sum(-1)
    else:
        total = (a.conj() * b * weights).sum(-1)
    return total + found.n if implied(found.layout) == 1 else total
