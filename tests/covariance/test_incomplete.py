"""Pairs of columns over the rows that both have: what pandas gives, and what is undefined."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import cases
import vech
from interrupts import interrupted_after
from vech import covariance
from vech.covariance import incomplete

pandas = pytest.importorskip("pandas")
RNG = np.random.default_rng(13)
NAN = np.nan


def hostile(rows=60):
    """Columns with holes, ties, a jump in one row; nothing at all, one number, a constant, few numbers."""
    X = RNG.normal(size=(rows, 10))
    X[:, 1] = np.round(X[:, 1])
    X[RNG.random(X.shape) < 0.4] = NAN
    X[:, 3] = NAN
    X[:, 4] = NAN
    X[7, 4] = 1.5
    X[:, 5] = 2.0
    X[9:, 6] = NAN
    X[:2, 7] = 1e6, NAN
    X[:, 8] = np.where(np.isnan(X[:, 0]), X[:, 8], 0.1)  # constant in the rows of column 0
    return X


HOSTILE = hostile()
CALLS = {
    "sample": (covariance.sample, lambda frame, least: frame.cov(min_periods=least)),
    "correlation": (covariance.correlation, lambda frame, least: frame.corr(min_periods=least)),
    "spearman": (covariance.spearman, lambda frame, least: frame.corr("spearman", min_periods=least)),
    "kendall": (covariance.kendall, lambda frame, least: frame.corr("kendall", min_periods=least)),
}
COUNTED = ("gerber", "quadrant", "one_bit", "jaccard", "hamming", "matching")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of pandas
@cases.each("least", (1, 2, 5, 24, 61))
@cases.each("layout", ("vech", "numpy-tril"))
@cases.each("name", list(CALLS))
def test_with_min_periods_it_is_that_of_pandas(name, layout, least, monkeypatch):
    monkeypatch.setattr(incomplete, "SIDE", 4)
    monkeypatch.setattr(incomplete, "RANK_SIDE", 4)
    frame = pandas.DataFrame(HOSTILE, columns=list("abcdefghij"))
    call, peer = CALLS[name]
    found = call(frame, missing="pairwise", min_periods=least, layout=layout)
    want = peer(frame, least)
    scale = np.nanmax(np.abs(HOSTILE)) ** 2 if name == "sample" else 1
    np.testing.assert_allclose(found.expand(), want, rtol=1e-9, atol=1e-15 * scale)
    assert found.labels == tuple("abcdefghij")
    pandas.testing.assert_frame_equal(found.to_frame(), want, rtol=1e-9, atol=1e-15 * scale)


def by_pairs(X, least, statistic):
    """A statistic over the rows that two columns have, where these are enough."""
    p = X.shape[1]
    found = np.full((p, p), NAN)
    for i in range(p):
        for j in range(p):
            both = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
            if both.sum() >= least:
                found[i, j] = statistic(X[both, i], X[both, j])
    return found


def test_spearman_ranks_each_pair_over_its_rows():
    X = np.round(RNG.normal(size=(50, 6)), 1)
    X[RNG.random(X.shape) < 0.3] = NAN
    want = by_pairs(X, 2, lambda a, b: stats.spearmanr(a, b).statistic)
    np.testing.assert_allclose(covariance.spearman(X, missing="pairwise").expand(), want, rtol=1e-13)
    narrow = covariance.spearman(X.astype("f4"), missing="pairwise")
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow.expand(), want, rtol=1e-6)


def test_spearman_of_complete_columns_does_not_depend_on_missing():
    X = RNG.normal(size=(40, 5))
    assert np.array_equal(covariance.spearman(X, missing="pairwise").half, covariance.spearman(X).half)
    ranked = covariance.spearman(X, missing="pairwise", min_periods=3)
    np.testing.assert_allclose(ranked.half, covariance.spearman(X).half, rtol=1e-14)
    whole = RNG.integers(0, 9, (40, 5))
    ranked = covariance.spearman(whole, missing="pairwise", min_periods=3)
    np.testing.assert_allclose(ranked.half, covariance.spearman(whole).half, rtol=1e-14)


def test_spearman_goes_by_tiles_of_few_ranks(monkeypatch):
    X = RNG.normal(size=(40, 7))
    X[RNG.random(X.shape) < 0.2] = NAN
    want = covariance.spearman(X, missing="pairwise").half
    monkeypatch.setattr(incomplete, "RANK_NUMBERS", 80)
    monkeypatch.setattr(incomplete, "RANK_SIDE", 3)
    for layout in ("vech", "numpy-tril"):
        calls = []
        got = covariance.spearman(
            X, missing="pairwise", layout=layout, progress=lambda *done, calls=calls: calls.append(done)
        )
        np.testing.assert_allclose(got.expand(), vech.expand(want), rtol=1e-15)
        assert calls == sorted(calls) and calls[-1] == (6, 6) and len(calls) == 6


holed = st.lists(
    st.lists(st.sampled_from([NAN, 0.0, 1.0, 2.0, 5.0]), min_size=4, max_size=4), min_size=2, max_size=9
).map(np.array)


@settings(max_examples=60, deadline=None)
@given(holed, st.integers(1, 6), st.sampled_from(["sample", "correlation", "spearman", "kendall", *COUNTED]))
def test_more_min_periods_leave_the_rest_as_it_is(X, least, name):
    if name in ("jaccard", "hamming", "matching"):
        X = np.minimum(X, 1)
    call = getattr(covariance, name)
    few = call(X, missing="pairwise", min_periods=1).expand()
    more = call(X, missing="pairwise", min_periods=least).expand()
    valid = ~np.isnan(X)
    common = valid.T.astype(int) @ valid
    np.testing.assert_array_equal(more, np.where(common < least, NAN, few))
    assert np.isnan(more[common < least]).all()


@settings(max_examples=60, deadline=None)
@given(holed)
def test_ranks_of_pairs_do_not_change_when_what_is_ranked_grows_faster(X):
    plain = covariance.spearman(X, missing="pairwise", min_periods=1).half
    np.testing.assert_array_equal(
        covariance.spearman(np.exp(X) - 3, missing="pairwise", min_periods=1).half, plain
    )


@settings(max_examples=60, deadline=None)
@given(holed, st.permutations(range(4)))
def test_swapping_columns_swaps_rows_and_columns(X, order):
    for call in (covariance.sample, covariance.correlation, covariance.spearman, covariance.kendall):
        whole = call(X, missing="pairwise", min_periods=1).expand()
        swapped = call(X[:, order], missing="pairwise", min_periods=1).expand()
        np.testing.assert_allclose(swapped, whole[np.ix_(order, order)], rtol=1e-12, atol=1e-12)


# ---- counts ------------------------------------------------------------------------------------------------


def gerber_of(form, X):
    """The statistic of two columns from their moves beyond half a standard deviation of all there is."""
    known = np.where(np.isnan(X).all(axis=0), 0, X)  # of no numbers, any deviation will do
    bound = np.nanstd(known, axis=0) / 2

    def statistic(i, j):
        both = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
        a, b = (np.sign(X[both, k]) * (np.abs(X[both, k]) >= bound[k]) * (bound[k] > 0) for k in (i, j))
        under = {
            "gs0": (a * b != 0).sum(),
            "gs1": ((a != 0) | (b != 0)).sum(),
            "gs2": np.sqrt((a @ a) * (b @ b)),
        }[form]
        return (a @ b / under if under else NAN), both.sum()

    return statistic


@pytest.mark.parametrize("form", ("gs0", "gs1", "gs2"))
@pytest.mark.parametrize("weighted", (False, True))
def test_counts_of_pairs_that_are_0_by_0_or_of_few_rows_are_nan(form, weighted):
    statistic = gerber_of(form, HOSTILE)
    weights = np.full(60, 0.5) if weighted else None
    options = {"form": form, "missing": "pairwise", "correlation": True, "weights": weights}
    found = covariance.gerber(HOSTILE, min_periods=3, **options).expand()
    loud = covariance.gerber(np.delete(HOSTILE, 3, 1), **options).expand()
    for i in range(10):
        for j in range(10):
            want, rows = statistic(i, j)
            want = 1.0 if i == j else want  # 0 / 0 is 1 on the diagonal
            np.testing.assert_allclose(found[i, j], want if rows >= 3 else NAN, rtol=1e-14)
    kept = np.delete(np.delete(found, 3, 0), 3, 1)
    known = ~np.isnan(kept)
    np.testing.assert_allclose(kept[known], loud[known], rtol=1e-14)


def test_a_gerber_covariance_has_its_variances_where_there_are_rows():
    found = covariance.gerber(HOSTILE, missing="pairwise", min_periods=3)
    want = np.nanvar(np.delete(HOSTILE, [3, 4], 1), axis=0)
    np.testing.assert_allclose(np.delete(found.diagonal(), [3, 4]), want, rtol=1e-13, atol=1e-15)
    assert np.isnan(found.diagonal()[[3, 4]]).all()


@pytest.mark.parametrize("name", ("jaccard", "hamming", "matching"))
def test_blocks_of_rows_have_min_periods_too(name):
    X = np.where(np.isnan(HOSTILE), NAN, HOSTILE > 0)
    call = getattr(covariance, name)
    whole = call(X, missing="pairwise", min_periods=8)
    blocks = call(lambda: iter(np.array_split(X, 7)), missing="pairwise", min_periods=8)
    assert np.array_equal(whole.half, blocks.half, equal_nan=True) and np.isnan(whole.half).any()


def test_one_row_in_common_has_no_pairs_of_rows():
    X = np.array([[1.0, NAN], [2.0, 5.0], [NAN, 7.0]])
    for variant in ("a", "b"):
        found = covariance.kendall(X, variant, missing="pairwise", min_periods=1)
        assert np.array_equal(found.half, [1, NAN, 1], equal_nan=True)
    assert covariance.kendall(X, "a", missing="pairwise")[0, 1] == 0


# ---- what is asked for, and what is refused ----------------------------------------------------------------


def refuses(kind, message, call, *arguments, **options):
    with pytest.raises(kind, match=message):
        call(*arguments, **options)


@pytest.mark.parametrize("name", [*CALLS, *COUNTED])
def test_min_periods_is_a_number_of_rows_in_common(name):
    call, X = getattr(covariance, name), np.eye(3)
    message = (
        "^min_periods counts the rows that two columns have in common, and missing='raise' uses all rows: "
    )
    refuses(ValueError, message, call, X, min_periods=2)
    refuses(ValueError, "and missing='neutral' uses all rows", call, X, missing="neutral", min_periods=2)
    for wrong in (0, -3):
        message = f"^min_periods must be at least 1 row, not {wrong}$"
        refuses(ValueError, message, call, X, missing="pairwise", min_periods=wrong)
    for wrong in (2.0, "2", True, [2]):
        message = re.escape(f"min_periods must be a whole number of rows, not {wrong!r}")
        refuses(TypeError, message, call, X, missing="pairwise", min_periods=wrong)
    assert call(X, missing="pairwise", min_periods=np.int64(2)).n == 3


def test_without_min_periods_an_undefined_pair_is_an_error_that_says_how_to_have_nan():
    apart = np.array([[1.0, NAN], [2.0, NAN], [NAN, 1.0], [NAN, 4.0]])
    way_out = "or say min_periods=1 to have NaN there$"
    message = (
        "^column 0 and column 1 of X have 0 rows in common, too few for ddof=1: drop one of them.* " + way_out
    )
    refuses(ValueError, message, covariance.sample, apart, missing="pairwise")
    message = "^column 0 and column 1 of X have 0 rows in common, too few for a correlation: .*" + way_out
    refuses(ValueError, message, covariance.spearman, apart, missing="pairwise")
    flat = np.array([[1.0, NAN], [2.0, 5.0], [3.0, 5.0], [NAN, 1.0]])
    message = "^column 1 of X is constant in the 2 rows that it has in common with column 0, and.*" + way_out
    for call in (covariance.correlation, covariance.spearman):
        refuses(ValueError, message, call, flat, missing="pairwise")


def test_an_infinity_is_refused_whatever_is_undefined():
    X = HOSTILE.copy()
    X[5, 5] = np.inf
    for name in (*CALLS, "gerber", "quadrant"):
        message = "infinite number.*in row 5, column 5"
        refuses(ValueError, message, getattr(covariance, name), X, missing="pairwise", min_periods=1)


def test_a_diagonal_that_is_not_stored_cannot_be_nan():
    ones = vech.Layout("lower", "columns", diagonal="one")
    for name in ("correlation", "spearman", "kendall", "quadrant"):
        message = r"diagonal='one'\) is one, but a\[3, 3\] is stored as nan$"
        call = getattr(covariance, name)
        refuses(ValueError, message, call, HOSTILE, missing="pairwise", min_periods=2, layout=ones)
    kept = HOSTILE[:, [0, 1, 2]]
    whole = covariance.correlation(kept, missing="pairwise", min_periods=2)
    strict = covariance.correlation(kept, missing="pairwise", min_periods=2, layout=ones)
    assert np.array_equal(strict.expand(), whole.expand())


def test_what_comes_after_says_that_it_needs_numbers():
    R = covariance.correlation(HOSTILE, missing="pairwise", min_periods=2)
    S = covariance.sample(HOSTILE, missing="pairwise", min_periods=2)
    refuses(ValueError, r"^S\[3, 0\] is nan: nearest_correlation needs", vech.linalg.nearest_correlation, R)
    refuses(ValueError, r"^S\[3, 0\] is nan: nearest_psd needs", vech.linalg.nearest_psd, S)
    refuses(ValueError, r"^S\[3, 0\] is nan: factors need", vech.linalg.cholesky, S)
    message = r"^S\[3, 0\] is nan: nearest_correlation needs"
    options = {"missing": "pairwise", "min_periods": 2, "repair": "nearest"}
    refuses(ValueError, message, covariance.gerber, HOSTILE, **options)


def test_out_may_be_given_and_dtypes_are_kept():
    half = np.empty(55, np.float32)
    found = covariance.sample(HOSTILE.astype("f4"), missing="pairwise", min_periods=4, out=half)
    assert found.half is half and found.dtype == np.float32
    want = pandas.DataFrame(HOSTILE).cov(min_periods=4).to_numpy()
    np.testing.assert_allclose(found.expand(), want, rtol=1e-4, atol=1e-7 * np.nanmax(want))
    Z = HOSTILE + 1j * HOSTILE[:, ::-1]
    found = covariance.sample(Z, missing="pairwise", min_periods=4)
    assert found.kind == "hermitian" and found.dtype == np.complex128
    again = covariance.sample(Z, missing="pairwise", min_periods=4, layout="numpy-tril")
    np.testing.assert_allclose(again.expand(), found.expand(), rtol=1e-14, atol=1e-11)


def test_a_masked_array_is_refused():
    for name in (*CALLS, *COUNTED):
        with pytest.raises(TypeError, match="mask"):
            getattr(covariance, name)(np.ma.masked_invalid(HOSTILE), missing="pairwise", min_periods=1)


# ---- digits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("far", (1e6, 1e9, 1e12))
@pytest.mark.parametrize("dtype", ("f8", "f4", "c16"))
def test_covariances_about_a_mean_that_others_moved_keep_their_digits(far, dtype):
    X = RNG.normal(size=(60, 5)).astype(dtype)
    X[:3, 0] = far, 2 * far, far
    X[:3, 1:3] = NAN
    X[0, 3] = NAN
    X[:2, 4] = 3 * far, NAN
    both = X.astype("c16" if dtype == "c16" else "f8")
    found = covariance.sample(X, missing="pairwise").expand()
    want = np.cov(both[3:, :3], rowvar=False)
    near = 1e-12 if dtype != "f4" else 1e-6
    np.testing.assert_allclose(found[0, 1:3], want[0, 1:3], rtol=near, atol=near)
    want = np.cov(both[2:, 3:], rowvar=False)
    np.testing.assert_allclose(found[3, 4], want[0, 1], rtol=near, atol=near)
    np.testing.assert_allclose(found[0, 0], np.var(both[:, 0], ddof=1), rtol=1e-6)
    X[3:, 0] = 0.1
    assert abs(covariance.sample(X, missing="pairwise")[0, 1]) == 0


def test_a_number_far_away_in_rows_that_are_not_common_costs_no_digits():
    X = RNG.normal(size=(50, 3))
    X[0] = 1e9, NAN, NAN
    X[1:3, 0] = NAN
    want = np.corrcoef(X[3:], rowvar=False)
    found = covariance.correlation(X, missing="pairwise").expand()
    np.testing.assert_allclose(found[0, 1:], want[0, 1:], rtol=1e-12)
    X[3:, 0] = 0.1
    message = "^column 0 of X is constant in the 47 rows that it has in common with column 1"
    refuses(ValueError, message, covariance.correlation, X, missing="pairwise")
    Z = np.exp(1j * X)
    Z[:, 0] = X[:, 0]
    Z[3:, 0] = RNG.normal(size=47) * 1j
    want = np.corrcoef(Z[3:], rowvar=False)
    np.testing.assert_allclose(covariance.correlation(Z, missing="pairwise")[0, 1], want[0, 1], rtol=1e-12)


def test_ctrl_c_ends_the_ranking_of_pairs():
    X = RNG.normal(size=(600, 250))
    X[RNG.random(X.shape) < 0.1] = NAN
    assert interrupted_after(0.02, lambda: covariance.spearman(X, missing="pairwise"))
