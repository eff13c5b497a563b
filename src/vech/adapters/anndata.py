"""The neighbour graph of a store, where scanpy keeps it in AnnData: in `obsp`, and what it is in `uns`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array
from vech.labels import label_text
from vech.layouts.layout import as_integer
from vech.moves.nonzeros import sparse_dtype
from vech.neighbors import nearest
from vech.neighbors.arguments import as_store
from vech.store import Store

__all__ = ["Neighbors", "neighbors"]

ROUNDS = 64  # halvings of the interval of a bandwidth
CLOSE = 1e-5  # to log2(n_neighbors)
LEAST = 1e-3  # of the mean distance: bandwidths are no smaller


def __dir__() -> list[str]:
    return __all__


class Neighbors(NamedTuple):
    """What scanpy's ``pp.neighbors`` leaves behind.

    Attributes
    ----------
    distances : scipy.sparse.csr_array, shape (n, n)
        Row by row the distances of its nearest others.
    connectivities : scipy.sparse.csr_array, shape (n, n)
        How strongly rows belong together, symmetric, 0 to 1.
    uns : dict
        Where both are in ``obsp``, and the parameters.
    """

    distances: Any
    connectivities: Any
    uns: dict[str, Any]


def neighbors(
    S: Store | ArrayLike,
    n_neighbors: int = 15,
    adata: Any = None,
    *,
    key_added: str | None = None,
    metric: str = "precomputed",
) -> Neighbors:
    """The neighbour graph of a store of distances, as ``scanpy.pp.neighbors`` writes it.

    Parameters
    ----------
    S : store, or full matrix (array, data frame), shape (n, n)
        Distances, real and symmetric.
    n_neighbors : int
        Rows in a neighbourhood, the row itself among them, as in scanpy: each has one other less.
    adata : anndata.AnnData, optional
        What has `obsp` and `uns`: both are written to. Where S has labels, they must be its `obs_names`.
    key_added : str, optional
        For ``uns[key_added]``, ``obsp[f"{key_added}_distances"]`` and
        ``obsp[f"{key_added}_connectivities"]``; by default "neighbors", "distances" and "connectivities".
    metric : str
        What the distances are, for the record in `uns`.

    Returns
    -------
    Neighbors
        Named tuple ``distances, connectivities, uns``, whether or not there is an `adata`.

    Raises
    ------
    ValueError
        For n_neighbors beyond 2 to n; if `adata` has other rows, or rows of other names.
    TypeError
        As `vech.neighbors.nearest`; for an `adata` without `obsp` and `uns`.

    Notes
    -----
    Connectivities are UMAP's fuzzy simplicial set (McInnes, Healy and Melville 2018, arXiv:1802.03426,
    section 3.1): w_ij = exp(-max(0, d_ij - rho_i) / sigma_i), rho_i the smallest distance above 0, sigma_i
    such that the weights of a row add up to log2(n_neighbors), within 1e-5; the result is
    W + W' - W o W'. Memory goes with n n_neighbors.

    Examples
    --------
    >>> found = neighbors(vech.Packed(np.array([1.0, 4, 4, 3, 3, 2]), "condensed"), 2)
    >>> found.distances.toarray()
    array([[0., 1., 0., 0.],
           [1., 0., 0., 0.],
           [0., 0., 0., 2.],
           [0., 0., 2., 0.]])
    >>> found.uns["params"]["n_neighbors"], found.uns["distances_key"]
    (2, 'distances')
    """
    from scipy.sparse import csr_array

    S = as_store(S, "neighbors")
    dtype = sparse_dtype(S.dtype)
    count = as_integer("n_neighbors", n_neighbors)
    if not 2 <= count <= S.n:
        raise ValueError(
            f"n_neighbors is {count}, but counts the row itself: it is 2 to {S.n}, the number of rows"
        )
    if adata is not None:
        _check_rows(S, adata)
    found = nearest(S, count - 1)
    row, place = np.nonzero(found.indices >= 0)
    where = row, found.indices[row, place]
    distances = csr_array((found.values[row, place].astype(dtype, copy=False), where), shape=S.shape)
    weights = csr_array((_weights(found.values, count)[row, place], where), shape=S.shape)
    both = weights.multiply(weights.T)
    connectivities = (weights + weights.T - both).tocsr()
    connectivities.eliminate_zeros()
    for matrix in (distances, connectivities):
        matrix.sort_indices()
    prefix = "" if key_added is None else f"{key_added}_"
    uns: dict[str, Any] = {
        "connectivities_key": f"{prefix}connectivities",
        "distances_key": f"{prefix}distances",
        "params": {"n_neighbors": count, "method": "umap", "metric": metric},
    }
    if adata is not None:
        adata.obsp[uns["distances_key"]] = distances
        adata.obsp[uns["connectivities_key"]] = connectivities
        adata.uns["neighbors" if key_added is None else key_added] = uns
    return Neighbors(distances, connectivities, uns)


def _check_rows(S: Store, adata: Any) -> None:
    if not hasattr(adata, "obsp") or not hasattr(adata, "uns"):
        raise TypeError(f"adata must have obsp and uns, as an AnnData, and it is {adata!r:.60}")
    names = getattr(adata, "obs_names", None)
    if names is None:
        return
    if len(names) != S.n:
        raise ValueError(f"adata has {len(names)} rows, and S has {S.n}")
    if S.labels is None:
        return
    for row, (own, name) in enumerate(zip(S.labels, names, strict=True)):
        if label_text(own) != str(name):
            raise ValueError(
                f"row {row} is {own!r} in S and {name!r} in adata: S.submatrix(order) puts rows in "
                f"another order"
            )


def _weights(distances: Array, count: int) -> Array:
    """Those of each row's neighbours; NaN is none."""
    d = np.where(np.isnan(distances), np.inf, distances).astype(np.float64)
    positive = np.where(d > 0, d, np.inf)
    nearest_one = positive.min(axis=1, initial=np.inf)
    rho = np.where(np.isfinite(nearest_one), nearest_one, 0.0)[:, None]
    beyond = np.maximum(0, d - rho)
    low, high, sigma = (np.full((len(d), 1), start) for start in (0.0, np.inf, 1.0))
    target = np.log2(count)
    with np.errstate(over="ignore"):
        for _ in range(ROUNDS):
            excess = np.exp(-beyond / sigma).sum(axis=1, keepdims=True) - target
            close = np.abs(excess) < CLOSE
            high = np.where(~close & (excess > 0), sigma, high)
            low = np.where(~close & (excess <= 0), sigma, low)
            middle = np.where(np.isinf(high), sigma * 2, (low + high) / 2)
            sigma = np.where(close, sigma, middle)
    finite = np.isfinite(d)
    of_rows = np.where(finite, d, 0).sum(axis=1, keepdims=True) / count  # with itself, at 0
    of_all = of_rows.mean()
    sigma = np.maximum(sigma, LEAST * np.where(rho > 0, of_rows, of_all))
    return np.asarray(np.exp(-beyond / np.where(sigma > 0, sigma, 1)))
