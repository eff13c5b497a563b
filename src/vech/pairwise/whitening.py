"""Rows in units of a covariance, and their distances: of near rows by the differences of rows as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype
from vech.moves.packing import pack
from vech.pairwise import products
from vech.pairwise.points import DOUBLE, exponents
from vech.pairwise.tiles import Block, Kernel, rounded

LEAST = 2.0**-8  # of |z|^2 + |z'|^2: of a smaller |z - z'|^2 more than 4 bits are lost
TINY = 2.0**-900  # squares that may have underflowed
MILD = 400  # power of two up to which squares of what is near one stay in range
MOST = 1020  # of a unit: distances that are not near are then infinite, or zero
DEPENDENT = 2.0**-10  # of a column's variance what others leave of it: below, squares lose too much
NUMBERS = 2**20  # of differences that are made at a time


@dataclass(frozen=True)
class Differences:
    """Distances of pairs of rows from differences of `X`: of |d D half| 2^exponent, D powers of two."""

    X: Array
    scale: Array  # of the columns: D is minus that
    half: Array
    exponent: int

    def __call__(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        """Of rows i with rows j; the same bits for either order."""
        n, m = self.X.shape
        pairs, back = np.unique(np.minimum(i, j) * n + np.maximum(i, j), return_inverse=True)
        i, j = np.divmod(pairs, n)
        found = np.zeros(pairs.size)
        others = np.flatnonzero(i != j)
        step = max(1, NUMBERS // max(1, m))
        for start in range(0, others.size, step):
            some = others[start : start + step]
            found[some] = self._some(i[some], j[some])
        return np.asarray(found[back])

    def _some(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        x, y = self.X[i], self.X[j]
        with np.errstate(over="ignore", under="ignore"):
            apart = x - y
            beyond = np.isinf(apart).any(axis=1)
            apart[beyond] = x[beyond] / 2 - y[beyond] / 2
            apart, power = np.frexp(apart)
            power = np.where(apart != 0, power - self.scale, -(2**20))
            top = power.max(axis=1, initial=-(2**20))
            apart = np.ldexp(apart, power - top[:, None]) @ self.half
            length = np.sqrt(np.einsum("ij,ij->i", apart, apart))
            return np.asarray(np.ldexp(length, top + beyond + self.exponent))


@dataclass(frozen=True)
class Multiplied(products.Products):
    """Blocks of |z - z'| by BLAS, and near ones by differences."""

    Z: Array
    exact: Differences

    root = True

    def products(self, rows: slice, columns: slice) -> Array:
        """The products of rows, each with each."""
        return products.inner_products(
            lambda side, piece: self.Z[side, piece], self.Z.shape[1], rows, columns
        )

    def apart(self, pairs: NDArray[np.int64], rows: slice, columns: slice) -> Array:
        """By differences of rows as they are."""
        i, j = np.divmod(pairs, columns.stop - columns.start)
        return self.exact(rows.start + i, columns.start + j)


def mahalanobis(X: Array, VI: Array | None, dtype: Dtype, few: int) -> Block:
    """|(x - y) L|, where L L^T = VI, by default the inverse of the covariance of the columns of X.

    Rows are multiplied first, from the middle of some of them as their origin: z = (x - c) L, which costs
    n m^2. Where |z - z'|^2 < (|z|^2 + |z'|^2) / 256, it is (x - y) L instead. An error is at most some
    16 m eps (|x - c| + |y - c|) |L|, or m eps |x - y| |L| of near rows, |L| being that of its sizes.
    """
    X = X.astype(DOUBLE, copy=False)
    scale = exponents(X)
    Y = X * np.ldexp(1.0, -scale) if abs(scale).max(initial=0) < MOST else np.ldexp(X, -scale)
    if X.size:
        Y -= products.middle(Y[:: -(-len(Y) // products.SAMPLES)])
    if VI is None:
        half, exponent = whitening(Y), 0
    else:
        VI, used = judged(VI), Y.any(axis=0)
        if not used.all():  # the others are constant
            X, Y, scale, VI = X[:, used], Y[:, used], scale[used], VI[used][:, used]
        half, exponent = half_of(VI, scale)
    near = min(max(exponent, -MILD), MILD)
    exact, unit = Differences(X, scale, half, exponent), exponent - near
    n, m = Y.shape
    Z = np.empty((n, m + 1))
    np.matmul(Y, np.ldexp(half, near), out=Z[:, :m])
    own = np.einsum("ij,ij->i", Z[:, :m], Z[:, :m])
    if m > few and unit == 0:
        return rounded(Multiplied(own, np.ascontiguousarray(Z[:, :m]), exact), dtype)
    np.multiply(own, LEAST, out=Z[:, m])
    Z[:, m] += TINY
    return Kernel(Z, "whitened", dtype, factor=2.0 ** min(max(unit, -MOST), MOST), exact=exact)


def whitening(Y: Array) -> Array:
    """W of which the rows of Y W have the covariance one."""
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    n, m = Y.shape
    if n <= m and n > 1:
        raise ValueError(
            f"X has {n} rows and {m} columns, so their covariance is singular: pass VI=, or {m + 1} rows"
        )
    if n < 2 or not m:
        return np.eye(m)
    Y = Y - Y.mean(axis=0)
    Y -= Y.mean(axis=0)  # what rounding has left of it
    spread = np.sqrt(np.einsum("ij,ij->j", Y, Y) / (n - 1))
    Y /= np.where(spread > 0, spread, 1)
    try:
        factor = cholesky(Y.T @ Y / (n - 1))
        left = float((np.diag(factor) ** 2).min())
    except LinAlgError:
        left = 0.0
    if left < DEPENDENT:  # which takes 4 to 10 times as long as squares
        factor = np.linalg.qr(Y, mode="r") / np.sqrt(n - 1)
        left = float((np.diag(factor) ** 2).min())
    if left < m * np.finfo(DOUBLE).eps:
        raise ValueError(
            "the covariance of the columns of X is singular, as some depend on others: leave these out, or "
            "pass VI="
        )
    return np.asarray(solve_triangular(factor, np.eye(m)) / spread[:, None])


def judged(VI: Array) -> Array:
    """A matrix itself; ValueError unless it is symmetric and positive semidefinite."""
    try:
        pack(VI)
    except ValueError as reason:
        raise ValueError(f"VI is not symmetric: {reason}") from None
    values = np.linalg.eigvalsh(VI)
    least, most = values.min(initial=0), np.abs(values).max(initial=0)
    if least < -len(VI) * np.finfo(DOUBLE).eps * most:
        raise ValueError(f"VI has the eigenvalue {least:g}: it must be positive semidefinite")
    return VI


def half_of(VI: Array, scale: Array) -> tuple[Array, int]:
    """L, and the exponent of its unit, with L L^T = D VI D for D the powers of two of these exponents."""
    both = scale + scale[:, None]
    sizes = (np.frexp(VI)[1] + both)[VI != 0]
    exponent = int(sizes.max()) // 2 if sizes.size else 0
    values, vectors = np.linalg.eigh(np.ldexp(VI / 2 + VI.T / 2, both - 2 * exponent))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0))), exponent
