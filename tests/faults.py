"""Faults where files are written: a call fails, is interrupted, or is the last one before SIGKILL."""

import builtins
import errno
import io
import os
import resource
import signal
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
CALLS = ("open", "replace", "link", "unlink", "fsync", "fdatasync", "posix_fallocate", "chmod", "utime")


class Calls:
    """Counts the calls that write, and does `act` at the k-th of them."""

    def __init__(self, monkeypatch, at, act, calls=CALLS, modes=("wb",)):
        self.count, self.at, self.act, self.modes = 0, at, act, modes
        for name in calls:
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name), name))
        monkeypatch.setattr(builtins, "open", self.opening(builtins.open))
        monkeypatch.setattr(io, "open", self.wrapped(io.open, "open"))

    def wrapped(self, function, name):
        def called(*arguments, **options):
            return self.step(name, lambda: function(*arguments, **options))

        return called

    def opening(self, function):
        def opened(path, mode="r", *arguments, **options):
            file = self.step("open", lambda: function(path, mode, *arguments, **options))
            return _File(file, self) if mode in self.modes else file

        return opened

    def step(self, name, call, half_way=None):
        self.count += 1
        if self.count == self.at:
            self.name = name
            if half_way is not None:
                half_way()
            return self.act(call)
        return call()


class _File:
    """A file whose calls are counted; a write that goes wrong has written half."""

    def __init__(self, file, calls):
        self.file, self.calls = file, calls

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, data):
        def half_way():
            self.file.write(bytes(memoryview(data).cast("B"))[: memoryview(data).nbytes // 2])
            self.file.flush()

        return self.calls.step("write", lambda: self.file.write(data), half_way)

    def flush(self):
        return self.calls.step("flush", self.file.flush)

    def close(self):
        return self.file.closed or self.calls.step("close", self.file.close)


def fails(call):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupts(call):
    raise KeyboardInterrupt


def is_done_and_interrupted(call):
    call()
    raise KeyboardInterrupt


def is_killed(call):
    os.kill(os.getpid(), signal.SIGKILL)


ACTS = {
    "fails": fails,
    "is interrupted": interrupts,
    "is done and interrupted": is_done_and_interrupted,
}


def listing(folder):
    return sorted(entry.name for entry in folder.iterdir())


def forked(action):
    """A process of its own that runs it; its number."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def in_a_child(action):
    """Run in a process of its own; True if it was killed."""
    return was_killed(forked(action))


def was_killed(child):
    """Wait for a process; True if it was killed, False if it came to its end."""
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


@contextmanager
def children(actions):
    """Processes that run until the block ends, and then are killed."""
    ids = []
    try:
        for action in actions:
            ids.append(os.fork())
            if ids[-1] == 0:
                try:
                    action()
                finally:
                    os._exit(1)
        yield
    finally:
        for child in ids:
            os.kill(child, signal.SIGKILL)
        ends = [was_killed(child) for child in ids]
        assert all(ends)


# ---- the disk, and what was done ---------------------------------------------------------------------------


def keep_from_disk(monkeypatch):
    """What reaches the disk is not what is tried here, and would take most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None)


@contextmanager
def in_memory(folder):
    """A folder in memory where there is a place: most time goes into unlink, rename and close on a disk."""
    if not os.access(MEMORY, os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


def limited(nbytes, action):
    """Run with files of at most so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
        action()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def counted(record_testsuite_property):
    """A counter of what was done, for a fixture: in the report of --junit-xml."""
    counts = Counter()
    yield counts
    for name, number in sorted(counts.items()):
        record_testsuite_property(name, number)
