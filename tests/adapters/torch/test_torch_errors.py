"""What tensors are refused: one clear sentence each."""

import re

import pytest

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")

# fmt: off
REFUSED = (
    (lambda h, x: vt.matmul(h, x, kind="triangular"), ValueError, "no store holds a triangular matrix"), (lambda h, x: vt.matmul(h.to_sparse(), x), TypeError, "half is a tensor of layout torch.sparse_coo: pass half.to_dense()"),
    (lambda h, x: vt.expand(h[0]), ValueError, "half is a single number"), (lambda h, x: vt.expand(h.long(), metric="full"), TypeError, "half is torch.int64, and only floating"),
    (lambda h, x: vt.expand(h, metric="half"), ValueError, "unknown metric 'half'"), (lambda h, x: vt.gram(x), ValueError, "X has shape (5,), but a Gram matrix needs (..., n, k): a vector is X[:, None]"), (lambda h, x: vt.gram(x[:, None], "condensed"), ValueError, "X X^H has a diagonal, which this layout does not store: take 'vech'"), (lambda h, x: vt.congruence(h, x[:, None]), ValueError, "X has shape (5, 1), but beside a half of shape (15,), n = 5, fits"),
    (lambda h, x: vt.pack(x), ValueError, "matrix has shape (5,): its last two axes must be a square"),
    (lambda h, x: vt.pack(torch.triu(torch.ones(2, 2))), ValueError, "matrix is not symmetric: a[1, 0] is 0.0, but a[0, 1] is 1.0; say what to believe with use="), (lambda h, x: vt.cholesky(-h), torch.linalg.LinAlgError, "the matrix is not positive definite: its leading 1 rows and columns are not"), (lambda h, x: vt.logdet(torch.stack((vt.pack(torch.eye(5)), torch.full((15,), torch.nan)))), ValueError, "half holds NaN or infinity, so that matrix [1] of the batch has no factor"), (lambda h, x: vt.eigh(h * torch.inf), ValueError, "half holds NaN or infinity, so that the matrix has no eigenvalues"), (lambda h, x: vt.log(-vt.pack(torch.eye(5))), torch.linalg.LinAlgError, "the matrix has the eigenvalue -1, and a logarithm needs a positive definite one"),
    (lambda h, x: vt.power(h, x), TypeError, "p must be a finite real number"), (lambda h, x: vt.solve(h, x, kind="skew"), TypeError, "solve needs a matrix of kind 'symmetric', not a skew one of torch.float64"), (lambda h, x: vt.inner(h, h[:10]), ValueError, "a and b have halves of length 15 and 10: both need one side"), (lambda h, x: vt.norm(h, ord="nuc"), ValueError, "unknown ord 'nuc': choose from 'fro', 'max', 1, 2, inf"),
    (lambda h, x: vt.matmul(h.expand(4, 1, 15), x.expand(3, 2, 5)), ValueError, "half has the batch (4, 1) and x (3, 2): they must be equal, or 1 or missing where they differ"),
)
# fmt: on


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_said(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(torch.arange(1.0, 16.0, dtype=torch.float64), torch.ones(5, dtype=torch.float64))
