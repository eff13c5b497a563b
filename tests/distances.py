"""Distances to be clustered or embedded: hard data, and every kind of store that holds them."""

import numpy as np
from scipy.spatial.distance import pdist, squareform

import cases
import vech
from test_third_store import Rows

SIZES = (0, 1, 2, 3, 17, 100)


def points(n, columns=3, seed=0):
    """Some groups of points, and some between them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, columns)) * 6
    return centres[rng.integers(0, 4, n)] + rng.normal(size=(n, columns)) * rng.choice([0.5, 1, 4], (n, 1))


def full(n, seed=0):
    return squareform(pdist(points(n, seed=seed))) if n > 1 else np.zeros((n, n))


def stores(matrix):
    """The same distances in every kind of store, by name."""
    held = {}
    for name in ("vech", "numpy-tril", "condensed", "strict-tril", "svec-upper", "lapack-rfp-nl"):
        layout = vech.as_layout(name)
        if cases.fits(layout, matrix.dtype, "symmetric", len(matrix)):
            held[name] = vech.Packed(vech.pack(matrix, layout), layout)
    held["third"] = Rows(matrix, "symmetric")
    return held
