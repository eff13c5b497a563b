"""The rows that stand for all others: k medoids by FasterPAM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, as_array, check_progress, family
from vech.cluster.arguments import at_least, check_sums
from vech.dissimilarities import as_distances, block, memory_of_row, panels, row, working
from vech.layouts.layout import as_seed
from vech.results.wanted import Progress
from vech.store import Store

Integers = NDArray[np.int64]
CHUNK = 2**18  # distances from medoids looked up together
GAIN = 1e-12  # of the cost: less is rounding, by which swaps could go round in circles


class Medoids(NamedTuple):
    """What `medoids` finds.

    Attributes
    ----------
    labels : array of int64, shape (n,)
        The cluster of each row: which of the medoids is nearest.
    medoids : array of int64, shape (k,)
        Their rows, ascending.
    cost : float
        The sum of the distances of all rows to their medoids.
    """

    labels: Integers
    medoids: Integers
    cost: float


def medoids(
    S: Store | ArrayLike,
    k: int,
    *,
    seed: Any = 0,
    init: str | ArrayLike = "random",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Medoids:
    """k rows such that the distances of all rows to the nearest of them are small in sum.

    Parameters
    ----------
    S : store or full matrix (array or frame) of distances
        As in `dbscan`.
    k : int
        How many, 1 to n.
    seed : int or numpy.random.Generator
        Of the rows drawn by chance: zero or more; the same number gives the same medoids.
    init : {"random", "build"} or array of k rows
        Where the search begins: at rows drawn by chance, at those that PAM chooses one after the other, which
        reads the full matrix k times, or at these. Of several beginnings the one of least cost is best.
    threads : int, optional
        At most so many threads expand rows.
    progress : callable, optional
        Called with (done, None), in rows that were tried as medoids: how many it will be nobody knows.

    Returns
    -------
    Medoids
        Named tuple ``labels, medoids, cost``. No swap of a medoid for another row lowers the cost further.

    Raises
    ------
    OverflowError
        If a sum of distances is beyond float64.
    ValueError
        If S is no matrix of distances, k is not 1 to n, seed is negative, or init is none of these.
    TypeError
        As `dbscan`.

    Notes
    -----
    FasterPAM: a row is tried in the place of every medoid at once, and swapped for the best one at once where
    that lowers the cost; E. Schubert and P. J. Rousseeuw, "Fast and eager k-medoids clustering", Information
    Systems 101, 2021. Rows come by panels, O(n) time each; a search takes a few passes over the full matrix.
    O(n + k) memory beside a panel of 4 MiB. Costs are summed in double.

    Examples
    --------
    >>> from scipy.spatial.distance import pdist
    >>> D = vech.Packed(pdist(np.array([[0.0], [1], [2], [10], [11], [13]])), "condensed")
    >>> medoids(D, 2)
    Medoids(labels=array([0, 0, 0, 1, 1, 1]), medoids=array([1, 4]), cost=5.0)
    """
    check_progress(progress)
    at_least(1, k, "k")
    store = as_distances(S, "medoids")
    if k > store.n:
        raise ValueError(f"k is {k}, and S has {store.n} rows: choose at most so many")
    if not isinstance(seed, np.random.Generator):
        seed = np.random.default_rng(as_seed(seed))
    beginning = _begin(store, int(k), init, seed, threads)
    if k == 1:
        return _Search(store, _built(store, 1, threads), threads).result()
    search = _Search(store, beginning, threads)
    search.run(progress)
    return search.result()


def _begin(S: Store, k: int, init: Any, random: np.random.Generator, threads: int | None) -> Integers:
    if isinstance(init, str):
        if init not in ("random", "build"):
            raise ValueError(f"init is {init!r}: choose 'random', 'build', or give k rows")
        if init == "build":
            return _built(S, k, threads)
        return random.choice(S.n, k, replace=False)
    rows = as_array(init, "init")
    if family(rows.dtype) not in "iu":
        raise TypeError(f"init must hold rows, which are integers, not {rows.dtype}")
    if rows.shape != (k,) or np.unique(rows).size != k or rows.min() < 0 or rows.max() >= S.n:
        raise ValueError(f"init is {rows.tolist()}: give k = {k} different rows of 0 to {S.n - 1}")
    return rows.astype(np.int64)


def _built(S: Store, k: int, threads: int | None) -> Integers:
    """PAM's beginning: one after the other the row that lowers the cost most; of k = 1 the very best."""
    found: list[int] = []
    nearest, memory, cost = np.full(S.n, np.inf, working(S.dtype)), memory_of_row(S), np.empty(S.n)
    for _ in range(k):
        for start, rows in panels(S, threads):
            with np.errstate(over="ignore"):
                sums = np.minimum(rows, nearest, out=rows).sum(axis=1, dtype=np.float64)
            cost[start : start + len(rows)] = sums
        cost[found] = np.inf
        found.append(int(cost.argmin()))
        np.minimum(nearest, row(S, found[-1], memory), out=nearest)
    return np.array(found)


