"""What follows from a tree of links: clusters, distances along it, text for other programs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, as_array, check_memory, family
from vech.cluster.arguments import at_least
from vech.dissimilarities import as_distances
from vech.labels import label_text
from vech.packed.packed import Packed
from vech.store import Store, as_labels

PLAIN = re.compile(r"[^\s()\[\]{}'\":;,_]+")  # a name that Newick takes without quotes; there _ is a blank


def cophenetic(Z: ArrayLike, *, labels: Iterable[Any] | None = None) -> Packed:
    """How far apart a tree has its rows: for each pair, the height of the first link that has both.

    Parameters
    ----------
    Z : array, shape (n - 1, 4)
        Links, as `linkage` and SciPy give them.
    labels : sequence of n, optional
        The labels of the rows, which links do not know: ``S.labels``.

    Returns
    -------
    Packed
        Of float64, in the layout "condensed".

    Raises
    ------
    ValueError
        If Z is no table of links, or there is not one label for each row.
    TypeError
        If labels are no sequence, or the store that has them.
    MemoryError
        If the distances are larger than memory and swap together, before they are allocated.

    See Also
    --------
    vech.cluster.cophenetic_correlation : how well they follow the distances that the tree is of.

    Notes
    -----
    ``scipy.cluster.hierarchy.cophenet``: time and memory of n (n - 1) / 2 numbers.

    Examples
    --------
    >>> D = vech.Packed(np.array([1.0, 4.0, 5.0, 3.0, 6.0, 2.0]), "condensed")
    >>> cophenetic(vech.cluster.linkage(D)).expand()
    array([[0. , 1. , 4.5, 4.5],
           [1. , 0. , 4.5, 4.5],
           [4.5, 4.5, 0. , 2. ],
           [4.5, 4.5, 2. , 0. ]])
    """
    links = as_links(Z)
    return Packed(_cophenetic(links), "condensed", labels=_labels(labels, len(links) + 1))


def cophenetic_correlation(Z: ArrayLike, S: Store | ArrayLike) -> float:
    """How well a tree keeps the distances it was made of: their correlation with those along the tree.

    Parameters
    ----------
    Z : array, shape (n - 1, 4)
        Links, as `linkage` and SciPy give them.
    S : store, or a full matrix
        The distances.

    Returns
    -------
    float
        Pearson's correlation over all pairs, 1 where the tree has the very distances.

    Raises
    ------
    ValueError
        If Z is no table of links, S has another number of rows, or either has the same distance everywhere,
        so that there is no correlation.
    TypeError
        If S is no matrix of distances, as for `linkage`.

    Notes
    -----
    R. R. Sokal and F. J. Rohlf, The comparison of dendrograms by objective methods, Taxon 11, 1962. Time and
    memory of n (n - 1) numbers, those of both halves in float64.

    Examples
    --------
    >>> D = vech.Packed(np.array([1.0, 4.0, 5.0, 3.0, 6.0, 2.0]), "condensed")
    >>> round(cophenetic_correlation(vech.cluster.linkage(D), D), 4)
    0.8452
    """
    links = as_links(Z)
    store = as_distances(S, "cophenetic_correlation")
    if store.n != len(links) + 1:
        raise ValueError(f"Z joins {len(links) + 1} rows, and S has {store.n}: take the S that Z was made of")
    unit = []
    for name, half in (("Z", _cophenetic(links)), ("S", store.to_condensed(drop_diagonal=True))):
        if not half.size or half.min() == half.max():
            raise ValueError(
                f"{name} has no two distances that differ, without which there is no correlation"
            )
        about_mean = np.divide(half, float(half.max()), dtype=np.float64)
        about_mean -= about_mean.mean()
        about_mean /= np.linalg.norm(about_mean)
        unit.append(about_mean)
    return float(np.clip(unit[0] @ unit[1], -1, 1))


def cut(Z: ArrayLike, k: int) -> NDArray[np.int64]:
    """The cluster of each row when k are left, by taking the last k - 1 links back.

    Parameters
    ----------
    Z : array, shape (n - 1, 4)
        Links, as `linkage` and SciPy give them.
    k : int
        How many clusters, from 1 to n.

    Returns
    -------
    array of int64, shape (n,)
        0, 1, ... k - 1, in the order in which rows meet them; always k, also where links are equally high.

    Raises
    ------
    ValueError
        If Z is no table of links, or k not from 1 to n.
    TypeError
        If k is no integer.

    See Also
    --------
    scipy.cluster.hierarchy.fcluster : clusters by height and by other rules; numbered from 1, in the order of
        the tree, and fewer than asked for where links are equally high.

    Notes
    -----
    Time and memory in proportion to n.

    Examples
    --------
    >>> D = vech.Packed(np.array([1.0, 4.0, 5.0, 3.0, 6.0, 2.0]), "condensed")
    >>> cut(vech.cluster.linkage(D), 2)
    array([0, 0, 1, 1])
    """
    links = as_links(Z)
    n = len(links) + 1
    count = at_least(1, k, "k")
    if count > n:
        raise ValueError(f"k is {count}, and Z joins {n} rows: there are at most {n} clusters")
    of = np.arange(2 * n - 1)
    for node in range(2 * n - 1 - count, n - 1, -1):
        for child in links[node - n, :2].astype(np.int64):
            of[child] = of[node]
    _, first, cluster = np.unique(of[:n], return_index=True, return_inverse=True)
    number = np.empty(count, np.int64)
    number[np.argsort(first)] = np.arange(count)
    return number[cluster]


def to_newick(Z: ArrayLike, labels: Iterable[Any] | None = None) -> str:
    """The tree as text in Newick's format, which programs for trees read.

    Parameters
    ----------
    Z : array, shape (n - 1, 4)
        Links, as `linkage` and SciPy give them.
    labels : sequence of n, optional
        The names of the rows, which links do not know: ``S.labels``. Their numbers, from 0, unless given.
        In quotes where Newick needs them, so that every name is read back as it was: an underscore without
        them is a blank.

    Returns
    -------
    str
        One line that ends with a semicolon. Branches are half as long as heights differ, so that the way from
        leaf to leaf is their `cophenetic` distance, as scikit-bio and R's ape have it. Links that are lower
        than one before them ("centroid", "median") give branches of negative length.

    Raises
    ------
    ValueError
        If Z is no table of links, there is not one label for each row, two rows have the same, or one is
        empty.
    TypeError
        If labels are no sequence, or the store that has them.

    Notes
    -----
    Time and memory in proportion to n, whatever the depth. The format is told by J. Felsenstein,
    https://phylipweb.github.io/phylip/newicktree.html.

    Examples
    --------
    >>> D = vech.Packed(np.array([1.0, 4.0, 3.0]), "condensed", labels=["ann", "bob", "o'hara jr"])
    >>> to_newick(vech.cluster.linkage(D), D.labels)
    "('o''hara jr':1.75,(ann:0.5,bob:0.5):1.25);"
    """
    links = as_links(Z)
    n = len(links) + 1
    names = [label_text(label) for label in _labels(labels, n) or range(n)]
    _check_names(names)
    heights = [0.0] * n + links[:, 2].tolist()
    children = links[:, :2].astype(np.int64).tolist()
    parts: list[str] = []
    ahead: list[int | str] = [2 * n - 2]
    while ahead:
        node = ahead.pop()
        if isinstance(node, str):
            parts.append(node)
        elif node < n:
            parts.append(_quoted(names[node]))
        else:
            left, right = children[node - n]
            lengths = [f":{heights[node] / 2 - heights[child] / 2}" for child in (left, right)]
            ahead += [")", lengths[1], right, ",", lengths[0], left, "("]
    return "".join(parts) + ";"


def leaves(Z: Array) -> Array:
    """The rows from one end of the tree to the other."""
    from scipy.cluster.hierarchy import leaves_list

    return np.asarray(leaves_list(Z), np.int64) if len(Z) else np.arange(1)


def as_links(Z: Any) -> NDArray[np.float64]:
    """A table of links, judged; of one row it has none.

    Link k joins two of the n rows and the k links before it, which nothing joined yet: so the last has all.
    SciPy's check lets 0 and 99 pass, and its `cophenet` then writes where there is no memory of its own.
    """
    given = as_array(Z, "Z")
    if family(given.dtype) not in "biuf":
        raise TypeError(f"Z must hold real numbers, not {given.dtype}")
    links = np.ascontiguousarray(given, np.float64)
    if links.ndim != 2 or links.shape[1] != 4:
        raise ValueError(f"Z has shape {links.shape}, and links have (n - 1, 4): left, right, height, size")
    if not np.isfinite(links).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(links))[0]))
        raise ValueError(f"Z[{at[0]}, {at[1]}] is {links[at]}: links are finite")
    n, ids, heights = len(links) + 1, links[:, :2], links[:, 2]
    wrong = (ids != np.floor(ids)) | (ids < 0) | (ids >= np.arange(n, 2 * n - 1)[:, np.newaxis])
    if wrong.any():
        k, side = map(int, np.argwhere(wrong)[0])
        raise ValueError(
            f"Z[{k}, {side}] is {ids[k, side]:g}: link {k} joins two of the {n} rows and the {k} links "
            f"before it, by an integer from 0 to {n + k - 1}"
        )
    joined = ids.astype(np.int64)
    _check_once(joined)
    if (heights < 0).any():
        k = int(np.argmax(heights < 0))
        raise ValueError(f"Z[{k}, 2] is {heights[k]:g}: heights of links are distances, from 0")
    _check_sizes(joined, links[:, 3])
    return links


def _check_once(joined: NDArray[np.int64]) -> None:
    _, first = np.unique(joined, return_index=True)
    again = np.setdiff1d(np.arange(joined.size), first)
    if again.size:
        k, side = divmod(int(again[0]), 2)
        before = int(np.argmax(joined == joined[k, side])) // 2
        raise ValueError(
            f"Z[{k}, {side}] is {joined[k, side]}, which link {before} joins: each row and link is joined "
            f"once"
        )


def _check_sizes(joined: NDArray[np.int64], sizes: NDArray[np.float64]) -> None:
    below = [1] * (len(joined) + 1)
    for k, ((left, right), said) in enumerate(zip(joined.tolist(), sizes.tolist(), strict=True)):
        below.append(below[left] + below[right])
        if said != below[-1]:
            raise ValueError(f"Z[{k}, 3] is {said:g}, and link {k} has {below[-1]} rows")


def _cophenetic(links: Array) -> Array:
    from scipy.cluster.hierarchy import cophenet

    n = len(links) + 1
    check_memory(n * (n - 1) // 2 * 8, "cut gives clusters in the memory of n numbers")
    return np.asarray(cophenet(links)) if n > 1 else np.empty(0)


def _labels(labels: Any, n: int) -> tuple[Any, ...] | None:
    if isinstance(labels, Store):
        raise TypeError(f"labels is a {type(labels).__name__}: pass its .labels")
    return as_labels(labels, n)


def _quoted(name: str) -> str:
    return name if PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _check_names(names: list[str]) -> None:
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if not name:  # which readers take for no name, and scikit-bio for an apostrophe
            raise ValueError(
                f"row {i} is {name!r}, and leaves of a tree need names: pass labels= that have one"
            )
        if first.setdefault(name, i) != i:
            raise ValueError(
                f"rows {first[name]} and {i} are both {name!r}, and leaves of a tree need names that differ: "
                f"pass labels= that do"
            )
