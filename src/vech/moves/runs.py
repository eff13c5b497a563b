"""A half as kernels see it: rows that grow or shrink, whole or by blocks; or some full rows at a time."""

from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, family, native, words
from vech.derived.pairs import PANEL_BYTES
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit
from vech.moves.converting import convert
from vech.moves.expanding import expand_rows

SIDE = 256  # rows and columns of a block of the half, which stays in cache with what it is multiplied by
KERNEL = tuple(np.dtype(name) for name in ("f4", "f8", "c8", "c16"))
BLOCK = 2**15  # numbers reduced at a time: in the cache for a second look
MILD = 16  # a scale up to this, or down to its inverse, brings no number near the ends of a dtype


class Half(NamedTuple):
    """One matrix held once: its numbers, where they are, and what the other triangle is."""

    numbers: Array
    layout: AnyLayout
    kind: Kind

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self.layout.side(self.numbers.size)

    @property
    def dtype(self) -> Dtype:
        """The dtype of the numbers."""
        return self.numbers.dtype

    def moved(self, layout: AnyLayout) -> "Half":
        """The same matrix in another layout, converted where it is not in that already."""
        if layout == self.layout:
            return self
        return Half(convert(self.numbers, self.layout, layout, kind=self.kind), layout, self.kind)


class Runs(NamedTuple):
    """A half as kernels see it; true value = stored number * off, on the diagonal * on."""

    half: Array
    n: int
    grow: bool
    stored: bool  # the diagonal
    implied: int | None
    kind: Kind
    turned: bool  # the number at (r, c) stands in row c of the matrix
    off: float
    on: float

    @property
    def conjugates(self) -> bool:
        return self.kind.conjugates

    @property
    def negates(self) -> bool:
        return self.kind.negates

    def begin(self, run: int) -> int:
        """Where a run begins in the half; that of n is its end."""
        before = run * (run + 1) // 2 if self.grow else run * self.n - run * (run - 1) // 2
        return before if self.stored else before - run

    def read(self, rows: slice, columns: slice, buffer: Array, threads: int) -> Array:
        """A block, 0 where nothing is stored, in the buffer."""
        return self._read(rows, columns, buffer, False, threads)

    def square(self, rows: slice, diagonal: Array, buffer: Array, threads: int) -> Array:
        """A block on the diagonal with both its triangles and this diagonal, true values."""
        block = self._read(rows, rows, buffer, True, threads)
        if self.off != 1:
            np.fill_diagonal(block, 0)
            block *= block.dtype.type(self.off)
        np.fill_diagonal(block, diagonal[rows])
        return block

    def write(self, rows: slice, columns: slice, block: Array, way: str, threads: int) -> None:
        """Put down, or add, what of a block is stored."""
        block = np.ascontiguousarray(block)
        at = (self.n, self.grow, self.stored, rows.start, columns.start)
        _core.write_panel(words(self.half), words(block), *at, way == "add", threads)

    def _read(self, rows: slice, columns: slice, buffer: Array, square: bool, threads: int) -> Array:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        block = buffer[: height * width].reshape(height, width)
        at = (self.n, self.grow, self.stored, rows.start, columns.start)
        _core.read_panel(words(self.half), words(block), *at, square, self.conjugates, self.negates, threads)
        return block

    def ends(self) -> Array:
        """The stored diagonal as it stands in the half."""
        order = Layout("lower", "rows" if self.grow else "columns")
        return np.asarray(self.half[order.diagonal_slots(self.n)])

    def is_settled(self) -> bool:
        """Whether the stored diagonal holds nothing but what its kind says."""
        if not self.stored or self.kind is Kind.SYMMETRIC:
            return True
        return np.array_equal(ends := self.ends(), self.kind.settled(ends), equal_nan=True)

    def diagonal(self, ends: Array | None = None) -> Array:
        """The diagonal as computing takes it, true values; from `ends()`, where they are at hand."""
        if not self.stored:
            return self.kind.settled(np.full(self.n, self.implied).astype(self.half.dtype))
        ends = self.ends() if ends is None else ends
        if self.on != 1:
            ends = (ends * self.on).astype(ends.dtype)
        return self.kind.settled(ends)


def runs_of(half: Half) -> Runs:
    """The half as it lies, native and contiguous; converted once if it is not `direct`."""
    layout = half.layout
    if not direct(layout):
        layout = layout.plain
    numbers = half.moved(layout).numbers
    numbers = np.ascontiguousarray(numbers, native(numbers.dtype))
    stored = layout.diagonal == "stored"
    off, on = 1 / layout.offdiagonal_scale, 1 / layout.diagonal_scale if stored else 1.0
    turned = layout.traversal == "columns"
    return Runs(numbers, half.n, layout.grow, stored, layout.implied, half.kind, turned, off, on)


def direct(layout: AnyLayout) -> TypeGuard[Layout]:
    """Whether products take a half as it lies: its order has runs, and scales can wait for the sums."""
    if not isinstance(layout, Layout):
        return False
    return all(1 / MILD <= scale <= MILD for scale in (layout.diagonal_scale, layout.offdiagonal_scale))


def expanded(
    half: Half, threads: int | None = None, height: int | None = None
) -> Iterator[tuple[int, Array]]:
    """Rows of the full matrix, many at a time, as computing takes them: the first one's number, the rows."""
    if isinstance(half.layout, Explicit) or half.layout.scaled:
        half = half.moved(half.layout.plain)
    numbers, layout, kind = half
    numbers = np.ascontiguousarray(numbers, native(numbers.dtype))
    n = half.n
    height = min(n, height or max(1, PANEL_BYTES // max(1, n * numbers.itemsize)))
    panel = np.empty((height, n), numbers.dtype)
    for start in range(0, n, max(1, height)):
        stop = min(start + height, n)
        rows = panel[: stop - start]
        expand_rows(numbers, layout, kind, start, stop, rows, threads)
        diagonal = rows.reshape(-1)[start :: n + 1][: len(rows)]
        diagonal[...] = kind.settled(diagonal)
        yield start, rows


def blocks(n: int, grow: bool, side: int | None = None) -> Iterator[tuple[slice, slice]]:
    """Blocks that cover the runs; those on the diagonal have the same rows and columns."""
    side = side or SIDE
    for first in range(0, n, side):
        rows = slice(first, min(first + side, n))
        for columns in beside(n, grow, rows, side):
            yield rows, columns


def beside(n: int, grow: bool, rows: slice, side: int) -> Iterator[slice]:
    """The columns of the blocks that cover some runs."""
    first, stop = (0, rows.stop) if grow else (rows.start, n)
    for begin in range(first, stop, side):
        yield slice(begin, min(begin + side, n))


def is_narrow(dtype: Dtype) -> bool:
    return family(dtype) == "f" and dtype.itemsize < 4


def wide(x: Array) -> Array:
    """Narrow floats as float32."""
    return x.astype(np.float32) if is_narrow(x.dtype) else x


def double(x: Array) -> Array:
    """Exact and narrow numbers as float64, others as they are."""
    return x if x.dtype.kind in "fc" and x.dtype.itemsize >= 4 else x.astype(np.float64)
