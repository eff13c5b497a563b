"""`vech covariance`: tables in, every estimator, and what each of them takes."""

import inspect

import click
import numpy as np
import pytest

import vech
from vech import cli
from vech import covariance as estimate
from vech.cli.covariance import METHODS

X = np.random.default_rng(3).normal(size=(40, 5)) @ np.random.default_rng(4).normal(size=(5, 5))
HOLED = np.where(np.random.default_rng(5).random(X.shape) < 0.2, np.nan, X)
WEIGHTS = np.random.default_rng(6).random(40)


def text(matrix, sep=",", decimal="."):
    return "\n".join(sep.join(repr(x).replace(".", decimal) for x in row) for row in matrix.tolist()) + "\n"


@pytest.fixture(autouse=True)
def files(there):
    np.save("data.npy", X)
    np.save("holed.npy", HOLED)
    np.save("weights.npy", WEIGHTS)
    (there / "data.csv").write_text("a,b,c,d,e\n" + text(X))
    (there / "weighted.csv").write_text("a,b,c,d,e,w\n" + text(np.column_stack((X, WEIGHTS))))
    (there / "weights.csv").write_text("w\n" + text(WEIGHTS[:, None]))


@pytest.fixture
def made(works):
    def makes(file, *arguments):
        works("covariance", file, "-o", "half.npz", "--force", *arguments)
        return vech.read("half.npz")

    return makes


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_what_its_function_gives(made, method):
    numbers = np.sign(X) if method in ("jaccard", "hamming", "matching") else X
    np.save("data.npy", numbers)
    function = getattr(estimate, method.replace("-", "_"))
    np.testing.assert_array_equal(made("data.npy", "--method", method).half, function(numbers).half)


OPTIONS = {
    "ddof": (("--ddof", 0), lambda X: estimate.sample(X, ddof=0)),
    "centered": (("--assume-centered",), lambda X: estimate.sample(X, assume_centered=True)),
    "half-life": (
        ("--half-life", 7.5),
        lambda X: estimate.sample(X, weights=estimate.exponential_weights(40, 7.5)),
    ),
    "weights": (("--weights", "weights.npy"), lambda X: estimate.sample(X, weights=WEIGHTS)),
    "weights in text": (("--weights", "weights.csv"), lambda X: estimate.sample(X, weights=WEIGHTS)),
    "both": (
        ("--weights", "weights.csv", "--half-life", 9, "--method", "correlation"),
        lambda X: estimate.correlation(X, weights=WEIGHTS * estimate.exponential_weights(40, 9)),
    ),
    "form": (
        ("--method", "gerber", "--form", "gs2", "--threshold", 0.7, "--center", "median", "--correlation"),
        lambda X: estimate.gerber(X, 0.7, form="gs2", center="median", correlation=True),
    ),
    "gerber mends itself": (
        ("--method", "gerber", "--form", "gs0", "--repair", "shrink"),
        lambda X: estimate.gerber(X, form="gs0", repair="shrink"),
    ),
    "variant": (("--method", "kendall", "--variant", "a"), lambda X: estimate.kendall(X, "a")),
    "target": (
        ("--method", "ledoit-wolf", "--target", "constant-correlation"),
        lambda X: estimate.ledoit_wolf(X, "constant-correlation"),
    ),
    "denoise": (("--denoise", "--ddof", 0), lambda X: estimate.denoise(X, ddof=0)),
    "denoised correlation": (("--denoise", "--correlation"), lambda X: estimate.denoise(X, correlation=True)),
    "layout": (("--layout", "numpy-tril"), lambda X: estimate.sample(X, layout="numpy-tril")),
}


@pytest.mark.parametrize("arguments, wanted", OPTIONS.values(), ids=OPTIONS)
def test_options_reach_the_function(made, arguments, wanted):
    found = made("data.npy", *arguments)
    np.testing.assert_array_equal(found.half, wanted(X).half)
    assert found.layout == wanted(X).layout


HOLES = {
    "pairwise": (("--missing", "pairwise"), lambda X: estimate.sample(X, missing="pairwise")),
    "min-periods": (
        ("--missing", "pairwise", "--min-periods", 30, "--method", "spearman"),
        lambda X: estimate.spearman(X, missing="pairwise", min_periods=30),
    ),
    "neutral": (
        ("--missing", "neutral", "--method", "oas"),
        lambda X: estimate.oas(X, missing="neutral"),
    ),
}


@pytest.mark.parametrize("arguments, wanted", HOLES.values(), ids=HOLES)
def test_missing_numbers(made, arguments, wanted):
    np.testing.assert_array_equal(made("holed.npy", *arguments).half, wanted(HOLED).half)


