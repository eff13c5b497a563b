"""Zarr: an array of a store, named behind "::", with its description and its labels as attributes."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Unpack

from vech.arrays import Array, native
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
from vech.io.drafts import EXISTS, draft_folder
from vech.io.errors import FileFormatError, NoMatrixError, reading, steady, which
from vech.io.filled import MOST, check_filled, folder_size
from vech.io.labels import encode_labels
from vech.io.panels import How
from vech.packed.packed import Packed, packed
from vech.store import Store

CAN = Abilities(
    expand=("dense",),
    write=("dense", "sparse", "quantized", "any"),
    labels=True,
    full_labels=True,
    options=("verify",),
    write_options=("tile", "compression", "encoding"),
    folders=True,
)

MARKS = ("zarr.json", ".zarray", ".zgroup")
"""Files of which each array and each group has one."""

CHUNK = 8 << 20
"""Bytes of a chunk of a half."""


def _is_tiled(folder: Path) -> bool:
    from vech.tiled.description import is_described

    return is_described(folder)


def load(path: Path, *, verify: bool = False) -> Content:
    """Load a store of tiles, or an array: the one that is named, or the only one that could be a matrix."""
    store, inside = dataset_path(path)
    return steady(path, lambda: which(store, store / inside), lambda: _content(path, store, inside, verify))


def _content(path: Path, store: Path, inside: str, verify: bool) -> Content:
    zarr = _zarr()
    if not store.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder, and a Zarr store is one", str(store))
    if not inside and _is_tiled(store):
        return _tiled(store, verify)
    with reading(path, "is no Zarr array that vech reads", ValueError):
        array = _open(store, inside, path)
        if isinstance(array, zarr.Group):
            inside = only((f"{inside}/{name}".strip("/") for name in _matrices(array)), store)
            array = _open(store, inside, path)
        labels = _labels(array, store, inside, path)
        return content(
            array,
            array.attrs.get(META),
            labels,
            lambda: _numbers(array, store / inside, path),
            path,
            verify=verify,
        )


def load_url(url: str, *, verify: bool = False) -> Content:
    """Load a store of tiles by its URL."""
    return _tiled(url, verify)


def write_url(url: str, store: Store, *, overwrite: bool = True, **how: Any) -> None:
    """Write a store of tiles by a URL."""
    from vech.tiled.opening import write as write_tiles

    write_tiles(url, store, overwrite=overwrite, **how)


def _tiled(path: Path | str, verify: bool) -> Content:
    from vech.linalg.factor.triangle import Factorization
    from vech.tiled.opening import open

    tiles = open(path)
    if isinstance(tiles, Factorization):
        raise FileFormatError(
            "holds the Cholesky factor of a matrix, and no matrix: vech.tiled.open gives it", path
        )
    if verify and (damaged := tiles.verify()):
        raise FileFormatError(f"has {len(damaged)} damaged tiles, of which {damaged[0]} is the first", path)
    return Content.of_store(tiles)


def write(path: Path, store: Store, *, overwrite: bool = True, **how: Any) -> None:
    """Write a store of tiles; or, where an array is named, the half with its description beside all else."""
    if not dataset_path(path)[1]:
        from vech.tiled.opening import write as write_tiles

        write_tiles(path, store, overwrite=overwrite, **how)
        return
    if how:
        raise TypeError(f"{path}: an array of a half has no {next(iter(how))}=: leave it out")
    if store.describe().triangle is not None:
        raise TypeError(
            f"{path}: an array holds a dense half, and this is a {type(store).__name__}: write its "
            f"to_packed(), or a store of tiles, {path.name.partition('::')[0]}"
        )
    store = packed(store)
    check_numbers(store.dtype, path)
    # how bytes lie is said beside, and arrays come as native
    half = store.half.astype(native(store.dtype), copy=False)
    store = Packed(half, store.layout, kind=store.kind, labels=store.labels)
    attributes: dict[str, Any] = {META: description(store)}
    side = max(1, CHUNK // store.dtype.itemsize)

    def fill(array: Any) -> None:
        for start in range(0, len(store.half), side):
            array[start : start + side] = half[start : start + side]

    shape = half.shape
    _write(path, store, shape, (max(1, min(side, *shape)),), attributes, fill, overwrite)


def expand(path: Path, store: Store, to: str, *, overwrite: bool = True, **how: Unpack[How]) -> None:
    """Write the full matrix as an array, in blocks of rows; what else the store holds stays."""
    check_numbers(store.dtype, path)
    chunks = (max(1, min(store.n, 1024)),) * 2

    def fill(array: Any) -> None:
        write_rows(array, store, **how)

    _write(path, store, store.shape, chunks, {}, fill, overwrite)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise ImportError('Zarr stores need zarr: pip install "vech[zarr]"') from None
    return zarr


def _open(store: Path, inside: str, path: Path) -> Any:
    """Open an array or a group, by its own metadata: consolidated ones may be old."""
    zarr = _zarr()
    folder = store / inside
    if not folder.resolve().is_relative_to(store.resolve()):
        raise FileFormatError(f"leads out of {store.name}", path)
    if not any((folder / mark).is_file() for mark in MARKS):
        raise NoMatrixError("holds no Zarr array or group", path)
    try:
        return zarr.open_array(folder, mode="r")
    except (zarr.errors.NodeTypeValidationError, FileNotFoundError):
        return zarr.open_group(folder, mode="r", use_consolidated=False)


def _matrices(group: Any) -> Iterator[str]:
    for seen, (name, array) in enumerate(group.members(max_depth=None)):
        if seen == VISITED:
            return
        if hasattr(array, "dtype") and could_be_matrix(array):
            yield name


def _numbers(array: Any, folder: Path, path: Path) -> Array:
    _check_written(array, folder, path)
    return read_blocks(array) if array.ndim else array[...]


def _check_written(array: Any, folder: Path, path: Path) -> None:
    """Refuse an array that is far larger than its chunks."""
    itemsize = array.dtype.itemsize
    size = folder_size(folder, array.size * itemsize // MOST + 1)
    check_filled(f"array {folder.name}", array.shape, itemsize, size, path)


def _labels(array: Any, store: Path, inside: str, path: Path) -> tuple[Any, ...] | None:
    """Labels in an attribute, or in the array NAME_labels beside."""
    found = array.attrs.get("labels")
    if found is None:
        beside = f"{inside}{LABELS}"
        if not any((store / beside / mark).is_file() for mark in MARKS):
            return None
        held = _open(store, beside, path)
        if not hasattr(held, "dtype") or held.ndim != 1 or held.dtype.kind not in "?biufUT":
            raise FileFormatError(f"has labels at /{beside} that are no list of text or numbers", path)
        _check_written(held, store / beside, path)
        found = held[...]
    return plain_labels(found, path)


def _write(
    path: Path,
    store: Store,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    attributes: dict[str, Any],
    fill: Callable[[Any], None],
    overwrite: bool,
) -> None:
    """Make an array under another name, which then takes the place of what is there."""
    zarr = _zarr()
    root, inside = dataset_path(path)
    if not inside:
        raise ValueError(f"{path}: say the name of the array: {root.name}::/matrix")
    if inside.split("/")[0] == "data" and _is_tiled(root):
        raise ValueError(f"{path}: is where the tiles of {root.name} are: choose another name")
    target = Path(os.path.realpath(root / inside))
    if not target.is_relative_to(os.path.realpath(root)):
        raise ValueError(f"{path}: leads out of {root.name}")
    if not root.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such directory", str(root.parent))
    if store.labels is not None:
        attributes["labels"] = encode_labels(store.labels)
    _make_groups(root, inside, path)
    with draft_folder(target, lambda: _refuse(target, overwrite, path)) as made:
        array = zarr.create_array(
            made,
            shape=shape,
            dtype=native(store.dtype),
            chunks=chunks,
            attributes=attributes,
            zarr_format=3,
        )
        fill(array)


def _make_groups(root: Path, inside: str, path: Path) -> None:
    zarr = _zarr()
    folder = root
    for part in ("", *inside.split("/")[:-1]):
        folder = folder / part
        if (folder / ".zgroup").is_file():
            raise ValueError(f"{path}: is a store of Zarr's format 2, and vech writes format 3")
        if not (folder / "zarr.json").is_file():
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise FileExistsError(errno.EEXIST, "exists and is no Zarr group", str(folder))
            zarr.create_group(folder, zarr_format=3)
        elif not isinstance(_open(folder, "", path), zarr.Group):
            raise FileExistsError(errno.EEXIST, "exists and is no Zarr group", str(folder))


def _refuse(target: Path, overwrite: bool, path: Path) -> None:
    if target.exists():
        if not overwrite:
            raise FileExistsError(errno.EEXIST, EXISTS, str(path))
        if hasattr(_open(target, "", path), "members"):
            raise ValueError(f"{path}: is a group: choose the name of an array")
