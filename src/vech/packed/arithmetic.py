"""Arithmetic of halves, number by number: what NumPy does to full matrices, done to each pair once."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vech.arrays import Array, Dtype, check_writeable, family, native
from vech.layouts.dialects import AnyLayout
from vech.layouts.kind import STORED, Kind, ruled
from vech.layouts.layout import Layout
from vech.layouts.orders import TensorOrder
from vech.moves import explicit
from vech.moves.converting import convert
from vech.moves.runs import Half

SUMS = (np.add, np.subtract)
PRODUCTS = (np.multiply, np.divide)
EQUALITIES = (np.equal, np.not_equal)
SIGNS = (np.negative, np.positive)


def apply(ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Half:
    """A ufunc of one or two inputs, operands of one side or numbers; in place: into the half of the first.

    The result has the layout of the first operand, with its diagonal stored where it is not the implied one.
    In place, an error or Ctrl-C leaves the half as it was, or as it is to be.
    """
    if not in_place:
        inputs = tuple(_native(x) if isinstance(x, Half) else x for x in inputs)
    stores = [x for x in inputs if isinstance(x, Half)]
    first = stores[0]
    dtype = ufunc(*(np.empty(0, x.dtype) if isinstance(x, Half) else x for x in inputs)).dtype
    family(dtype)
    kind = kind_of_result(ufunc, inputs, dtype)
    layout = _layout(ufunc, inputs, kind, dtype, in_place)
    if in_place:
        _check_fits(first, layout, kind, dtype)
    linear = ufunc in SUMS + SIGNS + (np.absolute,) and len(stores) == len(inputs)
    linear |= len(stores) == 1 and (ufunc is np.multiply or (ufunc is np.divide and inputs[0] is first))
    work = layout if linear else unscaled(layout)
    moved = [_moved(x, work, dtype) if isinstance(x, Half) else x for x in inputs]
    at, ends = _settled(inputs, moved, work, first.n)
    halved = at.size or "raise" in np.geterr().values()  # by Ctrl-C; by a ufunc that writes before it raises
    if in_place and work == layout and not halved:
        half = first.numbers
    else:
        made = [
            new for new, x in zip(moved, inputs, strict=True) if isinstance(x, Half) and new is not x.numbers
        ]
        fitting = [new for new in made if new.dtype == dtype]
        half = fitting[0] if fitting else np.empty(layout.length(first.n), dtype)
    ufunc(*moved, out=half, casting="same_kind")
    if at.size:
        half[at] = ufunc(*ends)
    if work != layout:
        half = convert(half, work, layout, kind=kind, out=half if isinstance(layout, Layout) else None)
    if in_place and half is not first.numbers:
        first.numbers[...] = half
    return Half(first.numbers if in_place else half, layout, kind)


def scales(layout: AnyLayout) -> tuple[float, float]:
    """What true values are multiplied by, on the diagonal and off it."""
    return layout.diagonal_scale, layout.offdiagonal_scale


def unscaled(layout: AnyLayout) -> AnyLayout:
    """The same order and diagonal, nothing scaled."""
    if isinstance(layout, Layout | TensorOrder):
        return replace(layout, diagonal_scale=1.0, offdiagonal_scale=1.0)
    return layout


def with_diagonal(layout: AnyLayout) -> AnyLayout:
    """The same order and scales, the diagonal stored."""
    return replace(layout, diagonal="stored") if isinstance(layout, Layout) else layout


def is_own_mirror(number: Any, kind: Kind) -> bool:
    """Whether the matrix that holds one number everywhere is of this kind."""
    return kind in _kinds(number)


# ---------------------------------------------------------------- the kind of a result


def kind_of_result(ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: Dtype) -> Kind:
    """The kind of what a ufunc makes of operands and numbers; TypeError if of none."""
    kinds = [_kinds(x) for x in inputs]
    common = frozenset.intersection(*kinds)
    stores = [x for x in inputs if isinstance(x, Half)]
    if ufunc in EQUALITIES or ufunc is np.absolute:
        found = {Kind.SYMMETRIC} if common else set()
    elif ufunc in SUMS + SIGNS:
        found = set(common)
    elif ufunc in PRODUCTS:
        (a, b) = kinds
        pairs = ((x, y) for x in a for y in b if x.conjugates == y.conjugates)
        found = {ruled(x.negates != y.negates, x.conjugates) for x, y in pairs}
    else:  # an order, or logic
        found = {Kind.SYMMETRIC} & common
    fitting = [kind for kind in (*(x.kind for x in stores), *STORED) if kind in found]
    if not fitting:
        raise TypeError(
            f"{ufunc.__name__} of {' and '.join(map(_described, inputs))} is of no kind: "
            f"its triangles would not say the same, so compute with expand()"
        )
    kind = fitting[0].of(dtype)
    divisor = inputs[1] if ufunc is np.divide else None
    if isinstance(divisor, Half) and divisor.kind is Kind.SKEW and kind.negates:
        raise TypeError(
            f"{_described(inputs[0])} divided by {_described(divisor)} is of no kind: it divides by a "
            f"diagonal of zeros, so compute with expand()"
        )
    if isinstance(divisor, Half) and divisor.kind is Kind.SKEW and family(divisor.dtype) not in "fc":
        raise TypeError(
            f"{_described(inputs[0])} divided by {_described(divisor)} is of no kind: "
            f"a zero of {divisor.dtype} has no sign to mirror, so divide by its astype(float)"
        )
    return kind


def _kinds(x: Any) -> frozenset[Kind]:
    """Every kind of which a matrix, or the matrix of one number, is."""
    if isinstance(x, Half):
        return frozenset({x.kind} if family(x.dtype) == "c" else {x.kind, x.kind.conjugated})
    if not x:  # also of a date, which NumPy does not compare with a number
        return frozenset(STORED)
    if not np.iscomplexobj(x) or x.imag == 0:
        return frozenset({Kind.SYMMETRIC, Kind.HERMITIAN})
    return frozenset({Kind.SYMMETRIC, Kind.SKEW_HERMITIAN} if x.real == 0 else {Kind.SYMMETRIC})


def _described(x: Any) -> str:
    return f"a {x.kind} {x.dtype} matrix" if isinstance(x, Half) else f"the number {x!s}"


# ---------------------------------------------------------------- the layout of a result


def _layout(ufunc: np.ufunc, inputs: tuple[Any, ...], kind: Kind, dtype: Dtype, in_place: bool) -> AnyLayout:
    stores = [x for x in inputs if isinstance(x, Half)]
    layout = stores[0].layout
    if family(dtype) not in "fc":
        layout = unscaled(layout)
    forms = [(kind, dtype), *((x.kind, x.dtype) for x in stores)]
    if not all(has_form(layout, *form) for form in forms):
        layout = layout.plain
    return layout if _is_implied(ufunc, inputs, layout, in_place) else with_diagonal(layout)


def has_form(layout: AnyLayout, kind: Kind, dtype: Dtype) -> bool:
    """Whether a layout holds matrices of this kind and dtype."""
    try:
        explicit.check_kind(layout, kind, dtype)
    except ValueError:
        return False
    return True


def _is_implied(ufunc: np.ufunc, inputs: tuple[Any, ...], layout: AnyLayout, in_place: bool) -> bool:
    """Whether the diagonal of the result is the one that the layout leaves out.

    A new matrix plus a number always has its own diagonal, so that its layout depends on no value.
    """
    stores = [x for x in inputs if isinstance(x, Half)]
    implied = layout.implied
    if implied is None or any(x.layout.implied is None for x in stores):
        return False
    if ufunc not in SUMS + PRODUCTS + SIGNS + (np.absolute,):
        return False
    if ufunc in SUMS and len(stores) < len(inputs) and not in_place:
        return False
    with np.errstate(all="ignore"):
        diagonal = ufunc(
            *(np.full(1, x.layout.implied).astype(x.dtype) if isinstance(x, Half) else x for x in inputs)
        )
        return bool(diagonal[0] == np.full(1, implied).astype(diagonal.dtype)[0])


def _check_fits(own: Half, layout: AnyLayout, kind: Kind, dtype: Dtype) -> None:
    """Refuse a result that cannot be written into the half of an operand."""
    check_writeable(own.numbers)
    if kind != own.kind:
        raise TypeError(
            f"the result is {kind} and the matrix {own.kind}, so it has no place in the same half: "
            f"write S = S + T, not S += T"
        )
    loses = family(dtype) == "c" and family(own.dtype) != "c"  # which ml_dtypes would let pass
    if loses or not np.can_cast(dtype, own.dtype, "same_kind"):
        raise TypeError(
            f"the result has dtype {dtype}, which a half of {own.dtype} cannot hold: "
            f"write S = S + T, not S += T"
        )
    if layout != own.layout:
        raise ValueError(
            f"layout {own.layout.name} has no place for the result, which needs {layout.name}: "
            f"write S = S + T, not S += T"
        )


# ---------------------------------------------------------------- numbers


def _native(x: Half) -> Half:
    """Integers in the machine's byte order: NumPy may crash comparing others to -1 (its issue 28117)."""
    if family(x.dtype) not in "iu":
        return x
    return x._replace(numbers=x.numbers.astype(native(x.dtype), copy=False))


