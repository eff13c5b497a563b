"""The model of benchmarks/scale_model.py against two workers here.

python -m benchmarks.scale_here [n] [--folder F]
python -m benchmarks.scale_here --million: the tasks of one pass at n = 1 000 000, which do nothing

Probes first, each a few hundredths of a second of one kind of work on both workers: empty tasks, arrays that
go out and come back, tiles read and written, matrices multiplied. What jobs take is predicted of these alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import vech
import vech.tiled
from benchmarks import scale_model as model
from benchmarks.bench_tiled import client, matrix, tiles_of
from benchmarks.beyond_memory import anonymous
from vech.executors import completed, executor_of
from vech.tiled.grid import Grid
from vech.tiled.products import Product, Strip
from vech.tiled.tiles import reopened

SLOTS = 2
COLUMNS, FEATURES = 8, 2048
ROUNDS = 5
SOME = 8  # calls of a task that measures one
OPERATIONS = 1e9  # of a task that multiplies
UNIT = 480
"""Rows of the blocks that kernels between rows are made of; their tiles have a multiple of it."""


class Job(NamedTuple):
    """A job, what it takes by the model, and what it took, seconds."""

    name: str
    predicted: float
    measured: float

    @property
    def apart(self) -> float:
        """How far the prediction is off, as a part of what was measured."""
        return self.predicted / self.measured - 1


# ---- probes ------------------------------------------------------------------------------------------------


def nothing(item: object) -> None:
    """An empty task."""


def back(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An array that goes out and comes back."""
    return array + 1


def read(path: str, tile: tuple[int, int]) -> float:
    """Read a tile, its checksum looked at, and every number of it."""
    return float(vech.tiled.open(path).read_tile(*tile).sum())


def multiply_both(path: str, columns: int, tile: tuple[int, int]) -> float:
    """The seconds of both products of a tile in a file that this worker has read before, the mean of some."""
    tiles = reopened(path, "r")
    work = Product(tiles, conjugated=False, negated=False, dtype=tiles.dtype)
    i, j = tile
    x = np.ones((tiles.grid.tile, columns))
    strip = Strip(i, j, j + 1, x, x)
    work(strip)
    start = perf_counter()
    for _ in range(SOME):
        work(strip)
    return (perf_counter() - start) / SOME


def write(path: str, tile: tuple[int, int]) -> None:
    """Write a tile, to the disk."""
    store = vech.tiled.open(path, "r+")
    store.write_tile(*tile, np.ones((store.tile,) * 2))


def multiply(shape: tuple[int, int, int], repeats: int) -> float:
    """Multiply matrices, some times; the seconds of it alone."""
    rows, inner, columns = shape
    a, b = np.ones((rows, inner)), np.ones((inner, columns))
    a @ b
    start = perf_counter()
    for _ in range(repeats):
        a @ b
    return perf_counter() - start


def taken(workers: Any, function: Callable[[Any], Any], items: Iterable[Any]) -> tuple[float, list[Any]]:
    """The seconds of tasks, and their results."""
    start = perf_counter()
    found = [result for _, result in completed(executor_of(workers), function, items)]
    return perf_counter() - start, found


class Probes:
    """What one thing takes here, the median of some rounds."""

    def __init__(self, workers: Any, folder: Path, tile: int) -> None:
        self.workers, self.tile = workers, tile
        self.size = 8.0 * tile**2
        self.path = str(folder / "probe.zarr")
        store = vech.tiled.create(self.path, 4 * tile, tile=tile, overwrite=True)
        self.tiles = [(i, j) for i in range(4) for j in range(i + 1)]
        for at in self.tiles:
            store.write_tile(*at, np.ones((tile, tile)))

    def _median(self, probe: Callable[[], float]) -> float:
        probe()
        return statistics.median(probe() for _ in range(ROUNDS))

    def overhead(self) -> float:
        """Seconds of an empty task."""
        return self._median(lambda: taken(self.workers, nothing, range(100))[0] / 100)

    def start(self) -> float:
        """Seconds until a job of one empty task is done, beside the overhead."""
        return self._median(lambda: taken(self.workers, nothing, range(1))[0])

    def client(self) -> float:
        """Bytes a second that go out and come back, beside the overhead."""
        arrays = [np.ones(2**19) for _ in range(8)]
        overhead = self.overhead()

        def probe() -> float:
            seconds = taken(self.workers, back, arrays)[0] - len(arrays) * overhead
            return 2 * sum(array.nbytes for array in arrays) / max(seconds, 1e-9)

        return self._median(probe)

    def reading(self) -> float:
        """Bytes a second, of files that are warm."""
        return self._rate(read)

    def writing(self) -> float:
        """Bytes a second that reach the disk."""
        return self._rate(write)

    def _rate(self, function: Callable[[str, tuple[int, int]], Any]) -> float:
        work = partial(function, self.path)
        return self._median(lambda: self.size * len(self.tiles) / taken(self.workers, work, self.tiles)[0])

    def both(self, columns: int) -> float:
        """Operations a second of both workers, multiplying tiles of files that are mapped and checked."""
        work = partial(multiply_both, self.path, columns)

        def probe() -> float:
            _, seconds = taken(self.workers, work, self.tiles)
            return SLOTS * 4.0 * self.tile**2 * columns / statistics.mean(seconds)

        return self._median(probe)

    def flops(self, *shape: int) -> float:
        """Operations a second of both workers, multiplying matrices of these shapes."""
        operations = 2.0 * np.prod(shape)
        repeats = max(1, round(OPERATIONS / operations))
        work = partial(_multiplied, shape, repeats)

        def probe() -> float:
            _, seconds = taken(self.workers, work, range(2 * SLOTS))
            return SLOTS * operations * repeats / statistics.mean(seconds)

        return self._median(probe)


