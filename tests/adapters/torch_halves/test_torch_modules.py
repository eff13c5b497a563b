"""Modules that own halves: what they compute, save and load is that of full matrices."""

import copy
import io
import pickle
from functools import partial

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="halves in torch need it: vech[torch]")
from torch import nn
from torch.nn.utils import parametrize

from vech.adapters import torch as vt
from vech.adapters.torch.modules import (
    SymmetricLinear,
    clip_grad_norm_,
    grad_norm,
    owned_halves,
    spd,
    symmetric,
)

LAYOUTS = ("vech", "numpy-tril", "lapack-upper", "svec-lower", "condensed")
SCALED = vech.Layout("upper", "rows", diagonal_scale=0.5, offdiagonal_scale=3.0)
WAYS = ("cholesky", "exp", "softplus")
N = 6


def numbers(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def matrix(n=N, seed=0, dtype=torch.float64):
    A = numbers(n, n, seed=seed)
    return (A + A.T).to(dtype)


def definite(n=N, seed=0, dtype=torch.float64):
    A = numbers(n, 2 * n, seed=seed)
    product = A @ A.T / n  # whose triangles may differ by rounding
    return ((product + product.T) / 2).to(dtype)


def plain_linear(A, bias=None):
    layer = nn.Linear(len(A), len(A), bias=bias is not None, dtype=A.dtype)
    with torch.no_grad():
        layer.weight.copy_(A)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def layer_of(A, bias=None, layout="vech", **options):
    layer = SymmetricLinear(len(A), bias is not None, layout, dtype=A.dtype, **options)
    layer.load_state_dict(plain_linear(A, bias).state_dict())
    return layer


def without_diagonal(A, layout):
    return A if vech.as_layout(layout).diagonal == "stored" else A - torch.diag(A.diagonal())


# ---------------------------------------------------------------- the linear layer


@cases.each("layout", LAYOUTS)
@cases.each("shape", [(N,), (4, N), (2, 3, N), (0, N), (1, N)])
def test_the_layer_is_a_linear_layer_with_that_weight(layout, shape):
    A, b, x = without_diagonal(matrix(), layout), numbers(N, seed=1), numbers(*shape, seed=2)
    layer, plain = layer_of(A, b, layout), plain_linear(A, b)
    y, want = layer(x.requires_grad_()), plain(x)
    assert y.shape == want.shape
    torch.testing.assert_close(y, want)
    g = numbers(*shape, seed=3)
    of_layer = torch.autograd.grad(y, (x, layer.weight, layer.bias), g)
    of_plain = torch.autograd.grad(want, (x, plain.weight, plain.bias), g)
    torch.testing.assert_close(of_layer[0], of_plain[0])
    torch.testing.assert_close(of_layer[2], of_plain[2])
    G, L = of_plain[1].numpy(), vech.as_layout(layout)
    i, j = L.pair(np.arange(L.length(N)), N)
    packed = np.where(i == j, G[i, j] / L.diagonal_scale, (G[i, j] + G[j, i]) / L.offdiagonal_scale)
    np.testing.assert_allclose(of_layer[1], packed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["skew", "hermitian", "skew-hermitian", "symmetric"])
def test_the_layer_of_other_kinds_multiplies_rows_by_its_weight(kind):
    dtype = torch.float64 if kind == "skew" else torch.complex128
    layer = SymmetricLinear(N, kind=kind, dtype=dtype)
    A = vt.expand(layer.weight, kind=kind)
    x = numbers(3, N, 2).squeeze(-1) if kind == "skew" else torch.view_as_complex(numbers(3, N, 2))
    x = x[..., 0] if kind == "skew" else x
    torch.testing.assert_close(layer(x), nn.functional.linear(x, A, layer.bias))
    if kind == "skew":
        assert torch.equal(A, -A.T)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_at_the_beginning_are_those_of_a_linear_layer(layout):
    torch.manual_seed(0)
    layer = SymmetricLinear(64, layout=layout)
    A = vt.expand(layer.weight, layout).detach()
    off = ~torch.eye(64, dtype=torch.bool)
    assert A[off].abs().max() <= 1 / 8
    assert A[off].std() == pytest.approx(nn.Linear(64, 64).weight.std().item(), rel=0.05)
    if vech.as_layout(layout).diagonal == "stored":
        assert 0 < A.diagonal().abs().max() <= 1 / 8
    before = layer.weight.detach().clone()
    layer.reset_parameters()
    assert not torch.equal(before, layer.weight)


def test_the_layer_saves_its_half_and_its_rows_alone():
    layer, saved = SymmetricLinear(128), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.append(x) or x, lambda x: x):
        layer(torch.zeros(3, 128, requires_grad=True))
    assert saved
    assert max(x.untyped_storage().nbytes() for x in saved) <= 4 * 128 * 129 // 2


