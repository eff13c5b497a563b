"""Coordinates of rows: from the leading eigenvectors of an operator, with signs that are settled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.linalg import lanczos
from vech.linalg.spectral import DENSE

Floats = NDArray[np.float64]
Apply = Callable[[Floats], Floats]

FLOAT = np.dtype(np.float64)
MANY = 4  # k from this share of n on: its vectors are as large as the matrix that LAPACK takes
ALIKE = 1e-6  # share by which the largest numbers of a vector may differ
ENOUGH = lanczos.Accuracy(1e-6, 1e-8, 300)  # of a smallest eigenvalue that is told, not used


class Leading(NamedTuple):
    """The largest eigenvalues, in descending order, their vectors as columns, and the smallest one of all."""

    values: Floats
    vectors: Floats
    smallest: float


def leading(apply: Apply, n: int, k: int) -> Leading:
    """The k largest eigenvalues of an operator that multiplies columns, multiple ones as often as they occur.

    Those within rounding of zero, ``n eps`` of the largest modulus, are zero.
    """
    if n <= DENSE or k * MANY >= n:
        found = dense(apply, n, k)
    else:
        operator, rounding = lanczos.Operator(n, np.dtype(np.float64), apply), lanczos.rounding(n, FLOAT)
        values, vectors = lanczos.eigenpairs(operator, k, "LA", lanczos.Accuracy(rounding, rounding, 10 * n))
        random = np.random.default_rng(lanczos.SEED)
        [smallest] = lanczos.search(operator, 1, "SA", ENOUGH, random).values
        found = Leading(values, vectors, float(smallest))
    values = np.append(found.values, found.smallest)
    values[np.abs(values) <= n * np.finfo(FLOAT).eps * np.abs(values).max()] = 0.0
    return Leading(values[:k], signed(found.vectors), float(values[k]))


def dense(apply: Apply, n: int, k: int) -> Leading:
    """The same by LAPACK, of the n x n numbers of the operator."""
    from scipy.linalg import eigh

    full = apply(np.eye(n))
    values, vectors = eigh((full + full.T) / 2, check_finite=False)
    return Leading(values[::-1][:k], vectors[:, ::-1][:, :k], float(values[0]))


def signed(vectors: Floats) -> Floats:
    """Each column with its largest number positive, the first of those that rounding alone tells apart."""
    sizes = np.abs(vectors)
    first = (sizes >= (1 - ALIKE) * sizes.max(axis=0)).argmax(axis=0)
    ends = np.take_along_axis(vectors, first[None], axis=0)[0]
    return np.asarray(vectors * np.where(ends < 0, -1.0, 1.0))


def squared(values: Any, unit: float) -> Any:
    """Squares found in a unit; infinite, or zero, where float64 ends."""
    with np.errstate(over="ignore", under="ignore"):
        return values * np.float64(unit) * unit


def frame(coordinates: Floats, labels: tuple[Any, ...] | None, name: str) -> Any:
    """Coordinates as a ``pandas.DataFrame``, a row for each label."""
    from vech.adapters.pandas import coordinates_frame

    return coordinates_frame(coordinates, labels, name)
