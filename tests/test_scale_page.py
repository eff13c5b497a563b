"""docs/scale.md: every block runs, in the order of the page; its sizing is what the model says."""

import re
import subprocess
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import vech
from vech import cli
from vech.cli import executors

pytest.importorskip("zarr")
pytest.importorskip("distributed")
pytest.importorskip("xarray")

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scale.md"
pytestmark = [
    pytest.mark.skipif(not PAGE.exists(), reason="docs/ is not beside the tests"),
    pytest.mark.slow,
]

PARAMETERS = {
    "dask_jobqueue.SLURMCluster": "queue account cores processes memory walltime job_script_prologue",
    "dask_kubernetes.operator.KubeCluster": "name image n_workers resources env worker_command",
    "coiled.Cluster": "name n_workers worker_cpu worker_memory region worker_options",
}
"""Of dask-jobqueue 0.9.0, dask-kubernetes 2026.3.0, coiled 1.135.6: those that the page may use."""


def blocks():
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A folder in which the page is followed from its beginning."""
    folder = tmp_path_factory.mktemp("page")
    vech.write(folder / "half.npy", vech.Packed(np.arange(300 * 301 / 2)))
    return folder


class Cluster:
    """Stands for a cluster of another package, of which it has the parameters: workers here."""

    def __init__(self, name):
        self.known = set(PARAMETERS[name].split())

    def __call__(self, **given):
        assert given.keys() <= self.known
        return self

    def scale(self, *, jobs):
        assert jobs > 0

    def get_client(self):
        return None  # this process computes


def stand_ins(monkeypatch):
    for path in PARAMETERS:
        place, _, name = path.rpartition(".")
        for at in range(1, place.count(".") + 2):
            part = ".".join(place.split(".")[:at])
            module = sys.modules.get(part) or ModuleType(part)
            monkeypatch.setitem(sys.modules, part, module)
        setattr(sys.modules[place], name, Cluster(path))


def test_the_page_can_be_followed_from_its_beginning(there, monkeypatch, capsys):
    monkeypatch.chdir(there)
    monkeypatch.setenv("PYTHONPATH", str(Path(vech.__file__).parent.parent))
    stand_ins(monkeypatch)
    names, ran = {}, []
    with ExitStack() as stack:
        share_workers(monkeypatch, stack)
        follow(there, capsys, names, ran)
    assert ran.count("python") >= 8 and ran.count("sh") >= 4
    assert names["row_means"].shape == (1000,) and names["some"].shape == (2,)
    assert names["D"].missing() == []


def share_workers(monkeypatch, stack):
    """The workers that the first command starts are those of the next ones too."""
    start, started = executors._client, {}

    def client_of(named):
        if named not in started:
            started[named] = stack.enter_context(start(named))
        return nullcontext(started[named])

    monkeypatch.setattr(executors, "_client", client_of)


def follow(there, capsys, names, ran):
    for language, source in blocks():
        if source.startswith("# two.py"):
            (there / "two.py").write_text(source)
            done = subprocess.run([sys.executable, "two.py"], capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr
            assert done.stdout.split("\n")[0] in PAGE.read_text(encoding="utf-8")
            names["X"] = np.load("X.npy", mmap_mode="r")
        elif language == "python":
            source = source.replace("s3://", "memory://")
            exec(compile(source, str(PAGE), "exec"), names)  # noqa: S102
        else:
            for line in source.splitlines():
                run_line(line, capsys)
        ran.append(language)


def run_line(line, capsys):
    """A command, which works."""
    if line.startswith("pip "):
        return
    command, *arguments = line.split()
    assert command == "vech"
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    said = capsys.readouterr()
    assert (caught.value.code, said.err) == (0, ""), line


def between(mark):
    text = PAGE.read_text(encoding="utf-8")
    return text.split(f"<!-- {mark} -->", 1)[1].split(f"<!-- /{mark} -->", 1)[0].strip()


def test_the_sizing_is_what_the_model_says():
    sys.path.insert(0, str(ROOT))
    try:
        from benchmarks import scale_model
    finally:
        sys.path.remove(str(ROOT))
    assert between("sizing") == scale_model.on_paper()
