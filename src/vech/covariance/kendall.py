"""Kendall's rank correlation: how often two columns go the same way, less how often not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype
from vech.counts.codes import Counting, Measure, Tick, pair_codes
from vech.covariance.data import Data, begin, open_data
from vech.covariance.ranks import Ranking, rankings
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.moves.runs import Runs, beside
from vech.results.wanted import Progress, Wanted

SIDE = 256  # columns taken against each other, where some pairs are undefined
H = (1, -2, 0, 0)  # concordant - discordant
VARIANTS = {"b": Measure(H, root=True), "a": Measure(H, (0, 0, 0, 1))}


def kendall(
    X: Any,
    variant: str = "b",
    *,
    missing: str = "raise",
    min_periods: int | None = None,
    layout: str | AnyLayout = "vech",
    out: Any = None,
    resume: bool = False,
    encoding: Any = None,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Kendall's tau of each pair of columns of X, from exact counts over all pairs of rows.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); or data frame
        Any numbers that can be ordered, compared in their own precision. At least two rows.
    variant : {"b", "a"}
        Whether ties are taken out of the denominator, see Notes.
    missing : {"raise", "neutral", "pairwise"}
        NaN is an error; or ties with every number, which keeps the result positive semidefinite; or each pair
        of columns uses the rows in which both are there, as pandas does, and the result may be indefinite.
    min_periods : int, optional
        With "pairwise", how many rows a pair needs in common: NaN for pairs with fewer, and off the diagonal
        for 0 / 0, as pandas has it (its own default is 1).
    layout : str or layout
        Of the result; with variant "b" it may leave out the diagonal of ones.
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
        Who computes parts of the half, as tasks; unless told, this thread.
    threads : int, optional
        At most so many threads.
    progress : callable, optional
        Called as ``progress(parts done, all parts)``.

    Returns
    -------
    Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
        float32 for floats of at most 4 bytes, else float64; counts are exact in both.

    Raises
    ------
    ValueError
        For NaN, infinities (the first one's place is named), fewer than two rows, no columns, and arguments
        that are none of their choices.
    TypeError
        For columns that are no real numbers, by name, and for X in blocks.

    Notes
    -----
    Of the N = n_samples (n_samples - 1) / 2 pairs of rows let P_ij be those in which columns i and j change
    in the same direction, Q_ij in opposite ones, and n_i those in which i changes at all. Then

    - tau-b: ``(P_ij - Q_ij) / sqrt(n_i n_j)``, 0 where a column is constant, 1 on the diagonal,
    - tau-a: ``(P_ij - Q_ij) / N``, on the diagonal too, where it is 1 only for a column without ties.

    Both are positive semidefinite. With "pairwise" all of P, Q, n and N are over pairs of rows in which both
    columns have numbers. Source: M. Kendall, "The treatment of ties in ranking problems", Biometrika 33(3),
    1945.

    Time for n_samples^2 n_features^2 / 4 bits, some hundreds at a time: faster than sorting each pair of
    columns until there are about 10 000 rows. Memory for a copy of X, at most 128 MiB of codes and, where
    these do not suffice, 128 MiB of counts. With `min_periods` also 13 bytes for each number of X, and up to
    five products of X by BLAS.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 1, 3], [2, 1, 2], [3, 4, 1], [4, 3, 0]])
    >>> kendall(X).expand().round(3)
    array([[ 1.   ,  0.548, -1.   ],
           [ 0.548,  1.   , -0.548],
           [-1.   , -0.548,  1.   ]])
    >>> kendall(X, "a")[1].round(3)
    array([ 0.5  ,  0.833, -0.5  ])
    """
    one_of("variant", variant, tuple(VARIANTS))
    data = open_data(X, missing=missing, ordered=True, min_periods=min_periods)
    whole = data.whole("Kendall's tau")
    if data.check() < 2:
        raise ValueError("X has one row, and Kendall's tau compares rows: it needs two at least")
    wanted = Wanted(layout, out, resume, executor, threads, progress, encoding=encoding)
    implied = 1 if variant == "b" else None
    with begin(data, wanted, "kendall", {"variant": variant}, implied=implied) as result:
        if not result.is_complete:
            pairs = pair_codes(_ordered(whole, data), pairwise=missing == "pairwise", threads=threads)
            counting = Counting.of(pairs, VARIANTS[variant], parts=result.goes_by_parts)
            ranked = None if min_periods is None else rankings(data)
            result.fill(counting if ranked is None else Marked(counting, ranked, min_periods or 0))
        return result.store()


