"""Distances by products: tiles of BLAS, and differences of rows where products have lost their digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype
from vech.pairwise.rows import groups

LEAST = 1 / 8  # of |x|^2 + |y|^2: a smaller |x - y|^2 is computed by differences
PIECE = 4096  # columns of X that are multiplied at a time
SAMPLES = 256  # rows whose middle is the origin
MILD = {np.dtype(np.float32): 20, np.dtype(np.float64): 200}  # powers of two whose squares do no harm
LARGEST = {np.dtype(np.float32): 126, np.dtype(np.float64): 1020}  # power of two to multiply by
TINY = 2.0**-900  # squares of which so small a sum is made may have underflowed
FAR = 2.0**600  # brings them back
KEPT_BYTES = 2**26  # of X, of which as much is kept

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Products:
    """Blocks of distances own_i + own_j - times p_ij, of products p, or by differences."""

    own: Array  # of the dtype of the distances

    times = 2.0
    most = np.inf
    root = False
    scale = 1.0

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.own)

    @property
    def dtype(self) -> Dtype:
        """Of the distances."""
        return self.own.dtype

    def products(self, rows: slice, columns: slice) -> Array:
        """The products of rows, each with each."""
        raise NotImplementedError

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """The distances of some pairs of a block, by differences."""
        raise NotImplementedError

    def __call__(self, rows: slice, columns: slice) -> Array:
        """The block; (i, j) and (j, i) have the same bits."""
        rows, columns = (slice(*side.indices(self.n)) for side in (rows, columns))
        if columns.start < rows.start:
            return self(columns, rows).T
        block = self.products(rows, columns)
        rest = self.times, LEAST, self.most, self.root, 1 / self.scale
        doubtful = np.asarray(_core.finish(block, self.own[rows], self.own[columns], *rest))
        if doubtful.size:
            with np.errstate(over="ignore", under="ignore"):
                block.reshape(-1)[doubtful] = self.apart(doubtful, rows, columns)
        if rows == columns:
            np.fill_diagonal(block, 0)
        return block


@dataclass(frozen=True)
class Rows(Products):
    """Of the rows of a full matrix: their inner products by BLAS."""

    X: Array

    def near(self, rows: slice, columns: slice) -> Array:
        """Rows to multiply, in X's dtype."""
        raise NotImplementedError

    def exact(self, rows: slice, columns: slice) -> Array:
        """The same rows to subtract from each other."""
        raise NotImplementedError

    def products(self, rows: slice, columns: slice) -> Array:
        """The inner products of rows, each with each."""
        return inner_products(self.near, self.X.shape[1], rows, columns)

    def squares(self, pairs: NDArray[np.int64], rows: slice, columns: slice, scale: float = 1.0) -> Float:
        """The squared differences of pairs times the square of `scale`, in double."""
        sums = np.zeros(pairs.size)
        for piece in _pieces(self.X.shape[1]):
            left, right = (np.ascontiguousarray(self.exact(side, piece)) for side in (rows, columns))
            _core.add_differences(sums, pairs, left, right, scale)
        return sums


@dataclass(frozen=True)
class Euclidean(Rows):
    """|x - y|, or its square."""

    centre: Array | None
    scale: float  # a power of two
    root: bool

    def near(self, rows: slice, columns: slice) -> Array:
        """Rows beside the centre, of ordinary size."""
        x = self.X[rows, columns]
        if self.centre is not None:
            x = x - self.centre[columns]
        return x if self.scale == 1 else x * self.dtype.type(self.scale)

    def exact(self, rows: slice, columns: slice) -> Array:
        """Rows as they are."""
        return self.X[rows, columns]

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """Lengths of differences of any size."""

        def squares(pairs: NDArray[np.int64], scale: float) -> Float:
            return self.squares(pairs, rows, columns, scale)

        return lengths(squares, pairs) if self.root else squares(pairs, 1.0)


@dataclass(frozen=True)
class Directions(Rows):
    """1 - cos of the angle between rows, or between what is left of them without their means."""

    power: Float | None  # of two, by row, for rows whose squares double cannot hold
    means: tuple[Float, Float] | None  # a mean, and that of what is left
    factor: Float  # makes the length one; 0 for rows without a direction
    kept: dict[tuple[int | None, ...], Array] = field(default_factory=dict, repr=False, compare=False)

    times = 1.0
    most = 2.0

    def near(self, rows: slice, columns: slice) -> Array:
        """Rows of length one; of float32 made once where X is small: 0.9 of the time of 512 columns."""
        key = (rows.start, rows.stop, columns.start, columns.stop)
        found = self.kept.get(key)
        if found is None:
            found = self.exact(rows, columns).astype(self.dtype, copy=False)
            if self.dtype.itemsize == 4 and self.X.nbytes <= KEPT_BYTES:
                self.kept[key] = found
        return found

    def exact(self, rows: slice, columns: slice) -> Float:
        """The same in double."""
        return _centred(self.X, self.power, self.means, rows, columns) * self.factor[rows, None]

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Float:
        """1 - cos = |u - v|^2 / 2 for u and v of length one."""
        return self.squares(pairs, rows, columns) / 2


