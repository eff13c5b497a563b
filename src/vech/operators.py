"""The operators of Python on a store, each by its ufunc."""

from abc import abstractmethod
from numbers import Number
from typing import Any, ClassVar

import numpy as np

from vech.store import Store, common_labels


class Operators(Store):
    """Arithmetic, comparison and logic, entry by entry, with numbers and other stores.

    A comparison gives a matrix of truth values. So a store has no truth value itself, and no hash.
    """

    _of_sparse: ClassVar[str]  # how a sparse array becomes such a store
    _maps: ClassVar[str] = "S.map"  # what maps a function over its numbers
    _truth: ClassVar[str]  # what says whether a comparison is true everywhere, or anywhere

    def _entrywise(self, ufunc: np.ufunc, *inputs: Any, in_place: bool = False) -> Any:
        """The ufunc of the inputs, of which one is this matrix; NotImplemented for what others may compute."""
        operands, labels = [self._operand(ufunc, x) for x in inputs], None
        if any(x is NotImplemented for x in operands):
            return NotImplemented
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
        """A number or a store; TypeError for arrays and for numbers that NumPy has not, NotImplemented for all else."""
        if isinstance(x, np.ndarray) and x.ndim == 0:
            x = x[()]
        if isinstance(x, int | float | complex | np.generic | Store):
            return x
        takes = f"np.{ufunc.__name__} of a {type(self).__name__} takes numbers"
        if isinstance(x, Number):
            raise TypeError(f"{takes} that NumPy has, not {x!r}: take float(x)")
        if isinstance(x, list | tuple):
            x = np.asarray(x)
        if isinstance(x, np.ndarray):
            raise TypeError(
                f"{takes} and stores, not an array of shape {x.shape}: take the full matrix from expand(), "
                f"or make a store with Packed(pack(x))"
            )
        if hasattr(x, "tocsr"):
            raise TypeError(
                f"{takes} and stores, not a {type(x).__name__}: make a store with {self._of_sparse}, "
                f"or take S.to_csr()"
            )
        return NotImplemented

    def __add__(self, other: Any) -> Any:
        return self._entrywise(np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._entrywise(np.add, other, self)

    def __iadd__(self, other: Any) -> Any:
        return self._entrywise(np.add, self, other, in_place=True)

    def __sub__(self, other: Any) -> Any:
        return self._entrywise(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._entrywise(np.subtract, other, self)

    def __isub__(self, other: Any) -> Any:
        return self._entrywise(np.subtract, self, other, in_place=True)

    def __mul__(self, other: Any) -> Any:
        return self._entrywise(np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._entrywise(np.multiply, other, self)

    def __imul__(self, other: Any) -> Any:
        return self._entrywise(np.multiply, self, other, in_place=True)

    def __truediv__(self, other: Any) -> Any:
        return self._entrywise(np.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._entrywise(np.divide, other, self)

    def __itruediv__(self, other: Any) -> Any:
        return self._entrywise(np.divide, self, other, in_place=True)

    def __pow__(self, other: Any) -> Any:
        raise TypeError(
            f"a {type(self).__name__} has no power: {self._maps}(lambda v: v**2) is that of each number, "
            f"S @ S.expand() the matrix product"
        )

    def __floordiv__(self, other: Any) -> Any:
        raise TypeError(
            f"a {type(self).__name__} has no // and no %: {self._maps}(lambda v: v // 2) works number by number"
        )

    __rpow__, __mod__, __rfloordiv__, __rmod__ = __pow__, __floordiv__, __floordiv__, __floordiv__

    def __neg__(self) -> Any:
        return self._entrywise(np.negative, self)

    def __pos__(self) -> Any:
        return self._entrywise(np.positive, self)

    def __abs__(self) -> Any:
        return self._entrywise(np.absolute, self)

    def __invert__(self) -> Any:
        return self._entrywise(np.invert, self)

    def __and__(self, other: Any) -> Any:
        return self._entrywise(np.bitwise_and, self, other)

    def __or__(self, other: Any) -> Any:
        return self._entrywise(np.bitwise_or, self, other)

    def __xor__(self, other: Any) -> Any:
        return self._entrywise(np.bitwise_xor, self, other)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __eq__(self, other: object) -> Any:
        return self._entrywise(np.equal, self, other)

    def __ne__(self, other: object) -> Any:
        return self._entrywise(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Any:
        return self._entrywise(np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return self._entrywise(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return self._entrywise(np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return self._entrywise(np.greater_equal, self, other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise ValueError(f"a matrix is neither true nor false: {self._truth}")


def check_same_side(n: int, side: int) -> None:
    """Refuse matrices that have no entries in common."""
    if n != side:
        raise ValueError(f"matrices of {side} and of {n} rows do not fit each other")
