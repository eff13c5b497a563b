"""Where each number of a half is in its matrix: in which tile of `vech.quantize`, in which row and column."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from vech.layouts.dialects import AnyLayout, as_layout
from vech.packed.packed import Packed
from vech.quantized.parts import as_tile

Tensor = torch.Tensor
KEPT = 32  # tables: of a layout, a side, a tile and a device


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
        return self.sum(values) / self.counts.clamp(min=1)


def places(h: Tensor, layout: str | AnyLayout, tile: Any) -> Places:
    """The table for a half, which must hold real floating-point numbers."""
    if not isinstance(h, Tensor):
        raise TypeError(f"h must be a tensor, not {type(h).__name__}")
    if not h.is_floating_point():
        raise TypeError(f"h must hold real floating-point numbers, not {h.dtype}")
    found = as_layout(layout)
    return Places(*_tables(found, h.shape[-1], as_tile(tile), h.device))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator, unused-ignore]
def _tables(layout: AnyLayout, length: int, tile: int, device: torch.device) -> tuple[Tensor, ...]:
    return _made(layout, layout.side(length), tile, device)


@lru_cache(KEPT)
def _made(layout: AnyLayout, n: int, tile: int, device: torch.device) -> tuple[Tensor, ...]:
    i, j = layout.pair(np.arange(layout.length(n)), n)
    large, small = np.maximum(i, j), np.minimum(i, j)
    row, column = large // tile, small // tile
    tiles, off = row * (row + 1) // 2 + column, large != small
    blocks = -(-n // tile)
    counts = np.bincount(tiles[off], minlength=blocks * (blocks + 1) // 2)
    with torch.inference_mode(False):  # what is made in that mode no other one takes
        return tuple(torch.from_numpy(table).to(device) for table in (large, small, tiles, off, counts))


def as_packed(h: Tensor, layout: str | AnyLayout) -> Packed:
    """The same numbers as a store, for what NumPy computes."""
    numbers = h.detach().cpu()
    return Packed((numbers if numbers.dtype == torch.float64 else numbers.float()).numpy(), layout)


def straight_through(value: Tensor, x: Tensor) -> Tensor:
    """The value, to the last bit, with the gradient of x (Y. Bengio et al., arXiv 1308.3432)."""
    return value.detach() + (x - x.detach())


def scaled_gradient(x: Tensor, factor: Any) -> Tensor:
    """x, to the last bit, whose gradient is multiplied."""
    return x.detach() + (x - x.detach()) * factor