def _moved(x: Half, layout: AnyLayout, dtype: Dtype) -> Array:
    """The half of an operand in this layout, but for a diagonal that is left out."""
    if isinstance(layout, Layout) and layout.implied is not None:  # so is that of every operand
        layout = replace(layout, diagonal=x.layout.diagonal)
    if layout == x.layout:
        return x.numbers
    if (
        layout.scaled
        and x.dtype != dtype
        and unscaled(layout) != layout
        and scales(x.layout) != scales(layout)
    ):
        x = x.moved(unscaled(layout))  # true values in their own dtype, scaled in that of the result
        x = x._replace(numbers=x.numbers.astype(dtype))
    return convert(x.numbers, x.layout, layout, kind=x.kind)


def _settled(
    inputs: tuple[Any, ...], halves: list[Any], layout: AnyLayout, n: int
) -> tuple[NDArray[np.int64], list[Any]]:
    """Where the diagonal is, and what of it is computed with; nothing where that is what the halves hold."""
    settles = any(isinstance(x, Half) and x.kind is not Kind.SYMMETRIC for x in inputs)
    if layout.implied is not None or not settles:
        return np.arange(0), []
    at = layout.diagonal_slots(n)
    pairs = zip(inputs, halves, strict=True)
    return at, [x.kind.settled(half[at]) if isinstance(x, Half) else half for x, half in pairs]
