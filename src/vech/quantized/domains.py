"""Of which matrix the codes are: the one that is meant, its Cholesky factor, or its logarithm."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np

from vech.arrays import Array
from vech.derived.tiles import SIDE, lower
from vech.layouts.kind import Kind
from vech.quantized.parts import Parts
from vech.store import Tile

STEPS = 500  # of Lanczos for a product with exp(B): 60 do where eigenvalues of B lie within 40


class Domain(ABC):
    """What becomes of the numbers that codes give."""

    @abstractmethod
    def read(self, parts: Parts, out: Array, row: int, column: int, threads: int | None) -> None:
        """Numbers of the matrix from (row, column) on."""

    @abstractmethod
    def multiply(self, parts: Parts, x: Array, precise: bool, threads: int | None) -> Array:
        """The product with x, (n,) or (n, m), in its dtype."""

    def diagonal(self, parts: Parts) -> Array:
        """The diagonal, in memory of its own."""
        return parts.diagonal.copy()

    def tiles(self, parts: Parts, side: int | None) -> Iterator[Tile]:
        """The lower triangle in squares."""
        for rows, columns in lower(parts.n, side):
            out = np.empty((rows.stop - rows.start, columns.stop - columns.start), parts.dtype)
            self.read(parts, out, rows.start, columns.start, None)
            yield Tile(rows, columns, out)


class Entries(Domain):
    """The matrix itself."""

    def read(self, parts: Parts, out: Array, row: int, column: int, threads: int | None) -> None:
        parts.read(out, row, column, threads=threads)

    def multiply(self, parts: Parts, x: Array, precise: bool, threads: int | None) -> Array:
        return parts.multiply(x, precise=precise, threads=threads)


class Cholesky(Domain):
    """L L', of which L is held: its diagonal, and codes below it."""

    def read(self, parts: Parts, out: Array, row: int, column: int, threads: int | None) -> None:
        """By whole tiles, so that a number has the same bits whatever is read with it."""
        tile = parts.tile
        down, across = (
            range(first // tile, -(-(first + count) // tile))
            for first, count in zip((row, column), out.shape, strict=True)
        )
        panels = {i: _panel(parts, i, threads) for i in sorted({*down, *across})}
        for i in down:
            for j in across:
                one, other = panels[max(i, j)], panels[min(i, j)]
                block = one[:, : other.shape[1]] @ other.T
                if i == j:
                    block = np.tril(block) + np.tril(block, -1).T
                block = block if i >= j else block.T
                _put(out, block, i * tile - row, j * tile - column)

    def multiply(self, parts: Parts, x: Array, precise: bool, threads: int | None) -> Array:
        y = parts.multiply(x, 0.0, 1.0, precise=precise, threads=threads)
        return parts.multiply(y, 1.0, 0.0, precise=precise, threads=threads)

    def diagonal(self, parts: Parts) -> Array:
        found = np.empty(parts.n, parts.dtype)
        for start in range(0, parts.n, parts.tile):
            square = np.empty((min(parts.tile, parts.n - start),) * 2, parts.dtype)
            self.read(parts, square, start, start, None)
            found[start : start + len(square)] = square.diagonal()
        return found


class Log(Domain):
    """exp(B), of which the symmetric B is held."""

    def read(self, parts: Parts, out: Array, row: int, column: int, threads: int | None) -> None:
        full = exponential(parts, threads)
        out[...] = full[row : row + out.shape[0], column : column + out.shape[1]]

    def multiply(self, parts: Parts, x: Array, precise: bool, threads: int | None) -> Array:
        columns = x.reshape(parts.n, -1).astype(np.float64)
        found = np.empty_like(columns)
        wide = parts.astype(np.dtype(np.float64))
        for k in range(columns.shape[1]):
            found[:, k] = _exponential_times(
                lambda v: wide.multiply(v, precise=precise, threads=threads), columns[:, k]
            )
        return found.reshape(x.shape).astype(x.dtype)

    def diagonal(self, parts: Parts) -> Array:
        return exponential(parts, None).diagonal().copy()

    def tiles(self, parts: Parts, side: int | None) -> Iterator[Tile]:
        """All from one exponential: n x n numbers."""
        full = exponential(parts, None)
        for rows, columns in lower(parts.n, SIDE if side is None else side):
            yield Tile(rows, columns, full[rows, columns])


DOMAINS: dict[str, Domain] = {"entries": Entries(), "cholesky": Cholesky(), "log": Log()}


def triangle(parts: Parts, rows: slice, threads: int | None = None) -> Array:
    """Rows of L with its diagonal, up to the last column that it has in these."""
    found = parts.part(rows, slice(0, rows.stop), full=False, threads=threads)
    on = np.arange(rows.start, rows.stop)
    found[on - rows.start, on] = parts.diagonal[rows]
    return found


def _panel(parts: Parts, i: int, threads: int | None) -> Array:
    """A row of tiles of L, up to the diagonal."""
    return triangle(parts, slice(i * parts.tile, min((i + 1) * parts.tile, parts.n)), threads)


def exponential(parts: Parts, threads: int | None) -> Array:
    """exp(B) as a full matrix, exactly symmetric, by the eigenvalues of B in double."""
    from scipy.linalg import eigh

    everything = slice(0, parts.n)
    full = parts.part(everything, everything, threads=threads).astype(np.float64)
    values, vectors = eigh(full, overwrite_a=True, check_finite=False) if parts.n else (np.empty(0), full)
    vectors *= np.exp(values / 2)
    full = vectors @ vectors.T
    return (np.tril(full) + np.tril(full, -1).T).astype(parts.dtype)


def _exponential_times(multiply: Callable[[Array], Array], x: Array) -> Array:
    """exp(B) x by Lanczos with full orthogonalisation (Saad, SIAM J. Numer. Anal. 29, 1992).

    Steps go on until the last coefficient, so what is left out, is rounding.
    """
    from scipy.linalg import eigh_tridiagonal

    length, rounding = float(np.linalg.norm(x)), float(np.finfo(np.float64).eps)
    if length == 0 or not np.isfinite(length):
        return x * length
    basis = np.empty((min(len(x), STEPS), len(x)))
    on: list[float] = []
    off: list[float] = []
    basis[0] = x / length
    while True:
        vectors = basis[: len(on) + 1]
        image = multiply(vectors[-1])
        on.append(float(vectors[-1] @ image))
        for _ in range(2):
            image = image - vectors.T @ (vectors @ image)
        left = float(np.linalg.norm(image))
        values, turn = eigh_tridiagonal(np.array(on), np.array(off))
        coefficients = turn @ (np.exp(values - values.max()) * turn[0])
        exact = left <= 8 * rounding * np.abs([*on, *off, left]).max()
        settled = left * abs(coefficients[-1]) <= rounding * np.linalg.norm(coefficients)
        if exact or settled or len(on) == len(basis):
            found: Array = length * np.exp(values.max()) * (vectors.T @ coefficients)
            return found
        basis[len(on)] = image / left
        off.append(left)


def _put(out: Array, block: Array, row: int, column: int) -> None:
    """Copy what of a block lies within `out`, where it begins at a place that may be outside."""
    top, left = max(0, -row), max(0, -column)
    part = block[top : out.shape[0] - row, left : out.shape[1] - column]
    out[row + top : row + top + part.shape[0], column + left : column + left + part.shape[1]] = part


def check_domain(kind: Kind, domain: str) -> None:
    """Refuse the kinds that have neither factor nor logarithm."""
    if domain != "entries" and kind is not Kind.SYMMETRIC:
        raise TypeError(f"domain={domain!r} is of positive definite matrices, and S is {kind}")
