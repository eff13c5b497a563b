"""docs/layouts.md is what the table says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vech.layouts.dialects import CANONICAL, TABLE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "layouts.md"
RENEW = "python -m tools.layouts_page --write"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not beside the tests")


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def section(page, name):
    return page.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]


def test_the_page_is_the_one_that_the_table_gives(page):
    command = [sys.executable, "-m", "tools.layouts_page"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout == page, f"docs/layouts.md is not what the table says: run {RENEW}"
    assert RENEW in page


def test_every_name_is_on_the_page_under_its_layout(page):
    for name in CANONICAL:
        assert f"[`{name}`](#{name})" in page
    for row in TABLE:
        (line,) = re.findall(rf"^\| `{row.name}` \|.*$", section(page, row.layout), re.MULTILINE)
        for told in (row.library, row.calls, row.proof, row.quirks, row.kind):
            assert told in line


def test_a_layout_has_its_picture(page):
    assert "```text\n0  .  .  .\n1  2  .  .\n3  4  5  .\n6  7  8  9\n```" in section(page, "numpy-tril")
    assert "```text\n0   5'  4'\n.   1   3'\n.   .   2\n```" in section(page, "voigt-strain")
    assert section(page, "lapack-rfp-tl").count("```text") == 2


def test_a_layout_names_the_one_with_the_same_numbers(page):
    same = "\nSame numbers for a symmetric matrix: [`strict-triu`](#strict-triu) (SciPy; CVXPY).\n"
    assert same in section(page, "condensed")
    assert "Same numbers" not in section(page, "strict-tril")


def test_tables_have_as_many_cells_as_columns(page):
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        rows = [len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()]
        assert len(set(rows)) == 1, table


@pytest.mark.parametrize(
    "what",
    [
        *("Matrix Market coordinate", "SDPA", "cooler", ".grm.gz", "square0", "affine", "complex cone"),
        *("cov_matrix_free", "Hermitian cone", "Stata", "GAUSS", "EViews", "RATS", "`voigt`"),
    ],
)
def test_what_is_left_out_is_said(page, what):
    assert what in section(page, "Left out")


def test_the_tool_refuses_what_it_does_not_know():
    command = [sys.executable, "-m", "tools.layouts_page", "--wrote"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "usage: " + RENEW.replace("--write", "[--write]") in done.stderr
