"""What is said twice about a release is the same: versions, requirements, extras, what workflows run."""

import re
import shlex
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from runpy import run_path

import pytest

ROOT = Path(__file__).parent.parent
if not (ROOT / "pyproject.toml").exists():
    pytest.skip("the sources are not beside the tests", allow_module_level=True)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = {"test", "bench", "cholmod", "dev", "docs"} | {name for name in EXTRAS if name.startswith("test-")}
"""Extras of whoever works on vech, which need not be listed for users."""
NOTICES = ("LICENSES/libstdc++.txt", "LICENSES/nanobind.txt", "LICENSES/robin-map.txt")


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
    assert needed == ["python" + PROJECT["requires-python"], *PROJECT["dependencies"]]


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


def test_an_address_comes_with_a_public_repository():
    """All four have one, or none."""
    public = "urls" in PROJECT
    assert ("no address yet" not in text("CODE_OF_CONDUCT.md")) is public
    assert bool(re.search(r"^  repository: http", text("conda-recipe/recipe.yaml"), re.MULTILINE)) is public
    assert bool(re.search(r"^repository-code: http", text("CITATION.cff"), re.MULTILINE)) is public


def test_the_description_on_an_index_is_the_readme_without_links_that_lead_nowhere():
    pyproject = tomllib.loads(text("pyproject.toml"))
    (entry,) = pyproject["tool"]["dynamic-metadata"]
    assert entry["provider"] == {"path": "tools", "module": "readme"} and PROJECT["dynamic"] == ["readme"]
    text("tools/readme.py")
    made = run_path(str(ROOT / "tools" / "readme.py"))["dynamic_metadata"]({}, PROJECT)["readme"]
    assert made["content-type"] == "text/markdown" and "](" not in made["text"]
    own, shown = (
        re.findall(r"\w+", re.sub(r"\]\([^)]*\)", "]", said)) for said in (text("README.md"), made["text"])
    )
    assert shown[: len(own)] == own


def words(text):
    return " ".join(line.lstrip("/* ") for line in text.splitlines()).split()


def test_the_notices_of_what_the_wheel_links_are_those_of_their_makers():
    nanobind = pytest.importorskip("nanobind")
    (own,) = (file for file in distribution("nanobind").files if file.name == "LICENSE")
    assert words(text("LICENSES/nanobind.txt")) == words(own.read_text())
    header = Path(nanobind.__file__).parent / "ext" / "robin_map" / "include" / "tsl" / "robin_map.h"
    assert words(text("LICENSES/robin-map.txt")) == words(header.read_text().partition("*/")[0])
    assert "GCC RUNTIME LIBRARY EXCEPTION" in text("LICENSES/libstdc++.txt")


def test_wheels_and_the_recipe_list_the_notices():
    assert PROJECT["license-files"] == ["LICENSE", "LICENSES/*"]
    assert "license_file:\n    - LICENSE\n    - LICENSES/*\n" in text("conda-recipe/recipe.yaml")


def test_a_wheel_without_a_notice_is_refused():
    text("tools/release.py")
    release = run_path(str(ROOT / "tools" / "release.py"))
    names = [f"vech-1.dist-info/licenses/{name}" for name in ("LICENSE", *NOTICES)]
    release["has_notices"]("a.whl", names)
    with pytest.raises(SystemExit, match=r"^a\.whl lacks LICENSES/nanobind\.txt: license-files"):
        release["has_notices"]("a.whl", [name for name in names if "nanobind" not in name])


def test_pip_is_reached_as_the_environment_says():
    text("tools/release.py")
    is_of_pip = run_path(str(ROOT / "tools" / "release.py"))["is_of_pip"]
    assert all(map(is_of_pip, ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "PIP_INDEX_URL", "SSL_CERT_FILE")))
    assert not any(map(is_of_pip, ("PATH", "PYTHONPATH", "HOME")))


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


def test_every_extra_of_tests_is_installed_by_a_job():
    installed = re.findall(r"pip install \"\.\[(.*)\]\"", text(".github/workflows/ci.yml"))
    assert {name for name in EXTRAS if name.startswith("test")} <= {*",".join(installed).split(",")}
