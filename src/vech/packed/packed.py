"""Packed: the plain store, one half and its layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech import frames, tensors
from vech.arrays import (
    NATIVE,
    Array,
    as_array,
    check_memory,
    check_out,
    check_writeable,
    family,
    resolve_threads,
)
from vech.labels import by_position
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.orders import Explicit, TensorOrder
from vech.maps import check_mapped
from vech.moves import explicit, nonzeros
from vech.moves.converting import convert
from vech.moves.expanding import expand, expand_rows
from vech.moves.packing import pack
from vech.moves.runs import Half
from vech.operators import Operators, check_same_side
from vech.packed import products
from vech.packed.arithmetic import apply
from vech.packed.assign import assign, check_labels, fill
from vech.packed.casts import Casts
from vech.packed.entries import block, pairs_of, submatrix, take
from vech.packed.forms import OWN
from vech.packed.indexing import axes, consecutive, is_range, numbers, outer, pairs, taken, vector
from vech.packed.tiles import has_runs_of_tiles, tiles
from vech.refusals import check_bits
from vech.store import Description, Store, Tile, as_labels, common_labels

WIDE = 8  # from this share of the columns on, whole rows are made and cut: a number costs 4 ns there, else 50
PANEL = 2**20  # numbers of such rows at a time


class Packed(Operators, Casts):
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
        One label for each row. They may repeat, but one that does is not found by its name.

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
    rows against all columns. Text, dates and tuples are labels, ``S["a", "b"]``; numbers are positions, and
    `loc` takes labels alone. Products use the real part of a Hermitian diagonal, the imaginary part of a
    skew-Hermitian one, and zero for a skew one; so does arithmetic.

    Assignment to such keys, and to ``S[S < 0]``, changes both sides of the diagonal. Values that contradict
    each other or the kind are a ValueError, and change nothing; two sides may differ by rounding (n eps times
    the largest), and then one of them is kept. Complex numbers are not assigned to real ones (TypeError);
    other dtypes are cast as NumPy casts. It takes time for the entries assigned, and memory for them, at most
    one half. Assignment and operators in place change all they are to change, or on an error or Ctrl-C
    nothing (one number assigned to many entries is written to all of them before Ctrl-C is raised).

    ``+ - * / -S abs(S)``, comparisons (which give bool) and, of bool and integers, ``& | ^ ~`` work entry by
    entry with numbers and stores, in NumPy's dtype, in the order of the left store. A diagonal left out is
    stored where the result has another, and where a number is added; a comparison is not scaled.
    They read each half once and need one new half; a store in another layout, and
    one that is scaled (except to add it to its like, or to multiply it by a number), is converted before. In
    place (``S += T``) the half itself changes. A result without a kind, such as a Hermitian matrix plus 1j,
    is a TypeError. Labels that differ are a ValueError. A store has no truth value and no hash.

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
    >>> S[0, 2] = -1
    >>> (2 * S + 1).half
    array([ 3.,  5., -1.,  7., 11., 13.])
    >>> S[S < 3] = 0
    >>> S.expand()
    array([[0., 0., 0.],
           [0., 3., 5.],
           [0., 5., 6.]])
    """

    _told: products.Told | None = None  # of the half by a product's kernel, once it was asked
    _of_sparse = "Packed(from_sparse(x))"
    _truth = "S.half.all() and S.half.any() say so of a comparison's numbers"

    def __init__(
        self,
        half: ArrayLike,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        labels: Iterable[Any] | None = None,
    ) -> None:
        self._half = as_array(half, "half")
        self._map = half if isinstance(half, np.memmap) else None
        if self._half.ndim != 1:
            raise ValueError(
                f"half has shape {self._half.shape}: a store holds one matrix, so one vector; "
                f"Packed.from_full takes a square, and vech.expand and vech.convert take many halves"
            )
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
        plain = self._kind is Kind.SYMMETRIC and self._layout == self._layout.plain
        self._direct = plain and self._map is None

    @classmethod
    def from_full(
        cls,
        matrix: Any,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        use: str = "both",
        tolerance: float | None = None,
        labels: Iterable[Any] | None = None,
        threads: int | None = None,
    ) -> Self:
        """The store of a full matrix, with the labels it has.

        Parameters
        ----------
        matrix : array, shape (n, n); data frame or labelled array; or SciPy sparse array
            A square. Of a frame or an xarray both axes have the same labels, in one order.
        layout : str or layout
            Which numbers go where.
        kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}, optional
            What the other triangle is. Symmetric for real data; for complex data it must be said.
        use : {"both", "lower", "upper", "mean"}
            The triangle that is believed, as in `vech.pack`.
        tolerance : float, optional
            For use="both": the largest difference that passes, as in `vech.pack`.
        labels : sequence, optional
            One label for each row, in place of those of the matrix.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        Packed
            With a half of its own.

        Raises
        ------
        ValueError
            As `vech.pack`; and where labels of rows and columns differ, or one is there twice.
        TypeError, OverflowError
            As `vech.pack`, of sparse arrays as `vech.from_sparse`.

        Examples
        --------
        >>> import numpy as np
        >>> Packed.from_full(np.array([[1, 2, 4], [2, 3, 5], [4, 5, 6]]), "numpy-tril").half
        array([1, 2, 3, 4, 5, 6])
        """
        if frames.is_sparse(matrix):
            from vech.sparse.pack import from_sparse

            half = from_sparse(matrix, layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
        else:
            if len(shape := tensors.shape_of(matrix) or ()) > 2:
                raise ValueError(f"matrix has shape {shape}: a store holds one matrix, (n, n)")
            half = pack(matrix, layout, kind=kind, use=use, tolerance=tolerance, threads=threads)
            labels = frames.square_labels(matrix, "matrix") if labels is None else labels
        return cls(half, layout, kind=kind, labels=labels)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        layout: str | AnyLayout = "vech",
        *,
        kind: str | None = None,
        use: str = "both",
        tolerance: float | None = None,
        threads: int | None = None,
    ) -> Self:
        """The store of a square data frame, with its labels; the way back from `to_frame`.

        Parameters
        ----------
        frame : pandas, polars or pyarrow frame, or xarray.DataArray, shape (n, n)
            With the same labels on rows and columns, in one order; polars and pyarrow have those of columns.
        layout, kind, use, tolerance, threads
            As in `from_full`.

        Returns
        -------
        Packed

        Raises
        ------
        TypeError
            For what has no labels, which `from_full` takes, and for columns of no numbers, which are named.
        ValueError, OverflowError
            As `from_full`.

        Examples
        --------
        >>> import pandas
        >>> frame = pandas.DataFrame([[1.0, 0.5], [0.5, 2.0]], index=["A", "B"], columns=["A", "B"])
        >>> Packed.from_frame(frame).labels
        ('A', 'B')
        """
        if frames.labels_of(frame, -1) is None or frames.is_series(frame):
            raise TypeError(
                f"from_frame takes a frame with labels, not {type(frame).__name__}: from_full takes any "
                f"square matrix, with labels="
            )
        return cls.from_full(frame, layout, kind=kind, use=use, tolerance=tolerance, threads=threads)

    @property
    def half(self) -> Array:
        """The half itself, shape (length,): what was given, not a copy; a memory map stays one."""
        if self._map is None:
            return self._half
        check_mapped(self._map)
        return self._map

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
    def kind(self) -> Kind:
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
        if self._kind is Kind.SYMMETRIC:
            return self
        if isinstance(self._layout, Explicit):
            return self._plain().T
        return self._like(self.half, self._layout.transposed)

    @property
    def H(self) -> Self:
        """The conjugate transpose: this store if Hermitian, else `T`, of a conjugated copy where complex."""
        if self._kind is Kind.HERMITIAN:
            return self
        turned = self.T
        return turned if family(self.dtype) != "c" else turned._like(turned._held.numbers.conj())

    def __copy__(self) -> Self:
        return self._like(self.half)

    def __getstate__(self) -> dict[str, Any]:
        # a copy is no map of the file, and a product leaves no trace
        own = {name: value for name, value in self.__dict__.items() if name != "_told"}
        return own | {"_half": self._held.numbers, "dtype": self.dtype, "_map": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        dtype = state.pop("dtype")
        self.__dict__.update(state)
        self._half = self._half.astype(dtype, copy=False)  # NumPy's pickles come back in native order

    def describe(self) -> Description:
        """What the half holds, and its layout: see `vech.Store.describe`.

        Returns
        -------
        Description

        Examples
        --------
        >>> str(Packed(np.array([1, 2, 3])).describe())
        "n=2, dtype=int64, kind='symmetric', layout='vech'"
        """
        return super().describe()._replace(layout=self._layout)

    def copy(self) -> Self:
        """The same matrix with a half of its own.

        Returns
        -------
        Packed

        Examples
        --------
        >>> import numpy as np
        >>> S = Packed(np.array([1, 2, 4]))
        >>> twin = S.copy().set_diagonal(0)
        >>> S.half
        array([1, 2, 4])
        """
        return self._like(self._held.numbers.copy())

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), true values in a new array.

        Returns
        -------
        array, shape (n,)
            Of the dtype of the half.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).diagonal()
        array([1, 3, 6])
        """
        i = np.arange(self._n)
        return np.asarray(take(self._held, i, i))

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
            return expand(self._held.numbers, self._layout, kind=self._kind, out=out, threads=threads)
        start, stop = consecutive(rows, self._n)
        return expand_rows(self._held.numbers, self._layout, self._kind, start, stop, out, threads)

    def to_coo(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.coo_array``; all else as for `vech.to_csr`.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 0, 4, 0, 5, 6])).to_coo(part="lower").nnz
        4
        """
        return self._sparse("coo", part, threshold, threads)

    def to_csr(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.csr_array``; all else as for `vech.to_csr`.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 0, 4, 0, 5, 6])).to_csr(part="lower").nnz
        4
        """
        return self._sparse("csr", part, threshold, threads)

    def to_csc(
        self, *, part: str = "full", threshold: float | None = None, threads: int | None = None
    ) -> Any:
        """The nonzeros as a ``scipy.sparse.csc_array``; all else as for `vech.to_csr`.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 0, 4, 0, 5, 6])).to_csc(part="lower").nnz
        4
        """
        return self._sparse("csc", part, threshold, threads)

    def _sparse(self, format: str, part: str, threshold: float | None, threads: int | None) -> Any:
        bound = nonzeros.as_bound(threshold)
        found = nonzeros.half_csr(self._held.numbers, self._layout, self._kind, threads, bound)
        return found.to_scipy(format, part, threads)

    def to_frame(self) -> Any:
        """Expands the matrix into a ``pandas.DataFrame``, its labels on both axes; it needs pandas.

        Returns
        -------
        pandas.DataFrame, shape (n, n)

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1.0, 0.5, 2.0]), labels=["A", "B"]).to_frame()
             A    B
        A  1.0  0.5
        B  0.5  2.0
        """
        from vech.adapters.pandas import to_frame

        return to_frame(self)

    def __matmul__(self, x: ArrayLike) -> Array:
        if type(self) is Packed and type(x) is np.ndarray and x.ndim == 1 and x.size == self._n:
            told = self._told = self._told or products.told(self._held, self._map is not None)
            if told.direct and x.dtype == self._half.dtype and x.flags.c_contiguous:
                return products.vector(self._half, x, told)
        return self.matmul(x)

    def __getitem__(self, key: Any) -> Any:
        slot = self._quick_slot(key)
        if slot is None and not isinstance(key, Packed):
            key = by_position(key, self._labels)
            slot = self._quick_slot(key)
        if slot is not None:
            return self._half[slot]
        if isinstance(key, Packed):
            raise IndexError(
                "a mask that is a matrix has each number once, so it takes none: S[mask] = value assigns, "
                "and expand() has them twice"
            )
        rows, columns = axes(key, self._n)
        if isinstance(rows, slice) and isinstance(columns, slice):
            start, stop, step = rows.indices(self._n)
            if step == 1 and columns == slice(None):
                return self.expand(slice(start, stop))
        i, j = numbers(rows, self._n, 0), numbers(columns, self._n, 1)
        if isinstance(rows, slice) or isinstance(columns, slice):
            return block(self._held, i, j)
        return take(self._held, *pairs(i, j))

    def __setitem__(self, key: Any, value: Any) -> None:
        slot = self._quick_slot(key) if isinstance(value, float | int) else None
        if slot is not None and self._half.flags.writeable:
            self._half[slot] = value
            return
        matrix = self._held
        if isinstance(key, Packed):
            check_same_side(key.n, self._n)
            if key.dtype != np.bool:
                raise IndexError(f"a matrix as a mask holds bool, not {key.dtype}")
            common_labels(self._labels, key.labels)
            fill(matrix, key._held, value)
            return
        i, j, meet = taken(key, self._labels, self._n)
        if meet:
            i, j = outer(i, j)
        check_labels(value, self._labels, i, j)
        assign(matrix, i, j, value)

    def _quick_slot(self, key: Any) -> int | None:
        """Where two ints are in the half, if what is there is the true value."""
        if type(key) is tuple and len(key) == 2 and type(key[0]) is type(key[1]) is int and self._direct:
            i, j = key
            if 0 <= i < self._n and 0 <= j < self._n:
                return self._layout.slot(min(i, j), max(i, j), self._n)  # type: ignore[no-any-return]
        return None

    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Every one of some rows with every one of some columns, NumPy's ``full[np.ix_(rows, cols)]``.

        Parameters
        ----------
        rows, cols : slice, range, integers, mask or labels
            What to take of either axis, with repeats and negatives as in NumPy; a single integer is one row.
        out : array, shape (number of rows, number of columns), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            At most so many threads, where whole rows that follow each other are taken.

        Returns
        -------
        array, shape (number of rows, number of columns)
            True values; only these are allocated.

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        ValueError, TypeError
            For an `out` of another shape or dtype, or one that shares memory with the half.
        MemoryError
            If the block is larger than memory and swap together, before anything is allocated.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).block([2, 0], slice(1, None))
        array([[5, 6],
               [2, 4]])
        """
        i, j = vector(rows, self._n, 0, self._labels), vector(cols, self._n, 1, self._labels)
        resolve_threads(threads, 0)
        if out is None:
            check_memory(i.size * j.size * self.dtype.itemsize, "take fewer rows at a time")
        else:
            check_out(out, (i.size, j.size), self.dtype, self._half)
        if not (is_range(i) and is_range(j) and j.size > self._n // WIDE):
            return block(self._held, i, j, out)
        if j.size == self._n:
            return self.expand(slice(i[0], i[-1] + 1), out, threads=threads)
        values = np.empty((i.size, j.size), self.dtype) if out is None else out
        height = max(1, PANEL // self._n)
        for start in range(0, i.size, height):
            rows = slice(i[0] + start, min(i[0] + start + height, i[-1] + 1))
            values[start : start + height] = self.expand(rows, threads=threads)[:, j[0] : j[-1] + 1]
        return values

    def to_packed(self, layout: str | AnyLayout = "vech", *, threads: int | None = None) -> Packed:
        """The same matrix in another layout.

        Parameters
        ----------
        layout : str or layout
            The layout of its half.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        Packed
            This store itself if it has that layout, else one with a half of its own; labels follow.

        Raises
        ------
        ValueError
            If a diagonal that the layout leaves out is not exactly what it says.
        TypeError, OverflowError
            If the layout scales integers, or a finite number beyond its dtype.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).to_packed("numpy-tril").half
        array([1, 2, 3, 4, 5, 6])
        """
        layout = as_layout(layout)
        if layout == self._layout:
            return self
        half = convert(self._held.numbers, self._layout, layout, kind=self._kind, threads=threads)
        return Packed(half, layout, kind=self._kind, labels=self._labels)

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        return tiles(self._held, side) if has_runs_of_tiles(self._held) else super()._in_tiles(side)

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        return type(self)(self._half, self._layout, kind=self._kind, labels=labels)

    def submatrix(self, index: Any) -> Packed:
        """The matrix of some rows and the same columns, in that order, as a store of its own.

        Parameters
        ----------
        index : slice, integers, mask or labels
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
        KeyError
            For labels that are not there, or are twice.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6]), labels="abc").submatrix([2, 0]).half
        array([6, 4, 1])
        """
        chosen = vector(index, self._n, 0, self._labels)
        labels = None if self._labels is None else [self._labels[i] for i in chosen]
        alters = self._layout.scaled or self._layout.implied is not None
        repeats = alters and np.unique(chosen).size < chosen.size
        other_side = isinstance(self._layout, TensorOrder) and chosen.size != self._n
        if repeats or other_side:
            plain = self._plain().submatrix(chosen)
            if other_side:
                return plain
            return Packed(*plain._held.moved(self._layout)[:2], kind=self._kind, labels=labels)
        return Packed(submatrix(self._held, chosen), self._layout, kind=self._kind, labels=labels)

    def permute(self, order: Any) -> Packed:
        """The matrix with its rows and columns in another order, NumPy's ``full[np.ix_(order, order)]``.

        Parameters
        ----------
        order : integers, shape (n,), or labels
            Each of 0 ... n - 1 once, or each label; labels follow.

        Returns
        -------
        Packed
            In the same layout and kind.

        Raises
        ------
        ValueError
            If `order` is no permutation.
        KeyError
            For labels that are not there, or are twice.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).permute([2, 1, 0]).half
        array([6, 5, 4, 3, 2, 1])
        """
        order = vector(order, self._n, 0, self._labels)
        if not np.array_equal(np.sort(order), np.arange(self._n)):
            raise ValueError(f"order must hold each of 0 to {self._n - 1} once: submatrix takes any index")
        return self.submatrix(order)

    def set_diagonal(self, diagonal: ArrayLike) -> Self:
        """Put numbers on the diagonal, in place: n numbers are written.

        Parameters
        ----------
        diagonal : number, or array of shape (n,)
            True values, cast as NumPy's assignment casts.

        Returns
        -------
        Packed
            This store.

        Raises
        ------
        ValueError
            For another shape, a read-only half, a layout that leaves out another diagonal, and what the kind
            has not on its diagonal (Hermitian: an imaginary part, skew: anything but zero); i is named.
        TypeError
            For complex numbers in a real half.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1, 2, 4, 3, 5, 6])).set_diagonal(0).half
        array([0, 2, 4, 0, 5, 0])
        """
        frames.check_along(diagonal, 0, self._labels, "diagonal")
        i = np.arange(self._n)
        assign(self._held, i, i, diagonal)
        return self

    def add_diagonal(self, diagonal: ArrayLike) -> Self:
        """Add numbers to the diagonal, in place, as a ridge or a nugget is: n numbers are read and written.

        Parameters
        ----------
        diagonal : number, or array of shape (n,)
            True values.

        Returns
        -------
        Packed
            This store.

        Raises
        ------
        ValueError, TypeError
            As `set_diagonal`; and where NumPy's ``+=`` refuses the dtype.

        Examples
        --------
        >>> import numpy as np
        >>> Packed(np.array([1.0, 2.0, 4.0, 3.0, 5.0, 6.0])).add_diagonal(0.5).half
        array([1.5, 2. , 4. , 3.5, 5. , 6.5])
        """
        check_writeable(self._half)
        total = self._kind.settled(self.diagonal())
        frames.check_along(diagonal, 0, self._labels, "diagonal")
        addend = diagonal if np.isscalar(diagonal) else as_array(diagonal, "diagonal")
        if np.ndim(addend) > 1 or np.size(addend) not in (1, self._n):
            raise ValueError(f"diagonal has shape {np.shape(addend)}, but the matrix has {self._n} rows")
        if np.iscomplexobj(addend) and not np.iscomplexobj(total):  # which ml_dtypes would let pass
            raise TypeError(f"a complex diagonal does not fit a half of {self.dtype}: astype(complex) first")
        try:
            total += addend
        except TypeError:
            what = np.asarray(addend)
            raise TypeError(
                f"a diagonal of {what.dtype} cannot be added to a half of {self.dtype}: "
                f"astype one of them first"
            ) from None
        return self.set_diagonal(total)

    @property
    def _held(self) -> Half:
        if self._map is not None:
            check_mapped(self._map)
        return Half(self._half, self._layout, self._kind)

    def _pairs(self, diagonal: bool, filler: Any) -> Iterator[Array]:
        return pairs_of(self._held, diagonal, filler)

    def _computed(
        self, ufunc: np.ufunc, operands: list[Any], labels: tuple[Any, ...] | None, in_place: bool
    ) -> Any:
        halves = []
        for x in operands:
            if isinstance(x, Store) and not isinstance(x, Packed):
                x = x.to_packed()
            halves.append(x._held if isinstance(x, Packed) else x)
        half, layout, kind = apply(ufunc, *halves, in_place=in_place)
        return self if in_place else Packed(half, layout, kind=kind, labels=labels)

    def _entrywise(self, ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Any:
        if not in_place and self._is_quick(inputs):
            try:
                half = ufunc(*[x._half if type(x) is Packed else x for x in inputs])
            except TypeError:
                check_bits(ufunc, inputs)
                raise
            if half.dtype in NATIVE:
                return self._alike(half)
        return super()._entrywise(ufunc, *inputs, in_place=in_place)

    def _is_quick(self, inputs: tuple[Any, ...]) -> bool:
        """Whether all are plain numbers, or halves as this one, whose numbers are the true ones."""
        for x in inputs:
            if type(x) is Packed:
                alike = x._direct and x._layout is self._layout and x._labels is self._labels
                dtype = x._half.dtype
                if not (alike and x._n == self._n and dtype in NATIVE and dtype.kind != "c"):
                    return False
            elif type(x) is not float and type(x) is not int:
                return False
        return True

    def _alike(self, half: Array) -> Packed:
        """Of a new half like this one, nothing of which needs a look."""
        made = object.__new__(Packed)
        made._half, made._map = half, None
        made._layout, made._kind = self._layout, self._kind
        made._n, made._labels, made._direct = self._n, self._labels, True
        return made

    def _like(
        self, half: Array, layout: AnyLayout | None = None, *, kind: str | None = None, labels: Any = OWN
    ) -> Self:
        labels = self._labels if labels is OWN else labels
        return type(self)(half, layout or self._layout, kind=kind or self._kind, labels=labels)


def packed(S: Store) -> Packed:
    """Any store as a Packed: itself where it has a layout, else its numbers in `vech`."""
    made: Packed = S.to_packed(S.describe().layout or "vech")
    return made
