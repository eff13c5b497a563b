"""Weights, powers and rows of which sums, or parts, leave the range of double, though distances do not."""

from decimal import Decimal
from itertools import combinations

import numpy as np
import pytest
from scipy import sparse
from test_metrics_exact import (
    EPS,
    EXACT,
    FORMULAS,
    close,
    counted,
    decimal,
    fractions,
    many_digits,
    powers,
    solve,
)

import cases
from vech import Layout
from vech.pairwise import distances, sparse_distances
from vech.pairwise.metrics import METRICS

every_target = pytest.mark.every_target


def normal(n, m, salt=0):
    return cases.generator("range", n, m, salt).normal(size=(n, m))


# ---------------------------------------------------------------- weights

ONES = np.eye(4)
WILD = {
    "huge": [1e308] * 4,
    "tiny": [1e-308] * 4,
    "far apart": [1e-300, 1.0, 1e300, 1e10],
    "near the ends": [1e-307, 3e307, 1e-200, 1e200],
}
ROWS = {
    "ordinary": normal(5, 4),
    "one column each": np.concatenate([np.zeros((1, 4)), ONES]),
    "huge": 1e200 * normal(5, 4, 1),
    "tiny": 1e-200 * normal(5, 4, 2),
    "at the end": np.array([[1.5e308] * 4, [-1.5e308] * 4, [0.0] * 4]),
}
WEIGHTED = [name for name in EXACT if "w" in METRICS[name.split()[0]].takes.split() and name != "chebyshev"]


@every_target
@cases.each("rows", tuple(ROWS))
@pytest.mark.parametrize("weights", WILD)
@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_of_any_size_give_the_distance_that_is(name, weights, rows):
    X, w = ROWS[rows], np.array(WILD[weights])
    metric, _, p = name.partition(" ")
    D = distances(X, metric, w=w, **({"p": float(p)} if p else {})).half
    eps = 1500 * EPS if p == "0.5" else 32 * EPS
    (exact_weights,) = fractions([w])
    with many_digits():
        for got, (x, y) in zip(D, combinations(fractions(X), 2), strict=True):
            want = EXACT[name](x, y, exact_weights)
            assert close(got, want, eps, 8e-324), (got, want)


@every_target
@pytest.mark.parametrize("unit", [2.0**1020, 2.0**600, 2.0**-600, 2.0**-1060])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_common_factor_of_weights_does_not_change_a_quotient_of_counts(name, unit):
    X, w, counts = counted(65, True)
    for got, count in zip(distances(X, name, w=w * unit).half, counts, strict=True):
        assert close(got, FORMULAS[name](*count), EPS / 2)


def angle(name, x, y, w):
    if name == "correlation":
        x, y = ([a - mean for a in row] for row in (x, y) for mean in [sum(map(times, w, row)) / sum(w)])
    xx, yy, xy = (
        sum(a * b * c for a, b, c in zip(*pair, w, strict=True)) for pair in ((x, x), (y, y), (x, y))
    )
    return 1 - decimal(xy) / (decimal(xx) * decimal(yy)).sqrt()


def times(a, b):
    return a * b


@every_target
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("weights", WILD)
@pytest.mark.parametrize("name", ["cosine", "correlation"])
def test_angles_by_weights_of_any_size(name, weights, holes):
    X, w = normal(5, 4), np.array(WILD[weights])
    if holes:
        if name == "correlation" and w.max() / 1e20 > w.min():
            pytest.skip("a mean that is rounded once hides columns of so little weight")
        X = np.column_stack((X, [np.nan, 1, 2, 3, 4]))
        w = np.append(w, w[0])
    D = distances(X, name, w=w, missing="pairwise").half
    for got, (x, y) in zip(D, combinations(X, 2), strict=True):
        both = ~np.isnan(x) & ~np.isnan(y)
        x, y, c = fractions((x[both], y[both], w[both]))
        with many_digits():
            assert abs(Decimal(float(got)) - angle(name, x, y, c)) <= Decimal(100 * EPS)


def test_gower_takes_weights_whose_sum_is_no_number():
    X = [[1.0, 2], [3, 4], [0, 9]]
    wanted = [(2 / 3 + 2 / 7) / 2, (1 / 3 + 1) / 2, (1 + 5 / 7) / 2]
    assert np.allclose(distances(X, "gower", w=[1e308, 1e308]).half, wanted, rtol=1e-15)


