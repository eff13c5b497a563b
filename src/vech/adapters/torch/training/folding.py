"""Normalisations folded into a matrix: D A D, by the scales of a store."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vech.adapters.torch.checks import check_constant, check_half, check_real
from vech.adapters.torch.training.places import as_packed
from vech.layouts.dialects import AnyLayout
from vech.store import Store


class Folded(NamedTuple):
    """``norm(x)' A norm(x)`` as ``(x - centre)' matrix (x - centre)``.

    Attributes
    ----------
    matrix : Store
        D A D.
    centre : tensor, shape (n,)
        What is subtracted from x; of a normalisation of each row by itself, from the row once that has mean 0
        and variance 1.
    """

    matrix: Store
    centre: Tensor


def fold(A: Any, norm: torch.nn.Module, layout: str | AnyLayout = "vech") -> Folded:
    """A normalisation on both sides of a symmetric matrix, folded into the scales of that matrix.

    Parameters
    ----------
    A : Store, or tensor, shape (length,)
        A quantized matrix, any other store, or a half.
    norm : torch.nn.BatchNorm1d, LayerNorm or RMSNorm
        With n features. Of `BatchNorm1d` what it does after training: means and variances that it keeps; of
        the other two the weight and bias behind the normalisation of each row by itself.
    layout : str or layout
        Of the half.

    Returns
    -------
    Folded
        ``matrix, centre``. Of a `vech.Quantized` with two-sided scales the codes are shared and nothing is
        rounded again.

    Raises
    ------
    TypeError
        For another module, and for a `BatchNorm1d` that keeps no means.
    ValueError
        For another number of features, for a feature of weight 0 whose bias is not 0, and a half that
        requires a gradient.

    Notes
    -----
    With ``norm(x) = d x + b``, b being the bias less d times the mean, ``norm(x)' A norm(x)`` is
    ``(x - c)' D A D (x - c)`` with ``c = -b / d``, and ``D A norm(x)``, its gradient, ``D A D (x - c)``: what
    folding into the rows of a weight is for linear layers is for a symmetric matrix a congruence by a
    diagonal one.

    Examples
    --------
    >>> norm = torch.nn.LayerNorm(2)
    >>> _ = norm.weight.data.copy_(torch.tensor([1.0, 3.0]))
    >>> fold(torch.tensor([2.0, 1.0, 4.0]), norm).matrix.expand()
    array([[ 2.,  3.],
           [ 3., 36.]], dtype=float32)
    """
    if not isinstance(A, Store):
        check_half(A, "A")
        check_real(A, "A")
        check_constant(A, "A")
    store = A if isinstance(A, Store) else as_packed(A, layout)
    d, b = _affine(norm)
    if d.shape != (store.n,):
        raise ValueError(f"norm has {d.numel()} features, and the matrix side {store.n}: they must be equal")
    lost = (d == 0) & (b != 0)
    if lost.any():
        k = int(lost.nonzero()[0])
        raise ValueError(
            f"feature {k} of norm has weight 0 and is {b[k]:g} for every x, which D A D cannot say: "
            f"give it a weight, or a bias of 0"
        )
    return Folded(store.scale(d.cpu().numpy().astype(store.dtype)), torch.where(d == 0, 0, -b / d))


def _affine(norm: torch.nn.Module) -> tuple[Tensor, Tensor]:
    """d and b of ``norm(x) = d x + b``, in double."""
    kinds = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.LayerNorm, torch.nn.RMSNorm)
    if not isinstance(norm, kinds):
        raise TypeError(f"norm must be a BatchNorm1d, LayerNorm or RMSNorm, not {type(norm).__name__}")
    if not isinstance(norm, kinds[0]):
        n = norm.normalized_shape[-1]
        return _double(norm.weight, torch.ones(n)), _double(getattr(norm, "bias", None), torch.zeros(n))
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise TypeError(
            "norm keeps no means and variances, so it differs from batch to batch: "
            "make it with track_running_stats=True"
        )
    d = _double(norm.weight, torch.ones_like(mean)) * (variance.double() + norm.eps).rsqrt()
    return d, _double(norm.bias, torch.zeros_like(mean)) - d * mean.double()


def _double(x: Tensor | None, otherwise: Tensor) -> Tensor:
    return (otherwise if x is None else x.detach()).double()
