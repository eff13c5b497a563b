"""Rows by their labels: where a label stands, and what ``S.loc`` takes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = tuple[Any, ...]
Positions = NDArray[np.int64]

COMPARED = 10_000  # labels that a wrong one is compared with: a tenth of a second
NAMED = 3  # rows named where a label repeats


class Loc:
    """Parts of a matrix by label, every row with every column, as pandas' ``loc``."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getitem__(self, key: Any) -> Any:
        rows, columns = self._axes(key)
        if isinstance(rows, int) and isinstance(columns, int) and hasattr(self._store, "__getitem__"):
            return self._store[rows, columns]
        block = self._store.block(np.atleast_1d(rows), np.atleast_1d(columns))
        taken = tuple(0 if isinstance(axis, int) else slice(None) for axis in (rows, columns))
        return block[taken]

    def __setitem__(self, key: Any, value: Any) -> None:
        rows, columns = self._axes(key)
        if not hasattr(self._store, "__setitem__"):
            raise TypeError(
                f"a {type(self._store).__name__} takes no assignment: assign to S.to_packed(), "
                f"which stores every number"
            )
        if not isinstance(rows, int) and not isinstance(columns, int):
            rows = rows[:, None]
        self._store[rows, columns] = value

    def __repr__(self) -> str:
        return f"{self._store!r}.loc"

    def _axes(self, key: Any) -> tuple[Any, Any]:
        labels = self._store.labels
        if isinstance(key, tuple) and not _is_label(key, labels):
            if len(key) > 2:
                raise IndexError(f"a matrix has 2 axes, but {len(key)} were indexed")
            rows, columns = [*key, slice(None), slice(None)][:2]
        else:
            rows, columns = key, slice(None)
        n = self._store.n
        return positions(rows, labels, n), positions(columns, labels, n)


def by_position(key: Any, labels: Labels | None) -> Any:
    """A key of ``S[...]`` with positions for its labels: for all that is neither number nor mask."""
    if not _names(key):
        return key
    if labels is None:
        raise IndexError(
            f"an index is made of integers, slices and masks: there are no labels to find {key!r} by"
        )
    n = len(labels)
    parts = (key,) if not isinstance(key, tuple) or _is_label(key, labels) else key
    found = [_position(part, labels, n) if _names(part) else part for part in parts]
    return tuple(found) if isinstance(key, tuple) else found[0]


def _position(part: Any, labels: Labels, n: int) -> Any:
    if isinstance(part, slice):
        return _range(part, labels, n)
    at = positions(part, labels, n)
    if np.size(at) != (len(part) if _is_several(part, labels) else 1):
        raise KeyError(f"{part!r} begins several labels, and is none: S.loc takes all of them")
    return at


def positions(key: Any, labels: Labels | None, n: int) -> int | Positions:
    """Where labels stand: a number for one; a vector for several, a slice, a mask, or what begins tuples."""
    if isinstance(key, np.ndarray) and key.ndim == 0:
        key = key[()]
    if key is Ellipsis or (isinstance(key, slice) and key == slice(None)):
        return np.arange(n)
    if (mask := _mask(key, labels, n)) is not None:
        return np.flatnonzero(mask)
    if labels is None:
        raise KeyError(
            f"there are no labels, so none is {key!r}: S[i, j] takes positions, and Packed takes labels="
        )
    if isinstance(key, slice):
        return np.arange(n)[_range(key, labels, n)]
    if not _is_several(key, labels):
        return _place(key, labels)
    found = [_place(label, labels) for label in key]
    return np.concatenate([np.zeros(0, np.int64), *map(np.atleast_1d, found)])


def _range(key: slice, labels: Labels, n: int) -> slice:
    """A slice from one label to another, both of them in it, by position."""
    step = key.step
    if step is not None and not (hasattr(step, "__index__") and step > 0):
        raise IndexError(f"a slice of labels has a positive step, not {step!r}")
    first, last = (
        end if label is None else int(np.atleast_1d(_place(label, labels))[at])
        for label, end, at in ((key.start, 0, 0), (key.stop, n - 1, -1))
    )
    return slice(first, last + 1, step)


