"""What clusters and embeddings take: a store of distances, judged once at their door, and its rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech import frames
from vech.arrays import Array, Dtype, as_array, epsilon, family, is_array
from vech.derived.pairs import PANEL_BYTES
from vech.linalg.checks import as_packed, check_numbers
from vech.moves.runs import double, wide
from vech.store import Store, Tile

CHUNK = 2**16  # numbers looked at together, in the cache for a second look
ROUNDING = 100  # eps by which rounding may move the distance of a row to itself from 0; so in scikit-learn


def as_distances(S: Any, task: str, name: str = "S") -> Store:
    """A store of distances, or a full matrix of them as a store: real, symmetric, finite, none negative.

    A diagonal of rounding errors, at most 100 eps, is one of zeros. Reads each number once.
    """
    if not isinstance(S, Store):
        if frames.is_sparse(S):
            raise _sparse(task, type(S).__name__, f"vech.Packed.from_full({name})")
        if is_array(S) and as_array(S, name).ndim == 1:
            raise TypeError(
                f"{name} is a vector: {task}(vech.Packed({name}, 'condensed')) takes it for SciPy's "
                f"condensed distances"
            )
        store: Store = as_packed(S, task, name)
    elif S.describe().triangle is not None:
        raise _sparse(task, type(S).__name__, f"{name}.to_packed()")
    else:
        store = S
    check_numbers(store, task, name)
    if store.kind != "symmetric" or family(store.dtype) == "c":
        what = "complex" if store.kind == "symmetric" else store.kind
        raise TypeError(f"{task} takes distances, which are real and symmetric, and {name} is {what}")
    _check_diagonal(store, name, _way_to_zeros(S, name))
    for i, j, value in _wrong(store):
        reason = "no distance is negative" if value < 0 else f"{task} needs finite distances"
        raise ValueError(f"{name}[{i}, {j}] is {value}, and {reason}")
    return store


def panels(S: Store, threads: int | None = None) -> Iterator[tuple[int, Array]]:
    """Rows of a store of distances, many at a time, to compute with: the first one's number, and the rows.

    They lie in memory that is the caller's until the next ones take it.
    """
    height = max(1, min(S.n, PANEL_BYTES // max(1, S.n * S.dtype.itemsize)))
    panel = np.empty((height, S.n), S.dtype)
    for start in range(0, S.n, height):
        stop = min(start + height, S.n)
        rows = computed(S.expand(slice(start, stop), out=panel[: stop - start], threads=threads))
        rows.reshape(-1)[start :: S.n + 1][: stop - start] = 0
        yield start, rows


def tiles(S: Store) -> Iterator[Tile]:
    """Tiles of a store of distances, to compute with; those of the diagonal are copies, with zeros there."""
    for tile in S.tiles():
        numbers = computed(tile.numbers)
        if tile.on_diagonal:
            numbers = np.array(numbers)
            np.fill_diagonal(numbers, 0)
        yield tile._replace(numbers=numbers)


def block(S: Store, rows: NDArray[np.int64], columns: NDArray[np.int64], threads: int | None = None) -> Array:
    """The distances of some rows to others, in memory of their own."""
    found = np.array(computed(S.block(rows, columns, threads=threads)))
    found[rows[:, np.newaxis] == columns] = 0
    return found


def row(S: Store, i: int, memory: Array) -> Array:
    """One row, in memory of shape (1, n) and the store's dtype, or in that which computing takes."""
    found: Array = computed(S.expand(slice(i, i + 1), out=memory, threads=1))[0]
    found[i] = 0
    return found


def memory_of_row(S: Store) -> Array:
    """Memory for `row`."""
    return np.empty((1, S.n), S.dtype)


def computed(x: Array) -> Array:
    """Numbers in the dtype that distances are computed in: float32 as it is, all wider ones float64."""
    return double(wide(x)).astype(working(x.dtype), copy=False)


def working(dtype: Dtype) -> Dtype:
    """The dtype that `computed` gives."""
    return np.dtype(np.float32 if family(dtype) == "f" and dtype.itemsize <= 4 else np.float64)


def _sparse(task: str, came: str, way: str) -> TypeError:
    return TypeError(
        f"{task} takes the distances of all pairs, and a {came} holds its nonzeros alone: {task}({way}), if "
        f"pairs that are missing are at distance 0"
    )


def _way_to_zeros(S: Any, name: str) -> str:
    """What puts zeros on the diagonal of what was given."""
    if isinstance(S, np.ndarray):
        return f"np.fill_diagonal({name}, 0)"
    if not isinstance(S, Store):
        return f"vech.Packed.from_full({name}).set_diagonal(0)"
    layout = S.describe().layout
    held = hasattr(S, "set_diagonal") and layout is not None and layout.diagonal == "stored"
    return f"{name}.set_diagonal(0)" if held else f"{name}.to_packed().set_diagonal(0)"


def _check_diagonal(S: Store, name: str, way: str) -> None:
    diagonal = computed(S.diagonal())
    for i in np.flatnonzero(~(np.abs(diagonal) <= ROUNDING * epsilon(S.dtype)))[:1]:
        raise ValueError(
            f"{name}[{i}, {i}] is {S.diagonal()[i]}, and a distance to itself is 0: {way} sets it; "
            f"similarities s become distances first, such as 1 - s"
        )


def _wrong(S: Store) -> Iterator[tuple[int, int, Any]]:
    """Row, column and value of distances that are negative or not finite."""
    layout = S.describe().layout
    if layout is None:
        for tile in tiles(S):
            if not _is_right(tile.numbers):
                i, j = map(int, np.argwhere(~((tile.numbers >= 0) & (tile.numbers < np.inf)))[0])
                yield tile.rows.start + i, tile.columns.start + j, tile.numbers[i, j]
        return
    half = S.to_packed(layout).half
    for start in range(0, half.size, CHUNK):
        part = half[start : start + CHUNK]
        if not _is_right(part):
            wrong = ~((part >= 0) & (part < np.inf))
            for k in np.flatnonzero(wrong):
                i, j = map(int, layout.pair(start + k, S.n))
                if i != j:
                    yield i, j, S.block(i, j)[0, 0]


def _is_right(x: Array) -> bool:
    """NaN is the least and the largest number where there is one."""
    return x.size == 0 or bool(x.min() >= 0 and x.max() < np.inf)
