"""Covariances and correlations against NumPy, SciPy, pandas and scikit-learn on the full matrix."""

import numpy as np
import pytest
from scipy import stats
from sklearn import datasets

import cases
import vech
from cases import tolerance
from vech import covariance
from vech.covariance import moments

RNG = np.random.default_rng(6)
LAYOUTS = ("vech", "numpy-tril", "numpy-triu", "svec-lower", "lapack-rfp-nl")
SHAPES = ((2, 1), (5, 3), (50, 17), (3000, 40), (40, 150))
DATA = {
    "digits": datasets.load_digits,
    "breast cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
}

BEYOND = 41  # columns, too many for a square and for one panel where these are small


@pytest.fixture(autouse=True)
def small_squares(monkeypatch):
    monkeypatch.setattr(moments, "SQUARE", 40)
    monkeypatch.setattr(moments, "PANEL", 16)


def assert_near(store, want, n):
    """Within rounding of n rows, of the largest number of a row and a column."""
    got = store.expand()
    scale = np.sqrt(np.abs(want.diagonal()))
    error = np.abs(got - want) / np.maximum(np.multiply.outer(scale, scale), np.finfo(float).tiny)
    assert error.max() <= tolerance(store.dtype, max(n, 8)), error.max()


def normal(shape, dtype="float64"):
    X = RNG.normal(size=shape) @ (
        RNG.normal(size=(shape[1], shape[1])) / np.sqrt(shape[1]) + np.eye(shape[1])
    )
    return X.astype(dtype)


@cases.each("shape", SHAPES)
@cases.each("layout", LAYOUTS)
def test_sample_is_the_covariance_of_numpy(shape, layout):
    X = normal(shape)
    store = covariance.sample(X, layout=layout)
    assert store.layout == vech.as_layout(layout)
    assert_near(store, np.cov(X, rowvar=False).reshape(shape[1], -1), shape[0])
    assert_near(
        covariance.sample(X, ddof=0, layout=layout), np.atleast_2d(np.cov(X, rowvar=False, ddof=0)), shape[0]
    )


@cases.each("shape", SHAPES)
@cases.each("layout", LAYOUTS)
def test_correlation_is_that_of_numpy_with_ones_on_the_diagonal(shape, layout):
    X = normal(shape)
    store = covariance.correlation(X, layout=layout)
    assert_near(store, np.atleast_2d(np.corrcoef(X, rowvar=False)), shape[0])
    assert np.array_equal(store.diagonal(), np.ones(shape[1]))
    assert np.abs(store.half).max() <= (1 if layout != "svec-lower" else 2**0.5)


@pytest.mark.parametrize("name", DATA)
def test_real_data_give_what_numpy_gives(name):
    X = DATA[name]().data
    X = X[:, X.std(axis=0) > 0]
    assert_near(covariance.sample(X), np.cov(X, rowvar=False), len(X))
    assert_near(covariance.correlation(X), np.corrcoef(X, rowvar=False), len(X))
    assert_near(covariance.spearman(X), stats.spearmanr(X).statistic, len(X))


@pytest.mark.parametrize("p", (BEYOND, 2 * BEYOND + 3))
@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
def test_many_columns_go_by_panels(p, layout, monkeypatch):
    X = normal((70, p)) + 3
    monkeypatch.setattr(moments, "HEIGHT", 32)
    assert_near(covariance.sample(X, layout=layout), np.cov(X, rowvar=False), 70)
    assert_near(covariance.sample(X.astype("f4"), layout=layout), np.cov(X, rowvar=False), 70)
    assert_near(covariance.correlation(100 + X, layout=layout), np.corrcoef(X, rowvar=False), 70)


@cases.each("p", (4, 40, BEYOND))
@cases.each("layout", ("vech", "numpy-tril"))
@cases.each("dtype", ("complex64", "complex128"))
def test_complex_data_give_the_hermitian_covariance_of_numpy(p, layout, dtype):
    X = (RNG.normal(size=(50, p)) + 1j * RNG.normal(size=(50, p)) + 2 - 1j).astype(dtype)
    store = covariance.sample(X, layout=layout)
    assert store.kind == "hermitian" and store.dtype == dtype
    assert np.array_equal(store.diagonal().imag, np.zeros(p))
    assert_near(store, np.cov(X, rowvar=False), 50)
    correlation = covariance.correlation(X, layout=layout)
    assert_near(correlation, np.corrcoef(X, rowvar=False), 50)
    assert np.array_equal(correlation.diagonal(), np.ones(p))


