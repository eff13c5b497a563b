"""scikit-bio's distance matrices: the vector of a condensed one is the half itself."""

import importlib
import sys

import numpy as np
import pytest

import vech

skbio = pytest.importorskip("skbio")

from vech.adapters.skbio import from_skbio, to_skbio


def test_there_and_back_by_the_same_memory():
    S = vech.Packed(np.array([4.0, 1, 3, 2, 6, 5]), "condensed", labels=list("abcd"))
    D = to_skbio(S)
    assert isinstance(D, skbio.DistanceMatrix) and D.ids == ("a", "b", "c", "d")
    assert D["b", "d"] == S["b", "d"] == 6
    back = from_skbio(D)
    assert back.labels == S.labels and back.layout == S.layout
    np.testing.assert_array_equal(back.half, S.half)
    assert np.shares_memory(back.half, D.data)


@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "strict-tril", "svec-upper"])
def test_any_layout_is_taken(layout):
    S = vech.Packed(np.array([4.0, 1, 3, 2, 6, 5]), "condensed")
    D = to_skbio(S.to_packed(layout))
    assert D.ids == ("0", "1", "2", "3")
    np.testing.assert_allclose(D.redundant_form(), S.expand())


def test_a_square_is_taken():
    square = skbio.DistanceMatrix([[0, 1.0, 2], [1, 0, 4], [2, 4, 0]], ["x", "y", "z"])
    S = from_skbio(square)
    assert S.half.tolist() == [1, 2, 4] and S.labels == ("x", "y", "z")


def test_one_row_is_a_matrix():
    S = vech.Packed(np.zeros(1), "vech", labels=["alone"])
    assert to_skbio(S).ids == ("alone",) and from_skbio(to_skbio(S)).n == 1


def test_what_does_not_fit_is_refused():
    S = vech.Packed(np.array([4.0, 1, 3]), "condensed")
    with pytest.raises(ValueError, match="rows 0 and 2 both have the id '1', and scikit-bio's ids differ"):
        to_skbio(S.with_labels([1, 2, "1"]))
    with pytest.raises(ValueError, match=r"is -4\.0, and no distance is negative"):
        to_skbio(-1 * S)
    with pytest.raises(ValueError, match="S has no rows, and scikit-bio's matrices have at least one"):
        to_skbio(vech.Packed(np.zeros(0)))
    with pytest.raises(TypeError, match=r"from_skbio takes a skbio\.DistanceMatrix, not ndarray"):
        from_skbio(np.zeros(3))


def test_without_scikit_bio_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "vech.adapters.skbio")
    monkeypatch.setitem(sys.modules, "skbio", None)
    with pytest.raises(ImportError, match=r"needs scikit-bio: pip install 'vech\[skbio\]'$"):
        importlib.import_module("vech.adapters.skbio")
