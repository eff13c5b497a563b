"""`-`: stdin and stdout, and files whose suffix does not say what they hold."""

import io
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest

import vech

FULL = np.array([[1.0, 2, 0], [2, -5, 3], [0, 3, 9]])
LABELLED = b',"x","y","z"\n"x",1.0,2.0,0.0\n"y",2.0,-5.0,3.0\n"z",0.0,3.0,9.0\n'


@pytest.fixture(autouse=True)
def no_trace(tmp_path_factory, monkeypatch):
    """Temporary files are gone at the end."""
    place = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert not list(place.iterdir())


def bytes_of(save, matrix):
    file = io.BytesIO()
    save(file, matrix)
    return file.getvalue()


def test_convert_from_stdin_to_stdout(vech_run):
    code, out, err = vech_run(
        "convert", "-", "--in-format", "csv", "-o", "-", "--out-format", "npz", stdin=LABELLED
    )
    assert code == 0 and err.startswith("stdout: 3 x 3 float64, symmetric, ")
    with open("made.npz", "wb") as file:
        file.write(out)
    store = vech.read("made.npz")
    assert store.labels == ("x", "y", "z") and np.array_equal(store.expand(), FULL)
    code, out, _ = vech_run("convert", "made.npz", "-o", "-", "--out-format", ".CSV")
    again = vech_run("convert", "-", "--in-format", "csv", "-o", "-", "--out-format", "csv", stdin=out)[1]
    assert code == 0 and again == out and vech_run("info", "-", "--in-format", "csv", stdin=out)[0] == 0


def test_info_of_stdin(works):
    out = works("info", "-", "--in-format", "npy", stdin=bytes_of(np.save, FULL))
    assert out.startswith("stdin: full matrix 3 x 3, float64\nsymmetric: both triangles agree\n")


def test_expand_and_pack_by_streams(vech_run):
    code, out, err = vech_run(
        "expand", "-", "--in-format", "npy", "--layout", "numpy-tril", "-o", "-", "--out-format", "npy",
        stdin=bytes_of(np.save, FULL[np.tril_indices(3)]),
    )  # fmt: skip
    assert code == 0 and np.array_equal(np.load(io.BytesIO(out)), FULL)
    code, out, err = vech_run("pack", "-", "--in-format", "npy", "-o", "half.npy", stdin=out)
    assert (code, err) == (0, "") and vech.read("half.npy").layout.name == "vech"


def test_covariance_by_streams(vech_run):
    X = np.random.default_rng(0).normal(size=(9, 3))
    table = b"a,b,c\n" + "\n".join(",".join(map(repr, row)) for row in X.tolist()).encode()
    arguments = ("covariance", "-", "--in-format", "csv", "-o", "-", "--out-format", "npz")
    code, out, _ = vech_run(*arguments, stdin=table)
    with open("made.npz", "wb") as file:
        file.write(out)
    store = vech.read("made.npz")
    assert code == 0 and store.labels == ("a", "b", "c")
    np.testing.assert_array_equal(store.half, vech.covariance.sample(X).half)


def test_raw_numbers_of_stdin_take_their_options(works):
    out = works(
        "info", "-", "--in-format", "bin", "--dtype", ">f4", "--n", 3, stdin=FULL.astype(">f4").tobytes()
    )
    assert out.startswith("stdin: full matrix 3 x 3, >f4")


def test_a_file_without_a_suffix(works):
    with open("matrix", "wb") as file:
        file.write(LABELLED)
    os.mkdir("folder")
    os.chdir("folder")
    assert "3 labels: x, y, z" in works("info", "../matrix", "--in-format", "csv")
    works("convert", "../matrix", "--in-format", "csv", "-o", "made.npz")
    assert np.array_equal(vech.read("made.npz").expand(), FULL)


def test_a_file_with_that_suffix_is_taken_with_what_lies_beside_it(works):
    vech.write("half.npy", vech.Packed(np.arange(6.0), "numpy-tril", labels=["x", "y", "z"]))
    out = works("info", "half.npy", "--in-format", "npy")
    assert out.startswith("half.npy: symmetric half") and "3 labels: x, y, z" in out


