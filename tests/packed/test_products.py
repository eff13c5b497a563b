"""Products on halves: what the full matrix gives, for every kind, dtype, layout and number of threads."""

import functools

import ml_dtypes
import numpy as np
import pytest

import cases
import reference
import vech
from cases import DTYPES, LAYOUTS, PLAIN, STORE_KINDS, param
from compare import assert_same_bits
from vech.layouts.kind import Kind
from vech.moves import runs
from vech.moves.runs import Half
from vech.packed import norms, products

SIZES = (0, 1, 2, 3, 15, 16, 17, 63, 64, 65)
FLOATS = ("float32", "float64", "complex64", "complex128")
NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind in "iufc" or name == "bfloat16"}


def fits(layout, dtype, kind, n):
    return cases.fits(layout, np.dtype(dtype), kind, n)


def packed(layout, dtype, kind, n, salt=0):
    """A store and its full matrix, by the reference."""
    half = cases.half(dtype, layout, kind, n, values=cases.moderate, salt=salt)
    return vech.Packed(half, layout, kind=kind), reference.expand(half, layout, kind)


def held(store):
    return Half(store.half, store.layout, store.kind)


@functools.cache
def places(layout, n):
    """Rows and columns of a half."""
    return np.array(reference.cells(layout, n), int).reshape(-1, 2).T


def plain_full(half, layout, kind, n):
    """The full matrix of a real half in double: `reference.expand` much sooner, but not to the bit."""
    full = np.zeros((n, n))
    i, j = places(layout, n)
    true = half / np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale)
    full[j, i] = -true if kind == "skew" else true
    full[i, j] = true
    return full


def wide(x):
    return np.asarray(x).astype(complex if np.iscomplexobj(x) else float)


def check(got, full, x, n):
    """Against the product in double: rounding to the result's dtype is part of its tolerance."""
    want = wide(full) @ wide(x)
    magnitude = np.abs(wide(full)) @ np.abs(wide(x))
    error = np.abs(wide(got) - want)
    assert got.shape == want.shape
    assert np.all(error <= cases.tolerance(got.dtype, n) * magnitude), np.max(error)


every_case = cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=FLOATS, kind=STORE_KINDS, n=SIZES),
)
every_order = cases.each(
    ("layout", "dtype", "kind"),
    [
        param(layout, dtype, kind, id=f"{name}-{dtype}-{kind}")
        for name, layout in LAYOUTS.items()
        for dtype in FLOATS
        for kind in STORE_KINDS
        if fits(layout, dtype, kind, 3)
    ],
)
every_target = pytest.mark.every_target


# ---- S @ x -------------------------------------------------------------------------------------------------


@every_target
@every_case
def test_a_store_times_a_vector_is_the_full_product(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n)
    x = cases.moderate(dtype, n, salt=1)
    product = store @ x
    assert product.dtype == dtype
    check(product, full, x, n)


@every_target
@every_case
def test_a_store_times_columns_is_the_full_product(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n)
    for columns in (0, 1, 3, 9):
        x = cases.moderate(dtype, (n, columns), salt=2)
        check(store @ x, full, x, n)
        check((x.T @ store).T, full.T, x, n)


@every_target
@every_order
def test_small_blocks_give_the_full_product(layout, dtype, kind, monkeypatch):
    monkeypatch.setattr(products, "SIDE", 7)
    monkeypatch.setattr(products, "_strips", lambda: 0)
    n = 3 if not cases.has_side(layout, 23) else 23
    store, full = packed(layout, dtype, kind, n)
    x = cases.moderate(dtype, (n, 6), salt=3)
    check(store @ x, full, x, n)
    check(store @ x[:, 0], full, x[:, 0], n)
    check((x[:, 0] @ store), full.T, x[:, 0], n)


@every_target
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["vech", "numpy-tril", "condensed", "svec-upper"])
def test_the_bits_of_a_product_do_not_depend_on_the_number_of_threads(name, dtype):
    n, layout = 900, vech.as_layout(name)
    half = cases.moderate(dtype, layout.length(n))
    store = vech.Packed(half, layout, kind="hermitian")
    x = cases.moderate(dtype, n)
    one = store.matmul(x, threads=1)
    full = store.expand()
    np.fill_diagonal(full, full.diagonal().real)
    check(one, full, x, n)
    for threads in (2, 3, 7, None):
        assert_same_bits(store.matmul(x, threads=threads), one)


