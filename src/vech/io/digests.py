"""Digests of numbers, by tiles: what tells a description whether the numbers beside it are its own."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array

TILE = 1 << 20
"""Bytes of a tile at least. One digest takes 16 letters: 64 MiB of numbers have 1 KiB of them."""

MOST_TILES = 1024
"""Tiles at most: beyond 1 GiB they grow."""

SAMPLE = 16 << 20
"""Bytes of a memory map that are checked when it is opened, in three tiles at least."""


def digest(numbers: Array, known: Mapping[int, str] | None = None) -> dict[str, Any]:
    """Give the digests of the numbers' bytes as JSON can have them; those of some tiles may be known."""
    tile, known = tile_of(numbers.nbytes), known or {}
    missing = [k for k in range(_count(numbers, tile)) if k not in known]
    found = dict(zip(missing, _digests(numbers, tile, missing), strict=True)) | dict(known)
    return {"tile": tile, "xxh64": "".join(found[k] for k in sorted(found))}


def tile_of(nbytes: int) -> int:
    """The bytes of a tile of so many."""
    tile = TILE
    while tile * MOST_TILES < nbytes:
        tile *= 2
    return tile


def digests_of(numbers: Array, begin: int, tile: int) -> str:
    """The digests of some numbers that begin at this byte of all, cut where tiles begin."""
    letters = numbers.view(np.uint8)
    cuts = [0, *range(-begin % tile or tile, letters.size, tile), letters.size]
    return "".join(f"{_core.digest(letters[a:b]):016x}" for a, b in itertools.pairwise(cuts))


def whole_tiles(digests: str, begin: int, end: int, tile: int) -> dict[int, str]:
    """Of such digests those of whole tiles."""
    first = begin // tile
    found = {first + k: digests[16 * k : 16 * k + 16] for k in range(len(digests) // 16)}
    return {k: text for k, text in found.items() if begin <= k * tile and (k + 1) * tile <= end}


def check_digest(numbers: Array, digest: Any, *, whole: bool) -> None:
    """Refuse numbers that are not those of the digest, by all tiles or by a sample.

    The sample is taken from tiles that differ, so that it shows something in numbers that are mostly zero.
    """
    tile, text = _parse(digest)
    found = [text[at : at + 16] for at in range(0, len(text), 16)]
    if len(found) != _count(numbers, tile):
        raise ValueError(f"has {len(found)} digests, and the numbers have {_count(numbers, tile)} tiles")
    tiles = list(range(len(found))) if whole else _sample(found, max(3, SAMPLE // tile))
    for k, seen in zip(tiles, _digests(numbers, tile, tiles), strict=True):
        if seen != found[k]:
            end = min(numbers.nbytes, (k + 1) * tile)
            raise ValueError(f"has digests of other numbers: bytes {k * tile:,} to {end:,} of them differ")


def _digests(numbers: Array, tile: int, tiles: Any) -> list[str]:
    letters = np.ascontiguousarray(numbers).view(np.uint8)
    return [f"{_core.digest(letters[k * tile : (k + 1) * tile]):016x}" for k in tiles]


def _count(numbers: Array, tile: int) -> int:
    return max(1, -(-numbers.nbytes // tile))


def _sample(digests: list[str], count: int) -> list[int]:
    different = list({text: k for k, text in enumerate(digests)}.values())
    return [different[at] for at in np.unique(np.linspace(0, len(different) - 1, count).astype(int))]


def _parse(digest: Any) -> tuple[int, str]:
    fits = isinstance(digest, dict) and digest.keys() == {"tile", "xxh64"}
    if fits and type(digest["tile"]) is int and digest["tile"] > 0 and isinstance(digest["xxh64"], str):
        return digest["tile"], digest["xxh64"]
    raise ValueError('has a digest that is no object of "tile", bytes, and "xxh64", 16 letters for each tile')
