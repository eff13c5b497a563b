"""Quantize: any store of real numbers, in one pass over these."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from reprlib import repr as short
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vech.arrays import Array, Dtype, check_progress, is_finite, resolve_threads
from vech.derived.tiles import lower
from vech.layouts.kind import Kind
from vech.layouts.layout import one_of
from vech.packed.packed import Packed
from vech.quantized import certificate
from vech.quantized.domains import DOMAINS, check_domain, triangle
from vech.quantized.encodings import KMEANS, Encoding, as_encoding
from vech.quantized.levels import codebook, sided_codebook
from vech.quantized.making import Maker, rounding_seed
from vech.quantized.parts import Parts, as_tile
from vech.quantized.scales import two_sided
from vech.quantized.sources import BLOCK, IN_PLACE, as_source, blocks, check_finite, in_place, number_dtype
from vech.quantized.store import Quantized
from vech.store import Store
from vech.workers import in_order

SCALES = ("tile", "two-sided")
Progress = Callable[[int, int], object]


def quantize(
    S: Any,
    encoding: str | Encoding = "int8",
    *,
    tile: int = 64,
    scales: Any = "tile",
    domain: str = "entries",
    rounding: str = "nearest",
    seed: int | None = None,
    levels: ArrayLike | None = None,
    clip: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """The matrix in 1 to 16 bits a pair, exactly symmetric, with a certificate of what these lose.

    Parameters
    ----------
    S : store, or full matrix (array or frame)
        Real, symmetric or skew, and finite. Labels follow.
    encoding : str or Encoding
        A key of `vech.ENCODINGS`: "float16", "bfloat16", "float8-e4m3", "float8-e5m2", "int8", "uint8" (from
        the least number of a tile on, for what is not centred at 0), "int4", "nf4", "linear2-4", "kmeans-4",
        "sign", or "int4x2" (two planes of 4 bits: ``Q.coarse`` is the first one alone).
    tile : {64, 32, 128, 256}
        Rows and columns of a tile, which has a scale of its own.
    scales : {"tile", "two-sided"}, number, or array, shape (tiles,)
        Of each tile the scale that its largest number needs. "two-sided": one for each row, so that numbers
        are in units of ``sides[r] sides[c]``, the largest of each row near 1: then D S D, other orders and
        parts of the rows need no rounding. Or what is known beforehand, for all tiles or for each; of "uint8"
        a pair (scales, zeros).
    domain : {"entries", "cholesky", "log"}
        What becomes codes: the numbers; or of a positive definite matrix its Cholesky factor, so that the
        result is definite too, or its logarithm, so that it has powers.
    rounding : {"nearest", "stochastic"}
        To the nearest level; or to one of the two around a number, so that the mean over seeds is the number:
        of "int4x2" in the low plane, the coarse one being to the nearest.
    seed : int, optional
        Of stochastic rounding: the same one gives the same codes, for any number of threads.
    levels : array, shape (16,), optional
        Of "kmeans-4"; unless told those of `vech.quantized.codebook`.
    clip : bool
        Whether numbers beyond scales that are given, or beyond float16, become the largest level. Else they
        are an error.
    threads : int, optional
        At most so many threads; by default what OMP_NUM_THREADS, affinity and cgroup allow.
    progress : callable, optional
        Called as ``progress(done, total)`` in blocks of 512 rows and columns.

    Returns
    -------
    Quantized
        In float32 for float16, bfloat16 and float32, else in float64; `Quantized.error` is the certificate.

    Raises
    ------
    ValueError
        For NaN and infinity, named with (i, j), what is not symmetric, and arguments that do not fit.
    TypeError
        For complex matrices, dates, what is no matrix, and skew ones in a domain other than "entries".
    OverflowError
        For a number beyond float16 or a scale that is given, named with (i, j), and integers beyond 2^53.
    numpy.linalg.LinAlgError
        In the domains "cholesky" and "log" for matrices that are not positive definite.

    Notes
    -----
    One pass over S, a block at a time; "two-sided" takes up to 9 more, "kmeans-4" without levels one more. In
    the domains "cholesky" and "log" n x n numbers in double, n^3 / 3 and some 9 n^3 operations, and another
    pass for the certificate.

    Examples
    --------
    >>> A = np.array([[2.0, 1.0, -0.5], [1.0, 2.0, 0.25], [-0.5, 0.25, 2.0]])
    >>> Q = vech.quantize(A, "int8")
    >>> Q.error
    QuantizationError(frobenius=0.006225, max=0.003937, spectral_bound=0.005906)
    >>> bool(np.linalg.norm(A - Q.expand()) <= Q.error.frobenius)
    True
    """
    side, found = as_tile(tile), as_encoding(encoding, levels)
    one_of("domain", domain, DOMAINS)
    rounding_seed(rounding, seed)
    check_progress(progress)
    if isinstance(scales, str):
        one_of("scales", scales, SCALES)
    elif isinstance(scales, Real) and not is_finite(scales):
        raise ValueError(f"scales[0] is {short(scales)}: scales are finite")
    source = as_source(S)
    check_domain(Kind(source.kind), domain)
    options = {"rounding": rounding, "seed": seed, "clip": clip}
    work = _Work(side, found, scales, number_dtype(source.dtype), options, threads, progress)
    if domain == "entries":
        return work.quantized(source, source.labels)
    full = _full(source)
    original = {"cholesky": _factor, "log": _logarithm}[domain](full)
    held = work.quantized(Packed.from_full(original, "numpy-tril", use="lower"), source.labels)
    return Quantized(
        held._parts,
        held.labels,
        domain,
        _certified(source, original, held._parts, domain),
        _certified(source, original, held._parts.coarse, domain) if found.planes == 2 else None,
    )


class _Work:
    """How matrices are quantized in one call."""

    def __init__(
        self,
        tile: int,
        encoding: Encoding,
        scales: Any,
        dtype: Dtype,
        options: dict[str, Any],
        threads: int | None,
        progress: Progress | None,
    ) -> None:
        self.tile, self.encoding, self.scales, self.dtype = tile, encoding, scales, dtype
        self.options, self.threads, self.progress = options, threads, progress

    def quantized(self, S: Store, labels: tuple[Any, ...] | None) -> Quantized:
        """The matrix in codes of its numbers."""
        encoding, scales = self.encoding, self._scales(S, self.encoding)
        if encoding.name == KMEANS and encoding.levels is None:
            encoding = as_encoding(encoding, self._codebook(S, scales))
        maker = Maker(S.n, encoding, self.dtype, str(S.kind), tile=self.tile, **(self.options | scales))
        workers = resolve_threads(self.threads, S.n * (S.n + 1) // 2 * S.dtype.itemsize)
        numbers = in_place(S, self.dtype) if encoding.planes == 1 else None
        if numbers is None:
            total = sum(1 for _ in lower(S.n, BLOCK))
            parts = in_order(lambda block: maker.encoded(*block), blocks(S), workers)
        else:
            maker.take_diagonal(slice(0, S.n), S.diagonal())
            total = sum(1 for _ in lower(S.n, IN_PLACE))
            parts = in_order(
                lambda where: maker.encoded_in_place(numbers, S, *where), lower(S.n, IN_PLACE), workers
            )
        for done, part in enumerate(parts, 1):
            maker.note(part)
            if self.progress is not None:
                self.progress(done, total)
        return maker.finish(labels)

    def _codebook(self, S: Store, scales: dict[str, Any]) -> Array:
        """Levels for numbers in the units that they will have."""
        if "sides" not in scales:
            return codebook(S, tile=self.tile)
        return sided_codebook(S, scales["sides"], scales["scales"])

    def _scales(self, S: Store, encoding: Encoding) -> dict[str, Any]:
        """What `Maker` is told of scales."""
        if isinstance(self.scales, str):
            if self.scales == "tile":
                return {}
            found = two_sided(S, encoding, self.dtype)
            # Measured here, so that nothing but rounding is beyond.
            known: dict[str, Any] = {"scales": found.scale, "clip": True} if encoding.most else {}
            return known | {"sides": found.sides} | ({"zeros": found.zero} if encoding.is_affine else {})
        if encoding.is_affine and isinstance(self.scales, tuple) and len(self.scales) == 2:
            return {"scales": self.scales[0], "zeros": self.scales[1]}
        if self.scales is None:
            raise TypeError("scales must be 'tile', 'two-sided', a number or an array, not None")
        return {"scales": self.scales}


# ---------------------------------------------------------------- factors and logarithms


def _full(S: Store) -> Array:
    """All numbers in double, which are finite."""
    full = S.expand().astype(np.float64)
    check_finite(full, slice(0, S.n), slice(0, S.n))
    return full


def _factor(full: Array) -> Array:
    """L of L L', below zeros."""
    from scipy.linalg import LinAlgError, cholesky

    try:
        return np.asarray(cholesky(full, lower=True, check_finite=False)) if len(full) else full
    except LinAlgError as error:
        raise np.linalg.LinAlgError(
            f"S is not positive definite ({error}), so it has no factor: domain='entries' takes any matrix, "
            f"and vech.linalg.nearest_psd(S, floor=...) is a definite one"
        ) from None


