"""Covariances by their eigenvalues: nonlinear shrinkage, and clipping at the edge of noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, as_float, is_real
from vech.covariance import products
from vech.covariance.data import Data, begin, check_underflow, open_data
from vech.covariance.incomplete import center_of
from vech.covariance.moments import Moments, accumulator, gather, raise_overflow
from vech.covariance.products import Centre
from vech.covariance.sample import (
    as_ddof,
    block_of,
    by_tiles,
    check_varied,
    divisor_of,
    fill_products,
    write_correlation,
    write_covariance,
)
from vech.layouts.dialects import AnyLayout
from vech.linalg import eigh
from vech.moves.runs import Runs, blocks
from vech.packed.packed import Packed
from vech.results.making import Tiles
from vech.results.result import Result
from vech.results.wanted import Progress, Wanted

POLICIES = ("raise", "neutral")
SIDE = 512  # of a block of the result, multiplied from eigenvectors
LEAST_SAMPLES = 12  # of Ledoit & Wolf's own program
FAR, TERMS = 22.0, 8  # from there on, so many terms of a series
KERNEL_NUMBERS = 2**20  # of pairs of eigenvalues taken together


def nonlinear(
    X: Any,
    *,
    missing: str = "raise",
    assume_centered: bool = False,
    return_shrinkage: bool = False,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Each eigenvalue is shrunk. Expands the sample covariance or, of fewer rows than columns, not even that.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; iterator of such; or function returning one
        Real numbers, as `sample` takes them, in at least 13 rows. With ``n_samples - 1 < n_features`` X must
        be an array or a frame.
    missing : {"raise", "neutral"}
        NaN is an error; or counts as its column's mean, so that all is that of a complete X, which is read
        once more.
    assume_centered : bool
        Whether the means are taken to be zero, which also is what a neutral NaN then counts as.
    return_shrinkage : bool
        Whether to give the shrunk eigenvalues too: there is no one intensity.
    layout, out, encoding, threads
        As `sample` has them; with an encoding, tiles come from the eigenvectors, which are whole in memory.
    progress : callable, optional
        As `sample` has it; of fewer rows than columns it counts the blocks of the result.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes the sample covariance and the tiles that a file or codes are made of; eigenvectors, and
        the inner products of rows where they are few, are computed here.
    resume : bool
        Whether to read what is complete under the path `out`; else all is computed anew.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        Positive definite, but for what codes lose.
    array, shape (n_features,), float64
        Its eigenvalues, in the order of those of the sample covariance (ascending), with `return_shrinkage`.

    Raises
    ------
    ValueError
        For NaN, infinities, fewer than 13 rows, and a sample covariance of smaller rank than its shape lets
        expect (constant columns, repeated rows).
    TypeError
        For columns that are no real numbers, and blocks of rows where X must be whole.

    Notes
    -----
    With the eigenvectors u_i and eigenvalues l_i of the sample covariance (ddof = 1), n = n_samples - 1 (with
    `assume_centered` ddof = 0 and n = n_samples) and c = p / n,
    ``S = sum_i d_i u_i u_i^T``, ``d_i = l_i / ((pi c l_i f(l_i))^2 + (1 - c - pi c l_i h(l_i))^2)``, where f
    is the density of the eigenvalues, estimated by Epanechnikov's kernel with bandwidth ``l_j n^(-1/3)``, and
    h its Hilbert transform; with p > n as in equations C.2 and C.3. Source: O. Ledoit & M. Wolf, Analytical
    nonlinear shrinkage of large-dimensional covariance matrices, Annals of Statistics 48(5), 2020, and the
    program in its supplement.

    O(p^3) time and two p x p arrays; with p > n, O(n^2 p + n p^2) time and two n x p arrays.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(40, 3)) * [1, 2, 3]
    >>> S, values = nonlinear(X, return_shrinkage=True)
    >>> bool(values.min() > 0), bool(np.isclose(S.trace(), values.sum()))
    (True, True)
    """
    data = open_data(X, missing=missing, policies=POLICIES)
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    about = {"assume_centered": bool(assume_centered)}
    with begin(data, wanted, "nonlinear", about, rereads=not return_shrinkage) as result:
        if result.is_complete:
            return result.store()
        told = progress if result.tiles is None else None  # then tiles are told
        by_rows = data.n is not None and data.n <= data.p
        if by_rows:
            samples, values, vectors = _of_rows(data, assume_centered)
        else:
            within = Wanted(executor=executor, threads=threads, progress=told)
            found = Result(data.p, np.float64, within)
            samples, values, vectors = _of_columns(data, assume_centered, found, by_tiles(data, result))
        shrunk, floor = shrunk_eigenvalues(values, data.p, samples)
        if not max(shrunk.max(), floor) <= np.finfo(data.dtype).max:
            raise_overflow(data)
        write_spectrum(result, vectors, shrunk, floor, progress=told if by_rows else None)
        store = result.store()
        everything = np.concatenate([np.full(data.p - shrunk.size, floor), shrunk])
        return (store, everything) if return_shrinkage else store


