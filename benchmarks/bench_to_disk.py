"""Distances to a file, against gemm of the same tiles and writing the bytes.

One record with its memory, in 15 GB of disk: python -m benchmarks.bench_to_disk 60000.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import numpy as np

from benchmarks import peers
from benchmarks.rows import Case, Limit, Row
from vech import pairwise
from vech.results.making import TILE

COLUMNS = 128
SAMPLE_SECONDS = 0.01
FOLDER = "VECH_BENCH_FOLDER"
"""In the environment: where the file is made, on a disk; else in the temporary folder."""


def data(n: int) -> peers.Array:
    """Rows of float32."""
    return np.random.default_rng(0).standard_normal((n, COLUMNS), np.float32)


def vech_to_disk(X: peers.Array, path: Path) -> None:
    """Euclidean distances, with the journal and digests, brought to the disk."""
    pairwise.distances(X, out=path, threads=1)


def gemm_to_disk(X: peers.Array, path: Path) -> None:
    """The same tiles of products, and as many bytes as the half has, brought to the disk."""
    n = len(X)
    tile, band = np.empty(TILE * TILE, X.dtype), np.empty(TILE * n, X.dtype)
    path.unlink(missing_ok=True)
    with path.open("wb", buffering=0) as file:
        for first in range(0, n, TILE):
            rows, at = X[first : first + TILE], 0
            for begin in range(first, n, TILE):
                columns = X[begin : begin + TILE]
                out = tile[: len(rows) * len(columns)].reshape(len(rows), len(columns))
                np.matmul(rows, columns.T, out=out)
                band[at : at + out.size] = out.reshape(-1)
                at += out.size
            strict = sum(n - 1 - row for row in range(first, first + len(rows)))
            letters = memoryview(band[:strict].view(np.uint8).data)
            while letters:
                letters = letters[file.write(letters) :]
        os.fsync(file.fileno())


def cases(n: int) -> Iterator[Case]:
    """Both ways, into files of one folder."""
    X = data(n)
    with tempfile.TemporaryDirectory(dir=os.environ.get(FOLDER)) as folder:
        candidates = {
            "vech": partial(vech_to_disk, X, Path(folder, "d.npy")),
            "gemm and writing": partial(gemm_to_disk, X, Path(folder, "floor.bin")),
        }
        yield Case("euclidean to disk", "condensed", "float32", n, candidates, f"{COLUMNS} columns")


ROWS = (
    Row(
        "euclidean distances of 128 columns to disk",
        "gemm and writing",
        (Limit("gemm and writing", must=1.3, aim=1.1),),
        (60_000,),
        cases,
        quick_sizes=(700, 701),
    ),
)


def anonymous() -> int:
    """Bytes of anonymous memory of this process: what no file can give back. Linux says it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def measured(call: Callable[[], None]) -> tuple[float, int]:
    """The seconds of a call, and the most anonymous memory that was seen meanwhile."""
    over, peak = Event(), [0]

    def watch() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], anonymous())

    thread = Thread(target=watch)
    thread.start()
    start = perf_counter()
    try:
        call()
        return perf_counter() - start, peak[0]
    finally:
        over.set()
        thread.join()


def main() -> None:
    """One record: both ways in turn, twice, with the anonymous memory at the peak, X included."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 12_000
    for case in cases(n):
        for _ in range(2):
            for name, call in reversed(case.candidates.items()):
                assert call is not None
                seconds, peak = measured(call)  # type: ignore[arg-type]
                print(
                    f"{name}, n = {n}: {seconds:.1f} s, {peak / 2**20:.0f} MiB anonymous at the peak",
                    flush=True,
                )


if __name__ == "__main__":
    main()
