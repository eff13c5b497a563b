"""The metrics of `distances`: one table, and what makes blocks of distances of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, as_float, family
from vech.frames import as_sparse, check_along, is_sparse, labels_of, to_dense
from vech.layouts.layout import one_of
from vech.moves.packing import pack
from vech.pairwise import products
from vech.pairwise import sparse_distances as sparse
from vech.pairwise.gower import gower
from vech.pairwise.points import (
    DOUBLE,
    SINGLE,
    Rows,
    check_finite,
    exponents,
    is_mild,
    numbers_for,
    opened,
    variances,
    wanted_dtype,
    weights_of,
    within,
)
from vech.pairwise.tiles import Bits, Block, Function, Kernel, Sphere, rounded

# Columns of which differences are added as fast as BLAS multiplies. In vectors of 64 bytes float64 takes 0.6
# to 0.9 of BLAS's time up to MORE, and as long at some 200 (Zen 5, OpenBLAS); float32 is computed in double.
FEW, MORE = 48, 128
LARGEST = float(np.finfo(DOUBLE).max)
MOST = 1020  # power of two below which a difference, and a sum of some, is a number
MILD = (2.0**-450, 2.0**500)  # numbers whose differences have squares in the range of double
SUMS = (2.0**-900, 2.0**900)  # of which sums by weights do
QUOTIENTS = (2.0**-200, 2.0**200)  # of which four, and their product, stay in it


class Parameters(NamedTuple):
    """What a metric may be told beside X."""

    p: float = 2.0
    V: Any = None
    VI: Any = None
    w: Any = None


@dataclass(frozen=True)
class Metric:
    """One metric: how its blocks are made, other names for it, and what it takes."""

    name: str
    make: Callable[[Rows, Parameters], Block]
    aliases: str = ""
    takes: str = ""  # of `Parameters`
    missing: bool = False
    truth: bool = False  # X is read as true where it is not zero
    frames: bool = False  # reads X as it is
    sparse: Callable[[Any], Block] | None = None  # how blocks of sparse rows are made


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
    """Sums must stay in range: the metric does not see a common factor, of a pair or of the weights."""
    rows, w = weights_of(rows, parameters.w)
    if is_mild(rows, w, *SUMS):
        return Kernel(rows.numbers(), "braycurtis", rows.dtype, w, missing=rows.missing)
    w = None if w is None else w / w.max(initial=0)
    return Kernel(rows.numbers(), "braycurtis_wide", rows.dtype, w, missing=rows.missing)


def euclidean(rows: Rows, parameters: Parameters) -> Block:
    """By products; by the kernel where columns have weights or are missing."""
    rows, w = weights_of(rows, parameters.w)
    return powers(rows, w, 2.0)


def sqeuclidean(rows: Rows, parameters: Parameters) -> Block:
    """The squares of `euclidean`."""
    if parameters.w is None and not rows.missing and rows.X.shape[1] > few(rows.dtype):
        return rounded(products.euclidean(rows.numbers(), squared=True), rows.dtype)
    return by_kernel("sqeuclidean")(rows, parameters)


def powers(rows: Rows, w: Array | None, p: float, factor: float = 1.0) -> Block:
    """(sum of w |x - y|^p)^(1/p) times a factor, by the kernel that the range of numbers and p ask for."""
    is_plain = p == 2 and factor == 1
    mild = is_plain and is_mild(rows, w, *MILD)
    if is_plain and w is None and not rows.missing and rows.X.shape[1] > (few(rows.dtype) if mild else FEW):
        return rounded(products.euclidean(rows.numbers()), rows.dtype)
    if mild:
        return Kernel(rows.numbers(), "euclidean", rows.dtype, w, missing=rows.missing)
    largest = 1.0 if w is None or not w.size else float(w.max())
    w = None if w is None else w / largest
    name = "euclidean_wide" if p == 2 else "minkowski"
    with np.errstate(over="ignore"):
        factor = min(float(factor * np.float64(largest) ** (1 / p)), LARGEST)
    return Kernel(rows.numbers(), name, rows.dtype, w, p=p, factor=factor, missing=rows.missing)


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
    X, factor = rows.numbers(), 1.0
    mild = is_mild(rows, None, *MILD)
    if parameters.V is None and not mild:
        X = np.ldexp(X.astype(DOUBLE), -exponents(X))
    V = variances(X) if parameters.V is None else numbers_for("V", parameters.V, (X.shape[1],))
    if not (V > 0).all():
        at = int(np.argmin(V > 0))
        raise ValueError(f"V[{at}], the variance of column {at}, is {V[at]:g}: leave that column out of X")
    if not (mild and within(V[None], *MILD)):
        scale = np.frexp(V)[1] // 2
        beyond = max(0, int((exponents(X) - scale).max(initial=0)) - MOST)
        X, V = np.ldexp(X.astype(DOUBLE), -scale - beyond), np.ldexp(V, -2 * scale)
        factor = 2.0**beyond
    if rows.missing:  # what is missing counts by columns, not by 1 / V
        X = (X - np.nan_to_num(X[:1])) / np.sqrt(V)
        return powers(rows._replace(X=X), None, 2.0, factor)
    return powers(rows._replace(X=X), 1 / V, 2.0, factor)


def mahalanobis(rows: Rows, parameters: Parameters) -> Block:
    """Euclidean of (X - mean) L, where L L^T = VI."""
    X = rows.numbers().astype(DOUBLE)
    n, m = X.shape
    scale = exponents(X)
    X = np.ldexp(X, -scale)
    X -= X.mean(axis=0) if n else 0.0
    factor = 1.0
    if parameters.VI is None:
        X = whitened(X)
    else:
        VI, used = judged(numbers_for("VI", parameters.VI, (m, m))), X.any(axis=0)
        X = X[:, used]  # the others are constant
        half, exponent = half_of(VI[used][:, used], scale[used])
        near = min(max(exponent, -MOST + 100), MOST - 100)
        X, factor = np.ldexp(X @ half, near), 2.0 ** (exponent - near)
    return powers(rows._replace(X=X), None, 2.0, factor)


def whitened(X: Array) -> Array:
    """Rows about their mean, in units of their own covariance."""
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    n, m = X.shape
    if n <= m and n > 1:
        raise ValueError(
            f"X has {n} rows and {m} columns, so their covariance is singular: pass VI=, or {m + 1} rows"
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


def judged(VI: Array) -> Array:
    """A matrix itself; ValueError unless it is symmetric and positive semidefinite."""
    try:
        pack(VI)
    except ValueError as reason:
        raise ValueError(f"VI is not symmetric: {reason}") from None
    values = np.linalg.eigvalsh(VI)
    least, most = values.min(initial=0), np.abs(values).max(initial=0)
    if least < -len(VI) * np.finfo(DOUBLE).eps * most:
        raise ValueError(f"VI has the eigenvalue {least:g}: it must be positive semidefinite")
    return VI


def half_of(VI: Array, scale: Array) -> tuple[Array, int]:
    """L, and the exponent of its unit, with L L^T = D VI D for D the powers of two of these exponents."""
    both = scale + scale[:, None]
    sizes = (np.frexp(VI)[1] + both)[VI != 0]
    exponent = int(sizes.max()) // 2 if sizes.size else 0
    values, vectors = np.linalg.eigh(np.ldexp(VI / 2 + VI.T / 2, both - 2 * exponent))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0))), exponent


def cosine(rows: Rows, parameters: Parameters) -> Block:
    """By products, of rows times the roots of weights; by the kernel where columns are missing."""
    rows, w = weights_of(rows, parameters.w)
    if rows.missing:
        return angle("cosine", rows, w)
    X = rows.numbers()
    if w is not None:
        X = np.ldexp(X.astype(DOUBLE), -exponents(X.T)[:, None]) * np.sqrt(w)
    return apart(products.cosine(X), rows.dtype)


def correlation(rows: Rows, parameters: Parameters) -> Block:
    """The same without the mean of each row."""
    rows, w = weights_of(rows, parameters.w)
    if rows.missing:
        return angle("correlation", rows, w)
    X = rows.numbers()
    if w is None:
        return apart(products.correlation(X), rows.dtype)
    X = np.ldexp(X.astype(DOUBLE), -exponents(X.T)[:, None] - 1)
    for _ in range(2):  # of constant rows nothing is left, and of others no part of the mean
        X -= X[:, :1]
        X -= (X @ (w / w.sum()))[:, None]
    return apart(products.cosine(X * np.sqrt(w)), rows.dtype)


def apart(directions: products.Directions, dtype: Dtype) -> Block:
    """By products, or of a few columns by the kernel, from rows of length one."""
    everything = slice(None)
    if directions.X.shape[1] > few(dtype) or not directions.factor.all():
        return rounded(directions, dtype)
    return Kernel(np.ascontiguousarray(directions.exact(everything, everything)), "chord", dtype)


def few(dtype: Dtype) -> int:
    """The columns up to which the kernels of differences are faster than products."""
    return MORE if dtype == DOUBLE and _core.targets()[-1].startswith("avx512") else FEW


def angle(name: str, rows: Rows, w: Array | None) -> Block:
    """By the kernel, of rows of ordinary size: a factor of a row does not change its direction."""
    X = rows.numbers()
    if not is_mild(rows, None, *MILD):
        X = np.ldexp(X, -exponents(X.T)[:, None])
    return Kernel(X, name, rows.dtype, None if w is None else w / w.max(initial=0), missing=rows.missing)


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
            f"X has {rows.X.shape[1]} columns, and metric 'haversine' takes two: latitude and longitude, in "
            f"radians"
        )
    return Sphere(rows.numbers().astype(DOUBLE, copy=False), rows.dtype)


def mixed(rows: Rows, parameters: Parameters) -> Block:
    """X as it is, whose columns may be of different sorts."""
    missing = "pairwise" if rows.missing else "raise"
    return gower(rows.X, w=parameters.w, missing=missing, dtype=rows.dtype)


def sparse_squares(X: Any) -> Block:
    """Squares of distances between sparse rows."""
    return sparse.euclidean(X, squared=True)


TABLE = (
    Metric("euclidean", euclidean, "euclid eu e l2", "w", True, sparse=sparse.euclidean),
    Metric("sqeuclidean", sqeuclidean, "sqe sqeuclid", "w", True, sparse=sparse_squares),
    Metric("seuclidean", seuclidean, "se s", "V", True),
    Metric("mahalanobis", mahalanobis, "mahal mah", "VI"),
    Metric("minkowski", minkowski, "mi m pnorm", "p w", True),
    Metric(
        "cityblock", by_kernel("cityblock"), "cblock cb c manhattan l1", "w", True, sparse=sparse.cityblock
    ),
    Metric("chebyshev", chebyshev, "chebychev cheby cheb ch", "w", True),
    Metric("canberra", canberra, "", "w", True),
    Metric("braycurtis", braycurtis, "", "w", True),
    Metric("cosine", cosine, "cos", "w", True, sparse=sparse.cosine),
    Metric("correlation", correlation, "co", "w", True),
    Metric("jensenshannon", jensenshannon, "js"),
    Metric("hamming", hamming, "matching hamm ha h", "w", True),
    Metric("jaccard", of_truth("jaccard"), "jacc ja j", "w", truth=True, sparse=sparse.jaccard),
    Metric("dice", of_truth("dice"), "", "w", truth=True),
    Metric("rogerstanimoto", of_truth("rogerstanimoto"), "", "w", truth=True),
    Metric("russellrao", of_truth("russellrao"), "", "w", truth=True),
    Metric("sokalsneath", of_truth("sokalsneath"), "", "w", truth=True),
    Metric("yule", of_truth("yule"), "", "w", truth=True),
    Metric("haversine", haversine),
    Metric("gower", mixed, "", "w", True, frames=True),
)
METRICS = {metric.name: metric for metric in TABLE}
NAMES = {name: metric for metric in TABLE for name in (metric.name, *metric.aliases.split())}


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
    wanted = wanted_dtype(dtype, "distances are made in these")
    columns = labels_of(X, 1)
    for name, given, axis in (("V", V, 0), ("VI", VI, 0), ("VI", VI, 1), ("w", w, 0)):
        check_along(given, axis, columns, name, "X", "column")
    if callable(metric):
        check_parameters("a function as metric", "", parameters)
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
    if is_sparse(found := as_sparse(X, "X", square=False)):
        return of_sparse(found, one, parameters, missing, wanted, to_dense(X, "X"))
    if one.frames:
        return one.make(Rows(X, wanted or DOUBLE, missing == "pairwise"), parameters)
    array = opened(X)
    missing_some = check_finite(array, X, allowed=missing == "pairwise")
    result = wanted or (SINGLE if family(array.dtype) == "f" and array.dtype.itemsize <= 4 else DOUBLE)
    if one.truth:
        array = array != 0
    elif array.dtype != bool:
        fits = result == SINGLE and np.can_cast(array.dtype, SINGLE)  # integers of 4 bytes do not
        array = array.astype(SINGLE if fits else DOUBLE, copy=False)
    return one.make(Rows(np.ascontiguousarray(array), result, missing_some), parameters)


def of_sparse(
    X: Any, one: Metric, parameters: Parameters, missing: str, wanted: Dtype | None, dense: str
) -> Block:
    """The same of a sparse X, for the metrics that need not make it dense; `dense` says how X becomes so."""
    if one.sparse is None:
        raise TypeError(
            f"X is sparse, which metric {one.name!r} does not take: pass {dense}; {naming('sparse')} do"
        )
    if parameters.w is not None or missing != "raise":
        what = "weights are" if parameters.w is not None else "missing='pairwise' is"
        raise TypeError(f"X is sparse, and {what} for arrays: pass {dense}")
    block = one.sparse(X.astype(DOUBLE) if wanted == DOUBLE and X.dtype == SINGLE else X)
    single = family(X.dtype) == "f" and X.dtype.itemsize <= 4
    return rounded(block, wanted or (SINGLE if single else DOUBLE))


def named(metric: Any) -> Metric:
    """The metric of this name, which may be one of SciPy's short ones; its case does not matter."""
    if not isinstance(metric, str):
        raise TypeError(f"metric must be a name or a function of two rows, not {metric!r}")
    if metric.lower() not in NAMES:
        one_of("metric", metric, tuple(name for name in NAMES if len(name) > 2))
    return NAMES[metric.lower()]


def naming(what: str) -> str:
    """The metrics of which a field of `Metric` is true, or that take this parameter."""
    metrics = [one.name for one in TABLE if what in one.takes.split() or getattr(one, what, False)]
    return ", ".join(map(repr, metrics[:-1])) + (" and " if metrics[:-1] else "") + repr(metrics[-1])


def check_parameters(who: str, takes: str, given: Parameters) -> None:
    """TypeError for a parameter that the metric has no use for, ValueError for a p that is none."""
    for name, value in given._asdict().items():
        untouched = value is None or (name == "p" and isinstance(value, int | float) and value == 2)
        if name not in takes.split() and not untouched:
            raise TypeError(f"{who} takes no {name}: {naming(name)} {'do' if name == 'w' else 'does'}")
    numbers = int | float | np.integer | np.floating
    if isinstance(given.p, bool) or not isinstance(given.p, numbers) or not given.p > 0:
        raise ValueError(f"p must be a positive number, not {given.p!r}")
    as_float("p", given.p)
