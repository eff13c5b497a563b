"""Kernels: what scikit-learn makes of the same rows, and what no other program says."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import cases
import reference
import vech
from vech.pairwise import kernel
from vech.pairwise.kernels import KERNELS, Kernel

METRICS = ("linear", "polynomial", "poly", "sigmoid", "rbf", "laplacian", "cosine", "chi2", "additive_chi2")
TAKEN = {
    "gamma": {"polynomial", "poly", "sigmoid", "rbf", "laplacian", "chi2"},
    "degree": {"polynomial", "poly"},
    "coef0": {"polynomial", "poly", "sigmoid"},
}
PAGE = Path(__file__).parents[2] / "docs" / "pairwise.md"
UNIT = ("rbf", "laplacian", "chi2", "matern")
FLOATS = ("float32", "float64")


def rows(n, m, metric="rbf", dtype="float64"):
    X = cases.generator("kernels", n, m).normal(size=(n, m)).astype(dtype)
    return np.abs(X) if "chi2" in metric else X


def parameters(metric, **some):
    return {name: value for name, value in some.items() if metric in TAKEN[name]}


@cases.each("dtype", list(FLOATS))
@cases.each("given", [{}, {"gamma": 0.3, "degree": 2, "coef0": 0.5}, {"degree": 4.0, "gamma": 0}])
@cases.each("metric", list(METRICS))
def test_a_kernel_is_that_of_scikit_learn(metric, given, dtype):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    given = parameters(metric, **given)
    for n, m in ((1, 3), (2, 1), (17, 5), (60, 30)):
        X = rows(n, m, metric, dtype)
        want = pairwise.pairwise_kernels(X.astype(float), metric=metric, **given)
        S = kernel(X, metric, **given)
        assert S.dtype == dtype and S.layout.name == "vech"
        np.testing.assert_allclose(
            S.expand(), want, rtol=300 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps * n
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf, 0.2, 1.0, 2.0, 3.7, 20.5])
def test_matern_is_that_of_scikit_learn(nu, dtype):
    kernels = pytest.importorskip("sklearn.gaussian_process.kernels")
    X = rows(40, 4, dtype=dtype)
    eps = float(np.finfo(dtype).eps)
    for length in (1.0, 0.3):
        with np.errstate(invalid="ignore"):
            want = kernels.Matern(length_scale=length, nu=nu)(X.astype(float))
        np.fill_diagonal(want, 1)  # scikit-learn's is nearly that, or NaN
        gamma = None if length == 1 else 1 / (2 * length**2)
        found = kernel(X, "matern", nu=nu, gamma=gamma).expand()
        np.testing.assert_allclose(found, want, rtol=max(2e-12 * (1 + min(nu, 100)), 30 * eps), atol=10 * eps)


@pytest.mark.parametrize("nu", [0.4, 1.0, 3.0, 7.3, 60.0, 100.0])
def test_matern_holds_from_the_same_place_to_far_away(nu):
    """Bessel functions to 30 digits, at distances where those of double overflow or vanish."""
    mpmath = pytest.importorskip("mpmath")
    d = np.array([0, 1e-300, 1e-160, 1e-12, 1e-5, 1e-3, 0.01, 0.05, 0.3, 1, 5, 40, 300])
    made = kernel(d[:, None], "matern", nu=nu)[:, 0]
    with mpmath.workdps(30):
        for distance, found in zip(d, made, strict=True):
            z = mpmath.sqrt(2 * mpmath.mpf(nu)) * mpmath.mpf(float(distance))
            want = 2 ** (1 - mpmath.mpf(nu)) / mpmath.gamma(nu) * z**nu * mpmath.besselk(nu, z) if z else 1
            assert found == pytest.approx(float(want), rel=1e-11, abs=1e-300), distance


@pytest.mark.parametrize(
    "metric", ["linear", "polynomial", "sigmoid", "rbf", "laplacian", "cosine", "matern"]
)
def test_sparse_rows_have_the_kernel_of_full_ones(metric):
    X = rows(50, 40)
    X[cases.generator("sparse kernels").random(X.shape) < 0.8] = 0
    X[5] = 0
    for dtype in FLOATS:
        full = X.astype(dtype)
        S = kernel(sparse.csr_array(full), metric)
        assert S.dtype == dtype
        want = kernel(full, metric).expand()
        np.testing.assert_allclose(
            S.expand(), want, rtol=100 * np.finfo(dtype).eps, atol=1e-6 if dtype == "float32" else 1e-15
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("metric", KERNELS)
def test_a_kernel_is_symmetric_to_the_bit_and_one_where_it_is_one(metric, dtype):
    X = rows(70, 9, metric, dtype)
    X[11] = X[50]
    K = kernel(X, metric).expand()
    np.testing.assert_array_equal(K, K.T)
    if metric in UNIT:
        assert (np.diag(K) == 1).all() and K[11, 50] == 1
        ones = kernel(X, metric, layout=vech.Layout("upper", "rows", diagonal="one"))
        np.testing.assert_array_equal(ones.expand(), K)
    assert KERNELS[metric].unit == (metric in UNIT)


def test_rows_of_zeros_have_no_cosine():
    for X in (
        np.array([[0.0, 0], [3, 4], [3e200, 4e200]]),
        sparse.csr_array([[0.0, 0], [3, 4], [3e200, 4e200]]),
    ):
        np.testing.assert_allclose(
            kernel(X, "cosine").expand(), [[0, 0, 0], [0, 1, 1], [0, 1, 1]], rtol=1e-15
        )


def test_near_rows_are_told_apart_far_from_the_origin():
    X = np.array([[1e8], [1e8 + 1], [1e8 + 3]])
    np.testing.assert_allclose(kernel(X, gamma=0.1)[0], np.exp([0, -0.1, -0.9]), rtol=1e-15)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, np.inf, 0.7, 30])
def test_nothing_is_alike_at_a_huge_distance(nu):
    for dtype, size in (("float64", 1e200), ("float32", 1e30)):
        X = np.array([[0], [size], [size]], dtype)
        np.testing.assert_array_equal(kernel(X, "matern", nu=nu).half, [1, 0, 0, 1, 1, 1])


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("metric", KERNELS)
def test_few_rows_and_no_columns_have_kernels(metric, n):
    assert kernel(rows(n, 3, metric), metric).shape == (n, n)
    empty = kernel(np.zeros((n, 0)), metric).expand()
    np.testing.assert_array_equal(
        np.diag(empty), metric in (*UNIT, "polynomial") or (metric == "sigmoid") * np.tanh(1)
    )


def test_labels_come_from_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1, 2, 4], "y": [0.5, 1, 2]}, index=["a", "b", "c"])
    K = kernel(frame)
    assert K.labels == ("a", "b", "c")
    assert K["a", "b"] == pytest.approx(np.exp(-1.25 / 2))


@pytest.mark.parametrize("dtype", ["bool", "int16", "uint64", "float16", ">f8", ">f4"])
def test_numbers_of_other_dtypes_are_taken(dtype):
    X = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
    K = kernel(X)
    assert K.dtype == (
        np.float32 if np.dtype(dtype).kind == "f" and np.dtype(dtype).itemsize <= 4 else np.float64
    )
    assert K[0, 1] == pytest.approx(np.exp(-2 / 3), rel=1e-6)


def test_the_dtype_is_the_one_asked_for():
    X = rows(30, 4)
    one, other = kernel(X, dtype="float32"), kernel(X.astype(np.float32))
    np.testing.assert_array_equal(one.half, other.half)
    assert kernel(X.astype(np.float32), dtype=np.float64).dtype == np.float64
    with pytest.raises(
        TypeError, match="dtype must be float32 or float64, not int32: kernels are computed in these"
    ):
        kernel(X, dtype="int32")
    X[3, 1] = 1e200
    with pytest.raises(
        OverflowError, match=r"X holds 1e\+200 in row 3, column 1, beyond float32: say dtype='float64'"
    ):
        kernel(X, dtype="float32")


def test_a_half_may_go_to_a_file_and_through_an_executor(tmp_path):
    X = rows(1100, 3)
    want = kernel(X, "matern", nu=0.5)
    with ThreadPoolExecutor(2) as pool:
        found = kernel(X, "matern", nu=0.5, out=tmp_path / "k.npy", executor=pool)
    np.testing.assert_array_equal(found.half, want.half)
    seen = []
    kernel(X, out=np.empty(1100 * 1101 // 2), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > 1


def test_what_is_no_number_is_named():
    pandas = pytest.importorskip("pandas")
    X = rows(5, 3)
    X[4, 2] = np.nan
    with pytest.raises(ValueError, match="X holds nan in row 4, column 2: fill it, or leave the row out"):
        kernel(X)
    with pytest.raises(ValueError, match="X holds nan in row 4, column 2"):
        kernel(sparse.csr_array(X), "linear")
    frame = pandas.DataFrame({"x": [1, 2], "y": pandas.array([3, None], dtype="Int64")}, index=["a", "b"])
    with pytest.raises(ValueError, match=r"X holds nan in row 1 \('b'\), column 1 \('y'\): fill it"):
        kernel(frame)


@pytest.mark.parametrize("form", ["coo", "lil", "dok", "dia", "bsr", "csc"])
@pytest.mark.parametrize("metric", [name for name, one in KERNELS.items() if one.sparse])
def test_sparse_rows_come_in_every_form(metric, form, tmp_path):
    X = sparse.csr_array(np.triu(np.ones((4, 4)) + 3 * np.eye(4), 2))
    given = X.asformat(form)
    assert kernel(given, metric, out=tmp_path / "k.npy").half.tobytes() == kernel(X, metric).half.tobytes()
    assert kernel(given, metric, dtype="float32").dtype == np.float32
    assert kernel(sparse.csr_array((3, 3)).asformat(form), metric, dtype="float32").n == 3


@reference.remembered
def sums_of_terms(X):
    want = np.zeros((len(X), len(X)))
    exact = [list(map(Fraction, row)) for row in X.tolist()]
    for i, j in itertools.combinations(range(len(X)), 2):
        terms = [(x - y, x + y) for x, y in zip(exact[i], exact[j], strict=True)]
        want[i, j] = want[j, i] = -float(sum(d**2 / total for d, total in terms if total))
    return want


@pytest.mark.every_target
@pytest.mark.parametrize("n", [3, 70])
@pytest.mark.parametrize("dtype", FLOATS)
def test_chi2_is_the_sum_of_its_terms(n, dtype):
    X = rows(n, 9, "chi2", dtype)
    X[1::3, ::2], X[2::5], X[0, 1] = 0, 0, np.finfo(dtype).smallest_subnormal
    want = sums_of_terms(X)
    found = kernel(X, "additive_chi2").expand()
    np.testing.assert_allclose(found, want, rtol=12 * np.finfo(float).eps + np.finfo(dtype).eps / 2)
    assert np.array_equal(kernel(X[::-1], "additive_chi2").expand(), found[::-1, ::-1])


def test_chi2_of_numbers_whose_sum_is_none():
    X = [[1e308, 1], [1.5e308, 1], [1.7e308, 1e-320], [0, 3e-320]]
    np.testing.assert_allclose(
        kernel(X, "additive_chi2").expand()[np.tril_indices(4, -1)],
        [-1e307, -(0.7**2) / 2.7 * 1e308, -(0.2**2) / 3.2 * 1e308, -1e308, -1.5e308, -1.7e308],
    )
    np.testing.assert_allclose(
        kernel([[1e-320], [3e-320], [1e308]], "additive_chi2")[0, 1], -1e-320, rtol=1e-3
    )
    assert kernel([[1.7e308, 0], [0, 1.7e308]], "additive_chi2").half.tolist() == [0, -np.inf, 0]
    assert kernel(X, "chi2").half.tolist() == kernel(X, "chi2", gamma=1e-3).half.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5, 0.7, np.inf])
def test_a_gamma_near_the_end_of_the_range_leaves_the_diagonal_at_one(nu, dtype):
    for gamma in (1e308, 1.7e308, 1e39):
        assert kernel(np.array([[1.0], [0]], dtype), "matern", gamma=gamma, nu=nu).half.tolist() == [1, 0, 1]
        assert kernel(np.array([[1.0], [0]], dtype), gamma=gamma).half.tolist() == [1, 0, 1]
        assert kernel(np.array([[1.0], [0]], dtype), "laplacian", gamma=gamma).half.tolist() == [1, 0, 1]
    assert kernel([[1e308], [0]], "matern", gamma=5e-324, nu=nu).half[1] == 0


@pytest.mark.parametrize("metric", ["rbf", "laplacian", "matern"])
def test_rows_far_apart_are_not_alike_and_nobody_is_warned(metric):
    for gamma in (1.0, 1e10, 1e200):
        assert kernel([[1e308], [0], [1e150]], metric, gamma=gamma).half.tolist() == [1, 0, 0, 1, 0, 1]


def test_powers_beyond_the_range_are_infinite():
    assert kernel([[1e150], [0]], "poly", gamma=1).half.tolist() == [np.inf, 1, 1]
    assert kernel(np.ones((1, 1), np.float32), "poly", coef0=1e200).half.tolist() == [np.inf]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_products_of_which_terms_leave_the_range(form):
    X = np.array([[1e200, 1e200, 0], [1e200, -1e200, 0], [2e-200, 1e-200, 0], [-1e200, 0, 1]])
    assert kernel(form(X), "linear").half.tolist() == [
        *(np.inf, 0, 3, -np.inf), *(np.inf, 1, -np.inf), *(5e-400, -2), np.inf,
    ]  # fmt: skip
    Y = np.array([[1e30, 1e30], [1e30, -1e30]], np.float32)
    assert kernel(form(Y), "linear").half.tolist() == [np.inf, 0, np.inf]
    assert kernel(form(X[[0, 3]]), "poly", gamma=0).half.tolist() == [1, 1, 1]
    assert np.allclose(kernel(form(X[[0, 3]]), "sigmoid", gamma=0).half, np.tanh(1), rtol=1e-15)


@pytest.mark.parametrize("metric", ["rbf", "laplacian", "matern", "chi2"])
def test_a_gamma_of_zero_tells_no_rows_apart(metric):
    assert kernel([[1.7e308, 0], [0, 1.7e308], [1, 0]], metric, gamma=0).half.tolist() == [1.0] * 6


@pytest.mark.parametrize("metric", ["chi2", "additive_chi2"])
def test_chi2_takes_no_negative_number_and_nothing_sparse(metric):
    X = rows(4, 3, metric)
    X[2, 1] = -0.5
    with pytest.raises(
        ValueError, match=r"X holds -0.5 in row 2, column 1, and metric 'a?.*chi2' takes counts, none"
    ):
        kernel(X, metric)
    with pytest.raises(
        TypeError, match=rf"X is sparse, and metric '{metric}' takes arrays: pass X.toarray\(\)"
    ):
        kernel(sparse.csr_array(np.eye(3)), metric)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metric": "rbff"}, ValueError, "unknown metric 'rbff': did you mean 'rbf'?"),
        ({"metric": "precomputed"}, ValueError, "unknown metric 'precomputed'"),
        (
            {"metric": max},
            TypeError,
            "metric is a function: vech.pairwise.from_blocks makes a half of one of blocks",
        ),
        (
            {"metric": "linear", "gamma": 1},
            TypeError,
            "metric 'linear' takes no gamma: 'polynomial', 'sigmoid', 'rbf'",
        ),
        ({"nu": 2}, TypeError, "metric 'rbf' takes no nu: 'matern' do"),
        ({"gamma": -1}, ValueError, "gamma is -1, and must be zero or a positive number"),
        ({"gamma": np.nan}, ValueError, "gamma is nan, and must be zero or a positive number"),
        ({"gamma": "scale"}, TypeError, "gamma must be a number, not 'scale' of type str"),
        (
            {"metric": "matern", "nu": 0},
            ValueError,
            "nu is 0, and must be above 0 and up to 100, or numpy.inf",
        ),
        (
            {"metric": "matern", "nu": 101},
            ValueError,
            "nu is 101, and must be above 0 and up to 100, or numpy.inf",
        ),
        ({"metric": "poly", "degree": True}, TypeError, "degree must be a number, not True of type bool"),
        ({"metric": "poly", "coef0": np.inf}, ValueError, "coef0 is inf, and must be a finite number"),
        (
            {"metric": "poly", "degree": 0.5},
            ValueError,
            "a negative number has no real power of 0.5: give a whole",
        ),
        (
            {"metric": "poly", "coef0": -(10**400)},
            ValueError,
            "coef0 is beyond float64, which ends at 1.8e308",
        ),
        ({"metric": "matern", "nu": 10**400}, ValueError, "nu is beyond float64"),
        ({"gamma": 10**400}, ValueError, "gamma is beyond float64"),
        ({"dtype": "foo"}, TypeError, "dtype must be float32 or float64, not 'foo': kernels are computed in"),
        ({"metric": "linear", "layout": "condensed"}, ValueError, "layout condensed stores no diagonal"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    X = np.array([[1.0, -2], [-3, 1]])
    with pytest.raises(error) as raised:
        kernel(X, **arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (
            np.zeros(3),
            ValueError,
            "X has shape (3,): it must be a matrix, (rows, columns), whose rows are compared",
        ),
        (
            np.ones((2, 2), complex),
            TypeError,
            "X holds complex128, and kernels are of real numbers: np.hstack",
        ),
        (np.zeros((2, 2), "M8[s]"), TypeError, "dates and times"),
        (np.ones((2, 2), object), TypeError, "dtype object holds Python objects"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(X, error, message):
    with pytest.raises(error) as raised:
        kernel(X)
    assert message in str(raised.value)


def test_a_gaussian_process_on_a_half_is_that_of_scikit_learn():
    process = pytest.importorskip("sklearn.gaussian_process")
    X = rows(60, 3)
    y = np.sin(X).sum(axis=1)
    K = kernel(X, "matern", nu=2.5, gamma=1 / (2 * 1.7**2)).add_diagonal(1e-3)
    factor = vech.linalg.cholesky(K)
    weights = factor.solve(y)
    matern = process.kernels.Matern(1.7, nu=2.5)
    other = process.GaussianProcessRegressor(matern, alpha=1e-3, optimizer=None).fit(X, y)
    np.testing.assert_allclose(weights, other.alpha_, rtol=1e-8)
    likelihood = -(y @ weights + factor.logdet() + len(y) * np.log(2 * np.pi)) / 2
    assert likelihood == pytest.approx(other.log_marginal_likelihood_value_, rel=1e-10)


@pytest.mark.skipif(not PAGE.exists(), reason="docs/pairwise.md is not beside the tests")
def test_the_page_names_every_kernel():
    section = PAGE.read_text(encoding="utf-8").split("## Kernels")[1].split("\n## ")[0]
    assert all(f"`{name}`" in section for name in KERNELS)


def test_every_entry_of_the_table_is_a_kernel():
    assert all(isinstance(one, Kernel) for one in KERNELS.values())
    assert set(METRICS) - {"poly"} | {"matern"} == set(KERNELS)
