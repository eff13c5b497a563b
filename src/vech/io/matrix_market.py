"""Matrix Market `.mtx`, also gzipped: the lower half with its symmetry named, as entries or a dense array.

Entries are read by the core, dense arrays and whatever is written through SciPy, which expands what a file
calls symmetric. Here the header that SciPy sees is changed to "general" and to one column: so the half goes
in and out as it is, without n x n memory.

SciPy's reader skips what follows the numbers it expects in a line, and crashes where a file ends so: every
line of an array is checked before it gets there.
"""

import math
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Unpack

import numpy as np

from vech import _core
from vech.arrays import INT32_MAX, Array
from vech.io.content import Abilities, Content, odd_diagonal, odd_entry
from vech.io.drafts import atomic
from vech.io.errors import FileFormatError
from vech.io.gz import largest, packed, unpacked
from vech.io.panels import How
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout
from vech.moves.nonzeros import refuse_wrapped
from vech.packed.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

CAN = Abilities(expand=("csr", "csc", "dense"), write=("dense", "sparse"))
KINDS = {"symmetric": "symmetric", "hermitian": "hermitian", "skew-symmetric": "skew"}
SYMMETRIES = {kind: symmetry for symmetry, kind in KINDS.items()}
STRICT = Layout("lower", "columns", diagonal="zero")


class Word(NamedTuple):
    """What stands in a line: its name, an example, and a pattern of its shape."""

    name: str
    example: str
    pattern: bytes


class Kind(NamedTuple):
    """What a field holds: the dtype, the words of a number, and what the core calls it."""

    dtype: str
    words: tuple[Word, ...]
    core: str


NUMBER = rb"-?(?:0\.?0?|\.0)(?:e[-+]?0)?|-?(?:nan|inf|infinity)"
ROW, COLUMN, REAL = Word("row", "2", b"0"), Word("column", "1", b"0"), Word("number", "-1.5e3", NUMBER)
FIELDS: dict[str, Kind] = {
    "real": Kind("f8", (REAL,), "real"),
    "double": Kind("f8", (REAL,), "real"),
    "integer": Kind("i8", (Word("integer", "-3", b"-?0"),), "integer"),
    "unsigned-integer": Kind("u8", (Word("natural", "3", b"0"),), "natural"),
    "complex": Kind("c16", (Word("real", "1.5", NUMBER), Word("imaginary", "-2e3", NUMBER)), "complex"),
    "pattern": Kind("f8", (), "pattern"),
}

NEGATIVE_ZERO = re.compile(rb"-(?<![0-9.e]-)(?:0+\.?0*|\.0+)(?:e[-+]?[0-9]+)?(?=\s|$)", re.IGNORECASE)

PIECE = 1 << 18
"""Bytes read and checked in one go, and the rest of their last line."""

MANY_ROWS = 8
"""So many for each entry, and most of them are empty."""

NEWLINE = b"\n"
QUOTED = 60
"""Letters of a wrong line that its error shows."""


def load(path: Path) -> Content:
    """Load the half of a symmetric file, or the whole matrix of a general one; coordinates are sparse."""
    with unpacked(path) as file:
        banner, passed = file.readline(256), 1
        words = banner.decode("latin-1").lower().split()
        if len(words) != 5 or words[:2] != ["%%matrixmarket", "matrix"]:
            raise FileFormatError("does not begin with '%%MatrixMarket matrix ...'", path, line=1)
        known = {"content": ("array", "coordinate"), "field": tuple(FIELDS), "symmetry": ("general", *KINDS)}
        for (what, (*choices, last)), word in zip(known.items(), words[2:], strict=True):
            if word not in (*choices, last):
                text = f"says the {what} '{word}': {', '.join(choices)} or {last} fits"
                raise FileFormatError(text, path, line=1)
        kind = KINDS.get(words[4])
        if kind is not None:
            banner = " ".join(["%%MatrixMarket", *words[1:4], "general"]).encode() + b"\n"
        while (line := file.readline()).startswith(b"%") or (line and not line.strip()):
            passed += 1
        sizes = _sizes(line, words[2:], path, passed + 1)
        begins = _Begins(file, file.tell(), passed + 2, path)
        if words[2] == "array":
            return _dense(banner, begins, sizes, words[3], kind)
        matrix = _coordinates(file, sizes, words[3], path)
        _refuse_beyond(matrix.data, begins)
        if kind is None:
            return Content.of_sparse(matrix)
        return Content.of_store(_sparse_half(matrix, words[4], begins))


def write(path: Path, store: Store, *, overwrite: bool = True) -> None:
    """Write the lower half: a Packed as a dense array, a SparseHalf as coordinates."""
    expand(path, store, "csr" if store.describe().triangle else "dense", overwrite=overwrite)