@pytest.mark.parametrize("method, mends", [("sample", "nearest_psd"), ("correlation", "nearest_correlation")])
@pytest.mark.parametrize("repair", ["nearest", "shrink"])
@pytest.mark.parametrize("layout", ["vech", "numpy-tril"])
def test_what_is_indefinite_is_repaired(made, method, mends, repair, layout):
    rng = np.random.default_rng(1)
    few = np.where(rng.random((16, 12)) < 0.35, np.nan, rng.normal(size=(16, 12)))
    np.save("few.npy", few)
    arguments = ("few.npy", "--missing", "pairwise", "--method", method, "--layout", layout)
    rough = made(*arguments)
    assert np.linalg.eigvalsh(rough.expand())[0] < -1e-3
    mended = made(*arguments, "--repair", repair)
    function = getattr(vech.linalg, mends if repair == "nearest" else "shrink_to_psd")
    np.testing.assert_array_equal(mended.half, function(rough).matrix.half)
    assert mended.layout.name == layout and np.linalg.eigvalsh(mended.expand())[0] > -1e-12


def test_weights_of_a_column_are_no_data(made):
    found = made("weighted.csv", "--weights", "w")
    assert found.labels == tuple("abcde")
    np.testing.assert_array_equal(found.half, estimate.sample(X, weights=WEIGHTS).half)


TABLES = {
    "semicolons": ("a;b;c;d;e\n" + text(X, ";", ","), ("--sep", ";", "--decimal", ",")),
    "dates": (
        "when,a,b,c,d,e\n" + "".join(f"2020-01-01,{line}\n" for line in text(X).splitlines()),
        ("--dates", "drop"),
    ),
    "index": (
        "when,a,b,c,d,e\n" + "".join(f"day {k},{line}\n" for k, line in enumerate(text(X).splitlines())),
        ("--index", "when"),
    ),
    "drop": (
        "a,b,c,d,e,who,no\n" + "".join(f"{line},x,1\n" for line in text(X).splitlines()),
        ("--drop", "who", "--drop", "no"),
    ),
    "comments": ("# made by hand\na,b,c,d,e\n" + text(X), ("--comment", "#")),
    "numbers as names": ("1,2,3,4,5\n" + text(X), ("--header",)),
    "no names": (text(X), ("--no-header",)),
}


@pytest.mark.parametrize("content, arguments", TABLES.values(), ids=TABLES)
def test_tables(made, there, content, arguments):
    (there / "table.csv").write_text(content)
    found = made("table.csv", *arguments)
    np.testing.assert_array_equal(found.half, estimate.sample(X).half)


def test_columns_by_their_numbers(made, there):
    (there / "table.csv").write_text("7,b,c\n1,2,9\n2,5,3\n4,4,4\n")
    assert made("table.csv", "--header", "--drop", 7).labels == ("b", "c")
    assert made("table.csv", "--header", "--drop", 1).labels == ("7", "c")
    (there / "named.csv").write_text("a,b\nx,1,2\ny,2,4\nz,3,1\n")
    assert made("named.csv", "--index", 0).labels == ("a", "b")
    (there / "counted.csv").write_text("k,b,c\n1,2,9\n2,5,3\n3,4,4\n")
    assert made("counted.csv", "--no-index").labels == ("k", "b", "c")


def test_what_else_is_missing(made, there):
    (there / "table.csv").write_text("a,b\n1,2\n-999,3\nnone,5\n4,1\n2,2\n")
    found = made("table.csv", "--na", -999, "--na", "none", "--missing", "pairwise")
    wanted = np.array([[1, 2], [np.nan, 3], [np.nan, 5], [4, 1], [2, 2]])
    np.testing.assert_array_equal(found.half, estimate.sample(wanted, missing="pairwise").half)


def test_other_encodings(made, there):
    (there / "table.csv").write_bytes("größe,b\n1,2\n3,5\n".encode("cp1252"))
    assert made("table.csv", "--encoding", "cp1252").labels == ("größe", "b")


def test_a_table_of_text_without_its_suffix(made, there):
    (there / "table").write_text("a,b\n1,2\n3,5\n")
    assert made("table", "--in-format", "csv").labels == ("a", "b")


def test_every_option_of_an_estimator_is_an_option():
    command = cli.vech_command.commands["covariance"]
    options = {param.name for param in command.params if isinstance(param, click.Option)}
    taken = {name for function in METHODS.values() for name in inspect.signature(function).parameters}
    taken |= set(inspect.signature(estimate.denoise).parameters)
    assert taken - options == {"X", "progress", "return_shrinkage", "variance"}


def test_the_time_left_is_told(works, monkeypatch):
    told = []
    monkeypatch.setattr(cli.options.Bar, "__call__", lambda self, done, total: told.append((done, total)))
    works("covariance", "data.npy", "-o", "half.npz")
    assert told[-1] == (40, 40)


