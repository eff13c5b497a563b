"""The benchmarks run and report every row; what they measure is for a quiet machine."""

import re
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PEERS = (
    "squareform",
    "statsmodels",
    "PySCF",
    "triarray",
    "skfolio",
    "Riskfolio-Lib",
    "pandas, every 5th column",
    "MKL syrk",
    "MKL syrk, sorted",
    "sparse_dot_topn",
    "scikit-learn",
    "kmedoids",
    "scikit-bio",
    "MKL",
    "MKL, optimized",
    "GraphBLAS",
    "HeavyBall",
    "ASDL",
)


def benchmarks(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PEER_TAKES_MINUTES = "nearest_correlation, n = 300"


@pytest.fixture(scope="module")
def rows():
    return benchmarks("--list").splitlines()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmarks") / "page.md"
    benchmarks("--quick", "--write", str(path))
    return path.read_text(encoding="utf-8")


TENSORS = {"JAX": "jax", "tensors": "torch", "(x, half)": "torch", "Shampoo": "torch", "optimizers": "torch"}
"""Whose rows these are, by a word in their names: where the library is missing they have no case."""


def table(page, row):
    """The cases of one row: what each column says."""
    section = page.split(f"### {row}\n", 1)[1].split("###")[0]
    lines = [line.strip("| ").split(" | ") for line in re.findall(r"^\|.*\|$", section, re.MULTILINE)]
    header, _, *cases = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(header, case, strict=False)) for case in cases]


def test_every_row_gives_numbers(rows, page):
    assert rows
    for row in rows:
        if any(word in row and find_spec(library) is None for word, library in TENSORS.items()):
            assert f"### {row}\n" not in page
            continue
        cases = table(page, row)
        parities = {int(case["case"].split("/")[3]) % 2 for case in cases}
        assert parities == ({0} if row == PEER_TAKES_MINUTES else {0, 1}), f"{row}: even and odd n"
        for case in cases:
            assert re.match(r"\d+\.\d\d", case["vech"]), case
            for column, cell in case.items():
                known = re.match(r"\d+\.\d+( ms| us| MiB)?$", cell) or cell == ""
                assert column == "case" or known or (column in PEERS and cell == "not installed"), case


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("moves", "benchmarks-moves.md"),
        ("halves", "benchmarks.md"),
        ("rows", "benchmarks-rows.md"),
        ("tiles", "benchmarks-tiles.md"),
        ("quantized", "benchmarks-quantized.md"),
        ("learning", "benchmarks-learning.md"),
    ],
)
def test_the_committed_page_shows_every_row(monkeypatch, capsys, name, file):
    from benchmarks import report
    from benchmarks.__main__ import ONE_THREAD, main

    for variable in ONE_THREAD:
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--page", name, "--list"])
    main()
    rows = capsys.readouterr().out.splitlines()
    assert rows
    page = (ROOT / "docs" / file).read_text(encoding="utf-8")
    for row in rows:
        assert f"| {row} |" in page
        assert table(page, row)
    assert "quick run" not in page
    assert "no reason known yet" not in page
    assert page.endswith(report.NEXT)


def test_runs_on_two_families_of_processors_are_kept_and_shown_side_by_side(tmp_path, monkeypatch):
    from benchmarks import report
    from benchmarks.rows import Limit, Row

    def ran(family, seconds):
        results = [
            report.Result(row, f"move/vech/float64/{n}", n, {"copy": 1e-3, "vech": seconds}) for n in (4, 5)
        ]
        return report.Run(family, {"Processor": f"one of {family}"}, [*results, lost])

    row = Row("a move", "copy", (Limit("copy", must=1.0, aim=0.5),), (4, 5), lambda n: iter(()))
    gone = Row("what is measured no longer", "copy", (), (4,), lambda n: iter(()))
    lost = report.Result(gone, "move/vech/float64/4", 4, {"copy": 1.0, "vech": None})
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    report.keep(ran("Intel", 1.5e-3), "moves")
    report.keep(ran("AMD", 0.25e-3), "moves")
    report.keep(ran("AMD", 0.75e-3), "moves")
    runs = list(report.kept("moves", {row.name: row}))
    assert [run.family for run in runs] == ["AMD", "Intel"]
    page = report.page(runs, quick=False)
    assert "| AMD, even n | AMD, odd n | Intel, even n | Intel, odd n |" in page
    assert (
        "| a move | vech / copy | <= 1 | <= 0.5 | 0.75 | 0.75 | 1.50 | 1.50 "
        "| reached (AMD), NOT reached (Intel) | NOT reached |" in page.split("## Not reached")[1]
    )
    assert "one of AMD" in page and "one of Intel" in page and "no longer" not in page
    assert "No run on another family of processors than Intel is known." in report.page(runs[1:], quick=False)


def test_every_note_is_about_a_row(rows):
    notes = (ROOT / "benchmarks" / "notes.toml").read_text(encoding="utf-8")
    assert set(re.findall(r'^"([^"]+)" =', notes, re.MULTILINE)) <= set(rows)


def test_a_partial_run_does_not_replace_the_page():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "pack", "--page", "halves", "--write"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "every row" in done.stderr


def test_a_slow_candidate_is_called_once(monkeypatch):
    from benchmarks import measure

    calls = []
    monkeypatch.setattr(measure, "SLOW_SECONDS", 0.05)
    candidates = {"slow": lambda: calls.append(time.sleep(0.06)), "fast": lambda: None, "missing": None}
    found = measure.seconds(candidates)
    assert len(calls) == 1
    assert found["slow"] >= 0.06 > found["fast"]
    assert set(found) == {"slow", "fast"}


def test_what_only_the_first_call_of_a_turn_takes_is_not_timed(monkeypatch):
    from benchmarks import measure

    turn = []

    def call(name):
        time.sleep(0.001 if turn[-1:] == [name] else 0.2)  # as where memory went back to the system before
        turn.append(name)

    for name, value in (("CALL_SECONDS", 0.02), ("CASE_SECONDS", 0), ("ROUNDS", 2)):
        monkeypatch.setattr(measure, name, value)
    found = measure.seconds({name: partial(call, name) for name in "ab"})
    assert max(found.values()) < 0.008