@dataclass
class _Search:
    """Medoids, and of each row the nearest and second nearest of them: which, and how far away."""

    S: Store
    medoids: Integers
    threads: int | None

    def __post_init__(self) -> None:
        n = self.S.n
        self.near, self.second = np.empty(n, np.int64), np.empty(n, np.int64)
        self.apart, self.next = np.empty(n), np.empty(n)
        self._look_up(np.arange(n))
        self._weigh()

    def run(self, progress: Progress | None) -> None:
        """Try one row after the other, until none of n in succession was worth a swap."""
        done = idle = 0
        while True:
            for start, rows in panels(self.S, self.threads):
                for candidate, distances in enumerate(rows.astype(np.float64, copy=False), start):
                    idle = 0 if self._try(candidate, distances) else idle + 1
                    done += 1
                    if idle == self.S.n:
                        return
                if progress is not None:
                    progress(done, None)

    def result(self) -> Medoids:
        """The medoids in ascending order, each one in its own cluster, and of equally near ones the first."""
        self.medoids.sort()
        self._look_up(np.arange(self.S.n))
        self.near[self.medoids] = np.arange(self.medoids.size)
        return Medoids(self.near, self.medoids, self.cost)

    def _try(self, candidate: int, distances: Array) -> bool:
        """Put the candidate in the place of a medoid, where that lowers the cost; whether it was so."""
        kept = np.minimum(distances, self.apart)  # how far from its medoid a row is that keeps its own
        lost = np.bincount(self.near, np.minimum(distances, self.next) - kept, self.medoids.size)
        slot = int(lost.argmin())
        if lost[slot] + (kept - self.apart).sum() >= -GAIN * self.cost:
            return False
        self._swap(slot, candidate, distances)
        return True

    def _swap(self, slot: int, candidate: int, distances: Array) -> None:
        self.medoids[slot] = candidate
        lost = self.near == slot
        bereft = lost | (self.second == slot)
        unknown = bereft & (distances > self.next)  # the third one may be nearer than the candidate
        self.near[lost], self.apart[lost] = self.second[lost], self.next[lost]
        self.next[bereft] = np.inf
        closer = distances < self.apart
        self.second[closer], self.next[closer] = self.near[closer], self.apart[closer]
        self.near[closer], self.apart[closer] = slot, distances[closer]
        between = ~closer & (distances < self.next)
        self.second[between], self.next[between] = slot, distances[between]
        self._look_up(np.flatnonzero(unknown))
        self._weigh()

    def _look_up(self, rows: Integers) -> None:
        """Find the nearest two of all medoids."""
        step = max(1, CHUNK // self.medoids.size)
        for start in range(0, rows.size, step):
            some = rows[start : start + step]
            apart = block(self.S, self.medoids, some, self.threads)
            for slots, least in ((self.near, self.apart), (self.second, self.next)):
                found = apart.argmin(axis=0), np.arange(some.size)
                slots[some], least[some] = found[0], apart[found]
                apart[found] = np.inf

    def _weigh(self) -> None:
        """What all cost together; what the loss of each medoid costs is finite too, so that all sums are."""
        loss = np.bincount(self.near, self.next - self.apart, self.medoids.size)
        with np.errstate(over="ignore"):
            self.cost = float(self.apart.sum())
        check_sums(self.cost + (loss if self.medoids.size > 1 else np.zeros(1)), "medoids")
