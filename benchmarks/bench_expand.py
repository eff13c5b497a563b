"""expand: half to full matrix, into warm memory and into fresh memory."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row


def warm(n: int, layout: str, dtype: str, *, two: bool = False) -> Case:
    kind = "hermitian" if dtype.startswith("complex") else "symmetric"
    half = numbers(vech.as_layout(layout).length(n), dtype)
    full = vech.expand(half, layout, kind=kind)
    out = np.empty_like(full)
    expand = partial(vech.expand, half, layout, kind=kind, out=out)
    candidates = {
        "vech": partial(expand, threads=1),
        "full copy": partial(np.copyto, out, full),
        "fill": partial(out.fill, half[0]),
    }
    if two:
        candidates["vech, 2 threads"] = partial(expand, threads=2)
    if layout == "numpy-tril" and dtype in ("float64", "complex128"):
        candidates["PySCF"] = peers.pyscf_unpack(half, out)
    return Case("expand", layout, dtype, n, candidates)


def floats(n: int, *, two: bool = False) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        for layout in ("vech", "numpy-tril"):
            yield warm(n, layout, dtype, two=two)


def short(dtype: str, n: int) -> Iterator[Case]:
    for layout in ("vech", "numpy-tril"):
        yield warm(n, layout, dtype)


def hermitian(n: int) -> Iterator[Case]:
    for dtype in ("complex64", "complex128"):
        for layout in ("vech", "numpy-tril"):
            yield warm(n, layout, dtype)


def pyscf(n: int) -> Iterator[Case]:
    for dtype in ("float64", "complex128"):
        yield warm(n, "numpy-tril", dtype)


def fresh(n: int) -> Iterator[Case]:
    for layout in ("condensed", "vech"):
        half = numbers(vech.as_layout(layout).length(n), "float64")
        candidates = {
            "vech": partial(vech.expand, half, layout, threads=1),
            "fill": partial(np.full, (n, n), half[0]),
        }
        if layout == "condensed":
            candidates["squareform"] = peers.squareform(half)
            candidates["triarray"] = peers.triarray_matrix(half)
        else:
            candidates["statsmodels"] = peers.statsmodels_unvech(half)
            candidates["NumPy"] = partial(peers.numpy_expand, half, n)
        yield Case("expand", layout, "float64", n, candidates, "fresh")


def _of_short(name: str, dtype: str, sizes: tuple[int, ...], must: float, aim: float) -> Row:
    return Row(name, "full copy", (Limit("full copy", must=must, aim=aim),), sizes, partial(short, dtype))


LARGE, CACHED = (4095, 4096, 8191, 8192), (500, 501, 1000, 2000, 2001)
ROWS = (
    Row(
        "expand, float64 and float32, n >= 8000",
        "full copy",
        (Limit("full copy", must=0.9, aim=0.75),),
        (8000, 8191, 8192, 12001),
        partial(floats, two=True),
    ),
    Row(
        "expand, float64 and float32, n = 2000 to 4096",
        "full copy",
        (Limit("full copy", must=1.1, aim=0.85),),
        (2000, 2047, 2048, 3001, 4095, 4096),
        floats,
    ),
    Row(
        "expand, float64 and float32, n = 100 to 1500",
        "full copy",
        (Limit("full copy", must=1.6, aim=1.2),),
        (100, 101, 200, 500, 501, 1000, 1023, 1500),
        floats,
    ),
    _of_short("expand, 2-byte types, n >= 4096", "float16", LARGE, 1.1, 0.8),
    _of_short("expand, 1-byte types, n >= 4096", "int8", LARGE, 1.6, 1.2),
    _of_short("expand, 2-byte types, n = 500 to 2001", "float16", CACHED, 1.8, 1.5),
    _of_short("expand, 1-byte types, n = 500 to 2001", "int8", CACHED, 2.2, 1.7),
    Row(
        "expand, complex Hermitian",
        "full copy",
        (Limit("full copy", must=1.5, aim=1.1, odd=2.0),),
        (2047, 2048, 6000, 6001),
        hermitian,
    ),
    Row(
        "expand into warm memory, against PySCF",
        "full copy",
        (Limit("PySCF", must=2, aim=3, faster=True),),
        (1000, 1001, 4000, 4001),
        pyscf,
    ),
    Row(
        "expand into fresh memory",
        "fill",
        (
            Limit("squareform", must=2, aim=3, faster=True),
            Limit("statsmodels", must=6, faster=True),
            Limit("triarray", must=4, faster=True),
        ),
        (4000, 4001),
        fresh,
    ),
)
