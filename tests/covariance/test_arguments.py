"""What stands beside X is judged as X is: masks, NaN, dtypes, shapes; columns without numbers."""

import re
from functools import partial

import numpy as np
import pytest
import scipy.sparse

import cases
import vech
from vech import covariance

X = np.random.default_rng(4).normal(size=(6, 3))


def updated(**options):
    stream = covariance.Stream("sample")
    stream.update(X, **options)
    return stream.result()


def removed(**options):
    stream = covariance.Stream("sample")
    stream.update(np.concatenate([X, X]), weights=np.append(np.ones(6), np.arange(1.0, 7)))
    stream.remove(X, **options)
    return stream.result()


def counted(**options):
    stream = covariance.Stream("gerber", **{"thresholds": 0.5} | options)
    stream.update(X)
    return stream.result()


CALLS = {
    "sample": (partial(covariance.sample, X), "weights", 6),
    "correlation": (partial(covariance.correlation, X), "weights", 6),
    "gerber": (partial(covariance.gerber, X), "weights", 6),
    "gerber at thresholds": (partial(covariance.gerber, X), "threshold", 3),
    "update": (updated, "weights", 6),
    "remove": (removed, "weights", 6),
    "thresholds": (counted, "thresholds", 3),
    "scale": (counted, "scale", 3),
    "center": (counted, "center", 3),
}


def with_one(number):
    return lambda ones: np.where(np.arange(ones.size) == 1, number, ones)


