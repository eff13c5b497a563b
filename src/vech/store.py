"""What every store promises: one symmetric, Hermitian or skew matrix, held once, used as if full."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]


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

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return (self.n, self.n)

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    def matvec(self, x: ArrayLike) -> Array:
        """``S @ x``, as SciPy's linear operators call it."""
        return self.matmul(x)

    def rmatvec(self, x: ArrayLike) -> Array:
        """``S.H @ x``."""
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
            said = f"'{type(self).__name__}' object has no attribute '{name}'"
            hint = f": {_HABITS[name]} is the same here" if name in _HABITS else ""
            raise AttributeError(said + hint, name=name, obj=self)

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


# what other libraries call it: how a store S is asked for it
_HABITS = {
    **dict.fromkeys(("toarray", "todense", "to_dense", "to_numpy", "A"), "S.expand()"),
    **{f"to{name}": f"S.to_{name}()" for name in ("csr", "csc", "coo")},
    "dot": "S @ x",
    "transpose": "S.T",
    "getH": "S.H",
    "inv": "vech.linalg.inverse(S)",
    "solve": "vech.linalg.solve(S, b)",
    "det": "vech.linalg.slogdet(S)",
    "norm": "vech.linalg.norm(S)",
    "cholesky": "vech.linalg.cholesky(S)",
    **dict.fromkeys(("eigh", "eigvalsh"), "vech.linalg.eigh(S)"),
}


def as_labels(labels: Iterable[Any] | None, n: int) -> tuple[Any, ...] | None:
    """One label for each row, checked."""
    if labels is None:
        return None
    if not isinstance(labels, Iterable):
        raise TypeError(f"labels must be a sequence, one label for each row, not {labels!r}")
    found = tuple(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    if len(found) != n:
        raise ValueError(f"there are {len(found)} labels for {n} rows")
    return found


def common_labels(labels: tuple[Any, ...] | None, others: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """The labels of two matrices whose rows meet."""
    if labels is None or others is None:
        return others if labels is None else labels
    with contextlib.suppress(ValueError):  # labels that are arrays
        if labels == others:
            return labels
    for at, (a, b) in enumerate(zip(labels, others, strict=True)):
        if not _are_same(a, b):
            raise ValueError(f"the labels of row {at} differ, {a!r} and {b!r}: permute one of the matrices")
    return labels


def _are_same(a: Any, b: Any) -> bool:
    """Whether two labels are equal, also as arrays, or both NaN."""
    if isinstance(a, float) and isinstance(b, float) and np.isnan(a):
        return bool(np.isnan(b))
    return np.array_equal(a, b)
