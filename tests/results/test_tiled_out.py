"""Distances, kernels and covariances go to a store of tiles: the same numbers, and a run that goes on."""

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from blocks_for_tests import Failing, Inner, Slow, told_to_stop

import vech
from faults import Calls, children, fails, forked, keep_from_disk, listing
from interrupts import interrupted_after
from vech import covariance, executors
from vech.covariance import incomplete, products, weighted
from vech.pairwise import cooccurrence, cosine, distances, from_blocks, gram, kernel
from vech.results import making, tiles
from vech.tiled.tiles import Tiles
from vech.tiled.writing import BEHIND

pytest.importorskip("zarr")

RNG = np.random.default_rng(15)
N = 150
ROWS = RNG.normal(size=(N, 6))
X = RNG.normal(size=(40, N))
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
WEIGHTS = RNG.random(len(X))
BETWEEN_ROWS = {
    "euclidean": partial(distances, ROWS),
    "euclidean in float32": partial(distances, ROWS.astype("f4")),
    "cosine": partial(distances, ROWS, "cosine"),
    "cityblock": partial(distances, ROWS, "cityblock"),
    "jaccard": partial(distances, ROWS > 0, "jaccard"),
    "with gaps": partial(distances, GAPS.T, missing="pairwise"),
    "rbf": partial(kernel, ROWS),
    "linear": partial(kernel, ROWS, "linear"),
    "blocks": partial(from_blocks, Inner(ROWS), N, dtype="f8", tile=16),
    "complex blocks": partial(
        from_blocks, Inner(ROWS + 1j * ROWS[:, ::-1]), N, dtype="c16", kind="hermitian", tile=16
    ),
}
BETWEEN_COLUMNS = {
    "gram": partial(gram, ROWS),
    "gram of integers": partial(gram, np.rint(9 * ROWS).astype(int), threshold=3),
    "cosine of rows": partial(cosine, ROWS + 1j * ROWS[::-1], threshold=0.1),
    "cooccurrence": partial(cooccurrence, ROWS > 0.5),
    "sample": partial(covariance.sample, X),
    "complex": partial(covariance.sample, X + 1j * X[::-1]),
    "weighted": partial(covariance.sample, X, weights=WEIGHTS),
    "neutral": partial(covariance.sample, GAPS, missing="neutral"),
    "pairwise": partial(covariance.sample, GAPS, missing="pairwise"),
    "correlation": partial(covariance.correlation, X),
    "spearman": partial(covariance.spearman, X),
    "spearman pairwise": partial(covariance.spearman, GAPS, missing="pairwise"),
    "gerber": partial(covariance.gerber, X),
    "weighted gerber": partial(covariance.gerber, X, weights=WEIGHTS),
    "repaired gerber": partial(covariance.gerber, X, repair="nearest"),
    "kendall": partial(covariance.kendall, X),
    "kendall with few rows": partial(covariance.kendall, GAPS, missing="pairwise", min_periods=30),
    "one bit": partial(covariance.one_bit, X),
    "jaccard of columns": partial(covariance.jaccard, X > 0),
}
SHRUNK = {
    "ledoit-wolf": partial(covariance.ledoit_wolf, X),
    "constant correlation": partial(covariance.ledoit_wolf, X, target="constant-correlation"),
    "oas": partial(covariance.oas, X),
}
WHOLE = {
    "nonlinear": partial(covariance.nonlinear, X),
    "denoise": partial(covariance.denoise, X),
    "blocks of rows": lambda **how: covariance.sample(iter((X[:7], X[7:])), **how),
    "stream": lambda **how: _stream().result(**how),
}
EXACT = BETWEEN_ROWS | BETWEEN_COLUMNS


def _stream():
    stream = covariance.Stream()
    stream.update(X)
    return stream


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    keep_from_disk(monkeypatch)
    monkeypatch.setattr(making.make, "__kwdefaults__", making.make.__kwdefaults__ | {"side": 16})
    monkeypatch.setattr(tiles, "usual_tile", lambda n: min(n, 70))
    for module in (products, weighted, incomplete):
        monkeypatch.setattr(module, "SIDE", 16)


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        yield executor


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        processes=True, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


class Stop(Exception):  # noqa: N818, it is no error
    """What ends a run in the middle."""


