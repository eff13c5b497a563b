"""Matrices of six kinds for the tests of quantized ones, and sources that hold them."""

from functools import cache

import numpy as np
import scipy.sparse

import cases
import vech


def wishart(n, rng):
    X = rng.normal(size=(2 * n + 2, n))
    return X.T @ X / len(X)


def spiked(n, rng):
    return np.eye(n) + 5 * np.multiply.outer(u := rng.normal(size=n), u)


def decaying(n, rng):
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return (Q * 10.0 ** -np.linspace(0, 6, n)) @ Q.T


def block(n, rng):
    groups = rng.integers(0, 3, n)
    return np.where(np.equal.outer(groups, groups), 0.8, 0.0) + 0.2 * np.eye(n)


def tiny(n, rng):
    return 1e-30 * wishart(n, rng)


def zero(n, rng):
    return np.zeros((n, n))


KINDS = {f.__name__: f for f in (wishart, spiked, decaying, block, tiny, zero)}
SIZES = (1, 2, 63, 64, 65, 127, 200)


def matrix(kind, n, dtype=np.float64):
    """Exactly symmetric."""
    full = _drawn(kind, n).astype(dtype)
    return np.tril(full) + np.tril(full, -1).T


@cache  # the same under every target, and 4 MB in all
def _drawn(kind, n):
    return KINDS[kind](n, cases.generator(kind, n))


def integers(n, most=7, dtype=np.float64, kind="symmetric", salt=0):
    """Whole numbers from -most to most, of which each tile has the largest: codes of steps of 1 hold them."""
    full = cases.generator("integers", n, most, salt).integers(-most, most + 1, (n, n)).astype(dtype)
    for i in range(0, n, 32):
        for j in range(0, n, 32):
            full[min(i + 31, n - 1), j] = most
    sign = -1 if kind == "skew" else 1
    full = np.tril(full, -1) + sign * np.tril(full, -1).T
    if kind != "skew":
        full[np.diag_indices(n)] = np.arange(n) * 0.5 - 3
    return full


SOURCES = {
    "array": lambda full: full,
    "fortran": np.asfortranarray,
    "vech": vech.Packed.from_full,
    "numpy-tril": lambda full: vech.Packed.from_full(full, "numpy-tril"),
    "lapack-upper": lambda full: vech.Packed.from_full(full, "lapack-upper"),
    "sparse": lambda full: vech.SparseHalf.from_sparse(scipy.sparse.csr_array(full)),
}
