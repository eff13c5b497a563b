"""Rows of numbers out of a text: a square, or a triangle by rows, with its diagonal or without."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import Array, check_memory
from vech.io.content import Content
from vech.io.errors import TAKES_DATA, FileFormatError
from vech.layouts.layout import Layout
from vech.packed.packed import Packed

HOW = (
    "the rows of a square have as many each, those of a triangle one more or one less each; "
    "one row is one line"
)


class Rows:
    """Rows as they are read, each judged at once: so a text that is no matrix takes no more memory than one.

    Attributes
    ----------
    numbers, lines : list
        The numbers of each row, float64, and its line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers: list[Array] = []
        self.lines: list[int] = []
        self._empty: list[tuple[int, int]] = []
        self._total, self._checked = 0, 1 << 16

    def add(self, numbers: Array, line: int, empty: tuple[int, int] = (0, 0)) -> None:
        """Take the next row; `empty` counts the cells at its beginning and at its end in which nothing is."""
        before = [len(row) for row in self.numbers[-2:]]
        step = before[1] - before[0] if len(before) == 2 else len(numbers) - before[0] if before else 0
        if before and (abs(step) > 1 or len(numbers) != before[-1] + step):
            raise FileFormatError(
                f"has {_numbers(len(numbers))}, and line {self.lines[-1]} has {before[-1]:,}: {HOW}",
                self.path,
                line,
            )
        if len(before) == 2 and step == 0 and len(numbers) < len(self.numbers):
            raise FileFormatError(
                f"is row {len(self.numbers) + 1:,} of {_numbers(len(numbers))}: {_no_matrix()}",
                self.path,
                line,
            )
        self.numbers.append(numbers)
        self.lines.append(line)
        self._empty.append(empty)
        self._total += len(numbers)
        if self._total > self._checked:
            check_memory(24 * self._total, "its numbers, without an end that fits")
            self._checked = 2 * self._total

    @property
    def width(self) -> int:
        """The numbers of the first row."""
        return len(self.numbers[0]) if self.numbers else 0

    @property
    def rectangular(self) -> bool:
        """Whether all rows have as many."""
        return len(self.numbers) > 0 and len(self.numbers[-1]) == self.width

    def without_first(self) -> "Rows":
        """The rows without the first number of each."""
        return self._cut(1, 0)

    def without_last(self) -> "Rows":
        """The rows without the last number of each."""
        return self._cut(0, 1)

    def _cut(self, first: int, last: int) -> "Rows":
        rest = Rows(self.path)
        for numbers, line, (lead, trail) in zip(self.numbers, self.lines, self._empty, strict=True):
            kept = numbers[first : len(numbers) - last]
            empty = (max(0, min(lead - first, len(kept))), max(0, min(trail - last, len(kept))))
            rest.add(kept, line, empty)
        return rest

    @property
    def ends_empty(self) -> bool:
        """Whether the last cell of each row is empty."""
        return all(trail for _, trail in self._empty)

    def content(
        self, labels: Sequence[Any] | None = None, *, n: int | None = None, diagonal: str | None = None
    ) -> Content:
        """A matrix; `n`, `labels` or `diagonal` ("stored", "zero") tell whether the diagonal is there."""
        labels = None if labels is None else tuple(labels)
        n = n if labels is None else len(labels)
        if not self.numbers:
            raise FileFormatError("holds no numbers", self.path)
        if self.rectangular and (len(self.numbers) > 1 or self.width != 0):
            return self._square(labels, n)
        growing = len(self.numbers) > 1 and len(self.numbers[1]) > self.width
        edge = 0 if growing or len(self.numbers) == 1 else -1
        if (length := len(self.numbers[edge])) > 1:
            what = "first row of a lower" if growing else "last row of an upper"
            raise FileFormatError(
                f"has {_numbers(length)}, and the {what} triangle has one or none",
                self.path,
                self.lines[edge],
            )
        rows = len(self.numbers) + (length == 1 and self._is_strict(growing, n, diagonal))
        if n not in (None, rows):
            raise FileFormatError(f"has a triangle of {rows:,} rows, and {n:,} are named", self.path)
        strict = length == 0 or rows > len(self.numbers)
        layout = Layout("lower" if growing else "upper", "rows", diagonal="zero" if strict else "stored")
        return Content.of_store(Packed(np.concatenate(self.numbers), layout, labels=labels))

    def _square(self, labels: tuple[Any, ...] | None, n: int | None) -> Content:
        count = len(self.numbers)
        if labels is None and n is None and count != self.width and 1 in (count, self.width):
            return Content.of_array(np.concatenate(self.numbers))  # a half, one number a line or all in one
        if count != self.width:
            raise FileFormatError(
                f"begins with {count:,} row{'' if count == 1 else 's'} of {_numbers(self.width)}: "
                + _no_matrix(),
                self.path,
                self.lines[0],
            )
        if n not in (None, count):
            raise FileFormatError(f"has {count:,} rows, and {n:,} are named", self.path)
        check_memory(16 * count * count, "its full matrix")
        full = np.stack(self.numbers)
        layout = self._blank()
        if layout is None:
            return Content("full", full, labels, lines=self.lines)
        indices = (np.tril_indices if layout.triangle == "lower" else np.triu_indices)(
            count, {"lower": -1, "upper": 1}[layout.triangle] if layout.diagonal == "zero" else 0
        )
        return Content.of_store(Packed(full[indices], layout, labels=labels))

    def _blank(self) -> Layout | None:
        """The layout of a square of which one triangle is not filled in."""
        lead, trail = np.array(self._empty).T
        rows = np.arange(len(lead))
        for triangle, empty, beside in (("lower", trail, rows[::-1]), ("upper", lead, rows)):
            if len(rows) > 1 and (empty >= beside).all() and not (empty == len(rows)).all():
                strict = (empty > beside).all()
                return Layout(triangle, "rows", diagonal="zero" if strict else "stored")
        return None

    def _is_strict(self, growing: bool, n: int | None, diagonal: str | None) -> bool:
        """Whether a triangle whose shortest row has one number lacks the diagonal."""
        if n is not None:
            return n == len(self.numbers) + 1
        if diagonal is not None:
            return diagonal != "stored"
        ends = np.array([row[-1 if growing else 0] for row in self.numbers])
        if not ends.any() or self._is_covariance(growing, ends):
            return False
        side = "tril" if growing else "triu"
        raise FileFormatError(
            f"has a triangle of {len(self.numbers):,} rows, whose diagonal may be there or not: say "
            f"layout='numpy-{side}' or, without it, layout='strict-{side}' (--layout)",
            self.path,
            self.lines[0],
        )

    def _is_covariance(self, growing: bool, ends: Array) -> bool:
        """Whether a_ij^2 < a_ii a_jj for all i and j, where the ends of rows are the diagonal."""
        if not (ends > 0).all():
            return False
        for i, row in enumerate(self.numbers):
            others, diagonal = (row[:-1], ends[:i]) if growing else (row[1:], ends[i + 1 :])
            if not (others**2 < ends[i] * diagonal).all():
                return False
        return True


def check_labels(labels: Sequence[str], path: Path, lines: Sequence[int] | int) -> None:
    """Refuse a label that is there twice."""
    if len(set(labels)) == len(labels):
        return
    [(label, _)] = Counter(labels).most_common(1)
    at = [k for k, other in enumerate(labels) if other == label][1]
    line = lines if isinstance(lines, int) else lines[at]
    raise FileFormatError(f"has the label {label!r} twice: rename one", path, line)


def _numbers(count: int) -> str:
    return f"{count:,} number{'' if count == 1 else 's'}"


def _no_matrix() -> str:
    return f"no square and no triangle; {TAKES_DATA}"
