"""Harwell-Boeing and Rutherford-Boeing: the columns of a sparse matrix, in fields of fixed width.

SciPy's hb_read takes unsymmetric real matrices alone, and numbers with blanks between them. Most files of
both formats hold the lower triangle of a symmetric matrix, and their numbers are told apart by their width.
"""

import math
import re
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Unpack

import numpy as np

from vech.arrays import INT32_MAX, Array
from vech.io.content import Abilities, Content, odd_diagonal, odd_entry
from vech.io.drafts import atomic
from vech.io.errors import FileFormatError
from vech.io.panels import How
from vech.layouts.dialects import as_layout
from vech.moves.nonzeros import sparse_dtype
from vech.packed.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

CAN = Abilities(expand=("csc",), write=("dense", "sparse"))

KINDS = {"S": "symmetric", "H": "hermitian", "Z": "skew", "U": "general"}
LETTERS = {kind: letter for letter, kind in KINDS.items()}
FORMAT = re.compile(
    r"\((?:\d{1,2}P,?)?(?P<count>\d{0,3})(?P<letter>[IEDFG])(?P<width>\d{1,3})(?:\.\d{1,3}(?:E\d{1,2})?)?\)",
    re.ASCII,
)
LINE = 300
"""Letters of a line that are read, where both formats have 80."""

OF_INTEGERS, OF_NUMBERS = b"0123456789+- ", b"0123456789+-.EeDd nNaAiIfFtTyY"
"""The letters of numbers; Python's own take 1_000 too."""


class Fields(NamedTuple):
    """So many fields of so many letters in a line."""

    each: int
    width: int


class Header(NamedTuple):
    """What the first lines say."""

    type: str
    n: int
    entries: int
    lines: tuple[int, ...]
    fields: tuple[Fields, ...]
    begins: int


def load(path: Path) -> Content:
    """Load the half of a symmetric file, or the whole matrix of an unsymmetric one."""
    with path.open("rb") as file:
        header = _header(file, path)
        pointers, rows, values = _parts(file, header, path)
    n, kind = header.n, KINDS[header.type[1]]
    if pointers[0] != 1 or pointers[-1] != header.entries + 1 or np.any(np.diff(pointers) < 0):
        raise FileFormatError(f"has pointers that do not ascend from 1 to {header.entries + 1:,}", path)
    if rows.size and not 1 <= rows.min() <= rows.max() <= n:
        raise FileFormatError(f"has rows {rows.min():,} to {rows.max():,}, and there are {n:,}", path)
    columns = np.repeat(np.arange(n), np.diff(pointers))
    rows -= 1
    if kind == "general":
        from scipy.sparse import coo_array

        return Content.of_sparse(coo_array((values, (rows, columns)), shape=(n, n)).tocsc())
    if np.any(wrong := rows < columns):
        at = int(np.argmax(wrong))
        raise FileFormatError(
            f"is {kind}, so holds the lower triangle, and has an entry in row {rows[at] + 1:,}, "
            f"column {columns[at] + 1:,}",
            path,
        )
    if (odd := odd_entry(rows, columns, values, kind)) is not None:
        raise FileFormatError(odd_diagonal(kind, values[odd], int(rows[odd])), path)
    return Content.of_store(SparseHalf.from_coo(rows, columns, values, n, kind=kind, use="lower"))


def write(path: Path, store: Packed | SparseHalf, *, overwrite: bool = True) -> None:
    """Write the lower triangle in Harwell-Boeing format, its symmetry named."""
    if store.kind not in LETTERS:
        raise ValueError(f"{path}: Harwell-Boeing has no name for {store.kind}: write .npz")
    lower = _lower(store)
    if (odd := odd_entry(lower.row, lower.col, lower.data, store.kind)) is not None:
        raise ValueError(f"{path}: {odd_diagonal(store.kind, lower.data[odd], int(lower.row[odd]))}")
    _write(path, lower.tocsc(), LETTERS[store.kind], overwrite)


