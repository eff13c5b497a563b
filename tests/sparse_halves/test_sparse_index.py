"""What is taken out of a sparse half: entries, blocks, submatrices, other orders, the rows that matter."""

import numpy as np
import pytest
import scipy.sparse

import cases
import patterns
import vech
from cases import STORE_KINDS
from compare import assert_same_bits
from patterns import NUMBERS, PATTERNS, assert_canonical_half, stored_in
from vech.sparse import pattern

TRIANGLES = ("lower", "upper")
every_triangle = cases.each("triangle", TRIANGLES)
every_kind = cases.each("kind", STORE_KINDS)
battery = cases.each(
    ("pattern", "kind", "dtype", "n"),
    cases.pairwise(
        lambda pattern, kind, dtype, n: cases.allows(dtype, kind),
        pattern=list(PATTERNS),
        kind=STORE_KINDS,
        dtype=NUMBERS,
        n=(0, 1, 2, 24),
    ),
)

# ---- entries -----------------------------------------------------------------------------------------------


@battery
@every_triangle
def test_indexing_is_that_of_the_full_matrix(pattern, kind, dtype, n, triangle):
    full, _, store = patterns.of(pattern, kind, dtype, n, triangle)
    i, j = np.indices((n, n))
    assert_equal(store[i, j], full)
    assert_equal(store[:], full)
    assert_equal(store[::-2, 1:], full[::-2, 1:])
    rng = cases.generator("indices", pattern, n)
    some, others = rng.integers(-n, max(n, 1), 7) if n else np.arange(0), slice(None, n // 2)
    assert_equal(store[some, others], full[some, others])
    assert_equal(store[others, some], full[others, some])
    assert_equal(store[some], full[some])
    assert_equal(store.block(some, some), full[np.ix_(some, some)])
    mask = rng.random((n, n)) < 0.3
    assert_equal(store[mask], full[mask])
    for k in range(min(n, 3)):
        assert_equal(store[k], full[k])
        assert_equal(store[-1 - k, ::-1], full[-1 - k, ::-1])
        assert_equal(store[:, k], full[:, k])
        assert type(store[0, k]) is type(full[0, k]) and store[0, k] == full[0, k]


def assert_equal(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_array_equal(got, want)


@every_triangle
def test_entries_keep_their_bits(triangle):
    full = cases.matrix(np.complex64, "hermitian", 9, values=cases.raw)
    store = patterns.half(full, np.ones((9, 9), bool), triangle, "hermitian")
    i, j = np.indices((9, 9))
    assert_same_bits(store[i, j], full)
    assert_same_bits(store[:, :], full)
    assert_same_bits(store.submatrix(range(9)).expand(), full)


@cases.each(
    ("key", "message"),
    [
        ((3, 0), "index 3 is out of bounds for axis 0 with size 3"),
        ((0, -4), "index -4 is out of bounds for axis 1 with size 3"),
        (1.0, "an index is made of integers, slices and masks, not float64"),
        ((0, 0, 0), "a matrix has 2 axes, but 3 were indexed"),
        (([0, 1], [0, 1, 2]), r"rows of shape \(2,\) and columns of shape \(3,\) do not pair up"),
    ],
)
def test_what_is_no_index_is_refused(key, message):
    store = vech.SparseHalf([0, 1, 2, 3], [0, 1, 2], [1.0, 2.0, 3.0], 3, triangle="lower")
    with pytest.raises(IndexError, match=message):
        store[key]


def test_a_block_beyond_memory_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(vech.arrays, "memory_limit", lambda: 2**33)
    store = vech.SparseHalf.from_coo([5], [0], [1.0], 3_000_000_000, use="lower")
    for take in (lambda: store[:], lambda: store[0], lambda: store.block(slice(None), [0])):
        with pytest.raises(MemoryError, match=r"(?s)bytes.*submatrix keeps its part sparse"):
            take()


# ---- submatrices -------------------------------------------------------------------------------------------


@battery
@every_triangle
def test_submatrices_are_those_of_the_full_matrix(pattern, kind, dtype, n, triangle):
    full, stored, store = patterns.of(pattern, kind, dtype, n, triangle, labels=range(n))
    rng = cases.generator("submatrix", pattern, n)
    repeated = rng.integers(-n, max(n, 1), n + 3) if n else np.arange(0)
    chosen = (rng.permutation(n), rng.permutation(n)[: n // 2], repeated, rng.random(n) < 0.5, np.arange(0))
    slices = (slice(None), slice(1, None, 2), slice(None, None, -1), slice(n, 0, -3), slice(2, 2))
    for index in (*chosen, *slices):
        part = store.submatrix(index)
        picked = np.arange(n)[index]
        want = full[np.ix_(picked, picked)]
        assert part.n == len(want) and part.triangle == triangle and part.kind == store.kind
        assert part.labels == tuple(picked)
        assert_canonical_half(part)
        assert_equal(part.expand(), want)
        np.testing.assert_array_equal(stored_in(part), stored[np.ix_(picked, picked)])


@every_triangle
@every_kind
def test_permuting_permutes_both_sides(triangle, kind):
    full, _, store = patterns.of("random", kind, np.dtype("c16"), 30, triangle, labels=range(30))
    order = cases.generator("order").permutation(30)
    moved = store.permute(order)
    assert_equal(moved.expand(), full[np.ix_(order, order)])
    assert moved.labels == tuple(order) and moved.nnz == store.nnz
    back = moved.permute(np.argsort(order))
    assert_same_bits(back.data, store.data)
    np.testing.assert_array_equal(back.indices, store.indices)


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 2, 0], [0, 0, 3 - 1]])
def test_what_is_no_order_is_refused(order):
    store = vech.SparseHalf([0, 1, 2, 3], [0, 1, 2], [1.0, 2.0, 3.0], 3, triangle="lower")
    with pytest.raises(ValueError, match="order must hold each of 0 to 2 once: submatrix takes any index"):
        store.permute(order)
    assert store.permute([-1, 0, 1]).diagonal().tolist() == [3, 1, 2]


def test_the_smallest_integer_may_stay_on_its_side():
    store = vech.SparseHalf([0, 0, 1], [0], np.array([-128], np.int8), 2, triangle="lower", kind="skew")
    assert store.submatrix([0, 1]).data.tolist() == [-128] and store[1, 0] == -128
    for take in (lambda: store.submatrix([1, 0]), lambda: store[0, 1], lambda: store[0], lambda: store[:]):
        with pytest.raises(OverflowError, match=r"-128 at .* has no negative in int8"):
            take()


@every_triangle
def test_reverse_cuthill_mckee_brings_a_shuffled_band_together(triangle):
    n = 200
    full = scipy.sparse.diags_array([np.ones(n), np.ones(n - 1), np.ones(n - 3)], offsets=[0, -1, -3])
    band = vech.SparseHalf.from_sparse(full, use="lower", triangle=triangle)
    shuffled = band.permute(cases.generator("shuffled").permutation(n))
    order = shuffled.reverse_cuthill_mckee()
    assert order.dtype == np.int64 and sorted(order) == list(range(n))
    assert bandwidth(shuffled) > 100 and bandwidth(shuffled.permute(order)) <= 6


def bandwidth(store):
    rows, columns = store.to_coo().coords
    return np.abs(rows - columns).max()


@pytest.mark.parametrize("n", [0, 1, 5])
def test_reverse_cuthill_mckee_takes_what_holds_nothing(n):
    store = vech.SparseHalf(np.zeros(n + 1, int), [], [], n, triangle="lower")
    assert sorted(store.reverse_cuthill_mckee()) == list(range(n))


# ---- pruning -----------------------------------------------------------------------------------------------


@battery
@every_triangle
def test_pruning_leaves_out_rows_with_their_columns(pattern, kind, dtype, n, triangle):
    full, _, store = patterns.of(pattern, kind, dtype, n, triangle, labels=range(n))
    size = np.abs(full.astype(np.complex128))
    largest, norms = size.max(axis=1, initial=0), np.sqrt((size**2).sum(axis=1))
    middle = np.sort(norms)[n // 2] if n else 0.0
    by_ratio = np.sort(np.argsort(-norms.round(9), kind="stable")[: n - int(0.4 * n)])
    for measure, kept in (
        ({"magnitude": 0.0}, np.flatnonzero(largest > 0)),
        ({"magnitude": 1.1}, np.flatnonzero(largest > 1.1)),
        ({"norm": middle * (1 + 1e-6)}, np.flatnonzero(norms > middle * (1 + 1e-6))),
        ({"ratio": 0.4}, by_ratio),
        ({"ratio": 0.0}, np.arange(n)),
        ({"ratio": 1.0}, np.arange(0)),
    ):
        smaller, index = store.prune(**measure)
        if measure.get("ratio") == 0.4:  # which of equal norms, rounding may decide
            np.testing.assert_allclose(norms[index].sum(), norms[kept].sum())
        else:
            np.testing.assert_array_equal(index, kept)
        assert_equal(smaller.expand(), full[np.ix_(index, index)])
        assert smaller.labels == tuple(index)


def test_norms_neither_overflow_nor_vanish():
    for scale in (1e-200, 1e200):
        store = vech.SparseHalf(
            [0, 1, 3, 3], [0, 0, 1], np.array([3.0, 4.0, 1.0]) * scale, 3, triangle="lower"
        )
        assert store.prune(norm=4.99 * scale)[1].tolist() == [0]
        assert store.prune(norm=5.01 * scale)[1].tolist() == []
        assert store.prune(norm=4.1 * scale)[1].tolist() == [0, 1]
    store = vech.SparseHalf([0, 1, 2, 3], [0, 1, 2], [np.nan, np.inf, 1.0], 3, triangle="lower")
    assert store.prune(norm=1e308)[1].tolist() == store.prune(magnitude=2)[1].tolist() == [0, 1]


@cases.each(
    ("measure", "error", "message"),
    [
        ({}, TypeError, "prune takes one of magnitude=, norm= and ratio=, but 0 came"),
        ({"norm": 1, "ratio": 0.5}, TypeError, "but 2 came"),
        ({"norm": -1.0}, ValueError, "norm must be 0 or more, not -1.0"),
        ({"magnitude": np.nan}, ValueError, "magnitude must be 0 or more, not nan"),
        ({"ratio": 1.5}, ValueError, "ratio must be 0 to 1, not 1.5"),
    ],
)
def test_measures_that_are_none_are_refused(measure, error, message):
    store = vech.SparseHalf([0, 1], [0], [1.0], 1, triangle="lower")
    with pytest.raises(error, match=message):
        store.prune(**measure)


# ---- far more rows than numbers ----------------------------------------------------------------------------

N = 3_000_000_000
PLACES = np.array([0, 7, 2**31 - 2, 2**31 - 1, 2**31, 2**31 + 5, 2_999_999_998, N - 1])


def sparse_in_billions(kind="symmetric", triangle="lower", dtype="c16"):
    """A full matrix of 8 rows, and a store that has its numbers at PLACES of 3 000 000 000."""
    full = patterns.matrix("random", kind, np.dtype(dtype), 8, salt=3)
    full[5, 2], full[2, 5] = 7, patterns.mirrored(np.array(7.0), kind)
    i, j = np.nonzero(full)
    store = vech.SparseHalf.from_coo(PLACES[i], PLACES[j], full[i, j], N, kind=kind, triangle=triangle)
    return full, store


def among_places(store):
    """The matrix of the rows at PLACES, from the pairs of a store of billions."""
    coo = store.to_coo()
    assert coo.shape == (N, N) and coo.coords[0].dtype == np.int64
    full = np.zeros((8, 8), store.dtype)
    assert np.isin(coo.coords[0], PLACES).all() and np.isin(coo.coords[1], PLACES).all()
    full[np.searchsorted(PLACES, coo.coords[0]), np.searchsorted(PLACES, coo.coords[1])] = coo.data
    return full


@every_triangle
@every_kind
def test_billions_of_rows_take_memory_for_their_numbers_only(triangle, kind):
    full, store = sparse_in_billions(kind, triangle)
    assert store.n == N and store.shape == (N, N) and store.triangle == triangle and store.kind == kind
    assert store.nbytes < 1000 and store.nnz == np.count_nonzero(np.tril(full))
    np.testing.assert_array_equal(among_places(store), full)
    np.testing.assert_array_equal(store[PLACES[:, None], PLACES], full)
    assert store[1, 2] == 0 and store[N - 2, N - 2] == full[6, 6]
    np.testing.assert_array_equal(store.block(PLACES, PLACES[::-1]), full[:, ::-1])
    np.testing.assert_array_equal(among_places(store.with_triangle("upper")), full)
    np.testing.assert_array_equal(among_places(store.T), full.T)
    np.testing.assert_array_equal(among_places(store.H), full.conj().T)
    np.testing.assert_array_equal(among_places(store.copy()), full)
    assert np.isin(store.indices, PLACES).all()
    lower = np.tril(full) if triangle == "lower" else np.triu(full)
    np.testing.assert_array_equal(store.to_coo(part=triangle).data, lower[np.nonzero(lower)])


@every_triangle
def test_billions_of_rows_compute(triangle):
    full, store = sparse_in_billions("hermitian", triangle)
    np.testing.assert_array_equal(among_places(store + store), full + full)
    np.testing.assert_array_equal(among_places(-2 * store), -2 * full)
    np.testing.assert_array_equal(among_places(store * store.T), full * full.T)
    np.testing.assert_array_equal(among_places(store.threshold(1)), np.where(abs(full) > 1, full, 0))
    np.testing.assert_allclose(store.trace(), np.trace(full))
    other = vech.SparseHalf.from_coo([N - 1], [5], [1.0], N, use="lower")
    both = store - other
    assert both[5, N - 1] == -1 and both[N - 1, 5] == -1 and both[PLACES[5], PLACES[2]] == 7
    assert both.nnz == store.nnz + 1 and store.largest(1).nnz <= store.nnz


@every_triangle
def test_parts_of_billions_of_rows_are_ordinary_matrices(triangle):
    full, store = sparse_in_billions("skew-hermitian", triangle)
    order = np.array([5, 1, 7, 0])
    part = store.submatrix(PLACES[order])
    np.testing.assert_array_equal(part.expand(), full[np.ix_(order, order)])
    twice = store.submatrix([N - 1, 7, 3, N - 1])
    np.testing.assert_array_equal(twice.expand(), patterns_with_gap(full[np.ix_([7, 1, 0, 7], [7, 1, 0, 7])]))
    middle = store.submatrix(slice(2**31 - 2, 2**31 + 6))
    want = np.zeros((8, 8), complex)
    at = PLACES[2:6] - (2**31 - 2)
    want[np.ix_(at, at)] = full[2:6, 2:6]
    np.testing.assert_array_equal(middle.expand(), want)
    np.testing.assert_array_equal(middle.submatrix(slice(None, None, -1)).expand(), want[::-1, ::-1])
    reverse = store.submatrix(slice(None, None, -1))
    assert reverse.n == N and reverse[0, 0] == full[7, 7]
    smaller, kept = store.prune(magnitude=0)
    np.testing.assert_array_equal(kept, PLACES[abs(full).max(axis=1) > 0])
    np.testing.assert_array_equal(smaller.expand(), full[np.ix_(*[abs(full).max(axis=1) > 0] * 2)])
    assert store.prune(ratio=1 - 2e-9)[1].size == 6


def patterns_with_gap(full):
    full[2], full[:, 2] = 0, 0  # row 3 holds nothing
    return full


def test_what_needs_memory_for_billions_of_rows_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(vech.arrays, "memory_limit", lambda: 2**33)
    _, store = sparse_in_billions()
    for take in (
        store.diagonal,
        store.expand,
        store.to_csr,
        store.to_csc,
        store.to_packed,
        store.reverse_cuthill_mckee,
        lambda: store.indptr,
        lambda: store.expand(slice(0, 1)),
    ):
        with pytest.raises(MemoryError, match=r"the result needs \d+ bytes .*GiB"):
            take()


def test_rows_are_left_out_only_where_most_are_empty(monkeypatch):
    assert pattern.MANY_ROWS == 2**24
    monkeypatch.setattr(pattern, "MANY_ROWS", 2**12)
    dense = vech.SparseHalf.from_coo(np.arange(5000), np.zeros(5000, int), np.ones(5000), 5000, use="lower")
    assert dense.indptr is dense.indptr  # all rows are held
    for n in (2**12, 2**12 + 1):
        store = vech.SparseHalf.from_coo([n - 1, 3], [1, 3], [1.0, 2.0], n, use="lower")
        assert (store.nbytes > n) == (n == 2**12)
        csr = store.to_csr()
        assert csr.indptr.dtype == np.int32 and csr.has_canonical_format
        assert csr[1, n - 1] == csr[n - 1, 1] == 1 and csr.nnz == 3
        assert store.indptr[-1] == 2 and store.indptr.size == n + 1 and store.indptr[4] == 1
        assert store.indices.tolist() == [3, 1]
        assert store.diagonal()[3] == 2 and store.to_csc()[3, 3] == 2
        assert store.expand(slice(n - 1, n))[0, 1] == 1


def test_a_matrix_of_billions_of_rows_is_judged_too():
    matrix = scipy.sparse.coo_array(([1.0, 2.0], ([N - 1, 4], [4, N - 1])), shape=(N, N))
    with pytest.raises(ValueError, match=rf"a\[{N - 1}, 4\] is 1.0, but a\[4, {N - 1}\] is 2.0"):
        vech.SparseHalf.from_sparse(matrix)
    assert not vech.sparse.is_symmetric(matrix)
    assert vech.SparseHalf.from_sparse(matrix, use="mean")[4, N - 1] == 1.5
    with pytest.raises(
        ValueError, match=r"n = 2147483648 is out of range: .*SparseHalf.from_coo takes more rows"
    ):
        vech.SparseHalf([0], [], [], 2**31, triangle="lower")
    with pytest.raises(ValueError, match=r"entry 0 is at .* which is not in a matrix of 3000000000 rows"):
        vech.SparseHalf.from_coo([N], [0], [1.0], N)


@pytest.mark.parametrize(
    ("ratio", "n", "out"), [(0.29, 100, 29), (0.57, 100, 57), (1 / 3, 3, 1), (0.299, 10, 2)]
)
def test_a_share_of_the_rows_is_what_it_says(ratio, n, out):
    at = np.arange(n)
    S = vech.SparseHalf.from_coo(at, at, at + 1.0, n)
    smaller, kept = S.prune(ratio=ratio)
    assert np.array_equal(kept, at[out:]) and np.array_equal(smaller.diagonal(), kept + 1.0)


def test_shares_of_rows_most_of_which_are_empty():
    n = 3 * 2**24
    S = vech.SparseHalf.from_coo([n - 1, 7, 9], [4, 7, 3], [3.0, 2, 1], n, use="lower")
    smaller, kept = S.prune(ratio=1 - 4 / n)
    assert np.array_equal(kept, [4, 7, 9, n - 1]) or np.array_equal(kept, [3, 4, 7, n - 1])
    assert smaller[0, 3] == 3 or smaller[1, 3] == 3
    smaller, kept = S.prune(ratio=0.5)
    assert kept.size == n // 2 and kept[-1] == n - 1
    assert smaller[4, n // 2 - 1] == 3 and smaller[9, 3] == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda S: S.reverse_cuthill_mckee(),
        lambda S: S.prune(ratio=0.25),
    ],
)
def test_memory_for_billions_of_rows_is_asked_for_before_it_is_taken(call, monkeypatch):
    n = 3 * 10**9
    S = vech.SparseHalf.from_coo([n - 1], [4], [3.0], n, use="lower")
    monkeypatch.setattr("vech.arrays.memory_limit", lambda: 12 * n)
    with pytest.raises(MemoryError, match="bytes"):
        call(S)
