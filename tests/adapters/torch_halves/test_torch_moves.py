"""Moves of tensors: the bits of vech's own, gradients of both orders, transforms, the compiler."""

import numpy as np
import pytest

import cases
import vech

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")
from vech.adapters.torch import operators, plain
from vech.adapters.torch.checks import text
from vech.adapters.torch.kept import KEPT, Kept

KINDS = [("float64", "symmetric"), ("float64", "skew"), ("float64", "triangular")] + [
    ("complex128", kind) for kind in cases.KINDS
]
gradcheck, gradgradcheck = torch.autograd.gradcheck, torch.autograd.gradgradcheck


def numbers(*shape, dtype="float64", seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=getattr(torch, dtype), generator=generator)


def fitting():
    for name, layout in cases.LAYOUTS.items():
        n = 3 if isinstance(layout, vech.TensorOrder) else 4
        for dtype, kind in KINDS:
            if cases.fits(layout, np.dtype(dtype), kind, n):
                yield pytest.param(layout, dtype, kind, n, id=f"{name}-{dtype}-{kind}")


@cases.each(("layout", "dtype", "kind", "n"), [*fitting()])
def test_expand_has_the_bits_of_numpy_and_gradients_of_both_orders(layout, dtype, kind, n):
    h = numbers(2, layout.length(n), dtype=dtype).requires_grad_()
    full = vt.expand(h, layout, kind=kind)
    assert np.array_equal(full.detach().numpy(), vech.expand(h.detach().numpy(), layout, kind=kind))
    one = h.detach()[0].requires_grad_()
    assert gradcheck(lambda h: vt.expand(h, layout, kind=kind), one, fast_mode=True)
    assert gradgradcheck(lambda h: vt.expand(h, layout, kind=kind) ** 2, one, fast_mode=True)


@cases.each(("layout", "dtype", "kind", "n"), [*fitting()])
def test_pack_has_the_bits_of_numpy_and_gradients_of_what_it_reads(layout, dtype, kind, n):
    if layout.diagonal == "one" or (layout.diagonal == "zero"):
        return
    whole = numbers(n, n, dtype=dtype)
    for use in ("mean", layout.triangle) if kind == "triangular" else ("mean", "lower", "upper"):
        if use == "mean" and kind == "triangular":
            continue
        half = vt.pack(whole, layout, kind=kind, use=use)
        expected = vech.pack(whole.numpy(), layout, kind=kind, use=use)
        assert np.array_equal(half.numpy(), expected)
        full = whole.clone().requires_grad_()
        assert gradcheck(lambda A, use=use: vt.pack(A, layout, kind=kind, use=use), full, fast_mode=True)
        assert gradgradcheck(
            lambda A, use=use: vt.pack(A, layout, kind=kind, use=use) ** 2, full, fast_mode=True
        )


IMPLIED = [case for case in fitting() if case.values[0].diagonal != "stored"]


@pytest.mark.parametrize(("layout", "dtype", "kind", "n"), IMPLIED)
def test_pack_without_a_diagonal_has_gradients_of_what_is_beside_it(layout, dtype, kind, n):
    """One that is not stored is judged: only what is off it may move, and the gradient on it is 0."""
    eye = torch.eye(n, dtype=getattr(torch, dtype))
    diagonal = eye if layout.diagonal == "one" else 0 * eye
    off = numbers(n, n, dtype=dtype) * (1 - eye)
    for use in (layout.triangle,) if kind == "triangular" else ("mean", "lower", "upper"):

        def function(A, use=use):
            return vt.pack(A * (1 - eye) + diagonal, layout, kind=kind, use=use)

        if kind == "triangular":
            off = off.tril() if use == "lower" else off.triu()
        full = off.clone().requires_grad_()
        assert np.array_equal(
            function(full).detach().numpy(),
            vech.pack((off + diagonal).numpy(), layout, kind=kind, use=use),
        )
        assert gradcheck(function, full, fast_mode=True)
        assert gradgradcheck(lambda A: function(A) ** 2, full, fast_mode=True)
        full = (off + diagonal).requires_grad_()
        vt.pack(full, layout, kind=kind, use=use).abs().square().sum().backward()
        assert (full.grad.diagonal() == 0).all() and full.grad.abs().sum() > 0


def side(layout):
    return 3 if isinstance(layout, vech.TensorOrder) else 4


def convertible(source, target, what):
    dtype, kind = what
    same = side(source) == side(target)
    return same and cases.convertible(source, target, np.dtype(dtype), kind, side(source))


CONVERSIONS = cases.pairwise(
    convertible, source=cases.LAYOUTS, target=cases.LAYOUTS, what={"-".join(what): what for what in KINDS}
)