def euclidean(X: Array, squared: bool = False) -> Euclidean:
    """Blocks of |x_i - x_j|, or of the squares, for the rows of a finite X of float32 or float64.

    |x|^2 + |y|^2 - 2 x.y by BLAS, with the middle of some rows as origin, where that brings rows nearer to
    it: a distance stays the same. Where this is less than 1/8 of |x|^2 + |y|^2, the sum of (x_k - y_k)^2 in
    double takes its place, and so it does where squares leave the range of the dtype.

    The result differs from |x - y| by at most 2 (m + 6) eps |x - y|, for m columns and the eps of X's dtype;
    by differences by (m / 64 + 20) eps of double, and its rounding. The errors of m products are rarely all
    on one side: 2 sqrt(m) eps is seldom exceeded. Identical rows are at distance 0.
    """
    scale, centre = _place(np.asarray(X[:: -(-len(X) // SAMPLES) or 1]))
    blocks = Euclidean(np.zeros(0, X.dtype), X, centre, scale, not squared)
    with np.errstate(over="ignore", invalid="ignore"):
        own = [_squares(blocks, rows) for rows in groups(X)]
    return replace(blocks, own=np.concatenate(own or [blocks.own]))


def cosine(X: Array) -> Directions:
    """Blocks of 1 - cos of the angle between the rows of a finite X of float32 or float64.

    1 - u.v for rows u, v of length one, by BLAS; where that is less than 1/8, |u - v|^2 / 2, with rows and
    sum in double. A result d differs from 1 - cos by at most 8 (m + 4) eps d, and where it is less than 1/8
    by (m + 4) eps d + 4 eps sqrt(d) of double, and its rounding. It is in [0, 2]. Rows of zeros have no
    direction: as in scikit-learn they are at distance 1 from all other rows (SciPy: nan).
    """
    return _directions(X, centred=False)


def correlation(X: Array) -> Directions:
    """Blocks of 1 - the correlation of rows of a finite X of float32 or float64.

    As `cosine`, of rows without their means, which are subtracted twice in double: what the first subtraction
    leaves of a mean that is much larger than what is beside it, the second takes away. Constant rows have no
    direction: they are at distance 1 from all others (SciPy and scikit-learn: nan).
    """
    return _directions(X, centred=True)


def lengths(squares: Callable[[NDArray[np.int64], float], Float], pairs: NDArray[np.int64]) -> Float:
    """The roots of sums of squares, which are asked for at other scales where double cannot hold them."""
    sums = squares(pairs, 1.0)
    found = np.sqrt(sums)
    for lost, scale in ((sums < TINY, FAR), (sums == np.inf, 1 / FAR)):
        if lost.any():
            found[lost] = np.sqrt(squares(pairs[lost], scale)) / scale
    return found


def inner_products(near: Callable[[slice, slice], Array], m: int, rows: slice, columns: slice) -> Array:
    """The inner products of rows of m columns, by BLAS, some columns at a time."""
    block = None
    with np.errstate(over="ignore", invalid="ignore"):
        for piece in _pieces(m):
            left = near(rows, piece)
            right = left if rows == columns else near(columns, piece)  # then NumPy computes one triangle
            more = left @ right.T
            block = more if block is None else np.add(block, more, out=block)
    assert block is not None
    return block


def _directions(X: Array, centred: bool) -> Directions:
    n = len(X)
    power, factor, constant = np.ones(n), np.zeros(n), np.zeros(n, np.bool)
    means = (np.zeros(n), np.zeros(n)) if centred else None
    everything = slice(None)
    for rows in groups(X):
        if X.size == 0:
            continue
        least, most = X[rows].min(axis=1), X[rows].max(axis=1)
        constant[rows] = least == most
        power[rows] = power_of(np.maximum(-least, most).astype(np.float64), MILD[np.dtype(np.float64)])
        if means is not None:
            for k in range(2):
                left = _centred(X, power, means, rows, everything)
                means[k][rows] = left.mean(axis=1)
        left = _centred(X, power, means, rows, everything)
        squares = np.einsum("ij,ij->i", left, left)
        if means is not None:
            squares[constant[rows]] = 0
        known = squares > 0
        factor[rows][known] = 1 / np.sqrt(squares[known])
    own = np.full(n, 0.5, X.dtype)
    return Directions(own, X, None if (power == 1).all() else power, means, factor)


def _centred(
    X: Array, power: Float | None, means: tuple[Float, Float] | None, rows: slice, columns: slice
) -> Float:
    """Rows in double, of ordinary size, without their means."""
    x = X[rows, columns].astype(np.float64, copy=False)
    if power is not None:
        x = x * power[rows, None]
    if means is not None:
        x = x - means[0][rows, None]
        x -= means[1][rows, None]
    return x


def _place(sample: Array) -> tuple[float, Array | None]:
    """The power of two by which to multiply rows, and the point to measure them from, where one is of use."""
    if sample.size == 0:
        return 1.0, None
    dtype = sample.dtype
    centre = middle(sample)
    with np.errstate(over="ignore", invalid="ignore"):
        near = sample - centre
        sizes = np.abs(near).max(axis=1)
        scale = float(power_of(middle(sizes[sizes > 0]), MILD[dtype], LARGEST[dtype])) if sizes.any() else 1.0
        lengths = ((near * dtype.type(scale)) ** 2).sum(axis=1)
        far = ((centre * dtype.type(scale)) ** 2).sum() > middle(lengths) / 4
    return scale, centre if far else None


def middle(numbers: Array) -> Array:
    """A median that is one of the numbers."""
    middle = len(numbers) // 2
    return np.asarray(np.partition(numbers, middle, axis=0)[middle])


def power_of(sizes: Float, mild: int, largest: int = 1020) -> Float:
    """The powers of two that bring numbers to size one; 1 where their squares do no harm."""
    exponents = np.frexp(sizes)[1]
    return np.ldexp(1.0, np.where(np.abs(exponents) <= mild, 0, np.clip(-exponents, -largest, largest)))


def _squares(blocks: Euclidean, rows: slice) -> Array:
    x = blocks.near(rows, slice(None)).astype(np.float64, copy=False)
    return np.asarray(np.einsum("ij,ij->i", x, x), blocks.X.dtype)


def _pieces(columns: int) -> Iterator[slice]:
    for first in range(0, max(1, columns), PIECE):
        yield slice(first, min(first + PIECE, columns))
