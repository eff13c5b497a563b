"""Packed: the plain store over one half; indexing means what it means for the full matrix."""

import copy
import itertools
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import DTYPES, LAYOUTS, STORE_KINDS
from compare import assert_close, assert_same_bits


def fits(layout, dtype, kind, n=5):
    return kind != "triangular" and cases.fits(layout, dtype, kind, n)


def packed(layout, dtype, kind, n, **more):
    """A store and the full matrix it stands for, by the reference."""
    half = cases.half(dtype, layout, kind, n, **more)
    return vech.Packed(half, layout, kind=kind), reference.expand(half, layout, kind)


every_pair = cases.each(
    ("layout", "dtype", "kind"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=DTYPES, kind=STORE_KINDS, apart=("layout", "dtype")),
)
# each order, triangle, diagonal and scale with each kind, in two dtypes
MATRICES = [
    pytest.param(layout, np.dtype(dtype), kind, id=f"{name}-{dtype}-{kind}")
    for (name, layout), dtype, kind in itertools.product(
        LAYOUTS.items(), ("float64", "complex64"), STORE_KINDS
    )
    if cases.fits(layout, np.dtype(dtype), kind, 5)
]
every_matrix = cases.each(("layout", "dtype", "kind"), MATRICES)


# ---- the object --------------------------------------------------------------------------------------------


@every_pair
def test_a_packed_is_its_half(layout, dtype, kind):
    half = cases.half(dtype, layout, kind, 5)
    store = vech.Packed(half, layout, kind=kind)
    assert np.shares_memory(store.half, half) and store.half.dtype == dtype and store.half.shape == half.shape
    assert store.layout == layout
    assert store.nbytes == half.nbytes
    assert store.n == 5
    assert_same_bits(store.expand(), reference.expand(half, layout, kind))


def test_the_half_is_not_copied():
    half = np.arange(20.0)[::2]
    store = vech.Packed(half)
    half[0] = 99
    assert store[0, 0] == 99 and store.expand()[0, 0] == 99
    fixed = np.arange(10.0)
    fixed.flags.writeable = False
    assert vech.Packed(fixed).half is fixed


def test_a_memory_map_stays_one_and_copies_are_arrays(tmp_path):
    mapped = np.memmap(tmp_path / "half", np.float64, "w+", shape=10)
    store = vech.Packed(mapped)
    assert store.half is mapped
    store += vech.Packed(vech.pack(np.eye(4)))
    assert store.half is mapped and mapped.tolist() == vech.pack(np.eye(4)).tolist()
    for twin in (store.copy(), copy.deepcopy(store), pickle.loads(pickle.dumps(store)), store + store):
        assert type(twin.half) is np.ndarray and not np.shares_memory(twin.half, mapped)


def test_a_list_becomes_a_half():
    assert vech.Packed([1, 2, 3]).expand().tolist() == [[1, 2], [2, 3]]


def test_the_default_layout_is_vech_and_a_name_will_do():
    assert vech.Packed(np.zeros(6)).layout == vech.as_layout("vech")
    assert vech.Packed(np.zeros(6), "condensed").n == 4


def test_a_half_is_one_dimensional():
    with pytest.raises(ValueError, match=r"(?s)\(2, 6\).*one vector"):
        vech.Packed(np.zeros((2, 6)))
    with pytest.raises(ValueError, match=r"(?s)vector|shape"):
        vech.Packed(np.array(1.0))


def test_a_half_of_no_side_is_refused():
    with pytest.raises(ValueError, match=r"11.*10.*15"):
        vech.Packed(np.zeros(11))


def test_the_kind_of_a_complex_half_must_be_said():
    with pytest.raises((ValueError, TypeError), match="say kind='symmetric' or kind='hermitian'"):
        vech.Packed(np.zeros(6, complex))


def test_a_skew_half_is_signed():
    with pytest.raises(TypeError, match=r"(?s)skew.*signed|signed.*skew"):
        vech.Packed(np.zeros(6, np.uint8), kind="skew")


def test_a_scaled_layout_needs_an_inexact_half():
    with pytest.raises(TypeError, match="astype"):
        vech.Packed(np.zeros(6, int), "svec-lower").expand()


