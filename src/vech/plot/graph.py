"""The strongest pairs of a matrix as lines between names on a circle."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array
from vech.labels import label_text
from vech.layouts.layout import as_integer
from vech.neighbors.strongest import ranked
from vech.plot.axes import (
    FAINT,
    NEGATIVE,
    PLAIN,
    POSITIVE,
    WIDE,
    brief,
    drawable,
    ink,
    letters,
    one_line,
    wrapped,
)
from vech.plot.cells import read
from vech.plot.content import check_said, recognised
from vech.plot.groups import coded, inks, legend_entries
from vech.plot.place import SMALLEST, Place
from vech.store import Pairs, Store

THIN, THICK = 0.6, 4.0  # points of a line
BEND = 0.35  # how far from the middle of the circle lines are kept, of where straight ones would be


class Graph(NamedTuple):
    """What `graph` drew.

    Attributes
    ----------
    axes : matplotlib axes
        Where.
    pairs : array of int64, shape (m, 2)
        Two rows each, the strongest pair first; m is k or all there are.
    values : array, shape (m,)
        The number of each pair.
    nodes : array of int64
        The rows on the circle, anticlockwise from the right.
    """

    axes: Any
    pairs: Array
    values: Array
    nodes: Array


def graph(
    S: Store | ArrayLike,
    k: int = 40,
    *,
    content: str | None = None,
    groups: Iterable[Any] | None = None,
    labels: bool | None = None,
    title: str | None = None,
    ax: Any = None,
) -> Graph:
    """Draw the k strongest pairs as lines between rows on a circle, the thicker the stronger.

    Parameters
    ----------
    S : store, or a full matrix (array, data frame) that is packed first
        Real, of any size.
    k : int
        How many pairs; those that are zero, NaN or infinite are none.
    content : {"correlation", "covariance", "distance", "similarity"}, optional
        What the numbers are, as for `vech.plot.heatmap`. Of distances the smallest are the strongest, of all
        else those of the largest modulus.
    groups : sequence of n names, optional
        The group of each row, None or NaN for none: rows of a group stand together, in its colour.
    labels : bool, optional
        Whether rows are named: by labels where S has them, by numbers where not, unless said. True needs
        labels.
    title : str, optional
        Above the picture.
    ax : matplotlib axes, optional
        Where to draw; a new figure unless given.

    Returns
    -------
    Graph
        The axes, and which pairs they show. Rows without a strong pair are left out.

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError
        For complex stores and dates.
    ValueError
        For k < 1, n = 0, other than n groups or groups whose index is not the labels of S in their
        order, and labels that S does not have.

    Notes
    -----
    Rows that hang together are neighbours on the circle: within each part that lines connect they come in the
    order of the Fiedler vector, that of the second smallest eigenvalue of the graph's Laplacian (Fiedler
    1973, Czechoslovak Mathematical Journal 23, 298). Time in proportion to n^2: S is read twice, a few rows
    at a time.

    Examples
    --------
    >>> import matplotlib; matplotlib.use("Agg")
    >>> S = vech.Packed(np.array([1.0, 0.1, 0.9, 1.0, -0.2, 1.0]), labels=["a", "b", "c"])
    >>> found = graph(S, 2)
    >>> found.pairs.tolist(), found.values.tolist()
    ([[2, 0], [2, 1]], [0.9, -0.2])
    """
    S = drawable(S, "graph")
    if as_integer("k", k) < 1:
        raise ValueError(f"k must be at least 1, not {k}: it is the number of pairs to draw")
    check_said(S, content, labels)
    codes, names = coded(groups, S) if groups is not None else (None, [])
    seen = content or recognised(S, read(S, None, 1, "mean", diagonal=False).facts)
    are_distances = seen == "distance"
    pairs = _drawn(S, k, are_distances)
    nodes = _around(pairs, codes, are_distances)

    place = Place(ax, (8.0, 6.5))
    axes = place.axes
    axes.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="box")
    axes.set_frame_on(False)
    angles = 2 * np.pi * np.arange(len(nodes)) / max(1, len(nodes))
    points = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    at = np.empty(S.n, np.int64)
    at[nodes] = np.arange(len(nodes))
    _draw_lines(axes, points[at[pairs.i]], points[at[pairs.j]], pairs.value, are_distances)
    colours = ink() if codes is None else [[*inks(names), FAINT][c] for c in codes[nodes]]
    axes.scatter(*points.T, s=18 * (place.font / 9) ** 2, color=colours, zorder=3, clip_on=False)
    if title:
        axes.set_title(wrapped(title, place.size[0], 12), size=min(12, 1.3 * place.font), pad=8, **PLAIN)
    _legend(place, pairs.value, are_distances, seen, legend_entries(names))
    place.fit()
    if labels is not False and len(nodes):
        texts = [label_text(S.labels[row]) if S.labels is not None else str(row) for row in nodes]
        _name(place, texts, angles)
        place.fit()
    return Graph(axes, np.stack((pairs.j, pairs.i), axis=1), pairs.value, nodes)


def _drawn(S: Store, k: int, are_distances: bool) -> Pairs:
    """The strongest pairs that are finite and, but for distances, not zero."""
    i, j, value, labels = ranked(S, k, absolute=True, largest=not are_distances, finite=True)
    kept = np.ones(i.size, bool) if are_distances else value != 0
    return Pairs(i[kept], j[kept], value[kept].astype(np.float64), labels)


def _around(pairs: Pairs, codes: Array | None, are_distances: bool) -> Array:
    """The rows that pairs touch, in an order in which those that hang together are close."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    nodes, ends = np.unique(np.concatenate((pairs.i, pairs.j)), return_inverse=True)
    if not nodes.size:
        return nodes
    i, j = ends[: pairs.i.size], ends[pairs.i.size :]
    size = np.abs(pairs.value) / (np.abs(pairs.value).max() or 1)
    weights = 2 - size if are_distances else size
    adjacency = coo_array((weights, (i, j)), shape=(nodes.size,) * 2).toarray()
    adjacency += adjacency.T
    count, part = connected_components(adjacency > 0, directed=False)
    height = np.zeros(nodes.size)
    for k in range(count):
        own = np.flatnonzero(part == k)
        if own.size > 2:
            inside = adjacency[np.ix_(own, own)]
            height[own] = np.linalg.eigh(np.diag(inside.sum(axis=0)) - inside)[1][:, 1]
    largest = -np.bincount(part)[part]
    group = np.zeros(nodes.size) if codes is None else codes[nodes]
    return np.asarray(nodes[np.lexsort((height, part, largest, group))])


