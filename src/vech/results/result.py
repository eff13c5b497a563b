"""Where a result goes: a plain half to compute in, and the store that is made of it."""

from typing import Any

import numpy as np

from vech.arrays import Array, Dtype, check_memory, check_out
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import Kind
from vech.layouts.layout import Layout
from vech.moves.converting import convert
from vech.moves.runs import Half, Runs, runs_of
from vech.packed.packed import Packed

# Rows and columns computed at a time; a power of two would make rows of a tile fall into one cache set.
TILE = 480


class Result:
    """A half of side p in the layout asked for, or in `out`.

    `half` and `plain` are what to compute in: `out` itself where it has a plain layout, else memory of its
    own that `store` converts; it may not overlap `source`, what is read. A layout that stores no diagonal
    serves where the diagonal is `implied`.
    """

    def __init__(
        self,
        p: int,
        dtype: Any,
        layout: str | AnyLayout,
        out: Array | None,
        *,
        source: Array | None = None,
        implied: int | None = None,
    ) -> None:
        self.p = p
        self.dtype: Dtype = np.dtype(dtype)
        self.layout = as_layout(layout)
        if self.layout.implied is not None and self.layout.implied != implied:
            ones = " (a layout whose diagonal is 'one' would do)" if implied == 1 else ""
            raise ValueError(
                f"layout {self.layout.name} stores no diagonal, and here it is needed{ones}: choose another, "
                f"such as 'vech'"
            )
        length = self.layout.length(p)
        if out is not None:
            inputs = () if source is None else (source,)
            check_out(out, (length,), self.dtype, *inputs, hint=f": the half of {p} columns")
        self.out = out
        self.plain: Layout = self.layout.plain
        direct = self.layout == self.plain and out is not None and out.flags.c_contiguous
        if not direct:
            check_memory(self.plain.length(p) * self.dtype.itemsize, "give out= a memory map")
        self.half: Array = np.asarray(out) if direct else np.empty(self.plain.length(p), self.dtype)

    @property
    def kind(self) -> Kind:
        """What the other triangle is."""
        return Kind.HERMITIAN.of(self.dtype)

    def runs(self) -> Runs:
        """The half to compute in, as blocks are read from it and written to it."""
        return runs_of(Half(self.half, self.plain, self.kind))

    def store(self, labels: tuple[Any, ...] | None) -> Packed:
        """The half as it was asked for."""
        half, kind = self.half, self.kind
        if self.layout != self.plain:
            half = convert(half, self.plain, self.layout, kind=kind, out=self.out)
        elif self.out is not None and not np.shares_memory(half, self.out):
            self.out[...] = half
        return Packed(half if self.out is None else self.out, self.layout, kind=kind, labels=labels)
