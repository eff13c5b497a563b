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


WORKFLOW = {"name", "on", "permissions", "jobs", "env", "concurrency", "defaults"}
EVENTS = {"push", "pull_request", "workflow_dispatch", "schedule"}
JOB = {"runs-on", "steps", "needs", "strategy", "env", "timeout-minutes", "permissions", "if", "name"}
STEP = {"uses", "run", "with", "name", "env", "if", "id", "shell", "working-directory"}
RUNNER = re.compile(r"(ubuntu|macos|windows)-(\d{2}(\.04)?|latest)(-(arm|intel))?|\$\{\{ matrix\.\w+ \}\}")
ACTION = re.compile(r"[\w-]+/[\w./-]+@(v\d[\w.]*|[0-9a-f]{40})")


def faults(workflow):
    """What is wrong with the keys of a workflow, as far as their schema says it: a job that is not found by
    those that need it, a step that runs nothing, an action without its version, a matrix without the name.
    """
    jobs = workflow.get("jobs", {})
    yield from (f"key {key}" for key in workflow.keys() - WORKFLOW)
    yield from (f"lacks {key}" for key in {"on", "jobs"} - workflow.keys())
    yield from (f"event {event}" for event in set(workflow.get("on", ())) - EVENTS)
    for name, job in jobs.items():
        yield from (f"{name}: key {key}" for key in job.keys() - JOB)
        yield from (f"{name}: lacks {key}" for key in {"runs-on", "steps"} - job.keys())
        needed = job.get("needs", [])
        needed = [needed] if isinstance(needed, str) else needed
        yield from (f"{name}: needs {other}" for other in needed if other == name or other not in jobs)
        if not RUNNER.fullmatch(job.get("runs-on", "")):
            yield f"{name}: runs-on {job.get('runs-on')}"
        if not job.get("timeout-minutes", "1").isdigit():
            yield f"{name}: timeout-minutes {job['timeout-minutes']}"
        matrix = job.get("strategy", {}).get("matrix", {})
        said = (matrix.keys() - {"include", "exclude"}).union(*matrix.get("include", ()))
        asked = set(re.findall(r"\$\{\{ matrix\.([\w-]+) \}\}", str(job)))
        yield from (f"{name}: matrix.{key}" for key in asked - said)
        for at, step in enumerate(job.get("steps", ())):
            yield from (f"{name}, step {at}: key {key}" for key in step.keys() - STEP)
            if len(step.keys() & {"uses", "run"}) != 1 or ("with" in step and "uses" not in step):
                yield f"{name}, step {at}: one of uses and run, and with of uses alone"
            if "uses" in step and not ACTION.fullmatch(step["uses"]):
                yield f"{name}, step {at}: uses {step['uses']}"
            if not step.get("run", "x").strip() or step.get("run", "").count("${{") != len(
                re.findall(r"\$\{\{ [\w.-]+ \}\}", step.get("run", ""))
            ):
                yield f"{name}, step {at}: run {step['run']!r}"


BROKEN = {
    "jobs:": ("job:", "lacks jobs"),
    "on:": ("when:", "key when"),
    "  pull_request:": ("  pull-request:", "event pull-request"),
    "    runs-on: ubuntu-24.04\n": ("    run-on: ubuntu-24.04\n", "everything: key run-on"),
    "    runs-on: ubuntu-24.04": ("    needs: [test]\n    runs-on: ubuntu-24.04", "everything: needs test"),
    "runs-on: ubuntu-24.04": ("runs-on: ubuntu", "everything: runs-on ubuntu"),
    "timeout-minutes: 30": ("timeout-minutes: soon", "everything: timeout-minutes soon"),
    "- run: .ci/run": ("- runs: .ci/run", "everything, step 2: key runs"),
    "- uses: actions/checkout@v6": ("- uses: actions/checkout", "everything, step 0: uses actions/checkout"),
    "matrix.cxx": ("matrix.cpp", "tests: matrix.cpp"),
    "- run: python -m pytest\n": ("- run: ${{ matrix.x\n", "tests, step 3: run"),
}


@pytest.mark.parametrize("workflow", ["ci", "wheels"])
def test_workflows_have_the_keys_of_their_schema(workflow):
    yaml = pytest.importorskip("yaml", reason="reads workflows")
    source = text(f".github/workflows/{workflow}.yml")
    assert list(faults(yaml.load(source, yaml.BaseLoader))) == []


@pytest.mark.parametrize("old", BROKEN)
def test_a_broken_workflow_is_seen(old):
    yaml = pytest.importorskip("yaml", reason="reads workflows")
    new, fault = BROKEN[old]
    source = text(".github/workflows/ci.yml")
    assert old in source
    found = list(faults(yaml.load(source.replace(old, new, 1), yaml.BaseLoader)))
    assert any(one.startswith(fault) for one in found), found
