"""Tasks of any executor: a bounded window of them, lost workers, and what goes out with them."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest

from interrupts import interrupted_after
from tasks_for_tests import Counted, deadly, failing, noted, numbers, one_of, slow, square
from vech.executors import SMALL, Shipment, completed, executor_of, in_order, mapped_from

LARGE = np.arange(SMALL, dtype="f8")


@contextmanager
def cluster_of(workers):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        processes=True, n_workers=workers, threads_per_worker=1, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture(scope="module")
def client():
    with cluster_of(2) as client:
        yield client


@pytest.fixture(scope="module")
def processes():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(params=("here", "threads", "processes", "dask"))
def executor(request):
    if request.param == "here":
        yield None
    elif request.param == "threads":
        with ThreadPoolExecutor(2) as pool:
            yield pool
    else:
        given = request.getfixturevalue({"processes": "processes", "dask": "client"}[request.param])
        yield executor_of(given)


def test_each_item_comes_with_its_result(executor):
    assert dict(completed(executor, square, range(20))) == {k: k * k for k in range(20)}
    assert list(in_order(executor, square, range(20))) == [(k, k * k) for k in range(20)]
    assert list(completed(executor, square, [])) == []


def test_what_is_large_goes_out_once(executor):
    """Not with every task."""
    Counted.sent = 0
    assert sum(x for _, x in completed(executor, Counted(LARGE), range(20))) == 190
    assert Counted.sent <= 1


@pytest.mark.parametrize("way", (completed, in_order))
def test_only_a_window_of_tasks_is_alive(executor, way):
    """However many there are: neither items nor results wait anywhere."""
    given = 0

    def items():
        nonlocal given
        for given in range(1, 61):  # noqa: UP028
            yield given

    most = 0
    for number, _ in enumerate(way(executor, square, items())):
        most = max(most, given - number)
    assert given == 60
    assert most <= 1 if executor is None else 2 <= most <= 5


@pytest.mark.parametrize("way", (completed, in_order))
def test_a_result_is_let_go_when_the_next_one_comes(executor, way):
    results, alive = [], 0
    for _, made in way(executor, numbers, range(12)):
        results.append(weakref.ref(made))
        del made
        alive = max(alive, sum(ref() is not None for ref in results))
    assert alive <= 2


def test_a_cluster_lets_results_go_as_they_come(client):
    """So that its scheduler holds a window of tasks, and its workers the results of that."""

    def alive(dask_scheduler):
        return len(dask_scheduler.tasks)

    most = 0
    others = client.run_on_scheduler(alive)  # of a test before that was interrupted
    for k, _ in completed(executor_of(client), square, range(100)):
        if k % 10 == 9:
            most = max(most, client.run_on_scheduler(alive))
    assert most <= 12 + others
    end = time.monotonic() + 300
    while client.run_on_scheduler(alive) > others and time.monotonic() < end:
        time.sleep(0.01)
    assert client.run_on_scheduler(alive) <= others


def test_a_cluster_does_the_same_task_again(client, tmp_path):
    """A second run is not answered with the results of the first one."""
    executor = executor_of(client)
    for _ in range(2):
        list(completed(executor, partial(noted, tmp_path), [1, 1]))
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.slow
def test_a_killed_worker_costs_its_tasks_only(tmp_path):
    X = np.zeros(SMALL)  # goes out once, to both
    work = partial(_noted_beside, tmp_path, X)
    seen = []
    with cluster_of(2) as client:
        for k, (_, worker) in completed(executor_of(client), work, range(30)):
            seen.append(k)
            if len(seen) == 5:
                os.kill(worker, signal.SIGKILL)
    assert sorted(seen) == list(range(30))
    begun = len(list(tmp_path.iterdir()))
    assert 30 <= begun <= 30 + 6


def _noted_beside(folder, X, k):
    return noted(folder, k)


def test_a_task_that_kills_its_workers_is_one_error():
    message = r"a worker of the executor has ended, killed or out of memory; .*\(with out=, and resume=True\)"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for _ in ("ends", "has ended"):
            with pytest.raises(BrokenExecutor, match=message):
                list(completed(pool, deadly, [1]))


SCRIPT = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import numpy as np
import vech

{guard}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        D = vech.pairwise.distances(np.eye(4), executor=pool)
        print(D.half.round(3).tolist())
"""


