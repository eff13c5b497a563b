"""Matrices by their Cholesky factor and by their logarithm: definite, certified, and with powers."""

import numpy as np
import pytest
from matrices import SIZES, SOURCES, matrix

import cases
import vech
from compare import assert_same_bits

ENCODINGS = ("int8", "int4", "nf4", "sign", "float16", "int4x2", "kmeans-4")
N = 90


def definite(kind, n=N, dtype=np.float64):
    full = matrix(kind, n, dtype)
    return full + (1e-4 * np.trace(full) / n * np.eye(n)).astype(dtype)


CASES = cases.pairwise(
    lambda **_: True,
    domain=("cholesky", "log"),
    encoding=ENCODINGS,
    kind=("wishart", "spiked", "decaying", "block", "tiny"),  # "zero", the sixth, is not definite
    n=(*SIZES, N),
    source=SOURCES,
    dtype=("f4", "f8"),
    scales=("tile", "two-sided"),
    tile=(32, 64, 128),
)


@cases.each(("domain", "encoding", "kind", "n", "source", "dtype", "scales", "tile"), list(CASES))
def test_what_is_promised_of_the_other_domains(domain, encoding, kind, n, source, dtype, scales, tile):
    full = definite(kind, n, np.dtype(dtype))
    Q = vech.quantize(source(full), encoding, domain=domain, scales=scales, tile=tile)
    assert repr(Q).endswith(f"encoding={encoding!r}, domain={domain!r})")
    found = Q.expand()
    assert found.dtype == full.dtype
    assert_same_bits(found, np.ascontiguousarray(found.T))
    assert_same_bits(Q.diagonal(), found.diagonal().copy())
    assert_same_bits(Q.expand(slice(n // 3, n // 2 + 1)), found[n // 3 : n // 2 + 1])
    rows, columns = np.array([70, 2, 33]) % n, np.array([0, n - 1, 33, 2]) % n
    assert_same_bits(Q.block(rows, columns), found[np.ix_(rows, columns)])
    assert_same_bits(Q.to_packed().expand(), found)
    for part in Q.tiles(50):
        assert_same_bits(np.ascontiguousarray(part.numbers), found[part.rows, part.columns].copy())
    E, error = full.astype(float) - found, Q.error
    assert np.linalg.norm(E) <= error.frobenius <= (1 + 1e-6) * np.linalg.norm(E)
    assert np.abs(E).max() <= error.max <= (1 + 1e-15) * np.abs(E).max()
    assert np.linalg.norm(E, 2) <= error.spectral_bound
    size = np.abs(found).astype(float).sum()
    x = cases.moderate(np.dtype(dtype), (n, 2))
    np.testing.assert_allclose(Q @ x, found @ x, atol=40 * np.finfo(dtype).eps * size, rtol=0)
    values, quantized = np.linalg.eigvalsh(full.astype(float)), np.linalg.eigvalsh(found.astype(float))
    low, high = Q.eigenvalue_interval()
    assert 0 <= low <= values[0] and values[-1] <= high
    slack = 100 * np.finfo(dtype).eps * values[-1]
    assert (values >= error.factors[0] * quantized - slack).all()
    assert (values <= error.factors[1] * (quantized + slack)).all()
    assert quantized[0] >= -slack


def test_small_eigenvalues_keep_their_digits():
    full = definite("decaying")
    least = np.linalg.eigvalsh(full)[0]
    entries = vech.quantize(full, "int8")
    assert abs(np.linalg.eigvalsh(entries.expand())[0] - least) > least
    for domain in ("cholesky", "log"):
        for encoding, off in (("int8", 0.3), ("float16", 0.01)):
            Q = vech.quantize(full, encoding, domain=domain)
            assert np.linalg.eigvalsh(Q.expand())[0] == pytest.approx(least, rel=off)
        assert Q.eigenvalue_interval()[0] > least / 2


@pytest.mark.parametrize("exponent", [-1, -0.25, 0.5, 2, 0])
@pytest.mark.parametrize("encoding", ["int8", "int4"])
def test_powers_of_a_logarithm(encoding, exponent):
    full = definite("wishart")
    Q = vech.quantize(full, encoding, domain="log")
    P = Q.power(exponent)
    assert np.shares_memory(P.codes, Q.codes) and P.domain == "log"
    values, vectors = np.linalg.eigh(Q.expand())
    np.testing.assert_allclose(P.expand(), (vectors * values**exponent) @ vectors.T, atol=1e-10)
    values, vectors = np.linalg.eigh(full)
    E = (vectors * values**exponent) @ vectors.T - P.expand()
    assert np.linalg.norm(E) <= P.error.frobenius and np.linalg.norm(E, 2) <= P.error.spectral_bound
    low, high = P.eigenvalue_interval()
    assert low <= min(values**exponent) and max(values**exponent) <= high


@pytest.mark.parametrize("encoding", ["kmeans-4", "int8", "nf4"])
@pytest.mark.parametrize("seed", [0, 7, 11])
def test_the_interval_of_a_logarithm_of_large_norm(encoding, seed):
    """Rounding of a logarithm moves the matrix by its norm times as much."""
    X = np.random.default_rng(seed).normal(size=(128, 63))
    full = (1 + 1e-7 * (X.T @ X / 128)).astype(np.float32)
    full = np.tril(full) + np.tril(full, -1).T
    Q = vech.quantize(full, encoding, domain="log", tile=32)
    low, high = Q.eigenvalue_interval()
    values, largest = np.linalg.eigvalsh(full.astype(float)), np.linalg.norm(Q.expand(), 2)
    assert low <= values[0] and values[-1] <= high <= largest + Q.error.spectral_bound + 0.02


def test_what_has_no_power():
    with pytest.raises(
        ValueError, match="powers are of the domain 'log', whose scales they multiply, and S is in"
    ):
        vech.quantize(np.eye(2)).power(2)
    Q = vech.quantize(np.eye(2), domain="log")
    with pytest.raises(ValueError, match="exponent is inf, and must be finite"):
        Q.power(np.inf)
    with pytest.raises(TypeError, match="exponent must be a real number, not '2'"):
        Q.power("2")


@pytest.mark.parametrize("exponent", [10**400, -(10**400)], ids=["large", "small"])
def test_an_exponent_beyond_float64_is_one_error(exponent):
    Q = vech.quantize(np.eye(2), domain="log")
    with pytest.raises(ValueError, match=r"^exponent is -?10{16,}\.\.\.0+, and must be finite$") as caught:
        Q.power(exponent)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("domain", ["cholesky", "log"])
def test_matrices_that_are_not_definite(domain):
    with pytest.raises(
        np.linalg.LinAlgError, match=r"S is not positive definite.*domain='entries' takes any matrix"
    ):
        vech.quantize(np.array([[1.0, 2.0], [2.0, 1.0]]), domain=domain)
    with pytest.raises(np.linalg.LinAlgError, match="S is not positive definite"):
        vech.quantize(np.zeros((3, 3)), domain=domain)
    skew = vech.Packed(np.array([0.0, 1.0, 0.0]), kind="skew")
    with pytest.raises(TypeError, match=f"domain='{domain}' is of positive definite matrices, and S is skew"):
        vech.quantize(skew, domain=domain)


@pytest.mark.parametrize("domain", ["cholesky", "log"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_ones(domain, n):
    full = np.diag(np.arange(1.0, n + 1))
    Q = vech.quantize(full, domain=domain)
    np.testing.assert_allclose(Q.expand(), full, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(Q @ np.ones(n), full @ np.ones(n), rtol=1e-14)
    assert vech.linalg.norm(Q) == pytest.approx(np.linalg.norm(full))


@pytest.mark.parametrize("domain", ["cholesky", "log"])
def test_what_acts_on_codes_of_numbers_alone(domain):
    Q = vech.quantize(np.eye(3), domain=domain)
    assert Q.shift_to_psd() is Q
    for call in (lambda: Q.permute([2, 1, 0]), lambda: Q.with_diagonal(1), lambda: Q.submatrix([1])):
        with pytest.raises(
            ValueError, match=rf"and S is in the domain '{domain}': S.to_packed\(\) has numbers"
        ):
            call()
    assert isinstance(Q.scale([1, 2, 3]), vech.Packed)
    with pytest.raises(ValueError, match="precise=False multiplies integers"):
        Q.matmul(np.ones(3), precise=False)


def test_two_planes_in_a_domain():
    full = definite("wishart")
    Q = vech.quantize(full, "int4x2", domain="cholesky")
    E = full - Q.coarse.expand()
    assert Q.coarse.domain == "cholesky"
    assert np.linalg.norm(E) <= Q.coarse.error.frobenius <= (1 + 1e-6) * np.linalg.norm(E)


def test_an_inverse_fourth_root_comes_better_from_the_logarithm():
    """As published for A in 8 bits, its logarithm in 4 and in 8: 0.109, 0.037 and 0.0022."""
    rng = cases.generator("levels")
    Q, _ = np.linalg.qr(rng.normal(size=(256, 256)))
    values = np.where(np.arange(256) < 64, 1000.0, 1.0)
    full = (Q * values) @ Q.T
    full = (full + full.T) / 2

    def error(found):
        root = (Q * values**-0.25) @ Q.T
        return np.linalg.norm(found - root) / np.linalg.norm(root)

    eights, fours = (vech.quantize(full, name, domain="log").power(-0.25) for name in ("int8", "linear2-4"))
    values_of, vectors = np.linalg.eigh(vech.quantize(full, "int8").expand())
    entries = error((vectors * np.maximum(values_of, 1e-3) ** -0.25) @ vectors.T)
    assert 10 * error(eights.expand()) < entries
    assert error(fours.expand()) < entries
