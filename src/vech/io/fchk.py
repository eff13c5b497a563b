"""Formatted checkpoint files of Gaussian: those of their arrays that are lower triangles by rows."""

import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from vech.arrays import Array
from vech.io.content import Abilities, Content, parted
from vech.io.errors import FileFormatError
from vech.layouts.layout import Layout
from vech.packed.packed import Packed

CAN = Abilities(write=())

ROWS = Layout("lower", "rows")
HEAD = re.compile(
    r"(?P<name>.{40})   (?P<type>[IRCHL])(?:   N= *(?P<count>\d{1,12})| +(?P<value>\S.*?))\s*", re.ASCII
)
ACROSS = 5
"""Real numbers in a line, 16 letters each."""

WIDTH = 16
LINE = 200
SIDES = {"Number of basis functions": (1, "Density|Matrix"), "Number of atoms": (3, "Force Constants")}
"""What says the side of triangles: how often (an atom has x, y and z), and how their names end."""


class Found(NamedTuple):
    """An array of real numbers: how many, the line of its name, and where its numbers begin."""

    size: int
    line: int
    begins: int


def load(path: Path) -> Content:
    """Load the triangle that is named behind "::", or the only one."""
    file_path, wanted = parted(path)
    with file_path.open("rb") as file:
        triangles = _triangles(file, file_path)
        if not wanted and len(triangles) == 1:
            [wanted] = triangles
        if wanted not in triangles:
            listed = ", ".join(repr(f"{file_path.name}::{name}") for name in triangles) or "none"
            said = "holds more than one matrix" if not wanted else f"has no triangle {wanted!r}"
            if not triangles:
                said = "holds no lower triangle"
            raise FileFormatError(f"{said}: there are {listed}", file_path)
        found = triangles[wanted]
        file.seek(found.begins)
        half = _numbers(file, found, file_path)
    return Content.of_store(Packed(half, ROWS))


def _triangles(file: BinaryIO, path: Path) -> dict[str, Found]:
    """The lower triangles by name: real arrays of the names and the lengths of one."""
    arrays: dict[str, Found] = {}
    lengths: dict[str, int] = {}
    size = path.stat().st_size
    line = 0
    while text := file.readline(LINE):
        line += 1
        head = HEAD.fullmatch(text.decode("latin-1"))
        if head is None or line < 3:
            continue
        name = head["name"].rstrip()
        if head["count"] is None:
            if name in SIDES:
                if not re.fullmatch(r"\d{1,9}", head["value"], re.ASCII):
                    raise FileFormatError(f"says {name} {head['value']!r}", path, line)
                times, ends = SIDES[name]
                lengths[ends] = ROWS.length(times * int(head["value"]))
            continue
        count = int(head["count"])
        if head["type"] != "R":
            continue
        if name in arrays:
            raise FileFormatError(f"has {name!r} twice", path, line)
        if count * WIDTH > size - file.tell():
            raise FileFormatError(f"says {count:,} numbers of {name!r}, and ends before", path, line)
        arrays[name] = Found(count, line, file.tell())
        for _ in range(-(-count // ACROSS)):
            file.readline(LINE)
            line += 1
    if not lengths:
        raise FileFormatError("says no 'Number of basis functions', as formatted checkpoint files do", path)
    return {
        name: found
        for name, found in arrays.items()
        if any(re.search(f"(?:{ends})$", name) and found.size == length for ends, length in lengths.items())
    }


def _numbers(file: BinaryIO, found: Found, path: Path) -> Array:
    half = np.empty(found.size)
    for at in range(0, found.size, ACROSS):
        text = file.readline(LINE).decode("latin-1").rstrip()
        count = min(ACROSS, found.size - at)
        try:
            half[at : at + count] = [_real(text[k : k + WIDTH]) for k in range(0, len(text), WIDTH)]
        except ValueError:
            line = found.line + 1 + at // ACROSS
            raise FileFormatError(
                f"{text[:90]!r} is not {count} numbers of {WIDTH} letters", path, line
            ) from None
        if np.isinf(half[at : at + count]).any():
            line = found.line + 1 + at // ACROSS
            raise FileFormatError(f"holds a number beyond float64 in {text[:90]!r}", path, line)
    return half


def _real(word: str) -> float:
    """A number as Fortran writes it, 1.0-100 with three digits of exponent included."""
    found = re.fullmatch(r" *([+-]?\d*\.\d*)(?:[ED]?([+-]?\d{1,3}))?", word, re.ASCII)
    if found is None:
        raise ValueError
    return float(f"{found[1]}e{found[2] or 0}")  # infinite where float64 does not hold it
