"""Every call that writes fails, is interrupted or precedes SIGKILL, and so does any moment: a run goes on.

What stands under the name is the old matrix, or the new one; `resume=True` then gives the bytes of one run.
"""

import errno
import os
import random
import signal
import time
from functools import partial

import numpy as np
import pytest
from blocks_for_tests import Inner, Slow

import vech
import vech.io
from faults import (
    ACTS,
    CALLS,
    Calls,
    counted,
    forked,
    in_a_child,
    is_killed,
    keep_from_disk,
    limited,
    listing,
    was_killed,
)
from vech.results import file as file_module
from vech.results.making import Wanted, make

N, SIDE = 7, 3
X = np.random.default_rng(7).integers(-9, 9, (N, 2)).astype(float)
OLD = vech.Packed(np.arange(6.0))
WHOLE = ["d.npy", "d.npy.json"]
LAYOUTS = ("condensed", "svec-lower")  # computed where it stays, and converted when all is computed
SITUATIONS = (("condensed", "nothing"), ("svec-lower", "a matrix"))


def run(path, layout, **how):
    return make(Inner(X), N, X.dtype, Wanted(layout, path, **how), implied=0, side=SIDE)


NEW = {layout: run(None, layout) for layout in LAYOUTS}


def what_is_there(path):
    return vech.read(path, verify=True) if path.exists() else None


count = pytest.fixture(scope="module")(counted)


@pytest.fixture
def quick_disk(monkeypatch):
    keep_from_disk(monkeypatch)


def faulty(monkeypatch, at, act):
    """Calls that a run makes, of which one goes wrong."""
    calls = Calls(monkeypatch, at, act, (*CALLS, "ftruncate", "pwrite"), ("wb", "r+b"))
    flush = file_module._Mapped.flush
    monkeypatch.setattr(
        file_module._Mapped, "flush", lambda self, *span: calls.step("msync", lambda: flush(self, *span))
    )
    return calls


def prepare(folder, before):
    """The path, with nothing under it, a matrix, or a run that ended in the middle."""
    for entry in folder.iterdir():
        entry.unlink()
    path = folder / "d.npy"
    if before != "nothing":
        vech.write(path, OLD)
    return path


def is_one_of(store, layout):
    return store.half.tobytes() in (OLD.half.tobytes(), NEW[layout].half.tobytes())


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("layout", "before"), SITUATIONS)
def test_after_a_call_that_goes_wrong_a_run_goes_on(
    tmp_path, monkeypatch, quick_disk, count, layout, before, act
):
    for k in range(1, 200):
        path = prepare(tmp_path, before)
        error = None
        with monkeypatch.context() as patched:
            calls = faulty(patched, k, ACTS[act])
            try:
                run(path, layout)
            except (OSError, KeyboardInterrupt) as caught:
                error = caught
        if calls.count < k:
            break
        store = what_is_there(path)
        assert (store is None and before == "nothing") or is_one_of(store, layout), (k, calls.name)
        if isinstance(error, OSError):
            assert str(path) in str(error), (k, calls.name, error)
        if error is None:
            assert store.half.tobytes() == NEW[layout].half.tobytes(), (k, calls.name)
        error = None
        assert run(path, layout, resume=True).half.tobytes() == NEW[layout].half.tobytes(), (k, calls.name)
        assert what_is_there(path).half.tobytes() == NEW[layout].half.tobytes()
        assert listing(tmp_path) == WHOLE, (k, calls.name)
        count[f"call of a run {act}"] += 1
    assert k > 30


def killed_before(k, *arguments, **how):
    faulty(pytest.MonkeyPatch(), k, is_killed)
    run(*arguments, **how)


def kills_before_calls(folder, layout, before):
    """Kill a run before each of its calls, and have the next one go on; how many they were."""
    for k in range(1, 200):
        path = prepare(folder, before)
        if not in_a_child(partial(killed_before, k, path, layout)):
            return k - 1
        store = what_is_there(path)
        assert (store is None and before == "nothing") or is_one_of(store, layout), k
        assert run(path, layout, resume=True).half.tobytes() == NEW[layout].half.tobytes(), k
        assert listing(folder) == WHOLE, k


