"""Factors of a half, and what they answer: solutions, inverses, determinants."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype, as_array, family, settle
from vech.linalg.rectangle import ORDER, Rectangle
from vech.moves import convert, pack
from vech.packed import Packed
from vech.store import Store

CHUNK = 2**20  # numbers looked at together
MANY = 8  # from n / MANY right sides on LU is faster than LDL^H, whose solver takes them one by one


class Cholesky:
    """The factor L of a positive definite matrix ``S = L L^H``, held as a half; `cholesky` makes it.

    It keeps nothing of S: who changes S makes another factor, or changes this one by `update` and `downdate`.

    Examples
    --------
    >>> import numpy as np
    >>> F = cholesky(Packed(np.array([4.0, 2.0, 10.0])))
    >>> F.half
    array([2., 1., 3.])
    >>> F.solve(np.array([8.0, 22.0]))
    array([1., 2.])
    >>> F.inverse().half * 36
    array([10., -2.,  4.])
    >>> round(F.logdet(), 4)
    3.5835
    """

    def __init__(self, rectangle: Rectangle, S: Packed) -> None:
        self._rectangle = rectangle
        self._kind, self._labels = S.kind, S.labels
        self._layout = S.layout if S.layout.implied is None else S.layout.plain

    @property
    def n(self) -> int:
        """The side of the matrix."""
        return self._rectangle.n

    @property
    def dtype(self) -> Dtype:
        """The dtype of the factor."""
        return self._rectangle.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the factor: those of a half."""
        return self._rectangle.numbers.nbytes

    @property
    def half(self) -> Array:
        """L itself as a new half in layout "vech", of kind "triangular"."""
        return convert(self._rectangle.numbers, ORDER, "vech", kind="triangular")

    @property
    def L(self) -> "Lower":
        """The lower triangular factor, which multiplies (``F.L @ z``) and solves; a view."""
        return Lower(self._rectangle)

    def __repr__(self) -> str:
        return f"Cholesky(n={self.n}, dtype={self.dtype})"

    def solve(self, b: ArrayLike) -> Array:
        """The solution x of ``S x = b``.

        Parameters
        ----------
        b : array, shape (n,) or (n, m)
            The right side, or several as columns.

        Returns
        -------
        array, of the shape of b
            In the precision of the factor; complex where either is.

        Raises
        ------
        ValueError, TypeError
            If b has another shape, or a dtype that LAPACK does not compute with.

        Notes
        -----
        2 n^2 operations for each column (LAPACK's ?pftrs), in memory of the result alone.
        """
        return _columns(b, self.n, self.dtype, self._rectangle.solve)

    def inverse(self) -> Packed:
        """The inverse of S as a store, in the layout of S with its diagonal stored, with its labels.

        2/3 n^3 operations (LAPACK's ?pftri); needs one half beside the result.
        """
        half = convert(self._rectangle.inverse().numbers, ORDER, self._layout, kind=self._kind)
        return Packed(half, self._layout, kind=self._kind, labels=self._labels)

    def logdet(self) -> float:
        """The logarithm of the determinant of S: twice the sum of the logarithms of L's diagonal."""
        return _product(self._rectangle.pivots())[1]

    def cond(self) -> float:
        """An estimate of the condition number of S in the 1-norm, at most the true one and seldom under a third.

        About twenty products and solves (Higham, "FORTRAN codes for estimating the one-norm", ACM TOMS 14(4),
        1988, as in LAPACK's ?lacn2): O(n^2). 0 for n = 0.
        """
        factor = self._rectangle

        def product(x: Array) -> Array:
            return factor.multiply(factor.multiply_conjugate(x))

        return _one_norm(product, self.n, self.dtype) * _one_norm(factor.solve, self.n, self.dtype)

    def update(self, x: ArrayLike) -> None:
        """Make this, in place, the factor of ``S + x x^H``.

        Parameters
        ----------
        x : array, shape (n,)
            Real where the factor is.

        Raises
        ------
        ValueError, TypeError
            If x does not fit, or holds NaN or infinity; the factor stays as it was.

        Notes
        -----
        O(n^2), and memory for some columns. With ``p = L^-1 x`` it multiplies L by the Cholesky factor of
        ``I + p p^H``, which has a closed form: method C1 of P. Gill, G. Golub, W. Murray and M. Saunders,
        "Methods for modifying matrix factorizations", Mathematics of Computation 28, 1974.

        Examples
        --------
        >>> import numpy as np
        >>> F = cholesky(Packed(np.array([1.0, 0.0, 1.0])))
        >>> F.update([np.sqrt(3), 0])
        >>> np.round(F.half, 12)
        array([2., 0., 1.])
        """
        self._modify(x, 1)

    def downdate(self, x: ArrayLike) -> None:
        """Make this, in place, the factor of ``S - x x^H``; see `update`.

        Raises
        ------
        numpy.linalg.LinAlgError
            If that is not positive definite to working precision; the factor stays as it was.

        Examples
        --------
        >>> import numpy as np
        >>> F = cholesky(Packed(np.array([4.0, 0.0, 1.0])))
        >>> F.downdate([np.sqrt(3), 0])
        >>> np.round(F.half, 12)
        array([1., 0., 1.])
        """
        self._modify(x, -1)

    def _modify(self, x: ArrayLike, sign: int) -> None:
        x = as_array(x, "x")
        if x.shape != (self.n,):
            raise ValueError(f"x has shape {x.shape}, but the factor is of side {self.n}: ({self.n},)")
        if family(x.dtype) == "c" and self.dtype.kind != "c":
            raise TypeError("x is complex and the factor real: make the factor of a complex Hermitian store")
        if not np.isfinite(x := x.astype(work_dtype(x.dtype, "x"))).all():
            raise ValueError(f"x[{np.flatnonzero(~np.isfinite(x))[0]}] is not finite")
        p = x.astype(self.dtype)[:, None]
        self._rectangle.solve_lower(p)
        p = p[:, 0].astype(np.result_type(self.dtype, np.float64))
        squares = p.real**2 + p.imag**2
        if sign > 0:
            sums = 1 + np.concatenate([[0], np.cumsum(squares)])
        else:
            left = 1 - squares.sum()
            if left <= np.finfo(self.dtype).eps:
                raise np.linalg.LinAlgError(
                    f"S - x x^H is not positive definite: x^H S^-1 x is {squares.sum():.6g}, and must be below 1"
                )
            sums = left + np.concatenate([np.cumsum(squares[::-1])[::-1], [0]])
        on = np.sqrt(sums[1:] / sums[:-1]).astype(self.dtype)
        below = (sign * p.conj() / np.sqrt(sums[1:] * sums[:-1])).astype(self.dtype)
        p = p.astype(self.dtype)
        after = np.zeros(self.n, self.dtype)  # the sum of p_j L_j over the columns that are done
        for start, stop in reversed(self._rectangle.panels()):
            panel = self._rectangle.read(start, stop)
            sums_of = np.hstack([panel * p[start:stop], after[start:, None]])
            np.cumsum(sums_of[:, ::-1], axis=1, out=sums_of[:, ::-1])
            panel = panel * on[start:stop] + sums_of[:, 1:] * below[start:stop]
            after[start:] = sums_of[:, 0]
            self._rectangle.write(start, panel)


