"""The metrics of `distances`: one table, and what makes blocks of distances of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, NamedTuple, Protocol

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, as_array, family, resolve_threads
from vech.frames import as_sparse, is_frame, is_sparse, labels_of
from vech.moves.packing import pack

NUMBERS = 2**20  # of X that are looked at at a time
MILD = (2.0**-450, 2.0**500)  # numbers whose differences have squares in the range of double
QUOTIENTS = (2.0**-200, 2.0**200)  # of which four, and their product, stay in it
DOUBLE = np.dtype(np.float64)
SINGLE = np.dtype(np.float32)


class Block(Protocol):
    """Distances between rows and rows, each with each."""

    @property
    def n(self) -> int:
        """How many rows there are."""

    @property
    def dtype(self) -> Dtype:
        """Of the distances."""

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Those of some rows and some others, shape (k, m); zero where both are the same row."""


class Parameters(NamedTuple):
    """What a metric may be told beside X."""

    p: float = 2.0
    V: Any = None
    VI: Any = None
    w: Any = None


class Rows(NamedTuple):
    """X behind the door: finite numbers, or NaN where it is to be left out, and the dtype of distances."""

    X: Array  # float32, float64 or bool; without gaps
    dtype: Dtype
    missing: bool

    def numbers(self) -> Array:
        """X as floats."""
        return self.X if self.X.dtype != bool else self.X.astype(DOUBLE)


@dataclass(frozen=True)
class Metric:
    """One metric: how its blocks are made, other names for it, and what it takes."""

    name: str
    make: Callable[[Rows, Parameters], Block]
    aliases: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    truth: bool = False  # X is read as true where it is not zero
    missing: bool = False
    sparse: bool = False
    frames: bool = False  # reads X as it is


# ---------------------------------------------------------------- blocks


def span(rows: slice, n: int) -> range:
    """The rows of a slice."""
    return range(*rows.indices(n))


def settled(block: Array, rows: range, columns: range) -> Array:
    """The block, with zero where a row meets itself."""
    same = np.arange(max(rows.start, columns.start), min(rows.stop, columns.stop))
    block[same - rows.start, same - columns.start] = 0
    return block


@dataclass(frozen=True)
class Kernel:
    """Blocks by the kernel of a metric: `X` are floats, of which `dtype` need not be that of the result."""

    X: Array
    metric: str
    dtype: Dtype
    weights: Array | None = None
    p: float = 2.0
    factor: float = 1.0
    missing: bool = False
    threads: int | None = None

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.X)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Distances in the dtype of the result."""
        here, there = span(rows, self.n), span(columns, self.n)
        block = np.empty((len(here), len(there)), self.dtype)
        threads = resolve_threads(self.threads, block.nbytes * self.X.shape[1])
        _core.distances(
            self.metric, self.X[rows], self.X[columns], block, self.weights, self.p, self.factor,
            self.missing, threads,
        )  # fmt: skip
        return settled(block, here, there)


@dataclass(frozen=True)
class Bits:
    """Blocks of a formula of counts, of rows of bits in words of 64."""

    words: Array
    features: int
    metric: str
    dtype: Dtype
    threads: int | None = None

    @classmethod
    def of(cls, X: Array, metric: str, dtype: Dtype) -> Bits:
        """Of truth values."""
        n, features = X.shape
        packed = np.zeros((n, -(-features // 64) * 8), np.uint8)
        packed[:, : -(-features // 8)] = np.packbits(X, axis=1, bitorder="little")
        return cls(packed.view(np.uint64), features, metric, dtype)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.words)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Distances in the dtype of the result."""
        here, there = span(rows, self.n), span(columns, self.n)
        block = np.empty((len(here), len(there)), self.dtype)
        threads = resolve_threads(self.threads, block.nbytes)
        args = self.words[rows], self.words[columns], self.features, block, threads
        _core.dissimilarities(self.metric, *args)
        return settled(block, here, there)