def test_canberra_of_what_is_left_grows_by_weights_whose_sum_is_no_number():
    X = [[1.0, np.nan, 1], [2, 2, 1], [1, 2, np.nan]]
    D = distances(X, "canberra", w=[1e308, 1e308, 1e307], missing="pairwise").half
    assert np.allclose(D, [1e308 / 3 * (21 / 11), 0, 1e308 / 3 * (21 / 20)], rtol=1e-15)


# ---------------------------------------------------------------- small p


@every_target
@pytest.mark.parametrize("p", [0.01, 0.05, 0.12, 0.3, 0.89, 0.95])
@pytest.mark.parametrize(
    ("x", "w"),
    [
        ([1, 1e-305], [1, 1]),
        ([1.7e308, 5e-324], [1, 1]),
        ([1e-250, 0], [1e5, 1]),
        ([1e250, 1e250], [1e-5, 1e-6]),
        ([1e-200] * 2000, [1] * 2000),
        ([1.0, 1e-150], [1e-30, 1e30]),
        ([1.7e308, 1e300], [1e-300, 1e-290]),
    ],
)
def test_no_power_leaves_the_range_however_small_p_is(x, w, p):
    (got,) = distances([[0.0] * len(x), x], "minkowski", p=p, w=w).half
    (exact_x, weights) = fractions((x, w))
    with many_digits():
        want = powers(exact_x, [0 * a for a in exact_x], weights, Decimal(p))
        assert close(got, want, 3000 * EPS + len(x) * EPS / p), (got, want)


# ---------------------------------------------------------------- rows beside others


def test_mahalanobis_keeps_the_digits_of_rows_beside_an_outlier():
    X = np.array([[0.0, 0], [3, 4], [6, 8], [1e18, 0]])
    assert distances(X, "mahalanobis", VI=np.eye(2)).half.tolist() == [5, 10, 1e18, 5, 1e18, 1e18]


@every_target
@pytest.mark.parametrize("traversal", ["rows", "columns"])
@pytest.mark.parametrize("triangle", ["lower", "upper"])
@pytest.mark.parametrize("diagonal", ["stored", "zero"])
def test_mahalanobis_puts_near_rows_where_they_belong(diagonal, triangle, traversal):
    X = normal(1000, 3)
    X[[3, 700, 501]] = X[9] + 2.0 ** np.array([[-60], [-50], [-40]]) * X[:3]
    layout = Layout(triangle, traversal, diagonal=diagonal)
    D = distances(X, "mahalanobis", VI=np.eye(3), layout=layout).expand()
    wanted = np.sqrt(((X[:, None] - X) ** 2).sum(axis=-1))
    assert (abs(D - wanted) <= 64 * EPS * wanted).all()


@pytest.mark.parametrize("m", [3, 60, 140])
@pytest.mark.parametrize("size", [1.0, 1e-170, 1e150])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mahalanobis_tells_nearly_equal_rows_apart(dtype, size, m):
    X = size * normal(6, m)
    X[1] = X[0] * (1 + 1e-12)
    X[2], X[2, 0] = X[0], X[0, 0] * (1 + 2.0**-52)
    X[5] = X[4]
    X[3] *= 1e18
    D = distances(X, "mahalanobis", VI=np.eye(m), dtype=dtype).half
    with many_digits():
        for got, (x, y) in zip(D, combinations(fractions(X), 2), strict=True):
            want = sum((decimal(a - b) ** 2 for a, b in zip(x, y, strict=True)), Decimal(0)).sqrt()
            assert close(got, want, float(np.finfo(dtype).eps) / 2 + 200 * EPS)


def mahalanobis_by_hand(X):
    """Of fractions: differences, and the inverse covariance by Gauss."""
    rows = fractions(X)
    n, m = X.shape
    means = [sum(column) / n for column in zip(*rows, strict=True)]
    left = [[a - mean for a, mean in zip(row, means, strict=True)] for row in rows]
    C = [[sum(row[i] * row[j] for row in left) / (n - 1) for j in range(m)] for i in range(m)]
    for x, y in combinations(rows, 2):
        d = [a - b for a, b in zip(x, y, strict=True)]
        yield decimal(sum(a * b for a, b in zip(d, solve(C, d), strict=True))).sqrt()


