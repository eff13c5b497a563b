"""Where the eigenvalues of a quantized matrix end, with what Lanczos leaves open."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vech.arrays import Array

DENSE = 2048  # up to this side LAPACK finds all eigenvalues
STEPS = 400  # of Lanczos beyond that
CHANCE = 1e-9  # that an eigenvalue lies beyond its margin, for the random vector that it begins with


def ends(n: int, multiply: Callable[[Array], Array]) -> tuple[float, float, float]:
    """The least and largest eigenvalue of what multiplies columns in double, and how far they may be off."""
    from vech.linalg import lanczos

    if not n:
        return 0.0, 0.0, 0.0
    rounding = lanczos.rounding(n, np.dtype(np.float64))
    if n <= DENSE:
        full = multiply(np.eye(n))
        values = np.linalg.eigvalsh(full / 2 + full.T / 2)
        return float(values[0]), float(values[-1]), rounding * float(np.abs(values).max(initial=0.0))
    random = np.random.default_rng(lanczos.SEED)
    unit = _unit(multiply(random.standard_normal((n, 1)) / math.sqrt(n)))
    values = _of_krylov(lanczos.Operator(n, np.dtype(np.float64), lambda x: multiply(x) / unit), random)
    low, high = float(values[0]), float(values[-1])
    margin = rounding * max(abs(low), abs(high)) + _open(n, values.size) * (high - low)
    return low * unit, high * unit, margin * unit


def _unit(product: Array) -> float:
    """A power of two near the largest number, so that no square is infinite or zero."""
    size = float(np.abs(product).max())
    return math.ldexp(1.0, math.frexp(size)[1]) if 0 < size < math.inf else 1.0


def _of_krylov(operator: object, random: np.random.Generator) -> Array:
    """The eigenvalues on the Krylov space of one random vector, which is kept orthogonal."""
    from vech.linalg.lanczos import Basis, Operator

    assert isinstance(operator, Operator)
    basis = Basis(operator, STEPS + 1, random)
    basis.append(basis.drawn())
    image, count = np.zeros((STEPS + 1, STEPS)), STEPS
    for k in range(STEPS):
        shares = basis.append(operator.apply(basis.vectors[:, [k]])[:, 0])
        image[: shares.size, k] = shares
        if shares.size == k + 1 or not shares[-1]:
            count = k + 1
            break
    return np.asarray(np.linalg.eigvalsh(image[:count, :count], UPLO="U"))


def _open(n: int, steps: int) -> float:
    """How far beyond what Lanczos found the ends may lie, over their distance, but for `CHANCE`.

    After k steps from a random vector, the largest eigenvalue is off by more than e (largest - least) with a
    probability below ``1.648 sqrt(n) exp(-sqrt(e) (2 k - 1))``: J. Kuczynski, H. Wozniakowski, "Estimating
    the largest eigenvalue by the power and Lanczos algorithms with a random start", SIAM J. Matrix Anal.
    Appl. 13, 1992, theorem 4.2. A space that ends before has all eigenvalues.
    """
    if steps < STEPS:
        return 0.0
    e = (math.log(1.648 * math.sqrt(n) / CHANCE) / (2 * steps - 1)) ** 2
    return e / (1 - 2 * e)
