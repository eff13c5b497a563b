"""Stores that know their numbers by square tiles: what of the promise follows from them."""

from __future__ import annotations

import copy as copying
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import (
    Array,
    Dtype,
    block_memory,
    check_memory,
    epsilon,
    least,
    resolve_threads,
)
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import Half, blocks, runs_of
from vech.packed.indexing import consecutive, taken, vector
from vech.packed.packed import Packed
from vech.packed.products import by_columns
from vech.quantized.certificate import QuantizationError, measured, moved
from vech.quantized.sources import BLOCK, as_source, check_finite, number_dtype
from vech.quantized.sources import blocks as source_blocks
from vech.quantized.spectrum import ends
from vech.quantized.store import ROUNDING, Quantized, raised, refuse_methods_of_packed
from vech.store import Store, Tile, as_labels

LOWER = Layout("lower", "rows")
GLANCED = 1024  # rows up to which all tiles are computed for a picture in a notebook: in 60 ms
Change = Callable[[slice, slice, Array], Array]


class Tilewise(Store):
    """A real symmetric matrix whose lower tiles, and whose products, can be computed.

    A tile is always computed as a whole, and the upper ones are mirrors of the lower ones: so each number has
    the same bits wherever it is asked for, and the matrix is exactly symmetric.
    """

    def __init__(self, n: int, dtype: Dtype, labels: tuple[Any, ...] | None) -> None:
        self._n, self._dtype, self._labels = n, dtype, labels

    @abstractmethod
    def _tile(self, rows: slice, columns: slice) -> Array:
        """Numbers of the lower tile there, in an array of its own; of a square the lower triangle counts."""

    def _product(self, x: Array, threads: int | None) -> Array:
        """S x for columns x of float32 or float64."""
        y = np.zeros_like(x)
        for rows, columns, numbers in self.tiles():
            y[rows] += numbers @ x[columns]
            if rows != columns:
                y[columns] += numbers.T @ x[rows]
        return y

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._n

    @property
    def dtype(self) -> Dtype:
        """The dtype of the numbers: float32 or float64."""
        return self._dtype

    @property
    def kind(self) -> Kind:
        """ "symmetric"."""
        return Kind.SYMMETRIC

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that hold the matrix."""
        return sum(part.nbytes for part in vars(self).values() if isinstance(part, np.ndarray | Store))

    @property
    def T(self) -> Self:
        """The matrix itself."""
        return self

    @property
    def H(self) -> Self:
        """The matrix itself."""
        return self

    def copy(self) -> Self:
        """The same matrix in arrays of its own.

        Returns
        -------
        Store
            Of the same class.

        Examples
        --------
        >>> L = vech.quantized.low_rank(np.eye(3), 1)
        >>> np.shares_memory(L.copy().vectors, L.vectors)
        False
        """
        other = copying.copy(self)
        held = {
            name: part.copy() for name, part in vars(self).items() if isinstance(part, np.ndarray | Store)
        }
        vars(other).update(held)
        return other

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array: of the square tiles alone.

        Returns
        -------
        array, shape (n,)

        Examples
        --------
        >>> vech.quantized.low_rank(np.eye(3), 0).diagonal()
        array([1., 1., 1.])
        """
        squares = [self._settled(span, span).diagonal() for span in self._spans()]
        return np.concatenate([np.empty(0, self.dtype), *squares])

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some rows of it, tile by tile.

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
        ValueError, TypeError, IndexError
            For rows that do not follow each other, and an `out` that does not fit.

        Examples
        --------
        >>> vech.quantized.low_rank(np.eye(3), 0).expand(slice(1, 2))
        array([[0., 1., 0.]])
        """
        if rows is not None:
            start, stop = consecutive(rows, self.n)
            return self.block(slice(start, stop), slice(None), out, threads=threads)
        resolve_threads(threads, 0)
        full = block_memory(self.shape, self.dtype, out, *self._arrays())
        for down, across, numbers in self.tiles():
            full[down, across] = numbers
            full[across, down] = numbers.T
        return full

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
            Each tile of 512 x 512 numbers is computed once.

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        ValueError, TypeError
            For an `out` that does not fit.

        Examples
        --------
        >>> vech.quantized.low_rank(np.eye(3), 0).block([0, 2], 2)
        array([[0.],
               [1.]])
        """
        resolve_threads(threads, 0)
        down, across = (vector(index, self.n, axis, self.labels) for axis, index in enumerate((rows, cols)))
        found = block_memory((down.size, across.size), self.dtype, out, *self._arrays())
        for i, at in self._parts(down):
            for j, to in self._parts(across):
                numbers = self._mirrored(i, j)
                found[np.ix_(at, to)] = numbers[np.ix_(down[at] - i.start, across[to] - j.start)]
        return found

    def __getitem__(self, key: Any) -> Any:
        """``S[i, j]``, ``S[i]``, parts and labels, as of `vech.Packed`: of the whole tiles that have them."""
        i, j, meet = taken(key, self._labels, self.n)
        if meet:
            return self.block(i.reshape(-1), j.reshape(-1)).reshape(i.shape + j.shape)
        found, down, across = np.empty(i.size, self.dtype), i.ravel(), j.ravel()
        for rows, at in self._parts(down):
            for columns, among in self._parts(across[at]):
                to = at[among]
                found[to] = self._mirrored(rows, columns)[down[to] - rows.start, across[to] - columns.start]
        return found.reshape(i.shape)[()]

    def _glance(self, rows: Array) -> Array | str:
        if self.n > GLANCED:
            return "its numbers are computed by whole tiles; vech.plot.heatmap(S) computes all"
        return super()._glance(rows)

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
        >>> vech.quantized.low_rank(np.eye(2), 0).to_packed().half
        array([1., 0., 1.])
        """
        length = LOWER.length(self.n)
        check_memory(length * self.dtype.itemsize, "take some rows at a time, expand(rows=)")
        packed = Packed(np.empty(length, self.dtype), LOWER, labels=self.labels)
        runs = runs_of(Half(packed.half, LOWER, packed.kind))
        count = resolve_threads(threads, packed.half.nbytes)
        for rows, columns in blocks(self.n, runs.grow, BLOCK):
            runs.write(rows, columns, np.ascontiguousarray(self._settled(rows, columns)), "write", count)
        return packed.to_packed(layout, threads=threads)

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with x, from what the store holds: nothing is expanded.

        Parameters
        ----------
        x : array, shape (n,) or (..., n, m)
            What to multiply with.
        out : array, optional
            Memory for the result, of its shape and dtype.
        threads : int, optional
            At most so many threads; BLAS has its own.

        Returns
        -------
        array, shape of x
            In the dtype of NumPy's ``full @ x``.

        Raises
        ------
        ValueError, TypeError
            For an x or out that does not fit.

        Examples
        --------
        >>> vech.quantized.low_rank(np.eye(2), 0).matmul([1.0, 2])
        array([1., 2.])
        """
        frames.check_along(x, -1 if np.ndim(x) == 1 else -2, self.labels, "x")

        def product(columns: Array, dtype: Dtype) -> Array:
            real = columns.real.dtype  # of complex x, real and imaginary parts are columns of their own
            found = self._product(columns.view(real), threads).astype(real, copy=False)
            return np.ascontiguousarray(found).view(dtype)

        return by_columns(self.n, self.dtype, x, out, product, *self._arrays())

    def _settled(self, rows: slice, columns: slice) -> Array:
        """A lower tile, as the matrix has it."""
        return self._settle(self._tile(rows, columns), rows == columns)

    def _mirrored(self, rows: slice, columns: slice) -> Array:
        """Any tile of the full matrix."""
        return self._settled(rows, columns) if rows.start >= columns.start else self._settled(columns, rows).T

    def _settle(self, numbers: Array, on_diagonal: bool) -> Array:
        """A tile in the dtype; one on the diagonal made symmetric by its lower triangle."""
        numbers = numbers.astype(self.dtype, copy=False)
        if on_diagonal:
            upper = np.triu_indices(len(numbers), 1)
            numbers[upper] = numbers.T[upper]
        return numbers

    def _arrays(self) -> list[Array]:
        """All that holds the matrix, but for stores."""
        return [part for part in vars(self).values() if isinstance(part, np.ndarray)]

    def _spans(self) -> list[slice]:
        return [slice(start, min(start + BLOCK, self.n)) for start in range(0, self.n, BLOCK)]

    def _parts(self, taken: Array) -> Iterator[tuple[slice, Array]]:
        """The tiles that have some of these rows, and which of these."""
        place, spans = taken // BLOCK, self._spans()
        return ((spans[i], np.flatnonzero(place == i)) for i in np.unique(place))

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        if side not in (None, BLOCK):
            return super()._in_tiles(side)
        spans = self._spans()
        return (Tile(i, j, self._settled(i, j)) for k, i in enumerate(spans) for j in spans[: k + 1])

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        other = copying.copy(self)
        other._labels = as_labels(labels, self.n)
        return other


