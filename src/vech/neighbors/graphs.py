"""Who is near whom as a sparse matrix: pairs within a limit, and pairs of nearest rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array
from vech.layouts.layout import as_flag, one_of
from vech.moves.nonzeros import of_tiles, scipy_array, sparse_dtype
from vech.neighbors.arguments import as_limit, as_store
from vech.neighbors.rows import nearest
from vech.results.wanted import Progress
from vech.sparse import SparseHalf
from vech.store import Store

COMBINE = ("union", "mutual")


def within(S: Store | ArrayLike, limit: float, *, largest: bool = False) -> Any:
    """The pairs at most so far apart, or at least so similar, as a sparse matrix.

    Parameters
    ----------
    S : store, or full matrix (array, data frame), shape (n, n)
        Real and symmetric: distances or similarities. The diagonal is not looked at.
    limit : number
        The largest number that is kept or, with `largest`, the smallest. Compared as NumPy compares:
        ``S.expand() <= limit``.
    largest : bool
        Whether large numbers are near, as of similarities.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n)
        Symmetric, of the dtype of S; the diagonal is empty, indices are sorted, int32 where they fit. A
        distance of 0 is stored, as a zero. NaN is never within a limit.

    Raises
    ------
    ValueError
        If the limit is NaN; for full matrices that are not symmetric.
    TypeError
        If the limit is no real number; for complex numbers, dates, dtypes that SciPy's sparse arrays do not
        hold, and kinds other than symmetric.
    MemoryError
        If the result is larger than memory and swap together.

    Notes
    -----
    Reads each number once, by tiles, those of a `vech.Tiled` by the workers of ``S.using(executor)``; memory
    is that of the result, twice. In a `vech.SparseHalf`
    pairs that are not stored are at 0: where 0 is within the limit, as of distances it always is, nearly
    every pair is in the result.

    Examples
    --------
    >>> D = vech.Packed(np.array([4.0, 1, 3, 0, 6, 5]), "condensed")
    >>> near = within(D, 3)
    >>> near.nnz, near.has_canonical_format
    (6, True)
    >>> near.toarray()
    array([[0., 0., 1., 3.],
           [0., 0., 0., 0.],
           [1., 0., 0., 0.],
           [3., 0., 0., 0.]])
    """
    S = as_store(S, "within")
    bound, largest = as_limit(limit), as_flag("largest", largest)
    if S.describe().triangle is not None and not (bound <= 0 if largest else bound >= 0):
        return _stored_within(S, bound, largest)
    near = of_tiles(S, _Within(bound, largest), diagonal=False, hint="take a closer limit")
    return near.to_scipy("csr", "full", None)


def graph(
    S: Store | ArrayLike,
    k: int,
    *,
    largest: bool = False,
    combine: str = "union",
    threads: int | None = None,
    progress: Progress | None = None,
) -> SparseHalf:
    """The graph of the k nearest rows, as a sparse store: an edge is a pair, its weight the number of S.

    Parameters
    ----------
    S : store, or full matrix (array, data frame), shape (n, n)
        Real and symmetric: distances or similarities. The diagonal is not looked at.
    k : int
        How many neighbours of each row are looked for, 0 to n - 1.
    largest : bool
        Whether the largest numbers are the nearest, as of similarities.
    combine : {"union", "mutual"}
        Whether one of two rows must be among the nearest of the other, or each of them.
    threads, progress : optional
        As `nearest` has them.

    Returns
    -------
    vech.SparseHalf
        Of the dtype and labels of S, the upper triangle, without a diagonal. An edge of weight 0 is stored,
        as a zero. Ties and NaN are as in `nearest`.

    Raises
    ------
    ValueError
        For k out of range, an unknown `combine`, and full matrices that are not symmetric.
    TypeError
        As `within`.

    See Also
    --------
    vech.adapters.sklearn.StoreNeighbors : the graph that scikit-learn's estimators take, directed.

    Notes
    -----
    Takes `nearest` and the memory of its result, some times over. "union" has n k / 2 to n k edges, "mutual"
    at most n k / 2.

    Examples
    --------
    >>> D = vech.Packed(np.array([4.0, 1, 3, 2, 6, 5]), "condensed", labels=list("abcd"))
    >>> graph(D, 1).to_pairs().to_frame()
       i  j  value
    0  a  c    1.0
    1  a  d    3.0
    2  b  c    2.0
    >>> graph(D, 1, combine="mutual").to_pairs().to_frame()
       i  j  value
    0  a  c    1.0
    """
    one_of("combine", combine, COMBINE)
    S = as_store(S, "graph")
    dtype = sparse_dtype(S.dtype)
    found = nearest(S, k, largest=largest, threads=threads, progress=progress)
    own, place = np.nonzero(found.indices >= 0)
    other = found.indices[own, place]
    pair = np.minimum(own, other) * S.n + np.maximum(own, other)
    pairs, first, counts = np.unique(pair, return_index=True, return_counts=True)
    if combine == "mutual":
        pairs, first = pairs[counts == 2], first[counts == 2]
    i, j = np.divmod(pairs, max(1, S.n))
    indptr = np.searchsorted(i, np.arange(S.n + 1))
    data = found.values[own[first], place[first]].astype(dtype, copy=False)
    return SparseHalf(indptr, j, data, S.n, triangle="upper", labels=S.labels)


@dataclass(frozen=True)
class _Within:
    """Which numbers are."""

    bound: Any
    largest: bool

    def __call__(self, numbers: Array) -> NDArray[np.bool]:
        with np.errstate(over="ignore"):  # a bound that float32 does not hold is infinite beside it
            return np.asarray(numbers >= self.bound if self.largest else numbers <= self.bound)


def _stored_within(S: Store, bound: Any, largest: bool) -> Any:
    """Of nonzeros alone, where zero is not within the limit."""
    coo = S.to_csr().tocoo()
    near = _Within(bound, largest)(coo.data) & (coo.row != coo.col)
    counts = np.bincount(coo.row[near], minlength=S.n)
    indptr = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    return scipy_array("csr", indptr, coo.col[near], coo.data[near])
