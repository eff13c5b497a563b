"""Trees of a half of distances, beside SciPy's."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.rows import Candidates, Case, Limit, Row
from vech import Packed, cluster


def distances(n: int, dtype: str) -> Any:
    """Those of points in ten dimensions, in SciPy's order."""
    from scipy.spatial.distance import pdist

    return pdist(np.random.default_rng(0).normal(size=(n, 10))).astype(dtype)


def candidates(half: Any, method: str) -> Candidates:
    return {
        "vech": partial(cluster.linkage, Packed(half, "condensed"), method, threads=1),
        "SciPy": peers.scipy_linkage(half, method),
    }


def cases(n: int, methods: tuple[str, ...], dtypes: tuple[str, ...]) -> Iterator[Case]:
    for dtype in dtypes:
        half = distances(n, dtype)
        for method in methods:
            yield Case("linkage", "condensed", dtype, n, candidates(half, method), method)


BOTH = ("float64", "float32")
FAST = Limit("SciPy", must=1, aim=2, faster=True)

ROWS = (
    Row(
        "trees of distances",
        "SciPy",
        (FAST,),
        (6000, 6001),
        partial(cases, methods=("single", "average", "ward"), dtypes=BOTH),
    ),
    Row(
        "trees of distances, other methods",
        "SciPy",
        (FAST,),
        (3000, 3001),
        partial(cases, methods=("complete", "weighted", "centroid", "median"), dtypes=BOTH),
    ),
    Row(
        "memory of a tree of float32 distances",
        "SciPy",
        (Limit("SciPy", must=0.5),),
        (6000, 6001),
        partial(cases, methods=("single", "average", "centroid"), dtypes=("float32",)),
        measure="peaks",
    ),
)
