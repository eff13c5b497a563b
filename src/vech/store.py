"""What every store promises: one symmetric, Hermitian or skew matrix, held once, used as if full."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from vech.labels import Loc
from vech.maps import as_read, check_series
from vech.refusals import BINARY, UNARY, Refusals

Array = NDArray[Any]
Done = TypeVar("Done")


class Description(NamedTuple):
    """What a store says of itself, for files and for people; what it is not held by is None."""

    n: int
    dtype: np.dtype[Any]
    kind: str
    labels: tuple[Any, ...] | None = None
    layout: Any = None  # of one half: which number is where
    triangle: str | None = None  # of sparse content: which one the arrays hold
    nnz: int | None = None  # of sparse content: the numbers stored
    encoding: str | None = None  # of few bits a number: what these are
    domain: str | None = None  # of which matrix they are
    tile: int | None = None  # of tiles in files, each read whole: the rows of one

    def __str__(self) -> str:
        said = [f"n={self.n}", f"dtype={self.dtype}", f"kind={self.kind!r}"]
        if self.layout is not None:
            name = self.layout.name
            said.append(f"layout={name if '(' in name else repr(name)}")
        if self.triangle is not None:
            said += [f"triangle={self.triangle!r}", f"nnz={self.nnz}"]
        if self.encoding is not None:
            said += [f"encoding={self.encoding!r}", f"domain={self.domain!r}"]
        return ", ".join(said)


class Pairs(NamedTuple):
    """The numbers of a matrix in long form, each pair once.

    Attributes
    ----------
    i, j : array of int64, shape (k,)
        Row and column of each.
    value : array, shape (k,)
        The numbers.
    labels : tuple or None
        Those of the matrix, one for each row: ``labels[i[0]]`` is that of the first pair.
    """

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    value: Array
    labels: tuple[Any, ...] | None

    def to_frame(self) -> Any:
        """The pairs as a ``pandas.DataFrame`` of the columns i, j and value; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (k, 3)
            With the labels for the positions, where there are any.

        Examples
        --------
        >>> vech.Packed(np.array([1.0, 0.5, 2.0]), labels=["A", "B"]).to_pairs().to_frame()
           i  j  value
        0  A  B    0.5
        """
        from vech.adapters.pandas import pairs_frame

        return pairs_frame(self)


class Tile(NamedTuple):
    """Some rows and columns of a matrix, and its numbers there.

    Attributes
    ----------
    rows, columns : slice
        Which: the same ones where the tile is a square on the diagonal.
    numbers : array
        What `Store.block` gives of them; it may be a view of what the store holds, to be read only.
    """

    rows: slice
    columns: slice
    numbers: Array

    @property
    def on_diagonal(self) -> bool:
        """Whether rows and columns are the same, so that each pair is in it twice."""
        return self.rows == self.columns


NewLabels = Iterable[Any] | Mapping[Any, Any] | Callable[[Any], Any] | None
"""Labels of rows, or what becomes of those that they have."""


class Store(Refusals, ABC):
    """One square matrix whose two triangles say the same, held once.

    A store keeps the promise below; the work is in `expand` and `matmul`, and everything that is not abstract
    follows from them. Stores hold no copy of what they are given and remember nothing that depends on the
    numbers, so whoever changes the arrays behind a store changes the matrix. They are linear operators to
    SciPy (``aslinearoperator``, ``eigsh``, ``cg``), and ``numpy.asarray`` expands them.
    `Packed` and `SparseHalf` have operators, number by number; all others refuse them. No store has a truth
    value, nor a hash.
    """

    @property
    @abstractmethod
    def n(self) -> int:
        """The side of the matrix."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""

    @property
    @abstractmethod
    def kind(self) -> str:
        """What the other triangle is: "symmetric", "hermitian", "skew" or "skew-hermitian"."""

    @property
    @abstractmethod
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of the arrays that hold the matrix."""

    @property
    @abstractmethod
    def T(self) -> Self:
        """The transposed matrix: this store where that is the same, else relabelled without copying."""

    @property
    @abstractmethod
    def H(self) -> Self:
        """The conjugate transpose: this store itself where that is the same; copies only to conjugate."""

    @abstractmethod
    def copy(self) -> Self:
        """The same matrix in arrays of its own."""

    @abstractmethod
    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array."""

    @abstractmethod
    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, shape (n, n), or some consecutive rows of it, shape (k, n)."""

    @abstractmethod
    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with x of shape (n,) or (..., n, m), in the dtype of NumPy's ``full @ x``."""

    def to_coo(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.coo_array``, sorted by rows; all else as for `to_csr`.

        Examples
        --------
        >>> vech.Packed(np.array([1, 0, 4, 0, 5, 6])).to_coo().coords[1]
        array([0, 2, 2, 0, 1, 2], dtype=int32)
        """
        return self._sparse("coo", part, threshold, threads)

    def to_csr(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.csr_array``, each number read once.

        Parameters
        ----------
        part : {"full", "lower", "upper"}
            The whole matrix, or what SciPy's ``tril`` or ``triu`` would leave of it.
        threshold : float, optional
            Keep the numbers with ``|a| > threshold``, and NaN, also on the diagonal; unless told all that are
            not zero.
        threads : int, optional
            At most so many threads for what is done with the nonzeros.

        Returns
        -------
        scipy.sparse.csr_array, shape (n, n)
            Columns sorted, without zeros, flagged as canonical. Indices are int32 where they fit. Memory goes
            with the nonzeros, and a tile.

        Raises
        ------
        ValueError, TypeError
            For another part, a threshold that is negative, NaN or no number, and numbers that sparse arrays
            do not compute with.
        MemoryError
            If the nonzeros are larger than memory and swap together.

        Notes
        -----
        Integers are compared with a threshold exactly, complex numbers by their size in float64; of a
        diagonal what its kind computes with. Tiles are compared where they are read, so that the workers of
        ``S.using(executor)`` send only what is kept.

        Examples
        --------
        >>> vech.Packed(np.array([1, 0, 4, 0, 5, 6])).to_csr().indptr
        array([0, 2, 3, 6], dtype=int32)
        >>> vech.Packed(np.array([1, 0, 4, 0, 5, 6])).to_csr(threshold=4).nnz
        3
        """
        return self._sparse("csr", part, threshold, threads)

    def to_csc(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.csc_array``; all else as for `to_csr`.

        Examples
        --------
        >>> vech.Packed(np.array([1, 0, 4, 0, 5, 6])).to_csc(part="lower").nnz
        4
        """
        return self._sparse("csc", part, threshold, threads)

    @abstractmethod
    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Some rows with some columns, each with each: ``expand()[np.ix_(rows, cols)]`` without the n x n.

        Parameters
        ----------
        rows, cols : slice, range, integers, mask or labels
            What to take of either axis, with repeats and negatives as in NumPy; a single integer is one row.
        out : array, shape (k, m), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            At most so many threads.

        Returns
        -------
        array, shape (k, m)
            The numbers that `expand` has there; `out` itself where it is given. Stored data alone is read,
            and nothing of n x n numbers made: memory goes with the result.

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        ValueError, TypeError
            For an `out` that does not fit.

        Examples
        --------
        >>> vech.Packed(np.array([1, 2, 4, 3, 5, 6])).block([2, 0], slice(1, None))
        array([[5, 6],
               [2, 4]])
        """

    def tiles(self, side: int | None = None) -> Iterator[Tile]:
        """The lower triangle in square tiles, each pair once: what reads a matrix once goes by it.

        Parameters
        ----------
        side : int, optional
            Rows and columns of a tile; by default what the store reads best. Those at the end may be smaller.

        Returns
        -------
        iterator of Tile
            Named tuple ``rows, columns, numbers``: two slices, and ``S.block(rows, columns)``, which is only
            to be read. Row of tiles after row of tiles, from the first column to the diagonal, on which a
            tile is a whole square.

        Raises
        ------
        TypeError, ValueError
            If side is no positive integer.

        Notes
        -----
        Reads each number once, and holds one tile at a time.

        Examples
        --------
        >>> for tile in vech.Packed(np.array([1, 2, 4, 3, 5, 6])).tiles(2):
        ...     print(tile.rows, tile.columns, tile.numbers.tolist())
        slice(0, 2, None) slice(0, 2, None) [[1, 2], [2, 3]]
        slice(2, 3, None) slice(0, 2, None) [[4, 5]]
        slice(2, 3, None) slice(2, 3, None) [[6]]
        """
        from vech.derived.tiles import checked_side

        return self._in_tiles(checked_side(side))

    @abstractmethod
    def to_packed(self, layout: Any = "vech", *, threads: int | None = None) -> Any:
        """The same matrix, labels and all, as a `vech.Packed`: ``to_packed(L).expand()`` is ``expand()``.

        Parameters
        ----------
        layout : str or layout
            The layout of its half.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        vech.Packed
            This store itself where it is that already; n (n + 1) / 2 numbers at most besides.

        Raises
        ------
        ValueError
            If a diagonal that the layout leaves out is not exactly what it says.
        TypeError, OverflowError
            If the layout scales integers, or a finite number beyond its dtype.

        Examples
        --------
        >>> vech.Packed(np.array([1, 2, 4, 3, 5, 6])).to_packed("numpy-tril").half
        array([1, 2, 3, 4, 5, 6])
        """

    def to_layout(self, layout: Any, *, threads: int | None = None) -> Any:
        """Another name of `to_packed`: the same matrix as a `vech.Packed` in a layout, which must be named.

        Parameters
        ----------
        layout : str or layout
            The layout of its half.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        vech.Packed

        Raises
        ------
        ValueError, TypeError, OverflowError
            As `to_packed`.

        Examples
        --------
        >>> vech.Packed(np.array([1, 2, 4, 3, 5, 6])).to_layout("numpy-tril").half
        array([1, 2, 3, 4, 5, 6])
        """
        return self.to_packed(layout, threads=threads)

    def to_dask_array(self, chunk: int | None = None) -> Any:
        """The full matrix as a ``dask.array``, of which nothing is read before it is computed; it needs dask.

        Parameters
        ----------
        chunk : int, optional
            Rows and columns of a block: 4096 unless told.

        Returns
        -------
        dask.array.Array, shape (n, n)
            Each block by `block`, one task a block. Workers in other processes get this store once, with its
            arrays; a `vech.Tiled` as its path.

        Raises
        ------
        ImportError
            Where dask is missing.
        ValueError, TypeError
            For a `chunk` that is no positive integer.

        Notes
        -----
        For code that takes dask's arrays. ``S @ x`` reads each number once, and dask twice.

        Examples
        --------
        >>> A = vech.Packed(np.array([1.0, 0.5, 2.0])).to_dask_array(1)
        >>> A.chunks, A.sum().compute()
        (((1, 1), (1, 1)), np.float64(4.0))
        """
        from vech.adapters.dask import to_dask_array

        return to_dask_array(self, chunk)

    def to_xarray(self, *, name: str | None = None) -> Any:
        """The full matrix as an ``xarray.DataArray`` with its labels, lazily; it needs xarray and dask.

        Parameters
        ----------
        name : str, optional
            Of the array.

        Returns
        -------
        xarray.DataArray, shape (n, n)
            Of dimensions "i" and "j", over `to_dask_array`; labels are the coordinates of both.

        Raises
        ------
        ImportError
            Where xarray or dask is missing.

        Examples
        --------
        >>> A = vech.Packed(np.array([1.0, 0.5, 2.0]), labels=["a", "b"]).to_xarray()
        >>> float(A.sel(i="a", j="b"))
        0.5
        """
        from vech.adapters.xarray import to_xarray

        return to_xarray(self, name=name)

    def to_condensed(self, *, drop_diagonal: bool = False) -> Array:
        """The numbers off the diagonal in SciPy's condensed order: what ``linkage`` and ``squareform`` take.

        ``scipy.cluster.hierarchy.linkage(S)`` would take the expanded matrix for points, and
        ``linkage(S.half)`` the order of another layout for its own, both without a word.

        Parameters
        ----------
        drop_diagonal : bool
            True leaves out whatever stands on the diagonal; else it must be zero, as distances have it.

        Returns
        -------
        array, shape (n (n - 1) / 2,)
            Row after row of the upper triangle: (0, 1), (0, 2), ... (1, 2), ... The half itself, not a copy,
            where a store holds just that; else time and memory of one `to_packed`.

        Raises
        ------
        ValueError
            If the diagonal is not zero: the first number that is not is named.
        TypeError
            For complex numbers and kinds other than symmetric, which distances are not.
        MemoryError
            If the result is larger than memory and swap together, before anything is allocated.

        Examples
        --------
        >>> from scipy.cluster.hierarchy import linkage
        >>> D = vech.Packed(np.array([0.0, 4, 1, 0, 5, 0]))
        >>> D.to_condensed()
        array([4., 1., 5.])
        >>> linkage(D.to_condensed(), "average")[:, 2]
        array([1. , 4.5])
        """
        from vech.derived.pairs import to_condensed

        return to_condensed(self, drop_diagonal)

    def to_pairs(self, *, diagonal: bool = False) -> Pairs:
        """Each pair once, in long form: rows, columns, numbers, with labels; of a sparse store its edge list.

        Parameters
        ----------
        diagonal : bool
            Whether the diagonal is among them.

        Returns
        -------
        Pairs
            Named tuple of arrays ``i, j, value`` and of the store's ``labels``; ``to_frame()`` makes it a
            data frame. Of the upper triangle, i < j, row after row, as `to_condensed`; value is S[i, j], of
            every kind. Of a store that holds nonzeros alone, those that are stored, zeros among them.

        Raises
        ------
        MemoryError
            If they are larger than memory and swap together: 16 bytes for the place of each number.

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.1, 1.0]), labels=["x", "y", "z"])
        >>> S.to_pairs()
        Pairs(i=array([0, 0, 1]), j=array([1, 2, 2]), value=array([0.5, 0.2, 0.1]), labels=('x', 'y', 'z'))
        >>> S.to_pairs().to_frame()
           i  j  value
        0  x  y    0.5
        1  x  z    0.2
        2  y  z    0.1
        """
        from vech.derived.pairs import to_pairs

        return to_pairs(self, diagonal)

    @property
    def loc(self) -> Loc:
        """Parts of the matrix by label, each row with each column, as in pandas: arrays, and assignment.

        ``S.loc["a", "b"]`` is a number, ``S.loc["a"]`` a row, ``S.loc[["a", "c"], "b":"d"]`` a block. Lists
        keep their order and repeats, slices include both ends, masks have one truth value for each row (those
        of a pandas series go by its index). A tuple that is a label is that label, and what tuples begin
        with, ``S.loc["x"]`` of ("x", 1) and ("x", 2), means all of these. Numbers are labels here and
        positions in ``S[i, j]``. Text, dates and tuples in ``S["a", "b"]`` of a `vech.Packed` or
        `vech.SparseHalf` are labels too, and there lists pair up, as positions do.

        Raises
        ------
        KeyError
            For what is no label, of which the nearest is named, and for a label of more than one row.
        IndexError
            For a mask that does not fit.

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.1, 1.0]), labels=["x", "y", "z"])
        >>> S.loc["x", "z"], S.loc["y"]
        (np.float64(0.2), array([0.5, 1. , 0.1]))
        >>> S.loc["y":"z", ["z", "x"]]
        array([[0.1, 0.5],
               [1. , 0.2]])
        >>> S.loc["x", "y"] = 0.7
        >>> S["x", "y"]
        np.float64(0.7)
        """
        return Loc(self)

    def min(self, *, diagonal: bool = False, **others: Any) -> Any:
        """The least number of all pairs; NaN where there is one.

        Parameters
        ----------
        diagonal : bool
            Whether the diagonal is looked at too.
        **others
            Nothing: what ``numpy.min`` passes on is refused, since that is of the whole matrix.

        Returns
        -------
        number
            A NumPy scalar of the store's dtype. Zeros that a sparse store does not hold count.

        Raises
        ------
        TypeError
            For complex numbers, and kinds other than symmetric.
        ValueError
            Where there are no pairs.

        Notes
        -----
        Reads each number once, some at a time; so does `max`. `mean` and `std` sum in double.

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.1, 1.0]))
        >>> S.min(), S.max(), S.max(diagonal=True)
        (np.float64(0.1), np.float64(0.5), np.float64(1.0))
        """
        return self._summary("min", diagonal, others)

    def max(self, *, diagonal: bool = False, **others: Any) -> Any:
        """The largest number of all pairs; all else as for `min`.

        Examples
        --------
        >>> vech.Packed(np.array([5, 2, 4, 5, 3, 5])).max()
        np.int64(4)
        """
        return self._summary("max", diagonal, others)

    def argmin(self, *, diagonal: bool = False, **others: Any) -> tuple[int, int]:
        """Where the least number of all pairs stands first, row after row; all else as for `min`.

        Returns
        -------
        tuple of int
            (i, j), i <= j: ``S[S.argmin()]`` is ``S.min()``. Tiles are read once; a half in memory takes a
            second pass, up to the row where the number is.

        Examples
        --------
        >>> vech.Packed(np.array([5, 2, 4, 5, 3, 5])).argmin()
        (0, 1)
        """
        return self._summary("argmin", diagonal, others)  # type: ignore[no-any-return]

    def argmax(self, *, diagonal: bool = False, **others: Any) -> tuple[int, int]:
        """Where the largest number of all pairs stands first, row after row; all else as for `min`.

        Returns
        -------
        tuple of int

        Examples
        --------
        >>> vech.Packed(np.array([5, 2, 4, 5, 3, 5])).argmax()
        (0, 2)
        """
        return self._summary("argmax", diagonal, others)  # type: ignore[no-any-return]

    def mean(self, *, diagonal: bool = False, **others: Any) -> Any:
        """The mean of all pairs, each counted once: of a correlation matrix, the mean correlation.

        Parameters
        ----------
        diagonal : bool
            Whether the diagonal counts too.
        **others
            Nothing: what ``numpy.mean`` passes on is refused, since that is of the whole matrix.

        Returns
        -------
        number
            As NumPy has it, summed in double: of floats and complex numbers in their own dtype, else float64.
            Zeros that a sparse store does not hold count. Without pairs NaN, and NumPy's ``RuntimeWarning``.

        Raises
        ------
        TypeError
            For dates, and kinds other than symmetric.

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.2, 1.0]))
        >>> S.mean().round(6), S.mean(diagonal=True).round(6)
        (np.float64(0.3), np.float64(0.65))
        """
        return self._summary("mean", diagonal, others)

    def std(self, *, diagonal: bool = False, **others: Any) -> Any:
        """The standard deviation of all pairs, dividing by their number (ddof = 0); all else as for `mean`.

        Returns
        -------
        number
            Real, as of ``numpy.std``. Reads the numbers twice.

        Examples
        --------
        >>> vech.Packed(np.array([5, 2, 4, 5, 3, 5])).std().round(6)
        np.float64(0.816497)
        """
        return self._summary("std", diagonal, others)

    def scale(self, d: ArrayLike) -> Any:
        """The matrix D S D, where D has d on its diagonal: each number times d_i d_j.

        Parameters
        ----------
        d : array, shape (n,)
            One number for each row.

        Returns
        -------
        Packed or SparseHalf
            Of the same kind and labels, in NumPy's dtype of the product. A `vech.Packed` is of the same
            order, its diagonal stored and nothing scaled; a `vech.SparseHalf` has the same places, and a
            `vech.Quantized` in the domain "entries" the same codes. Other stores give the first.

        Raises
        ------
        ValueError
            If d is not one number for each row.
        TypeError
            For dates, and a complex d that changes the kind.

        See Also
        --------
        vech.Packed.congruence : B S B^H, of a matrix too.
        vech.linalg.to_correlation, vech.linalg.to_covariance : which scale by standard deviations.

        Notes
        -----
        Reads each number once, and takes the memory of the result.

        Examples
        --------
        >>> S = vech.Packed(np.array([1.0, 0.5, 0.2, 1.0, 0.1, 1.0]))
        >>> S.scale([1, 2, 10]).expand()
        array([[  1.,   1.,   2.],
               [  1.,   4.,   2.],
               [  2.,   2., 100.]])
        """
        from vech.derived.scaling import scaled

        return scaled(self, d)

    def with_labels(self, labels: NewLabels) -> Any:
        """The same matrix under other labels, of the same arrays.

        Parameters
        ----------
        labels : sequence of n, mapping, function or None
            The labels of the rows; or what they become: a mapping leaves those that it does not name, and a
            function is called with each. None leaves them out. A series of pandas goes by position, as any
            sequence; one that has these labels in another order as its index is refused.

        Returns
        -------
        Packed or SparseHalf
            Shares its numbers with this one, as does that of a `vech.Quantized`. Other stores give a
            `vech.Packed`.

        Raises
        ------
        KeyError
            For a mapping of what is no label.
        TypeError, ValueError
            For what are no n labels; for a mapping or function where there are none to change; for a series
            in another order.

        Examples
        --------
        >>> import numpy as np
        >>> S = vech.Packed(np.array([1.0, 0.5, 1.0]), labels=[("fam1", "ann"), ("fam1", "bob")])
        >>> S.with_labels("_".join).labels
        ('fam1_ann', 'fam1_bob')
        >>> S.with_labels({("fam1", "ann"): "ann"}).labels
        ('ann', ('fam1', 'bob'))
        """
        return self._relabelled(renamed(labels, self.labels, self.n))

    def describe(self) -> Description:
        """What the store holds and how, in words that files and ``repr`` use.

        Returns
        -------
        Description
            n, dtype, kind and labels; a layout where the store is one half, a triangle and nnz where it holds
            nonzeros alone, so that answers come cheapest from `to_coo`; an encoding and its domain where it
            holds codes; the side of its tiles where these are files. Takes no time.

        Examples
        --------
        >>> vech.Packed(np.array([1, 2, 3])).describe().layout.name
        'vech'
        """
        return Description(self.n, self.dtype, self.kind, self.labels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

    def _repr_html_(self) -> str:
        """A picture of at most 16 x 16 cells, and the facts, for notebooks; of a large matrix a sample."""
        from vech.derived.portrait import html

        return html(self)

    def __str__(self) -> str:
        from vech.derived.prints import table

        return table(self)

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[Array]:
        from vech.derived.pairs import panels

        for _, rows in panels(self):
            yield from rows

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return (self.n, self.n)

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    def matvec(self, x: ArrayLike) -> Array:
        """``S @ x``, as SciPy's linear operators call it; as for `vech.Packed.matmul`.

        Examples
        --------
        >>> import numpy as np
        >>> import vech
        >>> vech.Packed(np.array([1, 2, 4])).matvec([1, 0])
        array([1, 2])
        """
        return self.matmul(x)

    def rmatvec(self, x: ArrayLike) -> Array:
        """``S.H @ x``, as SciPy's linear operators call it; as for `vech.Packed.matmul`.

        Examples
        --------
        >>> import numpy as np
        >>> import vech
        >>> vech.Packed(np.array([1, 2, 4])).rmatvec([1, 0])
        array([1, 2])
        """
        return self.H.matmul(x)

    def _pairs(self, diagonal: bool, filler: Any) -> Iterator[Array]:
        """The numbers of pairs, some at a time, in the dtype of `filler`, which may stand between them.

        If fewer numbers are given than there are pairs, the others are zero.
        """
        from vech.derived.pairs import each

        return (part.astype(filler.dtype, copy=False) for part in each(self, diagonal))

    def _of_pairs(
        self, function: Callable[[Array], Done], diagonal: bool, filler: Any
    ) -> Iterable[tuple[int, Done]]:
        """How many numbers such parts have, and what a function gives of each of them."""
        return ((part.size, function(part)) for part in self._pairs(diagonal, filler))

    def _glance(self, rows: Array) -> Array | str:
        """The numbers where some rows and the same columns meet, for a picture; or why these take long."""
        return self.block(rows, rows)

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        """Those of a side that fits, or as the store reads them best."""
        from vech.derived.tiles import tiles

        return tiles(self, side)

    _executor: Any = None  # of a store whose tiles are read by workers, who these are

    def _by_strips(self, function: Callable[[Iterable[Tile]], Done]) -> Iterator[Done]:
        """What a function gives of some tiles beside each other, row of tiles after row of tiles.

        It is sent to the workers of a store that has some, so that it must pickle; they read the tiles.
        """
        from vech.derived.tiles import strips

        return map(function, strips(self.tiles()))

    def _sparse(self, format: str, part: str, threshold: float | None, threads: int | None) -> Any:
        """The nonzeros as an array of SciPy, by tiles."""
        from vech.moves.nonzeros import of_store

        return of_store(self, format, part, threshold, threads)

    def _scaled(self, d: Array) -> Any:
        """D S D of a d that fits."""
        return self.to_packed(self.describe().layout or "vech")._scaled(d)

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Any:
        """The same matrix under these labels."""
        return self.to_packed(self.describe().layout or "vech")._relabelled(labels)

    def _summary(self, name: str, diagonal: bool, others: dict[str, Any]) -> Any:
        from vech.derived.summaries import SUMMARIES

        if others:
            raise TypeError(
                f"S.{name}() takes no {next(iter(others))}=: it is of each pair once, without the diagonal; "
                f"S.{name}(diagonal=True) is of both, np.{name}(S.expand()) of all n x n numbers"
            )
        return SUMMARIES[name](self, name, diagonal)

    matmat = matvec
    rmatmat = rmatvec

    def __matmul__(self, x: ArrayLike) -> Array:
        return self.matmul(x)

    def __rmatmul__(self, x: ArrayLike) -> Array:
        x = x if isinstance(x, np.ndarray) else as_read(x)  # matmul judges masked arrays and matrices
        if x.ndim > 0 and x.shape[-1] != self.n:
            raise ValueError(
                f"x has shape {x.shape}, but x @ S needs {self.n} columns: ({self.n},) or (..., m, {self.n})"
            )
        if x.ndim < 2:
            return self.T.matmul(x)
        return self.T.matmul(x.swapaxes(-1, -2)).swapaxes(-1, -2)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError(
                f"a {type(self).__name__} holds each number once: an array of all of them is a copy"
            )
        full = self.expand()
        return full if dtype is None else full.astype(dtype, copy=False)

    if not TYPE_CHECKING:  # type checkers would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            from vech.elsewhere import METHODS

            said = f"'{type(self).__name__}' object has no attribute '{name}'"
            if name in METHODS:
                packed = "S.to_packed()" if self.describe().triangle else "S"  # where no sparse one is taken
                said += f": {METHODS[name].format(packed=packed)} is the same here"
            raise AttributeError(said, name=name, obj=self)

    __pandas_priority__ = 5000  # above a data frame's, so that frame + S asks S, not each of its rows

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.matmul and method == "__call__" and not options:
            left, right = inputs
            return left @ right if isinstance(left, Store) else right.__rmatmul__(left)
        if ufunc is np.matmul and options:
            raise TypeError(
                f"np.matmul takes no {', '.join(options)}= with a {type(self).__name__}: "
                f"S.matmul(x, out=...) does, and S @ x and x @ S multiply"
            )
        if not self._computes and ufunc in BINARY | UNARY and method == "__call__" and not options:
            return self._refuse(ufunc, *inputs)
        way = "map a function over its numbers with map(), or " if hasattr(self, "map") else ""
        raise TypeError(
            f"np.{ufunc.__name__} does not work on a {type(self).__name__}, which holds each number once: "
            f"{way}take the full matrix from expand()"
        )


def as_labels(labels: Iterable[Any] | None, n: int) -> tuple[Any, ...] | None:
    """One label for each row, checked."""
    if labels is None:
        return None
    if not isinstance(labels, Iterable):
        raise TypeError(f"labels must be a sequence, one label for each row, not {labels!r}")
    check_ordered(labels, "labels", "label")
    check_readable(labels, "labels")
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "mM":  # whose list may be one of integers
        labels = labels.tolist()
    found = tuple(labels)
    if len(found) != n:
        raise ValueError(f"there are {len(found)} labels for {n} rows")
    return found


def check_ordered(x: Any, what: str, each: str) -> None:
    """TypeError for sets, which come in an order of their own, and mappings, which say two things."""
    way = f"pass a list, one {each} for each row"
    if isinstance(x, set | frozenset):
        raise TypeError(f"{what} is a {type(x).__name__}, which has no order: {way}")
    if isinstance(x, Mapping):
        raise TypeError(f"{what} is a {type(x).__name__}: {way}, of its keys or values")


def check_readable(x: Any, what: str) -> None:
    """Refuse what cannot be read as a sequence: a mask would be lost, and a file behind it may be shorter."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array, whose mask would be lost; fill it first: x.filled(value)")
    check_series(x)


def way_to_store(x: Any) -> str | None:
    """How to take the store out of a result of several parts, where there is one in it."""
    names = getattr(x, "_fields", None)
    for at, part in enumerate(x if isinstance(x, tuple) else ()):
        if isinstance(part, Store):
            return f"pass its .{names[at]}" if names else f"pass its [{at}]"
    return None


def renamed(labels: NewLabels, old: tuple[Any, ...] | None, n: int) -> tuple[Any, ...] | None:
    """The labels that a store gets for its old ones."""
    if not callable(labels) and not isinstance(labels, Mapping):
        _check_order(labels, old)
        return as_labels(labels, n)
    if old is None:
        raise ValueError(
            f"a {'function' if callable(labels) else 'mapping'} changes labels, and this store has none: "
            f"with_labels takes a sequence of {n}"
        )
    if callable(labels):
        return tuple(map(labels, old))
    if unknown := [name for name in labels if name not in old]:
        raise KeyError(f"no label is {unknown[0]!r}, so it cannot become {labels[unknown[0]]!r}")
    return tuple(labels.get(label, label) for label in old)


def _check_order(labels: Any, old: tuple[Any, ...] | None) -> None:
    """Refuse a series whose index has the old labels in another order: by position it mixes up the rows."""
    index = getattr(labels, "index", None)
    if old is None or index is None or callable(index):  # a method of lists and tuples
        return
    at = first_difference(old, tuple(index))
    with contextlib.suppress(TypeError):  # labels without a hash
        if at is not None and len(index) == len(old) and set(index) == set(old):
            raise ValueError(
                f"row {at} of S is {old[at]!r}, and of labels {index[at]!r}: labels.loc[list(S.labels)] has "
                f"the order of S, and list(labels) goes by position"
            )


def common_labels(labels: tuple[Any, ...] | None, others: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The labels of two matrices whose rows meet."""
    if labels is None or others is None:
        return others if labels is None else labels
    if len(labels) != len(others):
        raise ValueError(f"{len(labels)} labels and {len(others)} do not fit each other")
    at = first_difference(labels, others)
    if at is not None:
        raise ValueError(
            f"the labels of row {at} differ, {labels[at]!r} and {others[at]!r}: permute one of the matrices"
        )
    return labels


def first_difference(labels: tuple[Any, ...], others: tuple[Any, ...]) -> int | None:
    """The first place at which labels differ, None where there is none."""
    with contextlib.suppress(ValueError):  # labels that are arrays
        if labels == others:
            return None
    for at, (a, b) in enumerate(zip(labels, others, strict=False)):
        if a is not b and not _are_same(a, b):
            return at
    return None if len(labels) == len(others) else min(len(labels), len(others))


def _are_same(a: Any, b: Any) -> bool:
    """Whether two labels are equal, also as arrays, or both NaN."""
    if isinstance(a, float) and isinstance(b, float) and np.isnan(a):
        return bool(np.isnan(b))
    return np.shape(a) == np.shape(b) and bool(np.all(np.equal(a, b, dtype=object)))