def test_wrong_rows_and_arguments_of_the_layer_are_said():
    layer = SymmetricLinear(4)
    with pytest.raises(
        ValueError,
        match=r"x has shape \(3, 5\), and the layer 4 features: the last axis of x must be as long",
    ):
        layer(torch.zeros(3, 5))
    with pytest.raises(ValueError, match=r"x has shape \(\), and the layer 4 features"):
        layer(torch.zeros(()))
    with pytest.raises(
        TypeError, match=r"weight is torch\.float32 and x torch\.float64: give both one dtype"
    ):
        layer(torch.zeros(3, 4, dtype=torch.float64))
    with pytest.raises(ValueError, match="vexh"):
        SymmetricLinear(4, layout="vexh")
    with pytest.raises(ValueError, match="'half'"):
        SymmetricLinear(4, metric="half")
    with pytest.raises(ValueError, match="say kind='symmetric' or kind='hermitian'"):
        SymmetricLinear(4, dtype=torch.complex64)
    with pytest.raises(TypeError, match=r"features must be an integer, not 4\.0"):
        SymmetricLinear(4.0)
    assert repr(SymmetricLinear(4, False)) == "SymmetricLinear(4, bias=False, layout='vech')"
    assert SymmetricLinear(0)(torch.zeros(2, 0)).shape == (2, 0)


# ---------------------------------------------------------------- parametrizations


def parametrized(A, layout="vech", **options):
    return symmetric(plain_linear(A), "weight", layout, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_parametrized_weight_is_read_and_set_as_a_square_and_owned_as_a_half(layout):
    A = without_diagonal(matrix(), layout)
    plain = plain_linear(A)
    parameter = plain.weight
    layer = symmetric(plain, "weight", layout)
    assert layer is plain
    assert layer.parametrizations.weight.original is parameter
    np.testing.assert_array_equal(parameter.detach(), vech.pack(A.numpy(), layout))
    torch.testing.assert_close(layer.weight.detach(), A, rtol=1e-15, atol=0)
    B = without_diagonal(matrix(seed=5), layout)
    layer.weight = B
    torch.testing.assert_close(layer.weight.detach(), B, rtol=1e-15, atol=0)
    with pytest.raises(ValueError, match=r"is not symmetric: a\[\d, \d\] is"):
        layer.weight = numbers(N, N)
    torch.testing.assert_close(layer.weight.detach(), B, rtol=1e-15, atol=0)


@pytest.mark.parametrize("use", ["lower", "upper", "mean"])
def test_a_new_layer_is_made_symmetric_by_what_is_believed_of_it(use):
    layer, A = nn.Linear(N, N, dtype=torch.float64), numbers(N, N)
    with torch.no_grad():
        layer.weight.copy_(A)
    parameter = layer.weight
    symmetric(layer, "weight", "svec-lower", use=use)
    want = vech.expand(vech.pack(A.numpy(), use=use))
    np.testing.assert_allclose(layer.weight.detach(), want, rtol=1e-15)
    assert layer.parametrizations.weight.original is parameter
    with pytest.raises(ValueError, match="is not symmetric"):
        layer.weight = A
    with pytest.raises(ValueError, match="'middle'"):
        symmetric(nn.Linear(N, N), "weight", use="middle")
    with pytest.raises(ValueError, match="'weigth'"):
        symmetric(nn.Linear(3, 3), "weigth", use=use)


@pytest.mark.parametrize("use", ["lower", "upper", "mean"])
@pytest.mark.parametrize("layout", ["vech", "svec-lower", "numpy-triu"])
@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (torch.float64, "skew"),
        *((torch.complex128, kind) for kind in ("skew", "hermitian", "skew-hermitian")),
    ],
)
def test_of_what_is_believed_the_diagonal_is_what_the_kind_leaves(use, layout, dtype, kind):
    layer = nn.Linear(4, 4, dtype=dtype)
    A = layer.weight.detach().clone()
    other = A.mH if "hermitian" in kind else A.mT
    other = -other if "skew" in kind else other
    strict = {
        "lower": A.tril(-1) + other.triu(1),
        "upper": A.triu(1) + other.tril(-1),
        "mean": (A + other) / 2,
    }
    diagonal = ((A + other) / 2).diagonal().diag()
    want = strict[use] if use == "mean" else strict[use] + diagonal
    symmetric(layer, "weight", layout, kind=kind, use=use)
    torch.testing.assert_close(layer.weight.detach(), want)


