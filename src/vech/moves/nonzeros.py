"""The sparse way: the nonzeros of a half, CSR and CSC of its matrix, and a sparse matrix as a half."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core, arrays
from vech.arrays import (
    Array,
    Dtype,
    as_array,
    check_memory,
    extension,
    family,
    keep_mask,
    resolve_threads,
    words,
)
from vech.frames import as_sparse
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout, one_of
from vech.layouts.orders import Explicit
from vech.moves.converting import convert
from vech.moves.foreign import judged
from vech.moves.judging import refuse_negation
from vech.moves.recipe import expansion
from vech.moves.rounding import rescale
from vech.moves.sizes import above, check_threshold, not_above
from vech.store import Store, Tile

PARTS = ("full", "lower", "upper")


def nonzeros(
    half: ArrayLike, layout: str | AnyLayout = "vech", *, kind: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """The numbers of a half that are not zero, and where they are.

    Parameters
    ----------
    half : array, shape (length,)
        The half of one matrix, of a dtype that SciPy's sparse arrays have: no float16, bfloat16 or dates.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.

    Returns
    -------
    i, j : array of int64
        Rows and columns in the layout's own triangle, in storage order; an implied diagonal of ones is there.
    values : array
        True values, in the native byte order.

    Raises
    ------
    ValueError
        If the length fits no n, for a batch, or an argument that is none of its choices.
    TypeError
        For arrays and dtypes refused, and a scaled layout of integers.
    OverflowError
        If undoing a scale makes a finite number infinite.

    Notes
    -----
    Zero is what has no bit set but signs of floats: -0.0 is dropped, NaN and subnormal numbers stay. Cost:
    one pass over the half, and 16 bytes and a number for each that is found.

    Examples
    --------
    >>> import numpy as np
    >>> nonzeros(np.array([1, 0, 4, 0, 5, 6]))
    (array([0, 2, 2, 2]), array([0, 0, 1, 2]), array([1, 4, 5, 6]))
    """
    layout = as_layout(layout)
    found = half_csr(half, layout, kind, None)
    runs, columns, values = found.runs(), found.indices.astype(np.int64), found.data
    i, j = (runs, columns) if found.by_rows else (columns, runs)
    if isinstance(layout, Explicit):
        stored = np.argsort(layout.position(i, j, found.n))
        i, j, values = i[stored], j[stored], values[stored]
    return i, j, values


def to_coo(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    part: str = "full",
    threshold: float | None = None,
    threads: int | None = None,
) -> Any:
    """The matrix of a half as a ``scipy.sparse.coo_array``, sorted by rows; all else as for `vech.to_csr`.

    Examples
    --------
    >>> import numpy as np
    >>> to_coo(np.array([1, 0, 4, 0, 5, 6])).coords[1]
    array([0, 2, 2, 0, 1, 2], dtype=int32)
    """
    return half_csr(half, layout, kind, threads, as_bound(threshold)).to_scipy("coo", part, threads)


def to_csr(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    part: str = "full",
    threshold: float | None = None,
    threads: int | None = None,
) -> Any:
    """The matrix of a half as a ``scipy.sparse.csr_array``.

    Parameters
    ----------
    half : array, shape (length,)
        The half of one matrix, of a dtype that SciPy's sparse arrays have: no float16, bfloat16 or dates.
    layout : str or layout
        Which number is where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    part : {"full", "lower", "upper"}
        The whole matrix, or what SciPy's ``tril`` or ``triu`` would leave of it.
    threshold : float, optional
        Keep the true values with ``|a| > threshold``, and NaN, also on the diagonal, an implied one of ones
        too; unless told all that are not zero.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n)
        True values in the native byte order, columns sorted, without zeros, flagged as canonical. Indices are
        int32 where they fit, int64 beyond.

    Raises
    ------
    ValueError
        If the length fits no n, for a batch, an argument that is none of its choices, or a threshold that is
        negative or NaN.
    TypeError
        For arrays and dtypes refused, a scaled layout of integers, and skew numbers without a sign.
    OverflowError
        If undoing a scale makes a finite number infinite, or the smallest integer would have to be negated.

    Notes
    -----
    Zero is what has no bit set but signs of floats: -0.0 is dropped, NaN and subnormal numbers stay. Cost:
    one pass over the half, at the speed of reading it; then the work goes with the nonzeros. Of a symmetric
    half, the upper triangle as CSR and the lower as CSC are what `vech` and `numpy-triu` give at once, the
    other two are what `numpy-tril` and `lapack-upper` give; any other way round costs one transposition of
    the nonzeros. A threshold is compared in the same pass for float32 and float64 whose layout has no scale,
    for others after all nonzeros were found; integers exactly, and of a diagonal what its kind computes with.

    Examples
    --------
    >>> import numpy as np
    >>> to_csr(np.array([1, 0, 4, 0, 5, 6])).toarray()
    array([[1, 0, 4],
           [0, 0, 5],
           [4, 5, 6]])
    >>> to_csr(np.array([1, 0, 4, 0, 5, 6]), part="lower", threshold=4).toarray()
    array([[0, 0, 0],
           [0, 0, 0],
           [0, 5, 6]])
    """
    return half_csr(half, layout, kind, threads, as_bound(threshold)).to_scipy("csr", part, threads)


def to_csc(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    part: str = "full",
    threshold: float | None = None,
    threads: int | None = None,
) -> Any:
    """The matrix of a half as a ``scipy.sparse.csc_array``; all else as for `vech.to_csr`.

    Examples
    --------
    >>> import numpy as np
    >>> to_csc(np.array([1, 0, 4, 0, 5, 6]), part="lower").indices
    array([0, 2, 2, 2], dtype=int32)
    """
    return half_csr(half, layout, kind, threads, as_bound(threshold)).to_scipy("csc", part, threads)


# ---------------------------------------------------------------- half to sparse


@dataclass(frozen=True, slots=True)
class Compressed:
    """One triangle of a matrix, compressed by rows or by columns.

    Run r holds data[indptr[r]:indptr[r + 1]] at the places indices[...] along the other axis, sorted: up to r
    where runs `grow`, from r where they do not. indptr is int64, indices int32.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Array
    grow: bool
    by_rows: bool
    kind: Kind

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self.indptr.size - 1

    @property
    def name(self) -> str:
        """ "lower" or "upper"."""
        return "lower" if self.grow == self.by_rows else "upper"

    def runs(self) -> NDArray[np.int64]:
        """The run of each number."""
        return np.repeat(np.arange(self.n), np.diff(self.indptr))

    def mirrored_data(self) -> Array:
        """The numbers as they stand in the other triangle; those on the diagonal are not told apart."""
        if self.kind is Kind.SYMMETRIC:
            return self.data
        self.refuse_smallest()
        return self.kind.mirror(self.data)

    def refuse_smallest(self) -> None:
        """OverflowError for the integer that has no negative, off the diagonal of a skew matrix."""
        if not self.kind.negates or self.data.dtype.kind != "i":
            return
        smallest = np.iinfo(self.data.dtype).min
        runs = self.runs()
        at = np.flatnonzero((self.data == smallest) & (self.indices != runs))
        i, j = (runs, self.indices) if self.by_rows else (self.indices, runs)
        refuse_negation(i[at], j[at], smallest, self.data.dtype)

    def other(self) -> Compressed:
        """The other triangle, compressed along the other axis: the same arrays if the matrix is symmetric."""
        by_rows = not self.by_rows
        if self.kind is Kind.SYMMETRIC:
            return replace(self, by_rows=by_rows)
        on = self.indices == self.runs()
        if self.kind is Kind.TRIANGULAR:
            return replace(self.chosen(on), by_rows=by_rows)
        return replace(self, data=np.where(on, self.data, self.mirrored_data()), by_rows=by_rows)

    def settled(self) -> Compressed:
        """The same, with the diagonal that its kind computes with."""
        if self.kind in (Kind.SYMMETRIC, Kind.TRIANGULAR):
            return self
        on = self.indices == self.runs()
        data = self.data.copy()
        data[on] = self.kind.settled(data[on])
        return replace(self, data=data)

    def above(self, threshold: float) -> NDArray[np.bool]:
        """Where a number is larger, or NaN; of a diagonal what counts of it is judged."""
        return above(self.settled().data, threshold)

    def chosen(self, which: NDArray[np.bool]) -> Compressed:
        """Only the numbers where `which` is true."""
        before = np.concatenate(([0], np.cumsum(which)))
        return replace(self, indptr=before[self.indptr], indices=self.indices[which], data=self.data[which])

    def to_scipy(self, format: str, part: str, threads: int | None) -> Any:
        """The matrix, or a part of it, as a new SciPy sparse array."""
        one_of("part", part, PARTS)
        count = resolve_threads(threads, self.data.nbytes)
        by_rows = format != "csc"
        half = self
        if part == "full" and self.kind is not Kind.TRIANGULAR:
            if half.by_rows != by_rows:
                half = half.other()
            half.refuse_smallest()
            change = self.kind.change(self.data.dtype)
            indptr, indices, data = _core.mirror(
                half.indptr, half.indices, half.data, change, half.n, half.grow, count
            )
            return scipy_array(format, indptr, indices, data.view(self.data.dtype))  # int64, not long long
        if part not in ("full", half.name):
            half = half.other()
        if half.by_rows == by_rows:
            return scipy_array(format, half.indptr, half.indices, half.data)
        turned = scipy_array("csr", half.indptr, half.indices, half.data).tocsc()
        return scipy_array(format, turned.indptr, turned.indices, turned.data)