@dataclass(frozen=True)
class Sphere:
    """Blocks of angles between points of latitude and longitude, in radians.

    h = sin^2(dphi / 2) + cos(phi) cos(phi') sin^2(dlambda / 2), and what is left to 1 by a sum of squares, so
    that neither near points nor opposite ones lose digits.
    """

    X: Array  # float64
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many points there are."""
        return len(self.X)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Angles in the dtype of the result."""
        a, b = self.X[rows, None] / 2, self.X[None, columns] / 2
        apart, across = np.moveaxis(np.sin(a - b) ** 2, -1, 0)
        both = np.cos(2 * a[..., 0]) * np.cos(2 * b[..., 0])
        near = apart + both * across
        far = (1 - apart) * (1 - across) + np.sin(a[..., 0] + b[..., 0]) ** 2 * across
        angles = 2 * np.arctan2(np.sqrt(near), np.sqrt(far))
        return settled(angles.astype(self.dtype, copy=False), span(rows, self.n), span(columns, self.n))


@dataclass(frozen=True)
class Function:
    """Blocks by a function of two rows, the one that comes first in X first."""

    X: Array
    function: Callable[[Array, Array], float]
    dtype: Dtype

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.X)

    def __call__(self, rows: slice, columns: slice) -> Array:
        """One call a pair; pairs of which both orders are wanted are computed once."""
        here, there = span(rows, self.n), span(columns, self.n)
        block = np.zeros((len(here), len(there)), self.dtype)
        known = set(here) & set(there)
        for a, i in enumerate(here):
            for b, j in enumerate(there):
                if i < j or (i > j and not (i in known and j in known)):
                    block[a, b] = self._distance(min(i, j), max(i, j))
        for i in known:
            for j in known:
                if i > j:
                    block[i - here.start, j - there.start] = block[j - here.start, i - there.start]
        return block

    def _distance(self, i: int, j: int) -> float:
        found = self.function(self.X[i], self.X[j])
        try:
            return float(found)
        except (TypeError, ValueError):
            raise TypeError(
                f"metric gave {found!r} of rows {i} and {j}: a distance is one real number"
            ) from None


# ---------------------------------------------------------------- what X holds


