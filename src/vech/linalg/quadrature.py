"""The spectral density of a store from products with it alone: Lanczos quadrature.

Source: L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM Review 58, 34,
2016.
"""

from collections.abc import Callable

import numpy as np

from vech.arrays import Array
from vech.linalg.lanczos import SEED
from vech.store import Store

STEPS, PROBES = 40, 8  # products, and random vectors in each: eight take one and a half times as long as one
ENDED = {"f": 1e-6, "d": 1e-12}  # what is left of a vector, over the size of S, where its space ends


def quadrature(S: Store, *, progress: Callable[[int, int], None] | None = None) -> tuple[Array, Array]:
    """Nodes and weights of the spectral density; the weights of each of 8 random vectors add up to 1.

    Lanczos' method from all vectors side by side, each made orthogonal to its own past in full; in float32
    where S holds no more. S is read 40 times; memory for 320 vectors.
    """
    from scipy.linalg import eigh_tridiagonal

    rng = np.random.default_rng(SEED)
    work = np.result_type(S.dtype, np.float32)
    steps = min(STEPS, S.n)
    basis = np.empty((PROBES, steps, S.n), work)
    alpha, beta = np.zeros((2, PROBES, steps))
    x = rng.standard_normal((PROBES, S.n)).astype(work)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    count = np.full(PROBES, steps)
    ended = ENDED[np.zeros(0, work).real.dtype.char]
    for k in range(steps):
        basis[:, k] = x
        images = np.ascontiguousarray(np.asarray(S @ np.ascontiguousarray(x.T)).T, work)
        alpha[:, k] = np.vecdot(x, images).real
        for y, past in zip(images, basis[:, : k + 1], strict=True):
            for _ in range(2):  # once is not enough where numbers cancel
                y -= (past.conj() @ y) @ past
        beta[:, k] = np.linalg.norm(images, axis=1)
        size = np.maximum(np.abs(alpha[:, : k + 1]).max(axis=1), beta[:, : k + 1].max(axis=1))
        over = (beta[:, k] <= ended * np.maximum(1e-300, size)) & (count == steps)
        count[over] = k + 1
        if progress is not None:
            progress(k + 1, steps)
        if (count < steps).all():
            break
        # vectors whose space has ended go on as noise that nobody looks at
        x = (images / np.maximum(beta[:, k], 1e-300)[:, None]).astype(
            work
        )  # the dtype in which S @ x is quick
    nodes, weights = [], []
    for own, between, end in zip(alpha, beta, count, strict=True):
        values, vectors = eigh_tridiagonal(own[:end], between[: end - 1])
        nodes.append(values)
        weights.append(vectors[0] ** 2)
    return np.concatenate(nodes), np.concatenate(weights)
