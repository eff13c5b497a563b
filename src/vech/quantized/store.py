"""Quantized: the store of a matrix of few bits a number, with a certificate of what these have lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import replace
from numbers import Real
from reprlib import repr as short
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import (
    Array,
    Dtype,
    as_array,
    block_memory,
    check_memory,
    epsilon,
    is_finite,
    is_real,
    least,
    resolve_threads,
)
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import as_integer, as_side, one_of
from vech.maps import as_read
from vech.packed.indexing import consecutive, is_range, taken, vector
from vech.packed.packed import Packed
from vech.packed.products import by_columns, product_dtype
from vech.quantized import certificate
from vech.quantized.certificate import QuantizationError
from vech.quantized.domains import DOMAINS, check_domain
from vech.quantized.encodings import ENCODINGS, PLANES, as_encoding
from vech.quantized.parts import Parts, as_tile, check_diagonal, judged
from vech.quantized.selection import keeps_scales, rearranged, take
from vech.quantized.spectrum import ends
from vech.store import Description, Store, Tile, as_labels

COARSE = ("int8", "int4", PLANES)  # encodings whose products can be those of integers
ROUNDING = 4  # eps of the numbers, over the Frobenius norm, by which these differ from level times scale
COARSE_STEPS = 128**2  # that the product of two codes of 8 bits does not exceed


def refuse_methods_of_packed(S: Store, name: str) -> None:
    """AttributeError with the way out for what a half of numbers has, and codes have not."""
    if not name.startswith("_") and hasattr(Packed, name):
        raise AttributeError(
            f"a {type(S).__name__} has no {name}: S.to_packed() makes a Packed of its numbers, in memory, "
            f"which has"
        )


def raised(diagonal: Array, shift: float) -> Array:
    """No less than these numbers and a shift, in their dtype; OverflowError where that has no such number."""
    with np.errstate(over="ignore"):
        wide = diagonal.astype(np.float64) + shift
        new = wide.astype(diagonal.dtype)
    if not np.isfinite(new).all():
        raise OverflowError(f"S needs more on its diagonal than {diagonal.dtype} can be: divide S first")
    return np.where(new < wide, np.nextafter(new, diagonal.dtype.type(np.inf)), new)


class Quantized(Store):
    """A real symmetric or skew matrix with 1 to 16 bits for each pair: `vech.quantize` makes it.

    Numbers off the diagonal are codes in square tiles of the lower triangle; a code is a level, and a tile
    has a scale. The diagonal is held apart and exact. So the matrix is exactly symmetric, and how far it is
    from what it was made of is known: `error`.

    Attributes
    ----------
    labels : tuple or None
        One label for each row.

    Notes
    -----
    The number at (r, c), r > c, in tile t is ``(level(code) scales[t] + zeros[t]) sides[r] sides[c]``, where
    there are zeros and sides. In the domain "cholesky" these are the factor L of a matrix L L', in "log" the
    logarithm B of exp(B); products, `expand` and all else are of that matrix.

    Examples
    --------
    >>> Q = vech.quantize(np.array([[2.0, 1.0, -0.5], [1.0, 2.0, 0.25], [-0.5, 0.25, 2.0]]), "int8")
    >>> Q
    Quantized(n=3, dtype=float64, kind='symmetric', encoding='int8', domain='entries')
    >>> Q.expand().round(3)
    array([[ 2.   ,  1.   , -0.504],
           [ 1.   ,  2.   ,  0.252],
           [-0.504,  0.252,  2.   ]])
    >>> Q @ np.array([1.0, 0.0, 0.0]) == Q.expand()[:, 0]
    array([ True,  True,  True])
    """

    def __init__(
        self,
        parts: Parts,
        labels: tuple[Any, ...] | None = None,
        domain: str = "entries",
        error: QuantizationError | None = None,
        coarse_error: QuantizationError | None = None,
    ) -> None:
        self._parts, self._labels, self._domain = parts, labels, domain
        self._error, self._coarse_error = error, coarse_error

    @classmethod
    def from_parts(
        cls,
        n: int,
        encoding: Any,
        codes: ArrayLike,
        diagonal: ArrayLike,
        scales: ArrayLike,
        *,
        zeros: ArrayLike | None = None,
        sides: ArrayLike | None = None,
        levels: ArrayLike | None = None,
        tile: int = 64,
        kind: str = "symmetric",
        domain: str = "entries",
        error: QuantizationError | None = None,
        coarse_error: QuantizationError | None = None,
        labels: Iterable[Any] | None = None,
    ) -> Self:
        """The store of codes and scales that are there already, held as they are.

        Parameters
        ----------
        n : int
            Side of the matrix.
        encoding : str or Encoding
            A key of `vech.ENCODINGS`.
        codes : array of uint8
            The bytes of all codes, as `codes` has them.
        diagonal : array of float32 or float64, shape (n,)
            Its dtype is that of the numbers.
        scales : array, shape (tiles,)
            Of each lower tile, row after row of tiles.
        zeros : array, shape (tiles,), optional
            What code 0 of each tile is: "uint8" alone has it.
        sides : array, shape (n,), optional
            Numbers are in units of ``sides[r] sides[c]``.
        levels : array, shape (16,), optional
            Of "kmeans-4".
        tile : {64, 32, 128, 256}
            Rows and columns of a tile.
        kind : {"symmetric", "skew"}
            What the other triangle is.
        domain : {"entries", "cholesky", "log"}
            Of which matrix the codes are.
        error : QuantizationError, optional
            What is known of the difference to the original.
        coarse_error : QuantizationError, optional
            Of "int4x2", that of the high plane alone.
        labels : sequence, optional
            One label for each row.

        Returns
        -------
        Quantized

        Raises
        ------
        ValueError, TypeError
            For arrays of another length or dtype, numbers that are not finite, and names that are none.

        Examples
        --------
        >>> Q = vech.quantize(np.eye(3), "int4")
        >>> vech.Quantized.from_parts(3, "int4", Q.codes, Q.diagonal(), Q.scales).expand()[0]
        array([1., 0., 0.])
        """
        n, tile = as_side(n), as_tile(tile)
        found = as_encoding(encoding, levels)
        one_of("domain", domain, DOMAINS)
        rule = resolve_kind(kind, np.dtype(np.float64), moves=False)
        check_domain(rule, domain)
        parts = judged(n, found, codes, diagonal, scales, zeros, sides, tile, rule)
        if coarse_error is not None and found.planes == 1:
            raise ValueError(f"coarse_error is for 'int4x2': {found.name} has one plane")
        for name, given in (("error", error), ("coarse_error", coarse_error)):
            if given is not None and not isinstance(given, QuantizationError):
                raise TypeError(f"{name} must be a QuantizationError, not {type(given).__name__}")
            if given is not None and given.tiles.shape != (parts.grid,) * 2:
                raise ValueError(
                    f"{name}.tiles has shape {given.tiles.shape}, and must have {(parts.grid,) * 2}: n={n} "
                    f"has {parts.grid} tiles of {tile} a side"
                )
        return cls(parts, as_labels(labels, n), domain, error, coarse_error)

    def to_parts(self) -> dict[str, Any]:
        """What `from_parts` takes, by name: for files and other programs.

        Returns
        -------
        dict
            Its arrays are those of this store, not copies. `diagonal` is of what the codes are of: in the
            domain "cholesky" that of the factor.

        Examples
        --------
        >>> Q = vech.quantize(np.eye(3), "int4")
        >>> vech.Quantized.from_parts(**Q.to_parts()).expand()[0]
        array([1., 0., 0.])
        """
        parts = self._parts
        own = parts.encoding != ENCODINGS[self.encoding]
        return {
            "n": self.n,
            "encoding": self.encoding,
            "codes": parts.codes,
            "diagonal": parts.diagonal,
            "scales": parts.scales,
            "zeros": parts.zeros,
            "sides": parts.sides,
            "levels": parts.levels if own else None,
            "tile": self.tile,
            "kind": str(self.kind),
            "domain": self._domain,
            "error": self._error,
            "coarse_error": self._coarse_error,
            "labels": self._labels,
        }

    # ------------------------------------------------------------ what it is

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._parts.n

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the numbers: float32 or float64."""
        return self._parts.dtype

    @property
    def kind(self) -> Kind:
        """What the other triangle is: "symmetric" or "skew"."""
        return self._parts.kind

    @property
    def labels(self) -> tuple[Any, ...] | None:
        """One label for each row, or None."""
        return self._labels

    @property
    def encoding(self) -> str:
        """What a code is: a key of `vech.ENCODINGS`."""
        return self._parts.encoding.name

    @property
    def domain(self) -> str:
        """Of which matrix the codes are: "entries", or the "cholesky" factor or the "log" of this one."""
        return self._domain

    @property
    def tile(self) -> int:
        """Rows and columns of a tile."""
        return self._parts.tile

    @property
    def grid(self) -> int:
        """Tiles a side."""
        return self._parts.grid

    @property
    def codes(self) -> Array:
        """The bytes of all codes, not a copy: row after row of lower tiles, whole to the right."""
        return self._parts.codes

    @property
    def scales(self) -> Array:
        """The scale of each lower tile, not a copy."""
        return self._parts.scales

    @property
    def zeros(self) -> Array | None:
        """What code 0 of each tile is, not a copy; None but for "uint8"."""
        return self._parts.zeros

    @property
    def sides(self) -> Array | None:
        """In which units the numbers of each row and column are, not a copy; None where all are 1."""
        return self._parts.sides

    @property
    def levels(self) -> Array | None:
        """The 16 levels of an encoding that is a table, ascending; else None."""
        return self._parts.levels

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that hold the matrix."""
        return self._parts.nbytes

    @property
    def error(self) -> QuantizationError | None:
        """How far this is from what it was made of; None where codes came without it."""
        return self._error

    @property
    def T(self) -> Self:
        """The transposed matrix: this store itself where that is the same, else of the same codes."""
        if self.kind is Kind.SYMMETRIC:
            return self
        return self._with(self._parts.mirrored())

    @property
    def H(self) -> Self:
        """The conjugate transpose, which is `T` of real numbers."""
        return self.T

    @property
    def coarse(self) -> Self:
        """Of "int4x2" the high plane alone: an "int4" matrix of half the codes, which it shares.

        Raises
        ------
        ValueError
            For other encodings, which have one plane.
        """
        if self._parts.encoding.planes == 1:
            raise ValueError(f"{self.encoding} has one plane of codes, and 'int4x2' a coarse one of two")
        return self._with(self._parts.coarse, self._coarse_error, None)

    def describe(self) -> Description:
        """What the store holds and how: see `vech.Store.describe`.

        Returns
        -------
        Description

        Examples
        --------
        >>> vech.quantize(np.eye(2), "nf4").describe().encoding
        'nf4'
        """
        return super().describe()._replace(encoding=self.encoding, domain=self._domain)

    def copy(self) -> Self:
        """The same matrix in arrays of its own.

        Returns
        -------
        Quantized

        Examples
        --------
        >>> Q = vech.quantize(np.eye(2))
        >>> np.shares_memory(Q.copy().codes, Q.codes)
        False
        """
        return self._with(self._parts.copy())

    def _with(self, parts: Parts, *errors: QuantizationError | None) -> Self:
        """These parts, and what is known of their errors: unless told, what is known of this one's."""
        store = copy(self)
        store._parts = parts
        if errors:
            store._error, store._coarse_error = errors
        return store

    def _relabelled(self, labels: tuple[Any, ...] | None) -> Self:
        store = copy(self)
        store._labels = labels
        return store

    # ------------------------------------------------------------ its numbers

    def diagonal(self) -> Array:
        """The diagonal, shape (n,), as a new array; in the domain "entries" exactly that of the original.

        Returns
        -------
        array, shape (n,)

        Examples
        --------
        >>> vech.quantize(np.diag([0.1, 0.7]), "int4").diagonal()
        array([0.1, 0.7])
        """
        return DOMAINS[self._domain].diagonal(self._parts)

    def expand(
        self, rows: slice | range | None = None, out: Array | None = None, *, threads: int | None = None
    ) -> Array:
        """The full matrix, shape (n, n), or some rows of it, shape (k, n).

        Parameters
        ----------
        rows : slice or range, optional
            Rows that follow each other; all unless told.
        out : array, shape (k, n), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        array, shape (n, n) or (k, n)
            Exactly symmetric; `out` itself where it is given.

        Raises
        ------
        TypeError, ValueError, IndexError
            For rows that do not follow each other or are out of range, and an `out` that does not fit.
        MemoryError
            If the result is larger than memory and swap together, before anything is allocated.

        Notes
        -----
        One pass over the codes. In the domain "cholesky" L is multiplied by its transpose, n^3 / 3 operations
        for all rows; in "log" the eigenvalues of B are found anew, by n x n numbers and some n^3 operations
        however few rows are wanted.

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").expand(slice(1, 2))
        array([[1., 3.]])
        """
        start, stop = (0, self.n) if rows is None else consecutive(rows, self.n)
        out = block_memory((stop - start, self.n), self.dtype, out, *self._parts.arrays)
        workers = resolve_threads(threads, out.nbytes)
        DOMAINS[self._domain].read(self._parts, out, start, 0, workers)
        return out

    def block(self, rows: Any, cols: Any, out: Array | None = None, *, threads: int | None = None) -> Array:
        """Some rows with some columns, each with each: of the tiles that have them.

        Parameters
        ----------
        rows, cols : slice, range, integers, mask or labels
            As for `vech.Packed.block`.
        out : array, shape (k, m), optional
            Memory for the result, of exactly its dtype.
        threads : int, optional
            At most so many threads.

        Returns
        -------
        array, shape (k, m)

        Raises
        ------
        IndexError
            For indices out of range or not integers.
        ValueError, TypeError
            For an `out` that does not fit.

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").block([1, 0], 0)
        array([[1.],
               [2.]])
        """
        workers = resolve_threads(threads, 0)
        i, j = (vector(index, self.n, axis, self._labels) for axis, index in enumerate((rows, cols)))
        out = block_memory((i.size, j.size), self.dtype, out, *self._parts.arrays)
        domain = DOMAINS[self._domain]
        if is_range(i) and is_range(j):
            domain.read(self._parts, out, int(i[0]), int(j[0]), workers)
        elif out.size and self._domain == "log":
            out[...] = self.expand()[np.ix_(i, j)]
        else:
            take(domain, self._parts, i, j, out)
        return out

    def _glance(self, rows: Array) -> Array | str:
        if self._domain != "entries" and rows.size < self.n:
            return f"its codes are not of the numbers, but of their {self._domain}; S.expand() computes them"
        return super()._glance(rows)

    def __getitem__(self, key: Any) -> Any:
        i, j, meet = taken(key, self._labels, self.n)
        if meet:
            return self.block(i.reshape(-1), j.reshape(-1)).reshape(i.shape + j.shape)
        found = np.empty(i.size, self.dtype)
        tile = (i // self.tile * self.grid + j // self.tile).ravel()
        for one in np.unique(tile):
            at = np.flatnonzero(tile == one)
            down, across = (int(place) for place in divmod(int(one), self.grid))
            block = self.read_tile(down, across)
            found[at] = block[i.ravel()[at] - down * self.tile, j.ravel()[at] - across * self.tile]
        return found.reshape(i.shape)[()]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            return refuse_methods_of_packed(self, name) or super().__getattr__(name)

    def read_tile(self, i: int, j: int) -> Array:
        """The numbers of a tile of the full matrix.

        Parameters
        ----------
        i, j : int
            Which: 0 to ``grid - 1``.

        Returns
        -------
        array, shape (tile, tile) or less at the end

        Raises
        ------
        IndexError
            For tiles that there are not.

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").read_tile(0, 0)
        array([[2., 1.],
               [1., 3.]])
        """
        spans = []
        for name, place in (("i", i), ("j", j)):
            place = as_integer(name, place)
            if not 0 <= place < self.grid:
                raise IndexError(f"{name} is {place}, and there are {self.grid} tiles a side")
            spans.append(slice(place * self.tile, min((place + 1) * self.tile, self.n)))
        return self.block(spans[0], spans[1])

    def to_packed(self, layout: Any = "vech", *, threads: int | None = None) -> Packed:
        """The same matrix as a half of all its numbers: see `vech.Store.to_packed`.

        Parameters
        ----------
        layout : str or layout
            The layout of its half.
        threads : int, optional
            At most so many threads.

        Returns
        -------
        vech.Packed
            Of n (n + 1) / 2 numbers; a block besides, in the domain "log" n x n numbers.

        Raises
        ------
        ValueError
            If a diagonal that the layout leaves out is not exactly what it says.
        MemoryError
            If the half is larger than memory and swap together, before anything is allocated.

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").to_packed().half
        array([2., 1., 3.])
        """
        check_memory(
            self.n * (self.n + 1) // 2 * self.dtype.itemsize, "expand(rows=) gives some rows at a time"
        )
        half = np.empty(self.n * (self.n + 1) // 2, self.dtype)
        for tile in self._in_tiles(None):
            for k, row in enumerate(range(tile.rows.start, tile.rows.stop)):
                count = min(tile.columns.stop, row + 1) - tile.columns.start
                first = row * (row + 1) // 2 + tile.columns.start
                half[first : first + count] = tile.numbers[k, :count]
        held = Packed(half, "numpy-tril", kind=self.kind, labels=self._labels)
        return held.to_packed(layout, threads=threads)

    def _in_tiles(self, side: int | None) -> Iterator[Tile]:
        return DOMAINS[self._domain].tiles(self._parts, side)

    # ------------------------------------------------------------ products

    def matmul(
        self,
        x: ArrayLike,
        out: Array | None = None,
        *,
        precise: bool = True,
        threads: int | None = None,
    ) -> Array:
        """The product with x, from the codes: each is read once, for both triangles.

        Parameters
        ----------
        x : array, shape (n,) or (..., n, m)
            What to multiply with.
        out : array, optional
            Memory for the result, of its shape and dtype.
        precise : bool
            False lets "int8", "int4" and "int4x2" round x to 8 bits, a scale a block, and multiply integers:
            by less than `product_bound` another result. Processors without such products (AVX-512 VNNI) do as
            for True, and so do all for x that is not finite; it pays where multiplying floats is slow.
        threads : int, optional
            At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.

        Returns
        -------
        array, shape of x
            In the dtype of NumPy's ``full @ x``; the same bits for any number of threads.

        Raises
        ------
        ValueError, TypeError
            For an x or out that does not fit, and `precise` where nothing else is known.

        Notes
        -----
        2 n^2 m operations; nothing is expanded. In the domain "cholesky" two products, with L' and with L; in
        "log" as many as Lanczos needs to multiply with exp(B), some tens for each column.

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").matmul([1.0, 10.0])
        array([12., 31.])
        """
        frames.check_along(x, -1 if np.ndim(x) == 1 else -2, self._labels, "x")
        if not isinstance(precise, bool | np.bool):
            raise TypeError(f"precise must be True or False, not {precise!r}")
        if not precise:
            self._check_coarse()
        workers = resolve_threads(threads, self._parts.codes.nbytes)
        return by_columns(
            self.n,
            self.dtype,
            x,
            out,
            lambda columns, _: self._product(columns, bool(precise), workers),
            *self._parts.arrays,
        )

    def _product(self, columns: Array, precise: bool, workers: int) -> Array:
        """The product with (n, m) columns; parts of complex numbers are columns of their own."""
        if not columns.size:
            return np.zeros_like(columns)
        real = columns.view(columns.real.dtype)
        if real.shape[1] == 1:
            real = real.reshape(self.n)
        product = DOMAINS[self._domain].multiply(self._parts, real, precise, workers)
        return np.ascontiguousarray(product).view(columns.dtype).reshape(columns.shape)

    def product_bound(self, x: ArrayLike) -> Array:
        """How far ``matmul(x, precise=False)`` may be from the product of these numbers, rounding included.

        Parameters
        ----------
        x : array, shape (n,) or (n, m)
            What is multiplied.

        Returns
        -------
        array, shape of x
            Of float64: for each number of the product what its error does not exceed.

        Raises
        ------
        ValueError, TypeError
            For an x that does not fit, and where there is no such product.

        Notes
        -----
        ``|Q| (d + n eps |x|)``, where d is half a step of x in a tile's rows, the largest of x there, in
        units of `sides`, over 254; of "int4x2" ``|Q|`` is that of both planes; and what numbers below the
        normal range are rounded by. One pass over the numbers.

        Examples
        --------
        >>> Q = vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4")
        >>> x = np.array([1.0, 0.3])
        >>> bool((np.abs(Q.matmul(x, precise=False) - Q @ x) <= Q.product_bound(x)).all())
        True
        """
        self._check_coarse()
        frames.check_along(x, 0, self._labels, "x")
        x = as_array(x, "x")
        if x.ndim not in (1, 2) or len(x) != self.n:
            raise ValueError(f"x has shape {x.shape}, and must have ({self.n},) or ({self.n}, m)")
        size = np.abs(x).astype(np.float64).reshape(self.n, math.prod(x.shape[1:]))
        sides = np.ones(self.n) if self.sides is None else np.abs(self.sides.astype(np.float64))
        tiny = least(product_dtype(self.dtype, x.dtype))
        step = np.zeros_like(size)
        for start in range(0, self.n, self.tile):
            block = slice(start, start + self.tile)
            half_step = (size[block] * sides[block, None]).max(axis=0, initial=0) / 254 + 128 * tiny
            np.divide(half_step, sides[block, None], out=step[block], where=sides[block, None] > 0)
        rounding = 2 * (self.n + 8) * max(epsilon(product_dtype(self.dtype, x.dtype)), epsilon(self.dtype))
        step += rounding * size
        bound = np.full_like(size, COARSE_STEPS * self.n * tiny * self._unit)
        planes = [self] if self._parts.encoding.planes == 1 else [self, self.coarse]
        for tile, *high in zip(*(plane.tiles() for plane in planes), strict=True):
            first = high[0].numbers if high else tile.numbers  # each plane is multiplied by itself
            numbers = np.abs(first.astype(np.float64)) + np.abs(tile.numbers - first)
            bound[tile.rows] += numbers @ step[tile.columns]
            if not tile.on_diagonal:
                bound[tile.columns] += numbers.T @ step[tile.rows]
        return bound.reshape(x.shape)

    def _check_coarse(self) -> None:
        if self.encoding not in COARSE or self._domain != "entries":
            raise ValueError(
                f"precise=False multiplies integers, so 'int8', 'int4' and 'int4x2' in the domain 'entries', "
                f"and S is {self.encoding!r} in {self._domain!r}: leave precise out"
            )

    # ------------------------------------------------------------ from codes to codes

    def with_diagonal(self, values: ArrayLike) -> Self:
        """The same codes beside another diagonal.

        Parameters
        ----------
        values : number or array, shape (n,)
            The new diagonal.

        Returns
        -------
        Quantized
            Shares its codes with this one. What was changed counts as error: the certificate is against what
            this one was made of.

        Raises
        ------
        ValueError, TypeError
            For another shape, numbers that are not real and finite, and domains other than "entries".

        Examples
        --------
        >>> vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int4").with_diagonal(0).expand()
        array([[0., 1.],
               [1., 0.]])
        """
        self._check_entries("with_diagonal")
        if isinstance(values, Real) and not is_finite(values):
            raise ValueError(f"values[0] is {short(values)}: a quantized matrix has finite numbers")
        frames.check_along(values, 0, self._labels, "values")
        values = as_array(values, "values") if not isinstance(values, Real) else np.asarray(values)
        if values.shape not in ((), (self.n,)):
            raise ValueError(f"values has shape {values.shape}, and must be a number or have ({self.n},)")
        if values.dtype.kind not in "biuf":
            raise TypeError(f"values must hold real numbers, not {values.dtype}")
        given = np.broadcast_to(values, (self.n,))
        with np.errstate(over="ignore"):
            new = given.astype(self.dtype)
        for k in np.flatnonzero(~np.isfinite(new))[:1]:
            beyond = f", beyond {self.dtype}" if np.isfinite(given[k]) else ""
            raise ValueError(f"values[{k}] is {given[k]}{beyond}: a quantized matrix has finite numbers")
        check_diagonal(self._parts.kind, new, "values")
        change = new.astype(np.float64) - self._parts.diagonal
        errors = (
            None if error is None else certificate.moved(error, change, self.tile)
            for error in (self._error, self._coarse_error)
        )
        return self._with(replace(self._parts, diagonal=new), *errors)

    def shift_to_psd(self) -> Self:
        """The same codes with as little added to the diagonal as makes the matrix positive semidefinite.

        Returns
        -------
        Quantized
            This one where nothing is needed. The shift counts as error. Of n beyond 2048 it is larger than
            needed by some 1e-3 of the distance of the ends of the spectrum.

        Raises
        ------
        TypeError
            For skew matrices.
        OverflowError
            For a diagonal that would be beyond the dtype.

        Notes
        -----
        The least eigenvalue of n up to 2048 by LAPACK, else by 400 steps of Lanczos on the codes from a
        random vector, and a margin that is too small with a probability below 1e-9. A shift repairs signs,
        not accuracy. "cholesky" and "log" need none.

        Examples
        --------
        >>> A = np.full((3, 3), 0.999) + 0.001 * np.eye(3)
        >>> Q = vech.quantize(A * np.outer([1, 2, 3], [1, 2, 3]), "sign")
        >>> np.linalg.eigvalsh(Q.expand())[0] < 0, np.linalg.eigvalsh(Q.shift_to_psd().expand())[0] >= 0
        (np.True_, np.True_)
        """
        self._check_symmetric("shift_to_psd")
        if not self.n or self._domain != "entries":
            return self
        low, _, margin = self._ends()
        shift = margin - low
        return self if shift <= 0 else self.with_diagonal(raised(self._parts.diagonal, shift))

    def eigenvalue_interval(self) -> tuple[float, float]:
        """Two numbers between which all eigenvalues of the original lie.

        Returns
        -------
        tuple of 2 floats
            The least and the largest one it can have.

        Raises
        ------
        ValueError
            If there is no certificate, or no eigenvalue.
        TypeError
            For skew matrices.

        Notes
        -----
        Those of this matrix, as in `shift_to_psd`, moved by at most ``error.spectral_bound`` (Weyl) and
        what Lanczos and rounding leave open. In the domains "cholesky" and "log" also times
        ``error.factors``: with ``F = L^-1 (L_original - L)`` these are ``(1 -+ |F|)^2`` (Ostrowski), and with
        the error E of the logarithm ``exp(-+|E|)``. So small eigenvalues are known to as many digits as
        large ones.

        Examples
        --------
        >>> A = np.array([[2.0, 1.0], [1.0, 3.0]])
        >>> low, high = vech.quantize(A, "int4").eigenvalue_interval()
        >>> bool(low <= np.linalg.eigvalsh(A)[0] and np.linalg.eigvalsh(A)[1] <= high)
        True
        """
        self._check_symmetric("eigenvalue_interval")
        if self._error is None:
            raise ValueError("there is no certificate: these codes came without an error")
        if not self.n:
            raise ValueError("a matrix without rows has no eigenvalues")
        low, high, margin = self._ends()
        error = self._error
        interval = low - margin - error.spectral_bound, high + margin + error.spectral_bound
        if error.factors is None:
            return interval
        low, high = self._definite_ends()
        return max(0.0, interval[0], low * error.factors[0]), min(interval[1], high * error.factors[1])

    def power(self, exponent: float) -> Self:
        """A power of the matrix, in the domain "log": the scales times the exponent, of the same codes.

        Parameters
        ----------
        exponent : float
            Any: -1 is the inverse, 0.5 the root, -0.25 what Shampoo multiplies with.

        Returns
        -------
        Quantized
            Of the domain "log". Its certificate, against that power of the original, has bounds.

        Raises
        ------
        ValueError
            For other domains, and an exponent that is not finite.
        OverflowError
            Where the power has eigenvalues that are no finite numbers.
        TypeError
            For what is no real number.

        Notes
        -----
        Takes the time of the largest eigenvalue, for the certificate: with the error E of the logarithm,
        ``|A^s - Q^s| <= |s| |E| exp(|s| |E|) |Q^s|``.

        Examples
        --------
        >>> Q = vech.quantize(np.array([[2.0, 1.0], [1.0, 3.0]]), "int8", domain="log")
        >>> Q.power(-1).expand().round(3)
        array([[ 0.6, -0.2],
               [-0.2,  0.4]])
        """
        if self._domain != "log":
            raise ValueError(
                f"powers are of the domain 'log', whose scales they multiply, and S is in {self._domain!r}: "
                f"vech.quantize(A, domain='log').power(s)"
            )
        if not is_real(exponent):
            raise TypeError(f"exponent must be a real number, not {exponent!r}")
        if not is_finite(exponent):
            raise ValueError(f"exponent is {short(exponent)}, and must be finite")
        found = self._with(self._parts.times(float(exponent)), None, None)
        if self._error is None or self._error.factors is None:
            return found
        try:
            found._error = self._error_of_power(found, abs(float(exponent)))
        except OverflowError:
            raise OverflowError(
                f"exponent is {exponent}, and that power has eigenvalues beyond {self.dtype}: those of S end "
                f"at {self._definite_ends()[1]:.3g}"
            ) from None
        return found

    def _error_of_power(self, found: Self, exponent: float) -> QuantizationError:
        """What is lost of a power whose codes are `found`; OverflowError where that is no float."""
        assert self._error is not None
        assert self._error.factors is not None
        distance = exponent * math.log(self._error.factors[1]) + found._rounding()
        distance += (self.n + 8) * epsilon(self.dtype)
        _, high = found._definite_ends()
        spectral = certificate.up(distance * math.exp(distance) * high, self.n)
        frobenius = math.sqrt(self.n) * spectral
        tiles = np.tril(np.full((self.grid,) * 2, math.sqrt(min(self.tile, self.n)) * spectral))
        factors = math.exp(-distance), math.exp(distance)
        return QuantizationError(frobenius, spectral, spectral, tiles, factors)

    def submatrix(self, index: Any) -> Self:
        """The matrix of some rows and the same columns, in that order: codes become codes.

        Parameters
        ----------
        index : slice, integers, mask or labels
            What to take, nothing twice; labels follow. Any rows where all tiles have the same scale, as with
            ``scales="two-sided"``; else rows that follow each other, the first at a multiple of the tile.

        Returns
        -------
        Quantized
            Of the same levels, so that numbers differ by no more than some eps, where sides are multiplied in
            another order; the certificate becomes a bound.

        Raises
        ------
        IndexError, KeyError
            For indices out of range, and labels that are not there.
        ValueError
            For rows that are there twice, rows whose tiles have scales of their own, and domains other than
            "entries".

        Notes
        -----
        Time for the codes that are taken; memory for the result and a row of tiles.

        Examples
        --------
        >>> A = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 4.0]])
        >>> Q = vech.quantize(A, "int8", scales="two-sided")
        >>> np.allclose(Q.submatrix([2, 0]).expand(), Q.expand()[np.ix_([2, 0], [2, 0])], rtol=1e-15)
        True
        """
        self._check_entries("submatrix")
        chosen = vector(index, self.n, 0, self._labels)
        for k in np.flatnonzero(np.bincount(chosen, minlength=1) > 1)[:1]:
            raise ValueError(
                f"row {k} is taken twice, and codes are of pairs of different rows: "
                f"S.to_packed().submatrix(index) takes any index"
            )
        parts = self._parts
        if not keeps_scales(parts, chosen):
            raise ValueError(
                "tiles have scales of their own, so rows in another order are to be quantized anew: "
                "vech.quantize(S.to_packed().submatrix(index), ...), or scales='two-sided' from the beginning"
            )
        found = self._with(rearranged(parts, chosen), None, None)
        rounding = 0.0 if parts.sides is None else found._rounding()  # sides meet in another order
        found._error, found._coarse_error = (
            None if error is None else certificate.taken(error, chosen.size, self.tile, rounding)
            for error in (self._error, self._coarse_error)
        )
        found._labels = None if self._labels is None else tuple(self._labels[k] for k in chosen)
        return found

    def permute(self, order: Any) -> Self:
        """The matrix with its rows and columns in another order: codes become codes, as in `submatrix`.

        Parameters
        ----------
        order : integers, shape (n,), or labels
            Each of 0 ... n - 1 once, or each label; labels follow.

        Returns
        -------
        Quantized

        Raises
        ------
        ValueError
            If `order` is no permutation, for tiles that have scales of their own, and for domains other than
            "entries".

        Examples
        --------
        >>> A = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.25], [0.5, 0.25, 4.0]])
        >>> Q = vech.quantize(A, "int8", scales="two-sided")
        >>> Q.permute([2, 1, 0]).diagonal()
        array([4., 3., 2.])
        """
        if as_read(order).dtype == bool:
            raise ValueError("order is a mask, and must hold each row once: submatrix takes masks")
        order = vector(order, self.n, 0, self._labels)
        if order.size != self.n or np.bincount(order, minlength=self.n).max(initial=1) > 1:
            raise ValueError(f"order must hold each of 0 to {self.n - 1} once: submatrix takes any index")
        return self.submatrix(order)

    def _scaled(self, d: Array) -> Any:
        """D S D: only sides and the diagonal change; of other domains, a half."""
        if self._domain != "entries":
            return super()._scaled(d)
        dtype = np.dtype(np.float64 if np.result_type(self.dtype, d.dtype).itemsize > 4 else np.float32)
        dtype = max(self.dtype, dtype, key=lambda one: one.itemsize)
        wide, d = self._widened(dtype), d.astype(dtype)
        parts = wide._parts
        for k in np.flatnonzero(~np.isfinite(d))[:1]:
            raise ValueError(f"d[{k}] is {d[k]}: a quantized matrix has finite numbers")
        with np.errstate(over="ignore", invalid="ignore"):
            sides = d if parts.sides is None else parts.sides * d
            parts = replace(parts, sides=sides, diagonal=parts.diagonal * d * d)
            found = self._with(parts, None, None)
            most = float(np.abs(d).max(initial=0.0))
            rounding = found._rounding()
            rounding += wide._underflow(rounding) * most * most
        if not (np.isfinite(sides).all() and np.isfinite(rounding)):
            k = int(np.abs(d).argmax())
            raise OverflowError(f"D S D is beyond {dtype}, where d[{k}] is {d[k]:g}")
        found._error, found._coarse_error = (
            None if error is None else certificate.scaled(error, d, self.tile, rounding)
            for error in (wide._error, wide._coarse_error)
        )
        return found

    def _widened(self, dtype: Dtype) -> Self:
        """The same codes in this dtype, in which level times scale is another number: that is error too."""
        if dtype == self.dtype:
            return self
        wide = self._with(self._parts.astype(dtype))
        if self._error is not None:
            wide._error = certificate.together(self._error, certificate.measured(self, wide), self.n)
        if self._coarse_error is not None:
            rounding = certificate.measured(self.coarse, wide.coarse)
            wide._coarse_error = certificate.together(self._coarse_error, rounding, self.n)
        return wide

    def _size(self) -> float:
        """The Frobenius norm of the numbers."""
        from vech.linalg import norm

        with np.errstate(over="ignore"):
            return norm(self)

    def _rounding(self) -> float:
        """How far numbers may be from level times scale, in the Frobenius norm, of what codes are of."""
        codes_alone = copy(self)
        codes_alone._domain = "entries"
        size = codes_alone._size()
        return ROUNDING * epsilon(self.dtype) * size + codes_alone._underflow(size)

    def _underflow(self, size: float) -> float:
        """The same of numbers below the normal range, rounded by no share of themselves; 0 of zeros alone."""
        if not size and not self._with(self._parts.astype(np.dtype(np.float64)))._size():
            return 0.0
        return ROUNDING * self.n * least(self.dtype) * self._unit * self._unit

    @property
    def _unit(self) -> float:
        """What sides multiply at most, or 1."""
        return 1.0 if self.sides is None else max(1.0, float(np.abs(self.sides).max(initial=0.0)))

    def _ends(self) -> tuple[float, float, float]:
        """The least and largest eigenvalue of this matrix, and how far they may be off."""
        low, high, margin = ends(self.n, self._in_double)
        rounding = ROUNDING * epsilon(self.dtype)
        if self._domain == "log":
            rounding += math.expm1(self._rounding())  # |exp(B + E) - exp(B)| <= (exp(|E|) - 1) |exp(B)|
        size = self._size()
        return low, high, margin + rounding * size + self._underflow(size)

    def _definite_ends(self) -> tuple[float, float]:
        """Of a definite matrix, below its least and above its largest eigenvalue, both to their digits."""
        if self._domain == "log":
            logarithm = copy(self)
            logarithm._domain = "entries"
            low, high, margin = logarithm._ends()
            return math.exp(low - margin), math.exp(high + margin)
        low, high, margin = self._ends()
        return max(0.0, low - margin), high + margin

    def _in_double(self, x: Array) -> Array:
        return DOMAINS[self._domain].multiply(
            self._parts, np.ascontiguousarray(x, np.float64), True, resolve_threads(None, self.codes.nbytes)
        )

    def _check_entries(self, task: str) -> None:
        if self._domain != "entries":
            raise ValueError(
                f"{task} is of codes of the numbers themselves, and S is in the domain {self._domain!r}: "
                f"S.to_packed() has numbers"
            )

    def _check_symmetric(self, task: str) -> None:
        if self.kind is not Kind.SYMMETRIC:
            raise TypeError(f"{task} is of symmetric matrices, and S is {self.kind}")
