"""Sparse halves from SciPy matrices, from pairs and from halves; whether a matrix is symmetric."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse

import cases
import patterns
import reference
import vech
from cases import LAYOUTS, STORE_KINDS
from compare import assert_same_bits
from patterns import NUMBERS, PATTERNS, assert_canonical_half, stored_in
from vech.sparse import is_symmetric

SparseHalf = vech.SparseHalf
TRIANGLES = ("lower", "upper")
every_triangle = cases.each("triangle", TRIANGLES)
every_kind = cases.each("kind", STORE_KINDS)
CONTAINERS = {
    f"{name}_{ending}": getattr(scipy.sparse, f"{name}_{ending}")
    for name in ("csr", "csc", "coo", "bsr", "dok", "lil", "dia")
    for ending in ("array", "matrix")
}


def allows(dtype, kind, **_):
    return cases.allows(dtype, kind)


def whole(full, stored, make=scipy.sparse.csr_array):
    indptr, indices, data = patterns.csr(full, stored)
    return make(scipy.sparse.csr_array((data, indices, indptr), shape=full.shape))


# ---- from SciPy's matrices ---------------------------------------------------------------------------------


@cases.each(
    ("pattern", "kind", "dtype", "triangle", "use", "container", "n"),
    cases.pairwise(
        allows,
        pattern=list(PATTERNS),
        kind=STORE_KINDS,
        dtype=NUMBERS,
        triangle=TRIANGLES,
        use=("both", "lower", "upper"),
        container=("csr_array", "csc_array", "coo_array", "csc_matrix"),
        n=(0, 1, 2, 5, 33),
    ),
)
def test_a_whole_matrix_is_halved(pattern, kind, dtype, triangle, use, container, n):
    full, stored = patterns.matrix(pattern, kind, dtype, n), patterns.places(pattern, n)
    matrix = whole(full, stored, CONTAINERS[container])
    store = SparseHalf.from_sparse(matrix, kind=kind, use=use, triangle=triangle)
    assert store.triangle == triangle and store.dtype == dtype and store.n == n
    assert_canonical_half(store)
    np.testing.assert_array_equal(store.expand(), full)
    np.testing.assert_array_equal(stored_in(store), stored)
    assert store.nnz == np.tril(stored).sum()


@cases.each("use", ["lower", "upper", "mean"])
@cases.each("container", ["csr_array", "csc_array"])
@every_triangle
@every_kind
def test_use_says_which_triangle_is_believed(use, container, triangle, kind):
    full = cases.moderate(np.complex128, (21, 21))
    full[np.abs(full) < 1.2] = 0
    want = vech.expand(vech.pack(full, "numpy-tril", kind=kind, use=use), "numpy-tril", kind=kind)
    if triangle == "upper":
        want = vech.expand(vech.pack(full, "numpy-triu", kind=kind, use=use), "numpy-triu", kind=kind)
    store = SparseHalf.from_sparse(CONTAINERS[container](full), kind=kind, use=use, triangle=triangle)
    np.testing.assert_array_equal(store.expand(), want)
    assert_canonical_half(store)


def test_the_mean_holds_the_places_of_both_triangles():
    matrix = scipy.sparse.csr_array([[1.0, 4.0, 0.0], [2.0, 0.0, 0.0], [6.0, 0.0, 1e308]])
    store = SparseHalf.from_sparse(matrix, use="mean")
    assert store.expand().tolist() == [[1, 3, 3], [3, 0, 0], [3, 0, 1e308]]
    assert SparseHalf.from_sparse(matrix, use="mean", triangle="upper").indices.tolist() == [0, 1, 2, 2]


def test_the_mean_of_a_diagonal_is_what_its_kind_says():
    matrix = scipy.sparse.csr_array([[2 + 4j]])
    for kind, want in (("hermitian", 2), ("skew-hermitian", 4j), ("skew", 0), ("symmetric", 2 + 4j)):
        assert SparseHalf.from_sparse(matrix, kind=kind, use="mean").data.tolist() == [want]


@cases.each("container", CONTAINERS.values(), ids=CONTAINERS)
@every_triangle
def test_every_container_is_taken_and_left_as_it_is(container, triangle):
    full = patterns.matrix("random", "symmetric", np.float64, 12)
    matrix = container(full)
    before = matrix.copy()
    store = SparseHalf.from_sparse(matrix, triangle=triangle)
    np.testing.assert_array_equal(store.expand(), full)
    assert is_symmetric(matrix)
    assert type(matrix) is type(before) and abs(matrix.tocsr() - before.tocsr()).nnz == 0
    for part in ("data", "indices", "indptr"):
        if isinstance(getattr(matrix, part, None), np.ndarray):
            assert not np.shares_memory(getattr(matrix, part), store.data)
            assert not np.shares_memory(getattr(matrix, part), store.indices)


@cases.each("make", [scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.csr_matrix])
@cases.each("flagged", [False, True])
def test_unsorted_and_repeated_places_are_put_in_order_in_a_copy(make, flagged):
    data, indices, indptr = np.array([1.0, 2, 3, 4, 5]), np.array([1, 0, 0, 1, 1]), np.array([0, 2, 5])
    matrix = make((data, indices, indptr), shape=(2, 2))
    matrix.has_canonical_format = matrix.has_sorted_indices = flagged  # a flag that lies
    lower = [2.0, 3.0, 9.0] if matrix.format == "csr" else [2.0, 1.0, 9.0]
    assert SparseHalf.from_sparse(matrix, use="lower").data.tolist() == lower
    assert not is_symmetric(matrix)
    assert data.tolist() == [1, 2, 3, 4, 5] and indices.tolist() == [1, 0, 0, 1, 1]
    assert indptr.tolist() == [0, 2, 5] and matrix.nnz == 5 and matrix.has_sorted_indices == flagged


def test_duplicates_are_summed_before_a_triangle_is_taken():
    i, j = [0, 0, 1, 1, 0, 2, 2], [1, 1, 0, 1, 0, 1, 2]
    values = [1.0, 2, 3, 4, 5, 0, 0]
    matrix = scipy.sparse.coo_array((values, (i, j)), shape=(3, 3))
    store = SparseHalf.from_sparse(matrix)
    assert store.expand().tolist() == [[5, 3, 0], [3, 4, 0], [0, 0, 0]]
    assert store.nnz == 5  # zeros that are stored stay
    assert is_symmetric(matrix)


@pytest.mark.parametrize("use", ["both", "lower", "upper"])
def test_bits_are_kept(use):
    full = cases.matrix(np.float64, "symmetric", 14, values=cases.raw)
    matrix = whole(full, np.ones((14, 14), bool))
    assert_same_bits(SparseHalf.from_sparse(matrix, use=use).expand(), full)
    assert_same_bits(SparseHalf.from_sparse(matrix, use=use, triangle="upper").expand(), full)


@pytest.mark.parametrize(
    "full",
    [
        np.array([[np.inf, 1e308], [1e308, -np.inf]]),
        np.array([[100, 100], [100, 100]], np.int8),
        np.array([[np.nan, -0.0], [-0.0, 5e-324]]),
    ],
    ids=["infinities", "int8", "signed zeros"],
)
def test_there_and_back_loses_nothing_that_adding_triangles_loses(full):
    """L + L.T - D drops stored zeros and makes nan of inf, inf of 1e308 and -56 of int8 100."""
    matrix = whole(full, np.ones((2, 2), bool))
    for triangle in TRIANGLES:
        store = SparseHalf.from_sparse(matrix, triangle=triangle)
        for format in ("csr", "csc", "coo"):
            back = getattr(store, f"to_{format}")()
            assert back.nnz == 4
            assert_same_bits(back.data.reshape(2, 2), full)


def test_room_behind_the_numbers_is_not_looked_at():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 2.0], [2.0, 0.0]]))
    roomy = scipy.sparse.csr_array((2, 2))
    roomy.indptr, roomy.indices = matrix.indptr, np.append(matrix.indices, [77, -5]).astype(np.int32)
    roomy.data = np.append(matrix.data, [np.nan, 9])
    assert SparseHalf.from_sparse(roomy).data.tolist() == [1, 2] and is_symmetric(roomy)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_results_have_32_bit_columns_counted_in_64_bits(index):
    full = patterns.matrix("banded", "symmetric", np.float64, 9)
    matrix = scipy.sparse.csr_array(full)
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    store = SparseHalf.from_sparse(matrix)
    assert_canonical_half(store)
    np.testing.assert_array_equal(store.expand(), full)


def test_foreign_byte_orders_become_native():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 2], [2, 3]]))
    matrix.data = matrix.data.astype(">f8")
    store = SparseHalf.from_sparse(matrix)
    assert store.dtype.isnative and store.data.tolist() == [1, 2, 3]


def test_labels_are_taken():
    store = SparseHalf.from_sparse(scipy.sparse.csr_array(np.eye(2)), labels="ab")
    assert store.labels == ("a", "b")


# ---- what is refused ---------------------------------------------------------------------------------------


@every_triangle
@cases.each("container", ["csr_array", "csc_array", "coo_array"])
def test_half_a_matrix_declared_whole_is_refused(triangle, container):
    full = patterns.matrix("banded", "symmetric", np.float64, 9)
    half = np.tril(full) if triangle == "lower" else np.triu(full)
    other = "upper" if triangle == "lower" else "lower"
    matrix = CONTAINERS[container](half)
    i, j = np.unravel_index(np.abs(np.tril(full, -1)).argmax(), full.shape)
    with pytest.raises(
        ValueError,
        match=rf"matrix is not symmetric: a\[{i}, {j}\] is .*, but a\[{j}, {i}\] is .*; "
        rf"its {other} triangle is empty: if the {triangle} one is meant for both, say use='{triangle}'",
    ):
        SparseHalf.from_sparse(matrix)
    assert not is_symmetric(matrix)
    np.testing.assert_array_equal(SparseHalf.from_sparse(matrix, use=triangle).expand(), full)


@cases.each("container", ["csr_array", "csc_array", "coo_array"])
@every_kind
@cases.each("cell", [(7, 2), (2, 7)])
@cases.each("change", ["value", "only here"])
def test_the_worst_place_is_named_with_both_numbers(container, kind, cell, change):
    full = cases.matrix(np.complex128, kind, 9)
    full[np.abs(full) < 0.9] = 0
    full[2, 7] = full[7, 2] = 0
    full[cell] = 8
    if change == "value":
        full[cell[::-1]] = 3j
    full[8, 4] += 1
    full[1, 0] += 1  # comes first
    matrix = CONTAINERS[container](full)
    with pytest.raises(ValueError) as caught:
        SparseHalf.from_sparse(matrix, kind=kind)
    assert f"is not {kind}: a[7, 2] is {full[7, 2]}, but a[2, 7] is {full[2, 7]};" in str(caught.value)
    assert "use='lower', 'upper' or 'mean', or allow more with tolerance=" in str(caught.value)
    assert not is_symmetric(matrix, kind)


def test_equal_numbers_at_wrong_places_are_refused():
    """The data of the matrix and of its transpose are equal; the places are not."""
    full = np.zeros((4, 4))
    full[0, 1] = full[2, 0] = full[3, 3] = 1
    matrix = scipy.sparse.csr_array(full)
    assert matrix.data.tolist() == matrix.T.tocsr().data.tolist()
    assert not is_symmetric(matrix)
    with pytest.raises(ValueError, match=r"a\[1, 0\] is 0.0, but a\[0, 1\] is 1.0"):
        SparseHalf.from_sparse(matrix)


def test_the_tolerance_is_that_of_pack():
    full = np.array([[1e6, 2, 0], [2 + 4e-10, 3, 0], [0, 1e-10, 5]])
    matrix = scipy.sparse.csr_array(full)
    assert SparseHalf.from_sparse(matrix).data.tolist() == [1e6, 2 + 4e-10, 3, 1e-10, 5]
    upper = SparseHalf.from_sparse(matrix, triangle="upper")
    assert upper.expand().tolist() == vech.expand(vech.pack(full, "numpy-triu"), "numpy-triu").tolist()
    assert not is_symmetric(matrix)
    with pytest.raises(ValueError, match=r"a\[1, 0\] is 2.0000000004, but a\[0, 1\] is 2.0"):
        SparseHalf.from_sparse(matrix, tolerance=0)
    matrix[0, 0] = 1
    with pytest.raises(ValueError, match="not symmetric"):
        SparseHalf.from_sparse(matrix)
    integers = scipy.sparse.csr_array([[0, 1], [3, 0]])
    assert SparseHalf.from_sparse(integers, tolerance=2).expand().tolist() == [[0, 3], [3, 0]]
    with pytest.raises(ValueError, match="not symmetric"):
        SparseHalf.from_sparse(integers, tolerance=1.9)
    with pytest.raises(ValueError, match="tolerance must not be negative or NaN, but is -1"):
        SparseHalf.from_sparse(integers, tolerance=-1)


def test_infinities_and_nans_agree_with_themselves():
    full = np.array([[np.nan, np.inf, np.nan], [np.inf, 1, -np.inf], [np.nan, -np.inf, 0]])
    assert_same_bits(SparseHalf.from_sparse(scipy.sparse.csr_array(full)).expand(), full)
    assert is_symmetric(scipy.sparse.csr_array(full))
    full[0, 1] = -np.inf
    assert not is_symmetric(scipy.sparse.csr_array(full))
    with pytest.raises(ValueError, match=r"a\[1, 0\] is inf, but a\[0, 1\] is -inf"):
        SparseHalf.from_sparse(scipy.sparse.csr_array(full))
    with pytest.raises(ValueError, match=r"a\[1, 0\] is nan, but a\[0, 1\] is 0.0"):
        SparseHalf.from_sparse(scipy.sparse.csr_array([[0, 0], [np.nan, 0]]))


def test_the_triangle_that_is_not_believed_may_hold_anything():
    full = np.array([[1.0, np.nan, np.nan], [2, 3, np.inf], [4, 5, 6]])
    for make in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array):
        assert SparseHalf.from_sparse(make(full), use="lower").data.tolist() == [1, 2, 3, 4, 5, 6]
        assert SparseHalf.from_sparse(make(full.T), use="upper").data.tolist() == [1, 2, 3, 4, 5, 6]


def test_the_diagonal_is_judged_like_any_pair():
    with pytest.raises(ValueError, match=r"not hermitian: a\[1, 1\] is 1j;"):
        SparseHalf.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1j]]), kind="hermitian")
    with pytest.raises(ValueError, match=r"not skew: a\[1, 1\] is 1.0;"):
        SparseHalf.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1.0]]), kind="skew")
    store = SparseHalf.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1j]]), kind="hermitian", use="lower")
    assert store.data.tolist() == [1j]


def test_the_smallest_integer_has_no_mirror_image():
    full = np.array([[0, 5], [-128, 0]], np.int8)
    for use, triangle in (("both", "lower"), ("lower", "upper")):
        with pytest.raises(OverflowError, match=r"-128 at \(1, 0\) has no negative in int8"):
            SparseHalf.from_sparse(scipy.sparse.csr_array(full), kind="skew", use=use, triangle=triangle)
    store = SparseHalf.from_sparse(scipy.sparse.csr_array(full), kind="skew", use="lower")
    assert store.data.tolist() == [-128]


@cases.each("name, value", [("indices", 77), ("indices", -1), ("indptr", 99), ("indptr", -3)])
@cases.each("take", [SparseHalf.from_sparse, is_symmetric])
def test_arrays_that_are_no_matrix_are_refused(name, value, take):
    for make in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.bsr_array):
        for index in (np.int32, np.int64):
            matrix = make(np.eye(3))
            matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
            getattr(matrix, name)[1] = value
            with pytest.raises(ValueError):
                take(matrix)


@pytest.mark.parametrize("name, value", [("col", 3), ("row", -1), ("row", 2**31 - 1)])
def test_pairs_outside_of_the_matrix_are_refused(name, value):
    matrix = scipy.sparse.coo_array(np.eye(3))
    getattr(matrix, name)[1] = value
    with pytest.raises(ValueError, match=r"entry 1 is at \(.*\), which is not in a matrix of 3 rows"):
        SparseHalf.from_sparse(matrix)


def test_what_does_not_fit_is_refused():
    square = scipy.sparse.csr_array(np.eye(3))
    for take in (SparseHalf.from_sparse, is_symmetric):
        with pytest.raises(ValueError, match=r"matrix has shape \(2, 3\): it must be a square"):
            take(scipy.sparse.csr_array((2, 3)))
        with pytest.raises(TypeError, match=r"matrix must be a SciPy sparse array, not numpy\.ndarray"):
            take(np.eye(3))
    with pytest.raises(ValueError, match="unknown use 'all'"):
        SparseHalf.from_sparse(square, use="all")
    with pytest.raises(ValueError, match="unknown triangle 'Lower': did you mean 'lower'"):
        SparseHalf.from_sparse(square, triangle="Lower")
    with pytest.raises(ValueError, match="no store holds a triangular matrix"):
        SparseHalf.from_sparse(square, kind="triangular")
    with pytest.raises(TypeError, match="use='lower' compares nothing"):
        SparseHalf.from_sparse(square, use="lower", tolerance=1)
    with pytest.raises(TypeError, match="use='mean' computes with floats or complex numbers, not int64"):
        SparseHalf.from_sparse(scipy.sparse.csr_array(np.eye(3, dtype=int)), use="mean")
    with pytest.raises(ValueError, match="threads must be at least 1"):
        SparseHalf.from_sparse(square, threads=0)
    with pytest.raises(ValueError, match="say kind='symmetric' or kind='hermitian'"):
        SparseHalf.from_sparse(square.astype(complex))
    with pytest.raises(TypeError, match="kind 'skew' needs numbers with a sign, not uint8"):
        is_symmetric(square.astype(np.uint8), "skew")
    with pytest.raises(ValueError, match="unknown kind 'antisymmetric'"):
        is_symmetric(square, "antisymmetric")


# ---- whether a matrix is symmetric -------------------------------------------------------------------------


@cases.each(
    ("pattern", "kind", "dtype", "container", "n", "threads"),
    cases.pairwise(
        allows,
        pattern=list(PATTERNS),
        kind=STORE_KINDS,
        dtype=NUMBERS,
        container=("csr_array", "csc_array", "coo_array"),
        n=(0, 1, 2, 17, 40),
        threads=(1, 3),
    ),
)
def test_symmetric_matrices_are_told_from_others(pattern, kind, dtype, container, n, threads):
    full, stored = patterns.matrix(pattern, kind, dtype, n), patterns.places(pattern, n)
    matrix = whole(full, stored, CONTAINERS[container])
    assert is_symmetric(matrix, kind, threads=threads) is True
    rng = cases.generator("spoilt", pattern, n)
    off = np.argwhere(~np.eye(n, dtype=bool))
    for i, j in off[rng.permutation(len(off))[:6]]:
        spoilt, there = full.copy(), stored.copy()
        spoilt[i, j], there[i, j] = (not spoilt[i, j]) if dtype == bool else spoilt[i, j] + 1, True
        assert is_symmetric(whole(spoilt, there, CONTAINERS[container]), kind, threads=threads) is False


def test_a_stored_zero_equals_one_that_is_not_stored():
    matrix = scipy.sparse.csr_array((np.array([0.0, -0.0]), ([0, 2], [1, 0])), shape=(3, 3))
    assert is_symmetric(matrix) and is_symmetric(matrix, "skew")
    lower, upper = (SparseHalf.from_sparse(matrix, triangle=triangle) for triangle in ("lower", "upper"))
    for store in (lower, upper):  # and stays, in whichever triangle it was
        assert np.array_equal(store.expand(), np.zeros((3, 3)))
        patterns.assert_canonical_half(store)
        assert {tuple(sorted(place)) for place in zip(*store.to_coo(part="lower").coords, strict=True)} == {
            (0, 1),
            (0, 2),
        }


@cases.each("use", ["both", "lower", "upper", "mean"])
@cases.each("triangle", ["lower", "upper"])
@cases.each("kind", ["symmetric", "skew"])
def test_zeros_stored_in_one_triangle_stay(use, triangle, kind):
    rows, columns = np.array([3, 1, 0, 2, 2]), np.array([0, 1, 2, 0, 1])
    sign = -1.0 if kind == "skew" else 1.0
    matrix = scipy.sparse.csr_array((np.array([0, 0, 5, sign * 5, 0]), (rows, columns)), shape=(4, 4))
    believed = {"lower": rows >= columns, "upper": rows <= columns}.get(use, rows >= 0)
    store = SparseHalf.from_sparse(matrix, kind=kind, use=use, triangle=triangle)
    held = np.zeros((4, 4), bool)
    held[rows[believed], columns[believed]] = held[columns[believed], rows[believed]] = True
    assert np.array_equal(patterns.stored_in(store), held)
    assert np.array_equal(store.expand(), matrix.toarray())


def test_a_place_within_the_tolerance_stays_with_the_number_of_its_triangle():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 1e-20], [0, 1]]))
    for triangle, number in (("lower", 0.0), ("upper", 1e-20)):
        store = SparseHalf.from_sparse(matrix, triangle=triangle)
        assert store.nnz == 3 and store[1, 0] == number


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr"])
def test_duplicates_that_wrap_around_are_refused_for_halves_of_every_store(format):
    coo = scipy.sparse.coo_array((np.array([100, 100], np.int8), ([0, 0], [0, 0])), shape=(2, 2))
    matrix = coo
    if format != "coo":
        arrays = (coo.data, np.zeros(2, np.int32), np.array([0, 2, 2]))
        matrix = getattr(scipy.sparse, f"{'csr' if format == 'bsr' else format}_array")(arrays, shape=(2, 2))
        matrix = (
            scipy.sparse.bsr_array((arrays[0][:, None, None], *arrays[1:]), shape=(2, 2))
            if format == "bsr"
            else matrix
        )
    for make in (vech.from_sparse, SparseHalf.from_sparse):
        with pytest.raises(OverflowError, match="duplicates add up to 200, beyond int8"):
            make(matrix)


@cases.each("format", ["csr", "csc", "lil", "dia", "coo", "bsr"])
def test_more_rows_than_32_bits_count(format, monkeypatch):
    monkeypatch.setattr("vech.sparse.whole.INT32_MAX", 3)
    monkeypatch.setattr("vech.arrays.INT32_MAX", 3)
    full = np.zeros((9, 9))
    full[8, 1] = full[1, 8] = 7
    matrix = scipy.sparse.csr_array(full).asformat(format)
    assert is_symmetric(matrix)
    store = SparseHalf.from_sparse(matrix)
    assert store.n == 9 and store.nnz == 1 and store[1, 8] == 7


@pytest.mark.parametrize("call", ["SparseHalf(1, 2)", "S.threshold(1, 2)", "S.matmul()", "S.prune(foo=1)"])
def test_errors_about_arguments_name_the_store(call):
    S = SparseHalf([0, 1], [0], [1.0], 1, triangle="lower")
    with pytest.raises(TypeError, match=r"^SparseHalf\.(__init__|threshold|matmul|prune)\(\) "):
        eval(call, {"SparseHalf": SparseHalf, "S": S})


@cases.each("value", ["1", None, 1j, True, np.array([1, 2])])
def test_what_no_magnitude_is_compared_with_is_refused(value):
    S = SparseHalf([0, 1], [0], [1.0], 1, triangle="lower")
    for what, call in (
        ("threshold", S.threshold),
        ("threshold", lambda value: SparseHalf.from_half([1.0], threshold=value)),
        ("norm", lambda value: S.prune(norm=value)),
    ):
        if value is None and what == "norm":
            continue
        with pytest.raises(TypeError, match=f"^{what} must be a real number, not "):
            call(value)
    assert is_symmetric(scipy.sparse.csr_array([[0.0, 1e-323], [0, 0]])) is False


def test_asking_for_symmetry_takes_memory_for_rows_only():
    """netket#1422 expanded the matrix to ask."""
    n = 200_000
    i = np.arange(n)
    matrix = scipy.sparse.csr_array((np.ones(n), (i, i[::-1])), shape=(n, n))
    tracemalloc.start()
    assert is_symmetric(matrix)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * n


