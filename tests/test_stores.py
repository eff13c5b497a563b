"""The promise of every store: one matrix held once, which behaves like the full matrix."""

import copy
import operator
import pickle
import re
import tracemalloc
from functools import cache

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import cases
import reference
import vech
from cases import DTYPES, SIZES, STORE_KINDS, STORES, TENSOR_STORES
from compare import assert_canonical, assert_close, assert_same_bits


def has_form(make, dtype="f8", kind="symmetric", **_):
    return make.holds(np.dtype(dtype), kind, 5)


every_store = cases.each("make", STORES, where=has_form)
every_kind = cases.each(
    ("dtype", "kind"),
    [
        (np.dtype(dtype), kind)
        for dtype in ("float64", "complex128", "float32", "complex64", "int32")
        for kind in STORE_KINDS
    ],
    ids=str,
)

# what SciPy sparse can compute with: SparseHalf holds nothing else
SPARSE = {
    name: dtype
    for name, dtype in DTYPES.items()
    if dtype.kind in "biufc" and dtype.itemsize > 1 and dtype.isnative
}
SPARSE.pop("float16")


def valid(make, dtype, kind, n):
    return cases.allows(dtype, kind) and make.holds(dtype, kind, n)


# ---- what it is --------------------------------------------------------------------------------------------


@every_store
@every_kind
def test_a_store_says_what_it_is(make, dtype, kind):
    store = make(cases.matrix(dtype, kind, 5), kind)
    assert store.n == 5 and store.shape == (5, 5) and store.ndim == 2
    assert store.dtype == dtype
    real = {"hermitian": "symmetric", "skew-hermitian": "skew"}
    assert store.kind == (kind if dtype.kind == "c" else real.get(kind, kind))
    assert store.labels is None
    assert isinstance(store.nbytes, int) and store.nbytes > 0
    assert "5" in repr(store) and store.kind in repr(store)


@every_store
def test_labels_are_kept(make):
    full = cases.matrix(np.float64, "symmetric", 3)
    store = make(full, "symmetric", labels=["a", "b", "c"])
    assert list(store.labels) == ["a", "b", "c"]
    assert list(store.copy().labels) == ["a", "b", "c"]
    assert list(store.T.labels) == ["a", "b", "c"]


@every_store
@cases.each("labels", [["a"], list("abcd"), []])
def test_labels_are_as_many_as_rows(make, labels):
    with pytest.raises(ValueError, match=rf"{len(labels)} labels.*3"):
        make(cases.matrix(np.float64, "symmetric", 3), "symmetric", labels=labels)


@every_store
@cases.each("labels", [3, 1.5, True])
def test_labels_are_a_sequence(make, labels):
    with pytest.raises(TypeError, match=rf"labels must be a sequence, one label for each row, not {labels}"):
        make(cases.matrix(np.float64, "symmetric", 3), "symmetric", labels=labels)


@every_store
def test_a_copy_shares_nothing(make):
    full = cases.matrix(np.float64, "symmetric", 6)
    store = make(full, "symmetric")
    copied = store.copy()
    assert type(copied) is type(store)
    array, copied_array = (
        getattr(s, "half", None) if hasattr(s, "half") else s.data for s in (store, copied)
    )
    assert not np.shares_memory(array, copied_array)
    array[...] = 0
    assert_same_bits(copied.expand(), full)


@every_store
@every_kind
def test_a_store_can_be_pickled_and_copied(make, dtype, kind):
    full = cases.matrix(dtype, kind, 7)
    store = make(full, kind, labels=list("abcdefg"))
    for other in (pickle.loads(pickle.dumps(store)), copy.deepcopy(store), copy.copy(store)):
        assert (
            type(other) is type(store) and other.kind == store.kind and list(other.labels) == list("abcdefg")
        )
        assert_same_bits(other.expand(), store.expand())


@every_store
def test_masked_arrays_meet_the_full_matrix_of_a_store(make):
    full = cases.matrix(np.float64, "symmetric", 3)
    store = make(full, "symmetric")
    masked = np.ma.array(np.arange(9.0).reshape(3, 3), mask=np.eye(3))
    assert_same_bits(np.ma.getdata(store), full)
    assert np.ma.getmask(store) is np.ma.nomask
    for compute in (operator.add, operator.sub, operator.mul, operator.eq):
        found, want = compute(masked, store), compute(masked, full)
        np.testing.assert_array_equal(found.data, want.data)
        np.testing.assert_array_equal(found.mask, want.mask)
    assert np.ma.allclose(masked * 0 + full, store)


def test_no_store_and_no_factor_has_a_name_that_other_libraries_take_for_its_matrix():
    known = [vech.Store, vech.linalg.Cholesky]
    for kind in known:
        known += kind.__subclasses__()
    for kind in known:
        names = {name for part in kind.__mro__ for name in vars(part)}
        assert not names & {"_data", "_mask", "mask", "__array_interface__", "__array_struct__"}, kind


@every_store
def test_nothing_derived_from_the_values_is_remembered(make):
    full = cases.matrix(np.float64, "symmetric", 9)
    store = make(full, "symmetric")
    x = np.ones(9)
    before = store.expand(), store @ x, store.diagonal(), store.to_csr()
    array = store.half if hasattr(store, "half") else store.data
    array *= 2
    assert_same_bits(store.expand(), 2 * before[0])
    assert_same_bits(store.diagonal(), 2 * before[2])
    assert_same_bits(store.to_csr().toarray(), 2 * before[3].toarray())
    np.testing.assert_array_equal(store @ x, 2 * before[1])


