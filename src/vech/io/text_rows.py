"""Rows of a matrix as text: of each number the fewest digits that give it back."""

from collections.abc import Iterator
from pathlib import Path

from vech.io.panels import Progress
from vech.store import Store

TEXT = 1 << 22
"""Numbers that are made text in one go."""


def check_real(store: Store, path: Path) -> None:
    """Refuse what cells of a table do not hold."""
    if store.n == 0:
        raise ValueError(f"{path}: a matrix without rows leaves nothing to read: write .npy or .npz")
    if store.dtype.kind not in "biuf":
        raise TypeError(f"{path}: cells of a table hold real numbers, not {store.dtype}: write .npy or .npz")


def text_rows(
    store: Store, mark: str, *, threads: int | None = None, progress: Progress | None = None
) -> Iterator[str]:
    """The rows of the full matrix, `mark` between their numbers, in bounded memory."""
    n, height = store.n, max(1, TEXT // max(1, store.n))
    for start in range(0, n, height):
        stop = min(n, start + height)
        panel = store.expand(rows=slice(start, stop), threads=threads)
        if panel.dtype.kind == "b":
            panel = panel.astype("u1")
        exact = panel.dtype.kind in "iu" or panel.dtype.itemsize == 8  # whose repr Python has
        for row in panel:
            numbers = map(repr, row.tolist()) if exact else row.astype(str)
            yield mark.join(numbers)
        if progress is not None:
            size = n * store.dtype.itemsize
            progress(stop * size, n * size)
