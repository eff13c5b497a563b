"""Similarities between rows: what SciPy or NumPy makes of the full product, in the store that is wanted."""

import re
from functools import partial

import numpy as np
import pytest
from scipy import sparse

import cases
import vech
from vech import _core, arrays
from vech.pairwise import cooccurrence, cosine, dense_rows, gram
from vech.pairwise.metrics import METRICS

every_target = pytest.mark.every_target

DTYPES = (
    *("bool", "int8", "uint8", "int32", "int64", "uint64"),
    *("float32", "float64", "complex64", "complex128", ">f8", ">c8"),
)
STORES = {"sparse": vech.SparseHalf, "packed": vech.Packed}
LAYOUTS = ("vech", "numpy-tril", "lapack-upper", "numpy-triu")


def random_rows(n, m, density, dtype="float64", salt=0):
    """A CSR array of ordinary numbers, none of them zero."""
    rng = cases.generator("pairwise", n, m, density, salt)
    numbers = cases.moderate(dtype, n * m, salt=salt).reshape(n, m)
    full = np.where(rng.random((n, m)) < density, numbers, np.zeros(1, numbers.dtype))
    return sparse.csr_array(full.astype(np.dtype(dtype).newbyteorder("=")))


def with_row(X, row, full):
    X = X.tolil()
    X[row] = full
    return X.tocsr()


def banded(n, m):
    return sparse.diags_array(
        [np.arange(1.0, n + 1), np.arange(2.0, n + 2)], offsets=[0, 2], shape=(n, m)
    ).tocsr()


def power_law(n, m):
    rng = cases.generator("power law", n, m)
    columns = np.minimum((m * rng.random(6 * n) ** 4).astype(int), m - 1)
    return sparse.coo_array((rng.normal(size=6 * n), (np.arange(6 * n) % n, columns)), shape=(n, m)).tocsr()


PATTERNS = {
    "random": random_rows(37, 29, 0.1),
    "dense": random_rows(33, 20, 0.9),
    "dense row": with_row(random_rows(40, 30, 0.05), 17, np.arange(1.0, 31)),
    "dense column": sparse.csr_array(
        sparse.hstack([random_rows(40, 20, 0.05), sparse.csr_array(np.arange(1.0, 41)[:, None])])
    ),
    "empty rows": with_row(with_row(random_rows(20, 30, 0.2), 0, np.zeros(30)), 19, np.zeros(30)),
    "banded": banded(50, 52),
    "power law": power_law(200, 500),
    "nothing": sparse.csr_array((9, 5)),
    "no columns": sparse.csr_array((4, 0)),
    "one row": random_rows(1, 6, 0.5),
    "one number": sparse.csr_array([[3.0]]),
}


def in_dtype(X, dtype):
    """The pattern with numbers of another dtype."""
    dtype = np.dtype(dtype)
    values = cases.moderate(dtype, X.nnz, salt=7)
    return sparse.csr_array((values.astype(dtype.newbyteorder("=")), X.indices, X.indptr), shape=X.shape)


def products(X):
    """X X^H on full matrices; integers as Python has them, in int64."""
    full = X.toarray() if sparse.issparse(X) else np.asarray(X)
    if full.dtype.kind in "biu":
        full = full.astype(float)  # by BLAS: sums below 2^53 are exact
        assert np.abs(full).max(initial=0) ** 2 * full.shape[1] < 2**53
        return (full @ full.T).astype(np.int64)
    return full @ full.conj().T


def close(got, want, terms):
    """Equal to within the rounding of so many additions; integers exactly."""
    assert got.shape == want.shape
    if want.dtype.kind in "iu":
        np.testing.assert_array_equal(got, want)
    else:
        scale = np.abs(want).max(initial=1.0)
        np.testing.assert_allclose(got, want, rtol=0, atol=cases.tolerance(want.dtype, terms) * scale)


