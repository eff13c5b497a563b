"""Matrix Market `.mtx` through SciPy: the lower half with its symmetry named, as entries or as a dense array.

SciPy expands what a file calls symmetric. Here the header that SciPy sees is changed to "general", and for
dense content to one column: so the half goes in and out as it is, without n x n memory.
"""

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from vech.arrays import Array
from vech.io.files import FileFormatError, atomic
from vech.io.panels import Progress
from vech.layout import Layout, as_layout
from vech.moves import convert
from vech.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

HOLDS: tuple[str, ...] = ("csr", "csc", "dense")
KINDS = {"symmetric": "symmetric", "hermitian": "hermitian", "skew-symmetric": "skew"}
SYMMETRIES = {kind: symmetry for symmetry, kind in KINDS.items()}
FIELDS = {"real": "f8", "integer": "i8", "unsigned-integer": "u8", "complex": "c16"}
STRICT = Layout("lower", "columns", diagonal="zero")


def load(path: Path, dtype: np.dtype[Any] | None, n: int | None) -> Packed | SparseHalf | Any:
    """Load the half of a symmetric file, or the whole matrix of a general one; coordinates are sparse."""
    with path.open("rb") as file:
        lines = [file.readline(256)]
        words = lines[0].decode("latin-1").lower().split()
        if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
            raise FileFormatError("does not begin with '%%MatrixMarket matrix ...'", path, line=1)
        kind = KINDS.get(words[4])
        if kind is not None:
            lines[0] = " ".join(["%%MatrixMarket", *words[1:4], "general"]).encode() + b"\n"
        while (line := file.readline()).startswith(b"%") or (line and not line.strip()):
            lines.append(line)
        sizes = _sizes(line, words[2], path, len(lines) + 1)
        if words[2] == "array":
            return _dense(file, lines, sizes, words[3], kind, path)
        matrix = _read(file, b"".join([*lines, line]), path)
        return matrix if kind is None else _sparse_half(matrix, words[4], path)


def write(path: Path, store: Store) -> None:
    """Write the lower half: a Packed as a dense array, a SparseHalf as coordinates."""
    expand(path, store, "dense" if isinstance(store, Packed) else "csr")


def expand(
    path: Path, store: Store, to: str, *, threads: int | None = None, progress: Progress | None = None
) -> None:
    """Write the lower half with its symmetry named, which every reader of Matrix Market expands."""
    from scipy.io import mmwrite

    if store.kind not in SYMMETRIES:
        raise ValueError(f"{path}: Matrix Market has no {store.kind} matrices: write .npy or .npz")
    if store.dtype.kind not in "biufc" or (store.dtype.itemsize < 4 and store.dtype.kind == "f"):
        raise TypeError(f"{path}: Matrix Market has no {store.dtype}: write .npy or .npz, or astype first")
    symmetry = SYMMETRIES[store.kind]
    with atomic(path) as file:
        if to == "dense":
            column = _lower_columns(store, threads)[:, np.newaxis]
            mmwrite(_SquareHeader(file, store.n, symmetry), column, symmetry="general")
        else:
            mmwrite(file, _lower_entries(store, to, threads), symmetry=symmetry)


def _sizes(line: bytes, content: str, path: Path, number: int) -> list[int]:
    """Read rows, columns and, of coordinates, entries: no more than can be there, so memory is safe."""
    sizes = [int(word) if word.isdigit() and len(word) < 20 else -1 for word in line.split()]
    if len(sizes) != (2 if content == "array" else 3) or min(sizes) < 0:
        form = "rows columns" if content == "array" else "rows columns entries"
        text = line.decode("latin-1").strip()
        raise FileFormatError(f"says the size '{text}', and '{form}' fits", path, line=number)
    count, size = (sizes[0] * sizes[1] if content == "array" else sizes[2]), path.stat().st_size
    if count > size:
        raise FileFormatError(f"says {count:,} numbers, and has {size:,} bytes", path, line=number)
    return sizes


