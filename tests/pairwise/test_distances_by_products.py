"""Distances by products: held against 50 digits, on rows that products alone would get wrong."""

import pickle

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import cases
from hard_rows import TRUE, hard_rows, normal, rows_of, true_cosine, true_euclidean
from vech.pairwise import products
from vech.pairwise.products import Directions, Euclidean, correlation, cosine, euclidean
from vech.results.making import Wanted, make

every_target = pytest.mark.every_target

FLOATS = ("float32", "float64")
BLOCKS = {"euclidean": euclidean, "cosine": cosine, "correlation": correlation}


def error_bound(metric, true, m, dtype):
    """What the docstrings promise."""
    eps, double = float(np.finfo(dtype).eps), 2.0**-52
    if metric == "euclidean":
        return 2 * (m + 6) * eps * true + float(np.finfo(dtype).smallest_subnormal)
    if true >= 1 / 9:  # 1/8 is looked at after rounding
        return 8 * (m + 4) * eps * true
    return ((m + 4) * double + eps) * true + 4 * double * (true + double) ** 0.5


def check_digits(metric, name, dtype):
    X = rows_of(name, dtype)
    n, m = X.shape
    made = BLOCKS[metric](X)(slice(0, n), slice(0, n))
    assert made.dtype == dtype and made.shape == (n, n)
    for i in range(n):
        assert made[i, i] == 0
        for j in range(i):
            true = float(TRUE[metric](X[i], X[j]))
            assert made[i, j] == made[j, i] >= 0
            assert abs(float(made[i, j]) - true) <= error_bound(metric, true, m, dtype), (i, j)


@cases.each("dtype", list(FLOATS))
@cases.each("name", sorted(hard_rows("float64")))
@cases.each("metric", list(BLOCKS))
def test_a_distance_keeps_its_digits(metric, name, dtype):
    check_digits(metric, name, dtype)


@every_target
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["ordinary", "nearly the same", "of all sizes", "1025 columns"])
def test_every_kernel_finds_and_mends_what_has_lost_digits(name, dtype):
    check_digits("euclidean", name, dtype)


@every_target
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("metric", BLOCKS)
def test_rows_that_are_the_same_are_at_distance_zero(metric, dtype):
    X = np.repeat(normal(20, 70), 3, axis=0).astype(dtype) * 3 + 5
    made = BLOCKS[metric](X)(slice(0, 60), slice(0, 60))
    same = np.arange(60) // 3
    assert (made[same[:, None] == same] == 0).all()
    assert (made[same[:, None] != same] > 0).all()


@pytest.mark.parametrize("size", [1e160, 1e-170, 1e300, 1e-300, 5e-324])
def test_rows_of_any_size_have_distances(size):
    X = (normal(6, 4) * 8).round() + 0.0  # so that the smallest numbers are right too
    for factor in (1.0, np.array([[1], [1], [0], [0], [1], [0]])):  # all of that size, and some
        with np.errstate(under="ignore"):
            Y = X * np.where(factor, size, 1.0)
        made = euclidean(Y)(slice(0, 6), slice(0, 6))
        for i in range(6):
            for j in range(i):
                assert float(made[i, j]) == pytest.approx(float(true_euclidean(Y[i], Y[j])), rel=1e-14, abs=0)
        angles = cosine(Y)(slice(0, 6), slice(0, 6))
        np.testing.assert_allclose(angles, cosine(X)(slice(0, 6), slice(0, 6)), rtol=1e-13, atol=1e-30)


def test_distances_that_no_number_holds_are_infinite():
    X = np.array([[1.7e308, 0], [-1.7e308, 0], [1e200, 0]])
    np.testing.assert_array_equal(euclidean(X)(slice(0, 1), slice(0, 3)), [[0, np.inf, 1.7e308 - 1e200]])
    single = np.array([[3e30, 0], [0, 0]], np.float32)
    np.testing.assert_array_equal(euclidean(single, True)(slice(0, 1), slice(1, 2)), [[np.inf]])
    np.testing.assert_array_equal(
        euclidean(X, squared=True)(slice(1, 3), slice(1, 3)), [[0, np.inf], [np.inf, 0]]
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("metric", BLOCKS)
def test_a_pair_has_the_same_bits_in_any_tile_and_either_way(metric, dtype):
    X = (normal(300, 50) + 1).astype(dtype)
    block = BLOCKS[metric](X)
    whole = block(slice(0, 300), slice(0, 300))
    np.testing.assert_array_equal(whole, whole.T)
    for rows, columns in ((slice(0, 150), slice(150, 300)), (slice(40, 170), slice(20, 240))):
        np.testing.assert_array_equal(block(rows, columns), block(columns, rows).T)
        np.testing.assert_array_equal(block(rows, columns), block(rows, columns))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 17, 100])
