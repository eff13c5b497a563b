"""The operators of Python on a store, each by its ufunc."""

from abc import abstractmethod
from collections.abc import Callable
from numbers import Number
from typing import Any, ClassVar

import numpy as np

from vech import frames, tensors
from vech.maps import as_read
from vech.refusals import check_bits
from vech.store import Store, check_readable, common_labels, way_to_store

ROUTED: set[np.ufunc] = set()  # binary functions of NumPy that are the operators: np.add(2, S) is 2 + S

Unary = Callable[["Operators"], Any]
Binary = Callable[["Operators", Any], Any]


def _unary(ufunc: np.ufunc) -> Unary:
    def operate(self: "Operators") -> Any:
        return self._entrywise(ufunc, self)

    return operate


def _binary(ufunc: np.ufunc) -> Binary:
    ROUTED.add(ufunc)

    def operate(self: "Operators", other: Any) -> Any:
        return self._entrywise(ufunc, self, other)

    return operate


def _arithmetic(ufunc: np.ufunc) -> tuple[Binary, Binary, Binary]:
    """The operator of a store on the left, of one on the right, and in place."""

    def reflected(self: "Operators", other: Any) -> Any:
        return self._entrywise(ufunc, other, self)

    def in_place(self: "Operators", other: Any) -> Any:
        return self._entrywise(ufunc, self, other, in_place=True)

    return _binary(ufunc), reflected, in_place


class Operators(Store):
    """Arithmetic, comparison and logic, entry by entry, with numbers and other stores.

    A comparison gives a matrix of truth values. So a store has no truth value itself, and no hash.
    """

    _of_sparse: ClassVar[str]  # how a sparse array becomes such a store
    _maps: ClassVar[str] = "S.map"  # what maps a function over its numbers
    _computes = True

    def _entrywise(self, ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Any:
        """The ufunc of the inputs, this matrix among them; NotImplemented for what others may compute."""
        operands, labels = [self._operand(ufunc, x) for x in inputs], None
        for x in operands:
            if x is NotImplemented:
                return NotImplemented
        check_bits(ufunc, operands)
        for x in operands:
            if isinstance(x, Store):
                check_same_side(x.n, self.n)
                labels = common_labels(labels, x.labels)
        return self._computed(ufunc, operands, labels, in_place)

    @abstractmethod
    def _computed(
        self, ufunc: np.ufunc, operands: list[Any], labels: tuple[Any, ...] | None, in_place: bool
    ) -> Any:
        """The ufunc of numbers and of stores of this side; in place: into the numbers of this store."""

    def _operand(self, ufunc: np.ufunc, x: Any) -> Any:
        """A number or a store; TypeError for arrays and numbers of no NumPy, NotImplemented for all else."""
        if type(x) is float or type(x) is int or isinstance(x, Store):
            return x
        check_readable(x, "an operand")
        if tensors.is_foreign(x) and getattr(x, "shape", None) == ():
            x = tensors.numbers_of(x, "a number")
        if isinstance(x, np.ndarray) and x.ndim == 0:
            x = x[()]
        if isinstance(x, int | float | complex | np.generic):
            return x
        takes = f"np.{ufunc.__name__} of a {type(self).__name__} takes numbers"
        if isinstance(x, Number):
            raise TypeError(f"{takes} that NumPy has, not {x!r}: take float(x)")
        if way_out := way_to_store(x):
            raise TypeError(f"{takes} and stores, not a {type(x).__name__}: {way_out}")
        if isinstance(x, list | tuple):
            x = as_read(x)
        if isinstance(x, np.ndarray):
            raise TypeError(
                f"{takes} and stores, not an array of shape {x.shape}: take the full matrix from expand(), "
                f"or make a store with Packed(pack(x))"
            )
        if frames.is_frame(x) or frames.is_series(x) or frames.is_named_array(x):
            raise TypeError(
                f"{takes} and stores, not a {type(x).__name__}: make a store with Packed.from_full(x)"
            )
        if hasattr(x, "tocsr"):
            raise TypeError(
                f"{takes} and stores, not a {type(x).__name__}: make a store with {self._of_sparse}, "
                f"or take S.to_csr()"
            )
        if ufunc is np.multiply and isinstance(x, str | bytes | bytearray):  # Python asks it to repeat itself
            raise TypeError(f"{takes} and stores, not a {type(x).__name__}: take float(x)")
        return NotImplemented

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc in ROUTED and method == "__call__" and not options:
            for x in inputs:
                if isinstance(x, Operators) and (found := x._entrywise(ufunc, *inputs)) is not NotImplemented:
                    return found
        return super().__array_ufunc__(ufunc, method, *inputs, **options)

    __add__, __radd__, __iadd__ = _arithmetic(np.add)
    __sub__, __rsub__, __isub__ = _arithmetic(np.subtract)
    __mul__, __rmul__, __imul__ = _arithmetic(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _arithmetic(np.divide)
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)
    __and__ = __rand__ = _binary(np.bitwise_and)
    __or__ = __ror__ = _binary(np.bitwise_or)
    __xor__ = __rxor__ = _binary(np.bitwise_xor)
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)
    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __hash__ = None  # type: ignore[assignment]

    def __pow__(self, other: Any) -> Any:
        raise TypeError(
            f"a {type(self).__name__} has no power: {self._maps}(lambda v: v**2) is that of each number, "
            f"S @ S.expand() the matrix product"
        )

    def __floordiv__(self, other: Any) -> Any:
        raise TypeError(
            f"a {type(self).__name__} has no // and no %: {self._maps}(lambda v: v // 2) works "
            f"number by number"
        )

    __rpow__, __mod__, __rfloordiv__, __rmod__ = __pow__, __floordiv__, __floordiv__, __floordiv__


def check_same_side(n: int, side: int) -> None:
    """Refuse matrices that have no entries in common."""
    if n != side:
        raise ValueError(f"matrices of {side} and of {n} rows do not fit each other")
