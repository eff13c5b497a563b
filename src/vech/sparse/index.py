"""Parts of a sparse half: entries, blocks, submatrices, other orders of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, check_memory, check_out, resolve_threads
from vech.labels import by_position
from vech.layouts.kind import Kind
from vech.maps import as_read
from vech.moves.nonzeros import Compressed
from vech.moves.sizes import check_real, sizes
from vech.packed.indexing import axes, numbers, pairs, vector
from vech.sparse.arrays import Arrays
from vech.sparse.pattern import (
    Indices,
    by_rows,
    compressed,
    found_at,
    looked_up,
    mirrored,
    sided,
)


class Selection(Arrays):
    """What is taken out of a sparse half."""

    def __getitem__(self, key: Any) -> Any:
        rows, columns = axes(by_position(key, self._labels), self._n)
        if not isinstance(rows, slice) and not isinstance(columns, slice):
            i, j = pairs(numbers(rows, self._n, 0), numbers(columns, self._n, 1))
            return self._at(i.ravel(), j.ravel()).reshape(i.shape)[()]
        self._check_block(rows, columns)
        i, j = numbers(rows, self._n, 0), numbers(columns, self._n, 1)
        return self._block(i.reshape(-1), j.reshape(-1)).reshape(i.shape + j.shape)

    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Every one of some rows with every one of some columns, NumPy's ``full[np.ix_(rows, cols)]``.

        Parameters
        ----------
        rows, cols : slice, range, integers, mask or labels
            What to take of either axis, with repeats and negatives as in NumPy; a single integer is one row.
        out : array, shape (number of rows, number of columns), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            Judged as everywhere; one thread suffices.

        Returns
        -------
        array, shape (number of rows, number of columns)
            With its zeros. ``S[rows, cols]`` gives the same where one of them is a slice, and pairs them up
            where none is.

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        ValueError, TypeError
            For an `out` of another shape or dtype, or one that shares memory with the arrays.
        MemoryError
            If the block is larger than memory and swap together, before anything is allocated.

        Notes
        -----
        Takes one pass over the numbers stored, while ``S[i, j]`` looks its pairs up in their rows.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1, 2, 4, 6], 3, triangle="lower")
        >>> S.block([2, 0], slice(1, None))
        array([[0, 6],
               [2, 4]])
        """
        resolve_threads(threads, 0)
        if out is None:
            self._check_block(rows, cols)
        i, j = vector(rows, self._n, 0, self._labels), vector(cols, self._n, 1, self._labels)
        if out is not None:
            check_out(out, (i.size, j.size), self.dtype, self._indptr, self._indices, self._values)
        return self._block(i, j, out)

    def submatrix(self, index: Any) -> Self:
        """The matrix of some rows and the same columns, in that order, as a store of its own.

        Parameters
        ----------
        index : slice, integers, mask or labels
            What to take, with repeats and negatives as in NumPy; labels follow.

        Returns
        -------
        SparseHalf
            Of the same triangle and kind, zeros that are stored among its numbers.

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        KeyError
            For labels that are not there, or are twice.
        OverflowError
            If a number changes sides in a skew matrix and is the smallest integer, which has no negative.

        Notes
        -----
        Takes O(nnz + n) time, and a few arrays as long as the result; an index with repeats takes those of
        the full matrix.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1, 2, 4, 6], 3, triangle="lower", labels="abc")
        >>> S.submatrix([2, 0])
        SparseHalf(n=2, dtype=int64, kind='symmetric', triangle='lower', nnz=3)
        >>> S.submatrix([2, 0]).expand()
        array([[6, 4],
               [4, 1]])
        """
        index = by_position(index, self._labels)
        if isinstance(index, slice):
            taken = range(*index.indices(self._n))
            return self._taken(_along(taken, self._places, self._side), len(taken), taken)
        chosen = vector(index, self._n, 0, self._labels)
        where, (at, held) = found_at(chosen, self._places, self._side), self._rows_at(chosen)
        if np.count_nonzero(where >= 0) < np.count_nonzero(held):
            return self._repeated(chosen, at, held)
        return self._taken(where, chosen.size, chosen)

    def permute(self, order: Any) -> Self:
        """The matrix with its rows and columns in another order, NumPy's ``full[np.ix_(order, order)]``.

        Parameters
        ----------
        order : integers, shape (n,), or labels
            Each of 0 ... n - 1 once, or each label; labels follow.

        Returns
        -------
        SparseHalf
            Of the same kind and triangle.

        Raises
        ------
        ValueError
            If `order` is no permutation.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1, 2, 4, 6], 3, triangle="lower")
        >>> S.permute([2, 1, 0]).expand()
        array([[6, 0, 4],
               [0, 0, 2],
               [4, 2, 1]])
        """
        order = vector(order, self._n, 0, self._labels)
        check_memory(8 * order.size, "submatrix takes any index")
        if order.size != self._n or np.bincount(order, minlength=self._n).max(initial=1) > 1:
            raise ValueError(f"order must hold each of 0 to {self._n - 1} once: submatrix takes any index")
        return self.submatrix(order)

    def reverse_cuthill_mckee(self) -> NDArray[np.int64]:
        """An order of the rows that brings the numbers near the diagonal, for `permute`.

        Returns
        -------
        array, shape (n,)
            Of ``scipy.sparse.csgraph.reverse_cuthill_mckee``, which see. What counts is which places are
            stored, zeros too, not the numbers at them.

        Notes
        -----
        Makes the pattern of the full matrix: 5 bytes for each of its numbers.

        Examples
        --------
        >>> ring = vech.SparseHalf.from_coo([1, 2, 3, 4, 4], [0, 1, 2, 3, 0], np.ones(5), 5, use="lower")
        >>> near = ring.permute(ring.reverse_cuthill_mckee())
        >>> rows, columns = near.to_coo(part="lower").coords
        >>> int((rows - columns).max())
        2
        """
        from scipy.sparse.csgraph import reverse_cuthill_mckee

        held = self._stored()
        pattern = replace(held, data=np.ones(held.indices.size, np.int8), kind=Kind.SYMMETRIC)
        full = pattern.to_scipy("csr", "full", None)
        order = reverse_cuthill_mckee(full, symmetric_mode=True) if held.n else np.arange(0)
        if self._places is None:
            return np.asarray(order, np.int64)
        check_memory(17 * self._n, "to_coo() gives the numbers to a function that takes no empty rows")
        return np.concatenate((self._places[order], _without(self._places, self._n)))

    def prune(
        self, *, magnitude: float | None = None, norm: float | None = None, ratio: float | None = None
    ) -> tuple[Self, NDArray[np.int64]]:
        """Leave out rows that hold little, with their columns.

        Exactly one measure is given. A row is judged with the numbers of both triangles, once: what other
        rows have lost is not looked at again.

        Parameters
        ----------
        magnitude : float
            Keep the rows with a number larger than this.
        norm : float
            Keep the rows whose Euclidean norm is larger than this.
        ratio : float, from 0 to 1
            Leave out this share of the rows (rounded down), those of the smallest norms; of equal ones the
            later.

        Returns
        -------
        SparseHalf
            The rows and columns kept, in their order; labels follow.
        array, shape (number of rows kept,)
            Which these are.

        Raises
        ------
        TypeError
            If not exactly one measure is given.
        ValueError
            For a negative bound, or a ratio beyond 1.

        Notes
        -----
        A row with a NaN counts as infinite. Magnitudes and norms are computed in float64.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 2, 4], [0, 1, 0, 2], [5.0, 0.1, 4.0, 6.0], 3, triangle="lower")
        >>> smaller, kept = S.prune(magnitude=0.5)
        >>> kept
        array([0, 2])
        >>> smaller.expand()
        array([[5., 4.],
               [4., 6.]])
        """
        given = {"magnitude": magnitude, "norm": norm, "ratio": ratio}
        measures = [(name, value) for name, value in given.items() if value is not None]
        if len(measures) != 1:
            raise TypeError(f"prune takes one of magnitude=, norm= and ratio=, but {len(measures)} came")
        [(name, bound)] = measures
        check_real(name, bound)
        if not 0 <= bound <= (1 if name == "ratio" else np.inf):
            most = " to 1" if name == "ratio" else " or more"
            raise ValueError(f"{name} must be 0{most}, not {bound!r}")
        held = self._stored()
        weights = _row_maxima(held) if name == "magnitude" else _row_norms(held)
        if name == "ratio":
            share = bound * self._n * (1 + 4 * np.finfo(np.float64).eps)  # .29 of 100 is 29
            kept = self._heaviest(weights, self._n - min(self._n, int(share)))
        else:
            kept = np.flatnonzero(weights > bound)
            kept = kept if self._places is None else self._places[kept]
        rows = np.arange(self._n) if self._places is None else self._places
        at = np.searchsorted(kept, rows)
        at[~np.isin(rows, kept, assume_unique=True)] = -1
        return self._taken(at, kept.size, kept), kept

    def _heaviest(self, weights: Array, count: int) -> NDArray[np.int64]:
        """The `count` rows of the largest weights, ascending; those that hold nothing weigh nothing."""
        if self._places is None:
            return np.sort(np.argsort(-weights, kind="stable")[:count])
        check_memory(17 * max(count, self._side), "prune by magnitude= or norm= leaves empty rows out")
        occupied = self._places[np.argsort(-weights, kind="stable")]
        weighty = occupied[: np.count_nonzero(weights)][:count]
        kept = np.concatenate((weighty, _without(weighty, count)[: count - weighty.size]))
        kept.sort()
        return kept

    def _taken(self, where: Indices, n: int, chosen: Any) -> Self:
        """The submatrix of `chosen` rows: `where` says which of them each row is, -1 if none."""
        held = self._stored()
        rows, columns = where[held.runs()], where[held.indices]
        kept = (rows >= 0) & (columns >= 0)
        numbers_ = sided(rows[kept], columns[kept], held.data[kept], held.grow, held.kind)
        return self._gathered(*numbers_, n, chosen)

    def _repeated(self, chosen: Indices, at: Indices, present: NDArray[np.bool]) -> Self:
        """The submatrix of rows some of which occur twice; `present` ones are held, at these places."""
        held = self._stored()
        numbered = replace(held, data=np.arange(1, held.indices.size + 1), kind=Kind.SKEW)
        full = numbered.to_scipy("csr", "full", None)  # negative: mirrored
        new = np.flatnonzero(present)
        part = full[at[new]][:, at[new]].tocoo()
        rows, columns = (new[axis] for axis in part.coords)
        own = rows >= columns if held.grow else rows <= columns
        rows, columns, number = rows[own], columns[own], part.data[own]
        data, across = held.data[np.abs(number) - 1], number < 0
        data[across] = mirrored(rows[across], columns[across], data[across], self._kind)
        return self._gathered(rows, columns, data, chosen.size, chosen)

    def _gathered(self, rows: Indices, columns: Indices, data: Array, n: int, chosen: Any) -> Self:
        csr, places = compressed(rows, columns, data, n)
        labels = None if self._labels is None else [self._labels[i] for i in chosen]
        held = by_rows(csr, self._triangle == "lower", self._kind)
        return self._of(held, labels=labels, places=places, n=n)

    def _at(self, i: Indices, j: Indices) -> Array:
        """Numbers at pairs; their rows alone are read, so the arrays are not judged."""
        held = Compressed(
            self._indptr, self._indices, self._values, self._triangle == "lower", True, self._kind
        )
        if self._places is None:
            return looked_up(held, i, j)
        values = np.zeros(i.shape, self.dtype)
        (i, has_i), (j, has_j) = (self._rows_at(axis) for axis in (i, j))
        both = has_i & has_j
        values[both] = looked_up(held, i[both], j[both])
        return values

    def _rows_at(self, index: Indices) -> tuple[Indices, NDArray[np.bool]]:
        """Which of the rows that the arrays hold these are, and whether they are any."""
        if self._places is None:
            return index, np.ones(index.shape, np.bool)
        at = np.searchsorted(self._places, index)
        held = at < self._side
        held[held] = self._places[at[held]] == index[held]
        return at, held

    def _check_block(self, rows: Any, columns: Any) -> None:
        numbers_ = _count(rows, self._n) * _count(columns, self._n)
        check_memory(numbers_ * self.dtype.itemsize, "submatrix keeps its part sparse")

    def _block(self, rows: Indices, columns: Indices, out: Array | None = None) -> Array:
        (i, back_i), (j, back_j) = (np.unique(axis, return_inverse=True) for axis in (rows, columns))
        held = self._stored()
        runs, places = held.runs(), held.indices
        as_row, as_column = (found_at(axis, self._places, self._side) for axis in (i, j))
        in_order = np.array_equal(i, rows) and np.array_equal(j, columns)
        block = np.empty((i.size, j.size), self.dtype) if out is None or not in_order else out
        block[...] = np.zeros(1, self.dtype)
        a, b = as_row[runs], as_column[places]
        own = (a >= 0) & (b >= 0)
        block[a[own], b[own]] = held.data[own]
        a, b = as_row[places], as_column[runs]
        other = (a >= 0) & (b >= 0) & (places != runs)
        block[a[other], b[other]] = mirrored(runs[other], places[other], held.data[other], self._kind)
        if in_order:
            return block
        if out is None:
            return block[np.ix_(back_i, back_j)]
        out[...] = block[np.ix_(back_i, back_j)]
        return out


