"""Products on halves: what the full matrix gives, for every kind, dtype, layout and number of threads."""

import numpy as np
import pytest

import cases
import reference
import vech
from cases import DTYPES, LAYOUTS, PLAIN, STORE_KINDS, param
from compare import assert_same_bits
from vech import products

SIZES = (0, 1, 2, 3, 15, 16, 17, 63, 64, 65)
FLOATS = ("float32", "float64", "complex64", "complex128")
NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind in "iufc" or name == "bfloat16"}


def fits(layout, dtype, kind, n):
    return cases.fits(layout, np.dtype(dtype), kind, n)


def packed(layout, dtype, kind, n, salt=0):
    """A store and its full matrix, by the reference."""
    half = cases.half(dtype, layout, kind, n, values=cases.moderate, salt=salt)
    return vech.Packed(half, layout, kind=kind), reference.expand(half, layout, kind)


def wide(x):
    return np.asarray(x).astype(complex if np.iscomplexobj(x) else float)


def check(got, full, x, n):
    """Against the product in double: rounding to the result's dtype is part of its tolerance."""
    want = wide(full) @ wide(x)
    magnitude = np.abs(wide(full)) @ np.abs(wide(x))
    error = np.abs(wide(got) - want)
    assert got.shape == want.shape
    assert np.all(error <= cases.tolerance(got.dtype, n) * magnitude), np.max(error)


every_case = pytest.mark.parametrize(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=FLOATS, kind=STORE_KINDS, n=SIZES),
)
every_order = pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    ("dtype", "kind", "layout"),
    cases.pairwise(
        lambda dtype, kind, layout: fits(layout, dtype, kind, 9),
        dtype=NUMBERS,
        kind=STORE_KINDS,
        layout=PLAIN,
    ),
)
def test_every_number_multiplies_into_numpys_dtype(dtype, kind, layout):
    store, full = packed(layout, dtype, kind, 9)
    for shape in (9, (9, 2), (2, 9, 3)):
        x = cases.moderate(dtype, shape, salt=4)
        product = store @ x
        assert product.dtype == (full @ x).dtype
        if dtype.kind in "iu":
            np.testing.assert_array_equal(product, full @ x)
        else:
            check(product, full, x, 9)


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


@pytest.mark.parametrize(
    "memory", ["Fortran", "reversed", "every-second", "every-third-backwards", "record-field"]
)
@pytest.mark.parametrize("shape", [(40,), (40, 3), (40, 8), (2, 40, 5)], ids=str)
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
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [(0, 0), (5, 5), (19, 19), (7, 2), (19, 0), (18, 17)], ids=str)
@pytest.mark.parametrize("name", ["vech", "numpy-tril"])
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
    given = (store.half, store.layout, store.kind)
    for order, exact in (
        ("fro", np.linalg.norm(wide(full)) if n else 0),
        (1, size.sum(axis=0).max(initial=0)),
        (np.inf, size.sum(axis=1).max(initial=0)),
        ("max", size.max(initial=0)),
    ):
        assert abs(products.norm(*given, order) - exact) <= bound * exact


@pytest.mark.parametrize(
    ("layout", "other", "dtype", "kind", "n"),
    cases.pairwise(
        lambda layout, other, dtype, kind, n: fits(layout, dtype, kind, n) and fits(other, dtype, kind, n)
        and {layout.diagonal, other.diagonal} != {"zero", "one"},
        layout=LAYOUTS, other=LAYOUTS, dtype=FLOATS, kind=STORE_KINDS, n=(0, 1, 3, 17, 65),
    ),
)  # fmt: skip
def test_an_inner_product_is_the_sum_of_all_products(layout, other, dtype, kind, n):
    (s, a), (t, b) = packed(layout, dtype, kind, n), packed(other, dtype, kind, n, salt=1)
    got = products.inner(s.half, s.layout, s.kind, t.half, t.layout, t.kind)
    assert abs(got - np.vdot(wide(a), wide(b))) <= cases.tolerance(dtype, n * n + 8) * np.vdot(
        np.abs(wide(a)), np.abs(wide(b))
    )
    assert np.isrealobj(got) == (s.kind.endswith("hermitian") or np.dtype(dtype).kind == "f")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float16", "bfloat16"])
