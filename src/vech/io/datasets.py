"""Datasets inside an HDF5 file or a Zarr store: what is said beside the numbers, and which one is meant."""

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any, Unpack

import numpy as np

from vech.arrays import Array, check_memory
from vech.io.content import Content, parted
from vech.io.description import describe_half, described_half, parse_object
from vech.io.digests import digest
from vech.io.dtypes import check_dtype
from vech.io.errors import NO_DIGEST, FileFormatError, NoMatrixError
from vech.io.labels import decode_labels
from vech.io.panels import How, blocks
from vech.packed.packed import Packed
from vech.store import Store

META = "vech_meta"
"""The attribute with the description of a half, as in .npz."""

VISITED = 10_000
"""Datasets and groups that are looked at for a matrix."""

LABELS = "_labels"
"""What follows the name of a dataset in that of its labels."""

BLOCK = 64 << 20
"""Bytes of a dataset that are read or written together."""

NUMBERS = "?biufc"
"""Kinds of dtype."""

SHOWN = 12
"""Datasets that an error lists."""


def dataset_path(path: Path) -> tuple[Path, str]:
    """The file, and the path of a dataset inside it, without slashes around it; "" where none is said."""
    file_path, inside = parted(path)
    return file_path, str(PurePosixPath("/", inside)).strip("/")


def only(names: Iterable[str], path: Path) -> str:
    """The only dataset that could be a matrix, by name; FileFormatError if there are others, or none."""
    found: list[str] = []
    for name in names:
        if len(found) == SHOWN:
            found.append("...")
            break
        found.append(name)
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{path.name}::/{name}" if name != "..." else name for name in found)
    raise NoMatrixError(
        f"holds more than one dataset that could be a matrix: say {listed}"
        if found
        else "holds no dataset of numbers",
        path,
    )


def could_be_matrix(dataset: Any) -> bool:
    """Whether a dataset holds numbers, and is square or one half."""
    return dataset.dtype.kind in NUMBERS and dataset.ndim in (1, 2) and len(set(dataset.shape)) == 1


def content(
    dataset: Any,
    text: Any,
    labels: tuple[Any, ...] | None,
    read: Callable[[], Array],
    path: Path,
    *,
    verify: bool,
) -> Content:
    """What a dataset holds: a half with its description, a bare half, or a full matrix."""
    if dataset.dtype.kind not in NUMBERS:
        raise FileFormatError(f"holds what vech does not take: {dataset.dtype}", path)
    check_dtype(dataset.dtype, path)
    if text is None:
        if verify:
            raise FileFormatError(NO_DIGEST, path)
        if not could_be_matrix(dataset):  # which is said before anything is read
            Content.of_array(np.broadcast_to(np.zeros((), dataset.dtype), dataset.shape))
        return Content.of_array(read(), labels=labels)
    if not isinstance(text, str):
        raise FileFormatError(f"has an attribute {META} that is no text", path)
    half = described_half(read(), parse_object(text, path), path, verify=verify)
    if labels is None:
        return Content.of_store(half)
    return Content.of_store(Packed(half.half, half.layout, kind=half.kind, labels=labels))


def read_blocks(dataset: Any) -> Array:
    """Read all numbers, in blocks of rows, so that it can be interrupted."""
    nbytes = dataset.dtype.itemsize * int(np.prod(dataset.shape, dtype=object))
    check_memory(nbytes, "h5py and zarr read parts of it")
    array = np.empty(dataset.shape, dataset.dtype)
    rows = max(1, BLOCK // max(1, nbytes // max(1, len(array))))
    for start in range(0, len(array), rows):
        array[start : start + rows] = dataset[start : start + rows]
    return array


def check_numbers(dtype: np.dtype[Any], path: Path) -> None:
    """Refuse to write what such files do not hold."""
    if dtype.kind not in NUMBERS:
        raise TypeError(
            f"{path}: datasets hold bool, integers, real and complex numbers, not {dtype}: write .npz"
        )


def write_rows(dataset: Any, store: Store, **how: Unpack[How]) -> None:
    """Write the full matrix in blocks of rows."""
    height = max(1, BLOCK // max(1, store.n * store.dtype.itemsize))
    for start, block in blocks(store, height, **how):
        dataset[start : start + len(block)] = block


def description(store: Packed) -> str:
    """The description of a half, with its digest, without its labels."""
    unlabelled = Packed(store.half, store.layout, kind=store.kind)
    return describe_half(unlabelled, digest(store.half))


def plain_labels(found: Any, path: Path) -> tuple[Any, ...]:
    """Labels of an array or a list: text, also as bytes, and numbers."""
    items = found.tolist() if isinstance(found, np.ndarray) else found
    if not isinstance(items, list):
        raise FileFormatError("has labels that are no list", path)
    try:
        items = [item.decode() if isinstance(item, bytes) else item for item in items]
        return tuple(decode_labels(items))
    except ValueError as error:
        raise FileFormatError(str(error), path) from None
