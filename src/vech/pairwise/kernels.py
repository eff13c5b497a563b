"""Kernels between rows, as support vector machines and Gaussian processes take them, straight to a half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, as_array, as_float, family, is_real
from vech.frames import as_sparse, is_sparse, labels_of, to_dense
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import one_of
from vech.moves.foreign import judged
from vech.pairwise import products, sparse_distances, tiles
from vech.pairwise.points import BOTH_PARTS, exponents, pieces, place, wanted_dtype
from vech.pairwise.rows import check_matrix, inexact
from vech.pairwise.sparse_distances import Sparse, common, inner_products
from vech.results.making import Block, Progress, Wanted, make

SERIES = 40  # terms of a Matern kernel near zero
NOTHING = 1e4  # of which exp(-x) is zero, and x^2 a number
SMOOTHEST = 100  # nu beyond which double has not the range that a Bessel function needs

Function = Callable[..., Array]


# ---------------------------------------------------------------- what kernels are made of


@dataclass(frozen=True)
class Inner:
    """Blocks of inner products. `units` are the exponents of rows of which terms may leave the range."""

    X: Array
    units: Array | None

    def __call__(self, rows: slice, columns: slice) -> Array:
        """By BLAS, and of the same bits either way."""
        if columns.start < rows.start:
            return self(columns, rows).T
        m = self.X.shape[1]
        block = products.inner_products(lambda side, piece: self.X[side, piece], m, rows, columns)
        if self.units is None:
            return block
        units = self.units

        def near(i: Array, j: Array) -> Array:
            x, y = (np.ldexp(self.X[side], -units[side, None]) for side in (rows, columns))
            return np.array([(x[a] * y[b]).sum() for a, b in zip(i, j, strict=True)], block.dtype)

        return _mended(block, near, units[rows], units[columns])


@dataclass(frozen=True)
class SparseInner:
    """The same of sparse rows."""

    X: Sparse
    dtype: Dtype
    units: Array | None = None

    def __call__(self, rows: slice, columns: slice) -> Array:
        """In double, then rounded."""
        block = _sparse_products(self.X, rows, columns)
        if (units := self.units) is not None:
            near = replace(self.X, data=np.ldexp(self.X.data, -units[self.X.row()]))
            some = units[rows], units[columns]
            _mended(block, lambda i, j: _sparse_products(near, rows, columns)[i, j], *some)
        with np.errstate(over="ignore"):
            return np.asarray(block, self.dtype)


def _sparse_products(X: Sparse, rows: slice, columns: slice) -> Array:
    left, right = common(X.rows(rows), X.rows(columns))
    return inner_products(left, right)


def _mended(block: Array, near: Function, left: Array, right: Array) -> Array:
    """Products that are no numbers as those of rows near one, in these units; in place."""
    i, j = np.nonzero(~np.isfinite(block))
    if i.size:
        with np.errstate(over="ignore", under="ignore"):
            block[i, j] = np.ldexp(near(i, j), left[i] + right[j])
    return block


@dataclass(frozen=True)
class Cosines:
    """1 - the distances; rows without a direction have no cosine, and no length."""

    of: products.Products
    empty: Array

    def __call__(self, rows: slice, columns: slice) -> Array:
        """Ones on the diagonal, but for empty rows."""
        block = np.asarray(1 - self.of(rows, columns))
        if rows == columns:
            np.fill_diagonal(block, ~self.empty[rows])
        return block


@dataclass(frozen=True)
class Mapped:
    """A function of each number of blocks, with its parameters."""

    of: Block
    function: Function
    parameters: tuple[float, ...]

    def __call__(self, rows: slice, columns: slice) -> Array:
        """In place."""
        return self.function(self.of(rows, columns), *self.parameters)


# ---------------------------------------------------------------- functions of numbers


def _scaled(block: Array, factor: float) -> Array:
    """The block times a factor, in place; 0 stays 0 where the factor is beyond the dtype."""
    most = float(np.finfo(block.dtype).max)
    with np.errstate(over="ignore"):
        block *= min(max(factor, -most), most)
    return block


def _linear(block: Array, gamma: float, coef0: float) -> None:
    """gamma x.y + coef0, in place, where x.y may be infinite."""
    if gamma:
        _scaled(block, gamma)
    else:
        block.fill(0)
    with np.errstate(over="ignore"):
        block += coef0


def power(block: Array, gamma: float, degree: float, coef0: float) -> Array:
    """(gamma x.y + coef0)^degree."""
    _linear(block, gamma, coef0)
    if degree != int(degree) and (block < 0).any():
        raise ValueError(
            f"gamma x.y + coef0 is {block.min():g} for some rows, and a negative number has no real power of "
            f"{degree}: give a whole degree, or a larger coef0"
        )
    with np.errstate(over="ignore"):
        block **= int(degree) if degree == int(degree) else degree
    return block


def tangent(block: Array, gamma: float, coef0: float) -> Array:
    """tanh(gamma x.y + coef0)."""
    _linear(block, gamma, coef0)
    return np.asarray(np.tanh(block, out=block))


def exponential(block: Array, gamma: float) -> Array:
    """exp(-gamma d), where d may be infinite."""
    if not gamma:
        return np.ones_like(block)
    _scaled(block, -gamma)
    return np.asarray(np.exp(block, out=block))


def negative(block: Array) -> Array:
    """-d, and 0 for 0."""
    return np.asarray(np.subtract(0, block, out=block))


def matern_half(block: Array, scale: float) -> Array:
    """Of nu = 1/2."""
    return exponential(block, scale)


def matern_one_and_half(block: Array, scale: float) -> Array:
    """Of nu = 3/2."""
    block = np.minimum(_scaled(block, 3**0.5 * scale), NOTHING)
    return np.asarray((1 + block) * np.exp(-block))


def matern_two_and_half(block: Array, scale: float) -> Array:
    """Of nu = 5/2."""
    block = np.minimum(_scaled(block, 5**0.5 * scale), NOTHING)
    return np.asarray((1 + block + block**2 / 3) * np.exp(-block))


def matern(block: Array, nu: float, scale: float) -> Array:
    """2^(1 - nu) / Gamma(nu) z^nu K_nu(z) for z = sqrt(2 nu) d scale; 1 at zero.

    Near zero, where K_nu is beyond double, by the series of I_-nu, the larger part of it: DLMF 10.27.4,
    10.25.2.
    """
    from scipy.special import gammaln, kve

    z = np.minimum(_scaled(np.array(block, np.float64), (2 * nu) ** 0.5 * scale), NOTHING)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bessel = kve(nu, z)
        logarithm = (1 - nu) * np.log(2) - gammaln(nu) + nu * np.log(z) + np.log(bessel) - z
    far = np.isfinite(bessel) & (z > 0)
    found = np.exp(np.where(far, logarithm, 0))
    near = z[~far] ** 2 / 4
    term = total = np.ones_like(near)
    for k in range(1, min(SERIES, int(np.ceil(nu)))):
        term = -term * near / (k * (nu - k))
        total = total + term
    found[~far] = total
    block[...] = np.minimum(found, 1)
    return block


# ---------------------------------------------------------------- the table


@dataclass(frozen=True)
class Given:
    """The parameters of a kernel, those that are None as they are for this X."""

    gamma: float | None
    degree: float
    coef0: float
    nu: float
    columns: int

    def rate(self, otherwise: float | None = None) -> float:
        """gamma, by default 1 / m."""
        if self.gamma is not None:
            return self.gamma
        return 1 / max(1, self.columns) if otherwise is None else otherwise


def inner(X: Any) -> Block:
    """Blocks of inner products."""
    if not is_sparse(X):
        return Inner(X, _units(exponents(X.T), X.dtype, X.shape[1]))
    rows, dtype = sparse_distances.opened(X)
    return SparseInner(rows, dtype, _units(np.frexp(rows.largest())[1], rows.data.dtype, X.shape[1]))


def _units(sizes: Array, dtype: Dtype, columns: int) -> Array | None:
    """The exponents of rows, if products of two may leave the range of the dtype."""
    room = np.finfo(dtype).maxexp - columns.bit_length()
    return sizes if 2 * int(sizes.max(initial=0)) > room else None


def squares(X: Any) -> Block:
    """Blocks of squared distances."""
    return sparse_distances.euclidean(X, True) if is_sparse(X) else products.euclidean(X, True)


def lengths(X: Any) -> Block:
    """Blocks of distances."""
    return sparse_distances.euclidean(X) if is_sparse(X) else products.euclidean(X)


def blocks_of_cosines(X: Any, given: Given) -> Block:
    """Of rows of length one."""
    if is_sparse(X):
        block = sparse_distances.cosine(X)
        return Cosines(block, np.diff(block.X.indptr) == 0)
    directions = products.cosine(X)
    return Cosines(directions, directions.factor == 0)


def of_laplacian(X: Any, given: Given) -> Block:
    """Of the sums of absolute differences."""
    distances = sparse_distances.cityblock(X) if is_sparse(X) else tiles.Kernel(X, "cityblock", X.dtype)
    return Mapped(distances, exponential, (given.rate(),))


def chi_squares(X: Array) -> Block:
    """Sums of (x - y)^2 / (x + y), of numbers that are not negative."""
    return tiles.Kernel(X, "chi_squared", X.dtype)


def of_matern(X: Any, given: Given) -> Block:
    """As scikit-learn's process, of length scale 1 by default."""
    rate = given.rate(0.5)
    scale = (2 * rate) ** 0.5 if rate < 1 else 2 * (rate / 2) ** 0.5
    if given.nu == np.inf or not rate:
        return Mapped(squares(X), exponential, (rate,))
    plain = {0.5: matern_half, 1.5: matern_one_and_half, 2.5: matern_two_and_half}.get(given.nu)
    if plain is not None:
        return Mapped(lengths(X), plain, (scale,))
    return Mapped(lengths(X), matern, (given.nu, scale))


