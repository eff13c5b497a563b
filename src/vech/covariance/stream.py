"""Covariances of rows that come and go."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from vech.arrays import Array
from vech.counts.codes import Counts, encode
from vech.covariance.data import Data, as_weights, check_labels, open_data
from vech.covariance.gerber import FORMS
from vech.covariance.moments import Moments, plain_runs, raise_overflow, refuse, wide_dtype
from vech.covariance.result import Result
from vech.covariance.sample import check_ddof, divisor_of, write_correlation, write_covariance
from vech.dialects import AnyLayout
from vech.layout import one_of
from vech.packed import Packed

METHODS = ("sample", "correlation", "gerber")
NOTHING = 2.0**-40  # of the weight there was: rounding


class Stream:
    """A covariance that is updated with rows, merged with others, and from which rows are taken away again.

    Parameters
    ----------
    method : {"sample", "correlation", "gerber"}
        What `result` gives.
    ddof : number, optional
        For "sample" and "correlation", 1 unless told.
    thresholds : number or array, shape (n_features,)
        For "gerber", in the units of X and frozen: a number counts as a move from there on, up or down.
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
    numbers; else up to rounding, where removing rows much larger than those that remain loses what those
    had covered; "correlation" refuses a column of which nothing is left. "sample" and "correlation" hold one half (up to 1024 columns a square beside it), "gerber" two
    halves of int64. NaN, infinities and, for "gerber", rows that cannot have
    been added are refused, and then nothing changes.

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
            strangers = {"ddof": ddof}
        wrong = [name for name, value in strangers.items() if value is not None]
        if wrong:
            raise TypeError(f"method={method!r} takes no {wrong[0]}=")
        self.form = form or "gs1"
        self.ddof = 1 if ddof is None else ddof
        check_ddof(self.ddof)
        self._thresholds = _vector(thresholds, "thresholds", positive=True)
        self._center = _vector(0.0 if center is None else center, "center")
        self._scale = None if scale is None else _vector(scale, "scale", negative=False)
        self._data: Data | None = None  # of the first update: columns, dtype, labels
        self._state: Moments | Counts | None = None

    @property
    def n_samples(self) -> int:
        """How many rows are in it."""
        if self._state is None:
            return 0
        return self._state.rows if isinstance(self._state, Moments) else self._state.n_samples

    @property
    def _weight(self) -> float:
        return self._state.weight if isinstance(self._state, Moments) else 0.0

    def update(self, X: Any, *, weights: Any = None, threads: int | None = None) -> None:
        """Add the rows of X: an array, a frame, or an iterator of blocks of rows.

        Parameters
        ----------
        X : array, shape (n_samples, n_features); data frame; or iterator of such
            Real numbers; for "sample" and "correlation" complex ones too.
        weights : array, shape (n_samples,), optional
            For "sample" and "correlation", how much each row counts beside all others, of this update and of others, where
            1 is a row without weights. Finite, not negative, not all zero, the largest from 1e-100 to 1e100.
        threads : int, optional
            At most so many threads for vech's part; BLAS has its own.

        Raises
        ------
        ValueError
            For NaN, infinities, weights that are none, and columns that are not those of the rows before.
        TypeError
            For columns that are no numbers, complex ones for "gerber", and another dtype than before.
        OverflowError
            If sums of squares exceed the dtype.

        Notes
        -----
        Takes what `sample` takes, and a second half where a fault may show only after some blocks: in an iterator, with
        weights, and with numbers whose squares come near the end of the dtype.

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

        That there are so many is checked and, for "gerber", that no count falls below 0.

        Parameters
        ----------
        X, weights, threads
            As `update` had them.

        Raises
        ------
        ValueError
            For more rows or weight than there are, or counts below 0; then nothing changes.

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

        Parameters
        ----------
        other : Stream
            It may be this stream itself.

        Raises
        ------
        TypeError
            For anything but a Stream, and for another dtype; then nothing changes, as below.
        ValueError
            For another method, other options, and other columns.

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
        if other._data is None or other._state is None:
            return
        if self._data is not None:
            self._check_fits(other._data, "the other stream")
        rows = other.copy()._state if other is self else other._state
        state: Any = self._made(other._data)
        state.merge(rows)
        self._take(state, other._data)

    def copy(self) -> Self:
        """A stream with the same rows.

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
        options: dict[str, Any] = {"ddof": self.ddof}
        if self.method == "gerber":
            options = {"thresholds": self._thresholds, "center": self._center, "form": self.form}
            options["scale"] = self._scale
        twin = type(self)(self.method, **options)
        twin.merge(self)
        return twin

    def result(self, *, layout: str | AnyLayout = "vech", out: Array | None = None) -> Packed:
        """What the rows so far give.

        Parameters
        ----------
        layout : str or layout
            Of the result.
        out : array, shape (length,), optional
            Memory for the half, of exactly its dtype.

        Returns
        -------
        Packed, shape (n_features, n_features)
            A half of its own.

        Raises
        ------
        ValueError
            Without rows, with too few for ddof, and of "correlation" for a constant column.

        Examples
        --------
        >>> import numpy as np
        >>> s = Stream()
        >>> s.update(np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 6.0]]))
        >>> s.result().half
        array([1., 2., 7.])
        """
        data, state = self._data, self._state
        if data is None or state is None or self.n_samples == 0:
            raise ValueError("the stream has no rows: update it first")
        ones = self.method == "correlation" or (self.method == "gerber" and self._scale is None)
        result = Result(data.p, data.dtype, layout, out, implied=1 if ones else None)
        if isinstance(state, Counts):
            scale = None if self._scale is None else np.broadcast_to(self._scale, data.p)
            state.write(FORMS[self.form], result.half, result.plain.grow, scale)
        elif self.method == "correlation":
            write_correlation(state, data, result)
        else:
            write_covariance(state, result, divisor_of(state, self.ddof))
        return result.store(data.labels)

    def _change(self, X: Any, sign: int, weights: Any, threads: int | None) -> None:
        if self.method == "gerber" and weights is not None:
            raise TypeError("a Gerber stream counts rows, and counts are whole: it takes no weights=")
        data = open_data(X, policies=("raise",), complex_too=self.method != "gerber")
        if self._data is not None:
            self._check_fits(data, "X")
        given = as_weights(weights, data, scaled=False)
        if given is not None and not 1e-100 <= given.max() <= 1e100:
            raise ValueError(
                f"the largest weight is {given.max()}, and here it must be from 1e-100 to 1e100: multiply the weights "
                f"of all updates by one number"
            )
        low, high = self._reach(data)
        if data.array is not None:
            rows = data.check()  # before anything changes
            if sign < 0 and rows > self.n_samples:
                raise ValueError(f"{rows} rows cannot be taken from the {self.n_samples} that are there")
        state = self._made(data)
        if isinstance(state, Counts):
            codes = encode(data.pieces(), low, high, threads=threads)
            (state.add if sign > 0 else state.remove)(codes, threads=threads)
        else:
            if self._state is not None and (given is not None or not _cannot_fail(state, data)):
                state = state.copy()
            stop = 0
            for start, block in data.blocks():
                if sign < 0 and len(block) > state.rows:
                    raise ValueError(
                        f"{len(block)} rows cannot be taken from the {state.rows} that are there"
                    )
                stop = start + len(block)
                part = None if given is None else given[start:stop]
                if part is not None and len(part) < len(block):
                    break
                if not state.add(block, part, sign=sign):
                    refuse(data, block, start)
            if given is not None and stop != given.size:
                raise ValueError(f"there are {given.size} weights for {stop} rows")
            if state.rows and state.weight <= NOTHING * abs(self._weight):
                raise ValueError("the rows that would remain have no weight")
            if not np.isfinite(state.variances(1.0)).all():
                raise_overflow(data)
        self._take(state, data)

    def _made(self, data: Data) -> Moments | Counts:
        """The state, or a new one for these columns."""
        if self._state is not None:
            return self._state
        if self.method == "gerber":
            return Counts(data.p)
        return Moments(plain_runs(data.p, wide_dtype(data.p, data.dtype)), data.dtype)

    def _take(self, state: Moments | Counts, data: Data) -> None:
        """This is the state from now on, and these are its columns, with labels where there were none."""
        self._state = state
        if self._data is None or self._data.labels is None:
            self._data = data.without_rows()

    def _reach(self, data: Data) -> tuple[Array, Array]:
        """From where on a number is below, and above."""
        for name, vector in (
            ("thresholds", self._thresholds),
            ("center", self._center),
            ("scale", self._scale),
        ):
            if vector is not None and vector.ndim and vector.size != data.p:
                raise ValueError(f"there are {vector.size} {name} for {data.p} columns")
        if self._thresholds is None or self._center is None:
            return np.zeros(0), np.zeros(0)
        low, high = self._center - self._thresholds, self._center + self._thresholds
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
        for name in ("method", "ddof", "form", "_thresholds", "_center", "_scale"):
            one, two = getattr(self, name), getattr(other, name)
            same = np.array_equal(one, two) if isinstance(one, np.ndarray) else one is two or one == two
            if not same:
                raise ValueError(
                    f"the streams differ in {name.removeprefix('_')}, {one} and {two}: merge like with like"
                )