def denoise(
    X: Any,
    *,
    ddof: float | None = None,
    variance: float = 1.0,
    correlation: bool = False,
    missing: str = "raise",
    assume_centered: bool = False,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Expands the correlation, and levels the eigenvalues that noise explains (Marchenko-Pastur clipping).

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; iterator of such; or function returning one
        Real numbers, as `sample` takes them.
    ddof : number, optional
        Of the variances, as in `sample`.
    variance : float
        The share of a column's variance that is noise: 1 takes all of it; less lowers the edge.
    correlation : bool
        Whether to give the correlation.
    missing : {"raise", "neutral"}
        As `nonlinear` has it.
    assume_centered : bool
        Whether the means are taken to be zero.
    layout, out, threads, progress
        As `sample` has them.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes the sample correlation; eigenvectors, and what is made of them, are computed here.
    resume : bool
        Whether to read what is complete under the path `out`; else all is computed anew.
    encoding : str or vech.quantized.Encoding, optional
        As `sample` has it, but codes are made of the whole half, which is in memory first: so is the square.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        Positive definite, but for what codes lose; with the sample variances, or ones, on the diagonal.

    Raises
    ------
    ValueError
        For NaN, infinities, a constant column, one row, and a variance that is not positive.
    TypeError
        For columns that are no real numbers.

    Notes
    -----
    Eigenvalues of the correlation of independent columns end at the edge ``variance (1 + sqrt(p / n))^2`` (V.
    Marchenko & L. Pastur, 1967). Those above it are kept, all others replaced by their mean, so that the
    trace stays; then the diagonal is scaled to 1 again. Source: L. Laloux, P. Cizeau, M. Potters & J.-P.
    Bouchaud, Random matrix theory and financial correlations, Int. J. Theoretical and Applied Finance 3(3),
    2000.

    O(n p^2 + p^3) time, of eigenvectors only those above the edge; two p x p arrays.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 1)) + rng.normal(size=(500, 4))
    >>> denoise(X, correlation=True).half.round(2)
    array([1.  , 0.52, 0.52, 0.51, 1.  , 0.52, 0.51, 1.  , 0.52, 1.  ])
    """
    if not is_real(variance) or not 0 < as_float("variance", variance) < np.inf:
        raise ValueError(f"variance must be a positive number, mostly 1, not {variance!r}")
    data = open_data(X, missing=missing, policies=POLICIES)
    ddof = as_ddof(ddof, assume_centered)
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    about = {"ddof": ddof, "variance": variance, "correlation": bool(correlation)}
    about["assume_centered"] = bool(assume_centered)
    implied = 1 if correlation else None
    with begin(data, wanted, "denoise", about, implied=implied) as result:
        if result.is_complete:
            return result.store()
        result.hold()
        within = Wanted(result.plain, result.half, executor=executor, threads=threads, progress=progress)
        plain = Result(data.p, data.dtype, within)
        rows, deviation = _correlated(data, plain, by_tiles(data, result), ddof, assume_centered)
        above = 2.0 * data.p  # all eigenvalues: a number of any dtype, whatever the variance
        edge = min(float(variance), above) * (1 + np.sqrt(data.p / rows)) ** 2
        values, vectors = eigh(
            Packed(plain.half, plain.layout), threads=threads, subset_by_value=(edge, np.inf)
        )
        values, vectors = values.astype(np.float64), vectors.astype(np.float64)
        level = (data.p - float(values.sum())) / max(1, data.p - values.size)
        diagonal = level + (vectors * vectors) @ (values - level)
        scale = (1 if correlation else deviation) / np.sqrt(diagonal)
        write_spectrum(result, vectors, values, level, scale)
        if correlation:
            result.half[result.plain.diagonal_slots(data.p)] = 1
        return result.store()


def shrunk_eigenvalues(values: Array, p: int, n: int) -> tuple[Array, float]:
    """Shrunk eigenvalues for the positive ones of a sample covariance, and that for the others, if n < p."""
    top = values.max()
    shrunk, floor = _shrunk(values / top, p, n)
    return shrunk * top, floor * float(top)


def _shrunk(values: Array, p: int, n: int) -> tuple[Array, float]:
    """As `shrunk_eigenvalues`, of values up to 1, whose squares have a place in float64."""
    width = n ** (-1 / 3)
    density, hilbert = np.empty_like(values), np.empty_like(values)
    height = max(1, KERNEL_NUMBERS // values.size)
    scale = width * values
    for start in range(0, values.size, height):
        part = slice(start, start + height)
        x = (values[part, None] - values) / scale
        bump = 1 - x * x / 5
        density[part] = 3 / (4 * np.sqrt(5)) * (np.maximum(bump, 0) / scale).mean(axis=1)
        hilbert[part] = (_hilbert(x, bump) / scale).mean(axis=1)
    c = p / n
    if p <= n:
        squares = (np.pi * c * values * density) ** 2 + (1 - c - np.pi * c * values * hilbert) ** 2
        return values / squares, 0.0
    root = np.sqrt(5) * width
    at_zero = (
        (
            3 / (10 * width**2)
            + 3 / (4 * np.sqrt(5) * width) * (1 - 1 / (5 * width**2)) * np.log((1 + root) / (1 - root))
        )
        / np.pi
        * (1 / values).mean()
    )
    floor = 1 / (np.pi * (p - n) / n * at_zero)
    return values / (np.pi**2 * values**2 * (density**2 + hilbert**2)), float(floor)


def _hilbert(x: Array, bump: Array) -> Array:
    """The Hilbert transform of Epanechnikov's kernel; far out, where the formula cancels, by a series."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = bump * np.log(np.abs((np.sqrt(5) - x) / (np.sqrt(5) + x)))
    log[np.abs(x) == np.sqrt(5)] = 0
    found = 3 / (4 * np.sqrt(5)) * log - 3 * x / 10
    far = np.abs(x) > FAR
    u = np.sqrt(5) / x[far]
    found[far] = -3 / np.sqrt(5) * u * sum(u ** (2 * k) / ((2 * k + 1) * (2 * k + 3)) for k in range(TERMS))
    return np.asarray(found / np.pi)