@dataclass(frozen=True)
class Kernel:
    """One kernel: how its blocks are made, which parameters it takes, and of which X."""

    make: Callable[[Any, Given], Block]
    takes: tuple[str, ...] = ()
    unit: bool = False  # the diagonal is one
    sparse: bool = True
    signed: bool = True


KERNELS = {
    "linear": Kernel(lambda X, given: inner(X)),
    "polynomial": Kernel(
        lambda X, given: Mapped(inner(X), power, (given.rate(), given.degree, given.coef0)),
        ("gamma", "degree", "coef0"),
    ),
    "sigmoid": Kernel(
        lambda X, given: Mapped(inner(X), tangent, (given.rate(), given.coef0)), ("gamma", "coef0")
    ),
    "rbf": Kernel(lambda X, given: Mapped(squares(X), exponential, (given.rate(),)), ("gamma",), unit=True),
    "laplacian": Kernel(of_laplacian, ("gamma",), unit=True),
    "matern": Kernel(of_matern, ("gamma", "nu"), unit=True),
    "cosine": Kernel(blocks_of_cosines),
    "chi2": Kernel(
        lambda X, given: Mapped(chi_squares(X), exponential, (given.rate(1.0),)),
        ("gamma",),
        unit=True,
        sparse=False,
        signed=False,
    ),
    "additive_chi2": Kernel(
        lambda X, given: Mapped(chi_squares(X), negative, ()), sparse=False, signed=False
    ),
}
ALIASES = {"poly": "polynomial"}


