"""Layouts: where each number of a half lives, exactly, for every side."""

import copy
import pickle
import random

import numpy as np
import pytest
import scipy.linalg.lapack
import scipy.spatial.distance
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import LAYOUTS, NAMES, PLAIN, SCALED, SIZES, has_side

LARGE = (46_340, 46_341, 46_342, 65_535, 65_536, 65_537, 92_682, 2**20, 2**31, 3_000_000_000, 4_294_967_295)

every_layout = cases.each("layout", (PLAIN | SCALED).values(), ids=PLAIN | SCALED)
every_plain_layout = cases.each("layout", PLAIN.values(), ids=PLAIN)


# ---- the reference itself: its two independent definitions agree


@every_plain_layout
def test_the_reference_formulas_describe_the_double_loop(layout):
    for n in SIZES:
        for slot, (i, j) in enumerate(reference.cells(layout, n)):
            assert reference.formula(layout, i, j, n) == reference.formula(layout, j, i, n) == slot


# ---- positions


@every_layout
def test_a_half_is_as_long_as_its_cells_are_many(layout):
    for n in SIZES:
        if n > 0 or layout.diagonal == "stored":
            assert layout.length(n) == reference.length(layout, n)


@every_layout
@cases.each("n", SIZES[1:])
def test_position_and_pair_are_the_storage_order(layout, n):
    cells = np.array(reference.cells(layout, n), np.int64).reshape(-1, 2)
    slots = np.arange(len(cells))
    for i, j in (cells.T, cells.T[::-1]):
        position = layout.position(i, j, n)
        assert position.dtype == np.int64
        np.testing.assert_array_equal(position, slots)
    i, j = layout.pair(slots, n)
    assert i.dtype == j.dtype == np.int64
    np.testing.assert_array_equal(i, cells[:, 0])
    np.testing.assert_array_equal(j, cells[:, 1])


