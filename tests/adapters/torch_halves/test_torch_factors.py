"""K-FAC's pair of factors and SOAP's basis on halves."""

import io

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="K-FAC and SOAP are of torch")

from vech.adapters.torch.factors import Eigenbasis, KroneckerPair


def batch(k=50, inputs=6, outputs=4, seed=0):
    rng = np.random.default_rng(seed)
    return (
        torch.from_numpy(rng.standard_normal((k, side)) * np.geomspace(1, 0.1, side))
        for side in (inputs, outputs)
    )


def checkpoint(thing):
    file = io.BytesIO()
    torch.save(thing.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


# ---------------------------------------------------------------- K-FAC


def test_the_step_of_kfac_is_the_inverse_of_the_damped_kronecker_product():
    pair, A, G = KroneckerPair(6, 4, dtype=torch.float64), np.zeros((6, 6)), np.zeros((4, 4))
    for seed in range(3):
        a, g = batch(seed=seed)
        pair.update(a, g, beta=0.9)
        A = 0.9 * A + 0.1 * (a.T @ a / 50).numpy()
        G = 0.9 * G + 0.1 * (g.T @ g / 50).numpy()
    pi, damping = np.sqrt(np.trace(A) / 6 / (np.trace(G) / 4)), 0.01
    fisher = np.kron(G + np.sqrt(damping) / pi * np.eye(4), A + pi * np.sqrt(damping) * np.eye(6))
    W = np.arange(24.0).reshape(4, 6)
    want = np.linalg.solve(fisher, W.ravel()).reshape(4, 6)
    np.testing.assert_allclose(pair.refresh(damping).precondition(torch.from_numpy(W)), want, rtol=1e-9)


def test_a_pair_of_halves_is_a_half_of_four_squares():
    pair = KroneckerPair(100, 70).update(torch.randn(5, 100), torch.randn(5, 70)).refresh()
    assert pair.nbytes == 2 * 4 * (100 * 101 + 70 * 71) / 2
    few = KroneckerPair(100, 70, "int8").update(torch.randn(5, 100), torch.randn(5, 70))
    assert few.nbytes < 4 * (100**2 + 70**2) / 5


def test_a_pair_goes_on_from_its_checkpoint():
    pair = KroneckerPair(6, 4, "int8", smallest=0).update(*batch()).refresh()
    again = KroneckerPair(6, 4, "int8", smallest=0).load_state_dict(checkpoint(pair))
    W = torch.randn(4, 6)
    assert torch.equal(again.precondition(W), pair.precondition(W))
    pair.update(*batch(seed=1)).refresh()
    again.update(*batch(seed=1)).refresh()
    assert torch.equal(again.precondition(W), pair.precondition(W))


def test_inverses_before_the_first_refresh_are_an_error():
    with pytest.raises(ValueError, match=r"there are no inverses yet: call refresh\(damping\) first"):
        KroneckerPair(2, 2).precondition(torch.ones(2, 2))


def test_what_a_pair_refuses_leaves_both_statistics_as_they_were():
    pair = KroneckerPair(2, 2).update(torch.ones(3, 2), torch.ones(3, 2)).refresh()
    A, G = pair.A, pair.G
    before, told = (A.half(), G.half()), KroneckerPair(2, 2).update(torch.eye(2), torch.eye(2)).state_dict()
    with pytest.raises(ValueError, match="gives a matrix with NaN or infinity"):
        pair.update(torch.eye(3, 2), torch.full((3, 2), torch.nan))
    with pytest.raises(ValueError, match="inputs has 3 rows and gradients 7: one of each for every example"):
        pair.update(torch.eye(3, 2), torch.ones(7, 2))
    with pytest.raises(ValueError, match="the state to load has n=3, and this one 2"):
        pair.load_state_dict({**told, "G": {**told["G"], "n": 3}})
    assert (pair.A, pair.G) == (A, G)
    assert torch.equal(A.half(), before[0]) and torch.equal(G.half(), before[1])
    pair.load_state_dict(told)
    assert (pair.A, pair.G) == (A, G) and not torch.equal(A.half(), before[0])


def test_autocast_changes_neither_statistics_nor_steps():
    W, found = torch.randn(4, 6), []
    for mixed in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            pair = KroneckerPair(6, 4).update(*batch()).refresh()
            basis = Eigenbasis(6)
            for seed in range(2):
                basis.update(next(batch(seed=seed)).mT.float()).refresh()
            found.append((pair.precondition(W), basis.turn(W, 1), basis.back(W, 1)))
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


# ---------------------------------------------------------------- SOAP


def spread(n=70, seed=0):
    """A gradient of which the singular values are apart."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return torch.from_numpy(basis * np.geomspace(1, 0.01, n))


@pytest.mark.parametrize(("encoding", "domain", "bound"), [(None, "log", 0.01), ("int8", "cholesky", 0.05)])
def test_the_basis_follows_the_eigenvectors(encoding, domain, bound):
    basis = Eigenbasis(70, encoding, domain=domain, dtype=torch.float64)
    basis.update(torch.randn(70, 90, dtype=torch.float64)).refresh()
    for _ in range(60):
        basis.update(spread(), beta=0.8).refresh()
    Q = basis.vectors
    np.testing.assert_allclose(Q.T @ Q, np.eye(70), atol=1e-12)
    S = (Q.T @ basis.statistic.expand() @ Q).numpy()
    assert np.linalg.norm(S - np.diag(np.diag(S))) < bound * np.linalg.norm(S)
    assert np.diff(np.diag(S)[:10]).max() < 0


def test_one_refresh_is_one_step_of_the_power_method():
    basis = Eigenbasis(5, dtype=torch.float64)
    basis.update(torch.randn(5, 20, dtype=torch.float64)).refresh()
    old = basis.vectors.clone()
    basis.update(torch.randn(5, 20, dtype=torch.float64), beta=0.1).refresh()
    S = basis.statistic.expand()
    order = np.argsort(-np.diag(old.T @ S @ old))
    np.testing.assert_array_equal(basis.order, order)
    Q, _ = np.linalg.qr((S @ old).numpy()[:, order])
    np.testing.assert_allclose(basis.vectors.abs(), np.abs(Q), rtol=1e-9)


def test_turning_back_gives_what_was_turned():
    basis = Eigenbasis(4, dtype=torch.float64).update(torch.randn(4, 9, dtype=torch.float64)).refresh()
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    turned = basis.turn(x, 1)
    np.testing.assert_allclose(turned, np.einsum("jk,ajb->akb", basis.vectors, x), rtol=1e-12)
    np.testing.assert_allclose(basis.back(turned, 1), x, atol=1e-13)
    with pytest.raises(ValueError, match=r"there is no basis yet: call refresh\(\) first"):
        Eigenbasis(4).turn(x, 1)


def test_a_basis_goes_on_from_its_checkpoint():
    basis = Eigenbasis(70, "int4").update(torch.randn(70, 9)).refresh()
    again = Eigenbasis(70, "int4").load_state_dict(checkpoint(basis))
    G = torch.randn(70, 9)
    for one in (basis, again):
        one.update(G).refresh()
    assert torch.equal(basis.vectors, again.vectors)
    assert basis.nbytes == again.nbytes < 2 * 4 * 70**2