def stopping(after):
    def progress(done, total):
        if done >= after:
            raise Stop

    return progress


def bits(store):
    return store.expand().tobytes()


def files(path):
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("c/*/*"))}


# ---- the same numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
def test_the_same_bits_as_of_a_half(tmp_path, name):
    made = EXACT[name](out=tmp_path / "d.zarr")
    assert isinstance(made, vech.Tiled) and made.grid >= 3 and made.mode == "r"
    assert bits(made) == bits(EXACT[name](out=tmp_path / "d.npy"))
    if name in BETWEEN_ROWS:
        half = EXACT[name]()
        assert bits(made) == bits(half)
        assert (made.n, made.dtype, made.kind) == (half.n, half.dtype, half.kind)
    assert made.missing() == [] and made.verify() == []
    assert listing(tmp_path)[-1] == "d.zarr"


@pytest.mark.parametrize("function", [gram, cosine])
def test_products_of_many_rows_have_the_bits_of_a_file(tmp_path, function):
    rows = np.random.default_rng(0).normal(size=(700, 90))
    made = function(rows, out=tmp_path / "d.zarr")
    assert bits(made) == bits(function(rows, out=tmp_path / "d.npy"))
    np.testing.assert_allclose(made.expand(), function(rows).expand(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SHRUNK | WHOLE)
def test_what_is_made_of_the_whole_matrix_is_the_same_but_for_rounding(tmp_path, name):
    call = (SHRUNK | WHOLE)[name]
    made = call(out=tmp_path / "d.zarr")
    np.testing.assert_allclose(made.expand(), call().expand(), rtol=1e-11, atol=1e-13)
    assert made.missing() == []


def test_an_intensity_comes_with_a_store(tmp_path):
    for call in SHRUNK.values():
        store, intensity = call(out=tmp_path / "d.zarr", return_shrinkage=True)
        assert isinstance(store, vech.Tiled)
        assert intensity == pytest.approx(call(return_shrinkage=True)[1], rel=1e-11)


@pytest.mark.parametrize("name", ("euclidean", "sample", "kendall", "spearman", "ledoit-wolf"))
def test_any_executor_gives_the_same_bytes(tmp_path, name, processes):
    call, path = (EXACT | SHRUNK)[name], tmp_path / "d.zarr"
    call(out=path)
    want = files(path)
    assert len(want) >= 6
    with ThreadPoolExecutor(3) as threads:
        for executor in (threads, processes):
            call(out=path, executor=executor)
            assert files(path) == want


@pytest.mark.parametrize("kind", ("symmetric", "skew"))
@pytest.mark.parametrize("n", (1, 2, 15, 16, 17, 33))
def test_sides_that_are_small_or_no_multiple_of_a_tile(tmp_path, n, kind):
    sign = -1 if kind == "skew" else 1
    A = np.random.default_rng(n).integers(-99, 99, (n, n))
    A = A + sign * A.T

    def block(rows, columns):
        return A[rows, columns]

    made = from_blocks(block, n, dtype=A.dtype, kind=kind, out=tmp_path / "d.zarr", tile=4)
    np.testing.assert_array_equal(made.expand(), A)


def test_labels_and_a_diagonal_that_is_said_stay(tmp_path):
    labels = [f"r{k}" for k in range(N)]
    made = from_blocks(Inner(ROWS), N, dtype="f8", labels=labels, diagonal=1, out=str(tmp_path / "d.zarr"))
    assert made.labels == tuple(labels) and (made.diagonal() == 1).all()
    assert vech.read(tmp_path / "d.zarr").labels == tuple(labels)


def test_a_tile_that_is_said_is_that_of_the_store(tmp_path):
    assert from_blocks(Inner(ROWS), N, dtype="f8", tile=25, out=tmp_path / "d.zarr").tile == 25
    assert from_blocks(Inner(ROWS), N, dtype="f8", out=tmp_path / "d.zarr").tile == N  # fewer than 256
    assert distances(ROWS, out=tmp_path / "d.zarr").tile == 64  # of 16, the most that are not above 70


def test_a_url_is_a_place_too():
    pytest.importorskip("fsspec")
    made = distances(ROWS, out="memory://vech-tests/d.zarr")
    assert bits(made) == bits(distances(ROWS))


def test_progress_is_told_in_tiles(tmp_path):
    seen = []
    distances(ROWS, out=tmp_path / "d.zarr", progress=lambda *said: seen.append(said))
    assert seen == [(k, 6) for k in range(1, 7)]


def test_memory_is_that_of_a_tile(tmp_path):
    """A half would be 8 MB, and a band of it as much as n."""

    def block(rows, columns):
        return np.ones((rows.stop - rows.start, columns.stop - columns.start))

    tracemalloc.start()
    from_blocks(block, 1400, dtype="f8", tile=100, out=tmp_path / "d.zarr")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


def test_products_are_those_in_memory_but_for_rounding(tmp_path, processes):
    for name in ("gram", "gram of integers", "cosine of rows", "cooccurrence"):
        want = EXACT[name](store="packed")
        made = EXACT[name](out=tmp_path / "d.zarr", executor=processes)
        assert (made.dtype, made.kind) == (want.dtype, want.kind)
        np.testing.assert_allclose(made.expand(), want.expand(), rtol=1e-12, atol=1e-13)
    assert isinstance(gram(ROWS, executor=processes), vech.Packed)


def test_products_of_sparse_rows_are_made_in_memory(tmp_path):
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match=r"gram of a sparse X is made in memory .*kernel\(X, 'linear', out="):
        gram(csr_array(ROWS), out=tmp_path / "d.zarr")
    with pytest.raises(ValueError, match="store='sparse' is made in memory: leave out="):
        gram(ROWS, store="sparse", out=tmp_path / "d.zarr")
    assert listing(tmp_path) == []


