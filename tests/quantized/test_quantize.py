"""Every encoding of matrices of every kind: symmetry, diagonal, certificate, eigenvalues, products."""

import numpy as np
import pytest
import scipy.cluster.vq
from matrices import KINDS, SIZES, SOURCES, integers, matrix

import cases
import vech
from compare import assert_same_bits

pytestmark = pytest.mark.every_target

ENCODINGS = tuple(vech.ENCODINGS)
DTYPES = ("f4", "f8")
SCALES = ("tile", "two-sided")
REAL = {"f4": np.float32, "f8": np.float64}


def fits(kind, encoding, dtype, **_):
    return not (
        kind == "tiny" and encoding == "float16"
    )  # 1e-30 is zero in float16, which is allowed; see below


CASES = cases.pairwise(
    fits,
    kind=KINDS,
    encoding=ENCODINGS,
    n=SIZES,
    source=SOURCES,
    dtype=DTYPES,
    scales=SCALES,
    tile=(32, 64, 128),
)


@cases.each(("kind", "encoding", "n", "source", "dtype", "scales", "tile"), CASES)
def test_what_is_promised_of_every_quantized_matrix(kind, encoding, n, source, dtype, scales, tile):
    full = matrix(next(name for name in KINDS if KINDS[name] is kind), n, REAL[dtype])
    Q = vech.quantize(source(full), encoding, scales=scales, tile=tile)
    found = Q.expand()
    assert found.dtype == full.dtype
    assert_same_bits(found, np.ascontiguousarray(found.T))
    assert_same_bits(Q.diagonal(), full.diagonal().copy())
    E, error = full.astype(float) - found, Q.error
    assert np.linalg.norm(E) <= error.frobenius <= (1 + 1e-3) * np.linalg.norm(E)
    assert np.abs(E).max() <= error.max <= (1 + 12 * np.finfo(dtype).eps) * np.abs(E).max()
    spectral = np.linalg.norm(E, 2)
    best = min(np.linalg.norm(E), np.abs(E).sum(axis=1).max())
    assert spectral <= error.spectral_bound and error.spectral_bound <= 1.001 * best
    for i in range(Q.grid):
        for j in range(Q.grid):
            part = np.linalg.norm(E[i * tile : (i + 1) * tile, j * tile : (j + 1) * tile])
            assert (part <= error.tiles[i, j] <= 1.001 * part) if i >= j else error.tiles[i, j] == 0
    values = np.linalg.eigvalsh(full.astype(float))
    low, high = Q.eigenvalue_interval()
    assert low <= values[0] and values[-1] <= high
    assert high - low <= values[-1] - values[0] + 4 * error.spectral_bound + 1e-4 * np.abs(values).max()
    x = cases.moderate(np.dtype(dtype), (n, 3))
    eps = np.finfo(dtype).eps
    bound = 2 * (n + 4) * eps * (np.abs(found).astype(float) @ np.abs(x))
    for y in (x, x[:, 0], x.astype(float)):
        assert (np.abs(Q @ y - found.astype(float) @ y) <= (bound if y.ndim == 2 else bound[:, 0])).all()


@cases.each("encoding", ["int8", "int4", "float16", "bfloat16", "int4x2"])
@cases.each("kind", ["symmetric", "skew"])
@cases.each("n", [0, 1, 2, 5, 63, 64, 65, 130])
def test_what_codes_can_say_exactly_stays_as_it_was(encoding, kind, n):
    full = integers(n, 127 if encoding == "int8" else 7, kind=kind)
    Q = vech.quantize(vech.Packed.from_full(full, kind=kind), encoding, tile=32)
    np.testing.assert_array_equal(Q.expand(), full)
    assert_same_bits(Q.expand()[np.tril_indices(n)], full[np.tril_indices(n)])  # beyond, some zeros are -0.0
    if n > 1:
        assert Q.error.max == Q.error.frobenius == Q.error.spectral_bound == 0


@pytest.mark.every_target
@pytest.mark.parametrize(("encoding", "scales"), [("uint8", (1.0, -3.0)), ("int8", "tile")])
def test_triangles_of_a_skew_matrix_are_mirror_images_to_the_sign_of_a_zero(encoding, scales):
    n = 130
    full = integers(n, 3, kind="skew").astype(np.float64)
    found = vech.quantize(vech.Packed.from_full(full, kind="skew"), encoding, tile=64, scales=scales).expand()
    upper = np.triu_indices(n, 1)
    assert (found[upper] == 0).any()
    assert_same_bits(found[upper], -found.T[upper])


