"""Eigenvalues shrunk and clipped, against the formulas of the papers, one eigenvalue at a time."""

import math
import re
from decimal import Decimal, localcontext

import numpy as np
import pytest
from sklearn import datasets

import cases
import vech
from vech import covariance

RNG = np.random.default_rng(8)


def normal(n, p):
    return RNG.normal(size=(n, p)) * np.linspace(1, 4, p) + 2


def published(values, p, n):
    """Equations 4.7 to 4.9, C.2, C.3 of Ledoit & Wolf (2020), by loops; of min(p, n) positive eigenvalues."""
    with localcontext(prec=40):  # far out the formula cancels to x^-2 of its terms
        return [float(value) for value in _published([Decimal(float(value)) for value in values], p, n)]


def _published(values, p, n):
    h, root, pi = Decimal(n ** (-1 / 3)), Decimal(5).sqrt(), Decimal(math.pi)
    shrunk = []
    for own in values:
        density = hilbert = Decimal(0)
        for other in values:
            x, scale = (own - other) / (h * other), h * other
            density += 3 / (4 * root) * max(1 - x * x / 5, 0) / scale / len(values)
            log = 0 if abs(x) == root else (1 - x * x / 5) * abs((root - x) / (root + x)).ln()
            hilbert += (-3 / (10 * pi) * x + 3 / (4 * root * pi) * log) / scale / len(values)
        if p <= n:
            c = Decimal(p) / n
            shrunk.append(own / ((pi * c * own * density) ** 2 + (1 - c - pi * c * own * hilbert) ** 2))
        else:
            shrunk.append(own / (pi**2 * own**2 * (density**2 + hilbert**2)))
    if p <= n:
        return shrunk
    log = ((1 + root * h) / (1 - root * h)).ln()
    at_zero = (
        (3 / (10 * h * h) + 3 / (4 * root * h) * (1 - 1 / (5 * h * h)) * log)
        / pi
        * sum(1 / value for value in values)
        / len(values)
    )
    return [1 / (pi * Decimal(p - n) / n * at_zero)] * (p - n) + shrunk


@cases.each("shape", ((14, 3), (60, 20), (21, 20), (20, 20), (15, 50), (40, 120)))
@cases.each("layout", ("vech", "numpy-tril"))
def test_nonlinear_shrinkage_is_the_formula_of_the_paper(shape, layout):
    X = normal(*shape)
    n, p = shape[0] - 1, shape[1]
    values, vectors = np.linalg.eigh(np.cov(X, rowvar=False))
    want = np.array(published(values[max(0, p - n) :], p, n))
    store, shrunk = covariance.nonlinear(X, return_shrinkage=True, layout=layout)
    rounding = 1e-11 + 1e-14 * values[-1] / values[max(0, p - n)]  # of the smallest eigenvalue
    assert np.allclose(shrunk, want, rtol=rounding)
    full = (vectors * want) @ vectors.T
    assert np.abs(store.expand() - full).max() < rounding * np.abs(full).max()
    assert np.linalg.eigvalsh(store.expand()).min() > 0


def test_nonlinear_shrinkage_comes_nearer_to_the_truth_than_the_sample_and_the_line():
    X = normal(100, 60)
    truth = np.diag(np.linspace(1, 4, 60) ** 2)
    errors = [
        np.linalg.norm(store.expand() - truth)
        for store in (covariance.nonlinear(X), covariance.ledoit_wolf(X), covariance.sample(X))
    ]
    assert errors == sorted(errors)


def test_nonlinear_takes_blocks_and_float32():
    X = normal(90, 12)
    want = covariance.nonlinear(X).expand()
    assert np.allclose(covariance.nonlinear(iter(np.array_split(X, 4))).expand(), want, rtol=1e-10)
    single = covariance.nonlinear(X.astype("f4"))
    assert single.dtype == np.float32 and np.allclose(single.expand(), want, rtol=1e-3, atol=1e-4)