# ---- from pairs --------------------------------------------------------------------------------------------


@cases.each("use", ["both", "lower", "upper"])
@every_triangle
@every_kind
def test_pairs_may_come_in_any_order(use, triangle, kind):
    full, stored = patterns.matrix("random", kind, np.complex64, 20), patterns.places("random", 20)
    rows, columns = np.nonzero(stored)
    order = cases.generator("order").permutation(rows.size)
    rows, columns = rows[order], columns[order]
    store = SparseHalf.from_coo(rows, columns, full[rows, columns], 20, kind=kind, use=use, triangle=triangle)
    np.testing.assert_array_equal(store.expand(), full)
    np.testing.assert_array_equal(stored_in(store), stored)
    assert_canonical_half(store)


def test_pairs_at_one_place_are_summed():
    store = SparseHalf.from_coo([1, 1, 0, 1], [0, 0, 1, 1], [1, 2, 3, 4], 2, labels="ab")
    assert store.expand().tolist() == [[0, 3], [3, 4]] and store.labels == ("a", "b")
    assert SparseHalf.from_coo([], [], [], 0).expand().shape == (0, 0)
    assert SparseHalf.from_coo([], [], [], 3).nnz == 0


@cases.each(
    ("arguments", "error", "message"),
    [
        (([0, 1], [0], [1.0]), ValueError, r"shapes \(2,\), \(1,\) and \(1,\): each number needs its place"),
        (([0], [3], [1.0]), ValueError, r"entry 0 is at \(0, 3\), which is not in a matrix of 3 rows"),
        (([0], [-1], [1.0]), ValueError, r"entry 0 is at \(0, -1\)"),
        (([0.0], [0], [1.0]), TypeError, "row must hold integers, not float64"),
        (([0], [[0]], [1.0]), ValueError, r"col has shape \(1, 1\): it must be a vector"),
        (([0], [0], ["a"]), TypeError, "data of dtype <U1 holds text"),
        (([2], [0], [1.0]), ValueError, r"not symmetric: a\[2, 0\] is 1.0, .*say use='lower'"),
    ],
)
def test_pairs_that_are_no_matrix_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SparseHalf.from_coo(*arguments, 3)


