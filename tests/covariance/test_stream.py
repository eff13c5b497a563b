"""Streams: rows in any order of updates, merges and removals give what all rows at once give."""

import copy
import pickle
import re

import numpy as np
import pytest

from vech import covariance
from vech.covariance import Stream, moments

RNG = np.random.default_rng(9)
METHODS = {"sample": {}, "correlation": {}, "gerber": {"thresholds": 0.75}}

BEYOND = 41  # columns, too many for a square and for one panel where these are small


@pytest.fixture(autouse=True)
def small_squares(monkeypatch):
    monkeypatch.setattr(moments, "SQUARE", 40)
    monkeypatch.setattr(moments, "PANEL", 16)


def rows(n, p=5):
    """Multiples of 1/4: their sums are exact."""
    return RNG.integers(-9, 10, (n, p)) / 4


def batch(method, X, thresholds=0.75):
    if method == "sample":
        return np.cov(X, rowvar=False)
    if method == "correlation":
        return np.corrcoef(X, rowvar=False)
    return counted(X, thresholds)


def counted(X, thresholds, center=0.0, form="gs1"):
    """The Gerber statistic by loops over pairs and rows."""
    p = X.shape[1]
    found = np.empty((p, p))
    moves = (center + thresholds <= X).astype(int) - (center - thresholds >= X)
    for i in range(p):
        for j in range(p):
            a, b = moves[:, i], moves[:, j]
            over, both = int((a * b).sum()), int((a * b != 0).sum())
            under = {"gs0": both, "gs1": int(((a != 0) | (b != 0)).sum())}.get(form)
            found[i, j] = over / (np.sqrt((a @ a) * (b @ b)) if under is None else under)
    return found


