"""The neighbour graph as scanpy keeps it: distances, connectivities, and what `uns` says of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

import vech
from vech.adapters.anndata import neighbors


@pytest.fixture
def store():
    rng = np.random.default_rng(0)
    X = np.round(rng.normal(size=(30, 2)), 1)
    X[4] = X[5] = X[6]
    return vech.Packed(pdist(X), "condensed", labels=[f"cell {i}" for i in range(30)])


def weights(row, count):
    """UMAP's, by bisection of one row at a time."""
    rho = min((d for d in row if d > 0), default=0.0)
    low, high = 1e-9, 1e9
    for _ in range(200):
        sigma = np.sqrt(low * high)
        total = sum(np.exp(-max(0.0, d - rho) / sigma) for d in row)
        low, high = (low, sigma) if total > np.log2(count) else (sigma, high)
    return [np.exp(-max(0.0, d - rho) / sigma) for d in row]


@pytest.mark.parametrize("count", [5, 15])
def test_connectivities_are_the_fuzzy_union_of_weights(store, count):
    found = neighbors(store, count)
    nearest = vech.neighbors.nearest(store, count - 1)
    W = np.zeros((30, 30))
    for i in range(30):
        W[i, nearest.indices[i]] = weights(nearest.values[i].tolist(), count)
    np.testing.assert_allclose(found.connectivities.toarray(), W + W.T - W * W.T, atol=2e-4)
    assert found.distances.nnz == 30 * (count - 1)
    np.testing.assert_array_equal(
        np.sort(found.distances.data.reshape(30, -1), axis=1), np.sort(nearest.values, axis=1)
    )
    assert found.connectivities.max() <= 1 and found.connectivities.diagonal().max() == 0


@pytest.mark.slow  # by what anndata imports
@pytest.mark.parametrize("key", [None, "mine"])
def test_an_object_of_anndata_is_written_to(store, key):
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(np.zeros((30, 1)))
    adata.obs_names = list(store.labels)
    found = neighbors(store, 5, adata, key_added=key, metric="euclidean")
    uns = adata.uns["neighbors" if key is None else key]
    prefix = "" if key is None else "mine_"
    assert uns == {
        "connectivities_key": f"{prefix}connectivities",
        "distances_key": f"{prefix}distances",
        "params": {"n_neighbors": 5, "method": "umap", "metric": "euclidean"},
    }
    for name in ("distances", "connectivities"):
        assert (adata.obsp[uns[f"{name}_key"]] != getattr(found, name)).nnz == 0


@pytest.mark.parametrize("adata", ["x", 3, np.zeros((3, 3))])
def test_what_holds_no_graphs_is_refused(store, adata):
    with pytest.raises(TypeError, match="adata must have obsp and uns, as an AnnData, and it is "):
        neighbors(store, 3, adata)


def test_rows_of_other_names_are_refused(store):
    adata = SimpleNamespace(obsp={}, uns={}, obs_names=[f"cell {i}" for i in range(30)])
    neighbors(store, 4, adata)
    assert set(adata.obsp) == {"distances", "connectivities"}
    adata.obs_names[3] = "other"
    with pytest.raises(ValueError, match="row 3 is 'cell 3' in S and 'other' in adata"):
        neighbors(store, 4, adata)
    with pytest.raises(ValueError, match="adata has 2 rows, and S has 30"):
        neighbors(store, 4, SimpleNamespace(obsp={}, uns={}, obs_names=["a", "b"]))


def test_a_neighbourhood_counts_the_row_itself(store):
    for count in (1, 31):
        with pytest.raises(
            ValueError, match=f"n_neighbors is {count}, but counts the row itself: it is 2 to 30"
        ):
            neighbors(store, count)


def test_equal_rows_weigh_one():
    found = neighbors(vech.Packed(np.zeros(6), "condensed"), 3)
    assert set(found.connectivities.data) == {1.0} and found.distances.nnz == 8
