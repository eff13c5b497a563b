"""SparseHalf: what its constructor checks, and what is its own beyond every store's (test_stores.py)."""

import numpy as np
import pytest
import scipy.sparse

import cases
import patterns
import reference
import vech
from cases import LAYOUTS, PLAIN, STORE_KINDS
from compare import assert_canonical, assert_close, assert_same_bits
from vech import _core, arrays
from vech.layouts.kind import Kind
from vech.sparse import arrays as held

TRIANGLES = ("lower", "upper")
every_triangle = cases.each("triangle", TRIANGLES)
every_kind = cases.each("kind", STORE_KINDS)


def sparse_matrix(dtype, kind, n, *, salt=0):
    """A full matrix of its kind, two thirds of it zero."""
    plain = PLAIN["lower-columns-stored"]
    half = cases.half(dtype, plain, kind, n, values=cases.moderate, salt=salt)
    half[cases.generator("sparse matrix", n, salt).random(half.size) < 0.66] = 0
    return reference.expand(half, plain, kind)


def make(full, triangle, kind=None, **more):
    return vech.SparseHalf(*reference.csr(full, triangle), len(full), triangle=triangle, kind=kind, **more)


# ---- the arrays --------------------------------------------------------------------------------------------


@every_triangle
@cases.each("index", [np.int32, np.int64])
def test_the_arrays_are_held_and_not_copied(triangle, index):
    indptr, indices, data = reference.csr(sparse_matrix(np.float64, "symmetric", 9), triangle)
    indptr, indices = indptr.astype(index), indices.astype(index)
    store = vech.SparseHalf(indptr, indices, data, 9, triangle=triangle)
    assert store.indptr is indptr and store.indices is indices and store.data is data
    assert store.triangle == triangle and store.nnz == data.size
    assert store.nbytes == indptr.nbytes + indices.nbytes + data.nbytes
    assert not hasattr(store, "half") and not hasattr(store, "layout")
    copied = store.copy()
    for name in ("indptr", "indices", "data"):
        assert not np.shares_memory(getattr(copied, name), getattr(store, name))
        assert_same_bits(getattr(copied, name), getattr(store, name))


def test_the_arrays_may_be_lists_and_lie_anyhow():
    full = sparse_matrix(np.float64, "symmetric", 9)
    given = reference.csr(full, "lower")
    strided = [cases.laid_out(array, "every-second") for array in given]
    frozen = [array.copy() for array in given]
    for array in frozen:
        array.flags.writeable = False
    for arrays_ in (strided, frozen, [array.tolist() for array in given]):
        store = vech.SparseHalf(*arrays_, 9, triangle="lower")
        assert_same_bits(store.expand(), full)
        np.testing.assert_array_equal(store.to_csr().toarray(), full)
        np.testing.assert_allclose(store @ np.ones(9), full.sum(axis=1))
    assert vech.SparseHalf([0], [], [], 0, triangle="upper").expand().shape == (0, 0)


def test_foreign_byte_orders_become_native():
    store = vech.SparseHalf([0, 1], [0], np.array([3], ">f8"), 1, triangle="lower")
    assert store.dtype == np.dtype(np.float64) and store.expand().tolist() == [[3.0]]


def test_it_says_what_it_is():
    store = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    assert repr(store) == "SparseHalf(n=2, dtype=float64, kind='symmetric', triangle='lower', nnz=2)"


@every_kind
@cases.each("dtype", ["f4", "c16"])
def test_the_arrays_of_csc_are_those_of_the_other_triangle(kind, dtype):
    """Lower by columns is upper by rows: of the transposed matrix, which is the same one if symmetric."""
    full = sparse_matrix(np.dtype(dtype), kind, 12)
    csc = scipy.sparse.csc_array(np.tril(full))
    store = vech.SparseHalf(csc.indptr, csc.indices, csc.data, 12, triangle="upper", kind=kind)
    np.testing.assert_array_equal(store.expand(), full.T)


