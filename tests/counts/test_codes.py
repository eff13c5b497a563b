"""Codes and counts: bits are what was compared, counts exact, whatever the target, the size, the memory."""

import itertools

import numpy as np
import pytest

import cases
import vech
from vech.counts import codes as module
from vech.counts.codes import ACTIVE, SIGN, VALID, Counting, Counts, Measure, encode, pair_codes
from vech.covariance.data import open_data
from vech.covariance.spread import spread
from vech.results.result import Result
from vech.results.wanted import Wanted

every_target = pytest.mark.every_target
every_layout = cases.each("layout", ["vech", "numpy-tril"])

# times around words, groups of eight words and the 128 words that are counted together; columns around blocks
# and tiles
SHAPES = [
    *((samples, p) for samples in (1, 63, 64, 65, 511, 512, 513, 600) for p in (1, 7, 8, 9, 23)),
    *((samples, p) for samples in (40, 130) for p in (63, 64, 65, 71, 72, 129, 200)),
    *((samples, 10) for samples in (8191, 8192, 8193, 2**16 + 100)),
]


def numbers(samples, p, dtype="float64"):
    """Numbers of which some equal the thresholds -1 and 1."""
    rng = cases.generator("codes", samples, p, dtype)
    return (rng.integers(-6, 7, (samples, p)) / 3).astype(dtype)


def with_nan(X, share=0.2):
    X = X.copy()
    X[cases.generator("missing", X.shape).random(X.shape) < share] = np.nan
    return X


def ternary(X, low, high):
    """-1, 0 or 1 for each number."""
    return (high <= X).astype(np.int64) - (low >= X).astype(np.int64)


def brute_force(R):
    """Times both are active, and those at which they differ: full matrices of integers."""
    A, U, D = (R != 0).astype(np.int64), (R > 0).astype(np.int64), (R < 0).astype(np.int64)
    return A.T @ A, U.T @ D + D.T @ U


def counted(codes):
    counts = Counts(codes.p)
    counts.add(codes)
    return counts


def bounds(p):
    return -np.ones(p), np.ones(p)


# ---------------------------------------------------------------- bits


@every_target
@cases.each("dtype", ["float32", "float64"])
@cases.each("memory", list(cases.MEMORY))
@cases.each("samples, p", [(1, 1), (64, 8), (65, 9), (130, 21)])
def test_a_bit_is_what_its_number_is(dtype, memory, samples, p):
    X = with_nan(numbers(samples, p, dtype))
    low, high = np.linspace(-1.5, -0.5, p), np.linspace(0.5, 1.5, p)
    codes = encode(cases.laid_out(X, memory), low, high, pairwise=True)
    R = ternary(X.astype("f8"), low, high)
    everything = (slice(0, p), slice(0, samples))
    assert np.array_equal(codes.numbers(ACTIVE, *everything), R != 0)
    assert np.array_equal(codes.numbers(SIGN, *everything), R > 0)
    assert np.array_equal(codes.numbers(VALID, *everything), ~np.isnan(X))
    assert np.array_equal(codes.active, np.count_nonzero(R, axis=0))
    padding = np.unpackbits(codes.bits.view(np.uint8)).sum() - (
        np.count_nonzero(R) + np.count_nonzero(R > 0) + np.count_nonzero(~np.isnan(X))
    )
    blank = 8 * codes.bits.shape[0] - p  # columns of padding, which are all valid
    assert padding == blank * samples


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", ">f4", ">f8"])
def test_any_dtype_is_compared_as_the_number_it_is(dtype):
    X = numbers(70, 9).astype(dtype)
    codes = encode(X, *bounds(9))
    R = ternary(X.astype("f8"), -1, 1)
    both, discordant = brute_force(R)
    counts = counted(codes)
    assert np.array_equal(counts.both, vech.pack(both)) and np.array_equal(
        counts.discordant, vech.pack(discordant)
    )


