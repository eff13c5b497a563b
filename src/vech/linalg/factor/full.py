"""What is factored: the numbers of a half, far from the least ones, and the full matrix of them."""

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.linalg.units import lift, times_power
from vech.moves.runs import Half
from vech.packed.packed import Packed


def lifted(S: Packed, dtype: Dtype) -> tuple[Half, int]:
    """S in a dtype, times the power of two that takes tiny numbers to about one; and its exponent.

    Else digits fall below the least number: of products on the way, of scales of the layout.
    """
    numbers = S.half.astype(dtype, copy=False)
    exponent = 0 if S.layout.implied else lift(numbers)
    return Half(times_power(numbers, exponent), S.layout, S.kind), exponent


def expanded(half: Half, threads: int | None = None) -> Array:
    """The full matrix in Fortran order, with the diagonal of its kind."""
    full = Packed(half.numbers, half.layout, kind=half.kind).T.expand(threads=threads).T
    return with_settled_diagonal(full, half.kind)


def with_settled_diagonal(full: Array, kind: Kind) -> Array:
    """The same array, its diagonal as the kind has it."""
    np.fill_diagonal(full, kind.settled(full.diagonal()))
    return full