def write_spectrum(
    result: Result,
    vectors: Array,
    values: Array,
    floor: float,
    scale: Array | None = None,
    *,
    progress: Progress | None = None,
) -> None:
    """U diag(values - floor) U^T + floor I, rows and columns scaled, into the half, or tile by tile.

    `progress` is told of blocks of the half; of tiles, whoever wants the result.
    """
    left = vectors if scale is None else vectors * scale[:, None]
    added = np.full(result.p, floor) if scale is None else floor * scale**2
    block = _Block(left, left * (values - floor), added, result.dtype)
    if result.is_held:
        runs = result.runs()
        places = list(blocks(result.p, runs.grow, SIDE))
        for done, (rows, columns) in enumerate(places, 1):
            runs.write(rows, columns, block(rows, columns), "write", 1)
            if progress is not None:
                progress(done, len(places))
    else:
        result.fill(Tiles(block, SIDE))


@dataclass(frozen=True)
class _Block:
    """A block of U W^T + diag(d)."""

    left: Array
    weighted: Array
    added: Array
    dtype: Dtype

    def __call__(self, rows: slice, columns: slice) -> Array:
        found = self.weighted[rows] @ self.left[columns].T
        if rows == columns:
            found.flat[:: len(found) + 1] += self.added[rows]
        return found.astype(self.dtype)


