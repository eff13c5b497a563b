"""How far a quantized matrix is from what it was made of, as numbers that are never too small."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vech.arrays import Array
from vech.quantized.parts import tiles_a_side
from vech.quantized.sources import BLOCK, blocks

EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class QuantizationError:
    """What ``E = A - Q`` is, where Q was made of A.

    Attributes
    ----------
    frobenius : float
        The Frobenius norm of E: the root of the sum of its squares.
    max : float
        The largest ``|e_ij|``.
    spectral_bound : float
        What the largest singular value of E does not exceed: the least of `frobenius`, of the largest sum of
        ``|e_ij|`` in a row, and of the spectral norm of the matrix of `tiles`.
    tiles : array, shape (grid, grid)
        The Frobenius norm of E in each tile, of the lower ones; zeros above.
    factors : tuple of 2 floats, or None
        In the domains "cholesky" and "log": each eigenvalue of A is one of Q times a number between these.
    """

    frobenius: float
    max: float
    spectral_bound: float
    tiles: Array
    factors: tuple[float, float] | None = None

    def __repr__(self) -> str:
        said = f"frobenius={self.frobenius:.4g}, max={self.max:.4g}, spectral_bound={self.spectral_bound:.4g}"
        if self.factors is not None:
            said += f", factors=({self.factors[0]:.6g}, {self.factors[1]:.6g})"
        return f"QuantizationError({said})"


@dataclass(eq=False)
class Sums:
    """Errors as they come, block by block."""

    squares: Array  # of each tile, each pair once, as the kernel adds them up in its precision
    norms: Array  # of tiles whose squares would not be numbers: each pair once too
    rows: Array  # |errors| by row
    largest: float = 0.0

    @classmethod
    def none(cls, n: int, tiles: int) -> Sums:
        """Without an error so far."""
        return cls(np.zeros(tiles), np.zeros(tiles), np.zeros(n))

    @np.errstate(over="ignore")
    def error(self, n: int, tile: int, eps: float) -> QuantizationError:
        """The certificate of a matrix whose diagonal is as it was, of numbers of this precision."""
        grid = tiles_a_side(n, tile)
        norms = np.zeros((grid, grid))
        norms[np.tril_indices(grid)] = np.hypot(np.sqrt(self.squares), self.norms) * (1 + LANES * eps)
        on = np.arange(grid)
        norms[on, on] *= math.sqrt(2)
        return certified(norms, self.rows, self.largest * (1 + eps), n)


STEPS = 20  # of the power method
LEAST = 5e-324  # by which a subnormal number is rounded
LANES = 32  # squares that the kernel adds up before they are counted in double, at most


@np.errstate(over="ignore")
def certified(norms: Array, rows: Array, largest: float, n: int) -> QuantizationError:
    """Of the norms of the lower tiles, whole squares on the diagonal, and of sums of |e| in each row."""
    frobenius = up(_whole(norms), n)
    bound = min(frobenius, up(float(rows.max(initial=0.0)), n), up(_norm_of_norms(norms), n))
    return QuantizationError(frobenius, largest, bound, norms * (1 + n * EPS))


def _norm_of_norms(norms: Array) -> float:
    """At least the spectral norm of the matrix of norms of tiles, which that of the errors does not exceed.

    For any v > 0 the largest ``(N v)_i / v_i`` is (Collatz and Wielandt), and after some steps of the power
    method it is near.
    """
    whole = norms + np.tril(norms, -1).T
    largest = float(whole.max(initial=0.0))
    if not 0 < largest < math.inf:
        return largest
    whole /= largest
    v, bound = np.ones(len(whole)), math.inf
    for _ in range(STEPS):
        product = whole @ v
        bound = min(bound, float((product / v).max()))
        v = product / product.max() + 1e-3  # positive, also where a tile is without error
    return bound * largest


def _whole(norms: Array) -> float:
    """The norm of all, of those of lower tiles: others are there twice."""
    return math.hypot(norm_of(norms.diagonal()), math.sqrt(2) * norm_of(np.tril(norms, -1)))


def norm_of(x: Array) -> float:
    """The root of the sum of squares, none of which becomes zero or infinite."""
    largest = float(np.abs(x).max(initial=0.0))
    return largest * float(np.linalg.norm(x / largest)) if 0 < largest < math.inf else largest


@np.errstate(over="ignore")
def norms_of(e: Array, tile: int) -> Array:
    """The norm of each tile of a block of errors."""
    largest = float(np.abs(e).max(initial=0.0)) or 1.0
    i, j = (np.arange(0, side, tile) for side in e.shape)
    squares = np.add.reduceat(np.add.reduceat((e / largest) ** 2, i, axis=0), j, axis=1)
    return np.asarray(largest * np.sqrt(squares))


def measured(S: Any, Q: Any) -> QuantizationError:
    """The certificate of any two stores of one side, by tiles of both; `Q.tile` is that of its tiles."""
    n, tile = Q.n, Q.tile
    grid = tiles_a_side(n, tile)
    norms, rows, largest = np.zeros((grid, grid)), np.zeros(n), 0.0
    for theirs, mine in zip(blocks(S), Q.tiles(BLOCK), strict=True):
        e = np.abs(theirs.numbers.astype(np.float64) - mine.numbers.astype(np.float64))
        largest = max(largest, float(e.max(initial=0.0)))
        with np.errstate(over="ignore"):
            rows[mine.rows] += e.sum(axis=1)
            if not mine.on_diagonal:
                rows[mine.columns] += e.sum(axis=0)
        found = norms_of(e, tile)
        i, j = mine.rows.start // tile, mine.columns.start // tile
        norms[i : i + found.shape[0], j : j + found.shape[1]] = found
    return certified(np.tril(norms), rows, largest * (1 + EPS), n)


def up(x: float, n: int) -> float:
    """More than x, by the rounding of sums of n numbers."""
    return x * (1 + (n + 8) * EPS) + (n + 8) * LEAST if x else x


def moved(error: QuantizationError, change: Array, tile: int) -> QuantizationError:
    """Of a matrix on whose diagonal this was added."""
    size = np.abs(change).astype(np.float64)
    most, n = float(size.max(initial=0.0)), size.size
    tiles = error.tiles.copy()
    on = np.arange(len(tiles))
    if n:
        tiles[on, on] = np.hypot(tiles[on, on], norms_of(size[:, None], tile)[:, 0]) * (1 + (n + 8) * EPS)
    frobenius = up(math.hypot(error.frobenius, norm_of(size)), n)
    bound = min(frobenius, up(error.spectral_bound + most, n))
    return replace(
        error,
        frobenius=frobenius,
        max=max(error.max, up(most, 0)),
        spectral_bound=bound,
        tiles=tiles,
    )


def scaled(error: QuantizationError, d: Array, tile: int, rounding: float) -> QuantizationError:
    """Of D Q D, as an estimate of D A D: bounds, for what is known of errors is a norm of each tile.

    Rounding moves the numbers of D Q D by this much in the Frobenius norm.
    """
    d = np.abs(d).astype(np.float64)
    most = np.maximum.reduceat(d, np.arange(0, d.size, tile)) if d.size else d
    tiles = error.tiles * np.multiply.outer(most, most)
    largest = float(d.max(initial=0.0)) ** 2
    frobenius = up(_whole(tiles) + rounding, d.size)
    return QuantizationError(
        frobenius,
        up(min(frobenius, error.max * largest + rounding), d.size),
        min(frobenius, up(error.spectral_bound * largest + rounding, d.size)),
        tiles + np.tril(np.full_like(tiles, rounding)),
    )


def together(error: QuantizationError, other: QuantizationError, n: int) -> QuantizationError:
    """Of the sum of two errors: bounds."""
    return QuantizationError(
        up(error.frobenius + other.frobenius, n),
        up(error.max + other.max, n),
        up(error.spectral_bound + other.spectral_bound, n),
        (error.tiles + other.tiles) * (1 + n * EPS),
    )


def taken(error: QuantizationError, n: int, tile: int, rounding: float) -> QuantizationError:
    """Of some rows and columns, each once, in any order: bounds, beside this much in the Frobenius norm."""
    grid = tiles_a_side(n, tile)
    largest = error.max + rounding
    frobenius = min(error.frobenius + rounding, largest * n)
    tiles = np.tril(np.full((grid, grid), min(frobenius, largest * tile)))
    bound = min(error.spectral_bound + rounding, frobenius)
    return QuantizationError(up(frobenius, n), up(largest, n), up(bound, n), tiles * (1 + n * EPS))