def assert_canonical(S):
    assert S.indptr.dtype == S.indices.dtype == np.int32
    csr = sparse.csr_array((S.data, S.indices, S.indptr), shape=S.shape)
    csr.check_format(full_check=True)
    assert csr.has_canonical_format
    assert not (S.data == 0).any()
    vech.SparseHalf(S.indptr, S.indices, S.data, S.n, triangle=S.triangle, kind=S.kind)


def same_bits(a, b):
    if isinstance(a, vech.Packed):
        return a.half.tobytes() == b.half.tobytes()
    return all(getattr(a, k).tobytes() == getattr(b, k).tobytes() for k in ("indptr", "indices", "data"))


# ---------------------------------------------------------------- gram


@every_target
@cases.each("store", list(STORES))
@cases.each("layout", list(LAYOUTS))
@cases.each("pattern", list(PATTERNS))
def test_gram_is_the_product_with_its_transpose(pattern, layout, store):
    X = PATTERNS[pattern]
    S = gram(X, store=store, layout=layout)
    assert type(S) is STORES[store] and S.kind == "symmetric" and S.dtype == np.float64
    close(S.expand(), products(X), X.shape[1])
    if store == "sparse":
        assert_canonical(S)
        assert S.triangle == ("lower" if vech.as_layout(layout).grow else "upper")
    else:
        assert S.layout == vech.as_layout(layout)


@every_target
@cases.each("store", list(STORES))
@cases.each("layout", list(LAYOUTS))
@cases.each("dtype", list(DTYPES))
@cases.each("pattern", ["random", "power law"])
def test_gram_of_every_dtype(pattern, dtype, layout, store):
    X = in_dtype(PATTERNS[pattern], dtype)
    S = gram(X, store=store, layout=layout)
    want = products(X)
    assert S.dtype == want.dtype
    assert S.kind == ("hermitian" if want.dtype.kind == "c" else "symmetric")
    close(S.expand(), want, X.shape[1])
    if want.dtype.kind == "c":
        assert not S.diagonal().imag.any()