@every_target
def test_thresholds_that_float32_does_not_have_are_compared_exactly():
    steps = np.array([-np.inf, np.inf], np.float32)
    around = [
        np.float32(0.1),
        *np.nextafter(np.float32(0.1), steps),
        np.float32(3e38),
        np.float32(0),
        np.float32(1e-45),
    ]
    X = np.array(around + [-x for x in around], np.float32)[:, None]
    for bound in (0.1, 0.1 + 1e-12, 0.1 - 1e-12, np.float64(np.float32(0.1)), 1e300, 1e-300, 0.0, np.inf):
        for closed in (True, False):
            codes = encode(X, np.array([-bound]), np.array([bound]), closed=closed)
            exact = X[:, 0].astype(np.float64)
            above, below = (exact >= bound, exact <= -bound) if closed else (exact > bound, exact < -bound)
            assert np.array_equal(codes.numbers(SIGN, slice(0, 1), slice(0, len(X)))[:, 0], above), (
                bound,
                closed,
            )
            assert np.array_equal(codes.numbers(ACTIVE, slice(0, 1), slice(0, len(X)))[:, 0], above | below)


def test_blocks_of_rows_of_any_height_give_the_codes_of_the_whole():
    X = numbers(700, 11)
    cuts = [0, 1, 64, 65, 300, 301, 302, 640, 700]
    pieces = [X[a:b] for a, b in itertools.pairwise(cuts)]
    data = open_data(lambda: iter(pieces))
    assert np.array_equal(encode(data.pieces(), *bounds(11)).bits, encode(X, *bounds(11)).bits)


def test_numbers_are_cast_in_pieces(monkeypatch):
    X = np.round(numbers(1000, 11) * 3).astype(np.int16)
    whole = encode(X, *bounds(11)).bits
    monkeypatch.setattr(module, "PIECE_BYTES", 8 * 11 * 64 * 3)
    assert np.array_equal(encode(X, *bounds(11)).bits, whole)


# ---------------------------------------------------------------- counts


@every_target
@cases.each("samples, p", SHAPES)
def test_counts_equal_brute_force(samples, p):
    X = numbers(samples, p)
    counts = counted(encode(X, *bounds(p)))
    both, discordant = brute_force(ternary(X, -1, 1))
    assert counts.both.dtype == counts.discordant.dtype == np.int64
    assert np.array_equal(counts.both, vech.pack(both))
    assert np.array_equal(counts.discordant, vech.pack(discordant))
    assert np.array_equal(counts.active, both.diagonal()) and counts.n_samples == samples


@every_target
def test_a_column_that_always_moves_is_counted_to_the_last_time():
    samples = 2**16 + 2**13 + 1
    X = np.ones((samples, 3))
    X[:, 1] = -1
    counts = counted(encode(X, *bounds(3)))
    assert np.array_equal(counts.both, np.full(6, samples))
    assert np.array_equal(counts.discordant, [0, samples, 0, 0, samples, 0])


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_change_a_bit(threads):
    X = with_nan(numbers(3000, 150))
    one, more = (encode(X, *bounds(150), pairwise=True, threads=k) for k in (1, threads))
    assert np.array_equal(one.bits, more.bits)
    halves = []
    for k in (1, threads):
        result = Result(150, np.float64, Wanted(threads=k))
        result.fill(Counting.of(one, Measure((1, -2, 0, 0), root=True)))
        halves.append(result.half)
    assert np.array_equal(*halves)


def test_counts_add_up_are_taken_away_and_merge():
    X = numbers(500, 13)
    whole = counted(encode(X, *bounds(13)))
    counts = counted(encode(X[:100], *bounds(13)))
    other = counted(encode(X[100:], *bounds(13)))
    counts.merge(other)
    assert np.array_equal(counts.both, whole.both) and np.array_equal(counts.discordant, whole.discordant)
    counts.remove(encode(X[:100], *bounds(13)))
    assert np.array_equal(counts.both, other.both) and np.array_equal(counts.discordant, other.discordant)
    assert counts.n_samples == 400
    with pytest.raises(ValueError, match="500 rows cannot be taken from the 400 that were counted"):
        counts.remove(encode(X, *bounds(13)))


# ---------------------------------------------------------------- ratios