@pytest.mark.parametrize("metric", BLOCKS)
def test_a_half_is_that_of_scipy(metric, n, dtype):
    X = normal(n, 19).astype(dtype)
    S = make(BLOCKS[metric](X), n, np.dtype(dtype), Wanted("vech"), side=30)
    want = squareform(pdist(X.astype(float), metric)) if n > 1 else np.zeros((n, n))
    np.testing.assert_allclose(S.expand(), want, rtol=100 * np.finfo(dtype).eps, atol=1e-15)


def test_a_squared_distance_is_the_square():
    X = normal(30, 12)
    one, other = (euclidean(X, squared=squared)(slice(0, 10), slice(10, 30)) for squared in (False, True))
    np.testing.assert_allclose(other, one**2, rtol=1e-15)


@pytest.mark.parametrize("metric", ["cosine", "correlation"])
def test_rows_without_a_direction_are_at_distance_one(metric):
    X = np.array([[0, 0, 0], [0, 0, 0], [1, 2, 4], [-1, 0.5, 0.25]], float) + (metric == "correlation") * 0.1
    made = BLOCKS[metric](X)(slice(0, 4), slice(0, 4))
    np.testing.assert_array_equal(made[:2], [[0, 1, 1, 1], [1, 0, 1, 1]])


@pytest.mark.parametrize("dtype", FLOATS)
def test_nearly_parallel_rows_keep_their_digits(dtype):
    """Multiples of a row whose last column differs by less and less."""
    X = np.repeat([[3.0, 4, 0]], 12, axis=0)
    X[1:, 2] = 2.0 ** -np.arange(1, 12)
    X = (X * np.arange(1, 13)[:, None]).astype(dtype)
    made = cosine(X)(slice(0, 1), slice(0, 12))[0]
    true = [float(true_cosine(X[0], x)) for x in X]
    np.testing.assert_allclose(made, true, rtol=4 * np.finfo(dtype).eps + 1e-12)


def test_rows_without_columns_and_no_rows_at_all():
    X = np.zeros((3, 0))
    np.testing.assert_array_equal(euclidean(X)(slice(0, 3), slice(0, 3)), np.zeros((3, 3)))
    np.testing.assert_array_equal(cosine(X)(slice(0, 3), slice(0, 3)), 1 - np.eye(3))
    for metric in BLOCKS.values():
        assert metric(np.zeros((0, 4)))(slice(0, 0), slice(0, 0)).shape == (0, 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_rows_of_a_common_size_are_brought_to_where_products_hold_them(dtype):
    sizes = (1e-30, 1e30) if dtype == "float32" else (1e-250, 1e250)
    for size in sizes:
        own = euclidean((normal(50, 8) * size).astype(dtype)).own
        assert own.min() > 1e-3 and own.max() < 1e3


def test_a_correlation_does_not_see_a_mean_that_leaves_few_digits():
    X = 2.0**52 + cases.generator("means").integers(0, 9, (5, 30))
    made = correlation(X)(slice(0, 5), slice(0, 5))
    for i in range(5):
        for j in range(i):
            assert made[i, j] == pytest.approx(float(TRUE["correlation"](X[i], X[j])), rel=1e-13)


def test_far_clusters_are_moved_to_the_origin():
    X = normal(500, 8) + 1e6
    block = euclidean(X)
    assert block.centre is not None and np.abs(block.own).max() < 100
    outlying = normal(500, 8)
    outlying[3] = 1e160
    assert np.median(euclidean(outlying).own) < 100


def test_blocks_travel():
    for block in (euclidean(normal(9, 4)), cosine(normal(9, 4)), correlation(normal(9, 4))):
        assert isinstance(block, Euclidean | Directions)
        other = pickle.loads(pickle.dumps(block))
        np.testing.assert_array_equal(other(slice(0, 9), slice(0, 9)), block(slice(0, 9), slice(0, 9)))
        assert block.n == 9 and block.dtype == np.float64


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("metric", BLOCKS)
def test_columns_are_multiplied_some_at_a_time(monkeypatch, metric, dtype):
    monkeypatch.setattr(products, "PIECE", 300)
    check_digits(metric, "1025 columns", dtype)