@pytest.mark.parametrize(
    "dtype, result",
    [
        ("bool", "f8"),
        ("int8", "f8"),
        ("uint8", "f8"),
        ("int64", "f8"),
        (">i4", "f8"),
        ("f2", "f4"),
        ("f4", "f4"),
        (">f4", "f4"),
        (">f8", "f8"),
    ],
)
def test_each_dtype_has_its_result(dtype, result):
    X = RNG.integers(0, 2 if dtype == "bool" else 100, (60, 5)).astype(dtype)
    store = covariance.sample(X)
    assert store.dtype == result
    assert_near(store, np.cov(X.astype(float), rowvar=False), 60)
    assert_near(covariance.spearman(X), stats.spearmanr(X.astype(float)).statistic, 60)


def test_bfloat16_is_computed_with_in_float32():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X = RNG.integers(0, 100, (60, 5)).astype(ml_dtypes.bfloat16)
    store = covariance.sample(X)
    assert store.dtype == np.float32
    assert_near(store, np.cov(X.astype(float), rowvar=False), 60)


@pytest.mark.parametrize("order", ("C", "F"))
@pytest.mark.parametrize("p", (6, BEYOND))
def test_memory_may_lie_in_any_order(order, p):
    X = np.array(np.round(1024 * normal((40, p))) / 1024, order=order)
    want = np.cov(X, rowvar=False)
    wide = np.zeros((40, 2 * p + 1))
    wide[:, ::2][:, :p] = X
    for view, matrix in (
        (X, want),
        (X[::-1], want),
        (X[:, ::-1], want[::-1, ::-1]),
        (wide[:, ::2][:, :p], want),
    ):
        assert_near(covariance.sample(view), matrix, 40)
        assert_near(covariance.sample(view + 1000), matrix, 40)


# ---- soundness ---------------------------------------------------------------------------------------------


def exact(X):
    """The covariance with ddof = 1 in integers, of whole numbers."""
    n, whole = len(X), X.astype(object)
    sums = whole.sum(axis=0)
    return np.array((n * (whole.T @ whole) - np.multiply.outer(sums, sums)) / (n * (n - 1)), float)


@pytest.mark.parametrize("p", (3, BEYOND))
def test_an_offset_of_1e8_costs_no_digits(p):
    X = RNG.integers(-8, 9, (300, p)) * 0.25
    store = covariance.sample(X + 1e8)
    want = np.cov(X, rowvar=False)
    assert np.abs(store.expand() - want).max() < 1e-13 * np.abs(want).max()
    correlation = covariance.correlation(X + 1e8)
    assert np.abs(correlation.expand() - np.corrcoef(X, rowvar=False)).max() < 1e-12


def test_an_offset_of_1e8_costs_no_digits_however_it_comes():
    X = RNG.integers(-8, 9, (9000, 4)) * 0.25
    want = np.cov(X, rowvar=False)
    for blocks in (iter([X + 1e8]), iter(np.array_split(X + 1e8, 900)), iter([X[:1] + 1e8, X[1:] + 1e8])):
        assert np.abs(covariance.sample(blocks).expand() - want).max() < 1e-10 * want.max()


def test_a_mean_that_strays_far_from_the_first_rows_costs_no_digits():
    X = RNG.integers(-8, 9, (20000, 3))
    X[300:] += 10**8
    X[9000:] -= 7 * 10**7
    want = exact(X)
    for rows in (1, 7, 400, 5000, 20000):
        blocks = iter([X[:rows].astype(float), *np.array_split(X[rows:].astype(float), 30)])
        got = covariance.sample(blocks).expand()
        assert np.abs(got - want).max() <= 1e-12 * want.max()


