"""Functions of other optimizers' libraries, by their names and signatures: halves by vech's kernels.

Each stands in for its original, as in ``heavyball.utils.triu_to_line = dropin.triu_to_line``. The originals
gather and scatter by index tables; these read one triangle, unchecked, as they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as short
from typing import Any

import torch  # noqa: F401  (for the examples)
from torch import Tensor

from vech.adapters.torch.checks import check_tensor
from vech.adapters.torch.moves import expand, pack
from vech.layouts.layout import as_integer

UPPER, LOWER = "numpy-triu", "numpy-tril"  # by rows

__all__ = [
    "fill_triu",
    "get_triu",
    "line_to_triu",
    "matrix_to_tril",
    "pack_upper_triangular",
    "tril_to_matrix",
    "triu_to_line",
    "unpack_upper_triangular",
]


def __dir__() -> list[str]:
    return __all__


def pack_upper_triangular(matrix: Tensor) -> Tensor:
    """Meta's distributed Shampoo: the upper triangle by rows.

    Parameters
    ----------
    matrix : tensor, shape (d, d)
        Symmetric; the lower triangle is not read.

    Returns
    -------
    tensor, shape (d(d+1)/2,)

    Raises
    ------
    ValueError
        For what is not square.

    Notes
    -----
    Layout "numpy-triu". facebookresearch/optimizers, distributed_shampoo/utils/shampoo_utils.py.

    Examples
    --------
    >>> pack_upper_triangular(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    return pack(matrix, UPPER, use="upper")


def unpack_upper_triangular(packed: Tensor, dim: int) -> Tensor:
    """Meta's distributed Shampoo: the symmetric matrix of its upper triangle by rows.

    Parameters
    ----------
    packed : tensor, shape (dim(dim+1)/2,)
        What `pack_upper_triangular` gives.
    dim : int
        Side of the matrix.

    Returns
    -------
    tensor, shape (dim, dim)

    Raises
    ------
    ValueError
        For a half of another side.

    Examples
    --------
    >>> unpack_upper_triangular(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([[1., 2.],
            [2., 3.]])
    """
    return _of_side(expand(packed, UPPER), as_integer("dim", dim))


def triu_to_line(Q_list: Sequence[Tensor]) -> list[tuple[tuple[int, ...] | None, Tensor]]:  # noqa: N803  (its own name)
    """HeavyBall: the triangular factors of PSGD as lines, and all that is no matrix as it is.

    Parameters
    ----------
    Q_list : sequence of tensors
        Of three axes or more, (..., d, d), upper triangular; of fewer: left alone.

    Returns
    -------
    list of (shape or None, tensor)
        A line has shape (..., d(d+1)/2).

    Raises
    ------
    ValueError
        For what is not square.

    Notes
    -----
    Layout "numpy-triu", kind "triangular". heavyball 3.2.1, utils.py.

    Examples
    --------
    >>> triu_to_line([torch.ones(2), torch.tensor([[[1.0, 2.0], [0.0, 3.0]]])])
    [(None, tensor([1., 1.])), ((1, 2, 2), tensor([[1., 2., 3.]]))]
    """
    for q in _listed("Q_list", Q_list, "tensors"):
        check_tensor(q, "q")
    return [
        (None, q) if q.dim() < 3 else (tuple(q.shape), pack(q, UPPER, kind="triangular", use="upper"))
        for q in Q_list
    ]


def line_to_triu(Q_list: Sequence[tuple[Sequence[int] | None, Tensor]]) -> list[Tensor]:  # noqa: N803  (its own name)
    """HeavyBall: the upper triangular matrices of `triu_to_line`.

    Parameters
    ----------
    Q_list : sequence of (shape or None, tensor)
        What `triu_to_line` gives.

    Returns
    -------
    list of tensors
        Zeros below the diagonal.

    Raises
    ------
    ValueError
        For a line of another side than its shape says.

    Examples
    --------
    >>> line_to_triu([((1, 2, 2), torch.tensor([[1.0, 2.0, 3.0]]))])
    [tensor([[[1., 2.],
             [0., 3.]]])]
    """
    for pair in _listed("Q_list", Q_list, "pairs (shape or None, tensor)"):
        shape, q = _listed("an entry of Q_list", pair, "values, (shape or None, tensor)", 2)
        check_tensor(q, "q")
        if shape is not None and not _listed("shape", shape, "integers"):
            raise ValueError("shape is empty, and a matrix has shape (..., d, d)")
    return [
        q if shape is None else _of_side(expand(q, UPPER, kind="triangular"), shape[-1])
        for shape, q in Q_list
    ]


def get_triu(tensor: Tensor) -> Tensor:
    """kfac-pytorch: the upper triangle by rows of a factor, which is sent to other processes.

    Parameters
    ----------
    tensor : tensor, shape (n, n)
        Symmetric; the lower triangle is not read.

    Returns
    -------
    tensor, shape (n(n+1)/2,)

    Raises
    ------
    ValueError
        For what is not square. (The original takes more columns than rows too; its callers do not.)

    Notes
    -----
    Layout "numpy-triu". gpauloski/kfac-pytorch, kfac/distributed.py.

    Examples
    --------
    >>> get_triu(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    return pack(tensor, UPPER, use="upper")


def fill_triu(shape: Sequence[int], triu_tensor: Tensor) -> Tensor:
    """kfac-pytorch: the symmetric matrix of `get_triu`.

    Parameters
    ----------
    shape : (int, int)
        Of the matrix.
    triu_tensor : tensor, shape (n(n+1)/2,)
        What `get_triu` gives.

    Returns
    -------
    tensor, shape (n, n)

    Raises
    ------
    ValueError
        For a half of another shape.

    Examples
    --------
    >>> fill_triu((2, 2), torch.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 2.],
            [2., 3.]])
    """
    rows, columns = (as_integer("shape", side) for side in _listed("shape", shape, "integers", 2))
    if rows != columns:
        raise ValueError(f"shape is {tuple(shape)}, and a symmetric matrix is square")
    return _of_side(expand(triu_tensor, UPPER), rows)


def matrix_to_tril(mat: Tensor) -> Tensor:
    """ASDL: the lower triangle by rows, as `SymMatrix` saves it.

    Parameters
    ----------
    mat : tensor, shape (n, n)
        Symmetric; the upper triangle is not read.

    Returns
    -------
    tensor, shape (n(n+1)/2,)

    Raises
    ------
    ValueError
        For what is not square.

    Notes
    -----
    Layout "numpy-tril". asdfghjkl 0.1a5, asdl/symmatrix.py.

    Examples
    --------
    >>> matrix_to_tril(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    tensor([1., 2., 3.])
    """
    return pack(mat, LOWER, use="lower")


def tril_to_matrix(tril: Tensor) -> Tensor:
    """ASDL: the symmetric matrix of its lower triangle by rows.

    Parameters
    ----------
    tril : tensor, shape (n(n+1)/2,)
        What `matrix_to_tril` gives.

    Returns
    -------
    tensor, shape (n, n)

    Raises
    ------
    ValueError
        For a length that no half has.

    Examples
    --------
    >>> tril_to_matrix(torch.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 2.],
            [2., 3.]])
    """
    return expand(tril, LOWER)


def _listed(what: str, given: Any, of: str, count: int | None = None) -> Sequence[Any]:
    """A list or tuple, of so many."""
    if not isinstance(given, list | tuple) or count not in (None, len(given)):
        many = "" if count is None else f"{count} "
        raise TypeError(f"{what} must be a list or tuple of {many}{of}, not {short(given)}")
    return given


def _of_side(matrix: Tensor, side: int) -> Tensor:
    if matrix.shape[-1] != side:
        raise ValueError(f"the half is of side {matrix.shape[-1]}, and a matrix of side {side} is asked for")
    return matrix
