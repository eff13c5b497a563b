"""A half made block by block is the same wherever it goes, and whoever computes it."""

import json
import os
import re
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from blocks_for_tests import Deadly, Failing, Inner, Slow, told_to_stop

import vech
from faults import listing
from interrupts import interrupted_after
from vech.results import file as file_module
from vech.results.journal import Journal
from vech.results.making import Wanted, make

SIDE = 4  # rows of a tile
N = 14
LAYOUTS = ("vech", "numpy-tril", "lapack-upper", "numpy-triu", "svec-upper", "lapack-rfp-nl")
STRICT = ("condensed", "strict-tril")
WHOLE = ["d.npy", "d.npy.json"]


def rows(n=N, dtype="f8"):
    numbers = np.random.default_rng(n).integers(-9, 9, (n, 3)).astype(dtype)
    return numbers + 1j * numbers[:, ::-1] if np.dtype(dtype).kind == "c" else numbers


def made(out=None, X=None, layout="vech", factor=1.0, labels=None, **how):
    X = rows() if X is None else X
    wanted = Wanted(layout, out, **how)
    return make(Inner(X, factor), len(X), X.dtype, wanted, labels=labels, implied=0, side=SIDE)


class Stop(Exception):  # noqa: N818, it is no error
    """What ends a run in the middle."""


def stopping(after):
    """Progress that ends a run after so many tiles."""

    def progress(done, total):
        if done >= after:
            raise Stop

    return progress


