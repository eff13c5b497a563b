"""The lower half of a whole sparse matrix, after a check that its values and positions are symmetric."""

from typing import Any

import numpy as np

from vech.arrays import Array, check_memory, epsilon, mirror_values, resolve_kind
from vech.sparse import SparseHalf
from vech.values import largest, worst

ROW_BYTES = 34
"""Memory that each row takes while a sparse half is made, measured with 100 million of them."""


def sparse_half(matrix: Any, kind: str | None) -> SparseHalf:
    """Keep the lower triangle of a sparse matrix, as the rule of use="both" says for dense ones.

    Duplicates are summed first. |a_ij - mirror(a_ji)| <= n eps max|A| over the finite entries (0 for integers
    and bool) must hold, an entry that is not stored being zero; infinities equal, NaN with NaN.

    Raises
    ------
    ValueError
        Not square; not symmetric: the worst (i, j) with both values.
    MemoryError
        More rows than memory can hold.
    OverflowError
        The smallest integer in a skew matrix, which has no negative.
    """
    from scipy.sparse import csr_array, tril, triu

    n, columns = matrix.shape
    if n != columns:
        raise ValueError(f"a sparse matrix of shape {matrix.shape} is not square")
    check_rows(n)
    full = csr_array(matrix)
    full.sum_duplicates()
    kind = resolve_kind(kind, full.dtype, moves=False)
    if "skew" in kind and full.dtype.kind == "i" and np.any(full.data == np.iinfo(full.dtype).min):
        raise OverflowError(
            f"a {kind} matrix cannot hold {np.iinfo(full.dtype).min} of {full.dtype}: astype first"
        )
    lower = csr_array(tril(full, format="csr"))
    other = csr_array(triu(full, format="csr").T)
    other.data = mirror_values(other.data, kind)
    lower.sum_duplicates()
    other.sum_duplicates()
    if not _same(lower, other):
        _check(lower, other, n, kind)
    return SparseHalf(lower.indptr, lower.indices, lower.data, n, triangle="lower", kind=kind)


def check_rows(n: int) -> None:
    """Refuse more rows than a sparse half, or memory, can hold."""
    if n >= 2**31:
        raise ValueError(f"has {n:,} rows, and a sparse half has {2**31 - 1:,} at most")
    check_memory(ROW_BYTES * n, f"{ROW_BYTES} bytes for each of {n:,} rows: leave empty rows out")


def _same(a: Any, b: Any) -> bool:
    return (
        np.array_equal(a.indptr, b.indptr)
        and np.array_equal(a.indices, b.indices)
        and bool(np.all((a.data == b.data) | (a.data != a.data) & (b.data != b.data)))
    )


def _check(lower: Any, other: Any, n: int, kind: str) -> None:
    """Compare entry by entry over the union of both patterns."""
    places = [_places(half, n) for half in (lower, other)]
    union = np.union1d(*places)
    a, b = np.zeros((2, len(union)), lower.dtype)
    a[np.searchsorted(union, places[0])] = lower.data
    b[np.searchsorted(union, places[1])] = other.data
    a, b = a[None], b[None]
    bound = n * epsilon(a.dtype) * np.maximum(largest(a), largest(b)) if epsilon(a.dtype) else np.zeros(1)
    if (found := worst(a, b, bound)) is not None:
        i, j = divmod(int(union[found[1]]), n)
        upper = mirror_values(b[found], kind)
        raise ValueError(
            f"not {kind}: ({i}, {j}) is {a[found]} and ({j}, {i}) is {upper}, more than {bound[0]:g} apart"
        )


def _places(half: Any, n: int) -> Array:
    rows = np.repeat(np.arange(n, dtype=np.int64), np.diff(half.indptr))
    places: Array = rows * n + half.indices
    return places
