"""Stores of tiles need zarr; what reaches the disk is tried where writers are killed."""

import pytest

from faults import in_memory, keep_from_disk

pytest.importorskip("zarr")


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    keep_from_disk(monkeypatch)


@pytest.fixture
def tmp_path(tmp_path):
    with in_memory(tmp_path) as folder:
        yield folder
