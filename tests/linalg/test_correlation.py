"""Correlations of covariances and back, and partial ones, against their formulas and other libraries."""

import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import cases
import reference
import vech
from cases import LAYOUTS, STORES
from vech import linalg

every_store = pytest.mark.parametrize("make", STORES.values(), ids=STORES)


def covariance(n, dtype=np.float64):
    """Definite, with variances of many sizes."""
    rng = cases.generator("covariance", n, np.dtype(dtype).str)
    x = rng.normal(size=(n, n + 5)) * np.logspace(-2, 2, n)[:, None]
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=x.shape) * np.logspace(-2, 2, n)[:, None]
    full = (x @ x.conj().T / n).astype(dtype)  # whose triangles a BLAS may round on their own
    below = np.tril(full, -1)
    return below + below.conj().T + np.diag(full.diagonal().real).astype(dtype)


def kind_of(dtype):
    return "hermitian" if np.dtype(dtype).kind == "c" else "symmetric"


@cases.each("make", STORES, where=lambda make, dtype, n: make.holds(np.dtype(dtype), kind_of(dtype), n))
@cases.each("dtype", ["float32", "float64", "complex64", "complex128"])
@cases.each("n", [0, 1, 2, 5, 40])
def test_correlations_are_covariances_over_both_deviations(make, dtype, n):
    kind = kind_of(dtype)
    full = covariance(n, dtype)
    store = make(full, kind, labels=range(n))
    R, sd = linalg.to_correlation(store)
    want = np.sqrt(full.diagonal().real)
    assert R.dtype == dtype and sd.dtype == want.dtype and R.labels == tuple(range(n)) and R.kind == kind
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(sd, want, rtol=2 * eps)
    np.testing.assert_allclose(R.expand(), full / want[:, None] / want, rtol=8 * eps, atol=8 * eps)
    assert (R.diagonal() == 1).all() and np.abs(R.expand()).max(initial=0) <= 1
    back = linalg.to_covariance(R, sd)
    assert back.dtype == dtype and back.labels == R.labels
    np.testing.assert_allclose(back.expand(), full, rtol=20 * eps)


@cases.each("layout", [x for x in LAYOUTS.values() if x.diagonal == "stored"], ids=str)
def test_every_layout_has_correlations(layout):
    full = covariance(3 if isinstance(layout, vech.TensorOrder) else 6)
    sd = np.sqrt(full.diagonal())
    R, found = linalg.to_correlation(vech.Packed(reference.pack(full, layout), layout))
    np.testing.assert_allclose(R.expand(), full / sd[:, None] / sd, rtol=1e-14)
    np.testing.assert_allclose(linalg.to_covariance(R, found).expand(), full, rtol=1e-14)


def test_correlations_without_their_diagonal_are_that_already():
    half = np.array([0.5, 0.2, 0.1])
    ones = vech.Layout("lower", "columns", diagonal="one")
    R, sd = linalg.to_correlation(vech.Packed(half, ones))
    assert R.half.tolist() == [1, 0.5, 0.2, 1, 0.1, 1] and sd.tolist() == [1, 1, 1]
    assert linalg.to_covariance(vech.Packed(half, ones), [2, 1, 1]).half.tolist() == [4, 1, 0.4, 1, 0.1, 1]


NUMBERS = st.lists(st.floats(-100, 100), min_size=12, max_size=12)


@given(NUMBERS, st.sampled_from(sorted(STORES)), st.integers(-100, 100))
def test_a_covariance_comes_back(numbers, name, exponent):
    x = np.array(numbers).reshape(4, 3) + np.eye(4, 3)
    full = (x @ x.T + np.eye(4)) * 2.0**exponent
    R, sd = linalg.to_correlation(STORES[name](full, "symmetric"))
    step = np.nextafter(0.0, 1.0)  # of subnormal numbers, which have fewer digits
    np.testing.assert_allclose(linalg.to_covariance(R, sd).expand(), full, rtol=1e-14, atol=2 * step)


def test_integers_have_correlations_in_double():
    S = vech.Packed(np.array([4, 3, 9]))
    R, sd = linalg.to_correlation(S)
    assert R.half.tolist() == [1, 0.5, 1] and sd.tolist() == [2, 3] and R.dtype == np.float64
    sparse = linalg.to_correlation(vech.SparseHalf([0, 1, 3], [0, 0, 1], [4, 3, 9], 2, triangle="lower")).R
    assert sparse.data.tolist() == [1, 0.5, 1]


def test_narrow_floats_are_rounded_once():
    full = covariance(6).astype(np.float16)
    R, sd = linalg.to_correlation(vech.Packed(vech.pack(full)))
    wide = full.astype(np.float64)
    want = np.sqrt(wide.diagonal())
    assert R.dtype == sd.dtype == np.float16
    np.testing.assert_allclose(R.expand(), wide / want[:, None] / want, rtol=2**-10.9, atol=1e-7)