# ---- from halves -------------------------------------------------------------------------------------------


@cases.each(
    ("layout", "kind", "triangle", "dtype"),
    cases.pairwise(
        lambda layout, kind, triangle, dtype: cases.fits(layout, np.dtype(dtype), kind, 15),
        layout=LAYOUTS,
        kind=STORE_KINDS,
        triangle=(None, *TRIANGLES),
        dtype=("f4", "f8", "c16", "i2", "bool"),
    ),
)
@pytest.mark.parametrize("threshold", [0.0, 0.8])
def test_a_half_keeps_what_is_above_the_threshold(layout, kind, triangle, dtype, threshold):
    n = 3 if isinstance(layout, vech.TensorOrder) else 15
    half = cases.half(np.dtype(dtype), layout, kind, n, values=cases.moderate)
    half[cases.generator("zeros", layout.name).random(half.size) < 0.5] = 0
    full = reference.expand(half, layout, kind)
    store = SparseHalf.from_half(half, layout, kind=kind, threshold=threshold, triangle=triangle)
    want = np.where(np.abs(full) > threshold, full, np.zeros(1, dtype))
    np.testing.assert_array_equal(store.expand(), want)
    np.testing.assert_array_equal(stored_in(store), want != 0)
    assert_canonical_half(store)
    plain = layout.plain
    free = "lower" if (plain.triangle == "lower") == (plain.traversal == "rows") else "upper"
    assert store.triangle == (triangle or free)


