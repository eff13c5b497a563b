"""Means that are known to be zero, and NaN that counts as a mean, in every estimator that has them."""

import numpy as np
import pytest
from sklearn import covariance as peers

import cases
import vech
from vech import covariance
from vech.covariance import moments

RNG = np.random.default_rng(17)
SHAPES = ((60, 12), (30, 80), (20, 20), (40, 1))  # the second one beyond a square
ESTIMATORS = {
    "sample": covariance.sample,
    "correlation": covariance.correlation,
    "identity": covariance.ledoit_wolf,
    "constant": lambda X, **how: covariance.ledoit_wolf(X, "constant-correlation", **how),
    "oas": covariance.oas,
    "nonlinear": covariance.nonlinear,
    "denoise": covariance.denoise,
}


@pytest.fixture(autouse=True)
def small_squares(monkeypatch):
    monkeypatch.setattr(moments, "SQUARE", 40)
    monkeypatch.setattr(moments, "PANEL", 16)


every_estimator = cases.each("name", list(ESTIMATORS))


def offset(rows, columns):
    return RNG.normal(size=(rows, columns)) * np.linspace(1, 3, columns) + 0.3


def holed(X, share=0.1):
    """X with holes; X with the mean of what is there in these; X with zeros."""
    holes = RNG.random(X.shape) < share
    gone = np.where(holes, np.nan, X)
    return gone, np.where(holes, np.nanmean(gone, axis=0), X), np.where(holes, 0, X)


def assert_same(found, want, tolerance=1e-9):
    got, want = (np.asarray(x.expand() if isinstance(x, vech.Packed) else x) for x in (found, want))
    assert np.abs(got - want).max() <= tolerance * np.abs(want).max()


# ---- known means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
def test_products_are_summed_as_they_are(shape, layout):
    X = offset(*shape)
    second = X.T @ X
    options = {"assume_centered": True, "layout": layout}
    assert_same(covariance.sample(X, **options), second / len(X))
    assert_same(covariance.sample(X, ddof=1, **options), second / (len(X) - 1))
    sizes = np.sqrt(second.diagonal())
    found = covariance.correlation(X, **options)
    assert_same(found, second / np.multiply.outer(sizes, sizes))
    assert np.array_equal(found.diagonal(), np.ones(shape[1]))
    weights = RNG.random(len(X))
    assert_same(covariance.sample(X, weights=weights, **options), (X.T * weights) @ X / weights.sum())
    narrow = covariance.sample(X.astype("f4"), **options)
    assert narrow.dtype == np.float32
    assert_same(narrow, second / len(X), 1e-5)
    Z = X + 1j * offset(*shape)
    assert_same(covariance.sample(Z, **options), Z.T @ Z.conj() / len(X))


@pytest.mark.parametrize("shape", SHAPES)
def test_shrinkage_about_zero_is_that_of_scikit_learn(shape):
    X = offset(*shape)
    for call, peer in ((covariance.ledoit_wolf, peers.ledoit_wolf), (covariance.oas, peers.oas)):
        found, intensity = call(X, assume_centered=True, return_shrinkage=True)
        want, intended = peer(X, assume_centered=True)
        assert_same(found, want)
        assert intensity == pytest.approx(intended, rel=1e-9, abs=1e-14)


@every_estimator
def test_a_known_mean_of_zero_is_that_of_rows_and_their_negatives(name):
    """Of which the mean is zero in any case; and ddof = 0, since nothing is estimated."""
    X = offset(40, 6)
    both = np.concatenate([X, -X])
    options = {"ddof": 0} if name in ("sample", "correlation", "denoise") else {}
    call = ESTIMATORS[name]
    if name == "nonlinear":  # one more row counts
        assert_same(call(both, assume_centered=True), call(both), 0.05)
    else:
        assert_same(call(both, assume_centered=True), call(both, **options))
    blocks = call(lambda: iter(np.array_split(both, 7)), assume_centered=True)
    assert_same(blocks, call(both, assume_centered=True))


def shrunk(X):
    """`nonlinear` with its own formula, of eigenvalues about zero; n rows, and more of these than columns."""
    n, p = X.shape
    values, vectors = np.linalg.eigh(X.T @ X / n)
    width = n ** (-1 / 3)
    x = (values[:, None] - values) / (width * values)
    density = (3 / 4 / np.sqrt(5) * np.maximum(1 - x**2 / 5, 0) / (width * values)).mean(axis=1)
    with np.errstate(divide="ignore"):
        log = np.log(np.abs((np.sqrt(5) - x) / (np.sqrt(5) + x)))
    hilbert = -3 / 10 / np.pi * x + 3 / 4 / np.sqrt(5) / np.pi * (1 - x**2 / 5) * log
    hilbert = (hilbert / (width * values)).mean(axis=1)
    c = p / n
    under = (np.pi * c * values * density) ** 2 + (1 - c - np.pi * c * values * hilbert) ** 2
    return (vectors * (values / under)) @ vectors.T


