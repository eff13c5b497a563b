"""The model of jobs on tiles: what it gives in cases that can be said beforehand."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("benchmarks/ is not beside the tests", allow_module_level=True)
sys.path.insert(0, str(ROOT))
from benchmarks import scale_model as model

sys.path.remove(str(ROOT))

FREE = model.Cluster(
    nodes=1,
    slots=1,
    flops=10.0,
    memory=1e12,
    disk=100.0,
    disk_write=50.0,
    line=20.0,
    store=30.0,
    dispatch=1e-9,
)


def seconds(cluster, tasks, place=model.MEMORY, **more):
    return model.Simulation(cluster, tasks, place, **more).run().seconds


def test_one_slot_does_one_task_after_the_other():
    tasks = [model.Task(flops=20.0)] * 5
    assert seconds(FREE, tasks) == pytest.approx(5 * 2.0)
    assert seconds(replace(FREE, nodes=2), tasks) == pytest.approx(3 * 2.0)
    assert seconds(replace(FREE, slots=5), tasks) == pytest.approx(5 * 2.0)  # slots share the node


def test_reading_computing_and_writing_follow_each_other():
    task = model.Task(reads=200.0, flops=30.0, writes=100.0)
    assert seconds(FREE, [task], model.DISK, writes_to=model.DISK) == pytest.approx(2 + 3 + 2)
    assert seconds(FREE, [task], model.STORE, writes_to=model.STORE) == pytest.approx(10 + 3 + 5)


def test_the_store_serves_all_nodes_in_equal_shares_and_each_by_its_line():
    tasks = [model.Task(reads=60.0)] * 4
    one_a_node = replace(FREE, nodes=4)
    assert seconds(one_a_node, tasks, model.STORE) == pytest.approx(60 / (30 / 4))  # of the store
    assert seconds(replace(one_a_node, store=1e9), tasks, model.STORE) == pytest.approx(
        60 / 20
    )  # of the line


def test_the_scheduler_and_the_client_take_one_after_the_other():
    many = replace(FREE, nodes=50, dispatch=0.5)
    assert seconds(many, [model.Task()] * 40) == pytest.approx(20)
    slow = replace(FREE, nodes=50, client=10.0)
    assert seconds(slow, [model.Task(sends=5.0)] * 40) == pytest.approx(20)


def test_dispatch_is_hidden_behind_work_where_tasks_are_given_out_ahead():
    tasks = [model.Task(flops=20.0)] * 10
    ahead = replace(FREE, dispatch=1.0)
    assert seconds(ahead, tasks) == pytest.approx(1 + 20)
    assert seconds(replace(ahead, ahead=1), tasks) == pytest.approx(10 * 3)


def test_tasks_wait_for_those_that_they_need():
    chain = [model.Task(flops=10.0, needs=[k - 1] if k else []) for k in range(6)]
    assert seconds(replace(FREE, nodes=6), chain) == pytest.approx(6.0)


def test_a_node_that_fails_loses_its_tasks_and_they_are_done_again():
    tasks = [model.Task(flops=100.0)] * 20
    failing = replace(FREE, nodes=3, between_failures=30.0, restart=5.0)
    runs = [model.Simulation(failing, tasks, seed=seed).run() for seed in range(5)]
    sound = model.Simulation(replace(FREE, nodes=3), tasks).run()
    assert sound.repeated == 0 and sound.seconds == pytest.approx(70)
    assert all(run.tasks == 20 and run.repeated > 0 and run.seconds > sound.seconds for run in runs)
    assert runs[0] == model.Simulation(failing, tasks, seed=0).run()


def test_a_node_reads_again_what_it_held():
    tasks = [model.Task(flops=100.0)] * 20
    failing = replace(FREE, nodes=3, between_failures=30.0, restart=5.0)
    assert seconds(failing, tasks, held=1000.0) > seconds(failing, tasks) + 40


@pytest.mark.parametrize("n, tile", [(1000, 100), (1050, 100), (70, 100)])
def test_jobs_have_the_bytes_and_operations_of_the_matrix(n, tile):
    sides = model.spans(n, tile)
    half = sum(sides[i] * sides[j] for i in range(len(sides)) for j in range(i + 1))
    assert sum(task.reads for task in model.loads(n, tile)) == 8 * half
    for beside in (1, 3, 16):
        passes = list(model.passes(n, tile, 4, beside=beside))
        assert sum(task.reads for task in passes) == 8 * half
        assert sum(task.flops for task in passes) == 2 * 4 * n * n  # each number for both of its places
    gram = list(model.gram(n, tile, 7))
    assert sum(task.flops for task in gram) == 2 * 7 * half
    assert sum(task.writes for task in gram) == 8 * half
    factor = list(model.cholesky(n, tile))
    assert sum(task.writes for task in factor) == 8 * half
    assert sum(task.flops for task in factor) == pytest.approx(n**3 / 3, rel=1e-9)


def test_a_tile_of_a_factor_needs_those_of_its_two_rows():
    at = {(i, j): i * (i + 1) // 2 + j for i in range(4) for j in range(i + 1)}
    tasks = list(model.cholesky(40, 10))
    assert tasks[at[0, 0]].needs == []
    assert tasks[at[3, 1]].needs == sorted([at[3, 0], at[1, 0], at[1, 1]])
    assert tasks[at[2, 2]].needs == sorted([at[2, 0], at[2, 1]])


def test_what_is_no_place_or_no_rate_is_refused():
    with pytest.raises(ValueError, match="tasks read and write in memory, disk, store, not 'tape'"):
        model.Simulation(FREE, [], "tape")
    with pytest.raises(ValueError, match="rates are positive and finite"):
        model.Simulation(replace(FREE, disk=math.inf), [])


def test_the_sizing_has_each_job_at_any_size():
    rows = model.sizing(replace(model.PAPER, nodes=2), n=20_000, tile=1000, side=5000)
    assert len({row.what for row in rows}) == len(rows) == 15
    times = {row.what: row.seconds for row in rows}
    assert times["S @ x, 64 columns, from NVMe"] >= times["S @ x, 64 columns, in memory"]
    assert times["read once from the store"] == pytest.approx(8 * 20_000 * 21_000 / 2 / 4e9, rel=0.2)


@pytest.mark.slow
def test_two_workers_are_predicted_here(tmp_path, monkeypatch):
    """That both halves of the comparison run; not how far they are apart, which a busy processor decides."""
    pytest.importorskip("zarr")
    distributed = pytest.importorskip("distributed")
    from benchmarks import scale_here

    for name, few in (("ROUNDS", 2), ("SOME", 1), ("OPERATIONS", 1e6)):
        monkeypatch.setattr(scale_here, name, few)
    options = {"processes": False, "n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(**options) as client:  # which is dask's own while it is open
        jobs = scale_here.compare(200, 64, tmp_path, client, features=32)
        said = scale_here.submitted(500, 100, client)
    assert [job.name for job in jobs] == ["S @ V, 8 columns", "X X^T, 32 columns", "Cholesky"]
    assert all(job.predicted > 0 and job.measured > 0 for job in jobs)
    assert "| apart |" in scale_here.table(200, 64, jobs)
    assert said.startswith("n = 500: 15 tasks in 0 s")


def test_the_command_takes_each_number_of_the_cluster(capsys):
    model.main(
        [
            "--nodes",
            "2",
            "--slots",
            "3",
            "--flops",
            "1e12",
            "--n",
            "20000",
            "--tile",
            "1000",
            "--side",
            "5000",
        ]
    )
    cluster = replace(model.PAPER, nodes=2, slots=3, flops=1e12)
    assert capsys.readouterr().out == model.on_paper(cluster, 20_000, 1000, 5000) + "\n"
    with pytest.raises(SystemExit):
        model.main(["--help"])
    said = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in said for name in vars(model.PAPER))
    with pytest.raises(SystemExit):
        model.main(["--knots", "2"])
