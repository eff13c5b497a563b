"""Products: a half times vectors and blocks, against BLAS on the full matrix; sums against one read."""

import operator
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers, plain_read
from benchmarks.rows import Case, Limit, Row
from vech.moves.runs import Half
from vech.packed import norms

SMALL = 512  # below that `S @ x` takes one thread


def halves(n: int) -> Iterator[tuple[str, np.ndarray, vech.Packed]]:
    for dtype in ("float64", "float32"):
        for name in ("vech", "numpy-tril"):
            half = numbers(vech.as_layout(name).length(n), dtype)
            yield dtype, half, vech.Packed(half, name)


def vector(n: int) -> Iterator[Case]:
    for dtype, half, store in halves(n):
        x, full = numbers(n, dtype), store.expand()
        candidates = {
            "vech": partial(operator.matmul, store, x) if n < SMALL else partial(store.matmul, x, threads=1),
            "symv": peers.symv(full, x),
            "spmv": peers.spmv(half, x),
            "A @ x": partial(np.matmul, full, x),
            "vech, 2 threads": partial(store.matmul, x, threads=2),
        }
        yield Case("matvec", store.layout.name, dtype, n, candidates)


def block(n: int, *widths: int) -> Iterator[Case]:
    for dtype, _, store in halves(n):
        full = store.expand()
        for width in widths:
            x = numbers(n * width, dtype).reshape(n, width)
            candidates = {"vech": partial(store.matmul, x, threads=1), "A @ X": partial(np.matmul, full, x)}
            both = {"vech": partial(store.matmul, x, threads=2), "A @ X": candidates["A @ X"]}
            candidates |= peers.threaded(2, **both)
            yield Case("matmul", store.layout.name, dtype, n, candidates, f"{width} columns")


def sums(n: int) -> Iterator[Case]:
    for dtype, half, store in halves(n):
        given = Half(half, store.layout, store.kind)
        calls = {
            "norm fro": partial(norms.norm, given, "fro"),
            "norm 1": partial(norms.norm, given, 1),
            "norm max": partial(norms.norm, given, "max"),
            "row sums": partial(store.row_sums, threads=1),
            "trace": store.trace,
        }
        for name, call in calls.items():
            candidates = {"vech": call, "plain read": plain_read(half)}
            yield Case(name, store.layout.name, dtype, n, candidates)
        other = half.copy()
        candidates = {
            "vech": partial(norms.inner, given, given._replace(numbers=other)),
            "plain read": partial(_both, plain_read(half), plain_read(other)),
        }
        yield Case("inner", store.layout.name, dtype, n, candidates)


def permuted(n: int) -> Iterator[Case]:
    for dtype, _, store in halves(n):
        full, order = store.expand(), np.random.default_rng(0).permutation(n)
        candidates = {
            "vech": partial(store.permute, order),
            "A[np.ix_]": lambda full=full, order=order: full[np.ix_(order, order)],
        }
        yield Case("permute", store.layout.name, dtype, n, candidates)


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    first()
    second()


ROWS = (
    Row(
        "packed matrix times vector, n >= 2048",
        "symv",
        (Limit("symv", must=1.1, aim=1.0), Limit("spmv", must=1.1, aim=1.0)),
        (2048, 2047, 8192, 8191, 12_000),
        vector,
    ),
    Row(
        "packed matrix times vector, n < 2048",
        "symv",
        (Limit("A @ x", aim=1.0),),
        (32, 33, 128, 512, 1000, 1001),
        vector,
    ),
    Row(
        "packed matrix times 16 to 256 columns",
        "A @ X",
        (Limit("A @ X", must=1.1, aim=1.0),),
        (2048, 2047, 8192, 8191),
        lambda n: block(n, 16, 64, 256),
    ),
    Row(
        "packed matrix times 2 to 8 columns",
        "A @ X",
        (Limit("A @ X", aim=1.0),),
        (2048, 2047, 8192, 8191),
        lambda n: block(n, 2, 8),
    ),
    Row(
        "norms, inner product, trace, row sums",
        "plain read",
        (Limit("plain read", must=1.15, aim=1.0),),
        (4096, 4095, 8192, 8191),
        sums,
    ),
    Row(
        "rows and columns in another order",
        "A[np.ix_]",
        (Limit("A[np.ix_]", aim=1.0),),
        (2048, 2047, 8192, 8191),
        permuted,
    ),
)
