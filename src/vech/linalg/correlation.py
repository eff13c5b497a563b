"""Correlations and covariances, each from the other; partial correlations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, as_array, epsilon, family
from vech.linalg.checks import CHUNK, as_packed, check_numbers, check_selfadjoint
from vech.linalg.factor.cholesky import cholesky
from vech.packed.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

ROUNDING = 8  # eps by which rounding may carry a correlation beyond 1


class Correlation(NamedTuple):
    """A correlation matrix, and the standard deviations that were divided out.

    Attributes
    ----------
    R : Packed, SparseHalf or Quantized
        Ones on its diagonal, to the bit; labels follow.
    sd : array, shape (n,)
        The roots of the variances.
    """

    R: Any
    sd: Array


def to_correlation(S: Packed | SparseHalf | ArrayLike) -> Correlation:
    """The correlation matrix of a covariance matrix, and its standard deviations.

    Parameters
    ----------
    S : store or full matrix (array or frame), real symmetric or Hermitian, with a positive diagonal
        Its numbers may be integers; they need not be definite.

    Returns
    -------
    Correlation
        Named tuple ``R, sd``: ``to_covariance(R, sd)`` is S. R is of the order of S, its diagonal stored and
        nothing scaled; a `vech.SparseHalf` keeps its places, a `vech.Quantized` in the domain "entries" its
        codes. In the dtype of S, float64 for integers; sd is real.

    Raises
    ------
    ValueError
        For a variance that is not positive, or infinite: its row is named. NaN stays NaN.
    TypeError
        For kinds other than real symmetric and Hermitian, dates, and what is no store.

    Notes
    -----
    ``r_ij = s_ij / (sd_i sd_j)`` with ``sd_i = sqrt(s_ii)``, 1 on the diagonal. What exceeds 1 by rounding,
    at most 8 eps, is 1; what exceeds it by more, as no covariance does, stays. Narrow floats are computed in
    float32.

    Cost: one pass over S, and memory for the result and one copy of it.

    Examples
    --------
    >>> import numpy as np
    >>> R, sd = to_correlation(Packed(np.array([4.0, 3.0, 9.0])))
    >>> R.half, sd
    (array([1. , 0.5, 1. ]), array([2., 3.]))
    """
    store = _covariance(S, "to_correlation")
    given, wide = _floats(store)
    variances = wide.diagonal().real
    for i in np.flatnonzero((variances <= 0) | (variances == np.inf))[:1]:
        raise ValueError(
            f"S[{i}, {i}] is {store.diagonal()[i]}: correlations need variances that are positive and finite"
        )
    sd = np.sqrt(variances)
    R = wide.scale(1 / sd)
    if R.describe().encoding is not None:
        return Correlation(R.with_diagonal(1), sd)
    _normalise(R, np.isnan(sd))
    return Correlation(R.astype(given, copy=False), sd.astype(np.zeros(0, given).real.dtype, copy=False))


def to_covariance(R: Packed | SparseHalf | ArrayLike, sd: ArrayLike) -> Any:
    """The covariance matrix of a correlation matrix and standard deviations.

    Parameters
    ----------
    R : store or full matrix (array or frame), real symmetric or Hermitian, with ones on its diagonal
        The correlations.
    sd : array, shape (n,)
        Standard deviations, zero or more.

    Returns
    -------
    Packed, SparseHalf or Quantized
        Of the order of R, its diagonal stored and nothing scaled, or of the same places or codes; labels
        follow. In NumPy's dtype of the product.

    Raises
    ------
    ValueError
        If the diagonal of R is not 1 (within n eps), or sd is not one number for each row, none of them
        negative or infinite: the row is named.
    OverflowError
        If a variance is beyond the dtype of the result: the row is named.
    TypeError
        As `to_correlation`, and for complex sd.

    Notes
    -----
    ``s_ij = sd_i r_ij sd_j``. Cost: one pass over R, and memory for the result.

    Examples
    --------
    >>> import numpy as np
    >>> to_covariance(Packed(np.array([1.0, 0.5, 1.0])), [2.0, 3.0]).half
    array([4., 3., 9.])
    """
    store = _covariance(R, "to_covariance", "R")
    frames.check_along(sd, 0, store.labels, "sd", "R")
    sd = as_array(sd, "sd")
    if sd.shape != (store.n,):
        raise ValueError(
            f"sd has shape {sd.shape}, but R has {store.n} rows: it holds one number for each, ({store.n},)"
        )
    if family(sd.dtype) not in "biuf":
        raise TypeError(f"sd must hold real numbers, not {sd.dtype}")
    for i in np.flatnonzero(sd < 0)[:1]:
        raise ValueError(
            f"sd[{i}] is {sd[i]}, and no standard deviation is negative: S.scale(d) takes any numbers"
        )
    for i in np.flatnonzero(np.isinf(sd))[:1]:
        raise ValueError(f"sd[{i}] is {sd[i]}, and no covariance is infinite")
    ones = store.diagonal().real.astype(np.float64)
    for i in np.flatnonzero(np.abs(ones - 1) > store.n * epsilon(store.dtype))[:1]:
        raise ValueError(
            f"R[{i}, {i}] is {store.diagonal()[i]}, and a correlation with itself is 1: "
            f"S.scale(d) scales any matrix"
        )
    with np.errstate(over="ignore"):
        made = store.scale(sd)
    for i in np.flatnonzero(np.isinf(made.diagonal()))[:1]:
        raise OverflowError(f"sd[{i}] is {sd[i]}, and its square is beyond {made.dtype}: take another unit")
    return made


def partial_correlation(S: Packed, *, threads: int | None = None) -> Packed:
    """The correlation of each pair, all other variables held fixed, from a covariance or correlation matrix.

    Parameters
    ----------
    S : Packed, real symmetric or Hermitian, positive definite
        Units do not count: a covariance and its correlations give the same.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    Packed
        Ones on its diagonal, of the order and dtype of S (float64 for integers); labels follow.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is indefinite, or singular to working precision, as the covariance of fewer rows than columns is.
    ValueError, TypeError
        As `to_correlation`, and for NaN.

    Notes
    -----
    ``rho_ij = -p_ij / sqrt(p_ii p_jj)``, where P is the inverse of S; J. Whittaker, "Graphical Models in
    Applied Multivariate Statistics", Wiley, 1990, section 5.7. By `cholesky` of the correlations: n^3
    operations, memory for three more halves.

    Examples
    --------
    >>> import numpy as np
    >>> R = Packed(np.array([1.0, 0.5, 0.25, 1.0, 0.5, 1.0]))  # a chain: its ends meet in the middle
    >>> partial_correlation(R).half.round(4) + 0.0
    array([1.    , 0.4472, 0.    , 1.    , 0.4472, 1.    ])
    """
    S = as_packed(S, "partial_correlation")
    R = to_correlation(S).R
    assert isinstance(R, Packed)
    if not R.n:
        return R
    try:
        factor = cholesky(R, threads=threads)
    except np.linalg.LinAlgError:
        factor = None
    if factor is None or not factor.cond() * epsilon(R.dtype) < 1:
        raise np.linalg.LinAlgError(
            "S is singular or indefinite to working precision, so it has no partial correlations: shrink it "
            "(vech.covariance.ledoit_wolf), or raise its eigenvalues (vech.linalg.nearest_psd(S, floor=...))"
        )
    found = to_correlation(factor.inverse()).R
    partial: Packed = -found
    return partial.set_diagonal(1)


def _covariance(S: Any, task: str, name: str = "S") -> Any:
    """Any store that can be a covariance."""
    if not isinstance(S, Store):
        S = as_packed(S, task, name)
    check_numbers(S, task, name)
    check_selfadjoint(S, task, "S.scale(d) scales matrices of every kind", name)
    return S


def _floats(S: Any) -> tuple[np.dtype[Any], Any]:
    """The dtype of correlations, and S in one to compute them in."""
    said = S.describe()
    if said.domain == "entries":
        return S.dtype, S
    if said.layout is None and said.triangle is None:
        S = S.to_packed()
    if family(S.dtype) not in "fc":
        return np.dtype(np.float64), S.astype(np.float64)
    given = S.dtype
    return given, S.astype(np.float32) if given.itemsize < 4 else S


def _normalise(R: Packed | SparseHalf, unknown: Array) -> None:
    """Ones on the diagonal, and nothing that rounding brought beyond them; in place, of a store just made."""
    numbers = R.half if isinstance(R, Packed) else R.data
    for start in range(0, numbers.size, CHUNK):
        part = numbers[start : start + CHUNK]
        size = np.abs(part)
        beyond = (size > 1) & (size <= 1 + ROUNDING * epsilon(R.dtype))
        part[beyond] /= size[beyond]
    ones = np.where(unknown, np.nan, 1).astype(R.dtype)
    if isinstance(R, Packed):
        R.set_diagonal(ones)
    else:
        rows, columns, _ = R._entries()
        on = rows == columns
        R.data[on] = ones[rows[on]]
