"""Linear algebra of a million small matrices: halves side by side, against np.linalg on the full ones."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import vech
from benchmarks.rows import Case, Limit, Row


def definite(n: int, count: int) -> np.ndarray:
    """Full matrices, the same few thousand again and again."""
    X = np.random.default_rng(0).standard_normal((min(count, 4096), n, 2 * n))
    return np.resize(X @ X.mT, (count, n, n))


def batch(n: int, count: int, tasks: tuple[str, ...]) -> Iterator[Case]:
    """Into warm memory, as NumPy's results find it too once the first ones are freed."""
    full = definite(n, count)
    half = vech.pack(full, use="lower")
    out = np.empty_like(half)
    pairs = np.empty((count, n)), np.empty_like(full)
    ours = {
        "eigh": partial(vech.linalg.eigh, half, out=pairs),
        "cholesky": partial(vech.linalg.cholesky, half, out=out),
        "inverse": partial(vech.linalg.inverse, half, out=out),
    }
    numpys = {"eigh": np.linalg.eigh, "cholesky": np.linalg.cholesky, "inverse": np.linalg.inv}
    for task in tasks:
        candidates = {
            "vech": partial(ours[task], batch="vech", threads=1),
            "np.linalg": partial(numpys[task], full),
        }
        yield Case(task, "vech", "float64", n, candidates, f"{count} matrices")


def row(sizes: tuple[int, int], tasks: tuple[str, ...], must: float, aim: float) -> Row:
    low, high = sizes
    return Row(
        f"a million {low} x {low} and {high} x {high}: {', '.join(tasks)}",
        "np.linalg",
        (Limit("np.linalg", must=must, aim=aim, faster=True),),
        sizes,
        partial(batch, count=1_000_000, tasks=tasks),
        quick_sizes=sizes,
        quick_cases=partial(batch, count=100, tasks=tasks),
    )


ROWS = (
    row((2, 3), ("eigh", "cholesky", "inverse"), must=10, aim=30),
    row((5, 6), ("eigh", "cholesky"), must=3, aim=8),
)
