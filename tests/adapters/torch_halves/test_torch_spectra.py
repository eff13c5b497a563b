"""Factors, solutions and functions of tensors: values, gradients of both orders, equal eigenvalues."""

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")
from torch._subclasses.fake_tensor import FakeTensorMode

from vech.adapters.torch import divided

LAYOUTS = ("lower-columns-stored", "upper-columns-stored", "both-scaled", "lapack-rfp-tl", "lower-rows-one")
CASES = [
    pytest.param(cases.LAYOUTS[name], getattr(torch, dtype), kind, id=f"{name}-{dtype}")
    for name in LAYOUTS
    for dtype, kind in (("float64", "symmetric"), ("complex128", "hermitian"))
]
SQUARE = [case for case in CASES if "one" not in case.id]
N = 4


def definite(layout, dtype, kind, seed=0, count=2):
    generator = torch.Generator().manual_seed(seed)
    full = torch.randn(count, N, N, dtype=dtype, generator=generator)
    full = full @ full.mH + torch.eye(N, dtype=dtype)
    roots = full.diagonal(dim1=-2, dim2=-1).real.sqrt()
    if layout.diagonal == "one":
        full = full / roots[..., None] / roots[..., None, :]
    full = (full + full.mH) / 2
    if layout.diagonal == "one":
        full.diagonal(dim1=-2, dim2=-1).fill_(1)
    return full, vt.pack(full, layout, kind=kind).requires_grad_()


