"""The promise is enough: a store that vech does not know, and what takes it."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.csgraph

import cases
import vech
from compare import assert_close, assert_same_bits
from vech import linalg


class Rows(vech.Store):
    """A whole matrix: `expand` and `matmul` are what the promise asks, and the rest follows from them."""

    def __init__(self, full, kind, labels=None):
        self._full, self._kind, self._labels = full, kind, labels

    n = property(lambda self: len(self._full))
    dtype = property(lambda self: self._full.dtype)
    kind = property(lambda self: self._kind)
    labels = property(lambda self: self._labels)
    nbytes = property(lambda self: self._full.nbytes)
    T = property(lambda self: Rows(self.expand().T, self._kind, self._labels))
    H = property(lambda self: Rows(self.expand().conj().T, self._kind, self._labels))

    def expand(self, rows=None, out=None, *, threads=None):
        taken = self._full[rows or slice(None)].copy()
        return taken if out is None else np.copyto(out, taken) or out

    def matmul(self, x, out=None, *, threads=None):
        product = self._full @ x
        return product if out is None else np.copyto(out, product) or out

    def copy(self):
        return Rows(self.expand(), self._kind, self._labels)

    def diagonal(self):
        return self.expand().diagonal().copy()

    def block(self, rows, cols, out=None, *, threads=None):
        i, j = (np.atleast_1d(np.arange(self.n)[axis]) for axis in (rows, cols))
        taken = self._full[np.ix_(i, j)]
        return taken if out is None else np.copyto(out, taken) or out

    def to_packed(self, layout="vech", *, threads=None):
        half = vech.pack(self.expand(), layout, kind=self._kind, threads=threads)
        return vech.Packed(half, layout, kind=self._kind, labels=self._labels)

    def to_coo(self, *, part="full", threads=None):
        cut = {"full": np.asarray, "lower": np.tril, "upper": np.triu}[part]
        return scipy.sparse.coo_array(cut(self.expand()))

    def to_csr(self, *, part="full", threads=None):
        return self.to_coo(part=part).tocsr()

    def to_csc(self, *, part="full", threads=None):
        return self.to_coo(part=part).tocsc()


class Parts(Rows):
    """One that is too large for rows and halves of it: blocks and products are all there is; counts both."""

    def __init__(self, full, kind="symmetric", labels=None):
        super().__init__(full, kind, labels)
        self.read, self.products = 0, 0

    T = property(lambda self: self if self._kind == "symmetric" else Parts(self._full.T, self._kind))
    H = property(lambda self: self if self._kind == "hermitian" else Parts(self._full.conj().T, self._kind))

    def expand(self, rows=None, out=None, *, threads=None):
        raise AssertionError("these rows do not fit")

    def to_packed(self, layout="vech", *, threads=None):
        raise AssertionError("the half does not fit")

    def diagonal(self):
        return self._full.diagonal().copy()

    def block(self, rows, cols, out=None, *, threads=None):
        self.read += len(self._full[rows]) * len(self._full[cols])
        return super().block(rows, cols, out)

    def matmul(self, x, out=None, *, threads=None):
        self.products += 1
        return super().matmul(x, out)

    to_coo, to_csr, to_csc = vech.Store.to_coo, vech.Store.to_csr, vech.Store.to_csc


N = 40


@pytest.fixture
def full():
    matrix = cases.matrix(np.float64, "symmetric", N)
    matrix[np.diag_indices(N)] = np.arange(N) * 3 + 60.0
    return matrix


@pytest.fixture
def store(full):
    return Rows(full, "symmetric", tuple(range(N)))


def test_it_says_what_it_is(store):
    assert repr(store) == f"Rows(n={N}, dtype=float64, kind='symmetric')"
    assert store.describe()[:4] == (N, np.float64, "symmetric", tuple(range(N)))
    assert_same_bits(np.asarray(store), store.expand())


@pytest.mark.parametrize("ord", ["fro", "max", 1, 2, np.inf])
def test_norms(store, full, ord):
    want = np.abs(full).max() if ord == "max" else np.linalg.norm(full, ord)
    assert linalg.norm(store, ord) == pytest.approx(want, rel=1e-12)


def test_inner_products_with_every_store(store, full):
    others = (store, store.to_packed(), vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full)))
    for other in others:
        for a, b in ((store, other), (other, store)):
            assert linalg.inner(a, b) == pytest.approx(np.vdot(full, full), rel=1e-12)


def test_eigenvalues(store, full):
    want = np.linalg.eigvalsh(full)
    np.testing.assert_allclose(linalg.eigsh(store, 3)[0], want[-3:], rtol=1e-9)
    np.testing.assert_allclose(linalg.eigsh(store, 3, sigma=0)[0], want[:3], rtol=1e-9)
    np.testing.assert_allclose(linalg.eigh(store)[0], want, rtol=1e-9)
    values, _ = linalg.lobpcg(store, full[:, :2], tol=1e-5, maxiter=200)
    np.testing.assert_allclose(values, want[-2:][::-1], rtol=1e-6)


def test_solutions_inverses_and_determinants(store, full):
    b = cases.moderate(np.float64, N)
    np.testing.assert_allclose(full @ linalg.solve(store, b), b, atol=1e-10)
    np.testing.assert_allclose(full @ linalg.cholesky(store).solve(b), b, atol=1e-10)
    np.testing.assert_allclose(linalg.inverse(store).expand() @ full, np.eye(N), atol=1e-10)
    assert linalg.slogdet(store) == pytest.approx(np.linalg.slogdet(full))
    solution, failed = scipy.sparse.linalg.cg(store, b, rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(full @ solution, b, atol=1e-9)


def test_what_is_not_finite_is_named(store):
    store._full[7, 2] = store._full[2, 7] = np.nan
    with pytest.raises(ValueError, match=r"S\[\d, \d\] is nan: eigsh needs finite numbers"):
        linalg.eigsh(store)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mtx"])
def test_files(store, full, suffix, tmp_path):
    if suffix == ".mtx":
        with pytest.raises(ValueError, match=r"\.mtx has no place for labels: write \.npy, "):
            vech.write(tmp_path / f"a{suffix}", store)
        store._labels = None
    vech.write(tmp_path / f"a{suffix}", store)
    back = vech.read(tmp_path / f"a{suffix}")
    assert_same_bits(back.expand(), full)
    assert back.labels == store.labels


def test_a_full_matrix_in_a_file_has_no_labels(store, full, tmp_path):
    with pytest.warns(
        UserWarning, match=r"full matrix in \.npy has no place for labels, which are left out: "
    ):
        vech.io.expand(tmp_path / "full.npy", store)
    assert_same_bits(np.load(tmp_path / "full.npy"), full)


def test_sums_with_a_packed(store, full):
    assert_same_bits((vech.Packed(vech.pack(full)) + store).expand(), full + full)


def test_pictures(store):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    assert vech.plot.spectrum(store).eigenvalues.shape == (N,)
    assert sorted(vech.plot.heatmap(store, order="cluster").order) == list(range(N))


def test_products_from_both_sides(store, full):
    x = cases.moderate(np.float64, (N, 3))
    assert_close(x.T @ store, x.T @ full, N, np.abs(x.T) @ np.abs(full))


def test_pairs_and_what_is_summed_up(store, full):
    above = full[np.triu_indices(N, 1)]
    for name in ("min", "max", "mean", "std"):
        assert getattr(store, name)() == pytest.approx(getattr(np, name)(above), rel=1e-14)
    assert store.loc[store.argmax()] == store.max()
    np.testing.assert_array_equal(store.to_pairs().value, above)
    np.testing.assert_array_equal(store.to_condensed(drop_diagonal=True), above)
    assert len(store) == len(list(store)) == N
    assert str(store).splitlines()[-1] == repr(store)


def test_parts_by_label(store, full):
    store._labels = tuple(f"r{k}" for k in range(N))
    assert store.loc["r3", "r8"] == full[3, 8]
    np.testing.assert_array_equal(store.loc["r3"], full[3])
    np.testing.assert_array_equal(store.loc[["r3", "r1"], "r5":"r8"], full[[3, 1], 5:9])
    with pytest.raises(TypeError, match="a Rows takes no assignment"):
        store.loc["r3", "r8"] = 1


def test_other_labels(store, full):
    named = store.with_labels([f"r{k}" for k in range(N)])
    assert (
        isinstance(named, vech.Packed) and named.labels[-1] == f"r{N - 1}" and store.labels == tuple(range(N))
    )
    np.testing.assert_array_equal(named.expand(), full)


def test_other_layouts_scales_and_correlations(store, full):
    assert_same_bits(store.to_layout("numpy-tril").half, store.to_packed("numpy-tril").half)
    d = np.linspace(1, 2, N)
    np.testing.assert_allclose(store.scale(d).expand(), d[:, None] * full * d, rtol=1e-14)
    R, sd = linalg.to_correlation(store)
    np.testing.assert_allclose(R.expand(), full / sd[:, None] / sd, rtol=1e-14)
    np.testing.assert_allclose(linalg.to_covariance(R, sd).expand(), full, rtol=1e-14)
    inverse = np.linalg.inv(full)
    root = np.sqrt(inverse.diagonal())
    want = -inverse / root[:, None] / root + 2 * np.eye(N)
    np.testing.assert_allclose(linalg.partial_correlation(store).expand(), want, atol=1e-12)


# ---- one that is read by tiles, each number once -----------------------------------------------------------

TILE = 16


@pytest.fixture
def tiles(monkeypatch):
    """How many numbers the lower tiles of a store have, now so small that there are some."""
    monkeypatch.setattr("vech.derived.tiles.SIDE", TILE)
    monkeypatch.setattr("vech.linalg.checks.CHUNK", 5 * TILE)  # rows of a tile looked at together
    spans = [min(TILE, N - start) for start in range(0, N, TILE)]
    return sum(height * width for k, height in enumerate(spans) for width in spans[: k + 1])


@cases.each("kind", cases.STORE_KINDS)
@cases.each("dtype", ["f4", "f8", "c8", "c16", "i4", "f2"])
@cases.each("order", ["fro", "max", 1, np.inf])
def test_norms_by_tiles(tiles, order, dtype, kind):
    if not cases.allows(np.dtype(dtype), kind):
        return
    full = cases.matrix(np.dtype(dtype), kind, N)
    store = Parts(full, vech.Packed.from_full(full, kind=kind).kind)
    found = linalg.norm(store, order)
    assert store.read == tiles
    assert found == pytest.approx(linalg.norm(vech.Packed.from_full(full, kind=kind), order), rel=1e-6)
    wide = full.astype(complex)
    want = np.abs(wide).max() if order == "max" else np.linalg.norm(wide, order)
    assert found == pytest.approx(want, rel=1e-12)


def test_a_diagonal_counts_as_its_kind_has_it(tiles):
    full = cases.matrix(np.complex128, "hermitian", N)
    spoilt = full + 1j * np.diag(np.arange(1.0, N + 1))
    for order in ("fro", "max", 1):
        assert linalg.norm(Parts(spoilt, "hermitian"), order) == linalg.norm(Parts(full, "hermitian"), order)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_frobenius_norm_neither_overflows_nor_vanishes(tiles, full, scale):
    assert linalg.norm(Parts(full * scale)) == pytest.approx(scale * np.linalg.norm(full), rel=1e-12)
    assert np.isnan(linalg.norm(Parts(np.where(np.eye(N), np.nan, full))))
    assert linalg.norm(Parts(np.where(np.eye(N), np.inf, full))) == np.inf
    assert linalg.norm(Parts(np.zeros((N, N)))) == 0


def test_inner_products_by_tiles(tiles):
    for kind, other in (("symmetric", "symmetric"), ("hermitian", "hermitian"), ("symmetric", "hermitian")):
        a, b = (cases.matrix(np.complex128, name, N) for name in (kind, other))
        b = b[::-1, ::-1].copy()
        store = Parts(a, kind)
        for T in (Parts(b, other), vech.Packed.from_full(b, kind=other)):
            store.read = 0
            assert linalg.inner(store, T) == pytest.approx(np.vdot(a, b), rel=1e-12)
            assert store.read == tiles
            assert linalg.inner(T, store) == pytest.approx(np.vdot(b, a), rel=1e-12)


def test_what_is_not_finite_is_found_by_tiles(tiles, full):
    full[37, 20] = full[20, 37] = np.inf
    store = Parts(full)
    with pytest.raises(ValueError, match=r"S\[37, 20\] is inf: lobpcg needs finite numbers"):
        linalg.lobpcg(store, np.ones((N, 1)))
    assert store.read <= tiles


def nearest_of(numbers, row, k, largest):
    others = [j for j in range(len(numbers)) if j != row]
    return sorted(others, key=lambda j: (-numbers[j] if largest else numbers[j], j))[:k]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u8", "f2"])
@pytest.mark.parametrize("largest", [False, True])
def test_neighbours_by_tiles_are_those_of_every_store(tiles, dtype, largest):
    full = cases.matrix(np.dtype(dtype), "symmetric", N)
    full[3:30, 5:8] = full[5:8, 3:30].T.max()  # ties
    full[5:8, 3:30] = full[3:30, 5:8].T
    store, packed = Parts(full), vech.Packed.from_full(full)
    said = []
    for k in (0, 1, 7, N - 1):
        store.read = 0
        found = vech.neighbors.nearest(store, k, largest=largest, progress=lambda *done: said.append(done))
        assert store.read == (tiles if k else store.read)
        want = [nearest_of(full[row].tolist(), row, k, largest) for row in range(N)]
        assert_same_bits(found.indices, np.array(want, np.int64).reshape(N, k))
        assert_same_bits(found.values, np.take_along_axis(full, found.indices, axis=1))
    assert said[-1] == (N, N) and said == sorted(said[:3]) * 4
    store.read = 0
    for absolute in (False, True):
        found = vech.neighbors.strongest(store, 12, absolute=absolute, largest=largest)
        want = vech.neighbors.strongest(packed, 12, absolute=absolute, largest=largest)
        for part, wanted in zip(found[:3], want[:3], strict=True):
            assert_same_bits(part, wanted)
    assert store.read == 2 * tiles


@pytest.mark.parametrize("largest", [False, True])
def test_pairs_within_a_limit_by_tiles(tiles, largest):
    full = cases.matrix(np.float64, "symmetric", N)
    full[4, 9] = full[9, 4] = np.nan
    full[4, 8] = full[8, 4] = 0
    store = Parts(full)
    near = vech.neighbors.within(store, 0, largest=largest)
    assert store.read == tiles
    assert near.has_canonical_format and near.indices.dtype == np.int32
    wanted = full >= 0 if largest else full <= 0
    np.fill_diagonal(wanted, False)
    assert near.nnz == wanted.sum()
    np.testing.assert_array_equal(near.toarray(), np.where(wanted, full, 0))
    assert_same_bits(
        vech.neighbors.graph(store, 2).to_csr().toarray(),
        vech.neighbors.graph(vech.Packed.from_full(full), 2).to_csr().toarray(),
    )


def clusters_of(full, eps, least, weights):
    """DBSCAN by its definition: cores that chains connect, in the order of the first ones, and their rims."""
    near = full <= eps
    core = near @ weights >= least
    found = scipy.sparse.csgraph.connected_components(near & core & core[:, None])[1]
    numbers = {component: k for k, component in enumerate(dict.fromkeys(found[core]))}
    labels = [[numbers[found[j]] for j in np.flatnonzero(near[i] & core)] for i in range(len(full))]
    return [numbers[found[i]] if core[i] else min(labels[i], default=-1) for i in range(len(full))], core


@pytest.mark.parametrize("weights", [None, np.arange(N) % 4 + 0.1])
def test_clusters_by_tiles(tiles, weights):
    places = np.random.default_rng(5).permutation(np.repeat([0.0, 10, 20, 30], N // 4))
    points = places + np.random.default_rng(6).normal(size=N)
    full = np.abs(points[:, None] - points)
    store, packed = Parts(full), vech.Packed.from_full(full)
    if weights is not None:
        store.expand = packed.expand
    for eps in (0.1, 0.4, 1.0, 11.0):
        for least in (1, 3, 6):
            found = vech.cluster.dbscan(store, eps, least, sample_weight=weights)
            labels, core = clusters_of(full, eps, least, np.ones(N) if weights is None else weights)
            np.testing.assert_array_equal(found.labels, labels)
            np.testing.assert_array_equal(found.core, np.flatnonzero(core))
    full[30, 2] = full[2, 30] = -1
    with pytest.raises(ValueError, match=r"S\[30, 2\] is -1.0, and no distance is negative"):
        vech.cluster.dbscan(store, 1.0)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
@pytest.mark.parametrize("part", ["full", "lower", "upper"])
def test_nonzeros_by_tiles(tiles, kind, part):
    for dtype in (np.float32, np.complex128, np.int32, bool):
        if not cases.allows(np.dtype(dtype), kind):
            continue
        full = cases.matrix(np.dtype(dtype), kind, N)
        full *= cases.matrix(np.int8, "symmetric", N) > 0
        packed = vech.Packed.from_full(full, kind=kind)
        for name in ("to_coo", "to_csr", "to_csc"):
            store = Parts(full, packed.kind)
            found, want = (getattr(S, name)(part=part) for S in (store, packed))
            assert store.read == tiles
            assert type(found) is type(want) and found.nnz == want.nnz and found.has_canonical_format
            assert_same_bits(found.toarray(), want.toarray())
    with pytest.raises(ValueError, match="unknown part 'left'"):
        store.to_csr(part="left")


def test_what_is_summed_up_by_tiles(tiles, full):
    store, packed = Parts(full), vech.Packed.from_full(full)
    for name in ("min", "max", "mean", "std"):
        for diagonal in (False, True):
            want = getattr(packed, name)(diagonal=diagonal)
            assert getattr(store, name)(diagonal=diagonal) == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize("kind", ["symmetric", "hermitian"])
def test_solutions_by_products_alone(tiles, kind):
    full = cases.matrix(np.float64 if kind == "symmetric" else np.complex128, kind, N)
    full[np.diag_indices(N)] = np.arange(N) * 3 + 60.0
    b = cases.moderate(full.dtype, (N, 2))
    for solver in ("cg", "minres"):
        store = Parts(full, kind)
        x = linalg.solve(store, b, solver=solver)
        np.testing.assert_allclose(full @ x, b, atol=1e-7)
        assert store.products < 2 * 2 * N
        packed = vech.Packed.from_full(full, kind=kind)
        np.testing.assert_allclose(linalg.solve(packed, b, solver=solver), x, rtol=1e-7)


def test_eigenvalues_by_products_alone(tiles, full, monkeypatch):
    monkeypatch.setattr("vech.linalg.spectral.DENSE", 0)
    want = np.linalg.eigvalsh(full)
    np.testing.assert_allclose(linalg.eigsh(Parts(full), 3)[0], want[-3:], rtol=1e-9)
    values, _ = linalg.lobpcg(Parts(full), full[:, :2], tol=1e-5, maxiter=200)
    np.testing.assert_allclose(values, want[-2:][::-1], rtol=1e-6)
    assert linalg.norm(Parts(full), 2) == pytest.approx(want[-1], rel=1e-9)


def test_a_half_beyond_memory_is_refused_with_the_ways_out(full, monkeypatch):
    monkeypatch.setattr("vech.arrays.UNCHECKED_BYTES", 0)
    monkeypatch.setattr("vech.arrays.memory_limit", lambda: 1000)
    with pytest.raises(
        MemoryError, match=r"slogdet makes a half of it; solve\(S, b, solver='cg' or 'minres'\)"
    ):
        linalg.slogdet(Parts(full))
