"""A tile in few bits a number: its codes, their scales, the exact diagonal and the error, as one object."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.quantized.certificate import QuantizationError
from vech.quantized.encodings import Encoding, as_encoding, check_levels
from vech.quantized.making import Maker
from vech.quantized.parts import Parts, as_tile, tiles_in_all
from vech.quantized.sources import check_finite

SIDE = 64
"""Rows of the squares that have a scale each, unless told."""


class Lost(NamedTuple):
    """The sum of the squares of the errors of a tile, and the largest one; NaN where they are not known."""

    squares: float
    largest: float

    @classmethod
    def of(cls, apart: Array) -> Lost:
        """That of numbers that are so far away."""
        return cls(float(np.vdot(apart, apart)), float(apart.max(initial=0)))


class Held(NamedTuple):
    """The first rows and columns of a tile, whose numbers were rounded before, and what that lost."""

    rows: int
    columns: int
    lost: Lost

    def again(self, apart: Array) -> Lost:
        """At most what is lost of all, where numbers are so far from what was held, or is new."""
        old = Lost.of(apart[: self.rows, : self.columns])
        below, beside = Lost.of(apart[self.rows :]), Lost.of(apart[: self.rows, self.columns :])
        squares, largest = self.lost
        squares += 2 * math.sqrt(squares * old.squares) + old.squares
        return Lost(
            squares + below.squares + beside.squares,
            max(largest + old.largest, below.largest, beside.largest),
        )


@dataclass(frozen=True, eq=False)
class Given:
    """Scales of squares that are quantized already, all lower ones row after row, which are kept."""

    encoding: Encoding
    square: int
    scales: Array
    zeros: Array | None
    error: QuantizationError | None

    @classmethod
    def of(cls, store: Any) -> Given | None:
        """Those of a quantized store; None where its numbers are not levels times scales of squares."""
        parts = store.to_parts()
        plain = parts["domain"] == "entries" and parts["sides"] is None and (parts["scales"] >= 0).all()
        encoding = as_encoding(parts["encoding"], parts["levels"])
        plain = plain and encoding.planes == 1  # else numbers do not say which part is of which plane
        if not plain or (not encoding.most and (parts["scales"] != 1).any()):
            return None
        return cls(encoding, parts["tile"], parts["scales"], parts["zeros"], parts["error"])

    def lost(self, i: int, j: int, squares: int) -> Lost:
        """What is known of the error of a tile of so many squares a side."""
        if self.error is None:
            return Lost(math.nan, math.nan)
        here = self.error.tiles[i * squares : (i + 1) * squares, j * squares : (j + 1) * squares] ** 2
        counted_twice = here.diagonal().sum() / 2 if i == j else 0.0
        return Lost(float(here.sum() - counted_twice), self.error.max)


@dataclass(frozen=True)
class Codes:
    """How tiles of `side` rows become objects of one size, whatever the rows that the last ones have.

    An object has the error of the tile, the diagonal, scales and zeros of its squares and their codes: of a
    tile on the diagonal those of `vech.Quantized`, of another one its part of a matrix of two tiles a side.
    """

    encoding: Encoding
    square: int
    side: int
    dtype: Dtype
    kind: Kind

    @classmethod
    def of(cls, encoding: Any, square: int | None, side: int, dtype: Dtype, kind: Kind) -> Codes:
        """Judged; ValueError and TypeError for what does not fit."""
        found = as_encoding(encoding)
        check_levels(found)
        square = as_tile(SIDE if square is None else square)
        if dtype not in (np.float32, np.float64):
            raise TypeError(f"codes are of float32 or float64, and dtype is {dtype}: dtype='f4' fits")
        if side % square:
            raise ValueError(f"tile is {side}, and tiles of codes have a multiple of {square} rows")
        return cls(found, square, side, dtype, kind)

    def said(self) -> dict[str, Any]:
        """What the description of a store says of it."""
        return {"encoding": self.encoding.name, "square": self.square} | self.encoding.said

    @classmethod
    def parsed(cls, said: Any, side: int, dtype: Dtype, kind: Kind) -> Codes:
        """Of a description; ValueError for one that lies."""
        if not isinstance(said, dict) or not isinstance(said.get("encoding"), str):
            raise ValueError(f"says codes {said!r:.80}")  # noqa: TRY004, in a file
        try:
            encoding = as_encoding(said["encoding"], said.get("levels"))
            return cls.of(encoding, said.get("square"), side, dtype, kind)
        except TypeError as error:
            raise ValueError(str(error)) from error

    @property
    def size(self) -> int:
        """Bytes of an object, but for its checksum."""
        return sum(self._sizes)

    @property
    def _squares(self) -> int:
        """Squares along a side of a tile."""
        return self.side // self.square

    @property
    def _sizes(self) -> tuple[int, int, int, int, int]:
        """Bytes of the error, the diagonal, scales, zeros, codes."""
        scales, word = self._squares**2, self.dtype.itemsize
        zeros = scales * word * self.encoding.is_affine
        return 16, self.side * word, scales * word, zeros, self.side**2 * self.encoding.bits // 8

    def encoded(
        self, block: Array, i: int, j: int, given: Given | None = None, held: Held | None = None
    ) -> Array:
        """The letters of tile (i, j); numbers that codes have not are an error naming the entry."""
        first = i * self.side, j * self.side
        rows, columns = (slice(k, k + size) for k, size in zip(first, block.shape, strict=True))
        check_finite(block, rows, columns)
        try:
            parts = self._coded(block, i, j, given)
        except OverflowError:
            raise OverflowError(
                f"tile ({i}, {j}) has numbers up to {np.abs(block).max():g}, beyond {self.encoding.name}: "
                "'bfloat16' and 'int8' reach further"
            ) from None
        letters = np.zeros(self.size, np.uint8)
        error, diagonal, scales, zeros, codes = self._cut(letters)
        lost = given.lost(i, j, self._squares) if given else self._lost(parts, block, i == j, held)
        error.view("<f8")[:] = lost
        here = self._places(i == j)
        scales.view(self._little)[: here.size] = parts.scales[here]
        if parts.zeros is not None:
            zeros.view(self._little)[: here.size] = parts.zeros[here]
        if i == j:
            diagonal.view(self._little)[:] = parts.diagonal
            codes[: parts.codes.size] = parts.codes
        else:
            codes[:] = np.concatenate([parts.codes[span] for span in self._spans()])
        return letters

    def decoded(self, letters: Array, on_diagonal: bool) -> Array:
        """The numbers of a whole tile."""
        _, diagonal, scales, zeros, codes = self._cut(letters)
        parts = self._empty(on_diagonal)
        here = self._places(on_diagonal)
        parts.scales[here] = scales.view(self._little)[: here.size]
        if parts.zeros is not None:
            parts.zeros[here] = zeros.view(self._little)[: here.size]
        if on_diagonal:
            parts.diagonal[:] = diagonal.view(self._little)
            parts.codes[:] = codes[: parts.codes.size]
        else:
            at = 0
            for span in self._spans():
                length = span.stop - span.start
                parts.codes[span] = codes[at : at + length]
                at += length
        return self._read(parts, on_diagonal)

    def lost(self, letters: Array) -> Lost:
        """The error that an object has."""
        squares, largest = self._cut(letters)[0].view("<f8").tolist()
        return Lost(squares, largest)

    @property
    def _little(self) -> Dtype:
        return self.dtype.newbyteorder("<")

    def _cut(self, letters: Array) -> list[Array]:
        """The error, the diagonal, scales, zeros and codes, as bytes."""
        return np.split(letters, np.cumsum(self._sizes)[:-1])

    def _rows(self, on_diagonal: bool) -> int:
        """Those of the matrix of which a tile is a part."""
        return self.side if on_diagonal else 2 * self.side

    def _places(self, on_diagonal: bool) -> Array:
        """Where the scales of a tile are among those of the matrix that it is a part of."""
        a, b = self._local(on_diagonal)
        return np.asarray(a * (a + 1) // 2 + b)

    def _local(self, on_diagonal: bool) -> tuple[Array, Array]:
        """Row and column of each square of a tile, in that matrix."""
        squares = self._squares
        a, b = np.tril_indices(squares) if on_diagonal else np.indices((squares, squares)).reshape(2, -1)
        return (a, b) if on_diagonal else (a + squares, b)

    def _spans(self) -> Iterator[slice]:
        """Where codes of a tile off the diagonal are among those of that matrix, row after row of squares."""
        squares, planes = self._squares, self.encoding.planes
        bits = self.encoding.bits // planes
        whole = self.square**2 * bits // 8
        for plane in range(planes):
            begin = plane * whole * squares * (2 * squares + 1)
            for row in range(squares, 2 * squares):
                first = begin + whole * row * (row + 1) // 2
                yield slice(first, first + whole * squares)

    def _coded(self, block: Array, i: int, j: int, given: Given | None) -> Parts:
        """Scales of the numbers there are, then codes of a whole tile, so that a matrix may grow."""
        scales: dict[str, Array] = {}
        if given is not None:
            scales = self._taken(given, i, j)
        elif block.shape != (self.side, self.side):
            found = self._made(block, i == j, {})
            scales = {"scales": found.scales} | ({} if found.zeros is None else {"zeros": found.zeros})
        whole = np.zeros((self.side, self.side), self.dtype)
        whole[: block.shape[0], : block.shape[1]] = block
        return self._made(whole, i == j, scales if self.encoding.most else {})

    def _made(self, block: Array, on_diagonal: bool, scales: dict[str, Array]) -> Parts:
        base = 0 if on_diagonal else self.side
        n = base + len(block)
        held: dict[str, Any] = {name: self._filled(values, n) for name, values in scales.items()}
        maker = Maker(
            n, self.encoding, self.dtype, str(self.kind), tile=self.square, clip=bool(scales), **held
        )
        maker.add(slice(base, n), slice(0, block.shape[1]), block)
        return maker.parts

    def _filled(self, values: Array, n: int) -> Array:
        """Scales of some squares as those of all of a matrix of n rows, of which they are the first."""
        found = np.zeros(tiles_in_all(n, self.square), self.dtype)
        found[: values.size] = values[: found.size]
        return found

    def _taken(self, given: Given, i: int, j: int) -> dict[str, Array]:
        """The scales of a tile out of those of the whole store."""
        a, b = self._local(i == j)
        shift = 0 if i == j else self._squares
        row, column = a - shift + i * self._squares, b + j * self._squares
        place = row * (row + 1) // 2 + column
        there = place < given.scales.size
        found = {"scales": given.scales} | ({} if given.zeros is None else {"zeros": given.zeros})
        local = np.zeros((len(found), tiles_in_all(self._rows(i == j), self.square)), self.dtype)
        local[:, self._places(i == j)[there]] = [values[place[there]] for values in found.values()]
        return dict(zip(found, local, strict=True))

    def _empty(self, on_diagonal: bool) -> Parts:
        return Parts.empty(self._rows(on_diagonal), self.square, self.encoding, self.kind, self.dtype)

    def _read(self, parts: Parts, on_diagonal: bool) -> Array:
        out = np.empty((self.side, self.side), self.dtype)
        return parts.read(out, 0 if on_diagonal else self.side, 0)

    def _lost(self, parts: Parts, block: Array, on_diagonal: bool, held: Held | None) -> Lost:
        found = self._read(parts, on_diagonal)[: block.shape[0], : block.shape[1]]
        apart = np.abs(block.astype(np.float64) - found)
        apart = np.tril(apart, -1) if on_diagonal else apart
        return Lost.of(apart) if held is None else held.again(apart)
