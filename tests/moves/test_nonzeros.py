"""nonzeros, to_coo, to_csr, to_csc and from_sparse: the sparse way there and back."""

import itertools

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from test_limits import guarded, posix, subnormals_flushed

import cases
import reference
import vech
from cases import DTYPES, KINDS, LAYOUTS, PLAIN
from compare import PARTS, assert_equal, assert_same_bits, assert_same_sparse, native
from vech import _core, arrays
from vech.layouts.kind import Kind

every_target = pytest.mark.every_target

# what SciPy's sparse arrays compute with
SPARSE = {
    name: dtype
    for name, dtype in DTYPES.items()
    if dtype.kind in "biufc" and dtype.char != "e" and not reference.is_ml(dtype)
}
MAKERS = {"coo": vech.to_coo, "csr": vech.to_csr, "csc": vech.to_csc}
CONTAINERS = {
    f"{format}_{container}": getattr(scipy.sparse, f"{format}_{container}")
    for format in ("coo", "csr", "csc", "bsr", "lil", "dok", "dia")
    for container in ("array", "matrix")
}


# ---- half to sparse ----------------------------------------------------------------------------------------


@every_target
@cases.each(
    ("layout", "dtype", "kind", "n", "density"),
    cases.pairwise(
        lambda layout, dtype, kind, n, density: cases.fits(layout, dtype, kind, n),
        layout=LAYOUTS,
        dtype=SPARSE,
        kind=KINDS,
        n=(0, 1, 2, 3, 4, 15, 17, 33, 64, 65, 130),
        density=(0.0, 0.05, 0.4, 1.0),
    ),
)
def test_sparse_results_are_the_nonzeros_of_the_full_matrix(layout, dtype, kind, n, density):
    half = cases.half(dtype, layout, kind, n)
    gone = cases.generator("gone", n, density).random(half.size) >= density
    cases.words(half)[gone] = cases.words(np.zeros(1, dtype))
    i, j, values = vech.nonzeros(half, layout, kind=kind)
    for got, want in zip((i, j), reference.nonzeros(half, layout, kind)[:2], strict=True):
        assert_same_bits(got, want)
    assert_same_bits(values, native(reference.nonzeros(half, layout, kind)[2]))
    full = reference.expand(half, layout, kind)
    for make, part in itertools.product(MAKERS.values(), PARTS):
        assert_same_sparse(make(half, layout, kind=kind, part=part), full, part)


@every_target
@cases.each(
    ("layout", "dtype", "n"),
    cases.pairwise(
        lambda layout, dtype, n: cases.fits(layout, dtype, "symmetric", n),
        layout=LAYOUTS,
        dtype=SPARSE,
        n=(2, 4, 17, 40),
    ),
)
def test_a_threshold_judges_true_values_and_an_implied_diagonal(layout, dtype, n):
    half = cases.half(dtype, layout, "symmetric", n, values=cases.moderate)
    full = reference.expand(half, layout, "symmetric")
    wide = full.astype(complex)
    sizes = np.hypot(wide.real, wide.imag)  # as Python has them: those of np.abs may be off by a bit
    bounds = (0, 0.5, 1, float(np.sort(np.abs(wide), None)[n]))
    for at, bound in enumerate(bounds):
        kept = ~(sizes <= bound)
        for k, make in enumerate(MAKERS.values()):  # each with each part, by another bound or another n
            part = PARTS[(k + at + n) % 3]
            found = make(half, layout, kind="symmetric", part=part, threshold=bound)
            assert_same_sparse(found, np.where(kept, full, np.zeros(1, dtype)), part)


@every_target
@cases.each("dtype", SPARSE)
@cases.each("layout", PLAIN.values(), ids=PLAIN)
@cases.each("n", [5, 40])
def test_wild_numbers_keep_their_bits_and_minus_zero_is_zero(dtype, layout, n):
    half = np.resize(
        cases.specials(dtype) if dtype.kind != "b" else np.array([True, False]), layout.length(n)
    )
    full = reference.expand(half, layout)
    assert_same_sparse(vech.to_csr(half, layout, kind="symmetric"), full)
    assert_same_bits(
        vech.nonzeros(half, layout, kind="symmetric")[2], native(reference.nonzeros(half, layout)[2])
    )


