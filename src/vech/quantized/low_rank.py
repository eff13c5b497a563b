"""Codes of what is left of a matrix without its leading eigenvectors, which are kept as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech import frames
from vech.arrays import Array, as_array
from vech.layouts.layout import as_integer
from vech.quantized.quantizing import quantize
from vech.quantized.sources import number_dtype
from vech.quantized.store import Quantized
from vech.quantized.tilewise import Composed, Mapped, as_symmetric
from vech.store import Store


class LowRank(Composed):
    """A matrix ``U diag(w) U' + Q``: leading eigenvectors, and the codes of the rest; made by `low_rank`.

    Attributes
    ----------
    vectors : array, shape (n, r)
        U, orthonormal.
    weights : array, shape (r,)
        w: the eigenvalues, less the mean of the others.
    quantized : Quantized
        Q.
    error : QuantizationError
        Of this matrix, in place of the one that it was made of.
    """

    def __init__(
        self, quantized: Quantized, vectors: Array, weights: Array, labels: tuple[Any, ...] | None
    ) -> None:
        super().__init__(quantized, labels)
        self.vectors, self.weights = vectors, weights

    def _tile(self, rows: slice, columns: slice) -> Array:
        numbers = self.quantized.block(rows, columns).astype(np.float64)
        return numbers + leading_part(self.vectors, self.weights, rows, columns)

    def _product(self, x: Array, threads: int | None) -> Array:
        y: Array = self.quantized.matmul(x, threads=threads)
        y += self.vectors @ (self.weights[:, None] * (self.vectors.T @ x))
        return y

    def solve(self, b: ArrayLike, *, solver: str = "auto", **options: Any) -> Array:
        """The solution x of ``S x = b``, from solutions by the codes alone.

        Parameters
        ----------
        b : array, shape (n,) or (n, m); or series or frame
            The right side, or several as columns.
        solver : {"auto", "cg", "minres"}
            How to solve by the codes, as for `vech.linalg.solve`: "auto" makes a half of them in memory and
            factors it; "cg" (where they are positive definite) and "minres" multiply by them.
        **options
            Of `vech.linalg.solve`: ``rtol``, ``maxiter``, ``threads``, ...

        Returns
        -------
        array, of the shape of b

        Raises
        ------
        numpy.linalg.LinAlgError
            If the rest or the whole is singular, or an iteration ends too soon.
        ValueError, TypeError
            As `vech.linalg.solve`.

        Notes
        -----
        r more columns are solved for than b has, once: with ``G = Q^-1 U`` it is ``x = Q^-1 b - G (1 + w U'
        G)^-1 w U' Q^-1 b``. Since `low_rank` leaves the mean of the other eigenvalues where it took the
        leading ones, Q has no small eigenvalues but those that the matrix has.

        Source: M. Woodbury, "Inverting modified matrices", Princeton Statistical Research Group, 1950.

        Examples
        --------
        >>> S = np.eye(3) + np.ones((3, 3))
        >>> vech.quantized.low_rank(S, 1).solve([1.0, 2, 3]).round(4)
        array([-0.5,  0.5,  1.5])
        """
        from vech.linalg.checks import check_finite_array
        from vech.linalg.factor.sparse import NO_DIGIT
        from vech.linalg.solving import solve

        frames.check_along(b, 0, self.labels, "b")
        rights = as_array(b, "b")
        if rights.ndim not in (1, 2) or len(rights) != self.n:
            raise ValueError(
                f"b has shape {rights.shape}, but S is of side {self.n}: ({self.n},) or ({self.n}, m)"
            )
        check_finite_array(rights, "b", "solve")
        columns = rights.reshape(self.n, math.prod(rights.shape[1:]))
        many = columns.shape[1]
        solved = solve(self.quantized, np.column_stack([columns, self.vectors]), solver=solver, **options)
        x, inverse = solved[:, :many], solved[:, many:]
        inner = np.eye(len(self.weights)) + self.weights[:, None] * (self.vectors.T @ inverse)
        x -= inverse @ np.linalg.solve(inner, self.weights[:, None] * (self.vectors.T @ x))
        left = np.linalg.norm(columns - self.matmul(x), axis=0)
        if not (left <= NO_DIGIT * np.linalg.norm(columns, axis=0)).all():
            raise np.linalg.LinAlgError(
                "the rest is singular to working precision, or nearly: "
                "vech.linalg.solve(S, b) factors the whole matrix, solver='cg' and 'minres' multiply by it"
            )
        found: Array = frames.like(b, x.reshape(rights.shape))
        return found


def low_rank(S: Store | ArrayLike, rank: int, encoding: Any = "int8", **options: Any) -> LowRank:
    """Leading eigenvectors as they are, and codes of the rest: small errors where eigenvalues decay.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Real and symmetric; labels are kept.
    rank : int
        How many eigenvectors, 0 to n, those of the largest eigenvalues by modulus.
    encoding : str or Encoding
        Of the rest, as for `vech.quantize`.
    **options
        Of `vech.quantize`: ``tile``, ``scales``, ``rounding``, ``threads``, ...

    Returns
    -------
    LowRank
        A store with its certificate, ``error``, and with `LowRank.solve`: n r numbers beside the codes.
        `vech.write` writes its numbers, without codes and certificate; pickle keeps all.

    Raises
    ------
    TypeError
        For complex and skew matrices.
    ValueError
        For a rank out of range; and as `vech.quantize`.
    numpy.linalg.LinAlgError
        As `vech.linalg.eigsh`.

    Notes
    -----
    ``S = U diag(w) U' + Q``, where w are the r eigenvalues less the mean of the others, as in probabilistic
    principal components: so the rest keeps that mean in the place of each, and stays definite where S is and
    errors are smaller than its eigenvalues. This makes the Frobenius norm of the rest larger by a factor of
    (1 + r / (n - r))^1/2 at most. Its codes are made from differences in float64, so that errors of U are in
    them too.

    r eigenvectors by `vech.linalg.eigsh`, and two passes over S, the second for the certificate.

    Source: M. Tipping & C. Bishop, "Probabilistic principal component analysis", J. Royal Statistical Society
    B 61(3), 1999; E. Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 120)) / np.arange(1, 121) ** 2
    >>> S = vech.Packed.from_full(X.T @ X)
    >>> plain, split = vech.quantize(S, "int8"), vech.quantized.low_rank(S, 4, "int4")
    >>> split.nbytes < plain.nbytes, bool(split.error.frobenius < plain.error.frobenius)
    (True, True)
    """
    store = as_symmetric(S, "low_rank")
    count = as_integer("rank", rank)
    if not 0 <= count <= store.n:
        raise ValueError(f"rank is {count}, and S has side {store.n}: 0 to {store.n} eigenvectors")
    vectors, weights = leading(store, count)

    def rest(rows: slice, columns: slice, numbers: Array) -> Array:
        return numbers - leading_part(vectors, weights, rows, columns)

    codes = quantize(Mapped(store, rest), encoding, **options)
    return LowRank(codes, vectors, weights, store.labels)._certified(store)


def leading(S: Store, rank: int) -> tuple[Array, Array]:
    """Eigenvectors of the largest eigenvalues by modulus, and these less the mean of the others."""
    from vech.linalg.spectral import eigsh

    dtype = number_dtype(S.dtype)
    if not rank:
        return np.zeros((S.n, 0), dtype), np.zeros(0, dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused with the rest
        values, vectors = eigsh(S, rank)
        trace, others = float(S.diagonal().astype(np.float64).sum()), S.n - rank
        left = (trace - float(values.sum())) / others if others else values[np.abs(values).argmin()]
        return vectors.astype(dtype), (values - left).astype(dtype)


def leading_part(vectors: Array, weights: Array, rows: slice, columns: slice) -> Array:
    """``U diag(w) U'`` there, in float64."""
    weighted = vectors[rows].astype(np.float64) * weights
    return weighted @ vectors[columns].astype(np.float64).T
