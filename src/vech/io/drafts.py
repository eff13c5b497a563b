"""Files that appear complete or not at all: a draft beside the target takes its place in one step."""

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

PATIENCE = 30.0
"""Seconds to wait for the lock of a folder, which a parent process may hold for as long as this one runs."""

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What systems without hard links answer."""

NO_SYNC = (errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOSYS)
"""What systems that cannot synchronise a folder answer."""

SHORT = 100
"""Bytes of a name that its temporary file has in full. Names of 255 bytes, or 143 where they are encrypted,
leave no room for more, and a digest stands for them."""

EXISTS = "exists: choose another name, or overwrite=True (--force) to overwrite it"


class Draft:
    """A temporary file beside a target: write to `file`, `seal` it, then `publish` it as the target.

    It stays locked until its writer ends, killed or not: an unlocked one is a leftover.
    """

    file: BinaryIO

    def __init__(self, path: Path, overwrite: bool, follow: bool = True) -> None:
        self.path, self.overwrite, self.follow = path, overwrite, follow
        target = os.path.realpath(path) if follow else os.path.join(os.path.realpath(path.parent), path.name)
        self.target = self.temporary = Path(target)
        self.holders: list[BinaryIO] = []

    def check_place(self) -> None:
        """Refuse a target without a folder, and one that is no ordinary file."""
        if not self.target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such directory", str(self.path.parent))
        if self.follow and self.target.exists() and not self.target.is_file():
            raise OSError(errno.EEXIST, "exists and is not an ordinary file", str(self.path))

    def open(self) -> None:
        """Create it: with the usual permissions, or for its owner alone where it gets those of another."""
        mode = 0o600 if _is_file(self.target) else 0o666
        while True:
            self.temporary = self.target.with_name(f"{begin_of(self.target)}{os.urandom(4).hex()}.tmp")
            opener = partial(os.open, mode=mode)
            holder = open(self.temporary, "xb", buffering=0, opener=opener)  # noqa: SIM115
            self.holders.append(holder)
            if locks(holder) and os.fstat(holder.fileno()).st_nlink:
                break
            self.holders.pop().close()  # somebody took it for a leftover before it was locked
        self.file = open(self.temporary, "wb")  # noqa: SIM115
        self.holders.append(self.file)

    def seal(self, like: Path | None = None) -> None:
        """Bring it to the disk, with the owner and the permissions of the file that it replaces.

        Of `like` instead, where that is there; then it permits no more than the one that it replaces does.
        """
        with self.naming():
            self.file.flush()
            if _is_file(self.target):
                with suppress(FileNotFoundError):
                    _become_like(self.target, self.temporary)
            if like is not None:
                with suppress(FileNotFoundError):
                    _become_like(like, self.temporary)
                    _narrow(self.temporary, self.target)
            os.fsync(self.file.fileno())
            self.file.close()

    def publish(self) -> None:
        """Give it the name of the target; FileExistsError where that is taken and must not be overwritten."""
        with self.naming():
            if self.overwrite:
                os.replace(self.temporary, self.target)
            else:
                self._publish_new()
            sync_folder(self.target.parent)

    def _publish_new(self) -> None:
        try:
            os.link(self.temporary, self.target)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self.target.open("xb").close()  # an empty file holds the place
            try:
                os.replace(self.temporary, self.target)
            except BaseException:
                if not self.is_published():
                    self.target.unlink()
                raise

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let errors of the system name the path that was asked for, not the temporary file or the folder."""
        try:
            yield
        except OSError as error:
            text = EXISTS if isinstance(error, FileExistsError) else error.strerror
            ours = (None, *map(str, (self.temporary, self.target, self.target.parent)))
            named = (error.filename, error.strerror) == (str(self.path), text)
            if named or error.filename not in ours or error.errno is None:
                raise
            raise OSError(error.errno, text, str(self.path)) from error

    def is_published(self) -> bool:
        """Say whether the target is this file."""
        try:
            return os.path.samestat(os.fstat(self.holders[0].fileno()), os.stat(self.target))
        except FileNotFoundError:
            return False

    def discard(self) -> None:
        """Remove the temporary name and end the lock; what cannot be removed the next writer removes."""
        try:
            if self.holders:
                with suppress(OSError):
                    os.unlink(self.temporary)
        finally:
            for file in self.holders:
                with suppress(OSError):
                    file.close()


@contextmanager
def draft(path: Path, overwrite: bool = True, *, follow: bool = True) -> Iterator[Draft]:
    """Make a draft of `path`, which is gone after the block unless it was published.

    Links are followed, or else replaced, as is what is no ordinary file. Leftovers of killed writers of
    `path` are removed. Errors of the system name `path`.
    """
    made = Draft(path, overwrite, follow)
    made.check_place()
    try:
        with made.naming():
            if not overwrite:
                refuse(path)
            remove_leftovers(made.target)
            made.open()
            yield made
    finally:
        made.discard()