def test_columns_of_very_different_sizes_are_all_right():
    X = RNG.integers(-1000, 1000, (500, 4)) * np.array([1, 10**6, 1, 10**9]) + np.array([10**12, 0, 5, 0])
    want = exact(X)
    scale = np.sqrt(np.multiply.outer(want.diagonal(), want.diagonal()))
    assert (np.abs(covariance.sample(X.astype(float)).expand() - want) / scale).max() < 1e-12


def test_float32_adds_up_in_float64():
    X = RNG.integers(0, 3, (300_000, 2)).astype("f4")
    want = np.cov(X.astype(float), rowvar=False)
    assert np.abs(covariance.sample(X).expand() - want).max() < 2e-7 * want.max()


# ---- weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ddof", (0, 1))
@pytest.mark.parametrize("p", (6, BEYOND))
def test_weights_are_the_aweights_of_numpy(ddof, p):
    X, weights = normal((40, p)) + 5, RNG.random(40)
    weights[3] = 0
    store = covariance.sample(X, weights=weights, ddof=ddof)
    assert_near(store, np.cov(X, rowvar=False, aweights=weights, ddof=ddof), 40)
    assert_near(covariance.sample(X, weights=7 * weights, ddof=ddof), store.expand(), 40)


def test_weighted_blocks_take_their_part_of_the_weights():
    X, weights = normal((400, 5)), covariance.exponential_weights(400, 30)
    want = np.cov(X, rowvar=False, aweights=weights)
    assert_near(covariance.sample(iter(np.array_split(X, 7)), weights=weights), want, 400)
    deviation = np.sqrt(want.diagonal())
    assert_near(
        covariance.correlation(X, weights=list(weights)), want / np.multiply.outer(deviation, deviation), 400
    )


def test_exponential_weights_halve_with_the_half_life():
    weights = covariance.exponential_weights(41, 20)
    assert weights[-1] == 1 and np.isclose(weights[20], 0.5) and np.isclose(weights[0], 0.25)
    assert np.array_equal(covariance.exponential_weights(3, np.inf), np.ones(3))


# ---- missing numbers ---------------------------------------------------------------------------------------


@pytest.fixture
def holes():
    X = normal((90, 7)) + np.arange(7)
    X[RNG.random(X.shape) < 0.2] = np.nan
    return X


def test_neutral_counts_nan_as_the_mean_of_its_column(holes):
    filled = np.where(np.isnan(holes), np.nanmean(holes, axis=0), holes)
    assert_near(covariance.sample(holes, missing="neutral"), np.cov(filled, rowvar=False), 90)
    assert_near(
        covariance.correlation(holes + 1e6, missing="neutral"), np.corrcoef(filled, rowvar=False), 10**9
    )
    blocks = covariance.sample(lambda: iter(np.array_split(holes, 4)), missing="neutral")
    assert_near(blocks, np.cov(filled, rowvar=False), 90)
    assert np.linalg.eigvalsh(blocks.expand()).min() > 0


def test_neutral_with_weights_takes_weighted_means(holes):
    weights = RNG.random(90)
    mean = np.array([np.average(x[~np.isnan(x)], weights=weights[~np.isnan(x)]) for x in holes.T])
    filled = np.where(np.isnan(holes), mean, holes)
    want = np.cov(filled, rowvar=False, aweights=weights)
    assert_near(covariance.sample(holes, missing="neutral", weights=weights), want, 90)


def by_pairs(X, ddof, standardise):
    p = X.shape[1]
    found = np.empty((p, p))
    for i in range(p):
        for j in range(p):
            both = ~np.isnan(X[:, i]) & ~np.isnan(X[:, j])
            pair = (
                np.corrcoef(X[both][:, [i, j]].T) if standardise else np.cov(X[both][:, [i, j]].T, ddof=ddof)
            )
            found[i, j] = pair[0, 1]
    return found


@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
def test_pairwise_uses_the_rows_that_both_columns_have(holes, layout):
    assert_near(covariance.sample(holes, missing="pairwise", layout=layout), by_pairs(holes, 1, False), 90)
    assert_near(covariance.sample(holes, missing="pairwise", ddof=0), by_pairs(holes, 0, False), 90)
    store = covariance.correlation(holes + 1e4, missing="pairwise", layout=layout)
    assert_near(store, by_pairs(holes, 1, True), 10**6)
    assert np.array_equal(store.diagonal(), np.ones(7))


