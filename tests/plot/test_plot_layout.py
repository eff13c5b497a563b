"""Pictures of layouts: every number in its place, and an arrow from each to the next."""

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
from vech.layouts.dialects import CANONICAL
from vech.layouts.pictures import sides


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def numbers(found):
    """What is written in each cell, (row, column): text."""
    return {
        tuple(round(x) for x in text.get_position()[::-1]): text.get_text()
        for text in found.axes.texts
        if text.get_text()
    }


@pytest.mark.parametrize("name", CANONICAL)
def test_each_number_is_written_where_it_belongs(name):
    layout = vech.as_layout(name)
    n = sides(layout)[-1]
    found = plot.layout(name)
    rows, columns = layout.pair(np.arange(layout.length(n)), n)
    written = {cell: text.rstrip("'*") for cell, text in numbers(found).items()}
    for k, cell in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
        assert written.pop(cell) == str(k) and found.positions[cell] == k
    assert set(written.values()) == (set() if layout.implied is None else {str(layout.implied)})
    assert (found.positions < 0).sum() == n * n - len(rows)
    arrows = [a for a in found.axes.texts if getattr(a, "arrow_patch", None) is not None]
    ways = [(a.xyann, a.xy) for a in arrows]
    assert ways == [((columns[k], rows[k]), (columns[k + 1], rows[k + 1])) for k in range(len(rows) - 1)]
    assert name in found.axes.get_title()


def test_scales_and_crossed_numbers_are_marked():
    assert numbers(plot.layout("svec-lower", 3)) == {
        (0, 0): "0",
        (1, 0): "1'",
        (2, 0): "2'",
        (1, 1): "3",
        (2, 1): "4'",
        (2, 2): "5",
    }
    crossed = plot.layout("lapack-rfp-nl")
    assert "*" in "".join(numbers(crossed).values())
    assert crossed.axes.get_xlabel().startswith("*  stored as it is in the other triangle")
    assert plot.layout("svec-lower").axes.get_xlabel() == "'  stored times the scale"
    assert plot.layout("condensed").axes.get_xlabel() == "grey  a diagonal that is not stored"


def test_a_layout_without_a_name_is_drawn_too():
    found = plot.layout(vech.Layout("upper", "rows", offdiagonal_scale=3.0), 5)
    assert "Layout('upper', 'rows'" in " ".join(found.axes.get_title().split())
    np.testing.assert_array_equal(found.positions[0], range(5))
    assert "pyscf-tril = numpy-tril" in plot.layout("pyscf-tril").axes.get_title()
    assert plot.layout("vech", title="Mine").axes.get_title() == "Mine"


@pytest.mark.parametrize(
    "name, n", [("vech", 1), ("svec-lower", 12), ("lapack-rfp-nl", 5), ("voigt-stress", 3)]
)
def test_words_stay_in_the_figure_and_apart(name, n):
    seen.check_words(plot.layout(name, n).axes.get_figure())


def test_a_layout_stays_in_its_cell():
    figure = Figure(figsize=(6, 3))
    for ax in figure.subplots(1, 2):
        place = ax.get_window_extent().extents
        plot.layout("svec-lower", 5, ax=ax)
        box = ax.get_tightbbox().extents
        assert (box[:2] >= place[:2] - 1).all() and (box[2:] <= place[2:] + 1).all()
    assert not pyplot.get_fignums()


WRONG = {
    "name": (lambda: plot.layout("vec"), ValueError, "vech"),
    "zero": (
        lambda: plot.layout("vech", 0),
        ValueError,
        "n must be 1 to 12 for a picture of a layout, not 0",
    ),
    "many": (
        lambda: plot.layout("vech", 13),
        ValueError,
        "n must be 1 to 12 for a picture of a layout, not 13",
    ),
    "tensor": (lambda: plot.layout("voigt-stress", 4), ValueError, "3"),
}


@pytest.mark.parametrize("call, error, text", WRONG.values(), ids=WRONG)
def test_what_cannot_be_drawn_says_why(call, error, text):
    with pytest.raises(error, match=text):
        call()
