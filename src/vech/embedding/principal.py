"""Principal coordinates of distances and principal components of kernels: centred, then decomposed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array
from vech.dissimilarities import as_distances
from vech.embedding import checks
from vech.embedding.coordinates import Apply, Floats, below_zero, frame, leading, products, squared
from vech.embedding.tiles import Tile, Tiles
from vech.linalg.units import unit_of
from vech.store import Store


class PrincipalCoordinates(NamedTuple):
    """Points whose distances are those of a matrix, as nearly as k dimensions allow.

    Attributes
    ----------
    coordinates : array, shape (n, k)
        A point for each row, about the origin; the first column spreads most. The largest number of each
        column is positive. Columns of eigenvalues that are not positive are zeros.
    eigenvalues : array, shape (k,)
        The sums of squares of the columns, in descending order; negative ones as they were found.
    explained : array, shape (k,)
        Their shares of the sum of all n eigenvalues. Where some of these are negative, the shares of the
        positive ones sum to more than 1.
    smallest_eigenvalue : float
        Of all n: 0, or below it. Far below, beside the first one, no points have these distances. Found by
        100 steps of Lanczos' method, which come to it from above: exact up to n = 100, near it beyond.
    labels : tuple or None
        Those of the matrix, one for each row.
    """

    coordinates: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    explained: NDArray[np.float64]
    smallest_eigenvalue: float
    labels: tuple[Any, ...] | None

    def to_frame(self) -> Any:
        """The coordinates as a ``pandas.DataFrame`` of columns PC1, PC2, ..., by label; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, k)

        Examples
        --------
        >>> D = vech.Packed(np.array([3.0, 4.0, 5.0]), "condensed", labels=["a", "b", "c"])
        >>> vech.embedding.pcoa(D, 1).to_frame().round(3)
             PC1
        a -0.658
        b -2.152
        c  2.810
        """
        return frame(self.coordinates, self.labels, "PC")


class KernelComponents(NamedTuple):
    """Rows in the space of a kernel, on the axes along which they spread most.

    Attributes
    ----------
    coordinates : array, shape (n, k)
        A point for each row, about the origin; the first column spreads most. The largest number of each
        column is positive.
    eigenvalues : array, shape (k,)
        Of the centred kernel, the sums of squares of the columns, in descending order.
    explained : array, shape (k,)
        Their shares of the sum of all n eigenvalues.
    labels : tuple or None
        Those of the matrix, one for each row.
    """

    coordinates: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    explained: NDArray[np.float64]
    labels: tuple[Any, ...] | None

    def to_frame(self) -> Any:
        """The coordinates as a ``pandas.DataFrame`` of columns PC1, PC2, ..., by label; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, k)

        Examples
        --------
        >>> K = vech.Packed(np.array([4.0, 2, 0, 1, 0, 0]), labels=["a", "b", "c"])  # of the points 2, 1, 0
        >>> vech.embedding.kernel_pca(K, 1).to_frame().round(3) + 0.0
           PC1
        a  1.0
        b  0.0
        c -1.0
        """
        return frame(self.coordinates, self.labels, "PC")


def pcoa(S: Store | ArrayLike, k: int, *, threads: int | None = None) -> PrincipalCoordinates:
    """The k principal coordinates of a matrix of distances: classical scaling, without an n x n array.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Distances: real, symmetric, finite, none negative, zero on the diagonal. Any store will do.
    k : int
        How many coordinates: 1 to n.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. The result has
        the same bits for any number of them, up to those of BLAS.

    Returns
    -------
    PrincipalCoordinates
        Named tuple ``coordinates, eigenvalues, explained, smallest_eigenvalue, labels``, in float64.

    Raises
    ------
    ValueError
        For a number that is no distance, whose place is named, and a k out of range.
    TypeError
        For matrices that are not real and symmetric.
    numpy.linalg.LinAlgError
        If eigenvalues are too close for Lanczos' method to tell them apart.

    Warns
    -----
    UserWarning
        If fewer than k eigenvalues are positive: the other columns are zeros.

    See Also
    --------
    mds : by the distances themselves, not by their squares.

    Notes
    -----
    With the centring matrix ``J = I - 1 1^T / n``, the coordinates are the leading eigenvectors of
    ``B = -J (D * D) J / 2``, each times the root of its eigenvalue. For Euclidean distances these are the
    principal components of the points. Eigenvalues within n eps of the largest modulus are zero. Where B has
    negative eigenvalues, as those of Bray-Curtis distances mostly do, a root of the distances or fewer
    coordinates mend it; nothing is corrected here.

    Cost: the time of one product with D for each step of Lanczos' method, about 50 to 200 of them, twice that
    of ``S @ x``: a tile of D is squared when it is read, so that no second half is held. Memory for 2 (2 k +
    20) vectors, of n x n numbers up to n = 128 and from k = n / 4 on, where LAPACK takes B; integers are
    copied into float64, halves of scaled layouts into one that is not.

    Source: J. Gower, "Some distance properties of latent root and vector methods used in multivariate
    analysis", Biometrika 53, 1966.

    Examples
    --------
    >>> import numpy as np
    >>> D = vech.Packed(np.array([3.0, 4.0, 5.0]), "condensed")  # a right triangle
    >>> found = pcoa(D, 2)
    >>> found.coordinates.round(3)
    array([[-0.658,  1.531],
           [-2.152, -1.07 ],
           [ 2.81 , -0.461]])
    >>> found.explained.round(3)
    array([0.778, 0.222])
    """
    S = as_distances(S, "pcoa")
    k = checks.coordinates(k, "pcoa", S.n, S.n)
    tiles = Tiles(S, threads)
    trace = float(_squares(tiles, np.ones((S.n, 1))).sum()) / (2 * S.n)
    apply = centred(lambda x: _squares(tiles, x) / -2)
    found = leading(apply, S.n, k)
    least = below_zero(apply, S.n, float(np.abs(found.values).max()))
    return PrincipalCoordinates(
        _scaled(found.vectors, found.values) * tiles.unit,
        squared(found.values, tiles.unit),
        _shares(found.values, trace),
        float(squared(least, tiles.unit)),
        S.labels,
    )


def kernel_pca(S: Store | ArrayLike, k: int, *, threads: int | None = None) -> KernelComponents:
    """The k principal components in the space of a kernel, from the kernel matrix, without an n x n array.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        The kernel of each row with each: real, symmetric, finite, semidefinite. Any store will do.
    k : int
        How many components: 1 to n.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. The result has
        the same bits for any number of them, up to those of BLAS.

    Returns
    -------
    KernelComponents
        Named tuple ``coordinates, eigenvalues, explained, labels``, in float64.

    Raises
    ------
    ValueError
        For NaN and infinity, whose place is named, and a k out of range.
    TypeError
        For matrices that are not real and symmetric.
    numpy.linalg.LinAlgError
        If eigenvalues are too close for Lanczos' method to tell them apart.

    Warns
    -----
    UserWarning
        If fewer than k eigenvalues are positive: the other columns are zeros.

    Notes
    -----
    The leading eigenvectors of ``J K J``, ``J = I - 1 1^T / n``, each times the root of its eigenvalue, as
    scikit-learn's ``KernelPCA(kernel="precomputed").fit_transform``. Eigenvalues within n eps of the largest
    modulus are zero.

    Cost: the time of one product ``K @ x`` for each step of Lanczos' method, about 50 to 200 of them; memory
    as for `pcoa`.

    Source: B. Schölkopf, A. Smola, K.-R. Müller, "Nonlinear component analysis as a kernel eigenvalue
    problem", Neural Computation 10, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> K = vech.Packed(np.array([4.0, 2.0, 0.0, 1.0, 0.0, 0.0]))  # products of the points 2, 1 and 0
    >>> kernel_pca(K, 1).coordinates.round(3) + 0.0
    array([[ 1.],
           [ 0.],
           [-1.]])
    """
    S = checks.kernel(S)
    k, unit = checks.coordinates(k, "kernel_pca", S.n, S.n), unit_of(S)
    product = products(S, unit, threads)
    trace = float((S.diagonal() / unit).sum() - product(np.ones((S.n, 1))).sum() / S.n)
    found = leading(centred(product), S.n, k)
    return KernelComponents(
        _scaled(found.vectors, found.values) * np.sqrt(unit),
        found.values * unit,
        _shares(found.values, trace),
        S.labels,
    )


def centred(apply: Apply) -> Apply:
    """J A J of an operator A."""
    return lambda x: _about_zero(apply(_about_zero(x)))


def _about_zero(x: Floats) -> Floats:
    return np.asarray(x - x.mean(axis=0))


def _squares(tiles: Tiles, x: Floats) -> Floats:
    """The matrix of squares times columns."""

    def work(strip: Iterator[Tile]) -> list[Array]:
        y = np.zeros(x.shape)
        for tile in strip:
            rows, columns, numbers = tile
            numbers *= numbers
            y[rows] += numbers @ x[columns]
            if not tile.on_diagonal:
                y[columns] += numbers.T @ x[rows]
        return [y]

    [product] = tiles.sums(work)
    return product


def _scaled(vectors: Floats, values: Floats) -> Floats:
    """Each vector times the root of its eigenvalue; zeros where there is none, of which is warned."""
    positive = int((values > 0).sum())
    if positive < values.size:
        less = f", k={positive} leaves them out" if positive else ""
        warnings.warn(
            f"{positive} of the {values.size} largest eigenvalues are positive, the last of them is "
            f"{values[-1]:.3g}: coordinates from {positive + 1} on are zero{less}",
            stacklevel=3,
        )
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _shares(values: Floats, trace: float) -> Floats:
    return np.asarray(values / trace if trace else np.zeros_like(values))
