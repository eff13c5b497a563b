"""The command `vech`: what it prints, what it writes, how it fails."""

import io
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from click.testing import CliRunner
from rich.console import Console

import cases
import reference
import vech
from compare import assert_same_bits
from vech import cli
from vech.cli import options

LINUX = sys.platform == "linux"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Run in this process: exit code, stdout, stderr."""

    def runs(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return runs


@pytest.fixture
def works(run):
    def runs(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out

    return runs


@pytest.fixture
def fails(run, folder):
    """An error: exit code 2, at most three lines on stderr, no traceback, nothing written."""

    def runs(*arguments):
        before = listing(folder)
        code, out, err = run(*arguments)
        assert code == 2
        assert out == ""
        assert err.startswith("vech: ")
        assert 1 <= len(err.splitlines()) <= 3
        assert "Traceback" not in err
        assert listing(folder) == before
        return err.removeprefix("vech: ").rstrip("\n")

    return runs


def listing(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def saved_half(layout="vech", n=5, name="half.npy"):
    half = cases.moderate("f8", vech.as_layout(layout).length(n))
    vech.write(name, vech.Packed(half, layout))
    return reference.expand(half, vech.as_layout(layout))


def process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "vech.cli", *arguments], capture_output=True, text=True, check=False, **options
    )


# ---- expand ------------------------------------------------------------------------------------------------


def test_expand_a_described_half(works):
    full = saved_half("numpy-tril")
    out = works("expand", "half.npy", "-o", "full.npy")
    assert re.fullmatch(r"full\.npy: 5 x 5 float64, symmetric, 328 B, \d+\.\d\d s\n", out)
    assert_same_bits(np.load("full.npy"), full)


@pytest.mark.parametrize("layout", cases.NAMES)
def test_expand_a_bare_half_in_the_layout_that_is_said(works, layout):
    half = cases.moderate("f8", 10)
    np.save("half.npy", half)
    works("expand", "half.npy", "-o", "full.npy", "--layout", layout)
    assert_same_bits(np.load("full.npy"), reference.expand(half, vech.as_layout(layout)))


def test_expand_raw_binary(works):
    half = cases.moderate(">f4", 10)
    half.tofile("half.bin")
    works(
        "expand",
        "half.bin",
        "-o",
        "full.npy",
        "--dtype",
        ">f4",
        "--layout",
        "condensed",
        "--n",
        5,
        "--threads",
        2,
    )
    assert_same_bits(np.load("full.npy"), reference.expand(half, vech.as_layout("condensed")))


def test_expand_complex_numbers_of_a_kind(works):
    layout = vech.as_layout("lapack-upper")
    half = cases.half("c16", layout, "hermitian", 4, values=cases.moderate)
    np.save("half.npy", half)
    works("expand", "half.npy", "-o", "full.npy", "--layout", "lapack-upper", "--kind", "hermitian")
    assert_same_bits(np.load("full.npy"), reference.expand(half, layout, "hermitian"))


@pytest.mark.parametrize(("to", "found"), [(None, "csr"), ("csr", "csr"), ("csc", "csc")])
def test_expand_to_the_npz_of_scipy(works, to, found):
    full = saved_half()
    works("expand", "half.npy", "-o", "full.npz", *(["--to", to] if to else []))
    matrix = scipy.sparse.load_npz("full.npz")
    assert matrix.format == found
    assert np.array_equal(matrix.toarray(), full)


@pytest.mark.parametrize(("to", "kind"), [(None, "coordinate"), ("csc", "coordinate"), ("dense", "array")])
def test_expand_to_matrix_market(works, to, kind):
    full = saved_half()
    works("expand", "half.npy", "-o", "full.mtx", *(["--to", to] if to else []))
    assert f"matrix {kind} real symmetric" in Path("full.mtx").read_text().splitlines()[0]
    read = scipy.io.mmread("full.mtx")
    assert np.array_equal(read if to == "dense" else read.toarray(), full)


@pytest.mark.parametrize(("share", "name"), [(0.01, "full.npz"), (1.0, "full.npy")])
def test_auto_takes_what_is_smaller(works, share, name):
    half = np.zeros(5050)
    half[: int(5050 * share)] = 1
    np.save("half.npy", half)
    assert works("expand", "half.npy", "-o", "full", "--layout", "vech", "--to", "auto").startswith(name)
    assert os.path.exists(name)


def test_auto_follows_a_suffix_that_fits(works):
    np.save("half.npy", np.ones(10))
    works("expand", "half.npy", "-o", "full.mtx", "--layout", "vech", "--to", "auto")
    assert "array" in Path("full.mtx").read_text().splitlines()[0]


def test_auto_contradicted_by_the_suffix(fails):
    np.save("half.npy", np.ones(10))
    err = fails("expand", "half.npy", "-o", "full.npz", "--layout", "vech", "--to", "auto")
    assert err.startswith(
        "full.npz cannot hold dense: .npz is for csr, csc, and dense goes to .npy, .bin, .mtx, "
    )


def test_expand_a_sparse_file_to_a_dense_one(works):
    full = np.array([[0.0, 2], [2, 0]])
    scipy.sparse.save_npz("matrix.npz", scipy.sparse.csr_array(full))
    works("expand", "matrix.npz", "-o", "full.npy")
    assert_same_bits(np.load("full.npy"), full)


def test_force_overwrites(works):
    full = saved_half()
    Path("full.npy").touch()
    works("expand", "half.npy", "-o", "full.npy", "--force")
    assert_same_bits(np.load("full.npy"), full)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["expand", "half.npy", "-o", "full.npz", "--to", "dense"],
            "full.npz cannot hold dense: .npz is for csr, csc",
        ),
        (
            ["expand", "half.npy", "-o", "full.npy", "--to", "csc"],
            "full.npy cannot hold csc: .npy is for dense",
        ),
        (
            ["expand", "half.npy", "-o", "full.docx"],
            "is of no file format: choose from .npy, .npz, .mtx, .csv, .h5, .zarr, .parquet, .xlsx, or",
        ),
        (
            ["expand", "half.npy", "-o", "full.parqet"],
            "'.parqet' is of no file format: did you mean .parquet",
        ),
        (["expand", "half.npy", "-o", "full"], "full: no suffix says which file format: choose from .npy"),
        (["info", "."], ".: no suffix says which file format: choose from .npy"),
        (["verify", "."], ".: no suffix says which file format: choose from .npy"),
        (["view", "."], ".: no suffix says which file format: choose from .npy"),
        (
            ["expand", "half.npy", "-o", "."],
            "'-o' / '--out': '.' is a directory: name a file in it",
        ),
        (
            ["expand", "half.npy", "-o", "", "--to", "auto"],
            "'-o' / '--out': '' names no file: say which one to write",
        ),
        (["pack", "lopsided.npy", "-o", ""], "'-o' / '--out': '' names no file: say which one to write"),
        (
            ["convert", "half.npy", "-o", "folder.npy", "--to", "vech"],
            "'folder.npy' is a directory: name a file in it",
        ),
        (["demo", "-o", "."], "'.' is a directory: name a file in it"),
        (["expand", "half.docx", "-o", "full.npy"], "half.docx: the suffix '.docx' is of no file format"),
        (["expand", "none.npy", "-o", "full.npy"], "none.npy: No such file or directory"),
        (
            ["expand", "half.npy", "-o", "there.npy"],
            "there.npy exists: choose another name, or --force to overwrite it",
        ),
        (["expand", "half.npy", "-o", "half.npy"], "half.npy is the input: write to another file"),
        (["expand", "half.npy", "-o", "half.npy", "--force"], "half.npy is the input: write to another file"),
        (["expand", "half.npy", "-o", "none/full.npy"], "none: no such directory"),
        (
            ["expand", "half.npy", "-o", "folder.npy", "--force"],
            "'folder.npy' is a directory: name a file in it",
        ),
        (["expand", "folder.npy", "-o", "full.npy"], "folder.npy: is a directory"),
        (
            ["expand", "half.npy", "-o", "full.npy", "--layout", "numpy-tril"],
            "half.npy: has layout vech, and --layout numpy-tril was asked for: leave --layout out, or",
        ),
        (["expand", "half.npy", "-o", "full.npy", "--layout", "vek"], "unknown layout 'vek'"),
        (
            ["expand", "half.npy", "-o", "full.npy", "--kind", "odd"],
            "'odd' is not one of 'symmetric', 'hermitian'",
        ),
        (["expand", "half.npy", "-o", "full.npy", "--n", "4"], "half.npy: has n 5, and --n 4 was asked for"),
        (["expand", "half.npy", "-o", "full.npy", "--n", "-4"], "-4 is not in the range x>=0"),
        (["expand", "half.npy", "-o", "full.npy", "--threads", "0"], "0 is not in the range x>=1"),
        (
            ["expand", "half.npy", "-o", "full.npy", "--dtype", "f4"],
            "half.npy: has dtype <f8, and --dtype <f4 was asked for",
        ),
        (["expand", "half.npy", "-o", "full.npy", "--dtype", "real"], "--dtype 'real' is no dtype"),
        (["expand", "half.npy"], "Missing option '-o'"),
        (["expand"], "Missing argument 'FILE'"),
        (["expand", "half.npy", "-o", "full.npy", "--frce"], "No such option"),
        (["expnd"], "No such command 'expnd'"),
        (
            ["expand", "bare.npy", "-o", "full.npy"],
            "bare.npy: holds 10 numbers and does not say which. It could be n=4: vech",
        ),
        (["expand", "odd.npy", "-o", "full.npy", "--layout", "vech"], "10 for n=4 or 15 for n=5"),
        (["expand", "raw.bin", "-o", "full.npy", "--layout", "vech"], "raw.bin: is raw binary: say --dtype"),
        (["expand", "complex.npy", "-o", "full.npy", "--layout", "vech"], "--kind 'hermitian'"),
        (["expand", "lopsided.npy", "-o", "full.npy"], "lopsided.npy: "),
        (["pack", "half.npy", "-o", "other.npy"], "half.npy: holds a half, and a full matrix was wanted"),
        (
            ["pack", "lopsided.npy", "-o", "other.npy", "--tolerance", "0.5"],
            "lopsided.npy: matrix is not symmetric: a[1, 0] is 3.0, but a[0, 1] is 2.0; say what to believe",
        ),
        (["pack", "lopsided.npy", "-o", "other.npy", "--tolerance", "0.5", "--use", "lower"], "tolerance"),
        (["pack", "lopsided.npy", "-o", "other.docx"], "other.docx: the suffix '.docx'"),
        (["pack", "lopsided.npy", "-o", "there.npy", "--use", "mean"], "there.npy exists"),
        (["convert", "half.npy", "-o", "other.npy", "--to", "condensed"], "diagonal"),
        (
            ["convert", "half.npy", "-o", "other.npy", "--to", "vech", "--from", "condensed"],
            "has layout vech",
        ),
        (
            ["convert", "sparse.npz", "-o", "other.npy", "--from", "vech"],
            "sparse.npz: is sparse, which has no layout: leave --from out",
        ),
        (["convert", "half.npy", "-o", "half.npy", "--to", "vech", "--force"], "half.npy is the input"),
        (["info", "none.npy"], "none.npy: No such file or directory"),
        (["info", "raw.bin"], "raw.bin: is raw binary: say --dtype"),
        (["info", "cut.npy"], "cut.npy, byte 158: ends at byte 158, and its header"),
        (
            ["info", "half.npy", "--n", "9"],
            "half.npy: has n 5, and --n 9 was asked for: leave --n out, or say what the file says",
        ),
        (["demo", "-o", "there.npy"], "there.npy"),
    ],
)
def test_errors_are_three_lines_at_most(folder, fails, arguments, message):
    saved_half()
    np.save("bare.npy", np.arange(10.0))
    np.save("odd.npy", np.arange(11.0))
    np.save("complex.npy", np.arange(10) * 1j)
    np.save("lopsided.npy", np.array([[1.0, 2], [3, 4]]))
    np.save("cut.npy", np.arange(10.0))
    os.truncate("cut.npy", 158)
    np.arange(10.0).tofile("raw.bin")
    scipy.sparse.save_npz("sparse.npz", scipy.sparse.csr_array(np.eye(3)))
    (folder / "there.npy").touch()
    (folder / "folder.npy").mkdir()
    assert message in fails(*arguments)


def test_a_stray_description_is_not_overwritten_either(folder, fails):
    np.save("full.npy", np.eye(3))
    (folder / "half.npy.json").write_text("something else")
    assert fails("pack", "full.npy", "-o", "half.npy").startswith("half.npy.json exists")


# ---- pack, convert -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".mtx"])
def test_pack_and_expand_give_the_matrix_back(works, suffix):
    full = cases.matrix("f8", "symmetric", 6)
    np.save("full.npy", full)
    works("pack", "full.npy", "-o", f"half{suffix}")
    works("expand", f"half{suffix}", "-o", "again.npy")
    assert_same_bits(np.load("again.npy"), full)


@pytest.mark.parametrize(
    ("use", "expected"), [("lower", [1, 3, 4]), ("upper", [1, 2, 4]), ("mean", [1, 2.5, 4])]
)
def test_pack_believes_the_triangle_that_is_said(works, use, expected):
    np.save("full.npy", np.array([[1.0, 2], [3, 4]]))
    works("pack", "full.npy", "-o", "half.npy", "--use", use, "--layout", "numpy-tril")
    assert vech.read("half.npy").half.tolist() == expected


def test_pack_takes_a_tolerance(works):
    np.save("full.npy", np.array([[1.0, 2], [3, 4]]))
    works("pack", "full.npy", "-o", "half.npy", "--tolerance", "1")
    assert vech.read("half.npy").half.tolist() == [1, 3, 4]


def test_pack_takes_raw_binary(works):
    np.array([[1, 2], [2, 4]], ">i4").tofile("full.bin")
    works("pack", "full.bin", "-o", "half.npy", "--dtype", ">i4", "--n", "2")
    assert vech.read("half.npy").half.tolist() == [1, 2, 4]


def test_convert_keeps_labels(works):
    vech.write("half.npy", vech.Packed(np.arange(6.0), labels="abc"))
    works("convert", "half.npy", "-o", "other.npy", "--to", "numpy-tril")
    assert vech.read("other.npy").labels == ("a", "b", "c")


def test_text_goes_in_and_out_with_what_is_said_of_it(folder, works, fails):
    (folder / "a.csv").write_text(";0;1\n0;1;0,5\n1;0,5;2\n")
    assert "a.csv, line 1: holds numbers beside" not in works("info", "a.csv", "--header", "--decimal", ",")
    message = "a.csv, line 1: may name the columns, by numbers: say --header"
    assert message in fails("pack", "a.csv", "-o", "b.npz", "--decimal", ",")
    works("pack", "a.csv", "-o", "b.npz", "--header", "--decimal", ",", "--sep", ";", "--labels")
    works("convert", "b.npz", "-o", "c.tsv", "--to", "numpy-tril")
    assert (folder / "c.tsv").read_text() == "\t0\t1\n0\t1.0\t0.5\n1\t0.5\t2.0\n"
    works("expand", "c.tsv", "--header", "--encoding", "utf-8", "-o", "d.csv")
    assert vech.read("d.csv", header=True).labels == ("0", "1")
    assert "b.npz: .npz has no --sep: leave it out" in fails("info", "b.npz", "--sep", ",")


@pytest.mark.parametrize("described", [True, False])
def test_convert_changes_the_layout(works, described):
    full = saved_half("vech")
    if not described:
        os.remove("half.npy.json")
    works(
        "convert",
        "half.npy",
        "-o",
        "other.npy",
        "--to",
        "svec-upper",
        *([] if described else ["--from", "vech"]),
    )
    other = vech.read("other.npy")
    assert other.layout == vech.as_layout("svec-upper")
    assert np.allclose(other.expand(), full, rtol=1e-15)


# ---- info --------------------------------------------------------------------------------------------------


def test_info_on_a_described_half(works):
    half = np.array([1.0, 0, -2, np.nan, 5, 0])
    vech.write("half.npy", vech.Packed(half))
    lines = works("info", "half.npy").splitlines()
    assert lines[:3] == [
        "half.npy: symmetric half, float64",
        "6 numbers stored, 4 nonzero (66.67%), 1 NaN",
        "values from -2.0 to 5.0",
    ]
    row = [cell.strip() for cell in next(line for line in lines if "vech" in line).split("│")[1:-1]]
    assert row == ["vech", "3", "6", "48 B", "72 B", "88 B", "half"]


def test_info_on_a_bare_half_lists_what_it_could_be(works):
    np.save("half.npy", np.arange(36))
    out = works("info", "half.npy")
    assert out.startswith(
        "half.npy: half of a layout that it does not say, int64\n36 numbers stored, 35 nonzero"
    )
    for name in ("vech", "lapack-upper", "numpy-tril", "numpy-triu", "condensed", "full matrix, flattened"):
        assert name in out
    assert "svec" not in out


def test_info_on_numbers_that_are_no_half(works):
    np.save("half.npy", np.arange(11))
    assert "no layout fits so many numbers" in works("info", "half.npy")


def test_info_on_numbers_that_are_no_half_of_this_side(works):
    np.save("half.npy", np.arange(10))
    assert "10 numbers are no half of side n = 9: without --n the sides that fit are listed" in works(
        "info", "half.npy", "--n", "9"
    )


def test_info_on_other_files(works):
    full = np.array([[0, 2], [2, 0]])
    np.save("full.npy", full)
    scipy.sparse.save_npz("matrix.npz", scipy.sparse.csr_array(full))
    scipy.io.mmwrite("matrix.mtx", scipy.sparse.csr_array(full), symmetry="symmetric")
    full.tofile("full.bin")
    assert "full matrix 2 x 2, int64" in works("info", "full.npy")
    assert "sparse matrix 2 x 2, int64" in works("info", "matrix.npz")
    assert "symmetric sparse half, lower triangle, int64" in works("info", "matrix.mtx")
    assert "full matrix 2 x 2, int64" in works("info", "full.bin", "--dtype", "i8", "--n", "2")


def test_info_on_complex_numbers_gives_sizes(works):
    np.save("half.npy", np.array([3 + 4j, 0, 1]))
    assert "sizes |a| from 0.0 to 5.0" in works("info", "half.npy")


# ---- help and the program itself ---------------------------------------------------------------------------

COMMANDS = ("info", "expand", "pack", "convert", "demo")


def test_without_arguments_it_explains_itself(works):
    assert all(command in works() for command in COMMANDS)


def test_its_version_is_the_one_of_the_library(works):
    assert works("--version") == f"vech {vech.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_and_every_command_has_an_example(command):
    result = CliRunner().invoke(cli.vech_command, [command, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert f"  vech {command}" in result.output
    for parameter in cli.vech_command.commands[command].params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name
            assert f"Example: {parameter.opts[0]}" in parameter.help


def test_as_a_process_an_error_is_exit_code_2(folder):
    done = process("expand", "none.npy", "-o", "full.npy")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "vech: none.npy: No such file or directory\n",
    )


def test_as_a_process_success_is_exit_code_0(folder):
    full = saved_half()
    done = process("expand", "half.npy", "-o", "full.npy")
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_bits(np.load("full.npy"), full)


def test_a_reader_that_closes_early_is_no_traceback(folder):
    np.save("half.npy", np.arange(36))
    script = f"{sys.executable} -m vech.cli info half.npy | true"
    done = subprocess.run(script, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


SLOW = """
import time, sys
from vech import cli
from vech.cli import options
from vech.io import panels
panels.PANEL = 1 << 16
real, done = panels._let_go, []
def slowly(*arguments):
    real(*arguments)
    done.append(arguments)
    print(end=".", flush=True)
    time.sleep(0.02 if len(done) < 3 else 600)