def test_no_attribute_can_be_set_by_mistake():
    store = vech.Packed(np.zeros(6))
    with pytest.raises(AttributeError):
        store.layout = "numpy-tril"


@every_matrix
def test_a_packed_can_be_pickled(layout, dtype, kind):
    half = cases.half(dtype, layout, kind, 5)
    store = vech.Packed(half, layout, kind=kind, labels=list("abcde"))
    for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store)):
        assert other.layout == layout and other.kind == store.kind and list(other.labels) == list("abcde")
        assert_same_bits(other.half, half)


@every_matrix
def test_the_transpose_is_relabelled_not_copied(layout, dtype, kind):
    store, full = packed(layout, dtype, kind, 5)
    if store.kind == "symmetric" or isinstance(layout, vech.Layout):  # no other order has a transposed one
        assert np.shares_memory(store.T.half, store.half)
    assert_same_bits(store.T.expand(), np.ascontiguousarray(full.T))
    assert_same_bits(store.T.T.expand(), full)
    with np.errstate(invalid="ignore"):  # NumPy 2.0 warns of signalling NaNs that it compares
        np.testing.assert_array_equal(store.H.expand(), full.conj().T)


# ---- indexing: as NumPy does it with the full matrix -------------------------------------------------------

MASK = np.array([True, False, True, True, False])
INDICES = [
    (0, 0), (4, 1), (1, 4), (-1, 0), (0, -5), (np.int64(2), np.uint8(3)),
    0, 3, -1, np.int32(2),
    (2, slice(None)), (slice(None), 2), (slice(None), slice(None)), (slice(1, 4), slice(0, 2)),
    (slice(None, None, 2), slice(None, None, -1)), (slice(3, 1), slice(None)), (slice(-2, None), -1),
    (slice(4, None, -2), slice(1, 5, 3)), slice(1, 3), slice(None), slice(None, None, -1), slice(9, 2),
    [0, 2], [-1, 0, 0], [], ([0, 1], [2, 3]), ([4, 4], [0, 0]), ([3], [0, 1, 2]),
    (np.array([[0], [1]]), np.array([2, 3])),
    (np.array([[0, 1], [2, 3]]), 4), (2, [0, 1]), ([0, 1], 2), (slice(None), [0, 3]),
    ([0, 3], slice(1, None)),
    (np.array([[0, 1], [2, 3]]), slice(None)), (slice(0, 2), np.array([[0, 1], [2, 3]])),
    MASK, (MASK, 0), (0, MASK), (MASK, MASK), (MASK, slice(None)), (slice(None), MASK),
    ([0, 1, 2], MASK), ~MASK & MASK,
    (np.array([0, 1], np.uint8), np.array([4, 3], np.int16)), np.array([[0, 1], [4, 3]]),
]  # fmt: skip


@cases.each(
    ("layout", "dtype", "kind", "index"),
    cases.pairwise(
        lambda layout, dtype, kind, index: fits(layout, dtype, kind),
        layout=LAYOUTS,
        dtype=(np.dtype("float64"), np.dtype("complex64")),
        kind=STORE_KINDS,
        index={str(index).replace("\n", ""): index for index in INDICES},
        apart=("layout", "index"),  # an index is read before its cells are found
    ),
)
def test_indexing_is_that_of_the_full_matrix(layout, dtype, kind, index):
    store, full = packed(layout, dtype, kind, 5)
    got, want = store[index], full[index]
    assert type(got) is type(want), f"{type(got)} instead of {type(want)}"
    assert got.dtype == want.dtype and got.shape == want.shape
    assert got.tobytes() == want.tobytes()


@every_pair
def test_every_dtype_can_be_indexed(layout, dtype, kind):
    store, full = packed(layout, dtype, kind, 17)
    for index in ((16, 3), (3, 16), 7, (slice(2, 9), slice(5, 17)), ([1, 2], [16, 2]), slice(None, None, -3)):
        got, want = np.asarray(store[index]), np.asarray(full[index])
        assert got.dtype == want.dtype and got.shape == want.shape and got.tobytes() == want.tobytes()


