"""Arithmetic of sparse halves, and what leaves numbers out: equal to NumPy on the full matrices."""

import operator

import numpy as np
import pytest
import scipy.sparse

import cases
import patterns
import vech
from cases import STORE_KINDS
from compare import assert_same_bits
from patterns import NUMBERS, PATTERNS, assert_canonical_half, stored_in

TRIANGLES = ("lower", "upper")
every_triangle = cases.each("triangle", TRIANGLES)
every_kind = cases.each("kind", STORE_KINDS)


def allows(dtype, kind, **_):
    return cases.allows(dtype, kind)


def check(store, full, stored):
    """A store in canonical form of this matrix, at these places."""
    assert_canonical_half(store)
    assert store.dtype == full.dtype
    np.testing.assert_array_equal(store.expand(), full)
    np.testing.assert_array_equal(stored_in(store), stored)


# ---- two matrices ------------------------------------------------------------------------------------------


@cases.each(
    ("patterns_", "kind", "dtype", "other_dtype", "triangles", "n"),
    cases.pairwise(
        lambda dtype, other_dtype, kind, **_: (
            allows(dtype, kind)
            and allows(other_dtype, kind)
            and (not kind.endswith("hermitian") or (dtype.kind == "c") == (other_dtype.kind == "c"))
        ),
        patterns_=[(a, b) for a in PATTERNS for b in ("random", "banded", "nothing")],
        kind=STORE_KINDS,
        dtype=NUMBERS,
        other_dtype={name: NUMBERS[name] for name in ("i8", "f4", "f8", "c16")},
        triangles=[(a, b) for a in TRIANGLES for b in TRIANGLES],
        n=(0, 1, 2, 25),
    ),
)
def test_two_matrices_compute_as_full_ones(patterns_, kind, dtype, other_dtype, triangles, n):
    a, in_a, S = patterns.of(patterns_[0], kind, dtype, n, triangles[0], labels=range(n))
    b, in_b, T = patterns.of(patterns_[1], kind, other_dtype, n, triangles[1], salt=1)
    for compute, stored in (
        (operator.add, in_a | in_b),
        (operator.sub, in_a | in_b),
        (operator.mul, in_a & in_b),
    ):
        result = compute(S, T)
        check(result, compute(a, b), stored)
        assert result.triangle == triangles[0] and result.labels == tuple(range(n))
        product = compute is operator.mul
        real = {"hermitian": "symmetric", "skew-hermitian": "skew"}
        plain = kind if result.dtype.kind == "c" else real.get(kind, kind)
        if not product or not kind.startswith("skew"):
            assert result.kind == plain
        else:
            assert result.kind == {"skew": "symmetric", "skew-hermitian": "hermitian"}[plain]


def test_equal_patterns_and_their_numbers_are_kept_apart():
    S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [1.0, 2.0, 3.0], 2, triangle="lower")
    total = S + S
    assert total.data.tolist() == [2, 4, 6] and S.data.tolist() == [1, 2, 3]
    total.data[:] = 9
    assert S.data.tolist() == [1, 2, 3]
    assert not np.shares_memory((S - S).data, S.data) and (S - S).nnz == 3


def test_zeros_that_come_out_are_stored_like_those_that_went_in():
    S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [0.0, 2.0, np.inf], 2, triangle="lower")
    T = vech.SparseHalf([0, 0, 1], [0], [-2.0], 2, triangle="lower")
    assert (S + T).data.tolist() == [0, 0, np.inf]
    assert (S * T).data.tolist() == [-4]  # infinity meets nothing
    assert (S * 0.5).nnz == 3 and (S + T).threshold().nnz == 1


@cases.each(
    ("left", "right", "sum_", "product"),
    [
        ("hermitian", "hermitian", "hermitian", "hermitian"),
        ("hermitian", "skew-hermitian", None, "skew-hermitian"),
        ("symmetric", "skew", None, "skew"),
        ("skew-hermitian", "skew-hermitian", "skew-hermitian", "hermitian"),
        ("symmetric", "hermitian", None, None),
    ],
)
def test_the_kind_of_a_result_is_the_one_that_is_true(left, right, sum_, product):
    a, _, S = patterns.of("random", left, np.dtype("c16"), 9, "lower")
    b, _, T = patterns.of("banded", right, np.dtype("c16"), 9, "upper", salt=1)
    for compute, kind in ((operator.add, sum_), (operator.mul, product)):
        if kind is None:
            with pytest.raises(TypeError, match=r"is of no kind: its triangles would not say the same"):
                compute(S, T)
        else:
            result = compute(S, T)
            assert result.kind == kind
            np.testing.assert_array_equal(result.expand(), compute(a, b))