# ---- expand ------------------------------------------------------------------------------------------------


@cases.each(
    ("make", "dtype", "kind", "n"),
    cases.pairwise(valid, make=STORES | TENSOR_STORES, dtype=SPARSE, kind=STORE_KINDS, n=SIZES),
)
def test_expand_gives_the_full_matrix(make, dtype, kind, n):
    full = cases.matrix(dtype, kind, n, values=partly_zero)
    store = make(full, kind)
    for got, want in (
        (store.expand(), full),
        (np.asarray(store), full),
        (store.diagonal(), np.ascontiguousarray(np.diagonal(full))),
    ):
        if isinstance(store, vech.Packed):
            assert_same_bits(got, want)
        else:  # what is not stored mirrors to zero, not to -0.0
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


def partly_zero(dtype, shape, *, salt=0):
    """Ordinary numbers, some of them zero."""
    numbers = cases.moderate(dtype, shape, salt=salt)
    numbers[cases.generator("zeros", shape, salt).random(shape) < 0.1] = 0
    return numbers


@every_store
@cases.each(
    "rows",
    [
        slice(0, 33),
        slice(3, 17),
        slice(-5, None),
        slice(None, 4),
        range(7, 8),
        range(33),
        slice(9, 9),
        slice(30, 99),
    ],
    ids=str,
)
@cases.each("kind", STORE_KINDS)
def test_expand_gives_any_panel_of_rows(make, rows, kind):
    full = cases.matrix(np.complex128, kind, 33)
    store = make(full, kind)
    want = full[rows.start : rows.stop] if isinstance(rows, range) else full[rows]
    assert_same_bits(store.expand(rows), want)
    assert_same_bits(store.expand(rows=rows, threads=2), want)
    block, cut = cases.block_for(want.shape, want.dtype, "padded-rows")
    expected = block.copy()
    cut(expected)[...] = want
    out = cut(block)
    assert store.expand(rows, out) is out
    assert block.tobytes() == expected.tobytes()


@every_store
@cases.each("n", [1, 2, 5, 64, 65, 130])
def test_every_panel_is_the_rows_of_the_whole(make, n):
    full = cases.matrix(np.float64, "symmetric", n)
    store = make(full, "symmetric")
    for height in {1, 3, 63, 64, n}:
        panels = [store.expand(slice(start, start + height)) for start in range(0, n, height)]
        assert_same_bits(np.concatenate(panels), full)


@every_store
@cases.each("memory", list(cases.MEMORY))
@cases.each("rows", [None, slice(5, 21)], ids=str)
def test_expand_writes_into_out_and_nowhere_else(make, memory, rows):
    full = cases.matrix(np.float32, "skew", 33)
    want = full[rows or slice(None)]
    block, cut = cases.block_for(want.shape, want.dtype, memory)
    expected = block.copy(order="K")
    cases.write_bits(cut(expected), want)
    out = cut(block)
    assert make(full, "skew").expand(rows=rows, out=out) is out
    assert block.tobytes() == expected.tobytes()


@every_store
@cases.each("rows", [slice(0, 4, 2), slice(None, None, -1), range(0, 4, 2), range(4, 0, -1)], ids=str)
def test_rows_have_step_one(make, rows):
    with pytest.raises(ValueError, match=r"(?s)rows.*step"):
        make(cases.matrix(np.float64, "symmetric", 5), "symmetric").expand(rows)


@every_store
@cases.each("rows", [3, [0, 1], (0, 2), "all", np.arange(3)], ids=str)
def test_rows_are_a_slice_or_a_range(make, rows):
    with pytest.raises(TypeError, match=r"(?s)rows.*slice.*range"):
        make(cases.matrix(np.float64, "symmetric", 5), "symmetric").expand(rows)


@every_store
@cases.each("rows", [range(3, 7), range(-2, 2)], ids=str)
def test_a_range_of_rows_lies_within_the_matrix(make, rows):
    with pytest.raises((IndexError, ValueError), match=r"(?s)rows?.*5"):
        make(cases.matrix(np.float64, "symmetric", 5), "symmetric").expand(rows)


@every_store
def test_expand_refuses_a_wrong_out(make):
    store = make(cases.matrix(np.float64, "symmetric", 5), "symmetric")
    with pytest.raises(ValueError, match=r"(?s)out.*shape"):
        store.expand(slice(0, 2), np.zeros((5, 5)))
    with pytest.raises((TypeError, ValueError), match=r"(?s)out.*float"):
        store.expand(out=np.zeros((5, 5), np.float32))
    with pytest.raises(ValueError, match=r"(?s)out.*(write|read-only)"):
        store.expand(out=np.broadcast_to(np.zeros(5), (5, 5)))


# ---- np.asarray --------------------------------------------------------------------------------------------


@every_store
def test_numpy_gets_a_full_copy(make):
    full = cases.matrix(np.float64, "symmetric", 5)
    store = make(full, "symmetric")
    assert_same_bits(np.array(store), full)
    assert_same_bits(np.asarray(store, np.float32), full.astype(np.float32))
    assert_same_bits(np.array(store, copy=True), full)
    with pytest.raises(ValueError, match="copy"):
        np.array(store, copy=False)


