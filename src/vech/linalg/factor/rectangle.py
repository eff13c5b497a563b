"""A lower triangle in rectangular full packed, and what LAPACK and BLAS do with it in place."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.orders import RectangularFullPacked
from vech.linalg.checks import CHUNK, check_finite
from vech.linalg.factor.full import lifted
from vech.linalg.units import times_power
from vech.moves.converting import convert
from vech.moves.runs import Half
from vech.packed.packed import Packed

LAPACK_SIDE = 46_340  # n(n+1)/2 of the next side needs more than the 32 bits that SciPy's wrappers count with
PANEL = 512  # columns that BLAS gets at a time beyond that
ORDER = RectangularFullPacked("lower")


class Rectangle:
    """The lower triangle of a matrix, or its Cholesky factor L, in ``lapack-rfp-nl``.

    Up to LAPACK_SIDE, LAPACK works on it as a whole. Beyond, panels of columns are blocks of the rectangle
    (of its mirrored part: conjugated ones), which BLAS takes as they lie.
    """

    exponent = 0  # of the matrix itself: lifted while it is factored, numbers of its size have a root
    singular = False

    def __init__(self, numbers: Array, n: int) -> None:
        self.numbers = numbers
        self.n, self.dtype = n, numbers.dtype
        self._even = 1 - n % 2
        self._split = (n + 1) // 2

    @property
    def whole(self) -> bool:
        """Whether SciPy's wrappers of LAPACK can count the numbers."""
        return self.n <= LAPACK_SIDE

    def panels(self) -> list[tuple[int, int]]:
        """Ranges of columns, none of them across the split."""
        starts = [*range(0, self._split, PANEL), *range(self._split, self.n, PANEL), self.n]
        return list(itertools.pairwise(starts))

    def diagonal(self) -> Array:
        """The diagonal, as a copy."""
        return np.concatenate(self._diagonals())

    def largest(self) -> float:
        """The largest modulus of the numbers."""
        chunks = range(0, self.numbers.size, CHUNK)
        return max(
            (float(np.abs(self.numbers[start : start + CHUNK]).max()) for start in chunks), default=0.0
        )

    def pivots(self) -> Array:
        """Of a factor: numbers whose product is the determinant of L L^H."""
        return np.tile(self.diagonal(), 2)

    def make_diagonal_real(self) -> None:
        """Drop the imaginary parts that no Hermitian diagonal has."""
        if self.dtype.kind == "c":
            for diagonal in self._diagonals():
                diagonal.imag = 0

    def lower_diagonal(self, amount: float) -> None:
        """Subtract a number from the diagonal."""
        for diagonal in self._diagonals():
            diagonal -= self.dtype.type(amount)

    def read(self, start: int, stop: int) -> Array:
        """A copy of columns start to stop from row start on, zero above the diagonal."""
        panel = np.array(self._below(start, stop, start), order="C")
        panel[: stop - start][~_lower(stop - start)] = 0
        return panel

    def block(self, rows: Array) -> Array:
        """The triangle of some rows and the same columns, zero above the diagonal."""
        i, j = np.meshgrid(rows, rows, indexing="ij")
        found = self.numbers[ORDER.position(i, j, self.n)]
        crossed = np.minimum(i, j) >= self._split
        return np.where(i < j, 0, np.where(crossed, found.conj(), found))

    def write(self, start: int, panel: Array) -> None:
        """Put in place of the columns from start on what `read` gave of them."""
        width = panel.shape[1]
        block, crossed = self._block(start, start + width, start)
        values = panel.conj() if crossed else panel
        np.copyto(block[:width], values[:width], where=_lower(width))
        block[width:] = values[width:]

    def factor(self) -> int:
        """Overwrite the matrix by its Cholesky factor; the order of a minor that is not positive, or 0."""
        self.make_diagonal_real()
        if self.n == 0:
            return 0
        if self.whole:
            pftrf = self._lapack("pftrf")
            self.numbers, info = pftrf(self.n, self.numbers, transr="N", uplo="L", overwrite_a=True)
        else:
            with np.errstate(all="ignore"):
                info = self._factor_panels()
        unsound = np.flatnonzero(~np.isfinite(self.diagonal()))  # of NaN and infinity, which LAPACK lets pass
        return int(info) or (int(unsound[0]) + 1 if unsound.size else 0)

    def solve(self, b: Array) -> Array:
        """Solve L L^H x = b of shape (n, m), in place where b is Fortran-ordered."""
        if b.size == 0:
            return b
        if self.whole:
            x, _ = self._lapack("pftrs")(self.n, self.numbers, b, transr="N", uplo="L", overwrite_b=True)
            return x  # type: ignore[no-any-return]
        self.solve_lower(b)
        self.solve_upper(b)
        return b

    def inverse(self, layout: AnyLayout, threads: int | None = None) -> Array:
        """(L L^H)^-1 as a half; the factor stays."""
        return convert(
            self._inverse().numbers, ORDER, layout, kind=Kind.HERMITIAN.of(self.dtype), threads=threads
        )

    def _inverse(self) -> "Rectangle":
        if self.n == 0:
            return self
        if self.whole:
            numbers, _ = self._lapack("pftri")(self.n, self.numbers, transr="N", uplo="L")
            return Rectangle(numbers, self.n)
        result = Rectangle(np.empty_like(self.numbers), self.n)
        for start, stop in self.panels():
            columns = np.eye(self.n - start, stop - start, dtype=self.dtype)
            self.solve_lower(columns, start)
            self.solve_upper(columns, start)
            result.write(start, columns)
        return result

    def multiply(self, z: Array) -> Array:
        """L z, of z of shape (n, m)."""
        y = np.zeros(z.shape, z.dtype)
        for start, stop in self.panels():
            y[start:stop] += self._tile(start, stop) @ z[start:stop]
            y[stop:] += self._below(start, stop, stop) @ z[start:stop]
        return y

    def multiply_conjugate(self, z: Array) -> Array:
        """L^H z, of z of shape (n, m)."""
        y = np.empty(z.shape, z.dtype)
        for start, stop in self.panels():
            y[start:stop] = self._tile(start, stop).conj().T @ z[start:stop]
            y[start:stop] += self._below(start, stop, stop).conj().T @ z[stop:]
        return y

    def solve_lower(self, x: Array, first: int = 0) -> None:
        """Overwrite rows first to n of b, in x, by L^-1 b; the rows before are zero."""
        trsm = self._blas("trsm")
        for start, stop in self._panels_from(first):
            own, rest = x[start - first : stop - first], x[stop - first :]
            own[...] = trsm(1, self._tile(start, stop), own, lower=True)
            rest -= self._below(start, stop, stop) @ own

    def solve_upper(self, x: Array, first: int = 0) -> None:
        """Overwrite b, in x, by rows first to n of L^-H b."""
        trsm = self._blas("trsm")
        for start, stop in reversed(list(self._panels_from(first))):
            own, rest = x[start - first : stop - first], x[stop - first :]
            own -= self._below(start, stop, stop).conj().T @ rest
            own[...] = trsm(1, self._tile(start, stop), own, lower=True, trans_a=2)

    def _factor_panels(self) -> int:
        potrf, trsm = self._lapack("potrf"), self._blas("trsm")
        for start, stop in self.panels():
            width = stop - start
            panel = self.read(start, stop)
            for first, last in ((0, min(start, self._split)), (self._split, start)):
                if first < last:
                    done = self._below(first, last, start)
                    panel -= done @ done[:width].conj().T
            tile, info = potrf(panel[:width], lower=True, clean=True)
            if info:
                return start + int(info)
            panel[:width] = tile
            panel[width:] = trsm(1, tile.conj(), panel[width:].T, lower=True, overwrite_b=True).T
            self.write(start, panel)
        return 0

    @property
    def _grid(self) -> Array:
        """One row for each column of LAPACK's rectangle."""
        return self.numbers.reshape(self._split, self.n + self._even)

    def _block(self, start: int, stop: int, row: int) -> tuple[Array, bool]:
        """Columns start to stop from a row on, as a view, and whether its numbers are conjugated."""
        even, split = self._even, self._split
        if stop <= split:
            return self._grid[start:stop, even + row : even + self.n].T, False
        rows = slice(row - split + 1 - even, self.n - split + 1 - even)
        return self._grid[rows, start - split : stop - split], self.dtype.kind == "c"

    def _below(self, start: int, stop: int, row: int) -> Array:
        """Columns start to stop from a row on: a view, or where conjugated a copy."""
        block, crossed = self._block(start, stop, row)
        return block.conj() if crossed else block

    def _tile(self, start: int, stop: int) -> Array:
        return np.asfortranarray(np.tril(self._below(start, stop, start)[: stop - start]))

    def _panels_from(self, first: int) -> Iterator[tuple[int, int]]:
        return (panel for panel in self.panels() if panel[0] >= first)

    def _diagonals(self) -> tuple[Array, Array]:
        """The diagonal before the split and behind it, as views."""
        stride = self.n + self._even
        behind = self.numbers[(1 - self._even) * stride :: stride + 1]
        return self.numbers[self._even :: stride + 1][: self._split], behind[: self.n - self._split]

    def _lapack(self, name: str) -> Any:
        from scipy.linalg import get_lapack_funcs

        return get_lapack_funcs(name, dtype=self.dtype)

    def _blas(self, name: str) -> Any:
        from scipy.linalg import get_blas_funcs

        return get_blas_funcs(name, dtype=self.dtype)


def _lower(width: int) -> Array:
    return np.tri(width, dtype=np.bool)


def try_cholesky(S: Packed, dtype: Dtype, threads: int | None = None) -> tuple[Rectangle, int]:
    """A factor, and the order of the leading minor that is not positive, or 0."""
    half, exponent = lifted(S, dtype)
    rectangle = rectangle_of(half, threads)
    minor = rectangle.factor()
    if minor:
        check_finite(S)
    if exponent:
        rectangle.numbers = times_power(rectangle.numbers, -exponent // 2)
    return rectangle, minor


def rectangle_of(half: Half, threads: int | None = None) -> Rectangle:
    """A copy of the numbers of a half, as LAPACK factors them."""
    return Rectangle(convert(half.numbers, half.layout, ORDER, kind=half.kind, threads=threads), half.n)
