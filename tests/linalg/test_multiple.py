"""eigsh finds every copy of a multiple eigenvalue, wherever it starts, and says what it does not take."""

import itertools
import re

import numpy as np
import pytest
import scipy.linalg
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import cases
import vech
from vech.linalg import eigsh, lanczos, norm

N = 150  # beyond the side up to which LAPACK finds them all
WHICH = ("LA", "SA", "LM", "BE")


def wanted(values, k, which):
    """The k values meant, ascending, of all of them, ascending."""
    if which == "BE":
        high = (k + 1) // 2
        return np.concatenate((values[: k - high], values[len(values) - high :]))
    if which == "LM":
        return np.sort(values[np.argsort(np.abs(values), kind="stable")[-k:]])
    return values[:k] if which == "SA" else values[-k:]


def rotated(values, dtype="f8", seed=0):
    """A matrix of these eigenvalues, and its vectors."""
    rng = np.random.default_rng([7, seed])
    X = rng.normal(size=(len(values), len(values)))
    X = X + 1j * rng.normal(size=X.shape) if np.dtype(dtype).kind == "c" else X
    Q = np.linalg.qr(X)[0]
    full = (Q * values) @ Q.conj().T
    return (full + full.conj().T) / 2, Q


def stores(full):
    kind = "hermitian" if full.dtype.kind == "c" else "symmetric"
    yield vech.Packed(vech.pack(full, kind=kind), kind=kind)
    yield vech.SparseHalf.from_sparse(sparse.csr_array(full), kind=kind)


def assert_pairs(S, found, values):
    got, vectors = found
    full = S.expand()
    scale = max(np.linalg.norm(full, axis=0).max(), np.finfo(float).tiny)  # at most the norm, and no SVD
    np.testing.assert_allclose(got, values, atol=1e-10 * scale)
    np.testing.assert_allclose(full @ vectors, vectors * got, atol=1e-10 * scale)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(len(got)), atol=1e-12)


SPECTRA = {
    "fivefold ends": np.concatenate((np.repeat([-3.0, -2.9, 2.0, 3.1], 5), np.linspace(-1, 1, N - 20))),
    "few values": np.sort(np.resize([-2.0, -1.5, 0.0, 0.3, 1.0, 2.5, 2.6], N)),
    "close": np.concatenate((np.repeat([0.0, 1e-3, 2e-3], 4), np.linspace(0.5, 4, N - 12))),
    "one": np.full(N, 2.0),
    "zeros and one": np.r_[np.zeros(N - 1), 1.0],
}


@cases.each("name", list(SPECTRA))
@cases.each("which", WHICH)
@cases.each("dtype", ["f8", "c16"])
def test_copies_are_found_from_any_start(name, which, dtype):
    values = np.sort(SPECTRA[name])
    full, Q = rotated(values, dtype)
    for S in itertools.islice(stores(full), 2 if name == "fivefold ends" else 1):  # they differ in products
        inside, of_two = Q[:, 0], Q[:, [0, 70]].sum(axis=1)  # invariant subspaces
        for k, v0 in ((1, inside), (3, None), (3, of_two), (7, None), (7, of_two)):
            want = wanted(values, k, which)
            got = eigsh(S, k, which, v0=v0)
            if which == "LM":  # of -a and a either will do
                np.testing.assert_allclose(np.sort(np.abs(got[0])), np.sort(np.abs(want)), atol=1e-10)
                want = got[0]
            assert_pairs(S, got, want)


def chains(*sizes):
    """Laplacians of paths side by side: as many zeros as paths."""
    blocks = []
    for m in sizes:
        ends = np.full(m, 2.0)
        ends[[0, -1]] = 1
        blocks.append(sparse.diags_array([-np.ones(m - 1), ends, -np.ones(m - 1)], offsets=[-1, 0, 1]))
    return sparse.csr_array(sparse.block_diag(blocks))


@pytest.mark.parametrize("sizes", [[60] * 3, [40] * 5, [30, 34, 38, 42]])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_graph_has_a_zero_for_each_component(sizes, seed):
    A = chains(*sizes)
    every = np.linalg.eigvalsh(A.toarray())
    start = np.random.default_rng(seed).normal(size=A.shape[0])
    for S in itertools.islice(stores(A.toarray()), seed > 0, None):
        for k in (len(sizes) - 1, len(sizes), len(sizes) + 2):
            assert_pairs(S, eigsh(S, k, "SA", v0=start), every[:k])
            assert_pairs(S, eigsh(S, k, sigma=-1e-3, v0=start), every[:k])


