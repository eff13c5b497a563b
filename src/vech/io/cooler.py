"""cooler, `.cool`: contacts between bins of a genome, the upper triangle as sorted pixels in an HDF5 file.

https://cooler.readthedocs.io/en/latest/schema.html
"""

from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vech import _core
from vech.arrays import INT32_MAX, Array
from vech.io.content import INSIDE, Abilities
from vech.io.drafts import draft
from vech.io.hdf5_file import h5py, telling_faults
from vech.io.pixels import OPTIONS, SYMMETRIC, load
from vech.packed.packed import Packed
from vech.sparse import SparseHalf

__all__ = ["CAN", "load", "write"]

CAN = Abilities(write=("dense", "sparse"), labels=True, options=OPTIONS)

ENUM = 60_000
"""Bytes of names that the type of a column has room for."""

PACKING = {"compression": "gzip", "compression_opts": 6, "shuffle": True}


def write(path: Path, store: Packed | SparseHalf, *, overwrite: bool = True) -> None:
    """Write the nonzeros as a collection of pixels, whose bins the labels name."""
    if INSIDE in str(path):
        raise ValueError(f"{path}: a .cool is written whole, without ::")
    if store.kind != "symmetric" or store.dtype.kind not in "iuf" or store.dtype == np.float16:
        raise TypeError(
            f"{path}: pixels are integers, float32 or float64 of a symmetric matrix, and this one is "
            f"{store.kind} of {store.dtype}"
        )
    bins = _bins(store.labels, path)
    upper = store.to_csr(part="upper")
    with draft(path, overwrite) as made:
        with telling_faults(path), h5py().File(made.temporary, "w", locking=False) as root:
            _write(root, bins, upper)
        made.seal()
        made.publish()


class Bins(NamedTuple):
    """The columns of bins, and of each chromosome its name, its length and its first bin."""

    chrom: Array
    start: Array
    end: Array
    names: list[str]
    lengths: Array
    offsets: Array
    size: int | None  # of all bins but the last of each chromosome, where that is one


def _bins(labels: Sequence[Any] | None, path: Path) -> Bins:
    """Bins out of labels; ValueError for labels that name none."""
    if not labels:
        raise ValueError(
            f"{path}: bins are named by labels (chromosome, start, end), and this store has none: "
            "S.with_labels(bins)"
        )
    names: dict[str, int] = {}
    chrom: list[int] = []
    start: list[int] = []
    end: list[int] = []
    for label in labels:
        if not _is_bin(label):
            raise TypeError(
                f"{path}: the label {label!r:.60} is no bin (chromosome, start, end), as ('chr1', 0, 1000)"
            )
        name, first, last = label
        before = end[-1] if name in names else 0
        number = names.setdefault(name, len(names))
        if number != len(names) - 1 or not before <= first < last < 2**62:
            raise ValueError(
                f"{path}: the bin {label!r:.60} is empty, or does not follow the bin before it: bins ascend, "
                "chromosome by chromosome"
            )
        chrom.append(number)
        start.append(int(first))
        end.append(int(last))
    numbers = np.array(chrom, np.int32)
    whole = np.int32 if max(end) <= INT32_MAX else np.int64
    starts, ends = np.array(start, whole), np.array(end, whole)
    offsets = np.searchsorted(numbers, np.arange(len(names) + 1))
    lengths = ends[offsets[1:] - 1]
    return Bins(numbers, starts, ends, list(names), lengths, offsets, _size(numbers, starts, ends))


def _is_bin(label: Any) -> bool:
    if not (isinstance(label, tuple) and len(label) == 3 and isinstance(label[0], str)):
        return False
    name, *ends = label
    return name.isascii() and name.isprintable() and name != "" and all(isinstance(k, Integral) for k in ends)


def _size(chrom: Array, start: Array, end: Array) -> int | None:
    """The size of all bins, but of the last of a chromosome, which may be shorter."""
    size = int((end - start).max())
    last = np.append(chrom[1:] != chrom[:-1], True)
    return size if (start % size == 0).all() and ((end - start == size) | last).all() else None


def _write(root: Any, bins: Bins, upper: Any) -> None:
    rows = np.repeat(np.arange(upper.shape[0], dtype=np.int64), np.diff(upper.indptr))
    chrom: Any = np.int32
    if sum(len(name) + 16 for name in bins.names) < ENUM:
        chrom = h5py().enum_dtype({name: k for k, name in enumerate(bins.names)}, basetype=chrom)
    columns = {
        "chroms/name": (bins.names, f"S{max(map(len, bins.names))}"),
        "chroms/length": (bins.lengths, bins.lengths.dtype),
        "bins/chrom": (bins.chrom, chrom),
        "bins/start": (bins.start, bins.start.dtype),
        "bins/end": (bins.end, bins.end.dtype),
        "pixels/bin1_id": (rows, np.int64),
        "pixels/bin2_id": (upper.indices, np.int64),
        "pixels/count": (upper.data, upper.dtype),
        "indexes/chrom_offset": (bins.offsets, np.int64),
        "indexes/bin1_offset": (upper.indptr, np.int64),
    }
    for name, (column, dtype) in columns.items():
        root.create_dataset(name, data=np.asarray(column, dtype), **(PACKING if len(column) else {}))
    root.attrs.update(
        {
            "format": "HDF5::Cooler",
            "format-version": 3,
            "format-url": "https://github.com/open2c/cooler",
            "storage-mode": SYMMETRIC,
            "bin-type": "variable" if bins.size is None else "fixed",
            "bin-size": "null" if bins.size is None else bins.size,
            "genome-assembly": "unknown",
            "generated-by": f"vech-{_core.__version__}",
            "metadata": "{}",
            "nbins": len(bins.chrom),
            "nchroms": len(bins.names),
            "nnz": len(upper.data),
            "sum": upper.data.sum().item(),
        }
    )
