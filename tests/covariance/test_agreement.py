"""Agreement of columns: quadrant correlation against signs; Jaccard, Hamming, matching against SciPy."""

import itertools

import numpy as np
import pytest
from scipy.spatial import distance

import cases
import vech
from vech.covariance import hamming, jaccard, matching, quadrant

every_target = pytest.mark.every_target
SHAPES = [(1, 1), (5, 3), (64, 9), (65, 70), (700, 23)]


def ternary(samples, p, lowest=-1):
    return cases.generator("ternary", samples, p, lowest).integers(lowest, 2, (samples, p))


def with_nan(X, share=0.2):
    X = X.astype(np.float64)
    X[cases.generator("missing", X.shape).random(X.shape) < share] = np.nan
    return X


def pairs(X, of_two):
    """of_two(column, column) over the rows that both have."""
    p = X.shape[1]
    full = np.zeros((p, p))
    for i, j in itertools.product(range(p), repeat=2):
        there = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
        full[i, j] = of_two(X[there, i], X[there, j])
    return full


# ---------------------------------------------------------------- quadrant


@every_target
@cases.each("samples, p", SHAPES)
@cases.each("dtype", ["float32", "float64", "int16"])
def test_quadrant_is_the_correlation_of_signs_about_medians(samples, p, dtype):
    X = np.round(9 * cases.generator("quadrant", samples, p).normal(size=(samples, p))).astype(dtype)
    signs = np.sign(X - np.median(X.astype("f8"), axis=0))
    products = signs.T @ signs
    n = products.diagonal()
    expected = np.divide(products, np.sqrt(np.outer(n, n)), out=np.zeros((p, p)), where=np.outer(n, n) > 0)
    np.fill_diagonal(expected, 1)
    S = quadrant(X)
    assert np.allclose(S.expand(), expected, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-15)
    assert np.linalg.eigvalsh(S.expand().astype("f8"))[0] > -1e-5


def test_a_median_between_two_numbers_of_float32_parts_them():
    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    X = np.array([[low, low], [low, high], [high, low], [high, high]])
    assert np.array_equal(quadrant(X).expand(), np.eye(2))
    assert quadrant(X[[0, 0, 3, 3]])[0, 1] == 1


@pytest.mark.parametrize("missing", ["raise", "neutral"])
@pytest.mark.parametrize("offset", [2.0**49, -(2.0**49)])
def test_a_median_that_float64_rounds_to_a_number_still_parts_the_two(offset, missing):
    X = np.round(8 * cases.generator("offset").normal(size=(60, 6))) / 8
    X = X if missing == "raise" else np.vstack([X, np.full((1, 6), np.nan)])
    assert np.array_equal(quadrant(X + offset, missing=missing).half, quadrant(X, missing=missing).half)


