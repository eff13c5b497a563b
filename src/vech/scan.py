"""The sparse way: the nonzeros of a half, CSR and CSC of its matrix, and a sparse matrix as a half."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech import _core, arrays
from vech.arrays import (
    Array,
    Dtype,
    as_array,
    check_memory,
    epsilon,
    extension,
    family,
    keep_mask,
    mirror_change,
    mirror_values,
    resolve_threads,
    words,
)
from vech.dialects import AnyLayout, as_layout
from vech.foreign import judged
from vech.layout import Layout, one_of
from vech.moves import (
    Packing,
    check_side,
    check_use,
    convert,
    disagreement,
    expansion,
    packing,
    refuse_negation,
)
from vech.orders import Explicit
from vech.values import Factors, largest, mean, rescale, worst

PARTS = ("full", "lower", "upper")
NOWHERE = np.zeros(0, np.int64)  # no number of these is on the diagonal


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
    threads: int | None = None,
) -> Any:
    """The matrix of a half as a ``scipy.sparse.coo_array``, sorted by rows; see `to_csr`.

    Examples
    --------
    >>> import numpy as np
    >>> to_coo(np.array([1, 0, 4, 0, 5, 6])).coords[1]
    array([0, 2, 2, 0, 1, 2], dtype=int32)
    """
    return half_csr(half, layout, kind, threads).to_scipy("coo", part, threads)


def to_csr(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    part: str = "full",
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
        If the length fits no n, for a batch, or an argument that is none of its choices.
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
    the nonzeros.

    Examples
    --------
    >>> import numpy as np
    >>> to_csr(np.array([1, 0, 4, 0, 5, 6])).toarray()
    array([[1, 0, 4],
           [0, 0, 5],
           [4, 5, 6]])
    >>> to_csr(np.array([1, 0, 4, 0, 5, 6]), part="lower").toarray()
    array([[1, 0, 0],
           [0, 0, 0],
           [4, 5, 6]])
    """
    return half_csr(half, layout, kind, threads).to_scipy("csr", part, threads)


def to_csc(
    half: ArrayLike,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    part: str = "full",
    threads: int | None = None,
) -> Any:
    """The matrix of a half as a ``scipy.sparse.csc_array``; see `to_csr`.

    Examples
    --------
    >>> import numpy as np
    >>> to_csc(np.array([1, 0, 4, 0, 5, 6]), part="lower").indices
    array([0, 2, 2, 2], dtype=int32)
    """
    return half_csr(half, layout, kind, threads).to_scipy("csc", part, threads)


