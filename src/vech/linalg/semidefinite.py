"""A semidefinite matrix by what it is on its range, where it is definite."""

from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype
from vech.linalg.checks import is_sparse
from vech.linalg.factor.sparse import is_definite, shifted
from vech.packed.packed import packed
from vech.sparse import SparseHalf
from vech.store import Store


class Range(NamedTuple):
    """``M = B W B^H`` of a definite W, (r, r), the identity if it is None; r is the rank of M."""

    B: Any
    W: Any = None


def range_of(M: Store, dtype: Dtype, unit: float, eps: float) -> Range:
    """That of M / unit: of a sparse M that is definite but for empty rows, these rows; else a factor, dense.

    Either is judged by M scaled to a diagonal of ones: what is left at n eps is rounding.
    """
    from scipy import sparse

    full: Any = M.to_csr() if is_sparse(M) else packed(M).expand()
    full = full.astype(np.result_type(dtype, np.float64)) / unit
    diagonal = full.diagonal().real
    rows, slack = np.flatnonzero(diagonal > 0), M.n * eps
    block, root = full[rows][:, rows], np.sqrt(diagonal[rows])
    if is_sparse(M):
        over = sparse.diags_array(1 / root)
        scaled = SparseHalf.from_sparse(sparse.csr_array(over @ block @ over), kind="hermitian", use="lower")
        if rows.size and is_definite(shifted(scaled, slack)):
            places = (np.ones(rows.size, dtype), (rows, np.arange(rows.size)))
            return Range(sparse.csr_array(places, shape=(M.n, rows.size)), block.astype(dtype))
        block = block.toarray()
    factor = _factor(block / np.outer(root, root), slack) * root[:, None]
    B = np.zeros((M.n, factor.shape[1]), dtype)
    B[rows] = factor
    return Range(B)


def _factor(full: Array, slack: float) -> Array:
    """L, (n, r), of ``full = L L^H`` by Cholesky's method with pivots, down to those below the slack."""
    from scipy.linalg import lapack

    pstrf = lapack.zpstrf if full.dtype.kind == "c" else lapack.dpstrf
    lower, order, rank, _ = pstrf(full, tol=slack, lower=1)
    factor = np.empty((len(full), rank), full.dtype)
    factor[order - 1] = np.tril(lower)[:, :rank]
    return factor
