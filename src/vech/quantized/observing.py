"""Ranges that hold for a stream of matrices, so that their codes have one scale."""

from __future__ import annotations

import math
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import is_real
from vech.layouts.layout import one_of
from vech.quantized.encodings import LOW, Encoding, as_encoding
from vech.quantized.parts import as_tile
from vech.quantized.sources import as_source, blocks, check_finite
from vech.store import Store, common_labels

METHODS = ("minmax", "moving-average", "percentile", "mse", "kl")
BINS = 2048  # of moduli: with those of both signs, a histogram has twice as many
CLIPS = 2.0 ** (-np.arange(193) / 16)  # of the largest modulus: limits that "mse" tries
NOTHING = -1074  # the exponent of a histogram of zeros
MANTISSA = {"float8-e4m3": (3, 7), "float8-e5m2": (2, 15)}  # bits of it, and what is added to an exponent

Numbers = NDArray[np.float64]


class Observer:
    """Ranges of the numbers off the diagonal over a stream of matrices of one side, as scales of their codes.

    Parameters
    ----------
    method : {"minmax", "moving-average", "percentile", "mse", "kl"}
        What the range is: of all numbers; an exponential mean of each matrix's range; the smallest one that
        holds a percentage of all numbers; that of the least mean squared error; that whose codes have a
        distribution nearest to that of the numbers.
    momentum : float
        For "moving-average": how much of the range before a matrix remains, 0 to 1.
    percentile : float
        For "percentile": above 0 to 100.
    tile : int, optional
        For "minmax" and "moving-average": a range for each tile of codes of this side, in place of one for
        all.

    Raises
    ------
    ValueError, TypeError
        For an unknown method, and options out of range or of another method.

    See Also
    --------
    vech.quantize : ``scales=`` takes what `scale` gives; ``clip=True`` takes numbers beyond it to its ends.

    Notes
    -----
    The diagonal is not in the codes, so it is not looked at. Every number off it stands in the matrix twice,
    so that the weight 2 of each leaves percentiles, means and divergences as they are.

    All but the first two methods keep a histogram of 4096 bins, of which the width is a power of two: it
    doubles where a number is beyond the last bin, and bins are joined two by two, so that what was counted
    stays exact. Limits are thus found to 1/1024 of the largest modulus.

    - "moving-average": ``low <- momentum low + (1 - momentum) min(S)``, ``high`` alike (B. Jacob et al.,
      "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR
      2018).
    - "percentile": the smallest edge of a bin for which so many moduli are at or below it (H. Wu et al.,
      "Integer quantization for deep learning inference: principles and empirical evaluation",
      arXiv:2004.09602, 2020).
    - "mse": of 193 limits, 2^(-k/16) of the largest modulus, that of the least mean of ``(x - code(x))^2``
      (C. Sakr et al., "Optimal clipping and magnitude-aware differentiation for improved
      quantization-aware training", ICML 2022).
    - "kl": of all limits that are edges of bins, that of the least ``sum P log(P / Q)``: P are the counts up
      to it, the last with all beyond; Q the same in 2^(bits - 1) levels, each shared out evenly among its
      bins that are not empty (S. Migacz, "8-bit inference with TensorRT", GTC 2017; PaddleSlim's KL).

    Memory for the histogram or for a range of each tile; an update reads S once.

    Examples
    --------
    >>> seen = vech.quantized.Observer("minmax")
    >>> for k in range(3):
    ...     seen.update(np.array([[9.0, k], [k, 9.0]]))
    >>> seen.range(), seen.scale("int8") * 127
    ((0.0, 2.0), 2.0)
    """

    def __init__(
        self,
        method: str = "minmax",
        *,
        momentum: float = 0.9,
        percentile: float = 99.99,
        tile: int | None = None,
    ) -> None:
        one_of("method", method, METHODS)
        if tile is not None and method not in METHODS[:2]:
            raise TypeError(
                f"method={method!r} has one range for all tiles: 'minmax' and 'moving-average' take tile="
            )
        for name, value, most in (("momentum", momentum, 1), ("percentile", percentile, 100)):
            if not is_real(value) or not 0 <= value <= most:
                raise ValueError(f"{name} must be a number from 0 to {most}, not {short(value)}")
        for name, value, usual, owner in (
            ("momentum", momentum, 0.9, "moving-average"),
            ("percentile", percentile, 99.99, "percentile"),
        ):
            if value != usual and method != owner:
                raise TypeError(f"{name} is of method={owner!r}, and method is {method!r}: leave it out")
        if not percentile:
            raise ValueError("percentile must be above 0: of no number there is no range")
        self.method, self.momentum, self.percentile = method, momentum, percentile
        self.tile = None if tile is None else as_tile(tile)
        self.count = 0
        self._n: int | None = None
        self._labels: tuple[Any, ...] | None = None
        self._low = self._high = self._sums = self._sizes = np.zeros(0)
        self._histogram = Histogram()

    def update(self, S: Store | ArrayLike) -> None:
        """Look at one more matrix; after an error all is as it was before.

        Parameters
        ----------
        S : Store, or full matrix (array or frame)
            Real, of the side of those before, and of their labels.

        Raises
        ------
        ValueError
            For another side, other labels, NaN and infinity: the first is named.
        TypeError
            For complex numbers and dates.

        Examples
        --------
        >>> seen = vech.quantized.Observer("moving-average", momentum=0.5)
        >>> seen.update(np.full((2, 2), 4.0)), seen.update(np.full((2, 2), 8.0))
        (None, None)
        >>> seen.range()
        (6.0, 6.0)
        """
        store = as_source(S)
        if self._n not in (None, store.n):
            raise ValueError(
                f"S has side {store.n}, and those before had {self._n}: an Observer takes one side"
            )
        labels = common_labels(self._labels, store.labels)
        histogram, cells = self._histogram.copy(), []
        for rows, columns, numbers in blocks(store) if self.tile is None else store.tiles(self.tile):
            check_finite(numbers, rows, columns)
            wide = numbers.astype(np.float64)
            wide = wide[np.tril_indices(len(wide), -1)] if rows == columns else wide.ravel()
            cells.append((wide.min(initial=np.inf), wide.max(initial=-np.inf), np.abs(wide).sum(), wide.size))
            if self.method in METHODS[2:]:
                histogram.add(wide)
        low, high, sums, sizes = np.array(cells, np.float64).reshape(-1, 4).T
        if self.tile is None:
            low, high = low.min(initial=np.inf, keepdims=True), high.max(initial=-np.inf, keepdims=True)
            sums, sizes = sums.sum(keepdims=True), sizes.sum(keepdims=True)
        low, high = np.where(sizes > 0, low, 0), np.where(sizes > 0, high, 0)
        if self._n is None:
            self._low, self._high, self._sums, self._sizes = low, high, sums, sizes
        else:
            self._low, self._high = self._joined(low, high)
            self._sums, self._sizes = self._sums + sums, self._sizes + sizes
        self._n, self._labels, self._histogram = store.n, labels, histogram
        self.count += 1

    def range(self, encoding: Any = "int8") -> Any:
        """The range of all that was looked at, by the method.

        Parameters
        ----------
        encoding : str or Encoding
            On whose levels "mse" and "kl" depend.

        Returns
        -------
        (float, float), or of arrays, one number for each tile
            The least number and the largest; (0.0, 0.0) where there is none.

        Raises
        ------
        ValueError
            Before the first update; for an unknown encoding.
        TypeError
            For encodings without a scale.

        Examples
        --------
        >>> seen = vech.quantized.Observer("percentile", percentile=50)
        >>> seen.update(np.abs(np.subtract.outer(np.arange(100.0), np.arange(100))))
        >>> seen.range()
        (1.0, 30.0625)
        """
        encoding = _scaled(encoding)
        if self._n is None:
            raise ValueError("nothing was looked at: update(S) first")
        low, high = self._low, self._high
        if self.method in METHODS[2:] and low.size and max(-low[0], high[0]) > 0:
            most = self._limit(encoding)
            low, high = np.maximum(low, -most), np.minimum(high, most)
        if self.tile is not None:
            return low.copy(), high.copy()
        return float(low[0]), float(high[0])

    def scale(self, encoding: Any = "int8") -> Any:
        """The scale of the codes of all that was looked at: ``scales=`` of `vech.quantize`.

        Parameters
        ----------
        encoding : str or Encoding
            Of the codes.

        Returns
        -------
        float, or array with one number for each tile
            Row after row of lower tiles. The largest modulus of the range over the largest level; of "sign"
            the mean modulus of all numbers, by every method; of "uint8" a pair, the range over 255 and its
            least number.

        Raises
        ------
        ValueError, TypeError
            As `range`.

        Examples
        --------
        >>> seen = vech.quantized.Observer()
        >>> for k in range(3):
        ...     seen.update(np.array([[9.0, k], [k, 9.0]]))
        >>> vech.quantize(np.array([[5.0, 1], [1, 5]]), "int8", scales=seen.scale("int8")).scales * 127
        array([2.])
        """
        encoding = _scaled(encoding)
        low, high = (np.atleast_1d(end) for end in self.range(encoding))
        if encoding.name == "sign":
            scales = self._sums / np.maximum(self._sizes, 1)
        else:
            width = high - low if encoding.is_affine else np.maximum(-low, high)
            scales = width / encoding.most
        found = [part if self.tile is not None else float(part[0]) for part in (scales, low)]
        return tuple(found) if encoding.is_affine else found[0]

    def _joined(self, low: Numbers, high: Numbers) -> tuple[Numbers, Numbers]:
        """The range that was, and that of one more matrix."""
        if self.method != "moving-average":
            return np.minimum(self._low, low), np.maximum(self._high, high)
        old, new = float(self.momentum), 1 - float(self.momentum)
        return old * self._low + new * low, old * self._high + new * high

    def _limit(self, encoding: Encoding) -> float:
        """The largest modulus that keeps its distance from others."""
        low, high = float(self._low[0]), float(self._high[0])
        if self.method == "mse":
            return least_squared_error(self._histogram, encoding, low, high)
        moduli = self._histogram.moduli
        if self.method == "kl":
            return (
                least_divergence(moduli, 2 ** (encoding.bits // encoding.planes - 1)) * self._histogram.width
            )
        below = np.cumsum(moduli) >= float(self.percentile) / 100 * moduli.sum()
        return (int(below.argmax()) + 1) * self._histogram.width


class Histogram:
    """Counts of numbers in 4096 bins around zero, whose width doubles as often as is needed."""

    def __init__(self) -> None:
        self.counts = np.zeros(2 * BINS, np.int64)
        self.exponent = NOTHING

    @property
    def width(self) -> float:
        """Of a bin: a power of two."""
        return math.ldexp(1 / BINS, self.exponent)

    @property
    def moduli(self) -> NDArray[np.int64]:
        """Counts of moduli from 0 on, up to the last that there is."""
        counts = self.counts[BINS:] + self.counts[:BINS][::-1]
        return counts[: int(np.flatnonzero(counts).max(initial=0)) + 1]

    def copy(self) -> Histogram:
        """The same counts in an array of their own."""
        other = Histogram()
        other.counts, other.exponent = self.counts.copy(), self.exponent
        return other

    def add(self, x: Numbers) -> None:
        """Count numbers; bins are joined until the largest has one."""
        largest = float(np.abs(x).max(initial=0))
        needed = math.frexp(largest)[1] if largest else NOTHING
        if needed > self.exponent:
            joined = (np.arange(-BINS, BINS) >> min(needed - self.exponent, 60)) + BINS
            old, self.counts = self.counts, np.zeros(2 * BINS, np.int64)
            np.add.at(self.counts, joined, old)
            self.exponent = needed
        places = np.floor(np.ldexp(x, -self.exponent) * BINS).astype(np.int64) + BINS
        self.counts += np.bincount(places, minlength=2 * BINS)


def least_squared_error(histogram: Histogram, encoding: Encoding, low: float, high: float) -> float:
    """The limit of moduli for which codes have the least mean squared error."""
    bins = np.flatnonzero(histogram.counts)
    points = (bins - BINS + 0.5) / BINS  # in units of the histogram's end
    weights, levels = histogram.counts[bins], levels_of(encoding)
    low, high = (math.ldexp(end, -histogram.exponent) for end in (low, high))

    def error(limit: float) -> float:
        if encoding.is_affine:
            least, most = max(low, -limit), min(high, limit)
            found = least + (most - least) * levels
        else:
            found = limit * levels
        nearest = found[np.searchsorted((found[1:] + found[:-1]) / 2, points)]
        return float((np.square(points - nearest) * weights).sum())

    return math.ldexp(min(max(-low, high) * CLIPS, key=error), histogram.exponent)


def least_divergence(moduli: NDArray[np.int64], levels: int) -> int:
    """After how many bins the codes of what is before have a distribution nearest to all counts."""
    if len(moduli) <= levels:
        return len(moduli)
    beyond = moduli.sum() - np.cumsum(moduli)
    found = [math.inf] * len(moduli)
    for k in range(levels, len(moduli) + 1):
        counts = moduli[:k].astype(np.float64)
        starts = -(-np.arange(levels) * k // levels)
        lengths = np.diff(starts, append=k)
        filled = np.maximum(np.add.reduceat(counts > 0, starts, dtype=np.int64), 1)
        codes = np.repeat(np.add.reduceat(counts, starts) / filled, lengths) * (counts > 0)
        counts[-1] += beyond[k - 1]
        some = counts > 0
        if codes[some].all():
            p, q = counts[some] / counts.sum(), codes[some] / codes.sum()
            found[k - 1] = float((p * np.log(p / q)).sum())
    return int(np.argmin(found)) + 1


def levels_of(encoding: Encoding) -> Numbers:
    """What codes stand for, ascending, the largest modulus being 1."""
    most = encoding.most or 1.0
    if encoding.name in MANTISSA:
        bits, bias = MANTISSA[encoding.name]
        exponents, parts = np.divmod(np.arange(128), 2**bits)
        values = np.where(exponents, 2**bits + parts, 2 * parts) * 2.0 ** (exponents - bias - bits)
        values = values[values <= most] / most
        return np.concatenate([-values[:0:-1], values])
    if encoding.is_affine:
        return np.linspace(0, 1, 256)
    if encoding.levels is not None:
        return np.array(encoding.levels)
    if encoding.name == "sign":
        return np.array([-1.0, 1.0])
    if most == 1:
        raise ValueError(f"{encoding.name!r} has other levels for each matrix: pass an Encoding with levels")
    steps = int(most) * (LOW if encoding.planes == 2 else 1)
    return np.arange(-steps, steps + 1) / steps


def _scaled(encoding: Any) -> Encoding:
    found = as_encoding(encoding)
    if not found.most:
        raise TypeError(f"{found.name!r} has no scales: its codes are the numbers")
    return found
