"""`vech covariance` and `vech plot`: from a table to a half, and from a half to a picture."""

import numpy as np
import pytest

import vech
from vech import cli

X = np.random.default_rng(3).normal(size=(40, 5)) @ np.random.default_rng(4).normal(size=(5, 5))


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run in this process: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    np.save("data.npy", X)
    lines = [",".join(map(repr, row)) for row in X.tolist()]
    (tmp_path / "data.csv").write_text("a,b,c,d,e\n" + "\n".join(lines) + "\n")
    dated = [f"2020-01-{day:02},{line}" for day, line in enumerate(lines[:28], 1)]
    (tmp_path / "dated.csv").write_text("date,a,b,c,d,e\n" + "\n".join(dated) + "\n")

    def runs(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return runs


METHODS = {
    "sample": vech.covariance.sample,
    "correlation": vech.covariance.correlation,
    "spearman": vech.covariance.spearman,
    "kendall": vech.covariance.kendall,
    "gerber": vech.covariance.gerber,
    "ledoit-wolf": vech.covariance.ledoit_wolf,
    "oas": vech.covariance.oas,
    "nonlinear": vech.covariance.nonlinear,
}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_what_its_function_gives(run, method):
    assert run("covariance", "data.csv", "-o", "half.npy", "--method", method)[::2] == (0, "")
    found = vech.read("half.npy")
    np.testing.assert_array_equal(found.half, METHODS[method](X).half)
    assert found.labels == tuple("abcde")


def test_options_reach_the_function(run):
    assert run("covariance", "data.npy", "-o", "a.npz", "--method", "gerber", "--threshold", 0.8)[0] == 0
    np.testing.assert_array_equal(vech.read("a.npz").half, vech.covariance.gerber(X, 0.8).half)
    assert run("covariance", "data.npy", "-o", "b.npy", "--layout", "numpy-tril", "--threads", 1)[0] == 0
    assert vech.read("b.npy").layout.name == "numpy-tril" and vech.read("b.npy").labels is None
    code, out, _ = run("covariance", "dated.csv", "-o", "c.npy", "--drop", "date", "--drop", "b")
    assert code == 0 and out.startswith("c.npy: 4 x 4 float64, symmetric")
    np.testing.assert_allclose(vech.read("c.npy").expand(), np.cov(X[:28, [0, 2, 3, 4]].T), rtol=1e-12)


def test_missing_numbers_are_an_error_unless_said(run):
    holed = X.copy()
    holed[2, 1] = np.nan
    np.save("holed.npy", holed)
    code, _, err = run("covariance", "holed.npy", "-o", "half.npy")
    assert code == 2 and "X has 1 NaN, the first in row 2, column 1" in err
    assert run("covariance", "holed.npy", "-o", "half.npy", "--missing", "pairwise")[0] == 0
    np.testing.assert_array_equal(
        vech.read("half.npy").half, vech.covariance.sample(holed, missing="pairwise").half
    )


WRONG = {
    "dates": (("dated.csv",), "column 'date' holds '2020-01-01', which is a date"),
    "no file": (("none.csv",), "none.csv: No such file"),
    "threshold": (("data.csv", "--threshold", 1), "--threshold is for --method gerber, not sample"),
    "missing": (
        ("data.csv", "--method", "oas", "--missing", "neutral"),
        "--method oas needs all numbers: --missing is for sample, correlation, spearman, kendall, gerber",
    ),
    "no table": (("data.dat",), "has no suffix of a table: .csv, .tsv, .txt, .csv.gz"),
}


@pytest.mark.parametrize("arguments, text", WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_one_error(run, tmp_path, arguments, text):
    (tmp_path / "data.dat").write_text("1")
    code, out, err = run("covariance", *arguments, "-o", "half.npy")
    assert code == 2 and out == "" and text in err and err.startswith("vech: ") and len(err.splitlines()) <= 3
    assert not (tmp_path / "half.npy").exists()


def test_nothing_is_overwritten_without_force(run):
    for command in (("covariance", "data.csv", "-o", "half.npy"), ("plot", "half.npy", "-o", "a.png")):
        if command[0] == "plot":
            pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
        assert run(*command)[0] == 0
        code, _, err = run(*command)
        assert code == 2 and "exists: choose another name, or --force to overwrite it" in err
        assert run(*command, "--force")[0] == 0
    assert "data.npy is the input" in run("covariance", "data.npy", "-o", "data.npy")[2]


@pytest.mark.parametrize("more", [(), ("--cluster",), ("--spectrum", "--n-samples", 40)])
@pytest.mark.parametrize("suffix, begins", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written(run, tmp_path, more, suffix, begins):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    run("covariance", "data.csv", "-o", "half.npy")
    code, out, err = run("plot", "half.npy", "-o", f"a.{suffix}", *more)
    assert (code, err) == (0, "") and out.startswith(f"a.{suffix}: 5 x 5, ")
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(begins)


PICTURES = {
    "both": (("--cluster", "--spectrum"), "--cluster orders a heatmap, and --spectrum draws none"),
    "samples": (("--n-samples", 3), "--n-samples is for --spectrum"),
    "suffix": (("-o", "a.xyz"), "a.xyz has no suffix of a picture: choose from .eps"),
}


@pytest.mark.parametrize("more, text", PICTURES.values(), ids=PICTURES)
def test_what_cannot_be_drawn_is_one_error(run, tmp_path, more, text):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    run("covariance", "data.csv", "-o", "half.npy")
    code, _, err = run("plot", "half.npy", "-o", "a.png", *more)
    assert code == 2 and text in err
    assert not list(tmp_path.glob("a.*"))


def test_an_error_names_the_file_and_the_column(run, tmp_path):
    (tmp_path / "holed.csv").write_text("a,b\n1,2\n3,\n4,1\n")
    code, _, err = run("covariance", "holed.csv", "-o", "half.npy")
    assert code == 2 and "holed.csv: X has 1 NaN, the first in row 1, column 1 ('b')" in err


def test_spearman_takes_missing_numbers_as_neutral(run):
    holed = X.copy()
    holed[2, 1] = np.nan
    np.save("holed.npy", holed)
    arguments = ("covariance", "holed.npy", "-o", "half.npy", "--method", "spearman", "--missing")
    assert run(*arguments, "neutral")[0] == 0
    want = vech.covariance.spearman(holed, missing="neutral").half
    np.testing.assert_array_equal(vech.read("half.npy").half, want)
    assert run(*arguments, "pairwise", "--force")[0] == 2


def test_columns_named_by_numbers_are_said_to_be(run, tmp_path):
    lines = (tmp_path / "data.csv").read_text().split("\n", 1)[1]
    (tmp_path / "years.csv").write_text("2020,2021,2022,2023,2024\n" + lines)
    code, _, err = run("covariance", "years.csv", "-o", "half.npy")
    assert code == 2 and "say header=True (--header), or header=False (--no-header)" in err
    assert run("covariance", "years.csv", "-o", "half.npy", "--header")[0] == 0
    found = vech.read("half.npy")
    assert found.labels == ("2020", "2021", "2022", "2023", "2024")
    np.testing.assert_array_equal(found.half, vech.covariance.sample(X).half)