# ---- products ----------------------------------------------------------------------------------------------


@cache
def factors_and_products(dtype, kind, n):
    """A matrix, and for columns of several dtypes the products of it, its transpose and its adjoint."""
    full, wanted = cases.matrix(dtype, kind, n), []
    for other in (dtype, np.dtype(np.float64), np.dtype(np.complex64), np.dtype(np.int8)):
        columns = cases.moderate(other, (n, 4), salt="x")
        result = np.result_type(dtype, other)
        products = [reference.matmul(full, columns).astype(result)]
        for turned in (full.T, full.conj().T):
            same = np.array_equal(turned, full)
            products.append(products[0] if same else reference.matmul(turned, columns).astype(result))
        wanted.append((columns, result, products))
    return full, wanted


@every_store
@every_kind
@cases.each("n", [0, 1, 2, 4, 17, 65])
def test_products_are_those_of_the_full_matrix(make, dtype, kind, n):
    full, wanted = factors_and_products(dtype, kind, n)
    store = make(full, kind)
    for columns, result, products in wanted:
        for part in (0, slice(1, None)):
            x, (want, transposed, adjoint) = columns[:, part], (product[:, part] for product in products)
            magnitude = np.abs(full).astype(float) @ np.abs(x).astype(float)
            for product in (store @ x, store.matmul(x), store.matmul(x, threads=2)):
                assert_close(product, want, n, magnitude)
            assert_close((x.T @ store).T, transposed, n, magnitude)
            assert_close(store.T @ x, transposed, n, magnitude)
            assert_close(store.H @ x, adjoint, n, magnitude)
            out = np.full(want.shape, 77, result)
            assert store.matmul(x, out) is out
            assert_close(out, want, n, magnitude)


@every_store
def test_products_are_linear_and_symmetric(make):
    full = cases.matrix(np.float64, "symmetric", 33)
    store = make(full, "symmetric")
    x, y = cases.moderate(np.float64, 33, salt=1), cases.moderate(np.float64, 33, salt=2)
    magnitude = np.abs(x) @ np.abs(full) @ np.abs(y)
    assert_close(x @ (store @ y), y @ (store @ x), 66, magnitude)
    assert_close((x @ store) @ y, x @ (store @ y), 66, magnitude)


@every_store
@cases.each("kind", ["hermitian", "skew", "skew-hermitian"])
def test_computing_takes_the_part_of_the_diagonal_that_its_kind_allows(make, kind):
    """Moves keep a diagonal's bits; products use its real part (skew: zero; skew-Hermitian: imaginary)."""
    full = cases.matrix(np.complex128, kind, 5)
    clean = full.copy()
    if kind == "hermitian":
        full[2, 2] += 5j
    elif kind == "skew":
        full[2, 2] = 5
    else:
        full[2, 2] += 5
    store = make(full, kind)
    assert_same_bits(store.expand(), full)
    x = cases.moderate(np.complex128, 5)
    assert_close(store @ x, reference.matmul(clean, x), 5, np.abs(full) @ np.abs(x))


@every_store
def test_a_product_with_a_list_or_a_reversed_vector(make):
    full = cases.matrix(np.float64, "symmetric", 4)
    store = make(full, "symmetric")
    x = np.arange(8.0)[::-2]
    assert_close(store @ x, full @ x, 4, np.abs(full) @ np.abs(x))
    assert_close(store @ [1, 2, 3, 4], full @ [1, 2, 3, 4], 4, np.abs(full) @ [1, 2, 3, 4])
    fortran = np.asfortranarray(cases.moderate(np.float64, (4, 6)))
    assert_close(store @ fortran[:, ::2], full @ fortran[:, ::2], 4, np.abs(full) @ np.abs(fortran[:, ::2]))


@every_store
def test_a_product_with_a_stack_of_matrices(make):
    full = cases.matrix(np.float64, "symmetric", 4)
    x = cases.moderate(np.float64, (2, 3, 4, 5))
    assert_close(make(full, "symmetric") @ x, full @ x, 4, np.abs(full) @ np.abs(x))
    y = x.swapaxes(-1, -2)
    assert_close(y @ make(full, "symmetric"), y @ full, 4, np.abs(y) @ np.abs(full))


@every_store
@cases.each("shape", [(4,), (6,), (4, 5), (), (1, 5)])
def test_a_product_needs_matching_sides(make, shape):
    store = make(cases.matrix(np.float64, "symmetric", 5), "symmetric")
    with pytest.raises(ValueError, match=r"5"):
        store.matmul(np.zeros(shape))
    if len(shape) == 1:
        with pytest.raises(ValueError, match=r"5"):
            np.zeros(shape) @ store


@every_store
def test_matmul_refuses_a_wrong_out(make):
    store = make(cases.matrix(np.float64, "symmetric", 5), "symmetric")
    with pytest.raises(ValueError, match=r"(?s)out.*shape"):
        store.matmul(np.zeros(5), np.zeros(4))
    with pytest.raises((TypeError, ValueError), match=r"(?s)out.*(dtype|float|int)"):
        store.matmul(np.zeros(5), np.zeros(5, np.int64))
    x = np.zeros(5)
    with pytest.raises(ValueError, match=r"(?s)out.*(overlap|share)"):
        store.matmul(x, x)


