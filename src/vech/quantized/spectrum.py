"""Where the eigenvalues of a quantized matrix end, with what Lanczos leaves open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vech.arrays import Array

DENSE = 512  # up to this side LAPACK finds all eigenvalues
RESIDUAL = 1e-4  # of Lanczos beyond that, over the largest eigenvalue
RESTARTS = 200


def ends(n: int, multiply: Callable[[Array], Array]) -> tuple[float, float, float]:
    """The least and the largest eigenvalue of what multiplies columns in double, and how far they may be off.

    Of a side beyond 512 by Lanczos: each value has a residual below the third number.
    """
    from vech.linalg import lanczos

    if n <= DENSE:
        full = multiply(np.eye(n))
        values = np.linalg.eigvalsh((full + full.T) / 2)
        size = float(np.abs(values).max(initial=0.0))
        return float(values[0]), float(values[-1]), lanczos.rounding(n, np.dtype(np.float64)) * size
    operator = lanczos.Operator(n, np.dtype(np.float64), multiply)
    accuracy = lanczos.Accuracy(RESIDUAL, RESIDUAL, RESTARTS)
    random = np.random.default_rng(lanczos.SEED)
    found = lanczos.search(operator, 2, "BE", accuracy, random).values
    margin = 2 * RESIDUAL * float(np.abs(found).max())
    return float(found.min()), float(found.max()), margin
