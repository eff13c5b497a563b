"""`vech dialects`: the table in the terminal, and one layout."""

import re
import shlex

import numpy as np
import pytest

import reference
import vech
from vech import cli
from vech.layouts.dialects import CANONICAL, DIALECTS, TABLE
from vech.layouts.pictures import picture


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def runs(*arguments):
        with pytest.raises(SystemExit) as caught:
            cli.main(list(arguments))
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return runs


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_has_every_layout_and_who_has_it(run, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = run("dialects")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= width
    for name in CANONICAL:
        assert re.search(rf"^│ {name} ", out, re.MULTILINE), name
    assert "…" not in out
    who = "".join(line.split("│")[4] for line in out.splitlines() if line.count("│") == 5)
    for row in TABLE:
        assert "".join(row.library.split()) in "".join(who.split())
    if width == 200:
        assert re.search(r"│ svec-upper +│ upper by columns, grow; +│ 5 +│ Clarabel; PICOS;", out)
        for row in TABLE:
            for word in re.findall(r"\w+", row.library):
                assert word in out
    assert "vech dialects NAME" in out


@pytest.mark.parametrize("name", DIALECTS)
def test_a_name_shows_its_picture_its_users_and_its_conversions(run, name):
    code, out, err = run("dialects", name)
    assert (code, err) == (0, "")
    layout = DIALECTS[name]
    assert out.splitlines()[0] == (name if name == layout.name else f"{name} = {layout.name}")
    assert picture(layout) in out
    rows = [row for row in TABLE if name in (row.name, row.layout)]
    rows = [row for row in rows if name in CANONICAL or row.name == name]
    assert rows
    for row in rows:
        assert f"{row.name}: {row.library}, {row.calls}\n    proof: {row.proof}\n" in out
        assert not row.quirks or f"    mind: {row.quirks}\n" in out
    assert f'vech.expand(half, "{name}"' in out
    assert f'vech.convert(half, "{name}", "' in out
    assert ("\n* stored as" in out) == name.startswith("lapack-rfp")


def test_the_layout_with_the_same_numbers_is_named(run):
    lines = "lower by columns, shrink; diagonal zero; scale none\nsame numbers for a symmetric matrix: "
    assert f"\n{lines}strict-triu (SciPy; CVXPY)\n\n" in run("dialects", "condensed")[1]
    assert (
        "same numbers for a symmetric matrix: condensed (R stats)\n\n"
        in run("dialects", "scipy-condensed")[1]
    )
    assert "same numbers" not in run("dialects", "strict-tril")[1]


def test_what_is_printed_of_one_layout(run):
    assert run("dialects", "clarabel-psd") == (
        0,
        "\n".join(
            (
                "clarabel-psd = svec-upper",
                "upper by columns, grow; diagonal stored; scale sqrt(2) off the diagonal",
                "",
                "0   1'  3'  6'",
                ".   2   4'  7'",
                ".   .   5   8'",
                ".   .   .   9",
                "",
                ". not stored: the other triangle, or an implied diagonal",
                "' stored times the scale",
                "",
                "clarabel-psd: Clarabel, PSDTriangleConeT(n)",
                f"    proof: {next(row.proof for row in TABLE if row.name == 'clarabel-psd')}",
                "    mind: SCS's order is taken without an error: another problem gets solved.",
                "",
                'vech.expand(half, "clarabel-psd")',
                'vech.convert(half, "clarabel-psd", "vech")',
                "vech convert FILE --from clarabel-psd --to vech -o OUT",
                "",
            )
        ),
        "",
    )


@pytest.mark.parametrize(
    "name", ["pyscf-tril", "vech", "geomstats-skew", "lapack-rfp-tl", "mandel", "pymc-packed-upper"]
)
def test_the_command_line_that_is_printed_runs(run, name):
    _, out, _ = run("dialects", name)
    line = out.splitlines()[-1].replace("FILE", "half.npy").replace("OUT", "out.npy")
    layout = DIALECTS[name]
    half = np.random.default_rng(0).standard_normal(layout.length(3 if name == "mandel" else 5))
    np.save("half.npy", half)
    program, *arguments = shlex.split(line)
    assert program == "vech"
    code, _, err = run(*arguments)
    assert (code, err) == (0, "")
    kind = "skew" if "--kind skew" in line else "symmetric"
    target = vech.as_layout(arguments[arguments.index("--to") + 1])
    full = reference.expand(np.load("out.npy"), target, kind)
    i, j = layout.pair(np.arange(len(half)), full.shape[0])
    scales = np.where(i == j, layout.diagonal_scale, layout.offdiagonal_scale)
    np.testing.assert_allclose(full[i, j] * scales, half, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clarabel", "did you mean 'clarabel-psd'?"),
        ("squareform", "did you mean 'scipy-condensed'?"),
        ("voigt", "it is three orders."),
        ("zzzzzz", "choose from vech, lapack-upper"),
    ],
)
def test_an_unknown_name_gets_the_nearest_ones(run, name, words):
    code, out, err = run("dialects", name)
    assert (code, out) == (2, "")
    assert err.startswith(f"vech: unknown layout '{name}': {words}")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["expand", "pack", "convert"])
def test_the_help_of_a_layout_is_short_and_says_where_all_are(run, command):
    _, out, _ = run(command, "--help")
    text = " ".join(out.split()).replace("- ", "-")  # broken at hyphens
    assert "vech, lapack-upper, numpy-tril, numpy-triu, condensed, ...: vech dialects lists all." in text
    assert "plink" not in text


@pytest.mark.parametrize("suffix, begins", [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_layout_is_drawn(run, tmp_path, suffix, begins):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    code, out, err = run("dialects", "svec-lower", "--plot", f"a.{suffix}", "--n", "6")
    assert (code, err) == (0, "") and out.endswith(f"a.{suffix}: the order as a picture\n")
    assert out.startswith(run("dialects", "svec-lower")[1])
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(begins)
    code, _, err = run("dialects", "svec-lower", "--plot", f"a.{suffix}")
    assert code == 2 and "exists: choose another name, or --force to overwrite it" in err
    assert run("dialects", "svec-lower", "--plot", f"a.{suffix}", "--force")[0] == 0


def test_a_picture_is_of_one_layout(run):
    assert run("dialects", "--plot", "a.png")[2] == "vech: --plot draws one layout: say its NAME\n"
    assert run("dialects", "vech", "--n", "4")[2] == "vech: --n is for --plot\n"