@every_target
def test_subnormals_are_not_zero_when_the_processor_flushes_them():
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        half = np.full(50 * 51 // 2, np.finfo(dtype).smallest_subnormal, dtype)
        half[1::2] = -0.0
        with subnormals_flushed():
            matrix = vech.to_csr(half, kind="symmetric")
        assert_same_sparse(matrix, reference.expand(half, PLAIN["lower-columns-stored"]))


@every_target
@cases.each("size", [1, 2, 4, 8, 16])
@cases.each("grow", [False, True])
def test_every_bit_of_a_number_is_looked_at(size, grow):
    dtype = np.dtype({16: "c16"}.get(size, f"u{size}"))
    n = 40
    half = np.zeros(n * (n + 1) // 2, dtype)
    bits = half.view("u1").reshape(half.size, size)
    for k in range(half.size):
        bits[k, k % size] = 1 << k % 8
    indptr, indices, data = _core.scan(half, n, grow, True, b"\xff" * size, None, 1)
    assert data.tobytes() == half.tobytes() and indptr[-1] == half.size
    want = [c for r in range(n) for c in (range(r + 1) if grow else range(r, n))]
    assert indices.tolist() == want
    bits[:] = 0
    bits[:, size - 1] = 128
    assert _core.scan(half, n, grow, True, b"\xff" * (size - 1) + b"\x7f", None, 1)[0][-1] == 0


@cases.each("code", "bhilBHILfdFD")
def test_int64_is_not_called_long_long(code):
    """NumPy has two types of 64-bit integers, and prints the dtype of one of them."""
    half = np.ones(3, code)
    assert vech.nonzeros(half, kind="symmetric")[2].dtype.char == code
    for make, part in itertools.product(MAKERS.values(), PARTS):
        assert make(half, kind="symmetric", part=part).data.dtype.char == code


@cases.each("name", cases.NAMES)
def test_names_of_layouts_are_understood(name):
    layout = vech.as_layout(name)
    half = cases.half(np.float64, layout, "symmetric", 9)
    assert_same_sparse(vech.to_csr(half, name), reference.expand(half, layout))
    assert len(vech.nonzeros(half, name)[0]) == np.count_nonzero(half)


def test_the_default_layout_is_vech_and_the_default_part_the_whole():
    half = np.arange(1.0, 11.0)
    assert_same_sparse(vech.to_csr(half), vech.expand(half))
    assert_same_sparse(vech.to_coo(half.tolist()), vech.expand(half))


@pytest.mark.parametrize("memory", ["reversed", "every-second", "every-third-backwards", "record-field"])
def test_halves_may_lie_anyhow(memory):
    half = cases.half(np.float64, PLAIN["lower-columns-stored"], "symmetric", 20)
    assert_same_sparse(vech.to_csr(cases.laid_out(half, memory)), vech.expand(half))


@every_target
@posix
@cases.each("where", ["behind the guard", "before the guard"])
@cases.each("dtype", ["u1", "i2", "f4", "f8", "c16"])
def test_nothing_is_read_outside_the_half(where, dtype):
    for layout, n in itertools.product(PLAIN.values(), (1, 2, 4, 7, 16, 33, 65, 130)):
        values = np.ones(layout.length(n), dtype)
        with guarded(values.nbytes) as place:
            half = place(where, values.shape, values.dtype)
            half[...] = values
            assert len(vech.nonzeros(half, layout, kind="symmetric")[0]) >= values.size
            del half


@every_target
@cases.each("dtype", ["u1", "i2", "f4", "f8", "c16"])
def test_a_half_may_begin_at_any_byte(dtype):
    half = cases.sparse_half(np.dtype(dtype), 40 * 41 // 2, 0.5)
    want = vech.to_csr(half, kind="symmetric")
    for offset in range(64):
        block = np.zeros(half.nbytes + offset, "u1")
        block[offset:] = half.view("u1")
        view = np.ndarray(half.shape, half.dtype, buffer=block, offset=offset)
        got = vech.to_csr(view, kind="symmetric")
        for name in ("indptr", "indices", "data"):
            assert getattr(got, name).tobytes() == getattr(want, name).tobytes()


# ---- large enough for threads and for blocks that grow -----------------------------------------------------


def large_half(n, where, dtype=np.float64):
    """Mostly zeros; `where`: "spread" evenly, or in a "stripe" that a sample of the half nearly misses."""
    half = np.zeros(n * (n + 1) // 2, dtype)
    if where == "stripe":
        half[-400_000:] = np.arange(1, 400_001)
    else:
        chosen = cases.generator("large", n).random(half.size) < {"spread": 0.1, "dense": 1.0}[where]
        half[chosen] = np.arange(1, np.count_nonzero(chosen) + 1)
    return half


@every_target
@pytest.mark.parametrize("where", ["spread", "stripe", "dense"])
@pytest.mark.parametrize("name", ["lower-rows-stored", "lower-columns-one"])
def test_the_number_of_threads_changes_no_bit(where, name):
    n, layout = 1501, PLAIN[name]
    half = large_half(n if layout.diagonal == "stored" else n - 1, where)
    k = np.flatnonzero(half)
    i, j = layout.pair(k, n)
    implied = n if layout.diagonal == "one" else 0
    results = [vech.nonzeros(half, layout)]
    for threads in (1, 2, 3, 7):
        triangle = vech.to_csr(half, layout, part="lower", threads=threads)
        full = vech.to_csr(half, layout, threads=threads)
        assert triangle.nnz == k.size + implied
        assert full.nnz == 2 * np.count_nonzero(i != j) + np.count_nonzero(i == j) + implied
        results.append(
            (triangle.indptr, triangle.indices, triangle.data, full.indptr, full.indices, full.data)
        )
    for other in results[2:]:
        for a, b in zip(results[1], other, strict=True):
            assert a.tobytes() == b.tobytes()
    rows, columns, values = results[0]
    stored = rows != columns if implied else np.ones(rows.size, bool)
    assert_same_bits(rows[stored], i)
    assert_same_bits(columns[stored], j)
    assert_same_bits(values[stored], half[k])
    want = scipy.sparse.coo_array((half[k], (i, j)), shape=(n, n)).tocsr()
    if implied:
        want += scipy.sparse.eye_array(n, format="csr")
    want.sort_indices()
    np.testing.assert_array_equal(results[1][1], want.indices)
    np.testing.assert_array_equal(results[1][2], want.data)
    assert abs(want + scipy.sparse.tril(want, -1).T - full).nnz == 0


@every_target
@given(st.data())
def test_mirroring_is_the_same_for_every_number_of_threads(data):
    """Few rows with very many numbers, and rows with none, among the shares."""
    n = 300
    lengths = np.array(data.draw(st.lists(st.sampled_from([0, 1, 7, 300]), min_size=n, max_size=n)))
    grow = data.draw(st.booleans())
    rows = [np.arange(r + 1) if grow else np.arange(r, n) for r in range(n)]
    rows = [row[-length:] if length else row[:0] for row, length in zip(rows, lengths, strict=True)]
    indptr = np.concatenate(([0], np.cumsum([row.size for row in rows])))
    indices = np.concatenate(rows).astype(np.int32)
    values = np.arange(1.0, indices.size + 1)
    half = scipy.sparse.csr_array((values, indices, indptr), shape=(n, n)).toarray()
    want = reference_free_csr(half - np.triu(half.T, 1) if grow else half - np.tril(half.T, -1))
    negated = Kind.SKEW.change(values.dtype)
    for threads in (1, 2, 3, 7):
        got = _core.mirror(indptr, indices, values, negated, n, grow, threads)
        for a, b in zip(got, want, strict=True):
            assert_equal(a, b)


def reference_free_csr(full):
    i, j = np.nonzero(full)
    return np.searchsorted(i, np.arange(len(full) + 1)), j, full[i, j]


def test_the_threads_of_a_mirror_share_a_long_half():
    n = 3000
    half = large_half(n, "spread")
    matrices = [vech.to_csr(half, "numpy-tril", threads=threads) for threads in (1, 2, 3, 7)]
    i, j, values = vech.nonzeros(half, "numpy-tril")
    want = scipy.sparse.coo_array((values, (i, j)), shape=(n, n)).tocsr()
    want = (want + scipy.sparse.tril(want, -1).T).tocsr()
    want.sort_indices()
    for matrix in matrices:
        for name in ("indptr", "indices", "data"):
            np.testing.assert_array_equal(getattr(matrix, name), getattr(want, name))


# ---- the index type ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_indices_are_64_bit_where_32_bits_are_not_enough(make, monkeypatch):
    half = np.ones(10)  # 4 x 4, 16 numbers
    for limit, part, index in (
        (16, "full", "i4"),
        (15, "full", "i8"),
        (10, "lower", "i4"),
        (9, "lower", "i8"),
    ):
        monkeypatch.setattr(arrays, "INT32_MAX", limit)
        matrix = make(half, part=part)
        found = matrix.coords if matrix.format == "coo" else (matrix.indptr, matrix.indices)
        assert {array.dtype for array in found} == {np.dtype(index)}, (limit, part)
        np.testing.assert_array_equal(
            matrix.toarray(), np.ones((4, 4)) if part == "full" else np.tril(np.ones((4, 4)))
        )


def test_the_side_counts_for_the_index_type_too(monkeypatch):
    monkeypatch.setattr(arrays, "INT32_MAX", 8)
    assert vech.to_csr(np.zeros(45)).indices.dtype == np.int64
    assert vech.to_csr(np.zeros(36)).indices.dtype == np.int32


# ---- what is computed --------------------------------------------------------------------------------------


def test_a_true_value_too_small_for_its_dtype_is_zero():
    layout = vech.Layout("lower", "columns", offdiagonal_scale=1e30)
    half = np.array([1, 1e-20, 1e20, 2], np.float32)[[0, 1, 3]]
    assert vech.to_csr(half, layout).nnz == 2
    assert vech.nonzeros(half, layout)[0].tolist() == [0, 1]


def test_a_scale_that_cannot_be_undone_is_an_overflow():
    layout = vech.Layout("lower", "columns", offdiagonal_scale=0.25)
    half = np.array([1, 3e38, 1], np.float32)
    for make in (vech.nonzeros, *MAKERS.values()):
        with pytest.raises(OverflowError, match=r"finite number becomes infinite in float32.*Layout\("):
            make(half, layout)
    assert np.isinf(vech.to_csr(np.array([1, np.inf, 1], np.float32), layout).data).sum() == 2


@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "numpy-triu", "lapack-upper"])
def test_the_smallest_integer_has_no_negative(layout):
    half = np.zeros(10, np.int8)
    half[vech.as_layout(layout).position(3, 1, 4)] = -128
    with pytest.raises(OverflowError, match=r"-128 at \((3, 1|1, 3)\) has no negative in int8"):
        vech.to_csr(half, layout, kind="skew")
    assert vech.nonzeros(half, layout, kind="skew")[2].tolist() == [-128]
    half[:] = 0
    half[vech.as_layout(layout).position(2, 2, 4)] = -128
    assert vech.to_csr(half, layout, kind="skew").data.tolist() == [-128]


def test_real_numbers_may_be_called_hermitian():
    half = np.arange(1.0, 7.0)
    assert_same_sparse(vech.to_csr(half, kind="hermitian"), vech.expand(half))
    assert_same_sparse(vech.to_csr(half, kind="skew-hermitian"), vech.expand(half, kind="skew"))


# ---- what is refused ---------------------------------------------------------------------------------------

FUNCTIONS = {"nonzeros": vech.nonzeros, **{f"to_{name}": make for name, make in MAKERS.items()}}
every_function = cases.each("function", FUNCTIONS)


@every_function
@pytest.mark.parametrize("name", ["float16", ">f2", "bfloat16", "float8_e5m2"])
def test_dtypes_that_scipy_does_not_compute_with_are_refused(function, name):
    if name not in DTYPES:
        pytest.skip("ml_dtypes is not installed")
    with pytest.raises(
        TypeError, match=r"SciPy's sparse arrays do not compute with .*: astype\(np.float32\) first"
    ):
        function(np.zeros(3, DTYPES[name]))


@every_function
@pytest.mark.parametrize("name", ["datetime64[ns]", ">m8[ms]"])
def test_dates_are_refused(function, name):
    with pytest.raises(TypeError, match=r"SciPy's sparse arrays do not hold .*: astype\(np.int64\) first"):
        function(np.zeros(3, name))


@every_function
def test_a_batch_is_refused(function):
    with pytest.raises(
        ValueError, match=r"half has shape \(2, 3\), but the sparse functions take one matrix at a time"
    ):
        function(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"half has shape \(\)"):
        function(np.array(3.0))


@every_function
def test_a_length_that_fits_no_side_is_refused(function):
    with pytest.raises(ValueError, match=r"length 11 .* 10 for n=4 or 15 for n=5"):
        function(np.zeros(11))


@every_function
def test_complex_numbers_need_their_kind(function):
    with pytest.raises(ValueError, match="say kind='symmetric' or kind='hermitian'"):
        function(np.zeros(3, complex))


@every_function
def test_scaled_integers_are_refused(function):
    with pytest.raises(TypeError, match=r"svec-lower scales .* int64 is exact: astype\(float\) first"):
        function(np.zeros(3, int), "svec-lower")


@every_function
def test_sparse_matrices_and_stores_are_no_halves(function):
    with pytest.raises(TypeError, match="from_sparse"):
        function(scipy.sparse.csr_array(np.eye(3)))
    with pytest.raises(TypeError, match="its own methods"):
        function(vech.Packed(np.zeros(3)))


@every_function
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "vec"}, "unknown layout 'vec'"),
        ({"kind": "symetric"}, "unknown kind 'symetric'.*'symmetric'"),
    ],
)
def test_unknown_names_are_refused(function, change, message):
    with pytest.raises(ValueError, match=message):
        function(np.zeros(3), **change)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_unknown_parts_and_threads_are_refused(make):
    with pytest.raises(ValueError, match=r"unknown part 'tril': .*full, lower, upper"):
        make(np.zeros(3), part="tril")
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        make(np.zeros(3), threads=0)
    with pytest.raises(TypeError, match=r"numbers with a sign, not uint8"):
        make(np.zeros(3, np.uint8), kind="skew")


