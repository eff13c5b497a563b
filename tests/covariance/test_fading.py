"""Streams with a half-life: as if all rows had been there at once, each weighted by its age."""

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
from interrupts import at_every
from vech import covariance
from vech.covariance import Stream, moments

RNG = np.random.default_rng(23)
BEYOND = 41  # columns, too many for a square and for one panel where these are small


@pytest.fixture(autouse=True)
def small_squares(monkeypatch):
    monkeypatch.setattr(moments, "SQUARE", 40)
    monkeypatch.setattr(moments, "PANEL", 16)


def weighted(X, half_life, ddof=1, weights=1.0):
    """The definition, in one go."""
    w = 0.5 ** (np.arange(len(X) - 1, -1, -1) / half_life) * weights
    y = X - w @ X / w.sum()
    return (y.T * w) @ y.conj() / (w.sum() - ddof * (w @ w) / w.sum())


def streamed(X, half_life, pieces, **options):
    stream = Stream(half_life=half_life, **options)
    for piece in np.array_split(X, pieces):
        stream.update(piece)
    return stream


def assert_near(store, want, tolerance=1e-12):
    assert np.abs(store.expand() - want).max() <= tolerance * np.abs(want).max()


@cases.each("p", (3, BEYOND))
@cases.each("half_life", (0.3, 2, 25.0, np.inf))
@cases.each("pieces", (1, 7, 90))
def test_any_pieces_are_the_weighted_rows_at_once(p, half_life, pieces):
    X = RNG.normal(size=(90, p)) + np.arange(p)
    stream = streamed(X, half_life, pieces)
    assert stream.n_samples == 90
    assert_near(stream.result(), weighted(X, half_life))
    weights = covariance.exponential_weights(90, half_life)
    assert_near(stream.result(layout="numpy-tril"), covariance.sample(X, weights=weights).expand())
    narrow = streamed(X.astype("f4"), half_life, pieces).result()
    assert narrow.dtype == np.float32
    assert_near(narrow, weighted(X, half_life), 1e-5)
    Z = X + 1j * RNG.normal(size=X.shape)
    assert_near(streamed(Z, half_life, pieces).result(), weighted(Z, half_life))


@pytest.mark.parametrize("dtype", ("bool", "int8", "uint64", "f2", ">f8"))
def test_any_dtype_fades(dtype):
    X = RNG.integers(0, 2, (40, 3)).astype(dtype)
    found = streamed(X, 5, 3).result()
    assert found.dtype == ("f4" if dtype == "f2" else "f8")
    assert_near(found, weighted(X.astype(float), 5), 1e-6 if dtype == "f2" else 1e-13)


@pytest.mark.parametrize("bias", (False, True))
@pytest.mark.parametrize("half_life", (0.5, 10.0))
def test_it_is_the_last_matrix_of_pandas(bias, half_life):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(RNG.normal(size=(60, 4)), columns=list("abcd"))
    stream = Stream(half_life=half_life, ddof=0 if bias else 1)
    for k, row in enumerate(frame.index):
        stream.update(frame.iloc[k : k + 1])
        if k in (1, 7, 59):
            want = frame.ewm(halflife=half_life).cov(bias=bias).loc[row]
            np.testing.assert_allclose(stream.result().expand(), want, rtol=1e-9, atol=1e-12)
    assert stream.result().labels == tuple("abcd")
    correlation = Stream("correlation", half_life=half_life)
    correlation.update(frame)
    want = frame.ewm(halflife=half_life).corr().loc[59]
    np.testing.assert_allclose(correlation.result().expand(), want, rtol=1e-9)


def test_weights_count_beside_age():
    X, weights = RNG.normal(size=(40, 3)), RNG.random(40)
    weights[[0, 7, 39]] = 0
    stream = Stream(half_life=5)
    for part in np.array_split(np.arange(40), 6):
        stream.update(X[part], weights=weights[part])
    assert_near(stream.result(), weighted(X, 5, weights=weights))
    blocks = Stream(half_life=5)
    blocks.update(iter(np.array_split(X, 9)), weights=weights)
    assert_near(blocks.result(), weighted(X, 5, weights=weights))


def test_rows_far_from_those_before_keep_their_digits():
    X = RNG.normal(size=(3000, 4))
    want = weighted(X, 10)
    X[:1000] = 0
    X[1000:2000] -= 3e8
    X[2000:] += 1e8
    for pieces in (1, 3, 300):
        # of 1e8 itself, 1.5e-8 was rounded away
        assert np.abs(streamed(X, 10, pieces).result().expand() - want).max() < 1e-7 * want.max()
    exact = RNG.integers(-8, 9, (2000, 3)) / 4
    shifted = exact.copy()
    shifted[:1500] += 2.0**30
    shifted[1500:] -= 2.0**30
    for pieces in (1, 2, 500):
        assert_near(streamed(shifted, 4, pieces).result(), weighted(exact[1500:], 4), 1e-13)


def test_a_mean_that_moves_away_row_by_row_is_followed():
    X = RNG.integers(-8, 9, (8000, 3)) / 4
    want = weighted(X[-2000:], 20)
    X[4096:] += 2.0**28
    stream = streamed(X[:4096], 20, 1)
    for piece in np.array_split(X[4096:], 400):
        stream.update(piece)
    assert_near(stream.result(), want)