def pieces(X: Array) -> Iterator[tuple[int, Array]]:
    """(first row, rows), some at a time."""
    height = max(1, NUMBERS // max(1, X.shape[1]))
    for start in range(0, len(X), height):
        yield start, X[start : start + height]


def within(X: Array, least: float, most: float) -> bool:
    """Whether every number is zero or of a size between these."""
    for _, piece in pieces(X):
        size = np.abs(piece)
        inside = (size <= most) & ((size >= least) | (size == 0))
        if not (inside | np.isnan(size)).all():
            return False
    return True


def is_mild(rows: Rows, w: Array | None, least: float, most: float) -> bool:
    """Whether kernels need not look out for what leaves the range of double; float32 cannot."""
    if w is not None and not within(w[None], 2.0**-100, 2.0**100):
        return False
    return rows.X.dtype in (SINGLE, bool) or within(rows.X, least, most)


def weights_of(rows: Rows, w: Any) -> tuple[Rows, Array | None]:
    """The weights, and the columns that have one."""
    if w is None:
        return rows, None
    w = numbers_for("w", w, (rows.X.shape[1],))
    if (w < 0).any():
        at = int(np.argmax(w < 0))
        raise ValueError(f"w[{at}] is {w[at]:g}: weights are zero or positive")
    if not w.all():
        rows = rows._replace(X=np.ascontiguousarray(rows.X[:, w > 0]))
        w = w[w > 0]
    return rows, w


def numbers_for(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    """An argument of finite real numbers, in double."""
    array = as_array(value, name)
    if family(array.dtype) not in "biuf":
        raise TypeError(f"{name} holds {array.dtype}: real numbers are needed")
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, and X has {shape[0]} columns: {shape} fits")
    array = np.ascontiguousarray(array, DOUBLE)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds nan or an infinity: finite numbers are needed")
    return array


# ---------------------------------------------------------------- metrics by kernels


def by_kernel(name: str) -> Callable[[Rows, Parameters], Block]:
    """A metric whose kernel takes X and weights as they are."""

    def make(rows: Rows, parameters: Parameters) -> Block:
        rows, w = weights_of(rows, parameters.w)
        return Kernel(rows.numbers(), name, rows.dtype, w, missing=rows.missing)

    return make


def of_truth(name: str) -> Callable[[Rows, Parameters], Block]:
    """A formula of counts; with weights they are sums."""

    def make(rows: Rows, parameters: Parameters) -> Block:
        if parameters.w is None:
            return Bits.of(rows.X, name, rows.dtype)
        rows, w = weights_of(rows, parameters.w)
        return Kernel(rows.numbers(), name, rows.dtype, w)

    return make


def hamming(rows: Rows, parameters: Parameters) -> Block:
    """Of truth values by counts, of numbers by their kernel."""
    truth = rows.X.dtype == bool and parameters.w is None
    return (of_truth("hamming_of_bits") if truth else by_kernel("hamming"))(rows, parameters)


def chebyshev(rows: Rows, parameters: Parameters) -> Block:
    """Weights only say which columns count."""
    rows, _ = weights_of(rows, parameters.w)
    return Kernel(rows.numbers(), "chebyshev", rows.dtype, missing=rows.missing)


def canberra(rows: Rows, parameters: Parameters) -> Block:
    """Quotients are put together where they stay in range."""
    rows, w = weights_of(rows, parameters.w)
    name = "canberra" if is_mild(rows, w, *QUOTIENTS) else "canberra_wide"
    return Kernel(rows.numbers(), name, rows.dtype, w, missing=rows.missing)


def braycurtis(rows: Rows, parameters: Parameters) -> Block:
    """Sums must stay in range: the metric does not see a common factor."""
    rows, w = weights_of(rows, parameters.w)
    X = rows.numbers()
    if not is_mild(rows, w, 0.0, 2.0**900):
        X, w = np.ldexp(X, -100), None if w is None else w / w.max(initial=0)
    return Kernel(X, "braycurtis", rows.dtype, w, missing=rows.missing)


def euclidean(rows: Rows, parameters: Parameters) -> Block:
    """Square roots of `sqeuclidean`, at any scale."""
    rows, w = weights_of(rows, parameters.w)
    return powers(rows, w, 2.0)


def powers(rows: Rows, w: Array | None, p: float) -> Block:
    """(sum of w |x - y|^p)^(1/p) by the kernel that the range of numbers and p ask for."""
    if p == 2 and is_mild(rows, w, *MILD):
        return Kernel(rows.numbers(), "euclidean", rows.dtype, w, missing=rows.missing)
    largest = 1.0 if w is None or not w.size else float(w.max())
    w = None if w is None else w / largest
    name = "euclidean_wide" if p == 2 else "minkowski"
    return Kernel(rows.numbers(), name, rows.dtype, w, p=p, factor=largest ** (1 / p), missing=rows.missing)


def minkowski(rows: Rows, parameters: Parameters) -> Block:
    """By p: the sum of differences at 1, the largest at infinity."""
    p = parameters.p
    if p == 1:
        return by_kernel("cityblock")(rows, parameters)
    if p == np.inf:
        return chebyshev(rows, parameters)
    rows, w = weights_of(rows, parameters.w)
    return powers(rows, w, p)


def seuclidean(rows: Rows, parameters: Parameters) -> Block:
    """Euclidean with weights 1 / V, the variances of columns."""
    X = rows.numbers()
    mild = is_mild(rows, None, *MILD)
    if parameters.V is None and not mild:
        X = np.ldexp(X.astype(DOUBLE), -exponents(X))
    V = variances(X) if parameters.V is None else numbers_for("V", parameters.V, (X.shape[1],))
    if not (V > 0).all():
        at = int(np.argmin(V > 0))
        raise ValueError(f"V[{at}], the variance of column {at}, is {V[at]:g}: leave that column out of X")
    if not mild:
        scale = np.frexp(V)[1] // 2
        X, V = np.ldexp(X.astype(DOUBLE), -scale), np.ldexp(V, -2 * scale)
    return powers(rows._replace(X=X), 1 / V, 2.0)


def exponents(X: Array) -> Array:
    """Of the power of two above each column."""
    largest = np.zeros(X.shape[1])
    for _, piece in pieces(X):
        largest = np.fmax(largest, np.nanmax(np.abs(piece), axis=0, initial=0))
    return np.frexp(largest)[1]


def variances(X: Array) -> Array:
    """Of columns, with n - 1 below and without what is NaN; 1 where there is no pair to tell apart."""
    if len(X) < 2:
        return np.ones(X.shape[1])
    count, total, squares = np.zeros((3, X.shape[1]))
    for _, piece in pieces(X):
        count += (~np.isnan(piece)).sum(axis=0)
        total += np.nansum(piece, axis=0, dtype=DOUBLE)
    mean = total / np.maximum(count, 1)
    for _, piece in pieces(X):
        squares += np.nansum((piece - mean) ** 2, axis=0)
    return squares / np.maximum(count - 1, 1)


def mahalanobis(rows: Rows, parameters: Parameters) -> Block:
    """Euclidean of (X - mean) L, where L L^T = VI."""
    X = rows.numbers().astype(DOUBLE)
    n, m = X.shape
    scale = exponents(X)
    X = np.ldexp(X, -scale)
    X -= X.mean(axis=0) if n else 0.0
    if parameters.VI is None:
        X = whitened(X)
    else:
        VI = numbers_for("VI", parameters.VI, (m, m))
        X = X @ half_of(VI, np.ldexp(1.0, scale))
    return powers(rows._replace(X=X), None, 2.0)


def whitened(X: Array) -> Array:
    """Rows about their mean, in units of their own covariance."""
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    n, m = X.shape
    if n <= m and n > 1:
        raise ValueError(
            f"X has {n} rows and {m} columns, so their covariance is singular: {m + 1} rows are needed, or VI="
        )
    if n < 2 or not m:
        return X
    spread = np.sqrt(np.einsum("ij,ij->j", X, X) / (n - 1))
    X = X / np.where(spread > 0, spread, 1)
    try:
        factor = cholesky(X.T @ X / (n - 1), lower=True)
        singular = bool(np.diag(factor).min() ** 2 < m * np.finfo(DOUBLE).eps)
    except LinAlgError:
        singular = True
    if singular:
        raise ValueError(
            "the covariance of the columns of X is singular, as some depend on others: leave these out, or "
            "pass VI="
        )
    return np.ascontiguousarray(solve_triangular(factor, X.T, lower=True).T)


def half_of(VI: Array, scale: Array) -> Array:
    """L with L L^T = D VI D of diagonal D; ValueError unless it is symmetric and positive semidefinite."""
    try:
        pack(VI)
    except ValueError as reason:
        raise ValueError(f"VI is not symmetric: {reason}") from None
    values, vectors = np.linalg.eigh((VI + VI.T) / 2 * scale * scale[:, None])
    least, most = values.min(initial=0), np.abs(values).max(initial=0)
    if least < -len(VI) * np.finfo(DOUBLE).eps * most:
        raise ValueError(f"VI has the eigenvalue {least:g}: it must be positive semidefinite")
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))


