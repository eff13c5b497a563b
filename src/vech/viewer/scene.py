"""What there is to see of a store: facts, tiles of cells, single numbers, labels."""

from __future__ import annotations

import contextlib
import re
import struct
import threading
from typing import Any

import numpy as np

from vech.arrays import Array, family
from vech.labels import label_text
from vech.store import Store
from vech.viewer.look import COLOURS, look
from vech.viewer.numbers import Numbers, Part, parts_of
from vech.viewer.pyramid import TILE, Piece, Pyramid, SparsePyramid

BLOCK = 32  # rows and columns of numbers that are told at a time
ROUNDING = 1e-3  # of a 255th: counts are float32
LETTERS = 200  # of a label
MEASURED = 10_000  # labels for which there is room, if they are not too long


class NotThereError(LookupError):
    """What is asked for is no part of the matrix."""


class Scene:
    """All that the page asks for."""

    def __init__(
        self,
        S: Store,
        *,
        title: str,
        content: str | None = None,
        summary: str = "mean",
        limits: tuple[float, float] | None = None,
    ) -> None:
        self.store, self._title, self._summary = S, title, summary
        self._content, self._limits = content, limits
        self._numbers = Numbers(S)
        self._parts = {part.name: part for part in parts_of(S)}
        self._is_sparse = S.describe().triangle is not None
        self._pyramids: dict[str, Pyramid | SparsePyramid] = {}
        self._lock = threading.Lock()
        self._rows: dict[str, int] | None = None

    def close(self) -> None:
        """Read no more."""
        with self._lock:
            for pyramid in self._pyramids.values():
                pyramid.close()

    def facts(self) -> dict[str, Any]:
        """What the page has to know before it draws."""
        S = self.store
        first = next(iter(self._parts.values()))
        return {
            "title": self._title,
            "n": S.n,
            "dtype": str(S.dtype),
            "kind": S.kind,
            "labels": S.labels is not None,
            "letters": max((len(_line(label)) for label in (S.labels or ())[:MEASURED]), default=0),
            "tile": TILE,
            "block": BLOCK,
            "bytes": self._dtype.itemsize,
            "stored": self._is_sparse,
            "tiled": self._numbers.tile is not None,
            "summary": self._summary,
            "levels": self._pyramid(first.name).levels,
            "parts": [self._part(part) for part in self._parts.values()] if S.n else [],
            "colours": COLOURS,
        }

    def tile(self, part: str, level: int, i: int, j: int) -> bytes:
        """A tile of cells as bytes, little-endian.

        uint32 height, width, whether it is a sample, thousandths known of what it will be; then for each
        cell, in planes of height x width: the mean, above level 0 the number of largest modulus (float32 or
        float64, NaN where there is no finite number), and, in 255ths rounded up, how many numbers are NaN or
        infinite and how many are not there (uint8).
        """
        if part not in self._parts:
            raise NotThereError(f"there is no part {part}")
        pyramid = self._pyramid(part)
        if level not in pyramid.levels or not 0 <= j <= i < -(-self.store.n // (TILE << level)):
            raise NotThereError(f"there is no tile ({i}, {j}) of level {level}")
        return _packed(pyramid.tile(level, i, j), self._dtype, level)

    def numbers(self, i: int, j: int) -> list[list[str]]:
        """Row i and column j of blocks of 32 x 32 numbers of the whole matrix, with all of their digits."""
        rows, columns = (slice(k * BLOCK, min((k + 1) * BLOCK, self.store.n)) for k in (i, j))
        if not (0 <= rows.start < self.store.n and 0 <= columns.start < self.store.n):
            raise NotThereError(f"there is no block ({i}, {j})")
        return self._numbers.texts(rows, columns)

    def labels(self, rows: list[int]) -> list[str]:
        """Labels of some rows."""
        labels = self.store.labels or ()
        if max(rows) >= len(labels):
            raise NotThereError(f"row {max(rows)} has no label")
        return [_line(labels[row]) for row in rows]

    def find(self, text: str) -> tuple[int, int]:
        """The row and the column of a label or position, or of two with a comma between."""
        names = text.split(",")
        for k in range(len(names), 0, -1):  # labels may have commas
            both = ",".join(names[:k]), ",".join(names[k:])
            with contextlib.suppress(NotThereError):
                row = self._row(both[0])
                return row, self._row(both[1]) if k < len(names) else row
        raise NotThereError(text)

    def _row(self, name: str) -> int:
        labels, name = self.store.labels or (), " ".join(name.split())
        if self._rows is None:
            self._rows = {_line(labels[k]): k for k in range(len(labels) - 1, -1, -1)}
        if name in self._rows:
            return self._rows[name]
        if re.fullmatch("[0-9]{1,18}", name) and int(name) < self.store.n:
            return int(name)
        raise NotThereError(name)

    def _pyramid(self, name: str) -> Pyramid | SparsePyramid:
        part = self._parts[name]
        with self._lock:
            if name not in self._pyramids:
                self._pyramids[name] = (
                    SparsePyramid(self.store, part) if self._is_sparse else Pyramid(self._numbers, part)
                )
            return self._pyramids[name]

    def _part(self, part: Part) -> dict[str, Any]:
        found = look(self._numbers, part, self._content, self._limits)
        return {"name": part.name, "sign": part.sign, **found._asdict()}

    @property
    def _dtype(self) -> np.dtype[Any]:
        """Of the cells that are sent: enough for the digits of the numbers."""
        dtype = self.store.dtype
        digits = dtype.itemsize // (2 if family(dtype) == "c" else 1)
        return np.dtype("<f4" if digits <= (2 if family(dtype) in "iu" else 4) else "<f8")


def _packed(piece: Piece, dtype: np.dtype[Any], level: int) -> bytes:
    cells, expected = piece.cells, piece.expected
    height, width = cells.total.shape
    head = struct.pack("<4I", height, width, piece.is_sample, int(1000 * piece.known))
    with np.errstate(over="ignore", invalid="ignore"):
        values = [cells.mean(1 << level), cells.largest][: 2 if level else 1]
        planes = [plane.astype(dtype).tobytes() for plane in values]
    shares = (_share(cells.odd, expected), _share(expected - cells.seen, expected))
    return b"".join([head, *planes, *(share.tobytes() for share in shares)])


def _share(part: Array, whole: Array) -> Array:
    return np.ceil(255 * part / np.maximum(whole, 1) - ROUNDING).clip(0, 255).astype(np.uint8)


def _line(label: Any) -> str:
    """A label in one line."""
    text = " ".join(label_text(label).split())
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