def test_nonlinear_shrinkage_of_known_means_has_all_rows():
    X = offset(60, 7)
    assert_same(covariance.nonlinear(X, assume_centered=True), shrunk(X))
    X = offset(20, 40)
    found, values = covariance.nonlinear(X, assume_centered=True, return_shrinkage=True)
    assert np.allclose(np.linalg.eigvalsh(found.expand()), np.sort(values))
    assert (np.diff(np.sort(values)) > 1e-12).sum() == 20  # one floor, and as many more as there are rows
    square = covariance.nonlinear(offset(20, 20), assume_centered=True)
    assert np.linalg.eigvalsh(square.expand()).min() > 0


def test_pairs_of_rows_may_have_known_means():
    X, filled = holed(offset(50, 6), 0.3)[::2]
    there = ~np.isnan(X)
    common = there.T.astype(float) @ there
    products = filled.T @ filled
    found = covariance.sample(X, missing="pairwise", assume_centered=True)
    assert_same(found, products / common)
    squares = (filled**2).T @ there
    want = products / np.sqrt(squares * squares.T)
    found = covariance.correlation(X, missing="pairwise", assume_centered=True)
    assert_same(found, want)
    X[:, 2] = np.where(there[:, 0], 0, X[:, 2])
    message = "^column 2 of X is constant in the .* rows that it has in common with column 0"
    with pytest.raises(ValueError, match=message):
        covariance.correlation(X, missing="pairwise", assume_centered=True)
    X[:, 2] = np.where(there[:, 0], 5, X[:, 2])  # a constant that is not zero has a cosine
    assert np.isfinite(covariance.correlation(X, missing="pairwise", assume_centered=True).half).all()


def test_a_constant_column_varies_about_zero():
    X = offset(30, 3)
    X[:, 1] = 2
    assert covariance.sample(X, assume_centered=True)[1, 1] == 4
    assert covariance.correlation(X, assume_centered=True)[1, 1] == 1
    X[:, 1] = 0
    with pytest.raises(ValueError, match=r"^column 1 of X is constant, and its correlation is 0/0"):
        covariance.correlation(X, assume_centered=True)
    X[:, 1] = 1e-170
    with pytest.raises(ValueError, match="underflow float64, first in column 1: scale X first"):
        covariance.sample(X, assume_centered=True)


def test_one_row_has_products_about_zero():
    X = offset(1, 3)
    assert_same(covariance.sample(X, assume_centered=True), X.T @ X)
    for name in ("identity", "constant", "oas"):
        with pytest.raises(ValueError, match=r"^X has 1 row: an intensity of shrinkage"):
            ESTIMATORS[name](X, assume_centered=True)


def test_an_offset_is_kept_where_it_is_assumed_away():
    X = RNG.integers(-8, 9, (40, 3)) + 2.0**20
    assert np.array_equal(covariance.sample(X, assume_centered=True).expand(), X.T @ X / 40)


# ---- NaN that counts as a mean -----------------------------------------------------------------------------


@every_estimator
@cases.each("shape", SHAPES[:3])
@cases.each("dtype", ("f8", "f4"))
def test_neutral_is_a_complete_x_with_means_or_zeros(name, shape, dtype):
    X, means, zeros = (x.astype(dtype) for x in holed(offset(*shape)))
    call, near = ESTIMATORS[name], 1e-9 if dtype == "f8" else 2e-3 if name == "nonlinear" else 2e-5
    found = call(X, missing="neutral")
    assert found.dtype == dtype
    assert_same(found, call(means), near)
    assert_same(call(X, missing="neutral", assume_centered=True), call(zeros, assume_centered=True), near)


@pytest.mark.parametrize("name", ("identity", "constant", "oas"))
def test_the_intensity_of_what_is_filled_is_given(name):
    X, means, _ = holed(offset(50, 8))
    found = ESTIMATORS[name](X, missing="neutral", return_shrinkage=True)[1]
    assert found == pytest.approx(ESTIMATORS[name](means, return_shrinkage=True)[1], rel=1e-9)
    blocks = ESTIMATORS[name](lambda: iter(np.array_split(X, 9)), missing="neutral", return_shrinkage=True)
    assert blocks[1] == pytest.approx(found, rel=1e-9)


@every_estimator
def test_nan_is_an_error_unless_it_is_said_what_it_counts_as(name):
    X = holed(offset(30, 3))[0]
    X[4, 1] = np.nan
    call = ESTIMATORS[name]
    for centered in (False, True):
        with pytest.raises(
            ValueError, match=r"^X has \d+ NaN, the first .*or say how they count: missing='neu"
        ):
            call(X, assume_centered=centered)
    with pytest.raises(TypeError, match=r"reads X twice, and an iterator can be read once"):
        call(iter([X]), missing="neutral")
    X[3, 2] = np.inf
    with pytest.raises(ValueError, match=r"infinite number.* in row 3, column 2"):
        call(X, missing="neutral")
    with pytest.raises(TypeError, match="mask"):
        call(np.ma.masked_invalid(X), missing="neutral")


@every_estimator
def test_labels_are_kept(name):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(holed(offset(30, 3))[0], columns=["a", "b", "c"])
    assert ESTIMATORS[name](frame, missing="neutral", assume_centered=True).labels == ("a", "b", "c")
