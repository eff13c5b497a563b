"""A study in a table as Excel of Central Europe saves it: rank correlations, their repair, a picture."""

from pathlib import Path

import numpy as np
import pandas
import pytest

import vech

RNG = np.random.default_rng(3)
NAMES = ["mass", "Größe", "age", "dose", "pulse", "sleep"]


@pytest.fixture
def study():
    """What is in study.csv: decimal commas, a column of dates, NA, and a name that is no ASCII."""
    numbers = RNG.normal(size=(14, 6)) + RNG.normal(size=(14, 1))
    numbers[RNG.random(numbers.shape) < 0.35] = np.nan
    frame = pandas.DataFrame(numbers.round(3), columns=NAMES)
    frame.insert(0, "day", pandas.date_range("2024-01-29", periods=14).strftime("%d.%m.%Y"))
    frame.to_csv("study.csv", sep=";", decimal=",", na_rep="NA", index=False, encoding="cp1252")
    return frame.drop(columns="day")


def test_from_a_table_to_a_picture(study):
    table = vech.io.read_table("study.csv", decimal=",", encoding="cp1252", dates="drop")
    R = vech.covariance.spearman(table, missing="pairwise", min_periods=3)
    repaired = vech.linalg.nearest_correlation(R).matrix
    P = vech.linalg.partial_correlation(vech.linalg.nearest_correlation(R, floor=0.01).matrix)
    strongest = P.to_pairs().to_frame().sort_values("value", key=abs, ascending=False).head(3)
    groups = ["body", "body", "person", "drug", "body", "person"]
    picture = vech.plot.heatmap(repaired, groups=groups, order="cluster", title="Ranks")
    picture.axes.figure.savefig("ranks.png")
    vech.write("ranks.csv", repaired)

    theirs = study.corr("spearman", min_periods=3)
    pandas.testing.assert_frame_equal(R.to_frame(), theirs, rtol=1e-12)
    assert np.linalg.eigvalsh(theirs)[0] < -0.01  # it does need a repair
    np.testing.assert_allclose(repaired.expand(), higham(theirs.to_numpy()), atol=1e-6)
    inverse = np.linalg.inv(vech.linalg.nearest_correlation(R, floor=0.01).matrix.expand())
    root = np.sqrt(np.diag(inverse))
    np.testing.assert_allclose(P.expand(), 2 * np.eye(6) - inverse / np.outer(root, root), atol=1e-10)
    assert repaired.labels == P.labels == tuple(NAMES)
    back = pandas.read_csv("ranks.csv", index_col=0)
    pandas.testing.assert_frame_equal(back, repaired.to_frame(), check_names=False)
    assert list(strongest) == ["i", "j", "value"] and set(strongest.i) <= set(NAMES)
    assert P[strongest.i.iloc[0], strongest.j.iloc[0]] == strongest.value.iloc[0]
    assert Path("ranks.png").read_bytes()[:4] == b"\x89PNG"


def test_the_same_on_the_command_line(study, shell):
    with pytest.raises(AssertionError, match=r"is a date; `vech covariance` takes data, rows by columns"):
        shell("vech info study.csv --encoding cp1252")
    said = "--decimal , --encoding cp1252 --dates drop"
    Path("kinds.csv").write_text("variable,kind\n" + "".join(f"{name},{len(name)}\n" for name in NAMES))
    shell(
        f"vech covariance study.csv -o ranks.npz {said} --method spearman --missing pairwise --repair nearest"
    )
    assert "6 labels: mass, Größe, age, dose, pulse, " in shell("vech info ranks.npz")
    shell("vech convert ranks.npz -o ranks.csv --out-sep ; --out-decimal ,".replace(";", "';'"))
    shell("vech plot ranks.npz -o ranks.png --group kinds.csv/kind --cluster")
    shell("vech convert ranks.csv -o ranks.xlsx --decimal ,")

    wanted = higham(study.corr("spearman", min_periods=1).to_numpy())
    for back in (
        pandas.read_csv("ranks.csv", sep=";", decimal=",", index_col=0),
        pandas.read_excel("ranks.xlsx", index_col=0),
    ):
        assert list(back) == list(back.index) == NAMES
        np.testing.assert_allclose(back, wanted, atol=1e-6)


def higham(A):
    """The nearest correlation matrix by alternating projections (Higham 2002), in NumPy."""
    Y, correction = A.copy(), np.zeros_like(A)
    for _ in range(3000):
        values, vectors = np.linalg.eigh(Y - correction)
        X = (vectors * values.clip(0)) @ vectors.T
        correction = X - (Y - correction)
        Y = X - np.diag(np.diag(X)) + np.eye(len(X))
    return Y