def test_the_core_refuses_arrays_that_do_not_fit():
    half = np.zeros(10)
    keep = b"\xff" * 8
    with pytest.raises(ValueError, match="another shape"):
        _core.scan(half, 5, True, True, keep, None, 1)
    with pytest.raises(ValueError, match="not contiguous"):
        _core.scan(np.zeros(20)[::2], 4, True, True, keep, None, 1)
    with pytest.raises(ValueError, match="keep"):
        _core.scan(half, 4, True, True, b"\xff", None, 1)
    with pytest.raises(ValueError, match="fill"):
        _core.scan(half, 4, True, True, keep, np.ones(1), 1)


@pytest.mark.parametrize(
    ("indptr", "indices"),
    [
        ([0, 1, 3, 4], [0, 0, 2, 2]),  # beyond the triangle
        ([0, 1, 3, 4], [0, -1, 1, 2]),
        ([0, 3, 1, 4], [0, 0, 1, 2]),  # falls
        ([1, 1, 3, 4], [0, 0, 1, 2]),
    ],
)
def test_the_core_writes_nowhere_when_a_triangle_is_none(indptr, indices):
    indptr, indices, data = np.array(indptr), np.array(indices, np.int32), np.ones(4)
    with pytest.raises(ValueError, match="do not describe sorted rows of the matrix or its triangle"):
        _core.mirror(indptr, indices, data, Kind.SYMMETRIC.change(data.dtype), 3, True, 1)