def from_sparse(
    matrix: Any,
    layout: str | AnyLayout = "vech",
    *,
    kind: str | None = None,
    use: str = "both",
    tolerance: float | None = None,
    threads: int | None = None,
) -> Array:
    """The half of a SciPy sparse matrix.

    Parameters
    ----------
    matrix : SciPy sparse array or matrix, shape (n, n)
        In any format; duplicates are summed, and it is left as it is.
    layout : str or layout
        Which numbers go where.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian", "triangular"}, optional
        What the other triangle is. Symmetric for real data; for complex data it must be said.
    use : {"both", "lower", "upper", "mean"}
        The triangle that is believed, as in `vech.pack`. What one triangle holds and the other does not is
        compared with zero: half a matrix is not taken for a whole one unless it is said to be half.
    tolerance : float, optional
        For use="both": the largest ``|a_ij - mirror(a_ji)|`` that passes. By default n eps max|A| over the
        finite entries, and 0 for integers and bool.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

    Returns
    -------
    array, shape (layout.length(n),)
        In the dtype of `matrix`, native byte order.

    Raises
    ------
    ValueError
        If the triangles differ in a value or a position (the worst (i, j) and both numbers are named), if a
        diagonal that is left out is not what the layout says, if the matrix is not square, or an argument is
        none of its choices.
    TypeError
        For what is not SciPy sparse, dtypes refused, a scaled layout or "mean" of integers, skew numbers
        without a sign, and a tolerance where nothing is compared.
    OverflowError
        If a scale makes a finite number infinite, or the smallest integer would have to be negated.
    MemoryError
        If the half is larger than memory and swap together, before anything is allocated.

    Notes
    -----
    Memory: the half, and a few arrays as long as the matrix has numbers.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from_sparse(csr_array([[1, 0, 4], [0, 0, 5], [4, 5, 6]]))
    array([1, 0, 4, 0, 5, 6])
    >>> from_sparse(csr_array([[1, 0, 0], [0, 0, 0], [4, 5, 6]]), use="lower")
    array([1, 0, 4, 0, 5, 6])
    """
    matrix, dtype = as_square(matrix)
    layout = as_layout(layout)
    recipe = packing(layout, kind, dtype)
    check_use(use, tolerance, recipe)
    n = matrix.shape[0]
    check_side(n, layout)
    length = layout.length(n)
    check_memory(length * dtype.itemsize, "keep it sparse, as a vech.SparseHalf of one triangle")
    resolve_threads(threads, length * dtype.itemsize)
    if isinstance(layout, Explicit):
        plain = packing(layout.plain, kind, dtype)
        return convert(
            _pack(_canonical(matrix, dtype), plain, use, tolerance), layout.plain, layout, kind=kind
        )
    return _pack(_canonical(matrix, dtype), recipe, use, tolerance)


# ---------------------------------------------------------------- half to sparse


@dataclass(frozen=True, slots=True)
class Triangle:
    """One triangle of a matrix, compressed by rows or by columns.

    Run r holds data[indptr[r]:indptr[r + 1]] at the places indices[...] along the other axis, sorted: up to r
    where runs `grow`, from r where they do not. indptr is int64, indices int32.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: Array
    grow: bool
    by_rows: bool
    kind: str

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
        if self.kind == "symmetric":
            return self.data
        self.refuse_smallest()
        return mirror_values(self.data, self.kind)

    def refuse_smallest(self) -> None:
        """OverflowError for the integer that has no negative, off the diagonal of a skew matrix."""
        if self.kind != "skew" or self.data.dtype.kind != "i":
            return
        smallest = np.iinfo(self.data.dtype).min
        runs = self.runs()
        at = np.flatnonzero((self.data == smallest) & (self.indices != runs))
        i, j = (runs, self.indices) if self.by_rows else (self.indices, runs)
        refuse_negation(i[at], j[at], smallest, self.data.dtype)

    def other(self) -> "Triangle":
        """The other triangle, compressed along the other axis: the same arrays if the matrix is symmetric."""
        by_rows = not self.by_rows
        if self.kind == "symmetric":
            return replace(self, by_rows=by_rows)
        on = self.indices == self.runs()
        if self.kind == "triangular":
            return replace(self.chosen(on), by_rows=by_rows)
        return replace(self, data=np.where(on, self.data, self.mirrored_data()), by_rows=by_rows)

    def chosen(self, which: NDArray[np.bool]) -> "Triangle":
        """Only the numbers where `which` is true."""
        before = np.concatenate(([0], np.cumsum(which)))
        return replace(self, indptr=before[self.indptr], indices=self.indices[which], data=self.data[which])

    def to_scipy(self, format: str, part: str, threads: int | None) -> Any:
        """The matrix, or a part of it, as a new SciPy sparse array."""
        one_of("part", part, PARTS)
        count = resolve_threads(threads, self.data.nbytes)
        by_rows = format != "csc"
        half = self
        if part == "full" and self.kind != "triangular":
            if half.by_rows != by_rows:
                half = half.other()
            half.refuse_smallest()
            change = mirror_change(self.kind, self.data.dtype)
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
) -> Triangle:
    """The nonzeros of a half as they come: the layout's triangle along its traversal, true values.

    Where the scan `compares` these numbers, those whose magnitude is not above `threshold` are left out.
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
    found = Triangle(indptr, indices, data, layout.grow, layout.traversal == "rows", recipe.kind)
    if not layout.scaled:
        return found
    off, on = recipe.scaling.off, recipe.scaling.on
    diagonal = np.flatnonzero(indices == found.runs())
    if rescale(data[None], data[None], diagonal, off, on):
        raise OverflowError(
            f"a finite number becomes infinite in {dtype} when the scale of layout {layout.name} is undone"
        )
    return found if data.all() else found.chosen(data != 0)  # a true value can be too small for its dtype


