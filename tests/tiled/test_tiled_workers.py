"""What is asked of a tiled store is computed by its executor: the same bits, a few tasks at a time."""

import os
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import vech
from compare import assert_same_bits
from vech import linalg, neighbors, tiled
from vech.derived.tiles import TOGETHER
from vech.executors import EACH, in_order

N, TILE = 90, 5
SIDE = 18  # so that rows of tiles are more than one task
TASKS = 2 * SIDE - TOGETHER


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(params=("threads", "processes"))
def executor(request):
    if request.param == "threads":
        with ThreadPoolExecutor(3) as pool:
            yield pool
    else:
        yield request.getfixturevalue("processes")


def matrix(dtype="f8", n=N):
    """Distances, many of which are the same, some of them NaN and infinite where there are such."""
    random = np.random.default_rng(1)
    points = random.integers(0, 5, size=(n, 3))
    full = np.abs(points[:, None] - points).sum(axis=2).astype(dtype)
    if full.dtype.kind == "f":
        odd = np.tril(random.random((n, n)) < 0.05, -1)
        full[odd] = random.choice(np.array([np.nan, np.inf, -0.0], dtype), int(odd.sum()))
    elif full.dtype.itemsize == 8:
        full += 2**62 * (full != 0)  # which no float tells apart
    return np.tril(full, -1) + np.tril(full, -1).T


def store(path, full, tile=TILE, kind="symmetric"):
    made = tiled.create(path, len(full), dtype=full.dtype, kind=kind, tile=tile)
    return made.fill(lambda rows, columns: full[rows, columns])


def definite(n=N):
    x = np.random.default_rng(n).normal(size=(n, n))
    return x @ x.T + n * np.eye(n)


def arrays(found):
    """What an answer has of arrays and numbers."""
    if hasattr(found, "indptr"):
        return [found.indptr, found.indices, found.data]
    parts = found if isinstance(found, tuple) else (found,)
    return [np.ascontiguousarray(part) for part in parts if part is not None]


NEIGHBOURS = {
    "nearest": lambda S: neighbors.nearest(S, 7),
    "nearest of all": lambda S: neighbors.nearest(S, N - 1, largest=True),
    "of none": lambda S: neighbors.nearest(S, 0),
    "within": lambda S: neighbors.within(S, 3),
    "at least": lambda S: neighbors.within(S, 3, largest=True),
    "graph": lambda S: neighbors.graph(S, 3),
    "mutual": lambda S: neighbors.graph(S, 3, largest=True, combine="mutual"),
    "strongest": lambda S: neighbors.strongest(S, 20),
    "weakest": lambda S: neighbors.strongest(S, 20, absolute=False, largest=False),
    "csr": lambda S: S.to_csr(),
    "csc": lambda S: S.to_csc(part="upper"),
    "above": lambda S: S.to_csr(threshold=3),
    "above in the lower triangle": lambda S: S.to_csc(part="lower", threshold=2.5),
}
SUMS = {
    **{f"norm {ord}": lambda S, ord=ord: linalg.norm(S, ord) for ord in ("fro", "max", 1, np.inf, 2)},
    "inner": lambda S: linalg.inner(S, vech.Packed.from_full(definite())),
    **{name: lambda S, name=name: getattr(S, name)() for name in ("min", "max", "mean", "std")},
    **{name: lambda S, name=name: getattr(S, name)() for name in ("argmin", "argmax")},
    "inner with itself": lambda S: linalg.inner(S, S),
}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8"])
def test_neighbours_are_those_of_one_process(tmp_path, executor, dtype):
    T = store(tmp_path / "S.zarr", matrix(dtype))
    packed = T.to_packed()
    for answer in NEIGHBOURS.values():
        for mine, here, want in zip(
            *(arrays(answer(S)) for S in (T.using(executor), T, packed)), strict=True
        ):
            assert_same_bits(mine, here)
            assert_same_bits(mine, want)


@pytest.mark.parametrize("name", SUMS)
def test_sums_are_those_of_one_process(tmp_path, executor, name):
    T = store(tmp_path / "S.zarr", definite())
    mine, here, want = (SUMS[name](S) for S in (T.using(executor), T, T.to_packed()))
    assert_same_bits(np.asarray(mine), np.asarray(here))
    np.testing.assert_allclose(mine, want, rtol=1e-10)


