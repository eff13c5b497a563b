"""GCTA's relationship matrix in text, `.grm.gz`: a line has a pair of rows, a count of variants, a number.

Row 1 with row 1, 2 with 1, 2 with 2, 3 with 1: the lower triangle by rows. `.grm.id` names the rows.
https://yanglab.westlake.edu.cn/software/gcta/#MakingaGRM
"""

from pathlib import Path

import numpy as np

from vech.arrays import check_memory
from vech.io.cells import rules
from vech.io.content import Abilities, Content
from vech.io.errors import FileFormatError
from vech.io.gz import bare_name
from vech.io.individuals import labels_beside
from vech.io.lines import filled
from vech.io.number_lines import numbers_of
from vech.layouts.dialects import as_layout
from vech.packed.packed import Packed

CAN = Abilities(write=(), pipes=True)

PLAIN = rules()
LAYOUT = as_layout("gcta-grm-bin")


def load(path: Path) -> Content:
    """Load the half, and the labels from `.grm.id`."""
    labels = labels_beside(path)
    half: list[float] = []
    i = j = 1
    for line, text in filled(path):
        cells = text.split()
        if len(cells) != 4 or cells[:2] != [str(i), str(j)]:
            raise FileFormatError(
                f"holds {text[:60]!r}, and row {i:,}, row {j:,}, a count and a number come here",
                path,
                line,
            )
        half.append(float(numbers_of(cells[3:], PLAIN, path, line)[0]))
        i, j = (i + 1, 1) if i == j else (i, j + 1)
        if j == 1:
            check_memory(32 * len(half), "its numbers")
    if j != 1:
        raise FileFormatError(f"ends in row {i:,}, which has {i:,} lines", path, line)
    if labels is not None and len(labels) != i - 1:
        raise FileFormatError(f"has {i - 1:,} rows, and {bare_name(path)}.id names {len(labels):,}", path)
    return Content.of_store(Packed(np.array(half), LAYOUT, labels=labels))
