"""The small picture of a store in a notebook: shades, names, range and size."""

import re

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from test_third_store import Rows
from vech.derived import portrait


def facts(store):
    return dict(re.findall(r"<th>(.*?)</th><td>(.*?)</td>", store._repr_html_()))


def colours(store):
    return re.findall(r'fill="(#.*?)"', store._repr_html_())


@pytest.mark.parametrize("n", [0, 1, 2, 3, 16, 17, 40, 1000])
@pytest.mark.parametrize("dtype", ["f8", "c16", "?", "i4", "M8[D]", "f2", "bfloat16"])
def test_a_notebook_shows_a_small_picture(n, dtype):
    dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
    half = cases.moderate(dtype, n * (n + 1) // 2)
    store = vech.Packed(half, kind="symmetric")
    shown = store._repr_html_()
    assert len(shown) < 50_000
    assert shown.count("<rect") == min(n, 16) ** 2
    told = facts(store)
    assert told["n"] == str(n) and told["kind"] == "symmetric" and told["layout"] == "vech"
    assert told["dtype"] == str(dtype).replace("<", "&lt;").replace(">", "&gt;")
    assert told["bytes"] == f"{half.nbytes:,} (full matrix: {n * n * dtype.itemsize:,})"


def test_the_picture_tells_signs_sizes_and_what_is_not_finite():
    store = vech.Packed(np.array([4.0, -4.0, 0.0, np.nan, 1.0, np.inf]))
    full = np.array(colours(store)).reshape(3, 3)
    assert (full == full.T).all()
    assert full[0, 0] == "#2166ac" and full[0, 1] == "#b2182b" and full[0, 2] == "#ffffff"
    assert full[1, 1] == full[2, 2] == "#888" and full[1, 2] not in ("#2166ac", "#ffffff")


def test_a_large_diagonal_does_not_pale_the_rest():
    store = vech.Packed(np.array([1e6, -0.5, 1.0, 1e6, 0.0, 1e6]))
    full = np.array(colours(store)).reshape(3, 3)
    assert full[0, 2] == "#2166ac" == full[0, 0]


def test_a_layout_without_a_name_is_safe_in_html():
    store = vech.Packed(np.ones(3), vech.Layout(offdiagonal_scale=3), labels=["<b>", "&"])
    shown = store._repr_html_()
    assert "Layout(&#x27;lower&#x27;" in shown
    assert "<b>" not in shown and "&lt;b&gt;, &amp;" in shown and ">&amp;</text>" in shown


def test_labels_range_and_size_are_told():
    S = vech.Packed(np.array([9.0, -0.25, 0.5, 9.0, np.nan, 9.0]), labels=["a", "b", "c" * 30])
    told = facts(S)
    assert told["labels"] == "a, b, " + "c" * 13 + "…"
    assert told["range"] == "-0.25 to 0.5 off the diagonal, 1 not finite"
    assert "<title>a, b: -0.25</title>" in S._repr_html_()
    long = vech.Packed(np.arange(20 * 21 // 2.0), labels=[f"r{k}" for k in range(20)])
    assert facts(long)["labels"] == "r0, r1, r2, ..., r17, r18, r19"
    assert facts(long)["range"] == "1 to 208 off the diagonal"
    assert "<text" not in long._repr_html_()
    assert facts(vech.Packed(np.ones(1)))["range"] == "no number off the diagonal"
    assert facts(vech.Packed(np.full(3, np.nan)))["range"] == "no finite number, 1 not finite"


def test_means_and_samples_are_said():
    assert "picture" not in facts(vech.Packed(np.ones(136)))
    assert facts(vech.Packed(np.ones(153)))["picture"] == "means over 16 x 16 parts"
    large = facts(vech.Packed(np.ones(129 * 130 // 2)))
    assert large["picture"] == "means over 16 x 16 parts, of a sample" and "of a sample" in large["range"]


def test_a_sparse_half_shows_what_it_stores():
    S = vech.SparseHalf.from_coo([2_999_999_999], [0], [-2.0], 3_000_000_000, use="lower")
    full = np.array(colours(S)).reshape(16, 16)
    assert full[15, 0] == full[0, 15] == "#b2182b" and (full != "#ffffff").sum() == 2
    told = facts(S)
    assert told["range"] == "-2 to -2 off the diagonal"
    assert told["stored"] == "1 in the lower triangle"
    assert told["picture"] == "means of what is stored in 16 x 16 parts"
    small = vech.SparseHalf.from_sparse(scipy.sparse.eye_array(4))
    assert facts(small)["range"] == "0 to 0 off the diagonal"


def test_any_store_has_a_picture():
    store = Rows(np.array([[1.0, 2.0], [2.0, 1.0]]), "symmetric", ["a", "b"])
    assert facts(store)["labels"] == "a, b" and "layout" not in facts(store)


def test_every_cell_of_the_picture_samples_its_block():
    for n in (128, 1000, 100_000):
        rows = portrait.sampled(n)
        assert rows.size == portrait.SIDE * portrait.SAMPLES and (np.diff(rows) >= 0).all()
        assert rows[0] >= 0 and rows[-1] < n
        assert (
            rows * portrait.SIDE // n == np.repeat(np.arange(portrait.SIDE), portrait.SAMPLES)
        ).mean() > 0.9