def _logarithm(full: Array) -> Array:
    """B of exp(B)."""
    from scipy.linalg import eigh

    if not len(full):
        return full
    values, vectors = eigh(full, check_finite=False)
    if not values[0] > len(full) * certificate.EPS * values[-1]:
        raise np.linalg.LinAlgError(
            f"S is not positive definite: its least eigenvalue is {values[0]:.4g} beside {values[-1]:.4g}, "
            f"and has no logarithm in working precision: domain='entries' takes any matrix, and "
            f"vech.linalg.nearest_psd(S, floor=...) is a definite one"
        )
    return np.asarray((vectors * np.log(values)) @ vectors.T)


def _certified(source: Store, original: Array, parts: Parts, domain: str) -> certificate.QuantizationError:
    """The certificate against the matrix itself, with factors by the original that became codes."""
    factors = {"cholesky": _factors_of_cholesky, "log": _factors_of_log}[domain](original, parts)
    return replace(certificate.measured(source, Quantized(parts, None, domain)), factors=factors)


def _factors_of_cholesky(original: Array, parts: Parts) -> tuple[float, float]:
    """``(1 -+ |F|)^2`` with ``F = L^-1 (L_original - L)`` (Ostrowski)."""
    from scipy.linalg import solve_triangular

    wide = parts.astype(np.dtype(np.float64))
    if not (wide.diagonal > 0).all():
        return 0.0, math.inf
    L = triangle(wide, slice(0, parts.n)) if parts.n else original
    size = _norm_bound(solve_triangular(L, original - L, lower=True, check_finite=False) if parts.n else L)
    return max(0.0, 1 - size) ** 2, (1 + size) * (1 + size)  # infinite where ** would raise


def _factors_of_log(original: Array, parts: Parts) -> tuple[float, float]:
    """``exp(-+|E|)`` with the error E of the logarithm (Weyl), of which rounding in making it is a part."""
    from scipy.linalg import eigvalsh

    everything = slice(0, parts.n)
    values = eigvalsh(original, check_finite=False) if parts.n else np.zeros(1)
    rounding = math.log1p(4 * parts.n * certificate.EPS * math.exp(values[-1] - values[0]))
    wide = parts.astype(np.dtype(np.float64))
    size = _norm_bound((np.tril(original) + np.tril(original, -1).T) - wide.part(everything, everything))
    return math.exp(-size - rounding), math.exp(size + rounding)


def _norm_bound(E: Array) -> float:
    """What the largest singular value does not exceed."""
    size = np.abs(E)
    rows, columns = (float(size.sum(axis=axis).max(initial=0.0)) for axis in (1, 0))
    return certificate.up(min(certificate.norm_of(E), math.sqrt(rows) * math.sqrt(columns)), len(E))
