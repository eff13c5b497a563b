"""Zip archives of arrays `.npz`: SciPy's sparse matrices, dense halves and sparse halves."""

from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from vech.arrays import Array
from vech.io.description import describe, describe_half, described_half, parse
from vech.io.dtypes import dtype_name, forgettable
from vech.io.files import FileFormatError, atomic
from vech.io.panels import Progress
from vech.packed import Packed
from vech.sparse import SparseHalf
from vech.store import Store

HOLDS: tuple[str, ...] = ("csr", "csc")


def load(path: Path, dtype: np.dtype[Any] | None, n: int | None) -> Packed | SparseHalf | Any:
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
        return described_half(arrays["vech_half"], str(arrays["vech_meta"]), path)
    if keys >= {"vech_indptr", "vech_indices", "vech_data", "vech_meta"}:
        return _sparse_half(arrays, path)
    if keys >= {"format", "shape", "data"}:
        return _scipy(file)
    raise FileFormatError(
        f"holds the arrays {', '.join(sorted(keys)) or 'none'}: neither a half of vech nor a sparse matrix "
        "of SciPy; np.load it, and use vech.pack or vech.Packed",
        path,
    )


def write(path: Path, store: Store) -> None:
    """Write a half or a sparse half under keys of vech, which SciPy does not take for a whole matrix."""
    if isinstance(store, Packed):
        arrays = {"vech_half": forgettable(store.half), "vech_meta": np.asarray(describe_half(store))}
    elif isinstance(store, SparseHalf):
        arrays = {
            "vech_indptr": store.indptr,
            "vech_indices": store.indices,
            "vech_data": store.data,
            "vech_meta": np.asarray(describe(store, triangle=store.triangle)),
        }
    else:
        raise TypeError(f"{path}: .npz holds a Packed or a SparseHalf, and this is a {type(store).__name__}")
    with atomic(path) as file:
        np.savez(file, allow_pickle=False, **cast("dict[str, Any]", arrays))


def expand(
    path: Path, store: Store, to: str, *, threads: int | None = None, progress: Progress | None = None
) -> None:
    """Write the whole matrix as SciPy's save_npz does, not compressed, as CSR or CSC."""
    from scipy.sparse import save_npz

    matrix = store.to_csc(threads=threads) if to == "csc" else store.to_csr(threads=threads)
    with atomic(path) as file:
        save_npz(file, matrix, compressed=False)


def _sparse_half(arrays: dict[str, Array], path: Path) -> SparseHalf:
    fields = parse(str(arrays["vech_meta"]), path, ("triangle", "kind", "n", "dtype"))
    indptr, indices, data = (arrays[f"vech_{name}"] for name in ("indptr", "indices", "data"))
    if dtype_name(data.dtype) != fields["dtype"]:
        raise FileFormatError(
            f"says dtype {fields['dtype']}, and its data have {dtype_name(data.dtype)}", path
        )
    options = {name: fields[name] for name in ("triangle", "kind")}
    return SparseHalf(indptr, indices, data, fields["n"], labels=fields.get("labels"), **options)


def _scipy(file: BinaryIO) -> Any:
    from scipy.sparse import load_npz

    file.seek(0)
    matrix = load_npz(file)
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    return matrix
