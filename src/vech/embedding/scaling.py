"""Metric scaling: points whose distances come near those of a matrix, by majorisation of the stress."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import frames
from vech.arrays import Array, as_array, check_progress, family
from vech.dissimilarities import as_distances
from vech.embedding.coordinates import Floats, frame, squared
from vech.embedding.principal import pcoa
from vech.embedding.tiles import Tile, Tiles
from vech.layouts.layout import as_integer, as_seed, one_of
from vech.linalg.checks import check_finite_array
from vech.linalg.units import power_of_two
from vech.neighbors.arguments import as_real
from vech.results.wanted import Progress
from vech.store import Store

MOST = 2**32 - 1  # that numpy.random.RandomState takes
STARTS = ("random", "classical_mds")


class Scaling(NamedTuple):
    """Points whose distances come near those of a matrix, and how near.

    Attributes
    ----------
    coordinates : array, shape (n, k)
        A point for each row.
    stress : float
        The sum of ``(distance between points - S[i, j])^2`` over the pairs i < j; infinite, or zero, where
        float64 ends, and `normalized_stress` is a number all the same.
    normalized_stress : float
        Kruskal's stress-1, ``sqrt(stress / sum of squared distances between points)``: 0 is perfect, 0.025
        excellent, 0.05 good, 0.1 fair, 0.2 poor.
    iterations : int
        Of the run whose points these are.
    labels : tuple or None
        Those of the matrix, one for each row.
    """

    coordinates: NDArray[np.float64]
    stress: float
    normalized_stress: float
    iterations: int
    labels: tuple[Any, ...] | None

    def to_frame(self) -> Any:
        """The coordinates as a ``pandas.DataFrame`` of columns MDS1, MDS2, ..., by label; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, k)

        Examples
        --------
        >>> D = vech.Packed(np.array([1.0]), "condensed", labels=["a", "b"])
        >>> vech.embedding.mds(D, 1, init=[[0.0], [2.0]]).to_frame()
           MDS1
        a  -0.5
        b   0.5
        """
        return frame(self.coordinates, self.labels, "MDS")


def mds(
    S: Store | ArrayLike,
    k: int,
    *,
    seed: Any = 0,
    init: Any = "random",
    n_init: int = 1,
    max_iter: int = 300,
    eps: float = 1e-6,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Scaling:
    """Points in k dimensions whose distances come near those of a matrix: metric scaling by SMACOF.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Distances: real, symmetric, finite, none negative, zero on the diagonal. Any store will do.
    k : int
        How many dimensions, at least 1.
    seed : int, numpy.random.RandomState or numpy.random.Generator
        Of random starts: an integer gives those of scikit-learn's ``random_state``.
    init : {"random", "classical_mds"} or array, shape (n, k)
        Where to start: points drawn uniformly from the unit cube, `pcoa`, or these.
    n_init : int
        Random starts, of which the one of least stress is kept; others than random ones are one.
    max_iter : int
        Iterations at most, of each start.
    eps : float
        A run ends when an iteration lowers the stress by less than this share of the sum of squared
        distances between points.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow. The result has
        the same bits for any number of them, up to those of BLAS.
    progress : callable, optional
        Called with (done, total), iterations of all starts; runs may end before `max_iter`.

    Returns
    -------
    Scaling
        Named tuple ``coordinates, stress, normalized_stress, iterations, labels``, in float64.

    Raises
    ------
    ValueError
        For a number that is no distance, whose place is named, and for arguments out of range.
    TypeError
        For matrices that are not real and symmetric, and for arguments of other types.

    Warns
    -----
    UserWarning
        If the best run ended by `max_iter`.

    Notes
    -----
    Minimises the stress ``sum over i < j of (|x_i - x_j| - S_ij)^2`` by the Guttman transform: each point
    goes to ``x_i <- sum over j of S_ij (x_i - x_j) / |x_i - x_j|, over n``, which never raises it. The same
    steps, ends and stress as those of scikit-learn's ``smacof`` (``MDS`` of ``metric="precomputed"``),
    distances between points being computed by differences. All is computed in a unit of the size of S, and
    the start in one of its own, so that distances of 1e-170 or 1e200 have the digits of others.

    Cost: one pass over S for each iteration, each number once, O(n^2 k); memory for a few arrays of n x k.
    Integers are copied into float64, halves of scaled layouts into one that is not.

    Source: J. de Leeuw, "Applications of convex analysis to multidimensional scaling", Recent Developments in
    Statistics, 1977; I. Borg, P. Groenen, "Modern Multidimensional Scaling", Springer, 2005, chapter 8.

    Examples
    --------
    >>> import numpy as np
    >>> D = vech.Packed(np.array([3.0, 4.0, 5.0]), "condensed")  # a right triangle
    >>> found = mds(D, 2, eps=1e-12)
    >>> round(found.stress, 6), float(np.linalg.norm(found.coordinates[0] - found.coordinates[1]).round(4))
    (0.0, 3.0)
    """
    S = as_distances(S, "mds")
    if as_integer("k", k) < 1:
        raise ValueError(f"mds finds at least 1 coordinate, not k = {k}")
    starts, most = _at_least_one("n_init", n_init), _at_least_one("max_iter", max_iter)
    if not 0 <= float(as_real(eps, "eps")) < np.inf:
        raise ValueError(
            f"eps must be zero or a positive number, not {eps!r}: it is a share of squared distances"
        )
    check_progress(progress)
    random = _random(seed)
    given = None if isinstance(init, str) else _start(init, S, k)
    if given is None:
        one_of("init", init, STARTS)
    tiles = Tiles(S, threads)
    if given is None and init == "classical_mds":
        given = _classical(S, k, threads)
    runs = starts if given is None else 1
    best: _Run | None = None
    for run in range(runs):
        start = random.uniform(size=(S.n, k)) if given is None else given
        found = _run(tiles, start, most, float(eps), _told(progress, run * most, runs * most))
        if best is None or found.stress < best.stress:
            best = found
    assert best is not None
    if not best.settled:
        warnings.warn(
            f"mds ended by max_iter={most}, while the stress still fell: allow more, or a larger eps",
            stacklevel=2,
        )
    normalized = np.sqrt(best.stress / best.squares) if best.squares else 0.0
    stress = float(squared(best.stress, tiles.unit))
    return Scaling(best.points * tiles.unit, stress, float(normalized), best.iterations, S.labels)


class _Run(NamedTuple):
    """The points that a run ended with, in units of the tiles."""

    points: Floats
    stress: float
    squares: float  # the sum of squared distances between points
    iterations: int
    settled: bool


def _run(tiles: Tiles, start: Floats, most: int, eps: float, told: Callable[[int], object]) -> _Run:
    largest = power_of_two(float(np.abs(start).max(initial=0))) or 1.0
    points = _step(tiles, start / largest)[2]  # the first step does not see how large the start is
    before = np.inf
    for iteration in range(1, most + 1):
        stress, squares, moved = _step(tiles, points)
        told(iteration)
        settled = before < np.inf and (before - stress < eps * squares or not squares)
        if settled or iteration == most:
            break
        points, before = moved, stress
    return _Run(points, stress, squares, iteration, settled)


def _step(tiles: Tiles, points: Floats) -> tuple[float, float, Floats]:
    """The stress of points, the sum of their squared distances, and their Guttman transform."""
    from scipy.spatial.distance import cdist

    def work(strip: Iterator[Tile]) -> list[Array]:
        moved, sums = np.zeros_like(points), np.zeros(2)
        for tile in strip:
            rows, columns, wanted = tile
            apart = cdist(points[rows], points[columns])
            missed = apart - wanted
            sums += np.array([_squared(missed), _squared(apart)]) / (2 if tile.on_diagonal else 1)
            apart[apart == 0] = np.inf  # points that coincide do not move each other
            pull = np.divide(wanted, apart, out=wanted)
            moved[rows] += pull.sum(axis=1)[:, None] * points[rows] - pull @ points[columns]
            if not tile.on_diagonal:
                moved[columns] += pull.sum(axis=0)[:, None] * points[columns] - pull.T @ points[rows]
        return [moved, sums]

    moved, (stress, squares) = tiles.sums(work)
    return float(stress), float(squares), moved / max(1, tiles.n)


def _squared(x: Floats) -> float:
    """The sum of squares: for so few numbers, BLAS would start threads in each thread."""
    return float(np.einsum("ij,ij->", x, x))


def _told(progress: Progress | None, before: int, total: int) -> Callable[[int], object]:
    return lambda done: None if progress is None else progress(before + done, total)


def _at_least_one(name: str, value: Any) -> int:
    if as_integer(name, value) < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return int(value)


def _random(seed: Any) -> Any:
    if isinstance(seed, np.random.RandomState | np.random.Generator):
        return seed
    if as_seed(seed) > MOST:
        raise ValueError(f"seed is {seed}: it is at most {MOST}, or a numpy.random.Generator")
    return np.random.RandomState(seed)  # whose numbers are scikit-learn's


def _start(init: Any, S: Store, k: int) -> Floats:
    """Points to start from."""
    frames.check_along(init, 0, S.labels, "init")
    points = as_array(init, "init")
    if points.shape != (S.n, k):
        raise ValueError(f"init has shape {points.shape}, but S has {S.n} rows, and k is {k}: ({S.n}, {k})")
    if family(points.dtype) not in "biuf":
        raise TypeError(f"init must hold real numbers, not {points.dtype}")
    points = points.astype(np.float64)
    check_finite_array(points, "init", "mds")
    return points


def _classical(S: Store, k: int, threads: int | None) -> Floats:
    """Principal coordinates, with zeros for those beyond n."""
    points = np.zeros((S.n, k))
    if S.n:
        points[:, : S.n] = pcoa(S, min(k, S.n), threads=threads).coordinates
    return points
