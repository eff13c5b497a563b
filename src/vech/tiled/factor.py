"""The Cholesky factor of a tiled store, tile by tile: another store of tiles, of L alone.

A tile of L follows from finished ones, ``L_ij = (S_ij - sum of L_ik L_jk^H over k < j) L_jj^-H``, and is
written once: that it is there says that it is done, whoever computed it and however often.
"""

from __future__ import annotations

import errno
import heapq
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from copy import copy
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Never, Self, TypeVar

import numpy as np

from vech.arrays import Array, Dtype, check_progress
from vech.derived.tiles import TOGETHER
from vech.executors import completed, executor_of, in_order
from vech.layouts.kind import Kind
from vech.linalg.checks import check_selfadjoint, work_dtype
from vech.linalg.factor.answers import not_definite
from vech.linalg.factor.triangle import Factorization
from vech.linalg.units import lift, times_power
from vech.tiled.description import FACTOR
from vech.tiled.grid import Grid
from vech.tiled.group import Progress, TileGroup
from vech.tiled.objects import TakenError, as_path, draft_of, place_of
from vech.tiled.products import blas
from vech.tiled.store import GLANCED, Tiled
from vech.tiled.tiles import Tile, Tiles, is_in_place, put_in_place

Item = TypeVar("Item")
Done = TypeVar("Done")

ADJOINT = 2  # what BLAS is to take of its first matrix


class TiledCholesky(TileGroup, Factorization):
    """The factor L of a positive definite matrix ``S = L L^H`` in tiles, by ``cholesky(T, out="L.zarr")``.

    `vech.tiled.open` opens it again. It is read tile by tile, and nothing of it is kept in memory.

    Examples
    --------
    >>> T = vech.tiled.create("S.zarr", 2).fill(lambda *_: np.array([[4.0, 2], [2, 10]]))
    >>> F = vech.linalg.cholesky(T, out="L.zarr")
    >>> F.solve([8.0, 22.0]), round(F.logdet(), 4)
    (array([1., 2.]), 3.5835)
    >>> vech.tiled.open("L.zarr").L @ [1.0, 0.0]
    array([2., 1.])
    """

    def __init__(self, tiles: Tiles) -> None:
        super().__init__(Triangular(tiles), tiles.said.labels)
        self._tiles = tiles

    def using(self, executor: Any) -> Self:
        """The same factor, whose tiles are read by the workers of an executor: for `solve` and all others.

        Parameters
        ----------
        executor : concurrent.futures.Executor, distributed.Client or None
            Who computes; results have the same bits for any number of workers. Squares on the diagonal are
            solved with here.

        Returns
        -------
        TiledCholesky
            Of the same tiles.

        Raises
        ------
        TypeError
            For what is none of these.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> T = vech.tiled.create("spd.zarr", 2).fill(lambda *_: np.array([[4.0, 2], [2, 10]]))
        >>> F = vech.linalg.cholesky(T, out="factor.zarr")
        >>> with ThreadPoolExecutor(2) as pool:
        ...     F.using(pool).solve([8.0, 22.0])
        array([1., 2.])
        """
        executor_of(executor)
        other = copy(self)
        other._factor = Triangular(self._tiles, executor)
        return other

    def _sample(self, rows: Array) -> Array | str:
        if self.nbytes > GLANCED:
            return "a look at its files would read them all"
        own = rows // self._tiles.grid.tile
        found = np.zeros((rows.size, rows.size), self.dtype)
        parts = np.unique(own)
        for i in parts:
            for j in parts[parts <= i]:
                here = np.ix_(own == i, own == j)
                first, second = (rows[own == at] % self._tiles.grid.tile for at in (i, j))
                found[here] = self._tiles.read(int(i), int(j))[np.ix_(first, second)]
        found[rows[:, None] < rows] = 0
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Never:
        raise TypeError(
            f"a TiledCholesky holds L in tiles: zarr.open_array({self.path!r}, path='data') reads it"
        )


