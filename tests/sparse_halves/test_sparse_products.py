"""Products of sparse halves are the full matrix's, for every pattern, kind, dtype, layout, thread count."""

import sys
import time
from functools import lru_cache

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import cases
import reference
import vech
from cases import STORE_KINDS
from compare import assert_close, assert_equal, assert_same_bits
from patterns import PATTERNS, csr, matrix, places
from vech import _core
from vech.layouts.kind import Kind

FLOATS = ("float32", "float64", "complex64", "complex128")
TRIANGLES = ("lower", "upper")
every_target = pytest.mark.every_target
every_triangle = cases.each("triangle", TRIANGLES)
every_kind = cases.each("kind", STORE_KINDS)


def kinds_of(*dtypes):
    """dtype and kind: real numbers are of two kinds, by four names."""
    known = [(dtype, kind) for dtype in dtypes for kind in STORE_KINDS]
    return [(d, k) for d, k in known if np.dtype(d).kind == "c" or "hermitian" not in k]


def every_kind_of(*dtypes):
    return pytest.mark.parametrize(("dtype", "kind"), kinds_of(*dtypes))


def make(full, stored, triangle, kind):
    part = np.tril(stored) if triangle == "lower" else np.triu(stored)
    indptr, indices, data = csr(full, part)
    return vech.SparseHalf(indptr, indices.astype(np.int32), data, len(full), triangle=triangle, kind=kind)


def sample(pattern, kind, dtype, n, triangle="lower"):
    """A store and its full matrix."""
    full = matrix(pattern, kind, np.dtype(dtype), n)
    return make(full, places(pattern, n), triangle, kind), full


def random_half(n, numbers, dtype, *, kind="symmetric", salt=0, reach=None):
    """A larger store, and its full matrix as SciPy makes it; columns at most `reach` before their row."""
    rng = cases.generator("random half", n, numbers, salt)
    i = rng.integers(0, n, numbers)
    j = np.maximum(i - rng.integers(1, reach, numbers), 0) if reach else rng.integers(0, n, numbers)
    return large_half(n, i, j, dtype, kind=kind, salt=salt)


def large_half(n, i, j, dtype, *, kind="symmetric", salt=0):
    """A store with numbers at these places or their mirror images, off the diagonal, and its full matrix."""
    i, j = np.maximum(i, j), np.minimum(i, j)
    i, j = (places[i != j] for places in (i, j))
    lower = scipy.sparse.coo_array((cases.moderate(dtype, i.size, salt=salt), (i, j)), shape=(n, n)).tocsr()
    lower.data[lower.data == 0] = np.ones(1, dtype)[0]  # SciPy drops zeros of sums
    mirror = lower.conj() if kind.endswith("hermitian") else lower
    full = lower + (-mirror if kind.startswith("skew") else mirror).T
    return vech.SparseHalf(
        lower.indptr, lower.indices, lower.data, n, triangle="lower", kind=kind
    ), full.tocsr()


@lru_cache(maxsize=1)  # every target is asked for the same
def same_half(*what, **more):
    """A larger store, its full matrix and the upper triangle of that, with sorted columns."""
    store, full = random_half(*what, **more)
    full.sort_indices()
    return store, full, scipy.sparse.triu(full, format="csr")


def check(got, full, x, want=None):
    """Against the product in double."""
    wide = complex if np.iscomplexobj(full) or np.iscomplexobj(x) else float
    want = full.astype(wide) @ x.astype(wide) if want is None else want
    assert got.shape == want.shape
    assert_close(got, want.astype(got.dtype), full.shape[0], abs(full) @ abs(x))


# ---- S @ x and x @ S ---------------------------------------------------------------------------------------


@every_target
@cases.each(
    ("pattern", "kind", "dtype", "triangle", "n"),
    cases.pairwise(
        lambda **_: True,
        pattern=tuple(PATTERNS),
        kind=STORE_KINDS,
        dtype=FLOATS,
        triangle=TRIANGLES,
        n=(0, 1, 2, 23, 40),
    ),
)
def test_products_from_both_sides_are_those_of_the_full_matrix(pattern, kind, dtype, triangle, n):
    store, full = sample(pattern, kind, dtype, n, triangle)
    for columns in (None, 0, 1, 2, 3, 7, 8, 13):
        x = cases.moderate(dtype, n if columns is None else (n, columns), salt=1)
        for threads in (1, 3):
            check(store.matmul(x, threads=threads), full, x)
        check((x.T @ store).T, full.T, x)
        check(store.T @ x, full.T, x)
        check(store.H @ x, full.conj().T, x)
        check(store.rmatvec(x), full.conj().T, x)
        check(store.rmatmat(x), full.conj().T, x)


@every_target
@every_triangle
@every_kind
@cases.each("dtype", FLOATS)
def test_a_product_uses_the_part_of_the_diagonal_that_its_kind_has(dtype, kind, triangle):
    n = 9
    full = matrix("everything", "symmetric", np.dtype(dtype), n)
    store = make(full, np.ones((n, n), bool), triangle, kind)
    diagonal = np.diag(full).copy()
    if kind == "skew" or (kind == "skew-hermitian" and dtype.startswith("float")):
        diagonal[:] = 0
    elif kind == "hermitian":
        diagonal = diagonal.real
    elif kind == "skew-hermitian":
        diagonal.real = 0
    want = store.expand()
    np.fill_diagonal(want, diagonal)
    x = cases.moderate(dtype, (n, 3))
    check(store @ x, want, x)
    check(store @ x[:, 0], want, x[:, 0])


