"""Products of tensors: values of Packed, gradients of both orders, batches, transforms, what is saved."""

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")
from vech.adapters.torch import bilinear

LAYOUTS = ("lower-columns-stored", "upper-columns-zero", "lower-rows-one", "both-scaled", "lapack-rfp-tu")
KINDS = (("float64", "symmetric"), ("float64", "skew"), *(("complex128", k) for k in cases.STORE_KINDS))


def numbers(*shape, dtype="float64", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=getattr(torch, dtype), generator=generator)


def fitting():
    for name in LAYOUTS:
        for dtype, kind in KINDS:
            if cases.fits(cases.LAYOUTS[name], np.dtype(dtype), kind, 4):
                yield pytest.param(cases.LAYOUTS[name], dtype, kind, id=f"{name}-{dtype}-{kind}")


def check(function, *inputs):
    """Both orders, of the first of a batch."""
    inputs = [x.detach()[0].requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize(("layout", "dtype", "kind"), [*fitting()])
def test_products_are_those_of_packed_with_gradients_of_both_orders(layout, dtype, kind):
    h = numbers(2, layout.length(4), dtype=dtype).requires_grad_()
    store = vech.Packed(h[1].detach().numpy(), layout, kind=kind)
    for shape in ((2, 4), (2, 4, 3)):
        x = numbers(*shape, dtype=dtype, seed=1).requires_grad_()
        for name in ("matmul", "quadratic"):
            found = getattr(vt, name)(h, x, layout, kind=kind)
            expected = getattr(store, name)(x[1].detach().numpy())
            np.testing.assert_allclose(found[1].detach().numpy(), expected, atol=1e-13)
            check(lambda h, x, name=name: getattr(vt, name)(h, x, layout, kind=kind), h, x)


@pytest.mark.parametrize(("layout", "dtype", "kind"), [*fitting()])
def test_congruences_are_those_of_packed(layout, dtype, kind):
    h = numbers(2, layout.length(4), dtype=dtype).requires_grad_()
    store = vech.Packed(h[1].detach().numpy(), layout, kind=kind)
    shapes = {"stored": [(2, 4), (2, 3, 4)], "zero": [(2, 4)], "one": []}[layout.diagonal]
    for shape in shapes:
        X = numbers(*shape, dtype=dtype, seed=1).requires_grad_()
        found = vt.expand(vt.congruence(h, X, layout, kind=kind), layout, kind=kind)[1]
        expected = store.congruence(X[1].detach().numpy()).expand()
        np.testing.assert_allclose(found.detach().numpy(), expected, atol=1e-12)
        check(lambda h, X: vt.congruence(h, X, layout, kind=kind), h, X)


@pytest.mark.parametrize(
    "layout", ["vech", "lapack-upper", "numpy-tril", "numpy-triu", "svec-upper", "lapack-rfp-nl"]
)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_gram_is_half_of_the_product(layout, dtype):
    for k in (1, 7):
        X = numbers(2, 5, k, dtype=dtype).requires_grad_()
        full = vt.expand(vt.gram(X, layout), layout, kind="hermitian")
        np.testing.assert_allclose(full.detach().numpy(), (X @ X.mH).detach().numpy(), atol=1e-13)
        check(lambda X: vt.gram(X, layout), X)


@pytest.mark.parametrize("n", [1, 3, 255, 257, 300])
def test_sides_about_the_blocks_have_the_gradients_of_the_full_square(n):
    full = numbers(n, n)
    full = (full + full.T).requires_grad_()
    h = vt.pack(full.detach()).requires_grad_()
    x, y = (numbers(n, m, seed=m).requires_grad_() for m in (3, 6))
    (full @ x).square().sum().add((full @ y).sin().sum()).backward()
    expected = [vt.pack(full.grad, use="mean"), x.grad, y.grad]
    x.grad = y.grad = None
    vt.matmul(h, x, metric="full").square().sum().add(vt.matmul(h, y, metric="full").sin().sum()).backward()
    for found, wanted in zip([h.grad, x.grad, y.grad], expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10 * n)


@pytest.mark.parametrize("kind", cases.STORE_KINDS)
def test_batches_have_the_values_and_gradients_of_halves_one_by_one(kind, monkeypatch):
    h, x, X = (
        numbers(2, 10, dtype="complex128"),
        numbers(2, 4, 3, dtype="complex128"),
        numbers(2, 3, 4, dtype="complex128"),
    )
    found = []
    for side in (0, 48):
        monkeypatch.setattr(bilinear, "SMALL_SIDE", side)
        inputs = [y.clone().requires_grad_() for y in (h, x, X)]
        total = vt.matmul(inputs[0], inputs[1], kind=kind).abs().square().sum()
        total = total + vt.quadratic(inputs[0], inputs[1], kind=kind).abs().square().sum()
        total = total + vt.congruence(inputs[0], inputs[2], kind=kind).abs().square().sum()
        found.append((total, *torch.autograd.grad(total, inputs)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_batches_broadcast_and_one_half_takes_any_number_of_columns():
    h, x = numbers(15), numbers(7, 2, 5, 3)
    full = vt.expand(h)
    torch.testing.assert_close(vt.matmul(h, x), full @ x)
    torch.testing.assert_close(vt.quadratic(h, x), torch.einsum("abim,ij,abjm->abm", x, full, x))
    halves = numbers(4, 1, 15)
    torch.testing.assert_close(vt.matmul(halves, x[:1]), vt.expand(halves) @ x[:1])
    for empty in (vt.matmul(numbers(0, 15), numbers(0, 5)), vt.quadratic(numbers(0, 15), numbers(0, 5))):
        assert empty.shape[0] == 0
    assert vt.matmul(h, numbers(5, 0)).shape == (5, 0)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_narrow_floats_are_summed_in_float32_and_rounded_once(name):
    dtype = getattr(torch, name)
    h, x = numbers(2, 1275).to(dtype), numbers(2, 50).to(dtype)
    expected = vt.matmul(h.float(), x.float()).to(dtype)
    assert torch.equal(vt.matmul(h, x), expected) and vt.quadratic(h, x).dtype is dtype
    assert vt.expand(h, "svec-lower").dtype is dtype and torch.equal(vt.pack(vt.expand(h)), h)
    h.requires_grad_()
    vt.matmul(h, x).sum().backward()
    assert h.grad.dtype is dtype


def test_transforms_agree_with_loops():
    h, x = numbers(3, 15), numbers(3, 5)

    def f(h, x):
        return vt.quadratic(h, x).sin() + vt.matmul(h, x).square().sum()

    for function in (torch.func.grad(f), torch.func.grad(f, argnums=1), torch.func.hessian(f)):
        expected = torch.stack([function(*pair) for pair in zip(h, x, strict=True)])
        torch.testing.assert_close(torch.vmap(function)(h, x), expected)
    torch.testing.assert_close(
        torch.func.hessian(f)(h[0], x[0]), torch.autograd.functional.hessian(lambda h: f(h, x[0]), h[0])
    )
    for dims in ((None, 0), (0, None)):
        pairs = [(h[0] if dims[0] is None else h[k], x[0] if dims[1] is None else x[k]) for k in range(3)]
        inputs = [y[0] if at is None else y for y, at in zip((h, x), dims, strict=True)]
        torch.testing.assert_close(torch.vmap(f, dims)(*inputs), torch.stack([f(*p) for p in pairs]))
    _, tangent = torch.func.jvp(f, (h[0], x[0]), (h[1], x[1]))
    torch.testing.assert_close(
        tangent, torch.func.grad(f)(h[0], x[0]) @ h[1] + torch.func.grad(f, 1)(h[0], x[0]) @ x[1]
    )


def saved_by(function):
    """Bytes of distinct memory that autograd keeps."""
    found = {}

    def pack(tensor):
        found[tensor.untyped_storage().data_ptr()] = tensor.detach()  # so that its memory serves nothing else

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda _: None):
        keep = function()
    del keep
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


N, ROWS = 40, 7
HALF, SQUARE = N * (N + 1) // 2, N * N
# of halves h and g, a vector x and matrices X and A: how many numbers, by the table of docs/learning.md
SAVED = {
    "pack": (lambda h, g, x, X, A, **m: vt.pack(A), 0),
    "pack, mean": (lambda h, g, x, X, A, **m: vt.pack(A, "svec-upper", use="mean"), 0),
    "expand": (lambda h, g, x, X, A, **m: vt.expand(h, **m), 0),
    "convert": (lambda h, g, x, X, A, **m: vt.convert(h, "vech", "svec-upper", **m), 0),
    "matmul": (lambda h, g, x, X, A, **m: vt.matmul(h, x, **m), HALF + N),
    "quadratic": (lambda h, g, x, X, A, **m: vt.quadratic(h, x, **m), HALF + 2 * N),
    "congruence": (lambda h, g, x, X, A, **m: vt.congruence(h, X, **m), HALF + 2 * ROWS * N),
    "gram": (lambda h, g, x, X, A, **m: vt.gram(X.mT), ROWS * N),
    "cholesky": (lambda h, g, x, X, A, **m: vt.cholesky(h, **m), HALF),
    "inverse": (lambda h, g, x, X, A, **m: vt.inverse(h, **m), HALF),
    "solve": (lambda h, g, x, X, A, **m: vt.solve(h, x, **m), 2 * HALF + N),
    "logdet": (lambda h, g, x, X, A, **m: vt.logdet(h, **m), 2 * HALF),
    "log": (lambda h, g, x, X, A, **m: vt.log(h, **m), HALF),
    "exp": (lambda h, g, x, X, A, **m: vt.exp(h, **m), HALF),
    "power": (lambda h, g, x, X, A, **m: vt.power(h, -0.5, **m), HALF),
    "eigh": (lambda h, g, x, X, A, **m: vt.eigh(h, **m), N + SQUARE),
    "norm": (lambda h, g, x, X, A, **m: vt.norm(h, **m), 2 * HALF),
    "norm max": (lambda h, g, x, X, A, **m: vt.norm(h, ord="max", **m), 2 * HALF),
    "norm 2": (lambda h, g, x, X, A, **m: vt.norm(h, ord=2, **m), HALF),
    "norm 1": (lambda h, g, x, X, A, **m: vt.norm(h, ord=1, **m), SQUARE + N),
    "inner": (lambda h, g, x, X, A, **m: vt.inner(h, g, **m), 3 * HALF),
}


@cases.each("metric", ["packed", "full"])
@cases.each("name", list(SAVED))
def test_what_is_saved_is_what_the_page_says(name, metric):
    full = torch.eye(N) * 3 + torch.linspace(0, 1, N).diag()
    given = [vt.pack(full), vt.pack(full), torch.ones(N), numbers(ROWS, N, dtype="float32"), full]
    given = [x.requires_grad_() for x in given]
    function, expected = SAVED[name]
    found = saved_by(lambda: function(*given, metric=metric))
    assert 4 * expected <= found <= 4 * expected + 16  # a number or two beside


@pytest.mark.parametrize("metric", ["packed", "full"])
def test_what_is_saved_of_tables_is_kept_for_all(metric):
    h, d = vt.pack(torch.eye(N) * 3).requires_grad_(), torch.ones(N, requires_grad=True)
    order = "lapack-rfp-nl"
    assert saved_by(lambda: vt.expand(h, order, metric=metric)) == 4 * HALF
    assert saved_by(lambda: vt.convert(h, "vech", order, metric=metric)) == 4 * HALF
    found = saved_by(lambda: vt.congruence(h, d, metric=metric))
    assert found == 4 * 4 * HALF + 2 * 4 * HALF  # h, three halves of factors; rows and columns in int32


def test_tables_made_within_a_transform_or_in_inference_serve_outside_of_it():
    layout = vech.Layout("upper", "rows", offdiagonal_scale=1.25)  # whose tables no other test has made
    h = numbers(15)
    torch.func.hessian(lambda h: vt.expand(h, layout).sin().sum())(h)
    with torch.inference_mode():
        vt.norm(h, vech.Layout("upper", "rows", offdiagonal_scale=1.5))
    torch.func.hessian(lambda h: vt.expand(h, layout).sin().sum())(h)
    h.requires_grad_()
    vt.norm(h, vech.Layout("upper", "rows", offdiagonal_scale=1.5)).backward()
    assert h.grad.isfinite().all()


def test_strides_views_and_conjugates_are_taken_as_they_are():
    wide = numbers(15, 4, dtype="complex128").requires_grad_()
    x = numbers(5, dtype="complex128")
    plain = wide.detach().clone().T.contiguous()
    for h in (wide.T, wide.T.conj(), wide.T.conj().resolve_conj(), wide[:, 0].expand(4, 15)):
        found = vt.matmul(h, x.conj().expand(4, 5), kind="hermitian")
        expected = vt.expand(h.detach().resolve_conj().contiguous(), kind="hermitian")
        expected.diagonal(dim1=-2, dim2=-1).imag.zero_()
        torch.testing.assert_close(found, expected @ x.conj().resolve_conj())
    assert torch.equal(plain.T, wide.detach())
    vt.expand(wide.T.imag.T[:, :1].T).sum().backward()  # of negative bits, too
    assert wide.grad is not None
