"""The correlation of columns from one bit of each number, its sign, by the arcsine law."""

from __future__ import annotations

from typing import Any

import numpy as np

from vech.arrays import Array
from vech.counts.codes import Measure, encode
from vech.covariance.data import Data, begin, open_data
from vech.covariance.medians import CENTERS, middles
from vech.covariance.spread import spread
from vech.covariance.weighted import count
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import one_of
from vech.results.wanted import Progress, Wanted

ARCSINE = Measure((1, -2, 0, 0), root=True, sine=True)


def one_bit(
    X: Any,
    *,
    center: str = "zero",
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
    """The correlation of the columns of X from signs alone: one bit a number, by the arcsine law.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Real numbers, or their signs; about the median whole columns.
    center : {"zero", "mean", "median"}
        What signs are taken about: numbers that equal it are neutral.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as the center; or each pair of columns uses the rows in which both are
        there (about the centers of all that is there).
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
    Packed, Tiled of a path ending in ".zarr", or Quantized of an encoding, shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64. Ones on the diagonal.

    Raises
    ------
    ValueError
        For NaN, infinities (the first one's place is named), and no rows or columns.
    TypeError
        For columns that are no real numbers, by name, and for an iterator, since X is read twice.

    See Also
    --------
    quadrant : the correlation of the signs about medians itself, without the sine.

    Notes
    -----
    With signs s, ``sin(pi / 2 sum_t s_ti s_tj / sqrt(sum_t s_ti^2 sum_t s_tj^2))``: of columns that are
    jointly normal about the center the correlation, since their signs agree with the expectation
    ``2 / pi arcsin(r)`` (J. Van Vleck & D. Middleton, "The spectrum of clipped noise", Proc. IEEE 54(1),
    1966). Near the best that one bit can do (S. Dirksen, J. Maly & H. Rauhut, "Covariance estimation under
    one-bit quantization", Ann. Statist. 50(6), 2022): of weakly correlated columns the error is pi / 2 times
    that of `correlation`, as if of 0.4 times as many rows. Outliers count no more than others. The sizes of
    columns are in no sign, so there are no variances. The sine may leave small negative eigenvalues, which
    `vech.linalg.nearest_correlation` mends. A column without a sign, that has its center throughout, has 0
    with all others.

    Memory: two bits per number of X; no square is held. Counts are exact, as of `gerber`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 20_000)
    >>> one_bit(X)[0, 1].round(2), one_bit(np.sign(X))[0, 1].round(2)
    (np.float64(0.8), np.float64(0.8))
    >>> one_bit(X * [1, 1000] + [0, 5], center="median").half.round(2)
    array([1. , 0.8, 1. ])
    """
    one_of("center", center, CENTERS)
    data = open_data(X, missing=missing, min_periods=min_periods)
    data.need_passes("one_bit")
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    with begin(data, wanted, "one_bit", {"center": center}, implied=1) as result:
        if not result.is_complete:
            low, high = _about(center, data, threads)
            pairwise = data.missing == "pairwise"
            codes = encode(data.pieces(), low, high, closed=False, pairwise=pairwise, threads=threads)
            count(codes, ARCSINE, result, min_periods=data.min_periods)
        return result.store()


def _about(center: str, data: Data, threads: int | None) -> tuple[Array, Array]:
    """Below what a sign is negative, and above what it is positive."""
    if center == "mean":
        found = spread(data, threads=threads)
        constant = found.deviation == 0  # whose mean may be off by rounding
        return np.where(constant, -np.inf, found.mean), np.where(constant, np.inf, found.mean)
    data.check()
    if center == "zero":
        return np.zeros(data.p), np.zeros(data.p)
    lower, upper = middles(data)
    return np.nextafter(lower, upper), np.nextafter(upper, lower)
