"""Files appear complete or not at all."""

import errno
import os
import signal
import stat
import threading
import time

import pytest

from faults import forked
from vech.io import drafts
from vech.io.drafts import atomic, draft, locked, reserve


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


def test_an_error_without_a_number_stays_as_it_is(tmp_path):
    with pytest.raises(OSError, match=r"^only words$"), atomic(tmp_path / "a"):
        raise OSError("only words")


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


# ---- what is kept of the file that is replaced -------------------------------------------------------------

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture
def old(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    return tmp_path / "a"


def replace(path):
    with atomic(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755])
def test_permissions_are_kept(old, mode):
    old.chmod(mode)
    replace(old)
    assert stat.S_IMODE(old.stat().st_mode) == mode


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_the_owner_is_kept(old):
    os.chown(old, 1234, 4321)
    replace(old)
    assert (old.stat().st_uid, old.stat().st_gid) == (1234, 4321)


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_where_the_group_cannot_be_kept_another_group_gets_nothing(old, monkeypatch):
    def chown(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    os.chown(old, 1234, 4321)
    old.chmod(0o664)
    monkeypatch.setattr(os, "chown", chown)
    replace(old)
    assert stat.S_IMODE(old.stat().st_mode) == 0o604


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes")
def test_extended_attributes_are_kept(old):
    try:
        os.setxattr(old, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    replace(old)
    assert os.getxattr(old, "user.note") == b"mine"


def test_the_time_is_that_of_the_new_file(old):
    os.utime(old, (0, 0))
    replace(old)
    assert old.stat().st_mtime > 1e9


def test_nobody_reads_what_replaces_a_private_file_before_it_is_there(old):
    old.chmod(0o600)
    with draft(old) as made:
        assert stat.S_IMODE(made.temporary.stat().st_mode) == 0o600


def test_other_hard_links_keep_the_old_file(old, tmp_path):
    os.link(old, tmp_path / "b")
    replace(old)
    assert (tmp_path / "b").read_bytes() == b"old"


# ---- leftovers ---------------------------------------------------------------------------------------------


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_else(tmp_path):
    (tmp_path / ".a.0123abcd.tmp").write_bytes(b"left")
    others = [".b.0123abcd.tmp", ".a.tmp", "a.0123abcd.tmp", ".a.json.0123abcd.tmp", ".a.0123ABCD.tmp"]
    for name in others:
        (tmp_path / name).write_bytes(b"other")
    (tmp_path / ".a.01234567.tmp").mkdir()
    os.mkfifo(tmp_path / ".a.12345678.tmp")
    with atomic(tmp_path / "a"):
        pass
    assert listing(tmp_path) == sorted([*others, ".a.01234567.tmp", ".a.12345678.tmp", "a"])


def test_the_temporary_file_of_a_living_writer_stays(tmp_path):
    with draft(tmp_path / "a") as one:
        with atomic(tmp_path / "a") as two:
            two.write(b"two")
        assert one.temporary.exists()
        one.file.write(b"one")
        one.seal()
        one.publish()
    assert (tmp_path / "a").read_bytes() == b"one"
    assert listing(tmp_path) == ["a"]


def test_a_temporary_file_that_was_taken_for_a_leftover_is_made_again(tmp_path, monkeypatch):
    real, times = drafts.locks, []

    def locks(file):
        times.append(file)
        if len(times) == 1:
            drafts.remove_leftovers(tmp_path / "a")
        return real(file)

    monkeypatch.setattr(drafts, "locks", locks)
    with draft(tmp_path / "a") as made:
        made.file.write(b"new")
        made.seal()
        assert not made.is_published()
        made.publish()
        assert made.is_published()
    assert len(times) == 2 and (tmp_path / "a").read_bytes() == b"new"


def test_without_locks_files_are_written_and_nothing_is_taken_for_a_leftover(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(drafts.fcntl, "flock", flock)
    (tmp_path / ".a.0123abcd.tmp").touch()
    with locked(tmp_path), atomic(tmp_path / "a"):
        pass
    assert listing(tmp_path) == [".a.0123abcd.tmp", "a"]


def test_writers_take_turns_and_wait_no_longer_than_they_have_patience(tmp_path, monkeypatch):
    monkeypatch.setattr(drafts, "PATIENCE", 0.05)
    order = []

    def second():
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        second()
        order.append("first")
    assert order == ["second", "first"]
    monkeypatch.setattr(drafts, "PATIENCE", 600)
    thread = threading.Thread(target=second)
    with locked(tmp_path):
        thread.start()
        time.sleep(0.05)
        order.append("first")
    thread.join()
    assert order[2:] == ["first", "second"]


def test_a_process_that_is_forked_meanwhile_does_not_keep_the_lock(tmp_path, monkeypatch):
    real, answers = drafts.locks, []
    monkeypatch.setattr(drafts, "PATIENCE", 0)
    with locked(tmp_path):
        child = forked(signal.pause)
    try:
        monkeypatch.setattr(drafts, "locks", lambda file: answers.append(real(file)) or answers[-1])
        with locked(tmp_path):
            assert answers == [True]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# ---- the disk ----------------------------------------------------------------------------------------------


def test_a_file_reaches_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    steps = []
    fsync, rename = os.fsync, os.replace
    kind = lambda number: "folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file"
    monkeypatch.setattr(os, "fsync", lambda number: (steps.append(kind(number)), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *names: (steps.append("rename"), rename(*names)))
    with atomic(tmp_path / "a") as file:
        file.write(b"new")
    assert steps == ["file", "rename", "folder"]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_a_folder_that_cannot_be_synchronised(tmp_path, monkeypatch, number):
    def fsync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    if number == errno.EINVAL:  # the system cannot
        replace(tmp_path / "a")
    else:
        with pytest.raises(OSError, match="Input/output error") as caught:
            replace(tmp_path / "a")
        assert caught.value.filename == str(tmp_path / "a")


def test_a_folder_that_may_be_written_and_not_read(tmp_path, monkeypatch):
    real = os.open

    def opened(path, *arguments, **options):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", opened)
    with locked(tmp_path):
        replace(tmp_path / "a")


# ---- not over what is there --------------------------------------------------------------------------------

EXISTS = "exists: choose another name, or overwrite=True (--force) to overwrite it"


def no_links(source, target):
    raise OSError(errno.EPERM, "Operation not permitted", source, None, target)


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_written_where_none_is(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with atomic(tmp_path / "a", overwrite=False) as file:
        file.write(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert listing(tmp_path) == ["a"]
    assert (tmp_path / "a").stat().st_nlink == 1


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_a_file_that_is_there_or_appears_stays(tmp_path, monkeypatch, links, late):
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    if not late:
        (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError) as caught, atomic(tmp_path / "a", overwrite=False) as file:
        (tmp_path / "a").write_bytes(b"old")
        file.write(b"new")
    assert str(caught.value) == f"[Errno {errno.EEXIST}] {EXISTS}: '{tmp_path / 'a'}'"
    assert (tmp_path / "a").read_bytes() == b"old"
    assert listing(tmp_path) == ["a"]


def test_where_there_are_no_links_a_rename_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="Input/output error"), atomic(tmp_path / "a", overwrite=False):
        pass
    assert listing(tmp_path) == []
