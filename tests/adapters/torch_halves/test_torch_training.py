"""Training with few bits: each function is its formula, and makes what the store of codes holds."""

import itertools
import math

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="halves in torch need it: vech[torch]")
from vech.adapters.torch import training
from vech.adapters.torch.training import integers

N = 70  # two rows of tiles
LAYOUTS = ("vech", "lapack-lower", "numpy-tril", "svec-lower", "condensed")


def matrix(n=N, seed=0, dtype=np.float64):
    A = np.random.default_rng(seed).normal(size=(n, n)) * np.exp(np.linspace(0, 2, n))
    return (A + A.T).astype(dtype)


def half_of(A, layout="vech"):
    if vech.as_layout(layout).diagonal == "zero":
        A = A - np.diag(A.diagonal())
    return torch.from_numpy(vech.pack(A, layout))


def full_of(h, layout="vech"):
    return vech.expand(h.detach().numpy(), layout)


def upstream(*shape, seed=9):
    """What a loss could say of each number."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def off_diagonal(layout, n=N):
    L = vech.as_layout(layout)
    i, j = L.pair(np.arange(L.length(n)), n)
    return torch.from_numpy(i != j)


# ---------------------------------------------------------------- what will be quantized


@cases.each("scales", ["tile", "two-sided"])
@cases.each("encoding", list(vech.ENCODINGS))
@cases.each("layout", LAYOUTS)
def test_fake_numbers_are_those_of_the_store(encoding, layout, scales):
    h = half_of(matrix(dtype=np.float32), layout)
    store = vech.Packed(h.numpy(), layout)
    want = vech.quantize(store, encoding, scales=scales).to_packed(layout).half
    found = training.fake_quantize(h, layout, encoding, scales=scales)
    assert found.dtype == torch.float32
    step = np.abs(want).max() * np.finfo(np.float32).eps
    np.testing.assert_allclose(found.numpy(), want, rtol=0, atol=2 * step)


@pytest.mark.parametrize(("encoding", "most"), [("int4", 7), ("int8", 127), ("uint8", 255), ("int4x2", 98)])
def test_halfway_between_levels_the_one_of_the_store_is_taken(encoding, most):
    A = np.zeros((6, 6), np.float32)
    A[np.tril_indices(6, -1)] = [most, *(-0.5 - np.arange(6)), *(0.5 + np.arange(7)), 0]
    A = A if encoding != "uint8" else np.abs(A)
    A += A.T
    want = vech.quantize(A, encoding).expand()
    np.testing.assert_array_equal(full_of(training.fake_quantize(half_of(A), encoding=encoding)), want)


def test_fake_levels_of_kmeans_are_those_that_are_given():
    h, levels = half_of(matrix()), np.linspace(-1, 1, 16)
    want = vech.quantize(vech.Packed(h.numpy()), "kmeans-4", levels=levels).to_packed().half
    found = training.fake_quantize(h, encoding="kmeans-4", levels=levels)
    np.testing.assert_allclose(found.numpy(), want, rtol=1e-14)


def test_the_gradient_goes_straight_through_but_not_beyond_scales():
    h = half_of(matrix(), "svec-lower").requires_grad_()
    g = upstream(h.numel())
    (training.fake_quantize(h, "svec-lower", "int4") * g).sum().backward()
    assert torch.equal(h.grad, g)

    h.grad, scales = None, torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    made = training.fake_quantize(h, "svec-lower", "int4", scales=scales)
    (made * g).sum().backward()
    true, off = full_of(h, "svec-lower"), off_diagonal("svec-lower")
    limits = np.full((N, N), 0.5 * 7)
    limits[:64, :64], limits[64:, 64:] = 0.2 * 7, 7.0
    np.fill_diagonal(limits, np.inf)
    within = torch.from_numpy(vech.pack((np.abs(true) <= limits).astype(float), "vech")) > 0
    assert torch.equal(h.grad, torch.where(within, g, 0.0))
    assert 0 < within.sum() < off.sum()
    store = vech.quantize(
        vech.Packed(h.detach().numpy(), "svec-lower"), "int4", scales=scales.numpy(), clip=True
    )
    np.testing.assert_allclose(full_of(made, "svec-lower"), store.expand(), rtol=1e-14)


def test_batches_are_quantized_one_by_one():
    halves = torch.stack([half_of(matrix(seed=seed)) for seed in range(3)])
    for encoding in ("int8", "uint8", "nf4", "sign", "int4x2"):
        found = training.fake_quantize(halves, encoding=encoding)
        for h, q in zip(halves, found, strict=True):
            assert torch.equal(q, training.fake_quantize(h, encoding=encoding))
    assert training.fake_quantize(halves[:0]).shape == halves[:0].shape


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_rounded_once_more(dtype):
    h = half_of(matrix(dtype=np.float32) / 16).to(dtype)
    found = training.fake_quantize(h, encoding="int8")
    assert torch.equal(found, training.fake_quantize(h.float(), encoding="int8").to(dtype))


def test_zeros_stay_zeros_and_nan_spreads_over_its_tile():
    h = torch.zeros(vech.as_layout("vech").length(N))
    for encoding, scales in itertools.product(vech.ENCODINGS, ("tile", "two-sided")):
        assert torch.equal(training.fake_quantize(h, encoding=encoding, scales=scales), h)
    h[3] = math.nan
    full = full_of(training.fake_quantize(h, encoding="int8"))
    tile = np.isnan(full[:64, :64])
    assert tile.sum() == 64 * 63
    assert not np.isnan(full[64:]).any()


def test_wrong_arguments_of_fake_numbers_are_said():
    h = torch.zeros(10)
    with pytest.raises(TypeError, match=r"h must hold real floating-point numbers, not torch\.int64"):
        training.fake_quantize(h.long())
    with pytest.raises(TypeError, match=r"h must hold real floating-point numbers, not torch\.complex64"):
        training.fake_quantize(h.cfloat())
    with pytest.raises(TypeError, match=r"h must be a torch\.Tensor, not list"):
        training.fake_quantize([1.0])
    with pytest.raises(ValueError, match="'int5'"):
        training.fake_quantize(h, encoding="int5")
    with pytest.raises(ValueError, match="'rows'"):
        training.fake_quantize(h, scales="rows")
    with pytest.raises(ValueError, match=r"scales has shape \(2,\), and tiles of 64 rows are 1: \(1,\)"):
        training.fake_quantize(h, scales=torch.ones(2))
    with pytest.raises(TypeError, match="scales must be a name or a tensor, not ndarray"):
        training.fake_quantize(h, scales=np.ones(1))
    with pytest.raises(ValueError, match="'uint8' needs the least number of each tile too: leave out scales"):
        training.fake_quantize(h, encoding="uint8", scales=torch.ones(1))
    with pytest.raises(ValueError, match="'float16' holds numbers themselves: leave out scales"):
        training.fake_quantize(h, encoding="float16", scales=torch.ones(1))
    with pytest.raises(ValueError, match=r"h has shape \(2, 10\), and two sides are found for one matrix"):
        training.fake_quantize(h.expand(2, 10), scales="two-sided")


# ---------------------------------------------------------------- learned steps


def lsq_by_hand(A, G, steps, most):
    """Values and both gradients of Esser et al. over all entries of the full matrix off the diagonal.

    `steps` (n, n) are those of the entries; gradients of steps are entry by entry.
    """
    v = A / steps
    inside = np.abs(v) < most
    values = np.clip(np.round(v), -most, most) * steps
    by_step = np.where(inside, np.round(v) - v, np.sign(v) * most) * G
    return values, np.where(inside, G, 0), by_step


@cases.each("layout", LAYOUTS)
@cases.each("bits", [2, 3, 4, 8])
def test_lsq_is_its_formula_over_the_entries_of_the_full_matrix(layout, bits):
    A, most = matrix(), 2 ** (bits - 1) - 1
    h = half_of(A, layout).requires_grad_()
    steps = training.first_steps(h, layout, bits=bits).requires_grad_()
    G = upstream(N, N).numpy()
    G = G + G.T
    np.fill_diagonal(G, 0)
    made = training.lsq(h, steps, layout, bits=bits)
    L = vech.as_layout(layout)
    i, j = L.pair(np.arange(L.length(N)), N)
    twice = torch.from_numpy(2 * G[i, j] / L.offdiagonal_scale)  # both entries of a pair, of stored numbers
    (made * twice).sum().backward()

    tile = np.array([[0, 1], [1, 2]])[np.ix_(np.arange(N) // 64, np.arange(N) // 64)]
    off = ~np.eye(N, dtype=bool)
    for t in range(3):
        of_tile = off & (tile == t)
        mean = np.abs(A[of_tile]).mean()
        assert steps[t].item() == pytest.approx(2 * mean / math.sqrt(most))
    values, by_value, by_step = lsq_by_hand(A, G, steps.detach().numpy()[tile], most)
    np.testing.assert_allclose(full_of(made, layout)[off], values[off], rtol=1e-12)
    want = [by_step[off & (tile == t)].sum() / math.sqrt((off & (tile == t)).sum() * most) for t in range(3)]
    np.testing.assert_allclose(steps.grad.numpy(), want, rtol=1e-10)
    np.testing.assert_allclose(h.grad.numpy(), 2 * by_value[i, j] / L.offdiagonal_scale, rtol=1e-12)


@pytest.mark.parametrize("layout", ["vech", "svec-lower", "condensed"])
def test_lsq_of_two_sides_is_its_formula(layout):
    A, most = matrix(), 7
    h = half_of(A, layout)
    sides = training.first_steps(h, layout, scales="two-sided").requires_grad_()
    G = upstream(N, N).numpy()
    G = G + G.T
    np.fill_diagonal(G, 0)
    L = vech.as_layout(layout)
    i, j = L.pair(np.arange(L.length(N)), N)
    made = training.lsq(h, sides, layout, scales="two-sided")
    (made * torch.from_numpy(2 * G[i, j] / L.offdiagonal_scale)).sum().backward()
    s, off = sides.detach().numpy(), ~np.eye(N, dtype=bool)
    values, _, by_step = lsq_by_hand(A, G, np.outer(s, s), most)
    np.testing.assert_allclose(full_of(made, layout)[off], values[off], rtol=1e-12)
    want = 2 * (by_step * s).sum(axis=1) / math.sqrt(2 * (N - 1) * most)  # entry (i, j) has both s_i and s_j
    np.testing.assert_allclose(sides.grad.numpy(), want, rtol=1e-10)
    rows = np.where(off, np.abs(A), 0).sum(axis=1) / (N - 1)
    np.testing.assert_allclose(np.outer(s, s), np.outer(rows, rows) / rows.mean() * 2 / math.sqrt(most))


def test_where_all_is_clipped_the_gradient_of_a_step_is_that_of_differences():
    h, bits = half_of(matrix(6)), 4
    steps = (training.first_steps(h, bits=bits) / 1e6).requires_grad_()
    g = upstream(h.numel())
    loss = lambda s: (training.lsq(h, s, bits=bits) * g).sum()
    made = training.lsq(h, steps, bits=bits)
    (made * g).sum().backward()
    slope = (loss(2 * steps.detach()) - loss(steps.detach())) / steps.detach()  # linear
    assert steps.grad.item() == pytest.approx(slope.item() / math.sqrt(6 * 5 * 7), rel=1e-6)
    off = off_diagonal("vech", 6)
    assert torch.equal(made[off].abs(), (7 * steps).expand(15))


def test_a_number_at_the_last_level_is_beyond_the_steps():
    x = torch.tensor([7.0, -7.0, 6.0]).requires_grad_()
    step = torch.tensor(1.0, requires_grad=True)
    training.lsq_tensor(x, step).backward(torch.tensor([1.0, 2.0, 4.0]))
    assert x.grad.tolist() == [0, 0, 4]
    assert step.grad.item() == pytest.approx((7 - 2 * 7) / (3 * 7) ** 0.5)


@pytest.mark.parametrize("bits", range(2, 9))
def test_learned_steps_become_codes(bits):
    h = half_of(matrix(dtype=np.float32))
    steps = training.first_steps(h, bits=bits) / 2
    made = training.lsq(h, -steps, bits=bits)  # steps that have become negative mean the same
    encoding = "int4" if bits <= 4 else "int8"
    Q = vech.quantize(vech.Packed(made.numpy()), encoding, scales=steps.abs().numpy(), clip=True)
    np.testing.assert_allclose(full_of(made), Q.expand(), rtol=2e-7)


def test_learned_steps_have_second_derivatives_and_go_through_vmap():
    halves = torch.stack([half_of(matrix(8, seed)) for seed in range(3)])
    steps = training.first_steps(halves)
    assert steps.shape == (3, 1)
    mapped = torch.func.vmap(training.lsq)(halves, steps)
    assert torch.equal(mapped, training.lsq(halves, steps))
    loss = lambda s: training.lsq(halves, s).square().sum()
    direction = upstream(3, 1)
    gradient = torch.func.grad(loss)(steps)
    _, slope = torch.func.jvp(loss, (steps,), (direction,))
    torch.testing.assert_close(slope, (gradient * direction).sum())
    h, s = halves[0].clone().requires_grad_(), steps[0].clone().requires_grad_()
    (first,) = torch.autograd.grad(training.lsq(h, s).square().sum(), s, create_graph=True)
    (second,) = torch.autograd.grad(first, s)
    v, factor = (h / s).detach()[off_diagonal("vech", 8)], (2 * 28 * 7) ** -0.5
    by_step = torch.where(v.abs() < 7, v.round() - v, v.clamp(-7, 7))
    assert (2 * factor * s * v.round().clamp(-7, 7) * by_step).sum().item() == pytest.approx(first.item())
    assert second.isfinite()


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        lambda h: training.lsq(h, training.first_steps(h)),
        lambda h: training.lsq(h, training.first_steps(h, scales="two-sided"), scales="two-sided"),
        lambda h: training.fake_quantize(h, encoding="int4"),
        lambda h: training.fake_quantize(h, "vech", "nf4"),
        training.signs,
        training.rotate,
        training.hadamard,
    ],
)
def test_functions_of_halves_compile_without_a_break(function):
    h = half_of(matrix()).requires_grad_()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    g, want = upstream(h.numel()), function(h)
    torch.testing.assert_close(compiled(h), want)
    found = torch.autograd.grad(compiled(h), h, g)
    torch.testing.assert_close(found, torch.autograd.grad(want, h, g))


def test_lsq_of_activations_counts_features():
    x = upstream(5, 6).requires_grad_()
    step = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    g = upstream(5, 6, seed=3)
    made = training.lsq_tensor(x, step, bits=3)
    (made * g).sum().backward()
    values, by_value, by_step = lsq_by_hand(x.detach().numpy(), g.numpy(), 0.3, 3)
    np.testing.assert_allclose(made.detach().numpy(), values)
    np.testing.assert_allclose(x.grad.numpy(), by_value)
    assert step.grad.item() == pytest.approx(by_step.sum() / math.sqrt(6 * 3))


def test_wrong_arguments_of_steps_are_said():
    h = torch.zeros(10)
    with pytest.raises(ValueError, match="bits is 1, and must be 2 to 8"):
        training.lsq(h, torch.ones(1), bits=1)
    with pytest.raises(TypeError, match=r"steps must be a torch\.Tensor, not float: pass torch\.as_tensor"):
        training.lsq(h, 1.0)
    with pytest.raises(TypeError, match="bits"):
        training.first_steps(h, bits=4.0)
    with pytest.raises(
        ValueError,
        match=r"steps has shape \(\), and side 4 with scales='tile' needs \(1,\): first_steps makes",
    ):
        training.lsq(h, torch.tensor(1.0))
    with pytest.raises(
        ValueError, match=r"steps has shape \(3,\), and side 4 with scales='two-sided' needs \(4,\)"
    ):
        training.lsq(h, torch.ones(3), scales="two-sided")
    assert training.first_steps(h).tolist() == [1.0]
    assert training.first_steps(h, scales="two-sided").tolist() == [1.0] * 4


# ---------------------------------------------------------------- codebooks


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_codebook_is_that_of_the_store(layout):
    h = half_of(matrix(), layout)
    book = training.kmeans(h, layout)
    Q = vech.quantize(vech.Packed(h.numpy(), layout), "kmeans-4")
    np.testing.assert_allclose(full_of(book.half(), layout), Q.expand(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(book.levels, Q.levels)
    np.testing.assert_allclose(book.quantized().expand(), Q.expand(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("layout", ["vech", "svec-lower", "condensed"])
def test_the_gradient_of_a_level_is_the_sum_over_both_halves(layout):
    h = half_of(matrix(), layout)
    book = training.kmeans(h, layout)
    book = book._replace(levels=book.levels.requires_grad_(), diagonal=book.diagonal.requires_grad_())
    G = upstream(N, N)  # of the entries of the full matrix, not symmetric
    made = book.half()
    L = vech.as_layout(layout)
    i, j = L.pair(np.arange(L.length(N)), N)
    scale = torch.from_numpy(np.where(i != j, L.offdiagonal_scale, L.diagonal_scale))
    full = torch.zeros(N, N, dtype=torch.float64)
    full = full.index_put((torch.tensor(i), torch.tensor(j)), made / scale)
    full = full.index_put((torch.tensor(j), torch.tensor(i)), made / scale)
    (full * G).sum().backward()

    codes, want = np.zeros((N, N), int), np.zeros(16)
    codes[i, j] = codes[j, i] = book.codes.numpy()
    tile = np.array([[0, 1], [1, 2]])[np.ix_(np.arange(N) // 64, np.arange(N) // 64)]
    for a, b in itertools.product(range(N), range(N)):
        if a != b:
            want[codes[a, b]] += G[a, b] * book.scales[tile[a, b]]
    np.testing.assert_allclose(book.levels.grad.numpy(), want, rtol=1e-10)
    if L.diagonal == "stored":
        np.testing.assert_allclose(book.diagonal.grad.numpy(), G.diagonal())


def test_trained_levels_become_codes_in_whatever_order_they_are():
    h = half_of(matrix(dtype=np.float32))
    book = training.kmeans(h)
    moved = book._replace(levels=book.levels.flip(0) * 1.5)
    Q = moved.quantized()
    assert Q.encoding == "kmeans-4"
    np.testing.assert_allclose(Q.expand(), full_of(moved.half()), rtol=1e-5)
    with pytest.raises(ValueError, match=r"h has shape \(2, 10\), and a codebook is of one matrix"):
        training.kmeans(torch.zeros(2, 10))
    with pytest.raises(ValueError, match="nan"):
        training.kmeans(torch.full((10,), math.nan))


# ---------------------------------------------------------------- signs


@pytest.mark.parametrize("layout", LAYOUTS)
def test_signs_are_those_of_the_store(layout):
    h = half_of(matrix(), layout)
    want = vech.quantize(vech.Packed(h.numpy(), layout), "sign").to_packed(layout).half
    np.testing.assert_allclose(training.signs(h, layout).numpy(), want, rtol=1e-12)


@pytest.mark.parametrize("layout", ["vech", "svec-lower"])
def test_the_gradient_of_signs_is_that_of_xnor(layout):
    h = half_of(matrix(6), layout).requires_grad_()
    scale = vech.as_layout(layout).offdiagonal_scale
    g, off = upstream(h.numel()), off_diagonal(layout, 6)
    (training.signs(h, layout) * g).sum().backward()
    x, b = h.detach()[off] / scale, torch.sign(h.detach()[off])
    a, gt = x.abs().mean(), g[off] * scale  # by true values
    want = (a * gt * (x.abs() <= 1) + b * (gt * b).sum() / x.numel()) / scale
    np.testing.assert_allclose(h.grad[off], want, rtol=1e-12)
    assert torch.equal(h.grad[~off], g[~off])
    assert 0 < (x.abs() <= 1).sum() < x.numel()


def test_centred_signs_are_of_what_the_mean_leaves():
    h = half_of(np.abs(matrix(6)))
    off = off_diagonal("vech", 6)
    found = training.signs(h, centred=True)[off]
    x = h[off]
    want = torch.where(x >= x.mean(), 1.0, -1.0) * x.abs().mean()
    np.testing.assert_allclose(found, want)
    assert (training.signs(h)[off] > 0).all()
    assert (found < 0).any()


# ---------------------------------------------------------------- four bits


@pytest.mark.parametrize("n", [1, 5, 32, 70])
def test_a_hadamard_rotation_keeps_eigenvalues_and_undoes_itself(n):
    A = matrix(n)
    h, x = half_of(A), upstream(3, n)
    H = training.hadamard(torch.eye(n, dtype=torch.float64))
    np.testing.assert_allclose(H @ H.T, np.eye(n), atol=1e-14)
    np.testing.assert_allclose(H, H.T, atol=0)
    turned = training.rotate(h)
    np.testing.assert_allclose(full_of(turned), H.numpy() @ A @ H.numpy(), atol=1e-12)
    np.testing.assert_allclose(training.rotate(turned), h, atol=1e-12)
    np.testing.assert_allclose(
        training.hadamard(training.hadamard(x) @ torch.from_numpy(full_of(turned))),
        x @ torch.from_numpy(A),
        atol=1e-11,
    )
    with pytest.raises(ValueError, match="block is 24, and must be a power of two"):
        training.hadamard(x, 24)


def test_autocast_does_not_change_what_is_given_in_float32():
    h, x = half_of(matrix(dtype=np.float32)), upstream(3, N).float()
    steps, step = training.first_steps(h), torch.tensor(0.4)
    calls = (
        lambda: training.hadamard(x),
        lambda: training.rotate(h),
        lambda: training.int4_linear(h, x, steps, step),
    )
    for call in calls:
        want = call()
        with torch.autocast("cpu", torch.bfloat16):
            found = call()
        assert found.dtype == torch.float32 and torch.equal(found, want)
    with torch.autocast("cpu", torch.bfloat16):
        short = training.int4_linear(h, x.bfloat16(), steps, step)
    assert short.dtype == torch.bfloat16 and short.isfinite().all()


def test_the_rotation_has_its_derivative():
    h = half_of(matrix(5)).requires_grad_()
    assert torch.autograd.gradcheck(lambda h: training.rotate(h, block=2), h)
    assert torch.autograd.gradgradcheck(lambda h: training.rotate(h, block=2).square(), h)


def test_a_gradient_in_two_planes_is_whole_numbers_and_right_in_the_mean(monkeypatch):
    g = torch.linspace(-1, 1, 41, dtype=torch.float64) ** 3
    grid = (torch.arange(1000) + 0.5) / 1000  # in place of what is drawn
    found = []
    for chance in grid.tolist():
        monkeypatch.setattr(torch, "rand", lambda shape, chance=chance, **_: torch.full(shape, chance))
        found.append(training.split(g))
    for planes in found[::50]:
        for plane in (planes.high, planes.low):
            assert torch.equal(plane, plane.round())
            assert plane.abs().max() <= 7
        assert (planes.sum() - g).abs().max() < planes.scale
    assert found[0].scale.item() == pytest.approx(1 / 98)
    mean = torch.stack([planes.sum() for planes in found]).mean(0)
    assert (mean - g).abs().max() <= found[0].scale / 1000
    assert training.split(torch.zeros(3)).sum().tolist() == [0, 0, 0]
    assert training.split(torch.zeros(0)).sum().shape == (0,)
    with pytest.raises(TypeError, match=r"g must hold real floating-point numbers, not torch\.int64"):
        training.split(torch.arange(3))


def test_probabilities_are_as_sizes_but_at_most_one():
    sizes = torch.tensor([8.0, 4.0, 2.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    np.testing.assert_allclose(training.keep_probabilities(sizes, 1), sizes / 16)
    np.testing.assert_allclose(training.keep_probabilities(sizes, 3), [1, 1, 0.5, 0.25, 0.25, 0])
    np.testing.assert_allclose(training.keep_probabilities(sizes, 5), [1, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(training.keep_probabilities(sizes, 50), [1, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(training.keep_probabilities(torch.zeros(3), 2), [0, 0, 0])
    for count in (0, -1, math.nan):
        with pytest.raises(ValueError, match=f"count is {count}, and must be positive"):
            training.keep_probabilities(sizes, count)


def expectation(monkeypatch, rows, function):
    """The mean of what a function gives over all sets of rows that it can keep, as many draws as it makes.

    The k-th of its results is that of the k-th draw.
    """
    total = None
    for chosen in itertools.product((False, True), repeat=rows):
        weights = []

        def draw(p, generator, chosen=chosen, weights=weights):
            weights.append(math.prod(a if k else 1 - a for a, k in zip(p.tolist(), chosen, strict=True)))
            return torch.tensor([k for k, kept in enumerate(chosen) if kept and p[k] > 0], dtype=torch.int64)

        monkeypatch.setattr(integers, "draw", draw)
        results = function()
        found = [weight * x for weight, x in zip(weights, results, strict=True)]
        total = found if total is None else [a + b for a, b in zip(total, found, strict=True)]
    return total


def test_the_expectation_of_a_sampled_gram_is_the_gram(monkeypatch):
    X = upstream(6, 4) * torch.tensor([5.0, 1, 1, 0.5, 2, 0.1])[:, None]
    (found,) = expectation(monkeypatch, 6, lambda: [training.sampled_gram(X, 3, "lapack-upper")])
    want = vech.pack((X.T @ X).numpy(), "lapack-upper", use="lower")
    np.testing.assert_allclose(found, want, rtol=1e-12)


def test_the_expectation_of_gradients_of_the_product_is_that_of_both_planes(monkeypatch):
    layout = "svec-upper"
    h, x = half_of(matrix(5), layout).requires_grad_(), upstream(3, 5).requires_grad_()
    g = upstream(3, 5, seed=4) * torch.tensor([5.0, 1, 0.1])[:, None]
    planes = training.split(g)
    monkeypatch.setattr(integers, "split", lambda g, generator: planes)

    def gradients():
        return torch.autograd.grad(training.int4_matmul(h, x, layout, keep=0.7), (h, x), g)

    of_half, of_rows = expectation(monkeypatch, 6, gradients)
    A, told = full_of(h, layout), planes.sum()
    found = training.int4_matmul(h, x, layout).detach().numpy()
    np.testing.assert_allclose(found, x.detach().numpy() @ A, rtol=1e-12)
    G = (told.T @ x).detach().numpy()
    i, j = vech.as_layout(layout).pair(np.arange(15), 5)
    want = np.where(i == j, G[i, j], (G[i, j] + G[j, i]) / math.sqrt(2))
    np.testing.assert_allclose(of_half, want, rtol=1e-12)
    np.testing.assert_allclose(of_rows, told.numpy() @ A, rtol=1e-12)
    with pytest.raises(ValueError, match="keep is 0, and must be positive"):
        training.int4_matmul(h, x, keep=0)


@pytest.mark.parametrize("size", [1e-6, 50.0])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_gradients_in_short_floats_are_those_in_double(dtype, size):
    """Of rows and gradients that are all equal, so that chance changes nothing."""
    h, x = half_of(matrix(4)).to(dtype).requires_grad_(), torch.full((500, 4), 0.5, dtype=dtype)
    y = training.int4_matmul(h, x.requires_grad_(), keep=2.0)
    y.backward(torch.full_like(y, size))
    g = float(torch.tensor(size, dtype=dtype))
    off = off_diagonal("vech", 4)
    rtol = {"rtol": 2 * torch.finfo(dtype).eps, "atol": 1e-7}
    np.testing.assert_allclose(h.grad.double(), torch.where(off, 500 * g, 250 * g), **rtol)
    of_row = g * full_of(h.double()).sum(axis=0)
    np.testing.assert_allclose(x.grad.double(), np.broadcast_to(of_row, (500, 4)), **rtol)


def test_the_product_has_its_derivative_by_torch_func():
    h, x = half_of(matrix(4)), torch.full((6, 4), 0.5, dtype=torch.float64)
    of_half, of_rows = torch.func.grad(lambda *given: training.int4_matmul(*given, keep=2.0).sum(), (0, 1))(
        h, x
    )
    np.testing.assert_allclose(of_half, torch.where(off_diagonal("vech", 4), 6.0, 3.0), rtol=1e-12)
    np.testing.assert_allclose(of_rows, np.broadcast_to(full_of(h).sum(axis=0), (6, 4)), rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(torch.float16, 100), (torch.float16, 1e-7), (torch.float32, 3e38), (torch.float64, 1e308)],
)
def test_probabilities_and_planes_are_of_any_size(dtype, size):
    sizes = torch.full((1000,), size, dtype=dtype)
    np.testing.assert_allclose(training.keep_probabilities(sizes, 500), 0.5)
    planes = training.split(torch.tensor([size, 0, -size], dtype=dtype))
    assert planes.high.tolist() == [7, 0, -7] and planes.low.tolist() == [0, 0, 0]
    assert planes.sum().tolist() == pytest.approx([float(sizes[0]), 0, -float(sizes[0])])


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_rows_of_any_size_are_drawn_as_their_squares(monkeypatch, size):
    drawn = []
    monkeypatch.setattr(integers, "draw", lambda p, generator: drawn.append(p) or torch.arange(2))
    training.sampled_gram(size * torch.tensor([[3.0, 0.0], [0.0, 1.0]]), 1)
    np.testing.assert_allclose(drawn[0], [0.9, 0.1], rtol=1e-6)


def test_a_sampled_gram_of_short_floats_is_that_of_floats(monkeypatch):
    monkeypatch.setattr(integers, "draw", lambda p, generator: torch.arange(1, 2))
    X = torch.tensor([[6e4, 6e4], [8.0, 0.0]]).half()
    assert training.sampled_gram(X, 1).tolist() == training.sampled_gram(X.float(), 1).half().tolist()


def test_means_of_short_floats_are_summed_in_floats():
    h = torch.full((N * (N + 1) // 2,), 100.0).half()
    assert torch.equal(training.signs(h), h)
    for scales in ("tile", "two-sided"):
        want = training.first_steps(h.float(), scales=scales).half()
        assert torch.equal(training.first_steps(h, scales=scales), want)
    steps = torch.ones(1, dtype=torch.float16, requires_grad=True)
    large = torch.full((256 * 257 // 2,), 3.3).half()
    training.lsq(large, steps, tile=256).sum().backward()
    assert steps.grad != 0


def test_a_vector_and_no_rows_are_rows_too():
    h, x = half_of(matrix(5), "vech").float().requires_grad_(), torch.linspace(-1, 1, 5).requires_grad_()
    steps, step = training.first_steps(h.detach()), torch.tensor(0.5)
    for product in (training.int4_matmul, lambda h, x: training.int4_linear(h, x, steps, step)):
        found = product(h, x)
        assert found.shape == (5,) and torch.equal(found, product(h, x[None])[0])
        assert torch.autograd.grad(found.sum(), x)[0].abs().sum() > 0
        for shape in ((0, 5), (2, 0, 5)):
            none = torch.zeros(shape, requires_grad=True)
            found = product(h, none)
            gradients = torch.autograd.grad(found.sum(), (h, none))
            assert found.shape == shape and not gradients[0].any() and gradients[1].shape == shape


def test_draws_keep_rows_as_often_as_they_are_probable():
    p, generator = torch.tensor([0.0, 0.1, 0.6, 1.0]), torch.Generator().manual_seed(0)
    counts = torch.zeros(4)
    for _ in range(2000):
        counts[integers.draw(p, generator)] += 1
    assert (counts - 2000 * p).abs().max() < 4 * (2000 * 0.25) ** 0.5
    assert counts[0] == 0
    assert counts[3] == 2000


def test_the_layer_in_four_bits_is_its_parts():
    A = matrix(40)
    h, x = half_of(A), upstream(2, 3, 40)
    steps, step = training.first_steps(training.rotate(h)), torch.tensor(0.4, dtype=torch.float64)
    y = training.int4_linear(h, x, steps, step)
    H = training.hadamard(torch.eye(40, dtype=torch.float64)).numpy()
    turned = H @ A @ H
    s = 2 * np.abs(turned[~np.eye(40, dtype=bool)]).mean() / math.sqrt(7)
    rounded = np.clip(np.round(turned / s), -7, 7) * s
    np.fill_diagonal(rounded, turned.diagonal())
    rows = np.clip(np.round(x.numpy() @ H / 0.4), -7, 7) * 0.4
    np.testing.assert_allclose(y, rows @ rounded @ H, atol=1e-10)
    fine = training.int4_linear(h, x, steps, step / 1e3)
    assert not torch.allclose(fine, y)


# ---------------------------------------------------------------- folding


def batch_norm(n, seed=1):
    rng = np.random.default_rng(seed)
    norm = torch.nn.BatchNorm1d(n).double().eval()
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            tensor.copy_(torch.from_numpy(rng.normal(size=n)))
        norm.running_var.copy_(torch.from_numpy(rng.uniform(0.5, 2, size=n)))
    return norm


def test_a_batch_norm_on_both_sides_folds_into_scales_without_rounding():
    A, norm, x = matrix(), batch_norm(N), upstream(5, N)
    Q = vech.quantize(A, "int4", scales="two-sided")
    found = training.fold(Q, norm)
    assert found.matrix.codes is Q.codes
    z = norm(x).detach().numpy()
    centred = (x - found.centre).numpy()
    want = np.einsum("bi,ij,bj->b", z, Q.expand(), z)
    np.testing.assert_allclose(
        np.einsum("bi,ij,bj->b", centred, found.matrix.expand(), centred), want, rtol=1e-9
    )


def test_a_layer_norm_folds_behind_its_normalisation():
    A, x = matrix(), upstream(5, N)
    norm = torch.nn.LayerNorm(N, dtype=torch.float64)
    with torch.no_grad():
        norm.weight.copy_(upstream(N))
        norm.bias.copy_(upstream(N, seed=2))
    found = training.fold(half_of(A, "svec-lower"), norm, "svec-lower")
    centred = (torch.nn.functional.layer_norm(x, (N,)) - found.centre).numpy()
    z = norm(x).detach().numpy()
    np.testing.assert_allclose(
        np.einsum("bi,ij,bj->b", centred, found.matrix.expand(), centred),
        np.einsum("bi,ij,bj->b", z, A, z),
        rtol=1e-9,
    )
    plain = training.fold(vech.Packed(vech.pack(A)), torch.nn.RMSNorm(N, elementwise_affine=False))
    np.testing.assert_array_equal(plain.matrix.expand(), A)
    assert not plain.centre.any()


def test_what_does_not_fold_is_said():
    A = np.eye(3)
    with pytest.raises(TypeError, match="norm must be a BatchNorm1d, LayerNorm or RMSNorm, not Dropout"):
        training.fold(vech.quantize(A), torch.nn.Dropout())
    with pytest.raises(
        TypeError, match="norm keeps no means and variances, so it differs from batch to batch"
    ):
        training.fold(vech.quantize(A), torch.nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(ValueError, match="norm has 4 features, and the matrix side 3: they must be equal"):
        training.fold(vech.quantize(A), torch.nn.LayerNorm(4))
    norm = batch_norm(3)
    with torch.no_grad():
        norm.weight[1] = 0
    with pytest.raises(ValueError, match=r"feature 1 of norm has weight 0 and is .* for every x"):
        training.fold(vech.quantize(A), norm)
    with torch.no_grad():
        norm.bias[1] = 0
    assert training.fold(vech.quantize(A), norm).centre[1] == 0