def angle(name: str) -> Callable[[Rows, Parameters], Block]:
    """A metric of directions, which a factor of each row does not change."""

    def make(rows: Rows, parameters: Parameters) -> Block:
        rows, w = weights_of(rows, parameters.w)
        X = rows.numbers()
        if not is_mild(rows, None, *MILD):
            X = np.ldexp(X, -exponents(X.T)[:, None])
        return Kernel(X, name, rows.dtype, None if w is None else w / w.max(), missing=rows.missing)

    return make


def jensenshannon(rows: Rows, parameters: Parameters) -> Block:
    """Rows are distributions once they are divided by their sums."""
    X = rows.numbers().astype(DOUBLE)
    if (X < 0).any():
        i, j = np.argwhere(X < 0)[0]
        raise ValueError(
            f"X holds {X[i, j]:g} in row {i}, column {j}: metric 'jensenshannon' takes rows of probabilities "
            f"or counts, none negative"
        )
    X = np.ldexp(X, -exponents(X.T)[:, None])
    with np.errstate(invalid="ignore"):
        X /= X.sum(axis=1, keepdims=True)  # of zeros nothing is known: NaN
    return Kernel(X, "jensenshannon", rows.dtype)


def haversine(rows: Rows, parameters: Parameters) -> Block:
    """Two columns: latitude and longitude."""
    if rows.X.shape[1] != 2:
        raise ValueError(
            f"X has {rows.X.shape[1]} columns, and metric 'haversine' takes two: latitude and longitude in radians"
        )
    return Sphere(rows.numbers().astype(DOUBLE, copy=False), rows.dtype)


