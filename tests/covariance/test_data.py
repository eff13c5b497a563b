"""What X may be, and one error for each thing it may not be."""

import re
from functools import partial

import numpy as np
import pytest

import cases
import vech
from vech import covariance

X = np.arange(12.0).reshape(4, 3) ** 2
ESTIMATORS = {
    "sample": covariance.sample,
    "correlation": covariance.correlation,
    "spearman": covariance.spearman,
    "ledoit_wolf": covariance.ledoit_wolf,
    "oas": covariance.oas,
    "nonlinear": covariance.nonlinear,
    "denoise": covariance.denoise,
    "stream": lambda X, **options: covariance.Stream().update(X),
}


def holed(value, shape=(20, 3), dtype=float):
    found = np.random.default_rng(0).normal(size=shape).astype(dtype)
    found[3, 2] = value
    return found


def refuses(kind, message, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_nan_and_infinities_are_refused_with_their_place(name):
    call = ESTIMATORS[name]
    two = holed(np.nan)
    two[5, 0] = np.nan
    refuses(ValueError, r"^X has 2 NaN, the first in row 3, column 2: drop those rows", call, two)
    refuses(
        ValueError,
        r"^X has 1 infinite number in a block of .* row 3, column 2: no cov",
        call,
        holed(-np.inf),
    )
    both = holed(np.inf)
    both[0, 0] = np.nan
    refuses(ValueError, r"infinite number", call, both)
    for dtype in ("f4", "f2"):
        refuses(ValueError, r"^X has 1 NaN, the first in row 3, column 2", call, holed(np.nan, dtype=dtype))
        refuses(ValueError, r"infinite", call, holed(np.inf, dtype=dtype))


@pytest.mark.parametrize("missing", ("neutral", "pairwise"))
def test_infinities_are_refused_under_every_policy(missing):
    for call in (covariance.sample, covariance.correlation):
        refuses(ValueError, "1 infinite number.*row 3, column 2", call, holed(np.inf), missing=missing)


def test_the_way_out_of_nan_is_that_of_the_estimator():
    refuses(
        ValueError,
        "say how they count: missing='neutral' or missing='pairwise'$",
        covariance.sample,
        holed(np.nan),
    )
    refuses(ValueError, "say how they count: missing='neutral'$", covariance.oas, holed(np.nan))
    refuses(ValueError, "unknown missing 'drop'", covariance.sample, X, missing="drop")
    message = "^missing='pairwise' is not offered here: choose from 'raise', 'neutral'$"
    for call in (covariance.ledoit_wolf, covariance.oas, covariance.nonlinear, covariance.denoise):
        refuses(ValueError, message, call, X, missing="pairwise")


def test_nan_is_found_far_from_the_beginning():
    long = np.ones((70_000, 30))
    long[69_999, 29] = np.nan
    refuses(ValueError, "^X has 1 NaN, the first in row 69999, column 29", covariance.sample, long)
    blocks = iter([X, holed(np.nan)])
    refuses(
        ValueError,
        "^X has 1 NaN in a block of 20 rows, the first in row 7, column 2",
        covariance.sample,
        blocks,
    )


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_is_empty_or_no_matrix_is_refused(name):
    call = ESTIMATORS[name]
    refuses(ValueError, r"^X has shape \(0, 3\): there are no rows", call, np.zeros((0, 3)))
    refuses(ValueError, r"^X has shape \(3, 0\): there are no columns", call, np.zeros((3, 0)))
    refuses(
        ValueError,
        r"^X has shape \(3,\), and must be .*: a single column is X\[:, None\]$",
        call,
        np.zeros(3),
    )
    refuses(ValueError, r"blocks of rows are given by an iterator, such as iter\(X\)$", call, [X, X])
    refuses(TypeError, "object", call, X.astype(object))
    refuses(TypeError, "text", call, X.astype(str))
    refuses(TypeError, "holds dates", call, X.astype("M8[s]"))
    refuses(TypeError, "must be a NumPy array, not vech", call, vech.Packed(np.ones(3)))


@pytest.mark.parametrize("name", ("spearman", "ledoit_wolf", "oas", "nonlinear", "denoise"))
def test_complex_numbers_are_refused_where_undefined(name):
    refuses(
        TypeError, r"^X has dtype complex128, and this is defined for real numbers", ESTIMATORS[name], X + 0j
    )


def test_one_row_and_a_divisor_that_is_not_positive():
    refuses(
        ValueError, "^X has 1 row, and ddof=1 leaves 0 to divide by: pass more rows", covariance.sample, X[:1]
    )
    refuses(ValueError, "^X has 4 rows, and ddof=4 leaves 0", covariance.sample, X, ddof=4)
    refuses(ValueError, "^X has 1 row, and ddof=1 leaves 0", covariance.correlation, X[:1])
    refuses(ValueError, "column 0 of X is constant", covariance.spearman, X[:1])
    for call in (covariance.ledoit_wolf, covariance.oas):
        refuses(
            ValueError, "^X has 1 row: an intensity of shrinkage is estimated from at least 2$", call, X[:1]
        )
    assert np.array_equal(covariance.sample(X[:1], ddof=0).half, np.zeros(6))


def test_constant_columns_have_zeros_in_a_covariance_and_no_correlation():
    flat = X.copy()
    flat[:, 1] = 0.1
    assert np.array_equal(covariance.sample(flat).expand()[1], np.zeros(3))
    message = r"^column 1 of X is constant, and its correlation is 0/0: drop it$"
    refuses(ValueError, message, covariance.correlation, flat)
    refuses(ValueError, message, covariance.correlation, np.repeat(flat, 30000, axis=0))
    refuses(ValueError, message, covariance.correlation, flat.astype("f4"))
    refuses(ValueError, message, covariance.spearman, flat)
    refuses(ValueError, message, covariance.ledoit_wolf, flat, "constant-correlation")
    refuses(ValueError, message, covariance.denoise, flat)
    refuses(ValueError, r"0 \(2 columns are\)|\(2 columns are\)", covariance.correlation, flat[:, [1, 1, 0]])


def test_pairs_without_enough_rows_in_common_are_named():
    apart = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 1.0], [np.nan, 4.0], [3.0, 1.0]])
    message = "^column 0 and column 1 of X have 1 rows in common, too few for ddof=1"
    refuses(ValueError, message, covariance.sample, apart, missing="pairwise")
    flat = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 5.0], [3.0, 5.0], [np.nan, 1.0]])
    message = "^column 1 of X is constant in the 3 rows that it has in common with column 0, and"
    refuses(ValueError, message, covariance.correlation, flat, missing="pairwise")
    never = np.array([[1.0, np.nan], [2.0, np.nan]])
    refuses(
        ValueError,
        "^column 1 of X has no number that counts: drop it",
        covariance.sample,
        never,
        missing="neutral",
    )


