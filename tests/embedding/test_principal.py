"""Principal coordinates and kernel components: those of the full matrix, centred and decomposed by LAPACK."""

import re
import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import cases
import distances
import vech
from test_third_store import Rows
from vech.embedding import kernel_pca, pcoa
from vech.embedding.tiles import SIDE
from vech.linalg.spectral import DENSE

LARGE = DENSE + 25  # by Lanczos' method
TILED = SIDE + 25  # of tiles on the diagonal and off it
SIZES = (*(n for n in distances.SIZES if n), LARGE, TILED)


def centred(full):
    return full - full.mean(axis=0) - full.mean(axis=1)[:, None] + full.mean()


def leading(full, k):
    """The k largest eigenvalues of a matrix, in descending order, and their vectors times their roots."""
    values, vectors = np.linalg.eigh(full)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    return values, vectors * np.sqrt(np.maximum(values, 0))


def assert_same_columns(got, want, atol):
    """Up to their signs."""
    turn = np.where((got * want).sum(axis=0) < 0, -1, 1)
    np.testing.assert_allclose(got, want * turn, rtol=0, atol=atol)


def kernel(n, columns=3):
    X = distances.points(n, columns)
    return X @ X.T + 5.0


@pytest.mark.parametrize("n", SIZES)
def test_pcoa_is_that_of_the_centred_squares(n):
    full = distances.full(n)
    k = min(n, 3)
    values, want = leading(centred(-(full**2) / 2), k)
    for name, S in distances.stores(full).items():
        if n <= 3:
            with pytest.warns(UserWarning, match="largest eigenvalues are positive"):
                found = pcoa(S, k)
        else:
            found = pcoa(S, k)
        size = max(full.max(), 1)
        assert found.coordinates.shape == (n, k) and found.coordinates.dtype == np.float64, name
        assert_same_columns(found.coordinates, want, 1e-7 * size if n <= 3 else 1e-10 * size)
        np.testing.assert_allclose(found.eigenvalues, values, atol=1e-11 * n * size**2)
        trace = (full**2).sum() / (2 * n) or 1
        np.testing.assert_allclose(found.explained, values / trace, atol=1e-11)
        assert found.smallest_eigenvalue == 0  # of Euclidean distances, but for rounding


def test_pcoa_finds_what_scikit_bio_finds():
    ordination = pytest.importorskip("skbio.stats.ordination", reason="scikit-bio is not installed")
    counts = np.random.default_rng(0).poisson(4, (LARGE, 12)) ** 2
    half = pdist(counts, "braycurtis")
    from skbio import DistanceMatrix

    want = ordination.pcoa(DistanceMatrix(squareform(half)), dimensions=4, warn_neg_eigval=False)
    found = pcoa(vech.Packed(half, "condensed"), 4)
    assert_same_columns(found.coordinates, want.samples.to_numpy(), 1e-10)
    np.testing.assert_allclose(found.explained, want.proportion_explained, rtol=1e-10)


def test_float32_is_computed_in_double():
    full = distances.full(LARGE).astype(np.float32)
    _, want = leading(centred(-(full.astype(float) ** 2) / 2), 2)
    found = pcoa(vech.Packed(vech.pack(full, "condensed"), "condensed"), 2)
    assert found.coordinates.dtype == np.float64
    assert_same_columns(found.coordinates, want, 1e-9)


def test_full_matrices_and_frames_are_taken_and_labels_stay():
    pandas = pytest.importorskip("pandas")
    names = ["a", "b", "c", "d"]
    full = distances.full(4)
    found = pcoa(pandas.DataFrame(full, names, names), 2)
    assert found.labels == tuple(names)
    np.testing.assert_array_equal(found.coordinates, pcoa(full, 2).coordinates)
    frame = found.to_frame()
    assert list(frame.index) == names and list(frame.columns) == ["PC1", "PC2"]
    np.testing.assert_array_equal(frame.to_numpy(), found.coordinates)


def test_all_copies_of_a_multiple_eigenvalue_are_found():
    full = 1 - np.eye(LARGE)  # a simplex: 1/2, n - 1 times
    found = pcoa(full, 5)
    np.testing.assert_allclose(found.eigenvalues, 0.5, rtol=1e-12)
    np.testing.assert_allclose(found.coordinates.T @ found.coordinates, np.eye(5) / 2, atol=1e-12)