def _cannot_fail(state: Moments, data: Data) -> bool:
    """Whether these rows, which are finite, can be added in place: by a bound on all sums there may be."""
    if data.array is None:
        return False
    if state.rows == 0:
        most = 0.0
        center = np.zeros(1)
    else:
        most, center = float(state.variances(1.0).max()), np.abs([state.mean, state.shift])
    ends = [0.0]
    for _, block in data.blocks():
        if block.dtype.kind == "c":
            ends.append(float(np.abs(block).max()))
        else:
            ends += [abs(float(block.max())), abs(float(block.min()))]
    with np.errstate(over="ignore"):
        reach = np.float64(max(ends)) + 3 * center.max()
        bound = most + 4 * (max(state.rows, state.weight) + len(data.array)) * reach**2
    return bool(bound < np.finfo(data.dtype).max)


def _vector(given: Any, what: str, *, positive: bool = False, negative: bool = True) -> Array | None:
    if given is None:
        return None
    vector = np.array(given)
    if vector.dtype.kind not in "biuf" or vector.ndim > 1:
        raise TypeError(
            f"{what} must be a number, or a vector of one number for each column, not {type(given).__name__} of "
            f"dtype {vector.dtype} and shape {vector.shape}"
        )
    vector = vector.astype(np.float64)
    wrong = ~np.isfinite(vector) | (positive & (vector <= 0)) | ((not negative) & (vector < 0))
    if wrong.any():
        raise ValueError(
            f"{what} has {vector.reshape(-1)[np.argmax(wrong)]}: each must be finite"
            + (" and more than 0" if positive else "" if negative else " and not negative")
        )
    return vector
