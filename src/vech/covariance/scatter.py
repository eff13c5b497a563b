"""A sample covariance that is to be shrunk, in a half or by tiles: sums, and its mixture with a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vech.arrays import Array, Dtype
from vech.covariance.moments import Moments
from vech.covariance.products import Centre
from vech.layouts.kind import Kind
from vech.moves.runs import SIDE, Half, blocks
from vech.packed.norms import norm
from vech.packed.packed import Packed
from vech.results.executing import Tick
from vech.results.making import Tiles
from vech.results.result import Result
from vech.results.tiles import TileByTile


class Target(Protocol):
    """What a covariance is shrunk towards."""

    def mixed(self, block: Array, intensity: float, rows: slice, columns: slice) -> None:
        """Shrink a block of S where it is."""


@dataclass(frozen=True)
class Identity:
    """A mean variance, times the identity matrix."""

    mean: float

    def mixed(self, block: Array, intensity: float, rows: slice, columns: slice) -> None:
        """(1 - d) S + d m I."""
        block *= block.dtype.type(1 - intensity)
        if rows == columns:
            block.reshape(-1)[:: len(block) + 1] += block.dtype.type(intensity * self.mean)


@dataclass(frozen=True)
class ConstantCorrelation:
    """Standard deviations, and one correlation."""

    deviation: Array
    r: float

    def mixed(self, block: Array, intensity: float, rows: slice, columns: slice) -> None:
        """(1 - d) S + d r s s^T, with the variances as they are."""
        variances = block.diagonal().copy()
        block *= block.dtype.type(1 - intensity)
        block += (intensity * self.r) * np.multiply.outer(self.deviation[rows], self.deviation[columns])
        if rows == columns:
            np.fill_diagonal(block, variances)


class Scatter(Protocol):
    """The sample covariance S with ddof = 0."""

    @property
    def moments(self) -> Moments | Centre:
        """What is known of all rows."""

    @property
    def dtype(self) -> Dtype:
        """Of its numbers."""

    def diagonal(self) -> Array:
        """The variances, in float64."""

    def square(self, *units: float) -> float:
        """||S||^2, S divided by these units."""

    def quadratic(self, x: Array) -> float:
        """x^T S x."""

    def distance(self, deviation: Array, r: float, unit: float) -> float:
        """||S - F||^2, F of this correlation, where X has this unit: of pairs, where S and F differ."""

    def mix(self, intensity: float, target: Target) -> None:
        """Make the result."""


@dataclass(frozen=True)
class InHalf:
    """S in the half of the result."""

    result: Result
    moments: Moments | Centre

    @property
    def dtype(self) -> Dtype:
        """Of its numbers."""
        return self.result.dtype

    def diagonal(self) -> Array:
        """The variances, in float64."""
        return self.result.runs().ends().astype(np.float64)

    def square(self, *units: float) -> float:
        """||S||^2, S divided by these units."""
        size = norm(Half(self.result.half, self.result.plain, self.result.kind))
        for unit in units:
            size /= unit
        return size * size

    def quadratic(self, x: Array) -> float:
        """x^T S x."""
        return float(Packed(self.result.half, self.result.plain).quadratic(x))

    def distance(self, deviation: Array, r: float, unit: float) -> float:
        """||S - F||^2."""
        runs, total = self.result.runs(), 0.0
        buffer = np.empty(SIDE * SIDE, self.dtype)
        for rows, columns in blocks(self.result.p, runs.grow, SIDE):
            block = apart(runs.read(rows, columns, buffer, 1), deviation, r, unit, rows, columns)
            if rows == columns:
                block = np.tril(block, -1) if runs.grow else np.triu(block, 1)
            total += 2 * float(np.vdot(block, block))
        return total

    def mix(self, intensity: float, target: Target) -> None:
        """Shrink it where it is."""
        runs = self.result.runs()
        buffer = np.empty(SIDE * SIDE, self.dtype)
        for rows, columns in blocks(self.result.p, runs.grow, SIDE):
            block = runs.read(rows, columns, buffer, 1)
            target.mixed(block, intensity, rows, columns)
            runs.write(rows, columns, block, "write", 1)


@dataclass(frozen=True)
class InTiles:
    """S by tiles, made anew for each sum over it: none but the mixture is kept."""

    store: TileByTile
    moments: Centre
    job: Tiles

    @property
    def dtype(self) -> Dtype:
        """Of its numbers."""
        return self.store.dtype

    def diagonal(self) -> Array:
        """The variances, in float64."""
        return self.moments.variances(self.moments.weight)

    def square(self, *units: float) -> float:
        """||S||^2, S divided by these units."""
        return self._sum(Square(units))

    def quadratic(self, x: Array) -> float:
        """x^T S x."""
        return self._sum(Quadratic(x.astype(np.float64)))

    def distance(self, deviation: Array, r: float, unit: float) -> float:
        """||S - F||^2."""
        return self._sum(Distance(deviation, r, unit))

    def _sum(self, part: Callable[[Array, slice, slice], float]) -> float:
        return self.store.sum(self.job, part)

    def mix(self, intensity: float, target: Target) -> None:
        """Make the tiles that are wanted."""
        self.store.fill(Mixture(self.job, intensity, target))


@dataclass(frozen=True)
class Square:
    """The squares of a tile, in some units."""

    units: tuple[float, ...]

    def __call__(self, tile: Array, rows: slice, columns: slice) -> float:
        numbers = tile.astype(np.float64)
        for unit in self.units:
            numbers /= unit
        return _twice(numbers, numbers, rows == columns)


@dataclass(frozen=True)
class Quadratic:
    """What a tile has of x^T S x."""

    x: Array

    def __call__(self, tile: Array, rows: slice, columns: slice) -> float:
        once = float(self.x[rows] @ (tile @ self.x[columns]))
        return once if rows == columns else 2 * once


@dataclass(frozen=True)
class Distance:
    """What a tile has of ||S - F||^2."""

    deviation: Array
    r: float
    unit: float

    def __call__(self, tile: Array, rows: slice, columns: slice) -> float:
        block = apart(tile, self.deviation, self.r, self.unit, rows, columns)
        if rows == columns:
            np.fill_diagonal(block, 0)
        return _twice(block, block, rows == columns)


@dataclass(frozen=True)
class Mixture:
    """Tiles of S, shrunk."""

    scatter: Tiles
    intensity: float
    target: Target

    @property
    def unit(self) -> int:
        """Rows of a block."""
        return self.scatter.unit

    def tile(
        self, kind: Kind, dtype: Dtype, rows: slice, columns: slice, threads: int | None, tick: Tick
    ) -> Array:
        """A lower tile."""
        made = self.scatter.tile(kind, dtype, rows, columns, threads, tick)
        self.target.mixed(made, self.intensity, rows, columns)
        return made


def apart(block: Array, deviation: Array, r: float, unit: float, rows: slice, columns: slice) -> Array:
    """S - F, F of this correlation, where X has this unit."""
    scaled: Any = block / unit / unit
    return np.asarray(scaled - r * np.multiply.outer(deviation[rows], deviation[columns]))


def _twice(a: Array, b: Array, diagonal: bool) -> float:
    """The sum of products of a tile and of its mirrored one."""
    once = float(np.vdot(a, b))
    return once if diagonal else 2 * once
