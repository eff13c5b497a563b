"""Stores of tiles: against plain files and packed halves; and on two workers, against dask.array.

Without zarr and distributed there is nothing to measure, and no row.
"""

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import vech
from benchmarks.peers import Array
from benchmarks.rows import Case, Limit, Row

FOLDER = "VECH_BENCH_FOLDER"
"""In the environment: where files are made, on a disk; else in the temporary folder."""

TILE, QUICK_TILE = 1024, 32
FEATURES, COLUMNS = 2048, 8
INSTALLED = all(find_spec(name) for name in ("zarr", "dask", "distributed"))


@functools.cache
def client(processes: bool) -> Any:
    """Two workers of one thread each."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=2,
        threads_per_worker=1,
        processes=processes,
        dashboard_address="127.0.0.1:0",
        silence_logs="ERROR",
    )
    return Client(cluster)  # type: ignore[no-untyped-call]


def folder() -> Any:
    return tempfile.TemporaryDirectory(dir=os.environ.get(FOLDER))


def matrix(n: int) -> Array:
    """Symmetric and positive definite, dense."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 16))
    full = x @ x.T
    full.flat[:: n + 1] += n
    return full


def tiles_of(full: Array, path: Path, tile: int) -> Any:
    store = vech.tiled.create(path, len(full), tile=tile, overwrite=True)
    return store.fill(lambda rows, columns: full[rows, columns])


# ---- files -------------------------------------------------------------------------------------------------


