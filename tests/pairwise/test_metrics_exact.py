"""Every metric against 50 digits on rows that lose digits, and against exact fractions where these are."""

from contextlib import contextmanager
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations

import numpy as np
import pytest

import cases
from vech.pairwise import distances
from vech.pairwise.metrics import METRICS

every_target = pytest.mark.every_target

EPS = 2.0**-52
DIGITS = 50


def normal(n, m, salt=0):
    return cases.generator("metrics", n, m, salt).normal(size=(n, m))


def hard_rows(dtype):
    """Names and rows: each is a way to lose digits, or the range of the dtype."""
    large, small = (160, -170) if np.dtype(dtype) == np.float64 else (30, -30)
    some = normal(5, 8)
    most = some[:2] / abs(some[:2]).max() * float(np.finfo(dtype).max)
    least = float(np.finfo(dtype).tiny) * 1e7 * some[2:]
    return {
        "ordinary": some,
        "identical": some[[0, 1, 0, 1]],
        "nearly the same": some[:1] * (1 + 2.0**-40 * normal(4, 8, 1)),
        "opposite": np.concatenate([some[:2], -some[:2]]),
        "far from the origin": 1e8 + some,
        "tiny": some * 10.0**small,
        "huge": some * 10.0**large,
        "of all sizes": some * 10.0 ** np.array([[0], [large], [large], [small], [small]]),
        "at the ends of the range": np.concatenate([most, -most, least]),
        "with zeros": np.where(normal(5, 8, 2) < 0.3, 0, some),
        "constant": np.repeat(normal(4, 1), 6, axis=1),
        "one column": normal(5, 1),
        "no column": normal(3, 0),
        "1025 columns": normal(2, 1025),
    }


NAMES = tuple(hard_rows("float64"))


def rows_of(name, dtype):
    return np.ascontiguousarray(hard_rows(dtype)[name].astype(dtype))


def decimal(number):
    return Decimal(number.numerator) / Decimal(number.denominator)


def quotient(a, b):
    """As Decimal, and as IEEE has it where b is zero."""
    if b:
        return decimal(a) / decimal(b) if isinstance(a, Fraction) else a / b
    return Decimal("inf") if a else Decimal("nan")


def power(x, p):
    """x ** p; a root where it will do, for logarithms take a hundred times as long."""
    return x ** int(p) * x.sqrt() if p % 1 == Decimal("0.5") else x**p


def powers(x, y, w, p):
    total = sum(
        (decimal(c) * power(abs(decimal(a - b)), p) for a, b, c in zip(x, y, w, strict=True) if a != b),
        Decimal(0),
    )
    return total ** (1 / p) if total else total


def canberra(x, y, w):
    terms = ((abs(a - b), abs(a) + abs(b), c) for a, b, c in zip(x, y, w, strict=True))
    return sum((decimal(c) * quotient(a, b) for a, b, c in terms if b), Decimal(0))


def braycurtis(x, y, w):
    apart = sum(c * abs(a - b) for a, b, c in zip(x, y, w, strict=True))
    return quotient(Fraction(apart), Fraction(sum(c * abs(a + b) for a, b, c in zip(x, y, w, strict=True))))


def hamming(x, y, w):
    return quotient(Fraction(sum(c for a, b, c in zip(x, y, w, strict=True) if a != b)), Fraction(sum(w)))


def entropy(p):
    return sum((-a * a.ln() for a in p if a), Decimal(0))


def jensenshannon(x, y, w):
    if x and not (sum(x) and sum(y)):
        return Decimal("nan")
    p, q = ([decimal(a) / total for a in row] for row, total in ((x, decimal(sum(x))), (y, decimal(sum(y)))))
    found = entropy([(a + b) / 2 for a, b in zip(p, q, strict=True)]) - (entropy(p) + entropy(q)) / 2
    return found.sqrt() if found > Decimal("1e-45") else Decimal(0)


EXACT = {
    "cityblock": lambda x, y, w: powers(x, y, w, Decimal(1)),
    "sqeuclidean": lambda x, y, w: powers(x, y, w, Decimal(2)) ** 2,
    "euclidean": lambda x, y, w: powers(x, y, w, Decimal(2)),
    "chebyshev": lambda x, y, w: max(
        (decimal(abs(a - b)) for a, b in zip(x, y, strict=True)), default=Decimal(0)
    ),
    "canberra": canberra,
    "braycurtis": braycurtis,
    "hamming": hamming,
    "jensenshannon": jensenshannon,
    **{f"minkowski {p}": lambda x, y, w, p=p: powers(x, y, w, Decimal(p)) for p in (0.5, 1.5, 3, 64)},
}


