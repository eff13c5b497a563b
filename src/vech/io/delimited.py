"""Tables in text, .csv and its kin: what separates cells, whether a line names the columns, and the rows.

Lines of numbers are read by `core/table.cpp`. Where it stops, at anything else, the one line is read here, by
the rules of `cells`: so they are written once, and only what is odd is slow.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vech import _core
from vech.arrays import Array
from vech.io.cells import BLANK, SAMPLE, Record, Rules, is_word, quote_fault, rules, separator, shown, split
from vech.io.columns import DATE, Columns, Wanted, choose, no_number
from vech.io.errors import FileFormatError
from vech.io.gz import LONGEST
from vech.io.lines import Lines, parts, refuse_zeros
from vech.io.number_lines import LABEL, NUMBER, PASSED, WORD

QUOTE = re.compile(r'(?:^|[ ,;|\t])"')
"""Where a quoted cell may begin, as long as nobody knows what separates cells."""


ENOUGH = 3
"""Lines that tell how a table is written: of very long ones the first piece of a file has fewer."""

COMMENTS = ("#", "%", "//")


class Form(NamedTuple):
    """How a table is written, as far as a user says it."""

    sep: str | None = None
    decimal: str = "."
    header: bool | None = None
    comment: str | None = None
    na: tuple[str, ...] = ()


class Reader:
    """Rows out of text, from the first to the last.

    Attributes
    ----------
    names : list of str
        Of all columns: their numbers where they have no names.
    labels : tuple of str or None
        The names of the columns of numbers.
    columns : Columns
        Which these are.
    found : int
        Rows read so far.
    """

    def __init__(self, lines: Lines, form: Form, want: Wanted, threads: int) -> None:
        self.lines, self.path, self.threads = lines, lines.path, threads
        self.rules = rules(form.decimal, form.na)
        self.comment, self.found = _comment(form.comment), 0
        sample = self._sample(form)
        head = sample[0]
        self.doubtful, named = _is_named(head, sample[1:], form.header, self.rules, self.path)
        self.names = (
            [cell.strip() for cell in head.cells] if named else list(map(str, range(len(head.cells))))
        )
        body = sample[1:] if named else sample
        label = self._label(head, body, named, want)
        self.columns = choose(self.names, want, self.path, label=label)
        dates = tuple(k for k in self.columns.numbers if self._holds_dates(k, body))
        if want.dates == "drop" and dates:
            numbers = tuple(k for k in self.columns.numbers if k not in dates)
            if not numbers:
                raise FileFormatError("has no column left beside dates", self.path)
            self.columns = Columns(numbers, self.columns.label, dates)
        nameless = [k for k in self.columns.numbers if not self.names[k]]
        if nameless:
            raise FileFormatError(
                f"column {nameless[0]} has no name: say index={nameless[0]} (--index {nameless[0]}) if it "
                "labels the rows, or leave it out by drop='' (--drop '')",
                self.path,
                head.line,
            )
        self.labels = tuple(self.names[k] for k in self.columns.numbers) if named else None
        self.kinds = np.full(len(self.names), PASSED, np.uint8)
        self.kinds[list(self.columns.numbers)] = NUMBER
        self.kinds[list(self.columns.dates)] = WORD
        if self.columns.label is not None:
            self.kinds[self.columns.label] = LABEL
        if named:
            self.record()

    def rows(self, out: Array, index: list[str]) -> int:
        """Read rows into `out` until it is full or the piece ends, and their labels into `index`."""
        lines, count, threads, places = self.lines, 0, self.threads, None
        if self.columns.label is not None:
            places = np.empty((len(out), 2), np.int64)
        while count < len(out) and lines.left:
            piece = lines.piece
            if lines.whole:
                found, passed, lines.at = _core.read_table(
                    np.frombuffer(piece, np.uint8), lines.at, self.kinds, self.sep, self.rules.decimal,
                    self.comment, self.rules.plain_words, csv.field_size_limit(), out[count:],
                    None if places is None else places[count:], threads,
                )  # fmt: skip
                lines.line += passed
                if places is not None:
                    index += (_text(piece[a:b]) for a, b in places[count : count + found].tolist())
                count += found
            if count < len(out) and lines.left and (record := self.record()) is not None:
                out[count] = self._row(record, index)
                count += 1
            threads = 1  # of lines behind an odd one, read by others, the next may be odd again
        self.finish(out[:count])
        self.found += count
        return count

    def record(self) -> Record | None:
        """The next record; None at the end of the file, or where a blank line or a comment ends the piece."""
        while (line := self.lines.next()) is not None:
            begins = self.lines.line
            if self._is_passed(line):
                if not self.lines.left:
                    return None
                continue
            try:
                return Record(begins, next(split(chain([line], iter(self.lines.next, None)), self.sep)))
            except csv.Error as error:
                raise FileFormatError(quote_fault(error), self.path, begins) from None
        return None

    @property
    def width(self) -> int:
        """How many columns of numbers there are."""
        return len(self.columns.numbers)

    def _is_passed(self, line: str) -> bool:
        bare = line.strip(" \r\n" if self.sep == "\t" else " \t\r\n")
        return not bare or (self.comment != "" and bare.startswith(self.comment))

    def check(self, record: Record) -> None:
        """FileFormatError for a record that has not a cell for each column."""
        if len(record.cells) != len(self.names):
            raise FileFormatError(self._ragged(len(record.cells)), self.path, record.line)

    # -------------------------------------------------------------- the first lines

    def _sample(self, form: Form) -> list[Record]:
        """The first records, which are read again; here the separator is seen."""
        while self.lines.fill():
            self.sep = "\t"  # the lines that are passed with it are with all
            logical = list(islice(self._logical(), SAMPLE))
            while 0 < len(logical) < ENOUGH and self._is_short() and self.lines.widen():
                logical = list(islice(self._logical(), SAMPLE))
            if logical:
                try:
                    self.sep = separator((text for _, text in logical), form.decimal, form.sep)
                except ValueError as error:
                    if form.sep is not None:
                        raise
                    raise FileFormatError(str(error), self.path, logical[0][0]) from None
                found = list(self._records(logical))
                if found:
                    return found
            self.lines.line += self.lines.count()
            self.lines.at = len(self.lines.piece)
        raise FileFormatError("is empty", self.path)

    def _is_short(self) -> bool:
        return self.lines.count() < SAMPLE and len(self.lines.piece) < LONGEST

    def _logical(self) -> Iterator[tuple[int, str]]:
        """The lines of the piece, those joined in which a quote is open; and the number of each."""
        number, begins, joined, opened = self.lines.line, 0, list[str](), False
        for line in _physical(self.lines.piece):
            number += 1
            if not opened:
                if self._is_passed(line):
                    continue
                begins, joined = number, []
            joined.append(line)
            if line.count('"') % 2 and (opened or QUOTE.search(line)):
                opened = not opened
            if not opened:
                yield begins, "".join(joined)
        if opened:
            yield begins, "".join(joined)

    def _records(self, logical: Sequence[tuple[int, str]]) -> Iterator[Record]:
        for number, text in logical:
            if self._is_passed(text):
                continue
            try:
                yield Record(number, next(split([text], self.sep)))
            except csv.Error as error:
                if number == logical[0][0]:
                    raise FileFormatError(quote_fault(error), self.path, number) from None
                return

    def _label(self, head: Record, body: Sequence[Record], named: bool, want: Wanted) -> int | None:
        """The column that labels the rows, where the file leaves no doubt of it."""
        longer = named and bool(body) and len(body[0].cells) == len(self.names) + 1
        if longer and (
            (want.label in (0, "0") and want.label is not False) or (self.sep == BLANK and want.label is None)
        ):
            self.names = ["", *self.names]  # as R writes it
            return 0
        if not named or self.names[0] or "" in want.drop or "" in self.names[1:]:
            return None
        cells = [record.cells[0].strip() for record in body if record.cells]
        if any(map(self.rules.is_number, cells)) and not (
            all(map(str.isdecimal, cells)) and len(set(cells)) == len(cells)
        ):
            return None
        return 0

    def _holds_dates(self, column: int, body: Sequence[Record]) -> bool:
        cells = (record.cells[column] for record in body if column < len(record.cells))
        first = next((cell for cell in cells if not self.is_missing(cell)), "")
        return self.is_date(first)

    def is_missing(self, cell: str) -> bool:
        """Whether it says that a number, or a name, is missing."""
        return cell.strip(" \t").lower() in self.rules.words

    def is_date(self, cell: str) -> bool:
        """Whether it looks like a date, and not like a number."""
        return DATE.fullmatch(cell.strip()) is not None and not self.rules.is_number(cell)

    # -------------------------------------------------------------- one odd line

    def _row(self, record: Record, index: list[str]) -> list[float]:
        line, cells = record
        self.check(record)
        for k in self.columns.dates:
            if not (self.is_missing(cells[k]) or self.is_date(cells[k])):
                raise FileFormatError(
                    f"column {self.names[k]!r} holds {shown(cells[k])} among dates: leave it out by "
                    f"drop={self.names[k]!r} (--drop {self.names[k]!r})",
                    self.path,
                    line,
                )
        row = []
        for k in self.columns.numbers:
            number = self.rules.number(cells[k])
            if number is None:
                date = self.is_date(cells[k])
                holds = f"{shown(cells[k])}, which is a date" if date else self.rules.fault(cells[k])
                if self.rules.is_number(cells[k]):
                    raise FileFormatError(f"column {self.names[k]!r} holds {holds}", self.path, line)
                fault = no_number(self.names[k], holds, date=date, first=k == 0)
                raise FileFormatError(fault, self.path, line)
            row.append(number)
        if self.columns.label is not None:
            index.append(cells[self.columns.label].strip())
        return row

    def _ragged(self, count: int) -> str:
        hint = ""
        if self.names[0].startswith(COMMENTS) and not self.comment:
            hint = f": if the first line is a comment, say comment={self.names[0][0]!r}"
        elif count == len(self.names) + 1 and self.labels is not None and not self.found:
            hint = ": if the first one labels the row, say index=0 (--index 0)"
        cells, columns = (
            f"{k} {what}{'s' * (k != 1)}" for k, what in ((count, "cell"), (len(self.names), "column"))
        )
        return f"has {cells}, and there {'is' if len(self.names) == 1 else 'are'} {columns}{hint}"

    def finish(self, numbers: Array) -> None:
        """Judge numbers: which mean a missing one, and whether the first line was one of names."""
        for number in self.rules.numbers:
            numbers[numbers == number] = np.nan
        if self.doubtful and bool((np.isfinite(numbers) & (numbers != np.rint(numbers))).any()):
            raise doubt(self.path, self.doubtful)


def _physical(piece: bytes) -> Iterator[str]:
    begins = 0
    while begins < len(piece):
        end = piece.index(b"\n", begins) + 1
        yield from parts(piece[begins:end].decode())
        begins = end


def doubt(path: Path, line: int, how: str = "by different integers above other numbers") -> FileFormatError:
    """The error about a first line of numbers that may be names."""
    return FileFormatError(
        f"may name the columns, {how}: say header=True (--header), or header=False (--no-header) if it is "
        "data",
        path,
        line,
    )


def _comment(comment: str | None) -> str:
    if comment is None:
        return ""
    if (
        not isinstance(comment, str)
        or not comment.strip()
        or not comment.isascii()
        or set(comment) & set("\r\n\0")
    ):
        raise ValueError(f"comment={comment!r} begins no line: '#', '%' or '//' fits")
    return comment.strip()


def _text(cell: bytes) -> str:
    """The label in a cell, quoted or not."""
    text = cell.decode()
    return (text[1:-1].replace('""', '"') if text.startswith('"') else text).strip()


def _is_named(
    head: Record, body: Sequence[Record], header: bool | None, plain: Rules, path: Path
) -> tuple[int, bool]:
    """The line that is in doubt, or 0; and whether the first one names the columns.

    FileFormatError where that must be said.
    """
    line, cells = head
    refuse_zeros("".join(cells), path, line)
    if header is not None:
        return 0, header
    numbers = [cell.strip() for cell in cells if plain.is_number(cell)]
    others = [cell for cell in cells if plain.number(cell) is None and not plain.is_number(cell)]
    if not others:
        may_be_names = (
            bool(numbers) and len(set(numbers)) == len(numbers) and all(map(str.isdecimal, numbers))
        )
        if _count_on(cells, body):
            raise doubt(path, line)
        if len(cells) > 1 and not cells[0].strip() and all(map(str.strip, cells[1:])):
            raise doubt(path, line, "by numbers behind an empty cell")
        return line if may_be_names else 0, False
    other = rules("," if plain.decimal == "." else ".")
    if all(map(other.is_number, others)):
        raise FileFormatError(
            f"holds {plain.fault(others[0])}: say header=True (--header) if these are names", path, line
        )
    digits = [cell for cell in numbers if any(map(str.isdigit, cell))]
    odd = [cell for cell in others if not is_word(cell)]
    if digits and (odd or not all(map(str.isdecimal, digits))):
        raise FileFormatError(
            f"holds numbers beside {shown((odd or others)[0])}: say header=True (--header) if these are "
            "names, or header=False (--no-header) if it is data",
            path,
            line,
        )
    return 0, True


def _count_on(cells: Sequence[str], body: Sequence[Record]) -> bool:
    """Whether cells count 2019, 2020, 2021, as names do, and the next line does not go on with that."""
    if len(cells) < 3 or not body or not all(cell.strip().isdecimal() and len(cell) < 16 for cell in cells):
        return False
    first = int(cells[0])
    return [int(cell) for cell in cells] == list(range(first, first + len(cells))) and (
        body[0].cells[0].strip() != str(first + len(cells))
    )