def _lower(store: Packed | SparseHalf) -> Any:
    """The entries of the lower triangle, those of a dense half that are -0.0 among them."""
    if isinstance(store, SparseHalf):
        return store.to_csc(part="lower").tocoo()
    from scipy.sparse import coo_array

    half = store.to_packed("vech").half
    half = half.astype(sparse_dtype(half.dtype), copy=False)
    kept = np.flatnonzero(half.view(np.uint8).reshape(-1, half.itemsize).any(axis=1))
    return coo_array((half[kept], as_layout("vech").pair(kept, store.n)), shape=store.shape)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the whole matrix as an unsymmetric one."""
    _write(path, store.to_csc(threads=how.get("threads")), LETTERS["general"], overwrite)


def _header(file: BinaryIO, path: Path) -> Header:
    lines = [file.readline(LINE).decode("latin-1").rstrip("\r\n") for _ in range(4)]

    def number(line: int, at: int) -> int:
        text = lines[line - 1][14 * at : 14 * (at + 1)]
        if not re.fullmatch(r" *\d{1,14} *", text, re.ASCII):
            raise FileFormatError(
                f"has {text!r} where a count stands in columns {14 * at + 1} to {14 * at + 14}", path, line
            )
        return int(text)

    counts = tuple(number(2, at) for at in (1, 2, 3))
    kind = lines[2][:3].upper()
    if not re.fullmatch("[RCIP][SHZU]A", kind):
        raise FileFormatError(
            f"says the type {lines[2][:3]!r}: R, C, I or P (pattern), then S, H, Z or U, then A (assembled) "
            "fit",
            path,
            3,
        )
    rows, columns, entries = (number(3, at) for at in (1, 2, 3))
    if rows != columns:
        raise FileFormatError(f"is {rows:,} x {columns:,}, and a square matrix was wanted", path, 3)
    size = path.stat().st_size
    if max(columns, entries, *counts) > size:
        raise FileFormatError(
            f"has {size:,} bytes, and says {columns:,} columns and {entries:,} entries", path, 3
        )
    texts = [lines[3][:16], lines[3][16:32], lines[3][32:52]][: 2 if kind[0] == "P" else 3]
    fields = tuple(_fields(text, "IEDFG" if at == 2 else "I", path) for at, text in enumerate(texts))
    begins = 5
    if lines[1][56:70].strip() and number(2, 4):  # lines of right-hand sides, behind the matrix
        file.readline(LINE)
        begins = 6
    return Header(kind, columns, entries, counts, fields, begins)


def _fields(text: str, letters: str, path: Path) -> Fields:
    found = FORMAT.fullmatch(re.sub(r"\s", "", text).upper())
    count, width = (int(found["count"] or 1), int(found["width"])) if found else (0, 0)
    if not found or found["letter"] not in letters or not count or not width or count * width > LINE - 2:
        raise FileFormatError(f"has the format {text!r}: one like (16I5) or (3E25.16) fits", path, 4)
    return Fields(count, width)


def _parts(file: BinaryIO, header: Header, path: Path) -> tuple[Array, Array, Array]:
    """The pointers, rows and values, each in lines of its own."""
    each = 2 if header.type[0] == "C" else 1
    sizes = (header.n + 1, header.entries, header.entries * each)
    line = header.begins
    parts = []
    for at, fields in enumerate(header.fields):
        whole = at < 2 or header.type[0] == "I"
        parts.append(_numbers(file, fields, sizes[at], whole, line, path))
        needed = -(-sizes[at] // fields.each)
        if header.lines[at] != needed:
            raise FileFormatError(
                f"says {header.lines[at]:,} lines where {sizes[at]:,} numbers take {needed:,}", path, 2
            )
        line += needed
    pointers, rows, *values = parts
    if not values:
        return pointers, rows, np.ones(header.entries)
    return pointers, rows, values[0].view("c16") if each == 2 else values[0]


def _numbers(file: BinaryIO, fields: Fields, size: int, whole: bool, line: int, path: Path) -> Array:
    """Read numbers in fields of a width, a line after the other; blanks behind the last need not be there."""
    long = fields.each * fields.width
    dtype, allowed, what = ("i8", OF_INTEGERS, "an integer") if whole else ("f8", OF_NUMBERS, "a number")
    found = np.empty(size, dtype)
    for at in range(0, size, fields.each):
        text = file.readline(LINE).rstrip(b"\r\n")
        count = min(fields.each, size - at)
        words = [text[k : k + fields.width] for k in range(0, count * fields.width, fields.width)]
        try:
            if text.translate(None, allowed) or len(text.rstrip()) > long:
                raise ValueError
            numbers = [
                int(word) if whole else float(word.replace(b"D", b"E").replace(b"d", b"e")) for word in words
            ]
            found[at : at + count] = numbers
        except (ValueError, OverflowError):
            shown = text[:60].decode("latin-1")
            raise FileFormatError(
                f"{shown!r} is not {count} times {what} in {fields.width} letters",
                path,
                line + at // fields.each,
            ) from None
        for word, number in zip(words, numbers, strict=True):
            if not whole and math.isinf(number) and word.rstrip()[-1:].isdigit():
                shown = word.decode().strip()
                raise FileFormatError(
                    f"holds {shown}, which is beyond float64", path, line + at // fields.each
                )
    return found


def _write(path: Path, matrix: Any, structure: str, overwrite: bool) -> None:
    matrix.sort_indices()
    kind = matrix.dtype.kind
    if kind not in "iufc" or matrix.dtype.itemsize > (16 if kind == "c" else 8):
        raise TypeError(
            f"{path}: holds integers, real and complex numbers, and this is {matrix.dtype}: S.astype('f8')"
        )
    if kind == "u" and matrix.nnz and matrix.data.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{path}: integers of more than 63 bits are not read again: write .npz")
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{path}: Harwell-Boeing has no NaN and no infinity: write .npz")
    values = matrix.data.view(f"f{matrix.dtype.itemsize // 2}") if kind == "c" else matrix.data
    whole = kind in "iu"
    parts = [
        (matrix.indptr + 1, 5, 14, "I14", "d"),
        (matrix.indices.astype("i8") + 1, 8, 10, "I10", "d"),
        (values, 3, 25, "I25" if whole else "E25.16E3", "d" if whole else ".16E"),
    ]
    lines = [-(-part.size // count) for part, count, *_ in parts]
    letter = {"c": "C", "f": "R"}.get(kind, "I")
    n, entries = matrix.shape[0], matrix.nnz
    if n > INT32_MAX:
        raise ValueError(
            f"{path}: Harwell-Boeing has room for {INT32_MAX:,} rows, and this has {n:,}: write .npz"
        )
    head = [
        f"{'symmetric matrix, each number once' if structure != 'U' else 'whole matrix':<72}{'vech':<8}",
        "".join(f"{count:14d}" for count in (sum(lines), *lines, 0)),
        f"{letter}{structure}A{'':11}" + "".join(f"{count:14d}" for count in (n, n, entries, 0)),
        "".join(
            f"{f'({count}{form})':<{16 if at < 2 else 20}}" for at, (_, count, _, form, _) in enumerate(parts)
        ),
    ]
    with atomic(path, overwrite) as file:
        file.write("".join(f"{line}\n" for line in head).encode())
        for part, count, width, _, form in parts:
            for at in range(0, part.size, count):
                words = [format(number, f">{width}{form}") for number in part[at : at + count].tolist()]
                file.write("".join(words).encode() + b"\n")