def test_an_iterator_is_read_once():
    for call, message in (
        (partial(covariance.sample, missing="neutral"), "missing='neutral' reads X twice"),
        (
            partial(covariance.ledoit_wolf, target="constant-correlation"),
            "target='constant-correlation' reads X twice",
        ),
    ):
        refuses(TypeError, message + ", and an iterator can be read once", call, iter([X]))
    refuses(TypeError, "^spearman needs whole columns: pass X as an array", covariance.spearman, iter([X]))
    refuses(TypeError, "whole columns", covariance.sample, lambda: iter([X]), missing="pairwise")


def test_blocks_must_be_of_one_kind():
    refuses(ValueError, "^X is an iterator without blocks", covariance.sample, iter([]))
    refuses(ValueError, "^X has no rows", covariance.sample, iter([X[:0]]))
    refuses(
        ValueError, "^block 1 of X has 2 columns, and block 0 has 3$", covariance.sample, iter([X, X[:, :2]])
    )
    refuses(
        TypeError,
        "^block 1 of X has dtype float32, .* block 0 in float64",
        covariance.sample,
        iter([X, X.astype("f4")]),
    )
    refuses(ValueError, r"^block 1 of X has shape \(3,\)", covariance.sample, iter([X, X[0]]))
    refuses(TypeError, r"^X\(\) returned ndarray", covariance.sample, lambda: X)


def test_sums_beyond_the_dtype_are_an_overflow():
    large = np.array([[1e200, 1.0], [-1e200, 2.0], [0.0, 0.0]])
    message = "^sums of squares of X exceed float64, which ends at 1.8e.308: scale X first$"
    for call in (covariance.sample, covariance.correlation, covariance.oas):
        refuses(OverflowError, message, call, large)


