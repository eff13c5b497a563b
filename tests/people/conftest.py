"""What people have: a folder of their own, and a shell in it."""

import shlex

import pytest

from vech import cli


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where files lie."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(capfd):
    """Run a line of the command line, which must work: what it prints."""

    def runs(line):
        program, *arguments = shlex.split(line)
        assert program == "vech"
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        out, err = capfd.readouterr()
        assert (ended.value.code, err) == (0, ""), err
        return out

    return runs
