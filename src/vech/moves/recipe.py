"""What a move needs to know before the data: looked up once for each layout, kind and dtype."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import NATIVE, Array, Dtype, extension, family, words
from vech.layouts.dialects import AnyLayout, as_layout
from vech.layouts.kind import KINDS, Kind, resolve_kind
from vech.layouts.layout import Layout, one_of
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


class Recipe(NamedTuple):
    """What happens to numbers of one layout (of a conversion, the target), kind and dtype."""

    layout: AnyLayout
    kind: Kind
    dtype: Dtype
    scaling: Scaling
    negates: bool
    swaps: bool
    alters: bool
    changes: tuple[Changes, Changes]
    n: int = -1  # of packing, any
    arguments: tuple[Any, ...] | None = None  # of the kernel; none where `explicit` or the matrix decides


@lru_cache(maxsize=256)
def packing(name: str | AnyLayout, kind: str | None, dtype: Dtype) -> Recipe:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    explicit.check_kind(layout, kind, dtype)
    return _recipe(layout, kind, dtype, _scaling(layout.plain, layout, dtype))


@lru_cache(maxsize=256)
def expansion(name: str | AnyLayout, kind: str | None, dtype: Dtype, length: int) -> Recipe:
    layout = as_layout(name)
    kind = resolve_kind(kind, dtype, moves=True)
    n = layout.side(length)
    explicit.check_kind(layout, kind, dtype)
    recipe = _recipe(layout, kind, dtype, _scaling(layout, layout.plain, dtype))
    if isinstance(layout, Explicit):
        return recipe._replace(n=n)
    stored, mirrored, on = recipe.changes[0]
    fill = None if layout.implied is None else words(number_of(layout.implied, 1.0, dtype))
    cells = (stored, mirrored) if layout.traversal == "rows" else (mirrored, stored)
    return recipe._replace(n=n, arguments=(n, layout.grow, fill is None, *cells, on, fill))


@lru_cache(maxsize=256)
def conversion(source: AnyLayout, target: AnyLayout, kind: str | None, dtype: Dtype, length: int) -> Recipe:
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
    own = kind if mirrors else Kind.SYMMETRIC
    recipe = _recipe(target, kind, dtype, scaling, own, mirrors)
    if isinstance(source, Explicit) or isinstance(target, Explicit):
        changes = recipe.changes
        if fill is not None:
            number = fill.view(dtype)
            changes = tuple(  # type: ignore[assignment]
                change._replace(diagonal=_core.Change(dtype.itemsize, zero=True, flip=constant.tobytes()))
                for change, constant in zip(changes, (number, Kind.HERMITIAN.mirror(number)), strict=True)
            )
        return recipe._replace(n=n, changes=changes)
    change, _, on = recipe.changes[0]
    strict = (source.implied is None, target.implied is None)
    return recipe._replace(n=n, arguments=(n, source.grow, target.grow, *strict, change, on, fill))


def _recipe(
    layout: AnyLayout,
    kind: Kind,
    dtype: Dtype,
    scaling: Scaling,
    own: Kind = Kind.SYMMETRIC,
    mirrors: bool = True,
) -> Recipe:
    """Of numbers that `own` mirrors on their way, or, in the other triangle, `kind`."""
    negates = mirrors and kind.negates and family(dtype) in "im"
    alters = scaling.alters or own is not Kind.SYMMETRIC
    changes = scaling.all_changes(own, kind, dtype)
    return Recipe(layout, kind, dtype, scaling, negates, negates and not dtype.isnative, alters, changes)


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


def is_ordinary(dtype: Dtype, layout: Any, *names: Any) -> bool:
    """Whether a call says nothing that needs a second look, so that what was looked up once serves it."""
    named = type(layout) in (str, Layout) and all(name is None or isinstance(name, str) for name in names)
    return dtype in NATIVE and named


def check_side(n: int, layout: AnyLayout) -> None:
    if n == 0 and layout.implied is not None:
        raise ValueError(
            f"a 0 x 0 matrix has no half in layout {layout.name}: a half of length 0 is n = 1 there"
        )
