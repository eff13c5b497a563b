"""FCIDUMP: the integrals of molecular orbitals that are not zero, in lines: value i j k l, from 1.

Of real orbitals, i j 0 0 is the symmetric matrix `h1e` of one electron, and (ij|kl) that of
`eri`, over pairs of orbitals, in the order 11, 21, 22, 31, ...: by rows it is PySCF's of 8-fold symmetry.
"""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vech.arrays import Array
from vech.io.content import Abilities, Content, parted
from vech.io.errors import FileFormatError
from vech.sparse import SparseHalf

CAN = Abilities(write=(), pipes=True)

PARTS = {"h1e": "of one electron, orbitals by orbitals", "eri": "(ij|kl), pairs of orbitals by pairs"}
CHUNK = 1 << 16
"""Lines that become numbers in one go."""

LINE, HEAD = 1000, 1 << 24
"""Letters of a line, and of the header, at most: ORBSYM has a number for each orbital."""

MOST = 92_681
"""Orbitals at most: their pairs are the sides of a matrix, which has 32 bits of them."""

SAME = 1e-9
"""How far two listings of an integral may be apart, in parts of the largest: each was transformed alone."""

NUMBERS = b"0123456789+-.EeDd \t\r\n"


def load(path: Path) -> Content:
    """Load the matrix that is named behind "::"."""
    file_path, part = parted(path)
    part = part.lstrip("/")
    with file_path.open("rb") as file:
        if part not in PARTS:
            said = f"has no {part!r}" if part else "holds more than one matrix"
            choices = " or ".join(f"{file_path.name}::{name} ({what})" for name, what in PARTS.items())
            raise FileFormatError(f"{said}: say {choices}", file_path)
        orbitals, line = _header(file, file_path)
        entries = _entries(file, part, orbitals, line, file_path)
    n = orbitals if part == "h1e" else orbitals * (orbitals + 1) // 2
    rows, columns, values = _each_once(*entries, file_path)
    return Content.of_store(SparseHalf.from_coo(rows, columns, values, n, use="lower"))


def _header(file: BinaryIO, path: Path) -> tuple[int, int]:
    """The number of orbitals, and how many lines the header has."""
    text = ""
    for line in range(1, HEAD):
        more = file.readline(HEAD).decode("latin-1").upper()
        text += more
        if line == 1 and not re.match(r"\s*[&$]FCI\b", more):
            raise FileFormatError("does not begin with &FCI", path, line)
        if re.search(r"[&$]END|/\s*$", more):
            break
        if not more or len(text) > HEAD:
            raise FileFormatError("has a header without an end, &END or /", path, line)
    found = re.search(r"\bNORB\s*=\s*(\d{1,10})\b", text, re.ASCII)
    if found is None or not 0 < int(found[1]) <= MOST:
        raise FileFormatError(f"says no NORB= from 1 to {MOST:,}, the number of orbitals", path, line)
    if re.search(r"\bI?UHF\s*=\s*(?:\.T|T|[1-9])", text):
        raise FileFormatError("has integrals of two spins (UHF), of which vech reads none", path, line)
    return int(found[1]), line


def _entries(file: BinaryIO, part: str, orbitals: int, line: int, path: Path) -> tuple[Array, Array, Array]:
    """The rows, columns and values of a part, as they are listed."""
    found: list[tuple[Array, Array, Array]] = [(np.empty(0, "i8"), np.empty(0, "i8"), np.empty(0))]
    for first, values, indices in _chunks(file, line + 1, path):
        wrong = (indices < 0) | (indices > orbitals)
        empty = indices == 0
        pattern = empty @ [8, 4, 2, 1]  # i j k l, i j 0 0, the energy of an orbital, that of the core
        wrong |= ~np.isin(pattern, (0, 3, 7, 15))[:, None]
        if wrong.any():
            at = int(np.argmax(wrong.any(axis=1)))
            raise FileFormatError(
                f"has the indices {' '.join(map(str, indices[at]))}: "
                f"four from 1 to {orbitals:,}, two and 0 0, one and "
                "0 0 0, or 0 0 0 0 fit",
                path,
                first + at,
            )
        chosen = pattern == (3 if part == "h1e" else 0)
        i, j, k, l = indices[chosen].T
        rows, columns = (i - 1, j - 1) if part == "h1e" else (_pairs(i, j), _pairs(k, l))
        found.append((rows, columns, values[chosen]))
    rows, columns, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, columns, values


def _chunks(file: BinaryIO, line: int, path: Path) -> Iterator[tuple[int, Array, Array]]:
    """The number of their first line, values and indices of some lines; blank ones may be at the end."""
    while lines := list(islice(iter(lambda: file.readline(LINE), b""), CHUNK)):
        rows = [text.split() for text in lines]
        while rows and not rows[-1]:
            rows.pop()
        try:
            if any(len(row) != 5 for row in rows) or b"".join(lines).translate(None, NUMBERS):
                raise ValueError
            indices = np.array([list(map(int, row[1:])) for row in rows], "i8").reshape(-1, 4)
            values = np.array([_real(row[0]) for row in rows])
        except (ValueError, OverflowError):
            raise _fault(rows, line, path) from None
        if not np.isfinite(values).all():
            at = int(np.argmin(np.isfinite(values)))
            shown = rows[at][0].decode()
            raise FileFormatError(f"holds {shown}, which is beyond float64", path, line + at)
        yield line, values, indices
        line += len(lines)


def _real(word: bytes) -> float:
    return float(word.replace(b"D", b"E").replace(b"d", b"e"))


def _fault(rows: list[list[bytes]], line: int, path: Path) -> FileFormatError:
    """Say which line is wrong."""
    shape = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EeDd][+-]?\d+)?(?: \d{1,10}){4}")
    for at, row in enumerate(rows):  # noqa: B007
        if not shape.fullmatch(b" ".join(row)):
            break
    text = b" ".join(row).decode("latin-1")
    if text.startswith("("):
        return FileFormatError(
            f"{text[:60]!r} is complex, and integrals of real orbitals are read", path, line + at
        )
    return FileFormatError(f"{text[:60]!r} is not a number and four indices", path, line + at)


def _pairs(i: Array, j: Array) -> Array:
    """Which pair i, j is, in any order."""
    larger, smaller = np.maximum(i, j) - 1, np.minimum(i, j) - 1
    return np.asarray(larger * (larger + 1) // 2 + smaller)


def _each_once(rows: Array, columns: Array, values: Array, path: Path) -> tuple[Array, Array, Array]:
    """The lower triangle, each place once: as files may list both, that of the lower triangle is kept."""
    upper = rows < columns
    rows, columns = np.maximum(rows, columns), np.minimum(rows, columns)
    order = np.lexsort((upper, columns, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    again = (np.diff(rows) == 0) & (np.diff(columns) == 0)
    tolerance = SAME * np.abs(values).max(initial=0)
    if np.any(unlike := again & (np.abs(np.diff(values)) > tolerance)):
        at = int(np.argmax(unlike))
        raise FileFormatError(f"says both {values[at]} and {values[at + 1]} of one integral", path)
    kept = np.concatenate(([True], ~again))[: values.size]
    return rows[kept], columns[kept], values[kept]
