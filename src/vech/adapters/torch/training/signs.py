"""Signs of a half, times the mean modulus of their tile."""

from __future__ import annotations

import torch
from torch import Tensor

from vech.adapters.torch.checks import check_flag
from vech.adapters.torch.training.places import places, straight_through
from vech.layouts.dialects import AnyLayout, as_layout


def signs(h: Tensor, layout: str | AnyLayout = "vech", *, centred: bool = False, tile: int = 64) -> Tensor:
    """A half of 1 bit a number: signs, times the mean modulus of a tile.

    Parameters
    ----------
    h : tensor, shape (..., length)
        Halves of real symmetric matrices. The diagonal stays as it is: codes have no diagonal.
    layout : str or layout
        Of the halves.
    centred : bool
        Whether signs are those of what the mean of the tile leaves, so that both are as frequent (BiBERT).
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.

    Returns
    -------
    tensor, shape (..., length)
        ``a b`` with ``b = sign(h)``, 1 for 0, and ``a = mean |h|`` of the tile.

    Raises
    ------
    TypeError
        For halves that hold no real floating-point numbers.

    Notes
    -----
    ``db/dh = 1`` where ``|h| <= 1``, else 0, and a has its gradient: so that of h is ``a g [|h| <= 1] +
    sign(h) sum(g b) / N``, over the N numbers of the tile (M. Rastegari et al., "XNOR-Net", ECCV 2016; H. Qin
    et al., "BiBERT", ICLR 2022). Not centred, these are the numbers of ``vech.quantize(S, "sign")``.

    Examples
    --------
    >>> signs(torch.tensor([2.0, 1.0, -0.5, 2.0, 0.75, 2.0])).tolist()
    [2.0, 0.75, -0.75, 2.0, 0.75, 2.0]
    """
    check_flag("centred", centred)
    at, scale = places(h, layout, tile), as_layout(layout).offdiagonal_scale
    true = h / scale
    if centred:
        true = true - at.mean(true)[..., at.tiles]
    b = straight_through(torch.where(true >= 0, 1.0, -1.0).to(true.dtype), true.clamp(-1, 1))
    return torch.where(at.off, at.mean((h / scale).abs())[..., at.tiles] * b * scale, h)
