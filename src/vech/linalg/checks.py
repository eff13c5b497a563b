"""What linear algebra takes, asked once at its doors."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

import numpy as np

from vech import frames
from vech.arrays import Array, Dtype, as_square, check_memory, family, is_array
from vech.layouts.kind import Kind
from vech.moves.judging import AsymmetryError
from vech.moves.packing import pack
from vech.packed.packed import Packed, packed
from vech.sparse import SparseHalf
from vech.store import Store, Tile

CHUNK = 2**20  # numbers looked at together
SPARSE = ("solve", "slogdet", "eigsh", "lobpcg", "norm", "inner")  # what takes a sparse half too
SPARSE_TOO = {
    *SPARSE,
    *("graph", "nearest", "strongest", "within"),
    *("kernel_pca", "spectral"),
    *("to_correlation", "to_covariance", "top"),
}
BATCHES = ("cholesky", "eigh", "exp", "inverse", "log", "power", "slogdet", "solve")  # what takes many halves


def is_sparse(S: Any) -> TypeGuard[SparseHalf]:
    """Whether S is a store of nonzeros alone, whose answers come from these."""
    return isinstance(S, Store) and S.describe().triangle is not None


def as_packed(S: Any, task: str, name: str = "S") -> Packed:
    """Any store of all its numbers, or a full matrix, as a Packed; TypeError with the way out for others."""
    if is_sparse(S):
        takers = ", ".join(SPARSE)
        way_out = f"{task}(S.to_packed()), with all its zeros; {takers} take a {type(S).__name__} as it is"
    elif isinstance(S, Store):
        if S.describe().layout is None:
            check_memory(
                S.n * (S.n + 1) // 2 * S.dtype.itemsize,
                f"{task} makes a half of it; solve(S, b, solver='cg' or 'minres'), eigsh and top multiply by "
                f"it, and of a tiled store cholesky(S, out='L.zarr') makes a factor by tiles",
            )
        return packed(S)
    elif frames.is_sparse(S):
        way_out = f"{task}(vech.Packed.from_full(S)), with all its zeros"
        if task in SPARSE_TOO:
            way_out = f"{task}(vech.SparseHalf.from_sparse(S)) or {way_out}"
    else:
        shape: tuple[int, ...] = getattr(S, "shape", ())
        if is_array(S) and task in BATCHES and len(shape) > 1 and shape[-1] != shape[-2]:
            raise ValueError(
                f"{name} has shape {shape}: {task} takes a square matrix, or with batch= halves "
                f"(..., length): say batch='vech', or the layout that they have"
            )
        if is_array(S) and (full := as_square(S, name)).ndim == 2:
            return _whole(full, frames.square_labels(S, name), name)
        if is_array(S) and full.ndim > 2:
            many = f"{task}(vech.pack({name}), batch='vech')" if task in BATCHES else "numpy.linalg"
            raise ValueError(f"{name} has shape {full.shape}: {task} takes one matrix, and {many} many")
        way_out = f"{task}(vech.Packed(half, layout)), where vech.pack makes the half of a full matrix"
    raise TypeError(f"{task} takes a Packed store, not {type(S).__name__}: {way_out}")


def _whole(full: Array, labels: tuple[Any, ...] | None, name: str) -> Packed:
    if family(full.dtype) == "c":
        raise TypeError(
            f"{name} is {full.dtype}: say vech.Packed.from_full({name}, kind='hermitian') or kind='symmetric'"
        )
    try:
        return Packed.from_full(full, labels=labels)
    except AsymmetryError as error:
        raise ValueError(
            f"{error.found.replace('matrix', name, 1)}: vech.Packed.from_full({name}, use='lower'), "
            f"'upper' or 'mean' says which numbers are meant"
        ) from error


def half_of(S: Any, task: str) -> Any:
    """S as tasks of either sort take it: itself where it is sparse, else as a Packed."""
    return S if is_sparse(S) else as_packed(S, task)


def work_dtype(dtype: Dtype, what: str) -> Dtype:
    """The dtype in which LAPACK computes with such numbers."""
    letter = family(dtype)
    if letter in "biu":
        return np.dtype(np.float64)
    if letter in "fc" and dtype.char in "fdFD":
        return dtype.newbyteorder("=")
    way_out = "astype(np.float32)" if letter == "f" else "astype(float)"
    raise TypeError(f"{what} has dtype {dtype}, with which LAPACK does not compute: {way_out} first")


def is_selfadjoint(S: Store) -> bool:
    """Whether S is real symmetric or Hermitian."""
    return S.kind == Kind.HERMITIAN.of(S.dtype)


def check_selfadjoint(S: Store, task: str, way_out: str, name: str = "S") -> None:
    """TypeError for complex symmetric and skew matrices."""
    if not is_selfadjoint(S):
        kind = "complex symmetric" if S.kind == Kind.SYMMETRIC else S.kind
        raise TypeError(
            f"{task} needs a real symmetric or a Hermitian matrix, and {name} is {kind}: {way_out}"
        )


def selfadjoint(matrix: Any, name: str) -> Store:
    """A full or SciPy sparse matrix as a store; ValueError with a pair that is not its own adjoint."""
    from scipy.sparse import issparse

    try:
        if issparse(matrix):
            return SparseHalf.from_sparse(matrix, kind="hermitian")
        half = pack(as_square(matrix, name), kind="hermitian")
        return Packed(half, kind="hermitian", labels=frames.square_labels(matrix, name))
    except AsymmetryError as error:
        reason = error.found.replace("matrix", name, 1)
        raise ValueError(f"{reason}: {name}=({name} + {name}.conj().T) / 2 has a mean of both") from error


def check_numbers(S: Store, task: str, name: str = "S") -> None:
    """TypeError for dates."""
    if family(S.dtype) in "Mm":
        raise TypeError(f"{task} is of numbers, and {name} holds {S.dtype}: astype(float) first")


def check_finite(S: Store, name: str = "S", who: str = "factors need") -> None:
    """Refuse NaN and infinity; the first is named."""
    layout = S.describe().layout
    if layout is not None:
        half = S.to_packed(layout).half
        for start in range(0, half.size, CHUNK):
            bad = np.flatnonzero(~np.isfinite(half[start : start + CHUNK]))
            if bad.size:
                i, j = map(int, layout.pair(start + bad[0], S.n))
                raise ValueError(f"{name}[{i}, {j}] is {S.block(i, j)[0, 0]}: {who} finite numbers")
        return
    for i, j, value in _not_finite(S):
        raise ValueError(f"{name}[{i}, {j}] is {value}: {who} finite numbers")


def _not_finite(S: Store) -> Iterator[tuple[int, int, Any]]:
    """Where a store without a layout has NaN or infinity; all its numbers are read once."""
    if is_sparse(S):
        stored = S.to_coo(part="lower")
        for k in np.flatnonzero(~np.isfinite(stored.data)):
            yield stored.row[k], stored.col[k], stored.data[k]
        return
    yield from filter(None, S._by_strips(_first_not_finite))


def _first_not_finite(tiles: Iterable[Tile]) -> tuple[int, int, Any] | None:
    for tile in tiles:
        for start, part in rows_at_a_time(tile.numbers):
            for i, j in np.argwhere(~np.isfinite(part))[:1]:
                row, column = int(tile.rows.start + start + i), int(tile.columns.start + j)
                return max(row, column), min(row, column), part[i, j]
    return None


def rows_at_a_time(numbers: Array) -> Iterator[tuple[int, Array]]:
    """Some rows after the other of a tile, however large: what is made of them stays small."""
    height = max(1, CHUNK // max(1, numbers.shape[1]))
    for start in range(0, len(numbers), height):
        yield start, numbers[start : start + height]


def check_finite_array(x: Array, name: str, task: str) -> None:
    """The same of an argument beside S."""
    finite = np.isfinite(x)
    if not finite.all():
        at = tuple(np.argwhere(~finite)[0])
        raise ValueError(f"{name}[{', '.join(map(str, at))}] is {x[at]}: {task} needs finite numbers")