@every_target
def test_density_is_a_fraction_of_what_counts():
    keep = arrays.keep_mask(np.dtype(np.float64))
    assert _core.density(np.zeros(0), keep) == 0
    assert _core.density(np.full(100_000, -0.0), keep) == 0
    assert _core.density(np.ones(7), keep) == 1
    half = np.zeros(1_000_000)
    half[cases.generator("density").random(half.size) < 0.1] = 1
    assert 0.07 < _core.density(half, keep) < 0.13


# ---- sparse to half ----------------------------------------------------------------------------------------

BELIEF = ("both", "lower", "upper")


@cases.each(
    ("layout", "dtype", "kind", "n", "use"),
    cases.pairwise(
        lambda layout, dtype, kind, n, use: (
            cases.fits(layout, dtype, kind, n)
            and dtype.isnative
            and (kind != "triangular" or use in ("both", layout.triangle))
        ),
        layout=LAYOUTS,
        dtype=SPARSE,
        kind=KINDS,
        n=(0, 1, 2, 3, 4, 17, 33),
        use=BELIEF,
    ),
)
def test_from_sparse_is_what_packing_the_full_matrix_gives(layout, dtype, kind, n, use):
    plain = cases.plain(layout)
    half = cases.half(dtype, plain, kind, n, values=cases.moderate)
    half[cases.generator("sparse", n).random(half.size) < 0.6] = 0
    if layout.diagonal != "stored":
        cases.set_diagonal(half, plain, n, 1 if layout.diagonal == "one" else 0)
    full = reference.expand(half, plain, kind)
    got = vech.from_sparse(scipy.sparse.csr_array(full), layout, kind=kind, use=use)
    want = reference.pack(full, layout, kind, use)
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_array_equal(got, want)  # zeros that are not stored have no sign


