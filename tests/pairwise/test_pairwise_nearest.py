"""The nearest rows of data, against SciPy's distances fully sorted: every metric, hard rows, ties."""

import sys

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.distance import cdist

import vech
from compare import assert_same_bits
from vech.pairwise import distances, nearest, winners

every_target = pytest.mark.every_target
BY_PRODUCTS = ("euclidean", "sqeuclidean", "cosine", "correlation", "dot")


def scores(X, metric):
    X = np.asarray(X, float)
    return -(X @ X.T) if metric == "dot" else cdist(X, X, metric)


def by_sorting(X, k, metric="euclidean", decimals=None):
    """By a full sort of SciPy's distances, which are rounded where they are not exact."""
    full = scores(X, metric)
    if decimals is not None:
        full = np.round(full, decimals)
    np.fill_diagonal(full, np.inf)
    order = np.argsort(full, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(full, order, axis=1)


def assert_nearest(X, k, metric="euclidean", rtol=1e-12, **options):
    found = nearest(X, k, metric, **options)
    indices, values = by_sorting(X, k, metric)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.values, -values if metric == "dot" else values, rtol=rtol, atol=1e-300)
    return found


def ordinary(n, m, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).normal(size=(n, m)).astype(dtype)


def whole(n, m, dtype=np.float64, seed=0):
    """Small integers: products and squares are exact, and there are many ties."""
    return np.random.default_rng(seed).integers(-3, 4, (n, m)).astype(dtype)


