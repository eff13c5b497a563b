"""Covariances from data straight to the half, against NumPy, BLAS and scikit-learn."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech import covariance


def data(samples: int, p: int) -> peers.Array:
    """Columns with a mean of half their standard deviation."""
    X = np.random.default_rng(0).standard_normal((samples, p))
    X += 0.5
    return X


def wide(p: int, samples: int = 5000) -> Iterator[Case]:
    X = data(samples, p)
    candidates = {
        "vech": partial(covariance.sample, X, threads=1),
        "np.cov": partial(np.cov, X, rowvar=False),
        "syrk": peers.syrk(X),
    }
    yield Case("sample", "vech", "float64", p, candidates, f"{samples} rows")


def standardised(p: int, samples: int = 5000) -> Iterator[Case]:
    X = data(samples, p)
    candidates = {
        "vech": partial(covariance.correlation, X, threads=1),
        "np.corrcoef": partial(np.corrcoef, X, rowvar=False),
        "syrk": peers.syrk(X),
    }
    yield Case("correlation", "vech", "float64", p, candidates, f"{samples} rows")


def memory(p: int) -> Iterator[Case]:
    X = data(p * 5 // 4, p)
    candidates = {
        "vech": partial(covariance.sample, X, threads=1),
        "np.cov": partial(np.cov, X, rowvar=False),
        "a half": partial(np.ones, p * (p + 1) // 2),
    }
    yield Case("sample", "vech", "float64", p, candidates, "memory")


def tall(p: int, samples: int = 10**6) -> Iterator[Case]:
    X = data(samples, p)
    cases = {
        "vech": partial(covariance.sample, X, threads=1),
        "syrk": peers.syrk(X),
        "np.cov": partial(np.cov, X, rowvar=False),
    }
    yield Case("sample", "vech", "float64", p, cases, f"{samples} rows")


def shrunk(p: int, samples: int = 500) -> Iterator[Case]:
    X = data(samples, p)
    for name, ours in (("LedoitWolf", covariance.ledoit_wolf),):
        candidates = {
            "vech": partial(ours, X, threads=1),
            "scikit-learn": peers.scikit_learn_covariance(name, X),
        }
        yield Case(name, "vech", "float64", p, candidates, f"{samples} rows")


def spearman(p: int, samples: int = 1000) -> Iterator[Case]:
    X = data(samples, p)
    candidates = {
        "vech": partial(covariance.spearman, X, threads=1),
        "SciPy": peers.scipy_spearman(X),
        "pandas": peers.pandas_spearman(X),
    }
    yield Case("spearman", "vech", "float64", p, candidates, f"{samples} rows")


ROWS = (
    Row(
        "sample covariance of 5000 rows",
        "np.cov",
        (Limit("np.cov", must=1.0),),
        (4000, 4001),
        wide,
        quick_cases=partial(wide, samples=200),
    ),
    Row(
        "sample covariance, memory",
        "np.cov",
        (Limit("np.cov", must=0.5),),
        (4000, 4001),
        memory,
        quick_sizes=(1200, 1201),
        measure="peaks",
    ),
    Row(
        "correlation of 5000 rows",
        "np.corrcoef",
        (Limit("np.corrcoef", must=0.9),),
        (4000, 4001),
        standardised,
        quick_cases=partial(standardised, samples=200),
    ),
    Row(
        "sample covariance of 1000000 rows",
        "syrk",
        (Limit("syrk", must=1.1),),
        (300, 301),
        tall,
        quick_cases=partial(tall, samples=2000),
    ),
    Row(
        "shrunk covariance of 500 rows",
        "vech",
        (Limit("scikit-learn", must=3, faster=True),),
        (3000, 3001),
        shrunk,
        quick_cases=partial(shrunk, samples=50),
    ),
    Row(
        "Spearman's correlation of 1000 rows",
        "vech",
        (Limit("SciPy", faster=True), Limit("pandas", faster=True)),
        (500, 501),
        spearman,
        quick_cases=partial(spearman, samples=50),
    ),
)