def test_the_scan_gives_the_layout_that_the_order_of_the_half_has():
    """Lower by columns scans into columns of the lower half, which are rows of the upper one."""
    half = np.array([1.0, 2, 3, 4, 5, 6])
    for layout, triangle in (
        ("vech", "upper"),
        ("lapack-upper", "lower"),
        ("numpy-tril", "lower"),
        ("numpy-triu", "upper"),
    ):
        store = SparseHalf.from_half(half, layout)
        assert store.triangle == triangle
        assert_same_bits(store.data, half)


def test_a_threshold_keeps_nan_and_judges_what_it_is_given():
    half = np.array([np.nan, 0.5, -0.5, np.inf, -3.0, 0.25])
    assert SparseHalf.from_half(half, threshold=0.5).data.tolist()[1:] == [np.inf, -3]
    extremes = np.array([-128, 127, -127, 5, -5, 0], np.int8)
    assert SparseHalf.from_half(extremes, threshold=127).data.tolist() == [-128]
    assert SparseHalf.from_half(extremes, threshold=126.5).data.tolist() == [-128, 127, -127]
    large = np.array([2**63 - 1, 2**63 - 2, -(2**63)], np.int64)
    assert SparseHalf.from_half(large, threshold=2.0**62).nnz == 3
    assert SparseHalf.from_half(large, threshold=1e300).nnz == 0
    near = np.array([np.float32(0.1)], np.float32)  # is larger than 0.1
    assert SparseHalf.from_half(near, threshold=0.1).nnz == 1
    for wrong in (-1, np.nan):
        with pytest.raises(ValueError, match="the threshold must not be negative or NaN, but is"):
            SparseHalf.from_half(half, threshold=wrong)


