"""Correlations from signs: against signs multiplied in NumPy, and the published error."""

import numpy as np
import pytest

import cases
import vech
from vech.covariance import correlation, one_bit, quadrant

every_target = pytest.mark.every_target


def by_hand(signs):
    """The sine of pi / 2 times the correlation of signs, about zero."""
    products = signs.T @ signs
    n = products.diagonal()
    size = np.sqrt(np.outer(n, n))
    full = np.sin(np.pi / 2 * np.divide(products, size, out=np.zeros(size.shape), where=size > 0))
    np.fill_diagonal(full, 1)
    return full


def normal(n, r, seed=0):
    return np.random.default_rng(seed).normal(size=(n, len(r))) @ np.linalg.cholesky(r).T


def decaying(p, r=0.7):
    return r ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))


@every_target
@cases.each("samples, p", [(1, 1), (5, 3), (64, 9), (65, 70), (700, 23)])
@cases.each("dtype", ["float32", "float64", "int16", "bool"])
@cases.each("center", ["zero", "mean", "median"])
def test_it_is_the_sine_of_the_correlation_of_signs(samples, p, dtype, center):
    X = np.round(9 * cases.generator("signs", samples, p).normal(size=(samples, p))).astype(dtype)
    wide = X.astype("f8")
    about = {"zero": 0, "mean": wide.mean(axis=0), "median": np.median(wide, axis=0)}[center]
    S = one_bit(X, center=center)
    assert S.dtype == ("float32" if dtype == "float32" else "float64")
    rtol = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(S.expand(), by_hand(np.sign(wide - about)), rtol=rtol, atol=rtol)
    assert (S.diagonal() == 1).all()


def test_the_published_error_of_one_bit_and_of_all():
    """Relative Frobenius errors .074 and .047 of 20,000 rows of 128 columns; twice that of 5000."""
    R = decaying(128)
    X = normal(5000, R)
    one, whole = (np.linalg.norm(f(X).expand() - R) / np.linalg.norm(R) for f in (one_bit, correlation))
    assert one == pytest.approx(2 * 0.074, rel=0.08) and whole == pytest.approx(2 * 0.047, rel=0.08)


def test_of_independent_columns_the_error_is_half_pi_times_that_of_the_correlation():
    X = normal(4000, np.eye(60), seed=1)
    one, whole = (np.linalg.norm(f(X).expand() - np.eye(60)) for f in (one_bit, correlation))
    assert 1.45 < one / whole < 1.7


def test_only_signs_are_read():
    X = normal(500, decaying(6))
    want = one_bit(X).half
    assert np.array_equal(one_bit(np.sign(X)).half, want)
    assert np.array_equal(one_bit(X**3 * [1e-9, 1, 1e9, 5, 2, 1]).half, want)
    X[7, 2] = 1e300
    assert np.array_equal(one_bit(X).half, one_bit(np.sign(X)).half)


def test_about_medians_it_is_the_sine_of_the_quadrant_correlation():
    X = normal(301, decaying(5)) + 7
    quadrants = quadrant(X, missing="neutral").half
    np.testing.assert_allclose(one_bit(X, center="median").half, np.sin(np.pi / 2 * quadrants), rtol=1e-14)
    assert not np.allclose(one_bit(X).half, one_bit(X, center="mean").half)  # about zero all signs are alike


def test_numbers_at_the_center_are_neutral_and_so_is_a_constant_column_about_its_mean():
    X = np.array([[1.0, 1, 0.1], [-1, 0, 0.1], [1, 1, 0.1], [-1, -1, 0.1], [0, 1, 0.1]])
    assert one_bit(X)[0, 1] == pytest.approx(np.sin(np.pi / 2 * 3 / 4), rel=1e-14)
    for center in ("mean", "median"):
        S = one_bit(X, center=center)
        assert np.array_equal(S.expand()[2], [0, 0, 1])
    zeros = one_bit(np.zeros((4, 2)))
    assert np.array_equal(zeros.expand(), np.eye(2))


def test_missing_numbers():
    X = normal(200, decaying(5)) + 0.1
    X[np.random.default_rng(2).random(X.shape) < 0.2] = np.nan
    with pytest.raises(ValueError, match=r"NaN, the first in row \d+, column \d.*'neutral' or .*'pairwise'"):
        one_bit(X)
    signs = np.sign(np.nan_to_num(X))
    np.testing.assert_allclose(one_bit(X, missing="neutral").expand(), by_hand(signs), rtol=1e-14)
    full = one_bit(X, missing="pairwise").expand()
    for i in range(5):
        for j in range(i):
            both = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
            assert full[i, j] == pytest.approx(by_hand(signs[both][:, [i, j]])[0, 1], rel=1e-13)
    few = one_bit(X, missing="pairwise", min_periods=1)
    np.testing.assert_allclose(few.expand(), full, rtol=1e-14)
    X[:150, 0], X[100:, 1] = np.nan, np.nan
    assert np.isnan(one_bit(X, missing="pairwise", min_periods=1)[0, 1])
    assert one_bit(X, missing="pairwise")[0, 1] == 0


def test_blocks_labels_and_layouts():
    pandas = pytest.importorskip("pandas")
    X = normal(130, decaying(4))
    want = one_bit(X)
    for center in ("zero", "mean"):
        blocks = one_bit(lambda: iter((X[:70], X[70:])), center=center)
        assert np.array_equal(blocks.half, one_bit(X, center=center).half)
    assert one_bit(pandas.DataFrame(X, columns=list("abcd"))).labels == tuple("abcd")
    ones = vech.Layout("upper", "rows", diagonal="one")
    assert np.array_equal(one_bit(X, layout=ones).expand(), want.expand())
    with pytest.raises(TypeError, match="one_bit reads X twice"):
        one_bit(iter((X,)))
    with pytest.raises(TypeError, match="a median needs whole columns"):
        one_bit(lambda: iter((X,)), center="median")
    with pytest.raises(ValueError, match="center"):
        one_bit(X, center="median of means")
    with pytest.raises(ValueError, match=r"X has 1 infinite number.*in row 3, column 1"):
        X[3, 1] = np.inf
        one_bit(X)
    with pytest.raises(TypeError, match=r"this is defined for real numbers: pass np\.real\(X\)"):
        one_bit(1j * normal(5, np.eye(2)))
