"""A matrix in several files, each some of its rows: parts of GCTA, and pieces of PLINK's `--parallel`."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import Array, memory_limit
from vech.io.errors import FileFormatError
from vech.io.individuals import ids_of
from vech.layouts.layout import Layout
from vech.packed.packed import Packed
from vech.store import Store

PART = re.compile(r"(?i)(?P<stem>.*)\.part_(?P<count>[0-9]+)_(?P<number>[0-9]+)(?P<suffix>\.grm(\.N)?\.bin)")
PIECE = re.compile(r"(?i)(?P<whole>.*\.bin)\.(?P<number>[0-9]+)")

SHOWN = 3
"""Missing files that an error names."""

ROWS = Layout("lower", "rows")
NUMBER = np.dtype("<f4")

PART_OF_MEMORY = 4
"""A triangle of more than such a part of the memory stays in its files, and is read by tiles."""

TILE = 4096
"""Rows of these."""


class Parts(NamedTuple):
    """What `--make-grm-part` wrote: the name of the whole, how many parts there are, and those there are."""

    whole: Path
    total: int
    files: dict[int, Path]


def is_piece(path: Path) -> bool:
    """Whether the name is that of a part or a piece."""
    return bool(PART.fullmatch(path.name) or PIECE.fullmatch(path.name))


def whole_of(path: Path) -> Path:
    """The name that a piece of PLINK has without its number."""
    found = PIECE.fullmatch(path.name)
    return path.with_name(found["whole"]) if found else path


def parts_of(path: Path) -> Parts | None:
    """All parts that belong to one of them, or to a whole that is not there itself; None where none do."""
    named = PART.fullmatch(path.name)
    if not path.parent.is_dir() or (named is None and path.exists()):
        return None
    whole = path.with_name(named["stem"] + named["suffix"]) if named else path
    sets: dict[int, dict[int, Path]] = {}
    for other in path.parent.iterdir():
        found = PART.fullmatch(other.name)
        if found and found["stem"] + found["suffix"] == whole.name:
            files = sets.setdefault(int(found["count"]), {})
            if (number := int(found["number"])) in files:
                raise FileFormatError(f"is part {number} as {files[number].name} is: remove one", other)
            files[number] = other
    if named:
        count = int(named["count"])
        return Parts(whole, count, sets.get(count, {}))
    if len(sets) > 1:
        names = [next(iter(files.values())).name for files in sets.values()]
        raise FileFormatError(f"is there in parts of {len(sets)} runs: say {' or '.join(names)}", path)
    return next((Parts(whole, count, files) for count, files in sets.items()), None)


def read_parts(parts: Parts, ids: Callable[[Path], Path]) -> Store:
    """Read all parts as one triangle; each has its own file of names, which says how many rows it has."""
    whole, count, files = parts
    if foreign := [file for number, file in files.items() if not 1 <= number <= count]:
        raise FileFormatError(f"is no part of {count:,}, whose numbers are 1 to {count:,}", foreign[0])
    check_present(files, count, f"{count:,} parts, and part", whole)
    names = [ids(files[number]) for number in range(1, count + 1)]
    for number, path in enumerate(names, 1):
        if not path.exists():
            raise FileFormatError(f"has no {path.name}, which says its rows", files[number])
    labels, rows = ids_of(names)
    ends = list(itertools.accumulate(rows))
    for number, (stop, height) in enumerate(zip(ends, rows, strict=True), 1):
        _check_size(files[number], stop - height, height)
    _check_names(labels, names, rows)
    paths = [files[number] for number in range(1, count + 1)]
    return triangle_of(whole, paths, [path.stat().st_size for path in paths], NUMBER, ROWS, ends[-1], labels)


def triangle_of(
    whole: Path,
    paths: list[Path],
    sizes: list[int],
    dtype: np.dtype[Any],
    layout: Layout,
    n: int,
    labels: tuple[Any, ...] | None,
) -> Store:
    """A triangle by rows in several files: in memory, or what is more than a part of it, by tiles."""
    length = layout.length(n)
    if length * dtype.itemsize > memory_limit() // PART_OF_MEMORY:
        from vech.tiled.foreign import foreign

        return foreign(Rows(whole, paths, sizes, dtype, layout, n), labels)
    return Packed(read_pieces(paths, dtype, length), layout, labels=labels)


class Rows:
    """Files with the rows of a triangle, of which tiles are read."""

    def __init__(
        self, whole: Path, paths: list[Path], sizes: list[int], dtype: np.dtype[Any], layout: Layout, n: int
    ) -> None:
        self.name, self.paths, self.sizes = str(whole), paths, sizes
        self.dtype, self.layout, self.n = dtype, layout, n
        self.tile = min(n, TILE)

    def parts(self) -> list[str]:
        """All of them."""
        return [str(path) for path in self.paths]

    def lower(self, rows: slice, columns: slice) -> Array:
        """The numbers of a tile, the diagonal ones as whole squares."""
        tile = np.zeros((rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        maps = self._maps()
        strict = self.layout.implied is not None
        for k, row in enumerate(range(rows.start, rows.stop)):
            stop = min(columns.stop, row + (0 if strict else 1))
            begin = self.layout.length(row) + columns.start if row else 0
            if stop > columns.start:
                tile[k, : stop - columns.start] = maps(begin, stop - columns.start)
        if rows == columns:
            np.copyto(tile, tile.T, where=np.tri(len(tile), k=-1, dtype=np.bool_).T)
            if strict:
                np.fill_diagonal(tile, self.layout.implied)
        return tile

    def _maps(self) -> Callable[[int, int], Array]:
        """Some numbers that follow each other, which are in one file, as rows are."""
        ends = np.cumsum(self.sizes) // self.dtype.itemsize
        opened: dict[int, Array] = {}

        def numbers(begin: int, count: int) -> Array:
            k = int(np.searchsorted(ends, begin, side="right"))
            if k not in opened:
                opened[k] = np.memmap(self.paths[k], self.dtype, "r")
                if opened[k].nbytes != self.sizes[k]:
                    raise FileFormatError("is not as long as it was", self.paths[k])
            first = begin - (int(ends[k - 1]) if k else 0)
            return opened[k][first : first + count]

        return numbers


def pieces_of(path: Path) -> list[Path]:
    """All pieces of PLINK's that belong to one of them, or to a whole that is not there itself."""
    whole = whole_of(path)
    if not path.parent.is_dir() or (whole == path and path.exists()):
        return [path]
    files: dict[int, Path] = {}
    for other in path.parent.iterdir():
        found = PIECE.fullmatch(other.name)
        if found and found["whole"] == whole.name:
            if (number := int(found["number"])) in files:
                raise FileFormatError(f"is piece {number} as {files[number].name} is: remove one", other)
            files[number] = other
    if not files:
        return [path]
    check_present(files, max(files), f"pieces up to {max(files):,}, and piece", whole)
    if 0 in files:
        raise FileFormatError("is no piece of PLINK's, whose numbers begin with 1", files[0])
    return [files[number] for number in range(1, len(files) + 1)]


