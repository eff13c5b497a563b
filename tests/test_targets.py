"""Targets: the choice is seen and can be forced, all give the same answers, none leaks into the baseline."""

import inspect
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vech
import vech._core

TARGETS = vech.targets()
forced = pytest.mark.skipif("VECH_TARGET" in os.environ, reason="this run is itself of one forced target")


def run_python(*arguments, **environment):
    environment = os.environ | environment
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=3600,
    )


def sums():
    """A product of 300 terms, which each target adds in an order of its own."""
    return (vech.Packed(np.sin(np.arange(1.0, 45_151))) @ np.sin(np.arange(1.0, 301))).tobytes().hex()


def used(target):
    """The target that is active after it was asked for in this process, and its sums."""
    former = vech._core.use_target(target)
    try:
        return [vech.targets().active, sums()]
    finally:
        assert vech._core.use_target(former) == target


def test_targets_is_a_named_tuple_with_the_best_first():
    assert TARGETS._fields == ("compiled", "supported", "active")
    assert "baseline" in TARGETS.compiled and TARGETS.compiled[-1] == "baseline"
    assert set(TARGETS.supported) <= set(TARGETS.compiled)
    assert list(TARGETS.supported) == [name for name in TARGETS.compiled if name in TARGETS.supported]
    assert TARGETS.active in TARGETS.supported
    if platform.machine().lower() in ("x86_64", "amd64"):
        assert list(TARGETS.compiled) == ["avx512-icl", "avx512", "avx2", "baseline"]


@forced
def test_the_best_supported_target_is_active():
    assert TARGETS.active == TARGETS.supported[0]


@pytest.mark.parametrize("target", TARGETS.supported)
def test_a_target_can_be_forced(target):
    """For a process by VECH_TARGET, and within this one: the kernels are the same."""
    program = f"import numpy as np, vech\n{inspect.getsource(sums)}print(vech.targets().active, sums())"
    done = run_python("-c", program, VECH_TARGET=target)
    assert done.stdout.split() == used(target), done.stderr
    assert used(target)[0] == target


def test_targets_are_told_apart_by_their_sums():
    different = [name for name in ("avx512", "avx2", "baseline") if name in TARGETS.supported]
    assert len({result for _, result in map(used, different)}) == len(different)


def test_using_an_unknown_target_names_the_choices():
    with pytest.raises(
        ValueError, match=f"^name is 'AVX2', but this processor runs: {', '.join(TARGETS.supported)}$"
    ):
        vech._core.use_target("AVX2")
    assert vech.targets() == TARGETS


@pytest.mark.parametrize("target", ["", *TARGETS.supported[:1]])
def test_no_forced_target_is_the_best(target):
    done = run_python("-c", "import vech; print(vech.targets().active)", VECH_TARGET=target)
    assert done.stdout.strip() == TARGETS.supported[0], done.stderr


@pytest.mark.parametrize("target", ["avx1024", "AVX2", "avx2 "])
def test_an_unknown_target_is_an_import_error_that_names_the_choices(target):
    done = run_python("-c", "import vech", VECH_TARGET=target)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError") and repr(target) in last
    for name in TARGETS.supported:
        assert name in last


def test_a_target_that_this_processor_lacks_is_an_import_error():
    lacking = [name for name in TARGETS.compiled if name not in TARGETS.supported]
    if not lacking:
        pytest.skip("this processor runs every compiled target")
    done = run_python("-c", "import vech", VECH_TARGET=lacking[0])
    assert "ImportError" in done.stderr and lacking[0] in done.stderr


# ---- in this process ---------------------------------------------------------------------------------------


@pytest.fixture
def seen():
    seen = []
    yield seen
    assert sorted(seen) == sorted(TARGETS.supported)


@forced
@pytest.mark.every_target
def test_what_is_marked_runs_under_every_target(seen):
    """What is in `seen` is looked at when the test has run for the last time."""
    seen.append(vech.targets().active)


@forced
def test_a_test_that_is_not_marked_runs_under_the_active_target():
    assert vech.targets().active == TARGETS.active


def test_what_reaches_kernels_that_targets_do_not_share_is_known():
    root = Path(__file__).parent.parent
    if not (root / "core").exists():
        pytest.skip("the sources are not beside the tests")
    included = re.findall(r'"core/kernels/(.*)\.hpp"', (root / "core/kernels/bits.cpp").read_text())
    assert included == ["codes", "crc32c", "entry", "integer_product", "planes", "scan", "strip"], (
        "another kernel: does what conftest.REACH_BITS names reach it?"
    )
    region = (root / "core/kernels/region.hpp").read_text()
    targets = re.findall(r"#(?:el)?if defined\(VECH_TARGET_(\w+)\)((?:(?!#el).)*)", region, re.DOTALL)
    shared = {name: re.findall(r"#define VECH_(?:SHARED|SPARSE_OF) (\w+)", text) for name, text in targets}
    assert shared == {"avx2": [], "avx512": ["avx2"], "avx512_icl": ["avx512", "avx2"]}


# ---- object code -------------------------------------------------------------------------------------------

OUTSIDE_BASELINE = re.compile(
    r"%[yz]mm\d|%k[0-7]\b"  # wide registers and masks
    r"|:\t(v[a-z0-9]+|shlx|shrx|sarx|mulx|pdep|pext|bzhi|rorx|andn|blsr|blsi|blsmsk|lzcnt|popcnt)[lqw]?\s"
)
TARGET_NAMESPACE = re.compile(r"vech::(avx2|avx512|avx512_icl)::")


@pytest.fixture(scope="module")
def functions():
    """Disassembled functions of the compiled module: name and instructions."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip(f"wide registers are a matter of x86-64, not of {platform.machine()}")
    if shutil.which("objdump") is None:
        pytest.skip("objdump is not installed")
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", vech._core.__file__]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    parts = re.split(r"^[0-9a-f]+ <(.*)>:$", listing, flags=re.MULTILINE)
    found = [(name, re.sub(r"<.*", "", code)) for name, code in zip(parts[1::2], parts[2::2], strict=True)]
    if not any("vech::baseline::" in name for name, _ in found):
        pytest.skip("the module was stripped of its symbols: object code cannot be told apart by target")
    return found


def test_no_wide_register_outside_a_target(functions):
    leaks = [
        name
        for name, code in functions
        if OUTSIDE_BASELINE.search(code) and not TARGET_NAMESPACE.search(name)
    ]
    assert not leaks, leaks


def test_each_target_uses_the_registers_it_is_for(functions):
    """Proves that the test above looks at real code: the targets do hold what the baseline must not."""
    for namespace, register in (("avx2", "%ymm"), ("avx512", "%zmm"), ("avx512_icl", "%zmm")):
        assert any(f"vech::{namespace}::" in name and register in code for name, code in functions), namespace
    assert not any("vech::avx2::" in name and "%zmm" in code for name, code in functions)
