"""Files in memory, where there is a place: what reaches the disk is not what is tried here."""

import sys
from pathlib import Path

import pytest

from faults import in_memory

sys.path.insert(0, str(Path(__file__).parent))  # workers import what they are to compute from here


@pytest.fixture
def tmp_path(tmp_path):
    with in_memory(tmp_path) as folder:
        yield folder
