"""Distances between rows, of every metric, straight to a half."""

from __future__ import annotations

from typing import Any

from vech.frames import labels_of
from vech.layouts.dialects import AnyLayout
from vech.packed.packed import Packed
from vech.pairwise.metrics import block_of, with_threads
from vech.results.making import Progress, Wanted, make


def distances(
    X: Any,
    metric: Any = "euclidean",
    *,
    p: float = 2.0,
    V: Any = None,
    VI: Any = None,
    w: Any = None,
    missing: str = "raise",
    layout: str | AnyLayout = "condensed",
    dtype: Any = None,
    out: Any = None,
    resume: bool = False,
    executor: Any = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Packed:
    """The distances between the rows of X."""
    block = with_threads(block_of(X, metric, p=p, V=V, VI=VI, w=w, missing=missing, dtype=dtype), threads)
    wanted = Wanted(layout, out, resume, executor, threads, progress)
    return make(block, block.n, block.dtype, wanted, labels=labels_of(X, 0), implied=0)
