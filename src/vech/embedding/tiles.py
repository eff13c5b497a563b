"""Distances in tiles of one triangle, in double, so that each is read once and nothing is n x n."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, native, resolve_threads
from vech.linalg.units import unit_of
from vech.moves.runs import KERNEL, blocks, runs_of
from vech.packed.packed import packed
from vech.store import Store
from vech.workers import in_order

SIDE = 256  # 480 takes 1.3 times as long, 1024 1.8 times: squares times a vector, n = 6000

Floats = NDArray[np.float64]
Columns = tuple[slice, ...]


class Tile(NamedTuple):
    """Numbers of some rows and columns; both triangles where these are the same.

    They may be written over, and are by the next tile of the strip.
    """

    rows: slice
    columns: slice
    numbers: Floats

    @property
    def on_diagonal(self) -> bool:
        """Whether rows and columns are the same."""
        return self.rows == self.columns


class Tiles:
    """The tiles of a store of distances, strip by strip: some rows with all columns of the triangle."""

    def __init__(self, S: Store, threads: int | None = None) -> None:
        self.n = S.n
        self.threads = resolve_threads(threads, S.nbytes)
        self.unit = unit_of(S)  # a power of two, by which numbers are divided
        self._block, grow = _reader(S)
        strips: dict[int, list[slice]] = {}
        for rows, columns in blocks(S.n, grow, SIDE):
            strips.setdefault(rows.start, []).append(columns)
        self._strips = [
            (slice(start, min(start + SIDE, S.n)), tuple(columns)) for start, columns in strips.items()
        ]

    def sums(self, work: Callable[[Iterator[Tile]], list[Array]]) -> list[Array]:
        """The sums of what the work gives for each strip, taken in one order for any number of threads."""
        total: list[Array] = []
        for parts in in_order(lambda strip: work(self._of(*strip)), self._strips, self.threads):
            total = [a + b for a, b in zip(total, parts, strict=True)] if total else parts
        return total or work(iter(()))

    def _of(self, rows: slice, columns: Columns) -> Iterator[Tile]:
        buffer = np.empty(SIDE * SIDE)
        for taken in columns:
            block = self._block(rows, taken, buffer).astype(np.float64, copy=False)
            if self.unit != 1:
                block /= self.unit
            yield Tile(rows, taken, block)


def _reader(S: Store) -> tuple[Callable[[slice, slice, Array], Array], bool]:
    """What reads a block, into memory for one in double, and whether runs grow."""
    layout = S.describe().layout
    if layout is None:

        def copied(rows: slice, columns: slice, _: Array) -> Array:
            block = np.array(S.block(rows, columns))  # of what may be a view
            if rows == columns:
                np.fill_diagonal(block, 0)
            return block

        return copied, False
    half = packed(S) if layout.offdiagonal_scale == 1 else S.to_packed()  # rounded as the full matrix is
    if native(half.dtype) not in KERNEL:
        half = half.astype(np.float64)
    runs = runs_of(half._held)
    zeros = np.zeros(S.n, runs.half.dtype)

    def read(rows: slice, columns: slice, memory: Array) -> Array:
        buffer = memory.view(runs.half.dtype)
        if rows == columns:
            return runs.square(rows, zeros, buffer, 1)
        return runs.read(rows, columns, buffer, 1)

    return read, runs.grow
