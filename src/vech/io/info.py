"""What a file holds, in numbers: counted in chunks, so a memory map is never loaded as a whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from vech.arrays import Array, check_mapped
from vech.layouts.dialects import AnyLayout
from vech.packed.packed import Packed
from vech.sparse import SparseHalf

CHUNK = 16 << 20
"""Bytes looked at in one go."""


@dataclass(frozen=True)
class Case:
    """One thing that the numbers are or could be, and the memory it takes in bytes."""

    name: str
    n: int
    nonzeros: int
    half: int
    full: int
    csr: int

    @property
    def best(self) -> str:
        """The smallest of "half", "full" and "csr"."""
        return min(("half", "full", "csr"), key=lambda way: getattr(self, way))


@dataclass(frozen=True)
class Info:
    """The numbers that are stored, and what they are or could be."""

    holds: str
    dtype: np.dtype[Any]
    count: int
    nonzeros: int
    smallest: Any
    largest: Any
    nans: int
    cases: tuple[Case, ...]


def summarize(content: Any, fitting: list[tuple[str, AnyLayout, int]]) -> Info:
    """Count what `vech.io.load` gave.

    Parameters
    ----------
    content : Packed, SparseHalf, array or SciPy sparse matrix
        What a file holds.
    fitting : list of (name, layout, n)
        For a half without a description: what it could be, from `vech.io.could_be`.

    Returns
    -------
    Info
        Smallest and largest leave NaN out, and are sizes |a| for complex numbers; None where there is
        nothing.
    """
    if isinstance(content, Packed):
        return _info(f"{content.kind} half", content.half, [(content.layout.name, content.layout, content.n)])
    if isinstance(content, SparseHalf):
        diagonal = int(np.count_nonzero(_rows(content.indptr) == content.indices))
        case = _case("sparse half", content.n, None, 2 * len(content.data) - diagonal, content.dtype)
        return _info(f"{content.kind} sparse half, {content.triangle} triangle", content.data, [], case)
    if not isinstance(content, np.ndarray):
        case = _case("sparse matrix", max(content.shape), None, int(content.nnz), content.dtype)
        return _info(f"sparse matrix {content.shape[0]} x {content.shape[1]}", content.tocoo().data, [], case)
    if content.ndim == 2:
        numbers = content.reshape(-1, order="F" if content.flags.f_contiguous else "C")
        counted = _info(f"full matrix {content.shape[0]} x {content.shape[1]}", numbers, [])
        case = _case("full matrix", len(content), None, counted.nonzeros, content.dtype)
        return Info(**{**vars(counted), "cases": (case,)})
    info = _info("half of a layout that it does not say", content, fitting)
    side = isqrt(len(content))
    if side * side == len(content) and side > 1:
        case = _case("full matrix, flattened", side, None, info.nonzeros, content.dtype)
        info = Info(**{**vars(info), "cases": (*info.cases, case)})
    return info


def _info(holds: str, numbers: Array, fitting: list[tuple[str, AnyLayout, int]], *cases: Case) -> Info:
    nonzeros = nans = 0
    lows, highs = [], []
    for chunk in _chunks(numbers):
        nonzeros += int(np.count_nonzero(chunk))
        if chunk.dtype.kind in "fcVmM":
            nan = np.isnat(chunk) if chunk.dtype.kind in "mM" else np.isnan(chunk)
            missing = int(np.count_nonzero(nan))
            nans += missing
            if missing:
                chunk = chunk[~nan]
        if chunk.size:
            sizes = np.abs(chunk) if chunk.dtype.kind == "c" else chunk
            lows.append(sizes.min())
            highs.append(sizes.max())
    found = [
        _case(name, n, layout, _full_nonzeros(numbers, layout, n, nonzeros), numbers.dtype)
        for name, layout, n in fitting
    ]
    return Info(
        holds,
        numbers.dtype,
        len(numbers),
        nonzeros,
        min(lows, default=None),
        max(highs, default=None),
        nans,
        (*found, *cases),
    )


def _chunks(numbers: Array) -> Iterator[Array]:
    step = CHUNK // numbers.itemsize
    for start in range(0, len(numbers), step):
        check_mapped(numbers)
        yield np.asarray(numbers[start : start + step])


def _full_nonzeros(half: Array, layout: AnyLayout, n: int, nonzeros: int) -> int:
    if layout.diagonal != "stored":
        return 2 * nonzeros + (n if layout.diagonal == "one" else 0)
    indices = np.arange(n)
    return 2 * nonzeros - int(np.count_nonzero(half[layout.position(indices, indices, n)]))


def _case(name: str, n: int, layout: AnyLayout | None, nonzeros: int, dtype: np.dtype[Any]) -> Case:
    index = 4 if max(n, nonzeros) < 2**31 else 8
    size = dtype.itemsize
    return Case(
        name,
        n,
        nonzeros,
        (layout.length(n) if layout else n * (n + 1) // 2) * size,
        n * n * size,
        nonzeros * (size + index) + (n + 1) * index,
    )


def _rows(indptr: Array) -> Array:
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