def fill_tiles(path: Path, n: int, tile: int, blocks: dict[tuple[int, int], Array]) -> None:
    """A store in the place of the last one, each tile on the disk by itself, and all in the end."""
    store = vech.tiled.create(path, n, tile=tile, overwrite=True)
    store.fill(lambda rows, columns: blocks[rows.start // tile, columns.start // tile])


def write_tiles(path: Path, blocks: dict[tuple[int, int], Array]) -> None:
    """Over those that are there, each on the disk when the next one is written."""
    store = vech.tiled.open(path, "r+")
    for tile, block in blocks.items():
        store.write_tile(*tile, block)


def write_plain(path: Path, blocks: dict[tuple[int, int], Array]) -> None:
    """One file, on the disk in the end."""
    with path.open("wb", buffering=0) as file:
        for block in blocks.values():
            file.write(memoryview(block.reshape(-1).view(np.uint8)))
        os.fsync(file.fileno())


def read_tiles(path: Path, out: Array | None = None) -> None:
    """Each mapped into memory and its checksum looked at, and copied where `out` is given."""
    store = vech.tiled.open(path)
    for i in range(store.grid):
        for j in range(i + 1):
            tile = store.read_tile(i, j)
            if out is not None:
                np.copyto(out, tile)


def read_plain(path: Path, out: Array) -> None:
    with path.open("rb", buffering=0) as file:
        while file.readinto(out.reshape(-1).view(np.uint8)):
            pass


def files(n: int, tile: int, what: str) -> Iterator[Case]:
    side = n // tile * tile  # tiles at the end are filled up, and a plain file has no such bytes
    full = matrix(side)
    with folder() as place:
        path, plain, out = Path(place, "S.zarr"), Path(place, "plain.bin"), np.empty((tile, tile))
        grid = tiles_of(full, path, tile).grid
        spans = [slice(k * tile, (k + 1) * tile) for k in range(grid)]
        blocks = {
            (i, j): np.ascontiguousarray(full[spans[i], spans[j]]) for i in range(grid) for j in range(i + 1)
        }
        write_plain(plain, blocks)
        candidates = {
            "write": {
                "vech": partial(fill_tiles, path, side, tile, blocks),
                "plain file": partial(write_plain, plain, blocks),
                "vech, tile by tile": partial(write_tiles, path, blocks),
            },
            "read": {
                "vech": partial(read_tiles, path),
                "plain file": partial(read_plain, plain, out),
                "vech, copied": partial(read_tiles, path, out),
            },
        }[what]
        yield Case(f"{what} tiles", f"tiles of {tile}", "float64", n, candidates)


# ---- in one process ----------------------------------------------------------------------------------------


def vector(n: int, tile: int) -> Iterator[Case]:
    full = matrix(n)
    with folder() as place:
        store, packed = tiles_of(full, Path(place, "S.zarr"), tile), vech.Packed(vech.pack(full))
        x = np.random.default_rng(0).standard_normal(n)
        candidates = {
            "vech": partial(store.matmul, x, threads=1),
            "Packed @ x": partial(packed.matmul, x, threads=1),
        }
        yield Case("T @ x", f"tiles of {tile}", "float64", n, candidates)


# ---- on two workers ----------------------------------------------------------------------------------------


def stored(full: Array, path: Path, chunks: tuple[int, int]) -> Any:
    """A matrix in files, as an array of dask that is read from them."""
    import zarr
    from dask import array

    zarr.create_array(str(path), data=full, chunks=chunks)
    return array.from_zarr(str(path))


def to_zarr(array: Any, path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    array.to_zarr(str(path), compute=True)


def gram(n: int, tile: int, processes: bool = True) -> Iterator[Case]:
    features = FEATURES if tile == TILE else 64
    workers = client(processes)
    with folder() as place:
        np.save(data := Path(place, "X.npy"), np.random.default_rng(0).standard_normal((n, features)))
        X = np.load(data, mmap_mode="r")
        theirs = stored(np.asarray(X), Path(place, "X.zarr"), (tile, features))

        def ours() -> None:
            out = Path(place, "G.zarr")
            shutil.rmtree(out, ignore_errors=True)
            vech.pairwise.kernel(X, "linear", out=out, executor=workers)

        candidates = {
            "vech": ours,
            "dask.array": partial(to_zarr, theirs @ theirs.T, Path(place, "full.zarr")),
        }
        side = -(-n // tile)
        share = side * (side + 1) / 2 / side**2
        yield Case("X X^T", f"m = {features}", "float64", n, candidates, f"{share:.2f} of dask's bytes")


def columns(n: int, tile: int, processes: bool = True) -> Iterator[Case]:
    from dask import array

    workers, full = client(processes), matrix(n)
    V = np.random.default_rng(0).standard_normal((n, COLUMNS))
    with folder() as place:
        store = tiles_of(full, Path(place, "S.zarr"), tile)
        theirs = stored(full, Path(place, "full.zarr"), (tile, tile)) @ array.from_array(V, (tile, COLUMNS))
        candidates = {
            "vech": partial(store.matmul, V, executor=workers),
            "dask.array": partial(theirs.compute, scheduler=workers),
        }
        yield Case("S @ V", f"{COLUMNS} columns", "float64", n, candidates)


def factors(n: int, tile: int, processes: bool = True) -> Iterator[Case]:
    from dask import array

    workers, full = client(processes), matrix(n)
    tile = max(side for side in range(1, tile + 1) if n % side == 0)  # dask's takes tiles of one size alone
    with folder() as place:
        store = tiles_of(full, Path(place, "S.zarr"), tile)
        theirs = array.linalg.cholesky(stored(full, Path(place, "full.zarr"), (tile, tile)), lower=True)

        def ours() -> None:
            out = Path(place, "L.zarr")
            shutil.rmtree(out, ignore_errors=True)
            vech.linalg.cholesky(store, out=out, executor=workers)

        candidates = {"vech": ours, "dask.array": partial(to_zarr, theirs, Path(place, "L-full.zarr"))}
        yield Case("cholesky", f"tiles of {tile}", "float64", n, candidates)


def _row(
    name: str,
    against: str,
    cases: Any,
    sizes: tuple[int, ...],
    limit: Limit,
    quick_sizes: tuple[int, ...] = (70, 71),
    **quick: Any,
) -> Row:
    """A row in tiles of 1024; a quick run has small ones, and its workers are threads."""
    return Row(
        name,
        against,
        (limit,),
        sizes,
        partial(cases, tile=TILE),
        quick_sizes=quick_sizes,
        quick_cases=partial(cases, tile=QUICK_TILE, **quick),
    )


ROWS = (
    ()
    if not INSTALLED
    else (
        *(
            _row(
                f"{what} of tiles",
                "plain file",
                partial(files, what=what),
                (12_288, 8_193),
                Limit("plain file", must=1.3, aim=1.1),
            )
            for what in ("write", "read")
        ),
        _row("T @ x", "Packed @ x", vector, (12_288, 8_193), Limit("Packed @ x", must=1.3, aim=1.05)),
        _row(
            "X X^T on two workers, to files",
            "dask.array",
            gram,
            (8_192, 8_193),
            Limit("dask.array", must=1.8, aim=2.5, faster=True),
            processes=False,
        ),
        _row(
            "S @ V on two workers, 8 columns",
            "dask.array",
            columns,
            (12_288, 12_289),
            Limit("dask.array", must=1.5, aim=2.5, faster=True),
            processes=False,
        ),
        _row(
            "cholesky on two workers, to files",
            "dask.array",
            factors,
            (12_288, 9_207),
            Limit("dask.array", must=1.5, aim=2.0, faster=True),
            quick_sizes=(96, 93),
            processes=False,
        ),
    )
)
