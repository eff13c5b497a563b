"""What a quantized half is made of: codes by tiles, scales, the diagonal; numbers and products of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype, as_array, family
from vech.layouts.kind import Kind
from vech.layouts.layout import as_integer
from vech.maps import check_mapped
from vech.quantized import kernels
from vech.quantized.encodings import ENCODINGS, KMEANS, LOW, PLANE, Encoding

TILES = (32, 64, 128, 256)
STRIP = 64  # columns whose codes lie together
GROUP = 128  # codes of 4 bits that share sixteen words
LAST = {"float16": 0x7BFF, "bfloat16": 0x7F7F, "float8-e4m3": 0x7E, "float8-e5m2": 0x7B}
"""The largest finite number as a code."""


def as_tile(tile: Any) -> int:
    """The side of a tile, judged."""
    side = as_integer("tile", tile)
    if side not in TILES:
        raise ValueError(f"tile is {side}, and a tile has 32, 64, 128 or 256 rows")
    return side


def tiles_a_side(n: int, tile: int) -> int:
    """Tiles in a row of tiles of the full matrix."""
    return -(-n // tile)


def tiles_in_all(n: int, tile: int) -> int:
    """Lower tiles."""
    grid = tiles_a_side(n, tile)
    return grid * (grid + 1) // 2


def code_bytes(n: int, tile: int, encoding: Encoding) -> int:
    """Bytes of the codes of all lower tiles, whole but for the rows that the last ones have not."""
    grid = tiles_a_side(n, tile)
    if not grid:
        return 0
    bits = encoding.bits // encoding.planes
    together = GROUP // min(tile, STRIP) if bits == 4 else 1
    last = n - (grid - 1) * tile
    stored = -(-last // together) * together
    return (tile * tile * (grid * (grid - 1) // 2) + grid * tile * stored) * bits // 8 * encoding.planes


@dataclass(frozen=True, eq=False)
class Parts:
    """Codes, scales and diagonal of a matrix of side n; the number at (r, c), r > c, is

    ``(level(code) * scale of its tile + zero of its tile) * side of r * side of c``.

    A second plane of codes is added, its scales being a fourteenth. Scales, zeros, sides and the diagonal
    have the dtype of the numbers.
    """

    n: int
    tile: int
    encoding: Encoding
    kind: Kind
    codes: Array
    scales: Array
    diagonal: Array
    zeros: Array | None = None
    sides: Array | None = None

    @classmethod
    def empty(cls, n: int, tile: int, encoding: Encoding, kind: Kind, dtype: Dtype) -> Self:
        """Without a number: all codes are yet to be written; scales are 0, or 1 where nothing is scaled."""
        count = tiles_in_all(n, tile)
        fill = 0 if encoding.most else 1
        return cls(
            n,
            tile,
            encoding,
            kind,
            np.empty(code_bytes(n, tile, encoding), np.uint8),
            np.full(count, fill, dtype),
            np.zeros(n, dtype),
            np.zeros(count, dtype) if encoding.is_affine else None,
        )

    @property
    def dtype(self) -> Dtype:
        """Of the numbers."""
        return self.diagonal.dtype

    @property
    def grid(self) -> int:
        """Tiles a side."""
        return tiles_a_side(self.n, self.tile)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All that holds the matrix."""
        held = (self.codes, self.scales, self.diagonal, self.zeros, self.sides)
        return tuple(array for array in held if array is not None)

    @property
    def nbytes(self) -> int:
        """Their bytes, and those of levels of its own."""
        own = self.levels
        return sum(array.nbytes for array in self.arrays) + (0 if own is None else own.nbytes)

    @property
    def levels(self) -> Array | None:
        """What the codes of a table are."""
        return None if self.encoding.levels is None else np.array(self.encoding.levels)

    @property
    def unit(self) -> Self:
        """The same codes with scales of one: their numbers are levels."""
        return replace(
            self,
            scales=np.ones_like(self.scales),
            zeros=None if self.zeros is None else np.zeros_like(self.zeros),
            sides=None,
        )

    @property
    def coarse(self) -> Self:
        """The high plane alone."""
        return replace(
            self, encoding=ENCODINGS[PLANE], codes=self.codes[: self.codes.size // self.encoding.planes]
        )

    def copy(self) -> Self:
        """In arrays of their own."""
        return self._with(np.copy, "codes", "scales", "diagonal", "zeros", "sides")

    def times(self, factor: float) -> Self:
        """All numbers times a factor; codes are shared."""
        d = np.asarray(factor, self.dtype)
        zeros = None if self.zeros is None else self.zeros * d
        return replace(self, scales=self.scales * d, zeros=zeros, diagonal=self.diagonal * d)

    def mirrored(self) -> Self:
        """The transposed matrix, whose codes are the same; a diagonal stays."""
        return self if not self.kind.negates else replace(self.times(-1), diagonal=self.diagonal)

    def astype(self, dtype: Dtype) -> Self:
        """Scales and diagonal in another dtype."""
        if dtype == self.dtype:
            return self
        return self._with(lambda array: array.astype(dtype), "scales", "diagonal", "zeros", "sides")

    def _with(self, change: Callable[[Array], Array], *names: str) -> Self:
        """With some of its arrays changed."""
        held = {name: getattr(self, name) for name in names}
        changed: dict[str, Any] = {name: change(array) for name, array in held.items() if array is not None}
        return replace(self, **changed)

    def halves(self, low: Array | None = None) -> list[Any]:
        """As kernels take them: the first has the diagonal; `low` is memory for the scales of the second."""
        for array in self.arrays:
            check_mapped(array)
        planes = self.encoding.planes
        low = self.scales / self.dtype.type(LOW) if low is None and planes == 2 else low
        codes = np.split(self.codes, planes)
        found = []
        for k, part in enumerate(codes):
            found.append(
                kernels.Half(
                    self.n,
                    self.tile,
                    self.encoding.kernel,
                    part,
                    self.scales if k == 0 else low,
                    self.zeros,
                    self.sides,
                    self.encoding.levels,
                    self.diagonal if k == 0 else np.zeros_like(self.diagonal),
                    -1 if self.kind.negates else 1,
                )
            )
        return found

    def read(
        self, out: Array, row: int, column: int, *, full: bool = True, threads: int | None = None
    ) -> Array:
        """The numbers from (row, column) on; not full: those below the diagonal alone, zeros elsewhere."""
        first, *others = self.halves()
        workers = threads or 1
        plain = out.strides[1:] == (out.itemsize,) and out.strides[0] >= out.itemsize * out.shape[1]
        target = out if plain or not out.size else np.empty(out.shape, out.dtype)
        if target.size:
            kernels.dequantize_block(first, target, row, column, full, workers)
            for half in others:
                more = np.empty(out.shape, out.dtype)
                kernels.dequantize_block(half, more, row, column, full, workers)
                target += more
        if target is not out:
            out[...] = target
        return out

    def part(self, rows: slice, columns: slice, *, full: bool = True, threads: int | None = None) -> Array:
        """The same of some rows and columns, in memory of its own."""
        out = np.empty((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        return self.read(out, rows.start, columns.start, full=full, threads=threads)

    def multiply(
        self,
        x: Array,
        straight: float = 1.0,
        mirrored: float | None = None,
        *,
        precise: bool = True,
        threads: int | None = None,
    ) -> Array:
        """``(straight L + D + mirrored L') x`` for x, (n,) or (n, m), of any real floating dtype of kernels.

        L is what lies below the diagonal D. Unless told it is S x.
        """
        parts = self.astype(x.dtype)
        if mirrored is None:
            mirrored = -1.0 if self.kind.negates else 1.0
            if self.kind.negates:
                parts = replace(parts, diagonal=self.kind.settled(parts.diagonal))
        kernel = kernels.multiply if precise else kernels.multiply_coarse
        total = None
        for half in parts.halves():
            y = np.empty_like(x)
            kernel(half, x, y, straight, mirrored, threads or 1)
            total = y if total is None else np.add(total, y, out=total)
        assert total is not None, "there is a plane"
        return total


# ---------------------------------------------------------------- parts that somebody gives


def judged(
    n: int,
    encoding: Encoding,
    codes: ArrayLike,
    diagonal: ArrayLike,
    scales: ArrayLike,
    zeros: ArrayLike | None,
    sides: ArrayLike | None,
    tile: int,
    kind: Kind,
) -> Parts:
    """The parts of a matrix of side n, each of the shape and dtype it must have."""
    diagonal = np.ascontiguousarray(as_array(diagonal, "diagonal"))
    dtype = diagonal.dtype
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"diagonal has dtype {dtype}, and must be float32 or float64: astype it first")
    if encoding.name == KMEANS and encoding.levels is None:
        raise ValueError(f"{KMEANS!r} has no levels of its own: pass levels=, 16 numbers")
    given = as_array(codes, "codes")
    if given.dtype != np.uint8:
        raise TypeError(f"codes has dtype {given.dtype}, and must be uint8: view(numpy.uint8)")
    wanted, count = code_bytes(n, tile, encoding), tiles_in_all(n, tile)
    check_shape("codes", given, wanted, f"{encoding.name} of n={n} in tiles of {tile} has {wanted} bytes")
    check_shape("diagonal", diagonal, n, f"n is {n}")
    of_tiles = f"n={n} has {count} lower tiles of {tile}"
    if encoding.is_affine != (zeros is not None):
        raise ValueError(
            f"{encoding.name} needs zeros=, what code 0 of each tile is"
            if encoding.is_affine
            else f"zeros are for 'uint8': {encoding.name} has none"
        )
    parts = Parts(
        n,
        tile,
        encoding,
        kind,
        np.ascontiguousarray(given),
        floats("scales", scales, dtype, count, of_tiles),
        diagonal,
        None if zeros is None else floats("zeros", zeros, dtype, count, of_tiles),
        None if sides is None else floats("sides", sides, dtype, n, f"n is {n}"),
    )
    for k in np.flatnonzero(~np.isfinite(diagonal))[:1]:
        raise ValueError(f"diagonal[{k}] is {diagonal[k]}: a quantized half has finite numbers")
    check_diagonal(kind, diagonal, "diagonal")
    if not encoding.most and not (np.abs(parts.scales) == parts.scales[:1]).all():
        raise ValueError(f"{encoding.name} holds numbers themselves, so all its scales are the same")
    _check_codes(parts)
    return parts


def check_diagonal(kind: Kind, diagonal: Array, name: str) -> None:
    """Refuse one that the kind has not."""
    for k in np.flatnonzero(diagonal)[:1] if kind.negates else ():
        raise ValueError(f"{name}[{k}] is {diagonal[k]}, and a skew matrix has zeros on its diagonal")


def check_shape(name: str, array: Array, length: int, why: str) -> None:
    """Refuse what is no vector of this length."""
    if array.shape != (length,):
        raise ValueError(f"{name} has shape {array.shape}, and must have ({length},): {why}")


def floats(name: str, values: ArrayLike, dtype: Dtype, length: int, why: str) -> Array:
    """A vector of finite numbers in this dtype."""
    given = as_array(values, name)
    if family(given.dtype) not in "iuf":
        raise TypeError(f"{name} must hold real numbers, not {given.dtype}")
    check_shape(name, given, length, why)
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(given, dtype)
    for k in np.flatnonzero(~np.isfinite(array))[:1]:
        beyond = f", beyond {dtype}" if np.isfinite(given[k]) else ""
        raise ValueError(f"{name}[{k}] is {given[k]}{beyond}: {name} are finite")
    return array


def _check_codes(parts: Parts) -> None:
    """Refuse codes that are no finite numbers, and the integer that has no negative."""
    name = parts.encoding.name
    if name not in LAST and name != "int8":
        return
    codes = parts.codes.view(f"<u{parts.encoding.bits // 8}")
    sign = 1 << (parts.encoding.bits - 1)
    wrong = codes == sign if name == "int8" else (codes & (sign - 1)) > LAST.get(name, 0)
    for k in np.flatnonzero(wrong)[:1]:
        what = "-128, and int8 has -127 to 127" if name == "int8" else f"{codes[k]:#x}, no finite number"
        raise ValueError(f"code {k} is {what}")
