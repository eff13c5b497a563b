"""Distances between rows, of every metric, straight to a half."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from vech.arrays import Array, as_array
from vech.frames import as_sparse, is_frame, is_sparse, labels_of
from vech.layouts.dialects import AnyLayout
from vech.pairwise.metrics import block_of, named
from vech.pairwise.mixed import columns_of
from vech.pairwise.tiles import with_threads
from vech.results.making import Progress, Wanted, make


def distances(
    X: Any,
    metric: Any = "euclidean",
    *,
    p: float = 2.0,
    V: Any = None,
    VI: Any = None,
    w: Any = None,
    missing: str = "raise",
    layout: str | AnyLayout = "condensed",
    dtype: Any = None,
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """The distances between the rows of X.

    Parameters
    ----------
    X : array, data frame of numbers, or SciPy sparse array, shape (n, m)
        One thing a row. It is left as it is, and a memory map need not fit in memory. The index of a frame
        labels the result. "euclidean", "sqeuclidean", "cityblock", "cosine" and "jaccard" take a sparse X,
        which is not made dense.
    metric : str or callable
        A metric of `scipy.spatial.distance.pdist` by any name it has there, "haversine", "gower" for a frame
        whose columns are of different sorts, or a function of copies of two rows, which is called once for
        each pair, the row that comes first in X first. The list, with formulas, is in docs/pairwise.md.
    p : float
        Of "minkowski": ``|x - y|^p`` is summed. 1 is "cityblock", infinity "chebyshev".
    V : array of shape (m,), optional
        Of "seuclidean": the variances of columns; by default those of X.
    VI : array of shape (m, m), optional
        Of "mahalanobis": the inverse of a covariance; by default that of the columns of X.
    w : array of shape (m,), optional
        Weights of columns, zero or positive, for the metrics that have them in `pdist`.
    missing : {"raise", "pairwise"}
        What NaN in X is: an error, or left out, pair by pair. Distances that are sums then grow by what all
        columns weigh over those present, as in scikit-learn's `nan_euclidean_distances`; others are those of
        the columns that both rows have. Where there are none the distance is NaN.
    layout : str or layout
        Of the result; by default SciPy's condensed vector. Where a layout has a diagonal it holds zeros.
    dtype : {"float32", "float64"}, optional
        Of the result: float32 for floats of at most 4 bytes, else float64.
    out : array or path, optional
        Where the result goes: an array of the half's dtype and length, or a path ending in .npy; or one in
        .zarr, a `vech.Tiled`, which has no layout.
    resume : bool
        Go on from the journal beside `out`, or with what the store misses, where a run was interrupted.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who computes; by default threads of this process.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. Bits do not
        depend on it, but for those of metrics that go through BLAS, which has its own threads.
    progress : callable, optional
        Called as ``progress(done, total)``, in tiles.

    Returns
    -------
    vech.Packed, or vech.Tiled
        Symmetric. Equal rows are at distance 0 exactly, no distance is negative, and the rows' order does not
        matter, to the bit. What is 0 / 0 is NaN where it is in SciPy.

    Raises
    ------
    ValueError
        If X is not two-dimensional or holds infinity or, unless `missing` says otherwise, NaN: row and column
        are named. If a metric is unknown, does not go with `missing`, or cannot take these rows; for `w`, `V`
        or `VI` of a wrong shape, a weight below zero, a variance that is not positive, and a `VI` that is not
        symmetric and positive semidefinite.
    TypeError
        For what is no matrix of real numbers, a parameter that the metric does not have, a sparse X, and a
        dtype that is neither.
    MemoryError
        If the result is larger than memory and swap together.

    Notes
    -----
    Time n^2 m / 2 steps (mahalanobis: n m^2 more). Memory: the half, tiles of 480 x 480, and X once more
    where it is no array of floats side by side, is weighted by zeros, or a metric scales it.

    Numbers are computed in double, so that float32 results are rounded once. Rows of any size that double
    holds are taken: where squares would overflow or vanish, differences are scaled first.

    Examples
    --------
    >>> X = np.array([[0.0, 0], [3, 4], [0, 1]])
    >>> D = distances(X)
    >>> D.half
    array([5.        , 1.        , 4.24264069])
    >>> distances(X, "cityblock", layout="vech").half
    array([0., 7., 1., 0., 6., 0.])
    >>> distances([[1.0, np.nan], [3, 0], [5, 4]], "sqeuclidean", missing="pairwise").half
    array([ 8., 32., 20.])
    """
    block = block_of(X, metric, p=p, V=V, VI=VI, w=w, missing=missing, dtype=dtype)
    what = {"function": "distances", "metric": _name(metric), "p": float(p), "missing": missing}
    wanted = Wanted(layout, out, resume, executor, threads, progress, None, "condensed", encoding)
    block = with_threads(block, threads if executor is None else threads or 1)
    labels = labels_of(X, 0)
    given: dict[str, Any] = {"X": as_array(X, "X") if isinstance(X, np.ndarray) else _parts(X, metric)}
    given |= {name: None if x is None else as_array(x, name) for name, x in (("w", w), ("V", V), ("VI", VI))}
    return make(block, block.n, block.dtype, wanted, labels=labels, implied=0, what=what, data=given)


def _parts(X: Any, metric: Any) -> Iterator[Array]:
    """The arrays that X is, for a journal to tell another X by; of a run without one they are not made."""
    if is_sparse(X := as_sparse(X, "X", square=False)):
        rows = X.tocsr()
        yield from (rows.indptr, rows.indices, rows.data)
    elif is_frame(X) and not callable(metric) and named(metric).frames:
        for column in columns_of(X):
            yield from (column.values, column.known)
    else:
        yield as_array(X, "X", floats=True)


def _name(metric: Any) -> str:
    if isinstance(metric, str):
        return named(metric).name
    return f"{getattr(metric, '__module__', '')}.{getattr(metric, '__qualname__', type(metric).__name__)}"
