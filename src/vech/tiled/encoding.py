"""A tile as the letters of an object: numbers in little order or codes, squeezed where told, their crc32c."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype
from vech.tiled.description import filler

CRC = 4  # bytes


class DamagedError(ValueError):
    """Letters that are not what was written."""


def encoded(tile: Array, side: int, dtype: Dtype, compression: str) -> list[Any]:
    """The letters of a tile in parts, filled up where it has fewer than `side` rows or columns."""
    if tile.shape != (side, side):
        whole = np.full((side, side), filler(dtype), dtype)
        whole[: tile.shape[0], : tile.shape[1]] = tile
        tile = whole
    tile = np.ascontiguousarray(tile, dtype)
    if sys.byteorder == "big":
        tile = tile.byteswap()
    return sealed(tile.reshape(-1).view(np.uint8), compression)


def sealed(letters: Array, compression: str) -> list[Any]:
    """Letters as they are put down, in parts."""
    if compression == "zstd":
        from numcodecs.zstd import Zstd

        letters = np.frombuffer(Zstd(level=1).encode(letters), np.uint8)
    return [letters.data, _crc(letters)]


def decoded(letters: Array, side: int, dtype: Dtype, compression: str, *, check: bool) -> Array:
    """The whole tile, in the letters' own memory where not squeezed; DamagedError where they changed."""
    body = opened(letters, side * side * dtype.itemsize, compression, check=check)
    tile = body.view(dtype.newbyteorder("<")).reshape(side, side)
    return tile if tile.dtype.isnative else tile.astype(dtype)


def opened(letters: Array, size: int, compression: str, *, check: bool) -> Array:
    """What `sealed` was given, of so many bytes; DamagedError where these changed."""
    if compression == "none" and letters.size != size + CRC:
        raise DamagedError(f"has {letters.size} bytes, and {size + CRC} would fit")
    if letters.size < CRC:
        raise DamagedError(f"has {letters.size} bytes, and no tile is so short")
    body, said = letters[:-CRC], letters[-CRC:].tobytes()
    if check and _crc(body) != said:
        raise DamagedError("is damaged: its crc32c is another one")
    return _unsqueezed(body, size) if compression == "zstd" else body


def _unsqueezed(body: Array, size: int) -> Array:
    from numcodecs.zstd import Zstd

    if (said := _content_size(body[:18].tobytes())) != size:
        raise DamagedError(f"holds {said} bytes when unpacked, and {size} would fit")
    out = np.empty(size, np.uint8)
    try:
        Zstd().decode(body, out)
    except (RuntimeError, ValueError) as error:
        raise DamagedError(f"is damaged: {error}") from error
    return out


def _content_size(begin: bytes) -> int | None:
    """How much a zstd frame says it holds (RFC 8878, 3.1.1.1), so that no more memory is asked for."""
    if begin[:4] != b"\x28\xb5\x2f\xfd" or len(begin) < 6:
        return None
    flag, single = begin[4] >> 6, begin[4] >> 5 & 1
    at = 5 + (not single) + (0, 1, 2, 4)[begin[4] & 3]
    width = (single, 2, 4, 8)[flag]
    found = int.from_bytes(begin[at : at + width], "little")
    return (found + 256 if width == 2 else found) if width else None


def _crc(letters: Array) -> bytes:
    found = _core.crc32c(letters)
    if found is None:  # a target without instructions for it
        import google_crc32c

        letters = letters.view()
        letters.flags.writeable = False
        found = int(google_crc32c.value(letters))
    return found.to_bytes(CRC, "little")
