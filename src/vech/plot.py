"""Pictures of a store by matplotlib (the extra "plot"): a heatmap with labels and clusters, and the spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from vech import linalg
from vech.arrays import Array, family
from vech.layouts.layout import one_of
from vech.linalg.quadrature import quadrature
from vech.moves.converting import convert
from vech.packed.packed import Packed, packed
from vech.store import Store

__all__ = ["Heatmap", "Spectrum", "heatmap", "spectrum"]


def __dir__() -> list[str]:
    return __all__


PANEL_BYTES = 2**24  # rows of the matrix looked at together
EXACT = 3000  # sides up to which all eigenvalues are computed


class Heatmap(NamedTuple):
    """What `heatmap` drew: axes of the matrix and of the dendrogram (or None), and the order of the rows."""

    axes: Any
    dendrogram: Any
    order: Array


class Spectrum(NamedTuple):
    """What `spectrum` drew: its axes; eigenvalues, or None where they were estimated; the edges, or None."""

    axes: Any
    eigenvalues: Array | None
    edges: tuple[float, float] | None


def heatmap(
    S: Store,
    *,
    order: str | Sequence[int] | Array | None = None,
    distance: Packed | None = None,
    method: str = "average",
    labels: bool | None = None,
    pixels: int = 800,
    cmap: str | None = None,
    limits: tuple[float, float] | None = None,
    ax: Any = None,
) -> Heatmap:
    """Draw a matrix as a grid of colours, if wanted with its rows in the order of their clusters.

    Parameters
    ----------
    S : store
        Real, of any size: rows are read a few at a time, and the matrix is never expanded.
    order : "cluster" or permutation of the n rows, optional
        "cluster" puts alike rows together, by hierarchical clustering, and draws its dendrogram above.
    distance : Packed, optional
        What to cluster by. Unless given, S is taken as a covariance or correlation, and two rows are
        ``sqrt(2 (1 - correlation))`` apart.
    method : str
        Of ``scipy.cluster.hierarchy.linkage``.
    labels : bool, optional
        Whether rows and columns are named. Unless said, up to 60 of a store that has labels.
    pixels : int
        A matrix of more rows is drawn as means over so many groups of them in each direction.
    cmap : str, optional
        A colour map of matplotlib's; red to blue about zero unless said, or viridis for numbers of one sign.
    limits : (low, high), optional
        What the ends of the colours mean; those of the matrix unless said, about zero if it has both signs.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Heatmap

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For complex stores (draw ``S.map(np.abs)``) and dates.
    ValueError
        For an order that is no permutation, clusters of a matrix whose diagonal is not positive, labels that
        S does not have, and n = 0.

    Notes
    -----
    Time in proportion to n^2, memory for a few rows; with clusters that of a condensed half, n (n - 1) / 2
    float64, and time in proportion to n^2 for most methods.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> S = Packed(np.array([1.0, 0.1, 0.9, 1.0, 0.2, 1.0]), labels=["a", "b", "c"])
    >>> heatmap(S, order="cluster").order.tolist()
    [1, 0, 2]
    """
    _check_store(S, "heatmap")
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, not {pixels}")
    links = None
    if isinstance(order, str):
        one_of("order", order, ("cluster",))
        links = _linkage(_distances(S) if distance is None else _condensed(distance, S.n), method)
        rows = _leaves(links, S.n)
    else:
        if distance is not None:
            raise TypeError("distance= is for order='cluster'")
        rows = np.arange(S.n) if order is None else _permutation(order, S.n)
    axes = ax if ax is not None else _figure((7.0, 6.0))
    means = _means(S, rows, min(pixels, S.n))
    low, high = _limits(means) if limits is None else limits
    diverging = low < 0 < high
    image = axes.imshow(
        means,
        cmap=cmap or ("RdBu" if diverging else "viridis"),
        vmin=low,
        vmax=high,
        extent=(0, S.n, S.n, 0),
        interpolation="nearest",
        aspect="equal",
    )
    from mpl_toolkits.axes_grid1 import make_axes_locatable

    beside = make_axes_locatable(axes)
    axes.figure.colorbar(image, cax=beside.append_axes("right", size="4%", pad=0.1))
    above = None
    if links is not None:
        above = beside.append_axes("top", size="15%", pad=0.02, sharex=axes)
        _draw_dendrogram(above, links, S.n)
    _name_rows(axes, S, rows, labels)
    return Heatmap(axes, above, rows)


def spectrum(S: Store, *, n_samples: int | None = None, bins: int = 60, ax: Any = None) -> Spectrum:
    """Draw the eigenvalues as a histogram, with the range that noise alone would fill. Expands S up to n = 3000.

    Parameters
    ----------
    S : store
        Real symmetric or Hermitian.
    n_samples : int, optional
        Rows of the data that S is the covariance or correlation of: draws the law of Marchenko and Pastur for
        data without any structure, whose eigenvalues lie between its edges.
    bins : int
        Of the histogram.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Spectrum

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For stores that are neither real symmetric nor Hermitian.
    ValueError
        For n = 0, NaN, infinities and an n_samples that is no whole number from 1 on.

    Notes
    -----
    Up to n = 3000 all eigenvalues, by LAPACK. Beyond, the density is estimated from products with S alone:
    the Lanczos quadrature of 8 random vectors (Lin, Saad & Yang 2016, SIAM Review 58, 34), 800 products.

    The edges are ``s (1 -+ sqrt(n / n_samples))^2``, s the mean of the diagonal (Marchenko & Pastur 1967,
    Mathematics of the USSR-Sbornik 1, 457).

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> found = spectrum(Packed(np.array([1.0, 0.5, 1.0])), n_samples=8)
    >>> found.eigenvalues.round(3).tolist(), [round(edge, 3) for edge in found.edges]
    ([0.5, 1.5], [0.25, 2.25])
    """
    _check_store(S, "spectrum", complex_too=True)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    if n_samples is not None and not (n_samples >= 1 and n_samples % 1 == 0):
        raise ValueError(
            f"n_samples must be at least 1, not {n_samples}: it is the number of rows of the data"
        )
    values = None
    if S.n <= EXACT:
        values = np.sort(linalg.eigh(packed(S), eigvals_only=True))
    axes = ax if ax is not None else _figure((7.0, 4.0))
    if values is not None:
        axes.hist(values, bins=bins, density=True, color="0.6", label=f"{S.n} eigenvalues")
    else:
        nodes, weights = quadrature(S)
        axes.hist(nodes, bins=bins, weights=weights, density=True, color="0.6", label="estimated density")
    edges = None
    if n_samples is not None:
        edges = _draw_noise(axes, S, n_samples)
    axes.set_xlabel("eigenvalue")
    axes.set_ylabel("density")
    axes.legend()
    return Spectrum(axes, values, edges)


# ---------------------------------------------------------------- the matrix, a few rows at a time


def _means(S: Store, rows: Array, side: int) -> Array:
    """Means over side x side groups of rows and columns in this order."""
    n = S.n
    group = np.empty(n, np.int64)  # of each row of S
    group[rows] = np.arange(n) * side // n
    starts = np.searchsorted(np.arange(n) * side // n, np.arange(side))
    sums = np.zeros((side, side))
    height = max(1, PANEL_BYTES // (8 * n))
    for first in range(0, n, height):
        panel = S.expand(slice(first, min(first + height, n))).astype(np.float64, copy=False)
        within = np.add.reduceat(panel[:, rows], starts, axis=1)
        np.add.at(sums, group[first : first + len(panel)], within)
    count = np.diff(starts, append=n).astype(np.float64)
    return sums / np.outer(count, count)


def _limits(means: Array) -> tuple[float, float]:
    finite = means[np.isfinite(means)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low < 0 < high:
        high = max(high, -low)
        low = -high
    return low, high


# ---------------------------------------------------------------- clusters


def _distances(S: Store) -> Array:
    """Condensed: how far apart rows of a covariance are, sqrt(2 (1 - correlation))."""
    if S.describe().triangle is not None:
        raise TypeError(
            f"clusters of a {type(S).__name__} need its numbers: draw S.to_packed(), or give distance="
        )
    diagonal = S.diagonal().astype(np.float64)
    wrong = ~(diagonal > 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"the diagonal has {diagonal[at]} at {at}, so S is no covariance to cluster by: give distance="
        )
    correlation = packed(S).astype(np.float64).congruence(1 / np.sqrt(diagonal))
    apart = correlation.map(lambda r: np.sqrt(2 * np.clip(1 - r, 0, 2)))
    return _condensed(apart, S.n)


def _condensed(distance: Store, n: int) -> Array:
    is_dense = isinstance(distance, Store) and distance.describe().triangle is None
    if not is_dense or family(distance.dtype) not in "biuf" or distance.n != n:
        raise TypeError(f"distance must be a real Packed of side {n}, not {distance!r}")
    whole = packed(distance).astype(np.float64)
    if whole.layout.implied is None:
        whole = whole.copy() if whole is distance else whole
        whole.set_diagonal(0)
    half = convert(whole.half, whole.layout, "condensed")
    if not (np.isfinite(half).all() and (half >= 0).all()):
        raise ValueError("distances must be finite and not negative")
    return half


def _linkage(condensed: Array, method: str) -> Array:
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(condensed, method)) if condensed.size else np.empty((0, 4))


def _leaves(links: Array, n: int) -> Array:
    from scipy.cluster.hierarchy import leaves_list

    return np.asarray(leaves_list(links), np.int64) if n > 1 else np.arange(n)


def _draw_dendrogram(axes: Any, links: Array, n: int) -> None:
    """Each link a bracket over the middles of what it joins; SciPy's own calls itself too often for many rows."""
    from matplotlib.collections import LineCollection

    middle = np.empty(n + len(links))
    middle[_leaves(links, n)] = np.arange(n) + 0.5
    height = np.zeros(n + len(links))
    brackets = []
    for k, (left, right, apart) in enumerate(links[:, :3], n):
        a, b = int(left), int(right)
        middle[k], height[k] = (middle[a] + middle[b]) / 2, apart
        brackets.append(
            [(middle[a], height[a]), (middle[a], apart), (middle[b], apart), (middle[b], height[b])]
        )
    axes.add_collection(LineCollection(brackets, colors="0.3", linewidths=0.8))
    axes.set_ylim(0, height.max(initial=0) * 1.05 or 1)
    axes.axis("off")


