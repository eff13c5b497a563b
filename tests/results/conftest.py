"""Files in memory, where there is a place: what reaches the disk is not what is tried here."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
sys.path.insert(0, str(Path(__file__).parent))  # workers import what they are to compute from here


@pytest.fixture
def tmp_path(tmp_path):
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)
