"""The Gram matrix of columns from some rows, drawn by their size or leverage, and how far off it is."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.arrays import check_memory
from vech.covariance import products
from vech.covariance.data import Data, begin, check_rows, open_data
from vech.covariance.moments import accumulator, gather, refuse
from vech.covariance.sample import block_of, by_tiles, fill_products, write_covariance
from vech.covariance.scatter import Square
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import as_integer, as_seed, one_of
from vech.linalg import cholesky, norm
from vech.results.making import Tiles
from vech.results.result import Result
from vech.results.wanted import Progress, Wanted
from vech.store import Store

Double = NDArray[np.float64]


class SampledGram(NamedTuple):
    """A Gram matrix from some rows, and its error.

    Attributes
    ----------
    gram : Packed, Tiled or Quantized, shape (n_features, n_features)
        The estimate of ``X.T @ X``.
    error : float
        How far off it is in the Frobenius norm: its square is an unbiased estimate, from the sample itself,
        of the expected squared error. What codes lose is not in it, but in ``gram.error``.
    bound : float
        What the expected error does not exceed, from the sizes of all rows.
    rows : array of int64, shape (samples,)
        Which rows were drawn, in order, some of them perhaps more than once.
    weights : array of float64, shape (samples,)
        How much each counts: ``gram`` is ``X[rows].T @ (weights[:, None] * X[rows])``.
    """

    gram: Store
    error: float
    bound: float
    rows: NDArray[np.int64]
    weights: Double


def sampled_gram(
    X: Any,
    samples: int,
    *,
    by: str = "norm",
    seed: int = 0,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> SampledGram:
    """An estimate of X.T @ X, the products of columns, from rows drawn at random; with its error.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; or function returning an iterator of such
        Real numbers, taken about zero: subtract the means first where a covariance is wanted.
    samples : int
        How many rows are drawn, with replacement; at least 2.
    by : {"norm", "leverage", "uniform"}
        How probable a row is: as its squared length, with the least error of all; as its leverage, which is
        as good for every direction, also those in which all of X is short; or as any other.
    seed : int
        Of the draw.
    layout : str or layout
        Of the result; it must store the diagonal.
    out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
        Memory for the half, of exactly its dtype, which may be a memory map; or the file to write, with a
        journal beside it until it is complete; or the `vech.Tiled` to make.
    resume : bool
        Whether to go on from that journal or store, or to read what is complete; of other data or
        parameters it is an error.
    encoding : str or vech.quantized.Encoding, optional
        Make a `vech.Quantized` of this key of `vech.ENCODINGS` instead, tile by tile: its numbers are never
        in memory together. It has no `layout`; `out` is None, or a store of tiles, which then holds codes.
    executor : concurrent.futures.Executor or distributed.Client, optional
        Who multiplies the rows that were drawn, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.
    progress : callable, optional
        Called as ``progress(done, total)`` while the rows that were drawn are multiplied.

    Returns
    -------
    SampledGram
        Named tuple ``gram, error, bound, rows, weights``. The gram is float32 for floats of at most 4 bytes,
        else float64, positive semidefinite, and has the labels of the columns.

    Raises
    ------
    ValueError
        For NaN and infinities (the first one's place is named), no rows or columns, samples below 2, a
        negative seed, and a layout without its diagonal.
    TypeError
        For columns that are no real numbers, by name, and for an iterator, since X is read twice.
    MemoryError
        For more samples than memory holds rows, before any is drawn.
    OverflowError
        If sums of squares exceed the dtype.

    Notes
    -----
    With probabilities p_t of rows it is the mean of ``x_t x_t' / p_t`` over k rows drawn, which is unbiased.
    Its expected squared error is ``(sum_t |x_t|^4 / p_t - |C|^2) / k``, with C the matrix itself and
    Frobenius norms, so ``bound`` is ``sqrt(sum_t |x_t|^4 / p_t / k)``: with "norm", where ``p_t`` is
    ``|x_t|^2 / |X|^2``, it is ``|X|^2 / sqrt(k)``, however many rows there are. Where row sizes differ much,
    "uniform" misses the few that matter. Source: P. Drineas, R. Kannan & M. Mahoney, Fast Monte Carlo
    algorithms for matrices I, SIAM J. Computing 36(1), 2006. Leverage is ``x_t' C^-1 x_t`` (P. Drineas & M.
    Mahoney, RandNLA, Comm. ACM 59(6), 2016): the gram is between (1 - e) C and (1 + e) C from about
    n_features log n_features / e^2 rows.

    Reads X twice, O(n_samples n_features), and 8 bytes for each row; then the rows that were drawn are held,
    and multiplied as `sample` does, O(samples n_features^2). "leverage" has to know C: it takes as long as
    all of `sample` and as much again, so it is for what else is done with the rows.

    Examples
    --------
    >>> import numpy as np
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(20_000, 8)) * random.pareto(3, (20_000, 1))
    >>> found = sampled_gram(X, 2000)
    >>> off = np.linalg.norm(found.gram.expand() - X.T @ X)
    >>> bool(off < 2 * found.error), bool(found.error <= found.bound)
    (True, True)
    >>> bool(sampled_gram(X, 2000, by="uniform").bound > 3 * found.bound)
    True
    """
    one_of("by", by, tuple(SHARES))
    count, seed = as_integer("samples", samples), as_seed(seed)
    if count < 2:
        raise ValueError(f"samples is {count}: at least 2 rows say how far off they are")
    data = open_data(X, missing="raise", policies=("raise",))
    data.need_passes("sampled_gram")
    each = data.p * data.dtype.itemsize + 3 * 8
    check_memory(each * min(count, sys.maxsize), f"samples is {short(count)}, and the rows drawn are held")
    squares = _squares(data)
    total = float(squares.sum())
    share = squares / total if total else np.full(squares.size, 1 / squares.size)
    probable = SHARES[by](data, share)
    rows = np.sort(np.random.default_rng(seed).choice(share.size, count, p=probable))
    chosen = _rows(data, rows, np.sqrt(probable[rows]))
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    with begin(chosen, wanted, "sampled_gram", {"by": by, "samples": count, "seed": seed}) as result:
        size: float | None = None
        if encoding is not None:
            size = _encoded(chosen, result, total or 1.0)
        elif not result.is_complete and by_tiles(chosen, result):
            fill_products(chosen, chosen, result, None, 0, assume_centered=True)
        elif not result.is_complete:
            runs = accumulator(chosen.p, chosen.dtype, result.runs())
            moments = gather(chosen, runs, assume_centered=True, threads=threads, progress=progress)
            write_covariance(moments, result, count)
        gram = result.store()
    there = probable > 0
    bound = total * np.sqrt(np.sum(share[there] ** 2 / probable[there]) / count)
    single = share[rows] / probable[rows]  # norms of what each row drawn estimates by itself, of rank one
    if size is None:
        size = float(norm(gram)) / (total or 1)
    spread = np.sum(single**2) - count * size**2
    error = total * np.sqrt(max(0.0, spread) / count / (count - 1))
    return SampledGram(gram, float(error), float(bound), rows, 1 / (count * probable[rows]))


def _encoded(chosen: Data, result: Result, unit: float) -> float:
    """Fill it with codes; and the Frobenius norm, in units, of the numbers, made anew: they are not kept."""
    assert result.tiles is not None, "codes are made tile by tile"
    _, made = block_of(chosen, chosen, result, None, 0, assume_centered=True)
    job = Tiles(made, products.SIDE)
    if not result.is_complete:
        result.fill(job)
    return math.sqrt(result.tiles.sum(job, Square((unit,))))


def _squares(data: Data) -> Double:
    """The squared length of each row."""
    found = []
    for start, block in data.blocks():
        numbers = np.asarray(block, data.dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", numbers, numbers, dtype=np.float64)
        if not np.isfinite(squares.sum()):
            refuse(data, block, start)
        found.append(squares)
    check_rows(sum(map(len, found)))
    return np.concatenate(found)


def _rows(data: Data, rows: NDArray[np.int64], roots: Double) -> Data:
    """Some rows, in order, each over the root of its probability: their mean square is the Gram matrix."""
    found = np.empty((rows.size, data.p), data.dtype)
    for start, block in data.blocks():
        at = slice(*np.searchsorted(rows, (start, start + len(block))))
        found[at] = block[rows[at] - start]
        found[at] /= roots[at, None]
    return open_data(found)._replace(labels=data.labels)


def _by_norm(data: Data, share: Double) -> Double:
    return share


def _uniform(data: Data, share: Double) -> Double:
    return np.full(share.size, 1 / share.size)


def _by_leverage(data: Data, share: Double) -> Double:
    """As x' C^-1 x, of columns at length one, C with as much more on its diagonal as makes it definite."""
    wide = data._replace(dtype=np.dtype(np.float64))
    whole = Result(data.p, wide.dtype, Wanted())
    write_covariance(gather(wide, whole.runs(), assume_centered=True), whole, 1.0)
    gram = whole.store()
    size = np.sqrt(gram.diagonal())
    inverse = 1 / np.where(size > 0, size, 1)
    gram = gram.scale(inverse)
    factor = cholesky(gram.add_diagonal(data.p * np.finfo(np.float64).eps))
    found = np.empty(share.size)
    for start, block in wide.blocks():
        rows = block * inverse
        leverage = np.einsum("ij,ji->i", rows, factor.solve(rows.T))
        least = np.einsum("ij,ij->i", rows, rows) / data.p  # as no vector is longer by C than by its trace
        found[start : start + len(block)] = np.maximum(leverage, least)
    total = found.sum()
    return found / total if total else share


SHARES: dict[str, Callable[[Data, Double], Double]] = {
    "norm": _by_norm,
    "leverage": _by_leverage,
    "uniform": _uniform,
}