@every_store
def test_infinities_and_nans_reach_the_product(make):
    full = np.zeros((4, 4))
    full[0, 1] = full[1, 0] = np.inf
    full[2, 2] = np.nan
    product = make(full, "symmetric") @ np.ones(4)
    assert product[0] == product[1] == np.inf and np.isnan(product[2]) and product[3] == 0


@every_store
def test_integer_products_are_exact(make):
    full = np.full((3, 3), 2**40, np.int64)
    assert (make(full, "symmetric") @ np.array([2**20, 1, -1])).tolist() == [2**60] * 3


# ---- T and H -----------------------------------------------------------------------------------------------


@every_store
@every_kind
def test_transposes_are_the_store_itself_where_they_can_be(make, dtype, kind):
    full = cases.matrix(dtype, kind, 9)
    store = make(full, kind)
    assert_same_bits(store.T.expand(), np.ascontiguousarray(full.T))
    np.testing.assert_array_equal(store.H.expand(), full.conj().T)
    assert store.T.kind == store.H.kind == store.kind
    if store.kind == "symmetric":
        assert store.T is store
    if store.kind == "hermitian" or (store.kind == "symmetric" and dtype.kind != "c"):
        assert store.H is store


# ---- sparse results ----------------------------------------------------------------------------------------


@cases.each(
    ("make", "dtype", "kind", "n"),
    cases.pairwise(
        valid, make=STORES | TENSOR_STORES, dtype=SPARSE, kind=STORE_KINDS, n=(0, 1, 2, 3, 4, 17, 65)
    ),
)
@cases.each("part", ["full", "lower", "upper"])
def test_sparse_results_are_the_full_matrix(make, dtype, kind, n, part):
    full = cases.matrix(dtype, kind, n, values=partly_zero)
    store = make(full, kind)
    want = {"full": full, "lower": np.tril(full), "upper": np.triu(full)}[part]
    csr, csc, coo = store.to_csr(part=part), store.to_csc(part=part), store.to_coo(part=part)
    for result, kind_of_array in (
        (csr, scipy.sparse.csr_array),
        (csc, scipy.sparse.csc_array),
        (coo, scipy.sparse.coo_array),
    ):
        assert type(result) is kind_of_array and result.dtype == dtype
        np.testing.assert_array_equal(result.toarray(), want)
        assert result.nnz == np.count_nonzero(want)
    for compressed in (csr, csc):
        assert compressed.indices.dtype == np.int32
        assert_canonical(compressed)


# ---- SciPy and NumPy around it -----------------------------------------------------------------------------


@every_store
@cases.each(
    ("dtype", "kind"),
    [
        ("f8", "symmetric"),
        ("c16", "hermitian"),
        ("c16", "symmetric"),
        ("f8", "skew"),
        ("c16", "skew-hermitian"),
    ],
)
def test_a_store_is_a_linear_operator(make, dtype, kind):
    full = cases.matrix(np.dtype(dtype), kind, 17)
    store = make(full, kind)
    operator = scipy.sparse.linalg.aslinearoperator(store)
    assert operator.shape == (17, 17) and operator.dtype == store.dtype
    x, block = cases.moderate(np.dtype(dtype), 17), cases.moderate(np.dtype(dtype), (17, 3))
    bound = np.abs(full) @ np.abs(x)
    assert_close(operator.matvec(x), full @ x, 17, bound)
    assert_close(operator.rmatvec(x), full.conj().T @ x, 17, bound)
    assert_close(operator.matmat(block), full @ block, 17, np.abs(full) @ np.abs(block))
    assert_close(operator.rmatmat(block), full.conj().T @ block, 17, np.abs(full) @ np.abs(block))
    assert_close(store.matvec(x), full @ x, 17, bound)
    assert_close(store.rmatvec(x), full.conj().T @ x, 17, bound)
    assert_close(store.matmat(block), full @ block, 17, np.abs(full) @ np.abs(block))


@every_store
@cases.each(("dtype", "kind"), [("f8", "symmetric"), ("c16", "hermitian")])
def test_eigsh_and_cg_take_a_store(make, dtype, kind):
    full = cases.matrix(np.dtype(dtype), kind, 40)
    full[np.diag_indices(40)] = np.arange(40) * 3 + 60
    store = make(full, kind)
    values = scipy.sparse.linalg.eigsh(store, k=3, return_eigenvectors=False, v0=np.ones(40, dtype))
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(full)[-3:], rtol=1e-9)
    b = cases.moderate(np.dtype(dtype), 40)
    solution, failed = scipy.sparse.linalg.cg(store, b, rtol=1e-12)
    assert failed == 0
    np.testing.assert_allclose(full @ solution, b, rtol=0, atol=1e-9)


@every_store
def test_an_array_on_the_left_multiplies_the_store(make):
    full = cases.matrix(np.float64, "skew", 6)
    store = make(full, "skew")
    x = cases.moderate(np.float64, (2, 6))
    assert_close(x @ store, x @ full, 6, np.abs(x) @ np.abs(full))
    assert_close(np.matmul(x, store), x @ full, 6, np.abs(x) @ np.abs(full))
    assert_close(np.matmul(store, x.T), full @ x.T, 6, np.abs(full) @ np.abs(x.T))