# ---- going on ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ("euclidean", "blocks", "sample", "kendall", "pairwise", "ledoit-wolf"))
def test_a_run_that_ended_in_the_middle_goes_on_with_what_is_missing(tmp_path, name):
    call, path = (EXACT | SHRUNK)[name], tmp_path / "d.zarr"
    call(out=path)
    want = files(path)
    shutil.rmtree(path)
    with pytest.raises(Stop):
        call(out=path, progress=stopping(2))
    store = vech.tiled.open(path)
    there = files(path)
    assert 2 <= len(there) <= 2 + BEHIND and len(store.missing()) == len(want) - len(there)
    stamps = {name: (path / name).stat().st_mtime_ns for name in there}
    seen = []
    made = call(out=path, resume=True, progress=lambda *said: seen.append(said))
    assert files(path) == want and made.missing() == []
    assert {name: (path / name).stat().st_mtime_ns for name in there} == stamps
    assert seen == [(k, len(want)) for k in range(len(there) + 1, len(want) + 1)]


def test_what_is_complete_is_not_computed_again(tmp_path):
    path = tmp_path / "d.zarr"
    run = partial(making.make, n=N, dtype=np.dtype("f8"), side=16, what={}, data={})
    want = bits(run(Inner(ROWS), wanted=making.Wanted(out=path)))
    made = run(Failing(ROWS), wanted=making.Wanted(out=path, resume=True))
    assert bits(made) == want and made.mode == "r"


def test_without_a_store_a_run_starts_and_without_resume_it_starts_over(tmp_path):
    path = tmp_path / "d.zarr"
    want = bits(distances(ROWS, out=path, resume=True))
    first = (path / "data/c/0/0").stat().st_ino
    assert bits(distances(ROWS, out=path)) == want
    assert (path / "data/c/0/0").stat().st_ino != first
    with pytest.raises(Stop):
        distances(ROWS, out=path, progress=stopping(2))
    assert bits(distances(ROWS, out=path)) == want


OTHERS = {
    "X": partial(distances, ROWS[::-1]),
    "metric": partial(distances, ROWS, "cityblock"),
    "dtype": partial(distances, ROWS, dtype="float32"),
    "n": partial(distances, ROWS[:140]),
    "function": partial(kernel, ROWS),
    "labels": lambda **how: distances(pytest.importorskip("pandas").DataFrame(ROWS), **how),
}


