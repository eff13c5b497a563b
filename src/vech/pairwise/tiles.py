"""Blocks of distances: what `make` asks for, by a kernel, by NumPy or by a function of two rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, resolve_threads
from vech.layouts.layout import Layout
from vech.moves.runs import Runs

WORK = 16  # how much more a distance takes than to write it


class Block(Protocol):
    """Distances between rows and rows, each with each."""

    @property
    def n(self) -> int:
        """How many rows there are."""

    @property
    def dtype(self) -> Dtype:
        """Of the distances."""

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Those of some rows and some others, shape (k, m); zero where both are the same row."""


def span(rows: slice, n: int) -> range:
    """The rows of a slice."""
    return range(*rows.indices(n))


def settled(block: Array, rows: range, columns: range) -> Array:
    """The block, with zero where a row meets itself."""
    same = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
    block[same - rows.start, same - columns.start] = 0
    return block


Where = tuple[int, bool, bool, int, int]
"""Of a half its side, whether it grows, and has its diagonal; and the first row and column of a block."""


class Direct:
    """Blocks that a kernel writes straight to where they belong."""

    dtype: Dtype
    threads: int | None

    @property
    def n(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def put(self, out: Array, where: Where, rows: slice, columns: slice, threads: int) -> None:
        """Distances into a block, or what a half stores of them."""
        raise NotImplementedError

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Distances in the dtype of the result."""
        here, there = span(rows, self.n), span(columns, self.n)
        block = np.empty((len(here), len(there)), self.dtype)
        threads = resolve_threads(self.threads, WORK * block.nbytes)
        self.put(block, (0, False, False, here.start, there.start), rows, columns, threads)
        return block

    def write(self, runs: Runs, rows: slice, columns: slice, threads: int) -> None:
        """The same into a half."""
        where = runs.n, runs.grow, runs.stored, rows.start, columns.start
        self.put(runs.half, where, rows, columns, threads)


@dataclass(frozen=True)
class Kernel(Direct):
    """Blocks by the kernel of a metric: `X` are floats, of which `dtype` need not be that of the result.

    `counts` are what columns count for where some are missing, if not their weights; `exact` the distances of
    rows with rows, of pairs that the kernel tells of.
    """

    X: Array
    metric: str
    dtype: Dtype
    weights: Array | None = None
    p: float = 2.0
    factor: float = 1.0
    missing: bool = False
    threads: int | None = None
    counts: Array | None = None
    exact: Callable[[NDArray[np.int64], NDArray[np.int64]], Array] | None = None

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.X)

    def put(self, out: Array, where: Where, rows: slice, columns: slice, threads: int) -> None:
        """Distances into a block, or what a half stores of them."""
        doubtful: Any = _core.distances(
            self.metric, self.X[rows], self.X[columns], out, where, self.weights, self.counts, self.p,
            self.factor, self.missing, threads,
        )  # fmt: skip
        if self.exact is not None and doubtful.size:
            i, j = np.divmod(doubtful, len(span(columns, self.n)))
            i, j = i + where[3], j + where[4]
            at: NDArray[np.int64] = doubtful if out.ndim == 2 else _slots(where, i, j)
            with np.errstate(over="ignore"):
                out.reshape(-1)[at] = self.exact(i, j)


def _slots(where: Where, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the numbers of rows i and columns j are in a half."""
    n, grow, stored, *_ = where
    layout = Layout("lower", "rows" if grow else "columns", diagonal="stored" if stored else "zero")
    return np.asarray(layout.slot(np.minimum(i, j), np.maximum(i, j), n))


@dataclass(frozen=True)
class Bits(Direct):
    """Blocks of a formula of counts, of rows of bits in words of 64."""

    words: Array
    features: int
    metric: str
    dtype: Dtype
    threads: int | None = None

    @classmethod
    def of(cls, X: Array, metric: str, dtype: Dtype) -> Bits:
        """Of truth values."""
        n, features = X.shape
        packed = np.zeros((n, -(-features // 64) * 8), np.uint8)
        packed[:, : -(-features // 8)] = np.packbits(X, axis=1, bitorder="little")
        return cls(packed.view(np.uint64), features, metric, dtype)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.words)

    def put(self, out: Array, where: Where, rows: slice, columns: slice, threads: int) -> None:
        """Distances into a block, or what a half stores of them."""
        args = self.words[rows], self.words[columns], self.features, out, where, threads
        _core.dissimilarities(self.metric, *args)


@dataclass(frozen=True)
class Rounded:
    """Blocks of another dtype, rounded."""

    block: Block
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self.block.n

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Distances in the dtype of the result."""
        with np.errstate(over="ignore"):
            return self.block(rows, columns).astype(self.dtype)


def rounded(block: Block, dtype: Dtype) -> Block:
    """The block in this dtype."""
    return block if block.dtype == dtype else Rounded(block, dtype)


@dataclass(frozen=True)
class Sphere:
    """Blocks of angles between points of latitude and longitude, in radians.

    h = sin^2(dphi / 2) + cos(phi) cos(phi') sin^2(dlambda / 2), and what is left to 1 by a sum of squares, so
    that neither near points nor opposite ones lose digits.
    """

    X: Array  # float64
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many points there are."""
        return len(self.X)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Angles in the dtype of the result."""
        a, b = self.X[rows, None] / 2, self.X[None, columns] / 2
        difference = np.moveaxis(a - b, -1, 0)
        (apart, across), (along, within) = np.sin(difference) ** 2, np.cos(difference) ** 2
        both = np.cos(2 * a[..., 0]) * np.cos(2 * b[..., 0])
        near = apart + both * across
        far = along * within + np.sin(a[..., 0] + b[..., 0]) ** 2 * across
        angles = 2 * np.arctan2(np.sqrt(near), np.sqrt(far))
        lost = np.abs(near) < 2.0**-900  # squares of angles so small that they are their sines
        if lost.any():
            up, aside = np.moveaxis(self.X[rows, None] - self.X[None, columns], -1, 0)
            angles[lost] = np.hypot(up[lost], np.sqrt(np.maximum(both[lost], 0)) * aside[lost])
        return settled(angles.astype(self.dtype, copy=False), span(rows, self.n), span(columns, self.n))


@dataclass(frozen=True)
class Function:
    """Blocks by a function of two rows, the one that comes first in X first."""

    X: Array
    function: Callable[[Array, Array], float]
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.X)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """One call a pair; pairs of which both orders are wanted are computed once."""
        here, there = span(rows, self.n), span(columns, self.n)
        block = np.zeros((len(here), len(there)), self.dtype)
        known = set(here) & set(there)
        for a, i in enumerate(here):
            for b, j in enumerate(there):
                if i < j or (i > j and not (i in known and j in known)):
                    block[a, b] = self._distance(min(i, j), max(i, j))
        for i in known:
            for j in known:
                if i > j:
                    block[i - here.start, j - there.start] = block[j - here.start, i - there.start]
        return block

    def _distance(self, i: int, j: int) -> float:
        found = self.function(self.X[i].copy(), self.X[j].copy())  # it may write into them
        try:
            return float(found)
        except (TypeError, ValueError):
            raise TypeError(
                f"metric gave {found!r} of rows {i} and {j}: a distance is one real number"
            ) from None
        except OverflowError:
            raise ValueError(
                f"metric gave an integer beyond float64 of rows {i} and {j}: give numpy.inf, or scale X"
            ) from None


def with_threads(block: Block, threads: int | None) -> Block:
    """The same block, by so many threads."""
    return replace(block, threads=threads) if isinstance(block, Kernel | Bits) else block
