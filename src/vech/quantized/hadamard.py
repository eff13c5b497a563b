"""Codes of a matrix that is rotated first by random signs and Hadamard matrices: its rows become alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vech.arrays import Array, Dtype
from vech.layouts.layout import as_integer, as_seed
from vech.quantized.parts import as_tile
from vech.quantized.quantizing import quantize
from vech.quantized.sources import BLOCK
from vech.quantized.store import Quantized, raised
from vech.quantized.tilewise import Composed, Mapped, as_symmetric
from vech.store import Store


class Rotated(Composed):
    """A matrix ``R' Q R + diag(d)`` by the codes Q of its rotation, made by `hadamard`.

    Attributes
    ----------
    quantized : Quantized
        The codes, of what is off the diagonal, rotated.
    signs : array of int8, shape (n,)
        1 and -1.
    block_side : int
        Rows of a Hadamard matrix.
    added : array, shape (n,)
        d, which gives the diagonal that the matrix has.
    error : QuantizationError
        Of this matrix, in place of the one that it was made of.
    """

    def __init__(
        self,
        quantized: Quantized,
        signs: NDArray[np.int8],
        block: int,
        added: Array,
        labels: tuple[Any, ...] | None,
    ) -> None:
        super().__init__(quantized, labels)
        self.signs, self.block_side, self.added = signs, block, added

    def _tile(self, rows: slice, columns: slice) -> Array:
        numbers = self.quantized.block(rows, columns).astype(np.float64)
        half = unrotate(numbers, self.signs[rows], self.block_side)
        numbers = unrotate(half.T, self.signs[columns], self.block_side).T
        if rows == columns:
            np.fill_diagonal(numbers, numbers.diagonal() + self.added[rows])
        return numbers

    def _raise(self, shift: float) -> None:
        self.added = raised(self.added, shift)

    def _product(self, x: Array, threads: int | None) -> Array:
        turned = rotate(x, self.signs, self.block_side)
        y = unrotate(self.quantized.matmul(turned, threads=threads), self.signs, self.block_side)
        y += self.added[:, None] * x
        return y


def hadamard(
    S: Store | ArrayLike, encoding: Any = "int8", *, seed: int = 0, block: int | None = None, **options: Any
) -> Rotated:
    """Codes of a matrix of which random rotations have made all rows alike; it is used as the matrix itself.

    Parameters
    ----------
    S : Store, or full matrix (array or frame)
        Real and symmetric; labels are kept.
    encoding : str or Encoding
        As for `vech.quantize`.
    seed : int
        Of the signs, and of stochastic rounding.
    block : int, optional
        Rows of a Hadamard matrix, a power of two up to 512; by default those of a tile. Larger ones mix more
        rows. Rows that are left over at the end are mixed by smaller powers of two.
    **options
        Of `vech.quantize`: ``tile``, ``scales``, ``rounding``, ``threads``, ...

    Returns
    -------
    Rotated
        A store with its certificate, ``error``.
        `vech.write` writes its numbers, without codes and certificate; pickle keeps all.

    Raises
    ------
    TypeError
        For complex and skew matrices.
    ValueError
        For a block that is no power of two, and another domain than "entries"; and as `vech.quantize`.

    Notes
    -----
    With R = H D, where D has random signs on its diagonal and H has Hadamard matrices over the square roots
    of their sides there, R is orthogonal, so that errors of the codes have the same Frobenius and spectral
    norm in ``R' Q R``. The numbers of ``R S R'`` are sums of many of S with random signs: large rows and
    single large numbers are shared out among the rows of a block. That helps where sizes of rows differ much;
    of numbers that are like Gaussian ones it changes nothing. What is on the diagonal of S is not rotated,
    for it would come into the codes, but put there again: it is exact but for rounding.

    Measured of covariances at n = 512: the spectral error is that without rotation where rows are alike, a
    third of it where the logarithms of their sizes have a standard deviation of 0.5, and an eleventh at 1.5,
    in 8 bits; in 4 a third and a seventh.

    A product costs 4 n block operations beside that of the codes. Making it reads S twice, the second time
    for the certificate: 4 n^2 block operations of BLAS.

    Source: A. Tseng et al., "QuIP#: Even better LLM quantization with Hadamard incoherence and lattice
    codebooks", ICML 2024; H. Xi et al., "Training transformers with 4-bit integers", NeurIPS 2023.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(256, 300)) * np.exp(rng.normal(size=(256, 1)))
    >>> S = vech.Packed.from_full(X @ X.T)
    >>> plain, turned = vech.quantize(S, "int4"), vech.quantized.hadamard(S, "int4")
    >>> bool(turned.error.frobenius < plain.error.frobenius)
    True
    """
    store = as_symmetric(S, "hadamard")
    if options.get("domain", "entries") != "entries":
        raise ValueError(
            f"hadamard rotates what is off the diagonal, which is not definite, so "
            f"domain={options['domain']!r} has no place: leave it out"
        )
    block = as_tile(options.get("tile", 64)) if block is None else checked_block(block)
    signs = np.random.default_rng(as_seed(seed)).choice(np.array([-1, 1], np.int8), store.n)

    def turned(rows: slice, columns: slice, numbers: Array) -> Array:
        if rows == columns:
            np.fill_diagonal(numbers, 0)
        half = rotate(numbers, signs[rows], block)
        return rotate(half.T, signs[columns], block).T

    if options.get("rounding") == "stochastic":
        options["seed"] = seed
    codes = quantize(Mapped(store, turned), encoding, **options)
    held = Rotated(codes, signs, block, np.zeros(store.n, codes.dtype), store.labels)
    held.added = store.diagonal().astype(codes.dtype) - held.diagonal()
    return held._certified(store)


def checked_block(block: Any) -> int:
    """A power of two that is not too large."""
    side = as_integer("block", block)
    if not 1 <= side <= BLOCK or side & (side - 1):
        raise ValueError(f"block is {side}, and must be a power of two from 1 to {BLOCK}")
    return side


def rotate(x: Array, signs: NDArray[np.int8], block: int) -> Array:
    """R x, for rows that begin with a block."""
    return _mixed(np.multiply(x, signs[:, None], dtype=x.dtype), block)


def unrotate(x: Array, signs: NDArray[np.int8], block: int) -> Array:
    """R' x, which undoes it."""
    y = _mixed(x, block)
    y *= signs[:, None]
    return y


def _mixed(x: Array, block: int) -> Array:
    """H x, H having as many blocks as there is room for, and then ever smaller ones."""
    y, done = np.empty(x.shape, x.dtype), 0
    while done < len(x):
        while block > len(x) - done:
            block //= 2
        stop = len(x) - (len(x) - done) % block
        some = (-1, block, x.shape[1])
        np.matmul(sylvester(block, x.dtype), x[done:stop].reshape(some), out=y[done:stop].reshape(some))
        done = stop
    return y


@cache
def sylvester(side: int, dtype: Dtype) -> Array:
    """Sylvester's Hadamard matrix over the square root of its side.

    Of side 64 BLAS takes a quarter to a tenth of the time of butterflies in NumPy, of 512 twice their time.
    """
    from scipy.linalg import hadamard

    return np.asarray(hadamard(side) * side**-0.5, dtype)