@pytest.mark.parametrize("closed, name", [("<&-", "stdin"), (">&-", "stdout")])
def test_closed_streams_are_one_error(there, closed, name):
    vech.write("half.npz", vech.Packed(np.arange(6.0)))
    files = "- --in-format npz" if name == "stdin" else "half.npz"
    script = f"{sys.executable} -m vech convert {files} -o - --out-format csv {closed}"
    done = subprocess.run(script, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"vech: {name} is closed\n")


@pytest.mark.parametrize(
    "arguments, stdin, message",
    [
        (("info", "-"), b"", "stdin has no suffix: say what it is by --in-format"),
        (("convert", "-", "-o", "a.npy"), LABELLED, "stdin has no suffix"),
        (("info", "-", "--in-format", "docx"), b"", "'docx' is none of npy, npz"),
        (("covariance", "-", "--in-format", "mtx", "-o", "a.npz"), b"", "'mtx' is none of "),
        (("convert", "half.npz", "-o", "-"), b"", "stdout has no suffix: say what to write by --out-format"),
        (
            ("convert", "half.npz", "-o", "a.npz", "--out-format", "csv"),
            b"",
            "--out-format is for -o -, stdout: the suffix of a.npz says what it is",
        ),
        (
            ("convert", "half.npz", "-o", "-", "--out-format", "npy"),
            b"",
            "this .npy is more than one file, and stdout is one: say --out-format npz",
        ),
        (("expand", "half.npz", "-o", "-", "--to", "auto"), b"", "--to auto chooses a file"),
        (
            ("expand", "half.npz", "-o", "-", "--out-format", "npy", "--to", "csr"),
            b"",
            "stdout.npy cannot hold csr",
        ),
        (("info", "-", "--in-format", "npy"), b"", "stdin"),
        (("info", "-", "--in-format", "csv"), b"\xff\xfe1", "stdin"),
        (("info", "-", "--in-format", "csv"), b"1,2\n3,x\n", "stdin, line 2: "),
        (("info", "-", "--in-format", "csv"), b"\x1b[2J,1\n1,\x1b\n", r"\x1b"),
        (("pack", "-", "--in-format", "npy", "-o", "a.npz"), b"no numbers", "stdin, byte 8: is no .npy file"),
        (("covariance", "-", "--in-format", "csv", "-o", "a.npz"), b"a,b\n1,\n2,3\n", "stdin: X has 1 NaN"),
        (("info", "none", "--in-format", "csv"), b"", "none: No such file or directory"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_error(fails, arguments, stdin, message):
    vech.write("half.npz", vech.Packed(np.arange(6.0)))
    found = fails(*arguments, stdin=stdin)
    assert message in found and "temporary" not in found and found.isprintable()


def test_a_terminal_gets_no_binary(fails, monkeypatch):
    vech.write("half.npz", vech.Packed(np.arange(6.0)))
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(Terminal()))
    found = fails("convert", "half.npz", "-o", "-", "--out-format", "npz")
    assert found == ".npz is no text for a terminal: say -o FILE, or redirect stdout"


class Terminal(io.BytesIO):
    def isatty(self):
        return True


def test_a_pipe_that_is_closed_is_quiet(there):
    vech.write("half.npz", vech.Packed(np.arange(500.0 * 501 / 2)))
    convert = f"{sys.executable} -m vech convert half.npz -o - --out-format csv"
    script = f"{convert} | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("0.0,1.0") and "Traceback" not in done.stderr and "Error" not in done.stderr


def test_python_m_vech_is_the_command(there):
    done = subprocess.run(
        [sys.executable, "-m", "vech", "--version"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"vech {vech.__version__}\n", "")


def test_interrupted_stdin_leaves_nothing(vech_run, monkeypatch, there):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfileobj", interrupt)
    code, out, err = vech_run("info", "-", "--in-format", "npy")
    assert (code, out) == (130, b"") and err.strip() == "vech: interrupted; nothing was written"
    assert not list(there.iterdir())
