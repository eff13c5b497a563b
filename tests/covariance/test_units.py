"""The unit of X: covariances go with its square, all else does not depend on it."""

from functools import partial

import numpy as np
import pytest

import cases
from vech import covariance

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 5)) * [1, 2, 3, 0.5, 1] + [0, 1, 5, -3, 0]
HOLED = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
WIDE = RNG.normal(size=(15, 25))
WEIGHTS = RNG.uniform(0.5, 2, 40)


def streamed(method, X):
    stream = covariance.Stream(method)
    for rows in (X[:30], X[20:]):
        stream.update(rows)
    stream.remove(X[20:30])
    return stream.result()


def all_of(name, data, **options):
    """(call, power of the unit, data) of an estimator, for each way it takes what is missing."""
    power = 0 if options.get("correlation") or name in UNITLESS else 2
    return partial(getattr(covariance, name), **options), power, data


def sampled_gram(data):
    return covariance.sampled_gram(data, 50).gram


UNITLESS = ("correlation", "spearman", "kendall", "quadrant", "one_bit")
ESTIMATORS = {
    "sample": all_of("sample", X),
    "weighted": all_of("sample", X, weights=WEIGHTS),
    "neutral": all_of("sample", HOLED, missing="neutral"),
    "pairwise": all_of("sample", HOLED, missing="pairwise"),
    "correlation": all_of("correlation", X),
    "neutral correlation": all_of("correlation", HOLED, missing="neutral"),
    "pairwise correlation": all_of("correlation", HOLED, missing="pairwise"),
    "spearman": all_of("spearman", X),
    "kendall": all_of("kendall", X),
    "pairwise kendall": all_of("kendall", HOLED, missing="pairwise"),
    "quadrant": all_of("quadrant", X),
    "one_bit": all_of("one_bit", X),
    "neutral quadrant": all_of("quadrant", HOLED, missing="neutral"),
    "ledoit_wolf": all_of("ledoit_wolf", X),
    "constant-correlation": all_of("ledoit_wolf", X, target="constant-correlation"),
    "oas": all_of("oas", X),
    "nonlinear": all_of("nonlinear", X),
    "wide nonlinear": all_of("nonlinear", WIDE),
    "sampled_gram": (partial(sampled_gram), 2, X),
    "denoise": all_of("denoise", X),
    "denoised correlation": all_of("denoise", X, correlation=True),
    "Stream": (partial(streamed, "sample"), 2, X),
    "Stream of correlation": (partial(streamed, "correlation"), 0, X),
    "weighted gerber": all_of("gerber", X, weights=WEIGHTS),
    "neutral gerber": all_of("gerber", HOLED, missing="neutral", center="mean"),
    "pairwise gerber": all_of("gerber", HOLED, missing="pairwise", correlation=True),
} | {
    f"gerber {form} about {center}": all_of("gerber", X, form=form, center=center)
    for form in ("gs0", "gs1", "gs2")
    for center in ("zero", "mean", "median")
}
FACTORS = (2.0**-480, 1e-150, 1e-20, 2.0**-7, 0.1, 3.0, 1e20, 1e150, 2.0**480)


def test_every_estimator_is_here():
    bits = {"hamming", "jaccard", "matching"}  # of numbers that have no unit
    called = {call.func.__name__ for call, _, _ in ESTIMATORS.values() if hasattr(call.func, "__name__")}
    assert {*covariance.__all__} - bits - {"SampledGram", "Stream", "exponential_weights"} <= called


@pytest.mark.filterwarnings("error")
@cases.each("factor", FACTORS)
@cases.each("name", list(ESTIMATORS))
def test_results_scale_with_x(name, factor):
    call, power, data = ESTIMATORS[name]
    want, found = call(data).half, call(data * factor).half
    for _ in range(power):
        found = found / factor
    assert np.allclose(found, want, rtol=1e-10, atol=1e-12 * np.abs(want).max())


@pytest.mark.filterwarnings("error")
@cases.each("factor", (2.0**-40, 1e-10, 0.1, 3.0, 1e10))
@cases.each("name", list(ESTIMATORS))
def test_results_of_float32_scale_with_x(name, factor):
    call, power, data = ESTIMATORS[name]
    data = data.astype(np.float32)
    want, found = call(data).half, call(data * np.float32(factor)).half.astype(np.float64)
    for _ in range(power):
        found = found / factor
    assert np.allclose(found, want, rtol=2e-4, atol=1e-5 * np.abs(want).max())


@pytest.mark.filterwarnings("error")
@cases.each("factor", (1e-17, 1e-15, 1e10, 1e15, 1e16, 1e17))
@cases.each("name", ["ledoit_wolf", "constant-correlation", "oas"])
def test_an_intensity_of_float32_is_that_of_every_unit_whose_squares_fit(name, factor):
    call, _, data = ESTIMATORS[name]
    trend = np.vstack([data + np.arange(5), data, data]).astype(np.float32)  # the first rows off the mean
    _, want = call(trend.astype(np.float64), return_shrinkage=True)
    _, found = call(trend * np.float32(factor), return_shrinkage=True)
    assert 0.001 < want < 0.999
    assert found == pytest.approx(want, rel=1e-4)


