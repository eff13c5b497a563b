"""The sparse way: a half to CSR, a half that is mostly zero to the full matrix; and a sparse half at work."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import vech
from benchmarks import patterns, peers
from benchmarks.measure import plain_read, sparse_numbers
from benchmarks.rows import Case, Limit, Row
from vech import _core
from vech.moves.expanding import _expand


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


Pattern = Callable[[int], Any]
SEVEN, MANY = partial(patterns.stencil, points=7), partial(patterns.stencil, points=27)


def lower(full: Any) -> tuple[Any, vech.SparseHalf]:
    """The lower half as SciPy holds it and as vech does."""
    from scipy import sparse

    part = sparse.tril(full, format="csr")
    arrays = (part.indptr.astype(np.int32), part.indices.astype(np.int32), part.data)
    return part, vech.SparseHalf(*arrays, full.shape[0], triangle="lower")


def mirror(n: int, name: str, pattern: Pattern) -> Iterator[Case]:
    from scipy import sparse

    full = pattern(n)
    half, store = lower(full)
    diagonal = sparse.diags_array(full.diagonal(), format="csr")
    arrays = (full.indptr, full.indices, full.data)
    into = [np.empty_like(array) for array in arrays]
    candidates = {
        "vech": partial(store.to_csr, threads=1),
        "L + L.T - D": lambda: half + half.T - diagonal,
        "GraphBLAS": peers.graphblas_mirror(peers.graphblas(full)),
        "copy of the output": lambda: [np.copyto(*pair) for pair in zip(into, arrays, strict=True)],
        "vech, 2 threads": partial(store.to_csr, threads=2),
    }
    yield Case("half to CSR", name, "float64", full.shape[0], candidates)


def triangle(n: int, name: str, pattern: Pattern) -> Iterator[Case]:
    from scipy import sparse

    full = pattern(n)
    arrays = (full.indptr, full.indices, full.data, full.shape[0])
    candidates = {
        "vech": partial(_core.cut, *arrays, True, 1),
        "sparse.tril": partial(sparse.tril, full, format="csr"),
        "GraphBLAS": peers.graphblas_triangle(peers.graphblas(full)),
        "from_sparse, lower": partial(vech.SparseHalf.from_sparse, full, use="lower"),
        "from_sparse, both": partial(vech.SparseHalf.from_sparse, full),
        "vech, 2 threads": partial(_core.cut, *arrays, True, 2),
    }
    yield Case("CSR to half", name, "float64", full.shape[0], candidates)


def symmetry(n: int, name: str, pattern: Pattern) -> Iterator[Case]:
    full = pattern(n)
    arrays = (full.indptr, full.indices, full.data, full.shape[0], False, False, 0.0)
    candidates = {
        "vech": partial(_core.asymmetry, *arrays, 1),
        "abs(A - A.T).max()": lambda: abs(full - full.T).max(),
        "is_symmetric": partial(vech.sparse.is_symmetric, full),
        "vech, 2 threads": partial(_core.asymmetry, *arrays, 2),
    }
    yield Case("symmetric?", name, "float64", full.shape[0], candidates)


def product(n: int, name: str, pattern: Pattern) -> Iterator[Case]:
    full = pattern(n)
    for dtype in ("float64", "float32"):
        matrix = full.astype(dtype)
        _, store = lower(matrix)
        for columns in (1, 8):
            shape = store.n if columns == 1 else (store.n, columns)
            x = np.resize(np.arange(1.0, 98.0), shape).astype(dtype)
            candidates = {
                "vech": partial(store.matmul, x, threads=1),
                "A @ x": partial(peers.product, matrix, x),
                "MKL": peers.mkl_product(matrix, x),
                "vech, 2 threads": partial(store.matmul, x, threads=2),
            }
            if columns == 1:
                candidates["MKL, optimized"] = peers.mkl_prepared_product(matrix, x)
                candidates["GraphBLAS"] = peers.graphblas_product(peers.graphblas(matrix), x)
            yield Case("S @ x", name, dtype, store.n, candidates, f"{columns} columns" * (columns > 1))


def sparse_row(
    what: str, unit: str, must: float, aim: float | None, sizes: tuple[int, int], cases: Any, *named: Any
) -> Row:
    return Row(
        what,
        unit,
        (Limit(unit, must=must, aim=aim, faster=True),),
        sizes,
        lambda n: cases(n, *named),
        quick_sizes=(64, 125),
    )


SEVENS, MANIES, RANDOMS = (512_000, 493_039), (216_000, 250_047), (200_000, 200_001)
GRIDS = (("7-point", SEVEN, SEVENS), ("27-point", MANY, MANIES))
RANDOM = ("random", patterns.random)
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
    *(
        sparse_row(f"sparse half to full CSR, {name}", "L + L.T - D", 2.5, 4, sizes, mirror, name, pattern)
        for name, pattern, sizes in GRIDS
    ),
    sparse_row("sparse half to full CSR, random", "L + L.T - D", 2.5, 4, RANDOMS, mirror, *RANDOM),
    *(
        sparse_row(f"full CSR to sparse half, {name}", "sparse.tril", 3, None, sizes, triangle, name, pattern)
        for name, pattern, sizes in (*GRIDS, (*RANDOM, RANDOMS))
    ),
    *(
        sparse_row(f"is it symmetric, {name}", "abs(A - A.T).max()", 5, None, sizes, symmetry, name, pattern)
        for name, pattern, sizes in (*GRIDS, (*RANDOM, RANDOMS))
    ),
    sparse_row(
        "sparse half times vector and columns, 7-point", "A @ x", 1.0, 1.25, SEVENS, product, "7-point", SEVEN
    ),
    sparse_row(
        "sparse half times vector and columns, 27-point",
        "A @ x",
        1.18,
        1.67,
        MANIES,
        product,
        "27-point",
        MANY,
    ),
    sparse_row("sparse half times vector and columns, random", "A @ x", 1.0, 1.25, RANDOMS, product, *RANDOM),
)
