"""Codes beside rows and columns in float16: those whose numbers are far larger than the others."""

from __future__ import annotations

import math
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, is_finite, is_real
from vech.packed.indexing import vector
from vech.quantized.quantizing import quantize
from vech.quantized.sources import blocks, check_finite, number_dtype
from vech.quantized.store import Quantized
from vech.quantized.tilewise import Composed, Mapped, as_symmetric
from vech.store import Store

TOP = 15  # the exponent of two below which the largest number in float16 is: 65504 is near 2^16
TOGETHER = 64  # rows that are widened at a time

Rows = NDArray[np.int64]


class Split(Composed):
    """A matrix of codes but for some rows and columns, which are float16; made by `outliers`.

    Attributes
    ----------
    quantized : Quantized
        The codes of all others, and the whole diagonal.
    rows : array of int64, shape (k,)
        Which rows, and columns, are apart, ascending.
    strip : array of float16, shape (k, n)
        Those rows over `unit`, zero on the diagonal.
    unit : float
        A power of two.
    error : QuantizationError
        Of this matrix, in place of the one that it was made of.
    """

    def __init__(
        self,
        quantized: Quantized,
        rows: Rows,
        strip: NDArray[np.float16],
        unit: float,
        labels: tuple[Any, ...] | None,
    ) -> None:
        super().__init__(quantized, labels)
        self.rows, self.strip, self.unit = rows, strip, unit

    def _tile(self, rows: slice, columns: slice) -> Array:
        numbers = self.quantized.block(rows, columns)
        diagonal = numbers.diagonal().copy()
        some = self._within(rows)
        numbers[self.rows[some] - rows.start] = self._wide(some, columns)
        some = self._within(columns)
        numbers[:, self.rows[some] - columns.start] = self._wide(some, rows).T
        if rows == columns:
            np.fill_diagonal(numbers, diagonal)
        return numbers

    def _product(self, x: Array, threads: int | None) -> Array:
        others = x.copy()
        others[self.rows] = 0  # not every encoding has a code for the zeros that are in their place
        y: Array = self.quantized.matmul(others, threads=threads)
        y[self.rows] = self.quantized.diagonal()[self.rows, None] * x[self.rows]
        for start in range(0, len(self.rows), TOGETHER):
            some = slice(start, start + TOGETHER)
            strip, rows = self._wide(some, slice(None)).astype(x.dtype, copy=False), self.rows[some]
            y[rows] += strip @ x
            strip[:, self.rows] = 0  # those are among the rows
            y += strip.T @ x[rows]
        return y

    def _within(self, span: slice) -> slice:
        first, stop = np.searchsorted(self.rows, [span.start, span.stop])
        return slice(int(first), int(stop))

    def _wide(self, some: slice, columns: slice) -> Array:
        """Rows of the strip as numbers of the matrix."""
        numbers = self.strip[some, columns].astype(self.dtype)
        numbers *= self.unit
        return numbers