class Composed(Tilewise):
    """A matrix whose numbers are in a `Quantized`, which is seen through something."""

    error: QuantizationError | None = None
    _apart: float | None = None  # how far the diagonal is from that of the original, if that is known

    def __init__(self, quantized: Quantized, labels: tuple[Any, ...] | None) -> None:
        super().__init__(quantized.n, quantized.dtype, labels)
        self.quantized = quantized

    @property
    def encoding(self) -> str:
        """The encoding of the codes."""
        return self.quantized.encoding

    @property
    def tile(self) -> int:
        """Rows of a tile of codes, and of `error`."""
        return self.quantized.tile

    @property
    def grid(self) -> int:
        """Tiles a side."""
        return self.quantized.grid

    def eigenvalue_interval(self) -> tuple[float, float]:
        """Two numbers between which all eigenvalues of the original lie.

        Returns
        -------
        tuple of 2 floats
            The least and the largest one it can have.

        Raises
        ------
        ValueError
            If there is no certificate, or no eigenvalue.

        Notes
        -----
        Those of this matrix, by Lanczos, moved by at most ``error.spectral_bound`` (Weyl) and what Lanczos
        and rounding leave open.

        Examples
        --------
        >>> low, high = vech.quantized.low_rank(np.diag([1.0, 2, 3]) + 0.1, 1).eigenvalue_interval()
        >>> bool(low < 1.1 and 3.1 < high < 3.2)
        True
        """
        if self.error is None:
            raise ValueError("there is no certificate: this matrix came without an error")
        if not self.n:
            raise ValueError("a matrix without rows has no eigenvalues")
        low, high, margin = self._ends()
        margin += self.error.spectral_bound
        return low - margin, high + margin

    def shift_to_psd(self) -> Self:
        """The same codes with as little added to the diagonal as makes the matrix positive semidefinite.

        Returns
        -------
        Store
            Of the same class, sharing codes; this one where nothing is needed. The shift counts as error. Of
            n beyond 2048 it is larger than needed by some 1e-3 of the distance of the ends of the spectrum.

        Raises
        ------
        ValueError
            If a shift is needed, and the codes are in another domain than "entries".
        OverflowError
            For a diagonal that would be beyond the dtype.

        Notes
        -----
        The least eigenvalue as for `eigenvalue_interval`; the shift repairs signs, not accuracy.

        Examples
        --------
        >>> A = np.full((3, 3), 0.999) + 0.001 * np.eye(3)
        >>> L = vech.quantized.outliers(A * np.outer([1, 2, 3], [1, 2, 3]), "sign")
        >>> np.linalg.eigvalsh(L.expand())[0] < 0, np.linalg.eigvalsh(L.shift_to_psd().expand())[0] >= 0
        (np.True_, np.True_)
        """
        low, _, margin = self._ends() if self.n else (0.0, 0.0, 0.0)
        shift = margin - low
        if shift <= 0:
            return self
        other = copying.copy(self)
        other._raise(shift * (1 + ROUNDING * epsilon(self.dtype)))
        if self.error is not None:
            change = np.abs(other.diagonal().astype(np.float64) - self.diagonal())
            apart = self.error.max if self._apart is None else self._apart
            other.error = moved(self.error, change + apart, self.tile)
            other._apart = apart + float(change.max())
        return other

    def _raise(self, shift: float) -> None:
        """Add to the diagonal, in memory of its own."""
        if self.quantized.domain != "entries":
            raise ValueError(
                f"shift_to_psd adds to the diagonal of codes of numbers, and those of S are in the domain "
                f"{self.quantized.domain!r}: vech.linalg.nearest_psd(S.to_packed()) is of numbers"
            )
        self.quantized = self.quantized.with_diagonal(raised(self.quantized.diagonal(), shift))

    def _ends(self) -> tuple[float, float, float]:
        """The least and largest eigenvalue of this matrix, and how far they may be off."""
        from vech.linalg import norm

        low, high, margin = ends(self.n, lambda x: self.matmul(x.astype(np.float64, copy=False)))
        size = norm(self)
        rounding = epsilon(self.dtype) * size + (self.n * least(self.dtype) if size else 0.0)
        return low, high, margin + ROUNDING * rounding

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_") and hasattr(Quantized, name) and not hasattr(Packed, name):
                raise AttributeError(
                    f"a {type(self).__name__} has no {name}: S.quantized has, of the codes alone, which are "
                    f"not the whole matrix"
                )
            return refuse_methods_of_packed(self, name) or super().__getattr__(name)

    def _certified(self, S: Store) -> Self:
        """The same with the certificate of standing for S."""
        self.error = measured(S, self)
        apart = np.abs(S.diagonal().astype(np.float64) - self.diagonal())
        self._apart = float(apart.max(initial=0.0))
        return self