class Lower:
    """The lower triangular L of a Cholesky factor.

    Examples
    --------
    >>> import numpy as np
    >>> L = cholesky(Packed(np.array([4.0, 2.0, 10.0]))).L
    >>> L @ np.array([1.0, 1.0])
    array([2., 4.])
    >>> L.solve(np.array([2.0, 4.0]))
    array([1., 1.])
    """

    def __init__(self, rectangle: Rectangle) -> None:
        self._rectangle = rectangle

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return (self._rectangle.n, self._rectangle.n)

    @property
    def dtype(self) -> Dtype:
        """The dtype of the numbers."""
        return self._rectangle.dtype

    def __repr__(self) -> str:
        return f"Lower(n={self.shape[0]}, dtype={self.dtype})"

    def __matmul__(self, z: ArrayLike) -> Array:
        """``L z``, of z of shape (n,) or (n, m): correlates what is not."""
        return _columns(z, self._rectangle.n, self.dtype, self._rectangle.multiply)

    def solve(self, b: ArrayLike) -> Array:
        """``L^-1 b``, of b of shape (n,) or (n, m): whitens what is correlated."""

        def solved(x: Array) -> Array:
            self._rectangle.solve_lower(x)
            return x

        return _columns(b, self._rectangle.n, self.dtype, solved)