def test_rounding_brings_nothing_beyond_one_and_a_wrong_covariance_is_kept():
    rng = cases.generator("beyond one")
    for _ in range(50):
        x = rng.normal(size=6) * 10.0 ** rng.integers(-8, 8, 6)
        R = linalg.to_correlation(vech.Packed(vech.pack(np.outer(x, x)))).R
        assert np.abs(R.half).max() == 1
        np.testing.assert_allclose(R.expand(), np.sign(np.outer(x, x)), rtol=1e-15)
    assert linalg.to_correlation(vech.Packed(np.array([1.0, 3.0, 1.0]))).R[0, 1] == 3


def test_what_is_not_known_stays_unknown():
    R, sd = linalg.to_correlation(vech.Packed(np.array([4.0, np.nan, 1.0, np.nan, 2.0, 1.0])))
    np.testing.assert_array_equal(R.expand(), [[1, np.nan, 0.5], [np.nan] * 3, [0.5, np.nan, 1]])
    np.testing.assert_array_equal(sd, [2, np.nan, 1])
    np.testing.assert_array_equal(
        linalg.to_covariance(R, sd).expand(), [[4, np.nan, 1], [np.nan] * 3, [1, np.nan, 1]]
    )


def test_what_is_given_is_left_as_it_is():
    for S in (
        vech.Packed(np.array([4.0, 3, 9])),
        vech.SparseHalf([0, 1, 3], [0, 0, 1], [4.0, 3, 9], 2, triangle="lower"),
    ):
        before = S.expand()
        R, sd = linalg.to_correlation(S)
        linalg.to_covariance(R, sd)
        np.testing.assert_array_equal(S.expand(), before)


def test_statsmodels_has_the_same_correlations():
    tools = pytest.importorskip("statsmodels.stats.moment_helpers")
    full = covariance(7)
    theirs, sd = tools.cov2corr(full, return_std=True)
    R, ours = linalg.to_correlation(vech.Packed(vech.pack(full)))
    np.testing.assert_allclose(R.expand(), theirs, rtol=1e-14)
    np.testing.assert_allclose(ours, sd, rtol=1e-15)
    np.testing.assert_allclose(linalg.to_covariance(R, sd).expand(), tools.corr2cov(theirs, sd), rtol=1e-14)


# ---- partial correlations ----------------------------------------------------------------------------------


def residuals(full, i, j):
    """The correlation of what is left of i and j when the others are regressed out."""
    rest = [k for k in range(len(full)) if k not in (i, j)]
    pair = np.ix_([i, j], [i, j])
    left = full[pair] - full[[i, j]][:, rest] @ np.linalg.solve(
        full[np.ix_(rest, rest)], full[rest][:, [i, j]]
    )
    return left[0, 1] / np.sqrt(left[0, 0] * left[1, 1]).real


@cases.each("layout", ["vech", "numpy-tril", "svec-lower"])
@cases.each("dtype", ["float64", "complex128"])
def test_partial_correlations_are_those_of_residuals(dtype, layout):
    full = covariance(6, dtype)
    kind = kind_of(dtype)
    S = vech.Packed(vech.pack(full, layout, kind=kind), layout, kind=kind, labels="abcdef")
    found = linalg.partial_correlation(S)
    assert found.labels == S.labels and found.kind == kind
    want = [[1 if i == j else residuals(full, i, j) for j in range(6)] for i in range(6)]
    np.testing.assert_allclose(found.expand(), want, atol=1e-12)
    assert (found.diagonal() == 1).all()


def test_partial_correlations_do_not_hang_on_units():
    full = covariance(6)
    d = np.logspace(-6, 6, 6)
    one, other = (
        linalg.partial_correlation(vech.Packed(vech.pack(x))) for x in (full, d[:, None] * full * d)
    )
    np.testing.assert_allclose(one.half, other.half, rtol=1e-10)


def test_few_variables_have_simple_partial_correlations():
    assert linalg.partial_correlation(vech.Packed(np.zeros(0))).n == 0
    assert linalg.partial_correlation(vech.Packed(np.array([4.0]))).half.tolist() == [1]
    np.testing.assert_allclose(linalg.partial_correlation(vech.Packed(np.array([4, 3, 9]))).half, [1, 0.5, 1])


SINGULAR = (
    "S is singular or indefinite to working precision, so it has no partial correlations: shrink it "
    "(vech.covariance.ledoit_wolf), or raise its eigenvalues (vech.linalg.nearest_psd(S, floor=...))"
)


