"""Stores as arrays of xarray: labels on both axes, numbers by dask."""

from __future__ import annotations

from typing import Any

from vech.store import Store

__all__ = ["to_xarray"]

DIMS = ("i", "j")
"""Row and column, as in ``S.to_pairs()``: xarray has no two dimensions of one name."""


def __dir__() -> list[str]:
    return __all__


def to_xarray(store: Store, *, name: str | None = None) -> Any:
    """The full matrix as an ``xarray.DataArray``, of which nothing is read before it is computed.

    Parameters
    ----------
    store : Store
        Any store; its labels, where it has some, are the coordinates of both dimensions.
    name : str, optional
        Of the array.

    Returns
    -------
    xarray.DataArray, shape (n, n)
        Of dimensions "i" and "j", over `S.to_dask_array`.

    Raises
    ------
    ImportError
        Where xarray or dask is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import vech
    >>> A = to_xarray(vech.Packed(np.array([1.0, 0.5, 2.0]), labels=["a", "b"]))
    >>> float(A.sel(i="a", j="b"))
    0.5
    """
    try:
        import pandas
        import xarray
    except ImportError:
        raise ImportError('arrays of xarray need it and dask: pip install "vech[xarray]"') from None
    labels = None if store.labels is None else pandas.Index(list(store.labels), tupleize_cols=False)
    coordinates = None if labels is None else dict.fromkeys(DIMS, labels)
    array = xarray.DataArray(store.to_dask_array(), coordinates, DIMS)
    array.name = name  # which would else be that of dask's array
    return array
