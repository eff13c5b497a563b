"""PLINK's matrices in text: `.rel`, `.king`, `.dist`, `.mdist`, `.mibs`, whose `.id` file names the rows.

A square, the lower triangle, or a square whose upper triangle is zeros:
https://www.cog-genomics.org/plink/1.9/distance
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from vech.io.cells import rules
from vech.io.content import Abilities, Content
from vech.io.errors import FileFormatError
from vech.io.gz import bare_name
from vech.io.individuals import labels_beside
from vech.io.lines import filled
from vech.io.number_lines import numbers_of
from vech.io.triangles import Rows
from vech.layouts.dialects import as_layout
from vech.packed.packed import Packed

CAN = Abilities(write=())

PLAIN = rules()
TRIANGLE = as_layout("plink-rel-triangle")
WITH_DIAGONAL = (".rel", ".mibs")
"""The suffixes whose triangle has its diagonal."""


def load(path: Path) -> Content:
    """Load the matrix, and the labels from the `.id` file."""
    labels, rows = labels_beside(path), Rows(path)
    for line, text in filled(path):
        rows.add(numbers_of(text.split(), PLAIN, path, line), line)
    if labels is not None and len(rows.numbers) not in (len(labels), len(labels) - 1):
        raise FileFormatError(
            f"has {len(rows.numbers):,} rows, and {bare_name(path)}.id names {len(labels):,}", path
        )
    whole = Path(bare_name(path)).suffix.lower() in WITH_DIAGONAL
    content = rows.content(labels, diagonal="stored" if whole else "zero")
    full = content.numbers
    if content.holds == "full" and len(full) > 1 and not full[np.triu_indices(len(full), 1)].any():
        return Content.of_store(Packed(full[np.tril_indices(len(full))], TRIANGLE, labels=content.labels))
    return replace(content, layout=TRIANGLE) if content.holds == "full" else content
