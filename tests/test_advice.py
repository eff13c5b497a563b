"""What an error message says to do, does: each failing call, words of its message, the call they advise."""

from datetime import date, datetime

import numpy as np
import pytest
from scipy import sparse

import vech
from vech import covariance, linalg, pairwise

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")

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
SPARSE = pandas.DataFrame(FULL).astype(pandas.SparseDtype(float, 0))
COMPLEX = (FULL * 1j, np.asfortranarray(FULL * 1j), pandas.DataFrame(FULL * 1j), (FULL * 1j).tolist())
DAYS = pandas.DataFrame(
    {"b": pandas.date_range("2020", periods=3), "c": pandas.date_range("2021", periods=3)}
)
COLUMNS = [
    (pyarrow.array([date(2020, 1, 1), date(2021, 1, 1)]), "int32"),
    (pyarrow.array([datetime(2020, 1, 1), datetime(2021, 1, 1)]), "int64"),
    (pyarrow.array(["1", "2"]), "float64"),
]
INDEFINITE = vech.Packed(vech.pack(FULL - 4 * np.eye(N)))


def largest(x, y):
    return abs(x - y).max()


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
    (lambda: pairwise.distances(SPARSE, missing="pairwise"), r"missing='pairwise' is for arrays: pass X\.sparse\.to_dense\(\)", lambda: pairwise.distances(SPARSE.sparse.to_dense(), missing="pairwise")),
    (lambda: pairwise.distances(SPARSE, w=B), r"weights are for arrays: pass X\.sparse\.to_dense\(\)", lambda: pairwise.distances(SPARSE.sparse.to_dense(), w=B)),
    (lambda: pairwise.distances(SPARSE, "canberra"), r"pass X\.sparse\.to_dense\(\); 'euclidean'", lambda: pairwise.distances(SPARSE.sparse.to_dense(), "canberra")),
    (lambda: pairwise.distances(SPARSE, "gower"), r"pass X\.sparse\.to_dense\(\); 'euclidean'", lambda: pairwise.distances(SPARSE.sparse.to_dense(), "gower")),
    (lambda: pairwise.kernel(SPARSE, "chi2"), r"takes arrays: pass X\.sparse\.to_dense\(\)", lambda: pairwise.kernel(SPARSE.sparse.to_dense(), "chi2")),
    (lambda: pairwise.kernel(H.to_csr(), "chi2"), r"takes arrays: pass X\.toarray\(\)", lambda: pairwise.kernel(H.to_csr().toarray(), "chi2")),
    (lambda: pairwise.distances(H.to_csr(), w=B), r"weights are for arrays: pass X\.toarray\(\)", lambda: pairwise.distances(H.to_csr().toarray(), w=B)),
    (lambda: pairwise.distances(H.to_csr(), largest), r"not scipy\.sparse\S*: pass x\.toarray\(\)$", lambda: pairwise.distances(H.to_csr().toarray(), largest)),
    (lambda: covariance.sample(H.to_csr()), r"not scipy\.sparse\S*: pass x\.toarray\(\)$", lambda: covariance.sample(H.to_csr().toarray())),
    (lambda: linalg.empirical_covariance_of_vech(H.to_csr()), r"not scipy\.sparse\S*: pass x\.toarray\(\)$", lambda: linalg.empirical_covariance_of_vech(H.to_csr().toarray())),
    *((lambda X=X, call=call: call(X), "np.hstack.*has both parts", lambda X=X, call=call: call(np.hstack([np.real(X), np.imag(X)]))) for X in COMPLEX for call in (pairwise.distances, pairwise.kernel)),
    *((lambda X=X: covariance.kendall(X), r"pass np\.real\(X\)", lambda X=X: covariance.kendall(np.real(X))) for X in COMPLEX),
    (lambda: pairwise.distances(sparse.csr_array(FULL * 1j)), r"pass np\.real\(X\) or abs\(X\)", lambda: (pairwise.distances(np.real(sparse.csr_array(FULL * 1j))), pairwise.distances(abs(sparse.csr_array(FULL * 1j))))),
    (lambda: pairwise.distances(DAYS), r"drop it, or astype\('int64'\)", lambda: pairwise.distances(DAYS.astype("int64"))),
    (lambda: pairwise.distances(DAYS.astype("period[D]")), r"drop it, or astype\('int64'\)", lambda: pairwise.distances(DAYS.astype("period[D]").astype("int64"))),
    (lambda: pairwise.distances(DAYS.astype(str)), r"drop it, or astype\(float\)", lambda: pairwise.distances(DAYS.astype("int64").astype(str).astype(float))),
    (lambda: pairwise.distances(DAYS.astype(object), "gower"), r"of type Timestamp: astype\('datetime64\[us\]'\) makes dates", lambda: pairwise.distances(DAYS.astype(object).astype("datetime64[us]"), "gower")),
    (lambda: pairwise.distances(polars.DataFrame(DAYS.to_dict("list"))), r"drop it, or cast\(int\)", lambda: pairwise.distances(polars.DataFrame(DAYS.to_dict("list")).cast(int))),
    (lambda: pairwise.distances(polars.DataFrame({"a": ["1", "2"]})), r"drop it, or cast\(float\)", lambda: pairwise.distances(polars.DataFrame({"a": ["1", "2"]}).cast(float))),
    *((lambda column=column: pairwise.distances(pyarrow.table({"a": column})), rf"drop it, or cast\('{to}'\)", lambda column=column, to=to: pairwise.distances(pyarrow.table({"a": column.cast(to)}))) for column, to in COLUMNS),
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
