"""Distances between sparse rows, block by block; no row is made dense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import INT32_MAX, Array, Dtype
from vech.moves.foreign import judged
from vech.moves.nonzeros import canonical, sparse_dtype
from vech.pairwise.products import MILD, Float, Products, lengths, power_of
from vech.pairwise.rows import check_matrix, inexact

TOGETHER = 2**21  # nonzeros, or pairs of them, that are looked at at a time
MANY = 2**18  # nonzeros of pairs below which they are subtracted as they are
SLOWER = 16  # times, at least, that this takes of a nonzero as long as a kernel of a number
NUMBERS = 2**22  # of a block that is made dense
DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True)
class Sparse:
    """Rows as CSR arrays: columns ascend, and no number is zero."""

    indptr: NDArray[np.int64]
    indices: NDArray[Any]
    data: Float
    columns: int

    def rows(self, rows: slice, scale: float = 1.0) -> Any:
        """Some of them, as a CSR array."""
        from scipy.sparse import csr_array

        begin, end = self.indptr[rows.start], self.indptr[rows.stop]
        data = self.data[begin:end]
        arrays = data if scale == 1 else data * scale, self.indices[begin:end]
        found = csr_array(
            (*arrays, self.indptr[rows.start : rows.stop + 1] - begin),
            shape=(rows.stop - rows.start, self.columns),
        )
        found.has_canonical_format = True
        return found

    def sums(self, numbers: Float) -> Float:
        """The sums over rows of what stands for each nonzero."""
        return np.asarray(np.bincount(self.row(), numbers, minlength=self.indptr.size - 1), DOUBLE)

    def largest(self) -> Float:
        """The largest size in each row."""
        found = np.zeros(self.indptr.size - 1)
        np.maximum.at(found, self.row(), np.abs(self.data))
        return found

    def row(self) -> NDArray[np.intp]:
        """The row of each number."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))


@dataclass(frozen=True)
class SparseProducts(Products):
    """Of inner products of sparse rows; where digits are lost, of their sparse differences."""

    X: Sparse
    scale: float

    def products(self, rows: slice, columns: slice) -> Array:
        """Inner products, in double, then rounded."""
        left, right = common(self.X.rows(rows, self.scale), self.X.rows(columns, self.scale))
        with np.errstate(over="ignore", invalid="ignore"):
            return inner_products(left, right).astype(self.dtype, copy=False)

    def squares(self, pairs: NDArray[np.int64], rows: slice, columns: slice, scale: float = 1.0) -> Float:
        """The squared differences of pairs times the square of `scale`."""

        def square(numbers: Float) -> Float:
            with np.errstate(over="ignore", under="ignore"):
                return (numbers * scale) ** 2

        return of_differences(self.X, pairs, rows, columns, square)


@dataclass(frozen=True)
class Euclidean(SparseProducts):
    """|x - y|, or its square."""

    root: bool

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """Lengths of differences of any size."""

        def squares(pairs: NDArray[np.int64], scale: float) -> Float:
            return self.squares(pairs, rows, columns, scale)

        found = by_kernel(self.X, pairs, rows, columns, "euclidean_wide" if self.root else "sqeuclidean")
        if found is not None:
            return found
        return lengths(squares, pairs) if self.root else squares(pairs, 1.0)


@dataclass(frozen=True)
class Cosine(SparseProducts):
    """1 - cos of the angle between rows of length one."""

    times = 1.0
    most = 2.0

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """1 - cos = |u - v|^2 / 2."""
        found = by_kernel(self.X, pairs, rows, columns, "chord")
        return found if found is not None else self.squares(pairs, rows, columns) / 2


@dataclass(frozen=True)
class Cityblock(Products):
    """sum |x| + sum |y| + sum (|x - y| - |x| - |y|), the last over the columns where both are not zero."""

    X: Sparse

    times = -1.0

    def products(self, rows: slice, columns: slice) -> Array:
        """The last sum."""
        left, right = common(self.X.rows(rows), self.X.rows(columns))
        uses = [np.bincount(side.indices, minlength=left.shape[1]).astype(DOUBLE) for side in (left, right)]
        block = full(left, right, "cityblock", float(uses[0] @ uses[1]))
        if block is not None:
            x, y = (np.asarray(abs(side).sum(axis=1)) for side in (left, right))
            return np.asarray(block - (x[:, None] + y), self.dtype)
        found = np.zeros(left.shape[0] * right.shape[0])
        with np.errstate(over="ignore", invalid="ignore"):
            for place, x, y in matches(left, right):
                more = np.abs(x - y) - (np.abs(x) + np.abs(y))
                found += np.bincount(place, more, minlength=found.size)
        return found.reshape(left.shape[0], -1).astype(self.dtype, copy=False)

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """By differences."""
        found = by_kernel(self.X, pairs, rows, columns, "cityblock")
        return found if found is not None else of_differences(self.X, pairs, rows, columns, np.abs)


