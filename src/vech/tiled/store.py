"""Tiled: a matrix in a Zarr group of its lower tiles, used as if it were in memory."""

from __future__ import annotations

import copy as copying
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import (
    Array,
    as_array,
    block_memory,
    check_memory,
    check_progress,
    family,
    native,
    resolve_threads,
)
from vech.derived.pairs import of_each
from vech.executors import executor_of, in_order
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import Half, blocks, runs_of
from vech.packed.indexing import consecutive, taken, vector
from vech.packed.packed import Packed
from vech.packed.products import by_columns
from vech.store import Description, Store, as_labels
from vech.store import Tile as Square
from vech.tiled.grid import Grid, within
from vech.tiled.group import Progress, TileGroup, workers_of
from vech.tiled.products import Product, strips
from vech.tiled.squares import check_square, settled_square
from vech.tiled.tiles import Tile, Tiles
from vech.tiled.writing import written

if TYPE_CHECKING:
    from vech.quantized import QuantizationError

Function = Callable[[slice, slice], Any]
Done = TypeVar("Done")
LOWER = Layout("lower", "rows")
GLANCED = 2**24  # bytes of files that are read for a picture in a notebook


class Tiled(TileGroup, Store):
    """A store whose numbers are lower tiles in files or in an object store, by `vech.tiled.open`.

    Only the tiles that are asked for are read; of a folder, uncompressed, they are mapped into memory and
    not copied. It pickles as its path, so that tasks for other processes are small; where that was made anew
    since, it is a ValueError to open it, and where that has grown, its old side is seen. Nothing is kept of
    what was read, but which checksums were looked at.
    """

    _beside = (
        "; by tiles, vech.tiled.create(path, S.n).fill(lambda rows, cols: 1 - S.block(rows, cols)) writes "
        "another store"
    )

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self._transposed = self._conjugated = False
        self._labels = tiles.said.labels
        self._executor: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the executor, which stays where it is, and labels that the store has."""
        state = self.__dict__ | {"_executor": None}
        if self._labels is self._tiles.said.labels:
            del state["_labels"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {"_labels": state["_tiles"].said.labels} | state

    @property
    def mode(self) -> str:
        """ "r" for reading, "r+" for writing too."""
        return self._tiles.mode

    @property
    def made(self) -> dict[str, Any] | None:
        """What the numbers are made of, where a function of vech made them."""
        return self._tiles.said.made

    @property
    def compression(self) -> str:
        """How tiles are squeezed: "none" or "zstd"."""
        return self._tiles.said.compression

    @property
    def encoding(self) -> str | None:
        """What few bits numbers are held in, a key of `vech.ENCODINGS`; None where they are as they are."""
        codes = self._tiles.said.codes
        return None if codes is None else codes.encoding.name

    @property
    def error(self) -> QuantizationError | None:
        """How far tiles of few bits are from what was written: as of `vech.Quantized`, of all that are done.

        None of a store of numbers, and where codes came without it. The bound of the largest singular value
        is the Frobenius norm. Where a store has grown, numbers that were rounded twice count with the sums of
        both errors. Looks at the checksum of each tile as `read_tile`; FileFormatError where one is damaged.
        """
        if self.encoding is None:
            return None
        from vech.quantized.certificate import certified

        grid = self._tiles.grid
        squares, largest = np.zeros((grid.side, grid.side)), 0.0
        for i, j in self._tiles.sizes():
            lost = self._tiles.lost(i, j)
            squares[i, j] = lost.squares * (2 if i == j else 1)
            largest = max(largest, lost.largest)
        if not np.isfinite(squares).all():
            return None
        return certified(np.sqrt(squares), np.full(max(1, self.n), np.inf), largest, self.n)

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._tiles.grid.n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""
        return self._tiles.dtype

    @property
    def kind(self) -> str:
        """What the other triangle is: "symmetric", "hermitian", "skew" or "skew-hermitian"."""
        return self._kind

    @property
    def _kind(self) -> Kind:
        return self._tiles.said.kind

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    def describe(self) -> Description:
        """What the tiles hold, and their side: see `vech.Store.describe`.

        Returns
        -------
        Description

        Examples
        --------
        >>> vech.tiled.create("said.zarr", 5, tile=3).describe().tile
        3
        """
        return super().describe()._replace(tile=self.tile)

    @property
    def T(self) -> Self:
        """The transposed matrix: this store where that is the same, else conjugated or negated in reading."""
        same = not (self._kind.conjugates or self._kind.negates)
        return self if same else self._seen(transposed=True, conjugated=False)

    @property
    def H(self) -> Self:
        """The conjugate transpose: this store where that is the same, else as `T` has it."""
        complex_ = family(self.dtype) == "c"
        same = self._kind is Kind.HERMITIAN or (self._kind is Kind.SYMMETRIC and not complex_)
        return self if same else self._seen(transposed=True, conjugated=complex_)

    def _seen(self, *, transposed: bool, conjugated: bool) -> Self:
        other = copying.copy(self)
        other._transposed = self._transposed != transposed
        other._conjugated = self._conjugated != conjugated
        other._executor = self._executor
        return other

    def _glance(self, rows: Array) -> Array | str:
        if self.nbytes > GLANCED:
            return "a look at its files would read them all; vech.view(S) reads what is looked at"
        return super()._glance(rows)

    def using(self, executor: Any) -> Self:
        """The same store, whose tiles are read and computed with by an executor, unless one is given.

        That is for products, and so `eigsh`, ``cg``, `top` and all else that multiplies; for `norm` and
        `inner`; for `nearest`, `within`, `graph` and `strongest` of `vech.neighbors`; for ``to_csr()`` and
        its like; for ``min()``, ``argmin()``, ``max()``, ``argmax()``, ``mean()`` and ``std()``; for
        `cholesky` into a store of tiles.

        Parameters
        ----------
        executor : concurrent.futures.Executor, distributed.Client or None
            As for `matmul`. A few tasks at a time are given out, each of up to 16 tiles beside each other,
            which the worker reads; results have the same bits for any number of workers.

        Returns
        -------
        Tiled
            Of the same tiles.

        Raises
        ------
        TypeError
            For what is none of these.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> T = vech.tiled.create("a.zarr", 3).fill(lambda rows, cols: np.ones((3, 3)))
        >>> with ThreadPoolExecutor(2) as pool:
        ...     T.using(pool) @ [1.0, 2, 3]
        array([6., 6., 6.])
        """
        executor_of(executor)
        other = copying.copy(self)
        other._executor = executor
        return other

    def copy(self) -> Any:
        """The same matrix in memory, as a `vech.Packed`; `vech.write` makes another store of tiles.

        Returns
        -------
        vech.Packed

        Raises
        ------
        MemoryError
            As `to_packed`.

        Examples
        --------
        >>> vech.tiled.create("copied.zarr", 2).fill(lambda *_: np.eye(2)).copy().half
        array([1., 0., 1.])
        """
        return self.to_packed()

    def read_tile(self, i: int, j: int) -> Array:
        """A lower tile as it is stored: rows ``i * tile`` on, columns ``j * tile`` on.

        Parameters
        ----------
        i, j : int
            Which, i >= j.

        Returns
        -------
        array, shape (tile, tile) or less at the end
            Read-only; mapped into memory where it is a file that is not compressed. Its checksum is looked
            at when it is read for the first time since the store was opened, or since the file changed.

        Raises
        ------
        FileNotFoundError
            Where it is not done.
        FileFormatError
            Where it is damaged.
        IndexError
            For what is no lower tile.

        Examples
        --------
        >>> vech.tiled.create("read.zarr", 2, tile=1).fill(lambda *_: np.ones((1, 1))).read_tile(1, 0)
        array([[1.]])
        """
        self._tiles.grid.check(i, j)
        return self._at(i, j)

    def write_tile(self, i: int, j: int, block: ArrayLike) -> None:
        """Put a tile down, whole: when this returns it is on the disk, and until then all is as before.

        Parameters
        ----------
        i, j : int
            Which, i >= j.
        block : array, shape (tile, tile) or less at the end
            Of the store's dtype. A square on the diagonal has to be of the store's kind, but for rounding:
            its lower triangle counts, and of its diagonal what products take, nothing of a skew one and the
            real parts of a Hermitian one.

        Raises
        ------
        ValueError
            For another shape, a square that is not of the kind, a store open for reading.
        TypeError
            For another dtype.
        OSError
            Where the disk is full; then the tile is as before.

        Notes
        -----
        Any number of writers may write, also the same tile: whole tiles follow each other.

        Examples
        --------
        >>> T = vech.tiled.create("written.zarr", 2)
        >>> T.write_tile(0, 0, np.eye(2))
        >>> T.missing()
        []
        """
        self._check_own()
        self._write(i, j, block)

    def _write(self, i: int, j: int, block: ArrayLike, *, diagonal: bool = True) -> None:
        """The same; of a run the `diagonal` keeps its bits, as in a half."""
        array = as_array(block, "block")
        if i == j and array.shape == (self._tiles.grid.height(i),) * 2:
            check_square(array, i * self.tile, self._kind, "block")
            array = settled_square(array, self._kind, diagonal=diagonal)
        self._tiles.write(i, j, array.astype(native(array.dtype), copy=False))

    def _check_own(self) -> None:
        if self._transposed or self._conjugated:
            raise ValueError("T and H of a store are seen through it: write to the store itself")

    def fill(
        self,
        function: Function,
        *,
        executor: Any = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Compute the tiles that are missing.

        Parameters
        ----------
        function : callable
            ``function(rows, columns)``, two slices, gives the numbers of the full matrix there; as for
            `vech.pairwise.from_blocks`.
        executor : concurrent.futures.Executor or distributed.Client, optional
            Who computes: a tile is a task, and its numbers go from the worker to the store.
        threads : int, optional
            Without an executor, at most so many tiles at a time.
        progress : callable, optional
            Called as ``progress(tiles done, all tiles)``.

        Returns
        -------
        Tiled
            This store. A run that ended, killed or not, is gone on with by the same call.

        Raises
        ------
        ValueError, TypeError
            For blocks that do not fit, as `write_tile`; what the function raises comes out as it is.

        Examples
        --------
        >>> T = vech.tiled.create("c.zarr", 4, tile=2)
        >>> x = np.arange(4.0)
        >>> T.fill(lambda rows, columns: np.multiply.outer(x[rows], x[columns])).block(3, 1)
        array([[3.]])
        """
        self._put(function, self.missing(), executor, threads, progress)
        return self

    def repair(self, function: Function, *, executor: Any = None) -> list[Tile]:
        """Compute again the tiles that are damaged.

        Parameters
        ----------
        function : callable
            As for `fill`.
        executor : concurrent.futures.Executor or distributed.Client, optional
            Who reads and computes.

        Returns
        -------
        list of (int, int)
            Those that were.

        Raises
        ------
        ValueError, TypeError, OSError
            As `fill` and `verify`.

        Examples
        --------
        >>> T = vech.tiled.create("e.zarr", 4).fill(lambda *_: np.eye(4))
        >>> T.repair(lambda *_: np.eye(4))
        []
        """
        tiles = self.verify(executor=executor)
        self._put(function, tiles, executor, None, None)
        return tiles

    def _put(
        self,
        function: Function,
        tiles: list[Tile],
        executor: Any,
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        check_progress(progress)
        blocks = Blocks(self._tiles.grid, function)
        with workers_of(executor, 1 if threads is None else resolve_threads(threads, 0)) as workers:
            self._counted(written(self.write_tile, blocks, tiles, workers), len(tiles), progress)

    def append(
        self, rows: ArrayLike | Function, *, n: int | None = None, labels: Iterable[Any] | None = None
    ) -> None:
        """Let the matrix grow by rows and columns; tiles that are full stay as they are.

        Parameters
        ----------
        rows : array, shape (k, n + k), or callable
            The new rows, those of the new matrix: with the old columns, and with themselves. Or
            ``function(rows, columns)``, which gives them tile by tile.
        n : int, optional
            With a function, the side of the new matrix.
        labels : sequence of k, optional
            Of the new rows, where the store has labels.

        Raises
        ------
        ValueError
            For another shape, a square that is not of the kind, labels where there are none, or none where
            there are; and while tiles are missing.

        Notes
        -----
        The last row of tiles is written again where it is not full: create with a `tile` that divides n, and
        nothing is. The store has its old side until all new tiles are there, and its old numbers too where
        tiles are codes; a run that is killed is repeated. In a folder one append at a time: a
        BlockingIOError where another one is at work.

        Examples
        --------
        >>> T = vech.tiled.create("f.zarr", 2).fill(lambda *_: np.eye(2))
        >>> T.append([[5.0, 6, 7]])
        >>> T.expand()
        array([[1., 0., 5.],
               [0., 1., 6.],
               [5., 6., 7.]])
        """
        from vech.tiled.growing import append

        self._check_own()
        if self._labels != self._tiles.said.labels:
            raise ValueError("the store has other labels than these: append to the store itself")
        self._tiles = append(self, rows, n, labels)
        self._labels = self._tiles.said.labels

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array: of the squares alone.

        Returns
        -------
        array, shape (n,)

        Examples
        --------
        >>> vech.tiled.create("g.zarr", 2).fill(lambda *_: np.eye(2)).diagonal()
        array([1., 1.])
        """
        grid = self._tiles.grid
        parts = [self._at(i, i).diagonal() for i in range(grid.side)]
        return np.concatenate([np.empty(0, self.dtype), *parts])

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some rows of it: each tile that has some of them is read once.

        Parameters
        ----------
        rows : slice or range, optional
            Rows that follow each other; all unless told.
        out : array, shape (k, n), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            Has no effect.

        Returns
        -------
        array, shape (n, n) or (k, n)

        Raises
        ------
        MemoryError
            If the result is larger than memory and swap together, before anything is allocated.
        FileNotFoundError, FileFormatError
            For tiles that are not done, or damaged.

        Examples
        --------
        >>> T = vech.tiled.create("h.zarr", 2).fill(lambda *_: np.eye(2))
        >>> T.expand(slice(1, 2))
        array([[0., 1.]])
        """
        resolve_threads(threads, 0)
        start, stop = (0, self.n) if rows is None else consecutive(rows, self.n)
        out = block_memory((stop - start, self.n), self.dtype, out)
        grid = self._tiles.grid
        for i in grid.over(start, stop):
            here = grid.span(i)
            some = slice(max(here.start, start), min(here.stop, stop))
            target, inside = out[some.start - start : some.stop - start], within(some, here)
            for j in range(grid.side):
                tile = self._at(i, j) if rows is not None or j <= i else None
                if tile is not None:
                    target[:, grid.span(j)] = tile[inside]
                    if rows is None and j < i:
                        out[grid.span(j), here] = self._mirrored(tile)
        return out

    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Some rows with some columns, each with each: of the tiles that have them.

        Parameters
        ----------
        rows, cols : slice, range, integers, mask or labels
            As for `vech.Packed.block`.
        out : array, shape (k, m), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            Has no effect.

        Returns
        -------
        array, shape (k, m)

        Raises
        ------
        IndexError
            For indices out of range or not integers.

        Examples
        --------
        >>> T = vech.tiled.create("i.zarr", 3).fill(lambda *_: np.eye(3))
        >>> T.block([0, 2], slice(1, None))
        array([[0., 0.],
               [0., 1.]])
        """
        resolve_threads(threads, 0)
        down, across = (vector(index, self.n, axis, self.labels) for axis, index in enumerate((rows, cols)))
        out = block_memory((down.size, across.size), self.dtype, out)
        for i, at in self._parts(down):
            for j, to in self._parts(across):
                tile = self._at(i, j)
                part = np.ix_(down[at] - i * self.tile, across[to] - j * self.tile)
                out[np.ix_(at, to)] = tile[part]
        return out

    def __getitem__(self, key: Any) -> Any:
        """``Z[i, j]``, ``Z[i]``, parts and labels, as of `vech.Packed`: of the tiles that have them."""
        i, j, meet = taken(key, self.labels, self.n)
        if meet:
            return self.block(i.reshape(-1), j.reshape(-1)).reshape(i.shape + j.shape)
        found, down, across = np.empty(i.size, self.dtype), i.ravel(), j.ravel()
        for row, at in self._parts(down):
            for column, among in self._parts(across[at]):
                to = at[among]
                tile = self._at(row, column)
                found[to] = tile[down[to] - row * self.tile, across[to] - column * self.tile]
        return found.reshape(i.shape)[()]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if hasattr(Packed, name):
                raise AttributeError(
                    f"a Tiled has no {name}: to_packed() makes a Packed of it, which has, in memory; "
                    f"block(rows, cols) reads a part"
                )
            return super().__getattr__(name)

    def _parts(self, taken: Array) -> Iterator[tuple[int, Array]]:
        """Rows of tiles that have some of these, and which of these."""
        place = taken // self.tile
        return ((int(i), np.flatnonzero(place == i)) for i in np.unique(place))

    def _at(self, i: int, j: int) -> Array:
        """Any tile of the full matrix."""
        tile = self._stored(j, i).T if self._transposed else self._stored(i, j)
        return tile.conj() if self._conjugated else tile

    def _mirrored(self, tile: Array) -> Array:
        """The tile across the diagonal from one."""
        return self._kind.mirror(tile.T)

    def _stored(self, i: int, j: int) -> Array:
        """The same of the matrix that is stored, whose transpose or conjugate this may be."""
        return self._tiles.read(i, j) if i >= j else self._mirrored(self._tiles.read(j, i))

    def to_packed(self, layout: Any = "vech", *, threads: int | None = None) -> Packed:
        """The same matrix in memory, labels and all, as a `vech.Packed`.

        Parameters
        ----------
        layout : str or layout
            The layout of its half.
        threads : int, optional
            At most so many threads.

        Returns
        -------
        vech.Packed

        Raises
        ------
        MemoryError
            If the half is larger than memory and swap together.
        ValueError, TypeError, OverflowError
            As `vech.Packed.to_packed`.

        Examples
        --------
        >>> vech.tiled.create("j.zarr", 2).fill(lambda *_: np.eye(2)).to_packed().half
        array([1., 0., 1.])
        """
        check_memory(LOWER.length(self.n) * self.dtype.itemsize, "use it tile by tile, by its own methods")
        half = np.empty(LOWER.length(self.n), self.dtype)
        runs = runs_of(Half(half, LOWER, self._kind))
        count = resolve_threads(threads, half.nbytes)
        for rows, columns in blocks(self.n, runs.grow, self.tile):
            tile = self._at(rows.start // self.tile, columns.start // self.tile)
            runs.write(rows, columns, np.ascontiguousarray(tile), "write", count)
        packed = Packed(half, LOWER, kind=self.kind, labels=self.labels)
        return packed.to_packed(layout, threads=threads)

    def matmul(
        self,
        x: ArrayLike,
        out: Array | None = None,
        *,
        executor: Any = None,
        threads: int | None = None,
    ) -> Array:
        """The product with x: each lower tile is read once, for both of its products.

        Parameters
        ----------
        x : array, shape (n,) or (..., n, m)
            What to multiply with.
        out : array, optional
            Memory for the result, of its shape and dtype.
        executor : concurrent.futures.Executor or distributed.Client, optional
            Who computes; unless told that of `using`, or this process.
        threads : int, optional
            Without an executor, at most so many threads.

        Returns
        -------
        array, shape of x
            In the dtype of NumPy's ``full @ x``; the same bits for any number of workers.

        Raises
        ------
        ValueError, TypeError
            For an x or out that does not fit.
        FileNotFoundError, FileFormatError
            For tiles that are not done, or damaged.

        Notes
        -----
        2 n^2 m operations; reads n (n + 1) / 2 numbers. A task gets 17 tiles' rows of x at most, and gives
        back as many of the product.

        Examples
        --------
        >>> vech.tiled.create("k.zarr", 2).fill(lambda *_: np.eye(2)).matmul([1.0, 2])
        array([1., 2.])
        """
        executor = executor or self._executor
        return by_columns(
            self.n, self.dtype, x, out, lambda x, dtype: self._product(x, dtype, executor, threads)
        )

    def _product(self, x: Array, dtype: np.dtype[Any], executor: Any, threads: int | None) -> Array:
        y, grid = np.zeros_like(x), self._tiles.grid
        if not x.size:
            return y
        conjugated = (self._transposed and self._kind.conjugates) != self._conjugated
        work = Product(self._tiles, conjugated, self._transposed and self._kind.negates, dtype)
        count = resolve_threads(threads, grid.total * grid.tile**2 * self.dtype.itemsize)
        with (
            workers_of(executor, count) as workers,
            closing(in_order(workers, work, strips(self._tiles, x))) as products,
        ):
            for strip, (to_rows, to_columns) in products:
                y[grid.span(strip.i)] += to_rows
                y[grid.span(strip.first).start : grid.span(strip.stop - 1).stop] += to_columns
        return y

    def to_dask_array(self, chunk: int | None = None) -> Any:
        """The full matrix as a ``dask.array``, each block a tile or its mirror; it needs dask.

        Parameters
        ----------
        chunk : int, optional
            Rows and columns of a block: those of a tile unless told, which costs least.

        Returns
        -------
        dask.array.Array, shape (n, n)
            Lazy: nothing is read, and no graph is made, before something is computed. It pickles as the path
            of this store.

        Raises
        ------
        ImportError
            Where dask is missing.
        ValueError, TypeError
            For a `chunk` that is no positive integer.

        Notes
        -----
        For code that takes dask's arrays. A tile that is off the diagonal is read for each of its two blocks;
        `matmul` reads it once.

        Examples
        --------
        >>> T = vech.tiled.create("lazy.zarr", 4, tile=3).fill(lambda r, c: np.eye(4)[r, c])
        >>> T.to_dask_array().chunks[0], T.to_dask_array().sum().compute()
        ((3, 1), np.float64(4.0))
        """
        from vech.adapters.dask import lazy, to_dask_array

        if chunk is not None and chunk != self.tile:
            return to_dask_array(self, chunk)
        return lazy(self.using(None)._at, self.n, self.tile, self.dtype)  # no executor goes out to workers

    def _in_tiles(self, side: int | None) -> Iterator[Square]:
        if side not in (None, self.tile):
            return super()._in_tiles(side)
        return (self._square(i, j) for i, j in self._tiles.grid.lower())

    def _square(self, i: int, j: int) -> Square:
        grid = self._tiles.grid
        return Square(grid.span(i), grid.span(j), self._at(i, j))

    def _by_strips(self, function: Callable[[Iterable[Square]], Done]) -> Iterator[Done]:
        grid = self._tiles.grid
        strips = ((i, *columns) for i in range(grid.side) for columns in grid.strips(i))
        work = _OfStrip(self.using(None).with_labels(None), function)
        with closing(in_order(executor_of(self._executor), work, strips)) as results:
            for _, done in results:
                yield done

    def _of_pairs(
        self, function: Callable[[Array], Done], diagonal: bool, filler: Any
    ) -> Iterable[tuple[int, Done]]:
        return chain.from_iterable(self._by_strips(partial(of_each, function, diagonal, filler.dtype)))

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        other = copying.copy(self)
        other._labels = as_labels(labels, self.n)
        other._executor = self._executor
        return other


@dataclass(frozen=True)
class _OfStrip(Generic[Done]):
    """What a function gives of tiles beside each other, which it reads where it runs."""

    store: Tiled
    function: Callable[[Iterable[Square]], Done]

    def __call__(self, strip: tuple[int, int, int]) -> Done:
        i, first, stop = strip
        return self.function(self.store._square(i, j) for j in range(first, stop))


@dataclass(frozen=True)
class Blocks:
    """What a function gives of tiles."""

    grid: Grid
    function: Function

    def __call__(self, tile: Tile) -> Any:
        rows, columns = map(self.grid.span, tile)
        try:
            return self.function(rows, columns)
        except Exception as error:
            error.add_note(f"in function({rows.start}:{rows.stop}, {columns.start}:{columns.stop})")
            raise
