"""`vech tile`, `verify`, `eigsh` and `cholesky`, and --executor: stores of tiles from the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import vech
from vech import cli

pytest.importorskip("zarr")

N, SIDE = 11, 4
NAMES = [f"s{k}" for k in range(N)]


@pytest.fixture(autouse=True)
def files(there):
    A = np.random.default_rng(3).normal(size=(N, N))
    vech.write("half.npy", vech.Packed(vech.pack(A @ A.T + np.eye(N)), labels=NAMES))


@pytest.fixture
def tiled(works):
    works("tile", "half.npy", "-o", "S.zarr", "--tile", SIDE)
    return vech.tiled.open("S.zarr")


def damage(there, i, j, store="S.zarr"):
    """Flip one bit of a tile."""
    path = there / store / "data" / "c" / str(i) / str(j)
    letters = bytearray(path.read_bytes())
    letters[9] ^= 4
    path.write_bytes(letters)


# ---- tile --------------------------------------------------------------------------------------------------


def test_a_half_becomes_tiles_and_stays_the_same_matrix(works):
    said = works("tile", "half.npy", "-o", "S.zarr", "--tile", SIDE)
    assert said.startswith("S.zarr: 11 x 11 float64, symmetric, ")
    found = vech.read("S.zarr")
    assert (type(found).__name__, found.tile, found.grid, found.labels) == ("Tiled", SIDE, 3, tuple(NAMES))
    np.testing.assert_array_equal(found.expand(), vech.read("half.npy").expand())


def test_text_sparse_and_integers_become_tiles_too(works, there):
    (there / "m.csv").write_text("a;b\n1,5;2\n2;3\n")
    works("tile", "m.csv", "--sep", ";", "--decimal", ",", "-o", "m.zarr")
    np.testing.assert_array_equal(vech.read("m.zarr").expand(), [[1.5, 2], [2, 3]])
    sparse = scipy.sparse.random_array((9, 9), density=0.2, rng=np.random.default_rng(1))
    sparse = (sparse + sparse.T).tocsr()
    vech.write("s.npz", vech.SparseHalf.from_sparse(sparse))
    works("tile", "s.npz", "-o", "s.zarr", "--tile", 4)
    assert vech.tiled.open("s.zarr").compression == "zstd"
    np.testing.assert_array_equal(vech.read("s.zarr").expand(), sparse.toarray())
    vech.write("i.npy", vech.Packed(np.arange(10, dtype=">i2")))
    works("tile", "i.npy", "-o", "i.zarr", "--compression", "none")
    assert vech.tiled.open("i.zarr").compression == "none"
    np.testing.assert_array_equal(vech.read("i.zarr").expand(), vech.read("i.npy").expand())


def test_tiles_are_cut_anew_from_tiles(works, tiled):
    works("tile", "S.zarr", "-o", "other.zarr", "--tile", 5)
    other = vech.tiled.open("other.zarr")
    assert other.tile == 5
    np.testing.assert_array_equal(other.expand(), tiled.expand())


def test_an_interrupted_run_goes_on(vech_run, works, monkeypatch, there):
    from vech.cli.options import Bar

    def tick(bar, done, total):
        if done == 2:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Bar, "__call__", tick)
        code, out, err = vech_run("tile", "half.npy", "-o", "S.zarr", "--tile", SIDE)
    assert (code, out) == (130, b"")
    assert err.splitlines()[-1] == "vech: interrupted; the same command with --resume goes on with S.zarr"
    done = sorted((there / "S.zarr").rglob("c/*/*"))
    assert 0 < len(done) < 6
    before = [path.stat().st_mtime_ns for path in done]
    works("tile", "half.npy", "-o", "S.zarr", "--tile", SIDE, "--resume")
    assert [path.stat().st_mtime_ns for path in done] == before
    np.testing.assert_array_equal(vech.read("S.zarr").expand(), vech.read("half.npy").expand())


def test_other_numbers_are_not_gone_on_with(tiled, fails):
    vech.write("other.npy", vech.Packed(np.arange(66.0), labels=NAMES))
    message = fails("tile", "other.npy", "-o", "S.zarr", "--resume")
    assert message.startswith("S.zarr is made of other things: half: not the same;")
    assert message.endswith("start anew with --force, without --resume")
    message = fails("tile", "half.npy", "-o", "S.zarr", "--resume", "--tile", 5)
    assert "tile was 4 and is 5" in message


def test_what_is_no_place_for_tiles_is_said(tiled, fails, there):
    assert fails("tile", "half.npy", "-o", "S.npz") == (
        "a store of tiles is a folder ending in .zarr, and OUT is S.npz"
    )
    assert fails("tile", "half.npy", "-o", "S.zarr") == (
        "S.zarr exists: choose another name, or --force to overwrite it"
    )
    (there / "own.zarr").mkdir()
    (there / "own.zarr" / "notes").write_text("mine")
    assert "'own.zarr' is a directory" in fails("tile", "half.npy", "-o", "own.zarr", "--force")


# ---- verify ------------------------------------------------------------------------------------------------


def test_all_is_well(works, tiled):
    assert works("verify", "S.zarr") == "S.zarr: 6 tiles, all as they were written\n"
    assert works("verify", "half.npy") == "half.npy: all as it was written\n"


def test_damaged_and_missing_tiles_are_listed_and_mended(vech_run, works, tiled, there):
    damage(there, 1, 0)
    (there / "S.zarr/data/c/2/2").unlink()
    code, out, err = vech_run("verify", "S.zarr")
    assert (code, err) == (1, "")
    assert out.decode().splitlines() == [
        "S.zarr: 1 of 6 tiles damaged: (1, 0)",
        "S.zarr: 1 of 6 tiles missing: (2, 2)",
    ]
    said = works("verify", "S.zarr", "--repair-from", "half.npy").splitlines()
    assert said[2] == "S.zarr: 2 tiles written again from half.npy"
    assert "all as they were written" in works("verify", "S.zarr")
    np.testing.assert_array_equal(vech.read("S.zarr").expand(), vech.read("half.npy").expand())


def test_another_matrix_mends_nothing(fails, vech_run, tiled, there):
    damage(there, 1, 0)
    (there / "S.zarr/data/c/2/2").unlink()
    half = vech.read("half.npy").half.copy()
    half[-1] += 1  # in a tile that is missing: that cannot be seen
    half[0] += 1
    vech.write("other.npy", vech.Packed(half, labels=NAMES))
    vech.write("small.npy", vech.Packed(half[:55]))
    vech.write("named.npy", vech.Packed(half, labels=NAMES[::-1]))
    for other, said in (
        ("other.npy", "other.npy is another matrix than S.zarr: their numbers differ in tile (0, 0)"),
        ("small.npy", "small.npy is another matrix than S.zarr: its n is 10, not 11"),
        ("named.npy", "named.npy is another matrix than S.zarr: its labels is"),
    ):
        code, _, err = vech_run("verify", "S.zarr", "--repair-from", other)
        assert code == 2 and said in err
    assert tiled.verify() == [(1, 0)] and tiled.missing() == [(2, 2)]


def test_a_half_that_changed_is_told_from_one_without_digests(vech_run, fails, there):
    letters = bytearray((there / "half.npy").read_bytes())
    letters[-3] ^= 1
    (there / "half.npy").write_bytes(letters)
    code, out, err = vech_run("verify", "half.npy")
    assert (code, err) == (1, "") and b"digests of other numbers" in out
    np.save("bare.npy", np.arange(10.0))
    assert fails("verify", "bare.npy") == "bare.npy: has no checksums of its numbers to verify"
    assert fails("verify", "bare.npy", "--repair-from", "half.npy") == (
        "--repair-from mends stores of tiles, and bare.npy is none"
    )
    assert "no.zarr" in fails("verify", "no.zarr")


def test_info_says_how_it_is_cut_and_what_is_done(works, tiled, there):
    (there / "S.zarr/data/c/2/0").unlink()
    lines = works("info", "S.zarr").splitlines()
    assert lines[0] == "S.zarr: symmetric store of tiles, float64"
    assert lines[1] == "6 tiles of 4 rows, compression none, 1 missing"
    assert lines[2] == "54 numbers stored, 54 nonzero (100.00%), 0 NaN"  # 66 without 3 x 4
    assert lines[4] == "11 labels: s0, s1, s2, s3, s4, s5, s6, s7, ..."
    (found,) = json.loads(works("info", "S.zarr", "--json"))
    assert found["tiles"] == {"count": 6, "tile": 4, "side": 3, "missing": 1, "compression": "none"}
    assert found["n"] == 11 and found["cases"][0]["bytes"]["full"] == 8 * 11 * 11
    assert json.loads(works("info", "half.npy", "--json"))[0]["tiles"] is None


# ---- eigsh -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["half.npy", "S.zarr"])
@pytest.mark.parametrize("executor", [(), ("--executor", "threads:2")])
def test_eigenpairs_are_those_of_numpy(works, tiled, file, executor, there):
    if executor and file == "half.npy":
        return
    said = works("eigsh", file, "-k", 3, "--which", "LA", "-o", "top.npz", *executor)
    full = vech.read("half.npy").expand()
    values = np.linalg.eigvalsh(full)[-3:]
    assert said.startswith(f"top.npz: 3 eigenvalues of 11 rows from {values[0]:.6g} to {values[-1]:.6g}, ")
    with np.load("top.npz") as found:
        np.testing.assert_allclose(found["eigenvalues"], values, rtol=1e-9)
        np.testing.assert_allclose(
            full @ found["eigenvectors"], found["eigenvectors"] * values, atol=1e-7 * values[-1]
        )
        assert found["labels"].tolist() == NAMES
    works("eigsh", file, "-k", 3, "--which", "LA", "-o", "top.csv", *executor)
    head, first, *rows = [line.split(",") for line in (there / "top.csv").read_text().splitlines()]
    assert head == ["row", "1", "2", "3"] and first[0] == "eigenvalue" and [r[0] for r in rows] == NAMES
    np.testing.assert_allclose([float(cell) for cell in first[1:]], values, rtol=1e-9)


def test_what_eigsh_cannot_do_is_said(fails, tiled):
    assert fails("eigsh", "half.npy", "-k", 3, "-o", "top.npz", "--executor", "threads:2") == (
        "half.npy is no store of tiles, and workers read tiles: vech tile half.npy -o S.zarr first"
    )
    assert "has no suffix of eigenvectors, which are .npz, or text" in fails(
        "eigsh", "half.npy", "-o", "top.npy"
    )
    assert "12" in fails("eigsh", "half.npy", "-k", 12, "-o", "top.npz")


def test_a_factor_is_another_store_of_tiles(works, fails, tiled):
    said = works("cholesky", "S.zarr", "-o", "L.zarr", "--executor", "threads:2")
    assert said.startswith("L.zarr: factor of 11 rows, ")
    full, b = vech.read("half.npy").expand(), np.arange(11.0)
    np.testing.assert_allclose(vech.tiled.open("L.zarr").solve(b), np.linalg.solve(full, b), rtol=1e-9)
    assert "L.zarr exists" in fails("cholesky", "S.zarr", "-o", "L.zarr")
    works("cholesky", "S.zarr", "-o", "L.zarr", "--resume")
    assert fails("cholesky", "half.npy", "-o", "L.zarr") == (
        "half.npy is no store of tiles, and a factor is made tile by tile: vech tile half.npy -o S.zarr first"
    )
    assert fails("cholesky", "S.zarr", "-o", "L.npy") == (
        "a factor of tiles is a folder ending in .zarr, and OUT is L.npy"
    )


def test_tables_go_to_tiles(works, fails):
    X = np.random.default_rng(0).normal(size=(30, 5))
    np.save("x.npy", X)
    for command, wanted in (
        ("distances", vech.pairwise.distances(X).expand()),
        ("similarity", vech.pairwise.kernel(X).expand()),
        ("covariance", vech.covariance.sample(X).expand()),
    ):
        works(command, "x.npy", "-o", f"{command}.zarr")
        works(command, "x.npy", "-o", f"{command}.zarr", "--resume")
        found = vech.read(f"{command}.zarr")
        assert type(found).__name__ == "Tiled" and found.missing() == []
        np.testing.assert_allclose(found.expand(), wanted, rtol=1e-12, atol=1e-14)
        assert "exists" in fails(command, "x.npy", "-o", f"{command}.zarr")
    assert fails("covariance", "x.npy", "-o", "c.npy", "--resume").startswith(
        "--resume goes on with a .zarr file, and OUT is c.npy"
    )


def test_a_store_of_tiles_is_a_folder_of_its_own(tiled, fails):
    for command in (("tile", "half.npy"), ("cholesky", "S.zarr")):
        message = fails(*command, "-o", "q::x.zarr")
        assert message == (
            "q::x.zarr: '::' is between a file and what is inside it, and a store of tiles is a folder of "
            "its own: choose a name without it"
        )


def test_a_factor_that_there_is_not_leaves_nothing(fails):
    vech.tiled.write("bad.zarr", vech.Packed(-np.ones(3)))
    assert fails("cholesky", "bad.zarr", "-o", "L.zarr").startswith("S is not positive definite: its leading")


def test_there_is_nothing_to_verify_where_there_is_no_matrix(fails, there):
    import zarr

    zarr.create_group("empty.zarr", zarr_format=3)
    (there / "folder.zarr").mkdir()
    assert fails("verify", "empty.zarr") == "empty.zarr: holds no dataset of numbers"
    assert fails("verify", "folder.zarr") == "folder.zarr: holds no Zarr array or group"


def test_what_is_to_replace_a_store_is_named(works, vech_run, there, monkeypatch):
    np.save("x.npy", np.random.default_rng(0).normal(size=(9, 3)))
    works("distances", "x.npy", "-o", "d.zarr")
    draft = there / ".d.zarr.part"

    def stopped(*_, **__):
        vech.tiled.create(draft, 9)
        raise KeyboardInterrupt

    monkeypatch.setattr("vech.pairwise.distances", stopped)
    code, _, err = vech_run("distances", "x.npy", "-o", "d.zarr", "--force")
    assert (code, err.lstrip("\n")) == (
        130,
        f"vech: interrupted; the same command with --resume goes on with {draft}\n",
    )
    said = works("verify", "d.zarr").splitlines()
    assert said[0].endswith(
        ".d.zarr.part: not finished, and to take the place of d.zarr: the command that made it goes on with "
        "--resume"
    )
    assert said[1] == "d.zarr: 1 tiles, all as they were written"


# ---- neighbors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [("-k", 3), ("--within", 0.5, "--largest")])
def test_a_graph_is_the_same_by_workers(works, fails, tiled, there, which):
    works("neighbors", "half.npy", *which, "-o", "half.csv")
    works("neighbors", "S.zarr", *which, "-o", "tiles.csv", "--executor", "threads:2")
    assert (there / "tiles.csv").read_text() == (there / "half.csv").read_text()
    assert fails("neighbors", "half.npy", *which, "-o", "more.csv", "--executor", "threads:2") == (
        "half.npy is no store of tiles, and workers read tiles: vech tile half.npy -o S.zarr first"
    )


# ---- executors ---------------------------------------------------------------------------------------------

BAD = ("local", "local:0", "threads:1_0", "dask://host", "dask://host:99999", "mpi:4", "")


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_executor_is_said(fails, name):
    message = fails("eigsh", "half.npy", "-o", "top.npz", "--executor", name)
    fits = "dask://HOST:PORT, local:N, threads:N, processes:N, such as local:2"
    assert f"{name!r} is none of {fits}" in message


def test_every_command_takes_an_executor_that_can_use_one():
    commands = ("distances", "similarity", "covariance", "neighbors", "eigsh", "cholesky")
    for name in commands:
        assert "--executor" in [opt for p in cli.vech_command.commands[name].params for opt in p.opts]


def test_a_scheduler_that_does_not_answer_is_named(fails, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("vech.cli.executors.ANSWERS", 0.3)
    np.save("x.npy", np.eye(4))
    message = fails("distances", "x.npy", "-o", "d.npy", "--executor", "dask://127.0.0.1:9")
    assert message.startswith("no scheduler of Dask answers at 127.0.0.1:9 within 0 s: start one there")


@pytest.mark.parametrize("name", ["threads:2", "processes:2"])
def test_workers_give_the_bits_of_one_process(works, name):
    np.save("x.npy", np.random.default_rng(0).normal(size=(30, 4)))
    works("distances", "x.npy", "-o", "one.npy")
    works("distances", "x.npy", "-o", "many.npy", "--executor", name)
    np.testing.assert_array_equal(vech.read("one.npy").half, vech.read("many.npy").half)


@pytest.mark.slow
def test_two_workers_of_dask_compute_and_go(works, vech_run):
    distributed = pytest.importorskip("distributed")
    X = np.random.default_rng(0).normal(size=(60, 4))
    np.save("x.npy", X)
    works("distances", "x.npy", "-o", "one.npy")
    code, _, err = vech_run("distances", "x.npy", "-o", "many.npy", "--executor", "local:2")
    assert (code, err) == (0, "")
    np.testing.assert_array_equal(vech.read("one.npy").half, vech.read("many.npy").half)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
    ) as cluster:
        address = cluster.scheduler_address.replace("tcp", "dask")
        assert vech_run("distances", "x.npy", "-o", "far.npy", "--executor", address)[0] == 0
    np.testing.assert_array_equal(vech.read("one.npy").half, vech.read("far.npy").half)


class Ended(Executor):
    """Whose workers are gone."""

    def submit(self, *_, **__):
        raise BrokenExecutor


@pytest.mark.parametrize(
    ("command", "way"),
    [
        (("distances", "x.npy", "-o", "d.zarr"), "the same command with --resume goes on"),
        (("neighbors", "d.zarr", "-o", "g.npz", "-k", 1), "run it again"),
    ],
    ids=["with --resume", "without"],
)
def test_workers_that_ended_are_one_line(vech_run, works, monkeypatch, command, way):
    np.save("x.npy", np.eye(4))
    if command[0] == "neighbors":
        works("distances", "x.npy", "-o", "d.zarr")
    said = f"vech: a worker of the executor has ended, killed or out of memory; {way}\n"
    with monkeypatch.context() as patched:
        patched.setattr(f"vech.cli.{command[0]}.started", lambda _: nullcontext(Ended()))
        assert vech_run(*command, "--executor", "processes:1") == (2, b"", said)
    works(*command, *(["--resume"] if "--resume" in way else []))


@pytest.mark.slow
def test_workers_that_do_not_start_are_one_line(fails, monkeypatch):
    distributed = pytest.importorskip("distributed")

    def fail(**_):
        raise RuntimeError("Nanny failed to start.")

    np.save("x.npy", np.eye(4))
    monkeypatch.setattr(distributed, "LocalCluster", fail)
    message = fails("distances", "x.npy", "-o", "d.npy", "--executor", "local:2")
    assert message == "workers of Dask do not start here (Nanny failed to start.): processes:2 do without"


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_one_line(there):
    distributed = pytest.importorskip("distributed")
    run = partial(subprocess.Popen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    options = ["--scheduler-file", "scheduler.json", "--no-dashboard"]
    dask = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        *options,
    ]
    scheduler = run(dask)
    worker = run(
        [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", *options]
    )
    try:
        end = time.monotonic() + 300
        while not (there / "scheduler.json").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        address = json.loads((there / "scheduler.json").read_text())["address"]
        with distributed.Client(address) as client:
            client.wait_for_workers(1, timeout=300)
        command = running(address.replace("tcp", "dask"))
        scheduler.kill()
        said = command.communicate(timeout=600)[1].lstrip("\n")
        assert command.returncode == 2 and said.startswith("vech: the cluster has lost its scheduler, or ")
        assert said.endswith("; the same command with --resume goes on\n") and said.count("\n") == 1
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def running(who):
    """A command whose workers are at work for long, as a terminal has it: in a group of its own."""
    np.save("x.npy", np.random.default_rng(0).random(size=(15_000, 60)))
    command = ("distances", "x.npy", "-o", "d.zarr", "--metric", "jensenshannon", "--executor", who)
    run = subprocess.Popen(
        [sys.executable, "-m", "vech", *command], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    first, end = Path("d.zarr/data/c/0/0"), time.monotonic() + 600
    while not first.exists():
        assert run.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    return run


def alive(group):
    """The processes of a group, but for those whose end nobody has asked for."""
    found = subprocess.run(["ps", "-eo", "pgid=,pid=,stat="], capture_output=True, text=True).stdout.split()
    return [
        pid for of, pid, state in zip(*[iter(found)] * 3, strict=True) if of == str(group) and state[0] != "Z"
    ]


def left_of(group):
    """Its processes that do not end: Python's own, which watches shared memory, ends after the command."""
    end = time.monotonic() + 300
    while alive(group) and time.monotonic() < end:
        time.sleep(0.02)
    return alive(group)