def compares(layout: AnyLayout, dtype: Dtype) -> bool:
    """Whether the scan itself compares true values with a threshold: their bits must compare as they do."""
    return dtype.isnative and dtype.char in "fd" and not (isinstance(layout, Layout) and layout.scaled)


def not_above(threshold: float, dtype: Dtype) -> Any:
    """The largest number of a dtype that is not above the threshold."""
    with np.errstate(over="ignore"):
        bound = np.full(1, threshold, dtype)[0]
    return np.nextafter(bound, np.zeros(1, dtype)[0]) if float(bound) > threshold else bound


def sparse_dtype(dtype: Dtype) -> Dtype:
    """The dtype in native byte order; TypeError for one that SciPy's sparse arrays do not compute with."""
    letter = family(dtype)
    if letter in "mM":
        raise TypeError(f"SciPy's sparse arrays do not hold {dtype}: astype(np.int64) first")
    if extension(dtype) or dtype.char == "e":
        raise TypeError(f"SciPy's sparse arrays do not compute with {dtype}: astype(np.float32) first")
    return dtype.newbyteorder("=")


# ---------------------------------------------------------------- sparse to half


def as_square(matrix: Any) -> tuple[Any, Dtype]:
    """A square SciPy sparse matrix, judged, and its dtype in native order; TypeError, ValueError for others."""
    from scipy import sparse

    if not sparse.issparse(matrix):
        raise TypeError(
            f"matrix must be a SciPy sparse array, not {type(matrix).__module__}.{type(matrix).__name__}: "
            f"vech.pack takes full arrays"
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {matrix.shape}: it must be a square, (n, n)")
    return judged(matrix), sparse_dtype(matrix.dtype)


def _canonical(matrix: Any, dtype: Dtype) -> Any:
    """A judged matrix as CSR with sorted columns and no duplicates; its arrays may be those of the user."""
    from scipy import sparse

    csr = matrix.astype(dtype, copy=False).tocsr()
    csr = sparse.csr_array((csr.data, csr.indices, csr.indptr), shape=csr.shape)  # its flags could be stale
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    if dtype.kind in "iu" and csr.nnz < matrix.nnz:
        rounded = matrix.astype(float).tocsr()
        rounded.sum_duplicates()
        refuse_wrapped(csr.data, rounded.data)
    return csr


def refuse_wrapped(sums: Array, rounded: Array) -> None:
    """OverflowError if a sum of integers has wrapped around; `rounded` has the same sums in float64."""
    wrapped = np.abs(sums.astype(float) - rounded) > 1 + 1e-9 * np.abs(rounded)
    if wrapped.any():
        raise OverflowError(
            f"duplicates add up to {rounded[wrapped.argmax()]:.0f}, beyond {sums.dtype}: astype to a larger dtype first"
        )


class Pairs(NamedTuple):
    """The numbers of one triangle, off the diagonal, and the slots of the half that are theirs."""

    slots: NDArray[np.int64]
    numbers: Array


def _parts(csr: Any, layout: Layout) -> tuple[Pairs, Pairs, Array]:
    """What the layout's own triangle holds, what the other one holds, and the diagonal."""
    n = csr.shape[0]
    i, j = np.repeat(np.arange(n), np.diff(csr.indptr)), csr.indices.astype(np.int64)
    diagonal = np.zeros(n, csr.dtype)
    diagonal[i[i == j]] = csr.data[i == j]

    def pairs(inside: NDArray[np.bool]) -> Pairs:
        small, large = np.minimum(i[inside], j[inside]), np.maximum(i[inside], j[inside])
        return Pairs(layout.slot(small, large, n), csr.data[inside])

    lower, upper = pairs(i > j), pairs(i < j)
    return (lower, upper, diagonal) if layout.triangle == "lower" else (upper, lower, diagonal)


def _pack(csr: Any, recipe: Packing, use: str, tolerance: float | None) -> Array:
    layout, kind, n = recipe.layout, recipe.kind, csr.shape[0]
    assert isinstance(layout, Layout)
    own, other, diagonal = _parts(csr, layout)
    believed = {"both": (own, other), "mean": (own, other), layout.triangle: (own,)}.get(use, (other,))
    if recipe.negates and use != layout.triangle:
        for pairs in believed:
            _refuse_smallest(pairs, layout, n)
    if tolerance is None:
        size = np.max([largest(x[None]) for x in (diagonal, *(pairs.numbers for pairs in believed))], axis=0)
        bound = n * epsilon(csr.dtype) * size
    else:
        bound = np.array([float(tolerance)])
    mirrored = mirror_values(other.numbers, kind)
    diagonal_mirrored = diagonal if kind == "triangular" else mirror_values(diagonal, kind)

    half = np.zeros(layout.length(n), csr.dtype)
    half[own.slots] = own.numbers
    met = half[other.slots]
    half[other.slots] = 0
    alone = half[own.slots]  # what has no partner in the other triangle, else zero
    if use == "both":
        if kind == "triangular":
            slots, ours, theirs = other.slots, other.numbers, mirrored
        else:
            slots = np.concatenate((other.slots, own.slots))
            ours, theirs = np.concatenate((met, alone)), np.concatenate((mirrored, np.zeros_like(alone)))
        if (found := worst(ours[None], theirs[None], bound)) is not None:
            raise disagreement(csr, recipe, 0, *layout.pair(slots[found[1]], n))
        if (found := worst(diagonal[None], diagonal_mirrored[None], bound)) is not None:
            raise disagreement(csr, recipe, 0, found[1], found[1])

    infinite = False
    off, on = recipe.scaling.off, recipe.scaling.on

    def packed(numbers: Array, mirror: Array, factors: Factors) -> Array:
        nonlocal infinite
        result = np.empty_like(numbers)
        if use == "mean":
            infinite |= mean(numbers[None], mirror[None], result[None], NOWHERE, factors, factors)
        else:
            infinite |= rescale(numbers[None], result[None], NOWHERE, factors, factors)
        return result

    if use == "mean":
        half[own.slots] = packed(alone, np.zeros_like(alone), off)
        half[other.slots] = packed(met, mirrored, off)
    elif use in ("both", layout.triangle):
        half[own.slots] = packed(own.numbers, own.numbers, off)
    else:
        half[own.slots] = 0
        half[other.slots] = packed(mirrored, mirrored, off)
    diagonal = packed(diagonal, diagonal_mirrored, on)
    if layout.implied is None:
        at = np.arange(n)
        half[layout.slot(at, at, n)] = diagonal
    else:
        implied = np.full_like(diagonal, layout.implied)
        if (found := worst(diagonal[None], implied[None], bound)) is not None:
            i = found[1]
            raise ValueError(
                f"the diagonal of layout {layout.name} is {layout.diagonal}, but a[{i}, {i}] is {diagonal[i]}"
            )
    if infinite:
        raise OverflowError(
            f"a finite number becomes infinite in {csr.dtype} when layout {layout.name} scales it"
        )
    return half


def _refuse_smallest(pairs: Pairs, layout: Layout, n: int) -> None:
    """OverflowError for the integer without a negative."""
    smallest = np.iinfo(pairs.numbers.dtype).min
    refuse_negation(*layout.pair(pairs.slots[pairs.numbers == smallest], n), smallest, pairs.numbers.dtype)
