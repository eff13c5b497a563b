"""The sparse way: a half to CSR, and a half that is mostly zero to the full matrix."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import plain_read, sparse_numbers
from benchmarks.rows import Case, Limit, Row
from vech.moves import _expand


def csr(n: int, *densities: float) -> Iterator[Case]:
    for density in densities:
        for layout, dtype in (("vech", "float64"), ("numpy-tril", "float64"), ("vech", "float32")):
            shape = vech.as_layout(layout)
            half = sparse_numbers(shape.length(n), dtype, density)
            own, other = ("lower", "upper") if shape.grow else ("upper", "lower")
            to_csr = partial(vech.to_csr, half, layout, threads=1)
            candidates = {
                "vech": partial(to_csr, part=own),
                "plain read": plain_read(half),
                "NumPy + SciPy": partial(peers.scipy_triangle, half, n, shape.grow),
                "vech, 2 threads": partial(vech.to_csr, half, layout, part=own, threads=2),
                "other triangle": partial(to_csr, part=other),
                "full": to_csr,
            }
            yield Case("to_csr", layout, dtype, n, candidates, f"{density:.1%}")


def routes(n: int) -> Iterator[Case]:
    for density in (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3):
        half = sparse_numbers(vech.as_layout("vech").length(n), "float64", density)
        route = partial(_expand, half, "vech", None, None)
        candidates = {
            "vech": partial(vech.expand, half, threads=1),
            "tiles": partial(route, 1, "tiles"),
            "scan-and-scatter": partial(route, 1, "scatter"),
            "vech, 2 threads": partial(vech.expand, half, threads=2),
            "tiles, 2 threads": partial(route, 2, "tiles"),
            "scan-and-scatter, 2 threads": partial(route, 2, "scatter"),
            "fill": partial(np.full, (n, n), 1.5),
        }
        if density <= 0.01:
            candidates["NumPy + SciPy"] = partial(peers.scipy_full, half, n)
        yield Case("expand", "vech", "float64", n, candidates, f"{density:.2%}")


SIZES = (6000, 6001)
ROWS = (
    Row(
        "half to the CSR triangle its scan gives, 0.1 % and 1 % nonzero",
        "plain read",
        (Limit("plain read", must=1.5, aim=1.1), Limit("NumPy + SciPy", aim=5, faster=True)),
        SIZES,
        lambda n: csr(n, 0.001, 0.01),
    ),
    Row(
        "half to the CSR triangle its scan gives, 20 % nonzero",
        "plain read",
        (Limit("plain read", must=2.5, aim=1.1), Limit("NumPy + SciPy", aim=5, faster=True)),
        SIZES,
        lambda n: csr(n, 0.2),
    ),
    Row(
        "expand a sparse half into fresh memory: where the switch is",
        "tiles",
        (Limit("tiles"), Limit("scan-and-scatter")),
        (4000, 4001),
        routes,
    ),
)