@cases.each("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_the_slots_of_the_diagonal_are_where_its_cells_are(layout):
    for n in SIZES:
        if has_side(layout, n):
            slots = {i: slot for slot, (i, j) in enumerate(reference.cells(layout, n)) if i == j}
            found = layout.diagonal_slots(n)
            assert found.dtype == np.int64 and found.tolist() == [slots[i] for i in sorted(slots)]


@every_plain_layout
@cases.each("n", LARGE)
def test_index_arithmetic_is_exact_at_large_n(layout, n):
    strict = layout.diagonal != "stored"
    length = n * (n - 1) // 2 if strict else n * (n + 1) // 2
    assert layout.length(n) == length
    assert layout.side(length) == n

    rng = random.Random(n)
    edges = [0, 1, 2, n // 2 - 1, n // 2, n // 2 + 1, n - 3, n - 2, n - 1, 46_339]
    indices = edges + [rng.randrange(n) for _ in range(100)]
    pairs = [(i, j) for i in indices for j in edges if (i != j or not strict) and max(i, j) < n]
    i, j = np.array(pairs).T
    want = [reference.formula(layout, int(a), int(b), n) for a, b in pairs]
    assert layout.position(i, j, n).tolist() == want
    assert max(want) < length
    own = [(max(p), min(p)) if layout.triangle == "lower" else (min(p), max(p)) for p in pairs]
    assert list(zip(*(axis.tolist() for axis in layout.pair(np.array(want), n)), strict=True)) == own

    around = {slot + step for slot in want for step in (-1, 0, 1)} | {0, 1, length - 1}
    slots = sorted(slot for slot in around if 0 <= slot < length)
    i, j = layout.pair(np.array(slots), n)
    assert [reference.formula(layout, int(a), int(b), n) for a, b in zip(i, j, strict=True)] == slots
    assert np.all(i > j if layout.triangle == "lower" else i < j) or not strict


@given(layout=st.sampled_from(list(PLAIN.values())), n=st.integers(2, 4_294_967_295), data=st.data())
def test_pair_is_the_inverse_of_position(layout, n, data):
    slot = data.draw(st.integers(0, layout.length(n) - 1))
    i, j = layout.pair(slot, n)
    assert layout.position(i, j, n) == layout.position(j, i, n) == slot
    assert min(i, j) >= 0 and max(i, j) < n


def test_positions_broadcast_and_scalars_stay_scalars():
    layout = vech.as_layout("vech")
    table = layout.position(np.arange(4)[:, None], np.arange(4), 4)
    assert table.tolist() == [[0, 1, 2, 3], [1, 4, 5, 6], [2, 5, 7, 8], [3, 6, 8, 9]]
    assert np.ndim(layout.position(3, 1, 4)) == 0
    assert int(layout.position(3, 1, 4)) == 6
    assert [int(x) for x in layout.pair(6, 4)] == [3, 1]
    assert layout.position([], [], 4).shape == (0,)
    i, j = layout.pair(np.array([[0, 1], [2, 3]]), 4)
    assert i.shape == j.shape == (2, 2)


@cases.each("dtype", ["int8", "uint8", "int32", "uint32", "uint64", ">i4"])
def test_narrow_indices_do_not_overflow(dtype):
    layout, n = vech.as_layout("numpy-tril"), 3_000_000_000
    largest = min(np.iinfo(dtype).max, n - 1)
    i, j = np.array([largest], dtype), np.array([largest - 1], dtype)
    assert layout.position(i, j, n).tolist() == [reference.formula(layout, largest, largest - 1, n)]
    k = np.array([largest], dtype)
    row, column = layout.pair(k, n)
    assert reference.formula(layout, int(row[0]), int(column[0]), n) == largest


@pytest.mark.parametrize("strict", [False, True])
def test_every_length_gives_its_side_or_the_two_nearest_lengths(strict):
    layout = vech.Layout(diagonal="zero" if strict else "stored")
    sides = {(n * (n - 1) if strict else n * (n + 1)) // 2: n for n in range(1 if strict else 0, 30)}
    for length in range(201):
        if length in sides:
            assert layout.side(length) == sides[length]
        else:
            below = max(valid for valid in sides if valid < length)
            above = min(valid for valid in sides if valid > length)
            words = (
                rf"(?s)\b{length}\b.*\b{below}\b.*n ?= ?{sides[below]}\b.*\b{above}\b.*n ?= ?{sides[above]}\b"
            )
            with pytest.raises(ValueError, match=words):
                layout.side(length)


@every_plain_layout
@cases.each("n", LARGE)
def test_a_length_that_is_one_off_has_no_side(layout, n):
    length = layout.length(n)
    for wrong in (length - 1, length + 1):
        with pytest.raises(ValueError, match=rf"{wrong}.*{length}|{length}.*{wrong}"):
            layout.side(wrong)


# ---- names


@cases.each(
    ("name", "cells"),
    [
        ("vech", "00 10 20 30 11 21 31 22 32 33"),
        ("lapack-lower", "00 10 20 30 11 21 31 22 32 33"),
        ("lapack-upper", "00 01 11 02 12 22 03 13 23 33"),
        ("numpy-tril", "00 10 11 20 21 22 30 31 32 33"),
        ("numpy-triu", "00 01 02 03 11 12 13 22 23 33"),
        ("condensed", "10 20 30 21 31 32"),
        ("svec-lower", "00 10 20 30 11 21 31 22 32 33"),
        ("svec-upper", "00 01 11 02 12 22 03 13 23 33"),
    ],
)
def test_a_name_is_the_order_its_field_knows(name, cells):
    layout = vech.as_layout(name)
    i, j = layout.pair(np.arange(layout.length(4)), 4)
    assert " ".join(f"{a}{b}" for a, b in zip(i, j, strict=True)) == cells
    assert layout.diagonal_scale == 1.0
    assert layout.offdiagonal_scale == (2**0.5 if name.startswith("svec") else 1.0)


def test_names_agree_with_the_libraries_they_are_named_after():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(7, 7))
    a += a.T
    np.fill_diagonal(a, 0)
    for name, half in {
        "lapack-lower": scipy.linalg.lapack.dtrttp(a, uplo="L")[0],
        "lapack-upper": scipy.linalg.lapack.dtrttp(a, uplo="U")[0],
        "numpy-tril": a[np.tril_indices(7)],
        "numpy-triu": a[np.triu_indices(7)],
        "condensed": scipy.spatial.distance.squareform(a),
        "vech": a.T[np.triu_indices(7)],
    }.items():
        i, j = vech.as_layout(name).pair(np.arange(len(half)), 7)
        np.testing.assert_array_equal(a[i, j], half, err_msg=name)


def test_dialects_are_one_table_of_names_and_layouts():
    assert set(vech.DIALECTS) >= set(NAMES)
    assert vech.DIALECTS["lapack-lower"] == vech.DIALECTS["vech"] == vech.Layout()
    for name, layout in vech.DIALECTS.items():
        assert vech.as_layout(name) == layout
        assert vech.as_layout(layout) is layout


def test_lower_and_upper_are_different_layouts_of_one_order():
    orders = {
        name: vech.Layout(*name.split("-")).order for name in ("lower-rows", "upper-columns", "lower-columns")
    }
    assert orders == {"lower-rows": "grow", "upper-columns": "grow", "lower-columns": "shrink"}
    assert vech.as_layout("lapack-upper") != vech.as_layout("numpy-tril")


# ---- the value object


def test_a_layout_is_a_frozen_value():
    layout = vech.Layout("upper", "rows", diagonal="one", offdiagonal_scale=2.0)
    same = vech.Layout("upper", "rows", diagonal="one", offdiagonal_scale=2)
    assert layout == same and hash(layout) == hash(same)
    assert pickle.loads(pickle.dumps(layout)) == copy.deepcopy(layout) == layout
    assert layout != vech.Layout("upper", "rows", diagonal="one")
    with pytest.raises(AttributeError):
        layout.triangle = "lower"
    assert eval(repr(layout), {"Layout": vech.Layout}) == layout


def test_the_default_layout_is_vech():
    assert vech.Layout() == vech.Layout("lower", "columns", diagonal="stored") == vech.as_layout("vech")


def test_diagonal_and_scales_are_keyword_only():
    with pytest.raises(TypeError):
        vech.Layout("lower", "columns", "stored")


# ---- errors, one test per message


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("svec-lowr", "svec-lower"), ("numpytril", "numpy-tril"), ("condense", "condensed"), ("Vech", "vech")],
)
def test_an_unknown_name_is_answered_with_the_nearest_ones(name, nearest):
    with pytest.raises(ValueError, match=rf"{name}.*{nearest}"):
        vech.as_layout(name)


