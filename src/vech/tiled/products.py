"""S @ x by lower tiles, each read once for both of its products; sums in one order, whoever computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype
from vech.tiled.tiles import Tiles

PANEL_BYTES = 1 << 18  # of a tile that both products read while it is in the cache of a core
SQUARE = 128  # rows of the squares on the diagonal of which both triangles are read
BLAS = frozenset(np.dtype(code) for code in "fdFD")


@dataclass(frozen=True)
class Strip:
    """Some tiles beside each other, and what they are multiplied with."""

    i: int
    first: int
    stop: int
    across: Array  # x of the rows
    along: Array  # x of the columns


@dataclass(frozen=True)
class Product:
    """What tiles beside each other add to the product: to their rows, and to their columns."""

    tiles: Tiles
    conjugated: bool  # S itself is the conjugate of what is stored
    negated: bool
    dtype: Dtype

    def __call__(self, strip: Strip) -> tuple[Array, Array]:
        """Of rows of x, shape (rows, m), both sums."""
        grid, kind = self.tiles.grid, self.tiles.said.kind
        across, along = strip.across, strip.along
        if self.conjugated:
            across, along = across.conj(), along.conj()
        to_rows, to_columns = np.zeros_like(across), np.zeros_like(along)
        mirrored = across.conj() if kind.conjugates else across
        start = grid.span(strip.first).start
        for j in range(strip.first, strip.stop):
            columns = slice(grid.span(j).start - start, grid.span(j).stop - start)
            tile, x, y = self.tiles.read(strip.i, j), along[columns], to_columns[columns]
            if j < strip.i:
                self._add_both(tile, x, mirrored, to_rows, y)
                continue
            if self._has_kernel(tile, x):
                to_rows += kind.settled(tile.diagonal())[:, None] * x
                _core.multiply_tile(tile, x[:, 0], mirrored[:, 0], to_rows[:, 0], y[:, 0], True)
                continue
            for top in range(0, len(tile), SQUARE):  # below the diagonal only, but for small squares
                rows = slice(top, top + SQUARE)
                if top:
                    self._add_both(tile[rows, :top], x[:top], mirrored[rows], to_rows[rows], y[:top])
                square = np.array(tile[rows, rows], self.dtype)
                np.fill_diagonal(square, kind.settled(square.diagonal()))
                _add(square, x[rows], to_rows[rows])
        if kind.conjugates:
            np.conjugate(to_columns, out=to_columns)
        if kind.negates:
            np.negative(to_columns, out=to_columns)
        if self.conjugated:
            np.conjugate(to_rows, out=to_rows)
            np.conjugate(to_columns, out=to_columns)
        if self.negated:
            np.negative(to_rows, out=to_rows)
            np.negative(to_columns, out=to_columns)
        return to_rows, to_columns

    def _has_kernel(self, block: Array, x: Array) -> bool:
        return block.dtype == self.dtype in BLAS and x.shape[1] == 1

    def _add_both(self, block: Array, along: Array, across: Array, to_rows: Array, to_columns: Array) -> None:
        """What a block off the diagonal adds: itself to its rows, and transposed to its columns."""
        if self._has_kernel(block, along):
            sums = to_rows[:, 0], to_columns[:, 0]
            _core.multiply_tile(block, along[:, 0], across[:, 0], *sums, False)
            return
        height = max(1, PANEL_BYTES // max(1, block.shape[1] * self.dtype.itemsize))
        for top in range(0, len(block), height):
            rows = slice(top, top + height)
            panel = np.ascontiguousarray(block[rows], self.dtype)
            _add(panel, along, to_rows[rows])
            _add_transposed(panel, across[rows], to_columns)


def _add(panel: Array, x: Array, y: Array) -> None:
    """y += panel @ x."""
    if panel.dtype not in BLAS:
        y += panel @ x
    elif x.shape[1] == 1:
        blas("gemv", panel.dtype)(1, panel.T, x[:, 0], 1, y[:, 0], trans=1, overwrite_y=1)
    else:
        blas("gemm", panel.dtype)(1, x.T, panel.T, 1, y.T, overwrite_c=1)


def _add_transposed(panel: Array, x: Array, y: Array) -> None:
    """y += panel.T @ x."""
    if panel.dtype not in BLAS:
        y += panel.T @ x
    elif x.shape[1] == 1:
        blas("gemv", panel.dtype)(1, panel.T, x[:, 0], 1, y[:, 0], overwrite_y=1)
    else:
        blas("gemm", panel.dtype)(1, x.T, panel.T, 1, y.T, trans_b=1, overwrite_c=1)


@cache
def blas(name: str, dtype: Dtype) -> Any:
    """A routine of BLAS, which is looked up once and not for each panel."""
    from scipy.linalg.blas import get_blas_funcs

    return get_blas_funcs(name, dtype=dtype)


def strips(tiles: Tiles, x: Array) -> Iterator[Strip]:
    """All tiles in tasks, in the order in which their products are summed up."""
    grid = tiles.grid
    for i in reversed(range(grid.side)):  # the long ones first
        for first, stop in grid.strips(i):
            columns = slice(grid.span(first).start, grid.span(stop - 1).stop)
            yield Strip(i, first, stop, x[grid.span(i)], x[columns])
