"""Each pair once: in long form, as SciPy's condensed vector, and scaled from both sides."""

import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

import cases
import vech
from cases import LAYOUTS, STORES
from compare import assert_same_bits

every_store = cases.each("make", STORES)
every_complex_store = cases.each(
    "make", STORES, where=lambda make, kind, n=5: make.holds(np.dtype(complex), kind, n)
)
POINTS = np.random.default_rng(0).normal(size=(7, 3))


def whole(layout, **more):
    full = cases.matrix(np.float64, "symmetric", 3 if isinstance(layout, vech.TensorOrder) else 5)
    if layout.diagonal != "stored":
        np.fill_diagonal(full, layout.diagonal == "one")
    return vech.Packed(vech.pack(full, layout), layout, **more), full


# ---- long form ---------------------------------------------------------------------------------------------


@cases.each("diagonal", [False, True])
@cases.each("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_pairs_are_the_upper_triangle_row_after_row(layout, diagonal):
    store, full = whole(layout)
    i, j, value, labels = store.to_pairs(diagonal=diagonal)
    where = np.triu_indices(len(full), 0 if diagonal else 1)
    np.testing.assert_array_equal((i, j), where)
    np.testing.assert_allclose(value, full[where], rtol=1e-15)
    assert i.dtype == j.dtype == np.int64 and labels is None


@every_complex_store
@cases.each("kind", cases.STORE_KINDS)
@cases.each("n", [0, 1, 2, 6])
def test_a_pair_is_the_entry_at_its_place(make, kind, n):
    full = cases.matrix(np.complex128, kind, n)
    for diagonal in (False, True):
        pairs = make(full, kind).to_pairs(diagonal=diagonal)
        i, j = np.triu_indices(n, 0 if diagonal else 1)
        held = slice(None) if make(full, kind).describe().layout else full[i, j] != 0
        np.testing.assert_array_equal((pairs.i, pairs.j), (i[held], j[held]))
        np.testing.assert_array_equal(pairs.value, full[pairs.i, pairs.j])


def test_pairs_of_a_sparse_store_are_those_it_holds():
    S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], [1, 2, 0, 6], 3, triangle="lower", labels="abc")
    pairs = S.to_pairs()
    assert list(zip(*pairs[:3], strict=True)) == [(0, 1, 2), (0, 2, 0)]
    assert S.to_pairs(diagonal=True).value.tolist() == [1, 2, 0, 6]
    far = vech.SparseHalf.from_coo([2_999_999_999], [0], [1.5], 3_000_000_000, use="lower")
    assert [x.tolist() for x in far.to_pairs()[:3]] == [[0], [2_999_999_999], [1.5]]


def test_pairs_as_a_frame_have_labels():
    pandas = pytest.importorskip("pandas")
    S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.1, 1.0]), labels=[("x", 1), ("x", 2), ("y", 1)])
    frame = S.to_pairs().to_frame()
    assert frame.columns.tolist() == ["i", "j", "value"]
    assert frame.iloc[2].tolist() == [("x", 2), ("y", 1), 0.1]
    square = S.to_frame()
    for i, j, value in frame.itertuples(index=False):
        assert square.loc[[i], [j]].to_numpy().item() == value
    bare = vech.Packed(np.arange(6.0)).to_pairs().to_frame()
    pandas.testing.assert_frame_equal(
        bare, pandas.DataFrame({"i": [0, 0, 1], "j": [1, 2, 2], "value": [1.0, 2, 4]})
    )


def test_pandas_makes_the_plain_matrix_of_a_store():
    """It asks for rows and for __array__, so labels are to be named: to_frame() has them by itself."""
    pandas = pytest.importorskip("pandas")
    for make in (STORES["packed-vech"], STORES["sparse-half-lower"]):
        full = cases.matrix(np.float64, "symmetric", 3)
        S = make(full, "symmetric", labels="abc")
        pandas.testing.assert_frame_equal(pandas.DataFrame(S), pandas.DataFrame(full))
        pandas.testing.assert_frame_equal(pandas.DataFrame(S, S.labels, S.labels), S.to_frame())


# ---- condensed ---------------------------------------------------------------------------------------------


@every_store
def test_a_tree_of_the_condensed_vector_is_the_right_one(make):
    distances = squareform(pdist(POINTS))
    store = make(distances, "symmetric")
    np.testing.assert_array_equal(store.to_condensed(), pdist(POINTS))
    np.testing.assert_array_equal(linkage(store.to_condensed()), linkage(pdist(POINTS)))


def test_the_ways_that_look_right_give_another_tree():
    """What docs/coming-from.md warns of: SciPy asks neither."""
    right = linkage(pdist(POINTS))
    store = vech.Packed(pdist(POINTS), "condensed").to_packed("strict-tril")
    with pytest.warns(match="looks suspiciously like an uncondensed distance matrix"):
        assert not np.array_equal(linkage(store), right)
    assert not np.array_equal(linkage(store.half), right)
    np.testing.assert_array_equal(linkage(store.to_condensed()), right)


@pytest.mark.parametrize("name", ["condensed", "strict-triu"])
def test_a_half_in_scipys_order_is_not_copied(name):
    half = pdist(POINTS)
    for drop in (False, True):
        assert vech.Packed(half, name).to_condensed(drop_diagonal=drop) is half


