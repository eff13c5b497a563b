"""The promise is enough: a store that vech does not know, and what takes it."""

import numpy as np
import pytest
import scipy.sparse

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