def scipy_array(format: str, indptr: Array, indices: Array, data: Array) -> Any:
    """A canonical SciPy array of these arrays, whose index type is int32 wherever that is enough."""
    from scipy import sparse

    n = indptr.size - 1
    index = np.int32 if max(n, data.size) <= arrays.INT32_MAX else np.int64
    make = sparse.csc_array if format == "csc" else sparse.csr_array
    matrix = make((data, indices.astype(index, copy=False), indptr.astype(index)), shape=(n, n))
    matrix.has_canonical_format = True
    if format == "coo":
        matrix = matrix.tocoo(copy=False)
        matrix.has_canonical_format = True
    return matrix


def half_csr(
    half: ArrayLike, layout: str | AnyLayout, kind: str | None, threads: int | None, threshold: float = 0.0
) -> Compressed:
    """The nonzeros of a half as they come: the layout's triangle along its traversal, true values.

    Those whose magnitude is not above `threshold` are left out, by the scan where it `compares` them.
    """
    half = as_array(half, "half")
    if half.ndim != 1:
        raise ValueError(
            f"half has shape {half.shape}, but the sparse functions take one matrix at a time, of shape "
            f"(length,): call them for each"
        )
    layout = as_layout(layout)
    dtype = sparse_dtype(half.dtype)
    recipe = expansion(layout, kind, half.dtype, half.size)
    if isinstance(layout, Explicit):
        half = convert(half, layout, layout.plain, kind=kind, threads=threads)
        return half_csr(half, layout.plain, kind, threads, threshold)
    half = np.ascontiguousarray(half)
    bound = (
        not_above(threshold, half.dtype).tobytes() if threshold > 0 and compares(layout, half.dtype) else None
    )
    fill = words(np.ones(1, half.dtype)) if layout.implied and (bound is None or threshold < 1) else None
    threads = resolve_threads(threads, half.nbytes)
    strict = layout.implied is not None
    keep = keep_mask(half.dtype)
    arguments = (words(half), recipe.n, layout.grow, not strict, keep, fill, threads, bound)
    indptr, indices, data = _core.scan(*arguments)
    data = data.view(half.dtype).astype(dtype, copy=False)
    found = Compressed(indptr, indices, data, layout.grow, layout.traversal == "rows", recipe.kind)
    if not layout.scaled:
        told = threshold <= 0 or (bound is not None and recipe.kind.diagonal == "stored")
        return found if told else found.chosen(found.above(threshold))
    off, on = recipe.scaling.off, recipe.scaling.on
    diagonal = np.flatnonzero(indices == found.runs())
    if rescale(data[None], data[None], diagonal, off, on):
        raise OverflowError(
            f"a finite number becomes infinite in {dtype} when the scale of layout {layout.name} is undone"
        )
    # A true value can be too small for its dtype.
    kept = found.above(threshold) if threshold > 0 else data != 0
    return found if kept.all() else found.chosen(kept)


