"""What an error message says to do, does: each failing call, words of its message, the call they advise."""

import numpy as np
import pytest
from scipy import sparse

import vech
from vech import linalg, pairwise

N = 6
FULL = np.diag(np.arange(2.0, N + 2)) + 0.25
B = np.ones(N)
P = vech.Packed(vech.pack(FULL))
H = vech.SparseHalf.from_sparse(sparse.csr_array(FULL))
BAD = FULL + np.eye(N, k=1)  # of no symmetry
Z = vech.Packed(vech.pack(FULL + 0j, kind="hermitian"), kind="hermitian")
DATES = vech.Packed(np.ones(N * (N + 1) // 2, "m8[s]"))
HALVES = vech.Packed(np.ones(21, np.float16))
MASKED = np.ma.array(B, mask=B == 0)
INDEFINITE = vech.Packed(vech.pack(FULL - 4 * np.eye(N)))

ADVICE = [
    (lambda: H.inv, r"vech\.linalg\.inverse\(S\.to_packed\(\)\)", lambda: linalg.inverse(H.to_packed())),
    (lambda: P.inv, r"vech\.linalg\.inverse\(S\)", lambda: linalg.inverse(P)),
    (lambda: H.cholesky, r"vech\.linalg\.cholesky\(S\.to_packed\(\)\)", lambda: linalg.cholesky(H.to_packed())),
    (lambda: H.eigvalsh, r"vech\.linalg\.eigh\(S\.to_packed\(\)\)", lambda: linalg.eigh(H.to_packed())),
    (lambda: H.det, r"vech\.linalg\.slogdet\(S\)", lambda: linalg.slogdet(H)),
    (lambda: H.norm, r"vech\.linalg\.norm\(S\)", lambda: linalg.norm(H)),
    (lambda: H.toarray(), r"S\.expand\(\) is the same", lambda: H.expand()),
    (lambda: P.tocsr(), r"S\.to_csr\(\) is the same", lambda: P.to_csr()),
    (lambda: P @ P, r"pass its full matrix, expand\(\)", lambda: P @ P.expand()),
    (lambda: P @ H, r"pass its full matrix, expand\(\)", lambda: P @ H.expand()),
    (lambda: H @ P, r"S\.to_csr\(\) @ T\.to_csr\(\)", lambda: H.to_csr() @ P.to_csr()),
    (lambda: H @ H, r"S\.to_csr\(\) @ T\.to_csr\(\)", lambda: H.to_csr() @ H.to_csr()),
    (lambda: P**2, r"S\.map\(lambda v: v\*\*2\).*S @ S\.expand\(\)", lambda: (P.map(lambda v: v**2), P @ P.expand())),
    (lambda: np.exp(P), r"map a function .* map\(\)", lambda: P.map(np.exp)),
    (lambda: np.exp(H), r"take the full matrix from expand\(\)", lambda: np.exp(H.expand())),
    (lambda: np.matmul(P, B, out=np.empty(N)), r"S\.matmul\(x, out=\.\.\.\) does", lambda: P.matmul(B, out=np.empty(N))),
    (lambda: P + FULL, r"expand\(\), or make a store with Packed\(pack\(x\)\)", lambda: P + vech.Packed(vech.pack(FULL))),
    (lambda: P + H.to_csr(), r"Packed\(from_sparse\(x\)\)", lambda: P + vech.Packed(vech.from_sparse(H.to_csr()))),
    (lambda: DATES @ B, r"astype\(np\.int64\) or astype\(float\) first", lambda: (DATES.astype(np.int64) @ B, DATES.astype(float) @ B)),
    (lambda: vech.expand(P), r"or pass its \.half", lambda: vech.expand(P.half)),
    (lambda: vech.pack(BAD), "use='lower', 'upper' or 'mean'", lambda: [vech.pack(BAD, use=use) for use in ("lower", "upper", "mean")]),
    (lambda: linalg.inverse(H), r"inverse\(S\.to_packed\(\)\)", lambda: linalg.inverse(H.to_packed())),
    (lambda: linalg.eigh(H), "solve, slogdet, eigsh, lobpcg, norm, inner take a SparseHalf", lambda: (linalg.solve(H, B), linalg.slogdet(H), linalg.eigsh(H, 2), linalg.lobpcg(H, B[:, None], maxiter=99), linalg.norm(H), linalg.inner(H, H))),
    (lambda: linalg.cholesky(HALVES), r"astype\(np\.float32\) first", lambda: linalg.cholesky(HALVES.astype(np.float32) + P)),
    (lambda: linalg.norm(DATES), r"astype\(float\) first", lambda: linalg.norm(DATES.astype(float))),
    (lambda: linalg.cholesky(INDEFINITE), "solve, inverse and slogdet take indefinite", lambda: (linalg.solve(INDEFINITE, B), linalg.inverse(INDEFINITE), linalg.slogdet(INDEFINITE))),
    (lambda: linalg.solve(P, H.to_csr()), r"pass x\.toarray\(\)", lambda: linalg.solve(P, H.to_csr().toarray())),
    (lambda: linalg.solve(P, H), r"pass its full matrix, expand\(\)", lambda: linalg.solve(P, H.expand())),
    (lambda: linalg.solve(P, MASKED), r"x\.filled\(value\)", lambda: linalg.solve(P, MASKED.filled(0.0))),
    (lambda: linalg.solve(P, B.astype("f2")), r"astype\(np\.float32\)", lambda: linalg.solve(P, B.astype("f4"))),
    (lambda: linalg.solve(P, B, solver="cholmod"), "leave solver out, or take a SparseHalf; solver='cg' and 'minres' take every", lambda: (linalg.solve(P, B), linalg.solve(H, B, solver="superlu"), linalg.solve(P, B, solver="cg"), linalg.solve(P, B, solver="minres"))),
    (lambda: linalg.solve(H, B, rtol=0.1), "say solver='cg' or solver='minres'", lambda: [linalg.solve(H, B, solver=s, rtol=0.1) for s in ("cg", "minres")]),
    (lambda: linalg.eigsh(vech.Packed(Z.half, kind="symmetric"), 1), r"scipy\.linalg\.eig\(S\.expand\(\)\)", lambda: __import__("scipy.linalg").linalg.eig(Z.expand())),
    (lambda: linalg.eigsh(P, 1, M=BAD), r"M=\(M \+ M\.conj\(\)\.T\) / 2", lambda: linalg.eigsh(P, 1, M=(BAD + BAD.conj().T) / 2)),
    (lambda: linalg.eigsh(P, 1, M=sparse.csr_array(BAD)), r"M=\(M \+ M\.conj\(\)\.T\) / 2", lambda: linalg.eigsh(P, 1, M=sparse.csr_array((BAD + BAD.conj().T) / 2))),
    (lambda: linalg.eigsh(P, 1, sigma=0, M=H, v0=np.zeros(N)), "leave it out", lambda: linalg.eigsh(P, 1, sigma=0, M=H)),
    (lambda: linalg.nearest_correlation(Z), "nearest_psd takes it", lambda: linalg.nearest_psd(Z)),
    (lambda: linalg.duplication(3, vech.Layout(diagonal="one")), "such as 'vech'", lambda: linalg.duplication(3, "vech")),
    (lambda: linalg.cholesky(Z).L.T, "H is its conjugate transpose", lambda: linalg.cholesky(Z).L.H),
    (lambda: np.asarray(linalg.cholesky(P)), r"vech\.expand\(F\.half, kind='triangular'\)", lambda: vech.expand(linalg.cholesky(P).half, kind="triangular")),
    (lambda: linalg.cholesky(P) @ B, r"F\.L @ x multiplies by L", lambda: linalg.cholesky(P).L @ B),
    (lambda: pairwise.gram(FULL, layout="condensed"), "use 'vech'", lambda: pairwise.gram(FULL, layout="vech")),
    (lambda: pairwise.gram(np.ones((2, 2), "m8[s]")), r"astype\(np\.int64\) first", lambda: pairwise.gram(np.ones((2, 2), "m8[s]").astype(np.int64))),
    (lambda: pairwise.cosine(P), r"pass its full matrix, expand\(\)", lambda: pairwise.cosine(P.expand())),
]  # fmt: skip


@pytest.mark.parametrize(("fails", "words", "advised"), ADVICE, ids=[str(k) for k in range(len(ADVICE))])
def test_advice_runs(fails, words, advised):
    with pytest.raises((TypeError, ValueError, AttributeError, np.linalg.LinAlgError), match=words):
        fails()
    assert advised() is not None


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply])
def test_a_ufunc_does_what_its_operator_does(ufunc):
    for a, b in ((H, P), (P, H), (H, H), (P, P)):
        np.testing.assert_array_equal(ufunc(a, b).expand(), ufunc(a.expand(), b.expand()))
    for S in (P, H):
        np.testing.assert_array_equal((ufunc(S, S) * 2.0).expand(), ufunc(FULL, FULL) * 2)
        np.testing.assert_array_equal(np.multiply(2.0, S).expand(), 2 * FULL)