@pytest.mark.parametrize("kind", ["hermitian", "skew", "skew-hermitian", "symmetric"])
def test_of_every_kind_and_through_its_views(tmp_path, kind):
    x = np.random.default_rng(0).normal(size=(2, N, N))
    full = np.tril(x[0] if kind == "skew" else x[0] + 1j * x[1], -1)
    full += (full if kind in ("symmetric", "skew") else full.conj()).T * (-1 if "skew" in kind else 1)
    T = store(tmp_path / "S.zarr", full, kind=kind)
    with ThreadPoolExecutor(2) as pool:
        for mine, here in ((T.using(pool), T), (T.using(pool).T, T.T), (T.H.using(pool), T.H)):
            for answer in (lambda S: S.to_csr(), lambda S: linalg.norm(S, 1), lambda S: linalg.inner(S, T)):
                for got, want in zip(*(arrays(answer(S)) for S in (mine, here)), strict=True):
                    assert_same_bits(got, want)
            np.testing.assert_array_equal(mine.to_csr().toarray(), here.expand())


@pytest.mark.parametrize("n", [0, 1, 4, 5, 6, 11])
def test_small_ones(tmp_path, n):
    T = store(tmp_path / "S.zarr", matrix(n=n))
    k = max(0, n - 1)
    with ThreadPoolExecutor(2) as pool:
        for answer in (
            lambda S: neighbors.nearest(S, k),
            lambda S: neighbors.within(S, 3),
            lambda S: neighbors.strongest(S, 3)[:3],
            lambda S: linalg.norm(S, 1),
        ):
            for got, want in zip(*(arrays(answer(S)) for S in (T.using(pool), T)), strict=True):
                assert_same_bits(got, want)


def factor_answers(F):
    b = np.random.default_rng(2).normal(size=(F.n, 3))
    return [
        F.solve(b),
        F.solve(b[:, 0]),
        F.L @ b,
        F.L.H @ b,
        F.L.solve(b),
        F.L.H.solve(b),
        F.logdet(),
        F.cond(),
    ]


