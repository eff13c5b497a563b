"""``P L U`` of the expanded matrix, of every kind."""

import numpy as np

from vech.arrays import Array, Dtype
from vech.layouts.dialects import AnyLayout
from vech.linalg.factor.full import expanded, lifted, with_settled_diagonal
from vech.moves.packing import pack
from vech.packed.packed import Packed


class LU:
    """LAPACK's ?getrf, for many columns and for inverses."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None = None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype, self._kind = S.n, dtype, S.kind
        getrf, self._getrs, self._getri, self._lwork = get_lapack_funcs(
            ("getrf", "getrs", "getri", "getri_lwork"), dtype=dtype
        )
        half, self.exponent = lifted(S, dtype)
        self._factors, self._swaps, info = getrf(expanded(half, threads), overwrite_a=True)
        self.singular = info > 0 or S.kind.is_singular(S.n)

    def solve(self, b: Array) -> Array:
        x: Array = self._getrs(self._factors, self._swaps, b, overwrite_b=True)[0]
        return x

    def inverse(self, layout: AnyLayout, threads: int | None = None) -> Array:
        """A^-1 as a half; the factor is spent."""
        lwork = int(self._lwork(self.n)[0].real)
        full = self._getri(self._factors, self._swaps, lwork=lwork, overwrite_lu=True)[0]
        full = with_settled_diagonal(full, self._kind)
        return pack(full, layout, kind=self._kind, use=layout.triangle, threads=threads)

    def pivots(self) -> Array:
        swapped = np.count_nonzero(self._swaps != np.arange(self.n))
        return np.append(np.diagonal(self._factors), (-1.0) ** swapped)
