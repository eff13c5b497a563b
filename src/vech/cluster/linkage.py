"""Hierarchical clustering: which clusters are joined, one after the other, and how far apart they are."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.cluster.distances import as_distances
from vech.results.making import Progress
from vech.store import Store


def linkage(
    S: Store | ArrayLike,
    method: str = "average",
    *,
    optimal_ordering: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The tree of all rows by hierarchical clustering, as SciPy's table of links."""
    from scipy.cluster import hierarchy

    distances: Any = as_distances(S, "linkage")
    if distances.n < 2:
        return np.empty((0, 4))
    return np.asarray(hierarchy.linkage(distances.to_condensed(), method, optimal_ordering=optimal_ordering))
