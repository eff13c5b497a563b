"""Packed: the plain store, one half and its layout."""

from collections.abc import Callable, Iterable
from numbers import Number
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import explicit, scan
from vech.arrays import Array, as_array, check_out, family, mirror_values, resolve_kind
from vech.dialects import AnyLayout, as_layout
from vech.moves import convert, expand, expand_rows
from vech.orders import Explicit, TensorOrder
from vech.store import Store
from vech.values import narrow, widen

PANEL_BYTES = 2**22  # rows of the full matrix that a product expands at a time
GATHER = 2**18  # numbers looked up at a time


class Packed(Store):
    """A symmetric, Hermitian or skew matrix, held as one half.

    Parameters
    ----------
    half : array, shape (length,)
        The half; held as it is, without a copy.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    labels : sequence, optional
        One label for each row.

    Raises
    ------
    ValueError
        If the length fits no n, there is not one label per row, or an argument is none of its choices.
    TypeError
        For arrays and dtypes vech refuses, a scaled layout of integers, and skew numbers without a sign.

    Notes
    -----
    Numbers read from a store are true values: scales are undone, the mirror rule applied, a
    diagonal that is not stored is there. Indexing is NumPy's, except that results are always copies: ``S[i,
    j]``, ``S[i]`` (a row), ``S[2:5, mask]``, and arrays that pair up, ``S[rows, columns]``. `block` takes all
    rows against all columns. Products use the real part of a Hermitian diagonal, the imaginary part of a
    skew-Hermitian one, and zero for a skew one.

    Examples
    --------
    >>> import numpy as np
    >>> S = Packed(np.array([1.0, 2.0, 4.0, 3.0, 5.0, 6.0]))
    >>> S
    Packed(n=3, dtype=float64, kind='symmetric', layout='vech')
    >>> S[0, 2], S[1]
    (np.float64(4.0), array([2., 3., 5.]))
    >>> S @ np.ones(3)
    array([ 7., 10., 15.])
    """

    def __init__(
        self,
        half: ArrayLike,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        labels: Iterable[Any] | None = None,
    ) -> None:
        self._half = as_array(half, "half")
        if self._half.ndim != 1:
            raise ValueError(f"half has shape {self._half.shape}: a store holds one matrix, so one vector")
        self._layout = as_layout(layout)
        self._kind = resolve_kind(kind, self._half.dtype, moves=False)
        self._n = self._layout.side(self._half.size)
        explicit.check_kind(self._layout, self._kind, self._half.dtype)
        if self._layout.scaled and family(self._half.dtype) not in "fc":
            raise TypeError(
                f"layout {self._layout.name} scales what it stores, and {self.dtype} is exact: "
                f"astype(float) first"
            )
        self._labels = as_labels(labels, self._n)
        self._direct = self._kind == "symmetric" and self._layout == self._layout.plain

    @property
    def half(self) -> Array:
        """The half itself, shape (length,): what was given, not a copy."""
        return self._half

    @property
    def layout(self) -> AnyLayout:
        """Which number of the half is where."""
        return self._layout

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers."""
        return self._half.dtype

    @property
    def kind(self) -> str:
        """What the other triangle is: "symmetric", "hermitian", "skew" or "skew-hermitian"."""
        return self._kind

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    @property
    def nbytes(self) -> int:
        """Bytes of the half."""
        return self._half.nbytes

    @property
    def T(self) -> Self:
        """The transposed matrix: this store if symmetric, else the same half in the transposed layout.

        An explicit order has no transposed one: its numbers are copied into a `Layout` first.
        """
        if self._kind == "symmetric":
            return self
        if isinstance(self._layout, Explicit):
            return self._plain().T
        return self._like(self._half, self._layout.transposed)

    @property
    def H(self) -> Self:
        """The conjugate transpose: this store if Hermitian, else `T`, of a conjugated copy where complex."""
        if self._kind == "hermitian":
            return self
        turned = self.T
        return turned if family(self.dtype) != "c" else turned._like(turned._half.conj())

    def __repr__(self) -> str:
        name = self._layout.name
        layout = name if "(" in name else repr(name)
        return f"Packed(n={self.n}, dtype={self.dtype}, kind={self.kind!r}, layout={layout})"

    def copy(self) -> Self:
        """The same matrix with a half of its own."""
        return self._like(self._half.copy())

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), true values in a new array."""
        i = np.arange(self._n)
        return np.asarray(self._take(i, i))

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, or some consecutive rows of it.

        Parameters
        ----------
        rows : slice or range of step 1, optional
            The rows wanted; all of them by default.
        out : array, shape (k, n), optional
            Memory for the result, of exactly its dtype. An interrupted call leaves it half written.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        array, shape (k, n)
            k is n without `rows`. Allocates nothing else, so any matrix can be worked on in panels of rows.

        Raises
        ------
        ValueError, TypeError, IndexError
            For `rows` of another step, of another type, or a range outside the matrix; see also
            `vech.expand`.
        MemoryError
            If the result is larger than memory and swap together, before anything is allocated.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).expand(slice(1, 3))
        array([[2, 3, 5],
               [4, 5, 6]])
        """
        if rows is None:
            return expand(self._half, self._layout, kind=self._kind, out=out, threads=threads)
        start, stop = consecutive(rows, self._n)
        return expand_rows(self._half, self._layout, self._kind, start, stop, out, threads)

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with a vector, a matrix or a batch of matrices.

        Parameters
        ----------
        x : array, shape (n,), (n, m) or (..., n, m)
            What to multiply.
        out : array of the shape and dtype of the result, optional
            Memory for the result; it must not overlap x or the half.
        threads : int, optional
            At most so many threads for vech's part; BLAS has its own.

        Returns
        -------
        array, shape (n,), (n, m) or (..., n, m)
            In the dtype of NumPy's ``full @ x``.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes do not fit.

        Notes
        -----
        Expands panels of at most 4 MiB, each multiplied by NumPy: the full matrix never exists.
        Uses the real part of a Hermitian diagonal, the imaginary part of a skew-Hermitian one, and zero for a
        skew one.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 3])).matmul(np.array([[1, 0], [0, 1]]))
        array([[1, 2],
               [2, 3]])
        """
        x = as_array(x, "x")
        n = self._n
        core = x.shape[-2] if x.ndim > 1 else x.size
        if x.ndim == 0 or core != n:
            raise ValueError(
                f"x has shape {x.shape}, but the product needs {n} rows: ({n},) or (..., {n}, m)"
            )
        dtype = np.matmul(np.zeros((1, 1), self.dtype), np.zeros((1, 1), x.dtype)).dtype
        if out is None:
            out = np.empty(x.shape, dtype)
        else:
            check_out(out, x.shape, dtype, x, self._half)
        plain = self._plain() if self._layout.scaled or isinstance(self._layout, Explicit) else self
        if not plain.dtype.isnative:
            plain = plain._like(plain._half.astype(plain.dtype.newbyteorder("=")))
        half = np.ascontiguousarray(plain._half)
        height = min(n, max(1, PANEL_BYTES // max(1, n * self.dtype.itemsize)))
        panel = np.empty((height, n), plain.dtype)
        for start in range(0, n, max(1, height)):
            stop = min(start + height, n)
            rows = panel[: stop - start]
            expand_rows(half, plain._layout, plain._kind, start, stop, rows, threads)
            _settle_diagonal(rows, start, self._kind)
            target = out[start:stop] if x.ndim == 1 else out[..., start:stop, :]
            np.matmul(rows, x, out=target)
        return out

    def to_coo(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.coo_array``: see `vech.to_coo`."""
        return scan.to_coo(self._half, self._layout, kind=self._kind, part=part, threads=threads)

    def to_csr(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.csr_array``: see `vech.to_csr`."""
        return scan.to_csr(self._half, self._layout, kind=self._kind, part=part, threads=threads)

    def to_csc(self, *, part: str = "full", threads: int | None = None) -> Any:
        """The nonzeros as a ``scipy.sparse.csc_array``: see `vech.to_csc`."""
        return scan.to_csc(self._half, self._layout, kind=self._kind, part=part, threads=threads)

    def __getitem__(self, key: Any) -> Any:
        if type(key) is tuple and len(key) == 2 and type(key[0]) is type(key[1]) is int and self._direct:
            i, j = key
            if 0 <= i < self._n and 0 <= j < self._n:
                return self._half[self._layout.slot(min(i, j), max(i, j), self._n)]
        rows, columns = _axes(key, self._n)
        if isinstance(rows, slice) and isinstance(columns, slice):
            start, stop, step = rows.indices(self._n)
            if step == 1 and columns == slice(None):
                return self.expand(slice(start, stop))
        i, j = _numbers(rows, self._n, 0), _numbers(columns, self._n, 1)
        if isinstance(rows, slice) or isinstance(columns, slice):
            return self._outer(i, j)
        try:
            return self._take(*np.broadcast_arrays(i, j))
        except ValueError:
            raise IndexError(
                f"rows of shape {i.shape} and columns of shape {j.shape} do not pair up: "
                f"block(rows, columns) takes every row with every column"
            ) from None

    def block(self, rows: Any, columns: Any) -> Array:
        """Every one of some rows with every one of some columns, NumPy's ``full[np.ix_(rows, columns)]``.

        Parameters
        ----------
        rows, columns : slice, integers or mask
            What to take of either axis, with repeats and negatives as in NumPy; a single integer is one row.

        Returns
        -------
        array, shape (number of rows, number of columns)
            True values; only these are allocated.

        Raises
        ------
        IndexError
            For indices out of range or not integers.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).block([2, 0], slice(1, None))
        array([[5, 6],
               [2, 4]])
        """
        return self._outer(_vector(rows, self._n, 0), _vector(columns, self._n, 1))

    def submatrix(self, index: Any) -> "Packed":
        """The matrix of some rows and the same columns, in that order, as a store of its own.

        Parameters
        ----------
        index : slice, integers or mask
            What to take; labels follow.

        Returns
        -------
        Packed
            In the same layout and kind, with the bits of the stored numbers (a repeated index may compute);
            of an order of 3 x 3 tensors, in the `Layout` by rows of its triangle.

        Raises
        ------
        IndexError, ValueError
            For indices out of range or not integers; for none of them in a layout without its diagonal.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6]), labels="abc").submatrix([2, 0]).half
        array([6, 4, 1])
        """
        chosen = _vector(index, self._n, 0)
        labels = None if self._labels is None else [self._labels[i] for i in chosen]
        alters = self._layout.scaled or self._layout.implied is not None
        repeats = alters and np.unique(chosen).size < chosen.size
        other_side = isinstance(self._layout, TensorOrder) and chosen.size != self._n
        if repeats or other_side:
            plain = self._plain().submatrix(chosen)
            if other_side:
                return plain
            half = convert(plain._half, plain._layout, self._layout, kind=self._kind)
            return Packed(half, self._layout, kind=self._kind, labels=labels)
        length = self._layout.length(chosen.size)
        half = np.empty(length, self.dtype)
        for start in range(0, length, GATHER):
            k = np.arange(start, min(start + GATHER, length))
            i, j = self._layout.pair(k, chosen.size)
            half[k] = self._cross(self._stored(chosen[i], chosen[j]), i, j, chosen.size)
        return Packed(half, self._layout, kind=self._kind, labels=labels)

    def permute(self, order: Any) -> "Packed":
        """The matrix with its rows and columns in another order, NumPy's ``full[np.ix_(order, order)]``.

        Parameters
        ----------
        order : integers, shape (n,)
            Each of 0 ... n - 1 once; labels follow.

        Raises
        ------
        ValueError
            If `order` is no permutation.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).permute([2, 1, 0]).half
        array([6, 5, 4, 3, 2, 1])
        """
        order = _vector(order, self._n, 0)
        if not np.array_equal(np.sort(order), np.arange(self._n)):
            raise ValueError(f"order must hold each of 0 to {self._n - 1} once: submatrix takes any index")
        return self.submatrix(order)

    def map(self, function: Callable[[Array], ArrayLike]) -> "Packed":
        """A function of each number, computed once for each pair.

        Parameters
        ----------
        function : callable
            Takes a vector of true values and gives one as long, number by number, as ``numpy.exp`` does.

        Returns
        -------
        Packed
            Of the same order, its diagonal stored and nothing scaled.

        Raises
        ------
        TypeError
            If the store is not symmetric: the mirror rule of the other kinds holds for few functions.
        ValueError
            If the result has another length.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([3]), "condensed").map(np.square).half
        array([0, 9, 0])
        """
        if self._kind != "symmetric":
            raise TypeError(
                f"map works on symmetric stores, not on a {self._kind} one: map over expand() instead"
            )
        plain = self._plain()
        return Packed(np.asarray(function(plain._half)), plain._layout, kind="symmetric", labels=self._labels)

    def __mul__(self, factor: Any) -> "Packed":
        if not isinstance(factor, Number | np.generic):
            return NotImplemented
        if isinstance(factor, complex | np.complexfloating) and self._kind.endswith("hermitian"):
            raise TypeError(
                f"a {self._kind} matrix times a complex number is not {self._kind}: multiply expand()"
            )
        store = self if self._layout.implied is None else self._plain()
        return Packed(store._half * factor, store._layout, kind=self._kind, labels=self._labels)

    __rmul__ = __mul__

    def _like(self, half: Array, layout: AnyLayout | None = None) -> Self:
        return type(self)(half, layout or self._layout, kind=self._kind, labels=self._labels)

    def _plain(self) -> Self:
        """The same matrix with its diagonal stored and nothing scaled; itself where it is that."""
        plain = self._layout.plain
        if self._layout == plain:
            return self
        return self._like(convert(self._half, self._layout, plain, kind=self._kind), plain)

    def _take(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Any:
        """True values at pairs of rows and columns, in their shape."""
        on = i == j
        if self._layout.implied is not None and on.any():
            values = np.full(i.shape, self._layout.implied).astype(self.dtype)
            values[~on] = self._take(i[~on], j[~on])
            return values[()]
        values = self._stored(i, j)
        if self._layout.scaled:
            scales = np.where(on, self._layout.diagonal_scale, self._layout.offdiagonal_scale)
            values = _unscaled(values, scales)
        return values[()]

    def _stored(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        """Stored numbers at pairs that are stored, as they stand in their own triangle or in the other."""
        values = np.asarray(self._half[self._layout.slot(np.minimum(i, j), np.maximum(i, j), self._n)])
        if self._kind != "symmetric":
            other = i < j if self._layout.triangle == "lower" else i > j
            self._cross(values, i, j, self._n)
            values[other] = mirror_values(values[other], self._kind)
        return values

    def _cross(self, values: Array, i: NDArray[np.int64], j: NDArray[np.int64], n: int) -> Array:
        """Conjugate, in place, what crosses the diagonal between an explicit order of n x n and its triangle."""
        if isinstance(self._layout, Explicit) and family(self.dtype) == "c":
            crossed = self._layout.crossed(np.minimum(i, j), np.maximum(i, j), n)
            values[crossed] = np.conjugate(values[crossed])
        return values

    def _outer(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        """True values of all i against all j, of shape i.shape + j.shape."""
        values = np.empty((i.size, j.size), self.dtype)
        rows, columns = i.reshape(-1, 1), j.reshape(1, -1)
        step = max(1, GATHER // max(1, j.size))
        for start in range(0, i.size, step):
            values[start : start + step] = self._take(
                *np.broadcast_arrays(rows[start : start + step], columns)
            )
        return values.reshape(i.shape + j.shape)


def _unscaled(values: Array, scales: NDArray[np.float64]) -> Array:
    wide = widen(values)
    if wide.ndim > values.ndim:
        scales = scales[..., None]
    with np.errstate(over="ignore"):
        true = narrow(wide / scales, values.dtype)
    if (np.isfinite(wide) & ~np.isfinite(widen(true))).any():
        raise OverflowError(f"a finite number becomes infinite in {values.dtype} when its scale is undone")
    return true


def _settle_diagonal(rows: Array, start: int, kind: str) -> None:
    """Make the diagonal within rows of the full matrix what its kind says, before computing with it."""
    count, n = rows.shape
    diagonal = rows.reshape(-1)[start :: n + 1][:count]
    if kind == "hermitian":
        diagonal.imag = 0
    elif kind == "skew-hermitian":
        diagonal.real = 0
    elif kind == "skew":
        diagonal[...] = np.zeros(1, rows.dtype)


def as_labels(labels: Iterable[Any] | None, n: int) -> tuple[Any, ...] | None:
    if labels is None:
        return None
    if not isinstance(labels, Iterable):
        raise TypeError(f"labels must be a sequence, one label for each row, not {labels!r}")
    found = tuple(labels.tolist() if isinstance(labels, np.ndarray) else labels)
    if len(found) != n:
        raise ValueError(f"there are {len(found)} labels for {n} rows")
    return found


def consecutive(rows: slice | range, n: int) -> tuple[int, int]:
    if not isinstance(rows, slice | range):
        raise TypeError(f"rows must be a slice or a range, not {type(rows).__name__}: block takes any rows")
    if rows.step not in (None, 1):
        raise ValueError(f"rows must be consecutive, and {rows} has step {rows.step}: block takes any rows")
    if isinstance(rows, slice):
        start, stop, _ = rows.indices(n)
        return start, max(start, stop)
    if len(rows) and not 0 <= rows.start < rows.stop <= n:
        raise IndexError(f"rows {rows} are out of range: there are {n}")
    return (rows.start, rows.stop) if len(rows) else (0, 0)


def _axes(key: Any, n: int) -> tuple[Any, Any]:
    """What a key takes of rows and of columns."""
    if isinstance(key, np.ndarray) and key.dtype == np.bool and key.ndim == 2:
        if key.shape != (n, n):
            raise IndexError(f"a mask has shape {key.shape}, but the matrix ({n}, {n})")
        i, j = np.nonzero(key)
        return i, j
    parts = key if isinstance(key, tuple) else (key,)
    named = [part for part in parts if part is not Ellipsis]
    if any(part is None for part in named):
        raise IndexError("None adds an axis, and a store has just two: index expand() instead")
    if len(parts) > len(named) + 1:
        raise IndexError("an index has one ... at most")
    if len(named) > 2:
        raise IndexError(f"a matrix has 2 axes, but {len(named)} were indexed")
    rest = [slice(None)] * (2 - len(named))
    rows, columns = [*rest, *named] if parts and parts[0] is Ellipsis else [*named, *rest]
    return rows, columns


def _numbers(index: Any, n: int, axis: int) -> NDArray[np.int64]:
    """What an index takes of one axis of length n, in the index's own shape."""
    if isinstance(index, slice):
        return np.arange(*index.indices(n))
    array = np.asarray(index)
    if array.size == 0 and not isinstance(index, np.ndarray):
        array = array.astype(np.int64)
    if array.dtype == np.bool and array.ndim > 0:
        if array.shape != (n,):
            raise IndexError(f"a mask has shape {array.shape}, but axis {axis} has {n} numbers")
        return np.flatnonzero(array)
    if array.dtype.kind not in "iu":
        raise IndexError(f"an index is made of integers, slices and masks, not {array.dtype}")
    outside = (array < -n) | (array >= n)
    if np.any(outside):
        raise IndexError(f"index {array[outside].flat[0]} is out of bounds for axis {axis} with size {n}")
    array = array.astype(np.int64)
    return np.asarray(np.where(array < 0, array + n, array))


def _vector(index: Any, n: int, axis: int) -> NDArray[np.int64]:
    numbers = np.atleast_1d(_numbers(index, n, axis))
    if numbers.ndim > 1:
        raise IndexError(f"an index of shape {numbers.shape} is not a vector")
    return numbers
