"""Cholesky and what its factor answers, against LAPACK on the full matrix."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial

import numpy as np

import vech
from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech import linalg


def definite(n: int, dtype: str) -> np.ndarray:
    """A positive definite matrix in Fortran order."""
    i = np.arange(n)
    full = 1.0 / (1 + np.abs(i[:, None] - i))
    np.fill_diagonal(full, 4 + np.log(n))
    return np.asfortranarray(full, dtype)


def lapack(name: str, dtype: str):
    """SciPy's wrapper of a routine of LAPACK."""
    from scipy.linalg import get_lapack_funcs

    return get_lapack_funcs(name, dtype=np.dtype(dtype))


def two_threads(call: Callable[[], object]) -> Callable[[], object] | None:
    """The call with two threads of BLAS; None without threadpoolctl, which scikit-learn brings."""
    threadpoolctl = peers.load("threadpoolctl")

    def limited() -> object:
        with threadpoolctl.threadpool_limits(2) if threadpoolctl else nullcontext():
            return call()

    return threadpoolctl and limited


def cholesky(n: int) -> Iterator[Case]:
    for dtype in ("float64", "float32"):
        full = definite(n, dtype)
        S = vech.Packed(vech.pack(full))
        candidates = {
            "vech": partial(linalg.cholesky, S, threads=1),
            "potrf of the full matrix": partial(lapack("potrf", dtype), full, lower=True, clean=False),
            "pptrf of the half": partial(lapack("pptrf", dtype), n, S.half, lower=True),
            "NumPy": partial(np.linalg.cholesky, full),
            "vech, 2 threads": two_threads(partial(linalg.cholesky, S, threads=2)),
            "potrf, 2 threads": two_threads(partial(lapack("potrf", dtype), full, lower=True, clean=False)),
        }
        yield Case("cholesky", "vech", dtype, n, candidates)


def solve(n: int) -> Iterator[Case]:
    full = definite(n, "float64")
    S = vech.Packed(vech.pack(full))
    F = linalg.cholesky(S)
    L, _ = lapack("potrf", "float64")(full, lower=True)
    packed, _ = lapack("pptrf", "float64")(n, S.half, lower=True)
    for columns in (1, 16, 256):
        b = np.asfortranarray(np.ones((n, columns)))
        candidates = {
            "vech": partial(F.solve, b),
            "potrs of the full matrix": partial(lapack("potrs", "float64"), L, b, lower=True),
            "pptrs of the half": partial(lapack("pptrs", "float64"), n, packed, b, lower=True),
            "vech, 2 threads": two_threads(partial(F.solve, b)),
        }
        yield Case("solve", "vech", "float64", n, candidates, f"{columns} columns")


def solve_once(n: int) -> Iterator[Case]:
    full = definite(n, "float64")
    S = vech.Packed(vech.pack(full))
    b = np.ones((n, 1))
    candidates = {
        "vech": partial(linalg.solve, S, b, threads=1),
        "posv of the full matrix": partial(lapack("posv", "float64"), full, b, lower=True),
        "NumPy": partial(np.linalg.solve, full, b),
        "vech, 2 threads": two_threads(partial(linalg.solve, S, b, threads=2)),
    }
    yield Case("solve", "vech", "float64", n, candidates, "factor included")


def memory(n: int) -> Iterator[Case]:
    S = vech.Packed(vech.pack(definite(n, "float64")))
    candidates = {
        "vech": partial(linalg.cholesky, S, threads=1),
        "one more half": partial(np.ones, S.half.size),
        "n x n matrix": partial(np.ones, (n, n)),
    }
    yield Case("cholesky", "vech", "float64", n, candidates, "memory")


SIZES = (2000, 2001, 4000, 4001)
ROWS = (
    Row(
        "cholesky of a half, change of layout included",
        "potrf of the full matrix",
        (Limit("potrf of the full matrix", must=1.1), Limit("pptrf of the half", faster=True)),
        SIZES,
        cholesky,
    ),
    Row(
        "solve by the factor",
        "potrs of the full matrix",
        (Limit("potrs of the full matrix", must=1.1),),
        SIZES,
        solve,
    ),
    Row(
        "solve, factor included",
        "posv of the full matrix",
        (Limit("posv of the full matrix", must=1.1),),
        SIZES,
        solve_once,
    ),
    Row(
        "cholesky, memory beside the half",
        "one more half",
        (Limit("one more half", must=1.1),),
        (4000, 6000, 6001),  # smaller memory is used again
        memory,
        quick_sizes=(2900, 2901),
        measure="peaks",
    ),
)
