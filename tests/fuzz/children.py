"""A child process reads one file after another, with little memory and little time; its end is a finding."""

import contextlib
import faulthandler
import io
import multiprocessing
import os
import re
import resource
import shutil
import time
import traceback
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import vech
from vech.io import FileFormatError, info
from vech.io.tables import TEXT, iter_table, read_table, suffix_of

from .corpus import HAIL_PART, Sample

SPACE = 4 << 30
"""Address space of a child in bytes, beside what it has at first."""

MEMORY = 300 << 20
"""Bytes of memory that no file of a few thousand bytes may take: a kilobyte unpacks to a megabyte at most."""

SECONDS = 300.0
"""Time for one file: it takes milliseconds, and machines are busy."""

EXPECTED = (FileFormatError, MemoryError, OSError)
SMALL = 200
INSIDE = {"fcidump": "::eri", ".fchk": "::Total SCF Density"}


class Children:
    """Judge files in a child process, which is started anew when it ends."""

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        self.child.kill()
        self.child.join()

    def judge(self, sample: Sample) -> str:
        """What is wrong with how vech takes a file; nothing where it does right."""
        self.ours.send(sample)
        if self.ours.poll(SECONDS):
            with contextlib.suppress(EOFError, ConnectionError):
                return self.ours.recv()
            self.child.join()
            fault = f"the process ended with {self.child.exitcode}"
        else:
            fault = f"no answer after {SECONDS:.0f} s"
        self.child.kill()
        self.child.join()
        self._begin()
        return fault

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.ours, theirs = context.Pipe()
        self.child = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.child.start()
        theirs.close()
        self.ours.recv()


def _serve(pipe: Connection) -> None:
    """Answer each file with what is wrong."""
    warnings.simplefilter("error")
    warnings.filterwarnings(
        "ignore", category=RuntimeWarning, module="vech.covariance"
    )  # sums beyond float64
    os.fsync = lambda file: None  # nothing here outlives the machine
    with TemporaryDirectory() as folder:
        _warm_up(Path(folder))
        faulthandler.disable()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + SPACE, used + SPACE))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        peak = _peak()
        pipe.send("ready")
        while True:
            fault = _judged(pipe.recv(), Path(folder))
            grown, peak = _peak() - peak, _peak()
            if not fault and grown > MEMORY:
                fault = f"took {grown >> 20} MiB of memory"
            pipe.send(fault)


def _warm_up(folder: Path) -> None:
    """Import what is imported late, so that it is not counted."""
    with contextlib.suppress(ImportError):
        import pyarrow.parquet  # noqa: F401
    import ml_dtypes  # noqa: F401
    import scipy.io
    import scipy.sparse.linalg

    scipy.io.mmwrite(folder / "a.mtx", scipy.sparse.eye_array(3).tocsr())
    _judged(Sample("b.csv", b"1,2\n3,4\n5,7\n"), folder)
    _judged(Sample("b.mtx", (folder / "a.mtx").read_bytes()), folder)