@every_triangle
@every_kind
def test_transposes_keep_the_pattern(triangle, kind):
    full = sparse_matrix(np.complex128, kind, 10)
    store = make(full, triangle, kind, labels=range(10))
    for turned in (store.T, store.H):
        assert turned.indptr is store.indptr and turned.indices is store.indices
        assert turned.labels == store.labels and turned.kind == kind and turned.triangle == triangle
    np.testing.assert_array_equal(store.T.expand(), full.T)
    np.testing.assert_array_equal(store.H.expand(), full.conj().T)


# ---- zeros that are stored ---------------------------------------------------------------------------------


def test_stored_zeros_stay():
    store = vech.SparseHalf([0, 1, 3], [0, 0, 1], [0.0, -0.0, 5.0], 2, triangle="lower")
    assert store.nnz == 3 and store.to_csr().nnz == 4 and store.to_coo(part="upper").nnz == 3
    assert_same_bits(store.expand(), np.array([[0, -0.0], [-0.0, 5]]))
    assert_same_bits(store.to_packed().half, np.array([0, -0.0, 5]))
    assert store.to_csr().data.tobytes() == np.array([0, -0.0, -0.0, 5]).tobytes()


# ---- sparse and packed results -----------------------------------------------------------------------------


@every_triangle
@every_kind
@cases.each("part", ["full", "lower", "upper"])
@cases.each("threads", [1, 3])
def test_sparse_results_are_new_and_canonical(triangle, kind, part, threads):
    full = sparse_matrix(np.complex64, kind, 40)
    store = make(full, triangle, kind)
    for format in ("csr", "csc", "coo"):
        matrix = getattr(store, f"to_{format}")(part=part, threads=threads)
        assert type(matrix) is getattr(scipy.sparse, f"{format}_array")
        want = {"full": full, "lower": np.tril(full), "upper": np.triu(full)}[part]
        np.testing.assert_array_equal(matrix.toarray(), want)
        if format != "coo":
            assert_canonical(matrix)
        assert not np.shares_memory(matrix.data, store.data)
        matrix.data[:] = 77
        np.testing.assert_array_equal(store.expand(), full)


def test_indices_are_64_bit_where_32_bits_are_not_enough(monkeypatch):
    store = make(np.ones((4, 4)), "lower")
    for limit, part, index in (
        (16, "full", "i4"),
        (15, "full", "i8"),
        (10, "upper", "i4"),
        (9, "lower", "i8"),
    ):
        monkeypatch.setattr(arrays, "INT32_MAX", limit)
        for matrix in (store.to_csr(part=part), store.to_csc(part=part)):
            assert matrix.indices.dtype == matrix.indptr.dtype == np.dtype(index)


@cases.each(
    ("layout", "kind", "triangle", "dtype"),
    cases.pairwise(
        lambda layout, kind, triangle, dtype: cases.fits(layout, np.dtype(dtype), kind, 15),
        layout=LAYOUTS,
        kind=STORE_KINDS,
        triangle=TRIANGLES,
        dtype=("f4", "f8", "c16", "i2"),
    ),
)
def test_to_packed_is_what_packing_the_full_matrix_gives(layout, kind, triangle, dtype):
    full = sparse_matrix(np.dtype(dtype), kind, 15)
    if layout.diagonal != "stored":
        np.fill_diagonal(full, 1 if layout.diagonal == "one" else 0)
    store = make(full, triangle, kind, labels=range(15)).to_packed(layout)
    assert type(store) is vech.Packed and store.layout == layout and store.labels == tuple(range(15))
    assert store.kind == vech.Packed(store.half, layout, kind=kind).kind
    np.testing.assert_array_equal(store.half, reference.pack(full, layout, kind))


def test_to_packed_refuses_a_diagonal_that_is_not_the_layouts():
    store = vech.SparseHalf([0, 1, 2], [0, 0], [1.0, 2.0], 2, triangle="lower")
    with pytest.raises(
        ValueError, match=r"diagonal of layout condensed is zero, but a\[0, 0\] is stored as 1.0"
    ):
        store.to_packed("condensed")
    with pytest.raises(ValueError, match="unknown layout 'packed'"):
        store.to_packed("packed")
    with pytest.raises(ValueError, match="0 x 0"):
        vech.SparseHalf([0], [], [], 0, triangle="lower").to_packed("condensed")


