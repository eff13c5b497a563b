"""Distances between sparse rows: what SciPy says of the full rows, and 50 digits where that is not enough."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist, squareform

import cases
from hard_rows import hard_rows, rows_of, true_cosine, true_euclidean
from vech.pairwise import sparse_distances
from vech.pairwise.sparse_distances import cityblock, cosine, euclidean, jaccard
from vech.results.making import Wanted, make

BLOCKS = {
    "euclidean": euclidean,
    "sqeuclidean": lambda X: euclidean(X, squared=True),
    "cosine": cosine,
    "cityblock": cityblock,
    "jaccard": jaccard,
}
FLOATS = ("float32", "float64")


def random_rows(n, m, density, dtype="float64", salt=0):
    rng = cases.generator("sparse distances", n, m, salt)
    return sparse.csr_array(np.where(rng.random((n, m)) < density, rng.normal(size=(n, m)), 0).astype(dtype))


def full_distances(X, metric):
    full = np.asarray(X.toarray(), float)
    if metric == "jaccard":
        full = full != 0
    found = squareform(pdist(full, metric)) if len(full) > 1 else np.zeros((len(full),) * 2)
    if metric == "cosine":
        found[np.isnan(found)] = 1
        np.fill_diagonal(found, 0)
    return found


def whole(block):
    return block(slice(0, block.n), slice(0, block.n))


@cases.each("dtype", list(FLOATS))
@cases.each("shape", [(1, 5), (2, 7), (3, 1), (17, 40), (60, 30), (4, 0)])
@cases.each("density", [0.03, 0.4])
@cases.each("metric", list(BLOCKS))
def test_sparse_rows_are_as_far_apart_as_full_ones(metric, density, shape, dtype):
    X = random_rows(*shape, density, dtype)
    S = make(BLOCKS[metric](X), shape[0], np.dtype(dtype), Wanted("vech"), side=25)
    assert S.dtype == dtype
    np.testing.assert_allclose(
        S.expand(), full_distances(X, metric), rtol=100 * np.finfo(dtype).eps, atol=1e-15
    )


def written_otherwise(X):
    """The same matrix with duplicates, zeros, columns in no order, and indices of 64 bits."""
    coo = X.tocoo()
    i, j = (np.concatenate([index, index, [0, 1]])[::-1].astype(np.int64) for index in coo.coords)
    odd = sparse.coo_array(
        (np.concatenate([coo.data * 0.25, coo.data * 0.75, [0, 0]])[::-1], (i, j)), X.shape
    )
    compressed = sparse.csr_array(X.shape)
    order = np.argsort(i, kind="stable")
    compressed.indptr = np.concatenate(([0], np.cumsum(np.bincount(i, minlength=X.shape[0])))).astype(
        np.int64
    )
    compressed.indices, compressed.data = j[order], odd.data[order]
    return odd, compressed, X.tolil(), X.tocsc(), sparse.csr_matrix(X), X.todia()


@pytest.mark.parametrize("metric", BLOCKS)
def test_how_a_matrix_is_written_does_not_matter(metric):
    X = random_rows(20, 30, 0.2)
    X.data = X.data.round(3)
    want = whole(BLOCKS[metric](X))
    for other in written_otherwise(X):
        before = other.copy()
        np.testing.assert_allclose(whole(BLOCKS[metric](other)), want, rtol=1e-12, atol=1e-14)
        assert (other != before).nnz == 0


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "int64"])
def test_integers_have_distances_in_double(dtype):
    X = sparse.csr_array(np.array([[0, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]).astype(dtype))
    for metric, make_block in BLOCKS.items():
        assert make_block(X).dtype == np.float64
        np.testing.assert_allclose(whole(make_block(X)), full_distances(X, metric), rtol=1e-15)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", sorted(set(hard_rows("float64")) - {"4100 columns", "1025 columns"}))
def test_a_sparse_distance_keeps_its_digits(name, dtype):
    X = rows_of(name, dtype)
    X[:, ::3] = 0
    made, angles, blocks = (
        whole(euclidean(sparse.csr_array(X))),
        *(whole(one(sparse.csr_array(X))) for one in (cosine, cityblock)),
    )
    eps = float(np.finfo(dtype).eps)
    for i in range(len(X)):
        assert made[i, i] == angles[i, i] == blocks[i, i] == 0
        for j in range(i):
            same = np.array_equal(X[i], X[j])
            assert made[i, j] == pytest.approx(float(true_euclidean(X[i], X[j])), rel=60 * eps, abs=0)
            want = float(true_cosine(X[i], X[j]))
            assert angles[i, j] == pytest.approx(want, rel=60 * eps, abs=1e-15 * want**0.5 + 1e-30)
            want = np.abs(X[i].astype(float) - X[j]).sum()
            assert blocks[i, j] == pytest.approx(want, rel=60 * eps, abs=0)
            assert (made[i, j] == 0) == (blocks[i, j] == 0) == same


@pytest.mark.parametrize("metric", BLOCKS)
def test_a_pair_has_the_same_bits_in_any_tile_and_either_way(metric):
    block = BLOCKS[metric](random_rows(90, 50, 0.2))
    full = whole(block)
    for rows, columns in (
        (slice(0, 40), slice(40, 90)),
        (slice(30, 70), slice(10, 80)),
        (slice(5, 6), slice(0, 90)),
    ):
        np.testing.assert_array_equal(block(rows, columns), full[rows, columns])
        np.testing.assert_array_equal(block(columns, rows), full[columns, rows])


@pytest.mark.parametrize("metric", BLOCKS)
def test_columns_may_be_very_many(metric):
    X = random_rows(12, 40, 0.2)
    at = np.sort(cases.generator("many columns").choice(10**12, 40, replace=False))
    coo = X.tocoo()
    wide = sparse.coo_array((coo.data, (coo.coords[0].astype(np.int64), at[coo.coords[1]])), (12, 10**12))
    np.testing.assert_array_equal(whole(BLOCKS[metric](wide.tocsr())), whole(BLOCKS[metric](X)))


@pytest.mark.parametrize("metric", ["cityblock", "euclidean"])
def test_work_is_cut_into_pieces(metric, monkeypatch):
    X = sparse.vstack([random_rows(30, 40, 0.3)] * 2).tocsr()
    want = whole(BLOCKS[metric](X))
    monkeypatch.setattr(sparse_distances, "TOGETHER", 100)
    np.testing.assert_allclose(whole(BLOCKS[metric](X)), want, rtol=1e-13)


def test_what_is_not_finite_is_named():
    X = random_rows(5, 6, 0.9).tolil()
    X[3, 2] = np.nan
    for block in (euclidean, cosine, cityblock, jaccard):
        with pytest.raises(ValueError, match="X holds nan in row 3, column 2: fill it, or leave the row out"):
            block(X.tocsr())
    with pytest.raises(
        TypeError, match=r"X holds complex128, and distances are of real numbers: pass np.real\(X\) or abs"
    ):
        euclidean(sparse.csr_array([[1j]]))


@pytest.mark.parametrize("metric", BLOCKS)
def test_blocks_travel(metric):
    block = BLOCKS[metric](random_rows(9, 20, 0.3))
    np.testing.assert_array_equal(whole(pickle.loads(pickle.dumps(block))), whole(block))
