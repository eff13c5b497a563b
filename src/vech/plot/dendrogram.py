"""The tree of clusters above a matrix: its top levels, and below them a wedge for each branch."""

from typing import Any

import numpy as np

from vech.arrays import Array
from vech.cluster.trees import leaves
from vech.plot.axes import FAINT, colours, ink

# leaves up to which a tree is drawn whole, and branches of a larger one; below are wedges
WHOLE, BRANCHES = 60, 30
CLUSTERS = 8  # that have colours, at most


def draw_dendrogram(axes: Any, links: Array, *, coloured: bool) -> None:
    """Each link a bracket over the middles of what it joins; SciPy's own calls itself too often."""
    from matplotlib.collections import LineCollection, PolyCollection

    n = len(links) + 1
    top = range(0 if n <= WHOLE else n - BRANCHES, len(links))  # links, of which the last one is the root
    begin, end, middle, height = _spans(links, top.start)
    colour = _colours(links) if coloured else [ink()] * (n + len(links))
    ends = [int(child) for k in top for child in links[k, :2] if child < n + top.start] if n > 1 else []
    base = _base(links, top)
    brackets, inks = [], []
    for k in top:
        a, b, apart = int(links[k, 0]), int(links[k, 1]), links[k, 2]
        low_a, low_b = max(base, height[a]), max(base, height[b])
        brackets.append([(middle[a], low_a), (middle[a], apart), (middle[b], apart), (middle[b], low_b)])
        inks.append(colour[n + k])
    axes.add_collection(LineCollection(brackets, colors=inks, linewidths=0.9, gid="brackets"))
    wedges = [k for k in ends if k >= n]
    corners = [[(begin[k], base), (middle[k], max(base, height[k])), (end[k], base)] for k in wedges]
    shades = [colour[k] for k in wedges]
    axes.add_collection(PolyCollection(corners, facecolors=shades, edgecolors="none", gid="wedges"))
    most = height.max(initial=0)
    axes.set_ylim(base, most + 0.04 * (most - base) if most > base else base + 1)


def _spans(links: Array, top: int = 0) -> tuple[Array, Array, Array, Array]:
    """Of each leaf and link: where it begins and ends, its middle (of wedges, below `top`), its height."""
    n = len(links) + 1
    begin, end, middle, height = np.zeros((4, n + len(links)))
    order = leaves(links)
    begin[order], end[order], middle[order] = np.arange(n), np.arange(n) + 1, np.arange(n) + 0.5
    for k, (left, right, apart) in enumerate(links[:, :3], n):
        a, b = int(left), int(right)
        begin[k], end[k] = min(begin[a], begin[b]), max(end[a], end[b])
        middle[k], height[k] = (begin[k] + end[k] if k < n + top else middle[a] + middle[b]) / 2, apart
    return begin, end, middle, height


def _base(links: Array, top: range) -> float:
    """Where the picture begins: somewhat below the lowest link drawn, where all are far above zero."""
    if not len(top):
        return 0.0
    low, high = float(links[top.start :, 2].min()), float(links[-1, 2])
    return max(0.0, low - 0.25 * (high - low)) if low > 0.4 * high else 0.0


def _colours(links: Array) -> list[str]:
    """Of each leaf and link: that of its cluster; above the clusters, and of single leaves, none.

    There are as many clusters as leave the largest step between two heights.
    """
    n = len(links) + 1
    found = [FAINT] * n + [ink()] * len(links)
    heights = links[:, 2]
    last = min(CLUSTERS, n - 1)
    if last < 2:
        return found
    steps = [heights[-k + 1] - heights[-k] for k in range(2, last + 1)]
    count = int(np.argmax(steps)) + 2 if max(steps) > 0 else 1
    cut = n + len(links) - (count - 1)  # links from here on join clusters
    palette = iter(colours() * 2)
    roots = [int(child) for k in range(cut - n, len(links)) for child in links[k, :2] if child < cut]
    _, _, middle, _ = _spans(links)
    for root in sorted(roots, key=lambda k: float(middle[k])):
        if root < n:
            continue
        own, below = next(palette), [root]
        while below:
            k = below.pop()
            found[k] = own
            if k >= n:
                below += [int(links[k - n, 0]), int(links[k - n, 1])]
    return found
