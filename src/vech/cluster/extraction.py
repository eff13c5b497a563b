"""The clusters in a tree of single linkage, as HDBSCAN finds them: condensed, weighed, selected."""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array

Integers = NDArray[np.int64]
ROOT = 0  # of the condensed tree; the children of a cluster have larger numbers than it has
NOBODY = -1


class SingleLinkage(NamedTuple):
    """A tree of n rows, of which node k is `order[k]`; node n + k joins `left[k]` and `right[k]`.

    Each node holds rows side by side in `order`.
    """

    order: Integers
    left: list[int]
    right: list[int]
    apart: Array  # ascending
    start: list[int]  # of each node, in `order`
    stop: list[int]

    def size(self, node: int) -> int:
        """How many rows a node holds."""
        return self.stop[node] - self.start[node]

    def links(self) -> Array:
        """SciPy's table."""
        n = len(self.order)
        names = np.append(self.order, np.arange(n, 2 * n))
        pair = names[np.array([self.left, self.right], np.int64)]
        sizes = np.subtract(self.stop[n:], self.start[n:])
        return np.stack([pair.min(axis=0), pair.max(axis=0), self.apart, sizes], axis=1)


class Condensed(NamedTuple):
    """The same tree without what is too small for a cluster; lambda is 1 / distance."""

    parent: list[int]  # of each cluster
    birth: list[float]  # the lambda at which it parts from its sibling
    sizes: list[int]
    left_from: Integers  # of each row: the cluster it falls out of
    left_at: Array  # and the lambda at which it does
    stability: list[float]
    death: Array  # the largest lambda at which something falls out of each cluster

    def children(self) -> list[list[int]]:
        """Those of each cluster: two or none."""
        found: list[list[int]] = [[] for _ in self.parent]
        for cluster, parent in enumerate(self.parent[1:], 1):
            found[parent].append(cluster)
        return found


def single_linkage(path: Integers, apart: Array) -> SingleLinkage:
    """The tree that joins neighbours on a path, the closest first."""
    n = len(path)
    start, stop = list(range(n)), list(range(1, n + 1))
    beginning, ending = list(range(n)), list(range(n))  # the node that begins, or ends, at each place
    left, right = [], []
    # scikit-learn's sort: with a stable one, in a third of small trees, ties end in other clusters
    order = np.argsort(apart)
    for k, place in enumerate(order.tolist()):
        a, b = ending[place], beginning[place + 1]
        left.append(a)
        right.append(b)
        start.append(start[a])
        stop.append(stop[b])
        beginning[start[a]] = ending[stop[b] - 1] = n + k
    return SingleLinkage(path, left, right, apart[order], start, stop)


def clusters(
    tree: SingleLinkage, smallest: int, *, leaves: bool, epsilon: float, single: bool, largest: int | None
) -> tuple[Integers, Array]:
    """The cluster of each row, -1 for noise, and how strongly it belongs to it."""
    n = len(tree.order)
    if n < 2:
        return np.full(n, NOBODY, np.int64), np.zeros(n)
    condensed = condense(tree, smallest)
    children = condensed.children()
    if leaves:
        chosen = {c for c, own in enumerate(children) if not own and c != ROOT}
    else:
        chosen = excess_of_mass(condensed, children, single, largest)
    if epsilon and chosen != {ROOT}:
        chosen = {_above(condensed, c, epsilon, single) for c in chosen}
    return _labelled(condensed, chosen, epsilon)


