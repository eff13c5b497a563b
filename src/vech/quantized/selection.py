"""Parts of a quantized matrix: any rows with any columns as numbers, or as codes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array
from vech.packed.indexing import is_range
from vech.quantized import kernels
from vech.quantized.domains import Domain
from vech.quantized.parts import Parts, tiles_a_side, tiles_in_all

Indices = NDArray[np.int64]
GIVEN = 1  # scales, as the kernel is told of them


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
    """Some rows and columns, none twice, as codes of their own; `keeps_scales` says of which that can be.

    Levels are read, and found again: each is its own nearest level.
    """
    new = Parts.empty(index.size, parts.tile, parts.encoding, parts.kind, parts.dtype)
    new = replace(new, scales=np.ones_like(new.scales))
    for old_plane, new_plane in zip(_planes(parts.unit), _planes(new), strict=True):
        _rearrange(old_plane, new_plane, index)
    tiles = _same_tiles(parts, index)
    return replace(
        new,
        scales=parts.scales[tiles],
        zeros=None if parts.zeros is None else parts.zeros[tiles],
        sides=None if parts.sides is None else parts.sides[index],
        diagonal=parts.diagonal[index],
    )


def keeps_scales(parts: Parts, index: Indices) -> bool:
    """Whether each new tile has numbers of one scale: all tiles have the same, or they stay as they are."""
    arrays = (parts.scales, parts.zeros)
    if all(array is None or bool((array == array[:1]).all()) for array in arrays):
        return True
    return index.size == 0 or (is_range(index) and int(index[0]) % parts.tile == 0)


def _same_tiles(parts: Parts, index: Indices) -> Indices:
    """For each lower tile of the new matrix an old one of its scale."""
    i, j = np.tril_indices(tiles_a_side(index.size, parts.tile))
    first = index[0] // parts.tile if is_range(index) and index[0] % parts.tile == 0 else 0
    i, j = i + first, j + first
    return np.asarray(i * (i + 1) // 2 + j)


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
        most, *fault = kernels.quantize_block(half, levels, start, 0, GIVEN, -1, squares, sums)
        if most or fault[0]:
            raise TypeError(
                f"{old.encoding.name} has no negative of each level, which a skew matrix needs for it: "
                f"quantize S.to_packed().permute(order) anew"
            )


def _take_levels(old: Parts, rows: Indices, columns: Indices, out: Array) -> None:
    for down, at in _by_tile(rows, old):
        for across, to in _by_tile(columns, old):
            block = old.part(down, across)
            out[np.ix_(at, to)] = block[np.ix_(rows[at] - down.start, columns[to] - across.start)]