@every_target
@pytest.mark.parametrize("kind", ["symmetric", "skew"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["vech", "numpy-tril", "condensed", "svec-lower", "svec-upper"])
def test_real_columns_go_by_strips(name, dtype, kind, monkeypatch):
    monkeypatch.setattr(products, "_strips", lambda: 256)
    monkeypatch.setattr(products, "_matmat", None)
    layout = vech.as_layout(name)
    if not fits(layout, dtype, kind, 3):
        pytest.skip("no such store")
    for n in (1, 2, 7, 8, 9, 255, 257, 300, 530):
        half = cases.half(np.dtype(dtype), layout, kind, n, values=cases.moderate)
        store, full = vech.Packed(half, layout, kind=kind), plain_full(half, layout, kind, n)
        for columns in (5, 8, 16, 17, 40):
            x = cases.moderate(np.dtype(dtype), (n, columns), salt=5)
            product = store @ x
            check(product, full, x, n)
            check((x.T @ store).T, full.T, x, n)
            np.testing.assert_array_equal(
                store @ np.repeat(x[:, -1:], 5, 1), np.repeat(product[:, -1:], 5, 1)
            )


@every_target
@pytest.mark.parametrize("columns", [5, 33, 256])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["vech", "numpy-tril"])
def test_the_bits_of_columns_do_not_depend_on_the_number_of_threads(name, dtype, columns, monkeypatch):
    monkeypatch.setattr(products, "_strips", lambda: 256)
    n, layout = 1100, vech.as_layout(name)
    half = cases.moderate(np.dtype(dtype), layout.length(n))
    store = vech.Packed(half, layout)
    x = cases.moderate(np.dtype(dtype), (n, columns))
    one = store.matmul(x, threads=1)
    check(one, store.expand(), x, n)
    for threads in (2, 3, 7):
        assert_same_bits(store.matmul(x, threads=threads), one)


@every_target
@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["vech", "numpy-tril"])
def test_what_is_not_finite_stays_in_its_row_and_its_column(name, special, monkeypatch):
    monkeypatch.setattr(products, "_strips", lambda: 256)
    n, layout = 270, vech.as_layout(name)
    full = np.ones((n, n))
    full[3, 265] = full[265, 3] = special
    x = np.ones((n, 11))
    x[200, 6] = special
    with np.errstate(invalid="ignore"):
        want = full @ x
        np.testing.assert_array_equal(vech.Packed(vech.pack(full, layout), layout) @ x, want)
    assert np.isfinite(want).sum() == (n - 2) * 10


@cases.each(
    ("dtype", "kind", "layout"),
    cases.pairwise(
        lambda dtype, kind, layout: fits(layout, dtype, kind, 9),
        dtype=NUMBERS,
        kind=STORE_KINDS,
        layout=PLAIN,
    ),
)
def test_every_number_multiplies_into_numpys_dtype_and_those_of_ml_dtypes_into_their_own(dtype, kind, layout):
    store, full = packed(layout, dtype, kind, 9)
    for shape in (9, (9, 2), (2, 9, 3)):
        x = cases.moderate(dtype, shape, salt=4)
        product = store @ x
        assert product.dtype == (dtype if reference.is_ml(dtype) else (full @ x).dtype)
        if dtype.kind in "iu":
            np.testing.assert_array_equal(product, full @ x)
        else:
            check(product, full, x, 9)


@pytest.mark.parametrize("kind", STORE_KINDS)
@pytest.mark.parametrize("name", ["vech", "numpy-tril", "condensed"])
def test_many_columns_go_by_larger_blocks(kind, name, monkeypatch):
    sides = []
    blocks = products.blocks
    monkeypatch.setattr(products, "blocks", lambda n, grow, side: sides.append(side) or blocks(n, grow, side))
    monkeypatch.setattr(products, "WIDE_SIDE", 23)
    layout = vech.as_layout(name)
    store, full = packed(layout, np.dtype(complex), kind, 65)
    x = cases.moderate(np.complex128, (65, 130), salt=3)
    check(store @ x, full, x, 65)
    check((x.T @ store).T, full.T, x, 65)
    assert set(sides) == {23}


