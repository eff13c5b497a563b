"""What is said twice about a release is the same: versions, requirements, extras, what workflows run."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
if not (ROOT / "pyproject.toml").exists():
    pytest.skip("the sources are not beside the tests", allow_module_level=True)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"test", "bench", "cholmod", "dev", "docs"} | {name for name in EXTRAS if name.startswith("test-")}
"""Extras of whoever works on vech, which need not be listed for users."""


def text(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the tests")
    return path.read_text(encoding="utf-8")


def test_the_recipe_of_conda_says_what_the_project_says():
    recipe = text("conda-recipe/recipe.yaml")
    assert re.search(r'^  version: "(.*)"$', recipe, re.MULTILINE)[1] == PROJECT["version"]
    (needs,) = re.findall(r"^  run:\n((?:    - .*\n)+)", recipe, re.MULTILINE)
    needed = [line.strip("- ").replace(" ", "") for line in needs.splitlines()]
    assert needed == ["python", *PROJECT["dependencies"]]


def test_the_changelog_begins_with_the_version():
    assert re.search(r"^## (\S+?)[,\s]", text("CHANGELOG.md"), re.MULTILINE)[1] == PROJECT["version"]


def test_the_page_on_installing_lists_each_extra():
    table = text("docs/installing.md").split("| extra |")[1].split("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines()[2:]]
    assert sorted(name for row in rows for name in re.findall(r"`([\w-]+)`", row)) == sorted(
        set(EXTRAS) - OURS
    )


def test_each_library_for_users_has_a_lower_bound():
    lines = [*PROJECT["dependencies"], *(line for name in set(EXTRAS) - OURS for line in EXTRAS[name])]
    assert not [line for line in lines if not re.search(r">=\d", line) and not line.startswith("vech[")]


@pytest.mark.parametrize("workflow", ["ci", "wheels"])
def test_what_a_workflow_runs_is_there(workflow):
    source = text(f".github/workflows/{workflow}.yml")
    commands = re.findall(r"^\s+- run: (?!\|)(.*)$", source, re.MULTILINE)
    assert commands and source.count("run:") == len(commands)
    for command in commands:
        for word in shlex.split(command):
            if word.startswith(("tools/", "tests/", ".ci/")):
                assert (ROOT / word).exists(), command
            for name in re.findall(r"^\.\[(.*)\]$", word):
                assert set(name.split(",")) <= set(EXTRAS), command
