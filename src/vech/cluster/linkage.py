"""Hierarchical clustering: which clusters are joined, one after the other, and how far apart they are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core
from vech.arrays import Array, check_memory, check_progress, resolve_threads
from vech.cluster.arguments import check_sums
from vech.dissimilarities import as_distances, panels, working
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, as_flag, one_of
from vech.moves.converting import convert
from vech.moves.runs import Half, direct, runs_of
from vech.results.making import Progress
from vech.store import Store

METHODS = ("single", "complete", "average", "weighted", "ward", "centroid", "median")
CHOOSE = ("single", "complete")  # each height is one of the distances
HEAPED = ("centroid", "median")  # may join a cluster that is nearer than its parts were
GROWING = Layout("lower", "rows", diagonal="zero")  # for a chain
SHRINKING = Layout("lower", "columns", diagonal="zero")  # for a heap
MILD = {4: (100, 96), 8: (500, 480)}  # by bytes: powers of two whose squares, and sums of these, are finite


def linkage(
    S: Store | ArrayLike,
    method: str = "average",
    *,
    optimal_ordering: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The tree of all rows by hierarchical clustering: SciPy's table of links, in less time and memory.

    Parameters
    ----------
    S : store, or a full matrix (array, data frame)
        Distances: real, symmetric, finite, none negative, zero on the diagonal. They are left as they are.
    method : {"average", "single", "complete", "weighted", "ward", "centroid", "median"}
        How far apart two clusters are, as in ``scipy.cluster.hierarchy.linkage``. "ward", "centroid" and
        "median" mean what they say for Euclidean distances alone, which nobody checks; with "centroid" and
        "median" a link may be lower than one before it.
    optimal_ordering : bool
        Whether neighbouring leaves are to be as close as can be, by ``optimal_leaf_ordering`` of SciPy.
    threads : int, optional
        At most so many threads copy the half; joining takes one.
    progress : function, optional
        Called with (links found, links in all), a few dozen times a second and at the end.

    Returns
    -------
    array of float64, shape (n - 1, 4)
        The two clusters that each link joins, the smaller number first, how far apart they are, and how many
        rows they have together; link k makes cluster n + k. No links of a matrix of one row, or none. All of
        SciPy takes it: ``fcluster``, ``dendrogram``, ``leaves_list``.

    Raises
    ------
    OverflowError
        If a height is beyond float64, as those of "ward" may be.
    ValueError
        For a distance that is negative or not finite, a diagonal that is not zero, a matrix that is not
        symmetric, and a method that is none.
    TypeError
        For complex and skew matrices, sparse stores (what they leave out would be at distance 0), and what is
        no matrix.
    MemoryError
        If the copy is larger than memory and swap together, before it is made.

    See Also
    --------
    vech.cluster.cut : the clusters when so many are left.
    vech.cluster.cophenetic : how far apart the tree has its rows.
    vech.cluster.to_newick : the tree for other programs.

    Notes
    -----
    Of float64 and integers the table is SciPy's of ``S.to_condensed()``, to the last bit where SciPy was
    built without fused multiplication, ties broken alike. Float32 (and narrower floats) is worked on in
    float32, half of the bytes: "single" and "complete" give SciPy's table of the same numbers; of the others
    each link is computed in double and rounded to float32, so that heights differ by some 1e-7 of their size,
    and links whose heights are as close as that may change places. Where distances are tied, another
    choice among the ties can be another tree, whose heights differ by more: ``S.astype(float)`` has SciPy's.

    Time in proportion to n^2 but for "centroid" and "median", which may take longer. Memory of one half
    besides, and of 16 rows; "single" reads the half where it is, unless its layout scales or has no runs.
    ``optimal_ordering`` takes SciPy's time, of about n^3 at worst, and memory of two float64 halves, and does
    not hear Ctrl-C.

    "single" is Prim's minimum spanning tree; "complete", "average", "weighted" and "ward" follow a chain of
    nearest neighbours, "centroid" and "median" the generic algorithm of D. Müllner, Modern hierarchical,
    agglomerative clustering algorithms, 2011, arXiv:1109.2378. Distances are updated as G. N. Lance and W. T.
    Williams do (A general theory of classificatory sorting strategies, The Computer Journal 9, 1967).

    Examples
    --------
    >>> D = vech.Packed(np.array([1.0, 4.0, 5.0, 3.0, 6.0, 2.0]), "condensed")
    >>> linkage(D)
    array([[0. , 1. , 1. , 2. ],
           [2. , 3. , 2. , 2. ],
           [4. , 5. , 4.5, 4. ]])
    >>> linkage(D, "single")[:, 2]
    array([1., 2., 3.])
    """
    one_of("method", method, METHODS)
    as_flag("optimal_ordering", optimal_ordering)
    check_progress(progress)
    store = as_distances(S, "linkage")
    threads = resolve_threads(threads, store.nbytes)
    n = store.n
    links = np.empty((max(0, n - 1), 4))
    if n < 2:
        return links
    if method == "single":
        numbers, grow, stored = _in_place(store, threads)
        _core.span(numbers, n, grow, stored, links, progress)
    else:
        numbers = _copied(store, SHRINKING if method in HEAPED else GROWING, threads)
        power = 0 if method in CHOOSE else _mild(numbers)
        _core.link(numbers, n, method, links, progress)
        with np.errstate(over="ignore"):
            np.ldexp(links[:, 2], -power, out=links[:, 2])
        check_sums(links[:, 2], "linkage")
    if progress is not None:
        progress(n - 1, n - 1)
    if optimal_ordering:
        from scipy.cluster.hierarchy import optimal_leaf_ordering

        links = np.asarray(optimal_leaf_ordering(links, store.to_condensed(drop_diagonal=True)))
    return links


def _in_place(store: Store, threads: int) -> tuple[Array, bool, bool]:
    """Numbers as they lie where they can be read there, whether their runs grow and have a diagonal."""
    layout = store.describe().layout
    if layout is not None and direct(layout) and layout.offdiagonal_scale == 1 and _is_plain(store):
        runs = runs_of(Half(store.to_packed(layout).half, layout, Kind.SYMMETRIC))
        return runs.half, runs.grow, runs.stored
    return _copied(store, GROWING, threads), True, False


def _is_plain(store: Store) -> bool:
    return store.dtype == working(store.dtype) and store.dtype.isnative


def _copied(store: Store, layout: Layout, threads: int) -> Array:
    """The distances in this strict layout and the dtype they are worked on in, in memory of their own."""
    n, dtype = store.n, working(store.dtype)
    copy_bytes = layout.length(n) * dtype.itemsize
    check_memory(copy_bytes, "S.astype(np.float32) takes half, and method='single' of a Packed no copy")
    copy = np.empty(layout.length(n), dtype)
    held = store.describe().layout
    if held is not None and _is_plain(store) and not store.diagonal().any():
        return convert(store.to_packed(held).half, held, layout, out=copy, threads=threads)
    done = 0
    for start, rows in panels(store, threads):
        for i, row in enumerate(rows, start):
            part = row[:i] if layout.grow else row[i + 1 :]
            copy[done : done + part.size] = part
            done += part.size
    return copy


def _mild(numbers: Array) -> int:
    """The power of two, mostly 0, by which numbers are multiplied lest squares overflow or vanish."""
    most, wanted = MILD[numbers.itemsize]
    largest = float(numbers.max())
    exponent = math.frexp(largest)[1]
    if not largest or abs(exponent) <= most:
        return 0
    np.ldexp(numbers, wanted - exponent, out=numbers)
    return wanted - exponent