def test_a_factor_solves_as_in_one_process(tmp_path, executor):
    F = linalg.cholesky(store(tmp_path / "S.zarr", definite()), out=tmp_path / "L.zarr")
    L = np.linalg.cholesky(definite())
    mine, here = factor_answers(F.using(executor)), factor_answers(F)
    for got, want in zip(mine, here, strict=True):
        assert_same_bits(np.asarray(got), np.asarray(want))
    b = np.random.default_rng(2).normal(size=(N, 3))
    for got, want in zip(
        mine[2:6], (L @ b, L.T @ b, np.linalg.solve(L, b), np.linalg.solve(L.T, b)), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(definite() @ mine[0], b, atol=1e-10)


def test_a_factor_is_made_by_the_executor_of_the_matrix(tmp_path, monkeypatch):
    T, used = store(tmp_path / "S.zarr", definite()), []
    with ThreadPoolExecutor(2) as pool:
        submit = pool.submit
        monkeypatch.setattr(pool, "submit", lambda *task: used.append(task) or submit(*task))
        F = linalg.cholesky(T.using(pool), out=tmp_path / "L.zarr")
    assert len(used) == SIDE * (SIDE + 1) // 2
    np.testing.assert_allclose(definite() @ F.solve(np.ones(N)), 1, atol=1e-10)


@pytest.mark.parametrize("name", ["nearest", "within", "strongest", "norm 1", "solve"])
def test_only_a_window_of_tasks_is_alive(tmp_path, monkeypatch, name):
    """However many there are: neither tasks nor results wait anywhere."""
    alive, most, total = 0, 0, 0

    class Watched:
        def __init__(self, items):
            self.items = iter(items)

        def __iter__(self):
            return self

        def __next__(self):
            nonlocal alive, most, total
            item = next(self.items)
            alive, total = alive + 1, total + 1
            most = max(most, alive)
            return item

    def watched(executor, function, items):
        nonlocal alive
        for result in in_order(executor, function, Watched(items)):
            alive -= 1
            yield result

    monkeypatch.setattr("vech.tiled.store.in_order", watched)
    monkeypatch.setattr("vech.tiled.factor.in_order", watched)
    T = store(tmp_path / "S.zarr", definite())
    answer = {**NEIGHBOURS, **SUMS, "solve": lambda F: F.solve(np.ones(N))}[name]
    S = linalg.cholesky(T, out=tmp_path / "L.zarr") if name == "solve" else T
    with ThreadPoolExecutor(2) as pool:
        answer(S.using(pool))
    assert total >= TASKS and most <= 2 * EACH


# ---- what fails --------------------------------------------------------------------------------------------


def test_a_task_that_fails_says_so_and_the_workers_go_on(tmp_path, executor):
    T = store(tmp_path / "S.zarr", definite())
    F = linalg.cholesky(T, out=tmp_path / "L.zarr")
    for S, file in ((T, "S.zarr"), (F, "L.zarr")):
        tile = tmp_path / file / "data/c/9/3"
        letters = bytearray(tile.read_bytes())
        letters[5] ^= 1
        tile.write_bytes(letters)
        for answer in (neighbors.nearest, linalg.norm) if S is T else (type(F).solve,):
            given = () if answer is linalg.norm else (3,) if S is T else (np.ones(N),)
            with pytest.raises(vech.io.FileFormatError, match=r"tile \(9, 3\) is damaged"):
                answer(S.using(executor), *given)
        letters[5] ^= 1
        tile.write_bytes(letters)
    assert linalg.norm(T.using(executor)) == linalg.norm(T)


def test_who_has_no_memory_for_what_is_chosen_is_told(tmp_path, processes, monkeypatch):
    T = store(tmp_path / "S.zarr", matrix())
    monkeypatch.setattr("vech.arrays.UNCHECKED_BYTES", 0)
    monkeypatch.setattr("vech.arrays.memory_limit", lambda: 50_000)
    with pytest.raises(MemoryError, match="take a closer limit"):
        neighbors.within(T.using(processes), 10)


def test_workers_that_are_killed_are_told_of(tmp_path):
    T = store(tmp_path / "S.zarr", matrix())
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def kill(done, total):
            for pid in pool._processes:
                os.kill(pid, signal.SIGKILL)

        with pytest.raises(BrokenExecutor, match="a worker of the executor has ended, killed or out of mem"):
            neighbors.nearest(T.using(pool), 3, progress=kill)


def test_a_cluster_gives_the_same_bits_and_a_worker_killed_costs_its_tasks_only(tmp_path):
    distributed = pytest.importorskip("distributed")
    T, K = store(tmp_path / "S.zarr", matrix()), store(tmp_path / "K.zarr", definite())
    F = linalg.cholesky(K, out=tmp_path / "L.zarr")
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        for S, answer in (
            (T, NEIGHBOURS["within"]),
            (T, NEIGHBOURS["strongest"]),
            (K, SUMS["norm fro"]),
            (K, SUMS["inner"]),
            (F, lambda F: F.solve(np.ones((N, 2)))),
            (F, lambda F: F.logdet()),
        ):
            for got, want in zip(*(arrays(answer(seen)) for seen in (S.using(client), S)), strict=True):
                assert_same_bits(got, want)
        workers = list(client.run(os.getpid).values())

        def kill(done, total):
            if done == total // 2:
                os.kill(workers[0], signal.SIGKILL)

        found = neighbors.nearest(T.using(client), 5, progress=kill)
    for got, want in zip(found, neighbors.nearest(T, 5), strict=True):
        assert_same_bits(got, want)


class Counting(ThreadPoolExecutor):
    """How many tasks it was given."""

    given = 0

    def submit(self, *what, **how):
        self.given += 1
        return super().submit(*what, **how)


@pytest.mark.parametrize(
    "view",
    [lambda T: T.with_labels([f"r{k}" for k in range(T.n)]), lambda T: T.T, lambda T: T.H, lambda T: T.T.H],
)
def test_views_keep_who_computes(tmp_path, view):
    square = np.triu(np.arange(36.0).reshape(6, 6), 1)
    T = vech.tiled.create(tmp_path / "S.zarr", 6, tile=2, kind="skew")
    T.fill(lambda rows, columns: (square - square.T)[rows, columns])
    with Counting(2) as pool:
        view(T.using(pool)) @ np.ones(6)
        assert pool.given == 3


def test_a_class_and_a_client_that_is_closed_compute_nothing(tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    T = vech.tiled.create(tmp_path / "S.zarr", 6, tile=2).fill(lambda rows, columns: np.ones((2, 2)))
    with pytest.raises(TypeError, match=r"the class ThreadPoolExecutor, .*: ThreadPoolExecutor\(\)"):
        T.using(ThreadPoolExecutor)
    with distributed.Client(processes=False, n_workers=1, dashboard_address=None) as client:
        pass
    with pytest.raises(BrokenExecutor):
        T.using(client).mean()
