"""The cells of a table in text: what stands between two of them, and what one holds.

`core/table.cpp` reads plain lines by the same rules, and leaves every line in which it finds something else.
"""

import csv
import math
import re
from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from vech.frames import EXACT_INTEGERS, rounded_integer

MISSING = (
    "", ".", "NA", "N/A", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaN", "+NaN", "-NaN", "null", "None",
    "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip
"""What a cell without a number says, in any case of letters: R, pandas, SAS, Excel, SQL, JSON, Visual C."""

SEPARATORS = ("\t", ";", "|", ",")
"""What is looked for between cells, the first that fits; then blanks."""

BLANK = " "
"""The separator of which any number, spaces or tabs, may stand between cells and at the ends of a line."""

SHOWN = 40
"""Letters of a wrong cell that its error shows."""

SAMPLE = 100
"""Lines from which the separator is seen."""


class Record(NamedTuple):
    """The cells of a line, or of several where one cell is quoted and has more, and where it begins."""

    line: int
    cells: list[str]


ALMOST = re.compile(r"(?:nan|inf(?:inity)?)(?![a-z])", re.IGNORECASE)
"""How what C and other languages print begins, such as nan(ind)."""


class Rules(NamedTuple):
    """How cells are read: the mark before decimals, words for missing numbers, and numbers that mean it."""

    decimal: str
    words: frozenset[str]
    numbers: frozenset[float]
    pattern: re.Pattern[str]

    @property
    def plain_words(self) -> list[str]:
        """The words that `core/table.cpp` knows."""
        return [word for word in self.words if word.isascii()]

    def number(self, cell: str) -> float | None:
        """The nearest double; NaN where the number is missing, None where `fault` says what it is."""
        text = cell.strip(" \t")
        if text.lower() in self.words:
            return math.nan
        if self.pattern.fullmatch(text) is None:
            return None
        plain = text.replace(self.decimal, ".")
        value = float(plain)
        if not -EXACT_INTEGERS < value < EXACT_INTEGERS and _is_another(plain, value):
            return None
        return math.nan if value in self.numbers else value

    def fault(self, cell: str) -> str:
        """What a cell holds of which `number` makes None."""
        text = cell.strip(" \t")
        if self.pattern.fullmatch(text) is None:
            hint = ""
            other = "," if self.decimal == "." else "."
            if rules(other).number(text) is not None:
                hint = f" unless decimal={other!r}"
            return f"{shown(cell)}, which is no number{hint}"
        plain = text.replace(self.decimal, ".")
        if _whole(plain):
            return rounded_integer(_cut(plain.partition(".")[0]))
        return f"{shown(cell)}, which is beyond float64: write it in another unit"

    def is_number(self, cell: str) -> bool:
        """Whether a cell looks like a number, missing ones aside."""
        text = cell.strip(" \t")
        return text.lower() not in self.words and self.pattern.fullmatch(text) is not None


def is_word(cell: str) -> bool:
    """Whether a cell that is no number can be nothing but a name: not 0x10, 12a, 2.5e- or nan(1)."""
    text = cell.strip()
    return text[:1].isalpha() and ALMOST.match(text) is None


def rules(decimal: str = ".", na: str | Collection[str] = ()) -> Rules:
    """The rules for this decimal mark, "." or ",", and words in `na` beside MISSING; else ValueError.

    A word that is a number means that number, however it is written: "-999" and -999.00.
    """
    return _rules(decimal, (na,) if isinstance(na, str) else tuple(na))


@lru_cache(maxsize=32)
def _rules(decimal: str, na: tuple[str, ...]) -> Rules:
    if decimal not in (".", ","):
        raise ValueError(f"decimal={decimal!r} is no decimal mark: '.' or ',' fits")
    mark = re.escape(decimal)
    pattern = re.compile(
        rf"[+-]?(?:(?:\d++{mark}?\d*+|{mark}\d++)(?:e[+-]?\d++)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE
    )
    words, numbers = set(map(str.lower, MISSING)), set()
    for word in na:
        if not isinstance(word, str):
            raise TypeError(f"na={word!r} is no text: say na=['-999']")
        word = word.strip(" \t")
        if pattern.fullmatch(word):
            numbers.add(float(word.replace(decimal, ".")))
        else:
            words.add(word.lower())
    return Rules(decimal, frozenset(words), frozenset(numbers), pattern)


def _whole(plain: str) -> bool:
    """Whether a number is written as an integer, or as one with nothing but zeros behind the point."""
    whole, _, rest = plain.partition(".")
    return whole.lstrip("+-").isdigit() and not rest.strip("0")


def _is_another(plain: str, value: float) -> bool:
    """Whether a large number is an integer that float64 may not tell apart, or beyond float64."""
    if not _whole(plain):
        return math.isinf(value) and plain[-1].isdigit()
    exact = Decimal(plain)
    return abs(exact) > EXACT_INTEGERS and ("." not in plain or exact != Decimal(value))


def separator(lines: Iterable[str], decimal: str = ".", sep: str | None = None) -> str:
    """What separates the cells of these lines, seen from the first of them; or `sep`, if it can.

    "," where there is one cell a line. ValueError where several separators could be meant.
    """
    if sep is not None:
        return checked_separator(sep)
    head = [line for line in islice(lines, SAMPLE) if line.strip(" \t\r\n")]
    if not head:
        return ","
    quoted = '"' in head[0]  # then so are numbers with a decimal comma between commas
    found = [mark for mark in SEPARATORS if (mark != decimal or quoted) and _width(head[0], mark) > 1]
    if len(found) > 1:
        fitting = [mark for mark in found if len({_width(line, mark) for line in head}) == 1]
        if not fitting:
            marks = " or ".join(map(repr, found))
            raise ValueError(f"has cells separated by {marks}: say which by sep= (--sep)")
        found = fitting
    if found:
        return found[0]
    width = _width(head[0], BLANK)
    below = _width(head[1], BLANK) if len(head) > 1 else 0
    plain = rules(decimal)
    if width > 1 and (below in (width, width + 1) or all(map(plain.is_number, head[0].split()))):
        return BLANK
    return "," if decimal != "," else ";"


def checked_separator(sep: str) -> str:
    """The letter that `sep` means; ValueError for what separates no cells."""
    mark = {"\\t": "\t"}.get(sep, sep)
    if len(mark) != 1 or not mark.isascii() or mark in '\r\n\0"' or mark.isalnum() or mark in "+-.":
        raise ValueError(
            f"sep={sep!r} cannot separate cells: one letter such as ',', ';', '\\t' or '|' fits, and ' ' "
            "for any blanks"
        )
    return mark


def _width(line: str, sep: str) -> int:
    """How many cells a line has; quotes that do not close are left to who reads it."""
    try:
        return len(next(split([line], sep), ()))
    except csv.Error:
        return 1


def split(lines: Iterable[str], sep: str) -> Iterator[list[str]]:
    """The cells of lines with their ends; a quoted cell may have several. csv.Error for bad quotes."""
    if sep == BLANK:
        lines = (line.replace("\t", " ").rstrip() + "\n" for line in lines)
    return csv.reader(lines, delimiter=sep, skipinitialspace=True, strict=True)


def quote_fault(error: csv.Error) -> str:
    """Say in our words what the reader of the standard library says."""
    reason = str(error)
    if "unexpected end" in reason:
        reason = "begins a quoted cell that does not end"
    elif "field larger" in reason:
        reason = f"has a cell of more than {csv.field_size_limit():,} letters"
    elif "expected after" in reason:
        reason = "has letters behind the quote that ends a cell"
    return f"{reason}: see whether a quote is missing here"


def quoted(label: str, sep: str) -> str:
    """A label as a cell that gives it back, in quotes where it needs them; "#" may begin a comment."""
    odd = {sep, '"', "\n", "\r", "\t" if sep == BLANK else sep}
    plain = not (set(label) & odd or label.startswith("#"))
    return label if plain else '"' + label.replace('"', '""') + '"'


def shown(cell: str) -> str:
    """A cell in a message: its beginning, if it is long."""
    return repr(_cut(cell))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."
