"""Quantized halves: products from codes against BLAS on the full matrix; expanding, quantizing, bytes."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.measure import numbers, plain_read
from benchmarks.rows import Case, Limit, Row

SIZES = (8192, 8191)
COLUMNS = 16
WITH_COARSE = ("int8", "int4")  # encodings whose products can be those of integers
OTHERS = ("uint8", "float16", "float8-e4m3", "nf4", "int4x2")  # of which nothing is demanded


def centred(length: int) -> peers.Array:
    """Numbers around zero."""
    return numbers(length, "float32") - 50


def packed(n: int, layout: str = "numpy-tril") -> vech.Packed:
    return vech.Packed(centred(n * (n + 1) // 2), layout)


def vector(n: int, encoding: str) -> Iterator[Case]:
    S, x = packed(n), centred(n)
    Q, full = vech.quantize(S, encoding), S.expand()
    candidates = {
        "vech": partial(Q.matmul, x, threads=1),
        "symv": peers.symv(full, x),
        "A @ x": partial(np.matmul, full, x),
    }
    if encoding in WITH_COARSE:
        candidates["vech, precise=False"] = partial(Q.matmul, x, precise=False, threads=1)
    candidates["vech, 2 threads"] = partial(Q.matmul, x, threads=2)
    yield Case("Q @ x", encoding, "float32", n, candidates)


def others(n: int) -> Iterator[Case]:
    for encoding in OTHERS:
        yield from vector(n, encoding)


def columns(n: int) -> Iterator[Case]:
    S, X = packed(n), centred(n * COLUMNS).reshape(n, COLUMNS)
    Q, full = vech.quantize(S, "int8"), S.expand()
    candidates = {
        "vech": partial(Q.matmul, X, threads=1),
        "A @ X": partial(np.matmul, full, X),
        "vech, precise=False": partial(Q.matmul, X, precise=False, threads=1),
        "vech, 2 threads": partial(Q.matmul, X, threads=2),
    }
    yield Case("Q @ X", "int8", "float32", n, candidates, f"{COLUMNS} columns")


def expand(n: int) -> Iterator[Case]:
    Q, out = vech.quantize(packed(n), "int8"), np.empty((n, n), np.float32)
    candidates = {"vech": partial(Q.expand, out=out, threads=1), "fill": partial(out.fill, 1.5)}
    yield Case("expand", "int8", "float32", n, candidates)


def quantize(n: int) -> Iterator[Case]:
    for layout in ("numpy-tril", "vech"):
        S = packed(n, layout)
        candidates = {
            "vech": partial(vech.quantize, S, "int8", threads=1),
            "plain read": plain_read(S.half),
            "vech, 2 threads": partial(vech.quantize, S, "int8", threads=2),
        }
        yield Case("quantize int8", layout, "float32", n, candidates)


def size(n: int, encoding: str) -> Iterator[Case]:
    S = packed(n)
    Q = vech.quantize(S, encoding)
    candidates = {"vech": lambda: Q.nbytes, "packed half": lambda: S.half.nbytes}
    yield Case("bytes", encoding, "float32", n, candidates)


def _product(encoding: str, symv: tuple[float, float] | None, full: tuple[float | None, float]) -> Row:
    limits = [Limit("A @ x", must=full[0], aim=full[1], faster=True)]
    if symv is not None:
        limits.insert(0, Limit("symv", must=symv[0], aim=symv[1], faster=True))
    return Row(f"{encoding} Q @ x", "symv", tuple(limits), SIZES, partial(vector, encoding=encoding))


ROWS = (
    _product("int8", (2.5, 3.5), (4, 6)),
    _product("int4", (3.5, 5), (6, 8)),
    _product("bfloat16", (1.5, 1.8), (2.5, 3)),
    _product("sign", None, (10, 15)),
    Row("Q @ x of other encodings", "A @ x", (Limit("A @ x", faster=True),), SIZES, others),
    Row(
        f"int8 Q @ X, {COLUMNS} columns",
        "A @ X",
        (Limit("A @ X", must=2, aim=3, faster=True),),
        SIZES,
        columns,
    ),
    Row("expand int8 to float32", "fill", (Limit("fill", must=1.15, aim=1.0),), SIZES, expand),
    Row("quantize int8", "plain read", (Limit("plain read", must=2.0, aim=1.2),), SIZES, quantize),
    *(
        Row(
            f"bytes of {encoding}, of the packed float32 half",
            "packed half",
            (Limit("packed half", must=must, aim=aim),),
            SIZES,
            partial(size, encoding=encoding),
            measure="sizes",
        )
        for encoding, must, aim in (("int8", 0.29, 0.26), ("int4", 0.155, 0.135))
    ),
)
