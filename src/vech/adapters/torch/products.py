"""Products, forms and Gram matrices of halves, differentiable."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch import bilinear, halves, plain
from vech.adapters.torch.checks import (
    Facts,
    check_batches,
    check_beside,
    check_diagonal,
    check_factor,
    check_inexact,
    check_tensor,
    facts_of_side,
)
from vech.adapters.torch.functions import is_forward, narrowed
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
    """The product S x with a vector or with columns.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    x : Tensor, shape (..., n) or (..., n, m)
        Vectors where x has as many axes as `h`, else columns; batches broadcast. Of the dtype and on the
        device of `h`.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., n) or (..., n, m)
        In the dtype of both; of float16 and bfloat16 summed in float32 and rounded once.

    Raises
    ------
    ValueError, TypeError
        If lengths and shapes do not fit, for tensors of two devices or dtypes, and integers.

    Notes
    -----
    On the processor the half is read as it lies, by the kernels of `Packed.matmul`; of batches up to n = 48
    full matrices are made and multiplied together, elsewhere always. Saved are `h` and `x`. The gradient by
    `h` is half of ``g x^H + (g x^H)^H``, written once; that by `x` one more product.

    Examples
    --------
    >>> import torch
    >>> matmul(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, -1.0]))
    tensor([-1., -1.])
    """
    h, found = halves.entered(h, layout, kind, metric, settle=False)
    vector = check_beside(h, x, found.n)
    return _with_columns(h, x, vector, found, _product)


def quadratic(
    h: Tensor,
    x: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The quadratic form x^H S x of a vector or of each column.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    x : Tensor, shape (..., n) or (..., n, m)
        Vectors where x has as many axes as `h`, else columns; batches broadcast.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (...) or (..., m)
        Real of Hermitian matrices.

    Raises
    ------
    ValueError, TypeError
        If lengths and shapes do not fit, for tensors of two devices or dtypes, and integers.

    Notes
    -----
    Reads the half once, and its gradient writes one half and reads none: S x is saved, beside `h` and `x`.

    Examples
    --------
    >>> import torch
    >>> h = torch.tensor([2.0, 1.0, 3.0], requires_grad=True)
    >>> q = quadratic(h, torch.tensor([1.0, -1.0]))
    >>> q.backward(); q.item(), h.grad
    (3.0, tensor([ 1., -2.,  1.]))
    """
    h, found = halves.entered(h, layout, kind, metric, settle=False)
    vector = check_beside(h, x, found.n)
    return _with_columns(h, x, vector, found, _form)


def _product(h: Tensor, x: Tensor, found: Facts) -> Tensor:
    if not is_forward():
        product: Tensor = bilinear.matmul(h, x, found.layout, found.kind)
        return product
    return plain.settled_full(halves.full(h, found), found.kind) @ x


def _form(h: Tensor, x: Tensor, found: Facts) -> Tensor:
    if not is_forward():
        return bilinear.quadratic(h, x, found.layout, found.kind)[0]
    form = torch.linalg.vecdot(x, _product(h, x, found), dim=-2)
    return form.real if found.kind == Kind.HERMITIAN else form


def _with_columns(h: Tensor, x: Tensor, vector: bool, found: Facts, function: Any) -> Tensor:
    if is_forward():  # else operators see to narrow floats, which are kept as they are
        narrow: Tensor = narrowed(_broadcast, h, x, vector, found, function)
        return narrow
    return _broadcast(h, x, vector, found, function)


def _broadcast(h: Tensor, x: Tensor, vector: bool, found: Facts, function: Any) -> Tensor:
    """Of one half and many columns, all of them together; else of each half of the broadcast batch."""
    columns = x.unsqueeze(-1) if vector else x
    if h.shape[:-1] == columns.shape[:-2]:
        result = function(h, columns, found)
    elif h.ndim == 1:
        first = columns.movedim(-2, 0)
        result = function(h, first.flatten(1), found)
        result = result.unflatten(-1, first.shape[1:])
        result = result.movedim(0, -2) if result.ndim == columns.ndim else result
    else:
        batch = check_batches(h, columns, "x")
        result = function(h.expand(*batch, h.shape[-1]), columns.expand(*batch, *columns.shape[-2:]), found)
    return result.squeeze(-1) if vector else result


