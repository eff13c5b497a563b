"""Hail's BlockMatrix, a folder: each square block of float64 is a file of its own, packed by LZ4.

What is where is in Hail's sources, BlockMatrix.scala, GridPartitioner.scala and InputBuffers.scala; no JVM
is needed: https://github.com/hail-is/hail
"""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from vech.arrays import Array, check_memory, epsilon, memory_limit
from vech.io.content import Abilities, Content
from vech.io.description import parse_object
from vech.io.errors import FileFormatError, naming, ordinary, reading
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import as_side
from vech.packed.packed import Packed
from vech.sparse import SparseHalf

CAN = Abilities(write=(), options=("layout",), folders=True)

CHUNK = 32 << 10
"""Bytes that Hail packs together."""

PACKED = CHUNK + CHUNK // 255 + 16
"""Bytes of such a chunk, packed, at most: github.com/lz4/lz4, LZ4_COMPRESSBOUND."""

HEAD = 9
"""Bytes in front of the numbers of a block: its rows, its columns, and whether it lies row by row."""

ALIGNED = 7
"""Bytes in front of these, so that the numbers begin at a multiple of eight."""

PART = 4
"""A half of more than such a part of the memory stays in its files, and is read block by block."""

CACHED = 128
"""Rows and columns of numbers that are compared together."""

DENSE = as_layout("vech")
WAY = "Hail's (B + B.T) / 2 makes it so, and of B.sparsify_triangle() one triangle is taken for both"


def load(path: Path, *, layout: AnyLayout | None = None) -> Content:
    """Load the blocks of the lower triangle, one after the other; those of the upper one are compared."""
    blocks = Blocks(path)
    if blocks.count == 1 and len(blocks.files) == 1:
        return Content.of_array(blocks.read(0, 0))
    if len(blocks.found) < blocks.count * (blocks.count + 1) // 2:
        return Content.of_store(_sparse(blocks))
    if layout is None and 8 * DENSE.length(blocks.n) > memory_limit() // PART:
        from vech.tiled.foreign import foreign

        return Content.of_store(foreign(blocks))
    with naming(path):
        return Content.of_store(_dense(blocks).to_packed(layout or DENSE))


class Difference(NamedTuple):
    """How far two triangles are apart at most, and where; and the largest number among them."""

    gap: float = 0.0
    where: str = ""
    largest: float = 0.0

    def joined(self, other: "Difference") -> "Difference":
        """That of both."""
        worst = max(self, other, key=lambda each: each.gap)
        return worst._replace(largest=max(self.largest, other.largest))