@every_target
@pytest.mark.parametrize("metric", BY_PRODUCTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_products_the_order_is_that_of_differences(metric, dtype):
    for n, m in ((2, 1), (3, 5), (40, 7), (200, 33)):
        if metric == "correlation" and m == 1:
            continue
        X = ordinary(n, m, dtype)
        for k in {1, min(6, n - 1), min(20, n - 1)}:
            found = assert_nearest(X, k, metric, rtol=2e-6 if dtype == "float32" else 1e-11)
            assert found.values.dtype == dtype and found.indices.dtype == np.int64


@pytest.mark.parametrize("tile", [16, 480])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "dot", "cityblock", "chebyshev"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_ties_are_by_index(monkeypatch, metric, dtype, tile):
    for module in ("winners", "nearest"):
        monkeypatch.setattr(sys.modules[f"vech.pairwise.{module}"], "TILE", tile)
    for n, m in ((60, 3), (60, 12), (9, 1)):
        X = whole(n, m, dtype)
        X[n // 2 :: 3] = X[1]
        for k in (1, 4, n - 1):
            assert_nearest(X, k, metric, rtol=1e-6)


@pytest.mark.parametrize(
    "metric", ["braycurtis", "canberra", "cosine", "correlation", "jaccard", "hamming", "yule"]
)
def test_of_every_kind_of_block(metric):
    X = np.abs(ordinary(30, 9)) if metric not in ("jaccard", "hamming", "yule") else whole(30, 9) > 0
    found = nearest(X, 5, metric)
    full = distances(X, metric).expand()
    for i in range(30):
        row = [(value, j) for j, value in enumerate(full[i].tolist()) if j != i and not np.isnan(value)]
        np.testing.assert_allclose(
            found.values[i], [value for value, _ in sorted(row)[:5]], rtol=1e-12, atol=1e-15
        )
    assert_same_bits(full[np.arange(30)[:, None], found.indices].round(12), found.values.round(12))


def test_parameters_are_those_of_distances():
    X = whole(40, 5)
    for options in ({"metric": "minkowski", "p": 3.0}, {"metric": "euclidean", "w": np.arange(5.0)}):
        found, full = nearest(X, 4, **options), distances(X, **options).expand()
        np.fill_diagonal(full, np.inf)
        np.testing.assert_array_equal(found.indices, np.argsort(full, axis=1, kind="stable")[:, :4])
    X[3, 2] = np.nan
    found, full = nearest(X, 4, missing="pairwise"), distances(X, missing="pairwise").expand()
    np.fill_diagonal(full, np.inf)
    np.testing.assert_array_equal(found.indices, np.argsort(full, axis=1, kind="stable")[:, :4])


def far(n, dtype):
    return 10**6 + whole(n, 4, dtype) / 4


HARD = {
    "far from the origin": lambda: far(300, np.float64),
    "far from the origin, float32": lambda: (2**20 + whole(300, 4)).astype(np.float32),
    "two groups far apart": lambda: np.concatenate((ordinary(150, 5), ordinary(150, 5, seed=1) + 1e9)),
    "all equal": lambda: np.ones((300, 3)),
    "few different": lambda: whole(300, 2),
    "zeros": lambda: np.zeros((50, 4)),
    "tiny": lambda: ordinary(100, 6) * 1e-170,
    "huge": lambda: ordinary(100, 6) * 1e160,
    "of every size": lambda: ordinary(100, 6) * 10.0 ** np.linspace(-150, 150, 100)[:, None],
    "one far away": lambda: np.concatenate((ordinary(299, 5), np.full((1, 5), 1e12))),
    "a line": lambda: np.arange(300.0)[:, None] / 8,
    "1025 columns": lambda: ordinary(60, 1025),
    "no columns": lambda: np.zeros((5, 0)),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_rows(name):
    X = HARD[name]()
    k = min(7, len(X) - 1)
    found = nearest(X, k)
    full = distances(X).expand().astype(float)
    np.fill_diagonal(full, np.inf)
    # what is found is as near as what a full sort finds, and equal numbers come by index
    np.testing.assert_allclose(
        found.values, np.sort(full, axis=1)[:, :k], rtol=3e-7 if X.dtype == "f4" else 1e-12
    )
    np.testing.assert_allclose(
        np.take_along_axis(full, found.indices, axis=1), found.values, rtol=3e-7 if X.dtype == "f4" else 1e-12
    )
    assert not (found.indices == np.arange(len(X))[:, None]).any()
    for before, after, a, b in zip(
        found.values[:, :-1].ravel(), found.values[:, 1:].ravel(), found.indices[:, :-1].ravel(),
        found.indices[:, 1:].ravel(), strict=True,
    ):  # fmt: skip
        assert before < after or (before == after and a < b)


def test_rows_in_doubt_are_looked_at_one_by_one(monkeypatch):
    looked = []
    scores_of = winners.Search._scores
    monkeypatch.setattr(
        winners.Search,
        "_scores",
        lambda self, rows, *rest: looked.append(len(rows)) or scores_of(self, rows, *rest),
    )
    X = ordinary(900, 160)  # more columns than kernels of differences take
    X[:20] = X[0]
    assert_nearest(X, 5)
    assert looked[0] == 900 and 20 <= sum(looked[1:]) < 40
    looked.clear()
    X[:600] = X[0]  # too many: all tiles instead
    assert_nearest(X, 5)
    assert looked == [900]


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine", "cityblock", "jaccard", "dot"])
def test_sparse_rows_stay_sparse(metric):
    rng = np.random.default_rng(0)
    full = np.where(rng.random((40, 30)) < 0.3, rng.integers(1, 4, (40, 30)), 0.0)
    full[:, 0] = 1
    X = scipy.sparse.csr_array(full)
    found = nearest(X, 6, metric)
    dense = nearest(full != 0 if metric == "jaccard" else full, 6, metric)
    np.testing.assert_allclose(found.values, dense.values, rtol=1e-12)
    with pytest.raises(TypeError, match="X is sparse"):
        nearest(X, 6, "canberra")


def test_frames_and_memory_maps_are_taken(tmp_path):
    pandas = pytest.importorskip("pandas")
    X = ordinary(20, 3)
    np.save(tmp_path / "X.npy", X)
    wanted = nearest(X, 3)
    for given in (
        pandas.DataFrame(X),
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        X.tolist(),
        np.asfortranarray(X),
    ):
        found = nearest(given, 3)
        assert_same_bits(found.indices, wanted.indices)
        assert_same_bits(found.values, wanted.values)


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "dot"])
def test_the_bits_are_the_same_for_any_number_of_threads(metric):
    X = whole(1100, 6)
    one, two = (nearest(X, 9, metric, threads=threads) for threads in (1, 2))
    assert_same_bits(one.indices, two.indices)
    assert_same_bits(one.values, two.values)


def test_progress_is_told_in_tiles(monkeypatch):
    monkeypatch.setattr(sys.modules["vech.pairwise.winners"], "TILE", 16)
    monkeypatch.setattr(sys.modules["vech.pairwise.nearest"], "TILE", 16)
    for metric in ("euclidean", "cityblock"):
        told = []
        nearest(ordinary(40, 3), 2, metric, progress=lambda *step, told=told: told.append(step))
        assert told == [(done, 6) for done in range(1, 7)]


def test_one_row_and_no_neighbours():
    found = nearest(np.zeros((1, 3)), 0)
    assert found.indices.shape == found.values.shape == (1, 0)
    assert nearest(np.zeros((4, 3)), 0, "cityblock").values.shape == (4, 0)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda X: nearest(X, 6), ValueError, "k is 6, but each of 6 rows has 5 others"),
        (
            lambda X: nearest(np.where(X[1, 2] == X, np.nan, X), 2),
            ValueError,
            "X holds nan in row 1, column 2",
        ),
        (
            lambda X: nearest(np.where(X[1, 2] == X, np.inf, X), 2, "dot"),
            ValueError,
            "X holds inf in row 1, column 2",
        ),
        (lambda X: nearest(X, 2, "far"), ValueError, "unknown metric 'far': "),
        (lambda X: nearest(X, 2, "dot", w=np.ones(4)), TypeError, "'dot'"),
        (lambda X: nearest(X, 2, "dot", missing="pairwise"), ValueError, "not for metric 'dot'"),
        (lambda X: nearest(X[0], 2), ValueError, "must be a matrix"),
        (lambda X: nearest(X, 2, progress=1), TypeError, "progress must be a function"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(ordinary(6, 4))


def test_a_store_of_the_distances_gives_the_same():
    X = whole(50, 4)
    found, wanted = nearest(X, 6), vech.neighbors.nearest(distances(X), 6)
    assert_same_bits(found.indices, wanted.indices)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-15)