def close(got, want, relative, absolute=0.0):
    """Whether a number is this near to another of many digits."""
    if want.is_nan():
        return np.isnan(got)
    if want.is_infinite() or want > Decimal(float(np.finfo(got.dtype).max)):
        return np.isinf(got)
    error = abs(Decimal(float(got)) - want)
    least = Decimal(float(np.finfo(got.dtype).smallest_subnormal))
    return bool(error <= Decimal(relative) * want + Decimal(absolute) + least)


once_for_all_targets = lru_cache(maxsize=len(NAMES))  # those of one test


@contextmanager
def many_digits():
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = DIGITS, 10**6, -(10**6)
        yield


def fractions(X):
    return [[Fraction(float(number)) for number in row] for row in X]


@once_for_all_targets
def exact(name, kind, dtype, weighted):
    """Rows, weights, and of each pair of rows whether they are equal and the distance."""
    X = rows_of(kind, dtype)
    if name == "jensenshannon":
        X = abs(X)
    m = X.shape[1]
    w = cases.generator("weights", m).uniform(0.5, 2, m) if weighted else np.ones(m)
    (weights,) = fractions([w])
    with many_digits():
        return X, w, [(x == y, EXACT[name](x, y, weights)) for x, y in combinations(fractions(X), 2)]


@every_target
@pytest.mark.parametrize(("dtype", "weighted"), [("float32", False), ("float64", False), ("float64", True)])
@cases.each("kind", NAMES)
@pytest.mark.parametrize("name", EXACT)
def test_a_metric_keeps_its_digits_on_hard_rows(name, kind, dtype, weighted):
    metric, _, p = name.partition(" ")
    if weighted and "w" not in METRICS[metric].takes.split():
        pytest.skip("takes no weights")
    X, w, wanted = exact(name, kind, dtype, weighted)
    m = X.shape[1]
    arguments = ({"p": float(p)} if p else {}) | ({"w": w} if weighted else {})
    D = distances(X, metric, **arguments).half
    assert D.dtype == dtype
    eps = max(EPS * (16 + m / 8) * (4 if p == "0.5" else 1), float(np.finfo(dtype).eps) * (2 + m / 64))
    absolute = 8 * eps if metric == "jensenshannon" else 0
    with many_digits():
        for got, (same, want) in zip(D, wanted, strict=True):
            assert close(got, want, eps, absolute), (got, float(want))
            assert not same or got == 0 or np.isnan(got)


# ---------------------------------------------------- of rows that X itself scales, of truth


def variances(columns):
    means = [sum(column) / len(column) for column in columns]
    return [
        sum((a - mean) ** 2 for a in column) / (len(column) - 1)
        for column, mean in zip(columns, means, strict=True)
    ]


SCALED = ("ordinary", "identical", "nearly the same", "far from the origin", "tiny", "huge", "one column")


@once_for_all_targets
def by_variances(kind):
    X = rows_of(kind, "float64")
    rows = fractions(X)
    V = variances(list(zip(*rows, strict=True)))
    with many_digits():
        squares = [
            sum((decimal((a - b) ** 2 / v) for a, b, v in zip(x, y, V, strict=True)), Decimal(0))
            for x, y in combinations(rows, 2)
        ]
        return X, V, [square.sqrt() for square in squares]


@every_target
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", SCALED)
def test_seuclidean_keeps_its_digits_on_hard_rows(kind, given):
    if given and kind in ("tiny", "huge"):
        pytest.skip("variances of such rows are no numbers")
    X, V, wanted = by_variances(kind)
    D = distances(X, "seuclidean", V=[float(v) for v in V] if given else None)
    with many_digits():
        for got, want in zip(D.half, wanted, strict=True):
            assert close(got, want, 32 * EPS), (got, float(want))