@every_target
@pytest.mark.parametrize("layout", ["vech", "numpy-tril"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int64"])
@pytest.mark.parametrize("threshold", [0.0, 2.5])
def test_runs_of_few_products_are_listed_and_come_out_sorted(dtype, layout, threshold):
    """Rows of 3 numbers, some of 60 that meet hundreds of others; 5000 and 300 000 columns of the result."""
    rng = cases.generator("listed")
    for n, m in ((5000, 1500), (300_000, 20_000)):
        rows = np.concatenate((rng.integers(0, n, 12_000), np.repeat(rng.integers(0, n, 20), 60)))
        columns = rng.integers(0, m, rows.size)
        X = in_dtype(sparse.coo_array((np.ones(rows.size), (rows, columns)), shape=(n, m)).tocsr(), dtype)
        S = gram(X, layout=layout, threshold=threshold)
        want = (X @ X.conj().T).tocsr()
        want.data[np.abs(want.data) <= threshold] = 0
        want.eliminate_zeros()
        want.sort_indices()
        got = S.to_csr()
        assert_canonical(S)
        assert S.nnz > 1500
        np.testing.assert_array_equal(got.indptr, want.indptr)
        np.testing.assert_array_equal(got.indices, want.indices)
        close(got.data, want.data, 60)


def test_products_that_cancel_are_not_stored():
    X = sparse.csr_array([[1.0, 1, 1, 0], [1, -1, 0, 0], [-1, 1, 5, 2]])
    S = gram(X, store="sparse")
    assert S.nnz == 5  # (0, 1) is 1 - 1
    far = sparse.csr_array((np.tile([1.0, -1, 1, 1], 2), np.tile([0, 1, 2, 3], 2), [0, 4, *[8] * 999]))
    far.data[4:6] = 1
    far.data[7] = -1
    S = gram(far, store="sparse")  # zero after two products, two after three, and zero again: the listed way
    assert S.nnz == 2 and S.n == 1000


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
@pytest.mark.parametrize("store", STORES)
def test_any_number_of_threads_gives_the_same_bits(store, dtype):
    X = in_dtype(power_law(3000, 900), dtype)
    first = gram(X, store=store, threads=1)
    for threads in (2, 8):
        assert same_bits(gram(X, store=store, threads=threads), first)


@pytest.mark.parametrize("how", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia", "csr_matrix", "coo_matrix"])
def test_any_sparse_matrix_is_taken(how):
    X = PATTERNS["random"]
    given = getattr(sparse, how)(X) if how.endswith("matrix") else X.asformat(how)
    close(gram(given).expand(), products(X), 29)
    close(cosine(given).expand(), cosine(X).expand(), 29)
    np.testing.assert_array_equal(cooccurrence(given).expand(), cooccurrence(X).expand())


@pytest.mark.parametrize("function", [gram, cosine, cooccurrence])
def test_duplicates_are_summed_and_unsorted_columns_sorted_in_a_copy(function):
    data, columns = np.array([1.0, 2, 4, 3, -3, 5, 0]), np.array([2, 0, 2, 1, 1, 0, 2])
    indptr = np.array([0, 3, 6, 7])
    X = sparse.csr_array((data, columns, indptr), shape=(3, 3))
    before = [array.copy() for array in (data, columns, indptr)]
    clean = sparse.csr_array([[2.0, 0, 5], [5, 0, 0], [0, 0, 0]])
    assert not X.has_sorted_indices
    np.testing.assert_array_equal(function(X).expand(), function(clean).expand())
    for array, copy in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert X.nnz == 7 and not X.has_sorted_indices
    sparse.csr_array(
        (data, columns, indptr)
    ).has_canonical_format = True  # a flag that is wrong is not believed
    stale = sparse.csr_array((data, columns, indptr), shape=(3, 3))
    stale.has_canonical_format = stale.has_sorted_indices = True
    np.testing.assert_array_equal(function(stale).expand(), function(clean).expand())


def test_duplicates_of_bool_and_of_small_integers():
    for dtype, want in ((np.bool, 1), (np.int8, 200**2)):
        X = sparse.coo_array((np.array([100, 100]).astype(dtype), ([0, 0], [1, 1])), shape=(1, 2))
        assert gram(X).expand() == want


@pytest.mark.parametrize("store", STORES)
def test_nan_and_infinity_go_where_they_go_in_scipy(store):
    X = PATTERNS["random"].copy()
    X.data[3], X.data[8], X.data[20] = np.nan, np.inf, -np.inf
    want = (X @ X.T).toarray()
    assert np.isnan(want).any() and np.isinf(want).any()
    np.testing.assert_allclose(gram(X, store=store).expand(), want, rtol=1e-12)
    assert np.array_equal(np.isnan(gram(X, store=store, threshold=1e9).expand()), np.isnan(want))


def test_many_columns_of_which_few_hold_anything():
    columns = np.array([3, 10**14, 7 * 10**14, 3, 10**14, 5])
    X = sparse.coo_array((np.arange(1.0, 7), ([0, 0, 1, 2, 2, 3], columns)), shape=(5, 10**15))
    want = np.diag([5.0, 9, 41, 36, 0])
    want[0, 2] = want[2, 0] = 14
    np.testing.assert_array_equal(gram(X).expand(), want)
    np.testing.assert_array_equal(gram(X.tocsr()).expand(), want)
    assert cooccurrence(X).nnz == 5
    assert cosine(X).expand()[0, 2] == pytest.approx(14 / np.sqrt(5 * 41))


@pytest.mark.parametrize("how", ["coo", "csc"])
def test_many_rows_of_which_few_hold_anything(how):
    rows, n = np.array([2_999_999_999, 7, 7, 10**9]), 3 * 10**9
    X = sparse.coo_array(([2.0, 3, 4, 5], (rows, [0, 0, 1, 2])), shape=(n, 3)).asformat(how)
    for layout, part in (("vech", "upper"), ("numpy-tril", "lower")):
        S = gram(X, layout=layout)
        assert S.n == n and S.nnz == 4 and S.triangle == part
        i, j = S.to_coo(part="upper").coords
        assert list(zip(i, j, S.to_coo(part="upper").data, strict=True)) == [
            (7, 7, 25),
            (7, 2_999_999_999, 6),
            (10**9, 10**9, 25),
            (2_999_999_999, 2_999_999_999, 4),
        ]
    with pytest.raises(ValueError, match=r"row 1000000000 of X holds nan or an infinity"):
        X.data[X.data == 5] = np.nan
        cosine(X)
    with pytest.raises(MemoryError, match=r"store='sparse' with a threshold keeps fewer products"):
        gram(X, store="packed")


# ---------------------------------------------------------------- thresholds and stores


@every_target
@pytest.mark.parametrize("store", ["auto", *STORES])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "int64"])
@pytest.mark.parametrize("dense", [False, True])
def test_a_threshold_keeps_what_is_larger_and_symmetry(dense, dtype, store):
    X = in_dtype(PATTERNS["dense"], dtype)
    want = products(X)
    sizes = np.sort(np.unique(np.abs(want)))
    if dtype == "int64":
        threshold = float(sizes[sizes.size // 2])  # equal to one of them, which goes
    else:
        threshold = float((sizes[sizes.size // 2] + sizes[sizes.size // 2 + 1]) / 2)
    S = gram(X.toarray() if dense else X, threshold=threshold, store=store)
    full = S.expand()
    close(full, np.where(np.abs(want) > threshold, want, 0), 20)
    np.testing.assert_array_equal(full, full.conj().T)
    np.testing.assert_array_equal(full != 0, np.abs(want) > threshold)


@pytest.mark.parametrize("function", [gram, cosine, cooccurrence])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("threshold", [0.0, 0.01])
def test_auto_gives_the_store_of_fewer_bytes(function, dense, threshold):
    chosen = set()
    for dtype in ("float32", "float64", "complex128"):
        for density in (0.01, 0.05, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.5, 1):
            X = random_rows(90, 40, density, dtype)
            X = X.toarray() if dense else X
            both = [function(X, store=store, threshold=threshold) for store in STORES]
            S = function(X, threshold=threshold)
            assert S.nbytes == min(T.nbytes for T in both)
            chosen.add(type(S))
    assert chosen == set(STORES.values())


def test_auto_is_exact_where_the_rows_it_looks_at_first_mislead():
    """One row in 16 is looked at; of 31 rows each is once the only one that holds anything."""
    for row in range(31):
        X = sparse.csr_array(
            (np.ones(40), np.arange(40), np.where(np.arange(32) > row, 40, 0)), shape=(31, 40)
        )
        X[:, [0]] = 1
        S = gram(X, threshold=1.5)
        assert type(S) is vech.SparseHalf and S.nnz == 1 and S.diagonal()[row] == 40
        S = gram(X.toarray(), threshold=1.5)
        assert type(S) is vech.SparseHalf and S.nnz == 1 and S.diagonal()[row] == 40


@pytest.mark.parametrize("function", [gram, cosine, cooccurrence])
@pytest.mark.parametrize("layout", ["svec-lower", "lapack-rfp-nl", vech.Spiral("upper")])
def test_layouts_that_scale_or_that_no_walk_gives(function, layout):
    X = PATTERNS["dense"]
    if function is cooccurrence and layout == "svec-lower":
        with pytest.raises(TypeError, match="int64"):
            function(X, layout=layout)
        return
    for given in (X, X.toarray()):
        S = function(given, store="packed", layout=layout)
        assert S.layout == vech.as_layout(layout)
        close(S.expand(), function(X, store="sparse").expand(), 20)


def test_a_diagonal_of_ones_can_be_left_out_of_cosines():
    ones = vech.Layout("lower", "columns", diagonal="one")
    X = PATTERNS["dense"]
    S = cosine(X, store="packed", layout=ones)
    assert S.half.size == 33 * 32 // 2
    np.testing.assert_array_equal(S.expand(), cosine(X, store="packed").expand())
    with pytest.raises(ValueError, match=r"the diagonal of layout .* is one, but a\[0, 0\] is stored as 0.0"):
        cosine(PATTERNS["nothing"], store="packed", layout=ones)
    for function in (gram, cooccurrence):
        with pytest.raises(
            ValueError, match="does not store the diagonal, and that of the result is another"
        ):
            function(X, layout=ones)
    with pytest.raises(ValueError, match=r"layout condensed does not store the diagonal.*use 'vech'"):
        cosine(X, layout="condensed")


# ---------------------------------------------------------------- cosine


def cosines(X):
    full = (X.toarray() if sparse.issparse(X) else X).astype(np.result_type(X.dtype, np.float64))
    length = np.linalg.norm(full, axis=1)
    full = full / np.where(length == 0, 1, length)[:, None]
    return full @ full.conj().T


@every_target
@cases.each("store", ["auto", *STORES])
@cases.each("dense", [False, True])
@cases.each("dtype", list(DTYPES))
def test_cosine_is_the_product_of_rows_of_length_one(dtype, dense, store):
    for pattern in ("random", "empty rows", "power law"):
        X = in_dtype(PATTERNS[pattern], dtype)
        S = cosine(X.toarray() if dense else X, store=store)
        assert S.dtype == np.result_type(X.dtype, np.float32 if X.dtype.kind in "fc" else np.float64)
        full = S.expand()
        np.testing.assert_allclose(full, cosines(X), rtol=0, atol=cases.tolerance(S.dtype, 60))
        filled = (X.toarray() != 0).any(axis=1)
        np.testing.assert_array_equal(full.diagonal(), filled.astype(S.dtype))
        if not filled.all():
            assert not full[~filled].any()


def test_cosines_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics.pairwise", reason="scikit-learn is not installed")
    X = PATTERNS["power law"]
    np.testing.assert_allclose(cosine(X).expand(), metrics.cosine_similarity(X), atol=1e-14)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parallel_rows_have_cosine_one_and_never_more(dense, dtype):
    row = cases.generator("parallel").normal(size=37)
    X = np.outer(np.linspace(-3, 7, 60), row).astype(dtype)
    S = cosine(X if dense else sparse.csr_array(X), store="packed")
    assert np.abs(S.half).max() == 1
    np.testing.assert_allclose(np.abs(S.half), 1, rtol=1e-6)


@pytest.mark.parametrize("dense", [False, True])
def test_lengths_neither_overflow_nor_vanish(dense):
    for dtype, sizes in (("float64", (1e300, 1e-300, 5e-324, 1.0)), ("float32", (1e38, 1e-44, 1.0, 1e-20))):
        X = np.array([[size, 0, -size] for size in sizes], dtype)
        S = cosine(X if dense else sparse.csr_array(X), store="packed")
        np.testing.assert_allclose(S.half, 1, rtol=1e-6)
    X = np.array([[1e308 + 1e308j, 0], [1e308, 1e308]])
    got = cosine(X if dense else sparse.csr_array(X), store="packed").expand()
    np.testing.assert_allclose(got, cosines(X / 1e308), rtol=1e-15)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("dense", [False, True])
def test_the_diagonal_of_cosines_stays_below_a_threshold_of_one(dense, store):
    X = PATTERNS["dense"].toarray() if dense else PATTERNS["dense"]
    S = cosine(X, threshold=np.nextafter(1, 0), store=store)
    np.testing.assert_array_equal(S.expand(), np.eye(33))
    assert not cosine(X, threshold=1, store=store).expand().any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dense", [False, True])
def test_a_row_that_is_not_finite_has_no_direction(dense, bad):
    X = np.ones((4, 3))
    X[2, 1] = bad
    message = "row 2 of X holds nan or an infinity, so it has no direction: leave it out or fill it first"
    with pytest.raises(ValueError, match=message):
        cosine(X if dense else sparse.csr_array(X))


# ---------------------------------------------------------------- cooccurrence


@every_target
@cases.each("store", ["auto", *STORES])
@cases.each("dense", [False, True])
@cases.each("dtype", list(DTYPES))
def test_cooccurrence_counts_columns(dtype, dense, store):
    for pattern in ("random", "power law", "nothing"):
        X = in_dtype(PATTERNS[pattern], dtype)
        filled = (X.toarray() != 0).astype(float)
        S = cooccurrence(X.toarray() if dense else X, store=store)
        assert S.dtype == np.int64 and S.kind == "symmetric"
        np.testing.assert_array_equal(S.expand(), filled @ filled.T)


def test_zeros_that_are_stored_do_not_occur_and_nan_does():
    X = sparse.csr_array(([1.0, 0, np.nan, 2, -0.0], [0, 1, 2, 2, 0], [0, 3, 5]), shape=(2, 3))
    np.testing.assert_array_equal(cooccurrence(X).expand(), [[2, 1], [1, 1]])
    np.testing.assert_array_equal(cooccurrence(X.toarray()).expand(), [[2, 1], [1, 1]])
    assert X.nnz == 5


# ---------------------------------------------------------------- dense rows


@cases.each("block", [7, 100, 10**6])
@cases.each("layout", list(LAYOUTS))
@cases.each("dtype", list(DTYPES))
def test_dense_rows_give_what_sparse_rows_give(dtype, layout, block, monkeypatch):
    monkeypatch.setattr(dense_rows, "BLOCK", block)
    X = in_dtype(PATTERNS["dense"], dtype)
    for function in (gram, cosine, cooccurrence):
        for store in STORES:
            S = function(X.toarray(), store=store, layout=layout, threshold=0.1)
            T = function(X, store=store, layout=layout, threshold=0.1)
            assert (type(S), S.kind, S.dtype) == (type(T), T.kind, T.dtype)
            close(S.expand(), T.expand(), 20)
            if store == "sparse":
                assert S.triangle == T.triangle
                np.testing.assert_array_equal(S.indptr, T.indptr)
                np.testing.assert_array_equal(S.indices, T.indices)
                assert_canonical(S)


@pytest.mark.parametrize("shape", [(1, 4), (5, 0)])
@pytest.mark.parametrize("function", [gram, cosine, cooccurrence])
@pytest.mark.parametrize("store", ["auto", *STORES])
def test_dense_and_sparse_rows_of_nothing(shape, function, store):
    for X in (np.zeros(shape), sparse.csr_array(shape)):
        S = function(X, store=store)
        assert S.shape == (shape[0],) * 2
        assert not S.expand().any()


EMPTY = [
    *(partial(function, layout="vech") for function in (gram, cosine, cooccurrence)),
    *(partial(vech.pairwise.kernel, metric=name) for name in ("rbf", "cosine", "linear", "laplacian")),
    *(
        partial(vech.pairwise.distances, metric=name, layout="vech")
        for name in ("euclidean", "cosine", "jaccard")
    ),
]


@pytest.mark.parametrize("function", EMPTY)
def test_no_rows_have_an_empty_half(function, tmp_path):
    for X in (np.zeros((0, 3)), np.zeros((0, 60)), sparse.csr_array((0, 3))):
        S = function(X)
        assert S.n == 0 and S.expand().shape == (0, 0)
    assert (
        function(np.zeros((0, 3)), out=tmp_path / "empty.npy").n == vech.read(tmp_path / "empty.npy").n == 0
    )
    if function.func is not vech.pairwise.distances:  # which was told a layout
        assert function(np.zeros((0, 3)), out=tmp_path / "empty.zarr").n == 0


@pytest.mark.parametrize("name", METRICS)
def test_no_rows_have_distances_of_every_metric_and_no_neighbours(name):
    X = np.zeros((0, 2))
    assert vech.pairwise.distances(X, name, layout="vech").n == 0
    assert vech.pairwise.distances(X, name, encoding="int8").n == 0
    assert vech.pairwise.nearest(X, 0, name).indices.shape == (0, 0)
    with pytest.raises(
        ValueError, match="a 0 x 0 matrix has no half in layout condensed: a half of length 0 is n = 1"
    ):
        vech.pairwise.distances(X, name)


def test_no_blocks_have_no_condensed_half():
    for arguments in ({"diagonal": 0}, {"layout": "condensed", "diagonal": 0}):
        with pytest.raises(ValueError, match="a 0 x 0 matrix has no half in layout condensed"):
            vech.pairwise.from_blocks(lambda rows, columns: np.zeros((0, 0)), 0, dtype=float, **arguments)


def test_narrow_floats_become_float32():
    X = cases.moderate("float16", (6, 5))
    S = gram(X)
    assert S.dtype == np.float32
    close(S.expand(), products(X.astype(np.float32)), 5)
    bfloat16 = cases.SMALL.get("bfloat16")
    if bfloat16 is None:
        pytest.skip("ml_dtypes is not installed")
    assert cosine(X.astype(bfloat16)).dtype == np.float32
    np.testing.assert_array_equal(cooccurrence(X.astype(bfloat16)).expand(), np.full((6, 6), 5))


def test_large_integers_are_exact():
    X = np.array([[2**31 - 1, 3], [5, 2**31 - 1], [1, 1]])  # products need 62 bits: doubles would round
    want = [[sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) for y in X] for x in X]
    for given in (X, sparse.csr_array(X)):
        for store in STORES:
            np.testing.assert_array_equal(gram(given, store=store).expand(), np.array(want))


@pytest.mark.parametrize("dense", [False, True])
def test_integers_beyond_int64_are_refused(dense):
    X = np.array([[2**32, 0], [1, 1]])
    given = X if dense else sparse.csr_array(X)
    with pytest.raises(
        OverflowError, match=r"products of rows of X may reach 1.84e\+19, and int64 ends at 9.22e\+18: astype"
    ):
        gram(given)
    assert gram(given.astype(float))[0, 0] == 2.0**64
    X = np.array([[2**63, 1]], np.uint64)
    with pytest.raises(
        OverflowError, match=r"X holds 9223372036854775808, beyond int64: astype\(float\) first"
    ):
        gram(X if dense else sparse.csr_array(X))


# ---------------------------------------------------------------- what is refused

FUNCTIONS = pytest.mark.parametrize("function", [gram, cosine, cooccurrence])


def refused(error, message, function, X, **options):
    with pytest.raises(error, match=re.escape(message)):
        function(X, **options)


@FUNCTIONS
def test_bad_arguments_are_refused(function):
    X = PATTERNS["random"]
    sizes = "sizes are compared"
    refused(
        ValueError,
        f"threshold must be zero or a positive number, not -0.5: {sizes}",
        function,
        X,
        threshold=-0.5,
    )
    refused(
        ValueError,
        f"threshold must be zero or a positive number, not nan: {sizes}",
        function,
        X,
        threshold=np.nan,
    )
    refused(
        ValueError,
        f"threshold must be zero or a positive number, not inf: {sizes}",
        function,
        X,
        threshold=np.inf,
    )
    for bad in ("0.5", 1j, None, True):
        refused(TypeError, f"threshold must be a real number, not {bad!r}", function, X, threshold=bad)
    refused(ValueError, "unknown store 'dense': choose from auto, sparse, packed", function, X, store="dense")
    refused(ValueError, "'vec'", function, X, layout="vec")
    refused(ValueError, "threads must be at least 1, not 0", function, X, threads=0)


@FUNCTIONS
def test_what_is_no_matrix_is_refused(function):
    shape = "it must be a matrix, (rows, columns), whose rows are compared"
    refused(ValueError, f"X has shape (5,): {shape}", function, np.ones(5))
    refused(ValueError, f"X has shape (2, 3, 4): {shape}", function, np.ones((2, 3, 4)))
    refused(ValueError, f"X has shape (5,): {shape}", function, sparse.coo_array(np.ones(5)))
    refused(TypeError, "X of dtype object holds Python objects", function, np.array([[1, None]]))
    refused(TypeError, "X must be a NumPy array, not vech.Packed", function, vech.Packed(np.ones(3)))
    refused(TypeError, "X holds datetime64[D], and dates", function, np.zeros((2, 2), "M8[D]"))
    refused(TypeError, "differs between machines", function, np.ones((2, 2), "g"))
    refused(TypeError, "differs between machines", function, sparse.csr_array(np.ones((2, 2), "g")))


def test_broken_arrays_are_refused():
    X = sparse.csr_array(np.ones((3, 3)))
    X.indices[4] = 7
    with pytest.raises(ValueError, match="indices"):
        gram(X)


@pytest.mark.parametrize(
    "indptr, indices, columns",
    [
        ([0, 2, 1, 3], [0, 1, 0], 2),  # falls
        ([1, 2, 3, 3], [0, 1, 0], 2),  # begins later
        ([0, 1, 2, 3], [0, 2, 0], 2),  # beyond the columns
        ([0, 1, 2, 3], [0, -1, 0], 2),
    ],
)
def test_the_core_looks_for_what_leads_out_of_bounds(indptr, indices, columns):
    indptr, indices, ones = np.array(indptr), np.array(indices, np.int32), np.ones(3)
    with pytest.raises(ValueError, match="indptr and indices do not describe a matrix by rows"):
        _core.gram(indptr, indices, ones, ones, columns, True, 0.0, False, 100, False, 1)
    with pytest.raises(ValueError, match="indptr and indices do not describe a matrix by rows"):
        _core.gram_half(indptr, indices, ones, ones, columns, True, 0.0, False, np.zeros(6), 1)


@pytest.mark.parametrize("dense", [False, True])
def test_results_beyond_memory_are_refused(dense, monkeypatch):
    X = np.ones((4200, 1)) if dense else sparse.csr_array(np.ones((4200, 1)))
    monkeypatch.setattr(arrays, "memory_limit", lambda: 12_000)
    with pytest.raises(
        MemoryError, match=r"70576800 bytes .* store='sparse' with a threshold keeps fewer products"
    ):
        gram(X, store="packed")
    message = (
        r"more than 1000 products are larger than the threshold, 0.5, and 12000 bytes .* is all there is here"
    )
    with pytest.raises(MemoryError, match=message):
        gram(X, store="sparse", threshold=0.5)
    assert gram(X, store="sparse", threshold=1).nnz == 0


@pytest.mark.parametrize("store", ["sparse", "packed"])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_thresholds_are_compared_exactly_whatever_the_dtype(make, store):
    x = np.array([[np.float32(0.1), 0], [1, np.inf]], np.float32)[:, :1]
    S = gram(make(x), threshold=0.1, store=store)
    assert S[0, 1] == np.float32(0.1) and float(np.float32(0.1)) > 0.1
    assert gram(make(x), threshold=float(np.float32(0.1)), store=store)[0, 1] == 0
    infinite = np.array([[np.inf], [1]], np.float32)
    assert gram(make(infinite), threshold=1e300, store=store)[0, 1] == np.inf
