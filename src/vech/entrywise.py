"""Arithmetic of halves, number by number: what NumPy does to full matrices, done to each pair once."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vech import explicit
from vech.arrays import Array, Dtype, check_writeable, family, settle
from vech.dialects import AnyLayout
from vech.layout import Layout
from vech.moves import convert
from vech.orders import TensorOrder

SUMS = (np.add, np.subtract)
PRODUCTS = (np.multiply, np.divide)
EQUALITIES = (np.equal, np.not_equal)
SIGNS = (np.negative, np.positive)

Rule = tuple[int, bool]  # what is in the other triangle: the sign, and whether it is conjugated besides
RULES: dict[str, Rule] = {
    "symmetric": (1, False),
    "hermitian": (1, True),
    "skew": (-1, False),
    "skew-hermitian": (-1, True),
}


class Operand(NamedTuple):
    """One matrix."""

    half: Array
    layout: AnyLayout
    kind: str

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self.layout.side(self.half.size)


def apply(ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Operand:
    """A ufunc of one or two inputs, operands of one side or numbers; in place: into the half of the first.

    The result has the layout of the first operand, with its diagonal stored where it is not the implied one.
    In place, an error or Ctrl-C leaves the half as it was, or as it is to be.
    """
    stores = [x for x in inputs if isinstance(x, Operand)]
    first = stores[0]
    dtype = ufunc(*(np.empty(0, x.half.dtype) if isinstance(x, Operand) else x for x in inputs)).dtype
    family(dtype)
    kind = kind_of(ufunc, inputs, dtype)
    layout = _layout(ufunc, inputs, kind, dtype, in_place)
    if in_place:
        _check_fits(first, layout, kind, dtype)
    linear = ufunc in SUMS + SIGNS + (np.absolute,) and len(stores) == len(inputs)
    linear |= len(stores) == 1 and (ufunc is np.multiply or (ufunc is np.divide and inputs[0] is first))
    work = layout if linear else unscaled(layout)
    moved = [_moved(x, work, dtype) if isinstance(x, Operand) else x for x in inputs]
    at, ends = _settled(inputs, moved, work, first.n)
    halved = at.size or "raise" in np.geterr().values()  # by Ctrl-C; by a ufunc that writes before it raises
    if in_place and work == layout and not halved:
        half = first.half
    else:
        made = [
            new for new, x in zip(moved, inputs, strict=True) if isinstance(x, Operand) and new is not x.half
        ]
        fitting = [new for new in made if new.dtype == dtype]
        half = fitting[0] if fitting else np.empty(layout.length(first.n), dtype)
    ufunc(*moved, out=half, casting="same_kind")
    if at.size:
        half[at] = ufunc(*ends)
    if work != layout:
        half = convert(half, work, layout, kind=kind, out=half if isinstance(layout, Layout) else None)
    if in_place and half is not first.half:
        first.half[...] = half
    return Operand(first.half if in_place else half, layout, kind)


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


def is_own_mirror(number: Any, kind: str) -> bool:
    """Whether the matrix that holds one number everywhere is of this kind."""
    return RULES[kind] in _rules(number)


# ---------------------------------------------------------------- the kind of a result


def kind_of(ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: Dtype) -> str:
    """The kind of what a ufunc makes of operands and numbers; TypeError if of none."""
    rules = [_rules(x) for x in inputs]
    common = frozenset.intersection(*rules)
    stores = [x for x in inputs if isinstance(x, Operand)]
    if ufunc in EQUALITIES or ufunc is np.absolute:
        found = {(1, False)} if common else set()
    elif ufunc in SUMS + SIGNS:
        found = set(common)
    elif ufunc in PRODUCTS:
        (a, b) = rules
        found = {(x[0] * y[0], x[1]) for x in a for y in b if x[1] == y[1]}
    else:  # an order, or logic
        found = {(1, False)} if all((1, False) in each for each in rules) else set()
    fitting = [kind for kind in (*(x.kind for x in stores), *RULES) if RULES[kind] in found]
    if not fitting:
        raise TypeError(
            f"{ufunc.__name__} of {' and '.join(map(_described, inputs))} is of no kind: "
            f"its triangles would not say the same, so compute with expand()"
        )
    kind = fitting[0]
    if family(dtype) != "c":
        kind = {"hermitian": "symmetric", "skew-hermitian": "skew"}.get(kind, kind)
    divisor = inputs[1] if ufunc is np.divide else None
    if isinstance(divisor, Operand) and divisor.kind == "skew" and "skew" in kind:
        raise TypeError(
            f"{_described(inputs[0])} divided by {_described(divisor)} is of no kind: it divides by a "
            f"diagonal of zeros, so compute with expand()"
        )
    if isinstance(divisor, Operand) and divisor.kind == "skew" and family(divisor.half.dtype) not in "fc":
        raise TypeError(
            f"{_described(inputs[0])} divided by {_described(divisor)} is of no kind: a zero of {divisor.half.dtype} "
            f"has no sign to mirror, so divide by its astype(float)"
        )
    return kind


def _rules(x: Any) -> frozenset[Rule]:
    """Every rule that a matrix, or the matrix of one number, keeps."""
    if isinstance(x, Operand):
        rule = RULES[x.kind]
        return frozenset({rule} if family(x.half.dtype) == "c" else {(rule[0], False), (rule[0], True)})
    kept = {(1, False)}
    if not np.iscomplexobj(x) or x.imag == 0:
        kept.add((1, True))
    elif x.real == 0:
        kept.add((-1, True))
    if x == 0:
        kept |= set(RULES.values())
    return frozenset(kept)


def _described(x: Any) -> str:
    return f"a {x.kind} {x.half.dtype} matrix" if isinstance(x, Operand) else f"the number {x!s}"


# ---------------------------------------------------------------- the layout of a result


def _layout(ufunc: np.ufunc, inputs: tuple[Any, ...], kind: str, dtype: Dtype, in_place: bool) -> AnyLayout:
    stores = [x for x in inputs if isinstance(x, Operand)]
    layout = stores[0].layout
    if family(dtype) not in "fc":
        layout = unscaled(layout)
    forms = [(kind, dtype), *((x.kind, x.half.dtype) for x in stores)]
    if not all(has_form(layout, *form) for form in forms):
        layout = layout.plain
    return layout if _is_implied(ufunc, inputs, layout, in_place) else with_diagonal(layout)


def has_form(layout: AnyLayout, kind: str, dtype: Dtype) -> bool:
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
    stores = [x for x in inputs if isinstance(x, Operand)]
    implied = layout.implied
    if implied is None or any(x.layout.implied is None for x in stores):
        return False
    if ufunc not in SUMS + PRODUCTS + SIGNS + (np.absolute,):
        return False
    if ufunc in SUMS and len(stores) < len(inputs) and not in_place:
        return False
    with np.errstate(all="ignore"):
        diagonal = ufunc(
            *(
                np.full(1, x.layout.implied).astype(x.half.dtype) if isinstance(x, Operand) else x
                for x in inputs
            )
        )
        return bool(diagonal[0] == np.full(1, implied).astype(diagonal.dtype)[0])


def _check_fits(own: Operand, layout: AnyLayout, kind: str, dtype: Dtype) -> None:
    """Refuse a result that cannot be written into the half of an operand."""
    check_writeable(own.half)
    if kind != own.kind:
        raise TypeError(
            f"the result is {kind} and the matrix {own.kind}, so it has no place in the same half: "
            f"write S = S + T, not S += T"
        )
    loses = family(dtype) == "c" and family(own.half.dtype) != "c"  # which ml_dtypes would let pass
    if loses or not np.can_cast(dtype, own.half.dtype, "same_kind"):
        raise TypeError(
            f"the result has dtype {dtype}, which a half of {own.half.dtype} cannot hold: "
            f"write S = S + T, not S += T"
        )
    if layout != own.layout:
        raise ValueError(
            f"layout {own.layout.name} has no place for the result, which needs {layout.name}: "
            f"write S = S + T, not S += T"
        )


# ---------------------------------------------------------------- numbers


def _moved(x: Operand, layout: AnyLayout, dtype: Dtype) -> Array:
    """The half of an operand in this layout, but for a diagonal that is left out."""
    half = x.half
    if isinstance(layout, Layout) and layout.implied is not None:  # so is that of every operand
        layout = replace(layout, diagonal=x.layout.diagonal)
    if layout == x.layout:
        return half
    source = x.layout
    if (
        layout.scaled
        and half.dtype != dtype
        and unscaled(layout) != layout
        and scales(source) != scales(layout)
    ):
        source = unscaled(layout)  # true values in their own dtype, scaled in that of the result
        half = convert(half, x.layout, source, kind=x.kind).astype(dtype)
    return convert(half, source, layout, kind=x.kind)


def _settled(
    inputs: tuple[Any, ...], halves: list[Any], layout: AnyLayout, n: int
) -> tuple[NDArray[np.int64], list[Any]]:
    """Where the diagonal is, and what of it is computed with; nothing where that is what the halves hold."""
    settles = any(isinstance(x, Operand) and x.kind != "symmetric" for x in inputs)
    if layout.implied is not None or not settles:
        return np.arange(0), []
    i = np.arange(n)
    at, ends = layout.slot(i, i, n), []
    for x, half in zip(inputs, halves, strict=True):
        ends.append(half[at] if isinstance(x, Operand) else half)
        if isinstance(x, Operand):
            settle(ends[-1], x.kind)
    return at, ends


# ---------------------------------------------------------------- operators


class Operators(ABC):
    """The operators of Python, each by its ufunc."""

    @abstractmethod
    def _entrywise(self, ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Self:
        """The ufunc of the inputs, of which one is this matrix."""

    def __add__(self, other: Any) -> Self:
        return self._entrywise(np.add, self, other)

    def __radd__(self, other: Any) -> Self:
        return self._entrywise(np.add, other, self)

    def __iadd__(self, other: Any) -> Self:
        return self._entrywise(np.add, self, other, in_place=True)

    def __sub__(self, other: Any) -> Self:
        return self._entrywise(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._entrywise(np.subtract, other, self)

    def __isub__(self, other: Any) -> Self:
        return self._entrywise(np.subtract, self, other, in_place=True)

    def __mul__(self, other: Any) -> Self:
        return self._entrywise(np.multiply, self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._entrywise(np.multiply, other, self)

    def __imul__(self, other: Any) -> Self:
        return self._entrywise(np.multiply, self, other, in_place=True)

    def __truediv__(self, other: Any) -> Self:
        return self._entrywise(np.divide, self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._entrywise(np.divide, other, self)

    def __itruediv__(self, other: Any) -> Self:
        return self._entrywise(np.divide, self, other, in_place=True)

    def __pow__(self, other: Any) -> Self:
        raise TypeError(
            "a Packed has no power: S.map(lambda v: v**2) is that of each number, S @ S.expand() the matrix product"
        )

    def __floordiv__(self, other: Any) -> Self:
        raise TypeError("a Packed has no // and no %: S.map(lambda v: v // 2) works number by number")

    __rpow__, __mod__, __rfloordiv__, __rmod__ = __pow__, __floordiv__, __floordiv__, __floordiv__

    def __neg__(self) -> Self:
        return self._entrywise(np.negative, self)

    def __pos__(self) -> Self:
        return self._entrywise(np.positive, self)

    def __abs__(self) -> Self:
        return self._entrywise(np.absolute, self)

    def __invert__(self) -> Self:
        return self._entrywise(np.invert, self)

    def __and__(self, other: Any) -> Self:
        return self._entrywise(np.bitwise_and, self, other)

    def __or__(self, other: Any) -> Self:
        return self._entrywise(np.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Self:
        return self._entrywise(np.bitwise_xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self._entrywise(np.equal, self, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self._entrywise(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Self:
        return self._entrywise(np.less, self, other)

    def __le__(self, other: Any) -> Self:
        return self._entrywise(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Self:
        return self._entrywise(np.greater, self, other)

    def __ge__(self, other: Any) -> Self:
        return self._entrywise(np.greater_equal, self, other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError(
            "a matrix is neither true nor false: S.half.all() and S.half.any() say so of a comparison's numbers"
        )
