"""What every test has: fixed seeds, processes side by side, every target for those of kernels."""

import ctypes
import gc
import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import reference
import vech
from faults import keep_from_disk
from vech import _core
from vech.arrays import default_threads

MOST_PROCESSES = 8  # each one collects all tests
PROCESS_BYTES = 3 * 10**9  # what the largest tests take
# Threads of BLAS in each would wait for each other, and those of OpenMP turn while they wait.
SIDE_BY_SIDE = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>

settings.register_profile(
    "vech",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vech")


# Hundreds of processes start here: where none may write bytecode, each compiles what it imports, a command
# of vech in 0.45 s for 0.25, a worker of Dask in 0.85 for 0.35.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config):
    keep_memory()
    hear_interrupts()
    if hasattr(config, "workerinput"):
        number = int(config.workerinput["workerid"].removeprefix("gw"))
        config.pluginmanager.register(FromBothEnds(number % 2))


def keep_memory():
    """Keep what arrays give back: to fault pages in anew took a tenth of the moves. Children do as ever."""
    with suppress(AttributeError, OSError):  # where there is no glibc
        malloc = ctypes.CDLL(None).mallopt
        malloc(M_MMAP_THRESHOLD, 2**25)
        malloc(M_TRIM_THRESHOLD, 2**28)


def hear_interrupts():
    """A shell lets what it runs in the background ignore Ctrl-C, and so would every child of a test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Folders are tested in processes side by side; files, and all with `-n 0` or `--pdb`, in this one."""
    option = config.option
    here = hasattr(config, "workerinput") or option.usepdb or getattr(option, "numprocesses", 0) is not None
    if not here and all(Path(argument).is_dir() for argument in config.args):
        room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // PROCESS_BYTES
        option.numprocesses = min(default_threads(), room, MOST_PROCESSES)
        option.dist = "worksteal"
        for name, value in SIDE_BY_SIDE.items():
            os.environ.setdefault(name, value)


def pytest_collection():
    gc.disable()  # tens of thousands of tests are kept to the end: looking at them again takes 5 of 20 s


def pytest_collection_finish():
    gc.enable()
    gc.freeze()
    gc.set_threshold(20_000)  # of the new objects of a test few are left: to look at them oftener took 3%


def pytest_sessionfinish():
    gc.collect()
    gc.freeze()  # pytest looks at all objects five times more, in one process after the other


class FromBothEnds:
    """Every other process collects from the end: what one has compiled is there when another needs it."""

    def __init__(self, from_the_end):
        self.from_the_end = from_the_end
        self.order = {}  # of folders and files, in which all processes have their tests

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector):
        report = yield
        if isinstance(collector, pytest.Directory):
            self.order.update((node.nodeid, k) for k, node in enumerate(report.result))
            if self.from_the_end:
                report.result.reverse()
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: [self.order.get(node.nodeid, 0) for node in item.listchain()[:-1]])


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # the long ones first, so that no process is left alone with one
        items.sort(key=lambda item: "slow" not in item.keywords)


STATES = {}  # of the random numbers of each module, once it is imported


def pytest_runtest_setup(item):
    """Each test draws the same numbers, whichever ran before it in this process."""
    rng = getattr(getattr(item, "module", None), "RNG", None)
    if rng is not None:
        rng.bit_generator.state = STATES.setdefault(item.module.__name__, rng.bit_generator.state)


def pytest_report_header():
    where = os.path.dirname(vech.__file__)
    return f"vech {vech.__version__} in {where}, target {TARGETS.active} of {TARGETS.supported}"


TARGETS = vech.targets()
FORCED = os.environ.get("VECH_TARGET")
# Kernels beside those of core/kernels/bits.cpp are the same functions in avx512 and avx512-icl: see
# core/kernels/region.hpp.
SHARED = {"avx512": "avx512-icl"}
REACH_BITS = (
    "counts/",
    "covariance/",
    "moves/test_moves.py::test_tiles_and_scatter_give_the_same_bits",
    "moves/test_nonzeros.py",
    "pairwise/test_distances.py",
    "pairwise/test_metrics_exact.py",
    "quantized/test_quantized_promise.py::test_products_of_integers",
    "sparse_halves/test_build.py",
    "test_targets.py",
    "tiled/test_tiled.py::test_checksums",
)


def other_targets(item):
    """Those whose kernels are not the active ones, where this test is about kernels."""
    if FORCED or not item.get_closest_marker("every_target"):
        return []
    others = [name for name in TARGETS.supported if name != TARGETS.active]
    if item.nodeid.removeprefix("tests/").startswith(REACH_BITS):
        return others
    return [name for name in others if SHARED.get(name) != TARGETS.active]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """The test is called once for each target; what it expects is computed once."""
    others = other_targets(item)
    if not others:
        return (yield)
    with reference.remembering():
        result = yield
        for target in others:
            _core.use_target(target)
            try:
                item.runtest()
            except Exception as error:
                error.add_note(f"under the target {target}")
                raise
            finally:
                _core.use_target(TARGETS.active)
    return result


@pytest.fixture(scope="session")
def alone():
    """Calls a function in a small process: one that has collected all tests forks five times as slowly."""
    quick = pytest.MonkeyPatch()
    with ProcessPoolExecutor(1, get_context("spawn"), keep_from_disk, (quick,)) as process:
        yield lambda function, *arguments: process.submit(function, *arguments).result()


@pytest.fixture(autouse=True, scope="session")
def the_forced_target_is_active():
    assert not FORCED or TARGETS.active == FORCED
