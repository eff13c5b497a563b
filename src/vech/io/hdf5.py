"""HDF5: a dataset of a file, named behind "::"; its description is an attribute, its labels lie beside it."""

import errno
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from vech.arrays import Array
from vech.io.content import Abilities, Content
from vech.io.datasets import (
    LABELS,
    META,
    VISITED,
    check_numbers,
    content,
    could_be_matrix,
    dataset_path,
    description,
    only,
    plain_labels,
    read_blocks,
    write_rows,
)
from vech.io.description import parse_object
from vech.io.drafts import EXISTS, draft, locked
from vech.io.errors import MAP_FROM, FileFormatError, reading
from vech.io.filled import MOST
from vech.io.hdf5_file import check_written, dataset_in, h5py, opened, telling_faults
from vech.io.labels import encode_labels
from vech.io.panels import How
from vech.packed.packed import Packed
from vech.store import Store

CAN = Abilities(expand=("dense",), labels=True, full_labels=True, options=("verify",))

JSON = "json"
"""What the attribute "encoding" of labels says that are not all text."""

WIDE = 1000
"""Bytes of labels that all take the room of the longest."""

PLAIN = re.compile(r"[^\0\ud800-\udfff]*")
"""Text that is not cut, and has UTF-8."""


def load(path: Path, *, verify: bool = False) -> Content:
    """Load a dataset: the one that is named, or the only one that could be a matrix."""
    file_path, inside = dataset_path(path)
    with opened(file_path) as root, reading(path, "is damaged, says h5py", ValueError):
        dataset = _found(root, inside, file_path)
        labels = _labels(dataset, file_path)
        read = lambda: _numbers(dataset, file_path)
        text = dataset.attrs.get(META)
        text = text.decode() if isinstance(text, bytes) else text
        return content(dataset, text, labels, read, path, verify=verify)


def write(path: Path, store: Packed, *, overwrite: bool = True) -> None:
    """Write the half as a dataset with its description; what else the file holds stays."""
    check_numbers(store.dtype, path)
    with _changed(path, store, overwrite) as (group, name):
        dataset = group.create_dataset(name, data=store.half)
        text = description(store).encode()
        dataset.attrs.create(META, text, dtype=_text(len(text)))


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the full matrix as a dataset, in blocks of rows; what else the file holds stays."""
    check_numbers(store.dtype, path)
    with _changed(path, store, overwrite) as (group, name):
        dataset = group.create_dataset(name, store.shape, store.dtype)
        write_rows(dataset, store, **how)


def _found(root: Any, inside: str, path: Path) -> Any:
    if not inside or (inside in root and isinstance(root[inside], h5py().Group)):
        inside = only(_matrices(root[inside or "/"]), path)
    return dataset_in(root, inside, path)


def _matrices(group: Any) -> list[str]:
    """The names of datasets below a group that could be matrices; links to other files are not followed."""
    dataset_type = h5py().Dataset
    names: list[str] = []
    seen = 0

    def look(_: str, found: Any) -> bool | None:
        nonlocal seen
        seen += 1
        if isinstance(found, dataset_type) and found.shape is not None and could_be_matrix(found):
            names.append(found.name.strip("/"))
        return True if seen == VISITED else None

    group.visititems(look)
    return names


def _numbers(dataset: Any, path: Path) -> Array:
    """All numbers, mapped where they are large and lie in the file as they are."""
    check_written(dataset, path)
    size = path.stat().st_size
    offset = dataset.id.get_offset()
    if dataset.nbytes >= MAP_FROM and offset is not None and dataset.dtype.kind != "b":
        if offset + dataset.nbytes > size:
            raise FileFormatError(
                f"ends at byte {size:,}, before its dataset {dataset.name} does", path, byte=size
            )
        return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
    return read_blocks(dataset)


def _labels(dataset: Any, path: Path) -> tuple[Any, ...] | None:
    """Labels in an attribute, in the dataset NAME_labels beside, or in a scale of the first dimension."""
    if "labels" in dataset.attrs:
        return plain_labels(dataset.attrs["labels"], path)
    beside = dataset.parent.get(dataset.name.rpartition("/")[2] + LABELS)
    if beside is None and dataset.ndim and len(dataset.dims[0]):
        beside = dataset.dims[0][0]
    if beside is None:
        return None
    listed = isinstance(beside, h5py().Dataset) and beside.ndim == 1
    if not listed or beside.nbytes > MOST * path.stat().st_size:
        raise FileFormatError(f"has labels at {beside.name} that are no list", path)
    text = h5py().check_string_dtype(beside.dtype) is not None
    if not text and beside.dtype.kind not in "?biuf":
        raise FileFormatError(
            f"has labels at {beside.name} that are neither text nor numbers: {beside.dtype}", path
        )
    found = (beside.asstr() if text else beside)[...]
    if beside.attrs.get("encoding") == JSON:
        found = [parse_object(item, path) for item in found]
    return plain_labels(found, path)


@contextmanager
def _changed(path: Path, store: Store, overwrite: bool) -> Iterator[tuple[Any, str]]:
    """A group in a copy of the file, for a dataset to be made; then the copy takes the place of the file."""
    h5py()
    file_path, inside = dataset_path(path)
    if not inside:
        raise ValueError(f"{path}: say the name of the dataset: {file_path.name}::/matrix")
    labels = None if store.labels is None else encode_labels(store.labels)
    with locked(file_path.resolve().parent), draft(file_path) as made:
        there = made.target.exists()
        if there:
            with made.target.open("rb") as old:
                shutil.copyfileobj(old, made.file, 1 << 20)
        made.file.flush()
        with (
            telling_faults(path),
            h5py().File(made.temporary, "r+" if there else "w", locking=False) as root,
        ):
            above, _, name = inside.rpartition("/")
            group = root.require_group(above) if above else root
            if group.file.filename != root.filename:
                raise ValueError(f"/{above} is in another file, which vech does not follow")
            _make_room(group, name, overwrite, path)
            yield group, name
            if labels is not None:
                _write_labels(group, name + LABELS, labels)
        made.seal()
        made.publish()


def _make_room(group: Any, name: str, overwrite: bool, path: Path) -> None:
    if name in group:
        if not overwrite:
            raise FileExistsError(errno.EEXIST, EXISTS, str(path))
        if not isinstance(group.get(name, getlink=False), h5py().Dataset):
            raise ValueError(f"{path}: is a group: choose the name of a dataset")
    for old in (name, name + LABELS):
        if old in group:
            del group[old]


def _write_labels(group: Any, name: str, labels: list[Any]) -> None:
    """Write labels as text; where they are not all text that HDF5 keeps, as JSON."""
    plain = all(isinstance(label, str) and PLAIN.fullmatch(label) for label in labels)
    texts = [(label if plain else json.dumps(label)).encode() for label in labels]
    width = max(map(len, texts), default=0)
    dataset = group.create_dataset(name, (len(texts),), _text(width if width <= WIDE else None))
    dataset[...] = texts
    if not plain:
        dataset.attrs["encoding"] = JSON


def _text(width: int | None) -> Any:
    """The type of text: of one width, as libhdf5 believes all that damaged files say of varying ones."""
    return h5py().string_dtype("utf-8", max(1, width) if width is not None else None)
