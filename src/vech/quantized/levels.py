"""Codebooks of 16 levels, found in the numbers they are for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.quantized.encodings import COUNT
from vech.quantized.parts import as_tile
from vech.quantized.sources import as_source, blocks, check_finite, is_matrix
from vech.store import Store

BINS = 1024  # of a histogram over -1 ... 1: exact k-means of these takes 0.1 s, and 4096 gave the same error
ROUNDS = 20  # of Lloyd's, with the ends held


def codebook(matrices: Any, *, tile: int = 64, diagonal: bool = False) -> Array:
    """16 levels for "kmeans-4" by k-means, of one matrix or shared by many.

    Parameters
    ----------
    matrices : store, full matrix, or iterable of these
        Whose numbers the levels are for; each is read once.
    tile : {64, 32, 128, 256}
        Rows and columns of the tiles that will have a scale each: numbers count in units of the largest
        modulus of theirs.
    diagonal : bool
        Whether the diagonal counts too, which a quantized matrix holds apart: with weight 1, numbers off it
        with 2, as often as each is in the full matrix.

    Returns
    -------
    array, shape (16,)
        Ascending, the largest modulus being 1, which the largest number of each tile gets.

    Raises
    ------
    ValueError
        If there is no matrix, and for NaN and infinity, named with (i, j).
    TypeError
        For complex matrices, dates, and what is no matrix.

    Notes
    -----
    Levels make ``sum w a^2 (x - level)^2`` small, where a is the largest modulus of a tile, x a number over
    it, and w its weight: the squared Frobenius norm of the error. Exact k-means by dynamic programming of a
    histogram of 1024 bins (H. Wang, M. Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by
    dynamic programming", R Journal 3(2), 2011); then the first and last level are held at the least and the
    largest x while Lloyd's iteration settles the others. Memory for one block.

    Examples
    --------
    >>> levels = vech.quantized.codebook(np.array([[9.0, 1, -4], [1, 9, 2], [-4, 2, 9]]))
    >>> sorted(set(levels.tolist()))
    [-1.0, 0.25, 0.5]
    >>> vech.quantize(np.array([[9.0, 1, -4], [1, 9, 2], [-4, 2, 9]]), "kmeans-4", levels=levels).error.max
    0.0
    """
    side = as_tile(tile)
    several = [matrices] if is_matrix(matrices) else matrices
    if not isinstance(several, Iterable):
        raise TypeError(f"codebook takes a matrix or several, not {type(several).__name__}")
    histogram = Histogram()
    for matrix in several:
        histogram.add(as_source(matrix, "a matrix"), side, diagonal)
    if not histogram.matrices:
        raise ValueError("there is no matrix to find levels in")
    return histogram.levels()


def sided_codebook(S: Store, sides: Array, scale: float) -> Array:
    """The same for numbers in units of ``scale sides[r] sides[c]``."""
    histogram = Histogram()
    if scale:
        histogram.add_sided(S, sides, scale)
    return histogram.levels()


class Histogram:
    """Numbers in units of the largest modulus in their tile, each with the square of that for a weight."""

    def __init__(self) -> None:
        self.weights, self.sums = np.zeros(BINS), np.zeros(BINS)
        self.unit = 0.0  # of weights: the largest modulus seen
        self.ends = 0.0, 0.0  # the least and the largest number in its unit
        self.matrices = 0

    def add(self, S: Store, tile: int, diagonal: bool) -> None:
        """Count the numbers of a matrix."""
        self.matrices += 1
        for rows, columns, numbers in blocks(S):
            check_finite(numbers, rows, columns)
            for i in range(0, len(numbers), tile):
                for j in range(0, numbers.shape[1], tile):
                    square = numbers[i : i + tile, j : j + tile].astype(np.float64)
                    if rows.start + i > columns.start + j:
                        self._count([(square.ravel(), 2)])
                    elif rows.start + i == columns.start + j:
                        below = square[np.tril_indices(len(square), -1)]
                        self._count([(below, 2), (square.diagonal(), 1)] if diagonal else [(below, 2)])

    def _count(self, numbers: list[tuple[Array, int]]) -> None:
        largest = max(float(np.abs(some).max(initial=0.0)) for some, _ in numbers)
        if largest == 0:
            return
        if largest > self.unit:
            self.weights *= (self.unit / largest) ** 2
            self.sums *= (self.unit / largest) ** 2
            self.unit = largest
        for some, often in numbers:
            weight = often * (largest / self.unit) ** 2
            self._put(some / largest, np.broadcast_to(weight, some.shape))

    def add_sided(self, S: Store, sides: Array, scale: float) -> None:
        """Count the numbers below the diagonal in units of ``scale sides[r] sides[c]``, with its square."""
        self.matrices += 1
        sides = sides.astype(np.float64)
        weights = (sides / sides.max(initial=0.0)) ** 2
        for rows, columns, numbers in blocks(S):
            below = np.arange(rows.start, rows.stop)[:, None] > np.arange(columns.start, columns.stop)
            share = numbers / sides[rows, None] / sides[columns] / scale
            self._put(share[below], np.multiply.outer(weights[rows], weights[columns])[below])

    def _put(self, share: Array, weights: Array) -> None:
        least, most = float(share.min(initial=0)), float(share.max(initial=0))
        self.ends = min(self.ends[0], least), max(self.ends[1], most)
        place = np.clip(((share + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1)
        self.weights += np.bincount(place, weights, BINS)
        self.sums += np.bincount(place, weights * share, BINS)

    def levels(self) -> Array:
        """16 levels of which the weighted sum of squared distances is small; the largest modulus is 1."""
        if not self.weights.any():
            return np.linspace(-1, 1, COUNT)
        share = self.weights / self.weights.max()
        used = share > 0
        weights = share[used]
        points = self.sums[used] / self.weights[used]
        if points.size <= COUNT:
            found = np.append(points, np.repeat(points[-1:], COUNT - points.size))
        else:
            found = _means(points, weights)
        return _settled(found, points, weights, self.ends)


def _means(points: Array, weights: Array) -> Array:
    """The means of 16 runs of ascending points, cut where the sum of squares within them is least."""
    count = points.size
    heaps, firsts, seconds = (
        np.concatenate(([0.0], np.cumsum(weights * points**power))) for power in (0, 1, 2)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = heaps[None, 1:] - heaps[:-1, None]  # of a run from its first point, down, to its last
        first = firsts[None, 1:] - firsts[:-1, None]
        within = seconds[None, 1:] - seconds[:-1, None] - first**2 / mass
    within = np.where(mass > 0, np.maximum(within, 0), 0)  # 0 where a run is lost beside what is before it
    within = np.where(np.tri(count, dtype=bool).T, within, np.inf)
    cuts = np.zeros((COUNT, count), np.int64)
    best = within[0]
    for k in range(1, COUNT):
        sums = np.concatenate(([np.inf], best[:-1]))[:, None] + within
        cuts[k] = sums.argmin(axis=0)
        best = sums[cuts[k], np.arange(count)]
    found, last = np.empty(COUNT), count - 1
    for k in range(COUNT - 1, -1, -1):
        begin = cuts[k, last] if k else 0
        run = slice(begin, last + 1)  # by itself, since differences of sums lose light ones
        found[k] = np.average(points[run], weights=weights[run])
        last = begin - 1
    return found


def _settled(levels: Array, points: Array, weights: Array, ends: tuple[float, float]) -> Array:
    """The same with the first and last at the ends, after which the others are means again.

    So no number is beyond them, and random rounding is right in the mean.
    """
    levels = levels.copy()
    levels[[0, -1]] = np.array(ends) / np.abs(ends).max()
    between = np.arange(COUNT) % (COUNT - 1) > 0
    for _ in range(ROUNDS):
        nearest = np.abs(points[:, None] - levels).argmin(axis=1)
        mass = np.bincount(nearest, weights, COUNT)
        moved = (mass > 0) & between
        levels[moved] = np.bincount(nearest, weights * points, COUNT)[moved] / mass[moved]
    return np.sort(levels)
