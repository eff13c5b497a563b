"""scikit-learn's estimators on the graph of a store, against the same on the full matrix."""

import warnings

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

import vech

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.cluster import DBSCAN, SpectralClustering
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline

from vech.adapters.sklearn import StoreNeighbors


def points(n=120, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % 3
    return np.array([[0, 0], [9, 0], [0, 9]])[groups] + rng.normal(size=(n, 2)), groups


@pytest.fixture
def store():
    return vech.Packed(pdist(points()[0]), "condensed")


def test_the_graph_is_that_of_scikit_learn(store):
    found = StoreNeighbors(7).fit_transform(store)
    wanted = KNeighborsTransformer(n_neighbors=7, metric="precomputed").fit_transform(store.expand())
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())
    np.testing.assert_array_equal(found.indptr, wanted.indptr)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    assert found.format == "csr" and found.nnz == 120 * 8 and (found.data[::8] == 0).all()


def test_equal_rows_do_not_push_a_row_out_of_its_own_list():
    found = StoreNeighbors(1).fit_transform(vech.Packed(np.zeros(6), "condensed"))
    assert found.indices.tolist() == [0, 1, 1, 0, 2, 0, 3, 0] and found.nnz == 8


@pytest.mark.parametrize("graph", [StoreNeighbors(60), StoreNeighbors(None, radius=1.5)])
def test_dbscan(store, graph):
    wanted = DBSCAN(1.5, min_samples=4, metric="precomputed").fit_predict(store.expand())
    found = make_pipeline(graph, DBSCAN(1.5, min_samples=4, metric="precomputed")).fit_predict(store)
    np.testing.assert_array_equal(found, wanted)
    assert set(wanted) > {0, 1, 2}


def test_neighbours_vote_for_other_rows(store):
    X, groups = points()
    others = points(40, seed=1)[0]
    to_rows = cdist(others, X)
    pipeline = make_pipeline(StoreNeighbors(9), KNeighborsClassifier(9, metric="precomputed"))
    wanted = KNeighborsClassifier(9, metric="precomputed").fit(store.expand(), groups)
    np.testing.assert_array_equal(
        pipeline.fit(store, groups).predict_proba(to_rows), wanted.predict_proba(to_rows)
    )
    radius = StoreNeighbors(None, radius=2.0).fit(store).transform(to_rows)
    assert (radius.toarray() != 0).sum() == radius.nnz == (to_rows <= 2).sum()


def test_spectral_clusters_are_the_groups(store):
    groups = points()[1]
    clusters = make_pipeline(
        StoreNeighbors(12),
        SpectralClustering(3, affinity="precomputed_nearest_neighbors", n_neighbors=12, random_state=0),
    ).fit_predict(store)
    same = clusters[:, None] == clusters
    np.testing.assert_array_equal(same, groups[:, None] == groups)


def test_tsne_is_the_same_as_of_scikit_learns_own_graph(store):
    def embed(graph):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            embedding = TSNE(
                2,
                perplexity=4,
                init="random",
                max_iter=250,
                method="barnes_hut",
                metric="precomputed",
                random_state=0,
            )
            return embedding.fit_transform(graph)

    own = KNeighborsTransformer(n_neighbors=13, metric="precomputed").fit_transform(store.expand())
    np.testing.assert_allclose(embed(StoreNeighbors(13).fit_transform(store)), embed(own), rtol=1e-5)


def test_it_is_an_estimator_as_others(store):
    graph = StoreNeighbors(4, threads=1)
    assert graph.get_params() == {"n_neighbors": 4, "radius": None, "threads": 1}
    assert clone(graph).set_params(n_neighbors=2).n_neighbors == 2
    with pytest.raises(NotFittedError):
        graph.transform(store)
    assert graph.fit(store).n_features_in_ == graph.n_samples_fit_ == 120
    np.testing.assert_array_equal(
        graph.transform(store).toarray(), graph.fit_transform(store.expand()).toarray()
    )
    assert not hasattr(graph, "set_output")  # sparse matrices are no frames


def test_what_does_not_fit_is_refused(store):
    for graph in (StoreNeighbors(None), StoreNeighbors(3, radius=1.0)):
        with pytest.raises(ValueError, match="takes n_neighbors or radius, one of both"):
            graph.fit(store)
    with pytest.raises(ValueError, match="n_neighbors is 120, and each of 120 rows has 119 others"):
        StoreNeighbors(120).fit(store)
    graph = StoreNeighbors(3).fit(store)
    with pytest.raises(
        ValueError, match="X has 5 columns, but StoreNeighbors was fitted with a store of 120 rows"
    ):
        graph.transform(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="X has 3 columns"):
        graph.transform(vech.Packed(np.zeros(6)))
    with pytest.raises(ValueError, match=r"X has shape \(120,\)"):
        graph.transform(np.zeros(120))


@pytest.mark.parametrize("kind", ["packed", "quantized", "full"])
def test_folds_of_a_store_are_those_of_its_square(kind):
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], 20)
    X = rng.normal(size=(60, 3)) + y[:, None]
    D = vech.pairwise.distances(X, encoding="float16" if kind == "quantized" else None)
    square = D.expand()
    classifier = KNeighborsClassifier(5, metric="precomputed")
    folds = {"cv": 4, "error_score": "raise"}
    want = cross_val_score(classifier, square, y, **folds)
    given = square if kind == "full" else D
    got = cross_val_score(make_pipeline(StoreNeighbors(6), classifier), given, y, **folds)
    assert got.tolist() == want.tolist() and 0.3 < got.mean() < 0.95