def assert_near(store, want, method):
    exact = method == "gerber"
    assert np.abs(store.expand() - want).max() <= (1e-15 if exact else 1e-12 * np.abs(want).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("layout", ("vech", "numpy-tril"))
def test_any_order_of_updates_merges_and_removals_is_the_batch(method, layout):
    for _ in range(6):
        pieces = [rows(n) for n in RNG.permutation([1, 2, 7, 40, 130])]
        gone = rows(9)
        one, two = Stream(method, **METHODS[method]), Stream(method, **METHODS[method])
        steps = [(RNG.choice([one, two]), piece) for piece in pieces]
        one.update(gone)
        for stream, piece in steps:
            stream.update(piece)
        one.remove(gone[:4])
        one.merge(two)
        one.remove(gone[4:])
        everything = np.concatenate(pieces)
        assert one.n_samples == 180
        assert_near(one.result(layout=layout), batch(method, everything), method)


@pytest.mark.parametrize("method", METHODS)
def test_a_result_at_any_time_changes_nothing(method):
    X, stream = rows(60), Stream(method, **METHODS[method])
    for end in range(20, 61, 10):
        stream.update(X[end - 10 : end] if end > 20 else X[:20])
        first, second = stream.result(), stream.result()
        assert np.array_equal(first.half, second.half)
        assert_near(first, batch(method, X[:end]), method)


@pytest.mark.parametrize("p", (3, BEYOND))
@pytest.mark.parametrize("dtype", ("float64", "float32", "complex128"))
def test_streams_of_any_side_and_dtype(p, dtype):
    X = (RNG.normal(size=(60, p)) + 5).astype(dtype)
    if dtype == "complex128":
        X += 1j * RNG.normal(size=X.shape)
    one, two = Stream(), Stream()
    one.update(X[:20])
    two.update(X[20:50])
    one.merge(two)
    one.update(X)
    one.remove(X[:50])
    want = np.cov(np.concatenate([X]), rowvar=False)
    assert one.n_samples == 60
    assert one.result().dtype == dtype
    assert (
        np.abs(one.result().expand() - want).max()
        < (1e-4 if dtype == "float32" else 1e-12) * np.abs(want).max()
    )
    near = 1e-4 if dtype == "float32" else 1e-12
    assert np.abs(two.result().expand() - np.cov(X[20:50], rowvar=False)).max() < near * np.abs(want).max()


def test_streams_keep_their_digits_at_an_offset():
    X = rows(4000) + 1e8
    one, two = Stream(), Stream()
    for part in np.array_split(X[:2000], 100):
        one.update(part)
    two.update(X[2000:])
    one.merge(two)
    want = np.cov(X - 1e8, rowvar=False)
    assert np.abs(one.result().expand() - want).max() < 1e-10 * want.max()
    far = Stream()
    far.update(rows(4000))
    far.merge(two)
    assert far.result()[0, 0] == pytest.approx(1e16 * 4000 * 2000 / 6000 / 5999, rel=1e-6)


def test_the_counts_of_gerber_are_exact_beyond_16_bits():
    X = np.ones((70_001, 2))
    X[1::2, 1] = -1
    stream = Stream("gerber", thresholds=[1, 1])
    stream.update(X[:65_000])
    stream.update(X[65_000:])
    assert stream.result()[0, 1] == 1 / 70_001
    stream.remove(X[:70_000])
    assert np.array_equal(stream.result().half, [1, 1, 1])


@pytest.mark.parametrize("form", ("gs0", "gs1", "gs2"))
def test_options_of_gerber_count(form):
    X = rows(200)
    thresholds, center, scale = np.linspace(0.25, 1.5, 5), np.linspace(-0.5, 0.5, 5), np.arange(1.0, 6)
    stream = Stream("gerber", thresholds=thresholds, center=center, form=form, scale=scale)
    stream.update(iter(np.array_split(X, 3)))
    want = counted(X, thresholds, center, form) * np.multiply.outer(scale, scale)
    assert np.allclose(stream.result().expand(), want, rtol=1e-14)


def test_a_stream_merged_with_itself_has_its_rows_twice():
    X = rows(30)
    for method, options in METHODS.items():
        stream = Stream(method, **options)
        stream.update(X)
        twin = stream.copy()
        stream.merge(stream)
        assert (stream.n_samples, twin.n_samples) == (60, 30)
        assert_near(stream.result(), batch(method, np.concatenate([X, X])), method)
        assert_near(twin.result(), batch(method, X), method)


def test_merging_with_an_empty_stream_changes_nothing():
    X, stream, empty = rows(30), Stream(), Stream()
    stream.update(X)
    stream.merge(empty)
    assert_near(stream.result(), np.cov(X, rowvar=False), "sample")
    empty.merge(stream)
    stream.update(X)
    assert_near(empty.result(), np.cov(X, rowvar=False), "sample")


def test_all_rows_may_be_taken_away():
    X, stream = rows(30), Stream()
    stream.update(X)
    stream.remove(X)
    assert stream.n_samples == 0
    with pytest.raises(ValueError, match=r"^the stream has no rows: update it first$"):
        stream.result()
    stream.update(X + 100)
    assert_near(stream.result(), np.cov(X, rowvar=False), "sample")


@pytest.mark.parametrize("dtype", ("float64", "float32", "complex128"))
@pytest.mark.parametrize("method", ("sample", "correlation"))
@pytest.mark.parametrize("wrap", (np.asarray, lambda X: iter([X[:3], X[3:]])), ids=("array", "blocks"))
def test_weights_of_updates_are_those_of_the_batch(wrap, method, dtype):
    X = (RNG.normal(size=(90, 5)) + 5).astype(dtype)
    weights = np.concatenate([RNG.uniform(0.1, 3, size=80), np.ones(10)])
    one, two = Stream(method), Stream(method)
    one.update(wrap(X[:40]), weights=weights[:40])
    two.update(wrap(X[20:80]), weights=weights[20:80])
    one.remove(wrap(X[20:40]), weights=weights[20:40])
    one.merge(two)
    one.update(X[80:])
    want = getattr(covariance, method)(X, weights=weights)
    assert one.n_samples == 90
    np.testing.assert_allclose(
        one.result().half,
        want.half,
        rtol=2e-4 if dtype == "float32" else 1e-11,
        atol=1e-6 if dtype == "float32" else 1e-13,
    )


@pytest.mark.parametrize("wrap", (np.asarray, lambda X: iter([X[:3], X[3:]])))
def test_weights_that_do_not_fit_change_nothing(wrap):
    X = rows(10)
    stream = Stream()
    stream.update(X, weights=np.arange(10.0))
    before = stream.result().half
    for count in (9, 11):
        refuses(ValueError, f"^there are {count} weights for", stream.update, wrap(X), weights=np.ones(count))
    refuses(ValueError, "^the largest weight is 1e-200", stream.update, wrap(X), weights=np.full(10, 1e-200))
    refuses(
        ValueError,
        "^the rows that would remain have no weight",
        stream.remove,
        wrap(X[1:]),
        weights=np.arange(1, 10.0),
    )
    refuses(TypeError, "takes no weights=", Stream("gerber", thresholds=1).update, X, weights=np.ones(10))
    assert stream.n_samples == 10 and np.array_equal(stream.result().half, before)


@pytest.mark.parametrize("p", (4, BEYOND))
def test_what_removals_leave_of_rounding_is_no_correlation(p):
    for seed in range(5):
        X = np.random.default_rng(seed).normal(size=(60, p))
        stream, other = Stream("correlation"), Stream("correlation")
        stream.update(X)
        stream.update(np.full((3, p), 0.1))
        stream.remove(X)
        refuses(ValueError, "^column 0 of X is constant", stream.result)
        other.merge(stream)
        refuses(ValueError, "^column 0 of X is constant", other.result)
        stream.update(X[:30])
        stream.remove(np.full((3, p), 0.1))
        assert np.abs(stream.result().expand() - np.corrcoef(X[:30], rowvar=False)).max() < 1e-11


def test_counts_never_fall_below_zero():
    X = rows(30)
    stream = Stream("gerber", thresholds=0.5)
    stream.update(X[:10])
    before = stream.result().half
    refuses(ValueError, "^these rows cannot be taken away", stream.remove, np.full((5, 5), 9.0))
    refuses(ValueError, "^these rows cannot be taken away", stream.remove, X[20:25])
    assert stream.n_samples == 10 and np.array_equal(stream.result().half, before)
    other = Stream("gerber", thresholds=1)
    other.update(np.ones((2, 2)))
    refuses(ValueError, "^these rows cannot be taken away", other.remove, np.array([[1, -1]]))


def refuses(kind, message, call, *arguments, **options):
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert re.search(message, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_a_refused_update_changes_nothing(method, monkeypatch):
    monkeypatch.setattr("vech.covariance.data.BLOCK_BYTES", 8 * 5 * 10)  # blocks of ten rows
    X, stream = rows(40), Stream(method, **METHODS[method])
    stream.update(X)
    hole = X.copy()
    hole[35, 1] = np.nan
    refuses(ValueError, "^X has 1 NaN, the first in row 35, column 1", stream.update, hole)
    refuses(ValueError, "infinite", stream.update, np.where(np.isnan(hole), np.inf, hole))
    refuses(ValueError, "^X has 4 columns, and the stream 5$", stream.update, X[:, :4])
    refuses(ValueError, "^41 rows cannot be taken from the 40 that", stream.remove, rows(41))
    assert stream.n_samples == 40
    assert_near(stream.result(), batch(method, X), method)


def test_streams_that_differ_are_not_merged():
    one, two = Stream(), Stream("correlation")
    refuses(ValueError, "^the streams differ in method, sample and correlation: merge like", one.merge, two)
    refuses(ValueError, "^the streams differ in ddof, 1 and 0", one.merge, Stream(ddof=0))
    first, second = Stream("gerber", thresholds=1), Stream("gerber", thresholds=[1, 1])
    refuses(ValueError, "^the streams differ in thresholds", first.merge, second)
    refuses(TypeError, "^a Stream is merged with a Stream, not with ndarray", one.merge, rows(3))
    one.update(rows(9))
    three = Stream()
    three.update(rows(9, 4))
    refuses(ValueError, "^the other stream has 4 columns, and the stream 5", one.merge, three)
    four = Stream()
    four.update(rows(9).astype("f4"))
    refuses(
        TypeError, "^the other stream is computed with in float32, and the stream in float64", one.merge, four
    )


def test_labels_are_kept_and_must_agree():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(9, 3), columns=list("abc"))
    stream, other = Stream(), Stream()
    stream.update(frame)
    stream.update(frame.to_numpy())
    assert stream.result().labels == ("a", "b", "c")
    refuses(
        ValueError,
        "^column 0 is 'a' in the stream and 'c' in X: give both",
        stream.update,
        frame[["c", "b", "a"]],
    )
    other.update(frame.rename(columns={"c": "d"}))
    refuses(ValueError, "^column 2 is 'c' in the stream and 'd' in the other stream", stream.merge, other)


def test_options_are_checked():
    refuses(ValueError, "unknown method 'kendall'", Stream, "kendall")
    refuses(
        ValueError, "^a Gerber stream counts against thresholds that stay: say thresholds=", Stream, "gerber"
    )
    refuses(TypeError, "^method='sample' takes no thresholds=$", Stream, thresholds=1)
    refuses(TypeError, "^method='gerber' takes no ddof=$", Stream, "gerber", thresholds=1, ddof=0)
    refuses(ValueError, "unknown form 'gs3'", Stream, "gerber", thresholds=1, form="gs3")
    refuses(
        ValueError,
        "^thresholds has 0.0: each must be finite and more than 0$",
        Stream,
        "gerber",
        thresholds=[1, 0],
    )
    refuses(
        ValueError, "^center has nan: each must be finite$", Stream, "gerber", thresholds=1, center=np.nan
    )
    refuses(TypeError, "^thresholds must be a number, or a vector", Stream, "gerber", thresholds="one")
    stream = Stream("gerber", thresholds=[1, 2])
    refuses(ValueError, "^there are 2 thresholds for 5 columns$", stream.update, rows(3))
    assert stream.n_samples == 0


def test_correlation_of_a_constant_column_is_refused():
    stream = Stream("correlation")
    stream.update(np.ones((3, 2)))
    refuses(ValueError, "column 0 of X is constant", stream.result)
    assert covariance.Stream is Stream


def bad_blocks(X):
    hole = X.copy()
    hole[3, 1] = np.nan
    return {
        "NaN": lambda: iter([X, hole]),
        "infinity": lambda: iter([X, np.where(np.isnan(hole), np.inf, hole)]),
        "width": lambda: iter([X, X[:, :4]]),
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bad", bad_blocks(rows(4)))
def test_an_iterator_with_a_bad_block_changes_nothing(method, bad):
    X = rows(40)
    stream, fresh = Stream(method, **METHODS[method]), Stream(method, **METHODS[method])
    stream.update(X)
    before = stream.result().half.copy()
    for change in (stream.update, stream.remove):
        with pytest.raises(ValueError):
            change(bad_blocks(X[:10])[bad]())
        assert stream.n_samples == 40
        assert np.array_equal(stream.result().half, before)
    with pytest.raises(ValueError):
        fresh.update(bad_blocks(X)[bad]())
    assert fresh.n_samples == 0
    fresh.update(X[:, :3])
    assert_near(fresh.result(), batch(method, X[:, :3]), method)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("wrap", (np.asarray, lambda X: iter([X])))
def test_an_overflow_changes_nothing(wrap):
    X, stream = rows(40), Stream()
    stream.update(X)
    before = stream.result().half.copy()
    refuses(OverflowError, "^sums of squares of X exceed float64", stream.update, wrap(X * 1e200))
    assert stream.n_samples == 40
    assert np.array_equal(stream.result().half, before)


def test_more_rows_than_there_are_cannot_be_taken_away_by_an_iterator():
    X, stream = rows(40), Stream()
    stream.update(X)
    refuses(ValueError, "^30 rows cannot be taken from the 10", stream.remove, iter([X[:30], X[:30]]))
    assert_near(stream.result(), np.cov(X, rowvar=False), "sample")


@pytest.mark.parametrize("p", (5, BEYOND))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("twin_of", (lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy))
def test_streams_are_pickled_and_deeply_copied(method, twin_of, p):
    X, stream = rows(60, p), Stream(method, **METHODS[method])
    stream.update(X[:30])
    twin = twin_of(stream)
    before = stream.result().half.copy()
    twin.update(X[30:])
    assert np.array_equal(stream.result().half, before)
    assert twin.n_samples == 60
    assert_near(twin.result(), batch(method, X), method)


def test_scales_are_not_negative_and_ddof_is_a_number():
    message = "^scale has -1.0: each must be finite and not negative$"
    refuses(ValueError, message, Stream, "gerber", thresholds=1, scale=[-1, 1, 1])
    refuses(TypeError, "^ddof must be a finite number", Stream, ddof="1")