@pytest.mark.parametrize("use", ["both", "lower", "upper", "mean"])
@pytest.mark.parametrize(("layout", "kind"), [("condensed", None), ("vech", "skewed")])
def test_what_is_not_made_symmetric_is_not_overwritten(layout, kind, use):
    layer = nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    with pytest.raises(
        ValueError, match=r"the diagonal of layout condensed is zero|is not symmetric|'skewed'"
    ):
        symmetric(layer, "weight", layout, kind=kind, use=use)
    assert torch.equal(layer.weight, before) and not parametrize.is_parametrized(layer)


def test_a_batch_and_a_buffer_are_parametrized_too():
    bilinear = nn.Bilinear(3, 3, 2, dtype=torch.float64)
    with torch.no_grad():
        bilinear.weight.copy_(torch.stack([matrix(3, 1), matrix(3, 2)]))
    x = numbers(5, 3)
    want = bilinear(x, x)
    assert torch.equal(symmetric(bilinear, "weight")(x, x), want)
    assert bilinear.parametrizations.weight.original.shape == (2, 6)
    model = nn.Module()
    model.register_buffer("covariance", definite())
    assert torch.equal(symmetric(model, "covariance").covariance, definite())
    assert [tuple(b.shape) for b in model.buffers()] == [(21,)]


def test_gradients_of_a_parametrized_weight_are_those_of_its_metric():
    A, x = matrix(), numbers(4, N, seed=1)
    plain = plain_linear(A)
    plain(x).square().sum().backward()
    G = plain.weight.grad
    for metric, want in (("packed", G + G.T - torch.diag(G.diagonal())), ("full", (G + G.T) / 2)):
        for layer in (parametrized(A, metric=metric), layer_of(A, metric=metric)):
            layer(x).square().sum().backward()
            torch.testing.assert_close(next(layer.parameters()).grad, vt.pack(want, use="lower"))


def test_wrong_parametrizations_are_said():
    with pytest.raises(ValueError, match=r"must be a square"):
        symmetric(nn.Linear(3, 4), "weight")
    with pytest.raises(ValueError, match=r"is not symmetric: .* say what to believe"):
        symmetric(nn.Linear(3, 3), "weight")
    with pytest.raises(ValueError, match="'weigth'"):
        symmetric(nn.Linear(3, 3), "weigth")
    layer = parametrized(matrix())
    with pytest.raises(
        ValueError, match=r"'weight' of ParametrizedLinear has a parametrization already: a half comes first"
    ):
        symmetric(layer, "weight")
    with pytest.raises(
        ValueError, match=r"layout condensed leaves out the diagonal, which a definite matrix has"
    ):
        spd(plain_linear(definite()), "weight", layout="condensed")
    with pytest.raises(ValueError, match="'chol'"):
        spd(plain_linear(definite()), "weight", "chol")


@pytest.mark.parametrize("by", WAYS)
def test_what_is_not_definite_has_no_half(by):
    A = definite()
    A[0, 0] = -1
    with pytest.raises(
        ValueError, match=rf"the matrix is not positive definite, and by='{by}' gives no other"
    ):
        spd(plain_linear(A), "weight", by)
    with pytest.raises(ValueError, match="is not symmetric"):
        spd(plain_linear(definite() + torch.triu(torch.ones(N, N), 1)), "weight", by)


