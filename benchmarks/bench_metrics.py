"""Distances of the metrics that do not go through BLAS, beside SciPy's pdist."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech import pairwise

COLUMNS = 32
DIFFERENCES = ("cityblock", "chebyshev", "canberra", "braycurtis", "hamming", "seuclidean", "mahalanobis")
POWERS = ("minkowski", "jensenshannon")
COUNTS = ("jaccard", "dice", "rogerstanimoto", "russellrao", "sokalsneath", "yule", "hamming")


def cases(n: int, metrics: tuple[str, ...], truth: bool = False) -> Iterator[Case]:
    X = np.random.default_rng(0).random((n, COLUMNS))
    X = X < 0.4 if truth else X
    for metric in metrics:
        arguments = {"p": 3.0} if metric == "minkowski" else {}
        candidates = {
            "vech": partial(pairwise.distances, X, metric, threads=1, **arguments),
            "pdist": peers.pdist(X, metric, **arguments),
        }
        yield Case("distances", "condensed", "bool" if truth else "float64", n, candidates, metric)


FAST = (Limit("pdist", must=2, aim=4, faster=True),)

ROWS = (
    Row("distances by differences", "pdist", FAST, (5000,), partial(cases, metrics=DIFFERENCES)),
    Row("distances by powers and logarithms", "pdist", FAST, (2000,), partial(cases, metrics=POWERS)),
    Row("distances by counts", "pdist", FAST, (5000,), partial(cases, metrics=COUNTS, truth=True)),
)