panels._let_go = slowly
cli.main(sys.argv[1:])
"""


@pytest.mark.skipif(not LINUX, reason="sends SIGINT")
def test_interrupted_it_exits_130_and_leaves_nothing(folder):
    vech.write("half.npy", vech.Packed(np.arange(2000 * 2001 / 2)))
    before = listing(folder)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, "expand", "half.npy", "-o", "full.npy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.read(3) == "..."
        assert any(name.endswith(".tmp") for name in listing(folder))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=600)
    assert child.returncode == 130
    assert err.strip() == "vech: interrupted; nothing was written"
    assert listing(folder) == before


@pytest.mark.skipif(not LINUX, reason="sends SIGINT")
def test_interrupted_while_its_modules_are_read_it_says_no_more(folder):
    (folder / "click.py").write_text("import time\nprint(end='.', flush=True)\ntime.sleep(600)\n")
    with subprocess.Popen(
        [sys.executable, "-m", "vech", "--version"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.read(1) == "."
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=600)
    assert (child.returncode, err) == (130, "vech: interrupted; nothing was written\n")


STUCK = """
import sys, time
from vech import cli
from vech.cli import options
from vech.io import npy
def stuck(*arguments, **options):
    print(end=".", flush=True)
    time.sleep(600)
npy.npy_format.write_array_header_1_0 = stuck
cli.main(sys.argv[1:])
"""


@pytest.mark.skipif(not LINUX, reason="sends SIGINT")
@pytest.mark.parametrize(
    "command",
    [("pack", "full.npy", "-o", "out.npy"), ("convert", "half.npy", "--to", "numpy-tril", "-o", "out.npy")],
)
def test_interrupted_while_it_writes_a_half_it_leaves_nothing_either(folder, command):
    np.save("full.npy", saved_half())
    before = listing(folder)
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.read(1) == "."
        assert any(name.endswith(".tmp") for name in listing(folder))
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=600)
    assert child.returncode == 130
    assert err.strip() == "vech: interrupted; nothing was written"
    assert listing(folder) == before


WRITING = [
    ("expand", "half.npy", "-o", "out.npy"),
    ("expand", "half.npy", "-o", "out.npz"),
    ("expand", "half.npy", "-o", "out.mtx"),
    ("expand", "half.npy", "-o", "out.bin"),
    ("pack", "full.npy", "-o", "out.npy"),
    ("pack", "full.npy", "-o", "out.npz"),
    ("convert", "half.npy", "--to", "numpy-tril", "-o", "out.npy"),
    ("convert", "half.npy", "--to", "numpy-tril", "-o", "out.bin"),
    ("covariance", "full.npy", "-o", "out.npy"),
]


@pytest.mark.skipif(not LINUX, reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_a_full_disk_is_one_error_that_leaves_nothing(fails, command):
    half = np.random.default_rng(0).normal(size=600 * 601 // 2)
    vech.write("half.npy", vech.Packed(half))
    np.save("full.npy", vech.expand(half))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        message = fails(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.fullmatch(rf"{command[-1]}: File too large(: needs [\d,]+ bytes, .*)?", message)


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_appears_while_another_is_made_stays_without_force(
    folder, run, monkeypatch, command, force
):
    np.save("full.npy", saved_half())
    out, enter = folder / command[-1], options.Bar.__enter__
    monkeypatch.setattr(options.Bar, "__enter__", lambda bar: (out.write_text("precious"), enter(bar))[1])
    code, said, err = run(*command, *["--force"] * force)
    if force:
        assert (code, err) == (0, "")
        assert out.read_bytes() != b"precious"
        return
    text = "exists: choose another name, or overwrite=True (--force) to overwrite it"
    assert (code, said, err) == (2, "", f"vech: {out.name}: {text}\n")
    assert out.read_text() == "precious"
    assert sorted(listing(folder)) == sorted(["full.npy", "half.npy", "half.npy.json", out.name])


def test_a_description_that_a_killed_run_left_alone_needs_no_force(folder, works):
    saved_half("numpy-tril")
    works("convert", "half.npy", "--to", "vech", "-o", "out.npy")
    (folder / "out.npy").unlink()
    works("convert", "half.npy", "--to", "lapack-upper", "-o", "out.npy")
    assert vech.read("out.npy").layout == vech.as_layout("lapack-upper")


# ---- progress ----------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    """Bars think they are on a terminal, and draw on a page that they keep."""
    page = io.StringIO()
    monkeypatch.setattr(options, "LASTS", 0.05)
    monkeypatch.setattr(options, "Console", lambda **more: Console(file=page, force_terminal=True, width=100))
    return page


def test_a_bar_appears_when_the_work_lasts(terminal):
    began = time.monotonic()
    with options.Bar("writing full.npy", 100) as bar:
        bar(10, 100)
        wait_for(terminal, "writing full.npy")
        assert time.monotonic() - began >= options.LASTS
        bar(20, 100)
        wait_for(terminal, "20%")
    assert not bar.bar.live.is_started


def test_work_that_tells_no_bytes_gets_a_bar_with_its_size_and_the_time_it_takes(terminal):
    with options.Bar("packing full.npy", 8_000_000) as bar:
        wait_for(terminal, "packing full.npy, 8 MB")
        wait_for(terminal, "0:0")
        bar.now("writing half.npy", 4_000_000)
        wait_for(terminal, "writing half.npy, 4 MB")
    assert not bar.bar.live.is_started


def test_a_bar_that_counted_tells_time_again_for_other_work(terminal):
    with options.Bar("expanding", 100) as bar:
        bar(50, 100)
        wait_for(terminal, "50%")
        bar(60, None)
        bar.now("writing half.npy", 4_000_000)
        wait_for(terminal, "writing half.npy, 4 MB")
        terminal.truncate(0)
        wait_for(terminal, "0:0")
        assert "%" not in terminal.getvalue()


def test_quick_work_gets_no_bar(terminal, monkeypatch):
    monkeypatch.setattr(options, "LASTS", 30)
    with options.Bar("packing full.npy", 8_000_000) as bar:
        pass
    bar.timer.join()
    assert not terminal.getvalue()


def wait_for(page, text):
    until = time.monotonic() + 300
    while text not in page.getvalue() and time.monotonic() < until:
        time.sleep(0.01)
    assert text in page.getvalue()


def test_no_bar_appears_without_a_terminal(monkeypatch, capfd):
    monkeypatch.setattr(options, "LASTS", 0.0)
    with options.Bar("writing", 100) as bar:
        time.sleep(0.05)
        bar(10, 100)
        assert not bar.bar.live.is_started
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("expand", "half.npy", "-o", "out.npy"), "expanding half.npy, 120 B"),
        (("expand", "half.npy", "-o", "out.npz"), "expanding half.npy, 120 B"),
        (("pack", "full.npy", "-o", "out.npy"), "writing out.npy, 120 B"),
        (("convert", "half.npy", "--to", "numpy-tril", "-o", "out.npy"), "writing out.npy, 120 B"),
    ],
)
def test_every_command_that_writes_has_a_bar(works, terminal, monkeypatch, command, shown):
    full = saved_half()
    np.save("full.npy", full)
    for name in ("write", "expand"):
        monkeypatch.setattr(vech.io, name, slowly(getattr(vech.io, name), terminal, shown))
    works(*command)
    assert shown in terminal.getvalue()


def slowly(function, page, shown):
    def waits(*arguments, **options):
        wait_for(page, shown)
        return function(*arguments, **options)

    return waits


# ---- demo --------------------------------------------------------------------------------------------------


def test_the_demo_draws_a_picture_and_prints_a_table(works):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    out = works("demo", "-o", "digits.png")
    assert Path("digits.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for word in (
        "1797 handwritten digits",
        "half",
        "full",
        "CSR",
        "CSC",
        "agree in every number",
        "digits.png",
    ):
        assert word in out


def test_the_demo_without_its_extra_says_what_to_install(fails, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert fails("demo").endswith('pip install "vech[demo]"')


# ---- identify ----------------------------------------------------------------------------------------------


def saved_numbers(n=5):
    """A matrix of distinct numbers in full.npy, its numpy-tril half without description in half.npy."""
    full = np.random.default_rng(0).normal(size=(n, n))
    full += full.T
    np.save("full.npy", full)
    np.save("half.npy", full[np.tril_indices(n)])
    return full


def test_identify_prints_what_a_half_can_be(works):
    saved_numbers()
    out = works("identify", "half.npy")
    assert "15 numbers of float64: n = 5 with, n = 6 without the diagonal" in out
    assert "cannot tell them apart" in out
    assert all(name in out for name in ("vech", "numpy-tril", "condensed", "lapack-rfp-nl"))
    assert "condensed" not in works("identify", "half.npy", "--n", 5)


def test_identify_by_a_full_matrix(works):
    full = saved_numbers()
    for name in ("full.npy", "full.mtx", "described.npy", "full.bin"):
        if name == "full.bin":
            full.tofile(name)
            full[np.tril_indices(5)].tofile("half.bin")
            out = works("identify", "half.bin", "--dtype", "<f8", "--matrix", name)
        else:
            if name == "full.mtx":
                scipy.io.mmwrite(name, scipy.sparse.coo_array(full))
            if name == "described.npy":
                vech.write(name, vech.Packed(full[np.triu_indices(5)], "numpy-triu"))
            out = works("identify", "half.npy", "--matrix", name)
        assert "only lapack-upper = numpy-tril fits" in out
        assert "ruled out" in out and "of 15 numbers agree" in out


def test_identify_of_a_rounded_half(works):
    full = saved_numbers()
    np.save("half.npy", full[np.tril_indices(5)].round(3))
    out = works("identify", "half.npy", "--matrix", "full.npy", "--tolerance", "5e-4")
    assert "only lapack-upper = numpy-tril fits" in out


def test_identify_by_entries_and_facts(works):
    full = np.corrcoef(np.random.default_rng(0).normal(size=(5, 9)))
    np.save("half.npy", full[np.tril_indices(5)])
    out = works("identify", "half.npy", "--psd", "--unit-diagonal", "--entry", f"2,1={full[2, 1]}")
    assert "only lapack-upper = numpy-tril fits" in out
    np.save("half.npy", np.array([1, 2, 3 + 4j]))
    assert "numpy-tril" in works("identify", "half.npy", "--entry", "1,1=3+4j", "--entry", "0,1=2")


def test_identify_says_what_the_file_says(works):
    saved_half("vech")
    assert "The file says vech." in works("identify", "half.npy")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("half.npy", "--entry", "1=2"), "I,J=VALUE"),
        (("half.npy", "--entry", "0,0"), "I,J=VALUE"),
        (("half.npy", "--entry", "0,0=1,5"), "I,J=VALUE"),
        (("half.npy", "--n", "9"), "not n = 9"),
        (("half.npy", "--entry", "0,1=77"), "No layout with a name fits"),
        (("half.npy", "--matrix", "half.npy"), "--matrix is a full matrix"),
        (("half.npy", "--matrix", "none.npy"), "none.npy"),
        (("full.npy",), "no half"),
        (("half.bin",), "--dtype"),
    ],
)
def test_identify_fails_in_three_lines(fails, arguments, message):
    full = saved_numbers()
    full[np.tril_indices(5)].tofile("half.bin")
    assert message in fails("identify", *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("pack", "full.npy", "-o", "half.npy", "--tolerance", "1_0"),
        ("expand", "full.npy", "-o", "full.npz", "--threads", "1_0"),
        ("info", "full.npy", "--n", "\uff12"),
        ("identify", "full.npy", "--entry", "0,1=1_0"),
        ("covariance", "full.npy", "-o", "half.npy", "--method", "gerber", "--threshold", "0_5"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_numbers_of_options_are_written_plainly(fails, folder, arguments):
    np.save(folder / "full.npy", np.eye(3))
    assert (
        "is no number" in (message := fails(*arguments))
        or "is no integer" in message
        or "is not I,J" in message
    )


def test_a_file_cannot_command_the_terminal(run, folder):
    rude = "\x1b[2J\x07\u202e"
    np.savez(folder / "a.npz", **{rude: np.eye(2)})
    (folder / "b.csv").write_text(f"{rude},b\n1,{rude}\n")
    (folder / "c.mtx").write_text(f"%%MatrixMarket matrix {rude} real general\n")
    np.save(folder / f"{rude}.npy", np.eye(2))
    for arguments in (
        ("info", "a.npz"),
        ("covariance", "b.csv", "-o", "o.npz"),
        ("info", "c.mtx"),
        ("info", f"{rude}.npy"),
        ("pack", f"{rude}.npy", "-o", f"{rude}.npz"),
        ("info", f"{rude}.bin"),
    ):
        _, out, err = run(*arguments)
        assert r"\x1b[2j\x07" in (out + err).lower()
        assert all(line.isprintable() for line in (out + err).split("\n"))


def test_files_of_covariance_that_are_damaged_are_one_clear_line(fails, folder):
    np.save(folder / "x.npy", np.ones((5, 2)))
    sound = (folder / "x.npy").read_bytes()
    for data, message in (
        (b"", "is no .npy file"),
        (sound + b"x", "ends at byte"),
        (sound[:50], "ends in its header"),
    ):
        (folder / "x.npy").write_bytes(data)
        assert message in fails("covariance", "x.npy", "-o", "half.npz")
