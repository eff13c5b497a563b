"""Every factor keeps the laws of `Factor`: of a store, and of the same store near the least numbers."""

import numpy as np
import pytest
from scipy.linalg import lapack

import vech
from vech.linalg.factor.answers import check_regular, determinant, solution
from vech.linalg.factor.bunch_kaufman import BunchKaufman
from vech.linalg.factor.lu import LU
from vech.linalg.factor.rectangle import try_cholesky
from vech.linalg.factor.sparse import SparseFactor

N = 9
FACTORS = {
    "cholesky": (lambda S: try_cholesky(S, S.dtype)[0], ("symmetric", "hermitian"), True),
    "lu": (lambda S: LU(S, S.dtype), ("symmetric", "hermitian", "skew", "skew-hermitian"), False),
    "bunch-kaufman": (lambda S: BunchKaufman(S, S.dtype), ("symmetric", "hermitian"), False),
    "sparse": (
        lambda S: SparseFactor(vech.SparseHalf.from_sparse(S.to_csr(), kind=S.kind), "superlu"),
        ("symmetric", "hermitian", "skew", "skew-hermitian"),
        False,
    ),
}
CASES = [(name, kind) for name, (_, kinds, _) in FACTORS.items() for kind in kinds]


def numbers(kind, definite, n):
    """Whole numbers, so that any power of two times them is exact."""
    rng = np.random.default_rng(2)
    full = rng.integers(-9, 10, (n, n)).astype(complex if kind.endswith("hermitian") else float)
    if full.dtype.kind == "c":
        full += 1j * rng.integers(-9, 10, (n, n))
    adjoint = full.conj().T if kind.endswith("hermitian") else full.T
    full += -adjoint if kind.startswith("skew") else adjoint
    return full + 400 * np.eye(n) if definite else full


def need(name):
    if name == "bunch-kaufman" and not hasattr(lapack, "dsytrs"):
        pytest.skip("SciPy has ?sytrs and ?hetrs from 1.15 on")


@pytest.mark.parametrize("exponent", [0, -1074, 900])
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_factor_solves_and_tells_the_determinant(name, kind, exponent):
    need(name)
    make, _, definite = FACTORS[name]
    n = N - 1 if kind == "skew" else N
    full = numbers(kind, definite, n)
    half = 2.0 ** (exponent // 2)
    factor = make(vech.Packed(vech.pack(full, kind=kind) * half * half, kind=kind))
    assert (factor.n, factor.dtype, factor.singular) == (n, full.dtype, False)
    b = np.asfortranarray(full[:, ::-1][:, :3])
    want = np.eye(n)[:, ::-1][:, :3]
    size = factor.exponent + exponent  # of A: two to that times the whole numbers
    root = 2.0 ** (size // 2)  # solutions are as far above one as right sides are below, or the other way
    np.testing.assert_allclose(factor.solve(np.array(b * root, order="F")) * root, want, atol=1e-12)
    np.testing.assert_allclose(solution(factor, np.array(b * half * half, order="F")), want, atol=1e-12)
    sign, logarithm = np.linalg.slogdet(full)
    pivots = factor.pivots()
    moduli = np.abs(pivots.astype(complex))
    np.testing.assert_allclose(np.log(moduli).sum(), logarithm + n * size * np.log(2), rtol=1e-12)
    found = determinant(factor, vech.Packed(vech.pack(full, kind=kind), kind=kind))
    np.testing.assert_allclose(found.sign, sign, atol=1e-12)
    np.testing.assert_allclose(found.logabsdet, logarithm + n * exponent * np.log(2), rtol=1e-12)


@pytest.mark.parametrize("name", ["lu", "bunch-kaufman"])
def test_a_singular_factor_solves_nothing(name):
    need(name)
    factor = FACTORS[name][0](vech.Packed(np.ones(6)))
    assert factor.singular
    assert determinant(factor, vech.Packed(np.ones(6))) == (0.0, -np.inf)
    for task in (check_regular, lambda factor: solution(factor, np.ones((3, 1), order="F"))):
        with pytest.raises(np.linalg.LinAlgError, match="S is singular: it has no inverse, and S x = b no"):
            task(factor)


def test_a_sparse_skew_matrix_of_odd_side_has_no_factor():
    S = vech.SparseHalf([0, 0, 1, 3], [0, 0, 1], [1.0, 2.0, 3.0], 3, triangle="lower", kind="skew")
    with pytest.raises(np.linalg.LinAlgError, match="S is singular: it is skew, and its side 3 is odd"):
        SparseFactor(S)
