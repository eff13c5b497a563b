"""The nearest rows by products alone: some more than wanted by BLAS, and of these the best by differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype
from vech.neighbors.lists import Lists, Nearest
from vech.pairwise.products import TINY, Directions, Euclidean
from vech.results.making import TILE

SPARE = 6  # more neighbours than wanted, so that rounding of products shuts none out
PAIRS = 2**20  # that are computed by differences at a time
DOUBTFUL = 1 / 32  # of the rows: above that, distances of all pairs are made
FAR = 2.0**400  # the largest power of two by which rows are scaled

Float = NDArray[np.float64]
Tell = Callable[[int, int], object]


@dataclass(frozen=True)
class Search:
    """Scores of pairs that are small where rows are near: by products in `near`, exactly in `rows`."""

    near: Array  # rows that are multiplied
    rows: Array  # rows of which scores are computed pair by pair, in double
    products: bool  # whether a score is minus an inner product, or a squared distance
    scale: float  # of `near` in units of `rows`, squared
    finish: Callable[[Float], Float]  # from squared distances, or products, to values
    dtype: Dtype  # of the values

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.near)

    def found(self, k: int, threads: int, tell: Tell) -> Nearest | None:
        """The k nearest rows of every row; None where products say too little of too many rows."""
        squares = np.einsum("ij,ij->i", self.near, self.near, dtype=np.float64)
        if not np.isfinite(squares).all():
            return None
        most = min(k + SPARE, self.n - 1)
        indices, approximate = self._candidates(squares, most, threads, tell)
        scores = self._scores(np.arange(self.n), indices, threads)
        chosen = _first(scores, indices, k, self.dtype, self.finish)
        last = np.take_along_axis(scores, chosen[:, -1:], axis=1)[:, 0]
        doubtful = self._doubtful(squares, last, approximate, most)
        if doubtful is None or doubtful.size > DOUBTFUL * self.n:
            return None
        indices = np.take_along_axis(indices, chosen, axis=1)
        scores = np.take_along_axis(scores, chosen, axis=1)
        height = max(1, PAIRS // self.n)
        for start in range(0, doubtful.size, height):
            some = doubtful[start : start + height]
            every = np.broadcast_to(np.arange(self.n), (some.size, self.n))
            every = every[every != some[:, None]].reshape(some.size, self.n - 1)
            all_scores = self._scores(some, every, threads)
            best = _first(all_scores, every, k, self.dtype, self.finish)
            indices[some] = np.take_along_axis(every, best, axis=1)
            scores[some] = np.take_along_axis(all_scores, best, axis=1)
        return Nearest(indices, self._values(scores))

    def among(self, indices: NDArray[np.int64], k: int, threads: int) -> Nearest:
        """Of some rows that are proposed for each row, the k nearest."""
        found = np.empty((self.n, k), np.int64), np.empty((self.n, k))
        height = max(1, PAIRS // max(1, indices.shape[1]))
        for start in range(0, self.n, height):
            rows = np.arange(start, min(start + height, self.n))
            some = indices[rows]
            scores = self._scores(rows, some, threads)
            best = _first(scores, some, k, self.dtype, self.finish)
            for taken, part in zip(found, (some, scores), strict=True):
                taken[rows] = np.take_along_axis(part, best, axis=1)
        return Nearest(found[0], self._values(found[1]))

    def _candidates(
        self, squares: Float, k: int, threads: int, tell: Tell
    ) -> tuple[NDArray[np.int64], Float]:
        """The k best by products: columns of squared lengths and of ones make each product a score."""
        dtype = self.near.dtype
        ends = [] if self.products else [np.ones((self.n, 1), dtype), squares[:, None].astype(dtype)]
        right = np.hstack([self.near, *ends])
        factor = dtype.type(-1 if self.products else -2)
        lists = Lists(self.n, k, dtype, largest=False)
        memory = np.empty(TILE * TILE, dtype)
        starts = range(0, self.n, TILE)
        total = len(starts) * (len(starts) + 1) // 2
        done = 0
        for row in starts:
            left = np.hstack(
                [self.near[row : row + TILE] * factor, *(end[row : row + TILE] for end in ends[::-1])]
            )
            for column in range(row, self.n, TILE):
                others = right[column : column + TILE]
                tile = memory[: len(left) * len(others)].reshape(len(left), len(others))
                lists.offer(np.matmul(left, others.T, out=tile), row, column, threads)
                tell(done := done + 1, total)
        found = lists.found(dtype)
        return found.indices, found.values[:, -1].astype(np.float64)

    def _scores(self, rows: NDArray[np.int64], partners: NDArray[np.int64], threads: int) -> Float:
        """Of rows with partners, in double, the same for either order."""
        scores = np.empty(partners.shape)
        _core.pair_rows(self.rows, rows, np.ascontiguousarray(partners), scores, self.products, threads)
        return -scores if self.products else scores

    def _doubtful(
        self, squares: Float, last: Float, approximate: Float, kept: int
    ) -> NDArray[np.int64] | None:
        """Rows that rounding may have kept a nearer one from; None where scores left the range of double.

        |approximate - score| <= (m + 8) eps (|x| + |y|)^2, and a row y that is nearer than the last one at d
        has |y| <= |x| + d; of products it is the longest one.
        """
        if not np.isfinite(last).all() or (not self.products and ((last < TINY) & (last > 0)).any()):
            return None
        if kept == self.n - 1:
            return np.empty(0, np.int64)
        epsilon = float(np.finfo(self.near.dtype).eps)
        lengths, last = np.sqrt(squares), last * self.scale
        if self.products:
            bound = lengths * lengths.max(initial=0)
            last = last + 4 * np.finfo(self.dtype).eps * np.abs(last)
        else:
            bound = (2 * lengths + np.sqrt(last)) ** 2
            last = last * (1 + 4 * np.finfo(self.dtype).eps)
        error = (self.near.shape[1] + 8) * epsilon * bound
        return np.flatnonzero(~(last + error < approximate))

    def _values(self, scores: Float) -> Array:
        with np.errstate(over="ignore"):
            return self.finish(-scores if self.products else scores).astype(self.dtype)


def _first(
    scores: Float, indices: NDArray[np.int64], k: int, dtype: Dtype, finish: Callable[[Float], Float]
) -> NDArray[np.int64]:
    """Which are the k of the smallest values, as they will be written, ties by index."""
    with np.errstate(over="ignore"):
        values = finish(scores).astype(dtype) if finish is not _same else scores.astype(dtype)
    return np.lexsort((indices, values), axis=1)[:, :k]


def _same(scores: Float) -> Float:
    return scores


def _half(scores: Float) -> Float:
    return scores / 2


def by_distance(block: Euclidean | Directions) -> Search | None:
    """The search that finds what a block of distances would; None where numbers need more care."""
    every = slice(None)
    near = np.ascontiguousarray(block.near(slice(0, block.n), every))
    if isinstance(block, Directions):
        if not block.factor.all():
            return None  # rows without a direction
        exact = np.ascontiguousarray(block.exact(slice(0, block.n), every))
        return Search(near, exact, False, 1.0, _half, block.dtype)
    if not 1 / FAR < block.scale < FAR:
        return None  # the squares of rows as they are would not be numbers
    return Search(near, block.X, False, block.scale**2, np.sqrt if block.root else _same, block.dtype)


def by_difference(X: Array, metric: str, dtype: Dtype) -> Search:
    """Squared distances of rows, or half of them; where pairs are proposed, which `found` does not do."""
    return Search(X, X, False, 1.0, _half if metric == "cosine" else _same, dtype)


def by_product(X: Array) -> Search:
    """The search for the largest inner products."""
    return Search(X, X, True, 1.0, _same, X.dtype)
