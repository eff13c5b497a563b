"""What a Cholesky factor answers, wherever its numbers are: solutions, and the triangle L by itself."""

from __future__ import annotations

import math
from typing import Any, Never

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, Dtype, as_array
from vech.linalg.factor.answers import columns, one_norm, product, solved
from vech.linalg.factor.promise import TriangularFactor
from vech.linalg.units import times_power


class Factorization:
    """What a Cholesky factor answers, wherever its numbers are: in memory, or in tiles."""

    __array_ufunc__ = None  # NumPy leaves the operators to those below

    def __init__(self, factor: TriangularFactor, labels: tuple[Any, ...] | None) -> None:
        self._factor, self._labels = factor, labels

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._factor.n

    @property
    def dtype(self) -> Dtype:
        """The dtype of the factor."""
        return self._factor.dtype

    @property
    def L(self) -> Triangle:
        """The lower triangular factor, a view: it multiplies (``F.L @ z``) and solves, as does ``F.L.H``."""
        return Triangle(self._factor, labels=self._labels)._view_of(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n={self.n}, dtype={self.dtype})"

    def _repr_html_(self) -> str:
        """A picture of L, and the facts, for notebooks: as of stores."""
        from vech.derived.portrait import factor_html

        return factor_html(self)

    def _sample(self, rows: Array) -> Array | str:
        """L of these rows and columns, for a picture; or why it takes long."""
        raise NotImplementedError

    def __matmul__(self, x: object) -> Never:
        raise TypeError(f"a {type(self).__name__} is no matrix: F.L @ x multiplies by L, and S @ x by S")

    __rmatmul__ = __matmul__

    def solve(self, b: ArrayLike) -> Array:
        """The solution x of ``S x = b``.

        Parameters
        ----------
        b : array, shape (n,) or (n, m); or series or frame
            The right side, or several as columns. Labels are those of S, in their order.

        Returns
        -------
        array, of the shape of b
            In the precision of the factor; complex where either is. A series or frame where b is one, of
            pandas or xarray, with its labels.

        Raises
        ------
        ValueError, TypeError
            If b has another shape, a dtype that LAPACK does not compute with, NaN or infinity, named.
        OverflowError
            If x has numbers beyond the dtype.

        Notes
        -----
        2 n^2 operations for each column (LAPACK's ?pftrs), in memory of the result alone.

        Examples
        --------
        >>> F = vech.linalg.cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
        >>> F.solve(np.array([8.0, 22.0]))
        array([1., 2.])
        """
        frames.check_along(b, 0, self._labels, "b")
        solution: Array = frames.like(b, solved(self._factor, b))
        return solution

    def logdet(self) -> float:
        """The logarithm of the determinant of S: twice the sum of the logarithms of L's diagonal.

        Returns
        -------
        float

        Examples
        --------
        >>> F = vech.linalg.cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
        >>> round(F.logdet(), 4)
        3.5835
        """
        return product(self._factor.pivots())[1]

    def cond(self) -> float:
        """An estimate of the condition number of S in the 1-norm: at most that, and seldom under a third.

        About twenty products and solves (Higham, "FORTRAN codes for estimating the one-norm", ACM TOMS 14(4),
        1988, as in LAPACK's ?lacn2): O(n^2). 0 for n = 0.

        Returns
        -------
        float

        Examples
        --------
        >>> F = vech.linalg.cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
        >>> F.cond()
        4.0
        """
        factor = self._factor
        # of S: divided by its power of two, no inverse overflows
        exponent = 2 * math.frexp(factor.largest())[1]

        def multiply(x: Array) -> Array:
            return factor.multiply(times_power(factor.multiply_conjugate(x), -exponent))

        def solve(x: Array) -> Array:
            return factor.solve(np.asfortranarray(times_power(x, exponent)))

        return one_norm(multiply, self.n, self.dtype) * one_norm(solve, self.n, self.dtype)


class Triangle:
    """A triangular factor, which multiplies (``F.L @ z``, ``z @ F.L``) and solves: `Cholesky.L`, its ``H``.

    Examples
    --------
    >>> L = vech.linalg.cholesky(vech.Packed(np.array([4.0, 2.0, 10.0]))).L
    >>> L @ np.array([1.0, 1.0]), L.H @ np.array([1.0, 1.0])
    (array([2., 4.]), array([3., 3.]))
    >>> L.solve(np.array([2.0, 4.0])), L.H.solve(np.array([3.0, 3.0]))
    (array([1., 1.]), array([1., 1.]))
    """

    __array_ufunc__ = None  # NumPy leaves the operators to those below

    _of: Factorization | None = None  # which a picture is made of

    def __init__(
        self, factor: TriangularFactor, *, lower: bool = True, labels: tuple[Any, ...] | None = None
    ) -> None:
        self._factor = factor
        self._lower = lower
        self._labels = labels  # of what L^-1 and L^H take; what they give has none

    def _view_of(self, factor: Factorization | None) -> Triangle:
        self._of = factor
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return (self._factor.n, self._factor.n)

    @property
    def dtype(self) -> Dtype:
        """The dtype of the numbers."""
        return self._factor.dtype

    @property
    def H(self) -> Triangle:
        """The conjugate transpose: upper triangular of the lower one; a view."""
        return Triangle(self._factor, lower=not self._lower, labels=self._labels)._view_of(self._of)

    @property
    def T(self) -> Triangle:
        """The transpose of a real factor; a view."""
        if self.dtype.kind == "c":
            raise TypeError("the factor is complex: H is its conjugate transpose, and it has no T")
        return self.H

    def __repr__(self) -> str:
        return f"Triangle({'lower' if self._lower else 'upper'}, n={self.shape[0]}, dtype={self.dtype})"

    def _repr_html_(self) -> str | None:
        """A picture of it, and the facts, for notebooks: as of the factor that it is a view of."""
        from vech.derived.portrait import factor_html

        return None if self._of is None else factor_html(self._of, "L" if self._lower else "L^H")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Never:
        raise TypeError(
            "a Triangle is no array: L @ np.eye(L.shape[0]) is one; and of the factor F, whose F.L it is, "
            "vech.expand(F.half, kind='triangular')"
        )

    def __matmul__(self, z: ArrayLike) -> Array:
        """``L z``, of z of shape (n,) or (n, m): correlates what is not."""
        frames.check_along(z, 0, None if self._lower else self._labels, "z")
        multiply = self._factor.multiply if self._lower else self._factor.multiply_conjugate
        return columns(z, self._factor.n, self.dtype, multiply, "z")

    def __rmatmul__(self, z: ArrayLike) -> Array:
        """``z L``, of z of shape (n,) or (m, n)."""
        return (self.H @ as_array(z, "z").conj().T).conj().T

    def solve(self, b: ArrayLike) -> Array:
        """``L^-1 b``, which whitens what is correlated; all else as for `Cholesky.solve`.

        Examples
        --------
        >>> F = vech.linalg.cholesky(vech.Packed(np.array([4.0, 2.0, 10.0])))
        >>> F.L.solve(np.array([2.0, 4.0]))
        array([1., 1.])
        """
        frames.check_along(b, 0, self._labels if self._lower else None, "b")
        overwrite = self._factor.solve_lower if self._lower else self._factor.solve_upper

        def solved(x: Array) -> Array:
            overwrite(x)
            return x

        return columns(b, self._factor.n, self.dtype, solved)