def test_a_covariance_of_few_rows_has_no_partial_correlations():
    """Its factor may exist by rounding, and would give numbers without meaning."""
    rng = cases.generator("few rows")
    for n in (5, 20, 60):
        x = rng.normal(size=(n, n // 2))
        full = x @ x.T
        with pytest.raises(np.linalg.LinAlgError, match=re.escape(SINGULAR)):
            linalg.partial_correlation(vech.Packed(vech.pack((full + full.T) / 2)))
    nearly = vech.Packed(np.array([1, np.nextafter(1, 0), 1]))
    assert linalg.cholesky(nearly).n == 2
    with pytest.raises(np.linalg.LinAlgError, match=re.escape(SINGULAR)):
        linalg.partial_correlation(nearly)


# ---- what is refused ---------------------------------------------------------------------------------------

S = vech.Packed(np.array([1.0, 0.5, 1.0]))


@cases.each(
    ("call", "error", "message"),
    [
        (lambda: linalg.to_correlation(vech.Packed(np.array([1.0, 2, 0]))), ValueError,
         "S[1, 1] is 0.0: correlations need variances that are positive and finite"),
        (lambda: linalg.to_correlation(vech.Packed(np.array([1.0, 2, -3]))), ValueError, "S[1, 1] is -3.0"),
        (lambda: linalg.to_correlation(vech.Packed(np.array([1.0, 2, np.inf]))), ValueError,
         "S[1, 1] is inf"),
        (lambda: linalg.to_correlation(vech.Packed(np.array([0.5]), "condensed")), ValueError,
         "S[0, 0] is 0.0"),
        (lambda: linalg.to_correlation(np.ones(3)), TypeError,
         "to_correlation takes a Packed store, not ndarray"),
        (lambda: linalg.to_correlation(vech.Packed(np.zeros(3), kind="skew")), TypeError,
         ("to_correlation needs a real symmetric or a Hermitian matrix, and S is skew: "
          "S.scale(d) scales matrices")),
        (lambda: linalg.to_correlation(vech.Packed(np.zeros(3, "m8[s]"))), TypeError,
         "to_correlation is of numbers"),
        (lambda: linalg.to_covariance(S, [1.0]), ValueError,
         "sd has shape (1,), but R has 2 rows: it holds one number for each, (2,)"),
        (lambda: linalg.to_covariance(S, [1.0, -2.0]), ValueError,
         "sd[1] is -2.0, and no standard deviation is negative: S.scale(d) takes any numbers"),
        (lambda: linalg.to_covariance(S, [1.0, np.inf]), ValueError,
         "sd[1] is inf, and no covariance is infinite"),
        (lambda: linalg.to_covariance(S, [1.0, 1e200]), OverflowError,
         "sd[1] is 1e+200, and its square is beyond float64: take another unit"),
        (lambda: linalg.to_covariance(vech.SparseHalf.from_sparse(scipy.sparse.eye_array(2)), [1e200, 1.0]),
         OverflowError, "sd[0] is 1e+200, and its square is beyond float64: take another unit"),
        (lambda: linalg.to_covariance(S, [1.0, 1j]), TypeError, "sd must hold real numbers, not complex128"),
        (lambda: linalg.to_covariance(2 * S, [1.0, 1.0]), ValueError,
         "R[0, 0] is 2.0, and a correlation with itself is 1: S.scale(d) scales any matrix"),
        (lambda: linalg.partial_correlation(vech.SparseHalf.from_sparse(scipy.sparse.eye_array(3))),
         TypeError, "partial_correlation(S.to_packed()), with all its zeros"),
        (lambda: linalg.partial_correlation(vech.Packed(np.array([1.0, np.nan, 1.0]))), ValueError, "nan"),
    ],
)  # fmt: skip
def test_what_is_no_covariance_is_refused(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_deviations_in_another_order_are_refused():
    pandas = pytest.importorskip("pandas")
    R = vech.Packed(np.array([1.0, 0.5, 1.0]), labels=["a", "b"])
    sd = pandas.Series([2.0, 3.0], index=["b", "a"])
    for call in (vech.linalg.to_covariance, vech.Packed.scale):
        with pytest.raises(ValueError, match=r"row 0 of [RS] is 'a', and of (sd|d) 'b'"):
            call(R, sd)
    assert vech.linalg.to_covariance(R, sd[["a", "b"]])["a", "b"] == 3


def test_a_frame_is_a_covariance_and_its_labels_stay():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[4.0, 3.0], [3.0, 9.0]], ["a", "b"], ["a", "b"])
    R, sd = linalg.to_correlation(frame)
    assert (R.labels, R["a", "b"], sd.tolist()) == (("a", "b"), 0.5, [2, 3])
    assert linalg.to_covariance(R.to_frame(), sd).to_frame().equals(frame)
    turned = frame[["b", "a"]]
    with pytest.raises(ValueError, match="'a'"):
        linalg.to_correlation(turned)
