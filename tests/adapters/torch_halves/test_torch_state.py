"""LowBitState: the moving average, its codes, its roots, and its checkpoints."""

import copy
import io
import pickle

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="LowBitState is of torch")

from vech.adapters.torch.state import DOMAINS, LowBitState

N = 96


def factors(n=N, count=12, *, k=40, least=1e-3, seed=0):
    """G of statistics G G' of one covariance, whose eigenvalues go from 1 to least^2."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0] * np.geomspace(1, least, n)
    return [torch.from_numpy(basis @ rng.standard_normal((n, k))) for _ in range(count)]


def average(matrices, beta):
    S = np.zeros((len(matrices[0]),) * 2)
    for G in matrices:
        S = beta * S + (1 - beta) * (G @ G.T).numpy()
    return S


def power(S, p, damping, relative=True):
    values, vectors = np.linalg.eigh(S)
    values = values + damping * (values[-1] if relative else 1)
    return (vectors * values ** (-1 / p)) @ vectors.T


def fed(state, matrices, beta=0.9):
    for G in matrices:
        state.update(factor=G, beta=beta)
    return state


def relative_error(found, want):
    return float(np.linalg.norm(found - want) / np.linalg.norm(want))


def square(half):
    return vech.expand(half.numpy())


# ---------------------------------------------------------------- the average


def test_a_state_of_floats_is_the_moving_average():
    matrices = factors()
    state = fed(LowBitState(N, dtype=torch.float64), matrices)
    np.testing.assert_allclose(state.expand().numpy(), average(matrices, 0.9), rtol=1e-12, atol=1e-14)
    assert state.nbytes == 8 * N * (N + 1) // 2
    assert fed(LowBitState(N, "float32"), matrices).nbytes == 4 * N * (N + 1) // 2


@pytest.mark.parametrize("encoding", [None, "int8"])
def test_halves_squares_and_factors_are_the_same_update(encoding):
    matrices = factors(count=3)
    states = [LowBitState(N, encoding, dtype=torch.float64) for _ in range(3)]
    for G in matrices:
        gram = G @ G.T
        states[0].update(factor=G)
        states[1].update(gram / 2 + gram.T / 2)
        states[2].update(torch.from_numpy(vech.pack(gram.numpy(), use="lower")))
    want = average(matrices, 0.95)
    for state in states:
        assert relative_error(state.expand().numpy(), want) < (1e-12 if encoding is None else 0.05)
    np.testing.assert_allclose(states[0].half(), states[2].half(), rtol=0.01, atol=1e-3)


def test_a_weight_makes_sums_of_averages():
    G = factors(count=1)[0]
    state = LowBitState(N, dtype=torch.float64).update(factor=G, beta=1.0, weight=2.0)
    state.update(factor=G, beta=1.0, weight=1.0)
    np.testing.assert_allclose(state.expand(), 3 * G @ G.T, rtol=1e-12)


def test_low_precision_gradients_are_summed_in_floats():
    G = torch.full((64, 300), 0.1, dtype=torch.bfloat16)
    state = LowBitState(64).update(factor=G, beta=0.0)
    want = 300 * float(G[0, 0].double()) ** 2
    np.testing.assert_allclose(state.half(), want, rtol=1e-5)


# ---------------------------------------------------------------- codes

# what is lost of S and of its inverse fourth root after 12 updates: measured, and a fifth more
BOUNDS = {
    ("linear2-4", "log"): (0.38, 0.27),
    ("linear2-4", "cholesky"): (0.32, 0.52),
    ("linear2-4", "entries"): (0.23, 0.70),
    ("kmeans-4", "log"): (0.35, 0.23),
    ("int8", "log"): (0.027, 0.012),
    ("int8", "cholesky"): (0.017, 0.051),
    ("int8", "entries"): (0.015, 0.42),
    ("uint8", "log"): (0.025, 0.012),
    ("int4x2", "log"): (0.041, 0.017),
    ("float16", "log"): (0.0009, 0.0004),
    ("bfloat16", "cholesky"): (0.0038, 0.0066),
}


@pytest.mark.parametrize(("encoding", "domain"), BOUNDS)
def test_codes_lose_what_they_may(encoding, domain):
    matrices = factors()
    state, S = fed(LowBitState(N, encoding, domain=domain), matrices), average(matrices, 0.9)
    of_s, of_root = BOUNDS[encoding, domain]
    assert 0 < relative_error(state.expand().numpy(), S) < of_s
    assert 0 < relative_error(square(state.root(4, 1e-4)), power(S, 4, 1e-4)) < of_root


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("encoding", ["linear2-4", "int8", "sign"])
def test_matrices_stay_definite(encoding, domain):
    """Of rank 2 in all, so that nearly all eigenvalues are zero."""
    state = LowBitState(N, encoding, domain=domain, dtype=torch.float64)
    for G in factors(count=2, k=1) * 5:
        state.update(factor=G)
        low, high = np.linalg.eigvalsh(state.expand())[[0, -1]]
        rounded = domain == "entries" or encoding == "sign"  # eigenvalues at zero, or far below rounding
        assert low > (-1e-14 * high if rounded else 0)
        assert np.linalg.eigvalsh(square(state.root()))[0] > 0


def test_a_state_is_the_store_that_quantize_makes_of_its_matrix():
    G = factors(count=1, k=200)[0]
    S = (G @ G.T).numpy()
    S = S / 2 + S.T / 2
    for domain in DOMAINS:
        state = LowBitState(N, "int8", domain=domain, floor=0.0, dtype=torch.float64)
        found = state.update(torch.from_numpy(S), beta=0.0).store()
        want = vech.quantize(S, "int8", domain=domain, tile=32)
        assert (found.encoding, found.domain, found.tile) == ("int8", domain, 32)
        np.testing.assert_allclose(found.expand(), want.expand(), rtol=1e-7, atol=1e-9)


def test_few_numbers_stay_floats():
    assert LowBitState(63, "int4").encoding == "float32"
    assert LowBitState(64, "int4").encoding == "int4"
    assert LowBitState(8, "int4", smallest=0).encoding == "int4"


@pytest.mark.parametrize("n", [64, 128, 256])
def test_four_bits_take_less_than_4_bit_shampoo(n):
    state = LowBitState(n, "linear2-4").update(factor=torch.eye(n), beta=0.0)
    codes, scales, eigenvalues = n * n // 2, 4 * n * n // 64, 4 * n
    assert state.nbytes < codes + scales + eigenvalues
    assert state.nbytes < 4 * n * n / 7


# ---------------------------------------------------------------- feedback


def test_the_error_that_is_fed_back_is_its_formula():
    b, beta = 0.6, 0.9
    state = LowBitState(N, "int4", domain="cholesky", floor=0.0, feedback=b, dtype=torch.float64)
    E, S = np.zeros((N, N)), np.zeros((N, N))
    for G in factors(count=4, k=200):
        state.update(factor=G, beta=beta)
        S = beta * S + (1 - beta) * (G @ G.T).numpy()
        C = np.linalg.cholesky(S) + np.tril(E)
        Q = vech.quantize(vech.Packed.from_full(C, "numpy-tril", use="lower"), "int4", tile=32).expand()
        E = b * E + (1 - b) * (np.tril(C) + np.tril(C, -1).T - Q)
        E = vech.quantize(E, "linear2-4", tile=32).expand()
        S = np.tril(Q) @ np.tril(Q).T
    np.testing.assert_allclose(state.expand(), S, rtol=1e-9, atol=1e-12)
    assert np.abs(E).max() > 0
    assert state.nbytes == 2 * (LowBitState(N, "int4", dtype=torch.float64).update(factor=G).nbytes)


@pytest.mark.parametrize("domain", ["cholesky", "log"])
def test_feedback_brings_the_root_nearer(domain):
    matrices = factors(count=40)
    want = power(average(matrices, 0.9), 4, 1e-4)
    with_it, without = (
        relative_error(
            square(fed(LowBitState(N, "int8", domain=domain, feedback=b), matrices).root(4, 1e-4)), want
        )
        for b in (0.5, None)
    )
    assert with_it < 0.8 * without


# ---------------------------------------------------------------- roots


@pytest.mark.parametrize("p", [1, 2, 4, 6])
@pytest.mark.parametrize("relative", [True, False])
def test_a_root_is_its_formula(p, relative):
    matrices = factors()
    state = fed(LowBitState(N, dtype=torch.float64), matrices)
    half = state.root(p, 1e-3, relative=relative, layout="svec-lower")
    want = power(average(matrices, 0.9), p, 1e-3, relative)
    np.testing.assert_allclose(vech.expand(half.numpy(), "svec-lower"), want, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("encoding", [None, "int8"])
def test_zeros_have_the_identity_for_a_root(encoding):
    for state in (LowBitState(64, encoding), LowBitState(64, encoding).update(factor=torch.zeros(64, 3))):
        np.testing.assert_array_equal(square(state.root()), np.eye(64))
        np.testing.assert_array_equal(state.expand(), np.zeros((64, 64)))
    state = LowBitState(64, encoding).update(factor=torch.ones(64, 3))
    np.testing.assert_array_equal(state.update(factor=torch.zeros(64, 3), beta=0.0).half(), 0)


@pytest.mark.parametrize("encoding", [None, "int8", "kmeans-4"])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_small_and_empty_matrices_are_ordinary(n, encoding):
    state = LowBitState(n, encoding, smallest=0).update(factor=torch.full((n, 3), 2.0), beta=0.0)
    np.testing.assert_allclose(state.expand(), np.full((n, n), 12.0), rtol=0.02)
    assert state.root(2).shape == (n * (n + 1) // 2,)
    again = LowBitState(n, encoding, smallest=0).load_state_dict(state.state_dict())
    one, two = (s.update(factor=torch.ones(n, 0)).half() for s in (again, state))
    assert torch.equal(one, two)


def test_a_half_comes_in_any_layout():
    state = fed(LowBitState(N), factors(count=2))
    for layout in ("numpy-tril", "numpy-triu", "svec-upper"):
        np.testing.assert_allclose(vech.expand(state.half(layout).numpy(), layout), state.expand(), rtol=1e-6)


# ---------------------------------------------------------------- checkpoints


def loaded(state):
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    file.seek(0)
    return LowBitState.from_state_dict(torch.load(file, weights_only=True))


@pytest.mark.parametrize("way", [loaded, copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
@pytest.mark.parametrize("options", [{}, {"encoding": "kmeans-4", "feedback": 0.5}, {"encoding": "uint8"}])
def test_a_copy_goes_on_the_same_to_the_last_bit_and_alone(options, way):
    first, *others = factors(count=3)
    state = LowBitState(N, **options).update(factor=first)
    again = way(state)
    for G in others:
        state.update(factor=G)
    assert not torch.equal(again.half(), state.half())
    for G in others:
        again.update(factor=G)
    assert torch.equal(again.half(), state.half())
    assert torch.equal(again.root(), state.root())
    assert again.nbytes == state.nbytes


def test_numbers_move_to_another_dtype_and_codes_do_not():
    state = fed(LowBitState(N, "int4"), factors(count=2))
    codes = state.state_dict()["held"]["tensors"]["codes"].clone()
    assert state.to(dtype=torch.float64).half().dtype == torch.float64
    tensors = state.state_dict()["held"]["tensors"]
    assert torch.equal(tensors["codes"], codes) and tensors["scales"].dtype == torch.float64
    assert state.root().dtype == torch.float64


# ---------------------------------------------------------------- errors


@cases.each(
    ("make", "error", "message"),
    [
        (lambda: LowBitState(3, "int5"), ValueError, "encoding"),
        (lambda: LowBitState(3, "int8", domain="root"), ValueError, "domain"),
        (lambda: LowBitState(3, floor=2.0), ValueError, "floor is 2.0, and must be between 0 and 1"),
        (lambda: LowBitState(3, feedback=-1), ValueError, "feedback is -1, and must be between 0 and 1"),
        (
            lambda: LowBitState(3, dtype=torch.bfloat16),
            TypeError,
            "dtype is torch.bfloat16, and numbers of a statistic are torch.float32 or torch.float64: fewer",
        ),
        (lambda: LowBitState(3).root(0), ValueError, "p is 0, and must be positive"),
        (lambda: LowBitState(3).root(4, 0.0), ValueError, "damping is 0.0, and must be positive"),
        (
            lambda: LowBitState(3).update(),
            ValueError,
            "update takes one of gram, a half or a square, and factor=",
        ),
        (
            lambda: LowBitState(3).update(torch.ones(3, 2)),
            ValueError,
            r"gram has shape \(3, 2\), and must be a half, \(6,\), or a square, \(3, 3\): n is 3; fac",
        ),
        (
            lambda: LowBitState(3).update(factor=torch.ones(2, 3)),
            ValueError,
            r"factor has shape \(2, 3\), and must have \(3, k\): n is 3",
        ),
        (
            lambda: LowBitState(3).update(factor=torch.ones(3, 2, dtype=torch.complex64)),
            TypeError,
            r"factor must hold real floating-point numbers, not torch\.complex64: factor\.real",
        ),
        (lambda: LowBitState(3).update(torch.tensor([[1.0, 2, 3], [9, 1, 2], [3, 2, 1]])), ValueError, "9"),
        (
            lambda: LowBitState(3).update(np.ones(6)),
            TypeError,
            r"gram must be a torch\.Tensor, not numpy\.ndarray: pass torch\.as_tensor\(gram\)",
        ),
        (lambda: LowBitState(3).update(torch.ones(6), weight=-1), ValueError, "weight is -1, and must be"),
        (
            lambda: LowBitState(3).update(torch.ones(6), beta=1.5),
            ValueError,
            "beta is 1.5, and must be between",
        ),
        (
            lambda: LowBitState(3).load_state_dict(LowBitState(4).state_dict()),
            ValueError,
            "the state to load has n=4, and this one 3: make one with n=4",
        ),
    ],
)
def test_what_does_not_fit_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("encoding", [None, "int8"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_leaves_the_state_as_it_was(encoding, value):
    state = fed(LowBitState(N, encoding), factors(count=2))
    before, G = state.half(), torch.ones(N, 3)
    G[5, 1] = value
    with pytest.raises(ValueError, match="factor gives a matrix with NaN or infinity, and S would keep it"):
        state.update(factor=G)
    assert torch.equal(state.half(), before)


@pytest.mark.parametrize("encoding", [None, "int8"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sum_beyond_the_dtype_leaves_the_state_as_it_was(encoding, dtype):
    large = 0.9 * torch.finfo(dtype).max * torch.eye(2, dtype=dtype)
    state = LowBitState(2, encoding, smallest=0, domain="entries", feedback=0.5, dtype=dtype)
    before = state.update(large, beta=1.0, weight=1.0).state_dict()
    with pytest.raises(
        OverflowError, match=r"S would have numbers beyond \S+, where torch\.float\d\d ends: mult"
    ):
        state.update(large, beta=1.0, weight=1.0)
    after = state.state_dict()
    for part in ("held", "error"):
        assert (before[part] is None) == (after[part] is None)
        for name, tensor in {} if before[part] is None else before[part]["tensors"].items():
            assert torch.equal(tensor, after[part]["tensors"][name])
    assert state.update(large, beta=0.5).half().isfinite().all()


def test_a_weight_beyond_the_dtype_is_said():
    with pytest.raises(ValueError, match=r"weight is 1e\+39, and must be between 0 and 3\.40282e\+38"):
        LowBitState(2).update(torch.eye(2), weight=1e39)