class SignLogdet(NamedTuple):
    """A determinant as NumPy's slogdet gives it: ``sign * exp(logabsdet)``."""

    sign: float | complex
    logabsdet: float


def cholesky(S: Packed, *, threads: int | None = None) -> Cholesky:
    """The Cholesky factor of a positive definite matrix, ``S = L L^H``.

    Parameters
    ----------
    S : Packed
        Symmetric and real, or Hermitian, of any layout. float32, float64, complex64 and complex128 keep their
        dtype; integers become float64. S is not changed.
    threads : int, optional
        At most so many threads for the change of layout; BLAS has its own.

    Returns
    -------
    Cholesky
        With `solve`, `inverse`, `logdet`, `half`, ``L @ z``, `cond`, `update` and `downdate`.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is not positive definite; the leading minor that is not positive is named.
    ValueError
        If S holds NaN or infinity; the first (i, j) is named.
    TypeError
        For stores that are not Packed, complex symmetric and skew kinds, float16 and smaller, and dates.

    Notes
    -----
    n^3 / 3 operations, and memory for one more half: the numbers go into rectangular full packed (F.
    Gustavson, J. Wasniewski, J. Dongarra, J. Langou, ACM TOMS 37(2), 2010), where LAPACK's ?pftrf factors
    them in place. From n = 46 341 on, which SciPy's 32-bit wrapper cannot count, panels of 512 columns are
    factored from left to right with the BLAS.

    Examples
    --------
    >>> import numpy as np
    >>> F = cholesky(Packed(np.array([4.0, 2.0, 10.0])))
    >>> F.solve(np.array([8.0, 22.0])), round(F.logdet(), 4)
    (array([1., 2.]), 3.5835)
    """
    S = as_packed(S, "cholesky")
    if S.kind not in ("symmetric", "hermitian") or (S.kind == "symmetric" and family(S.dtype) == "c"):
        name = "complex symmetric" if S.kind == "symmetric" else S.kind
        raise TypeError(
            f"a {name} matrix has no Cholesky factor: if S is Hermitian, say Packed(half, kind='hermitian'); "
            f"solve, inverse and slogdet take every kind"
        )
    rectangle, minor = _try_cholesky(S, work_dtype(S.dtype, "S"), threads)
    if minor:
        raise np.linalg.LinAlgError(
            f"S is not positive definite: its leading minor of order {minor} is not positive; "
            f"solve, inverse and slogdet take indefinite matrices"
        )
    return Cholesky(rectangle, S)