def test_a_script_that_its_processes_read_again_is_told_what_guards_it(tmp_path):
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for guard in ("if True:", 'if __name__ == "__main__":'):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT.format(guard=guard))
        done = subprocess.run(
            [sys.executable, script], env=paths, capture_output=True, text=True, timeout=600
        )
        if guard == "if True:":
            said = done.stderr.strip().splitlines()[-1]
            assert said.startswith(
                "concurrent.futures.process.BrokenProcessPool: a worker of the executor has ended, "
            )
            assert f"or because each process that is started reads {script} again" in said
            assert said.endswith('below a line if __name__ == "__main__":')
        else:
            assert done.stdout == f"{6 * [1.414]}\n", done.stderr


@pytest.mark.slow
def test_a_task_that_kills_all_workers_of_a_cluster_is_one_error():
    """Here at the first of them: Dask does not always bring back one that it has lost."""
    dask = pytest.importorskip("dask")
    message = "a worker of the executor has ended, killed or out of memory"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        cluster_of(1) as client,
        pytest.raises(BrokenExecutor, match=message),
    ):
        list(completed(executor_of(client), deadly, [1]))


@pytest.mark.slow
def test_a_lost_scheduler_is_one_error(tmp_path):
    distributed = pytest.importorskip("distributed")
    said = str(tmp_path / "scheduler.json")
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = partial(subprocess.Popen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=paths)
    part = [sys.executable, "-m"]
    options = ["--scheduler-file", said, "--no-dashboard"]
    scheduler = run([*part, "distributed.cli.dask_scheduler", "--port", "0", *options])
    worker = run([*part, "distributed.cli.dask_worker", "--no-nanny", "--nthreads", "1", *options])
    try:
        with distributed.Client(scheduler_file=said, timeout=600, set_as_default=False) as client:
            client.wait_for_workers(1)
            began = time.monotonic()
            message = r"the cluster has lost its scheduler, .*what is done in a store, .*stays there"
            with pytest.raises(BrokenExecutor, match=message):
                for k, _ in completed(executor_of(client), slow, range(1000)):
                    if k == 3:
                        scheduler.kill()
            assert time.monotonic() - began < 60
            with suppress(TimeoutError):
                client.close(timeout=1)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def test_a_client_that_was_closed_is_the_same_error(client):
    distributed = pytest.importorskip("distributed")
    other = distributed.Client(client.scheduler.address, set_as_default=False)
    with other, pytest.raises(BrokenExecutor, match="or its client was closed"):
        for k, _ in completed(executor_of(other), slow, range(1000)):
            if k == 3:
                other.close()


def test_a_client_that_nobody_waits_for_is_refused():
    class Asynchronous:
        asynchronous = True

        def get_executor(self, **_):
            raise AssertionError

    with pytest.raises(TypeError, match=r"executor is an asynchronous client, .*give Client\(address\)"):
        executor_of(Asynchronous())


def test_an_error_comes_out_and_no_task_is_begun_any_more(executor):
    given = []

    def items():
        for k in range(10**5):
            given.append(k)
            yield k

    with pytest.raises(ZeroDivisionError, match="of task 3"):
        list(completed(executor, failing, items()))
    assert len(given) < 1000  # a dozen, unless the worker that fails is stopped for a while


def test_after_an_error_threads_are_told_to_stop():
    stop, ended = threading.Event(), []

    def work(k):
        if k == 0:
            raise ZeroDivisionError
        ended.append(stop.wait(600))

    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        list(completed(pool, work, range(100), stop=stop))
    assert len(ended) <= 4 and all(ended)


def test_when_nobody_wants_more_no_task_is_begun(executor):
    results = completed(executor, slow, iter(range(10**9)))
    k, found = next(results)
    assert k == found < 4
    results.close()


