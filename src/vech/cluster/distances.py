"""The door for distances: which stores and matrices clusters are made of."""

from typing import Any

import numpy as np

from vech.arrays import family
from vech.linalg.checks import as_packed
from vech.store import Store


def as_distances(S: Any, task: str) -> Store:
    """A real symmetric store whose diagonal is zero, or a full matrix as one; an error for others.

    Sparse stores are let in nowhere that calls this: numbers that they do not hold would be distances of 0.
    """
    store: Store = S if isinstance(S, Store) else as_packed(S, task)
    if store.describe().triangle is not None:
        raise TypeError(
            f"{task} takes every distance, and a {type(store).__name__} holds some: those that it leaves out "
            f"are zeros, so {task}(S.to_packed()) if that is how far apart these rows are"
        )
    if store.kind != "symmetric" or family(store.dtype) not in "biuf":
        what = (
            store.kind
            if store.kind != "symmetric"
            else "complex"
            if family(store.dtype) == "c"
            else store.dtype
        )
        raise TypeError(f"{task} takes distances, which are real and symmetric, and S is {what}")
    diagonal = store.diagonal()
    for i in np.flatnonzero(diagonal != np.zeros(1, diagonal.dtype))[:1]:
        raise ValueError(
            f"S[{i}, {i}] is {diagonal[i]}, and the distance of a row to itself is 0: for the others alone, "
            f"{task}(vech.Packed(S.to_condensed(drop_diagonal=True), 'condensed'))"
        )
    return store