@pytest.mark.parametrize(
    ("source", "target", "what"),
    [
        pytest.param(*case.values, id=case.id, marks=[pytest.mark.slow] if k % 5 else [])
        for k, case in enumerate(CONVERSIONS)
    ],
)
def test_convert_has_the_bits_of_numpy_and_gradients_of_both_orders(source, target, what):
    dtype, kind = what
    n = side(source)
    half = numbers(source.length(n), dtype=dtype)
    moving = torch.ones(half.shape, dtype=half.dtype)
    if source.diagonal == "stored" != target.diagonal:  # judged, so that it may not move
        moving = torch.from_numpy(vech.pack(1 - np.eye(n), source, use="lower") != 0).to(half.dtype)
        implied = np.eye(n) * (target.diagonal == "one")
        half = half * moving + torch.from_numpy(vech.pack(implied, source).astype(dtype))
    fixed = half * (1 - moving)

    def function(h):
        return vt.convert(h * moving + fixed, source, target, kind=kind)

    h = half.requires_grad_()
    expected = vech.convert(half.detach().numpy(), source, target, kind=kind)
    assert np.array_equal(vt.convert(h, source, target, kind=kind).detach().numpy(), expected)
    assert gradcheck(function, h, fast_mode=True)
    assert gradgradcheck(lambda h: function(h) ** 2, h, fast_mode=True)


def test_both_is_differentiated_as_mean():
    A = torch.tensor([[1.0, 2.0], [2.0, 3.0]], requires_grad=True)
    vt.pack(A)[1].backward()
    assert A.grad.tolist() == [[0.0, 0.5], [0.5, 0.0]]


@cases.each("use", ["both", "mean", "lower", "upper"])
@cases.each("layout", ["vech", "svec-upper", "lapack-rfp-nl"])
def test_pack_is_differentiated_forward_as_backward(layout, use):
    A = numbers(2, 3, 3)
    A = A + A.mT

    def loss(A):
        return (vt.pack(A, layout, use=use) ** 3).sum()

    for function in (lambda A: vt.pack(A, layout, use=use), torch.func.grad(loss)):
        forward, backward = (torch.vmap(way(function))(A) for way in (torch.func.jacfwd, torch.func.jacrev))
        torch.testing.assert_close(forward, backward)


@pytest.mark.parametrize("target", ["condensed", "svec-upper", "numpy-tril"])
def test_convert_is_differentiated_forward_as_backward(target):
    h = numbers(2, 3)
    h = vt.convert(h, "condensed", "vech")

    def loss(h):
        return (vt.convert(h, "vech", target) ** 3).sum()

    for function in (lambda h: vt.convert(h, "vech", target), torch.func.grad(loss)):
        forward, backward = (torch.vmap(way(function))(h) for way in (torch.func.jacfwd, torch.func.jacrev))
        torch.testing.assert_close(forward, backward)


def test_moves_are_judged_where_derivatives_run_forward():
    A = torch.tensor([[[1.0, 2.0], [2.0, 3.0]], [[1.0, 2.0], [4.0, 3.0]]])
    for function in (lambda A: torch.func.jvp(vt.pack, (A,), (A,)), torch.vmap(torch.func.jacfwd(vt.pack))):
        with pytest.raises(ValueError, match=r"a\[1, 0\] is 4\.0, but a\[0, 1\] is 2\.0 in matrix 1"):
            function(A)
    with pytest.raises(ValueError, match=r"layout condensed is zero, but a\[0, 0\] is stored as 1\.0"):
        torch.func.jacfwd(lambda h: vt.convert(h, "vech", "condensed"))(torch.ones(3))


WAYS = [case for case in fitting() if isinstance(case.values[0], vech.Layout)]


@cases.each(("layout", "dtype", "kind", "n"), WAYS)
def test_other_devices_get_the_same_by_tables(layout, dtype, kind, n):
    words = text(layout)
    h, full = numbers(2, layout.length(n), dtype=dtype), numbers(2, n, n, dtype=dtype, seed=1)
    torch.testing.assert_close(plain.expand(h, words, kind, n), operators.expand(h, words, kind, True))
    torch.testing.assert_close(plain.fold(full, words, kind, n), operators.fold(full, words, kind))
    if layout.diagonal == "stored":
        for use in ("lower", "upper", "mean") if kind != "triangular" else (layout.triangle,):
            found = plain.pack(full, words, kind, n, use, None)
            torch.testing.assert_close(found, operators.pack(full, words, kind, use, -1.0))
        target = text(vech.Layout(layout.triangle, "rows", offdiagonal_scale=3.0))
        found = plain.convert(h, words, target, kind, n)
        torch.testing.assert_close(found, operators.convert(h, words, target, kind, True))


def test_tables_are_kept_up_to_so_many_bytes():
    kept, made = Kept(100), []

    def table(count):
        made.append(count)
        return torch.zeros(count, dtype=torch.int8)

    for count in (40, 50, 40, 30, 101, 101, 40, 50):
        assert len(kept(table, count)) == count
        assert kept.bytes <= 100
    assert made == [40, 50, 30, 101, 101, 50]  # 50 was used before 40, and had to go for 30
    assert kept.bytes == 90 and len(kept(lambda: (torch.zeros(3), torch.zeros(2)))) == 2 and kept.bytes == 70


def test_indices_are_short_where_they_fit():
    h = torch.arange(6.0)
    assert plain.table("cells", text(vech.as_layout("vech")), 3, h).dtype is torch.int32
    assert KEPT.bytes <= KEPT.most == 256 * 2**20