@pytest.mark.parametrize(("layout", "before"), SITUATIONS)
def test_a_run_that_is_killed_before_a_call_goes_on(tmp_path, alone, count, layout, before):
    killed = alone(kills_before_calls, tmp_path, layout, before)
    assert killed >= 30
    count["run killed before a call"] += killed


def kills_of_each_next_run(path, resumed):
    """Each process gets three calls further, or starts over each time."""
    for k in range(3, 200, 3):
        if not in_a_child(partial(killed_before, k, path, "condensed", resume=resumed)):
            break


@pytest.mark.parametrize("resumed", (False, True))
def test_a_run_that_goes_on_may_be_killed_too(tmp_path, alone, resumed):
    path = prepare(tmp_path, "nothing")
    alone(kills_of_each_next_run, path, resumed)
    assert what_is_there(path).half.tobytes() == NEW["condensed"].half.tobytes()
    assert listing(tmp_path) == WHOLE


# ---- at any moment -----------------------------------------------------------------------------------------


ROWS = np.random.default_rng(1).normal(size=(240, 6))
SLOW = Slow(ROWS, 0.002)


def slow_run(path, **how):
    return make(SLOW, len(ROWS), ROWS.dtype, Wanted("condensed", path, **how), implied=0, side=40)


def killed_after(seconds, action):
    """Run in a process of its own that is killed after a while; whether it was, before its end."""
    child = forked(action)
    end = time.monotonic() + seconds
    while time.monotonic() < end and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    return was_killed(child)


def kills(folder, wanted):
    """Kill a run, and those that go on, each a little later, until one comes through; and begin anew."""
    rng, done, want = random.Random(wanted), 0, slow_run(None).half.tobytes()
    while done < wanted:
        path, longest = prepare(folder, "nothing"), 0.03
        while killed_after(rng.uniform(0, longest), partial(slow_run, path, resume=True)):
            assert not path.exists() or what_is_there(path).half.tobytes() == want
            done, longest = done + 1, 1.3 * longest
        assert what_is_there(path).half.tobytes() == want
        assert listing(folder) == WHOLE
    return done


@pytest.mark.parametrize("times", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_a_run_is_killed_at_random(tmp_path, alone, count, times):
    count["run killed at random"] += alone(kills, tmp_path, times)


# ---- a full disk -------------------------------------------------------------------------------------------


def test_a_file_that_does_not_fit_is_an_error_before_the_work(tmp_path):
    path, asked = tmp_path / "d.npy", []

    def block(rows, columns):
        asked.append(rows)
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start))

    message = rf"needs 2,556,928 bytes, and the disk has [\d,]+ free: '{path}'"
    with pytest.raises(OSError, match=message) as caught:
        limited(
            200_000,
            lambda: make(block, 800, np.dtype("f8"), Wanted("condensed", path, resume=True), implied=0),
        )
    assert caught.value.errno == errno.EFBIG
    assert not asked and listing(tmp_path) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_disk_that_fills_up_leaves_a_journal_to_go_on_from(tmp_path, monkeypatch, layout):
    """After the numbers have their place: where the journal, the description or a converted half has none."""
    for k in range(1, 200):
        path = prepare(tmp_path, "nothing")

        def full(call):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            calls = Calls(patched, 0, full, ("posix_fallocate", "pwrite"), ("wb", "r+b"))
            step, seen = calls.step, []

            def stays_full(name, call, half_way=None, k=k, step=step, seen=seen):
                if name in ("posix_fallocate", "pwrite", "write"):
                    seen.append(name)
                    if len(seen) >= k:
                        full(call)
                return step(name, call, half_way)

            patched.setattr(calls, "step", stays_full)
            try:
                run(path, layout)
                break
            except OSError as error:
                assert error.errno == errno.ENOSPC and str(path) in str(error)
        assert not path.exists()
        assert run(path, layout, resume=True).half.tobytes() == NEW[layout].half.tobytes()
        assert listing(tmp_path) == WHOLE
    assert k > 5


def test_where_nothing_can_be_reserved_zeros_are_written(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.setattr(file_module, "ZEROS", bytes(50))
    path = tmp_path / "d.npy"
    assert run(path, "condensed").half.tobytes() == NEW["condensed"].half.tobytes()
