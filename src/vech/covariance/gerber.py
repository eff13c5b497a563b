"""The Gerber statistic: how often two columns move together beyond thresholds, less how often apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from vech.arrays import Array, as_array
from vech.counts.codes import Measure, edges, encode
from vech.covariance.data import (
    Data,
    as_weights,
    begin,
    check_underflow,
    column_name,
    numbers_beside,
    open_data,
)
from vech.covariance.medians import CENTERS, medians
from vech.covariance.moments import raise_overflow
from vech.covariance.spread import Spread, spread
from vech.covariance.weighted import count
from vech.frames import labels_of
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import one_of
from vech.linalg import nearest_correlation, shrink_to_psd
from vech.packed.packed import Packed
from vech.results.wanted import Progress, Wanted

H = (1, -2, 0, 0)  # concordant - discordant = both - 2 discordant
FORMS = {
    "gs0": Measure(H, (1, 0, 0, 0)),
    "gs1": Measure(H, (-1, 0, 1, 0)),
    "gs2": Measure(H, root=True),
}
REPAIRS = ("nearest", "shrink")


def gerber(
    X: Any,
    threshold: Any = 0.5,
    *,
    form: str = "gs1",
    correlation: bool = False,
    center: str = "zero",
    weights: Any = None,
    missing: str = "raise",
    min_periods: int | None = None,
    repair: str | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The Gerber covariance of the columns of X, or their Gerber statistic, by exact counts of co-movements.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Mostly returns. Arrays, memory maps, lists; pandas and polars frames, whose columns become the labels;
        a function without arguments that returns a new iterator of blocks of rows.
    threshold : float, or array of shape (n_features,)
        How many standard deviations a move must have to count: positive, and it may exceed 1.
    form : {"gs1", "gs0", "gs2"}
        The denominator, see Notes. "gs1" and "gs2" are positive semidefinite; "gs0" mostly is not.
    correlation : bool
        Whether to give the statistic itself, with ones on the diagonal, not times standard deviations.
    center : {"zero", "mean", "median"}
        From where moves are measured. Standard deviations are about the mean in any case.
    weights : array, shape (n_samples,), optional
        How much each row counts, in counts, means, medians and standard deviations: finite, not negative, not
        all zero; `exponential_weights` makes such. "gs1" and "gs2" stay positive semidefinite.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or no move, which keeps "gs1" and "gs2" positive semidefinite and draws their entries
        to 0; or each pair of columns uses the rows in which both are there, and the result may be indefinite.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0. What has NaN cannot be repaired.
    repair : {"nearest", "shrink"}, optional
        Makes the statistic positive definite, by `vech.linalg.nearest_correlation` or
        `vech.linalg.shrink_to_psd`, which expand it.
    layout : str or layout
        Of the result; with `correlation` it may leave out the diagonal of ones.
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
        At most so many threads for vech's part; with `weights` BLAS has its own.
    progress : callable, optional
        Called as ``progress(parts of the half done, all its parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both.

    Raises
    ------
    ValueError
        For NaN, infinities (the first one's place is named), no rows or columns, a threshold that is not
        positive or not one for each column, weights that do not fit, and arguments outside their choices.
    TypeError
        For columns that are no real numbers, by name; an iterator, since X is read twice; and blocks with
        ``center="median"``, which needs whole columns.
    OverflowError
        If sums of squares exceed float64.

    Notes
    -----
    With m_i the center, s_i the standard deviation (ddof = 0) and c the threshold, row t of column i is above
    where ``x_ti >= m_i + c s_i``, below where ``x_ti <= m_i - c s_i``, else neutral; a number that misses its
    threshold by rounding alone (some units in the last place of the largest of x, m and s) meets it, so that
    the unit of X does not matter. For columns i and j let B be the rows in which neither is neutral, Q those
    of B in which one is above and the other below, n_i and n_j the rows in which one of them is not neutral.
    Then ``C_ij = s_i s_j g_ij`` with

    - gs1: ``g = (B - 2 Q) / (n_i + n_j - B)``, over the rows in which any moves; a signed Jaccard index,
    - gs0: ``g = (B - 2 Q) / B``, the original form,
    - gs2: ``g = (B - 2 Q) / sqrt(n_i n_j)``.

    0 / 0 is 0 off the diagonal and 1 on it, and a constant column is neutral throughout.

    gs1 is semidefinite because ``1 / (W - N_ij)``, N the weight of rows in which both are neutral and W that
    of all, is a sum of Hadamard powers of a semidefinite matrix ("Proofs that the Gerber statistic is
    positive semidefinite", arXiv:2305.05663); mostly it has full rank, even with far more columns than rows.
    Source: S. Gerber et al., "The Gerber statistic: a robust co-movement measure for portfolio optimization",
    J. Portfolio Management 48(3), 2022.

    Two passes over X, which becomes two bits per number, n_samples n_features / 4 bytes (3/8 with
    "pairwise"); n_samples n_features^2 / 2 bits are compared, some hundreds at a time. With `weights` or
    `min_periods`, BLAS multiplies tiles of zeros and ones in float64 instead: two products, with "pairwise"
    five, rounded in an order that depends on where columns stand; without, swapping columns swaps the numbers
    exactly. No square is held, but by `repair`.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[2.0, 3.0, 0.0], [-2.0, 0.1, 1.0], [0.1, 2.0, -4.0], [-2.0, -3.0, 0.0]])
    >>> gerber(X, correlation=True).expand()
    array([[ 1.  ,  0.5 , -0.25],
           [ 0.5 ,  1.  , -0.25],
           [-0.25, -0.25,  1.  ]])
    >>> gerber(X).half.round(3)
    array([ 2.777,  1.905, -0.8  ,  5.227, -1.098,  3.687])
    """
    one_of("form", form, tuple(FORMS))
    one_of("center", center, CENTERS)
    if repair is not None:
        one_of("repair", repair, REPAIRS)
    data = open_data(X, missing=missing, min_periods=min_periods)
    data.need_passes("gerber")
    given = as_weights(weights, data)
    bounds = as_thresholds(threshold, data)
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    beside = {"weights": given, "threshold": bounds}
    how = {"form": form, "correlation": correlation, "center": center, "repair": repair}
    implied = 1 if correlation else None
    with begin(data, wanted, "gerber", how, implied=implied, beside=beside) as result:
        if result.is_complete:
            return result.store()
        found = spread(data, given, threads)
        if not correlation and found.deviation.max() > np.sqrt(float(np.finfo(data.dtype).max)):
            raise_overflow(data)
        if not correlation and data.dtype == np.float32:  # of float64 `spread` looks
            # none is too small where it is 0
            variances = np.where(found.deviation == 0, np.inf, found.deviation**2)
            check_underflow(data, variances, data.dtype, given)
        low, high = _reach(data, found, bounds, center, given)
        codes = encode(data.pieces(), low, high, pairwise=missing == "pairwise", threads=threads)
        scale = None if correlation or repair else found.deviation
        if repair is not None:
            result.hold()
        count(codes, FORMS[form], result, given, scale=scale, min_periods=min_periods)
        if repair is not None:
            repaired = nearest_correlation if repair == "nearest" else shrink_to_psd
            matrix = repaired(Packed(result.half, result.plain)).matrix
            result.half[...] = (
                matrix.half if correlation else matrix.congruence(found.deviation.astype(data.dtype)).half
            )
        return result.store()


