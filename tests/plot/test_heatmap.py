"""Heatmaps: which numbers they show, in which colours and limits, and that their words can be read."""

import matplotlib as mpl
import numpy as np
import pandas
import pytest
import scipy.cluster.hierarchy
import scipy.sparse
from scipy.spatial.distance import squareform

import vech

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
mpl.use("Agg")

import seen
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from vech import plot
from vech.derived import pairs
from vech.plot import cells as grid
from vech.plot.axes import new_axes
from vech.plot.dendrogram import BRANCHES, WHOLE
from vech.plot.place import Place


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def correlated(n, samples=80, seed=5, labels=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, n)) + rng.normal(size=(samples, 3))[:, np.arange(n) % 3]
    return vech.Packed(vech.pack(np.corrcoef(X.T), use="lower"), labels=labels)


def names(n, length=9):
    return [f"{k:04d}_{'abcdefghijklmnopqrstuvwxyz'[: max(0, length - 5)]}" for k in range(n)]


def image(found):
    return found.axes.images[0].get_array()


def colour_at(found, i, j):
    """The colour of a pixel in the middle of a cell."""
    figure = found.axes.get_figure()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())
    x, y = found.axes.transData.transform(((j + 0.5) * found.per, (i + 0.5) * found.per))
    return tuple(pixels[pixels.shape[0] - 1 - int(y), int(x), :3] / 255)


# ---- what is shown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "svec-upper", "lapack-rfp-nl"])
def test_a_heatmap_shows_the_numbers_off_the_diagonal(layout):
    S = correlated(11)
    T = vech.Packed(vech.convert(S.half, "vech", layout), layout)
    found = plot.heatmap(T)
    off = ~np.eye(11, dtype=bool)
    np.testing.assert_allclose(image(found)[off], S.expand()[off], atol=1e-15)
    np.testing.assert_array_equal(image(found).mask, ~off)
    assert found.dendrogram is None and found.per == 1
    np.testing.assert_array_equal(found.order, np.arange(11))


def test_the_diagonal_is_pale_unless_it_is_wanted():
    S = vech.Packed(np.array([50.0, 1.0, -2.0, 60.0, 0.5, 70.0]))
    masked, shown = plot.heatmap(S), plot.heatmap(S, diagonal=True)
    np.testing.assert_allclose(colour_at(masked, 1, 1), (0.92,) * 3, atol=0.01)
    assert masked.limits == shown.limits == (-2.0, 2.0)
    assert (masked.bar.extend, shown.bar.extend) == ("neither", "max")
    assert image(shown)[1, 1] == 60
    assert to_hex(colour_at(shown, 1, 1)) == to_hex(mpl.colormaps["RdBu"](1.0))
    assert to_hex(colour_at(shown, 2, 0)) == to_hex(mpl.colormaps["RdBu"](0.0))


@pytest.mark.parametrize("triangle", ["lower", "upper"])
def test_one_triangle_is_drawn_alone(triangle):
    found = plot.heatmap(correlated(7), triangle=triangle)
    keep = np.tril(np.ones((7, 7), bool), -1)
    np.testing.assert_array_equal(image(found).mask, ~(keep if triangle == "lower" else keep.T))


def test_a_sparse_half_shows_what_it_stores():
    S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1.0, 2.0, 4.0, 6.0], 3, triangle="lower")
    found = plot.heatmap(S, diagonal=True)
    np.testing.assert_array_equal(image(found).filled(0), S.expand())
    np.testing.assert_array_equal(image(found).mask, S.expand() == 0)
    assert found.content == "similarity" and found.limits == (2.0, 4.0)


def test_a_large_sparse_half_is_drawn_from_what_it_stores(monkeypatch):
    rng = np.random.default_rng(1)
    A = scipy.sparse.random_array((5000, 5000), density=1e-5, random_state=rng)
    S = vech.SparseHalf.from_sparse((A + A.T).tocsr())
    monkeypatch.setattr(vech.SparseHalf, "expand", None)
    found = plot.heatmap(S, pixels=50)
    stored = S.to_coo()
    place = stored.row // 100, stored.col // 100
    off = stored.row != stored.col
    sums, count = np.zeros((2, 50, 50))
    np.add.at(sums, place, np.where(off, stored.data, 0))
    np.add.at(count, place, off)
    np.testing.assert_allclose(image(found).filled(0), sums / np.maximum(count, 1))
    np.testing.assert_array_equal(image(found).mask, count == 0)
    assert found.bar.ax.get_ylabel() == "similarity, mean of what is stored in 100 x 100"
    reordered = plot.heatmap(S, order=np.arange(5000)[::-1], pixels=50)
    np.testing.assert_allclose(image(reordered).filled(0), image(found).filled(0)[::-1, ::-1])


