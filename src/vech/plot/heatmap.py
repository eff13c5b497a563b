"""A matrix as a grid of colours, with names, clusters and groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array
from vech.cluster.linkage import linkage
from vech.cluster.trees import leaves
from vech.labels import label_text
from vech.layouts.layout import one_of
from vech.maps import as_read
from vech.packed.packed import Packed
from vech.plot.axes import drawable
from vech.plot.cells import SUMMARIES, read
from vech.plot.content import check_said, recognised, scale
from vech.plot.dendrogram import draw_dendrogram
from vech.plot.frame import Frame
from vech.plot.groups import coded, draw_bands, legend_entries
from vech.plot.linkage import condensed, distances
from vech.plot.matrix import check_sizes, draw_cells, legend, of_cells
from vech.store import Store


class Heatmap(NamedTuple):
    """What `heatmap` drew.

    Attributes
    ----------
    axes, dendrogram, bar : matplotlib axes, or None
        Of the matrix, of the tree above it, and matplotlib's colour bar.
    order : array, shape (n,)
        The rows, from top to bottom.
    content : str or None
        What the numbers were drawn as; None where nobody said it and it was not seen, so as a covariance.
    limits : (float, float)
        What the ends of the colours mean.
    per : int
        A cell is of per x per numbers.
    """

    axes: Any
    dendrogram: Any
    bar: Any
    order: Array
    content: str | None
    limits: tuple[float, float]
    per: int


def heatmap(
    S: Store | ArrayLike,
    *,
    order: str | Sequence[int] | Array | None = None,
    distance: Store | None = None,
    method: str = "average",
    groups: Iterable[Any] | None = None,
    content: str | None = None,
    summary: str = "mean",
    triangle: str | None = None,
    diagonal: bool = False,
    labels: bool | None = None,
    title: str | None = None,
    label: str | None = None,
    pixels: int | None = None,
    cmap: Any = None,
    limits: tuple[float, float] | None = None,
    ax: Any = None,
) -> Heatmap:
    """Draw a matrix as a grid of colours, if wanted with its rows in the order of their clusters.

    Parameters
    ----------
    S : store, or a full matrix (array, data frame) that is packed first
        Real, of any size: rows are read a few at a time, and the matrix is never expanded. Of a sparse store
        only the numbers that it stores are drawn.
    order : "cluster" or permutation of the n rows, optional
        "cluster" puts alike rows together, by hierarchical clustering, and draws its tree above; of more than
        60 rows the last 29 links and a wedge for each branch below. There is a colour for each of the 2 to 8
        clusters between which the largest step of its heights is.
    distance : store, optional
        What to cluster by. Unless given, S itself where it holds distances, else S is taken as a covariance
        or correlation, and two rows are ``sqrt(2 (1 - correlation))`` apart.
    method : str
        As for `vech.cluster.linkage`.
    groups : sequence of n names, optional
        The group of each row, None or NaN for none: a band of colours along either side, and a legend. Names
        such as "#1f77b4" are colours.
    content : {"correlation", "covariance", "distance", "similarity"}, optional
        What the numbers are. Correlations go from -1 to 1, red to blue; covariances as far to either side of
        0; distances and similarities from the least number to the largest, dark where alike. Unless said,
        ones on the diagonal and no number beyond 1 make a correlation, zeros on the diagonal and hardly a
        negative number distances (of a sparse store, a similarity whatever its diagonal), and all else is
        drawn as a covariance.
    summary : {"mean", "extreme"}
        Where there are more rows than pixels, what a cell of k x k numbers shows: their mean, or the one of
        largest modulus. The label of the colour bar says so.
    triangle : {"lower", "upper"}, optional
        Draw this one alone.
    diagonal : bool
        Whether to draw the diagonal, and count it in means; limits do not look at it.
    labels : bool, optional
        Whether rows and columns are named: where S has labels, unless said. As many as can be read, every so
        many-th one, and long ones are cut.
    title, label : str, optional
        Above the picture; beside the colour bar, instead of what is written there else.
    pixels : int, optional
        The most cells in a direction; as many as the axes have at the resolution of their figure unless said.
    cmap : str or colour map, optional
        Instead of "RdBu" for both signs, "YlGnBu" and "YlGnBu_r" for one.
    limits : (low, high), optional
        What the ends of the colours mean. Unless said they are the extremes of the cells off the diagonal;
        where a few lie far out, the 1st and the 99th percentile. Arrows of the colour bar say that some lie
        beyond.
    ax : matplotlib axes, optional
        Where to draw, with all that belongs to it inside of their place; a new figure unless given.

    Returns
    -------
    Heatmap
        The axes, and what is shown on them.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For complex stores (draw ``S.map(np.abs)``) and dates.
    ValueError
        For an order that is no permutation, clusters of a matrix whose diagonal is not positive, labels that
        S does not have, other than n groups or groups whose index is not the labels of S in their
        order, limits that are none, a name that is none of its choices, and n
        = 0.

    Notes
    -----
    Time in proportion to n^2, memory for a few rows, of sparse stores both for what they store; with clusters
    that of a condensed half, n (n - 1) / 2 float64, and time in proportion to n^2 for most methods.

    A cell with a NaN or an infinity in it is grey. Of a sparse store a cell is the mean of what is stored in
    it, and white where that is nothing.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> S = vech.Packed(np.array([1.0, 0.1, 0.9, 1.0, 0.2, 1.0]), labels=["a", "b", "c"])
    >>> found = heatmap(S, order="cluster")
    >>> found.order.tolist(), found.content, found.limits
    ([1, 0, 2], 'correlation', (-1.0, 1.0))
    """
    S = drawable(S, "heatmap")
    check_sizes(pixels, triangle)
    one_of("summary", summary, SUMMARIES)
    check_said(S, content, labels)
    codes, names = coded(groups, S) if groups is not None else (None, [])
    rows, links = _ordered(S, order, distance, method, content)

    frame = Frame(ax, (7.0, 6.0), S.n)
    place = np.arange(S.n) if rows is None else rows
    frame.title = title or ""
    if S.labels is not None and labels is not False:
        frame.names = [label_text(S.labels[k]) for k in place]
    elif rows is None:
        frame.number()
    else:
        frame.axes.set(xticks=[], yticks=[])
    if codes is not None:
        draw_bands(frame.over(0.025), frame.left(0.025), codes[place], names)
    tree = None
    if links is not None:
        tree = frame.over(0.16)
        draw_dendrogram(tree, links, coloured=codes is None)

    is_sparse = S.describe().triangle is not None
    found = read(S, rows, pixels or frame.pixels(), summary, diagonal=diagonal)
    seen = content or recognised(S, found.facts)
    off = found._replace(empty=found.empty | np.eye(len(found.empty), dtype=np.bool)) if diagonal else found
    judged = off.shown if off.shown.size else found.shown
    colours = scale(seen or "covariance", found.shown, judged=judged, cmap=cmap, limits=limits)
    drawn = draw_cells(frame, found, colours, triangle)
    said = ", ".join(filter(None, (seen or "value", of_cells(found.per, summary, stored=is_sparse))))
    has_legend = bool(names) or drawn.has_missing
    bar = frame.colour_bar(
        drawn.image,
        label if label is not None else said,
        height=0.5 if has_legend else 1.0,
        extend=colours.extend,
    )
    legend(frame, legend_entries(names), drawn.has_missing, found.per)
    frame.settle()
    return Heatmap(frame.axes, tree, bar, place, seen, (colours.low, colours.high), found.per)


def _ordered(
    S: Store, order: Any, distance: Store | None, method: str, content: str | None
) -> tuple[Array | None, Array | None]:
    """The order of the rows, None for that of the matrix, and the links of their clusters."""
    if not isinstance(order, str):
        if distance is not None:
            raise TypeError("distance= is for order='cluster'")
        return None if order is None else _permutation(order, S.n), None
    one_of("order", order, ("cluster",))
    if distance is not None:
        apart = condensed(distance, S.n)
    else:
        apart = distances(S, are_distances=_are_distances(S, content))
    links = linkage(Packed(apart, "condensed"), method)
    return leaves(links), links


def _are_distances(S: Store, content: str | None) -> bool:
    return content == "distance" or (
        content is None and S.describe().triangle is None and not S.diagonal().any()
    )


def _permutation(order: Any, n: int) -> Array:
    rows = as_read(order)
    if rows.shape != (n,) or rows.dtype.kind not in "iu" or not np.array_equal(np.sort(rows), np.arange(n)):
        raise ValueError(f"order must be 'cluster' or each of the {n} rows once, from 0 to {n - 1}")
    return rows.astype(np.int64)
