"""What the other triangle of a matrix is, given one: the rule that mirrors, and what counts of a diagonal."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Self

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, extension, family, sign_mask
from vech.layouts.layout import one_of


class Kind(StrEnum):
    """A rule for a_ji, given a_ij: its name, whether it negates and conjugates, and what counts of a_ii.

    Where it is triangular there is no rule, the other triangle being zero: numbers are moved by that kind,
    and no store has it.
    """

    SYMMETRIC = "symmetric", False, False, "stored"
    HERMITIAN = "hermitian", False, True, "real"
    SKEW = "skew", True, False, "zero"
    SKEW_HERMITIAN = "skew-hermitian", True, True, "imaginary"
    TRIANGULAR = "triangular", False, False, "stored"

    negates: bool
    conjugates: bool
    diagonal: str

    def __new__(cls, name: str, negates: bool = False, conjugates: bool = False, diagonal: str = "") -> Self:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.negates, kind.conjugates, kind.diagonal = negates, conjugates, diagonal
        return kind

    __repr__ = str.__repr__

    @property
    def conjugated(self) -> "Kind":
        """The kind that conjugates where this one does not."""
        return self if self is Kind.TRIANGULAR else ruled(self.negates, not self.conjugates)

    @property
    def negated(self) -> "Kind":
        """The kind that negates where this one does not; on the diagonal it has what this one leaves out."""
        return self if self is Kind.TRIANGULAR else ruled(not self.negates, self.conjugates)

    def of(self, dtype: Dtype) -> "Kind":
        """What this is for numbers of a dtype: those that are real are not conjugated."""
        return self.conjugated if self.conjugates and family(dtype) != "c" else self

    def is_singular(self, n: int) -> bool:
        """Whether every matrix of this kind and side is: det S = det S^T = (-1)^n det S."""
        return self is Kind.SKEW and n % 2 == 1

    def settled(self, diagonal: Array) -> Array:
        """What computing takes of numbers of a diagonal; the same array where that is all of them."""
        if self.diagonal == "stored":
            return diagonal
        counts = np.zeros_like(diagonal)
        if self.diagonal == "real":
            counts.real = diagonal.real
        elif self.diagonal == "imaginary":
            counts.imag = diagonal.imag
        return counts

    def mirror(self, values: Array) -> Array:
        """A copy of the values as they stand in the other triangle."""
        copy = np.array(values, order="C", copy=True)
        options = self.options(copy.dtype)
        if "flip" in options:
            bits = copy.reshape(-1).view(np.uint8).reshape(-1, copy.dtype.itemsize)
            bits ^= np.frombuffer(options["flip"], np.uint8)
        elif "negate" in options:
            np.negative(copy, out=copy)
        elif "zero" in options:
            copy.fill(0)
        return copy

    def options(self, dtype: Dtype) -> dict[str, Any]:
        """What a number becomes in the other triangle, as options of `_core.Change`."""
        if self is Kind.TRIANGULAR:
            return {"zero": True}
        letter = family(dtype)
        if letter == "c":
            signs = complex(-0.0 if self.negates else 0.0, -0.0 if self.negates != self.conjugates else 0.0)
            flip = np.array(signs).astype(dtype).tobytes()
            return {"flip": flip} if any(flip) else {}
        if not self.negates:
            return {}
        return {"negate": True} if letter in "im" else {"flip": sign_mask(dtype)}

    def change(self, dtype: Dtype) -> _core.Change:
        """The change that makes a number of one triangle that of the other."""
        return _change(self, dtype)


KINDS = tuple(Kind)
STORED = tuple(kind for kind in KINDS if kind is not Kind.TRIANGULAR)  # what a store can be
_RULED = {(kind.negates, kind.conjugates): kind for kind in STORED}


def ruled(negates: bool, conjugates: bool) -> Kind:
    """The kind of this rule."""
    return _RULED[negates, conjugates]


@lru_cache(maxsize=256)
def _change(kind: Kind, dtype: Dtype) -> _core.Change:
    return _core.Change(dtype.itemsize, **kind.options(dtype))


def resolve_kind(kind: str | None, dtype: Dtype, *, moves: bool) -> Kind:
    """The kind meant by `kind` for numbers of this dtype; "triangular" only where numbers are only moved."""
    letter = family(dtype)
    if kind is None:
        if letter == "c":
            raise ValueError(
                "complex numbers mirror in more than one way: say kind='symmetric' or kind='hermitian'"
            )
        return Kind.SYMMETRIC
    if kind != Kind.TRIANGULAR:
        one_of("kind", kind, KINDS if moves else STORED)
    elif not moves:
        raise ValueError(
            "no store holds a triangular matrix: use expand, pack and convert with kind='triangular'"
        )
    found = Kind(kind).of(dtype)
    if found.negates and (letter in "buM" or (extension(dtype) and not any(sign_mask(dtype)))):
        raise TypeError(f"kind {found!r} needs numbers with a sign, not {dtype}: astype a signed dtype first")
    return found