def test_a_matrix_of_masks_selects_single_numbers():
    store, full = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    assert_same_bits(store[full > 0], full[full > 0])


def test_an_indexed_result_is_a_copy():
    store, full = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    store[2][:] = 0
    store[1:3][...] = 0
    assert_same_bits(store.expand(), full)


@given(data=st.data(), n=st.integers(0, 9))
def test_any_slices_and_arrays_mean_what_numpy_means(data, n):
    kind = data.draw(st.sampled_from(["symmetric", "skew"]))
    store, full = packed(vech.as_layout("lapack-upper"), np.dtype(float), kind, n)

    def axis(width):
        options = [st.slices(n)]
        if n:
            options += [
                st.integers(-n, n - 1),
                st.lists(st.integers(-n, n - 1), min_size=width, max_size=width),
            ]
        return st.one_of(options)

    width = data.draw(st.integers(0, 4))
    index = data.draw(axis(width)), data.draw(axis(width))
    got, want = np.asarray(store[index]), np.asarray(full[index])
    assert got.shape == want.shape and got.tobytes() == want.tobytes()


@cases.each("index", [(5, 0), (0, 5), (-6, 0), 5, -6, [0, 5], ([0, 1], [0, 7]), (slice(None), 5)], ids=str)
def test_an_index_out_of_range_is_an_index_error(index):
    store, _ = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    with pytest.raises(IndexError, match=r"(?s)(5|-6|7).*(out of|5)"):
        store[index]


@cases.each(
    "index",
    [
        (Ellipsis, 0, Ellipsis),
        1.0,
        (1.0, 2),
        "a",
        ([0.5], 0),
        (0, 1, 2),
        (None, 0),
        ([0, 1], [0, 1, 2]),
        (np.ones(4, bool), 0),
        np.ones((4, 4), bool),
    ],
    ids=str,
)
def test_what_numpy_would_not_take_is_an_index_error(index):
    store, _ = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    with pytest.raises((IndexError, TypeError)):
        store[index]


@cases.each(
    "index",
    [..., (..., 0), (0, ...), (..., slice(1, 3)), (slice(2), ...), (..., 1, 2), (1, ..., 2), (1, 2, ...)],
    ids=str,
)
def test_an_ellipsis_stands_for_the_axes_that_are_not_named(index):
    store, full = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    assert_same_bits(np.asarray(store[index]), np.asarray(full[index]))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ((..., 0, ...), "an index has one ... at most"),
        ((..., 0, 1, 2), "a matrix has 2 axes, but 3 were indexed"),
        (None, "None adds an axis, and a store has just two: index expand() instead"),
        ((None, 0), "None adds an axis, and a store has just two: index expand() instead"),
    ],
    ids=str,
)
def test_an_index_of_other_axes_names_what_fits(index, message):
    store, _ = packed(vech.Layout(), np.dtype(float), "symmetric", 5)
    with pytest.raises(IndexError, match=re.escape(message)):
        store[index]


