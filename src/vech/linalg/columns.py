"""Halves and vecs of matrices as columns, and the sparse arrays and operators that map them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, as_array, family, is_array
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.layout import Layout, as_side
from vech.layouts.orders import TensorOrder
from vech.moves.expanding import expand
from vech.moves.packing import pack


class Halves:
    """Halves of n x n matrices in one layout, columns of x, and the linear maps between them and vecs.

    Numbers move as in the layout without its scales, `bare`; complex ones as two real columns.
    """

    def __init__(self, n: int, layout: AnyLayout) -> None:
        if layout.implied == 1:
            raise ValueError(
                f"layout {layout.name} leaves out a diagonal of ones, so vec is no linear function "
                f"of its halves: take one that stores the diagonal, such as {layout.plain.name!r}"
            )
        self.n = n
        self.layout = layout
        self.bare = layout
        if isinstance(layout, Layout | TensorOrder):
            self.bare = replace(layout, diagonal_scale=1.0, offdiagonal_scale=1.0)
        self.length: int = layout.length(n)

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of the numbers of a half."""
        i, j = self.bare.pair(np.arange(self.length), self.n)
        return i, j

    def scales(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> Array:
        return np.asarray(np.where(i == j, self.layout.diagonal_scale, self.layout.offdiagonal_scale))

    def duplicate(self, x: Array) -> Array:
        """D x."""
        return self._expand(self._divided(x), "symmetric").reshape(self.n**2, x.shape[1])

    def fold(self, x: Array) -> Array:
        """D^T x: both numbers of each pair summed."""
        full = x.reshape(self.n, self.n, x.shape[1])
        return self._divided(self._pack(full + full.swapaxes(0, 1), diagonal=full))

    def eliminate(self, x: Array) -> Array:
        """L x."""
        full = x.reshape(self.n, self.n, x.shape[1]).swapaxes(0, 1)
        return self._multiplied(self._pack(full))

    def scatter(self, x: Array) -> Array:
        """L^T x."""
        return self._expand(self._multiplied(x), "triangular").swapaxes(0, 1).reshape(self.n**2, x.shape[1])

    def matrices(self, x: Array, *, weighted: bool = False) -> Array:
        """The full matrices, shape (k, n, n); weighted, ``D D^+T`` in place of D."""
        x = self._multiplied(x) / self._weights() if weighted else self._divided(x)
        return np.moveaxis(self._expand(x, "symmetric"), -1, 0)

    def of_matrices(self, full: Array, *, weighted: bool = False) -> Array:
        """The halves of symmetric full matrices; weighted, by D^T."""
        x = self._pack(np.moveaxis(full, 0, -1))
        return self._divided(x * self._weights()) if weighted else self._multiplied(x)

    def _weights(self) -> Array:
        """How often each number is in the full matrix: the diagonal of D^T D."""
        i, j = self.pairs()
        return np.where(i == j, 1.0, 2.0)[:, None]

    def _multiplied(self, x: Array) -> Array:
        return x * self.scales(*self.pairs())[:, None] if self.layout.scaled else x

    def _divided(self, x: Array) -> Array:
        return x / self.scales(*self.pairs())[:, None] if self.layout.scaled else x

    def _expand(self, x: Array, kind: str) -> Array:
        return _by_parts(lambda part: expand(part, self.bare, kind=kind, axis=0), x)

    def _pack(self, full: Array, diagonal: Array | None = None) -> Array:
        on = np.arange(self.n)
        if self.bare.implied == 0:
            full = full.copy()
            full[on, on] = 0
        elif diagonal is not None:
            full[on, on] = diagonal[on, on]
        return _by_parts(lambda part: pack(part, self.bare, use=self.bare.triangle, axis=0), full)


def _by_parts(move: Callable[[Array], Array], x: Array) -> Array:
    """A move of complex numbers as one of their real and imaginary parts, side by side on the last axis."""
    if x.dtype.kind != "c":
        return move(x)
    return np.ascontiguousarray(move(np.ascontiguousarray(x).view(np.float64))).view(np.complex128)


def halves_of(n: object, layout: str | AnyLayout) -> Halves:
    return Halves(as_side(n), as_layout(layout))


def stored_halves(n: int, layout: str | AnyLayout) -> Halves:
    """The halves of a layout that holds any symmetric matrix."""
    layout = as_layout(layout)
    if layout.implied is not None:
        raise ValueError(
            f"layout {layout.name} leaves out the diagonal: take one that stores it, "
            f"such as {layout.plain.name!r}"
        )
    return Halves(n, layout)


def inexact(x: Array, what: str) -> Array:
    letter = family(x.dtype)
    if letter in "Mm":
        raise TypeError(f"{what} holds {x.dtype}, and products of dates are none: pass numbers")
    return x.astype(np.complex128 if letter == "c" else np.float64, copy=False)


def sparse_rows(shape: tuple[int, int], columns: Array, values: Array, present: Array | None = None) -> Any:
    """A canonical csr_array with one number in each row, or in each row that is present."""
    from scipy.sparse import csr_array

    ends = np.arange(1, shape[0] + 1) if present is None else np.cumsum(present)
    matrix = csr_array((values, columns, np.concatenate([[0], ends])), shape=shape)
    matrix.has_canonical_format = True
    return matrix


def operator(
    shape: tuple[int, int],
    apply: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    dtype: Any = np.float64,
) -> Any:
    """A LinearOperator of functions of columns, float64 or complex128."""
    return _columns_operator()(shape, apply, adjoint, dtype)


@cache
def _columns_operator() -> Any:
    from scipy.sparse.linalg import LinearOperator

    class ColumnsOperator(LinearOperator):  # type: ignore[misc]
        """SciPy's operator, but that its adjoint is one like it, and wrong shapes are named."""

        def __init__(self, shape: Any, apply: Any, adjoint: Any, dtype: Any) -> None:
            super().__init__(dtype, shape)
            self._apply, self._apply_adjoint = apply, adjoint

        def dot(self, x: Any) -> Any:
            multiplied = is_array(x) and not hasattr(x, "matvec") and np.ndim(x) > 0
            return super().dot(as_array(x, "x") if multiplied else x)

        def matvec(self, x: Any) -> Any:
            return super().matvec(self._checked(x))

        def matmat(self, X: Any) -> Any:
            return super().matmat(self._checked(X))

        def rmatvec(self, x: Any) -> Any:
            return self.H.matvec(x)

        def rmatmat(self, X: Any) -> Any:
            return self.H.matmat(X)

        def _matvec(self, x: Any) -> Array:
            return self._matmat(x.reshape(-1, 1)).ravel()

        def _matmat(self, X: Any) -> Array:
            return self._apply(inexact(X, "x"))  # type: ignore[no-any-return]

        def _adjoint(self) -> Any:
            return type(self)(self.shape[::-1], self._apply_adjoint, self._apply, self.dtype)

        def _transpose(self) -> Any:
            def conjugated(function: Any) -> Any:
                return lambda x: function(x.conj()).conj()

            return type(self)(
                self.shape[::-1], conjugated(self._apply_adjoint), conjugated(self._apply), self.dtype
            )

        def _checked(self, x: Any) -> Any:
            rows, columns = self.shape
            x = as_array(x, "x") if is_array(x) else x
            if np.ndim(x) > 0 and np.shape(x)[0] != columns:
                raise ValueError(
                    f"x has shape {np.shape(x)}, but the operator is {rows} x {columns}: "
                    f"({columns},) or ({columns}, m)"
                )
            return x

    return ColumnsOperator
