"""The operators of a store that has none: each refused, with what computes it."""

from collections.abc import Callable, Iterable
from numbers import Number
from typing import Any, ClassVar, Never

import numpy as np

Refused = Callable[..., Any]

NUMBERS: dict[np.ufunc, str] = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/"}
LOGIC: dict[np.ufunc, str] = {np.bitwise_and: "&", np.bitwise_or: "|", np.bitwise_xor: "^"}
ORDER: dict[np.ufunc, str] = {np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">="}
# Which a `Packed` has not either.
BY_MAP: dict[np.ufunc, str] = {np.power: "**", np.floor_divide: "//", np.remainder: "%"}
SAME: dict[np.ufunc, str] = {np.equal: "==", np.not_equal: "!="}
BINARY = NUMBERS | LOGIC | ORDER | SAME | BY_MAP
UNARY: dict[np.ufunc, str] = {np.negative: "-", np.positive: "+", np.invert: "~", np.absolute: "abs"}


def _unary(ufunc: np.ufunc) -> Refused:
    return lambda self: self._refuse(ufunc, self)


def _binary(ufunc: np.ufunc) -> Refused:
    return lambda self, other: self._refuse(ufunc, self, other)


def _both(ufunc: np.ufunc) -> tuple[Refused, Refused]:
    """The operator of a store on the left, and of one on the right."""
    return _binary(ufunc), lambda self, other: self._refuse(ufunc, other, self)


class Refusals:
    """No arithmetic, comparison or logic, no truth value, and no equality by being the same object.

    What a store of both has, such as a `Packed`, it computes with one that has not.
    """

    _computes: ClassVar[bool] = False  # whether it has operators
    _beside: ClassVar[str] = ""  # another way than by a `Packed`
    _truth: ClassVar[str] = (
        "S.to_packed() has comparisons, number by number, whose .all() and .any() say what is true"
    )

    def _refuse(self, ufunc: np.ufunc, *inputs: Any) -> Any:
        """TypeError with the way out; NotImplemented where another operand may compute, or is no number."""
        for x in inputs:
            if x is not self and (getattr(type(x), "_computes", False) or not _is_operand(x)):
                return NotImplemented
        return self._say_refused(ufunc, inputs)

    def _say_refused(self, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Never:
        check_bits(ufunc, inputs)
        sign = BINARY.get(ufunc) or UNARY[ufunc]
        if ufunc in BY_MAP:
            power = f"v {sign} 2" if inputs[0] is self else f"2 {sign} v"
            way = f"S.to_packed().map(lambda v: {power})"
        elif ufunc in BINARY:
            way = f"S.to_packed() {sign} x" if inputs[0] is self else f"x {sign} S.to_packed()"
        else:
            way = "abs(S.to_packed())" if sign == "abs" else f"{sign}S.to_packed()"
        raise TypeError(f"a {type(self).__name__} has no {sign}: {way} computes it in memory{self._beside}")

    __add__, __radd__ = _both(np.add)
    __sub__, __rsub__ = _both(np.subtract)
    __mul__, __rmul__ = _both(np.multiply)
    __truediv__, __rtruediv__ = _both(np.divide)
    __floordiv__, __rfloordiv__ = _both(np.floor_divide)
    __mod__, __rmod__ = _both(np.remainder)
    __pow__, __rpow__ = _both(np.power)
    __and__, __rand__ = _both(np.bitwise_and)
    __or__, __ror__ = _both(np.bitwise_or)
    __xor__, __rxor__ = _both(np.bitwise_xor)
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)
    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError(f"a matrix is neither true nor false: {self._truth}")


def check_bits(ufunc: np.ufunc, operands: Iterable[Any]) -> None:
    """TypeError, naming the dtype, for logic with what is neither true nor false and no integer."""
    if ufunc not in LOGIC and ufunc is not np.invert:
        return
    for x in operands:
        dtype, way = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype, ""
        if isinstance(x, Refusals):
            store = "S" if x._computes else "S.to_packed()"
            way = f": {store} != 0 is a matrix of truth values"
        if dtype.kind not in "biu":
            sign = LOGIC.get(ufunc, "~")
            raise TypeError(f"{sign} is for truth values and integers, not for {dtype}{way}")


def _is_operand(x: Any) -> bool:
    """Whether it is a number, an array or a store, as an operand of a matrix is."""
    return isinstance(x, Number | np.generic | list | tuple | Refusals) or hasattr(x, "shape")