@contextmanager
def atomic(path: Path, overwrite: bool = True, *, follow: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`, which becomes `path` when the block ends well.

    It is flushed and synchronised before it is renamed, and its folder after; after any exception, Ctrl-C
    included, it is gone and what was at `path` is as before. A symbolic link is followed, or else replaced.
    """
    with draft(path, overwrite, follow=follow) as made:
        yield made.file
        made.seal()
        made.publish()


@contextmanager
def draft_folder(target: Path, refuse: Callable[[], None]) -> Iterator[Path]:
    """Make a folder beside `target` that takes its place when the block ends well, unless `refuse` raises."""
    with locked(target.parent):
        refuse()
        remove_leftover_folders(target)
        made = beside(target, "new")
        try:
            yield made
            _sync_files(made)
            refuse()
            replace_folder(target, made)
        finally:
            _remove(made)


def replace_folder(target: Path, made: Path) -> None:
    """Let another folder take a place, of which what is there is removed; what fails puts that back.

    Between two names there is a moment without the target; after a crash then the next writer puts the old
    one back.
    """
    old = beside(target, "old")
    try:
        if target.exists():
            os.rename(target, old)
        os.rename(made, target)
        sync_folder(target.parent)
    finally:
        if old.exists() and not target.exists():
            os.rename(old, target)
        _remove(old)


def remove_leftover_folders(target: Path) -> None:
    """Remove what writers that were killed have left; one of them may have moved the only folder away."""
    ours = re.compile(rf"{re.escape(begin_of(target))}(new|old)\.[0-9a-f]{{8}}\.tmp").fullmatch
    for entry in target.parent.iterdir():
        found = ours(entry.name)
        if found and found[1] == "old" and not target.exists():
            os.rename(entry, target)
        elif found and _is_left(entry):
            _remove(entry)


def beside(target: Path, part: str) -> Path:
    """A name for a while, of a folder that is made, or that others take the place of."""
    return target.with_name(f"{begin_of(target)}{part}.{os.urandom(4).hex()}.tmp")


def _is_left(folder: Path) -> bool:
    """Whether nobody is at work in it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        return locks(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    from shutil import rmtree  # which loads three compressors

    rmtree(folder, ignore_errors=True)


def _sync_files(folder: Path) -> None:
    """Bring all files of a folder to the disk."""
    for path in folder.rglob("*"):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Take turns with whoever else locks the folder.

    Where a file system has no locks, or another program keeps this one, the block runs without.
    """
    with _opened(folder) as descriptor:
        end = time.monotonic() + PATIENCE
        while descriptor is not None and not locks(descriptor) and time.monotonic() < end:
            time.sleep(0.002)
        try:
            yield
        finally:
            if descriptor is not None:
                unlock(descriptor)


def refuse(path: Path) -> None:
    """Raise FileExistsError where something is."""
    if os.path.exists(path):
        raise FileExistsError(errno.EEXIST, EXISTS, str(path))


def sync_folder(folder: Path) -> None:
    """Bring names that were given or taken in a folder to the disk, where the system can."""
    with _opened(folder) as descriptor:
        try:
            if descriptor is not None:
                os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_SYNC:
                raise


@contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """Open a folder; None where one may write to it and not read it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove temporary files of writers of `target` that were killed; one that is locked has a writer."""
    ours = re.compile(rf"{re.escape(begin_of(target))}[0-9a-f]{{8}}\.tmp").fullmatch
    with suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            if ours(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "r+b") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)


def begin_of(target: Path) -> str:
    """How the names of its temporary files begin."""
    name = os.fsencode(target.name)
    if len(name) <= SHORT:
        return f".{target.name}."
    from hashlib import blake2b  # four milliseconds that only long names need to spend

    return f".{blake2b(name, digest_size=16).hexdigest()}."


def reserve(file: BinaryIO, size: int) -> None:
    """Reserve `size` bytes of disk for an open file, where the system can: a full disk shows at once."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return
        disk = os.fstatvfs(file.fileno())
        free = disk.f_bavail * disk.f_frsize
        raise OSError(
            error.errno, f"{error.strerror}: needs {size:,} bytes, and the disk has {free:,} free"
        ) from error


def locks(file: BinaryIO | int) -> bool:
    """Lock an open file; False if another holds it. True too on file systems without locks."""
    return _flock(file, fcntl.LOCK_EX)


def shares(file: BinaryIO | int) -> bool:
    """The same beside others who share it."""
    return _flock(file, fcntl.LOCK_SH)


def unlock(file: BinaryIO | int) -> None:
    """End the lock of an open file, which a process forked meanwhile has open too, and would keep."""
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)


def _flock(file: BinaryIO | int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_file(path: Path) -> bool:
    """Whether an ordinary file is there, and no link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _narrow(copy: Path, by: Path) -> None:
    """Permit no more than another file does."""
    mode = stat.S_IMODE(by.stat().st_mode)
    os.chmod(copy, stat.S_IMODE(copy.stat().st_mode) & mode)


def _become_like(original: Path, copy: Path) -> None:
    """Give a file the owner, the permissions and the extended attributes of another."""
    old = original.stat()
    with suppress(PermissionError):
        os.chown(copy, -1, old.st_gid)
    with suppress(PermissionError):
        os.chown(copy, old.st_uid, -1)
    from shutil import copystat  # as of `_remove`

    copystat(original, copy)
    if copy.stat().st_gid != old.st_gid:  # then its group is another one, which was promised nothing
        os.chmod(copy, stat.S_IMODE(old.st_mode) & 0o707)
    os.utime(copy)
