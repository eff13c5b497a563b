"""What a half is: which number of a matrix lives where in the vector that holds it once."""

from __future__ import annotations

import math
import operator
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.maps import as_read, check_mapped

BOOLS = (bool, np.bool)
LARGEST_SIDE = 2**32 - 1  # of the next one, n(n+1)/2 needs more than 63 bits


@dataclass(frozen=True)
class Layout:
    """Where each pair {i, j} of a matrix lives in the half that holds it once.

    Parameters
    ----------
    triangle : "lower" or "upper"
        The triangle whose numbers are stored.
    traversal : "columns" or "rows"
        The way through that triangle.
    diagonal : "stored", "zero" or "one"
        Whether the half holds the diagonal, or leaves it out because it is all zero or all one (a *strict*
        half).
    diagonal_scale, offdiagonal_scale : float
        Stored number = true value x scale. Finite, real, positive.

    Raises
    ------
    ValueError
        For a name that is none of these, or a scale that is not finite and positive.
    TypeError
        For a scale that is not a real number.

    Notes
    -----
    Lower by rows and upper by columns visit the pairs in one order, in runs that *grow* (1, 2,
    ... n numbers); lower by columns and upper by rows visit them in the other, in runs that *shrink*. Where n
    is given it is at most 4294967295.

    Examples
    --------
    >>> by_columns, by_rows = Layout("lower", "columns"), Layout("lower", "rows")
    >>> by_columns.pair([0, 1, 2, 3], n=3)
    (array([0, 1, 2, 1]), array([0, 0, 0, 1]))
    >>> by_rows.pair([0, 1, 2, 3], n=3)
    (array([0, 1, 1, 2]), array([0, 0, 1, 0]))
    """

    triangle: str = "lower"
    traversal: str = "columns"
    diagonal: str = field(default="stored", kw_only=True)
    diagonal_scale: float = field(default=1.0, kw_only=True)
    offdiagonal_scale: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        one_of("triangle", self.triangle, ("lower", "upper"))
        one_of("traversal", self.traversal, ("columns", "rows"))
        one_of("diagonal", self.diagonal, ("stored", "zero", "one"))
        for name in ("diagonal_scale", "offdiagonal_scale"):
            object.__setattr__(self, name, as_scale(name, getattr(self, name)))

    @property
    def grow(self) -> bool:
        """Whether the runs of the half grow (1, 2, ... n) or shrink (n, ... 2, 1)."""
        return (self.triangle == "lower") == (self.traversal == "rows")

    @property
    def order(self) -> str:
        """The order that kernels see: "grow" or "shrink"."""
        return "grow" if self.grow else "shrink"

    @property
    def implied(self) -> int | None:
        """The number on a diagonal that is not stored (0 or 1), None where it is stored."""
        return {"stored": None, "zero": 0, "one": 1}[self.diagonal]

    @property
    def scaled(self) -> bool:
        """Whether stored numbers differ from true values."""
        return self.offdiagonal_scale != 1 or (self.diagonal == "stored" and self.diagonal_scale != 1)

    @property
    def name(self) -> str:
        """The canonical name of this layout, or the call that makes it where it has none."""
        return next((name for name, layout in LAYOUTS.items() if layout == self), repr(self))

    @property
    def plain(self) -> Layout:
        """The same order with the diagonal stored and nothing scaled."""
        return plain_order(self.triangle, self.traversal)

    @property
    def transposed(self) -> Layout:
        """The layout in which the same half is the transposed matrix: other triangle, other traversal."""
        return replace(
            self,
            triangle="upper" if self.triangle == "lower" else "lower",
            traversal="rows" if self.traversal == "columns" else "columns",
        )

    def __repr__(self) -> str:
        extras = (
            f", {f.name}={getattr(self, f.name)!r}"
            for f in fields(self)[2:]
            if getattr(self, f.name) != f.default
        )
        return f"Layout({self.triangle!r}, {self.traversal!r}{''.join(extras)})"

    def length(self, n: int) -> int:
        """Stored numbers for side n: n(n+1)/2 with a stored diagonal, n(n-1)/2 without.

        Parameters
        ----------
        n : int
            The side of the matrix.

        Returns
        -------
        int
            Exact for every n up to 4294967295.

        Raises
        ------
        TypeError, ValueError
            For an n that is not an integer; below 0 or above 4294967295.

        Examples
        --------
        >>> Layout().length(4), Layout(diagonal="zero").length(4)
        (10, 6)
        """
        return int(triangular(as_side(n) - self._strict))

    def side(self, length: int) -> int:
        """The n whose half has this length, exactly; a strict half of length 0 is n = 1.

        Parameters
        ----------
        length : int
            How many numbers a half holds.

        Returns
        -------
        int
            The side n.

        Raises
        ------
        TypeError, ValueError
            For a length that is not an integer; that fits no n (the two nearest valid lengths are named).

        Examples
        --------
        >>> Layout().side(10), Layout(diagonal="zero").side(10)
        (4, 5)
        """
        length = as_integer("length", length)
        if length < 0:
            raise ValueError(f"a half cannot have length {length}: lengths start at 0")
        runs = (math.isqrt(8 * length + 1) - 1) // 2
        n = runs + self._strict
        if triangular(runs) != length:
            formula = "without its diagonal n(n-1)/2" if self._strict else "with its diagonal n(n+1)/2"
            raise ValueError(
                f"a half of length {length} fits no n: {formula} is {triangular(runs)} for n={n} "
                f"or {triangular(runs + 1)} for n={n + 1}"
            )
        return as_side(n)

    def position(self, i: ArrayLike, j: ArrayLike, n: int) -> Any:
        """Where in the half of an n x n matrix the number of the pair {i, j} is.

        Parameters
        ----------
        i, j : int or array of integers
            Row and column, broadcast against each other. (i, j) and (j, i) are one slot.
        n : int
            The side of the matrix.

        Returns
        -------
        int64, or array of int64
            Exact for every n up to 4294967295.

        Raises
        ------
        IndexError
            For a row or column below 0 or not below n, and for the diagonal of a strict half, which is not
            stored.
        TypeError
            For anything but integers.

        Examples
        --------
        >>> Layout().position([0, 2, 1], [0, 1, 2], n=3)
        array([0, 4, 4])
        """
        n = as_side(n)
        rows, columns = np.broadcast_arrays(as_indices("row", i, n), as_indices("column", j, n))
        if self._strict and (rows == columns).any():
            where = int(rows[rows == columns].flat[0])
            raise IndexError(
                f"({where}, {where}) is not stored: the diagonal of this layout is {self.diagonal}"
            )
        return self.slot(np.minimum(rows, columns), np.maximum(rows, columns), n)[()]

    def slot(self, small: Any, large: Any, n: int) -> Any:
        """`position` of pairs small <= large known to be stored, as ints or int64 arrays; checks nothing.

        Parameters
        ----------
        small, large : int or array of int64
            The smaller and the larger index of each pair.
        n : int
            The side of the matrix.

        Returns
        -------
        int or array of int64
            Places in the half.

        Examples
        --------
        >>> Layout().slot(0, 2, n=3)
        2
        """
        check_pairs(small, large)
        if self.grow:
            return triangular(large - self._strict) + small
        return self.length(n) - 1 - (triangular(n - 1 - small - self._strict) + (n - 1 - large))

    def pair(self, k: ArrayLike, n: int) -> tuple[Any, Any]:
        """Row and column, in the layout's own triangle, of the k-th number of the half of an n x n matrix.

        Parameters
        ----------
        k : int or array of integers
            Positions in the half.
        n : int
            The side of the matrix.

        Returns
        -------
        i, j : int64, or arrays of int64 of the shape of k
            Exact for every n up to 4294967295: the inverse of `position`.

        Raises
        ------
        IndexError
            For a k below 0 or not below ``length(n)``.
        TypeError
            For anything but integers.

        Examples
        --------
        >>> Layout(diagonal="zero").pair([0, 1, 2], n=3)
        (array([1, 2, 2]), array([0, 0, 1]))
        """
        n = as_side(n)
        length = self.length(n)
        step = as_indices("position", k, length)
        if not self.grow:
            step = length - 1 - step
        run = ((np.sqrt(8.0 * step + 1.0) - 1.0) * 0.5).astype(np.int64)  # at most one off below run 2**32
        run -= triangular(run) > step
        run += triangular(run + 1) <= step
        small, large = step - triangular(run), run + self._strict
        if not self.grow:
            small, large = n - 1 - large, n - 1 - small
        return (large[()], small[()]) if self.triangle == "lower" else (small[()], large[()])

    def diagonal_slots(self, n: int) -> NDArray[np.int64]:
        """Where the diagonal of an n x n matrix is, row by row; empty where it is not stored. Checks nothing.

        Parameters
        ----------
        n : int
            The side of the matrix.

        Returns
        -------
        array of int64, shape (n,) or (0,)
            Places in the half.

        Examples
        --------
        >>> Layout().diagonal_slots(3), Layout(diagonal="zero").diagonal_slots(3)
        (array([0, 3, 5]), array([], dtype=int64))
        """
        i = np.arange(0 if self._strict else n)
        return np.asarray(self.slot(i, i, n))

    @property
    def _strict(self) -> int:
        return int(self.diagonal != "stored")


