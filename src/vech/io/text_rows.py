"""Rows of a matrix as text: of each number the fewest digits that give it back."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, Unpack

from vech.io.drafts import atomic
from vech.io.gz import packed
from vech.io.panels import How, blocks
from vech.store import Store

TEXT = 1 << 22
"""Numbers that are made text in one go."""


@contextmanager
def text_file(path: Path, overwrite: bool) -> Iterator[TextIO]:
    """Open a file for text, packed where its name says so, which appears complete or not at all."""
    with atomic(path, overwrite) as draft, packed(draft, path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        try:
            yield text
        finally:
            text.detach()


def check_real(store: Store, path: Path) -> None:
    """Refuse what cells of a table do not hold."""
    if store.n == 0:
        raise ValueError(f"{path}: a matrix without rows leaves nothing to read: write .npy or .npz")
    if store.dtype.kind not in "biuf":
        raise TypeError(f"{path}: cells of a table hold real numbers, not {store.dtype}: write .npy or .npz")


def text_rows(store: Store, mark: str, **how: Unpack[How]) -> Iterator[str]:
    """The rows of the full matrix, `mark` between their numbers, in bounded memory."""
    for _, panel in blocks(store, max(1, TEXT // max(1, store.n)), **how):
        if panel.dtype.kind == "b":
            panel = panel.astype("u1")
        exact = panel.dtype.kind in "iu" or panel.dtype.itemsize == 8  # whose repr Python has
        for row in panel:
            numbers = map(repr, row.tolist()) if exact else row.astype(str)
            yield mark.join(numbers)
