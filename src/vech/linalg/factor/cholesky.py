"""The Cholesky factor of a half, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Never, Self

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, as_array, family, resolve_threads
from vech.linalg import batches
from vech.linalg.checks import as_packed, check_finite_array, check_selfadjoint, work_dtype
from vech.linalg.factor.answers import not_definite, within
from vech.linalg.factor.rectangle import ORDER, Rectangle, try_cholesky
from vech.linalg.factor.triangle import Factorization
from vech.moves.converting import convert
from vech.packed.packed import Packed
from vech.store import Store


class Cholesky(Factorization):
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
        super().__init__(rectangle, S.labels)
        self._rectangle = rectangle
        self._kind = S.kind
        self._layout = S.layout if S.layout.implied is None else S.layout.plain

    @property
    def nbytes(self) -> int:
        """Bytes of the factor: those of a half."""
        return self._rectangle.numbers.nbytes

    @property
    def half(self) -> Array:
        """L itself as a new half in layout "vech", of kind "triangular"."""
        return convert(self._rectangle.numbers, ORDER, "vech", kind="triangular")

    def _sample(self, rows: Array) -> Array:
        return self._rectangle.block(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Never:
        raise TypeError(
            "a Cholesky holds L as a half, F.half: vech.expand(F.half, kind='triangular') is an array"
        )

    def copy(self) -> Self:
        """The same factor in memory of its own, which `update` and `downdate` of the other leave alone.

        Returns
        -------
        Cholesky

        Examples
        --------
        >>> import numpy as np
        >>> F = cholesky(Packed(np.array([4.0, 2.0, 10.0])))
        >>> twin = F.copy()
        >>> twin.update([1.0, 0.0])
        >>> F.half
        array([2., 1., 3.])
        """
        other = copy(self)
        other._factor = other._rectangle = Rectangle(self._rectangle.numbers.copy(), self.n)
        return other

    def inverse(self) -> Packed:
        """The inverse of S as a store, in the layout of S with its diagonal stored, with its labels.

        2/3 n^3 operations (LAPACK's ?pftri); needs one half beside the result.

        Returns
        -------
        Packed, shape (n, n)

        Examples
        --------
        >>> import numpy as np
        >>> F = cholesky(Packed(np.array([4.0, 2.0, 10.0])))
        >>> F.inverse().half.round(4)
        array([ 0.2778, -0.0556,  0.1111])
        """
        half = within(self._rectangle.inverse(self._layout), "the inverse", "multiply S")
        return Packed(half, self._layout, kind=self._kind, labels=self._labels)

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
        OverflowError
            If the new factor, or a step on the way, exceeds the dtype; the factor stays as it was.

        Notes
        -----
        O(n^2), and memory for one more half: an error or an interrupt leaves the factor as it was. With
        ``p = L^-1 x`` it multiplies L by the Cholesky factor of ``I + p p^H``, which has a closed form:
        method C1 of P. Gill, G. Golub, W. Murray and M. Saunders, "Methods for modifying matrix
        factorizations", Mathematics of Computation 28, 1974.

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
        """Make this, in place, the factor of ``S - x x^H``: argument, cost and errors are as for `update`.

        Raises
        ------
        numpy.linalg.LinAlgError
            If that is not positive definite to working precision; the factor stays as it was.
        ValueError, TypeError
            As of `update`.

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
        frames.check_along(x, 0, self._labels, "x")
        x = as_array(x, "x")
        if x.shape != (self.n,):
            raise ValueError(f"x has shape {x.shape}, but the factor is of side {self.n}: ({self.n},)")
        if family(x.dtype) == "c" and self.dtype.kind != "c":
            raise TypeError("x is complex and the factor real: make the factor of a complex Hermitian store")
        x = x.astype(work_dtype(x.dtype, "x"))
        check_finite_array(x, "x", "update" if sign > 0 else "downdate")
        with np.errstate(over="ignore", invalid="ignore"):
            p, on, below = self._changes(x, sign)
            reach = self.n * self._rectangle.largest() * np.abs(p).max(initial=0)
        if not all(np.isfinite(numbers).all() for numbers in (p, on, below, reach)):
            raise OverflowError(
                f"x is too large for a factor of {self.dtype}: x[{abs(x).argmax()}] is {x[abs(x).argmax()]}"
            )
        after = np.zeros(self.n, self.dtype)  # the sum of p_j L_j over the columns that are done
        # in memory of its own, so that an interrupt leaves the factor as it was
        changed = Rectangle(self._rectangle.numbers.copy(), self.n)
        for start, stop in reversed(changed.panels()):
            panel = changed.read(start, stop)
            sums_of = np.hstack([panel * p[start:stop], after[start:, None]])
            np.cumsum(sums_of[:, ::-1], axis=1, out=sums_of[:, ::-1])
            panel = panel * on[start:stop] + sums_of[:, 1:] * below[start:stop]
            after[start:] = sums_of[:, 0]
            changed.write(start, panel)
        self._rectangle.numbers = changed.numbers  # L and its views follow

    def _changes(self, x: Array, sign: int) -> tuple[Array, Array, Array]:
        """p, and the diagonal and the columns below it, over p, of the factor of ``I + sign p p^H``."""
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
                    f"S - x x^H is not positive definite: x^H S^-1 x is {squares.sum():.6g}, "
                    f"and must be below 1"
                )
            sums = left + np.concatenate([np.cumsum(squares[::-1])[::-1], [0]])
        on = np.sqrt(sums[1:] / sums[:-1])
        below = sign * p.conj() / (np.sqrt(sums[1:]) * np.sqrt(sums[:-1]))
        return p.astype(self.dtype), on.astype(self.dtype), below.astype(self.dtype)


