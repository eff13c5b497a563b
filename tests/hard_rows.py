"""Rows whose distances are hard to get right, and what these are to 50 digits."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

import cases


def normal(n, m, salt=0):
    return cases.generator("hard rows", n, m, salt).normal(size=(n, m))


def hard_rows(dtype):
    """Names and rows: each is a way to lose digits."""
    near = normal(1, 40) + 1e-3 * normal(9, 40, 1) * 2.0 ** -np.arange(0, 45, 5)[:, None]
    large, small = (100, -120) if np.dtype(dtype) == np.float64 else (15, -15)
    mixed = normal(9, 7) * 10.0 ** np.repeat([0, large, small], 3)[:, None]
    doubles = normal(5, 33)[[0, 1, 2, 0, 3, 1, 4, 4]]
    opposite = np.concatenate([normal(4, 20), -normal(4, 20)])
    clusters = np.repeat([[0.0], [1.0], [-3.0]], 4, axis=0) * 1000 + normal(12, 10)
    return {
        "ordinary": normal(8, 30),
        "identical": doubles,
        "opposite": opposite,
        "nearly the same": near,
        "far from the origin": normal(8, 30) + 4000,
        "in clusters": clusters,
        "tiny": normal(8, 5) * 10.0**small,
        "huge": normal(8, 5) * 10.0**large,
        "of all sizes": mixed,
        "constant": np.repeat(normal(8, 1), 6, axis=1),
        "one column": normal(9, 1),
        "two columns": normal(9, 2) + 7,
        "1025 columns": normal(3, 1025),
        "4100 columns": normal(2, 4100) + 1,
    }


def rows_of(name, dtype):
    return np.ascontiguousarray(hard_rows(dtype)[name].astype(dtype))


def exact(x):
    return [Fraction(float(number)) for number in x]


def decimal(number):
    return Decimal(number.numerator) / Decimal(number.denominator)


def true_euclidean(x, y):
    """|x - y| to 50 digits."""
    with localcontext() as context:
        context.prec = 50
        return decimal(sum((a - b) ** 2 for a, b in zip(exact(x), exact(y), strict=True))).sqrt()


def true_cosine(x, y):
    """1 - cos to 50 digits; 1 where a row has no direction."""
    return true_angle(exact(x), exact(y))


def true_correlation(x, y):
    return true_angle(*(centred(exact(row)) for row in (x, y)))


def centred(row):
    mean = sum(row) / len(row)
    return [number - mean for number in row]


def true_angle(x, y):
    xx, yy, xy = (sum(a * b for a, b in zip(*pair, strict=True)) for pair in ((x, x), (y, y), (x, y)))
    if not xx or not yy:
        return Decimal(1)
    with localcontext() as context:
        context.prec = 100
        return 1 - decimal(xy) / (decimal(xx) * decimal(yy)).sqrt()


TRUE = {"euclidean": true_euclidean, "cosine": true_cosine, "correlation": true_correlation}