@every_store
@cases.each("ufunc", [np.exp, np.sqrt, np.abs, np.isnan, np.maximum])
def test_other_ufuncs_name_what_to_do(make, ufunc):
    store = make(cases.matrix(np.float64, "symmetric", 3), "symmetric")
    way = r"map a function over its numbers with map\(\), or " if hasattr(store, "map") else ""
    message = rf"does not work on a {type(store).__name__}, which holds each number once: {way}take the full"
    with pytest.raises(TypeError, match=rf"np.{ufunc.__name__} {message} matrix from expand\(\)"):
        ufunc(*[store] * ufunc.nin)
    with pytest.raises(TypeError, match=f"np.add {message}"):
        np.add.reduce(store)


@every_store
def test_memory_for_a_product_is_an_argument_of_matmul(make):
    store = make(cases.matrix(np.float64, "symmetric", 3), "symmetric")
    out = np.empty(3)
    message = (
        r"np.matmul takes no out= with a \w+: S.matmul\(x, out=\.\.\.\) does, and S @ x and x @ S multiply"
    )
    for left, right in ((store, np.ones(3)), (np.ones(3), store)):
        with pytest.raises(TypeError, match=message):
            np.matmul(left, right, out=out)
    assert store.matmul(np.ones(3), out=out) is out


@every_store
def test_a_store_has_no_order_and_no_truth(make):
    store = make(cases.matrix(np.float64, "symmetric", 3), "symmetric")
    with pytest.raises((TypeError, ValueError)):  # that of a Packed compares entries, and has no truth
        bool(store < store.copy())