@cases.each("by", WAYS)
@cases.each(
    "layout", ["vech", "numpy-tril", "lapack-upper", "svec-lower", "svec-upper", "lapack-rfp-nl", SCALED]
)
def test_a_definite_matrix_comes_back_from_its_half(by, layout):
    A = definite()
    layer = spd(plain_linear(A), "weight", by, layout)
    torch.testing.assert_close(layer.weight.detach(), A, rtol=1e-10, atol=1e-12)
    assert torch.equal(layer.weight, layer.weight.T)
    half = layer.parametrizations.weight.original.detach()
    upper = vech.as_layout(layout).triangle == "upper"
    if by == "exp":
        values, vectors = np.linalg.eigh(A.numpy())
        want = (vectors * np.log(values)) @ vectors.T
        np.testing.assert_allclose(vech.expand(half.numpy(), layout), want, atol=1e-10)
    else:
        L = np.linalg.cholesky(A.numpy())
        diagonal = L.diagonal()
        on = np.log(diagonal) if by == "cholesky" else np.log(np.expm1(diagonal))
        want = np.tril(L, -1) + np.diag(on)
        found = vech.expand(half.numpy(), layout, kind="triangular")
        np.testing.assert_allclose(found, want.T if upper else want, atol=1e-10)


@pytest.mark.parametrize("by", WAYS)
def test_any_half_is_a_definite_matrix_and_hermitian_where_complex(by):
    layer = spd(plain_linear(torch.eye(N, dtype=torch.float64)), "weight", by)
    for seed in range(5):
        with torch.no_grad():
            layer.parametrizations.weight.original.copy_(numbers(21, seed=seed))
        assert torch.linalg.eigvalsh(layer.weight).min() > 0
    C = torch.view_as_complex(numbers(N, 2 * N, 2))
    H = C @ C.mH
    model = nn.Module()
    model.register_parameter("covariance", nn.Parameter(H))
    spd(model, "covariance", by)
    torch.testing.assert_close(model.covariance.detach(), H)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("layout", ["vech", "svec-upper"])
def test_derivatives_of_definite_matrices_are_right(by, layout):
    layer = spd(plain_linear(definite(3)), "weight", by, layout)
    owner = layer.parametrizations.weight
    half = owner.original.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(owner[0], half)
    assert torch.autograd.gradgradcheck(owner[0], half)
    equal = torch.zeros_like(half).requires_grad_()  # equal eigenvalues
    (gradient,) = torch.autograd.grad(owner[0](equal).square().sum(), equal)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_are_computed_in_float32(by, dtype):
    A = (definite() + torch.eye(N)).to(dtype)
    layer = spd(plain_linear(A), "weight", by)
    assert layer.weight.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(layer.weight.float(), A.float(), rtol=8 * eps, atol=8 * eps)
    wide = spd(plain_linear(definite().float()), "weight", by)
    want = wide.weight.detach()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(wide.weight, want)


# ---------------------------------------------------------------- state_dict