@pytest.mark.parametrize("summary", ["mean", "extreme"])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("n, pixels", [(40, 40), (41, 7), (130, 64), (9, 4), (5, 1)])
@pytest.mark.parametrize("panel", [1, 10**6])
def test_cells_stand_for_k_by_k_numbers(monkeypatch, n, pixels, panel, summary, diagonal):
    monkeypatch.setattr(pairs, "PANEL_BYTES", panel)
    S = correlated(n)
    order = np.random.default_rng(0).permutation(n)
    full = S.expand()[np.ix_(order, order)]
    if not diagonal:
        np.fill_diagonal(full, np.nan)
    k = -(-n // pixels)

    def of(cell):
        if np.isnan(cell).all():
            return np.nan
        return np.nanmean(cell) if summary == "mean" else cell.flat[np.nanargmax(np.abs(cell))]

    wanted = [[of(full[a : a + k, b : b + k]) for b in range(0, n, k)] for a in range(0, n, k)]
    found = grid.read(S, order, pixels, summary, diagonal=diagonal)
    np.testing.assert_allclose(np.where(found.empty, np.nan, found.numbers), wanted, atol=1e-14)
    assert found.per == k and not found.missing.any()


def test_what_a_cell_stands_for_is_said():
    S = correlated(41)
    assert plot.heatmap(S).bar.ax.get_ylabel() == "correlation"
    mean, most = plot.heatmap(S, pixels=7), plot.heatmap(S, pixels=7, summary="extreme")
    assert mean.per == 6 and mean.bar.ax.get_ylabel() == "correlation, mean of 6 x 6"
    assert most.bar.ax.get_ylabel() == "correlation, largest of 6 x 6"
    assert (np.abs(image(most)) >= np.abs(image(mean)))[image(most).mask == 0].all()


def test_no_cell_is_smaller_than_a_pixel():
    for n in (300, 450, 900):
        found = plot.heatmap(vech.Packed(np.ones(n * (n + 1) // 2)))
        assert len(image(found)) <= found.axes.get_window_extent().width
        assert ("mean of" in found.bar.ax.get_ylabel()) == (len(image(found)) < n)


def test_a_large_matrix_is_never_expanded(monkeypatch):
    monkeypatch.setattr(pairs, "PANEL_BYTES", 2**12)
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


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_grey_and_named(bad):
    S = correlated(8)
    S[3, 5] = bad
    found = plot.heatmap(S)
    assert image(found).mask[3, 5] and found.limits == (-1, 1) and found.content == "correlation"
    np.testing.assert_allclose(colour_at(found, 3, 5), (0.65,) * 3, atol=0.01)
    np.testing.assert_allclose(colour_at(found, 5, 3), (0.65,) * 3, atol=0.01)
    assert [text.get_text() for text in found.axes.get_legend().get_texts()] == ["NaN or infinite"]
    means = plot.heatmap(S, pixels=4)
    assert image(means).mask.sum() == 2 and image(means).mask[1, 2]
    assert [text.get_text() for text in means.axes.get_legend().get_texts()] == ["with NaN or inf"]
    assert plot.heatmap(correlated(8)).axes.get_legend() is None
    S[2, 2] = bad
    assert plot.heatmap(S, diagonal=True).axes.images[1].get_array()[2, 2]


# ---- what numbers are, and so their colours ----------------------------------------------------------------


def map_of(found):
    return found.axes.images[0].get_cmap().name


def changed(S, i, j, value):
    T = S.copy()
    T[i, j] = value
    return T


def distances(n=20, seed=2):
    points = np.random.default_rng(seed).normal(size=(n, 3))
    return vech.Packed(vech.pack(np.linalg.norm(points[:, None] - points, axis=2), use="lower"))


def test_correlations_go_from_minus_one_to_one():
    for S in (
        correlated(6),
        correlated(6).astype(np.float32),
        vech.Packed(np.array([1.0, 0.2, 0.4, 1, 0.1, 1])),
    ):
        found = plot.heatmap(S)
        assert (found.content, found.limits, map_of(found)) == ("correlation", (-1, 1), "RdBu")
        assert found.bar.ax.get_ylabel() == "correlation" and found.bar.extend == "neither"


def test_the_sign_of_one_number_does_not_change_the_colours():
    positive = vech.Packed(np.array([4.0, 1, 2, 3, 1.5, 5, 6, 2, 1, 3]))
    for S, value in ((positive, 0.5), (correlated(5), 0.3), (distances(6), 0.4), (distances(4), 0.2)):
        above, below = plot.heatmap(changed(S, 2, 1, value)), plot.heatmap(changed(S, 2, 1, -value))
        assert map_of(above) == map_of(below) and above.content == below.content
    assert map_of(plot.heatmap(positive)) == "RdBu" and plot.heatmap(positive).content is None
    assert plot.heatmap(positive).bar.ax.get_ylabel() == "value"


def test_distances_are_of_one_sign_and_dark_where_near():
    found = plot.heatmap(distances())
    off = ~np.eye(20, dtype=bool)
    full = distances().expand()
    assert (found.content, map_of(found)) == ("distance", "YlGnBu_r")
    assert found.limits == (full[off].min(), full.max())
    similar = plot.heatmap(correlated(5), content="similarity")
    assert map_of(similar) == "YlGnBu" and similar.bar.ax.get_ylabel() == "similarity"
    near, far = np.argwhere(full == full[off].min())[0], np.argwhere(full == full.max())[0]
    assert sum(colour_at(found, *near)) < sum(colour_at(found, *far))


def test_a_skew_matrix_and_one_of_both_signs_have_zero_in_the_middle():
    skew = vech.Packed(np.array([0.0, 3.0, -1.0, 0.0, 2.0, 0.0]), kind="skew")
    found = plot.heatmap(skew)
    assert (found.content, found.limits) == (None, (-3, 3))
    np.testing.assert_array_equal(image(found).filled(0), skew.expand())
    mixed = vech.Packed(np.array([0.0, 3.0, -1.0, 0.0, -2.0, 0.0]))
    assert plot.heatmap(mixed).content is None and plot.heatmap(mixed).limits == (-3, 3)


def test_a_number_far_out_does_not_pale_the_others():
    rng = np.random.default_rng(0)
    S = vech.Packed(rng.normal(size=20 * 21 // 2))
    calm, wild = plot.heatmap(S), plot.heatmap(changed(S, 7, 3, 1e6))
    assert calm.bar.extend == "neither" and calm.limits[1] == np.abs(image(calm)).max()
    assert wild.bar.extend in ("max", "both") and 1.5 < wild.limits[1] == -wild.limits[0] < 4
    assert to_hex(colour_at(wild, 7, 3)) == to_hex(mpl.colormaps["RdBu"](1.0))
    assert plot.heatmap(changed(S, 7, 3, -1e6)).bar.extend in ("min", "both")
    D = plot.heatmap(changed(distances(), 7, 3, 1e6))
    assert D.bar.extend in ("max", "both") and D.limits[1] < 10


def test_limits_content_and_words_can_be_said():
    S = correlated(6)
    found = plot.heatmap(S, content="covariance", limits=(-0.1, 0.2), cmap="PuOr", title="Mine", label="rho")
    assert found.limits == found.axes.images[0].get_clim() == (-0.1, 0.2) and found.bar.extend == "both"
    assert map_of(found) == "PuOr" and found.content == "covariance"
    assert found.axes.get_title() == "Mine" and found.bar.ax.get_ylabel() == "rho"


@pytest.mark.parametrize(
    "half, limits",
    [
        (np.zeros(6), (0, 1)),
        (np.array([0.0, 3, 3, 0, 3, 0]), (0, 3)),
        (np.array([2.0, 0, 0, 2, 0, 2]), (-1, 1)),
        (np.full(6, np.nan), (-1, 1)),
        (np.array([5.0]), (-1, 1)),
    ],
)
def test_matrices_of_one_number_have_limits_too(half, limits):
    found = plot.heatmap(vech.Packed(half))
    assert found.limits == limits or (found.content is None and found.limits == (-1, 1))


# ---- clusters and groups -----------------------------------------------------------------------------------


def part(found, gid):
    return next(c for c in found.dendrogram.collections if c.get_gid() == gid)


def test_clusters_are_those_of_scipy():
    S = correlated(25)
    correlation = S.expand()
    distance = squareform(np.sqrt(2 * (1 - correlation)), checks=False)
    links = scipy.cluster.hierarchy.linkage(distance, "average")
    found = plot.heatmap(S, order="cluster", diagonal=True)
    np.testing.assert_array_equal(found.order, scipy.cluster.hierarchy.leaves_list(links))
    np.testing.assert_allclose(image(found), correlation[np.ix_(found.order, found.order)], atol=1e-15)
    drawn = scipy.cluster.hierarchy.dendrogram(links, no_plot=True)
    segments = part(found, "brackets").get_segments()
    low, high = found.dendrogram.get_ylim()
    ours = sorted(np.ravel(segment)[1::2].tolist() for segment in segments)
    np.testing.assert_allclose(ours, sorted(np.maximum(drawn["dcoord"], low).tolist()))
    across = sorted(np.ravel(segment)[::2].tolist() for segment in segments)
    np.testing.assert_allclose(across, sorted((np.array(drawn["icoord"]) / 10).tolist()))
    assert high > links[-1, 2]


def test_clusters_have_colours_in_the_tree():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30)) + 2 * rng.normal(size=(200, 3))[:, np.arange(30) % 3]
    found = plot.heatmap(vech.covariance.correlation(X), order="cluster")
    inks = [to_hex(colour) for colour in part(found, "brackets").get_colors()]
    assert len(inks) == 29
    # two links join three clusters of ten
    assert sorted(inks.count(ink) for ink in set(inks)) == [2, 9, 9, 9]
    neutral = plot.heatmap(vech.covariance.correlation(X), order="cluster", groups=["a", "b", "c"] * 10)
    assert len({to_hex(colour) for colour in part(neutral, "brackets").get_colors()}) == 1


@pytest.mark.parametrize("n", [WHOLE, WHOLE + 1, 500])
def test_a_large_tree_is_cut_to_its_top(n):
    found = plot.heatmap(correlated(n), order="cluster")
    segments, wedges = part(found, "brackets").get_segments(), part(found, "wedges").get_paths()
    assert len(segments) == (n - 1 if n <= WHOLE else BRANCHES - 1)
    widths = [np.ptp(wedge.vertices[:, 0]) for wedge in wedges]
    single = sum(round(x % 1, 6) == 0.5 for s in segments for x, y in (s[0], s[3])) if n <= WHOLE else None
    assert (single == n and not widths) if n <= WHOLE else 1 < sum(widths) <= n
    low, high = found.dendrogram.get_ylim()
    assert all(low <= y <= high for s in segments for _, y in s)


def test_a_covariance_clusters_as_its_correlation_does():
    S = correlated(25)
    scaled = S.congruence(np.linspace(0.1, 9, 25))
    np.testing.assert_array_equal(
        plot.heatmap(scaled, order="cluster").order, plot.heatmap(S, order="cluster").order
    )


def test_distances_cluster_by_themselves():
    S = distances()
    links = scipy.cluster.hierarchy.linkage(squareform(S.expand(), checks=False), "single")
    found = plot.heatmap(S, order="cluster", method="single")
    np.testing.assert_array_equal(found.order, scipy.cluster.hierarchy.leaves_list(links))


def test_clusters_may_be_of_other_distances():
    S = correlated(12)
    apart = np.abs(np.subtract.outer(np.arange(12) % 2, np.arange(12) % 2)) + 0.01 * (1 - np.eye(12))
    for layout in ("vech", "condensed"):
        distance = vech.Packed(vech.pack(apart, layout), layout)
        order = plot.heatmap(S, order="cluster", distance=distance, method="single").order
        assert len(set(order[:6] % 2)) == 1 and len(set(order[6:] % 2)) == 1
        assert np.array_equal(distance.expand(), apart)


def test_a_chain_of_thousands_is_drawn():
    n = 2000
    half = np.abs(np.subtract.outer(np.arange(n) ** 1.1, np.arange(n) ** 1.1))
    distance = vech.Packed(vech.pack(half, "condensed"), "condensed")
    found = plot.heatmap(distance, order="cluster", method="single", pixels=50)
    assert len(part(found, "brackets").get_segments()) == BRANCHES - 1


@pytest.mark.parametrize("draw", [plot.heatmap, plot.graph])
def test_groups_of_a_series_are_those_of_the_labels(draw):
    S = correlated(4, labels="abcd")
    with pytest.raises(
        ValueError,
        match=r"^row 0 of S is 'a', and of groups 'd': give both the same labels in one order, or pass "
        r"groups.to_numpy\(\) to go by position$",
    ):
        draw(S, groups=pandas.Series(list("xxyy"), index=list("dcba")))
    found = draw(S, groups=pandas.Series(["x", pandas.NA, np.nan, "y"], index=list("abcd"), dtype=object))
    assert [text.get_text() for text in found.axes.get_legend().get_texts()][:2] == ["x", "y"]
    assert found.axes.get_legend().get_texts()[2:] == [] or draw is plot.graph


def test_groups_are_bands_with_a_legend():
    S = correlated(9)
    groups = ["x", "y", "#123456"] * 3
    groups[4] = None
    order = np.array([3, 0, 6, 1, 4, 7, 2, 5, 8])
    found = plot.heatmap(S, order=order, groups=groups)
    above, beside = (child.images[0].get_array() for child in found.axes.child_axes[:2])
    assert above.shape == (1, 9, 4) and beside.shape == (9, 1, 4)
    np.testing.assert_array_equal(above[0], beside[:, 0])
    hexes = [to_hex(rgba, keep_alpha=True) for rgba in above[0]]
    assert hexes[0] == hexes[1] == hexes[2] != hexes[3] == hexes[5]
    assert hexes[4].endswith("00") and set(hexes[6:]) == {"#123456ff"}
    entries = found.axes.get_legend()
    assert [text.get_text() for text in entries.get_texts()] == ["x", "y", "#123456"]
    many = plot.heatmap(correlated(40), groups=range(40))
    words = [text.get_text() for text in many.axes.get_legend().get_texts()]
    assert len(words) == 12 and words[-1] == "and 29 more"
    band = many.axes.child_axes[0].images[0].get_array()[0]
    assert len({tuple(rgba) for rgba in band}) == 40


# ---- words -------------------------------------------------------------------------------------------------


def test_rows_are_named_by_labels():
    S = correlated(4)
    named = vech.Packed(S.half, labels=["a", "b", "c", "d"])
    found = plot.heatmap(named, order=[2, 0, 3, 1])
    assert [text.get_text() for text in found.axes.get_yticklabels()] == ["c", "a", "d", "b"]
    assert [text.get_text() for text in found.axes.get_xticklabels()] == ["c", "a", "d", "b"]
    assert found.axes.get_yticks().tolist() == [0.5, 1.5, 2.5, 3.5]
    assert [t.get_text() for t in plot.heatmap(named, labels=False).axes.get_yticklabels()] == list("0123")
    assert plot.heatmap(S, order=[2, 0, 3, 1]).axes.get_yticks().size == 0
    with pytest.raises(ValueError, match="S has no labels to draw"):
        plot.heatmap(S, labels=True)


@pytest.mark.parametrize(
    "n, length",
    [(3, 40), (20, 5), (20, 40), (60, 40), (500, 5), pytest.param(2000, 40, marks=pytest.mark.slow)],
)
def test_words_stay_in_the_figure_and_apart(n, length):
    half = np.full(n * (n + 1) // 2, 0.5)
    half[-1] = -123456.789
    S = vech.Packed(half, labels=names(n, length))
    groups = [f"a rather long name of a group {k % 5}" for k in range(n)]
    found = plot.heatmap(S, title="A title of several words " * 4, groups=groups, label="x" * 20)
    words = seen.check_words(found.axes.get_figure())
    rows = [text.get_text() for text in found.axes.get_yticklabels()]
    step = round(np.diff(found.axes.get_yticks()[:2])[0])
    assert [
        word.rstrip("…") == name[: len(word.rstrip("…"))]
        for word, name in zip(rows, S.labels[::step], strict=True)
    ]
    assert (step == 1) if n <= 20 else (step > n / 80)
    assert all(word.endswith("…") == (length == 40) for word in rows)
    assert set(rows) <= set(words)


def test_a_tree_leaves_words_where_they_can_be_read():
    found = plot.heatmap(correlated(60, labels=names(60)), order="cluster", title="Sixty")
    assert "Sixty" in seen.check_words(found.axes.get_figure())


GRIDS = {
    "plain": {},
    "labels": {"labels": True},
    "all": {"order": "cluster", "groups": list("ababababababab"), "title": "A title", "labels": True},
}


@pytest.mark.parametrize(
    "more, size", list(zip(GRIDS.values(), [(10, 6), (4, 4), (5, 4)], strict=True)), ids=GRIDS
)
def test_nothing_leaves_its_cell_of_a_grid(more, size):
    figure = Figure(figsize=size)
    grid_of_axes = figure.subplots(2, 2)
    places = [ax.get_window_extent().extents for ax in grid_of_axes.flat]
    for ax in grid_of_axes.flat:
        plot.heatmap(correlated(14, labels=names(14, 24)), ax=ax, **more)
    for ax, place in zip(grid_of_axes.flat, places, strict=True):
        box = ax.get_tightbbox().extents
        assert (box[:2] >= place[:2] - 1).all() and (box[2:] <= place[2:] + 1).all()
    assert not seen.overlaps(seen.texts(figure))


def test_a_layout_engine_of_the_user_is_left_to_work():
    figure = Figure(figsize=(8, 4), layout="constrained")
    for ax in figure.subplots(1, 2):
        plot.heatmap(correlated(6, labels=names(6)), ax=ax, order="cluster", title="A title")
    seen.check_words(figure)


def test_names_settle_where_smaller_ones_leave_room_for_larger_ones(monkeypatch):
    fit, sizes = Place.fit, []

    def counted(place):
        sizes.append(place.axes.get_xticklabels()[0].get_size())
        assert len(sizes) < 10, sizes
        fit(place)

    monkeypatch.setattr(Place, "fit", counted)
    D = vech.Packed(np.random.default_rng(0).random(435), "condensed", labels=[f"g{k}" for k in range(30)])
    axes = new_axes((7, 6), window=False, dpi=150)
    axes.set_position((0.02, 0.02, 0.96, 0.96))
    plot.heatmap(D, ax=axes, order="cluster")
    seen.check_words(axes.get_figure())
    assert sizes == [9.0, 8.5, 8.5]


def test_labels_are_no_formulas():
    wild = ["$x^$", "a_b", "two\nlines", "\\frac", "100 %", "ünïcödé"]
    found = plot.heatmap(
        correlated(6, labels=wild), title="$ and $", label="$_$", groups=["$", "$_$", "%"] * 2
    )
    words = seen.check_words(found.axes.get_figure())
    assert {"$x^$", "two lines", "$ and $"} <= set(words)


def test_settings_of_the_user_are_kept_and_stay():
    settings = {
        "axes.grid": True,
        "image.origin": "lower",
        "font.size": 16,
        "xtick.minor.visible": True,
        "ytick.right": True,
        "xtick.labeltop": True,
    }
    with mpl.rc_context(settings):
        before = dict(mpl.rcParams)
        found = plot.heatmap(correlated(20, labels=names(20)), order="cluster", title="Twenty")
        assert dict(mpl.rcParams) == before
        seen.check_words(found.axes.get_figure())
        own = found.axes.images[0].get_array()
        assert to_hex(colour_at(found, 2, 7)) == to_hex(mpl.colormaps["RdBu"]((own[2, 7] + 1) / 2))


def test_pyplot_knows_nothing_of_axes_that_are_given():
    ax = Figure().subplots()
    pyplot.figure()
    current = pyplot.gcf()
    found = plot.heatmap(correlated(5), ax=ax, order="cluster")
    assert found.axes is ax and pyplot.get_fignums() == [current.number] and pyplot.gcf() is current
    assert not current.axes


WRONG = {
    "not a store": (lambda: plot.heatmap(np.ones(3)), TypeError, "heatmap draws a store, not ndarray"),
    "complex": (
        lambda: plot.heatmap(vech.Packed(np.ones(3) + 1j, kind="hermitian")),
        TypeError,
        "heatmap draws real numbers, not complex128",
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
        ValueError,
        "distance has 3 rows, and S has 4",
    ),
    "negative distance": (
        lambda: plot.heatmap(correlated(4), order="cluster", distance=vech.Packed(-np.ones(6), "condensed")),
        ValueError,
        r"distance\[1, 0\] is -1.0, and distances are finite and not negative",
    ),
    "infinite variance": (
        lambda: plot.heatmap(correlated(3) + vech.Packed(np.array([0, 0, 0, np.inf, 0, 0])), order="cluster"),
        ValueError,
        "the diagonal has inf at 1, so S is no covariance",
    ),
    **{
        f"correlation {value}": (
            lambda value=value: plot.heatmap(
                correlated(3) + vech.Packed(np.array([0, 0, value, 0, 0, 0])), order="cluster"
            ),
            ValueError,
            r"the correlation of S\[2, 0\] is nan, and distances are finite",
        )
        for value in (np.nan, np.inf, -np.inf)
    },
    "infinite distances": (
        lambda: plot.heatmap(vech.Packed(np.array([1, 2, np.inf]), "condensed"), order="cluster"),
        ValueError,
        r"S\[2, 1\] is inf, and distances are finite and not negative",
    ),
    "sparse distance": (
        lambda: plot.heatmap(
            correlated(4), order="cluster", distance=vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4))
        ),
        TypeError,
        "distance must be a store of all its numbers, such as a Packed, not a SparseHalf",
    ),
    "complex distance": (
        lambda: plot.heatmap(
            correlated(3),
            order="cluster",
            distance=vech.Packed(np.ones(3) * 1j, "condensed", kind="symmetric"),
        ),
        TypeError,
        "distance must be real and symmetric to cluster by, and it is of complex128",
    ),
    "skew": (
        lambda: plot.heatmap(vech.Packed(np.arange(6.0), "condensed", kind="skew"), order="cluster"),
        TypeError,
        "S must be real and symmetric to cluster by, and it is skew",
    ),
    "distance alone": (
        lambda: plot.heatmap(correlated(4), distance=correlated(4)),
        TypeError,
        "distance= is for order='cluster'",
    ),
    "pixels": (lambda: plot.heatmap(correlated(4), pixels=0), ValueError, "pixels must be at least 1, not 0"),
    "limits": (
        lambda: plot.heatmap(correlated(4), limits=(1, 0)),
        ValueError,
        r"limits must be two finite numbers, the lower one first, not \(1, 0\)",
    ),
    "content": (lambda: plot.heatmap(correlated(4), content="kernel"), ValueError, "content"),
    "summary": (lambda: plot.heatmap(correlated(4), summary="median"), ValueError, "summary"),
    "triangle": (lambda: plot.heatmap(correlated(4), triangle="left"), ValueError, "triangle"),
    "groups": (
        lambda: plot.heatmap(correlated(4), groups=["a", "b"]),
        ValueError,
        "there are 2 groups for 4 rows",
    ),
    "groups in no order": (
        lambda: plot.heatmap(correlated(4), groups={"a", "b", "c", "d"}),
        TypeError,
        "groups is a set, which has no order: pass a list, one group for each row",
    ),
    "groups by name": (
        lambda: plot.heatmap(correlated(4), groups=dict.fromkeys("abcd", 1)),
        TypeError,
        "groups is a dict: pass a list, one group for each row, of its keys or values",
    ),
    "one group": (
        lambda: plot.heatmap(correlated(4), groups="abcd"),
        TypeError,
        "groups must be a sequence, one group for each row, not 'abcd'",
    ),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_a_frame_is_drawn_as_the_store_of_it():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1.0, 0.5], [0.5, 1.0]], ["a", "b"], ["a", "b"])
    for draw in (plot.heatmap, plot.graph, plot.spectrum):
        drawn, wanted = draw(frame), draw(vech.Packed.from_full(frame))
        texts = [[text.get_text() for text in of.axes.figure.findobj(Text)] for of in (drawn, wanted)]
        assert texts[0] == texts[1]
    assert plot.error(frame, frame.to_numpy()).largest == 0
    with pytest.raises(
        ValueError, match=r"S is not symmetric: a\[1, 0\] is 3.0.*Packed.from_full\(S, use='lower'\)"
    ):
        plot.heatmap(np.array([[1.0, 2.0], [3.0, 1.0]]))


def test_groups_have_no_mask():
    with pytest.raises(TypeError, match="groups is a masked array, whose mask would be lost"):
        plot.heatmap(correlated(4), groups=np.ma.masked_array(["a", "b", "a", "b"], [0, 1, 0, 0]))
