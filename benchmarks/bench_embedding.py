"""Maps of rows and the Mantel test, beside those of the full matrix."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.bench_clusters import distances
from benchmarks.rows import Case, Limit, Row
from vech import Packed, SparseHalf, embedding, pairwise

K, ITERATIONS, PERMUTATIONS = 3, 10, 20


def pcoa(n: int) -> Iterator[Case]:
    S = distances(n)
    candidates = {
        "vech": partial(embedding.pcoa, S, K, threads=1),
        "scikit-bio": peers.scikit_bio_pcoa(S.half, K),
    }
    yield Case("pcoa", "condensed", "float64", n, candidates, f"k={K}")


def kernel_pca(n: int) -> Iterator[Case]:
    S = distances(n).to_packed("vech").map(lambda d: np.exp(-(d**2) / 50))
    candidates = {
        "vech": partial(embedding.kernel_pca, S, K, threads=1),
        "scikit-learn": peers.scikit_learn_kernel_pca(S.expand(), K),
    }
    yield Case("kernel_pca", "vech", "float64", n, candidates, f"k={K}")


def mds(n: int) -> Iterator[Case]:
    S, start = distances(n), np.random.default_rng(0).random((n, 2))
    ours = partial(embedding.mds, S, 2, init=start, max_iter=ITERATIONS, threads=1)
    theirs = peers.scikit_learn_smacof(S.expand(), start, ITERATIONS)
    yield Case("mds", "condensed", "float64", n, {"vech": ours, "scikit-learn": theirs}, "10 iterations")


def spectral(n: int) -> Iterator[Case]:
    """Of each of n points with its next ones: on a sheet, and in many dimensions."""
    from scipy.sparse import csr_matrix
    from scipy.spatial import KDTree

    for columns in (2, 12):
        X = np.random.default_rng(0).random((n, columns))
        near = KDTree(X).query(X, 11)[1][:, 1:]
        graph = csr_matrix((np.ones(near.size), (np.repeat(np.arange(n), 10), near.ravel())), (n, n))
        graph = graph.maximum(graph.T)
        candidates: dict[str, Any] = {
            "vech": partial(embedding.spectral, SparseHalf.from_sparse(graph), K, threads=1),
            "scikit-learn": peers.scikit_learn_spectral(graph, K),
        }
        yield Case("spectral", "sparse", "float64", n, candidates, f"{columns} dimensions")


def mantel(n: int) -> Iterator[Case]:
    S = distances(n)
    T = Packed(S.half + np.random.default_rng(1).random(S.half.size), "condensed")
    candidates = {
        "vech": partial(pairwise.mantel, S, T, permutations=PERMUTATIONS, threads=1),
        "scikit-bio": peers.scikit_bio_mantel(S.half, T.half, PERMUTATIONS),
    }
    yield Case("mantel", "condensed", "float64", n, candidates, f"{PERMUTATIONS} permutations")


def against(peer: str) -> tuple[Limit, ...]:
    return (Limit(peer, faster=True),)


ROWS = (
    Row("principal coordinates", "scikit-bio", against("scikit-bio"), (3000, 3001), pcoa),
    Row("kernel components", "scikit-learn", against("scikit-learn"), (3000, 3001), kernel_pca),
    Row("scaling by SMACOF", "scikit-learn", against("scikit-learn"), (3000, 3001), mds),
    Row("spectral coordinates of a graph", "scikit-learn", against("scikit-learn"), (5000, 5001), spectral),
    Row("Mantel test", "scikit-bio", against("scikit-bio"), (2000, 2001), mantel),
)
