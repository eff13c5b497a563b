"""How a half is wanted: the arguments that every function has that makes one of data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech.layouts.dialects import AnyLayout

Progress = Callable[[int, int | None], object]
SUFFIX = ".npy"


def silent(done: int, total: int | None) -> None:
    """The progress of a run of which nobody wants to hear."""


class Wanted(NamedTuple):
    """In which layout, where to, whether a run goes on, who computes, and who is told how far it is."""

    layout: str | AnyLayout = "vech"
    out: Any = None
    resume: bool = False
    executor: Any = None
    threads: int | None = None
    progress: Progress | None = None

    def path(self) -> Path | None:
        """`out` where that is a path; errors for what is neither, and for `resume` without one."""
        if not isinstance(self.resume, bool | np.bool):
            raise TypeError(f"resume must be True or False, not {self.resume!r}")
        if isinstance(self.out, str | os.PathLike):
            path = Path(self.out)
            if path.suffix.lower() == SUFFIX:
                return path
            raise ValueError(
                f"out={str(path)!r}: a half is made in a {SUFFIX} file{_way(path.suffix.lower())}"
            )
        if not isinstance(self.out, np.ndarray | None):
            name = type(self.out).__name__
            raise TypeError(f"out must be a NumPy array, or a path ending in {SUFFIX}, not {name}")
        if self.resume:
            where = "memory" if self.out is None else "an array"
            raise ValueError(
                f"resume=True goes on from the journal beside a file, and the result goes to {where}: give "
                f"out= a path ending in {SUFFIX}"
            )
        return None


def _way(suffix: str) -> str:
    """What to do for a file of another suffix."""
    if suffix == ".zarr":
        return ", and .zarr will come with the tiled store, which is not there yet"
    return ", which vech.io turns into others: `vech convert`" if suffix else ""
