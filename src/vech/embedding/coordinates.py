"""Coordinates of rows: from the leading eigenvectors of an operator, with signs that are settled."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.linalg import lanczos
from vech.linalg.spectral import DENSE
from vech.store import Store

Floats = NDArray[np.float64]
Apply = Callable[[Floats], Floats]

FLOAT = np.dtype(np.float64)
EPS = float(np.finfo(FLOAT).eps)
LARGEST = 8.0  # a number below 2, centred, or its square
MANY = 4  # k from this share of n on: its vectors are as large as the matrix that LAPACK takes
ALIKE = 1e-6  # share by which the largest numbers of a vector may differ
STEPS = 100  # to an eigenvalue that is told, not used


class Leading(NamedTuple):
    """The largest eigenvalues, in descending order, and their vectors as columns."""

    values: Floats
    vectors: Floats


def leading(apply: Apply, n: int, k: int) -> Leading:
    """The k largest eigenvalues of an operator that multiplies columns, multiple ones as often as they occur.

    The operator is in a unit in which no number of its matrix is beyond `LARGEST`.
    Those within rounding of zero, ``n eps`` of the largest modulus, are zero.
    """
    if n <= DENSE or k * MANY >= n:
        values, vectors = dense(apply, n, k)
    else:
        operator, rounding = lanczos.Operator(n, FLOAT, apply), lanczos.rounding(n, FLOAT)
        values, vectors = lanczos.eigenpairs(operator, k, "LA", lanczos.Accuracy(rounding, rounding, 10 * n))
    size = float(np.abs(values).max())
    if (np.abs(values) <= n * EPS * LARGEST * n).any():  # the largest modulus may be that of a negative one
        size = max(size, -below_zero(apply, n, size))
    return Leading(rounded(values, n, size), signed(vectors))


def dense(apply: Apply, n: int, k: int) -> Leading:
    """The same by LAPACK, of the n x n numbers of the operator, not rounded."""
    from scipy.linalg import eigh

    full = apply(np.eye(n))
    values, vectors = eigh((full + full.T) / 2, check_finite=False)
    return Leading(values[::-1][:k], vectors[:, ::-1][:, :k])


def below_zero(apply: Apply, n: int, size: float) -> float:
    """How far below zero eigenvalues of an operator go, or 0, by some steps of Lanczos' method.

    What is found is never too far, and exact where n is no more than these steps.
    """
    operator, steps = lanczos.Operator(n, FLOAT, apply), min(n, STEPS)
    basis = lanczos.Basis(operator, steps + 1, np.random.default_rng(lanczos.SEED))
    basis.append(basis.drawn())
    images = np.zeros((steps + 1, steps))
    for step in range(steps):
        shares = basis.append(apply(basis.vectors[:, step : step + 1])[:, 0])
        images[: shares.size, step] = shares
    least = float(np.linalg.eigvalsh(images[:steps], UPLO="U")[0])
    return min(0.0, float(rounded(least, n, size)))


def rounded(values: Any, n: int, size: float) -> Any:
    """Eigenvalues, zero where they are within rounding of it, beside the largest."""
    return np.where(np.abs(values) <= n * EPS * size, 0.0, values)


def signed(vectors: Floats) -> Floats:
    """Each column with its largest number positive, the first of those that rounding alone tells apart."""
    sizes = np.abs(vectors)
    first = (sizes >= (1 - ALIKE) * sizes.max(axis=0)).argmax(axis=0)
    ends = np.take_along_axis(vectors, first[None], axis=0)[0]
    return np.asarray(vectors * np.where(ends < 0, -1.0, 1.0))


def products(S: Store, unit: float, threads: int | None) -> Apply:
    """Products with S / unit: half of the unit divides before the product, half after: neither overflows."""
    exponent = -round(math.log2(unit))
    before, after = 2.0 ** (exponent // 2), 2.0 ** (exponent - exponent // 2)
    return lambda x: np.asarray(S.matmul(x * before, threads=threads) * after)


def squared(values: Any, unit: float) -> Any:
    """Squares found in a unit; infinite, or zero, where float64 ends."""
    with np.errstate(over="ignore", under="ignore"):
        return values * np.float64(unit) * unit


def frame(coordinates: Floats, labels: tuple[Any, ...] | None, name: str) -> Any:
    """Coordinates as a ``pandas.DataFrame``, a row for each label."""
    from vech.adapters.pandas import coordinates_frame

    return coordinates_frame(coordinates, labels, name)
