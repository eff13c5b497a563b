"""What maps are made of: distances, affinities and kernels, asked for once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from vech.arrays import Array, family
from vech.embedding.tiles import Tiles
from vech.layouts.layout import as_integer
from vech.linalg.checks import as_packed, is_sparse
from vech.linalg.units import power_of_two
from vech.store import Store


def real_store(S: Any, task: str) -> Store:
    """A store of real symmetric numbers, or a full matrix as one; TypeError for all else."""
    store: Store = S if isinstance(S, Store) else as_packed(S, task)
    if store.kind != "symmetric" or family(store.dtype) not in "biuf":
        what = store.kind if store.kind != "symmetric" else store.dtype
        raise TypeError(f"{task} takes real symmetric matrices, and S is {what}")
    return store


def dimensions(k: Any, task: str, n: int, most: int) -> int:
    """How many coordinates, 1 to `most`."""
    if not 1 <= as_integer("k", k) <= most:
        raise ValueError(f"{task} finds 1 to {most} coordinates of {n} rows, not k = {k}")
    return int(k)


def read(S: Store, threads: int | None, fits: Callable[[Array], Array], reason: str) -> Tiles:
    """The tiles of a store in units of its largest number; ValueError naming the first one that does not fit.

    Takes one pass.
    """
    tiles, largest = Tiles(S, threads), 0.0
    for rows, columns, numbers in tiles.each():
        good = fits(numbers)
        if not good.all():
            i, j = np.argwhere(~good)[0]
            raise ValueError(f"S[{rows.start + i}, {columns.start + j}] is {numbers[i, j]}: {reason}")
        largest = max(largest, float(np.abs(numbers).max()))
    tiles.unit = power_of_two(largest) or 1.0
    return tiles


def distances(S: Store, task: str, threads: int | None) -> Tiles:
    """The tiles of distances: zero on the diagonal, finite, none negative."""
    for i in np.flatnonzero(S.diagonal() != 0)[:1]:
        way_out = (
            "set_diagonal(0) where it is meant" if S.diagonal()[i] == S.diagonal()[i] else "fill it first"
        )
        raise ValueError(f"S[{i}, {i}] is {S.diagonal()[i]}, and a distance to itself is 0: {way_out}")
    return read(S, threads, _not_negative, f"{task} needs distances, finite and not negative")


def affinities(S: Store, threads: int | None) -> float:
    """Refuse what is no affinity; the unit of the others."""
    reason = "affinities are finite and not negative, and larger where rows are nearer"
    if not is_sparse(S):
        return read(S, threads, _not_negative, reason).unit
    stored = S.to_coo(part="lower")
    for k in np.flatnonzero(~_not_negative(stored.data))[:1]:
        raise ValueError(f"S[{stored.row[k]}, {stored.col[k]}] is {stored.data[k]}: {reason}")
    return power_of_two(float(stored.data.max(initial=0))) or 1.0


def finite(S: Store, task: str, threads: int | None) -> Tiles:
    """The tiles of finite numbers."""
    return read(S, threads, np.isfinite, f"{task} needs finite numbers")


def _not_negative(numbers: Array) -> Array:
    return np.asarray((numbers >= 0) & (numbers < np.inf))
