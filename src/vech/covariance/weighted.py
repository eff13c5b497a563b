"""Weighted counts of codes, as products of tiles of zeros and ones by BLAS, and the ratios made of them."""

from dataclasses import dataclass

import numpy as np

from vech.arrays import Array, Dtype
from vech.counts.codes import ACTIVE, SIGN, VALID, Codes, Counting, Measure
from vech.results.making import Tiles
from vech.results.result import Result

SIDE = 480  # columns of a tile, a multiple of 8
TIMES = 4096  # rows of tiles, a multiple of 64


@dataclass(frozen=True)
class Weighted:
    """As `counts.codes.Counting`, each time counting by its weight: a block.

    For weights that are integers, and without, the counts are exact. With `min_periods`, NaN for pairs with
    fewer times in common, and off the diagonal for 0 / 0. Memory: tiles of float64, 16 MB each.
    """

    codes: Codes
    weights: Array | None
    measure: Measure
    dtype: Dtype
    scale: Array | None
    min_periods: int | None

    def __call__(self, rows: slice, columns: slice) -> Array:
        sums = _sums(self.codes, self.weights, rows, columns, self.min_periods is not None)
        nothing = np.nan if self.min_periods is not None else 0.0
        block = _ratio(self.measure, sums, rows == columns, nothing)
        if self.min_periods is not None:
            block[sums["common"] < self.min_periods] = np.nan
        if self.scale is not None:
            block *= self.scale[rows, None] * self.scale[columns]
        return block.astype(self.dtype)


def count(
    codes: Codes,
    measure: Measure,
    result: Result,
    weights: Array | None = None,
    *,
    scale: Array | None = None,
    min_periods: int | None = None,
) -> None:
    """Fill the half with a ratio of counts: of bits where each time counts alike, else of weights."""
    if weights is None and min_periods is None:
        result.fill(Counting.of(codes, measure, scale=scale, parts=result.goes_by_parts))
    else:
        result.fill(Tiles(Weighted(codes, weights, measure, result.dtype, scale, min_periods), SIDE))


def _sums(
    codes: Codes, weights: Array | None, rows: slice, columns: slice, counted: bool
) -> dict[str, Array]:
    """What is counted over each column of `rows` and each of `columns`."""
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    names = ("both", "signed", "of_row", "of_column", "times", "common")
    sums = {name: np.zeros(shape) for name in names}
    for start in range(0, codes.n_samples, TIMES):
        times = slice(start, min(start + TIMES, codes.n_samples))
        weight = 1.0 if weights is None else weights[times, None]

        def planes(cut: slice, times: slice = times) -> tuple[Array, Array, Array]:
            active = codes.numbers(ACTIVE, cut, times)
            signs = 2 * codes.numbers(SIGN, cut, times) - active
            valid = codes.numbers(VALID, cut, times) if codes.pairwise else np.ones((len(active), 1))
            return active, signs, valid

        left = planes(rows)
        active, signs, valid = left if rows == columns else planes(columns)
        weighted_active, weighted_signs, weighted_valid = (weight * plane for plane in left)
        sums["both"] += weighted_active.T @ active
        sums["signed"] += weighted_signs.T @ signs
        sums["of_row"] += weighted_active.T @ valid
        sums["of_column"] += weighted_valid.T @ active
        sums["times"] += weighted_valid.T @ valid
        if counted and weights is not None:
            sums["common"] += left[2].T @ valid
    if counted and weights is None:
        sums["common"] = sums["times"]
    if rows == columns:  # where all are one sum; BLAS rounds each in a way of its own
        for name in ("signed", "of_row", "of_column"):
            np.fill_diagonal(sums[name], sums["both"].diagonal())
    return sums


def _ratio(measure: Measure, sums: dict[str, Array], diagonal: bool, nothing: float) -> Array:
    """What core/kernels/codes.hpp makes of counts, and `nothing` of 0 / 0 off the diagonal."""
    both, of_row, of_column = sums["both"], sums["of_row"], sums["of_column"]
    terms = (both, (both - sums["signed"]) / 2, of_row + of_column, sums["times"])
    over = sum(factor * term for factor, term in zip(measure.over, terms, strict=True))
    if measure.root:
        under = np.sqrt(of_row * of_column)
    else:
        under = sum(factor * term for factor, term in zip(measure.under, terms, strict=True))
    ratio = np.divide(over, under, out=np.full(both.shape, nothing), where=under != 0)
    if diagonal:
        np.fill_diagonal(ratio, np.where(under.diagonal() == 0, measure.empty, ratio.diagonal()))
    measure.finish(ratio)
    return np.asarray(ratio)
