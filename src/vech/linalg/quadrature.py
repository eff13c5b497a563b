"""The spectral density of a store from products with it alone: Lanczos quadrature.

Source: L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM Review 58, 34, 2016.
"""

import numpy as np

from vech.arrays import Array
from vech.linalg.lanczos import SEED
from vech.store import Store

STEPS, PROBES = 100, 8  # Lanczos steps, and random vectors


def quadrature(S: Store) -> tuple[Array, Array]:
    """Nodes and weights of the spectral density: Lanczos from random vectors, made orthogonal in full."""
    from scipy.linalg import eigh_tridiagonal

    rng = np.random.default_rng(SEED)
    nodes, weights = [], []
    for _ in range(PROBES):
        basis = np.empty((STEPS, S.n), np.result_type(S.dtype, np.float64))
        alpha, beta = np.zeros(STEPS), np.zeros(STEPS)
        x = rng.standard_normal(S.n).astype(basis.dtype)
        x /= np.linalg.norm(x)
        count = 0
        for k in range(STEPS):
            basis[k], count = x, k + 1
            y = np.asarray(S @ x)
            alpha[k] = np.vdot(x, y).real
            for _ in range(2):  # once is not enough where numbers cancel
                y = y - basis[:count].T @ (basis[:count].conj() @ y)
            beta[k] = np.linalg.norm(y)
            if beta[k] <= 1e-12 * max(1e-300, np.abs(alpha[:count]).max()):
                break
            x = y / beta[k]
        values, vectors = eigh_tridiagonal(alpha[:count], beta[: count - 1])
        nodes.append(values)
        weights.append(vectors[0] ** 2)
    return np.concatenate(nodes), np.concatenate(weights)
