"""Pictures of errors: the differences, their norms, and the histogram on the colour bar."""

import matplotlib as mpl
import numpy as np
import pytest

import vech

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
mpl.use("Agg")

import seen
from matplotlib import pyplot
from matplotlib.figure import Figure

from vech import plot
from vech.derived import pairs


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def pair(n, labels=None, seed=0):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=n * (n + 1) // 2)
    S = vech.Packed(half, labels=labels)
    return S, vech.Packed(half + 0.01 * rng.normal(size=half.size), labels=labels)


@pytest.mark.parametrize("panel", [1, 10**6])
def test_an_error_has_its_norms(monkeypatch, panel):
    monkeypatch.setattr(pairs, "PANEL_BYTES", panel)
    S, T = pair(30)
    found = plot.error(S, T)
    apart = S.expand() - T.expand()
    assert found.largest == pytest.approx(np.abs(apart).max(), rel=1e-13)
    assert abs(apart[found.at]) == np.abs(apart).max() and found.at[0] >= found.at[1]
    assert found.frobenius == pytest.approx(np.linalg.norm(apart))
    assert found.relative == pytest.approx(np.linalg.norm(apart) / np.linalg.norm(S.expand()))
    np.testing.assert_allclose(found.axes.images[0].get_array(), apart, atol=1e-15)
    assert found.missing == 0
    title = " ".join(found.axes.get_title().split())
    assert title.startswith(f"largest {found.largest:.3g} at {found.at[0]}, {found.at[1]}; Frobenius")
    assert f"relative {found.relative:.3g}" in title


def test_the_histogram_counts_each_pair_once_and_shares_the_axis_of_the_bar():
    S, T = pair(30)
    found = plot.error(S, T)
    counts, edges, _ = found.histogram.patches[0].get_data()
    apart = (S.expand() - T.expand())[np.tril_indices(30)]
    np.testing.assert_array_equal(counts, np.histogram(apart, edges)[0])
    assert counts.sum() == 465
    assert found.histogram.get_ylim() == found.axes.images[0].get_clim() == (edges[0], edges[-1])
    figure = found.axes.get_figure()
    figure.canvas.draw()
    T[3, 1] = 9.0
    for picture in (found, plot.error(S, T)):
        bar = picture.axes.child_axes[0]
        picture.axes.get_figure().canvas.draw()
        low, high = picture.histogram.transData.transform(
            [(1, edge) for edge in picture.histogram.get_ylim()]
        )[:, 1]
        inner = [bar.transData.transform((0, edge))[1] for edge in picture.histogram.get_ylim()]
        assert (low, high) == pytest.approx(inner, abs=1)


def test_large_errors_are_not_averaged_away():
    S, T = pair(90)
    T[70, 5] = S[70, 5] - 1
    found = plot.error(S, T, pixels=9)
    cell = found.axes.images[0].get_array()[7, 0]
    assert cell == pytest.approx(1) and found.histogram.get_ylabel() == "S - T, largest of 10 x 10"
    mean = plot.error(S, T, pixels=9, summary="mean")
    assert abs(mean.axes.images[0].get_array()[7, 0]) < 0.05
    assert mean.histogram.get_ylabel() == "S - T, mean of 10 x 10"


def test_any_layout_dtype_and_store_may_stand_for_another():
    S = pair(12)[0]
    T = vech.Packed(vech.convert(S.half.astype(np.float32), "vech", "numpy-triu"), "numpy-triu")
    assert plot.error(S, T).largest < 1e-6
    sparse = vech.SparseHalf.from_half(S.half, threshold=0.5)
    assert plot.error(S, sparse).largest <= 0.5
    assert plot.error(S, S).relative == 0 and plot.error(S, S).axes.get_title().startswith("largest 0;")
    zero = vech.Packed(np.zeros(78))
    assert plot.error(zero, S).relative == np.inf and plot.error(zero, zero).relative == 0


def test_missing_numbers_are_grey_and_counted():
    S, T = pair(8, labels=list("abcdefgh"))
    T[3, 5], S[2, 2] = np.nan, np.inf
    found = plot.error(S, T)
    assert found.missing == 2 and "2 pairs missing" in found.axes.get_title()
    assert np.isfinite(found.frobenius) and np.isfinite(found.relative)
    assert found.axes.images[0].get_array().mask.sum() == 3
    i, j = found.at
    assert f"at {'abcdefgh'[i]}, {'abcdefgh'[j]};" in " ".join(found.axes.get_title().split())


@pytest.mark.parametrize("n", [1, 3, 60, 700])
def test_words_stay_in_the_figure_and_apart(n):
    S, T = pair(n, labels=[f"name_{k}" for k in range(n)])
    if n > 1:
        T[n - 1, 0] = 50.0
    found = plot.error(S, T, title="float16 for float64")
    words = seen.check_words(found.axes.get_figure())
    assert "pairs" in words and any("float16" in word for word in words)


def test_an_error_stays_in_its_cell():
    figure = Figure(figsize=(9, 4))
    for ax in figure.subplots(1, 2):
        place = ax.get_window_extent().extents
        plot.error(*pair(20), ax=ax)
        box = ax.get_tightbbox().extents
        assert (box[:2] >= place[:2] - 1).all() and (box[2:] <= place[2:] + 1).all()
    assert not pyplot.get_fignums()


WRONG = {
    "S": (lambda: plot.error(np.ones(3), pair(3)[0]), TypeError, "error draws a store, and S is ndarray"),
    "T": (lambda: plot.error(pair(3)[0], np.ones(3)), TypeError, "error draws a store, and T is ndarray"),
    "sides": (
        lambda: plot.error(pair(3)[0], pair(4)[0]),
        ValueError,
        "S has side 3 and T has 4: an approximation has as many rows",
    ),
    "labels": (
        lambda: plot.error(pair(2, ["a", "b"])[0], pair(2, ["a", "c"])[0]),
        ValueError,
        "the labels of row 1 differ, 'b' and 'c'",
    ),
    "none": (lambda: plot.error(*pair(3), labels=True), ValueError, "S has no labels to draw"),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
