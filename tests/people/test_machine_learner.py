"""Tensors and sparse rows to kernels, a Gaussian process with its labels, and the file for a colleague."""

import numpy as np
import pandas
import pytest
import scipy.sparse
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import cosine_similarity

import vech

RNG = np.random.default_rng(5)
DOCUMENTS = [f"document {k}" for k in range(24)]


@pytest.fixture
def features():
    return pandas.DataFrame(RNG.normal(size=(24, 30)), index=DOCUMENTS)


def test_a_gaussian_process_of_a_frame(features):
    y = pandas.Series(RNG.normal(size=24), index=DOCUMENTS)
    K = vech.pairwise.gram(features)
    F = vech.linalg.cholesky(K.copy().add_diagonal(0.5))
    dual = F.solve(y)
    evidence = -0.5 * y @ dual - 0.5 * F.logdet() - 12 * np.log(2 * np.pi)
    vech.write("kernel.npz", K)

    theirs = KernelRidge(kernel="linear", alpha=0.5).fit(features, y)
    np.testing.assert_allclose(dual[DOCUMENTS], theirs.dual_coef_, rtol=1e-8)
    process = GaussianProcessRegressor(DotProduct(0.0, "fixed"), alpha=0.5, optimizer=None)
    assert evidence == pytest.approx(process.fit(features, y).log_marginal_likelihood_value_)
    back = vech.read("kernel.npz")
    assert back["document 3", "document 7"] == pytest.approx(features.iloc[3] @ features.iloc[7])
    with pytest.raises(ValueError, match="row 0 of S is 'document 0', and of b 'document 23'"):
        F.solve(y[::-1])


def test_cosines_of_sparse_rows():
    X = scipy.sparse.random_array((24, 200), density=0.03, rng=RNG, format="csr")
    S = vech.pairwise.cosine(X, threshold=0.1)
    near = S.largest(3)
    full = cosine_similarity(X)
    np.testing.assert_allclose(S.expand(), np.where(full > 0.1, full, 0), rtol=1e-12)
    assert scipy.sparse.issparse(near.to_csr()) and near.nnz < S.nnz
    vech.write("similar.npz", S)
    np.testing.assert_array_equal(vech.read("similar.npz").expand(), S.expand())


def test_rows_of_a_table_keep_their_names(features):
    features.rename(columns=lambda k: f"f{k}").to_csv("features.csv")
    K = vech.pairwise.cosine(vech.io.read_table("features.csv"))
    assert K.labels == tuple(DOCUMENTS)
    theirs = pandas.DataFrame(cosine_similarity(features), DOCUMENTS, DOCUMENTS)
    pandas.testing.assert_frame_equal(K.to_frame(), theirs, rtol=1e-12)


def test_tensors_go_in_and_come_out(features):
    torch = pytest.importorskip("torch", reason="these are its tensors")
    x = torch.tensor(features.to_numpy(), dtype=torch.float32)
    K = vech.pairwise.gram(x)
    np.testing.assert_allclose(torch.from_numpy(K.expand()), x @ x.T, rtol=1e-5, atol=1e-5)
    assert torch.from_numpy(K.half)[:24].equal(torch.from_numpy(K.expand()[0]))
    b = torch.ones(24, dtype=torch.float32)
    K.add_diagonal(1.0)
    np.testing.assert_allclose(
        vech.linalg.solve(K, b), torch.linalg.solve(x @ x.T + torch.eye(24), b), rtol=1e-3, atol=1e-4
    )
    with pytest.raises(TypeError, match=r"detach\(\)"):
        vech.pairwise.gram(x.requires_grad_())


def test_the_same_on_the_command_line(features, shell):
    vech.write("kernel.npz", vech.pairwise.gram(features))
    assert "24 labels: document 0, document 1" in shell("vech info kernel.npz")
    shell("vech convert kernel.npz -o kernel.h5::/gram")
    shell("vech convert kernel.h5::/gram -o kernel.csv")
    shell("vech plot kernel.h5::/gram -o spectrum.png --spectrum")
    table = pandas.read_csv("kernel.csv", index_col=0)
    pandas.testing.assert_frame_equal(table, features @ features.T)
