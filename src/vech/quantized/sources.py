"""What is quantized: any store of real numbers, read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from vech import frames
from vech.arrays import Array, Dtype, as_array, family, is_array
from vech.derived.tiles import lower
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.packed.packed import Packed
from vech.store import Store, Tile, way_to_store

BLOCK, IN_PLACE = 512, 2048
"""Rows and columns read at a time, or used where they lie: whole tiles of every side."""


def is_matrix(S: Any) -> bool:
    """Whether it is one matrix, not several: a list is one where its rows are numbers."""
    if isinstance(S, list | tuple):
        return bool(S) and np.ndim(S[0]) == 1 and not isinstance(S[0], Store)
    return isinstance(S, Store) or frames.is_sparse(S) or (is_array(S) and np.ndim(S) == 2)


def as_source(S: Any, name: str = "S") -> Store:
    """Any store, or the store of a full matrix, if its numbers are real; TypeError for all else."""
    store: Store = S if isinstance(S, Store) else _store_of(S, name)
    letter = family(store.dtype)
    if letter == "c":
        raise TypeError(
            f"{name} is {store.dtype}, and codes are of real numbers: quantize its real and imaginary parts, "
            f"S.real and S.imag of a Packed"
        )
    if letter in "Mm":
        raise TypeError(f"{name} holds {store.dtype}, and codes are of numbers: astype(float) first")
    return store


def _store_of(S: Any, name: str) -> Store:
    if way_out := way_to_store(S):
        raise TypeError(f"{name} is a {type(S).__name__}, which has a matrix in it: {way_out}")
    if not frames.is_sparse(S):
        if not is_array(S):
            raise TypeError(
                f"{name} must be a store or a full matrix, not {type(S).__name__}: "
                f"quantize(vech.Packed(half, layout)) is of a half"
            )
        if (shape := as_array(S, name).shape) != (*shape[:1], *shape[:1]) or len(shape) != 2:
            way_out = (
                "quantize(vech.Packed(half, layout)) is of a half" if len(shape) == 1 else "one matrix a call"
            )
            raise ValueError(f"{name} has shape {shape}, and a full matrix is square: {way_out}")
        if family(as_array(S, name).dtype) == "c":
            raise TypeError(
                f"{name} is complex, and codes are of real numbers: quantize {name}.real and {name}.imag"
            )
    store: Store = Packed.from_full(S)
    return store


def number_dtype(dtype: Dtype) -> Dtype:
    """The dtype of the numbers that codes of these give."""
    is_narrow = family(dtype) == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if is_narrow else np.float64)


def blocks(S: Store) -> Iterator[Tile]:
    """The lower triangle in blocks; of a store of nonzeros alone, rows at a time, which it reads once."""
    if S.describe().triangle is None:
        yield from S.tiles(BLOCK)
        return
    rows = None
    for here, columns in lower(S.n, BLOCK):
        if columns.start == 0:
            rows = S.expand(here)
        assert rows is not None, "a row of blocks begins at the first column"
        yield Tile(here, columns, rows[:, columns])


class InPlace(NamedTuple):
    """The numbers of a half whose runs are rows of the lower triangle, or columns of it."""

    half: Array
    grow: bool
    stored: bool


def in_place(S: Store, dtype: Dtype) -> InPlace | None:
    """The half of a store that is one, if its numbers need no change to become codes."""
    layout = S.describe().layout
    if not isinstance(layout, Layout) or layout.scaled or S.dtype != dtype or not S.dtype.isnative:
        return None
    half = np.asarray(getattr(S, "half", None))
    fits = half.flags.c_contiguous and (layout.triangle == "lower" or S.kind == Kind.SYMMETRIC)
    return InPlace(half, layout.grow, layout.diagonal == "stored") if fits else None


def check_finite(numbers: Array, rows: slice, columns: slice) -> None:
    """Refuse NaN and infinity; the first is named."""
    finite = np.isfinite(numbers)
    if not finite.all():
        for i, j in np.argwhere(~finite):
            if rows.start + i >= columns.start + j:
                where = f"S[{rows.start + i}, {columns.start + j}]"
                raise ValueError(f"{where} is {numbers[i, j]}: codes are of finite numbers")
