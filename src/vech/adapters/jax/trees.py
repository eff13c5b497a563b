"""Layouts and stores as pytrees: a layout is a part of the structure, the half of a store a leaf."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import numpy as np

from vech.adapters.jax.foreign import CLASSES
from vech.packed.packed import Packed


@lru_cache(maxsize=1)
def register() -> None:
    """Tell JAX; a second time would be an error."""
    for layout in CLASSES.values():
        jax.tree_util.register_static(layout)
    jax.tree_util.register_pytree_with_keys(Packed, _with_keys, _unflattened, _flattened)


def _flattened(store: Packed) -> tuple[tuple[Any], Any]:
    return (store._half,), (store.layout, store.kind, store.n, store.labels)


def _with_keys(store: Packed) -> tuple[tuple[Any], Any]:
    [half], rest = _flattened(store)
    return ((jax.tree_util.GetAttrKey("half"), half),), rest


def _unflattened(rest: Any, leaves: Any) -> Packed:
    """The store of a half, whatever stands for it: JAX puts tracers, flags and nothing at all in its place.

    An array of JAX that holds numbers becomes one of NumPy, without a copy on the processor.
    """
    layout, kind, n, labels = rest
    [half] = leaves
    if isinstance(half, jax.Array) and not isinstance(half, jax.core.Tracer):
        half = np.asarray(half)
    if isinstance(half, np.ndarray) and half.ndim == 1 and half.size == layout.length(n):
        return Packed(half, layout, kind=kind, labels=labels)
    store = object.__new__(Packed)
    store.__dict__.update(
        _half=half, _map=None, _layout=layout, _kind=kind, _n=n, _labels=labels, _direct=False
    )
    return store
