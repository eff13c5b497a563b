"""ProductCodes: a matrix between rows that are some bytes each, by tables of what the bytes stand for."""

from __future__ import annotations

import copy as copying
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import (
    Array,
    Dtype,
    as_array,
    block_memory,
    check_memory,
    check_progress,
    family,
    resolve_threads,
)
from vech.derived.tiles import lower
from vech.frames import labels_of
from vech.layouts.dialects import as_layout
from vech.layouts.layout import Layout, as_indices, as_integer, one_of
from vech.maps import as_read
from vech.moves.expanding import expand
from vech.neighbors.arguments import as_count
from vech.neighbors.lists import Nearest
from vech.neighbors.rows import nearest
from vech.packed.indexing import consecutive, vector
from vech.packed.packed import Packed
from vech.packed.products import by_columns
from vech.pairwise import winners
from vech.pairwise.distances import distances
from vech.pairwise.kernels import kernel
from vech.pairwise.points import check_finite, opened
from vech.pairwise.products import cosine
from vech.pairwise.rows import inexact
from vech.results.making import make
from vech.results.wanted import Progress, Wanted, silent
from vech.store import Store, Tile, as_labels

METRICS = ("sqeuclidean", "dot", "cosine")
MOST = 256  # codes of one byte
HALF = Layout()  # of a table
CHUNK = 2**16  # rows that are multiplied at a time
SIDE = 256  # of a tile: 0.7 ns for each part of a number, 1.8 at 512, where sums leave the cache
SPARE = 10  # finalists for each neighbour, unless told

Double = NDArray[np.float64]


