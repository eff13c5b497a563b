"""A quantized matrix made block by block, so that its numbers are never in memory together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype, epsilon, family
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import as_integer, as_side, one_of
from vech.quantized import kernels
from vech.quantized.certificate import Sums, norms_of
from vech.quantized.encodings import LOW, Encoding, as_encoding, check_levels
from vech.quantized.parts import Parts, as_tile, floats, tiles_in_all
from vech.quantized.sources import InPlace
from vech.quantized.store import Quantized
from vech.store import Store, as_labels

ROUNDINGS = ("nearest", "stochastic")
EXACT = 2**53  # up to which float64 holds each integer
LARGEST_SEED = 2**63 - 1
COMPUTED, GIVEN, CLIPPING = 0, 1, 2  # scales, as the kernel is told of them
NOT_FINITE, BEYOND = 1, 2  # its faults
LIMITS = {"float16": float(np.finfo(np.float16).max), "bfloat16": 2.0**128 - 2.0**120}  # of those not scaled


class Part(NamedTuple):
    """What a block adds to the certificate, and to that of the high plane alone."""

    rows: slice
    columns: slice
    sums: Sums
    coarse: Sums | None


class Maker:
    """Takes the blocks of a matrix, each lower tile once, and gives the quantized one.

    Parameters
    ----------
    n : int
        Side of the matrix.
    encoding : str or Encoding
        A key of `vech.ENCODINGS`.
    dtype : {float32, float64}
        Of the numbers that come out, of scales and of the diagonal.
    kind : {"symmetric", "skew"}
        What the other triangle is.
    tile : {64, 32, 128, 256}
        Rows and columns of a tile.
    scales : number or array, shape (tiles,), optional
        The scale of each lower tile, row after row of tiles, where these are known; else of what is in it.
    zeros : number or array, shape (tiles,), optional
        Beside them, what code 0 is: "uint8" alone has it.
    sides : array, shape (n,), optional
        Numbers are in units of ``sides[r] sides[c]``.
    levels : array, shape (16,), optional
        Of "kmeans-4".
    rounding : {"nearest", "stochastic"}
        To the nearest level, or to one of the two around a number, so that its mean over seeds is the number;
        of "int4x2" in the low plane.
    seed : int, optional
        Of stochastic rounding.
    clip : bool
        Whether numbers beyond scales that are given become the largest level; else they are an error.

    Raises
    ------
    ValueError, TypeError
        For arguments that do not fit.

    Examples
    --------
    >>> from vech.quantized.making import Maker
    >>> maker = Maker(3, "int8", np.float64)
    >>> maker.add(slice(0, 3), slice(0, 3), np.array([[9.0, 1, 2], [1, 9, -127], [2, -127, 9]]))
    >>> maker.finish().expand()
    array([[   9.,    1.,    2.],
           [   1.,    9., -127.],
           [   2., -127.,    9.]])
    """

    def __init__(
        self,
        n: int,
        encoding: str | Encoding = "int8",
        dtype: Any = np.float32,
        kind: str = "symmetric",
        *,
        tile: int = 64,
        scales: ArrayLike | None = None,
        zeros: ArrayLike | None = None,
        sides: ArrayLike | None = None,
        levels: ArrayLike | None = None,
        rounding: str = "nearest",
        seed: int | None = None,
        clip: bool = False,
    ) -> None:
        self.n, self.tile = as_side(n), as_tile(tile)
        self.encoding = as_encoding(encoding, levels)
        check_levels(self.encoding)
        self.dtype: Dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise TypeError(f"dtype is {self.dtype}, and must be float32 or float64")
        self.seed = rounding_seed(rounding, seed)
        if not isinstance(clip, bool | np.bool):
            raise TypeError(f"clip must be True or False, not {clip!r}")
        given = scales is not None
        clipping = clip and (given or not self.encoding.most)
        self.scales = CLIPPING if clipping else GIVEN if given else COMPUTED
        self.parts = self._parts(resolve_kind(kind, self.dtype, moves=False), scales, zeros, sides)
        self._low = np.zeros_like(self.parts.scales)
        self._halves = self.parts.halves(self._low)
        count = tiles_in_all(self.n, self.tile)
        self._sums = Sums.none(self.n, count)
        self._coarse = Sums.none(self.n, count) if self.encoding.planes == 2 else None
        self._missing = np.ones(count, bool)

    def _parts(
        self, kind: Kind, scales: ArrayLike | None, zeros: ArrayLike | None, sides: ArrayLike | None
    ) -> Parts:
        parts, encoding = Parts.empty(self.n, self.tile, self.encoding, kind, self.dtype), self.encoding
        known: dict[str, Any] = {}
        if scales is None:
            if zeros is not None:
                raise ValueError("zeros are beside scales: give both, or none of them")
        elif not encoding.most:
            raise ValueError(f"{encoding.name} holds numbers themselves, and takes no scales")
        elif encoding.is_affine and zeros is None:
            raise ValueError(f"{encoding.name} needs the zero beside a scale: scales=(scales, zeros)")
        count = tiles_in_all(self.n, self.tile)
        why = f"n={self.n} has {count} lower tiles of {self.tile}"
        for name, values in (("scales", scales), ("zeros", zeros)):
            if values is None:
                continue
            if name == "zeros" and not encoding.is_affine:
                raise ValueError(f"zeros are for 'uint8': {encoding.name} has none")
            whole = np.broadcast_to(values, (count,)) if np.ndim(values) == 0 else values
            found = floats(name, whole, self.dtype, count, why)
            for k in np.flatnonzero(found < 0)[:1] if name == "scales" else ():
                raise ValueError(f"scales[{k}] is {found[k]}, and no scale is negative")
            known[name] = found.copy()
        if sides is not None:
            found = floats("sides", sides, self.dtype, self.n, f"n is {self.n}")
            for k in np.flatnonzero(found <= 0)[:1]:
                raise ValueError(f"sides[{k}] is {found[k]}, and must be positive")
            known["sides"] = found
        return replace(parts, **known)

    def add(self, rows: slice, columns: slice, block: Array) -> None:
        """Take a block of the matrix: of lower tiles, and of the diagonal what of it is in there.

        Parameters
        ----------
        rows, columns : slice
            Where it is; they begin and end at multiples of the tile, or at the end.
        block : array
            Its numbers. Above the diagonal nothing is read.

        Raises
        ------
        ValueError
            For NaN and infinity, named with (i, j), and a block that begins elsewhere.
        OverflowError
            For a number beyond the encoding or its scale, named with (i, j).
        """
        self.note(self.encoded(rows, columns, block))

    def encoded(self, rows: slice, columns: slice, block: Array) -> Part:
        """The same but for the certificate, which gets its part by `note`: threads may do blocks together."""
        self._check_place(rows, columns, block)
        source = block
        if family(block.dtype) in "iu" and block.dtype.itemsize == 8:
            for i, j in np.argwhere((block > EXACT) | (block < -EXACT))[:1]:
                pair = sorted((rows.start + int(i), columns.start + int(j)), reverse=True)
                where = f"S[{pair[0]}, {pair[1]}] is {block[i, j]}"
                raise OverflowError(f"{where}, beyond 2^53, up to which float64 has each integer")
        numbers = np.ascontiguousarray(block, self.dtype)
        self._take_diagonal(rows, columns, numbers)
        count = tiles_in_all(self.n, self.tile)
        sums = Sums(self._sums.squares, self._sums.norms, np.zeros(self.n))
        high, *low = self._halves
        if not low:
            self._encode(high, numbers, source, rows, columns, sums, self.scales, self.seed)
            return Part(rows, columns, sums, None)
        assert self._coarse is not None
        coarse = Sums(self._coarse.squares, self._coarse.norms, np.zeros(self.n))
        # To the nearest: what random rounding leaves is up to a step, twice as much as the low plane holds.
        self._encode(high, numbers, source, rows, columns, coarse, self.scales, -1)
        first = self._decoded(high, numbers, rows, columns)
        here = self._tiles(rows, columns)
        self._low[here] = self.parts.scales[here] / self.dtype.type(LOW)
        rest = Sums.none(self.n, count)
        self._encode(low[0], numbers - first, source, rows, columns, rest, CLIPPING, self.seed)
        both = first + self._decoded(low[0], numbers, rows, columns)
        e = self._errors(numbers, both, rows, columns)
        sums.largest = float(e.max(initial=0.0))
        with np.errstate(over="ignore"):
            sums.rows[rows] += e.sum(axis=1)
            sums.rows[columns] += e.sum(axis=0)
        self._note_norms(e, rows, columns, sums, self._tiles(rows, columns))
        return Part(rows, columns, sums, coarse)

    def encoded_in_place(self, numbers: InPlace, S: Store, rows: slice, columns: slice) -> Part:
        """The same of the half of S where it lies, whose diagonal was taken; planes are made of blocks."""
        sums = Sums(self._sums.squares, self._sums.norms, np.zeros(self.n))
        where = (rows.start, rows.stop), (columns.start, columns.stop)
        sums.largest, fault, _, _ = kernels.quantize_half(
            self._halves[0], *numbers, *where, self.scales, self.seed, sums.squares, sums.rows
        )
        here = self._tiles(rows, columns)
        if fault or self._lost(sums, here).size:  # named, or measured, by the numbers of the block
            sums.squares[here] = 0
            return self.encoded(rows, columns, S.block(rows, columns))
        return Part(rows, columns, sums, None)

    def note(self, part: Part) -> None:
        """Count what a block has; always in the same order, so that sums have the same bits."""
        for total, some in ((self._sums, part.sums), (self._coarse, part.coarse)):
            if total is not None and some is not None:
                total.largest = max(total.largest, some.largest)
                for where in {(part.rows.start, part.rows.stop), (part.columns.start, part.columns.stop)}:
                    total.rows[slice(*where)] += some.rows[slice(*where)]
        self._missing[self._tiles(part.rows, part.columns)] = False

    def finish(self, labels: Iterable[Any] | None = None) -> Quantized:
        """The matrix, once all of its lower tiles are there.

        Parameters
        ----------
        labels : sequence, optional
            One label for each row.

        Returns
        -------
        Quantized
            Of the domain "entries", with the certificate of all that was added.

        Raises
        ------
        ValueError
            If a tile is missing.
        """
        for k in np.flatnonzero(self._missing)[:1]:
            i = (int(np.sqrt(8 * float(k) + 1)) - 1) // 2
            raise ValueError(
                f"{self._missing.sum()} tiles are missing, the first of them ({i}, {k - i * (i + 1) // 2})"
            )
        eps = epsilon(self.dtype)
        error = self._sums.error(self.n, self.tile, eps)
        coarse = None if self._coarse is None else self._coarse.error(self.n, self.tile, eps)
        return Quantized(self.parts, as_labels(labels, self.n), "entries", error, coarse)

    def _check_place(self, rows: slice, columns: slice, block: Array) -> None:
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        if block.shape != shape:
            raise ValueError(f"a block has shape {block.shape}, and these rows and columns have {shape}")
        for name, where in (("rows", rows), ("columns", columns)):
            fits = where.start % self.tile == 0 and (where.stop % self.tile == 0 or where.stop == self.n)
            if not fits or not 0 <= where.start <= where.stop <= self.n:
                raise ValueError(
                    f"a block has {name} {where.start} to {where.stop}, and must have whole tiles of "
                    f"{self.tile} up to {self.n}"
                )
        if family(block.dtype) not in "biuf":
            raise TypeError(f"a block has dtype {block.dtype}, and codes are of real numbers")

    def _tiles(self, rows: slice, columns: slice) -> Array:
        """Which lower tiles are in a block."""
        i, j = (np.arange(where.start // self.tile, -(-where.stop // self.tile)) for where in (rows, columns))
        found = i[:, None] * (i[:, None] + 1) // 2 + j
        return np.asarray(found[j <= i[:, None]])

    def _take_diagonal(self, rows: slice, columns: slice, numbers: Array) -> None:
        first, last = max(rows.start, columns.start), min(rows.stop, columns.stop)
        if first >= last:
            return
        on = numbers[first - rows.start : last - rows.start, first - columns.start : last - columns.start]
        self.take_diagonal(slice(first, last), on.diagonal())

    def take_diagonal(self, rows: slice, numbers: Array) -> None:
        """Hold these numbers of the diagonal."""
        for k in np.flatnonzero(~np.isfinite(numbers))[:1]:
            _refuse(rows.start + k, rows.start + k, numbers[k])
        self.parts.diagonal[rows] = numbers

    def _encode(
        self,
        half: Any,
        numbers: Array,
        source: Array,
        rows: slice,
        columns: slice,
        sums: Sums,
        scales: int,
        seed: int,
    ) -> None:
        sums.largest, fault, i, j = kernels.quantize_block(
            half, numbers, rows.start, columns.start, scales, seed, sums.squares, sums.rows
        )
        if fault == NOT_FINITE:
            _refuse(i, j, source[i - rows.start, j - columns.start])
        if fault == BEYOND:
            self._beyond(i, j, source[i - rows.start, j - columns.start])
        lost = self._lost(sums, self._tiles(rows, columns))
        if lost.size:
            found = self._decoded(half, numbers, rows, columns)
            self._note_norms(self._errors(numbers, found, rows, columns), rows, columns, sums, lost)

    def _lost(self, sums: Sums, tiles: Array) -> Array:
        """The tiles whose squares are beneath what is counted to its digits, or beyond."""
        squares = sums.squares[tiles]
        least = 1 / float(np.finfo(self.dtype).max) / epsilon(self.dtype) * self.tile**2
        counted = (squares >= least) & (squares < np.inf)
        return np.asarray(tiles[~counted if sums.largest > 0 else np.zeros_like(counted)])

    def _beyond(self, i: int, j: int, value: Any) -> None:
        name = self.encoding.name
        said = f"S[{i}, {j}] is {value}, beyond"
        if self.encoding.most and self.scales == COMPUTED:
            raise OverflowError(
                f"{said} what a scale of {name} can be in {self.dtype}: divide the matrix first"
            )
        if self.scales == COMPUTED:
            limit = LIMITS[name]
            further = ": 'bfloat16' and 'int8' reach further" if name == "float16" else ""
            raise OverflowError(
                f"{said} {name}, whose largest number is {limit:.5g}: clip=True takes that for it{further}"
            )
        tile = i // self.tile, j // self.tile
        scale = self.parts.scales[tile[0] * (tile[0] + 1) // 2 + tile[1]]
        raise OverflowError(
            f"{said} the scale given for its tile {tile}, {scale:g}: give a larger one, or clip=True to have "
            f"the largest level for it"
        )

    def _decoded(self, half: Any, like: Array, rows: slice, columns: slice) -> Array:
        out = np.empty_like(like)
        kernels.dequantize_block(half, out, rows.start, columns.start, False, 1)
        return out

    def _errors(self, numbers: Array, found: Array, rows: slice, columns: slice) -> Array:
        """|errors| below the diagonal in double, zeros elsewhere."""
        below = np.arange(rows.start, rows.stop)[:, None] > np.arange(columns.start, columns.stop)
        return np.where(below, np.abs(numbers.astype(np.float64) - found), 0)

    def _note_norms(self, e: Array, rows: slice, columns: slice, sums: Sums, which: Array) -> None:
        """Have the norms of some tiles from their errors."""
        here = self._tiles(rows, columns)
        i, j = (np.arange(0, side, self.tile) for side in e.shape)
        lower = (i + rows.start)[:, None] >= j + columns.start
        chosen = np.isin(here, which)
        sums.norms[here[chosen]] = norms_of(e, self.tile)[lower][chosen]
        sums.squares[here[chosen]] = 0


def rounding_seed(rounding: str, seed: int | None) -> int:
    """The seed of stochastic rounding; -1 for rounding to the nearest level."""
    one_of("rounding", rounding, ROUNDINGS)
    if rounding == "nearest":
        if seed is not None:
            raise ValueError("seed is for rounding='stochastic': rounding to the nearest level needs none")
        return -1
    if seed is None:
        raise ValueError("rounding='stochastic' needs seed=, an integer: the same one gives the same codes")
    found = as_integer("seed", seed)
    if not 0 <= found <= LARGEST_SEED:
        raise ValueError(f"seed is {found}, and must be 0 to {LARGEST_SEED}")
    return found


def _refuse(i: int, j: int, value: Any) -> None:
    raise ValueError(f"S[{i}, {j}] is {value}: codes are of finite numbers")