def test_bits_a_pair():
    n = 512
    packed = n * (n + 1) // 2 * 4
    S = matrix("wishart", n, np.float32)
    for encoding, most in (("int8", 0.30), ("int4", 0.165), ("sign", 0.055), ("bfloat16", 0.57)):
        assert vech.quantize(S, encoding, tile=64).nbytes <= most * packed


@pytest.mark.parametrize(
    "encoding", ["int8", "uint8", "int4", "nf4", "sign", "float16", "float8-e4m3", "int4x2"]
)
def test_any_number_of_threads_gives_the_same_codes_and_certificate(encoding):
    full = matrix("wishart", 1100, np.float32)
    one, two = (vech.quantize(full, encoding, rounding="stochastic", seed=5, threads=k) for k in (1, 2))
    assert_same_bits(one.codes, two.codes)
    assert_same_bits(one.scales, two.scales)
    assert (one.error.frobenius, one.error.spectral_bound) == (two.error.frobenius, two.error.spectral_bound)
    x = np.ones(1100, np.float32)
    assert_same_bits(one.matmul(x, threads=1), two.matmul(x, threads=2))


@pytest.mark.parametrize(
    "encoding", ["int8", "uint8", "int4", "int4x2", "nf4", "kmeans-4", "sign", "float8-e5m2", "bfloat16"]
)
def test_stochastic_rounding_is_right_in_the_mean(encoding):
    full = matrix("wishart", 40)
    options = {"levels": vech.quantized.codebook(full)} if encoding == "kmeans-4" else {}
    several = np.array(
        [
            vech.quantize(full, encoding, rounding="stochastic", seed=seed, **options).expand()
            for seed in range(300)
        ]
    )
    off = np.triu_indices(40, 1)
    away, spread = (several.mean(axis=0) - full)[off], several.std(axis=0)[off]
    assert np.linalg.norm(away) == pytest.approx(np.linalg.norm(spread) / np.sqrt(300), rel=0.15)
    assert abs(away.sum()) < 5 * np.linalg.norm(spread) / np.sqrt(300)


def test_a_seed_is_a_stream_of_its_own():
    full = matrix("wishart", 70)
    one, same, other = (
        vech.quantize(full, "int4", rounding="stochastic", seed=seed).codes for seed in (1, 1, 2)
    )
    assert_same_bits(one, same)
    assert (one != other).mean() > 0.2


def test_progress_tells_of_blocks():
    said = []
    for full in (np.eye(2100), np.eye(1100, dtype="i4")):  # where they lie, and read out
        vech.quantize(full, progress=lambda *done: said.append(done))
    assert said == [(k, 3) for k in range(1, 4)] + [(k, 6) for k in range(1, 7)]


# ---- scales ------------------------------------------------------------------------------------------------


def test_scales_that_are_known_beforehand():
    full = integers(70, 100)
    Q = vech.quantize(full, "int8", scales=2.0)
    assert (Q.scales == 2).all()
    assert np.abs(full - Q.expand()).max() == 1 <= Q.error.max <= 1 + 1e-15
    each = np.arange(1.0, 4.0)
    assert_same_bits(vech.quantize(full, "int8", scales=each).scales, each)
    U = vech.quantize(full, "uint8", scales=(1.0, -128.0))
    assert_same_bits(U.expand(), full)


