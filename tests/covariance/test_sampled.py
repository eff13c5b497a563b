"""Gram matrices from some rows: what they are made of, that they are unbiased, the published error."""

import numpy as np
import pytest
from scipy.special import ndtri

import cases
import vech
from vech.covariance import sampled_gram

WAYS = ("norm", "leverage", "uniform")


def heavy(n=3000, p=12, seed=0):
    """Rows of very different size."""
    random = np.random.default_rng(seed)
    return random.normal(size=(n, p)) * random.pareto(3, (n, 1)) * np.geomspace(1, 1e-3, p)


def off(found, C):
    return np.linalg.norm(found.gram.expand() - C)


def probabilities(X, by):
    if by == "uniform":
        return np.full(len(X), 1 / len(X))
    if by == "leverage":
        X = np.linalg.qr(X)[0]
    squares = (X * X).sum(axis=1)
    return squares / squares.sum()


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_it_is_made_of_the_rows_and_weights_that_it_tells(by, dtype):
    X = (heavy() * 100).astype(dtype)
    found = sampled_gram(X, 500, by=by)
    assert found._fields == ("gram", "error", "bound", "rows", "weights")
    some = X[found.rows].astype("f8")
    want = some.T @ (found.weights[:, None] * some)
    eps = np.finfo("f4" if dtype == "float32" else "f8").eps
    np.testing.assert_allclose(found.gram.expand(), want, atol=200 * eps * np.abs(want).max())
    assert found.gram.dtype == ("float32" if dtype == "float32" else "float64")
    assert found.rows.dtype == np.int64 and (np.diff(found.rows) >= 0).all() and found.rows.size == 500
    if dtype == "float64":
        np.testing.assert_allclose(found.weights, 1 / (500 * probabilities(X, by)[found.rows]), rtol=1e-7)
    single = 500 * found.weights[:, None, None] * some[:, :, None] * some[:, None]
    variance = ((single - single.mean(axis=0)) ** 2).sum() / 500 / 499
    assert found.error == pytest.approx(np.sqrt(variance), rel=1e-4 if dtype == "float32" else 1e-9)
    again = sampled_gram(X, 500, by=by)
    assert np.array_equal(again.gram.half, found.gram.half) and again.error == found.error
    assert not np.array_equal(sampled_gram(X, 500, by=by, seed=1).rows, found.rows)


@pytest.mark.parametrize("by", WAYS)
def test_it_is_unbiased_and_so_is_the_square_of_its_error(by):
    X = heavy(400, 6)
    C, p, k = X.T @ X, probabilities(X, by), 60
    expected = (((X * X).sum(axis=1) ** 2 / p).sum() - (C * C).sum()) / k
    count = 100 if by == "leverage" else 400
    runs = [sampled_gram(X, k, by=by, seed=seed) for seed in range(count)]
    mean = np.mean([found.gram.expand() for found in runs], axis=0)
    assert np.linalg.norm(mean - C) < 4 * np.sqrt(expected / count)
    squares, told = np.array([off(found, C) ** 2 for found in runs]), np.array([f.error**2 for f in runs])
    for some in (squares, told):
        assert abs(some.mean() - expected) < 4 * some.std() / np.sqrt(count)
    assert runs[0].bound == pytest.approx(np.sqrt(expected + (C * C).sum() / k), rel=1e-7)
    assert np.sqrt(squares.mean()) < runs[0].bound


def test_the_published_errors_of_heavy_rows():
    """Relative errors of 2000 of 20,000 rows of 128: uniform 1.48, norm .228, leverage .229."""
    sizes = np.exp(1.01 * ndtri((np.arange(20_000) + 0.5) / 20_000))
    X = np.random.default_rng(1).normal(size=(20_000, 128)) * sizes[:, None]
    C = X.T @ X
    size = np.linalg.norm(C)
    uniform, norm, leverage = (sampled_gram(X, 2000, by=by) for by in ("uniform", "norm", "leverage"))
    assert off(norm, C) / size == pytest.approx(0.228, rel=0.08)
    assert off(leverage, C) / size == pytest.approx(0.229, rel=0.08)
    assert off(uniform, C) > 4 * off(norm, C) and uniform.bound / size == pytest.approx(1.48, rel=0.05)
    for found in (norm, leverage):
        assert found.error == pytest.approx(off(found, C), rel=0.2) and off(found, C) < found.bound
    assert norm.bound == pytest.approx((X * X).sum() / np.sqrt(2000), rel=1e-12)
    with_more = sampled_gram(X, 8000)
    assert off(with_more, C) < 0.6 * off(norm, C) and with_more.bound == pytest.approx(norm.bound / 2)


def test_leverage_sees_directions_in_which_all_rows_are_short():
    random = np.random.default_rng(2)
    X = random.normal(size=(5000, 4)) * [1, 1, 1, 0]
    X[:20, 3] = 1e-3  # a direction of few and short rows
    ways = {by: [sampled_gram(X, 300, by=by, seed=seed).gram[3, 3] for seed in range(8)] for by in WAYS}
    exact = 20 * 1e-6
    assert np.abs(np.array(ways["leverage"]) / exact - 1).max() < 0.6
    assert min(ways["norm"]) == 0 or max(ways["norm"]) > 2 * exact