def test_diagonals_compute_as_their_kind_says():
    S = vech.SparseHalf([0, 1], [0], [2 + 5j], 1, triangle="lower", kind="hermitian")
    T = vech.SparseHalf([0, 1], [0], [2 + 5j], 1, triangle="upper", kind="skew-hermitian")
    K = vech.SparseHalf([0, 1], [0], [2 + 5j], 1, triangle="lower", kind="skew")
    assert (S + S).data.tolist() == [4] and (T + T).data.tolist() == [10j] and (K + K).data.tolist() == [0]
    assert (3 * S).data.tolist() == [6] and (S * T).data.tolist() == [10j] and (-K).data.tolist() == [0]
    assert S.trace() == 2 and T.trace() == 5j and K.trace() == 0


def test_matrices_that_do_not_fit_each_other_are_refused():
    S = vech.SparseHalf([0, 1], [0], [1.0], 1, triangle="lower", labels="a")
    with pytest.raises(ValueError, match="matrices of 1 and of 2 rows do not fit each other"):
        S + vech.SparseHalf([0, 0, 0], [], [], 2, triangle="lower")
    with pytest.raises(ValueError, match="the labels of row 0 differ, 'a' and 'b': permute one"):
        S + vech.SparseHalf([0, 1], [0], [1.0], 1, triangle="lower", labels="b")
    assert (S + vech.SparseHalf([0, 1], [0], [1.0], 1, triangle="upper")).labels == ("a",)


# ---- a matrix and a number ---------------------------------------------------------------------------------


@cases.each(
    ("pattern", "kind", "dtype", "triangle"),
    cases.pairwise(allows, pattern=list(PATTERNS), kind=STORE_KINDS, dtype=NUMBERS, triangle=TRIANGLES),
)
def test_a_matrix_and_a_number_compute_as_a_full_one(pattern, kind, dtype, triangle):
    full, stored, S = patterns.of(pattern, kind, dtype, 14, triangle, labels=range(14))
    for c in (3, -0.5, np.float32(2), np.array(2)):
        check(c * S, c * full, stored)
        check(S * c, full * c, stored)
        check(S / c, full / c, stored)
    check(S + 0, full + 0, stored)
    check(0 + S, 0 + full, stored)
    check(sum([S, S]), full + full if dtype != bool else 0 + full + full, stored)
    if dtype != bool:
        check(-S, -full, stored)
        check(+S, +full, stored)
        check(S - 0, full - 0, stored)
        check(0 - S, 0 - full, stored)
    check(abs(S), abs(full), stored)
    assert (2 * S).labels == tuple(range(14)) and (2 * S).kind == S.kind and abs(S).kind == "symmetric"


def test_a_complex_number_makes_a_kind_of_another():
    full, stored, S = patterns.of("random", "hermitian", np.dtype("c16"), 9, "lower")
    check(1j * S, 1j * full, stored)
    assert (1j * S).kind == "skew-hermitian"
    with pytest.raises(
        TypeError, match=r"multiply of the number .* and a hermitian complex128 matrix is of no kind"
    ):
        (1 + 1j) * S


def test_numpy_takes_part():
    full, stored, S = patterns.of("random", "symmetric", np.dtype("f8"), 9, "lower")
    check(np.float64(2) * S, 2 * full, stored)
    check(np.multiply(S, 2.0), 2 * full, stored)
    check(np.add(S, S), 2 * full, stored)
    with pytest.raises(
        TypeError, match=r"np.exp does not work on a SparseHalf, which holds each number once"
    ):
        np.exp(S)


def test_what_would_have_no_zeros_is_refused():
    S = vech.SparseHalf([0, 1, 2], [0, 1], [1.0, 2.0], 2, triangle="lower")
    for compute in (
        lambda: S + 1,
        lambda: 1 - S,
        lambda: S - np.nan,
        lambda: 1 / S,
        lambda: S / S,
        lambda: 0 / S,
    ):
        with pytest.raises(
            TypeError,
            match=r"would change the zeros that a SparseHalf does not store: compute with to_packed\(\)",
        ):
            compute()


