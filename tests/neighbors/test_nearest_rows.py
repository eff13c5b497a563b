"""The nearest rows of every row, against a full sort: every store, dtype and size, ties, NaN, infinities."""

import near
import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from compare import assert_same_bits
from vech import _core
from vech.neighbors import nearest, rows
from vech.neighbors.lists import Lists

every_target = pytest.mark.every_target


def assert_nearest(S, full, k, largest=False, **options):
    full = near.held(S, full)
    found = nearest(S, k, largest=largest, **options)
    indices, values = near.nearest(full, k, largest)
    assert found.indices.dtype == np.int64 and found.values.dtype == full.dtype
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.values, values)
    return found


@every_target
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_a_half_that_grows_or_shrinks(dtype, largest):
    for make in (near.ties, near.ordinary, near.holes):
        for n, k in ((2, 1), (17, 16), (70, 5), (131, 8), (90, 17)):
            full = make(n, dtype)
            for layout in ("vech", "numpy-tril", "condensed", "strict-tril"):
                if layout in ("vech", "numpy-tril"):
                    np.fill_diagonal(full, -9)
                else:
                    np.fill_diagonal(full, 0)
                S = vech.Packed(vech.pack(full, layout), layout)
                assert_nearest(S, full, k, largest)


@every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_are_the_same_for_any_number_of_threads(dtype):
    for make in (near.ties, near.holes):
        S = vech.Packed(vech.pack(make(1200, dtype), "condensed"), "condensed")
        for layout in ("condensed", "strict-tril"):
            one, *others = (nearest(S.to_packed(layout), 7, threads=threads) for threads in (1, 2, 3))
            for other in others:
                assert_same_bits(one.indices, other.indices)
                assert_same_bits(one.values, other.values)
    rows = [0, 5, 600, 1199]
    assert_same_bits(one.indices[rows], near.nearest(S.expand(), 7, rows=rows)[0][rows])


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("n", near.SIZES)
def test_of_every_store(n, largest):
    for full in (near.ties(n), near.ordinary(n, np.float32)):
        for S in near.stores(full).values():
            for k in {0, min(1, max(0, n - 1)), max(0, n - 1)}:
                assert_nearest(S, full, k, largest)


@cases.each("largest", [False, True])
@cases.each(
    "dtype",
    [
        "bool",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        ">f8",
        ">i4",
    ],
)
def test_of_every_dtype(dtype, largest):
    full = near.ties(23, dtype)
    assert_nearest(vech.Packed(vech.pack(full)), full, 6, largest)
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    full = near.ties(23).astype(bfloat16)
    found = nearest(vech.Packed(vech.pack(full)), 3, largest=largest)
    assert found.values.dtype == bfloat16
    np.testing.assert_array_equal(found.indices, near.nearest(full.astype(float), 3, largest)[0])


def test_integers_beyond_double_are_told_apart():
    half = 2**62 + np.array([3, 1, 2, 5, 4, 0])
    found = nearest(vech.Packed(half, "condensed"), 3)
    full = vech.expand(half, "condensed")
    np.testing.assert_array_equal(found.values, np.sort(full)[:, 1:])
    np.testing.assert_array_equal(np.take_along_axis(full, found.indices, axis=1), found.values)


def test_rows_with_too_few_numbers_end_in_minus_one_and_nan():
    full = np.full((4, 4), np.nan)
    full[0, 1] = full[1, 0] = np.inf
    found = assert_nearest(vech.Packed(vech.pack(full)), full, 2)
    assert found.indices.tolist() == [[1, -1], [0, -1], [-1, -1], [-1, -1]]


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.03, 0.4, 1.0])
def test_of_a_sparse_half_what_is_not_stored_is_zero(density, largest):
    rng = np.random.default_rng(3)
    for n in (1, 2, 3, 30):
        full = np.where(rng.random((n, n)) < density, rng.integers(-2, 3, (n, n)).astype(float), 0)
        full[rng.random((n, n)) < density / 8] = np.nan
        full = np.tril(full) + np.tril(full, -1).T
        S = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full))
        for k in range(n):
            assert_nearest(S, full, k, largest)


def test_zeros_that_a_sparse_half_stores_are_as_those_it_does_not():
    S = vech.SparseHalf([0, 0, 1, 1, 2], [0, 1], [0.0, 0.0], 4, triangle="lower")
    assert_nearest(S, np.zeros((4, 4)), 3)
    of_integers = vech.SparseHalf([0, 1, 1, 1], [1], np.array([200], np.uint8), 3, triangle="upper")
    assert_nearest(of_integers, of_integers.expand(), 2, largest=True)


def test_full_matrices_and_frames_are_taken():
    full = near.ordinary(9)
    assert_nearest(full, full, 3)
    pandas = pytest.importorskip("pandas")
    names = list("abcdefghi")
    assert_nearest(pandas.DataFrame(full, names, names), full, 3)


