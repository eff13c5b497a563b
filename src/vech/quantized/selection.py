"""Parts of a quantized matrix: any rows with any columns as numbers, or as codes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array
from vech.quantized import kernels
from vech.quantized.domains import Domain
from vech.quantized.parts import Parts, tiles_in_all

Indices = NDArray[np.int64]


def take(domain: Domain, parts: Parts, rows: Indices, columns: Indices, out: Array) -> None:
    """Every one of some rows with every one of some columns: by the tiles that have them."""
    for down, at in _by_tile(rows, parts):
        for across, to in _by_tile(columns, parts):
            block = np.empty((down.stop - down.start, across.stop - across.start), parts.dtype)
            domain.read(parts, block, down.start, across.start, None)
            out[np.ix_(at, to)] = block[np.ix_(rows[at] - down.start, columns[to] - across.start)]


def _by_tile(taken: Indices, parts: Parts) -> Iterator[tuple[slice, Indices]]:
    """The rows that a tile has, and which of those taken these are."""
    place = taken // parts.tile
    for i in np.unique(place):
        span = slice(int(i) * parts.tile, min((int(i) + 1) * parts.tile, parts.n))
        yield span, np.flatnonzero(place == i)


def rearranged(parts: Parts, index: Indices) -> Parts:
    """Some rows and columns, none twice, of parts whose tiles all have one scale: codes become codes.

    Levels are read, and found again: each is its own nearest level.
    """
    n = index.size
    unit, count = parts.unit, tiles_in_all(n, parts.tile)
    scale = parts.scales[:1] if parts.scales.size else np.zeros(1, parts.dtype)
    new = Parts.empty(n, parts.tile, parts.encoding, parts.kind, parts.dtype)
    new = replace(new, scales=np.ones(count, parts.dtype))
    for old_plane, new_plane in zip(_planes(unit), _planes(new), strict=True):
        _rearrange(old_plane, new_plane, index)
    return replace(
        new,
        scales=np.broadcast_to(scale, count).copy(),
        zeros=None if parts.zeros is None else np.broadcast_to(parts.zeros[:1], count).copy(),
        sides=None if parts.sides is None else parts.sides[index],
        diagonal=parts.diagonal[index],
    )


def _planes(parts: Parts) -> list[Parts]:
    """Each plane as parts of its own, of the same memory."""
    if parts.encoding.planes == 1:
        return [parts]
    high, low = np.split(parts.codes, parts.encoding.planes)
    coarse = parts.coarse
    return [replace(coarse, codes=high), replace(coarse, codes=low)]


def _rearrange(old: Parts, new: Parts, index: Indices) -> None:
    """Write the levels of these rows and columns as codes."""
    [half] = new.halves()
    squares, sums = np.zeros(tiles_in_all(new.n, new.tile)), np.zeros(new.n)
    for start in range(0, new.n, new.tile):
        rows = index[start : start + new.tile]
        columns = index[: start + new.tile]
        levels = np.empty((rows.size, columns.size), old.dtype)
        _take_levels(old, rows, columns, levels)
        most, *fault = kernels.quantize_block(half, levels, start, 0, True, False, -1, squares, sums)
        if most or fault[0]:
            raise TypeError(
                f"{old.encoding.name} has no negative of each level, as a skew matrix in another order needs: "
                f"quantize S.to_packed().permute(order) anew"
            )


def _take_levels(old: Parts, rows: Indices, columns: Indices, out: Array) -> None:
    for down, at in _by_tile(rows, old):
        for across, to in _by_tile(columns, old):
            block = old.part(down, across)
            out[np.ix_(at, to)] = block[np.ix_(rows[at] - down.start, columns[to] - across.start)]
