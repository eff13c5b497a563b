"""Columns with missing numbers: means of what is there, covariances and rank correlations pair by pair."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype
from vech.covariance.data import Data, check_rows, check_underflow
from vech.covariance.moments import raise_overflow, refuse
from vech.covariance.ranks import Ranking, rankings
from vech.results.making import Tiles

SIDE = 256  # columns taken against each other: six squares of this side
CLOSE = 1e-2  # of the distance to the mean: then squares about it may lose digits
COLUMN_NUMBERS = 2**21  # of columns that are sorted together
RANK_SIDE = 64  # the same of ranks
# ranks over common rows taken together: larger arrays, new each time, take 5 times as long
RANK_NUMBERS = 2**13
LOST = 1e-6  # of the sum of squares about a mean of other rows: of what is less, too many digits are rounding


def present_means(data: Data, weights: Array | None = None) -> Array:
    """The mean of each column over its numbers that are not NaN, in float64 or complex128."""
    data.need_passes(f"missing={data.missing!r}")
    wide = np.complex128 if data.dtype.kind == "c" else np.float64
    first, sums, counts = np.zeros(data.p, wide), np.zeros(data.p, wide), np.zeros(data.p)
    known = np.zeros(data.p, bool)
    rows = 0
    for start, block in data.blocks():
        rows = start + len(block)
        numbers = block.astype(wide)
        there = ~np.isnan(numbers)
        if not np.isfinite(numbers[there]).all():
            refuse(data, block, start)
        new = there.any(axis=0) & ~known
        first[new] = numbers[np.argmax(there, axis=0), np.arange(data.p)][new]
        known |= new
        part = np.ones(len(block)) if weights is None else weights[start:rows]
        if len(part) < len(block):
            break  # gathering says so
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            sums += part @ np.where(there, numbers - first, 0)
        counts += part @ there
    check_rows(rows)
    data.check_counted(counts > 0)
    if not np.isfinite(sums).all():
        raise_overflow(data)
    return np.asarray(first + np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0))


def has_nan(data: Data) -> bool:
    """Whether a number of X is missing."""
    return any(np.isnan(block.astype(data.dtype, copy=False)).any() for _, block in data.blocks())


def center_of(data: Data, assume_centered: bool, weights: Array | None = None) -> Array | None:
    """What NaN counts as where it is neutral: zeros, or the means of what is there; None where it is not."""
    if data.missing != "neutral":
        return None
    means = present_means(data, weights)
    return np.zeros_like(means) if assume_centered else means


def pairwise(data: Data, ddof: float, standardise: bool, assume_centered: bool) -> Tiles:
    """Covariances or correlations of pairs of columns."""
    return Tiles(Pairwise.of(data, ddof, standardise, assume_centered), min(SIDE, data.p))


def pairwise_ranks(data: Data) -> Tiles:
    """Rank correlations of pairs of columns."""
    return Tiles(PairwiseRanks.of(data), RANK_SIDE)


@dataclass(frozen=True)
class Pairwise:
    """Covariances or correlations, each over the rows that both columns have: a block.

    With y = x - m where there is a number, else 0, and e = 1 there, else 0: over the common rows the number
    is N = e e', the sum of products A = y y', the sums B = y e', so that S = (A - B B' / N) / (N - ddof), and
    the variances over them are V = y^2 e' - B^2 / N. With `assume_centered` m and B are 0. Pairs of
    which V has lost its digits are computed again, one by one; of covariances V is looked at where a column
    is mostly far from its mean.
    """

    X: Array
    data: Data  # without X
    dtype: Dtype
    shift: Array
    far: Array
    ddof: float
    standardise: bool
    assume_centered: bool

    @classmethod
    def of(cls, data: Data, ddof: float, standardise: bool, assume_centered: bool) -> "Pairwise":
        """What is known of columns before they meet."""
        X = data.whole("missing='pairwise'")
        shift = present_means(data)
        if assume_centered:
            shift = np.zeros_like(shift)
        _check_squares(data, shift, np.dtype(np.float64) if standardise else data.dtype)
        far = np.full(data.p, standardise) if standardise or assume_centered else _far(X, shift)
        return cls(X, data.without_rows(), data.dtype, shift, far, ddof, standardise, assume_centered)

    def __call__(self, rows: slice, columns: slice) -> Array:
        X, shift, far = self.X, self.shift, self.far
        wide = np.complex128 if self.dtype.kind == "c" else np.float64
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        common, products = np.zeros(shape), np.zeros(shape, wide)
        left_sums, right_sums = np.zeros(shape, wide), np.zeros(shape, wide)
        left_squares, right_squares = np.zeros(shape), np.zeros(shape)
        squared = bool(far[rows].any() or far[columns].any())
        height = max(1, 2**23 // (min(SIDE, len(far)) * 16))
        for start in range(0, len(X), height):
            block = X[start : start + height]
            y, e = _present(block[:, rows], shift[rows], wide)
            z, f = (y, e) if rows == columns else _present(block[:, columns], shift[columns], wide)
            common += e.T @ f
            products += y.T @ z.conj()
            left_sums += y.T @ f
            right_sums += e.T @ z.conj()
            if squared:
                left_squares += (np.abs(y) ** 2).T @ f
                right_squares += e.T @ np.abs(z) ** 2
        undefined = _few(self.data, common, max(self.ddof, 0), f" for ddof={self.ddof:g}", rows, columns)
        if self.assume_centered:
            left_sums[...] = right_sums[...] = 0
        number = np.where(common > 0, common, 1)
        block = products - left_sums * right_sums / number
        left, right = (left_squares == 0) & ~undefined, (right_squares == 0) & ~undefined
        least = LOST * left_squares, LOST * right_squares
        left_squares -= np.abs(left_sums) ** 2 / number
        right_squares -= np.abs(right_sums) ** 2 / number
        weak = (left_squares <= least[0]) | (right_squares <= least[1])
        again = np.argwhere(weak & ~undefined & ~left & ~right) if squared else ()
        if self.standardise:
            block /= np.sqrt(np.where(weak, 1, left_squares))
            block /= np.sqrt(np.where(weak, 1, right_squares))
            block /= np.maximum(np.abs(block), 1)
            if rows == columns:
                np.fill_diagonal(block, 1)
            for i, j in again:
                pair = _common_rows(X, rows.start + i, columns.start + j, wide)
                left[i, j], right[i, j] = not pair[:, 0].any(), not pair[:, 1].any()
                if rows.start + i != columns.start + j:
                    block[i, j] = _correlation(pair)
            undefined |= _flat(self.data, left, right, common, rows, columns)
        else:
            block /= np.where(undefined, 1, common - self.ddof)
            for i, j in again:
                pair = _common_rows(X, rows.start + i, columns.start + j, wide)
                block[i, j] = pair[:, 0] @ pair[:, 1].conj() / (common[i, j] - self.ddof)
        block[undefined] = np.nan
        if wide is np.complex128 and rows == columns:
            block.imag.flat[:: len(block) + 1] = 0
        return block.astype(self.dtype)


def _check_squares(data: Data, shift: Array, least: Dtype) -> None:
    """Refuse numbers whose squares have no place in the dtype, or lose digits in the `least` one."""
    squares = np.zeros(data.p)
    rows = 0
    with np.errstate(over="ignore"):  # what is not finite is refused
        for _, block in data.blocks():
            away = _present(block, shift, shift.dtype.type)[0]
            squares += np.square(np.abs(away), dtype=np.float64).sum(axis=0)
            rows += len(block)
        if not (squares * rows <= np.finfo(data.dtype).max).all():
            raise_overflow(data)
    check_underflow(data, squares, least)


def _present(block: Array, shift: Array, wide: type) -> tuple[Array, Array]:
    numbers: Array = block.astype(wide) - shift
    there = ~np.isnan(numbers)
    return np.where(there, numbers, 0), there.astype(np.float64)


def _few(data: Data, common: Array, most: float, why: str, rows: slice, columns: slice) -> Array:
    """Pairs with too few rows in common; ValueError where that is not welcome."""
    few = common <= most
    if data.min_periods is not None:
        return np.asarray(few | (common < data.min_periods))
    if few.any():
        i, j = np.argwhere(few)[0]
        raise ValueError(
            f"{data.column(rows.start + i)} and {data.column(columns.start + j)} of X "
            f"have {common[i, j]:.0f} rows in common, too few{why}: drop one of them, "
            f"use missing='neutral', or say min_periods=1 to have NaN there"
        )
    return np.asarray(few)


def _flat(data: Data, left: Array, right: Array, common: Array, rows: slice, columns: slice) -> Array:
    """Pairs of which one is constant over the common rows; ValueError where that is not welcome."""
    flat = left | right
    if data.min_periods is None and flat.any():
        i, j = np.argwhere(flat)[0]
        constant, other = (
            (rows.start + i, columns.start + j) if left[i, j] else (columns.start + j, rows.start + i)
        )
        raise ValueError(
            f"{data.column(constant)} of X is constant in the {common[i, j]:.0f} rows that "
            f"it has in common with "
            f"{data.column(other)}, and their correlation is 0/0: drop it, use missing='neutral', or say "
            f"min_periods=1 to have NaN there"
        )
    return np.asarray(flat)


def _far(X: Array, shift: Array) -> Array:
    """Columns whose middle half lies closer together than to the mean, which other numbers moved."""
    n, p = X.shape
    found = np.zeros(p, bool)
    width = max(1, COLUMN_NUMBERS // n)
    for first in range(0, p, width):
        cut = slice(first, min(first + width, p))
        y = X[:, cut] - shift[cut]
        y = np.sort(np.abs(y) if y.dtype.kind == "c" else y, axis=0)  # NaN last
        counts = (~np.isnan(y)).sum(axis=0)
        low, middle, high = (y[counts * k // 4, np.arange(counts.size)] for k in (1, 2, 3))
        found[cut] = high - low < CLOSE * np.abs(middle)
    return found


def _common_rows(X: Array, i: int, j: int, wide: type) -> Array:
    """Two columns over the rows that both have, about their means; zeros of a constant one."""
    pair: Array = X[:, [i, j]].astype(wide)
    pair = pair[~np.isnan(pair).any(axis=1)]
    pair -= pair[0]
    pair -= pair.mean(axis=0)
    return pair


def _correlation(pair: Array) -> Any:
    """Of two columns about their means; 0 where one is constant, which is for others to see."""
    size = np.abs(pair).max(axis=0)
    pair = pair / np.where(size > 0, size, 1)
    roots = np.sqrt((np.abs(pair) ** 2).sum(axis=0))
    found = pair[:, 0] @ pair[:, 1].conj() / (roots.prod() or 1)
    return found / max(abs(found), 1)


# ---------------------------------------------------------------- ranks


@dataclass(frozen=True)
class PairwiseRanks:
    """Spearman's correlations, each of ranks over the rows that both columns have: a block.

    Of a column sorted once, the ranks over fewer rows follow from how many of these come before: a running
    sum over its order.
    """

    ranked: Ranking
    data: Data  # without X

    @classmethod
    def of(cls, data: Data) -> "PairwiseRanks":
        """Of columns that are sorted now."""
        return cls(rankings(data), data.without_rows())

    def __call__(self, rows: slice, columns: slice) -> Array:
        ranked = self.ranked
        width = max(1, RANK_NUMBERS // ranked.valid.shape[1])
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        common, block, left, right = (np.zeros(shape) for _ in range(4))
        for start in range(columns.start, columns.stop, width):
            some = _ranked_columns(ranked, slice(start, min(start + width, columns.stop)))
            at = slice(start - columns.start, start - columns.start + some.valid.shape[1])
            for i in range(min(shape[0], at.stop) if rows == columns else shape[0]):
                common[i, at], block[i, at], left[i, at], right[i, at] = _products(
                    ranked, rows.start + i, some
                )
        if rows == columns:  # one triangle was computed
            common, block = (np.triu(part) + np.triu(part, 1).T for part in (common, block))
            left, right = np.triu(left) + np.triu(right, 1).T, np.triu(right, 1) + np.triu(left).T
        undefined = _few(self.data, common, 0, " for a correlation", rows, columns)
        flat = (left == 0) & ~undefined, (right == 0) & ~undefined
        undefined |= _flat(self.data, *flat, common, rows, columns)
        block /= np.sqrt(np.where(undefined, 1, left))
        block /= np.sqrt(np.where(undefined, 1, right))
        np.clip(block, -1, 1, out=block)
        if rows == columns:
            np.fill_diagonal(block, 1)
        block[undefined] = np.nan
        return block.astype(self.data.dtype)


def _ranked_columns(ranked: Ranking, columns: slice) -> Ranking:
    """Some columns side by side, shape (n, columns), `low` and `high` as places in an array of n + 1 rows."""
    order, low, high, valid = (np.ascontiguousarray(part[columns].T) for part in ranked)
    count = valid.shape[1]
    at = np.arange(count)
    return Ranking(
        order.astype(np.intp), low.astype(np.intp) * count + at, high.astype(np.intp) * count + at, valid
    )


def _products(ranked: Ranking, i: int, others: Ranking) -> tuple[Array, Array, Array, Array]:
    """Of column i and each other one: common rows, and over them sums of products and squares of ranks."""
    both = others.valid & ranked.valid[i][:, None]
    count = both.sum(axis=0, dtype=np.int32)
    before = _running(others.valid[ranked.order[i]])
    own = before[ranked.low[i]] + before[ranked.high[i]] - count
    before = _running(ranked.valid[i].take(others.order)).reshape(-1)
    theirs = before.take(others.low) + before.take(others.high) - count
    own = np.multiply(own, both, dtype=np.float64)
    theirs = np.multiply(theirs, both, dtype=np.float64)
    products, left, right = (
        np.einsum("ij,ij->j", a, b) for a, b in ((own, theirs), (own, own), (theirs, theirs))
    )
    return count, products, left, right


def _running(counted: Array) -> Array:
    """How many are counted before each place of a column, and at its end."""
    before = np.zeros((counted.shape[0] + 1, counted.shape[1]), np.int32)
    np.cumsum(counted, axis=0, out=before[1:])
    return before
