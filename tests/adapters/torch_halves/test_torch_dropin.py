"""The functions of other libraries under their own names: where these install, by their own calls."""

import copy

import numpy as np
import pytest

import cases

torch = pytest.importorskip("torch", reason="the drop-ins are of torch")

from vech.adapters.torch import dropin

SIDES = (1, 2, 4, 5, 33)


def matrix(n, dtype=torch.float32):
    half = torch.randn(n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return (half + half.T).to(dtype)


@cases.each("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@cases.each("n", SIDES)
def test_triangles_are_gathered_and_scattered_as_by_index_tables(n, dtype):
    """Meta's and kfac-pytorch's are `triu_indices`, ASDL's `tril_indices`: as in their sources."""
    A = matrix(n, dtype)
    upper, lower = (A[tuple(torch.__dict__[name](n, n))] for name in ("triu_indices", "tril_indices"))
    for packed, given in (
        (dropin.pack_upper_triangular(A), upper),
        (dropin.get_triu(A), upper),
        (dropin.matrix_to_tril(A), lower),
    ):
        assert torch.equal(packed, given)
    assert torch.equal(dropin.unpack_upper_triangular(upper, n), A)
    assert torch.equal(dropin.fill_triu((n, n), upper), A)
    assert torch.equal(dropin.tril_to_matrix(lower), A)


def test_the_other_triangle_is_not_read():
    A = matrix(5)
    wrong = A.triu() + torch.full((5, 5), torch.nan).tril(-1)
    assert torch.equal(dropin.unpack_upper_triangular(dropin.pack_upper_triangular(wrong), 5), A)
    assert torch.equal(dropin.fill_triu(A.shape, dropin.get_triu(wrong)), A)
    assert torch.equal(dropin.tril_to_matrix(dropin.matrix_to_tril(wrong.T.contiguous())), A)


@pytest.mark.parametrize(
    "call",
    [
        lambda: dropin.unpack_upper_triangular(torch.ones(6), 4),
        lambda: dropin.fill_triu((4, 4), torch.ones(6)),
        lambda: dropin.line_to_triu([((1, 4, 4), torch.ones(1, 6))]),
    ],
)
def test_a_half_of_another_side_is_said(call):
    with pytest.raises(ValueError, match="the half is of side 3, and a matrix of side 4 is asked for"):
        call()


def test_a_rectangle_is_refused():
    with pytest.raises(ValueError, match=r"shape is \(2, 3\), and a symmetric matrix is square"):
        dropin.fill_triu((2, 3), torch.ones(3))
    with pytest.raises(ValueError):
        dropin.get_triu(torch.ones(2, 3))


# ---------------------------------------------------------------- HeavyBall


@pytest.fixture
def heavyball():
    library = pytest.importorskip("heavyball", reason="HeavyBall is asked itself")
    library.utils.compile_mode = None
    return library


def test_lines_are_heavyballs(heavyball):
    Q = [torch.ones(()), torch.ones(2, 3), torch.randn(2, 5, 5).triu(), torch.randn(1, 33, 33).triu()]
    theirs, ours = heavyball.utils.triu_to_line(Q), dropin.triu_to_line(Q)
    for (shape, line), (own_shape, own) in zip(theirs, ours, strict=True):
        assert own_shape == shape and torch.equal(own, line)
    for one, other in zip(heavyball.utils.line_to_triu(theirs), dropin.line_to_triu(theirs), strict=True):
        assert torch.equal(one, other)


def test_psgd_takes_the_same_steps_with_ours(heavyball, monkeypatch):
    """Its optimizer stores and loads its triangular factors by these two functions at every step."""
    weights, calls = [], []
    for ours in (False, True):
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.Tanh(), torch.nn.Linear(6, 4))
        if ours:
            for name in ("triu_to_line", "line_to_triu"):
                function = getattr(dropin, name)
                monkeypatch.setattr(
                    heavyball.utils, name, lambda Q, function=function: calls.append(1) or function(Q)
                )
        optimizer = heavyball.PSGDKron(net.parameters(), lr=0.01, store_triu_as_line=True)
        for _ in range(6):
            torch.manual_seed(1)
            (net(torch.ones(3, 8)) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        weights.append([p.detach().clone() for p in net.parameters()])
    assert len(calls) > 6
    assert all(map(torch.equal, *weights))


# ---------------------------------------------------------------- ASDL


def test_asdl_saves_and_loads_with_ours(monkeypatch, tmp_path):
    symmatrix = pytest.importorskip("asdl.symmatrix", reason="ASDL is asked itself")
    A, B = matrix(5), matrix(7)
    original = symmatrix.SymMatrix(data=A, kron_A=A, kron_B=B)
    for saver, loader in ((False, True), (True, False)):
        place = tmp_path / str(saver)
        (place / "kron").mkdir(parents=True)
        for ours, act in ((saver, "save"), (loader, "load")):
            with monkeypatch.context() as patch:
                if ours:
                    patch.setattr(symmatrix, "matrix_to_tril", dropin.matrix_to_tril)
                    patch.setattr(symmatrix, "tril_to_matrix", dropin.tril_to_matrix)
                if act == "save":
                    paths = copy.deepcopy(original).save(str(place), "")
                    assert np.load(place / paths["tril"]).shape == (15,)
                else:
                    found = symmatrix.SymMatrix()
                    kron = {name: place / path for name, path in paths["kron"].items()}
                    found.load(path=place / paths["tril"], kron_path=kron)
        assert torch.equal(found.data, A) and torch.equal(found.kron.A, A) and torch.equal(found.kron.B, B)
