"""The spectral density of a store from products with it alone: Lanczos quadrature.

Source: L. Lin, Y. Saad, C. Yang, "Approximating spectral densities of large matrices", SIAM Review 58, 2016.
"""

from collections.abc import Callable

import numpy as np

from vech.arrays import Array
from vech.linalg.lanczos import SEED, Basis, Operator
from vech.store import Store

STEPS, PROBES = 40, 8  # products, and vectors in each: eight take one and a half times as long as one


def quadrature(S: Store, *, progress: Callable[[int, int], None] | None = None) -> tuple[Array, Array]:
    """Nodes and weights of the spectral density, each random vector's until its Krylov space ends.

    The weights of each of the 8 vectors add up to 1. They go side by side, so that S is read 40 times, and in
    float32 where S holds no more: only in its own dtype is a product with several columns quick. Takes 328
    vectors of memory.
    """
    work = np.result_type(S.dtype, np.float32)
    operator = Operator(S.n, work, lambda x: np.asarray(S @ x))
    random, steps = np.random.default_rng(SEED), min(STEPS, S.n)
    bases = [Basis(operator, steps + 1, random) for _ in range(PROBES)]
    for basis in bases:
        basis.append(basis.drawn())
    images = np.zeros((PROBES, steps + 1, steps), np.result_type(work, np.float64))
    ends = np.full(PROBES, steps)
    for k in range(steps):
        running = np.flatnonzero(ends == steps)
        columns = np.stack([bases[probe].vectors[:, k] for probe in running], axis=1)
        for probe, image in zip(running, operator.apply(columns).T, strict=True):
            shares = bases[probe].append(image)
            images[probe, : shares.size, k] = shares
            if shares.size == k + 1 or not shares[-1]:
                ends[probe] = k + 1
        if progress is not None:
            progress(k + 1, steps)
        if (ends < steps).all():
            break
    nodes, weights = [], []
    for image, end in zip(images, ends, strict=True):
        values, vectors = np.linalg.eigh(image[:end, :end], UPLO="U")
        nodes.append(values)
        weights.append(np.abs(vectors[0]) ** 2)
    return np.concatenate(nodes), np.concatenate(weights)
