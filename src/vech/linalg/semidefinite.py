"""A semidefinite matrix by what it is on its range, where it is definite."""

from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype
from vech.linalg import sparse_solve
from vech.linalg.checks import is_sparse
from vech.packed.packed import packed
from vech.store import Store


class Range(NamedTuple):
    """``M = B W B^H`` of a definite W, (r, r), the identity if it is None; r is the rank of M."""

    B: Any
    W: Any = None


def range_of(M: Store, dtype: Dtype, unit: float, eps: float) -> Range:
    """That of M / unit: of a sparse M that is definite but for empty rows, these rows; else a Cholesky factor.

    The factor is dense and pivoted, of M scaled to a diagonal of ones: what is left is rounding at n eps.
    """
    from scipy import sparse
    from scipy.linalg import lapack

    if is_sparse(M):
        full = sparse.csr_array(M.to_sparse()) / unit  # type: ignore[attr-defined]
        diagonal = full.diagonal().real
    else:
        full = packed(M).expand() / unit
        diagonal = np.diag(full).real
    rows = np.flatnonzero(diagonal > 0)
    root = np.sqrt(diagonal[rows].astype(float))
    block, slack = full[rows][:, rows], M.n * eps
    if is_sparse(M):
        over = sparse.diags_array(1 / root)
        ones = sparse.csr_array(over @ block @ over)
        half = type(M).from_sparse(sparse.csr_array((ones + ones.conj().T) / 2), kind="hermitian")  # type: ignore[attr-defined]
        if rows.size and sparse_solve.is_definite(sparse_solve.shifted(half, slack)):
            places = (np.ones(rows.size, dtype), (rows, np.arange(rows.size)))
            return Range(sparse.csr_array(places, shape=(M.n, rows.size)), block.astype(dtype))
        block = block.toarray()
    wide = np.result_type(dtype, np.float64)
    scaled = np.asarray(block / np.outer(root, root), wide, order="F")
    pstrf = lapack.zpstrf if wide.kind == "c" else lapack.dpstrf
    factor, order, rank, _ = pstrf(scaled, tol=slack, lower=1)
    B = np.zeros((M.n, rank), wide)
    B[rows[order - 1]] = np.tril(factor)[:, :rank] * root[order - 1, None]
    return Range(B.astype(dtype))