def as_bound(threshold: float | None) -> float:
    """What numbers have to be above: unless told zero."""
    if threshold is None:
        return 0.0
    check_threshold(threshold)
    return threshold


def of_store(S: Store, format: str, part: str, threshold: float | None, threads: int | None) -> Any:
    """The nonzeros of any store as a SciPy sparse array, each of its numbers read once."""
    one_of("part", part, PARTS)
    bound = as_bound(threshold)
    if not bound:
        return of_tiles(S, partial(np.not_equal, 0)).to_scipy(format, part, threads)
    found = of_tiles(S, partial(above, threshold=bound), hint="take a larger threshold")
    if Kind(S.kind) is not Kind.SYMMETRIC:  # what does not count of a diagonal was not known to the tiles
        found = found.chosen(found.above(bound))
    return found.to_scipy(format, part, threads)


def of_tiles(
    S: Store,
    wanted: Callable[[Array], NDArray[np.bool]],
    *,
    diagonal: bool = True,
    hint: str = "they are too many to be called sparse",
) -> Compressed:
    """The numbers of a store that are wanted, each read once: those of the lower triangle, by rows.

    `wanted` is given tiles, where they are read. MemoryError, with a hint, where these numbers are too many.
    """
    dtype = sparse_dtype(S.dtype)
    counts, total = np.zeros(S.n + 1, np.int64), 0
    band: list[_Chosen] = []
    columns, data = [np.zeros(0, np.int32)], [np.zeros(0, dtype)]
    for chosen in S._by_strips(partial(_chosen, wanted, diagonal, dtype, hint)):
        band.append(chosen)
        total += chosen.rows.size
        _check_few(total, dtype, hint)
        if chosen.ends:
            rows, places, numbers = (np.concatenate(parts) for parts in list(zip(*band, strict=True))[2:])
            order = np.argsort(rows, kind="stable")
            counts[1:][chosen.height] = np.bincount(rows, minlength=len(counts[1:][chosen.height]))
            columns.append(places[order])
            data.append(numbers[order])
            band = []
    kind = Kind(S.kind).of(S.dtype)
    return Compressed(np.cumsum(counts), np.concatenate(columns), np.concatenate(data), True, True, kind)