class Nested(nn.Module):
    """Halves of every sort, some way down."""

    def __init__(self, halves=True, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        make = SymmetricLinear if halves else partial(nn.Linear, N)
        self.layers = nn.Sequential(make(N), nn.ReLU(), nn.Sequential(nn.Linear(N, N), nn.Linear(N, N)))
        with torch.no_grad():
            for layer in self.layers.modules():
                if type(layer) is nn.Linear:
                    layer.weight.copy_(definite(seed=seed, dtype=torch.float32))
        if halves:
            symmetric(self.layers[2][0], "weight", "svec-lower")
            spd(self.layers[2][1], "weight")

    def forward(self, x):
        return self.layers(x)


def loaded_equal(a, b, x=None):
    x = numbers(3, N, dtype=torch.float32) if x is None else x
    torch.testing.assert_close(a(x), b(x))


def test_a_state_dict_holds_halves():
    shapes = {key: tuple(value.shape) for key, value in Nested().state_dict().items() if "bias" not in key}
    assert shapes == {
        "layers.0.weight": (21,),
        "layers.2.0.parametrizations.weight.original": (21,),
        "layers.2.1.parametrizations.weight.original": (21,),
    }


@pytest.mark.parametrize("assign", [False, True])
def test_halves_and_squares_are_loaded(assign):
    model, other = Nested(seed=1), Nested(seed=2)
    state = model.state_dict()
    found = other.load_state_dict(state, assign=assign)
    assert not found.missing_keys
    assert not found.unexpected_keys
    loaded_equal(model, other)

    full = Nested(halves=False, seed=3)
    with torch.no_grad():
        full.layers[0].weight.copy_(matrix(dtype=torch.float32))
    squares = full.state_dict()
    for target in (Nested(seed=1), other):
        found = target.load_state_dict(squares, assign=assign)
        assert not found.missing_keys
        assert not found.unexpected_keys
        loaded_equal(full, target)
        assert all(p.requires_grad for p in target.parameters())
    in_place = dict(squares)
    for k in (0, 1):
        in_place[f"layers.2.{k}.parametrizations.weight.original"] = in_place.pop(f"layers.2.{k}.weight")
    third = Nested(seed=1)
    third.load_state_dict(in_place, assign=assign)
    loaded_equal(full, third)
    assert squares.keys() == full.state_dict().keys()  # what was given is as it was
    assert squares["layers.0.weight"].shape == (N, N)


def test_squares_that_cannot_be_packed_are_said_with_their_key():
    squares = Nested(halves=False, seed=3).state_dict()
    squares["layers.0.weight"] = numbers(N, N, dtype=torch.float32)
    squares["layers.2.0.weight"] = torch.zeros(N, N + 1)
    squares["layers.2.1.weight"] = -torch.eye(N)
    model = Nested(seed=1)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError) as raised:
        model.load_state_dict(squares)
    said = str(raised.value)
    assert '"layers.0.weight" is no half, and as a full matrix it cannot be packed: ' in said
    assert "is not symmetric: a[" in said
    assert "must be a square" in said
    assert "the matrix is not positive definite" in said
    assert "size mismatch" not in said
    for key in before:
        if "weight" in key:
            assert torch.equal(before[key], model.state_dict()[key])


def test_missing_unexpected_and_wrong_sizes_are_what_torch_says():
    state = Nested().state_dict()
    del state["layers.0.weight"]
    state["other"] = torch.zeros(3)
    with pytest.raises(
        RuntimeError, match=r'(?s)Missing key.*layers\.0\.weight.*Unexpected key.*"other"|Unexp'
    ):
        Nested().load_state_dict(state)
    found = Nested().load_state_dict(state, strict=False)
    assert found.missing_keys == ["layers.0.weight"]
    assert found.unexpected_keys == ["other"]
    with pytest.raises(RuntimeError, match=r"size mismatch for weight: .*torch.Size\(\[10\]\)"):
        SymmetricLinear(5, False).load_state_dict({"weight": torch.eye(4)})


def test_models_are_saved_copied_and_pickled(tmp_path):
    model = Nested()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = Nested(seed=9)
    other.load_state_dict(torch.load(tmp_path / "model.pt"))
    loaded_equal(model, other)
    twin = copy.deepcopy(model)
    loaded_equal(model, twin)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    loaded_equal(model, other)
    full = Nested(halves=False, seed=3)
    with torch.no_grad():
        full.layers[0].weight.copy_(matrix(dtype=torch.float32))
    twin.load_state_dict(full.state_dict())  # hooks are those of the copy
    loaded_equal(full, twin)
    loaded_equal(model, other)
    layer = SymmetricLinear(N, layout="svec-lower")
    for again in (pickle.loads(pickle.dumps(layer)), saved_whole(layer)):
        assert torch.equal(again.weight, layer.weight)
        loaded_equal(layer, again)


def saved_whole(layer):
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


def test_a_removed_parametrization_leaves_a_plain_layer():
    layer = parametrized(matrix())
    parametrize.remove_parametrizations(layer, "weight")
    layer.load_state_dict(plain_linear(numbers(N, N)).state_dict())
    assert torch.equal(layer.weight, numbers(N, N))


