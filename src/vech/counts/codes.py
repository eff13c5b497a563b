"""Ternary codes: numbers of X as above, below or neutral, in two planes of bits; how often columns agree.

`encode` packs columns against thresholds, or all pairs of times against each other. From codes, `Counts`
keeps the exact counts of each pair of columns, which add up and can be taken away; a half of the ratio of
counts that a `Measure` names is made by `Counting`, straight from codes, or of counts kept by `write`.
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech import _core
from vech.arrays import Array, Dtype, is_even, resolve_threads
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.converting import convert
from vech.moves.expanding import expand
from vech.moves.runs import Half, Runs, runs_of

Terms = tuple[float, float, float, float]
Tick = Callable[[], None]

SIDE = 8  # columns of a block
TIMES = 64  # bits of a word
KINDS = (2, 5)  # of counts over a pair of columns: of all times; of those valid in both
CODE_BYTES = 2**27  # of pairs of times that are held together
STORED_BYTES = 2**27  # of counts kept where codes are not
PIECE_BYTES = 2**24  # of numbers that are cast, in rows, before they become codes
PANEL = 64  # rows of the half go in multiples of this
PANELS = 32  # of the half, where progress is reported
PARTS = 8  # of a tile: each is counted with itself too, which a half has no way around
SLACK = 4, 60  # roundings a threshold forgives: of numbers of X; of deviations, in float64 (9 were seen)


class Measure(NamedTuple):
    """A ratio of counts over two columns, and what 0 / 0 is on the diagonal (off it, 0).

    Terms are factors of B, Q, m and t: B = times at which both columns are active, Q = those at which their
    signs differ, m = times the one is active + times the other is, t = all times. With `root` the denominator
    is instead the root of the product of the two numbers that m adds. With `sine` it is the sine of pi / 2
    times the ratio, which is not scaled.
    """

    over: Terms
    under: Terms = (0, 0, 0, 0)
    root: bool = False
    empty: float = 1.0
    sine: bool = False

    def finish(self, ratios: Array) -> None:
        """Make numbers of the half of ratios, in place."""
        if self.sine:
            np.sin(np.multiply(ratios, np.pi / 2, out=ratios), out=ratios)


ACTIVE, SIGN, VALID = range(3)  # planes


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """Two bits for each number of X, `active` and `sign` (above); a third, `valid`, if NaN counts pairwise.

    ``bits[b, w, plane]`` are the words of the columns 8 b to 8 b + 7, padded with columns that are neutral,
    at the times 64 w to 64 w + 63, padded with bits that are zero; bit t of a word is time 64 w + t.
    """

    bits: NDArray[np.uint64]
    p: int
    n_samples: int

    @property
    def pairwise(self) -> bool:
        """Whether there is a plane of what is valid."""
        return bool(self.bits.shape[2] == 3)

    @property
    def active(self) -> NDArray[np.float64]:
        """At how many times each column is active."""
        counts = np.bitwise_count(self.bits[:, :, 0]).sum(axis=1, dtype=np.int64)
        return np.asarray(counts.reshape(-1)[: self.p], np.float64)

    def of_columns(self, *parts: slice) -> "Codes":
        """The same of some columns, each part but the last one in whole blocks."""
        return Codes(
            _blocks_of(self.bits, parts), sum(part.stop - part.start for part in parts), self.n_samples
        )

    def numbers(self, plane: int, columns: slice, times: slice) -> NDArray[np.float64]:
        """A plane as zeros and ones, (times, columns); columns start at multiples of 8, times of 64."""
        blocks = slice(columns.start // SIDE, -(-columns.stop // SIDE))
        words = slice(times.start // TIMES, -(-times.stop // TIMES))
        octets = self.bits[blocks, words, plane].astype("<u8").view(np.uint8)
        ones = np.unpackbits(octets.reshape(*octets.shape[:2], SIDE, 8), axis=-1, bitorder="little")
        rows = ones.transpose(1, 3, 0, 2).reshape(ones.shape[1] * TIMES, -1)
        return rows[: times.stop - times.start, : columns.stop - columns.start].astype(np.float64)


def edges(middle: Array, reach: Array, dtype: Dtype, mean: Array | float = 0.0) -> tuple[Array, Array]:
    """From where on a number is below, and above: `reach` away from the middle, or closer by rounding alone.

    So a move of just the threshold counts in every unit of X: x and 0.1 x, of which 0.1 is rounded in each
    number, and in the threshold, give the same counts. What is rounded is as large as the numbers: as the
    middle, the reach, and the `mean` about which the reach was found.
    """
    rounding = SLACK[0] * np.finfo(dtype).eps + SLACK[1] * np.finfo(np.float64).eps
    reach = reach - np.minimum(rounding * (np.abs(middle) + np.abs(mean) + reach), reach / 2)
    return middle - reach, middle + reach


def encode(
    X: Array | Iterable[Array],
    low: Array,
    high: Array,
    *,
    closed: bool = True,
    pairwise: bool = False,
    threads: int | None = None,
) -> Codes:
    """Codes of the columns of X: above where ``x >= high``, below where ``x <= low``, else neutral.

    Parameters
    ----------
    X : array, shape (n_samples, n_features), or iterable of pieces of it
        Real numbers, of any strides; NaN is neutral. float32 and float64 are read where they lie, others go
        through float64 in pieces. Pieces are taken as they come: what `pieces` and `even` make.
    low, high : array, shape (n_features,)
        In float64; infinities where nothing is below or above.
    closed : bool
        Whether a number that equals its threshold counts; without, ``x > high`` and ``x < low``.
    pairwise : bool
        Adds the plane of what is valid, not NaN.
    threads : int, optional
        At most so many threads.

    Returns
    -------
    Codes
        n_samples n_features / 4 bytes, 3/8 with `pairwise`. One pass over X.

    Examples
    --------
    >>> import numpy as np
    >>> codes = encode(np.array([[0.5], [-0.1], [-0.7]]), np.array([-0.5]), np.array([0.5]))
    >>> [bin(word) for word in codes.bits[0, 0, :, 0]]
    ['0b101', '0b1']
    """
    made: list[NDArray[np.uint64]] = []
    rows = 0
    p = low.size
    for piece in pieces(X, np.dtype(np.float64)) if isinstance(X, np.ndarray) else X:
        above, below = _beyond(high, piece.dtype, closed), -_beyond(-low, piece.dtype, closed)
        bits = _empty_bits(p, len(piece), pairwise)
        _core.encode(piece, below, above, bits, resolve_threads(threads, piece.nbytes))
        made.append(bits)
        rows += len(piece)
    if not made:
        made.append(_empty_bits(p, 0, pairwise))
    return Codes(made[0] if len(made) == 1 else np.concatenate(made, axis=1), p, rows)


def pair_codes(X: Array, *, pairwise: bool = False, threads: int | None = None) -> "PairCodes":
    """Codes of all pairs of times of the columns of X: above where x rises from one to the other.

    Parameters
    ----------
    X : array, shape (n_samples, n_features), float32 or float64
        NaN makes a pair neutral.
    pairwise : bool
        Adds the plane of what is valid.

    Returns
    -------
    PairCodes
        Makes codes of some pairs at a time; holds a copy of X.
    """
    samples, p = X.shape
    blocks = np.zeros((-(-p // SIDE), samples, SIDE), X.dtype)
    for block in range(len(blocks)):
        columns = X[:, SIDE * block : SIDE * (block + 1)]
        blocks[block, :, : columns.shape[1]] = columns
    return PairCodes(blocks, p, pairwise, threads)


@dataclass(frozen=True, slots=True, eq=False)
class PairCodes:
    """The T (T - 1) / 2 pairs of T times, in chunks of codes."""

    blocks: Array
    p: int
    pairwise: bool
    threads: int | None

    def of_columns(self, *parts: slice) -> "PairCodes":
        """The same of some columns, each part but the last one in whole blocks."""
        count = sum(part.stop - part.start for part in parts)
        return PairCodes(_blocks_of(self.blocks, parts), count, self.pairwise, self.threads)

    @property
    def total(self) -> int:
        """How many pairs of times there are."""
        samples = int(self.blocks.shape[1])
        return samples * (samples - 1) // 2

    @property
    def chunk(self) -> int:
        """Pairs of times at a time."""
        return TIMES * max(1, CODE_BYTES // _empty_bits(self.p, TIMES, self.pairwise).nbytes)

    def chunks(self) -> Iterator[Codes]:
        """Codes of all pairs of times."""
        for first in range(0, self.total, self.chunk):
            count = min(self.chunk, self.total - first)
            bits = _empty_bits(self.p, count, self.pairwise)
            _core.encode_pairs(
                self.blocks, self.p, first, bits, resolve_threads(self.threads, 4 * bits.nbytes)
            )
            yield Codes(bits, self.p, count)


class Counts:
    """Exact counts over each pair of columns, in halves of int64: what codes agree and disagree on.

    Counts of some times and of others add up, so times can be added, taken away, and merged: in a copy, which
    takes the place of what was there when it is complete, so that errors and Ctrl-C change nothing.

    Attributes
    ----------
    both : array, shape (p (p + 1) / 2,), int64
        In vech's own order: times at which both columns are active.
    discordant : array, shape (p (p + 1) / 2,), int64
        Of these, the times at which one is above and the other below.
    n_samples : int
        Times.

    Examples
    --------
    >>> import numpy as np
    >>> X, bound = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 1.0]]), np.ones(2)
    >>> counts = Counts(2)
    >>> counts.add(encode(X, -bound, bound))
    >>> counts.both, counts.discordant, counts.n_samples
    (array([2, 2, 3]), array([0, 1, 0]), 3)
    >>> counts.remove(encode(X[:1], -bound, bound))
    >>> counts.both, counts.n_samples
    (array([1, 1, 2]), 2)
    """

    layout = Layout("lower", "columns")

    def __init__(self, p: int) -> None:
        self.p = p
        self._state = np.zeros((KINDS[0], self.layout.length(p)), np.int64), 0

    @property
    def n_samples(self) -> int:
        return self._state[1]

    @property
    def _kept(self) -> NDArray[np.int64]:
        return self._state[0]

    @property
    def both(self) -> NDArray[np.int64]:
        return np.asarray(self._kept[0])

    @property
    def discordant(self) -> NDArray[np.int64]:
        return np.asarray(self._kept[1])

    @property
    def active(self) -> NDArray[np.float64]:
        """At how many times each column is active."""
        return np.asarray(self.both[self._diagonal], np.float64)

    @property
    def _diagonal(self) -> NDArray[np.int64]:
        return self.layout.diagonal_slots(self.p)

    def add(self, codes: Codes, *, threads: int | None = None) -> None:
        """Count the times of these codes too."""
        self._count(codes, 1, threads)

    def remove(self, codes: Codes, *, threads: int | None = None) -> None:
        """Take the times of these codes away again."""
        if codes.n_samples > self.n_samples:
            raise ValueError(
                f"{codes.n_samples} rows cannot be taken from the {self.n_samples} that were counted"
            )
        self._count(codes, -1, threads)

    def copy(self) -> "Counts":
        """The same times, counted further without this one."""
        return copy.copy(self)

    def merge(self, other: "Counts") -> None:
        """Count the times of another such object too."""
        self._state = self._kept + other._kept, self.n_samples + other.n_samples

    def write(self, measure: Measure, half: Array, grow: bool, scale: Array | None = None) -> None:
        """The ratio of counts, times scale[i] scale[j], into a half of either order."""
        direct = grow == self.layout.grow
        shrink = half if direct else np.empty_like(half)
        options = (measure, float(self.n_samples), self.active, _scale(scale, self.p))
        _count(
            None,
            self.p,
            False,
            (0, self.p),
            self._kept,
            1,
            shrink,
            *options,
            resolve_threads(None, half.nbytes),
        )
        measure.finish(shrink)
        if not direct:
            convert(shrink, self.layout, Layout("lower", "rows"), out=half)

    def _count(self, codes: Codes, sign: int, threads: int | None) -> None:
        nothing = np.zeros(self.p)
        workers = resolve_threads(threads, _work(codes))
        measure = Measure((0, 0, 0, 0))
        kept, samples = self._kept.copy(), self.n_samples + sign * codes.n_samples
        _count(codes, self.p, False, (0, self.p), kept, sign, None, measure, 0.0, nothing, nothing, workers)
        if sign < 0:
            _check_counts(kept, self._diagonal, samples)
        self._state = kept, samples


def _check_counts(kept: NDArray[np.int64], diagonal: NDArray[np.int64], samples: int) -> None:
    """Refuse counts that no rows have."""
    both, discordant = kept
    if kept.min(initial=0) < 0 or (discordant > both).any() or both[diagonal].max(initial=0) > samples:
        raise ValueError(
            "these rows cannot be taken away: some were not counted before, so counts would be negative"
        )


@dataclass(frozen=True, eq=False)
class Counting:
    """The ratio of counts of each pair of columns, times scale[i] scale[j], some runs of a half at a time.

    Codes of pairs of times come in chunks where they are many: then a band is counted over all of them, so
    that besides codes of `CODE_BYTES` only counts of `STORED_BYTES` are held.
    """

    codes: Codes | PairCodes
    measure: Measure
    scale: Array
    height: int

    @classmethod
    def of(
        cls, codes: Codes | PairCodes, measure: Measure, *, scale: Array | None = None, parts: bool = True
    ) -> "Counting":
        """Codes as they are counted: pairs of times that fit are made once. In `parts`, or all at once."""
        if isinstance(codes, PairCodes) and codes.total <= codes.chunk:
            (codes,) = codes.chunks()
        p = codes.p
        height = max(PANEL, p // PANELS // PANEL * PANEL) if parts else max(1, p)
        if isinstance(codes, PairCodes):
            fit = STORED_BYTES // (8 * KINDS[codes.pairwise] * p) // PANEL * PANEL
            height = max(1, min(p, max(PANEL, fit)))
        return cls(codes, measure, _scale(scale, p), height)

    @property
    def unit(self) -> int:
        """Columns of a tile come in so many."""
        return PANEL

    def tile(
        self,
        kind: Kind,
        dtype: Dtype,
        rows: slice,
        columns: slice,
        threads: int | None,
        tick: Tick,
    ) -> Array:
        """A lower tile: some of its columns at a time, with all its rows, are a band of a smaller half."""
        made = np.empty((rows.stop - rows.start, columns.stop - columns.start), dtype)
        if rows == columns:
            half = self._counted(dtype, threads, rows)
            return expand(half.half, Counts.layout, kind=kind)
        step = max(PANEL, made.shape[1] // PARTS // PANEL * PANEL)
        for start in range(columns.start, columns.stop, step):
            some = slice(start, min(start + step, columns.stop))
            count = some.stop - start
            runs = self._counted(dtype, threads, some, rows)
            panel = np.empty(count * made.shape[0], dtype)
            block = runs.read(slice(0, count), slice(count, runs.n), panel, 1)
            made[:, start - columns.start : some.stop - columns.start] = block.T
            tick()
        return made

    def _counted(self, dtype: Dtype, threads: int | None, some: slice, *others: slice) -> Runs:
        """Some columns with themselves and others, as the first runs of a half."""
        codes = self.codes.of_columns(some, *others)
        scale = np.concatenate([self.scale[part] for part in (some, *others)])
        half = Half(np.empty(Counts.layout.length(codes.p), dtype), Counts.layout, Kind.SYMMETRIC)
        runs = runs_of(half)
        counting = Counting(codes, self.measure, scale, codes.p)
        counting(runs, (0, some.stop - some.start), threads, lambda: None)
        return runs

    def tiles(self, runs: Runs, band: tuple[int, int]) -> int:
        """How many chunks a band is counted over."""
        return 1 if isinstance(self.codes, Codes) else -(-self.codes.total // self.codes.chunk)

    def __call__(self, runs: Runs, band: tuple[int, int], threads: int | None, tick: Tick) -> None:
        """Count a band, and write it."""
        codes, measure, p = self.codes, self.measure, self.codes.p
        kept = None
        if not isinstance(codes, Codes):
            length = runs.begin(band[1]) - runs.begin(band[0])
            kept = np.zeros((KINDS[codes.pairwise], length), np.int64)
        total = codes.n_samples if isinstance(codes, Codes) else codes.total
        chunks, active = self.tiles(runs, band), np.zeros(p)
        for number, part in enumerate([codes] if isinstance(codes, Codes) else codes.chunks(), 1):
            active += part.active
            values = runs.half if number == chunks else None
            workers = resolve_threads(threads, _work(part))
            options = (kept, 1, values, measure, float(total), active, self.scale, workers)
            _count(part, p, runs.grow, band, *options)
            tick()
        measure.finish(runs.half[runs.begin(band[0]) : runs.begin(band[1])])


def _count(
    codes: Codes | None,
    p: int,
    grow: bool,
    rows: tuple[int, int],
    kept: Array | None,
    sign: int,
    values: Array | None,
    measure: Measure,
    times: float,
    active: Array,
    scale: Array,
    threads: int,
) -> None:
    bits = None if codes is None else codes.bits
    empty, over, under, root = measure.empty, measure.over, measure.under, measure.root
    pairwise = codes is not None and codes.pairwise
    begin, end = rows
    job = (bits, p, grow, begin, end, kept, sign, values, active, scale, times)
    _core.count(*job, empty, over, under, root, pairwise, threads)


def _work(codes: Codes) -> int:
    """Bytes that say how long counting takes."""
    return codes.p * codes.bits.nbytes // 4


def _scale(scale: Array | None, p: int) -> Array:
    return np.ones(p) if scale is None else np.ascontiguousarray(scale, np.float64)


def _blocks_of(blocks: Array, parts: tuple[slice, ...]) -> Array:
    """The blocks that some columns are in."""
    return np.concatenate([blocks[part.start // SIDE : -(-part.stop // SIDE)] for part in parts])


def _empty_bits(p: int, rows: int, pairwise: bool) -> NDArray[np.uint64]:
    return np.empty((-(-p // SIDE), -(-rows // TIMES), 3 if pairwise else 2, SIDE), np.uint64)


def _beyond(threshold: Array, dtype: Dtype, closed: bool) -> Array:
    """The number a of the dtype for which x > a is x >= threshold, or x > threshold, in exact arithmetic."""
    with np.errstate(over="ignore"):
        found = threshold.astype(dtype)
        down = np.nextafter(found, dtype.type(-np.inf))
    passes = found >= threshold if closed else found > threshold
    return np.where(passes, down, found)


def pieces(X: Array, dtype: Dtype) -> Iterator[Array]:
    """X as it is if it is of even floats, else rows in `dtype`, in multiples of 64 but for the last piece."""
    if X.dtype in (np.dtype(np.float32), np.dtype(np.float64)) and is_even(X):
        yield X
        return
    height = max(1, PIECE_BYTES // (dtype.itemsize * max(1, X.shape[1]) * TIMES)) * TIMES
    for start in range(0, len(X), height):
        yield X[start : start + height].astype(dtype)


def even(blocks: Iterable[Array], p: int, dtype: Dtype) -> Iterator[Array]:
    """Rows that come in blocks of any height in `dtype`, in multiples of 64 but for the last piece."""
    rest = np.empty((0, p), dtype)
    for block in blocks:
        rows = np.concatenate([rest, np.asarray(block, dtype)])
        whole = len(rows) // TIMES * TIMES
        if whole:
            yield rows[:whole]
        rest = rows[whole:]
    if len(rest):
        yield rest
