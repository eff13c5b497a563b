"""README.md: it is short, its two commands are single lines and leave nothing git would see."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CHOLESKY = "cholesky of a half, change of layout included"
pytestmark = pytest.mark.skipif(not README.exists(), reason="README.md is not beside the tests")


def blocks(language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize(("extra", "end"), [("demo", "vech demo"), ("test", "pytest")])
def test_one_line_makes_an_environment_installs_and_runs(extra, end):
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if line.endswith(end))
    folder = re.fullmatch(
        rf'python3 -m venv (\S+) && \1/bin/python -m pip install( --no-compile)? "\.\[{extra}\]" && .*', line
    )
    assert folder
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert any(
        Path(folder[1] + "/").match(pattern.rstrip("/")) for pattern in ignored if pattern.endswith("/")
    )


def test_it_is_short_and_its_links_lead_somewhere():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    links = re.findall(r"\]\(([^)#]+)", text)
    assert len(links) > 20 and all((ROOT / link).exists() for link in links)


def measured(page, row):
    """Of that row of the table of results: the figures for even and odd n on each family of processors."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    cells = next(line.split(" | ") for line in text.splitlines() if line.startswith(f"| {row} |"))
    return [float(cell) for cell in cells[4:-2] if cell != "-"]


@pytest.mark.parametrize(
    ("source", "claim", "page", "rows"),
    [
        (
            "README.md",
            "at {} to {} times the time",
            "benchmarks-rows.md",
            ["euclidean distances of 128 columns to disk"],
        ),
        (
            "README.md",
            "built {} to {} times as fast",
            "benchmarks-rows.md",
            ["trees of distances", "trees of distances, other methods"],
        ),
        (
            "README.md",
            "found {} to {} times as fast as by statsmodels",
            "benchmarks.md",
            ["nearest_correlation, n = 50", "nearest_correlation, n = 300"],
        ),
        ("README.md", "takes {} to {} times as long as LAPACK", "benchmarks.md", [CHOLESKY]),
        (
            "README.md",
            "on {} to {} times as long as BLAS",
            "benchmarks.md",
            ["packed matrix times vector, n >= 2048"],
        ),
        ("docs/linear-algebra.md", "there: {} to {} times as long as LAPACK", "benchmarks.md", [CHOLESKY]),
        (
            "docs/linear-algebra.md",
            "square, {} to {} times faster",
            "benchmarks.md",
            [f"{CHOLESKY} | pptrf of the half / vech"],
        ),
    ],
)
def test_numbers_go_from_the_least_to_the_most_that_the_benchmarks_show(source, claim, page, rows):
    text = " ".join((ROOT / source).read_text(encoding="utf-8").split())
    (said,) = re.findall(re.escape(claim).replace(r"\{\}", r"([\d.]+)"), text)
    figures = [figure for row in rows for figure in measured(page, row)]
    assert [float(end) for end in said] == pytest.approx([min(figures), max(figures)], rel=0.06)


def test_memory_is_that_of_the_benchmarks():
    assert "a quarter of the memory of SciPy's" in " ".join(README.read_text(encoding="utf-8").split())
    figures = measured("benchmarks-rows.md", "memory of a tree of float32 distances")
    assert max(figures) == pytest.approx(0.25, rel=0.1)
