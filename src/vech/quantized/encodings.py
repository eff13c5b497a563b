"""Encodings: how many bits a number gets, and which numbers these bits are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import as_array, family
from vech.layouts.layout import one_of
from vech.quantized import kernels

COUNT = 16
"""Levels of a table."""


@dataclass(frozen=True)
class Encoding:
    """How a number off the diagonal is held.

    Parameters
    ----------
    name : str
        A key of `vech.ENCODINGS`.
    bits : int
        Of a number: 1, 4, 8 or 16.
    most : float
        The level that the largest number of a tile gets; 0 where numbers are not scaled.
    levels : tuple of 16 floats, optional
        What the codes 0 ... 15 are, ascending, in units of the scale of a tile; None where codes are no
        table, and for "kmeans-4" of `vech.ENCODINGS`, whose every matrix has levels of its own.

    Examples
    --------
    >>> vech.ENCODINGS["nf4"].bits, vech.ENCODINGS["nf4"].levels[-2:]
    (4, (0.7229568362236023, 1.0))
    """

    name: str
    bits: int
    most: float = 1.0
    levels: tuple[float, ...] | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What a description says of it: levels where they are its own."""
        own = {} if self == ENCODINGS[self.name] else {"levels": list(self.levels or ())}
        return {"encoding": self.name} | own

    @property
    def planes(self) -> int:
        """Arrays of codes that are added up: 2 for "int4x2", else 1."""
        return 2 if self.name == PLANES else 1

    @property
    def kernel(self) -> str:
        """The encoding of one plane."""
        return PLANE if self.name == PLANES else self.name

    @property
    def is_affine(self) -> bool:
        """Whether code 0 of a tile is a number of its own, "zero"."""
        return self.name == "uint8"

    @property
    def is_even(self) -> bool:
        """Whether each level has its negative."""
        return self.levels is None and not self.is_affine


PLANES, PLANE = "int4x2", "int4"
KMEANS = "kmeans-4"
LOW = 14  # steps of the low plane in one of the high plane: 7 on either side
INTEGERS = ("int8", "uint8", "int4")


def _known() -> dict[str, Encoding]:
    found = {
        name: Encoding(name, bits, most, None if levels is None or name in INTEGERS else tuple(levels))
        for name, bits, most, levels in kernels.encodings()
    }
    return found | {PLANES: Encoding(PLANES, 8, found[PLANE].most)}


#: Each encoding by its name: bits, the largest number, levels.
ENCODINGS: dict[str, Encoding] = _known()


def as_encoding(encoding: Any, levels: ArrayLike | None = None) -> Encoding:
    """The encoding meant, with the levels it is given; an unknown name: ValueError with the nearest ones."""
    if not isinstance(encoding, Encoding):
        one_of("encoding", encoding, ENCODINGS)
        encoding = ENCODINGS[encoding]
    found: Encoding = encoding
    if encoding.name not in ENCODINGS or encoding.levels != ENCODINGS[encoding.name].levels:
        if encoding.levels is None:
            one_of("encoding", encoding.name, ENCODINGS)
            raise ValueError(f"{encoding!r} is none of vech.ENCODINGS: name it, or give it levels")
        found, levels = ENCODINGS[KMEANS], encoding.levels if levels is None else levels
    if levels is None:
        return found
    if found.name != KMEANS:
        raise ValueError(f"levels are for {KMEANS!r}, and {found.name!r} has its own: leave one of them out")
    return replace(found, levels=as_levels(levels))


def check_levels(encoding: Encoding) -> None:
    """Refuse k-means without its levels, where tiles become codes before the whole matrix is there."""
    if encoding.name == KMEANS and encoding.levels is None:
        raise ValueError(
            f"{KMEANS!r} has 16 levels that are found in a whole matrix, and here it comes tile by tile: "
            f"levels = vech.quantized.codebook(S) of one like it, and encoding="
            f"vech.quantized.Encoding({KMEANS!r}, 4, levels=tuple(levels)); or vech.quantize(S, {KMEANS!r}) "
            f"of the one that is made"
        )


def as_levels(levels: ArrayLike) -> tuple[float, ...]:
    """16 levels, judged."""
    given = as_array(levels, "levels")
    if given.shape != (COUNT,):
        raise ValueError(f"levels has shape {given.shape}, and 4 bits have {COUNT} levels: ({COUNT},)")
    if family(given.dtype) not in "iuf":
        raise TypeError(f"levels must hold real numbers, not {given.dtype}")
    values = tuple(given.astype(np.float64).tolist())
    for k, value in enumerate(values):
        if not math.isfinite(value):
            raise ValueError(f"levels[{k}] is {value}: levels are finite")
        if k and value < values[k - 1]:
            raise ValueError(
                f"levels[{k}] is {value}, and less than levels[{k - 1}], {values[k - 1]}: levels ascend"
            )
    most = max(map(abs, values))
    if most != 1:
        raise ValueError(
            f"the largest |level| is {most:g}, and must be 1, which the largest number of a tile gets: "
            f"pass levels / numpy.abs(levels).max()"
        )
    return values
