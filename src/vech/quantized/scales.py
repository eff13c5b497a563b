"""Scales of two sides: a number for each row, so that D S D and other orders leave codes alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from vech.arrays import Array, Dtype, epsilon
from vech.quantized.encodings import Encoding
from vech.quantized.sources import blocks, check_finite
from vech.store import Store

ROUNDS = 8  # passes over the numbers at most: each halves the distance of a row's largest number from 1
NEAR = 0.95  # where that will do


class TwoSided(NamedTuple):
    """A side for each row; the scale of all tiles, and what code 0 is."""

    sides: Array
    scale: float
    zero: float


def two_sided(S: Store, encoding: Encoding, dtype: Dtype) -> TwoSided:
    """Sides for which the largest number off the diagonal is near 1 in each row, in units of both its sides.

    D. Ruiz, "A scaling algorithm to equilibrate both rows and columns norms in matrices", RAL-TR-2001-034,
    2001. Rows of zeros alone have a side of 1.
    """
    sides = np.ones(S.n)
    for _ in range(ROUNDS):
        most = _seen(S, sides).most
        some = most > 0
        if ((most[some] >= NEAR) & (most[some] <= 1 / NEAR)).all():
            break
        sides[some] *= np.sqrt(most[some])
    sides = sides.astype(dtype)
    seen = _seen(S, sides.astype(np.float64))
    if encoding.is_affine:
        rounding = (
            4 * epsilon(dtype) * max(abs(seen.largest), abs(seen.least))
        )  # of numbers in units of sides
        return TwoSided(sides, max((seen.largest - seen.least) / 255, rounding), seen.least)
    if encoding.name == "sign":
        return TwoSided(sides, seen.mean, 0.0)
    size = float(seen.most.max(initial=0.0))
    return TwoSided(sides, size / encoding.most if encoding.most else 1.0, 0.0)


class _Seen(NamedTuple):
    """Of what is below the diagonal, in units of sides; `most` is the largest modulus of each whole row."""

    most: Array
    least: float
    largest: float
    mean: float  # of the moduli


def _seen(S: Store, sides: Array) -> _Seen:
    most, least, largest, total = np.zeros(S.n), math.inf, -math.inf, 0.0
    for rows, columns, numbers in blocks(S):
        check_finite(numbers, rows, columns)
        scaled = numbers / sides[rows, None] / sides[columns]
        here = np.tri(len(scaled), k=-1, dtype=bool) if rows == columns else np.ones(scaled.shape, bool)
        least = min(least, float(scaled.min(where=here, initial=math.inf)))
        largest = max(largest, float(scaled.max(where=here, initial=-math.inf)))
        size = np.where(here, np.abs(scaled), 0)
        with np.errstate(over="ignore"):  # before there are sides; then all are near 1
            total += float(size.sum())
        most[rows] = np.maximum(most[rows], size.max(axis=1, initial=0))
        most[columns] = np.maximum(most[columns], size.max(axis=0, initial=0))
    pairs = S.n * (S.n - 1) // 2
    return _Seen(most, least, largest, total / pairs) if pairs else _Seen(most, 0.0, 0.0, 0.0)