@pytest.mark.filterwarnings("error")
def test_quadrant_parts_the_numbers_at_the_ends_of_float64():
    tiny, most = np.nextafter(0.0, 1), np.finfo("f8").max
    X = np.array([[0, most, -most], [0, most, -most], [tiny, -most, most], [tiny, -most, most]])
    assert np.array_equal(quadrant(X).expand(), [[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    assert np.array_equal(quadrant(X[[0, 0, 0]]).expand(), np.eye(3))


def test_quadrant_is_blomqvists_beta_without_medians():
    X = cases.generator("beta").normal(size=(40, 2))
    a, b = (np.median(X, axis=0) < X).T
    assert np.isclose(quadrant(X)[0, 1], (np.count_nonzero(a == b) - np.count_nonzero(a != b)) / 40)


def test_quadrant_of_missing_numbers_pair_by_pair():
    X = with_nan(ternary(60, 6) * cases.generator("sizes").random((60, 6)))
    signs = np.sign(X - np.nanmedian(X, axis=0))
    expected = pairs(signs, lambda a, b: a @ b / np.sqrt((a @ a) * (b @ b)))
    assert np.allclose(quadrant(X, missing="pairwise").expand(), expected, rtol=1e-14, atol=1e-15)


# ---------------------------------------------------------------- jaccard, hamming, matching


@every_target
@pytest.mark.parametrize("samples, p", SHAPES)
@pytest.mark.parametrize("lowest", [-1, 0])
def test_hamming_and_matching_are_scipys(samples, p, lowest):
    X = ternary(samples, p, lowest)
    expected = (
        distance.squareform(distance.pdist(X.T.astype(float), "hamming")) if p > 1 else np.zeros((1, 1))
    )
    assert np.allclose(hamming(X).expand(), expected, rtol=1e-14)
    assert np.allclose(matching(X).expand(), 1 - expected, rtol=1e-14)


@every_target
@pytest.mark.parametrize("samples, p", SHAPES)
@pytest.mark.parametrize("lowest", [-1, 0])
def test_jaccard_is_the_share_that_is_alike_of_what_is_not_zero(samples, p, lowest):
    X = ternary(samples, p, lowest)
    either = (X[:, :, None] != 0) | (X[:, None] != 0)
    alike = (X[:, :, None] == X[:, None]) & either
    union = either.sum(axis=0)
    expected = np.divide(alike.sum(axis=0), union, out=np.zeros((p, p)), where=union > 0)
    np.fill_diagonal(expected, 1)
    assert np.allclose(jaccard(X).expand(), expected, rtol=1e-14)


def test_jaccard_of_bools_is_scipys():
    X = ternary(300, 20, 0).astype(bool)
    expected = 1 - distance.squareform(distance.pdist(X.T, "jaccard"))
    assert np.allclose(jaccard(X).expand(), expected, rtol=1e-14)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "float32"])
def test_dtypes_of_one_answer(dtype):
    X = ternary(100, 9, 0)
    for function in (jaccard, hamming, matching):
        S = function(X.astype(dtype))
        wanted = np.float32 if dtype in ("float16", "float32") else np.float64
        assert S.dtype == wanted and np.array_equal(S.half, function(X).half.astype(wanted))


@every_target
def test_missing_numbers_pair_by_pair():
    X = with_nan(ternary(80, 8))
    unlike = pairs(X, lambda a, b: np.mean(a != b))
    assert np.allclose(hamming(X, missing="pairwise").expand(), unlike, rtol=1e-14)
    assert np.allclose(matching(X, missing="pairwise").expand(), 1 - unlike, rtol=1e-14)
    alike = pairs(X, lambda a, b: np.sum((a == b) & (a != 0)) / np.sum((a != 0) | (b != 0)))
    assert np.allclose(jaccard(X, missing="pairwise").expand(), alike, rtol=1e-14)


def test_a_neutral_missing_number_is_zero():
    X = with_nan(ternary(80, 8))
    for function in (jaccard, hamming, matching):
        assert np.array_equal(function(X, missing="neutral").half, function(np.nan_to_num(X)).half)


def test_columns_of_zeros():
    X = np.zeros((5, 2))
    assert np.array_equal(jaccard(X).expand(), np.eye(2))
    assert np.array_equal(matching(X).expand(), np.ones((2, 2)))
    assert np.array_equal(hamming(X).expand(), np.zeros((2, 2)))
    X[:3, 0] = X[3:, 1] = np.nan  # no row in common, and all are zeros
    assert np.array_equal(hamming(X, missing="pairwise").expand(), np.zeros((2, 2)))
    assert np.array_equal(matching(X, missing="pairwise").expand(), np.eye(2))


def test_hamming_is_a_condensed_distance():
    X = ternary(50, 12)
    S = hamming(X, layout="condensed")
    assert np.allclose(S.half, distance.pdist(X.T.astype(float), "hamming"), rtol=1e-14)
    with pytest.raises(ValueError, match="stores no diagonal"):
        matching(X, layout="condensed")


def test_blocks_of_rows_give_the_same_bits():
    X = ternary(500, 12)
    assert np.array_equal(jaccard(lambda: (X[k : k + 99] for k in range(0, 500, 99))).half, jaccard(X).half)


def test_columns_of_a_frame_stay():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(ternary(50, 3), columns=["x", "y", "z"])
    for function in (quadrant, jaccard, hamming, matching):
        assert function(frame).labels == ("x", "y", "z")


@pytest.mark.parametrize("function", [jaccard, hamming, matching])
@pytest.mark.parametrize("value", [2, -3, 0.5])
def test_other_numbers_are_refused(function, value):
    X = ternary(300, 5).astype(float)
    X[200, 3] = value
    with pytest.raises(
        ValueError, match=rf"X has {float(value)} in row 200, column 3, and {function.__name__} is of"
    ):
        function(X)


@pytest.mark.parametrize("function", [quadrant, jaccard, hamming, matching])
def test_nan_is_refused_unless_something_is_said(function):
    X = ternary(10, 3).astype(float)
    X[4, 1] = np.nan
    with pytest.raises(ValueError, match="X has 1 NaN, the first in row 4, column 1"):
        function(X)


def test_what_needs_x_twice_or_whole_says_so():
    X = ternary(10, 3)
    with pytest.raises(TypeError, match="jaccard reads X twice"):
        jaccard(iter([X]))
    with pytest.raises(TypeError, match="a median needs whole columns"):
        quadrant(lambda: iter([X]))
    assert isinstance(quadrant(X), vech.Packed)
