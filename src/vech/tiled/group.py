"""What every group of tiles says of itself: where it is, how it is cut, what of it is there and sound."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from vech.arrays import check_progress
from vech.executors import completed, executor_of
from vech.tiled.tiles import Tile, Tiles

Progress = Callable[[int, int | None], object]


class TileGroup:
    """A matrix or a factor in tiles."""

    _tiles: Tiles

    @property
    def path(self) -> str:
        """The folder, or the URL."""
        return self._tiles.path

    @property
    def tile(self) -> int:
        """Rows of a tile."""
        return self._tiles.grid.tile

    @property
    def grid(self) -> int:
        """Tiles a side."""
        return self._tiles.grid.side

    @property
    def nbytes(self) -> int:
        """Bytes of the tiles that are there."""
        return sum(self._tiles.sizes().values())

    def missing(self) -> list[Tile]:
        """The tiles that are not done, as (i, j), i >= j, row after row.

        Returns
        -------
        list of (int, int)
            Costs one look into each row of tiles. `vech.Tiled.fill` computes them; of a factor
            `vech.linalg.cholesky`, resumed.

        Examples
        --------
        >>> vech.tiled.create("b.zarr", 5, tile=3).missing()
        [(0, 0), (1, 0), (1, 1)]
        """
        return self._tiles.missing()

    def verify(self, *, executor: Any = None, progress: Progress | None = None) -> list[Tile]:
        """Read all tiles, and say which are damaged; `missing` has those that are not there.

        Parameters
        ----------
        executor : concurrent.futures.Executor or distributed.Client, optional
            Who reads.
        progress : callable, optional
            Called as ``progress(tiles done, all tiles)``.

        Returns
        -------
        list of (int, int)
            Tiles (i, j), i >= j, whose checksum, size or compression is wrong. `vech.Tiled.repair` mends
            them; of a factor `vech.linalg.cholesky`, resumed.

        Raises
        ------
        OSError
            Where the system cannot read them.

        Examples
        --------
        >>> vech.tiled.create("d.zarr", 4).fill(lambda *_: np.eye(4)).verify()
        []
        """
        there = sorted(self._tiles.sizes())
        check_progress(progress)
        with workers_of(executor, 1) as workers:
            found = self._counted(completed(workers, _Damaged(self._tiles), there), len(there), progress)
        return sorted(tile for tile, damaged in found if damaged)

    def _counted(self, results: Generator[Any], count: int, progress: Progress | None) -> list[Any]:
        """All results, while somebody is told how far it is."""
        found, total = [], self._tiles.grid.total
        with closing(results):
            for done, item in enumerate(results, total - count + 1):
                found.append(item)
                if progress is not None:
                    progress(done, total)
        return found


@dataclass(frozen=True)
class _Damaged:
    """Whether a tile is."""

    tiles: Tiles

    def __call__(self, tile: Tile) -> bool:
        return self.tiles.damaged(*tile)


@contextmanager
def workers_of(given: Any, threads: int) -> Iterator[Executor | None]:
    """Who computes: an executor that was given, so many threads, or nobody else."""
    executor = executor_of(given)
    if executor is not None or threads == 1:
        yield executor
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool
