"""The nearest rows of every row of a store."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.typing import ArrayLike

from vech.arrays import check_progress, native, resolve_threads
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, as_flag
from vech.moves.runs import Half, runs_of
from vech.neighbors.arguments import as_count, as_store
from vech.neighbors.lists import Lists, Nearest, lists_of
from vech.neighbors.strips import gathered
from vech.neighbors.zeros import nearest_of_sparse
from vech.results.wanted import Progress
from vech.store import Store, Tile

PART_BYTES = 2**27  # of a half, read between two calls of progress: its lists are joined anew with each


def nearest(
    S: Store | ArrayLike,
    k: int,
    *,
    largest: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Nearest:
    """The k nearest rows of every row: those at the smallest distance, or of the largest similarity.

    Parameters
    ----------
    S : store, or full matrix (array, data frame), shape (n, n)
        Real and symmetric: distances or similarities. The diagonal is not looked at.
    k : int
        How many, 0 to n - 1.
    largest : bool
        Whether the largest numbers are the nearest, as of similarities.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. The result has
        the same bits for any number.
    progress : callable, optional
        Called with (done, total), rows that have been looked at: of a half of float32 or float64 after every
        128 MiB.

    Returns
    -------
    Nearest
        Named tuple of ``indices``, int64, and ``values`` of the dtype of S, both of shape (n, k), the nearest
        first. A row is not its own neighbour; of equal numbers the smaller index comes first. NaN is no
        neighbour: a row with fewer than k numbers ends in index -1 and NaN. Indices are positions:
        ``S.labels[i]`` is the label of row i.

    Raises
    ------
    ValueError
        For k out of range; for full matrices that are not symmetric.
    TypeError
        For complex numbers, dates, and kinds other than symmetric.
    MemoryError
        If the lists are larger than memory and swap together.

    See Also
    --------
    vech.pairwise.nearest : the same from data, by half the products and without a half.
    vech.neighbors.graph : these pairs as a sparse store.

    Notes
    -----
    Reads a half of float32 or float64 once, in runs: each number is compared with the last ones of two lists,
    that of its row and that of its column, and few get in. Other stores are read once too, by tiles: those of
    a `vech.Tiled` by the workers of ``S.using(executor)``. Memory: the result, once more for each thread, and
    of other stores a tile; never n x n numbers.

    Of a `vech.SparseHalf`, pairs that are not stored are at 0, as everywhere: of distances these are the
    nearest, ties by index, before all that are stored and larger. For a sparse graph of distances, in which
    a missing pair is far, ``S.to_csr()`` has what is stored. Time and memory then go with the numbers stored
    and the result.

    Examples
    --------
    >>> D = vech.Packed(np.array([4.0, 1, 3, 2, 6, 5]), "condensed")
    >>> nearest(D, 2)
    Nearest(indices=array([[2, 3],
           [2, 0],
           [0, 1],
           [0, 2]]), values=array([[1., 3.],
           [2., 4.],
           [1., 2.],
           [3., 5.]]))
    """
    S = as_store(S, "nearest")
    k, largest = as_count(k, S.n), as_flag("largest", largest)
    check_progress(progress)
    if S.describe().triangle is not None:
        found = nearest_of_sparse(S, k, largest)
    else:
        found = _of_numbers(S, k, largest, threads, progress)
    if progress is not None and (S.n == 0 or S.describe().triangle is not None):
        progress(S.n, S.n)
    return found


def _of_numbers(
    S: Store,
    k: int,
    largest: bool,
    threads: int | None,
    progress: Progress | None,
) -> Nearest:
    """Of a store of all numbers: a half as it lies, others by tiles."""
    workers = resolve_threads(threads, S.nbytes)
    if S._executor is not None:
        return gathered(S, k, largest, progress)
    lists = lists_of(S.n, k, S.dtype, largest)
    layout = S.describe().layout
    plain = isinstance(layout, Layout) and not layout.scaled
    if isinstance(lists, Lists) and plain and native(S.dtype) == lists.dtype:
        runs = runs_of(Half(S.to_packed(layout).half, layout, Kind.SYMMETRIC))
        parts = 1 if progress is None else 1 + runs.half.nbytes // PART_BYTES
        for part in range(parts):
            lists.take(runs, workers, part, parts)
            if progress is not None:
                progress(S.n * (part + 1) // parts, S.n)
    else:
        for tile in _reported(S, progress):
            lists.offer(tile.numbers, tile.rows.start, tile.columns.start, workers)
    return lists.found(S.dtype)


def _reported(S: Store, progress: Progress | None) -> Iterator[Tile]:
    """The tiles of a store; with the last one of some rows, these are done."""
    for tile in S.tiles():
        yield tile
        if progress is not None and tile.on_diagonal:
            progress(tile.rows.stop, S.n)
