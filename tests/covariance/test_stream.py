"""Streams: rows in any order of updates, merges and removals give what all rows at once give."""

import copy
import pickle
import re
import time

import numpy as np
import pytest

from interrupts import at_every, interrupted_after
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


# ---------------------------------------------------------------- all or nothing


def state_of(stream):
    return stream.n_samples, stream.result().half


CHANGES = {
    "update": lambda stream, X, other: stream.update(X[:36]),
    "blocks": lambda stream, X, other: stream.update(iter([X[:3], X[3:9]])),
    "remove": lambda stream, X, other: stream.remove(X[:34]),
    "merge": lambda stream, X, other: stream.merge(other),
    "result": lambda stream, X, other: stream.result(),
    "copy": lambda stream, X, other: stream.copy(),
}


@pytest.mark.parametrize("p", (3, BEYOND))
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("change", CHANGES)
def test_ctrl_c_at_any_step_leaves_all_rows_or_none(change, method, p):
    X = rows(40, p)
    base, other = Stream(method, **METHODS[method]), Stream(method, **METHODS[method])
    base.update(X)
    other.update(X[5:20] + 1)
    before, others = state_of(base), state_of(other)
    done = base.copy()
    CHANGES[change](done, X, other)
    after = state_of(done)
    streams = []

    def fresh():
        streams.append(base.copy())
        return lambda: CHANGES[change](streams[-1], X, other)

    stride = {"copy": 1, "result": 29}.get(change, 13 if p == 3 else 101)
    for step in at_every(stride, fresh):
        count, half = state_of(streams[-1])
        want = before if count == before[0] else after
        assert count == want[0] and np.array_equal(half, want[1]), step
        if step % 3 == 0 and count == before[0]:  # and it goes on as if nothing had been
            CHANGES[change](streams[-1], X, other)
            assert np.array_equal(state_of(streams[-1])[1], after[1])
    assert len(streams) > 3
    for stream, want in ((base, before), (other, others)):
        assert stream.n_samples == want[0] and np.array_equal(stream.result().half, want[1])


@pytest.mark.parametrize("method", METHODS)
def test_the_first_update_is_all_or_nothing_too(method):
    frame = pytest.importorskip("pandas").DataFrame(rows(9, 3), columns=list("abc"))
    streams = []

    def fresh():
        streams.append(Stream(method, **METHODS[method]))
        return lambda: streams[-1].update(frame)

    for _ in at_every(17, fresh):
        if streams[-1].n_samples:
            assert streams[-1].n_samples == 9 and streams[-1].result().labels == ("a", "b", "c")
        else:
            streams[-1].update(rows(5, 4))  # of other columns: nothing is known yet
    assert len(streams) > 20


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_in_a_kernel_leaves_all_rows_or_none(method):
    X, more = RNG.normal(size=(200, 150)), RNG.normal(size=(2000, 150))
    base = Stream(method, **METHODS[method])
    base.update(X)
    before = base.result().half
    start = time.perf_counter()
    done = base.copy()
    done.update(more)
    seconds, after = time.perf_counter() - start, done.result().half

    for share in np.linspace(0.1, 0.9, 5):
        stream = base.copy()

        def once(stream=stream):
            if stream.n_samples == 200:
                stream.update(more)

        interrupted_after(seconds * share, once)
        want = {200: before, 2200: after}[stream.n_samples]
        assert np.allclose(stream.result().half, want, rtol=1e-12, atol=1e-12)


def test_variances_beyond_float32_are_an_error():
    X, stream, other = rows(9, 2).astype("f4"), Stream(), Stream()
    stream.update(X)
    other.update(X + np.float32(1e20))
    stream.merge(other)
    message = "^variances of X exceed float32, which ends at 3.4e[+]38: scale X first$"
    refuses(OverflowError, message, stream.result)


@pytest.mark.parametrize(
    "p, dtype", [(2, "float64"), (2, "complex128"), (BEYOND, "float64"), (BEYOND, "float32")]
)
def test_a_merge_that_overflows_changes_nothing(p, dtype):
    far = np.finfo(dtype).max ** 0.5
    X = RNG.normal(size=(4, p)).astype(dtype)
    one, other = Stream(), Stream()
    one.update(X)
    other.update((X + 2 * far).astype(dtype))
    before = state_of(one)
    refuses(
        OverflowError,
        f"^sums of squares of the rows of both streams exceed {dtype}, which ends at .*: scale them first$",
        one.merge,
        other,
    )
    assert one.n_samples == 4 and np.array_equal(one.result().half, before[1])
    assert other.n_samples == 4 and np.isfinite(other.result().half).all()


def test_squares_that_underflow_are_refused():
    stream = Stream()
    refuses(
        ValueError,
        "^sums of squares of X underflow float64, first in column 0",
        stream.update,
        rows(9) * 1e-170,
    )
    assert stream.n_samples == 0


