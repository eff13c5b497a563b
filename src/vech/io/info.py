"""What a file holds, in numbers: counted in chunks, so a memory map is never loaded as a whole."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any

import numpy as np

from vech.arrays import Array, check_memory
from vech.io.content import Content, sparse_half
from vech.layouts.dialects import DIALECTS, AnyLayout
from vech.layouts.orders import Pieces
from vech.maps import check_mapped
from vech.moves.judging import AsymmetryError
from vech.moves.packing import pack

KINDS = {
    False: ("symmetric", "skew"),
    True: ("hermitian", "symmetric", "skew-hermitian", "skew"),
}
"""What real and complex matrices are tried as, the likeliest first."""

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
class Tiles:
    """How a store of tiles is cut, and what of it is done."""

    tile: int
    side: int
    missing: int
    compression: str

    @property
    def count(self) -> int:
        """Its lower tiles."""
        return self.side * (self.side + 1) // 2


@dataclass(frozen=True)
class Bits:
    """How numbers of few bits are held, and what their certificate says of the error, where there is one."""

    encoding: str
    domain: str
    tile: int
    bytes: int
    frobenius: float | None
    max: float | None
    spectral_bound: float | None


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
    kind: str | None = None
    """What the file says or, of a full matrix, both triangles do; None of a bare half, and of no symmetry."""
    fault: str | None = None
    """Of a full matrix that is neither: the worst (i, j)."""
    labels: tuple[Any, ...] | None = None
    tiles: Tiles | None = None
    bits: Bits | None = None


def could_be(length: int, dtype: np.dtype[Any]) -> list[tuple[str, AnyLayout, int]]:
    """List the layouts that a bare half of this length may plausibly have: name, layout, n."""
    fitting = []
    for layout in dict.fromkeys(DIALECTS.values()):
        if isinstance(layout, Pieces):  # whoever has these orders knows it
            continue
        if layout.scaled and dtype.kind not in "fcV":
            continue
        try:
            fitting.append((layout.name, layout, layout.side(length)))
        except ValueError:
            continue
    return fitting


def summarize(content: Content, n: int | None = None) -> Info:
    """Count what `vech.io.examine` found.

    Parameters
    ----------
    content : Content
        What a file holds.
    n : int, optional
        The side of a half without a description, where it is known.

    Returns
    -------
    Info
        Smallest and largest leave NaN out, and are sizes |a| for complex numbers; None where there is
        nothing.
    """
    kind, fault = content.kind, None
    if content.holds in ("full", "sparse"):
        kind, fault = _symmetry(content)
    found = _SUMMARIES[content.holds](content.numbers, n)
    return replace(found, kind=kind, fault=fault, labels=content.labels)


def _symmetry(content: Content) -> tuple[str | None, str | None]:
    """The first kind that a full matrix has; else what is wrong with the first that it could have."""
    matrix, faults = content.numbers, list[str]()
    for kind in (content.kind,) if content.kind else KINDS[content.dtype.kind == "c"]:
        try:
            if content.holds == "sparse":
                sparse_half(matrix, kind)
            else:
                check_memory(matrix.nbytes // 2, "leave it to vech.read")
                pack(matrix, kind=kind)
        except MemoryError:
            return None, None
        except AsymmetryError as error:
            where = "" if content.lines is None or error.row is None else f"line {content.lines[error.row]}: "
            faults.append(f"{where}{error.found}")
        except (TypeError, OverflowError):  # numbers without a sign, or without their negative, are not skew
            continue
        else:
            return kind, None
    return None, faults[0]


def _of_store(store: Any, _: int | None) -> Info:
    described = store.describe()
    if described.encoding is not None:
        return _of_quantized(store)
    if described.triangle is None and described.layout is None:
        return _of_tiles(store)
    if described.triangle is None:
        fitting = [(store.layout.name, store.layout, store.n)]
        return _info(f"{store.kind} half", store.half, fitting)
    diagonal = int(np.count_nonzero(_rows(store.indptr) == store.indices))
    case = _case("sparse half", store.n, None, 2 * len(store.data) - diagonal, store.dtype)
    return _info(f"{store.kind} sparse half, {store.triangle} triangle", store.data, [], case)


def _of_tiles(store: Any) -> Info:
    """Of the tiles that are done."""
    missing = set(store.missing())
    done = [(i, j) for i in range(store.grid) for j in range(i + 1) if (i, j) not in missing]
    squares = ((i == j, store.read_tile(i, j)) for i, j in done)
    tiles = Tiles(store.tile, store.grid, len(missing), store.compression)
    found = replace(_of_squares("store of tiles", "tiles", store, squares), tiles=tiles)
    return found if store.encoding is None else replace(found, bits=_bits(store, "entries"))


def _of_quantized(store: Any) -> Info:
    """Of the numbers that codes stand for."""
    squares = ((tile.on_diagonal, tile.numbers) for tile in store.tiles())
    found = _of_squares("quantized half", "quantized half", store, squares)
    return replace(found, bits=_bits(store, store.domain))


def _bits(store: Any, domain: str) -> Bits:
    error = store.error
    norms = [getattr(error, name, None) for name in ("frobenius", "max", "spectral_bound")]
    return Bits(store.encoding, domain, store.tile, store.nbytes, *norms)


def _of_squares(holds: str, name: str, store: Any, squares: Iterable[tuple[bool, Array]]) -> Info:
    """Of squares of the lower triangle, and whether each is on the diagonal: each pair once."""
    on_diagonal = 0

    def chunks() -> Iterator[Array]:
        nonlocal on_diagonal
        for is_on, square in squares:
            if is_on:
                on_diagonal += int(np.count_nonzero(square.diagonal()))
            yield square[np.tril_indices(len(square))] if is_on else square.reshape(-1)

    counted = _counted(f"{store.kind} {holds}", store.dtype, chunks())
    case = _case(name, store.n, None, 2 * counted.nonzeros - on_diagonal, store.dtype)
    return replace(counted, cases=(case,))


def _of_sparse(matrix: Any, _: int | None) -> Info:
    case = _case("sparse matrix", max(matrix.shape), None, int(matrix.nnz), matrix.dtype)
    return _info(f"sparse matrix {matrix.shape[0]} x {matrix.shape[1]}", matrix.tocoo().data, [], case)


def _of_full(matrix: Array, _: int | None) -> Info:
    numbers = matrix.reshape(-1, order="F" if matrix.flags.f_contiguous else "C")
    counted = _info(f"full matrix {matrix.shape[0]} x {matrix.shape[1]}", numbers, [])
    case = _case("full matrix", len(matrix), None, counted.nonzeros, matrix.dtype)
    return replace(counted, cases=(case,))


def _of_half(half: Array, n: int | None) -> Info:
    fitting = [case for case in could_be(len(half), half.dtype) if n in (None, case[2])]
    info = _info("half of a layout that it does not say", half, fitting)
    side = isqrt(len(half))
    if side * side != len(half) or side <= 1:
        return info
    case = _case("full matrix, flattened", side, None, info.nonzeros, half.dtype)
    return replace(info, cases=(*info.cases, case))


_SUMMARIES = {"store": _of_store, "half": _of_half, "full": _of_full, "sparse": _of_sparse}


def _info(holds: str, numbers: Array, fitting: list[tuple[str, AnyLayout, int]], *cases: Case) -> Info:
    counted = _counted(holds, numbers.dtype, _chunks(numbers))
    found = [
        _case(name, n, layout, _full_nonzeros(numbers, layout, n, counted.nonzeros), numbers.dtype)
        for name, layout, n in fitting
    ]
    return replace(counted, cases=(*found, *cases))


def _counted(holds: str, dtype: np.dtype[Any], chunks: Iterator[Array]) -> Info:
    count = nonzeros = nans = 0
    lows, highs = [], []
    for chunk in chunks:
        count += len(chunk)
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
    return Info(holds, dtype, count, nonzeros, min(lows, default=None), max(highs, default=None), nans, ())


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