def _multiplied(shape: tuple[int, int, int], repeats: int, _: int) -> float:
    return multiply(shape, repeats)


# ---- jobs --------------------------------------------------------------------------------------------------


def measured(call: Callable[[], object]) -> float:
    """The median of some calls, after one that warms files and workers."""

    def once() -> float:
        start = perf_counter()
        call()
        return perf_counter() - start

    once()
    return statistics.median(once() for _ in range(ROUNDS))


def compare(n: int, tile: int, folder: Path, workers: Any, *, features: int = FEATURES) -> list[Job]:
    """Three jobs: predicted of probes, then measured."""
    probes = Probes(workers, folder, tile)
    base = model.Cluster(
        nodes=1,
        slots=SLOTS,
        memory=1e15,  # the probe of reading has it in it
        disk=probes.reading(),
        disk_write=probes.writing(),
        client=probes.client(),
        dispatch=probes.overhead(),
    )
    unit = min(UNIT, tile)
    rates = {
        "product": probes.both(COLUMNS),
        "gram": probes.flops(unit, features, unit),
        "cholesky": probes.flops(tile, tile, tile),
    }
    square = max(unit, tile // unit * unit)
    tasks = {
        "product": model.passes(n, tile, COLUMNS),
        "gram": model.gram(n, square, features),
        "cholesky": model.cholesky(n, tile),
    }
    store = tiles_of(matrix(n), folder / "S.zarr", tile)
    V = np.random.default_rng(0).standard_normal((n, COLUMNS))
    np.save(folder / "X.npy", np.random.default_rng(0).standard_normal((n, features)))
    X = np.load(folder / "X.npy", mmap_mode="r")
    calls: dict[str, Callable[[], object]] = {
        "product": lambda: store.matmul(V, executor=workers),
        "gram": lambda: vech.pairwise.kernel(X, "linear", out=folder / "G.zarr", executor=workers),
        "cholesky": lambda: vech.linalg.cholesky(store, out=folder / "L.zarr", executor=workers),
    }
    names = dict(
        zip(calls, (f"S @ V, {COLUMNS} columns", f"X X^T, {features} columns", "Cholesky"), strict=True)
    )
    found, start = [], probes.start()
    for name, call in calls.items():
        cluster = model.replace(base, flops=rates[name])
        if name == "product":  # whose rate has the reading in it
            cluster = model.replace(cluster, disk=1e15)
        run = model.Simulation(cluster, tasks[name], model.DISK, writes_to=model.DISK).run()
        found.append(Job(names[name], start + run.seconds, measured(call)))
    return found


def submitted(n: int, tile: int, workers: Any) -> str:
    """What giving out a task for each tile takes: time, and memory of client and scheduler, both here."""
    grid = Grid(n, tile)
    before, start = anonymous(os.getpid(), below=False), perf_counter()
    peak = before
    for count, _ in enumerate(completed(executor_of(workers), nothing, grid.lower())):
        if count % 100 == 0:
            peak = max(peak, anonymous(os.getpid(), below=False))
    seconds = perf_counter() - start
    return (
        f"n = {n:,}: {grid.total:,} tasks in {seconds:.0f} s, {1e3 * seconds / grid.total:.1f} ms each; "
        f"client and scheduler {peak / 2**20:.0f} MiB, {before / 2**20:.0f} MiB before"
    )


def table(n: int, tile: int, jobs: list[Job]) -> str:
    """The comparison as a table of Markdown."""
    lines = [
        f"n = {n:,}, tiles of {tile:,} rows, two workers of one thread:",
        "",
        "| job | predicted | measured | apart |",
        "| --- | --- | --- | --- |",
        *(
            f"| {job.name} | {job.predicted:.2f} s | {job.measured:.2f} s | {job.apart:+.0%} |"
            for job in jobs
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_here", description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=8192)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--million", action="store_true", help="give out the tasks of a million rows")
    arguments = parser.parse_args()
    if arguments.million:
        print(submitted(1_000_000, 4096, client(True)))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        jobs = compare(arguments.n, arguments.tile, Path(folder), client(True))
    print(table(arguments.n, arguments.tile, jobs))


if __name__ == "__main__":
    from benchmarks.__main__ import ONE_THREAD

    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # which workers read when they load the libraries
    main()
