"""Eigenvalues, and logarithms, exponentials and powers of halves, differentiable."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vech.adapters.torch import halves
from vech.adapters.torch.checks import Facts
from vech.layouts.dialects import AnyLayout


class Eigen(NamedTuple):
    """Eigenvalues, ascending, and eigenvectors as columns."""

    values: Tensor
    vectors: Tensor


def eigh(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Eigen:
    """Eigenvalues, ascending, shape (..., n), and eigenvectors, (..., n, n)."""
    h, found = halves.entered(h, layout, kind, metric)
    values, vectors = torch.linalg.eigh(halves.full(h, found))
    return Eigen(values, vectors)


def log(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the logarithm of a positive definite matrix."""
    h, found = halves.entered(h, layout, kind, metric)
    return _through(h, found, torch.log)


def exp(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the exponential."""
    h, found = halves.entered(h, layout, kind, metric)
    return _through(h, found, torch.exp)


def power(
    h: Tensor,
    p: float,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The half of S^p of a positive definite matrix."""
    h, found = halves.entered(h, layout, kind, metric)
    return _through(h, found, lambda values: values**p)


def _through(h: Tensor, found: Facts, function: Any) -> Tensor:
    values, vectors = torch.linalg.eigh(halves.full(h, found))
    result = (vectors * function(values)[..., None, :]) @ vectors.mH
    return halves.ordered(halves.settled_triangle(result, found), found)
