"""Lines of labels and numbers as a text: what commands write that is no matrix."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

from vech.io import suffix_of
from vech.io.text_rows import text_file
from vech.labels import Labels, label_text

SUFFIXES = tuple(suffix + packed for suffix in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))


def is_text(out: Path) -> bool:
    """Whether a file is a table in text, by its suffix."""
    return suffix_of(out) in SUFFIXES


class _Lines:
    """Takes the lines of a `csv.writer`, which quotes what ends its own: either letter of "\\r\\n"."""

    def __init__(self, text: TextIO) -> None:
        self.text = text

    def write(self, line: str) -> None:
        self.text.write(line.removesuffix("\r\n") + "\n")


def write_records(
    out: Path, head: Sequence[str], records: Iterable[Sequence[Any]], *, overwrite: bool
) -> None:
    """Write a line of names and then the records, commas between their cells in .csv, tabs elsewhere."""
    mark = "," if suffix_of(out).startswith(".csv") else "\t"
    with text_file(out, overwrite) as text:
        lines = csv.writer(_Lines(text), delimiter=mark)
        lines.writerow(head)
        lines.writerows(records)


def names_of(labels: Labels | None, n: int) -> list[str]:
    """What rows are called: their labels, or else their numbers, from 0."""
    return [str(row) for row in range(n)] if labels is None else [label_text(label) for label in labels]