TABLE = (
    Metric("euclidean", euclidean, ("euclid", "eu", "e", "l2"), ("w",), missing=True, sparse=True),
    Metric("sqeuclidean", by_kernel("sqeuclidean"), ("sqe", "sqeuclid"), ("w",), missing=True, sparse=True),
    Metric("seuclidean", seuclidean, ("se", "s"), ("V",), missing=True),
    Metric("mahalanobis", mahalanobis, ("mahal", "mah"), ("VI",)),
    Metric("minkowski", minkowski, ("mi", "m", "pnorm"), ("p", "w"), missing=True),
    Metric(
        "cityblock",
        by_kernel("cityblock"),
        ("cblock", "cb", "c", "manhattan", "l1"),
        ("w",),
        missing=True,
        sparse=True,
    ),
    Metric("chebyshev", chebyshev, ("chebychev", "cheby", "cheb", "ch"), ("w",), missing=True),
    Metric("canberra", canberra, (), ("w",), missing=True),
    Metric("braycurtis", braycurtis, (), ("w",), missing=True),
    Metric("cosine", angle("cosine"), ("cos",), ("w",), missing=True, sparse=True),
    Metric("correlation", angle("correlation"), ("co",), ("w",), missing=True),
    Metric("jensenshannon", jensenshannon, ("js",)),
    Metric("hamming", hamming, ("matching", "hamm", "ha", "h"), ("w",), missing=True),
    Metric("jaccard", of_truth("jaccard"), ("jacc", "ja", "j"), ("w",), truth=True, sparse=True),
    Metric("dice", of_truth("dice"), (), ("w",), truth=True),
    Metric("rogerstanimoto", of_truth("rogerstanimoto"), (), ("w",), truth=True),
    Metric("russellrao", of_truth("russellrao"), (), ("w",), truth=True),
    Metric("sokalsneath", of_truth("sokalsneath"), (), ("w",), truth=True),
    Metric("yule", of_truth("yule"), (), ("w",), truth=True),
    Metric("haversine", haversine),
)
METRICS = {metric.name: metric for metric in TABLE}
NAMES = {name: metric for metric in TABLE for name in (metric.name, *metric.aliases)}


# ---------------------------------------------------------------- the door


def block_of(
    X: Any,
    metric: Any = "euclidean",
    *,
    p: float = 2.0,
    V: Any = None,
    VI: Any = None,
    w: Any = None,
    missing: str = "raise",
    dtype: Any = None,
) -> Block:
    """What computes blocks of the distances between rows of X, which are judged here."""
    parameters = Parameters(p, V, VI, w)
    if missing not in ("raise", "pairwise"):
        raise ValueError(f"missing must be 'raise' or 'pairwise', not {missing!r}")
    wanted = wanted_dtype(dtype)
    if callable(metric):
        check_parameters("a function as metric", (), parameters)
        if missing == "pairwise":
            raise ValueError(f"missing='pairwise' is for {naming('missing')}: fill X first")
        array = opened(X)
        check_finite(array, X, allowed=False)
        return Function(array, metric, wanted or DOUBLE)
    one = named(metric)
    check_parameters(f"metric {one.name!r}", one.takes, parameters)
    if missing == "pairwise" and not one.missing:
        raise ValueError(
            f"missing='pairwise' is for {naming('missing')}, not for metric {one.name!r}: fill X first"
        )
    if is_sparse(X := as_sparse(X, "X", square=False)):
        raise TypeError(
            f"X is sparse, and metric {one.name!r} takes arrays: pass X.toarray(); {naming('sparse')} take it"
        )
    array = opened(X)
    missing_some = check_finite(array, X, allowed=missing == "pairwise")
    result = wanted or (SINGLE if family(array.dtype) == "f" and array.dtype.itemsize <= 4 else DOUBLE)
    if one.truth:
        array = array != 0
    elif array.dtype != bool:
        array = array.astype(SINGLE if result == SINGLE and array.dtype.itemsize <= 4 else DOUBLE, copy=False)
    return one.make(Rows(np.ascontiguousarray(array), result, missing_some), parameters)