def ratio(measure, R, V):
    """The measure of each pair of columns, cell by cell, over the times valid in both."""
    p = R.shape[1]
    full = np.zeros((p, p))
    for i, j in itertools.product(range(p), repeat=2):
        there = V[:, i] & V[:, j]
        a, b = R[there, i], R[there, j]
        ones = [np.count_nonzero(a), np.count_nonzero(b)]
        terms = (np.count_nonzero(a * b), np.count_nonzero(a * b < 0), sum(ones), len(a))
        over = sum(x * y for x, y in zip(measure.over, terms, strict=True))
        under = (
            np.sqrt(ones[0] * ones[1])
            if measure.root
            else sum(x * y for x, y in zip(measure.under, terms, strict=True))
        )
        full[i, j] = over / under if under else measure.empty * (i == j)
    return full


MEASURES = {
    "root": Measure((1, -2, 0, 0), root=True),
    "union": Measure((1, -2, 0, 0), (-1, 0, 1, 0)),
    "all": Measure((2, -1, -1, 1), (0, 0, 0, 1), empty=0.5),
}


@every_target
@every_layout
@cases.each("pairwise", [False, True])
@cases.each("name", list(MEASURES))
@cases.each("dtype", ["float32", "float64"])
def test_a_half_is_made_of_the_counts(layout, pairwise, name, dtype):
    X = with_nan(numbers(70, 20))
    X[:, 3] = 0
    X[:, 4] = np.nan
    R = ternary(X, -1, 1)
    V = ~np.isnan(X) if pairwise else np.ones(X.shape, bool)
    scale = np.linspace(0.5, 2, 20)
    result = Result(20, dtype, Wanted(layout))
    result.fill(Counting.of(encode(X, *bounds(20), pairwise=pairwise), MEASURES[name], scale=scale))
    expected = ratio(MEASURES[name], R, V) * np.outer(scale, scale)
    got = vech.expand(result.half, layout)
    assert np.allclose(got, expected, rtol=cases.tolerance(dtype, 1), atol=0)


@every_layout
@cases.each("name", list(MEASURES))
def test_kept_counts_make_the_half_that_codes_make(layout, name):
    X = numbers(300, 70)
    codes = encode(X, *bounds(70))
    straight, kept = (Result(70, np.float64, Wanted(layout)) for _ in range(2))
    scale = np.linspace(0.5, 2, 70)
    straight.fill(Counting.of(codes, MEASURES[name], scale=scale))
    counted(codes).write(MEASURES[name], kept.half, kept.plain.grow, scale)
    assert np.array_equal(straight.half, kept.half)


@every_layout
def test_progress_is_reported_up_to_the_end_and_changes_nothing(layout):
    codes = encode(numbers(50, 300), *bounds(300))
    seen = []
    quiet = Result(300, np.float64, Wanted(layout))
    told = Result(300, np.float64, Wanted(layout, progress=lambda done, total: seen.append((done, total))))
    quiet.fill(Counting.of(codes, MEASURES["union"], parts=False))
    told.fill(Counting.of(codes, MEASURES["union"]))
    assert np.array_equal(quiet.half, told.half)
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1)) and len(seen) > 1


# ---------------------------------------------------------------- pairs of times


@every_target
@cases.each("samples", [2, 3, 4, 5, 16, 63, 64, 65, 90])
@cases.each("dtype", ["float32", "float64"])
def test_each_pair_of_times_is_coded_once(samples, dtype):
    X = with_nan(numbers(samples, 9, dtype), 0.05)
    counts = Counts(9)
    pairs = pair_codes(X)
    for codes in pairs.chunks():
        counts.add(codes)
    i, j = np.triu_indices(samples, 1)
    with np.errstate(invalid="ignore"):
        both, discordant = brute_force(ternary(X[j] - X[i], -1e-9, 1e-9))
    assert counts.n_samples == pairs.total == len(i)
    assert np.array_equal(counts.both, vech.pack(both))
    assert np.array_equal(counts.discordant, vech.pack(discordant))


