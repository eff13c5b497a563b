"""Matrix Market `.mtx` through SciPy: the lower half with its symmetry named, as entries or as a dense array.

SciPy expands what a file calls symmetric. Here the header that SciPy sees is changed to "general", and for
dense content to one column: so the half goes in and out as it is, without n x n memory.

SciPy's reader skips what follows the numbers it expects in a line, and crashes where a file ends so: every line
is checked before it gets there.
"""

import os
import re
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from vech.arrays import Array
from vech.dialects import as_layout
from vech.io.files import FileFormatError, atomic
from vech.io.panels import Progress
from vech.io.symmetric import check_rows
from vech.layout import Layout
from vech.moves import convert
from vech.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

HOLDS: tuple[str, ...] = ("csr", "csc", "dense")
KINDS = {"symmetric": "symmetric", "hermitian": "hermitian", "skew-symmetric": "skew"}
SYMMETRIES = {kind: symmetry for symmetry, kind in KINDS.items()}
STRICT = Layout("lower", "columns", diagonal="zero")


class Word(NamedTuple):
    """What stands in a line: its name, an example, and a pattern of its shape."""

    name: str
    example: str
    pattern: bytes


NUMBER = rb"-?(?:0\.?0?|\.0)(?:e[-+]?0)?|-?(?:nan|inf|infinity)"
ROW, COLUMN, REAL = Word("row", "2", b"0"), Word("column", "1", b"0"), Word("number", "-1.5e3", NUMBER)
FIELDS: dict[str, tuple[str, tuple[Word, ...]]] = {
    "real": ("f8", (REAL,)),
    "double": ("f8", (REAL,)),
    "integer": ("i8", (Word("integer", "-3", b"-?0"),)),
    "unsigned-integer": ("u8", (Word("natural", "3", b"0"),)),
    "complex": ("c16", (Word("real", "1.5", NUMBER), Word("imaginary", "-2e3", NUMBER))),
    "pattern": ("f8", ()),
}

PIECE = 1 << 18
"""Bytes read and checked in one go, and the rest of their last line."""

QUOTED = 60
"""Letters of a wrong line that its error shows."""


def load(path: Path, dtype: np.dtype[Any] | None, n: int | None) -> Packed | SparseHalf | Any:
    """Load the half of a symmetric file, or the whole matrix of a general one; coordinates are sparse."""
    with path.open("rb") as file:
        lines = [file.readline(256)]
        words = lines[0].decode("latin-1").lower().split()
        if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
            raise FileFormatError("does not begin with '%%MatrixMarket matrix ...'", path, line=1)
        if words[3] not in FIELDS:
            *fields, last = FIELDS
            raise FileFormatError(
                f"says the field '{words[3]}': {', '.join(fields)} or {last} fits", path, line=1
            )
        kind = KINDS.get(words[4])
        if kind is not None:
            lines[0] = " ".join(["%%MatrixMarket", *words[1:4], "general"]).encode() + b"\n"
        while (line := file.readline()).startswith(b"%") or (line and not line.strip()):
            lines.append(line)
        sizes = _sizes(line, words[2], path, len(lines) + 1)
        if words[2] == "array":
            return _dense(file, lines, sizes, words[3], kind, path)
        size = b"%d %d %d\n" % tuple(sizes)
        matrix = _read(_Lines(file, [*lines, size], (ROW, COLUMN, *FIELDS[words[3]][1]), path))
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
    dtype, words = FIELDS[field]
    if 0 in sizes and words:  # SciPy crashes
        if any(line.strip() for line in file):
            text = "says there are no numbers, and more lines follow: cut them off"
            raise FileFormatError(text, path, line=len(lines) + 1)
        array = np.zeros(sizes, dtype)
    else:
        array = _read(_Lines(file, [*lines, b"%d %d\n" % tuple(sizes)], words, path))
    return array if kind is None else Packed(array.reshape(-1), layout, kind=kind)


def _sparse_half(matrix: Any, symmetry: str, path: Path) -> SparseHalf:
    from scipy.sparse import csr_array

    if matrix.shape[0] != matrix.shape[1]:
        raise FileFormatError(f"is {symmetry} and has shape {matrix.shape}: no square matrix", path)
    check_rows(matrix.shape[0])
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


def _read(lines: "_Lines") -> Any:
    from scipy.io import mmread

    try:
        return mmread(lines)
    except FileFormatError:
        raise
    except (ValueError, OverflowError) as error:
        found = re.match(r"Line (\d+): (.*)", str(error), re.DOTALL)
        if found:
            raise FileFormatError(found[2], lines.path, line=int(found[1])) from error
        raise FileFormatError(str(error), lines.path, byte=os.fstat(lines.file.fileno()).st_size) from error


class _Lines:
    """A file whose first lines, already read, are replaced, and whose other lines are blank or some words."""

    def __init__(self, file: BinaryIO, head: list[bytes], words: tuple[Word, ...], path: Path) -> None:
        self.file, self.head, self.words, self.path = file, b"".join(head), words, path
        self.line = len(head) + 1
        patterns = b" +".join(b"(?:%s)" % word.pattern for word in words)
        self.fits = re.compile(rb" *(?:%s)? *\r?" % patterns, re.IGNORECASE).fullmatch

    def read(self, size: int = -1) -> bytes:
        head, self.head = self.head, b""
        return head or self._checked(self.file.read(PIECE) + self.file.readline())

    def _checked(self, lines: bytes) -> bytes:
        """Take lines of which each fits; to know it, look at each shape once, and there are few."""
        if lines and not lines.endswith(b"\n"):
            lines += b"\n"  # SciPy reads beyond the end of a file without it
        shapes = _shapes(lines)
        if not all(map(self.fits, set(shapes))):
            k = next(k for k, shape in enumerate(shapes) if not self.fits(shape))
            text = lines.split(b"\n")[k].decode("latin-1").strip(" \t\r")
            text = text if len(text) <= QUOTED else text[:QUOTED] + "..."
            names = " ".join(word.name for word in self.words)
            example = " ".join(word.example for word in self.words)
            raise FileFormatError(
                f"holds {text!r}, and '{names}' fits, for example '{example}'", self.path, line=self.line + k
            )
        self.line += len(shapes) - 1
        return lines


def _shapes(lines: bytes) -> list[bytes]:
    """Give each line with one 0 for every run of digits, and blanks for tabs."""
    text = np.frombuffer(bytearray(lines).translate(bytes.maketrans(b"\t123456789", b" 000000000")), np.uint8)
    zero = text == ord("0")
    text[1:] += (zero[1:] & zero[:-1]).view(np.uint8)  # a 1 is a 0 that follows another
    return text.tobytes().translate(None, b"1").split(b"\n")


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
