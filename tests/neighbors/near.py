"""What tests of neighbours have in common: hard matrices, every kind of store, and lists by a full sort."""

import numpy as np

import cases
import vech
from test_third_store import Rows

SIZES = (0, 1, 2, 3, 17, 100)
LAYOUTS = ("vech", "numpy-tril", "condensed", "strict-tril", "svec-upper", "lapack-rfp-nl")


def ties(n, dtype=np.float64, seed=0):
    """A symmetric matrix of few different numbers, of either sign where there is one."""
    rng = np.random.default_rng(seed)
    low = 0 if np.dtype(dtype).kind in "bu" else -3
    full = np.tril(rng.integers(low, 2 if dtype == "bool" else 5, (n, n)), -1)
    return (full + full.T).astype(dtype)


def ordinary(n, dtype=np.float64, seed=0):
    full = np.tril(np.random.default_rng(seed).normal(size=(n, n)), -1)
    return (full + full.T).astype(dtype)


def holes(n, dtype=np.float64, seed=0):
    """With NaN, infinities of both signs, zeros of both signs and subnormal numbers."""
    rng = np.random.default_rng(seed)
    full = np.tril(ordinary(n, dtype, seed), -1)
    tiny = np.finfo(dtype).smallest_subnormal
    odd = np.array([np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, -tiny], dtype)
    where = rng.random((n, n)) < 0.6
    full[where] = rng.choice(odd, int(where.sum()))
    full = np.tril(full, -1)
    return full + full.T


def stores(matrix):
    """The same numbers in every kind of store that holds them, by name."""
    held = {}
    for name in LAYOUTS:
        layout = vech.as_layout(name)
        if cases.fits(layout, matrix.dtype, "symmetric", len(matrix)):
            held[name] = vech.Packed(vech.pack(matrix, layout), layout)
    held["third"] = Rows(matrix, "symmetric")
    return held


def held(S, full):
    """What a store holds of a matrix: a layout with scales rounds."""
    return S.expand() if isinstance(S, vech.Store) else full


def nearest(full, k, largest=False, rows=None):
    """By a full sort of each row, or of some: NaN never, ties by index."""
    n = len(full)
    indices, values = np.full((n, k), -1), np.zeros((n, k), full.dtype)
    if values.dtype.kind == "f":
        values[...] = np.nan
    for i in range(n) if rows is None else rows:
        row = full[i].tolist()
        others = [j for j in range(n) if j != i and row[j] == row[j]]
        others.sort(key=lambda j: (-row[j] if largest else row[j], j))
        for place, j in enumerate(others[:k]):
            indices[i, place], values[i, place] = j, full[i, j]
    return indices, values