def condense(tree: SingleLinkage, smallest: int) -> Condensed:
    """Down from the root: the rows of a part that is too small fall out, two that last are clusters."""
    n = len(tree.order)
    parent, birth, sizes = [NOBODY], [0.0], [n]
    cluster_of, nodes = {2 * n - 2: ROOT}, deque([2 * n - 2])
    fallen: list[Integers] = []
    source: list[int] = []  # the cluster, the lambda, and how many rows and how large each, of what falls out
    at: list[float] = []
    count: list[int] = []
    weight: list[int] = []
    distances = tree.apart.tolist()
    while nodes:
        node = nodes.popleft()
        cluster, distance = cluster_of[node], distances[node - n]
        density = 1 / distance if distance > 0 else np.inf
        parts = (tree.left[node - n], tree.right[node - n])
        lasting = [part for part in parts if tree.size(part) >= smallest]
        for part in parts:
            size = tree.size(part)
            if size < smallest:
                fallen.append(tree.order[tree.start[part] : tree.stop[part]])
            elif len(lasting) == 1:
                cluster_of[part] = cluster
                nodes.append(part)
                continue
            else:
                cluster_of[part] = len(parent)
                nodes.append(part)
                parent.append(cluster)
                birth.append(density)
                sizes.append(size)
            source.append(cluster)
            at.append(density)
            count.append(size if size < smallest else 1)
            weight.append(1 if size < smallest else size)
    rows, is_row = np.concatenate(fallen), np.repeat(np.array(weight) == 1, count)
    sources, densities = np.repeat(source, count), np.repeat(at, count)
    left_from, left_at = np.empty(n, np.int64), np.empty(n)
    left_from[rows], left_at[rows] = sources[is_row], densities[is_row]
    with np.errstate(invalid="ignore"):  # identical rows: their lambda is infinite
        excess = (densities - np.array(birth)[sources]) * np.repeat(weight, count)
    stability = np.bincount(sources, excess, len(parent))
    death = np.zeros(len(parent))
    np.maximum.at(death, sources, densities)
    return Condensed(parent, birth, sizes, left_from, left_at, stability.tolist(), death)


def excess_of_mass(tree: Condensed, children: list[list[int]], single: bool, largest: int | None) -> set[int]:
    """The clusters of which none holds another, and whose stabilities are the largest in sum."""
    best = list(tree.stability)
    sizes = list(tree.sizes)
    sizes[ROOT] = sum(sizes[child] for child in children[ROOT])
    stands = [False] * len(best)
    for cluster in reversed(range(0 if single else 1, len(best))):
        below = sum(best[child] for child in children[cluster])
        if below > best[cluster] or (largest is not None and sizes[cluster] > largest):
            best[cluster] = below
        else:
            stands[cluster] = True
    chosen, open_ = set(), [ROOT]
    while open_:
        cluster = open_.pop()
        if stands[cluster]:
            chosen.add(cluster)
        else:
            open_ += children[cluster]
    return chosen


def _above(tree: Condensed, cluster: int, epsilon: float, single: bool) -> int:
    """The cluster, or the nearest one around it that has parted at more than this distance."""
    if cluster == ROOT or not 1 / tree.birth[cluster] < epsilon:
        return cluster
    while True:
        around = tree.parent[cluster]
        if around == ROOT:
            return ROOT if single else cluster
        if 1 / tree.birth[around] > epsilon:
            return around
        cluster = around


def _labelled(tree: Condensed, chosen: set[int], epsilon: float) -> tuple[Integers, Array]:
    numbers = np.full(len(tree.parent) + 1, NOBODY, np.int64)
    numbers[sorted(chosen)] = np.arange(len(chosen))
    owner = [NOBODY] * len(tree.parent)
    for cluster, parent in enumerate(tree.parent):
        around = NOBODY if cluster == ROOT else owner[parent]
        owner[cluster] = cluster if cluster in chosen else around
    owners = np.array(owner)[tree.left_from]
    if ROOT in chosen:
        dense = tree.left_at >= (1 / epsilon if epsilon else tree.death[ROOT])
        owners[(owners == ROOT) & ~(dense & (len(chosen) == 1))] = NOBODY
    labels = numbers[owners]
    death = np.append(tree.death, 0)[owners]
    with np.errstate(invalid="ignore", divide="ignore"):
        strength = np.minimum(tree.left_at, death) / death
    strength[np.isinf(tree.left_at)] = 1
    return labels, np.where(labels == NOBODY, 0.0, strength)
