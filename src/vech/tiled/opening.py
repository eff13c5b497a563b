"""Stores of tiles made, opened, and written from other stores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from vech.arrays import Array, native
from vech.layouts.kind import Kind, resolve_kind
from vech.layouts.layout import as_integer, as_side
from vech.store import Store, as_labels
from vech.tiled.description import FACTOR, Described
from vech.tiled.factor import opened
from vech.tiled.store import Blocks, Function, Tiled
from vech.tiled.tiles import Tiles
from vech.tiled.writing import written


def create(
    path: str | os.PathLike[str],
    n: int,
    *,
    dtype: Any = "f8",
    kind: str = "symmetric",
    tile: int | None = None,
    labels: Iterable[Any] | None = None,
    overwrite: bool = False,
    compression: str | None = None,
    made: Mapping[str, Any] | None = None,
    encoding: Any = None,
) -> Tiled:
    """Make a store of tiles that are still to be computed: a Zarr v3 group of the lower triangle.

    Parameters
    ----------
    path : path or URL
        The folder to make, usually "name.zarr"; or a URL that fsspec knows, such as "s3://bucket/name.zarr"
        or "memory://name.zarr".
    n : int
        Rows of the matrix.
    dtype : dtype
        Of the numbers: bool, integers, float16 to float64, complex64, complex128.
    kind : {"symmetric", "hermitian", "skew", "skew-hermitian"}
        What the other triangle is.
    tile : int, optional
        Rows of a tile. Unless told 1024, and as n grows 2048 and 4096, so that there are few: a tile is what
        is read, written and lost at once, and what a worker holds. A divisor of n where the matrix grows.
    labels : sequence, optional
        One for each row.
    overwrite : bool
        Whether a store of tiles that is there is replaced; nothing else ever is.
    compression : {"none", "zstd"}, optional
        Unless told "zstd" for integers and truth values, "none" for others, whose digits do not compress.
    made : mapping, optional
        What the numbers are made of, as JSON has it.
    encoding : str or Encoding, optional
        Of `vech.ENCODINGS`: tiles are held in 1 to 16 bits a number, rounded when they are written, with a
        scale for each square of 64 rows and the diagonal exact. dtype, float32 or float64, is that of the
        numbers that are read; `tile` is a multiple of 64.

    Returns
    -------
    Tiled
        Open for writing; `missing` has all its tiles.

    Raises
    ------
    FileExistsError
        Where something is.
    TypeError, ValueError
        For a dtype, kind, tile or labels that do not fit.

    Notes
    -----
    The group has one array, "data", of which the tiles (i, j), i >= j, are chunks: ``zarr.open_array(path,
    path="data")`` reads the lower triangle, and NaN (integers: 0) above the squares of the diagonal. Every
    chunk ends with its crc32c. With an encoding the array is of uint8, a chunk the bytes of a tile:
    docs/files.md has them.

    Examples
    --------
    >>> T = create("l.zarr", 5, tile=2)
    >>> T
    Tiled(n=5, dtype=float64, kind='symmetric')
    >>> T.grid, len(T.missing())
    (3, 6)
    """
    n, dtype = as_side(n), native(np.dtype(dtype))
    if tile is not None and (tile := as_integer("tile", tile)) < 1:
        raise ValueError(f"tile must be at least 1 row, not {tile}")
    rule = resolve_kind(kind, dtype, moves=False)
    held = as_labels(labels, n)
    said = {"tile": tile, "labels": held, "compression": compression, "made": made, "encoding": encoding}
    return Tiled(Tiles.create(path, n, dtype, rule, overwrite=overwrite, **said))


def open(path: str | os.PathLike[str], mode: str = "r") -> Any:
    """Open a store of tiles: a matrix, or the factor of one.

    Parameters
    ----------
    path : path or URL
        As for `create`.
    mode : {"r", "r+"}
        For reading, or for writing too.

    Returns
    -------
    Tiled, or TiledCholesky where `vech.linalg.cholesky` made it
        No tile is read yet.

    Raises
    ------
    FileNotFoundError
        Where there is none, or a factor is not complete.
    FileFormatError
        For what is no store of tiles, or one that vech does not read.

    Examples
    --------
    >>> T = create("m.zarr", 5)
    >>> open("m.zarr").n
    5
    """
    tiles = Tiles(path, mode)
    return opened(tiles) if tiles.said.store == FACTOR else Tiled(tiles)


def write(
    path: str | os.PathLike[str],
    store: Store,
    *,
    tile: int | None = None,
    compression: str | None = None,
    encoding: Any = None,
    overwrite: bool = True,
) -> Tiled:
    """Write any store as one of tiles, which appears under its name when it is complete.

    Parameters
    ----------
    path : path or URL
        As for `create`.
    store : Store
        What to write, labels and all.
    tile, compression
        As for `create`; a store of tiles keeps its own, and a sparse one is compressed, unless told.
    encoding : str or Encoding, optional
        As for `create`. A quantized store keeps its codes, scales and certificate unless told: of other
        domains than "entries", of two-sided scales and of two planes the numbers are written.
    overwrite : bool
        Whether a store of tiles that is there is replaced.

    Returns
    -------
    Tiled
        Open for reading.

    Raises
    ------
    TypeError, FileExistsError
        As `create`.
    OSError
        Where the disk is full.

    Examples
    --------
    >>> write("n.zarr", vech.Packed(np.array([1.0, 2, 3]))).expand()
    array([[1., 2.],
           [2., 3.]])
    """
    compression = compression or usual_compression(store)
    if tile is None and isinstance(store, Tiled):
        tile = store.tile  # so that each is read once
    if tile is not None and (tile := as_integer("tile", tile)) < 1:
        raise ValueError(f"tile must be at least 1 row, not {tile}")
    given, how = None, {"encoding": encoding, "square": None}
    if encoding is None and store.describe().encoding is not None:
        from vech.tiled.codes import Given

        if (given := Given.of(store)) is not None:
            how = {"encoding": given.encoding, "square": given.square}
    said = Described.of(
        store.n,
        store.dtype,
        Kind(store.kind),
        tile=tile,
        labels=store.labels,
        compression=compression,
        **how,
    )
    with Tiles.draft(path, said, overwrite) as tiles:
        blocks = Blocks(tiles.grid, native_blocks(store))
        for _ in written(partial(tiles.write, given=given), blocks, list(tiles.grid.lower()), None):
            pass
    return Tiled(Tiles(path))


def usual_compression(store: Store) -> str | None:
    """Zeros compress well: that of a sparse store; None for what its dtype says."""
    return None if store.describe().triangle is None else "zstd"


def native_blocks(store: Store) -> Function:
    """The numbers of a store as a store of tiles takes them."""

    def block(rows: slice, columns: slice) -> Array:
        numbers = store.block(rows, columns)
        return numbers.astype(native(numbers.dtype), copy=False)

    return block