@pytest.mark.parametrize(("kind", "bound"), [("far", 1e-13), ("outlier", 1e-13), ("dependent", 1e-8)])
def test_mahalanobis_by_its_own_covariance_of_hard_rows(kind, bound):
    X = normal(12, 3)
    if kind == "far":
        X += 1e12
    if kind == "outlier":
        X[4] = [1e12, 1, 2]
    if kind == "dependent":
        X[:, 2] = X[:, 0] + 1e-6 * X[:, 2]
    D = distances(X, "mahalanobis").half
    with many_digits():
        for got, want in zip(D, mahalanobis_by_hand(X), strict=True):
            assert close(got, want, bound), (got, want)


def test_no_row_spoils_the_pairs_of_others_where_seuclidean_leaves_out_what_is_missing():
    X = np.array([[1e18, 0], [0, 0], [3, 4], [6, 8], [np.nan, 1]])
    D = distances(X, "seuclidean", V=[1, 1], missing="pairwise", layout="vech").expand()
    assert D[1:4, 1:4].tolist() == [[0, 5, 10], [5, 0, 5], [10, 5, 0]]
    assert D[4, 1] == 2**0.5 and abs(D[4, 2] - 18**0.5) < 1e-15
    D = distances(X, "seuclidean", V=[4, 1e300], missing="pairwise", layout="vech").expand()
    assert np.allclose(D[4, 1:4], np.array([1, 3, 7]) * 2**0.5 * 1e-150, rtol=1e-15)  # by columns, not by V


@every_target
@pytest.mark.parametrize("unit", [1.0, 2.0**-1000, 2.0**900])
def test_correlation_far_from_the_origin_keeps_its_digits_where_some_is_missing(unit):
    X = unit * (1e14 + normal(4, 129)[:, :65])
    D = distances(np.column_stack((X, [np.nan] * 4)), "correlation", missing="pairwise").half
    with many_digits():
        for got, (x, y) in zip(D, combinations(fractions(X), 2), strict=True):
            want = angle("correlation", x, y, [1] * len(x))
            assert abs(Decimal(float(got)) - want) <= Decimal(100 * EPS)


def test_rows_that_are_constant_where_both_are_known_are_at_one():
    X = np.array([[0.1, 0.1, 0.1, np.nan], [1, 2, 3, 4], [7e-9, 7e-9, 7e-9, 9]]).repeat(9, axis=1)
    assert distances(X, "correlation", missing="pairwise").half[:2].tolist() == [1, 1]


@every_target
def test_a_number_that_the_partner_lacks_does_not_set_the_unit_of_a_row():
    X = np.array([[1e200, 1e-150, 2e-150, 5e-150], [np.nan, 1, 2, 5], [np.nan, 5e-324, 5e-324, 5e-324]])
    for name in ("cosine", "correlation"):
        near, *_ = distances(X, name, missing="pairwise").half
        assert 0 <= near < 4 * EPS
    wanted = 1 - 8 / (3 * 30) ** 0.5
    assert np.allclose(distances(X, "cosine", missing="pairwise").half[1:], wanted, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-320, 1e-165, 1e-162, 1e-160, 1e-140, 1e-100])
def test_small_angles_on_a_sphere_do_not_vanish(size):
    (angle_,) = distances([[0, 0], [3 * size, 4 * size]], "haversine").half
    assert abs(angle_ - np.hypot(3 * size, 4 * size)) <= 4 * EPS * angle_ + 5e-324
    (angle_,) = distances([[1.0, 0], [1.0, 4 * size]], "haversine").half
    assert abs(angle_ - np.cos(1.0) * 4 * size) <= 8 * EPS * angle_ + 5e-324


# ---------------------------------------------------------------- many equal rows


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine", "cityblock"])
def test_sparse_rows_that_are_all_near_each_other_go_through_a_kernel(metric, monkeypatch):
    row = np.where(normal(1, 300) < 0, 0, 1e3 + normal(1, 300))
    X = np.repeat(row, 400, axis=0)
    X[200:, :5] += 1e-9 * normal(200, 5) * (X[200:, :5] != 0)
    wanted = distances(X, metric).half

    def refuse(*arguments):
        raise AssertionError("nonzeros were subtracted one by one")

    monkeypatch.setattr(sparse_distances, "of_differences", refuse)
    monkeypatch.setattr(sparse_distances, "matches", refuse)
    D = distances(sparse.csr_array(X), metric).half
    assert np.allclose(D, wanted, rtol=1e-10, atol=0 if metric != "cosine" else 1e-25)
    assert not D[: 199 * 1].any()