@every_target
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "condensed"])
def test_parts_of_a_half_give_what_all_of_it_gives(monkeypatch, layout, threads):
    """Also more parts than rows, and of equal numbers the first."""
    for n in (2, 3, 40, 1100):  # large enough for shares of threads
        S = vech.Packed(vech.pack(near.ties(n), layout), layout)
        want, told = nearest(S, min(n - 1, 5), threads=1), []
        found = nearest(
            S, min(n - 1, 5), threads=threads, progress=lambda *step, told=told: told.append(step)
        )
        for got, wanted in zip(found, want, strict=True):
            assert_same_bits(got, wanted)
        assert (
            told == sorted(told) and told[-1] == (n, n) and len(told) == 1 + S.half.nbytes // rows.PART_BYTES
        )


@pytest.mark.parametrize("n, k", [(0, 1), (1, 1), (5, 5), (5, -1)])
def test_k_is_at_most_the_number_of_others(n, k):
    S = vech.Packed(np.zeros(n * (n + 1) // 2))
    others = max(0, n - 1)
    with pytest.raises(
        ValueError, match=rf"^k is {k}, but each of {n} rows has {others} others: k is 0 to that$"
    ):
        nearest(S, k)


def test_what_has_no_order_is_refused():
    with pytest.raises(
        TypeError, match=r"^nearest compares real numbers that are the same both ways, and S is skew$"
    ):
        nearest(vech.Packed(np.zeros(6), "strict-tril", kind="skew"), 1)
    with pytest.raises(TypeError, match=r"and S is complex$"):
        nearest(vech.Packed(np.zeros(6, complex), kind="symmetric"), 1)
    with pytest.raises(TypeError, match=r"nearest is of numbers, and S holds timedelta64\[s\]"):
        nearest(vech.Packed(np.zeros(6, "m8[s]")), 1)
    with pytest.raises(TypeError, match=r"^k must be an integer, not 1\.5$"):
        nearest(vech.Packed(np.zeros(6)), 1.5)
    with pytest.raises(ValueError, match=r"^S is not symmetric: a\[1, 0\] is 2.0, but a\[0, 1\] is 1.0"):
        nearest(np.array([[0.0, 1], [2, 0]]), 1)


def test_progress_is_told_in_rows():
    for S in (
        *near.stores(near.ordinary(40)).values(),
        vech.SparseHalf.from_sparse(scipy.sparse.eye_array(40)),
    ):
        told = []
        nearest(S, 2, progress=lambda *step, told=told: told.append(step))
        assert told[-1] == (40, 40)
    with pytest.raises(TypeError, match="progress must be a function"):
        nearest(S, 2, progress=3)


@every_target
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_fill_the_lists_as_the_half_does(dtype, threads):
    for make in (near.ties, near.holes):
        full = make(900, dtype)
        for side in (370, 1000):
            lists = Lists(900, 6, full.dtype, largest=True)
            for row in range(0, 900, side):
                for column in range(0, row + 1, side):
                    lists.offer(full[row : row + side, column : column + side], row, column, threads)
            found, wanted = lists.found(full.dtype), nearest(vech.Packed(vech.pack(full)), 6, largest=True)
            assert_same_bits(found.indices, wanted.indices)
            assert_same_bits(found.values, wanted.values)


@every_target
@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_with_their_partners(dtype, products):
    rng = np.random.default_rng(0)
    for columns in (0, 1, 7, 8, 16, 39):
        X = rng.integers(-50, 50, (20, columns)).astype(dtype)
        rows, partners = rng.integers(0, 20, 9), rng.integers(0, 20, (9, 4))
        results = np.empty((9, 4))
        _core.pair_rows(X, rows, partners, results, products, 2)
        a, b = X[rows][:, None].astype(float), X[partners].astype(float)
        np.testing.assert_array_equal(results, (a * b if products else (a - b) ** 2).sum(axis=2))


def test_the_kernel_refuses_what_leads_out_of_bounds():
    values, limits = np.empty((3, 9)), np.empty(3)
    indices = np.empty((3, 9), np.int64)
    with pytest.raises(ValueError, match="the half has another shape"):
        _core.nearest_half(np.zeros(4), 3, True, True, values, indices, limits, 2, False, 0, 1, 1)
    with pytest.raises(ValueError, match="values are not of n lists"):
        _core.nearest_half(np.zeros(6), 3, True, True, values, indices, limits, 9, False, 0, 1, 1)
    with pytest.raises(ValueError, match="indices are not as wide"):
        _core.nearest_half(np.zeros(6), 3, True, True, values, values, limits, 2, False, 0, 1, 1)
    with pytest.raises(IndexError, match="out of range"):
        _core.nearest_block(np.zeros((2, 2)), 2, 0, values, indices, limits, 2, False, 1)
    with pytest.raises(IndexError, match="no such row"):
        _core.pair_rows(np.zeros((2, 2)), np.array([0]), np.array([[2]]), np.empty((1, 1)), False, 1)