@pytest.mark.parametrize("complete", (True, False))
@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused_and_what_differs_is_named(tmp_path, name, complete):
    path = tmp_path / "d.zarr"
    if complete:
        distances(ROWS, out=path)
    else:
        with pytest.raises(Stop):
            distances(ROWS, out=path, progress=stopping(2))
    there = files(path)
    with pytest.raises(
        ValueError, match=rf"resume=True goes on with the same run, .*d\.zarr .*\b{name}(: not| was)"
    ):
        OTHERS[name](out=path, resume=True)
    if not complete:
        missing = rf"{len(vech.tiled.open(path).missing())} tiles are missing"
        message = rf"d\.zarr is an unfinished store of another run \({missing}\): .*\b{name}(: not| was)"
        with pytest.raises(ValueError, match=message):
            OTHERS[name](out=path)
    assert files(path) == there


def test_what_is_to_replace_a_store_is_named_where_it_is_of_another_run(tmp_path):
    path, draft = tmp_path / "d.zarr", tmp_path / ".d.zarr.part"
    distances(ROWS, out=path)
    with pytest.raises(Stop):
        distances(ROWS, "cityblock", out=path, progress=stopping(2))
    there = files(draft)
    for more in ({}, {"resume": True}):
        with pytest.raises(ValueError, match=r"d\.zarr(\.part)? is .*another.*metric was"):
            distances(ROWS, "canberra", out=path, **more)
    with pytest.raises(ValueError, match=rf"^{re.escape(str(draft))} is an unfinished store of another run"):
        distances(ROWS, "canberra", out=path)
    assert files(draft) == there
    want = vech.pairwise.distances(ROWS, "cityblock").expand()
    np.testing.assert_array_equal(distances(ROWS, "cityblock", out=path, resume=True).expand(), want)
    assert not draft.exists()


def test_a_finished_store_is_replaced_and_one_that_somebody_fills_is_not(tmp_path):
    path = tmp_path / "d.zarr"
    vech.tiled.create(path, 5).fill(lambda *_: np.eye(5))
    with pytest.raises(ValueError, match="resume=True goes on with the same run"):
        distances(ROWS, out=path, resume=True)
    assert distances(ROWS, out=path).n == N
    vech.tiled.create(path, 5, overwrite=True)
    with pytest.raises(ValueError, match="is an unfinished store of another run"):
        distances(ROWS, out=path)
    assert vech.tiled.open(path).n == 5


def test_a_finished_store_stays_until_another_one_is_finished(tmp_path):
    path = tmp_path / "d.zarr"
    old = bits(distances(ROWS, out=path))
    for _ in range(2):
        with pytest.raises(Stop):
            distances(ROWS + 1, "cityblock", out=path, progress=stopping(2))
        assert bits(vech.tiled.open(path)) == old
    made = distances(ROWS + 1, "cityblock", out=path, resume=True)
    assert bits(made) == bits(vech.tiled.open(path)) == bits(distances(ROWS + 1, "cityblock"))
    assert listing(tmp_path) == ["d.zarr"]


def test_a_store_that_has_grown_since_is_another_one(tmp_path):
    path = tmp_path / "d.zarr"
    distances(ROWS, out=f"{path}/")
    assert listing(tmp_path) == ["d.zarr"] and path.is_dir()
    vech.tiled.open(path, "r+").append(np.zeros((1, N + 1)))
    with pytest.raises(ValueError, match=rf"rows was {N + 1} and is {N}"):
        distances(ROWS, out=path, resume=True)


def test_the_place_of_a_factor_is_not_taken(tmp_path):
    path = tmp_path / "L.zarr"
    T = vech.tiled.create(tmp_path / "T.zarr", 5, tile=2).fill(lambda rows, cols: np.eye(5)[rows, cols])
    vech.linalg.cholesky(T, out=path)
    for _ in range(2):  # complete, and not
        with pytest.raises(ValueError, match=r"L\.zarr holds a factor: choose another name"):
            distances(ROWS, out=path)
        (path / "data/c/1/0").unlink(missing_ok=True)


