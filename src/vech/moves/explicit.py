"""Moves of explicit orders: small matrices by a list of cells, large ones by the pieces of their order."""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, family, words
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.layouts.orders import Explicit, Piece, Pieces, RectangularFullPacked

SMALL_SIDE = 16  # up to this n, a list of its cells is the quickest way through a matrix
Span = tuple[int, int]


class Changes(NamedTuple):
    """What happens to numbers on their way: in the order's own triangle, in the other, on the diagonal."""

    own: _core.Change
    mirrored: _core.Change
    diagonal: _core.Change


def check_kind(layout: AnyLayout, kind: Kind, dtype: Dtype) -> None:
    """Refuse what rectangular full packed has no form for."""
    if not isinstance(layout, RectangularFullPacked):
        return
    fitting = (Kind.HERMITIAN.of(dtype), Kind.TRIANGULAR)
    if kind not in fitting:
        raise ValueError(
            f"layout {layout.name} has no form for kind {kind!r} of {dtype}, only for {fitting[0]!r} and "
            f"{fitting[1]!r}: take another layout, such as 'vech'"
        )


def cross(values: Array, layout: AnyLayout, i: Array, j: Array, n: int) -> Array:
    """Conjugate, in place, what crosses the diagonal between an explicit order of n x n and its triangle."""
    if isinstance(layout, Explicit) and family(values.dtype) == "c":
        crossed = layout.crossed(np.minimum(i, j), np.maximum(i, j), n)
        values[crossed] = Kind.HERMITIAN.mirror(values[crossed])
    return values


# ---------------------------------------------------------- the three moves; True: a number became infinite


def pack(
    full: Array, half: Array, order: Explicit, own: bool, changes: tuple[Changes, Changes], threads: int
) -> bool:
    """half = its own triangle of the full matrices, or the other. `changes`: of plain, of crossed numbers."""
    n, read = full.shape[-1], order.triangle if own else _other(order.triangle)
    if n <= SMALL_SIDE:
        table = _packing_cells(order, n, read, own, full.strides[-2:], half.strides[-1])
        return _cells(full, 2, half, 1, table, changes, threads)
    assert isinstance(order, Pieces)
    infinite = False
    for region in _regions(order, n):
        change = changes[region.piece.crossed]
        if not own:
            change = change._replace(own=change.mirrored)
        lines = _full_lines(full, read), _piece_lines(region.piece, half)
        infinite |= _move(full, half, *lines, 1, region, change, threads)
    return infinite


def expand(
    half: Array, out: Array, order: Explicit, start: int, changes: tuple[Changes, Changes], threads: int
) -> bool:
    """Rows of the full matrices, from `start` on."""
    rows, n = out.shape[-2:]
    if n <= SMALL_SIDE:
        table = _expansion_cells(order, n, start, rows, half.strides[-1], out.strides[-2:])
        return _cells(half, 1, out, 2, table, changes, threads)
    assert isinstance(order, Pieces)
    infinite = False
    lines = _full_lines(out, order.triangle, start)
    for region in _panel(order, n, start, start + rows):
        change = changes[region.piece.crossed]
        infinite |= _move(half, out, _piece_lines(region.piece, half), lines, 2, region, change, threads)
    return infinite


def convert(
    half: Array,
    out: Array,
    source: AnyLayout,
    target: AnyLayout,
    n: int,
    changes: tuple[Changes, Changes],
    threads: int,
) -> bool:
    """One half to another; of n > 16, one side is by pieces and the other a layout with its diagonal."""
    if n <= SMALL_SIDE:
        table = _conversion_cells(source, target, n, half.strides[-1], out.strides[-1])
        return _cells(half, 1, out, 1, table, changes, threads)
    infinite = False
    order = source if isinstance(source, Pieces) else target
    assert isinstance(order, Pieces)
    for region in _regions(order, n):
        change = changes[region.piece.crossed]
        lines = _half_lines(source, region.piece, half, n), _half_lines(target, region.piece, out, n)
        infinite |= _move(half, out, *lines, 1, region, change, threads)
    return infinite


def is_direct(source: AnyLayout, target: AnyLayout, n: int) -> bool:
    """Whether `convert` goes from one to the other without a half in between."""
    if n <= SMALL_SIDE:
        return True
    return {isinstance(source, Pieces), isinstance(target, Pieces)} == {True, False} and not (
        source.implied is not None or target.implied is not None
    )


# ---------------------------------------------------------------- pieces


class Region(NamedTuple):
    """Cells of one piece, by their larger and their smaller index, and into which triangles they go."""

    piece: Piece
    larges: Span
    smalls: Span
    own: bool = True
    mirrored: bool = False


def _move(
    source: Array,
    target: Array,
    origin: _core.Lines,
    to: _core.Lines,
    target_axes: int,
    region: Region,
    changes: Changes,
    threads: int,
) -> bool:
    return _core.piece(
        words(source), origin, words(target), to, target_axes, *region[1:], *changes, threads=threads
    )


def _regions(order: Pieces, n: int) -> Iterator[Region]:
    split, first, between, second = order.pieces(n)
    yield Region(first, (0, split), (0, split))
    yield Region(between, (split, n), (0, split))
    yield Region(second, (split, n), (split, n))


