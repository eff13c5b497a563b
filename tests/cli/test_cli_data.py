"""`vech covariance` and `vech plot`: from a table to a half, and from a half to a picture."""

import sys

import numpy as np
import pytest

import vech
from vech import cli
from vech.cli.groups import read_groups

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


def saved_heatmap(monkeypatch):
    """What `vech.plot.heatmap` is called with, and what it draws."""
    calls, heatmap = [], vech.plot.heatmap

    def noted(store, **options):
        calls.append((options, heatmap(store, **options)))

    monkeypatch.setattr(vech.plot, "heatmap", noted)
    return calls


def test_a_picture_has_groups_distances_and_words(run, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    run("covariance", "data.csv", "-o", "half.npy")
    apart = np.abs(np.subtract.outer([0, 5, 1, 6, 2], [0, 5, 1, 6, 2])).astype(float)
    np.save("bare.npy", apart[np.triu_indices(5, 1)])
    np.save("square.npy", apart)
    (tmp_path / "assets.csv").write_text("name,sector\ne,x\nd,y\nc,x\nb,y\na,\n")
    calls = saved_heatmap(monkeypatch)
    more = (
        "--group",
        "assets.csv/sector",
        "--title",
        "Five",
        "--triangle",
        "upper",
        "--content",
        "similarity",
    )
    for distance in ("bare.npy", "square.npy"):
        assert (
            run("plot", "half.npy", "-o", "a.png", "--cluster", "--distance", distance, "--force", *more)[0]
            == 0
        )
        options, found = calls[-1]
        assert options["groups"] == [None, "y", "x", "y", "x"]
        order = found.order.tolist()
        assert {*order[:3]} == {0, 2, 4} or {*order[2:]} == {0, 2, 4}
        assert found.axes.get_title() == "Five" and found.content == "similarity"
        assert found.axes.images[0].get_array().mask[3, 1] and not found.axes.images[0].get_array().mask[1, 3]


GROUPS = {
    "in order": ("g.txt", "x\ny\nNA\nx\ny\n", ["x", "y", None, "x", "y"]),
    "by label": ("g.csv", "b,x\na,y\nd,x\nc,y\ne,z\n", ["y", "x", "y", "x", "z"]),
    "tabs": ("g.tsv/of", "id\tof\te\ne\tx\t\nd\ty\t\nc\tx\t\nb\ty\t\na\tNaN\t\n", [None, "y", "x", "y", "x"]),
    "quoted": (
        "g.csv/of",
        'id,of\na,"x, or y"\nb,z\nc,z\nd,z\ne,"a\nb"\n',
        ["x, or y", "z", "z", "z", "a\nb"],
    ),
    "first column": ("g.csv/of", "of,id\nx,a\ny,b\nx,c\ny,d\nx,e\n", ["x", "y", "x", "y", "x"]),
}


@pytest.mark.parametrize("said, text, groups", GROUPS.values(), ids=GROUPS)
def test_groups_are_read_from_a_table(tmp_path, monkeypatch, said, text, groups):
    monkeypatch.chdir(tmp_path)
    (tmp_path / said.partition("/")[0]).write_text(text)
    assert read_groups(said, tuple("abcde"), 5) == groups


WRONG_GROUPS = {
    "no file": ("none.csv", None, "none.csv: No such file"),
    "no column": ("g.csv/sector", "id,of\na,x\n", "g.csv, line 1: has 0 columns 'sector': it has 'id', 'of'"),
    "two columns": ("g.csv/of", "of,of\na,x\n", "g.csv, line 1: has 2 columns 'of'"),
    "many columns": ("g.csv", "a,b,c\n", "g.csv: has 3 columns: say which one, as in g.csv/c"),
    "too few": ("g.txt", "x\ny\n", "g.txt: has 2 groups, and the matrix 5 rows"),
    "a label": ("g.csv", "a,x\nb,y\nc,z\nd,y\nd,y\n", "g.csv: has 2 lines for the label 'd' of the matrix"),
    "ragged": ("g.csv/of", "id,of\na,x\nb\n", "g.csv, line 3: has 1 cells, and the first line has 2"),
    "empty": ("g.csv", "", "g.csv: is empty"),
    "header alone": ("g.csv/of", "id,of\n", "g.csv: has 0 lines for the label 'a'"),
    "latin1": ("g.csv", b"a,\xe9\n", "g.csv: is no UTF-8"),
    "quote": ("g.csv", 'a,"x\n', "g.csv: is no table"),
}


@pytest.mark.parametrize("said, text, error", WRONG_GROUPS.values(), ids=WRONG_GROUPS)
def test_wrong_groups_are_one_error(run, tmp_path, said, text, error):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    run("covariance", "data.csv", "-o", "half.npy")
    if text is not None:
        content = text if isinstance(text, bytes) else text.encode()
        (tmp_path / said.partition("/")[0]).write_bytes(content)
    code, out, err = run("plot", "half.npy", "-o", "a.png", "--group", said)
    assert code == 2 and out == "" and error in err and len(err.splitlines()) == 1
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "command", [("plot", "half.npy", "-o", "a.png"), ("dialects", "vech", "--plot", "a.png")]
)
def test_a_picture_without_matplotlib_names_the_extra(run, monkeypatch, command):
    run("covariance", "data.csv", "-o", "half.npy")
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run(*command)
    assert code == 2 and err == "vech: pictures need matplotlib, which the extra 'plot' of vech installs\n"


PICTURES = {
    "distance": (("--distance", "half.npy"), "--distance is what to --cluster by: say both"),
    "group": (("--spectrum", "--group", "g.csv"), "--group is for a heatmap, and --spectrum draws none"),
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


def test_spearman_takes_missing_numbers(run):
    holed = X.copy()
    holed[2, 1] = np.nan
    np.save("holed.npy", holed)
    arguments = ("covariance", "holed.npy", "-o", "half.npy", "--method", "spearman", "--missing")
    for missing in ("neutral", "pairwise"):
        assert run(*arguments, missing, "--force")[0] == 0
        want = vech.covariance.spearman(holed, missing=missing).half
        np.testing.assert_array_equal(vech.read("half.npy").half, want)


def test_columns_named_by_numbers_are_said_to_be(run, tmp_path):
    lines = (tmp_path / "data.csv").read_text().split("\n", 1)[1]
    (tmp_path / "years.csv").write_text("2020,2021,2022,2023,2024\n" + lines)
    code, _, err = run("covariance", "years.csv", "-o", "half.npy")
    assert code == 2 and "say --header, or --no-header" in err
    assert run("covariance", "years.csv", "-o", "half.npy", "--header")[0] == 0
    found = vech.read("half.npy")
    assert found.labels == ("2020", "2021", "2022", "2023", "2024")
    np.testing.assert_array_equal(found.half, vech.covariance.sample(X).half)