NARROW = [name for name in ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2") if name in DTYPES]


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_are_added_in_float32_and_rounded_once(dtype):
    n, dtype = 400, DTYPES[dtype]
    store = vech.Packed(np.ones(n * (n + 1) // 2, dtype))
    ones = np.ones(n, dtype)
    once = np.array(n).astype(dtype)
    for sums in (store @ ones, store @ ones[:, None], store.row_sums(), store.sum(axis=0)):
        assert sums.dtype == dtype and np.all(sums == once)
    assert store.trace() == once and store.trace().dtype == dtype
    small = store.astype(np.float32) * np.float32(1 / n)
    small = vech.Packed(small.half.astype(dtype))
    total = np.array(small.half[:1].astype(float)[0] * n * n).astype(dtype)
    for form in (small.quadratic(ones), small.quadratic(ones[:, None])[0], small.sum()):
        assert form == total and form.dtype == dtype
    for b in (np.ones((2, n), dtype), np.ones((2, n), np.float32)):
        product = small.congruence(b)
        assert product.dtype == (dtype if b.dtype == dtype else np.float32)
        np.testing.assert_allclose(product.half.astype(float), float(total), rtol=cases.tolerance(dtype, 1))


@cases.each("own", ["int8", "bool", "uint8", "int32", "float32", "complex64", ">f8"])
@cases.each("other", ["int8", "bool", "uint8", "float16", "float64", "complex64"])
def test_a_quadratic_form_has_numpys_dtype(own, other):
    store, full = packed(vech.Layout(), np.dtype(own), "symmetric", 9)
    x = cases.moderate(np.dtype(other), (9, 3))
    want = np.vecdot(x.T, (full @ x).T)
    assert want.dtype == (x[:, 0].conj() @ (full @ x[:, 0])).dtype
    for got, exact in ((store.quadratic(x), want), (store.quadratic(x[:, 0]), want[0])):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, exact, rtol=0, atol=cases.tolerance(want.dtype, 90) * 1000)


EXTREME = [
    vech.Layout(offdiagonal_scale=1e-40),
    vech.Layout("upper", diagonal_scale=1e30, offdiagonal_scale=1e-30),
    vech.Layout(diagonal="zero", offdiagonal_scale=1e35),
]


@every_target
@pytest.mark.parametrize("layout", EXTREME, ids=str)
def test_an_extreme_scale_leaves_products_what_they_are(layout):
    n, dtype = 20, np.dtype(np.float32)
    kind = "symmetric" if layout.implied is None else "skew"
    half = cases.half(dtype, layout.plain, kind, n, values=cases.moderate)
    half = vech.convert(half, layout.plain, layout)
    store = vech.Packed(half, layout)
    full = store.expand()
    assert np.isfinite(full).all() and full.any()
    x = cases.moderate(dtype, (n, 8), salt=1)
    for right in (x, x[:, :2], x[:, 0]):
        check(store @ right, full, right, n)
    check(store.row_sums(), full, np.ones(n, dtype), n)
    given = Half(half, layout, Kind.SYMMETRIC)
    bound = cases.tolerance(dtype, n * n)
    assert norms.norm(given) == pytest.approx(np.linalg.norm(wide(full)), rel=bound)
    assert norms.norm(given, 1) == pytest.approx(np.abs(wide(full)).sum(axis=0).max(), rel=bound)
    assert norms.norm(given, "max") == pytest.approx(np.abs(wide(full)).max(), rel=bound)
    assert norms.inner(given, given) == pytest.approx(np.vdot(wide(full), wide(full)), rel=bound)
    np.testing.assert_allclose(
        store.congruence(x[:, 0]).expand(), full * x[:, :1] * x[:, 0], rtol=cases.tolerance(dtype, 2)
    )
    if layout.implied is None:
        store.add_outer(x)
        np.testing.assert_allclose(store.expand(), full + x @ x.T, rtol=0, atol=bound)


def test_a_skew_matrix_computes_with_no_diagonal_of_ones():
    half = cases.moderate(np.float64, 45)
    store = vech.Packed(half, vech.Layout(diagonal="one"), kind="skew")
    full = store.expand() - np.eye(10)
    x = cases.moderate(np.float64, (10, 300), salt=1)
    for right in (x, x[:, :9], x[:, 0]):
        check(store @ right, full, right, 10)


def test_a_scale_that_has_no_inverse_is_undone():
    store = vech.Packed(np.array([0, 1e-40, 0], "f4"), vech.Layout(offdiagonal_scale=1e-40))
    np.testing.assert_allclose(store @ np.ones(2, "f4"), [1, 1], rtol=1e-5)  # 1e-40 is rounded


def test_other_dtypes_of_x_give_what_numpy_gives():
    for own, other in (
        ("f4", "f8"),
        ("f8", "f4"),
        ("f8", "c16"),
        ("f4", "i8"),
        ("i4", "f4"),
        ("c8", "f4"),
        (">f8", "f8"),
        ("f8", ">f8"),
    ):
        store, full = packed(vech.Layout(), np.dtype(own), "symmetric", 9)
        x = cases.moderate(np.dtype(other), (9, 2))
        for right in (x, x[:, 0]):
            product = store @ right
            assert product.dtype == (full @ right).dtype
            check(product, full, right, 9)


@cases.each("memory", ["Fortran", "reversed", "every-second", "every-third-backwards", "record-field"])
@cases.each("shape", [(40,), (40, 3), (40, 8), (2, 40, 5)], ids=str)
def test_x_and_out_may_lie_anyhow(memory, shape):
    store, full = packed(vech.Layout(), np.dtype(float), "symmetric", 40)
    x = cases.laid_out(cases.moderate(np.float64, shape), memory)
    check(store @ x, full, x, 40)
    out = cases.laid_out(np.zeros(shape), memory)
    assert store.matmul(x, out=out) is out
    check(out, full, x, 40)


def test_a_strided_half_is_multiplied_too():
    half = cases.moderate(np.float64, 45)
    x = np.ones((9, 8))
    for right in (x, x[:, 0]):
        assert_same_bits(vech.Packed(np.repeat(half, 2)[::2]) @ right, vech.Packed(half) @ right)


@every_target
@cases.each("value", [np.nan, np.inf, -np.inf])
@cases.each("where", [(0, 0), (5, 5), (19, 19), (7, 2), (19, 0), (18, 17)], ids=str)
@cases.each("name", ["vech", "numpy-tril"])
def test_what_is_not_finite_spreads_as_in_the_full_product(name, where, value):
    layout = vech.as_layout(name)
    half = np.zeros(layout.length(20))
    half[:] = cases.moderate(np.float64, half.size)
    half[layout.position(*where, 20)] = value
    store, full = vech.Packed(half, layout), reference.expand(half, layout, "symmetric")
    x = np.ones((20, 6))
    x[3] = 0
    with np.errstate(invalid="ignore"):
        for right in (x, x[:, 0]):
            got, want = store @ right, full @ right
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
            np.testing.assert_array_equal(got[np.isinf(want)], want[np.isinf(want)])


@pytest.mark.parametrize(
    "layout", [PLAIN["lower-columns-zero"], PLAIN["upper-columns-one"], vech.Layout()], ids=str
)
def test_an_infinite_x_spreads_as_in_the_full_product(layout):
    store, full = packed(layout, np.dtype(float), "symmetric", 20)
    x = np.ones((20, 6))
    x[4] = np.inf
    with np.errstate(invalid="ignore"):
        for right in (x, x[:, 0]):
            np.testing.assert_array_equal(np.isnan(store @ right), np.isnan(full @ right))


def test_a_product_reads_the_diagonal_as_its_kind_says():
    for kind, part in (
        ("hermitian", np.real),
        ("skew-hermitian", lambda d: 1j * d.imag),
        ("skew", lambda d: 0 * d),
    ):
        half = cases.moderate(np.complex128, 55)
        store = vech.Packed(half, kind=kind)
        full = store.expand()
        np.fill_diagonal(full, part(full.diagonal()))
        x = cases.moderate(np.complex128, (10, 6))
        check(store @ x, full, x, 10)
        check(store @ x[:, 0], full, x[:, 0], 10)
        np.testing.assert_allclose(store.trace(), full.trace())
        np.testing.assert_allclose(store.row_sums(), full.sum(axis=1))


# ---- forms, sums, norms ------------------------------------------------------------------------------------


@every_case
def test_numbers_of_a_store_are_those_of_the_full_matrix(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n)
    size = np.abs(wide(full))
    bound = cases.tolerance(dtype, n * n + 4)
    x = cases.moderate(dtype, (n, 3), salt=5)
    forms = store.quadratic(x)
    want = np.einsum("ik,ij,jk->k", x.conj(), wide(full), x)
    assert np.all(np.abs(forms - want) <= bound * np.einsum("ik,ij,jk->k", np.abs(x), size, np.abs(x)))
    assert forms.dtype == (np.dtype(dtype).type(0).real.dtype if store.kind == "hermitian" else dtype)
    assert abs(store.quadratic(x[:, 0]) - want[0]) <= bound * (np.abs(x[:, 0]) @ size @ np.abs(x[:, 0]))
    assert abs(store.trace() - wide(full).trace()) <= bound * size.trace() and store.trace().dtype == dtype
    check(store.row_sums(), full, np.ones(n, dtype), n)
    given = held(store)
    for order, exact in (
        ("fro", np.linalg.norm(wide(full)) if n else 0),
        (1, size.sum(axis=0).max(initial=0)),
        (np.inf, size.sum(axis=1).max(initial=0)),
        ("max", size.max(initial=0)),
    ):
        assert abs(norms.norm(given, order) - exact) <= bound * exact


# each way in which a layout differs; all pairs are converted in tests of moves
OTHERS = {name: LAYOUTS[name] for name in LAYOUTS if "upper-rows" in name or name in cases.SCALED}
OTHERS |= {name: LAYOUTS[name] for name in ("lower-columns-stored", "lapack-rfp-nl", "tfp-upper", "mandel")}


@cases.each(
    ("layout", "other", "dtype", "kind", "n"),
    cases.pairwise(
        lambda layout, other, dtype, kind, n: fits(layout, dtype, kind, n) and fits(other, dtype, kind, n)
        and {layout.diagonal, other.diagonal} != {"zero", "one"},
        layout=LAYOUTS, other=OTHERS, dtype=FLOATS, kind=STORE_KINDS, n=(0, 1, 3, 17, 65),
    ),
)  # fmt: skip
def test_an_inner_product_is_the_sum_of_all_products(layout, other, dtype, kind, n):
    (s, a), (t, b) = packed(layout, dtype, kind, n), packed(other, dtype, kind, n, salt=1)
    got = norms.inner(held(s), held(t))
    assert abs(got - np.vdot(wide(a), wide(b))) <= cases.tolerance(dtype, n * n + 8) * np.vdot(
        np.abs(wide(a)), np.abs(wide(b))
    )
    assert np.isrealobj(got) == (s.kind.endswith("hermitian") or np.dtype(dtype).kind == "f")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float16", "bfloat16"])
def test_numbers_of_other_dtypes(dtype):
    if dtype not in DTYPES:
        pytest.skip("ml_dtypes is not installed")
    store, full = packed(vech.Layout(), DTYPES[dtype], "symmetric", 9)
    given = held(store)
    exact = wide(full)
    bound = cases.tolerance(store.dtype, 81) if cases.is_inexact(store.dtype) else 0
    near = cases.tolerance(np.float64, 81)
    assert float(norms.norm(given, "fro")) == pytest.approx(np.linalg.norm(exact), rel=near)
    assert norms.norm(given, "max") == np.abs(exact).max()
    assert norms.norm(given, 1) == np.abs(exact).sum(axis=0).max()
    got = norms.inner(given, given)
    want = np.vdot(exact, exact) if bound else np.vdot(full, full)
    assert float(got) == pytest.approx(float(want), rel=bound, abs=0)
    want = wide(full.sum(axis=1)) if not bound else exact.sum(axis=1)
    assert np.all(np.abs(wide(store.row_sums()) - want) <= bound * np.abs(exact).sum(axis=1))


@pytest.mark.parametrize(
    ("kind", "dirt", "want"), [("skew", 1e10, 2), ("hermitian", 1e10j, 4), ("skew-hermitian", 1e10, 4)]
)
@pytest.mark.parametrize("dtype", ["float64", "complex64", "complex128"])
@pytest.mark.parametrize("layout", ["vech", "numpy-tril"])
def test_what_does_not_count_on_a_diagonal_drowns_nothing(kind, dirt, want, dtype, layout):
    if dtype == "float64" and kind != "skew":
        pytest.skip("symmetric or skew, if real")
    number = {"skew": 1, "hermitian": 1, "skew-hermitian": 1j}[kind]
    half = np.array([dirt, number, dirt], dtype)
    if kind != "skew":
        half[[0, 2]] += number
    given = Half(half, vech.as_layout(layout), Kind(kind))
    assert norms.inner(given, given) == want
    assert norms.norm(given) == np.sqrt(np.float64(want)).astype(half.real.dtype)


def test_an_inner_product_of_two_kinds():
    s, a = packed(vech.Layout(), np.dtype(complex), "symmetric", 9)
    t, b = packed(vech.Layout("upper", "columns"), np.dtype(complex), "hermitian", 9, salt=1)
    np.testing.assert_allclose(norms.inner(held(s), held(t)), np.vdot(a, b))
    r, c = packed(vech.Layout(), np.dtype("f4"), "skew", 9, salt=1)
    np.testing.assert_allclose(norms.inner(held(s), held(r)), np.vdot(a, c), atol=1e-6)


def test_an_inner_product_needs_equal_sides():
    with pytest.raises(ValueError, match="matrices of 2 and of 3 rows do not fit each other"):
        norms.inner(
            Half(np.ones(3), vech.Layout(), Kind.SYMMETRIC), Half(np.ones(6), vech.Layout(), Kind.SYMMETRIC)
        )


@cases.each("order", ["fro", 1, np.inf, "max"])
@cases.each("value", [np.nan, np.inf])
@cases.each("at", [0, 1, 5])
def test_norms_of_what_is_not_finite(order, value, at):
    half = np.ones(6)
    half[at] = value
    got = norms.norm(Half(half, vech.Layout(), Kind.SYMMETRIC), order)
    np.testing.assert_equal(got, value)


@every_target
@cases.each("kind", ["symmetric", "skew"])
@cases.each("layout", list(PLAIN))
@cases.each("dtype", ["float32", "float64"])
def test_sums_of_rows_have_the_bits_of_a_product(dtype, layout, kind):
    """A product by twos, which reads them, is twice the sums of rows, which read no ones."""
    layout = PLAIN[layout]
    if layout.diagonal == "one" and kind == "skew":
        pytest.skip("a skew matrix has no ones")
    for n in (1, 5, 67, 1030):  # by vectors of each width; by eight rows from 1024 on
        half = np.random.default_rng(n).standard_normal(layout.length(n)).astype(dtype)
        store = vech.Packed(half, layout, kind=kind)
        assert_same_bits(2 * store.row_sums(), store.matmul(np.full(n, 2, dtype), threads=1))
        if kind == "symmetric":
            size = vech.Packed(np.abs(half), layout).row_sums().max()
            assert norms.norm(held(store), 1) == size


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_frobenius_norm_neither_overflows_nor_vanishes(scale):
    assert norms.norm(Half(np.full(3, scale), vech.Layout(), Kind.SYMMETRIC)) == pytest.approx(2 * scale)


def test_row_sums_of_infinite_complex_numbers():
    store, full = packed(vech.Layout(), np.dtype(complex), "hermitian", 4)
    store.half[1] = full[1, 0] = np.inf
    full[0, 1] = np.inf
    np.testing.assert_array_equal(np.isnan(store.row_sums()), np.isnan(full.sum(axis=1)))


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_row_sums_and_traces_have_numpys_dtype(dtype):
    store, full = packed(vech.Layout(), np.dtype(dtype), "symmetric", 5)
    assert_same_bits(store.row_sums(), full.sum(axis=1))
    assert store.trace() == full.trace() and store.trace().dtype == full.trace().dtype


def test_a_quadratic_form_takes_vectors_and_columns():
    store = vech.Packed(np.ones(6))
    with pytest.raises(ValueError, match=r"\(2, 3, 1\): a quadratic form takes a vector or columns"):
        store.quadratic(np.ones((2, 3, 1)))
    with pytest.raises(
        ValueError, match=r"x has shape \(2,\), but the form needs 3 rows: \(3,\) or \(3, m\)"
    ):
        store.quadratic(np.ones(2))


@pytest.mark.parametrize("kind", STORE_KINDS)
@pytest.mark.parametrize("dtype", ["int64", "bool", "float64", "complex128"])
def test_the_sum_of_a_matrix_is_numpys(kind, dtype):
    if dtype == "bool" and "skew" in kind:
        pytest.skip("bool has no sign")
    store, full = packed(vech.Layout(), np.dtype(dtype), kind, 17)
    for axis in (None, 0, 1, -1, -2):
        want = full.sum(axis=axis)
        for got in (store.sum(axis), np.sum(store, axis=axis)):
            assert got.dtype == want.dtype
            np.testing.assert_allclose(
                got, want, rtol=0, atol=cases.tolerance(dtype, 300) * np.abs(full).sum()
            )
    if kind == "skew":
        assert store.sum() == 0
    if kind.endswith("hermitian") and dtype == "complex128":
        assert (store.sum().imag if kind == "hermitian" else store.sum().real) == 0
    with pytest.raises(ValueError, match="axis must be None, 0 or 1, not 2"):
        store.sum(2)
    with pytest.raises(TypeError, match="sum of a store takes no out="):
        np.sum(store, out=np.zeros(()))


@pytest.mark.parametrize("dtype", ["datetime64[D]", "timedelta64[s]"])
def test_dates_have_no_products(dtype):
    dates, numbers = vech.Packed(np.arange(6).astype(dtype)), vech.Packed(np.ones(6))
    x, ones = np.arange(3).astype(dtype), np.ones(3)
    for call in (
        lambda: dates @ ones,
        lambda: ones @ dates,
        lambda: numbers @ x,
        lambda: dates.quadratic(ones),
        lambda: numbers.quadratic(x),
        lambda: dates.congruence(ones),
        lambda: numbers.congruence(np.eye(3).astype(dtype)),
        lambda: dates.add_outer(ones),
        lambda: numbers.add_outer(x),
    ):
        with pytest.raises(TypeError, match=r"\[.\] numbers have no products: astype\(np.int64\)"):
            call()
    for call in (dates.trace, dates.row_sums, dates.sum):
        if dates.dtype.kind == "m":
            call()
        else:
            with pytest.raises(TypeError, match=r"datetime64\[D\] numbers have no sums: astype\(np.int64\)"):
                call()


# ---- updates and congruences -------------------------------------------------------------------------------


def can_update(layout, dtype, kind, n):
    kinds = ("symmetric", "hermitian") if np.dtype(dtype).kind == "f" else ("hermitian",)
    return kind in kinds and layout.diagonal == "stored" and fits(layout, dtype, kind, n)


@cases.each(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(
        can_update, layout=LAYOUTS, dtype=FLOATS, kind=("symmetric", "hermitian"), n=(0, 1, 3, 17, 65)
    ),
)
@cases.each("columns", [None, 0, 4])
def test_an_update_adds_the_outer_product_in_place(layout, dtype, kind, n, columns, monkeypatch):
    monkeypatch.setattr(runs, "SIDE", 16)
    store, full = packed(layout, dtype, kind, n)
    half = store.half
    x = cases.moderate(dtype, n if columns is None else (n, columns), salt=6)
    assert store.add_outer(x, alpha=-0.5) is store
    assert store.half is half
    x = x if x.ndim == 2 else x[:, None]
    want = full - 0.5 * (x @ x.conj().T)
    np.testing.assert_allclose(
        store.expand(), want, rtol=0, atol=40 * np.finfo(dtype).eps * (1 + np.abs(want).max(initial=0))
    )


def test_updates_of_other_halves():
    for name in ("int64", "uint8", "bool", ">f8", *NARROW):
        dtype = DTYPES[name]
        for alpha in (
            (1, 0) if name == "bool" else (1, 3.0, np.int8(2), *([-0.5, 0.1] * (dtype.kind in "fV")))
        ):
            store, full = packed(vech.Layout(), dtype, "symmetric", 9)
            x = cases.moderate(dtype, (9, 2), salt=7)
            store.add_outer(x, alpha)
            if name == "bool":
                np.testing.assert_array_equal(store.expand(), full | (x @ x.T & bool(alpha)))
                continue
            exact = wide(full) + float(alpha) * wide(x) @ wide(x).T
            if not cases.is_inexact(dtype):
                np.testing.assert_array_equal(store.expand(), exact.astype(np.int64).astype(dtype))
                continue
            sums = np.float32 if name in NARROW else dtype
            finfo = (ml_dtypes if reference.is_ml(dtype) else np).finfo(dtype)
            bound = finfo.eps * np.abs(exact) + cases.tolerance(sums, 2) * (wide(abs(x)) @ wide(abs(x)).T + 9)
            assert np.all(np.abs(wide(store.expand()) - exact) <= bound + float(finfo.smallest_subnormal))
    block = cases.laid_out(np.zeros(45), "every-second")
    vech.Packed(block).add_outer(np.arange(9.0))
    np.testing.assert_array_equal(vech.expand(block), np.outer(np.arange(9.0), np.arange(9.0)))


def test_an_update_leaves_a_hermitian_diagonal_real():
    store = vech.Packed(np.zeros(300 * 301 // 2, complex), kind="hermitian")
    store.add_outer(cases.moderate(np.complex128, (300, 5)), 0.3)
    assert not store.diagonal().imag.any()


@pytest.mark.parametrize(("kind", "part"), [("hermitian", "imag"), ("skew-hermitian", "real")])
@pytest.mark.parametrize("name", ["vech", "numpy-tril"])
def test_a_congruence_settles_the_diagonal(kind, part, name):
    store = vech.Packed(cases.moderate(np.complex128, 40 * 41 // 2), name, kind=kind)
    full = store.expand()
    np.fill_diagonal(full, full.diagonal().real if kind == "hermitian" else 1j * full.diagonal().imag)
    d = cases.moderate(np.complex128, 40, salt=1)
    for b, exact in ((d, d[:, None] * full * d.conj()), (np.diag(d), np.diag(d) @ full @ np.diag(d.conj()))):
        result = store.congruence(b)
        assert not getattr(result.diagonal(), part).any()
        np.testing.assert_allclose(result.expand(), exact, rtol=1e-13, atol=1e-13)
    skew = vech.Packed(np.array([5.0, 1.0, 7.0]), kind="skew")
    assert skew.congruence(np.array([2.0, 3.0])).half.tolist() == [0, 6, 0]
    endless = vech.Packed(np.array([complex(1, np.inf), 1, 2]), kind="hermitian")
    assert endless.congruence(np.array([2.0, 3.0])).half.tolist() == [4, 6, 18]


def test_an_update_by_its_own_half_takes_what_it_was():
    half = np.arange(1.0, 7.0)
    store = vech.Packed(half)
    full, x = store.expand(), half[:3].copy()
    store.add_outer(half[:3])
    np.testing.assert_array_equal(store.expand(), full + np.outer(x, x))


def test_updates_that_cannot_be():
    with pytest.raises(TypeError, match="store is skew"):
        vech.Packed(np.zeros(6), kind="skew").add_outer(np.ones(3))
    with pytest.raises(TypeError, match="X is complex, so X X\\^H is Hermitian"):
        vech.Packed(np.zeros(6, complex), kind="symmetric").add_outer(1j * np.ones(3))
    with pytest.raises(TypeError, match="alpha must be a real number, not 1j"):
        vech.Packed(np.zeros(6)).add_outer(np.ones(3), 1j)
    integers = vech.Packed(np.zeros(6, int))
    with pytest.raises(
        TypeError, match="X has dtype float64, which does not fit a store of int64: astype first"
    ):
        integers.add_outer(np.ones(3))
    with pytest.raises(
        TypeError, match=r"alpha is 0.5, which does not fit a store of int64: astype\(float\) first"
    ):
        integers.add_outer(np.ones(3, int), 0.5)
    for alpha in ("a", None, [1.0], np.ones(1), np.str_("a")):
        with pytest.raises(TypeError, match="alpha must be a real number, not "):
            integers.add_outer(np.ones(3, int), alpha)
    for store, alpha in (
        (integers, 1e30),
        (vech.Packed(np.zeros(6, "u1")), -1),
        (vech.Packed(np.zeros(6, "?")), 2),
    ):
        with pytest.raises(OverflowError, match=r"alpha is .*, which .* does not hold: astype first"):
            store.add_outer(np.ones(3, store.dtype), alpha)
        assert not store.half.any()
    with pytest.raises(ValueError, match="layout condensed does not store the diagonal"):
        vech.Packed(np.zeros(3), "condensed").add_outer(np.ones(3))
    with pytest.raises(ValueError, match=r"\(2,\), but the update needs \(3,\) or \(3, k\)"):
        vech.Packed(np.zeros(6)).add_outer(np.ones(2))
    half = np.zeros(6)
    half.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        vech.Packed(half).add_outer(np.ones(3))


@every_case
def test_a_congruence_is_that_of_the_full_matrix(layout, dtype, kind, n):
    store, full = packed(layout, dtype, kind, n)
    other = np.conj if kind.endswith("hermitian") else np.asarray
    d = cases.moderate(dtype, n, salt=8)
    b = cases.moderate(dtype, (4, n), salt=9)
    bound = cases.tolerance(dtype, 2 * n + 8)
    scaled = store.congruence(d)
    assert scaled.kind == store.kind and scaled.dtype == dtype
    exact = wide(d)[:, None] * wide(full) * wide(other(d))
    assert np.all(np.abs(scaled.expand() - exact) <= bound * np.abs(exact))
    product = store.congruence(b)
    assert product.n == 4 and product.kind == store.kind and product.dtype == dtype
    exact = wide(b) @ wide(full) @ wide(other(b)).T
    magnitude = np.abs(b) @ np.abs(wide(full)) @ np.abs(b).T
    assert np.all(np.abs(product.expand() - exact) <= bound * magnitude)


def test_a_congruence_by_a_vector_keeps_the_labels():
    store = vech.Packed(np.ones(6), labels="abc")
    assert (
        store.congruence(np.ones(3)).labels == ("a", "b", "c")
        and store.congruence(np.ones((2, 3))).labels is None
    )


def test_congruences_that_cannot_be():
    with pytest.raises(ValueError, match=r"\(2,\), but a congruence needs \(3,\) or \(m, 3\)"):
        vech.Packed(np.ones(6)).congruence(np.ones(2))
    store, b = vech.Packed(np.arange(6.0)), np.array([[1, 2j, 3 - 1j], [0, 1j, 2]])
    with pytest.raises(
        TypeError,
        match=r"b is complex, and this symmetric store is float64: for B S B\^H make it "
        r"Packed\(S.half.astype\(complex\), S.layout, kind='hermitian'\), for B S B\^T S.astype\(complex\)",
    ):
        store.congruence(b)
    ways = {"hermitian": b.conj().T, "symmetric": b.T}
    for kind, right in ways.items():
        complex_store = vech.Packed(store.half.astype(complex), store.layout, kind=kind)
        np.testing.assert_allclose(complex_store.congruence(b).expand(), b @ store.expand() @ right)
    with pytest.raises(TypeError, match="kind='skew-hermitian'"):
        vech.Packed(np.zeros(6), kind="skew").congruence(b)
