"""Shared values: a half whose numbers are levels of a codebook, which is trained."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vech.adapters.torch.checks import check_constant, check_half, check_real, check_shape, check_tensor
from vech.adapters.torch.training.places import as_packed, places
from vech.layouts.dialects import AnyLayout, as_layout
from vech.quantized.encodings import COUNT, KMEANS
from vech.quantized.levels import codebook
from vech.quantized.quantizing import quantize
from vech.quantized.store import Quantized


class Codebook(NamedTuple):
    """A symmetric matrix whose numbers off the diagonal are levels times the scale of their tile.

    Attributes
    ----------
    levels : tensor, shape (16,)
        What the codes mean. To be trained: ``book._replace(levels=torch.nn.Parameter(book.levels))``.
    codes : tensor of int64, shape (length,)
        The level of each number; those on the diagonal mean nothing.
    scales : tensor, shape (tiles,)
        Of each lower tile, row after row of tiles.
    diagonal : tensor, shape (n,)
        As it is; of a layout without diagonal, empty.
    layout : str or layout
        Of the half.
    tile : int
        Rows and columns of a tile.
    """

    levels: Tensor
    codes: Tensor
    scales: Tensor
    diagonal: Tensor
    layout: str | AnyLayout
    tile: int

    def half(self) -> Tensor:
        """The half, with gradients of levels, scales and the diagonal.

        Returns
        -------
        tensor, shape (length,)
            In the dtype of the levels.

        Notes
        -----
        The gradient of a level is the sum over its members of ``scale (G_ij + G_ji)``, both halves of the
        full matrix: S. Han, H. Mao, W. Dally, "Deep compression", ICLR 2016.

        Examples
        --------
        >>> book = kmeans(torch.tensor([2.0, 1.0, -0.5, 2.0, 0.25, 2.0]))
        >>> book._replace(levels=2 * book.levels).half().tolist()
        [2.0, 2.0, -1.0, 2.0, 0.5, 2.0]
        """
        for name in ("levels", "scales", "diagonal"):
            check_real(getattr(self, name), name)
        check_tensor(self.codes, "codes")
        if self.codes.dtype != torch.int64 or self.codes.ndim != 1:
            raise TypeError(
                f"codes are {self.codes.dtype} of shape {tuple(self.codes.shape)}, and must be torch.int64, "
                f"(length,)"
            )
        at, layout = places(self.levels.new_empty(self.codes.shape), self.layout, self.tile), self._layout
        n = len(self._slots) if layout.diagonal == "stored" else 0
        for name, count in (("levels", COUNT), ("scales", len(at.counts)), ("diagonal", n)):
            check_shape(getattr(self, name), (count,), name)
        values = self.levels[self.codes] * self.scales[at.tiles] * layout.offdiagonal_scale
        if layout.diagonal != "stored":
            return values
        return values.index_copy(0, self._slots, self.diagonal * layout.diagonal_scale)

    def quantized(self) -> Quantized:
        """The same matrix as a store of 4 bits a number.

        Returns
        -------
        Quantized
            "kmeans-4", with these levels; its error is that of rounding alone.

        Examples
        --------
        >>> kmeans(torch.tensor([2.0, 1.0, -0.5, 2.0, 0.25, 2.0])).quantized()
        Quantized(n=3, dtype=float32, kind='symmetric', encoding='kmeans-4', domain='entries')
        """
        half = self.half()
        most = self.levels.detach().abs().max()
        levels, scales = (self.levels.detach() / most).sort().values, self.scales.detach() * most
        return quantize(
            as_packed(half, self.layout),
            KMEANS,
            tile=self.tile,
            levels=levels.cpu().numpy(),
            scales=scales.cpu().numpy(),
            clip=True,
        )

    @property
    def _layout(self) -> Any:
        return as_layout(self.layout)

    @property
    def _slots(self) -> Tensor:
        n = self._layout.side(self.codes.shape[-1])
        return torch.from_numpy(self._layout.diagonal_slots(n)).to(self.codes.device)


def kmeans(h: Tensor, layout: str | AnyLayout = "vech", *, tile: int = 64) -> Codebook:
    """A codebook of 16 levels by k-means, and which level each number of a half has.

    Parameters
    ----------
    h : tensor, shape (length,)
        The half of a real symmetric matrix.
    layout : str or layout
        Of the half.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile, which has a scale: the largest modulus off its diagonal.

    Returns
    -------
    Codebook
        On the device of `h`, in its dtype, without gradients.

    Raises
    ------
    ValueError
        For NaN and infinity, named with (i, j), for a batch, and a half that requires a gradient.
    TypeError
        For halves that hold no real floating-point numbers.

    Notes
    -----
    The levels are those of `vech.quantized.codebook`, which counts numbers off the diagonal as often as they
    are in the full matrix; reads the half once, in NumPy.

    Examples
    --------
    >>> book = kmeans(torch.tensor([2.0, 1.0, -0.5, 2.0, 0.25, 2.0]))
    >>> book.half().tolist()
    [2.0, 1.0, -0.5, 2.0, 0.25, 2.0]
    >>> levels = book.levels.requires_grad_()
    >>> book.half().sum().backward()
    >>> levels.grad.sum().item()
    3.0
    """
    check_half(h, "h")
    check_constant(h, "h")
    if h.ndim != 1:
        raise ValueError(
            f"h has shape {tuple(h.shape)}, and a codebook is of one matrix: pass its half, (length,)"
        )
    at, found = places(h, layout, tile), as_layout(layout)
    x = h.detach()
    levels = torch.from_numpy(codebook(as_packed(x, layout), tile=tile)).to(x)
    true = x / found.offdiagonal_scale
    scales = at.largest(true.abs())
    units = torch.where(scales == 0, 1, scales)[at.tiles]
    codes = torch.bucketize(true / units, (levels[1:] + levels[:-1]) / 2)
    slots = torch.arange(x.numel(), device=x.device)[~at.off]
    by_row = slots[at.rows[slots].argsort()]
    return Codebook(levels, codes, scales, x[by_row] / found.diagonal_scale, layout, tile)
