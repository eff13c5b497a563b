"""Stores as lazy arrays of dask: a block is read when it is computed, by its place in the matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np

from vech.arrays import Array, Dtype
from vech.store import Store

__all__ = ["to_dask_array"]

USUAL = 4096
"""Rows of a block, unless told: 134 MB of float64, as dask advises."""


def __dir__() -> list[str]:
    return __all__


def to_dask_array(store: Store, chunk: int | None = None) -> Any:
    """The full matrix as a ``dask.array``, of which nothing is read before it is computed.

    Parameters
    ----------
    store : Store
        Any store.
    chunk : int, optional
        Rows and columns of a block: 4096 unless told.

    Returns
    -------
    dask.array.Array, shape (n, n)
        In square blocks, smaller at the end.

    Raises
    ------
    ImportError
        Where dask is missing.
    ValueError, TypeError
        For a `chunk` that is no positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> import vech
    >>> A = to_dask_array(vech.Packed(np.array([1.0, 0.5, 2.0])), 1)
    >>> A.chunks, A.sum().compute()
    (((1, 1), (1, 1)), np.float64(4.0))
    """
    side = min(USUAL, max(1, store.n)) if chunk is None else chunk
    if not isinstance(side, int | np.integer) or isinstance(side, bool):
        raise TypeError(f"chunk must be an integer, the rows of a block, not {chunk!r}")
    if side < 1:
        raise ValueError(f"chunk is {chunk}, and a block has at least one row")
    return lazy(partial(_block, store, int(side)), store.n, int(side), store.dtype)


def lazy(read: Callable[[int, int], Array], n: int, side: int, dtype: Dtype) -> Any:
    """A square array whose block (i, j) is ``read(i, j)``."""
    try:
        from dask import array
    except ImportError:
        raise ImportError('lazy arrays need dask: pip install "vech[dask]"') from None
    if n == 0:
        return array.zeros((0, 0), dtype=dtype)
    chunks = tuple(min(side, n - first) for first in range(0, n, side))
    return array.map_blocks(  # type: ignore[no-untyped-call]
        _Read(read),
        chunks=(chunks, chunks),
        dtype=dtype,
        meta=np.empty((0, 0), dtype),
        name=f"vech-{uuid4().hex}",  # a cluster that keeps results never takes old numbers for new ones
    )


class _Read:
    """What dask calls for each block; by its number alone, since `block_info` would list all blocks."""

    def __init__(self, read: Callable[[int, int], Array]) -> None:
        self.read = read

    def __call__(self, *, block_id: tuple[int, int]) -> Array:
        return self.read(*block_id)


def _block(store: Store, side: int, i: int, j: int) -> Array:
    rows, columns = (slice(k * side, min((k + 1) * side, store.n)) for k in (i, j))
    return store.block(rows, columns)