ARITHMETIC = {name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv")}
COMPARISONS = {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
LOGIC = {name: getattr(operator, f"__{name}__") for name in ("and", "or", "xor")}
BINARY = ARITHMETIC | COMPARISONS | LOGIC
UNARY = {name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert")}


def few(dtype, shape, *, salt=0):
    """Numbers of which many are zero, and many equal."""
    rng = cases.generator("few", dtype.str, shape, salt)
    parts = rng.integers(0 if dtype.kind == "b" else -2, 3, (2, *shape)) * (rng.random(shape) < 0.6)
    return (parts[0] + 1j * parts[1] if dtype.kind == "c" else parts[0]).astype(dtype)


def rules(x):
    """Which of the four rules a matrix keeps, or that of one number everywhere: a.T, a^H, -a.T, -a^H."""
    a = np.broadcast_to(x, (2, 2)) if np.ndim(x) == 0 else x
    signed = (a,) if a.dtype.kind in "bu" else (a, -a)
    mirrored = [other for b in signed for other in (b.T, b.conj().T)]
    return {rule for rule, other in enumerate(mirrored) if np.array_equal(a, other, equal_nan=True)}


def has_kind(compute, fulls, want):
    """Whether the numbers of one triangle say what the other holds, whatever they are."""
    if compute in (operator.eq, operator.ne, operator.abs):
        return bool(set.intersection(*map(rules, fulls)))
    if compute in ARITHMETIC.values() or compute in (operator.neg, operator.pos):
        return bool(rules(want))
    return all(0 in rules(x) for x in fulls)


def check_as_numpy(compute, operands, fulls):
    """A store of what NumPy makes of the full matrices, or a TypeError where that has no kind or no zeros."""
    sparse = not any(isinstance(x, vech.Packed) for x in operands)
    want = fills = None
    with np.errstate(all="ignore"):
        try:
            want = compute(*fulls)
            rest = compute(*(np.zeros(1, x.dtype) if isinstance(x, vech.Store) else x for x in operands))
            fills = sparse and rest.any()
        except TypeError as error:
            said = str(error)
            message = "is for truth values" if "not supported for" in said else said[:20]
        else:
            message = None if has_kind(compute, fulls, want) else "is of no kind"
            if message is None and fills and compute in ARITHMETIC.values():
                message = "would change the zeros that a SparseHalf does not store"
        if message is not None:
            with pytest.raises(TypeError, match=re.escape(message)):
                compute(*operands)
            return
        result = compute(*operands)
    assert type(result) is (vech.SparseHalf if sparse and not fills else vech.Packed)
    assert result.dtype == want.dtype
    np.testing.assert_array_equal(result.expand(), want)
    if type(result) is vech.SparseHalf and compute in (*COMPARISONS.values(), *LOGIC.values()):
        assert result.data.all()


every_operand = pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (np.dtype(dtype), kind)
        for dtype in ("bool", "int32", "float32", "complex128")
        for kind in STORE_KINDS
        if cases.allows(np.dtype(dtype), kind) and (dtype == "complex128" or "hermitian" not in kind)
    ],
    ids=str,
)
some_stores = pytest.mark.parametrize("make", ["packed-upper-rows", "packed-rfp-nl", "sparse-half-lower"])


@some_stores
@every_operand
@cases.each("compute", BINARY)
def test_operators_compute_as_numpy_on_full_matrices(make, dtype, kind, compute):
    make = STORES[make]
    if not make.holds(dtype, kind, 7):
        pytest.skip("no such form")
    a, b = (cases.matrix(dtype, kind, 7, values=few, salt=salt) for salt in (0, 1))
    store, divides = make(a, kind), compute is operator.truediv
    for name in ("packed-vech", "sparse-half-lower", "sparse-half-upper"):
        other, same = STORES[name](b, kind), STORES[name](a, kind)
        if not divides or kind == "symmetric":
            check_as_numpy(compute, (store, other), (a, b))
            check_as_numpy(compute, (other, store), (b, a))
            check_as_numpy(compute, (store, same), (a, a))
    for number in (2, 0, -0.5, True, 1j, np.float32(2), np.array(2)):
        if number != 0 or not divides:  # what is not stored is not divided, not even by zero
            check_as_numpy(compute, (store, number), (a, number))
        if not divides or kind == "symmetric":
            check_as_numpy(compute, (number, store), (number, a))


@cases.each("make", STORES.values(), ids=STORES)
@every_operand
@cases.each("compute", UNARY)
def test_signs_and_negation_are_numpys(make, dtype, kind, compute):
    if not make.holds(dtype, kind, 9):
        pytest.skip("no such form")
    full = cases.matrix(dtype, kind, 9, values=few)
    check_as_numpy(compute, (make(full, kind),), (full,))


UFUNCS = (
    np.add,
    np.subtract,
    np.multiply,
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
)


@cases.each("left", ["packed-vech", "sparse-half-lower"])
@cases.each("right", ["packed-vech", "sparse-half-upper"])
@cases.each("ufunc", UFUNCS, ids=lambda ufunc: ufunc.__name__)
def test_numpys_functions_are_the_operators_of_either_store(left, right, ufunc):
    a, b = (cases.matrix(np.dtype(float), "symmetric", 9, values=few, salt=salt) for salt in (0, 1))
    result = ufunc(STORES[left](a, "symmetric"), STORES[right](b, "symmetric"))
    assert result.dtype == ufunc(a, b).dtype
    np.testing.assert_array_equal(result.expand(), ufunc(a, b))


@every_store
@cases.each("compute", (ARITHMETIC | COMPARISONS).values(), ids=ARITHMETIC | COMPARISONS)
def test_arrays_are_no_operands(make, compute):
    full = np.eye(3)
    store = make(full, "symmetric")
    array = rf"np.\w+ of a {type(store).__name__} takes numbers and stores, not an array of shape "
    for other in (full, full[0], [[1.0]], (1.0, 2.0)):
        for operands in ((store, other), (other, store)):
            with pytest.raises(
                TypeError, match=rf"{array}.*: take the full matrix from expand\(\), or make a"
            ):
                compute(*operands)
    made = {"Packed": r"Packed\(from_sparse\(x\)\)", "SparseHalf": r"SparseHalf.from_sparse\(x\)"}[
        type(store).__name__
    ]
    message = rf"takes numbers and stores, not a csr_array: make a store with {made}, or take S.to_csr\(\)"
    with pytest.raises(TypeError, match=message):
        compute(store, scipy.sparse.csr_array(full))


@every_store
def test_what_a_store_has_no_operator_for_names_the_way(make):
    store = make(np.eye(3), "symmetric")
    name, way = {"P": ("Packed", "S"), "S": ("SparseHalf", "S.to_packed()")}[type(store).__name__[0]]
    for compute in (lambda: store**2, lambda: 2**store):
        with pytest.raises(
            TypeError, match=re.escape(f"a {name} has no power: {way}.map(lambda v: v**2) is")
        ):
            compute()
    for compute in (lambda: store // 2, lambda: 2 // store, lambda: store % 2, lambda: 2 % store):
        with pytest.raises(TypeError, match=re.escape(f"a {name} has no // and no %: {way}.map(lambda v: v")):
            compute()
    for other in ("a", None, object()):
        assert (store == other) is False and (store != other) is True
        with pytest.raises(TypeError, match="unsupported operand"):
            store + other


@every_store
def test_a_store_has_no_truth_and_no_hash(make):
    store = make(np.eye(3), "symmetric")
    for matrix in (store, store == store.copy(), store != store.copy(), store > 0):
        with pytest.raises(ValueError, match=r"a matrix is neither true nor false: .* say"):
            bool(matrix)
    with pytest.raises(TypeError, match="unhashable type"):
        hash(store)
    assert not (store != make(np.eye(3), "symmetric")).expand().any()


@every_store
@cases.each("name", ["iadd", "isub", "imul", "itruediv"])
def test_in_place_changes_all_or_nothing(make, name):
    full = cases.matrix(np.dtype("int32"), "symmetric", 9, values=few)
    store = make(full, "symmetric", labels=range(9))
    refused = (
        1.5,
        1j,
        np.eye(9),
        make(full, "symmetric", labels=range(1, 10)),
        make(full[:8, :8], "symmetric"),
    )
    for other in refused if isinstance(store, vech.Packed) else refused[2:]:
        with pytest.raises((TypeError, ValueError)):
            getattr(operator, name)(store, other)
        np.testing.assert_array_equal(store.expand(), full)
    number = 0 if name in ("iadd", "isub") else 4
    changed = getattr(operator, name)(make(full.astype(float), "symmetric"), number)
    np.testing.assert_array_equal(changed.expand(), ARITHMETIC[name[1:]](full, number))


@every_store
def test_arrays_on_the_left_are_judged_like_those_on_the_right(make):
    store = make(cases.matrix(np.float64, "symmetric", 3), "symmetric")
    for x in (np.ma.masked_equal([1.0, 2.0, 3.0], 2.0), np.eye(3).view(np.matrix)):
        with pytest.raises(TypeError, match="x must be a NumPy array"):
            x @ store
    with pytest.raises(ValueError, match=r"x has shape \(2, 4\), but x @ S needs 3 columns"):
        np.ones((2, 4)) @ store


@cases.each("make", STORES.values(), ids=STORES)
def test_names_of_other_libraries_are_answered_with_our_own(make):
    store = make(np.eye(3), "symmetric")
    answers = {"toarray": ": S.expand", "tocsr": ": S.to_csr", "dot": ": S @ x", "toarry": "$"}
    for name, answer in answers.items():
        with pytest.raises(AttributeError, match=f"no attribute '{name}'{answer}"):
            getattr(store, name)
    assert not hasattr(store, "toarray") and not hasattr(store, "__length_hint__")


# ---- parts, other forms, and what a store says of itself ---------------------------------------------------

TAKEN = {
    "everything": (slice(None), slice(None)),
    "rows": (slice(3, 9), slice(None)),
    "boxes across the diagonal": (slice(2, 11), slice(5, 14)),
    "steps backwards": (slice(None, None, -3), range(15, 2, -2)),
    "repeats and negatives": ([-1, 0, 4, 4, -17], np.array([3, -2, 3], np.int8)),
    "masks": (np.arange(17) % 3 == 0, np.arange(17) < 5),
    "one row": (7, slice(None)),
    "nothing": ([], slice(4, 4)),
}


def spread(taken):
    """What NumPy's ``ix_`` takes."""
    return np.atleast_1d(
        np.arange(17)[np.asarray(taken) if isinstance(taken, range | list) and len(taken) else taken]
    )


@cases.each(
    ("make", "dtype", "kind", "taken"),
    cases.pairwise(
        lambda make, dtype, kind, taken: valid(make, dtype, kind, 17),
        make=STORES,
        dtype=SPARSE,
        kind=STORE_KINDS,
        taken=TAKEN,
    ),
)
def test_a_block_is_every_row_with_every_column(make, dtype, kind, taken):
    full = cases.matrix(dtype, kind, 17)
    rows, cols = taken
    store, want = make(full, kind), full[np.ix_(spread(rows), spread(cols))]
    for got in (
        store.block(rows, cols),
        store.block(rows, cols, threads=2),
        store.block(rows=rows, cols=cols),
    ):
        assert got.shape == want.shape
        assert_same_bits(got, want)
    for memory in cases.MEMORY:
        block, cut = cases.block_for(want.shape, want.dtype, memory)
        expected = block.copy(order="K")
        cases.write_bits(cut(expected), want)
        out = cut(block)
        assert store.block(rows, cols, out) is out
        assert block.tobytes() == expected.tobytes()


@cases.each(
    ("make", "dtype", "kind", "side"),
    cases.pairwise(
        lambda make, dtype, kind, side: valid(make, dtype, kind, 17),
        make=STORES,
        dtype=SPARSE,
        kind=STORE_KINDS,
        side={str(side): side for side in (1, 5, 16, 17, None)},
    ),
)
def test_tiles_are_the_lower_triangle_each_pair_once(make, dtype, kind, side):
    full = cases.matrix(dtype, kind, 17)
    assert_tiles_of(make(full, kind), full, side)


def side_of(layout):
    return 3 if isinstance(layout, vech.TensorOrder) else 13


@cases.each(
    "layout",
    cases.LAYOUTS,
    where=lambda layout, dtype, kind: cases.fits(layout, np.dtype(dtype), kind, side_of(layout)),
)
@cases.each(
    ("dtype", "kind"),
    [
        *(("f8", kind) for kind in ("symmetric", "skew")),
        *(("c8", kind) for kind in STORE_KINDS),
        *(
            ("i4", "skew"),
            ("?", "symmetric"),
            ("f2", "symmetric"),
            (">f8", "symmetric"),
            ("M8[D]", "symmetric"),
        ),
    ],
)
def test_tiles_of_every_layout(layout, dtype, kind):
    n = side_of(layout)
    store = vech.Packed(cases.half(dtype, layout, kind, n), layout, kind=kind)
    assert_tiles_of(store, store.expand(), 4)


def assert_tiles_of(store, full, side):
    """Row of tiles after row of tiles, from the first column to the diagonal, squares there."""
    n, height = len(full), side or len(full)
    spans = [slice(start, min(start + height, n)) for start in range(0, n, height)]
    want = [(rows, columns) for k, rows in enumerate(spans) for columns in spans[: k + 1]]
    tiles = list(store.tiles(side))
    assert [(tile.rows, tile.columns) for tile in tiles] == want
    for tile in tiles:
        assert tile.on_diagonal == (tile.rows == tile.columns)
        assert_same_bits(np.array(tile.numbers, order="C"), full[tile.rows, tile.columns].copy())


@every_store
def test_tiles_refuse_what_is_no_side(make):
    store = make(np.eye(3), "symmetric")
    assert list(make(np.eye(0), "symmetric").tiles()) == []
    with pytest.raises(ValueError, match="side is 0, and a tile has at least one row"):
        store.tiles(0)
    for side in (True, 2.0, "4"):
        with pytest.raises(TypeError, match=f"side must be a positive integer or None, not {side!r}"):
            store.tiles(side)


@every_store
@cases.each("panel", [1, 17, 50, 1000])
def test_a_wide_block_is_made_a_few_rows_at_a_time(make, panel, monkeypatch):
    monkeypatch.setattr("vech.packed.packed.PANEL", panel)
    full = cases.matrix(np.complex128, "symmetric", 17)
    store = make(full, "symmetric")
    assert_same_bits(store.block(slice(2, 15), range(1, 12)), np.ascontiguousarray(full[2:15, 1:12]))


@every_store
def test_a_block_takes_memory_for_itself_alone(make):
    n = 300
    store = make(np.eye(n), "symmetric")
    rows = np.arange(0, n, 60)
    tracemalloc.start()
    block = store.block(rows, slice(10, 60))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert block.shape == (5, 50)
    assert peak < 2 * n * n  # bytes: a quarter of the full matrix


@every_store
def test_a_block_refuses_what_does_not_fit(make):
    store = make(cases.matrix(np.float64, "symmetric", 5), "symmetric")
    with pytest.raises(IndexError, match="index 5 is out of bounds for axis 1 with size 5"):
        store.block([0], [5])
    with pytest.raises(IndexError, match="an index is made of integers, slices and masks, not float64"):
        store.block([0.5], [1])
    with pytest.raises(ValueError, match=r"out has shape \(2, 3\), but the result has \(2, 2\)"):
        store.block([0, 1], [0, 1], np.empty((2, 3)))
    with pytest.raises(TypeError, match="out has dtype float32"):
        store.block([0, 1], [0, 1], np.empty((2, 2), np.float32))
    with pytest.raises(ValueError, match="threads must be at least 1, not 0"):
        store.block([0], [0], threads=0)


@cases.each(
    ("make", "dtype", "kind", "layout"),
    cases.pairwise(
        lambda make, dtype, kind, layout: valid(make, dtype, kind, 9) and cases.fits(layout, dtype, kind, 9),
        make=STORES,
        dtype=SPARSE,
        kind=STORE_KINDS,
        layout={
            name: vech.as_layout(name)
            for name in ("vech", "numpy-tril", "lapack-rfp-tu", "tfp-fill-triangular-lower")
        },
    ),
)
def test_a_store_becomes_packed_in_any_layout(make, dtype, kind, layout):
    full = cases.matrix(dtype, kind, 9)
    store = make(full, kind, labels="abcdefghi")
    for packed in (store.to_packed(layout), store.to_packed(layout, threads=2)):
        assert type(packed) is vech.Packed and packed.layout == layout
        assert packed.kind == store.kind and packed.dtype == dtype and packed.labels == store.labels
        assert_same_bits(packed.expand(), full)
    assert packed.to_packed(layout) is packed
    assert store.to_packed().layout == vech.as_layout("vech")


@every_store
def test_a_diagonal_is_not_lost_on_the_way(make):
    full = cases.matrix(np.float64, "symmetric", 5)
    with pytest.raises(ValueError, match=r"the diagonal of layout condensed is zero, but .*0"):
        make(full, "symmetric").to_packed("condensed")
    np.fill_diagonal(full, 0)
    assert_same_bits(make(full, "symmetric").to_packed("condensed").expand(), full)


@every_store
@every_kind
def test_a_store_describes_itself(make, dtype, kind):
    store = make(cases.matrix(dtype, kind, 5), kind, labels="abcde")
    said = store.describe()
    assert (said.n, said.dtype, said.kind, said.labels) == (5, dtype, store.kind, tuple("abcde"))
    assert said.layout == getattr(store, "layout", None)
    assert (said.triangle, said.nnz) == (getattr(store, "triangle", None), getattr(store, "nnz", None))
    assert repr(store) == f"{type(store).__name__}({said})"


# ---- by size -----------------------------------------------------------------------------------------------


@cases.each("make", STORES, where=lambda make, dtype, kind, part: valid(make, dtype, kind, 9))
@every_kind
@cases.each("part", ["full", "lower", "upper"])
def test_a_threshold_keeps_what_is_larger_and_nan(make, dtype, kind, part):
    matrix = cases.matrix(dtype, kind, 9)
    if dtype.kind in "fc" and kind == "symmetric":
        matrix[3, 1] = matrix[1, 3] = np.nan
    store = make(matrix, kind)
    full = store.expand()
    counts = full.diagonal().copy()
    cases.clean_diagonal(counts, store.kind)
    cut = {"full": np.asarray, "lower": np.tril, "upper": np.triu}[part]
    between = np.sort(np.abs(matrix[~np.isnan(matrix)].astype(complex)))[39:43].mean()
    for bound in (0, 1, between, np.inf):
        kept = [[not abs(complex(x)) <= bound for x in row] for row in full.tolist()]
        np.fill_diagonal(kept := np.array(kept), [not abs(complex(x)) <= bound for x in counts.tolist()])
        for found in (way(part=part, threshold=bound) for way in (store.to_coo, store.to_csr, store.to_csc)):
            assert found.nnz == cut(kept).sum() and found.has_canonical_format
            np.testing.assert_array_equal(found.toarray(), cut(np.where(kept, full, 0)))


@every_store
def test_a_threshold_is_a_number_that_is_not_negative(make):
    store = make(cases.matrix(np.float64, "symmetric", 4), "symmetric")
    with pytest.raises(ValueError, match="the threshold must not be negative or NaN, but is -1"):
        store.to_csr(threshold=-1)
    with pytest.raises(ValueError, match="but is nan"):
        store.to_coo(threshold=np.nan)
    with pytest.raises(TypeError, match="threshold must be a real number, not 'large'"):
        store.to_csc(threshold="large")
