"""Completion in a shell: commands, options, and what options take."""

import os
import subprocess
import sys

import pytest
from click.shell_completion import BashComplete

import vech
from vech import cli


def completed(*arguments, incomplete=""):
    complete = BashComplete(cli.vech_command, {}, "vech", "_VECH_COMPLETE")
    return [item.value for item in complete.get_completions(list(arguments), incomplete)]


def test_commands_and_options():
    assert {"info", "convert", "covariance", "plot"} <= set(completed())
    assert completed("covariance", incomplete="--half") == ["--half-life"]
    assert "--decimal" in completed("convert", incomplete="--")


@pytest.mark.parametrize(
    "arguments",
    [
        ("expand", "--layout"),
        ("pack", "--layout"),
        ("convert", "--from"),
        ("convert", "--to"),
        ("covariance", "--layout"),
        ("plot", "--layout"),
        ("dialects",),
    ],
)
def test_layouts_by_every_name(arguments):
    assert completed(*arguments) == list(vech.DIALECTS)
    assert completed(*arguments, incomplete="svec-") == [k for k in vech.DIALECTS if k.startswith("svec-")]


@pytest.mark.parametrize(
    "arguments, some",
    [
        (("info", "--in-format"), {"npy", "csv", "mtx.gz", "grm.bin"}),
        (("convert", "--out-format"), {"npy", "csv", "phy"}),
        (("covariance", "--in-format"), {"csv", "parquet", "npy"}),
        (("expand", "--kind"), {"symmetric", "hermitian", "skew", "skew-hermitian"}),
        (("covariance", "--method"), {"sample", "gerber", "ledoit-wolf"}),
        (("covariance", "--missing"), {"raise", "neutral", "pairwise"}),
        (("expand", "--to"), {"dense", "csr", "csc", "auto"}),
        (("pack", "--use"), {"both", "lower", "upper", "mean"}),
    ],
)
def test_formats_kinds_and_methods(arguments, some):
    assert some <= set(completed(*arguments))
    one = min(some)
    assert one in completed(*arguments, incomplete=one[:2])


def test_suffixes_with_their_dot_where_it_is_typed():
    assert completed("info", "--in-format", incomplete=".np") == [".npy", ".npz"]


@pytest.mark.parametrize(
    "shell, words", [("bash_source", "complete -o nosort"), ("zsh_source", "#compdef vech")]
)
def test_the_program_prints_what_a_shell_wants(shell, words):
    done = subprocess.run(
        [sys.executable, "-m", "vech"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"_VECH_COMPLETE": shell},
    )
    assert (done.returncode, done.stderr) == (0, "") and words in done.stdout


def test_the_program_completes_in_bash():
    done = subprocess.run(
        [sys.executable, "-m", "vech"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {"_VECH_COMPLETE": "bash_complete", "COMP_WORDS": "vech expand --layout cond", "COMP_CWORD": "3"},
    )
    assert (done.returncode, done.stderr) == (0, "") and "plain,condensed" in done.stdout.split()