def _draw_lines(axes: Any, begin: Array, end: Array, values: Array, are_distances: bool) -> None:
    """Curves that bend towards the middle, the weakest first and so beneath."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    codes = [Path.MOVETO, Path.CURVE3, Path.CURVE3]
    paths = [Path([a, BEND * (a + b) / 2, b], codes) for a, b in zip(begin[::-1], end[::-1], strict=True)]
    widths = _widths(values, are_distances)[::-1]
    colours = [POSITIVE if value >= 0 else NEGATIVE for value in values[::-1]]
    axes.add_collection(
        PathCollection(paths, facecolors="none", edgecolors=colours, linewidths=widths, alpha=0.7, zorder=2)
    )


def _widths(values: Array, are_distances: bool) -> Array:
    size = np.abs(values)
    span = np.ptp(size) if size.size else 0.0
    share = (size - size.min()) / span if span else np.ones(size.size)
    return np.asarray(THIN + (THICK - THIN) * (1 - share if are_distances and span else share))


def _legend(place: Place, values: Array, are_distances: bool, seen: str | None, entries: list[Any]) -> None:
    from matplotlib.lines import Line2D

    if values.size:
        widths = _widths(values, are_distances)
        for at, word in ((0, "strongest"), (-1, "weakest"))[: 1 + (values.size > 1)]:
            ink = POSITIVE if values[at] >= 0 else NEGATIVE
            text = f"{word} of {values.size}: {brief(values[at])}"
            entries.append(Line2D([], [], color=ink, linewidth=widths[at], label=text))
        if (values < 0).any() and (values > 0).any():
            entries += [
                Line2D([], [], color=ink, linewidth=2, label=word)
                for ink, word in ((POSITIVE, "positive"), (NEGATIVE, "negative"))
            ]
    made = place.axes.legend(
        handles=entries,
        title=seen or "value",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        fontsize=place.font,
        title_fontsize=place.font,
        alignment="left",
    )
    for text in made.get_texts():
        text.set(**PLAIN)


def _name(place: Place, texts: list[str], angles: Array) -> None:
    """Names outside of the circle, along its rays; only some where they are close."""
    side = min(place.inner)
    pitch = np.pi * 0.75 * side / len(texts)
    size = float(np.clip(pitch / 1.2, SMALLEST, place.font))
    step = int(np.ceil(1.2 * size / pitch))
    most = letters(0.17 * side, size)
    shown = [(one_line(text, most), angle) for text, angle in zip(texts, angles, strict=True)][::step]
    longest = WIDE * size * max(len(text) for text, _ in shown) + 8
    reach = 1 / (1 - 2 * longest / side)
    place.axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    for text, angle in shown:
        is_left = np.cos(angle) < -1e-9
        place.axes.annotate(
            text,
            (np.cos(angle), np.sin(angle)),
            (6 * np.cos(angle), 6 * np.sin(angle)),
            textcoords="offset points",
            rotation=np.degrees(angle) + 180 * is_left,
            rotation_mode="anchor",
            ha="right" if is_left else "left",
            va="center",
            size=size,
            annotation_clip=False,
            **PLAIN,
        )