def check_present(files: dict[int, Path], count: int, what: str, whole: Path) -> None:
    """Refuse a set in which some are missing, by their numbers."""
    missing = list(itertools.islice((k for k in range(1, count + 1) if k not in files), SHOWN + 1))
    if missing:
        shown = ", ".join(map(str, missing[:SHOWN])) + (", ..." if len(missing) > SHOWN else "")
        several = "s" if len(missing) > 1 else ""
        raise FileFormatError(f"is in {what}{several} {shown} {'are' if several else 'is'} missing", whole)


def check_ends(files: list[Path], nbytes: list[int], ends: Array) -> None:
    """Refuse pieces that do not end where a row does, though all together are as long as a matrix."""
    total = 0
    for file, size in zip(files, nbytes, strict=True):
        total += size
        if ends[np.searchsorted(ends, total)] != total:
            raise FileFormatError("ends within a row: it is cut, or of another run", file, byte=size)


def read_pieces(files: list[Path], dtype: np.dtype, length: int) -> Array:
    """Read files of numbers into one array, which they must fill."""
    array = np.empty(length, dtype)
    free = array.view(np.uint8).data
    for path in files:
        with path.open("rb") as file:
            while len(free) and (count := file.readinto(free)):
                free = free[count:]
            if file.read(1):
                raise FileFormatError("grew while it was read", path)
    if len(free):
        raise FileFormatError("was cut short while it was read", files[-1])
    return array


def _check_size(path: Path, first: int, height: int) -> None:
    """Refuse a part whose numbers are not those of its rows."""
    size = path.stat().st_size
    needed = (ROWS.length(first + height) - ROWS.length(first)) * NUMBER.itemsize
    if size == needed:
        return
    before, rest = divmod(size // NUMBER.itemsize - ROWS.length(height), max(1, height))
    if rest == 0 and before >= 0 and size % NUMBER.itemsize == 0:
        reason = f"its rows begin with row {before + 1:,}, so it is of another run"
    else:
        reason = f"it is {'cut short' if size < needed else 'too long'}, or of another run"
    raise FileFormatError(
        f"has {size:,} bytes, and its {height:,} rows, behind {first:,} rows of the parts before, need "
        f"{needed:,}: {reason}",
        path,
    )


def _check_names(labels: tuple[object, ...], names: list[Path], rows: list[int]) -> None:
    """Refuse a row that two parts name."""
    seen: dict[object, Path] = {}
    found = iter(labels)
    for path, height in zip(names, rows, strict=True):
        for label in itertools.islice(found, height):
            if seen.setdefault(label, path) is not path:
                raise FileFormatError(
                    f"names {label!r}, as {seen[label].name} does: one of them is of another run", path
                )
