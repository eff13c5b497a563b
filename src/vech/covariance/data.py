"""The door for X, n_samples x n_features: what it may be, what its numbers become, what is missing in it.

`open_data` gives a `Data`, which every estimator reads in blocks of rows. Blocks are views of X as it is;
`Data.dtype` is what to compute with, and NumPy casts on the way. NaN and infinities are refused, with their
place, by `Data.check` or, where sums of a block tell, by `Data.refuse`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from vech.arrays import (
    BLOCK_BYTES,
    Array,
    Dtype,
    as_array,
    as_block,
    as_float,
    check_matrix,
    extension,
    family,
    is_real,
)
from vech.counts.codes import even, pieces
from vech.frames import EXACT_INTEGERS, index_of, is_frame, rounded_integer
from vech.layouts.layout import one_of
from vech.results.result import Result
from vech.results.wanted import Wanted
from vech.store import first_difference
from vech.tensors import block_height, is_dataset, is_foreign

MISSING = ("raise", "neutral", "pairwise")
NEGLIGIBLE = 2.0**-52  # of the largest weight


class Data(NamedTuple):
    """X behind the door: p columns of one dtype, in blocks of rows.

    `n` is None, and `array` too, where X comes from an iterator. `make` gives the blocks as they come from
    the user, anew each time if `again`.
    """

    p: int
    n: int | None
    dtype: Dtype  # to compute with: float32, float64, complex64 or complex128
    labels: tuple[Any, ...] | None
    missing: str
    policies: tuple[str, ...]  # what the estimator offers for `missing`
    array: Array | None
    again: bool
    make: Callable[[], Iterator[Array]]
    index: Any = None  # of rows that have labels
    min_periods: int | None = None  # rows that two columns need in common; None refuses what is undefined
    read: Callable[[], Array] | None = None  # of a dataset: all of it

    def blocks(self, height: int | None = None) -> Iterator[tuple[int, Array]]:
        """(first row, rows of X as they are), at most `height` at a time."""
        height = height or max(1, BLOCK_BYTES // (8 * self.p))
        start = 0
        for piece in self.make():
            count = -(-len(piece) // height)
            for k in range(count):  # of nearly equal heights
                part = piece[len(piece) * k // count : len(piece) * (k + 1) // count]
                yield start, part
                start += len(part)

    def whole(self, task: str, instead: str = "not in blocks") -> Array:
        """X as one array, for what needs columns as a whole."""
        if self.array is not None:
            return self.array
        if self.read is None:
            raise TypeError(f"{task} needs whole columns: pass X as an array or a memory map, {instead}")
        return self.read()

    def pieces(self) -> Iterator[Array]:
        """The rows as `encode` takes them."""
        if self.array is not None:
            return pieces(self.array, self.dtype)
        return even(self._checked(), self.p, self.dtype)

    def _checked(self) -> Iterator[Array]:
        for start, block in self.blocks():
            self.check_block(block, start)
            yield block

    def without_rows(self) -> Data:
        """What is known of the columns; X itself is let go."""
        return self._replace(n=None, array=None, again=False, make=no_blocks, index=None, read=None)

    def need_passes(self, task: str) -> None:
        """Refuse an iterator, which can be read once, for a task that reads X twice."""
        if not self.again:
            raise TypeError(
                f"{task} reads X twice, and an iterator can be read once: pass an array, a memory map, or a "
                f"function that returns a new iterator"
            )

    def check(self) -> int:
        """The number of rows; ValueError for infinity, NaN where it is not welcome, columns of NaN alone."""
        rows = 0
        counted = np.full(self.p, self.missing == "raise")
        for start, block in self.blocks():
            rows += len(block)
            self.check_block(block, start)
            if not counted.all():
                counted |= ~np.isnan(block).all(axis=0)
        check_rows(rows)
        self.check_counted(counted)
        return rows

    def check_counted(self, counted: Array) -> None:
        """ValueError for a column of which no number counts, unless pairs that are undefined are welcome."""
        if self.min_periods is None and not counted.all():
            raise ValueError(
                f"{self.column(int(np.argmin(counted)))} of X has no number that counts: drop it"
            )

    def check_block(self, block: Array, start: int) -> None:
        """ValueError for what `check` refuses, in rows from this one on."""
        if family(block.dtype) in "fc" and not np.isfinite(column_sums(block)).all():
            self.refuse(block, start)

    def refuse(self, block: Array, start: int) -> None:
        """ValueError for the first infinity of these rows or, where it is not allowed, NaN; else nothing."""
        block = np.asarray(block)
        if extension(block.dtype):
            block = block.astype(self.dtype)
        if family(block.dtype) not in "fc":
            return
        infinite = np.isinf(block)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            many = np.count_nonzero(infinite)
            raise ValueError(
                f"X has {many:,} infinite number{'s' if many > 1 else ''}{self._of_rows(block)}, the first "
                f"{self.place(start + row, column)}: no covariance is defined"
            )
        empty = np.isnan(block)
        if self.missing == "raise" and empty.any():
            row, column = np.argwhere(empty)[0]
            count = self._count_nan() or np.count_nonzero(empty)
            raise ValueError(
                f"X has {count} NaN{'' if self._counted() else self._of_rows(block)}, the first "
                f"{self.place(start + row, column)}: drop those rows{self._ways_out()}"
            )

    def place(self, row: int, column: int) -> str:
        """Where a number of X stands, in words."""
        return f"in row {row}, {self.column(column)}"

    def column(self, column: int) -> str:
        """A column, in words."""
        return column_name(self.labels, column)

    def _ways_out(self) -> str:
        ways = [f"missing={policy!r}" for policy in self.policies if policy != "raise"]
        return f", or say how they count: {' or '.join(ways)}" if ways else ", or fill them in"

    def _counted(self) -> bool:
        return self.array is not None

    def _count_nan(self) -> int:
        """How many NaN all of X has, where it can be looked at again."""
        if not self._counted():
            return 0
        return sum(int(np.count_nonzero(np.isnan(block.astype(self.dtype)))) for _, block in self.blocks())

    def _of_rows(self, block: Array) -> str:
        return f" in a block of {len(block)} rows"


def open_data(
    X: Any,
    *,
    missing: str = "raise",
    policies: Sequence[str] = MISSING,
    complex_too: bool = False,
    ordered: bool = False,
    min_periods: int | None = None,
) -> Data:
    """X as `Data`.

    Parameters
    ----------
    X : array, shape (n_samples, n_features); data frame; dataset; iterator of such; or function returning one
        What `vech.arrays.as_array` takes; labels of columns are kept. Datasets (h5py, zarr, dask) are read in
        blocks of rows. An iterator of blocks of rows, or a function without arguments that returns a new one.
    missing : str
        What the user asked for.
    policies : sequence of str
        What the estimator offers of MISSING.
    complex_too : bool
        Whether complex numbers are welcome.
    ordered : bool
        Whether only the order of numbers counts, so that integers may exceed those that float64 tells apart.
    min_periods : int, optional
        How many rows a pair of columns needs in common, where `missing` is "pairwise".
    """
    if isinstance(missing, str) and missing in MISSING and missing not in policies:
        raise ValueError(
            f"missing={missing!r} is not offered here: choose from {', '.join(map(repr, policies))}"
        )
    one_of("missing", missing, tuple(policies))
    check_min_periods(min_periods, missing)
    how = (missing, tuple(policies))
    if isinstance(X, Iterator):
        return _streamed(X, None, how, complex_too)._replace(min_periods=min_periods)
    if callable(X) and not hasattr(X, "__array__") and not is_frame(X):
        return _streamed(_called(X), X, how, complex_too)._replace(min_periods=min_periods)
    if is_dataset(X):
        return _stored(X, how, complex_too, ordered)._replace(min_periods=min_periods)
    array, labels = as_block(X, "X")
    if 0 in array.shape:
        what = "rows" if array.shape[0] == 0 else "columns"
        raise ValueError(f"X has shape {array.shape}: there are no {what} to compute with")
    dtype = float_dtype(array.dtype, "X", complex_too)
    if not ordered:
        check_integers(array, "X")
    n, p = array.shape
    return Data(p, n, dtype, labels, *how, array, True, lambda: iter((array,)), index_of(X, 0), min_periods)


def check_min_periods(min_periods: Any, missing: str) -> None:
    """Refuse what is no number of rows, and one that nothing is held against."""
    if min_periods is None:
        return
    if isinstance(min_periods, bool) or not isinstance(min_periods, Integral):
        raise TypeError(f"min_periods must be a whole number of rows, not {min_periods!r}")
    if min_periods < 1:
        raise ValueError(f"min_periods must be at least 1 row, not {min_periods}")
    if int(min_periods) > EXACT_INTEGERS:
        raise ValueError("min_periods is more than 2**53 rows, which no X has: it is 1 or some more")
    if missing != "pairwise":
        raise ValueError(
            f"min_periods counts the rows that two columns have in common, and missing={missing!r} uses all "
            f"rows: say missing='pairwise', or leave min_periods out"
        )


def _stored(X: Any, how: tuple[str, tuple[str, ...]], complex_too: bool, ordered: bool) -> Data:
    """Of numbers in a file or made when asked for: read in blocks of rows, at each pass anew."""
    check_matrix(X.shape, "X")
    n, p = X.shape
    head, labels = as_block(X[:1], "X")
    if 0 in head.shape:
        raise ValueError(
            f"X has shape {X.shape}: there are no {'rows' if n == 0 else 'columns'} to compute with"
        )
    dtype, height = float_dtype(head.dtype, "X", complex_too), block_height(X)

    def make() -> Iterator[Array]:
        for start in range(0, n, height):
            block, _ = as_block(X[start : start + height], "X")
            if not ordered:
                check_integers(block, "X")
            yield block

    return Data(
        p, n, dtype, labels, *how, None, True, make, index_of(X, 0), None, cache(lambda: as_block(X, "X")[0])
    )


def _streamed(
    blocks: Iterator[Any],
    renew: Callable[[], Iterable[Any]] | None,
    how: tuple[str, tuple[str, ...]],
    complex_too: bool,
) -> Data:
    """Of blocks: the first one says how many columns there are, of which dtype, with which labels."""
    first = next(blocks, None)
    if first is None:
        raise ValueError("X is an iterator without blocks: there are no rows to compute with")
    head, labels = as_block(first, "block 0 of X")
    p = head.shape[1]
    if p == 0:
        raise ValueError(f"block 0 of X has shape {head.shape}: there are no columns to compute with")
    dtype = float_dtype(head.dtype, "block 0 of X", complex_too)
    opened: list[Iterator[Any] | None] = [blocks]  # the iterator whose first block has been taken
    passes: list[int] = []  # the rows of each

    def make() -> Iterator[Array]:
        rest = opened.pop() if opened else None
        if rest is not None:
            check_integers(head, "block 0 of X")
            yield head
            number, rows = 1, len(head)
        elif renew is None:
            raise TypeError("an iterator of blocks can be read once: pass a function that returns a new one")
        else:
            rest, number, rows = _called(renew), 0, 0
        for piece in rest:
            what = f"block {number} of X"
            block, others = as_block(piece, what)
            if block.shape[1] != p:
                raise ValueError(f"{what} has {block.shape[1]} columns, and block 0 has {p}")
            if (found := float_dtype(block.dtype, what, complex_too)) != dtype:
                raise TypeError(
                    f"{what} has dtype {block.dtype}, computed with in {found}, and block 0 in {dtype}: "
                    f"give all blocks one dtype"
                )
            check_labels(labels, others, "block 0", f"block {number}")
            check_integers(block, what)
            yield block
            number, rows = number + 1, rows + len(block)
        passes.append(rows)
        if rows != passes[0]:
            raise ValueError(
                f"X() gave {passes[0]} rows when first read and {rows} when read again: "
                f"return a new iterator over the same rows at each call"
            )

    return Data(p, None, dtype, labels, *how, None, renew is not None, make)


def no_blocks() -> Iterator[Array]:
    """What is left of X where it has been let go."""
    return iter(())


def _called(renew: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    blocks = renew()
    if not isinstance(blocks, Iterable) or isinstance(blocks, np.ndarray) or is_frame(blocks):
        raise TypeError(
            f"X() returned {type(blocks).__name__}: a function given as X returns an iterator "
            f"of blocks of rows"
        )
    return iter(blocks)


def begin(
    data: Data,
    wanted: Wanted,
    function: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    implied: int | None = None,
    beside: Mapping[str, Any] | None = None,
    rereads: bool = True,
) -> Result:
    """The half that a function makes: of X, of arrays beside it, and of parameters."""
    if wanted.path() is not None and wanted.resume:
        data.need_passes("resume=True")
    X = data.array if data.array is not None or not data.again else (block for _, block in data.blocks())
    about = {"missing": data.missing, "min_periods": data.min_periods, **(parameters or {})}
    return Result(
        data.p,
        data.dtype,
        wanted,
        labels=data.labels,
        implied=implied,
        what={"function": f"vech.covariance.{function}", **about},
        data={"X": X, **(beside or {})},
        rereads=rereads,
    )


# ---------------------------------------------------------------- one block


def float_dtype(dtype: Dtype, what: str, complex_too: bool = False) -> Dtype:
    """What to compute with: float32 for floats of at most 4 bytes, else float64; complex ones likewise."""
    letter = family(dtype)
    if letter in "biu":
        return np.dtype(np.float64)
    if letter == "f":
        return np.dtype(np.float32 if dtype.itemsize <= 4 else np.float64)
    if letter == "c" and complex_too:
        return np.dtype(np.complex64 if dtype.itemsize == 8 else np.complex128)
    if letter == "c":
        raise TypeError(f"{what} has dtype {dtype}, and this is defined for real numbers: pass np.real(X)")
    raise TypeError(f"{what} has dtype {dtype}, which holds dates: pass numbers")


def check_integers(array: Array, what: str) -> None:
    """Refuse integers that float64 would round, and with them their differences."""
    if family(array.dtype) not in "iu" or array.dtype.itemsize < 8 or not array.size:
        return
    for end in (int(array.max()), int(array.min())):
        if abs(end) > EXACT_INTEGERS:
            raise ValueError(f"{what} holds {rounded_integer(end)}")


def check_underflow(
    data: Data, squares: Array, dtype: Dtype, weights: Array | None = None, *, about_zero: bool = False
) -> None:
    """Refuse columns that vary, but so little that their sums of squares, in this dtype, lost digits or all.

    With `about_zero`, what varies is what is not zero. Where X can be read again, columns whose sum is 0 are
    told from constant ones, and numbers that are small from weights that are: a column may vary in rows alone
    that hardly count.
    """
    small = squares < np.finfo(dtype).tiny
    if not small.any():
        return
    look = data.again and weights is not None
    varied = small & (squares > 0) & (not look)
    if data.again and not varied.any():
        first: Array | None = np.zeros((1, np.count_nonzero(small))) if about_zero else None
        for start, block in data.blocks():
            if weights is not None:
                block = block[weights[start : start + len(block)] > NEGLIGIBLE * weights.max()]
            if not len(block):
                continue
            numbers = block[:, small].astype(np.result_type(block.dtype, dtype), copy=False)
            first = numbers[:1] if first is None else first
            first = np.where(np.isnan(first), numbers[:1], first)
            varied[small] |= ((numbers != first) & ~np.isnan(numbers) & ~np.isnan(first)).any(axis=0)
    if varied.any():
        raise ValueError(
            f"sums of squares of X underflow {np.dtype(dtype)}, "
            f"first in {data.column(int(np.argmax(varied)))}: scale X first"
        )


def column_sums(block: Array) -> Array:
    """Sums of columns, NaN or infinite where a number is; an overflow may look like one."""
    with np.errstate(over="ignore", invalid="ignore"):
        if extension(block.dtype) or block.dtype.itemsize < 4:
            return np.asarray(block.sum(axis=0, dtype=np.float32))
        return np.asarray(block.sum(axis=0))


def column_name(labels: tuple[Any, ...] | None, column: int) -> str:
    """A column, in words: its number and, where there is one, its label."""
    return f"column {column}" + ("" if labels is None else f" ({labels[column]!r})")


def check_labels(
    labels: tuple[Any, ...] | None, others: tuple[Any, ...] | None, what: str, other: str
) -> None:
    """Refuse columns that have other names, or another order of them; what has no names fits all."""
    if labels is None or others is None or labels == others:
        return
    at = next((k for k, (a, b) in enumerate(zip(labels, others, strict=False)) if a != b), len(labels))
    found = [repr(names[at]) if at < len(names) else "missing" for names in (labels, others)]
    raise ValueError(
        f"column {at} is {found[0]} in {what} and {found[1]} in {other}: "
        f"give both the same columns in one order"
    )


def check_rows(rows: int) -> int:
    """Refuse X without rows."""
    if rows == 0:
        raise ValueError("X has no rows to compute with")
    return rows


# ---------------------------------------------------------------- weights


def as_weights(weights: Any, data: Data, *, scaled: bool = True) -> Array | None:
    """Weights of rows in float64: not negative, finite, not all zero, one for each row where n is known.

    `scaled` by a power of two to at most 1, so that their squares have a place in float64.
    """
    if weights is None:
        return None
    n = data.n
    index = index_of(weights, 0)
    if data.index is not None and index is not None and len(index) == n and not data.index.equals(index):
        rows, others = tuple(data.index), tuple(index)
        if (at := first_difference(rows, others)) is not None:
            raise ValueError(
                f"row {at} of X is {rows[at]!r} and weights[{at}] is for {others[at]!r}: give both one "
                f"index, or weights.to_numpy() to go by position"
            )
    found = numbers_beside(
        weights, "weights", "a vector of numbers, one for each row of X", dims=(1,), kinds="biuf"
    )
    if n is not None and found.size != n:
        raise ValueError(f"there are {found.size} weights for {n} rows")
    wrong = ~(np.isfinite(found) & (found >= 0))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"weights[{at}] is {found[at]}: weights are finite and not negative")
    if not found.any():
        raise ValueError("all weights are zero: at least one must be positive")
    return np.ldexp(found, -np.frexp(found.max())[1]) if scaled else found


def numbers_beside(
    given: Any, name: str, wanted: str, *, dims: tuple[int, ...] = (0, 1), kinds: str = "iuf"
) -> Array:
    """An argument beside X, in float64: a number, array, list or series, judged as X is; TypeError for all
    else.

    What these numbers may be is for the caller to check.
    """
    if is_real(given):
        given = np.asarray(as_float(name, given))
    if not isinstance(given, np.ndarray | list | tuple) and np.ndim(given) == 0 and not is_foreign(given):
        raise TypeError(f"{name} must be {wanted}, not {type(given).__name__} {given!r}")
    found = as_array(given, name)
    if found.ndim not in dims or family(found.dtype) not in kinds:
        raise TypeError(
            f"{name} must be {wanted}, not {type(given).__name__} of dtype {found.dtype} and shape "
            f"{found.shape}"
        )
    return found.astype(np.float64)


def column_numbers(given: Any, name: str, *, least: float | None = None, above: bool = False) -> Array:
    """One number, or one for each column: finite, and not less than `least`, or more."""
    vector = numbers_beside(given, name, "a number, or a vector of one number for each column")
    wrong = ~np.isfinite(vector)
    if least is not None:
        wrong |= (vector <= least) if above else (vector < least)
    if wrong.any():
        bound = "" if least is None else f" and more than {least:g}" if above else " and not negative"
        raise ValueError(f"{name} has {vector.reshape(-1)[np.argmax(wrong)]}: each must be finite{bound}")
    return vector


def exponential_weights(n_samples: int, half_life: float) -> Array:
    """Weights of rows that halve every `half_life` rows into the past; the last row has weight 1.

    Parameters
    ----------
    n_samples : int
        How many rows, the latest one last.
    half_life : float
        After how many rows a weight is half as large; more than 0, infinity for equal weights.

    Returns
    -------
    array, shape (n_samples,), float64
        ``2 ** (-(n_samples - 1 - t) / half_life)``, what is called an exponentially weighted moving average
        with decay ``2 ** (-1 / half_life)``. Only ratios of weights count.

    Raises
    ------
    ValueError
        If half_life is not positive, or n_samples is less than 1.
    TypeError
        If n_samples is no whole number, or half_life no number.

    Notes
    -----
    Source: J.P. Morgan, RiskMetrics technical document, 4th edition, 1996, where the decay is 0.94 for days.
    O(n_samples) time and memory.

    Examples
    --------
    >>> exponential_weights(4, half_life=1)
    array([0.125, 0.25 , 0.5  , 1.   ])
    """
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral):
        raise TypeError(f"n_samples must be a whole number of rows, not {n_samples!r}")
    if not is_real(half_life):
        raise TypeError(f"half_life must be a number of rows, not {half_life!r}")
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1, not {n_samples}")
    if not as_float("half_life", half_life) > 0:
        raise ValueError(f"half_life must be more than 0 rows, not {half_life}")
    return np.asarray(np.exp2(-np.arange(int(n_samples) - 1, -1, -1) / float(half_life)))
