"""Gerber and Kendall from planes of bits: against skfolio, Riskfolio-Lib, BLAS, SciPy and pandas."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech.covariance import gerber, kendall

THRESHOLD = 0.5
FASTER_THAN_FLOATS = {"avx512-icl": 4.0, "avx2": 1.5}


def returns(samples: int, p: int) -> peers.Array:
    """Three common factors and noise, in float64."""
    rng = np.random.default_rng(0)
    return 0.01 * (rng.normal(size=(samples, 3)) @ rng.normal(size=(3, p)) + rng.normal(size=(samples, p)))


def against_floats(p: int) -> Iterator[Case]:
    X = returns(1000, p)
    candidates = {
        "vech": partial(gerber, X, THRESHOLD, threads=1),
        "2 ssyrk on floats": peers.floats_gerber(X, THRESHOLD),
        "skfolio": peers.skfolio_gerber(X, THRESHOLD),
        "the 2 ssyrk alone": peers.two_syrk(X.astype(np.float32)),
        "vech, 2 threads": partial(gerber, X, THRESHOLD, threads=2),
    }
    yield Case("gerber", "vech", "float64", p, candidates, "1000 rows")


def against_loops(p: int) -> Iterator[Case]:
    X = returns(252, p)
    candidates = {
        "vech": partial(gerber, X, THRESHOLD, threads=1),
        "Riskfolio-Lib": peers.riskfolio_gerber(X, THRESHOLD),
    }
    yield Case("gerber", "vech", "float64", p, candidates, "252 rows")


def against_pairs(p: int) -> Iterator[Case]:
    X = returns(250, p)
    candidates = {
        "vech": partial(kendall, X, threads=1),
        "SciPy, every 100th pair": peers.scipy_kendall(X, 100),
        "pandas, every 5th column": peers.pandas_kendall(X[:, ::5]),
        "vech, 2 threads": partial(kendall, X, threads=2),
    }
    yield Case("kendall", "vech", "float64", p, candidates, "250 rows")


ROWS = (
    Row(
        "Gerber GS1 of 1000 rows",
        "2 ssyrk on floats",
        (
            Limit("2 ssyrk on floats", must=FASTER_THAN_FLOATS.get(vech.targets().active), faster=True),
            Limit("skfolio", must=500, faster=True),
        ),
        (500, 501),
        against_floats,
        quick_sizes=(32, 33),
    ),
    Row(
        "Gerber GS1 of 252 rows, few columns",
        "vech",
        (Limit("Riskfolio-Lib", faster=True),),
        (9, 30),
        against_loops,
        quick_sizes=(4, 5),
    ),
    Row(
        "Kendall tau-b of 250 rows, against 1 % of the pairs by SciPy and 4 % by pandas",
        "vech",
        (
            Limit("SciPy, every 100th pair", must=3, faster=True),
            Limit("pandas, every 5th column", must=2, faster=True),
        ),
        (500, 501),
        against_pairs,
        quick_sizes=(32, 33),
    ),
)