def test_rows_of_zeros_and_columns_that_depend_on_others():
    zeros = sampled_gram(np.zeros((5, 3)), 4, by="leverage")
    assert not zeros.gram.expand().any() and zeros.error == zeros.bound == 0
    X = heavy(200, 3)
    X = np.hstack([X, X[:, :1] + X[:, 1:2], np.zeros((200, 1))])
    X[::2] = 0
    for by in WAYS:
        found = sampled_gram(X, 400, by=by)
        assert off(found, X.T @ X) < 6 * found.error
    assert (found.rows % 2 == 0).any()  # uniform takes rows of zeros too
    assert (sampled_gram(X, 400).rows % 2 == 1).all() and (sampled_gram(X, 400, by="leverage").rows % 2).all()


@pytest.mark.parametrize("by", WAYS)
def test_frames_blocks_and_maps_give_the_same(by, tmp_path):
    pandas = pytest.importorskip("pandas")
    X = heavy(500, 5)
    want = sampled_gram(X, 70, by=by)
    frame = sampled_gram(pandas.DataFrame(X, columns=list("abcde")), 70, by=by)
    assert frame.gram.labels == tuple("abcde") and np.array_equal(frame.rows, want.rows)
    np.testing.assert_allclose(frame.gram.half, want.gram.half, rtol=1e-12, atol=1e-12)
    blocks = sampled_gram(lambda: iter((X[:123], X[123:])), 70, by=by)
    assert np.array_equal(blocks.rows, want.rows)
    np.testing.assert_allclose(blocks.gram.half, want.gram.half, rtol=1e-12, atol=1e-12)
    mapped = np.memmap(tmp_path / "X", np.float64, "w+", shape=X.shape)
    mapped[...] = X
    assert np.array_equal(
        sampled_gram(mapped, 70, by=by, layout="numpy-triu").gram.expand(), want.gram.expand()
    )
    fortran = sampled_gram(np.asfortranarray(X), 70, by=by)
    np.testing.assert_allclose(fortran.gram.half, want.gram.half, rtol=1e-12, atol=1e-12)


def test_where_it_goes(tmp_path):
    X = heavy(500, 5)
    want, told = sampled_gram(X, 70), []
    half = np.empty(15)
    into = sampled_gram(X, 70, out=half, progress=lambda *done: told.append(done))
    assert into.gram.half is half and np.array_equal(half, want.gram.half) and told[-1] == (70, 70)
    filed = sampled_gram(X, 70, out=tmp_path / "gram.npy")
    np.testing.assert_allclose(vech.read(tmp_path / "gram.npy").half, want.gram.half, rtol=1e-12)
    again = sampled_gram(X, 70, out=tmp_path / "gram.npy", resume=True)
    assert again.error == filed.error == pytest.approx(want.error) and again.bound == want.bound
    with pytest.raises(ValueError, match="seed"):
        sampled_gram(X, 70, seed=1, out=tmp_path / "gram.npy", resume=True)


REFUSED = [
    ({"samples": 1}, ValueError, "samples is 1: at least 2 rows say how far off they are"),
    ({"samples": 2.5}, TypeError, "samples must be an integer, not 2.5"),
    ({"seed": -1}, ValueError, "seed is -1: it is 0 or more"),
    ({"by": "size"}, ValueError, "by"),
    ({"layout": "condensed"}, ValueError, "diagonal"),
    (
        {"X": np.array([[1.0, np.nan]])},
        ValueError,
        r"X has 1 NaN, the first in row 0, column 1: drop those row",
    ),
    ({"X": np.array([[1.0, np.inf]])}, ValueError, r"X has 1 infinite number.*row 0, column 1"),
    ({"X": np.empty((0, 3))}, ValueError, r"X has shape \(0, 3\): there are no rows to compute with"),
    ({"X": np.full((3, 2), 1e200)}, OverflowError, "sums of squares of X exceed float64.*scale X first"),
    ({"X": np.ones((3, 2), "f4") * 1e20}, OverflowError, "exceed float32"),
    (
        {"X": iter([np.ones((3, 2))])},
        TypeError,
        "sampled_gram reads X twice, and an iterator can be read onc",
    ),
    ({"X": np.ones((3, 2)) * 1j}, TypeError, r"this is defined for real numbers: pass np\.real\(X\)"),
]


@cases.each(("options", "error", "said"), REFUSED)
def test_what_does_not_fit_is_refused(options, error, said):
    with pytest.raises(error, match=said):
        sampled_gram(**{"X": heavy(20, 3), "samples": 5} | options)


@pytest.mark.parametrize("by", WAYS)
def test_the_unit_of_x_does_not_matter(by):
    X = heavy(300, 4)
    for scale in (2.0**-300, 2.0**300):
        found, want = sampled_gram(X * scale, 40, by=by), sampled_gram(X, 40, by=by)
        assert np.array_equal(found.rows, want.rows)
        np.testing.assert_allclose(found.gram.half, want.gram.half * scale**2, rtol=1e-12)
        assert found.error == pytest.approx(want.error * scale**2, rel=1e-9)


@pytest.mark.parametrize("samples", [2**40, 2**62, 2**63, 10**400])
def test_more_rows_than_memory_holds_are_refused(samples):
    with pytest.raises(
        MemoryError, match=r"^the result needs \d+ bytes .*: samples is \d+.*, and the rows drawn"
    ):
        sampled_gram(heavy(), samples)
