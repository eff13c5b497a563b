"""The operators of torch by the rules of torch: what it asks of every operator, and its own compiler."""

from importlib import import_module

import pytest

import vech

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")
from torch.fx.experimental.proxy_tensor import make_fx

from vech.adapters.torch.checks import text
from vech.adapters.torch.functions import LIBRARY

VECH, SVEC = text(vech.as_layout("vech")), text(vech.as_layout("svec-upper"))
S = "symmetric"


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def halves():
    """Of definite matrices with eigenvalues that differ."""
    X = numbers(2, 4, 6)
    return vt.gram(X) + vt.pack(torch.diag(torch.arange(4.0).double()))


def operands():
    h, columns, full = halves(), numbers(2, 4, 3, seed=1), numbers(2, 4, 4, seed=2)
    factor = vt.cholesky(h)
    return {
        "expand": (h, SVEC, S, True),
        "quadratic": (h, columns, VECH, S),
        "eigh": (h, VECH, S),
        "logdet": (h, factor, VECH, S),
        "function": (h, VECH, S, "log", 0.0),
        "fold": (full, SVEC, S),
        "pack": (full, SVEC, S, "mean", -1.0),
        "convert": (h, VECH, SVEC, S, True),
        "weigh": (h, SVEC, ""),
        "matmul": (h, columns, VECH, S),
        "outer": (columns, columns + 1, VECH, S, False),
        "cholesky": (h, VECH, S, VECH),
        "solve": (h, columns, factor, VECH, S),
        "inverse": (h, factor, VECH, S),
        "largest_singular_value": (h, VECH, S),
        "derivative": (h, vt.pack(full, use="mean"), VECH, S, "log", 0.0),
        "table": (h, "metric_factors", VECH, 4),
    }


QUICK = ("expand", "quadratic", "eigh", "logdet", "function")
NAMES = sorted(name.removeprefix("vech::") for name in LIBRARY._op_defs)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in NAMES]
)
def test_operators_keep_what_torch_asks_of_them(name):
    """Their schema, their shapes without numbers, their gradients traced with sides that are not known."""
    given = [x.detach().clone() if isinstance(x, torch.Tensor) else x for x in operands()[name]]
    for x in given:
        if isinstance(x, torch.Tensor):
            x.requires_grad_()
    checked = torch.library.opcheck(getattr(torch.ops.vech, name).default, given)
    assert set(checked.values()) == {"SUCCESS"} and len(checked) >= 4


TRACED = {
    "logdet": vt.logdet,
    "log": lambda h: vt.log(h).sum(),
    "norm": vt.norm,
    "inner": lambda h: vt.inner(h, h),
    "full": lambda h: vt.expand(h, metric="full").sin().sum(),
    "convert": lambda h: vt.convert(h[:6], "condensed", "vech").sin().sum(),
}


@pytest.mark.parametrize(
    "mode", ["fake", *(pytest.param(x, marks=pytest.mark.slow) for x in ("real", "symbolic"))]
)
@pytest.mark.parametrize("name", TRACED)
def test_gradients_are_traced_within_transforms_as_without(name, mode):
    h = halves()[0]
    gradient = torch.func.grad(lambda h: TRACED[name](h))
    found = make_fx(lambda h: gradient(h), tracing_mode=mode)(h)(h)
    torch.testing.assert_close(found, gradient(h))


@pytest.fixture
def inductor(tmp_path, monkeypatch):
    cpp = pytest.importorskip("torch._inductor.cpp_builder", reason="this torch has no inductor")
    try:
        cpp.get_cpp_compiler()
    except import_module("torch._inductor.exc").InvalidCxxCompiler:
        pytest.skip("inductor finds no C++ compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    yield "inductor"
    torch.compiler.reset()


@pytest.mark.slow
def test_inductor_makes_one_program_of_values_and_gradients(inductor):
    x = numbers(2, 4, seed=3)

    def loss(h):
        full = vt.expand(vt.convert(h, "vech", "svec-upper"), "svec-upper", metric="full")
        moved = vt.pack(full.sin(), "numpy-tril", use="mean")
        spectrum = vt.eigh(h).values.log() + vt.quadratic(h, x)[:, None]
        return moved.square().sum() + (spectrum * vt.logdet(h)[:, None]).sum() + vt.log(h).sum()

    compiled = torch.compile(loss, fullgraph=True, backend=inductor)
    h = halves().requires_grad_()
    found, expected = compiled(h), loss(h)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, h)[0] for value in (found, expected)))
