"""Binary matrices of GCTA and PLINK: a triangle by rows or a square; an `.id` file says n and the labels."""

from pathlib import Path
from typing import Any, NamedTuple, Unpack

import numpy as np

from vech.arrays import Array, check_memory
from vech.io.content import Abilities, Content
from vech.io.errors import MAP_FROM, FileFormatError, naming, steady, which
from vech.io.individuals import check_whole, draft_with_ids, ids_text, read_ids
from vech.io.panels import How, write_panels
from vech.io.pieces import (
    check_ends,
    is_piece,
    parts_of,
    pieces_of,
    read_parts,
    read_pieces,
    triangle_of,
    whole_of,
)
from vech.layouts.layout import Layout
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, full_labels=True, options=("dtype", "n"))


class Matrix(NamedTuple):
    """What a suffix says of a file: the layout of its triangle, whether it may be a square, the dtypes."""

    layout: Layout
    square: bool
    dtypes: tuple[str, ...]


class Shape(NamedTuple):
    """What a file may be."""

    dtype: np.dtype[Any]
    sides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return int(self.dtype.itemsize * np.prod(self.sides, dtype=object))

    def ends(self, layout: Layout) -> Array:
        """Where each row of the file ends, in bytes."""
        n = self.sides[-1] if len(self.sides) == 2 else layout.side(self.sides[0])
        rows = np.arange(n + 1, dtype=np.int64)
        if len(self.sides) == 2:
            return rows * n * self.dtype.itemsize
        stored = rows * (rows - 1) // 2 + (rows if layout.implied is None else 0)
        return stored * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{'square' if len(self.sides) == 2 else 'triangle'} of {self.dtype}"


BOTH = ("<f8", "<f4")
WHOLE, STRICT, OF_ONES = (
    Layout("lower", "rows", diagonal=diagonal) for diagonal in ("stored", "zero", "one")
)
MATRICES = {
    ".grm.bin": Matrix(WHOLE, False, ("<f4", "<f8")),  # float32 of GCTA; some programs write float64
    ".grm.n.bin": Matrix(WHOLE, False, ("<f4", "<f8")),
    ".rel.bin": Matrix(WHOLE, True, BOTH),
    ".king.bin": Matrix(STRICT, True, BOTH),
    ".dist.bin": Matrix(STRICT, True, BOTH),
    ".mdist.bin": Matrix(STRICT, True, BOTH),
    ".mibs.bin": Matrix(OF_ONES, True, BOTH),
}


def load(path: Path, *, dtype: np.dtype[Any] | None = None, n: int | None = None) -> Content:
    """Load a triangle or a square, which its size tells once n is known, and the labels in the `.id` file.

    Where it is in several files, any of their names, or that of the whole, stands for all of them.
    """
    return steady(path, lambda: which(path, _ids(path)), lambda: _content(path, dtype, n))


def _content(path: Path, dtype: np.dtype[Any] | None, n: int | None) -> Content:
    if (parts := parts_of(path)) is not None:
        return Content.of_store(read_parts(parts, _ids))
    files, whole = pieces_of(path), whole_of(path)
    pieced = files != [whole]
    if not pieced:
        check_whole(whole)
    matrix, ids = _matrix(whole), _ids(whole)
    sizes = [file.stat().st_size for file in files]
    size = sum(sizes)
    labels = read_ids(ids) if ids.exists() else None
    side = len(labels) if labels is not None else n
    if side is None:
        side = _side(size, matrix, whole)
    shapes = _shapes(matrix, side, dtype)
    found = next((shape for shape in shapes if shape.nbytes == size), None)
    if found is None:
        said = f"the {side:,} rows of {ids.name}" if labels is not None else f"n={side:,}"
        needed = (
            ", ".join(f"{shape.nbytes:,} ({shape})" for shape in shapes) or f"{matrix.dtypes}, not {dtype}"
        )
        several = "" if not pieced else f" in pieces 1 to {len(files):,}, if that is the last"
        raise FileFormatError(f"has {size:,} bytes{several}, and {said} need {needed}", whole)
    if pieced:
        check_ends(files, sizes, found.ends(matrix.layout))
    if pieced and len(found.sides) == 1:
        return Content.of_store(triangle_of(whole, files, sizes, found.dtype, matrix.layout, side, labels))
    array = _numbers(files, sizes, found, whole)
    if len(found.sides) == 2:
        return Content.of_array(array.reshape(found.sides), labels=labels, layout=WHOLE)
    return Content.of_store(Packed(array, matrix.layout, labels=labels))


