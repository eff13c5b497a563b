"""scikit-learn's own tests of its estimators, on their own data, with ours in their place."""

import functools
import importlib

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster
from scipy.spatial.distance import pdist, squareform

import vech
from vech import cluster

pytest.importorskip("sklearn")


def theirs(name, **ours):
    """A module of tests, and our names in it."""
    module = pytest.importorskip(f"sklearn.{name}")
    return functools.partial(run, module, ours)


def run(module, ours, name, *arguments):
    test = getattr(module, name, None)
    if test is None:
        pytest.skip(f"this scikit-learn has no {name}")
    with pytest.MonkeyPatch.context() as patch:
        for function, stand_in in ours.items():
            patch.setattr(module, function, stand_in)
        test(*arguments)


def apart(X, metric="euclidean", p=None, metric_params=None):
    """The store of distances that scikit-learn would compute on the way."""
    if metric == "precomputed":
        return vech.Packed.from_full(np.asarray(X))
    X = np.asarray(X, float)
    more = dict(metric_params or {})
    if metric == "minkowski" or p is not None:
        metric, more = "minkowski", {"p": p or 2, **more}
    return vech.Packed(pdist(X, metric, **more), "condensed")


class Dbscan:
    """DBSCAN with the arguments that its tests give."""

    def __init__(
        self, eps=0.5, *, min_samples=5, metric="euclidean", p=None, metric_params=None, algorithm=None,
        leaf_size=None,
    ):  # fmt: skip
        self.distances = functools.partial(apart, metric=metric, p=p, metric_params=metric_params)
        self.cluster = functools.partial(cluster.dbscan, eps=eps, min_samples=min_samples)

    def fit(self, X, sample_weight=None):
        found = self.cluster(self.distances(X), sample_weight=sample_weight)
        self.labels_, self.core_sample_indices_ = found
        return self

    def fit_predict(self, X, sample_weight=None):
        return self.fit(X, sample_weight).labels_


def dbscan(X, eps=0.5, *, sample_weight=None, **parameters):
    found = Dbscan(eps, **parameters).fit(X, sample_weight)
    return found.core_sample_indices_, found.labels_


class Hdbscan:
    """HDBSCAN with the arguments that its tests give."""

    def __init__(self, metric="euclidean", metric_params=None, algorithm=None, copy=None, **parameters):
        self.distances = functools.partial(apart, metric=metric, metric_params=metric_params)
        self.cluster = functools.partial(cluster.hdbscan, **parameters)

    def fit(self, X):
        self.labels_, self.probabilities_, self.tree = self.cluster(self.distances(X))
        return self

    def fit_predict(self, X):
        return self.fit(X).labels_

    def dbscan_clustering(self, cut_distance, min_cluster_size=5):
        groups = fcluster(self.tree, np.nextafter(cut_distance, 0), "distance")
        return np.where(np.bincount(groups)[groups] < min_cluster_size, -1, groups)


def samples(X, labels, metric="euclidean"):
    return cluster.silhouette(apart(X, metric), labels).samples


def score(X, labels, metric="euclidean", sample_size=None, random_state=None):
    return cluster.silhouette(apart(X, metric), labels).score


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("test_dbscan_similarity", ()),
        ("test_dbscan_feature", ()),
        ("test_dbscan_input_not_modified", ("minkowski", None)),
        ("test_dbscan_callable", ()),
        ("test_dbscan_balltree", ()),
        ("test_input_validation", ()),
        ("test_boundaries", ()),
        ("test_weighted_dbscan", (0,)),
        ("test_dbscan_core_samples_toy", ("brute",)),
    ],
)
def test_dbscan(name, arguments):
    theirs("cluster.tests.test_dbscan", DBSCAN=Dbscan, dbscan=dbscan)(name, *arguments)


def test_dbscan_of_equal_distances():
    """test_dbscan_precomputed_metric_with_degenerate_input_arrays: 1 on the diagonal is no distance here."""
    assert set(cluster.dbscan(np.zeros((10, 10)), 0.5).labels) == {0}
    with pytest.raises(ValueError, match=r"S\[0, 0\] is 1.0, and a distance to itself is 0"):
        cluster.dbscan(np.eye(10), 0.5)


