"""How far an approximation is from a matrix: where, how often, and in the usual norms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array
from vech.labels import label_text
from vech.layouts.layout import one_of
from vech.plot.axes import FAINT, brief, drawable
from vech.plot.cells import SUMMARIES, Panel, cells, panels
from vech.plot.content import scale
from vech.plot.frame import Frame
from vech.plot.matrix import check_sizes, draw_cells, legend, of_cells
from vech.store import Store, common_labels

BINS = 60


class Error(NamedTuple):
    """What `error` drew.

    Attributes
    ----------
    axes, histogram : matplotlib axes
        Of S - T as a heatmap, and how often each of its numbers occurs.
    largest : float
        The largest modulus of S - T.
    at : (int, int)
        Where that is.
    frobenius, relative : float
        The Frobenius norm of S - T, also over that of S.
    missing : int
        Pairs in which one of them is NaN or infinite, which do not count.
    """

    axes: Any
    histogram: Any
    largest: float
    at: tuple[int, int]
    frobenius: float
    relative: float
    missing: int


def error(
    S: Store | ArrayLike,
    T: Store | ArrayLike,
    *,
    summary: str = "extreme",
    labels: bool | None = None,
    title: str | None = None,
    pixels: int | None = None,
    cmap: Any = None,
    limits: tuple[float, float] | None = None,
    ax: Any = None,
) -> Error:
    """Draw S - T, the error of an approximation T: where it is, how it is distributed, and its norms.

    Parameters
    ----------
    S, T : store, or a full matrix (array, data frame) that is packed first
        Real, of one side and the same labels, in whatever layout, dtype or store.
    summary : {"extreme", "mean"}
        Where there are more rows than pixels, what a cell of k x k numbers shows: the one of largest modulus,
        since errors of both signs have no mean; or the mean. The label of the colour bar says so.
    labels : bool, optional
        Whether rows and columns are named, as for `vech.plot.heatmap`.
    title : str, optional
        Above the norms.
    pixels, cmap, limits
        As for `vech.plot.heatmap`; the diagonal counts.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Error
        The axes, and the norms that are written above them.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For complex stores and dates.
    ValueError
        For sides or labels that differ, n = 0, and arguments that are none of their choices.

    Notes
    -----
    The histogram stands on the colour bar and shares its axis; counts are on a logarithmic one. Time in
    proportion to n^2: both are read twice, a few rows at a time, and computed with in float64.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> S = vech.Packed(np.array([1.0, 0.5, 1.0]))
    >>> found = error(S, vech.Packed(np.array([1.0, 0.25, 1.0])))
    >>> found.largest, found.at, round(found.frobenius, 4), round(found.relative, 4)
    (0.25, (1, 0), 0.3536, 0.2236)
    """
    S, T = drawable(S, "error", name="S"), drawable(T, "error", name="T")
    check_sizes(pixels, None)
    one_of("summary", summary, SUMMARIES)
    if S.n != T.n:
        raise ValueError(f"S has side {S.n} and T has {T.n}: an approximation has as many rows")
    known = common_labels(S.labels, T.labels)
    if labels and known is None:
        raise ValueError("S has no labels to draw: S.with_labels(names) gives it some")
    frame = Frame(ax, (8.0, 6.0), S.n)
    if known is not None and labels is not False:
        frame.names = [label_text(label) for label in known]
    else:
        frame.number()
    norms = _Norms()
    found = cells(lambda: norms.watched(S, T), None, S.n, pixels or frame.pixels(), summary, diagonal=True)
    colours = scale("covariance", found.shown, cmap=cmap, limits=limits)
    drawn = draw_cells(frame, found, colours, None)
    bar = frame.colour_bar(drawn.image, "", extend=colours.extend)
    said = ", ".join(filter(None, ("S - T", of_cells(found.per, summary))))
    histogram = _draw_histogram(frame, bar, S, T, said)
    frame.title = "\n".join(filter(None, (title, norms.in_words(known))))
    legend(frame, [], drawn.has_missing, found.per)
    frame.settle()
    at = norms.at
    return Error(frame.axes, histogram, norms.largest, at, norms.frobenius, norms.relative, norms.missing)


class _Norms:
    """The norms of S - T, added up while its panels are looked at."""

    def __init__(self) -> None:
        self.largest, self.at, self.missing = 0.0, (0, 0), 0
        self._squares = self._of_S = 0.0
        self._ahead = 0

    @property
    def frobenius(self) -> float:
        return float(np.sqrt(self._squares))

    @property
    def relative(self) -> float:
        """0 where there is no error, infinite where S is zero."""
        if not self._squares:
            return 0.0
        return float(np.sqrt(self._squares / self._of_S)) if self._of_S else np.inf

    def watched(self, S: Store, T: Store) -> Iterator[Panel]:
        """The panels of S - T, each noted."""
        for first, a, apart in _differences(S, T):
            is_finite = np.isfinite(apart)
            known = np.where(is_finite, apart, 0.0)
            self._squares += float(np.vdot(known, known))
            a = np.where(is_finite, a, 0.0)
            self._of_S += float(np.vdot(a, a))
            lower = is_finite[:, : first + len(apart)] | np.triu(
                np.ones((len(apart), first + len(apart)), np.bool), first + 1
            )
            self.missing += int(np.count_nonzero(~lower))
            size = np.abs(known)
            k = int(size.argmax())
            if size.flat[k] > self.largest:
                i, j = divmod(k, S.n)
                self.largest, self.at = float(size.flat[k]), (max(first + i, j), min(first + i, j))
            yield first, apart

    def in_words(self, labels: tuple[Any, ...] | None) -> str:
        """One line of the numbers."""
        i, j = self.at
        where = f"{labels[i]}, {labels[j]}" if labels is not None else f"{i}, {j}"
        parts = [
            f"largest {brief(self.largest)}" + f" at {where}" * (self.largest > 0),
            f"Frobenius {brief(self.frobenius)}",
            f"relative {brief(self.relative)}",
        ]
        if self.missing:
            parts.append(f"{self.missing:,} pairs missing")
        return ";  ".join(parts)


def _differences(S: Store, T: Store) -> Iterator[tuple[int, Array, Array]]:
    with np.errstate(invalid="ignore", over="ignore"):
        for (first, a), (_, b) in zip(panels(S), panels(T), strict=True):
            a = a.astype(np.float64, copy=False)
            yield first, a, a - b


def _draw_histogram(frame: Frame, bar: Any, S: Store, T: Store, label: str) -> Any:
    """How many pairs have which error, on the colour bar, which lends its axis."""
    from matplotlib.ticker import NullLocator

    low, high = bar.mappable.get_clim()
    edges = np.linspace(low, high, BINS + 1)
    counts = np.zeros(BINS, np.int64)
    for first, _, apart in _differences(S, T):
        stop = first + len(apart)
        own = apart[:, :stop][np.tril(np.ones((len(apart), stop), np.bool), first)]
        counts += np.histogram(own[np.isfinite(own)], edges)[0]
    axes = frame.beside_bar(bar, 0.2)
    axes.stairs(counts, edges, orientation="horizontal", fill=True, color="0.75")
    axes.set_xscale("symlog", linthresh=1)
    axes.set(ylim=(low, high), xlim=(0, 2 * max(1, counts.max())), xlabel="pairs")
    most = int(np.log10(max(1, counts.max())))
    axes.set_xticks([1, 10**most][: 1 + (most > 0)], ["1", f"1e{most}"][: 1 + (most > 0)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.label.set_size(frame.font)
    axes.set_ylabel(label, size=frame.font)
    axes.tick_params(labelsize=frame.font, length=2, width=0.6, color=FAINT)
    return axes
