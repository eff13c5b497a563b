"""A bounded search with a fixed seed; `python -m tests.fuzz` searches on."""

from .search import search

FILES = 1000


def test_whatever_a_file_holds_the_error_is_clear_and_the_process_lives(tmp_path):
    count, found = search(1, tmp_path / "found", count=FILES)
    assert count == FILES
    assert not found, "\n".join(found[:3])