def test_ctrl_c_cancels_what_has_not_begun(executor):
    begun = []

    def items():
        for k in range(10**6):
            begun.append(k)
            yield k

    assert interrupted_after(0.2, lambda: list(completed(executor, slow, items())))
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count < 10**4  # some dozens, unless the first Ctrl-C was not heard


# ---- what goes out -----------------------------------------------------------------------------------------


def test_a_cluster_takes_functions_of_a_notebook(client):
    """Which no module has, and other processes refuse."""
    X = np.arange(9.0)
    assert [x for _, x in in_order(executor_of(client), lambda k: X[k] + 1, range(3))] == [1, 2, 3]


def test_what_cannot_be_sent_says_what_to_do(processes):
    message = r"cannot be sent to other processes .*functools.partial, or use a ThreadPoolExecutor"
    with pytest.raises(TypeError, match=message):
        list(completed(processes, lambda k: k, range(3)))


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "X.npy", np.arange(2.0 * SMALL).reshape(-1, 64))
    return np.load(tmp_path / "X.npy", mmap_mode="r")


VIEWS = {
    "all": lambda X: X,
    "rows": lambda X: X[7:1000:3],
    "columns": lambda X: X[:, 5:9],
    "backwards": lambda X: X[::-1, ::-2],
    "transposed": lambda X: X.T,
    "an array": lambda X: np.asarray(X)[3:],
    "one number": lambda X: X[5:6, 7:8],
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_memory_map_goes_out_as_its_path(mapped, view):
    X = VIEWS[view](mapped)
    shipment = Shipment.of(partial(one_of, X))
    assert shipment.nbytes < 1000
    there = shipment.function().args[0]
    np.testing.assert_array_equal(there, X)
    assert there.dtype == X.dtype and not there.flags.writeable


def test_workers_read_a_memory_map_from_its_file(executor, mapped):
    X = mapped[3::2].T
    found = dict(completed(executor, partial(one_of, X), (0, 1, 100)))
    assert found == {k: X.reshape(-1)[k] for k in (0, 1, 100)}


def test_a_map_that_is_written_to_is_flushed(tmp_path):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", "f8", (SMALL,))
    X[:] = 3
    shipment = Shipment.of(X)
    assert shipment.nbytes < 1000
    assert (shipment.function() == 3).all()


def test_numbers_that_are_not_in_the_file_go_out_themselves(tmp_path, mapped):
    """Changes of a private map, and a file that another one took the place of."""
    private = np.load(tmp_path / "X.npy", mmap_mode="c")
    private[len(private) // 2] = -1
    assert mapped_from(private) is None and Shipment.of(private).nbytes > SMALL
    np.save(tmp_path / "other.npy", np.zeros_like(mapped))
    os.replace(tmp_path / "other.npy", tmp_path / "X.npy")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(Shipment.of(mapped))).function()[1], mapped[1])
    os.unlink(tmp_path / "X.npy")
    assert mapped_from(mapped) is None


def test_a_worker_without_the_file_says_which_it_needs(tmp_path, mapped):
    shipment = Shipment.of(mapped)
    os.rename(tmp_path / "X.npy", tmp_path / "Y.npy")
    with pytest.raises(FileNotFoundError, match=r"X\.npy cannot be mapped by a worker .*put that where all"):
        shipment.function()


def test_what_is_shipped_by_a_file_is_there_again(tmp_path):
    X, y = np.arange(1001.0), np.asfortranarray(np.arange(6).reshape(2, 3))
    Shipment.of({"X": X, "y": y, "z": "text"}).write(tmp_path / "task")
    there = Shipment.read(tmp_path / "task").function()
    np.testing.assert_array_equal(there["X"], X)
    np.testing.assert_array_equal(there["y"], y)
    assert there["z"] == "text" and not there["X"].flags.writeable
    with pytest.raises(FileExistsError):
        Shipment.of(X).write(tmp_path / "task")
