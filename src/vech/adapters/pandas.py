"""Stores as pandas data frames."""

from __future__ import annotations

from typing import Any

from vech.arrays import Array
from vech.store import Pairs, Store

try:
    import pandas
except ModuleNotFoundError as missing:
    reason = "data frames need pandas: pip install pandas"
    raise ModuleNotFoundError(reason, name="pandas") from missing

__all__ = ["to_frame"]


def __dir__() -> list[str]:
    return __all__


def to_frame(store: Store) -> pandas.DataFrame:
    """Expands the matrix into a data frame, its labels on both axes.

    Parameters
    ----------
    store : Store
        Any store; without labels, rows and columns are numbered.

    Returns
    -------
    pandas.DataFrame, shape (n, n)

    Raises
    ------
    MemoryError
        If the full matrix is larger than memory and swap together, before anything is allocated.

    Examples
    --------
    >>> import numpy as np
    >>> import vech
    >>> to_frame(vech.Packed(np.array([1.0, 0.5, 2.0]), labels=["A", "B"]))
         A    B
    A  1.0  0.5
    B  0.5  2.0
    """
    labels = None if store.labels is None else pandas.Index(list(store.labels))  # of tuples a MultiIndex
    return pandas.DataFrame(store.expand(), index=labels, columns=labels, copy=False)


def pairs_frame(pairs: Pairs) -> pandas.DataFrame:
    """The pairs of a matrix in columns i, j and value, by their labels where there are any."""
    axes = {"i": pairs.i, "j": pairs.j}
    if pairs.labels is not None:
        labels = pandas.Index(list(pairs.labels), tupleize_cols=False)
        axes = {name: labels.take(at) for name, at in axes.items()}
    return pandas.DataFrame({**axes, "value": pairs.value})


def coordinates_frame(coordinates: Array, labels: tuple[Any, ...] | None, name: str) -> pandas.DataFrame:
    """Coordinates in columns of a name and a number from 1 on, by the labels of rows where there are any."""
    index = None if labels is None else pandas.Index(list(labels), tupleize_cols=False)
    columns = [f"{name}{column + 1}" for column in range(coordinates.shape[1])]
    return pandas.DataFrame(coordinates, index=index, columns=columns)
