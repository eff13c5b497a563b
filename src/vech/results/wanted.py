"""How a half is wanted: the arguments that every function has that makes one of data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout

Progress = Callable[[int, int | None], object]
SUFFIX, TILES = ".npy", ".zarr"
"""How the path of a half ends, and that of a store of tiles."""


def silent(done: int, total: int | None) -> None:
    """The progress of a run of which nobody wants to hear."""


class Wanted(NamedTuple):
    """In which layout, where to, whether a run goes on, who computes, and who is told how far it is.

    `tile` is the rows of a tile where it goes to a store of these, and somebody has said; `usual` is the
    layout that nobody has chosen. With an `encoding` it becomes a quantized matrix.
    """

    layout: str | AnyLayout = "vech"
    out: Any = None
    resume: bool = False
    executor: Any = None
    threads: int | None = None
    progress: Progress | None = None
    tile: int | None = None
    usual: str | Layout = "vech"
    encoding: Any = None

    def path(self) -> str | None:
        """`out` where that is a path; errors for what is neither, and for `resume` without one."""
        if not isinstance(self.resume, bool | np.bool):
            raise TypeError(f"resume must be True or False, not {self.resume!r}")
        if isinstance(self.out, str | os.PathLike):
            path = os.fspath(self.out)
            if Path(path).suffix.lower() == TILES:
                path = path.rstrip("/")
            suffix = Path(path).suffix.lower()
            if suffix == TILES:
                self.check_no_layout("a store of tiles holds squares")
            elif suffix != SUFFIX:
                raise ValueError(
                    f"out={path!r}: a half is made in a {SUFFIX} file, and a store of tiles in a {TILES} "
                    f"folder{', which vech.io turns into others: `vech convert`' if suffix else ''}"
                )
            elif "://" in path:
                raise ValueError(
                    f"out={path!r}: a half is made in a file of this machine, and under a URL a store of "
                    f"tiles: end it in {TILES}"
                )
            return path
        if not isinstance(self.out, np.ndarray | None):
            name = type(self.out).__name__
            raise TypeError(f"out must be a NumPy array, or a path ending in {SUFFIX} or {TILES}, not {name}")
        if self.resume:
            where = "memory" if self.out is None else "an array"
            raise ValueError(
                f"resume=True goes on from what is done of a file, and the result goes to {where}: give "
                f"out= a path ending in {SUFFIX} or {TILES}"
            )
        return None

    @property
    def in_tiles(self) -> bool:
        """Whether the result is a store of tiles."""
        path = self.path()
        return path is not None and path.lower().endswith(TILES)

    def check_no_layout(self, why: str) -> None:
        """Refuse a layout that was chosen for what has none."""
        if as_layout(self.layout) != as_layout(self.usual):
            raise ValueError(
                f"layout={self.layout!r} is for a half, and {why} of the matrix, "
                f"which have none: leave it out"
            )
