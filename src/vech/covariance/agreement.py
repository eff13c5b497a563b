"""How often columns agree: quadrant correlation; of binary and ternary ones Jaccard, Hamming, matching."""

from __future__ import annotations

from typing import Any

import numpy as np

from vech.arrays import Array
from vech.counts.codes import Measure, encode
from vech.covariance.data import Data, begin, open_data
from vech.covariance.medians import middles
from vech.covariance.weighted import count
from vech.layouts.dialects import AnyLayout
from vech.results.wanted import Progress, Wanted

QUADRANT = Measure((1, -2, 0, 0), root=True)
JACCARD = Measure((1, -1, 0, 0), (-1, 0, 1, 0))
HAMMING = Measure((-2, 1, 1, 0), (0, 0, 0, 1), empty=0)
MATCHING = Measure((2, -1, -1, 1), (0, 0, 0, 1))


def quadrant(
    X: Any,
    *,
    missing: str = "raise",
    min_periods: int | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The quadrant correlation of the columns of X: of the signs about their medians.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); or data frame
        Whole columns, of real numbers.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as the median, which keeps the result positive semidefinite; or each pair
        of columns uses the rows in which both are there (about the medians of all that is there), and the
        result may be indefinite.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0.
    layout : str or layout
        Of the result; it may leave out the diagonal of ones.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype, which may be a memory map; or the file to write, with a
        journal beside it until it is complete; or the `vech.Tiled` to make.
    resume : bool
        Whether to go on from that journal or store, or to read what is complete; of other data or
        parameters it is an error.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes parts of the half, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads.
    progress : callable, optional
        Called as ``progress(parts of the half done, all its parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both.

    Raises
    ------
    ValueError
        For NaN, infinities (the first one's place is named), and no rows or columns.
    TypeError
        For columns that are no real numbers, by name, and for X in blocks.

    Notes
    -----
    With ``s_ti = sign(x_ti - median_i)`` it is ``sum_t s_ti s_tj / sqrt(sum_t s_ti^2 sum_t s_tj^2)``: 0 for a
    column that has its median throughout, 1 on the diagonal, positive semidefinite. Where no number is a
    median it is Blomqvist's beta, (agreeing - disagreeing) / n_samples. Source: N. Blomqvist, "On a measure
    of dependence between two random variables", Ann. Math. Statist. 21(4), 1950.

    Sorts columns for their medians; then time and memory as of `gerber`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 5.0], [2, 7], [3, 8], [4, 6]])
    >>> quadrant(X).expand()
    array([[1., 0.],
           [0., 1.]])
    """
    data = open_data(X, missing=missing, min_periods=min_periods)
    data.check()
    lower, upper = middles(data)  # their mean may round to one of them
    low, high = np.nextafter(lower, upper), np.nextafter(upper, lower)
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _measure("quadrant", data, QUADRANT, 1, low, high, wanted, closed=False)


def jaccard(
    X: Any,
    *,
    missing: str = "raise",
    min_periods: int | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The Jaccard similarity of binary or ternary columns: where both are alike, of where either is not 0.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Of 0 and 1 (or bool), or of -1, 0 and 1.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as 0; or each pair of columns uses the rows in which both are there.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0.
    layout : str or layout
        Of the result; it may leave out the diagonal of ones.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype, which may be a memory map; or the file to write, with a
        journal beside it until it is complete; or the `vech.Tiled` to make.
    resume : bool
        Whether to go on from that journal or store, or to read what is complete; of other data or
        parameters it is an error.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes parts of the half, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads.
    progress : callable, optional
        Called as ``progress(parts of the half done, all its parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both.

    Raises
    ------
    ValueError
        For numbers other than -1, 0 and 1 (the first one's place is named), NaN, and no rows or columns.
    TypeError
        For columns that are no real numbers, by name, and for an iterator, since X is read twice.

    Notes
    -----
    ``P / (n_i + n_j - B)``: P = rows in which both are 1 or both -1, B = rows in which neither is 0, n = rows
    in which one is not. 1 - it is the distance of ``scipy.spatial.distance.jaccard``, but that two columns of
    zeros have similarity 0 here. Source: P. Jaccard, "The distribution of the flora in the alpine zone", New
    Phytologist 11(2), 1912.

    Memory: two bits per number of X; no square is held.

    Examples
    --------
    >>> import numpy as np
    >>> jaccard(np.array([[1, 1], [0, 1], [1, 1], [0, 0]])).half.round(3)
    array([1.   , 0.667, 1.   ])
    """
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _ternary("jaccard", X, JACCARD, 1, missing, min_periods, wanted)


