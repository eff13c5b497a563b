"""Rectangular full packed against LAPACK's own conversions, which give new memory; so do these of vech."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers
from benchmarks.rows import Case, Limit, Row


def rectangular(n: int) -> Iterator[Case]:
    for name, transr, uplo in (("lapack-rfp-nl", "N", "L"), ("lapack-rfp-tu", "T", "U")):
        packed = "lapack-lower" if uplo == "L" else "lapack-upper"
        triangle = "lower" if uplo == "L" else "upper"
        for dtype, letter in (("float64", "d"), ("float32", "s")):
            half = numbers(n * (n + 1) // 2, dtype)
            full = np.asfortranarray(vech.expand(half, packed))
            copy = partial(np.copyto, np.empty_like(full), full)
            rest = {"transr": transr, "uplo": uplo}
            jobs = {
                "from packed": (
                    partial(vech.convert, half, packed, name, threads=1),
                    peers.lapack(f"{letter}tpttf", n, half, **rest),
                ),
                "to packed": (
                    partial(vech.convert, half, name, packed, threads=1),
                    peers.lapack(f"{letter}tfttp", n, half, **rest),
                ),
                "from full": (
                    partial(vech.pack, full, name, use=triangle, threads=1),
                    peers.lapack(f"{letter}trttf", full, **rest),
                ),
                "to full": (
                    partial(vech.expand, half, name, threads=1),
                    peers.lapack(f"{letter}tfttr", n, half, **rest),
                ),
            }
            for job, (ours, theirs) in jobs.items():
                yield Case(job, name, dtype, n, {"vech": ours, "LAPACK": theirs, "full copy": copy})


ROWS = (
    Row(
        "rectangular full packed, both into fresh memory (LAPACK fills one triangle of a full matrix, "
        "vech both)",
        "full copy",
        (Limit("LAPACK", must=1.0),),
        (1000, 1001, 4000, 4001),
        rectangular,
    ),
)
