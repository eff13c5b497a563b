"""Integers of 32 bits, such as products of codes have, as codes of 8 bits: TensorFlow's Requantize."""

from __future__ import annotations

from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from vech import frames
from vech.arrays import as_array, family, is_finite, is_real
from vech.maps import check_mapped
from vech.packed.packed import Packed
from vech.store import Store

STEPS = 255  # between the least code and the largest


class Requantized(NamedTuple):
    """Codes of 8 bits, and what they stand for.

    Attributes
    ----------
    codes : array of uint8, or Packed
        As the integers were given.
    low, high : float
        What the codes 0 and 255 stand for, but for rounding of `zero`.
    """

    codes: Any
    low: float
    high: float

    @property
    def step(self) -> float:
        """What one more of a code stands for."""
        return (self.high - self.low) / STEPS

    @property
    def zero(self) -> int:
        """The code that stands for 0."""
        return -int(_rounded(np.float64(self.low / self.step))) if self.step else 0

    def numbers(self) -> Any:
        """What the codes stand for: ``(code - zero) * step``.

        Returns
        -------
        array of float64, or Packed

        Examples
        --------
        >>> vech.quantized.requantize(np.array([0, 100, 510], np.int32), 0.5).numbers()
        array([  0.,  50., 255.])
        """

        def real(codes: Any) -> Any:
            return (codes.astype(np.float64) - self.zero) * self.step

        return self.codes.map(real) if isinstance(self.codes, Packed) else real(self.codes)


def requantize(x: Any, scale: float = 1.0, *, range: tuple[float, float] | None = None) -> Requantized:
    """Integers times a scale as codes of 8 bits over a range that is given or measured.

    Parameters
    ----------
    x : array of integers, or Packed
        Such as a product of codes in int32, or a symmetric matrix of such.
    scale : float
        What one more of x stands for: of a product, the product of both scales.
    range : (float, float), optional
        Numbers that the codes 0 and 255 are to stand for, the first at most 0 and the second at least 0; what
        is beyond becomes the nearer of them. By default the least and the largest of x times the scale, and
        0.

    Returns
    -------
    Requantized
        Named tuple ``codes, low, high``: codes of the shape of x, of a Packed one of the same layout.

    Raises
    ------
    TypeError
        For numbers that are no integers, and Packed ones that are not symmetric.
    ValueError
        For a scale that is not positive, a range without 0 or its ends the wrong way round.

    Notes
    -----
    ``code = clip(round(x scale 255 / (high - low)) - round(low 255 / (high - low)), 0, 255)`` in float64,
    halves rounded away from zero: TensorFlow's Requantize from qint32 to quint8, there with ``input_min =
    -2^31 scale`` and ``input_max = (2^31 - 1) scale``, and with the range of RequantizationRange where none
    is given (of which 0 is a part here, so that 0 has a code). TensorFlow's own kernel computes with 16
    binary digits behind the point and can differ by one code. Where the range is 0 alone all codes are 0.

    Time and memory for some float64 copies of x.

    Source: M. Abadi et al., "TensorFlow: Large-scale machine learning on heterogeneous systems", 2015; B.
    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", CVPR 2018.

    Examples
    --------
    >>> product = np.array([-(2**23), 0, 2**23], np.int32)
    >>> vech.quantized.requantize(product, 2.0**-23, range=(-1, 1)).codes
    array([  0, 128, 255], dtype=uint8)
    """
    if not is_real(scale) or not is_finite(scale) or scale <= 0:
        raise ValueError(f"scale must be a positive number, not {short(scale)}")
    half = _half(x) if isinstance(x, Store) else None
    given = as_array(x, "x") if half is None else half.half
    if family(given.dtype) not in "iu":
        raise TypeError(
            f"requantize takes integers, such as products of codes, and x holds {given.dtype}: "
            f"vech.quantize(S, 'uint8') takes other numbers"
        )
    if range is None:
        ends = given.min(initial=0), given.max(initial=0)
        low, high = (float(end) * float(scale) for end in ends)
    else:
        low, high = _checked(range)
    with np.errstate(over="ignore", divide="ignore"):
        per = STEPS / np.float64(high - low) if high > low else np.float64(0)
    if not np.isfinite(high - low) or not np.isfinite(per):
        raise ValueError(f"a range of {low} to {high} is beyond float64: take another scale")
    found = _rounded(given.astype(np.float64) * (float(scale) * per)) - _rounded(low * per)
    codes = np.clip(found, 0, STEPS).astype(np.uint8)
    if half is None:
        return Requantized(frames.like(x, codes), low, high)
    return Requantized(Packed(codes, half.layout, labels=half.labels), low, high)


def _half(x: Store) -> Packed:
    """All numbers of a symmetric matrix, the diagonal too, whose zeros have a code."""
    if x.kind != "symmetric":
        raise TypeError(f"requantize takes symmetric matrices, and x is {x.kind}: pass expand()")
    layout = x.describe().layout
    half: Packed = x.to_packed("vech" if layout is None else layout.plain)
    return half


def _rounded(x: Any) -> Any:
    """To the nearest integer, halves away from zero, as C rounds."""
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x)


def _checked(range: Any) -> tuple[float, float]:
    check_mapped(range)
    try:
        low, high = (float(end) for end in range)
    except (TypeError, ValueError):
        raise ValueError(f"range must be two numbers, low and high, not {range!r}") from None
    if not (np.isfinite(low) and np.isfinite(high) and low <= 0 <= high):
        raise ValueError(f"range is {low} to {high}, and 0 must have a code: low at most 0, high at least 0")
    return low, high
