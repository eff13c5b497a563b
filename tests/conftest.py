"""What every test has: fixed seeds, processes side by side, and proof that a forced target really runs."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import vech
from vech.arrays import default_threads

MOST_PROCESSES = 8  # each one collects all tests
PROCESS_BYTES = 3 * 10**9  # what the largest tests take

settings.register_profile(
    "vech",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("vech")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Folders are tested in processes side by side; files, and all with `-n 0` or `--pdb`, in this one."""
    option = config.option
    here = hasattr(config, "workerinput") or option.usepdb or getattr(option, "numprocesses", 0) is not None
    if not here and all(Path(argument).is_dir() for argument in config.args):
        room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // PROCESS_BYTES
        option.numprocesses = min(default_threads(), room, MOST_PROCESSES)
        option.dist = "worksteal"
        for name in (
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
        ):  # threads of BLAS in each would wait for each other
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # the long ones first, so that no process is left alone with one
        items.sort(key=lambda item: "slow" not in item.keywords)


def pytest_report_header():
    targets = vech.targets()
    where = os.path.dirname(vech.__file__)
    return f"vech {vech.__version__} in {where}, target {targets.active} of {targets.supported}"


@pytest.fixture(autouse=True, scope="session")
def the_forced_target_is_active():
    forced = os.environ.get("VECH_TARGET")
    assert not forced or vech.targets().active == forced
