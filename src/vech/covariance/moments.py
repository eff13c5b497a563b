"""Sums of products of columns, added up straight in a half: the one pass over X that covariances are made of.

Rows are taken about a shift c that is near their mean: G = sum of w (x - c)(x - c)^H, s = sum of w (x - c).
Where the mean comes to lie more than STRAY standard deviations from c, G and s are moved to the mean (the
update of Chan, Golub & LeVeque, 1983, American Statistician 37, 242). So G - s s^H / n cancels at most 1 +
STRAY^2 times its size.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, check_progress, resolve_threads
from vech.covariance.data import Data, check_rows, check_underflow
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.runs import BLOCK, SIDE, Half, Runs, blocks, runs_of
from vech.results.wanted import Progress

SQUARE = 1024  # up to this side BLAS adds up in a full square of at most 8 MiB, which stays in cache
PANEL = 1000  # beyond: rows of the half that BLAS multiplies at a time
HEIGHT = 2048  # rows copied at a time; fewer where the copy would be larger than the half
CACHE_BYTES = 2**20  # of rows that are taken together for a square
STEPS = 16  # of these between two looks at the mean, where rows are not copied
STEP = 384  # of them: OpenBLAS's own step, 3 to 5 % faster than powers of two
COPY_BYTES = 2**25  # of that copy, where the half is smaller
RAW_BYTES = 2**28  # of rows that BLAS takes as they lie
PILOT = 64  # rows whose mean is the first shift
STRAY = {4: 1.0, 8: 4.0}  # by the bytes of a real number
ROUNDINGS = 8  # that a sum may be off by, of those it is expected to be off by
FEW = 32  # rows: fewer are added to the half at once, without a square
SINGLE_ROWS = 2**15  # after so many rows sums of float32 are added in float64, where the square is small


class Moments:
    """Rows added up: their number, their sum, and the products of their columns, in a half.

    `dtype` is what blocks are multiplied in, `runs` the half to add in; what it holds at first is not read. A
    `shift` that is given stays: NaN count as it. For rows that come and go (`change`), `noise` is by how much
    the diagonal of G may be off: rounding of all there ever was, also of what is gone.
    """

    def __init__(
        self, runs: Runs, dtype: Dtype, *, shift: Array | None = None, threads: int | None = None
    ) -> None:
        self.runs = runs
        self.dtype = dtype
        self.rows = 0
        self.weight = 0.0
        self.squares = 0.0
        self.removed = False  # whether rows were ever taken away
        self.noise = np.zeros(runs.n)
        self.weight_noise = np.zeros(2)  # of `weight` and of `squares`
        self._shift = shift
        self._stays = shift is not None
        self.sums = np.zeros(runs.n, np.complex128 if dtype.kind == "c" else np.float64)
        self.threads = resolve_threads(threads, runs.half.nbytes)
        self._fresh = True  # nothing has been written to the half
        self._square: Array | None
        self._syrk: Any = None
        self._square_rows = 0
        self._looked = 0  # rows when it was last seen whether the mean strays from the shift
        # the square: what is still to be added to the half
        self._square, self._buffer, self._ones = self._nothing

    def add(
        self,
        block: Array,
        weights: Array | None = None,
        *,
        sign: int = 1,
        fill: bool = False,
        tick: Callable[[float], None] | None = None,
    ) -> bool:
        """Add these rows, or with sign = -1 take them away; whether all their sums are finite.

        With `fill`, NaN counts as the shift.
        """
        start, shift = 0, None
        while start < len(block):
            if self._shift is None:
                self._shift = self._pilot(block)
            if shift is not self._shift:
                shift = self._shift
                raw = weights is None and not fill and not shift.any() and self._blas(block)
                height = self._height(raw)
            stop = min(len(block), start + height)
            part = None if weights is None else weights[start:stop]
            within = None if tick is None else _within(tick, start / len(block), stop / len(block))
            if not self._add(block[start:stop], part, sign, fill, raw, within):
                return False
            start = stop
        return True

    def _add(
        self,
        block: Array,
        weights: Array | None,
        sign: int,
        fill: bool,
        raw: bool,
        tick: Callable[[float], None] | None,
    ) -> bool:
        rows = block if raw else self._shifted(block, weights, fill)
        roots = self._roots(weights, len(rows))
        sums: Any = 0
        step = self._step() if self._in_square() else len(rows)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                some = roots[start : start + step] @ part  # first: BLAS then finds the rows in cache
                if not np.isfinite(some.sum()) and not np.isfinite(some).all():
                    return False
                sums = sums + some
            self._multiply(part, sign, tick)
        self.sums += sign * sums
        self.rows += sign * len(rows)
        self.weight += sign * (len(rows) if weights is None else float(weights.sum()))
        self.squares += sign * (len(rows) if weights is None else float(weights @ weights))
        if sign < 0 or self.rows >= 2 * self._looked:  # in between, a mean that strays brings variance
            self._looked = self.rows
            if self._strays():
                self.move(self.mean)
        return True

    def change(self, block: Array, weights: Array | None = None, *, sign: int = 1) -> bool:
        """As `add`, noting what is rounded; ValueError where the last rows leave something of others."""
        before, weighed = self._diagonal(), np.array([self.weight, self.squares])
        if not self.add(block, weights, sign=sign):
            return False
        self.removed |= sign < 0
        self._account(before)
        if weights is not None:
            most = np.maximum(weighed, [self.weight, self.squares])
            self.weight_noise = np.hypot(self.weight_noise, np.finfo(np.float64).eps * most)
        if self.rows == 0:
            if (np.abs(self._diagonal()) > ROUNDINGS * self.noise).any():
                raise ValueError("these rows cannot be taken away: they are not those that were added")
            self._reset()
        return True

    def _account(self, before: Array) -> None:
        """Note what was rounded since the diagonal of G was this: of the rows' own sums, and of all."""
        after = self._diagonal()
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            most = np.maximum(np.abs(before), np.abs(after))
            rounded = np.finfo(self.runs.half.dtype).eps * most + np.finfo(self.dtype).eps * np.abs(
                after - before
            )
            self.noise = np.hypot(self.noise, rounded)

    @property
    def shift(self) -> Array:
        """What rows are taken about, mostly in the dtype of the blocks."""
        assert self._shift is not None, "there are no rows yet"
        return self._shift

    @property
    def mean(self) -> Array:
        """The mean of the rows, in float64 or complex128."""
        return np.asarray(self.shift + self.sums / self.weight)

    def move(self, shift: Array) -> None:
        """Take all rows about another shift, rounded to the dtype of the blocks."""
        shift = shift.astype(self.dtype)
        change = shift.astype(self.sums.dtype) - self.shift
        before = self._diagonal()
        self._gain(self.sums, self.weight, change)
        self._account(before)
        self.sums = self.sums - self.weight * change
        self._shift = shift

    def fade(self, factor: float) -> None:
        """Let all rows so far count by this factor less."""
        if self.rows == 0 or factor == 1:
            return
        self._settle()
        for start in range(0, self.runs.half.size, BLOCK):
            self.runs.half[start : start + BLOCK] *= factor
        self.sums = self.sums * factor
        self.weight *= factor
        self.squares *= factor * factor

    def approach(self, mean: Array, weight: float) -> None:
        """Take rows about the mean of those to come, where these weigh as much as all there are.

        Then neither what there is, near which the mean was, nor what comes cancels: of the mean m of both, of
        weights V and W, (m - c)^2 is at most V / W times the variance.
        """
        if self.rows == 0:
            self._shift = mean.astype(self.dtype)
        elif weight >= self.weight:
            self.move(mean)

    def settle_shift(self) -> None:
        """Move the shift to the mean, where that has come to stray from it."""
        if self._strays():
            self.move(self.mean)

    def merge(self, other: "Moments") -> bool:
        """Add the rows of another one, at rest, which stays as it is; whether all sums are finite."""
        if other.rows == 0:
            return True
        if self.weight == 0:  # no rows, or faded ones
            self._shift, self.sums = other.shift, other.sums.copy()
            self.runs.half[...] = other.runs.half
            self._fresh = False
        else:
            share = other.weight / (self.weight + other.weight)
            self.move(self.mean + share * (other.mean - self.mean))  # near the mean of both
            self._settle()
            before = self._diagonal()
            for start in range(0, self.runs.half.size, BLOCK):
                part = slice(start, start + BLOCK)
                self.runs.half[part] += other.runs.half[part]
            change = self.shift.astype(self.sums.dtype) - other.shift
            self._gain(other.sums, other.weight, change)
            self._account(before)
            self.sums = self.sums + other.sums - other.weight * change
        self.rows += other.rows
        self.weight += other.weight
        self.squares += other.squares
        self.removed |= other.removed
        self.noise = np.hypot(self.noise, other.noise)
        self.weight_noise = np.hypot(self.weight_noise, other.weight_noise)
        return self._finite()

    def _finite(self) -> bool:
        numbers = (self.runs.half[start : start + BLOCK] for start in range(0, self.runs.half.size, BLOCK))
        return bool(np.isfinite(self.sums).all()) and all(np.isfinite(part).all() for part in numbers)

    def scatter(self) -> Array:
        """The diagonal of G - s s^H / n: with rounding, which may make it negative."""
        if self.rows == 0:
            return np.zeros(self.runs.n)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            return np.asarray(self._diagonal() - np.abs(self.sums) ** 2 / self.weight)

    def variances(self, divisor: float) -> Array:
        """`scatter` over a divisor, not negative."""
        found = self.scatter()
        return np.where(np.isfinite(found) & (found < 0), 0, found) / divisor

    def finish(self, target: Runs, work: Callable[[Array, slice, slice], None]) -> None:
        """Write G - s s^H / n, each block of it worked on in place, to a half, which may be that of G."""
        self._settle()
        left = self.sums / -self.weight
        right = self.sums
        if self.runs.conjugates:
            left, right = (left.conj(), right) if self.runs.turned else (left, right.conj())
        buffer = np.empty(SIDE * SIDE, self.runs.half.dtype)
        for rows, columns in blocks(self.runs.n, self.runs.grow, SIDE):
            block = self.runs.read(rows, columns, buffer, 1)
            block += np.multiply.outer(left[rows], right[columns])
            if self.runs.conjugates and rows == columns:
                block.imag.flat[:: len(block) + 1] = 0
            work(block, rows, columns)
            block = block.astype(target.half.dtype, copy=False)
            if self.runs.conjugates and (target.turned != self.runs.turned) == (
                target.grow == self.runs.grow
            ):
                block = block.conj()
            if target.grow == self.runs.grow:
                target.write(rows, columns, block, "write", 1)
            else:
                target.write(columns, rows, block.T, "write", 1)

    def rest(self) -> None:
        """Bring the half up to date, and leave what was worked in to the next copy."""
        self._settle()
        self._spare = self._square, self._buffer, self._ones
        self._square, self._buffer, self._ones = self._nothing

    def copy(self) -> "Moments":
        """The same rows, at rest, in a half of its own; the first copy takes over what to work in."""
        spare = self.__dict__.pop("_spare", self._nothing)  # at once, so that no two copies work in one place
        twin = object.__new__(Moments)
        twin.__dict__.update(self.__dict__)
        twin._square, twin._buffer, twin._ones = spare
        twin.runs = self.runs._replace(half=self.runs.half.copy())
        twin.sums = self.sums.copy()
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """All but what is found again, and cannot be pickled or need not be."""
        return {name: value for name, value in self.__dict__.items() if name != "_spare"} | {"_syrk": None}

    @property
    def _nothing(self) -> tuple[None, Array, Array]:
        """No square, no buffers."""
        return None, np.empty(0, self.dtype), np.empty(0, self.dtype)

    def _reset(self) -> None:
        """Forget what rounding left when the last row was taken away."""
        self.weight = self.squares = 0.0
        self._shift = self._square = None
        self.removed = False
        self.noise = np.zeros_like(self.noise)
        self.weight_noise = np.zeros(2)
        self.sums = np.zeros_like(self.sums)
        self._square_rows = self._looked = 0
        self._fresh = True

    def _pilot(self, block: Array) -> Array:
        """A shift near the mean; zero, which saves a copy of the rows, where that is near enough."""
        head = block[:PILOT].astype(self.dtype)
        first = np.where(np.isfinite(head[0]), head[0], 0)
        with np.errstate(all="ignore"):  # what is not finite is refused later
            away = head - first
            mean = away.mean(axis=0)
            spread = np.sqrt((np.abs(away - mean) ** 2).mean(axis=0))
            shift = first + mean
            small = np.abs(shift) <= STRAY[self.dtype.type(0).real.itemsize] * spread
        return np.where(small.all() or not np.isfinite(shift).all(), 0, shift).astype(self.dtype)

    def _shifted(self, block: Array, weights: Array | None, fill: bool) -> Array:
        """The rows less the shift, times the roots of their weights, in the buffer."""
        if self._buffer.size < block.size:
            self._buffer = np.empty(block.size, self.dtype)
        fortran = block.strides[0] < block.strides[1]
        shape = block.shape[::-1] if fortran else block.shape
        rows = self._buffer[: block.size].reshape(shape)
        rows = rows.T if fortran else rows
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            np.subtract(block, self.shift, out=rows, casting="same_kind")
            if fill:
                np.copyto(rows, 0, where=np.isnan(rows))
            if weights is not None:
                rows *= self._roots(weights, len(rows))[:, None]
        return rows

    def _blas(self, block: Array) -> bool:
        """Whether BLAS takes these rows as they lie."""
        if block.dtype != self.dtype or not block.dtype.isnative or not block.flags.aligned:
            return False
        if self.runs.n <= SQUARE and self.dtype.kind == "f":
            return bool(block.flags.c_contiguous or block.flags.f_contiguous)
        return self.dtype.itemsize in block.strides and min(block.strides) > 0

    def _roots(self, weights: Array | None, count: int) -> Array:
        """The roots of the weights."""
        if weights is not None:
            return np.sqrt(weights).astype(self.dtype)
        if self._ones.size < count:
            self._ones = np.ones(count, self.dtype)
        return self._ones[:count]

    def _height(self, raw: bool) -> int:
        """Rows to take at a time."""
        row = self.runs.n * self.dtype.itemsize
        if self._in_square():
            return self._step() * (STEPS if raw else 1)
        return max(1, RAW_BYTES // row if raw else min(HEIGHT, max(COPY_BYTES, self.runs.half.nbytes) // row))

    def _step(self) -> int:
        """Rows that a square is added at a time."""
        return STEP * max(1, CACHE_BYTES // (self.runs.n * self.dtype.itemsize * STEP))

    def _in_square(self) -> bool:
        return self.runs.n <= SQUARE and self.dtype.kind == "f"

    def _multiply(self, rows: Array, sign: int, tick: Callable[[float], None] | None) -> None:
        square = self._in_square()
        if square and len(rows) >= FEW:
            self._multiply_square(rows, sign)
            return
        left = right = rows
        if self.runs.conjugates:
            left, right = (rows.conj(), rows) if self.runs.turned else (rows, rows.conj())
        n = self.runs.n
        side = -(-n // -(-n // (SIDE if square else PANEL)))
        buffer = np.empty(side * n, self.dtype)
        done = 0
        for first in range(0, n, side):
            at = slice(first, min(first + side, n))
            for columns in (at, slice(0, first) if self.runs.grow else slice(at.stop, n)):
                shape = (at.stop - at.start, columns.stop - columns.start)
                if not shape[1]:
                    continue
                tile = buffer[: shape[0] * shape[1]].reshape(shape)
                with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                    np.matmul(left[:, at].T, right[:, columns], out=tile)
                if sign < 0:
                    np.negative(tile, out=tile)
                if self.runs.conjugates and at == columns:
                    tile.imag.flat[:: len(tile) + 1] = 0
                self._put(at, columns, tile)
                done += shape[0] * shape[1] * (1 if at == columns else 2)
            if tick is not None:
                tick(done / n**2)
        self._fresh = False

    def _multiply_square(self, rows: Array, sign: int) -> None:
        if self._syrk is None:
            from scipy.linalg import get_blas_funcs

            self._syrk = get_blas_funcs("syrk", dtype=self.dtype)
        if self._square is None:
            self._square = np.zeros((self.runs.n, self.runs.n), self.dtype, order="F")
        fortran = rows.flags.f_contiguous
        across = rows if fortran else rows.T
        # into the upper triangle of columns: OpenBLAS needs 1.09 of the time for the lower one
        self._syrk(float(sign), across, beta=1.0, c=self._square, trans=int(fortran), overwrite_c=1)
        self._square_rows += len(rows)
        if self.dtype.itemsize == 4 and self._square_rows >= SINGLE_ROWS:
            self._settle()

    def _put(self, rows: slice, columns: slice, tile: Array) -> None:
        way = "write" if self._fresh else "add"
        self.runs.write(rows, columns, tile.astype(self.runs.half.dtype, copy=False), way, self.threads)

    def _settle(self) -> None:
        """Bring the half up to date."""
        if self._square is not None and (self._square_rows or self._fresh):
            square = self._square.T if self.runs.grow else self._square
            for rows, columns in blocks(self.runs.n, self.runs.grow, SIDE):
                self._put(rows, columns, square[rows, columns])
            self._square.fill(0)
            self._square_rows = 0
            self._fresh = False
        if self._fresh:
            self.runs.half[...] = 0
            self._fresh = False

    def _diagonal(self) -> Array:
        ends = np.zeros(self.runs.n) if self._fresh else self.runs.ends().real.astype(np.float64)
        return ends if self._square is None else ends + self._square.diagonal()

    def _strays(self) -> bool:
        if self._stays or self.weight <= 0:
            return False
        most = STRAY[self.dtype.type(0).real.itemsize] ** 2
        with np.errstate(over="ignore", invalid="ignore"):
            square = np.abs(self.sums / self.weight) ** 2
            variance = self._diagonal() / self.weight - square
            return bool((square > most * np.maximum(variance, 0)).any())

    def _gain(self, sums: Array, weight: float, change: Array) -> None:
        """Add to G what rows with these sums gain when their shift changes: n d d^H - s d^H - d s^H."""
        if not change.any():
            return
        self._settle()
        left = np.stack([-sums, change])
        right = np.stack([change, weight * change - sums]).conj()
        if self.runs.turned and self.runs.conjugates:
            left, right = left.conj(), right.conj()
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            for rows, columns in blocks(self.runs.n, self.runs.grow, SIDE):
                self._put(rows, columns, left[:, rows].T @ right[:, columns])


def gather(
    data: Data,
    runs: Runs,
    weights: Array | None = None,
    *,
    shift: Array | None = None,
    assume_centered: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    look: Callable[[Array], None] | None = None,
) -> Moments:
    """The moments of all rows of X, of which `look` sees each block.

    With a shift, NaN counts as that; with `assume_centered` the mean is zero, whatever the rows say.
    """
    check_progress(progress)
    if assume_centered:
        shift = np.zeros(data.p)
    fill = shift is not None and data.missing != "raise"
    moments = Moments(runs, data.dtype, shift=shift, threads=threads)
    rows = 0
    for start, block in data.blocks(max(1, RAW_BYTES // (data.p * data.dtype.itemsize))):
        rows = start + len(block)
        if weights is not None and rows > weights.size:
            raise ValueError(f"there are {weights.size} weights, and X has more rows")
        tick = None if progress is None else _ticker(progress, start, len(block), data.n)
        part = None if weights is None else weights[start:rows]
        if not moments.add(block, part, fill=fill, tick=tick):
            refuse(data, block, start)
        if look is not None:
            look(block)
        if tick is not None:
            tick(1.0)
    check_rows(rows)
    if weights is not None and rows < weights.size:
        raise ValueError(f"there are {weights.size} weights for {rows} rows")
    if assume_centered:
        moments.sums[...] = 0
    squares = moments.variances(1.0)
    if not np.isfinite(squares).all():
        raise_overflow(data)
    check_underflow(data, squares, data.dtype, weights, about_zero=assume_centered)
    return moments


def refuse(data: Data, block: Array, start: int) -> None:
    """Say what is wrong with rows whose sums are not finite."""
    data.refuse(block, start)
    raise_overflow(data)


def raise_overflow(data: Data, what: str = "X") -> None:
    """OverflowError for numbers whose squares have no place in the dtype."""
    raise OverflowError(
        f"sums of squares of {what} exceed {data.dtype}, which ends at {np.finfo(data.dtype).max:.3g}: "
        f"scale {'X' if what == 'X' else 'them'} first"
    )


def wide_dtype(p: int, dtype: Dtype) -> Dtype:
    """What to add up in: float64 for float32 of a small side, where it costs little."""
    return np.dtype(np.float64) if dtype == np.float32 and p <= SQUARE else dtype


def accumulator(p: int, dtype: Dtype, runs: Runs) -> Runs:
    """Where to add up: the half of the result, or one of a wider dtype."""
    wide = wide_dtype(p, dtype)
    return runs if wide == runs.half.dtype else plain_runs(p, wide, runs.grow)


def _ticker(progress: Progress, start: int, rows: int, total: int | None) -> Callable[[float], None]:
    def tick(share: float) -> None:
        progress(start + int(rows * share), total)

    return tick


def _within(tick: Callable[[float], None], start: float, stop: float) -> Callable[[float], None]:
    return lambda share: tick(start + (stop - start) * share)


def plain_runs(p: int, dtype: Dtype, grow: bool = False) -> Runs:
    """A new half of one order; by default vech's own."""
    layout = Layout("lower", "rows" if grow else "columns")
    return runs_of(Half(np.empty(layout.length(p), dtype), layout, Kind.HERMITIAN.of(dtype)))
