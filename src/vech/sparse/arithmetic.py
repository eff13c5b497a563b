"""Arithmetic of sparse halves, number by number, and what leaves numbers out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from vech.arrays import Array, check_memory, family
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import Layout, one_of
from vech.moves.nonzeros import Compressed, sparse_dtype
from vech.moves.runs import Half
from vech.moves.sizes import check_threshold, sizes
from vech.operators import Operators
from vech.packed.arithmetic import PRODUCTS, SIGNS, SUMS, kind_of_result
from vech.packed.packed import Packed
from vech.sparse.arrays import Arrays
from vech.sparse.pattern import Indices, turned, union
from vech.store import Store

ARITHMETIC = (*SUMS, *PRODUCTS, *SIGNS, np.absolute)
VECH = Layout("lower", "columns")


class Algebra(Operators, Arrays):
    """Operators, and thresholds.

    A sum holds every place that either matrix holds, a product those that both hold: zeros that come out are
    stored, as those that went in. What is not stored is not multiplied, not even by infinity. A comparison
    stores what is true; where it is true of what is not stored, it is a `Packed`.
    """

    _of_sparse = "SparseHalf.from_sparse(x)"
    _maps = "S.to_packed().map"
    _truth = "(S != T).nnz == 0 says that two are equal, and S.data.any() that any number stored is not zero"

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> Self:
        """The same matrix in another dtype, on the same indices.

        Parameters
        ----------
        dtype : dtype
            What the numbers become, as NumPy's ``astype`` makes them.
        copy : bool
            False gives this store itself where it has that dtype already.

        Returns
        -------
        SparseHalf
            Of the same kind, triangle and labels.

        Raises
        ------
        TypeError
            For complex numbers that would lose their imaginary part, a dtype that SciPy's sparse arrays do
            not compute with, and skew numbers without a sign.

        Examples
        --------
        >>> vech.SparseHalf([0, 1], [0], [2.0], 1, triangle="lower").astype("c8")
        SparseHalf(n=1, dtype=complex64, kind='symmetric', triangle='lower', nnz=1)
        """
        dtype = sparse_dtype(np.dtype(dtype))
        if not copy and dtype == self.dtype:
            return self
        if family(dtype) != "c" and family(self.dtype) == "c":
            raise TypeError(
                f"{self.dtype} numbers would lose their imaginary part in {dtype}: "
                f"make a SparseHalf of .data.real if that is meant"
            )
        kind = resolve_kind(self._kind, dtype, moves=False)
        held = self._stored(judge=False)
        return self._again(replace(held, data=held.data.astype(dtype), kind=kind))

    def trace(self) -> Any:
        """The sum of the diagonal, in the dtype of NumPy's ``full.trace()``.

        Uses the real part of a Hermitian diagonal, the imaginary part of a skew-Hermitian one, zero for a
        skew one. Takes one pass over the numbers stored.

        Returns
        -------
        number
            A NumPy scalar.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").trace()
        np.int64(4)
        """
        held = self._stored().settled()
        return held.data[held.indices == held.runs()].sum()

    def threshold(self, value: float = 0.0, *, keep_diagonal: bool = False) -> Self:
        """Only the numbers with ``|a| > value``, and NaN.

        A threshold judges both numbers of a pair alike, so that symmetry stays; leaving out small numbers by
        their rank within rows does not (see `largest`).

        Parameters
        ----------
        value : float
            Zero leaves out the zeros that are stored.
        keep_diagonal : bool
            Keep the diagonal, whatever it holds.

        Returns
        -------
        SparseHalf
            Of the same rows; a matrix without some rows is what `prune` gives.

        Raises
        ------
        ValueError
            If `value` is negative or NaN.

        Notes
        -----
        Magnitudes are computed in float64, those of integers exactly; of a diagonal what its kind computes
        with is judged.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [0.1, -2.0, 3.0], 2, triangle="lower")
        >>> S.threshold(1).nnz, S.threshold(1, keep_diagonal=True).nnz
        (2, 3)
        """
        check_threshold(value)
        held = self._stored()
        kept = held.above(value)
        if keep_diagonal:
            kept |= held.indices == held.runs()
        return self._again(held.chosen(kept))

    def largest(self, k: int, *, combine: str = "union", keep_diagonal: bool = False) -> Self:
        """The `k` numbers of the largest magnitude of each row of the full matrix, made symmetric.

        What is among the largest of row i need not be among those of row j.

        Parameters
        ----------
        k : int
            Numbers to keep in each row.
        combine : {"union", "intersection"}
            Keep a pair if it is among the largest of either of its rows, which keeps at least `k` where there
            are as many, or of both, which keeps at most `k`.
        keep_diagonal : bool
            Keep the diagonal, whatever it holds, and do not count it.

        Returns
        -------
        SparseHalf
            Of the same rows.

        Raises
        ------
        ValueError, TypeError
            If `k` is negative or no integer, or `combine` none of its choices.

        Notes
        -----
        Of equal magnitudes those in earlier columns count as larger, and NaN as infinite. Takes
        O(nnz log nnz) time and about 40 bytes for each number of the full matrix.

        Examples
        --------
        >>> S = vech.SparseHalf([0, 0, 1, 3], [0, 0, 1], [1.0, 3.0, 2.0], 3, triangle="lower")
        >>> S.expand()
        array([[0., 1., 3.],
               [1., 0., 2.],
               [3., 2., 0.]])
        >>> S.largest(1).nnz, S.largest(1, combine="intersection").nnz
        (2, 1)
        """
        if isinstance(k, bool) or not hasattr(k, "__index__"):
            raise TypeError(f"k must be an integer, not {k!r}")
        if k < 0:
            raise ValueError(f"k must be 0 or more, not {k}")
        one_of("combine", combine, ("union", "intersection"))
        held = self._stored()
        on = held.indices == held.runs()
        numbered = replace(held, data=np.arange(held.indices.size), kind=Kind.SYMMETRIC)
        full = numbered.to_scipy("csr", "full", None)
        rows, number = np.repeat(np.arange(held.n), np.diff(full.indptr)), full.data
        if keep_diagonal:
            off = ~on[number]
            rows, number = rows[off], number[off]
        order = np.lexsort((-sizes(held.settled().data)[number], rows))
        counts = np.bincount(rows, minlength=held.n)
        rank = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
        votes = np.bincount(number[order[rank < k]], minlength=held.indices.size)
        needed = np.where(on | (combine == "union"), 1, 2)
        kept = votes >= needed
        return self._again(held.chosen(kept | on if keep_diagonal else kept))

    def _scaled(self, d: Array) -> Self:
        held = self._stored().settled()
        of_row = d if self._places is None else d[self._places]
        data = of_row[held.runs()] * held.data * of_row[held.indices]
        sparse_dtype(data.dtype)
        return self._again(replace(held, data=data))

    def _computed(
        self, ufunc: np.ufunc, operands: list[Any], labels: tuple[Any, ...] | None, in_place: bool
    ) -> Any:
        if in_place:
            return NotImplemented  # Python takes S = S + T instead
        if not all(isinstance(x, Algebra) for x in operands if isinstance(x, Store)):
            return _of_packed(ufunc, operands)
        rules = [Half(x._values[:0], VECH, x.kind) if isinstance(x, Algebra) else x for x in operands]
        dtype = ufunc(*(x.numbers if isinstance(x, Half) else x for x in rules)).dtype
        kind = kind_of_result(ufunc, tuple(rules), sparse_dtype(dtype))
        if _fills(ufunc, operands):
            return self._filled(ufunc, operands)
        left, right = operands[0], operands[-1]
        if isinstance(left, Algebra) and isinstance(right, Algebra) and len(operands) == 2:
            return left._united(ufunc, right, kind, labels)
        held = self._stored().settled()
        data = ufunc(*(held.data if x is self else x for x in operands))
        return self._again(_true(ufunc, replace(held, data=data, kind=kind)))

    def _filled(self, ufunc: np.ufunc, operands: list[Any]) -> Packed:
        """What is not zero where nothing is stored."""
        if ufunc in SUMS + PRODUCTS:
            raise TypeError(
                f"np.{ufunc.__name__} would change the zeros that a SparseHalf does not store: "
                f"compute with to_packed(), which stores them"
            )
        check_memory(
            VECH.length(self._n) * self.dtype.itemsize,
            f"np.{ufunc.__name__} is true here where nothing is stored; S != T, S < T and S > T are not",
        )
        return _of_packed(ufunc, operands)

    def _united(self, ufunc: np.ufunc, other: Arrays, kind: Kind, labels: tuple[Any, ...] | None) -> Self:
        """The ufunc of two stores."""
        left, right, places = _aligned(self, other)
        left, right = left.settled(), (right if right.grow == left.grow else turned(right)).settled()
        both = union(left, right)
        a, b = np.zeros(both.indices.size, left.data.dtype), np.zeros(both.indices.size, right.data.dtype)
        a[both.left], b[both.right] = left.data, right.data
        held = replace(left, indptr=both.indptr, indices=both.indices, data=a, kind=kind)
        if ufunc is np.multiply:
            in_both = both.left & both.right
            held, b = held.chosen(in_both), b[in_both]
        held = _true(ufunc, replace(held, data=ufunc(held.data, b)))
        return self._of(held, labels=labels, places=places, n=self._n)


def _fills(ufunc: np.ufunc, operands: list[Any]) -> bool:
    """Whether what is not stored would not be zero any more; a product does not look at it."""
    if ufunc in PRODUCTS:
        return ufunc is np.divide and isinstance(operands[-1], Algebra)
    with np.errstate(all="ignore"):
        rest = ufunc(*(np.zeros(1, x.dtype) if isinstance(x, Algebra) else x for x in operands))
    return bool(rest[0])


def _of_packed(ufunc: np.ufunc, operands: list[Any]) -> Packed:
    packed = [x.to_packed() if isinstance(x, Store) and not isinstance(x, Packed) else x for x in operands]
    first: Packed = next(x for x in packed if isinstance(x, Packed))
    return first._entrywise(ufunc, *packed)  # type: ignore[no-any-return]


def _true(ufunc: np.ufunc, held: Compressed) -> Compressed:
    """Of a comparison, or of logic, only what is true is stored; of arithmetic, zeros that come out too."""
    return held if ufunc in ARITHMETIC else held.chosen(held.data != 0)


def _aligned(a: Arrays, b: Arrays) -> tuple[Compressed, Compressed, Indices | None]:
    """Both triangles, of the same rows: all, or those where either holds any."""
    if a._places is None and b._places is None:
        return a._stored(), b._stored(), None
    entries = [x._entries() for x in (a, b)]
    places = np.unique(np.concatenate([axis for rows, columns, _ in entries for axis in (rows, columns)]))
    triangles = []
    for x, (rows, columns, data) in zip((a, b), entries, strict=True):
        counts = np.bincount(np.searchsorted(places, rows), minlength=places.size)
        indptr = np.concatenate(([0], np.cumsum(counts)))
        indices = np.searchsorted(places, columns).astype(np.int32)
        triangles.append(Compressed(indptr, indices, data, x.triangle == "lower", True, x.kind))
    return triangles[0], triangles[1], places
