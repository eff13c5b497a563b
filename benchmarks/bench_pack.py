"""pack: one triangle of a full matrix, read along its rows or across them."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row


def pack(n: int, layout: str, dtype: str) -> Case:
    half = numbers(vech.as_layout(layout).length(n), dtype)
    full = vech.expand(half, layout)
    copy = np.empty_like(full)
    candidates = {
        "vech": partial(vech.pack, full, layout, use="lower", out=half, threads=1),
        "full copy": partial(np.copyto, copy, full),
        "use='both'": partial(vech.pack, full, layout, out=half, threads=1),
    }
    if layout == "numpy-tril" and dtype == "float64":
        candidates["PySCF"] = peers.pyscf_pack(full, half)
    elif layout == "vech" and n < 5000:
        candidates["statsmodels"] = peers.statsmodels_vech(full)
    return Case("pack", layout, dtype, n, candidates)


def along(n: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        yield pack(n, "numpy-tril", dtype)


def across(n: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        yield pack(n, "vech", dtype)


SIZES = (4095, 4096, 8191, 8192)
ROWS = (
    Row(
        "pack, one triangle read along its rows",
        "full copy",
        (Limit("full copy", must=0.55, aim=0.45),),
        SIZES,
        along,
    ),
    Row(
        "pack, one triangle read across its rows",
        "full copy",
        (Limit("full copy", must=0.75, aim=0.55),),
        SIZES,
        across,
    ),
)