def test_what_is_no_store_stays(tmp_path):
    import zarr

    zarr.create_array(tmp_path / "z.zarr", shape=(3,), dtype="f8")
    (tmp_path / "text.zarr").write_text("mine")
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "folder.zarr" / "mine").touch()
    for name in ("z.zarr", "text.zarr", "folder.zarr"):
        for resume in (True, False):
            with pytest.raises((OSError, vech.io.FileFormatError)):
                distances(ROWS, out=tmp_path / name, resume=resume)
    assert (tmp_path / "text.zarr").read_text() == "mine"
    assert listing(tmp_path / "folder.zarr") == ["mine"]
    assert zarr.open_array(tmp_path / "z.zarr").shape == (3,)
    with pytest.raises(FileNotFoundError, match="no such directory"):
        distances(ROWS, out=tmp_path / "none" / "d.zarr")


@pytest.mark.parametrize("layout", ("vech", "numpy-tril", "svec-lower", "lapack-rfp-nl"))
def test_a_layout_is_for_a_half(tmp_path, layout):
    message = rf"layout='{layout}' is for a half, and a store of tiles .*leave it out"
    with pytest.raises(ValueError, match=message):
        distances(ROWS, layout=layout, out=tmp_path / "d.zarr")
    assert listing(tmp_path) == []


def test_an_error_of_the_function_comes_out_and_the_tiles_stay(tmp_path, processes):
    with ThreadPoolExecutor(2) as threads:
        for executor in (None, threads, processes):
            path = tmp_path / "d.zarr"
            with pytest.raises(ZeroDivisionError, match="rows 8 to 12") as caught:
                from_blocks(Failing(ROWS[:24]), 24, dtype="f8", tile=4, out=path, executor=executor)
            assert any("in function(8:12" in note for note in caught.value.__notes__)
            assert 1 <= len(files(path)) < 21


# ---- killed, interrupted, full -----------------------------------------------------------------------------


def slow_run(path, **how):
    return from_blocks(Slow(ROWS[:24], 0.002), 24, dtype="f8", tile=4, out=path, **how)


