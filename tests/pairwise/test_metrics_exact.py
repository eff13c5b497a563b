"""Every metric against 60 digits on rows that lose digits, and against exact fractions where these are."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

import cases
from vech.pairwise import distances
from vech.pairwise.metrics import METRICS

every_target = pytest.mark.every_target

EPS = 2.0**-52
DIGITS = 60


def normal(n, m, salt=0):
    return cases.generator("metrics", n, m, salt).normal(size=(n, m))


def hard_rows(dtype):
    """Names and rows: each is a way to lose digits, or the range of the dtype."""
    large, small = (160, -170) if np.dtype(dtype) == np.float64 else (30, -30)
    some = normal(5, 8)
    return {
        "ordinary": some,
        "identical": some[[0, 1, 0, 1]],
        "nearly the same": some[:1] * (1 + 2.0**-40 * normal(4, 8, 1)),
        "opposite": np.concatenate([some[:2], -some[:2]]),
        "far from the origin": 1e8 + some,
        "tiny": some * 10.0**small,
        "huge": some * 10.0**large,
        "of all sizes": some * 10.0 ** np.array([[0], [large], [large], [small], [small]]),
        "with zeros": np.where(normal(5, 8, 2) < 0.3, 0, some),
        "constant": np.repeat(normal(4, 1), 6, axis=1),
        "one column": normal(5, 1),
        "no column": normal(3, 0),
        "1025 columns": normal(3, 1025),
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


def powers(x, y, w, p):
    total = sum(
        (decimal(c) * abs(decimal(a - b)) ** p for a, b, c in zip(x, y, w, strict=True) if a != b), Decimal(0)
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
    return sum((-decimal(a) * decimal(a).ln() for a in p if a), Decimal(0))


def jensenshannon(x, y, w):
    if x and not (sum(x) and sum(y)):
        return Decimal("nan")
    p, q = [a / sum(x) for a in x], [b / sum(y) for b in y]
    found = entropy([(a + b) / 2 for a, b in zip(p, q, strict=True)]) - (entropy(p) + entropy(q)) / 2
    return max(found, Decimal(0)).sqrt()


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


@every_target
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("name", EXACT)
def test_a_metric_keeps_its_digits_on_hard_rows(name, kind, dtype, weighted):
    X = rows_of(kind, dtype)
    metric, _, p = name.partition(" ")
    m = X.shape[1]
    arguments = {"p": float(p)} if p else {}
    if metric == "jensenshannon":
        X = abs(X)
    w = np.ones(m)
    if weighted:
        if "w" not in METRICS[metric].takes:
            pytest.skip("takes no weights")
        arguments["w"] = w = cases.generator("weights", m).uniform(0.5, 2, m)
    D = distances(X, metric, **arguments).half
    assert D.dtype == dtype
    eps = max(EPS * (16 + m / 8) * (4 if p == "0.5" else 1), float(np.finfo(dtype).eps) * (2 + m / 64))
    absolute = 8 * eps if metric == "jensenshannon" else 0
    rows = [[Fraction(float(number)) for number in row] for row in X]
    weights = [Fraction(float(number)) for number in w]
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = DIGITS, 10**6, -(10**6)
        for got, (x, y) in zip(D, combinations(rows, 2), strict=True):
            want = EXACT[metric + name[len(metric) :]](x, y, weights)
            assert close(got, want, eps, absolute), (got, float(want))
            assert x != y or got == 0 or np.isnan(got)
