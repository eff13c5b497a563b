"""What tests of the command line share: a folder of their own, and runs in this process."""

import pytest

from vech import cli


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A folder to work in; wide lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def vech_run(there, capfdbinary, monkeypatch):
    """Run with these bytes on stdin: exit code, stdout in bytes, stderr in text."""

    def runs(*arguments, stdin=b""):
        (there.parent / "stdin").write_bytes(stdin)
        with (there.parent / "stdin").open() as file, pytest.raises(SystemExit) as caught:
            monkeypatch.setattr("sys.stdin", file)
            cli.main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return caught.value.code, out, err.decode()

    return runs


@pytest.fixture
def works(vech_run):
    """A run without a word on stderr: its stdout, in text."""

    def runs(*arguments, **more):
        code, out, err = vech_run(*arguments, **more)
        assert (code, err) == (0, "")
        return out.decode()

    return runs


@pytest.fixture
def fails(vech_run, there):
    """An error in at most three lines, exit code 2, nothing written: the message."""

    def runs(*arguments, **more):
        before = sorted(there.rglob("*"))
        code, out, err = vech_run(*arguments, **more)
        assert (code, out) == (2, b"") and err.startswith("vech: ") and len(err.splitlines()) <= 3
        assert sorted(there.rglob("*")) == before
        return err.removeprefix("vech: ").rstrip("\n")

    return runs
