"""The Mantel test: whether two matrices of distances between the same rows go together."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import check_memory, check_progress, resolve_threads
from vech.dissimilarities import as_distances
from vech.layouts.layout import as_integer, one_of
from vech.linalg.units import power_of_two
from vech.packed.packed import Packed
from vech.results.wanted import Progress
from vech.store import Store, first_difference
from vech.workers import in_order

METHODS = ("pearson", "spearman")
ALTERNATIVES = ("two-sided", "greater", "less")
BLOCK = 2**16  # numbers of rows that are expanded together
TOGETHER = 1000  # permutations that are held at a time
TIE = float(np.sqrt(np.finfo(float).eps))  # what rounding may make of equal statistics; so in R's vegan

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Mantel(NamedTuple):
    """How two matrices of distances go together, and how often chance does as much.

    Attributes
    ----------
    statistic : float
        The correlation of the distances of all pairs.
    pvalue : float
        The share of permutations, the given order among them, with a statistic as extreme; NaN without any.
    permuted : array, shape (permutations,)
        The statistics of the permutations.
    """

    statistic: float
    pvalue: float
    permuted: NDArray[np.float64]


def mantel(
    S: Store | ArrayLike,
    T: Store | ArrayLike,
    *,
    method: str = "pearson",
    permutations: int = 999,
    alternative: str = "two-sided",
    seed: Any = 0,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Mantel:
    """The Mantel test of two matrices of distances between the same rows, without an n x n array.

    Parameters
    ----------
    S, T : Store, or full matrix (array or frame)
        Distances: real, symmetric, finite, none negative, zero on the diagonal. Of one side, at least 3;
        where both have labels these are the same, in one order.
    method : {"pearson", "spearman"}
        The correlation of the distances, or of their ranks.
    permutations : int
        How often the rows of S are put in a random order; 0 for the statistic alone.
    alternative : {"two-sided", "greater", "less"}
        Which statistics are as extreme: as large in modulus, as large, or as small.
    seed : int or numpy.random.Generator
        Of the permutations, which are those of scikit-bio's ``mantel`` with this seed.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. The result has
        the same bits for any number of them, up to those of BLAS.
    progress : callable, optional
        Called with (done, total), in blocks of rows.

    Returns
    -------
    Mantel
        Named tuple ``statistic, pvalue, permuted``.

    Raises
    ------
    ValueError
        If sides or labels differ, n is below 3, all distances of S or T are the same, a number is no distance
        (its place is named), or an argument is out of range.
    TypeError
        For what is no matrix of distances, a sparse store among it, and arguments of other types.
    MemoryError
        If the distances of both, in float64, are larger than memory and swap together.

    Notes
    -----
    With z the distances d, or their ranks, of the pairs i < j, less their mean and over their norm, the
    statistic is ``r = sum of z_S(i, j) z_T(i, j)``, and that of a permutation p takes ``z_S(p_i, p_j)``. The
    p-value is (1 + how many are as extreme) / (1 + permutations), where a statistic within 1.5e-8 of the
    given one is the same, as in R's vegan.

    Cost: O(permutations n^2 / 2), for each permutation about 1 ns a pair and 2.5 microseconds a row; memory
    for both halves in float64 and, with "spearman", 16 bytes a pair more while ranks are found.

    Source: N. Mantel, "The detection of disease clustering and a generalized regression approach", Cancer
    Research 27, 1967; P. Legendre, L. Legendre, "Numerical Ecology", Elsevier, 2012, section 10.5.

    Examples
    --------
    >>> import numpy as np
    >>> S = vech.Packed(np.array([1.0, 2.0, 3.0]), "condensed")
    >>> T = vech.Packed(np.array([2.0, 7.0, 6.0]), "condensed")
    >>> found = mantel(S, T)
    >>> round(found.statistic, 4), round(found.pvalue, 2)
    (0.7559, 0.68)
    """
    S, T = as_distances(S, "mantel"), as_distances(T, "mantel", "T")
    _check_rows(S, T)
    one_of("method", method, METHODS)
    one_of("alternative", alternative, ALTERNATIVES)
    if as_integer("permutations", permutations) < 0:
        raise ValueError(f"permutations must be zero or more, not {permutations}")
    random = _random(seed)
    check_progress(progress)
    check_memory(8 * S.n * (S.n - 1), "take fewer rows, as S.submatrix does")
    x, y = (_standard(store, method, name) for store, name in ((S, "S"), (T, "T")))
    statistic = float(np.clip(x @ y, -1, 1))
    if not permutations:
        return Mantel(statistic, float("nan"), np.zeros(0))
    workers = resolve_threads(threads, x.nbytes)
    permuted = np.empty(permutations)
    total = len(_blocks(S.n)) * -(-permutations // TOGETHER)
    done = 0
    for first in range(0, permutations, TOGETHER):
        orders = np.array([random.permutation(S.n) for _ in range(min(TOGETHER, permutations - first))])
        work = partial(_products, x, Packed(y, "condensed"), orders, orders.argsort(axis=1))
        sums = np.zeros(len(orders))
        for part in in_order(work, _blocks(S.n), workers):
            sums += part
            done += 1
            if progress is not None:
                progress(done, total)
        permuted[first : first + len(orders)] = np.clip(sums, -1, 1)
    return Mantel(statistic, _share(permuted, statistic, alternative), permuted)


def _check_rows(S: Store, T: Store) -> None:
    """Refuse matrices of different rows."""
    if S.n != T.n:
        raise ValueError(f"S has {S.n} rows and T {T.n}: mantel compares distances between the same rows")
    if S.n < 3:
        raise ValueError(f"mantel needs at least 3 rows, not {S.n}: fewer have no two pairs to compare")
    if S.labels is None or T.labels is None:
        return
    at = first_difference(S.labels, T.labels)
    if at is None:
        return
    way_out = "submatrix(labels) takes those that both have, in one order"
    with contextlib.suppress(TypeError):  # labels without a hash
        if set(S.labels) == set(T.labels):
            way_out = "T.permute(S.labels) has the order of S"
    raise ValueError(f"row {at} of S is {S.labels[at]!r}, and of T {T.labels[at]!r}: {way_out}")


def _random(seed: Any) -> np.random.Generator:
    if isinstance(seed, np.random.Generator):
        return seed
    if as_integer("seed", seed) < 0:
        raise ValueError(f"seed must be zero or more, not {seed}")
    return np.random.default_rng(seed)


def _standard(S: Store, method: str, name: str) -> Floats:
    """The distances of all pairs, or their ranks, less their mean and over their norm."""
    pairs = S.to_condensed(drop_diagonal=True)
    if pairs.min() == pairs.max():
        raise ValueError(f"all distances of {name} are {pairs[0]}, so they go together with nothing")
    if method == "spearman":
        from scipy.stats import rankdata

        pairs = rankdata(pairs)
    x = np.divide(pairs, power_of_two(float(pairs.max())), dtype=np.float64)  # pairs may be the half itself
    x -= x.mean()
    x /= np.linalg.norm(x)
    return np.asarray(x)


def _blocks(n: int) -> list[slice]:
    """Rows that are taken together."""
    height = max(1, BLOCK // n)
    return [slice(first, min(first + height, n)) for first in range(0, n, height)]


def _products(x: Floats, T: Packed, orders: Indices, places: Indices, rows: slice) -> Floats:
    """For each order p, the sum of x(p_i, p_j) T(i, j) over the pairs p_i < p_j with i in some rows.

    That of p_i goes through a row of x from one end to the other, and looks up a row of T, which is in the
    cache: 1 ns a pair and 2.5 microseconds a row. To look up what is anywhere in a half took 5 ns a pair in
    the cache, n = 600, and 12 beyond it, n = 5000.
    """
    n, every = T.n, np.arange(T.n)
    begins = (n * every - every * (every + 1) // 2).tolist()
    sums = [0.0] * len(orders)
    for i, row in enumerate(T.expand(rows, threads=1), rows.start):
        for k, a in enumerate(orders[:, i].tolist()):
            sums[k] += x[begins[a] : begins[a] + n - 1 - a] @ row.take(places[k, a + 1 :])
    return np.array(sums)


def _share(permuted: Floats, statistic: float, alternative: str) -> float:
    """Of the permutations and the given order, those that are as extreme."""
    if alternative == "two-sided":
        permuted, statistic = np.abs(permuted), abs(statistic)
    if alternative == "less":
        permuted, statistic = -permuted, -statistic
    return float((1 + (permuted >= statistic - TIE).sum()) / (1 + permuted.size))