def test_merging_adds_rows_that_came_later():
    X = RNG.normal(size=(90, 4)) + 1e6
    one, two, three = (streamed(part, 12, 3) for part in np.array_split(X, [20, 70]))
    two.merge(three)
    one.merge(two)
    assert one.n_samples == 90
    assert_near(one.result(), weighted(X - 1e6, 12), 1e-9)
    swapped = streamed(X[70:], 12, 1)
    swapped.merge(streamed(X[:70], 12, 1))
    assert_near(swapped.result(), weighted(np.concatenate([X[70:], X[:70]]) - 1e6, 12), 1e-9)
    empty = Stream(half_life=12)
    empty.merge(three)
    assert np.array_equal(empty.result().half, three.result().half)
    three.merge(three)
    assert_near(three.result(), weighted(np.concatenate([X[70:], X[70:]]) - 1e6, 12), 1e-9)


def test_what_has_faded_to_nothing_is_gone():
    X = RNG.normal(size=(5000, 2))
    for pieces in (1, 2, 5):
        assert_near(streamed(X, 1, pieces).result(), weighted(X[-200:], 1))
    one, two = streamed(X[:10], 1, 1), streamed(X[10:], 1, 1)
    one.merge(two)
    assert_near(one.result(), weighted(X[-200:], 1))
    X[100:, 1] = 7  # varied once, and long ago
    for rows in (1130, 5000):  # its variance has not many bits left, or none
        stream = streamed(X[:rows], 1, 50)
        assert abs(stream.result()[1, 1]) < 1e-300 and stream.n_samples == rows
        again = Stream(half_life=1)
        again.update(iter(np.array_split(X[:rows], 50)))
        assert abs(again.result()[1, 1]) < 1e-300
    heavy = Stream(half_life=1)
    heavy.update(X[:100], weights=np.full(100, 1e13))
    heavy.update(X[100:200])
    assert_near(heavy.result(), weighted(X[:200], 1, weights=np.repeat([1e13, 1], 100)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=12),
    st.floats(0.1, 50),
    st.lists(st.integers(1, 11), max_size=4),
)
def test_pieces_do_not_matter(numbers, half_life, cuts):
    X = np.array([numbers, numbers[::-1]], float).T
    stream = Stream(half_life=half_life, ddof=0)
    for part in np.split(X, sorted({cut for cut in cuts if cut < len(X)})):
        stream.update(part)
    whole = Stream(half_life=half_life, ddof=0)
    whole.update(X)
    np.testing.assert_allclose(stream.result().half, whole.result().half, rtol=1e-9, atol=1e-13)


# ---- all or nothing, and what is refused -------------------------------------------------------------------


def test_ctrl_c_leaves_all_rows_of_a_call_or_none():
    X, more = RNG.normal(size=(9, 4)), RNG.normal(size=(5, 4))
    base = streamed(X, 3, 2)
    before, after = base.result().half, weighted(np.concatenate([X, more]), 3)
    streams = []

    def fresh():
        streams.append(base.copy())
        return lambda: streams[-1].update(more)

    for _ in at_every(23, fresh):
        if streams[-1].n_samples == 9:
            assert np.array_equal(streams[-1].result().half, before)
        else:
            assert_near(streams[-1].result(), after)
    assert len(streams) > 20 and np.array_equal(base.result().half, before)


def test_an_error_changes_nothing():
    X = RNG.normal(size=(9, 3))
    stream = streamed(X, 3, 1)
    before = stream.result().half
    hole = X.copy()
    hole[4, 1] = np.nan
    blocks = iter([X, hole])
    for wrong, message in ((hole, "X has 1 NaN, the first in row 4, column 1"), (blocks, "row 13, column 1")):
        with pytest.raises(ValueError, match=message):
            stream.update(wrong)
        assert stream.n_samples == 9 and np.array_equal(stream.result().half, before)
    with pytest.raises(OverflowError):
        stream.update(X * 1e200)
    with pytest.raises(ValueError, match="underflow float64, first in column 0: scale X first"):
        streamed(X * 1e-170, 3, 1)
    assert np.array_equal(stream.result().half, before)
    assert np.array_equal(pickle.loads(pickle.dumps(stream)).result().half, before)


def test_rows_are_not_taken_away():
    stream = streamed(RNG.normal(size=(9, 3)), 3, 1)
    with pytest.raises(
        TypeError, match=r"^rows cannot be taken from a stream with half_life, where they have"
    ):
        stream.remove(RNG.normal(size=(2, 3)))


def test_streams_of_other_half_lives_are_not_merged():
    stream = streamed(RNG.normal(size=(9, 3)), 3, 1)
    for other in (Stream(), Stream(half_life=4)):
        message = f"^the streams differ in half_life, 3 and {other.half_life}: merge like with like$"
        with pytest.raises(ValueError, match=message):
            stream.merge(other)


@pytest.mark.parametrize("wrong", (0, -1, np.nan))
def test_a_half_life_is_positive(wrong):
    with pytest.raises(ValueError, match=f"^half_life must be more than 0 rows, not {wrong}$"):
        Stream(half_life=wrong)


@pytest.mark.parametrize("wrong", ("3", True, [3], np.ones(2)))
def test_a_half_life_is_a_number(wrong):
    with pytest.raises(TypeError, match=re.escape(f"half_life must be a number of rows, not {wrong!r}")):
        Stream(half_life=wrong)


def test_counts_of_gerber_do_not_fade():
    with pytest.raises(TypeError, match=r"^method='gerber' takes no half_life=$"):
        Stream("gerber", thresholds=1, half_life=3)