def as_thresholds(threshold: Any, data: Data) -> Array:
    """One positive number for each column, by its label where both have labels."""
    if data.labels is not None and (own := labels_of(threshold, 0)) is not None:
        threshold = _by_label(threshold, own, data.labels)
    given = numbers_beside(threshold, "threshold", "a number or a vector of numbers")
    if given.ndim == 1 and given.size != data.p:
        raise ValueError(f"there are {given.size} thresholds for {data.p} columns")
    wrong = ~(np.isfinite(given) & (given > 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        where = f" of {column_name(data.labels, at)}" if given.ndim else ""
        raise ValueError(
            f"the threshold{where} is {given.reshape(-1)[at]:g}: it is a positive number of standard "
            f"deviations, mostly 0.5"
        )
    return np.broadcast_to(given, data.p)


def _by_label(threshold: Any, own: tuple[Any, ...], labels: tuple[Any, ...]) -> Array:
    """The numbers of a series in the order of these labels."""
    numbers = dict(zip(own, as_array(threshold, "threshold"), strict=True))
    if len(numbers) != len(own) or numbers.keys() != set(labels):
        odd = [name for name in (*labels, *numbers) if name not in numbers or name not in labels]
        what = f"{odd[0]!r} is in one of them only" if odd else "some label comes twice"
        raise ValueError(
            f"the labels of threshold and of the columns of X differ ({what}): give both the same, or "
            f"threshold.to_numpy() to go by position"
        )
    return np.array([numbers[label] for label in labels])


def _reach(
    data: Data, found: Spread, bounds: Array, center: str, weights: Array | None
) -> tuple[Array, Array]:
    """From where on a number is below, and above."""
    middle: Array = np.zeros(data.p)
    if center != "zero":
        middle = found.mean if center == "mean" else medians(data, weights)
    low, high = edges(middle, bounds * found.deviation, data.dtype, found.mean)
    constant = found.deviation == 0
    return np.where(constant, -np.inf, low), np.where(constant, np.inf, high)
