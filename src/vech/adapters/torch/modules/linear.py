"""A linear layer with a symmetric weight, held and multiplied as its half."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from vech.adapters import tables
from vech.adapters.torch.checks import check_flag, check_tensor, check_together, facts_of_side
from vech.adapters.torch.halves import entered, ordered
from vech.adapters.torch.modules.loading import pack_entry
from vech.adapters.torch.moves import pack
from vech.adapters.torch.precision import as_it_is, autocast_dtype, wide
from vech.adapters.torch.products import matmul
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import as_integer, as_side


class SymmetricLinear(nn.Module):
    """A linear layer whose weight is symmetric: each number held once, no square made.

    Parameters
    ----------
    features : int
        What goes in and comes out.
    bias : bool
        Whether something is added.
    layout : str or layout
        Of the weight.
    kind : {"symmetric", "skew", "hermitian", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real numbers; for complex ones it must be said.
    metric : {"packed", "full"}
        Of the gradient of the weight: of the numbers in the half, or of the full matrix.
    device, dtype
        Of the parameters.

    Attributes
    ----------
    weight : Parameter, shape (length,)
        The half.
    bias : Parameter, shape (features,), or None

    Raises
    ------
    ValueError, TypeError
        For no number of features, unknown names, and complex numbers without their kind.

    Notes
    -----
    ``y = A x + b`` for each row x, as `torch.nn.Linear` with the weight A computes it; n^2 multiplications a
    row that read half the numbers. For the gradient the half and x are kept.

    At the beginning numbers are uniform between -1 / sqrt(features) and 1 / sqrt(features), as those of
    `torch.nn.Linear`. ``load_state_dict`` takes halves, and full matrices that are symmetric: by the check
    of `pack`.

    Under autocast the result has autocast's dtype, but the product is that of float32 numbers; with
    parameters in float16 or bfloat16 sums are in float32.

    Examples
    --------
    >>> layer = SymmetricLinear(64)
    >>> layer.weight.shape, layer(torch.zeros(5, 64)).shape
    (torch.Size([2080]), torch.Size([5, 64]))
    >>> plain = nn.Linear(2, 2)
    >>> _ = plain.weight.data.copy_(torch.tensor([[1.0, 2.0], [2.0, 3.0]]))
    >>> layer = SymmetricLinear(2)
    >>> layer.load_state_dict(plain.state_dict())
    <All keys matched successfully>
    >>> layer.weight.data
    tensor([1., 2., 3.])
    """

    def __init__(
        self,
        features: int,
        bias: bool = True,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        metric: str = "packed",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_flag("bias", bias)
        self.features, self.layout = as_side(as_integer("features", features)), layout
        self.kind, self.metric = kind, metric
        empty = partial(torch.empty, device=device, dtype=dtype)
        self.weight = nn.Parameter(empty(as_layout(layout).length(self.features)))
        self.bias = nn.Parameter(empty(self.features)) if bias else None
        facts_of_side(self.weight.dtype, layout, kind, self.features)  # refuses what has no half
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters again.

        Examples
        --------
        >>> layer = SymmetricLinear(16)
        >>> layer.reset_parameters()
        >>> bool(layer.weight.abs().max() <= 1 / 4)
        True
        """
        where = as_layout(self.layout)
        bound = 1 / math.sqrt(self.features) if self.features else 0.0
        with torch.no_grad():
            for parameter in self.parameters():
                real = torch.view_as_real(parameter) if parameter.is_complex() else parameter
                nn.init.uniform_(real, -bound, bound)
            on = torch.from_numpy(tables.on_diagonal(where, self.features)).to(self.weight.device)
            self.weight.mul_(torch.where(on, where.diagonal_scale, where.offdiagonal_scale))
            self.weight.copy_(ordered(*entered(self.weight, self.layout, self.kind, self.metric)))

    def forward(self, x: Tensor) -> Tensor:
        """A x + b for each row.

        Parameters
        ----------
        x : Tensor, shape (..., features)
            Rows, in the dtype of the parameters; under autocast in any.

        Returns
        -------
        Tensor, shape (..., features)
            In the dtype of `x`; under autocast in that of autocast.

        Raises
        ------
        ValueError, TypeError
            For rows of another length, on another device, or of another dtype without autocast.

        Examples
        --------
        >>> SymmetricLinear(3)(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 5, 3])
        """
        check_tensor(x, "x")
        if not x.ndim or x.shape[-1] != self.features:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, and the layer {self.features} features: "
                f"the last axis of x must be as long"
            )
        mixed = autocast_dtype(x)
        if mixed is None:
            check_together(self.weight, x, "weight", "x")
        rows = wide(x)
        columns = rows if x.ndim == 1 else rows.flatten(0, -2).mT
        with as_it_is(x):
            y = matmul(wide(self.weight), columns, self.layout, kind=self.kind, metric=self.metric)
            y = y if x.ndim == 1 else y.mT.unflatten(0, x.shape[:-1])
            y = y if self.bias is None else y + wide(self.bias)
        return y.to(mixed or x.dtype)

    def extra_repr(self) -> str:
        """What the layer prints of itself.

        Returns
        -------
        str
            Features, bias, layout, and kind where it was said.

        Examples
        --------
        >>> SymmetricLinear(3, layout="svec-lower")
        SymmetricLinear(3, bias=True, layout='svec-lower')
        """
        kind = "" if self.kind is None else f", kind={self.kind!r}"
        return f"{self.features}, bias={self.bias is not None}, layout={self.layout!r}{kind}"

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        half = self._parameters.get("weight")
        if half is not None:  # else it is parametrized
            packed = partial(pack, layout=self.layout, kind=self.kind)
            pack_entry(state_dict, f"{prefix}weight", half, packed, rest[-1])
        super()._load_from_state_dict(state_dict, prefix, *rest)
