"""Shrunk covariances against scikit-learn, and the formulas of the papers on full matrices."""

import numpy as np
import pytest
from sklearn import covariance as peer
from sklearn import datasets

import cases
from vech import covariance

RNG = np.random.default_rng(7)
SHAPES = ((3, 2), (20, 4), (200, 30), (30, 200), (64, 64))
REAL = {
    "digits": datasets.load_digits,
    "breast cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}


def normal(n, p):
    return RNG.normal(size=(n, p)) @ (np.eye(p) + RNG.normal(size=(p, p)) / p) * np.linspace(1, 3, p) + 4


def data():
    yield from (normal(*shape) for shape in SHAPES)
    yield from (load().data for load in REAL.values())


def assert_equal(found, want, relative=1e-10):
    (store, intensity), (full, peers) = found, want
    assert intensity == pytest.approx(peers, rel=relative, abs=1e-12)
    assert np.abs(store.expand() - full).max() <= relative * np.abs(full).max()


@cases.each("X", data(), ids=lambda X: f"{X.shape}")
@cases.each("layout", ("vech", "numpy-tril"))
def test_ledoit_wolf_and_oas_are_those_of_scikit_learn(X, layout):
    options = {"return_shrinkage": True, "layout": layout}
    assert_equal(covariance.ledoit_wolf(X, **options), peer.ledoit_wolf(X))
    assert_equal(covariance.oas(X, **options), peer.oas(X))


def test_an_offset_changes_nothing():
    X = RNG.integers(-16, 17, (60, 9)) * 0.25
    assert_equal(covariance.ledoit_wolf(X + 1e8, return_shrinkage=True), peer.ledoit_wolf(X))
    want = covariance.ledoit_wolf(X, "constant-correlation", return_shrinkage=True)
    found = covariance.ledoit_wolf(X + 1e8, "constant-correlation", return_shrinkage=True)
    assert_equal(found, (want[0].expand(), want[1]), 1e-7)


def test_blocks_of_rows_that_drift_give_what_all_rows_give():
    X = normal(500, 12)
    X[200:] += np.linspace(0, 9, 12)
    blocks = covariance.ledoit_wolf(iter(np.array_split(X, 9)), return_shrinkage=True)
    assert_equal(blocks, peer.ledoit_wolf(X))
    assert_equal(covariance.oas(iter(np.array_split(X, 9)), return_shrinkage=True), peer.oas(X))


def test_float32_data_give_float32():
    X = normal(300, 20).astype("f4")
    store, intensity = covariance.ledoit_wolf(X, return_shrinkage=True)
    assert store.dtype == np.float32
    assert_equal((store, intensity), peer.ledoit_wolf(X.astype(float)), 1e-5)


def honey(X):
    """The program covCor of Ledoit and Wolf (2004), on full matrices."""
    t, n = X.shape
    x = X - X.mean(axis=0)
    sample = x.T @ x / t
    variances = sample.diagonal()
    deviations = np.sqrt(variances)
    outer = np.multiply.outer(deviations, deviations)
    mean = ((sample / outer).sum() - n) / (n * (n - 1))
    prior = mean * outer
    np.fill_diagonal(prior, variances)
    y = x**2
    phi_matrix = y.T @ y / t - sample**2
    theta = (x**3).T @ x / t - variances[:, None] * sample
    np.fill_diagonal(theta, 0)
    rho = phi_matrix.diagonal().sum() + mean * (np.multiply.outer(1 / deviations, deviations) * theta).sum()
    gamma = np.linalg.norm(sample - prior) ** 2
    intensity = max(0, min(1, (phi_matrix.sum() - rho) / gamma / t))
    return intensity * prior + (1 - intensity) * sample, intensity


@pytest.mark.parametrize(
    "X", [x for x in data() if x.shape[1] > 2 and x.std(axis=0).min() > 0], ids=lambda X: f"{X.shape}"
)
def test_constant_correlation_is_the_program_of_the_paper(X):
    found = covariance.ledoit_wolf(X, "constant-correlation", return_shrinkage=True)
    assert 0 < found[1] <= 1
    assert_equal(found, honey(X), 1e-9)
    blocks = covariance.ledoit_wolf(
        lambda: iter(np.array_split(X, 3)), "constant-correlation", return_shrinkage=True, layout="numpy-tril"
    )
    assert_equal(blocks, honey(X), 1e-9)


def test_of_two_columns_the_constant_correlation_is_their_own():
    X = normal(30, 2)
    store, intensity = covariance.ledoit_wolf(X, "constant-correlation", return_shrinkage=True)
    assert np.allclose(store.expand(), np.cov(X, rowvar=False, ddof=0)) and 0 <= intensity <= 1


def test_constant_data_are_not_shrunk():
    store, intensity = covariance.ledoit_wolf(np.ones((5, 3)), return_shrinkage=True)
    assert intensity == 0 and not store.half.any()


def test_targets_are_named():
    with pytest.raises(ValueError, match=r"unknown target 'single-factor'.*identity.*constant-correlation"):
        covariance.ledoit_wolf(normal(9, 3), "single-factor")


def test_more_columns_than_a_square_holds():
    X = normal(40, 1100)
    assert_equal(covariance.ledoit_wolf(X, return_shrinkage=True), peer.ledoit_wolf(X))