WRONG = {
    "a mask": lambda ones: np.ma.array(ones, mask=ones > 1),
    "one masked number": lambda ones: np.ma.masked,
    "a matrix": np.matrix,
    "NaN": with_one(np.nan),
    "infinity": with_one(np.inf),
    "too few": lambda ones: ones[1:],
    "too many": lambda ones: np.append(ones, 1),
    "none": lambda ones: ones[:0],
    "a column": lambda ones: ones[:, None],
    "a square": lambda ones: np.ones((ones.size, ones.size)),
    "objects": lambda ones: ones.astype(object),
    "complex numbers": lambda ones: ones.astype(complex),
    "a complex number": lambda ones: 1j,
    "text": lambda ones: ones.astype(str),
    "a word": lambda ones: "ones",
    "dates": lambda ones: ones.astype("M8[D]"),
    "durations": lambda ones: ones.astype("m8[D]"),
    "longdouble": lambda ones: ones.astype(np.longdouble),
    "a sparse array": lambda ones: scipy.sparse.csr_array(ones[None]),
    "a store": lambda ones: vech.Packed(np.ones(6)),
    "a generator": iter,
    "a dict": lambda ones: dict(enumerate(ones)),
    "a set": set,
    "a list with a hole": lambda ones: [None, *ones[1:]],
    "a ragged list": lambda ones: [[1.0, 2.0], *ones[1:]],
    "True": lambda ones: True,
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@cases.each("wrong", list(WRONG))
@cases.each("name", list(CALLS))
def test_what_is_no_vector_of_numbers_is_refused_by_name(name, wrong):
    call, argument, count = CALLS[name]
    with pytest.raises((TypeError, ValueError), match=argument.removesuffix("s")):
        call(**{argument: WRONG[wrong](np.ones(count))})


BEYOND = {
    "ddof": lambda: covariance.sample(X, ddof=10**400),
    "ddof of a stream": lambda: covariance.Stream("sample", ddof=-(10**400)),
    "half_life": lambda: covariance.exponential_weights(4, half_life=10**400),
    "variance": lambda: covariance.denoise(X, variance=10**400),
    "threshold": lambda: covariance.gerber(X, 10**400),
    "min_periods": lambda: covariance.sample(X, missing="pairwise", min_periods=10**400),
    "threshold of products": lambda: vech.pairwise.gram(X, threshold=10**400),
}


@pytest.mark.parametrize("name", BEYOND)
def test_an_integer_beyond_float64_is_named(name):
    said = f"{name.split()[0]} is (beyond float64, which ends at 1.8e308: give a|more than 2..53 rows, which)"
    with pytest.raises(ValueError, match=said):
        BEYOND[name]()


@pytest.mark.parametrize("name", CALLS)
def test_numbers_that_cannot_be_negative_are_not(name):
    call, argument, count = CALLS[name]
    if argument == "center":
        assert call(center=-np.ones(3)).n == 3
        return
    with pytest.raises(ValueError, match=r"negative|more than 0|positive number"):
        call(**{argument: with_one(-1.0)(np.ones(count))})


@cases.each("name", list(CALLS))
@cases.each("as_given", (list, tuple, lambda ones: ones.astype("f4"), lambda ones: ones.astype(">i2")))
def test_vectors_of_any_real_dtype_are_taken(name, as_given):
    call, argument, count = CALLS[name]
    numbers = np.arange(1.0, count + 1)
    assert np.array_equal(call(**{argument: as_given(numbers)}).half, call(**{argument: numbers}).half)


@pytest.mark.parametrize("name", CALLS)
def test_series_are_taken_unless_something_is_missing(name):
    call, argument, count = CALLS[name]
    numbers = np.arange(1.0, count + 1)
    want = call(**{argument: numbers}).half
    for library in ("pandas", "polars"):
        series = pytest.importorskip(library).Series
        assert np.array_equal(call(**{argument: series(numbers)}).half, want)
        holed = series([1, *[None] * (count - 1)])
        with pytest.raises((TypeError, ValueError), match=argument.removesuffix("s")):
            call(**{argument: holed})


# ---------------------------------------------------------------- columns without a number

POLICIES = {
    "sample": ("neutral", "pairwise"),
    "correlation": ("neutral", "pairwise"),
    "spearman": ("neutral", "pairwise"),
    "ledoit_wolf": ("neutral",),
    "oas": ("neutral",),
    "nonlinear": ("neutral",),
    "denoise": ("neutral",),
    "gerber": ("neutral", "pairwise"),
    "kendall": ("neutral", "pairwise"),
    "quadrant": ("neutral", "pairwise"),
    "one_bit": ("neutral", "pairwise"),
    "jaccard": ("neutral", "pairwise"),
    "hamming": ("neutral", "pairwise"),
    "matching": ("neutral", "pairwise"),
}


@pytest.mark.filterwarnings("error")
@cases.each("name, missing", [(name, how) for name, hows in POLICIES.items() for how in hows])
@cases.each("dtype", (np.float64, np.float32))
def test_a_column_without_numbers_is_refused(name, missing, dtype):
    holed = np.sign(np.tile(X, (3, 1))).astype(dtype)
    holed[:, 1] = np.nan
    holed[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"^column 1 of X has no number that counts: drop it$"):
        getattr(covariance, name)(holed, missing=missing)
    holed[1:, 1] = np.resize([1, -1], 17)
    getattr(covariance, name)(holed, missing=missing)


@pytest.mark.parametrize("name", ("sample", "correlation", "gerber"))
def test_a_column_whose_numbers_have_no_weight_is_refused(name):
    holed, weights = X.copy(), np.ones(6)
    holed[2:, 1] = np.nan
    weights[:2] = 0
    with pytest.raises(ValueError, match=r"^column 1 of X has no number that counts: drop it$"):
        getattr(covariance, name)(holed, weights=weights, missing="neutral")


@pytest.mark.parametrize("name", ("ledoit_wolf", "oas", "nonlinear", "denoise"))
def test_where_nothing_may_be_missing_a_column_without_numbers_is_so_many_nan(name):
    holed = X.copy()
    holed[:, 1] = np.nan
    with pytest.raises(ValueError, match=re.escape("X has 6 NaN, the first in row 0, column 1")):
        getattr(covariance, name)(holed)
