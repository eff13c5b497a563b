"""What tensors are refused: one clear sentence each."""

import re

import pytest

torch = pytest.importorskip("torch", reason="tensors of PyTorch need torch")
vt = pytest.importorskip("vech.adapters.torch")

LinAlgError = torch.linalg.LinAlgError
# h is the half of a 5 x 5 matrix in float64, x a vector beside it
REFUSED = {
    "a triangular half multiplied": (
        lambda h, x: vt.matmul(h, x, kind="triangular"),
        ValueError,
        "no store holds a triangular matrix",
    ),
    "a sparse tensor": (
        lambda h, x: vt.matmul(h.to_sparse(), x),
        TypeError,
        "half is a tensor of layout torch.sparse_coo: pass half.to_dense()",
    ),
    "an array": (
        lambda h, x: vt.expand(h.numpy()),
        TypeError,
        "half must be a torch.Tensor, not numpy.ndarray: pass torch.as_tensor(half)",
    ),
    "a list": (
        lambda h, x: vt.pack([[1.0]]),
        TypeError,
        "matrix must be a torch.Tensor, not list: pass torch.as_tensor(matrix)",
    ),
    "a dtype that NumPy lacks": (
        lambda h, x: vt.expand(torch.empty(3, dtype=torch.float8_e4m3fn)),
        TypeError,
        "half is torch.float8_e4m3fn, and vech takes",
    ),
    "a number": (lambda h, x: vt.expand(h[0]), ValueError, "half is a single number"),
    "a length of no half": (
        lambda h, x: vt.expand(h[:11]),
        ValueError,
        "a half of length 11 fits no n: with its diagonal n(n+1)/2 is 10 for n=4 or 15 for n=5",
    ),
    "integers that would need a gradient": (
        lambda h, x: vt.expand(h.long(), metric="full"),
        TypeError,
        "half is torch.int64, and only floating",
    ),
    "integers that are multiplied": (
        lambda h, x: vt.matmul(h.long(), x.long()),
        TypeError,
        "half is torch.int64, and only floating and complex numbers compute: half.double()",
    ),
    "integers in a scaled layout": (
        lambda h, x: vt.expand(h.long(), "svec-lower"),
        TypeError,
        "scales what it stores, and torch.int64 is exact: call .double() first",
    ),
    "complex numbers without a kind": (
        lambda h, x: vt.expand(h + 0j),
        ValueError,
        "say kind='symmetric' or kind='hermitian'",
    ),
    "an unknown metric": (
        lambda h, x: vt.expand(h, metric="half"),
        ValueError,
        "unknown metric 'half'",
    ),
    "an unknown layout": (lambda h, x: vt.expand(h, "vecg"), ValueError, "did you mean 'vech'"),
    "a Gram matrix of a vector": (
        lambda h, x: vt.gram(x),
        ValueError,
        "X has shape (5,), but a Gram matrix needs (..., n, k): a vector is X[:, None]",
    ),
    "a Gram matrix without its diagonal": (
        lambda h, x: vt.gram(x[:, None], "condensed"),
        ValueError,
        "X X^H has a diagonal, which this layout does not store: take 'vech'",
    ),
    "a congruence that does not fit": (
        lambda h, x: vt.congruence(h, x[:, None]),
        ValueError,
        "X has shape (5, 1), but beside a half of shape (15,), n = 5, fits",
    ),
    "a vector of another length": (
        lambda h, x: vt.matmul(h, x[:4]),
        ValueError,
        "x has shape (4,), but beside a half of shape (15,), n = 5, fits (..., 5)",
    ),
    "no square": (
        lambda h, x: vt.pack(x),
        ValueError,
        "matrix has shape (5,): its last two axes must be a square",
    ),
    "triangles that disagree": (
        lambda h, x: vt.pack(torch.triu(torch.ones(2, 2))),
        ValueError,
        "matrix is not symmetric: a[1, 0] is 0.0, but a[0, 1] is 1.0; say what to believe with use=",
    ),
    "the zero triangle of a triangular matrix": (
        lambda h, x: vt.pack(torch.eye(3), kind="triangular", use="upper"),
        ValueError,
        "use='upper' takes numbers from the triangle that kind='triangular' and 'lower' make zero",
    ),
    "an empty matrix without a diagonal": (
        lambda h, x: vt.pack(h.new_empty(0, 0), "condensed"),
        ValueError,
        "a 0 x 0 matrix",
    ),
    "a factor of what is not definite": (
        lambda h, x: vt.cholesky(-h),
        LinAlgError,
        "the matrix is not positive definite: its leading 1 rows and columns are not",
    ),
    "NaN in a batch": (
        lambda h, x: vt.logdet(torch.stack((vt.pack(torch.eye(5)), torch.full((15,), torch.nan)))),
        ValueError,
        "half holds NaN or infinity, so that matrix [1] of the batch has no factor",
    ),
    "infinity": (
        lambda h, x: vt.eigh(h * torch.inf),
        ValueError,
        "half holds NaN or infinity, so that the matrix has no eigenvalues",
    ),
    "a logarithm of what is not definite": (
        lambda h, x: vt.log(-vt.pack(torch.eye(5))),
        LinAlgError,
        "the matrix has the eigenvalue -1, and a logarithm needs a positive definite one",
    ),
    "an exponent that is a tensor": (
        lambda h, x: vt.power(h, x),
        TypeError,
        "p must be a finite real number",
    ),
    "solving with a skew matrix": (
        lambda h, x: vt.solve(h, x, kind="skew"),
        TypeError,
        "solve needs a matrix of kind 'symmetric', not a skew one of torch.float64",
    ),
    "halves of two sides": (
        lambda h, x: vt.inner(h, h[:10]),
        ValueError,
        "a and b have halves of length 15 and 10: both need one side",
    ),
    "an unknown norm": (
        lambda h, x: vt.norm(h, ord="nuc"),
        ValueError,
        "unknown ord 'nuc': choose from 'fro', 'max', 1, 2, inf",
    ),
    "batches that do not fit": (
        lambda h, x: vt.matmul(h.expand(4, 1, 15), x.expand(3, 2, 5)),
        ValueError,
        "half has the batch (4, 1) and x (3, 2): they must be equal, or 1 or missing where they differ",
    ),
    "batches of a congruence that do not fit": (
        lambda h, x: vt.congruence(h.expand(4, 15), x.expand(2, 5)),
        ValueError,
        "half has the batch (4,) and X (2,): they must be equal, or 1 or missing where they differ",
    ),
    "batches of an inner product that do not fit": (
        lambda h, x: vt.inner(h.expand(4, 15), h.expand(2, 15)),
        ValueError,
        "half has the batch (4,) and b (2,): they must be equal, or 1 or missing where they differ",
    ),
    "an exponential that is infinite": (
        lambda h, x: vt.exp(800 * vt.pack(torch.eye(5, dtype=h.dtype))),
        OverflowError,
        "the exponential has numbers beyond torch.float64: multiply the half by a number first",
    ),
    "two dtypes": (
        lambda h, x: vt.matmul(h, x.float()),
        TypeError,
        "half is torch.float64 and x torch.float32: give both one dtype, x.to(torch.float64)",
    ),
    "two devices": (
        lambda h, x: vt.matmul(h, x.to("meta")),
        ValueError,
        "half is on cpu and x on meta: move one, x.to('cpu')",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_said(name):
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=re.escape(message)):
        call(torch.arange(1.0, 16.0, dtype=torch.float64), torch.ones(5, dtype=torch.float64))