@dataclass(frozen=True)
class Marked:
    """Counts, and then NaN for pairs with fewer rows in common, and off the diagonal for 0 / 0.

    That is where there are no two rows, or ties alone: with ranks r, in whole numbers, a column is constant
    over N rows where N sum r^2 - (sum r)^2, else at least N - 1, is 0.
    """

    counting: Counting
    ranked: Ranking
    min_periods: int

    @property
    def height(self) -> int:
        """Runs of a band."""
        return self.counting.height

    @property
    def unit(self) -> int:
        """Columns of a tile come in so many."""
        return self.counting.unit

    def tile(
        self,
        kind: Kind,
        dtype: Dtype,
        rows: slice,
        columns: slice,
        threads: int | None,
        tick: Tick,
    ) -> Array:
        """Count a lower tile, and mark it."""
        made = self.counting.tile(kind, dtype, rows, columns, threads, tick)
        for first in range(0, made.shape[0], SIDE):
            for start in range(0, made.shape[1], SIDE):
                part = made[first : first + SIDE, start : start + SIDE]
                down = slice(rows.start + first, rows.start + first + part.shape[0])
                across = slice(columns.start + start, columns.start + start + part.shape[1])
                part[self._undefined(down, across)] = np.nan
        return made

    def tiles(self, runs: Runs, band: tuple[int, int]) -> int:
        """How many chunks a band is counted over."""
        return self.counting.tiles(runs, band)

    def __call__(self, runs: Runs, band: tuple[int, int], threads: int | None, tick: Tick) -> None:
        """Count a band, and mark it."""
        self.counting(runs, band, threads, tick)
        buffer = np.empty(SIDE * SIDE, runs.half.dtype)
        for first in range(band[0], band[1], SIDE):
            rows = slice(first, min(first + SIDE, band[1]))
            for columns in beside(runs.n, runs.grow, rows, SIDE):
                block = runs.read(rows, columns, buffer, 1)
                block[self._undefined(rows, columns)] = np.nan
                runs.write(rows, columns, block, "write", 1)

    def _undefined(self, rows: slice, columns: slice) -> Array:
        ranked = self.ranked
        middle = ranked.valid.shape[1] // 2
        left, right = ranked.valid[rows].astype(np.float64), ranked.valid[columns].astype(np.float64)
        common = left @ right.T
        undefined = common < 2
        if self.counting.measure.root:
            own, theirs = ((ranked.low[cut] - middle) * ranked.valid[cut] for cut in (rows, columns))
            own, theirs = own.astype(np.float64), theirs.astype(np.float64)
            undefined |= common * (own**2 @ right.T) - (own @ right.T) ** 2 < common / 2
            undefined |= common * (left @ (theirs**2).T) - (left @ theirs.T) ** 2 < common / 2
        i, j = np.ogrid[rows, columns]
        undefined[i == j] = False
        return np.asarray(undefined | (common < self.min_periods))


def _ordered(X: Array, data: Data) -> Array:
    """Numbers of float32 or float64 in the order of those of X."""
    if X.dtype.kind in "iu" and X.dtype.itemsize == 8:  # float64 does not tell all of them apart
        return np.stack([np.unique(column, return_inverse=True)[1] for column in X.T], axis=1).astype(
            np.float64
        )
    return X.astype(data.dtype, copy=False)
