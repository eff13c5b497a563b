"""Rows by their labels: where a label stands, and what ``S.loc`` takes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.maps import as_read, check_mapped

Labels = tuple[Any, ...]
Positions = NDArray[np.int64]

COMPARED = 2_000  # labels that a wrong one is compared with, letter by letter: a tenth of a second
NAMED = 3  # rows named where a label repeats


def label_text(label: Any) -> str:
    """A label as it is shown: parts of a tuple side by side, midnight as its date."""
    if isinstance(label, tuple):
        return " ".join(map(label_text, label))
    text = str(label)
    return text.removesuffix(" 00:00:00") if hasattr(label, "isoformat") else text


def printable(label: Any) -> str:
    """A label where no letter may act: line ends, controls and turns of direction are escaped."""
    text = label_text(label)
    return text if text.isprintable() else repr(text)[1:-1]


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
        labels, n = self._store.labels, self._store.n
        if labels is None:
            raise KeyError(
                f"there are no labels for {key!r}: S[i, j] takes positions, and S.with_labels(names) has some"
            )
        index = _index(labels)
        if not isinstance(key, tuple) or key in index:
            return index.positions(key), np.arange(n)
        if len(key) > 2:
            raise IndexError(f"a matrix has 2 axes, but {len(key)} were indexed")
        rows, columns = [*key, slice(None), slice(None)][:2]
        return index.positions(rows), index.positions(columns)


def by_position(key: Any, labels: Labels | None) -> Any:
    """A key of ``S[...]`` with positions for its labels: for all that is neither number nor mask."""
    if not _names(key, floats=labels is not None):
        return key
    if labels is None:
        raise IndexError(
            f"an index is made of integers, slices and masks: there are no labels to find {key!r} by"
        )
    index = _index(labels)
    if not isinstance(key, tuple) or key in index:
        return index.exact(key)
    return tuple(index.exact(part) if _names(part) else part for part in key)


class Index:
    """Where each label stands."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._places: dict[Any, int] = {}
        self._repeated = set()
        self._nested = any(isinstance(label, tuple) for label in labels)
        for k, label in enumerate(labels):
            label = _plain(label)
            if self._places.setdefault(label, k) != k:
                self._repeated.add(label)

    def __contains__(self, label: Any) -> bool:
        try:
            return _plain(label) in self._places
        except TypeError:  # a key of slices or lists
            return False

    def exact(self, key: Any) -> Any:
        """What a part of ``S[...]`` stands for: a position, several, or a slice of them."""
        if isinstance(key, slice):
            return self._range(key)
        several = self._several(key)
        found = self.positions(key if several is None else several)
        if np.size(found) != (1 if several is None else len(several)):
            raise KeyError(f"{key!r} begins several labels, and is none: S.loc takes all of them")
        return found

    def positions(self, key: Any) -> int | Positions:
        """That of one label; of several, a slice, a mask, or what begins tuples, a vector of them."""
        if key is Ellipsis:
            key = slice(None)
        if isinstance(key, slice):
            return np.arange(len(self._labels))[self._range(key)]
        if (mask := self._mask(key)) is not None:
            return np.flatnonzero(mask)
        several = self._several(key)
        if several is None:
            return self._place(key)
        return np.concatenate(
            [np.zeros(0, np.int64), *(np.atleast_1d(self._place(each)) for each in several)]
        )

    def _several(self, key: Any) -> list[Any] | None:
        """A key of several labels as a list; None where it is one."""
        if isinstance(key, set | frozenset | dict):
            raise TypeError(f"a {type(key).__name__} is no index, for it has no order: pass a list of labels")
        if isinstance(key, str | bytes) or not isinstance(key, Iterable) or getattr(key, "ndim", 1) == 0:
            return None
        if isinstance(key, tuple) and (self._nested or key in self):
            return None
        check_mapped(key)
        return list(key)

    def _range(self, key: slice) -> slice:
        """From one label to another, both of them in it."""
        if key.step is not None and not (hasattr(key.step, "__index__") and key.step > 0):
            raise IndexError(f"a slice of labels has a positive step, not {key.step!r}")
        first = 0 if key.start is None else int(np.min(self._place(key.start)))
        last = len(self._labels) - 1 if key.stop is None else int(np.max(self._place(key.stop)))
        return slice(first, last + 1, key.step)

    def _place(self, label: Any) -> int | Positions:
        """Where a label stands; where labels are tuples, all that begin with it."""
        label = _plain(label)
        if isinstance(label, float) and math.isnan(label) and label not in self:  # NaN is not itself
            nans = [other for other in self._labels if isinstance(other, float) and math.isnan(other)]
            label = nans[0] if len(nans) == 1 else label
        if label in self and label in self._repeated:
            rows = [str(k) for k, other in enumerate(self._labels) if _plain(other) == label]
            more = ", ..." if len(rows) > NAMED else ""
            raise KeyError(
                f"the label {label!r} is at {' and at '.join(rows[:NAMED])}{more}: index by places instead"
            )
        if label in self:
            return self._places[label]
        begin = label if isinstance(label, tuple) else (label,)
        within = [
            k for k, of in enumerate(self._labels) if isinstance(of, tuple) and of[: len(begin)] == begin
        ]
        if not within:
            raise KeyError(f"no row has the label {label!r}{_nearest(label, self._labels)}")
        return np.array(within, np.int64)

    def _mask(self, key: Any) -> NDArray[np.bool] | None:
        """Truth values for each row, or None; those of a series go to the rows of its own labels."""
        if not isinstance(key, list) and not hasattr(key, "__array__"):
            return None
        if isinstance(key, list) and not all(isinstance(each, bool | np.bool) for each in key):
            return None
        array, n = as_read(key), len(self._labels)
        if array.dtype == object and all(isinstance(each, bool | np.bool) for each in array.flat):
            array = array.astype(bool)
        if array.dtype != np.bool or array.ndim != 1 or not array.size:
            return None
        if array.size != n:
            raise IndexError(f"a mask has {array.size} truth values, but there are {n} rows")
        own = getattr(key, "index", None)
        if own is None or callable(own):
            return array
        order = np.atleast_1d(self.positions(list(own)))
        if not np.array_equal(np.sort(order), np.arange(n)):
            raise IndexError(
                "the index of a mask does not hold each label once: pass mask.to_numpy() "
                "for a mask by position"
            )
        mask = np.empty(n, np.bool)
        mask[order] = array
        return mask