def congruence(
    h: Tensor,
    X: Tensor,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    metric: str = "packed",
) -> Tensor:
    """The half of X S X^H, in the same layout; of a vector d for X: D S D^H, where D has d on its diagonal.

    Parameters
    ----------
    h : Tensor, shape (..., length)
        One half or a batch.
    X : Tensor, shape (..., n) or (..., m, n)
        Diagonals where X has as many axes as `h`, else matrices; batches broadcast.
    layout : str or layout
        Which number is where, in `h` and in the result. It must store the diagonal where X is a matrix.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said. X^T takes
        the place of X^H for "symmetric" and "skew".
    metric : {"packed", "full"}
        Of the gradient by `h`: of the numbers in the half, or of the full matrix.

    Returns
    -------
    Tensor, shape (..., length of n or m)

    Raises
    ------
    ValueError, TypeError
        If lengths and shapes do not fit, for tensors of two devices or dtypes, and integers.

    Notes
    -----
    A matrix allocates S X^H, (n, m), and computes each number of the result once.

    Examples
    --------
    >>> import torch
    >>> congruence(torch.tensor([4.0, 3.0, 9.0]), torch.ones(1, 2))
    tensor([19.])
    """
    h, found = halves.entered(h, layout, kind, metric)
    diagonal = check_factor(h, X, found)
    check_batches(h, X[..., None] if diagonal else X, "X")
    aim = found if diagonal else facts_of_side(h.dtype, layout, kind, X.shape[-2])
    return halves.ordered(narrowed(_scaled if diagonal else _congruent, h, X, found, aim), aim)


def _congruent(h: Tensor, X: Tensor, found: Facts, aim: Facts) -> Tensor:
    right = X.mH if Kind(found.kind).conjugates else X.mT
    product = _with_columns(h, right, False, found, _product)  # S X^H, or S X^T
    batch = torch.broadcast_shapes(product.shape[:-2], X.shape[:-2])
    X, product = (y.expand(*batch, *y.shape[-2:]) for y in (X, product))
    return _triangle_of(X, product, aim)


def _scaled(h: Tensor, d: Tensor, found: Facts, aim: Facts) -> Tensor:
    """Each number times two of d."""
    where = (found.layout, found.n, h)
    row, column = (plain.table(name, *where) for name in ("rows", "columns"))
    right = d.conj() if Kind(found.kind).conjugates else d
    return h * d.index_select(-1, row) * right.index_select(-1, column)


def _triangle_of(a: Tensor, b: Tensor, found: Facts) -> Tensor:
    """The half of A B, known to be of its kind."""
    if not is_forward():
        half: Tensor = bilinear.outer(a, b.mH, found.layout, found.kind, True)
        return half
    half = narrowed(lambda a, b: halves.settled_triangle(a @ b, found), a, b)
    return half


def gram(X: Tensor, layout: str | AnyLayout = "vech") -> Tensor:
    """The half of X X^H, each product once.

    Parameters
    ----------
    X : Tensor, shape (..., n, k)
        One matrix or a batch, floating or complex.
    layout : str or layout
        Which number goes where. It must store the diagonal.

    Returns
    -------
    Tensor, shape (..., layout.length(n))
        Symmetric, or Hermitian where X is complex.

    Raises
    ------
    ValueError, TypeError
        For what is no matrix, a layout without its diagonal, what is no tensor, and integers.

    Notes
    -----
    Half of the products of ``X @ X.mH``, in blocks of 256 x 256, on the processor; elsewhere and of batches
    of small matrices the full product. Its gradient is one product of the half with X, and X is saved.

    Examples
    --------
    >>> import torch
    >>> gram(torch.tensor([[1.0, 2.0], [0.0, 3.0]]))
    tensor([5., 6., 9.])
    """
    check_tensor(X, "X")
    check_inexact(X, "X")
    if X.ndim < 2:
        raise ValueError(
            f"X has shape {tuple(X.shape)}, but a Gram matrix needs (..., n, k): a vector is X[:, None]"
        )
    kind = "hermitian" if X.dtype.is_complex else None
    aim = facts_of_side(X.dtype, layout, kind, X.shape[-2])
    check_diagonal(aim, "X X^H")
    return halves.ordered(_triangle_of(X, X.mH, aim), aim)
