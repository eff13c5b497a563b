"""What a half will be once it is quantized, with straight-through gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vech.adapters.torch.checks import check_constant, check_real
from vech.adapters.torch.precision import wide
from vech.adapters.torch.training.places import SCALES, Places, as_packed, places, straight_through
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import one_of
from vech.packed.packed import Packed
from vech.quantized.encodings import KMEANS, LOW, PLANES, Encoding, as_encoding
from vech.quantized.levels import codebook, sided_codebook
from vech.quantized.scales import TwoSided, two_sided

FLOATS = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float8-e4m3": torch.float8_e4m3fn,
    "float8-e5m2": torch.float8_e5m2,
}


def fake_quantize(
    h: Tensor,
    layout: str | AnyLayout = "vech",
    encoding: str | Encoding = "int8",
    *,
    scales: Any = "tile",
    tile: int = 64,
    levels: Any = None,
) -> Tensor:
    """The numbers that `vech.quantize` would hold of a half, with the gradient of the half itself.

    Parameters
    ----------
    h : tensor, shape (..., length)
        Halves of real symmetric matrices. The diagonal stays as it is: codes have no diagonal.
    layout : str or layout
        Of the halves.
    encoding : str or Encoding
        A key of `vech.ENCODINGS`.
    scales : {"tile", "two-sided"}, or tensor, shape (tiles,)
        Of each tile what its largest number needs; ``s_i s_j`` of two sides, of one matrix, found in NumPy;
        or what is known beforehand, of true values, for each lower tile, row after row of tiles.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.
    levels : array, shape (16,), optional
        Of "kmeans-4"; unless told, those that `vech.quantize` finds.

    Returns
    -------
    tensor, shape (..., length)
        In the dtype of `h`. Its derivative by `h` is 1, and 0 for numbers beyond scales that are given.

    Raises
    ------
    ValueError
        For an unknown encoding, scales that do not fit, and scales and levels that require a gradient.
    TypeError
        For halves that hold no real floating-point numbers, and scales that are no tensor.

    Notes
    -----
    ``q = s level(h / s)``, and ``dq/dh = 1`` where ``|h| <= s most``: B. Jacob et al., "Quantization and
    training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018. Scales have no
    gradient; steps of `lsq` have. O(length) operations of torch; NaN and infinity spread over their tile.

    Examples
    --------
    >>> h = torch.tensor([2.0, 1.0, -0.5, 2.0, 0.3, 2.0], requires_grad=True)
    >>> q = fake_quantize(h, encoding="int4")
    >>> [round(value, 3) for value in q.tolist()]
    [2.0, 1.0, -0.429, 2.0, 0.286, 2.0]
    >>> q.sum().backward()
    >>> h.grad.tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    for name, given in (("scales", scales), ("levels", levels)):
        check_constant(given, name)
    at, stored = places(h, layout, tile), as_layout(layout).offdiagonal_scale
    sides = _sides(h, layout, encoding) if isinstance(scales, str) and scales == "two-sided" else None
    if as_encoding(encoding).name == KMEANS and levels is None:
        levels = _codebook(as_packed(h, layout), sides, tile)
    found = as_encoding(encoding, levels)
    x = wide(h.detach()) / stored
    unit, zero = _units(x, at, found, scales, tile, sides)
    y = (x - zero) / torch.where(unit == 0, 1, unit)
    value = _levels(y, found) * unit + zero
    within = ~at.off | (y.abs() <= found.most) if found.most and isinstance(scales, Tensor) else None
    kept = h if within is None else torch.where(within, h, h.detach())
    return straight_through(torch.where(at.off, (value * stored).to(h.dtype), h), kept)


def _sides(h: Tensor, layout: str | AnyLayout, encoding: str | Encoding) -> TwoSided:
    if h.ndim > 1:
        raise ValueError(
            f"h has shape {tuple(h.shape)}, and two sides are found for one matrix: pass its half"
        )
    store = as_packed(h, layout)
    return two_sided(store, as_encoding(encoding), store.dtype)


def _codebook(store: Packed, sides: TwoSided | None, tile: int) -> Any:
    return codebook(store, tile=tile) if sides is None else sided_codebook(store, sides.sides, sides.scale)


def _units(
    x: Tensor, at: Places, encoding: Encoding, scales: Any, tile: int, sides: TwoSided | None
) -> tuple[Tensor, Tensor]:
    """For each number the unit in which it is a level, and what level 0 is."""
    none = torch.zeros((), dtype=x.dtype, device=x.device)
    if isinstance(scales, Tensor):
        check_real(scales, "scales")
        if not encoding.most:
            raise ValueError(f"{encoding.name!r} holds numbers themselves: leave out scales")
        if encoding.is_affine:
            raise ValueError(f"{encoding.name!r} needs the least number of each tile too: leave out scales")
        if scales.shape[-1:] != at.counts.shape:
            raise ValueError(
                f"scales has shape {tuple(scales.shape)}, and tiles of {tile} rows are {len(at.counts)}: "
                f"({len(at.counts)},)"
            )
        return scales.detach().to(x.dtype)[..., at.tiles], none
    if not isinstance(scales, str):
        raise TypeError(
            f"scales must be a name or a tensor, not {type(scales).__name__}: torch.as_tensor(scales)"
        )
    one_of("scales", scales, SCALES)
    if sides is not None:
        of_rows = torch.from_numpy(sides.sides).to(x)
        both = of_rows[at.rows] * of_rows[at.columns]
        return both * sides.scale, both * sides.zero
    if not encoding.most:
        return none + 1, none
    if encoding.is_affine:
        infinite = torch.where(at.off, 0.0, float("inf"))
        start = x.new_full((*x.shape[:-1], len(at.counts)), float("inf"))
        index = at.tiles.expand(x.shape)
        least = start.scatter_reduce(-1, index, x + infinite, "amin")
        most = -start.scatter_reduce(-1, index, infinite - x, "amin")
        return ((most - least) / encoding.most)[..., at.tiles], least[..., at.tiles]
    size = at.mean(x.abs()) if encoding.name == "sign" else at.largest(x.abs())
    return (size / encoding.most)[..., at.tiles], none


def _levels(y: Tensor, encoding: Encoding) -> Tensor:
    """The nearest level of each number: of a table the lower of two, else the even one, as in the core."""
    if encoding.name in FLOATS:
        return y.to(FLOATS[encoding.name]).to(y.dtype)
    if encoding.name == "sign":
        return torch.where(y >= 0, 1.0, -1.0).to(y.dtype)
    if encoding.name in ("int8", "uint8"):
        return y.round().clamp(0 if encoding.is_affine else -encoding.most, encoding.most)
    if encoding.levels is not None:
        table = torch.tensor(encoding.levels, dtype=y.dtype, device=y.device)
        return table[torch.bucketize(y, (table[1:] + table[:-1]) / 2)]
    high = _whole(y, encoding.most)
    return high + _whole((y - high) * LOW, encoding.most) / LOW if encoding.name == PLANES else high


def _whole(y: Tensor, most: float) -> Tensor:
    """The nearest whole number, halfway the lower one."""
    return (y - 0.5).ceil().clamp(-most, most)
