"""Where quantized halves go wrong first: pieces of lines, ends of dtypes, crowded spectra, arguments."""

import warnings
from fractions import Fraction

import numpy as np
import pytest
from matrices import matrix

import cases
import vech
from compare import assert_same_bits
from vech.quantized import spectrum


@pytest.mark.every_target
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_that_begin_anywhere_are_those_of_the_whole(dtype):
    """Large ones leave past the caches, by whole lines of which a tile may hold no end."""
    Q = vech.quantize(matrix("spiked", 1100, dtype), "int8")
    whole = np.concatenate([Q.expand(slice(k, k + 100)) for k in range(0, 1100, 100)])  # too small for that
    assert_same_bits(Q.expand(), whole)
    for first in (0, 1, 13, 33, *range(48, 66)):
        frame = np.full((1100, 1200), 7, dtype)
        out = frame[:, 50 : 1150 - first]
        Q.block(slice(None), slice(first, None), out=out)
        np.testing.assert_array_equal(out, whole[:, first:])
        assert (frame[:, :50] == 7).all() and (frame[:, 1150 - first :] == 7).all()


@pytest.mark.every_target
@pytest.mark.parametrize("encoding", ["int8", "int4"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_integer_products_spread_what_is_not_finite(encoding, bad):
    Q, x = vech.quantize(matrix("wishart", 70), encoding), np.ones(70)
    x[5] = bad
    assert not np.isfinite(Q.matmul(x, precise=False)).any()


@pytest.mark.every_target
@cases.each("encoding", ["int8", "int4", "int4x2"])
@cases.each("scales", ["tile", "two-sided"])
@cases.each("size", [1e-36, 1e-38, 1e-42])
@cases.each("other", [1, 1e-20, 1e-40])
def test_integer_products_of_tiny_numbers_stay_within_their_bound(encoding, scales, size, other):
    Q = vech.quantize((other * matrix("wishart", 130)).astype(np.float32), encoding, scales=scales)
    x = (size * np.random.default_rng(0).normal(size=130)).astype(np.float32)
    found = Q.matmul(x, precise=False).astype(float)
    assert (np.abs(found - Q.expand().astype(float) @ x) <= Q.product_bound(x)).all()


@pytest.mark.every_target
def test_what_stands_for_no_number_is_not_looked_at():
    Q = vech.quantize(matrix("wishart", 200, np.float32), "int8")
    parts = Q.to_parts()
    codes = parts["codes"].copy()
    codes[: 64 * 64].reshape(64, 64)[np.triu_indices(64)] = 100
    other = vech.Quantized.from_parts(**(parts | {"codes": codes}))
    x = np.linspace(-1, 1, 200, dtype=np.float32)
    for precise in (True, False):
        assert_same_bits(other.matmul(x, precise=precise), Q.matmul(x, precise=precise))


@pytest.mark.parametrize(("encoding", "value"), [("uint8", 1.8e38), ("int8", 3.4028235e38), ("sign", 3.3e38)])
def test_what_no_scale_can_reach_is_an_error(encoding, value):
    full = np.full((70, 70), value, np.float32)
    full[3, 0] = full[0, 3] = -value
    with pytest.raises(OverflowError, match=rf"S\[\d+, \d+\] is .*e\+38, beyond what a scale of {encoding}"):
        vech.quantize(full, encoding)


def test_a_number_beyond_bfloat16_is_not_sent_there():
    full = np.full((2, 2), 3.4e38, np.float32)
    with pytest.raises(OverflowError, match=r"largest number is 3.3895e\+38: clip=True takes that for it$"):
        vech.quantize(full, "bfloat16")


@pytest.mark.parametrize("value", [0.3, 0.5, -7.0])
def test_all_numbers_alike_in_units_of_both_sides(value):
    Q = vech.quantize(np.full((100, 100), value), "uint8", scales="two-sided")
    assert np.abs(Q.expand() - value).max() <= Q.error.max <= 1e-12


def test_a_codebook_of_numbers_of_every_size_has_no_level_twice():
    numbers = np.random.default_rng(3).normal(size=(60, 60)) * 10.0 ** np.arange(-12, 48)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        levels = vech.quantize(np.tril(numbers) + np.tril(numbers, -1).T, "kmeans-4").levels
    assert np.isfinite(levels).all() and (np.diff(levels) >= 0).all()


# ---------------------------------------------------------------- spectra


@pytest.fixture(params=[spectrum.DENSE, 100])
def dense(request, monkeypatch):
    """The side up to which LAPACK finds all eigenvalues: so that Lanczos is tried on small matrices too."""
    monkeypatch.setattr(spectrum, "DENSE", request.param)


def rank_one(n):
    u = np.random.default_rng(0).normal(size=n)
    return np.outer(u, u) / (u @ u)


@pytest.mark.parametrize("scale", [1.0, 1e160, 1e-170])
@pytest.mark.parametrize("shift", [0.0, 3e-4])
def test_the_interval_holds_where_eigenvalues_crowd_at_one_end(dense, scale, shift):
    A = scale * (vech.quantize(rank_one(600), "bfloat16").expand().astype(float) + shift * np.eye(600))
    Q = vech.quantize(A, "int8")
    low, high = Q.eigenvalue_interval()
    values = np.linalg.eigvalsh(A / scale) * scale
    assert low <= values[0] and values[-1] <= high
    shifted = Q.shift_to_psd().expand() / scale
    assert np.linalg.eigvalsh(shifted)[0] >= -1e-12


@pytest.mark.parametrize("condition", [1e8, 1e13, 1e14])
def test_the_interval_of_a_logarithm_knows_of_rounding(condition):
    mpmath = pytest.importorskip("mpmath")
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    A = (q * np.geomspace(1 / condition, 1, 12)) @ q.T
    A = (A + A.T) / 2
    with mpmath.workdps(60):
        values = sorted(float(value) for value in mpmath.eigsy(mpmath.matrix(A.tolist()), eigvals_only=True))
    low, high = vech.quantize(A, "float16", domain="log").eigenvalue_interval()
    assert low <= values[0] and values[-1] <= high


@cases.each("encoding", ["int8", "bfloat16", "int4x2", "nf4"])
@cases.each("d", [1, 1e-10, 1e10])
@cases.each("size", [1e-36, 1e-40, 1e-43])
def test_the_interval_holds_below_the_normal_range(encoding, d, size):
    full = (size * matrix("wishart", 63)).astype(np.float32)
    Q = vech.quantize(full, encoding, scales="two-sided").scale(np.full(63, d, np.float32))
    low, high = Q.eigenvalue_interval()
    values = np.linalg.eigvalsh(full / size) * size * float(np.float32(d)) ** 2
    assert low <= values[0] and values[-1] <= high
    assert np.linalg.eigvalsh(Q.shift_to_psd().expand().astype(float) / size)[0] * size >= -1e-44


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("encoding", ["int4x2", "int4", "nf4", "sign"])
def test_the_largest_error_is_rounded_up(dtype, encoding):
    """Beside differences of fractions, which are exact."""
    for seed in range(60):
        X = np.random.default_rng(seed).normal(size=(5, 5)).astype(dtype)
        Q = vech.quantize(np.tril(X) + np.tril(X, -1).T, encoding)
        for row in range(5):
            for column, number in enumerate(Q.expand()[row, :row]):
                assert abs(Fraction(float(X[row, column])) - Fraction(float(number))) <= Q.error.max


def test_norms_of_tiles_bound_the_spectral_norm_of_the_error():
    """An arrow: large rows and columns, where sums of rows say more than is there."""
    A = np.zeros((400, 400))
    A[:64] = np.random.default_rng(2).normal(size=(64, 400))
    A = np.tril(A.T) + np.tril(A.T, -1).T
    Q = vech.quantize(A, "int4")
    E = A - Q.expand()
    true = np.linalg.norm(E, 2)
    assert true <= Q.error.spectral_bound <= 0.9 * min(Q.error.frobenius, np.abs(E).sum(axis=1).max())


@pytest.mark.filterwarnings("error")
@cases.each("encoding", ["int8", "int4x2", "uint8"])
@cases.each("scales", ["tile", "two-sided"])
@cases.each("size", [5e-324, 1e-315, 1e307, 1e308])
def test_sizes_at_the_ends_of_float64_warn_of_nothing(encoding, scales, size):
    full = np.clip(matrix("wishart", 130), -1, 1.7) * size
    Q = vech.quantize(full, encoding, scales=scales)
    assert np.abs(full - Q.expand()).max() <= Q.error.max
    low, high = Q.eigenvalue_interval()
    values = np.linalg.eigvalsh(full / size)
    assert low / size <= values[0] and values[-1] <= high / size


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("encoding", ["int8", "sign"])
def test_factors_of_rows_of_very_different_size_warn_of_nothing(encoding):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(200, 65)) * 10.0 ** rng.uniform(-6, 6, 65)
        Q = vech.quantize(X.T @ X / 200, encoding, domain="cholesky")
        assert 0 <= Q.error.factors[0] <= 1 <= Q.error.factors[1]


@pytest.mark.filterwarnings("error")
def test_a_shift_beyond_floats_is_an_error():
    Q = vech.quantize(np.array([[0, 1.7e308], [1.7e308, 1.7e308]]), "float16", scales="two-sided")
    with pytest.raises(OverflowError, match="more on its diagonal than float64 can be: divide S first"):
        Q.shift_to_psd()


# ---------------------------------------------------------------- arguments


def test_matrices_without_rows():
    empty = np.zeros((0, 0))
    power = vech.quantize(empty, domain="log").power(-0.25)
    assert power.shape == (0, 0) and power.error.frobenius == 0
    Q = vech.quantize(empty)
    assert Q.product_bound(np.ones(0)).shape == (0,)
    assert Q.product_bound(np.ones((0, 3))).shape == (0, 3)
    assert vech.quantize(np.eye(2)).product_bound(np.ones((2, 0))).shape == (2, 0)
    assert Q.shift_to_psd().shape == Q.scale(np.ones(0)).shape == (0, 0)
    wide = vech.quantize(empty.astype(np.float32), "int4x2").scale(np.ones(0))
    assert wide.dtype == np.float64 and wide.error.frobenius == wide.coarse.error.frobenius == 0


def test_what_has_no_meaning_is_refused():
    Q = vech.quantize(np.eye(3) + 1)
    for precise in (None, "no", 1):
        with pytest.raises(TypeError, match=f"precise must be True or False, not {precise!r}"):
            Q.matmul(np.ones(3), precise=precise)
    with pytest.raises(
        ValueError, match="order is a mask, and must hold each row once: submatrix takes masks"
    ):
        Q.permute(np.ones(3, bool))
    K = vech.quantize(vech.Packed(np.array([0, 1.0, 0]), kind="skew"))
    with pytest.raises(ValueError, match=r"values\[0\] is 1.0, and a skew matrix has zeros on its diagonal"):
        K.with_diagonal(1)
    with pytest.raises(
        ValueError, match=r"diagonal\[1\] is 2.0, and a skew matrix has zeros on its diagonal"
    ):
        vech.Quantized.from_parts(**(K.to_parts() | {"diagonal": np.array([0.0, 2.0])}))


def test_powers_beyond_floats_are_an_error():
    Q = vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int8", domain="log")
    assert np.isfinite(Q.power(500).error.max)
    with pytest.raises(OverflowError, match=r"exponent is 1000, .* beyond float64: those of S end at 3\.62"):
        Q.power(1000)


def test_slices_of_labels_are_sent_to_loc():
    for S in (vech.Packed(np.arange(6.0), labels="abc"), vech.quantize(np.eye(3), "int8")):
        with pytest.raises(
            TypeError, match=r"rows is slice\('a', 'b', None\), .* S\.loc\[first:last\] slices"
        ):
            S.expand(slice("a", "b"))


def test_seeds_below_zero_are_refused():
    with pytest.raises(ValueError, match="seed is -1: it is 0 or more"):
        vech.quantized.hadamard(np.eye(3), seed=-1)


@pytest.mark.every_target
@cases.each("layout", ["numpy-tril", "numpy-triu"])
@cases.each("encoding", ["int8", "uint8", "nf4"])
@cases.each("dtype", ["float32", "float64"])
@cases.each("n", [33, 63, 95, 127])
def test_a_last_tile_of_small_numbers_has_a_scale_of_its_own(n, dtype, encoding, layout):
    """Tiles of 32 rows of which the last one has an odd number: what lay there before does not count."""
    size = np.where(np.arange(n) >= (n - 1) // 32 * 32, 1e-3, 1.0)
    full = np.random.default_rng(n).uniform(-1, 1, (n, n)) * np.minimum.outer(size, size)
    full[-1, 31 : n - 1 : 32] = 3e-3  # the largest of each tile is the one that is looked at last
    half = vech.pack((np.tril(full) + np.tril(full, -1).T).astype(dtype), layout)
    Q = vech.quantize(vech.Packed(half, layout), encoding, tile=32)
    assert Q.dtype == dtype
    last = vech.expand(half, layout)[size < 1] - Q.expand()[size < 1]
    assert np.abs(last).max() <= {"int8": 2e-5, "uint8": 1e-5, "nf4": 5e-4}[encoding]


@cases.each("seed", range(5))
@cases.each("ends", [(-3, 3), (-6, 6), (-150, 0)])
def test_codebooks_of_rows_of_very_different_size(seed, ends):
    """Weights of small rows vanish beside those of large ones, also from differences of sums."""
    rng = np.random.default_rng(seed)
    d = 10.0 ** np.where(np.arange(40) < 20, *ends)
    full = np.outer(d, d) * ((X := rng.normal(size=(100, 40))).T @ X / 100)
    Q = vech.quantize(full, "kmeans-4", scales="two-sided")
    assert (np.diff(Q.levels) >= 0).all() and np.abs(Q.levels).max() == 1
    assert Q.error.frobenius <= 0.2 * np.linalg.norm(full)


@cases.each("encoding", ["int8", "uint8", "int4x2", "nf4", "float8-e4m3", "sign"])
@cases.each("n", [2, 63, 100])
@cases.each("dtype", ["float32", "float64"])
def test_covariances_in_double_know_how_numbers_in_single_were_rounded(encoding, n, dtype):
    R, sd = np.full((n, n), 0.3, dtype), np.linspace(1, 30, n)
    np.fill_diagonal(R, 1)
    C = vech.linalg.to_covariance(vech.quantize(R, encoding), sd)
    assert C.dtype == np.float64
    true = R * np.multiply.outer(sd, sd)
    for store in (C, C.coarse) if encoding == "int4x2" else (C,):
        E = true - store.expand()
        assert np.linalg.norm(E) <= store.error.frobenius and np.abs(E).max() <= store.error.max
        assert np.linalg.norm(E, 2) <= store.error.spectral_bound
        for i, j in ((0, 0), (store.grid - 1, 0)):
            assert np.linalg.norm(E[64 * i :][:64, 64 * j :][:, :64]) <= store.error.tiles[i, j]
        low, high = store.eigenvalue_interval()
        values = np.linalg.eigvalsh(true)
        assert low <= values[0] and values[-1] <= high
        assert store.error.frobenius <= 50 * np.linalg.norm(E) + 1e-12 * n * np.linalg.norm(true)
