"""Patterns of sparse symmetric matrices, and matrices and halves that have them."""

import numpy as np

import cases
import vech


def _banded(n, rng):
    i, j = np.indices((n, n))
    return np.isin(i - j, (0, 1, 5))


def _block(n, rng):
    i, j = np.indices((n, n))
    return i // 6 == j // 6


def _power_law(n, rng):
    i, j = np.indices((n, n))
    return rng.random((n, n)) < 1.5 / (1 + np.minimum(i, j)) + (i == j)


def _random(n, rng):
    return rng.random((n, n)) < 0.15


def _empty_rows(n, rng):
    keep = rng.random(n) < 0.4
    return _random(n, rng) & keep[:, None] & keep


def _dense_row(n, rng):
    i, j = np.indices((n, n))
    return (i == j) | (i == n // 2) | (j == n // 2)


def _no_diagonal(n, rng):
    return _random(n, rng) & ~np.eye(n, dtype=bool)


PATTERNS = {
    "banded": _banded,
    "block": _block,
    "power-law": _power_law,
    "random": _random,
    "empty-rows": _empty_rows,
    "one-dense-row": _dense_row,
    "diagonal-missing": _no_diagonal,
    "diagonal-only": lambda n, rng: np.eye(n, dtype=bool),
    "nothing": lambda n, rng: np.zeros((n, n), bool),
    "everything": lambda n, rng: np.ones((n, n), bool),
}
NUMBERS = {name: np.dtype(name) for name in ("bool", "i1", "u2", "i8", "f4", "f8", "c8", "c16")}


def places(pattern, n, *, salt=0):
    """Which places of the full matrix are stored: the same in both triangles."""
    lower = np.tril(PATTERNS[pattern](n, cases.generator(pattern, n, salt)))
    return lower | lower.T


def matrix(pattern, kind, dtype, n, *, salt=0):
    """A full matrix of its kind, zero where nothing is stored, and here and there where something is."""
    lower = np.tril(cases.matrix(dtype, kind, n, salt=salt), -1)
    lower[cases.generator("stored zeros", n, salt).random((n, n)) < 0.1] = 0
    full = lower + mirrored(lower, kind).T
    np.fill_diagonal(full, np.diagonal(cases.matrix(dtype, kind, n, salt=salt)))
    return np.where(places(pattern, n, salt=salt), full, np.zeros(1, dtype))


def mirrored(numbers, kind):
    """What numbers become in the other triangle."""
    numbers = numbers.conj() if kind.endswith("hermitian") else numbers
    return -numbers if kind.startswith("skew") else numbers


def csr(full, stored):
    """(indptr, indices, data) of the places that are stored."""
    rows, columns = np.nonzero(stored)
    return np.searchsorted(rows, np.arange(len(full) + 1)), columns, full[rows, columns]


def half(full, stored, triangle, kind, **more):
    """The store of a full matrix, of one triangle of the places that are stored."""
    side = np.tril(stored) if triangle == "lower" else np.triu(stored)
    return vech.SparseHalf(*csr(full, side), len(full), triangle=triangle, kind=kind, **more)


def of(pattern, kind, dtype, n, triangle, *, salt=0, **more):
    """A full matrix, the places of it that are stored, and its store."""
    full, stored = matrix(pattern, kind, dtype, n, salt=salt), places(pattern, n, salt=salt)
    return full, stored, half(full, stored, triangle, kind, **more)


def stored_in(store):
    """Which places of the full matrix a store holds."""
    found = np.zeros(store.shape, bool)
    rows, columns = store.to_coo().coords
    found[rows, columns] = True
    return found


def assert_canonical_half(store):
    """Arrays that are one triangle in canonical form, of the index types that stores made by vech have."""
    vech.SparseHalf(
        store.indptr, store.indices, store.data, store.n, triangle=store.triangle, kind=store.kind
    )
    assert store.indptr.dtype == np.int64 and store.indices.dtype == np.int32