@pytest.mark.parametrize("k", [LARGE // 4 + 1, LARGE])
def test_many_coordinates_restore_the_distances(k):
    X = distances.points(LARGE, 2)
    with pytest.warns(UserWarning, match="^2 of the"):
        found = pcoa(squareform(pdist(X)), k)
    np.testing.assert_allclose(pdist(found.coordinates), pdist(X), rtol=1e-10)


@pytest.mark.parametrize("n", [17, LARGE])
@pytest.mark.parametrize("scale", [2.0**600, 2.0**-600, 2.0**-1030])
def test_distances_of_every_size_have_squares(n, scale):
    full = distances.full(n)
    found, small = pcoa(full * scale, 2), pcoa(full, 2)
    np.testing.assert_allclose(found.coordinates, small.coordinates * scale, rtol=1e-8)
    np.testing.assert_allclose(found.explained, small.explained, rtol=1e-8 if scale < 1e-308 else 1e-12)


@pytest.mark.parametrize("n", [17, LARGE])
@pytest.mark.parametrize("scale", [2.0**1000, 2.0**-1000, 2.0**-1030])
def test_kernels_of_every_size_have_components(n, scale):
    full = kernel(n)
    found, small = kernel_pca(full * scale, 2), kernel_pca(full, 2)
    near = 1e-6 if scale < 1e-308 else 1e-10
    np.testing.assert_allclose(
        found.coordinates, small.coordinates * np.sqrt(scale), rtol=0, atol=near * np.sqrt(scale)
    )
    np.testing.assert_allclose(found.explained, small.explained, rtol=near)


@pytest.mark.parametrize("n", [17, LARGE])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e-3])
def test_zero_is_beside_the_largest_modulus_whatever_its_sign(n, scale):
    Y = np.random.default_rng(0).random((n, 2))
    with pytest.warns(UserWarning, match="0 of the 2 largest eigenvalues are positive"):
        found = kernel_pca(-scale * (Y @ Y.T), 2)
    assert found.eigenvalues.tolist() == [0, 0] and not found.coordinates.any()


def test_the_largest_number_of_each_column_is_positive():
    found = pcoa(squareform(pdist(distances.points(40, 9))), 8).coordinates
    assert (found.max(axis=0) == np.abs(found).max(axis=0)).all()


def test_coordinates_that_do_not_exist_are_zeros_and_said():
    full = 1 - np.eye(4)
    full[0, 1] = full[1, 0] = 3.0  # further than by way of the others
    message = "2 of the 4 largest eigenvalues are positive, the last of them is "
    with pytest.warns(UserWarning, match=re.escape(message)):
        found = pcoa(full, 4)
    values = np.linalg.eigvalsh(centred(-(full**2) / 2))
    np.testing.assert_allclose(found.eigenvalues, values[::-1], atol=1e-12)
    assert found.smallest_eigenvalue == pytest.approx(values[0]) and values[0] < -0.5
    assert not found.coordinates[:, 2:].any()
    np.testing.assert_allclose(found.explained.sum(), 1)


def test_the_smallest_eigenvalue_is_found_beside_few_of_the_largest():
    rng = np.random.default_rng(1)
    half = pdist(rng.poisson(2, (LARGE, 9)), "braycurtis")
    want = np.linalg.eigvalsh(centred(-(squareform(half) ** 2) / 2))[0]
    found = pcoa(vech.Packed(half, "condensed"), 2)
    assert want < -0.01 and found.smallest_eigenvalue == pytest.approx(want, rel=1e-5)


def test_rows_that_are_all_the_same_have_no_coordinates():
    with pytest.warns(UserWarning, match="^0 of the 2 largest"):
        found = pcoa(np.zeros((5, 5)), 2)
    assert not found.coordinates.any() and not found.explained.any()