# ---------------------------------------------------------------- the public function


def kernel(
    X: Any,
    metric: str = "rbf",
    *,
    gamma: float | None = None,
    degree: float = 3,
    coef0: float = 1.0,
    nu: float = 1.5,
    layout: str | AnyLayout = "vech",
    dtype: Any = None,
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """A kernel of each two rows of X: similarities that an inner product of some space is.

    Parameters
    ----------
    X : array, data frame, or SciPy sparse array, shape (n, m)
        One thing a row; real and finite. It is left as it is. The index of a frame labels the result. "chi2"
        and "additive_chi2" take no sparse X, and no negative number.
    metric : str
        Its name, as in scikit-learn's `pairwise_kernels`; see Notes.
    gamma : float, optional
        How fast similarity falls with distance, or a factor of inner products; by default 1 / m, for "chi2" 1
        and for "matern" 1/2. A length scale l is gamma = 1 / (2 l^2).
    degree : float
        Of "polynomial".
    coef0 : float
        The constant of "polynomial" and "sigmoid".
    nu : float
        How smooth "matern" is: above 0 and up to 100, or infinity, which is "rbf".
    layout : str or layout
        Of the result. Where the diagonal is 1 a layout of ones serves.
    dtype : {"float32", "float64"}, optional
        Of numbers and result: float32 for X of floats of at most 4 bytes, else float64.
    out : array or path, optional
        Where the result goes: an array of the half's dtype and length, or a path ending in .npy; or one in
        .zarr, a `vech.Tiled`, which has no layout.
    resume : bool
        Go on from the journal beside `out`, or with what the store misses, where a run was interrupted.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes; by default this process.
    threads : int, optional
        At most so many threads for what is not BLAS, which has its own.
    progress : callable, optional
        Called as ``progress(done, total)``, in tiles.

    Returns
    -------
    vech.Packed, or vech.Tiled
        Symmetric.

    Raises
    ------
    ValueError
        If X is not two-dimensional, or holds NaN or infinity, or a negative number where none may be: row and
        column are named. If there is no such kernel, a parameter is out of its range, or a power of a
        negative number is no real one.
    TypeError
        For what is no matrix of real numbers, a parameter that the kernel does not have, sparse X where it
        must be an array, and a dtype that is neither.
    OverflowError
        If a number of X is beyond `dtype`.
    MemoryError
        If the result is larger than memory and swap together.

    See Also
    --------
    vech.pairwise.cosine : cosines of sparse rows, of which small ones are left out.

    Notes
    -----
    ==================== ============================================================================
    "linear"             ``x.y``
    "polynomial", "poly" ``(gamma x.y + coef0)^degree``
    "sigmoid"            ``tanh(gamma x.y + coef0)``
    "cosine"             ``x.y / (|x| |y|)``, 0 for rows of zeros
    "rbf"                ``exp(-gamma |x - y|^2)``
    "laplacian"          ``exp(-gamma sum |x_k - y_k|)``
    "chi2"               ``exp(-gamma sum (x_k - y_k)^2 / (x_k + y_k))``, where 0 / 0 is 0
    "additive_chi2"      ``-sum (x_k - y_k)^2 / (x_k + y_k)``
    "matern"             ``2^(1 - nu) / Gamma(nu) z^nu K_nu(z)``, with ``z = 2 sqrt(nu gamma) |x - y|``
    ==================== ============================================================================

    K_nu is the modified Bessel function; for nu = 1/2, 3/2, 5/2 and infinity there are closed forms. This is
    scikit-learn's ``Matern(length_scale, nu)`` with gamma = 1 / (2 length_scale^2), so that "matern" tends to
    "rbf" of the same gamma as nu grows.

    Time n^2 m / 2 products, by BLAS but for "laplacian" and both chi2. Distances keep their digits where rows
    are near each other (docs/pairwise.md), so the diagonal of what falls with distance is exactly 1. Memory:
    the half, tiles of 480 x 480, and X once more where it is no array of floats side by side.

    Examples
    --------
    >>> X = np.array([[0.0, 0], [1, 0], [1, 1]])
    >>> kernel(X, gamma=0.5).expand().round(4)
    array([[1.    , 0.6065, 0.3679],
           [0.6065, 1.    , 0.6065],
           [0.3679, 0.6065, 1.    ]])

    The mean of a Gaussian process through three points, between the first two:

    >>> K = kernel(X, "matern", nu=2.5).add_diagonal(1e-10)
    >>> weights = vech.linalg.cholesky(K).solve(np.array([1.0, 2, 3]))
    >>> x = kernel(np.vstack([X, [[0.5, 0]]]), "matern", nu=2.5)[3, :3]
    >>> float((x @ weights).round(4))
    1.6336
    """
    labels = labels_of(X, 0)
    name = _named(metric)
    one = KERNELS[name]
    _check_parameters(name, one, gamma=gamma, degree=degree, coef0=coef0, nu=nu)
    came, X = X, _opened(X, name, dtype)
    columns = X.shape[1]
    given = Given(gamma, float(degree), float(coef0), float(nu), columns)
    block = one.make(X, given)
    what = {"function": "kernel", "metric": name, **{k: getattr(given, k) for k in ("degree", "coef0", "nu")}}
    what["gamma"] = gamma
    data = {"X": (X.indptr, X.indices, X.data) if is_sparse(X) else as_array(came, "X", floats=True)}
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    implied = 1 if one.unit else None
    return make(
        block, X.shape[0], inexact(X.dtype), wanted, labels=labels, implied=implied, what=what, data=data
    )


def _named(metric: Any) -> str:
    if callable(metric):
        raise TypeError("metric is a function: vech.pairwise.from_blocks makes a half of one of blocks")
    one_of("metric", metric, (*KERNELS, *ALIASES))
    return ALIASES.get(metric, str(metric))


def _check_parameters(name: str, one: Kernel, **given: Any) -> None:
    """Refuse parameters that the kernel does not have, and values out of range."""
    untouched = {"gamma": None, "degree": 3, "coef0": 1.0, "nu": 1.5}
    for parameter, value in given.items():
        if parameter == "gamma" and value is None:
            continue
        if not is_real(value):
            raise TypeError(f"{parameter} must be a number, not {value!r} of type {type(value).__name__}")
        if parameter not in one.takes and value != untouched[parameter]:
            takers = [repr(other) for other, its in KERNELS.items() if parameter in its.takes]
            raise TypeError(f"metric {name!r} takes no {parameter}: {', '.join(takers)} do")
        number = as_float(parameter, value)
        fits, range_ = {
            "gamma": (0 <= number < np.inf, "zero or a positive number"),
            "degree": (0 <= number < np.inf, "zero or a positive number"),
            "coef0": (abs(number) < np.inf, "a finite number"),
            "nu": (
                0 < number <= SMOOTHEST or number == np.inf,
                f"above 0 and up to {SMOOTHEST}, or numpy.inf",
            ),
        }[parameter]
        if not fits:
            raise ValueError(f"{parameter} is {number:g}, and must be {range_}")


def _opened(came: Any, name: str, dtype: Any) -> Any:
    """X as it is multiplied: finite, of float32 or float64, without gaps; or a sparse array."""
    X = as_sparse(came, "X", square=False)
    wanted = wanted_dtype(dtype, "kernels are computed in these")
    if is_sparse(X):
        if not KERNELS[name].sparse:
            raise TypeError(f"X is sparse, and metric {name!r} takes arrays: pass {to_dense(came, 'X')}")
        check_matrix(X)
        X = judged(X).tocsr()
        if wanted is None or X.dtype == wanted:
            return X
        with np.errstate(over="ignore"):
            found = X.astype(wanted)
        if np.isinf(found.data).any():
            raise OverflowError(f"X holds numbers beyond {wanted}: say dtype='float64'")
        return found
    array = as_array(X, "X", floats=True)
    check_matrix(array)
    if family(array.dtype) == "c":
        raise TypeError(f"X holds {array.dtype}, and kernels are of real numbers: {BOTH_PARTS}")
    wanted = wanted or inexact(array.dtype)
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, wanted)
    signed = KERNELS[name].signed
    for start, piece in pieces(found):
        fits = np.isfinite(piece) if signed else np.isfinite(piece) & (piece >= 0)
        if not fits.all():
            i, j = map(int, np.argwhere(~fits)[0])
            _refuse(array[start + i, j], place(X, start + i, j), name, wanted)
    return found


def _refuse(number: Any, where: str, name: str, dtype: Dtype) -> None:
    if not np.isfinite(float(number)):
        raise ValueError(f"X holds {float(number)} in {where}: fill it, or leave the row out")
    if float(number) < 0 and not KERNELS[name].signed:
        raise ValueError(f"X holds {number} in {where}, and metric {name!r} takes counts, none negative")
    raise OverflowError(f"X holds {number} in {where}, beyond {dtype}: say dtype='float64'")
