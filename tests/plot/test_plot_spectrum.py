"""Spectra: which eigenvalues are seen, what stands out, and that large matrices are never expanded."""

import matplotlib as mpl
import numpy as np
import pytest

import vech

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
mpl.use("Agg")

import seen
from matplotlib import pyplot
from matplotlib.figure import Figure

import vech.plot.spectrum
from vech import plot
from vech.linalg.quadrature import PROBES, STEPS, quadrature

module = __import__("sys").modules["vech.plot.spectrum"]


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def factors(n, samples, count=3, seed=5):
    """Correlations of data with some factors that all columns share."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, n)) + rng.normal(size=(samples, count)) @ rng.normal(size=(count, n))
    return vech.covariance.correlation(X)


def legend(found):
    return [text.get_text() for text in found.axes.get_legend().get_texts()]


def ticks(found):
    """Where the ticks of outliers are."""
    return sorted(
        s[0][0] for c in found.axes.collections if hasattr(c, "get_segments") for s in c.get_segments()
    )


def test_a_spectrum_has_the_eigenvalues():
    S = factors(30, 80)
    found = plot.spectrum(S, n_samples=80)
    values = np.linalg.eigvalsh(S.expand())
    np.testing.assert_allclose(found.eigenvalues, values, atol=1e-13)
    ratio = np.sqrt(30 / 80)
    np.testing.assert_allclose(found.edges, [(1 - ratio) ** 2, (1 + ratio) ** 2], rtol=1e-13)
    np.testing.assert_allclose(found.outliers, values[values > found.edges[1]][::-1])
    assert plot.spectrum(S).edges is None


def test_a_few_eigenvalues_are_drawn_one_by_one():
    S = factors(20, 60)
    found = plot.spectrum(S, n_samples=60)
    assert found.axes.get_yscale() == "log" and found.axes.get_xlabel() == "rank"
    x, y = found.axes.lines[1].get_data()
    np.testing.assert_allclose(y, found.eigenvalues[::-1])
    np.testing.assert_array_equal(x, np.arange(20) + 1)
    share = found.outliers.sum() / 20
    assert f"{len(found.outliers)} outliers, {100 * share:.0f} % of the trace" in legend(found)
    words = seen.check_words(found.axes.get_figure())
    assert all(f"{value:.3g}" in words for value in found.outliers)


def test_eigenvalues_that_no_logarithm_has_are_counted():
    X = np.random.default_rng(0).normal(size=(12, 30)) * np.linspace(0.2, 3, 12)[:, None]
    found = plot.spectrum(vech.covariance.sample(X))
    assert found.axes.get_yscale() == "log"
    assert "19 at 0 or below" in legend(found)
    assert plot.spectrum(vech.Packed(np.array([1.0, 0.1, 1.0]))).axes.get_yscale() == "linear"


@pytest.mark.parametrize("n, samples", [(100, 300), (500, 1500)])
def test_bulk_and_outliers_are_both_seen(n, samples):
    found = plot.spectrum(factors(n, samples), n_samples=samples)
    assert len(found.outliers) == 3 and found.outliers[0] > 5 * found.edges[1]
    assert ticks(found) == pytest.approx(sorted(found.outliers))
    assert found.axes.get_xscale() == "symlog"
    ends = found.axes.transData.transform([(found.edges[0], 0), (found.edges[1], 0), (found.outliers[0], 0)])[
        :, 0
    ]
    width = found.axes.get_window_extent().width
    assert ends[1] - ends[0] > 0.4 * width and ends[2] - ends[1] > 0.15 * width
    assert found.axes.get_xlabel().startswith("eigenvalue (logarithmic beyond ")
    words = seen.check_words(found.axes.get_figure())
    assert f"{found.outliers[0]:.3g}" in words


def test_the_histogram_is_the_density_of_the_bulk():
    S = factors(150, 450)
    found = plot.spectrum(S, n_samples=450)
    heights, edges, _ = found.axes.patches[0].get_data()
    assert heights @ np.diff(edges) == pytest.approx(147 / 150)
    assert edges[0] <= found.edges[0] and edges[-1] >= found.edges[1]
    assert len(plot.spectrum(S, bins=17).axes.patches[0].get_data().values) == 17


def test_zeros_are_counted_and_not_drawn():
    X = np.random.default_rng(0).normal(size=(80, 200))
    found = plot.spectrum(vech.covariance.sample(X, ddof=0))
    assert "121 more are 0" in legend(found)
    assert found.axes.get_xlim()[0] > -1


def test_far_below_the_bulk_is_seen_too():
    found = plot.spectrum(vech.Packed(vech.pack(np.diag(np.r_[-40.0, np.linspace(1, 2, 99)]))))
    assert "1 far below" in legend(found) and ticks(found) == pytest.approx([-40])
    assert found.axes.get_xlim()[0] < -40


def test_one_eigenvalue_many_times_has_a_picture():
    for S in (vech.Packed(np.zeros(3)), vech.Packed(np.ones(1)), vech.Packed(vech.pack(np.eye(100)))):
        found = plot.spectrum(S)
        seen.check_words(found.axes.get_figure())
        assert len(found.outliers) == 0


def test_values_that_rounding_alone_tells_apart_have_a_picture():
    values = np.r_[0.0, 1 + 1e-15 * np.arange(98), 2.0]
    found = plot.spectrum(vech.Packed(vech.pack(np.diag(values))), form="density")
    seen.check_words(found.axes.get_figure())


@pytest.mark.parametrize("samples", [80, 20])
def test_the_law_of_noise_is_a_density(samples):
    x, y = plot.spectrum(factors(30, samples), n_samples=samples, form="density").axes.lines[0].get_data()
    assert np.trapezoid(y, x) == pytest.approx(min(1, samples / 30), abs=0.01)


def test_a_spectrum_of_another_kind_of_store():
    S = vech.Packed(np.array([1, 1j, 2]), kind="hermitian")
    np.testing.assert_allclose(plot.spectrum(S).eigenvalues, np.linalg.eigvalsh(S.expand()))
    T = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    np.testing.assert_allclose(plot.spectrum(T).eigenvalues, np.linalg.eigvalsh(T.expand()))


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_beyond_a_size_the_density_is_estimated_from_products(monkeypatch, dtype):
    noise = np.random.default_rng(0).normal(size=(1000, 400)) + np.random.default_rng(1).normal(
        size=(1000, 1)
    )
    S = vech.Packed(vech.pack(np.corrcoef(noise.T).astype(dtype), use="lower"))
    eigenvalues = np.linalg.eigvalsh(S.expand().astype(float))
    monkeypatch.setattr(module, "EXACT", 10)
    monkeypatch.setattr(vech.Packed, "expand", None)
    nodes, weights = quadrature(S)
    assert weights.sum() == pytest.approx(PROBES)
    bulk = nodes < 10
    for power in (1, 2, 3):
        wanted = (eigenvalues[:-1] ** power).sum() / 400
        assert weights[bulk] @ nodes[bulk] ** power / PROBES == pytest.approx(wanted, rel=0.1)
    assert nodes.max() == pytest.approx(eigenvalues[-1], rel=1e-10 if dtype == "f8" else 1e-5)
    done = []
    found = plot.spectrum(S, n_samples=1000, progress=lambda *told: done.append(told))
    assert found.eigenvalues is None and done == [(k + 1, STEPS) for k in range(STEPS)]
    np.testing.assert_allclose(found.outliers, eigenvalues[-1:], rtol=1e-5)
    assert f"density from {STEPS} x {PROBES} products" in legend(found)
    assert f"1 outlier, {eigenvalues[-1] / 4:.0f} % of the trace" in legend(found)
    seen.check_words(found.axes.get_figure())
    curve = found.axes.collections[0].get_paths()[0].vertices
    upper = curve[1 : len(curve) // 2]
    assert np.trapezoid(upper[:, 1], upper[:, 0]) == pytest.approx(399 / 400, abs=0.03)


def test_what_few_vectors_found_is_no_outlier():
    nodes = np.r_[np.full(PROBES, 100.0), 100.3, np.full(PROBES // 2, 70.0), np.full(PROBES // 2 - 1, 50.0)]
    assert module._shared(nodes).tolist() == [100.3, 70.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_vectors_share_each_product_in_the_dtype_of_the_store(monkeypatch, dtype):
    S, asked = factors(50, 100).astype(dtype), []
    matmul = vech.Packed.matmul
    monkeypatch.setattr(
        vech.Packed,
        "matmul",
        lambda self, x, *more, **options: (
            asked.append((x.shape, x.dtype)) or matmul(self, x, *more, **options)
        ),
    )
    quadrature(S)
    assert asked == [((50, PROBES), dtype)] * STEPS


def test_lanczos_stops_where_the_space_ends():
    S = vech.Packed(vech.pack(np.diag(np.repeat([1.0, 5.0], 30))))
    nodes, weights = quadrature(S)
    np.testing.assert_allclose(np.unique(nodes.round(9)), [1, 5])
    assert len(nodes) == 2 * PROBES and weights.sum() == pytest.approx(PROBES)


@pytest.mark.parametrize("form", ["scree", "density"])
def test_a_small_spectrum_stays_in_its_cell(form):
    figure = Figure(figsize=(7, 2))
    axes = figure.subplots(1, 2).flat
    places = [ax.get_window_extent().extents for ax in axes]
    figures_before = pyplot.get_fignums()
    for ax in figure.axes:
        plot.spectrum(factors(70, 200), n_samples=200, form=form, title="Factors", ax=ax)
    for ax, place in zip(figure.axes, places, strict=True):
        box = ax.get_tightbbox().extents
        assert (box[:2] >= place[:2] - 1).all() and (box[2:] <= place[2:] + 1).all()
    assert pyplot.get_fignums() == figures_before


WRONG = {
    "dates": (
        lambda: plot.spectrum(vech.Packed(np.ones(3, "M8[s]"))),
        TypeError,
        r"spectrum draws real numbers, not datetime64\[s\]",
    ),
    "bins": (lambda: plot.spectrum(factors(4, 9), bins=0), ValueError, "bins must be at least 1, not 0"),
    "samples": (
        lambda: plot.spectrum(factors(4, 9), n_samples=0),
        ValueError,
        "n_samples must be at least 1, not 0",
    ),
    "skew": (
        lambda: plot.spectrum(vech.Packed(np.ones(6), kind="skew")),
        TypeError,
        (
            r"spectrum needs a real symmetric or a Hermitian matrix, and S is skew: "
            r"scipy.linalg.eigvals\(S.expand"
        ),
    ),
    "form": (lambda: plot.spectrum(factors(4, 9), form="bars"), ValueError, "form"),
    "NaN": (lambda: plot.spectrum(vech.Packed(np.full(3, np.nan))), ValueError, "nan"),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_scree_and_nan_are_refused_where_eigenvalues_are_estimated(monkeypatch):
    monkeypatch.setattr(module, "EXACT", 3)
    with pytest.raises(ValueError, match="form='scree' shows each eigenvalue, which is for n up to 3, not 4"):
        plot.spectrum(factors(4, 9), form="scree")
    with pytest.raises(ValueError, match=r"S\[0, 0\] is nan: eigenvalues need finite numbers"):
        plot.spectrum(vech.Packed(np.full(10, np.nan)))


@pytest.mark.parametrize("n_samples", (float("nan"), 2.5))
def test_a_number_of_samples_is_whole(n_samples):
    with pytest.raises(
        ValueError, match=f"^n_samples must be at least 1, not {n_samples}: it is the number of"
    ):
        plot.spectrum(factors(4, 9), n_samples=n_samples)
