"""Graphs of pairs: which are the strongest, and how they are drawn."""

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse

import vech

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
mpl.use("Agg")

import seen
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from vech import plot
from vech.plot.axes import NEGATIVE, POSITIVE
from vech.plot.graph import THICK, THIN


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def store(n, seed=0, labels=None):
    return vech.Packed(np.random.default_rng(seed).normal(size=n * (n + 1) // 2), labels=labels)


def expected(S, k, smallest=False):
    """By a full sort: size, then the smaller of both rows, then the other."""
    full = S.expand()
    pairs = [
        (i, j) for i in range(S.n) for j in range(i) if np.isfinite(full[i, j]) and (smallest or full[i, j])
    ]
    return sorted(pairs, key=lambda p: (abs(full[p]) if smallest else -abs(full[p]), *p[::-1]))[:k]


@pytest.mark.parametrize("smallest", [False, True])
@pytest.mark.parametrize("n, k", [(2, 3), (6, 1), (30, 7), (30, 1000)])
def test_the_pairs_are_the_first_of_a_full_sort(smallest, n, k):
    content = "distance" if smallest else "similarity"
    for S in (store(n), vech.Packed(np.round(store(n).half * 2))):
        found = plot.graph(S, k, content=content)
        ranked = expected(S, k, smallest)
        assert list(map(tuple, found.pairs.tolist())) == ranked
        np.testing.assert_array_equal(found.values, [S[pair] for pair in ranked])


def test_nan_and_infinity_are_no_pairs():
    S = store(9)
    S[4, 2], S[5, 1] = np.nan, np.inf
    assert not {(4, 2), (5, 1)} & set(map(tuple, plot.graph(S, 36).pairs.tolist()))
    assert len(plot.graph(S, 100).pairs) == 34


def test_a_sparse_half_gives_pairs_that_it_stores():
    A = scipy.sparse.random_array((300, 300), density=1e-3, random_state=np.random.default_rng(0))
    S = vech.SparseHalf.from_sparse((A + A.T).tocsr())
    assert list(map(tuple, plot.graph(S, 9).pairs.tolist())) == expected(S, 9)


def test_lines_tell_sign_and_strength():
    S = vech.Packed(np.array([1.0, 0.9, 0.1, 1.0, -0.5, 1.0]), labels=["a", "b", "c"])
    found = plot.graph(S, 3)
    lines = found.axes.collections[0]
    assert [to_hex(c) for c in lines.get_edgecolors()] == [POSITIVE, NEGATIVE, POSITIVE]
    assert lines.get_linewidths()[0] == THIN and lines.get_linewidths()[-1] == THICK  # the strongest on top
    words = seen.check_words(found.axes.get_figure())
    assert {"a", "b", "c", "strongest of 3: 0.9", "weakest of 3: 0.1", "negative", "correlation"} <= set(
        words
    )
    assert found.values.tolist() == [0.9, -0.5, 0.1]


def test_of_distances_the_smallest_are_the_strongest():
    points = np.random.default_rng(3).normal(size=(12, 2))
    S = vech.Packed(vech.pack(np.linalg.norm(points[:, None] - points, axis=2), use="lower"))
    found = plot.graph(S, 5)
    assert list(map(tuple, found.pairs.tolist())) == expected(S, 5, smallest=True)
    widths = found.axes.collections[0].get_linewidths()
    assert widths[-1] == THICK and widths[0] == THIN


def test_what_hangs_together_stands_together():
    half = vech.pack(
        np.kron(np.eye(3), np.ones((4, 4)))[:, np.argsort([5, 1, 9, 2, 0, 3, 11, 4, 8, 6, 7, 10])][
            np.argsort([5, 1, 9, 2, 0, 3, 11, 4, 8, 6, 7, 10])
        ]
    )
    S = vech.Packed(half)
    found = plot.graph(S, 18)
    full = S.expand()
    blocks = found.nodes.reshape(3, 4)
    assert all(full[np.ix_(block, block)].all() for block in blocks)
    grouped = plot.graph(S, 18, groups=[f"g{k % 2}" for k in range(12)])
    assert (np.diff(grouped.nodes % 2) != 0).sum() == 1


@pytest.mark.parametrize("n, k", [(3, 3), (20, 30), (60, 40), (500, 400)])
@pytest.mark.parametrize("length", [4, 40])
def test_names_are_on_the_figure_and_apart(n, k, length):
    S = store(n, labels=[f"{j}_{'x' * length}" for j in range(n)])
    found = plot.graph(S, k, title="The strongest", groups=[f"group {j % 3}" for j in range(n)])
    figure = found.axes.get_figure()
    boxes = seen.texts(figure)
    assert not seen.outside(boxes, 0, 0, *figure.bbox.extents[2:])
    names = [t for t in found.axes.texts if t.get_text()]
    angles = np.array([np.arctan2(*t.xy[::-1]) for t in names])
    radius = np.linalg.norm(found.axes.transData.transform((1, 0)) - found.axes.transData.transform((0, 0)))
    apart = radius * np.abs(np.exp(1j * angles) - np.exp(1j * np.roll(angles, 1))) * 72 / figure.dpi
    assert (apart > 0.95 * names[0].get_size()).all()
    legend = found.axes.get_legend().get_window_extent().extents
    inside = [box for word, box in boxes if "_" in word]
    assert not any(
        (np.minimum(box[2:], legend[2:]) > np.maximum(box[:2], legend[:2]) + 1).all() for box in inside
    )


def test_a_graph_stays_in_its_cell():
    figure = Figure(figsize=(8, 4))
    for ax in figure.subplots(1, 2):
        place = ax.get_window_extent().extents
        plot.graph(store(30, labels=[f"name {k}" for k in range(30)]), ax=ax, title="Pairs")
        box = ax.get_tightbbox().extents
        assert (box[:2] >= place[:2] - 1).all() and (box[2:] <= place[2:] + 1).all()
    assert not pyplot.get_fignums()


def test_a_matrix_without_pairs_has_a_picture():
    for S in (vech.Packed(np.ones(1)), vech.Packed(np.array([1.0, 0, 1])), vech.Packed(np.full(3, np.nan))):
        assert plot.graph(S).pairs.shape == (0, 2)


WRONG = {
    "store": (lambda: plot.graph(np.ones(3)), TypeError, "graph draws a store, not ndarray"),
    "k": (
        lambda: plot.graph(store(3), 0),
        ValueError,
        "k must be at least 1, not 0: it is the number of pairs",
    ),
    "labels": (lambda: plot.graph(store(3), labels=True), ValueError, "S has no labels to draw"),
    "groups": (lambda: plot.graph(store(3), groups=["a"]), ValueError, "there are 1 groups for 3 rows"),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
