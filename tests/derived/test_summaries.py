"""The least, the largest, the mean and the spread of pairs, against NumPy on the full matrix's triangle."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import LAYOUTS, STORES
from vech.derived import pairs
from vech.packed import entries

SIZES = (1, 2, 3, 4, 17)
CHOSEN = ("bool", "uint64", ">i4", "float16", "float32", ">f8", "complex128", "datetime64[ns]")
DTYPES = {name: cases.DTYPES[name] for name in (*CHOSEN, *list(cases.SMALL)[:1])}
NUMBERS = {name: dtype for name, dtype in DTYPES.items() if dtype.kind not in "mM"}
every_store = cases.each("make", STORES.values(), ids=STORES)


def fits(layout, dtype, n, diagonal):
    has_pairs = n > 1 or diagonal
    return has_pairs and cases.fits(layout, dtype, "symmetric", n)


def of_pairs(full, diagonal):
    """The numbers of the upper triangle, row after row."""
    return full[np.triu_indices(len(full), 0 if diagonal else 1)]


def double(values):
    return values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)


def packed(layout, dtype, n, values=None):
    half = cases.half(dtype, layout, "symmetric", n, values=values or cases.moderate)
    full = reference.expand(half, layout, "symmetric")
    return vech.Packed(half, layout, kind="symmetric"), full


@cases.each(
    ("layout", "dtype", "n", "diagonal"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=DTYPES, n=SIZES, diagonal=(False, True)),
)
def test_the_least_and_the_largest_are_numpys(layout, dtype, n, diagonal):
    store, full = packed(layout, dtype, n)
    pairs = of_pairs(full, diagonal)
    if dtype.kind == "c":
        with pytest.raises(TypeError, match=r"complex numbers have no min: take S\.real, S\.imag or abs"):
            store.min(diagonal=diagonal)
        return
    for name in ("min", "max"):
        found = getattr(store, name)(diagonal=diagonal)
        assert found == getattr(np, name)(pairs)
        assert (
            found.dtype
            == np.zeros(1, dtype).astype(dtype.newbyteorder("=") if dtype.kind != "V" else dtype).dtype
        )
        i, j = getattr(store, f"arg{name}")(diagonal=diagonal)
        at = int(getattr(np, f"arg{name}")(pairs.astype(np.float64) if dtype.kind not in "mM" else pairs))
        assert (i, j) == tuple(axis[at] for axis in np.triu_indices(n, 0 if diagonal else 1))
        assert type(i) is type(j) is int


@cases.each(
    ("layout", "dtype", "n", "diagonal"),
    cases.pairwise(fits, layout=LAYOUTS, dtype=NUMBERS, n=SIZES, diagonal=(False, True)),
)
def test_the_mean_and_the_spread_are_numpys(layout, dtype, n, diagonal):
    store, full = packed(layout, dtype, n)
    pairs = double(of_pairs(full, diagonal))
    inexact = cases.is_inexact(dtype)
    real = np.zeros(1, dtype).real.dtype if dtype.kind == "c" else dtype
    for name, want, own in (("mean", pairs.mean(), dtype), ("std", pairs.std(), real)):
        found = getattr(store, name)(diagonal=diagonal)
        assert np.asarray(found).dtype == (
            np.zeros(1, own).dtype.newbyteorder("=") if inexact else np.float64
        )
        bound = cases.tolerance(own if inexact else np.float64, 4) * max(np.abs(pairs).max(), 1e-300)
        assert abs(complex(found) - complex(want)) <= bound


@every_store
@cases.each("diagonal", [False, True])
@cases.each("n", [2, 3, 6, 40])
def test_zeros_that_are_not_stored_count(make, n, diagonal):
    full = cases.matrix(np.float64, "symmetric", n)
    full[np.abs(full) < 1] = 0
    for sign in (1, -1):
        matrix = sign * np.abs(full)
        store = make(matrix, "symmetric")
        pairs = of_pairs(matrix, diagonal)
        for name in ("min", "max", "mean", "std"):
            assert getattr(store, name)(diagonal=diagonal) == pytest.approx(
                getattr(np, name)(pairs), rel=1e-14
            )
        places = list(zip(*np.triu_indices(n, 0 if diagonal else 1), strict=True))
        assert store.argmin(diagonal=diagonal) == places[pairs.argmin()]
        assert store.argmax(diagonal=diagonal) == places[pairs.argmax()]


@cases.each("diagonal", [False, True])
@cases.each("held", range(8))
def test_the_first_gap_of_a_sparse_store_is_found(held, diagonal):
    """Each pattern of three pairs, and all of the diagonal or nothing."""
    full = np.zeros((3, 3))
    pairs = [(0, 1), (0, 2), (1, 2)]
    for bit, (i, j) in enumerate(pairs):
        full[i, j] = full[j, i] = -(held >> bit & 1)
    for ends in (0.0, -1.0):
        np.fill_diagonal(full, ends)
        store = vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full))
        own = of_pairs(full, diagonal)
        places = list(zip(*np.triu_indices(3, 0 if diagonal else 1), strict=True))
        assert store.argmax(diagonal=diagonal) == places[own.argmax()]
        assert store.argmin(diagonal=diagonal) == places[own.argmin()]


@pytest.mark.parametrize("layout", ["vech", "numpy-tril", "condensed", "svec-upper", "lapack-rfp-nl"])
def test_a_large_half_is_gone_through_in_parts(layout, monkeypatch):
    """Its diagonal is far from all pairs."""
    monkeypatch.setattr(entries, "BLOCK", 1000)
    monkeypatch.setattr(pairs, "PANEL_BYTES", 20_000)
    full = cases.matrix(np.float64, "symmetric", 90)
    np.fill_diagonal(full, 0 if layout == "condensed" else 1e9 * (-1.0) ** np.arange(90))
    store = vech.Packed(vech.pack(full, layout), layout)
    above = of_pairs(full, False)
    for name in ("min", "max", "mean", "std"):
        assert getattr(store, name)() == pytest.approx(getattr(np, name)(above), rel=1e-13)
    assert full[store.argmin()] == above.min() and full[store.argmax()] == above.max()
    assert store.max(diagonal=True) == of_pairs(full, True).max()
    np.testing.assert_allclose(store.to_pairs().value, above, rtol=1e-15)
    np.testing.assert_array_equal(list(store), store.expand())


@every_store
def test_nan_is_not_overlooked(make):
    full = cases.matrix(np.float64, "symmetric", 7)
    full[5, 2] = full[2, 5] = full[6, 3] = full[3, 6] = np.nan
    store = make(full, "symmetric")
    for name in ("min", "max", "mean", "std"):
        assert np.isnan(getattr(store, name)())
    assert store.argmin() == store.argmax() == (2, 5)


def test_not_a_time_is_not_overlooked():
    store = vech.Packed(np.array([1, 2, "NaT", 4, 5, 6], "M8[D]"))
    assert np.isnat(store.max()) and store.argmax() == (0, 2)


def test_nan_on_the_diagonal_does_not_count_off_it():
    store = vech.Packed(np.array([np.nan, 2, 4, np.inf, 6, np.nan]))
    assert (store.min(), store.max(), store.mean()) == (2, 6, 4)
    assert np.isnan(store.max(diagonal=True))


@given(st.lists(st.floats(width=32), min_size=6, max_size=6), st.sampled_from(list(LAYOUTS)), st.booleans())
def test_every_float_is_compared_as_numpy_does(numbers, name, diagonal):
    layout = LAYOUTS[name]
    if cases.is_scaled(layout):
        return
    half = np.array(numbers[: reference.length(layout, 3)])
    store = vech.Packed(half, layout)
    pairs = of_pairs(reference.expand(half, layout), diagonal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for reduced in ("min", "max", "mean", "std"):
            found, want = getattr(store, reduced)(diagonal=diagonal), getattr(np, reduced)(pairs)
            np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6 * np.nanmax(np.abs(pairs)))


def test_sums_of_float32_are_made_in_double():
    half = np.full(500 * 501 // 2, 0.1, np.float32)
    half[0] = 1e8
    store = vech.Packed(half)
    assert store.mean() == np.float32(0.1) and store.std() == 0


@every_store
@cases.each("n", [0, 1])
def test_no_pairs_have_no_least_and_a_mean_of_nan(make, n):
    store = make(cases.matrix(np.float64, "symmetric", n), "symmetric")
    for name in ("min", "max", "argmin", "argmax"):
        with pytest.raises(ValueError, match=f"a matrix of side {n} has no pairs, so they have no {name}"):
            getattr(store, name)()
    for name in ("mean", "std"):
        with pytest.warns(
            RuntimeWarning, match=f"a matrix of side {n} has no pairs: their {name} is NaN"
        ) as said:
            assert np.isnan(getattr(store, name)())
        assert said[0].filename == __file__
    if n:
        assert store.max(diagonal=True) == store.mean(diagonal=True) == store.expand()[0, 0]
        assert store.argmin(diagonal=True) == (0, 0) and store.std(diagonal=True) == 0


@cases.each("make", STORES, where=lambda make, kind, name: make.holds(np.dtype(complex), kind, 4))
@cases.each("kind", ["hermitian", "skew", "skew-hermitian"])
@cases.each("name", ["min", "mean", "std", "argmax"])
def test_pairs_of_two_numbers_are_refused(make, kind, name):
    store = make(cases.matrix(np.complex128, kind, 4), kind)
    message = (
        f"{name} is of symmetric matrices, and S is {kind}: its pairs hold two numbers each; take abs(S)"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        getattr(store, name)()
    assert abs(store).max() == np.abs(of_pairs(store.expand(), False)).max()


@pytest.mark.parametrize("name", ["min", "max", "mean", "std"])
def test_numpys_functions_are_not_answered_otherwise(name):
    store = vech.Packed(np.arange(6.0))
    message = (
        f"S.{name}() takes no axis=: it is of each pair once, without the diagonal; S.{name}(diagonal=True) "
        f"is of both, np.{name}(S.expand()) of all n x n numbers"
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        getattr(np, name)(store)
    assert np.argmax(store) == np.argmax(store.expand())  # which NumPy expands, where a method is not its own


def test_dates_have_no_mean():
    store = vech.Packed(np.arange(6).astype("m8[s]"))
    with pytest.raises(TypeError, match=r"timedelta64\[s\] numbers have no std: astype\(np.int64\) first"):
        store.std()


def test_a_store_has_a_length_and_rows():
    store = vech.Packed(np.arange(6.0))
    assert len(store) == 3
    np.testing.assert_array_equal(list(store), store.expand())
    assert len(vech.Packed(np.zeros(0))) == 0 and list(vech.Packed(np.zeros(0))) == []


@pytest.mark.parametrize("dtype", ["f8", "c16"])
@every_store
def test_the_spread_far_from_zero_is_that_near_it(make, dtype):
    """Where the last digit of the mean is as much as the numbers differ by."""
    full = np.rint(1e4 * cases.matrix(np.dtype(dtype), "symmetric", 60)) / 2**13 + 2.0**40
    try:
        store = make(full, "symmetric")
    except TypeError:
        pytest.skip("it holds real numbers")
    if not np.array_equal(store.expand(), full):
        pytest.skip("it rounds")
    want = np.std(of_pairs(full - 2.0**40, False))
    assert store.std() == pytest.approx(want, rel=1e-13)