def test_indexing_a_large_matrix_touches_only_what_it_asks_for():
    n = 100_000
    store = vech.Packed(cases.untouched(n * (n + 1) // 2))
    assert store[n - 1, n - 1] == 0
    assert store[[0, n - 1], [n - 1, 5]].shape == (2,)
    assert store[3].shape == (n,)
    assert store[:5, -3:].shape == (5, 3)
    assert store.diagonal().shape == (n,)
    assert store.expand(slice(n - 2, n)).shape == (2, n)
    assert store.block([1, 5], [0, 99_999]).shape == (2, 2)
    assert store.submatrix([7, 99_998]).n == 2


# ---- block, submatrix, permute -----------------------------------------------------------------------------


@every_matrix
def test_a_block_is_the_outer_selection(layout, dtype, kind):
    store, full = packed(layout, dtype, kind, 5)
    for selection in (
        ([0, 3], [1, 2, 4]),
        ([2, 2], [2]),
        ([], [1]),
        (slice(1, 4), [0, -1]),
        (MASK, slice(None, None, 2)),
        (np.array([-1]), np.array([0])),
    ):
        indices = [
            np.arange(5)[axis if isinstance(axis, slice) else np.array(axis, bool if axis is MASK else int)]
            for axis in selection
        ]
        assert_same_bits(store.block(*selection), np.ascontiguousarray(full[np.ix_(*indices)]))


@every_matrix
def test_a_submatrix_is_a_packed_of_rows_and_their_columns(layout, dtype, kind):
    half = cases.half(dtype, layout, kind, 5)
    store = vech.Packed(half, layout, kind=kind, labels=list("abcde"))
    full = reference.expand(half, layout, kind)
    for index in ([3, 0, 4], [2], [4, 3, 2, 1, 0], [-1, 0], slice(1, 4), MASK):
        chosen = np.arange(5)[index]
        part = store.submatrix(index)
        assert type(part) is vech.Packed and part.kind == store.kind and part.layout == layout
        assert list(part.labels) == [list("abcde")[k] for k in chosen]
        assert_same_bits(part.expand(), np.ascontiguousarray(full[np.ix_(chosen, chosen)]))
        assert not np.shares_memory(part.half, half)


def test_a_submatrix_of_nothing():
    store = vech.Packed(np.arange(6.0))
    assert store.submatrix([]).shape == (0, 0)


def test_a_submatrix_out_of_range_is_an_index_error():
    with pytest.raises(IndexError, match="5"):
        vech.Packed(np.zeros(15)).submatrix([0, 5])


@every_matrix
def test_permuting_reorders_rows_and_columns(layout, dtype, kind):
    half = cases.half(dtype, layout, kind, 5)
    store = vech.Packed(half, layout, kind=kind, labels=list("abcde"))
    full = reference.expand(half, layout, kind)
    for order in ([4, 2, 0, 1, 3], [0, 1, 2, 3, 4], [-1, 0, 1, 2, 3]):
        moved = store.permute(order)
        assert type(moved) is vech.Packed and moved.layout == layout and moved.kind == store.kind
        assert "".join(moved.labels) == "".join("abcde"[k] for k in order)
        assert_same_bits(moved.expand(), np.ascontiguousarray(full[np.ix_(order, order)]))


def test_permuting_back_restores_the_bits():
    half = cases.half(np.complex128, vech.Layout(), "hermitian", 65)
    store = vech.Packed(half, kind="hermitian")
    order = np.random.default_rng(0).permutation(65)
    assert_same_bits(store.permute(order).permute(np.argsort(order)).half, half)


@pytest.mark.parametrize("order", [[0, 1, 1], [0, 1], [0, 1, 2, 2], [0, 1, 3], [[0, 1, 2]]], ids=str)
def test_an_order_is_a_permutation(order):
    with pytest.raises((ValueError, IndexError), match=r"(?s)permut|order|3"):
        vech.Packed(np.zeros(6)).permute(order)


# ---- operators ---------------------------------------------------------------------------------------------


def test_a_number_times_a_store_is_a_store():
    store, full = packed(vech.Layout(), np.dtype(float), "symmetric", 5, values=cases.moderate)
    for product in (np.float64(2) * store, 2 * store, store * 2.0):
        assert_same_bits(product.expand(), 2 * full)


@pytest.mark.parametrize("name", ["vech", "numpy-tril", "condensed", "svec-upper"])
def test_a_function_is_mapped_over_each_number_once(name):
    store, full = packed(vech.as_layout(name), np.dtype(float), "symmetric", 5, values=cases.moderate)
    mapped = store.map(np.exp)
    assert type(mapped) is vech.Packed and mapped.kind == "symmetric"
    np.testing.assert_allclose(mapped.expand(), np.exp(full), rtol=1e-15)


def test_a_function_of_a_skew_matrix_is_not_mapped():
    with pytest.raises(TypeError, match=r"(?s)skew.*expand"):
        vech.Packed(np.zeros(6), kind="skew").map(np.exp)


@every_matrix
def test_a_packed_multiplies_like_the_full_matrix(layout, dtype, kind):
    store, full = packed(layout, dtype, kind, 9, values=cases.moderate)
    x = cases.moderate(dtype, 9)
    assert_close(store @ x, reference.matmul(full, x), 9, np.abs(full) @ np.abs(x))
    assert_close(x @ store, reference.matmul(full.T, x), 9, np.abs(full).T @ np.abs(x))


@pytest.mark.parametrize("n", [1500])
@pytest.mark.parametrize("name", ["vech", "numpy-tril", "condensed"])
def test_a_product_of_many_panels_is_the_product(n, name):
    layout = vech.as_layout(name)
    half = cases.moderate(np.float64, layout.length(n))
    store, full = vech.Packed(half, layout), vech.expand(half, layout)
    x = cases.moderate(np.float64, (n, 2))
    for product in (store @ x, store.matmul(x, threads=2)):
        assert_close(product, full @ x, n, np.abs(full) @ np.abs(x))


def test_dates_cannot_be_multiplied():
    with pytest.raises(TypeError):
        vech.Packed(np.zeros(6, "M8[s]")) @ np.ones(3)


@pytest.mark.parametrize("dtype", ["float16", ">f8", ">c16", ">i4"])
def test_products_of_less_common_dtypes_have_numpys_dtype(dtype):
    full = cases.matrix(np.dtype(dtype), "symmetric", 9)
    store = vech.Packed(reference.pack(full, vech.Layout()), kind="symmetric")
    x = cases.moderate(np.dtype(dtype), 9)
    product = store @ x
    assert product.dtype == (full @ x).dtype
    assert_close(
        product.astype(complex),
        (full @ x).astype(complex),
        2**42 if dtype == "float16" else 9,
        np.abs(full.astype(complex)) @ np.abs(x.astype(complex)),
    )


def test_a_float16_product_is_within_its_rounding():
    full = cases.matrix(np.dtype("float16"), "symmetric", 9)
    x = cases.moderate(np.dtype("float16"), 9)
    product = vech.Packed(reference.pack(full, vech.Layout())) @ x
    assert product.dtype == np.float16
    exact = full.astype(float) @ x.astype(float)
    bound = cases.tolerance(np.float16, 9) * (np.abs(full.astype(float)) @ np.abs(x.astype(float)))
    assert np.all(np.abs(product.astype(float) - exact) <= bound)


# ---- what a strict layout implies --------------------------------------------------------------------------


@pytest.mark.parametrize(("diagonal", "number"), [("zero", 0.0), ("one", 1.0)])
def test_the_implied_diagonal_is_there(diagonal, number):
    store = vech.Packed(np.arange(6.0), vech.Layout(diagonal=diagonal))
    assert store.diagonal().tolist() == [number] * 4
    assert store[2, 2] == number and store[2].tolist() == store.expand()[2].tolist()
    assert (store @ np.ones(4)).tolist() == store.expand().sum(axis=1).tolist()
    assert store.to_csr().diagonal().tolist() == [number] * 4


def test_a_strict_half_without_numbers_is_a_store_of_side_one():
    store = vech.Packed(np.zeros(0), "condensed")
    assert store.shape == (1, 1) and store[0, 0] == 0 and store.expand().tolist() == [[0]]


def test_scaled_halves_show_true_values():
    store = vech.Packed(np.array([1.0, 2**0.5, 4.0]), "svec-lower")
    assert store[0, 1] == store[1, 0] == 2**0.5 / 2**0.5
    assert store.to_csr().toarray().tolist() == store.expand().tolist()
    assert store.half[1] == 2**0.5


SMALL_CUT = """
import copy, os, pickle, sys
import numpy as np
import vech

np.zeros(200 * 201 // 2).tofile("half")
S = vech.Packed(np.memmap("half", float, "r"), kind="skew")
turned, twin = S.T, copy.copy(S)
os.truncate("half", 8)
for use in (
    S.copy, lambda: copy.copy(S), lambda: copy.deepcopy(S), lambda: pickle.dumps(S), twin.copy, turned.copy,
    S.expand, lambda: S.expand(range(3)), S.to_coo, S.to_csr, S.to_csc, lambda: S.to_packed("numpy-tril"),
):
    try:
        use()
    except OSError as error:
        assert "has 8 bytes now where 160,800 were: read it again" in str(error), error
    else:
        raise AssertionError(use)
"""


def test_a_map_whose_file_was_cut_is_not_read(tmp_path):
    done = subprocess.run([sys.executable, "-c", SMALL_CUT], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