def stopped(*arguments, after=5, **how):
    with pytest.raises(Stop):
        made(*arguments, progress=stopping(after), **how)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes():
    """Of the other start method than the one that is usual, which has no memory of this process."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.mark.parametrize("dtype", ("f4", "f8", "c8", "c16"))
@pytest.mark.parametrize("layout", (*LAYOUTS, *STRICT))
def test_a_half_is_the_same_in_memory_and_in_a_file(tmp_path, layout, dtype):
    X = rows(dtype=dtype)
    want = X @ X.conj().T
    if layout in STRICT:
        np.fill_diagonal(want, 0)
    store = made(X=X, layout=layout)
    np.testing.assert_allclose(store.expand(), want, rtol=1e-6)
    assert store.kind == ("hermitian" if X.dtype.kind == "c" else "symmetric")
    path = tmp_path / "d.npy"
    labels = [f"r{k}" for k in range(N)]
    written = made(path, X=X, layout=layout, labels=labels)
    assert written.half.tobytes() == store.half.tobytes()
    assert (written.layout, written.kind, written.labels) == (store.layout, store.kind, tuple(labels))
    assert listing(tmp_path) == WHOLE
    assert vech.read(path, verify=True).half.tobytes() == store.half.tobytes()


@pytest.mark.parametrize("n", (0, 1, 2, 3, 4, 5, 17, 100))
def test_sides_that_are_small_or_no_multiple_of_a_tile(tmp_path, n, pool):
    X = rows(n)
    for layout in (*LAYOUTS[:2], *STRICT[: n > 0]):
        want = made(X=X, layout=layout).half.tobytes()
        for executor in (None, pool):
            for out in (None, tmp_path / "d.npy"):
                assert made(out, X=X, layout=layout, executor=executor).half.tobytes() == want


@pytest.mark.parametrize("layout", ("vech", "lapack-upper", "condensed", "lapack-rfp-nl"))
def test_any_executor_gives_the_same_bytes(tmp_path, layout, pool, processes):
    want = made(layout=layout).half.tobytes()
    for executor in (pool, processes):
        for out in (None, np.empty(len(want) // 8), tmp_path / "d.npy"):
            seen = []
            progress = lambda done, total, seen=seen: seen.append((done, total))
            store = made(out, layout=layout, executor=executor, progress=progress)
            assert store.half.tobytes() == want
            assert seen == sorted(seen) and seen[-1] == (10, 10)
            if isinstance(out, np.ndarray):
                assert np.shares_memory(store.half, out)
    assert listing(tmp_path) == WHOLE


def test_a_client_is_taken_by_its_executor(pool):
    class Client:
        def get_executor(self, **_):
            return pool

    assert made(executor=Client()).half.tobytes() == made().half.tobytes()


def test_a_client_of_dask(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, dashboard_address=None, set_as_default=False
    ) as client:
        for out in (None, tmp_path / "d.npy"):
            assert made(out, executor=client).half.tobytes() == made().half.tobytes()


class Twice:
    """An executor that does each task two times, as clusters may."""

    def submit(self, function, *arguments):
        import pickle
        from concurrent.futures import Future

        future = Future()
        function, arguments = pickle.loads(pickle.dumps((function, arguments)))
        function(*arguments)
        future.set_result(function(*arguments))
        return future


def test_a_task_may_be_done_twice(tmp_path):
    for out in (None, tmp_path / "d.npy"):
        assert made(out, executor=Twice()).half.tobytes() == made().half.tobytes()


def test_what_is_no_executor_is_refused():
    message = r"executor must be None, a concurrent.futures.Executor or a distributed.Client, not int 4"
    with pytest.raises(TypeError, match=message):
        made(executor=4)


def test_what_cannot_be_pickled_says_what_to_do(processes):
    wanted = Wanted(executor=processes)
    with pytest.raises(TypeError, match=r"cannot be sent to other processes .*functools.partial, or use"):
        make(lambda rows, columns: None, 4, np.dtype("f8"), wanted)


def test_arrays_travel_once_and_by_a_map(tmp_path, processes):
    """What is shipped lies beside the file, and nothing of it is left."""
    X = np.random.default_rng(0).normal(size=(40, 1000))
    store = made(tmp_path / "d.npy", X=X, executor=processes)
    np.testing.assert_allclose(store.expand(), X @ X.T, rtol=1e-9, atol=1e-9)
    assert listing(tmp_path) == WHOLE


def test_what_a_killed_run_had_shipped_is_taken_away(tmp_path, processes):
    path = tmp_path / "d.npy"
    for resume in (True, False):
        stopped(path)
        [part] = [entry for entry in tmp_path.iterdir() if entry.suffix == ".part"]
        part.with_suffix(".task").write_bytes(b"X of a run that was killed")
        assert made(path, resume=resume, executor=processes).half.tobytes() == made().half.tobytes()
        assert listing(tmp_path) == WHOLE
        path.unlink()


# ---- where it goes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "error", "message"),
    (
        (np.empty(105, "f4"), TypeError, "out has dtype float32"),
        (np.empty(104), ValueError, r"out has shape \(104,\), but the result has \(105,\)"),
        (np.empty((105, 1)), ValueError, "out has shape"),
        (np.broadcast_to(1.0, 105), ValueError, "out is read-only"),
        ([0.0] * 105, TypeError, r"out must be a NumPy array, or a path ending in \.npy or \.zarr, not list"),
        (b"d.npy", TypeError, r"out must be a NumPy array, or a path ending in \.npy or \.zarr, not bytes"),
        (np.ma.zeros(105), TypeError, "out must be a NumPy array, not MaskedArray"),
        (
            "d.csv",
            ValueError,
            r"out='d.csv': a half is made in a \.npy file, .*\.zarr folder, which vech.io turns into",
        ),
        (
            "d",
            ValueError,
            r"out='d': a half is made in a \.npy file, and a store of tiles in a \.zarr folder$",
        ),
        ("memory://d.npy", ValueError, r"under a URL a store of tiles: end it in \.zarr"),
        ("none/d.npy", FileNotFoundError, "no such directory: 'none'"),
        (".npy", ValueError, "a half is made in a"),
    ),
)
def test_out_that_does_not_fit_is_refused(tmp_path, monkeypatch, out, error, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        made(out)
    assert listing(tmp_path) == []


def test_out_may_not_be_what_is_read():
    X = np.arange(105.0)
    with pytest.raises(ValueError, match="out shares memory with the input"):
        made(X, X=X[:42].reshape(14, 3))


def test_a_memory_map_is_an_array(tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", "f8", (105,))
    assert made(out).half.tobytes() == made().half.tobytes() == np.load(tmp_path / "m.npy").tobytes()


def test_a_folder_of_that_name_is_refused(tmp_path):
    (tmp_path / "d.npy").mkdir()
    with pytest.raises(OSError, match="exists and is not an ordinary file"):
        made(tmp_path / "d.npy")


def test_paths_are_text_or_paths_and_links_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("d.NPY").symlink_to("there/real.npy")
    made("d.NPY")
    assert Path("d.NPY").is_symlink() and listing(tmp_path / "there") == ["real.npy", "real.npy.json"]


def test_a_file_that_is_there_is_replaced_with_its_permissions(tmp_path):
    path = tmp_path / "d.npy"
    vech.write(path, vech.Packed(np.arange(3.0)))
    path.chmod(0o640)
    made(path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert vech.read(path).n == N


def test_resume_needs_a_path_and_is_a_flag(tmp_path):
    for out, where in ((None, "memory"), (np.empty(105), "an array")):
        with pytest.raises(ValueError, match=f"the result goes to {where}: give out= a path ending in .npy"):
            made(out, resume=True)
    with pytest.raises(TypeError, match="resume must be True or False, not 'yes'"):
        made(tmp_path / "d.npy", resume="yes")


def test_labels_and_layouts_that_no_file_keeps_are_refused_before_the_work(tmp_path):
    with pytest.raises(TypeError, match="a label is object"):
        made(tmp_path / "d.npy", labels=[object()] * N)
    assert listing(tmp_path) == []


def test_memory_of_a_file_is_no_half(tmp_path):
    """The file is mapped, read-only, where it is large."""
    X = np.random.default_rng(1).normal(size=(4200, 2))
    store = make(Inner(X), 4200, X.dtype, Wanted("vech", tmp_path / "d.npy"))
    assert isinstance(store._map, np.memmap) and not store.half.flags.writeable
    assert store[7, 4100] == pytest.approx(X[7] @ X[4100])


# ---- going on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", (1 << 20, 64))
@pytest.mark.parametrize("layout", ("vech", "numpy-tril", "condensed", "lapack-rfp-nl"))
@pytest.mark.parametrize("after", (1, 4, 5, 8, 10))
def test_a_run_that_ended_in_the_middle_goes_on(tmp_path, monkeypatch, layout, after, tile):
    path = tmp_path / "d.npy"
    monkeypatch.setattr("vech.io.digests.TILE", tile)
    want = made(layout=layout).half.tobytes()
    stopped(path, layout=layout, after=after)
    assert not path.exists() and (tmp_path / "d.npy.journal").exists()
    seen = []
    progress = lambda done, total: seen.append((done, total))
    assert made(path, layout=layout, resume=True, progress=progress).half.tobytes() == want
    assert len(seen) <= 10 and seen[-1] == (10, 10)
    assert vech.read(path, verify=True).half.tobytes() == want
    assert listing(tmp_path) == WHOLE


def test_what_is_done_is_not_done_again(tmp_path):
    path, asked = tmp_path / "d.npy", []

    class Counted(Inner):
        def __call__(self, rows, columns):
            asked.append((rows.start, columns.start))
            return super().__call__(rows, columns)

    def run(**how):
        return make(Counted(rows()), N, np.dtype("f8"), Wanted("vech", path, **how), side=SIDE)

    with pytest.raises(Stop):
        run(progress=stopping(6))
    assert asked == [(0, 0), (0, 4), (0, 8), (0, 12), (4, 4), (4, 8)]
    asked.clear()
    assert run(resume=True).half.tobytes() == made().half.tobytes()
    assert asked == [(4, 4), (4, 8), (4, 12), (8, 8), (8, 12), (12, 12)]
    asked.clear()
    assert run(resume=True).half.tobytes() == made().half.tobytes()
    assert asked == []
    run()
    assert len(asked) == 10


def test_without_a_journal_a_run_starts(tmp_path):
    assert made(tmp_path / "d.npy", resume=True).half.tobytes() == made().half.tobytes()
    vech.write(tmp_path / "e.npy", vech.Packed(np.arange(3.0)))  # whatever that was made of
    assert made(tmp_path / "e.npy", resume=True).half.tobytes() == made().half.tobytes()


def test_without_resume_a_run_starts_over(tmp_path):
    path = tmp_path / "d.npy"
    stopped(path)
    assert len(listing(tmp_path)) == 2
    assert made(path, factor=2.0).half.tobytes() == made(factor=2.0).half.tobytes()
    assert listing(tmp_path) == WHOLE


OTHERS = {
    "X": ({"X": rows() + 1}, r"X: not the same"),
    "more rows": ({"X": rows(15)}, r"n was 14 and is 15.*X was <f8 \(14, 3\) and is <f8 \(15, 3\)"),
    "a parameter": ({"factor": 2.0}, r"factor was 1.0 and is 2.0"),
    "dtype": ({"X": rows(dtype="f4")}, r"dtype was '<f8' and is '<f4'"),
    "layout": ({"layout": "numpy-tril"}, r"layout was 'lapack-lower' and is 'numpy-tril'|'vech'"),
    "labels": ({"labels": range(N)}, r"labels was None and is given"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused_and_what_differs_is_named(tmp_path, name):
    path = tmp_path / "d.npy"
    other, message = OTHERS[name]
    for run, where in ((stopped, "d.npy.journal"), (made, "d.npy")):
        run(path)
        files = {entry: (tmp_path / entry).read_bytes() for entry in listing(tmp_path)}
        begin = f"resume=True goes on with the same run, and {re.escape(where)} is of another: "
        end = r".*Pass the same again, or start anew without resume=True$"
        with pytest.raises(ValueError, match=f"^{begin}.*({message}){end}"):
            made(path, resume=True, **other)
        assert files == {entry: (tmp_path / entry).read_bytes() for entry in listing(tmp_path)}
    assert made(path, **other).n == len(other.get("X", rows()))


def test_another_version_target_or_tile_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "d.npy"
    stopped(path)
    with pytest.raises(ValueError, match="is of another: tile was 4 and is 5"):
        make(Inner(rows()), N, np.dtype("f8"), Wanted("vech", path, True), side=5)
    monkeypatch.setattr("vech.results.identity._core.targets", lambda: ((), (), "other"))
    with pytest.raises(ValueError, match=r"is of another: target was .* and is 'other'"):
        made(path, resume=True)


def test_strides_of_the_data_do_not_matter(tmp_path):
    path = tmp_path / "d.npy"
    stopped(path)
    made(path, X=np.asfortranarray(rows()), resume=True)
    assert listing(tmp_path) == WHOLE


def test_numbers_that_were_changed_or_lost_are_computed_again(tmp_path):
    path = tmp_path / "d.npy"
    want = made().half.tobytes()
    for damage in ("byte", "cut", "longer", "gone"):
        path.unlink(missing_ok=True)
        stopped(path, after=9)
        [part] = [entry for entry in tmp_path.iterdir() if entry.suffix == ".part"]
        content = bytearray(part.read_bytes())
        content[200] ^= 1
        if damage == "gone":
            part.unlink()
        else:
            part.write_bytes({"byte": content, "cut": content[:300], "longer": content + b"more"}[damage])
        assert made(path, resume=True).half.tobytes() == want
        assert vech.read(path, verify=True).half.tobytes() == want
        assert listing(tmp_path) == WHOLE


def test_a_journal_that_was_cut_or_damaged_is_believed_line_by_line(tmp_path):
    path, journal = tmp_path / "d.npy", tmp_path / "d.npy.journal"
    want = made().half.tobytes()
    for change in (
        lambda text: text[:-5],
        lambda text: text[: text.index(b"\n") - 5],
        lambda text: b"",
        lambda text: text + b"\0\0\0[[[",
        lambda text: text + b'{"runs": [0, "a"], "xxh64": 3}\n[]\n{"runs": [8, 12], "xxh64": "0"}\n',
        lambda text: text.replace(b"xxh64", b"other"),
    ):
        path.unlink(missing_ok=True)
        stopped(path, after=9)
        journal.write_bytes(change(journal.read_bytes()))
        assert made(path, resume=True).half.tobytes() == want
        assert listing(tmp_path) == WHOLE


@pytest.mark.parametrize("resume", (True, False))
@pytest.mark.parametrize("text", (b"hello", b"hello\nyou\n", b"[]\n", b'{"vech": 2}\n', b"{" * 9999 + b"\n"))
def test_a_file_of_that_name_that_is_no_journal_stays(tmp_path, resume, text):
    journal = tmp_path / "d.npy.journal"
    journal.write_bytes(text)
    with pytest.raises(vech.io.FileFormatError, match=r"d.npy.journal, line 1: is no journal of a half"):
        made(tmp_path / "d.npy", resume=resume)
    assert listing(tmp_path) == ["d.npy.journal"] and journal.read_bytes() == text


def test_a_journal_names_no_other_file(tmp_path):
    path, journal, other = tmp_path / "d.npy", tmp_path / "d.npy.journal", tmp_path / "other"
    other.write_bytes(b"mine")
    stopped(path)
    head, _, rest = journal.read_bytes().partition(b"\n")
    for name in ("../" + tmp_path.name + "/other", str(other), "other"):
        journal.write_bytes(json.dumps(json.loads(head) | {"numbers": name}).encode() + b"\n" + rest)
        if name != "other":
            with pytest.raises(vech.io.FileFormatError, match="is no journal"):
                made(path, resume=True)
            continue
        made(path, resume=True)
        assert other.read_bytes() == b"mine" and listing(tmp_path) == [*WHOLE, "other"]


def test_a_complete_file_with_other_numbers_is_an_error(tmp_path):
    path = tmp_path / "d.npy"
    made(path)
    np.save(path, np.zeros(105))
    with pytest.raises(vech.io.FileFormatError, match="digests of other numbers"):
        made(path, resume=True)
    assert made(path).half.tobytes() == made().half.tobytes()


def test_a_band_is_on_the_disk_before_the_journal_says_so(tmp_path, monkeypatch):
    order = []
    flush, note, fsync = file_module._Mapped.flush, Journal.note, os.fsync
    monkeypatch.setattr(
        file_module._Mapped, "flush", lambda self, *span: order.append("numbers") or flush(self, *span)
    )
    monkeypatch.setattr(Journal, "note", lambda self, *what: order.append("line") or note(self, *what))
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append("sync") or fsync(descriptor))
    stopped(tmp_path / "d.npy", after=9)
    assert order[-6:] == ["numbers", "line", "sync"] * 2


# ---- side by side, and errors ------------------------------------------------------------------------------


def test_the_second_of_two_living_writers_is_refused(tmp_path):
    path = tmp_path / "d.npy"
    seen = []

    def progress(done, total):
        if done == 5:
            for resume in (True, False):
                with pytest.raises(BlockingIOError, match=r"is being made by another run, which holds d.npy"):
                    made(path, resume=resume)
                seen.append(resume)

    assert made(path, progress=progress).half.tobytes() == made().half.tobytes()
    assert seen == [True, False] and listing(tmp_path) == WHOLE


def test_a_forked_process_does_not_keep_the_lock(tmp_path):
    """As workers do that outlive a run that was killed."""
    path = tmp_path / "d.npy"
    here, there = os.pipe()
    child = 0

    def progress(done, total):
        nonlocal child
        if done == 5:
            child = os.fork()
            if child == 0:
                os.read(here, 1)
                os._exit(0)
            raise Stop

    with pytest.raises(Stop):
        made(path, progress=progress)
    try:
        assert made(path, resume=True).half.tobytes() == made().half.tobytes()
    finally:
        os.write(there, b"x")
        os.waitpid(child, 0)


def test_vech_write_over_a_run_leaves_it_alone(tmp_path):
    path = tmp_path / "d.npy"
    stopped(path)
    vech.write(path, vech.Packed(np.arange(3.0)))
    assert made(path, resume=True).half.tobytes() == made().half.tobytes()
    assert listing(tmp_path) == WHOLE


@pytest.mark.parametrize("kind", ("here", "threads", "processes"))
def test_an_error_of_the_function_comes_out_and_the_journal_stays(tmp_path, kind, pool, processes):
    path = tmp_path / "d.npy"
    executor = {"here": None, "threads": pool, "processes": processes}[kind]
    with pytest.raises(ZeroDivisionError, match="rows 8 to 12"):
        make(Failing(rows()), N, np.dtype("f8"), Wanted("vech", path, executor=executor), side=SIDE)
    assert not path.exists() and (tmp_path / "d.npy.journal").exists()


def test_a_killed_worker_is_one_error_and_the_run_goes_on(tmp_path):
    path, deadly = tmp_path / "d.npy", tmp_path / "deadly"
    deadly.touch()
    run = partial(make, Deadly(rows(), deadly), N, np.dtype("f8"), side=SIDE)
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(BrokenExecutor, match=r"a worker of the executor has ended.*resume=True\) goes on"),
    ):
        run(Wanted("vech", path, executor=pool))
    assert listing(tmp_path)[1:] == ["d.npy.journal"]
    assert len((tmp_path / "d.npy.journal").read_bytes().splitlines()) == 3  # two bands were done
    assert run(Wanted("vech", path, resume=True)).half.tobytes() == made().half.tobytes()
    assert listing(tmp_path) == WHOLE


@pytest.mark.parametrize("threads", (False, True))
def test_ctrl_c_ends_a_run_that_goes_on_later(tmp_path, threads):
    path = tmp_path / "d.npy"
    with ThreadPoolExecutor(2) as pool:
        wanted = Wanted("vech", path, executor=pool if threads else None)
        run = partial(make, Slow(rows(), 0.02), N, np.dtype("f8"), side=SIDE)

        def soon(done, total):
            signal.setitimer(signal.ITIMER_REAL, 0.005)

        assert interrupted_after(60, lambda: run(wanted._replace(progress=soon)))
        assert not path.exists() and (tmp_path / "d.npy.journal").exists()
        assert run(wanted._replace(resume=True)).half.tobytes() == made().half.tobytes()
    assert listing(tmp_path) == WHOLE


def test_after_an_error_no_thread_goes_on(monkeypatch):
    """Tasks that have not begun are cancelled, others end at their next tile."""
    begun, told = [], told_to_stop(monkeypatch, "vech.results.executing.Event")

    def block(rows, columns):
        begun.append(rows.start)
        if rows.start == 0:
            raise Stop
        assert told.wait(60)
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start))

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(Stop):
            make(block, 400, np.dtype("f8"), Wanted(executor=pool), side=SIDE)
        count = len(begun)
        assert count < 12
        pool.submit(int).result()
        assert len(begun) == count


def test_signals_are_left_as_they_are(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    made(tmp_path / "d.npy")
    assert signal.getsignal(signal.SIGINT) is before