@pytest.mark.parametrize(
    "name",
    [
        "test_hdbscan_feature_array",
        "test_dbscan_clustering",
        "test_hdbscan_best_balltree_metric",
        "test_hdbscan_no_clusters",
        pytest.param("test_hdbscan_min_cluster_size", marks=pytest.mark.slow),
        "test_hdbscan_callable_metric",
        "test_hdbscan_allow_single_cluster_with_epsilon",
        "test_hdbscan_better_than_dbscan",
        "test_hdbscan_too_many_min_samples",
    ],
)
def test_hdbscan(name):
    theirs("cluster.tests.test_hdbscan", HDBSCAN=Hdbscan)(name)


def test_hdbscan_of_distances():
    """test_hdbscan_distance_matrix and test_hdbscan_precomputed_dense_nan: what it finds, what it refuses."""
    module = pytest.importorskip("sklearn.cluster.tests.test_hdbscan")
    D = squareform(pdist(module.X))
    module.check_label_quality(cluster.hdbscan(D).labels)
    with pytest.raises(ValueError, match=r"matrix has shape \(200, 2\): its last two axes must be a square"):
        cluster.hdbscan(module.X)
    D[0, 1] = 10
    with pytest.raises(ValueError, match=r"S is not symmetric: a\[1, 0\] is .* but a\[0, 1\] is 10"):
        cluster.hdbscan(D)
    D[0, 1] = D[1, 0] = np.nan
    with pytest.raises(ValueError, match="nan, and hdbscan needs finite distances"):
        cluster.hdbscan(D)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("test_silhouette", (None, None)),
        ("test_cluster_size_1", ()),
        ("test_silhouette_paper_example", ()),
        ("test_non_encoded_labels", ()),
        ("test_non_numpy_labels", ()),
    ],
)
def test_silhouettes(name, arguments):
    ours = {"silhouette_samples": samples, "silhouette_score": score}
    theirs("metrics.cluster.tests.test_unsupervised", **ours)(name, *arguments)


COUNTRIES = ("BEL", "BRA", "CHI", "CUB", "EGY", "FRA", "IND", "ISR", "USA", "USS", "YUG", "ZAI")
DISSIMILARITIES = """
    5.58
    7.00 6.50
    7.08 7.00 3.83
    4.83 5.08 8.17 5.83
    2.17 5.75 6.67 6.92 4.92
    6.42 5.00 5.58 6.00 4.67 6.42
    3.42 5.50 6.42 6.42 5.00 3.92 6.17
    2.50 4.92 6.25 7.33 4.50 2.25 6.33 2.75
    6.08 6.67 4.25 2.67 6.00 6.17 6.17 6.92 6.17
    5.25 6.83 4.50 3.75 5.75 5.42 6.08 5.83 6.67 3.67
    4.75 3.00 6.08 6.67 5.00 5.58 4.83 6.17 5.67 6.50 6.92
"""
PUBLISHED = {
    (1, 1, 2, 2, 1, 1, 2, 1, 1, 2, 2, 1): "0.39 0.22 0.33 0.40 0.20 0.35 -0.04 0.30 0.43 0.34 0.26 0.19",
    (1, 2, 3, 3, 1, 1, 2, 1, 1, 3, 3, 2): "0.42 0.25 0.31 0.48 0.02 0.44 0.17 0.37 0.47 0.44 0.31 0.28",
}


@pytest.mark.parametrize(("labels", "mean"), list(zip(PUBLISHED, (0.28, 0.33), strict=True)))
def test_the_countries_of_rousseeuw(labels, mean):
    """Table 1 and figures 2 and 3 of his paper of 1987; scikit-learn's test of these compares nothing."""
    D = vech.Packed(np.array(DISSIMILARITIES.split(), float), "strict-tril", labels=COUNTRIES)
    found = cluster.silhouette(D, labels)
    np.testing.assert_allclose(found.samples, np.array(PUBLISHED[labels].split(), float), atol=0.0101)
    assert found.score == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silhouette_nonzero_diag(dtype):
    metrics = importlib.import_module("sklearn.metrics")
    D = metrics.pairwise_distances(np.array([[0.2, 0.1, 0.12, 1.34, 1.11, 1.6]], dtype).T)
    D[2, 2] = np.finfo(dtype).eps * 10
    expected = metrics.silhouette_samples(D, [0, 0, 0, 1, 1, 1], metric="precomputed")
    found = cluster.silhouette(D, [0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(found.samples, expected, rtol=1e-5 if dtype == np.float32 else 1e-13)
    D[2, 2] = np.finfo(dtype).eps * 1000
    with pytest.raises(ValueError, match=r"S\[2, 2\] is .* and a distance to itself is 0"):
        cluster.silhouette(D, [0, 0, 0, 1, 1, 1])
