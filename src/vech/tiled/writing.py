"""Tiles computed and put down: what is computed here is written by other threads, for a disk takes time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from threading import Event
from typing import Any

from vech.arrays import as_array
from vech.executors import completed
from vech.tiled.tiles import Tile

BEHIND, FEWER, MOST_BYTES = 4, 2, 1 << 25
"""Tiles that are on their way to the disk while the next one is computed; fewer of many bytes. With four of
8 MB a disk takes what it can, with two 0.85 of that."""

Blocks = Callable[[Tile], Any]
Write = Callable[[int, int, Any], None]


def written(
    write: Write,
    blocks: Blocks,
    tiles: Iterable[Tile],
    executor: Executor | None,
    *,
    stop: Event | None = None,
) -> Generator[Tile]:
    """Each tile once it is down: by the workers of an executor, or computed here, one after the other."""
    if executor is not None:
        with closing(completed(executor, _Written(write, blocks), tiles, stop=stop)) as results:
            for tile, _ in results:
                yield tile
        return
    waiting: deque[tuple[Tile, Future[None]]] = deque()
    with ThreadPoolExecutor(BEHIND) as writers:
        for tile in tiles:
            block = as_array(blocks(tile), "block").copy()  # the next one may come in the same memory
            while len(waiting) >= (FEWER if BEHIND * block.nbytes > MOST_BYTES else BEHIND):
                yield _first(waiting)
            waiting.append((tile, writers.submit(write, *tile, block)))
        while waiting:
            yield _first(waiting)


def _first(waiting: deque[tuple[Tile, Future[None]]]) -> Tile:
    tile, done = waiting.popleft()
    done.result()
    return tile


@dataclass(frozen=True)
class _Written:
    """A tile, put down where it belongs."""

    write: Write
    blocks: Blocks

    def __call__(self, tile: Tile) -> None:
        self.write(*tile, self.blocks(tile))
