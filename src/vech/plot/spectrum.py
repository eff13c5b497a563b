"""The eigenvalues of a matrix beside what noise alone would give: bulk and outliers on one axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech import linalg
from vech.arrays import Array
from vech.layouts.layout import one_of
from vech.linalg.checks import check_finite, check_selfadjoint
from vech.linalg.quadrature import PROBES, STEPS, quadrature
from vech.packed.packed import packed
from vech.plot.axes import (
    FAINT,
    NEGATIVE,
    PLAIN,
    POINTS,
    POSITIVE,
    WIDE,
    brief,
    drawable,
    ink,
    wrapped,
)
from vech.plot.place import Place
from vech.store import Store

EXACT = 3000  # sides up to which all eigenvalues are computed
FEW = 60  # eigenvalues that are drawn one by one
FORMS = ("scree", "density")
FENCE = 3.0  # times the range of the middle half, beyond which an eigenvalue stands out
LOW = 160  # points: axes below have their legend above them
LABELLED = 8  # outliers whose value is written


class Spectrum(NamedTuple):
    """What `spectrum` drew.

    Attributes
    ----------
    axes : matplotlib axes
        Where.
    eigenvalues : array, shape (n,), or None
        Ascending; None where their density was estimated.
    edges : (float, float) or None
        Between which noise alone would lie.
    outliers : array
        Eigenvalues that stand out above, the largest first.
    """

    axes: Any
    eigenvalues: Array | None
    edges: tuple[float, float] | None
    outliers: Array


class _Law(NamedTuple):
    """Eigenvalues and the share of each, and what of them is bulk."""

    values: Array
    shares: Array
    low: float
    high: float


def spectrum(
    S: Store | ArrayLike,
    *,
    n_samples: int | None = None,
    form: str | None = None,
    bins: int | None = None,
    title: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    ax: Any = None,
) -> Spectrum:
    """Draw the eigenvalues, and the range that noise alone would fill. Expands S up to n = 3000.

    Parameters
    ----------
    S : store, or a full matrix (array, data frame) that is packed first
        Real symmetric or Hermitian.
    n_samples : int, optional
        Rows of the data that S is the covariance or correlation of: draws the law of Marchenko and Pastur for
        data without any structure, whose eigenvalues lie between its edges.
    form : {"scree", "density"}, optional
        Each eigenvalue by its rank, up to n = 60 unless said; or how densely they lie, with a tick for each
        that stands out. Where these are far away, the axis of the density is logarithmic beyond the bulk,
        which it says; that of ranks is so where the eigenvalues differ by more than 20 times.
    bins : int, optional
        Of the histogram; by the rule of Freedman and Diaconis unless said.
    title : str, optional
        Above the picture.
    progress : function, optional
        Called with the products that are done and their number, where n > 3000.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Spectrum
        The axes and what is shown on them.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For stores that are neither real symmetric nor Hermitian.
    ValueError
        For n = 0, NaN, infinities, an n_samples that is no whole number from 1 on, and a scree beyond n =
        3000.

    Notes
    -----
    Up to n = 3000 all eigenvalues, by LAPACK. Beyond, the density is estimated from products with S alone:
    the Lanczos quadrature of 8 random vectors (Lin, Saad & Yang 2016, SIAM Review 58, 34), which reads S 40
    times.

    An eigenvalue stands out above the edge, or without one where it is further above the middle half of all
    than 3 times the range of that half. The edges are ``s (1 -+ sqrt(n / n_samples))^2``, s the mean of the
    diagonal (Marchenko & Pastur 1967, Mathematics of the USSR-Sbornik 1, 457).

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> found = spectrum(vech.Packed(np.array([1.0, 0.5, 1.0])), n_samples=8)
    >>> found.eigenvalues.round(3).tolist(), [round(edge, 3) for edge in found.edges]
    ([0.5, 1.5], [0.25, 2.25])
    """
    S = drawable(S, "spectrum", complex_too=True)
    check_selfadjoint(S, "spectrum", "scipy.linalg.eigvals(S.expand()) has those of every matrix")
    if bins is not None and not bins >= 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    if n_samples is not None and not (n_samples >= 1 and n_samples % 1 == 0):
        raise ValueError(
            f"n_samples must be at least 1, not {n_samples}: it is the number of rows of the data"
        )
    if form is not None:
        one_of("form", form, FORMS)
        if form == "scree" and S.n > EXACT:
            raise ValueError(f"form='scree' shows each eigenvalue, which is for n up to {EXACT}, not {S.n}")
    edges = None if n_samples is None else _edges(S, n_samples)
    values = None
    if S.n <= EXACT:
        values = np.sort(linalg.eigh(packed(S), eigvals_only=True)).astype(np.float64)
        law = _law(values, np.full(S.n, 1 / S.n), edges)
        outliers = values[values > law.high][::-1]
    else:
        check_finite(S, who="eigenvalues need")
        nodes, weights = quadrature(S, progress=progress)
        law = _law(nodes, weights / PROBES, edges)
        outliers = _shared(nodes[nodes > law.high])
    place = Place(ax, (7.0, 4.0))
    axes = place.axes
    axes.tick_params(labelsize=place.font)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if values is not None and (form or ("scree" if S.n <= FEW else "density")) == "scree":
        _draw_scree(place, values, law, edges)
    else:
        _draw_density(place, S, law, values is None, bins, outliers, edges, n_samples)
    taken = _legend(place)
    if title:
        size = min(12.0, 1.3 * place.font)
        axes.set_title(wrapped(title, place.size[0], size), size=size, pad=6 + taken, **PLAIN)
    place.fit()
    return Spectrum(axes, values, edges, outliers)


def _legend(place: Place) -> float:
    """The legend, no wider than the axes; above small ones, and then its height in points."""
    longest = max(len(text) for text in place.axes.get_legend_handles_labels()[1])
    size = min(place.font, 0.8 * place.inner[0] / (WIDE * longest + 3))
    options: dict[str, Any] = {"loc": "best", "framealpha": 0.85}
    is_above = place.inner[1] < LOW
    if is_above:
        options = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0, "framealpha": 0}
    made = place.axes.legend(fontsize=size, edgecolor="none", **options)
    made.set_zorder(5)
    return made.get_window_extent().height * POINTS / place.figure.dpi if is_above else 0.0


# ---------------------------------------------------------------- what is bulk


def _edges(S: Store, n_samples: int) -> tuple[float, float]:
    level = float(np.mean(S.diagonal().real.astype(np.float64)))
    root = np.sqrt(S.n / n_samples)
    return float(level * (1 - root) ** 2), float(level * (1 + root) ** 2)


def _law(values: Array, shares: Array, edges: tuple[float, float] | None) -> _Law:
    """Eigenvalues, ascending, with the ends of their bulk."""
    order = np.argsort(values)
    values, shares = values[order], shares[order]
    below = np.cumsum(shares)
    first, third = values[
        np.searchsorted(below, (0.25 * below[-1], 0.75 * below[-1])).clip(0, len(values) - 1)
    ]
    fence = FENCE * (third - first)
    rounding = 8 * np.finfo(np.float64).eps * max(1.0, len(values)) * np.abs(values).max()
    high = max(edges[1], 0.0) if edges is not None and edges[1] > 0 else third + fence
    return _Law(values, shares, float(first - fence - rounding), float(high + rounding))


def _shared(nodes: Array) -> Array:
    """Of what random vectors found above the bulk, what half of them agree on, the largest first."""
    found, rest = [], np.sort(nodes)[::-1]
    while rest.size:
        near = rest > rest[0] * (1 - 0.01)
        if near.sum() >= PROBES / 2:
            found.append(float(rest[0]))
        rest = rest[~near]
    return np.array(found)


# ---------------------------------------------------------------- one by one


def _draw_scree(place: Place, values: Array, law: _Law, edges: tuple[float, float] | None) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes, falling = place.axes, values[::-1]
    ranks = np.arange(1, len(values) + 1)
    top = float(np.abs(values).max())
    zero = len(values) * np.finfo(np.float64).eps * top
    positive = falling[falling > zero]
    is_log = positive.size > 0 and positive[0] > 20 * positive[-1]
    gone = falling <= zero if is_log else np.zeros(len(values), np.bool)
    out = falling > law.high
    if edges is not None:
        axes.axhspan(*edges, color=NEGATIVE, alpha=0.12, linewidth=0, label="noise alone (Marchenko-Pastur)")
        axes.axhline(edges[1], color=NEGATIVE, linestyle="--", linewidth=1, label=f"its edge, {edges[1]:.4g}")
    axes.plot(ranks[~gone], falling[~gone], color=FAINT, linewidth=0.8, marker="", zorder=2)
    options: dict[str, Any] = {"linestyle": "none", "markersize": 5, "zorder": 3}
    axes.plot(ranks[~out & ~gone], falling[~out & ~gone], "o", color=ink(), **options)
    axes.lines[-1].set_label(f"{len(values)} eigenvalues")
    if out.any():
        axes.plot(ranks[out], falling[out], "o", color=POSITIVE, **options)
        axes.lines[-1].set_label(_standing_out(falling[out], values.sum()))
    for rank, value in list(zip(ranks[out], falling[out], strict=True))[:LABELLED]:
        axes.annotate(
            brief(value),
            (rank, value),
            (6, 0),
            textcoords="offset points",
            va="center",
            size=place.font,
            color=POSITIVE,
        )
    if is_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if top < 1e3 * positive[-1] else (1.0,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
        low = min(positive[-1], edges[0] if edges is not None and edges[0] > 0 else np.inf) / 1.5
        axes.set_ylim(low, top * 1.5)
        if gone.any():
            axes.plot(
                ranks[gone],
                np.full(gone.sum(), low),
                "v",
                color=FAINT,
                clip_on=False,
                label=f"{gone.sum()} at 0 or below",
                **options,
            )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(0.3, len(values) + 0.7)
    axes.set_xlabel("rank", size=place.font)
    axes.set_ylabel("eigenvalue", size=place.font)


# ---------------------------------------------------------------- how densely


def _draw_density(
    place: Place,
    S: Store,
    law: _Law,
    is_estimated: bool,
    bins: int | None,
    outliers: Array,
    edges: tuple[float, float] | None,
    n_samples: int | None,
) -> None:
    axes, top = place.axes, float(np.abs(law.values).max())
    zero = S.n * (1e-6 if is_estimated else np.finfo(np.float64).eps) * top
    at_zero = np.abs(law.values) <= min(zero, 1e-3 * abs(law.high))
    inside = (law.values <= law.high) & (law.values >= law.low) & ~at_zero
    values, shares = law.values[inside], law.shares[inside]
    if not values.size:
        values, shares, at_zero = law.values, law.shares, np.zeros(len(law.values), np.bool)
    share_at_zero = float(law.shares[at_zero].sum())
    low, high = float(values.min()), float(values.max())
    if edges is not None:
        low, high = min(low, edges[0]), max(high, edges[1])
    if low == high:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    room = 0.05 * (high - low)
    if is_estimated:
        x, y = _smooth(values, shares, low - room, high + room)
        axes.fill_between(x, y, color="0.75", linewidth=0, label=f"density from {STEPS} x {PROBES} products")
    else:
        # NumPy's "fd" makes all bins there would be, beyond memory where most values are alike
        width = 2 * np.subtract(*np.percentile(values, [75, 25])) / len(values) ** (1 / 3) or high - low
        count = bins or int(np.clip((high - low) / width, 10, 80))
        heights, at = np.histogram(values, count, (low, high), weights=shares)
        axes.stairs(heights / np.diff(at), at, fill=True, color="0.75", label=f"{S.n} eigenvalues")
    if edges is not None and n_samples is not None:
        _draw_noise(axes, S, n_samples, edges)
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(0, 1.25 * axes.dataLim.ymax)
    if share_at_zero:
        axes.plot([], [], " ", label=f"{'about ' * is_estimated}{share_at_zero * S.n:,.0f} more are 0")
    beneath = law.values < law.low
    if beneath.any():
        axes.set_xlim(left=min(law.values.min() - room, low - room))
        _ticks(axes, law.values[beneath], f"{beneath.sum()} far below" if not is_estimated else "far below")
    if outliers.size:
        _stretch(axes, low - room, high + room, float(outliers[0]))
        _ticks(axes, outliers, _standing_out(outliers, float(S.diagonal().real.astype(np.float64).sum())))
        _write(place, outliers)
    else:
        axes.set_xlabel("eigenvalue")
    axes.set_ylabel("density", size=place.font)
    axes.xaxis.label.set_size(place.font)


def _standing_out(outliers: Array, trace: float) -> str:
    share = f", {100 * outliers.sum() / trace:.0f} % of the trace" if trace > 0 else ""
    return f"{len(outliers)} outlier{'s' * (len(outliers) != 1)}{share}"


def _smooth(values: Array, shares: Array, low: float, high: float) -> tuple[Array, Array]:
    """The density of weighted nodes, each spread as far as the next ones of its vector are away."""
    x = np.linspace(low, high, 400)
    per_vector = max(2.0, len(values) / PROBES)
    width = 1.2 * (values.max() - values.min()) / per_vector or (high - low) / 50
    bells = np.exp(-0.5 * ((x[:, None] - values) / width) ** 2) / (width * np.sqrt(2 * np.pi))
    return x, bells @ shares


def _draw_noise(axes: Any, S: Store, n_samples: int, edges: tuple[float, float]) -> None:
    ratio, level = S.n / n_samples, float(np.mean(S.diagonal().real.astype(np.float64)))
    low, high = edges
    x = low + (high - low) * (0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 400)))[1:-1]  # closer at the ends
    density = np.sqrt((high - x) * (x - low)) / (2 * np.pi * level * ratio * x)
    axes.plot(x, density, color=NEGATIVE, linewidth=1.2, label="noise alone (Marchenko-Pastur)")
    axes.axvline(high, color=NEGATIVE, linestyle="--", linewidth=1, label=f"its edge, {high:.4g}")


def _stretch(axes: Any, low: float, high: float, most: float) -> None:
    """An axis that is linear as far as the bulk goes and, where outliers are far away, logarithmic beyond."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if most <= 2.5 * high or high <= 0:
        axes.set_xlim(right=most + 0.08 * (most - low))
        axes.set_xlabel("eigenvalue")
        return
    decades = np.log10(most / high)
    share = max(abs(low), high) / high  # a bulk below zero takes its part
    axes.set_xscale("symlog", linthresh=high, linscale=1.6 * max(decades, 0.3) / share)
    axes.set_xlim(low, most * 10 ** (0.12 * decades))
    near = [
        tick for tick in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high
    ]
    subs = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    far = [tick for tick in LogLocator(subs=subs).tick_values(high, most) if 1.25 * high < tick <= most * 1.2]
    axes.xaxis.set_major_locator(FixedLocator(near + far))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axes.axvspan(high, axes.get_xlim()[1], color="0.96", linewidth=0, zorder=0)
    axes.set_xlabel(f"eigenvalue (logarithmic beyond {high:.3g}, shaded)")


def _ticks(axes: Any, values: Array, text: str) -> None:
    axes.vlines(
        values, 0, 0.12, transform=axes.get_xaxis_transform(), color=POSITIVE, linewidth=1.4, label=text
    )


def _write(place: Place, outliers: Array) -> None:
    """The values of outliers above their ticks, the largest first, as far as they do not overlap."""
    axes, size = place.axes, place.font
    place.fit()
    scale = POINTS / place.figure.dpi
    places = axes.transData.transform(np.stack((outliers, np.zeros(outliers.size)), axis=1))[:, 0] * scale
    taken: list[float] = []
    for value, at in zip(outliers, places, strict=True):
        if len(taken) == LABELLED:
            break
        if any(abs(at - other) < 1.25 * size for other in taken):
            continue
        taken.append(float(at))
        axes.annotate(
            brief(value),
            (value, 0.13),
            xycoords=axes.get_xaxis_transform(),
            rotation=90,
            ha="center",
            va="bottom",
            size=size,
            color=POSITIVE,
        )