@pytest.mark.every_target
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "condensed", "svec-lower"])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_scan_compares_every_number_with_the_threshold(dtype, layout, threads):
    layout = vech.as_layout(layout)
    n = 700 if layout.diagonal == "stored" else 701
    for threshold in (1e-40, 0.3, 2.5, np.inf):
        half = cases.moderate(dtype, layout.length(n))
        half[::7] = cases.raw(dtype, half[::7].size)
        half[3::50], half[4::50] = threshold, -threshold
        if layout.scaled:
            half = cases.moderate(dtype, half.size)
        full = vech.expand(half, layout)
        store = SparseHalf.from_half(half, layout, threshold=threshold, threads=threads)
        with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
            kept = ~(np.abs(full.astype(np.float64)) <= threshold)
        np.testing.assert_array_equal(stored_in(store), kept)
        np.testing.assert_array_equal(store.expand(), np.where(kept, full, 0))


def test_a_diagonal_of_ones_is_compared_too():
    layout = vech.Layout("lower", "columns", diagonal="one")
    for threshold, nnz in ((0.5, 3), (1.0, 1), (2.0, 0)):
        for dtype in ("f8", "i8"):
            store = SparseHalf.from_half(np.array([2], dtype), layout, threshold=threshold)
            assert store.nnz == nnz


