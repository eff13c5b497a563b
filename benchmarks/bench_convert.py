"""convert: one order to the other, inside the half."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row


def convert(n: int) -> Iterator[Case]:
    for source, target in (("vech", "numpy-tril"), ("numpy-tril", "vech")):
        for dtype in ("float64", "float32"):
            half = numbers(vech.as_layout(source).length(n), dtype)
            out = np.empty_like(half)
            copy, full = np.empty((n, n), dtype), np.ones((n, n), dtype)
            candidates = {
                "vech": partial(vech.convert, half, source, target, out=out, threads=1),
                "full copy": partial(np.copyto, copy, full),
                "copy of the half": partial(np.copyto, out, half),
            }
            if n < 5000:
                slots = _slots(source, target, n)
                candidates["NumPy take"] = partial(np.take, half, slots, out=out, mode="clip")
            yield Case("convert", f"{source}-to-{target}", dtype, n, candidates)


def _slots(source: str, target: str, n: int) -> np.ndarray:
    """Where each number of the target is in the source."""
    order = np.arange(vech.as_layout(source).length(n))
    return vech.convert(order, source, target)


def memory(n: int) -> Iterator[Case]:
    half = numbers(vech.as_layout("vech").length(n), "float64")
    out = np.empty_like(half)
    candidates = {
        "vech": partial(vech.convert, half, "vech", "numpy-tril", out=out, threads=1),
        "n x n matrix": partial(np.ones, (n, n)),  # above 32 MiB new memory each time
    }
    yield Case("convert", "vech-to-numpy-tril", "float64", n, candidates, "memory")


ROWS = (
    Row(
        "convert across orders",
        "full copy",
        (Limit("full copy", must=0.85, aim=0.65),),
        (4095, 4096, 8191, 8192),
        convert,
    ),
    Row(
        "convert across orders, memory beside the two halves",
        "n x n matrix",
        (Limit("n x n matrix", must=0.05, aim=0.01),),
        (4095, 4096),
        memory,
        quick_sizes=(2100, 2101),
        measure="peaks",
    ),
)
