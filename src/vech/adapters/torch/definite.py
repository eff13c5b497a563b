"""Cholesky factors, solutions, inverses and determinants of positive definite halves, differentiable."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import halves
from vech.adapters.torch.checks import Facts, check_beside
from vech.layouts.dialects import AnyLayout


def cholesky(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the Cholesky factor: L of S = L L^H in lower layouts, L^H in upper ones."""
    h, found = halves.entered(h, layout, kind, metric)
    factor = _factor(h, found)
    factor = factor if found.layout.startswith("lower") else factor.mH
    triangular = found._replace(kind="triangular")
    return halves.ordered(halves.own_triangle(factor, triangular), found)


def solve(
    h: Tensor,
    b: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The solution x of S x = b for a vector or columns."""
    h, found = halves.entered(h, layout, kind, metric)
    vector = check_beside(h, b, found.n, "b")
    factor = _factor(h, found)
    x = torch.cholesky_solve(b[..., None] if vector else b, factor)
    return x[..., 0] if vector else x


def inverse(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The half of the inverse."""
    h, found = halves.entered(h, layout, kind, metric)
    found_inverse = torch.cholesky_inverse(_factor(h, found))
    return halves.ordered(halves.settled_triangle(found_inverse, found), found)


def logdet(
    h: Tensor, layout: str | AnyLayout = "vech", *, kind: str | None = None, metric: str = "packed"
) -> Tensor:
    """The logarithm of the determinant, shape (...)."""
    h, found = halves.entered(h, layout, kind, metric)
    return 2 * _factor(h, found).diagonal(dim1=-2, dim2=-1).real.log().sum(-1)


def _factor(h: Tensor, found: Facts) -> Any:
    return torch.linalg.cholesky(halves.full(h, found))