@cases.each("container", CONTAINERS.values(), ids=CONTAINERS)
def test_every_format_is_taken_and_left_as_it_is(container):
    full = cases.matrix(np.float64, "symmetric", 12)
    full[np.abs(full) < 0.7] = 0
    matrix = container(full)
    before = matrix.copy()
    assert_same_bits(vech.from_sparse(matrix), vech.pack(full) + 0.0)
    assert type(matrix) is type(before) and abs(matrix.tocsr() - before.tocsr()).nnz == 0


def test_the_users_arrays_are_not_sorted_or_summed():
    data, indices, indptr = np.array([1.0, 2, 3, 4, 5]), np.array([1, 0, 0, 1, 1]), np.array([0, 2, 5])
    for make in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.csr_matrix):
        matrix = make((data, indices, indptr), shape=(2, 2))
        for flagged in (False, True):  # a flag that lies
            matrix.has_canonical_format = flagged
            assert vech.from_sparse(matrix, use="lower").tolist() in ([2.0, 3.0, 9.0], [2.0, 1.0, 9.0])
            assert data.tolist() == [1, 2, 3, 4, 5] and indices.tolist() == [1, 0, 0, 1, 1]
            assert indptr.tolist() == [0, 2, 5] and matrix.nnz == 5


def test_duplicates_are_summed_and_zeros_may_be_stored():
    i, j = [0, 0, 1, 1, 0, 2, 2], [1, 1, 0, 1, 0, 1, 2]
    values = [1.0, 2, 3, 4, 5, 0, 0]
    matrix = scipy.sparse.coo_array((values, (i, j)), shape=(3, 3))
    assert vech.from_sparse(matrix).tolist() == [5, 3, 0, 4, 0, 0]