def _permutation(order: Any, n: int) -> Array:
    rows = np.asarray(order)
    if rows.shape != (n,) or rows.dtype.kind not in "iu" or not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError(f"order must be 'cluster' or each of the {n} rows once, from 0 to {n - 1}")
    return rows.astype(np.int64)


# ---------------------------------------------------------------- the spectrum


def _draw_noise(axes: Any, S: Store, n_samples: int) -> tuple[float, float]:
    ratio = S.n / n_samples
    level = float(np.mean(S.diagonal().real.astype(np.float64)))
    low, high = level * (1 - np.sqrt(ratio)) ** 2, level * (1 + np.sqrt(ratio)) ** 2
    x = np.linspace(low, high, 400)[1:-1]
    density = np.sqrt((high - x) * (x - low)) / (2 * np.pi * level * ratio * x)
    axes.plot(x, density, color="C3", label="noise alone (Marchenko-Pastur)")
    axes.axvline(high, color="C3", linestyle="--", linewidth=1, label=f"its edge, {high:.4g}")
    return float(low), float(high)


# ---------------------------------------------------------------- axes


def _check_store(S: object, task: str, complex_too: bool = False) -> None:
    if not isinstance(S, Store):
        raise TypeError(
            f"{task} draws a store, not {type(S).__name__}: vech.Packed(vech.pack(matrix)) makes one"
        )
    if family(S.dtype) not in ("biufc" if complex_too else "biuf"):
        own = "S" if hasattr(S, "real") else "S.to_packed()"
        way_out = f"{own}.real has some" if family(S.dtype) == "c" else "astype(float) first"
        raise TypeError(f"{task} draws real numbers, not {S.dtype}: {way_out}")
    if S.n == 0:
        raise ValueError("the matrix is 0 x 0: there is nothing to draw")


def _figure(size: tuple[float, float]) -> Any:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("pictures need matplotlib, which the extra 'plot' of vech installs") from None
    return pyplot.subplots(figsize=size)[1]


def _name_rows(axes: Any, S: Store, rows: Array, labels: bool | None) -> None:
    if labels and S.labels is None:
        raise ValueError("S has no labels to draw: vech.Packed(half, layout, labels=...) gives it some")
    if labels or (labels is None and S.labels is not None and S.n <= 60):
        names = [str(S.labels[k]) for k in rows] if S.labels is not None else []
        axes.set_xticks(np.arange(S.n) + 0.5, names, rotation=90, fontsize="x-small")
        axes.set_yticks(np.arange(S.n) + 0.5, names, fontsize="x-small")