def test_clipping_takes_the_largest_level():
    full = integers(70, 100)
    Q = vech.quantize(full, "int8", scales=0.5, clip=True)
    wanted = np.clip(full, -63.5, 63.5)
    np.fill_diagonal(wanted, full.diagonal())
    assert_same_bits(Q.expand(), wanted)
    assert 36.5 <= Q.error.max <= 36.5 * (1 + 1e-15)
    H = vech.quantize(np.array([[1.0, 1e6], [1e6, 1.0]]), "float16", clip=True)
    assert H.expand()[0, 1] == 65504


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_two_sided_scales_leave_codes_as_they_are(encoding):
    full = matrix("spiked", 90)
    Q = vech.quantize(full, encoding, scales="two-sided", tile=32)
    assert (Q.scales == Q.scales[0]).all() and Q.sides.shape == (90,)
    order = cases.generator("order").permutation(90)
    found = Q.expand()
    np.testing.assert_allclose(Q.permute(order).expand(), found[np.ix_(order, order)], rtol=1e-15)
    some = order[:40]
    np.testing.assert_allclose(Q.submatrix(some).expand(), found[np.ix_(some, some)], rtol=1e-15)
    d = np.linspace(0.5, 3, 90)
    D = Q.scale(d)
    assert isinstance(D, vech.Quantized) and np.shares_memory(D.codes, Q.codes)
    np.testing.assert_allclose(D.expand(), d[:, None] * found * d, rtol=1e-14)
    for new, original in (
        (D, d[:, None] * full * d),
        (Q.permute(order), full[np.ix_(order, order)]),
        (Q.submatrix(some), full[np.ix_(some, some)]),
    ):
        E = original - new.expand()
        assert np.linalg.norm(E) <= new.error.frobenius * (1 + 1e-14)
        assert np.linalg.norm(E, 2) <= new.error.spectral_bound
        assert np.abs(E).max() <= new.error.max * (1 + 1e-14)
        for i, j in np.ndindex(new.grid, new.grid):
            part = np.linalg.norm(E[i * 32 : (i + 1) * 32, j * 32 : (j + 1) * 32])
            assert i < j or part <= new.error.tiles[i, j] * (1 + 1e-14)


@pytest.mark.parametrize("encoding", ["int8", "uint8", "nf4", "int4x2"])
def test_other_scales_of_tiles_stay_where_tiles_do(encoding):
    full = matrix("wishart", 150)
    Q = vech.quantize(full, encoding, tile=32)
    found = Q.expand()
    assert_same_bits(Q.submatrix(slice(32, 140)).expand(), found[32:140, 32:140])
    np.testing.assert_allclose(
        Q.scale(2.0 ** np.arange(150) / 2.0**75).expand()[3, 1], found[3, 1] * 2.0**-146
    )


def test_sides_make_the_largest_number_of_each_row_near_one():
    rng = cases.generator("sides")
    full = matrix("wishart", 80) * np.multiply.outer(d := 10.0 ** rng.uniform(-6, 6, 80), d)
    Q = vech.quantize(full, "int8", scales="two-sided")
    scaled = np.abs(full) / Q.sides[:, None] / Q.sides
    np.fill_diagonal(scaled, 0)
    assert (scaled.max(axis=1) >= 0.9).all() and scaled.max() <= 1.1
    relative = np.linalg.norm((full - Q.expand()) / d[:, None] / d)
    tiled = np.linalg.norm((full - vech.quantize(full, "int8").expand()) / d[:, None] / d)
    assert relative < tiled / 10


# ---- the shifted matrix ------------------------------------------------------------------------------------


@cases.each("dtype", DTYPES)
@cases.each("kind", list(KINDS))
@cases.each("encoding", ["sign", "int4", "int8", "int4x2"])
def test_a_shift_makes_it_positive_semidefinite(encoding, kind, dtype):
    full = matrix(kind, 130, REAL[dtype])
    Q = vech.quantize(full, encoding)
    P = Q.shift_to_psd()
    assert np.linalg.eigvalsh(P.expand().astype(float))[0] >= 0
    assert np.shares_memory(P.codes, Q.codes)
    least = np.linalg.eigvalsh(Q.expand().astype(float))
    shift = (P.diagonal() - Q.diagonal()).astype(float)
    assert shift.max(initial=0) <= max(0, -least[0]) + 1e-4 * np.abs(least).max()
    E = full - P.expand().astype(float)
    assert np.linalg.norm(E) <= P.error.frobenius and np.abs(E).max() <= P.error.max
    assert np.linalg.norm(E, 2) <= P.error.spectral_bound
    low, high = P.eigenvalue_interval()
    values = np.linalg.eigvalsh(full.astype(float))
    assert low <= values[0] and values[-1] <= high


def test_another_diagonal_counts_as_error():
    full = matrix("wishart", 70)
    Q = vech.quantize(full, "int8", tile=32).with_diagonal(
        full.diagonal() + np.where(np.arange(70) < 40, 10, 0)
    )
    E = full - Q.expand()
    assert np.linalg.norm(E, 2) <= Q.error.spectral_bound <= 12
    assert np.linalg.norm(E) <= Q.error.frobenius <= 1.001 * np.linalg.norm(E)
    assert np.abs(E).max() <= Q.error.max <= 10.001
    assert np.linalg.norm(E[32:64, 32:64]) <= Q.error.tiles[1, 1] <= 1.001 * np.linalg.norm(E[32:64, 32:64])


