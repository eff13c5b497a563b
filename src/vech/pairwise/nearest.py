"""The nearest rows of every row of data: each pair computed once, and none kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, check_progress, resolve_threads
from vech.frames import as_sparse, is_sparse
from vech.neighbors.arguments import as_count
from vech.neighbors.lists import Lists, Nearest, comparable
from vech.pairwise import winners
from vech.pairwise.kernels import inner
from vech.pairwise.metrics import Parameters, block_of, check_parameters
from vech.pairwise.points import check_finite, opened
from vech.pairwise.products import Directions, Euclidean
from vech.pairwise.rows import inexact
from vech.pairwise.tiles import Block, with_threads
from vech.results.making import TILE
from vech.results.wanted import Progress, silent


def nearest(
    X: Any,
    k: int,
    metric: Any = "euclidean",
    *,
    p: float = 2.0,
    V: Any = None,
    VI: Any = None,
    w: Any = None,
    missing: str = "raise",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Nearest:
    """The k nearest rows of every row of X, without a matrix of distances.

    Parameters
    ----------
    X : array, data frame or SciPy sparse array, shape (n, m)
        One thing a row. It is left as it is.
    k : int
        How many, 0 to n - 1.
    metric : str or callable
        As for `distances`, or "dot": the largest inner products.
    p, V, VI, w, missing
        As for `distances`.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. BLAS has its own.
    progress : callable, optional
        Called as ``progress(done, total)``, in tiles.

    Returns
    -------
    Nearest
        Named tuple of ``indices``, int64, and ``values``, both of shape (n, k), the nearest first: distances
        as `distances` has them, of "dot" products. A row is not its own neighbour; of equal values the
        smaller index comes first; NaN is no neighbour. Indices are positions, also of a frame, whose labels
        are left behind.

    Raises
    ------
    ValueError, TypeError
        As `distances`; for k out of range.
    MemoryError
        If the lists are larger than memory and swap together.

    See Also
    --------
    vech.neighbors.nearest : the same of a store.

    Notes
    -----
    One triangle of tiles is computed, and each number offered to two lists, that of its row and that of its
    column: half the products of a search row by row. Memory: the result, some copies of X, a tile.

    Of "euclidean", "sqeuclidean", "cosine" and "correlation" of more than 48 columns (of float64 with AVX-512
    more than 128) and of "dot", where X is dense, products by BLAS choose some more rows than wanted, and
    these are computed by differences in double (of "dot" by products): values are rounded once, and their
    order is right. A bound of the products' rounding says whether a row that was not chosen could be nearer;
    then all distances of that row are computed so. Where that happens to many rows, as among many that are
    equal, all tiles are computed as `distances` computes them.

    Examples
    --------
    >>> X = np.array([[0.0, 0], [3, 4], [0, 1], [0, -1]])
    >>> nearest(X, 2)
    Nearest(indices=array([[2, 3],
           [2, 0],
           [0, 3],
           [0, 2]]), values=array([[1.        , 1.        ],
           [4.24264069, 5.        ],
           [1.        , 2.        ],
           [1.        , 2.        ]]))
    >>> nearest(X, 1, "dot").values.ravel()
    array([0., 4., 4., 0.])
    """
    check_progress(progress)
    is_dot = isinstance(metric, str) and metric.lower() == "dot"
    block: Block
    if is_dot:
        check_parameters("metric 'dot'", "", Parameters(p, V, VI, w))
        block, search = _products(X, missing)
    else:
        block = block_of(X, metric, p=p, V=V, VI=VI, w=w, missing=missing)
        search = winners.by_distance(block) if isinstance(block, Euclidean | Directions) else None
    k = as_count(k, block.n)
    workers = resolve_threads(threads, block.n**2)
    tell = progress or silent
    found = search.found(k, workers, tell) if search is not None and k else None
    return _of_tiles(with_threads(block, workers), k, is_dot, workers, tell) if found is None else found


@dataclass(frozen=True)
class Inner:
    """Blocks of inner products, and of which matrix they are."""

    block: Callable[[slice, slice], Array]
    n: int
    dtype: Dtype

    def __call__(self, rows: slice, columns: slice) -> Array:
        """The products of rows, each with each."""
        return self.block(rows, columns)


def _of_tiles(block: Block, k: int, largest: bool, threads: int, tell: Progress) -> Nearest:
    """Of any block: one triangle of tiles, row by row."""
    dtype = comparable(block.dtype) or np.dtype(np.float64)
    lists = Lists(block.n, k, dtype, largest)
    starts = range(0, block.n, TILE)
    total = len(starts) * (len(starts) + 1) // 2
    done = 0
    for row in starts:
        for column in range(row, block.n, TILE):
            rows, columns = (slice(start, min(start + TILE, block.n)) for start in (row, column))
            lists.offer(block(rows, columns), row, column, threads)
            tell(done := done + 1, total)
    return lists.found(block.dtype)


def _products(X: Any, missing: str) -> tuple[Inner, winners.Search | None]:
    if missing != "raise":
        raise ValueError("missing='pairwise' is for distances, not for metric 'dot': fill X first")
    if is_sparse(X := as_sparse(X, "X", square=False)):
        return Inner(inner(X), X.shape[0], inexact(X.dtype)), None
    array = opened(X)
    check_finite(array, X, allowed=False, offered=False)
    rows = np.ascontiguousarray(array, inexact(array.dtype))
    return Inner(inner(rows), len(rows), rows.dtype), winners.by_product(rows)
