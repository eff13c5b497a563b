"""What a move needs to know before the data: looked up once for each layout, kind and dtype."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from vech import _core
from vech.arrays import Array, Dtype, extension, family, words
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import KINDS, Kind, resolve_kind
from vech.layouts.layout import one_of
from vech.layouts.orders import Explicit
from vech.moves import explicit
from vech.moves.explicit import Changes
from vech.moves.rounding import Factors, narrow, widen


class Scaling(NamedTuple):
    """What multiplies numbers off and on the diagonal, and whether kernels can do it."""

    off: Factors
    on: Factors
    by_kernel: bool

    @property
    def alters(self) -> bool:
        """Whether any number becomes another."""
        return self.off[0] != self.off[1] or self.on[0] != self.on[1]

    @property
    def by_hand(self) -> bool:
        """Whether `rescale` has to do it."""
        return self.alters and not self.by_kernel

    def change(self, factors: Factors, dtype: Dtype, kind: Kind) -> _core.Change:
        """What happens to a number that is scaled by `factors` and mirrored by `kind`."""
        options = kind.options(dtype)
        if self.by_kernel and factors[0] != factors[1]:
            name = "f4" if dtype.char in "fF" else "f8"
            options |= {"scale": name, "divisor": factors[0], "multiplier": factors[1]}
        return _core.Change(dtype.itemsize, **options)

    def all_changes(self, own: Kind, mirrored: Kind, dtype: Dtype) -> tuple[Changes, Changes]:
        """What happens to numbers that are mirrored by these kinds, and to those that are crossed besides."""
        factors, kinds = (self.off, self.off, self.on), (own, mirrored, Kind.SYMMETRIC)
        straight = (self.change(by, dtype, kind) for by, kind in zip(factors, kinds, strict=True))
        crossed = (self.change(by, dtype, kind.conjugated) for by, kind in zip(factors, kinds, strict=True))
        return Changes(*straight), Changes(*crossed)


class Packing(NamedTuple):
    layout: AnyLayout
    kind: Kind
    dtype: Dtype
    scaling: Scaling
    negates: bool
    swaps: bool
    changes: tuple[Changes, Changes]


class Expansion(NamedTuple):
    n: int
    layout: AnyLayout
    kind: Kind
    scaling: Scaling
    negates: bool
    swaps: bool
    arguments: tuple[int, bool, bool, _core.Change, _core.Change, _core.Change, Array | None] | None
    changes: tuple[Changes, Changes]


class Conversion(NamedTuple):
    n: int
    scaling: Scaling
    negates: bool
    swaps: bool
    in_place: bool
    alters: bool
    arguments: tuple[int, bool, bool, bool, bool, _core.Change, _core.Change, Array | None] | None
    changes: tuple[Changes, Changes]


@lru_cache(maxsize=256)
def packing(name: str | AnyLayout, kind: str | None, dtype: Dtype) -> Packing:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    explicit.check_kind(layout, kind, dtype)
    scaling = _scaling(layout.plain, layout, dtype)
    changes = scaling.all_changes(Kind.SYMMETRIC, kind, dtype)
    return Packing(layout, kind, dtype, scaling, *_negation(kind, dtype), changes)


@lru_cache(maxsize=256)
def expansion(name: str | AnyLayout, kind: str | None, dtype: Dtype, length: int) -> Expansion:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    n = layout.side(length)
    explicit.check_kind(layout, kind, dtype)
    scaling = _scaling(layout, layout.plain, dtype)
    changes = scaling.all_changes(Kind.SYMMETRIC, kind, dtype)
    if isinstance(layout, Explicit):
        return Expansion(n, layout, kind, scaling, *_negation(kind, dtype), None, changes)
    stored, mirrored, on = changes[0]
    fill = None if layout.implied is None else words(number_of(layout.implied, 1.0, dtype))
    cells = (stored, mirrored) if layout.traversal == "rows" else (mirrored, stored)
    arguments = (n, layout.grow, fill is None, *cells, on, fill)
    return Expansion(n, layout, kind, scaling, *_negation(kind, dtype), arguments, changes)


@lru_cache(maxsize=256)
def conversion(
    source: AnyLayout, target: AnyLayout, kind: str | None, dtype: Dtype, length: int
) -> Conversion:
    kind = resolve_kind(kind, dtype, moves=True)
    n = source.side(length)
    target.length(n)
    check_side(n, target)
    for layout in (source, target):
        explicit.check_kind(layout, kind, dtype)
    mirrors = source.triangle != target.triangle
    if mirrors and kind is Kind.TRIANGULAR:
        raise ValueError(
            f"a {source.triangle} triangular half cannot become one of the {target.triangle} triangle: "
            f"that is all zero"
        )
    scaling = _scaling(source, target, dtype)
    fill = None
    if target.implied is None and source.implied is not None:
        fill = words(number_of(source.implied, target.diagonal_scale, dtype))
    negates, swaps = _negation(kind, dtype) if mirrors else (False, False)
    strict = (source.implied is None, target.implied is None)
    own = kind if mirrors else Kind.SYMMETRIC
    alters = scaling.alters or own is not Kind.SYMMETRIC
    changes = scaling.all_changes(own, kind, dtype)
    if isinstance(source, Explicit) or isinstance(target, Explicit):
        if fill is not None:
            number = fill.view(dtype)
            changes = tuple(  # type: ignore[assignment]
                change._replace(diagonal=_core.Change(dtype.itemsize, zero=True, flip=constant.tobytes()))
                for change, constant in zip(changes, (number, Kind.HERMITIAN.mirror(number)), strict=True)
            )
        return Conversion(n, scaling, negates, swaps, source == target, alters, None, changes)
    change, _, on = changes[0]
    arguments = (n, source.grow, target.grow, *strict, change, on, fill)
    in_place = source.grow == target.grow and strict[0] == strict[1]
    return Conversion(n, scaling, negates, swaps, in_place, alters, arguments, changes)


def _scaling(source: AnyLayout, target: AnyLayout, dtype: Dtype) -> Scaling:
    """From the numbers that `source` stores to those of `target`."""
    for layout in (source, target):
        if layout.scaled and family(dtype) not in "fc":
            raise TypeError(
                f"layout {layout.name} scales what it stores, and {dtype} is exact: astype(float) first"
            )
    on = (1.0, 1.0)
    if source.implied is None and target.implied is None:
        on = (source.diagonal_scale, target.diagonal_scale)
    by_kernel = dtype.isnative and not extension(dtype) and dtype.char in "fdFD"
    return Scaling((source.offdiagonal_scale, target.offdiagonal_scale), on, by_kernel)


def _negation(kind: Kind, dtype: Dtype) -> tuple[bool, bool]:
    """Whether integers are negated, and whether their bytes must be swapped for that."""
    negates = kind.negates and family(dtype) in "im"
    return negates, negates and not dtype.isnative


def number_of(value: int, scale: float, dtype: Dtype) -> Array:
    """value x scale in an array of one."""
    if family(dtype) != "f":
        return np.array([value * scale if family(dtype) == "c" else value]).astype(dtype)
    number = narrow(np.array([value * scale]), dtype)
    if not np.isfinite(widen(number)).all():
        raise OverflowError(f"the diagonal {value} times its scale {scale} is infinite in {dtype}")
    return number


def kind_name(kind: str | None) -> str | None:
    if kind is not None and not isinstance(kind, str):
        one_of("kind", kind, KINDS)
    return kind


def check_side(n: int, layout: AnyLayout) -> None:
    if n == 0 and layout.implied is not None:
        raise ValueError(
            f"a 0 x 0 matrix has no half in layout {layout.name}: a half of length 0 is n = 1 there"
        )