def _of_rows(data: Data, assume_centered: bool) -> tuple[int, Array, Array]:
    """n, the positive eigenvalues and their eigenvectors, by the inner products of rows."""
    from scipy.linalg import eigh

    rows = data.check()
    _check_samples(rows)
    X = data.whole("nonlinear with fewer rows than columns")
    center = center_of(data, assume_centered)
    y: Array = X - (X[0].astype(np.float64) if center is None else center)
    if center is not None:
        y[np.isnan(y)] = 0
    if assume_centered:
        y = X.astype(np.float64) if center is None else y
    else:
        y -= y.mean(axis=0)
    with np.errstate(over="ignore"):
        squares = np.einsum("ij,ij->j", y, y)
        if not squares.sum() <= np.finfo(np.float64).max:
            raise_overflow(data)
    check_underflow(data, squares, data.dtype, about_zero=assume_centered)
    samples = rows - (not assume_centered)
    values, vectors = eigh(y @ y.T / samples, overwrite_a=True, check_finite=False)
    lost = rows - samples  # the eigenvalue that centring made zero
    values, vectors = values[lost:], vectors[:, lost:]
    _check_rank(values, data, rows)
    return samples, values, y.T @ (vectors / np.sqrt(samples * values))


def _of_columns(data: Data, assume_centered: bool, found: Result, in_tiles: bool) -> tuple[int, Array, Array]:
    """n, the eigenvalues and the eigenvectors of the sample covariance, which is `found`."""
    ddof = as_ddof(None, assume_centered)
    if in_tiles:
        centre, block = block_of(data, data, found, None, ddof, assume_centered=assume_centered)
        _check_columns(data, centre)
        found.fill(Tiles(block, products.SIDE))
        rows = centre.rows
    else:
        moments = _gathered(data, found, found.runs(), assume_centered)
        _check_columns(data, moments)
        if moments.rows - (not assume_centered) < data.p:
            data.whole("nonlinear with fewer rows than columns")
        write_covariance(moments, found, divisor_of(moments, ddof))
        rows = moments.rows
    half, found.half = found.half, np.empty(0)
    values, vectors = eigh(Packed(half), threads=found.wanted.threads)
    _check_rank(values, data, rows)
    return rows - (not assume_centered), values, vectors


def _check_columns(data: Data, moments: Moments | Centre) -> None:
    _check_samples(moments.rows)
    check_varied(data, moments.variances(1.0), "its eigenvalue is 0")


def _correlated(
    data: Data, plain: Result, in_tiles: bool, ddof: float, assume_centered: bool
) -> tuple[int, Array]:
    """Write the sample correlation; n, and the standard deviations."""
    moments: Moments | Centre
    if in_tiles:
        moments = fill_products(
            data, data, plain, None, ddof, assume_centered=assume_centered, standardise=True
        )
        return moments.rows, np.sqrt(moments.variances(divisor_of(moments, ddof)))
    moments = _gathered(data, plain, accumulator(data.p, data.dtype, plain.runs()), assume_centered)
    deviation = np.sqrt(moments.variances(divisor_of(moments, ddof)))
    write_correlation(moments, data, plain)  # in the place of what variances are taken from
    return moments.rows, deviation


def _gathered(data: Data, result: Result, runs: Runs, assume_centered: bool) -> Moments:
    """Sums over the rows in one pass, by this process."""
    return gather(
        data,
        runs,
        shift=center_of(data, assume_centered),
        assume_centered=assume_centered,
        threads=result.wanted.threads,
        progress=result.wanted.progress,
    )


def _check_samples(rows: int) -> None:
    if rows <= LEAST_SAMPLES:
        raise ValueError(
            f"X has {rows} rows, and nonlinear shrinkage estimates a density from at least "
            f"{LEAST_SAMPLES + 1}"
        )


def _check_rank(values: Array, data: Data, rows: int) -> None:
    least = values[-1] * values.size * np.finfo(data.dtype).eps
    missing = int(np.count_nonzero(values <= least))
    if missing:
        raise ValueError(
            f"the sample covariance of {data.p} columns and {rows} rows "
            f"has rank {values.size - missing}, not "
            f"{values.size}: drop columns that others determine, and rows that repeat"
        )
