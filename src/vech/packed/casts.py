"""The same matrix otherwise: a function of its numbers, another dtype, its real and imaginary parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from vech.arrays import Array, as_array, family, shares_memory
from vech.layouts.kind import Kind, ruled
from vech.layouts.orders import Explicit
from vech.moves.converting import convert
from vech.moves.runs import Half
from vech.packed.arithmetic import has_form, unscaled, with_diagonal
from vech.packed.entries import take
from vech.packed.forms import Forms


class Casts(Forms):
    """What makes another matrix of the same side and order."""

    @property
    def real(self) -> Self:
        """The real part, in a new half; this store itself if it is real."""
        return self if family(self.dtype) != "c" else self._part("real")

    @property
    def imag(self) -> Self:
        """The imaginary part, in a new half: of a Hermitian matrix skew, and all zeros of a real one."""
        return self._part("imag")

    def conj(self) -> Self:
        """The conjugate matrix, in a new half; this store itself if it is real.

        Returns
        -------
        Packed

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([1, 2j, 3]), kind="hermitian").conj().half
        array([1.-0.j, 0.-2.j, 3.-0.j])
        """
        return self if family(self.dtype) != "c" else self._like(self.half.conj())

    def map(self, function: Callable[[Array], ArrayLike]) -> Self:
        """A function of each number, computed once for each pair.

        Takes one call of `function`, and memory for its result; a strict or scaled half is first converted.
        What is given to the function is read-only, and what it gives back of it is copied.

        Parameters
        ----------
        function : callable
            Takes a vector of true values and gives one as long, number by number, as ``numpy.exp`` does.

        Returns
        -------
        Packed
            In the same order, its diagonal stored and nothing scaled. (Complex numbers of a real matrix in
            rectangular full packed, which has no complex symmetric form, go by rows of its triangle.)

        Raises
        ------
        TypeError
            If the store is not symmetric: the mirror rule of the other kinds holds for few functions.
        ValueError
            If the result has another length.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([3]), "condensed").map(np.square).half
        array([0, 9, 0])
        """
        if self.kind is not Kind.SYMMETRIC:
            raise TypeError(
                f"map works on symmetric stores, not on a {self.kind} one: map over expand() instead"
            )
        layout = with_diagonal(unscaled(self.layout))
        half = self._held.moved(layout).numbers
        given = half.view()
        given.flags.writeable = False
        found = function(given)
        mapped = as_array(
            found if isinstance(found, np.ndarray) else np.asarray(found), "what the function gives"
        )
        if shares_memory(mapped, half):
            mapped = mapped.copy()
        if mapped.shape != half.shape:
            raise ValueError(
                f"the function gives shape {mapped.shape} for {half.size} numbers: it must give one for each"
            )
        if not has_form(layout, self.kind, mapped.dtype):
            plain = layout.plain
            real, imaginary = (convert(part, layout, plain) for part in (mapped.real, mapped.imag))
            mapped, layout = np.empty(real.shape, mapped.dtype), plain
            mapped.real, mapped.imag = real, imaginary
        return self._like(mapped, layout)

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> Self:
        """The same matrix in another dtype.

        Takes one new half. Integers of a scaled layout have no scale any more.

        Parameters
        ----------
        dtype : dtype
            What the numbers become, as NumPy's ``astype`` makes them.
        copy : bool
            False gives this store itself where it has that dtype already.

        Returns
        -------
        Packed
            Of the same kind, layout and labels.

        Raises
        ------
        TypeError
            For complex numbers that would lose their imaginary part, a dtype that vech refuses, and skew
            numbers without a sign.
        OverflowError
            If only its scale makes a number infinite in that dtype.

        Examples
        --------
        >>> import numpy as np
        >>> vech.Packed(np.array([1, 2, 3])).astype(np.float32)
        Packed(n=2, dtype=float32, kind='symmetric', layout='vech')
        """
        dtype = np.dtype(dtype)
        if not copy and dtype == self.dtype:
            return self
        if family(dtype) != "c" and family(self.dtype) == "c":
            raise TypeError(
                f"{self.dtype} numbers would lose their imaginary part in {dtype}: take .real or .imag"
            )
        store = self
        if family(dtype) not in "fc" and self.layout.scaled:
            layout = unscaled(self.layout)
            store = self._like(self._held.moved(layout).numbers, layout)
        if not has_form(store.layout, self.kind, dtype):
            store = store._plain()
        with np.errstate(over="ignore" if store.layout.scaled else None):
            half = store.half.astype(dtype)
        if store.layout.scaled and not holds_scale(half, store._held):
            raise OverflowError(
                f"a finite number becomes infinite in {dtype} when layout {store.layout.name} scales it: "
                f"convert the half to {store.layout.plain.name!r} first"
            )
        return self._like(half, store.layout)

    def _part(self, name: str) -> Self:
        """The real or imaginary part, of the kind that it has, its diagonal settled."""
        store = self._plain() if isinstance(self.layout, Explicit) else self
        given, layout = store.half, store.layout
        half = np.array(getattr(given, name)) if family(self.dtype) == "c" else np.zeros_like(given)
        if name == "imag" and layout.implied:
            layout = replace(layout, diagonal="zero")
        kind = ruled(self.kind.negates != (name == "imag" and self.kind.conjugates), False)
        if kind.negates:
            half[layout.diagonal_slots(self.n)] = 0
        return self._like(half, layout, kind=kind)


def holds_scale(half: Array, source: Half) -> bool:
    """Whether no number of a cast half is infinite that is finite, in that dtype too, once unscaled."""
    at = np.flatnonzero(~np.isfinite(half))
    i, j = source.layout.pair(at, source.n)
    return not np.isfinite(np.asarray(take(source, i, j)).astype(half.dtype)).any()
