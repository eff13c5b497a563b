"""Covariance, correlation and rank correlation of columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, as_float, is_real
from vech.covariance import products
from vech.covariance.data import Data, as_weights, begin, open_data
from vech.covariance.incomplete import center_of, has_nan, pairwise, pairwise_ranks
from vech.covariance.moments import Moments, accumulator, gather
from vech.covariance.products import Centre, Products
from vech.covariance.ranks import centred_ranks
from vech.layouts.dialects import AnyLayout
from vech.results.making import Tiles
from vech.results.result import Result
from vech.results.wanted import Progress, Wanted

BY_EXECUTOR = "executor=", "or let each worker update a Stream with its blocks, and merge these"
"""Whose tasks multiply whole columns, and the way out for blocks."""


def sample(
    X: Any,
    *,
    ddof: float | None = None,
    weights: Any = None,
    missing: str = "raise",
    min_periods: int | None = None,
    assume_centered: bool = False,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The sample covariance of the columns of X, summed up straight in a half.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; iterator of such; or function returning one
        Arrays, memory maps, lists; pandas and polars frames, whose columns become the labels; an iterator of
        blocks of rows, or a function without arguments that returns a new one. Bool and integers count as
        float64; complex numbers give the Hermitian covariance.
    ddof : number, optional
        Taken off the number of rows in the divisor: 1 is unbiased, 0 maximum likelihood. Unless told, 1, and
        0 with `assume_centered`, where no mean is estimated.
    weights : array, shape (n_samples,), optional
        How much each row counts: finite, not negative, not all zero; `exponential_weights` makes such. Only
        their ratios matter (``aweights`` of ``numpy.cov``).
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or counts as its column's mean, which keeps the result positive semidefinite and
        shrinks it; or each pair of columns uses the rows in which both are there, as pandas does, and the
        result may be indefinite. The latter two read X twice.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and for all else that
        is undefined, as pandas has it (its own default is 1). Without, such a pair is an error.
    assume_centered : bool
        Whether the means are taken to be zero: products are summed as they are, and a neutral NaN is 0.
    layout : str or layout
        Of the result; it must store the diagonal.
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
        Who computes parts of the half, as tasks, each of whole columns, so X is an array; blocks go to a
        `Stream` of each worker, which are merged. Unless told, this thread.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.
    progress : callable, optional
        Called as ``progress(rows done, rows of X or None if X is an iterator)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, complex64 and complex128 for such, else float64.

    Raises
    ------
    ValueError
        For NaN, infinities (the first one's place is named), no rows or columns, a divisor that is not
        positive, weights that do not fit, a layout without its diagonal, and with "pairwise" two columns with
        too few rows in common, unless `min_periods` says that they are NaN.
    TypeError
        For columns that are no numbers, by name, and an iterator where X is read twice.
    OverflowError
        If sums of squares exceed the dtype.

    Notes
    -----
    ``S_ij = sum_t w_t (x_ti - m_i) conj(x_tj - m_j) / (W - ddof sum_t w_t^2 / W)``, ``W = sum_t w_t``, m the
    weighted mean, or zero with `assume_centered`; without weights the divisor is ``n_samples - ddof``.

    One pass over X, n_samples n_features^2 multiplications by BLAS. Memory for the half and a block of rows,
    at most 32 MiB or another half: neither X nor the square is copied. Up to 1024 columns a square of at most
    8 MiB is kept in cache.

    Rows are taken about a shift near their mean, which moves with it (Chan, Golub & LeVeque 1983, American
    Statistician 37, 242), so that an offset does no harm: at 1e8 standard deviations the relative error stays
    below 1e-10.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]])
    >>> sample(X).expand()
    array([[1., 2.],
           [2., 7.]])
    >>> sample(iter([X[:1], X[1:]]), ddof=0, layout="numpy-tril").half
    array([0.66666667, 1.33333333, 4.66666667])
    """
    how = _How(ddof, weights, missing, min_periods, assume_centered, standardise=False)
    return _estimate(X, how, Wanted(layout, out, resume, executor, threads, progress, encoding=encoding))


