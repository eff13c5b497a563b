"""A sparse half as a linear operator that has chosen, once, between the half and the full matrix."""

import operator
from functools import lru_cache
from typing import Any

import numpy as np

from vech import _core
from vech.arrays import Array
from vech.layouts.kind import Kind
from vech.sparse.arrays import Arrays

# Products of a dtype without a kernel from which on making the full matrix pays. Making it costs what so many
# products gain (int16 and int64, 1 and 8 columns): 0.2 to 0.5 for 7-point rows and for one dense row, 0.8 to
# 1.3 for a random pattern, 1.3 to 2.7 for a power law.
WORTH_IT = 2

# Of a dtype with a kernel: rows of so few stored numbers, each row's near those of the one above, in a full
# matrix that the caches hold. Two to four numbers a row: 0.46 to 0.9 of SciPy's product with the full matrix,
# which is made in what 6 to 24 products gain; five and more, or beyond 12 MB: 0.9 to 2. Where rows jump,
# 1.1 to 1.8 at any length.
SHORT, CACHED, REPAID, JUMPY = 4, 12e6, 16, 0.5


def snapshot(store: Any, has_kernel: bool, expected: int | None) -> Any:
    """The operator of a copy of the store; see `SparseHalf.operator`."""
    count = _count(expected)
    if has_kernel and (count is None or count >= REPAID) and _is_short(store):
        reason = (
            f"at most {SHORT} stored numbers a row, in a small matrix, are too few for the half to save time"
        )
        return _class()(_full(store), "full", reason)
    if has_kernel:
        return _class()(store.copy(), "half", f"{store.dtype} has a kernel, which reads each number once")
    if count is not None and count < WORTH_IT:
        reason = f"{count} products are fewer than pay for the full matrix of {store.dtype}"
        return _class()(store.copy(), "half", reason)
    return _class()(
        _full(store), "full", f"{store.dtype} has no kernel, and SciPy multiplies full matrices faster"
    )


def _is_short(store: Any) -> bool:
    size = (2 * store.nnz + store.n) * (4 + store.dtype.itemsize)
    if store.nnz > SHORT * store.n or size > CACHED:
        return False
    held = store._stored()
    return _core.jumps(held.indptr, held.indices, held.n) < JUMPY


def _full(store: Arrays) -> Any:
    full = store.to_csr()
    if store.kind is not Kind.SYMMETRIC:
        rows = np.repeat(np.arange(full.shape[0]), np.diff(full.indptr))
        on = rows == full.indices
        full.data[on] = store.kind.settled(full.data[on])
    return full


def _count(expected: int | None) -> int | None:
    if expected is None:
        return None
    try:
        count = operator.index(expected)
    except TypeError:
        raise TypeError(f"expected must be a count of products or None, not {expected!r}") from None
    if count < 0:
        raise ValueError(f"expected must be 0 or more, not {count}")
    return count


@lru_cache(maxsize=1)
def _class() -> Any:
    """The class of these operators: SciPy's base class is imported no earlier than it is needed."""
    from scipy.sparse.linalg import LinearOperator

    class SparseOperator(LinearOperator):  # type: ignore[misc]
        """`uses` says what is multiplied, "half" or "full", and `reason` why."""

        def __init__(self, matrix: Any, uses: str, reason: str) -> None:
            super().__init__(matrix.dtype, matrix.shape)
            self._matrix, self.uses, self.reason = matrix, uses, reason

        def _matvec(self, x: Array) -> Array:
            product: Array = self._matrix @ x
            return product

        _matmat = _matvec

        def _rmatvec(self, x: Array) -> Array:
            half = self.uses == "half"
            product: Array = self._matrix.rmatvec(x) if half else (self._matrix.T @ x.conj()).conj()
            return product

        _rmatmat = _rmatvec

        def __repr__(self) -> str:
            n = self.shape[0]
            return f"<{n}x{n} SparseOperator of {self.dtype}, uses the {self.uses}: {self.reason}>"

    return SparseOperator