def solve(S: Packed, b: ArrayLike, *, threads: int | None = None) -> Array:
    """The solution x of ``S x = b``; expands S, once, where it is not positive definite.

    Parameters
    ----------
    S : Packed
        Of any kind, layout and dtype but float16 and smaller, and dates.
    b : array, shape (n,) or (n, m)
        The right side, or several as columns.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    array, of the shape of b
        In the dtype of ``numpy.linalg.solve``.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular.
    ValueError, TypeError
        As `cholesky`, and for a b that does not fit; every kind is taken.

    Notes
    -----
    Tries `cholesky`, in memory for one more half. If S is not positive definite, the full matrix is made and
    factored in place: by Bunch-Kaufman's ``L D L^T`` (LAPACK's ?sytrf, ?hetrf), or by LU where S is skew or b
    has more than n / 8 columns.

    Examples
    --------
    >>> import numpy as np
    >>> solve(Packed(np.array([0.0, 2.0, 0.0])), np.array([2.0, 4.0]))
    array([2., 1.])
    """
    S = as_packed(S, "solve")
    b = as_array(b, "b")
    _check_rows(b, S.n)
    wide = np.result_type(work_dtype(S.dtype, "S"), work_dtype(b.dtype, "b"))
    if b.size == 0:
        return np.zeros(b.shape, wide)
    dtype = wide if family(S.dtype) == "c" else np.zeros(0, wide).real.dtype
    many = b.ndim == 2 and b.shape[1] > S.n // MANY
    return _columns(b, S.n, dtype, factored(S, dtype, threads, many=many).solve)


def inverse(S: Packed, *, threads: int | None = None) -> Packed:
    """The inverse of S, of its kind and layout with the diagonal stored; expands S where it is not definite.

    Parameters
    ----------
    S : Packed
        Of any kind, layout and dtype but float16 and smaller, and dates; labels follow.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is singular.
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    By `cholesky`, with memory for two halves beside the result; if S is not positive definite, by LU in the
    full matrix. Where the inverse only multiplies, `solve` is faster and more accurate.

    Examples
    --------
    >>> import numpy as np
    >>> inverse(Packed(np.array([0.0, 2.0, 1.0]))).half
    array([-0.25,  0.5 ,  0.  ])
    """
    S = as_packed(S, "inverse")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return Packed(S.half.astype(dtype), S.layout, kind=S.kind, labels=S.labels)
    factor = factored(S, dtype, threads, many=True)
    if isinstance(factor, Rectangle):
        return Cholesky(factor, S).inverse()
    assert isinstance(factor, _LU)
    layout = S.layout if S.layout.implied is None else S.layout.plain
    half = pack(factor.inverse(), layout, kind=S.kind, use=layout.triangle, threads=threads)
    return Packed(half, layout, kind=S.kind, labels=S.labels)


def slogdet(S: Packed, *, threads: int | None = None) -> SignLogdet:
    """Sign and logarithm of the determinant; expands S where it is not positive definite.

    Parameters
    ----------
    S : Packed
        Of any kind, layout and dtype but float16 and smaller, and dates.
    threads : int, optional
        At most so many threads for vech's part; BLAS has its own.

    Returns
    -------
    SignLogdet
        ``sign, logabsdet`` as of ``numpy.linalg.slogdet``: the sign is 1.0, -1.0, or 0.0 with -inf for a
        singular S; of complex symmetric and skew-Hermitian matrices a complex number of modulus 1.

    Raises
    ------
    ValueError, TypeError
        As `solve`.

    Notes
    -----
    By the factors, and in the memory, of `solve`.

    Examples
    --------
    >>> import numpy as np
    >>> sign, logabsdet = slogdet(Packed(np.array([0.0, 2.0, 0.0])))
    >>> float(sign * np.exp(logabsdet))
    -4.0
    """
    S = as_packed(S, "slogdet")
    dtype = work_dtype(S.dtype, "S")
    if S.n == 0:
        return SignLogdet(1.0, 0.0)
    sign, logarithm = _product(factored(S, dtype, threads).pivots())
    return SignLogdet(sign if sign.imag else sign.real, logarithm)


def factored(
    S: Packed, dtype: Dtype, threads: int | None = None, *, many: bool = False
) -> "Rectangle | _LU | _BunchKaufman":
    """The factor that suits S: of Cholesky, or of the expanded matrix by the way for one or for many columns."""
    if _may_be_definite(S):
        rectangle, minor = _try_cholesky(S, dtype, threads)
        if not minor:
            return rectangle
    check_finite(S)
    return (_LU if many or S.kind.startswith("skew") else _BunchKaufman)(S, dtype, threads)


