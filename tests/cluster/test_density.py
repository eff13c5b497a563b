"""DBSCAN and HDBSCAN find what scikit-learn's find on the full matrix."""

import json
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import pdist, squareform

import distances
import vech
from interrupts import interrupted_after
from vech.cluster import dbscan, hdbscan

sklearn_cluster = pytest.importorskip("sklearn.cluster")


def hard(n, seed=0):
    """Distances of groups, of a grid with its ties, of rows that repeat, and of a line."""
    rng = np.random.default_rng(seed)
    X = distances.points(n, seed=seed)
    yield X
    yield X.round()
    yield X[rng.integers(0, max(1, n // 3), n)]
    yield X[:, :1]


def same(found, expected):
    np.testing.assert_array_equal(found.labels, expected.labels_)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities_)


def fit(D, **parameters):
    """scikit-learn's HDBSCAN; its search by epsilon fails with NumPy 2.5."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sklearn_cluster.HDBSCAN(metric="precomputed", copy=True, **parameters).fit(D)


# ---------------------------------------------------------------- DBSCAN


@pytest.mark.parametrize("n", distances.SIZES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
def test_dbscan_is_that_of_the_full_matrix(n, dtype):
    D = distances.full(n).astype(dtype)
    for eps, least in ((1, 1), (0.7, 3), (2, 5), (100, 2)):
        labels, core = np.empty(0), np.empty(0)
        if n:
            found = sklearn_cluster.DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit(D)
            labels, core = found.labels_, found.core_sample_indices_
        for store in (D, *distances.stores(D).values()):
            got = dbscan(store, eps, least)
            np.testing.assert_array_equal(got.labels, labels)
            np.testing.assert_array_equal(got.core, core)
            assert got.labels.dtype == got.core.dtype == np.int64


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("weighted", [False, True])
def test_dbscan_of_hard_rows_and_at_distances_that_are_there(seed, weighted):
    rng = np.random.default_rng(seed)
    for X in hard(int(rng.integers(5, 90)), seed):
        D = squareform(pdist(X)).astype("f4" if seed % 2 else "f8")
        eps, least = float(rng.choice(D.ravel())) or 0.5, int(rng.integers(1, 9))
        weights = np.round(rng.normal(size=len(D)) + 1, 1) if weighted else None
        expected = sklearn_cluster.DBSCAN(eps=eps, min_samples=least, metric="precomputed").fit(
            D, sample_weight=weights
        )
        found = dbscan(vech.Packed.from_full(D), eps, least, sample_weight=weights)
        np.testing.assert_array_equal(found.labels, expected.labels_)
        np.testing.assert_array_equal(found.core, expected.core_sample_indices_)


def test_float32_distances_are_compared_in_float32():
    D = vech.Packed(np.full(3, 0.1, np.float32), "condensed")
    assert dbscan(D, np.float64(0.1), 3).core.tolist() == [0, 1, 2]


def test_identical_rows_are_neighbours_at_distance_0():
    assert dbscan(vech.Packed(np.array([0.0, 1, 1]), "condensed"), 0, 2).labels.tolist() == [0, 0, -1]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"eps": -1}, ValueError, "eps is -1.0: dbscan takes a distance, zero or more"),
        ({"eps": np.nan}, ValueError, "eps is nan: dbscan takes a distance"),
        ({"eps": "near"}, TypeError, "eps must be a real number, not 'near'"),
        ({"eps": "1"}, TypeError, "eps must be a real number, not '1'"),
        ({"eps": True}, TypeError, "eps must be a real number, not True"),
        ({"eps": 1, "min_samples": 0}, ValueError, "min_samples is 0, and must be at least 1"),
        ({"eps": 1, "min_samples": 2.5}, TypeError, "min_samples must be an integer, not 2.5"),
        ({"eps": 1, "progress": 3}, TypeError, "progress must be a function of .done, total."),
        (
            {"eps": 1, "sample_weight": [1, 2]},
            ValueError,
            r"sample_weight has shape \(2,\), and S has 17 rows",
        ),
        ({"eps": 1, "sample_weight": [np.inf] * 17}, ValueError, r"sample_weight\[0\] is inf: give each row"),
        (
            {"eps": 1, "sample_weight": [1j] * 17},
            TypeError,
            "sample_weight must hold real numbers, not complex",
        ),
    ],
)
def test_what_dbscan_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        dbscan(distances.full(17), **arguments)


def test_weights_of_a_series_go_by_its_labels():
    pandas = pytest.importorskip("pandas")
    S = vech.Packed.from_full(distances.full(3), labels=["a", "b", "c"])
    weights = pandas.Series([9, 1, 1], index=["a", "b", "c"])
    assert dbscan(S, 0.1, 9, sample_weight=weights).core.tolist() == [0]
    with pytest.raises(ValueError, match="row 0 of S is 'a', and of sample_weight 'c'"):
        dbscan(S, 0.1, 9, sample_weight=weights[::-1])


# ---------------------------------------------------------------- HDBSCAN

PARAMETERS = (
    {},
    {"min_cluster_size": 3, "min_samples": 1},
    {"min_cluster_size": 4, "cluster_selection_method": "leaf"},
    {"min_cluster_size": 6, "min_samples": 2, "allow_single_cluster": True},
    {"min_cluster_size": 3, "max_cluster_size": 20},
    {"min_cluster_size": 5, "allow_single_cluster": True, "max_cluster_size": 30},
)


@pytest.mark.parametrize("n", [5, 17, 100])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_hdbscan_is_that_of_the_full_matrix(n, dtype):
    D = distances.full(n).astype(dtype)
    for parameters in PARAMETERS[:2]:
        for store in (D, *distances.stores(D).values()):
            same(hdbscan(store, **parameters), fit(np.asarray(store), **parameters))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parameters", PARAMETERS)
def test_hdbscan_of_hard_rows(seed, parameters):
    for X in hard(20 + 17 * seed, seed):
        D = squareform(pdist(X))
        found = hdbscan(vech.Packed.from_full(D, "numpy-triu"), **parameters)
        try:
            same(found, fit(D, **parameters))
        except KeyError:  # its own, where the single cluster is not all rows and some part from them with it
            assert parameters["allow_single_cluster"] and set(found.labels) == {-1, 0}


EPSILON = json.loads((Path(__file__).parent / "hdbscan_epsilon.json").read_text())


@pytest.mark.parametrize("case", EPSILON["cases"])
def test_clusters_that_split_below_epsilon_stay_together(case):
    X = np.random.default_rng(case["seed"]).random((case["n"], 2))
    found = hdbscan(vech.Packed(pdist(X), "condensed"), **case["parameters"])
    assert found.labels.tolist() == case["labels"]
    np.testing.assert_allclose(found.probabilities, case["probabilities"], atol=1e-9)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_hdbscan_of_few_rows(n):
    found = hdbscan(distances.full(n), 2, 1, allow_single_cluster=True)
    assert found.labels.shape == found.probabilities.shape == (n,)
    assert found.tree.shape == (max(n - 1, 0), 4)
    if n < 2:
        assert found.labels.tolist() == [-1] * n and found.probabilities.tolist() == [0.0] * n
    else:
        same(found, fit(distances.full(n), min_cluster_size=2, min_samples=1, allow_single_cluster=True))


def test_the_tree_is_single_linkage_of_mutual_reachability():
    D = distances.full(60)
    core = np.sort(D, axis=1)[:, 3]
    reach = np.maximum(np.maximum.outer(core, core), D)
    np.fill_diagonal(reach, 0)
    tree = hdbscan(D, 4).tree
    expected = linkage(squareform(reach), "single")
    assert is_valid_linkage(tree)
    np.testing.assert_array_equal(tree[:, 2], expected[:, 2])
    for t in np.unique(tree[:, 2]):
        a, b = (fcluster(links, t, "distance") for links in (tree, expected))
        assert len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"min_cluster_size": 1}, ValueError, "min_cluster_size is 1, and must be at least 2"),
        ({"allow_single_cluster": "no"}, TypeError, "allow_single_cluster must be True or False, not 'no'"),
        ({"cluster_selection_epsilon": True}, TypeError, "cluster_selection_epsilon must be a real number"),
        ({"min_samples": 0}, ValueError, "min_samples is 0, and must be at least 1"),
        ({"min_samples": 18}, ValueError, "min_samples is 18, and must be at most the number of rows, 17"),
        (
            {"min_cluster_size": 18},
            ValueError,
            "min_cluster_size, and so min_samples, is 18, and must be at most the number of rows, 17",
        ),
        ({"max_cluster_size": 0}, ValueError, "max_cluster_size is 0, and must be at least 1"),
        ({"cluster_selection_epsilon": -1}, ValueError, "cluster_selection_epsilon is -1.0: hdbscan takes"),
        ({"cluster_selection_method": "mass"}, ValueError, "is 'mass': choose 'eom' or 'leaf'"),
    ],
)
def test_what_hdbscan_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        hdbscan(distances.full(17), **arguments)


# ---------------------------------------------------------------- both


@pytest.mark.parametrize("cluster", [lambda S, **more: dbscan(S, 1, **more), hdbscan])
def test_progress_threads_and_memory(cluster):
    S = vech.Packed(pdist(distances.points(1500)), "condensed")
    steps = []
    expected = cluster(S, progress=lambda *step: steps.append(step))
    assert steps == sorted(steps) and steps[-1] == (3000, 3000)
    for threads in (1, 3):
        for got, want in zip(cluster(S, threads=threads), expected, strict=True):
            np.testing.assert_array_equal(got, want)
    tracemalloc.start()
    cluster(S)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20 < 8 * S.n**2


@pytest.mark.parametrize("cluster", [lambda S: dbscan(S, 1), hdbscan])
def test_ctrl_c_ends_it(cluster):
    S = vech.Packed(pdist(distances.points(1500)), "condensed")
    assert interrupted_after(0.02, lambda: cluster(S))
