"""Distances and kernels between rows straight to a half, beside what makes the square, or the same half."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.rows import Candidates, Case, Limit, Row
from vech import pairwise
from vech.pairwise import products, sparse_distances
from vech.results.making import Wanted, make

SPARSE = {
    "euclidean": sparse_distances.euclidean,
    "cosine": sparse_distances.cosine,
    "manhattan": sparse_distances.cityblock,
}
KERNELS = ("rbf", "polynomial", "laplacian", "chi2")


def half(block_of: Callable[[Any], Any], X: Any) -> object:
    block = block_of(X)
    return make(block, block.n, block.dtype, Wanted("condensed", threads=1), implied=0)


def candidates(X: Any, metric: str, vech: Callable[[], object], *, condensed: bool = True) -> Candidates:
    pdist = {"pdist": peers.pdist(X, metric)} if condensed else {}
    return {
        "vech": vech,
        "scikit-learn": peers.pairwise_distances(X, metric),
        **pdist,
    }


def normal(n: int, m: int, dtype: str = "float64") -> Any:
    return np.random.default_rng(0).normal(size=(n, m)).astype(dtype)


def by_products(n: int) -> Iterator[Case]:
    for metric in ("euclidean", "cosine"):
        for m in (64, 512):
            for dtype in ("float32", "float64"):
                X = normal(n, m, dtype)
                held = candidates(X, metric, partial(pairwise.distances, X, metric, threads=1))
                yield Case("distances", "condensed", dtype, n, held, f"{metric}, {m} columns")


def in_clusters(n: int) -> Iterator[Case]:
    """Half of the pairs are near each other, and far from the origin."""
    X = normal(n, 64) + 1000 * np.resize([[1.0], [-1.0]], (n, 1))
    held = candidates(X, "euclidean", partial(half, products.euclidean, X))
    yield Case("distances", "condensed", "float64", n, held, "euclidean, 64 columns")


def of_sparse_rows(n: int) -> Iterator[Case]:
    from scipy.sparse import random_array

    X = random_array((n, 10_000), density=0.01, format="csr", rng=np.random.default_rng(0))
    for metric, block_of in SPARSE.items():
        held = candidates(X, metric, partial(half, block_of, X), condensed=False)
        yield Case("distances", "condensed", "float64", n, held, f"{metric}, 1% of 10000 columns")


def kernels(n: int) -> Iterator[Case]:
    X = np.abs(normal(n, 32))
    for metric in KERNELS:
        held = {
            "vech": partial(pairwise.kernel, X, metric, threads=1),
            "scikit-learn": peers.pairwise_kernels(X, metric),
        }
        yield Case("kernel", "vech", "float64", n, held, metric)


ROWS = (
    Row(
        "euclidean distances and cosines",
        "scikit-learn",
        (
            Limit("scikit-learn", must=1.7, aim=2, faster=True),
            Limit("pdist", must=3, aim=5, faster=True),
        ),
        (8000,),
        by_products,
    ),
    Row(
        "euclidean distances in two clusters, by differences",
        "scikit-learn",
        (Limit("pdist", must=1, faster=True),),
        (8000,),
        in_clusters,
    ),
    Row(
        "distances of sparse rows",
        "scikit-learn",
        (Limit("scikit-learn", must=1, aim=2, faster=True),),
        (5000,),
        of_sparse_rows,
    ),
    Row("kernels", "scikit-learn", (Limit("scikit-learn", must=1, faster=True),), (5000,), kernels),
)
