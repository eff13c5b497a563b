"""Messages speak in options of the command that runs."""

import re

import click
import numpy as np
import pytest
import scipy.sparse

import vech
from vech import cli
from vech.cli.wording import Wording

SPOKEN = {
    "has layout vech, and layout=numpy-tril was asked for: leave layout out, or say what the file says": (
        "pack",
        (
            "has layout vech, and --layout numpy-tril was asked for: leave --layout out, "
            "or say what the file says"
        ),
    ),
    "has n 5, and n=4 was asked for: leave n out": (
        "pack",
        "has n 5, and --n 4 was asked for: leave --n out",
    ),
    "10 for n=4 or 15 for n=5; say dtype=, and n=": (
        "pack",
        "10 for n=4 or 15 for n=5; say --dtype, and --n",
    ),
    "say kind='symmetric' or kind='hermitian'": ("expand", "say --kind 'symmetric' or --kind 'hermitian'"),
    "allow more with tolerance= (--use, --tolerance)": (
        "pack",
        "allow more with --tolerance (--use, --tolerance)",
    ),
    "vech.io.pack(path, use='lower') (vech pack --use lower) does": ("info", "vech pack --use lower does"),
    "leave it out by drop='a' (--drop 'a')": ("covariance", "leave it out by --drop 'a'"),
    "Say layout= (--layout); there is tolerance= too": ("expand", "Say --layout; there is tolerance= too"),
    "min_periods counts, or half_life=3": ("covariance", "--min-periods counts, or --half-life 3"),
    "header=True or header=False, index=False": ("covariance", "--header or --no-header, --no-index"),
    "labels=False": ("convert", "--no-labels"),
    "has no sep=: leave it out": ("convert", "has no --sep: leave it out"),
    "say layout= (--layout)": ("convert", "say --from"),
    "use out= a memory map": ("expand", "use out= a memory map"),
    "vech.covariance.sample (vech covariance)": ("info", "vech covariance"),
    "header (--header, --no-header) says nothing": ("info", "--header, --no-header says nothing"),
    "a (b) c (--elsewhere) d": ("info", "a (b) c d"),
    "tile (0, 0) is not done: missing() lists all, fill() computes them": (
        "plot",
        "tile (0, 0) is not done: vech verify lists all, a run with --resume computes them",
    ),
    "is 0: S.set_diagonal(0) sets it; similarities s become distances first, such as 1 - s": (
        "cluster",
        "is 0: vech distances makes such a matrix",
    ),
    "its nonzeros alone: dbscan(S.to_packed()), if": (
        "cluster",
        "its nonzeros alone: vech convert writes all of them, if",
    ),
    "write .csv, or S.with_labels(None), without them": (
        "tile",
        "write .csv, or say vech convert --drop-labels",
    ),
    "this store has none: S.with_labels(bins)": ("convert", "this store has none"),
    "no labels: S.with_labels(names), or write .csv": ("convert", "no labels: write .csv"),
    "S has no labels to draw: S.with_labels(names) gives it some": ("plot", "S has no labels to draw"),
    "S.with_labels(str) makes labels text": ("convert", "--join-labels MARK makes labels text"),
    "S.astype('float32') makes it so": ("similarity", "vech convert --out-dtype float32 makes it so"),
    "this is int8: astype(np.int64) first": ("eigsh", "this is int8: vech convert --out-dtype int64 first"),
    "drop it, or astype(float)": ("covariance", "drop it"),
    "drop it, or astype('int64')": ("distances", "drop it"),
    "real numbers: np.hstack([np.real(X), np.imag(X)]) has both parts": ("distances", "real numbers"),
    "real numbers: np.real and np.imag of it are two columns": ("distances", "real numbers"),
    "real numbers: pass np.real(X)": ("covariance", "real numbers"),
    "of type date: astype('datetime64[us]') makes dates of them, astype('category') names": (
        "distances",
        "of type date",
    ),
    "write .npz, or astype first": ("convert", "write .npz, or --out-dtype first"),
    "not bool: astype a signed dtype first": ("convert", "not bool: --out-dtype makes a signed dtype"),
}


@pytest.mark.parametrize("said", SPOKEN)
def test_arguments_become_options(said):
    name, wanted = SPOKEN[said]
    command = cli.vech_command.commands[name]
    assert Wording(command, command.python).spoken(said) == wanted


