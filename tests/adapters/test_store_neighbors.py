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
    assert graph.get_params() == {"n_neighbors": 4, "radius": None, "symmetric": False, "threads": 1}
    assert clone(graph).set_params(n_neighbors=2).n_neighbors == 2
    with pytest.raises(NotFittedError):
        graph.transform(store)
    assert graph.fit(store).n_features_in_ == graph.n_samples_fit_ == 120
    np.testing.assert_array_equal(
        graph.transform(store).toarray(), graph.fit_transform(store.expand()).toarray()
    )
    own = KNeighborsTransformer(metric="precomputed").fit(store.expand())
    wanted = [name.replace("kneighborstransformer", "storeneighbors") for name in own.get_feature_names_out()]
    assert graph.get_feature_names_out().tolist() == wanted
    clusters = make_pipeline(StoreNeighbors(5), DBSCAN(metric="precomputed")).set_output(transform="default")
    assert clusters.fit_predict(store).shape == (120,)
    with pytest.raises(ValueError, match="outputs a scipy sparse matrix"):
        graph.set_output(transform="pandas").transform(store)


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


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", ">f8"])
def test_rows_stay_sorted_in_what_scikit_learn_makes_of_them(dtype):
    D = vech.Packed(np.random.default_rng(0).integers(0, 9, 780).astype(dtype), "condensed")
    for graph in (StoreNeighbors(16), StoreNeighbors(None, radius=5)):
        for found in (graph.fit_transform(D), graph.fit(D).transform(D.expand())):
            assert found.dtype == np.float64 and found.dtype.isnative
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                TSNE(perplexity=3, metric="precomputed", init="random", max_iter=250).fit_transform(found)


def test_umap_takes_a_graph_with_each_pair_both_ways(store):
    found, full = StoreNeighbors(9, symmetric=True).fit_transform(store), store.expand()
    dense = found.toarray()
    np.testing.assert_array_equal(dense, dense.T)
    near = StoreNeighbors(9).fit_transform(store).toarray()
    np.testing.assert_array_equal(dense, np.maximum(near, near.T))
    for i in range(120):  # all that UMAP looks at: the first ten numbers of each row, itself the first
        row = slice(found.indptr[i], found.indptr[i + 1])
        np.testing.assert_array_equal(found.data[row][:10], np.sort(full[i])[:10])
        assert found.indices[row][0] == i and (np.diff(found.data[row]) >= 0).all()
    equal = StoreNeighbors(2, symmetric=True).fit_transform(vech.Packed(np.zeros(6), "condensed"))
    assert equal.nnz == 14  # 0 and 1 are the neighbours of all: 2 and 3 are none


@pytest.mark.slow
def test_umap_maps_it_as_the_full_matrix(store):
    umap = pytest.importorskip("umap", reason="umap-learn is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, wanted = (umap.UMAP(n_neighbors=10, metric="precomputed", random_state=0) for _ in range(2))
        found.fit(StoreNeighbors(9, symmetric=True).fit_transform(store))
        wanted.fit(store.expand())
    np.testing.assert_array_equal(found.embedding_, wanted.embedding_)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": "1"}, "radius must be a real number, not '1'"),
        ({"radius": True}, "radius must be a real number, not True"),
        ({"radius": np.nan}, "radius is nan, and no number is within that"),
        ({"radius": 1, "threads": 0}, "threads must be at least 1, not 0"),
        ({"radius": 1, "symmetric": "no"}, "symmetric must be True or False, not 'no'"),
    ],
)
def test_parameters_are_judged_when_it_is_fitted(store, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        StoreNeighbors(None, **arguments).fit(store)


@pytest.mark.parametrize("how", [{"n_neighbors": 2}, {"n_neighbors": None, "radius": 0.2}])
def test_rows_are_judged_as_the_store(how):
    D = vech.Packed(np.float32([0.1, 0.2, 0.3, 0.2, 0.1, 0.3]), "condensed")
    graph = StoreNeighbors(**how).fit(D)
    narrow = D.astype(np.float16)
    for refused in (narrow, narrow.expand()):
        with pytest.raises(TypeError, match=r"do not compute with float16: astype\(np\.float32\) first"):
            graph.transform(refused)
    with pytest.raises(TypeError, match="do not compute with float16"):
        clone(graph).fit(narrow)
    with pytest.raises(TypeError, match="X must hold real numbers, not complex64"):
        graph.transform(D.expand() * 1j)
    with pytest.raises(TypeError, match="and S is complex"):
        graph.transform(vech.Packed(D.half * 1j, "condensed", kind="symmetric"))


@pytest.mark.parametrize(
    "radius", [0.1, np.float64(0.1), np.float32(0.1), 1e300, pytest.param(10**400, id="beyond floats")]
)
def test_a_radius_reaches_as_far_in_rows_as_in_the_store(radius):
    D = vech.Packed(np.float32([0.1, 0.2, 0.3]), "condensed")
    graph = StoreNeighbors(None, radius=radius).fit(D)
    assert graph.transform(D).nnz == graph.transform(D.expand()).nnz == (5 if radius < 1 else 9)


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