@every_triangle
@cases.each(
    ("pattern", "kind", "dtype", "n", "threads"),
    cases.pairwise(
        lambda pattern, kind, dtype, n, threads: cases.allows(dtype, kind),
        pattern=list(patterns.PATTERNS),
        kind=STORE_KINDS,
        dtype=patterns.NUMBERS,
        n=(0, 1, 2, 30),
        threads=(1, 3),
    ),
)
def test_every_form_is_that_of_the_full_matrix(pattern, kind, dtype, n, threads, triangle):
    full, stored, store = patterns.of(pattern, kind, dtype, n, triangle)
    np.testing.assert_array_equal(store.expand(), full)
    np.testing.assert_array_equal(store.diagonal(), np.diagonal(full))
    for part, of in (("full", np.asarray), ("lower", np.tril), ("upper", np.triu)):
        want = scipy.sparse.csr_array(of(stored))
        for format in ("csr", "csc", "coo"):
            got = getattr(store, f"to_{format}")(part=part, threads=threads)
            np.testing.assert_array_equal(got.toarray(), of(full))
            assert got.nnz == want.nnz
    turned = store.with_triangle("upper" if triangle == "lower" else "lower", threads=threads)
    assert turned.triangle != triangle and turned.kind == store.kind
    patterns.assert_canonical_half(turned)
    np.testing.assert_array_equal(turned.expand(), full)
    np.testing.assert_array_equal(patterns.stored_in(turned), stored)
    assert store.density == pytest.approx(stored.sum() / max(1, n) ** 2)
    np.testing.assert_array_equal(store.to_packed().expand(), full)


@every_triangle
@every_kind
def test_turning_there_and_back_keeps_every_bit(triangle, kind):
    full = cases.matrix(np.complex64, kind, 12, values=cases.raw)
    store = patterns.half(full, np.ones((12, 12), bool), triangle, kind, labels=range(12))
    other = "upper" if triangle == "lower" else "lower"
    turned = store.with_triangle(other)
    assert store.with_triangle(triangle) is store and turned.labels == store.labels
    assert_same_bits(turned.expand(), full)
    assert_same_bits(turned.with_triangle(triangle).data, store.data)


def test_turning_refuses_what_it_cannot_do():
    store = vech.SparseHalf([0, 0, 1], [0], np.array([-128], np.int8), 2, triangle="lower", kind="skew")
    assert store.with_triangle("lower") is store
    with pytest.raises(OverflowError, match=r"-128 at \(1, 0\) has no negative in int8"):
        store.with_triangle("upper")
    with pytest.raises(ValueError, match="unknown triangle 'left'"):
        store.with_triangle("left")


@pytest.mark.parametrize(
    ("dtype", "index", "share"),
    [("f8", "i4", 2 / 3), ("f4", "i4", 1 / 2), ("f8", "i8", 1 / 2), ("f4", "i8", 1 / 3)],
)
def test_packed_is_smaller_beyond_the_break_even(dtype, index, share):
    n = 200
    lower = np.flatnonzero(np.tril(np.ones((n, n), bool)))
    for part, smaller in ((share - 0.03, False), (share + 0.03, True)):
        chosen = np.sort(cases.generator(part).permutation(lower)[: int(part * lower.size)])
        rows, columns = np.divmod(chosen, n)
        indptr = np.searchsorted(rows, np.arange(n + 1)).astype(index)
        data = np.ones(rows.size, dtype)
        store = vech.SparseHalf(indptr, columns.astype(index), data, n, triangle="lower")
        assert store.packed_is_smaller is smaller
        assert (store.to_packed().nbytes < store.nbytes) is smaller


# ---- products ----------------------------------------------------------------------------------------------


