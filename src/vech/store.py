"""What every store promises: one symmetric, Hermitian or skew matrix, held once, used as if full."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]


class Description(NamedTuple):
    """What a store says of itself, for files and for people; what it is not held by is None."""

    n: int
    dtype: np.dtype[Any]
    kind: str
    labels: tuple[Any, ...] | None = None
    layout: Any = None  # of one half: which number is where
    triangle: str | None = None  # of sparse content: which one the arrays hold
    nnz: int | None = None  # of sparse content: the numbers stored

    def __str__(self) -> str:
        said = [f"n={self.n}", f"dtype={self.dtype}", f"kind={self.kind!r}"]
        if self.layout is not None:
            name = self.layout.name
            said.append(f"layout={name if '(' in name else repr(name)}")
        if self.triangle is not None:
            said += [f"triangle={self.triangle!r}", f"nnz={self.nnz}"]
        return ", ".join(said)


class Store(ABC):
    """One square matrix whose two triangles say the same, held once.

    A store keeps the promise below; the work is in `expand` and `matmul`, and everything that is not abstract
    follows from them. Stores hold no copy of what they are given and remember nothing that depends on the
    numbers, so whoever changes the arrays behind a store changes the matrix. They are linear operators to
    SciPy (``aslinearoperator``, ``eigsh``, ``cg``), and ``numpy.asarray`` expands them.
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

    @abstractmethod
    def to_coo(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.coo_array``; part is "full", "lower" or "upper"."""

    @abstractmethod
    def to_csr(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.csr_array``; part is "full", "lower" or "upper"."""

    @abstractmethod
    def to_csc(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.csc_array``; part is "full", "lower" or "upper"."""

    @abstractmethod
    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Every one of some rows with every one of some columns, ``expand()[np.ix_(rows, cols)]`` without the n x n.

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
            The numbers that `expand` has there; `out` itself where it is given. Stored data alone is read, and
            nothing of n x n numbers made: memory goes with the result.

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

    @abstractmethod
    def to_packed(self, layout: Any = "vech", *, threads: int | None = None) -> Any:
        """The same matrix as a `vech.Packed` in this layout, labels included: ``to_packed(L).expand()`` is ``expand()``.

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

    def describe(self) -> Description:
        """What the store holds and how, in words that files and ``repr`` use.

        Returns
        -------
        Description
            n, dtype, kind and labels; a layout where the store is one half, a triangle and nnz where it holds
            nonzeros alone, so that answers come cheapest from `to_coo`. Takes no time.

        Examples
        --------
        >>> vech.Packed(np.array([1, 2, 3])).describe().layout.name
        'vech'
        """
        return Description(self.n, self.dtype, self.kind, self.labels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe()})"

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

    matmat = matvec
    rmatmat = rmatvec

    def __matmul__(self, x: ArrayLike) -> Array:
        return self.matmul(x)

    def __rmatmul__(self, x: ArrayLike) -> Array:
        x = x if isinstance(x, np.ndarray) else np.asarray(x)  # matmul judges masked arrays and matrices
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

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.matmul and method == "__call__" and not options:
            left, right = inputs
            return left @ right if isinstance(left, Store) else right.__rmatmul__(left)
        if ufunc is np.matmul and options:
            raise TypeError(
                f"np.matmul takes no {', '.join(options)}= with a {type(self).__name__}: "
                f"S.matmul(x, out=...) does, and S @ x and x @ S multiply"
            )
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
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "mM":  # whose list may be one of integers
        labels = labels.tolist()
    found = tuple(labels)
    if len(found) != n:
        raise ValueError(f"there are {len(found)} labels for {n} rows")
    return found


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
