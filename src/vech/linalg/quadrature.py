"""The spectral density of a store from products with it alone: Lanczos quadrature.

Source: L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM Review 58, 34, 2016.
"""

import numpy as np

from vech.arrays import Array
from vech.linalg.lanczos import SEED, Basis, Operator
from vech.store import Store

STEPS, PROBES = 100, 8  # Lanczos steps, and random vectors


def quadrature(S: Store) -> tuple[Array, Array]:
    """Nodes and weights of the spectral density, each random vector's until its Krylov space ends."""
    operator = Operator(S.n, np.result_type(S.dtype, np.float64), lambda x: np.asarray(S @ x))
    random, nodes, weights = np.random.default_rng(SEED), [], []
    for _ in range(PROBES):
        basis = Basis(operator, STEPS + 1, random)
        basis.append(basis.drawn())
        images = np.zeros((STEPS + 1, STEPS), operator.dtype)
        for k in range(STEPS):
            shares = basis.append(operator.apply(basis.vectors[:, k]))
            images[: shares.size, k] = shares
            if shares.size == k + 1 or not shares[-1]:
                break
        values, vectors = np.linalg.eigh(images[: k + 1, : k + 1], UPLO="U")
        nodes.append(values)
        weights.append(np.abs(vectors[0]) ** 2)
    return np.concatenate(nodes), np.concatenate(weights)
