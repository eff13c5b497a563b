"""The stub of the compiled module is what nanobind writes for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import vech._core

ROOT = Path(__file__).parent.parent
PATTERN = ROOT / "bind" / "stub.pattern"
COMMAND = "python -m nanobind.stubgen -q -m vech._core -p bind/stub.pattern -o src/vech/_core.pyi"


@pytest.mark.skipif(not PATTERN.exists(), reason="the sources are not beside the tests")
def test_the_stub_is_that_of_the_module(tmp_path):
    pytest.importorskip("nanobind")
    fresh = tmp_path / "_core.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "vech._core", "-p", PATTERN, "-o", fresh]
    subprocess.run(
        command, check=True, timeout=600, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    installed = Path(vech._core.__file__).parent / "_core.pyi"
    assert installed.read_text() == fresh.read_text(), f"write it anew: {COMMAND}"