class Mapped(Tilewise):
    """What a function makes of each tile of a store, in float64: nothing of it is held."""

    def __init__(self, S: Store, change: Change) -> None:
        super().__init__(S.n, number_dtype(S.dtype), None)
        self._S, self._change = S, change

    def _tile(self, rows: slice, columns: slice) -> Array:
        return self._changed(rows, columns, self._S.block(rows, columns))

    def _changed(self, rows: slice, columns: slice, numbers: Array) -> Array:
        check_finite(numbers, rows, columns)
        with np.errstate(over="ignore", invalid="ignore"):
            found = self._change(rows, columns, numbers.astype(np.float64)).astype(self.dtype, copy=False)
        if not np.isfinite(found).all():
            raise OverflowError(
                f"S has numbers so large that sums of them are beyond {self.dtype}: divide it by a power"
            )
        return found

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        """As the store reads them best: of a `vech.Packed`, in a tenth of the time of its blocks."""
        if side not in (None, BLOCK):
            yield from super()._in_tiles(side)
            return
        for rows, columns, numbers in source_blocks(self._S):
            changed = self._changed(rows, columns, numbers)
            yield Tile(rows, columns, self._settle(changed, rows == columns))


def as_symmetric(S: Any, task: str) -> Store:
    """A real symmetric matrix of any form; TypeError with the way out for others."""
    store = as_source(S)
    if store.kind != "symmetric":
        raise TypeError(f"{task} takes symmetric matrices, and S is {store.kind}: vech.quantize takes it")
    return store