def hamming(
    X: Any,
    *,
    missing: str = "raise",
    min_periods: int | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The Hamming distance of binary or ternary columns: the share of rows in which they differ.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Of 0 and 1 (or bool), or of -1, 0 and 1.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as 0; or each pair of columns uses the rows in which both are there.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0.
    layout : str or layout
        Of the result; it may leave out the diagonal of zeros, as "condensed" does.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype, which may be a memory map; or the file to write, with a
        journal beside it until it is complete; or the `vech.Tiled` to make.
    resume : bool
        Whether to go on from that journal or store, or to read what is complete; of other data or
        parameters it is an error.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes parts of the half, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads.
    progress : callable, optional
        Called as ``progress(parts of the half done, all its parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both. Zeros on the diagonal.

    Raises
    ------
    ValueError
        For numbers other than -1, 0 and 1 (the first one's place is named), NaN, and no rows or columns.
    TypeError
        For columns that are no real numbers, by name, and for an iterator, since X is read twice.

    Notes
    -----
    ``sum_t [x_ti != x_tj] / n_samples``, ``scipy.spatial.distance.hamming``. Without a row in common
    ("pairwise") it is 0. Source: R. Hamming, "Error detecting and error correcting codes", Bell System
    Technical J. 29(2), 1950.

    Memory: two bits per number of X; no square is held.

    Examples
    --------
    >>> import numpy as np
    >>> hamming(np.array([[1, 1, -1], [0, 1, 0], [1, 1, 1], [0, 0, 0]]), layout="condensed").half
    array([0.25, 0.25, 0.5 ])
    """
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _ternary("hamming", X, HAMMING, 0, missing, min_periods, wanted)


def matching(
    X: Any,
    *,
    missing: str = "raise",
    min_periods: int | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The simple matching coefficient of binary or ternary columns: the share of rows in which both agree.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Of 0 and 1 (or bool), or of -1, 0 and 1.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as 0; or each pair of columns uses the rows in which both are there.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0.
    layout : str or layout
        Of the result; it may leave out the diagonal of ones.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype, which may be a memory map; or the file to write, with a
        journal beside it until it is complete; or the `vech.Tiled` to make.
    resume : bool
        Whether to go on from that journal or store, or to read what is complete; of other data or
        parameters it is an error.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes parts of the half, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads.
    progress : callable, optional
        Called as ``progress(parts of the half done, all its parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both.

    Raises
    ------
    ValueError
        For numbers other than -1, 0 and 1 (the first one's place is named), NaN, and no rows or columns.
    TypeError
        For columns that are no real numbers, by name, and for an iterator, since X is read twice.

    Notes
    -----
    1 - `hamming`; without a row in common ("pairwise") it is 0 off the diagonal. Source: R. Sokal & C.
    Michener, "A statistical method for evaluating systematic relationships", Univ. Kansas Science Bulletin
    38, 1958.

    Memory: two bits per number of X; no square is held.

    Examples
    --------
    >>> import numpy as np
    >>> matching(np.array([[1, 1], [0, 1], [1, 1], [0, 0]])).half
    array([1.  , 0.75, 1.  ])
    """
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _ternary("matching", X, MATCHING, 1, missing, min_periods, wanted)


def _ternary(
    name: str,
    X: Any,
    measure: Measure,
    implied: int,
    missing: str,
    min_periods: int | None,
    wanted: Wanted,
) -> Any:
    data = open_data(X, missing=missing, min_periods=min_periods)
    data.need_passes(name)
    data.check()
    _check_ternary(data, name)
    bound = np.ones(data.p)
    return _measure(name, data, measure, implied, -bound, bound, wanted)


def _check_ternary(data: Data, name: str) -> None:
    for start, block in data.blocks():
        numbers = np.asarray(block, data.dtype)
        wrong = (numbers != 0) & (np.abs(numbers) != 1) & ~np.isnan(numbers)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(
                f"X has {block[row, column]} {data.place(start + row, column)}, and {name} "
                f"is of columns of 0 and 1, or of -1, 0 and 1: compare first, such as X > 0"
            )


def _measure(
    name: str,
    data: Data,
    measure: Measure,
    implied: int,
    low: Array,
    high: Array,
    wanted: Wanted,
    *,
    closed: bool = True,
) -> Any:
    with begin(data, wanted, name, implied=implied) as result:
        if not result.is_complete:
            pairwise, threads = data.missing == "pairwise", wanted.threads
            codes = encode(data.pieces(), low, high, closed=closed, pairwise=pairwise, threads=threads)
            count(codes, measure, result, min_periods=data.min_periods)
        return result.store()
