"""Pictures: what a heatmap and a spectrum show, and that large matrices are never expanded."""

import numpy as np
import pytest
import scipy.cluster.hierarchy
from scipy.spatial.distance import squareform

import vech

matplotlib = pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot

from vech import plot
from vech.linalg.quadrature import PROBES, quadrature


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def correlated(n, samples=80, seed=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, n)) + rng.normal(size=(samples, 3))[:, np.arange(n) % 3]
    return vech.Packed(vech.pack(np.corrcoef(X.T), use="lower"))


def image(found):
    return np.asarray(found.axes.images[0].get_array())


@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "svec-upper", "lapack-rfp-nl"])
def test_a_heatmap_shows_the_numbers(layout):
    S = correlated(11)
    T = vech.Packed(vech.convert(S.half, "vech", layout), layout)
    found = plot.heatmap(T)
    np.testing.assert_allclose(image(found), S.expand(), atol=1e-15)
    assert found.dendrogram is None
    np.testing.assert_array_equal(found.order, np.arange(11))


def test_a_heatmap_shows_a_sparse_half():
    S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1.0, 2.0, 4.0, 6.0], 3, triangle="lower")
    np.testing.assert_array_equal(image(plot.heatmap(S)), S.expand())


@pytest.mark.parametrize("n, pixels", [(40, 40), (41, 7), (130, 64), (9, 4), (5, 1)])
@pytest.mark.parametrize("panel", [1, 10**6])
def test_large_matrices_are_drawn_as_means(monkeypatch, n, pixels, panel):
    monkeypatch.setattr(plot, "PANEL_BYTES", panel)
    S = correlated(n)
    order = np.random.default_rng(0).permutation(n)
    full = S.expand()[np.ix_(order, order)]
    group = np.arange(n) * pixels // n
    wanted = [[full[np.ix_(group == a, group == b)].mean() for b in range(pixels)] for a in range(pixels)]
    np.testing.assert_allclose(image(plot.heatmap(S, order=order, pixels=pixels)), wanted, atol=1e-14)


def test_a_large_matrix_is_never_expanded(monkeypatch):
    monkeypatch.setattr(plot, "PANEL_BYTES", 2**12)
    S = correlated(200)
    asked = []
    expand = vech.Packed.expand
    monkeypatch.setattr(
        vech.Packed,
        "expand",
        lambda self, rows=None, **more: asked.append(rows) or expand(self, rows, **more),
    )
    plot.heatmap(S, order="cluster")
    assert asked and all(rows is not None and rows.stop - rows.start <= 3 for rows in asked)


def test_clusters_are_those_of_scipy():
    S = correlated(25)
    correlation = S.expand()
    distance = squareform(np.sqrt(2 * (1 - correlation)), checks=False)
    links = scipy.cluster.hierarchy.linkage(distance, "average")
    found = plot.heatmap(S, order="cluster")
    np.testing.assert_array_equal(found.order, scipy.cluster.hierarchy.leaves_list(links))
    np.testing.assert_allclose(image(found), correlation[np.ix_(found.order, found.order)], atol=1e-15)
    drawn = scipy.cluster.hierarchy.dendrogram(links, no_plot=True)
    ours = sorted(
        np.ravel(segment)[1::2].tolist() for segment in found.dendrogram.collections[0].get_segments()
    )
    np.testing.assert_allclose(ours, sorted(drawn["dcoord"]))
    across = sorted(
        np.ravel(segment)[::2].tolist() for segment in found.dendrogram.collections[0].get_segments()
    )
    np.testing.assert_allclose(across, sorted((np.array(drawn["icoord"]) / 10).tolist()))


def test_a_covariance_clusters_as_its_correlation_does():
    S = correlated(25)
    scaled = S.congruence(np.linspace(0.1, 9, 25))
    np.testing.assert_array_equal(
        plot.heatmap(scaled, order="cluster").order, plot.heatmap(S, order="cluster").order
    )


def test_clusters_may_be_of_other_distances():
    S = correlated(12)
    apart = np.abs(np.subtract.outer(np.arange(12) % 2, np.arange(12) % 2)) + 0.01 * (1 - np.eye(12))
    for layout in ("vech", "condensed"):
        distance = vech.Packed(vech.pack(apart, layout), layout)
        order = plot.heatmap(S, order="cluster", distance=distance, method="single").order
        assert len(set(order[:6] % 2)) == 1 and len(set(order[6:] % 2)) == 1
        assert np.array_equal(distance.expand(), apart)


def test_a_chain_of_thousands_is_drawn():
    n = 3000
    half = np.abs(np.subtract.outer(np.arange(n) ** 1.1, np.arange(n) ** 1.1))
    distance = vech.Packed(vech.pack(half, "condensed"), "condensed")
    found = plot.heatmap(distance, order="cluster", distance=distance, method="single", pixels=50)
    assert len(found.dendrogram.collections[0].get_segments()) == n - 1


def test_rows_are_named_by_labels():
    S = correlated(4)
    named = vech.Packed(S.half, labels=["a", "b", "c", "d"])
    found = plot.heatmap(named, order=[2, 0, 3, 1])
    assert [text.get_text() for text in found.axes.get_yticklabels()] == ["c", "a", "d", "b"]
    many = vech.Packed(correlated(70).half, labels=range(70))
    assert len(plot.heatmap(many).axes.get_yticks()) < 70
    assert len(plot.heatmap(many, labels=True).axes.get_yticks()) == 70
    assert [t.get_text() for t in plot.heatmap(named, labels=False).axes.get_yticklabels()] != [
        "a",
        "b",
        "c",
        "d",
    ]
    with pytest.raises(ValueError, match="S has no labels to draw"):
        plot.heatmap(S, labels=True)


