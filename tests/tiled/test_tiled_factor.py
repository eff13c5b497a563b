"""The Cholesky factor of a tiled store is that of the matrix, whoever computes it and whatever is killed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import vech
from vech import linalg, tiled
from vech.tiled.factor import Schedule
from vech.tiled.foreign import foreign
from vech.tiled.tiles import Tiles

N, TILE = 37, 8
SIZES = (0, 1, 7, 8, 9, 32, N)


def definite(n=N, dtype="f8"):
    random = np.random.default_rng(n)
    parts = random.normal(size=(2, n, n))
    x = parts[0] + 1j * parts[1] if np.dtype(dtype).kind == "c" else parts[0]
    full = x @ x.conj().T + n * np.eye(n)
    return (np.round(full) if np.dtype(dtype).kind == "i" else full).astype(dtype)


def store(path, full, tile=TILE, labels=None):
    kind = "hermitian" if full.dtype.kind == "c" else "symmetric"
    made = tiled.create(path, len(full), dtype=full.dtype, kind=kind, tile=tile, labels=labels)
    return made.fill(lambda rows, columns: full[rows, columns])


def triangle(factor):
    """L as a full matrix, read by another library."""
    import zarr

    return np.tril(zarr.open_array(factor.path, path="data", mode="r")[:])


@pytest.fixture
def T(tmp_path):
    return store(tmp_path / "S.zarr", definite())


@pytest.fixture
def out(tmp_path):
    return tmp_path / "L.zarr"


@pytest.mark.parametrize(
    ("dtype", "n"), [*((dtype, N) for dtype in ("f4", "c8", "c16", "i4")), *(("f8", n) for n in SIZES)]
)
def test_it_is_the_factor_of_the_matrix(tmp_path, dtype, n):
    full = definite(n, dtype)
    F = linalg.cholesky(store(tmp_path / "S.zarr", full), out=tmp_path / "L.zarr")
    wide = full.astype(F.dtype)
    assert F.dtype == (dtype if dtype != "i4" else "f8") and F.n == n
    L, eps = triangle(F), float(np.finfo(F.dtype).eps)
    assert L.dtype == F.dtype
    np.testing.assert_allclose(L, np.linalg.cholesky(wide), atol=100 * eps * (n + 1))
    b = np.random.default_rng(0).normal(size=(n, 3)).astype(wide.real.dtype)
    loose = 1e4 * eps
    np.testing.assert_allclose(wide @ F.solve(b), b, atol=loose)
    np.testing.assert_allclose(F.L @ b, L @ b, atol=loose)
    np.testing.assert_allclose(F.L.H @ b, L.conj().T @ b, atol=loose)
    np.testing.assert_allclose(b.T @ F.L, b.T @ L, atol=loose)
    np.testing.assert_allclose(L @ F.L.solve(b), b, atol=loose)
    np.testing.assert_allclose(L.conj().T @ F.L.H.solve(b), b, atol=loose)
    assert F.logdet() == pytest.approx(np.linalg.slogdet(wide)[1], rel=loose)
    if n:
        assert 0.3 * np.linalg.cond(wide, 1) < F.cond() < 1.01 * np.linalg.cond(wide, 1)
        np.testing.assert_allclose(wide @ F.solve(b[:, 0]), b[:, 0], atol=loose)


def test_it_says_what_a_factor_in_memory_says(T, out):
    F, G = linalg.cholesky(T, out=out), linalg.cholesky(T)
    b = np.linspace(1, 2, N)
    assert isinstance(G, linalg.Cholesky)
    np.testing.assert_allclose(F.solve(b), G.solve(b), rtol=1e-12)
    assert F.cond() == pytest.approx(G.cond(), rel=1e-9)
    assert repr(F) == f"TiledCholesky(n={N}, dtype=float64)"
    for wrong in (lambda: F @ b, lambda: b @ F):
        with pytest.raises(TypeError, match=r"a TiledCholesky is no matrix: F.L @ x multiplies by L"):
            wrong()
    with pytest.raises(TypeError, match=r"a TiledCholesky holds L in tiles: zarr.open_array\("):
        np.asarray(F)
    with pytest.raises(ValueError, match=rf"b has shape \(3,\), but S is of side {N}"):
        F.solve(np.ones(3))
    with pytest.raises(ValueError, match=r"b\[0\] is nan: solve needs finite numbers"):
        F.solve(np.full(N, np.nan))


def test_it_is_opened_again(T, out, tmp_path):
    F = linalg.cholesky(T, out=out)
    again = tiled.open(out)
    assert type(again) is tiled.TiledCholesky
    assert (again.tile, again.grid, again.nbytes) == (TILE, 5, F.nbytes) and again.path == str(out)
    assert again.missing() == again.verify() == []
    b = np.linspace(1, 2, N)
    np.testing.assert_array_equal(again.solve(b), F.solve(b))
    with pytest.raises(
        vech.io.FileFormatError, match=r"holds the Cholesky factor .*vech.tiled.open gives it"
    ):
        vech.read(out)


def test_labels_go_with_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    full, names = definite(), [f"r{k}" for k in range(N)]
    F = linalg.cholesky(store(tmp_path / "S.zarr", full, labels=names), out=tmp_path / "L.zarr")
    x = tiled.open(F.path).solve(pandas.Series(np.ones(N), names))
    assert list(x.index) == names
    np.testing.assert_allclose(full @ x.to_numpy(), 1, rtol=1e-10)
    with pytest.raises(ValueError, match="row 0 of S is 'r0', and of b 'r36'"):
        F.solve(pandas.Series(np.ones(N), names[::-1]))


@pytest.mark.parametrize("scale", [2.0**-1040, 2.0**-1000, 2.0**1000])
def test_numbers_near_the_ends_of_a_dtype_lose_no_digits(tmp_path, scale):
    full = definite() * scale
    F = linalg.cholesky(store(tmp_path / "S.zarr", full), out=tmp_path / "L.zarr")
    want = linalg.cholesky(vech.Packed.from_full(full))
    root = scale**0.5
    want = vech.expand(want.half, kind="triangular")
    np.testing.assert_allclose(triangle(F) / root, want / root, rtol=1e-12, atol=1e-12)


class Source:
    """A matrix in a file of another program."""

    n, tile, dtype = N, TILE, np.dtype("f8")

    def __init__(self, path):
        self.name = str(path)

    def parts(self):
        return [self.name]

    def lower(self, rows, columns):
        return np.load(self.name)[rows, columns]


def test_the_factor_of_a_matrix_in_a_file_of_another_program(tmp_path, out):
    np.save(tmp_path / "other.npy", definite())
    S = foreign(Source(tmp_path / "other.npy"))
    F = linalg.cholesky(S, out=out)
    np.testing.assert_allclose(triangle(F), np.linalg.cholesky(definite()), atol=1e-12)
    assert linalg.cholesky(S, out=out, resume=True).missing() == []
    np.save(tmp_path / "other.npy", 2 * definite())
    os.utime(tmp_path / "other.npy", (1, 1))  # the clock of files may stand still for 10 ms
    with pytest.raises(ValueError, match="or of this one before it changed"):
        linalg.cholesky(S, out=out, resume=True)


# ---- who computes, and what is killed ----------------------------------------------------------------------


def test_threads_give_the_same_bits(T, tmp_path):
    want = triangle(linalg.cholesky(T, out=tmp_path / "a.zarr"))
    with ThreadPoolExecutor(3) as pool:
        F = linalg.cholesky(T.using(pool), out=tmp_path / "b.zarr", executor=pool)
    np.testing.assert_array_equal(triangle(F), want)


@pytest.mark.slow
def test_a_cluster_whose_worker_is_killed(tmp_path):
    distributed = pytest.importorskip("distributed")
    T = store(tmp_path / "S.zarr", definite(200), 16)
    want = triangle(linalg.cholesky(T, out=tmp_path / "a.zarr"))
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        workers = list(client.run(os.getpid).values())

        def kill(done, total):
            if done == total // 3:
                os.kill(workers[0], signal.SIGKILL)

        F = linalg.cholesky(T, out=tmp_path / "b.zarr", executor=client, progress=kill)
    np.testing.assert_array_equal(triangle(F), want)


KILLED = """
import os, signal, sys
import vech
def progress(done, total):
    if done == 6:
        os.kill(os.getpid(), signal.SIGKILL)