class _Chosen(NamedTuple):
    """Numbers of some tiles beside each other, and where these stand."""

    height: slice  # of the matrix
    ends: bool  # these rows, at the diagonal
    rows: NDArray[np.int32]  # from the first one of these
    columns: NDArray[np.int32]
    numbers: Array


def _chosen(
    wanted: Callable[[Array], NDArray[np.bool]],
    diagonal: bool,
    dtype: Dtype,
    hint: str,
    tiles: Iterable[Tile],
) -> _Chosen:
    parts, total = [], 0
    for tile in tiles:
        which = wanted(tile.numbers)
        if tile.on_diagonal:
            which = np.tril(which, 0 if diagonal else -1)
        i, j = np.nonzero(which)
        total += i.size
        _check_few(total, dtype, hint)
        places = i.astype(np.int32), (j + tile.columns.start).astype(np.int32)
        parts.append((*places, tile.numbers[i, j].astype(dtype, copy=False)))
    return _Chosen(tile.rows, tile.on_diagonal, *map(np.concatenate, zip(*parts, strict=True)))


def _check_few(count: int, dtype: Dtype, hint: str) -> None:
    check_memory(4 * count * (4 + dtype.itemsize), hint)


def compares(layout: AnyLayout, dtype: Dtype) -> bool:
    """Whether the scan itself compares true values with a threshold: their bits must compare as they do."""
    return dtype.isnative and dtype.char in "fd" and not (isinstance(layout, Layout) and layout.scaled)


def sparse_dtype(dtype: Dtype) -> Dtype:
    """The dtype in native byte order; TypeError for one that SciPy's sparse arrays do not compute with."""
    letter = family(dtype)
    if letter in "mM":
        raise TypeError(f"SciPy's sparse arrays do not hold {dtype}: astype(np.int64) first")
    if extension(dtype) or dtype.char == "e":
        raise TypeError(f"SciPy's sparse arrays do not compute with {dtype}: astype(np.float32) first")
    return dtype.newbyteorder("=")


# ---------------------------------------------------------------- matrices of SciPy


def as_square(matrix: Any) -> tuple[Any, Dtype]:
    """A square SciPy sparse matrix, judged, and its native dtype; TypeError, ValueError for others."""
    from scipy import sparse

    matrix = as_sparse(matrix, "matrix")
    if not sparse.issparse(matrix):
        raise TypeError(
            f"matrix must be a SciPy sparse array, not {type(matrix).__module__}.{type(matrix).__name__}: "
            f"vech.pack takes full arrays"
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {matrix.shape}: it must be a square, (n, n)")
    return judged(matrix), sparse_dtype(matrix.dtype)


def canonical(matrix: Any, dtype: Dtype) -> Any:
    """A judged matrix as CSR with sorted columns and no duplicates; its arrays may be those of the user."""
    from scipy import sparse

    csr = matrix.astype(dtype, copy=False).tocsr()
    csr = sparse.csr_array((csr.data, csr.indices, csr.indptr), shape=csr.shape)  # its flags could be stale
    if not csr.has_canonical_format:
        csr = judged(csr.copy())  # nobody else can change a copy
        csr.sum_duplicates()
    if dtype.kind in "iu" and csr.nnz < matrix.nnz:
        rounded = judged(matrix.astype(float, copy=True)).tocsr()
        rounded.sum_duplicates()
        refuse_wrapped(csr.data, rounded.data)
    return csr


def refuse_wrapped(sums: Array, rounded: Array) -> None:
    """OverflowError if a sum of integers has wrapped around; `rounded` has the same sums in float64."""
    wrapped = np.abs(sums.astype(float) - rounded) > 1 + 1e-9 * np.abs(rounded)
    if wrapped.any():
        raise OverflowError(
            f"duplicates add up to {rounded[wrapped.argmax()]:.0f}, beyond {sums.dtype}: "
            f"astype to a larger dtype first"
        )
