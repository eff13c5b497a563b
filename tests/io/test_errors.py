"""The error of files."""

import json
import pickle
import time

import numpy as np
import pytest

import vech
from vech import cli
from vech.io.errors import FileFormatError


def test_the_error_of_files_survives_pickling():
    error = pickle.loads(pickle.dumps(FileFormatError("is wrong", "a.npy", line=3)))
    assert (error.path, error.line, error.byte, str(error)) == ("a.npy", 3, None, "a.npy, line 3: is wrong")
    assert FileFormatError.__mro__[1] is ValueError


def described(path, **more):
    vech.write(path, vech.Packed(np.arange(10.0)))
    beside = path.with_name(f"{path.name}.json")
    beside.write_text(json.dumps(json.loads(beside.read_text()) | more))
    return path


LONG = "v" * 1_000_000


@pytest.mark.parametrize(
    "more",
    [
        {"layout": LONG},
        {"layout": " v" * 500_000},
        {LONG: 1},
        {"kind": LONG},
        {"n": 10**4100},
        {"vech": LONG},
    ],
)
def test_what_a_file_holds_makes_no_long_error_and_no_long_wait(tmp_path, capsys, more):
    path = described(tmp_path / "k.npy", **more)
    with pytest.raises(FileFormatError) as caught:
        vech.read(path)
    assert len(str(caught.value)) < 1100 + len(str(path))
    begin = time.process_time()
    with pytest.raises(SystemExit):
        cli.main(["info", str(path)])
    assert time.process_time() - begin < 3
    assert 200 < len(capsys.readouterr().err) < 1100 + len(str(path))


def test_of_a_long_error_the_beginning_and_the_advice_are_left(tmp_path):
    with pytest.raises(
        FileFormatError, match=r"unknown layout 'vvv.*v \.\.\. v.*vvv': choose from vech, lapack"
    ):
        vech.read(described(tmp_path / "k.npy", layout=LONG))
