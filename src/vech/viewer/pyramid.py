"""A matrix in tiles of ever larger cells: level 0 has single numbers, each next level cells twice as wide."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

import numpy as np

from vech.arrays import Array
from vech.derived.tiles import lower
from vech.store import Store
from vech.viewer.cells import Cells, sizes
from vech.viewer.numbers import Numbers, Part

TILE = 256  # cells a side
KEPT = 4096  # cells a side of the finest level that is kept: 256 MiB with one triangle in memory
FINE = 4  # up to this level tiles are made when they are looked at: of 4096 x 4096 numbers at most
STRIP = 2**21  # numbers read at a time for that
SQUARE = 1024  # rows and columns that are read at a time for the levels that are kept
PATIENCE = 0.5  # seconds that the first tiles may take, before samples stand for them
INCOMPLETE = 0.999  # the share known of what may still change
AGAIN = 2.0  # seconds between looks for tiles that others have done meanwhile


class Piece(NamedTuple):
    """A tile of cells."""

    cells: Cells
    expected: Array  # numbers of each cell: fewer were read where some are not there
    is_sample: bool
    known: float  # the share of the matrix that is read, 1 when nothing more will come


def top_level(n: int) -> int:
    """The level at which the matrix is one tile."""
    return max(0, (max(1, n) - 1).bit_length() - (TILE - 1).bit_length())


class Pyramid:
    """The levels of a store of all its numbers.

    A thread reads the lower triangle once, for the finest level that is kept and so for all coarser ones;
    finer tiles are read when they are looked at. Before a tile is known, a sample stands for it; of a store
    in tiles, what is read of it so far, and tiles that others do meanwhile come in by themselves.
    """

    def __init__(self, numbers: Numbers, part: Part) -> None:
        self._numbers, self._part = numbers, part
        n, top = numbers.n, top_level(numbers.n)
        self._level = max(1, (max(0, n - 1) // KEPT).bit_length())
        self.levels = [k for k in range(top + 1) if k <= FINE or k >= self._level]
        side = -(-n // (1 << self._level)) if top >= self._level else 0
        self._kept = Cells.none(side, side)
        self._lock = threading.Condition()
        self._patience = time.monotonic() + PATIENCE
        self._closed = threading.Event()
        self._rows = 0  # above which all is read
        self._known = 0.0 if side else 1.0
        self._failed: Exception | None = None
        if side:
            threading.Thread(target=self._gather, name="vech view", daemon=True).start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()

    def tile(self, level: int, i: int, j: int) -> Piece:
        """Row i and column j of the tiles of a level, i >= j."""
        n, k = self._numbers.n, 1 << level
        rows, columns = (_span(at, TILE * k, n) for at in (i, j))
        expected = np.outer(sizes(_length(rows), k), sizes(_length(columns), k))
        if level < self._level:
            cells = self._made(rows, columns, k)
            return Piece(cells, expected, False, 1.0 if (cells.seen == expected).all() else INCOMPLETE)
        is_known = self._waited(rows.stop)
        if self._failed is not None:
            raise self._failed
        if not is_known:
            cells = self._sampled(rows, columns, k)
            return Piece(cells, cells.seen, True, min(INCOMPLETE, self._known))
        per = k >> self._level
        with self._lock:
            known = self._known
            here = self._kept.part(*(_span(at, TILE * per, len(self._kept.total)) for at in (i, j)))
            cells = here.folded(per, self._part.sign) if i == j else here.coarser(per)
        return Piece(cells, expected, False, known)

    def _waited(self, stop: int) -> bool:
        """Whether these rows are known, or all that is there; when all begins, that may take a moment."""
        if self._numbers.tile:
            return True
        with self._lock:
            self._lock.wait_for(
                lambda: self._rows >= stop or self._failed is not None,
                max(0.0, self._patience - time.monotonic()),
            )
            return self._rows >= stop

    def _made(self, rows: slice, columns: slice, k: int) -> Cells:
        """Cells of numbers that are read now."""
        height = max(1, STRIP // _length(columns) // k) * k
        strips = []
        for start in range(rows.start, rows.stop, height):
            strip = slice(start, min(start + height, rows.stop))
            numbers, absent = self._numbers.read(strip, columns, self._part)
            strips.append(Cells.of(numbers, k, absent))
        return Cells(*(np.concatenate(planes) for planes in zip(*strips, strict=True)))

    def _sampled(self, rows: slice, columns: slice, k: int) -> Cells:
        """Cells of one number for 2 x 2 of them: of a file on a disk each costs a page or more."""
        wide = 2 * k
        places = [
            (at.start + k + wide * np.arange(-(-_length(at) // wide))).clip(max=at.stop - 1)
            for at in (rows, columns)
        ]
        sampled = Cells.of(self._part(self._numbers.store.block(*places)), 1)
        height, width = (-(-_length(at) // k) for at in (rows, columns))
        sampled = sampled._replace(total=sampled.total / k**2)
        return Cells(*(plane.repeat(2, 0).repeat(2, 1)[:height, :width] for plane in sampled))

    def _gather(self) -> None:
        try:
            if self._numbers.tile:
                self._gather_tiles(self._numbers.tile)
            else:
                self._gather_rows()
        except Exception as error:  # noqa: BLE001 - the next tile that is asked for says it
            with self._lock:
                self._failed = error
                self._lock.notify_all()

    def _gather_rows(self) -> None:
        n = self._numbers.n
        for rows, columns, numbers in self._numbers.squares(self._aligned(SQUARE), self._part):
            if self._closed.is_set():
                return
            self._keep(rows, columns, Cells.of(numbers, 1 << self._level))
            if rows == columns:
                with self._lock:
                    self._rows, self._known = rows.stop, (rows.stop / n) ** 2
                    self._lock.notify_all()

    def _gather_tiles(self, tile: int) -> None:
        """Tiles in no order, so that all of the picture appears soon; then those that are done later."""
        squares = list(lower(self._numbers.n, self._aligned(tile)))
        np.random.default_rng(0).shuffle(squares)
        pending, before = squares, None
        while pending and not self._closed.is_set():
            missing, left = self._numbers.missing(), []
            if missing != before:
                for done, (rows, columns) in enumerate(pending):
                    if self._closed.is_set():
                        return
                    absent: Array | None = None
                    is_missing = missing.issuperset(self._numbers.tiles(rows, columns))
                    if not is_missing:
                        numbers, absent = self._numbers.read(rows, columns, self._part)
                        self._keep(rows, columns, Cells.of(numbers, 1 << self._level, absent))
                    if is_missing or absent is not None:
                        left.append((rows, columns))
                    self._known = 1 - (len(left) + len(pending) - done - 1) / len(squares)
                pending, before = left, missing
            self._closed.wait(AGAIN if pending else 0)

    def _keep(self, rows: slice, columns: slice, cells: Cells) -> None:
        i, j = rows.start >> self._level, columns.start >> self._level
        height, width = cells.total.shape
        cells = cells.lower() if i == j else cells
        with self._lock:
            self._kept.put(slice(i, i + height), slice(j, j + width), cells)

    def _aligned(self, side: int) -> int:
        """About so many rows, in whole cells."""
        return max(1, round(side / (1 << self._level))) << self._level


class SparsePyramid:
    """The levels of a store of nonzeros alone: cells are of what it stores, and the others are empty."""

    def __init__(self, S: Store, part: Part) -> None:
        self._n, self._part = S.n, part
        self.levels = list(range(top_level(S.n) + 1))
        stored = S.to_coo(part="lower")
        order = np.argsort(stored.row, kind="stable")
        self._i, self._j = (axis[order].astype(np.int64) for axis in stored.coords)
        self._x = part(stored.data[order])

    def close(self) -> None:
        """Nothing is going on."""

    def tile(self, level: int, i: int, j: int) -> Piece:
        """Row i and column j of the tiles of a level, i >= j; reads what its rows store."""
        rows, columns = (_span(at, TILE << level, self._n) for at in (i, j))
        band = slice(*np.searchsorted(self._i, (rows.start, rows.stop)))
        here = (self._j[band] >= columns.start) & (self._j[band] < columns.stop)
        down, across, x = (values[band][here] for values in (self._i, self._j, self._x))
        if i == j:
            off = down != across
            down, across = np.append(down, across[off]), np.append(across, down[off])
            x = np.append(x, self._part.sign * x[off])
        shape = tuple(-(-_length(at) >> level) for at in (rows, columns))
        at = ((down - rows.start) >> level) * shape[1] + ((across - columns.start) >> level)
        cells = _of_stored(at, x, shape[0] * shape[1], 1 << level)
        cells = Cells(*(plane.reshape(shape) for plane in cells))
        return Piece(cells, cells.seen, False, 1.0)


def _of_stored(at: Array, x: Array, count: int, k: int) -> Cells:
    """Cells of k x k, of numbers that belong to these."""
    finite = np.isfinite(x)
    total, least, most, seen, odd = (plane[0] for plane in Cells.none(1, count))
    np.add.at(seen, at, 1)
    np.add.at(odd, at[~finite], 1)
    np.add.at(total, at[finite], x[finite] / k**2)
    for plane, join in ((least, np.minimum), (most, np.maximum)):
        join.at(plane, at[finite], x[finite])
    return Cells(total, least, most, seen, odd)


def _span(k: int, length: int, most: int) -> slice:
    return slice(k * length, min((k + 1) * length, most))


def _length(span: slice) -> int:
    return int(span.stop - span.start)