@every_triangle
@every_kind
@cases.each("shape", [(30,), (30, 1), (30, 4), (30, 0), (2, 30, 3), (2, 0, 30, 3)])
def test_products_are_those_of_the_full_matrix(triangle, kind, shape):
    full = sparse_matrix(np.complex128, kind, 30)
    x = cases.moderate(np.float64, shape)
    got = make(full, triangle, kind) @ x
    assert_close(got, full @ x, 30, np.abs(full) @ np.abs(x))


@pytest.mark.parametrize("other", ["?", "i1", "f2", ">f8", "c8", "bfloat16"])
@cases.each("dtype", ["?", "i1", "f4", "f8"])
def test_products_have_the_dtype_that_numpy_gives(dtype, other):
    if other == "bfloat16" and other not in cases.DTYPES:
        pytest.skip("ml_dtypes is not installed")
    full = sparse_matrix(np.dtype(dtype), "symmetric", 6)
    x = np.array([1, 0, 1, 2, 1, 0]).astype(cases.DTYPES.get(other, other))
    got, want = make(full, "upper") @ x, full @ x
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got.astype(complex), want.astype(complex), rtol=1e-2, atol=1e-2)


def test_what_is_not_stored_is_not_multiplied():
    store = vech.SparseHalf([0, 1, 1, 1], [0], [2.0], 3, triangle="lower")
    assert (store @ np.array([1, np.inf, np.nan])).tolist() == [2, 0, 0]


# ---- what is refused ---------------------------------------------------------------------------------------

GOOD = {
    "indptr": [0, 1, 3, 4],
    "indices": [0, 0, 1, 2],
    "data": [1.0, 2.0, 3.0, 4.0],
    "n": 3,
    "triangle": "lower",
}
WRONG = {
    "short indptr": ({"indptr": [0, 1, 4]}, "indptr has 3 numbers, but 4 are needed for n = 3"),
    "short data": ({"data": [1.0]}, r"data has shape \(1,\), but indices has \(4,\)"),
    "first": ({"indptr": [1, 1, 3, 4]}, "indptr runs from 1 to 4, but must run from 0 to the 4 stored"),
    "last": ({"indptr": [0, 1, 3, 3]}, "indptr runs from 0 to 3, but must run from 0 to the 4 stored"),
    "falls": ({"indptr": [0, 3, 1, 4]}, "indptr falls at row 1"),
    "outside": (
        {"indices": [0, 0, 2, 2]},
        r"row 1 holds column 2, .* lower triangle for n = 3: scipy.sparse.tril",
    ),
    "upper": ({"triangle": "upper"}, "row 1 holds column 0, .* upper triangle for n = 3: scipy.sparse.triu"),
    "negative": ({"indices": [0, -1, 1, 2]}, "row 1 holds column -1"),
    "wraps": ({"indices": [0, 2**32, 1, 2]}, "row 1 holds column 4294967296"),
    "beyond": (
        {"indptr": [0, 1, 2, 3], "indices": [0, 1, 3], "data": [1.0] * 3, "triangle": "upper"},
        "row 2 holds column 3",
    ),
    "unsorted": (
        {"indices": [0, 1, 0, 2]},
        r"columns of row 1 do not ascend: 0 follows 1 \(sum_duplicates\(\)",
    ),
    "twice": ({"indices": [0, 1, 1, 2]}, "columns of row 1 do not ascend: 1 follows 1"),
    "triangle": ({"triangle": "Lower"}, "unknown triangle 'Lower': did you mean 'lower'"),
    "kind": ({"kind": "antisymmetric"}, "unknown kind 'antisymmetric'"),
    "triangular": ({"kind": "triangular"}, "no store holds a triangular matrix"),
    "complex": ({"data": [1j] * 4}, "say kind='symmetric' or kind='hermitian'"),
    "labels": ({"labels": "ab"}, "there are 2 labels for 3 rows"),
    "n": ({"n": -1}, "n = -1 is out of range: the side of a matrix is 0 to 4294967295"),
    "matrix": ({"indices": [[0, 0], [1, 2]]}, r"indices has shape \(2, 2\): it must be a vector"),
}
WRONG_TYPES = {
    "float indices": ({"indices": [0.0, 0, 1, 2]}, "indices must hold integers, not float64"),
    "float indptr": ({"indptr": [0.0, 1, 3, 4]}, "indptr must hold integers, not float64"),
    "n": ({"n": 3.0}, "n must be an integer, not 3.0"),
    "half precision": (
        {"data": np.ones(4, "f2")},
        r"do not compute with float16: astype\(np.float32\) first",
    ),
    "dates": ({"data": np.ones(4, "m8[s]")}, r"do not hold timedelta64\[s\]: astype\(np.int64\) first"),
    "unsigned skew": ({"data": np.ones(4, "u1"), "kind": "skew"}, "sign"),
    "objects": ({"data": [None] * 4}, "object"),
    "sparse": ({"data": scipy.sparse.csr_array(np.eye(3))}, "data must be a NumPy array"),
}