def test_any_number_of_threads_gives_the_same_bits():
    S = vech.Packed(pdist(distances.points(600)), "condensed")
    one, two = (pcoa(S, 2, threads=threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.coordinates, two.coordinates)


class Views(Rows):
    """Blocks of it are its own memory."""

    def block(self, rows, cols, out=None, *, threads=None):
        return self._full[rows, cols]


def test_a_store_whose_blocks_are_views_is_left_as_it_is():
    full = distances.full(LARGE)
    before = full.copy()
    pcoa(Views(full, "symmetric"), 2)
    np.testing.assert_array_equal(full, before)


@pytest.mark.parametrize("make", [pcoa, kernel_pca])
def test_no_full_matrix_is_made(make):
    n = 1200
    full = squareform(pdist(distances.points(n, 2))) if make is pcoa else kernel(n)
    S = vech.Packed(vech.pack(full))
    del full
    tracemalloc.start()
    make(S, 2, threads=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < S.nbytes  # half of the full matrix


@pytest.mark.parametrize("n", SIZES)
def test_kernel_pca_is_that_of_the_centred_kernel(n):
    full = kernel(n)
    k = min(n, 3)
    values, want = leading(centred(full), k)
    held = {name: vech.Packed(vech.pack(full, name), name) for name in ("vech", "numpy-triu", "svec-lower")}
    held["third"] = Rows(full, "symmetric")
    held["sparse"] = vech.SparseHalf.from_half(vech.pack(full))
    for S in held.values():
        if n <= 3:
            with pytest.warns(UserWarning, match="largest eigenvalues are positive"):
                found = kernel_pca(S, k)
        else:
            found = kernel_pca(S, k)
        size = np.sqrt(full.max())
        assert_same_columns(found.coordinates, want, 1e-6 * size if n <= 3 else 1e-10 * size)
        np.testing.assert_allclose(found.eigenvalues, values, atol=1e-11 * n * size**2)
        total = np.trace(centred(full)) or 1
        np.testing.assert_allclose(found.explained, values / total, atol=1e-9)


def test_kernel_pca_finds_what_scikit_learn_finds():
    decomposition = pytest.importorskip("sklearn.decomposition")
    X = distances.points(LARGE)
    full = np.exp(-squareform(pdist(X, "sqeuclidean")) / 50)
    want = decomposition.KernelPCA(3, kernel="precomputed").fit_transform(full)
    found = kernel_pca(vech.Packed(vech.pack(full)), 3)
    np.testing.assert_allclose(
        found.coordinates, want, atol=1e-10
    )  # their signs go by the largest number too
    narrow = kernel_pca(vech.Packed(vech.pack(full.astype(np.float32))), 3)
    np.testing.assert_allclose(narrow.coordinates, want, atol=1e-5)


REFUSED = {
    r"S\[1, 0\] is -1.0, and no distance is negative": lambda: pcoa([[0, -1.0], [-1.0, 0]], 1),
    "is nan, and pcoa needs finite distances": lambda: pcoa([[0, np.nan], [np.nan, 0]], 1),
    r"S\[0, 0\] is 1.0, and a distance to itself is 0": lambda: pcoa(np.eye(2), 1),
    "pcoa takes the distances of all pairs, and a SparseHalf holds its nonzeros alone": lambda: pcoa(
        vech.SparseHalf.from_half([0, 1.0, 0]), 1
    ),
    "pcoa finds 1 to 2 coordinates of 2 rows, not k = 3": lambda: pcoa(np.zeros((2, 2)), 3),
    "kernel_pca finds 1 to 2 coordinates of 2 rows, not k = 0": lambda: kernel_pca(np.eye(2), 0),
    "k must be an integer, not 1.5": lambda: pcoa(np.zeros((2, 2)), 1.5),
    "pcoa finds 1 to 0 coordinates of 0 rows": lambda: pcoa(vech.Packed([]), 1),
    r"S\[0, 0\] is inf: kernel_pca needs finite numbers": lambda: kernel_pca([[np.inf, 0], [0, 1.0]], 1),
    "kernel_pca takes real symmetric matrices, and S is hermitian": lambda: kernel_pca(
        vech.Packed([1 + 0j], kind="hermitian"), 1
    ),
    "kernel_pca takes real symmetric matrices, and S is skew": lambda: kernel_pca(
        vech.Packed([0.0, 1, 0], kind="skew"), 1
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()


def test_other_stores_of_the_suite_hold_kernels_too():
    full = kernel(17)
    want = kernel_pca(full, 2).coordinates
    for make in cases.STORES.values():
        if make.holds(full.dtype, "symmetric", 17):
            np.testing.assert_allclose(kernel_pca(make(full, "symmetric"), 2).coordinates, want, atol=1e-12)