def test_one_run_alone_would_miss_copies():
    values = np.sort(SPECTRA["fivefold ends"])
    full, Q = rotated(values)
    operator = lanczos.Operator(N, np.dtype(float), lambda x: full @ x)
    accuracy = lanczos.Accuracy(1e-15, 1e-15, 500)
    start = Q[:, ::5].sum(axis=1)  # one vector of each fivefold eigenspace
    one = lanczos.search(operator, 4, "SA", accuracy, np.random.default_rng(1), start)
    assert np.ptp(one.values) > 0.05
    assert np.ptp(lanczos.eigenpairs(operator, 4, "SA", accuracy, start).values) < 1e-12


@cases.each("n", [1, 2, 5, 20, 100, 128, 129, 140])
@cases.each("which", ("LA", "SA", "LM", "SM", "BE"))
def test_every_side_and_number_of_values(n, which):
    values = np.linspace(1, 2, n)
    full, _ = rotated(values)
    S = next(stores(full))
    for k in {1, n // 2 + 1, n} if n < 129 else {1, 9, n - 1, n}:
        if which == "SM" and 1 < k < n and n > 128:
            continue
        want = values[:k] if which == "SM" else wanted(values, k, which)
        assert_pairs(S, eigsh(S, k, which), want)


@pytest.mark.parametrize("n", [10, 150])
def test_a_matrix_of_zeros_has_zeros(n):
    for S in stores(np.zeros((n, n))):
        values, vectors = eigsh(S, 3)
        assert np.array_equal(values, np.zeros(3))
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-14)
        assert norm(S, 2) == 0


@cases.each("mode", ["normal", "cayley", "buckling"])
@cases.each("sigma", [1e-7, 0.3, 1e5, -1e5])
@cases.each("weighted", [False, True])
def test_a_shift_far_from_all_eigenvalues_costs_no_digits(mode, sigma, weighted):
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    A = (Q * np.linspace(1.0, 4.0, 30)) @ Q.T
    weighted = weighted or mode == "buckling"
    B = (Q[::-1] * np.linspace(1.0, 3.0, 30)) @ Q[::-1].T if weighted else np.eye(30)
    S, M = (vech.Packed(vech.pack(X, use="mean")) for X in (A, B))
    every = scipy.linalg.eigh(S.expand(), M.expand(), eigvals_only=True)
    found = vech.linalg.eigsh(S, 3, M=M if weighted else None, sigma=sigma, mode=mode)[0]
    nearest = every[np.argmin(np.abs(every - found[:, None]), axis=1)]
    assert len(set(nearest)) == 3
    np.testing.assert_allclose(found, nearest, rtol=1e-13)