def _panel(order: Pieces, n: int, start: int, stop: int) -> Iterator[Region]:
    """What rows start to stop of a full matrix take."""
    if (start, stop) == (0, n):
        for region in _regions(order, n):
            yield region._replace(mirrored=True)
        return
    split, first, between, second = order.pieces(n)
    left = order.triangle == "lower"  # left of the diagonal of its rows, the larger index is the row
    for a, b in ((start, min(stop, split)), (max(start, split), stop)):
        if a >= b:
            continue
        here = (a, b)
        yield Region(first if a < split else second, here, here, True, True)
        if a < split:
            yield Region(first, here, (0, a), left, not left)
            yield Region(first, (b, split), here, not left, left)
            yield Region(between, (split, n), here, not left, left)
        else:
            yield Region(between, here, (0, split), left, not left)
            yield Region(second, here, (split, a), left, not left)
            yield Region(second, (b, n), here, not left, left)


def _piece_lines(piece: Piece, half: Array) -> _core.Lines:
    start, large, small, _ = piece
    item = half.itemsize
    if abs(small) == 1:
        return _core.Lines(start * item, large * item, small * item, 0, True)
    return _core.Lines(start * item, small * item, large * item, 0, False)


def _half_lines(layout: AnyLayout, piece: Piece, half: Array, n: int) -> _core.Lines:
    if not isinstance(layout, Layout):
        return _piece_lines(piece, half)
    item = half.itemsize
    return _core.Lines(
        0, item if layout.grow else (n - 1) * item, item, item if layout.grow else -item, layout.grow
    )


def _full_lines(full: Array, triangle: str, start: int = 0) -> _core.Lines:
    """Where the cells of a triangle are in full matrices whose first row is `start`."""
    row, column = full.strides[-2:]
    begin = -start * row
    large, small = (row, column) if triangle == "lower" else (column, row)
    if small == full.itemsize:
        return _core.Lines(begin, large, small, 0, True)
    return _core.Lines(begin, small, large, 0, False)


def _other(triangle: str) -> str:
    return "upper" if triangle == "lower" else "lower"


# ---------------------------------------------------------------- cells

Table = tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, ...]]


def _cells(
    source: Array,
    source_axes: int,
    target: Array,
    target_axes: int,
    table: Table,
    changes: tuple[Changes, Changes],
    threads: int,
) -> bool:
    origins, targets, counts = table
    each = [
        (change, count) for change, count in zip((*changes[0], *changes[1]), counts, strict=True) if count
    ]
    return _core.cells(
        words(source), source_axes, words(target), target_axes, origins, targets, each, threads
    )


def _table(origins: Array, targets: Array, which: Array) -> Table:
    """Offsets by what happens to the numbers: 0 to 5, own, mirrored, diagonal, and the same crossed."""
    order = np.lexsort((targets, which))
    return origins[order], targets[order], tuple(np.bincount(which, minlength=6).tolist())


@lru_cache(maxsize=256)
def _packing_cells(order: Explicit, n: int, read: str, own: bool, full: tuple[int, ...], half: int) -> Table:
    small, large = _pairs(order, n)
    i, j = (large, small) if read == "lower" else (small, large)
    which = np.where(small == large, 2, 0 if own else 1) + 3 * order.crossed(small, large, n)
    return _table(i * full[0] + j * full[1], np.arange(small.size) * half, which)


@lru_cache(maxsize=256)
def _expansion_cells(
    order: Explicit, n: int, start: int, rows: int, half: int, full: tuple[int, ...]
) -> Table:
    i, j = (axis.ravel() for axis in np.mgrid[start : start + rows, :n])
    small, large = np.minimum(i, j), np.maximum(i, j)
    own = i > j if order.triangle == "lower" else i < j
    which = np.where(i == j, 2, np.where(own, 0, 1)) + 3 * order.crossed(small, large, n)
    return _table(order.slot(small, large, n) * half, (i - start) * full[0] + j * full[1], which)


@lru_cache(maxsize=256)
def _conversion_cells(source: AnyLayout, target: AnyLayout, n: int, half: int, out: int) -> Table:
    small, large = _pairs(target, n)
    on = small == large
    which = np.where(on, 2, 0) + 3 * (_crossed(source, small, large, n) ^ _crossed(target, small, large, n))
    origins = np.zeros(small.size, np.int64)  # of a diagonal that is not stored
    stored = ~on if source.implied is not None else np.ones_like(on)
    origins[stored] = source.slot(small[stored], large[stored], n) * half
    return _table(origins, np.arange(small.size) * out, which)


def _pairs(layout: AnyLayout, n: int) -> tuple[Array, Array]:
    """The smaller and the larger index of each number of a half."""
    i, j = layout.pair(np.arange(layout.length(n)), n)
    return np.minimum(i, j), np.maximum(i, j)


def _crossed(layout: AnyLayout, small: Array, large: Array, n: int) -> Array:
    if isinstance(layout, Layout):
        return np.zeros(small.shape, np.bool)
    return layout.crossed(small, large, n)  # type: ignore[no-any-return]
