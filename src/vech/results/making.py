"""A half made block by block: each tile of one triangle is computed once, and put where it belongs."""

from collections.abc import Callable
from typing import Any, NamedTuple

from vech.arrays import Array, Dtype, check_progress, resolve_threads
from vech.layouts.dialects import AnyLayout
from vech.moves.runs import blocks
from vech.packed.packed import Packed
from vech.results.result import TILE, Result

Progress = Callable[[int, int | None], object]
Block = Callable[[slice, slice], Array]
"""Rows and columns, each with each: the numbers of the full matrix there, shape (k, m), of the dtype made."""


class Wanted(NamedTuple):
    """How a half is wanted: the arguments of every function that makes one of data."""

    layout: str | AnyLayout = "vech"
    out: Any = None
    resume: bool = False
    executor: Any = None
    threads: int | None = None
    progress: Progress | None = None


def make(
    block: Block,
    n: int,
    dtype: Dtype,
    wanted: Wanted,
    *,
    labels: tuple[Any, ...] | None = None,
    implied: int | None = None,
    side: int = TILE,
) -> Packed:
    """The store of n rows whose blocks a function computes: one triangle of tiles of `side` rows.

    Where rows and columns are the same, the whole square is asked for. A layout without its diagonal serves
    where that is `implied`, 0 or 1.
    """
    check_progress(wanted.progress)
    result = Result(n, dtype, wanted.layout, wanted.out, implied=implied)
    runs = result.runs()
    threads = resolve_threads(wanted.threads, result.half.nbytes)
    tiles = list(blocks(n, runs.grow, side))
    for done, (rows, columns) in enumerate(tiles, 1):
        made = block(columns, rows).T if runs.turned and result.kind.conjugates else block(rows, columns)
        runs.write(rows, columns, made, "write", threads)
        if wanted.progress is not None:
            wanted.progress(done, len(tiles))
    return result.store(labels)
