"""What maps are made of beside distances: kernels and affinities, judged once; and how many coordinates."""

from typing import Any

import numpy as np

from vech.derived.pairs import panels
from vech.layouts.layout import as_integer
from vech.linalg.checks import as_packed, check_finite, check_numbers, is_sparse
from vech.store import Store


def kernel(S: Any) -> Store:
    """A store of finite numbers, real and symmetric, or a full matrix as one."""
    store = _real(S, "kernel_pca")
    check_finite(store, who="kernel_pca needs")
    return store


def affinities(S: Any) -> Store:
    """The same of numbers none of which is negative; of a sparse store those that it holds are read."""
    store = _real(S, "spectral")
    if is_sparse(store):
        stored = store.to_coo(part="lower")
        for k in np.flatnonzero(~_are_affinities(stored.data))[:1]:
            raise _no_affinity(stored.row[k], stored.col[k], stored.data[k])
        return store
    for start, rows in panels(store):
        good = _are_affinities(rows)
        if not good.all():
            i, j = np.argwhere(~good)[0]
            raise _no_affinity(start + i, j, rows[i, j])
    return store


def coordinates(k: Any, task: str, n: int, most: int) -> int:
    """How many are wanted, 1 to `most`."""
    if not 1 <= as_integer("k", k) <= most:
        raise ValueError(f"{task} finds 1 to {most} coordinates of {n} rows, not k = {k}")
    return int(k)


def _real(S: Any, task: str) -> Store:
    store: Store = S if isinstance(S, Store) else as_packed(S, task)
    check_numbers(store, task)
    if store.kind != "symmetric" or store.dtype.kind == "c":
        what = "complex" if store.kind == "symmetric" else store.kind
        raise TypeError(f"{task} takes real symmetric matrices, and S is {what}")
    return store


def _are_affinities(numbers: Any) -> Any:
    return (numbers >= 0) & (numbers < np.inf)


def _no_affinity(i: int, j: int, value: Any) -> ValueError:
    return ValueError(
        f"S[{i}, {j}] is {value}, and affinities are finite and not negative, larger where rows are nearer: "
        f"S.map(np.abs) or S.map(lambda s: (1 + s) / 2) make some of correlations"
    )