def test_a_name_near_nothing_is_answered_with_the_choices():
    with pytest.raises(ValueError, match=r"zzzzzz.*vech.*numpy-tril"):
        vech.as_layout("zzzzzz")


@pytest.mark.parametrize("what", [None, 3, ("lower", "columns"), b"vech"])
def test_a_layout_is_a_name_or_a_layout(what):
    with pytest.raises(TypeError, match="layout"):
        vech.as_layout(what)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"triangle": "left"}, r"triangle.*left.*lower.*upper"),
        ({"traversal": "diagonal"}, r"traversal.*diagonal.*columns.*rows"),
        ({"diagonal": "two"}, r"diagonal.*two.*stored.*zero.*one"),
    ],
)
def test_a_field_has_few_values(arguments, words):
    with pytest.raises(ValueError, match=words):
        vech.Layout(**arguments)


@cases.each("field", ["diagonal_scale", "offdiagonal_scale"])
@cases.each("value", [0, 0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_is_finite_and_positive(field, value):
    with pytest.raises(ValueError, match=rf"{field}.*finite.*positive.*{value}"):
        vech.Layout(**{field: value})


@pytest.mark.parametrize("value", [1j, "2", None])
def test_a_scale_is_a_real_number(value):
    with pytest.raises(TypeError, match=r"offdiagonal_scale.*real"):
        vech.Layout(offdiagonal_scale=value)


@every_plain_layout
@cases.each(("i", "j"), [(4, 0), (0, 4), (-1, 0), (0, -1), (2**40, 0)])
def test_position_refuses_what_is_out_of_range(layout, i, j):
    with pytest.raises(IndexError, match=rf"{i if i not in (0,) else j}.*out of range.*4"):
        layout.position([1, i], [0, j], 4)


@pytest.mark.parametrize("diagonal", ["zero", "one"])
def test_position_refuses_a_diagonal_that_is_not_stored(diagonal):
    with pytest.raises(IndexError, match=r"\(2, 2\).*not stored"):
        vech.Layout(diagonal=diagonal).position([0, 2], [1, 2], 4)


@every_plain_layout
def test_pair_refuses_what_is_out_of_range(layout):
    for k in (-1, layout.length(4), 2**62):
        with pytest.raises(IndexError, match=rf"{k}.*out of range"):
            layout.pair([0, k], 4)


@cases.each("wrong", [1.0, "1", True, np.array([1.5]), np.array([True])])
def test_positions_are_integers(wrong):
    layout = vech.Layout()
    with pytest.raises(TypeError, match="integer"):
        layout.position(wrong, 0, 4)
    with pytest.raises(TypeError, match="integer"):
        layout.pair(wrong, 4)


@pytest.mark.parametrize("wrong", [4.0, "4", None, True])
def test_a_side_and_a_length_are_integers(wrong):
    for method in (vech.Layout().length, vech.Layout().side):
        with pytest.raises(TypeError, match="integer"):
            method(wrong)


@pytest.mark.parametrize("method", ["length", "side"])
def test_a_side_and_a_length_are_not_negative(method):
    with pytest.raises(ValueError, match="-1"):
        getattr(vech.Layout(), method)(-1)


@pytest.mark.parametrize("n", [4_294_967_296, 2**40])
def test_a_side_whose_positions_need_more_than_63_bits_is_refused(n):
    with pytest.raises((ValueError, OverflowError), match=str(n)):
        vech.Layout().position(0, 0, n)