def test_what_lanczos_finds_of_a_large_matrix():
    full = matrix("wishart", 700)
    Q = vech.quantize(full, "int4")
    values, found = np.linalg.eigvalsh(full), np.linalg.eigvalsh(Q.expand())
    low, high = Q.eigenvalue_interval()
    assert low <= values[0] and values[-1] <= high
    assert low >= found[0] - Q.error.spectral_bound - 1e-3 * found[-1]
    assert np.linalg.eigvalsh(vech.quantize(full, "sign").shift_to_psd().expand())[0] >= 0


# ---- planes ------------------------------------------------------------------------------------------------


def test_two_planes_and_the_coarse_one_alone():
    full = matrix("wishart", 100)
    Q = vech.quantize(full, "int4x2", tile=32)
    coarse, alone = Q.coarse, vech.quantize(full, "int4", tile=32)
    assert coarse.encoding == "int4" and np.shares_memory(coarse.codes, Q.codes)
    assert_same_bits(coarse.expand(), alone.expand())
    assert (coarse.error.frobenius, coarse.error.max) == (alone.error.frobenius, alone.error.max)
    assert Q.error.frobenius < coarse.error.frobenius / 10
    x = np.ones(100)
    np.testing.assert_allclose(Q @ x, Q.expand() @ x, rtol=1e-12)
    with pytest.raises(ValueError, match="int4 has one plane of codes, and 'int4x2' a coarse one of two"):
        coarse.coarse  # noqa: B018


# ---- codebooks ---------------------------------------------------------------------------------------------


def total(levels, x):
    return (np.abs(x[:, None] - levels).min(axis=1) ** 2).sum()


def test_a_codebook_is_better_than_published_ones():
    full = matrix("wishart", 150)
    own, nf4, even = (vech.quantize(full, name).error.frobenius for name in ("kmeans-4", "nf4", "int4"))
    assert own < nf4 < even
    levels = vech.quantized.codebook(full)
    assert levels.shape == (16,) and (np.diff(levels) >= 0).all() and np.abs(levels).max() == 1
    assert_same_bits(vech.quantize(full, "kmeans-4").levels, levels)


def test_a_codebook_in_units_of_sides():
    d = 10.0 ** np.linspace(-2, 2, 120)
    full = matrix("wishart", 120) * np.multiply.outer(d, d)
    own, nf4 = (vech.quantize(full, name, scales="two-sided").error.frobenius for name in ("kmeans-4", "nf4"))
    assert own < nf4


def test_k_means_by_its_definition():
    """In one tile, with its ends held, it is no worse than the best of many random starts by a fourth."""
    full = matrix("wishart", 64)
    x = full[np.tril_indices(64, -1)]
    x = x / np.abs(x).max()
    starts = (scipy.cluster.vq.kmeans2(x, 16, 30, minit="++", rng=seed)[0] for seed in range(20))
    best = min(total(levels, x) for levels in starts)
    assert total(vech.quantized.codebook(full), x) <= 1.25 * best


def test_numbers_that_few_levels_have_are_kept():
    full = integers(70, 7)
    assert vech.quantize(full, "kmeans-4").error.max <= 1e-13


def test_one_codebook_for_many():
    several = [matrix("wishart", 70) * 10.0**k for k in (-3, 0, 3)]
    shared = vech.quantized.codebook(several)
    assert_same_bits(shared, vech.quantized.codebook(iter(several)))
    for full in several:
        Q = vech.quantize(full, "kmeans-4", levels=shared)
        assert_same_bits(Q.levels, shared)
        assert Q.error.frobenius < vech.quantize(full, "int4").error.frobenius


def test_weights_of_a_codebook_with_its_diagonal():
    """A number on the diagonal counts once, one beside it twice."""
    full = np.array([[1.0, 0.501], [0.501, 0.5015]])
    levels = vech.quantized.codebook(full, diagonal=True)
    near = levels[np.abs(levels - 0.5).argmin()]
    assert near == pytest.approx((2 * 0.501 + 0.5015) / 3, abs=1e-12)


def test_levels_may_come_with_an_encoding_of_ones_own():
    levels = tuple(np.linspace(-1, 1, 16))
    Q = vech.quantize(np.eye(3), vech.quantized.Encoding("mine", 4, levels=levels))
    assert Q.encoding == "kmeans-4" and tuple(Q.levels) == levels
    assert vech.quantize(np.eye(3), vech.ENCODINGS["nf4"]).encoding == "nf4"
