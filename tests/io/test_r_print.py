"""Matrices as R printed them, against the same distances from SciPy and NumPy."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

import vech
from vech.io import FileFormatError, r_print

DATA = Path(__file__).parent / "data"
POINTS = np.array([[1, 2, 4, 7, 11], [3, 1, 4, 1, 5]], float).T
CARS = {
    "Mazda RX4": (21, 6, 160, 110),
    "Mazda RX4 Wag": (21, 6, 160, 110),
    "Datsun 710": (22.8, 4, 108, 93),
    "Hornet 4 Drive": (21.4, 6, 258, 110),
    "Hornet Sportabout": (18.7, 8, 360, 175),
    "Valiant": (18.1, 6, 225, 105),
    "Duster 360": (14.3, 8, 360, 245),
    "Merc 240D": (24.4, 4, 146.7, 62),
    "Merc 230": (22.8, 4, 140.8, 95),
    "Merc 280": (19.2, 6, 167.6, 123),
    "Merc 280C": (17.8, 6, 167.6, 123),
    "Merc 450SE": (16.4, 8, 275.8, 180),
}
ROWS = np.array(list(CARS.values()))


@pytest.mark.parametrize(
    ("name", "labels", "points"),
    [
        ("r-dist.txt", None, POINTS),
        ("r-dist-diag.txt", None, POINTS),
        ("r-dist-upper.txt", None, POINTS),
        ("r-dist-wrapped.txt", tuple(CARS), ROWS),
        ("r-dist-both.txt", tuple(CARS)[:7], ROWS[:7, :3]),
    ],
)
def test_distances_are_read_as_they_are_printed(name, labels, points):
    store = vech.read(DATA / name)
    assert (store.layout, store.kind, store.labels) == (vech.as_layout("r-dist"), "symmetric", labels)
    np.testing.assert_allclose(store.half, pdist(points), atol=5.1e-6)
    np.testing.assert_allclose(store.expand(), squareform(pdist(points)), atol=5.1e-6)


def test_a_missing_distance_is_nan():
    half = vech.read(DATA / "r-dist-na.txt").half
    assert np.flatnonzero(np.isnan(half)).tolist() == [2]
    np.testing.assert_allclose(np.delete(half, 2), np.delete(pdist(POINTS), 2), atol=5e-7)


def test_a_matrix_without_names():
    store = vech.read(DATA / "r-unnamed.txt")
    assert store.labels is None and store.layout == vech.as_layout("vech")
    # R rounds each column by itself, and (2, 0) has more decimals than (0, 2)
    assert store[0, 2] == -633.097208
    assert store[3, 3] == 4700.8669


def test_wrapped_correlations():
    store, part = vech.read(DATA / "r-cor-wrapped.txt"), vech.read(DATA / "r-write.csv")
    assert store.n == 11 and store.labels[:4] == part.labels
    np.testing.assert_allclose(store.expand()[:4, :4], part.expand(), atol=5.1e-8)
    assert store[0, 4] == 0.68117191
    assert store.diagonal().tolist() == [1] * 11


PRINTED = "    a   b\nb 1.5    \nc 2.0 3.0\n"


def refused(tmp_path, text, message):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(FileFormatError) as caught:
        vech.read(path)
    assert f"{path}{message}" in str(caught.value)


def test_a_print_out_by_hand(tmp_path):
    (tmp_path / "a.txt").write_text("> d\n" + PRINTED)
    store = vech.read(tmp_path / "a.txt")
    assert store.half.tolist() == [1.5, 2, 3] and store.labels == ("a", "b", "c")


def test_names_that_only_their_place_tells_from_numbers(tmp_path):
    lines = [("", "Fiat 128", "Audi 80"), ("Audi 80", "1.5", ""), ("Ford T", "2.0", "3.0")]
    (tmp_path / "a.txt").write_text("".join(f"{a:<7} {b:>8} {c:>7}\n" for a, b, c in lines))
    store = vech.read(tmp_path / "a.txt")
    assert store.labels == ("Fiat 128", "Audi 80", "Ford T") and store.half.tolist() == [1.5, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("c 2.0 3.0", "c 2.0 x.0", ", line 3: holds 'x.0', which is no number"),
        (
            "    a   b",
            "    a    b",
            ", line 1: names columns that do not end where numbers do, as R prints them",
        ),
        (
            "    a   b",
            "    a   x",
            ", line 1: has columns 'a', 'x' and rows 'b', 'c': those of a matrix are the same",
        ),
        ("c 2.0 3.0", "b 2.0 3.0", ", line 3: has the label 'b' twice"),
        ("b 1.5    ", "b        ", ", line 2: has blank cells where numbers should be"),
        ("c 2.0 3.0\n", "c 2.0 3.0\n    c\n", ", line 4: names columns, and no rows follow"),
        (
            "c 2.0 3.0\n",
            "c 2.0 3.0\n    c\nb 1.0\nd 2.0\n",
            ", line 4: has other rows than the columns before",
        ),
    ],
)
def test_what_is_refused(tmp_path, old, new, message):
    assert old in PRINTED
    refused(tmp_path, PRINTED.replace(old, new), message)


def test_columns_in_scientific_notation_are_rounded_by_themselves(tmp_path):
    rows = [("", "[,1]", "[,2]"), ("[1,]", "1.000e-05", "1.235e-07"), ("[2,]", "1.23457e-07", "2.0e-09")]
    (tmp_path / "a.txt").write_text("".join(f"{a:<4} {b:>11} {c:>9}\n" for a, b, c in rows))
    assert vech.read(tmp_path / "a.txt").half.tolist() == [1e-5, 1.23457e-7, 2e-9]
    (tmp_path / "b.txt").write_text("      [,1]  [,2]\n[1,] 1e+00 2e-03\n[2,] 3e-03 4e+00\n")
    with pytest.raises(FileFormatError, match=r"line 3: matrix is not symmetric: a\[1, 0\] is 0\.003, but"):
        vech.read(tmp_path / "b.txt")


def test_other_tables_are_not_taken_for_print_outs(tmp_path):
    for text in ("1 2\n2 3\n", " 1 2\n 2 3\n", " a b\na 1 2\nb 2 3\n", "a,b\n1,2\n2,3\n", "", " 1\n 2 3\n"):
        (tmp_path / "a.txt").write_text(text)
        assert not r_print.recognises(tmp_path / "a.txt")