def test_a_half_that_is_no_store_is_refused():
    with pytest.raises(ValueError, match="no store holds a triangular matrix"):
        SparseHalf.from_half(np.ones(3), kind="triangular")
    with pytest.raises(ValueError, match="unknown triangle 'left'"):
        SparseHalf.from_half(np.ones(3), triangle="left")
    with pytest.raises(TypeError, match="float16"):
        SparseHalf.from_half(np.ones(3, "f2"))


# ---- sums of duplicates, and sides, beyond what there is ---------------------------------------------------


@pytest.mark.parametrize("dtype, number", [(np.int8, 100), (np.uint64, 2**63), (np.int64, -(2**62) - 5)])
def test_duplicates_that_wrap_around_are_refused(dtype, number):
    values = np.full(3, number, dtype)
    places = np.ones(3, np.int64)
    with pytest.raises(
        OverflowError, match=r"duplicates add up to -?\d+, beyond .*: astype to a larger dtype first"
    ):
        vech.SparseHalf.from_coo(places, places, values, 2)
    matrix = scipy.sparse.csr_array((values, places, [0, 0, 3]), shape=(2, 2))
    with pytest.raises(OverflowError, match="duplicates add up to"):
        vech.SparseHalf.from_sparse(matrix)
    assert (
        vech.SparseHalf.from_coo(places[:2], places[:2], np.array([number, -1], object).astype(float), 2).nnz
        == 1
    )


