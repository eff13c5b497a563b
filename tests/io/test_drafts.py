"""Files appear complete or not at all."""

import errno
import os
import stat

import pytest

from vech.io.drafts import atomic, reserve


def listing(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    with atomic(tmp_path / "a") as file:
        file.write(b"new")
        assert "a" not in listing(tmp_path)
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_was_there_stays_when_the_block_fails(tmp_path, error):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(error), atomic(tmp_path / "a") as file:
        file.write(b"new")
        raise error
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    with atomic(tmp_path / "a"):
        pass
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such directory.*none"), atomic(tmp_path / "none" / "a"):
        pass


def test_what_is_no_ordinary_file_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OSError, match="exists and is not an ordinary file"), atomic(tmp_path / name):
            pass
    assert listing(tmp_path) == ["folder", "pipe"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_names_the_file(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as caught, atomic(tmp_path / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "a")


def test_an_error_of_the_system_names_the_file_and_not_the_temporary_one(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError) as caught, atomic(tmp_path / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "a")
    assert listing(tmp_path) == []


def test_reserving_makes_the_file_that_long(tmp_path):
    with atomic(tmp_path / "a") as file:
        reserve(file, 12345)
    if hasattr(os, "posix_fallocate"):
        assert (tmp_path / "a").stat().st_size == 12345


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_system_that_cannot_reserve_goes_on_without(tmp_path, monkeypatch, number):
    def fallocate(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "posix_fallocate", fallocate, raising=False)
    with atomic(tmp_path / "a") as file:
        reserve(file, 100)
    monkeypatch.delattr(os, "posix_fallocate")
    with atomic(tmp_path / "b") as file:
        reserve(file, 100)


def test_a_full_disk_says_what_is_needed_and_what_is_free(tmp_path, monkeypatch):
    def fallocate(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fallocate, raising=False)
    with (
        pytest.raises(
            OSError, match="No space left on device: needs 5,000 bytes, and the disk has"
        ) as caught,
        atomic(tmp_path / "a") as file,
    ):
        reserve(file, 5000)
    assert caught.value.filename == str(tmp_path / "a")
    assert listing(tmp_path) == []