def cholesky(
    S: Store | ArrayLike,
    *,
    batch: Any = None,
    kind: str | None = None,
    out: Any = None,
    resume: bool = False,
    executor: Any = None,
    threads: int | None = None,
    progress: Callable[[int, int | None], object] | None = None,
) -> Any:
    """The Cholesky factor of a positive definite matrix, ``S = L L^H``: in memory, or by tiles.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Symmetric and real, or Hermitian, of any layout. float32, float64, complex64 and complex128 keep their
        dtype; integers become float64. S is not changed.
    batch : str or layout, or True, optional
        S is then an array of halves (..., length) of this layout, each a matrix; True is "vech".
    kind : {"symmetric", "hermitian"}, optional
        Of such halves: what the other triangle is. For complex data it must be said.
    out : path or URL, or array, optional
        With `batch`, memory for the factors. Else,
        where the factor of a `vech.Tiled` goes: another store of tiles, usually "name.zarr", which
        `vech.tiled.open` opens again. One that is there is replaced, if it is a factor.
    resume : bool
        With `out`, whether a run that ended is gone on with: of the tiles that are there, those that are
        damaged are computed again, and all that are missing.
    executor : concurrent.futures.Executor or distributed.Client, optional
        With `out`, who computes, unless told that of ``S.using(executor)``: a tile is a task, which reads
        what it needs and writes it.
    threads : int, optional
        At most so many threads for the change of layout; BLAS has its own.
    progress : callable, optional
        With `out`, called as ``progress(tiles done, all tiles)``.

    Returns
    -------
    Cholesky, or with `out` vech.tiled.TiledCholesky
        Both with `solve`, `logdet`, ``L @ z`` and `cond`; the first also with `inverse`, `half`, `update` and
        `downdate`.

        With `batch` an array (..., length) of the halves of all factors: of L in a lower layout, of L^H in an
        upper one, the diagonal stored. ``vech.expand(found, layout, kind="triangular")`` are these factors.

    Raises
    ------
    numpy.linalg.LinAlgError
        If S is not positive definite; the leading minor that is not positive is named, and of a batch the
        first such matrix.
    ValueError
        If S holds NaN or infinity, one of which is named; with `resume` for a factor of another matrix.
    TypeError
        For stores of nonzeros alone, complex symmetric and skew kinds, float16 and smaller, and dates; for
        `out` with a store that is not tiled.
    MemoryError
        Without `out`, of a store whose half is larger than memory and swap together.
    FileExistsError
        If there is something at `out` that is no factor.

    Notes
    -----
    n^3 / 3 operations. In memory, that of one more half: the numbers go into rectangular full packed (F.
    Gustavson, J. Wasniewski, J. Dongarra, J. Langou, ACM TOMS 37(2), 2010), where LAPACK's ?pftrf factors
    them in place. From n = 46 341 on, which SciPy's 32-bit wrapper cannot count, panels of 512 columns are
    factored from left to right with the BLAS.

    In tiles, from left to right too, each when those that it follows from are done: a worker holds a few
    tiles, whatever n, and reads two for each that is multiplied. What is written is complete, so a run that
    is killed loses the tiles it was computing; tasks may be done twice.

    Batches of real matrices up to n = 16 are factored side by side by a kernel, in the layout that they have;
    others, and Hermitian ones, by ``numpy.linalg.cholesky``, expanded a few megabytes at a time.

    Examples
    --------
    >>> import numpy as np
    >>> F = cholesky(Packed(np.array([4.0, 2.0, 10.0])))
    >>> F.solve(np.array([8.0, 22.0])), round(F.logdet(), 4)
    (array([1., 2.]), 3.5835)
    >>> cholesky(np.array([[4.0, 2.0, 10.0], [1.0, 0.0, 9.0]]), batch="vech")
    array([[2., 1., 3.],
           [1., 0., 3.]])
    """
    if batches.is_given(batch):
        if resume or executor is not None or progress is not None:
            raise TypeError("resume, executor and progress are of cholesky(T, out='L.zarr'), by tiles")
        return batches.cholesky(S, batch, kind=kind, out=out, threads=threads)
    batches.refuse_alone("cholesky", kind=kind)
    if out is not None:
        from vech.tiled.factor import cholesky as by_tiles

        resolve_threads(threads, 0)
        return by_tiles(S, out, resume=resume, executor=executor, progress=progress)
    if resume or executor is not None or progress is not None:
        raise TypeError("resume, executor and progress are of cholesky(T, out='L.zarr'), by tiles")
    S = as_packed(S, "cholesky")
    check_selfadjoint(
        S,
        "cholesky",
        "if it is Hermitian, say Packed(half, kind='hermitian'); solve, inverse and slogdet take every kind",
    )
    rectangle, minor = try_cholesky(S, work_dtype(S.dtype, "S"), threads)
    if minor:
        raise not_definite(minor, "solve, inverse and slogdet take indefinite matrices")
    return Cholesky(rectangle, S)