def _place(label: Any, labels: Labels) -> int | Positions:
    """Where a label stands; where labels are tuples, all that begin with it."""
    try:
        places, repeated = _places(labels)
        if label not in places:
            label = _plain(label)
        at = places.get(label)
    except TypeError:
        raise TypeError(f"{label!r} cannot be looked up: it, or a label of the store, has no hash") from None
    if at is None:
        begin = label if isinstance(label, tuple) else (label,)
        within = [k for k, of in enumerate(labels) if isinstance(of, tuple) and of[: len(begin)] == begin]
        if not within:
            raise KeyError(f"no row is labelled {label!r}{_nearest(label, labels)}")
        return np.array(within, np.int64)
    if label in repeated:
        rows = [k for k, other in enumerate(labels) if other == label]
        named = ", ".join(map(str, rows[:NAMED])) + (", ..." if len(rows) > NAMED else "")
        raise ValueError(
            f"{len(rows)} rows are labelled {label!r}, {named}: say which by its position, S[i, j]"
        )
    return at


@lru_cache(maxsize=4)  # labels do not change: S["a", "b"] need not read all of them each time
def _places(labels: Labels) -> tuple[dict[Any, int], set[Any]]:
    """Where each label stands first, and which stand more than once."""
    places: dict[Any, int] = {}
    repeated = set()
    for k, label in enumerate(labels):
        if places.setdefault(label, k) != k:
            repeated.add(label)
    return places, repeated


def _nearest(label: Any, labels: Labels) -> str:
    """The label that may have been meant: the least different number or date, else the most similar text."""
    some = labels[:COMPARED]
    try:
        near = [min(some, key=lambda other: abs(other - label))]
    except (TypeError, ValueError, ArithmeticError):
        if isinstance(label, Number):
            return ": labels are no numbers here, and S[i, j] takes positions"
        texts = [str(other) for other in some]
        folded = [text.casefold() for text in texts]
        close = difflib.get_close_matches(str(label).casefold(), folded, n=1, cutoff=0.5)
        near = [some[folded.index(text)] for text in close]
    if near:
        return f": did you mean {near[0]!r}?"
    shown = ", ".join(repr(other) for other in labels[:NAMED])
    return f": labels are {shown}{', ...' if len(labels) > NAMED else ''}"


def _mask(key: Any, labels: Labels | None, n: int) -> NDArray[np.bool] | None:
    """Truth values for each row, or None; those of a series go to the rows of its own labels."""
    if not isinstance(key, list) and not hasattr(key, "__array__"):
        return None
    if isinstance(key, list) and not all(isinstance(each, bool | np.bool) for each in key):
        return None
    array = np.asarray(key)
    if array.dtype != np.bool or array.ndim != 1 or not array.size:
        return None
    if array.size != n:
        raise IndexError(f"a mask has {array.size} truth values, but there are {n} rows")
    index = getattr(key, "index", None)
    if labels is None or index is None or callable(index):
        return array
    order = np.atleast_1d(positions(list(index), labels, n))
    if not np.array_equal(np.sort(order), np.arange(n)):
        raise IndexError(
            "the index of a mask does not hold each label once: pass mask.to_numpy() for a mask by position"
        )
    mask = np.empty(n, np.bool)
    mask[order] = array
    return mask


def _names(part: Any) -> bool:
    """Whether a part of a key of ``S[...]`` holds labels; numbers are positions."""
    if part is None or part is Ellipsis or isinstance(part, Number | np.bool | range):
        return False
    if isinstance(part, slice):
        return any(_names(bound) for bound in (part.start, part.stop))
    if isinstance(part, list | tuple):
        return any(_names(each) for each in part)
    if isinstance(part, np.ndarray) or hasattr(part, "__array__"):
        array = np.asarray(part)
        return array.dtype.kind in "SUTMm" or (array.dtype == object and any(map(_names, array.ravel())))
    return not hasattr(part, "__index__")


def _is_several(key: Any, labels: Labels) -> bool:
    if isinstance(key, str | bytes) or not isinstance(key, Iterable):
        return False
    if not isinstance(key, tuple):
        return True
    return not _is_label(key, labels) and not any(isinstance(of, tuple) for of in labels)


def _is_label(key: Any, labels: Labels | None) -> bool:
    """Whether a tuple is itself a label, and so no pair of a row and a column."""
    try:
        return labels is not None and key in _places(labels)[0]
    except TypeError:
        return False


def _plain(label: Any) -> Any:
    """A NumPy scalar as labels hold it: as a number, text or date of Python's, where that loses nothing."""
    if isinstance(label, np.datetime64):
        coarse = label.astype("M8[us]")
        return coarse.item() if coarse == label else label
    return label.item() if isinstance(label, np.generic) else label