def other_diagonal(layout: Any, length: int, n: int) -> str:
    """What a half of so many numbers is, if it is n x n by the other rule: length never tells which."""
    stored = layout.implied is None
    if n < 1 or length != triangular(n - stored):
        return ""
    instead = ("without", "condensed") if stored else ("with", "vech")
    return f"; {length:,} numbers are n={n} {instead[0]} the diagonal, as in layout {instead[1]!r}"


def one_of(what: str, value: object, names: Collection[str]) -> None:
    """Refuse what is none of the names: ValueError with the nearest ones, TypeError for no name at all."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a name ({', '.join(names)}), not {type(value).__name__}")
    if value not in names:
        import difflib  # a millisecond that only errors need to spend

        near = difflib.get_close_matches(value.lower(), names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose from {', '.join(names)}"
        raise ValueError(f"unknown {what} {value!r}: {hint}")


def triangular(runs: Any) -> Any:
    """runs (runs + 1) / 2 of an int or int64 array, the even factor halved first."""
    return (runs | 1) * ((runs + 1) >> 1)


@lru_cache
def plain_order(triangle: str, traversal: str) -> Layout:
    """The layout of this order whose diagonal is stored and which scales nothing; made once."""
    return Layout(triangle, traversal)


def as_integer(what: str, value: object) -> int:
    if isinstance(value, BOOLS):
        raise TypeError(f"{what} must be an integer, not {value!r}")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what} must be an integer, not {value!r}") from None


def as_flag(what: str, value: object) -> bool:
    if not isinstance(value, BOOLS):
        raise TypeError(f"{what} must be True or False, not {value!r}")
    return bool(value)


def as_seed(seed: object) -> int:
    found = as_integer("seed", seed)
    if found < 0:
        raise ValueError(f"seed is {found}: it is 0 or more")
    return found


def as_side(n: object) -> int:
    side = as_integer("n", n)
    if not 0 <= side <= LARGEST_SIDE:
        raise ValueError(f"n = {side} is out of range: the side of a matrix is 0 to {LARGEST_SIDE}")
    return side


def as_indices(what: str, values: ArrayLike, bound: int) -> NDArray[np.int64]:
    """The values as int64, all of them within 0 ... bound - 1."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"a {what} has no mask, which would be lost: fill it first: x.filled(value)")
    array = as_read(values)
    if array.size == 0 and not isinstance(values, np.ndarray):
        return array.astype(np.int64)
    beyond = array.dtype == object and all(type(v) is int for v in array.flat)
    if array.dtype.kind not in "iu" and not beyond:
        raise TypeError(f"a {what} must be an integer, not {array.dtype}")
    outside = (array < 0) | (array >= bound)
    if np.any(outside):
        raise IndexError(f"{what} {array[outside].flat[0]} is out of range: there are {bound}")
    return array.astype(np.int64)


