"""Nearest rows: of a half, in plain reads of it; of data, against scikit-learn's brute force."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import vech
from benchmarks import measure
from benchmarks.rows import Case, Limit, Row

DTYPES = ("float64", "float32")
NEIGHBOURS = 10


def of_a_half(n: int) -> Iterator[Case]:
    for dtype in DTYPES:
        half = np.random.default_rng(0).random(n * (n - 1) // 2).astype(dtype)
        S = vech.Packed(half, "condensed")
        candidates = {
            "vech": partial(vech.neighbors.nearest, S, NEIGHBOURS, threads=1),
            "plain read": measure.plain_read(half),
        }
        yield Case("neighbors.nearest", "condensed", dtype, n, candidates)


def of_data(n: int) -> Iterator[Case]:
    for dtype in DTYPES:
        X = np.random.default_rng(0).normal(size=(n, 128)).astype(dtype)
        candidates = {
            "vech": partial(vech.pairwise.nearest, X, NEIGHBOURS, threads=1),
            "scikit-learn": _brute_force(X),
        }
        yield Case("pairwise.nearest", "m = 128", dtype, n, candidates)


def _brute_force(X: Any) -> Any:
    try:
        from sklearn.neighbors import NearestNeighbors
    except ImportError:
        return None
    search = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute", metric="euclidean", n_jobs=1)
    return search.fit(X).kneighbors


ROWS = (
    Row(
        "neighbors.nearest, k = 10",
        "plain read",
        (Limit("plain read", must=3, aim=1.5),),
        (10_000, 10_001),
        of_a_half,
    ),
    Row(
        "pairwise.nearest, k = 10, m = 128",
        "scikit-learn",
        (Limit("scikit-learn", must=1.5, aim=1.9, faster=True),),
        (30_000, 30_001),
        of_data,
        quick_sizes=(300, 301),
    ),
)
