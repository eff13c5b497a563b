"""Where each number of a half is in its matrix: in which tile of `vech.quantize`, in which row and column."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from vech.adapters.torch.checks import ORDERS, check_half, check_real, facts, layout_of
from vech.adapters.torch.kept import KEPT
from vech.adapters.torch.precision import wide
from vech.layouts.dialects import AnyLayout
from vech.packed.packed import Packed
from vech.quantized.parts import as_tile

SCALES = ("tile", "two-sided")
"""What a scale, or a step, is for."""


class Places(NamedTuple):
    """One entry for each number of a half; its tile is one of the lower tiles, row after row of these."""

    rows: Tensor
    columns: Tensor
    tiles: Tensor
    off: Tensor  # whether it is off the diagonal
    counts: Tensor  # of each tile: numbers off the diagonal

    def sum(self, values: Tensor) -> Tensor:
        """For each tile, the sum of values off the diagonal."""
        values = torch.where(self.off, values, 0)
        zeros = values.new_zeros((*values.shape[:-1], len(self.counts)))
        return zeros.index_add(-1, self.tiles, values)

    def largest(self, values: Tensor) -> Tensor:
        """For each tile, the largest of values >= 0 off the diagonal."""
        values = torch.where(self.off, values, 0)
        zeros = values.new_zeros((*values.shape[:-1], len(self.counts)))
        return zeros.scatter_reduce(-1, self.tiles.expand(values.shape), values, "amax")

    def mean(self, values: Tensor) -> Tensor:
        """For each tile, the mean of values off the diagonal; 0 where there are none."""
        return (self.sum(wide(values)) / self.counts.clamp(min=1)).to(values.dtype)


def places(h: Tensor, layout: str | AnyLayout, tile: Any) -> Places:
    """The table for a half, which must hold real floating-point numbers."""
    check_half(h, "h")
    check_real(h, "h")
    found, side = facts(h, layout, None), as_tile(tile)
    words = found.order or found.layout
    if torch.compiler.is_compiling():
        return Places(*torch.ops.vech.places(h, words, found.n, side))
    return Places(*_tables(words, found.n, side, h.device))


def _tables(words: str, n: int, tile: int, device: torch.device) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = KEPT(_made, words, n, tile, device)
    return found


def _made(words: str, n: int, tile: int, device: torch.device) -> tuple[Tensor, ...]:
    layout = ORDERS[words] if words in ORDERS else layout_of(words)
    i, j = layout.pair(np.arange(layout.length(n)), n)
    large, small = np.maximum(i, j), np.minimum(i, j)
    row, column = large // tile, small // tile
    tiles, off = row * (row + 1) // 2 + column, large != small
    blocks = -(-n // tile)
    counts = np.bincount(tiles[off], minlength=blocks * (blocks + 1) // 2)
    with torch.inference_mode(False):  # what is made in that mode no other one takes
        return tuple(torch.from_numpy(table).to(device) for table in (large, small, tiles, off, counts))


@torch.library.custom_op("vech::places", mutates_args=())
def _places(like: Tensor, words: str, n: int, tile: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The tables as copies, since compiled programs may write over what an operator gave them."""
    large, small, tiles, off, counts = (table.clone() for table in _tables(words, n, tile, like.device))
    return large, small, tiles, off, counts


@_places.register_fake
def _(like: Tensor, words: str, n: int, tile: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    of_numbers = (like.new_empty(like.shape[-1:], dtype=torch.int64) for _ in range(3))
    blocks = -(-n // tile)
    off = like.new_empty(like.shape[-1:], dtype=torch.bool)
    return *of_numbers, off, like.new_empty(blocks * (blocks + 1) // 2, dtype=torch.int64)


def as_packed(h: Tensor, layout: str | AnyLayout) -> Packed:
    """The same numbers as a store, for what NumPy computes."""
    return Packed(wide(h.detach()).cpu().numpy(), layout)


def straight_through(value: Tensor, x: Tensor) -> Tensor:
    """The value, to the last bit, with the gradient of x (Y. Bengio et al., arXiv 1308.3432)."""
    return value.detach() + (x - x.detach())


def scaled_gradient(x: Tensor, factor: Any) -> Tensor:
    """x, to the last bit, whose gradient is multiplied."""
    return x.detach() + (x - x.detach()) * factor