def test_weights_are_checked():
    call = covariance.sample
    refuses(ValueError, "^there are 3 weights for 4 rows$", call, X, weights=[1, 1, 1])
    refuses(ValueError, "^there are 3 weights, and X has more rows$", call, iter([X]), weights=[1, 1, 1])
    refuses(ValueError, "^there are 5 weights for 4 rows$", call, iter([X]), weights=np.ones(5))
    refuses(
        ValueError,
        r"^weights\[1\] is -1.0: weights are finite and not negative$",
        call,
        X,
        weights=[1, -1, 1, 1],
    )
    refuses(ValueError, r"^weights\[0\] is nan", call, X, weights=[np.nan, 1, 1, 1])
    refuses(ValueError, "^all weights are zero", call, X, weights=np.zeros(4))
    refuses(TypeError, "^weights must be a vector of numbers", call, X, weights="aweights")
    refuses(
        ValueError,
        "do not go together: use missing='neutral'$",
        call,
        X,
        weights=np.ones(4),
        missing="pairwise",
    )
    refuses(ValueError, "leaves 0 to divide by", call, X, weights=[0, 1, 0, 0])
    refuses(ValueError, "^half_life must be more than 0", covariance.exponential_weights, 3, 0)
    refuses(ValueError, "^n_samples must be at least 1", covariance.exponential_weights, 0, 1)


def test_layouts_without_the_diagonal_and_wrong_memory_are_refused():
    call = covariance.sample
    refuses(
        ValueError, "stores no diagonal, and here it is needed: choose another", call, X, layout="condensed"
    )
    refuses(
        ValueError,
        r"\(a layout whose diagonal is 'one' would do\)",
        covariance.correlation,
        X,
        layout="condensed",
    )
    refuses(
        ValueError,
        r"^out has shape \(5,\), but the result has \(6,\): the half of 3 col",
        call,
        X,
        out=np.empty(5),
    )
    refuses(TypeError, "^out has dtype float32", call, X, out=np.empty(6, "f4"))


def test_labels_are_kept_and_objects_refused_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    store = covariance.sample(frame)
    assert store.labels == ("a", "b", "c")
    assert list(store.to_frame().columns) == list(store.to_frame().index) == ["a", "b", "c"]
    assert np.array_equal(store.to_frame().to_numpy(), store.expand())
    refuses(
        TypeError,
        "^column 'z' of X has dtype .*, which is no number: drop it",
        covariance.sample,
        frame.assign(z="x"),
    )
    hole = frame.copy()
    hole.loc[2, "b"] = np.nan
    refuses(ValueError, r"row 2, column 1 \('b'\)", covariance.sample, hole)
    swapped = iter([frame, frame[["b", "a", "c"]]])
    refuses(
        ValueError, "^column 0 is 'a' in block 0 and 'b' in block 1: give both", covariance.sample, swapped
    )
    nullable = frame.assign(c=pandas.array([1, None, 3, 4], dtype="Int64"), b=frame.a > 3)
    assert covariance.sample(nullable, missing="neutral").dtype == np.float64
    assert covariance.sample(frame.astype("f4")).dtype == np.float32


