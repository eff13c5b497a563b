"""Numbers by their size: which are above a threshold, and NaN, which no threshold leaves out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype, family, is_real
from vech.moves.rounding import widen


def check_real(what: str, value: Any) -> None:
    """TypeError for what no magnitude is compared with."""
    if not is_real(value):
        raise TypeError(f"{what} must be a real number, not {value!r}")


def check_threshold(value: float) -> None:
    """Refuse what no magnitude is compared with."""
    check_real("threshold", value)
    if not value >= 0:
        raise ValueError(f"the threshold must not be negative or NaN, but is {value!r}")


def not_above(threshold: float, dtype: Dtype) -> Any:
    """The largest number of a dtype that is not above the threshold."""
    with np.errstate(over="ignore"):
        bound = np.full(1, threshold, dtype)[0]
    return np.nextafter(bound, np.zeros(1, dtype)[0]) if float(bound) > threshold else bound


def sizes(numbers: Array) -> NDArray[np.float64]:
    """|a| of each, NaN as infinity; integers beyond 2^53 are rounded."""
    size = _magnitudes(numbers)
    size[np.isnan(size)] = np.inf
    return size


def above(numbers: Array, threshold: float) -> NDArray[np.bool]:
    """Where |a| > threshold, or a is NaN; integers exactly, and real numbers without others beside them."""
    letter = numbers.dtype.kind
    if letter in "biu":
        limit = int(np.floor(min(threshold, 2.0**64)))
        large: NDArray[np.bool] = numbers > limit
        return large | (numbers < -limit) if letter == "i" else large
    if letter == "f":
        bound = not_above(threshold, numbers.dtype)
        small: NDArray[np.bool] = numbers <= bound
        small &= numbers >= -bound
        return np.logical_not(small, out=small)
    return np.asarray(~(_magnitudes(numbers) <= threshold))


def _magnitudes(numbers: Array) -> NDArray[np.float64]:
    wide = widen(numbers)
    with np.errstate(over="ignore"):
        return np.hypot(wide[..., 0], wide[..., 1]) if family(numbers.dtype) == "c" else np.abs(wide)