@lru_cache(maxsize=4)  # labels do not change: S["a", "b"] need not read all of them each time
def _looked_up(labels: Labels) -> Index:
    return Index(labels)


def _index(labels: Labels) -> Index:
    """Their index; TypeError for labels that have none."""
    try:
        return _looked_up(labels)
    except TypeError:
        raise TypeError("rows cannot be looked up by labels without a hash: take S[i, j]") from None


def _nearest(label: Any, labels: Labels) -> str:
    """The label that may have been meant: the same as text, the nearest number or date, the likest text."""
    text, some = _folded(label), labels[:COMPARED]
    for other in labels:
        if _folded(other) == text:
            return f": did you mean {other!r}?"
    try:
        return f": did you mean {min(some, key=lambda other: abs(other - label))!r}?"
    except (TypeError, ValueError, ArithmeticError):
        if isinstance(label, Number):
            return ": labels are no numbers here, and S[i, j] takes positions"
    import difflib  # a millisecond that only errors need to spend

    texts = [_folded(other) for other in some]
    for close in difflib.get_close_matches(text, texts, n=1, cutoff=0.5):
        return f": did you mean {some[texts.index(close)]!r}?"
    shown = ", ".join(repr(other) for other in labels[:NAMED])
    return f": there are {shown}{', ...' if len(labels) > NAMED else ''}"


def _folded(label: Any) -> str:
    return str(label).strip().casefold()


def _names(part: Any, floats: bool = True) -> bool:
    """Whether a part of a key of ``S[...]`` holds labels; numbers are positions, if they can be."""
    if isinstance(part, float | np.floating):
        return floats
    if part is None or part is Ellipsis or isinstance(part, Number | np.bool | range):
        return False
    if isinstance(part, slice):
        return any(_names(bound, floats) for bound in (part.start, part.stop))
    if isinstance(part, list | tuple):
        return any(_names(each, floats) for each in part)
    if isinstance(part, np.ndarray) or hasattr(part, "__array__"):
        array = as_read(part)
        if array.dtype == object:
            return any(_names(each, floats) for each in array.ravel())
        return array.dtype.kind in ("fSUTMm" if floats else "SUTMm")
    return not hasattr(part, "__index__")


def _plain(label: Any) -> Any:
    """A NumPy scalar as labels hold it: as a number, text or date of Python's, where that loses nothing."""
    if isinstance(label, np.ndarray) and label.ndim == 0:
        check_mapped(label)
        label = label[()]
    if isinstance(label, np.datetime64):
        coarse = label.astype("M8[us]")
        return coarse.item() if coarse == label else label
    return label.item() if isinstance(label, np.generic) else label
