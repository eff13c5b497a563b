"""Sparse rows: their products by the kernel of half Gram matrices."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech import _core, arrays
from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.nonzeros import Compressed, canonical
from vech.pairwise.rows import Wanted, check_sums, exponents, numbers_of, parts_of
from vech.sparse.pattern import EMPTY_ROWS, MANY_ROWS


@dataclass(frozen=True, slots=True)
class Sparse:
    """Rows as CSR arrays, whose columns ascend. `places` says which rows of `side` these are, if not all."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Array | None  # None: each is one, and products are int64
    columns: int
    side: int
    places: NDArray[np.int64] | None = None
    unit: bool = False  # rows have length one

    @classmethod
    def of(cls, X: Any, dtype: Dtype) -> "Sparse":
        """A SciPy matrix, canonical; rows and columns are numbered anew where most of them are empty."""
        side, columns = X.shape
        places = None
        if _mostly_empty(side, X.nnz):
            from scipy.sparse import coo_array

            coo = X.tocoo()
            places, i = np.unique(coo.coords[0].astype(np.int64), return_inverse=True)
            used, j = np.unique(coo.coords[1], return_inverse=True)
            X, columns = coo_array((coo.data, (i, j)), shape=(places.size, used.size)), used.size
        csr = canonical(X, X.dtype if X.dtype == np.bool else dtype)
        indices = csr.indices
        if _mostly_empty(columns, indices.size):
            used, indices = np.unique(indices, return_inverse=True)
            columns = used.size
        rows = cls(
            np.ascontiguousarray(csr.indptr, np.int64),
            np.ascontiguousarray(indices, np.int32),
            np.ascontiguousarray(csr.data, dtype),
            columns,
            side,
            places,
        )
        if dtype == np.int64:
            check_sums(np.bincount(rows.row(), rows.numbers.astype(np.float64) ** 2))
        return rows

    @property
    def n(self) -> int:
        """How many rows these are."""
        return self.indptr.size - 1

    @property
    def numbers(self) -> Array:
        """The numbers, where they are not all one."""
        assert self.data is not None
        return self.data

    @property
    def dtype(self) -> Dtype:
        """The dtype of products."""
        return np.dtype(np.int64) if self.data is None else self.data.dtype

    @property
    def kind(self) -> Kind:
        """The kind of the matrix of products."""
        return Kind.HERMITIAN.of(self.dtype)

    def row(self) -> NDArray[np.intp]:
        """The row of each number."""
        return np.repeat(np.arange(self.n), np.diff(self.indptr))

    def without_zeros(self) -> "Sparse":
        """The same rows without zeros that are stored."""
        keep = self.numbers != 0
        if keep.all():
            return self
        before = np.concatenate(([0], np.cumsum(keep)))
        return replace(self, indptr=before[self.indptr], indices=self.indices[keep], data=self.numbers[keep])

    def pattern(self) -> "Sparse":
        """Ones where numbers are not zero."""
        return replace(self.without_zeros(), data=None)

    def directions(self) -> "Sparse":
        """The rows scaled to length one, but for those of zeros."""
        rows = self.without_zeros()
        counts = np.diff(rows.indptr)
        row = np.flatnonzero(counts)
        if row.size == 0:
            return replace(rows, unit=True)
        starts, each = rows.indptr[row], np.repeat(np.arange(row.size), counts[row])
        parts = parts_of(rows.numbers)
        largest = np.maximum.reduceat(np.abs(parts).max(axis=1), starts)
        np.ldexp(
            parts, exponents(largest, row if self.places is None else self.places[row])[each, None], out=parts
        )
        parts /= np.sqrt(np.add.reduceat((parts**2).sum(axis=1), starts))[each, None]
        return replace(rows, data=numbers_of(parts, self.dtype), unit=True)

    def triangle(self, wanted: Wanted, grow: bool, most: int) -> Compressed | None:
        """Products by rows; None if more than `most` are kept, or, where "auto" is wanted, seem to be."""
        left, right = self._factors(turned=False)
        found = _core.gram(
            self.indptr,
            self.indices,
            left,
            right,
            self.columns,
            grow,
            wanted.threshold,
            self.unit,
            most,
            wanted.store == "auto",
            wanted.threads,
        )
        if found is None:
            return None
        indptr, indices, data = found
        return Compressed(indptr, indices, data.view(self.dtype), grow, True, self.kind)

    def half(self, wanted: Wanted, plain: Layout) -> tuple[Array, int]:
        """Products as a half of a plain layout, and how many are kept."""
        half = np.zeros(plain.length(self.n), self.dtype)
        left, right = self._factors(turned=plain.traversal == "columns")
        kept = _core.gram_half(
            self.indptr,
            self.indices,
            left,
            right,
            self.columns,
            plain.grow,
            wanted.threshold,
            self.unit,
            half,
            wanted.threads,
        )
        return half, kept

    def _factors(self, turned: bool) -> tuple[Array | None, Array | None]:
        """The numbers of the row of a run, and those of its columns, one of them conjugated."""
        if self.data is None or self.dtype.kind != "c":
            return self.data, self.data
        return (self.data.conj(), self.data) if turned else (self.data, self.data.conj())


def _mostly_empty(size: int, numbers: int) -> bool:
    return size > arrays.INT32_MAX or (size > MANY_ROWS and size > EMPTY_ROWS * numbers)
