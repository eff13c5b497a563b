"""The lower tiles of a square matrix: how many, which rows and columns each has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vech.derived.tiles import TOGETHER
from vech.layouts.layout import as_integer

LEAST, MOST = 1024, 4096
"""Rows of a tile, unless told: 8 MB to 134 MB of float64."""

WANTED = 64  # tiles a side up to which they stay small


class Grid(NamedTuple):
    """A matrix of side n in tiles of `tile` rows and columns; those at the end may have fewer."""

    n: int
    tile: int

    @property
    def side(self) -> int:
        """Tiles a side."""
        return -(-self.n // self.tile)

    @property
    def total(self) -> int:
        """Lower tiles, those of the diagonal among them."""
        return self.side * (self.side + 1) // 2

    def span(self, i: int) -> slice:
        """The rows of a row of tiles."""
        return slice(i * self.tile, min((i + 1) * self.tile, self.n))

    def height(self, i: int) -> int:
        """How many these are."""
        return min(self.tile, self.n - i * self.tile)

    def over(self, start: int, stop: int) -> range:
        """The rows of tiles that have some rows of the matrix."""
        return range(start // self.tile, -(-stop // self.tile) if stop > start else start // self.tile)

    def lower(self) -> Iterator[tuple[int, int]]:
        """All lower tiles, row after row."""
        return ((i, j) for i in range(self.side) for j in range(i + 1))

    def strips(self, i: int) -> Iterator[tuple[int, int]]:
        """A row of tiles in tasks: the first column of each, and the one after its last."""
        return ((first, min(first + TOGETHER, i + 1)) for first in range(0, i + 1, TOGETHER))

    def check(self, i: int, j: int) -> None:
        """IndexError for what is no lower tile, TypeError for what are no integers."""
        i, j = as_integer("i", i), as_integer("j", j)
        if not (0 <= j <= i < self.side):
            raise IndexError(
                f"tile ({i}, {j}) is none of the {self.total} lower tiles: {self.side} a side, i >= j"
            )


def usual_tile(n: int) -> int:
    """Rows of a tile where nobody says: small ones while these are few."""
    tile = LEAST
    while tile < MOST and -(-n // tile) > WANTED:
        tile *= 2
    return min(tile, max(1, n))


def within(part: slice, whole: slice) -> slice:
    """Rows of the matrix as rows of a tile that has them."""
    return slice(part.start - whole.start, part.stop - whole.start)
