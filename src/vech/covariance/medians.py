"""Medians of columns, with weights and around numbers that are missing."""

import numpy as np

from vech.arrays import Array
from vech.covariance.data import Data

CENTERS = ("zero", "mean", "median")
COLUMNS = 64  # of which medians are taken together


def medians(data: Data, weights: Array | None = None) -> Array:
    """The median of each column over its numbers that are not NaN, 0 where there are none, in float64.

    With weights, the middle of the numbers up to which, and from which on, there is half the weight.
    """
    lower, upper = middles(data, weights)
    return lower / 2 + upper / 2


def middles(data: Data, weights: Array | None = None) -> tuple[Array, Array]:
    """The two numbers of each column whose mean is its median; twice the same where that is the median."""
    whole = data.whole("a median")
    found = np.zeros((2, data.p))
    ones = np.ones(len(whole)) if weights is None else weights
    places = (len(whole) - 1) // 2, len(whole) // 2
    for first in range(0, data.p, COLUMNS):
        numbers = whole[:, first : first + COLUMNS].astype(np.float64)
        if weights is None and not np.isnan(numbers).any():
            found[:, first : first + COLUMNS] = np.partition(numbers, places, axis=0)[places, :]
            continue
        for column in range(numbers.shape[1]):
            found[:, first + column] = _middles(numbers[:, column], ones)
    return found[0], found[1]


def _middles(numbers: Array, weights: Array) -> tuple[float, float]:
    counts = ~np.isnan(numbers) & (weights > 0)
    if not counts.any():
        return 0.0, 0.0
    order = np.argsort(numbers[counts])
    ordered, below = numbers[counts][order], np.cumsum(weights[counts][order])
    at = np.searchsorted(below, below[-1] / 2)
    following = min(at + 1, ordered.size - 1) if below[at] == below[-1] / 2 else at
    return ordered[at], ordered[following]
