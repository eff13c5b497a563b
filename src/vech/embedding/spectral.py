"""Laplacian eigenmaps: coordinates from the affinities of rows, by the Laplacian of their graph."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.derived.pairs import PANEL_BYTES
from vech.embedding import checks
from vech.embedding.coordinates import FLOAT, MANY, Apply, Floats, dense, frame, products, signed
from vech.linalg import lanczos
from vech.linalg.checks import is_sparse
from vech.linalg.spectral import DENSE, eigsh
from vech.linalg.units import unit_of
from vech.sparse import SparseHalf
from vech.store import Store

SHIFT = 1e-5  # below the Laplacian's least eigenvalue, which is zero: what is factored is definite
# Restarts of Lanczos' method before a factor is made of a sparse Laplacian. A graph of 10 neighbours of
# 20 000 points took 0.5 s in 50 dimensions, where its factor fills up, and in 2 did not end; 0.3 s by factor.
RESTARTS = 50


class SpectralCoordinates(NamedTuple):
    """Points that are near each other where affinities are large.

    Attributes
    ----------
    coordinates : array, shape (n, k)
        A point for each row. The largest number of each column is positive.
    eigenvalues : array, shape (k,)
        Of the normalised Laplacian, from the second smallest on, in ascending order; 0 to 2.
    labels : tuple or None
        Those of the matrix, one for each row.
    """

    coordinates: NDArray[np.float64]
    eigenvalues: NDArray[np.float64]
    labels: tuple[Any, ...] | None

    def to_frame(self) -> Any:
        """The coordinates as a ``pandas.DataFrame`` of columns SE1, SE2, ..., by label; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, k)

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.0, 1.0]), "condensed", labels=["a", "b", "c"])
        >>> vech.embedding.spectral(S, 1).to_frame().round(3) + 0.0
             SE1
        a  0.707
        b  0.000
        c -0.707
        """
        return frame(self.coordinates, self.labels, "SE")


def spectral(S: Store | ArrayLike, k: int, *, threads: int | None = None) -> SpectralCoordinates:
    """The k spectral coordinates of a matrix of affinities, Laplacian eigenmaps, without an n x n array.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Affinities, which are larger where rows are nearer: real, symmetric, finite, none negative. A kernel,
        or a graph of it, as `vech.neighbors.graph` makes with ``largest=True``; of distances,
        ``D.map(lambda d: np.exp(-d**2 / s))``. What a sparse store does not hold is no edge; the diagonal has
        no say.
    k : int
        How many coordinates: 1 to n - 1.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Returns
    -------
    SpectralCoordinates
        Named tuple ``coordinates, eigenvalues, labels``, in float64.

    Raises
    ------
    ValueError
        For a number that is no affinity, whose place is named, and a k out of range.
    TypeError
        For matrices that are not real and symmetric.
    numpy.linalg.LinAlgError
        If eigenvalues are too close for Lanczos' method to tell them apart.

    Warns
    -----
    UserWarning
        If rows are not connected by affinities: the first coordinates then tell little but the parts.

    See Also
    --------
    vech.neighbors.graph : the graph of nearest neighbours, as a sparse store.

    Notes
    -----
    With the degrees ``d_i = sum over j != i of S_ij``, the Laplacian is ``L = I - D^-1/2 S D^-1/2``, with
    ones on its diagonal; the coordinates are its eigenvectors from the second smallest eigenvalue on, each
    number divided by the root of its degree (1 where that is 0). The same as scikit-learn's
    ``spectral_embedding``.

    Cost: some 50 to 500 products ``S @ x`` by Lanczos' method, and one pass that checks S; of sparse stores
    whose eigenvalues crowd at zero, as for points along a line or on a sheet, a factor of L instead. Memory
    for 2 (2 k + 20) vectors, of n x n numbers up to n = 128 and from k = n / 4 on.

    Source: M. Belkin, P. Niyogi, "Laplacian eigenmaps for dimensionality reduction and data representation",
    Neural Computation 15, 2003.

    Examples
    --------
    >>> import numpy as np
    >>> S = vech.Packed(np.array([1.0, 0.0, 1.0]), "condensed")  # a chain of three
    >>> found = spectral(S, 1)
    >>> found.coordinates.round(3) + 0.0
    array([[ 0.707],
           [ 0.   ],
           [-0.707]])
    >>> found.eigenvalues.round(6)
    array([1.])
    """
    S = checks.affinities(S)
    k, unit = checks.coordinates(k, "spectral", S.n, S.n - 1), unit_of(S)
    if (apart := _unreached(S)) is not None:
        warnings.warn(
            f"no affinities lead from row 0 to row {apart}: the first coordinates tell such parts apart, and "
            f"little else; take them one by one, or more neighbours",
            stacklevel=2,
        )
    own, product = S.diagonal().astype(np.float64) / unit, products(S, unit, threads)

    def others(x: Floats) -> Floats:
        return np.asarray(product(x) - own[:, None] * x)

    degrees = np.maximum(others(np.ones((S.n, 1)))[:, 0], 0.0)
    roots = np.sqrt(np.where(degrees == 0, 1.0, degrees))[:, None]
    values, vectors = _smallest(S, unit, roots[:, 0], lambda x: others(x / roots) / roots, k + 1)
    scale = roots * np.where(degrees == 0, 1.0, np.sqrt(unit))[:, None]
    return SpectralCoordinates(signed(vectors[:, 1:] / scale), values[1:], S.labels)


def _smallest(S: Store, unit: float, roots: Floats, adjacency: Apply, k: int) -> tuple[Floats, Floats]:
    """The k smallest eigenvalues of the Laplacian, ascending, and their vectors."""
    if S.n <= DENSE or k * MANY >= S.n:
        found = dense(adjacency, S.n, k)
        return 1 - found.values, found.vectors
    rounding = lanczos.rounding(S.n, FLOAT)
    accuracy = lanczos.Accuracy(rounding, rounding, RESTARTS if is_sparse(S) else 10 * S.n)
    try:
        operator = lanczos.Operator(S.n, FLOAT, adjacency)
        values, vectors = lanczos.eigenpairs(operator, k, "LA", accuracy)
        return 1 - values, vectors
    except np.linalg.LinAlgError:
        if not is_sparse(S):
            raise
    values, vectors = eigsh(_laplacian(S, unit, roots), k, sigma=-SHIFT)
    return values, vectors


def _laplacian(S: Store, unit: float, roots: Floats) -> SparseHalf:
    from scipy.sparse import coo_array

    stored, every = S.to_coo(part="lower"), np.arange(S.n)
    off = stored.row != stored.col
    i, j = stored.row[off], stored.col[off]
    edges = -stored.data[off] / unit / roots[i] / roots[j]
    places = np.concatenate((i, every)), np.concatenate((j, every))
    data = np.concatenate((edges, np.ones(S.n)))
    return SparseHalf.from_sparse(coo_array((data, places), shape=S.shape), use="lower")


def _unreached(S: Store) -> int | None:
    """The first row to which no affinities lead from row 0."""
    if is_sparse(S):
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        stored = S.to_coo(part="lower")
        edges = stored.data != 0
        graph = coo_array((stored.data[edges], (stored.row[edges], stored.col[edges])), shape=S.shape)
        reached = connected_components(graph, directed=False)[1]
        reached = reached == reached[0]
    else:
        reached = _reached(S)
    return None if reached.all() else int(reached.argmin())


def _reached(S: Store) -> NDArray[np.bool]:
    """The rows to which affinities lead from row 0; each row is read once at most."""
    reached = np.zeros(S.n, np.bool)
    reached[0] = True
    ahead, height = np.zeros(1, np.int64), max(1, PANEL_BYTES // (S.n * S.dtype.itemsize))
    while ahead.size and not reached.all():
        part, ahead = ahead[:height], ahead[height:]
        fresh = (S.block(part, slice(None)) != 0).any(axis=0) & ~reached
        reached |= fresh
        ahead = np.concatenate((ahead, np.flatnonzero(fresh)))
    return reached
