"""The pairs of a store, i < j, row by row: with labels, as SciPy's condensed vector, or some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, check_memory, family
from vech.store import Pairs, Store, Tile

PANEL_BYTES = 2**22  # rows of the full matrix that are expanded at a time
CONDENSED = ("condensed", "strict-triu")  # both are SciPy's order where S is symmetric

Indices = NDArray[np.int64]
Done = TypeVar("Done")


def to_pairs(S: Store, diagonal: bool) -> Pairs:
    """All pairs, or those that are stored where nonzeros alone are."""
    if S.describe().triangle is not None:
        return Pairs(*stored(S, diagonal), S.labels)
    length = count(S.n, diagonal)
    check_memory(length * (16 + S.dtype.itemsize), "expand(rows=) gives some rows at a time")
    lengths = S.n - np.arange(S.n) - (0 if diagonal else 1)
    i = np.repeat(np.arange(S.n), lengths)
    j = np.arange(length) + np.repeat(S.n - np.cumsum(lengths), lengths)
    return Pairs(i, j, _joined(S, diagonal), S.labels)


def to_condensed(S: Store, drop_diagonal: bool) -> Array:
    """The vector of SciPy's distance functions, of a matrix that is one of distances, as far as one sees."""
    if S.kind != "symmetric" or family(S.dtype) == "c":
        what = "complex" if S.kind == "symmetric" else S.kind
        raise TypeError(f"distances are real and symmetric, and S is {what}: to_pairs() takes every kind")
    layout = S.describe().layout
    if layout is not None and layout.name in CONDENSED:
        held: Array = S.to_packed(layout).half
        return held
    if S.n and not drop_diagonal:
        diagonal = S.diagonal()
        for i in np.flatnonzero(diagonal != np.zeros(1, diagonal.dtype))[:1]:
            raise ValueError(
                f"S[{i}, {i}] is {diagonal[i]}, and a distance to itself is 0: "
                f"to_condensed(drop_diagonal=True) leaves out whatever stands there"
            )
        half: Array = S.to_packed(CONDENSED[0]).half
        return half
    check_memory(count(S.n, False) * S.dtype.itemsize, "expand(rows=) gives some rows at a time")
    return _joined(S, False)


def count(n: int, diagonal: bool) -> int:
    """How many pairs there are."""
    return n * (n + 1) // 2 if diagonal else n * (n - 1) // 2


def each(S: Store, diagonal: bool) -> Iterator[Array]:
    """The numbers of the pairs, each once, a tile at a time; of nonzeros alone those."""
    if S.describe().triangle is not None:
        yield stored(S, diagonal)[2]
        return
    for tile in S.tiles():
        yield each_once(tile, diagonal)


def of_each(
    function: Callable[[Array], Done], diagonal: bool, dtype: np.dtype[Any], tiles: Iterable[Tile]
) -> list[tuple[int, Done]]:
    """How many pairs each of these tiles has, and what the function gives of their numbers."""
    parts = (each_once(tile, diagonal).astype(dtype, copy=False) for tile in tiles)
    return [(part.size, function(part)) for part in parts]


def each_once(tile: Tile, diagonal: bool) -> Array:
    """The numbers of the pairs in a tile."""
    square = np.tril_indices(len(tile.numbers), 0 if diagonal else -1)
    return tile.numbers[square] if tile.on_diagonal else tile.numbers.ravel()


def stored(S: Store, diagonal: bool) -> tuple[Indices, Indices, Array]:
    """Rows, columns and numbers of a store of nonzeros alone, row after row."""
    coo = S.to_coo(part="upper")
    rows, columns = (axis.astype(np.int64) for axis in coo.coords)
    kept = slice(None) if diagonal else rows != columns
    return rows[kept], columns[kept], coo.data[kept]


def panels(S: Store) -> Iterator[tuple[int, Array]]:
    """Rows of the full matrix, many at a time: the first one's number, and the rows."""
    height = max(1, PANEL_BYTES // max(1, S.n * S.dtype.itemsize))
    for start in range(0, S.n, height):
        yield start, S.expand(slice(start, min(start + height, S.n)))


def _upper(S: Store, diagonal: bool) -> Iterator[Array]:
    first = 0 if diagonal else 1
    for start, rows in panels(S):
        for i, row in enumerate(rows, start + first):
            yield row[i:]


def _joined(S: Store, diagonal: bool) -> Array:
    """Those of all pairs in one vector."""
    joined, done = np.empty(count(S.n, diagonal), S.dtype), 0
    for part in _upper(S, diagonal):
        joined[done : done + part.size] = part
        done += part.size
    return joined