@dataclass(frozen=True)
class Jaccard:
    """Of the columns where one of two rows is not zero, the share where the other is; of none 0."""

    X: Sparse  # of ones
    counts: Float
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.counts)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """The block, of exact counts divided once."""
        rows, columns = (slice(*side.indices(self.n)) for side in (rows, columns))
        left, right = common(self.X.rows(rows), self.X.rows(columns))
        both = inner_products(left, right)
        either = self.counts[rows, None] + self.counts[columns] - both
        found = np.divide(either - both, either, out=np.zeros_like(both), where=either > 0)
        return np.asarray(found, self.dtype)


def opened(X: Any) -> tuple[Sparse, Dtype]:
    """A SciPy sparse matrix of finite real numbers, and the dtype of distances: errors name what is not."""
    check_matrix(X)
    X = judged(X)
    if sparse_dtype(X.dtype).kind == "c":
        raise TypeError(f"X holds {X.dtype}, and distances are of real numbers: pass np.real(X) or abs(X)")
    dtype = inexact(X.dtype)
    csr = canonical(X, DOUBLE)
    finite = np.isfinite(csr.data)
    if not finite.all():
        at = int(np.argmin(finite))
        row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
        raise ValueError(
            f"X holds {csr.data[at]} in row {row}, column {csr.indices[at]}: fill it, or leave the row out"
        )
    indptr = csr.indptr.astype(np.int64)
    keep = csr.data != 0
    if not keep.all():
        before = np.concatenate(([0], np.cumsum(keep)))
        return Sparse(before[indptr], csr.indices[keep], csr.data[keep], X.shape[1]), dtype
    count = int(indptr[-1])
    return Sparse(indptr, csr.indices[:count], csr.data[:count], X.shape[1]), dtype


