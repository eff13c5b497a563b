"""What numbers mean, and so in which colours and between which limits they are drawn."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, family
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.maps import as_read
from vech.plot.cells import Facts
from vech.store import Store

MAPS = {"correlation": "RdBu", "covariance": "RdBu", "distance": "YlGnBu_r", "similarity": "YlGnBu"}
"""Dark blue is alike in each; the two of both signs have white in the middle, for 0."""

TAIL = 1.0  # percent of the numbers, at either end, that may lie beyond the limits
FAR = 2.0  # times the range of the others that they must reach for that


class Scale(NamedTuple):
    """Colours and what their ends mean; whether numbers lie beyond them."""

    cmap: Any
    low: float
    high: float
    extend: str  # as matplotlib's colour bars say it: "neither", "min", "max" or "both"


def check_said(S: Store, content: str | None, labels: bool | None) -> None:
    """Refuse contents that are none, and labels that S has not."""
    if content is not None:
        one_of("content", content, tuple(MAPS))
    if labels and S.labels is None:
        raise ValueError("S has no labels to draw: S.with_labels(names) gives it some")


def recognised(S: Store, facts: Facts) -> str | None:
    """What a matrix is, whatever the sign of one of its numbers: a correlation, distances; or None.

    Ones on the diagonal and no number beyond 1: a correlation. Zeros there and hardly a negative number:
    distances, or similarities where only nonzeros are stored. NaN and infinities do not count.
    """
    own = facts.diagonal[np.isfinite(facts.diagonal)]
    if Kind(S.kind).negates or not own.size:
        return None
    room = 0.0 if family(S.dtype) != "f" else 1e-6 if S.dtype.itemsize >= 4 else 0.02
    if (np.abs(own - 1) <= room).all() and facts.largest <= 1 + room:
        return "correlation"
    pairs = facts.negatives + facts.positives
    if facts.positives > facts.negatives and facts.negatives <= max(1, TAIL / 100 * pairs):
        if S.describe().triangle is not None:
            return "similarity"
        if not own.any():
            return "distance"
    return None


def scale(
    content: str,
    shown: Array,
    *,
    judged: Array | None = None,
    cmap: Any = None,
    limits: Sequence[float] | None = None,
) -> Scale:
    """Colours for cells of these numbers, and limits from some of them, `judged`.

    Correlations go from -1 to 1 and covariances as far to either side of 0. Limits are the extremes of the
    cells, unless a few of them lie far from all others: then one percent at either end lies beyond.
    """
    one_of("content", content, tuple(MAPS))
    low, high = (
        given_limits(limits) if limits is not None else _limits(content, shown if judged is None else judged)
    )
    beneath, beyond = bool((shown < low).any()), bool((shown > high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max"}.get(
        (beneath, beyond), "both"
    )
    return Scale(MAPS[content] if cmap is None else cmap, low, high, extend)


def given_limits(limits: Sequence[float]) -> tuple[float, float]:
    """The limits that a user gave, judged."""
    pair = as_read(limits)
    if pair.shape != (2,) or pair.dtype.kind not in "biuf" or not -np.inf < pair[0] < pair[1] < np.inf:
        raise ValueError(f"limits must be two finite numbers, the lower one first, not {limits!r}")
    return float(pair[0]), float(pair[1])


def _limits(content: str, shown: Array) -> tuple[float, float]:
    if content == "correlation":
        return -1.0, 1.0
    if content == "covariance":
        most = _robust(np.abs(shown))[1]
        return (-most, most) if most else (-1.0, 1.0)
    low, high = _robust(shown)
    if low == high:  # one number, whose colour is to be seen: 0 is the other end
        low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if low < high else (0.0, 1.0)


def _robust(numbers: Array) -> tuple[float, float]:
    """The extremes, or the percentiles near them where the extremes lie far out."""
    if not numbers.size:
        return 0.0, 0.0
    low, high = float(numbers.min()), float(numbers.max())
    if numbers.size < 10:
        return low, high
    # the next number inwards, so that of a few numbers one is left out too
    inner_low = float(np.percentile(numbers, TAIL, method="higher"))
    inner_high = float(np.percentile(numbers, 100 - TAIL, method="lower"))
    if inner_low == inner_high:
        others = numbers[numbers != inner_low]
        return _robust(others) if others.size else (low, high)
    if high - low <= FAR * (inner_high - inner_low):
        return low, high
    return inner_low, inner_high