def _dense(
    file: BinaryIO, lines: list[bytes], sizes: list[int], field: str, kind: str | None, path: Path
) -> Packed | Array:
    """Read a matrix, or the columns of the lower triangle of a symmetric one as one column."""
    n, columns = sizes
    layout = STRICT if kind == "skew" else as_layout("vech")
    if kind is not None:
        if n != columns or (kind == "skew" and n == 0):
            text = f"is {kind} and has the size {n} x {columns}, which has no half"
            raise FileFormatError(text, path, line=len(lines) + 1)
        sizes = [layout.length(n), 1]
    if 0 in sizes and field in FIELDS:  # SciPy crashes
        array = np.zeros(sizes, FIELDS[field])
    else:
        array = _read(file, b"".join(lines) + b"%d %d\n" % tuple(sizes), path)
    return array if kind is None else Packed(array.reshape(-1), layout, kind=kind)


def _sparse_half(matrix: Any, symmetry: str, path: Path) -> SparseHalf:
    from scipy.sparse import csr_array

    if matrix.shape[0] != matrix.shape[1]:
        raise FileFormatError(f"is {symmetry} and has shape {matrix.shape}: no square matrix", path)
    strict = symmetry == "skew-symmetric"
    wrong = np.flatnonzero(matrix.col >= matrix.row if strict else matrix.col > matrix.row)
    if len(wrong):
        i, j = matrix.row[wrong[0]] + 1, matrix.col[wrong[0]] + 1
        raise FileFormatError(
            f"is {symmetry}, so it holds what lies below the diagonal{'' if strict else ' or on it'}, "
            f"and it has an entry at row {i}, column {j}",
            path,
        )
    rows = csr_array(matrix)
    rows.sum_duplicates()
    return SparseHalf(
        rows.indptr, rows.indices, rows.data, matrix.shape[0], triangle="lower", kind=KINDS[symmetry]
    )


def _read(file: BinaryIO, head: bytes, path: Path) -> Any:
    from scipy.io import mmread

    try:
        return mmread(_WithHead(file, head))
    except (ValueError, OverflowError) as error:
        found = re.match(r"Line (\d+): (.*)", str(error), re.DOTALL)
        if found:
            raise FileFormatError(found[2], path, line=int(found[1])) from error
        raise FileFormatError(str(error), path, byte=os.fstat(file.fileno()).st_size) from error


class _WithHead:
    """A file whose first lines, already read, are replaced."""

    def __init__(self, file: BinaryIO, head: bytes) -> None:
        self.file, self.head = file, head

    def read(self, size: int = -1) -> bytes:
        head, self.head = self.head, b""
        return head or self.file.read(size)


class _SquareHeader:
    """A file that gets the header of a square matrix for the three lines that mmwrite gives one column."""

    def __init__(self, file: BinaryIO, n: int, symmetry: str) -> None:
        self.file, self.n, self.symmetry, self.began = file, n, symmetry, b""

    def write(self, data: bytes) -> int:
        if self.n < 0:
            return self.file.write(data)
        self.began += data
        lines = self.began.split(b"\n", 3)
        if len(lines) == 4:
            banner = lines[0].replace(b"general", self.symmetry.encode())
            self.file.write(b"%s\n%%\n%d %d\n%s" % (banner, self.n, self.n, lines[3]))
            self.n = -1
        return len(data)


def _lower_columns(store: Store, threads: int | None) -> Array:
    """Give the numbers of the lower triangle by columns: true values, native byte order."""
    packed = store.to_packed() if isinstance(store, SparseHalf) else cast(Packed, store)
    target = STRICT if store.kind == "skew" else as_layout("vech")
    half = convert(packed.half, packed.layout, target, kind=store.kind, threads=threads)
    return half.astype(half.dtype.newbyteorder("="), copy=False)


def _lower_entries(store: Store, to: str, threads: int | None) -> Any:
    """Give the lower triangle with its diagonal, if it may have one, as COO in the order of CSR or CSC."""
    from scipy.sparse import tril

    lower = store.to_coo(part="lower", threads=threads)
    if store.kind == "skew":
        if np.any(lower.diagonal()):
            i = int(np.flatnonzero(lower.diagonal())[0])
            raise ValueError(
                f"a skew matrix has the number {lower.diagonal()[i]} at ({i}, {i}) of its diagonal"
            )
        lower = tril(lower, -1)
    return (lower.tocsc() if to == "csc" else lower.tocsr()).tocoo()