def save_all():
    """One file of each kind that something is wrong with."""
    rng = np.random.default_rng(0)
    vech.write("half.npy", vech.Packed(np.arange(15.0)))
    vech.write("named.npz", vech.Packed(np.arange(6.0), labels="abc"))
    np.save("bare.npy", np.arange(10.0))
    np.save("complex.npy", np.arange(10) * 1j)
    np.save("lopsided.npy", np.array([[1.0, 2], [3, 4]]))
    np.save("upper.npy", np.triu(np.ones((3, 3))))
    np.arange(10.0).tofile("raw.bin")
    scipy.sparse.save_npz("sparse.npz", scipy.sparse.csr_array(np.eye(3)))
    scipy.sparse.save_npz("triangle.npz", scipy.sparse.csr_array(np.tril(np.ones((3, 3)))))
    holed = rng.normal(size=(20, 3))
    holed[3, 1] = np.nan
    np.save("holed.npy", holed)
    vech.write("cosines.npy", vech.pairwise.cosine(rng.normal(size=(5, 3))))
    vech.write("whole.npz", vech.Packed(np.arange(6), labels=[("a", k) for k in range(3)]))
    vech.write("words.npz", vech.Packed(np.zeros(6), labels=["a b", "c", "d"]))
    np.save("text.npy", np.array([["a", "b"], ["c", "d"]]))
    np.save("days.npy", np.array([["2020-01-01"], ["2020-01-02"]], "M8[D]"))
    np.save("x.npy", rng.normal(size=(20, 3)))
    with open("marks.csv", "w") as file:
        file.write("1,5 2,5\n2,5 1,5\n")
    with open("lopsided.csv", "w") as file:
        file.write("1,2\n3,4\n")
    with open("years.csv", "w") as file:
        file.write("2020,2021\n1.5,2\n2,1\n3,3\n")
    with open("dated.csv", "w") as file:
        file.write("when,a\n2020-01-01,1\n2020-01-02,3\n")


WRONG = [
    ("expand", "half.npy", "--layout", "numpy-tril"),
    ("expand", "half.npy", "--n", 4),
    ("expand", "half.npy", "--dtype", "f4"),
    ("expand", "half.npy", "--dtype", "real"),
    ("expand", "half.npy", "--sep", ","),
    ("expand", "half.npy", "--kind", "skew"),
    ("expand", "bare.npy"),
    ("expand", "raw.bin"),
    ("expand", "complex.npy", "--layout", "vech"),
    ("expand", "lopsided.npy"),
    ("expand", "lopsided.csv"),
    ("expand", "upper.npy"),
    ("expand", "triangle.npz"),
    ("expand", "marks.csv"),
    ("expand", "sparse.npz", "--layout", "vech"),
    ("pack", "half.npy"),
    ("pack", "lopsided.npy"),
    ("pack", "lopsided.csv"),
    ("pack", "lopsided.npy", "--use", "lower", "--tolerance", 1),
    ("pack", "lopsided.npy", "--use", "upper", "--layout", "condensed"),
    ("pack", "triangle.npz"),
    ("pack", "raw.bin", "--dtype", "f8"),
    ("convert", "bare.npy"),
    ("convert", "lopsided.npy"),
    ("convert", "half.npy", "--from", "condensed"),
    ("convert", "half.npy", "--to", "condensed"),
    ("convert", "sparse.npz", "--from", "vech"),
    ("convert", "marks.csv"),
    ("covariance", "holed.npy"),
    ("covariance", "holed.npy", "--min-periods", 3),
    ("covariance", "holed.npy", "--missing", "pairwise", "--weights", "w.npy"),
    ("covariance", "holed.npy", "--missing", "pairwise", "--method", "oas"),
    ("covariance", "x.npy", "--layout", "condensed"),
    ("covariance", "x.npy", "--half-life", -1),
    ("covariance", "x.npy", "--ddof", 20),
    ("covariance", "x.npy", "--method", "gerber", "--threshold", 0),
    ("covariance", "x.npy", "--header"),
    ("covariance", "years.csv"),
    ("covariance", "dated.csv"),
    ("cluster", "cosines.npy", "-k", 2),
    ("cluster", "triangle.npz", "-k", 2),
    ("convert", "whole.npz", "--out", "whole.grm.bin"),
    ("convert", "whole.npz", "--out", "whole.csv"),
    ("convert", "half.npy", "--out", "half.grm.bin", "--out-dtype", "float32"),
    ("convert", "complex.npy", "--from", "vech", "--kind", "hermitian", "--out-dtype", "f4"),
    ("convert", "words.npz", "--out", "words.phy"),
    ("convert", "whole.npz", "--to", "svec-lower"),
    ("expand", "text.npy"),
    ("distances", "days.npy"),
    ("covariance", "text.npy"),
    ("identify", "half.npy", "--matrix", "lopsided.npy"),
    ("identify", "raw.bin"),
]


@pytest.mark.parametrize("arguments", WRONG, ids=lambda arguments: " ".join(map(str, arguments)))
def test_no_message_tells_an_argument_of_python(fails, arguments):
    save_all()
    np.save("w.npy", np.ones(20))
    more = () if arguments[0] == "identify" or "--out" in arguments else ("-o", "out.npz")
    message = fails(*arguments, *more)
    command = cli.vech_command.commands[arguments[0]]
    names = {param.name for param in command.params if isinstance(param, click.Option)} | {
        "layout",
        "use",
        "missing",
    }
    told = set(re.findall(r"(?<![-\w])(\w+)=(?!\d+[:,;]|\d+ or|\d+$)", message)) & names
    assert not told, message
    assert not re.search(r"\bvech\.\w+|\b\w+_\w+\b(?<!ml_dtypes)|\bastype\b|[a-z]\(", message), message