class ProductCodes(Store):
    """A symmetric matrix whose numbers are ``sum_m T_m[c_m(i), c_m(j)]``: codes c of n rows, small tables T.

    Parameters
    ----------
    codes : array of uint8, shape (n, parts)
        The code of each part of each row; held as it is, without a copy, as are the tables.
    tables : array of float32 or float64, shape (parts, k (k + 1) / 2)
        For each part the half, in the order "vech", of the symmetric k x k table of what its codes give;
        k is at most 256.
    metric : {"sqeuclidean", "dot", "cosine"}
        What the numbers are: of "dot" the largest are the nearest.
    diagonal : number, or array of shape (n,), optional
        What stands on the diagonal instead of what the tables give.
    labels : sequence, optional
        One label for each row.

    Raises
    ------
    ValueError
        For shapes that do not fit, codes beyond the tables, numbers that are not finite, another metric, and
        another number of labels.
    TypeError
        For other dtypes.

    Notes
    -----
    Product quantization (H. Jegou, M. Douze & C. Schmid, IEEE Trans. Pattern Analysis and Machine
    Intelligence 33(1), 2011), between the coded rows: symmetric distance computation. n parts bytes, and
    the tables. A product is made by histograms: x is summed up by codes, multiplied by the tables, and looked
    up by codes, O(n parts + parts k^2), to rounding that of the expanded matrix. A block costs a sum of
    `parts` numbers each.

    Examples
    --------
    >>> codes = np.array([[0, 1], [1, 1], [0, 0]], np.uint8)
    >>> tables = np.array([[0.0, 4.0, 0.0], [0.0, 9.0, 0.0]])  # of 2 codes each: 0 and 2; 0 and 3
    >>> S = ProductCodes(codes, tables)
    >>> S.expand()
    array([[ 0.,  4.,  9.],
           [ 4.,  0., 13.],
           [ 9., 13.,  0.]])
    >>> S @ [1.0, 1, 0]
    array([ 4.,  4., 22.])
    """

    def __init__(
        self,
        codes: ArrayLike,
        tables: ArrayLike,
        *,
        metric: str = "sqeuclidean",
        diagonal: ArrayLike | None = None,
        labels: Iterable[Any] | None = None,
    ) -> None:
        one_of("metric", metric, METRICS)
        self._codes, self._tables = as_array(codes, "codes"), as_array(tables, "tables")
        if self._tables.dtype not in (np.float32, np.float64):
            raise TypeError(f"tables hold {self._tables.dtype}: float32 or float64 is needed")
        if self._codes.dtype != np.uint8:
            raise TypeError(f"codes hold {self._codes.dtype}: np.uint8 is needed, one byte for each part")
        if self._codes.ndim != 2 or self._tables.ndim != 2 or self._codes.shape[1] != len(self._tables):
            raise ValueError(
                f"codes have shape {self._codes.shape} and tables {self._tables.shape}: (n, parts) and "
                f"(parts, k (k + 1) / 2) fit each other"
            )
        self._size = HALF.side(self._tables.shape[1])
        if self._size > MOST:
            raise ValueError(f"tables are of {self._size} codes, and a byte has {MOST}")
        if (beyond := self._codes >= self._size).any():
            row, part = np.argwhere(beyond)[0]
            raise ValueError(
                f"codes[{row}, {part}] is {self._codes[row, part]}, and tables are of {self._size} codes: "
                f"0 to {self._size - 1} fit"
            )
        if not np.isfinite(self._tables).all():
            raise ValueError("tables hold nan or an infinity: finite numbers are needed")
        self._metric = metric
        self._override = None if diagonal is None else self._as_diagonal(diagonal)
        self._codebooks: tuple[Array, ...] | None = None
        self._labels = as_labels(labels, self.n)

    def _as_diagonal(self, diagonal: ArrayLike) -> Array:
        found = as_read(diagonal)
        if found.shape not in ((), (self.n,)) or found.dtype.kind not in "biuf":
            raise ValueError(
                f"diagonal is {found.dtype} of shape {found.shape}: a number fits, or ({self.n},) of them"
            )
        found = found.astype(self.dtype)
        if not np.isfinite(found).all():
            raise ValueError("diagonal holds nan or an infinity: finite numbers are needed")
        return found

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        codebooks: Sequence[ArrayLike],
        metric: str = "sqeuclidean",
        *,
        diagonal: ArrayLike | None = None,
        labels: Iterable[Any] | None = None,
    ) -> Self:
        """The store of rows that were coded elsewhere, such as by faiss.

        Parameters
        ----------
        codes : array of uint8, shape (n, parts)
            The code of each part of each row.
        codebooks : sequence of arrays, each of shape (k, width)
            For each part what its codes stand for: an array of shape (parts, k, width), or parts of several
            widths.
        metric : {"sqeuclidean", "dot", "cosine"}
            What the tables are: squared distances, inner products, or half the squared distances, which of
            rows of length one is 1 - cos.
        diagonal : number, or array of shape (n,), optional
            What stands on the diagonal; unless told 0 of distances, of "dot" what the tables give.
        labels : sequence, optional
            One label for each row.

        Returns
        -------
        ProductCodes
            float32 where the codebooks are, else float64.

        Raises
        ------
        ValueError, TypeError
            For codebooks of different sizes, and as the class.

        Examples
        --------
        >>> codebooks = [np.array([[0.0], [2.0]]), np.array([[0.0, 0.0], [3.0, 4.0]])]
        >>> S = ProductCodes.from_codes(np.array([[0, 1], [1, 0]], np.uint8), codebooks)
        >>> S.expand()
        array([[ 0., 29.],
               [29.,  0.]])
        """
        one_of("metric", metric, METRICS)
        books = tuple(as_array(book, f"codebooks[{m}]") for m, book in enumerate(codebooks))
        if len({book.shape[:1] for book in books}) != 1 or any(book.ndim != 2 for book in books):
            shapes = ", ".join(str(book.shape) for book in books) or "none"
            raise ValueError(f"codebooks have shapes {shapes}: for each part a matrix of k rows is needed")
        tables = np.stack([_table(book, metric) for book in books])
        if not np.isfinite(tables).all():
            raise OverflowError(f"tables of the codebooks exceed {tables.dtype}: scale X first")
        diagonal = 0.0 if diagonal is None and metric != "dot" else diagonal
        made = cls(codes, tables, metric=metric, diagonal=diagonal, labels=labels)
        made._codebooks = books
        return made

    # ---- what it is

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The code of each part of each row, shape (n, parts)."""
        return self._codes

    @property
    def tables(self) -> Array:
        """The halves of the tables, shape (parts, k (k + 1) / 2); ``vech.expand`` makes them k x k."""
        return self._tables

    @property
    def codebooks(self) -> tuple[Array, ...] | None:
        """What the codes of each part stand for, arrays of shape (k, width), where that is known."""
        return self._codebooks

    @property
    def metric(self) -> str:
        """ "sqeuclidean", "dot" or "cosine"."""
        return self._metric

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return len(self._codes)

    @property
    def dtype(self) -> Dtype:
        """The dtype of the numbers: that of the tables."""
        return self._tables.dtype

    @property
    def kind(self) -> str:
        """ "symmetric"."""
        return "symmetric"

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    @property
    def nbytes(self) -> int:
        """Bytes of the codes, the tables, and a diagonal that is held; codebooks are beside the matrix."""
        held = 0 if self._override is None else self._override.nbytes
        return self._codes.nbytes + self._tables.nbytes + held

    @property
    def T(self) -> Self:
        """This store."""
        return self

    @property
    def H(self) -> Self:
        """This store."""
        return self

    def copy(self) -> Self:
        """The same matrix in arrays of its own.

        Returns
        -------
        ProductCodes

        Examples
        --------
        >>> S = ProductCodes(np.array([[0], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]]))
        >>> S.copy().codes is S.codes
        False
        """
        return copying.deepcopy(self)

    # ---- its numbers

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array.

        Returns
        -------
        array, shape (n,)

        Examples
        --------
        >>> ProductCodes(np.array([[0], [1]], np.uint8), np.array([[1.0, 4.0, 2.0]])).diagonal()
        array([1., 2.])
        """
        if self._override is None:
            return self._implied().astype(self.dtype)
        return np.broadcast_to(self._override, (self.n,)).copy()

    def _implied(self) -> Double:
        """The diagonal that the tables give."""
        found = np.zeros(self.n)
        for table, code in zip(self._tables[:, HALF.diagonal_slots(self._size)], self._codes.T, strict=True):
            found += table[code]
        return found

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some rows of it: sums over the parts.

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

        Examples
        --------
        >>> S = ProductCodes(np.array([[0], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]]))
        >>> S.expand(slice(1, 2))
        array([[4., 0.]])
        """
        start, stop = (0, self.n) if rows is None else consecutive(rows, self.n)
        return self.block(slice(start, stop), slice(None), out, threads=threads)

    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Some rows with some columns, each with each.

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
        MemoryError
            As `expand`.

        Examples
        --------
        >>> S = ProductCodes(np.array([[0], [1], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]]))
        >>> S.block([0, 2], slice(1, None))
        array([[4., 4.],
               [0., 0.]])
        """
        resolve_threads(threads, 0)
        down, across = (vector(index, self.n, axis, self.labels) for axis, index in enumerate((rows, cols)))
        out = block_memory((down.size, across.size), self.dtype, out)
        for first in range(0, across.size, SIDE):
            columns = across[first : first + SIDE]
            tables = self._of_columns(columns)
            for start in range(0, down.size, SIDE):
                some = slice(start, start + SIDE)
                out[some, first : first + SIDE] = self._numbers(tables, down[some], columns)
        return out

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        """Tables are looked up once for a row of tiles, which are made from their other side."""
        tables: list[Double] = []
        for rows, columns in lower(self.n, side or SIDE):
            down, across = (np.arange(part.start, part.stop) for part in (rows, columns))
            if columns.start == 0:
                tables = self._of_columns(down)
            yield Tile(rows, columns, self._numbers(tables, across, down).T.astype(self.dtype, copy=False))

    def _of_columns(self, across: NDArray[np.int64]) -> list[Double]:
        """Of each part what any code gives with the codes of these columns, shape (k, columns)."""
        return [
            np.take(table, code[across], axis=1)
            for table, code in zip(self._full(), self._codes.T, strict=True)
        ]

    def _numbers(self, tables: list[Double], down: NDArray[np.int64], across: NDArray[np.int64]) -> Double:
        """Rows with columns, in double: of each part whole rows of a table are added."""
        numbers = np.zeros((down.size, across.size))
        added = np.empty_like(numbers)
        for table, code in zip(tables, self._codes.T, strict=True):
            numbers += np.take(table, code[down], axis=0, out=added, mode="clip")  # "raise" copies
        meet = down.size and across.size and down.max() >= across.min() and across.max() >= down.min()
        if meet and self._override is not None:
            i, j = np.nonzero(down[:, None] == across)
            numbers[i, j] = self._override if self._override.ndim == 0 else self._override[down[i]]
        return numbers

    def _full(self) -> Double:
        """The tables, k x k each."""
        return expand(self._tables, HALF).astype(np.float64, copy=False)

    def to_packed(self, layout: Any = "vech", *, threads: int | None = None) -> Packed:
        """The same matrix, labels and all, as a `vech.Packed`.

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
        >>> ProductCodes(np.array([[0], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]])).to_packed().half
        array([0., 4., 0.])
        """
        wanted = as_layout(layout)
        plain = wanted if wanted.diagonal == "stored" else HALF
        check_memory(HALF.length(self.n) * self.dtype.itemsize, "S @ x, block() and nearest() need no half")
        made = make(self.block, self.n, self.dtype, Wanted(plain, threads=threads), labels=self.labels)
        packed: Packed = made.to_packed(layout, threads=threads)
        return packed

    # ---- products

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with x, by histograms of the codes.

        Parameters
        ----------
        x : array, shape (n,) or (..., n, m)
            What to multiply with.
        out : array, optional
            Memory for the result, of its shape and dtype.
        threads : int, optional
            Has no effect: BLAS, which multiplies by the tables, has its own.

        Returns
        -------
        array, shape of x
            In the dtype of NumPy's ``full @ x``; computed in double.

        Raises
        ------
        ValueError, TypeError
            For an x or out that does not fit.

        Notes
        -----
        O((n parts + parts k^2) m) time; memory for 65,536 rows of codes as indices.

        Examples
        --------
        >>> ProductCodes(np.array([[0], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]])).matmul([1.0, 2])
        array([8., 4.])
        """
        resolve_threads(threads, 0)
        return by_columns(self.n, self.dtype, x, out, self._product)

    def _product(self, x: Array, dtype: Dtype) -> Array:
        wide: Array = x.astype(np.complex128 if family(dtype) == "c" else np.float64, copy=False)
        parts, k, columns = self._codes.shape[1], self._size, x.shape[1]
        sums = np.zeros((parts * k, columns), wide.dtype)
        for rows, chosen in self._choices():
            sums += chosen.T @ wide[rows]
        weights = (self._full() @ sums.reshape(parts, k, columns)).reshape(parts * k, columns)
        y = np.empty(wide.shape, wide.dtype)
        for rows, chosen in self._choices():
            y[rows] = chosen @ weights
        if self._override is not None:
            y += (self._override - self._implied())[:, None] * wide
        return y

    def _choices(self) -> Iterator[tuple[slice, Any]]:
        """Some rows at a time, and a sparse matrix of ones at the codes of their parts."""
        from scipy.sparse import csr_array

        parts, k = self._codes.shape[1], self._size
        first = np.arange(parts, dtype=np.int32) * k
        for start in range(0, self.n, CHUNK):
            codes = self._codes[start : start + CHUNK]
            ends = np.arange(len(codes) + 1, dtype=np.int32) * parts
            arrays = np.ones(codes.size), (codes + first).ravel(), ends
            yield slice(start, start + len(codes)), csr_array(arrays, shape=(len(codes), parts * k))

    # ---- other rows, other tables

    def submatrix(self, index: Any) -> Self:
        """The matrix of some rows and the same columns, in that order: their codes, and the same tables.

        Parameters
        ----------
        index : slice, integers, mask or labels
            What to take; labels follow. Where a row is taken twice, a diagonal that is held is not between
            the two.

        Returns
        -------
        ProductCodes

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        KeyError
            For labels that are not there, or are twice.

        Examples
        --------
        >>> S = ProductCodes(np.array([[0], [1], [1]], np.uint8), np.array([[0.0, 4.0, 0.0]]))
        >>> S.submatrix([2, 0]).expand()
        array([[0., 4.],
               [4., 0.]])
        """
        taken = vector(index, self.n, 0, self._labels)
        made = copying.copy(self)
        made._codes = self._codes[taken]
        if self._override is not None and self._override.ndim:
            made._override = self._override[taken]
        made._labels = None if self._labels is None else tuple(self._labels[i] for i in taken)
        return made

    def fitted(self, i: ArrayLike, j: ArrayLike, values: ArrayLike, *, damp: float = 1.0) -> Self:
        """The same codes with tables that give known numbers of some pairs best: least squares.

        Parameters
        ----------
        i, j : array of integers, shape (count,)
            Rows and columns of the pairs, none of them on the diagonal.
        values : array, shape (count,)
            What the numbers there are, such as exact distances.
        damp : number
            How much the tables stay as they are: more than 0 leaves what no pair tells as it was.

        Returns
        -------
        ProductCodes
            Of the same codes and diagonal (one that is not held is as the new tables give it); without
            codebooks, which have other tables.

        Raises
        ------
        ValueError, TypeError, IndexError
            For pairs out of range or on the diagonal, values that are not finite numbers or not one for each
            pair, and a damp below 0.

        Notes
        -----
        The minimum of ``sum (S_ij - value)^2 + damp^2 sum (T - T_before)^2`` over the halves of the tables,
        by SciPy's LSMR (D. Fong & M. Saunders, 2011). count parts numbers of memory, and about as many steps
        an iteration.

        Examples
        --------
        >>> codes = np.array([[0], [0], [1], [1]], np.uint8)
        >>> S = ProductCodes(codes, np.array([[0.0, 4.0, 0.0]]), diagonal=0)
        >>> S.fitted([1, 2, 3, 3], [0, 0, 1, 2], [1.0, 5, 5, 2], damp=0).expand()
        array([[0., 1., 5., 5.],
               [1., 0., 5., 5.],
               [5., 5., 0., 2.],
               [5., 5., 2., 0.]])
        """
        from scipy.sparse import csr_array
        from scipy.sparse.linalg import lsmr

        rows, columns = as_indices("row", i, self.n), as_indices("column", j, self.n)
        wanted = as_array(values, "values")
        if rows.ndim != 1 or not rows.shape == columns.shape == wanted.shape:
            raise ValueError(
                f"i, j and values have shapes {rows.shape}, {columns.shape} and {wanted.shape}: "
                f"vectors of one length are needed"
            )
        if family(wanted.dtype) not in "biuf":
            raise TypeError(f"values hold {wanted.dtype}: real numbers are needed")
        if not np.isfinite(wanted).all():
            raise ValueError("values hold nan or an infinity: leave those pairs out")
        if (same := rows == columns).any():
            raise ValueError(
                f"pair {int(same.argmax())} is on the diagonal, of which tables say nothing: leave it out"
            )
        if not damp >= 0:
            raise ValueError(f"damp is {damp}: it is 0, or more to hold on to the tables")
        parts, length = self._tables.shape
        slots = HALF.position(self._codes[rows].astype(int), self._codes[columns].astype(int), self._size)
        places = (slots + np.arange(parts) * length).ravel()
        arrays = np.ones(places.size), places, np.arange(rows.size + 1) * parts
        design = csr_array(arrays, shape=(rows.size, parts * length))
        before = self._tables.ravel().astype(np.float64)
        found = lsmr(design, wanted - design @ before, damp=damp, atol=1e-12, btol=1e-12)[0]
        made = copying.copy(self)
        made._tables = (before + found).reshape(parts, length).astype(self.dtype)
        made._codebooks = None
        return made

    # ---- neighbours

    def nearest(
        self,
        k: int,
        X: Any = None,
        *,
        candidates: int | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> Nearest:
        """The k nearest rows of every row: candidates by the codes and, with X, of these the nearest by X.

        Parameters
        ----------
        k : int
            How many, 0 to n - 1.
        X : array or data frame, shape (n, m), optional
            The rows themselves, such as a memory map. Without, the codes decide.
        candidates : int, optional
            With X, how many rows the codes propose for each: k to n - 1, or 10 k unless told.
        threads : int, optional
            At most so many threads.
        progress : callable, optional
            Called as ``progress(rows looked at by their codes, all rows)``.

        Returns
        -------
        Nearest
            Named tuple of ``indices``, int64, and ``values``, both of shape (n, k), the nearest first; as
            `vech.pairwise.nearest` of this metric has them. With X the values are exact, and a neighbour is
            missed only where it is not among the candidates.

        Raises
        ------
        ValueError, TypeError
            For k or candidates out of range, an X of other rows, and numbers of it that are not finite.

        Notes
        -----
        All pairs are looked at by their codes, n^2 parts / 2 additions in tiles; then n candidates rows of X
        are compared in double, those that were proposed alone being read. How many of the true neighbours are
        found is known by trying: compare with ``vech.pairwise.nearest`` on some thousand rows. "cosine" makes
        a copy of X in double.

        Examples
        --------
        >>> X = np.array([[0.0], [1.0], [1.4], [5.0]])
        >>> S = ProductCodes.from_codes(np.array([[0], [1], [1], [2]], np.uint8), [[[0.0], [1.2], [5.0]]])
        >>> S.nearest(1, X, candidates=2)
        Nearest(indices=array([[1],
               [2],
               [1],
               [2]]), values=array([[ 1.  ],
               [ 0.16],
               [ 0.16],
               [12.96]]))
        """
        k = as_count(k, self.n)
        check_progress(progress)
        largest = self._metric == "dot"
        if X is None:
            if candidates is not None:
                raise TypeError("candidates= are compared by X, which is not given: pass X, or leave it out")
            return nearest(self, k, largest=largest, threads=threads, progress=progress)
        search = self._search(X)
        most = self.n - 1
        proposed = min(SPARE * k, most) if candidates is None else as_integer("candidates", candidates)
        if not k <= proposed <= max(0, most):
            raise ValueError(f"candidates is {proposed}, for k = {k} of {self.n} rows: {k} to {most} fits")
        coarse = nearest(self, proposed, largest=largest, threads=threads, progress=progress or silent)
        return search.among(coarse.indices, k, resolve_threads(threads, coarse.indices.nbytes))

    def _search(self, X: Any) -> winners.Search:
        """Who compares rows of X by this metric."""
        rows = opened(X, mixed=False)
        widths = None if self._codebooks is None else sum(book.shape[1] for book in self._codebooks)
        if len(rows) != self.n or widths not in (None, rows.shape[1]):
            fits = "the columns that were coded" if widths is None else widths
            raise ValueError(f"X has shape {rows.shape}, and the codes are of ({self.n}, {fits})")
        labels = labels_of(X, 0)
        if labels is not None and self._labels is not None and tuple(labels) != self._labels:
            raise ValueError("the labels of X are not those of this store: give X the rows that were coded")
        check_finite(rows, X, allowed=False, offered=False)
        rows = np.ascontiguousarray(rows, inexact(rows.dtype))
        if self._metric == "dot":
            return winners.by_product(rows)
        return winners.by_difference(
            units(rows) if self._metric == "cosine" else rows, self._metric, rows.dtype
        )

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        made = copying.copy(self)
        made._labels = as_labels(labels, self.n)
        return made


def units(X: Array) -> Double:
    """The rows at length one, in double; ValueError for one of zeros."""
    directions = cosine(X)
    if not directions.factor.all():
        at = int(np.argmin(directions.factor))
        raise ValueError(f"row {at} of X is zero, and has no direction: leave it out")
    return np.ascontiguousarray(directions.exact(slice(None), slice(None)))


def _table(book: Array, metric: str) -> Array:
    """What codes give with each other: a half."""
    if metric == "dot":
        half: Array = kernel(book, "linear").half
        return half
    half = distances(book, "sqeuclidean", layout=HALF).half
    return half / 2 if metric == "cosine" else half
