"""README.md: it is short, its two commands are single lines and leave nothing git would see."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="README.md is not beside the tests")


def blocks(language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize(("extra", "end"), [("demo", "vech demo"), ("test", "pytest")])
def test_one_line_makes_an_environment_installs_and_runs(extra, end):
    (line,) = (line for block in blocks("sh") for line in block.splitlines() if line.endswith(end))
    folder = re.fullmatch(
        rf'python3 -m venv (\S+) && \1/bin/python -m pip install "\.\[{extra}\]" && .*', line
    )
    assert folder
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert any(
        Path(folder[1] + "/").match(pattern.rstrip("/")) for pattern in ignored if pattern.endswith("/")
    )