def test_what_is_no_number_is_refused():
    S = vech.SparseHalf([0, 1, 2], [0, 1], [1.0, 2.0], 2, triangle="lower")
    for other in ("a", None):
        with pytest.raises(TypeError, match="unsupported operand"):
            S + other


def test_a_packed_operand_makes_the_result_packed():
    full, _, S = patterns.of("random", "symmetric", np.dtype("f8"), 9, "lower")
    other = cases.matrix(np.float64, "symmetric", 9)
    P = vech.Packed(vech.pack(other))
    for result, want in ((S + P, full + other), (P - S, other - full), (S * P, full * other)):
        assert type(result) is vech.Packed
        np.testing.assert_array_equal(result.expand(), want)


def test_a_comparison_stores_what_is_true():
    full, _, S = patterns.of("random", "symmetric", np.dtype("f8"), 9, "lower", labels=range(9))
    other, _, T = patterns.of("banded", "symmetric", np.dtype("f8"), 9, "upper", salt=1)
    for compute in (operator.ne, operator.lt, operator.gt):
        want = compute(full, other)
        check(compute(S, T), want, want)
    check(full[1, 0] == S, full == full[1, 0], full == full[1, 0])
    assert (S.with_triangle("upper") != S).nnz == 0 and (S != T).labels == (S == T).labels == tuple(range(9))


def test_rows_beyond_counting_are_compared():
    n = 3_000_000_000
    S, T = (vech.SparseHalf.from_coo([n - 1, 5], [0, 5], [x, 2.0], n, use="lower") for x in (1.0, 3.0))
    assert [(S != T).nnz, (S < T).nnz, (S == 2).nnz, (S > T).nnz] == [1, 1, 1, 0]
    assert (S != T)[0, n - 1] and not (S != T)[5, 5]
    message = "np.equal is true here where nothing is stored; S != T, S < T and S > T are not"
    with pytest.raises(MemoryError, match=message):
        operator.eq(S, T)


def test_in_place_is_a_new_store_and_the_arrays_stay():
    data = np.array([1, 2, 3])
    S = same = vech.SparseHalf([0, 1, 3], [0, 0, 1], data, 2, triangle="lower")
    S *= 0.5
    assert S is not same and S.data.tolist() == [0.5, 1, 1.5] and data.tolist() == [1, 2, 3]
    with pytest.raises(TypeError, match="would change the zeros that a SparseHalf does not store"):
        S += 1
    assert S.data.tolist() == [0.5, 1, 1.5]


def test_a_result_that_sparse_arrays_do_not_hold_is_refused():
    S = vech.SparseHalf([0, 1], [0], np.ones(1, np.float32), 1, triangle="lower")
    with pytest.raises(TypeError, match=r"longdouble|float128"):
        S * np.longdouble(2)


# ---- leaving numbers out -----------------------------------------------------------------------------------


@cases.each(
    ("pattern", "kind", "dtype", "triangle", "value", "keep_diagonal"),
    cases.pairwise(
        allows,
        pattern=list(PATTERNS),
        kind=STORE_KINDS,
        dtype=NUMBERS,
        triangle=TRIANGLES,
        value=(0.0, 0.7, 3),
        keep_diagonal=(False, True),
    ),
)
def test_a_threshold_judges_both_numbers_of_a_pair(pattern, kind, dtype, triangle, value, keep_diagonal):
    full, stored, S = patterns.of(pattern, kind, dtype, 18, triangle, labels=range(18))
    size = np.abs(full.astype(np.complex128 if dtype.kind == "c" else np.float64))
    kept = stored & ((size > value) | (keep_diagonal & np.eye(18, dtype=bool)))
    result = S.threshold(value, keep_diagonal=keep_diagonal)
    check(result, np.where(kept, full, np.zeros(1, dtype)), kept)
    assert result.labels == S.labels and result.triangle == triangle


