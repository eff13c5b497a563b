"""Pictures of what quantized matrices have lost, tile by tile."""

import re

import matplotlib as mpl
import numpy as np
import pytest

import vech

pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
mpl.use("Agg")

import seen
from matplotlib import pyplot

from vech import plot


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


def some(n=70, labels=None):
    A = np.random.default_rng(2).normal(size=(n, n)) * np.linspace(0.1, 3, n)
    return vech.Packed(vech.pack(A + A.T), labels=labels)


def test_a_tile_has_the_root_mean_square_of_its_errors():
    S = some()
    Q = vech.quantize(S, "int4", tile=32)
    found = plot.certificate(Q, title="int4")
    squares = (S.expand() - Q.expand()) ** 2
    spans = [slice(0, 32), slice(32, 64), slice(64, 70)]
    expected = np.array([[np.sqrt(squares[i, j].mean()) for j in spans] for i in spans])
    np.testing.assert_allclose(found.errors, expected)
    np.testing.assert_allclose(found.axes.images[0].get_array(), expected)
    assert found.worst == max(((i, j) for i in range(3) for j in range(i + 1)), key=lambda at: expected[at])
    assert found.axes.images[0].get_extent() == [0, 96, 96, 0]
    assert found.axes.get_xlim() == (0, 70)
    title = " ".join(found.axes.get_title().split())
    assert title == (
        f"int4 int4: largest {Q.error.max:.3g}; Frobenius {Q.error.frobenius:.3g}; "
        f"spectral at most {Q.error.spectral_bound:.3g}"
    )
    assert found.bar.ax.get_ylabel() == "root mean square of errors in 32 x 32"


def test_rows_have_their_names_and_nothing_leaves_the_figure():
    Q = vech.quantize(some(6, list("abcdef")))
    found = plot.certificate(Q)
    assert [text.get_text() for text in found.axes.get_yticklabels()] == list("abcdef")
    assert not plot.certificate(Q, labels=False).axes.get_yticklabels()[0].get_text().isalpha()
    seen.check_words(found.axes.get_figure())


def test_nothing_lost_is_nowhere_worst():
    found = plot.certificate(vech.quantize(np.eye(5)))
    assert found.worst is None and not found.errors.any()


@pytest.mark.parametrize(
    ("Q", "error", "message"),
    [
        (some(3), TypeError, "certificate draws what vech.quantize made, not Packed: error(S, T) draws"),
        (7, TypeError, "certificate draws a store, and Q is int"),
        (vech.quantize(np.empty((0, 0))), ValueError, "the matrix is 0 x 0: there is nothing to draw"),
    ],
)
def test_what_has_no_certificate_is_refused(Q, error, message):
    with pytest.raises(error, match=re.escape(message)):
        plot.certificate(Q)


def test_codes_that_came_without_a_certificate_are_refused():
    parts = vech.quantize(np.eye(3)).to_parts() | {"error": None}
    Q = vech.Quantized.from_parts(**parts)
    with pytest.raises(ValueError, match="Q has no certificate to draw: its codes came without an error"):
        plot.certificate(Q)
    with pytest.raises(ValueError, match="Q has no labels to draw"):
        plot.certificate(vech.quantize(np.eye(3)), labels=True)