@every_target
@pytest.mark.parametrize(
    ("of", "reach", "turned"),
    cases.pairwise(
        lambda **_: True,
        of={f"{dtype}-{kind}": (dtype, kind) for dtype, kind in kinds_of(*FLOATS)},
        reach=(None, 7000),
        turned=(False, True),
    ),
)
def test_the_bits_of_a_product_do_not_depend_on_the_number_of_threads(of, reach, turned):
    """Large enough for several shares, whose strips reach the next one or two, or all of them."""
    n, (dtype, kind) = 30_000, of
    store, full, upper = same_half(n, 400_000, dtype, kind=kind, reach=reach)
    if turned:
        store = vech.SparseHalf(upper.indptr, upper.indices, upper.data, n, triangle="upper", kind=kind)
    for x in (cases.moderate(dtype, n), cases.moderate(dtype, (n, 3))):
        one = store.matmul(x, threads=1)
        check(one, full, x)
        for threads in (2, 8):
            assert_same_bits(store.matmul(x, threads=threads), one)


@reference.remembered
def row_by_row(indptr, indices, data, triangle, kind, x):
    """y as rows in order give it, each number added by itself: those before the last product."""
    n = len(x)
    y = np.zeros_like(x)
    for r in range(n) if triangle == "lower" else range(n - 1, -1, -1):
        at = slice(indptr[r], indptr[r + 1])
        columns, numbers = indices[at], data[at]
        off = columns != r
        own = (numbers * x[columns])[~off].sum(dtype=x.dtype)
        columns, numbers = columns[off], numbers[off]
        sums = [x.dtype.type(0)] * 2
        for k, product in enumerate(numbers * x[columns]):
            sums[k % 2] += product
        y[r] = own + (sums[0] + sums[1])
        y[columns] += numbers * (x[r] if kind == "symmetric" else -x[r])
    return y


