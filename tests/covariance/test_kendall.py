"""Kendall's tau is SciPy's and pandas', with ties, constants and missing numbers, in any order of chunks."""

import itertools

import numpy as np
import pytest
import scipy.stats

import cases
import vech
from vech.counts import codes
from vech.covariance import kendall

every_target = pytest.mark.every_target


def columns(samples, p, dtype="float64", levels=None):
    """Related columns; with `levels`, so many different numbers."""
    rng = cases.generator("kendall", samples, p, levels)
    X = rng.normal(size=(samples, 2)) @ rng.normal(size=(2, p)) + rng.normal(size=(samples, p))
    if levels:
        X = np.clip(np.round(X * levels / 4), -levels // 2, levels // 2)
    return X.astype(dtype)


def with_nan(X, share=0.15):
    X = X.copy()
    X[cases.generator("missing", X.shape).random(X.shape) < share] = np.nan
    return X


def by_pairs(X, variant):
    """All pairs of rows, two columns at a time, over the rows that both have."""
    p = X.shape[1]
    full = np.zeros((p, p))
    for i, j in itertools.product(range(p), repeat=2):
        there = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
        a, b = (np.sign(X[there, k][:, None] - X[there, k]) for k in (i, j))
        under = np.sqrt((a * a).sum() * (b * b).sum()) if variant == "b" else a.size - len(a)
        full[i, j] = (a * b).sum() / under if under else float(i == j)
    return full


@every_target
@cases.each("variant", ["a", "b"])
@cases.each("levels", [None, 4])
@cases.each("samples, p", [(2, 1), (3, 5), (8, 9), (63, 4), (64, 7), (65, 17), (150, 70)])
def test_it_is_over_all_pairs_of_rows(variant, levels, samples, p):
    X = columns(samples, p, levels=levels)
    S = kendall(X, variant)
    few = list(range(min(p, 12)))
    assert np.allclose(S.block(few, few), by_pairs(X[:, few], variant), rtol=1e-14, atol=1e-15)
    assert S.layout.name == "vech" and S.dtype == np.float64


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("samples", [5, 40, 701])
def test_tau_b_equals_scipy(levels, samples):
    X = columns(samples, 6, levels=levels)
    tau = kendall(X).expand()
    for i, j in itertools.combinations(range(6), 2):
        assert np.isclose(
            tau[i, j], scipy.stats.kendalltau(X[:, i], X[:, j]).statistic, rtol=1e-12, atol=1e-14
        )


def test_tau_a_equals_scipy_without_ties():
    X = columns(300, 5)
    tau = kendall(X, "a").expand()
    for i, j in itertools.combinations(range(5), 2):
        assert np.isclose(tau[i, j], scipy.stats.kendalltau(X[:, i], X[:, j]).statistic, rtol=1e-12)
    assert np.array_equal(tau.diagonal(), np.ones(5))


@pytest.mark.parametrize("missing", [False, True])
def test_it_equals_pandas(missing):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = columns(120, 7, levels=9)
    X = with_nan(X) if missing else X
    frame = pandas.DataFrame(X, columns=list("ABCDEFG"))
    S = kendall(frame, missing="pairwise" if missing else "raise")
    assert S.labels == tuple("ABCDEFG")
    assert np.allclose(S.expand(), frame.corr("kendall"), rtol=1e-12, atol=1e-14)


@every_target
@pytest.mark.parametrize("variant", ["a", "b"])
def test_missing_numbers_pair_by_pair(variant):
    X = with_nan(columns(70, 9, levels=5))
    X[1:, 4] = np.nan
    assert np.allclose(
        kendall(X, variant, missing="pairwise").expand(), by_pairs(X, variant), rtol=1e-14, atol=1e-15
    )


@pytest.mark.parametrize("variant", ["a", "b"])
def test_a_neutral_missing_number_ties_with_all(variant):
    X = with_nan(columns(50, 6))
    S = np.nan_to_num(np.sign(X[:, None] - X)).reshape(-1, 6)
    products = S.T @ S
    under = 50 * 49 if variant == "a" else np.sqrt(np.outer(products.diagonal(), products.diagonal()))
    tau = kendall(X, variant, missing="neutral").expand()
    assert np.allclose(tau, products / under, rtol=1e-14, atol=1e-15)
    assert np.linalg.eigvalsh(tau)[0] > -1e-12


@pytest.mark.parametrize("variant, own", [("a", 0.0), ("b", 1.0)])
def test_a_constant_column_has_no_order(variant, own):
    X = columns(30, 4)
    X[:, 2] = 7
    row = kendall(X, variant)[2]
    assert np.array_equal(row, [0, 0, own, 0])


def test_tau_a_of_a_tied_column_with_itself_is_below_one():
    X = np.array([[1.0], [1.0], [2.0]])
    assert kendall(X, "a").half[0] == 2 / 3 and kendall(X, "b").half[0] == 1


def test_order_is_that_of_the_dtype_given():
    """Integers that float64 takes for one, and floats that float32 would."""
    large = 2**60 + np.array([[0, 3], [1, 2], [2, 1], [3, 0]])
    assert kendall(large)[0, 1] == -1
    assert kendall(large.astype(np.uint64) + np.uint64(2**63))[0, 1] == -1
    near = 1 + np.array([[0, 3], [1, 2], [2, 1]]) * 1e-15
    assert kendall(near)[0, 1] == -1
    infinite = np.array([[-1e308, 1e308], [0, 0], [1e308, -1e308]])
    assert kendall(infinite)[0, 1] == -1


@every_target
@pytest.mark.parametrize("missing", ["neutral", "pairwise"])
@pytest.mark.parametrize("layout", ["vech", "numpy-tril"])
def test_many_pairs_in_bounded_memory_give_the_same_bits(missing, layout, monkeypatch):
    X = with_nan(columns(90, 150, levels=6), 0.05)
    whole = kendall(X, missing=missing, layout=layout)
    monkeypatch.setattr(codes, "CODE_BYTES", 2**16)
    monkeypatch.setattr(codes, "STORED_BYTES", 2**18)
    seen = []
    parts = kendall(X, missing=missing, layout=layout, progress=lambda *step: seen.append(step))
    assert np.array_equal(whole.half, parts.half)
    assert len(seen) > 5 and seen[-1][0] == seen[-1][1]


@every_target
def test_swapping_columns_permutes_the_result_exactly():
    X = columns(60, 75, levels=20)
    order = cases.generator("order").permutation(75)
    assert np.array_equal(kendall(X[:, order]).expand(), kendall(X).expand()[np.ix_(order, order)])


def test_float32_is_ordered_and_answered_in_float32():
    X = columns(80, 11, "float32")
    S = kendall(X)
    assert S.dtype == np.float32 and np.array_equal(S.half, kendall(X.astype("f8")).half.astype("f4"))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_a_bit(threads):
    X = columns(200, 100)
    assert np.array_equal(kendall(X, threads=threads).half, kendall(X).half)


def test_layouts_and_out():
    X = columns(50, 20)
    out = np.empty(210)
    S = kendall(X, layout="lapack-upper", out=out)
    assert np.shares_memory(S.half, out) and np.array_equal(S.expand(), kendall(X).expand())
    ones = vech.Layout("upper", "rows", diagonal="one")
    assert np.array_equal(kendall(X, layout=ones).expand(), S.expand())
    with pytest.raises(ValueError, match="stores no diagonal"):
        kendall(X, "a", layout=ones)


@pytest.mark.parametrize(
    "X, options, error, words",
    [
        (np.array([[1, 2], [np.nan, 3]]), {}, ValueError, "X has 1 NaN, the first in row 1, column 0"),
        (
            np.array([[1, 2], [np.inf, 3]]),
            {"missing": "pairwise"},
            ValueError,
            "infinite number.*row 1, column 0",
        ),
        (np.ones((1, 3)), {}, ValueError, "Kendall's tau compares rows: it needs two at least"),
        (np.ones((3, 3)), {"variant": "c"}, ValueError, "unknown variant 'c': choose from b, a"),
        (iter([np.ones((3, 3))]), {}, TypeError, "Kendall's tau needs whole columns"),
        (np.ones((3, 3), "M8[s]"), {}, TypeError, "which holds dates"),
    ],
)
def test_what_is_refused(X, options, error, words):
    with pytest.raises(error, match=words):
        kendall(X, **options)
