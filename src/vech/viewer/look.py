"""How numbers are drawn unless the user says: what they are, so which colours and limits; from a sample."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.plot.cells import Facts
from vech.plot.content import recognised, scale
from vech.viewer.numbers import Numbers, Part

# by Cynthia Brewer, colorbrewer2.org; between them colours are mixed, as in matplotlib's maps of these names
RED_BLUE = "67001f b2182b d6604d f4a582 fddbc7 f7f7f7 d1e5f0 92c5de 4393c3 2166ac 053061"
YELLOW_BLUE = "ffffd9 edf8b1 c7e9b4 7fcdbb 41b6c4 1d91c0 225ea8 253494 081d58"
COLOURS = {
    "RdBu": RED_BLUE.split(),
    "YlGnBu": YELLOW_BLUE.split(),
    "YlGnBu_r": YELLOW_BLUE.split()[::-1],
}

RUNS, LENGTH = 32, 16  # rows looked at: so many that follow each other, so many times
CORNER, TILES = 128, 12  # rows and columns of a tile that are looked at, and of how many tiles
STORED = 2**20  # numbers of a sparse store


class Look(NamedTuple):
    """Colours, and what their ends mean."""

    content: str | None  # None where it was neither said nor seen
    colours: str  # a key of COLOURS
    low: float
    high: float


def look(
    numbers: Numbers, part: Part, content: str | None = None, limits: tuple[float, float] | None = None
) -> Look:
    """The look of a part of the numbers."""
    own, off = sampled(numbers, part)
    finite = off[np.isfinite(off)]
    if content is None and part.name == "modulus":
        content = "similarity"
    elif content is None and part.name == "value":
        facts = Facts(
            own,
            float(finite.min(initial=np.inf)),
            float(finite.max(initial=-np.inf)),
            int(np.count_nonzero(finite < 0)),
            int(np.count_nonzero(finite > 0)),
        )
        content = recognised(numbers.store, facts)
    shown = finite if finite.size else own[np.isfinite(own)]
    found = scale(content or "covariance", shown, limits=limits)
    low, high = (found.low, found.high) if limits else _rounded(found.low, found.high)
    return Look(content, str(found.cmap), low, high)


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Limits that can be read: outwards, to a hundredth of their range or a tenth of that."""
    if not np.isfinite(high - low):
        return low, high
    step = Decimal(10) ** (Decimal(high - low).adjusted() - 2)
    down = (Decimal(repr(low)) / step).to_integral_value(ROUND_FLOOR) * step
    up = (Decimal(repr(high)) / step).to_integral_value(ROUND_CEILING) * step
    return float(down) + 0.0, float(up) + 0.0  # no -0.0


def sampled(numbers: Numbers, part: Part) -> tuple[Array, Array]:
    """Some of the numbers on the diagonal, and off it."""
    if numbers.store.describe().triangle is not None:
        stored = numbers.store.to_coo(part="lower")
        some = slice(None, None, max(1, stored.nnz // STORED))
        i, j, x = stored.row[some], stored.col[some], part(stored.data[some])
        own = np.zeros(numbers.n)
        own[i[i == j]] = x[i == j]
        return own, x[i != j]
    blocks = _of_tiles(numbers, part) if numbers.tile else [_of_rows(numbers, part)]
    own, off = np.zeros(0), np.zeros(0)
    for rows, columns, block in blocks:
        is_own = rows[:, None] == columns
        own, off = np.append(own, block[is_own]), np.append(off, block[~is_own])
    return own, off


def _of_rows(numbers: Numbers, part: Part) -> tuple[Array, Array, Array]:
    n = numbers.n
    rows = np.arange(n)
    if n > RUNS * LENGTH:
        starts = np.linspace(0, n - LENGTH, RUNS).astype(np.int64)
        rows = np.unique(starts[:, None] + np.arange(LENGTH))
    return rows, rows, part(numbers.store.block(rows, rows))


def _of_tiles(numbers: Numbers, part: Part) -> list[tuple[Array, Array, Array]]:
    """Corners of tiles that are done, those of the diagonal first."""
    n, tile = numbers.n, numbers.tile or numbers.n
    missing, side = numbers.missing(), -(-n // tile)
    there = [(i, j) for i in range(side) for j in range(i + 1) if (i, j) not in missing]
    diagonal, others = [t for t in there if t[0] == t[1]], [t for t in there if t[0] != t[1]]
    found = []
    for tiles in (diagonal, others):
        for i, j in tiles[:: max(1, -(-len(tiles) * 2 // TILES))]:
            rows, columns = (slice(k * tile, min(k * tile + min(tile, CORNER), n)) for k in (i, j))
            block, absent = numbers.read(rows, columns, part)
            if absent is None:
                found.append((np.arange(n)[rows], np.arange(n)[columns], block))
    return found
