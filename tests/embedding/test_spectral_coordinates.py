"""Spectral coordinates: those of the full Laplacian, and what scikit-learn finds."""

import re

import numpy as np
import pytest
import scipy.sparse
from scipy.spatial.distance import pdist, squareform

import distances
import vech
from test_third_store import Rows
from vech.embedding import spectral
from vech.linalg.spectral import DENSE

LARGE = DENSE + 25  # by Lanczos' method


def affinities(n):
    return (
        np.exp(-squareform(pdist(distances.points(n, 2), "sqeuclidean")) / 20) if n > 1 else np.ones((n, n))
    )


def neighbours(X, k=6):
    """The graph of nearest neighbours as a full matrix."""
    full = squareform(pdist(X))
    nearest = np.argsort(full, axis=1)[:, 1 : k + 1]
    graph = np.zeros_like(full)
    np.put_along_axis(graph, nearest, 1.0, axis=1)
    return np.maximum(graph, graph.T)


def reference(full, k):
    """From the normalised Laplacian, by LAPACK."""
    off = full - np.diag(np.diag(full))
    degrees = off.sum(axis=1)
    roots = np.sqrt(np.where(degrees == 0, 1, degrees))
    values, vectors = np.linalg.eigh(np.eye(len(full)) - off / roots[:, None] / roots)
    return values[1 : k + 1], vectors[:, 1 : k + 1] / roots[:, None]


def stores(full):
    held = {name: vech.Packed(vech.pack(full, name), name) for name in ("vech", "numpy-triu", "svec-upper")}
    held["third"] = Rows(full, "symmetric")
    held["sparse"] = vech.SparseHalf.from_half(vech.pack(full))
    return held


@pytest.mark.parametrize("n", [2, 3, 17, 100, LARGE])
def test_spectral_is_that_of_the_full_laplacian(n):
    full = affinities(n)
    values, want = reference(full, min(n - 1, 3))
    for name, S in stores(full).items():
        found = spectral(S, min(n - 1, 3))
        turn = np.where((found.coordinates * want).sum(axis=0) < 0, -1, 1)
        np.testing.assert_allclose(
            found.coordinates, want * turn, atol=1e-8 * np.abs(want).max(), err_msg=name
        )
        np.testing.assert_allclose(found.eigenvalues, values, atol=1e-12)
        assert (found.coordinates.max(axis=0) >= (1 - 1e-6) * np.abs(found.coordinates).max(axis=0)).all()


@pytest.mark.parametrize("n", [100, LARGE])
def test_spectral_finds_what_scikit_learn_finds(n):
    manifold = pytest.importorskip("sklearn.manifold")
    full = affinities(n)
    want = manifold.spectral_embedding(full, n_components=3, random_state=0)
    np.testing.assert_allclose(spectral(full, 3).coordinates, want, atol=1e-8)
    graph = neighbours(distances.points(n, 2))
    assert scipy.sparse.csgraph.connected_components(graph)[0] == 1
    want = manifold.spectral_embedding(scipy.sparse.csr_matrix(graph), n_components=3, random_state=0)
    found = spectral(vech.SparseHalf.from_sparse(scipy.sparse.csr_array(graph)), 3)
    np.testing.assert_allclose(found.coordinates, want, atol=1e-8)


def test_points_along_a_line_are_ordered_by_the_first_coordinate():
    """Eigenvalues that crowd at zero, of a sparse store: by a factor."""
    n = 2000
    chain = scipy.sparse.diags_array([np.full(n - 1, 5.0)] * 2, offsets=[-1, 1])
    found = spectral(vech.SparseHalf.from_sparse(chain), 1)
    np.testing.assert_allclose(found.eigenvalues, 1 - np.cos(np.pi / (n - 1)), rtol=1e-6)
    steps = np.diff(found.coordinates[:, 0])
    assert (steps > 0).all() or (steps < 0).all()


def test_the_diagonal_has_no_say():
    full = affinities(17)
    other = full + np.diag(np.arange(17.0))
    np.testing.assert_allclose(spectral(other, 2)[0], spectral(full, 2)[0], atol=1e-10)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-310])
def test_affinities_of_every_size_are_taken(scale):
    full = affinities(LARGE)
    for S, T in zip(stores(full * scale).values(), stores(full).values(), strict=True):
        found, want = spectral(S, 2), spectral(T, 2)
        np.testing.assert_allclose(found.eigenvalues, want.eigenvalues, atol=1e-12)
        near = 1e-8 if scale > 1e-308 else 1e-5  # 13 digits are left
        np.testing.assert_allclose(found.coordinates * np.sqrt(scale), want.coordinates, atol=near)


@pytest.mark.parametrize("apart", [1, 3])
def test_parts_that_do_not_hang_together_are_said(apart):
    full = affinities(17)
    full[:apart, apart:] = full[apart:, :apart] = 0
    for name, S in stores(full).items():
        message = f"no affinities lead from row 0 to row {apart}: the first coordinates tell such parts apart"
        with pytest.warns(UserWarning, match=message):
            found = spectral(S, 2)
        np.testing.assert_allclose(found.eigenvalues, reference(full, 2)[0], atol=1e-12, err_msg=name)
        assert np.isfinite(found.coordinates).all()


def test_zeros_that_are_stored_are_no_edges():
    S = vech.SparseHalf([0, 1, 2, 3, 3], [1, 2, 3], [1.0, 0.0, 1.0], 4, triangle="upper")
    with pytest.warns(UserWarning, match="no affinities lead from row 0 to row 2"):
        spectral(S, 1)


def test_chains_are_followed_to_their_end():
    chain = np.diag(np.ones(39), 1)
    order = np.random.default_rng(0).permutation(40)
    full = (chain + chain.T)[np.ix_(order, order)]
    for S in stores(full).values():
        spectral(S, 1)  # warns of nothing


def test_float32_integers_and_labels():
    pandas = pytest.importorskip("pandas")
    graph = neighbours(distances.points(30, 2), 8).astype(np.int8)
    names = [f"r{i}" for i in range(30)]
    found = spectral(pandas.DataFrame(graph, names, names), 2)
    assert list(found.to_frame().columns) == ["SE1", "SE2"] and list(found.to_frame().index) == names
    for dtype in ("float32", "bool", "float64"):
        np.testing.assert_allclose(spectral(graph.astype(dtype), 2)[0], found.coordinates, atol=1e-12)


REFUSED = {
    "spectral finds 1 to 2 coordinates of 3 rows, not k = 3": lambda: spectral(np.ones((3, 3)), 3),
    "spectral finds 1 to -1 coordinates of 0 rows": lambda: spectral(vech.Packed([]), 1),
    r"S\[0, 1\] is -0.5, and affinities are finite and not negative": lambda: spectral(
        [[1, -0.5], [-0.5, 1]], 1
    ),
    r"S\[1, 0\] is nan, and affinities": lambda: spectral(vech.SparseHalf.from_half([1.0, np.nan, 1.0]), 1),
    "spectral takes real symmetric matrices, and S is skew": lambda: spectral(
        vech.Packed([0.0, 1, 0], kind="skew"), 1
    ),
    re.escape("spectral(vech.SparseHalf.from_sparse(S))"): lambda: spectral(scipy.sparse.eye_array(3), 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_named(message):
    with pytest.raises((TypeError, ValueError), match=message):
        REFUSED[message]()
