"""print(S): numbers under their labels, all of a small matrix, the corners of a large one."""

import textwrap

import numpy as np
import pandas
import pytest

import cases
import vech
from cases import STORES


def text(s):
    return textwrap.dedent(s).strip("\n")


@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_a_small_matrix_is_printed_whole(make):
    full = np.array([[1, 0.5, -0.25], [0.5, 1, 0], [-0.25, 0, 1]])
    assert str(make(full, "symmetric", labels=["AAPL", "X", "a b"])) == text("""
               AAPL    X    a b
        AAPL   1.    0.5  -0.25
        X      0.5   1.    0.
        a b   -0.25  0.    1.
    """)
    assert str(make(full, "symmetric")).splitlines()[:2] == ["       0    1      2", "0   1.    0.5  -0.25"]


def test_a_large_one_shows_its_corners_and_what_it_is():
    S = vech.Packed(np.arange(500 * 501 // 2))
    lines = str(S).splitlines()
    assert len(lines) == 13 and max(map(len, lines)) < 110
    assert lines[0].split() == ["0", "1", "2", "3", "4", "...", "495", "496", "497", "498", "499"]
    assert lines[6].split() == ["..."] * 12
    assert lines[11].split() == ["499", "499", "998", "1496", "1993", "2489", "...", *map(str, S[499, 495:])]
    assert lines[12] == repr(S)
    assert len(str(vech.Packed(np.zeros(55))).splitlines()) == 11


def test_labels_are_short_and_can_be_printed():
    S = vech.Packed(np.zeros(3), labels=["\x1b[31mred\n", "a label of more letters than fit"])
    assert [line.split("  ")[0] for line in str(S).splitlines()[1:]] == [
        "\\x1b[31mred\\n",
        "a label of more ...",
    ]


def test_people_of_families_and_days_are_told_apart():
    people = [("family01", "ann"), ("family01", "bob")]
    assert str(vech.Packed(np.array([1.0, 0.5, 2]), labels=people)).splitlines()[0].split("  ")[-2:] == [
        "family01 ann",
        "family01 bob",
    ]
    days = pandas.date_range("2024-01-31", periods=2)
    assert "2024-01-31  2024-02-01" in str(vech.Packed(np.array([1.0, 0.5, 2]), labels=days))
    hours = pandas.date_range("2024-01-31 09:00", periods=2, freq="h")
    assert "2024-01-31 09:00:00  2024-01-31 10:00:00" in str(
        vech.Packed(np.array([1.0, 0.5, 2]), labels=hours)
    )


@cases.each("dtype", [name for name, dtype in cases.DTYPES.items() if dtype.kind != "V"])
def test_numbers_are_printed_as_numpy_prints_them(dtype):
    S = vech.Packed(cases.moderate(dtype, 6), kind="symmetric")
    cells = [line.split(maxsplit=1)[1] for line in str(S).splitlines()[1:]]
    shown = np.array2string(S.expand().ravel(), separator=",", threshold=10, max_line_width=1000)
    assert "".join(cells).replace(" ", "") == shown[1:-1].replace(",", "").replace(" ", "").replace("'", "")


def test_a_matrix_of_no_rows_says_so():
    S = vech.Packed(np.zeros(0))
    assert str(S) == repr(S) == "Packed(n=0, dtype=float64, kind='symmetric', layout='vech')"


def test_far_more_rows_than_numbers_are_no_hindrance():
    S = vech.SparseHalf.from_coo([2_999_999_999], [0], [1.5], 3_000_000_000, use="lower")
    assert str(S).splitlines()[1].split() == [
        "0",
        "0.",
        "0.",
        "0.",
        "0.",
        "0.",
        "...",
        "0.",
        "0.",
        "0.",
        "0.",
        "1.5",
    ]
