"""Collections of pixels in files of cooler: the upper triangle as CSR, by bins of a genome.

https://cooler.readthedocs.io/en/latest/schema.html
"""

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from vech.arrays import INT32_MAX, Array
from vech.io.content import Content
from vech.io.datasets import VISITED, dataset_path, only, read_blocks
from vech.io.errors import FileFormatError, reading
from vech.io.hdf5_file import check_written, dataset_in, h5py, opened
from vech.sparse import SparseHalf

OPTIONS = ("balance", "field")

SYMMETRIC, SQUARE = "symmetric-upper", "square"

WEIGHT = "weight"
"""The column of bins in which `cooler balance` leaves its weights."""

DIVIDE = ("KR", "VC", "VC_SQRT")
"""Columns of weights by which numbers are divided: those that hic2cool brings, as cooler has it."""


def load(path: Path, *, balance: bool | str | None = None, field: str | None = None) -> Content:
    """Load the pixels of a collection: the one that is named, or the only one there is."""
    if not isinstance(balance, bool | str | None):
        raise TypeError(f"balance is True, False or the name of a column of weights, not {balance!r}")
    file_path, inside = dataset_path(path)
    with opened(file_path) as root, reading(path, "is damaged, says h5py", ValueError):
        table = Table(_found(root, inside, file_path), file_path)
        labels = table.labels()
        n = len(labels)
        indptr, indices = table.pixels(n)
        data = table.column(f"pixels/{field or 'count'}", "iuf", len(indices))
        if balance not in (None, False):
            weights = table.weights(WEIGHT if balance is True else str(balance), n)
            data = np.repeat(weights, np.diff(indptr)) * weights[indices] * data
        if table.mode() == SYMMETRIC:
            return Content.of_store(SparseHalf(indptr, indices, data, n, triangle="upper", labels=labels))
        from scipy.sparse import csr_array

        return Content.of_sparse(csr_array((data, indices, indptr), (n, n)), labels=labels)


class Table:
    """The columns of a collection, each judged before it is believed."""

    def __init__(self, group: Any, path: Path) -> None:
        self.group, self.path = group, path

    def column(self, name: str, kinds: str, length: int | None = None) -> Array:
        """A column of numbers, of so many."""
        dataset = dataset_in(self.group, name, self.path)
        check_written(dataset, self.path)
        if dataset.ndim != 1 or dataset.dtype.kind not in kinds or dataset.dtype.char in "eg":
            raise FileFormatError(
                f"has {dataset.name} of shape {dataset.shape} and dtype {dataset.dtype}: a column of "
                f"{'names' if kinds == 'S' else 'numbers'} fits",
                self.path,
            )
        if length is not None and len(dataset) != length:
            raise FileFormatError(
                f"has {len(dataset):,} numbers in {dataset.name}, and {length:,} fit the other columns",
                self.path,
            )
        return read_blocks(dataset)

    def labels(self) -> list[tuple[str, int, int]]:
        """The name of each bin: chromosome, start, end."""
        names = [name.decode() for name in self.column("chroms/name", "S").tolist()]
        start = self.column("bins/start", "iu")
        end, chrom = (self.column(f"bins/{name}", "iu", len(start)) for name in ("end", "chrom"))
        self._check_range("bins/chrom", chrom, len(names))
        return [
            (names[k], first, last)
            for k, first, last in zip(chrom.tolist(), start.tolist(), end.tolist(), strict=True)
        ]

    def pixels(self, n: int) -> tuple[Array, Array]:
        """Where each row begins, and the columns: the index and the rows of pixels must say the same."""
        rows = self.column("pixels/bin1_id", "iu")
        columns = self.column("pixels/bin2_id", "iu", len(rows))
        index = self.column("indexes/bin1_offset", "iu", n + 1)
        for name, found in (("pixels/bin1_id", rows), ("pixels/bin2_id", columns)):
            self._check_range(name, found, n)
        fits = np.int32 if max(n, len(rows)) <= INT32_MAX else np.int64
        indptr = np.zeros(n + 1, fits)
        np.cumsum(np.bincount(rows.astype(np.int64, copy=False), minlength=n), out=indptr[1:])
        if (rows[1:] < rows[:-1]).any():
            raise FileFormatError(f"has {self.group.name} pixels/bin1_id that does not ascend", self.path)
        if not np.array_equal(indptr, index):
            row = int((indptr != index).argmax())
            raise FileFormatError(
                f"has indexes/bin1_offset {index[row]:,} for bin {row:,}, and its pixels begin at "
                f"{indptr[row]:,}",
                self.path,
            )
        return indptr, columns.astype(fits, copy=False)

    def weights(self, name: str, n: int) -> Array:
        """What the numbers of each bin are multiplied by."""
        there = sorted(set(self.group["bins"]) - {"chrom", "start", "end"})
        if name not in there:
            raise FileFormatError(
                f"has no weights {name!r} (`cooler balance` makes weights): there are "
                f"{', '.join(there) or 'none'}",
                self.path,
            )
        found = self.column(f"bins/{name}", "f", n)
        with np.errstate(divide="ignore"):
            return 1 / found if name in DIVIDE else found

    def mode(self) -> str:
        """Which triangle the pixels are of; before version 3 of the format always the upper one."""
        found = self.group.attrs.get("storage-mode", SYMMETRIC)
        found = found.decode() if isinstance(found, bytes) else found
        if found not in (SYMMETRIC, SQUARE):
            raise FileFormatError(
                f"has the storage-mode {found!r:.60}, and {SYMMETRIC} and {SQUARE} are known", self.path
            )
        return str(found)

    def _check_range(self, name: str, found: Array, bound: int) -> None:
        if len(found) and not (found.min() >= 0 and found.max() < bound):
            raise FileFormatError(
                f"has {name} {found.min():,} to {found.max():,}, and 0 to {bound - 1:,} fit", self.path
            )


def _found(root: Any, inside: str, path: Path) -> Any:
    """The group of a collection: the one that is named, or the only one below it."""
    if inside and inside not in root:
        raise FileFormatError(f"has no group /{inside}", path)
    group = root[inside or "/"]
    if not isinstance(group, h5py().Group) or group.file.filename != root.filename:
        raise FileFormatError(f"has no group of its own at /{inside}", path)
    if _is_collection(group):
        return group
    names: list[str] = []
    seen = itertools.count(1)

    def look(_: str, found: Any) -> bool | None:
        if _is_collection(found):
            names.append(found.name.strip("/"))
        return True if next(seen) == VISITED else None

    group.visititems(look)
    if not names:
        raise FileFormatError("holds no cooler: no group of chroms, bins, pixels and indexes", path)
    return root[only(names, path)]


def _is_collection(found: Any) -> bool:
    return isinstance(found, h5py().Group) and {"chroms", "bins", "pixels", "indexes"} <= set(found)