class _LU:
    """P L U of the expanded matrix."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype = S.n, dtype
        self._getrf, self._getrs, self._getri, self._lwork = get_lapack_funcs(
            ("getrf", "getrs", "getri", "getri_lwork"), dtype=dtype
        )
        self._factors, self._swaps, info = self._getrf(expanded(S, dtype, threads), overwrite_a=True)
        self._singular = info > 0 or (S.kind == "skew" and S.n % 2 == 1)

    def solve(self, b: Array) -> Array:
        _check_regular(self._singular)
        return self._getrs(self._factors, self._swaps, b, overwrite_b=True)[0]  # type: ignore[no-any-return]

    def inverse(self) -> Array:
        _check_regular(self._singular)
        lwork = int(self._lwork(self.n)[0].real)
        return self._getri(self._factors, self._swaps, lwork=lwork, overwrite_lu=True)[0]  # type: ignore[no-any-return]

    def pivots(self) -> Array:
        """Numbers whose product is the determinant."""
        if self._singular:
            return np.zeros(1)
        swapped = np.count_nonzero(self._swaps != np.arange(self.n))
        return np.append(np.diagonal(self._factors), (-1.0) ** swapped)


class _BunchKaufman:
    """L D L^T (L D L^H of a Hermitian one) of the expanded matrix."""

    def __init__(self, S: Packed, dtype: Dtype, threads: int | None) -> None:
        from scipy.linalg import get_lapack_funcs

        self.n, self.dtype = S.n, dtype
        self._hermitian = S.kind == "hermitian"
        name = "he" if self._hermitian else "sy"
        trf, self._trs, lwork = get_lapack_funcs(
            (f"{name}trf", f"{name}trs", f"{name}trf_lwork"), dtype=dtype
        )
        work = int(lwork(self.n, lower=True)[0].real)
        self._factors, self._swaps, info = trf(
            expanded(S, dtype, threads), lower=True, lwork=work, overwrite_a=True
        )
        self._singular = info > 0

    def solve(self, b: Array) -> Array:
        _check_regular(self._singular)
        return self._trs(self._factors, self._swaps, b, lower=True, overwrite_b=True)[0]  # type: ignore[no-any-return]

    def pivots(self) -> Array:
        """Numbers whose product is the determinant: of a block of D, its determinant in two factors."""
        if self._singular:
            return np.zeros(1)
        pivots = np.diagonal(self._factors).copy()
        firsts = np.flatnonzero(self._swaps < 0)[::2]
        a, below, c = pivots[firsts], self._factors[firsts + 1, firsts], pivots[firsts + 1]
        mirrored = below.conj() if self._hermitian else below
        pivots[firsts] = below
        pivots[firsts + 1] = a / below * c - mirrored
        return pivots


def as_packed(S: Any, task: str) -> Packed:
    """S if it is a Packed store; TypeError with the way out for all else."""
    if isinstance(S, Packed):
        return S
    if isinstance(S, Store):
        way_out = f"{task}(S.to_packed())" if hasattr(S, "to_packed") else "make a Packed of it"
    else:
        way_out = f"{task}(vech.Packed(half, layout)), where vech.pack makes the half of a full matrix"
    raise TypeError(f"{task} takes a Packed store, not {type(S).__name__}: {way_out}")


def work_dtype(dtype: Dtype, what: str) -> Dtype:
    """The dtype in which LAPACK computes with such numbers."""
    letter = family(dtype)
    if letter in "biu":
        return np.dtype(np.float64)
    if letter in "fc" and dtype.char in "fdFD":
        return dtype.newbyteorder("=")
    way_out = "astype(np.float32)" if letter == "f" else "astype(float)"
    raise TypeError(f"{what} has dtype {dtype}, with which LAPACK does not compute: {way_out} first")


def _may_be_definite(S: Packed) -> bool:
    suits = S.kind == "hermitian" or (S.kind == "symmetric" and family(S.dtype) != "c")
    return suits and bool((S.diagonal().real > 0).all())


def _try_cholesky(S: Packed, dtype: Dtype, threads: int | None) -> tuple[Rectangle, int]:
    """A factor, and the order of the leading minor that is not positive, or 0."""
    half = S.half.astype(dtype, copy=False)
    rectangle = Rectangle(convert(half, S.layout, ORDER, kind=S.kind, threads=threads), S.n)
    minor = rectangle.factor()
    unsound = np.flatnonzero(~np.isfinite(rectangle.diagonal()))
    if minor or unsound.size:
        check_finite(S)
        minor = minor or int(unsound[0]) + 1
    return rectangle, minor


def check_finite(S: Packed, name: str = "S", who: str = "factors need") -> None:
    """Refuse NaN and infinity; the first is named."""
    for start in range(0, S.half.size, CHUNK):
        bad = np.flatnonzero(~np.isfinite(S.half[start : start + CHUNK]))
        if bad.size:
            i, j = map(int, S.layout.pair(start + bad[0], S.n))
            raise ValueError(f"{name}[{i}, {j}] is {S[i, j]}: {who} finite numbers")


def expanded(S: Packed, dtype: Dtype, threads: int | None) -> Array:
    """The full matrix in Fortran order, with the diagonal of its kind."""
    half = S.half.astype(dtype, copy=False)
    full = Packed(half, S.layout, kind=S.kind).T.expand(threads=threads).T
    diagonal = full.diagonal().copy()
    settle(diagonal, S.kind)
    np.fill_diagonal(full, diagonal)
    return full


def _check_regular(singular: bool) -> None:
    if singular:
        raise np.linalg.LinAlgError("S is singular: it has no inverse, and S x = b no single solution")


def _check_rows(b: Array, n: int) -> None:
    if b.ndim not in (1, 2) or b.shape[0] != n:
        raise ValueError(f"b has shape {b.shape}, but S is of side {n}: ({n},) or ({n}, m)")


def _columns(b: ArrayLike, n: int, dtype: Dtype, function: Callable[[Array], Array]) -> Array:
    """A function of Fortran-ordered columns, applied to b in the precision of dtype."""
    b = as_array(b, "b")
    _check_rows(b, n)
    columns = b if b.ndim == 2 else b[:, None]
    if work_dtype(b.dtype, "b").kind == "c" and dtype.kind != "c":
        parts = np.ascontiguousarray(columns, np.result_type(dtype, np.complex64)).view(dtype)
        x = np.ascontiguousarray(function(np.array(parts, order="F"))).view(
            np.result_type(dtype, np.complex64)
        )
    else:
        x = function(np.array(columns, dtype, order="F"))
    return x if b.ndim == 2 else x[:, 0]


def _product(numbers: Array) -> tuple[complex, float]:
    """The direction of a product and the logarithm of its modulus."""
    moduli = np.abs(numbers.astype(np.complex128))
    if not moduli.all():
        return 0j, -np.inf
    return complex(np.prod(numbers / moduli)), float(np.log(moduli).sum())


def _one_norm(apply: Callable[[Array], Array], n: int, dtype: Dtype) -> float:
    """An estimate of the 1-norm of a self-adjoint operator on columns, as in LAPACK's ?lacn2."""
    if n == 0:
        return 0.0

    def image(x: Array) -> Array:
        return apply(x.astype(dtype)[:, None])[:, 0]

    y = image(np.full(n, 1 / n))
    best = float(np.abs(y).sum())
    for _ in range(5):
        signs = np.where(y == 0, 1, y / np.where(y == 0, 1, np.abs(y)))
        unit = np.zeros(n)
        unit[np.argmax(np.abs(image(signs)))] = 1
        y = image(unit)
        norm = float(np.abs(y).sum())
        if norm <= best:
            break
        best = norm
    k = np.arange(n)
    alternating = np.where(k % 2, -1, 1) * (1 + k / max(1, n - 1))
    return max(best, 2 * float(np.abs(image(alternating)).sum()) / (3 * n))