@every_target
@pytest.mark.parametrize("triangle", TRIANGLES)
@pytest.mark.parametrize(("dtype", "kind"), [("float32", "symmetric"), ("float64", "skew")])
@pytest.mark.parametrize(
    "far",
    [
        (1, 29, 600),
        (0, 1, 29, 600),
        (0, 30),
        (0, 16, 17, 40),
        (1, 20, 40, 60, 80, 100, 120, 140),
        (0, 1, 28, 29, 30, 570, 571, 572, 599, 600, 601),
        (0, 1, 2, 3, 4, 5, 6),
        (1, 9, 17, 33),
        (2, 4, 40, 45, 48, 300),
        tuple(range(100, 116)),
    ],
    ids=str,
)
def test_rows_of_a_stencil_give_the_bits_of_one_after_the_other(far, dtype, kind, triangle):
    """Runs of alike rows end where a line of the grid does, or never."""
    n = 2000
    for line in (29, n):
        i, k = np.divmod(np.arange(n * len(far)), len(far))
        j = i - np.array(sorted(far, reverse=True))[k]
        keep = (j >= 0) & ((i - j != 1) | (i % line > 0))
        i, j = i[keep], j[keep]
        numbers = np.random.default_rng(0).normal(size=i.size).astype(dtype)
        places = (i, j) if triangle == "lower" else (j, i)
        full = scipy.sparse.coo_array((numbers, places), shape=(n, n)).tocsr()
        full.sort_indices()
        store = vech.SparseHalf(full.indptr, full.indices, full.data, n, triangle=triangle, kind=kind)
        if kind == "skew":
            store.data[store.indices == np.repeat(np.arange(n), np.diff(store.indptr))] = 0
        x = np.random.default_rng(1).normal(size=n).astype(dtype)
        arrays = np.array(store.indptr), np.array(store.indices), np.array(store.data)
        assert_same_bits(store.matmul(x), row_by_row(*arrays, triangle, kind, x))
        at = store.indptr[n // 2]
        store.indices[at] = n if triangle == "lower" else -1
        with pytest.raises(ValueError, match=r"row"):
            store.matmul(x)


UNEVEN = {
    "power law": lambda n, rng: (rng.integers(0, n, 300_000), (n * rng.random(300_000) ** 6).astype(int)),
    "a dense row": lambda n, rng: (
        np.concatenate([np.full(n, n // 2), rng.integers(0, n, 280_000)]),
        np.concatenate([np.arange(n), rng.integers(0, n, 280_000)]),
    ),
    "empty rows": lambda n, rng: tuple(n // 3 + rng.integers(0, n // 300, (2, 300_000)) * 100),
    "blocks": lambda n, rng: tuple(
        rng.integers(0, n // 100, 300_000) * 100 + rng.integers(0, 100, (2, 300_000))
    ),
}


@every_target
@pytest.mark.parametrize(
    ("dtype", "kind"), [("float32", "symmetric"), ("float32", "skew"), ("complex128", "skew-hermitian")]
)
@pytest.mark.parametrize("pattern", sorted(UNEVEN))
def test_shares_of_uneven_patterns_add_up(pattern, dtype, kind):
    n = 20_000
    i, j = UNEVEN[pattern](n, cases.generator(pattern, n))
    store, full = large_half(n, i, j, dtype, kind=kind)
    for x in (cases.moderate(dtype, n), cases.moderate(dtype, (n, 3))):
        one = store.matmul(x, threads=1)
        check(one, full, x)
        check((x.T @ store).T, full.T, x)
        assert_same_bits(store.matmul(x, threads=3), one)
    expanded = store.to_csr(threads=2)
    assert (abs(expanded - full)).max() == 0 and expanded.nnz == full.nnz


@every_triangle
@every_kind
@cases.each("shape", [(30,), (30, 1), (30, 4), (2, 30, 3), (2, 0, 30, 3), (3, 2, 30, 9)])
def test_batches_are_multiplied_one_by_one(triangle, kind, shape):
    store, full = sample("random", kind, "complex128", 30, triangle)
    x = cases.moderate(np.complex128, shape)
    got = store @ x
    assert_close(got, full @ x, 30, np.abs(full) @ np.abs(x))
    out = np.empty(shape, complex)
    assert store.matmul(x, out=out) is out
    np.testing.assert_array_equal(out, got)
    if len(shape) > 1:
        got = x.swapaxes(-1, -2) @ store
        assert_close(got, x.swapaxes(-1, -2) @ full, 30, np.abs(x).swapaxes(-1, -2) @ np.abs(full))


@cases.each("memory", ["Fortran", "reversed", "every-second", "every-third-backwards", "record-field"])
@cases.each("shape", [(40,), (40, 3), (2, 40, 5)], ids=str)
def test_x_and_out_may_lie_anyhow(memory, shape):
    store, full = sample("random", "symmetric", "float64", 40)
    x = cases.laid_out(cases.moderate(np.float64, shape), memory)
    got = store @ x
    assert_close(got, full @ x, 40, np.abs(full) @ np.abs(x))
    out = cases.laid_out(np.zeros(shape), memory)
    assert store.matmul(x, out=out) is out
    np.testing.assert_array_equal(out, got)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("pointer", [np.int32, np.int64])
def test_indices_may_have_either_width(index, pointer):
    store, _ = sample("random", "symmetric", "float64", 30)
    arrays = (store.indptr.astype(pointer), store.indices.astype(index), store.data)
    x = cases.moderate(np.float64, 30)
    assert_same_bits(vech.SparseHalf(*arrays, 30, triangle="lower") @ x, store @ x)


@cases.each(
    ("own", "other"),
    [
        *(
            ("f4", "f8"),
            ("f8", "f4"),
            ("f4", "c8"),
            ("f8", "c16"),
            ("f4", "c16"),
            ("c8", "f8"),
            ("c16", "f4"),
        ),
        *(
            ("i4", "f4"),
            ("bool", "f8"),
            ("i8", "c8"),
            ("f4", "i8"),
            ("f8", ">f8"),
            ("f8", ">c16"),
            ("f4", "f2"),
        ),
        *(("i2", "i2"), ("u2", "i8"), ("bool", "bool"), ("bool", "i1")),
    ],
)
@cases.each("shape", [(23,), (23, 2), (2, 23, 3)], ids=str)
def test_dtypes_mix_as_in_numpy(own, other, shape):
    kinds = ("symmetric", "skew") if np.dtype(own).kind in "fci" else ("symmetric",)
    for kind in kinds:
        store, full = sample("random", kind, own, 23)
        x = cases.moderate(np.dtype(other), shape)
        got, want = store @ x, full @ x
        assert got.dtype == want.dtype
        check(got, full, x)


def test_what_is_stored_is_multiplied_and_nothing_else():
    store = vech.SparseHalf([0, 1, 2, 2], [0, 0], [2.0, 0.0], 3, triangle="lower")
    got = store @ np.array([1, np.inf, np.nan])
    assert np.isnan(got[0])  # zero is stored, and meets infinity
    assert got[1:].tolist() == [0, 0]
    assert (vech.SparseHalf([0, 1, 1], [0], [2.0], 2, triangle="lower") @ [3, np.nan]).tolist() == [6, 0]


def test_out_may_not_share_memory_with_the_store():
    store, _ = sample("everything", "symmetric", "float64", 4)
    with pytest.raises(ValueError, match="out shares memory with the input"):
        store.matmul(np.ones(4), out=store.data[:4])
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but the product needs 4 rows"):
        store @ np.ones(3)
    with pytest.raises(ValueError, match=r"x has shape \(3,\), but x @ S needs 4 columns"):
        np.ones(3) @ store


# ---- arrays that are no triangle any more ------------------------------------------------------------------


def spoiled(array, place, value):
    return {"array": array, "place": place, "value": value}


@every_target
@every_triangle
@cases.each(
    "spoil",
    [
        spoiled("indices", 2, 2_000_000_000),
        spoiled("indices", 2, -1),
        spoiled("indices", 2, 0),
        spoiled("indices", 5, 7),
        spoiled("indices", 5, 3),
        spoiled("indices", 8, 0),
        spoiled("indptr", 3, 1_000_000),
        spoiled("indptr", 3, -5),
        spoiled("indptr", 0, 2),
        spoiled("indptr", -1, 10),
        spoiled("indptr", -1, 35),
    ],
    ids=lambda spoil: "-".join(map(str, spoil.values())),
)
@cases.each("shape", [(8,), (8, 3)], ids=str)
def test_arrays_that_were_spoiled_later_are_noticed(triangle, spoil, shape):
    full = matrix("everything", "symmetric", np.dtype(float), 8)
    store = make(full, np.ones((8, 8), bool), triangle, "symmetric")
    good = getattr(store, spoil["array"]).copy()
    getattr(store, spoil["array"])[spoil["place"]] = spoil["value"]
    if np.array_equal(getattr(store, spoil["array"]), good):
        return
    for threads in (1, 3):
        with pytest.raises(ValueError, match=r"row|indptr"):
            store.matmul(np.ones(shape), threads=threads)


@every_target
def test_a_repeated_column_is_noticed_in_a_large_half():
    store, _ = random_half(30_000, 400_000, "float64")
    crowded = np.flatnonzero(np.diff(store.indptr) > 1)
    for row in crowded[[0, crowded.size // 2, -1]]:
        at = store.indptr[row]
        good = store.indices[at + 1]
        store.indices[at + 1] = store.indices[at]
        with pytest.raises(ValueError, match=f"columns of row {row} do not ascend"):
            store.matmul(np.ones(30_000), threads=2)
        store.indices[at + 1] = good
    store.matmul(np.ones(30_000))


@every_target
@pytest.mark.parametrize("triangle", TRIANGLES)
def test_what_is_known_of_other_columns_is_no_answer(triangle):
    """Products after one with the arrays as they were: right, or an error, for whatever stands there now."""
    n = 40_000
    rows, lower = np.arange(n), triangle == "lower"
    least, most, near, far = (0, rows, -3, -30_000) if lower else (rows, n - 1, 3, 30_000)
    columns = np.clip(rows + near, least, most).astype(np.int32)
    store = vech.SparseHalf(np.arange(n + 1), columns, np.ones(n), n, triangle=triangle)
    x = np.random.default_rng(0).normal(size=n)
    store.matmul(x, threads=2)
    store.indices[:] = np.clip(store.indices + far, least, most)
    full = store.to_csr()
    for threads in (1, 2):
        np.testing.assert_allclose(store.matmul(x, threads=threads), full @ x, rtol=1e-12)
    store.indices[n // 2] = n - 1 if lower else 0
    for threads in (1, 2):
        with pytest.raises(ValueError, match=r"row"):
            store.matmul(x, threads=threads)


def test_a_plan_of_anything_is_harmless():
    """Rows out of order, columns that are none, of another matrix: no product rather than a crash."""
    n = 3000
    store, _ = random_half(n, 60_000, "float64")
    x, y = np.ones(n), np.empty(n)
    arrays = store.indptr.astype(np.int64), store.indices.astype(np.int32), store.data
    rest = (x, y, n, True, "stored", False, False)
    good = np.zeros(_core.PLAN_LENGTH, np.int64)
    assert _core.multiply_sparse(*arrays, *rest, 1, good)
    expected = y.copy()
    rng = np.random.default_rng(1)
    values = (-1, 0, 1, n - 1, n, n + 1, 2**31 - 1, 2**31, 2**62, -(2**62))
    for _ in range(2000):
        plan = good.copy()
        plan[rng.integers(0, 12, 3)] = rng.choice(values, 3)
        if _core.multiply_sparse(*arrays, *rest, int(rng.integers(1, 3)), plan):
            np.testing.assert_allclose(y, expected, rtol=1e-12)


# ---- forms -------------------------------------------------------------------------------------------------


@every_kind
@every_triangle
@cases.each("dtype", FLOATS)
def test_quadratic_forms(dtype, kind, triangle):
    store, full = sample("random", kind, dtype, 30, triangle)
    for shape in (30, (30, 4)):
        x = cases.moderate(dtype, shape, salt=2)
        got = store.quadratic(x)
        want = (x.conj() * (full @ x)).sum(axis=0)
        if kind == "hermitian":
            assert not np.iscomplexobj(got)
        bound = (np.abs(x) * (np.abs(full) @ np.abs(x))).sum(axis=0)
        assert np.all(np.abs(got - want) <= 2 * cases.tolerance(dtype, 60) * bound)
    with pytest.raises(ValueError, match=r"a quadratic form takes a vector or columns"):
        store.quadratic(np.ones((2, 30, 3), dtype))


# ---- operators ---------------------------------------------------------------------------------------------


@every_kind
@cases.each("dtype", ["float32", "complex128", "int16"])
@cases.each("expected", [None, 1, 50])
def test_an_operator_multiplies_as_the_full_matrix(dtype, kind, expected):
    store, full = sample("random", kind, dtype, 30)
    operator = store.operator(expected=expected)
    assert isinstance(operator, scipy.sparse.linalg.LinearOperator)
    assert operator.shape == (30, 30) and operator.dtype == store.dtype
    for shape in (30, (30, 4)):
        x = cases.moderate(dtype, shape)
        for got, turned in ((operator @ x, full), (operator.H @ x, full.conj().T)):
            check(got, turned, x)


def test_an_operator_says_what_it_chose_and_why():
    kernel = sample("random", "symmetric", "float64", 9)[0].operator(expected=15)
    assert kernel.uses == "half" and kernel.reason == "float64 has a kernel, which reads each number once"
    assert repr(kernel) == (
        "<9x9 SparseOperator of float64, uses the half: float64 has a kernel, which reads each number once>"
    )
    store = sample("random", "symmetric", "int16", 9)[0]
    assert store.operator().uses == "full" and "int16 has no kernel" in store.operator().reason
    assert store.operator(expected=1).uses == "half"
    with pytest.raises(ValueError, match="expected must be 0 or more, not -1"):
        store.operator(expected=-1)
    with pytest.raises(TypeError, match=r"expected must be a count of products or None, not 2\.5"):
        store.operator(expected=2.5)


@pytest.mark.parametrize(
    ("n", "width", "far", "uses"),
    [
        (50_000, 4, 1, "full"),
        (50_000, 5, 1, "half"),  # longer rows
        (50_000, 4, 7_000, "half"),  # any column
        (300_000, 3, 1, "half"),  # beyond the caches
    ],
)
def test_an_operator_looks_at_the_pattern(n, width, far, uses):
    rng = np.random.default_rng(0)
    rows = np.arange(n)
    moved = [rng.integers(0, far, n) for _ in range(width)]
    columns = np.concatenate([np.maximum(rows - k * far - moved[k], 0) for k in range(width)])
    pairs = np.unique(np.stack([np.tile(rows, width), columns]), axis=1)
    lower = scipy.sparse.csr_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(n, n))
    operator = vech.SparseHalf.from_sparse(lower, use="lower").operator()
    assert operator.uses == uses
    assert ("few" in operator.reason) == (uses == "full")
    x = cases.moderate("f8", n)
    full = lower + scipy.sparse.tril(lower, -1).T
    np.testing.assert_allclose(operator @ x, full @ x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "int16"])
def test_an_operator_is_a_snapshot(dtype):
    store, full = sample("random", "symmetric", dtype, 30)
    operator, x = store.operator(), np.arange(30).astype(dtype)
    store.data[:] = 0
    np.testing.assert_allclose(operator @ x, full @ x)
    assert not (store @ x).any()


def test_solvers_take_a_store_and_its_operator():
    n = 60
    lower = scipy.sparse.diags_array([np.full(n - 1, -1.0), np.full(n, 2.5)], offsets=[-1, 0], format="csr")
    store = vech.SparseHalf(lower.indptr, lower.indices, lower.data, n, triangle="lower")
    b = cases.moderate(np.float64, n)
    for a in (scipy.sparse.linalg.aslinearoperator(store), store.operator()):
        x, failed = scipy.sparse.linalg.cg(a, b, rtol=1e-10)
        assert not failed
        np.testing.assert_allclose(store.expand() @ x, b, atol=1e-7)


# ---- the kernels under moves and checks --------------------------------------------------------------------


def arrays_of(matrix_):
    return matrix_.indptr.astype(np.int64), matrix_.indices.astype(np.int32), matrix_.data


@every_target
@pytest.mark.parametrize(
    ("dtype", "kind", "reach"),
    [
        *((*known, None) for known in kinds_of("i1", "i2", "f4", "f8", "c16")),
        *((dtype, "symmetric", 50) for dtype in ("i1", "i2", "f4", "f8", "c16")),
    ],
)
def test_large_halves_become_full_and_turn_and_are_cut_out_again(kind, dtype, reach):
    """Large enough for blocks of columns, which random patterns go by."""
    n, numbers = 20_000, 300_000 if np.dtype(dtype).itemsize > 2 else 900_000
    store, full, upper = same_half(n, numbers, np.dtype(dtype), kind=kind, reach=reach)
    change = store.kind.change(store.dtype)
    lower = (store.indptr.astype(np.int64), store.indices.astype(np.int32), store.data)
    for threads in (1, 5):
        for got, want in (
            (_core.mirror(*lower, change, n, True, threads), full),
            (_core.mirror(*arrays_of(upper), change, n, False, threads), full),
            (_core.turn(*lower, change, n, True, threads), upper),
            (_core.cut(*arrays_of(full), n, False, threads), upper),
        ):
            for a, b in zip(got, arrays_of(want), strict=True):
                assert_equal(a, b)
        for got in (
            _core.turn(*arrays_of(upper), change, n, False, threads),
            _core.cut(*arrays_of(full), n, True, threads),
        ):
            for a, b in zip(got, lower, strict=True):
                assert_equal(a, b)


@reference.remembered
def stencil(n, dtype, kind, far, line):
    """Its half by rows of the lower and of the upper triangle, and the full matrix, by SciPy."""
    i, k = np.divmod(np.arange(n * len(far)), len(far))
    j = i - np.array(far)[k]
    keep = (j >= 0) & ((i - j != 1) | (i % line > 0)) & (i % 997 != 5)
    i, j = i[keep], j[keep]
    numbers = (1 + np.arange(i.size) % 97).astype(dtype)
    numbers[(i == j) & (kind == "skew")] = 0
    mirrored = numbers if kind == "symmetric" else -numbers
    off = i != j
    sides = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
    found = []
    for data, cells in (
        (numbers, (i, j)),
        (mirrored, (j, i)),
        (np.concatenate([numbers, mirrored[off]]), sides),
    ):
        matrix_ = scipy.sparse.coo_array((data, cells), shape=(n, n)).tocsr()
        matrix_.sort_indices()
        found.append(arrays_of(matrix_))
    return tuple(found)


@every_target
@pytest.mark.parametrize("dtype", ["i1", "f4", "f8", "c16"])
@pytest.mark.parametrize("kind", ["symmetric", "skew"])
def test_rows_of_a_stencil_become_full(kind, dtype):
    """Runs of alike rows, whose mirrored numbers may go to rows of the run, and of another share."""
    n = {"i1": 20_000, "f4": 48_000, "f8": 24_000, "c16": 40_000}[dtype]  # two shares and more, but of i1
    many = (*range(9), *range(28, 31), 600, 6000)
    for far, line in (((0, 1, 29, 600), 29), ((0, 1, 2, 40, 41), n), ((1, 700), 700), (many, 80)):
        half, upper, full = stencil(n, dtype, kind, far, line)
        change = Kind(kind).change(np.dtype(dtype))
        for threads in (1, 3):
            for triangle, grow in ((half, True), (upper, False)):
                got = _core.mirror(*triangle, change, n, grow, threads)
                for a, b in zip(got, full, strict=True):
                    assert_equal(a, b)
        indptr, indices, _ = half
        indices[indptr[n // 2 + 5]] = n
        with pytest.raises(ValueError, match=r"row|column|CSR"):
            _core.mirror(*half, change, n, True, 1)


def test_short_runs_of_a_stencil_are_looked_at_once():
    """They take 1.4 times as long as one long run; where each looks at all rows after it, 19 times."""
    n = 300_000

    def seconds(line):
        half, _, _ = stencil(n, "f8", "symmetric", (0, 1), line)
        change = Kind.SYMMETRIC.change(np.dtype("f8"))
        found = []
        for _ in range(5):
            began = time.process_time()
            _core.mirror(*half, change, n, True, 1)
            found.append(time.process_time() - began)
        return min(found)

    assert seconds(20) < 6 * seconds(n)


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages are asked for on Linux")
def test_what_is_larger_than_a_heap_begins_with_a_huge_page():
    n = 2**22 + 1
    arrays = (np.arange(n + 1), np.arange(n, dtype=np.int32), np.ones(n))
    _, _, data = _core.mirror(*arrays, Kind.SYMMETRIC.change(np.dtype(float)), n, True, 1)
    assert data.nbytes > 2**25 and data.ctypes.data % 2**21 == 0
    assert data.all()


@every_target
def test_rows_may_be_many_and_nearly_empty():
    """Too many for blocks of columns that 16 bits tell apart; the next row's may go on where one's end."""
    n = 2_500_000
    store, full = random_half(n, 500_000, "float64")
    full.sort_indices()
    for a, b in zip(arrays_of(store.to_csr()), arrays_of(full), strict=True):
        assert_equal(a, b)
    x = cases.moderate(np.float64, n)
    for threads in (1, 3):
        np.testing.assert_allclose(store.matmul(x, threads=threads), full @ x, rtol=1e-12, atol=1e-12)


@every_target
@pytest.mark.parametrize(("dtype", "kind"), kinds_of("i2", "f4", "f8", "c16"))
def test_large_random_matrices_are_told_from_what_has_no_mirror_image(kind, dtype):
    """Large enough for blocks of columns: with one thread all rows are a band, with five each has one."""
    n, numbers = 20_000, 300_000 if np.dtype(dtype).itemsize > 2 else 900_000
    store, full, _ = same_half(n, numbers, np.dtype(dtype), kind=kind, reach=None)
    indptr, indices, data = arrays_of(full)
    flags = (store.kind.conjugates, store.kind.negates)
    rows = np.repeat(np.arange(n), np.diff(indptr))
    rng = cases.generator("no mirror image", dtype, kind)
    spoilt = rng.choice(np.flatnonzero(rows != indices), 6)
    last = indptr[1:][np.diff(indptr) > 0] - 1  # of each row
    moved = rng.choice(last[indices[last] < n - 1], 3)
    for threads in (1, 5):
        assert _core.asymmetry(indptr, indices, data, n, *flags, 0.0, threads) is None
        for k in spoilt:
            other = data.copy()
            other[k] += 1
            pair = (max(rows[k], indices[k]), min(rows[k], indices[k]))
            assert _core.asymmetry(indptr, indices, other, n, *flags, 0.0, threads) == pair
        for k in moved:
            other = indices.copy()
            other[k] += 1
            places = [(max(rows[k], c), min(rows[k], c)) for c in (indices[k], other[k])]
            assert _core.asymmetry(indptr, other, data, n, *flags, 0.0, threads) == min(places)
        other = indices.copy()
        other[indptr[n // 2]] = n
        with pytest.raises(ValueError, match="do not describe"):
            _core.asymmetry(indptr, other, data, n, *flags, 0.0, threads)


@every_target
def test_rows_may_be_more_than_one_band_has():
    """Row and column share 32 bits: beside 14 for the columns of a block, 18 for the rows of a band."""
    n = 600_000
    store, full = random_half(n, 600_000, "float64")
    full.sort_indices()
    indptr, indices, data = arrays_of(full)
    for a, b in zip(arrays_of(store.to_csr(threads=1)), (indptr, indices, data), strict=True):
        np.testing.assert_array_equal(a, b)
    assert _core.jumps(indptr, indices, n) > 0.5
    assert _core.asymmetry(indptr, indices, data, n, False, False, 0.0, 1) is None
    k = data.size - 5
    data[k] += 1
    i = int(np.searchsorted(indptr, k, "right")) - 1
    pair = (max(i, indices[k]), min(i, indices[k]))
    assert _core.asymmetry(indptr, indices, data, n, False, False, 0.0, 1) == pair


@every_target
@every_kind
@cases.each("dtype", ["bool", "i1", "u2", "i8", "f4", "f8", "c8", "c16"])
@cases.each("threads", [1, 3])
def test_the_first_pair_that_is_no_mirror_image_is_named(dtype, kind, threads):
    dtype = np.dtype(dtype)
    if not cases.allows(dtype, kind):
        return
    if dtype.kind != "c":
        kind = {"hermitian": "symmetric", "skew-hermitian": "skew"}.get(kind, kind)
    n = 60
    flags = (kind.endswith("hermitian"), kind.startswith("skew"))
    rng = cases.generator("asymmetry", dtype.str, kind)
    good = matrix("random", kind, dtype, n)
    for broken in range(12):
        full = good.copy()
        for i, j in rng.integers(0, n, (broken, 2)):
            full[i, j] += np.ones(1, dtype)[0] if dtype.kind != "b" else ~full[i, j]
        image = full.T.conj() if flags[0] else full.T
        differs = full != (-image if flags[1] else image)
        pairs = np.argwhere(np.tril(differs))
        want = tuple(map(int, pairs[0])) if len(pairs) else None
        given = arrays_of(scipy.sparse.csr_array(full))
        assert _core.asymmetry(*given, n, *flags, 0.0, threads) == want
        wide = complex if dtype.kind == "c" else float
        apart = np.abs(full.astype(wide) - (-1 if flags[1] else 1) * image.astype(wide)) > 0.5
        pairs = np.argwhere(np.tril(apart))
        loose = tuple(map(int, pairs[0])) if len(pairs) else None
        assert _core.asymmetry(*given, n, *flags, 0.5, threads) == loose
        if dtype.kind != "b":
            assert _core.asymmetry(*given, n, *flags, 1e9, threads) is None


@every_target
@pytest.mark.parametrize("reach", [None, 100])
def test_the_first_pair_is_named_wherever_threads_part_the_rows(reach):
    """Several shares of rows with more than 64 numbers: changed, and without a partner."""
    n = 10_000
    _, full = random_half(n, 450_000, "float64", reach=reach)
    full.sort_indices()
    runs = np.repeat(np.arange(n), np.diff(full.indptr))
    rng = cases.generator("shares", n)
    for broken in (0, 1, 1, 1, 2, 3, 8):
        places = rng.choice(full.nnz, broken, replace=False)
        pairs = [tuple(sorted(map(int, (runs[k], full.indices[k])), reverse=True)) for k in places]
        want = min(pairs, default=None)
        changed = full.copy()
        changed.data[places] += 1 + np.arange(broken)
        kept = ~np.isin(np.arange(full.nnz), places)
        fewer = scipy.sparse.csr_array((full.data[kept], (runs[kept], full.indices[kept])), shape=(n, n))
        for matrix_ in (changed, fewer):
            for threads in (1, 2, 5):
                assert _core.asymmetry(*arrays_of(matrix_), n, False, False, 0.0, threads) == want


def test_a_number_without_a_partner_is_found_in_the_last_row_of_a_share_too():
    n = 520
    full = np.ones((n, n))
    indptr, indices, data = arrays_of(scipy.sparse.csr_array(full))
    for row in range(1, n):
        fewer = indptr - (np.arange(n + 1) > row)
        given = fewer, np.delete(indices, indptr[row]), data[1:]
        assert _core.asymmetry(*given, n, False, False, 0.0, 3) == (row, 0)


def test_agreement_is_judged_as_in_dense_matrices():
    nan, inf = np.nan, np.inf
    for a, b, tolerance, agree in (
        (nan, nan, 0.0, True),
        (inf, inf, 0.0, True),
        (inf, -inf, 1e300, False),
        (nan, 1.0, inf, False),
        (0.0, -0.0, 0.0, True),
        (1.0, 1.5, 0.5, True),
        (1.0, 1.5, 0.49, False),
        (1 + 2j, 4 + 6j, 5.0, True),
        (1 + 2j, 4 + 6j, 4.9, False),
        (1 + 0j, 1 + 1j, 0.9, False),
        (2**63 - 1, 1 - 2**63, 1.0, False),
        (2**63 - 1, 1 - 2**63, 2.0**64, True),
    ):
        given = np.array([0, 1, 2]), np.array([1, 0], np.int32), np.array([a, b])
        assert (_core.asymmetry(*given, 2, False, False, tolerance, 1) is None) == agree, (a, b)
    alone = np.array([0, 0, 1]), np.array([0], np.int32)
    assert _core.asymmetry(*alone, np.array([0.0]), 2, False, False, 0.0, 1) is None
    assert _core.asymmetry(*alone, np.array([1e-9]), 2, False, False, 0.0, 1) == (1, 0)
    assert _core.asymmetry(*alone, np.array([1e-9]), 2, False, False, 1e-8, 1) is None
    smallest = np.array([0, 1, 2]), np.array([1, 0], np.int32), np.array([-128, -128], np.int8)
    assert _core.asymmetry(*smallest, 2, False, True, 0.0, 1) == (1, 0)


@every_target
def test_the_row_that_is_no_row_is_named():
    store, full = random_half(3000, 40_000, "float64")
    indptr, indices = store.indptr.astype(np.int64), store.indices.astype(np.int32)
    assert _core.fault(indptr, indices, 3000, "grow") == -1
    assert _core.fault(*arrays_of(full)[:2], 3000, "full") == -1
    assert _core.fault(*arrays_of(full)[:2], 3000, "grow") == 0
    for row in np.flatnonzero(np.diff(full.indptr))[[0, 1000, -1]]:
        wrong = full.indices.astype(np.int32)
        wrong[full.indptr[row + 1] - 1] = 3000
        assert _core.fault(full.indptr.astype(np.int64), wrong, 3000, "full") == row
    row = 1777
    for value in (-1, 3000, row + 1, indices[indptr[row]]):
        wrong = indices.copy()
        wrong[indptr[row] + 1] = value
        assert _core.fault(indptr, wrong, 3000, "grow") == row
    falling = indptr.copy()
    falling[row + 1] = falling[row] - 1
    assert _core.fault(falling, indices, 3000, "grow") == row
    assert _core.fault(indptr + 1, indices, 3000, "grow") == 3000


def test_a_pattern_is_told_to_be_random_or_banded():
    for reach, least, most in ((None, 0.9, 1.0), (20, 0.0, 0.05)):
        store, _ = random_half(30_000, 300_000, "float64", reach=reach)
        found = _core.jumps(store.indptr, store.indices.astype(np.int32), store.n)
        assert least <= found <= most


def columns(*given):
    return np.array(given, np.int32)


@cases.each(
    ("call", "message"),
    [
        (lambda p, i, d, c: _core.mirror(p[:-1], i, d, c, 3, True, 1), "indptr must hold n \\+ 1 numbers"),
        (lambda p, i, d, c: _core.mirror(p, i, d[:-1], c, 3, True, 1), "indices and data differ in length"),
        (
            lambda p, i, d, c: _core.mirror(p, i, d.astype("f4"), c, 3, True, 1),
            "change is of another item size",
        ),
        (lambda p, i, d, c: _core.turn(p, i[::-1].copy(), d, c, 3, True, 1), "do not describe sorted rows"),
        (lambda p, i, d, c: _core.mirror(p, i, d, c, 3, False, 1), "do not describe sorted rows"),
        (lambda p, i, d, c: _core.mirror(p, columns(0, 1, 0, 2), d, c, 3, True, 1), "do not describe"),
        (lambda p, i, d, c: _core.mirror(p, columns(0, 1, 2, 2), d, c, 3, True, 1), "do not describe"),
        (lambda p, i, d, c: _core.mirror(p, columns(0, 1, 3, 2), d, c, 3, False, 1), "do not describe"),
        (lambda p, i, d, c: _core.cut(p[::-1].copy(), i, d, 3, True, 1), "do not describe sorted rows"),
        (
            lambda p, i, d, c: _core.asymmetry(p, i - 1, d, 3, False, False, 0.0, 1),
            "do not describe sorted rows",
        ),
        (
            lambda p, i, d, c: _core.asymmetry(p, columns(0, 1, 3, 2), d, 3, False, False, 0.0, 1),
            "do not describe",
        ),
        (
            lambda p, i, d, c: _core.asymmetry(
                np.array([0, 2, 4, 4]), columns(1, 1, 0, 0), d, 3, False, False, 0.0, 1
            ),
            "do not describe",
        ),
        (lambda p, i, d, c: _core.fault(p, i, 3, "lower"), "no such part"),
    ],
)
def test_the_kernels_refuse_what_would_lead_out_of_bounds(call, message):
    given = np.array([0, 1, 3, 4]), np.array([0, 0, 1, 2], np.int32), np.ones(4)
    with pytest.raises(ValueError, match=message):
        call(*given, Kind.SYMMETRIC.change(np.dtype(float)))


@pytest.mark.parametrize("other", [scipy.sparse.eye_array(2), vech.images.poisson((2,))])
def test_sparse_factors_name_the_sparse_product(other):
    S = vech.images.poisson((2,))
    with pytest.raises(TypeError, match=r"multiplies arrays, not a \w+ T: S\.to_csr\(\) @ T"):
        S @ other


@pytest.mark.every_target
@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
def test_columns_together_cost_no_more_than_twice_as_much_as_one_by_one(dtype):
    """Vectors that are wider than the target's go through memory, which took ten times as long."""
    ones = np.ones(24)
    line = scipy.sparse.diags_array([ones[:-1], ones, ones[:-1]], offsets=[-1, 0, 1])
    points = scipy.sparse.csr_array(scipy.sparse.kron(scipy.sparse.kron(line, line), line).astype(dtype))
    S = vech.SparseHalf.from_sparse(points, kind="symmetric")
    columns = cases.moderate(dtype, (S.n, 8))
    one = np.ascontiguousarray(columns[:, 0])

    def seconds(x):
        spent = []
        for _ in range(7):
            start = time.process_time()
            S.matmul(x, threads=1)
            spent.append(time.process_time() - start)
        return min(spent)

    assert any(seconds(columns) < 16 * seconds(one) for _ in range(3))
