"""Covariances shrunk towards a target, by as much as the data say: Ledoit-Wolf and OAS."""

from __future__ import annotations

from typing import Any

import numpy as np

from vech.arrays import Array
from vech.covariance import products
from vech.covariance.data import Data, begin, open_data
from vech.covariance.incomplete import center_of
from vech.covariance.moments import gather
from vech.covariance.sample import block_of, by_tiles, check_varied, fill_products, write_covariance
from vech.covariance.scatter import ConstantCorrelation, Identity, InHalf, InTiles, Scatter
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import one_of
from vech.results.making import Tiles
from vech.results.result import Result
from vech.results.wanted import Progress, Wanted

POLICIES = ("raise", "neutral")
TARGETS = ("identity", "constant-correlation")
NUMBERS = 2**18  # of X looked at together beside the products
EVEN = 1e60  # sums of squares of a row from 1 / EVEN to EVEN have a place in float64 when they are squared


def ledoit_wolf(
    X: Any,
    target: str = "identity",
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
    """The covariance shrunk towards a target, by the intensity of Ledoit and Wolf.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; iterator of such; or function returning one
        Real numbers, as `sample` takes them; "constant-correlation" reads them twice.
    target : {"identity", "constant-correlation"}
        A multiple of the identity matrix; or the sample variances with one correlation for all, the mean.
    missing : {"raise", "neutral"}
        NaN is an error; or counts as its column's mean in all that is computed, which makes S and the
        intensity those of a complete X, and reads X once more. For pairs of rows no intensity is known:
        shrink ``sample(X, missing="pairwise")`` by `vech.linalg.shrink_to_psd`.
    assume_centered : bool
        Whether the means are taken to be zero, which also is what a neutral NaN then counts as.
    return_shrinkage : bool
        Whether to give the intensity too.
    layout, out, resume, encoding, executor, threads, progress
        As `sample` has them.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        ``(1 - d) S + d F``, S the sample covariance with ddof = 0. Positive definite for d > 0 (with
        "constant-correlation" if the mean correlation is less than 1 and no less than -1 / (n_features - 1)).
    float
        The intensity d, 0 to 1, with `return_shrinkage`.

    Raises
    ------
    ValueError
        For NaN, infinities, fewer than two rows, no columns, and with "constant-correlation" a constant
        column.
    TypeError
        For columns that are no real numbers, and an iterator where X is read twice.
    OverflowError
        If sums of squares exceed the dtype.

    Notes
    -----
    "identity" (O. Ledoit & M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices,
    J. Multivariate Analysis 88, 2004) is what scikit-learn has: ``F = m I``, ``m = tr S / p``,
    ``d = min(b, c) / c``, ``c = (||S||^2 - p m^2) / p``, ``b = (sum_t ||x_t||^4 / n - ||S||^2) / (n p)``,
    where n = n_samples, p = n_features, x_t is centred (or taken as it is), and the norm is Frobenius'. One
    pass over X.

    "constant-correlation" (Honey, I shrunk the sample covariance matrix, J. Portfolio Management 30(4), 2004)
    has ``F_ij = r s_i s_j``, ``F_ii = S_ii``, and an intensity of sums over all pairs that are, but for
    ``||S - F||``, sums over t of products of sums over i: no matrix beside S is made.

    Both take the time and memory of `sample`, two or three passes over the half, and O(n p). (With n < p the
    n x n matrix of inner products would give ||S|| too, but not sooner than a pass over S, which is wanted
    anyway.)

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
    >>> S, d = ledoit_wolf(X, return_shrinkage=True)
    >>> S.half.round(4), round(d, 4)
    (array([2.119 , 0.2276, 2.631 ]), 0.7724)
    """
    one_of("target", target, TARGETS)
    data = open_data(X, missing=missing, policies=POLICIES)
    if target == "constant-correlation":
        data.need_passes(f"target={target!r}")
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    about = {"target": target, "assume_centered": bool(assume_centered)}
    with begin(data, wanted, "ledoit_wolf", about, rereads=not return_shrinkage) as result:
        if result.is_complete:
            return result.store()
        center = center_of(data, assume_centered)
        fourths = Fourths(data, np.zeros(data.p) if assume_centered else center)
        look = fourths if target == "identity" else None
        scatter = _estimated(data, result, center, assume_centered, look)
        shrink = _towards_identity if target == "identity" else _towards_constant_correlation
        intensity = shrink(data, scatter, fourths)
        store = result.store()
        return (store, intensity) if return_shrinkage else store


def oas(
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
    """The covariance shrunk towards a multiple of the identity matrix, by the oracle approximating intensity.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; iterator of such; or function returning one
        Real numbers, as `sample` takes them; mostly normal ones, which the formula assumes.
    missing : {"raise", "neutral"}
        As `ledoit_wolf` has it.
    assume_centered : bool
        Whether the means are taken to be zero.
    return_shrinkage : bool
        Whether to give the intensity too.
    layout, out, resume, encoding, executor, threads, progress
        As `sample` has them.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        ``(1 - d) S + d (tr S / p) I``, S the sample covariance with ddof = 0.
    float
        The intensity d, 0 to 1, with `return_shrinkage`.

    Raises
    ------
    ValueError, TypeError, OverflowError
        As `ledoit_wolf` does.

    Notes
    -----
    ``d = min(1, (a + m^2) / ((n + 1) (a - m^2 / p)))`` with ``m = tr S / p`` and ``a = ||S||^2 / p^2``, as
    scikit-learn has it: equation 23 of Y. Chen, A. Wiesel, Y. Eldar & A. Hero, Shrinkage algorithms for MMSE
    covariance estimation, IEEE Trans. Signal Processing 58(10), 2010, less a term in 2 / p. One pass over X,
    two over the half.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 3.0]])
    >>> S, d = oas(X, return_shrinkage=True)
    >>> S.half.round(4), d
    (array([2.375, 0.   , 2.375]), 1.0)
    """
    data = open_data(X, missing=missing, policies=POLICIES)
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    about = {"assume_centered": bool(assume_centered)}
    with begin(data, wanted, "oas", about, rereads=not return_shrinkage) as result:
        if result.is_complete:
            return result.store()
        scatter = _estimated(data, result, center_of(data, assume_centered), assume_centered)
        p, mean = data.p, float(scatter.diagonal().mean())
        alpha = scatter.square(mean) / p**2
        under = (scatter.moments.rows + 1) * (alpha - 1 / p)
        intensity = 0.0 if p == 1 else 1.0 if under <= 0 else min((alpha + 1) / under, 1.0)
        scatter.mix(intensity, Identity(mean))
        store = result.store()
        return (store, intensity) if return_shrinkage else store


class Fourths:
    """Sums over rows that give ``sum_t ||x_t - m||^4`` about their mean m, in one pass.

    Of y = (x - c) / unit, q = ||y||^2, about the first row's neighbourhood c: the sums of q, q^2 and q y. The
    unit is a power of two that fits the largest rows so far, so that X may have any that its squares have a
    place for. About a `center` that is known to be the mean, c is that, and NaN counts as it.
    """

    def __init__(self, data: Data, center: Array | None = None) -> None:
        self.know(center)
        self.unit = 1.0
        self.squares = self.fourths = 0.0
        self.thirds = np.zeros(data.p)
        self.sums = np.zeros(data.p)

    def know(self, center: Array | None) -> None:
        """What the mean is, before any row."""
        self.shift = center
        self.known = center is not None

    def __call__(self, block: Array) -> None:
        """Look at these rows."""
        if self.shift is None:
            self.shift = block[:64].astype(np.float64).mean(axis=0)
        height = max(1, NUMBERS // len(self.sums))
        for start in range(0, len(block), height):
            y = block[start : start + height] - self.shift
            if self.known:
                y[np.isnan(y)] = 0
            if self.unit != 1:
                y /= self.unit
            q = np.einsum("ij,ij->i", y, y)
            most = float(q.max())
            if not most <= EVEN or (most < 1 / EVEN and not self.squares):
                y, q = self._in_unit(y)
            self.squares += float(q.sum())
            self.fourths += float(q @ q)
            self.thirds += q @ y
            self.sums += y.sum(axis=0)

    def _in_unit(self, y: Array) -> tuple[Array, Array]:
        """Rows, and their squares, in a unit that fits; the sums so far as well."""
        change = float(np.ldexp(1.0, np.frexp(np.abs(y).max())[1]))
        self.unit *= change
        if self.squares:  # then the unit grows
            self.sums /= change
            self.thirds *= change**-3
            self.squares *= change**-2
            self.fourths *= change**-4
        y = y / change
        return y, np.einsum("ij,ij->i", y, y)

    def about(self, rows: int, scatter: Scatter) -> float:
        """``sum_t ||x_t - m||^4`` in units^4, given ``sum_t (x_t - m)(x_t - m)^T / rows``."""
        if self.known:
            return self.fourths
        r = self.sums / rows
        rr = float(r @ r)
        reach = float(np.abs(r) @ np.sqrt(scatter.diagonal()))  # sqrt(r^T S r) at most
        share = scatter.quadratic((r / reach).astype(scatter.dtype)) if reach else 0.0
        spread = share * (reach / self.unit) ** 2  # r^T S r
        through = spread + rr**2  # of r^T (sum y y^T) r / rows
        return (
            self.fourths
            - 4 * float(r @ self.thirds)
            + 4 * rows * through
            + 2 * rr * self.squares
            - 4 * rows * rr**2
            + rows * rr**2
        )


def _estimated(
    data: Data,
    result: Result,
    center: Array | None,
    assume_centered: bool,
    look: Fourths | None = None,
) -> Scatter:
    """The sample covariance with ddof = 0, to be shrunk where it is; `look` sees each block of X."""
    if by_tiles(data, result):
        _check_rows(data.n or 0)
        if result.tiles is not None:
            centre, made = block_of(data, data, result, None, 0.0, assume_centered=assume_centered)
            if look is not None:
                look.know(centre.mean)
        if look is not None:
            for _, block in data.blocks():
                look(block)
        if result.tiles is not None:
            return InTiles(result.tiles, centre, Tiles(made, products.SIDE))
        centre = fill_products(data, data, result, None, 0.0, assume_centered=assume_centered)
        return InHalf(result, centre)
    moments = gather(
        data,
        result.runs(),
        shift=center,
        assume_centered=assume_centered,
        threads=result.wanted.threads,
        progress=result.wanted.progress,
        look=look,
    )
    _check_rows(moments.rows)
    write_covariance(moments, result, moments.weight)
    return InHalf(result, moments)


def _check_rows(rows: int) -> None:
    if rows < 2:
        raise ValueError("X has 1 row: an intensity of shrinkage is estimated from at least 2")


def _towards_identity(data: Data, scatter: Scatter, fourths: Fourths) -> float:
    p, n, mean = data.p, scatter.moments.rows, float(scatter.diagonal().mean())
    if p == 1 or mean == 0:
        scatter.mix(0.0, Identity(mean))
        return 0.0
    square = scatter.square(mean)
    most = (square - p) / p
    fourth = fourths.about(n, scatter) * (fourths.unit / mean * fourths.unit) ** 2
    noise = min(max((fourth / n - square) / (n * p), 0.0), most)
    intensity = noise / most if noise > 0 else 0.0
    scatter.mix(intensity, Identity(mean))
    return intensity


def _towards_constant_correlation(data: Data, scatter: Scatter, _: Fourths) -> float:
    p, n = data.p, scatter.moments.rows
    variances = scatter.diagonal()
    check_varied(data, variances)
    deviation = np.sqrt(variances)
    if p == 1:
        scatter.mix(0.0, ConstantCorrelation(deviation, 0.0))
        return 0.0
    # of X, in which all below is computed
    unit = float(np.ldexp(1.0, np.frexp(np.sqrt(variances.mean()))[1]))
    variances = variances / unit / unit
    own = np.sqrt(variances)
    a2 = b2 = cb = q2 = fourths = 0.0
    mean = scatter.moments.mean
    for _start, block in data.blocks(max(1, NUMBERS // p)):
        y = (block - mean) / unit
        if data.missing == "neutral":
            y[np.isnan(y)] = 0
        a, b = y @ (1 / own), y @ own
        y2 = y * y
        q = y2.sum(axis=1)
        cb += float((y2 * y) @ (1 / own) @ b)
        a2, b2, q2 = a2 + float(a @ a), b2 + float(b @ b), q2 + float(q @ q)
        fourths += float(np.vdot(y2, y2))
    r = (a2 / n - p) / (p * (p - 1))
    of_variances = fourths / n - float(variances @ variances)  # of the diagonal
    of_pairs = q2 / n - scatter.square(unit, unit)
    of_target = of_variances + r * ((cb - b2) / n - of_variances)
    distance = scatter.distance(own, r, unit)
    negligible = 64 * np.finfo(scatter.dtype).eps ** 2 * float(variances.sum()) ** 2
    intensity = 0.0 if distance <= negligible else min(max((of_pairs - of_target) / distance / n, 0.0), 1.0)
    scatter.mix(intensity, ConstantCorrelation(deviation, r))
    return intensity