def correlation(
    X: Any,
    *,
    ddof: float | None = None,
    weights: Any = None,
    missing: str = "raise",
    min_periods: int | None = None,
    assume_centered: bool = False,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The correlation (Pearson's) of the columns of X, summed up straight in a half.

    Parameters
    ----------
    X, weights, missing, min_periods, out, resume, encoding, executor, threads, progress
        As `sample` has them.
    ddof : number, optional
        Cancels; only the divisor of `sample` must be positive.
    assume_centered : bool
        Whether the means are taken to be zero: then it is the cosine of two columns.
    layout : str or layout
        Of the result; one whose diagonal is "one" saves storing it.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        The diagonal is exactly 1, and no number exceeds 1.

    Raises
    ------
    ValueError
        For a constant column, whose correlations are 0/0 (the first is named; with "pairwise" the pair, or
        NaN with `min_periods`), and as `sample` does.
    TypeError, OverflowError
        As `sample` does.

    Notes
    -----
    ``R_ij = S_ij / sqrt(S_ii S_jj)``; with "pairwise" all three from the rows that both columns have. Cost as
    for `sample`.

    Source: K. Pearson, "Note on regression and inheritance in the case of two parents", Proc. Royal Society
    58, 1895.

    Examples
    --------
    >>> import numpy as np
    >>> correlation(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]])).half
    array([1.        , 0.75592895, 1.        ])
    """
    how = _How(ddof, weights, missing, min_periods, assume_centered, standardise=True)
    return _estimate(X, how, Wanted(layout, out, resume, executor, threads, progress, encoding=encoding))


def spearman(
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
    """Spearman's rank correlation of the columns of X: Pearson's of their ranks, ties at their mean rank.

    Parameters
    ----------
    X : array, shape (n_samples, n_features), or data frame
        Real numbers; columns are ranked whole, so no blocks of rows.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or has the mean rank of its column, which keeps the result positive semidefinite; or
        each pair of columns is ranked over the rows in which both are there, as pandas does, and the result
        may be indefinite.
    min_periods : int, optional
        As `sample` has it.
    layout, out, resume, encoding, executor, threads, progress
        As `correlation` has them.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; the diagonal is exactly 1.

    Raises
    ------
    ValueError
        For a constant column, NaN and infinities (the first one's place is named), and one row; with
        "pairwise" for two columns without a row in common, or of which one is constant over these, unless
        `min_periods` says that they are NaN.
    TypeError
        For iterators, complex numbers, and columns that are no numbers.

    Notes
    -----
    `correlation` of ranks 1 to n_samples. Source: C. Spearman, "The proof and measurement of association
    between two things", Am. J. Psychology 15(1), 1904.

    Cost as of `correlation`, and beside it the time to sort each column and the memory of int32 ranks of all
    of X. With "pairwise", where something is missing, each pair has ranks of its own: each column is sorted
    once, and a pair then takes some passes over its rows, O(n_samples n_features^2) in all without BLAS;
    memory for 13 bytes for each number of X.

    Examples
    --------
    >>> import numpy as np
    >>> spearman(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 60.0]])).half
    array([1. , 0.5, 1. ])
    """
    data = open_data(X, missing=missing, ordered=True, min_periods=min_periods)
    data.whole("spearman")
    data.check()
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    with begin(data, wanted, "spearman", implied=1) as result:
        if result.is_complete:
            return result.store()
        if missing == "pairwise" and (min_periods is not None or has_nan(data)):
            result.fill(pairwise_ranks(data))
            return result.store()
        ranks = open_data(centred_ranks(data))
        if result.goes_by_tiles:
            fill_products(ranks, data, result, None, 0.0, assume_centered=True, standardise=True)
            return result.store()
        direct = result.half if result.dtype == ranks.dtype else None
        found = Result(data.p, ranks.dtype, Wanted(result.plain, direct))
        moments = gather(ranks, found.runs(), shift=np.zeros(data.p), threads=threads, progress=progress)
        write_correlation(moments, data, result)
        return result.store()


class _How(NamedTuple):
    """What is asked of the rows."""

    ddof: float | None
    weights: Any
    missing: str
    min_periods: int | None
    assume_centered: bool
    standardise: bool


def _estimate(X: Any, how: _How, wanted: Wanted) -> Any:
    data = open_data(X, missing=how.missing, complex_too=True, min_periods=how.min_periods)
    w = as_weights(how.weights, data)
    ddof = as_ddof(how.ddof, how.assume_centered)
    if how.missing == "pairwise" and w is not None:
        raise ValueError("weights and missing='pairwise' do not go together: use missing='neutral'")
    name, implied = ("correlation", 1) if how.standardise else ("sample", None)
    about = {"ddof": ddof, "assume_centered": bool(how.assume_centered)}
    with begin(data, wanted, name, about, implied=implied, beside={"weights": w}) as result:
        if result.is_complete:
            return result.store()
        if how.missing == "pairwise":
            result.fill(pairwise(data, ddof, how.standardise, how.assume_centered))
            return result.store()
        if by_tiles(data, result):
            fill_products(
                data, data, result, w, ddof, assume_centered=how.assume_centered, standardise=how.standardise
            )
            return result.store()
        moments = gather(
            data,
            accumulator(data.p, data.dtype, result.runs()),
            w,
            shift=center_of(data, how.assume_centered, w),
            assume_centered=how.assume_centered,
            threads=wanted.threads,
            progress=wanted.progress,
        )
        divisor = divisor_of(moments, ddof)
        if how.standardise:
            write_correlation(moments, data, result)
        else:
            write_covariance(moments, result, divisor)
        return result.store()


def by_tiles(data: Data, result: Result) -> bool:
    """Whether columns are multiplied tile by tile: for a file, and by an executor, where X is an array.

    Blocks are added up in one pass.
    """
    if result.executor is not None:
        data.whole(*BY_EXECUTOR)
    return result.goes_by_tiles and data.array is not None


def fill_products(
    data: Data,
    named: Data,
    result: Result,
    weights: Array | None,
    ddof: float,
    *,
    assume_centered: bool,
    standardise: bool = False,
) -> Centre:
    """Covariances or correlations of X tile by tile; errors name columns as in `named`."""
    centre, block = block_of(
        data, named, result, weights, ddof, assume_centered=assume_centered, standardise=standardise
    )
    result.fill(Tiles(block, products.SIDE))
    return centre


def block_of(
    data: Data,
    named: Data,
    result: Result,
    weights: Array | None,
    ddof: float,
    *,
    assume_centered: bool,
    standardise: bool = False,
) -> tuple[Centre, Products]:
    """What is known of all rows, and what makes blocks of covariances or correlations of it."""
    centre = Centre.of(data, weights, assume_centered, result.executor)
    divisor = divisor_of(centre, ddof)
    inverse = None
    if standardise:
        check_varied(named, centre.scatter)
        inverse = 1 / np.sqrt(centre.scatter)
    X = data.whole(*BY_EXECUTOR)
    wide = np.result_type(data.dtype, result.dtype)
    return centre, Products(X, weights, centre, wide, result.dtype, divisor, inverse)


def as_ddof(ddof: Any, assume_centered: bool = False) -> float:
    """What was said, or what fits: a mean that is not estimated takes nothing off."""
    if ddof is None:
        return 0 if assume_centered else 1
    check_ddof(ddof)
    found: float = ddof
    return found


def check_ddof(ddof: Any) -> None:
    """Refuse what is no finite number."""
    if not is_real(ddof) or not np.isfinite(as_float("ddof", ddof)):
        raise TypeError(f"ddof must be a finite number, mostly 0 or 1, not {ddof!r}")


def divisor_of(moments: Moments | Centre, ddof: float) -> float:
    """W - ddof sum w^2 / W, the divisor of ``numpy.cov``."""
    divisor = moments.weight - ddof * moments.squares / moments.weight
    if not divisor > 0:
        count = f"{moments.rows} row" + ("s" if moments.rows != 1 else "")
        raise ValueError(
            f"X has {count}, and ddof={ddof} leaves {divisor:g} to divide by: pass more rows, "
            f"or a smaller ddof"
        )
    return divisor


def write_covariance(moments: Moments, result: Result, divisor: float) -> None:
    """Finish the moments as a covariance; OverflowError where they are wider and it has no place."""
    if moments.runs.half.dtype != result.dtype:
        most = np.finfo(result.dtype).max
        if not (moments.variances(divisor) <= most).all():
            raise OverflowError(
                f"variances of X exceed {result.dtype}, which ends at {most:.3g}: scale X first"
            )

    def work(block: Array, rows: slice, columns: slice) -> None:
        block /= divisor

    moments.finish(result.runs(), work)


def write_correlation(moments: Moments, data: Data, result: Result) -> None:
    """Finish the moments as a correlation, its diagonal exactly 1."""
    variances = moments.variances(1.0)
    check_varied(data, variances)
    inverse = 1 / np.sqrt(variances)

    def work(block: Array, rows: slice, columns: slice) -> None:
        block *= inverse[rows, None]
        block *= inverse[columns]
        clip(block)
        if rows == columns:
            np.fill_diagonal(block, 1)

    moments.finish(result.runs(), work)


def clip(block: Array) -> None:
    """Bring what rounding put beyond 1 back to it."""
    if block.dtype.kind == "f":
        np.clip(block, -1, 1, out=block)
    else:
        size = np.abs(block)
        block /= np.maximum(size, 1)


def check_varied(data: Data, variances: Array, consequence: str = "its correlation is 0/0") -> None:
    """Refuse columns without variance."""
    constant = np.flatnonzero(variances == 0)
    if constant.size:
        more = f" ({constant.size} columns are)" if constant.size > 1 else ""
        raise ValueError(
            f"{data.column(int(constant[0]))} of X is constant{more}, and {consequence}: drop it"
        )