def check_pairs(small: Any, large: Any) -> None:
    """Refuse memory maps of indices whose file is shorter now; nothing else of them is looked at."""
    if type(small) is not int or type(large) is not int:
        check_mapped(small)
        check_mapped(large)


def as_scale(what: str, value: object) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{what} must be a real number, not {value!r}")
    scale = float(value)
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"{what} must be finite and positive, not {value!r}")
    return scale


# By name, in the order in which they are tried; other names of the same: dialects.py.
LAYOUTS = {
    "vech": Layout("lower", "columns"),
    "lapack-upper": Layout("upper", "columns"),
    "numpy-tril": Layout("lower", "rows"),
    "numpy-triu": Layout("upper", "rows"),
    "condensed": Layout("lower", "columns", diagonal="zero"),
    "strict-tril": Layout("lower", "rows", diagonal="zero"),
    "strict-triu": Layout("upper", "rows", diagonal="zero"),
    "svec-lower": Layout("lower", "columns", offdiagonal_scale=math.sqrt(2)),
    "svec-upper": Layout("upper", "columns", offdiagonal_scale=math.sqrt(2)),
    "pyriemann-upper": Layout("upper", "rows", offdiagonal_scale=math.sqrt(2)),
    "nilearn-sym-vec": Layout("lower", "rows", diagonal_scale=1 / math.sqrt(2)),
    "picos-skew": Layout("upper", "columns", diagonal="zero", offdiagonal_scale=math.sqrt(2)),
}