def test_colours_are_about_zero_only_where_both_signs_are():
    signed, positive = correlated(6), vech.Packed(np.array([1.0, 2.0, 3.0]))
    low, high = plot.heatmap(signed).axes.images[0].get_clim()
    assert low == -high
    assert plot.heatmap(positive).axes.images[0].get_clim() == (1.0, 3.0)
    assert plot.heatmap(positive, limits=(0, 9)).axes.images[0].get_clim() == (0, 9)
    with_nan = vech.Packed(np.array([1.0, np.nan, 3.0]))
    assert plot.heatmap(with_nan).axes.images[0].get_clim() == (1.0, 3.0)


def test_a_spectrum_has_the_eigenvalues():
    S = correlated(30)
    found = plot.spectrum(S, n_samples=80)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(S.expand()), atol=1e-13)
    ratio = np.sqrt(30 / 80)
    np.testing.assert_allclose(found.edges, [(1 - ratio) ** 2, (1 + ratio) ** 2], rtol=1e-13)
    assert plot.spectrum(S).edges is None


def test_the_law_of_noise_is_a_density():
    x, y = plot.spectrum(correlated(30), n_samples=80).axes.lines[0].get_data()
    assert np.trapezoid(y, x) == pytest.approx(1, abs=0.01)


def test_a_spectrum_of_another_kind_of_store():
    S = vech.Packed(np.array([1, 1j, 2]), kind="hermitian")
    np.testing.assert_allclose(plot.spectrum(S).eigenvalues, np.linalg.eigvalsh(S.expand()))
    T = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    np.testing.assert_allclose(plot.spectrum(T).eigenvalues, np.linalg.eigvalsh(T.expand()))


def test_beyond_a_size_the_density_is_estimated_from_products(monkeypatch):
    noise = np.random.default_rng(0).normal(size=(1000, 400))
    S = vech.Packed(vech.pack(np.corrcoef(noise.T), use="lower"))
    eigenvalues = np.linalg.eigvalsh(S.expand())
    monkeypatch.setattr(plot, "EXACT", 10)
    monkeypatch.setattr(vech.Packed, "expand", None)
    nodes, weights = quadrature(S)
    assert weights.sum() == pytest.approx(PROBES)
    for power in (1, 2, 3):
        assert weights @ nodes**power / PROBES == pytest.approx((eigenvalues**power).mean(), rel=0.1)
    assert nodes.max() == pytest.approx(eigenvalues[-1], rel=1e-10)
    assert plot.spectrum(S).eigenvalues is None


def test_lanczos_stops_where_the_space_ends(monkeypatch):
    S = vech.Packed(vech.pack(np.diag(np.repeat([1.0, 5.0], 30))))
    nodes, weights = quadrature(S)
    np.testing.assert_allclose(np.unique(nodes.round(9)), [1, 5])
    assert len(nodes) == 2 * PROBES and weights.sum() == pytest.approx(PROBES)


WRONG = {
    "not a store": (lambda: plot.heatmap(np.eye(3)), TypeError, "heatmap draws a store, not ndarray"),
    "complex": (
        lambda: plot.heatmap(vech.Packed(np.ones(3) + 1j, kind="hermitian")),
        TypeError,
        "heatmap draws real numbers, not complex128",
    ),
    "dates": (
        lambda: plot.spectrum(vech.Packed(np.ones(3, "M8[s]"))),
        TypeError,
        r"spectrum draws real numbers, not datetime64\[s\]",
    ),
    "empty": (lambda: plot.heatmap(vech.Packed(np.zeros(0))), ValueError, "the matrix is 0 x 0"),
    "order": (
        lambda: plot.heatmap(correlated(4), order=[0, 1, 1, 2]),
        ValueError,
        "order must be 'cluster' or each of the 4 rows once, from 0 to 3",
    ),
    "order by name": (lambda: plot.heatmap(correlated(4), order="clusters"), ValueError, "clusters"),
    "no covariance": (
        lambda: plot.heatmap(vech.Packed(np.array([1.0, 2.0, 0.0])), order="cluster"),
        ValueError,
        "the diagonal has 0.0 at 1, so S is no covariance to cluster by: give distance=",
    ),
    "distance": (
        lambda: plot.heatmap(correlated(4), order="cluster", distance=correlated(3)),
        TypeError,
        "distance must be a real Packed of side 4",
    ),
    "negative distance": (
        lambda: plot.heatmap(correlated(4), order="cluster", distance=vech.Packed(-np.ones(6), "condensed")),
        ValueError,
        "distances must be finite and not negative",
    ),
    "distance alone": (
        lambda: plot.heatmap(correlated(4), distance=correlated(4)),
        TypeError,
        "distance= is for order='cluster'",
    ),
    "pixels": (lambda: plot.heatmap(correlated(4), pixels=0), ValueError, "pixels must be at least 1, not 0"),
    "bins": (lambda: plot.spectrum(correlated(4), bins=0), ValueError, "bins must be at least 1, not 0"),
    "samples": (
        lambda: plot.spectrum(correlated(4), n_samples=0),
        ValueError,
        "n_samples must be at least 1, not 0",
    ),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("n_samples", (float("nan"), 2.5))
def test_a_number_of_samples_is_whole(n_samples):
    with pytest.raises(
        ValueError, match=f"^n_samples must be at least 1, not {n_samples}: it is the number of"
    ):
        plot.spectrum(correlated(4), n_samples=n_samples)
