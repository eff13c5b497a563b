"""Distances of every metric: SciPy's pdist and scikit-learn on ordinary rows; what X and arguments may be."""

import warnings

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.spatial.distance import pdist

import cases
from vech.pairwise import distances
from vech.pairwise.metrics import METRICS, NAMES, block_of

every_target = pytest.mark.every_target

RNG = cases.generator("distances")
N, M = 67, 29
REAL = RNG.normal(size=(N, M))
ROWS = {
    "real": REAL,
    "float32": REAL.astype(np.float32),
    "positive": RNG.random((N, M)),
    "few values": np.round(REAL),
    "integers": np.round(2 * REAL).astype(np.int16),
    "bool": RNG.random((N, M)) < 0.4,
}
WEIGHTS = np.where(np.arange(M) == 3, 0, RNG.random(M))
POWERS = (1, 2, 3, 3.5, 0.5, 40, np.inf)
TRUTH = [name for name, metric in METRICS.items() if metric.truth]
PDIST = [name for name in METRICS if name not in ("haversine", "gower")]


def calls(name):
    """The ways to call a metric: without weights and with them, and with several p."""
    takes = METRICS[name].takes
    weights = ({}, {"w": WEIGHTS}) if "w" in takes else ({},)
    return [w | p for w in weights for p in ([{"p": p} for p in POWERS] if "p" in takes else [{}])]


def scipys(X, name, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X = X != 0 if METRICS[name].truth else X.astype(float)
        return pdist(X, name, **arguments)


@every_target
@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("name", PDIST)
def test_distances_are_those_of_pdist(name, kind):
    X = ROWS[kind]
    if name == "jensenshannon":
        X = abs(X)
    for arguments in calls(name):
        got, want = distances(X, name, **arguments), scipys(X, name, **arguments)
        assert got.dtype == (np.float32 if kind == "float32" else np.float64)
        tolerance = 3e-7 if kind == "float32" else 1e-13 * (1 + M)
        np.testing.assert_allclose(got.half, want, rtol=tolerance, atol=tolerance, err_msg=f"{arguments}")


@pytest.mark.parametrize("alias", sorted(distance._METRIC_ALIAS))
def test_every_name_of_pdist_is_known(alias):
    canonical = distance._METRIC_ALIAS[alias].canonical_name
    assert NAMES[alias].name == NAMES[alias.upper().lower()].name == canonical
    assert block_of([[1.0, 0, 1], [0, 1, 1], [1, 1, 0], [0.5, 1, 2]], alias.upper()).n == 4


def test_every_metric_of_pdist_is_there():
    assert {info.canonical_name for info in distance._METRICS.values()} == set(PDIST)
