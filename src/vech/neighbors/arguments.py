"""What neighbours are looked for in, and how many."""

from typing import Any

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


def as_count(k: Any, n: int, what: str = "row") -> int:
    """How many neighbours each of n rows is to have."""
    count = as_integer("k", k)
    if not 0 <= count <= max(0, n - 1):
        raise ValueError(f"k is {count}, but each of {n} {what}s has {max(0, n - 1)} others: k is 0 to that")
    return count
