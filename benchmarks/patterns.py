"""Sparse symmetric matrices to measure with: stencils on a grid, and a random pattern."""

from typing import Any

import numpy as np


def stencil(n: int, points: int) -> Any:
    """The full matrix of a cube of about n cells, each linked to its 6 or 26 neighbours."""
    from scipy import sparse

    side = round(n ** (1 / 3))
    ones = np.ones(side)
    line = sparse.diags_array([ones[1:], ones[1:]], offsets=[-1, 1])
    unit = sparse.eye_array(side)
    if points == 27:
        near = line + unit
        full = sparse.kron(sparse.kron(near, near), near)
    else:
        parts = ((line, unit, unit), (unit, line, unit), (unit, unit, line))
        full = 6.5 * sparse.eye_array(side**3)
        for a, b, c in parts:
            full = full - sparse.kron(sparse.kron(a, b), c)
    return _settled(full, side**3)


def random(n: int, points: int = 21) -> Any:
    """The full matrix of a pattern that knows no neighbours, of so many numbers a row."""
    from scipy import sparse

    rng = np.random.default_rng(0)
    i, j = rng.integers(0, n, (2, n * points // 2))
    half = sparse.coo_array((rng.random(i.size) + 0.5, (i, j)), shape=(n, n)).tocsr()
    return _settled(half + half.T, n)


def _settled(full: Any, n: int) -> Any:
    """CSR with sorted columns of 32 bits."""
    from scipy import sparse

    full = full.tocsr()
    full.sum_duplicates()
    arrays = (full.data, full.indices.astype(np.int32), full.indptr.astype(np.int32))
    return sparse.csr_array(arrays, shape=(n, n))