@every_target
@every_layout
@pytest.mark.parametrize("pairwise", [False, True])
def test_many_pairs_go_in_chunks_and_panels(layout, pairwise, monkeypatch):
    X = with_nan(numbers(60, 200), 0.1)
    whole, parts = (Result(200, np.float64, Wanted(layout)) for _ in range(2))
    whole.fill(Counting.of(pair_codes(X, pairwise=pairwise), MEASURES["root"]))
    monkeypatch.setattr(module, "CODE_BYTES", 25 * 2 * 8 * 8 * 3)
    monkeypatch.setattr(module, "STORED_BYTES", 8 * 2 * 200 * 65)
    pairs = pair_codes(X, pairwise=pairwise)
    assert pairs.total > 5 * pairs.chunk
    parts.fill(Counting.of(pairs, MEASURES["root"]))
    assert np.array_equal(whole.half, parts.half)


@pytest.mark.parametrize("parts", [True, False])
def test_codes_that_fit_are_made_once(parts, monkeypatch):
    made = []
    chunks = module.PairCodes.chunks
    monkeypatch.setattr(module.PairCodes, "chunks", lambda self: made.append(1) or chunks(self))
    Result(300, np.float64, Wanted()).fill(
        Counting.of(pair_codes(numbers(30, 300)), MEASURES["root"], parts=parts)
    )
    assert made == [1]


# ---------------------------------------------------------------- means and deviations


@every_target
@cases.each("dtype", ["float32", "float64", "int32"])
@cases.each("memory", ["C", "Fortran", "every-second", "record-field"])
@cases.each("weighted", [False, True])
def test_deviations_are_those_of_numpy(dtype, memory, weighted):
    X = np.round(100 * numbers(2500, 13)).astype(dtype)
    w = cases.generator("weights").random(2500) if weighted else None
    found = spread(open_data(cases.laid_out(X, memory)), w)
    mean = np.average(X.astype("f8"), axis=0, weights=w)
    assert np.allclose(found.mean, mean, rtol=1e-12, atol=1e-12)
    squares = (X.astype("f8") - mean) ** 2
    assert np.allclose(found.deviation, np.sqrt(np.average(squares, axis=0, weights=w)), rtol=1e-12)


@every_target
@pytest.mark.parametrize("height", [None, 37])
def test_deviations_stand_an_offset(height):
    X = cases.generator("offset").normal(size=(5000, 6))
    exact = X.std(axis=0)
    moved = X + 1e8
    moved[0] = 1e8 + 40  # far from the mean, and the row that others are taken about
    exact = (moved - 1e8).std(axis=0)
    blocks = [moved[k : k + height] for k in range(0, 5000, height)] if height else None
    found = spread(open_data((lambda: iter(blocks)) if height else moved))
    assert np.allclose(found.deviation, exact, rtol=1e-10)


@every_target
def test_a_row_without_weight_does_no_harm():
    X = cases.generator("stray").normal(size=(500, 6))
    X[0] = 1e9
    w = np.ones(500)
    w[0] = 0
    assert np.allclose(spread(open_data(X), w).deviation, X[1:].std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_deviations_are_over_the_numbers_that_are_there(weighted):
    X = with_nan(numbers(3000, 13) + 1e6)
    X[1:, 5] = np.nan
    X[:40, 6] = np.nan
    w = cases.generator("weights").random(3000) if weighted else np.ones(3000)
    found = spread(open_data(X, missing="neutral"), w if weighted else None)
    for k in range(13):
        there = ~np.isnan(X[:, k])
        if k == 5:
            assert found.deviation[k] == 0 and found.mean[k] == X[0, 5]
            continue
        mean = np.average(X[there, k], weights=w[there])
        variance = np.average((X[there, k] - mean) ** 2, weights=w[there])
        assert np.allclose([found.mean[k], found.deviation[k]], [mean, variance**0.5], rtol=1e-12)


@every_target
@pytest.mark.parametrize("missing", ["raise", "neutral"])
def test_a_constant_column_does_not_deviate_at_all(missing):
    X = numbers(3001, 9)
    X[:, 2] = 0.1
    if missing == "neutral":
        X[::7, 2] = np.nan
    w = cases.generator("weights").random(3001)
    for weights in (None, w):
        deviation = spread(open_data(X, missing=missing), weights).deviation
        assert deviation[2] == 0 and np.count_nonzero(deviation) == 8
