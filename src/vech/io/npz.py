"""Zip archives of arrays `.npz`: SciPy's sparse matrices, dense halves and sparse halves."""

from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from vech.arrays import INT32_MAX, Array
from vech.io.description import describe, describe_half, described_half, parse, parse_object
from vech.io.drafts import atomic
from vech.io.dtypes import dtype_name, forgettable
from vech.io.files import FileFormatError
from vech.io.panels import Progress
from vech.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

HOLDS: tuple[str, ...] = ("csr", "csc")


def load(path: Path, dtype: np.dtype[Any] | None, n: int | None, verify: bool) -> Packed | SparseHalf | Any:
    """Load a half, a sparse half, or the sparse matrix that SciPy wrote."""
    with path.open("rb") as file:
        try:
            return _load(file, path)
        except (FileFormatError, MemoryError):
            raise
        except Exception as error:  # of zipfile, zlib, NumPy and SciPy there are many
            raise FileFormatError(f"is no .npz file that vech reads: {error}", path) from error


def _load(file: BinaryIO, path: Path) -> Packed | SparseHalf | Any:
    archive = np.load(file, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise TypeError("this is a .npy file by another name")
    keys = set(archive.files)
    arrays = {key: archive[key] for key in keys if key.startswith("vech_")}
    if "vech_half" in keys and "vech_meta" in keys:
        return described_half(arrays["vech_half"], parse_object(str(arrays["vech_meta"]), path), path)
    if keys >= {"vech_indptr", "vech_indices", "vech_data", "vech_meta"}:
        return _sparse_half(arrays, path)
    if keys >= {"format", "shape", "data"}:
        return _scipy(file)
    raise FileFormatError(
        f"holds the arrays {', '.join(sorted(keys)) or 'none'}: neither a half of vech nor a sparse matrix "
        "of SciPy; np.load it, and use vech.pack or vech.Packed",
        path,
    )


def write(path: Path, store: Store, *, overwrite: bool = True) -> None:
    """Write a half or a sparse half under keys of vech, which SciPy does not take for a whole matrix."""
    if isinstance(store, Packed):
        arrays = {"vech_half": forgettable(store.half), "vech_meta": np.asarray(describe_half(store))}
    elif isinstance(store, SparseHalf):
        arrays = _arrays(store) | {"vech_meta": np.asarray(describe(store, triangle=store.triangle))}
    else:
        raise TypeError(f"{path}: .npz holds a Packed or a SparseHalf, and this is a {type(store).__name__}")
    with atomic(path, overwrite) as file:
        np.savez(file, allow_pickle=False, **cast("dict[str, Any]", arrays))


def expand(
    path: Path,
    store: Store,
    to: str,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    overwrite: bool = True,
) -> None:
    """Write the whole matrix as SciPy's save_npz does, not compressed, as CSR or CSC."""
    from scipy.sparse import save_npz

    matrix = store.to_csc(threads=threads) if to == "csc" else store.to_csr(threads=threads)
    with atomic(path, overwrite) as file:
        save_npz(file, matrix, compressed=False)


def _arrays(store: SparseHalf) -> dict[str, Array]:
    """The CSR arrays of the triangle; with more rows than 32 bits count, those of the rows that hold numbers."""
    if store.n <= INT32_MAX:
        return {"vech_indptr": store.indptr, "vech_indices": store.indices, "vech_data": store.data}
    rows, columns = store.to_coo(part=store.triangle).coords
    places = np.union1d(rows, columns)
    counts = np.bincount(np.searchsorted(places, rows), minlength=places.size)
    return {
        "vech_places": places,
        "vech_indptr": np.concatenate(([0], np.cumsum(counts))),
        "vech_indices": np.searchsorted(places, columns),
        "vech_data": store.data,
    }


def _sparse_half(arrays: dict[str, Array], path: Path) -> SparseHalf:
    fields = parse(str(arrays["vech_meta"]), path, ("triangle", "kind", "n", "dtype"))
    indptr, indices, data = (arrays[f"vech_{name}"] for name in ("indptr", "indices", "data"))
    if dtype_name(data.dtype) != fields["dtype"]:
        raise FileFormatError(
            f"says dtype {fields['dtype']}, and its data have {dtype_name(data.dtype)}", path
        )
    options = {name: fields[name] for name in ("triangle", "kind")}
    if (places := arrays.get("vech_places")) is None:
        return SparseHalf(indptr, indices, data, fields["n"], labels=fields.get("labels"), **options)
    held = SparseHalf(indptr, indices, data, places.size, **options)
    if places.ndim != 1 or places.dtype.kind not in "iu" or np.any(places[1:] <= places[:-1]):
        raise FileFormatError("has vech_places that do not ascend", path)
    rows, columns = (places[axis] for axis in held.to_coo(part=held.triangle).coords)
    return SparseHalf.from_coo(rows, columns, data, fields["n"], use=held.triangle, **options)


def _scipy(file: BinaryIO) -> Any:
    from scipy.sparse import load_npz

    file.seek(0)
    matrix = load_npz(file)
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    return matrix