def test_bits_are_kept():
    layout = PLAIN["upper-rows-stored"]
    full = cases.matrix(np.float64, "symmetric", 14, values=cases.raw)
    i, j = np.nonzero(np.ones_like(full))
    matrix = scipy.sparse.coo_array((full.ravel(), (i, j)), shape=full.shape)
    for use in BELIEF:
        assert_same_bits(vech.from_sparse(matrix, layout, use=use), reference.pack(full, layout))


def test_foreign_byte_orders_become_native():
    matrix = scipy.sparse.csr_array(np.array([[1.0, 2], [2, 3]]))
    matrix.data = matrix.data.astype(">f8")
    assert_same_bits(vech.from_sparse(matrix), np.array([1.0, 2, 3]))


@cases.each(
    "layout", LAYOUTS, where=lambda layout, kind: cases.fits(layout, np.dtype(np.complex128), kind, 20)
)
@cases.each("kind", ["symmetric", "hermitian", "skew"])
def test_there_and_back(layout, kind):
    dtype = np.dtype(np.complex128)
    half = cases.half(dtype, layout, kind, 20, values=cases.moderate)
    half[cases.generator("there").random(half.size) < 0.7] = 0
    back = vech.from_sparse(vech.to_csc(half, layout, kind=kind), layout, kind=kind)
    np.testing.assert_allclose(back, half, rtol=1e-15)


def test_one_triangle_declared_whole_is_refused():
    full = cases.matrix(np.float64, "symmetric", 9)
    for part, own, other in (
        (scipy.sparse.tril(full), "lower", "upper"),
        (scipy.sparse.triu(full), "upper", "lower"),
    ):
        with pytest.raises(
            ValueError,
            match=rf"matrix is not symmetric: a\[.*\] is .*, but a\[.*; its {other} triangle is empty: "
            rf"if the {own} one is meant for both, say use='{own}'",
        ):
            vech.from_sparse(part)
    assert_same_bits(vech.from_sparse(scipy.sparse.tril(full), use="lower"), vech.pack(full))
    assert_same_bits(vech.from_sparse(scipy.sparse.triu(full), use="upper"), vech.pack(full))


@cases.each("layout", ["vech", "numpy-tril", "lapack-upper", "numpy-triu"])
@cases.each("kind", ["symmetric", "hermitian", "skew", "skew-hermitian"])
@cases.each("cell", [(7, 2), (2, 7)])
@cases.each("change", ["value", "only here"])
def test_the_worst_pair_is_named_with_both_values(layout, kind, cell, change):
    full = cases.matrix(np.complex128, kind, 9)
    full[np.abs(full) < 0.9] = 0
    full[5, 4] += 1e-5
    full[2, 7] = full[7, 2] = 0
    full[cell] = 8
    if change == "value":
        full[cell[::-1]] = -3
    i, j = (7, 2) if vech.as_layout(layout).triangle == "lower" else (2, 7)
    with pytest.raises(ValueError) as caught:
        vech.from_sparse(scipy.sparse.csc_array(full), layout, kind=kind)
    assert f"is not {kind}: a[{i}, {j}] is {full[i, j]}, but a[{j}, {i}] is {full[j, i]};" in str(
        caught.value
    )