def named(metric: Any) -> Metric:
    """The metric of this name, which may be one of SciPy's short ones; its case does not matter."""
    if not isinstance(metric, str):
        raise TypeError(f"metric must be a name or a function of two rows, not {metric!r}")
    if (found := NAMES.get(metric.lower())) is None:
        near = get_close_matches(metric.lower(), NAMES, 3) or list(METRICS)
        raise ValueError(f"there is no metric {metric!r}; there are {', '.join(map(repr, near))}")
    return found


def naming(what: str) -> str:
    """The metrics of which a field of `Metric` is true, or that take this parameter."""
    metrics = [one.name for one in TABLE if what in one.takes or getattr(one, what, False)]
    return ", ".join(map(repr, metrics[:-1])) + (" and " if metrics[:-1] else "") + repr(metrics[-1])


def check_parameters(who: str, takes: tuple[str, ...], given: Parameters) -> None:
    """TypeError for a parameter that the metric has no use for, ValueError for a p that is none."""
    for name, value in given._asdict().items():
        untouched = value is None or (name == "p" and isinstance(value, int | float) and value == 2)
        if name not in takes and not untouched:
            raise TypeError(f"{who} takes no {name}: {naming(name)} {'do' if name == 'w' else 'does'}")
    if isinstance(given.p, bool) or not isinstance(given.p, int | float | np.number) or not given.p > 0:
        raise ValueError(f"p must be a positive number, not {given.p!r}")


def wanted_dtype(dtype: Any) -> Dtype | None:
    """float32 or float64."""
    if dtype is None:
        return None
    found = np.dtype(dtype)
    if found not in (SINGLE, DOUBLE):
        raise TypeError(f"dtype must be float32 or float64, not {found}: distances are made in these")
    return found


def opened(X: Any) -> Array:
    """X as a matrix of real numbers."""
    try:
        array = as_array(X, "X", floats=True)
    except TypeError as reason:
        if is_frame(X):
            raise TypeError(f"{reason}; metric='gower' compares columns of text too") from None
        raise
    if array.ndim != 2:
        raise ValueError(
            f"X has shape {array.shape}: it must be a matrix, (rows, columns), whose rows are compared"
        )
    kind = family(array.dtype)
    if kind == "c":
        raise TypeError(
            f"X holds {array.dtype}, and distances are of real numbers: X.view(float) has both parts"
        )
    if kind in "mM":
        raise TypeError(
            f"X holds {array.dtype}, and dates and times have no distances: astype(np.int64) first"
        )
    return array


def check_finite(array: Array, X: Any, *, allowed: bool) -> bool:
    """Whether NaN is in it, where that is allowed; ValueError for the first infinity, or NaN where it is not."""
    if family(array.dtype) != "f":
        return False
    some = False
    for start, piece in pieces(array):
        numbers = np.asarray(piece, SINGLE) if piece.dtype.itemsize < 4 else piece
        odd = ~np.isfinite(numbers)
        if not odd.any():
            continue
        some = True
        if allowed:
            odd &= ~np.isnan(numbers)
            if not odd.any():
                continue
        i, j = map(int, np.argwhere(odd)[0])
        number = float(numbers[i, j])
        way = "fill it, or leave the row out"
        if np.isnan(number):
            way = "fill it, or pass missing='pairwise'"
        raise ValueError(f"X holds {number} in {place(X, start + i, j)}: {way}")
    return some


def place(X: Any, row: int, column: int) -> str:
    """A row and a column in words, with their labels."""
    words = []
    for axis, (name, at) in enumerate((("row", row), ("column", column))):
        labels = labels_of(X, axis)
        label = "" if labels is None or labels[at] == at else f" ({labels[at]!r})"
        words.append(f"{name} {at}{label}")
    return ", ".join(words)


def with_threads(block: Block, threads: int | None) -> Block:
    """The same block, by so many threads."""
    return replace(block, threads=threads) if isinstance(block, Kernel | Bits) else block
