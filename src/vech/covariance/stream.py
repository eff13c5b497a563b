"""Covariances of rows that come and go."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from vech.arrays import Array, resolve_threads
from vech.counts.codes import Counts, edges, encode
from vech.covariance.data import (
    Data,
    as_weights,
    check_labels,
    check_rows,
    check_underflow,
    column_numbers,
    exponential_weights,
    open_data,
)
from vech.covariance.gerber import FORMS
from vech.covariance.moments import ROUNDINGS, Moments, plain_runs, raise_overflow, refuse, wide_dtype
from vech.covariance.sample import check_ddof, divisor_of, write_correlation, write_covariance
from vech.frames import labels_of
from vech.layouts.dialects import AnyLayout
from vech.layouts.layout import one_of
from vech.results.result import Result
from vech.results.wanted import Wanted

METHODS = ("sample", "correlation", "gerber")
NOTHING = 2.0**-40  # of the weight there was: rounding
LEAST = {32: 3e-4, 64: 1e-8}  # of a variance, by bits: what rounding may cover, half of the digits


class Stream:
    """A covariance that is updated with rows, merged with others, and from which rows are taken away again.

    Parameters
    ----------
    method : {"sample", "correlation", "gerber"}
        What `result` gives.
    ddof : number, optional
        For "sample" and "correlation", 1 unless told.
    half_life : float, optional
        For "sample" and "correlation": after how many further rows a row counts half as much; more than 0.
    thresholds : number or array, shape (n_features,)
        For "gerber", in the units of X and frozen: a number is a move from there on, up or down, and where it
        misses that by rounding alone.
    center : number or array, shape (n_features,), optional
        For "gerber": from where moves are measured, 0 unless told.
    form : {"gs1", "gs0", "gs2"}, optional
        For "gerber", "gs1" unless told.
    scale : number or array, shape (n_features,), optional
        For "gerber": standard deviations that make its statistic a covariance; without, it is the statistic.

    Raises
    ------
    ValueError, TypeError
        For an unknown method or form, options of another method, and numbers that do not fit.

    Notes
    -----
    In any order, updates, merges and removals give what all rows at once give: for "gerber" exactly, of whole
    numbers; else up to rounding. Each of them, and each error or Ctrl-C in the midst of it, leaves all rows
    of the call in the stream or none: a copy is changed, and takes the place of what was there when it is
    complete (of two calls at a time, in threads, one is lost: give each thread a stream, and merge them).

    Rows that are taken away leave the rounding of their squares behind. Its size is kept account of, and
    `result` refuses a column of whose variance it covers half of the digits: relative to the variance more
    than 1e-8 in float64 and 3e-4 in float32. In float64 this is so after rows some thousand standard
    deviations of what remains away. It is a ValueError too where less than nothing remains.

    With `half_life` h, the latest of n rows has weight 1 and row t has ``2 ** (-(n - 1 - t) / h)``, so that a
    stream gives what `sample` gives with ``weights=exponential_weights(n, h)``, and the last matrix of
    pandas' ``ewm(halflife=h, adjust=True).cov()``, whose ``bias=False`` is ddof = 1 and ``bias=True`` ddof =
    0; ``adjust=False``, in which the first row counts more, is not offered. The order of rows then matters,
    so none can be taken away, and `merge` takes the rows of the other stream as the later ones. (J.P. Morgan,
    RiskMetrics technical document, 4th edition, 1996.)

    "sample" and "correlation" hold one half, "gerber" two of int64; while they change, twice that (up to 1024
    columns a square beside it).

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0], [4.0, 0.0]])
    >>> s = Stream("sample")
    >>> s.update(X[:1])
    >>> s.update(X[1:])
    >>> s.n_samples
    4
    >>> s.remove(X[3:])
    >>> s.result().half
    array([1., 2., 7.])
    >>> other = Stream("sample")
    >>> other.update(X[3:])
    >>> s.merge(other)
    >>> s.result().half.round(3)
    array([ 1.667, -0.167,  6.917])
    """

    def __init__(
        self,
        method: str = "sample",
        *,
        ddof: float | None = None,
        half_life: float | None = None,
        thresholds: Any = None,
        center: Any = None,
        form: str | None = None,
        scale: Any = None,
    ) -> None:
        one_of("method", method, METHODS)
        one_of("form", form or "gs1", tuple(FORMS))
        self.method = method
        strangers = {"thresholds": thresholds, "center": center, "form": form, "scale": scale}
        if method == "gerber":
            if thresholds is None:
                raise ValueError(
                    "a Gerber stream counts against thresholds that stay: say thresholds=, in the units of X"
                )
            strangers = {"ddof": ddof, "half_life": half_life}
        wrong = [name for name, value in strangers.items() if value is not None]
        if wrong:
            raise TypeError(f"method={method!r} takes no {wrong[0]}=")
        self.form = form or "gs1"
        self.ddof = 1 if ddof is None else ddof
        check_ddof(self.ddof)
        if half_life is not None:
            exponential_weights(1, half_life)  # which judges it
        self.half_life = half_life
        self._thresholds = (
            None if thresholds is None else column_numbers(thresholds, "thresholds", least=0, above=True)
        )
        self._center = column_numbers(0.0 if center is None else center, "center")
        self._scale = None if scale is None else column_numbers(scale, "scale", least=0)
        given = {"thresholds": thresholds, "center": center, "scale": scale}
        self._names = {name: labels for name, x in given.items() if (labels := labels_of(x, 0)) is not None}
        self._content: tuple[Data, Moments | Counts] | None = (
            None  # the columns, and what is summed up of them
        )

    @property
    def _data(self) -> Data | None:
        return None if self._content is None else self._content[0]

    @property
    def _state(self) -> Moments | Counts | None:
        return None if self._content is None else self._content[1]

    @property
    def n_samples(self) -> int:
        """How many rows are in it."""
        state = self._state
        if state is None:
            return 0
        return state.rows if isinstance(state, Moments) else state.n_samples

    def update(self, X: Any, *, weights: Any = None, threads: int | None = None) -> None:
        """Add the rows of X: an array, a frame, or an iterator of blocks of rows.

        Parameters
        ----------
        X : array, shape (n_samples, n_features); data frame; or iterator of such
            Real numbers; for "sample" and "correlation" complex ones too.
        weights : array, shape (n_samples,), optional
            For "sample" and "correlation", how much each row counts beside all others, of this update and of
            others, where 1 is a row without weights; with a half-life, beside what that says. Finite, not
            negative, not all zero, the largest from 1e-100 to 1e100.
        threads : int, optional
            At most so many threads for vech's part; BLAS has its own.

        Raises
        ------
        ValueError
            For NaN, infinities, weights that are none, and columns that are not those of the rows before.
        TypeError
            For columns that are no numbers, complex ones for "gerber", and another dtype than before.
        OverflowError
            If sums of squares exceed the dtype. After any error, and Ctrl-C, nothing has changed.

        Notes
        -----
        Takes what `sample` takes, and a copy of the half: for few rows of many columns that is most of the
        time, so give many rows at once.

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream("gerber", thresholds=0.5)
        >>> s.update(np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, 2.0], [0.7, 0.9]]))
        >>> s.result().half.round(4)
        array([1.  , 0.25, 1.  ])
        """
        self._change(X, 1, weights, threads)

    def remove(self, X: Any, *, weights: Any = None, threads: int | None = None) -> None:
        """Take rows away that were added.

        That there are so many rows is checked and, for "gerber", that no count falls below 0. Whether
        "sample" and "correlation" are left with sums that rows can have, and enough digits, is for `result`
        to say: what is missing may still come.

        Parameters
        ----------
        X, weights, threads
            As `update` had them.

        Raises
        ------
        ValueError
            For more rows or weight than there are, counts below 0, and the last rows where they are not those
            that are left; then nothing changes.
        TypeError
            With a half-life: which weight rows have come to have, only their place among all would tell.

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream("gerber", thresholds=0.5)
        >>> s.update(np.array([[1.0, 1.0], [-1.0, 1.0]]))
        >>> s.remove(np.array([[1.0, 1.0]]))
        >>> s.result().half
        array([ 1., -1.,  1.])
        """
        self._change(X, -1, weights, threads)

    def merge(self, other: Stream) -> None:
        """Add the rows of another stream of the same method, options, columns and dtype; it stays as it is.

        With a half-life, its rows are those that came later: this one's count as much less as if they had
        been added one by one.

        Parameters
        ----------
        other : Stream
            Of any rows; it may be this stream itself.

        Raises
        ------
        TypeError
            For anything but a Stream, and for another dtype; then nothing changes, as below.
        ValueError
            For another method, other options, and other columns.
        OverflowError
            If sums of squares about the mean of both exceed the dtype.

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream()
        >>> s.update(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]]))
        >>> other = Stream()
        >>> other.update(np.array([[4.0, 3.0]]))
        >>> s.merge(other)
        >>> s.n_samples
        4
        """
        if not isinstance(other, Stream):
            raise TypeError(f"a Stream is merged with a Stream, not with {type(other).__name__}")
        self._check_options(other)
        if other._content is None:
            return
        data, rows = other._content
        if self._data is not None:
            self._check_fits(data, "the other stream")
        state: Any = self._made(data)
        if isinstance(state, Counts):
            state.merge(rows)  # type: ignore[arg-type]
        elif isinstance(rows, Moments):
            with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
                if self.half_life is not None:
                    state.fade(2.0 ** (-rows.rows / self.half_life))
                if not state.merge(rows):
                    raise_overflow(data, "the rows of both streams")
            state.rest()
        self._take(state, data)

    def copy(self) -> Self:
        """A stream with the same rows. Nothing is copied: a change makes a copy of its own.

        Returns
        -------
        Stream

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream()
        >>> s.update(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]]))
        >>> twin = s.copy()
        >>> twin.update(np.array([[4.0, 3.0]]))
        >>> s.n_samples, twin.n_samples
        (3, 4)
        """
        return copy.copy(self)

    def result(self, *, layout: str | AnyLayout = "vech", out: Any = None, encoding: Any = None) -> Any:
        """What the rows so far give.

        Parameters
        ----------
        layout : str or layout
            Of the result.
        out : array, shape (length,), or path ending in ".npy" or ".zarr", optional
            Memory for the half, of exactly its dtype; or the file to write, or the `vech.Tiled`.
        encoding : str or vech.quantized.Encoding, optional
            As `sample` has it, but codes are made of a whole half, which is in memory first, beside the sums
            that the stream holds anyway.

        Returns
        -------
        Packed, or Tiled of a path ending in ".zarr", shape (n_features, n_features)
            A half of its own, or a store.

        Raises
        ------
        ValueError
            Without rows, with too few for ddof, of "correlation" for a constant column; where rounding of
            rows that were taken away covers half the digits of a variance, or rows were taken away that had
            not been added: a new stream of the rows that remain is the way out.

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream()
        >>> s.update(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]]))
        >>> s.result().half
        array([1., 2., 7.])
        """
        if self._content is None or self.n_samples == 0:
            raise ValueError("the stream has no rows: update it first")
        data, state = self._content
        ones = self.method == "correlation" or (self.method == "gerber" and self._scale is None)
        result = Result(
            data.p,
            data.dtype,
            Wanted(layout, out, encoding=encoding),
            labels=data.labels,
            implied=1 if ones else None,
        )
        result.hold()
        if isinstance(state, Counts):
            scale = None if self._scale is None else np.broadcast_to(self._scale, data.p)
            state.write(FORMS[self.form], result.half, result.plain.grow, scale)
        else:
            if state.removed:
                _check_digits(state, data)
            if self.method == "correlation":
                write_correlation(state, data, result)
            else:
                write_covariance(state, result, divisor_of(state, self.ddof))
        return result.store()

    def _change(self, X: Any, sign: int, weights: Any, threads: int | None) -> None:
        if self.method == "gerber" and weights is not None:
            raise TypeError("a Gerber stream counts rows, and counts are whole: it takes no weights=")
        if sign < 0 and self.half_life is not None:
            raise TypeError(
                "rows cannot be taken from a stream with half_life, where they have come to count less and "
                "less: they fade by themselves; make a new stream of the rows that remain"
            )
        data = open_data(X, policies=("raise",), complex_too=self.method != "gerber")
        if self._data is not None:
            self._check_fits(data, "X")
        given = as_weights(weights, data, scaled=False)
        if given is not None and not 1e-100 <= given.max() <= 1e100:
            raise ValueError(
                f"the largest weight is {given.max()}, and here it must be from 1e-100 to 1e100: "
                f"multiply the weights of all updates by one number"
            )
        low, high = self._reach(data)
        rows = data.n
        if rows is not None and sign < 0 and rows > self.n_samples:
            raise ValueError(f"{rows} rows cannot be taken from the {self.n_samples} that are there")
        state = self._made(data)
        if isinstance(state, Counts):
            if data.array is not None:  # blocks are checked on the way
                data.check()
            codes = encode(data.pieces(), low, high, threads=threads)
            (state.add if sign > 0 else state.remove)(codes, threads=threads)
        else:
            state.threads = resolve_threads(threads, state.runs.half.nbytes)
            _change_moments(state, data, given, sign, self.half_life)
        self._take(state, data)

    def _made(self, data: Data) -> Moments | Counts:
        """A copy of the state to change, or a new one for these columns."""
        state = self._state
        if state is not None:
            return state.copy()
        if self.method == "gerber":
            return Counts(data.p)
        return Moments(plain_runs(data.p, wide_dtype(data.p, data.dtype)), data.dtype)

    def _take(self, state: Moments | Counts, data: Data) -> None:
        """This is the state from now on, and these are its columns, with labels where there were none."""
        own = self._data
        self._content = (data.without_rows() if own is None or own.labels is None else own), state

    def _reach(self, data: Data) -> tuple[Array, Array]:
        """From where on a number is below, and above."""
        for name, vector in (
            ("thresholds", self._thresholds),
            ("center", self._center),
            ("scale", self._scale),
        ):
            if vector is not None and vector.ndim and vector.size != data.p:
                raise ValueError(f"there are {vector.size} {name} for {data.p} columns")
            check_labels(self._names.get(name), data.labels, name, "X")
        if self._thresholds is None or self._center is None:
            return np.zeros(0), np.zeros(0)
        low, high = edges(self._center, self._thresholds, data.dtype)
        return np.array(np.broadcast_to(low, data.p)), np.array(np.broadcast_to(high, data.p))

    def _check_fits(self, data: Data, what: str) -> None:
        own = self._data
        assert own is not None
        if data.p != own.p:
            raise ValueError(f"{what} has {data.p} columns, and the stream {own.p}")
        check_labels(own.labels, data.labels, "the stream", what)
        if data.dtype != own.dtype:
            raise TypeError(
                f"{what} is computed with in {data.dtype}, and the stream in {own.dtype}: astype first"
            )

    def _check_options(self, other: Stream) -> None:
        for name in ("method", "ddof", "half_life", "form", "_thresholds", "_center", "_scale"):
            one, two = getattr(self, name), getattr(other, name)
            same = np.array_equal(one, two) if isinstance(one, np.ndarray) else one is two or one == two
            if not same:
                raise ValueError(
                    f"the streams differ in {name.removeprefix('_')}, {one} and {two}: merge like with like"
                )


def _change_moments(
    state: Moments, data: Data, weights: Array | None, sign: int, half_life: float | None
) -> None:
    """Add rows of X to the moments, or take them away."""
    weight, stop = state.weight, 0
    for start, block in data.blocks():
        if sign < 0 and len(block) > state.rows:
            raise ValueError(f"{len(block)} rows cannot be taken from the {state.rows} that are there")
        stop = start + len(block)
        part = None if weights is None else weights[start:stop]
        if part is not None and len(part) < len(block):
            break
        if half_life is not None:
            done = _fade_in(state, block, part, half_life)
        else:
            done = state.change(block, part, sign=sign)
        if not done:
            refuse(data, block, start)
    check_rows(stop)
    if weights is not None and stop != weights.size:
        raise ValueError(f"there are {weights.size} weights for {stop} rows")
    if sign < 0 and state.rows and state.weight <= NOTHING * weight:
        raise ValueError("the rows that would remain have no weight")
    squares = state.scatter()
    if not np.isfinite(squares).all():
        raise_overflow(data)
    if half_life is not None:  # what is small may have faded, unless it varies in these rows
        if data.again:
            faded = exponential_weights(stop, half_life)
            check_underflow(data, squares, data.dtype, faded if weights is None else faded * weights)
    elif (
        sign > 0 and not state.removed
    ):  # else what is small may be rounding, which is for the result to judge
        check_underflow(data, squares, data.dtype, weights)
    state.rest()


def _fade_in(state: Moments, block: Array, weights: Array | None, half_life: float) -> bool:
    """Add rows after all there are, which count by the half-life less; whether all sums are finite."""
    if not len(block):
        return True
    faded = exponential_weights(len(block), half_life)
    part = faded if weights is None else faded * weights
    state.fade(2.0 ** (-len(block) / half_life))
    weight = float(part.sum())
    if weight > 0:
        wide = np.result_type(block.dtype, np.float64)
        heaviest = block[np.argmax(part)].astype(wide)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused
            mean = heaviest + part @ (block - heaviest) / weight
        if np.isfinite(mean).all():
            state.approach(mean, weight)
    if not state.add(block, part):
        return False
    state.settle_shift()
    return True


def _check_digits(state: Moments, data: Data) -> None:
    """Refuse sums that no rows have, and those of which too few digits are left."""
    left, noise = state.scatter(), ROUNDINGS * state.noise
    missing = np.flatnonzero(left < -noise)
    weight, squares = state.weight, state.squares
    weighed = ROUNDINGS * state.weight_noise
    if missing.size or squares < -weighed[1]:
        column = (
            f"sum of squares of {data.column(int(missing[0]))}" if missing.size else "sum of squared weights"
        )
        value = left[missing[0]] if missing.size else squares
        raise ValueError(
            f"the {column} would be {value:.3g}: rows were taken away that had not been added; add them, "
            f"or make a new stream of the rows there are"
        )
    least = LEAST[np.finfo(data.dtype).bits]
    if (weighed > least * np.array([weight, squares])).any():
        raise ValueError(
            f"weights that were taken away were so much larger than those that remain, {weight:.3g} in all, "
            f"that rounding covers these: make a new stream of the rows that remain"
        )
    lost = np.flatnonzero(noise > least * np.maximum(left, 0))
    if lost.size:
        at = int(lost[0])
        more = f" ({lost.size} columns have)" if lost.size > 1 else ""
        what = "has lost digits" if left[at] > noise[at] else "is constant or has lost all its digits"
        raise ValueError(
            f"{data.column(at)} of X {what}{more}: of rows that were taken away, which were larger, rounding "
            f"is left, and its sum of squares is {left[at]:.3g} +- {noise[at]:.1g}; make a new stream of the "
            f"rows that remain"
        )