@pytest.mark.parametrize("mode", ["normal", "cayley", "buckling"])
@pytest.mark.parametrize("n", [30, 140])
def test_copies_are_found_with_a_shift_and_a_mass(mode, n):
    rng = np.random.default_rng(3)
    K = np.diag(np.repeat(np.arange(1.0, n // 5 + 1), 5))
    W = rng.normal(size=(n, n)) / np.sqrt(n) + 2 * np.eye(n)
    full, M = W.T @ K @ W, W.T @ W
    every = np.repeat(np.arange(1.0, n // 5 + 1), 5)
    if mode == "buckling":
        full, M, every = M, full, np.sort(1 / every)
        sigma = float(every[-1]) + 0.3
    else:
        sigma = 2.2
    for S, mass in zip(stores(full), stores(M), strict=True):
        got = eigsh(S, 7, M=mass, sigma=sigma, mode=mode, return_eigenvectors=False)
        theta = {"normal": 1 / (every - sigma), "cayley": (every + sigma) / (every - sigma)}.get(
            mode, every / (every - sigma)
        )
        want = np.sort(every[np.argsort(-np.abs(theta), kind="stable")[:7]])
        np.testing.assert_allclose(got, want, rtol=1e-8)


@pytest.mark.parametrize(
    "made", [lambda M: M, sparse.csr_array, lambda M: next(stores(M)), lambda M: [*stores(M)][1]]
)
def test_a_mass_without_a_shift(made):
    rng = np.random.default_rng(4)
    full = rng.normal(size=(N, N))
    full, M = full + full.T, np.diag(np.linspace(1, 3, N)) + 0.1
    want = scipy.linalg.eigh(full, M, eigvals_only=True)
    for S in stores(full):
        np.testing.assert_allclose(eigsh(S, 4, "LA", M=made(M))[0], want[-4:], rtol=1e-9)
    found = eigsh(S, 4, "SA", M=aslinearoperator(M), Minv=np.linalg.inv(M), return_eigenvectors=False)
    np.testing.assert_allclose(found, want[:4], rtol=1e-9)


# ---- a singular mass ---------------------------------------------------------------------------------------

SIDE = 200
MASSES = {"array": lambda M: M, "packed": lambda M: next(stores(M)), "sparse": lambda M: [*stores(M)][1]}


def nearest(values, sigma, k):
    return np.sort(values[np.argsort(np.abs(values - sigma))[:k]])


def assert_generalised(full, M, found, want):
    values, vectors = found
    np.testing.assert_allclose(values, want, rtol=1e-9)
    size = np.linalg.norm(full, 2) * np.linalg.norm(vectors, axis=0)
    assert (np.linalg.norm(full @ vectors - M @ vectors * values, axis=0) <= 1e-11 * size).all()
    np.testing.assert_allclose(vectors.conj().T @ M @ vectors, np.eye(len(values)), atol=1e-9)


@cases.each("made", list(MASSES))
@cases.each("rank", [1, 20, 100, 199])
@cases.each("dtype", ["f8", "c16"])
def test_a_mass_of_any_rank(made, rank, dtype):
    rng = np.random.default_rng(1)
    Y = rng.normal(size=(SIDE, rank))
    Y = Y + 1j * rng.normal(size=Y.shape) if dtype == "c16" else Y
    full, M = np.diag(np.arange(1.0, SIDE + 1)).astype(dtype), Y @ Y.conj().T
    M = (M + M.conj().T) / 2
    every = 1 / np.linalg.eigvalsh(Y.conj().T @ np.linalg.solve(full, Y))
    S = next(stores(full))
    for k in {1, min(2, rank), min(7, rank)}:
        for v0 in (None, np.ones(SIDE)):
            assert_generalised(
                full, M, eigsh(S, k, M=MASSES[made](M), sigma=-0.3, v0=v0), nearest(every, -0.3, k)
            )
    if rank < SIDE // 2:
        with pytest.raises(
            ValueError, match=f"eigsh finds at most {rank} eigenvalues beside a matrix of rank {rank}, not k"
        ):
            eigsh(S, rank + 1, M=MASSES[made](M), sigma=-0.3)


@pytest.mark.parametrize("made", list(MASSES))
@pytest.mark.parametrize("zeros", [100, 180])
@pytest.mark.parametrize("sigma", [-0.1, 0.2])
@pytest.mark.parametrize("scale", [1.0, 1e-200])
def test_masses_of_zero(made, zeros, sigma, scale):
    rng = np.random.default_rng(2)
    G = rng.normal(size=(SIDE, SIDE))
    full = G @ G.T / SIDE + np.eye(SIDE)
    full, M = (
        (full + full.T) / 2,
        np.diag(rng.permutation(np.r_[np.zeros(zeros), np.logspace(-6, 1, SIDE - zeros)])),
    )
    every = scipy.linalg.eig(full, M, right=False)
    every = every[np.isfinite(every) & (np.abs(every) < 1e10)].real
    assert every.size == SIDE - zeros
    for S in stores(full):
        values, vectors = eigsh(S, 5, M=MASSES[made](M * scale), sigma=sigma / scale)
        assert_generalised(full, M, (values * scale, vectors * np.sqrt(scale)), nearest(every, sigma, 5))


def test_copies_beside_a_singular_mass_and_other_modes():
    W = np.random.default_rng(3).normal(size=(SIDE, SIDE)) / np.sqrt(SIDE) + 2 * np.eye(SIDE)
    values = np.repeat(np.arange(1.0, 21), 5)
    full, M = (
        W.T @ np.diag(np.r_[values, np.ones(100)]) @ W,
        W.T @ np.diag(np.r_[np.ones(100), np.zeros(100)]) @ W,
    )
    full, M = (full + full.T) / 2, (M + M.T) / 2
    for S, mass in zip(stores(full), stores(M), strict=True):
        for mode in ("normal", "cayley"):
            assert_generalised(full, M, eigsh(S, 7, M=mass, sigma=1.2, mode=mode), np.r_[np.ones(5), 2, 2])
        found = eigsh(mass, 5, M=S, sigma=1.2, mode="buckling", return_eigenvectors=False)
        np.testing.assert_allclose(found, np.ones(5), rtol=1e-9)


def test_vectors_are_of_length_one_by_a_mass_in_any_unit():
    full, _ = rotated(np.linspace(1, 2, N))
    M = 100 * np.diag(np.linspace(1, 3, N))
    for options in ({"which": "LA"}, {"sigma": 0.0}):
        vectors = eigsh(next(stores(full)), 2, M=M, **options)[1]
        np.testing.assert_allclose(vectors.T @ M @ vectors, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("mode", ["normal", "cayley"])
def test_a_singular_operator_is_right_or_told(mode):
    full, rng = np.diag(np.arange(1.0, SIDE + 1)), np.random.default_rng(4)
    S = next(stores(full))

    def found(Y, sigma=0.3):
        M = Y @ Y.T
        inverse = aslinearoperator(np.linalg.inv(full - sigma * M))
        return eigsh(S, 2, M=aslinearoperator(M), sigma=sigma, OPinv=inverse, mode=mode, v0=np.ones(SIDE)), M

    Y = rng.normal(size=(SIDE, 100))
    every = 1 / np.linalg.eigvalsh(Y.T @ np.linalg.solve(full, Y))
    pairs, M = found(Y)
    assert_generalised(full, M, pairs, nearest(every, 0.3, 2))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"no vector with x\^H M x > 0 is found beside 10: M is singular"
    ):
        found(Y[:, :10])


def test_an_operator_that_is_not_semidefinite_is_told():
    full, M = np.diag(np.arange(1.0, SIDE + 1)), np.diag(np.r_[-np.ones(150), np.ones(50)])
    inverse = aslinearoperator(np.linalg.inv(full - 0.3 * M))
    with pytest.raises(
        ValueError, match=r"M is not positive semidefinite, as eigsh needs: x\^H M x < 0 of some x"
    ):
        eigsh(next(stores(full)), 2, M=aslinearoperator(M), sigma=0.3, OPinv=inverse)


def test_an_inverse_of_something_else_is_told():
    full, M = np.diag(np.arange(1.0, SIDE + 1)), aslinearoperator(np.diag(np.linspace(1, 3, SIDE)))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"are no eigenvectors of .* OPinv is not \(S - sigma M\)\^-1, or M"
    ):
        eigsh(next(stores(full)), 2, M=M, sigma=0.3, OPinv=aslinearoperator(np.diag(np.linspace(1, 2, SIDE))))


def test_a_search_that_stands_still_ends_and_advises_no_second_sigma():
    from scipy.sparse.linalg import LinearOperator

    rng, full = np.random.default_rng(5), np.diag(np.arange(1.0, SIDE + 1))
    noise = LinearOperator(
        full.shape, lambda x: x.ravel() / np.arange(1, SIDE + 1) + rng.normal(size=SIDE) / 10, dtype=float
    )
    with pytest.raises(
        np.linalg.LinAlgError, match=r"the last 100 halved no residual: allow more .* a larger tol$"
    ):
        eigsh(next(stores(full)), 2, sigma=0.0, OPinv=noise)


def test_products_are_not_many_more_than_those_of_scipy():
    from scipy.sparse.linalg import LinearOperator
    from scipy.sparse.linalg import eigsh as scipys

    S = vech.sparse.poisson((60, 50))
    counts = [0, 0]

    def counted(which):
        def apply(x):
            counts[which] += 1 if x.ndim == 1 else x.shape[1]
            return S.matmul(x)

        return apply

    scipys(LinearOperator(S.shape, counted(0), dtype=float), 6, which="LA", v0=np.arange(3000.0) % 7)
    rounding = 4 * np.finfo(float).eps
    operator = lanczos.Operator(S.n, np.dtype(float), counted(1))
    lanczos.eigenpairs(operator, 6, "LA", lanczos.Accuracy(rounding, rounding, 1000))
    assert counts[1] <= 1.5 * counts[0]


# ---- what is asked -----------------------------------------------------------------------------------------

S = vech.Packed(np.array([2.0, 1, 0, 2, 1, 2]))
M = np.array([[4.0, 1, 0], [1, 4, 1], [0, 1, 4]])
MASKED = np.ma.array(M, mask=M == 1)


@cases.each(
    ("error", "message", "options"),
    [
        (TypeError, "M must be a NumPy array, not numpy.ma.MaskedArray: a mask would be lost", {"M": MASKED}),
        (ValueError, "M is not symmetric: a[1, 0] is 1.0, but a[0, 1] is 7.0: M=(M + M.conj().T) / 2",
         {"M": M + 6 * np.eye(3, k=1)}),
        (ValueError, "M is not symmetric", {"M": sparse.csr_array(M + 6 * np.eye(3, k=1))}),
        (ValueError, "M[2, 0] is nan: eigsh needs finite numbers", {"M": np.where(M == 0, np.nan, M)}),
        (ValueError, "M is not positive definite, as S x = value M x needs", {"M": -M}),
        (ValueError, "M is not positive definite", {"M": sparse.csr_array(np.diag([1.0, -1, 1]))}),
        (ValueError, "M is not positive semidefinite, as eigsh with sigma and mode='normal'",
         {"M": np.diag([1.0, -1, 1]), "sigma": 0.3}),
        (TypeError, "M of dtype object holds Python objects", {"M": M.astype(object)}),
        (TypeError, "M has dtype float16, with which LAPACK", {"M": M.astype("f2")}),
        (ValueError, "M must be of the side of S, and real where S is", {"M": np.eye(4)}),
        (TypeError, "M is a LinearOperator, which has no numbers to invert: pass Minv",
         {"M": aslinearoperator(M)}),
        (ValueError, "M has shape (4, 4), but S is of side 3", {"M": aslinearoperator(np.eye(4))}),
        (TypeError, "v0 must be a NumPy array, not numpy.ma.MaskedArray", {"v0": MASKED[0]}),
        (ValueError, "v0 has shape (2,), but S is of side 3: (3,)", {"v0": [1.0, 2]}),
        (ValueError, "v0[1] is nan: eigsh needs finite numbers", {"v0": [1, np.nan, 0]}),
        (ValueError, "v0 is all zeros, which is no direction", {"v0": np.zeros(3)}),
        (TypeError, "v0 is complex and S real", {"v0": np.ones(3) * 1j}),
        (ValueError, "ncv is 1, but for k = 1 and side 3 it must be 2 to 3", {"ncv": 1}),
        (ValueError, "maxiter must be at least 1, not 0", {"maxiter": 0}),
        (ValueError, "tol must be a number from 0 to 1, not -1", {"tol": -1}),
        (TypeError, "OPinv and mode are for a shift: pass sigma too", {"OPinv": np.eye(3)}),
        (TypeError, "Minv is for M without sigma", {"Minv": np.eye(3)}),
        (ValueError, "OPinv has shape (2, 2), but S is of side 3: (3, 3)",
         {"OPinv": np.eye(2), "sigma": 1.0}),
        (ValueError, "unknown mode 'shift': choose from normal, cayley, buckling", {"mode": "shift"}),
        (ValueError, "sigma must not be 0 with mode='cayley'", {"mode": "cayley", "sigma": 0}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(error, message, options):
    with pytest.raises(error, match=re.escape(message)):
        eigsh(S, 1, **options)


def test_the_smallest_ones_are_advised_to_take_a_shift():
    S = vech.Packed(vech.pack(np.diag(np.linspace(-1, 1, 200) ** 3)))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"larger tol; those next to zero are found fast by sigma=0$"
    ):
        eigsh(S, 6, "SM", maxiter=1)


def test_restarts_that_do_not_suffice_are_told():
    found = r"\d of 6 eigenvalues are found after 1 restarts: allow more \(maxiter=\), more vectors .* sigma="
    with pytest.raises(np.linalg.LinAlgError, match=found):
        eigsh(vech.sparse.poisson((60, 50)), 6, "SA", maxiter=1)


def test_both_ends_by_turns_and_of_complex_matrices_too():
    full, _ = rotated(np.arange(1.0, N + 1), "c16")
    S = next(stores(full))
    np.testing.assert_allclose(eigsh(S, 3, "BE", return_eigenvectors=False), [1, N - 1, N])
    np.testing.assert_allclose(eigsh(S, 1, "BE", return_eigenvectors=False), [N])


def test_a_run_that_stands_still_gets_more_room_unless_it_is_given(monkeypatch):
    full, _ = rotated(np.linspace(-1, 1, N))
    S, tried, run = next(stores(full)), [], lanczos._run

    def stubborn(*arguments):
        tried.append(arguments[-1])
        if arguments[-1] < 4:
            raise lanczos._StandingStillError("still")
        return run(*arguments)

    monkeypatch.setattr(lanczos, "_run", stubborn)
    np.testing.assert_allclose(eigsh(S, 2, "LA", return_eigenvectors=False), np.linspace(-1, 1, N)[-2:])
    assert tried[:3] == [1, 2, 4]
    tried.clear()
    with pytest.raises(np.linalg.LinAlgError, match="still"):
        eigsh(S, 2, "LA", ncv=20)
    assert tried == [1]
