"""Products, forms and Gram matrices of halves, differentiable."""

from __future__ import annotations

from torch import Tensor

from vech.adapters.torch import halves
from vech.adapters.torch.checks import check_beside, check_factor, check_inexact, check_tensor, facts_of_side
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind


def matmul(
    h: Tensor,
    x: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The product of the full matrix with a vector or with columns."""
    h, found = halves.entered(h, layout, kind, metric)
    vector = check_beside(h, x, found.n)
    matrix = halves.full(h, found)
    return (matrix @ x[..., None])[..., 0] if vector else matrix @ x


def quadratic(
    h: Tensor,
    x: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The quadratic form x^H S x, of a vector or of each column."""
    h, found = halves.entered(h, layout, kind, metric)
    vector = check_beside(h, x, found.n)
    columns = x[..., None] if vector else x
    total = (columns.conj() * (halves.full(h, found) @ columns)).sum(-2)
    total = total.real if found.kind == Kind.HERMITIAN else total
    return total[..., 0] if vector else total


def congruence(
    h: Tensor,
    X: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The half of X S X^H (X^T where the kind does not conjugate), shape (..., length of m)."""
    h, found = halves.entered(h, layout, kind, metric)
    check_factor(h, X, found.n)
    matrix = halves.full(h, found)
    right = X.mH if Kind(found.kind).conjugates else X.mT
    aim = facts_of_side(h.dtype, layout, kind, X.shape[-2])
    product = X @ matrix @ right
    return halves.ordered(halves.settled_triangle(product, aim), aim)


def gram(X: Tensor, layout: str | AnyLayout = "vech") -> Tensor:
    """The half of X X^H, X of shape (..., n, k)."""
    check_tensor(X, "X")
    check_inexact(X, "X")
    if X.ndim < 2:
        raise ValueError(
            f"X has shape {tuple(X.shape)}: a Gram matrix needs (..., n, k), a vector X[:, None]"
        )
    kind = "hermitian" if X.dtype.is_complex else None
    aim = facts_of_side(X.dtype, layout, kind, X.shape[-2])
    return halves.ordered(halves.settled_triangle(X @ X.mH, aim), aim)
