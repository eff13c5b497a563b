"""Stores as lazy arrays of dask, and of xarray with their labels."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech.adapters import dask as lazy

dask = pytest.importorskip("dask")
N, SIDE = 11, 4
KINDS = (
    ("f8", "symmetric"),
    ("f4", "skew"),
    ("c16", "hermitian"),
    ("c8", "skew-hermitian"),
    ("c16", "symmetric"),
    ("i2", "symmetric"),
    ("?", "symmetric"),
)


def half(dtype, kind):
    return vech.Packed(cases.half(dtype, vech.as_layout("vech"), kind, N, values=cases.moderate), kind=kind)


@pytest.fixture(params=KINDS, ids=lambda given: "-".join(given))
def store(request):
    return half(*request.param)


def tiled(store, path, side=SIDE):
    pytest.importorskip("zarr")
    made = vech.tiled.create(path, store.n, dtype=store.dtype, kind=store.kind, tile=side)
    return made.fill(store.block)


def test_tiles_and_their_mirrors_are_the_full_matrix(store, tmp_path):
    T = tiled(store, tmp_path / "S.zarr")
    for seen, full in ((T, store.expand()), (T.T, store.expand().T), (T.H, store.expand().conj().T)):
        A = seen.to_dask_array()
        assert A.chunks == ((4, 4, 3),) * 2 and A.dtype == store.dtype
        assert (A._meta.shape, A._meta.dtype, type(A._meta)) == ((0, 0), store.dtype, np.ndarray)
        np.testing.assert_array_equal(A.compute(), full)
        np.testing.assert_array_equal(A[3:9, 1].compute(), full[3:9, 1])
    np.testing.assert_array_equal(T.to_dask_array(5).compute(), store.expand())
    assert T.to_dask_array(5).chunks == ((5, 5, 1),) * 2


def test_any_store_gives_blocks(store):
    np.testing.assert_array_equal(store.to_dask_array(SIDE).compute(), store.expand())
    assert store.to_dask_array().numblocks == (1, 1)
    sparse = vech.SparseHalf.from_sparse(scipy.sparse.diags_array([1.0, 2, 3, 4, 5]))
    np.testing.assert_array_equal(sparse.to_dask_array(2).compute(), np.diag([1.0, 2, 3, 4, 5]))


@pytest.mark.parametrize("n", [0, 1])
def test_small_and_empty(n, tmp_path):
    S = vech.Packed(np.ones(n * (n + 1) // 2))
    np.testing.assert_array_equal(S.to_dask_array().compute(), S.expand())
    np.testing.assert_array_equal(tiled(S, tmp_path / "S.zarr").to_dask_array().compute(), S.expand())


def test_people_compute_with_it(tmp_path):
    S = half("f8", "symmetric")
    A, full = tiled(S, tmp_path / "S.zarr").to_dask_array(), S.expand()
    np.testing.assert_allclose((A @ A).compute(), full @ full)
    np.testing.assert_allclose(A.mean(axis=0).compute(), full.mean(axis=0))
    np.testing.assert_array_equal((A + A.T).compute(), full + full.T)


def test_nothing_is_read_before_it_is_computed(tmp_path):
    pytest.importorskip("zarr")
    T = vech.tiled.create(tmp_path / "S.zarr", N, tile=SIDE)
    A = T.to_dask_array()
    with pytest.raises(FileNotFoundError, match=r"tile \(0, 0\) is not done"):
        A[:2, :2].compute()
    T.fill(lambda rows, columns: np.eye(N)[rows, columns])
    np.testing.assert_array_equal(A.compute(), np.eye(N))  # as the tiles are now


def test_a_million_rows_are_one_small_layer(tmp_path):
    pytest.importorskip("zarr")
    A = vech.tiled.create(tmp_path / "S.zarr", 1_000_000, tile=4096).to_dask_array()
    assert A.numblocks == (245, 245) and len(A.dask.layers) == 1
    assert not A.dask.layers[A.name].is_materialized()
    assert len(pickle.dumps(A)) < 10_000


def test_it_pickles_as_a_path(tmp_path):
    T = tiled(half("f8", "symmetric"), tmp_path / "S.zarr")
    (tmp_path / "A.pickle").write_bytes(pickle.dumps(T.to_dask_array()))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).sum().compute())"
    command = [sys.executable, "-c", program, str(tmp_path / "A.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(T.expand().sum())


def test_the_executor_of_a_store_stays_here(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    T = tiled(half("f8", "symmetric"), tmp_path / "S.zarr")
    with ThreadPoolExecutor(1) as pool:
        A = pickle.loads(pickle.dumps(T.using(pool).to_dask_array()))
    np.testing.assert_array_equal(A.compute(), T.expand())


@pytest.mark.parametrize(
    "chunk, error, said",
    [
        (0, ValueError, "chunk is 0, and a block has at least one row"),
        (2.0, TypeError, "chunk must be an integer, the rows of a block, not 2.0"),
        (True, TypeError, "chunk must be an integer, the rows of a block, not True"),
    ],
)
def test_what_is_no_chunk_is_said(chunk, error, said):
    with pytest.raises(error) as caught:
        half("f8", "symmetric").to_dask_array(chunk)
    assert str(caught.value) == said


def test_without_dask_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ImportError, match=r'lazy arrays need dask: pip install "vech\[dask\]"'):
        lazy.to_dask_array(half("f8", "symmetric"))
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r'arrays of xarray need it and dask: pip install "vech\[xarray\]"'):
        half("f8", "symmetric").to_xarray()


LABELS = {
    "text": [f"g{k}" for k in range(N)],
    "integers": list(range(10, 10 + N)),
    "pairs": [("fam", k) for k in range(N)],
    "mixed": ["a", 1, ("b", 2), None, 2.5, *range(20, 26)],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_are_coordinates_of_both_dimensions(labels):
    pytest.importorskip("xarray")
    S = half("f8", "symmetric").with_labels(labels)
    A = S.to_xarray(name="kinship")
    assert (A.dims, A.name, A.shape) == (("i", "j"), "kinship", (N, N))
    assert dask.is_dask_collection(A)
    assert A.indexes["i"].tolist() == labels and A.indexes["j"].tolist() == labels
    back = vech.Packed.from_full(A.compute())
    assert back.labels == tuple(labels)
    np.testing.assert_array_equal(back.half, S.half)


def test_xarray_selects_by_label_and_has_none_where_there_are_none():
    pytest.importorskip("xarray")
    S = half("f8", "symmetric")
    A = S.with_labels(LABELS["text"]).to_xarray()
    assert A.name is None
    np.testing.assert_array_equal(A.sel(i=["g3", "g7"], j="g5").compute(), S.expand()[[3, 7], 5])
    assert not S.to_xarray().coords
