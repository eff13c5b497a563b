"""Ranges of a stream of matrices, each method by its published formula."""

import math

import numpy as np
import pytest

import cases
import vech
from vech.quantized import Observer
from vech.quantized.observing import BINS, Histogram, least_divergence, levels_of

N = 90
BELOW = np.tril_indices(N, -1)


def symmetric(seed, n=N, heavy=False):
    rng = np.random.default_rng(seed)
    full = rng.standard_t(3, (n, n)) if heavy else rng.normal(size=(n, n))
    full = np.triu(full) + np.triu(full, 1).T
    full[np.diag_indices(n)] = 1e6  # exact outside the codes, and in no range
    return full


def observed(*matrices, method, **options):
    seen = Observer(method, **options)
    for S in matrices:
        seen.update(S)
    return seen


def test_minmax_is_the_range_of_all():
    stream = [symmetric(k) * (k + 1) for k in range(3)]
    seen = observed(*stream, method="minmax")
    numbers = np.concatenate([S[BELOW] for S in stream])
    assert seen.count == 3
    assert seen.range() == (numbers.min(), numbers.max())
    assert seen.scale("int8") == np.abs(numbers).max() / 127
    assert seen.scale("int4") == np.abs(numbers).max() / 7
    assert seen.scale("nf4") == np.abs(numbers).max()
    assert seen.scale("uint8") == ((numbers.max() - numbers.min()) / 255, numbers.min())
    assert seen.scale("sign") == pytest.approx(np.abs(numbers).mean(), rel=1e-14)


def test_moving_average_is_that_of_jacob():
    stream = [symmetric(k) * (k + 1) for k in range(4)]
    low, high = stream[0][BELOW].min(), stream[0][BELOW].max()
    for S in stream[1:]:
        low, high = 0.7 * low + 0.3 * S[BELOW].min(), 0.7 * high + 0.3 * S[BELOW].max()
    found = observed(*stream, method="moving-average", momentum=0.7).range()
    assert found == pytest.approx((low, high), rel=1e-14)


@pytest.mark.parametrize("percentile", [1, 50, 99, 99.9, 100])
def test_a_percentile_is_found_to_a_bin(percentile):
    stream = [symmetric(k, heavy=True) for k in range(3)]
    moduli = np.sort(np.abs(np.concatenate([S[BELOW] for S in stream])))
    seen = observed(*stream, method="percentile", percentile=percentile)
    limit, width = max(map(abs, seen.range())), seen._histogram.width
    want = moduli[math.ceil(percentile / 100 * moduli.size) - 1]
    assert want <= limit <= want + width
    assert width <= moduli[-1] / 1024


def brute_error(numbers, limit, most):
    codes = np.clip(np.rint(numbers / (limit / most)), -most, most)
    return np.square(numbers - codes * (limit / most)).mean()


@pytest.mark.parametrize(("encoding", "most"), [("int8", 127), ("int4", 7)])
@pytest.mark.parametrize("heavy", [False, True])
def test_mse_has_the_least_error_of_all_limits(encoding, most, heavy):
    S = symmetric(11, 200, heavy)
    numbers = S[np.tril_indices(200, -1)]
    limit = observed(S, method="mse").scale(encoding) * most
    least = min(brute_error(numbers, a, most) for a in np.abs(numbers).max() * np.linspace(0.01, 1, 400))
    assert brute_error(numbers, limit, most) <= 1.02 * least


def test_mse_clips_gaussian_numbers_where_banner_found_it():
    """R. Banner et al., NeurIPS 2019: 4 bits clip a Gaussian at 2.55 standard deviations, 8 bits at 3.92."""
    S = symmetric(13, 700)
    seen = observed(S, method="mse")
    assert 2.3 < seen.scale("int4") * 7 < 2.8
    assert 3.4 < seen.scale("int8") * 127 < 4.4


@cases.each("encoding", ["uint8", "nf4", "linear2-4", "float8-e4m3", "float8-e5m2", "int4x2", "sign"])
@cases.each("method", ["mse", "percentile"])
def test_every_encoding_with_a_scale_has_one(encoding, method):
    S = symmetric(17, heavy=True)
    seen, most = (np.ravel(observed(S, method=name).scale(encoding))[0] for name in (method, "minmax"))
    assert 0 < seen <= most
    vech.quantize(S, encoding, scales=observed(S, method=method).scale(encoding), clip=True)