def test_thresholds_keep_nan_and_bits():
    data = np.array([np.nan, 1e-300, -2.0, np.inf])
    S = vech.SparseHalf([0, 1, 2, 4], [0, 0, 0, 2], data, 3, triangle="lower")
    assert_same_bits(S.threshold(1).data, data[[0, 2, 3]])
    for wrong in (-1e-300, np.nan):
        with pytest.raises(ValueError, match="the threshold must not be negative or NaN, but is"):
            S.threshold(wrong)
    near = vech.SparseHalf([0, 1], [0], np.array([0.1], np.float32), 1, triangle="lower")  # larger than 0.1
    assert near.threshold(0.1).nnz == 1
    hermitian = vech.SparseHalf([0, 1], [0], [1 + 9j], 1, triangle="lower", kind="hermitian")
    assert hermitian.threshold(2).nnz == 0


@cases.each(
    ("pattern", "kind", "dtype", "triangle", "k", "combine", "keep_diagonal"),
    cases.pairwise(
        allows,
        pattern=list(PATTERNS),
        kind=STORE_KINDS,
        dtype=NUMBERS,
        triangle=TRIANGLES,
        k=(0, 1, 3, 100),
        combine=("union", "intersection"),
        keep_diagonal=(False, True),
    ),
)
def test_the_largest_of_each_row_are_made_symmetric(
    pattern, kind, dtype, triangle, k, combine, keep_diagonal
):
    n = 16
    full, stored, S = patterns.of(pattern, kind, dtype, n, triangle, labels=range(n))
    on = np.eye(n, dtype=bool)
    chosen = np.zeros((n, n), bool)
    for i in range(n):
        row = [j for j in range(n) if stored[i, j] and not (keep_diagonal and i == j)]
        row.sort(key=lambda j: (-abs(complex(full[i, j])), j))
        chosen[i, row[:k]] = True
    kept = chosen | chosen.T if combine == "union" else chosen & chosen.T
    kept |= stored & on & keep_diagonal
    check(
        S.largest(k, combine=combine, keep_diagonal=keep_diagonal),
        np.where(kept, full, np.zeros(1, dtype)),
        kept,
    )


def test_the_largest_by_row_alone_are_not_symmetric():
    """Which is why they are combined."""
    full = np.array([[0, 3, 2], [3, 0, 0], [2, 0, 0]])
    S = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full), labels="abc")
    assert S.largest(1).expand().tolist() == full.tolist()
    assert S.largest(1, combine="intersection").expand().tolist() == [[0, 3, 0], [3, 0, 0], [0, 0, 0]]
    assert S.largest(1).labels == tuple("abc")
    nan = vech.SparseHalf([0, 0, 1, 2], [0, 0], [np.nan, 5.0], 3, triangle="lower")
    assert np.isnan(nan.largest(1, combine="intersection").data).tolist() == [True]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"k": -1}, ValueError, "k must be 0 or more, not -1"),
        ({"k": 1.0}, TypeError, "k must be an integer, not 1.0"),
        ({"k": True}, TypeError, "k must be an integer, not True"),
        ({"k": 1, "combine": "both"}, ValueError, "unknown combine 'both'"),
    ],
)
def test_what_is_no_choice_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        vech.SparseHalf([0, 1], [0], [1.0], 1, triangle="lower").largest(**arguments)


# ---- another dtype -----------------------------------------------------------------------------------------


@every_triangle
@every_kind
def test_astype_casts_as_numpy_does(triangle, kind):
    full, stored, S = patterns.of("random", kind, np.dtype("c16"), 11, triangle, labels=range(11))
    cast = S.astype(np.complex64)
    check(cast, full.astype(np.complex64), stored)
    assert cast.kind == kind and cast.labels == S.labels
    assert S.astype(np.complex128, copy=False) is S and S.astype(np.complex128) is not S
    with pytest.raises(TypeError, match="complex128 numbers would lose their imaginary part in float64"):
        S.astype(float)
    with pytest.raises(TypeError, match=r"do not compute with float16: astype\(np.float32\) first"):
        S.astype("f2")


def test_a_skew_matrix_needs_a_sign():
    S = vech.SparseHalf([0, 0, 1], [0], [3.0], 2, triangle="lower", kind="skew")
    assert S.astype(np.int8).expand().tolist() == [[0, -3], [3, 0]]
    with pytest.raises(TypeError, match="kind 'skew' needs numbers with a sign, not uint8"):
        S.astype(np.uint8)