WRONG = {
    "threshold": (("--threshold", 1), "--threshold is for --method gerber, not sample"),
    "form": (("--form", "gs1", "--method", "kendall"), "--form is for --method gerber, not kendall"),
    "target": (("--target", "identity"), "--target is for --method ledoit-wolf, not sample"),
    "ddof": (("--ddof", 0, "--method", "oas"), "--ddof is for --method sample, correlation, not oas"),
    "half-life": (
        ("--half-life", 3, "--method", "oas"),
        "--half-life is for --method sample, correlation, gerber, not oas",
    ),
    "weights": (
        ("--weights", "w.csv", "--denoise"),
        "--weights is for --method sample, correlation, gerber, not --denoise",
    ),
    "denoise": (("--denoise", "--method", "gerber"), "--denoise is for --method sample, not gerber"),
    "repair": (
        ("--repair", "nearest", "--method", "oas"),
        "--repair is for --method gerber, sample, correlation",
    ),
    "variant": (("--variant", "c", "--method", "kendall"), "'c' is not one of 'a', 'b'"),
    "min-periods": (("--min-periods", 3), "say --missing 'pairwise', or leave --min-periods out"),
    "periods": (("--min-periods", 0), "0 is not in the range x>=1"),
    "life": (("--half-life", 0), "--half-life"),
    "no column": (
        ("--weights", "x"),
        "data.csv: has no column 'x': --weights is one of them, or a file .csv",
    ),
    "no weights": (("--weights", "none.csv"), "none.csv: No such file"),
    "wide weights": (("--weights", "data.csv"), "data.csv: has 5 columns of numbers, and --weights are one"),
    "square weights": (("--weights", "data.npy"), "data.npy: "),
    "too few": (("--weights", "short.npy"), "there are 3 weights for 40 rows"),
    "negative": (("--weights", "minus.npy"), "weights[1] is -1.0"),
    "index": (("--index", "none"), "has no column 'none' to have as index"),
    "no number": (("--drop", 5), "has no column 5 to drop: it has 0 to 4"),
    "both": (("--index", "a", "--no-index"), "--index and --no-index: say one of them"),
    "sheet": (("--sheet", "one"), "--sheet says nothing about a file .csv: leave it out"),
    "encoding": (("--encoding", "latin-99"), "latin-99"),
    "escape": (("--drop", "\x1b[2J"), r"\x1b[2J"),
}


@pytest.mark.parametrize("arguments, message", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_one_error(fails, arguments, message):
    np.save("short.npy", np.ones(3))
    np.save("minus.npy", np.where(np.arange(40) == 1, -1.0, 1.0))
    found = fails("covariance", "data.csv", "-o", "half.npz", *arguments)
    assert message in found and found.replace("\n", "").isprintable()


def test_a_column_of_numbers_is_no_index_where_that_is_said(fails, there):
    (there / "table.csv").write_text("a,b\nx,1,2\ny,2,4\n")
    found = fails("covariance", "table.csv", "-o", "half.npz", "--no-index")
    assert "has 3 cells, and there are 2 columns: if the first one labels the row, say --index 0" in found


def test_weights_for_other_rows_are_refused(fails, made, there):
    (there / "table.csv").write_text(",a\nx,1\ny,2\nz,4\n")
    (there / "w.csv").write_text(",w\ny,1\nx,2\nz,3\n")
    found = fails("covariance", "table.csv", "-o", "half.npz", "--weights", "w.csv")
    assert found == "w.csv: labels its rows otherwise than the table does: give both one order"
    (there / "w.csv").write_text(",w\nx,1\ny,2\nz,3\n")
    wanted = estimate.sample(np.array([[1.0], [2], [4]]), weights=[1, 2, 3])
    np.testing.assert_array_equal(made("table.csv", "--weights", "w.csv").half, wanted.half)


def test_a_method_may_be_written_as_its_function(made, there):
    (there / "table.csv").write_text("a,b\n1,2\n2,4\n4,5\n")
    wanted = estimate.ledoit_wolf(np.array([[1.0, 2], [2, 4], [4, 5]]))
    np.testing.assert_array_equal(made("table.csv", "--method", "ledoit_wolf").half, wanted.half)


def test_an_encoding_that_is_seen_is_said(vech_run, there):
    (there / "data.csv").write_text("a,b,c,d,e\n" + text(X), "utf-16")
    code, _, err = vech_run("covariance", "data.csv", "-o", "half.npz")
    assert (code, err) == (0, "data.csv: read as utf-16-le, which its first bytes say\n")
    np.testing.assert_array_equal(vech.read("half.npz").half, estimate.sample(X).half)
    code, _, err = vech_run("covariance", "data.csv", "-o", "b.npz", "--encoding", "utf-16")
    assert (code, err) == (0, "")