def test_a_copy_shares_nothing_that_changes():
    X, stream = rows(30), Stream()
    stream.update(X)
    twin = stream.copy()
    stream.remove(X[:20])
    twin.update(X)
    assert_near(stream.result(), np.cov(X[20:], rowvar=False), "sample")
    assert_near(twin.result(), np.cov(np.concatenate([X, X]), rowvar=False), "sample")


# ---------------------------------------------------------------- what was added, or an error

LOST = (
    r"^column \d+ of X (has lost digits|is constant or has lost all its digits)( \(\d+ columns have\))?: "
    r"of rows that were taken away, which were larger, rounding is left, and its sum of squares "
    r"is .* \+- .*; make a new stream of the rows that remain$"
)


@pytest.mark.parametrize("dtype", ("float64", "float32", "complex128"))
@pytest.mark.parametrize("p", (1, 3, BEYOND))
@pytest.mark.parametrize("step", (1, 20))
def test_after_an_outlier_has_left_half_of_the_digits_are_right_or_it_is_an_error(dtype, p, step):
    refused = []
    for big in (1, 30, 1e3, 1e4, 1e5, 1e6, 1e8, 1e15) if step > 1 else (1, 1e3, 1e5, 1e8):
        X = RNG.normal(size=(160, p)) + 3
        X[50] *= big
        X = X.astype(dtype)
        for method in ("sample", "correlation"):
            stream = Stream(method)
            stream.update(X[:60])
            for start in range(60, 160, step):
                stream.update(X[start : start + step])
                stream.remove(X[start - 60 : start - 60 + step])
            window = X[100:].astype(np.result_type(dtype, np.float64))
            want = batch(method, window).reshape(p, p)
            try:
                found = stream.result().expand()
            except ValueError as reason:
                assert re.search(LOST, str(reason)), reason
                refused.append(big)
                continue
            size = np.sqrt(np.multiply.outer(want.diagonal().real, want.diagonal().real))
            assert (np.abs(found - want) / size).max() < np.finfo(dtype).eps ** 0.5
    assert 1 not in refused and 1e8 in refused


@pytest.mark.parametrize("order", (1, -1))
def test_a_stream_of_which_an_outlier_came_first_or_last_is_refused(order):
    X, outlier = RNG.normal(size=(30, 2)), np.array([[1e10, -1e10]])
    stream = Stream()
    for part in (outlier, X)[::order]:
        stream.update(part)
    stream.remove(outlier)
    refuses(ValueError, LOST, stream.result)
    twin = Stream()
    twin.update(X)
    twin.merge(stream)  # lost digits are inherited
    refuses(ValueError, LOST, twin.result)
    stream.remove(X)  # and are gone with the last row
    stream.update(X)
    assert_near(stream.result(), np.cov(X, rowvar=False), "sample")


def test_long_windows_keep_their_digits():
    X = RNG.normal(size=(1000, 3)) + 100
    stream = Stream()
    stream.update(X[:50])
    for start in range(50, 1000):
        stream.update(X[start : start + 1])
        stream.remove(X[start - 50 : start - 49])
    assert np.abs(stream.result().expand() - np.cov(X[-50:], rowvar=False)).max() < 1e-9


def test_rows_that_were_never_added_are_an_error():
    X = np.array([[1.0, 2], [3, 4], [5, 7]])
    stream = Stream()
    stream.update(X)
    stream.remove(np.array([[100.0, 200.0]]))
    message = (
        "^the sum of squares of column 0 would be -1.41e[+]04: "
        "rows were taken away that had not been added; add"
    )
    for call in (stream.result, stream.copy().result):
        refuses(ValueError, message, call)
    stream.update(np.array([[100.0, 200.0]]))
    assert np.abs(stream.result().expand() - np.cov(X, rowvar=False)).max() < 1e-8
    refuses(
        ValueError,
        "^these rows cannot be taken away: they are not those that were added$",
        stream.remove,
        X + 1,
    )
    assert stream.n_samples == 3


def test_weights_that_were_never_added_or_drown_the_others_are_an_error():
    X = rows(30, 2)
    stream = Stream()
    stream.update(X, weights=np.ones(30))
    stream.update(X[:2], weights=[1e10, 1])
    stream.remove(X[:2], weights=[1e10, 1])
    message = (
        "^weights that were taken away were so much larger than those that remain, 30 in all, that rounding"
    )
    refuses(ValueError, message, stream.result)
    other = Stream()
    other.update(X, weights=np.ones(30))
    other.remove(X[:2], weights=[9, 0])
    refuses(ValueError, "^the sum of squared weights would be -51: rows were taken away", other.result)


def test_thresholds_with_labels_are_those_of_the_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows(9, 2), columns=["a", "b"])
    stream = Stream("gerber", thresholds=pandas.Series([1.0, 2.0], index=["b", "a"]))
    refuses(ValueError, "^column 0 is 'b' in thresholds and 'a' in X: give both", stream.update, frame)
    stream.update(frame[["b", "a"]])
    assert stream.n_samples == 9