def euclidean(X: Any, squared: bool = False) -> Euclidean:
    """Blocks of |x_i - x_j| for the rows of a SciPy sparse X; products in double, with the errors of these.

    Cost: for a block of k rows the pairs of nonzeros that share a column, and k^2 numbers.
    """
    rows, dtype = opened(X)
    sizes = np.abs(rows.data[:: -(-rows.data.size // TOGETHER) or 1])
    mild = MILD[dtype]
    scale = (
        float(power_of(np.partition(sizes, sizes.size // 2)[sizes.size // 2], mild)) if sizes.size else 1.0
    )
    with np.errstate(over="ignore", under="ignore"):
        own = rows.sums((rows.data * scale) ** 2).astype(dtype)
    return Euclidean(own, rows, scale, not squared)


def cosine(X: Any) -> Cosine:
    """Blocks of 1 - cos of the angle between the rows of a SciPy sparse X.

    Empty rows have no direction: they are at distance 1 from all others.
    """
    rows, dtype = opened(X)
    row = rows.row()
    data = rows.data * power_of(rows.largest(), MILD[DOUBLE])[row]
    length = np.sqrt(rows.sums(data**2))
    unit = replace(rows, data=data / length[row])
    return Cosine(np.full(length.size, 0.5, dtype), unit, 1.0)


def cityblock(X: Any) -> Cityblock:
    """Blocks of sum |x_i - x_j| for the rows of a SciPy sparse X."""
    rows, dtype = opened(X)
    return Cityblock(rows.sums(np.abs(rows.data)).astype(dtype), rows)


def jaccard(X: Any) -> Jaccard:
    """Blocks of Jaccard distances of the rows of a SciPy sparse X, true where it is not zero."""
    rows, dtype = opened(X)
    ones = np.ones(rows.data.size)
    return Jaccard(replace(rows, data=ones), rows.sums(ones), dtype)


def common(left: Any, right: Any) -> tuple[Any, Any]:
    """The same rows in the columns that the second ones use, where all columns would be too many."""
    if right.shape[1] <= min(4 * right.nnz + 1000, INT32_MAX):
        return left, right
    from scipy.sparse import csr_array

    used, j = np.unique(right.indices, return_inverse=True)
    at = np.searchsorted(used, left.indices)
    kept = np.zeros(left.nnz, np.bool)
    inside = at < used.size
    kept[inside] = used[at[inside]] == left.indices[inside]
    before = np.concatenate(([0], np.cumsum(kept)))
    return (
        csr_array((left.data[kept], at[kept], before[left.indptr]), shape=(left.shape[0], used.size)),
        csr_array((right.data, j, right.indptr), shape=(right.shape[0], used.size)),
    )


def inner_products(left: Any, right: Any) -> Float:
    """Those of the rows of two CSR arrays, in double."""
    found = np.zeros((left.shape[0], right.shape[0]))
    arrays = [
        (side.indptr.astype(np.int64), side.indices.astype(np.int32), side.data.astype(DOUBLE, copy=False))
        for side in (left, right.tocsc())
    ]
    _core.add_products(*arrays[0], *arrays[1], found)
    return found


def matches(left: Any, right: Any) -> Iterator[tuple[NDArray[np.intp], Float, Float]]:
    """The nonzeros of each pair of rows in the same column: the pair's place in the block, both numbers."""
    columns = right.tocsc()
    count = np.diff(columns.indptr)[left.indices].astype(np.int64)  # partners of each nonzero of the left
    row = np.repeat(np.arange(left.shape[0]), np.diff(left.indptr))
    ends = np.cumsum(count)
    total = int(count.sum())
    if not total:
        return
    cuts = np.searchsorted(ends, np.arange(0, total, TOGETHER)[1:])
    for first, last in zip([0, *cuts], [*cuts, count.size], strict=True):
        some = slice(first, last)
        each = np.repeat(np.arange(first, last), count[some])
        start = columns.indptr[left.indices[some]] - (ends[some] - count[some])
        partner = np.arange(ends[last - 1] - each.size, ends[last - 1]) + np.repeat(start, count[some])
        place = row[each] * right.shape[0] + columns.indices[partner]
        yield place, left.data[each], columns.data[partner]


def by_kernel(X: Sparse, pairs: NDArray[np.int64], rows: slice, columns: slice, metric: str) -> Float | None:
    """The distances of pairs of a block by a kernel; None where sparse differences take less."""
    left, right = X.rows(rows), X.rows(columns)
    block = full(left, right, metric, pairs.size * (left.nnz / left.shape[0] + right.nnz / right.shape[0]))
    return None if block is None else np.asarray(block.reshape(-1)[pairs])


def full(left: Any, right: Any, metric: str, work: float) -> Array | None:
    """All distances of some rows and others by a kernel, in the columns that they use.

    None where that takes longer than to look at so many nonzeros, as where few rows are near each other.
    """
    count = left.shape[0] * right.shape[0]
    if work < MANY:
        return None
    used, places = np.unique(np.concatenate((left.indices, right.indices)), return_inverse=True)
    if count * used.size > SLOWER * work or (left.shape[0] + right.shape[0]) * used.size > NUMBERS:
        return None
    x, y = (np.zeros((some.shape[0], used.size)) for some in (left, right))
    for numbers, some, at in ((x, left, places[: left.nnz]), (y, right, places[left.nnz :])):
        numbers[np.repeat(np.arange(some.shape[0]), np.diff(some.indptr)), at] = some.data
    block = np.empty((len(x), len(y)))
    apart = (0, False, False, 0, len(x))  # as if no row were among the others
    _core.distances(metric, x, y, block, apart, None, None, 2.0, 1.0, False, 1)
    return block


def of_differences(
    X: Sparse,
    pairs: NDArray[np.int64],
    rows: slice,
    columns: slice,
    function: Callable[[Float], Float],
) -> Float:
    """The sums over columns of a function of x - y, for pairs of a block."""
    left, right = X.rows(rows), X.rows(columns)
    i, j = np.divmod(pairs, right.shape[0])
    found = np.zeros(pairs.size)
    ends = np.cumsum(np.diff(left.indptr)[i] + np.diff(right.indptr)[j])
    cuts = np.searchsorted(ends, np.arange(0, int(ends[-1]), TOGETHER)[1:])
    for first, last in zip([0, *cuts], [*cuts, pairs.size], strict=True):
        some = slice(first, last)
        apart = left[i[some]] - right[j[some]]
        row = np.repeat(np.arange(apart.shape[0]), np.diff(apart.indptr))
        found[some] = np.bincount(row, function(apart.data), minlength=apart.shape[0])
    return found