def outliers(
    S: Store | ArrayLike,
    encoding: Any = "int8",
    *,
    threshold: float = 6.0,
    rows: Any = None,
    **options: Any,
) -> Split:
    """Codes of a matrix but for some rows and columns with large numbers, which are kept in float16.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Real and symmetric; labels are kept.
    encoding : str or Encoding
        Of the other numbers, as for `vech.quantize`.
    threshold : float
        Numbers off the diagonal are outliers where they are so many standard deviations: those that Gaussian
        numbers of the same mean modulus have, which a few large ones move least. Rows that have most of them
        are taken, one after the other, until none is left.
    rows : slice, integers, mask or labels, optional
        Which rows and columns to keep apart, in place of a threshold.
    **options
        Of `vech.quantize`: ``tile``, ``scales``, ``rounding``, ``threads``, ...

    Returns
    -------
    Split
        A store with its certificate, ``error``: 2 k n bytes beside the codes, of k rows.
        `vech.write` writes its numbers, without codes and certificate; pickle keeps all.

    Raises
    ------
    TypeError
        For complex and skew matrices.
    ValueError
        For a threshold that is not positive; and as `vech.quantize`.
    IndexError
        For rows out of range.

    Notes
    -----
    The numbers of those rows are divided by a power of two, so that the largest is near 2^15: they keep 11
    bits down to 2^-29 of the largest. With a threshold S is read three times more than without, and the
    places of numbers above it are held: 16 bytes each.

    Source: T. Dettmers et al., "LLM.int8(): 8-bit matrix multiplication for transformers at scale", NeurIPS
    2022, where columns of X with a number above 6 are kept in 16 bits, of which the rule here is the
    symmetric counterpart.

    Examples
    --------
    >>> S = np.random.default_rng(0).normal(size=(200, 200))
    >>> S[17] *= 100
    >>> plain, apart = vech.quantize(S + S.T), vech.quantized.outliers(S + S.T)
    >>> apart.rows, bool(apart.error.max < plain.error.max / 5)
    (array([17]), True)
    """
    store = as_symmetric(S, "outliers")
    apart = chosen(store, threshold) if rows is None else np.unique(vector(rows, store.n, 0, store.labels))

    def rest(down: slice, across: slice, numbers: Array) -> Array:
        diagonal = numbers.diagonal().copy()
        numbers[np.isin(np.arange(down.start, down.stop), apart)] = 0
        numbers[:, np.isin(np.arange(across.start, across.stop), apart)] = 0
        if down == across:
            np.fill_diagonal(numbers, diagonal)
        return numbers

    codes = quantize(Mapped(store, rest), encoding, **options)
    return Split(codes, apart, *strip_of(store, apart), store.labels)._certified(store)


def chosen(S: Store, threshold: float) -> Rows:
    """Few rows that hold every number beyond so many standard deviations: those with most of them first."""
    from scipy.sparse import coo_array

    if not (is_real(threshold) and is_finite(threshold) and threshold > 0):
        raise ValueError(f"threshold must be a positive number, not {short(threshold)}")
    limit = float(threshold) * spread(S)
    ends = []
    for rows, columns, numbers in blocks(S):
        large = np.abs(numbers.astype(np.float64)) > limit
        i, j = np.nonzero(np.tril(large, -1) if rows == columns else large)
        ends.append(np.stack([i + rows.start, j + columns.start]))
    i, j = np.concatenate([np.zeros((2, 0), np.int64), *ends], axis=1)
    graph = coo_array((np.ones(2 * i.size, bool), (np.r_[i, j], np.r_[j, i])), shape=S.shape).tocsr()
    left, taken = np.diff(graph.indptr).astype(np.int64), np.zeros(S.n, bool)
    while left.any():
        row = int(left.argmax())
        others = graph.indices[graph.indptr[row] : graph.indptr[row + 1]]
        left[others[~taken[others]]] -= 1
        left[row], taken[row] = 0, True
    return np.flatnonzero(taken)


def spread(S: Store) -> float:
    """The standard deviation of Gaussian numbers whose mean modulus is that of those off the diagonal."""
    mean, pairs = 0.0, S.n * (S.n - 1) // 2
    for rows, columns, numbers in blocks(S):
        check_finite(numbers, rows, columns)
        moduli = np.abs(numbers.astype(np.float64))
        below = np.tril(moduli, -1) if rows == columns else moduli
        mean += float((below / max(1, pairs)).sum())
    return mean * math.sqrt(math.pi / 2)


def strip_of(S: Store, rows: Rows) -> tuple[NDArray[np.float16], float]:
    """Those rows over a power of two, zero on the diagonal; and the power."""
    strip = np.zeros((rows.size, S.n), np.float16)
    largest = max((float(np.abs(numbers).max()) for _, numbers in _rows(S, rows)), default=0.0)
    least = int(np.finfo(number_dtype(S.dtype)).minexp)
    unit = math.ldexp(1.0, max(math.frexp(largest)[1] - TOP, least)) if largest else 1.0
    for some, numbers in _rows(S, rows):
        strip[some] = numbers / unit
    return strip, unit


def _rows(S: Store, rows: Rows) -> Any:
    """Some of the rows after the other, in float64, zero on the diagonal."""
    for start in range(0, rows.size, TOGETHER):
        some = rows[start : start + TOGETHER]
        numbers = S.block(some, slice(None)).astype(np.float64)
        numbers[np.arange(some.size), some] = 0
        yield slice(start, start + some.size), numbers