def test_pairwise_goes_by_tiles_and_blocks(monkeypatch, holes):
    from vech.covariance import incomplete

    monkeypatch.setattr(incomplete, "SIDE", 3)
    assert_near(covariance.sample(holes, missing="pairwise"), by_pairs(holes, 1, False), 90)


def test_pairwise_without_holes_is_the_sample_covariance():
    X = normal((50, 5))
    assert_near(covariance.sample(X, missing="pairwise"), np.cov(X, rowvar=False), 50)
    Z = X + 1j * normal((50, 5))
    assert_near(covariance.sample(Z, missing="pairwise", layout="numpy-tril"), np.cov(Z, rowvar=False), 50)


def test_pairwise_and_spearman_equal_pandas(holes):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(holes, columns=list("abcdefg"))
    assert_near(covariance.sample(frame, missing="pairwise"), frame.cov().to_numpy(), 90)
    assert_near(covariance.correlation(frame, missing="pairwise"), frame.corr().to_numpy(), 90)
    assert_near(covariance.spearman(frame.dropna()), frame.dropna().corr("spearman").to_numpy(), 90)


def test_spearman_gives_nan_the_mean_rank(holes):
    ranks = np.where(np.isnan(holes), np.nan, stats.rankdata(holes, axis=0, nan_policy="omit"))
    filled = np.where(np.isnan(ranks), np.nanmean(ranks, axis=0), ranks)
    assert_near(covariance.spearman(holes, missing="neutral"), np.corrcoef(filled, rowvar=False), 90)


def test_spearman_ranks_large_integers_exactly():
    X = np.array([[2**62, 1], [2**62 + 1, 3], [2**62 + 2, 2]])
    assert_near(covariance.spearman(X), np.array([[1, 0.5], [0.5, 1]]), 3)


# ---- layouts, memory, progress -----------------------------------------------------------------------------


def test_a_layout_with_ones_leaves_the_diagonal_of_a_correlation_out():
    X = normal((40, 5))
    strict = vech.Layout("lower", "columns", diagonal="one")
    store = covariance.correlation(X, layout=strict)
    assert store.half.size == 10
    assert_near(store, np.corrcoef(X, rowvar=False), 40)


def test_out_is_filled_and_held(tmp_path):
    X = normal((40, 5))
    want = covariance.sample(X).expand()
    for layout in ("vech", "numpy-tril", "svec-upper"):
        length = vech.as_layout(layout).length(5)
        memory = np.memmap(tmp_path / "half", np.float64, "w+", shape=length)
        strided = np.empty(2 * length)[::2]
        for out in (np.empty(length), memory, strided):
            store = covariance.sample(X, layout=layout, out=out)
            assert store.half is out
            assert_near(store, want, 40)


def test_x_may_be_a_memory_map_a_list_or_blocks(tmp_path):
    X = normal((100, 5))
    memory = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    memory[...] = X
    want = np.cov(X, rowvar=False)
    for given in (memory, X.tolist(), iter([X[:1], X[1:50], X[50:]]), lambda: [X[:60], X[60:60], X[60:]]):
        assert_near(covariance.sample(given), want, 100)


@pytest.mark.parametrize("p", (5, BEYOND))
def test_progress_counts_rows_to_the_end(p):
    X, calls = normal((64, p)), []
    covariance.sample(X, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (64, 64) and calls == sorted(calls) and len(calls) >= (1 if p == 5 else 3)
    calls.clear()
    covariance.sample(iter([X[:30], X[30:]]), progress=lambda done, total: calls.append((done, total)))
    assert (30, None) in calls and calls[-1] == (64, None)


def test_swapping_two_columns_swaps_rows_and_columns():
    X = normal((50, 6))
    order = [3, 1, 2, 0, 4, 5]
    swapped = covariance.sample(X[:, order])
    assert_near(swapped, covariance.sample(X).expand()[np.ix_(order, order)], 50)
