"""Similarities between sparse rows, beside what makes both triangles, and MKL, which makes one, unsorted."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.rows import Candidates, Case, Limit, Row
from vech import pairwise

LARGEST_PACKED = 20_000  # rows of which a Packed fits into any memory


def texts(n: int, words: int, each: int) -> Any:
    """Like TF-IDF: rows of length one, words with the frequencies of Zipf's law to the power of 0.77."""
    from scipy import sparse

    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, words + 1) ** 0.77
    word = rng.choice(words, n * each, p=frequency / frequency.sum())
    X = sparse.coo_array((np.ones(n * each), (np.repeat(np.arange(n), each), word)), shape=(n, words)).tocsr()
    X.data *= 1 + np.log((1 + n) / (1 + np.bincount(X.indices, minlength=words)))[X.indices]
    X.data /= np.repeat(np.sqrt(np.add.reduceat(X.data**2, X.indptr[:-1])), np.diff(X.indptr))
    return X


def items(n: int, users: int, each: int) -> Any:
    """Items by users: each user has so many items, popular ones more often."""
    from scipy import sparse

    rng = np.random.default_rng(0)
    item = (n * rng.random(users * each) ** 1.5).astype(int)
    user = np.repeat(np.arange(users), each)
    X = sparse.coo_array((1 + rng.random(item.size), (item, user)), shape=(n, users)).tocsr()
    X.sum_duplicates()
    return X


def candidates(X: Any) -> Candidates:
    gram = partial(pairwise.gram, X, store="sparse", threads=1)
    packed = {"vech, packed": partial(gram, store="packed")} if X.shape[0] <= LARGEST_PACKED else {}
    return {
        "vech": gram,
        "SciPy": partial(peers.product, X, X.T.tocsr()),
        **packed,
        "vech, auto": partial(gram, store="auto"),
        "vech, 2 threads": partial(gram, threads=2),
        "MKL syrk": peers.mkl_gram(X),
        "MKL syrk, sorted": peers.mkl_gram(X, reorder_output=True),
        "sparse_dot_topn": peers.topn_product(X),
    }


def dense_result(n: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        X = texts(n, 40_000 * n // 6000, 60).astype(dtype)
        yield Case("gram", "vech", dtype, n, candidates(X), "94% of the result")


def sparse_result(n: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        X = items(n, 5 * n, 16).astype(dtype)
        yield Case("gram", "vech", dtype, n, candidates(X), "13% of the result")


def very_sparse_result(n: int) -> Iterator[Case]:
    X = items(n, n, 5)
    yield Case("gram", "vech", "float64", n, candidates(X), "5 numbers a column")


def finished(n: int) -> Iterator[Case]:
    X = items(n, 5 * n, 16)
    filled = X.copy()
    filled.data[:] = 1
    counts = {
        "vech": partial(pairwise.cooccurrence, X, store="sparse", threads=1),
        "SciPy": partial(peers.product, filled, filled.T.tocsr()),
    }
    yield Case("cooccurrence", "vech", "int64", n, counts, "13% of the result")
    cosines = {
        "vech": partial(pairwise.cosine, X, store="sparse", threads=1),
        "SciPy": partial(peers.product, X, X.T.tocsr()),
        "scikit-learn": peers.cosines(X),
    }
    yield Case("cosine", "vech", "float64", n, cosines, "13% of the result")


def limits(must: float, aim: float) -> tuple[Limit, ...]:
    return (
        Limit("SciPy", must=must, aim=aim, faster=True),
        Limit("MKL syrk", aim=1, faster=True),
        Limit("sparse_dot_topn", faster=True),
    )


ROWS = (
    Row("half Gram of sparse rows, dense result", "SciPy", limits(2.5, 4), (6000, 6001), dense_result),
    Row("half Gram of sparse rows, 13 % of the result", "SciPy", limits(1, 2), (8000, 8001), sparse_result),
    Row(
        "half Gram of sparse rows, nearly empty result",
        "SciPy",
        limits(1, 1.2),
        (200_000, 200_001),
        very_sparse_result,
    ),
    Row(
        "cosines and counts of sparse rows",
        "SciPy",
        (Limit("SciPy", must=1, aim=2, faster=True),),
        (8000, 8001),
        finished,
    ),
)