vech.linalg.cholesky(vech.tiled.open(sys.argv[1]), out=sys.argv[2], progress=progress)
"""


def times(path):
    return {name: os.stat(name).st_mtime_ns for name in path.glob("data/c/*/*")}


def test_a_run_that_is_killed_goes_on(T, out, tmp_path):
    ended = subprocess.run([sys.executable, "-c", KILLED, T.path, out], check=False, timeout=600)
    assert ended.returncode == -signal.SIGKILL
    before = times(out)
    assert len(before) == 6
    with pytest.raises(
        FileNotFoundError, match=r"the factor is not complete, 9 of 15 tiles are missing: .*resume=True"
    ):
        tiled.open(out)
    said = []
    F = linalg.cholesky(T, out=out, resume=True, progress=lambda *done: said.append(done))
    assert said == [(k, 15) for k in range(7, 16)]
    assert times(out).items() >= before.items()
    np.testing.assert_array_equal(triangle(F), triangle(linalg.cholesky(T, out=tmp_path / "whole.zarr")))
    said.clear()
    linalg.cholesky(T, out=out, resume=True, progress=lambda *done: said.append(done))
    assert said == []


def test_resumed_it_mends_what_is_damaged(T, out):
    want = triangle(linalg.cholesky(T, out=out))
    tile = out / "data/c/3/1"
    letters = bytearray(tile.read_bytes())
    letters[5] ^= 1
    tile.write_bytes(letters)
    F = tiled.open(out)
    assert F.verify() == [(3, 1)]
    with pytest.raises(vech.io.FileFormatError, match=r"tile \(3, 1\) is damaged"):
        F.solve(np.ones(N))
    np.testing.assert_array_equal(triangle(linalg.cholesky(T, out=out, resume=True)), want)
    assert tiled.open(out).verify() == []


def test_it_does_not_go_on_with_another_matrix(T, out, tmp_path):
    linalg.cholesky(T, out=out)
    other = store(tmp_path / "other.zarr", definite())
    message = "resume=True goes on with the same factor, and .*L.zarr is of another matrix, or of this one"
    with pytest.raises(ValueError, match=message):
        linalg.cholesky(other, out=out, resume=True)
    changed = tiled.open(T.path, "r+")
    changed.write_tile(1, 0, changed.read_tile(1, 0) / 2)
    with pytest.raises(ValueError, match=message):
        linalg.cholesky(T, out=out, resume=True)
    F = linalg.cholesky(T, out=out)  # anew
    np.testing.assert_allclose(triangle(F) @ triangle(F).T, T.expand(), rtol=1e-12)


@pytest.mark.parametrize("old", [False, True])
def test_of_runs_at_once_none_makes_anew_what_another_is_at_work_on(T, out, old):
    if old:
        linalg.cholesky(store(out.with_name("old.zarr"), np.eye(3)), out=out)
    seen = []

    def beside(done, total):
        if done == 3:
            with pytest.raises(BlockingIOError, match="another run is at work on it: resume=True works on"):
                linalg.cholesky(T, out=out)
            seen.append(triangle(linalg.cholesky(T, out=out, resume=True)))

    seen.append(triangle(linalg.cholesky(T, out=out, progress=beside)))
    np.testing.assert_array_equal(*seen)
    assert not [name for name in os.listdir(out.parent) if name.startswith(".")]


def test_a_run_goes_on_with_what_another_has_just_begun(T, out, monkeypatch):
    create, others = Tiles.create.__func__, [1, 1]

    def later(cls, *arguments, **said):
        if others:
            others.pop()
            linalg.cholesky(T, out=out, resume=True)
        return create(cls, *arguments, **said)

    monkeypatch.setattr(Tiles, "create", classmethod(later))
    assert linalg.cholesky(T, out=out, resume=True).missing() == []
    shutil.rmtree(out)
    others.append(1)
    with pytest.raises(FileExistsError, match="has just been made by another run: resume=True goes on"):
        linalg.cholesky(T, out=out)
    assert tiled.open(out).missing() == []


def test_memory_is_that_of_some_tiles(T, out, tmp_path):
    linalg.cholesky(T, out=out)  # what is imported on the way
    tile = 64
    T = store(tmp_path / "larger.zarr", definite(6 * tile), tile)
    peaks = []
    for _ in range(3):  # threads that another test has left may take memory meanwhile
        tracemalloc.start()
        linalg.cholesky(T, out=out)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 4 * tile * tile * 8


# ---- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [0, 7, 8, 20, N - 1])
def test_a_matrix_that_is_not_definite_is_named_by_its_minor(tmp_path, row):
    full = definite()
    full[row, row] = -1
    T = store(tmp_path / "S.zarr", full)
    message = f"S is not positive definite: its leading minor of order {row + 1} is not positive; solve"
    with pytest.raises(np.linalg.LinAlgError, match=re.escape(message)):
        linalg.cholesky(T, out=tmp_path / "L.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["S.zarr"]  # nothing can go on with a part of it
    with pytest.raises(np.linalg.LinAlgError, match=f"minor of order {row + 1} "):
        linalg.cholesky(T)
    fixed = store(tmp_path / "fixed.zarr", definite())
    assert linalg.cholesky(fixed, out=tmp_path / "L.zarr").missing() == []


@pytest.mark.parametrize(("i", "j"), [(3, 3), (20, 2), (N - 1, N - 1)])
def test_what_is_not_finite_is_named(tmp_path, i, j):
    full = definite()
    full[i, j] = full[j, i] = np.nan
    with pytest.raises(ValueError, match=rf"S\[{i}, {j}\] is nan: factors need finite numbers"):
        linalg.cholesky(store(tmp_path / "S.zarr", full), out=tmp_path / "L.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["S.zarr"]


def test_a_factor_that_is_there_outlives_a_matrix_that_has_none(T, tmp_path):
    F = linalg.cholesky(T, out=tmp_path / "L.zarr")
    before = F.solve(np.ones(N))
    bad = store(tmp_path / "bad.zarr", -definite())
    with pytest.raises(np.linalg.LinAlgError, match="minor of order 1 is not positive"):
        linalg.cholesky(bad, out=tmp_path / "L.zarr")
    np.testing.assert_array_equal(tiled.open(tmp_path / "L.zarr").solve(np.ones(N)), before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["L.zarr", "S.zarr", "bad.zarr"]


def test_by_its_url_nothing_stays_of_it_either():
    import fsspec

    bad = store("memory://bad.zarr", -definite())
    with pytest.raises(np.linalg.LinAlgError, match="minor of order 1 is not positive"):
        linalg.cholesky(bad, out="memory://bad-factor.zarr")
    assert not fsspec.filesystem("memory").exists("bad-factor.zarr")


def test_arguments_are_judged_before_anything_is_made(T, out):
    for given, error, message in (
        ({"threads": 0}, ValueError, "^threads must be at least 1, not 0$"),
        ({"threads": True}, TypeError, "^threads must be a positive integer or None, not True$"),
        (
            {"executor": 3},
            TypeError,
            "^executor must be None, a concurrent.futures.Executor or a distributed",
        ),
        ({"progress": 3}, TypeError, "progress"),
    ):
        with pytest.raises(error, match=message):
            linalg.cholesky(T, out=out, **given)
    with pytest.raises(TypeError, match=r"^out must be a path, or a URL as text, not bytes b'L\.zarr'$"):
        linalg.cholesky(T, out=b"L.zarr")
    for solver in ("cg", "minres", "auto"):
        with pytest.raises(ValueError, match=r"^threads must be at least 1, not 0$"):
            linalg.solve(T, np.ones(N), solver=solver, threads=0)
    assert not out.exists()


def test_nothing_but_a_factor_is_replaced(T, out, tmp_path):
    with pytest.raises(FileExistsError, match="is a matrix, whose place no factor takes"):
        linalg.cholesky(T, out=T.path)
    assert T.missing() == []
    out.mkdir()
    (out / "thesis.txt").write_text("all of it")
    with pytest.raises(FileExistsError, match="is no store of tiles, so it is not overwritten"):
        linalg.cholesky(T, out=out)
    with pytest.raises(FileNotFoundError):
        linalg.cholesky(T, out=tmp_path / "no" / "folder" / "L.zarr")


def test_what_is_not_for_tiles_is_refused(T, out, tmp_path):
    packed = T.to_packed()
    with pytest.raises(TypeError, match=r"of a vech.Tiled goes, not of a Packed: vech.write\('S.zarr', S\)"):
        linalg.cholesky(packed, out=out)
    for wrong in ({"resume": True}, {"executor": ThreadPoolExecutor(1)}, {"progress": print}):
        with pytest.raises(
            TypeError, match=r"resume, executor and progress are of cholesky\(T, out='L.zarr'\)"
        ):
            linalg.cholesky(T, **wrong)
    skew = tiled.create(tmp_path / "skew.zarr", 3, kind="skew").fill(lambda *_: np.zeros((3, 3)))
    with pytest.raises(
        TypeError, match="cholesky needs a real symmetric or a Hermitian matrix, and S is skew"
    ):
        linalg.cholesky(skew, out=out)
    half = tiled.create(tmp_path / "half.zarr", 3, dtype="f2").fill(lambda *_: np.eye(3, dtype="f2"))
    with pytest.raises(TypeError, match="S has dtype float16"):
        linalg.cholesky(half, out=out)
    partly = tiled.create(tmp_path / "partly.zarr", 9, tile=4)
    with pytest.raises(FileNotFoundError, match=r"6 tiles are not done: missing\(\) lists them, fill\(\)"):
        linalg.cholesky(partly, out=out)
    with pytest.raises(TypeError, match="progress must be a function"):
        linalg.cholesky(T, out=out, progress=3)
    assert not out.exists()


# ---- the order of tasks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", [0, 1, 2, 5, 9])
def test_tasks_come_when_all_that_they_follow_from_is_done_each_once(side, seed):
    random = np.random.default_rng(seed)
    every = {(i, j) for i in range(side) for j in range(i + 1)}
    done = {tile for tile in every if random.random() < seed / 10}
    schedule, running, known = Schedule(side, set(done)), [], set(done)
    assert schedule.left == len(every) - len(done)
    while schedule.left:
        while len(running) < 3 and (tile := next(schedule, None)):
            i, j = tile
            assert tile not in known and tile not in running
            assert {(i, k) for k in range(j)} | {(j, k) for k in range(j + (i != j))} <= known
            running.append(tile)
        assert running  # else it would never end
        tile = running.pop(random.integers(len(running)))
        known.add(tile)
        schedule.finish(tile)
    assert known == every and next(schedule, None) is None


def test_all_tiles_of_a_column_can_be_computed_at_once():
    schedule = Schedule(6, set())
    assert list(schedule) == [(0, 0)]
    schedule.finish((0, 0))
    assert list(schedule) == [(i, 0) for i in range(1, 6)]
    schedule.finish((1, 0))
    assert list(schedule) == [(1, 1)]
