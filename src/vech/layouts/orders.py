"""Orders that no walk along rows or columns gives: rectangular full packed, spirals, 3 x 3 tensors.

They answer as a `Layout` does (length, side, position, pair, name, scales), and are none.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.layouts.layout import (
    Layout,
    as_indices,
    as_integer,
    as_scale,
    as_side,
    check_pairs,
    one_of,
    plain_order,
    triangular,
)


class Piece(NamedTuple):
    """Cells (large, small) of a matrix at start + large * large_step + small * small_step of its half.

    A crossed piece stands in the half as it would in the other triangle: conjugated, where complex.
    """

    start: int
    large_step: int
    small_step: int
    crossed: bool = False

    def slot(self, large: Any, small: Any) -> Any:
        """Where cells of this piece are."""
        start = (self.start + 2**63) % 2**64 - 2**63  # the sum fits int64 even where its parts wrap around
        with np.errstate(over="ignore"):
            return np.int64(start) + large * np.int64(self.large_step) + small * np.int64(self.small_step)


class Explicit(ABC):
    """An order of the numbers of one triangle, its diagonal among them, that is not a `Layout`."""

    triangle: str
    diagonal: ClassVar[str] = "stored"
    implied: ClassVar[None] = None
    diagonal_scale: float = 1.0
    offdiagonal_scale: float = 1.0

    @property
    @abstractmethod
    def name(self) -> str:
        """The canonical name, or the call that makes it where it has none."""

    @abstractmethod
    def slot(self, small: Any, large: Any, n: int) -> Any:
        """`position` of pairs small <= large, as ints or int64 arrays; checks nothing.

        Parameters
        ----------
        small, large : int or array of int64
            The smaller and the larger index of each pair.
        n : int
            The side of the matrix.

        Returns
        -------
        int64 or array of int64
            Places in the half.

        Examples
        --------
        >>> RectangularFullPacked("lower").slot(0, 2, n=3)
        array(2)
        """

    @abstractmethod
    def _pair(self, k: NDArray[np.int64], n: int) -> tuple[Any, Any]:
        """The smaller and the larger index of the k-th number."""

    def crossed(self, small: Any, large: Any, n: int) -> Any:
        """Whether numbers stand in the half as they would in the other triangle (conjugated, where complex).

        Checks nothing.

        Parameters
        ----------
        small, large : int or array of int64
            The smaller and the larger index of each pair.
        n : int
            The side of the matrix.

        Returns
        -------
        array of bool, of the shape of the pairs

        Examples
        --------
        >>> RectangularFullPacked("lower").crossed([0, 2], [2, 2], n=3)
        array([False,  True])
        """
        return np.zeros(np.broadcast_shapes(np.shape(small), np.shape(large)), np.bool)

    @property
    def scaled(self) -> bool:
        """Whether stored numbers differ from true values."""
        return (self.diagonal_scale, self.offdiagonal_scale) != (1, 1)

    @property
    def plain(self) -> Layout:
        """The layout by rows of the same triangle, nothing scaled."""
        return plain_order(self.triangle, "rows")

    def length(self, n: int) -> int:
        """Stored numbers for side n: n(n+1)/2. Argument and errors as for `vech.Layout.length`.

        Examples
        --------
        >>> RectangularFullPacked("lower").length(3)
        6
        """
        return int(triangular(as_side(n)))

    def side(self, length: int) -> int:
        """The n whose half has this length, exactly. Argument and errors as for `vech.Layout.side`.

        Examples
        --------
        >>> RectangularFullPacked("lower").side(6)
        3
        """
        return self.plain.side(length)

    def position(self, i: ArrayLike, j: ArrayLike, n: int) -> Any:
        """Where in the half of an n x n matrix the number of the pair {i, j} is.

        Arguments, result and errors are as for `vech.Layout.position`.

        Examples
        --------
        >>> RectangularFullPacked("lower").position(2, [0, 1, 2], n=3)
        array([2, 5, 3])
        """
        self.length(n)
        rows, columns = np.broadcast_arrays(as_indices("row", i, n), as_indices("column", j, n))
        return self.slot(np.minimum(rows, columns), np.maximum(rows, columns), n)[()]

    def diagonal_slots(self, n: int) -> NDArray[np.int64]:
        """Where the diagonal of an n x n matrix is, row by row. Checks nothing.

        Arguments, result and errors are as for `vech.Layout.diagonal_slots`.

        Examples
        --------
        >>> RectangularFullPacked("lower").diagonal_slots(3)
        array([0, 4, 3])
        """
        i = np.arange(n)
        return np.asarray(self.slot(i, i, n))

    def pair(self, k: ArrayLike, n: int) -> tuple[Any, Any]:
        """Row and column, in the order's own triangle, of the k-th number of a half.

        Arguments, result and errors are as for `vech.Layout.pair`.

        Examples
        --------
        >>> RectangularFullPacked("lower").pair(3, n=3)
        (np.int64(2), np.int64(2))
        """
        small, large = self._pair(as_indices("position", k, self.length(n)), n)
        return (large[()], small[()]) if self.triangle == "lower" else (small[()], large[()])


class Pieces(Explicit):
    """An order of three pieces: the triangles before and after a split, and the rectangle between them."""

    @abstractmethod
    def pieces(self, n: int) -> tuple[int, Piece, Piece, Piece]:
        """The split k, and the pieces of both indices below k, of one, and of none; checks nothing.

        Parameters
        ----------
        n : int
            The side of the matrix.

        Returns
        -------
        split : int
        first, between, second : Piece
            Where cells of each are.

        Examples
        --------
        >>> split, first, between, second = RectangularFullPacked("lower").pieces(n=3)
        >>> split, first.slot(2, 0), second.crossed
        (2, np.int64(2), True)
        """

    def slot(self, small: Any, large: Any, n: int) -> Any:
        check_pairs(small, large)
        split, first, between, second = self.pieces(n)
        inside = np.where(large < split, first.slot(large, small), between.slot(large, small))
        return np.where(small < split, inside, second.slot(large, small))

    def crossed(self, small: Any, large: Any, n: int) -> Any:
        check_pairs(small, large)
        split, first, between, second = self.pieces(n)
        inside = np.where(np.asarray(large) < split, first.crossed, between.crossed)
        return np.where(np.asarray(small) < split, inside, second.crossed)


@dataclass(frozen=True)
class RectangularFullPacked(Pieces):
    """LAPACK's rectangular full packed: a half as a rectangle without gaps, on which BLAS level 3 works.

    Parameters
    ----------
    triangle : "lower" or "upper"
        LAPACK's UPLO.
    transposed : bool
        LAPACK's TRANSR: False is "N"; True is "T", of complex numbers "C".

    Notes
    -----
    The rectangle has n + 1 (n odd: n) rows, columns adjoining in memory; transposed it is the other way
    round. Both small triangles of the matrix are in it as triangles of squares, one of them as it stands in
    the other half of the matrix. For complex numbers that part is conjugated (transposed: all but that
    part), so only Hermitian and triangular matrices have this form. Source: F. Gustavson, J. Wasniewski, J.
    Dongarra, J. Langou, "Rectangular full packed format for Cholesky's algorithm", ACM TOMS 37(2), 2010.

    Examples
    --------
    >>> RectangularFullPacked("lower").pair(range(6), n=3)
    (array([0, 1, 2, 2, 1, 2]), array([0, 0, 0, 2, 1, 1]))
    """

    triangle: str = "lower"
    transposed: bool = False

    def __post_init__(self) -> None:
        one_of("triangle", self.triangle, ("lower", "upper"))
        if not isinstance(self.transposed, bool):
            raise TypeError(f"transposed is True or False, not {self.transposed!r}")

    @property
    def name(self) -> str:
        """The canonical name."""
        return f"lapack-rfp-{'t' if self.transposed else 'n'}{self.triangle[0]}"

    def pieces(self, n: int) -> tuple[int, Piece, Piece, Piece]:
        even = 1 - n % 2
        rows, columns = n + even, (n + 1) // 2
        down, across = (columns, 1) if self.transposed else (1, rows)

        def piece(row: int, column: int, *, by_large: bool, crossed: bool) -> Piece:
            """The piece that begins there, and whose larger (or smaller) index goes down the rectangle."""
            steps = (down, across) if by_large else (across, down)
            return Piece(row * down + column * across, *steps, crossed != self.transposed)

        if self.triangle == "lower":
            split = columns
            body = piece(even, 0, by_large=True, crossed=False)
            rest = piece(-split, 1 - even - split, by_large=False, crossed=True)
            return split, body, body, rest
        split = n // 2
        body = piece(0, -split, by_large=False, crossed=False)
        rest = piece(n - split + even, 0, by_large=True, crossed=True)
        return split, rest, body, body

    def _pair(self, k: NDArray[np.int64], n: int) -> tuple[Any, Any]:
        even = 1 - n % 2
        rows, columns = n + even, (n + 1) // 2
        row, column = (
            (k // max(columns, 1), k % max(columns, 1)) if self.transposed else (k % rows, k // rows)
        )
        if self.triangle == "lower":
            body = row - even >= column
            large = np.where(body, row - even, column + columns - 1 + even)
            return np.where(body, column, row + columns), large
        split = n // 2
        body = row <= column + split
        large = np.where(body, column + split, row - (n - split + even))
        return np.where(body, row, column), large


@dataclass(frozen=True)
class Spiral(Pieces):
    """TensorFlow Probability's ``fill_triangular``: numbers wind from the end of the matrix to its middle.

    Parameters
    ----------
    triangle : "lower" or "upper"
        The two are not transposes of each other.

    Notes
    -----
    Of the numbers x, m = n(n+1)/2 of them, the lower one is the lower triangle of ``x[n:]`` followed by
    ``x[::-1]``, reshaped to n x n; the upper one the upper triangle of x followed by ``x[n:][::-1]``.

    Examples
    --------
    >>> Spiral("lower").pair(range(6), n=3)
    (array([2, 2, 2, 0, 1, 1]), array([2, 1, 0, 0, 1, 0]))
    """

    triangle: str = "lower"

    def __post_init__(self) -> None:
        one_of("triangle", self.triangle, ("lower", "upper"))

    @property
    def name(self) -> str:
        """The canonical name."""
        return f"tfp-fill-triangular-{self.triangle}"

    def pieces(self, n: int) -> tuple[int, Piece, Piece, Piece]:
        length = triangular(n)
        if self.triangle == "lower":
            back = Piece(2 * length - n - 1, -n, -1)
            return n // 2, Piece(n, n, 1), back, back
        ahead = Piece(0, 1, n)
        return (n + 1) // 2, ahead, ahead, Piece(2 * length - 1, -1, -n)

    def _pair(self, k: NDArray[np.int64], n: int) -> tuple[Any, Any]:
        length = triangular(n)
        if self.triangle == "lower":
            large, small = np.divmod(k - n, n)
            ahead = (large >= 0) & (large < n // 2) & (small <= large)
            back_large, back_small = _divmod(2 * length - n - 1, k, n)
            return np.where(ahead, small, back_small), np.where(ahead, large, back_large)
        small, large = np.divmod(k, n)
        ahead = (small < (n + 1) // 2) & (small <= large)
        back_small, back_large = _divmod(2 * length - 1, k, n)
        return np.where(ahead, small, back_small), np.where(ahead, large, back_large)


def _divmod(end: int, k: NDArray[np.int64], n: int) -> tuple[Any, Any]:
    """end - k, which may need 64 bits, by n."""
    rows, columns = np.divmod(np.uint64(max(end, 0)) - k.astype(np.uint64), np.uint64(n))
    return rows.astype(np.int64), columns.astype(np.int64)


@dataclass(frozen=True)
class TensorOrder(Explicit):
    """The six numbers of a symmetric 3 x 3 tensor in any order, as mechanics and imaging write them.

    Parameters
    ----------
    components : str
        The six of xx, yy, zz, xy (or yx), xz, yz in their order, blanks between them; those off the diagonal
        of one triangle.
    diagonal_scale, offdiagonal_scale : float
        Stored number = true value x scale. Finite, real, positive.

    Raises
    ------
    ValueError
        If a component is missing, unknown or there twice, or a scale is not finite and positive.
    TypeError
        For components that are no text, or a scale that is not a real number.

    Examples
    --------
    >>> engineering_strain = TensorOrder("xx yy zz yz xz xy", offdiagonal_scale=2)
    >>> engineering_strain.name, engineering_strain.position("xyz".index("y"), "xyz".index("z"), n=3)
    ('voigt-strain', np.int64(3))
    """

    components: str
    diagonal_scale: float = 1.0
    offdiagonal_scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.components, str):
            raise TypeError(f"components is text such as 'xx yy zz yz xz xy', not {self.components!r}")
        words = self.components.lower().split()
        pairs = {frozenset(word) for word in words}
        known = all(len(word) == 2 and set(word) <= set("xyz") for word in words)
        if not known or len(words) != 6 or len(pairs) != 6:
            raise ValueError(
                f"components {self.components!r} are not the six numbers of a symmetric 3 x 3 tensor: "
                f"xx yy zz and one each of xy or yx, xz or zx, yz or zy, in their order"
            )
        if len({word[0] < word[1] for word in words if word[0] != word[1]}) > 1:
            raise ValueError(
                f"components {self.components!r} mix both triangles: write xy xz yz, or yx zx zy"
            )
        object.__setattr__(self, "components", " ".join(words))
        for name in ("diagonal_scale", "offdiagonal_scale"):
            object.__setattr__(self, name, as_scale(name, getattr(self, name)))

    @property
    def name(self) -> str:
        """The canonical name, or the call that makes it where it has none."""
        return next((name for name, order in TENSORS.items() if order == self), repr(self))

    @property
    def triangle(self) -> str:  # type: ignore[override]
        """The triangle whose numbers are stored."""
        return "upper" if any(word[0] < word[1] for word in self.components.split()) else "lower"

    def __repr__(self) -> str:
        scales = "".join(
            f", {name}={value!r}"
            for name in ("diagonal_scale", "offdiagonal_scale")
            if (value := getattr(self, name)) != 1
        )
        return f"TensorOrder({self.components!r}{scales})"

    def length(self, n: int) -> int:
        """6, the stored numbers for side 3, the only one.

        Parameters
        ----------
        n : int
            The side: 3.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            For any other side.

        Examples
        --------
        >>> TensorOrder("xx yy zz yz xz xy").length(3)
        6
        """
        if as_side(n) != 3:
            raise ValueError(f"{self.name} is an order of 3 x 3 tensors: n = {n} has none")
        return 6

    def side(self, length: int) -> int:
        """3, the side of the only length there is, 6.

        Parameters
        ----------
        length : int
            How many numbers a half holds: 6.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            For any other length.

        Examples
        --------
        >>> TensorOrder("xx yy zz yz xz xy").side(6)
        3
        """
        if as_integer("length", length) != 6:
            raise ValueError(f"a half of length {length} fits no n: {self.name} holds 6 numbers, of n = 3")
        return 3

    def slot(self, small: Any, large: Any, n: int) -> Any:
        check_pairs(small, large)
        smalls, larges = self._pairs()
        places = np.zeros((3, 3), np.int64)
        places[smalls, larges] = np.arange(6)
        return places[small, large]

    def _pair(self, k: NDArray[np.int64], n: int) -> tuple[Any, Any]:
        smalls, larges = self._pairs()
        return smalls[k], larges[k]

    def _pairs(self) -> NDArray[np.int64]:
        return np.array([sorted(map("xyz".index, word)) for word in self.components.split()]).T


TENSORS = {
    "voigt-stress": TensorOrder("xx yy zz yz xz xy"),
    "voigt-strain": TensorOrder("xx yy zz yz xz xy", offdiagonal_scale=2.0),
    "mandel": TensorOrder("xx yy zz yz xz xy", offdiagonal_scale=math.sqrt(2)),
    "vtk-symmetric-tensor": TensorOrder("xx yy zz xy yz xz"),
    "abaqus-voigt-stress": TensorOrder("xx yy zz xy xz yz"),
    "abaqus-voigt-strain": TensorOrder("xx yy zz xy xz yz", offdiagonal_scale=2.0),
    "toro-information": TensorOrder("xx xy yy zz xz yz"),
}
ORDERS: dict[str, Explicit] = {
    order.name: order
    for order in (
        *(
            RectangularFullPacked(triangle, transposed)
            for transposed in (False, True)
            for triangle in ("upper", "lower")
        ),
        *(Spiral(triangle) for triangle in ("lower", "upper")),
        *TENSORS.values(),
    )
}