def interrupted(run):
    """What it says of Ctrl-C, or of the next: Python drops one in a callback of a weak reference."""
    for _ in range(5):
        os.killpg(run.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return run.communicate(timeout=120)[1]
    pytest.fail("it does not hear Ctrl-C")


@pytest.mark.slow
@pytest.mark.parametrize("who", ["local:2", "processes:2"])
def test_ctrl_c_is_for_the_command_and_its_workers_say_nothing(who):
    pytest.importorskip("distributed")
    run = running(who)
    said = "vech: interrupted; the same command with --resume goes on with d.zarr\n"
    assert (interrupted(run).lstrip("\n"), run.returncode) == (said, 130)
    assert left_of(run.pid) == []


@pytest.mark.slow
def test_workers_end_with_a_command_that_is_killed():
    run = running("processes:2")
    try:
        assert len(alive(run.pid)) >= 3
        run.kill()
        run.wait()
        assert left_of(run.pid) == []
    finally:
        for pid in alive(run.pid):
            os.kill(int(pid), signal.SIGKILL)
        run.stderr.close()


# ---- distances, similarity, covariance ---------------------------------------------------------------------


def test_similarity_is_the_kernel(works, there):
    X = np.random.default_rng(0).normal(size=(9, 3))
    np.save("x.npy", X)
    works("similarity", "x.npy", "-o", "k.npy", "--gamma", 0.3)
    np.testing.assert_array_equal(vech.read("k.npy").half, vech.pairwise.kernel(X, gamma=0.3).half)
    works("similarity", "x.npy", "-o", "p.npy", "--metric", "poly", "--degree", 2, "--coef0", 0)
    wanted = vech.pairwise.kernel(X, "poly", degree=2, coef0=0.0).half
    np.testing.assert_array_equal(vech.read("p.npy").half, wanted)
    assert json.loads((there / "k.npy.json").read_text())["layout"] == "vech"


def test_similarity_says_what_a_kernel_does_not_take(fails):
    np.save("x.npy", np.eye(3))
    assert fails("similarity", "x.npy", "-o", "k.npy", "--nu", 2.5) == "metric 'rbf' takes no nu: 'matern' do"
    assert "rbf" in fails("similarity", "x.npy", "-o", "k.npy", "--metric", "rbg")
