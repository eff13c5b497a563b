"""A result on its way to a quantized matrix: tile by tile, each becomes codes once it is there."""

from __future__ import annotations

import math
from contextlib import closing
from typing import Any

from vech.arrays import Dtype
from vech.executors import executor_of, in_order
from vech.layouts.kind import Kind
from vech.packed.packed import Packed
from vech.quantized import Quantized, quantize
from vech.quantized.making import Maker
from vech.quantized.sources import BLOCK
from vech.results.executing import TileJob
from vech.results.tiles import TileByTile, on
from vech.results.wanted import TILES, Wanted

LARGEST = 4096  # rows of a block that holds whole tiles of codes and whole tiles of a job


class CodesOfTiles(TileByTile):
    """The codes of a matrix whose tiles are to be computed."""

    def __init__(
        self, n: int, dtype: Dtype, kind: Kind, labels: tuple[Any, ...] | None, wanted: Wanted
    ) -> None:
        super().__init__(n, dtype, kind, labels, wanted)
        if wanted.out is not None or wanted.resume:
            raise ValueError(
                f"encoding={wanted.encoding!r} makes a vech.Quantized in memory, which vech.write puts into "
                f"a file, or a store of tiles: out= a path ending in {TILES}"
            )
        wanted.check_no_layout("a quantized matrix holds tiles")
        self._maker = Maker(n, wanted.encoding, self.held, str(kind))
        self._made: Quantized | None = None

    def side(self, unit: int) -> int:
        """Rows of a block: whole tiles of codes, and of the job where these are not too large together."""
        both = math.lcm(unit, self._maker.tile)
        return max(1, BLOCK // both) * both if both <= LARGEST else BLOCK

    def fill(self, job: TileJob) -> None:
        """Let the job compute all tiles; each is dropped once it is codes."""
        lower = self.lower(job, on)
        tiles = lower.grid.lower()
        total, executor = lower.grid.total, executor_of(self.wanted.executor)
        with closing(in_order(executor, lower, tiles)) as made:
            for done, ((i, j), block) in enumerate(made, 1):
                self._maker.add(lower.grid.span(i), lower.grid.span(j), block)
                if self.wanted.progress is not None:
                    self.wanted.progress(done, total)

    def take(self, made: Packed) -> None:
        """Make codes of a matrix that is in memory."""
        self._made = quantize(made, self.wanted.encoding, threads=self.wanted.threads)

    def store(self) -> Quantized:
        """The quantized matrix."""
        return self._maker.finish(self.labels) if self._made is None else self._made