def check(function, *inputs):
    """Both orders, of the first of a batch."""
    inputs = [x.detach()[0].requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize(("layout", "dtype", "kind"), CASES)
def test_solutions_and_determinants_are_those_of_the_full_matrix(layout, dtype, kind):
    full, h = definite(layout, dtype, kind)
    for shape in ((2, N), (2, N, 3)):
        b = torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
        x = vt.solve(h, b, layout, kind=kind)
        product = full @ (x if x.ndim == 3 else x[..., None])
        torch.testing.assert_close(product.reshape(b.shape), b)
        check(lambda h, b: vt.solve(h, b, layout, kind=kind), h, b)
    expected = np.linalg.slogdet(full.numpy()).logabsdet
    np.testing.assert_allclose(vt.logdet(h, layout, kind=kind).detach().numpy(), expected)
    check(lambda h: vt.logdet(h, layout, kind=kind), h)


@pytest.mark.parametrize(("layout", "dtype", "kind"), CASES)
def test_eigenvalues_norms_and_inner_products_are_those_of_the_full_matrix(layout, dtype, kind):
    full, h = definite(layout, dtype, kind)
    values, vectors = vt.eigh(h, layout, kind=kind)
    np.testing.assert_allclose(values.detach().numpy(), np.linalg.eigvalsh(full.numpy()))
    torch.testing.assert_close((vectors * values[..., None, :]) @ vectors.mH, full)

    def apart_from_phases(h):
        values, vectors = vt.eigh(h, layout, kind=kind)
        return values, vectors.abs() ** 2

    check(apart_from_phases, h)
    for order, name in (("fro", "fro"), (1, 1), (2, 2), ("inf", np.inf)):
        expected = [np.linalg.norm(A, name) for A in full.numpy()]
        np.testing.assert_allclose(vt.norm(h, layout, kind=kind, ord=order).detach().numpy(), expected)
        check(lambda h, order=order: vt.norm(h, layout, kind=kind, ord=order), h)
    np.testing.assert_allclose(vt.norm(h, layout, kind=kind, ord="max").detach(), full.abs().amax((1, 2)))
    other, g = definite(layout, dtype, kind, seed=3)
    expected = [np.vdot(a, b) for a, b in zip(full.numpy(), other.numpy(), strict=True)]
    np.testing.assert_allclose(vt.inner(h, g, layout, kind=kind).detach().numpy(), np.real(expected))
    check(lambda h, g: vt.inner(h, g, layout, kind=kind), h, g)


@pytest.mark.parametrize(("layout", "dtype", "kind"), SQUARE)
def test_factors_and_inverses_multiply_to_the_matrix_and_the_identity(layout, dtype, kind):
    full, h = definite(layout, dtype, kind)
    factor = vt.expand(vt.cholesky(h, layout, kind=kind), layout, kind="triangular")
    factor = factor if layout.triangle == "lower" else factor.mH
    assert torch.equal(factor, factor.tril())
    torch.testing.assert_close(factor @ factor.mH, full)
    check(lambda h: vt.cholesky(h, layout, kind=kind), h)
    inverse = vt.expand(vt.inverse(h, layout, kind=kind), layout, kind=kind)
    torch.testing.assert_close(inverse @ full, torch.eye(N, dtype=dtype).expand(2, N, N))
    check(lambda h: vt.inverse(h, layout, kind=kind), h)


@pytest.mark.parametrize(("layout", "dtype", "kind"), SQUARE)
@pytest.mark.parametrize("spectrum", ["apart", "equal", "near"])
def test_functions_have_gradients_also_where_eigenvalues_are_equal(layout, dtype, kind, spectrum):
    full, h = definite(layout, dtype, kind)
    if spectrum != "apart":
        gaps = {"equal": 0.0, "near": 1e-9}[spectrum] * torch.arange(N)
        vectors = torch.linalg.eigh(full).eigenvectors
        full = (vectors * (2 + gaps)) @ vectors.mH
        h = vt.pack(full, layout, kind=kind, use="mean").requires_grad_()
    functions = {
        "log": lambda h: vt.log(h, layout, kind=kind),
        "exp": lambda h: vt.exp(h, layout, kind=kind),
        "root": lambda h: vt.power(h, -0.25, layout, kind=kind),
        "square": lambda h: vt.power(h, 2, layout, kind=kind),
    }
    for function in functions.values():
        check(function, h)
    torch.testing.assert_close(functions["exp"](functions["log"](h)), h)
    squared = vt.expand(functions["square"](h), layout, kind=kind)
    torch.testing.assert_close(squared, full @ full)
    root = vt.expand(functions["root"](h), layout, kind=kind)
    identity = torch.eye(N, dtype=dtype).expand(2, N, N)
    torch.testing.assert_close(torch.linalg.matrix_power(root, 4) @ full, identity)


def test_gradients_of_vectors_are_finite_where_eigenvalues_are_equal():
    h = vt.pack(torch.eye(5)).requires_grad_()
    values, vectors = vt.eigh(h)
    (values.sum() + vectors.abs().sum()).backward()
    assert h.grad.isfinite().all()
    assert torch.func.jacfwd(lambda h: vt.eigh(h)[1])(h.detach()).isfinite().all()


@pytest.mark.parametrize("n", [17, 40])
def test_sides_beyond_the_kernels_agree_with_torch(n):
    full = torch.randn(3, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    full = (full @ full.mT / n + torch.eye(n)).requires_grad_()
    h = vt.pack(full.detach(), use="mean").requires_grad_()
    (torch.logdet(full) + torch.linalg.inv(full).square().sum((1, 2))).sum().backward()
    (vt.logdet(h, metric="full") + vt.norm(vt.inverse(h, metric="full")) ** 2).sum().backward()
    torch.testing.assert_close(h.grad, vt.pack(full.grad, use="mean"))


def test_transforms_agree_with_loops_and_directions():
    _, h = definite(vech.as_layout("vech"), torch.float64, "symmetric", count=3)
    h = h.detach()

    def f(h):
        total = vt.logdet(h) + vt.log(h).square().sum() + vt.eigh(h)[0].square().sum()
        return total + vt.solve(h, torch.ones(N, dtype=h.dtype)).sin().sum() + vt.norm(vt.cholesky(h))

    for function in (torch.func.grad(f), torch.func.hessian(f)):
        torch.testing.assert_close(torch.vmap(function)(h), torch.stack([function(x) for x in h]))
    torch.testing.assert_close(torch.func.hessian(f)(h[0]), torch.autograd.functional.hessian(f, h[0]))
    _, tangent = torch.func.jvp(f, (h[0],), (h[1],))
    torch.testing.assert_close(tangent, torch.func.grad(f)(h[0]) @ h[1])


def test_the_metric_of_a_gradient_is_that_of_the_full_matrix():
    for layout in ("vech", "svec-lower", cases.LAYOUTS["both-scaled"], "lapack-rfp-nl"):
        full = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        full = (full + full.T).requires_grad_()
        weights = torch.randn(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        (full.sin() * weights).sum().backward()
        expected = vt.pack(full.grad, layout, use="mean")
        h = vt.pack(full.detach(), layout).requires_grad_()
        for metric in ("packed", "full"):
            h.grad = None
            (vt.expand(h, layout, metric=metric).sin() * weights).sum().backward()
            gradient = vt.to_metric(h.grad, layout) if metric == "packed" else h.grad
            torch.testing.assert_close(gradient, expected)
        found = vech.linalg.to_metric(vt.to_metric(expected, layout, "packed").numpy(), layout)
        np.testing.assert_allclose(found, expected.numpy())


@pytest.mark.parametrize(
    "layout",
    [
        "vech",
        pytest.param("svec-upper", marks=pytest.mark.slow),
        pytest.param("lapack-rfp-nl", marks=pytest.mark.slow),
    ],
)
def test_everything_compiles_without_a_break(layout):
    _, h = definite(vech.as_layout(layout), torch.float64, "symmetric")
    x = torch.ones(2, N, dtype=torch.float64)
    X = torch.ones(2, 3, N, dtype=torch.float64)

    def everything(h):
        moved = vt.convert(vt.pack(vt.expand(h, layout) * 2, layout), layout, "numpy-tril")
        return (
            moved.sum()
            + vt.matmul(h, x, layout).sum()
            + vt.quadratic(h, x, layout, metric="full").sum()
            + vt.congruence(h, X, layout).sum()
            + vt.gram(vt.expand(vt.cholesky(h, layout), layout, kind="triangular"), layout).sum()
            + vt.solve(h, x, layout).sum()
            + vt.norm(vt.inverse(h, layout), layout).sum()
            + vt.logdet(h, layout).sum()
            + vt.eigh(h, layout)[0].sin().sum()
            + vt.inner(vt.log(h, layout), vt.power(h, -0.5, layout), layout).sum()
            + vt.to_metric(vt.exp(h, layout), layout).sum()
        )

    torch.compiler.reset()
    compiled = torch.compile(everything, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(h), everything(h))
    gradients = [torch.autograd.grad(f(h), h)[0] for f in (compiled, everything)]
    torch.testing.assert_close(*gradients)
    per_half = torch.vmap(torch.func.grad(lambda h: vt.logdet(h, layout) + vt.quadratic(h, x[0], layout)))
    compiled = torch.compile(per_half, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(h.detach()), per_half(h.detach()))


def test_derivatives_forward_compile_without_a_break():
    h, x = torch.tensor([4.0, 1.0, 0.0, 3.0, -2.0, 5.0]), torch.ones(3)

    def everything(h):
        lower = vt.expand(vt.cholesky(h), kind="triangular")
        moved = vt.convert(vt.pack(lower, use="lower"), "vech", "svec-upper")
        return moved * vt.logdet(h) + vt.inverse(h) + vt.congruence(h, vt.solve(h, vt.matmul(h, x)))

    def along(h):
        return torch.func.jvp(everything, (h,), (h.flip(0),))

    torch.compiler.reset()
    compiled = torch.compile(along, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(h), along(h))


def test_a_compiled_function_takes_other_batches_and_sides():
    torch.compiler.reset()
    compiled = torch.compile(lambda h, x: vt.matmul(h, x), fullgraph=True, backend="aot_eager")
    for batch, n in ((2, 4), (3, 4), (5, 4), (3, 6), (2, 7)):
        h, x = torch.ones(batch, n * (n + 1) // 2), torch.ones(batch, n)
        torch.testing.assert_close(compiled(h, x), torch.full((batch, n), float(n)))


def test_autocast_leaves_dtypes_and_digits_alone():
    h, X = vt.pack(torch.eye(20) * 3).requires_grad_(), torch.ones(2, 20, requires_grad=True)
    more = (
        *(lambda h: vt.matmul(h, X[0]), lambda h: vt.quadratic(h, X[0]), lambda h: vt.solve(h, X[0])),
        *(lambda h: vt.congruence(h, X), lambda h: vt.gram(vt.expand(h)), lambda h: vt.eigh(h).values),
    )
    along = torch.rand(len(h), generator=torch.Generator().manual_seed(0))
    for function in (vt.log, vt.logdet, vt.inverse, vt.cholesky, vt.norm, *more):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = function(h)
            forward = torch.func.jvp(function, (h,), (along,))
        assert found.dtype is torch.float32
        torch.testing.assert_close(found, function(h), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(forward, torch.func.jvp(function, (h,), (along,)), rtol=1e-6, atol=1e-6)
        found.sum().backward()


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_norms_of_any_size_have_their_digits(size):
    h = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64).mul(size).requires_grad_()
    total = vt.norm(h)
    assert total.item() == pytest.approx(5 * size, rel=1e-15)
    expected = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(total, h)[0], expected)


def test_narrow_halves_are_summed_in_float32_by_all_functions():
    a, b = torch.tensor([300.0, 0.0, 300.0]).half(), torch.tensor([300.0, 0.0, -300.0]).half()
    assert vt.inner(a, b) == 0 and vt.norm(a, ord=2) == 300
    d = torch.tensor([1.001, 1.003]).half()
    expected = vt.congruence(a.float(), d.float()).half()
    assert torch.equal(vt.congruence(a, d), expected)
    assert vt.congruence(b, torch.full((1, 2), 300.0).half()) == 0
    generator = torch.Generator().manual_seed(0)
    X, b = torch.randn(30, 60, generator=generator), torch.randn(30, generator=generator).half()
    h = vt.gram(X / 8).half()
    for function in (vt.cholesky, vt.inverse, vt.logdet, vt.log, lambda h: vt.solve(h, b.to(h.dtype))):
        assert torch.equal(function(h), function(h.float()).half())


@cases.each("n", [2, 17])
@cases.each("p", [0.5, 1.7, -0.5, -1.0, -2.0, 0.0, 1.0, 2.0])
def test_powers_take_the_same_matrices_of_every_side(p, n):
    for least in (0.0, -1.0):
        values = torch.cat((torch.tensor([least]), torch.linspace(1, 2, n - 1)))
        h = torch.stack((vt.pack(torch.eye(n)), vt.pack(values.diag())))
        if p in (0, 1, 2):
            torch.testing.assert_close(vt.expand(vt.power(h, p))[1], values.pow(p).diag())
        else:
            with pytest.raises(torch.linalg.LinAlgError, match=rf"matrix \[1\] .* eigenvalue {least:g}, and"):
                vt.power(h, p)


def test_powers_of_any_exponent_have_their_digits():
    h = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(vt.power(h, 0).sum(), h)[0].tolist() == [0.0] * 6
    for p in (-300.0, 300.0):
        for gap in (1e-4, 1e-3, 0.018):
            # a^(p - 1) + ... + b^(p - 1), and of a negative exponent the same of 1 / a and 1 / b
            a, b = torch.tensor([1.0, 1.0 + gap], dtype=torch.float64)
            k = torch.arange(abs(p), dtype=torch.float64)
            x, y = (a, b) if p > 0 else (1 / a, 1 / b)
            expected = (x ** (abs(p) - 1 - k) * y**k).sum() * (1 if p > 0 else -x * y)
            torch.testing.assert_close(divided.first("power", p, a, b), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("n", [2, 20])
@pytest.mark.parametrize("number", [torch.inf, -torch.inf, torch.nan])
def test_what_is_not_finite_has_no_factor(number, n):
    h = vt.pack(torch.eye(n)).expand(3, -1).clone()
    h[1, -1] = number
    for function in (vt.cholesky, vt.inverse, vt.logdet):
        for call in (function, torch.vmap(function), torch.vmap(torch.func.jacfwd(function))):
            with pytest.raises(
                ValueError, match=r"NaN or infinity, so that matrix \[1\] of the batch has no"
            ):
                call(h)


def test_fake_tensors_go_through_what_reads_tables():
    with FakeTensorMode():
        h = torch.ones(6)
        assert vt.norm(h).shape == vt.inner(h, h).shape == ()
        assert vt.congruence(h, torch.ones(3)).shape == (6,)