def test_the_tolerance_is_that_of_pack():
    full = np.array([[1e6, 2, 0], [2 + 4e-10, 3, 0], [0, 1e-10, 5]])
    matrix = scipy.sparse.csr_array(full)
    assert_same_bits(vech.from_sparse(matrix), vech.pack(full))
    with pytest.raises(ValueError, match=r"a\[1, 0\] is 2.0000000004, but a\[0, 1\] is 2.0"):
        vech.from_sparse(matrix, tolerance=0)
    matrix[0, 0] = 1
    with pytest.raises(ValueError, match="not symmetric"):
        vech.from_sparse(matrix)
    assert vech.from_sparse(scipy.sparse.csr_array([[0, 1], [3, 0]]), tolerance=2).tolist() == [0, 3, 0]
    with pytest.raises(ValueError, match="not symmetric"):
        vech.from_sparse(scipy.sparse.csr_array([[0, 1], [3, 0]]), tolerance=1.9)


def test_infinities_and_nans_agree_with_themselves():
    full = np.array([[np.nan, np.inf, np.nan], [np.inf, 1, -np.inf], [np.nan, -np.inf, 0]])
    assert_same_bits(vech.from_sparse(scipy.sparse.csr_array(full)), vech.pack(full))
    full[0, 1] = -np.inf
    with pytest.raises(ValueError, match=r"a\[1, 0\] is inf, but a\[0, 1\] is -inf"):
        vech.from_sparse(scipy.sparse.csr_array(full))
    with pytest.raises(ValueError, match=r"a\[1, 0\] is nan, but a\[0, 1\] is 0.0"):
        vech.from_sparse(scipy.sparse.csr_array([[0, 0], [np.nan, 0]]))


@cases.each("kind", ["symmetric", "hermitian", "skew", "skew-hermitian"])
@cases.each("layout", ["vech", "lapack-upper", "svec-lower"])
def test_the_mean_is_that_of_pack(kind, layout):
    full = cases.moderate(np.complex64, (11, 11))
    full[np.abs(full) < 0.9] = 0
    got = vech.from_sparse(scipy.sparse.csr_array(full), layout, kind=kind, use="mean")
    np.testing.assert_array_equal(got, vech.pack(full, layout, kind=kind, use="mean"))
    if layout != "svec-lower":
        np.testing.assert_array_equal(got, reference.pack(full, vech.as_layout(layout), kind, "mean"))


def test_what_is_not_looked_at_may_be_anything():
    full = np.array([[1.0, np.nan, np.nan], [2, 3, np.inf], [4, 5, 6]])
    assert vech.from_sparse(scipy.sparse.csr_array(full), use="lower").tolist() == [1, 2, 4, 3, 5, 6]
    assert vech.from_sparse(scipy.sparse.csr_array(full.T), use="upper").tolist() == [1, 2, 4, 3, 5, 6]


@pytest.mark.parametrize("use", ["both", "lower", "upper", "mean"])
def test_an_implied_diagonal_must_be_there(use):
    layout = vech.Layout("lower", "columns", diagonal="one")
    matrix = scipy.sparse.csr_array([[1.0, 2], [2, 1]])
    assert vech.from_sparse(matrix, layout, use=use).tolist() == [2]
    with pytest.raises(ValueError, match=r"the diagonal of layout condensed is zero, but a\[0, 0\] is 1.0"):
        vech.from_sparse(matrix, "condensed", use=use)
    with pytest.raises(ValueError, match=r"diagonal .* is one, but a\[1, 1\] is 0.0"):
        vech.from_sparse(scipy.sparse.csr_array([[1.0, 2], [2, 0]]), layout, use=use)
    near = scipy.sparse.csr_array([[1 + 2e-16, 2], [2, 1]])
    assert vech.from_sparse(near, layout, use=use).tolist() == [2]


def test_the_diagonal_is_judged_like_any_pair():
    with pytest.raises(ValueError, match=r"not hermitian: a\[1, 1\] is 1j"):
        vech.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1j]]), kind="hermitian")
    with pytest.raises(ValueError, match=r"not skew: a\[1, 1\] is 1.0"):
        vech.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1.0]]), kind="skew")
    assert vech.from_sparse(scipy.sparse.csr_array([[0, 0], [0, 1j]]), kind="hermitian", use="lower")[2] == 1j


def test_a_triangular_matrix_has_one_triangle():
    full = np.array([[1, 0], [2, 3]])
    assert vech.from_sparse(scipy.sparse.csr_array(full), kind="triangular").tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r"not upper triangular: a\[1, 0\] is 2"):
        vech.from_sparse(scipy.sparse.csr_array(full), "numpy-triu", kind="triangular")
    with pytest.raises(ValueError, match="use='upper' takes numbers from the triangle that"):
        vech.from_sparse(scipy.sparse.csr_array(full), kind="triangular", use="upper")