def write_to(target: str | os.PathLike[str] | BinaryIO, store: Store) -> None:
    """Write the lower half as coordinates, to a path in one step, or to an open binary file."""
    if isinstance(target, str | os.PathLike):
        expand(Path(target), store, "csr")
    else:
        _check(store)
        _write(target, store, "csr", None)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the lower half with its symmetry named, which every reader of Matrix Market expands."""
    _check(store, f"{path}: ")
    with atomic(path, overwrite) as draft, packed(draft, path) as file:
        _write(file, store, to, how.get("threads"))


def _check(store: Store, where: str = "") -> None:
    if store.kind not in SYMMETRIES:
        raise ValueError(f"{where}Matrix Market has no {store.kind} matrices: write .npy or .npz")
    if store.dtype.kind not in "biufc" or (store.dtype.itemsize < 4 and store.dtype.kind == "f"):
        raise TypeError(f"{where}Matrix Market has no {store.dtype}: write .npy or .npz, or astype first")


def _write(file: BinaryIO, store: Store, to: str, threads: int | None) -> None:
    from scipy.io import mmwrite

    symmetry = SYMMETRIES[store.kind]
    dense = to == "dense"
    lower = _lower_columns(store, threads)[:, np.newaxis] if dense else _lower_entries(store, to, threads)
    if lower.size == 0:
        _write_empty(file, "array" if dense else "coordinate", store, symmetry)
    elif dense:
        mmwrite(_SquareHeader(file, store.n, symmetry), lower, symmetry="general")
    else:
        mmwrite(file, lower, symmetry=symmetry)


def _write_empty(file: BinaryIO, content: str, store: Store, symmetry: str) -> None:
    """A matrix without numbers: SciPy calls complex ones real, or never comes to an end (1.13)."""
    field = {"c": "complex", "f": "real"}.get(store.dtype.kind, "integer")
    field = "unsigned-integer" if store.dtype == np.uint64 else field
    sizes = f"{store.n} {store.n}" + ("" if content == "array" else " 0")
    file.write(f"%%MatrixMarket matrix {content} {field} {symmetry}\n%\n{sizes}\n".encode())


def _sizes(line: bytes, words: list[str], path: Path, number: int) -> list[int]:
    """Read rows, columns and, of coordinates, entries: no more than can be there, so memory is safe."""
    content, field, symmetry = words
    sizes = [int(word) if word.isdigit() and len(word) < 20 else -1 for word in line.split()]
    if (
        len(sizes) != (2 if content == "array" else 3)
        or min(sizes) < 0
        or max(sizes) > np.iinfo(np.int64).max
    ):
        form = "rows columns" if content == "array" else "rows columns entries"
        raise FileFormatError(
            f"says the size {_quoted(line.rstrip(NEWLINE))}, and '{form}' fits", path, line=number
        )
    rows, columns = sizes[:2]
    if content == "coordinate":
        count, places = sizes[2], 2
    elif symmetry == "general" or rows != columns:
        count, places = rows * columns, 0
    else:
        count, places = rows * (rows - 1 if symmetry == "skew-symmetric" else rows + 1) // 2, 0
    size, shortest = largest(path), 2 * (places + len(FIELDS[field].words))  # a digit and a blank or an end
    if shortest * count - 1 > size:
        raise FileFormatError(f"says {count:,} numbers, and has {size:,} bytes", path, line=number)
    return sizes


def _dense(banner: bytes, begins: "_Begins", sizes: list[int], field: str, kind: str | None) -> Content:
    """Read a matrix, or the columns of the lower triangle of a symmetric one as one column."""
    file, _, line, path = begins
    n, columns = sizes
    layout = STRICT if kind == "skew" else as_layout("vech")
    if kind is not None:
        if n != columns or (kind == "skew" and n == 0):
            text = f"is {kind} and has the size {n} x {columns}, which has no half"
            raise FileFormatError(text, path, line=line - 1)
        sizes = [layout.length(n), 1]
    dtype, words, _ = FIELDS[field]
    if 0 in sizes and words:  # SciPy crashes
        if any(text.strip() for text in file):
            text = "says there are no numbers, and more lines follow: cut them off"
            raise FileFormatError(text, path, line=line - 1)
        array = np.zeros(sizes, dtype)
    else:
        array = _read(_Lines(banner + b"%d %d\n" % tuple(sizes), begins, words))
        _sign_zeros(array, begins)
    _refuse_beyond(array.ravel("F"), begins)
    if kind is None:
        return Content.of_array(array)
    half = array.reshape(-1)
    if (odd := _odd_place(half, layout, n, kind)) is not None:
        i, k = odd
        raise FileFormatError(odd_diagonal(kind, half[k], i), path, line=begins.line_of(k))
    return Content.of_store(Packed(half, layout, kind=kind))


def _sign_zeros(array: Array, begins: "_Begins") -> None:
    """Give zeros the sign that SciPy, which adds numbers to zeros, has dropped."""
    if array.dtype.kind not in "fc" or np.all(array.ravel("K").view("f8")):
        return
    begins.file.seek(begins.offset)
    if any(NEGATIVE_ZERO.search(piece.tobytes()) for _, piece in _pieces(begins.file)):
        begins.file.seek(begins.offset)
        entries, numbers = (line for line in begins.file if line.strip()), array.T.flat
        for k, line in enumerate(entries):
            if b"-" in line and NEGATIVE_ZERO.search(line):
                words = [float(word) for word in line.split()]
                numbers[k] = complex(*words) if len(words) > 1 else words[0]


def _odd_place(half: Array, layout: AnyLayout, n: int, kind: str) -> tuple[int, int] | None:
    """The first i, and where it is in the half, whose number on the diagonal the kind has not there."""
    if layout.diagonal != "stored":
        return None
    i = np.arange(n)
    at = layout.position(i, i, n)
    odd = odd_entry(i, i, half[at], kind)
    return None if odd is None else (odd, int(at[odd]))


def _refuse_beyond(numbers: Array, begins: "_Begins") -> None:
    """Refuse infinite numbers that are not written as such: what float64 does not hold."""
    infinite = np.flatnonzero(np.isinf(numbers)).tolist()
    for line, text in begins.lines_of(infinite):
        for word in text.split():
            if word[-1:].isdigit() and math.isinf(float(word)):
                said = f"holds {_quoted(text.rstrip(NEWLINE))}, which is beyond float64"
                raise FileFormatError(f"{said}: write it in another unit", begins.path, line=line)


def _coordinates(file: BinaryIO, sizes: list[int], field: str, path: Path) -> Any:
    """Read entries as they stand, from where the file is, into a COO array."""
    from scipy.sparse import coo_array

    n_rows, n_columns, count = sizes
    dtype, words, core = FIELDS[field]
    index = np.int32 if max(n_rows, n_columns) <= INT32_MAX else np.int64
    rows, columns = np.empty(count, index), np.empty(count, index)
    numbers = np.empty(count, dtype) if words else None
    read = 0
    for begins, piece in _pieces(file):
        found, at, fault = _core.read_entries(piece, core, n_rows, n_columns, rows, columns, numbers, read)
        read += found
        if fault:
            text = bytes(piece[at : at + 2 * QUOTED]).split(NEWLINE, 1)[0]
            raise FileFormatError(_fault(fault, text, words, sizes), path, line=_line(file, begins + at))
    if read < count:
        raise FileFormatError(f"says {count:,} entries, and ends after {read:,}", path, byte=file.tell())
    values = np.ones(count, dtype) if numbers is None else numbers
    return coo_array((values, (rows, columns)), shape=(n_rows, n_columns))


def _pieces(file: BinaryIO) -> Iterator[tuple[int, Array]]:
    """Whole lines, from where the file is to its end, and where they begin.

    Read and not mapped: a map of a file that gets shorter meanwhile ends the process.
    """
    start = file.tell()
    while lines := file.read(PIECE) + file.readline():
        yield start, np.frombuffer(lines if lines.endswith(NEWLINE) else lines + NEWLINE, np.uint8)
        start += len(lines)


def _line(file: BinaryIO, offset: int) -> int:
    """The number of the line that begins there."""
    file.seek(0)
    line = 1
    for left in range(offset, 0, -PIECE):
        line += file.read(min(left, PIECE)).count(NEWLINE)
    return line


def _fault(fault: str, line: bytes, words: tuple[Word, ...], sizes: list[int]) -> str:
    n_rows, n_columns, count = sizes
    if fault == "place":
        return f"holds {_quoted(line)}, and rows are 1 to {n_rows}, columns 1 to {n_columns}"
    if fault == "size":
        return f"holds {_quoted(line)}, which 64 bits do not hold: write the file as real"
    if fault == "room":
        return f"holds {_quoted(line)}, one entry more than the {count:,} that the file says"
    return f"holds {_quoted(line)}, and {_fitting((ROW, COLUMN, *words))}"


def _quoted(line: bytes) -> str:
    text = line.decode("latin-1").strip(" \t\r")
    return repr(text if len(text) <= QUOTED else text[:QUOTED] + "...")


def _fitting(words: tuple[Word, ...]) -> str:
    names, examples = " ".join(word.name for word in words), " ".join(word.example for word in words)
    return f"'{names}' fits, for example '{examples}'"


class _Begins(NamedTuple):
    """Where the entries of a file begin: the offset, and the line."""

    file: BinaryIO
    offset: int
    line: int
    path: Path

    def line_of(self, entry: int) -> int:
        """The line of an entry."""
        return next(self.lines_of([entry]))[0]

    def lines_of(self, entries: list[int]) -> Iterator[tuple[int, bytes]]:
        """The lines of some entries, in ascending order, and what they hold: blank ones have none."""
        self.file.seek(self.offset)
        filled = ((number, text) for number, text in enumerate(self.file, self.line) if text.strip())
        passed = -1
        for entry in entries:
            yield next(islice(filled, entry - passed - 1, None))
            passed = entry


def _sparse_half(matrix: Any, symmetry: str, begins: _Begins) -> SparseHalf:
    if matrix.shape[0] != matrix.shape[1]:
        text = f"is {symmetry} and has shape {matrix.shape}: no square matrix"
        raise FileFormatError(text, begins.path, line=begins.line - 1)
    strict = symmetry == "skew-symmetric"
    wrong = np.flatnonzero(matrix.col >= matrix.row if strict else matrix.col > matrix.row)
    if len(wrong):
        i, j = matrix.row[wrong[0]] + 1, matrix.col[wrong[0]] + 1
        raise FileFormatError(
            f"is {symmetry}, so it holds what lies below the diagonal{'' if strict else ' or on it'}, "
            f"and it has an entry at row {i}, column {j}",
            begins.path,
            line=begins.line_of(int(wrong[0])),
        )
    n, kind = matrix.shape[0], KINDS[symmetry]
    if (odd := odd_entry(matrix.row, matrix.col, matrix.data, kind)) is not None:
        said = odd_diagonal(kind, matrix.data[odd], int(matrix.row[odd]))
        raise FileFormatError(said, begins.path, line=begins.line_of(odd))
    try:
        return _summed(matrix, n, kind)
    except OverflowError as error:
        raise FileFormatError(f"holds integers of which {error}", begins.path) from error


def _summed(matrix: Any, n: int, kind: str) -> SparseHalf:
    """The store of a lower triangle, entries at one place summed."""
    if n > MANY_ROWS * max(1, matrix.nnz):
        return SparseHalf.from_coo(matrix.row, matrix.col, matrix.data, n, kind=kind, use="lower")
    rows = matrix.tocsr()  # the other way looks at all numbers again: reading takes a tenth longer
    if rows.dtype.kind in "iu" and rows.nnz < matrix.nnz:
        refuse_wrapped(rows.data, matrix.astype(float).tocsr().data)
    return SparseHalf(rows.indptr, rows.indices, rows.data, n, triangle="lower", kind=kind)


def _read(lines: "_Lines") -> Any:
    from scipy.io import mmread

    try:
        return mmread(lines)
    except FileFormatError:
        raise
    except (ValueError, OverflowError) as error:
        found = re.match(r"Line (\d+): (.*)", str(error), re.DOTALL)
        if found:
            line = int(found[1]) + lines.passed
            raise FileFormatError(found[2], lines.path, line=line) from error
        raise FileFormatError(str(error), lines.path, byte=lines.file.tell()) from error


class _Lines:
    """A file that begins with `head`, not the lines already read; others are blank or some words."""

    def __init__(self, head: bytes, begins: _Begins, words: tuple[Word, ...]) -> None:
        self.file, _, self.line, self.path = begins
        self.head, self.words, self.passed = head, words, self.line - 1 - head.count(NEWLINE)
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
            text = f"holds {_quoted(lines.split(NEWLINE)[k])}, and {_fitting(self.words)}"
            raise FileFormatError(text, self.path, line=self.line + k)
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
    layout = STRICT if store.kind == "skew" else as_layout("vech")
    half: Array = store.to_packed(layout, threads=threads).half
    if (odd := _odd_place(half, layout, store.n, store.kind)) is not None:
        raise ValueError(odd_diagonal(store.kind, half[odd[1]], odd[0]))
    return half.astype(half.dtype.newbyteorder("="), copy=False)


def _lower_entries(store: Store, to: str, threads: int | None) -> Any:
    """Give the lower triangle with its diagonal, if it may have one, as COO in the order of CSR or CSC."""
    from scipy.sparse import coo_array

    lower = store.to_coo(part="lower", threads=threads)
    rows, columns, data = lower.row, lower.col, lower.data
    if store.kind == "skew":
        off = rows != columns
        if (wrong := np.flatnonzero(~off & (data != 0))).size:
            i = rows[wrong[0]]
            raise ValueError(f"a skew matrix has the number {data[wrong[0]]} at ({i}, {i}) of its diagonal")
        rows, columns, data = rows[off], columns[off], data[off]
    if (odd := odd_entry(rows, columns, data, store.kind)) is not None:
        raise ValueError(odd_diagonal(store.kind, data[odd], int(rows[odd])))
    if to == "csc":
        order = np.lexsort((rows, columns))
        rows, columns, data = rows[order], columns[order], data[order]
    return coo_array((data, (rows, columns)), shape=store.shape)
