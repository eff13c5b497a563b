"""What neighbours are looked for in, and how many."""

import math
from typing import Any

import numpy as np

from vech.arrays import family
from vech.layouts.layout import as_integer
from vech.linalg.checks import as_packed, check_numbers
from vech.store import Store


def as_store(S: Any, task: str) -> Store:
    """Any store, or a full matrix as one, whose numbers can be compared; TypeError for others."""
    store: Store = S if isinstance(S, Store) else as_packed(S, task)
    check_numbers(store, task)
    if store.kind != "symmetric" or family(store.dtype) == "c":
        what = "complex" if family(store.dtype) == "c" else store.kind
        raise TypeError(f"{task} compares real numbers that are the same both ways, and S is {what}")
    return store


def as_limit(limit: Any, name: str = "limit") -> int | float:
    """What numbers are compared with; ValueError for NaN."""
    number = as_real(limit, name)
    if math.isnan(number):
        raise ValueError(f"{name} is nan, and no number is within that")
    return number


def as_real(value: Any, name: str) -> int | float:
    """A plain number: NumPy compares float32 with such in float32."""
    number = value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{name} must be a real number, not {value!r}")
    if abs(number) < 2**64:
        return number
    try:  # no integer dtype has it, and NumPy compares some with floats alone
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def as_count(k: Any, n: int, what: str = "row") -> int:
    """How many neighbours each of n rows is to have."""
    count = as_integer("k", k)
    if not 0 <= count <= max(0, n - 1):
        raise ValueError(f"k is {count}, but each of {n} {what}s has {max(0, n - 1)} others: k is 0 to that")
    return count
