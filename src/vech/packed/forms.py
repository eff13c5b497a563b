"""Products, forms and updates of a matrix, as methods of Packed."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, as_array, check_out
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import Kind
from vech.moves.runs import Half
from vech.packed import norms, products
from vech.store import Store

OWN: Any = object()  # labels as they are


class Forms(Store):
    """What is multiplied and summed on one half."""

    @property
    @abstractmethod
    def half(self) -> Array:
        """The half itself, shape (length,)."""

    @property
    @abstractmethod
    def layout(self) -> AnyLayout:
        """Which number of the half is where."""

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What the other triangle is."""

    @property
    @abstractmethod
    def _held(self) -> Half:
        """The half with its layout and its kind."""

    @abstractmethod
    def _like(
        self, half: Array, layout: AnyLayout | None = None, *, kind: str | None = None, labels: Any = OWN
    ) -> Self:
        """A matrix of the same layout, kind and labels unless told otherwise."""

    def _plain(self) -> Self:
        """The same matrix with its diagonal stored and nothing scaled; itself where it is that."""
        plain = self.layout.plain
        if self.layout == plain:
            return self
        return self._like(self._held.moved(plain).numbers, plain)

    def matmul(self, x: ArrayLike, out: Array | None = None, *, threads: int | None = None) -> Array:
        """The product with a vector, a matrix or a batch of matrices.

        Parameters
        ----------
        x : array, shape (n,), (n, m) or (..., n, m); or series or frame
            What to multiply. Labels of its rows are those of S, in their order.
        out : array of the shape and dtype of the result, optional
            Memory for the result; it must not overlap x or the half.
        threads : int, optional
            At most so many threads for vech's part; BLAS has its own.

        Returns
        -------
        array, shape (n,), (n, m) or (..., n, m)
            In the dtype of NumPy's ``full @ x``; of bfloat16 or float8 both times, in that one. A series or
            frame where x is one, of pandas or xarray, with its labels.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes do not fit.

        Notes
        -----
        float32, float64 and complex numbers of the store's own dtype: the half is read once, for a vector by
        a kernel whose bits do not depend on `threads`, for more than 4 columns in blocks of 256 x 256 or more
        that BLAS multiplies as they are and transposed. Of other dtypes panels of 4 MiB are expanded, for
        narrow floats in float32. An explicit order, or a scale beyond 16 or 1/16, is first converted into a
        plain `Layout`: one more half. Uses the real part of a Hermitian diagonal, the imaginary part of a
        skew-Hermitian one, and zero for a skew one.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([1, 2, 3])).matmul(np.array([[1, 0], [0, 1]]))
        array([[1, 2],
               [2, 3]])
        """
        given, x = x, as_array(x, "x")
        frames.check_along(given, -2 if x.ndim > 1 else 0, self.labels, "x")
        n = self.n
        core = x.shape[-2] if x.ndim > 1 else x.size
        if x.ndim == 0 or core != n:
            raise ValueError(
                f"x has shape {x.shape}, but the product needs {n} rows: ({n},) or (..., {n}, m)"
            )
        dtype = products.product_dtype(self.dtype, x.dtype)
        if out is not None:
            check_out(out, x.shape, dtype, x, self.half)
            products.matmul(self._held, x, out, threads)
            return out
        out = np.empty(x.shape, dtype)
        products.matmul(self._held, x, out, threads)
        product: Array = frames.like(given, out)
        return product

    def quadratic(self, x: ArrayLike) -> Any:
        """The quadratic form x^H S x, of a vector or of each column of a matrix.

        Parameters
        ----------
        x : array, shape (n,) or (n, m)
            One vector, or one a column.

        Returns
        -------
        number, or array of shape (m,)
            In the dtype of `matmul`; real for a Hermitian store.

        Raises
        ------
        ValueError, TypeError
            If shapes or dtypes do not fit.

        Notes
        -----
        Cost: one product, see `matmul`.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([2.0, 1.0, 3.0])).quadratic([1.0, -1.0])
        np.float64(3.0)
        """
        given, x = x, as_array(x, "x")
        frames.check_along(given, 0, self.labels, "x")
        if x.ndim > 2:
            raise ValueError(
                f"x has shape {x.shape}: a quadratic form takes a vector or columns, (n,) or (n, m)"
            )
        if x.ndim == 0 or len(x) != self.n:
            raise ValueError(
                f"x has shape {x.shape}, but the form needs {self.n} rows: ({self.n},) or ({self.n}, m)"
            )
        return frames.like_columns(given, norms.quadratic(self._held, x))

    def trace(self) -> Any:
        """The sum of the diagonal, in the dtype of NumPy's ``full.trace()``.

        Uses the real part of a Hermitian diagonal, the imaginary part of a skew-Hermitian one, zero for a
        skew one. Reads n numbers.

        Returns
        -------
        number
            A NumPy scalar.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([1, 2, 4, 3, 5, 6])).trace()
        np.int64(10)
        """
        return norms.trace(self.diagonal(), self.kind)

    def row_sums(self, *, threads: int | None = None) -> Array:
        """The sum of each row, shape (n,), in the dtype of NumPy's ``full.sum(axis=1)``.

        The half is read once, by the kernel of `matmul`. Narrow floats are added in float32.

        Parameters
        ----------
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        array, shape (n,)

        Raises
        ------
        TypeError
            For dates.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([1, 2, 4, 3, 5, 6])).row_sums()
        array([ 7, 10, 15])
        """
        return norms.row_sums(self._held, threads)

    def sum(self, axis: int | None = None, *, out: None = None) -> Any:
        """The sum of all numbers, or of each column or row, in the dtype of NumPy's ``full.sum()``.

        Parameters
        ----------
        axis : {None, 0, 1}, optional
            As for NumPy's arrays. 1 is `row_sums`.
        out : None
            There for ``numpy.sum``, which passes it on.

        Returns
        -------
        number, or array of shape (n,) with an axis

        Raises
        ------
        ValueError, TypeError
            For another axis, for an `out`, and for dates.

        Notes
        -----
        Cost: the half is read once, as by `row_sums`. Of a skew matrix all numbers sum to zero, of a
        Hermitian one to a real number.

        Examples
        --------
        >>> import numpy as np
        >>> S = vech.Packed(np.array([1, 2, 4, 3, 5, 6]))
        >>> S.sum(), np.sum(S, axis=0)
        (np.int64(32), array([ 7, 10, 15]))
        """
        if out is not None:
            raise TypeError("sum of a store takes no out=: assign what it gives")
        if axis is None:
            return norms.total(self._held)
        if axis not in (0, 1, -1, -2):
            raise ValueError(f"axis must be None, 0 or 1, not {axis!r}")
        return (self.T if axis in (0, -2) else self).row_sums()

    def congruence(self, b: ArrayLike) -> Self:
        """B S B^H as a store; of a vector d: D S D^H, where D has d on its diagonal.

        Parameters
        ----------
        b : array, shape (n,) or (m, n); or series or frame
            A diagonal, whose result keeps the labels, or a matrix. Columns of a frame are labelled as S is,
            and its rows label the result.

        Returns
        -------
        Packed
            Of side n or m, of the same order, its diagonal stored and nothing scaled. B^T takes the place of
            B^H for the kinds "symmetric" and "skew", so that the kind is kept.

        Raises
        ------
        ValueError, TypeError
            If shapes, labels or dtypes do not fit; for a complex b and a real store, which does not say
            whether B^H or B^T.

        Notes
        -----
        Cost: a vector reads the half once and writes the result; a matrix allocates S B^H, shape (n, m), and
        takes half of the second product.

        Examples
        --------
        >>> import numpy as np
        >>> S = vech.Packed(np.array([4.0, 3.0, 9.0]))
        >>> S.congruence(1 / np.sqrt(S.diagonal())).half
        array([1. , 0.5, 1. ])
        >>> S.congruence([[1.0, 1.0]]).half
        array([19.])
        """
        given, b = b, as_array(b, "b")
        if b.ndim not in (1, 2) or b.shape[-1] != self.n:
            across = self.labels is not None and frames.labels_of(given, 0) == self.labels
            way = ": its rows have the labels of S, so pass b.T" if across else ""
            raise ValueError(
                f"b has shape {b.shape}, but a congruence needs ({self.n},) or (m, {self.n}){way}"
            )
        frames.check_along(given, -1, self.labels, "b")
        products.product_dtype(self.dtype, b.dtype)
        if np.iscomplexobj(b) and not np.iscomplexobj(self.half):
            raise TypeError(
                f"b is complex, and this {self.kind} store is {self.dtype}: for B S B^H make it "
                f"Packed(S.half.astype(complex), S.layout, kind={self.kind.conjugated!r}), for B S B^T "
                f"S.astype(complex)"
            )
        if b.ndim == 1:
            scaled = products.scale_both(self._held, b)
            labels = frames.labels_of(given, 0) if self.labels is None else self.labels
            return self._like(scaled.numbers, scaled.layout, labels=labels)
        product = products.congruence(self._held, b)
        return self._like(product.numbers, product.layout, labels=frames.labels_of(given, -2))

    def _scaled(self, d: Array) -> Self:
        return self.congruence(d)

    def add_outer(self, x: ArrayLike, alpha: float = 1.0) -> Self:
        """Add alpha X X^H to the matrix, in place: a vector is one column.

        Parameters
        ----------
        x : array, shape (n,) or (n, k)
            X, cast to the dtype of the store as NumPy's ``+=`` casts.
        alpha : real number
            May be negative.

        Returns
        -------
        Packed
            This store.

        Raises
        ------
        ValueError
            If the shape does not fit, the half is read-only, or its layout does not store the diagonal.
        TypeError
            If alpha X X^H is not of the store's kind (skew; complex X on a "symmetric" store; complex alpha),
            or X or alpha do not fit its dtype.
        OverflowError
            For an alpha beyond the integers of the store's dtype.

        Notes
        -----
        Cost: half of the multiplications of ``X @ X.T``, in blocks of 256 x 256 that BLAS makes; narrow
        floats in float32, added and rounded once. A copy of the half is updated and then written back, so
        that an error or Ctrl-C leaves all of the update or nothing; an explicit order, or a scale beyond 16
        or 1/16, is converted, for one more half.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.zeros(3)).add_outer([1.0, 2.0], alpha=10.0).half
        array([10., 20., 40.])
        """
        frames.check_along(x, 0, self.labels, "x")
        x = as_array(x, "x")
        if x.ndim not in (1, 2) or x.shape[0] != self.n:
            raise ValueError(f"x has shape {x.shape}, but the update needs ({self.n},) or ({self.n}, k)")
        if self.layout.implied is not None:
            raise ValueError(
                f"layout {self.layout.name} does not store the diagonal, and X X^H has one: "
                f"convert the half to {self.layout.plain.name!r} first"
            )
        factor = products.check_outer(self._held, x, alpha)
        after = self._held._replace(numbers=self.half.copy())
        products.add_outer(after, x if x.ndim == 2 else x[:, None], factor)
        self.half[...] = after.numbers
        return self
