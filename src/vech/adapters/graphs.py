"""A store of distances as the sparse graph that scikit-learn's estimators take for `precomputed`."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype, as_array, family, resolve_threads
from vech.dissimilarities import working
from vech.layouts.layout import as_flag, as_integer
from vech.moves.nonzeros import sparse_dtype
from vech.neighbors import nearest, within
from vech.neighbors.arguments import as_limit, as_store
from vech.store import Store

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ModuleNotFoundError as missing:
    reason = "vech.adapters.sklearn needs scikit-learn: pip install 'vech[sklearn]'"
    raise ModuleNotFoundError(reason, name="sklearn") from missing

__all__ = ["StoreNeighbors"]


def __dir__() -> list[str]:
    return __all__


class StoreNeighbors(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The graph of nearest rows of a store of distances, as scikit-learn's `KNeighborsTransformer` makes it.

    What follows in a pipeline with ``metric="precomputed"`` (`DBSCAN`, `TSNE`, `KNeighborsClassifier`, ...)
    or ``affinity="precomputed_nearest_neighbors"`` (`SpectralClustering`) then needs no square.

    Parameters
    ----------
    n_neighbors : int or None
        How many others each row has in the graph, at least as many as what follows asks for: `TSNE` asks for
        three times its perplexity and one.
    radius : float, optional
        All rows within this distance instead, with ``n_neighbors=None``: what `DBSCAN` needs is its eps.
    symmetric : bool
        Whether the graph of a store has each pair both ways, which umap-learn's `UMAP` asks for: a row then
        also has the others whose neighbour it is. A graph by radius has them anyway.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Attributes
    ----------
    n_samples_fit_ : int
        How many rows the store had.
    n_features_in_ : int
        The same, as of scikit-learn's precomputed distances.

    Examples
    --------
    >>> import numpy as np
    >>> import vech
    >>> from sklearn.cluster import DBSCAN
    >>> from sklearn.pipeline import make_pipeline
    >>> D = vech.Packed(np.array([1.0, 9, 9, 9, 9, 2]), "condensed")
    >>> make_pipeline(StoreNeighbors(1), DBSCAN(eps=2, min_samples=2, metric="precomputed")).fit_predict(D)
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        n_neighbors: int | None = 5,
        *,
        radius: float | None = None,
        symmetric: bool = False,
        threads: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.radius = radius
        self.symmetric = symmetric
        self.threads = threads

    def fit(self, X: Any, y: Any = None) -> Self:
        """Look at the store; none of it is kept.

        Parameters
        ----------
        X : store, or full matrix, shape (n, n)
            Distances, real and symmetric.
        y : ignored
            There for pipelines.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If not exactly one of n_neighbors and radius is given, n_neighbors is not 1 to n - 1, or another
            parameter is none; for what is no real symmetric matrix, and dtypes that SciPy's sparse arrays do
            not hold.

        Examples
        --------
        >>> StoreNeighbors(1).fit(vech.Packed(np.array([4.0, 1, 3]), "condensed")).n_samples_fit_
        3
        """
        store = as_store(X, "StoreNeighbors")
        if (self.n_neighbors is None) == (self.radius is None):
            raise ValueError(
                f"StoreNeighbors takes n_neighbors or radius, one of both, not {self.n_neighbors!r} and "
                f"{self.radius!r}"
            )
        if self.n_neighbors is not None and not 1 <= as_integer("n_neighbors", self.n_neighbors) < store.n:
            raise ValueError(
                f"n_neighbors is {self.n_neighbors}, and each of {store.n} rows has {max(0, store.n - 1)} "
                f"others"
            )
        if self.radius is not None:
            as_limit(self.radius, "radius")
        as_flag("symmetric", self.symmetric)
        resolve_threads(self.threads, 0)
        sparse_dtype(store.dtype)
        self.n_samples_fit_ = self.n_features_in_ = self._n_features_out = store.n
        return self

    def transform(self, X: Any) -> Any:
        """The graph of the store itself, or of other rows with its rows.

        Parameters
        ----------
        X : store, shape (n, n), or array, shape (q, n)
            The store that was fitted, or the distances of q other rows to its n rows.

        Returns
        -------
        scipy.sparse.csr_matrix, shape (n, n) or (q, n)
            In each row the distances of its neighbours, ascending, as scikit-learn wants them; a row of the
            store is the first of its own neighbours, at 0. Zeros are stored. Float32 or float64, which
            integers become: SciPy sorts anew, by columns, what scikit-learn turns into floats.

        Raises
        ------
        ValueError
            If X has not as many columns as the store has rows.
        TypeError
            As `fit`.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        Examples
        --------
        >>> D = vech.Packed(np.array([4.0, 1, 3]), "condensed")
        >>> StoreNeighbors(1).fit(D).transform(D).toarray()
        array([[0., 0., 1.],
               [0., 0., 3.],
               [1., 0., 0.]])
        """
        check_is_fitted(self)
        if isinstance(X, Store):
            self._check_columns(X.n)
            return self._of_store(as_store(X, "StoreNeighbors"))
        array = as_array(X, "X")
        if array.ndim != 2:
            raise ValueError(
                f"X has shape {array.shape}: other rows have one column for each row of the store"
            )
        self._check_columns(array.shape[1])
        if family(array.dtype) not in "biuf":
            raise TypeError(f"X must hold real numbers, not {array.dtype}")
        return self._of_rows(array)

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """`fit`, and the graph of the store itself.

        Parameters
        ----------
        X : store, or full matrix, shape (n, n)
            Distances, real and symmetric.
        y : ignored
            There for pipelines.
        **params
            None are taken.

        Returns
        -------
        scipy.sparse.csr_matrix, shape (n, n)
            As `transform`.

        Raises
        ------
        ValueError, TypeError
            As `fit`; TypeError for any of params.

        Examples
        --------
        >>> StoreNeighbors(1).fit_transform(vech.Packed(np.array([4.0, 1, 3]), "condensed")).nnz
        6
        """
        if params:
            raise TypeError(f"StoreNeighbors.fit_transform takes no {next(iter(params))}=")
        store = as_store(X, "StoreNeighbors")
        return self.fit(store).transform(store)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True  # so that cross validation takes rows with their columns
        return tags

    def _check_columns(self, columns: int) -> None:
        if columns != self.n_samples_fit_:
            raise ValueError(
                f"X has {columns} columns, but StoreNeighbors was fitted with a store of "
                f"{self.n_samples_fit_} rows"
            )

    def _of_store(self, store: Store) -> Any:
        n, dtype = store.n, _dtype_of(store.dtype)
        if self.n_neighbors is not None:
            found = nearest(store, self.n_neighbors, threads=self.threads)
            rows, places = np.nonzero(found.indices >= 0)
            columns, data = found.indices[rows, places], found.values[rows, places]
            if self.symmetric:
                rows, columns = np.concatenate((rows, columns)), np.concatenate((columns, rows))
                pairs, first = np.unique(rows * n + columns, return_index=True)
                (rows, columns), data = np.divmod(pairs, n), np.concatenate((data, data))[first]
        elif self.radius is not None:
            near = within(store, self.radius)
            rows = np.repeat(np.arange(n), np.diff(near.indptr))
            columns, data = near.indices.astype(np.int64), near.data
        own = np.arange(n)
        order = np.concatenate((np.full(n, -1, np.int64), np.arange(rows.size)))  # itself before all others
        rows, columns = np.concatenate((own, rows)), np.concatenate((own, columns))
        data = np.concatenate((np.zeros(n, dtype), data.astype(dtype)))
        return _graph(rows, columns, data, order < 0, (n, n))

    def _of_rows(self, array: Array) -> Any:
        dtype = _dtype_of(array.dtype)
        if self.n_neighbors is not None:
            count = min(self.n_neighbors + 1, array.shape[1])
            chosen = np.argsort(array, axis=1, kind="stable")[:, :count]
            data = np.take_along_axis(array, chosen, axis=1)
            rows, places = np.nonzero(~np.isnan(data))
            columns, data = chosen[rows, places], data[rows, places]
        else:
            with np.errstate(over="ignore"):  # a radius that float32 does not hold
                rows, columns = np.nonzero(array <= as_limit(self.radius, "radius"))
            data = array[rows, columns]
        return _graph(rows, columns, data.astype(dtype), np.zeros(rows.size, bool), array.shape)


def _dtype_of(dtype: Dtype) -> Dtype:
    """The float that scikit-learn computes in."""
    return working(sparse_dtype(dtype))


def _graph(
    rows: NDArray[np.int64], columns: NDArray[np.int64], data: Array, first: Array, shape: tuple[int, ...]
) -> Any:
    """Rows of ascending distances, of which some come first; ties by index."""
    from scipy.sparse import csr_matrix

    order = np.lexsort((columns, data, ~first, rows))
    indptr = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(rows, minlength=shape[0]))))
    index = np.int32 if max(data.size, *shape) < 2**31 else np.int64
    graph = csr_matrix((data[order], columns[order].astype(index), indptr.astype(index)), shape=shape)
    graph.has_sorted_indices = False
    return graph
