"""What is asked of every store, asked of a tiled one: from its tiles, each read once, never from a half."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse.linalg

import vech
from compare import assert_same_bits
from vech import linalg, tiled
from vech.tiled.tiles import Tiles

N, TILE = 45, 16
TILES = 6  # lower ones


@pytest.fixture
def full():
    points = np.random.default_rng(3).normal(size=(N, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


@pytest.fixture
def read(monkeypatch):
    """The tiles that are read; and no half or full matrix is made."""
    found, read = [], Tiles.read

    def counted(self, i, j, **how):
        found.append((i, j))
        return read(self, i, j, **how)

    monkeypatch.setattr(Tiles, "read", counted)
    for name in ("expand", "to_packed", "block"):
        monkeypatch.setattr(tiled.Tiled, name, lambda *_, **__: pytest.fail("more than tiles are made"))
    return found


def store(path, full):
    made = tiled.create(path, N, dtype=full.dtype, tile=TILE)
    return made.fill(lambda rows, columns: full[rows, columns])


@pytest.mark.parametrize("side", [None, TILE, 7, 100])
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_tiles_are_its_own_unless_others_are_asked_for(tmp_path, full, side, dtype):
    full = full.astype(dtype) * (1 if dtype == "f8" else 1j)
    made = tiled.create(tmp_path / "S.zarr", N, dtype=dtype, kind="symmetric", tile=TILE)
    T = made.fill(lambda rows, columns: full[rows, columns])
    for store, matrix in ((T, full), (T.H, full.conj())):
        tiles = list(store.tiles(side))
        assert tiles[0].rows == slice(0, min(N, side or TILE))
        for rows, columns, numbers in tiles:
            np.testing.assert_array_equal(numbers, matrix[rows, columns])
        assert sum(tile.numbers.size * (2 - tile.on_diagonal) for tile in tiles) == N * N


def test_norms_and_inner_products_read_each_tile_once(tmp_path, full, read):
    T = store(tmp_path / "S.zarr", full)
    for order in ("fro", "max", 1, np.inf):
        read.clear()
        want = np.abs(full).max() if order == "max" else np.linalg.norm(full, order)
        assert linalg.norm(T, order) == pytest.approx(want, rel=1e-13)
        assert sorted(read) == sorted(set(read)) and len(read) == TILES
    read.clear()
    assert linalg.inner(T, vech.Packed.from_full(full)) == pytest.approx((full**2).sum(), rel=1e-13)
    assert len(read) == TILES


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8"])
def test_neighbours_are_those_of_a_half_and_read_each_tile_once(tmp_path, full, read, dtype):
    full = (full * 100).astype(dtype)
    T, packed = store(tmp_path / "S.zarr", full), vech.Packed.from_full(full)
    limit = np.quantile(full, 0.1)
    for answer in (
        lambda S: vech.neighbors.nearest(S, 5),
        lambda S: vech.neighbors.strongest(S, 9, absolute=False, largest=False)[:3],
        lambda S: [part for part in vars(vech.neighbors.within(S, limit)).values() if hasattr(part, "dtype")],
        lambda S: vech.neighbors.graph(S, 3).to_csr().toarray(),
        lambda S: S.to_csr(part="lower").toarray(),
        lambda S: S.to_csr(threshold=limit).toarray(),
    ):
        want = answer(packed)
        read.clear()
        for got, wanted in zip(answer(T), want, strict=True):
            assert_same_bits(np.ascontiguousarray(got), np.ascontiguousarray(wanted))
        assert len(read) in (TILES, 2 * TILES)
    for part in ("full", "lower", "upper"):
        assert_same_bits(T.to_coo(part=part).toarray(), packed.to_coo(part=part).toarray())


def test_what_is_summed_up_is_that_of_a_half(tmp_path, full):
    T, packed = store(tmp_path / "S.zarr", full), vech.Packed.from_full(full)
    for name in ("min", "max", "mean", "std"):
        assert getattr(T, name)() == pytest.approx(getattr(packed, name)(), rel=1e-14)


@pytest.mark.parametrize("dtype", ["f8", "i1"])  # of which many are the same
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_where_the_least_and_the_largest_stand_takes_one_look_at_each_tile(
    tmp_path, full, read, dtype, diagonal, workers
):
    full = full.astype(dtype)
    for matrix in (full, np.where(full > full.mean(), np.nan, full)) if dtype == "f8" else (full,):
        T = store(tmp_path / f"{len(read)}.zarr", matrix)
        i, j = np.triu_indices(N, 0 if diagonal else 1)
        with ThreadPoolExecutor(max(1, workers)) as pool:
            for name in ("argmin", "argmax"):
                read.clear()
                k = getattr(matrix[i, j], name)()
                assert getattr(T.using(pool if workers else None), name)(diagonal=diagonal) == (i[k], j[k])
                assert len(read) == TILES


def test_of_numbers_that_are_the_same_the_first_counts_and_not_the_first_tile(tmp_path, full, read):
    full = np.zeros_like(full)
    for i, j in ((5, 6), (0, TILE + 4), (0, 2 * TILE + 1), (TILE, TILE + 1)):
        full[i, j] = full[j, i] = 1
    T = store(tmp_path / "S.zarr", full)
    assert T.argmax() == (0, TILE + 4) and T.argmin() == (0, 1)


def test_clusters_are_those_of_a_half(tmp_path, full, read):
    T, packed = store(tmp_path / "S.zarr", full), vech.Packed.from_full(full)
    for eps in (0.3, 0.7, 2.0):
        want = vech.cluster.dbscan(packed, eps, 3)
        read.clear()
        found = vech.cluster.dbscan(T, eps, 3)
        np.testing.assert_array_equal(found.labels, want.labels)
        np.testing.assert_array_equal(found.core, want.core)
        squares = 3
        assert len(read) == 3 * TILES + squares  # once to judge, and the diagonal; then twice


def test_products_are_all_that_solvers_and_eigenvalues_take(tmp_path, full, read, monkeypatch):
    monkeypatch.setattr("vech.linalg.spectral.DENSE", 0)
    kernel = np.exp(-full) + np.eye(N)
    T, every = store(tmp_path / "S.zarr", kernel), np.linalg.eigvalsh(kernel)
    b = np.linspace(-1, 1, N)
    for solver in ("cg", "minres"):
        np.testing.assert_allclose(kernel @ linalg.solve(T, b, solver=solver), b, atol=1e-7)
    x, failed = scipy.sparse.linalg.cg(T, b, rtol=1e-10)
    assert not failed
    np.testing.assert_allclose(kernel @ x, b, atol=1e-7)
    np.testing.assert_allclose(linalg.eigsh(T, 2)[0], every[-2:], rtol=1e-10)
    start = np.random.default_rng(0).normal(size=(N, 2))
    np.testing.assert_allclose(linalg.lobpcg(T, start, tol=1e-6, maxiter=200)[0], every[:-3:-1], rtol=1e-8)
    assert linalg.norm(T, 2) == pytest.approx(every[-1], rel=1e-10)
    read.clear()
    found = linalg.top(T, 2, passes=3)
    assert len(read) == TILES * (1 + 2 + 2 * 3)  # for its size, and for products
    np.testing.assert_allclose(found.values, every[-2:], atol=found.residuals.max() + 1e-12)


def test_a_half_is_made_where_it_fits_and_an_answer_needs_one(tmp_path, full):
    T = store(tmp_path / "S.zarr", np.exp(-full) + np.eye(N))
    b = np.linspace(-1, 1, N)
    np.testing.assert_allclose(T @ linalg.solve(T, b), b, atol=1e-12)
    assert linalg.slogdet(T).logabsdet == pytest.approx(linalg.cholesky(T).logdet())
    np.testing.assert_allclose(linalg.inverse(T).expand() @ T.expand(), np.eye(N), atol=1e-12)


def test_where_a_half_does_not_fit_the_ways_out_are_named(tmp_path, full, monkeypatch):
    T = store(tmp_path / "S.zarr", full)
    monkeypatch.setattr("vech.arrays.UNCHECKED_BYTES", 0)
    monkeypatch.setattr("vech.arrays.memory_limit", lambda: 1000)
    for task in ("cholesky", "inverse", "slogdet"):
        with pytest.raises(MemoryError, match=rf"{task} makes a half of it; .*cholesky\(S, out='L.zarr'\)"):
            getattr(linalg, task)(T)
