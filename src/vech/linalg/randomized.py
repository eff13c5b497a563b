"""The largest eigenvalues of any store by few passes over it, with random columns."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype
from vech.layouts.layout import as_integer
from vech.linalg.checks import as_packed, check_finite, check_selfadjoint, work_dtype
from vech.linalg.norms import norm
from vech.linalg.units import in_unit, power_of_two, scaled
from vech.store import Store

PROBES = 10  # random columns beside the last product: the bound they give fails once in 10^PROBES


class Top(NamedTuple):
    """Eigenvalues of the largest modulus, as `top` finds them.

    Attributes
    ----------
    values : array, shape (k,)
        The eigenvalues, ascending as those of `eigsh`.
    vectors : array, shape (n, k)
        Their vectors as columns, of norm 1 and orthogonal.
    residuals : array, shape (k,)
        ``|S x - value x|`` of each: an eigenvalue of S is no farther from the value than that.
    beyond : float
        ``|S - Q Q^H S|`` is at most this, Q being the space that was searched; the bound is by random
        columns, and fails once in 10^10. What S has outside of Q is no larger: the part of the vector of
        an eigenvalue that is not in Q is at most ``beyond / |eigenvalue|``.
    """

    values: Array
    vectors: Array
    residuals: Array
    beyond: float


def top(S: Store | ArrayLike, k: int, *, oversample: int = 10, passes: int = 2, seed: Any = 0) -> Top:
    """The k eigenvalues of the largest modulus and their vectors, by few products of many columns.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Symmetric and real, or Hermitian; any store will do. Integers are computed with in float64.
    k : int
        How many: 1 to n.
    oversample : int
        Columns beside k, which make it more accurate at no more passes.
    passes : int
        How often all columns are multiplied twice on the way; each makes the error less by the square of a
        ratio, that of the first eigenvalue that is left out to the wanted one.
    seed : int or numpy.random.Generator
        Of the random columns where it starts.

    Returns
    -------
    Top
        Named tuple ``values, vectors, residuals, beyond``: values ascending, and of each how far at most an
        eigenvalue of S is from it.

    Raises
    ------
    ValueError
        If k, oversample or passes is out of range; for NaN and infinity in S, of which one is named.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, and dates.
    OverflowError
        If an eigenvalue is beyond the dtype.

    See Also
    --------
    eigsh : to rounding, with copies of multiple eigenvalues, in some hundred products of one column.

    Notes
    -----
    N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness: probabilistic algorithms
    for constructing approximate matrix decompositions", SIAM Review 53(2), 2011, algorithms 4.4 and 5.3; the
    bound of what is beyond is their equation 4.3. Reads S ``2 passes + 2`` times for products with k +
    oversample columns, and once for its size; memory for some n x (k + oversample) numbers.

    Values that are well apart from those left out, as of kernels and covariances with few strong directions,
    come out to many digits; of others the residuals say how far they are. Values of one modulus and both
    signs are told apart.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 3)) * [30, 20, 10]
    >>> S = vech.Packed.from_full(X @ X.T + np.eye(300))
    >>> found = vech.linalg.top(S, 3)
    >>> np.allclose(found.values, vech.linalg.eigsh(S, 3)[0]), bool((found.residuals < 1e-6).all())
    (True, True)
    """
    S = S if isinstance(S, Store) else as_packed(S, "top")
    check_selfadjoint(S, "top", "scipy.sparse.linalg.svds takes every matrix, by its products")
    dtype = work_dtype(S.dtype, "S")
    if not 1 <= as_integer("k", k) <= S.n:
        raise ValueError(f"top finds 1 to {S.n} eigenvalues of a matrix of side {S.n}, not k = {k}")
    for name, given in (("oversample", oversample), ("passes", passes)):
        if as_integer(name, given) < 0:
            raise ValueError(f"{name} is {given}, and must be 0 at least")
    random = np.random.default_rng(seed)
    largest = norm(S, "max")
    if not math.isfinite(largest):
        check_finite(S, who="top needs")
    unit = power_of_two(largest) or 1.0
    multiply = scaled(S, dtype, unit)
    space = _orthogonal(multiply(_normal(random, S.n, min(S.n, k + oversample), dtype)))
    for _ in range(2 * passes):
        space = _orthogonal(multiply(space))
    probes = _normal(random, S.n, PROBES, dtype)
    images = multiply(np.hstack((space, probes)))
    images, seen = images[:, : space.shape[1]], images[:, space.shape[1] :]
    values, turn = np.linalg.eigh(_adjoint(space) @ images)
    wanted = np.sort(np.argsort(-np.abs(values), kind="stable")[:k])
    values, turn = values[wanted], turn[:, wanted]
    vectors = space @ turn
    residuals = np.linalg.norm(images @ turn - vectors * values, axis=0)
    outside = np.linalg.norm(seen - space @ (_adjoint(space) @ seen), axis=0).max(initial=0)
    beyond = 10 * math.sqrt(2 / math.pi) * float(outside) * unit
    return Top(in_unit(values, unit), vectors, residuals * unit, beyond)


def _normal(random: np.random.Generator, n: int, columns: int, dtype: Dtype) -> Array:
    x = random.normal(size=(n, columns))
    return (x + 1j * random.normal(size=x.shape) if dtype.kind == "c" else x).astype(dtype)


def _orthogonal(x: Array) -> Array:
    return np.linalg.qr(x)[0]


def _adjoint(x: Array) -> Array:
    return x.conj().T
