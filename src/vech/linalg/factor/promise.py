"""What every factor promises."""

from typing import Protocol

from vech.arrays import Array, Dtype


class Factor(Protocol):
    """A matrix ``A = 2^exponent S``, factored; S keeps to itself, and may change.

    - ``A @ solve(b)`` is b to rounding, of a regular A and numbers far from the least ones.
    - The product of `pivots` is the determinant of A, unless A is `singular`.
    - Hence ``S^-1 b = 2^exponent solve(b)`` and ``det S = 2^(-n exponent) product``, as `answers` has it.
    """

    n: int
    dtype: Dtype  # of the columns it solves for
    exponent: int  # 0 but for numbers near the least ones
    singular: bool  # A has no inverse, and nothing is to be solved

    def solve(self, b: Array) -> Array:
        """The solution for columns, shape (n, m), Fortran-ordered, of `dtype`; they may be overwritten."""

    def pivots(self) -> Array:
        """Numbers whose product is the determinant of a regular A."""


class TriangularFactor(Factor, Protocol):
    """One that is a triangle: ``A = L L^H``."""

    def largest(self) -> float:
        """The largest modulus of the numbers of L."""

    def multiply(self, z: Array) -> Array:
        """L z, of z of shape (n, m)."""

    def multiply_conjugate(self, z: Array) -> Array:
        """L^H z, of z of shape (n, m)."""

    def solve_lower(self, x: Array) -> None:
        """Overwrite b, in x, by L^-1 b."""

    def solve_upper(self, x: Array) -> None:
        """Overwrite b, in x, by L^-H b."""