def test_from_sparse_refuses_the_smallest_integer():
    full = np.array([[0, 5], [-128, 0]], np.int8)
    with pytest.raises(OverflowError, match=r"-128 at \(1, 0\) has no negative in int8"):
        vech.from_sparse(scipy.sparse.csr_array(full), kind="skew")
    with pytest.raises(OverflowError, match="no negative"):
        vech.from_sparse(scipy.sparse.csr_array(full), "numpy-triu", kind="skew", use="lower")
    assert vech.from_sparse(scipy.sparse.csr_array(full), kind="skew", use="lower").tolist() == [0, -128, 0]


def test_from_sparse_scales():
    layout = vech.Layout("lower", "columns", diagonal_scale=3.0, offdiagonal_scale=2.0)
    matrix = scipy.sparse.csr_array([[1.0, 2], [2, 0]])
    assert vech.from_sparse(matrix, layout).tolist() == [3, 4, 0]
    with pytest.raises(OverflowError, match="a finite number becomes infinite in float64"):
        vech.from_sparse(scipy.sparse.csr_array([[0, 1.7e308], [1.7e308, 0]]), layout)
    with pytest.raises(TypeError, match="scales what it stores, and int64 is exact"):
        vech.from_sparse(scipy.sparse.csr_array([[1, 2], [2, 0]]), layout)


@pytest.mark.parametrize("thing", [np.eye(3), [[1, 2], [2, 1]], vech.Packed(np.zeros(3))], ids=type)
def test_from_sparse_takes_sparse_matrices_only(thing):
    with pytest.raises(
        TypeError, match=r"matrix must be a SciPy sparse array, not .*: vech.pack takes full arrays"
    ):
        vech.from_sparse(thing)


def test_from_sparse_refuses_what_does_not_fit():
    square = scipy.sparse.csr_array(np.eye(3))
    with pytest.raises(ValueError, match=r"matrix has shape \(2, 3\): it must be a square"):
        vech.from_sparse(scipy.sparse.csr_array((2, 3)))
    with pytest.raises(ValueError, match=r"matrix has shape \(3,\)"):
        vech.from_sparse(scipy.sparse.coo_array(np.ones(3)))
    with pytest.raises(ValueError, match="unknown use 'all'"):
        vech.from_sparse(square, use="all")
    with pytest.raises(TypeError, match="use='lower' compares nothing"):
        vech.from_sparse(square, use="lower", tolerance=1)
    with pytest.raises(TypeError, match="mean"):
        vech.from_sparse(scipy.sparse.csr_array(np.eye(3, dtype=int)), use="mean")
    with pytest.raises(ValueError, match="threads must be at least 1"):
        vech.from_sparse(square, threads=0)
    with pytest.raises(ValueError, match="say kind='symmetric' or kind='hermitian'"):
        vech.from_sparse(square.astype(complex))
    with pytest.raises(ValueError, match="0 x 0 matrix has no half in layout condensed"):
        vech.from_sparse(scipy.sparse.csr_array((0, 0)), "condensed")


def test_a_half_beyond_memory_is_refused_before_it_is_allocated():
    with pytest.raises(MemoryError, match=r"(?s)bytes.*SparseHalf"):
        vech.from_sparse(scipy.sparse.coo_array((4_000_000, 4_000_000)))


@given(st.integers(0, 12), st.sampled_from(list(PLAIN.values())), st.integers(0, 2**32 - 1))
def test_expanding_and_compressing_commute(n, layout, seed):
    if n == 0 and layout.diagonal != "stored":
        return
    rng = np.random.default_rng(seed)
    half = rng.integers(-2, 3, layout.length(n))
    full = vech.expand(half, layout)
    assert (vech.to_csr(half, layout).toarray() == full).all()
    assert (vech.from_sparse(scipy.sparse.csr_array(full), layout) == half).all()
    i, j, values = vech.nonzeros(half, layout)
    assert (full[i, j] == values).all()


@pytest.mark.parametrize("name, value", [("indices", 77), ("indices", -1), ("indptr", 99)])
def test_from_sparse_refuses_arrays_that_are_no_matrix(name, value):
    for make in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.bsr_array):
        matrix = make(np.eye(3))
        getattr(matrix, name)[1] = value
        with pytest.raises(ValueError):
            vech.from_sparse(matrix, use="lower")