def solve(A, b):
    """Gauss, in fractions."""
    rows = [[*row, right] for row, right in zip(A, b, strict=True)]
    for k in range(len(rows)):
        pivot = next(i for i in range(k, len(rows)) if rows[i][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [a / rows[k][k] for a in rows[k]]
        for i in range(len(rows)):
            if i != k:
                rows[i] = [a - rows[i][k] * c for a, c in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("kind", ["ordinary", "identical", "far from the origin", "tiny", "huge"])
def test_mahalanobis_keeps_its_digits_on_hard_rows(kind, given):
    unit = {"tiny": 1e-170, "huge": 1e150}.get(kind, 1.0)
    X = unit * normal(9, 3) + (1e8 if kind == "far from the origin" else 0)
    if kind == "identical":
        X[4:8] = X[:4]
    rows = fractions(X)
    means = [sum(column) / 9 for column in zip(*rows, strict=True)]
    left = [[a - mean for a, mean in zip(row, means, strict=True)] for row in rows]
    C = [[sum(row[i] * row[j] for row in left) / 8 for j in range(3)] for i in range(3)]
    arguments = {}
    if given:
        if unit != 1.0:
            pytest.skip("inverse covariances of such rows are no numbers")
        VI = np.array([[4.0, 1, 0], [1, 3, -1], [0, -1, 2]])
        arguments["VI"] = VI
    D = distances(X, "mahalanobis", **arguments).half
    for got, (x, y) in zip(D, combinations(rows, 2), strict=True):
        d = [a - b for a, b in zip(x, y, strict=True)]
        if given:
            square = sum(d[i] * Fraction(VI[i, j]) * d[j] for i in range(3) for j in range(3))
        else:
            square = sum(a * b for a, b in zip(d, solve(C, d), strict=True))
        with many_digits():
            assert close(got, decimal(square).sqrt(), 1e-13), (got, float(square) ** 0.5)
        assert x != y or got == 0


FORMULAS = {
    "jaccard": lambda a, b, c, d: quotient(c + d, a + c + d) if c + d else Decimal(0),
    "dice": lambda a, b, c, d: quotient(c + d, 2 * a + c + d),
    "hamming": lambda a, b, c, d: quotient(c + d, a + b + c + d),
    "rogerstanimoto": lambda a, b, c, d: quotient(2 * (c + d), a + b + 2 * (c + d)),
    "russellrao": lambda a, b, c, d: quotient(b + c + d, a + b + c + d),
    "sokalsneath": lambda a, b, c, d: quotient(2 * (c + d), a + 2 * (c + d)),
    "yule": lambda a, b, c, d: quotient(2 * c * d, a * b + c * d) if c * d else Decimal(0),
}


@cache
def counted(m, weighted):
    """Rows of truth, weights, and of each pair of rows the weights of both, none, the first, the second."""
    X = cases.generator("truth", m).random((7, m)) < 0.3
    X[1], X[2], X[3], X[4] = X[0], ~X[0], False, True
    w = cases.generator("weights", m).integers(1, 9, m)
    counts = []
    for x, y in combinations(X.tolist(), 2):
        count = {pair: Fraction(0) for pair in ((True, True), (False, False), (True, False), (False, True))}
        for pair, c in zip(zip(x, y, strict=True), w.tolist() if weighted else [1] * m, strict=True):
            count[pair] += c
        counts.append(count.values())
    return X, w, counts


@every_target
@cases.each("weighted", [False, True])
@cases.each("m", [1, 63, 64, 65, 130, 1025])
@cases.each("name", list(FORMULAS))
def test_counts_are_exact_and_divided_once(name, m, weighted):
    X, w, counts = counted(m, weighted)
    D = distances(X, name, **({"w": w} if weighted else {})).half
    for got, count in zip(D, counts, strict=True):
        want = FORMULAS[name](*count)
        assert close(got, want, EPS / 2), (got, want)


ANGLES = (
    "ordinary",
    "identical",
    "nearly the same",
    "opposite",
    "tiny",
    "huge",
    "of all sizes",
    "at the ends of the range",
)


@once_for_all_targets
def angles(name, kind, m, holes):
    """Rows, and of each pair of rows how many columns both have, and one less the cosine."""
    X = rows_of(kind, "float64")
    X = np.tile(X, (1, 8))[:, :m] if m > 8 else X.copy()
    if holes:
        X[1, 2], X[2, 4] = np.nan, np.nan
    wanted = []
    for x, y in combinations(X, 2):
        both = ~np.isnan(x) & ~np.isnan(y)
        x, y = map(in_units, fractions((x[both], y[both])))
        if name == "correlation":
            x, y = ([len(row) * a - total for a in row] for row in (x, y) for total in [sum(row)])
        xx, yy, xy = (sum(a * b for a, b in zip(*pair, strict=True)) for pair in ((x, x), (y, y), (x, y)))
        with many_digits():
            wanted.append((len(x), 1 - Decimal(xy) / (Decimal(xx) * Decimal(yy)).sqrt()))
    return X, wanted


def in_units(row):
    """Integers, for which an angle is the same: sums of fractions take a hundred times as long."""
    unit = max(number.denominator for number in row)  # a power of two, as all of them
    return [number.numerator * (unit // number.denominator) for number in row]


@every_target
@cases.each("holes", [False, True])
@cases.each("m", [8, 60])
@cases.each("kind", list(ANGLES))
@cases.each("name", ["cosine", "correlation"])
def test_angles_keep_their_digits_by_kernels_and_by_products(name, kind, m, holes):
    X, wanted = angles(name, kind, m, holes)
    D = distances(X, name, missing="pairwise").half
    for got, (columns, want) in zip(D, wanted, strict=True):
        with many_digits():
            bound = Decimal(8 * (columns + 4) * EPS) * (abs(want) + abs(want).sqrt()) + Decimal("1e-30")
            assert abs(Decimal(float(got)) - want) <= bound
        assert 0 <= got <= 2
