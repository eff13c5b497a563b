"""Squares on a diagonal that others computed: both triangles must say the same, and then one counts."""

import numpy as np

from vech.arrays import Array, epsilon, family
from vech.derived.tiles import lower
from vech.layouts.kind import Kind

PART = 128
"""Rows and columns that are held against their mirror images while both are in the caches."""


def says_the_same(block: Array, kind: Kind) -> bool:
    """Whether both triangles do, and the diagonal is as it is of this kind: 1 ms for 1024 rows, not 20."""
    return all(
        np.array_equal(block[rows, columns], kind.mirror(block[columns, rows]).T)
        for rows, columns in lower(len(block), PART)
    )


def check_square(block: Array, first: int, kind: Kind, call: str, *, diagonal: bool = True) -> None:
    """Refuse a square that is not of its kind, by more than half the digits of its largest number.

    Its diagonal too, unless another one is meant to stand there.
    """
    if says_the_same(block, kind):
        return
    mirrored = kind.mirror(block).T
    wrong = block != mirrored
    if family(block.dtype) in "fc":
        with np.errstate(all="ignore"):
            wide = block.astype(complex if family(block.dtype) == "c" else float)
            apart = np.abs(wide - kind.mirror(wide).T)
            bound = (
                epsilon(block.dtype) ** 0.5
                * np.abs(wide, where=np.isfinite(wide), out=np.zeros(wide.shape)).max()
            )
            wrong &= ~(apart <= bound) & ~(np.isnan(wide) & np.isnan(wide.T))
    if not diagonal:
        np.fill_diagonal(wrong, False)
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise ValueError(
            f"{call} is not {kind!r}: it has {block[i, j]} at [{first + i}, {first + j}] and "
            f"{block[j, i]} at [{first + j}, {first + i}]"
        )


def settled_square(block: Array, kind: Kind, *, diagonal: bool = True) -> Array:
    """The square whose upper triangle is what the lower one says, to the bit.

    Of its diagonal what counts, unless that is to keep its bits.
    """
    settled = block.copy()
    if diagonal:
        np.fill_diagonal(settled, kind.settled(block.diagonal()))
    for rows, columns in lower(len(block), PART):
        image = kind.mirror(block[rows, columns]).T
        if rows == columns:
            upper = np.triu_indices(len(image), 1)
            settled[rows, rows][upper] = image[upper]
        else:
            settled[columns, rows] = image
    return settled