def by_definition(moduli, levels):
    """Migacz's search, bin by bin."""
    best, found = math.inf, len(moduli)
    for limit in range(levels, len(moduli) + 1):
        p = [float(c) for c in moduli[:limit]]
        group = [k * levels // limit for k in range(limit)]
        total, filled = [0.0] * levels, [0] * levels
        for k in range(limit):
            total[group[k]] += p[k]
            filled[group[k]] += p[k] > 0
        q = [total[group[k]] / filled[group[k]] if p[k] > 0 else 0.0 for k in range(limit)]
        p[-1] += sum(moduli[limit:])
        if any(a > 0 and not b for a, b in zip(p, q, strict=True)):
            continue
        kl = sum(a / sum(p) * math.log(a / sum(p) / (b / sum(q))) for a, b in zip(p, q, strict=True) if a > 0)
        if kl < best * (1 - 1e-12):
            best, found = kl, limit
    return found


@pytest.mark.parametrize("levels", [1, 8, 20])
def test_kl_is_the_search_of_migacz(levels):
    rng = np.random.default_rng(19)
    for scale in (3, 9, 30):
        moduli = np.bincount(np.minimum(np.abs(rng.standard_t(2, 900) * scale).astype(int), 70))
        assert least_divergence(moduli, levels) == by_definition(moduli.tolist(), levels)
    assert least_divergence(np.array([3, 1]), levels) == 2 or levels == 1


@pytest.mark.parametrize("method", ["percentile", "mse", "kl"])
def test_single_large_numbers_do_not_widen_the_range(method):
    """Why there are these methods: with one number at 20 sigma, 4 bits are better spent on the others."""
    S = symmetric(23)
    S[5, 3] = S[3, 5] = 20
    seen = observed(S, method=method, **({"percentile": 99.9} if method == "percentile" else {}))
    assert seen.scale("int4") * 7 < 7
    others = np.abs(S[BELOW]) < 10
    clipped = vech.quantize(S, "int4", scales=seen.scale("int4"), clip=True)
    plain = vech.quantize(S, "int4", scales=observed(S, method="minmax").scale("int4"))
    errors = [np.square((Q.expand() - S)[BELOW][others]).mean() for Q in (clipped, plain)]
    assert errors[0] < errors[1] / 5


def test_a_histogram_grows_and_loses_no_count():
    rng = np.random.default_rng(29)
    parts = [rng.normal(size=500) * scale for scale in (1e-3, 1.0, 0.0, 50.0, 1e4)]
    for order in (parts, parts[::-1], [parts[2], *parts[:2], *parts[3:]]):
        seen = Histogram()
        for part in order:
            seen.add(part)
        width = 2.0 ** math.ceil(math.log2(np.abs(parts[-1]).max())) / BINS
        assert seen.width == width
        want, _ = np.histogram(np.concatenate(parts), np.arange(-BINS, BINS + 1) * width)
        np.testing.assert_array_equal(seen.counts, want)


@pytest.mark.parametrize("exponent", [-1030, -100, 1000])
@pytest.mark.parametrize("method", ["percentile", "mse", "kl"])
def test_ranges_go_with_the_numbers(method, exponent):
    S = symmetric(31, heavy=True)
    found, plain = (observed(T, method=method).range("int4") for T in (np.ldexp(S, exponent), S))
    assert np.ldexp(found, -exponent) == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("method", ["minmax", "moving-average"])
def test_each_tile_may_have_its_range(method):
    S = symmetric(37) * np.outer(np.arange(1, N + 1), np.arange(1, N + 1))
    seen = observed(S, method=method, tile=32)
    own = vech.quantize(S, "int8", tile=32)
    np.testing.assert_allclose(seen.scale("int8"), own.scales, rtol=1e-6)
    given = vech.quantize(S, "int8", tile=32, scales=seen.scale("int8"))
    np.testing.assert_allclose(given.expand(), own.expand(), rtol=1e-6)
    low, high = seen.range()
    assert low.shape == high.shape == own.scales.shape


@pytest.mark.parametrize("encoding", ["int8", "uint8", "int4", "nf4", "float8-e4m3"])
def test_one_scale_serves_all_matrices_that_were_seen(encoding):
    stream = [symmetric(k) for k in range(4)]
    seen = observed(*stream, method="minmax")
    for S in stream:
        Q = vech.quantize(S, encoding, scales=seen.scale(encoding))
        assert np.ptp(Q.scales) == 0 and (Q.zeros is None or np.ptp(Q.zeros) == 0)
        step = np.ravel(seen.scale(encoding))[0]
        assert Q.error.max <= step * (0.51 if "int" in encoding else 0.16 if encoding == "nf4" else 16.1)
    with pytest.raises(OverflowError, match=r"S\[\d+, \d+\] is .*beyond"):
        vech.quantize(2 * stream[0], encoding, scales=seen.scale(encoding))
    vech.quantize(2 * stream[0], encoding, scales=seen.scale(encoding), clip=True)


def test_stores_frames_and_integers_are_looked_at_alike():
    pandas = pytest.importorskip("pandas")
    full = np.rint(symmetric(41) * 10).astype(np.int32)
    names = [f"r{k}" for k in range(N)]
    forms = (
        full,
        vech.Packed.from_full(full, "lapack-upper"),
        vech.SparseHalf.from_sparse(vech.Packed.from_full(full).to_csr()),
        pandas.DataFrame(full, names, names),
    )
    assert len({observed(S, method="minmax").range() for S in forms}) == 1


def test_all_or_nothing_of_a_matrix_counts():
    seen = observed(np.eye(600), method="percentile")
    before, counts = seen.range(), seen._histogram.counts.copy()
    bad = np.full((600, 600), 100.0)
    bad[580, 3] = bad[3, 580] = np.nan  # in the second block
    with pytest.raises(ValueError, match=r"S\[580, 3\] is nan"):
        seen.update(bad)
    assert seen.range() == before and seen.count == 1
    np.testing.assert_array_equal(seen._histogram.counts, counts)


def test_matrices_of_a_stream_have_one_side_and_the_same_labels():
    seen = observed(vech.Packed(np.zeros(3), labels=["a", "b"]), method="minmax")
    with pytest.raises(ValueError, match="S has side 3, and those before had 2: an Observer takes one side"):
        seen.update(np.eye(3))
    with pytest.raises(ValueError, match="the labels of row 1 differ, 'b' and 'c'"):
        seen.update(vech.Packed(np.zeros(3), labels=["a", "c"]))


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("method", ["minmax", "mse", "kl"])
def test_without_a_pair_there_is_no_range(n, method):
    seen = observed(np.eye(n), method=method)
    assert seen.range() == (0.0, 0.0) and seen.scale() == 0.0


def test_zeros_before_small_numbers_leave_these_their_bins():
    S = symmetric(43) * 1e-30
    seen, plain = observed(np.zeros((N, N)), S, method="kl"), observed(S, method="kl")
    assert seen._histogram.width == plain._histogram.width


def test_zeros_have_no_range():
    assert observed(np.zeros((5, 5)), np.zeros((5, 5)), method="kl").scale() == 0.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "maxmin"}, ValueError, "unknown method 'maxmin'"),
        ({"momentum": 1.5}, ValueError, "momentum must be a number from 0 to 1, not 1.5"),
        (
            {"method": "percentile", "percentile": -1},
            ValueError,
            "percentile must be a number from 0 to 100, not -1",
        ),
        ({"method": "percentile", "percentile": 0}, ValueError, "percentile must be above 0"),
        (
            {"method": "kl", "tile": 64},
            TypeError,
            "'kl' has one range for all tiles: 'minmax' and 'moving-average'",
        ),
        ({"tile": 65}, ValueError, "tile is 65"),
        ({"percentile": 99}, TypeError, "percentile is of method='percentile', and method is 'minmax'"),
        (
            {"method": "kl", "momentum": 0.5},
            TypeError,
            "momentum is of method='moving-average', and method is 'kl'",
        ),
    ],
)
def test_options_are_judged(options, error, message):
    with pytest.raises(error, match=message):
        Observer(**options)


def test_what_has_no_range_is_said():
    with pytest.raises(ValueError, match=r"nothing was looked at: update\(S\) first"):
        Observer().range()
    with pytest.raises(TypeError, match="'float16' has no scales: its codes are the numbers"):
        observed(np.eye(3), method="minmax").scale("float16")
    with pytest.raises(TypeError, match="complex"):
        Observer().update(np.eye(3) * 1j)


def test_levels_of_float8_are_those_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name, dtype in (("float8-e4m3", ml_dtypes.float8_e4m3fn), ("float8-e5m2", ml_dtypes.float8_e5m2)):
        values = np.arange(256, dtype=np.uint8).view(dtype).astype(np.float64)
        values = np.unique(values[np.isfinite(values)])
        np.testing.assert_array_equal(levels_of(vech.ENCODINGS[name]), values / values.max())
