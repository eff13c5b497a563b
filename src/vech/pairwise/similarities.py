"""Inner products, cosines and counts: what is asked for, and the store that answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from vech import arrays
from vech.arrays import Dtype, as_array, as_float, check_memory, resolve_threads
from vech.frames import as_sparse, labels_of
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout, one_of
from vech.moves.converting import convert
from vech.moves.foreign import judged
from vech.moves.nonzeros import Compressed, half_csr, sparse_dtype
from vech.moves.recipe import check_side, packing
from vech.moves.sizes import check_real, not_above
from vech.packed.packed import Packed
from vech.pairwise.dense_rows import Dense, DenseBlocks
from vech.pairwise.rows import Wanted, as_given, check_matrix, exact, inexact
from vech.pairwise.sparse_rows import Sparse
from vech.results.making import Progress, make
from vech.results.wanted import Wanted as Where
from vech.sparse import SparseHalf

STORES = ("auto", "sparse", "packed")

Similarity = SparseHalf | Packed


def gram(
    X: Any,
    *,
    threshold: float = 0.0,
    store: str = "auto",
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The inner products of the rows of X, X X^H.

    Parameters
    ----------
    X : SciPy sparse array or matrix, array, or data frame, shape (n, m)
        One thing a row. It is left as it is; duplicates are summed. The index of a frame labels the result.
    threshold : float
        Products of this size or smaller become zero, so that the matrix stays symmetric. NaN stays. The
        diagonal is treated like the rest.
    store : {"auto", "sparse", "packed"}
        What to return: a `vech.SparseHalf`, a `vech.Packed`, or the one of fewer bytes.
    layout : str or layout
        The layout of a `vech.Packed`. A `vech.SparseHalf` is its triangle as compressing the half would give
        it: "upper" for `vech`.
    out, resume, encoding, executor, progress
        As `kernel` has them, for dense X, and then the result is no `vech.SparseHalf`: where one is given it
        goes by tiles of 480 rows, the same but for rounding.
    threads : int, optional
        At most so many threads for sparse X; by default what OMP_NUM_THREADS, affinity and cgroup allow.
        Dense X goes through BLAS, which has its own.

    Returns
    -------
    vech.SparseHalf, vech.Packed or vech.Tiled
        Symmetric, or Hermitian for complex X. Of X's dtype, but int64 for integers and bool, and float32 for
        narrower floats.

    Raises
    ------
    ValueError
        If X is not two-dimensional, the threshold is negative or not finite, the layout has no place for the
        diagonal, or an argument is none of its choices.
    TypeError
        For what is no matrix, and dtypes without products.
    OverflowError
        If a sum of products of integers may exceed int64.
    MemoryError
        If the result is larger than memory and swap together.

    See Also
    --------
    vech.Packed.add_outer : adds X X^H to what is there.

    Notes
    -----
    ``gram(X.T)`` is X^T X for real X. Of sparse X this takes half the multiplications of ``X @ X.T`` and,
    beside X, another X, 16 bytes for each of its numbers, and one row of n numbers per thread. Rows come out
    sorted; those of a `Packed` are summed where they stay. Results have the same bits for any number of
    threads. Integers are exact.

    "auto" first computes a few rows to see how many numbers to expect, then the matrix. It knows the bytes of
    both stores when it returns, so that is exact: in float64 a `SparseHalf` is smaller up to a density of
    2/3.

    Dense X is multiplied in blocks by BLAS; a `SparseHalf` of it never needs more than a block besides.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> X = csr_array([[1.0, 0, 2], [0, 3, 0], [4, 0, 0]])
    >>> gram(X).half
    array([ 5.,  0.,  4.,  9.,  0., 16.])
    >>> gram(X, store="sparse")
    SparseHalf(n=3, dtype=float64, kind='symmetric', triangle='upper', nnz=4)
    >>> gram(X, threshold=4).expand()
    array([[ 5.,  0.,  0.],
           [ 0.,  9.,  0.],
           [ 0.,  0., 16.]])
    """
    wanted = _wanted(threshold, store, layout, threads)
    where = Where(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _similarity("gram", _rows(X, exact), wanted, where, X)


def cosine(
    X: Any,
    *,
    threshold: float = 0.0,
    store: str = "auto",
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The cosines of the angles between the rows of X: inner products of rows of length one.

    Parameters
    ----------
    X : SciPy sparse array or matrix, array, or data frame, shape (n, m)
        One thing a row. It is left as it is. The index of a frame labels the result.
    threshold, store, layout, out, resume, encoding, executor, threads, progress
        As in `gram`. Of a threshold below 1 the diagonal takes no notice.

    Returns
    -------
    vech.SparseHalf, vech.Packed or vech.Tiled
        Of X's dtype, but float64 for integers and bool, and float32 for narrower floats. The diagonal is
        exactly 1, no real number is beyond -1 and 1, and a row of zeros has similarity 0 to all rows, itself
        among them.

    Raises
    ------
    ValueError
        As `gram`, and if a row holds NaN or infinity, which has no direction: it is named.
    TypeError, MemoryError
        As `gram`.

    Notes
    -----
    ``s_ij = x_i x_j^H / (|x_i| |x_j|)``. Distances for SciPy's ``linkage`` are ``(1 - S).to_condensed()`` of
    a `vech.Packed` S; ``linkage(S)`` would take its rows for points. Lengths are computed in double, after
    scaling by a power of two, so that none overflows. Cost as in `gram`. The similarities of items of a
    user-item matrix are ``cosine(X.T)``.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> cosine(csr_array([[3.0, 4, 0], [0, 0, 0], [3, 0, 4]]), store="packed").half
    array([1.  , 0.  , 0.36, 0.  , 0.  , 1.  ])
    """
    wanted = _wanted(threshold, store, layout, threads)
    where = Where(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _similarity("cosine", _rows(X, inexact).directions(), wanted, where, X)


def cooccurrence(
    X: Any,
    *,
    threshold: float = 0.0,
    store: str = "auto",
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """In how many columns both of two rows of X are not zero.

    Parameters
    ----------
    X : SciPy sparse array or matrix, array, or data frame, shape (n, m)
        One thing a row, labelled by the index of a frame; only counts which numbers are zero, and NaN is not.
        It is left as it is.
    threshold, store, layout, out, resume, encoding, executor, threads, progress
        As in `gram`: kept are counts above the threshold.

    Returns
    -------
    vech.SparseHalf, vech.Packed or vech.Tiled
        Counts, int64. On the diagonal is how many numbers of a row are not zero.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As `gram`.

    Notes
    -----
    ``c_ij = |{k : x_ik != 0 and x_jk != 0}|``. How many users have both of two items is ``cooccurrence(X.T)``
    of a user-item matrix X. Cost as in `gram`, without X's numbers.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> users_items = csr_array([[5, 0, 1], [2, 4, 0], [1, 0, 3]])
    >>> cooccurrence(users_items.T).expand()
    array([[3, 1, 2],
           [1, 1, 0],
           [2, 0, 2]])
    """
    wanted = _wanted(threshold, store, layout, threads)
    where = Where(layout, out, resume, executor, threads, progress, encoding=encoding)
    return _similarity("cooccurrence", _rows(X, as_given).pattern(), wanted, where, X)


# ---------------------------------------------------------------- the way to a store


def _wanted(threshold: Any, store: str, layout: str | AnyLayout, threads: int | None) -> Wanted:
    check_real("threshold", threshold)
    threshold = as_float("threshold", threshold)
    if not (isfinite(threshold) and threshold >= 0):
        raise ValueError(f"threshold must be zero or a positive number, not {threshold}: sizes are compared")
    one_of("store", store, STORES)
    # The kernel starts no threads for little work.
    return Wanted(threshold, store, as_layout(layout), resolve_threads(threads, arrays.SERIAL_BYTES))


def _similarity(name: str, rows: Sparse | Dense, wanted: Wanted, where: Where, X: Any) -> Any:
    labels = labels_of(X, 0)
    if rows.dtype.kind != "i":
        size = rows.dtype if rows.dtype.kind == "f" else np.dtype(f"f{rows.dtype.itemsize // 2}")
        wanted = wanted._replace(threshold=float(not_above(wanted.threshold, size)))
    if where.path() is not None or any(
        given is not None for given in (where.out, where.executor, where.progress, where.encoding)
    ):
        return _by_tiles(name, rows, wanted, where, X)
    return _in_memory(rows, wanted, labels)


def _by_tiles(name: str, rows: Sparse | Dense, wanted: Wanted, where: Where, X: Any) -> Any:
    """Products of dense rows as a half that is made tile by tile, or as tiles."""
    if isinstance(rows, Sparse):
        raise TypeError(
            f"{name} of a sparse X is made in memory by this process: leave out=, encoding=, executor= and "
            f"progress= out, or go by kernel(X, 'linear', out=...), which takes a sparse X too"
        )
    if wanted.store == "sparse":
        raise ValueError(
            "store='sparse' is made in memory: leave out=, encoding=, executor= and progress= out"
        )
    what = {"function": name, "threshold": wanted.threshold}
    implied = 1 if rows.unit else None
    block, data = DenseBlocks(rows, wanted), {"X": as_array(X, "X")}
    return make(
        block, rows.n, rows.dtype, where, labels=labels_of(X, 0), implied=implied, what=what, data=data
    )


def _in_memory(rows: Sparse | Dense, wanted: Wanted, labels: tuple[Any, ...] | None) -> Similarity:
    layout, plain = wanted.layout, wanted.layout.plain
    packing(layout, rows.kind, rows.dtype)  # refuses scaled integers, and kinds that the layout does not have
    check_side(rows.side, layout)
    if layout.implied is not None and not (rows.unit and layout.implied == 1):
        raise ValueError(
            f"layout {layout.name} does not store the diagonal, and that of the result is another: "
            f"use {plain.name!r}"
        )
    packed_bytes = layout.length(rows.side) * rows.dtype.itemsize
    number = rows.dtype.itemsize + 4
    fitting = (packed_bytes - 1 - 4 * (rows.n + 1)) // number  # with so many numbers a sparse half is smaller
    if wanted.store != "packed":
        memory = arrays.memory_limit() // number
        found = rows.triangle(wanted, plain.grow, min(memory, fitting) if wanted.store == "auto" else memory)
        if found is not None:
            return _sparse_half(found, rows, labels)
        if wanted.store == "sparse":
            raise MemoryError(
                f"more than {memory} products are larger than the threshold, {wanted.threshold:g}, and "
                f"{memory * number} bytes ({memory * number / 2**30:.1f} GiB) is all there is here: raise it"
            )
    check_memory(packed_bytes, "store='sparse' with a threshold keeps fewer products")
    half, kept = rows.half(wanted, plain)
    if wanted.store == "auto" and kept <= fitting:
        return _sparse_half(half_csr(half, plain, rows.kind, wanted.threads), rows, labels)
    if layout != plain:
        in_place = half if isinstance(layout, Layout) and layout.implied is None else None
        half = convert(half, plain, layout, kind=rows.kind, out=in_place, threads=wanted.threads)
    return Packed(half, layout, kind=rows.kind, labels=labels)


def _sparse_half(found: Compressed, rows: Sparse | Dense, labels: tuple[Any, ...] | None) -> SparseHalf:
    if found.data.size <= arrays.INT32_MAX:
        found = replace(found, indptr=found.indptr.astype(np.int32))
    return SparseHalf._of(found, places=rows.places, n=rows.side, labels=labels)


def _rows(X: Any, dtype_of: Callable[[Dtype], Dtype]) -> Sparse | Dense:
    from scipy import sparse

    X = as_sparse(X, "X", square=False)
    if not (is_sparse := sparse.issparse(X)):
        X = as_array(X, "X")
    check_matrix(X)
    if is_sparse:
        X = judged(X)
        sparse_dtype(X.dtype)
    dtype = dtype_of(X.dtype)
    if X.dtype == np.uint64 and dtype == np.int64:
        largest = int((X.tocoo().data if is_sparse else X).max(initial=0))
        if largest > np.iinfo(np.int64).max:
            raise OverflowError(f"X holds {largest}, beyond int64: astype(float) first")
    return Sparse.of(X, dtype) if is_sparse else Dense.of(X, dtype)