class Blocks:
    """The blocks of a BlockMatrix, of which those of one triangle are those of a symmetric matrix.

    Attributes
    ----------
    n, tile, count : int
        The rows of the matrix, those of a block, and how many blocks they take.
    files : dict
        The file of each block (i, j) that there is.
    found : list of (i, j)
        The blocks of the lower triangle of the symmetric matrix, by rows.
    """

    dtype = np.dtype("<f8")

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such folder, and a BlockMatrix is one", str(path))
        self.path, self.name = path, str(path)
        if not (path / "_SUCCESS").is_file():
            raise FileFormatError("has no _SUCCESS: Hail did not write all of it, or a copy lacks it", path)
        self.n, self.tile, self.count, self.files = _metadata(path / "metadata.json")
        below = {(i, j) for i, j in self.files if i > j}
        above = {(j, i) for i, j in self.files if i < j}
        self.one = "" if below == above else "lower" if not above else "upper"
        if self.one and below and above:
            i, j = min(below ^ above)
            i, j = (i, j) if (i, j) in below else (j, i)
            raise FileFormatError(
                f"is not symmetric: block ({i}, {j}) is there and block ({j}, {i}) is not; {WAY}", path
            )
        self.found = sorted(below | above | {(i, j) for i, j in self.files if i == j})

    def parts(self) -> list[str]:
        """The files of its blocks."""
        return [str(file) for file in self.files.values()]

    def __reduce__(self) -> Any:
        return type(self), (self.path,)

    def span(self, i: int) -> slice:
        """The rows of a block."""
        return slice(i * self.tile, min((i + 1) * self.tile, self.n))

    def read(self, i: int, j: int) -> Array:
        """Read one block as it is in its file."""
        rows, columns = self.span(i), self.span(j)
        return _block(self.files[i, j], self.path, rows.stop - rows.start, columns.stop - columns.start)

    def lower(self, rows: slice, columns: slice) -> Array:
        """A block of the lower triangle, which is compared with that of the upper one."""
        block, difference = self._below(rows.start // self.tile, columns.start // self.tile)
        self._refuse(difference)
        block = np.ascontiguousarray(block)
        if self.one and rows == columns:
            np.copyto(block, block.T, where=np.tri(len(block), k=-1, dtype=np.bool_).T)
        return block

    def __iter__(self) -> Iterator[tuple[slice, slice, Array]]:
        """Each block of the lower triangle; at the end FileFormatError, if the two triangles differ."""
        all_of_them = Difference()
        for i, j in self.found:
            block, difference = self._below(i, j)
            all_of_them = all_of_them.joined(difference)
            yield self.span(i), self.span(j), block
        self._refuse(all_of_them)

    def _below(self, i: int, j: int) -> tuple[Array, Difference]:
        """A block of which the lower triangle counts, and how far it is from that of the upper one."""
        block = self.read(i, j) if (i, j) in self.files else self.read(j, i).T
        if self.one and i != j:
            return block, Difference()
        other = block.T if i == j else self.read(j, i).T
        if self.one:
            block = block if self.one == "lower" else other
            if not np.triu(block, 1).any():  # the other triangle of a square is zeros
                return block, Difference()
        return block, self._difference(block, block.T if i == j else other, i, j)

    def _difference(self, below: Array, above: Array, i: int, j: int) -> Difference:
        """By parts that are in the cache both ways: one of the two lies across."""
        found = Difference()
        for row in range(0, len(below), CACHED):
            for column in range(0, below.shape[1] if i != j else row + 1, CACHED):
                part = slice(row, row + CACHED), slice(column, column + CACHED)
                at = (i * self.tile + row, j * self.tile + column)
                found = found.joined(_difference(below[part], above[part], *at))
        return found

    def _refuse(self, difference: Difference) -> None:
        if difference.gap > self.n * epsilon(self.dtype) * difference.largest:
            raise FileFormatError(f"is not symmetric: {difference.where}; {WAY}", self.path)


def _difference(below: Array, above: Array, i: int, j: int) -> Difference:
    """How far numbers from (i, j) on are from those in the other triangle."""
    with np.errstate(invalid="ignore"):
        sizes = np.abs(below)
        largest = float(sizes.max())
        if not np.isfinite(largest):
            largest = float(sizes.max(where=np.isfinite(below), initial=0))
        same = below == above
        if same.all():
            return Difference(largest=largest)
        gap = np.abs(below - above)
    gap[same | (np.isnan(below) & np.isnan(above))] = 0
    gap[np.isnan(gap)] = np.inf
    row, column = (int(k) for k in np.unravel_index(gap.argmax(), gap.shape))
    where = (
        f"a[{i + row}, {j + column}] is {below[row, column]}, but a[{j + column}, {i + row}] is "
        f"{above[row, column]}"
    )
    return Difference(float(gap[row, column]), where, largest)


def _dense(blocks: Blocks) -> Packed:
    """A half, of all blocks of a triangle."""
    length = DENSE.length(blocks.n)
    check_memory(8 * length, "leave layout= out, and it is read block by block")
    half = np.empty(length)
    for rows, columns, block in blocks:
        for k, column in enumerate(range(columns.start, columns.stop)):
            first = max(rows.start, column)
            begin = DENSE.length(blocks.n) - DENSE.length(blocks.n - column) + first - column
            half[begin : begin + rows.stop - first] = block[first - rows.start :, k]
    return Packed(half, DENSE)


def _sparse(blocks: Blocks) -> SparseHalf:
    """The numbers of some blocks that are not zero: blocks that are left out are zeros."""
    found: list[tuple[Array, Array, Array]] = []
    total = 0
    for rows, columns, block in blocks:
        i, j = np.nonzero(np.tril(block) if rows == columns else block)
        found.append((i + rows.start, j + columns.start, block[i, j]))
        total += len(i)
        check_memory(48 * total, "B.sparsify_band() or B.filter() of Hail leave less")
    i, j, data = (np.concatenate(part) for part in zip(*found, strict=True)) if found else (_NO, _NO, _NONE)
    return SparseHalf.from_coo(i, j, data, blocks.n, use="lower")


_NO, _NONE = np.zeros(0, np.int64), np.zeros(0)


def _metadata(path: Path) -> tuple[int, int, int, dict[tuple[int, int], Path]]:
    """The rows, the side of a block, how many blocks that makes, and the file of each block."""
    if not path.is_file():
        raise FileFormatError("is missing, or no file", path)
    try:
        found = parse_object(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise FileFormatError("is not text in UTF-8", path, byte=error.start) from error
    found = found if isinstance(found, dict) else {}
    sizes = [found.get(key) for key in ("blockSize", "nRows", "nCols")]
    if any(type(size) is not int or size < 1 for size in sizes):
        raise FileFormatError(f"says blockSize, nRows, nCols {sizes}: each must be 1 or more", path)
    side, n, columns = cast(list[int], sizes)
    if n != columns:
        raise FileFormatError(f"says {n:,} rows and {columns:,} columns: a square matrix is wanted", path)
    with naming(path):
        as_side(n)
    count = -(-n // side)
    names, kept = found.get("partFiles"), found.get("maybeFiltered")
    if not isinstance(names, list) or (kept is not None and not isinstance(kept, list)):
        raise FileFormatError("has no list of partFiles, or a maybeFiltered that is none", path)
    needed = count * count if kept is None else len(kept)
    if len(names) != needed:
        raise FileFormatError(f"has {len(names):,} partFiles, and its {needed:,} blocks need as many", path)
    places = range(needed) if kept is None else kept
    if any(type(place) is not int or not 0 <= place < count * count for place in places):
        raise FileFormatError(
            f"has a maybeFiltered that is no list of blocks 0 to {count * count - 1:,}", path
        )
    if len(set(places)) < needed or list(places) != sorted(places):
        raise FileFormatError("has a maybeFiltered that does not ascend", path)
    if bad := [name for name in names if not _is_name(name)]:
        raise FileFormatError(f"has {bad[0]!r:.80} in partFiles, which are names of files in parts/", path)
    if len(set(names)) < needed:
        raise FileFormatError("has a name twice in partFiles", path)
    folder = path.with_name("parts")
    return (
        n,
        side,
        count,
        {(place % count, place // count): folder / name for place, name in zip(places, names, strict=True)},
    )


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name not in ("", "..") and Path(name).name == name and "\0" not in name


def _block(path: Path, root: Path, height: int, width: int) -> Array:
    """Read a block of that shape."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise FileFormatError(f"leads out of {root.name}", path)
    size, total = path.stat().st_size, HEAD + 8 * height * width
    if not total // 255 < size <= 2 * total + 2 * PACKED:  # LZ4 makes one byte of 255 at best
        raise FileFormatError(
            f"has {size:,} bytes, and a block of {height:,} x {width:,} numbers has {total:,}, unpacked", path
        )
    unpacked = np.empty(ALIGNED + total, np.uint8)
    with reading(path, "is damaged"):
        _unpack(path, unpacked[ALIGNED:], (height, width))
    numbers = unpacked[ALIGNED + HEAD :].view("<f8")
    return numbers.reshape(height, width) if unpacked[ALIGNED + 8] else numbers.reshape(width, height).T


def _unpack(path: Path, out: Array, shape: tuple[int, int]) -> None:
    """Unpack chunks, in front of each its length packed and unpacked, until `out` is full."""
    lz4 = _lz4()
    data = ordinary(path).read_bytes()
    at = done = 0
    while done < len(out):
        packed, length = (int.from_bytes(data[k : k + 4], "little") for k in (at, at + 4))
        if not 4 < packed <= 4 + PACKED or at + 4 + packed > len(data):
            raise FileFormatError(f"has a chunk of {packed:,} bytes, and is cut or damaged", path, byte=at)
        if not 0 < length <= CHUNK:
            raise FileFormatError(f"has a chunk of {length:,} bytes, unpacked", path, byte=at + 4)
        chunk = np.frombuffer(lz4.decompress(data[at + 4 : at + 4 + packed]), np.uint8)
        if done == 0:
            _check_head(chunk, shape, path)
        if done + length > len(out):
            raise FileFormatError(f"holds more than its {len(out):,} bytes, unpacked", path, byte=at)
        out[done : done + length] = chunk
        at, done = at + 4 + packed, done + length
    if at < len(data):
        raise FileFormatError(f"goes on behind its {done:,} bytes, unpacked", path, byte=at)


def _check_head(chunk: Array, shape: tuple[int, int], path: Path) -> None:
    """Refuse a block of another shape than its place has."""
    found = chunk[:8].view("<i4").tolist() if len(chunk) >= HEAD else []
    if found != list(shape) or chunk[8] > 1:
        holds = " x ".join(f"{size:,}" for size in found) or "no"
        raise FileFormatError(f"holds {holds} numbers, and its block is {shape[0]:,} x {shape[1]:,}", path)


def _lz4() -> Any:
    try:
        from numcodecs import lz4
    except ImportError:
        raise ImportError('blocks of Hail need numcodecs: pip install "vech[hail]"') from None
    return lz4
