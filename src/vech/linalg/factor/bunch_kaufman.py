"""``L D L^T`` of the expanded matrix, ``L D L^H`` of a Hermitian one, with pivots of one or two rows."""

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.kind import Kind
from vech.linalg.factor.full import expanded, lifted
from vech.packed.packed import Packed


class BunchKaufman:
    """LAPACK's ?sytrf and ?hetrf, for few columns: half the operations of LU, of all kinds but skew ones."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None = None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype = S.n, dtype
        self._hermitian = S.kind is Kind.HERMITIAN
        name = "he" if self._hermitian else "sy"
        trf, self._trs, lwork = get_lapack_funcs(
            (f"{name}trf", f"{name}trs", f"{name}trf_lwork"), dtype=dtype
        )
        work = int(lwork(self.n, lower=True)[0].real)
        half, self.exponent = lifted(S, dtype)
        full = expanded(half, threads)
        self._factors, self._swaps, info = trf(full, lower=True, lwork=work, overwrite_a=True)
        self.singular = info > 0

    def solve(self, b: Array) -> Array:
        x: Array = self._trs(self._factors, self._swaps, b, lower=True, overwrite_b=True)[0]
        return x

    def pivots(self) -> Array:
        """The diagonal of D; of a block of two rows, its determinant in two factors."""
        pivots = np.diagonal(self._factors).copy()
        firsts = np.flatnonzero(self._swaps < 0)[::2]
        a, below, c = pivots[firsts], self._factors[firsts + 1, firsts], pivots[firsts + 1]
        mirrored = below.conj() if self._hermitian else below
        pivots[firsts] = below
        pivots[firsts + 1] = a / below * c - mirrored
        return pivots