def test_another_parametrization_upon_a_half_is_loaded_too():
    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x

    layer = parametrize.register_parametrization(parametrized(matrix()), "weight", Doubled())
    layer.load_state_dict(plain_linear(matrix(seed=4)).state_dict())
    torch.testing.assert_close(layer.weight.detach(), 2 * matrix(seed=4))
    on_half = parametrize.register_parametrization(layer_of(matrix()), "weight", Doubled())
    x = numbers(3, N)
    torch.testing.assert_close(on_half(x), 2 * x @ matrix())
    assert [owned.name for owned in owned_halves(on_half)] == ["parametrizations.weight.original"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_models_go_to_other_dtypes(dtype):
    model = Nested().to(dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}
    y = model(numbers(3, N).to(dtype))
    assert y.dtype == dtype
    want = copy.deepcopy(model).float()(numbers(3, N).to(dtype).float())
    torch.testing.assert_close(y.float(), want, rtol=0.05, atol=0.05)


def test_a_model_on_meta_is_materialised_by_assigning():
    with torch.device("meta"):
        model = SymmetricLinear(N)
    assert model.weight.is_meta
    source = layer_of(matrix(dtype=torch.float32), numbers(N, dtype=torch.float32))
    model.load_state_dict({"weight": matrix(dtype=torch.float32), "bias": source.bias.data}, assign=True)
    loaded_equal(model, source)


# ---------------------------------------------------------------- torch around it


def test_functional_calls_and_ensembles():
    layer = layer_of(matrix(), numbers(N))
    x = numbers(4, N, seed=3)
    halves = torch.stack([vt.pack(matrix(seed=k)) for k in range(3)])

    def loss(half, x):
        return torch.func.functional_call(layer, {"weight": half}, (x,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), (0, None))(halves, x)
    for half, gradient in zip(halves, found, strict=True):
        torch.testing.assert_close(gradient, torch.func.grad(loss)(half, x))
    _, tangent = torch.func.jvp(lambda h: loss(h, x), (halves[0],), (halves[1],))
    torch.testing.assert_close(tangent, (torch.func.grad(loss)(halves[0], x) * halves[1]).sum())
    key = "parametrizations.weight.original"
    other = parametrized(matrix())
    y = torch.func.functional_call(other, {key: halves[1]}, (x,))
    torch.testing.assert_close(y, x @ matrix(seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("make", ["layer", "symmetric", "cholesky", "exp", "softplus"])
def test_models_compile_without_a_break(make):
    A = definite(dtype=torch.float32)
    if make == "layer":
        model = layer_of(A, numbers(N, dtype=torch.float32))
    elif make == "symmetric":
        model = parametrized(A)
    else:
        model = spd(plain_linear(A), "weight", make)
    x = numbers(4, N, dtype=torch.float32)
    want = model(x)
    (wanted,) = torch.autograd.grad(want.square().sum(), next(model.parameters()))
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    y = compiled(x)
    torch.testing.assert_close(y, want)
    (found,) = torch.autograd.grad(y.square().sum(), next(model.parameters()))
    torch.testing.assert_close(found, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.slow
def test_data_parallel_training_is_that_of_one(tmp_path):
    from torch import distributed

    if not distributed.is_available():
        pytest.skip("torch was built without torch.distributed")
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        model = Nested()
        parallel = nn.parallel.DistributedDataParallel(copy.deepcopy(model))
        x = numbers(3, N, dtype=torch.float32)
        for net in (model, parallel):
            net(x).square().sum().backward()
        for a, b in zip(model.parameters(), parallel.module.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad)
    finally:
        distributed.destroy_process_group()


# ---------------------------------------------------------------- mixed precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("rows", [torch.float32, torch.bfloat16, torch.float16])
def test_under_autocast_the_layer_is_at_least_as_good_as_a_linear_one(dtype, rows):
    n = 200
    A, x = matrix(n, dtype=torch.float32) / n, numbers(16, n, dtype=torch.float32).to(rows)
    layer, plain = (
        layer_of(A, numbers(n, dtype=torch.float32)),
        plain_linear(A, numbers(n, dtype=torch.float32)),
    )
    want = (x.double() @ A.double() + numbers(n)).detach()
    with torch.autocast("cpu", dtype):
        y, other = layer(x), plain(x)
    assert y.dtype == other.dtype == dtype
    eps = torch.finfo(dtype).eps
    assert (y - want).abs().max() <= want.abs().max() * eps
    assert (y - want).norm() <= (other - want).norm() * 1.001
    y.float().square().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_gradients_under_autocast_are_summed_in_float32():
    """4000 rows that each add to a gradient less than a bfloat16 can tell from what is there."""
    layer = layer_of(torch.zeros(4, 4))
    x = torch.ones(4000, 4)
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).sum().backward()
    assert torch.equal(layer.weight.grad, vt.pack(4000 * (2 - torch.eye(4))))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_of_short_parameters_are_in_float32(dtype):
    layer = SymmetricLinear(2048, False, dtype=dtype)
    with torch.no_grad():
        layer.weight.fill_(1)
    x = torch.full((2, 2048), 1 / 2048, dtype=dtype)
    assert torch.equal(layer(x), torch.ones(2, 2048, dtype=dtype))


def test_doubles_are_left_as_they_are_by_autocast():
    layer = layer_of(matrix())
    x = numbers(3, N)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert torch.equal(y, layer(x))


def test_a_scaled_loss_trains_in_float16():
    layer = layer_of(matrix(dtype=torch.float32))
    x = numbers(3, N, dtype=torch.float32)
    with torch.autocast("cpu", torch.float16):
        loss = layer(x).float().square().mean()
    (loss * 2.0**10).backward()
    scaled = layer.weight.grad / 2.0**10
    layer.weight.grad = None
    layer(x).square().mean().backward()
    torch.testing.assert_close(scaled, layer.weight.grad, rtol=5e-3, atol=5e-3)


# ---------------------------------------------------------------- weight decay and norms


class FullSymmetric(nn.Module):
    """The full-square way: (X + X') / 2."""

    def forward(self, x):
        return (x + x.mT) / 2


def trained(layer, optimizer, steps=20):
    """The weight after some steps, and the loss is no symmetric function of it."""
    x, target, step = numbers(8, N, seed=7), numbers(8, N, seed=8), optimizer(layer.parameters())
    for _ in range(steps):
        step.zero_grad()
        (layer(x) - target).square().mean().backward()
        step.step()
    if isinstance(layer, SymmetricLinear):
        return vt.expand(layer.weight, layer.layout).detach()
    return layer.weight.detach()


def full_way():
    return parametrize.register_parametrization(plain_linear(matrix()), "weight", FullSymmetric())


SGD = partial(torch.optim.SGD, lr=0.05, weight_decay=0.3, momentum=0.9)
ADAM = partial(torch.optim.Adam, lr=0.05, weight_decay=0.3)
ADAMW = partial(torch.optim.AdamW, lr=0.05, weight_decay=0.3, eps=1e-30)


@pytest.mark.parametrize("optimizer", [SGD, ADAM, ADAMW], ids=["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("make", [layer_of, parametrized], ids=["layer", "parametrized"])
def test_in_the_full_metric_training_is_that_of_the_full_square(optimizer, make):
    found = trained(make(matrix(), metric="full"), optimizer)
    torch.testing.assert_close(found, trained(full_way(), optimizer), rtol=1e-9, atol=1e-11)


def test_in_svec_gradient_descent_is_that_of_the_full_square_in_either_metric():
    want = trained(full_way(), SGD)
    for metric in ("packed", "full"):
        found = trained(layer_of(matrix(), layout="svec-lower", metric=metric), SGD)
        torch.testing.assert_close(found, want, rtol=1e-9, atol=1e-11)


def test_in_svec_the_steps_of_adamw_are_shorter_off_the_diagonal():
    moved = trained(layer_of(matrix(), layout="svec-lower"), partial(ADAMW, weight_decay=0.0), 1) - matrix()
    off = ~torch.eye(N, dtype=torch.bool)
    torch.testing.assert_close(
        moved[off].abs(), torch.full((N * (N - 1),), 0.05 / 2**0.5, dtype=torch.float64)
    )
    torch.testing.assert_close(moved.diagonal().abs(), torch.full((N,), 0.05, dtype=torch.float64))


def test_decay_that_is_decoupled_is_right_in_the_packed_metric_too():
    """AdamW divides by the size of gradients, so that a factor of 2 makes no difference but by its eps."""
    torch.testing.assert_close(
        trained(layer_of(matrix()), ADAMW), trained(full_way(), ADAMW), rtol=1e-9, atol=1e-11
    )


def test_in_the_packed_metric_plain_decay_is_half_as_strong_off_the_diagonal():
    """One step of SGD: h - lr (2 S + decay h), where the full square makes W - lr (S + decay W)."""
    lr, decay = 0.01, 0.3
    plain = torch.optim.SGD
    start = matrix()
    moved = {}
    for name, layer in (("packed", layer_of(start)), ("full", layer_of(start, metric="full"))):
        moved[name] = trained(layer, partial(plain, lr=lr, weight_decay=decay), 1) - start
    off = ~torch.eye(N, dtype=torch.bool)
    S = -moved["full"] / lr - decay * start
    torch.testing.assert_close(
        moved["packed"][off], -lr * (2 * S + decay * start)[off], rtol=1e-9, atol=1e-12
    )
    torch.testing.assert_close(moved["packed"].diagonal(), moved["full"].diagonal())


@cases.each("layout", LAYOUTS)
@cases.each("metric", ["packed", "full"])
@cases.each("make", [layer_of, parametrized], ids=["layer", "parametrized"])
def test_the_norm_of_gradients_is_that_of_full_squares(layout, metric, make):
    A, x = without_diagonal(matrix(), layout), numbers(8, N, seed=1)
    plain = parametrize.register_parametrization(plain_linear(A), "weight", FullSymmetric())
    model = nn.Sequential(make(A, layout=layout, metric=metric), nn.ReLU(), plain_linear(numbers(N, N)))
    other = nn.Sequential(plain, nn.ReLU(), plain_linear(numbers(N, N)))
    for net in (model, other):
        net(x).square().sum().backward()
    gradient = plain.parametrizations.weight.original.grad
    if vech.as_layout(layout).diagonal != "stored":
        gradient.fill_diagonal_(0)
    want = torch.nn.utils.get_total_norm([p.grad for p in other.parameters()]).item()
    assert grad_norm(model).item() == pytest.approx(want, rel=1e-10)
    assert clip_grad_norm_(model, want / 7).item() == pytest.approx(want, rel=1e-10)
    assert grad_norm(model).item() == pytest.approx(want / 7, rel=1e-6)
    kept = [p.grad.clone() for p in model.parameters()]
    clip_grad_norm_(model, want)
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), kept, strict=True))


def test_clipped_training_is_that_of_the_full_square():
    x = numbers(8, N, seed=7)

    def steps(layer, clip):
        step = torch.optim.SGD(layer.parameters(), 0.1)
        for _ in range(5):
            step.zero_grad()
            layer(x).square().mean().backward()
            clip(layer, 0.2)
            step.step()
        return layer

    full = steps(full_way(), lambda layer, most: nn.utils.clip_grad_norm_(layer.parameters(), most)).weight
    half = steps(layer_of(matrix(), metric="full"), clip_grad_norm_).weight
    torch.testing.assert_close(vt.expand(half), full)


def test_norms_of_what_has_no_gradient_and_of_what_is_not_finite():
    layer = SymmetricLinear(3)
    assert grad_norm(layer).item() == 0
    assert clip_grad_norm_(layer, 1.0).item() == 0
    layer.weight.grad = torch.full((6,), float("inf"))
    with pytest.raises(RuntimeError, match="the norm of the gradients is inf: they cannot be clipped"):
        clip_grad_norm_(layer, 1.0, error_if_nonfinite=True)
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Module, not generator"):
        grad_norm(layer.parameters())
    found = {owned.name: owned.layout for owned in owned_halves(Nested())}
    assert found == {"layers.0.weight": "vech", "layers.2.0.parametrizations.weight.original": "svec-lower"}