class Triangular:
    """A lower triangle in tiles as a `TriangularFactor`: each tile is read once for each of these."""

    exponent = 0  # of the matrix itself: lifted while it is factored, numbers of its size have a root
    singular = False

    def __init__(self, tiles: Tiles, executor: Any = None) -> None:
        self.tiles, self.n, self.dtype = tiles, tiles.grid.n, tiles.dtype
        self._executor = executor

    def __reduce__(self) -> Any:
        """Without the executor, which stays where it is."""
        return Triangular, (self.tiles,)

    def solve(self, b: Array) -> Array:
        """(L L^H)^-1 b, of b of shape (n, m), which is overwritten."""
        self.solve_lower(b)
        self.solve_upper(b)
        return b

    def pivots(self) -> Array:
        """Numbers whose product is the determinant of L L^H."""
        squares = self._results(partial(_diagonal, self.tiles), range(self.tiles.grid.side))
        return np.tile(np.concatenate([np.empty(0, self.dtype), *(part for _, part in squares)]), 2)

    def largest(self) -> float:
        """The largest modulus of the numbers."""
        rows = range(self.tiles.grid.side)
        return max((most for _, most in self._results(partial(_largest, self.tiles), rows)), default=0.0)

    def multiply(self, z: Array) -> Array:
        """L z, of z of shape (n, m)."""
        y, grid = np.zeros(z.shape, z.dtype), self.tiles.grid
        parts = (part for k in range(grid.side) for part in self._parts(k, k, grid.side, z))
        for part, products in self._results(_Products(self.tiles, adjoint=False), parts):
            y[part.rows(grid)] += products
        return y

    def multiply_conjugate(self, z: Array) -> Array:
        """L^H z, of z of shape (n, m)."""
        y, grid = np.zeros(z.shape, z.dtype), self.tiles.grid
        parts = (part for k in range(grid.side) for part in self._parts(k, 0, k + 1, z))
        for part, products in self._results(_Products(self.tiles, adjoint=True), parts):
            y[part.rows(grid)] += products
        return y

    def solve_lower(self, x: Array) -> None:
        """Overwrite b, in x, by L^-1 b."""
        self._substitute(x, adjoint=False)

    def solve_upper(self, x: Array) -> None:
        """Overwrite b, in x, by L^-H b."""
        self._substitute(x, adjoint=True)

    def _substitute(self, x: Array, *, adjoint: bool) -> None:
        """Rows of x that are final, here by their square, are taken off those that they are in.

        The next rows are final once these are taken off them, while others are still being computed; all
        are taken off in one order, so that bits do not depend on who computes.
        """
        grid = self.tiles.grid
        parts: deque[_Part] = deque()

        def settle(k: int) -> None:
            x[grid.span(k)] = _solved(self.tiles.read(k, k), x[grid.span(k)], adjoint=adjoint)
            parts.extend(self._parts(k, *((0, k) if adjoint else (k + 1, grid.side)), x, backward=adjoint))

        if grid.side:
            settle(grid.side - 1 if adjoint else 0)
        for part, products in self._results(_Products(self.tiles, adjoint), _Taken(parts)):
            x[part.rows(grid)] -= products
            after = part.k - 1 if adjoint else part.k + 1
            if after in range(part.first, part.stop):
                settle(after)

    def _parts(self, k: int, first: int, stop: int, x: Array, *, backward: bool = False) -> Iterator[_Part]:
        """Tiles of a row or of a column in tasks: some for each of many workers."""
        height = min(TOGETHER, -(-(stop - first) // TOGETHER)) or 1
        some = [range(at, min(at + height, stop)) for at in range(first, stop, height)]
        rows = x[self.tiles.grid.span(k)].copy() if some else x  # which go on being changed
        return (_Part(k, part.start, part.stop, rows) for part in (some[::-1] if backward else some))

    def _results(
        self, function: Callable[[Item], Done], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Done]]:
        with closing(in_order(executor_of(self._executor), function, items)) as results:
            yield from results


@dataclass(frozen=True)
class _Part:
    """Tiles of column k, or of row k, that follow each other, and the rows k of what they multiply."""

    k: int
    first: int
    stop: int
    x: Array

    def rows(self, grid: Grid) -> slice:
        """Those of the products."""
        return slice(grid.span(self.first).start, grid.span(self.stop - 1).stop)


@dataclass(frozen=True)
class _Products:
    """L_ik x_k of the tiles of a column, or L_ki^H x_k of those of a row, one after the other."""

    tiles: Tiles
    adjoint: bool

    def __call__(self, part: _Part) -> Array:
        some = range(part.first, part.stop)
        if self.adjoint:
            return np.concatenate([_adjoint_times(self.tiles.read(part.k, i), part.x) for i in some])
        return np.concatenate([self.tiles.read(i, part.k) @ part.x for i in some])


class _Taken(Iterator[Item]):
    """What is in a queue: where there is nothing for now, there is no next one; later there may be."""

    def __init__(self, queue: deque[Item]) -> None:
        self._queue = queue

    def __next__(self) -> Item:
        if not self._queue:
            raise StopIteration
        return self._queue.popleft()


def _diagonal(tiles: Tiles, i: int) -> Array:
    return np.array(tiles.read(i, i).diagonal())


def _largest(tiles: Tiles, i: int) -> float:
    """Of a row of tiles."""
    return max(float(np.abs(tiles.read(i, j)).max()) for j in range(i + 1))


def _adjoint_times(tile: Array, x: Array) -> Array:
    return np.asarray((tile.T @ x.conj()).conj())


def _solved(square: Array, x: Array, *, adjoint: bool) -> Array:
    """L^-1 x or L^-H x of a square on the diagonal, which BLAS takes as it lies: as an upper one, L^T."""
    if not adjoint:
        return np.asarray(blas("trsm", x.dtype)(1, square.T, x, lower=0, trans_a=1))
    return np.asarray(blas("trsm", x.dtype)(1, square.T, x.conj(), lower=0).conj())


def cholesky(
    S: Any, out: str | os.PathLike[str], *, resume: bool, executor: Any, progress: Progress | None
) -> TiledCholesky:
    """`vech.linalg.cholesky` of a tiled store into another one."""
    if not isinstance(S, Tiled):
        raise TypeError(
            f"out= is where the factor of a vech.Tiled goes, not of a {type(S).__name__}: "
            f"vech.write('S.zarr', S) makes one, and without out= the factor is in memory"
        )
    check_progress(progress)
    out = as_path("out", out).rstrip("/")
    if not out.lower().endswith(".zarr"):
        raise ValueError(f"out={out!r}: a factor is made in a folder ending in .zarr")
    if missing := len(S.missing()):
        raise FileNotFoundError(
            errno.ENOENT, f"{missing} tiles are not done: missing() lists them, fill() computes them", S.path
        )
    check_selfadjoint(S, "cholesky", "solver='minres' of vech.linalg.solve takes indefinite ones too")
    dtype = work_dtype(S.dtype, "S")
    executor = executor or S._executor
    workers = executor_of(executor)
    tiles, done = _place(S, out, dtype, resume, executor)
    schedule = Schedule(tiles.grid.side, done)
    exponent = lift(S.diagonal().real.astype(np.zeros(0, dtype).real.dtype))  # no number is larger
    step = _Step(S.using(None).with_labels(None), tiles, exponent, dtype)
    total = tiles.grid.total
    try:
        with tiles.place.hold():
            for tile, _ in completed(workers, step, schedule):
                schedule.finish(tile)
                if progress is not None:
                    progress(total - schedule.left, total)
    except (np.linalg.LinAlgError, NotFiniteError):
        tiles.place.remove()  # no run can go on with it
        raise
    except FileNotFoundError:
        if not is_in_place(tiles, out):  # where another run of the same has put it
            raise
    put_in_place(tiles, out)
    return TiledCholesky(Tiles(out))


def opened(tiles: Tiles) -> TiledCholesky:
    """The factor of an open store; FileNotFoundError where it is not complete."""
    if missing := len(tiles.missing()):
        raise FileNotFoundError(
            errno.ENOENT,
            f"the factor is not complete, {missing} of {tiles.grid.total} tiles are missing: "
            f"vech.linalg.cholesky(T, out=..., resume=True) goes on",
            tiles.path,
        )
    return TiledCholesky(tiles)


def _place(S: Tiled, out: Any, dtype: Dtype, resume: bool, executor: Any) -> tuple[Tiles, set[Tile]]:
    """Where the factor goes, and which of its tiles are there and sound."""
    made = {"of": _identity(S), "dtype": dtype.name}
    draft = draft_of(out)
    there = {place: found for place in (out, draft) if (found := _factor(place)) is not None}
    if there and resume:
        for found in there.values():
            if found.said.made == made:
                return found, set(found.sizes()) - set(TiledCholesky(found).verify(executor=executor))
        first = next(iter(there.values()))
        raise ValueError(
            f"resume=True goes on with the same factor, and {first.path} is of another matrix, or of "
            f"this one before it changed: start anew without resume=True"
        )
    place, instead = out, b""
    if out in there and not there[out].missing():  # it stays until the new one is complete
        place = draft
        place_of(out).check(overwrite=True)
    if (found := there.get(place)) is not None:
        found.check_free("resume=True works on it too, or wait for it")
        instead = found.about
    said = {"tile": S.tile, "labels": S.labels, "made": made}
    try:
        tiles = Tiles.create(place, S.n, dtype, Kind.TRIANGULAR, overwrite=True, instead=instead, **said)
        return tiles, set()
    except TakenError:
        if not resume:
            raise
        return _place(S, out, dtype, resume, executor)


def _factor(path: str) -> Tiles | None:
    """The factor under a path, if there is one."""
    with suppress(FileNotFoundError):
        there = Tiles(path, "r+")
        if there.said.store != FACTOR:
            raise FileExistsError(errno.EEXIST, "is a matrix, whose place no factor takes", there.path)
        return there
    return None


def _identity(S: Tiled) -> str:
    """What tells a matrix from all others, and from itself once a tile was written again."""
    tiles = S._tiles
    said = [repr((tiles.path, tiles.grid, S._transposed, S._conjugated))]
    said += [repr(tiles.stamp(i, j)) for i, j in tiles.grid.lower()]
    return sha256("\n".join(said).encode()).hexdigest()


class Schedule(Iterator[Tile]):
    """The tiles that can be computed, since those they follow from are done; the first columns first.

    Where none can for now, there is no next one; after a `finish` there may be.
    """

    def __init__(self, side: int, done: set[Tile]) -> None:
        self._done, self.left = done, side * (side + 1) // 2 - len(done)
        self._next = [0] * side  # the first column of each row that is not done
        self._ready: list[tuple[int, int]] = []
        for i in range(side):
            self._pass(i)
        for i in range(side):
            self._offer(i)

    def __next__(self) -> Tile:
        if not self._ready:
            raise StopIteration
        j, i = heapq.heappop(self._ready)
        return i, j

    def finish(self, tile: Tile) -> None:
        """A tile is done."""
        i, _ = tile
        self.left -= 1
        self._next[i] += 1
        self._pass(i)
        self._offer(i)
        if self._next[i] > i:  # its square is done, and others waited for that
            for row in range(i + 1, len(self._next)):
                if self._next[row] == i:
                    self._offer(row)

    def _pass(self, i: int) -> None:
        while (i, self._next[i]) in self._done:
            self._next[i] += 1

    def _offer(self, i: int) -> None:
        """The next tile of a row, if it can be computed."""
        j = self._next[i]
        if j == i or (j < i and self._next[j] > j):
            heapq.heappush(self._ready, (j, i))


class NotFiniteError(ValueError):
    """A matrix has no factor, since a number of it is not finite."""


@dataclass(frozen=True)
class _Step:
    """One tile of L, of S and the tiles before: by BLAS, transposed, so that tiles are taken as they lie."""

    source: Tiled
    factor: Tiles
    exponent: int  # of two, by which S is lifted on the way
    dtype: Dtype

    def __call__(self, tile: Tile) -> None:
        i, j = tile
        block = self._block(i, j)
        for k in range(j):
            left = self._done(i, k)
            if i == j:
                name = "herk" if self.dtype.kind == "c" else "syrk"
                block = blas(name, self.dtype)(-1, left, 1, block, trans=ADJOINT, lower=0, overwrite_c=1)
            else:
                gemm = blas("gemm", self.dtype)
                block = gemm(-1, self._done(j, k), left, 1, block, trans_a=ADJOINT, overwrite_c=1)
        if i == j:
            block = self._root(block, self.factor.grid.span(j).start)
        else:
            square = self._done(j, j)
            block = blas("trsm", self.dtype)(1, square, block, lower=0, trans_a=ADJOINT, overwrite_b=1)
        self.factor.write(i, j, times_power(block.T, -self.exponent // 2))

    def _block(self, i: int, j: int) -> Array:
        """A tile of S, transposed, in memory of its own."""
        rows, columns = self.factor.grid.span(i), self.factor.grid.span(j)
        block = np.array(self.source.read_tile(i, j), self.dtype, order="C")
        for row, column in np.argwhere(~np.isfinite(block))[:1]:
            at = f"{rows.start + row}, {columns.start + column}"
            raise NotFiniteError(f"S[{at}] is {block[row, column]}: factors need finite numbers")
        return times_power(block, self.exponent).T

    def _done(self, i: int, j: int) -> Array:
        """A tile of L, transposed."""
        return times_power(self.factor.read(i, j), self.exponent // 2).T

    def _root(self, square: Array, before: int) -> Array:
        from scipy.linalg import get_lapack_funcs

        root, minor = get_lapack_funcs("potrf", dtype=self.dtype)(square, lower=0, clean=1, overwrite_a=1)
        if minor:
            raise not_definite(before + int(minor), "solve(S, b, solver='minres') takes indefinite matrices")
        return np.asarray(root)
