"""One record beyond memory: distances into tiles, killed once and gone on with; neighbours; eigenpairs.

python -m benchmarks.beyond_memory 100000 --folder /a/disk/with/25/GB

Each stage is a process of its own. What is said of memory is anonymous: what no file can give back, of all
processes of a stage together, every tenth of a second. Linux says it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

import vech
import vech.tiled

COLUMNS, CENTRES, NEIGHBOURS, EIGENPAIRS = 64, 8, 10, 5
GAMMA = 1 / (2 * COLUMNS)
KILL_AT = 0.3
"""The share of tiles that are done when the first run is killed."""

SAMPLE_SECONDS = 0.1
KILLED = "distances, killed"
DATA, DISTANCES, KERNEL, NEAREST, TOP = "X.npy", "d.zarr", "k.zarr", "nearest.npz", "top.npz"


class Stage(NamedTuple):
    """What a stage took."""

    name: str
    seconds: float
    anonymous: int


# ---- the stages, each in a process -------------------------------------------------------------------------


def make_data(folder: Path, n: int) -> None:
    """Rows of float32 around some centres, each with half as many rows as the one before."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, COLUMNS), np.float32) * 2
    shares = 0.5 ** np.arange(CENTRES)
    X = np.lib.format.open_memmap(folder / DATA, "w+", np.float32, (n, COLUMNS))
    for first in range(0, n, 10_000):
        some = X[first : first + 10_000]
        of = rng.choice(CENTRES, len(some), p=shares / shares.sum())
        some[...] = rng.standard_normal(some.shape, np.float32) + centres[of]
    X.flush()


def data(folder: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The rows, mapped into memory."""
    return np.load(folder / DATA, mmap_mode="r")


def make_distances(folder: Path, progress: Callable[[int, int | None], object] | None = None) -> None:
    """All pairs, into tiles; what is there is not computed again."""
    vech.pairwise.distances(data(folder), out=folder / DISTANCES, resume=True, progress=progress)


def make_distances_and_die(folder: Path) -> None:
    """The same, until so many are done."""

    def tick(done: int, total: int | None) -> None:
        if done >= KILL_AT * (total or done):
            os.kill(os.getpid(), signal.SIGKILL)

    make_distances(folder, tick)


def find_nearest(folder: Path) -> None:
    """The nearest rows of each row, each tile read once."""
    found = vech.neighbors.nearest(vech.tiled.open(folder / DISTANCES), NEIGHBOURS)
    np.savez(folder / NEAREST, indices=found.indices, values=found.values)


def make_kernel(folder: Path) -> None:
    """The kernel exp(-gamma d^2) of all pairs, into tiles."""
    vech.pairwise.kernel(data(folder), "rbf", gamma=GAMMA, out=folder / KERNEL, resume=True)


def find_top(folder: Path) -> None:
    """The largest eigenvalues of the kernel, and their vectors."""
    top = vech.linalg.top(vech.tiled.open(folder / KERNEL), EIGENPAIRS)
    np.savez(folder / TOP, values=top.values, vectors=top.vectors, residuals=top.residuals)


STAGES: dict[str, Callable[[Path], None]] = {
    KILLED: make_distances_and_die,
    "distances": make_distances,
    "nearest": find_nearest,
    "kernel": make_kernel,
    "top": find_top,
}


# ---- watching them -----------------------------------------------------------------------------------------


def processes(root: int) -> Iterator[int]:
    """A process and all that it has begun."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    waiting = [root]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += parents.get(one, [])


def anonymous(root: int, *, below: bool = True) -> int:
    """Bytes of anonymous memory of a process and, unless told, all that it has begun."""
    total = 0
    for one in processes(root) if below else (root,):
        with suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    total += int(line.split()[1]) * 1024
    return total


def watched(name: str, folder: Path) -> Stage:
    """Run a stage to its end."""
    command = [sys.executable, "-m", "benchmarks.beyond_memory", "--stage", name, "--folder", str(folder)]
    start, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, cwd=Path(__file__).parent.parent)
    while process.poll() is None:
        peak = max(peak, anonymous(process.pid))
        time.sleep(SAMPLE_SECONDS)
    if process.returncode != (-signal.SIGKILL if name == KILLED else 0):
        raise RuntimeError(f"the stage {name!r} ended with exit code {process.returncode}")
    return Stage(name, time.perf_counter() - start, peak)


def record(n: int, folder: Path) -> Iterator[Stage]:
    """All stages, one after the other; the distances make room for the kernel, of as many bytes."""
    make_data(folder, n)
    for name in STAGES:
        if name == "kernel":
            shutil.rmtree(folder / DISTANCES)
        yield watched(name, folder)


def said(stage: Stage) -> str:
    """One line of a stage."""
    return f"{stage.name}: {stage.seconds:.1f} s, {stage.anonymous / 2**20:.0f} MiB anonymous"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond_memory", description=__doc__)
    parser.add_argument("n", type=int, nargs="?", default=100_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--stage", choices=tuple(STAGES), help="this one alone, of data that is there")
    arguments = parser.parse_args()
    if arguments.stage:
        STAGES[arguments.stage](arguments.folder)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="beyond-") as folder:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        print(f"n = {arguments.n:,}, on a machine of {memory / 2**30:.0f} GiB", flush=True)
        peak = 0
        for stage in record(arguments.n, Path(folder)):
            print(said(stage), flush=True)
            peak = max(peak, stage.anonymous)
        with np.load(Path(folder, TOP)) as top:
            pairs = zip(top["values"], top["residuals"], strict=True)
            print(f"eigenvalues: {', '.join(f'{value:.6g} within {bound:.1g}' for value, bound in pairs)}")
        print(f"{peak / 2**30:.2f} GiB anonymous at most")


if __name__ == "__main__":
    main()
