"""Which factor a half gets."""

from vech.arrays import Dtype
from vech.linalg.checks import check_finite, is_selfadjoint
from vech.linalg.factor.bunch_kaufman import BunchKaufman
from vech.linalg.factor.lu import LU
from vech.linalg.factor.promise import Factor
from vech.linalg.factor.rectangle import Rectangle, try_cholesky
from vech.packed.packed import Packed

MANY = 8  # from n / MANY right sides on LU is faster than LDL^H, whose solver takes them one by one


def factored(S: Packed, dtype: Dtype, threads: int | None = None, *, columns: int = 1) -> Factor:
    """Cholesky's factor where there is one, else that of the expanded matrix for so many columns."""
    from scipy.linalg import lapack

    known = hasattr(lapack, "dsytrs")  # SciPy has it, and ?hetrs, from 1.15 on
    if S.kind.negates or columns > max(1, S.n // MANY) or not known:
        return invertible(S, dtype, threads)
    return _definite(S, dtype, threads) or BunchKaufman(S, dtype, threads)


def invertible(S: Packed, dtype: Dtype, threads: int | None = None) -> Rectangle | LU:
    """The one of them that has an inverse."""
    return _definite(S, dtype, threads) or LU(S, dtype, threads)


def _definite(S: Packed, dtype: Dtype, threads: int | None) -> Rectangle | None:
    """Cholesky's factor, or None of a matrix that has none, all of whose numbers are finite."""
    if is_selfadjoint(S) and (S.diagonal().real > 0).all():
        rectangle, minor = try_cholesky(S, dtype, threads)
        if not minor:
            return rectangle
    check_finite(S)
    return None
