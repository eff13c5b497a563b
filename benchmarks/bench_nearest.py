"""The nearest correlation of an indefinite one: against statsmodels, in units of an eigendecomposition."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy.linalg

import vech
from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech.linalg import nearest_correlation, nearest_psd, shrink_to_psd


def indefinite(n: int) -> peers.Array:
    """Agreements over disagreements of how 250 series move: half or more of its eigenvalues are negative."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(250, 3)) @ rng.normal(size=(3, n)) + 1.5 * rng.normal(size=(250, n))
    moves = np.sign(series) * (np.abs(series) > 0.5 * series.std(axis=0))
    both = np.abs(moves).T @ np.abs(moves)
    return moves.T @ moves / both


def against_statsmodels(n: int) -> Iterator[Case]:
    full = indefinite(n)
    S = vech.Packed(vech.pack(full))
    candidates = {
        "vech": partial(nearest_correlation, S),
        "statsmodels": peers.statsmodels_nearest_correlation(full),
    }
    yield Case("nearest_correlation", "vech", "float64", n, candidates)


def against_eigh(n: int) -> Iterator[Case]:
    full = indefinite(n)
    S = vech.Packed(vech.pack(full))
    eigh = {
        "eigh": partial(scipy.linalg.eigh, full, check_finite=False),
        "eigh, divide and conquer": partial(scipy.linalg.eigh, full, driver="evd", check_finite=False),
    }
    for repair in (nearest_correlation, nearest_psd, shrink_to_psd):
        yield Case(repair.__name__, "vech", "float64", n, {"vech": partial(repair, S)} | eigh)


ROWS = (
    Row(
        "nearest_correlation, n = 50",
        "vech",
        (Limit("statsmodels", must=100, faster=True),),
        (50, 51),
        against_statsmodels,
        quick_sizes=(8, 9),
    ),
    Row(
        "nearest_correlation, n = 300",
        "vech",
        (Limit("statsmodels", must=100, faster=True),),
        (300,),
        against_statsmodels,
        quick_sizes=(8,),
    ),
    Row(
        "nearest_correlation, nearest_psd, shrink_to_psd, n = 1000",
        "eigh",
        (Limit("eigh", must=10),),
        (1000, 1001),
        against_eigh,
    ),
)