@pytest.mark.filterwarnings("error")
@cases.each("factor", (1e-200, 1e200))
@cases.each("name", [name for name, (_, power, _) in ESTIMATORS.items() if power == 2])
def test_a_unit_whose_square_has_no_place_is_an_error(name, factor):
    call, _, data = ESTIMATORS[name]
    with pytest.raises(
        (ValueError, OverflowError), match=r"^sums of squares of X .* float64.*: scale X first$"
    ):
        call(data * factor)


@pytest.mark.filterwarnings("error")
def adds(call, share, dtype, missing):
    """Gerber takes real numbers, and adds those of float32 in float64."""
    return call is not covariance.gerber or dtype == np.float64


@cases.each("missing", ("raise", "neutral", "pairwise"), where=adds)
@cases.each("dtype", (np.float32, np.float64, np.complex64, np.complex128))
@cases.each("share", (1, 0.5, 0.1))
@cases.each("call", (covariance.sample, covariance.correlation, covariance.gerber))
def test_numbers_whose_sums_have_no_place_are_an_error(call, share, dtype, missing):
    data = (np.sign(X) * (share * float(np.finfo(dtype).max))).astype(dtype)
    if missing != "raise":
        data[[3, 5], [1, 0]] = np.nan
    with pytest.raises(
        OverflowError, match=r"^sums of squares of X exceed .*, which ends at .*: scale X first$"
    ):
        call(data, missing=missing)


# ---------------------------------------------------------------- moves of just the threshold


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
@pytest.mark.parametrize("center", ("zero", "mean", "median"))
@pytest.mark.parametrize("offset", (0, 8))
@pytest.mark.parametrize("repeats", (1, 2000))
def test_moves_of_just_the_threshold_count_in_every_unit(dtype, center, offset, repeats):
    if center == "zero" and offset:
        pytest.skip("moves about zero are not about the mean")
    a = np.array([1, -1, -1, -1, -1, 3, 3, -3.0])  # mean 0, deviation 2: moves of 1 are half of it
    b = np.array([3, 1, -1, -1, -3, -1, 3, -1.0])
    whole = np.tile(np.column_stack([a, b]), (repeats, 1))
    middle = np.median(whole, axis=0) if center == "median" else 0.0
    moves = np.where(np.abs(whole - middle) >= 1, np.sign(whole - middle), 0)
    either = (moves != 0).any(axis=1).sum()
    want = (moves[:, 0] @ moves[:, 1]) / either
    for factor in (1, 0.1, *10 ** np.random.default_rng(0).uniform(-3, 3, 40)):
        scaled = ((whole + offset) * factor).astype(dtype)
        found = covariance.gerber(scaled, 0.5, center=center, correlation=True)
        assert found[0, 1] == pytest.approx(want, rel=1e-6), factor


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
def test_thresholds_of_a_stream_count_in_every_unit(dtype):
    whole = np.array([[1, 1], [-1, 1], [1, 0], [-1, -1], [0, 1.0]])
    for factor in (1, 0.1, *10 ** np.random.default_rng(0).uniform(-3, 3, 40)):
        stream = covariance.Stream("gerber", thresholds=[factor, 0.1 * factor * 10], center=5 * factor)
        stream.update(((whole + 5) * factor).astype(dtype))
        assert stream.result()[0, 1] == pytest.approx(1 / 5)


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
def test_a_move_that_misses_its_threshold_by_more_than_rounding_does_not_count(dtype):
    a = np.array([1, -1, -1, -1, -1, 3, 3, -3.0])
    for less, active in ((1e-12 if dtype == np.float64 else 3e-6, 3), (0, 8)):
        scaled = np.column_stack([a, a]).astype(dtype)
        threshold = 0.5 * (1 + less)
        codes = covariance.gerber(scaled, [threshold, 0.1], form="gs2", correlation=True)
        assert codes[0, 1] == pytest.approx(active / np.sqrt(active * 8))


# ---------------------------------------------------------------- NaN as the mean


@pytest.mark.parametrize("offset", (0, 1e3, 1e5))
def test_nan_counts_as_a_mean_that_float32_does_not_round(offset):
    whole = np.round(RNG.normal(size=(400, 3)) * 64) / 64 + offset
    holed = np.where(RNG.random(whole.shape) < 0.5, np.nan, whole).astype(np.float32)
    filled = np.where(np.isnan(holed), np.nanmean(holed.astype("f8"), axis=0), holed)
    found = covariance.sample(holed, missing="neutral").expand()
    assert np.abs(found / np.cov(filled, rowvar=False) - 1).max() < 1e-5


@pytest.mark.parametrize("dtype", (np.float64, np.float32))
def test_nan_counts_as_the_mean_of_all_rows_where_x_has_a_trend(dtype, monkeypatch):
    trend = np.arange(3000.0)[:, None] * [1, -2] + RNG.normal(size=(3000, 2))
    holed = np.where(RNG.random(trend.shape) < 0.2, np.nan, trend).astype(dtype)
    filled = np.where(np.isnan(holed), np.nanmean(holed.astype("f8"), axis=0), holed)
    blocks = lambda: iter(np.array_split(holed, 50))
    for given in (holed, blocks):
        found = covariance.sample(given, missing="neutral").expand()
        assert np.abs(found / np.cov(filled, rowvar=False) - 1).max() < (
            1e-10 if dtype == np.float64 else 1e-5
        )