def _peak() -> int:
    """Not ru_maxrss, which begins with that of the process that has started this one."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) << 10


def _judged(sample: Sample, folder: Path) -> str:
    path = folder / sample.name
    with _written(sample, path):
        for way in (*(_DOORS if vech.io.suffix_of(path) in vech.io.FORMATS else ()), _table, *_COMMANDS):
            began = time.monotonic()
            try:
                fault = way(path)
            except EXPECTED as error:
                fault = "" if str(error).isprintable() else f"says {str(error)!r}"
            except BaseException:  # noqa: BLE001, none is expected
                fault = traceback.format_exc()
            if fault:
                return f"{way.__name__.strip('_')}: {fault} ({time.monotonic() - began:.1f} s)"
    return ""


@contextlib.contextmanager
def _written(sample: Sample, path: Path) -> Iterator[None]:
    """A file and its description beside it; of a folder of Hail, its only block and what it says of that."""
    hail = path.suffix == ".bm"
    numbers = path / "parts" / HAIL_PART if hail else path
    beside = path / "metadata.json" if hail else path.with_name(path.name + ".json")
    if hail:
        numbers.parent.mkdir(parents=True)
        (path / "_SUCCESS").touch()
    numbers.write_bytes(sample.data)
    beside.unlink(missing_ok=True)
    if sample.beside is not None:
        beside.write_bytes(sample.beside)
    try:
        yield
    finally:
        if hail:
            shutil.rmtree(path)
        else:
            path.unlink()
            beside.unlink(missing_ok=True)


def _loose(path: Path) -> dict[str, object]:
    return {"dtype": "<f8", "n": 4} if vech.io.suffix_of(path) == ".bin" else {}


def _inside(path: Path) -> Path:
    """Which matrix is meant of a file that holds several."""
    return Path(f"{path}{INSIDE.get(vech.io.suffix_of(path), '')}")


def _load(path: Path) -> None:
    info.summarize(vech.io.examine(_inside(path), **_loose(path)))


def _read(path: Path) -> None:
    for arguments in ({}, {"layout": "vech"}, {"kind": "hermitian"}, {"kind": "skew"}):
        unfit = (TypeError,) if "kind" in arguments else ()  # dates have no conjugate: the argument is wrong
        with contextlib.suppress(*EXPECTED, *unfit):
            store = vech.read(_inside(path), **_loose(path), **arguments)
            _use(store)


def _use(store: vech.Store) -> None:
    """Compute with what was accepted: it must not end the process. The numbers may be anything."""
    with warnings.catch_warnings(), contextlib.suppress(ArithmeticError, TypeError, ValueError):
        warnings.simplefilter("ignore")
        if store.n <= SMALL:
            store.expand()
            store.to_csr()
            store @ vech.expand([1.0] * (store.n * (store.n + 1) // 2))
        repr(store)


def _pack(path: Path) -> None:
    for use in ("both", "lower", "upper", "mean"):
        unfit = (TypeError,) if use == "mean" else ()  # of integers
        with contextlib.suppress(*EXPECTED, *unfit):
            vech.io.pack(_inside(path), use=use, **_loose(path))


_DOORS = (_load, _read, _pack)


def _table(path: Path) -> None:
    if not (suffix := suffix_of(path)):
        return
    text = (
        {"header": True},
        {"header": False, "decimal": ","},
        {"sep": " ", "comment": "#"},
        {"encoding": "latin-1"},
    )
    for arguments in (
        {},
        {"drop": "date"},
        {"dates": "drop"},
        {"index": 0},
        *(text if suffix.startswith(TEXT) else ()),
    ):
        with contextlib.suppress(*EXPECTED):
            read_table(path, **arguments)
        with contextlib.suppress(*EXPECTED):
            sum(len(block) for block in iter_table(path, **arguments))


def _command(*arguments: str):
    def run(path: Path) -> str:
        """Run the command line: 0 or 2, three lines of plain text."""
        from vech.cli.root import main

        said, complained = io.StringIO(), io.StringIO()
        loose = (
            ["--dtype", "<f8"] if vech.io.suffix_of(path) == ".bin" and arguments[0] != "covariance" else []
        )
        named = [str(path.with_name(word)) if word.startswith("out") else word for word in arguments[1:]]
        code = None
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            try:
                main([arguments[0], str(path), *named, *loose])
            except SystemExit as error:
                code = error.code
        lines = complained.getvalue().splitlines()
        warned = code == 0 and all("labels, which are left out" in line for line in lines)
        if code not in (0, 2) or len(lines) > 3 or not (warned or (code == 2 and lines)):
            return f"exit {code}, stderr {lines}"
        wrong = [
            line for line in (said.getvalue() + complained.getvalue()).split("\n") if not line.isprintable()
        ]
        return f"prints {wrong[0]!r}" if wrong else ""

    run.__name__ = f"vech {' '.join(arguments)}"
    return run


_COMMANDS = [
    _command("info"),
    _command("identify"),
    _command("expand", "-o", "out.npy", "--force"),
    _command("pack", "-o", "out.npz", "--force", "--use", "lower"),
    _command("convert", "--to", "numpy-tril", "-o", "out.npz", "--force"),
    _command("covariance", "-o", "out.npz", "--force", "--missing", "pairwise"),
]
