"""The pairs that a matrix says most about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, Dtype, family, native
from vech.derived.pairs import stored
from vech.layouts.layout import Layout, as_flag, as_integer
from vech.linalg.checks import rows_at_a_time
from vech.neighbors.arguments import as_store
from vech.store import Pairs, Store, Tile

CHUNK = 2**18  # numbers looked at together

Indices = NDArray[np.int64]
Locate = Callable[[Indices], tuple[Indices, Indices]]
Piece = tuple[Array, Locate]


def strongest(S: Store | ArrayLike, k: int, *, absolute: bool = True, largest: bool = True) -> Pairs:
    """The k pairs of the largest modulus, of the largest number, or of the smallest, the strongest first.

    Parameters
    ----------
    S : store, or full matrix (array, data frame), shape (n, n)
        Real and symmetric. The diagonal is not looked at.
    k : int
        How many; all there are, where these are fewer.
    absolute : bool
        Whether numbers are compared without their sign, as of correlations.
    largest : bool
        False for the smallest first, as of distances.

    Returns
    -------
    Pairs
        Named tuple of arrays ``i, j, value``, i < j, and of the store's ``labels``; ``to_frame()`` makes it a
        data frame, by labels. Of equal numbers the pair that comes first row after row. NaN is left out,
        infinities count. Of a store that holds nonzeros alone, those that are stored, as in ``to_pairs()``.

    Raises
    ------
    ValueError
        For a negative k; for full matrices that are not symmetric.
    TypeError
        For complex numbers, dates, and kinds other than symmetric.

    See Also
    --------
    vech.plot.graph : draws them.

    Notes
    -----
    Reads each number once, of a `vech.Tiled` by the workers of ``S.using(executor)``; memory goes with k.

    Examples
    --------
    >>> R = vech.Packed(np.array([1.0, 0.1, -0.9, 1.0, 0.3, 1.0]), labels=["a", "b", "c"])
    >>> strongest(R, 2).to_frame()
       i  j  value
    0  a  c   -0.9
    1  b  c    0.3
    >>> strongest(R, 1, absolute=False).value, strongest(R, 1, absolute=False, largest=False).value
    (array([0.3]), array([-0.9]))
    """
    S = as_store(S, "strongest")
    count = as_integer("k", k)
    if count < 0:
        raise ValueError(f"k is {count}, and a number of pairs is not negative")
    absolute, largest = as_flag("absolute", absolute), as_flag("largest", largest)
    return ranked(S, count, absolute=absolute, largest=largest)


def ranked(S: Store, k: int, *, absolute: bool, largest: bool, finite: bool = False) -> Pairs:
    """The same of a store that fits, of finite numbers alone if so wanted."""
    order = _Order(S.n, k, absolute, largest, finite)
    best = order.none(native(S.dtype))
    if k and S._executor is not None:
        for found in S._by_strips(partial(order.among_tiles, best)):
            best = order.first(best, found)
    elif k:
        best = order.among(_pieces(S), best)
    return Pairs(best.i, best.j, best.value.astype(S.dtype, copy=False), S.labels)


class _Best(NamedTuple):
    """Pairs, the strongest first."""

    i: Indices
    j: Indices
    value: Array
    cost: Array


@dataclass(frozen=True)
class _Order:
    """Which pairs of a matrix of side n are wanted, and how many."""

    n: int
    k: int
    absolute: bool
    largest: bool
    finite: bool

    def none(self, dtype: Dtype) -> _Best:
        """No pairs yet."""
        nothing = np.empty(0, dtype)
        return _Best(np.empty(0, np.int64), np.empty(0, np.int64), nothing, self._cost(nothing))

    def first(self, *some: _Best) -> _Best:
        """The k best of these."""
        every = _Best(*map(np.concatenate, zip(*some, strict=True)))
        order = np.lexsort((every.j, every.i, every.cost))[: self.k]
        return _Best(*(part[order] for part in every))

    def among(self, pieces: Iterable[Piece], best: _Best) -> _Best:
        """Those of pieces of the matrix too."""
        for numbers, locate in pieces:
            costs = self._cost(numbers)
            possible = np.isfinite(costs) if self.finite else ~np.isnan(costs)
            if best.i.size == self.k:
                possible &= costs <= best.cost[-1]
            slots = np.flatnonzero(possible)
            rows, columns = locate(slots)
            off = rows != columns
            slots, rows, columns = slots[off], rows[off], columns[off]
            chosen = _best(costs[slots], rows, columns, self.n, self.k)
            slots = slots[chosen]
            best = self.first(best, _Best(rows[chosen], columns[chosen], numbers[slots], costs[slots]))
        return best

    def among_tiles(self, best: _Best, tiles: Iterable[Tile]) -> _Best:
        """Those of tiles too, where they are read."""
        return self.among(_of_tiles(tiles), best)

    def _cost(self, numbers: Array) -> Array:
        return _cost(numbers, self.absolute, self.largest)


def _best(cost: Array, i: Indices, j: Indices, n: int, k: int) -> Indices:
    """Which are the k of least cost, the first of equals, in any order."""
    if cost.size <= k:
        return np.arange(cost.size)
    limit = np.partition(cost, k - 1)[k - 1]
    sure, equal = np.flatnonzero(cost < limit), np.flatnonzero(cost == limit)
    missing = k - sure.size
    if missing < equal.size:
        equal = equal[np.argpartition(i[equal] * n + j[equal], missing - 1)[:missing]]
    return np.concatenate((sure, equal))


def _cost(numbers: Array, absolute: bool, largest: bool) -> Array:
    """What is small where a number is strong, of every dtype exactly."""
    if family(numbers.dtype) == "f":
        numbers = numbers.astype(np.float64 if numbers.dtype.itemsize == 8 else np.float32, copy=False)
        size = np.abs(numbers) if absolute else numbers
        return -size if largest else size
    if absolute:
        size = np.abs(numbers.astype(np.int64)).view(np.uint64) if numbers.dtype.kind == "i" else numbers
    else:
        size = (
            numbers.astype(np.int64).view(np.uint64) ^ np.uint64(2**63)
            if numbers.dtype.kind == "i"
            else numbers
        )
    size = size.astype(np.uint64)
    return ~size if largest else size


def _pieces(S: Store) -> Iterator[Piece]:
    """The numbers of all pairs, some at a time, and where the chosen ones of them stand: i <= j."""
    description = S.describe()
    layout: Any = description.layout
    if description.triangle is not None:
        i, j, numbers = stored(S, diagonal=False)
        yield numbers, lambda slots: (i[slots], j[slots])
    elif isinstance(layout, Layout) and not layout.scaled:
        half = S.to_packed(layout).half
        for start in range(0, half.size, CHUNK):
            yield half[start : start + CHUNK], partial(_of_half, layout, S.n, start)
    else:
        yield from _of_tiles(S.tiles())


def _of_tiles(tiles: Iterable[Tile]) -> Iterator[Piece]:
    for tile in tiles:
        for start, part in rows_at_a_time(tile.numbers):
            yield part.ravel(), partial(_of_tile, tile, start)


def _of_half(layout: Layout, n: int, start: int, slots: Indices) -> tuple[Indices, Indices]:
    i, j = layout.pair(start + slots, n)
    return np.minimum(i, j), np.maximum(i, j)


def _of_tile(tile: Tile, start: int, slots: Indices) -> tuple[Indices, Indices]:
    """Those above the diagonal, which are below it too, count as on it: they are left out."""
    i, j = np.divmod(slots, tile.columns.stop - tile.columns.start)
    i, j = i + tile.rows.start + start, j + tile.columns.start
    return np.minimum(i, j), np.where(i > j, i, np.minimum(i, j))
