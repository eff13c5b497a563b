"""Functions of a matrix by its eigenvalues: logarithm, exponential, powers; of one or of many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from reprlib import repr as short
from typing import Any, Never

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, is_finite, is_real
from vech.linalg import batches
from vech.linalg.checks import as_packed, check_selfadjoint, work_dtype
from vech.linalg.factor.answers import within
from vech.linalg.spectral import EVERY, eigh
from vech.moves.packing import pack
from vech.packed.packed import Packed
from vech.store import Store


def log(
    S: Store | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
) -> Any:
    """The logarithm of a positive definite matrix, ``exp(log(S)) = S``; expands S.

    Parameters
    ----------
    S : Store, or full matrix (array or frame); with `batch`, array, shape (..., length)
        Symmetric and real, or Hermitian. Integers are computed with in float64.
    batch : str or layout, or True, optional
        S is then an array of halves of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian"}, optional
        Of such halves: what the other triangle is. For complex data it must be said.
    out : array, shape (..., length), optional
        With `batch`, memory for the result.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    Packed, or with `batch` array, shape (..., length)
        In the layout of S, or that of its triangle with the diagonal stored.

    Raises
    ------
    numpy.linalg.LinAlgError
        If an eigenvalue is not positive; the smallest one is named, and of a batch the first such matrix.
    ValueError
        For NaN and infinity; where they are is named.
    TypeError
        For complex symmetric and skew kinds, float16 and smaller, dates, and stores of nonzeros alone.

    Notes
    -----
    ``V diag(log w) V^H``: O(n^3) operations, n x n numbers, by `eigh`, which for batches of real matrices up
    to n = 16 is a kernel without such memory. Eigenvalues are exact to some eps of the largest, so that small
    ones have few digits, and so have their logarithms.

    Examples
    --------
    >>> import numpy as np
    >>> log(Packed(np.array([1.0, 0.0, np.e]))).half.round(12)
    array([0., 0., 1.])
    >>> log(np.array([[1.0, 0.0, np.e], [np.e, 0.0, 1.0]]), batch="vech").round(12)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    if batches.is_given(batch):
        return batches.log(S, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("log", kind=kind, out=out)
    return _of_one(S, "log", batches.logarithms, threads)


def exp(
    S: Store | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
) -> Any:
    """The exponential of a matrix, as SciPy's ``expm`` of the full one; expands S.

    Arguments and result are as for `log`.

    Raises
    ------
    OverflowError
        If the exponential has numbers beyond the dtype; of a batch the first such matrix is named.
    ValueError, TypeError
        As `log`.

    Notes
    -----
    ``V diag(exp w) V^H``: O(n^3) operations and n x n numbers, as `log`. An error of some eps in the largest
    eigenvalue w is one of some w eps in the result.

    Examples
    --------
    >>> import numpy as np
    >>> exp(Packed(np.array([0.0, 0.0, 1.0]))).half.round(4)
    array([1.    , 0.    , 2.7183])
    >>> exp(np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), batch="vech").round(4)
    array([[1.    , 0.    , 1.    ],
           [1.5431, 1.1752, 1.5431]])
    """
    if batches.is_given(batch):
        return batches.exp(S, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("exp", kind=kind, out=out)
    return _of_one(S, "exp", batches.exponentials, threads)


def power(
    S: Store | ArrayLike,
    p: float,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Array | None = None,
    threads: int | None = None,
) -> Any:
    """A power of a matrix: 0.5 is the square root, -0.5 its inverse; expands S.

    Other arguments and the result are as for `log`.

    Parameters
    ----------
    S, batch, kind, out, threads
        As of `log`.
    p : float
        The exponent. An integer takes every matrix, a negative one those that are not singular; another
        number takes positive definite ones and, if it is positive, semidefinite ones.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is not as p needs it; the smallest eigenvalue is named, and of a batch the first such matrix.
    OverflowError
        If the power has numbers beyond the dtype.
    ValueError, TypeError
        As `log`, and for a p that is no finite number.

    Notes
    -----
    ``V diag(w^p) V^H``: O(n^3) operations and n x n numbers, as `log`. For a p that is positive and no
    integer, eigenvalues below zero by at most n eps times the largest are rounding, and zero.

    Examples
    --------
    >>> import numpy as np
    >>> power(Packed(np.array([4.0, 0.0, 16.0])), -0.5).half
    array([0.5 , 0.  , 0.25])
    >>> power(np.array([[4.0, 0.0, 16.0], [9.0, 0.0, 0.0]]), 0.5, batch="vech").round(12)
    array([[2., 0., 4.],
           [3., 0., 0.]])
    """
    if not is_real(p):
        raise TypeError(f"p must be a real number, not {p!r}: it is the exponent")
    if not is_finite(p):
        raise ValueError(f"p is {short(p)}, and an exponent must be finite")
    exponent = float(p)
    if batches.is_given(batch):
        return batches.power(S, exponent, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("power", kind=kind, out=out)
    task = f"power with exponent {exponent:g}"
    return _of_one(S, task, partial(batches.powers, p=exponent), threads)


def _of_one(S: Any, task: str, function: Callable[..., Any], threads: int | None) -> Packed:
    S = as_packed(S, task.partition(" ")[0])
    check_selfadjoint(S, task, EVERY)
    dtype, layout = work_dtype(S.dtype, "S"), S.layout if S.layout.implied is None else S.layout.plain
    if S.n == 0:
        return Packed(S.half.astype(dtype), layout, kind=S.kind, labels=S.labels)
    values, vectors = eigh(S, threads=threads)
    found = function(values, S.n * float(np.finfo(dtype).eps))
    if isinstance(found, str):
        _refuse(found, task, values)
    half = pack(batches.compose(found, vectors), layout, kind=S.kind, use="lower")
    return Packed(within(half, f"the {task}", "multiply S"), layout, kind=S.kind, labels=S.labels)


def _refuse(why: str, task: str, values: Array) -> Never:
    if why == "singular":
        raise np.linalg.LinAlgError(f"S is singular: {task} has no answer for it")
    raise np.linalg.LinAlgError(f"S is not positive definite: {batches.least(values[0], task)}")
