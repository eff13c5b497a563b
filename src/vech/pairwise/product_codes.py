"""Rows as product codes: the columns in parts, each part of a row as the nearest of a few centres."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import BLOCK_BYTES, Array, check_progress
from vech.frames import labels_of
from vech.layouts.layout import as_integer, as_seed, one_of
from vech.pairwise.coded import METRICS, MOST, ProductCodes, units
from vech.pairwise.points import check_finite, opened
from vech.pairwise.rows import inexact
from vech.results.wanted import Progress, silent

TRAINED = 256  # rows for each centre that k-means looks at, as faiss has it
ROUNDS = 25
DIAGONALS = ("exact", "codes")

Trainer = Callable[[Array, int, int], Array]
"""Rows, how many centres, and a seed, to the centres."""


def product_codes(
    X: Any,
    parts: int = 8,
    codes: int = 64,
    *,
    metric: str = "sqeuclidean",
    diagonal: str = "exact",
    kmeans: str = "scikit-learn",
    seed: int = 0,
    progress: Progress | None = None,
) -> ProductCodes:
    """The distances or products of the rows of X from some bytes a row: product quantization.

    Parameters
    ----------
    X : array or data frame, shape (n, m)
        Real numbers, one thing a row; a memory map is read a part of its columns at a time.
    parts : int
        In how many parts the columns are taken, of nearly the same width, and bytes of a row: 1 to m.
    codes : int
        How many centres k-means makes of each part: 1 to 256, and n at most.
    metric : {"sqeuclidean", "dot", "cosine"}
        Squared distances, inner products, or 1 - cos.
    diagonal : {"exact", "codes"}
        The products of rows with themselves, held beside the codes, or of "dot" what the codes give.
        Distances of rows to themselves are 0.
    kmeans : {"scikit-learn", "faiss"}
        Whose k-means: the extra `sklearn`, or the package faiss-cpu.
    seed : int
        Of the rows that k-means looks at, and of its first centres.
    progress : callable, optional
        Called as ``progress(parts done, parts)``.

    Returns
    -------
    ProductCodes
        A store with the labels of X; float32 where X holds floats of at most 4 bytes, else float64.

    Raises
    ------
    ValueError
        For parts and codes out of range, numbers that are not finite and, with "cosine", rows of zeros.
    TypeError
        For what is no matrix of real numbers.
    OverflowError
        Where squares of X exceed the dtype.
    ImportError
        Where that k-means is not installed.

    See Also
    --------
    vech.pairwise.ProductCodes.nearest : candidates by the codes, compared exactly.
    vech.pairwise.ProductCodes.fitted : tables that fit exact numbers of some pairs.

    Notes
    -----
    Each part of a row becomes the number of its nearest centre, and the part's distance to that of another
    row the distance of the two centres (H. Jegou, M. Douze & C. Schmid, 2011). k-means looks at 256 rows a
    centre, drawn by the seed; time for that and O(n m codes) for all rows. Memory beside the n parts bytes:
    one part of the columns. How near the numbers come depends on X alone: rows in clusters code well, noise
    without structure does not.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 8))
    >>> S = product_codes(X, parts=4, codes=32)
    >>> S.shape, S.codes.nbytes, S.tables.shape
    ((500, 500), 2000, (4, 528))
    >>> exact = vech.pairwise.distances(X, "sqeuclidean").expand()
    >>> bool(np.corrcoef(S.expand().ravel(), exact.ravel())[0, 1] > 0.9)
    True
    >>> x = np.ones(500)
    >>> bool(np.abs(S @ x - S.expand() @ x).max() < 1e-9)
    True
    """
    one_of("metric", metric, METRICS)
    one_of("diagonal", diagonal, DIAGONALS)
    one_of("kmeans", kmeans, tuple(TRAINERS))
    check_progress(progress)
    train, tell = TRAINERS[kmeans](), progress or silent
    rows = opened(X, mixed=False)
    n, m = rows.shape
    parts, count, seed = as_integer("parts", parts), as_integer("codes", codes), as_seed(seed)
    if not rows.size:
        raise ValueError(f"X has shape {rows.shape}: there are no rows or columns to code")
    if not 1 <= parts <= m:
        raise ValueError(f"parts is {parts}, and X has {m} columns: 1 to {m} fits")
    if not 1 <= count <= min(MOST, n):
        raise ValueError(f"codes is {count}, of {n} rows and in one byte: 1 to {min(MOST, n)} fits")
    check_finite(rows, X, allowed=False, offered=False)
    dtype = inexact(rows.dtype)
    own = _squares(rows) if metric == "dot" and diagonal == "exact" else None
    if metric == "cosine":
        rows = units(rows.astype(dtype, copy=False))
    found, books = np.empty((n, parts), np.uint8), []
    for part, columns in enumerate(np.array_split(np.arange(m), parts)):
        some = np.ascontiguousarray(rows[:, columns], dtype)
        size = int(np.frexp(np.abs(some).max(initial=0))[1])  # squares then have a place in float32
        some = np.ldexp(some, -size)
        centres = train(_sample(some, TRAINED * count, seed + part), count, seed + part).astype(dtype)
        found[:, part] = _nearest(some, centres)
        books.append(np.ldexp(centres, size))
        tell(part + 1, parts)
    return ProductCodes.from_codes(found, books, metric, diagonal=own, labels=labels_of(X, 0))


def _squares(rows: Array) -> Array:
    """The products of rows with themselves."""
    wide = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    dtype = inexact(rows.dtype)
    if not (wide <= np.finfo(dtype).max).all():
        raise OverflowError(f"squares of X exceed {dtype}: scale X first")
    return np.asarray(wide, dtype)


def _sample(rows: Array, most: int, seed: int) -> Array:
    """At most so many rows, drawn without repeats."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def _nearest(rows: Array, centres: Array) -> NDArray[np.uint8]:
    """Which centre is the nearest of each row."""
    found = np.empty(len(rows), np.uint8)
    squares = np.einsum("ij,ij->i", centres, centres) / 2
    height = max(1, BLOCK_BYTES // (8 * len(centres)))
    for start in range(0, len(rows), height):
        some = slice(start, start + height)
        found[some] = np.argmin(squares - rows[some] @ centres.T, axis=1)
    return found


def _scikit_learn() -> Trainer:
    try:
        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
    except ImportError:
        raise ImportError(
            "product codes need the k-means of scikit-learn, which the extra 'sklearn' of vech installs, "
            "or kmeans='faiss' and the package faiss-cpu"
        ) from None

    def train(rows: Array, count: int, seed: int) -> Array:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than centres
            fit = KMeans(count, n_init=1, max_iter=ROUNDS, random_state=seed).fit(rows)
        centres: Array = fit.cluster_centers_
        return centres

    return train


def _faiss() -> Trainer:
    try:
        import faiss
    except ImportError:
        raise ImportError(
            "kmeans='faiss' needs the package faiss-cpu; kmeans='scikit-learn' needs the extra 'sklearn' of "
            "vech"
        ) from None

    def train(rows: Array, count: int, seed: int) -> Array:
        means = faiss.Kmeans(
            rows.shape[1], count, niter=ROUNDS, seed=seed, min_points_per_centroid=1, verbose=False
        )
        means.train(np.ascontiguousarray(rows, np.float32))
        return np.asarray(means.centroids)

    return train


TRAINERS: dict[str, Callable[[], Trainer]] = {"scikit-learn": _scikit_learn, "faiss": _faiss}