def refuses(kind, message, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


def test_nonlinear_says_what_it_needs():
    refuses(ValueError, "^X has 12 rows, and nonlinear .* at least 13$", covariance.nonlinear, normal(12, 3))
    refuses(ValueError, "^X has 12 rows", covariance.nonlinear, iter([normal(12, 3)]))
    flat = normal(30, 3)
    flat[:, 1] = 7
    refuses(
        ValueError, "^column 1 of X is constant, and its eigenvalue is 0: drop it", covariance.nonlinear, flat
    )
    twice = normal(30, 3)[:, [0, 1, 2, 0]]
    refuses(
        ValueError, "of 4 columns and 30 rows has rank 3, not 4: drop columns", covariance.nonlinear, twice
    )
    rows = normal(20, 50)
    rows[3] = rows[4]
    refuses(ValueError, "of 50 columns and 20 rows has rank 18, not 19", covariance.nonlinear, rows)
    refuses(
        TypeError,
        "with fewer rows than columns needs whole columns",
        covariance.nonlinear,
        iter([normal(20, 50)]),
    )


def clipped(X, variance=1.0):
    """Marchenko-Pastur clipping with all eigenvalues and vectors."""
    n, p = X.shape
    values, vectors = np.linalg.eigh(np.corrcoef(X, rowvar=False))
    noise = values <= variance * (1 + np.sqrt(p / n)) ** 2
    values[noise] = values[noise].mean()
    full = (vectors * values) @ vectors.T
    return full / np.sqrt(np.multiply.outer(full.diagonal(), full.diagonal())), int((~noise).sum())


@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
@pytest.mark.parametrize("name", ("load_breast_cancer", "load_wine", "load_diabetes"))
def test_denoise_levels_what_is_below_the_edge(name, layout):
    X = getattr(datasets, name)().data
    want, kept = clipped(X)
    assert 0 < kept < X.shape[1]
    found = covariance.denoise(X, correlation=True, layout=layout)
    assert np.abs(found.expand() - want).max() < 1e-10
    assert np.array_equal(found.diagonal(), np.ones(X.shape[1]))
    store, deviation = covariance.denoise(X, layout=layout), X.std(axis=0, ddof=1)
    assert np.allclose(store.expand(), want * np.multiply.outer(deviation, deviation), rtol=1e-9, atol=0)


def test_the_share_of_noise_moves_the_edge():
    X = datasets.load_breast_cancer().data
    low, high = clipped(X, 0.2), clipped(X, 1.0)
    assert low[1] > high[1]
    assert np.allclose(covariance.denoise(X, variance=0.2, correlation=True).expand(), low[0], atol=1e-10)
    refuses(
        ValueError, "^variance must be a positive number, mostly 1, not 0$", covariance.denoise, X, variance=0
    )
    refuses(
        ValueError,
        "^variance must be a positive number, mostly 1, not .1.$",
        covariance.denoise,
        X,
        variance="1",
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_share_of_noise_that_no_eigenvalue_reaches_leaves_one_level(dtype):
    X = datasets.load_breast_cancer().data.astype(dtype)
    want = covariance.denoise(X, variance=X.shape[1]).half
    for variance in (1e30, 1e39, 1e308):
        assert np.array_equal(covariance.denoise(X, variance=variance).half, want)


def test_pure_noise_becomes_the_identity():
    X = RNG.normal(size=(2000, 8))
    strict = vech.Layout("lower", "columns", diagonal="one")
    assert np.allclose(covariance.denoise(X, correlation=True, layout=strict).half, 0, atol=1e-12)


def test_denoised_matrices_are_definite_with_fewer_rows_than_columns():
    X = RNG.normal(size=(30, 1)) + RNG.normal(size=(30, 80))
    for given in (X, X.astype("f4"), iter([X[:10], X[10:]])):
        assert np.linalg.eigvalsh(covariance.denoise(given).expand()).min() > 1e-3