def _numbers(files: list[Path], sizes: list[int], shape: Shape, whole: Path) -> Array:
    """All numbers: one large file is mapped."""
    if len(files) == 1 and sizes[0] >= MAP_FROM:
        array: Array = np.memmap(files[0], shape.dtype, "r")
        if array.nbytes != sizes[0]:
            raise FileFormatError("was cut short while it was read", files[0])
        return array
    check_memory(
        shape.nbytes, f"cat {whole.name}.1 {whole.name}.2 ... into {whole.name}, which is then mapped"
    )
    return read_pieces(files, shape.dtype, shape.nbytes // shape.dtype.itemsize)


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write the triangle by rows, and the labels into the `.id` file."""
    matrix = _matrix(_checked_name(path))
    text = _checked_ids(path, store, matrix)
    try:
        half = store.to_packed(matrix.layout).half
    except ValueError as error:
        raise ValueError(
            f"{path}: {error}, so it is no such triangle: vech.io.expand (vech expand) writes the square"
        ) from error
    with draft_with_ids(path, _ids, text, overwrite) as numbers:
        numbers.file.write(np.ascontiguousarray(half, half.dtype.newbyteorder("<")).view(np.uint8).data)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the square in panels of rows, and the labels into the `.id` file."""
    matrix = _matrix(_checked_name(path))
    if not matrix.square:
        raise ValueError(
            f"{path}: GCTA's matrices are triangles, never squares: vech.write (vech convert) writes one"
        )
    text = _checked_ids(path, store, matrix)
    with draft_with_ids(path, _ids, text, overwrite) as numbers:
        write_panels(numbers.file, store, **how)


def _matrix(path: Path) -> Matrix:
    return next(matrix for suffix, matrix in MATRICES.items() if path.name.lower().endswith(suffix))


def _checked_name(path: Path) -> Path:
    """The name of what is written, which is never one of several files."""
    if is_piece(path):
        raise ValueError(f"{path}: is the name of a part of a matrix: vech writes whole ones")
    return path


def _ids(path: Path) -> Path:
    """Where the labels are: both of x.grm.bin and of x.grm.N.bin, in x.grm.id."""
    stem = path.name[: -len(".bin")]
    return path.with_name((stem[:-2] if stem.lower().endswith(".grm.n") else stem) + ".id")


def _shapes(matrix: Matrix, n: int, dtype: np.dtype[Any] | None) -> list[Shape]:
    sides: list[tuple[int, ...]] = [(matrix.layout.length(n),), *([(n, n)] if matrix.square else [])]
    return [
        Shape(np.dtype(name), s)
        for s in sides
        for name in matrix.dtypes
        if dtype is None or dtype == np.dtype(name)
    ]


def _side(size: int, matrix: Matrix, path: Path) -> int:
    """The side by the size alone, where there is but one dtype and shape."""
    if matrix.square:
        raise FileFormatError(
            f"may be of several sides, and {_ids(path).name}, which tells, is missing: say n= (--n)", path
        )
    with naming(path):
        return matrix.layout.side(size // np.dtype(matrix.dtypes[0]).itemsize)


def _checked_ids(path: Path, store: Store, matrix: Matrix) -> str:
    """The text of the `.id` file; TypeError for a store that does not fit."""
    allowed = [np.dtype(name) for name in matrix.dtypes[: 1 if not matrix.square else None]]
    if store.dtype.newbyteorder("<") not in allowed:
        names = " or ".join(dtype.name for dtype in allowed)
        raise TypeError(
            f"{path}: holds {names}, and this is {store.dtype}: S.astype({allowed[0].name!r}) makes it so"
        )
    if store.kind != "symmetric":
        raise TypeError(f"{path}: holds a symmetric matrix, and this one is {store.kind}")
    if store.labels is None:
        raise ValueError(
            f"{path}: {_ids(path).name} names each row, and this store has no labels: S.with_labels(names)"
        )
    try:
        return ids_text(store.labels)
    except TypeError as error:
        raise TypeError(f"{path}: {error}") from None
