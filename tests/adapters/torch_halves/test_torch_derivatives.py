"""Second derivatives, however the transforms of torch are nested, are those of differences."""

import functools

import pytest

import cases

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")

from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap

# the second derivative along u and v
NESTED = {
    "reverse over reverse": lambda f, h, u, v: grad(lambda h: grad(f)(h) @ u)(h) @ v,
    "forward over reverse": lambda f, h, u, v: jvp(grad(f), (h,), (v,))[1] @ u,
    "reverse over forward": lambda f, h, u, v: grad(lambda h: jvp(f, (h,), (u,))[1])(h) @ v,
    "forward over forward": lambda f, h, u, v: jvp(lambda h: jvp(f, (h,), (u,))[1], (h,), (v,))[1],
}
MATRICES = {
    "reverse over reverse": lambda f: jacrev(jacrev(f)),
    "forward over reverse": hessian,
    "reverse over forward": lambda f: jacrev(jacfwd(f)),
    "forward over forward": lambda f: jacfwd(jacfwd(f)),
}
X = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
HALVES = {
    "distinct": torch.tensor([4.0, 1.0, 0.0, 3.0, -2.0, 5.0], dtype=torch.float64),
    "two equal": torch.tensor([2.0, 0.0, 0.0, 2.0, 0.0, 3.0], dtype=torch.float64),
    "all equal": torch.tensor([2.0, 0.0, 0.0, 2.0, 0.0, 2.0], dtype=torch.float64),
}
# of a half and a metric, each a number of which every second derivative counts
FUNCTIONS = {
    "expand": lambda h, m: (vt.expand(h, metric=m) ** 3).sum() + vt.expand(h, metric=m).sum() ** 2,
    "convert": lambda h, m: vt.convert(h, "vech", "svec-upper", metric=m).sum() ** 3,
    "pack": lambda h, m: vt.pack(vt.expand(h, metric=m) ** 3, use="mean").sum(),
    "matmul": lambda h, m: vt.matmul(h, X[0].to(h), metric=m).sin().sum() ** 2,
    "quadratic": lambda h, m: vt.quadratic(h, X[0].to(h), metric=m).square(),
    "congruence": lambda h, m: vt.congruence(h, X.to(h), metric=m).square().sum(),
    "gram": lambda h, m: vt.gram(vt.expand(h, metric=m)[:, :2]).square().sum(),
    "cholesky": lambda h, m: (vt.cholesky(h, metric=m) ** 3).sum(),
    "solve": lambda h, m: (vt.solve(h, X[0].to(h), metric=m) ** 2).sum(),
    "inverse": lambda h, m: (vt.inverse(h, metric=m) ** 2).sum(),
    "logdet": lambda h, m: vt.logdet(h, metric=m),
    "eigenvalues": lambda h, m: (vt.eigh(h, metric=m).values ** torch.arange(1, 4)).sum(),
    "eigenvectors": lambda h, m: (vt.eigh(h, metric=m).vectors.abs() ** 3).sum(),
    "log": lambda h, m: (vt.log(h, metric=m) ** 2).sum(),
    "exp": lambda h, m: (vt.exp(h / 5, metric=m) ** 2).sum(),
    "power": lambda h, m: (vt.power(h, -0.5, metric=m) ** 2).sum(),
    "norm": lambda h, m: vt.norm(h, metric=m),
    "norm 2": lambda h, m: vt.norm(h, ord=2, metric=m),
    "inner": lambda h, m: vt.inner(h, h, metric=m).square(),
}
MEETING = ("logdet", "inverse", "log", "exp", "power")
CASES = [("distinct", name) for name in FUNCTIONS] + [
    (spectrum, name) for spectrum in ("two equal", "all equal") for name in MEETING
]


@functools.cache
def differences(spectrum, name, step=1e-4):
    """The matrix of second derivatives by the numbers of a half, of gradients on both sides."""
    h, f = HALVES[spectrum], FUNCTIONS[name]

    def gradient(h):
        return torch.autograd.grad(f(h := h.clone().requires_grad_(), "packed"), h)[0]

    steps = step * torch.eye(len(h), dtype=h.dtype)
    return torch.stack([(gradient(h + e) - gradient(h - e)) / (2 * step) for e in steps])


def weighed(metric, nested):
    """Of a gradient in the metric "full" numbers off the diagonal count half, of a direction never."""
    halved = torch.tensor([1.0, 0.5, 0.5, 1.0, 0.5, 1.0], dtype=torch.float64)
    return [halved if metric == "full" and way == "reverse" else 1 for way in nested.split(" over ")]


@cases.each("metric", ["packed", "full"])
@cases.each("nested", list(NESTED))
@cases.each(("spectrum", "name"), CASES)
def test_second_derivatives_are_those_of_differences(spectrum, name, nested, metric):
    h, f = HALVES[spectrum], FUNCTIONS[name]
    u, v = torch.linspace(-1, 1, 6, dtype=h.dtype), torch.linspace(1, 3, 6, dtype=h.dtype).cos()
    outer, inner = weighed(metric, nested)
    expected = (inner * u) @ differences(spectrum, name) @ (outer * v)
    found = NESTED[nested](lambda h: f(h, metric), h, u, v)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nested", list(NESTED))
@pytest.mark.parametrize("name", ["logdet", "inverse", "eigenvalues", "log"])
def test_matrices_of_second_derivatives_are_those_of_differences(name, nested):
    h, f = HALVES["distinct"], FUNCTIONS[name]
    outer, inner = weighed("full", nested)
    expected = differences("distinct", name) * outer
    expected = (expected.T * inner).T
    found = vmap(MATRICES[nested](lambda h: f(h, "full")))(torch.stack([h, h]))
    torch.testing.assert_close(found, expected.expand(2, 6, 6), rtol=1e-5, atol=1e-6)


@cases.each("dtype", [torch.float16, torch.bfloat16])
@cases.each("nested", list(NESTED))
@cases.each("name", list(FUNCTIONS))
def test_derivatives_of_narrow_floats_are_those_of_float32_rounded(name, nested, dtype):
    h, f = HALVES["distinct"].to(dtype), FUNCTIONS[name]
    u, v = torch.linspace(-1, 1, 6).to(dtype), torch.linspace(1, 3, 6).cos().to(dtype)
    expected = NESTED[nested](lambda h: f(h, "packed"), *(x.float() for x in (h, u, v)))
    found = NESTED[nested](lambda h: f(h, "packed"), h, u, v)
    assert found.dtype is dtype
    size = differences("distinct", name).abs().sum()  # what was done with narrow results is rounded too
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=8 * torch.finfo(dtype).eps * size.item())


def test_transforms_leave_gradients_to_what_is_outside_of_them():
    h = HALVES["distinct"].clone().requires_grad_()
    grad(vt.logdet)(h).square().sum().backward()
    expected = 2 * differences("distinct", "logdet") @ torch.autograd.grad(vt.logdet(h), h)[0]
    torch.testing.assert_close(h.grad, expected, rtol=1e-5, atol=1e-6)


def test_an_operator_that_would_lose_a_direction_says_so():
    h = HALVES["distinct"]
    with pytest.raises(
        NotImplementedError, match=r"torch\.ops\.vech\.expand has no derivative along a direction"
    ):
        jvp(
            lambda h: torch.ops.vech.expand(h, "lower columns stored 1.0 1.0", "symmetric", False), (h,), (h,)
        )
