"""Comparisons that raise and say where: equal bits for moves, a bound for sums."""

import numpy as np
import scipy.sparse

import reference
from cases import tolerance

PARTS = ("full", "lower", "upper")


def assert_same_bits(got, want):
    """Same type, dtype with its byte order, shape, and every bit."""
    assert type(got) is np.ndarray, f"{type(got)} is not a plain ndarray"
    assert got.dtype == want.dtype, f"{got.dtype} instead of {want.dtype}"
    assert got.shape == want.shape, f"shape {got.shape} instead of {want.shape}"
    if got.tobytes() == want.tobytes():
        return
    wrong = [
        k for k, (a, b) in enumerate(zip(reference.items(got), reference.items(want), strict=True)) if a != b
    ]
    where = np.unravel_index(wrong[0], want.shape)
    raise AssertionError(
        f"{len(wrong)} of {want.size} numbers differ, first at {tuple(map(int, where))}: "
        f"{got[where]!r} ({reference.items(got)[wrong[0]].hex()}) instead of "
        f"{want[where]!r} ({reference.items(want)[wrong[0]].hex()})"
    )


def assert_close(got, want, n, magnitude):
    """|got - want| <= tolerance(dtype, n) * magnitude, the sum of all |a| |x| that went into it."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype, f"{got.dtype} instead of {want.dtype}"
    assert got.shape == want.shape, f"shape {got.shape} instead of {want.shape}"
    error = np.abs(got.astype(np.complex128) - want.astype(np.complex128))
    bound = tolerance(got.dtype, n) * np.abs(magnitude)
    assert np.all(error <= bound), f"error {np.max(error - bound)} beyond the bound, at n = {n}"


def assert_canonical(matrix):
    """A SciPy sparse array whose indices are sorted and unique, with the flags that say so."""
    assert matrix.has_canonical_format
    assert matrix.indptr.dtype == matrix.indices.dtype
    line = np.repeat(np.arange(matrix.indptr.size - 1), np.diff(matrix.indptr))
    assert np.all((np.diff(matrix.indices.astype(np.int64)) > 0) | (np.diff(line) > 0))
    if matrix.format in ("csr", "csc"):
        assert matrix.has_sorted_indices


def native(array):
    return array.astype(array.dtype.newbyteorder("="))


def transposed(full, part):
    return full.T, {"full": "full", "lower": "upper", "upper": "lower"}[part]


def assert_equal(got, want):
    """As that of NumPy, which looks for NaN and the like first: 40 us, and 2 us where they are equal."""
    if not np.array_equal(got, want):
        np.testing.assert_array_equal(got, want)
        raise AssertionError(f"{got} instead of {want}")


def assert_same_sparse(matrix, full, part="full"):
    """The nonzeros of a full matrix, or of a triangle, in canonical order, to the bit."""
    assert type(matrix) is getattr(scipy.sparse, f"{matrix.format}_array")
    assert matrix.shape == full.shape
    columns = matrix.format == "csc"
    indptr, indices, data = reference.csr(*(transposed(full, part) if columns else (full, part)))
    if matrix.format == "coo":
        rows = np.repeat(np.arange(len(full)), np.diff(indptr))
        assert matrix.has_canonical_format
        assert_equal(matrix.coords[0], rows)
        assert_equal(matrix.coords[1], indices)
        assert {coordinate.dtype for coordinate in matrix.coords} == {np.dtype(np.int32)}
    else:
        assert_canonical(matrix)
        assert_equal(matrix.indptr, indptr)
        assert_equal(matrix.indices, indices)
        assert matrix.indices.dtype == np.int32
    assert_same_bits(matrix.data, native(data))