def test_integers_that_add_up_are_taken():
    assert vech.SparseHalf.from_coo([1, 1], [1, 1], np.array([100, 27], np.int8), 2)[1, 1] == 127
    assert vech.SparseHalf.from_coo([1, 1], [1, 1], np.array([2**62, 2**62 - 1]), 2)[1, 1] == 2**63 - 1


def test_a_side_beyond_the_arithmetic_is_refused():
    with pytest.raises(
        ValueError, match=r"n = 18446744073709551616 is out of range: the side of a matrix is 0 to"
    ):
        vech.SparseHalf.from_coo([], [], np.zeros(0), 2**64)


# ---- both ways from a full sparse matrix -------------------------------------------------------------------


@every_kind
@cases.each("use", ["both", "lower", "upper", "mean"])
@cases.each("layout", ["vech", "lapack-upper", "numpy-triu"])
def test_a_half_and_a_sparse_half_are_made_of_the_same_numbers(kind, use, layout):
    full = cases.matrix(np.complex128, kind, 12)
    full[np.abs(full) < 0.9] = 0
    if use != "both":
        full[7, 2] += 1
    for container in CONTAINERS.values():
        matrix = container(full)
        triangle = vech.as_layout(layout).triangle
        store = SparseHalf.from_sparse(matrix, kind=kind, use=use, triangle=triangle)
        half = vech.from_sparse(matrix, layout, kind=kind, use=use)
        assert_same_bits(store.to_packed(layout).half, half)


@cases.each("place", [(7, 2), (2, 7), (3, 3)])
@cases.each("kind", ["hermitian", "skew-hermitian"])
@cases.each("triangle, layout", [("lower", "vech"), ("upper", "lapack-upper")])
def test_both_ways_say_the_same_of_what_is_not_its_mirror_image(place, kind, triangle, layout):
    full = cases.matrix(np.complex128, kind, 9)
    full[place] += 3 + 3j
    said = []
    for make in (
        lambda: SparseHalf.from_sparse(scipy.sparse.csc_array(full), kind=kind, triangle=triangle),
        lambda: vech.from_sparse(scipy.sparse.csr_array(full), layout, kind=kind),
        lambda: vech.pack(full, layout, kind=kind),
    ):
        with pytest.raises(ValueError) as caught:
            make()
        said.append(str(caught.value))
    assert len(set(said)) == 1
