"""Which columns of a table are numbers, which one labels its rows, and which are left out."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from vech.io.errors import FileFormatError

Drop = str | int | Collection[str | int]

DATES = ("raise", "drop")

_DAY = (
    r"(?:\d{4}([-/.])\d{1,2}(?:\1\d{1,2})?|\d{1,2}([-/.])\d{1,2}\2\d{2,4}"
    r"|\d{1,2}[- ][a-z]{3,9}[- ]\d{2,4}|[a-z]{3,9} \d{1,2},? \d{4})"
)
_TIME = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)? ?(?:[ap]m)?(?:z| ?utc| ?[-+]\d\d:?\d\d)?"
DATE = re.compile(rf"{_DAY}(?:[t ]{_TIME})?|{_TIME}|\d{{4}}-?q[1-4]|\d{{4}}-?w\d\d", re.ASCII | re.IGNORECASE)
"""A day, month, quarter, week or time, as far as no number looks like it."""


class Wanted(NamedTuple):
    """What is wanted of a table: columns by name, or by number from 0."""

    drop: tuple[str | int, ...]
    label: str | int | bool | None
    dates: str


class Columns(NamedTuple):
    """Columns by their numbers: those with the numbers, the one with labels of rows, and those with dates."""

    numbers: tuple[int, ...]
    label: int | None
    dates: tuple[int, ...]


def wanted(drop: Drop, index: str | int | bool | None, dates: str) -> Wanted:
    """What a user says of columns, checked as far as it can be without a table."""
    if dates not in DATES:
        raise ValueError(f"dates={dates!r} is none of {', '.join(map(repr, DATES))}")
    if index is True or not isinstance(index, str | int | None):
        raise TypeError(f"index={index!r} is no column: say its name, its number from 0, or False for none")
    named = (drop,) if isinstance(drop, str | int) else tuple(drop)
    if any(isinstance(name, bool) or not isinstance(name, str | int) for name in named):
        raise TypeError(f"drop={drop!r} names no columns: say their names, or their numbers from 0")
    return Wanted(named, index, dates)


def choose(names: Sequence[str], want: Wanted, path: Path, *, label: int | None = None) -> Columns:
    """The columns that are wanted of these; `label` is that of the file, where nobody says another.

    Columns of dates are for who has seen them: here there are none.
    """
    drop = {k for name in want.drop for k in _places(name, names, "drop", path)}
    if want.label is False:
        label = None
    elif want.label is not None:
        label, *more = _places(want.label, names, "have as index", path)
        if more:
            raise FileFormatError(f"has the column {want.label!r} {len(more) + 1} times", path)
    if label in drop:
        label = None
    numbers = tuple(k for k in range(len(names)) if k not in drop and k != label)
    if not numbers:
        raise FileFormatError("has no column left", path)
    named = [names[k] for k in numbers if names[k]]
    if len(set(named)) < len(named):
        twice = ", ".join(repr(name) for name in dict.fromkeys(named) if named.count(name) > 1)
        raise FileFormatError(f"has more than one column {twice}: rename all but one of them", path)
    return Columns(numbers, label, ())


def _places(name: str | int, names: Sequence[str], what: str, path: Path) -> list[int]:
    """The columns of this name, or the one of this number, also where that is text and names none."""
    if isinstance(name, str) and name not in names and name.isascii() and name.isdecimal():
        name = int(name)
    if isinstance(name, int):
        if 0 <= name < len(names):
            return [name]
        raise FileFormatError(f"has no column {name} to {what}: it has 0 to {len(names) - 1}", path)
    found = [k for k, other in enumerate(names) if other == name]
    if not found:
        few = ", ".join(map(repr, names[:6])) + (", ..." if len(names) > 6 else "")
        raise FileFormatError(f"has no column {name!r} to {what}: it has {few}", path)
    return found


def no_number(name: str, holds: str, *, date: bool = False, first: bool = False) -> str:
    """What is wrong with a column that holds no numbers, and what to do about it."""
    ways = f"leave it out by drop={name!r} (--drop {name!r})"
    if date:
        ways += ", all dates by dates='drop' (--dates drop)"
    if date or first:
        ways += f", or make it labels of rows by index={name!r} (--index {name!r})"
    return f"column {name!r} holds {holds}: {ways}"