def build(indptr, indices, data, n, **more):
    return vech.SparseHalf(indptr, indices, data, n, **more)


def test_the_good_one_is_taken():
    assert build(**GOOD).expand().tolist() == [[1, 2, 0], [2, 3, 0], [0, 0, 4]]


@cases.each(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_triangle_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        build(**GOOD | change)


@cases.each(("change", "message"), WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_what_are_no_numbers_is_refused(change, message):
    with pytest.raises(TypeError, match=message):
        build(**GOOD | change)


@cases.each("method", ["expand", "to_packed", "diagonal", "to_csr", "__matmul__"])
def test_arrays_that_were_spoiled_later_are_noticed(method):
    indices = np.array([0, 0, 1, 2], np.int32)
    store = build(**GOOD | {"indices": indices})
    indices[2] = 2_000_000_000
    with pytest.raises(ValueError, match=r"row .* holds column 2000000000"):
        getattr(store, method)(*([np.ones(3)] if method == "__matmul__" else []))


def test_the_kernel_refuses_arrays_that_are_no_triangle():
    indptr, indices, data = np.array([0, 1, 2]), np.array([0, 2_000_000_000], np.int32), np.ones(2)
    with pytest.raises(ValueError, match="do not describe"):
        _core.mirror(indptr, indices, data, Kind.SYMMETRIC.change(data.dtype), 2, True, 1)


def test_the_smallest_integer_has_no_negative():
    store = vech.SparseHalf([0, 0, 1], [0], np.array([-128], np.int8), 2, triangle="lower", kind="skew")
    for compute in (store.expand, store.to_csr, lambda: store.T, lambda: store @ np.ones(2, np.int8)):
        with pytest.raises(OverflowError, match=r"-128 at \(1, 0\) has no negative in int8"):
            compute()


def test_an_expansion_beyond_memory_is_refused_before_it_is_allocated():
    n = 3_000_000
    store = vech.SparseHalf(np.zeros(n + 1, np.int64), [], [], n, triangle="lower")
    with pytest.raises(MemoryError, match=r"(?s)bytes.*to_csr"):
        store.expand()
    with pytest.raises(MemoryError, match=r"(?s)bytes.*keep it sparse"):
        store.to_packed()
    assert store.expand(slice(7, 9)).shape == (2, n) and store.to_csr().nnz == 0


@cases.each("kind", ["hermitian", "skew", "skew-hermitian"])
@cases.each("way", ["T", "H"])
def test_transposing_judges_the_arrays_once(monkeypatch, kind, way):
    judged, judge = [], held._check_triangle
    store = vech.SparseHalf([0, 0, 1], [0], [1j], 2, triangle="lower", kind=kind, labels="ab")
    monkeypatch.setattr(held, "_check_triangle", lambda *rest: judged.append(0) or judge(*rest))
    other = getattr(store, way)
    assert len(judged) == (other is not store)
    assert other.labels == ("a", "b") and other.indices is store.indices