def test_numbers_of_other_dtypes(dtype):
    if dtype not in DTYPES:
        pytest.skip("ml_dtypes is not installed")
    store, full = packed(vech.Layout(), DTYPES[dtype], "symmetric", 9)
    given = (store.half, store.layout, store.kind)
    exact = wide(full)
    loose = 1e-2 if dtype.endswith("16") else 0
    np.testing.assert_allclose(
        float(products.norm(*given, "fro")), np.linalg.norm(exact), rtol=1e-2 if loose else 1e-12
    )
    assert products.norm(*given, "max") == np.abs(exact).max()
    assert products.norm(*given, 1) == np.abs(exact).sum(axis=0).max()
    got = products.inner(*given, *given)
    want = np.vdot(exact, exact) if loose else np.vdot(full, full)
    np.testing.assert_allclose(float(got), float(want), rtol=loose)
    np.testing.assert_allclose(
        wide(store.row_sums()), wide(full.sum(axis=1)), rtol=loose, atol=0.1 if loose else 0
    )


def test_an_inner_product_of_two_kinds():
    s, a = packed(vech.Layout(), np.dtype(complex), "symmetric", 9)
    t, b = packed(vech.Layout("upper", "columns"), np.dtype(complex), "hermitian", 9, salt=1)
    np.testing.assert_allclose(
        products.inner(s.half, s.layout, s.kind, t.half, t.layout, t.kind), np.vdot(a, b)
    )
    r, c = packed(vech.Layout(), np.dtype("f4"), "skew", 9, salt=1)
    np.testing.assert_allclose(
        products.inner(s.half, s.layout, s.kind, r.half, r.layout, r.kind), np.vdot(a, c), atol=1e-6
    )


def test_an_inner_product_needs_equal_sides():
    with pytest.raises(ValueError, match="sides 2 and 3"):
        products.inner(np.ones(3), vech.Layout(), "symmetric", np.ones(6), vech.Layout(), "symmetric")


@pytest.mark.parametrize("order", ["fro", 1, np.inf, "max"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_norms_of_what_is_not_finite(order, value, at):
    half = np.ones(6)
    half[at] = value
    got = products.norm(half, vech.Layout(), "symmetric", order)
    np.testing.assert_equal(got, value)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_frobenius_norm_neither_overflows_nor_vanishes(scale):
    assert products.norm(np.full(3, scale), vech.Layout(), "symmetric") == pytest.approx(2 * scale)


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
    with pytest.raises(ValueError, match=r"\(2, 3, 1\): a quadratic form takes a vector or columns"):
        vech.Packed(np.ones(6)).quadratic(np.ones((2, 3, 1)))


# ---- updates and congruences -------------------------------------------------------------------------------


def can_update(layout, dtype, kind, n):
    kinds = ("symmetric", "hermitian") if np.dtype(dtype).kind == "f" else ("hermitian",)
    return kind in kinds and layout.diagonal == "stored" and fits(layout, dtype, kind, n)


@pytest.mark.parametrize(
    ("layout", "dtype", "kind", "n"),
    cases.pairwise(
        can_update, layout=LAYOUTS, dtype=FLOATS, kind=("symmetric", "hermitian"), n=(0, 1, 3, 17, 65)
    ),
)
@pytest.mark.parametrize("columns", [None, 0, 4])
def test_an_update_adds_the_outer_product_in_place(layout, dtype, kind, n, columns, monkeypatch):
    monkeypatch.setattr(products, "SIDE", 16)
    store, full = packed(layout, dtype, kind, n)
    half = store.half
    x = cases.moderate(dtype, n if columns is None else (n, columns), salt=6)
    assert store.add_outer(x, alpha=-0.5) is None
    assert store.half is half
    x = x if x.ndim == 2 else x[:, None]
    want = full - 0.5 * (x @ x.conj().T)
    np.testing.assert_allclose(
        store.expand(), want, rtol=0, atol=40 * np.finfo(dtype).eps * (1 + np.abs(want).max(initial=0))
    )


def test_updates_of_other_halves():
    for dtype in ("int64", "float16", ">f8"):
        store, full = packed(vech.Layout(), np.dtype(dtype), "symmetric", 9)
        x = cases.moderate(np.dtype(dtype), (9, 2), salt=7)
        store.add_outer(x)
        np.testing.assert_allclose(wide(store.expand()), wide(full + x @ x.T), rtol=1e-2)
    block = cases.laid_out(np.zeros(45), "every-second")
    vech.Packed(block).add_outer(np.arange(9.0))
    np.testing.assert_array_equal(vech.expand(block), np.outer(np.arange(9.0), np.arange(9.0)))


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
    with pytest.raises(TypeError, match="does not fit a store of int64: astype first"):
        vech.Packed(np.zeros(6, int)).add_outer(np.ones(3))
    with pytest.raises(TypeError, match="does not fit a store of int64: astype first"):
        vech.Packed(np.zeros(6, int)).add_outer(np.ones(3, int), 0.5)
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
    with pytest.raises(TypeError, match="b is complex, and this symmetric store is float64"):
        vech.Packed(np.ones(6)).congruence(1j * np.ones(3))