@cases.each("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_diagonal_that_is_not_zero_is_named(layout):
    store, full = whole(layout)
    if layout.diagonal != "zero":
        message = (
            f"S[0, 0] is {store.diagonal()[0]}, and a distance to itself is 0: "
            f"to_condensed(drop_diagonal=True)"
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            store.to_condensed()
    found = store.to_condensed(drop_diagonal=True)
    np.testing.assert_allclose(found, full[np.triu_indices(len(full), 1)], rtol=1e-15)


@pytest.mark.parametrize("drop", [False, True])
@every_store
def test_few_points_have_short_vectors(make, drop):
    for n, length in ((0, 0), (1, 0), (2, 1)):
        assert make(np.zeros((n, n)), "symmetric").to_condensed(drop_diagonal=drop).shape == (length,)


@pytest.mark.parametrize(
    ("kind", "what"), [("hermitian", "hermitian"), ("skew", "skew"), ("symmetric", "complex")]
)
def test_what_are_no_distances_is_refused(kind, what):
    store = vech.Packed(np.zeros(6, complex), kind=kind)
    with pytest.raises(TypeError, match=f"distances are real and symmetric, and S is {what}: to_pairs"):
        store.to_condensed()


# ---- another layout, and scaled ----------------------------------------------------------------------------


@every_store
def test_to_layout_is_to_packed(make):
    store = make(cases.matrix(np.float64, "symmetric", 5), "symmetric", labels="abcde")
    named = store.to_layout("numpy-tril", threads=1)
    assert_same_bits(named.half, store.to_packed("numpy-tril").half)
    assert named.labels == store.labels and store.to_layout("numpy-tril").layout == vech.as_layout(
        "numpy-tril"
    )


D = st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=5)


@given(D, st.sampled_from(sorted(STORES)))
def test_scaling_multiplies_rows_and_columns(d, name):
    full = cases.matrix(np.float64, "symmetric", 5)
    d = np.array(d)
    scaled = STORES[name](full, "symmetric", labels="abcde").scale(d)
    np.testing.assert_allclose(scaled.expand(), d[:, None] * full * d, rtol=1e-14, atol=1e-300)
    assert scaled.labels == tuple("abcde") and scaled.kind == "symmetric"


@cases.each("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_scaling_works_in_every_layout(layout):
    store, full = whole(layout)
    d = np.arange(2.0, 2 + len(full))
    np.testing.assert_allclose(store.scale(d).expand(), d[:, None] * full * d, rtol=1e-14)


@every_complex_store
@cases.each("kind", cases.STORE_KINDS)
def test_scaling_keeps_the_kind(make, kind):
    full = cases.matrix(np.complex128, kind, 5)
    store = make(full, kind)
    d = np.arange(1, 6)
    np.testing.assert_allclose(store.scale(d).expand(), d[:, None] * full * d, rtol=1e-14)
    assert store.scale(d).kind == kind
    if kind in ("symmetric", "skew"):
        z = d + 1j
        np.testing.assert_allclose(store.scale(z).expand(), z[:, None] * full * z, rtol=1e-14)
    else:
        message = f"d is complex, so D S D is not {kind} as S is: S.to_packed().congruence(d) is D S D^H"
        with pytest.raises(TypeError, match=re.escape(message)):
            store.scale(d + 1j)


@pytest.mark.parametrize(
    ("kind", "ends"), [("hermitian", [4, 18]), ("skew-hermitian", [4j, 18j]), ("skew", [0, 0])]
)
def test_scaling_takes_of_a_diagonal_what_its_kind_has(kind, ends):
    packed = vech.Packed(np.array([1 + 1j, 0, 2 + 2j]), kind=kind)
    sparse = vech.SparseHalf([0, 1, 2], [0, 1], np.array([1 + 1j, 2 + 2j]), 2, triangle="lower", kind=kind)
    for store in (packed, sparse):
        assert store.scale([2, 3]).diagonal().tolist() == ends


def test_scaling_has_numpys_dtype():
    for dtype, other in (
        ("int32", "int64"),
        ("float32", "float32"),
        ("float32", "float64"),
        ("bool", "float64"),
    ):
        want = (np.zeros(1, dtype) * np.zeros(1, other)).dtype
        assert vech.Packed(np.ones(6, dtype)).scale(np.ones(3, other)).dtype == want
        sparse = vech.SparseHalf([0, 1, 2], [0, 1], np.ones(2, dtype), 2, triangle="lower")
        assert sparse.scale(np.ones(2, other)).dtype == want


def test_scaling_a_sparse_store_keeps_its_places():
    far = vech.SparseHalf.from_coo([2_999_999_999], [0], [1.5], 3_000_000_000, use="lower")
    near = far.submatrix([0, 2_999_999_999])
    assert near.scale([2, 3]).expand().tolist() == [[0, 9], [9, 0]] and near.scale([2, 3]).nnz == 1
    assert scipy.sparse.issparse(near.scale([2, 3]).to_csr())


@every_store
@pytest.mark.parametrize(
    ("d", "error", "message"),
    [
        ([1.0, 2], ValueError, "d has shape (2,), but S has 3 rows: it holds one number for each, (3,)"),
        (2.0, TypeError, "d must be a NumPy array, not float"),
        (np.ones((3, 3)), ValueError, "d has shape (3, 3), but S has 3 rows"),
        (np.array([1j, 1, 1]), TypeError, "d is complex and S is real: S.astype(complex).scale(d) is D S D"),
        (
            np.ones(3, "m8[s]"),
            TypeError,
            "d holds timedelta64[s], and dates are not multiplied: astype(float) first",
        ),
        (["a", "b", "c"], TypeError, "d of dtype <U1 holds text"),
    ],
    ids=str,
)
def test_what_does_not_scale_is_refused(make, d, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make(cases.matrix(np.float64, "symmetric", 3), "symmetric").scale(d)