def kills(path):
    """Kill a run, and those that go on, at random moments: what was seen to be done stays so."""
    done, chance = 0, random.Random(3)
    for _ in range(12):
        child = forked(lambda: slow_run(path, resume=True))
        time.sleep(chance.uniform(0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if path.exists():
            store = vech.tiled.open(path)
            now = 21 - len(store.missing())
            assert now >= done and store.verify() == []
            done = now


def test_a_run_that_is_killed_at_random_goes_on(tmp_path, alone):
    path = tmp_path / "d.zarr"
    want = bits(from_blocks(Inner(ROWS[:24]), 24, dtype="f8", tile=4))
    alone(kills, path)
    made = slow_run(path, resume=True)
    assert bits(made) == want
    assert [name for name in listing(tmp_path) if name != "d.zarr"] == []


def test_two_runs_at_once_make_one_store(tmp_path):
    path = tmp_path / "d.zarr"
    with pytest.raises(Stop):
        slow_run(path, progress=stopping(1))
    with children([lambda: (slow_run(path, resume=True), signal.pause())]):
        made = slow_run(path, resume=True)
        assert bits(made) == bits(from_blocks(Inner(ROWS[:24]), 24, dtype="f8", tile=4))


@pytest.mark.parametrize("replaced", (False, True))
@pytest.mark.parametrize("moment", range(0, 40, 4))
def test_runs_that_begin_at_once_make_one_store(tmp_path, replaced, moment):
    """Each comes to its end with the numbers, whatever the other one has just done."""
    path = tmp_path / "d.zarr"
    if replaced:
        vech.tiled.create(path, 3).fill(lambda *_: np.eye(3))
        with pytest.raises(ValueError, match="resume=True goes on with the same run"):
            slow_run(path, resume=True)
        with pytest.raises(Stop):
            slow_run(path, progress=stopping(1))
    child = forked(lambda: slow_run(path, resume=True))
    time.sleep(moment / 1000)
    made = slow_run(path, resume=True)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bits(made) == bits(vech.read(path)) == bits(from_blocks(Inner(ROWS[:24]), 24, dtype="f8", tile=4))
    assert listing(tmp_path) == ["d.zarr"]


def begun_before(monkeypatch, other):
    """Another run begins just before the first store of this one is made."""
    create, others = Tiles.create.__func__, [other]

    def later(cls, *arguments, **said):
        if others:
            others.pop()()
        return create(cls, *arguments, **said)

    monkeypatch.setattr(Tiles, "create", classmethod(later))


def other_run(path, done):
    with pytest.raises(Stop) if done < 21 else nullcontext():
        slow_run(path, progress=stopping(done) if done < 21 else None)


@pytest.mark.parametrize("done", (2, 21))
def test_a_run_goes_on_with_what_another_has_just_begun(tmp_path, monkeypatch, done):
    path = tmp_path / "d.zarr"
    begun_before(monkeypatch, lambda: other_run(path, done))
    seen = []
    made = slow_run(path, resume=True, progress=lambda *said: seen.append(said))
    assert bits(made) == bits(from_blocks(Inner(ROWS[:24]), 24, dtype="f8", tile=4))
    assert len(seen) <= 21 - done


def test_without_going_on_it_is_refused_and_the_other_stays(tmp_path, monkeypatch):
    path = tmp_path / "d.zarr"
    begun_before(monkeypatch, lambda: other_run(path, 2))
    with pytest.raises(FileExistsError, match=r"has just been made by another run: resume=True goes on with"):
        slow_run(path)
    assert len(files(path)) >= 2


def test_what_another_run_is_at_work_on_is_not_made_anew(tmp_path):
    path, seen = tmp_path / "d.zarr", []
    for old in (False, True):
        if old:
            vech.tiled.create(path, 3, overwrite=True).fill(lambda *_: np.eye(3))

        def beside(done, total):
            if done == 5:
                with pytest.raises(BlockingIOError, match="another run is at work on it: resume=True works"):
                    slow_run(path)
                seen.append(bits(slow_run(path, resume=True)))  # which is done before this one is

        seen.append(bits(slow_run(path, progress=beside)))
        assert listing(tmp_path) == ["d.zarr"]
    assert len(seen) == 4 and len(set(seen)) == 1


@pytest.mark.parametrize("kind", ("here", "threads", "processes"))
def test_ctrl_c_ends_a_run_that_goes_on_later(tmp_path, kind, processes):
    path = tmp_path / "d.zarr"
    with ThreadPoolExecutor(2) as threads:
        executor = {"here": None, "threads": threads, "processes": processes}[kind]
        run = partial(from_blocks, Slow(ROWS[:24], 0.02), 24, dtype="f8", tile=4, out=path, executor=executor)

        def soon(done, total):
            signal.setitimer(signal.ITIMER_REAL, 0.005)

        assert interrupted_after(60, lambda: run(progress=soon))
        assert 1 <= len(files(path)) < 21
        assert bits(run(resume=True)) == bits(from_blocks(Inner(ROWS[:24]), 24, dtype="f8", tile=4))


def test_a_thread_ends_at_its_next_block(tmp_path, monkeypatch):
    """Not at the end of its tile, which may be far away."""
    monkeypatch.setattr(making.make, "__kwdefaults__", making.make.__kwdefaults__ | {"side": 2})
    begun, fifth, told = [], threading.Lock(), told_to_stop(monkeypatch, "vech.results.tiles.Event")

    def block(rows, columns):
        begun.append(rows.start)
        if len(begun) >= 5:
            if fifth.acquire(blocking=False):
                raise Stop
            assert told.wait(60)
        return np.zeros((rows.stop - rows.start, columns.stop - columns.start))

    with ThreadPoolExecutor(2) as pool, pytest.raises(Stop):
        making.make(block, 140, np.dtype("f8"), making.Wanted(out=tmp_path / "d.zarr", executor=pool), side=2)
    assert len(begun) < 12 and files(tmp_path / "d.zarr") == {}


@pytest.mark.parametrize("at", range(1, 60, 7))
def test_a_disk_that_fills_up_leaves_what_is_done(tmp_path, monkeypatch, at):
    path = tmp_path / "d.zarr"
    with monkeypatch.context() as patched:
        Calls(patched, at, fails)
        try:
            distances(ROWS, out=path)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    made = distances(ROWS, out=path, resume=True)
    assert bits(made) == bits(distances(ROWS)) and made.verify() == []


def test_a_small_disk_that_is_full_and_then_grows(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        path = disk / "d.zarr"
        with pytest.raises(OSError, match="No space left on device") as caught:
            distances(ROWS, out=path)
        assert caught.value.errno == errno.ENOSPC
        assert 1 <= len(files(path)) < 6 and vech.tiled.open(path).verify() == []
        subprocess.run(["mount", "-o", "remount,size=2m", str(disk)], check=True)
        assert bits(distances(ROWS, out=path, resume=True)) == bits(distances(ROWS))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_costs_its_tasks_only(tmp_path, client):
    want = bits(from_blocks(Inner(ROWS[:40]), 40, dtype="f8", tile=4))
    path = tmp_path / "d.zarr"
    workers = list(client.run(os.getpid).values())

    def kill(done, total):
        if done == 8:
            os.kill(workers[0], signal.SIGKILL)

    block = Slow(ROWS[:40], 0.02)
    made = from_blocks(block, 40, dtype="f8", tile=4, out=path, executor=client, progress=kill)
    assert bits(made) == want and made.verify() == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ("euclidean", "correlation", "oas"))
def test_a_cluster_gives_the_same_bytes(tmp_path, name, client):
    call, path = (EXACT | SHRUNK)[name], tmp_path / "d.zarr"
    call(out=path)
    want = files(path)
    call(out=path, executor=client)
    assert files(path) == want


def test_a_memory_map_goes_to_workers_as_its_path(tmp_path, processes, monkeypatch):
    """So that X may be larger than any of them."""
    sizes = []
    of = executors.Shipment.of

    def noted(function, **how):
        sizes.append((shipment := of(function, **how)).nbytes)
        return shipment

    monkeypatch.setattr(executors.Shipment, "of", noted)
    np.save(tmp_path / "X.npy", np.random.default_rng(0).normal(size=(N, 2000)))
    there = np.load(tmp_path / "X.npy", mmap_mode="r")
    for call in (distances, partial(kernel, metric="linear"), lambda X, **how: covariance.sample(X.T, **how)):
        made = call(there, out=tmp_path / "d.zarr", executor=processes)
        want = call(np.array(there), out=tmp_path / "d.npy")
        assert bits(made) == bits(want)
    assert len(sizes) >= 4 and max(sizes) < 10_000


# ---- what is known of all rows -----------------------------------------------------------------------------


def test_means_are_those_of_any_number_of_workers(tmp_path, monkeypatch, processes):
    monkeypatch.setattr(products, "ROWS", 4)
    monkeypatch.setattr(products, "TASK", 4 * N)
    far = GAPS + 1e8 * np.arange(N)
    for how in ({"missing": "neutral"}, {"missing": "neutral", "weights": WEIGHTS}):
        made = covariance.correlation(far, out=tmp_path / "d.zarr", **how)
        want = files(tmp_path / "d.zarr")
        np.testing.assert_allclose(made.expand(), covariance.correlation(GAPS, **how).expand(), atol=1e-6)
        covariance.correlation(far, out=tmp_path / "d.zarr", executor=processes, **how)
        assert files(tmp_path / "d.zarr") == want


def test_the_first_number_that_is_wrong_is_named_whoever_reads_it(tmp_path, monkeypatch, processes):
    monkeypatch.setattr(products, "ROWS", 4)
    monkeypatch.setattr(products, "TASK", 4 * N)
    wrong = X.copy()
    wrong[30, 7] = wrong[35, 2] = np.nan
    infinite = X.copy()
    infinite[21, 5] = np.inf
    for executor in (None, processes):
        how = {"out": tmp_path / "d.zarr", "executor": executor}
        with pytest.raises(ValueError, match=r"X has 2 NaN, the first in row 30, column 7"):
            covariance.sample(wrong, **how)
        with pytest.raises(ValueError, match=r"the first in row 21, column 5: no covariance is defined"):
            covariance.sample(infinite, **how)
        with pytest.raises(ValueError, match="column 3 of X has no number that counts"):
            covariance.sample(np.where(np.arange(N) == 3, np.nan, X), missing="neutral", **how)
        constant = np.where(np.arange(N) == 3, 0.1, X)
        constant[:5, 3] = np.nan
        with pytest.raises(ValueError, match="column 3 of X is constant"):
            covariance.correlation(constant, missing="neutral", **how)
        with pytest.raises(OverflowError, match="sums of squares of X exceed float64"):
            covariance.sample(X * 1e200, **how)
    assert listing(tmp_path) == []