def _without(rows: Indices, n: int) -> NDArray[np.int64]:
    """Those of n rows that are not among these, in 9 bytes for each."""
    others = np.ones(n, np.bool)
    others[rows[rows < n]] = False
    return np.flatnonzero(others)


def _count(index: Any, n: int) -> int:
    """How many numbers an index takes of an axis, before it is judged."""
    if isinstance(index, slice):
        return len(range(*index.indices(n)))
    array = as_read(index)
    return int(np.count_nonzero(array)) if array.dtype == np.bool else array.size


def _along(taken: range, places: Indices | None, side: int) -> Indices:
    """Which number of a range each row is, -1 if none."""
    rows = np.arange(side) if places is None else places
    at, rest = np.divmod(rows - taken.start, taken.step)
    at[(rest != 0) | (at < 0) | (at >= len(taken))] = -1
    return at


def _row_maxima(held: Compressed) -> NDArray[np.float64]:
    maxima, size = np.zeros(held.n), sizes(held.settled().data)
    np.maximum.at(maxima, held.runs(), size)
    np.maximum.at(maxima, held.indices, size)
    return maxima


def _row_norms(held: Compressed) -> NDArray[np.float64]:
    """Of each row, divided by its largest number before anything is squared."""
    maxima, size, runs = _row_maxima(held), sizes(held.settled().data), held.runs()
    off = held.indices != runs
    squares = np.zeros(held.n)
    for rows, of_row in ((runs, size), (held.indices[off], size[off])):
        with np.errstate(invalid="ignore"):
            part = np.where(of_row == maxima[rows], 1.0, of_row / np.where(maxima > 0, maxima, 1)[rows])
        squares += np.bincount(rows, part * part, held.n)
    return maxima * np.sqrt(squares)
