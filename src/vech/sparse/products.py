"""Products of a sparse half: each number stored is read once and multiplied for both triangles."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import _core, frames
from vech.arrays import Array, Dtype, as_array, check_memory, check_out, extension, resolve_threads
from vech.layouts.kind import Kind
from vech.maps import as_read
from vech.moves.nonzeros import Compressed, scipy_array
from vech.moves.runs import KERNEL
from vech.packed import norms
from vech.sparse.arrays import Arrays
from vech.sparse.snapshot import snapshot


class Products(Arrays):
    """Products with vectors and matrices, from both sides."""

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with a vector, a matrix or a batch of matrices, ``S @ x``.

        Parameters
        ----------
        x : array, shape (n,) or (..., n, m)
            What is multiplied; C-contiguous arrays of the result's dtype are not copied.
        out : array, optional
            Where the result goes: its exact shape and dtype, no memory in common with x and the numbers.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        array, shape (n,) or (..., n, m)
            In the dtype of NumPy's ``full @ x``; `out` itself where it is given.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes do not fit, or the arrays of the store are no longer one triangle.
        MemoryError
            If the result is larger than memory and swap together, before anything is allocated.

        Notes
        -----
        y_i = sum_j a_ij x_j, where each number stored at (i, j) adds a_ij x_j to y_i and its mirror image
        times x_i to y_j. float32, float64, complex64 and complex128 have a kernel, into which real numbers
        and smaller ones are converted: it reads the numbers once for up to 8 columns of x, and gives the same
        bits for any number of threads. Threads share the rows; where a pattern is so random that each share
        reaches most of the others' rows, there are few of them. Other dtypes go through SciPy. Memory, result
        excluded: at most a sixteenth of the numbers stored for each of these columns. What is not stored is
        not multiplied: an infinity in x meets only the numbers stored in its row.

        Examples
        --------
        >>> import numpy as np
        >>> vech.SparseHalf([0, 1, 2], [0, 0], [1, 2], 2, triangle="lower").matmul(np.array([1, 10]))
        array([21,  2])
        """
        return self._product(x, out, threads)

    def rmatvec(self, x: ArrayLike) -> Array:
        """``S.H @ x``, without a copy of the numbers; arguments and errors are as for `matmul`.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [1, 2, 3], 2, triangle="lower").rmatvec([1, 0])
        array([1, 2])
        """
        return self._product(x, conjugates=not self._kind.conjugates, negates=self._kind.negates)

    rmatmat = rmatvec

    def __rmatmul__(self, x: ArrayLike) -> Array:
        x = x if isinstance(x, np.ndarray) else as_read(x)
        if x.ndim > 0 and x.shape[-1] != self._n:
            raise ValueError(
                f"x has shape {x.shape}, but x @ S needs {self._n} columns: "
                f"({self._n},) or (..., m, {self._n})"
            )
        conjugates, negates = self._kind.conjugates, self._kind.negates
        if x.ndim < 2:
            return self._product(x, conjugates=conjugates, negates=negates)
        product = self._product(x.swapaxes(-1, -2), conjugates=conjugates, negates=negates)
        return product.swapaxes(-1, -2)

    def quadratic(self, x: ArrayLike) -> Any:
        """The quadratic form x^H S x, of a vector or of each column of a matrix.

        Parameters
        ----------
        x : array, shape (n,) or (n, m)
            One vector, or one a column.

        Returns
        -------
        number, or array of shape (m,)
            In the dtype of ``x.conj() @ (S @ x)``; real for a Hermitian store.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes do not fit.

        Notes
        -----
        Cost: one product, see `matmul`.

        Examples
        --------
        >>> vech.SparseHalf([0, 1, 3], [0, 0, 1], [2.0, 1.0, 3.0], 2, triangle="lower").quadratic([1, -1])
        np.float64(3.0)
        """
        given, x = x, as_array(x, "x")
        frames.check_along(given, 0, self._labels, "x")
        if x.ndim > 2:
            raise ValueError(
                f"x has shape {x.shape}: a quadratic form takes a vector or columns, (n,) or (n, m)"
            )
        return frames.like_columns(given, norms.form(x, self.matmul(x), self._kind))

    def operator(self, *, expected: int | None = None) -> Any:
        """A linear operator for many products: a snapshot of the matrix, half or full, whichever is faster.

        Parameters
        ----------
        expected : int, optional
            How many products are expected; many, unless said. A full matrix must first be made, at the price
            of several products.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator, shape (n, n)
            With two attributes more, which its repr shows: `uses`, "half" or "full", and `reason`.

        Raises
        ------
        ValueError, TypeError
            If `expected` is no count, or the arrays of the store are no longer one triangle.
        MemoryError
            If a full matrix is needed and larger than memory.

        Notes
        -----
        A snapshot: it holds its own copy of the matrix, so what is later written into the arrays of the store
        does not reach it. It takes the memory of a half or of a full CSR matrix. ``S @ x`` itself keeps
        but a few bounds on where columns lie, 2 KB, and sees every change.

        The choice comes from the dtype, the pattern and `expected`, never from timing. "full" is chosen

        - for dtypes without a kernel, whose half is taken apart anew for every product, where at least 2
          products are expected;
        - where rows hold few numbers beside each other (at most 4 stored, as in a tridiagonal matrix or a
          small 7-point grid) and the full matrix fits the caches, where at least 16 products are expected: a
          vector then takes half to 0.9 of the time, while products with many columns would be sooner done by
          the half.

        Otherwise "half" is, measured at 0.9 to 2 times the speed of SciPy's product with the full matrix
        for banded patterns and 1.1 to 1.8 for random ones, one vector at a time.

        Examples
        --------
        >>> import numpy as np
        >>> S = vech.SparseHalf([0, 1, 3], [0, 0, 1], [2.0, 1.0, 3.0], 2, triangle="lower")
        >>> A = S.operator()
        >>> A.uses
        'full'
        >>> A @ np.ones(2)
        array([3., 4.])
        """
        return snapshot(self, self.dtype in KERNEL, expected)

    def _product(
        self,
        x: ArrayLike,
        out: Array | None = None,
        threads: int | None = None,
        *,
        conjugates: bool = False,
        negates: bool = False,
    ) -> Array:
        """The product, of the conjugated matrix or of its negative."""
        if hasattr(x, "to_csr") or hasattr(x, "tocsr"):
            other = "T.to_csr()" if hasattr(x, "to_csr") else "T"
            raise TypeError(
                f"a SparseHalf multiplies arrays, not a {type(x).__name__} T: S.to_csr() @ {other} "
                f"is the sparse product"
            )
        given, x = x, as_array(x, "x")
        frames.check_along(given, -2 if x.ndim > 1 else 0, self._labels, "x")
        n = self._n
        if x.ndim == 0 or (x.shape[-2] if x.ndim > 1 else x.size) != n:
            raise ValueError(
                f"x has shape {x.shape}, but the product needs {n} rows: ({n},) or (..., {n}, m)"
            )
        dtype = np.matmul(np.zeros((1, 1), self.dtype), np.zeros((1, 1), x.dtype)).dtype
        columns = math.prod(x.shape[:-2]) * x.shape[-1] if x.ndim > 1 else 1
        workers = resolve_threads(threads, self.nbytes * max(1, columns))
        if out is None:
            check_memory(
                x.size * dtype.itemsize, "multiply fewer columns at a time, or pass out= a memory map"
            )
        else:
            check_out(out, x.shape, dtype, x, self._values, self._indices, self._indptr)
        conjugates &= dtype.kind == "c" and self.dtype.kind == "c"
        flat = x if x.ndim < 3 else np.moveaxis(x, -2, 0).reshape(n, columns)
        if conjugates:
            flat = flat.conj()
        if dtype in KERNEL:
            into = out if out is not None and x.ndim < 3 and out.flags.c_contiguous else None
            product = self._multiply(flat, dtype, workers, into if self._places is None else None)
        else:
            product = self._multiply_others(flat).astype(dtype, copy=False)
        if self._places is not None:
            spread = np.zeros((n, *product.shape[1:]), dtype)
            spread[self._places] = product
            product = spread
        if conjugates:
            np.conjugate(product, out=product)
        if negates:
            np.negative(product, out=product)
        if x.ndim > 2:
            product = np.moveaxis(product.reshape(n, *x.shape[:-2], x.shape[-1]), 0, -2)
        if out is None:
            result: Array = frames.like(given, product)
            return result
        if product is not out:
            out[...] = product
        return out

    def _multiply(self, x: Array, dtype: Dtype, threads: int, out: Array | None) -> Array:
        """The product of dtypes that have a kernel, at the places of the arrays."""
        held = self._stored(judge=False)
        if self._places is not None:
            x = x[self._places]
        x = np.ascontiguousarray(x, dtype)
        y = np.empty(x.shape, dtype) if out is None else out
        number = dtype
        left, right = x, y
        if dtype.kind == "c" and self.dtype.kind != "c":  # two real columns for each
            number = np.dtype(f"f{dtype.itemsize // 2}")
            wide = math.prod(x.shape[1:])
            left, right = (array.reshape(held.n, wide).view(number) for array in (x, y))
        known = self._plans.get(number.itemsize)
        for plan in (known, np.zeros(_core.PLAN_LENGTH, np.int64)):
            if plan is not None and _core.multiply_sparse(
                held.indptr,
                held.indices,
                held.data.astype(number, copy=False),
                left,
                right,
                held.n,
                held.grow,
                self._kind.diagonal,
                self._kind.conjugates,
                self._kind.negates,
                threads,
                plan,
            ):
                self._plans[number.itemsize] = plan
                return y
        self._stored()  # says what is wrong
        raise ValueError("the arrays of the store changed while they were multiplied")

    def _multiply_others(self, x: Array) -> Array:
        """The stored triangle times x, and the other triangle, which has no diagonal, times x; by SciPy."""
        if extension(x.dtype):
            x = x.astype(np.float32)
        if self._places is not None:
            x = x[self._places]
        stored = self._stored()
        off = stored.indices != stored.runs()
        strict = stored.chosen(off)
        other = replace(strict, data=strict.mirrored_data())
        own, mirrored = (_csr(part) for part in (strict if self._kind is Kind.SKEW else stored, other))
        return np.asarray(own @ x + mirrored.T @ x)


def _csr(part: Compressed) -> Any:
    return scipy_array("csr", part.indptr, part.indices, part.data)