def test_polars_frames_have_labels():
    polars = pytest.importorskip("polars")
    assert covariance.sample(polars.DataFrame({"a": [1, 2], "b": [1.5, 3]})).labels == ("a", "b")
    refuses(TypeError, "column 'b'", covariance.sample, polars.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


def test_one_column_works():
    column = np.array([[1.0], [2.0], [6.0]])
    assert covariance.sample(column).half.tolist() == [7.0]
    assert covariance.correlation(column).half.tolist() == [1.0]
    assert covariance.spearman(column).half.tolist() == [1.0]
    for call in (
        covariance.ledoit_wolf,
        covariance.oas,
        partial(covariance.ledoit_wolf, target="constant-correlation"),
    ):
        store, intensity = call(column, return_shrinkage=True)
        assert np.isclose(store.half[0], 14 / 3) and intensity == 0
    assert np.isclose(covariance.denoise(column).half[0], 7)


N = np.random.default_rng(8).normal(size=(40, 4))


@pytest.mark.parametrize(
    "call",
    [
        covariance.gerber,
        partial(covariance.gerber, weights=np.ones(40)),
        lambda X: covariance.hamming(lambda: (np.sign(block) for block in X())),
        lambda X: covariance.jaccard(lambda: (np.sign(block) for block in X())),
        partial(covariance.sample, missing="neutral"),
        partial(covariance.ledoit_wolf, target="constant-correlation"),
    ],
)
def test_a_function_that_returns_a_used_iterator_is_refused(call):
    once = iter([N])
    message = r"^X\(\) gave 40 rows when first read and 0 when read again: return a new iterator"
    refuses(ValueError, message, call, lambda: once)


@pytest.mark.parametrize("name", cases.ESTIMATORS)
def test_memory_for_the_result_that_overlaps_x_is_refused(name):
    X = N.copy()
    message = "^out shares memory with the input"
    refuses(ValueError, message, getattr(covariance, name), X, out=X.reshape(-1)[:10])
    assert np.array_equal(X, N)


def test_integers_that_float64_would_round_are_refused_where_they_are_not_ranked():
    large = np.array([[1, 4], [2, 3], [3, 1], [4, 2]]) + 2**60
    message = r"^X holds the integer 1152921504606846980, .* up to 2\*\*53: subtract an offset first"
    for call in (covariance.sample, covariance.gerber):
        refuses(ValueError, message, call, large)
    refuses(ValueError, "^block 0 of X holds the integer", covariance.sample, iter([large]))
    assert np.allclose(covariance.kendall(large).half, covariance.kendall(large - 2**60).half)
    assert np.array_equal(covariance.sample(large - 2**60).half, covariance.sample(large - large[0]).half)


@pytest.mark.parametrize("factor", (1e-160, 1e-170))
@pytest.mark.parametrize("name", ("sample", "correlation", "gerber", "nonlinear", "ledoit_wolf"))
def test_squares_that_underflow_are_an_error_and_constant_columns_are_not(name, factor):
    call = getattr(covariance, name)
    refuses(
        ValueError, "^sums of squares of X underflow float64, first in column 0: scale X", call, N * factor
    )
    mixed = N * [1, 1, factor, 1]
    refuses(ValueError, "underflow float64, first in column 2", call, mixed)
    if name in ("sample", "gerber"):
        assert call(N * [1, 0, 1, 1])[1].tolist() == [0, 0, 0, 0]


@cases.each("factor", (1e-160, 1e-170))
@cases.each("options", ({"missing": "pairwise"}, {"weights": "some"}), ids=str)
@cases.each("name", ("sample", "correlation", "gerber"))
def test_squares_that_underflow_are_an_error_with_weights_and_pairwise(name, options, factor):
    call = partial(getattr(covariance, name), **options)
    if "weights" in options:
        call = partial(call, weights=np.linspace(0, 1e-200, len(N)))
    refuses(
        ValueError, "^sums of squares of X underflow float64, first in column 0: scale X", call, N * factor
    )
    refuses(ValueError, "underflow float64, first in column 2", call, N * [1, 1, factor, 1])
    if name != "correlation":
        assert call(N * [1, 0, 1, 1])[1].tolist() == [0, 0, 0, 0]


def test_a_column_that_varies_where_weights_vanish_is_no_underflow():
    X = N.copy()
    X[10:, 1] = 3
    weights = np.where(np.arange(len(X)) < 10, 1e-320, 1)
    for call in (covariance.sample, covariance.gerber):
        want = call(X[10:], weights=np.ones(len(X) - 10)).half
        assert np.allclose(call(X, weights=weights).half, want, rtol=1e-12, atol=1e-15)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", (1e-110, 1e-80, 1e80, 1e120))
def test_pairwise_correlations_scale_with_x(factor):
    for dtype in (np.float64, np.complex128):
        X = N.astype(dtype)
        want = covariance.correlation(X, missing="pairwise").half
        assert np.allclose(covariance.correlation(X * factor, missing="pairwise").half, want, rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_pairwise_squares_that_overflow_are_an_error():
    for X in (N * 1e160, (N * 1e30).astype(np.float32)):
        for name in ("sample", "correlation"):
            call = partial(getattr(covariance, name), missing="pairwise")
            refuses(OverflowError, f"^sums of squares of X exceed {X.dtype}", call, X)


@pytest.mark.filterwarnings("error")
@cases.each("factor", (1e-300, 1e-170, 2.0**-500, 1e170, 1e300))
@cases.each("name", ("sample", "correlation", "gerber"))
def test_only_ratios_of_weights_count(name, factor):
    call = getattr(covariance, name)
    weights = np.linspace(0.5, 2, len(N))
    assert np.allclose(
        call(N, weights=weights * factor).half, call(N, weights=weights).half, rtol=1e-12, atol=1e-15
    )


INTENSITIES = {
    "identity": covariance.ledoit_wolf,
    "constant-correlation": partial(covariance.ledoit_wolf, target="constant-correlation"),
    "oas": covariance.oas,
}


@pytest.mark.filterwarnings("error")
@cases.each("name", list(INTENSITIES))
@cases.each("factor", (1e-150, 1e-90, 1e-40, 0.1, 1e50, 1e90, 1e150))
def test_intensities_of_shrinkage_have_no_unit(name, factor):
    X = np.random.default_rng(8).normal(size=(30, 6)) * np.arange(1, 7) + 3
    want, intensity = INTENSITIES[name](X, return_shrinkage=True)
    assert 0.02 < intensity < 0.98
    for given in (X * factor, iter(np.array_split(X * factor, 3))):
        if name == "constant-correlation" and not isinstance(given, np.ndarray):
            continue
        found, same = INTENSITIES[name](given, return_shrinkage=True)
        assert same == pytest.approx(intensity, rel=1e-9)
        assert np.allclose(found.half / factor / factor, want.half, rtol=1e-9)


@pytest.mark.filterwarnings("error")
def test_the_intensity_of_rows_that_grow_by_all_powers_is_that_of_all_rows():
    X = np.random.default_rng(8).normal(size=(40, 3)) * np.logspace(-120, 120, 40)[:, None]
    _, intensity = covariance.ledoit_wolf(iter(np.array_split(X, 40)), return_shrinkage=True)
    assert intensity == pytest.approx(covariance.ledoit_wolf(X, return_shrinkage=True)[1], rel=1e-12)
    assert intensity == pytest.approx(covariance.ledoit_wolf(X / 1e120, return_shrinkage=True)[1], rel=1e-9)


@pytest.mark.parametrize("shape", ((40, 4), (14, 20)))
def test_nonlinear_shrinkage_scales_with_x(shape):
    X = np.random.default_rng(2).normal(size=shape)
    found = covariance.nonlinear(X * 2.0**-480).half * 2.0**960
    assert np.allclose(found, covariance.nonlinear(X).half, rtol=1e-9)


def test_arguments_that_are_no_numbers_or_functions_are_refused():
    for ddof in ("1", True, np.ones(2), np.nan):
        for call in (covariance.sample, covariance.denoise):
            refuses(TypeError, "^ddof must be a finite number, mostly 0 or 1, not ", call, N, ddof=ddof)
    rows = "^n_samples must be a whole number of rows, not "
    refuses(TypeError, rows + "'a'$", covariance.exponential_weights, "a", 2)
    refuses(TypeError, rows + "5.5$", covariance.exponential_weights, 5.5, 2)
    refuses(
        TypeError, "^half_life must be a number of rows, not 'a'$", covariance.exponential_weights, 5, "a"
    )
    for call in (
        covariance.sample,
        covariance.kendall,
        covariance.gerber,
        partial(covariance.gerber, weights=np.ones(40)),
        partial(covariance.sample, missing="pairwise"),
    ):
        refuses(TypeError, r"^progress must be a function of \(done, total\), not 3", call, N, progress=3)


def test_weights_with_an_index_must_have_that_of_x():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(N, index=range(1, 41))
    weights = pandas.Series(np.arange(1.0, 41), index=frame.index)
    want = covariance.sample(N, weights=weights.to_numpy()).half
    assert np.allclose(covariance.sample(frame, weights=weights).half, want, rtol=1e-13)
    message = r"^row 0 of X is 1 and weights\[0\] is for 40: give both one index, or weights.to_numpy"
    for call in (covariance.sample, covariance.gerber):
        refuses(ValueError, message, call, frame, weights=weights[::-1])
